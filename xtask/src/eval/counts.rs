//! Packets, bytes, flows and Community IDs of each capture against the truth.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::corpus::Corpus;
use super::retrieval::protocol;
use super::{Bound, Score, Seen};

/// Names shown of what differs.
const SHOWN: usize = 6;

pub(super) fn compare(
    corpus: &Corpus,
    imported: &BTreeMap<String, Value>,
    flows: &[Seen],
) -> Vec<Score> {
    let told = |file: &str, key: &str| imported.get(file).and_then(|v| v[key].as_u64());
    let mut flow_counts: HashMap<&str, u64> = HashMap::new();
    for flow in flows.iter().filter(|f| protocol(&f.event).is_some()) {
        *flow_counts.entry(flow.file.as_str()).or_default() += 1;
    }
    let flow_count = |file: &str| flow_counts.get(file).copied().unwrap_or(0);
    vec![
        share(corpus, "packets equal", 1.0, |file, truth| {
            (truth.packets, told(file, "packets").unwrap_or(0))
        }),
        share(corpus, "bytes equal", 1.0, |file, truth| {
            (truth.bytes, told(file, "bytes").unwrap_or(0))
        }),
        share(corpus, "flows equal", 0.98, |file, truth| (truth.flows, flow_count(file))),
        community_ids(corpus, flows),
    ]
}

/// The share of captures on which both numbers are the same.
fn share(
    corpus: &Corpus,
    name: &'static str,
    floor: f64,
    numbers: impl Fn(&str, &super::corpus::Truth) -> (u64, u64),
) -> Score {
    let mut differ = Vec::new();
    for (file, truth) in &corpus.truth {
        let (expected, found) = numbers(file, truth);
        if expected != found {
            differ.push(format!("{file} {found} for {expected}"));
        }
    }
    let all = corpus.truth.len();
    let equal = all - differ.len();
    let more = differ.len().saturating_sub(SHOWN);
    let mut told = format!("{equal} of {all} captures");
    if !differ.is_empty() {
        differ.truncate(SHOWN);
        told += &format!("; not {}", differ.join(", "));
    }
    if more > 0 {
        told += &format!(" and {more} more");
    }
    Score { name, value: ratio(equal, all), bound: Bound::AtLeast(floor), told }
}

fn community_ids(corpus: &Corpus, flows: &[Seen]) -> Score {
    let mut found: HashMap<&str, BTreeSet<&str>> = HashMap::new();
    for flow in flows.iter().filter(|f| matches!(protocol(&f.event), Some(6 | 17 | 132))) {
        if let Some(id) = flow.event["community_id"].as_str() {
            found.entry(&flow.file).or_default().insert(id);
        }
    }
    let (mut expected, mut both) = (0, 0);
    for (file, ids) in &corpus.community_ids {
        let ours = found.get(file.as_str());
        expected += ids.len();
        both += ids.iter().filter(|id| ours.is_some_and(|o| o.contains(id.as_str()))).count();
    }
    let ours: usize = found.values().map(BTreeSet::len).sum();
    Score {
        name: "Community IDs found",
        value: ratio(both, expected),
        bound: Bound::AtLeast(0.99),
        told: format!("{both} of {expected}; {ours} told"),
    }
}

/// A share; all of nothing is 1.
pub(super) fn ratio(part: usize, whole: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "shares for people")]
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}
