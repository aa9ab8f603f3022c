//! Seals blocks, in the writer's thread.
//!
//! The order is: the log is synced and its checkpoint signed; the manifest is written; the
//! checkpoint's line is added to `checkpoints.jsonl`; the log is frozen under the block's name. So a
//! block has all of it in it, and wherever this is cut off, there is a line without a block, never a
//! block without a line.
//!
//! **Invariant:** sealing changes no line of the log; a number is never given twice.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use ghost_event::{Digest, Seq, Timestamp};
use ghost_log::{Layout, Log, LogReader, Signed};
use ghost_world::Disk;

use crate::journal::{self, Entry, Journal};
use crate::manifest::MANIFEST;
use crate::volume::{BLOCKS, NEW, is_leftover};
use crate::{
    BlockError, BlockName, Lost, Manifest, Parent, Reason, Volume, VolumeKind, Whole, own, retain,
};

mod tend;

pub use tend::Tended;

/// Where a freeze copies the active segment, a longer one is sealed before.
const COPIED_BYTES_MAX: u64 = 8 << 20;

/// Where the newest block is missing, so many seals are looked at for one that is there.
const LOOKED_BACK: usize = 4096;

/// What whoever seals knows and the log does not tell.
#[derive(Debug, Clone, Copy)]
pub struct SealFacts<'a> {
    pub t2_ready_size: u64,
    /// Lines since the newest block, by `event_type`; those of an earlier run, too.
    pub events: &'a BTreeMap<String, u64>,
    pub lost: Lost,
    pub reason: Reason,
    pub waited_ms: u64,
    pub time: Timestamp,
}

/// A block that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    pub name: BlockName,
    /// Lines of the log, which is the size of its tree.
    pub size: u64,
    pub root: Digest,
    pub first_seq: Seq,
    pub time: Timestamp,
}

/// What was found when the sealer was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SealRecovery {
    /// Unfinished entries that were deleted.
    pub removed: Vec<String>,
    /// Blocks that were whole once and can be written now: somebody changed that. They are kept
    /// for whoever looks into it, and are no blocks any more.
    pub writable: Vec<String>,
    /// Blocks whose manifest cannot be read or is of another log, and why. They are kept.
    pub damaged: Vec<(String, String)>,
    /// The newest checkpoint's block, where it is not there: its seal was cut off, or it was
    /// deleted.
    pub missing: Option<u64>,
    /// Blocks that `checkpoints.jsonl` does not name: the log is an older one.
    pub unnamed: Vec<String>,
    /// Bytes of a torn end that were cut off `checkpoints.jsonl`.
    pub torn_bytes: u64,
}

/// Seals and tends the blocks of one log.
#[derive(Debug)]
pub struct Sealer {
    disk: Arc<dyn Disk>,
    volume: Box<dyn Volume>,
    layout: Layout,
    /// Nothing after an error: then it is opened anew.
    journal: Option<Journal>,
    /// Oldest first.
    blocks: Vec<Block>,
    /// Entries that are no blocks, and kept for whoever looks into them.
    odd: Vec<String>,
    /// The highest number that was ever given.
    number: u64,
    /// There was something new in the log, and in no block, when the sealer was opened.
    news: bool,
    /// Segments were retired since the last block.
    retired: bool,
    /// A block was made since the last deletion.
    created: bool,
    /// Blocks that replicas grow theirs from.
    pinned: BTreeSet<u64>,
}

impl Sealer {
    /// Finds the blocks, and removes what a seal that was cut off left behind. To be called after
    /// the log was opened and before anything is appended; the log's lock is held by the caller.
    pub fn open(
        disk: Arc<dyn Disk>,
        mut volume: Box<dyn Volume>,
        layout: Layout,
    ) -> Result<(Sealer, SealRecovery), BlockError> {
        let mut recovery = SealRecovery::default();
        let names = volume.names()?;
        let link = layout.data().join(".snapshots");
        disk.link(Path::new(BLOCKS), &link).map_err(BlockError::io("link", &link))?;
        let half = layout.log().join(format!("{MANIFEST}{NEW}"));
        let _ = disk.remove(&half);
        if Manifest::read(&*disk, &layout.log()).is_err() {
            // Torn: the freeze that would have made it durable did not come.
            let _ = disk.remove(&layout.log().join(MANIFEST));
        }
        let (journal, torn_bytes) = Journal::open(Arc::clone(&disk), &layout.log())?;
        recovery.torn_bytes = torn_bytes;
        let sealed = journal.last().map_or(0, |last| last.block);
        let folder = layout.data().join(BLOCKS);
        let (mut blocks, mut number) = (Vec::new(), sealed);
        for (text, whole) in names {
            let named = BlockName::parse(&text);
            number = number.max(named.map_or(0, |name| name.number));
            match (named, whole) {
                (Some(name), Whole::Yes) => match look_at(&*disk, &folder, name) {
                    Ok(block) => {
                        if name.number > sealed {
                            recovery.unnamed.push(text);
                        }
                        blocks.push(block);
                    }
                    Err(why) => recovery.damaged.push((text, why)),
                },
                (Some(name), Whole::No) if name.number <= sealed => recovery.writable.push(text),
                (_, Whole::No) => {
                    volume.delete(&text)?;
                    recovery.removed.push(text);
                }
                (None, Whole::Yes) => {}
            }
        }
        blocks.sort_unstable_by_key(|block| block.name);
        recovery.missing = journal
            .last()
            .filter(|last| blocks.iter().all(|block| block.name != last.name()))
            .map(|last| last.block);
        // Where the newest seal was cut off, its lines are in no block yet.
        let size = match (journal.last(), recovery.missing) {
            (None, _) => 0,
            (Some(last), None) => last.size,
            (Some(_), Some(_)) => {
                // By the log's own list: where it was put back, blocks stand beside it that it has
                // nothing of.
                let named = journal::newest(&*disk, &layout.log(), LOOKED_BACK).unwrap_or_default();
                let there = |entry: &&Entry| blocks.iter().any(|b| b.name == entry.name());
                named.iter().rev().find(there).map_or(0, |entry| entry.size)
            }
        };
        let reader = LogReader::at(Arc::clone(&disk), layout.clone());
        let damaged = recovery.damaged.iter().map(|(name, _)| name);
        let sealer = Sealer {
            news: own::news_after(&reader, size),
            journal: Some(journal),
            disk,
            volume,
            layout,
            blocks,
            odd: recovery.writable.iter().chain(damaged).cloned().collect(),
            number,
            retired: false,
            created: false,
            pinned: BTreeSet::new(),
        };
        Ok((sealer, recovery))
    }

    /// Seals what the log holds. Nothing where it holds nothing new since the last block; lines by
    /// which the log tells of itself are nothing new. After an error the log and the blocks are as
    /// they were, and it can be tried again.
    pub fn seal(
        &mut self,
        log: &mut Log,
        facts: &SealFacts<'_>,
    ) -> Result<Option<Block>, BlockError> {
        let news = self.retired || self.news || own::has_news(facts.events);
        let before = self.journal()?.last().cloned();
        if !news || before.as_ref().is_some_and(|last| last.size >= log.size()) {
            return Ok(None);
        }
        if self.volume.copies() && self.active_bytes() > COPIED_BYTES_MAX {
            log.rotate()?;
        }
        let freeze_syncs = self.volume.freeze_syncs();
        let signed = if freeze_syncs { log.checkpoint_before_freeze() } else { log.checkpoint() }?;
        // As the files tell it: in microseconds.
        let time = facts.time.plus_ns(-i64::from(facts.time.below_us()));
        let facts = &SealFacts { time, ..*facts };
        let number = self.number.saturating_add(1);
        let manifest = self.manifest(log, facts, &signed, number, before.as_ref());
        self.write_manifest(&manifest, !freeze_syncs)?;
        let entry = Entry {
            block: number,
            time: facts.time,
            first_seq: manifest.first_seq,
            size: signed.size,
            root: signed.root,
            checkpoint: signed.note,
        };
        let name = entry.name();
        if let Err(error) = self.journal()?.append(entry, !freeze_syncs) {
            self.journal = None;
            return Err(error);
        }
        // From here on the number is given: where the freeze is cut off, it may have been made.
        self.number = number;
        if let Err(error) = self.volume.freeze(&name) {
            self.undo(&name, before);
            return Err(error);
        }
        let block = Block {
            name,
            size: signed.size,
            root: signed.root,
            first_seq: manifest.first_seq,
            time: facts.time,
        };
        self.blocks.push(block);
        self.news = false;
        self.retired = false;
        self.created = true;
        Ok(Some(block))
    }

    /// The blocks that are there, oldest first.
    #[must_use]
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Numbers of blocks that are needed for what is to be sent: from now on [`tend`](Self::tend)
    /// keeps them, unless the cap wants their room.
    pub fn pin(&mut self, numbers: BTreeSet<u64>) {
        self.pinned = numbers;
    }

    #[must_use]
    pub fn kind(&self) -> VolumeKind {
        self.volume.kind()
    }

    /// The volume, for what is not sealing: sending a block.
    pub fn volume(&mut self) -> &mut dyn Volume {
        &mut *self.volume
    }

    fn journal(&mut self) -> Result<&mut Journal, BlockError> {
        let journal = match self.journal.take() {
            Some(journal) => journal,
            None => Journal::open(Arc::clone(&self.disk), &self.layout.log())?.0,
        };
        Ok(self.journal.insert(journal))
    }

    fn manifest(
        &self,
        log: &Log,
        facts: &SealFacts<'_>,
        signed: &Signed,
        number: u64,
        before: Option<&Entry>,
    ) -> Manifest {
        Manifest {
            block: number,
            log: log.log_id().to_owned(),
            epoch: log.epoch(),
            first_seq: first_seq(log),
            sealed_size: signed.size,
            t2_ready_size: facts.t2_ready_size.min(signed.size),
            root: signed.root,
            parent: before.map(|last| Parent {
                block: last.block,
                size: last.size,
                root: last.root,
            }),
            time: facts.time,
            reason: facts.reason,
            waited_ms: facts.waited_ms,
            events: facts.events.clone(),
            lost: facts.lost,
        }
    }

    fn write_manifest(&self, manifest: &Manifest, sync: bool) -> Result<(), BlockError> {
        let log = self.layout.log();
        let (path, new) = (log.join(MANIFEST), log.join(format!("{MANIFEST}{NEW}")));
        let bytes = manifest.to_bytes();
        let write = || {
            match self.disk.remove(&new) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
            let file = self.disk.create(&new)?;
            journal::write_all(&*file, &bytes, 0)?;
            if sync {
                file.sync()?;
            }
            self.disk.rename(&new, &path)?;
            if sync { self.disk.sync_dir(&log) } else { Ok(()) }
        };
        write().map_err(|e| {
            let _ = self.disk.remove(&new);
            BlockError::io("write", &path)(e)
        })
    }

    /// After a freeze that failed: the line goes, unless the block may be there.
    fn undo(&mut self, name: &BlockName, before: Option<Entry>) {
        let text = name.to_string();
        let Ok(names) = self.volume.names() else { return };
        if names.iter().all(|(there, _)| *there != text)
            && let Some(journal) = &mut self.journal
        {
            journal.take_back(before);
        }
        for (there, _) in names.iter().filter(|(there, whole)| {
            *whole == Whole::No && is_leftover(there) && there.ends_with(&text)
        }) {
            // What stays is removed by the next start.
            let _ = self.volume.delete(there);
        }
    }

    fn active_bytes(&self) -> u64 {
        self.disk.open_read(&self.layout.active()).and_then(|file| file.len()).unwrap_or(0)
    }
}

/// The first line that is still in the log.
fn first_seq(log: &Log) -> Seq {
    log.segments().first().map_or(log.segment(), |segment| segment.first)
}

/// What a whole block says of itself.
fn look_at(disk: &dyn Disk, folder: &Path, name: BlockName) -> Result<Block, String> {
    let manifest =
        Manifest::read(disk, &folder.join(name.to_string())).map_err(|e| e.to_string())?;
    if manifest.block != name.number || !name.is_of(&manifest.root) {
        return Err("its name is not the one of its manifest".to_owned());
    }
    Ok(Block {
        name,
        size: manifest.sealed_size,
        root: manifest.root,
        first_seq: manifest.first_seq,
        time: manifest.time,
    })
}
