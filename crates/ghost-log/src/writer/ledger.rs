use ghost_event::{Digest, Priority, Seq, ShapeId};

use super::{Appended, Log};
use crate::elements::{Element, ElementHead};
use crate::error::LogError;
use crate::proof::key::{KeyId, VerifyingKey};
use crate::segments::{Retired, SegmentInfo};

/// A checkpoint that was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Lines of the log that it covers: all of them are durable.
    pub size: u64,
    pub root: Digest,
    /// As `log/checkpoint` holds it.
    pub note: String,
    pub key: KeyId,
}

impl Log {
    /// Makes all lines durable, then signs exactly these; `log/checkpoint` is durable as well.
    pub fn checkpoint(&mut self) -> Result<Signed, LogError> {
        Err(LogError::Unready { what: "signing" })
    }

    /// The same, but only the lines are made durable: whoever asks makes `log/checkpoint` durable by
    /// what he does next, as freezing a btrfs subvolume does.
    pub fn checkpoint_before_freeze(&mut self) -> Result<Signed, LogError> {
        Err(LogError::Unready { what: "signing" })
    }

    /// Lines so far: the size of the head's tree.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.head().seq
    }

    /// The root over all lines so far; `None` where the log's beginning is gone and nothing stands
    /// for it, as after somebody deleted segments by hand.
    #[must_use]
    pub fn root(&self) -> Option<Digest> {
        None
    }

    /// The key that signs; `None` where none could be made yet.
    #[must_use]
    pub fn verifying_key(&self) -> Option<&VerifyingKey> {
        None
    }

    /// Makes a new key of 32 bytes that nobody can guess, and lets the old one name it in the log.
    pub fn rotate_key(&mut self, _seed: [u8; 32]) -> Result<VerifyingKey, LogError> {
        Err(LogError::Unready { what: "keys" })
    }

    /// The sealed segments, oldest first.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentInfo> {
        Vec::new()
    }

    /// Removes the oldest sealed segments of which every line is `upto` or before.
    pub fn retire(&mut self, _upto: Seq) -> Result<Retired, LogError> {
        Err(LogError::Unready { what: "retirement" })
    }

    /// Takes in an event about an element, whose chain it continues.
    pub fn append_element(
        &mut self,
        _prio: Priority,
        _shape: Option<ShapeId>,
        _element: &Element<'_>,
        _body: &[u8],
    ) -> Result<Appended, LogError> {
        Err(LogError::Unready { what: "elements" })
    }

    /// Every element with the newest line of its chain.
    pub fn elements(&self) -> impl Iterator<Item = (&str, &ElementHead)> {
        std::iter::empty()
    }
}
