//! A client of Open vSwitch's database (OVSDB, RFC 7047) over its Unix socket.
//!
//! [`Client`] transacts and monitors; [`Tables`] is the replica that a monitor keeps: typed rows,
//! changed by each [`Update`]. It answers the server's `echo` by itself and never blocks longer
//! than it was told to. It knows nothing of bridges: what rows mean is the caller's affair.
//!
//! **Invariant:** what the server sends is bounded in size, and never makes this code panic.

mod client;
mod frame;
mod table;
mod value;

pub use client::{Client, OvsdbError, Watch};
pub use table::{Row, Tables, Update};
pub use value::{Atom, Datum, Uuid};
