//! Lines cut out of a stream that comes in pieces of any size.

use ghost_event::line::LINE_BYTES_MAX;

/// Keeps the beginning of a line whose end has not come.
#[derive(Debug, Clone, Default)]
pub(super) struct Cutter(Vec<u8>);

/// A line is longer than lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

impl Cutter {
    /// Whether the stream stands between two lines.
    pub(super) fn is_clean(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives every line that these bytes complete, newline included.
    pub(super) fn push<E: From<TooLong>>(
        &mut self,
        mut bytes: &[u8],
        mut line: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(at) = memchr::memchr(b'\n', bytes) {
            let (end, rest) = bytes.split_at(at + 1);
            if self.0.len() + end.len() > LINE_BYTES_MAX {
                return Err(TooLong.into());
            }
            if self.0.is_empty() {
                line(end)?;
            } else {
                self.0.extend_from_slice(end);
                line(&self.0)?;
                self.0.clear();
            }
            bytes = rest;
        }
        if self.0.len() + bytes.len() > LINE_BYTES_MAX {
            return Err(TooLong.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}
