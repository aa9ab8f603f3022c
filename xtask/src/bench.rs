//! `bench`: one benchmark, its peer beside it in the same run, against the floors we promise.
//!
//! The floors are read from SPECIFICATION.md, so a promise can't be softened here. A row that the
//! specification names and the run did not bring counts as missed. Figures hold for the machine
//! that is named with them and for nothing else.

mod floors;
mod import;
mod live;
mod load;
mod log;
mod ship;
mod soak;
mod tap;

use serde_json::{Value, json};

use crate::Done;
use crate::args::Args;
use crate::sh::{self, Outcome, cargo};
use floors::{Floor, Limit};

pub(crate) use tap::generate;

/// Every benchmark.
pub(crate) const NAMES: &[&str] =
    &["headers", "embed", "meaning", "log", "query", "import", "tap", "live", "ship"];

/// One measured figure.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    name: String,
    value: f64,
    unit: String,
    peer: Option<String>,
    peer_value: Option<f64>,
}

impl Row {
    /// A figure, and beside it the peer's name and figure where there is one.
    fn new(name: &str, value: f64, unit: &str, peer: Option<(&str, f64)>) -> Row {
        Row {
            name: name.to_owned(),
            value,
            unit: unit.to_owned(),
            peer: peer.map(|(name, _)| name.to_owned()),
            peer_value: peer.map(|(_, value)| value),
        }
    }
}

/// The middle one; of an even number the upper of the two.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A row joined with what is promised of it.
#[derive(Debug)]
struct Judged {
    row: Row,
    floor: Option<Limit>,
    ok: bool,
}

pub(crate) fn run(mut args: Args) -> Done {
    let json = args.flag("--json");
    let file = args.value("--file")?;
    let only = args.value("--only")?;
    let name = args.word().ok_or_else(|| format!("name one of {NAMES:?}, or all"))?;
    if name == "soak" {
        return soak::run(args);
    }
    args.done()?;
    let names: Vec<&str> = match NAMES.iter().find(|n| **n == name) {
        Some(name) => vec![*name],
        None if name == "all" => NAMES.to_vec(),
        None => {
            return Err(format!("no benchmark is called {name:?}; there are {NAMES:?} and all"));
        }
    };
    if file.is_some() && !matches!(name.as_str(), "import" | "log" | "all") {
        return Err(
            "--file names the capture of `bench import`, or the folder of `bench log`".into()
        );
    }
    if only.is_some() && !matches!(name.as_str(), "tap" | "live" | "log" | "ship") {
        return Err("--only names parts of `bench tap`, `live`, `log` or `ship`".into());
    }
    let floors = floors::read(&sh::read(&sh::root().join("SPECIFICATION.md"))?)?;
    let folder = file.as_deref().filter(|_| names == ["log"]);
    let mut missed = Vec::new();
    for name in names.iter().copied() {
        let rows = match name {
            "import" => import::rows(file.as_deref())?,
            "tap" => tap::rows(only.as_deref())?,
            "live" => live::rows(only.as_deref())?,
            "log" => log::rows(only.as_deref(), folder)?,
            "ship" => ship::rows(only.as_deref())?,
            _ => program_rows(name)?,
        };
        let (judged, mut missing) = judge(name, rows, &floors);
        if only.is_some() {
            // Rows that were not asked for are not missing.
            missing.clear();
        }
        if json {
            println!("{}", as_json(name, &judged, &missing));
        } else {
            print(name, &judged, &missing);
        }
        missed.extend(judged.iter().filter(|j| !j.ok).map(|j| format!("{name}: {}", j.row.name)));
        missed.extend(missing.into_iter().map(|row| format!("{name}: no row {row}")));
    }
    if missed.is_empty() { Ok(()) } else { Err(format!("floors missed: {}", missed.join(", "))) }
}

/// The rows that a bench program prints, one JSON object a line.
fn program_rows(name: &str) -> Outcome<Vec<Row>> {
    let package = match name {
        "headers" => "ghost-wire",
        "embed" => "ghost-embed",
        "meaning" => "ghost-flow",
        "log" => "ghost-log",
        _ => "ghost-index",
    };
    let mut bench = cargo();
    bench.args(["bench", "--quiet", "--package", package, "--bench", name]);
    let printed = sh::output(&mut bench)?;
    let rows = parse_rows(&printed)?;
    if rows.is_empty() { Err(format!("{name} printed no row:\n{printed}")) } else { Ok(rows) }
}

fn parse_rows(printed: &str) -> Outcome<Vec<Row>> {
    let objects = printed.lines().map(str::trim).filter(|l| l.starts_with('{'));
    objects
        .map(|line| {
            let value: Value = serde_json::from_str(line).map_err(|e| format!("{e} in {line}"))?;
            let text = |key: &str| value[key].as_str().map(str::to_owned);
            Ok(Row {
                name: text("name").ok_or_else(|| format!("a row without name: {line}"))?,
                value: value["value"].as_f64().ok_or_else(|| format!("no value: {line}"))?,
                unit: text("unit").unwrap_or_default(),
                peer: text("peer").filter(|p| !p.is_empty()),
                peer_value: value["peer_value"].as_f64(),
            })
        })
        .collect()
}

/// Joins rows with their floors; also the promised rows that did not come.
fn judge(bench: &str, rows: Vec<Row>, floors: &[Floor]) -> (Vec<Judged>, Vec<String>) {
    let ours: Vec<&Floor> = floors.iter().filter(|f| f.bench == bench).collect();
    let missing = ours.iter().filter(|f| rows.iter().all(|r| r.name != f.row));
    let missing = missing.map(|f| f.row.clone()).collect();
    let judged = rows.into_iter().map(|row| {
        let floor = ours.iter().find(|f| f.row == row.name).map(|f| f.limit.clone());
        let ok = floor.as_ref().is_none_or(|f| f.holds(row.value, row.peer_value, &row.unit));
        Judged { row, floor, ok }
    });
    (judged.collect(), missing)
}

fn print(name: &str, judged: &[Judged], missing: &[String]) {
    println!("{name} on {}", machine());
    println!("{:<34} {:>12} {:<11} {:<26} {:>12}  {:<16}", "", "ours", "", "peer", "", "floor");
    for Judged { row, floor, ok } in judged {
        let peer_value = row.peer_value.map(figure).unwrap_or_default();
        let floor_shown = floor.as_ref().map(ToString::to_string).unwrap_or_default();
        let verdict = match (floor, ok) {
            (None, _) => "",
            (Some(_), true) => "ok",
            (Some(_), false) => "MISSED",
        };
        println!(
            "{:<34} {:>12} {:<11} {:<26} {peer_value:>12}  {floor_shown:<16} {verdict}",
            row.name,
            figure(row.value),
            row.unit,
            row.peer.as_deref().unwrap_or_default(),
        );
    }
    for row in missing {
        println!("{row:<34} MISSING: promised in SPECIFICATION.md, not measured in this run");
    }
    println!();
}

/// Four significant digits.
fn figure(value: f64) -> String {
    match value.abs() {
        v if v >= 1000.0 => format!("{value:.0}"),
        v if v >= 100.0 => format!("{value:.1}"),
        v if v >= 10.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn as_json(name: &str, judged: &[Judged], missing: &[String]) -> Value {
    let measured = judged.iter().map(|Judged { row, floor, ok }| {
        json!({
            "name": row.name, "value": row.value, "unit": row.unit,
            "peer": row.peer, "peer_value": row.peer_value,
            "floor": floor.as_ref().map(ToString::to_string), "ok": ok,
        })
    });
    let absent = missing.iter().map(|row| {
        json!({
            "name": row, "value": null, "unit": null, "peer": null, "peer_value": null,
            "floor": null, "ok": false,
        })
    });
    let rows: Vec<Value> = measured.chain(absent).collect();
    json!({"bench": name, "machine": machine(), "rows": rows})
}

/// What the figures were measured on.
fn machine() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|l| l.strip_prefix("model name")).unwrap_or("?");
    let model = model.trim_start_matches([' ', '\t', ':']);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{model}, {cores} cores, Linux {}", kernel.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floors() -> Vec<Floor> {
        floors::read(
            "| Promise | Number | Held by |\n\
             | a | ≤ 25 ns | bench `headers` row `parse` |\n\
             | b | ≤ 0.5 x peer | bench `headers` row `gone` |\n",
        )
        .unwrap()
    }

    fn row(value: f64) -> Row {
        let printed = format!("noise\n{{\"name\":\"parse\",\"value\":{value},\"unit\":\"ns\"}}\n");
        parse_rows(&printed).unwrap().remove(0)
    }

    #[test]
    fn a_floor_that_is_missed_and_a_row_that_did_not_come_are_both_told() {
        let (judged, missing) = judge("headers", vec![row(26.0)], &floors());
        assert!(!judged[0].ok);
        assert_eq!(missing, ["gone"]);
        let (judged, _) = judge("headers", vec![row(24.0)], &floors());
        assert!(judged[0].ok);
    }

    #[test]
    fn the_floors_of_another_benchmark_do_not_bind() {
        let (judged, missing) = judge("log", vec![row(1e9)], &floors());
        assert!(judged[0].ok && missing.is_empty());
    }

    #[test]
    fn a_row_without_a_value_is_an_error() {
        assert!(parse_rows("{\"name\":\"x\"}").is_err());
    }
}
