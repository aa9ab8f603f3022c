//! Packing a payload with zstd, and unpacking it no further than it declared and may.

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::DParameter;

use super::WireError;
use crate::limits::WINDOW_LOG_MAX;

/// How hard zstd tries; 0 packs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Level(u8);

impl Level {
    pub const NONE: Level = Level(0);
    pub const MAX: Level = Level(19);

    #[must_use]
    pub const fn new(level: u8) -> Level {
        if level > Level::MAX.0 { Level::MAX } else { Level(level) }
    }

    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

/// The packed form, where it is the smaller one.
pub(super) fn pack(raw: &[u8], level: Level) -> Option<Vec<u8>> {
    if level == Level::NONE || raw.len() < 64 {
        return None;
    }
    let packed = Compressor::new(level.0.into()).ok()?.compress(raw).ok()?;
    (packed.len() + 4 < raw.len()).then_some(packed)
}

/// Exactly `declared` bytes, which are at most `max`.
pub(super) fn unpack(
    kind: u8,
    packed: &[u8],
    declared: usize,
    max: usize,
) -> Result<Vec<u8>, WireError> {
    if declared > max {
        return Err(WireError::Unpacked { kind, bytes: declared as u64, max: max as u64 });
    }
    let wrong = |_| WireError::Packing { kind };
    let mut decompressor = Decompressor::new().map_err(wrong)?;
    decompressor.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).map_err(wrong)?;
    // The buffer has room for what was declared: more than that is an error, not memory.
    let raw = decompressor.decompress(packed, declared).map_err(wrong)?;
    if raw.len() == declared { Ok(raw) } else { Err(WireError::Packing { kind }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_is_unpacked_at_every_level() {
        let raw: Vec<u8> = (0..20_000_u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
        for level in [1, 3, 9, 19, 200] {
            let packed = pack(&raw, Level::new(level)).unwrap();
            assert_eq!(unpack(4, &packed, raw.len(), raw.len()), Ok(raw.clone()));
        }
        assert_eq!(pack(&raw, Level::NONE), None);
        assert_eq!(pack(b"short", Level::MAX), None);
    }

    #[test]
    fn a_bomb_is_refused_whatever_it_declares() {
        let bomb = pack(&vec![0; 1 << 30], Level::new(1)).unwrap();
        assert!(bomb.len() < 200_000);
        assert!(matches!(unpack(4, &bomb, 1 << 30, 1 << 20), Err(WireError::Unpacked { .. })));
        assert_eq!(unpack(4, &bomb, 1 << 20, 1 << 20), Err(WireError::Packing { kind: 4 }));
        assert_eq!(unpack(4, &bomb, 0, 1 << 20), Err(WireError::Packing { kind: 4 }));
        let small = pack(&[7; 1000], Level::new(3)).unwrap();
        assert_eq!(unpack(4, &small, 1001, 1 << 20), Err(WireError::Packing { kind: 4 }));
        // Two packed texts in a row are not one.
        let twice = [small.clone(), small].concat();
        assert_eq!(unpack(4, &twice, 1000, 1 << 20), Err(WireError::Packing { kind: 4 }));
    }
}
