//! Who turns a btrfs stream into a subvolume: a process with the capability for it.

use std::fmt::Debug;
use std::io;
use std::os::fd::OwnedFd;

use ghost_ship::wire::{Form, LogId};

/// Why a stream became no subvolume.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    #[error("no room on the disk")]
    NoSpace,
    /// What the stream builds on is not here, or not as it was.
    #[error("the parent is not here")]
    NoParent,
    /// No btrfs, no helper, no capability: blocks come as lines then.
    #[error("this host takes no btrfs streams: {0}")]
    Unable(String),
    #[error("btrfs receive failed: {0}")]
    Failed(String),
    #[error("can't reach what receives: {0}")]
    Io(#[from] io::Error),
}

/// Receives streams into `replicas/<log>/blocks/`, and deletes there. It is told numbers, never paths.
pub trait ReceiveStream: Debug + Send + Sync {
    /// What blocks may come as, best first; [`Form::Lines`] needs nobody and is always taken.
    fn forms(&self) -> Vec<Form>;

    /// Receives one stream as `incoming-<number>`, and returns when it lies there or does not. The
    /// stream was vetted: it makes that subvolume and nothing else.
    ///
    /// # Errors
    /// It does not lie there as the stream's end would leave it.
    fn receive(&self, log: LogId, number: u64, stream: OwnedFd) -> Result<(), ReceiveError>;

    /// Deletes a block, or an `incoming-<number>`, of that log: a subvolume or a plain folder.
    ///
    /// # Errors
    /// It is still there.
    fn delete(&self, log: LogId, name: &str) -> Result<(), ReceiveError>;
}

/// Nobody: every block comes as lines.
#[derive(Debug, Clone, Copy, Default)]
pub struct LinesOnly;

impl ReceiveStream for LinesOnly {
    fn forms(&self) -> Vec<Form> {
        Vec::new()
    }

    fn receive(&self, _: LogId, _: u64, _: OwnedFd) -> Result<(), ReceiveError> {
        Err(ReceiveError::Unable("this process was given nothing that receives".to_owned()))
    }

    fn delete(&self, _: LogId, name: &str) -> Result<(), ReceiveError> {
        let what = format!("deleting the subvolume {name} takes the block helper");
        Err(ReceiveError::Unable(what))
    }
}
