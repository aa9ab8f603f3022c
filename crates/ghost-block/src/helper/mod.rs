//! The block helper: the one process that keeps CAP_SYS_ADMIN, for what btrfs asks it for.
//!
//! Its end is [`serve`], the other [`RemoteVolume`]; between them stands one SOCK_SEQPACKET Unix
//! socket with fixed verbs: delete, look at what is used, send, receive. Freezing is none of them, since
//! whoever owns the log may do that without a capability.
//!
//! **Invariant:** a request names verbs and blocks, never a path: the data folder is fixed, by an
//! open descriptor, when the helper starts, and nothing outside of it is reached.

mod client;
mod message;
mod received;
mod receiver;
mod serve;
mod socket;

pub use client::RemoteVolume;
pub use received::{Receives, ReceivesNothing};
pub use receiver::RemoteReceiver;
pub use serve::serve;
