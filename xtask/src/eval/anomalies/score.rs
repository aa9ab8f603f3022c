//! How well a list of scored flows finds the attacks of a mix: the measures of the corpus's own
//! `score_anomaly.py`, number by number.
//!
//! An alert is right where its flow belongs to an attack's capture. A flow's score is its highest,
//! 0 where it has none. Macro figures give every attack capture the same weight, all of them
//! together a tenth of the benign flows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};

use super::super::corpus::{Key, key};

/// One capture of a mix.
#[derive(Debug, Clone)]
pub(super) struct Laid {
    pub(super) file: String,
    pub(super) attack: bool,
    pub(super) start: f64,
    pub(super) flows: BTreeSet<Key>,
}

impl Laid {
    pub(super) fn of(line: &Value) -> Laid {
        let flows = line["flows"].as_array().map(Vec::as_slice).unwrap_or_default();
        Laid {
            file: line["file"].as_str().unwrap_or_default().to_owned(),
            attack: line["attack"].as_u64() == Some(1),
            start: line["start"].as_f64().unwrap_or(0.0),
            flows: flows.iter().map(|t| key([&t[0], &t[1], &t[2], &t[3], &t[4]])).collect(),
        }
    }
}

/// One scored flow.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) ts: f64,
    pub(super) score: f64,
    pub(super) key: Key,
}

/// What `score_anomaly.py` prints, as far as it is reported here.
#[derive(Debug, Clone, Default)]
pub(super) struct Measured {
    pub(super) macro_ap: f64,
    pub(super) macro_auc: f64,
    pub(super) attacks: usize,
    pub(super) detected: usize,
    pub(super) missed: Vec<String>,
    pub(super) median_s: Option<f64>,
    pub(super) false_flows: usize,
    pub(super) false_per_1000: f64,
}

/// Whether a flow belongs to an attack, and to whose capture.
pub(super) struct Truth<'a> {
    laid: &'a [Laid],
    own: HashMap<&'a Key, &'a str>,
    benign: BTreeSet<&'a Key>,
}

impl<'a> Truth<'a> {
    pub(super) fn new(laid: &'a [Laid]) -> Truth<'a> {
        let mut own = HashMap::new();
        for capture in laid.iter().filter(|c| c.attack) {
            for key in &capture.flows {
                own.entry(key).or_insert(capture.file.as_str());
            }
        }
        let all = laid.iter().flat_map(|c| &c.flows);
        let benign = all.filter(|key| !own.contains_key(key)).collect();
        Truth { laid, own, benign }
    }

    pub(super) fn is_attack(&self, key: &Key) -> bool {
        self.own.contains_key(key)
    }

    pub(super) fn measure(&self, told: &[Told]) -> Measured {
        let mut scores: HashMap<&Key, f64> = HashMap::new();
        let mut hit: BTreeMap<&str, f64> = BTreeMap::new();
        let mut wrong: BTreeSet<&Key> = BTreeSet::new();
        for one in told {
            let best = scores.entry(&one.key).or_insert(0.0);
            *best = best.max(one.score);
            match self.own.get(&one.key) {
                Some(file) => {
                    let first = hit.entry(file).or_insert(f64::INFINITY);
                    *first = first.min(one.ts);
                }
                None => drop(wrong.insert(&one.key)),
            }
        }
        let of = |key: &Key| scores.get(key).copied().unwrap_or(0.0);
        let attacks: Vec<&Laid> = self.laid.iter().filter(|c| c.attack).collect();
        let mut benign: Vec<f64> = self.benign.iter().map(|key| of(key)).collect();
        benign.sort_by(f64::total_cmp);
        let mut waits: Vec<f64> =
            attacks.iter().filter_map(|c| Some(hit.get(c.file.as_str())? - c.start)).collect();
        waits.sort_by(f64::total_cmp);
        Measured {
            macro_ap: self.macro_ap(&attacks, &of),
            macro_auc: macro_auc(&attacks, &benign, &of),
            attacks: attacks.len(),
            detected: hit.len(),
            missed: attacks
                .iter()
                .filter(|c| !hit.contains_key(c.file.as_str()))
                .map(|c| c.file.clone())
                .collect(),
            median_s: waits.get(waits.len() / 2).copied(),
            false_flows: wrong.len(),
            false_per_1000: 1000.0 * number(wrong.len()) / number(self.benign.len().max(1)),
        }
    }

    fn macro_ap(&self, attacks: &[&Laid], of: &impl Fn(&Key) -> f64) -> f64 {
        let size: HashMap<&str, f64> =
            attacks.iter().map(|c| (c.file.as_str(), number(c.flows.len().max(1)))).collect();
        let mut ranked: Vec<(f64, f64, f64)> = self
            .own
            .iter()
            .map(|(key, file)| (of(key), 1.0 / size.get(file).copied().unwrap_or(1.0), 0.0))
            .chain(self.benign.iter().map(|key| (of(key), 0.0, 1.0)))
            .collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        let scale = number(self.benign.len()) / number(attacks.len().max(1)) * 0.1;
        let all: f64 = ranked.iter().map(|r| r.1).sum();
        let (mut right, mut wrong, mut sum) = (0.0, 0.0, 0.0);
        for group in ranked.chunk_by(|a, b| a.0 == b.0) {
            let more: f64 = group.iter().map(|r| r.1).sum();
            right += more;
            wrong += group.iter().map(|r| r.2).sum::<f64>();
            if right > 0.0 && all > 0.0 {
                sum += more / all * (right * scale / (right * scale + wrong));
            }
        }
        sum
    }
}

fn macro_auc(attacks: &[&Laid], benign: &[f64], of: &impl Fn(&Key) -> f64) -> f64 {
    let mut all = Vec::new();
    for capture in attacks.iter().filter(|c| !c.flows.is_empty() && !benign.is_empty()) {
        let sum: f64 = capture
            .flows
            .iter()
            .map(|key| {
                let score = of(key);
                let below = benign.partition_point(|b| *b < score);
                let up_to = benign.partition_point(|b| *b <= score);
                number(below + up_to) / 2.0
            })
            .sum();
        all.push(sum / (number(capture.flows.len()) * number(benign.len())));
    }
    super::super::retrieval::mean(&all)
}

impl Measured {
    pub(super) fn json(&self) -> Value {
        json!({
            "macro_average_precision": self.macro_ap,
            "macro_roc_auc": self.macro_auc,
            "attacks": self.attacks,
            "attacks_detected": self.detected,
            "missed": self.missed,
            "median_seconds_to_first_alert": self.median_s,
            "false_flows": self.false_flows,
            "false_flows_per_1000_benign": self.false_per_1000,
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "thousands")]
pub(super) fn number(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(port: u64) -> Value {
        json!(["10.0.0.1", port, "10.0.0.2", 22, 6])
    }

    fn laid(file: &str, attack: u64, ports: &[u64]) -> Laid {
        let flows: Vec<Value> = ports.iter().map(|p| flow(*p)).collect();
        Laid::of(&json!({"file": file, "attack": attack, "start": 100.0, "flows": flows}))
    }

    fn told(port: u64, ts: f64, score: f64) -> Told {
        let t = flow(port);
        Told { ts, score, key: key([&t[0], &t[1], &t[2], &t[3], &t[4]]) }
    }

    /// The same numbers come from `score_anomaly.py` over the same lines.
    #[test]
    fn the_figures_are_those_of_the_corpus_s_own_program() {
        let mix = [
            laid("a", 1, &[1, 2, 3]),
            laid("b", 1, &[4]),
            laid("x", 0, &[11, 12, 13, 14, 15]),
            laid("y", 0, &[16, 17, 3]),
        ];
        let alerts = [
            told(1, 107.0, 0.9),
            told(1, 103.0, 0.2),
            told(2, 109.0, 0.5),
            told(12, 101.0, 0.5),
            told(16, 101.0, 0.1),
            told(4, 111.0, 0.4),
        ];
        let truth = Truth::new(&mix);
        let m = truth.measure(&alerts);
        assert!((m.macro_ap - 0.3976).abs() < 5e-5, "{m:?}");
        assert!((m.macro_auc - 0.8095).abs() < 5e-5, "{m:?}");
        assert_eq!((m.attacks, m.detected, m.false_flows), (2, 2, 2));
        assert_eq!(m.median_s, Some(11.0));
        assert!((m.false_per_1000 - 285.71).abs() < 0.01);
    }
}
