//! `demo`: from nothing to answers, as a user would type it.
//!
//! Sets the machine up and builds. As root it then makes a small network of its own (two hosts and
//! a bridge, in namespaces), enables GhostBridge on the bridge, lets real programs talk through
//! it, asks, kills the daemon while traffic flows, starts it again, and verifies the log. Without
//! root it says so and imports the shipped captures instead. Every command line is printed as it
//! can be typed again. An answer without a hit, like any failing step, fails the whole; what was
//! made is removed either way.

mod captures;
mod live;
mod network;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Done;
use crate::args::Args;
use crate::setup;
use crate::sh::{self, Outcome};

pub(crate) fn run(args: Args) -> Done {
    args.done()?;
    setup::all()?;
    let binary = build()?;
    let data = sh::target().join("demo");
    sh::fresh_folder(&data)?;
    let demo = Demo { binary, data: data.clone() };
    println!("\nghostbridge is {}\n", relative(&demo.binary));
    let told = match network::missing() {
        None => live::play(&demo),
        Some(why) => {
            println!("SKIPPED: no live bridge here ({why}); shipped captures instead\n");
            captures::play(&demo)
        }
    };
    let cleaned = std::fs::remove_dir_all(&data).map_err(|e| format!("{}: {e}", data.display()));
    told.and(cleaned)
}

/// Builds the program in the profile that tests use too, and says where it is.
pub(crate) fn build() -> Outcome<PathBuf> {
    sh::run(sh::cargo().args(["build", "--quiet", "--package", "ghostbridge"]))?;
    Ok(sh::target().join("debug/ghostbridge"))
}

/// The program, and the data folder it is shown on.
struct Demo {
    binary: PathBuf,
    data: PathBuf,
}

impl Demo {
    /// Runs one command and shows it with its output; nothing printed is a failure.
    fn step(&self, words: &[&str]) -> Outcome<String> {
        let data = relative(&self.data);
        let mut shown = Command::new("ghostbridge");
        shown.args(["--data-dir", &data]).args(words);
        let mut command = sh::command(&self.binary);
        command.args(["--data-dir", &data]).args(words);
        println!("$ {}", sh::describe(&shown));
        let ran = sh::capture(&mut command)?;
        // Talk goes to standard error; a person sees both: an import's summary comes last, what a
        // question was understood as comes first.
        if words.first() == Some(&"import") {
            println!("{}{}", ran.stdout, ran.stderr);
        } else {
            println!("{}{}", ran.stderr, ran.stdout);
        }
        if !ran.ok() {
            return Err(format!("{} ended with {:?}", sh::describe(&shown), ran.code));
        }
        if ran.stdout.trim().is_empty() {
            return Err(format!("{} printed nothing", sh::describe(&shown)));
        }
        Ok(ran.stdout)
    }

    /// Asks in plain words; the first hit must hold `expected`.
    fn ask(&self, question: &str, limit: &str, expected: &str) -> Done {
        let answer = self.step(&["query", "--limit", limit, question])?;
        let mut lines = answer.lines().filter(|l| !l.trim().is_empty()).skip(1);
        // A hit is a line of facts and one of reasons.
        let first: Vec<_> = lines.by_ref().take(2).collect();
        if first.is_empty() {
            return Err(format!("no hit for {question:?}"));
        }
        if first.iter().any(|line| line.contains(expected)) {
            return Ok(());
        }
        Err(format!("the first hit for {question:?} says nothing of {expected:?}"))
    }
}

/// A path as it is typed in the repository's root.
fn relative(path: &Path) -> String {
    path.strip_prefix(sh::root()).unwrap_or(path).display().to_string()
}
