//! What is given up, and when, so that the disk's cap holds. A pure plan: no disk, no clock.

/// How much log and blocks may take together. It wins over everything else that wants to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    pub bytes: u64,
}

/// The cap where nobody chose another, whatever the disk's size.
const DEFAULT_CAP_BYTES: u64 = 20 << 30;

impl Cap {
    /// The smaller of a tenth of the file system and 20 GiB.
    #[must_use]
    pub fn of_disk(total_bytes: u64) -> Cap {
        Cap { bytes: DEFAULT_CAP_BYTES.min(total_bytes / 10) }
    }
}

/// Which blocks stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// The newest so many, one at least.
    pub last: u32,
    /// And the newest of each of the last so many hours that have one.
    pub hourly: u32,
    /// And of each of the last so many days.
    pub daily: u32,
}

impl Default for Keep {
    fn default() -> Keep {
        Keep { last: 1, hourly: 0, daily: 0 }
    }
}
