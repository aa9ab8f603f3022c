//! Frames cut out of a stream that comes in pieces of any size.

use super::frame::{HEAD_BYTES, KIND_OPTIONAL, PACKED};
use super::{Frame, Kind, PREAMBLE_BYTES, Preamble, WireError};
use crate::limits::PAYLOAD_BYTES_MAX;

/// Keeps what has arrived of one frame and no more.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
    /// What of `buffer` has been read.
    start: usize,
    preamble: bool,
    /// Bytes of a frame that is passed over, still to come.
    skip: usize,
    /// Frames passed over.
    skipped: u64,
    /// Bytes taken since the beginning.
    taken: u64,
}

/// What stands next in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Preamble(Preamble),
    Frame(Frame),
}

impl Reader {
    #[must_use]
    pub fn new() -> Reader {
        Reader::default()
    }

    /// Takes in what finds room; the rest must be given again after the next was read.
    #[must_use]
    pub(super) fn push(&mut self, bytes: &[u8]) -> usize {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        let room = (HEAD_BYTES + PAYLOAD_BYTES_MAX).saturating_sub(self.buffer.len());
        let n = bytes.len().min(room);
        self.buffer.extend_from_slice(&bytes[..n]);
        self.taken += n as u64;
        n
    }

    /// Bytes taken so far: what a replica acknowledges as received.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Frames of kinds that are not known and may be passed over.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The next piece, once all of it is there. After an error nothing more is to be read.
    pub(super) fn next(&mut self) -> Result<Option<Piece>, WireError> {
        if !self.preamble {
            let waiting = self.buffer.get(self.start..).unwrap_or_default();
            let preamble = Preamble::read(waiting)?;
            if preamble.is_some() {
                self.preamble = true;
                self.start += PREAMBLE_BYTES;
            }
            return Ok(preamble.map(Piece::Preamble));
        }
        loop {
            let waiting = self.buffer.get(self.start..).unwrap_or_default();
            if self.skip > 0 {
                let n = self.skip.min(waiting.len());
                self.skip -= n;
                self.start += n;
                if self.skip > 0 {
                    return Ok(None);
                }
                continue;
            }
            let Some((head, rest)) = waiting.split_first_chunk::<HEAD_BYTES>() else {
                return Ok(None);
            };
            let [number, flags, z0, z1, length @ ..] = *head;
            let length = u32::from_be_bytes(length);
            let bytes = length as usize;
            let Some(kind) = Kind::of(number) else {
                if number < KIND_OPTIONAL {
                    return Err(WireError::Kind { kind: number });
                }
                check_length(number, bytes, PAYLOAD_BYTES_MAX)?;
                self.start += HEAD_BYTES;
                self.skip = bytes;
                self.skipped += 1;
                continue;
            };
            let packed = flags == PACKED;
            if (flags | z0 | z1) != 0 && !(packed && kind.is_packable() && z0 | z1 == 0) {
                return Err(WireError::Form { kind: number, what: "flags that have no meaning" });
            }
            // What is packed is smaller than what it was.
            check_length(number, bytes, kind.bytes_max())?;
            let Some(payload) = rest.get(..bytes) else { return Ok(None) };
            let frame = Frame::read(kind, packed, payload)?;
            self.start += HEAD_BYTES + bytes;
            return Ok(Some(Piece::Frame(frame)));
        }
    }
}

fn check_length(kind: u8, bytes: usize, max: usize) -> Result<(), WireError> {
    if bytes <= max {
        return Ok(());
    }
    Err(WireError::TooLong { kind, bytes: bytes as u64, max: max as u64 })
}
