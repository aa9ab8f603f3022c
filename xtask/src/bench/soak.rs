//! `bench soak`: the simulated crash histories that the tests tell, as many as fit in a time, from
//! seeds that no run had before.
//!
//! A history that breaks a promise ends it; its seed is printed, and tells it again.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::Done;
use crate::args::Args;
use crate::mutants::build_test;
use crate::sh::{self, Outcome, cargo, command};

const PACKAGE: &str = "ghost-block";
const TEST: &str = "sim_histories";

/// Histories a theme in one run of the test's program.
const PORTION: u64 = 1_000;

pub(crate) fn run(mut args: Args) -> Done {
    let minutes: f64 = number(&mut args, "--minutes")?.unwrap_or(10.0);
    let from: Option<u64> = number(&mut args, "--from")?;
    args.done()?;
    let mut from = from.unwrap_or_else(fresh);
    let program = build_test(&mut cargo(), PACKAGE, TEST)?;
    println!("soak: {minutes} minutes from seed {from} (--from {from} begins there again)");
    let (start, mut told) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_secs_f64(minutes * 60.0) {
        let mut portion = command(&program);
        portion.env("GHOST_SEED_FROM", from.to_string()).env_remove("GHOST_SEED");
        portion.env("GHOSTBRIDGE_SEEDS", PORTION.to_string()).env("RUST_BACKTRACE", "0");
        let ran = sh::capture(portion.arg("--nocapture"))?;
        let printed = format!("{}\n{}", ran.stdout, ran.stderr);
        if !ran.ok() {
            let story = printed.split_once("GHOST_SEED=").map_or(&*printed, |(_, story)| story);
            return Err(format!("after {told} histories: GHOST_SEED={story}"));
        }
        told += 4 * PORTION;
        from += 4 * PORTION;
        let seconds = start.elapsed().as_secs_f64();
        println!("{told} histories in {seconds:.0} s, {:.0} a second", told as f64 / seconds);
    }
    Ok(())
}

fn number<T: std::str::FromStr>(args: &mut Args, name: &str) -> Outcome<Option<T>> {
    let Some(text) = args.value(name)? else { return Ok(None) };
    text.parse().map(Some).map_err(|_| format!("{name} wants a number, not {text:?}"))
}

/// A seed beyond those of the tests, another every second.
fn fresh() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (1 << 40) + now.as_secs() * 1_000_000
}
