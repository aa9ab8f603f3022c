//! What time it is, on the wall and since boot.

use std::fmt::Debug;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Two clocks: one that people read and set, one that only goes forward.
pub trait Clock: Debug + Send + Sync {
    /// Nanoseconds since 1970-01-01 UTC; may jump.
    fn wall_ns(&self) -> i64;
    /// Nanoseconds since boot, sleep included; never goes back while the machine is up.
    fn monotonic_ns(&self) -> u64;
    /// Nanoseconds since boot, sleep left out: the clock by which the kernel stamps frames.
    fn uptime_ns(&self) -> u64 {
        self.monotonic_ns()
    }
    /// Names this boot of the machine; empty where nothing tells.
    fn boot_id(&self) -> String;
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealClock;

impl Clock for RealClock {
    fn wall_ns(&self) -> i64 {
        let t = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        t.tv_sec.saturating_mul(1_000_000_000).saturating_add(t.tv_nsec)
    }

    fn monotonic_ns(&self) -> u64 {
        since_boot(rustix::time::ClockId::Boottime)
    }

    fn uptime_ns(&self) -> u64 {
        since_boot(rustix::time::ClockId::Monotonic)
    }

    fn boot_id(&self) -> String {
        std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .map(|id| id.trim().to_owned())
            .unwrap_or_default()
    }
}

fn since_boot(clock: rustix::time::ClockId) -> u64 {
    let t = rustix::time::clock_gettime(clock);
    let (s, ns) = (u64::try_from(t.tv_sec).unwrap_or(0), u64::try_from(t.tv_nsec).unwrap_or(0));
    s.saturating_mul(1_000_000_000).saturating_add(ns)
}

/// Clocks that stand still until they are moved.
#[derive(Debug)]
pub struct SimClock {
    wall_ns: AtomicI64,
    monotonic_ns: AtomicU64,
}

impl SimClock {
    #[must_use]
    pub fn new(wall_ns: i64) -> SimClock {
        SimClock { wall_ns: AtomicI64::new(wall_ns), monotonic_ns: AtomicU64::new(0) }
    }

    /// Lets `ns` pass on both clocks.
    pub fn pass(&self, ns: u32) {
        self.wall_ns.fetch_add(ns.into(), Ordering::Relaxed);
        self.monotonic_ns.fetch_add(ns.into(), Ordering::Relaxed);
    }

    /// Somebody sets the wall clock.
    pub fn set_wall(&self, ns: i64) {
        self.wall_ns.store(ns, Ordering::Relaxed);
    }
}

impl Clock for SimClock {
    fn wall_ns(&self) -> i64 {
        self.wall_ns.load(Ordering::Relaxed)
    }
    fn monotonic_ns(&self) -> u64 {
        self.monotonic_ns.load(Ordering::Relaxed)
    }
    fn boot_id(&self) -> String {
        "simulated".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_real_clock_goes_forward_and_knows_its_boot() {
        let clock = RealClock;
        let first = clock.monotonic_ns();
        assert!(first > 0 && clock.monotonic_ns() >= first);
        // After the day this test was written, and before the range of i64 ends.
        assert!(clock.wall_ns() > 1_700_000_000_000_000_000);
        assert_eq!(clock.boot_id(), clock.boot_id());
    }

    #[test]
    fn a_set_wall_clock_does_not_move_the_other() {
        let clock = SimClock::new(100);
        clock.pass(5);
        clock.set_wall(7);
        assert_eq!((clock.wall_ns(), clock.monotonic_ns()), (7, 5));
    }
}
