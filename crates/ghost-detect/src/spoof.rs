//! Who claims to be another: hardware addresses, leases, routers and names told falsely.
//!
//! - ARP: one hardware address keeps telling, without being asked, that it has an address which
//!   another claimed before it. A take-over by a standby announces itself once; two cards in one
//!   network answer only when asked.
//! - DHCP: two servers answer one client's request and send it to different routers or name
//!   servers; or a client's lease comes from another server than the one before it, with another
//!   router. A pair of servers that stand in for each other tells the same.
//! - Routers: very many announce themselves within a minute; or one more does where one alone was
//!   heard for an hour.
//! - DNS: more answers than questions, with addresses that have nothing in common. A resolver that
//!   was asked twice may answer twice. And one host that answers to four names in LLMNR, in which
//!   a host has one.
//!
//! Not promised: who of two tells the truth. The word goes to the later one.

use std::net::IpAddr;

use ghost_event::{Behaviours, Features, MacAddr, Timestamp};
use xxhash_rust::xxh3::xxh3_64;

use crate::bounded::{Bounded, Window};
use crate::zone::zone;

const S: i64 = 1_000_000_000;
/// Claims that nobody asked for, by one hardware address for one address of another's.
const CLAIMS: u32 = 5;
const CLAIMS_WINDOW_NS: i64 = 120 * S;
/// How long after a question an answer was asked for.
const ASKED_NS: i64 = 2 * S;
/// How long an address is remembered to be somebody's.
const OWNED_NS: i64 = 3600 * S;
/// How long a lease's server is remembered.
const LEASE_NS: i64 = 86_400 * S;
/// Routers that announce themselves within a minute.
const ROUTERS: u32 = 8;
const ROUTERS_WINDOW_NS: i64 = 60 * S;
/// How long one router alone was heard before another is odd, and how lately.
const ALONE_NS: i64 = 3600 * S;
const HEARD_NS: i64 = 1800 * S;
/// How long two answers belong to one question.
const ANSWERS_NS: i64 = 5 * S;
/// Names to which one host answers.
const NAMES: u32 = 4;
const NAMES_WINDOW_NS: i64 = 600 * S;

/// Octets of the transient facts that are read here.
const ARP_OCTETS: usize = 15;
const LEASE_OCTETS: usize = 23;

#[derive(Debug, Clone, Copy)]
struct Owner {
    mac: [u8; 6],
    last: i64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Claims {
    count: u32,
    since: i64,
}

#[derive(Debug, Clone, Copy)]
struct Lease {
    server: u32,
    router: u32,
    names: u32,
    at: i64,
}

#[derive(Debug, Clone, Copy)]
struct Router {
    mac: MacAddr,
    first: i64,
    last: i64,
    alone: bool,
    odd: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Lookup {
    questions: u8,
    answers: u8,
    addresses: [u32; 8],
    at: i64,
}

/// The claims of one stream.
#[derive(Debug)]
pub(crate) struct Spoofs {
    owners: Bounded<(u32, u32), Owner>,
    asked: Bounded<(u32, u32), i64>,
    claims: Bounded<([u8; 6], u32), Claims>,
    leases: Bounded<(u32, [u8; 6]), Lease>,
    routers: Bounded<u32, Router>,
    announced: Bounded<u32, Window<2>>,
    lookups: Bounded<u64, Lookup>,
    answering: Bounded<IpAddr, Window<2>>,
}

impl Spoofs {
    pub(crate) fn new(max: usize) -> Spoofs {
        let few = (max / 8).max(64);
        Spoofs {
            owners: Bounded::new(max),
            asked: Bounded::new(few),
            claims: Bounded::new(few),
            leases: Bounded::new(few),
            routers: Bounded::new(256),
            announced: Bounded::new(256),
            lookups: Bounded::new(few),
            answering: Bounded::new(few),
        }
    }

    /// A flow began.
    pub(crate) fn started(&mut self, f: &Features) {
        if let (Some((134, 0)), Some(mac)) = (f.icmp, f.src_mac) {
            self.announced(f, mac);
        }
    }

    /// A router announced itself.
    fn announced(&mut self, f: &Features, mac: MacAddr) {
        let (net, ts) = (network(f), f.first.0);
        let window = self.announced.entry(net, || Window::new(ts));
        window.add(ts, ROUTERS_WINDOW_NS, &mac.0, ROUTERS);
        let known = self.routers.entry(net, || Router {
            mac,
            first: ts,
            last: ts,
            alone: true,
            odd: false,
        });
        if known.mac == mac {
            known.last = known.last.max(ts);
            return;
        }
        let settled = known.alone && known.last.saturating_sub(known.first) >= ALONE_NS;
        let heard = ts.saturating_sub(known.last) <= HEARD_NS;
        let odd = settled && heard;
        if odd {
            // The one that was there stays the measure of later ones.
            known.odd = true;
        } else {
            *known = Router { mac, first: ts, last: ts, alone: false, odd: known.odd };
        }
    }

    /// A message told something that only claims tell.
    pub(crate) fn heard(&mut self, f: &Features, path: &str, value: &[u8]) -> Behaviours {
        let found = match path {
            "arp.claims" => self.claimed(f, value).then_some(Behaviours::ARP_SPOOFING),
            "dhcp.lease" => self.leased(f, value).then_some(Behaviours::ROGUE_DHCP),
            "dns.transaction" => self.looked_up(f, value).then_some(Behaviours::DNS_SPOOFING),
            "dns.answers" if f.app == "llmnr" => {
                self.answered(f, value).then_some(Behaviours::DNS_SPOOFING)
            }
            _ => None,
        };
        found.unwrap_or(Behaviours::NONE)
    }

    /// Operation, sender, its hardware address, target.
    fn claimed(&mut self, f: &Features, value: &[u8]) -> bool {
        let Some(&[op, a, b, c, d, m0, m1, m2, m3, m4, m5, e, g, h, i]) =
            value.first_chunk::<ARP_OCTETS>()
        else {
            return false;
        };
        let sender = u32::from_be_bytes([a, b, c, d]);
        let target = u32::from_be_bytes([e, g, h, i]);
        let mac = [m0, m1, m2, m3, m4, m5];
        let (net, Timestamp(ts)) = (network(f), f.last);
        if op == 1 && target != sender {
            *self.asked.entry((net, target), || ts) = ts;
        }
        if sender == 0 || m0 & 1 == 1 {
            return false;
        }
        let owner = self.owners.entry((net, sender), || Owner { mac, last: ts });
        if owner.mac == mac {
            owner.last = ts;
            return false;
        }
        if ts.saturating_sub(owner.last) > OWNED_NS {
            *owner = Owner { mac, last: ts };
            return false;
        }
        let asked = self.asked.get(&(net, sender)).copied().unwrap_or(i64::MIN);
        if op != 2 || target == sender || ts.saturating_sub(asked) <= ASKED_NS {
            return false;
        }
        let claims = self.claims.entry((mac, sender), || Claims { count: 0, since: ts });
        if ts.saturating_sub(claims.since) > CLAIMS_WINDOW_NS {
            *claims = Claims { count: 0, since: ts };
        }
        claims.count = claims.count.saturating_add(1);
        claims.count >= CLAIMS
    }

    /// Kind of message, client's hardware address, transaction, server, router, name server.
    fn leased(&mut self, f: &Features, value: &[u8]) -> bool {
        let Some(&[kind, m0, m1, m2, m3, m4, m5, ref rest @ ..]) =
            value.first_chunk::<LEASE_OCTETS>()
        else {
            return false;
        };
        let number = |at: usize| {
            rest.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes)
        };
        let (server, router, names) = (number(4), number(8), number(12));
        let Timestamp(ts) = f.last;
        if !matches!(kind, 2 | 5) || server == 0 || router == 0 {
            return false;
        }
        let now = Lease { server, router, names, at: ts };
        let client = (network(f), [m0, m1, m2, m3, m4, m5]);
        let before = *self.leases.entry(client, || now);
        let other = before.server != server
            && ts.saturating_sub(before.at) <= LEASE_NS
            && (before.router != router || before.names != names);
        if !other && let Some(lease) = self.leases.get_mut(&client) {
            *lease = now;
        }
        other
    }

    /// Question or answer, the lookup, then the addresses of an answer.
    fn looked_up(&mut self, f: &Features, value: &[u8]) -> bool {
        let (Some(src), Some(dst)) = (f.src_ip, f.dst_ip) else { return false };
        let Some((&[kind, ref lookup @ ..], addresses)) = value.split_first_chunk::<11>() else {
            return false;
        };
        let mut key = [0_u8; 48];
        for (to, from) in key.iter_mut().zip(
            octets(src)
                .iter()
                .chain(&octets(dst))
                .chain(&f.src_port.to_be_bytes())
                .chain(&f.dst_port.to_be_bytes())
                .chain(lookup),
        ) {
            *to = *from;
        }
        let Timestamp(ts) = f.last;
        let known = self.lookups.entry(xxh3_64(&key), || Lookup { at: ts, ..Lookup::default() });
        if ts.saturating_sub(known.at) > ANSWERS_NS {
            *known = Lookup { at: ts, ..Lookup::default() };
        }
        if kind == 0 {
            known.questions = known.questions.saturating_add(1);
            return false;
        }
        let mut now = [0_u32; 8];
        for (slot, four) in now.iter_mut().zip(addresses.chunks_exact(4)) {
            *slot = four.try_into().map_or(0, u32::from_be_bytes);
        }
        if now[0] == 0 {
            return false;
        }
        known.answers = known.answers.saturating_add(1);
        let common = now.iter().any(|a| *a != 0 && known.addresses.contains(a));
        let contrary = known.addresses[0] != 0
            && !common
            && known.questions > 0
            && known.answers > known.questions;
        if known.addresses[0] == 0 {
            known.addresses = now;
        }
        contrary
    }

    /// `name=address`, in a protocol in which a host answers for its own name.
    fn answered(&mut self, f: &Features, value: &[u8]) -> bool {
        let text = String::from_utf8_lossy(value);
        let Some((name, address)) = text.rsplit_once('=') else { return false };
        let Ok(address) = address.parse::<IpAddr>() else { return false };
        if zone(address) == ghost_event::Zone::Host {
            return false;
        }
        let Timestamp(ts) = f.last;
        let window = self.answering.entry(address, || Window::new(ts));
        window.add(ts, NAMES_WINDOW_NS, name.to_ascii_lowercase().as_bytes(), NAMES);
        window.verdict.is_some_and(|span| span.covers(ts, NAMES_WINDOW_NS))
    }

    /// What the flow was part of.
    pub(crate) fn judge(&self, f: &Features) -> Behaviours {
        let (Some((134, 0)), Some(mac)) = (f.icmp, f.src_mac) else { return Behaviours::NONE };
        let net = network(f);
        let many = self.announced.get(&net).and_then(|w| w.verdict);
        let known = self.routers.get(&net);
        let second = known.is_some_and(|known| known.odd && known.mac != mac);
        if second || many.is_some_and(|span| span.covers(f.first.0, ROUTERS_WINDOW_NS)) {
            Behaviours::ROGUE_ROUTER
        } else {
            Behaviours::NONE
        }
    }
}

/// The network that a frame was in: the bridge and the VLANs.
fn network(f: &Features) -> u32 {
    let mut vlans = 0_u32;
    for id in f.vlans.as_slice() {
        vlans = vlans.wrapping_mul(4096).wrapping_add(u32::from(*id));
    }
    vlans ^ u32::from(f.port.bridge) << 24
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(a) => a.to_ipv6_mapped().octets(),
        IpAddr::V6(a) => a.octets(),
    }
}
