//! Seeded histories of a log and its blocks: random operations, random faults, several crashes
//! each; after every crash and at the end, everything that was promised must hold.
//!
//! `GHOST_SEED=N` tells one history again; `GHOSTBRIDGE_SEEDS=N` tells N from each theme, and
//! `GHOST_SEED_FROM=N` begins there.

#![expect(clippy::print_stdout, reason = "what was tried is worth reading")]

mod sim;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use sim::history::{Tally, Theme, tell};

/// Histories a theme; there are four.
const HISTORIES: u64 = 2_600;

static FAILED: AtomicBool = AtomicBool::new(false);

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Tells the histories of one theme.
fn all_of(theme: Theme) {
    let ours = |seed: &u64| Theme::of(*seed) == theme;
    let one = number("GHOST_SEED");
    let from = number("GHOST_SEED_FROM").unwrap_or(0);
    let count = number("GHOSTBRIDGE_SEEDS").unwrap_or(HISTORIES);
    let seeds: Box<dyn Iterator<Item = u64>> = match one {
        Some(seed) => Box::new(std::iter::once(seed).filter(ours)),
        None => Box::new((from..).filter(ours).take(usize::try_from(count).unwrap_or(usize::MAX))),
    };
    let mut sum = Tally::default();
    let mut told = 0;
    for seed in seeds {
        if FAILED.load(Ordering::Relaxed) {
            // One broken promise is enough where all themes are told by one program.
            return;
        }
        let mut trace = Vec::new();
        let story = match catch_unwind(AssertUnwindSafe(|| tell(seed))) {
            Ok((Ok(tally), lines)) => {
                sum.add(&tally);
                told += 1;
                if one.is_some() {
                    println!("{}", lines.join("\n"));
                }
                continue;
            }
            Ok((Err(broken), lines)) => {
                trace = lines;
                broken
            }
            Err(panic) => panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
                .unwrap_or_else(|| "it panicked".to_owned()),
        };
        FAILED.store(true, Ordering::Relaxed);
        panic!(
            "GHOST_SEED={seed} (cargo test -p ghost-block --test sim_histories): {story}\n{}",
            trace.join("\n")
        );
    }
    println!("{theme:?}: {told} histories: {sum:?}");
    if one.is_none() && told >= 100 {
        assert!(sum.lives > 3 * told && sum.power_cuts > told, "they stop at the door: {sum:?}");
        assert!(sum.forgeries > told, "nothing was forged: {sum:?}");
    }
}

#[test]
fn sim_what_was_promised_outlives_power_cuts() {
    all_of(Theme::PowerCuts);
}

#[test]
fn sim_a_full_disk_loses_nothing_and_the_log_goes_on() {
    all_of(Theme::FullDisks);
}

#[test]
fn sim_a_failing_disk_is_not_believed() {
    all_of(Theme::FailingDisks);
}

#[test]
fn sim_everything_together_holds() {
    all_of(Theme::Everything);
}
