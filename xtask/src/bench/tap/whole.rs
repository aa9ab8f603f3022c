//! What real programs see of a tap: TCP by iperf3 and by digest, ping, and a killed daemon.

use std::time::Duration;

use serde_json::Value;

use super::rate;
use super::rig::{Mode, Rig, Switch};
use crate::bench::{Row, median};
use crate::sh::Outcome;

type Part = fn(usize) -> Outcome<Vec<Row>>;

/// Each part by its name.
pub(super) const PARTS: &[(&str, Part)] = &[("tcp", tcp), ("ping", ping), ("kill", kill)];

const TCP_SECONDS: &str = "2";
/// Each way, compared by digest.
const TRANSFER_BYTES: u64 = 64 << 20;
const PINGS: &str = "1000";
const PATIENCE: Duration = Duration::from_secs(30);
/// Frames that pass while the daemon is killed, and how fast.
const KILL_FRAMES: u64 = 100_000;
const KILL_RATE: u64 = 50_000;

/// TCP with default offloads: bare and tapped in turn.
fn tcp(rounds: usize) -> Outcome<Vec<Row>> {
    let (mut bare, mut ghost, mut inline) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        for (switch, mode, speeds) in [
            (Switch::Bridge, None, &mut bare),
            (Switch::Bridge, Some(Mode::Ghost), &mut ghost),
            (Switch::Nothing, Some(Mode::Inline), &mut inline),
        ] {
            let rig = Rig::new(switch)?;
            let program = mode.map(|mode| rig.tap_anywhere(mode)).transpose()?;
            speeds.push(iperf(&rig)?);
            // A digest that differs is an error.
            ghost_lab::transfer(&rig.source, &rig.sink, rig.address(), TRANSFER_BYTES)
                .map_err(|e| format!("{switch:?} {mode:?}: {e}"))?;
            eprintln!("  {switch:?} {mode:?}: {:.2} Gbit/s", speeds.last().unwrap_or(&0.0));
            drop(program);
        }
    }
    let bare = median(&bare);
    Ok(vec![
        Row::new(
            "ghost_bridge_tcp",
            median(&ghost),
            "Gbit/s",
            Some(("the same bridge bare", bare)),
        ),
        Row::new("inline_tcp", median(&inline), "Gbit/s", Some(("Linux bridge, nf off", bare))),
    ])
}

/// Gigabits a second from source to sink.
fn iperf(rig: &Rig) -> Outcome<f64> {
    let say = |e: ghost_lab::LabError| e.to_string();
    let server = rig
        .sink
        .spawn(&["nice", "-n", "-15", "iperf3", "-s", "-1", "--forceflush"])
        .map_err(say)?;
    let listens = || rig.sink.run(&["ss", "-ltn"]).is_ok_and(|sockets| sockets.contains(":5201"));
    ghost_lab::until("iperf3 to listen", Duration::from_secs(5), listens).map_err(say)?;
    let said = rig
        .source
        .run(&["nice", "-n", "-15", "iperf3", "-c", "10.77.0.2", "-t", TCP_SECONDS, "-J"])
        .map_err(say)?;
    let report: Value = serde_json::from_str(&said).map_err(|e| format!("iperf3: {e}"))?;
    server.wait(PATIENCE).map_err(say)?;
    let bits = report["end"]["sum_received"]["bits_per_second"].as_f64();
    bits.map(|bits| bits / 1e9).ok_or_else(|| format!("iperf3 measured nothing: {said}"))
}

/// The slowest hundredth of pings.
fn ping(rounds: usize) -> Outcome<Vec<Row>> {
    let (mut bare, mut ghost, mut inline) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        for (switch, mode, times) in [
            (Switch::Bridge, None, &mut bare),
            (Switch::Bridge, Some(Mode::Ghost), &mut ghost),
            (Switch::Nothing, Some(Mode::Inline), &mut inline),
        ] {
            let rig = Rig::new(switch)?;
            let _program = mode.map(|mode| rig.tap_anywhere(mode)).transpose()?;
            times.push(slowest_hundredth(&rig)?);
        }
    }
    let bare = median(&bare);
    Ok(vec![
        Row::new("ping_p99_ghost", median(&ghost), "us", Some(("the same bridge bare", bare))),
        Row::new("ping_p99_inline", median(&inline), "us", Some(("Linux bridge, nf off", bare))),
    ])
}

fn slowest_hundredth(rig: &Rig) -> Outcome<f64> {
    let argv = ["nice", "-n", "-15", "ping", "-i", "0.001", "-c", PINGS, "-W", "1", "10.77.0.2"];
    let said = rig.source.run(&argv).map_err(|e| e.to_string())?;
    let mut times: Vec<f64> = said
        .lines()
        .filter_map(|line| line.split_once("time=")?.1.split(' ').next()?.parse().ok())
        .collect();
    times.sort_by(f64::total_cmp);
    let at = times.len() * 99 / 100;
    times.get(at).map(|ms| ms * 1000.0).ok_or_else(|| format!("no ping came back:\n{said}"))
}

/// Frames lost when the daemon is killed under load.
fn kill(rounds: usize) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    for (name, switch, mode) in [
        ("kill_ghost", Switch::Bridge, Mode::Ghost),
        ("kill_fast", Switch::Nothing, Mode::Fast),
        ("kill_inline", Switch::Nothing, Mode::Inline),
    ] {
        let mut lost = 0;
        for _ in 0..rounds {
            let now = lost_by_kill(switch, mode).map_err(|e| format!("{name}: {e}"))?;
            eprintln!("  {name}: {now} of {KILL_FRAMES} lost");
            lost = lost.max(now);
        }
        let sent = ("sent", KILL_FRAMES as f64);
        rows.push(Row::new(name, lost as f64, "frames", Some(sent)));
    }
    Ok(rows)
}

fn lost_by_kill(switch: Switch, mode: Mode) -> Outcome<u64> {
    let rig = Rig::new(switch)?;
    let mut program = rig.tap(mode)?;
    let before = rig.arrived()?;
    let (frames, rate) = (KILL_FRAMES.to_string(), KILL_RATE.to_string());
    let words = ["--frames", &frames, "--rate", &rate, "--seconds", "10"];
    let mut generator = rate::start(&rig, &words)?;
    let arrived = || rig.arrived().map_or(0, |count| count - before);
    // Not waited for at the far end alone: a switch that loses some must not hold the run up.
    let half = || arrived() > KILL_FRAMES / 2 || !generator.runs();
    ghost_lab::until("half of the frames", PATIENCE, half).map_err(|e| e.to_string())?;
    if arrived() <= KILL_FRAMES / 2 {
        return Err(format!(
            "{} frames arrived before the kill: {}",
            arrived(),
            generator.output()
        ));
    }
    program.end("-KILL")?;
    let said = generator.wait(PATIENCE).map_err(|e| e.to_string())?;
    let sent: u64 = said.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0);
    if sent < KILL_FRAMES {
        return Err(format!("the generator sent {sent} of {KILL_FRAMES} frames"));
    }
    let _ = ghost_lab::until("the last frames", Duration::from_secs(1), || arrived() >= sent);
    Ok(sent.saturating_sub(arrived()))
}
