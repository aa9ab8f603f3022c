//! `state/replicas/NAME.json`: what an operator said of a replica, and what it acknowledged.
//!
//! What an operator said is durable before it is answered. The rest is written whole now and then: a
//! power cut loses the newest of it, and the replica's next hello tells it again. The newest
//! checkpoint that a replica cosigned stands beside it as `NAME.checkpoint`, a note as
//! `ghostbridge log verify --against` reads one.

use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ghost_event::Digest;
use ghost_ship::plan::{Quiet, Settings};
use ghost_ship::wire::BlockTold;
use serde::{Deserialize, Serialize};

use super::{Address, ReplicaConfig, ReplicaError, is_name};
use crate::DataDir;

const VERSION: u32 = 1;

/// A record is small: blocks are at most 64, and a refusal's notes are cut.
const BYTES_MAX: u64 = 1 << 20;

/// What of a refusal's evidence is kept here.
const NOTE_BYTES_KEPT: usize = 16 << 10;

/// Everything that is remembered of one replica.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    v: u32,
    pub(super) name: String,
    pub(super) address: String,
    pub(super) paused: bool,
    pub(super) rate_limit: Option<u64>,
    pub(super) quiet: Option<String>,
    /// Nanoseconds since 1970.
    pub(super) added_ns: i64,
    /// As it called itself.
    pub(super) identity: String,
    pub(super) program: String,
    pub(super) held: u64,
    pub(super) held_ns: i64,
    /// Blocks that it has, verified, oldest first.
    pub(super) blocks: Vec<BlockHeld>,
    pub(super) verified_ns: i64,
    /// The key with which it cosigned first; another one is not believed.
    pub(super) cosigning_key: String,
    pub(super) cosigned_size: u64,
    pub(super) cosigned_ns: i64,
    /// The refusal that stands.
    pub(super) refused: Option<Refused>,
}

/// A block that a replica has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BlockHeld {
    pub(super) block: u64,
    pub(super) size: u64,
    /// Hexadecimal.
    pub(super) root: String,
}

/// Why it was refused, by either side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Refused {
    pub(super) code: String,
    pub(super) words: String,
    pub(super) at_ns: i64,
    /// Which side refused: `primary` or `replica`.
    pub(super) by: String,
    /// The newest checkpoints: of the side that refused, and of the other.
    pub(super) ours: String,
    pub(super) theirs: String,
}

impl Refused {
    /// Cuts what was sent to what is kept.
    pub(super) fn cut(mut self) -> Refused {
        for note in [&mut self.ours, &mut self.theirs] {
            note.truncate(note.floor_char_boundary(NOTE_BYTES_KEPT));
        }
        self
    }
}

impl From<&BlockTold> for BlockHeld {
    fn from(b: &BlockTold) -> BlockHeld {
        BlockHeld { block: b.number, size: b.size, root: b.root.to_string() }
    }
}

/// Where the records lie.
pub(super) fn folder(data: &DataDir) -> PathBuf {
    data.root().join("state/replicas")
}

/// The newest checkpoint that a replica cosigned.
pub(crate) fn cosigned_path(data: &DataDir, name: &str) -> PathBuf {
    folder(data).join(format!("{name}.checkpoint"))
}

fn path_of(data: &DataDir, name: &str) -> PathBuf {
    folder(data).join(format!("{name}.json"))
}

impl Record {
    pub(super) fn new(config: &ReplicaConfig, now_ns: i64) -> Record {
        Record {
            v: VERSION,
            name: config.name.clone(),
            address: config.address.to_string(),
            added_ns: now_ns,
            ..Record::default()
        }
    }

    pub(super) fn config(&self) -> Result<ReplicaConfig, ReplicaError> {
        if !is_name(&self.name) {
            return Err(ReplicaError::Name);
        }
        let address: Address = self.address.parse()?;
        Ok(ReplicaConfig { name: self.name.clone(), address })
    }

    pub(super) fn settings(&self) -> Result<Settings, ReplicaError> {
        let quiet = self.quiet.as_deref().filter(|q| !q.is_empty());
        let quiet = quiet.map(|q| Quiet::parse(q).ok_or(ReplicaError::Quiet)).transpose()?;
        Ok(Settings { paused: self.paused, rate_limit: self.rate_limit, quiet })
    }

    /// The blocks as the plan has them. What can't be read is left out: all is sent then.
    pub(super) fn blocks_told(&self) -> Vec<BlockTold> {
        let told = |b: &BlockHeld| {
            let root = Digest::from_hex(b.root.as_bytes())?;
            Some(BlockTold { number: b.block, size: b.size, root })
        };
        self.blocks.iter().filter_map(told).collect()
    }

    /// Writes it whole. `durable`: before this returns.
    pub(super) fn save(&self, data: &DataDir, durable: bool) -> io::Result<()> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        bytes.push(b'\n');
        put(&path_of(data, &self.name), &bytes, durable)
    }

    /// Keeps the note that it cosigned.
    pub(super) fn save_cosigned(&self, data: &DataDir, note: &str) -> io::Result<()> {
        put(&cosigned_path(data, &self.name), note.as_bytes(), false)
    }

    /// Removes all that is remembered of it.
    pub(super) fn remove(data: &DataDir, name: &str) -> io::Result<()> {
        for path in [cosigned_path(data, name), path_of(data, name)] {
            match std::fs::remove_file(&path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        std::fs::File::open(folder(data))?.sync_all()
    }
}

/// Every record, by name; those that can't be read are told.
pub(super) fn read_all(data: &DataDir) -> (Vec<Record>, Vec<String>) {
    let (mut records, mut told) = (Vec::new(), Vec::new());
    let Ok(list) = std::fs::read_dir(folder(data)) else { return (records, told) };
    for entry in list.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str().and_then(|n| n.strip_suffix(".json")) else { continue };
        if !is_name(name) {
            continue;
        }
        match read(&entry.path()) {
            Ok(record) if record.name == name && record.v == VERSION => records.push(record),
            Ok(_) => {
                told.push(format!("replica {name}: its record is of another; remove and add it"))
            }
            Err(error) => told.push(format!("replica {name}: {error}; remove and add it")),
        }
    }
    records.sort_by(|a, b| a.name.cmp(&b.name));
    (records, told)
}

fn read(path: &Path) -> io::Result<Record> {
    let file = std::fs::File::open(path)?;
    if file.metadata()?.len() > BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the record is too long"));
    }
    serde_json::from_reader(io::BufReader::new(file)).map_err(io::Error::other)
}

/// Writes a file anew: it is the old one or the new one, never a part.
fn put(path: &Path, bytes: &[u8], durable: bool) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let new = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o640).open(&new)?;
    file.write_all(bytes)?;
    if durable {
        file.sync_all()?;
    }
    std::fs::rename(&new, path)?;
    if durable { std::fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_what_is_damaged_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path());
        let config =
            ReplicaConfig { name: "cellar".into(), address: "ssh://g@cellar:22".parse().unwrap() };
        let mut record = Record::new(&config, 7);
        record.quiet = Some("22:00-06:00".into());
        let block = BlockTold { number: 3, size: 40, root: Digest([9; 32]) };
        record.blocks = vec![BlockHeld::from(&block)];
        record.save(&data, true).unwrap();
        let (all, told) = read_all(&data);
        assert_eq!((&all[..], &told[..]), (&[record.clone()][..], &[][..]));
        assert_eq!(all[0].config().unwrap(), config);
        assert_eq!(all[0].blocks_told(), [block]);
        assert!(all[0].settings().unwrap().quiet.is_some());
        record.save_cosigned(&data, "note\n").unwrap();
        std::fs::write(folder(&data).join("attic.json"), b"{\"v\":1,").unwrap();
        std::fs::write(folder(&data).join("Not_a_name.json"), b"{}").unwrap();
        let (all, told) = read_all(&data);
        assert_eq!((all.len(), told.len()), (1, 1));
        assert!(told[0].contains("attic"));
        Record::remove(&data, "cellar").unwrap();
        assert!(read_all(&data).0.is_empty() && !cosigned_path(&data, "cellar").exists());
    }
}
