//! What sealing blocks costs whoever writes the log.

use ghost_lab::LoopFs;
use serde_json::Value;

use super::groups::{OPTIONS, lines, program};
use crate::bench::{Row, median};
use crate::sh::{self, Outcome, command};

const ROUNDS: usize = 3;
const SECONDS: &str = "30";
const IMAGE_BYTES: u64 = 2 << 30;

pub(super) fn rows(_: Option<&str>) -> Outcome<Vec<Row>> {
    if let Some(why) = LoopFs::missing_needs(&[]) {
        return Err(format!("bench log: {why}"));
    }
    let seal = program("ghost-block", "seal")?;
    let lines = lines(&program("ghost-log", "groups")?)?;
    let mut runs = Vec::new();
    for round in 0..ROUNDS {
        let fs = LoopFs::btrfs(IMAGE_BYTES, OPTIONS).map_err(|e| e.to_string())?;
        let mut run = command(&seal);
        run.arg(fs.path().join("data")).arg(&lines).arg(SECONDS);
        let printed = sh::output(&mut run)?;
        eprintln!("round {} of {ROUNDS}: {}", round + 1, printed.trim());
        let told: Value = serde_json::from_str(&printed).map_err(|e| format!("{e}: {printed}"))?;
        if told["deleted"].as_u64().unwrap_or(0) == 0 || told["retired"].as_u64().unwrap_or(0) == 0
        {
            return Err(format!("no block was deleted or no segment retired: {printed}"));
        }
        runs.push(told);
    }
    let all = |key: &str| -> Vec<f64> { runs.iter().filter_map(|r| r[key].as_f64()).collect() };
    let worst = |key: &str| all(key).into_iter().fold(0.0, f64::max);
    // The longest of our calls; a rotation is in the append that brings it.
    let stall = ["append_ms", "tick_ms", "seal_ms", "tend_ms"].map(worst);
    let stall = stall.into_iter().fold(0.0, f64::max);
    Ok(vec![
        Row::new("seal_p50", median(&all("p50_ms")), "ms", Some(("p99", median(&all("p99_ms"))))),
        Row::new("append_stall", stall, "ms", Some(("event behind time", worst("late_ms")))),
        Row::new("append_worst", worst("append_ms"), "ms", Some(("tick", worst("tick_ms")))),
        Row::new("seal_worst", worst("seal_ms"), "ms", Some(("tend", worst("tend_ms")))),
    ])
}
