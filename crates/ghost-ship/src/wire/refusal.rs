//! Refusals: a code that a program acts on, words for its operator, and both checkpoints where two
//! histories met. Their form is the same in every version.

use ghost_log::proof::note::NOTE_BYTES_MAX;

use super::codec::{Fields, put_text};
use super::{Kind, WireError};
use crate::limits::WORDS_BYTES_MAX;

/// Why the other side was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Code {
    /// Not of the form that is drawn.
    Malformed,
    /// No version in common.
    Version,
    /// A frame that is not known and must not be passed over.
    Unknown,
    /// A frame at a time or from a side where it has no place.
    Unexpected,
    /// Larger than may be.
    Limit,
    /// Another log than the one that is replicated here.
    OtherLog,
    /// An epoch that a higher one has fenced.
    StaleEpoch,
    /// A history that parts from the one accepted before.
    Fork,
    /// A history that is shorter than what was accepted before.
    Shrunk,
    /// Lines do not begin where the last accepted one ends.
    Gap,
    /// A line is not the one that was hashed, or a stream is not what its checkpoint says.
    Altered,
    /// No signature of a known key.
    Unsigned,
    /// A proof is missing or does not hold.
    Proof,
    /// The parent of an increment is not here.
    NoParent,
    /// No room on the disk.
    Full,
    /// Busy, stopping, or paused: try again later.
    Later,
    /// A code of a later version.
    Other(u16),
}

impl Code {
    const ALL: [(Code, u16, &'static str); 16] = [
        (Code::Malformed, 1, "malformed"),
        (Code::Version, 2, "version"),
        (Code::Unknown, 3, "unknown"),
        (Code::Unexpected, 4, "unexpected"),
        (Code::Limit, 5, "limit"),
        (Code::OtherLog, 6, "other_log"),
        (Code::StaleEpoch, 7, "stale_epoch"),
        (Code::Fork, 8, "fork"),
        (Code::Shrunk, 9, "shrunk"),
        (Code::Gap, 10, "gap"),
        (Code::Altered, 11, "altered"),
        (Code::Unsigned, 12, "unsigned"),
        (Code::Proof, 13, "proof"),
        (Code::NoParent, 14, "no_parent"),
        (Code::Full, 15, "full"),
        (Code::Later, 16, "later"),
    ];

    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Code::Other(n) => n,
            code => Code::ALL.iter().find(|(c, ..)| *c == code).map_or(0, |(_, n, _)| *n),
        }
    }

    #[must_use]
    pub fn of(number: u16) -> Code {
        let known = Code::ALL.iter().find(|(_, n, _)| *n == number);
        known.map_or(Code::Other(number), |(code, ..)| *code)
    }

    /// The word for it in logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        Code::ALL.iter().find(|(c, ..)| *c == self).map_or("other", |(_, _, name)| name)
    }

    /// Whether it says that two histories differ, so that a person must choose between them.
    #[must_use]
    pub fn is_of_history(self) -> bool {
        matches!(self, Code::OtherLog | Code::StaleEpoch | Code::Fork | Code::Shrunk)
    }

    /// Whether what was refused was a block or a tail alone, and the connection goes on.
    #[must_use]
    pub fn is_of_one_thing(self) -> bool {
        matches!(self, Code::Gap | Code::NoParent | Code::Full | Code::Later)
    }
}

/// A refusal, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: Code,
    /// What was refused: the number of a frame's kind, 0 for all of the connection.
    pub about: u8,
    /// Untrusted words, at most 1,024 bytes.
    pub words: String,
    /// The checkpoints of both sides, empty where there are none: the refusing side's first.
    pub ours: String,
    pub theirs: String,
}

impl Refusal {
    #[must_use]
    pub fn new(code: Code, words: impl Into<String>) -> Refusal {
        let mut words: String = words.into();
        words.truncate(words.floor_char_boundary(WORDS_BYTES_MAX));
        Refusal { code, about: 0, words, ours: String::new(), theirs: String::new() }
    }

    #[must_use]
    pub fn about(mut self, kind: Kind) -> Refusal {
        self.about = kind as u8;
        self
    }

    /// Whether a block was refused.
    #[must_use]
    pub fn is_of_block(&self) -> bool {
        [Kind::BlockBegin, Kind::BlockChunk, Kind::BlockEnd].iter().any(|k| *k as u8 == self.about)
    }

    #[must_use]
    pub fn with_evidence(mut self, ours: &str, theirs: &str) -> Refusal {
        let kept =
            |note: &str| if note.len() <= NOTE_BYTES_MAX { note.to_owned() } else { String::new() };
        (self.ours, self.theirs) = (kept(ours), kept(theirs));
        self
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.code.number().to_be_bytes());
        out.push(self.about);
        put_text(out, &self.words);
        put_text(out, &self.ours);
        put_text(out, &self.theirs);
    }

    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Refusal, WireError> {
        let (code, about) = (Code::of(fields.u16()?), fields.u8()?);
        let words = fields.text(WORDS_BYTES_MAX)?;
        let (ours, theirs) = (fields.text(NOTE_BYTES_MAX)?, fields.text(NOTE_BYTES_MAX)?);
        Ok(Refusal { code, about, words, ours, theirs })
    }
}

impl From<WireError> for Refusal {
    fn from(error: WireError) -> Refusal {
        Refusal::new(error.code(), error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_a_code_and_every_code_has_its_own_number() {
        for n in 0..=u16::MAX {
            assert_eq!(Code::of(n).number(), n);
        }
        for (code, number, name) in Code::ALL {
            assert_eq!((Code::of(number), code.name()), (code, name));
        }
    }

    #[test]
    fn long_words_are_cut_between_characters() {
        let refusal = Refusal::new(Code::Fork, "ä".repeat(1000));
        assert_eq!(refusal.words.len(), 1024);
        assert_eq!(Refusal::new(Code::Fork, "ä".repeat(1000) + "x").words, refusal.words);
    }
}
