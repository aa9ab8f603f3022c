//! Blocks to replicas: the plan, the wire, the lanes.
//!
//! In the order of a line's way: [`plan`] says what goes next to which replica, [`wire`] puts it
//! into frames of one connection that is kept open, and [`accept`] is what the replica believes of
//! what arrives, acknowledges and cosigns. Two lanes share the connection: the *tail* carries raw
//! lines up to the newest pressing event, the *block lane* carries sealed blocks, which the tail
//! only runs ahead of.
//!
//! Promised: what a replica acknowledged continues everything that it acknowledged before, and a
//! line that is pressing is planned before its deadline wherever the link can carry it. Not
//! promised: that a tail is more than the word of whoever holds the connection, until a signed
//! checkpoint covers it.
//!
//! **Invariant:** nothing here opens a file, a socket or a clock: bytes, times and random numbers
//! are arguments.

pub mod accept;
mod limits;
pub mod plan;
pub mod wire;

pub use limits::{
    ANSWER_BYTES_MAX, DEAD_NS, QUESTION_BYTES_MAX, QUESTIONS_MAX, SILENCE_NS_MAX, SNAPSHOTS_MAX,
    TAIL_BYTES_MAX, TAIL_BYTES_WANTED,
};
