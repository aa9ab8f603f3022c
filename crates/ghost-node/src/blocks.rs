//! Blocks of a data folder, for who writes its log and for who looks at it.

use std::collections::BTreeMap;
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
