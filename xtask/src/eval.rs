//! `eval`: the program against a labelled corpus, through its command line alone.
//!
//! Captures are imported under random names, so that no answer can come from a file's name. Counts,
//! Community IDs and names are compared with what other tools saw; answers are scored by nDCG@10
//! over flows. It says nothing about speed.

mod corpus;
mod counts;
mod names;
mod retrieval;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::Done;
use crate::args::Args;
use crate::sh::{self, Outcome};
use corpus::Corpus;

/// One line of the result: a share with its floor.
#[derive(Debug)]
struct Score {
    name: &'static str,
    value: f64,
    floor: Option<f64>,
    told: String,
}

impl Score {
    fn ok(&self) -> bool {
        self.floor.is_none_or(|floor| self.value >= floor)
    }
}

/// Runs the whole evaluation; an error where a floor is missed.
pub(crate) fn run(mut args: Args) -> Done {
    let json = args.flag("--json");
    let keep = args.flag("--keep");
    let folder = args.value("--corpus")?;
    let set = args.value("--set")?;
    let binary = args.value("--bin")?.map(PathBuf::from);
    args.done()?;
    let (folder, floors) = match (folder, set) {
        (Some(corpus), set) => {
            let folder = Path::new(&corpus).join(set.unwrap_or_default());
            (std::path::absolute(&folder).map_err(|e| format!("{}: {e}", folder.display()))?, true)
        }
        (None, None) => {
            eprintln!("no --corpus: the shipped fixtures stand in; part of them is made here");
            (sh::root().join("tests/fixtures"), false)
        }
        (None, Some(_)) => return Err("--set names a folder of --corpus DIR".into()),
    };
    let corpus = Corpus::read(&folder)?;
    let binary = binary.map_or_else(crate::demo::build, Ok)?;
    let work = sh::target().join("eval");
    sh::fresh_folder(&work)?;
    let real_names = disguise(&corpus, &work.join("captures"))?;
    let program = Program { binary, data: work.join("data") };
    eprintln!("importing {} captures under random names", real_names.len());
    let imported = program.import(&work.join("captures"))?;
    let flows = lines(&program.ask(&["flows", "-o", "jsonl"])?, &real_names)?;
    let mut scores = counts::compare(&corpus, &rename(&imported, &real_names)?, &flows);
    scores.extend(names::compare(&corpus, &flows));
    let retrieval = retrieve(&corpus, &program, &work, &real_names)?;
    if let Some(retrieval) = &retrieval {
        scores.push(Score {
            name: "nDCG@10 by flow",
            value: retrieval.mean,
            floor: Some(0.55),
            told: format!(
                "{} questions, unmatched results {}, events below IP dropped {}",
                retrieval.queries.len(),
                retrieval.unmatched,
                retrieval.dropped
            ),
        });
    }
    if !floors {
        // Part of the fixtures is made here: their shares are no measure of anything.
        scores.iter_mut().for_each(|s| s.floor = None);
    }
    if json {
        println!("{}", as_json(&folder, &scores, retrieval.as_ref()));
    } else {
        print(&scores, retrieval.as_ref());
    }
    if !keep {
        std::fs::remove_dir_all(&work).map_err(|e| format!("{}: {e}", work.display()))?;
    }
    let missed: Vec<_> = scores.iter().filter(|s| !s.ok()).map(|s| s.name).collect();
    if missed.is_empty() { Ok(()) } else { Err(format!("below the floor: {}", missed.join(", "))) }
}

/// The built program and its data folder.
#[derive(Debug)]
struct Program {
    binary: PathBuf,
    data: PathBuf,
}

impl Program {
    fn command(&self) -> Command {
        let mut command = sh::command(&self.binary);
        command.arg("--data-dir").arg(&self.data);
        command
    }

    /// Imports a folder; captures that end in damage are part of a corpus, so exit code 1 is fine.
    fn import(&self, folder: &Path) -> Outcome<Vec<Value>> {
        let mut command = self.command();
        command.args(["import", "--no-idle-timeout", "-o", "jsonl"]).arg(folder);
        let ran = sh::capture(&mut command)?;
        if !matches!(ran.code, Some(0 | 1)) {
            return Err(format!("{} failed:\n{}", sh::describe(&command), ran.stderr));
        }
        eprint!("{}", ran.stderr);
        parse_lines(&ran.stdout)
    }

    fn ask(&self, words: &[&str]) -> Outcome<Vec<Value>> {
        let mut command = self.command();
        command.args(words);
        let ran = sh::capture(&mut command)?;
        if !matches!(ran.code, Some(0 | 1)) {
            return Err(format!("{} failed:\n{}", sh::describe(&command), ran.stderr));
        }
        parse_lines(&ran.stdout)
    }
}

fn parse_lines(text: &str) -> Outcome<Vec<Value>> {
    let lines = text.lines().filter(|l| l.starts_with('{'));
    lines.map(|l| serde_json::from_str(l).map_err(|e| format!("{e} in {l}"))).collect()
}

/// Real names by the random ones.
type RealNames = BTreeMap<String, String>;

/// Links (or copies) every capture under a name that says nothing.
fn disguise(corpus: &Corpus, folder: &Path) -> Outcome<RealNames> {
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

fn real_name(names: &RealNames, told: &Value) -> Outcome<String> {
    let told = told.as_str().unwrap_or_default();
    let base = told.rsplit('/').next().unwrap_or_default();
    names.get(base).cloned().ok_or_else(|| format!("no imported capture is called {told:?}"))
}

/// What the import told, by real name.
fn rename(imported: &[Value], names: &RealNames) -> Outcome<BTreeMap<String, Value>> {
    imported.iter().map(|v| Ok((real_name(names, &v["file"])?, v.clone()))).collect()
}

/// One flow event or hit, with what the comparison needs.
#[derive(Debug)]
struct Seen {
    file: String,
    event: Value,
}

fn lines(events: &[Value], names: &RealNames) -> Outcome<Vec<Seen>> {
    let flows = events.iter().filter(|e| e["event_type"] == "flow");
    flows
        .map(|e| Ok(Seen { file: real_name(names, &e["pcap_filename"])?, event: e.clone() }))
        .collect()
}

fn retrieve(
    corpus: &Corpus,
    program: &Program,
    work: &Path,
    names: &RealNames,
) -> Outcome<Option<retrieval::Retrieval>> {
    if corpus.queries.is_empty() {
        return Ok(None);
    }
    let batch = work.join("queries.tsv");
    let rows = corpus.queries.iter().map(|q| format!("{}\t{}\n", q.id, q.words));
    sh::write(&batch, rows.collect::<String>())?;
    let batch = batch.to_string_lossy().into_owned();
    // More than ten, because events below IP are dropped and a flow counts once.
    let hits = program.ask(&["query", "--batch", &batch, "--limit", "30", "-o", "jsonl"])?;
    Ok(Some(retrieval::score(corpus, &lines(&hits, names)?)))
}

fn print(scores: &[Score], retrieval: Option<&retrieval::Retrieval>) {
    if let Some(retrieval) = retrieval {
        for query in &retrieval.queries {
            println!("{:<5} {:<7} {:.3}  {}", query.id, query.kind, query.ndcg, query.words);
        }
        println!();
        for (kind, mean) in &retrieval.kinds {
            println!("nDCG@10 of kind {kind:<8} {mean:.3}");
        }
        println!();
    }
    for score in scores {
        let floor = score.floor.map(|f| format!("floor {f:.2}")).unwrap_or_default();
        let verdict = match score.floor {
            None => "",
            Some(_) if score.ok() => "ok",
            Some(_) => "MISSED",
        };
        println!("{:<30} {:.4}  {floor:<11} {verdict:<6}  {}", score.name, score.value, score.told);
    }
}

fn as_json(folder: &Path, scores: &[Score], retrieval: Option<&retrieval::Retrieval>) -> Value {
    let rows = scores.iter().map(|s| {
        json!({"name": s.name, "value": s.value, "floor": s.floor, "ok": s.ok(), "told": s.told})
    });
    let rows: Vec<_> = rows.collect();
    let queries = retrieval.map(|r| {
        let rows = r.queries.iter().map(|q| {
            json!({"query_id": q.id, "kind": q.kind, "query": q.words, "ndcg": q.ndcg,
                   "relevant": q.relevant})
        });
        rows.collect::<Vec<_>>()
    });
    json!({
        "corpus": folder.display().to_string(),
        "rows": rows,
        "unmatched_results": retrieval.map(|r| r.unmatched),
        "dropped_below_ip": retrieval.map(|r| r.dropped),
        "ndcg_by_kind": retrieval.map(|r| json!(r.kinds)),
        "queries": queries,
    })
}
