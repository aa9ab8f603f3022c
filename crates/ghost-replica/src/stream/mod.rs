//! A btrfs send stream, looked through while it passes: what a block can have and nothing else.
//!
//! The stream comes from another machine, and a process with a capability obeys it. So nothing of it
//! is passed on before the command it stands in was read whole, found intact (CRC-32C), and allowed:
//! files and folders that a log has, written within bounds. Owners, attributes and rights that a
//! block does not need are left out; the subvolume gets the name that we give it.
//!
//! ```text
//! "btrfs-stream\0" | version u32 | commands
//! command: length u32 | kind u16 | crc u32 | attributes      attribute: kind u16 | length u16 | bytes
//! ```
//! Everything is little-endian; in version 2 the attribute of data has no length and goes to the
//! command's end.
//!
//! **Invariant:** no more than one command is kept in memory, and none is longer than its bound.

mod command;
mod paths;
#[cfg(test)]
mod tests;
mod touched;
mod vet;

pub(crate) use touched::Touched;
pub(crate) use vet::{Expected, Vetter};

/// Why a stream is not passed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StreamError {
    #[error("it is no btrfs stream of version 1 or 2")]
    Header,
    #[error("a command has {bytes} bytes, and may have {max}")]
    TooLong { bytes: u64, max: u64 },
    #[error("the command at byte {at} is damaged: {what}")]
    Damaged { at: u64, what: &'static str },
    #[error("the command of kind {kind} at byte {at} has no place in a block: {what}")]
    Refused { at: u64, kind: u16, what: &'static str },
    #[error("it names a path that a block has not")]
    Path { at: u64 },
    #[error("it would become larger than it may")]
    Bounds { at: u64 },
    #[error("it builds on another subvolume than the parent that it names")]
    Parent,
}
