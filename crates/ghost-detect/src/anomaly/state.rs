//! The learned state as bytes: a format of its own, versioned, bounded and checked.
//!
//! Magic `GBANOM`, version (u16), then the parts in the order of [`super::Scorer`], each list with
//! its length before it, and last the xxh3-64 of all before. Little endian throughout. A state
//! that is damaged, of another version, or larger than it may be is refused as a whole: a wrong
//! baseline is worse than none.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8; 6] = b"GBANOM";
const VERSION: u16 = 1;
/// Most that a state may take: every table full takes about half of it.
pub const STATE_BYTES_MAX: usize = 64 << 20;

/// Why a state was not taken. The scorer then learns anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateError {
    /// The bytes are no learned state: look whether the path is the right one.
    NotAState,
    /// Written by another version of the program: start learning anew, or use that version.
    Version(u16),
    /// Cut off, altered or too large: restore it from a backup, or start learning anew.
    Damaged,
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StateError::NotAState => write!(f, "not a learned state: is the path the right one?"),
            StateError::Version(v) => {
                write!(f, "learned state of version {v}, this program reads {VERSION}: reset it")
            }
            StateError::Damaged => {
                write!(f, "learned state is damaged: restore it from a backup, or reset it")
            }
        }
    }
}

impl std::error::Error for StateError {}

/// Writes fields.
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn new() -> Writer {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        Writer(bytes)
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        let sum = xxh3_64(&self.0);
        self.0.extend_from_slice(&sum.to_le_bytes());
        self.0
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn i64(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn f32(&mut self, value: f32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A length or an index.
    pub(crate) fn count(&mut self, value: usize) {
        self.0.extend_from_slice(&u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes());
    }

    pub(crate) fn text(&mut self, value: &str) {
        self.count(value.len());
        self.0.extend_from_slice(value.as_bytes());
    }
}

/// Reads what [`Writer`] wrote.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Checks the frame around the fields.
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Reader<'a>, StateError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(StateError::NotAState)?;
        let (version, _) = rest.split_first_chunk::<2>().ok_or(StateError::Damaged)?;
        let version = u16::from_le_bytes(*version);
        if version != VERSION {
            return Err(StateError::Version(version));
        }
        let (body, sum) = bytes.split_last_chunk::<8>().ok_or(StateError::Damaged)?;
        if bytes.len() > STATE_BYTES_MAX || xxh3_64(body) != u64::from_le_bytes(*sum) {
            return Err(StateError::Damaged);
        }
        Ok(Reader(body.get(MAGIC.len() + 2..).ok_or(StateError::Damaged)?))
    }

    /// Refuses bytes left over.
    pub(crate) fn close(self) -> Result<(), StateError> {
        if self.0.is_empty() { Ok(()) } else { Err(StateError::Damaged) }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], StateError> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(StateError::Damaged)?;
        self.0 = tail;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, StateError> {
        Ok(u8::from_le_bytes(self.take()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, StateError> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    pub(crate) fn i64(&mut self) -> Result<i64, StateError> {
        Ok(i64::from_le_bytes(self.take()?))
    }

    /// A finite number ≥ 0.
    pub(crate) fn positive(&mut self) -> Result<f32, StateError> {
        let value = f32::from_le_bytes(self.take()?);
        if value.is_finite() && value >= 0.0 { Ok(value) } else { Err(StateError::Damaged) }
    }

    /// A number of at most `max`.
    pub(crate) fn u32(&mut self, max: u32) -> Result<u32, StateError> {
        let value = u32::from_le_bytes(self.take()?);
        if value <= max { Ok(value) } else { Err(StateError::Damaged) }
    }

    /// A length or an index of at most `max`.
    pub(crate) fn count(&mut self, max: usize) -> Result<usize, StateError> {
        let value = u32::from_le_bytes(self.take()?) as usize;
        if value <= max { Ok(value) } else { Err(StateError::Damaged) }
    }

    pub(crate) fn text(&mut self, max: usize) -> Result<String, StateError> {
        let length = self.count(max)?;
        let (head, tail) = self.0.split_at_checked(length).ok_or(StateError::Damaged)?;
        self.0 = tail;
        String::from_utf8(head.to_vec()).map_err(|_| StateError::Damaged)
    }
}
