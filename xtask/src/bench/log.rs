//! `bench log`: what the ledger costs, in time and on disk, each figure beside its peer.
//!
//! File systems are made for the run, in images on the disk of the target folder: btrfs with
//! `compress=zstd:3` and plain ext4. Ours is the real `ghost_log::Log`; beside it stand a loop of
//! `write` and `fdatasync`, and SQLite. They take turns in rounds, and medians count.

mod again;
mod groups;
mod seal;
mod size;

use super::Row;
use crate::sh::Outcome;

/// A part: its name, and what it measures. `--file` names the captures of `size`.
type Part = (&'static str, fn(Option<&str>) -> Outcome<Vec<Row>>);

/// In the order of a run.
const PARTS: &[Part] = &[
    ("line", |_| super::program_rows("log")),
    ("groups", groups::rows),
    ("seal", seal::rows),
    ("size", size::rows),
];

/// All parts, or those named in `only`.
pub(super) fn rows(only: Option<&str>, file: Option<&str>) -> Outcome<Vec<Row>> {
    if let Some(only) = only
        && let Some(strange) = only.split(',').find(|n| PARTS.iter().all(|(name, _)| name != n))
    {
        let names: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
        return Err(format!("bench log has no part {strange:?}; there are {names:?}"));
    }
    let chosen = |name: &str| only.is_none_or(|only| only.split(',').any(|part| part == name));
    let mut rows = Vec::new();
    for (name, part) in PARTS.iter().filter(|(name, _)| chosen(name)) {
        eprintln!("{name}");
        rows.extend(part(file)?);
    }
    Ok(rows)
}
