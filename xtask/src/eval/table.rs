//! The honest table: the same questions answered by others, and by ours with a part left out.
//!
//! Chance is an expectation; BM25 reads what other tools read (its own names are the truth's). The
//! rest is a program of its own, `eval-peer`, that calls the same crates as the program does: with
//! MiniLM over the customary raw text, with MiniLM over our texts and nothing else, and ours with
//! the behaviours taken off, without the model, and whole, which must be what the program answers.

use std::path::Path;

use serde_json::{Value, json};

use super::corpus::Corpus;
use super::lexical::bm25;
use super::program::{RealNames, lines, parse_lines};
use super::retrieval::{self, Ranked, Retrieval};
use crate::sh::{self, Outcome};

/// Names of the peer's answers, and what they are called.
const PEERS: &[(&str, &str)] = &[
    ("raw", "MiniLM on src:… dst:… proto:… size:…"),
    ("glossary", "MiniLM on the glossary's text"),
    ("no-detectors", "ours without the detectors"),
    ("no-model", "ours without the model"),
    ("ours", "ours, by the crates"),
];

/// One who answered.
#[derive(Debug)]
pub(super) struct Row {
    name: &'static str,
    scored: Retrieval,
}

/// Everybody's answers; `ours` are the program's.
pub(super) fn run(
    corpus: &Corpus,
    captures: &Path,
    work: &Path,
    names: &RealNames,
    ours: &[Ranked],
) -> Outcome<Vec<Row>> {
    let row = |name, hits: &[Ranked]| Row { name, scored: retrieval::score(corpus, hits) };
    let mut rows = vec![
        Row { name: "random order", scored: retrieval::by_chance(corpus) },
        row("BM25", &bm25(corpus, false)),
        row("BM25, and names by inspection", &bm25(corpus, true)),
    ];
    let peer = build()?;
    let questions = work.join("peer.tsv");
    let lines_of = corpus.queries.iter().map(|q| format!("{}\t{}\n", q.id, q.words));
    sh::write(&questions, lines_of.collect::<String>())?;
    for (peer_name, name) in PEERS {
        eprintln!("{name}");
        let mut command = sh::command(&peer);
        command.arg(peer_name).arg(captures).arg(&questions);
        let told = parse_lines(&sh::output(&mut command)?)?;
        let hits: Vec<Ranked> = lines(&told, names)?.iter().map(Ranked::of).collect();
        rows.push(row(name, &hits));
    }
    rows.push(row("ours, the program", ours));
    Ok(rows)
}

fn build() -> Outcome<std::path::PathBuf> {
    let mut cargo = sh::cargo();
    cargo.args(["build", "--quiet", "--package", "xtask", "--features", "eval-peer"]);
    sh::run(cargo.args(["--bin", "eval-peer"]))?;
    Ok(sh::target().join("debug/eval-peer"))
}

pub(super) fn print(rows: &[Row]) {
    let kinds: Vec<&str> = match rows.last() {
        Some(row) => row.scored.kinds.keys().map(String::as_str).collect(),
        None => return,
    };
    print!("{:<38} {:>6}", "nDCG@10", "all");
    kinds.iter().for_each(|kind| print!(" {kind:>7}"));
    println!(" unmatched");
    for row in rows {
        print!("{:<38} {:>6.3}", row.name, row.scored.mean);
        kinds.iter().for_each(|kind| print!(" {:>7.3}", row.scored.kind(kind)));
        println!(" {:>9}", row.scored.unmatched);
    }
    println!();
}

pub(super) fn json(rows: &[Row]) -> Value {
    let rows = rows.iter().map(|row| {
        json!({"name": row.name, "ndcg": row.scored.mean, "kinds": row.scored.kinds,
               "unmatched_results": row.scored.unmatched})
    });
    rows.collect()
}
