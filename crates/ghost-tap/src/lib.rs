//! Frames in: capture files told by content, streamed in bounded memory.
//!
//! [`CaptureFile`] reads pcap and pcapng, and gzip or zstd around either, from anything that
//! reads: a file, a pipe, standard input. The name of a file plays no part. Every frame before a
//! damaged place is handed out; the damage itself is one [`CaptureError`] that says what is wrong,
//! at which byte and packet, and what to do about it.
//!
//! What it does not do: it never seeks, repairs, or guesses its way behind damage, and it does not
//! look into frames.
//!
//! **Invariant:** memory stays below [`limits::WINDOW_BYTES_MAX`] and the decompressors' windows,
//! whatever lengths a file claims; nothing here panics on any input.

mod capture;
mod error;
mod gzip;
pub mod limits;
pub mod live;
mod pcap;
mod pcapng;
mod unpack;
mod window;

pub use capture::{CaptureFile, Frame};
pub use error::CaptureError;
