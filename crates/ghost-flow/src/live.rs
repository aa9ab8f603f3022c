//! One open record: its features so far, and what is needed to go on counting.

use std::net::IpAddr;

use ghost_event::{
    AppBy, EndReason, Features, MacAddr, Proto, Stats, Subject, Tcp, TcpState, Timestamp,
};
use ghost_wire::{App, Direction, Dissector, Packet, Transport};
use hashbrown::HashSet;

use crate::at::FrameAt;
use crate::community;
use crate::config::limits::ARP_TARGETS_MAX;
use crate::inner::{Inners, is_group};
use crate::key::{Key, Place};
use crate::lists::{Class, Queue};
use crate::names::Kept;
use crate::segments::Measure;
use crate::tcp::{ACK, SYN, Track};

const TCP: u8 = 6;
const UDP: u8 = 17;

/// One open record.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) features: Features,
    pub(crate) key: Key,
    pub(crate) hash: u64,
    /// The number of the packet that opened it: the order of records at the end.
    pub(crate) birth: u64,
    /// The table's clock at its latest packet.
    pub(crate) touched: i64,
    /// When it was last reported, for updates.
    pub(crate) reported: Timestamp,
    pub(crate) dissector: Option<Dissector>,
    pub(crate) track: Track,
    /// The longest payload of one packet, by side: what a segment of a super-frame holds.
    steps: [u16; 2],
    pub(crate) kept: Kept,
    pub(crate) inners: Option<Box<Inners>>,
    /// Distinct addresses that this sender's ARP messages asked for.
    arp_targets: Option<Box<HashSet<IpAddr>>>,
    pub(crate) multicast: bool,
    /// Nobody answered so far; only told apart where floods are folded.
    pub(crate) unanswered: bool,
}

impl Live {
    /// A record that its first packet opens; the packet itself is not yet counted.
    pub(crate) fn open(
        p: &Packet<'_>,
        place: &Place,
        hash: u64,
        at: &FrameAt,
        birth: u64,
    ) -> Box<Live> {
        let ts = at.ts;
        let mut features = Features::blank(ts, at.port);
        let flip = match p.ip {
            Some(ip) => {
                features.proto = Proto::Ip(ip.proto);
                identify(&mut features, p, (ip.src, place.src_port), (ip.dst, place.dst_port))
            }
            None => {
                features.subject = Subject::Link;
                features.proto = Proto::Ether(p.ethertype);
                features.app = App::from_ethertype(p.ethertype).map_or("", App::name);
                if !features.app.is_empty() {
                    features.app_by = AppBy::Signature;
                }
                if let Some(arp) = p.arp {
                    (features.src_ip, features.dst_ip) = (Some(arp.sender), Some(arp.target));
                }
                false
            }
        };
        if let Some((src, dst)) = p.macs {
            let (src, dst) = if flip { (dst, src) } else { (src, dst) };
            (features.src_mac, features.dst_mac) = (Some(MacAddr(src)), Some(MacAddr(dst)));
        }
        for id in p.vlans.iter().take(usize::from(p.vlan_count)) {
            features.vlans.push(*id);
        }
        let multicast = features.dst_ip.is_some_and(is_group);
        Box::new(Live {
            dissector: p.ip.is_some().then(Dissector::new),
            features,
            key: place.key,
            hash,
            birth,
            touched: ts.0,
            reported: ts,
            track: Track::default(),
            steps: [0; 2],
            kept: Kept::default(),
            inners: None,
            arp_targets: None,
            multicast,
            unanswered: false,
        })
    }

    /// Which way a packet of this record goes. `ports` is false where the packet has none to tell.
    pub(crate) fn direction(&self, p: &Packet<'_>, place: &Place, ports: bool) -> Direction {
        let Some(ip) = p.ip else { return Direction::ToServer };
        let f = &self.features;
        let from_client = f.src_ip == Some(ip.src) && (!ports || f.src_port == place.src_port);
        // Both ends alike (an address talking to itself): the first sender stays the client.
        if from_client { Direction::ToServer } else { Direction::ToClient }
    }

    /// Takes one packet into account.
    pub(crate) fn count(&mut self, at: &FrameAt, p: &Packet<'_>, direction: Direction) {
        let ts = at.ts;
        let measure = Measure::of(at, p);
        let packets = measure.packets;
        let f = &mut self.features;
        let side = match direction {
            Direction::ToServer => &mut f.to_server,
            Direction::ToClient => &mut f.to_client,
        };
        side.packets += u64::from(packets);
        side.bytes += measure.bytes;
        side.payload_bytes += u64::from(measure.payload);
        if f.sizes.count > 0 {
            f.gaps_us.add(ts.ns_since(f.last) / 1000);
        }
        let step = &mut self.steps[usize::from(direction == Direction::ToClient)];
        let cut = measure.cut((*step).into());
        *step = (*step).max(u16::try_from(cut.step).unwrap_or(u16::MAX));
        if packets > 1 {
            let others = u64::from(packets - 1);
            f.sizes = merged(&f.sizes, &same(cut.full.into(), others));
            f.gaps_us = merged(&f.gaps_us, &same(0, others));
        }
        f.sizes.add(cut.last.into());
        f.first = f.first.min(ts);
        f.last = f.last.max(ts);
        f.fragments += u32::from(p.fragment.is_some());
        f.malformed += u32::from(p.malformed);
        match p.transport {
            Transport::Tcp { seq, flags, .. } => {
                let tcp = f.tcp.get_or_insert_default();
                self.track.segment(tcp, direction, (seq, flags), (measure.payload, cut.step), ts);
            }
            Transport::Icmp { kind, code } if f.icmp.is_none() => f.icmp = Some((kind, code)),
            _ => {}
        }
        if let Some(arp) = p.arp {
            let targets = self.arp_targets.get_or_insert_default();
            if targets.len() < ARP_TARGETS_MAX && arp.target != arp.sender {
                targets.insert(arp.target);
            }
        }
    }

    /// Adds what was counted apart (fragments that waited for their flow).
    pub(crate) fn absorb(&mut self, other: &Live) {
        let (f, o) = (&mut self.features, &other.features);
        let (same, back) = if f.src_ip == o.src_ip {
            (o.to_server, o.to_client)
        } else {
            (o.to_client, o.to_server)
        };
        for (side, more) in [(&mut f.to_server, same), (&mut f.to_client, back)] {
            side.packets += more.packets;
            side.bytes += more.bytes;
            side.payload_bytes += more.payload_bytes;
        }
        let (early, late) = if f.first <= o.first { (f.last, o.first) } else { (o.last, f.first) };
        f.gaps_us = merged(&f.gaps_us, &o.gaps_us);
        if f.sizes.count > 0 && o.sizes.count > 0 {
            f.gaps_us.add(late.ns_since(early) / 1000);
        }
        f.sizes = merged(&f.sizes, &o.sizes);
        f.first = f.first.min(o.first);
        f.last = f.last.max(o.last);
        f.fragments += o.fragments;
        f.malformed += o.malformed;
        self.birth = self.birth.min(other.birth);
    }

    /// Which timeout it waits for.
    pub(crate) fn class(&self) -> Class {
        match (self.features.proto, self.features.tcp) {
            (_, Some(Tcp { state: TcpState::Closed | TcpState::Reset, .. })) => Class::TcpClosed,
            // Half a handshake is a scan or a flood more often than a slow server.
            (_, Some(Tcp { state: TcpState::SynSent | TcpState::SynRecv, .. })) => Class::Other,
            (_, Some(_)) => Class::Tcp,
            (Proto::Ip(UDP), _) => Class::Udp,
            _ => Class::Other,
        }
    }

    /// Where it waits for its timeout.
    pub(crate) fn queue(&self) -> Queue {
        Queue { class: self.class(), unanswered: self.unanswered }
    }

    /// A connection that carried data is over: its next SYN opens another.
    pub(crate) fn is_over(&self) -> bool {
        self.class() == Class::TcpClosed
            && self.features.to_server.payload_bytes + self.features.to_client.payload_bytes > 0
    }

    /// The features as they are logged.
    pub(crate) fn finished(&mut self, end: EndReason) -> &mut Features {
        let f = &mut self.features;
        f.end = end;
        if let Some(targets) = &self.arp_targets
            && targets.len() > 1
        {
            let count = targets.len().to_string();
            f.names.pairs.retain(|(path, _)| *path != ARP_TARGETS);
            f.names.pairs.push((ARP_TARGETS, count.into()));
        }
        if f.app.is_empty()
            && let Proto::Ip(proto) = f.proto
        {
            if let Some(tunnel) = f.tunnels.first() {
                (f.app, f.app_by) = (tunnel.kind, AppBy::Signature);
            } else if let Some(app) = App::from_ip_proto(proto) {
                (f.app, f.app_by) = (app.name(), AppBy::Signature);
            } else if f.to_server.payload_bytes + f.to_client.payload_bytes > 0
                && let Some(app) = App::from_port(proto, f.dst_port)
            {
                (f.app, f.app_by) = (app.name(), AppBy::Port);
            }
        }
        f
    }

    /// Goes on as a new record of the same flow; gives the old one.
    pub(crate) fn split(&mut self, end: EndReason, ts: Timestamp, birth: u64) -> Features {
        self.finished(end);
        let old = &self.features;
        let mut next = Features {
            subject: old.subject,
            src_ip: old.src_ip,
            dst_ip: old.dst_ip,
            src_port: old.src_port,
            dst_port: old.dst_port,
            proto: old.proto,
            icmp: old.icmp,
            src_mac: old.src_mac,
            dst_mac: old.dst_mac,
            vlans: old.vlans,
            community_id: old.community_id,
            app: old.app,
            app_by: old.app_by,
            tcp: old.tcp.map(|tcp| Tcp { state: tcp.state, ..Tcp::default() }),
            ..Features::blank(ts, old.port)
        };
        std::mem::swap(&mut self.features, &mut next);
        self.kept = Kept::default();
        self.inners = None;
        self.arp_targets = None;
        self.birth = birth;
        self.reported = ts;
        next
    }
}

/// How many distinct addresses an ARP sender asked for.
pub(crate) const ARP_TARGETS: &str = "arp.targets";

/// Sets both ends with the opener first, and the Community ID; says whether the packet's receiver
/// opened the flow.
fn identify(f: &mut Features, p: &Packet<'_>, src: (IpAddr, u16), dst: (IpAddr, u16)) -> bool {
    let Proto::Ip(proto) = f.proto else { return false };
    let (cid_src, cid_dst, ports, one_way) = match p.transport {
        Transport::Icmp { kind, code } => {
            let (s, d, one_way) = community::icmp_ports(proto, kind, code);
            ((src.0, s), (dst.0, d), true, one_way)
        }
        Transport::Tcp { .. } | Transport::Udp { .. } | Transport::Sctp { .. } => {
            (src, dst, true, false)
        }
        // A fragment without its first one has the ports 0 of a transport that has ports.
        Transport::None | Transport::Igmp { .. } => {
            (src, dst, matches!(proto, 6 | 17 | 132), false)
        }
    };
    f.community_id = Some(community::digest(cid_src, cid_dst, proto, ports, one_way));
    let flip = answers(p, proto, src.1, dst);
    let (client, server) = if flip { (dst, src) } else { (src, dst) };
    (f.src_ip, f.src_port) = (Some(client.0), client.1);
    (f.dst_ip, f.dst_port) = (Some(server.0), server.1);
    flip
}

/// Whether a flow's first captured packet comes from the side that did not open it.
pub(crate) fn answers(p: &Packet<'_>, proto: u8, src_port: u16, dst: (IpAddr, u16)) -> bool {
    if is_group(dst.0) {
        return false;
    }
    let service = |port| port != 0 && (port < 1024 || App::from_port(proto, port).is_some());
    match p.transport {
        Transport::Tcp { flags, .. } if flags & SYN != 0 => flags & ACK != 0,
        Transport::Tcp { .. } => match (service(src_port), service(dst.1)) {
            (true, false) => true,
            (false, true) => false,
            _ => src_port < dst.1,
        },
        Transport::Udp { .. } | Transport::Sctp { .. } => service(src_port) && !service(dst.1),
        Transport::Icmp { kind, .. } => community::icmp_is_answer(proto, kind),
        Transport::None | Transport::Igmp { .. } => false,
    }
}

/// One number, `count` times.
fn same(value: u64, count: u64) -> Stats {
    #[expect(clippy::cast_precision_loss, reason = "statistics, not accounts")]
    let mean = value as f64;
    Stats { count, min: value, max: value, mean, m2: 0.0 }
}

/// Two streams of numbers as one.
fn merged(a: &Stats, b: &Stats) -> Stats {
    if a.count == 0 || b.count == 0 {
        return if a.count == 0 { *b } else { *a };
    }
    #[expect(clippy::cast_precision_loss, reason = "statistics, not accounts")]
    let (na, nb) = (a.count as f64, b.count as f64);
    let delta = b.mean - a.mean;
    Stats {
        count: a.count + b.count,
        min: a.min.min(b.min),
        max: a.max.max(b.max),
        mean: a.mean + delta * nb / (na + nb),
        m2: a.m2 + b.m2 + delta * delta * na * nb / (na + nb),
    }
}

/// Whether the transport is one whose bytes the dissector must have in sequence.
pub(crate) fn is_tcp(f: &Features) -> bool {
    f.proto == Proto::Ip(TCP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_record_without_names_fits_seven_hundred_bytes() {
        let live = size_of::<Live>();
        assert!(live <= 700, "{live} bytes");
    }

    #[test]
    fn two_streams_of_numbers_merge_as_one() {
        let numbers = [3_u64, 9, 1, 500, 42, 42, 7];
        for split in 0..=numbers.len() {
            let (mut a, mut b, mut all) = (Stats::default(), Stats::default(), Stats::default());
            numbers[..split].iter().for_each(|n| a.add(*n));
            numbers[split..].iter().for_each(|n| b.add(*n));
            numbers.iter().for_each(|n| all.add(*n));
            let both = merged(&a, &b);
            assert_eq!((both.count, both.min, both.max), (all.count, all.min, all.max));
            assert!((both.mean - all.mean).abs() < 1e-9 && (both.m2 - all.m2).abs() < 1e-6);
        }
    }
}
