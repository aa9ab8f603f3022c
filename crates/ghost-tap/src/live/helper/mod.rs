//! The attach helper: the one process that may load, attach and detach.
//!
//! The engine's end is [`Helper`], the other [`serve`]; between them stands one SOCK_SEQPACKET
//! Unix socket with fixed verbs. What the helper holds and has not pinned is gone when the
//! connection closes, however the engine ends.
//!
//! **Invariant:** a request names interfaces and sizes, never code, a path or a map.

mod client;
mod load;
mod message;
pub(super) mod pins;
mod raise;
mod serve;
mod socket;

pub use client::Helper;
pub(super) use load::PROGRAMS;
pub use raise::MIRROR_PREFIX;
pub use serve::serve;
