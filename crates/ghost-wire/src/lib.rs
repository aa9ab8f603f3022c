//! Octets to headers, applications and names.
//!
//! [`parse`] reads one frame to its outermost IP header and transport, and to inner headers as
//! fields of the outer ones. A [`Dissector`] follows one flow's payloads until it knows the
//! application and has told its names to a [`Sink`].
//!
//! **Invariant:** this crate does no I/O, reads no clock, has no unsafe code, and does not panic on
//! any input. It allocates nothing for a packet that brings no new name.

mod app;
mod dissector;
mod field;
pub mod filter;
mod ip;
mod link;
mod names;
mod packet;
mod parse;
mod signature;
mod transport;
mod tunnel;
mod watch;

pub use app::App;
pub use dissector::{Dissector, Segment, Verdict};
pub use field::{Field, LearnedFrom, Sink, fields};
pub use packet::{Arp, Direction, Fragment, Inner, Ip, LinkType, Packet, Transport};
pub use parse::parse;
