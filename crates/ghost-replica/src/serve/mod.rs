//! One connection of a primary: what it says is kept and acknowledged, what it asks is answered.
//!
//! ```text
//! read ─▶ frames ─▶ tail: kept at once      ─▶ acknowledged
//!                ├▶ blocks ─▶ [queue] ─▶ block thread ─▶ verified, cosigned
//!                └▶ questions ─▶ [queue] ─▶ answering thread ─▶ parts
//! ```
//! Lines of the tail wait for no block: blocks are written and verified beside them. A connection
//! that takes more questions than its queue has room for is refused each further one.

mod answering;
mod blocks;
mod conn;
mod wake;

use std::os::fd::OwnedFd;
use std::sync::atomic::AtomicBool;

use ghost_ship::wire::{LogId, Refusal};
use ghost_world::Clock;

use crate::{Answer, Holdings};

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ended {
    /// Of which log, where that was said.
    pub log: Option<LogId>,
    /// Who it was, as it called itself.
    pub name: String,
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
    conn::serve(conn_in, conn_out, holdings, asks, clock, stop)
}
