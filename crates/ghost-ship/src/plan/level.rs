//! How hard to pack: as long as the link is slower than the packing, and no longer.

use crate::wire::Level;

/// For so many raw bytes over a link of so many bytes a second; `None` where it is not known yet.
#[must_use]
pub fn level(bytes_a_second: Option<u64>, change_bytes: u64) -> Level {
    const MIB: u64 = 1 << 20;
    // 100 Mbit/s and more; more than zstd's middle levels take in; a slow link; a very slow one.
    let by_link = match bytes_a_second {
        None => 3,
        Some(rate) if rate >= 12_500_000 => 1,
        Some(rate) if rate >= 1_250_000 => 3,
        Some(rate) if rate >= 125_000 => 6,
        Some(_) => 9,
    };
    // What is large keeps a core busy for as long as it takes.
    let by_size = match change_bytes {
        0..MIB => 9,
        MIB..67_108_864 => 6,
        _ => 3,
    };
    Level::new(by_link.min(by_size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fast_links_and_large_changes_are_packed_lightly() {
        for (rate, bytes, expected) in [
            (None, 500, 3),
            (None, 1 << 30, 3),
            (Some(125_000_000), 500, 1),
            (Some(12_500_000), 1 << 30, 1),
            (Some(12_499_999), 500, 3),
            (Some(1_000_000), 500, 6),
            (Some(1_000_000), 10 << 20, 6),
            (Some(1_000_000), 1 << 30, 3),
            (Some(32_000), 500, 9),
            (Some(32_000), 10 << 20, 6),
            (Some(0), 1 << 30, 3),
        ] {
            assert_eq!(level(rate, bytes).get(), expected, "{rate:?} {bytes}");
        }
    }
}
