//! From a flow's first packet to its being found by a question, beside other traffic.

use std::time::{Duration, Instant};

use ghost_lab::Frame;
use ghost_lab::generate::Traffic;

use super::daemon::Daemon;
use super::stand::{Stand, TARGET_MAC};
use crate::bench::Row;
use crate::sh::Outcome;

const TRIALS: u16 = 120;
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two questions of one trial.
const AGAIN: Duration = Duration::from_millis(5);
const FIRST_PORT: u16 = 20_000;
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 0x51];

pub(super) fn rows() -> Outcome<Vec<Row>> {
    let stand = Stand::new()?;
    let daemon = Daemon::start(&stand, &[])?;
    let beside = Traffic {
        size: 100,
        flows: 1_000,
        frames_a_flow: 20,
        answered: true,
        rate: Some(20_000),
        seconds: 45.0,
        ..Traffic::default()
    };
    let mut times = std::thread::scope(|scope| {
        let load = scope.spawn(|| stand.send(&beside));
        trials(&stand, &daemon, || load.is_finished())
    })?;
    daemon.end()?;
    times.sort_by(f64::total_cmp);
    let at = |part: usize| times.get((times.len() * part / 100).min(times.len() - 1)).copied();
    let (Some(p50), Some(p99)) = (at(50), at(99)) else { return Err("no trial".into()) };
    eprintln!("  {} trials: p50 {p50:.0} ms, p99 {p99:.0} ms", times.len());
    Ok(vec![Row::new("findable_p99", p99, "ms", Some(("p50", p50)))])
}

/// Milliseconds of each trial.
fn trials(stand: &Stand, daemon: &Daemon, over: impl Fn() -> bool) -> Outcome<Vec<f64>> {
    let mut times = Vec::new();
    for port in FIRST_PORT..FIRST_PORT + TRIALS {
        if over() {
            return Err(format!("findable: only {} trials while the load ran", times.len()));
        }
        let frame =
            Frame::new(TARGET_MAC, MAC).udp4(([10, 99, 0, 1], port), ([10, 99, 0, 2], 7), b"x");
        let question = format!("host:10.99.0.1 port:{port}");
        let begun = Instant::now();
        stand.send_frames(std::slice::from_ref(&frame))?;
        while !daemon.finds(&question)? {
            if begun.elapsed() > PATIENCE {
                return Err(format!("findable: {question} is not found after 5 s"));
            }
            std::thread::sleep(AGAIN);
        }
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times)
}
