//! Which blocks a replica keeps: the last two, and the newest of each of the last hours and days.

use std::collections::BTreeSet;

use super::Settings;

const HOUR_NS: i64 = 3_600_000_000_000;
const DAY_NS: i64 = 24 * HOUR_NS;

/// Blocks that go, oldest first, of those given oldest first as (number, when it was verified). Where
/// room is scarce the grid goes, and the last two stay.
pub(super) fn gone(blocks: &[(u64, i64)], settings: Settings, scarce: bool) -> Vec<u64> {
    let Some((_, newest_ns)) = blocks.last() else { return Vec::new() };
    let mut keep: BTreeSet<u64> = blocks.iter().rev().take(2).map(|(number, _)| *number).collect();
    if !scarce {
        for (unit, count) in [(HOUR_NS, settings.keep_hourly), (DAY_NS, settings.keep_daily)] {
            let mut slots = BTreeSet::new();
            for (number, at) in blocks.iter().rev() {
                let slot = at.div_euclid(unit);
                let age = newest_ns.div_euclid(unit).saturating_sub(slot);
                // A clock that jumped ahead and back leaves blocks of a later time: they count as new.
                if age < i64::from(count) && slots.insert(slot) {
                    keep.insert(*number);
                }
            }
        }
    }
    blocks.iter().map(|(number, _)| *number).filter(|number| !keep.contains(number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_two_stay_and_the_newest_of_each_hour_and_day() {
        let settings = Settings { keep_hourly: 2, keep_daily: 3, spare_bytes: 0 };
        // Six blocks a day, one every four hours, for five days.
        let blocks: Vec<_> = (0..30).map(|n| (n + 1, n as i64 * 4 * HOUR_NS)).collect();
        let gone_ = gone(&blocks, settings, false);
        let kept: Vec<u64> =
            blocks.iter().map(|(n, _)| *n).filter(|n| !gone_.contains(n)).collect();
        assert_eq!(kept, [18, 24, 29, 30]);
        assert_eq!(gone(&blocks, settings, true).len(), 28);
        assert_eq!(gone(&blocks[..1], settings, true), [0; 0]);
        assert_eq!(gone(&[], settings, false), [0; 0]);
    }

    #[test]
    fn the_newest_two_stay_whatever_the_clock_says() {
        bolero::check!().with_type::<(Vec<i64>, u32, u32, bool)>().for_each(
            |(times, hourly, daily, scarce)| {
                let blocks: Vec<_> =
                    times.iter().enumerate().map(|(n, at)| (n as u64 + 1, *at)).collect();
                let settings =
                    Settings { keep_hourly: *hourly, keep_daily: *daily, spare_bytes: 0 };
                let gone = gone(&blocks, settings, *scarce);
                for (number, _) in blocks.iter().rev().take(2) {
                    assert!(!gone.contains(number));
                }
                assert!(gone.is_sorted());
            },
        );
    }
}
