//! The first bytes of each side: what never changes, and which versions it speaks.
//!
//! ```text
//! 0       8        10       12
//! | magic | newest | oldest |
//! ```
//! The magic has a line end and a byte above 127, so that a connection which rewrites text is found
//! at once. This, the frame's head and the refusal's form stay as they are in every version.

use super::WireError;

/// The version that this program writes.
pub const VERSION: u16 = 1;

/// The oldest that it still speaks.
pub const VERSION_OLDEST: u16 = 1;

pub const PREAMBLE_BYTES: usize = 12;

const MAGIC: [u8; 8] = *b"GBship\r\x8a";

/// What one side speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preamble {
    pub newest: u16,
    pub oldest: u16,
}

impl Preamble {
    pub const OURS: Preamble = Preamble { newest: VERSION, oldest: VERSION_OLDEST };

    #[must_use]
    pub fn bytes(self) -> [u8; PREAMBLE_BYTES] {
        let mut bytes = [0; PREAMBLE_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&self.newest.to_be_bytes());
        bytes[10..].copy_from_slice(&self.oldest.to_be_bytes());
        bytes
    }

    /// Reads as many bytes as there are: `None` while they are too few and right so far.
    pub fn read(bytes: &[u8]) -> Result<Option<Preamble>, WireError> {
        let known = bytes.len().min(MAGIC.len());
        if bytes[..known] != MAGIC[..known] {
            return Err(WireError::NotOurs);
        }
        let Some(bytes) = bytes.first_chunk::<PREAMBLE_BYTES>() else { return Ok(None) };
        let [.., a, b, c, d] = *bytes;
        let (newest, oldest) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        if oldest == 0 || oldest > newest {
            return Err(WireError::NotOurs);
        }
        Ok(Some(Preamble { newest, oldest }))
    }

    /// The newest version that both speak.
    pub fn agree(self, other: Preamble) -> Result<u16, WireError> {
        let version = self.newest.min(other.newest);
        if version < self.oldest.max(other.oldest) {
            return Err(WireError::Version { oldest: other.oldest, newest: other.newest });
        }
        Ok(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_common_version_is_spoken_whoever_is_older() {
        let p = |oldest, newest| Preamble { newest, oldest };
        for (a, b, agreed) in [
            (p(1, 1), p(1, 1), Some(1)),
            (p(1, 3), p(2, 5), Some(3)),
            (p(2, 5), p(1, 3), Some(3)),
            (p(1, 1), p(2, 2), None),
            (p(4, 9), p(1, 3), None),
        ] {
            assert_eq!(a.agree(b).ok(), agreed);
            assert_eq!(b.agree(a).ok(), agreed);
        }
        let refused = p(1, 1).agree(p(2, 4)).unwrap_err();
        assert!(refused.to_string().contains("versions 2 to 4"), "{refused}");
    }

    #[test]
    fn a_preamble_is_read_as_it_was_written_and_a_rewritten_line_end_is_seen() {
        let bytes = Preamble { newest: 7, oldest: 3 }.bytes();
        for n in 0..PREAMBLE_BYTES {
            assert_eq!(Preamble::read(&bytes[..n]), Ok(None));
        }
        assert_eq!(Preamble::read(&bytes), Ok(Some(Preamble { newest: 7, oldest: 3 })));
        assert_eq!(Preamble::read(b"GBship\n\x8a"), Err(WireError::NotOurs));
        assert_eq!(Preamble::read(b"Welcome to Debian"), Err(WireError::NotOurs));
        assert_eq!(
            Preamble::read(&Preamble { newest: 1, oldest: 2 }.bytes()),
            Err(WireError::NotOurs)
        );
        assert_eq!(
            Preamble::read(&Preamble { newest: 1, oldest: 0 }.bytes()),
            Err(WireError::NotOurs)
        );
    }

    #[test]
    fn no_bytes_panic() {
        bolero::check!().with_iterations(2_000).for_each(|bytes| {
            let _ = Preamble::read(bytes);
        });
    }
}
