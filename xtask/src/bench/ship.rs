//! `bench ship`: from append to verified on the replica, and what goes over the wire.
//!
//! Primary and replica each have a btrfs of their own in an image; between them stands a real SSH
//! server on loopback. Beside our two lanes the plain line takes its turns, `btrfs send -p | zstd |
//! ssh | btrfs receive`, and `rsync --append`. A time ends when this process has read the event on
//! the replica's disk, where another one wrote it.

mod bytes;
mod ours;
mod peers;
mod stand;
mod watch;

use super::Row;
use crate::sh::Outcome;

/// A part: its name, and what it measures.
type Part = (&'static str, fn() -> Outcome<Vec<Row>>);

const PARTS: &[Part] = &[("latency", latency), ("bytes", bytes::rows)];

/// Events of each design.
const EVENTS: usize = 200;
/// In how many turns.
const TURNS: usize = 5;

pub(super) fn rows(only: Option<&str>) -> Outcome<Vec<Row>> {
    if let Some(why) = stand::missing() {
        return Err(format!("bench ship: {why}"));
    }
    if let Some(only) = only
        && let Some(strange) = only.split(',').find(|n| PARTS.iter().all(|(name, _)| name != n))
    {
        let names: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
        return Err(format!("bench ship has no part {strange:?}; there are {names:?}"));
    }
    let chosen = |name: &str| only.is_none_or(|only| only.split(',').any(|part| part == name));
    let mut rows = Vec::new();
    for (name, part) in PARTS.iter().filter(|(name, _)| chosen(name)) {
        eprintln!("{name}");
        rows.extend(part()?);
    }
    Ok(rows)
}

/// Milliseconds of one design, event by event.
#[derive(Debug, Default)]
struct Times(Vec<f64>);

impl Times {
    /// The value below which so many of a hundred are.
    fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(at).copied().unwrap_or(f64::NAN)
    }
}

fn latency() -> Outcome<Vec<Row>> {
    let stand = stand::Stand::new(2 << 30)?;
    let mut ours = ours::Ours::start(&stand, "")?;
    let mut plain = peers::Plain::new(&stand)?;
    let mut rsync = peers::Rsync::new(&stand)?;
    let (mut tail, mut block) = (Times::default(), Times::default());
    let (mut plainly, mut synced) = (Times::default(), Times::default());
    for turn in 0..TURNS {
        eprintln!("turn {} of {TURNS}", turn + 1);
        for _ in 0..EVENTS.div_ceil(TURNS) {
            let both = ours.event()?;
            tail.0.push(both.tail_ms);
            block.0.push(both.block_ms);
        }
        for _ in 0..EVENTS.div_ceil(TURNS) {
            plainly.0.push(plain.event()?);
        }
        for _ in 0..EVENTS.div_ceil(TURNS) {
            synced.0.push(rsync.event()?);
        }
        for (name, times) in
            [("tail", &tail), ("block", &block), ("plain line", &plainly), ("rsync", &synced)]
        {
            eprintln!(
                "  {name}: p50 {:.2} ms, p99 {:.2} ms of {}",
                times.percentile(50),
                times.percentile(99),
                times.0.len()
            );
        }
    }
    ours.compare()?;
    let line = |percent| Some(("btrfs send|zstd|ssh|receive", plainly.percentile(percent)));
    let copy = |percent| Some(("rsync --append", synced.percentile(percent)));
    Ok(vec![
        Row::new("tail_p50", tail.percentile(50), "ms", line(50)),
        Row::new("tail_p99", tail.percentile(99), "ms", line(99)),
        Row::new("tail_p50_rsync", tail.percentile(50), "ms", copy(50)),
        Row::new("block_p50", block.percentile(50), "ms", line(50)),
        Row::new("block_p99", block.percentile(99), "ms", line(99)),
        Row::new("block_p50_rsync", block.percentile(50), "ms", copy(50)),
    ])
}
