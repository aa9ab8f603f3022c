//! Why something could not be done with a log that is held here.

use std::io;
use std::path::{Path, PathBuf};

use ghost_block::BlockError;
use ghost_log::LogError;

/// Each says what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplicaError {
    #[error("can't {what} {path}: {source}", path = path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    /// What stands in a file of ours is not what was put there.
    #[error("{path} is damaged: {what}", path = path.display())]
    Damaged { path: PathBuf, what: String },
    #[error(
        "{held} logs are held here already: remove one, or raise no limit but use another host"
    )]
    TooMany { held: usize },
    #[error(transparent)]
    Block(#[from] BlockError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("{0}")]
    Refused(String),
}

impl ReplicaError {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ReplicaError {
        let path = path.to_owned();
        move |source| ReplicaError::Io { what, path, source }
    }
}
