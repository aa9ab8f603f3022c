//! Blocks of a data folder, for who writes its log and for who looks at it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ghost_block::Lost;
pub use ghost_block::{
    Block, BlockError, BlockName, Diff, Keep, Listed, Made, Manifest, Restored, Target, Volume,
    VolumeKind, is_btrfs, make_subvolumes, open_volume,
};
use ghost_event::line::{Note, View};
use ghost_log::{LogError, LogReader};
use ghost_world::{Disk, RealDisk};

use crate::DataDir;
use crate::limits::SINCE_LINES_MAX;

/// What came into the log since the last block.
#[derive(Debug, Default)]
pub(crate) struct Since {
    pub(crate) events: BTreeMap<String, u64>,
    pub(crate) lost: Lost,
}

impl Since {
    /// Counts what stands in the log behind line `size`: what another run wrote and did not seal.
    pub(crate) fn read(reader: &LogReader, size: u64) -> Result<Since, LogError> {
        let mut since = Since::default();
        let mut lines = reader.lines(size + 1);
        let mut read = 0_u64;
        while let Some(line) = lines.next()? {
            read += 1;
            if ghost_block::is_own(line.bytes) {
                continue;
            }
            if read > SINCE_LINES_MAX {
                // Only after years without blocks; they are in the first one all the same.
                since.count("uncounted", 1);
                continue;
            }
            let head = line.bytes.get(..EVENT_TYPE_WITHIN).unwrap_or(line.bytes);
            for kind in KINDS {
                if memchr::memmem::find(head, format!("\"event_type\":\"{kind}\"").as_bytes())
                    .is_some()
                {
                    since.count(kind, 1);
                    if kind == "gap"
                        && let Ok(View { note: Some(Note::Gap(gap)), .. }) = View::parse(line.bytes)
                    {
                        since.lose(gap.packets, gap.bytes, gap.events);
                    }
                }
            }
        }
        Ok(since)
    }

    pub(crate) fn count(&mut self, kind: &str, n: u64) {
        match self.events.get_mut(kind) {
            Some(count) => *count += n,
            None => drop(self.events.insert(kind.to_owned(), n)),
        }
    }

    pub(crate) fn lose(&mut self, packets: u64, bytes: u64, events: u64) {
        self.lost.packets = self.lost.packets.saturating_add(packets);
        self.lost.bytes = self.lost.bytes.saturating_add(bytes);
        self.lost.events = self.lost.events.saturating_add(events);
    }
}

/// Kinds of lines that a manifest counts: events and what is told of losses and imports.
const KINDS: [&str; 5] = ["flow", "packet", "change", "gap", "import"];

/// Where a line has told its kind by then.
const EVENT_TYPE_WITHIN: usize = 160;

/// The disk of this machine.
pub(crate) fn disk() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

/// Every block that was ever sealed, oldest first.
///
/// # Errors
/// The log's list of checkpoints, or the folder of blocks, can't be read.
pub fn list(data: &DataDir) -> Result<Vec<Listed>, BlockError> {
    ghost_block::list(&disk(), data.root())
}

/// The block of this name or number; of an empty one the newest that is there.
///
/// # Errors
/// There never was such a block.
pub fn find(data: &DataDir, name: &str) -> Result<Listed, BlockError> {
    let all = list(data)?;
    let mut newest_first = all.into_iter().rev();
    let found = match name.parse::<u64>() {
        _ if name.is_empty() => newest_first.find(|block| block.path.is_some()),
        Ok(number) => newest_first.find(|block| block.name.number == number),
        Err(_) => newest_first.find(|block| block.name.to_string() == name),
    };
    found.ok_or_else(|| BlockError::NoSuchBlock { name: name.to_owned() })
}

/// What a block says of itself.
///
/// # Errors
/// It is gone, or damaged.
pub fn manifest(block: &Listed) -> Result<Manifest, BlockError> {
    ghost_block::manifest_of(&disk(), place(block)?)
}

/// Where a block lies.
///
/// # Errors
/// It is gone.
pub fn place(block: &Listed) -> Result<&Path, BlockError> {
    block.path.as_deref().ok_or_else(|| {
        BlockError::Refused(format!(
            "{} is gone; its signed checkpoint is left (`ghostbridge block list -o json`)",
            block.name
        ))
    })
}

/// What the newer of two blocks has that the older had not.
///
/// # Errors
/// One of them is gone, or damaged, or of another log.
pub fn diff(a: &Listed, b: &Listed) -> Result<Diff, BlockError> {
    ghost_block::diff(&disk(), place(a)?, place(b)?)
}

/// Makes a block the log again. In its place the index goes: it knows lines that are none any more,
/// and is made anew from the log by whoever opens it next.
///
/// # Errors
/// A daemon writes the log, the block is gone, the target is taken.
pub fn restore(data: &DataDir, block: &Listed, target: &Target) -> Result<Restored, BlockError> {
    let restored = ghost_block::restore(data.root(), &block.name, target)?;
    if *target == Target::InPlace
        && let Err(source) = std::fs::remove_dir_all(data.index())
        && source.kind() != std::io::ErrorKind::NotFound
    {
        return Err(BlockError::Io { what: "remove", path: data.index(), source });
    }
    Ok(restored)
}

/// Bytes of the file system under `data`; 0 where it does not tell.
pub(crate) fn disk_bytes(data: &DataDir) -> u64 {
    rustix::fs::statvfs(data.root()).map_or(0, |fs| fs.f_blocks.saturating_mul(fs.f_frsize))
}

/// Up to which line the newest block was ready; 0 where it can't be read.
pub(crate) fn ready_of(data: &DataDir, block: &Block) -> u64 {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let path = ghost_block::path_of(data.root(), &block.name);
    ghost_block::manifest_of(&disk, &path).map_or(0, |manifest| manifest.t2_ready_size)
}
