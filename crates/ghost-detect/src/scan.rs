//! Scans: many ports of one target, one port of many targets, ARP for a whole network.
//!
//! Attempts are counted when a flow starts, results when it ends. A flow is called part of a scan
//! where its own part of the traffic is a probe (next to nothing was said in it), it lies within
//! the time in which its source tried too many, and most of what the source tried failed. Flags
//! that no connection begins with (FIN, none, FIN+PSH+URG) and handshakes broken off by the side
//! that asked are stealth scans where several come from one source.

use std::net::IpAddr;

use ghost_event::{Behaviours, EndReason, Features, Proto, TcpState, Zone};

use crate::bounded::{Bounded, Distinct, Window};
use crate::facts::{ICMP, ICMP6, TCP, UDP};
use crate::zone::zone;

const WINDOW_NS: i64 = 120_000_000_000;
/// Ports of one target within the window.
pub(crate) const PORTS: u32 = 15;
/// Targets of one port within the window; fewer for echo, which no program sends to many at once.
pub(crate) const TARGETS: u32 = 15;
const ECHO_TARGETS: u32 = 8;
/// Distinct targets of one ARP sender.
const ARP_TARGETS: u64 = 30;
/// Odd probes of one pair that make a stealth scan; one is a broken stack.
const ODD_PROBES: u32 = 3;
/// Flows ended before an open one is judged by them.
const KNOWN: u32 = 5;
/// What a probe says at most.
const PROBE_BYTES: u64 = 256;
const PROBE_PACKETS: u64 = 10;
/// Traceroute walks these UDP ports upwards.
const TRACEROUTE: std::ops::RangeInclusive<u16> = 33_434..=33_700;

#[derive(Debug, Clone, Copy)]
struct Tried {
    window: Window<2>,
    ended: u32,
    failed: u32,
    odd: u32,
    half_open: u32,
    /// Ports that the source spoke from: a scanner that makes its own packets uses few.
    from_ports: Distinct<2>,
}

impl Tried {
    fn new(ts: i64) -> Tried {
        Tried {
            window: Window::new(ts),
            ended: 0,
            failed: 0,
            odd: 0,
            half_open: 0,
            from_ports: Distinct::default(),
        }
    }

    /// Far fewer ports of its own than ports tried: no socket does that.
    fn own_packets(&self) -> bool {
        self.from_ports.estimate() * 4 <= self.window.distinct()
    }

    /// Most of what was tried came to nothing. Of a flow that is still open that is only known
    /// when others have ended.
    fn failing(&self, open: bool) -> bool {
        self.failed * 2 >= self.ended && (!open || self.ended >= KNOWN)
    }

    /// Nearly all of it: peers of a network among equals are found by trying, too.
    fn failing_mostly(&self, open: bool) -> bool {
        self.failed * 4 >= self.ended * 3 && self.failing(open)
    }
}

/// The scan counters.
#[derive(Debug)]
pub(crate) struct Scans {
    ports: Bounded<(IpAddr, IpAddr), Tried>,
    targets: Bounded<(IpAddr, u8, u16), Tried>,
}

impl Scans {
    pub(crate) fn new(pairs_max: usize) -> Scans {
        Scans { ports: Bounded::new(pairs_max), targets: Bounded::new(pairs_max) }
    }

    /// A flow began.
    pub(crate) fn started(&mut self, f: &Features) {
        let Some((src, dst, proto)) = ends(f) else { return };
        if !counts(f, dst, proto) {
            return;
        }
        let ts = f.first.0;
        let limit = if is_icmp(proto) { ECHO_TARGETS } else { TARGETS };
        let value = octets(dst);
        let targets = self.targets.entry((src, proto, f.dst_port), || Tried::new(ts));
        targets.window.add(ts, WINDOW_NS, &value, limit);
        if !is_icmp(proto) {
            let ports = self.ports.entry((src, dst), || Tried::new(ts));
            ports.window.add(
                ts,
                WINDOW_NS,
                &[f.dst_port.to_be_bytes(), [proto, 0]].concat(),
                PORTS,
            );
        }
    }

    /// What became of a flow.
    pub(crate) fn observe(&mut self, f: &Features) {
        let Some((src, dst, proto)) = ends(f) else { return };
        if !counts(f, dst, proto) {
            return;
        }
        let ts = f.first.0;
        let failed = u32::from(failed(f));
        for tried in [
            self.ports.entry((src, dst), || Tried::new(ts)),
            self.targets.entry((src, proto, f.dst_port), || Tried::new(ts)),
        ] {
            tried.ended = tried.ended.saturating_add(1);
            tried.failed = tried.failed.saturating_add(failed);
            tried.from_ports.add(&f.src_port.to_be_bytes());
            tried.odd = tried.odd.saturating_add(u32::from(odd_flags(f)));
            tried.half_open = tried.half_open.saturating_add(u32::from(half_open(f)));
        }
    }

    /// What the flow was part of.
    pub(crate) fn judge(&self, f: &Features) -> Behaviours {
        let mut found = Behaviours::NONE;
        let targets = f.names.get("arp.targets").and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        if targets >= ARP_TARGETS {
            found.insert(Behaviours::ARP_SCAN);
        }
        let Some((src, dst, proto)) = ends(f) else { return found };
        if !counts(f, dst, proto) || !probe_like(f) {
            return found;
        }
        let within = |tried: &&Tried| {
            tried.window.verdict.is_some_and(|span| span.covers(f.first.0, WINDOW_NS))
        };
        let ports = self.ports.get(&(src, dst));
        let odd = ports.map_or(0, |tried| tried.odd);
        let open = f.end == EndReason::Update;
        if ports.filter(within).is_some_and(|tried| tried.failing(open)) {
            found.insert(Behaviours::PORT_SCAN);
        }
        if odd >= ODD_PROBES {
            found.insert(Behaviours::PORT_SCAN);
        }
        if (odd_flags(f) && odd >= ODD_PROBES)
            || (found.contains(Behaviours::PORT_SCAN)
                && ports.is_some_and(|tried| tried.half_open >= 1 || tried.own_packets())
                && proto == TCP)
        {
            found.insert(Behaviours::STEALTH_SCAN);
        }
        let sweeping = self
            .targets
            .get(&(src, proto, f.dst_port))
            .filter(within)
            .is_some_and(|tried| is_icmp(proto) || tried.failing_mostly(open));
        if sweeping && (is_icmp(proto) || failed(f)) {
            found.insert(Behaviours::SWEEP);
        }
        found
    }
}

fn ends(f: &Features) -> Option<(IpAddr, IpAddr, u8)> {
    match f.proto {
        Proto::Ip(proto) => Some((f.src_ip?, f.dst_ip?, proto)),
        Proto::Ether(_) => None,
    }
}

/// Whether a flow can be part of a scan at all.
fn counts(f: &Features, dst: IpAddr, proto: u8) -> bool {
    if matches!(zone(dst), Zone::Multicast | Zone::Broadcast) {
        return false;
    }
    attempts(f, proto)
}

/// Whether its source tried something.
pub(crate) fn attempts(f: &Features, proto: u8) -> bool {
    match proto {
        // Begun by the side that is called its source: not a connection picked up midway.
        TCP => true,
        UDP => f.to_server.packets > 0 && !TRACEROUTE.contains(&f.dst_port),
        ICMP => matches!(f.icmp, Some((8 | 13 | 15 | 17, _))) && f.to_server.packets > 0,
        ICMP6 => matches!(f.icmp, Some((128, _))) && f.to_server.packets > 0,
        _ => false,
    }
}

fn is_icmp(proto: u8) -> bool {
    proto == ICMP || proto == ICMP6
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(a) => a.to_ipv6_mapped().octets(),
        IpAddr::V6(a) => a.octets(),
    }
}

/// Nothing useful came back.
pub(crate) fn failed(f: &Features) -> bool {
    match f.tcp {
        Some(tcp) => {
            f.to_client.payload_bytes == 0
                && f.to_server.payload_bytes == 0
                && (f.to_client.packets == 0 || tcp.state == TcpState::Reset || half_open(f))
        }
        None => f.to_client.packets == 0,
    }
}

/// Next to nothing was said.
fn probe_like(f: &Features) -> bool {
    f.to_server.payload_bytes <= PROBE_BYTES && f.to_server.packets <= PROBE_PACKETS
}

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// The source never sent SYN, ACK or RST: FIN, NULL and Xmas probes.
fn odd_flags(f: &Features) -> bool {
    let Some(tcp) = f.tcp else { return false };
    f.to_server.packets > 0
        && f.to_server.payload_bytes == 0
        && tcp.flags_to_server & (SYN | ACK | RST) == 0
        && tcp.flags_to_client & (SYN | FIN) == 0
}

/// The source took the answer to its SYN and never acknowledged it.
fn half_open(f: &Features) -> bool {
    f.tcp.is_some_and(|tcp| {
        tcp.flags_to_server & (SYN | ACK) == SYN && tcp.flags_to_client & (SYN | ACK) == SYN | ACK
    })
}
