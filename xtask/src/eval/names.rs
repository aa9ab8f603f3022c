//! DNS names, server names and HTTP hosts: recall and precision over sets per capture.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::corpus::{Corpus, Truth, canonical};
use super::counts::ratio;
use super::{Bound, Score, Seen};

const FLOOR: f64 = 0.97;
const SHOWN: usize = 4;

/// A kind of name: its two scores, the truth's set, and where events hold it.
struct Kind {
    recall: &'static str,
    precision: &'static str,
    truth: fn(&Truth) -> &BTreeSet<String>,
    object: &'static str,
    keys: &'static [&'static str],
}

const KINDS: &[Kind] = &[
    Kind {
        recall: "DNS names recall",
        precision: "DNS names precision",
        truth: |t| &t.dns,
        object: "dns",
        keys: &["rrname"],
    },
    Kind {
        recall: "TLS/QUIC server names recall",
        precision: "TLS/QUIC server names precision",
        truth: |t| &t.sni,
        object: "tls",
        keys: &["sni"],
    },
    Kind {
        recall: "HTTP hosts recall",
        precision: "HTTP hosts precision",
        truth: |t| &t.hosts,
        object: "http",
        keys: &["hostname"],
    },
];

pub(super) fn compare(corpus: &Corpus, flows: &[Seen]) -> Vec<Score> {
    KINDS.iter().flat_map(|kind| scores(corpus, flows, kind)).collect()
}

fn scores(corpus: &Corpus, flows: &[Seen], kind: &Kind) -> [Score; 2] {
    let mut found: HashMap<&str, BTreeSet<String>> = HashMap::new();
    for flow in flows {
        let names = found.entry(&flow.file).or_default();
        collect(&flow.event[kind.object], kind.keys, names);
    }
    let (mut expected, mut told, mut both) = (0, 0, 0);
    let (mut missed, mut extra) = (Vec::new(), Vec::new());
    let none = BTreeSet::new();
    for (file, truth) in &corpus.truth {
        let truth = (kind.truth)(truth);
        let ours = found.get(file.as_str()).unwrap_or(&none);
        expected += truth.len();
        told += ours.len();
        both += truth.intersection(ours).count();
        missed.extend(truth.difference(ours).map(|n| format!("{file}: {n}")));
        extra.extend(ours.difference(truth).map(|n| format!("{file}: {n}")));
    }
    [
        score(kind.recall, both, expected, "missed", missed),
        score(kind.precision, both, told, "not in the truth", extra),
    ]
}

fn score(
    name: &'static str,
    both: usize,
    of: usize,
    what: &str,
    mut examples: Vec<String>,
) -> Score {
    let mut told = format!("{both} of {of}");
    if !examples.is_empty() {
        let count = examples.len();
        examples.truncate(SHOWN);
        told += &format!("; {count} {what}, so {}", shown(&examples));
    }
    Score { name, value: ratio(both, of), bound: Bound::AtLeast(FLOOR), told }
}

/// Examples, short and without what could steer a terminal.
fn shown(examples: &[String]) -> String {
    let safe = |c: char| if c.is_control() { '?' } else { c };
    let short = examples.iter().map(|e| e.chars().take(80).map(safe).collect::<String>());
    short.collect::<Vec<_>>().join(" | ")
}

/// Every text under one of `keys`, their plural lists, and objects in lists (`queries[].rrname`).
fn collect(object: &Value, keys: &[&str], names: &mut BTreeSet<String>) {
    let Some(object) = object.as_object() else { return };
    for (key, value) in object {
        let wanted = keys.iter().any(|k| key == k || *key == format!("{k}s"));
        match value {
            Value::String(name) if wanted => add(name, names),
            Value::Array(items) => {
                for item in items {
                    match item {
                        Value::String(name) if wanted => add(name, names),
                        item => collect(item, keys, names),
                    }
                }
            }
            _ => {}
        }
    }
}

fn add(name: &str, names: &mut BTreeSet<String>) {
    let name = canonical(name);
    if !name.is_empty() {
        names.insert(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_the_first_and_from_the_lists() {
        let dns = serde_json::json!({
            "rrname": "A.org.", "queries": [{"rrname": "b.org", "rrtype": "A"}], "rcodes": ["x"],
        });
        let mut names = BTreeSet::new();
        collect(&dns, &["rrname"], &mut names);
        assert_eq!(names, BTreeSet::from(["a.org".to_owned(), "b.org".to_owned()]));
        let mut names = BTreeSet::new();
        collect(&serde_json::json!({"sni": "x", "snis": ["x", "y"]}), &["sni"], &mut names);
        assert_eq!(names.len(), 2);
    }
}
