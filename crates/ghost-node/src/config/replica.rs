//! Logs of other hosts that are held here.

/// What is held for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replica {
    /// Whether primaries may bring their logs.
    pub accept: bool,
    /// Blocks kept of each of the last so many hours and days, besides the last two.
    pub keep_hourly: u32,
    pub keep_daily: u32,
}

impl Default for Replica {
    fn default() -> Replica {
        Replica { accept: true, keep_hourly: 24, keep_daily: 30 }
    }
}
