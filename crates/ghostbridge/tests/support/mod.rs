//! What the tests of the program share: a data folder to run it on, and captures made on the spot.
//!
//! The program runs as a user starts it, but for its surroundings: no model unless a test names
//! one, times in UTC, and a data folder of its own.

#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod live;
pub(crate) mod pcap;
pub(crate) mod served;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// How a run ended.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    fn of(output: Output) -> Ran {
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
            err: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
        }
    }

    /// Fails where the exit code is another, or where the program panicked.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Ran {
        assert!(!self.err.contains("panicked"), "{}", self.err);
        assert_eq!(self.code, code, "out: {}\nerr: {}", self.out, self.err);
        self
    }

    /// Each line of standard output as JSON.
    #[track_caller]
    pub(crate) fn jsonl(&self) -> Vec<Value> {
        self.out.lines().map(|l| serde_json::from_str(l).expect(l)).collect()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).expect(&self.out)
    }

    #[track_caller]
    pub(crate) fn says(self, words: &str) -> Ran {
        assert!(self.err.contains(words), "{words:?} is not in: {}", self.err);
        self
    }
}

/// A data folder and the place around it.
pub(crate) struct House {
    pub(crate) dir: TempDir,
}

impl House {
    pub(crate) fn new() -> House {
        House { dir: tempfile::tempdir().unwrap() }
    }

    /// One that has imported `captures`, with no model.
    #[track_caller]
    pub(crate) fn with(captures: &[&Path]) -> House {
        let house = House::new();
        let mut command = house.command(&["import"]);
        command.args(captures);
        Ran::of(command.output().unwrap()).ends(0);
        house
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Writes a file beside the data folder; its path.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    #[expect(clippy::disallowed_methods, reason = "the test starts the program")]
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ghostbridge"));
        command
            .args(arguments)
            .env("GHOSTBRIDGE_DATA_DIR", self.data())
            .env("GHOSTBRIDGE_MODEL_DIR", self.path("no-model"))
            .env("HOME", self.dir.path())
            .env("TZ", "UTC")
            .env_remove("XDG_DATA_HOME")
            .env_remove("COLUMNS")
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    pub(crate) fn run_in(&self, data: &Path, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        Ran::of(command.env("GHOSTBRIDGE_DATA_DIR", data).output().unwrap())
    }

    /// Runs with `model` as the folder of the full model.
    pub(crate) fn run_with_model(&self, model: &Path, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        Ran::of(command.env("GHOSTBRIDGE_MODEL_DIR", model).output().unwrap())
    }

    /// Runs with `config` as the configuration.
    pub(crate) fn run_configured(&self, config: &Path, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        Ran::of(command.env("GHOSTBRIDGE_CONFIG", config).output().unwrap())
    }

    /// Runs with `input` as standard input.
    pub(crate) fn run_on(&self, input: &Path, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        Ran::of(command.stdin(fs::File::open(input).unwrap()).output().unwrap())
    }

    /// Starts an import and comes back when the log has `bytes` and it still goes on.
    pub(crate) fn begin_import(&self, arguments: &[&str], bytes: u64) -> Child {
        let mut child = self.command(arguments).spawn().unwrap();
        for _ in 0..20_000 {
            assert!(child.try_wait().unwrap().is_none(), "the import ended before {bytes} bytes");
            if folder_bytes(&self.data().join("log")) >= bytes {
                return child;
            }
            thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        panic!("the import did not write {bytes} bytes within 20 s");
    }

    /// The logged events, without what two imports of the same bytes may differ in.
    pub(crate) fn events(&self) -> Vec<String> {
        let ran = self.run(&["log", "export"]).ends(0);
        ran.out.lines().filter(|l| l.contains("\"event_type\":\"flow\"")).map(bare).collect()
    }

    /// The bytes of the log that grows.
    pub(crate) fn log(&self) -> PathBuf {
        self.data().join("log/events.jsonl")
    }
}

/// A line without its number, its link, and the number of its import.
fn bare(line: &str) -> String {
    let body = line.split(",\"seq\":").next().unwrap_or(line);
    let Some((before, import)) = body.split_once("\"import\":") else { return body.to_owned() };
    format!("{before}{}", import.trim_start_matches(|c: char| c.is_ascii_digit()))
}

pub(crate) fn folder_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|e| match e.metadata() {
            Ok(m) if m.is_dir() => folder_bytes(&e.path()),
            Ok(m) => m.len(),
            Err(_) => 0,
        })
        .sum()
}

/// A capture of the repository.
pub(crate) fn fixture(name: &str) -> PathBuf {
    fixtures().join(name)
}

pub(crate) fn fixtures() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/pcap")).to_owned()
}

pub(crate) fn text(path: &impl AsRef<OsStr>) -> &str {
    path.as_ref().to_str().unwrap()
}

/// Copies a folder with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().unwrap();
        if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(from).unwrap(), to).unwrap();
        } else if kind.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}
