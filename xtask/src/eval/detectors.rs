//! What the behaviours say, against what the captures are: precision by flow, false alarms, recall.
//!
//! A word on a flow is right where one of the tags that stand beside it here is a tag of the flow's
//! capture. That is strict on words (what is true and was not labelled counts as wrong) and kind to
//! flows (a capture of an attack holds ordinary flows, too). Facts are no alarms: that nothing came
//! back, or that a port is new, accuses nobody.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::corpus::Corpus;
use super::{Bound, Score, Seen};

/// A word, and the tags of captures in which it is right.
const ALARMS: &[(&str, &[&str])] = &[
    ("port_scan", &["scan", "discovery"]),
    ("stealth_scan", &["scan"]),
    ("sweep", &["scan"]),
    ("arp_scan", &["arp-scan"]),
    ("brute_force", &["bruteforce"]),
    ("flood", &["flood", "dos"]),
    ("amplification", &["amplification"]),
    ("dns_tunnel", &["dns-tunnel"]),
    ("unusual_dns", &["dns-tunnel", "malware", "c2"]),
    ("generated_names", &["dga", "malware", "c2"]),
    ("dns_spoofing", &["spoofing"]),
    ("arp_spoofing", &["spoofing"]),
    ("rogue_dhcp", &["spoofing"]),
    ("rogue_router", &["spoofing"]),
    ("icmp_tunnel", &["icmp-tunnel"]),
    ("sql_injection", &["sqli", "webattack"]),
    ("cross_site_scripting", &["xss", "webattack"]),
    ("remote_code", &["exploit", "log4j", "webattack"]),
    ("path_traversal", &["webattack"]),
    ("web_scan", &["webattack", "scan"]),
    ("big_upload", &["exfil"]),
    ("beacon", &["beacon", "c2"]),
    ("command_and_control", &["c2", "malware"]),
    ("odd_certificate", &["selfsigned", "malware"]),
    ("program_download", &["malware", "exploit"]),
    ("lateral_movement", &["lateral"]),
    ("credential_theft", &["credential-theft"]),
    ("reverse_shell", &["reverse-shell", "exploit"]),
    ("mining", &["mining"]),
];

/// Classes of attacks, by tag, each with the words that find it.
const CLASSES: &[(&str, &[&str])] = &[
    ("scan", &["port_scan", "stealth_scan", "sweep", "arp_scan", "web_scan"]),
    ("arp-scan", &["arp_scan"]),
    ("bruteforce", &["brute_force"]),
    ("flood", &["flood", "amplification"]),
    ("dos", &["flood", "amplification"]),
    ("amplification", &["amplification"]),
    ("dns-tunnel", &["dns_tunnel", "unusual_dns"]),
    ("icmp-tunnel", &["icmp_tunnel"]),
    (
        "webattack",
        &["sql_injection", "cross_site_scripting", "remote_code", "path_traversal", "web_scan"],
    ),
    ("exploit", &["remote_code", "web_scan", "reverse_shell", "program_download"]),
    ("c2", &["command_and_control", "beacon", "dns_tunnel", "unusual_dns", "odd_certificate"]),
    ("malware", &["command_and_control", "beacon", "sweep", "port_scan", "program_download"]),
    ("lateral", &["lateral_movement"]),
    ("credential-theft", &["credential_theft", "lateral_movement"]),
    ("discovery", &["port_scan", "sweep", "lateral_movement"]),
    ("reverse-shell", &["reverse_shell"]),
    ("selfsigned", &["odd_certificate"]),
    ("mining", &["mining"]),
];

/// How far one word can be trusted.
#[derive(Debug, Default)]
struct Word {
    right: u64,
    wrong: u64,
    /// Captures in which it is wrong.
    elsewhere: BTreeSet<String>,
}

/// How much of a class is found.
#[derive(Debug, Default)]
struct Class {
    captures: u64,
    found: u64,
    flows: u64,
    told: u64,
}

/// The detectors against the labels.
#[derive(Debug)]
pub(super) struct Detectors {
    words: BTreeMap<&'static str, Word>,
    facts: BTreeMap<String, u64>,
    classes: Vec<(&'static str, Class)>,
    /// Flows with an alarm, and those with a right one.
    alarmed: u64,
    right: u64,
    benign: u64,
    false_alarms: u64,
    false_flows: u64,
}

pub(super) fn compare(corpus: &Corpus, flows: &[Seen]) -> Detectors {
    let mut words: BTreeMap<&str, Word> = BTreeMap::new();
    let mut facts: BTreeMap<String, u64> = BTreeMap::new();
    let mut of_capture: BTreeMap<&str, Vec<BTreeSet<&str>>> = BTreeMap::new();
    let (mut alarmed, mut right, mut false_flows) = (0, 0, 0);
    for flow in flows {
        let Some(label) = corpus.labels.get(&flow.file) else { continue };
        let told: BTreeSet<&str> = behaviours(&flow.event).collect();
        let (mut any, mut good) = (false, false);
        for name in &told {
            let Some((name, tags)) = ALARMS.iter().find(|(alarm, _)| alarm == name) else {
                *facts.entry((*name).to_owned()).or_default() += 1;
                continue;
            };
            let word = words.entry(name).or_default();
            any = true;
            if tags.iter().any(|tag| label.tags.contains(*tag)) {
                (word.right, good) = (word.right + 1, true);
            } else {
                word.wrong += 1;
                word.elsewhere.insert(flow.file.clone());
            }
        }
        (alarmed, right) = (alarmed + u64::from(any), right + u64::from(good));
        false_flows += u64::from(any && !good && !label.attack);
        of_capture.entry(&flow.file).or_default().push(told);
    }
    let is_benign = |file: &String| corpus.labels.get(file).is_some_and(|l| !l.attack);
    let false_alarms = words.values().flat_map(|w| &w.elsewhere).filter(|f| is_benign(f)).count();
    let classes = CLASSES.iter().filter_map(|(tag, finders)| {
        let class = class(corpus, &of_capture, tag, finders);
        (class.captures > 0).then_some((*tag, class))
    });
    Detectors {
        classes: classes.collect(),
        words,
        facts,
        alarmed,
        right,
        benign: corpus.labels.values().filter(|l| !l.attack).count() as u64,
        false_alarms: false_alarms as u64,
        false_flows,
    }
}

fn class(
    corpus: &Corpus,
    of_capture: &BTreeMap<&str, Vec<BTreeSet<&str>>>,
    tag: &str,
    finders: &[&str],
) -> Class {
    let mut class = Class::default();
    for (file, _) in corpus.labels.iter().filter(|(_, l)| l.tags.contains(tag)) {
        let flows = of_capture.get(file.as_str()).map(Vec::as_slice).unwrap_or_default();
        let told = flows.iter().filter(|words| finders.iter().any(|w| words.contains(w))).count();
        class.captures += 1;
        class.found += u64::from(told > 0);
        class.flows += flows.len() as u64;
        class.told += told as u64;
    }
    class
}

/// The words on an event.
pub(super) fn behaviours(event: &Value) -> impl Iterator<Item = &str> {
    let words = event["ghost"]["behaviours"].as_array();
    words.into_iter().flatten().filter_map(Value::as_str)
}

impl Detectors {
    pub(super) fn scores(&self) -> Vec<Score> {
        let worst = self
            .words
            .iter()
            .filter(|(_, w)| w.wrong > 0)
            .map(|(name, w)| format!("{name} {}/{}", w.right, w.right + w.wrong));
        vec![
            Score {
                name: "detectors, precision by flow",
                value: share(self.right, self.alarmed),
                bound: Bound::AtLeast(0.9),
                told: format!(
                    "{} of {} flows with an alarm; not all right: {}",
                    self.right,
                    self.alarmed,
                    worst.collect::<Vec<_>>().join(", ")
                ),
            },
            Score {
                name: "false alarms a benign capture",
                value: share(self.false_alarms, self.benign),
                bound: Bound::AtMost(0.1),
                told: format!(
                    "{} words in {} captures, on {} flows",
                    self.false_alarms, self.benign, self.false_flows
                ),
            },
        ]
    }

    pub(super) fn print(&self) {
        println!("{:<22} {:>6} {:>6} {:>9}  wrong in", "alarm", "right", "wrong", "precision");
        for (name, word) in &self.words {
            let files: Vec<&str> = word.elsewhere.iter().map(String::as_str).collect();
            let precision = share(word.right, word.right + word.wrong);
            println!(
                "{name:<22} {:>6} {:>6} {precision:>9.3}  {}",
                word.right,
                word.wrong,
                files.join(" ")
            );
        }
        let facts = self.facts.iter().map(|(name, n)| format!("{name} {n}"));
        println!("facts, on flows: {}", facts.collect::<Vec<_>>().join(", "));
        println!(
            "\n{:<18} {:>8} {:>6} {:>13} {:>6}",
            "class", "captures", "found", "flows", "told"
        );
        for (tag, c) in &self.classes {
            println!(
                "{tag:<18} {:>8} {:>6} {:>13} {:>6}  {:.3}",
                c.captures,
                c.found,
                c.flows,
                c.told,
                share(c.told, c.flows)
            );
        }
        println!();
    }

    pub(super) fn json(&self) -> Value {
        let words = self.words.iter().map(|(name, w)| {
            json!({"word": name, "right": w.right, "wrong": w.wrong, "wrong_in": w.elsewhere})
        });
        let classes = self.classes.iter().map(|(tag, c)| {
            json!({"class": tag, "captures": c.captures, "found": c.found, "flows": c.flows,
                   "told": c.told})
        });
        json!({"words": words.collect::<Vec<_>>(), "classes": classes.collect::<Vec<_>>(),
               "facts": self.facts, "benign_captures": self.benign})
    }
}

#[expect(clippy::cast_precision_loss, reason = "thousands")]
fn share(part: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { part as f64 / all as f64 }
}

#[cfg(test)]
mod tests {
    use super::super::corpus::Label;
    use super::*;

    #[test]
    fn a_word_is_right_by_its_captures_tags_and_a_fact_is_no_alarm() {
        let mut corpus = Corpus::default();
        let label = |attack, tag: &str| Label {
            attack,
            tags: [tag.to_owned()].into(),
            source: String::new(),
        };
        corpus.labels.insert("a".into(), label(true, "scan"));
        corpus.labels.insert("b".into(), label(false, "web"));
        let seen = |file: &str, words: &[&str]| Seen {
            file: file.into(),
            event: json!({"ghost": {"behaviours": words}}),
        };
        let flows = [
            seen("a", &["port_scan", "stealth_scan", "refused"]),
            seen("a", &[]),
            seen("b", &["port_scan"]),
            seen("b", &["new_device"]),
        ];
        let told = compare(&corpus, &flows);
        assert_eq!((told.alarmed, told.right, told.false_alarms, told.false_flows), (2, 1, 1, 1));
        assert_eq!((told.words["port_scan"].right, told.words["port_scan"].wrong), (1, 1));
        assert_eq!(told.facts["new_device"], 1);
        let (tag, scan) = &told.classes[0];
        assert_eq!((*tag, scan.captures, scan.found, scan.flows, scan.told), ("scan", 1, 1, 2, 1));
    }
}
