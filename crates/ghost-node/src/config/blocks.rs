//! When the log is sealed into blocks, what is kept of them, and how much disk all of it may take.

use std::path::PathBuf;

use ghost_block::{Cap, Keep};
use ghost_ship::plan::Strategy;

/// When the log is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sealing {
    /// The sooner, the more an event presses.
    #[default]
    Priority,
    /// After so many events, or so long.
    Batch,
    /// After every event.
    Realtime,
    /// When asked for, and at the end.
    Off,
}

/// Blocks of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocks {
    pub strategy: Sealing,
    /// Of `Batch`.
    pub max_events: u64,
    pub max_delay_ns: i64,
    pub keep_last: u32,
    pub keep_hourly: u32,
    pub keep_daily: u32,
    /// The block helper's socket; `None`: systemd's where it is, else a helper of our own.
    pub helper: Option<PathBuf>,
}

/// How much disk the log and its blocks may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DiskCap {
    /// The smaller of a tenth of the disk and 20 GiB.
    #[default]
    Auto,
    /// Of the disk.
    Percent(u8),
    Bytes(u64),
}

impl Default for Blocks {
    fn default() -> Blocks {
        Blocks {
            strategy: Sealing::Priority,
            max_events: 10,
            max_delay_ns: 5_000_000_000,
            keep_last: 1,
            keep_hourly: 0,
            keep_daily: 0,
            helper: None,
        }
    }
}

impl Blocks {
    /// How eagerly lines go to replicas: as blocks are sealed. Where none is, by what presses.
    pub(crate) fn shipping(&self) -> Strategy {
        match self.strategy {
            Sealing::Priority | Sealing::Off => Strategy::Priority,
            Sealing::Realtime => Strategy::Realtime,
            Sealing::Batch => Strategy::Batch {
                max_events: self.max_events,
                max_delay_ns: self.max_delay_ns.unsigned_abs(),
            },
        }
    }

    /// Which blocks stay.
    #[must_use]
    pub fn keep(&self) -> Keep {
        Keep { last: self.keep_last, hourly: self.keep_hourly, daily: self.keep_daily }
    }
}

impl Sealing {
    /// As it stands in a configuration.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Sealing::Priority => "priority",
            Sealing::Batch => "batch",
            Sealing::Realtime => "realtime",
            Sealing::Off => "off",
        }
    }
}

impl DiskCap {
    /// In bytes, on a disk of `total_bytes`.
    #[must_use]
    pub fn bytes(self, total_bytes: u64) -> u64 {
        match self {
            DiskCap::Auto => Cap::of_disk(total_bytes).bytes,
            DiskCap::Percent(percent) => total_bytes / 100 * u64::from(percent),
            DiskCap::Bytes(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cap_is_a_tenth_of_a_small_disk_and_twenty_gib_of_a_large_one() {
        assert_eq!(DiskCap::Auto.bytes(100 << 30), 10 << 30);
        assert_eq!(DiskCap::Auto.bytes(4 << 40), 20 << 30);
        assert_eq!(DiskCap::Percent(50).bytes(200), 100);
        assert_eq!(DiskCap::Bytes(7).bytes(1), 7);
    }
}
