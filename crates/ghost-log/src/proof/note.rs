//! Notes: a text, and who signed it (C2SP signed-note).
//!
//! Parsing says that a note is well formed, not that anybody signed it: what stands in `text` is to
//! be passed over until a key that is known answered for it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::key::{KeyId, SigningKey, is_name};

/// Longer notes are refused. Sixteen signatures must be accepted, and one after a quantum computer
/// may have 5 kB.
pub const NOTE_BYTES_MAX: usize = 256 << 10;

pub const SIGNATURES_MAX: usize = 100;

/// Why bytes are no note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    #[error("a note has at most {NOTE_BYTES_MAX} bytes, and this has {bytes}")]
    TooLong { bytes: usize },
    #[error("a note is UTF-8 without control characters")]
    NotText,
    #[error("a note has a text, an empty line and at least one signature line")]
    Form,
    #[error("signature line {line} is not `— <name> <base64>`")]
    Signature { line: usize },
    #[error("a note has at most {SIGNATURES_MAX} signatures")]
    TooMany,
}

/// One line of signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    pub name: String,
    pub id: KeyId,
    /// What follows the key id.
    pub bytes: Vec<u8>,
}

/// A text with its signatures, verified or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    /// With its last newline: exactly what is signed.
    pub text: String,
    pub signatures: Vec<NoteSignature>,
}

impl SignedNote {
    /// Signs a text, which must end with a newline and hold no other control character.
    pub fn sign(text: String, key: &SigningKey) -> Result<SignedNote, NoteError> {
        check_text(&text)?;
        if !text.ends_with('\n') {
            return Err(NoteError::Form);
        }
        let signature = NoteSignature {
            name: key.verifying_key().name.clone(),
            id: key.id(),
            bytes: key.sign(text.as_bytes()).to_vec(),
        };
        Ok(SignedNote { text, signatures: vec![signature] })
    }

    pub fn parse(bytes: &[u8]) -> Result<SignedNote, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong { bytes: bytes.len() });
        }
        let all = std::str::from_utf8(bytes).map_err(|_| NoteError::NotText)?;
        check_text(all)?;
        let at = all.rfind("\n\n").ok_or(NoteError::Form)?;
        let (text, signed) = (&all[..=at], &all[at + 2..]);
        let lines = signed.strip_suffix('\n').ok_or(NoteError::Form)?;
        let mut signatures = Vec::new();
        for (i, line) in lines.split('\n').enumerate() {
            if i == SIGNATURES_MAX {
                return Err(NoteError::TooMany);
            }
            let signature = NoteSignature::parse(line);
            signatures.push(signature.ok_or(NoteError::Signature { line: i + 1 })?);
        }
        Ok(SignedNote { text: text.to_owned(), signatures })
    }
}

fn check_text(text: &str) -> Result<(), NoteError> {
    let bad = text.bytes().any(|c| c < b' ' && c != b'\n');
    if bad { Err(NoteError::NotText) } else { Ok(()) }
}

impl NoteSignature {
    /// Reads a signature line without its newline.
    #[must_use]
    pub fn parse(line: &str) -> Option<NoteSignature> {
        let (name, text) = line.strip_prefix("— ")?.split_once(' ')?;
        let bytes = STANDARD.decode(text).ok()?;
        let (id, rest) = bytes.split_first_chunk::<4>()?;
        (is_name(name) && !rest.is_empty()).then(|| NoteSignature {
            name: name.to_owned(),
            id: KeyId(u32::from_be_bytes(*id)),
            bytes: rest.to_vec(),
        })
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.id.0.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.bytes);
        write!(f, "— {} {}", self.name, STANDARD.encode(bytes))
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}
