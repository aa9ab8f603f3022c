//! The tap that a node polls, whatever stands behind it.

use super::{InlineTap, LiveFrame, Polled, PortCounters, RingTap};

/// A live source of frames. Never blocks, never delays a frame.
#[derive(Debug)]
#[non_exhaustive]
pub enum Tap {
    /// The kernel forwards and copies into rings: ghost and ghost-fast.
    Rings(RingTap),
    /// User space forwards, and copies what it forwards.
    Inline(InlineTap),
}

impl Tap {
    /// Hands out at most `budget` waiting frames, oldest first, and returns at once when none wait.
    pub fn poll(&mut self, budget: u32, each: &mut impl FnMut(&LiveFrame<'_>)) -> Polled {
        match self {
            Self::Rings(rings) => rings.poll(budget, each),
            Self::Inline(inline) => inline.poll(budget, each),
        }
    }

    /// One entry for each port and direction that was ever attached, in a steady order.
    #[must_use]
    pub fn counters(&self) -> Vec<PortCounters> {
        match self {
            Self::Rings(rings) => rings.counters(),
            Self::Inline(inline) => inline.counters(),
        }
    }

    /// What each port had lost before this tap was opened, which [`counters`](Self::counters)
    /// leave out. Of no port at all but where what a daemon before pinned was taken over: then the
    /// frames that came meanwhile wait in the rings, or are among these.
    #[must_use]
    pub fn lost_before(&self) -> &[PortCounters] {
        match self {
            Self::Rings(rings) => rings.lost_before(),
            Self::Inline(_) => &[],
        }
    }
}
