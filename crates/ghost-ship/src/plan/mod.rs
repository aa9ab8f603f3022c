//! The plan: what goes next to which replica.
//!
//! One pure function, [`next`], of what waits ([`Waiting`]), what is sealed, what a replica has
//! ([`Replica`]) and the time. The caller does what it says and tells the replica's state what came
//! of it; daemon and simulator run the very same. In the order of a thought: is the replica worth
//! asking ([`health`](Replica::health), [`backoff`]), what is pressing ([`Strategy`]), from where on
//! ([`common`]), how much at once ([`Bandwidth`], [`Bucket`], [`Quiet`]), how hard to pack
//! ([`level`]), as what ([`form`]); and which snapshots the primary must keep for it ([`keep`]).
//!
//! **Invariant:** no line that is not durable is ever planned; a block is only planned from a block
//! that both sides have, or from nothing.

mod backoff;
mod bandwidth;
mod bucket;
mod common;
mod deadline;
mod form;
mod health;
mod keep;
mod level;
mod next;
mod quiet;
mod replica;
mod waiting;

pub use backoff::backoff;
pub use bandwidth::Bandwidth;
pub use bucket::Bucket;
pub use common::common;
pub use deadline::{Strategy, deadline_ns};
pub use form::form;
pub use health::Verdict;
pub use keep::{Held, Kept, keep};
pub use level::level;
pub use next::{Action, Decision, Primary, Why, next};
pub use quiet::Quiet;
pub use replica::{Link, Replica, Sending, Settings};
pub use waiting::{Pending, Waiting};

use ghost_event::Digest;

/// A sealed block, as far as the plan needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    pub number: u64,
    /// Lines of the log in it.
    pub size: u64,
    pub root: Digest,
}

/// What time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Since boot: everything is measured by it.
    pub ns: u64,
    /// Of the local day, 0 to 1439: quiet hours alone go by it.
    pub minute: u16,
}
