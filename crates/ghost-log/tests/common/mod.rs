//! A small world for a log: a disk in memory, a clock that stands still, events by number.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ghost_event::line::{ShapeLine, Tail, shape_body};
use ghost_event::{Priority, ShapeId, Tier, Vector};
use ghost_log::{Log, LogConfig, LogError, Recovery, Verdict, VerifyOptions, verify_on};
use ghost_world::{Disk, SimClock, SimDisk};

pub const DATA: &str = "/data";

pub fn config(segment_bytes: u64) -> LogConfig {
    LogConfig {
        segment_bytes,
        log_id: [0xab; 16],
        identity: "bridge.example".into(),
        key_seed: [0x5e; 32],
        holder: "pid 7".into(),
        ..LogConfig::default()
    }
}

pub fn disk_of(sim: &SimDisk) -> Arc<dyn Disk> {
    Arc::new(sim.clone())
}

pub fn clock() -> Arc<SimClock> {
    Arc::new(SimClock::new(1_795_154_200_000_000_000))
}

pub fn open(sim: &SimDisk, config: LogConfig) -> Result<(Log, Recovery), LogError> {
    Log::open_on(disk_of(sim), Path::new(DATA), config, clock())
}

/// Event number `i`: its text tells it, some are long.
pub fn event(i: u64) -> Vec<u8> {
    let pad = "x".repeat(usize::try_from(i * 37 % 300).unwrap());
    format!(
        "{{\"timestamp\":\"2026-11-20T05:56:{:02}.000000+0000\",\"flow_id\":{i},\
         \"event_type\":\"flow\",\"pad\":\"{pad}\",\"ghost\":{{\"v\":1,\"event\":{i}",
        i % 60
    )
    .into_bytes()
}

pub fn shape(id: u64, tier: Tier) -> Vec<u8> {
    let value = if tier == Tier::Full { 2 } else { 1 };
    let vector = Vector { components: vec![value; 8].into(), scale: 0.1, tier };
    let mut out = Vec::new();
    let tuple = format!("app=a{id}");
    shape_body(
        &mut out,
        &ShapeLine {
            id: ShapeId(id),
            tuple: &tuple,
            text: "an app",
            glossary: 1,
            model: "m",
            vector: &vector,
        },
    );
    out
}

/// Opens a log and appends events `from..to`, each of one of seven shapes.
pub fn fill(log: &mut Log, from: u64, to: u64) -> Result<(), LogError> {
    for i in from..to {
        log.shape(ShapeId(i % 7), &shape(i % 7, Tier::Fast))?;
        log.append(Priority::Low, Some(ShapeId(i % 7)), &event(i))?;
    }
    Ok(())
}

/// A log of `events` events in segments of about 4 kB, closed in order.
pub fn made(events: u64) -> SimDisk {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(4096)).unwrap();
    fill(&mut log, 0, events).unwrap();
    log.sync().unwrap();
    sim
}

/// Every file of the log, oldest first.
pub fn files(sim: &SimDisk) -> Vec<PathBuf> {
    let dir = Path::new(DATA).join("log/segments");
    let mut all: Vec<PathBuf> = sim.list(&dir).unwrap().iter().map(|n| dir.join(n)).collect();
    all.push(Path::new(DATA).join("log/events.jsonl"));
    all
}

/// The whole lines of a file.
pub fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect()
}

/// All lines of the log in order.
pub fn all_lines(sim: &SimDisk) -> Vec<Vec<u8>> {
    files(sim).iter().filter_map(|f| sim.bytes(f)).flat_map(|b| lines(&b)).collect()
}

/// Writes a file anew from lines.
pub fn put_lines(sim: &SimDisk, path: &Path, lines: &[Vec<u8>]) {
    sim.put(path, &lines.concat());
}

pub fn seq_of(line: &[u8]) -> u64 {
    Tail::of(line).unwrap().seq
}

/// The numbers of the events that a log holds, in order.
pub fn events_in(lines: &[Vec<u8>]) -> Vec<u64> {
    lines
        .iter()
        .filter_map(|line| {
            let json: serde_json::Value = serde_json::from_slice(line).ok()?;
            json.pointer("/ghost/event")?.as_u64()
        })
        .collect()
}

pub fn verdict(sim: &SimDisk) -> Verdict {
    verify_on(&disk_of(sim), Path::new(DATA), &VerifyOptions::default()).unwrap()
}

pub fn verdict_without_state(sim: &SimDisk) -> Verdict {
    let options = VerifyOptions { without_state: true, ..VerifyOptions::default() };
    verify_on(&disk_of(sim), Path::new(DATA), &options).unwrap()
}
