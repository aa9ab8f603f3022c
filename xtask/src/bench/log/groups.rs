//! Events a second by the size of the groups that are made durable together.
//!
//! Ours is `ghost_log::Log`; beside it a file that is written and synced a group, and SQLite. In
//! each round all have their turn on a file system that is made for the round, so that nobody meets
//! what others left behind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ghost_lab::LoopFs;
use serde_json::Value;

use crate::bench::{Row, median};
use crate::sh::{self, Outcome, cargo, command};

const ROUNDS: usize = 5;
/// How long each has its turn.
const TURN_MS: &str = "1500";
const GROUPS: [u32; 4] = [1, 10, 100, 1000];
const IMAGE_BYTES: u64 = 3 << 30;
pub(super) const OPTIONS: &str = "compress=zstd:3,noatime";
const FILE_SYSTEMS: [&str; 2] = ["btrfs", "ext4"];

/// Who has a turn: a file system, a name and a group.
type Turn = (&'static str, &'static str, u32);

pub(super) fn rows(_: Option<&str>) -> Outcome<Vec<Row>> {
    if let Some(why) = LoopFs::missing_needs(&[]) {
        return Err(format!("bench log: {why}"));
    }
    let ours = program("ghost-log", "groups")?;
    let sqlite = sqlite()?;
    let lines = lines(&ours)?;
    let mut rates: BTreeMap<Turn, Vec<f64>> = BTreeMap::new();
    for round in 0..ROUNDS {
        eprintln!("round {} of {ROUNDS}", round + 1);
        for system in FILE_SYSTEMS {
            let fs = match system {
                "btrfs" => LoopFs::btrfs(IMAGE_BYTES, OPTIONS),
                _ => LoopFs::ext4(IMAGE_BYTES),
            };
            let fs = fs.map_err(|e| e.to_string())?;
            for group in GROUPS {
                let mut turns = vec![("ours", &ours), ("floor", &ours)];
                if matches!(group, 1 | 100) {
                    turns.push(("sqlite", &sqlite));
                }
                // Who comes first changes from round to round.
                let first = round % turns.len();
                turns.rotate_left(first);
                for (who, program) in turns {
                    let folder = fs.path().join(format!("{who}-{group}"));
                    let mut run = command(program);
                    if who != "sqlite" {
                        run.arg(who);
                    }
                    run.arg(&folder).arg(&lines).arg(group.to_string()).arg(TURN_MS);
                    let printed = sh::output(&mut run)?;
                    let rate = printed.trim().parse();
                    let rate = rate.map_err(|_| format!("{who} printed {printed:?}"))?;
                    eprintln!("  {system} {who} {group}: {rate:.0} events/s");
                    rates.entry((system, who, group)).or_default().push(rate);
                    sh::run(command("rm").arg("-rf").arg(&folder))?;
                }
            }
        }
    }
    Ok(compared(&rates))
}

/// One row for each of ours beside each peer.
fn compared(rates: &BTreeMap<Turn, Vec<f64>>) -> Vec<Row> {
    let rate = |turn: Turn| rates.get(&turn).map(|rates| median(rates));
    let mut rows = Vec::new();
    for system in FILE_SYSTEMS {
        for group in GROUPS {
            let Some(ours) = rate((system, "ours", group)) else { continue };
            let floor = rate((system, "floor", group)).map(|r| ("fdatasync a group", r));
            rows.push(Row::new(&format!("group_{group}_{system}"), ours, "events/s", floor));
        }
        let hundred = rate((system, "ours", 100)).unwrap_or(f64::NAN);
        let one = rate((system, "ours", 1)).unwrap_or(f64::NAN);
        for (name, ours, peer, theirs) in [
            ("sqlite_100", hundred, "SQLite, 100 together", 100),
            ("sqlite_1", hundred, "SQLite, one by one", 1),
            ("sqlite_1_group_1", one, "SQLite, one by one", 1),
        ] {
            if let Some(theirs) = rate((system, "sqlite", theirs)) {
                let name = format!("{name}_{system}");
                rows.push(Row::new(&name, ours, "events/s", Some((peer, theirs))));
            }
        }
    }
    rows
}

/// Builds a benchmark's program, and says where it is.
pub(super) fn program(package: &str, bench: &str) -> Outcome<PathBuf> {
    let mut build = cargo();
    build.args(["bench", "--no-run", "--quiet", "--message-format=json"]);
    build.args(["--package", package, "--bench", bench]);
    let printed = sh::output(&mut build)?;
    let told = printed.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok());
    let ours = told.filter(|v| v["target"]["name"] == bench);
    let path = ours.filter_map(|v| v["executable"].as_str().map(PathBuf::from)).next_back();
    path.ok_or_else(|| format!("cargo did not say where the benchmark {bench} is"))
}

/// SQLite is built for this alone: nothing else of the project has it.
fn sqlite() -> Outcome<PathBuf> {
    sh::run(cargo().args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "xtask",
        "--features",
        "sqlite",
        "--bin",
        "sqlite-peer",
    ]))?;
    Ok(sh::target().join("release/sqlite-peer"))
}

/// The lines that everybody logs.
pub(super) fn lines(groups: &Path) -> Outcome<PathBuf> {
    let file = sh::target().join("bench/lines.jsonl");
    std::fs::create_dir_all(sh::target().join("bench"))
        .map_err(|e| format!("{}: {e}", file.display()))?;
    sh::output(command(groups).arg("write").arg(&file))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_stands_beside_each_peer_on_each_file_system() {
        let rates = BTreeMap::from([
            (("btrfs", "ours", 1), vec![10.0]),
            (("btrfs", "ours", 100), vec![900.0, 1000.0, 5000.0]),
            (("btrfs", "floor", 100), vec![1100.0]),
            (("btrfs", "sqlite", 1), vec![20.0]),
            (("btrfs", "sqlite", 100), vec![500.0]),
        ]);
        let rows = compared(&rates);
        let row = |name: &str| rows.iter().find(|r| r.name == name).unwrap();
        assert_eq!(
            (row("group_100_btrfs").value, row("group_100_btrfs").peer_value),
            (1000.0, Some(1100.0))
        );
        assert_eq!(
            (row("sqlite_1_btrfs").value, row("sqlite_1_btrfs").peer_value),
            (1000.0, Some(20.0))
        );
        assert_eq!(row("sqlite_1_group_1_btrfs").value, 10.0);
        assert_eq!(row("group_1_btrfs").peer_value, None);
        assert!(rows.iter().all(|r| !r.name.contains("ext4")));
    }
}
