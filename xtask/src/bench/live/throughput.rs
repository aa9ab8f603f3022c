//! Load at a known rate for a known time, without a packet unaccounted for.

use std::time::{Duration, Instant};

use ghost_lab::generate::Traffic;

use super::daemon::Daemon;
use super::log;
use super::stand::Stand;
use crate::bench::Row;
use crate::sh::Outcome;

const SECONDS: f64 = 60.0;
/// A generator that sends less than this part of its rate has not tested the row.
const RATE_LEAST: f64 = 0.98;

/// A load.
#[derive(Debug, Clone, Copy)]
struct Load {
    name: &'static str,
    packets_per_s: u64,
    flows_per_s: u64,
    per_packet: bool,
    seconds: f64,
}

pub(super) fn live_300k() -> Outcome<Vec<Row>> {
    carried(Load {
        name: "live_300k",
        packets_per_s: 300_000,
        flows_per_s: 5_000,
        per_packet: false,
        seconds: SECONDS,
    })
}

pub(super) fn live_20k_flows() -> Outcome<Vec<Row>> {
    carried(Load {
        name: "live_20k_flows",
        packets_per_s: 100_000,
        flows_per_s: 20_000,
        per_packet: false,
        seconds: SECONDS,
    })
}

pub(super) fn live_packet_100k() -> Outcome<Vec<Row>> {
    carried(Load {
        name: "live_packet_100k",
        packets_per_s: 100_000,
        flows_per_s: 1_000,
        per_packet: true,
        seconds: SECONDS,
    })
}

/// Ten minutes; memory after the last against memory after the second.
pub(super) fn soak() -> Outcome<Vec<Row>> {
    carried(Load {
        name: "soak",
        packets_per_s: 50_000,
        flows_per_s: 2_000,
        per_packet: false,
        seconds: 600.0,
    })
}

fn carried(load: Load) -> Outcome<Vec<Row>> {
    let seconds = shortened(load.seconds);
    let stand = Stand::new()?;
    let words: &[&str] = if load.per_packet { &["--granularity", "packet"] } else { &[] };
    let daemon = Daemon::start(&stand, words)?;
    let before = stand.came_in()?;
    let cpu = daemon.cpu_seconds()?;
    let traffic = Traffic {
        size: 100,
        // Each flow lives for a second.
        flows: u32::try_from(load.flows_per_s).unwrap_or(u32::MAX),
        frames_a_flow: u32::try_from(load.packets_per_s / load.flows_per_s).unwrap_or(1),
        answered: true,
        rate: Some(load.packets_per_s),
        seconds,
        ..Traffic::default()
    };
    let begun = Instant::now();
    let (sent, memory) = std::thread::scope(|scope| {
        let sender = scope.spawn(|| stand.send(&traffic));
        let mut memory = Vec::new();
        while !sender.is_finished() {
            std::thread::sleep(Duration::from_millis(500));
            memory.extend(daemon.memory_mb().ok().map(|(now, _)| (begun.elapsed(), now)));
        }
        (sender.join(), memory)
    });
    let sent = sent.map_err(|_| "the generator panicked".to_owned())??;
    let came_in = stand.came_in()? - before;
    let seen = daemon.settle(came_in)?;
    // What it had not yet read when the last frame was sent is work for those frames as well.
    let used = daemon.cpu_seconds()? - cpu;
    let status = daemon.status()?;
    let (_, peak) = daemon.memory_mb()?;
    let data = daemon.end()?;
    let held = log::read(&data, |_| {})?;
    let rate = sent.frames as f64 / sent.seconds;
    let loss = &status["loss"];
    let dropped =
        ["queue_packets", "log_packets"].iter().filter_map(|k| loss[*k].as_u64()).sum::<u64>();
    eprintln!(
        "  sent {} in {:.1} s ({rate:.0}/s), came in {came_in}, seen {}, lost {}, dropped behind \
         the tap {dropped}",
        sent.frames, sent.seconds, seen.seen, seen.lost
    );
    eprintln!("  log: {held}");
    eprintln!("  processor {:.1} %, memory at most {peak:.0} MB", 100.0 * used / sent.seconds);
    if rate < RATE_LEAST * load.packets_per_s as f64 {
        return Err(format!(
            "{}: only {rate:.0} of {} frames a second were sent: the machine is too busy",
            load.name, load.packets_per_s
        ));
    }
    if held.packets + held.gap_packets != came_in {
        return Err(format!(
            "{}: {came_in} came in, the log tells of {} and gaps of {}",
            load.name, held.packets, held.gap_packets
        ));
    }
    if load.per_packet && held.packet_events + seen.lost + dropped < came_in {
        return Err(format!(
            "{}: {came_in} came in, {} are events of their own",
            load.name, held.packet_events
        ));
    }
    let lost = seen.lost + dropped;
    let events = if load.per_packet { held.packet_events } else { held.flow_events };
    let mut rows = vec![
        Row::new(load.name, lost as f64, "packets lost", Some(("events read back", events as f64))),
        Row::new(
            &format!("{} processor", load.name),
            100.0 * used / sent.seconds,
            "% of a core",
            Some(("packets a second", rate)),
        ),
    ];
    if load.name == "soak" {
        rows.push(growth(&memory, peak));
    }
    Ok(rows)
}

/// By how much memory grew between the second and the last minute.
fn growth(memory: &[(Duration, f64)], peak: f64) -> Row {
    let end = memory.last().map_or(Duration::ZERO, |(at, _)| *at);
    let mean = |from: Duration, to: Duration| {
        let of: Vec<f64> =
            memory.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, mb)| *mb).collect();
        of.iter().sum::<f64>() / of.len().max(1) as f64
    };
    let minute = Duration::from_secs(60);
    let (early, late) = (mean(minute, 2 * minute), mean(end.saturating_sub(minute), end));
    Row::new("soak growth", late - early, "MB", Some(("peak", peak)))
}

/// For work on the benchmark itself a run may be made shorter; the time is told in the row's talk.
fn shortened(seconds: f64) -> f64 {
    let told = std::env::var("LIVE_SECONDS").ok().and_then(|s| s.parse::<f64>().ok());
    told.map_or(seconds, |told| told.clamp(1.0, seconds))
}
