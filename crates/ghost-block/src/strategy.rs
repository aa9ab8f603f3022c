//! When a block is due. Pure: time is an argument.
//!
//! **Invariant:** what is never told to a [`Trigger`] never makes a block due; lines by which the
//! log tells of itself are not told to it.

use ghost_event::Priority;

/// How eagerly blocks are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// As soon as anything happened, but for the least gap between two seals.
    Realtime,
    /// After so many events, or so long after the first of them.
    Batch { max_events: u64, max_delay_ns: u64 },
    /// As soon as the most pressing event wants it.
    #[default]
    Priority,
}

impl Strategy {
    /// Batches as they are where nobody chose: 10 events or 5 s.
    pub const BATCH: Strategy = Strategy::Batch { max_events: 10, max_delay_ns: 5 * S };
}

const MS: u64 = 1_000_000;
const S: u64 = 1000 * MS;

/// Two seals are no closer than this, so that a burst makes one block.
const GAP_NS_MIN: u64 = 100 * MS;

/// A critical event waits for no more than this, even in a storm of them.
const URGENT_GAP_NS_MIN: u64 = 50 * MS;

/// How long an event may wait for its block: the rest of its time to the replica is for shipping.
fn delay_ns(prio: Priority) -> u64 {
    match prio {
        Priority::Critical => 0,
        Priority::High => 500 * MS,
        Priority::Medium => 5 * S,
        Priority::Low => 30 * S,
    }
}

/// Remembers what waits for a block, and says when it is due.
#[derive(Debug, Clone)]
pub struct Trigger {
    strategy: Strategy,
    /// Events since the last seal.
    events: u64,
    due_ns: Option<u64>,
    pressing: Option<Priority>,
    /// The latest moment that an event told.
    seen_ns: u64,
    /// When the last seal was, as far as it is known.
    sealed_ns: Option<u64>,
}

impl Trigger {
    #[must_use]
    pub fn new(strategy: Strategy) -> Trigger {
        Trigger { strategy, events: 0, due_ns: None, pressing: None, seen_ns: 0, sealed_ns: None }
    }

    /// An event was taken into the log.
    pub fn event(&mut self, prio: Priority, now_ns: u64) {
        self.seen_ns = self.seen_ns.max(now_ns);
        self.events = self.events.saturating_add(1);
        self.pressing = self.pressing.max(Some(prio));
        let wanted = match self.strategy {
            Strategy::Realtime => now_ns,
            Strategy::Batch { max_events, .. } if self.events >= max_events => now_ns,
            Strategy::Batch { max_delay_ns, .. } => now_ns.saturating_add(max_delay_ns),
            Strategy::Priority => now_ns.saturating_add(delay_ns(prio)),
        };
        let urgent = self.strategy == Strategy::Priority && prio == Priority::Critical;
        let gap = if urgent { URGENT_GAP_NS_MIN } else { GAP_NS_MIN };
        let soonest = self.sealed_ns.map_or(0, |sealed| sealed.saturating_add(gap));
        let wanted = wanted.max(soonest);
        self.due_ns = Some(self.due_ns.map_or(wanted, |due| due.min(wanted)));
    }

    /// When the next block is due, on the clock of [`event`](Self::event).
    #[must_use]
    pub fn due(&self) -> Option<u64> {
        self.due_ns
    }

    /// The most pressing event that waits for it.
    #[must_use]
    pub fn pressing(&self) -> Option<Priority> {
        self.pressing
    }

    /// Everything so far is in a block.
    pub fn sealed(&mut self) {
        self.sealed_ns = Some(self.due_ns.map_or(self.seen_ns, |due| due.max(self.seen_ns)));
        self.events = 0;
        self.due_ns = None;
        self.pressing = None;
    }
}

#[cfg(test)]
mod tests;
