//! The blocks of a data folder, for whoever looks at them from outside: those that are there, and
//! those of which only the checkpoint is left.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ghost_event::{Digest, Seq, Timestamp};
use ghost_world::Disk;

use crate::{BlockError, BlockName, Manifest};

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub name: BlockName,
    pub time: Timestamp,
    pub first_seq: Seq,
    /// Lines of the log, which is the size of its tree.
    pub size: u64,
    pub root: Digest,
    /// The checkpoint, as it was signed.
    pub checkpoint: String,
    /// Where it lies, where it does.
    pub path: Option<PathBuf>,
}

/// Every block that was ever sealed, oldest first.
pub fn list(disk: &Arc<dyn Disk>, data: &Path) -> Result<Vec<Listed>, BlockError> {
    let _ = (disk, data);
    Err(BlockError::Refused("listing blocks is not built yet".to_owned()))
}

/// The folder of a block that is there.
pub fn path_of(data: &Path, name: &BlockName) -> PathBuf {
    data.join("blocks").join(name.to_string())
}

/// What a block says of itself.
pub fn manifest_of(disk: &Arc<dyn Disk>, block: &Path) -> Result<Manifest, BlockError> {
    let _ = (disk, block);
    Err(BlockError::Refused("reading manifests is not built yet".to_owned()))
}
