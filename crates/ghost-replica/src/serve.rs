//! One connection of a primary.

use std::os::fd::OwnedFd;
use std::sync::atomic::AtomicBool;

use ghost_ship::wire::{LogId, Refusal};
use ghost_world::Clock;

use crate::{Answer, Holdings};

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Of which log, where that was said.
    pub log: Option<LogId>,
    /// Why it was refused, by either side; nothing where it just ended.
    pub refusal: Option<Refusal>,
    /// What else was wrong, in words for a person.
    pub trouble: Option<String>,
}

/// Speaks with one primary until it hangs up, is refused, falls silent, or `stop` is set. Blocks.
#[must_use]
pub fn serve(
    conn_in: OwnedFd,
    conn_out: OwnedFd,
    holdings: &Holdings,
    asks: &dyn Answer,
    clock: &dyn Clock,
    stop: &AtomicBool,
) -> Ended {
    let _ = (conn_in, conn_out, holdings, asks, clock, stop);
    let trouble = Some("receiving is not there yet".to_owned());
    Ended { log: None, refusal: None, trouble }
}
