//! What is remembered of a log that is held here: `state/accepted.json`.
//!
//! Written anew and renamed into place, so that a power cut leaves the one before or this one.
//! Without it nothing that lies there is believed: the log would be taken as new.

use std::io;
use std::path::Path;

use ghost_block::BlockName;
use ghost_event::Digest;
use ghost_log::proof::Tree;
use ghost_log::proof::key::VerifyingKey;
use ghost_ship::accept::{Accepted, Keys, Known, Witnessed};
use ghost_ship::wire::{LogId, Place};
use ghost_world::Disk;

use crate::limits::{BLOCKS_MAX, KEPT_BYTES_MAX, NOTE_BYTES_MAX};
use crate::{ReplicaDir, ReplicaError};

/// How a received subvolume is known again: writing to it changes the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Seal {
    /// Its own UUID.
    pub(crate) uuid: [u8; 16],
    /// The transaction that changed something in it last.
    pub(crate) changed: u64,
}

/// One verified block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptBlock {
    pub(crate) known: Known,
    /// None where it is a plain folder.
    pub(crate) seal: Option<Seal>,
    pub(crate) verified_ns: i64,
    /// The oldest line that the log says is kept.
    pub(crate) retired: u64,
}

impl KeptBlock {
    pub(crate) fn name(&self) -> BlockName {
        BlockName::new(self.known.number, &self.known.root)
    }
}

/// Everything that is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) log: LogId,
    /// The host's name.
    pub(crate) name: String,
    pub(crate) keys: Keys,
    pub(crate) witnessed: Option<Witnessed>,
    /// Oldest first.
    pub(crate) blocks: Vec<KeptBlock>,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    v: u32,
    log: String,
    name: String,
    keys: Vec<String>,
    witnessed: Option<WrittenWitnessed>,
    blocks: Vec<WrittenBlock>,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenWitnessed {
    size: u64,
    root: String,
    note: String,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenBlock {
    number: u64,
    size: u64,
    leaf: String,
    root: String,
    epoch: u64,
    frontier: Vec<String>,
    seal: Option<Seal>,
    verified_ns: i64,
    retired: u64,
}

const VERSION: u32 = 1;

impl Kept {
    /// Of a log that is met for the first time.
    pub(crate) fn new(log: LogId, name: &str) -> Kept {
        Kept {
            log,
            name: name.to_owned(),
            keys: Keys::default(),
            witnessed: None,
            blocks: Vec::new(),
        }
    }

    /// What a restart takes up.
    pub(crate) fn accepted(&self) -> Accepted {
        let blocks = self.blocks.iter().map(|b| b.known.clone()).collect();
        Accepted::resume(Some(self.log), self.keys.clone(), blocks, self.witnessed.clone())
    }

    fn bytes(&self) -> Vec<u8> {
        let hex = |d: &Digest| d.to_string();
        let written = Written {
            v: VERSION,
            log: self.log.to_string(),
            name: self.name.clone(),
            keys: self.keys.all().iter().map(ToString::to_string).collect(),
            witnessed: self.witnessed.as_ref().map(|w| WrittenWitnessed {
                size: w.size,
                root: hex(&w.root),
                note: w.note.clone(),
            }),
            blocks: self
                .blocks
                .iter()
                .map(|b| WrittenBlock {
                    number: b.known.number,
                    size: b.known.place.size,
                    leaf: hex(&b.known.place.leaf),
                    root: hex(&b.known.root),
                    epoch: b.known.epoch,
                    frontier: b.known.tree.frontier().iter().map(hex).collect(),
                    seal: b.seal,
                    verified_ns: b.verified_ns,
                    retired: b.retired,
                })
                .collect(),
        };
        // Of strings and numbers alone, it cannot fail.
        let mut bytes = serde_json::to_vec(&written).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Kept, String> {
        if bytes.len() > KEPT_BYTES_MAX {
            return Err(format!("it has more than {KEPT_BYTES_MAX} bytes"));
        }
        let read: Written = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        if read.v != VERSION {
            return Err(format!("it is of version {}, and this program reads {VERSION}", read.v));
        }
        let digest = |text: &str| {
            Digest::from_hex(text.as_bytes()).ok_or_else(|| format!("{text:?} is no digest"))
        };
        let keys = read.keys.iter().map(|k| VerifyingKey::parse(k).map_err(|e| e.to_string()));
        let witnessed = match read.witnessed {
            None => None,
            Some(w) if w.note.len() <= NOTE_BYTES_MAX => {
                Some(Witnessed { size: w.size, root: digest(&w.root)?, note: w.note })
            }
            Some(_) => return Err("its note is too long".to_owned()),
        };
        if read.blocks.len() > BLOCKS_MAX {
            return Err("it names too many blocks".to_owned());
        }
        let block = |b: WrittenBlock| {
            let frontier: Vec<Digest> =
                b.frontier.iter().map(|d| digest(d)).collect::<Result<_, String>>()?;
            let root = digest(&b.root)?;
            let tree = Tree::resume(b.size, &frontier).filter(|tree| tree.root() == root);
            let tree = tree.ok_or("a block's frontier is not of its root")?;
            let place = Place { size: b.size, leaf: digest(&b.leaf)? };
            let known = Known { number: b.number, place, root, epoch: b.epoch, tree };
            let (seal, verified_ns, retired) = (b.seal, b.verified_ns, b.retired);
            Ok::<_, String>(KeptBlock { known, seal, verified_ns, retired })
        };
        let blocks = read.blocks.into_iter().map(block).collect::<Result<Vec<_>, String>>()?;
        let rising = blocks.is_sorted_by(|a, b| {
            a.known.number < b.known.number && a.known.place.size < b.known.place.size
        });
        if !rising || blocks.first().is_some_and(|b| b.known.number == 0) {
            return Err("its blocks are not in their order".to_owned());
        }
        Ok(Kept {
            log: LogId::parse(&read.log).ok_or("its log is none")?,
            name: read.name.chars().filter(|c| !c.is_control()).take(512).collect(),
            keys: Keys::of(keys.collect::<Result<_, _>>()?),
            witnessed,
            blocks,
        })
    }

    /// Reads it; none where there is none.
    pub(crate) fn read(disk: &dyn Disk, dir: &ReplicaDir) -> Result<Option<Kept>, ReplicaError> {
        let path = dir.accepted();
        let file = match disk.open_read(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(ReplicaError::io("open", &path)(e)),
        };
        let mut bytes = vec![0; KEPT_BYTES_MAX + 1];
        let n = file.read_full_at(&mut bytes, 0).map_err(ReplicaError::io("read", &path))?;
        bytes.truncate(n);
        let damaged = |what: String| ReplicaError::Damaged {
            path: path.clone(),
            what: format!(
                "{what}; move {} aside, and its primary sends everything again",
                dir.path().display()
            ),
        };
        let kept = Kept::parse(&bytes).map_err(damaged)?;
        if kept.log == dir.log_id() {
            Ok(Some(kept))
        } else {
            Err(damaged("it is of another log than its folder".to_owned()))
        }
    }

    /// Makes it durable.
    pub(crate) fn write(&self, disk: &dyn Disk, dir: &ReplicaDir) -> Result<(), ReplicaError> {
        put(disk, &dir.accepted(), &self.bytes(), false)
    }
}

/// Puts a small file into its place, durable, in one step.
pub(crate) fn put(
    disk: &dyn Disk,
    path: &Path,
    bytes: &[u8],
    secret: bool,
) -> Result<(), ReplicaError> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = Path::new(&new);
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || {
        disk.create_dirs(folder)?;
        match disk.remove(new) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let file = if secret { disk.create_secret(new)? } else { disk.create(new)? };
        write_all(&*file, bytes, 0)?;
        file.sync()?;
        disk.rename(new, path)?;
        disk.sync_dir(folder)
    };
    write().map_err(ReplicaError::io("write", path))
}

pub(crate) fn write_all(
    file: &dyn ghost_world::File,
    mut bytes: &[u8],
    mut at: u64,
) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                bytes = bytes.get(n..).unwrap_or_default();
                at += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
