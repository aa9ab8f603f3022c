//! The same question in other words: how far apart the best and the worst answer are.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::corpus::{Corpus, Table};
use super::program::{Program, RealNames};
use super::retrieval::{self, mean};
use super::{Bound, Score};
use crate::sh::Outcome;

/// The mean of best minus worst that is allowed.
const SPREAD_MAX: f64 = 0.15;

/// One question and what its paraphrases score.
#[derive(Debug)]
pub(super) struct Row {
    id: String,
    own: f64,
    all: Vec<(String, f64)>,
}

impl Row {
    fn ends(&self) -> (f64, f64) {
        let scores = self.all.iter().map(|(_, s)| *s);
        (scores.clone().fold(0.0, f64::max), scores.fold(1.0, f64::min))
    }

    pub(super) fn json(&self) -> Value {
        let all: Vec<_> = self.all.iter().map(|(w, s)| json!({"query": w, "ndcg": s})).collect();
        json!({"query_id": self.id, "ndcg": self.own, "paraphrases": all})
    }
}

/// Asks every paraphrase whose question the corpus has; `None` where there is none.
pub(super) fn run(
    corpus: &Corpus,
    table: &Path,
    program: &Program,
    work: &Path,
    names: &RealNames,
) -> Outcome<Option<Vec<Row>>> {
    let table = Table::read(table)?;
    let (id, words) = (table.column("query_id")?, table.column("paraphrase")?);
    let cell = |row: &[String], at: usize| row.get(at).cloned().unwrap_or_default();
    let mut asked = Corpus { truth: corpus.truth.clone(), ..Corpus::default() };
    asked.flows.clone_from(&corpus.flows);
    let mut of: BTreeMap<String, (String, String)> = BTreeMap::new();
    for (n, row) in table.rows.iter().enumerate() {
        let Some(query) = corpus.queries.iter().find(|q| q.id == cell(row, id)) else { continue };
        let name = format!("{}.{n}", query.id);
        of.insert(name.clone(), (query.id.clone(), cell(row, words)));
        let mut other = query.of_captures(&|_| true);
        (other.id, other.words) = (name, cell(row, words));
        asked.queries.push(other);
    }
    if asked.queries.is_empty() {
        return Ok(None);
    }
    let own = corpus.queries.iter().filter(|q| of.values().any(|(id, _)| *id == q.id));
    asked.queries.extend(own.map(|q| q.of_captures(&|_| true)));
    let questions = asked.queries.iter().map(|q| (q.id.clone(), q.words.as_str()));
    let hits = program.query(questions, &work.join("paraphrases.tsv"), names)?;
    let scored = retrieval::score(&asked, &hits);
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for query in scored.queries {
        let (id, words) = of.get(&query.id).cloned().unwrap_or((query.id.clone(), String::new()));
        let row = rows.entry(id.clone()).or_insert_with(|| Row { id, own: 0.0, all: Vec::new() });
        if words.is_empty() { row.own = query.ndcg } else { row.all.push((words, query.ndcg)) }
    }
    rows.retain(|_, row| row.all.len() > 1);
    Ok(Some(rows.into_values().collect()))
}

/// The figure that counts.
pub(super) fn scores(rows: &[Row]) -> Vec<Score> {
    let spreads: Vec<f64> = rows.iter().map(|r| r.ends().0 - r.ends().1).collect();
    let all: Vec<f64> = rows.iter().flat_map(|r| r.all.iter().map(|(_, s)| *s)).collect();
    let own: Vec<f64> = rows.iter().map(|r| r.own).collect();
    let spread = mean(&spreads);
    vec![
        Score {
            name: "paraphrases, best - worst",
            value: spread,
            bound: Bound::AtMost(SPREAD_MAX),
            told: format!("{} paraphrases of {} questions", all.len(), rows.len()),
        },
        Score {
            name: "paraphrases, nDCG@10",
            value: mean(&all),
            bound: Bound::None,
            told: format!("the questions themselves {:.3}", mean(&own)),
        },
    ]
}

pub(super) fn print(rows: &[Row]) {
    println!("paraphrases: the question, its best, its worst");
    for row in rows {
        let (best, worst) = row.ends();
        println!("{:<5} {:.3} {best:.3} {worst:.3}", row.id, row.own);
        for (words, score) in row.all.iter().filter(|(_, s)| best - s > 0.15) {
            println!("      {score:.3}  {words}");
        }
    }
    println!();
}
