//! The newest durable line, kept beside the log as a witness.
//!
//! A chain says nothing of its own end: `state/head` does. It is written after each sync and never
//! before, so it never runs ahead of the log; after a power cut it may lag behind. Who can write
//! the log can write the head: against them only a head from outside helps.

use ghost_event::{Digest, Seq};
use ghost_world::File;

/// A line and its leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// 0 where there is no line.
    pub seq: Seq,
    pub leaf: Digest,
}

/// `seq` in 20 digits, `:`, the leaf, newline: always the same length, so that it is overwritten in place.
const BYTES: usize = 20 + 1 + 64 + 1;

impl Head {
    /// Reads `SEQ:LEAF`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Head> {
        let (seq, leaf) = text.trim_end().split_once(':')?;
        if seq.is_empty() || !seq.bytes().all(|c| c.is_ascii_digit()) {
            return None;
        }
        Some(Head { seq: seq.parse().ok()?, leaf: Digest::from_hex(leaf.as_bytes())? })
    }

    pub(crate) fn read(file: &dyn File) -> Option<Head> {
        let mut bytes = [0; BYTES];
        let n = file.read_full_at(&mut bytes, 0).ok()?;
        Head::parse(std::str::from_utf8(&bytes[..n]).ok()?)
    }

    /// Errors are the caller's to pass over: an old head is true as well.
    pub(crate) fn write(&self, file: &dyn File) -> std::io::Result<()> {
        let text = format!("{:020}:{}\n", self.seq, self.leaf);
        file.write_at(text.as_bytes(), 0).map(drop)
    }
}

impl std::fmt::Display for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.seq, self.leaf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_is_printed() {
        let head = Head { seq: 12, leaf: Digest([0xab; 32]) };
        assert_eq!(Head::parse(&head.to_string()), Some(head));
        for bad in ["", "12", ":", "x:00", "12:00", "-1:ab"] {
            assert_eq!(Head::parse(bad), None, "{bad}");
        }
    }
}
