//! Plan, wire and accept together, in seeded worlds of one primary and five replicas.
//!
//! `GHOSTBRIDGE_SEEDS=N` runs so many worlds; `GHOST_SEED=S` runs that one alone.

mod rig;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use rig::world::{Shown, World};

/// Runs worlds from a seed on; the seed of one that fails is printed.
fn worlds(first: u64, count: u64, faulty: bool) -> Shown {
    let number = |name| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let (first, count) = match number("GHOST_SEED") {
        Some(seed) => (seed, 1),
        None => (first, number("GHOSTBRIDGE_SEEDS").unwrap_or(count)),
    };
    let mut sum = Shown::default();
    for seed in first..first + count {
        let result = catch_unwind(AssertUnwindSafe(|| {
            let mut world = World::new(seed, faulty);
            world.run();
            world.check_in_step();
            world.shown()
        }));
        match result {
            Ok(shown) => {
                sum.events += shown.events;
                sum.blocks += shown.blocks;
                sum.full_sends += shown.full_sends;
                sum.refused += shown.refused;
                sum.restored += shown.restored;
                sum.timed += shown.timed;
                sum.timed_pressing += shown.timed_pressing;
                sum.most_snapshots = sum.most_snapshots.max(shown.most_snapshots);
            }
            Err(panic) => {
                let said = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or(panic.downcast_ref::<&str>().copied())
                    .unwrap_or("it failed");
                #[expect(clippy::print_stderr, reason = "the seed is how it is found again")]
                {
                    eprintln!("GHOST_SEED={seed} to replay (faulty: {faulty}): {said}");
                }
                resume_unwind(panic);
            }
        }
    }
    sum
}

#[test]
fn sim_where_nothing_fails_every_deadline_is_met() {
    let shown = worlds(0, 300, false);
    assert_eq!(shown.refused, 0, "{shown:?}");
    // One world alone need not have timed any.
    if shown.events > 10_000 {
        assert!(shown.timed > 500 && shown.timed_pressing > 50, "{shown:?}");
    }
}

#[test]
fn sim_what_was_acknowledged_reaches_every_healthy_replica_whatever_fails() {
    let shown = worlds(1_000_000, 2000, true);
    #[expect(clippy::print_stderr, reason = "what the worlds were like")]
    {
        eprintln!("{shown:?}");
    }
    // Few worlds, as when one seed is looked at, need not show everything.
    if shown.events > 100_000 {
        assert!(shown.full_sends > 0 && shown.refused > 0 && shown.restored > 0, "{shown:?}");
    }
}
