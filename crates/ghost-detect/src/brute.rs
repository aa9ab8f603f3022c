//! Guessed passwords: many short sessions with a service that asks for one, or logins refused.

use std::net::IpAddr;

use ghost_event::{Behaviours, Features, Timestamp};

use crate::bounded::{Bounded, Window};

const WINDOW_NS: i64 = 120_000_000_000;
/// Short sessions of one source with one service within the window.
const SESSIONS: u32 = 8;
/// Refused logins of one source at one target within the window.
const REFUSALS: u32 = 8;
/// The same over HTTP and SIP, where a refusal is the usual first step of a login.
const ASKED_FIRST_REFUSALS: u32 = 15;
/// A session in which no more was done than to try.
const SESSION_BYTES: u64 = 12_000;
const SESSION_NS: u64 = 60_000_000_000;

/// Services that ask for a password in every session and do not show whether it was right. Mail
/// and databases are fetched from in many short sessions, and tell refusals in clear: there these
/// count. So they do for Kerberos, where a single login of a domain member is a dozen exchanges.
const ASKING: &[&str] =
    &["ssh", "rdp", "telnet", "rfb", "mssql", "oracle", "mongodb", "winrm", "rlogin", "tacacs"];

#[derive(Debug, Clone, Copy)]
struct Tries {
    sessions: Window<2>,
    refusals: Window<2>,
    count: u32,
}

impl Tries {
    fn new(ts: i64) -> Tries {
        Tries { sessions: Window::new(ts), refusals: Window::new(ts), count: 0 }
    }
}

/// The counters of tries, by source, target and port.
#[derive(Debug)]
pub(crate) struct Brutes {
    tries: Bounded<(IpAddr, IpAddr, u16), Tries>,
}

impl Brutes {
    pub(crate) fn new(pairs_max: usize) -> Brutes {
        Brutes { tries: Bounded::new(pairs_max) }
    }

    /// A login was refused in this flow.
    pub(crate) fn refused(&mut self, f: &Features, protocol: &[u8]) -> Behaviours {
        let asked_first = protocol.starts_with(b"http") || protocol.starts_with(b"sip");
        let (Some(src), Some(dst)) = (f.src_ip, f.dst_ip) else { return Behaviours::NONE };
        let Timestamp(ts) = f.last;
        let tries = self.tries.entry((src, dst, f.dst_port), || Tries::new(ts));
        tries.count = tries.count.wrapping_add(1);
        let limit = if asked_first { ASKED_FIRST_REFUSALS } else { REFUSALS };
        tries.refusals.add(ts, WINDOW_NS, &tries.count.to_be_bytes(), limit);
        if tries.refusals.verdict.is_some_and(|span| span.covers(ts, WINDOW_NS)) {
            Behaviours::BRUTE_FORCE
        } else {
            Behaviours::NONE
        }
    }

    /// A request was granted: whoever was refused before it did not guess.
    pub(crate) fn granted(&mut self, f: &Features) {
        let (Some(src), Some(dst)) = (f.src_ip, f.dst_ip) else { return };
        if let Some(tries) = self.tries.get_mut(&(src, dst, f.dst_port)) {
            tries.refusals.forget(f.last.0);
        }
    }

    /// What became of a flow.
    pub(crate) fn observe(&mut self, f: &Features) {
        let (Some(src), Some(dst)) = (f.src_ip, f.dst_ip) else { return };
        if tries_only(f) {
            let ts = f.first.0;
            let tries = self.tries.entry((src, dst, f.dst_port), || Tries::new(ts));
            let one = [
                f.src_port.to_be_bytes(),
                f.first.0.to_be_bytes()[6..].try_into().unwrap_or([0; 2]),
            ];
            tries.sessions.add(ts, WINDOW_NS, &one.concat(), SESSIONS);
        }
    }

    /// What the flow was part of.
    pub(crate) fn judge(&self, f: &Features) -> Behaviours {
        let (Some(src), Some(dst)) = (f.src_ip, f.dst_ip) else { return Behaviours::NONE };
        let Some(tries) = self.tries.get(&(src, dst, f.dst_port)) else { return Behaviours::NONE };
        let covers = |window: &Window<2>| {
            window.verdict.is_some_and(|span| span.covers(f.first.0, WINDOW_NS))
        };
        if (tries_only(f) && covers(&tries.sessions)) || covers(&tries.refusals) {
            Behaviours::BRUTE_FORCE
        } else {
            Behaviours::NONE
        }
    }
}

/// A session that asked for a password, was answered, and did little else.
fn tries_only(f: &Features) -> bool {
    ASKING.contains(&f.app)
        && f.to_client.payload_bytes > 0
        && f.to_server.payload_bytes > 0
        && f.to_client.payload_bytes + f.to_server.payload_bytes <= SESSION_BYTES
        && f.duration_ns() <= SESSION_NS
}
