//! Where the logs of other hosts lie: `replicas/<log>/` in the data folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ghost_block::BlockName;
use ghost_event::Seq;
use ghost_ship::wire::LogId;
use ghost_world::{Disk, RealDisk};

use crate::kept::Kept;
use crate::{Reader, ReplicaError};

/// The folder of all of them.
pub(crate) const REPLICAS: &str = "replicas";

/// The folder of one log that is held here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaDir {
    path: PathBuf,
    log: LogId,
    identity: String,
}

/// What is remembered of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Lines of the newest verified block, and its number; zeros where there is none.
    pub verified: Seq,
    pub block: u64,
    /// When it was verified, nanoseconds since 1970.
    pub verified_ns: i64,
    /// Lines of the newest checkpoint that was cosigned.
    pub cosigned: Seq,
    pub epoch: u64,
    /// Verified blocks that are kept.
    pub blocks: Vec<BlockName>,
}

impl ReplicaDir {
    /// Every log that is held under a data folder, by log id. One whose memory is damaged is listed
    /// without a name: [`facts`](Self::facts) says what is wrong.
    #[must_use]
    pub fn list(data: &Path) -> Vec<ReplicaDir> {
        let folder = data.join(REPLICAS);
        let names = RealDisk.list(&folder).unwrap_or_default();
        let logs = names.iter().filter_map(|name| LogId::parse(name));
        logs.map(|log| ReplicaDir::of(data, log)).collect()
    }

    /// That of one log, whether or not it is there.
    #[must_use]
    pub fn of(data: &Path, log: LogId) -> ReplicaDir {
        let path = data.join(REPLICAS).join(log.to_string());
        let mut dir = ReplicaDir { path, log, identity: String::new() };
        if let Ok(Some(kept)) = Kept::read(&RealDisk, &dir) {
            dir.identity = kept.name;
        }
        dir
    }

    /// The one that a person names: by its host's name where that is unique, or by how its id begins.
    /// A host's name goes first.
    #[must_use]
    pub fn named<'a>(all: &'a [ReplicaDir], name: &str) -> Option<&'a ReplicaDir> {
        let mut of_host = all.iter().filter(|dir| dir.identity == name && !name.is_empty());
        match (of_host.next(), of_host.next()) {
            (Some(one), None) => return Some(one),
            (Some(_), Some(_)) => return None,
            (None, _) => {}
        }
        let mut of_id = all.iter().filter(|dir| {
            name.len() >= 4 && name.is_ascii() && dir.log.to_string().starts_with(name)
        });
        let one = of_id.next()?;
        of_id.next().is_none().then_some(one)
    }

    /// What it is called among others: its host's name where no other has it, else its id.
    #[must_use]
    pub fn name(&self, all: &[ReplicaDir]) -> String {
        let alike = all.iter().filter(|dir| dir.identity == self.identity).count();
        if self.identity.is_empty() || alike > 1 {
            self.log.to_string()
        } else {
            self.identity.clone()
        }
    }

    #[must_use]
    pub fn log_id(&self) -> LogId {
        self.log
    }

    /// The host whose log it is, as its key names it; empty where nothing is known yet.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where received blocks lie.
    #[must_use]
    pub fn blocks(&self) -> PathBuf {
        self.path.join("blocks")
    }

    /// Raw lines after the newest block.
    #[must_use]
    pub fn tail(&self) -> PathBuf {
        self.path.join("tail/lines.jsonl")
    }

    /// Where the index of this log lies.
    #[must_use]
    pub fn index(&self) -> PathBuf {
        self.path.join("index")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path.join("state")
    }

    pub(crate) fn accepted(&self) -> PathBuf {
        self.state().join("accepted.json")
    }

    /// The key that cosigns.
    pub(crate) fn cosigning_key(&self) -> PathBuf {
        self.state().join("cosigning.key")
    }

    /// What was refused, with both sides' checkpoints.
    #[must_use]
    pub fn evidence(&self) -> PathBuf {
        self.path.join("evidence")
    }

    /// The newest verified block.
    #[must_use]
    pub fn newest_block(&self) -> Option<BlockName> {
        newest_block(&RealDisk, &self.path)
    }

    /// Reads the log on this machine's disk.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::open(Arc::new(RealDisk), self)
    }

    /// What is remembered of it.
    ///
    /// # Errors
    /// The memory is damaged; the words say what to do.
    pub fn facts(&self) -> Result<Facts, ReplicaError> {
        let Some(kept) = Kept::read(&RealDisk, self)? else { return Ok(Facts::default()) };
        let newest = kept.blocks.last();
        Ok(Facts {
            verified: newest.map_or(0, |b| b.known.place.size),
            block: newest.map_or(0, |b| b.known.number),
            verified_ns: newest.map_or(0, |b| b.verified_ns),
            cosigned: kept.witnessed.as_ref().map_or(0, |w| w.size),
            epoch: newest.map_or(0, |b| b.known.epoch),
            blocks: kept.blocks.iter().map(|b| b.name()).collect(),
        })
    }
}

/// The newest block under a log's folder: only what was verified bears such a name.
pub(crate) fn newest_block(disk: &dyn Disk, path: &Path) -> Option<BlockName> {
    let names = disk.list(&path.join("blocks")).unwrap_or_default();
    names.iter().filter_map(|name| BlockName::parse(name)).max()
}
