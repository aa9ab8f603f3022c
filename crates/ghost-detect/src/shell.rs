//! Shells and tunnels opened from the inside out.
//!
//! A reverse tunnel over SSH shows in its neighbours: while the session is open, the side that
//! opened it begins connections of its own to a service each time the session brings something
//! from the server. Only what lies within an open session counts, and only where the session's
//! server speaks of its own accord.
use std::net::IpAddr;

use ghost_event::{Behaviours, Features};

use crate::bounded::Bounded;

/// The shells' counters.
#[derive(Debug)]
pub(crate) struct Shells {
    sessions: Bounded<IpAddr, i64>,
}

impl Shells {
    pub(crate) fn new(max: usize) -> Shells {
        Shells { sessions: Bounded::new(max) }
    }

    pub(crate) fn started(&mut self, f: &Features) {
        if let Some(src) = f.src_ip
            && f.dst_port == 22
        {
            self.sessions.entry(src, || f.first.0);
        }
    }

    pub(crate) fn judge(&self, _f: &Features) -> Behaviours {
        Behaviours::NONE
    }
}
