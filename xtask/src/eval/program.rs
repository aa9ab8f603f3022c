//! The program under evaluation, asked through its command line alone.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::Seen;
use super::corpus::Corpus;
use super::retrieval::Ranked;
use crate::sh::{self, Outcome};

/// More than ten, because events below IP are dropped and a flow counts once.
const HITS: &str = "30";

/// The built program and a data folder.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub(super) binary: PathBuf,
    pub(super) data: PathBuf,
    /// Settings other than the usual.
    pub(super) config: Option<PathBuf>,
}

impl Program {
    pub(super) fn new(binary: &Path, data: PathBuf) -> Program {
        Program { binary: binary.to_owned(), data, config: None }
    }

    pub(super) fn command(&self) -> Command {
        let mut command = sh::command(&self.binary);
        command.arg("--data-dir").arg(&self.data);
        if let Some(config) = &self.config {
            command.env("GHOSTBRIDGE_CONFIG", config);
        }
        command
    }

    /// Imports; captures that end in damage are part of a corpus, so exit code 1 is fine.
    pub(super) fn import(&self, what: &Path, options: &[&str]) -> Outcome<Vec<Value>> {
        let mut command = self.command();
        command.arg("import").args(options).args(["-o", "jsonl"]).arg(what);
        let ran = sh::capture(&mut command)?;
        if !matches!(ran.code, Some(0 | 1)) {
            return Err(format!("{} failed:\n{}", sh::describe(&command), ran.stderr));
        }
        eprint!("{}", ran.stderr);
        parse_lines(&ran.stdout)
    }

    pub(super) fn ask(&self, words: &[&str]) -> Outcome<Vec<Value>> {
        let mut command = self.command();
        command.args(words);
        let ran = sh::capture(&mut command)?;
        if !matches!(ran.code, Some(0 | 1)) {
            return Err(format!("{} failed:\n{}", sh::describe(&command), ran.stderr));
        }
        parse_lines(&ran.stdout)
    }

    /// Every flow event.
    pub(super) fn flows(&self, names: &RealNames) -> Outcome<Vec<Seen>> {
        lines(&self.ask(&["flows", "-o", "jsonl"])?, names)
    }

    /// Asks each of `questions` (id, words), written into `scratch`; one hit a flow, none grouped.
    pub(super) fn query<'a>(
        &self,
        questions: impl Iterator<Item = (String, &'a str)>,
        scratch: &Path,
        names: &RealNames,
    ) -> Outcome<Vec<Ranked>> {
        let rows: String = questions.map(|(id, words)| format!("{id}\t{words}\n")).collect();
        sh::write(scratch, rows)?;
        let batch = scratch.to_string_lossy().into_owned();
        let mut words = vec!["query", "--batch", &batch, "--limit", HITS, "-o", "jsonl"];
        if self.groups()? {
            words.push("--no-group");
        }
        let hits = lines(&self.ask(&words)?, names)?;
        Ok(hits.iter().map(Ranked::of).collect())
    }

    /// Whether hits that are alike are told as one, which a ranking by flow must not have.
    fn groups(&self) -> Outcome<bool> {
        let help = sh::capture(self.command().args(["query", "--help"]))?;
        Ok(help.stdout.contains("--no-group"))
    }
}

pub(super) fn parse_lines(text: &str) -> Outcome<Vec<Value>> {
    let lines = text.lines().filter(|l| l.starts_with('{'));
    lines.map(|l| serde_json::from_str(l).map_err(|e| format!("{e} in {l}"))).collect()
}

/// Real names by the random ones.
pub(super) type RealNames = BTreeMap<String, String>;

/// Links (or copies) every capture under a name that says nothing.
pub(super) fn disguise(corpus: &Corpus, folder: &Path) -> Outcome<RealNames> {
    sh::fresh_folder(folder)?;
    let mut random = std::fs::File::open("/dev/urandom").map_err(|e| format!("urandom: {e}"))?;
    let mut names = RealNames::new();
    for file in corpus.truth.keys() {
        let mut bytes = [0; 12];
        random.read_exact(&mut bytes).map_err(|e| format!("urandom: {e}"))?;
        let name: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        let (from, to) = (corpus.captures.join(file), folder.join(&name));
        std::fs::hard_link(&from, &to)
            .or_else(|_| std::fs::copy(&from, &to).map(drop))
            .map_err(|e| format!("{}: {e}", from.display()))?;
        names.insert(name, file.clone());
    }
    Ok(names)
}

pub(super) fn real_name(names: &RealNames, told: &Value) -> Outcome<String> {
    let told = told.as_str().unwrap_or_default();
    let base = told.rsplit('/').next().unwrap_or_default();
    names.get(base).cloned().ok_or_else(|| format!("no imported capture is called {told:?}"))
}

/// The flow events among `events`, by the real names of their captures.
pub(super) fn lines(events: &[Value], names: &RealNames) -> Outcome<Vec<Seen>> {
    let flows = events.iter().filter(|e| e["event_type"] == "flow");
    flows
        .map(|e| Ok(Seen { file: real_name(names, &e["pcap_filename"])?, event: e.clone() }))
        .collect()
}
