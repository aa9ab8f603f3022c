//! A sliding window over a stream: the bytes a frame needs stand together in it.
//!
//! `need` brings bytes in, `bytes` looks at them, `skip` moves on. The window never grows beyond
//! what its callers ask for, and they ask within `limits`.

use std::io::{ErrorKind, Read};

use crate::error::CaptureError;
use crate::limits::{READ_BYTES, WINDOW_BYTES_MAX};

pub(crate) struct Window {
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Stream position of `buffer[0]`.
    base: u64,
    ended: bool,
    /// Met behind the bytes that were still delivered; told when they are used up.
    failed: Option<std::io::Error>,
}

impl Window {
    pub(crate) fn new(reader: Box<dyn Read + Send>) -> Self {
        Self {
            reader,
            buffer: vec![0; READ_BYTES],
            start: 0,
            end: 0,
            base: 0,
            ended: false,
            failed: None,
        }
    }

    /// Position in the stream of the next byte.
    pub(crate) fn at(&self) -> u64 {
        self.base + self.start as u64
    }

    /// Makes `count` bytes stand together if the stream has them; says how many there are.
    #[inline]
    pub(crate) fn need(&mut self, count: usize) -> Result<usize, CaptureError> {
        let held = self.end - self.start;
        if held >= count { Ok(held) } else { self.fill(count) }
    }

    #[cold]
    fn fill(&mut self, count: usize) -> Result<usize, CaptureError> {
        let count = count.min(WINDOW_BYTES_MAX);
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.base += self.start as u64;
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() < count {
            // Grows with what really arrives, never at once to what a length field claims.
            let grown = count.min(self.buffer.len() * 2);
            self.buffer.resize(grown, 0);
        }
        while self.end < count && !self.ended {
            if self.end == self.buffer.len() {
                let grown = count.min(self.buffer.len() * 2);
                self.buffer.resize(grown, 0);
            }
            let Some(room) = self.buffer.get_mut(self.end..) else { break };
            match self.reader.read(room) {
                Ok(0) => self.ended = true,
                Ok(read) => self.end += read.min(room.len()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.ended = true;
                    self.failed = Some(error);
                }
            }
        }
        if self.end < count
            && let Some(source) = self.failed.take()
        {
            return Err(self.failure(source));
        }
        Ok(self.end)
    }

    fn failure(&self, source: std::io::Error) -> CaptureError {
        let at = self.base + self.end as u64;
        match source.downcast::<crate::unpack::Damaged>() {
            Ok(damaged) => {
                CaptureError::Unpack { kind: damaged.kind, at, problem: damaged.problem }
            }
            Err(source) => CaptureError::Read { at, source },
        }
    }

    /// The bytes that stand together now, from the next one on.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Moves on by up to `count` of the bytes that stand together now.
    #[inline]
    pub(crate) fn skip(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
    }

    /// `count` bytes that `skip` has just passed over.
    #[inline]
    pub(crate) fn passed(&self, back: usize, count: usize) -> &[u8] {
        let from = self.start.saturating_sub(back);
        self.buffer.get(from..from.saturating_add(count)).unwrap_or_default()
    }
}
