//! Against over-fitting: each collection of captures left out, and each alone.
//!
//! Words, detectors and glossary are made by hand and by one fit that never sees a capture, so that
//! leaving a collection out changes nothing but what is asked for. What a collection alone scores
//! says whether the whole leans on one of them; its captures are imported alone, so that nothing of
//! the others helps or distracts.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::corpus::Corpus;
use super::program::{Program, disguise};
use super::retrieval::{self, Retrieval};
use crate::sh::{self, Outcome};

/// A collection.
#[derive(Debug)]
pub(super) struct Row {
    source: String,
    captures: usize,
    left_out: Retrieval,
    alone: Retrieval,
}

pub(super) fn run(corpus: &Corpus, binary: &Path, work: &Path) -> Outcome<Vec<Row>> {
    let sources: BTreeSet<&str> = corpus.labels.values().map(|l| l.source.as_str()).collect();
    let mut rows = Vec::new();
    for source in sources {
        let is_of = |file: &str| corpus.labels.get(file).is_some_and(|l| l.source == source);
        eprintln!("without {source}, then it alone");
        rows.push(Row {
            source: source.to_owned(),
            captures: corpus.labels.keys().filter(|file| is_of(file)).count(),
            left_out: part(&corpus.of_captures(|file| !is_of(file)), binary, work)?,
            alone: part(&corpus.of_captures(is_of), binary, work)?,
        });
    }
    Ok(rows)
}

fn part(part: &Corpus, binary: &Path, work: &Path) -> Outcome<Retrieval> {
    let (captures, data) = (work.join("part"), work.join("part-data"));
    sh::fresh_folder(&data)?;
    let names = disguise(part, &captures)?;
    let program = Program::new(binary, data);
    program.import(&captures, &["--no-idle-timeout"])?;
    let questions = part.queries.iter().map(|q| (q.id.clone(), q.words.as_str()));
    let hits = program.query(questions, &work.join("part.tsv"), &names)?;
    Ok(retrieval::score(part, &hits))
}

pub(super) fn print(rows: &[Row]) {
    println!("nDCG@10 by source: left out (questions), alone (questions)");
    for row in rows {
        let (out, alone) = (&row.left_out, &row.alone);
        println!(
            "{:<42} {:>3} captures  {:.3} ({}) app {:.3} attack {:.3}   {:.3} ({})",
            row.source,
            row.captures,
            out.mean,
            out.queries.len(),
            out.kind("app"),
            out.kind("attack"),
            alone.mean,
            alone.queries.len()
        );
    }
    println!();
}

pub(super) fn json(rows: &[Row]) -> Value {
    let of =
        |r: &Retrieval| json!({"ndcg": r.mean, "questions": r.queries.len(), "kinds": r.kinds});
    let rows = rows.iter().map(|row| {
        json!({"source": row.source, "captures": row.captures,
               "left_out": of(&row.left_out), "alone": of(&row.alone)})
    });
    rows.collect()
}
