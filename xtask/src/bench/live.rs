//! `bench live`: the real program on a bridge under load, from the first packet to the answer.
//!
//! A source, a bridge and a sink stand in namespaces; the generator has one processor, the whole
//! program the other, so that its figures are those of one consumer core. Every row that carries
//! load reads the log back afterwards: packets of its events, of its gaps and those counted as lost
//! must be, to the packet, what came in at the port. Nothing runs in real time; all is bounded.

mod daemon;
mod findable;
mod flood;
mod log;
mod quiet;
mod stand;
mod throughput;

use super::Row;
use crate::sh::{self, Outcome, cargo};

/// A part: its name, and what it measures.
type Part = (&'static str, fn() -> Outcome<Vec<Row>>);

/// In the order of a run. `soak` takes ten minutes and runs only where it is named.
const PARTS: &[Part] = &[
    ("live_300k", throughput::live_300k),
    ("live_20k_flows", throughput::live_20k_flows),
    ("live_packet_100k", throughput::live_packet_100k),
    ("findable_p99", findable::rows),
    ("memory_200k", quiet::memory_200k),
    ("idle", quiet::idle),
    ("flood", flood::rows),
    ("soak", throughput::soak),
];

pub(super) fn rows(only: Option<&str>) -> Outcome<Vec<Row>> {
    if let Some(why) = ghost_lab::missing_needs(&["nsenter", "taskset"]) {
        return Err(format!("bench live: {why}"));
    }
    let chosen = |name: &str| match only {
        Some(only) => only.split(',').any(|part| part == name),
        None => name != "soak",
    };
    if let Some(only) = only
        && let Some(strange) = only.split(',').find(|n| PARTS.iter().all(|(name, _)| name != n))
    {
        let names: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
        return Err(format!("bench live has no part {strange:?}; there are {names:?}"));
    }
    sh::run(cargo().args(["build", "--quiet", "--release", "--package", "ghostbridge"]))?;
    let mut rows = Vec::new();
    for (name, part) in PARTS.iter().filter(|(name, _)| chosen(name)) {
        eprintln!("{name}");
        rows.extend(part()?);
    }
    Ok(rows)
}
