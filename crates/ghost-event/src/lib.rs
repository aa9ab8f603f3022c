//! The nouns that every stage speaks, and the one line of JSON that a log is made of.
//!
//! In the order of the data: a [`Features`] record says what was seen of a flow; [`Behaviours`]
//! and [`Party`] say what it looked like; a [`ShapeId`] names its bucketed shape and a [`Vector`]
//! is that shape's place in meaning; a [`Digest`] chains the line that stands in the log.
//!
//! **Invariant:** this crate does no I/O, reads no clock and depends on no other crate of the house.

mod behaviour;
mod digest;
mod features;
pub mod line;
mod party;
mod score;
mod shape;
mod time;

pub use behaviour::Behaviours;
pub use digest::Digest;
pub use features::{
    AppBy, EndReason, Features, Folded, MacAddr, Names, Port, Proto, Side, Stats, Subject, Tcp,
    TcpState, Tunnel, Vlans,
};
pub use party::{Party, Role, Zone};
pub use score::{IncidentName, Reasons, Score, Within};
pub use shape::{Priority, Seq, ShapeId, Tier, VECTOR_DIMENSIONS, Vector};
pub use time::{TIMESTAMP_TEXT_BYTES, Timestamp};
