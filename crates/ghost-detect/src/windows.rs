//! Administration of Windows machines that attackers use: remote execution and asked-for secrets.
//!
//! By the names of remote interfaces, calls (`interface.number`) and pipes, as dissectors tell
//! them. What else the two hosts say to each other by the same protocols within a minute belongs
//! to it: the name lookup and the logon before, the coerced logon back after. The interfaces are
//! also an administrator's: these behaviours say what was done, not who did it.

use std::net::IpAddr;

use ghost_event::{Behaviours, Features, Proto, Zone};

use crate::bounded::{Bounded, Span};
use crate::facts::TCP;
use crate::zone::zone;

/// Interfaces, pipes and calls that start a program elsewhere.
const EXECUTION: &[&str] = &[
    "svcctl",
    "atsvc",
    "itaskschedulerservice",
    "iwbemservices",
    "iwbemlevel1login",
    "psexesvc",
    "paexec",
    "remcom_communicaton",
    "remcom",
    "csexecsvc",
];

/// Calls that give away secrets, or make a server log in where it is told: replication of a
/// directory's secrets (drsuapi 3), change notices to a named host (spoolss 62, 65), encrypted
/// files (efsrpc), namespace roots (netdfs 12, 13), shadow copies, domain backup keys, and a
/// machine's password reset.
const SECRETS: &[&str] = &[
    "drsuapi.3",
    "spoolss.62",
    "spoolss.65",
    "efsrpc.0",
    "efsrpc.4",
    "efsrpc.5",
    "efsrpc.6",
    "efsrpc.7",
    "netdfs.12",
    "netdfs.13",
    "fssagentrpc.8",
    "fssagentrpc.9",
    "backupkey.0",
    "netlogon.30",
    "dsgetncchanges",
    "drsgetncchanges",
];

/// Files that hold secrets.
const SECRET_FILES: &[&str] =
    &["ntds.dit", "lsass.dmp", "lsass.zip", "\\sam.save", "\\system.save"];

/// Asks the endpoint mapper for everything it has, one answer at a time.
const LISTING: &str = "epmapper.2";
const LISTINGS: u64 = 50;

/// How far from the act the hosts' other talk belongs to it.
const AROUND_NS: i64 = 60_000_000_000;
/// Remote desktop sessions too short for a person, within the window, that got past the login.
const QUICK_NS: u64 = 30_000_000_000;
const QUICK_BYTES: u64 = 4_000;
const QUICK_SESSIONS: u32 = 2;
const QUICK_WINDOW_NS: i64 = 600_000_000_000;

#[derive(Debug, Clone, Copy, Default)]
struct Acts {
    execution: Option<Span>,
    secrets: Option<Span>,
    quick: Option<(Span, u32)>,
}

/// What was done between pairs of hosts.
#[derive(Debug)]
pub(crate) struct Intrusions {
    pairs: Bounded<(IpAddr, IpAddr), Acts>,
}

impl Intrusions {
    pub(crate) fn new(max: usize) -> Intrusions {
        Intrusions { pairs: Bounded::new(max) }
    }

    /// An interface, call, pipe or file was named.
    pub(crate) fn named(&mut self, f: &Features, value: &[u8]) -> Behaviours {
        let found = named(value);
        if !found.is_empty()
            && let Some(pair) = pair(f)
        {
            let acts = self.pairs.entry(pair, Acts::default);
            let ts = f.last.0;
            for (what, span) in [
                (Behaviours::LATERAL_MOVEMENT, &mut acts.execution),
                (Behaviours::CREDENTIAL_THEFT, &mut acts.secrets),
            ] {
                if found.contains(what) {
                    *span = Some(grown(*span, ts));
                }
            }
        }
        found
    }

    /// What became of a flow.
    pub(crate) fn observe(&mut self, f: &Features) {
        let Some(pair) = pair(f).filter(|_| quick_desktop(f)) else { return };
        let acts = self.pairs.entry(pair, Acts::default);
        let ts = f.first.0;
        acts.quick = Some(match acts.quick {
            Some((span, n)) if span.covers(ts, QUICK_WINDOW_NS) => {
                (grown(Some(span), ts), n.saturating_add(1))
            }
            _ => (Span { from: ts, to: ts }, 1),
        });
    }

    /// What the flow was part of.
    pub(crate) fn judge(&self, f: &Features) -> Behaviours {
        let mut found = Behaviours::NONE;
        if f.app == "dcerpc"
            && f.to_server.packets >= LISTINGS
            && f.names.all("ghost.commands").any(|c| c == LISTING)
        {
            found.insert(Behaviours::PORT_SCAN);
        }
        let Some(acts) = pair(f).and_then(|pair| self.pairs.get(&pair)) else { return found };
        let near = |span: Option<Span>| {
            span.is_some_and(|s| s.covers(f.first.0, AROUND_NS) || s.covers(f.last.0, AROUND_NS))
        };
        let windows = matches!(f.app, "smb" | "dcerpc" | "krb5" | "ldap" | "cldap" | "nbss");
        if windows && near(acts.execution) {
            found.insert(Behaviours::LATERAL_MOVEMENT);
        }
        if windows && near(acts.secrets) {
            found.insert(Behaviours::CREDENTIAL_THEFT);
        }
        let quick = acts.quick.filter(|(_, n)| *n >= QUICK_SESSIONS).map(|(span, _)| span);
        if f.app == "rdp" && f.duration_ns() <= QUICK_NS && near(quick) {
            found.insert(Behaviours::LATERAL_MOVEMENT);
        }
        found
    }
}

fn grown(span: Option<Span>, ts: i64) -> Span {
    span.map_or(Span { from: ts, to: ts }, |s| Span { from: s.from.min(ts), to: s.to.max(ts) })
}

/// The two hosts, lower address first.
fn pair(f: &Features) -> Option<(IpAddr, IpAddr)> {
    let (a, b) = (f.src_ip?, f.dst_ip?);
    Some((a.min(b), a.max(b)))
}

/// A remote desktop session between own hosts that passed the login and ended within seconds.
fn quick_desktop(f: &Features) -> bool {
    let inside = |a: Option<IpAddr>| a.is_some_and(|a| zone(a) == Zone::Internal);
    f.app == "rdp"
        && f.proto == Proto::Ip(TCP)
        && inside(f.src_ip)
        && inside(f.dst_ip)
        && f.duration_ns() <= QUICK_NS
        && f.to_client.payload_bytes >= QUICK_BYTES
        && f.to_server.payload_bytes >= QUICK_BYTES
}

/// What the name of an interface, call, pipe or file tells.
fn named(value: &[u8]) -> Behaviours {
    let mut found = Behaviours::NONE;
    let Ok(text) = std::str::from_utf8(value) else { return found };
    if text.len() > 256 {
        return found;
    }
    let lower = text.to_ascii_lowercase();
    let last = lower.rsplit(['\\', '/', ':']).next().unwrap_or(&lower);
    let interface = last.split('.').next().unwrap_or(last);
    if EXECUTION.contains(&interface) {
        found.insert(Behaviours::LATERAL_MOVEMENT);
    }
    if SECRETS.contains(&last) || SECRET_FILES.iter().any(|name| lower.ends_with(name)) {
        found.insert(Behaviours::CREDENTIAL_THEFT);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_and_calls_are_known_by_their_names() {
        assert_eq!(named(b"\\PIPE\\svcctl"), Behaviours::LATERAL_MOVEMENT);
        assert_eq!(named(b"iwbemservices.24"), Behaviours::LATERAL_MOVEMENT);
        assert_eq!(named(b"drsuapi.3"), Behaviours::CREDENTIAL_THEFT);
        assert_eq!(named(b"Temp\\ntds.dit"), Behaviours::CREDENTIAL_THEFT);
        assert!(named(b"drsuapi").is_empty(), "every domain member binds to it");
        assert!(named(b"spoolss.1").is_empty(), "printing");
        assert!(named(b"srvsvc").is_empty());
        assert!(named(b"\xff\xfe").is_empty());
    }
}
