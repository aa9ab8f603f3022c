//! The real clock, the real random source, and the wish to stop.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ghost_node::{Clock, RealClock, Timestamp};

use crate::outcome::Failed;

/// The moment.
pub(crate) fn now() -> Timestamp {
    Timestamp(RealClock.wall_ns())
}

/// Bytes that nobody can guess: a log's id, a key's seed.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Failed> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")
        .and_then(|mut f| f.read_exact(&mut bytes))
        .map_err(|e| Failed::new(format!("/dev/urandom: {e}")))?;
    Ok(bytes)
}

/// What is made from here on is for owner and group: files 0640, folders 0750.
pub(crate) fn narrow_permissions() {
    let others = rustix::fs::Mode::RWXO | rustix::fs::Mode::WGRP;
    rustix::process::umask(others);
}

/// A flag that SIGINT and SIGTERM raise; a second signal ends the program at once.
pub(crate) fn stop_flag() -> Result<Arc<AtomicBool>, Failed> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .map_err(|e| Failed::new(format!("signal {signal}: {e}")))?;
    }
    Ok(stop)
}

/// Whether the flag is up.
pub(crate) fn raised(stop: &AtomicBool) -> bool {
    stop.load(Ordering::Relaxed)
}
