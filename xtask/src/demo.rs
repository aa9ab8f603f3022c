//! `demo`: from nothing to answers, as a user would type it.
//!
//! Sets the machine up, builds, imports the shipped captures into a folder of its own, asks, and
//! verifies the log. Every command line is printed as it can be typed again. An answer without a
//! hit, like any failing step, fails the whole.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Done;
use crate::args::Args;
use crate::setup;
use crate::sh::{self, Outcome};

/// What the demo calls production; the addresses are those of the made captures.
const TAGS: &str = "[tags]\nproduction = [\"10.10.0.0/24\"]\n";

const QUESTIONS: &[&str] = &[
    "show me SSH traffic to production servers",
    "find unusual DNS queries",
    "traffic patterns similar to DDoS attack",
    "someone guessing passwords",
    "commands sent to industrial controllers",
];

pub(crate) fn run(args: Args) -> Done {
    args.done()?;
    setup::all()?;
    let binary = build()?;
    let data = sh::target().join("demo");
    sh::fresh_folder(&data)?;
    sh::write(&data.join("tags.toml"), TAGS)?;
    let told = Demo { binary, data: data.clone() }.play();
    let cleaned = std::fs::remove_dir_all(&data).map_err(|e| format!("{}: {e}", data.display()));
    told.and(cleaned)
}

/// Builds the program in the profile that tests use too, and says where it is.
pub(crate) fn build() -> Outcome<PathBuf> {
    sh::run(sh::cargo().args(["build", "--quiet", "--package", "ghostbridge"]))?;
    Ok(sh::target().join("debug/ghostbridge"))
}

struct Demo {
    binary: PathBuf,
    data: PathBuf,
}

impl Demo {
    fn play(&self) -> Done {
        println!("\nghostbridge is {}", relative(&self.binary));
        println!("{} holds:\n{TAGS}", relative(&self.data.join("tags.toml")));
        self.step(&["import", "tests/fixtures/pcap"])?;
        for question in QUESTIONS {
            let answer = self.step(&["query", "--limit", "5", question])?;
            if answer.lines().filter(|l| !l.trim().is_empty()).count() < 2 {
                return Err(format!("no hit for {question:?}"));
            }
        }
        self.step(&["flows", "--limit", "5", "app:tls"])?;
        self.step(&["status"])?;
        self.step(&["log", "verify"])?;
        Ok(())
    }

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
}

/// A path as it is typed in the repository's root.
fn relative(path: &Path) -> String {
    path.strip_prefix(sh::root()).unwrap_or(path).display().to_string()
}
