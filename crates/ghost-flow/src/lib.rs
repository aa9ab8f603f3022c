//! Headers to features: the bounded flow table; time is an argument.
//!
//! Every packet that [`ghost_wire::parse`] read goes into one [`FlowTable`], which counts it to
//! exactly one record: the bidirectional flow of its outermost IP header, the link record of its
//! ethertype and sender where it has no IP header, or the counter of what could not be read at
//! all. A [`FlowSink`] hears of each record when it starts, when its messages tell something, and
//! once when it ends, as [`ghost_event::Features`].
//!
//! **Invariant:** nothing here reads a clock, a file or a random number: the same packets and the
//! same [`FlowConfig`] give the same records in the same order.
//!
//! **Invariant:** memory is bounded by [`FlowConfig`]: flows, names, waiting fragments, datagrams
//! put together and inner flows each have a maximum, and what finds no room is counted.

mod at;
mod community;
mod config;
mod datagram;
mod flood;
mod fragment;
mod inner;
mod key;
mod lists;
mod live;
mod names;
mod segments;
mod table;
mod tcp;

pub use at::{FrameAt, Seen};
pub use community::community_id_text;
pub use config::{FlowConfig, limits};
pub use table::{Counters, FlowSink, FlowTable};
