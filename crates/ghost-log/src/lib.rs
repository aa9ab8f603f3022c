//! Events to events.jsonl: the hash chain, segments, durability, recovery, verification.
//!
//! In the order of a line's life: [`Log`] appends it and makes it durable; [`LogReader`] finds it
//! again; [`verify`] proves that it still stands where it was written; [`proof`] is the arithmetic
//! of that. The format is drawn in `docs/format.md`.
//!
//! Beside the chain, [`Log`] keeps the Merkle tree of the lines ([`TreeReader`] reads it), signs
//! checkpoints of it, chains the events of each element, and retires the oldest segments.
//!
//! Promised: what [`Log::sync`] answered `Ok` for is there after a power cut, only such lines are
//! signed, every segment states the shapes and element heads it uses, and a line once durable is
//! never rewritten. Not promised: that nobody with the rights of the writer replaced the whole log;
//! for that, an expected head or a witnessed checkpoint must come from outside.
//!
//! **Invariant:** one writer a log, held by a lock; readers take none.

mod edge;
mod element_chain;
mod elements;
mod epoch;
mod error;
mod head;
mod imports;
mod keys;
mod layout;
mod limits;
pub mod proof;
mod prove;
mod put;
mod reader;
mod recover;
mod scan;
mod segments;
mod stats;
mod tiles;
mod tree_reader;
mod verify;
mod writer;

pub use element_chain::{
    ElementDamage, ElementEvent, ElementVerdict, element_history, verify_element,
};
pub use elements::{Element, ElementHead};
pub use error::LogError;
pub use head::Head;
pub use imports::{ImportRecord, Imports};
pub use keys::KeyFound;
pub use layout::Layout;
pub use limits::{ELEMENT_ID_BYTES_MAX, ELEMENT_KIND_BYTES_MAX, ELEMENTS_MAX, LogConfig};
pub use prove::{
    Continued, ProveError, Tiled, continued, newest as newest_checkpoint,
    of_block as checkpoint_of_block, prove, write_tiles,
};
pub use reader::{Line, Lines, LogReader, Position, is_event_of_import};
pub use recover::{CheckpointFound, Cut, Recovery};
pub use segments::{Retired, SegmentInfo};
pub use stats::{LogStats, stats, stats_on};
pub use tree_reader::TreeReader;
pub use verify::{
    Against, Authority, Claimant, Damage, DamageKind, Finding, Proven, SignedTo, Unproven, Verdict,
    VerifyOptions, Witnessed, verify, verify_at, verify_on,
};
pub use writer::{Appended, Log, Signed};
