//! Shells and tunnels opened from the inside out.
//!
//! Two signals. An SSH session in which the side that opened it talks like a server: more bytes
//! out than in, in small pieces, for long: a tunnel back through it. And a host that was sent code
//! in a request, and within two minutes opens a talk of small pieces that no protocol explains,
//! or asks for objects at a port that is not a directory's: what the code made it do.

use std::net::IpAddr;

use ghost_event::{AppBy, Behaviours, Features, Proto};

use crate::bounded::Bounded;
use crate::facts::TCP;

/// An SSH session that could carry a tunnel, and what a key exchange alone sends.
const SESSION_NS: u64 = 30_000_000_000;
const SESSION_PACKETS: u64 = 100;
const EXCHANGE_BYTES: u64 = 2_000;
/// Mean bytes a packet; file transfers fill theirs.
const SMALL_BYTES: u64 = 300;
/// How long after the attack.
const AFTER_NS: i64 = 120_000_000_000;

/// When each host was last sent code.
#[derive(Debug)]
pub(crate) struct Shells {
    attacked: Bounded<IpAddr, i64>,
}

impl Shells {
    pub(crate) fn new(max: usize) -> Shells {
        Shells { attacked: Bounded::new(max) }
    }

    /// The flow's server was sent code.
    pub(crate) fn attacked(&mut self, f: &Features) {
        if let Some(dst) = f.dst_ip {
            let first = f.first.0;
            let at = self.attacked.entry(dst, || first);
            *at = (*at).max(f.last.0);
        }
    }

    /// What the flow was part of.
    pub(crate) fn judge(&self, f: &Features) -> Behaviours {
        if tunnels_back(f) {
            return Behaviours::REVERSE_SHELL;
        }
        let after = f.src_ip.and_then(|src| self.attacked.get(&src)).is_some_and(|at| {
            let since = f.first.0.saturating_sub(*at);
            (0..=AFTER_NS).contains(&since)
        });
        if !after || f.proto != Proto::Ip(TCP) {
            return Behaviours::NONE;
        }
        let directory = f.app == "ldap" && !matches!(f.dst_port, 389 | 636 | 3268 | 3269);
        if directory {
            return Behaviours::REMOTE_CODE;
        }
        let bytes = f.to_server.payload_bytes + f.to_client.payload_bytes;
        let talk = f.app_by != AppBy::Signature
            && f.to_client.payload_bytes > 0
            && f.to_server.payload_bytes > 0
            && f.packets() >= 10
            && bytes / f.packets().max(1) < SMALL_BYTES;
        if talk { Behaviours::REVERSE_SHELL } else { Behaviours::NONE }
    }
}

fn tunnels_back(f: &Features) -> bool {
    let out = f.to_server.payload_bytes.saturating_sub(EXCHANGE_BYTES);
    let back = f.to_client.payload_bytes.saturating_sub(EXCHANGE_BYTES);
    f.app == "ssh"
        && f.app_by == AppBy::Signature
        && f.duration_ns() >= SESSION_NS
        && f.packets() >= SESSION_PACKETS
        && out >= EXCHANGE_BYTES
        && out * 2 >= back * 3
        && out / f.to_server.packets.max(1) < SMALL_BYTES
}
