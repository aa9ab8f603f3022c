//! The attach helper: the one process that may load, attach and detach.
//!
//! The engine's end is [`Helper`], the other [`serve`]; between them stands one SOCK_SEQPACKET
//! Unix socket with fixed verbs. What the helper holds and has not pinned is gone when the
//! connection closes, however the engine ends.

mod client;

pub use client::Helper;

use std::os::fd::OwnedFd;

use super::TapError;

/// Serves one engine on a connected SOCK_SEQPACKET socket until it hangs up. Needs CAP_BPF and
/// CAP_NET_ADMIN.
pub fn serve(_socket: OwnedFd) -> Result<(), TapError> {
    Err(TapError::Unfinished)
}
