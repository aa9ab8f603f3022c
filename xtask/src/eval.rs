//! `eval`: the program against a labelled corpus, through its command line alone.
//!
//! Captures are imported under random names, so that no answer can come from a file's name. Counts,
//! Community IDs and names are compared with what other tools saw; answers are scored by nDCG@10
//! over flows, beside others' answers, source by source and in other words; behaviours by the
//! captures' labels; anomalies on mixes of captures. `results.jsonl` and `alerts.jsonl` are left for
//! the corpus's own scorers. It says nothing about speed.

mod anomalies;
mod corpus;
mod counts;
mod detectors;
mod lexical;
mod names;
mod paraphrases;
mod program;
mod retrieval;
mod sources;
mod table;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::Done;
use crate::args::Args;
use crate::sh::{self, Outcome};
use corpus::Corpus;
use program::{Program, RealNames, real_name};
use retrieval::Ranked;

/// What a figure must keep.
#[derive(Debug, Clone, Copy)]
enum Bound {
    None,
    AtLeast(f64),
    AtMost(f64),
}

/// One line of the result: a figure with its bound.
#[derive(Debug)]
struct Score {
    name: &'static str,
    value: f64,
    bound: Bound,
    told: String,
}

impl Score {
    fn ok(&self) -> bool {
        match self.bound {
            Bound::None => true,
            Bound::AtLeast(floor) => self.value >= floor,
            Bound::AtMost(ceiling) => self.value <= ceiling,
        }
    }
}

/// One flow event or hit, with what the comparison needs.
#[derive(Debug)]
struct Seen {
    file: String,
    event: Value,
}

/// The parts of an evaluation, each of which can be run alone.
const PARTS: &[&str] =
    &["counts", "retrieval", "table", "sources", "paraphrases", "detectors", "anomalies"];

/// What to do.
struct Plan {
    json: bool,
    keep: bool,
    folder: PathBuf,
    /// Where it is our own fixtures, part of which is made here, figures are no measure.
    bounds: bool,
    binary: Option<PathBuf>,
    only: Vec<String>,
    seeds: RangeInclusive<u32>,
    out: PathBuf,
}

impl Plan {
    fn of(mut args: Args) -> Outcome<Plan> {
        let json = args.flag("--json");
        let keep = args.flag("--keep");
        let folder = args.value("--corpus")?;
        let set = args.value("--set")?;
        let binary = args.value("--bin")?.map(PathBuf::from);
        let only = args.value("--only")?;
        let seeds = args.value("--seeds")?;
        let out = args.value("--out")?.map_or_else(|| sh::target().join("eval-out"), PathBuf::from);
        args.done()?;
        let (folder, bounds) = match (folder, set) {
            (Some(corpus), set) => (Path::new(&corpus).join(set.unwrap_or_default()), true),
            (None, None) => {
                eprintln!("no --corpus: the shipped fixtures stand in; part of them is made here");
                (sh::root().join("tests/fixtures"), false)
            }
            (None, Some(_)) => return Err("--set names a folder of --corpus DIR".into()),
        };
        let whole =
            |path: &Path| std::path::absolute(path).map_err(|e| format!("{}: {e}", path.display()));
        Ok(Plan {
            json,
            keep,
            folder: whole(&folder)?,
            bounds,
            binary: binary.map(|path| whole(&path)).transpose()?,
            only: parts(only.as_deref())?,
            seeds: seeds.as_deref().map_or(Ok(1..=20), range)?,
            out: whole(&out)?,
        })
    }

    fn wants(&self, part: &str) -> bool {
        self.only.iter().any(|p| p == part)
    }
}

/// The parts that `--only` names, all without it.
fn parts(only: Option<&str>) -> Outcome<Vec<String>> {
    let Some(only) = only else { return Ok(PARTS.iter().map(|p| (*p).to_owned()).collect()) };
    let named: Vec<String> = only.split(['|', ',']).map(str::to_owned).collect();
    match named.iter().find(|p| !PARTS.contains(&p.as_str())) {
        Some(unknown) => Err(format!("--only knows {}, not {unknown:?}", PARTS.join(", "))),
        None => Ok(named),
    }
}

/// `1..20`, both ends included, or one number.
fn range(text: &str) -> Outcome<RangeInclusive<u32>> {
    let wrong = || format!("--seeds wants FIRST..LAST, not {text:?}");
    let number = |t: &str| t.parse::<u32>().map_err(|_| wrong());
    let (first, last) = match text.split_once("..") {
        Some((first, last)) => (number(first)?, number(last.trim_start_matches('='))?),
        None => (number(text)?, number(text)?),
    };
    if first <= last { Ok(first..=last) } else { Err(wrong()) }
}

/// Runs the evaluation; an error where a bound is missed.
pub(crate) fn run(args: Args) -> Done {
    let plan = Plan::of(args)?;
    let corpus = Corpus::read(&plan.folder)?;
    let binary = plan.binary.clone().map_or_else(crate::demo::build, Ok)?;
    let work = sh::target().join("eval");
    sh::fresh_folder(&work)?;
    let mut report = Report::default();
    if plan.only.iter().any(|part| part != "anomalies") {
        captures(&plan, &corpus, &binary, &work, &mut report)?;
    }
    if plan.wants("anomalies") {
        mixes(&plan, &binary, &work, &mut report)?;
    }
    if !plan.bounds {
        report.scores.iter_mut().for_each(|s| s.bound = Bound::None);
    }
    if plan.json {
        println!("{}", report.json(&plan.folder));
    } else {
        report.print();
    }
    if !plan.keep {
        std::fs::remove_dir_all(&work).map_err(|e| format!("{}: {e}", work.display()))?;
    }
    let missed: Vec<_> = report.scores.iter().filter(|s| !s.ok()).map(|s| s.name).collect();
    if missed.is_empty() { Ok(()) } else { Err(format!("not kept: {}", missed.join(", "))) }
}

/// Everything that is asked of the captures one by one.
fn captures(plan: &Plan, corpus: &Corpus, binary: &Path, work: &Path, report: &mut Report) -> Done {
    let folder = work.join("captures");
    let names = program::disguise(corpus, &folder)?;
    let program = Program::new(binary, work.join("data"));
    eprintln!("importing {} captures under random names", names.len());
    let imported = program.import(&folder, &["--no-idle-timeout"])?;
    let flows = program.flows(&names)?;
    if plan.wants("counts") {
        report.scores.extend(counts::compare(corpus, &rename(&imported, &names)?, &flows));
        report.scores.extend(names::compare(corpus, &flows));
    }
    if plan.wants("detectors") && !corpus.labels.is_empty() {
        let detectors = detectors::compare(corpus, &flows);
        report.scores.extend(detectors.scores());
        report.detectors = Some(detectors);
    }
    if corpus.queries.is_empty() {
        return Ok(());
    }
    if plan.wants("retrieval") || plan.wants("table") {
        let questions = corpus.queries.iter().map(|q| (q.id.clone(), q.words.as_str()));
        let hits = program.query(questions, &work.join("queries.tsv"), &names)?;
        write_results(&plan.out, corpus, &hits)?;
        let retrieval = retrieval::score(corpus, &hits);
        report.scores.extend(of_retrieval(&retrieval));
        report.retrieval = Some(retrieval);
        if plan.wants("table") {
            report.table = table::run(corpus, &folder, work, &names, &hits)?;
        }
    }
    if plan.wants("paraphrases") {
        let table = sh::root().join("tests/fixtures/paraphrases.csv");
        if let Some(rows) = paraphrases::run(corpus, &table, &program, work, &names)? {
            report.scores.extend(paraphrases::scores(&rows));
            report.paraphrases = rows;
        }
    }
    if plan.wants("sources") && !corpus.labels.is_empty() {
        report.sources = sources::run(corpus, binary, work)?;
    }
    Ok(())
}

/// Everything that is asked of mixes of captures; they are made by the corpus's own program.
fn mixes(plan: &Plan, binary: &Path, work: &Path, report: &mut Report) -> Done {
    let (corpus, set) = (plan.folder.parent(), plan.folder.file_name());
    let mixer = corpus.map(|c| c.join("mix.py")).filter(|m| m.is_file());
    let (Some(mixer), Some(set)) = (mixer, set) else {
        eprintln!("SKIPPED anomalies: no mix.py beside {}", plan.folder.display());
        return Ok(());
    };
    let out = plan.out.join("anomalies");
    let mixes = anomalies::Mixes {
        mixer,
        set: set.to_string_lossy().into_owned(),
        seeds: plan.seeds.clone(),
        work,
        out: &out,
    };
    report.anomalies = anomalies::run(&mixes, binary)?;
    report.scores.extend(anomalies::scores(&report.anomalies));
    Ok(())
}

fn of_retrieval(retrieval: &retrieval::Retrieval) -> Vec<Score> {
    let score = |name, value, bound, told| Score { name, value, bound, told };
    let told = format!(
        "{} questions, events below IP dropped {}",
        retrieval.queries.len(),
        retrieval.dropped
    );
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    let unmatched = retrieval.unmatched as f64;
    let mut out = vec![
        score("nDCG@10 by flow", retrieval.mean, Bound::AtLeast(0.72), told),
        score("unmatched results", unmatched, Bound::AtMost(0.0), String::new()),
    ];
    for (kind, name, floor) in
        [("app", "nDCG@10, applications", 0.80), ("attack", "nDCG@10, attacks", 0.60)]
    {
        if let Some(value) = retrieval.kinds.get(kind) {
            out.push(score(name, *value, Bound::AtLeast(floor), String::new()));
        }
    }
    out
}

/// `results.jsonl`, for `score.py`: what stands below IP in a capture with flows is left out.
fn write_results(out: &Path, corpus: &Corpus, hits: &[Ranked]) -> Done {
    std::fs::create_dir_all(out).map_err(|e| format!("{}: {e}", out.display()))?;
    let mut lines = String::new();
    for hit in hits {
        let mut line = json!({"query_id": hit.query, "rank": hit.rank, "file": hit.file});
        match &hit.key {
            Some((proto, (a, a_port), (b, b_port))) => {
                line["tuple"] = json!([a, a_port, b, b_port, proto]);
            }
            None if corpus.flows.contains_key(&hit.file) => continue,
            None => {}
        }
        let _ = writeln!(lines, "{line}");
    }
    sh::write(&out.join("results.jsonl"), lines)
}

/// What the import told, by real name.
fn rename(imported: &[Value], names: &RealNames) -> Outcome<BTreeMap<String, Value>> {
    imported.iter().map(|v| Ok((real_name(names, &v["file"])?, v.clone()))).collect()
}

/// Everything that was measured.
#[derive(Debug, Default)]
struct Report {
    scores: Vec<Score>,
    retrieval: Option<retrieval::Retrieval>,
    table: Vec<table::Row>,
    sources: Vec<sources::Row>,
    paraphrases: Vec<paraphrases::Row>,
    detectors: Option<detectors::Detectors>,
    anomalies: Vec<anomalies::Seed>,
}

impl Report {
    fn print(&self) {
        if let Some(retrieval) = &self.retrieval {
            for query in &retrieval.queries {
                println!("{:<5} {:<7} {:.3}  {}", query.id, query.kind, query.ndcg, query.words);
            }
            println!();
            for (kind, mean) in &retrieval.kinds {
                println!("nDCG@10 of kind {kind:<8} {mean:.3}");
            }
            println!();
        }
        table::print(&self.table);
        if !self.sources.is_empty() {
            sources::print(&self.sources);
        }
        if !self.paraphrases.is_empty() {
            paraphrases::print(&self.paraphrases);
        }
        if let Some(detectors) = &self.detectors {
            detectors.print();
        }
        if !self.anomalies.is_empty() {
            anomalies::print(&self.anomalies);
        }
        for score in &self.scores {
            let (bound, verdict) = match score.bound {
                Bound::None => (String::new(), ""),
                Bound::AtLeast(floor) => (format!("from {floor:.2}"), score.verdict()),
                Bound::AtMost(ceiling) => (format!("up to {ceiling:.2}"), score.verdict()),
            };
            println!(
                "{:<31} {:.4}  {bound:<11} {verdict:<6}  {}",
                score.name, score.value, score.told
            );
        }
    }

    fn json(&self, folder: &Path) -> Value {
        let rows = self.scores.iter().map(|s| {
            let (floor, ceiling) = match s.bound {
                Bound::None => (None, None),
                Bound::AtLeast(floor) => (Some(floor), None),
                Bound::AtMost(ceiling) => (None, Some(ceiling)),
            };
            json!({"name": s.name, "value": s.value, "floor": floor, "ceiling": ceiling,
                   "ok": s.ok(), "told": s.told})
        });
        let queries = self.retrieval.as_ref().map(|r| {
            let rows = r.queries.iter().map(|q| {
                json!({"query_id": q.id, "kind": q.kind, "query": q.words, "ndcg": q.ndcg,
                       "relevant": q.relevant})
            });
            rows.collect::<Vec<_>>()
        });
        let retrieval = self.retrieval.as_ref();
        json!({
            "corpus": folder.display().to_string(),
            "rows": rows.collect::<Vec<_>>(),
            "unmatched_results": retrieval.map(|r| r.unmatched),
            "dropped_below_ip": retrieval.map(|r| r.dropped),
            "ndcg_by_kind": retrieval.map(|r| json!(r.kinds)),
            "queries": queries,
            "table": table::json(&self.table),
            "sources": sources::json(&self.sources),
            "paraphrases": self.paraphrases.iter().map(paraphrases::Row::json).collect::<Vec<_>>(),
            "detectors": self.detectors.as_ref().map(detectors::Detectors::json),
            "anomalies": anomalies::json(&self.anomalies),
        })
    }
}

impl Score {
    fn verdict(&self) -> &'static str {
        if self.ok() { "ok" } else { "MISSED" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_seeds_are_named_or_refused() {
        assert_eq!(parts(Some("table|anomalies")).unwrap(), ["table", "anomalies"]);
        assert_eq!(parts(None).unwrap().len(), PARTS.len());
        assert!(parts(Some("tables")).is_err());
        assert_eq!(range("1..20").unwrap(), 1..=20);
        assert_eq!(range("7").unwrap(), 7..=7);
        assert!(range("9..2").is_err() && range("a..b").is_err());
    }
}
