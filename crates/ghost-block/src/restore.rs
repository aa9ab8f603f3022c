//! A block to a log that can be written again.

use std::path::{Path, PathBuf};

use crate::{BlockError, BlockName};

/// Where a block's log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A data folder of its own, which is made and must not be there, or be empty.
    New(PathBuf),
    /// The data folder that the block is of; the log that is there is moved aside, and kept.
    InPlace,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The data folder with the restored log. Its next start begins a new epoch.
    pub data: PathBuf,
    /// Lines of the restored log.
    pub size: u64,
    /// Where the log lies that was there before.
    pub moved_aside: Option<PathBuf>,
}

/// Makes the log that a block of `data` holds a log that can be written. Takes the log's lock while
/// it does: a daemon must be stopped first.
pub fn restore(data: &Path, block: &BlockName, target: &Target) -> Result<Restored, BlockError> {
    let _ = (data, block, target);
    Err(BlockError::Refused("restoring blocks is not built yet".to_owned()))
}
