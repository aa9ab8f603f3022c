//! The wire: versioned frames of one connection that is kept open.
//!
//! In the order of a connection: a [`Preamble`] says which versions each side speaks; frames follow
//! ([`Frame`]), the first of each side a [`Hello`]; a [`Reader`] cuts them out of the stream and a
//! [`Session`] says which side may say what when. Drawn to the byte in docs/format-wire.md.
//!
//! Promised: bytes that are not what is drawn are refused with a code before more than one frame's
//! bound was kept of them, and nothing is unpacked beyond what it declared. Not promised: that what
//! a frame says is true; that is [`crate::accept`]'s to judge.
//!
//! **Invariant:** checked once at the door: a frame that was read has every field within its limits.

mod codec;
mod compress;
mod error;
mod frame;
mod hello;
mod lines;
mod preamble;
mod reader;
mod refusal;
mod session;

pub use compress::Level;
pub use error::WireError;
pub use frame::{BlockBegin, Form, Frame, Growth, Health, Kind, Place, Start};
pub use hello::{BlockTold, Hello, Limits, LogId, Role};
pub use lines::Lines;
pub use preamble::{PREAMBLE_BYTES, Preamble, VERSION, VERSION_OLDEST};
pub use reader::Reader;
pub use refusal::{Code, Refusal};
pub use session::{Incoming, Session};
