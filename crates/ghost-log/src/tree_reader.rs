//! The tree of a log that lies on a disk: nodes from its tiles and its lines.

use std::sync::Arc;

use ghost_event::Digest;
use ghost_world::Disk;

use crate::error::LogError;
use crate::layout::Layout;
use crate::proof::Nodes;

/// Reads nodes of a log's tree.
#[derive(Debug)]
pub struct TreeReader {
    _disk: Arc<dyn Disk>,
    _layout: Layout,
}

impl TreeReader {
    /// The tree of the log in any layout, as a block's.
    pub fn open(disk: Arc<dyn Disk>, layout: Layout) -> Result<TreeReader, LogError> {
        Ok(TreeReader { _disk: disk, _layout: layout })
    }

    /// Whole lines that stand there now: the largest tree that can be asked for.
    pub fn size(&mut self) -> Result<u64, LogError> {
        Err(LogError::Unready { what: "the tree of a log on disk" })
    }
}

impl Nodes for TreeReader {
    type Error = LogError;

    fn node(&mut self, _level: u32, _index: u64) -> Result<Digest, LogError> {
        Err(LogError::Unready { what: "the tree of a log on disk" })
    }
}
