//! Answers of replicas: of the logs of others that are held here, and of the replicas of our own.
//!
//! [`held`] is one held log with its index, [`logs`] are all of them, and the thread that feeds
//! them; [`joint`] asks several logs as one, by [`marked`] hits. [`answering`] answers what a primary
//! asks of its replica. The other way round, [`fan`] asks the replicas of this host's log, [`turns`]
//! says whose turn it is, and [`merge`] makes one answer of theirs.

pub(crate) mod answering;
pub(crate) mod fan;
mod held;
mod held_index;
pub(crate) mod joint;
pub(crate) mod limits;
mod log_part;
pub(crate) mod logs;
mod marked;
mod merge;
mod turns;

pub use fan::FanError;
pub use held_index::{HeldIndex, held_index};
pub use log_part::{LogKind, LogPart};
pub use merge::Merged;
