//! What is ours on this machine, found and removed.

use std::path::PathBuf;

use super::{Direction, TapError};

/// Where links and maps of ghost-fast outlive the daemon.
pub(super) const BPFFS: &str = "/sys/fs/bpf";

/// One thing of ours that was found on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trace {
    /// A program of ours at an interface (0: the interface is gone).
    Link { id: u32, ifindex: u32, direction: Direction, program: String },
    /// A file or folder in bpffs that holds links or maps of ours.
    Pin { path: PathBuf },
}

/// Everything of ours on this machine: pins, and programs attached to interfaces. To look at the
/// kernel's links takes CAP_SYS_ADMIN (root).
pub fn traces() -> Result<Vec<Trace>, TapError> {
    Err(TapError::Unfinished)
}

/// Removes everything that [`traces`] finds, goes on where one thing fails, and tells what was
/// removed. Run by root, it needs no helper.
pub fn detach_all() -> Result<Vec<Trace>, TapError> {
    Err(TapError::Unfinished)
}

/// Sees to it that bpffs is mounted at `/sys/fs/bpf`, as systemd does at boot; the helper calls it
/// before it drops CAP_SYS_ADMIN. Only ghost-fast and inline's fail-open need it.
pub fn ensure_bpffs() -> Result<(), TapError> {
    Err(TapError::Unfinished)
}
