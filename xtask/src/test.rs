//! `test`: everything that must hold before a change is taken, in the order of what fails soonest.
//!
//! Sets the machine up as the demo does; then formatting, clippy with warnings denied, tidy, unit,
//! property and integration tests, documentation tests, and the licences of dependencies. Steps
//! after a failed one are done too.

use std::time::Instant;

use crate::Done;
use crate::args::Args;
use crate::sh::{self, cargo, have};
use crate::{licences, setup, tidy};

#[derive(Debug)]
struct Step {
    name: &'static str,
    end: Done,
    seconds: f64,
}

pub(crate) fn run(mut args: Args) -> Done {
    let seeds = args.value("--seeds")?;
    args.done()?;
    if let Some(seeds) = &seeds
        && seeds.parse::<u64>().is_err()
    {
        return Err(format!("--seeds wants a number, not {seeds:?}"));
    }
    let mut steps = Vec::new();
    step(&mut steps, "set-up", setup::all);
    step(&mut steps, "formatting", || sh::run(cargo().args(["fmt", "--all", "--check"])));
    step(&mut steps, "clippy", || {
        let mut clippy = cargo();
        clippy.args(["clippy", "--quiet", "--workspace", "--all-targets"]);
        sh::run(clippy.args(["--", "-D", "warnings"]))
    });
    step(&mut steps, "tidy", tidy::run);
    step(&mut steps, "tests", || tests(seeds.as_deref()));
    step(&mut steps, "documentation tests", || {
        sh::run(cargo().args(["test", "--quiet", "--workspace", "--doc"]))
    });
    step(&mut steps, "licences", licences::run);
    summary(&steps)
}

fn tests(seeds: Option<&str>) -> Done {
    let mut tests = cargo();
    if have("cargo-nextest") {
        tests.args(["nextest", "run", "--workspace", "--no-fail-fast"]);
        tests.args(["--status-level", "slow", "--final-status-level", "fail"]);
    } else {
        tests.args(["test", "--quiet", "--workspace", "--no-fail-fast"]);
        tests.args(["--lib", "--bins", "--tests"]);
    }
    if let Some(seeds) = seeds {
        tests.env("GHOSTBRIDGE_SEEDS", seeds);
    }
    sh::run(&mut tests)
}

fn step(steps: &mut Vec<Step>, name: &'static str, work: impl FnOnce() -> Done) {
    println!("== {name}");
    let start = Instant::now();
    let end = work();
    let seconds = start.elapsed().as_secs_f64();
    if let Err(why) = &end {
        println!("FAILED: {why}");
    }
    steps.push(Step { name, end, seconds });
}

fn summary(steps: &[Step]) -> Done {
    println!("\n== summary");
    for step in steps {
        let told = if step.end.is_ok() { "passed" } else { "FAILED" };
        println!("{:<20} {:>7.1} s  {told}", step.name, step.seconds);
    }
    let failed = steps.iter().filter(|s| s.end.is_err()).count();
    match failed {
        0 => Ok(()),
        n => Err(format!("{n} of {} steps failed", steps.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_step_fails_the_whole() {
        let step = |end| Step { name: "x", end, seconds: 0.0 };
        assert!(summary(&[step(Ok(())), step(Ok(()))]).is_ok());
        assert!(summary(&[step(Err("why".into())), step(Ok(()))]).is_err());
    }
}
