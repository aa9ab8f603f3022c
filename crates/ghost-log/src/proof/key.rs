//! Keys: who signs checkpoints, who cosigns them, and who may follow whom.
//!
//! Written as the C2SP signed-note tools write them: `<name>+<key id>+<base64>` for what may be
//! told, `PRIVATE+KEY+…` for what may not. Ed25519 (RFC 8032) alone, for two uses that the key id
//! tells apart: signatures of notes (0x01) and time-stamped cosignatures (0x04, C2SP
//! tlog-cosignature). Not promised: that a name belongs to anybody; it says what the key's holder
//! wrote.
//!
//! **Invariant:** a private key is printed by [`SigningKey::secret`] alone.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer as _;
use sha2::{Digest as _, Sha256};

/// Names longer than this are refused: they stand in every signature line.
pub const NAME_BYTES_MAX: usize = 255;

const KEY_BYTES: usize = 32;

pub const SIGNATURE_BYTES: usize = 64;

/// The beginning of the SHA-256 of a key with its name and use: an identifier, not a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct KeyId(pub u32);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl KeyId {
    /// Reads 8 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<KeyId> {
        let digits = text.len() == 8
            && text.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c));
        digits.then(|| u32::from_str_radix(text, 16).ok()).flatten().map(KeyId)
    }
}

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Use {
    /// Notes: a log's own checkpoints.
    Notes,
    /// Checkpoints of others, with the time at which they were seen.
    Cosignatures,
}

impl Use {
    fn byte(self) -> u8 {
        match self {
            Use::Notes => 1,
            Use::Cosignatures => 4,
        }
    }
}

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    #[error("expected <name>+<8 hexadecimal digits>+<base64>, as `ghostbridge key show` prints it")]
    Form,
    #[error("expected PRIVATE+KEY+<name>+<8 hexadecimal digits>+<base64>")]
    SecretForm,
    #[error("a key's name must not be empty, longer than 255 bytes, or have spaces or a plus")]
    Name,
    #[error(
        "the key is of a kind that is not understood ({0:#04x}); Ed25519 for notes is 0x01, for cosignatures 0x04"
    )]
    Kind(u8),
    #[error("the digits do not belong to this name and key: a part of it was changed or left out")]
    Id,
    #[error("these are not the bytes of a public key")]
    Bytes,
}

/// Whether a name may stand in a signature line: any text without spaces and plus signs.
#[must_use]
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c == '+')
}

/// Whether it may be the name of a key that we make or trust.
fn is_key_name(name: &str) -> bool {
    is_name(name) && name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control)
}

/// A key that verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    pub name: String,
    pub id: KeyId,
    pub use_: Use,
    key: ed25519_dalek::VerifyingKey,
}

impl VerifyingKey {
    fn new(name: &str, use_: Use, key: ed25519_dalek::VerifyingKey) -> VerifyingKey {
        let mut hash = Sha256::new();
        hash.update(name);
        hash.update([b'\n', use_.byte()]);
        hash.update(key.as_bytes());
        let hash: [u8; 32] = hash.finalize().into();
        let id = KeyId(u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]));
        VerifyingKey { name: name.to_owned(), id, use_, key }
    }

    /// Reads `<name>+<key id>+<base64>`.
    pub fn parse(text: &str) -> Result<VerifyingKey, KeyError> {
        let mut parts = text.trim_end_matches('\n').splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Form);
        };
        if !is_key_name(name) {
            return Err(KeyError::Name);
        }
        let id = KeyId::parse(id).ok_or(KeyError::Form)?;
        let (use_, bytes) = material(key, KeyError::Form)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::Bytes)?;
        if key.is_weak() {
            return Err(KeyError::Bytes);
        }
        let key = VerifyingKey::new(name, use_, key);
        if key.id == id { Ok(key) } else { Err(KeyError::Id) }
    }

    /// Whether this key signed exactly these bytes.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let Ok(bytes) = <[u8; SIGNATURE_BYTES]>::try_from(signature) else { return false };
        self.key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(&bytes)).is_ok()
    }

    /// Whether this key named `next` as the one that follows it in the log of that origin.
    #[must_use]
    pub fn has_named(&self, origin: &str, next: &VerifyingKey, signature: &[u8]) -> bool {
        self.verify(&successor(origin, next), signature)
    }

    #[must_use]
    pub fn public_bytes(&self) -> [u8; KEY_BYTES] {
        self.key.to_bytes()
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![self.use_.byte()];
        bytes.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{}+{}", self.name, self.id, STANDARD.encode(bytes))
    }
}

/// A key that signs.
#[derive(Clone)]
pub struct SigningKey {
    key: ed25519_dalek::SigningKey,
    verifying: VerifyingKey,
}

impl SigningKey {
    /// The key of a log, made of 32 bytes that nobody can guess.
    pub fn new(name: &str, seed: [u8; KEY_BYTES]) -> Result<SigningKey, KeyError> {
        SigningKey::of_use(name, Use::Notes, &seed)
    }

    /// The key of a witness.
    pub fn cosigner(name: &str, seed: [u8; KEY_BYTES]) -> Result<SigningKey, KeyError> {
        SigningKey::of_use(name, Use::Cosignatures, &seed)
    }

    fn of_use(name: &str, use_: Use, seed: &[u8; KEY_BYTES]) -> Result<SigningKey, KeyError> {
        if !is_key_name(name) {
            return Err(KeyError::Name);
        }
        let key = ed25519_dalek::SigningKey::from_bytes(seed);
        let verifying = VerifyingKey::new(name, use_, key.verifying_key());
        Ok(SigningKey { key, verifying })
    }

    /// Reads `PRIVATE+KEY+<name>+<key id>+<base64>`.
    pub fn parse(text: &str) -> Result<SigningKey, KeyError> {
        let rest =
            text.trim_end_matches('\n').strip_prefix("PRIVATE+KEY+").ok_or(KeyError::SecretForm)?;
        let mut parts = rest.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::SecretForm);
        };
        let id = KeyId::parse(id).ok_or(KeyError::SecretForm)?;
        let (use_, seed) = material(key, KeyError::SecretForm)?;
        let key = SigningKey::of_use(name, use_, &seed)?;
        if key.verifying.id == id { Ok(key) } else { Err(KeyError::Id) }
    }

    /// The line to be kept where nobody else reads: whoever has it signs in this log's name.
    #[must_use]
    pub fn secret(&self) -> String {
        let mut bytes = vec![self.verifying.use_.byte()];
        bytes.extend_from_slice(self.key.as_bytes());
        let text = STANDARD.encode(&bytes);
        format!("PRIVATE+KEY+{}+{}+{text}", self.verifying.name, self.verifying.id)
    }

    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    #[must_use]
    pub fn id(&self) -> KeyId {
        self.verifying.id
    }

    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.key.sign(message).to_bytes()
    }

    /// Signs that `next` follows this key in the log of that origin.
    #[must_use]
    pub fn name_next(&self, origin: &str, next: &VerifyingKey) -> [u8; SIGNATURE_BYTES] {
        self.sign(&successor(origin, next))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}+{}, secret)", self.verifying.name, self.verifying.id)
    }
}

/// What a key signs of its successor. It is no note and no checkpoint: those have an empty line or a
/// number where this has the origin.
fn successor(origin: &str, next: &VerifyingKey) -> Vec<u8> {
    format!("ghostbridge key successor v1\n{origin}\n{next}\n").into_bytes()
}

fn material(text: &str, form: KeyError) -> Result<(Use, [u8; KEY_BYTES]), KeyError> {
    let bytes = STANDARD.decode(text).map_err(|_| form)?;
    let (kind, key) = bytes.split_first().ok_or(form)?;
    let use_ = match kind {
        1 => Use::Notes,
        4 => Use::Cosignatures,
        other => return Err(KeyError::Kind(*other)),
    };
    Ok((use_, key.try_into().map_err(|_| KeyError::Bytes)?))
}
