//! Checkpoints: a log's size and root, signed by the log (C2SP tlog-checkpoint) and by those who
//! watched it grow (C2SP tlog-cosignature).
//!
//! A log never signs two checkpoints of which one does not continue the other; whoever holds one
//! can tell whether a log that is shown to him later is the one that he was shown then.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ghost_event::Digest;

use super::key::{SIGNATURE_BYTES, SigningKey, Use, VerifyingKey};
use super::note::{NoteError, NoteSignature, SignedNote};

/// Why a note is no checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    #[error("{0}")]
    Note(#[from] NoteError),
    #[error("a checkpoint begins with three lines that are not empty: origin, size, root")]
    Form,
    #[error("a checkpoint's second line is its size, a number without needless zeros")]
    Size,
    #[error("a checkpoint's third line is its root, 32 bytes in base64")]
    Root,
}

/// What a log says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log it is.
    pub origin: String,
    /// Lines of it.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
    /// Lines that others may have put there; we write none.
    pub extensions: Vec<String>,
}

/// What a key says of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing<T> {
    /// It did not sign.
    Absent,
    /// There is a signature in its name that it did not make.
    Wrong,
    Right(T),
}

impl Checkpoint {
    /// What is signed.
    #[must_use]
    pub fn text(&self) -> String {
        let Checkpoint { origin, size, root, extensions } = self;
        let mut text = format!("{origin}\n{size}\n{}\n", STANDARD.encode(root.0));
        for line in extensions {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// Reads the text of a note.
    pub fn parse(text: &str) -> Result<Checkpoint, CheckpointError> {
        let body = text.strip_suffix('\n').ok_or(CheckpointError::Form)?;
        let mut lines = body.split('\n');
        let mut next = || lines.next().filter(|l| !l.is_empty()).ok_or(CheckpointError::Form);
        let (origin, size, root) = (next()?, next()?, next()?);
        let digits = size.bytes().all(|c| c.is_ascii_digit());
        if !digits || (size.len() > 1 && size.starts_with('0')) {
            return Err(CheckpointError::Size);
        }
        let size = size.parse().map_err(|_| CheckpointError::Size)?;
        let root = hash(root).ok_or(CheckpointError::Root)?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if extensions.iter().any(String::is_empty) {
            return Err(CheckpointError::Form);
        }
        Ok(Checkpoint { origin: origin.to_owned(), size, root, extensions })
    }

    /// The signed note. The origin must have no line break.
    pub fn sign(&self, key: &SigningKey) -> Result<String, NoteError> {
        Ok(SignedNote::sign(self.text(), key)?.to_string())
    }

    /// The line that a witness adds to a note, without its newline: that at `time_s` (since 1970)
    /// this was the largest it had seen of this log, and continued all that it had seen before.
    #[must_use]
    pub fn cosign(&self, key: &SigningKey, time_s: u64) -> String {
        let mut bytes = time_s.to_be_bytes().to_vec();
        bytes.extend_from_slice(&key.sign(&cosigned(&self.text(), time_s)));
        let name = key.verifying_key().name.clone();
        NoteSignature { name, id: key.id(), bytes }.to_string()
    }
}

/// A checkpoint with its signatures, verified or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    pub checkpoint: Checkpoint,
    pub note: SignedNote,
}

impl SignedCheckpoint {
    pub fn parse(bytes: &[u8]) -> Result<SignedCheckpoint, CheckpointError> {
        let note = SignedNote::parse(bytes)?;
        Ok(SignedCheckpoint { checkpoint: Checkpoint::parse(&note.text)?, note })
    }

    /// Whether this key signed it.
    #[must_use]
    pub fn signed_by(&self, key: &VerifyingKey) -> bool {
        self.signing_of(key) == Signing::Right(())
    }

    /// What this key's signature is worth.
    #[must_use]
    pub fn signing_of(&self, key: &VerifyingKey) -> Signing<()> {
        if key.use_ != Use::Notes {
            return Signing::Absent;
        }
        self.of(key, |bytes| key.verify(self.note.text.as_bytes(), bytes).then_some(()))
    }

    /// The time since 1970 in seconds at which this witness had seen it.
    #[must_use]
    pub fn cosigned_by(&self, key: &VerifyingKey) -> Option<u64> {
        match self.cosigning_of(key) {
            Signing::Right(time_s) => Some(time_s),
            Signing::Absent | Signing::Wrong => None,
        }
    }

    /// What this witness's signature is worth.
    #[must_use]
    pub fn cosigning_of(&self, key: &VerifyingKey) -> Signing<u64> {
        if key.use_ != Use::Cosignatures {
            return Signing::Absent;
        }
        self.of(key, |bytes| {
            let (time, signature) = bytes.split_first_chunk::<8>()?;
            let time_s = u64::from_be_bytes(*time);
            let right = signature.len() == SIGNATURE_BYTES
                && i64::try_from(time_s).is_ok()
                && key.verify(&cosigned(&self.note.text, time_s), signature);
            right.then_some(time_s)
        })
    }

    fn of<T>(&self, key: &VerifyingKey, right: impl Fn(&[u8]) -> Option<T>) -> Signing<T> {
        let mut ours = self
            .note
            .signatures
            .iter()
            .filter(|s| s.id == key.id && s.name == key.name)
            .map(|s| right(&s.bytes));
        match ours.next() {
            None => Signing::Absent,
            // One wrong line in a known key's name is enough to distrust the note.
            Some(first) => match (first, ours.all(|s| s.is_some())) {
                (Some(value), true) => Signing::Right(value),
                _ => Signing::Wrong,
            },
        }
    }
}

/// What a witness signs.
fn cosigned(text: &str, time_s: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {time_s}\n{text}").into_bytes()
}

/// 32 bytes in base64.
pub(super) fn hash(text: &str) -> Option<Digest> {
    STANDARD.decode(text).ok()?.try_into().ok().map(Digest)
}
