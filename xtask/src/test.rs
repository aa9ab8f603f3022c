//! `test`: everything that must hold before a change is taken, in the order of what fails soonest.
//!
//! Sets the machine up as the demo does; then formatting, clippy with warnings denied, tidy, unit,
//! property and integration tests, documentation tests, and the licences of dependencies where
//! cargo-deny is installed. A step that can't be done here is told loudly and counted.

use std::time::Instant;

use crate::Done;
use crate::args::Args;
use crate::sh::{self, cargo, have};
use crate::{setup, tidy};

/// How a step ended.
#[derive(Debug)]
enum End {
    Passed,
    Failed(String),
    Skipped(String),
}

#[derive(Debug)]
struct Step {
    name: &'static str,
    end: End,
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
    step(&mut steps, "set-up", || passed(setup::all()));
    step(&mut steps, "formatting", || passed(sh::run(cargo().args(["fmt", "--all", "--check"]))));
    step(&mut steps, "clippy", || {
        let mut clippy = cargo();
        clippy.args(["clippy", "--quiet", "--workspace", "--all-targets"]);
        passed(sh::run(clippy.args(["--", "-D", "warnings"])))
    });
    step(&mut steps, "tidy", || passed(tidy::run()));
    step(&mut steps, "tests", || passed(tests(seeds.as_deref())));
    step(&mut steps, "documentation tests", || {
        passed(sh::run(cargo().args(["test", "--quiet", "--workspace", "--doc"])))
    });
    step(&mut steps, "licences", || {
        if have("cargo-deny") {
            passed(sh::run(cargo().args(["deny", "check", "licenses", "bans", "sources"])))
        } else {
            End::Skipped("cargo-deny is not installed".into())
        }
    });
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

fn passed(done: Done) -> End {
    done.map_or_else(End::Failed, |()| End::Passed)
}

fn step(steps: &mut Vec<Step>, name: &'static str, work: impl FnOnce() -> End) {
    println!("== {name}");
    let start = Instant::now();
    let end = work();
    let seconds = start.elapsed().as_secs_f64();
    match &end {
        End::Passed => {}
        End::Failed(why) => println!("FAILED: {why}"),
        End::Skipped(why) => println!("SKIPPED, so not checked: {why}"),
    }
    steps.push(Step { name, end, seconds });
}

fn summary(steps: &[Step]) -> Done {
    println!("\n== summary");
    for step in steps {
        let told = match &step.end {
            End::Passed => "passed".to_owned(),
            End::Failed(_) => "FAILED".to_owned(),
            End::Skipped(why) => format!("SKIPPED ({why})"),
        };
        println!("{:<20} {:>7.1} s  {told}", step.name, step.seconds);
    }
    let failed = steps.iter().filter(|s| matches!(s.end, End::Failed(_))).count();
    match failed {
        0 => Ok(()),
        n => Err(format!("{n} of {} steps failed", steps.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_step_fails_the_whole_and_a_skipped_one_does_not() {
        let step = |end| Step { name: "x", end, seconds: 0.0 };
        assert!(summary(&[step(End::Passed), step(End::Skipped("why".into()))]).is_ok());
        assert!(summary(&[step(End::Failed("why".into())), step(End::Passed)]).is_err());
    }
}
