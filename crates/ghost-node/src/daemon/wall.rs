//! From the clock that stamps frames to the clock on the wall.
//!
//! Frames bear nanoseconds since boot; people and logs want the wall's time. The difference is
//! looked up often and followed while the wall is steered; where it jumps, somebody set the clock,
//! and that is told.

use ghost_event::Timestamp;
use ghost_world::Clock;

use super::gap::Lost;
use crate::limits::CLOCK_STEP_NS;

/// The wall's time of a frame's stamp.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wall {
    offset: i64,
}

impl Wall {
    pub(crate) fn new(clock: &dyn Clock) -> Wall {
        Wall { offset: offset(clock) }
    }

    pub(crate) fn at(&self, uptime_ns: u64) -> Timestamp {
        Timestamp(uptime_ns.cast_signed().saturating_add(self.offset))
    }

    /// Looks at the clocks anew; where the wall's was set, from when to when.
    pub(crate) fn follow(&mut self, clock: &dyn Clock) -> Option<Lost> {
        let now = clock.uptime_ns();
        let before = self.at(now);
        self.offset = offset(clock);
        let after = self.at(now);
        let moved = after.0.saturating_sub(before.0).saturating_abs();
        (moved > CLOCK_STEP_NS).then(|| Lost { to: after, ..Lost::at(before) })
    }
}

fn offset(clock: &dyn Clock) -> i64 {
    clock.wall_ns().saturating_sub(clock.uptime_ns().cast_signed())
}

#[cfg(test)]
mod tests {
    use ghost_world::SimClock;

    use super::*;

    #[test]
    fn a_steered_clock_is_followed_and_a_set_one_is_told() {
        let clock = SimClock::new(1_000_000_000_000);
        let mut wall = Wall::new(&clock);
        clock.pass(5_000);
        assert_eq!(wall.at(2_000), Timestamp(1_000_000_002_000));
        assert_eq!(wall.follow(&clock), None);
        clock.set_wall(1_000_000_005_000 + 50_000_000);
        assert_eq!(wall.follow(&clock), None, "50 ms are steering");
        assert_eq!(wall.at(5_000), Timestamp(1_000_050_005_000));
        clock.set_wall(7);
        let told = wall.follow(&clock).unwrap();
        assert_eq!((told.from, told.to), (Timestamp(1_000_050_005_000), Timestamp(7)));
    }
}
