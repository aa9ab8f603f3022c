//! Events to events.jsonl: the hash chain, segments, durability, recovery, verification.
//!
//! In the order of a line's life: [`Log`] appends it and makes it durable; [`LogReader`] finds it
//! again; [`verify`] proves that it still stands where it was written; [`proof`] is the arithmetic
//! of that. The format is drawn in `docs/format.md`.
//!
//! Promised: what [`Log::sync`] answered `Ok` for is there after a power cut, every segment states
//! the shapes it uses, and a line once durable is never rewritten. Not promised: that nobody with
//! the rights of the writer replaced the whole log; for that, an expected head must come from
//! outside.
//!
//! **Invariant:** one writer a log, held by a lock; readers take none.

mod elements;
mod error;
mod head;
mod imports;
mod layout;
mod limits;
pub mod proof;
mod reader;
mod recover;
mod scan;
mod segments;
mod stats;
mod tree_reader;
mod verify;
mod writer;

pub use elements::{Element, ElementHead};
pub use error::LogError;
pub use head::Head;
pub use imports::{ImportRecord, Imports};
pub use layout::Layout;
pub use limits::LogConfig;
pub use reader::{Line, Lines, LogReader, Position, is_event_of_import};
pub use recover::{Cut, Recovery};
pub use segments::{Retired, SegmentInfo};
pub use stats::{LogStats, stats, stats_on};
pub use tree_reader::TreeReader;
pub use verify::{
    Against, Authority, Claimant, Damage, DamageKind, Finding, Proven, SignedTo, Unproven, Verdict,
    VerifyOptions, Witnessed, verify, verify_at, verify_on,
};
pub use writer::{Appended, Log, Signed};
