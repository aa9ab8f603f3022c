//! By when an event must be on a replica, and how long it may be held so that others come along.

use ghost_event::Priority;

use crate::limits::{MS, S};

/// How eagerly lines are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// Every line at once.
    Realtime,
    /// After so many lines, or so long after the first of them.
    Batch { max_events: u64, max_delay_ns: u64 },
    /// By the priority of what waits.
    #[default]
    Priority,
}

/// From its append to its acknowledgement by a replica whose link can carry it.
#[must_use]
pub const fn deadline_ns(prio: Priority) -> u64 {
    match prio {
        Priority::Critical => 100 * MS,
        Priority::High => S,
        Priority::Medium => 10 * S,
        Priority::Low => 30 * S,
    }
}

/// How long a line waits for company before the tail takes it. What is not pressing waits for a
/// block, and goes by the tail only where none comes.
pub(super) const fn hold_ns(prio: Priority) -> u64 {
    match prio {
        Priority::Critical => 0,
        Priority::High => 100 * MS,
        Priority::Medium => 7 * S,
        Priority::Low => 24 * S,
    }
}

/// Whether the tail carries it although a block will.
pub(super) const fn is_pressing(prio: Priority) -> bool {
    matches!(prio, Priority::High | Priority::Critical)
}

pub(super) const ALL: [Priority; 4] =
    [Priority::Low, Priority::Medium, Priority::High, Priority::Critical];

const _: () = {
    let mut i = 0;
    while i < ALL.len() {
        // At least a quarter of the time is left for the way.
        assert!(hold_ns(ALL[i]) * 5 <= deadline_ns(ALL[i]) * 4);
        i += 1;
    }
};
