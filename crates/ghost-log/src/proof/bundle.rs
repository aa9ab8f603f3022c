//! A proof that stands alone: one line, and that a signed checkpoint includes it (C2SP tlog-proof).
//!
//! The raw line travels in `extra`, which nobody signed: it is believed only because its own leaf
//! leads to the signed root.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ghost_event::Digest;
use ghost_event::line::LINE_BYTES_MAX;

use super::checkpoint::{CheckpointError, SignedCheckpoint, hash};
use super::note::NOTE_BYTES_MAX;
use super::{ProofError, check_inclusion, leaf};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// A tree of 2^64 leaves is no higher.
const HASHES_MAX: usize = 64;

/// A line in base64, the hashes, the checkpoint.
pub const PROOF_BYTES_MAX: usize = LINE_BYTES_MAX.div_ceil(3) * 4 + NOTE_BYTES_MAX + 8192;

/// Why bytes are no proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    #[error("a proof has at most {PROOF_BYTES_MAX} bytes, and this has {bytes}")]
    TooLong { bytes: usize },
    #[error("this is no proof: its first line is not {FIRST_LINE}")]
    NoProof,
    #[error("line {line} of the proof is not what should stand there: {expected}")]
    Line { line: usize, expected: &'static str },
    #[error("the checkpoint in the proof: {0}")]
    Checkpoint(#[from] CheckpointError),
}

/// An inclusion proof with all that is needed to check it but the log's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Not authenticated; we put the raw line here, newline included.
    pub extra: Option<Vec<u8>>,
    /// Of the leaf, from 0: line `index + 1`.
    pub index: u64,
    pub path: Vec<Digest>,
    pub checkpoint: SignedCheckpoint,
}

impl Bundle {
    pub fn parse(bytes: &[u8]) -> Result<Bundle, BundleError> {
        if bytes.len() > PROOF_BYTES_MAX {
            return Err(BundleError::TooLong { bytes: bytes.len() });
        }
        let at = memchr::memmem::find(bytes, b"\n\n");
        let (head, note) = bytes.split_at(at.ok_or(BundleError::NoProof)?);
        let head = std::str::from_utf8(head).map_err(|_| BundleError::NoProof)?;
        let mut lines = head.split('\n').enumerate().map(|(i, line)| (i + 1, line)).peekable();
        if lines.next().is_none_or(|(_, line)| line != FIRST_LINE) {
            return Err(BundleError::NoProof);
        }
        let extra = match lines.next_if(|(_, line)| line.starts_with("extra ")) {
            None => None,
            Some((line, text)) => {
                let expected = "extra and base64";
                let bytes = STANDARD.decode(&text["extra ".len()..]);
                Some(bytes.map_err(|_| BundleError::Line { line, expected })?)
            }
        };
        let expected = "index and a number without needless zeros";
        let (line, text) = lines.next().ok_or(BundleError::Line { line: 2, expected })?;
        let index = text.strip_prefix("index ").and_then(number);
        let index = index.ok_or(BundleError::Line { line, expected })?;
        let mut path = Vec::new();
        for (line, text) in lines {
            let hash = hash(text).filter(|_| path.len() < HASHES_MAX);
            let expected = "one of at most 64 hashes, 32 bytes in base64";
            path.push(hash.ok_or(BundleError::Line { line, expected })?);
        }
        let checkpoint = SignedCheckpoint::parse(&note[2..])?;
        Ok(Bundle { extra, index, path, checkpoint })
    }

    /// Whether this is the line of which the checkpoint speaks. Who signed that is another question
    /// ([`SignedCheckpoint::signed_by`]).
    pub fn includes(&self, line: &[u8]) -> Result<(), ProofError> {
        let told = &self.checkpoint.checkpoint;
        check_inclusion(self.index, told.size, &leaf(line), &self.path, &told.root)
    }
}

fn number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|c| c.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

impl fmt::Display for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", STANDARD.encode(hash.0))?;
        }
        write!(f, "\n{}", self.checkpoint.note)
    }
}
