//! Anomalies on mixes of real captures: what the program alerts and how it ranks every flow.
//!
//! Each mix is made by the corpus's own `mix.py`, imported as one capture with the live daemon's
//! timeouts, and read back by `ghostbridge anomalies --all -o jsonl`. Beside it, on the very same
//! flows: an isolation forest and a robust z by service, which learn on the quiet part, and the
//! customary rule of a cosine below 0.7.

mod rivals;
mod score;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::program::{Program, parse_lines};
use super::retrieval::{flow_key, mean, protocol};
use super::{Bound, Score};
use crate::sh::{self, Outcome};
use rivals::{Deviations, Forest, Row};
use score::{Laid, Measured, Told, Truth};

/// The quiet beginning of a mix.
const QUIET_S: f64 = 400.0;
/// What the mixer starts its clock at.
const START_S: f64 = 1_700_000_000.0;

/// Where mixes come from and go to.
#[derive(Debug)]
pub(super) struct Mixes<'a> {
    pub(super) mixer: PathBuf,
    pub(super) set: String,
    pub(super) seeds: RangeInclusive<u32>,
    pub(super) work: &'a Path,
    /// `alerts.jsonl` of each seed goes below this folder.
    pub(super) out: &'a Path,
}

/// One seed's figures.
#[derive(Debug)]
pub(super) struct Seed {
    seed: u32,
    /// Every scored flow, by who scored.
    all: BTreeMap<&'static str, Measured>,
    /// What was alerted, by whom.
    alerts: BTreeMap<&'static str, Measured>,
    false_incidents: BTreeMap<&'static str, usize>,
}

const OURS: &str = "this";
const FOREST: &str = "isolation forest";
const DEVIATION: &str = "robust z by service";
/// The program's own way, and others of its ways that are measured beside it; a rule is asked of
/// what was imported last.
const WAYS: &[(&str, Way)] = &[
    (OURS, Way::Own),
    ("cosine below 0.7", Way::Rule("cosine:0.7")),
    ("this, nothing is new", Way::Configured("[anomalies]\nnovelty = false\n")),
];

/// How the program is told to score.
#[derive(Debug, Clone, Copy)]
enum Way {
    Own,
    /// By a configuration, from the import on.
    Configured(&'static str),
    /// What was imported by its own way, scored anew by another rule.
    Rule(&'static str),
}

pub(super) fn run(mixes: &Mixes<'_>, binary: &Path) -> Outcome<Vec<Seed>> {
    let mut seeds = Vec::new();
    for seed in mixes.seeds.clone() {
        eprintln!("mix {seed}");
        seeds.push(one(mixes, binary, seed)?);
    }
    Ok(seeds)
}

fn one(mixes: &Mixes<'_>, binary: &Path, seed: u32) -> Outcome<Seed> {
    let folder = mixes.work.join("mix");
    sh::fresh_folder(&folder)?;
    let (capture, truth) = (folder.join("mix.pcap"), folder.join("truth.jsonl"));
    let mut mixer = sh::command("python3");
    mixer.arg(&mixes.mixer).arg(&mixes.set).arg(&capture).arg(&truth);
    mixer.args(["--seed", &seed.to_string()]);
    sh::output(&mut mixer).map_err(|e| format!("{e}\nmix.py needs python3 and PyPI's dpkt"))?;
    let laid: Vec<Laid> = parse_lines(&sh::read(&truth)?)?.iter().map(Laid::of).collect();
    let truth = Truth::new(&laid);
    let mut out = Seed {
        seed,
        all: BTreeMap::new(),
        alerts: BTreeMap::new(),
        false_incidents: BTreeMap::new(),
    };
    for (name, way) in WAYS {
        let events = scored(binary, &folder, &capture, *way)?;
        let told: Vec<Told> = events.iter().filter_map(of_event).collect();
        out.all.insert(name, truth.measure(&told));
        let alerted: Vec<&Value> = events.iter().filter(|e| e["ghost"]["alert"] == true).collect();
        let alerts: Vec<Told> = alerted.iter().filter_map(|e| of_event(e)).collect();
        out.alerts.insert(name, truth.measure(&alerts));
        out.false_incidents.insert(name, false_incidents(&truth, &alerted));
        if *name == OURS {
            rivals(&truth, &events, &mut out);
            write(&mixes.out.join(format!("seed-{seed}")), &events, &mixes.work.join("mix"))?;
        }
    }
    Ok(out)
}

/// Every scored flow of a mix; it is imported into a fresh data folder where that is needed.
fn scored(binary: &Path, folder: &Path, capture: &Path, way: Way) -> Outcome<Vec<Value>> {
    let data = folder.join("data");
    let mut program = Program::new(binary, data.clone());
    let mut words = vec!["anomalies", "--all", "-o", "jsonl"];
    match way {
        Way::Own => sh::fresh_folder(&data)?,
        Way::Configured(text) => {
            let config = folder.join("config.toml");
            sh::write(&config, text)?;
            program.config = Some(config);
            sh::fresh_folder(&data)?;
        }
        Way::Rule(rule) => words.extend(["--rule", rule]),
    }
    if !matches!(way, Way::Rule(_)) {
        program.import(capture, &["--no-model"])?;
    }
    let events = program.ask(&words)?;
    if events.is_empty() {
        return Err("the program scored no flow".into());
    }
    Ok(events)
}

/// A scored flow's line; `None` below IP.
fn of_event(event: &Value) -> Option<Told> {
    let score = event["ghost"]["score"].as_f64()?;
    let at = [&event["ghost"]["alerted"], &event["timestamp"]];
    let ts = at.into_iter().find_map(|at| seconds(at.as_str()?))?;
    Some(Told { ts, score, key: flow_key(event)? })
}

/// Seconds since 1970 of an event's time in UTC.
fn seconds(text: &str) -> Option<f64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let shifted = if month > 2 { year } else { year - 1 };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let era = shifted.div_euclid(400);
    let of_era = shifted - era * 400;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let whole = days * 86_400 + number(11..13)? * 3600 + number(14..16)? * 60;
    let fraction: String =
        text.get(17..)?.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    #[expect(clippy::cast_precision_loss, reason = "seconds of this century")]
    let whole = whole as f64;
    Some(whole + fraction.parse::<f64>().ok()?)
}

/// Incidents none of whose alerted flows belongs to an attack.
fn false_incidents(truth: &Truth<'_>, alerted: &[&Value]) -> usize {
    let mut right = BTreeSet::new();
    let mut all = BTreeSet::new();
    for event in alerted {
        let id = event["ghost"]["incident"]["id"].as_str().unwrap_or_default().to_owned();
        if flow_key(event).is_some_and(|key| truth.is_attack(&key)) {
            right.insert(id.clone());
        }
        all.insert(id);
    }
    all.difference(&right).count()
}

/// What others make of the same flows.
fn rivals(truth: &Truth<'_>, events: &[Value], out: &mut Seed) {
    let flows: Vec<(Told, Row)> =
        events.iter().filter_map(|e| Some((of_event(e)?, Row::of(e)))).collect();
    let quiet = flows.iter().filter(|(told, _)| told.ts < START_S + QUIET_S);
    let quiet: Vec<Row> = quiet.map(|(_, row)| row.clone()).collect();
    let (forest, deviations) = (Forest::learn(&quiet), Deviations::learn(&quiet));
    let by = |score: &dyn Fn(&Row) -> f64| -> Vec<Told> {
        flows.iter().map(|(told, row)| Told { score: score(row), ..told.clone() }).collect()
    };
    out.all.insert(FOREST, truth.measure(&by(&|row| forest.score(row))));
    out.all.insert(DEVIATION, truth.measure(&by(&|row| deviations.score(row))));
}

/// `scored.jsonl`, `alerts.jsonl` and the mix's truth, for `score_anomaly.py`.
fn write(folder: &Path, events: &[Value], mix: &Path) -> Outcome<()> {
    std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let (mut all, mut alerts) = (String::new(), String::new());
    for event in events {
        let Some(told) = of_event(event) else { continue };
        let line = json!({"ts": told.ts, "score": told.score, "tuple": tuple(event)});
        let _ = writeln!(all, "{line}");
        if event["ghost"]["alert"] == true {
            let _ = writeln!(alerts, "{line}");
        }
    }
    sh::write(&folder.join("scored.jsonl"), all)?;
    sh::write(&folder.join("alerts.jsonl"), alerts)?;
    sh::write(&folder.join("truth.jsonl"), sh::read(&mix.join("truth.jsonl"))?)
}

/// Source, its port, target, its port, protocol, as the corpus writes a flow.
pub(super) fn tuple(event: &Value) -> Value {
    let proto = protocol(event).unwrap_or(0);
    let port = |name: &str| match proto {
        6 | 17 | 132 => event[name].as_u64().unwrap_or(0),
        _ => 0,
    };
    json!([event["src_ip"], port("src_port"), event["dest_ip"], port("dest_port"), proto])
}

/// The means over the seeds.
pub(super) fn scores(seeds: &[Seed]) -> Vec<Score> {
    let over = |of: &dyn Fn(&Seed) -> f64| mean(&seeds.iter().map(of).collect::<Vec<_>>());
    let all = |name: &'static str, of: fn(&Measured) -> f64| {
        over(&|seed: &Seed| seed.all.get(name).map_or(0.0, of))
    };
    let alerts = |of: fn(&Measured) -> f64| over(&|s: &Seed| s.alerts.get(OURS).map_or(0.0, of));
    let mut waits: Vec<f64> =
        seeds.iter().filter_map(|s| s.alerts.get(OURS).and_then(|m| m.median_s)).collect();
    waits.sort_by(f64::total_cmp);
    let (detected, attacks) = seeds
        .iter()
        .filter_map(|s| s.alerts.get(OURS))
        .fold((0, 0), |(detected, attacks), m| (detected + m.detected, attacks + m.attacks));
    let told = format!("{} mixes", seeds.len());
    let score = |name, value, bound| Score { name, value, bound, told: told.clone() };
    let mut out = vec![
        score("anomalies, macro AP", all(OURS, |m| m.macro_ap), Bound::AtLeast(0.55)),
        score("anomalies, macro AUC", all(OURS, |m| m.macro_auc), Bound::AtLeast(0.88)),
        score("false flows per 1,000 benign", alerts(|m| m.false_per_1000), Bound::AtMost(2.0)),
        score(
            "false incidents a mix",
            over(&|s: &Seed| score::number(s.false_incidents.get(OURS).copied().unwrap_or(0))),
            Bound::AtMost(1.0),
        ),
        score(
            "median seconds to first alert",
            waits.get(waits.len() / 2).copied().unwrap_or(f64::INFINITY),
            Bound::AtMost(10.0),
        ),
    ];
    if let Some(last) = out.last_mut() {
        last.told = format!("{told}, {detected} of {attacks} attacks alerted");
    }
    out
}

pub(super) fn print(seeds: &[Seed]) {
    let names: BTreeSet<&str> = seeds.iter().flat_map(|s| s.all.keys().copied()).collect();
    println!("macro AP / AUC of all scored flows; alerts: false flows per 1,000, false incidents");
    for name in names {
        let of = |get: &dyn Fn(&Seed) -> Option<f64>| {
            mean(&seeds.iter().filter_map(get).collect::<Vec<_>>())
        };
        let ap = of(&|s: &Seed| Some(s.all.get(name)?.macro_ap));
        let auc = of(&|s: &Seed| Some(s.all.get(name)?.macro_auc));
        print!("{name:<24} {ap:.3} / {auc:.3}");
        if seeds.iter().any(|s| s.alerts.contains_key(name)) {
            let wrong = of(&|s: &Seed| Some(s.alerts.get(name)?.false_per_1000));
            let incidents = of(&|s: &Seed| Some(score::number(*s.false_incidents.get(name)?)));
            let (found, of_all) = seeds
                .iter()
                .filter_map(|s| s.alerts.get(name))
                .fold((0, 0), |(found, all), m| (found + m.detected, all + m.attacks));
            print!("   {wrong:>6.2}  {incidents:>6.2}   {found} of {of_all} attacks alerted");
        }
        println!();
    }
    for seed in seeds {
        let (Some(all), Some(alerts)) = (seed.all.get(OURS), seed.alerts.get(OURS)) else {
            continue;
        };
        println!(
            "seed {:<3} {:.3} / {:.3}  false {:.2} per 1,000, {} incidents; {} of {} after {:.1} s; \
             not {}",
            seed.seed,
            all.macro_ap,
            all.macro_auc,
            alerts.false_per_1000,
            seed.false_incidents.get(OURS).copied().unwrap_or(0),
            alerts.detected,
            alerts.attacks,
            alerts.median_s.unwrap_or(f64::NAN),
            alerts.missed.join(" ")
        );
    }
    println!();
}

pub(super) fn json(seeds: &[Seed]) -> Value {
    let map = |of: &BTreeMap<&'static str, Measured>| {
        of.iter().map(|(name, m)| ((*name).to_owned(), m.json())).collect::<serde_json::Map<_, _>>()
    };
    let rows = seeds.iter().map(|s| {
        json!({"seed": s.seed, "all": map(&s.all), "alerts": map(&s.alerts),
               "false_incidents": s.false_incidents})
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_events_time_is_read_to_the_microsecond() {
        assert_eq!(seconds("2023-11-14T22:13:20.250000+0000"), Some(START_S + 0.25));
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0.0));
        assert_eq!(seconds("soon"), None);
    }

    #[test]
    fn an_incident_is_false_where_none_of_its_flows_is_an_attack() {
        let event = |port: u64, incident: &str| {
            json!({"src_ip": "10.0.0.1", "src_port": port, "dest_ip": "10.0.0.2", "dest_port": 22,
                   "proto": "TCP", "ghost": {"incident": {"id": incident}}})
        };
        let laid = [Laid::of(&json!({"file": "a", "attack": 1, "start": 0.0,
                                     "flows": [["10.0.0.1", 1, "10.0.0.2", 22, 6]]}))];
        let truth = Truth::new(&laid);
        let events = [event(1, "i1"), event(2, "i1"), event(3, "i2"), event(4, "i2")];
        assert_eq!(false_incidents(&truth, &events.iter().collect::<Vec<_>>()), 1);
    }
}
