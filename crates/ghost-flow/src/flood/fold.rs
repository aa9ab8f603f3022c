//! Flows of a flood as one record: packets and octets exact, those who took part about.
//!
//! A group has in common where it goes to or comes from, its protocol and bridge. The first few
//! ports that are tried at one address have groups of their own, so that a flood of one service
//! stands apart from a scan of the others. Each group is told once a second while it lasts.

use std::collections::VecDeque;
use std::net::IpAddr;

use ghost_event::{AppBy, EndReason, Features, Folded, MacAddr, Port, Proto, TcpState, Vlans};
use ghost_wire::{App, Packet, Transport};
use hashbrown::HashMap;
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use super::distinct::Distinct;
use super::probation::Embryo;
use crate::at::FrameAt;
use crate::config::limits::{FOLD_NS, FOLD_PORTS_MAX, FOLDS_MAX};
use crate::key::octets;
use crate::segments::Measure;
use crate::tcp::{RST, SYN};

/// What the flows of a group have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Common {
    /// They go to one address.
    Target(IpAddr),
    /// They come from one address.
    Source(IpAddr),
    /// Their protocol alone.
    Protocol,
}

/// One group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct GroupKey {
    pub(crate) bridge: u16,
    pub(crate) proto: u8,
    pub(crate) common: Common,
    /// The port that is asked, or type and code of ICMP; 0 where it is any.
    pub(crate) port: u16,
}

/// The two ends of a flow, the one that asked first, with their ports.
pub(crate) type Ends = ((IpAddr, u16), (IpAddr, u16));

#[derive(Debug, Default)]
struct Group {
    /// What is counted, and what all flows share; made by the first packet.
    features: Option<Box<Features>>,
    flows: u64,
    /// Flows of which the first packet seen was an answer: what is left of earlier ones.
    answers: u64,
    sources: Distinct,
    targets: Distinct,
    ports: Distinct,
    /// Ports of it that have a group of their own.
    apart: usize,
}

/// The groups that are not told yet.
#[derive(Debug, Default)]
pub(crate) struct Folds {
    groups: HashMap<GroupKey, Group, Xxh3DefaultBuilder>,
    order: VecDeque<(GroupKey, i64)>,
}

impl Folds {
    /// Takes in a flow that nobody answered.
    pub(crate) fn flow(&mut self, embryo: &Embryo, now: i64) {
        let flip = embryo.flip;
        let group = self.group(embryo.group, now);
        let (src, dst) = ((embryo.ip.src, embryo.ports.0), (embryo.ip.dst, embryo.ports.1));
        let ends = if flip { (dst, src) } else { (src, dst) };
        group.meet(ends);
        *(if flip { &mut group.answers } else { &mut group.flows }) += 1;
        embryo.replay(|at, p, _, back| group.count(at, p, ends, back != flip));
    }

    /// Takes in a packet that has no flow: a fragment without its beginning.
    pub(crate) fn packet(&mut self, key: GroupKey, at: &FrameAt, p: &Packet<'_>, now: i64) {
        let Some(ip) = p.ip else { return };
        let ends = ((ip.src, 0), (ip.dst, 0));
        let group = self.group(key, now);
        group.meet(ends);
        group.answers += 1;
        group.count(at, p, ends, false);
    }

    fn group(&mut self, mut key: GroupKey, now: i64) -> &mut Group {
        if key.port != 0 && !self.groups.contains_key(&key) {
            let whole = GroupKey { port: 0, ..key };
            let any = self.open(whole, now);
            if any.apart < FOLD_PORTS_MAX {
                any.apart += 1;
            } else {
                key = whole;
            }
        }
        if self.groups.len() >= FOLDS_MAX && !self.groups.contains_key(&key) {
            key = GroupKey { common: Common::Protocol, port: 0, ..key };
        }
        self.open(key, now)
    }

    fn open(&mut self, key: GroupKey, now: i64) -> &mut Group {
        self.groups.entry(key).or_insert_with(|| {
            self.order.push_back((key, now));
            Group::default()
        })
    }

    /// When the next group is to be told.
    pub(crate) fn next_due(&self) -> Option<i64> {
        self.order.front().map(|(_, since)| since.saturating_add(FOLD_NS))
    }

    /// The next group whose time has come.
    pub(crate) fn due(&mut self, now: i64) -> Option<Features> {
        while let Some((_, since)) = self.order.front() {
            if (0..FOLD_NS).contains(&now.saturating_sub(*since)) {
                return None;
            }
            if let Some(features) = self.pop() {
                return Some(features);
            }
        }
        None
    }

    /// The oldest group, whatever its time; `None` where none is left.
    pub(crate) fn drain(&mut self) -> Option<Features> {
        while !self.order.is_empty() {
            if let Some(features) = self.pop() {
                return Some(features);
            }
        }
        None
    }

    fn pop(&mut self) -> Option<Features> {
        let (key, _) = self.order.pop_front()?;
        let group = self.groups.remove(&key);
        if self.order.is_empty() && self.groups.capacity() > 64 {
            *self = Folds::default();
        }
        group.and_then(Group::told)
    }
}

impl Group {
    fn meet(&mut self, (client, server): Ends) {
        self.sources.add(&octets(client.0));
        self.targets.add(&octets(server.0));
        self.ports.add(&server.1.to_be_bytes());
    }

    fn count(&mut self, at: &FrameAt, p: &Packet<'_>, (client, server): Ends, back: bool) {
        let measure = Measure::of(at, p);
        let packets = u64::from(measure.packets);
        let f = self.features.get_or_insert_with(|| {
            let mut f = Features::blank(at.ts, at.port);
            f.proto = p.ip.map_or(f.proto, |ip| Proto::Ip(ip.proto));
            (f.src_ip, f.src_port) = (Some(client.0), client.1);
            (f.dst_ip, f.dst_port) = (Some(server.0), server.1);
            (f.src_mac, f.dst_mac) = macs(p, back);
            f.vlans = vlans(p);
            Box::new(f)
        });
        // What is not the same for all is not told.
        f.src_ip = f.src_ip.filter(|ip| *ip == client.0);
        f.dst_ip = f.dst_ip.filter(|ip| *ip == server.0);
        f.src_port = if f.src_port == client.1 { client.1 } else { 0 };
        f.dst_port = if f.dst_port == server.1 { server.1 } else { 0 };
        let (src_mac, dst_mac) = macs(p, back);
        f.src_mac = f.src_mac.filter(|mac| Some(*mac) == src_mac);
        f.dst_mac = f.dst_mac.filter(|mac| Some(*mac) == dst_mac);
        if f.vlans != vlans(p) {
            f.vlans = Vlans::default();
        }
        if !back && f.port != at.port {
            f.port = Port { ifindex: 0, ..f.port };
        }

        let side = if back { &mut f.to_client } else { &mut f.to_server };
        side.packets += packets;
        side.bytes += measure.bytes;
        side.payload_bytes += u64::from(measure.payload);
        if f.sizes.count > 0 {
            f.gaps_us.add(at.ts.ns_since(f.last) / 1000);
        }
        for _ in 1..packets {
            f.gaps_us.add(0);
        }
        let cut = measure.cut(0);
        for _ in 1..packets {
            f.sizes.add(cut.full.into());
        }
        f.sizes.add(cut.last.into());
        f.first = f.first.min(at.ts);
        f.last = f.last.max(at.ts);
        f.fragments += u32::from(p.fragment.is_some());
        f.malformed += u32::from(p.malformed);
        match p.transport {
            Transport::Tcp { flags, .. } => {
                let tcp = f.tcp.get_or_insert_default();
                *(if back { &mut tcp.flags_to_client } else { &mut tcp.flags_to_server }) |= flags;
            }
            Transport::Icmp { kind, code } if f.icmp.is_none() => f.icmp = Some((kind, code)),
            _ => {}
        }
    }

    /// The record; `None` where nothing was counted.
    fn told(self) -> Option<Features> {
        let mut f = *self.features?;
        f.end = EndReason::Idle;
        f.folded = Some(Box::new(Folded {
            flows: if self.flows > 0 { self.flows } else { self.answers },
            sources: self.sources.estimate(),
            targets: self.targets.estimate(),
            ports: self.ports.estimate(),
        }));
        if let Some(tcp) = &mut f.tcp {
            tcp.state = match (tcp.flags_to_server, tcp.flags_to_client) {
                (_, back) if back & RST != 0 => TcpState::Reset,
                (_, back) if back & SYN != 0 => TcpState::SynRecv,
                (there, _) if there & SYN != 0 => TcpState::SynSent,
                _ => TcpState::None,
            };
        }
        if let Proto::Ip(proto) = f.proto
            && let Some(app) = App::from_ip_proto(proto)
        {
            (f.app, f.app_by) = (app.name(), AppBy::Signature);
        }
        Some(f)
    }
}

/// Hardware addresses, those of the side that asked first.
fn macs(p: &Packet<'_>, back: bool) -> (Option<MacAddr>, Option<MacAddr>) {
    match p.macs {
        Some((src, dst)) if back => (Some(MacAddr(dst)), Some(MacAddr(src))),
        Some((src, dst)) => (Some(MacAddr(src)), Some(MacAddr(dst))),
        None => (None, None),
    }
}

fn vlans(p: &Packet<'_>) -> Vlans {
    Vlans { ids: p.vlans, count: p.vlan_count }
}
