//! What can go wrong with blocks; each variant tells what to do next.

use std::io;
use std::path::{Path, PathBuf};

use ghost_log::LogError;

/// Why a block was not made, read or deleted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("cannot {what} {}: {source}", path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    #[error("no room on the disk to {what} {}: make room; the log goes on, and the next block is tried again", path.display())]
    NoSpace { what: &'static str, path: PathBuf },
    #[error("not permitted to {what} {}: run the block helper with CAP_SYS_ADMIN, or as root", path.display())]
    NotPermitted { what: &'static str, path: PathBuf },
    #[error("there is no block {name}: `ghostbridge block list` names those that are there")]
    NoSuchBlock { name: String },
    #[error("there is a block {name} already")]
    Taken { name: String },
    #[error("{} is no block's name", .name.escape_debug())]
    NotAName { name: String },
    #[error("{} is damaged: {what}", path.display())]
    Damaged { path: PathBuf, what: String },
    #[error("{what} takes btrfs: this volume is a plain folder")]
    TakesBtrfs { what: &'static str },
    #[error("the block helper has gone: restart ghostbridge")]
    HelperGone,
    #[error(
        "the block helper does not answer in time: look after the disk, then restart ghostbridge"
    )]
    HelperSilent,
    #[error(
        "the block helper speaks version {theirs}, this is version {ours}: restart both after an update"
    )]
    OtherVersion { ours: u16, theirs: u16 },
    #[error("what came over the block helper's socket is none of its messages ({what})")]
    Malformed { what: &'static str },
    #[error("the block helper says: {0}")]
    Helper(String),
    #[error("{0}")]
    Refused(String),
}

impl BlockError {
    pub(crate) fn io(
        what: &'static str,
        path: &Path,
    ) -> impl FnOnce(io::Error) -> BlockError + use<> {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                BlockError::NoSpace { what, path }
            }
            io::ErrorKind::PermissionDenied => BlockError::NotPermitted { what, path },
            _ => BlockError::Io { what, path, source },
        }
    }

    /// Whether it goes away when somebody makes room.
    #[must_use]
    pub fn is_no_space(&self) -> bool {
        matches!(self, BlockError::NoSpace { .. } | BlockError::Log(LogError::NoSpace { .. }))
    }
}
