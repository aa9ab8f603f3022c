//! What the control plane says, as records: who said it, when, how grave, about which element.
//!
//! In the order of the data: [`record`] reads lines of logs as daemons and journals write them;
//! [`element`] finds the interface, bridge, port, unit or connection that a message is about and
//! what became of it; [`words`] leaves of a message what it means and no name, address or number,
//! so that messages that say the same have the same words.
//!
//! Promised: no input panics, and what is not understood is handed on as it stands, and counted.
//! Not promised: that a message is true.
//!
//! **Invariant:** no I/O, no clock: now is an argument.

pub mod element;
mod limits;
pub mod record;
pub mod words;

pub use limits::MESSAGE_BYTES_MAX;
