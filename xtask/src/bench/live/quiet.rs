//! What it costs to hold many flows, and to do nothing.

use std::time::Duration;

use ghost_lab::generate::Traffic;

use super::daemon::Daemon;
use super::stand::Stand;
use crate::bench::Row;
use crate::sh::Outcome;

const FLOWS: u32 = 200_000;
const QUIET: Duration = Duration::from_secs(30);

/// Memory with 200,000 flows open at once.
pub(super) fn memory_200k() -> Outcome<Vec<Row>> {
    let stand = Stand::new()?;
    let daemon = Daemon::start(&stand, &[])?;
    let before = stand.came_in()?;
    let traffic = Traffic {
        size: 100,
        flows: FLOWS,
        answered: true,
        rate: Some(60_000),
        frames: 4 * u64::from(FLOWS),
        seconds: 60.0,
        ..Traffic::default()
    };
    let sent = stand.send(&traffic)?;
    let seen = daemon.settle(stand.came_in()? - before)?;
    let open = daemon.status()?["flows"]["open"].as_u64().unwrap_or(0);
    let (now, peak) = daemon.memory_mb()?;
    eprintln!(
        "  {} sent, {} seen, {} lost; {open} flows open; {now:.0} MB now, {peak:.0} MB at most",
        sent.frames, seen.seen, seen.lost
    );
    daemon.end()?;
    if open < u64::from(FLOWS) {
        return Err(format!("memory_200k: only {open} flows are open"));
    }
    Ok(vec![Row::new("memory_200k", peak, "MB", Some(("flows open", open as f64)))])
}

/// Share of a processor on a bridge where nothing happens.
pub(super) fn idle() -> Outcome<Vec<Row>> {
    let stand = Stand::new()?;
    let daemon = Daemon::start(&stand, &[])?;
    // The start is over, and what it had to write.
    std::thread::sleep(Duration::from_secs(5));
    let before = daemon.cpu_seconds()?;
    std::thread::sleep(QUIET);
    let used = daemon.cpu_seconds()? - before;
    let share = 100.0 * used / QUIET.as_secs_f64();
    let (now, _) = daemon.memory_mb()?;
    eprintln!("  {used:.2} s of a processor in {} s; {now:.0} MB", QUIET.as_secs());
    daemon.end()?;
    Ok(vec![Row::new("idle", share, "% of a core", None)])
}
