//! The project's own tools, run as `cargo xtask NAME`: every script, in Rust.
//!
//! Each tool either does its whole work or says what stopped it and ends with 1; a step that was
//! left out is told loudly. Nothing here is part of the program.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for the terminal that times and starts other programs"
)]

mod args;
mod bench;
mod demo;
mod eval;
mod fixtures;
mod licences;
mod model;
mod mutants;
mod setup;
mod sh;
mod test;
mod tidy;

use std::process::ExitCode;

use args::Args;
use sh::Outcome;

const USAGE: &str = "\
Usage: cargo xtask NAME [options]

  demo                  set up, build, import the shipped captures, ask, verify
  test [--seeds N]      set up, then formatting, clippy, tidy and every test
  tidy                  the map, the promises and the links against the files
  bench NAME|all        one benchmark beside its peer: headers embed meaning log query import ship
                        tap [--json] [--file CAPTURE]
  bench soak [--minutes N] [--from SEED]
                        simulated crash histories, as many as fit
  mutants [--only NAME] bugs put in on purpose: the histories must catch each
  eval [--corpus DIR --set NAME] [--only PART,…] [--seeds 1..20] [--json] [--keep] [--out DIR]
                        against a labelled corpus: counts, retrieval, table, sources,
                        paraphrases, detectors, anomalies
  fixtures [--check]    write the captures of tests/fixtures/pcap that are made here
  model                 put the language model in place
";

fn main() -> ExitCode {
    let mut args = Args::from_env();
    let Some(name) = args.word() else {
        print!("{USAGE}");
        return ExitCode::from(2);
    };
    let outcome = match name.as_str() {
        "demo" => demo::run(args),
        "test" => test::run(args),
        "tidy" => args.done().and_then(|()| tidy::run()),
        "bench" => bench::run(args),
        "__generate" => bench::generate(args),
        "eval" => eval::run(args),
        "mutants" => mutants::run(args),
        "fixtures" => fixtures::run(args),
        "model" => args.done().and_then(|()| model::run()),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(())
        }
        other => Err(format!("no tool is called {other:?}\n\n{USAGE}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask {name}: {message}");
            ExitCode::FAILURE
        }
    }
}

/// What every tool returns: the message is for the person at the terminal.
type Done = Outcome<()>;
