//! A moment, as captures and logs tell it.

/// Nanoseconds since 1970-01-01T00:00:00 UTC; negative before. Reaches from 1677 to 2262.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    pub const NS_PER_S: i64 = 1_000_000_000;

    /// Nanoseconds from `earlier` to `self`, 0 where the clock went backwards.
    #[must_use]
    pub fn ns_since(self, earlier: Timestamp) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }

    #[must_use]
    pub fn plus_ns(self, ns: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(ns))
    }
}
