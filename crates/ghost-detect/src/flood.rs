//! Floods and reflected answers.
//!
//! A flood is more new conversations at one target than it answers: from very many sources, or
//! from one source at one port. Amplification is answers of services known to answer with more
//! than they are asked, which their receiver never asked for, from many servers or in numbers.

use std::net::IpAddr;

use ghost_event::{Behaviours, EndReason, Features, Proto, Zone};

use crate::bounded::{Bounded, Window};
use crate::facts::{ICMP, ICMP6, TCP, UDP};
use crate::scan::failed;
use crate::zone::zone;

const WINDOW_NS: i64 = 10_000_000_000;
/// Different sources at one target within the window.
const SOURCES: u32 = 100;
/// New conversations of one source with one port of one target within the window.
const STARTS: u32 = 250;
/// Packets, and packets a second, one way, that flood within one flow.
const PACKETS: u64 = 2_000;
const PACKETS_A_SECOND: u64 = 1_000;
/// Servers that answered unasked within the window, or answers from one.
const REFLECTORS: u32 = 8;
const ANSWERS: u64 = 30;

/// UDP services known to answer with more than they are asked.
const AMPLIFIERS: &[u16] = &[
    17, 19, 53, 69, 111, 123, 137, 161, 389, 427, 520, 1434, 1900, 3283, 3478, 3702, 5353, 5683,
    10001, 11211, 27015, 27960, 32414, 37810,
];

#[derive(Debug, Clone, Copy)]
struct Target {
    sources: Window<8>,
    ended: u32,
    failed: u32,
}

impl Target {
    fn new(ts: i64) -> Target {
        Target { sources: Window::new(ts), ended: 0, failed: 0 }
    }

    fn overwhelmed(&self, open: bool) -> bool {
        self.failed * 5 >= self.ended * 4 && (!open || self.ended > 0)
    }
}

/// The flood counters.
#[derive(Debug)]
pub(crate) struct Floods {
    targets: Bounded<(IpAddr, u8), Target>,
    services: Bounded<(IpAddr, IpAddr, u8, u16), Target>,
    victims: Bounded<IpAddr, Window<2>>,
}

impl Floods {
    pub(crate) fn new(targets_max: usize) -> Floods {
        Floods {
            targets: Bounded::new(targets_max),
            services: Bounded::new(targets_max),
            victims: Bounded::new(targets_max),
        }
    }

    /// A flow began.
    pub(crate) fn started(&mut self, f: &Features) {
        let ts = f.first.0;
        if let Some((_, victim, reflector)) = reflected(f) {
            let window = self.victims.entry(victim, || Window::new(ts));
            window.add(ts, WINDOW_NS, &octets(reflector), REFLECTORS);
        }
        let Some((src, dst, proto)) = ends(f) else { return };
        if f.to_server.packets == 0 {
            return;
        }
        let target = self.targets.entry((dst, proto), || Target::new(ts));
        target.sources.add(ts, WINDOW_NS, &octets(src), SOURCES);
        if matches!(proto, TCP | UDP) {
            let service =
                self.services.entry((src, dst, proto, watched(f, proto)), || Target::new(ts));
            service.sources.add(ts, WINDOW_NS, &ports(f), STARTS);
        }
    }

    /// What became of a flow.
    pub(crate) fn observe(&mut self, f: &Features) {
        let Some((src, dst, proto)) = ends(f) else { return };
        if f.to_server.packets == 0 {
            return;
        }
        let ts = f.first.0;
        let failed = u32::from(failed(f));
        let target = self.targets.entry((dst, proto), || Target::new(ts));
        target.ended = target.ended.saturating_add(1);
        target.failed = target.failed.saturating_add(failed);
        if matches!(proto, TCP | UDP) {
            let service =
                self.services.entry((src, dst, proto, watched(f, proto)), || Target::new(ts));
            service.ended = service.ended.saturating_add(1);
            service.failed = service.failed.saturating_add(failed);
        }
    }

    /// What the flow was part of.
    pub(crate) fn judge(&self, f: &Features) -> Behaviours {
        let mut found = Behaviours::NONE;
        let ts = f.first.0;
        if let Some((answers, victim, _)) = reflected(f) {
            let many = self
                .victims
                .get(&victim)
                .and_then(|window| window.verdict)
                .is_some_and(|span| span.covers(ts, WINDOW_NS));
            if many || (answers >= ANSWERS && f.proto == Proto::Ip(UDP)) {
                found.insert(Behaviours::AMPLIFICATION.with(Behaviours::FLOOD));
            }
        }
        let Some((src, dst, proto)) = ends(f) else { return found };
        let open = f.end == EndReason::Update;
        let within = |t: &&Target| {
            t.sources.verdict.is_some_and(|s| s.covers(ts, WINDOW_NS)) && t.overwhelmed(open)
        };
        let from_many = self.targets.get(&(dst, proto)).filter(within).is_some();
        let from_one =
            self.services.get(&(src, dst, proto, watched(f, proto))).filter(within).is_some();
        if (from_many || from_one) && failed(f) {
            found.insert(Behaviours::FLOOD);
        }
        if floods_alone(f, proto) {
            found.insert(Behaviours::FLOOD);
        }
        found
    }
}

/// One flow that is a flood by itself: echo, bare segments or datagrams without an answer.
fn floods_alone(f: &Features, proto: u8) -> bool {
    let seconds = (f.duration_ns() / 1_000_000_000).max(1);
    let there = f.to_server.packets;
    let fast = there >= PACKETS && there / seconds >= PACKETS_A_SECOND;
    let answered = f.to_client.packets * 10 >= there;
    match proto {
        TCP => fast && !answered && f.to_server.payload_bytes < there,
        UDP => fast && f.to_client.packets == 0 && f.app.is_empty(),
        ICMP | ICMP6 => fast,
        _ => false,
    }
}

fn ports(f: &Features) -> [u8; 4] {
    let ([a, b], [c, d]) = (f.src_port.to_be_bytes(), f.dst_port.to_be_bytes());
    [a, b, c, d]
}

/// The port by which a service is watched: datagrams to any port of a target count together.
fn watched(f: &Features, proto: u8) -> u16 {
    if proto == UDP { 0 } else { f.dst_port }
}

/// Answers that nobody asked for: how many, to whom, from whom.
fn reflected(f: &Features) -> Option<(u64, IpAddr, IpAddr)> {
    let (Proto::Ip(proto), Some(src), Some(dst)) = (f.proto, f.src_ip, f.dst_ip) else {
        return None;
    };
    if proto == ICMP && f.icmp == Some((0, 0)) && f.to_server.packets == 0 {
        return Some((f.to_client.packets, src, dst));
    }
    if proto != UDP {
        return None;
    }
    let group = |a| matches!(zone(a), Zone::Multicast | Zone::Broadcast);
    if group(src) || group(dst) {
        return None;
    }
    if AMPLIFIERS.contains(&f.dst_port) && f.to_server.packets == 0 {
        return Some((f.to_client.packets, src, dst));
    }
    let from_service = AMPLIFIERS.contains(&f.src_port) && !AMPLIFIERS.contains(&f.dst_port);
    (from_service && f.to_client.packets == 0).then_some((f.to_server.packets, dst, src))
}

fn ends(f: &Features) -> Option<(IpAddr, IpAddr, u8)> {
    let Proto::Ip(proto) = f.proto else { return None };
    let (src, dst) = (f.src_ip?, f.dst_ip?);
    let one = !matches!(zone(dst), Zone::Multicast | Zone::Broadcast);
    (one && matches!(proto, TCP | UDP | ICMP | ICMP6)).then_some((src, dst, proto))
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(a) => a.to_ipv6_mapped().octets(),
        IpAddr::V6(a) => a.octets(),
    }
}
