//! A filter's questions, put to one packet.

use std::net::IpAddr;

use super::{End, Family, Node, Test};
use crate::packet::{Packet, Transport};
use crate::transport::{SCTP, TCP, UDP};

const ARP: u16 = 0x0806;
const RARP: u16 = 0x8035;

impl Node {
    pub(super) fn matches(&self, packet: &Packet<'_>, wire_len: u32) -> bool {
        match self {
            Self::Everything => true,
            Self::Not(node) => !node.matches(packet, wire_len),
            Self::And(nodes) => nodes.iter().all(|node| node.matches(packet, wire_len)),
            Self::Or(nodes) => nodes.iter().any(|node| node.matches(packet, wire_len)),
            Self::Test(test) => test.matches(packet, wire_len),
        }
    }
}

impl End {
    fn of<T: Copy>(self, ends: (T, T), wanted: impl Fn(T) -> bool) -> bool {
        let (source, destination) = ends;
        match self {
            Self::Source => wanted(source),
            Self::Destination => wanted(destination),
            Self::Either => wanted(source) || wanted(destination),
            Self::Both => wanted(source) && wanted(destination),
        }
    }
}

impl Family {
    fn holds(self, packet: &Packet<'_>) -> bool {
        let ip = packet.ip;
        match self {
            Self::Any => true,
            Self::V4 => ip.is_some_and(|ip| ip.src.is_ipv4()),
            Self::V6 => ip.is_some_and(|ip| ip.src.is_ipv6()),
            Self::Arp => packet.ethertype == ARP,
            Self::Rarp => packet.ethertype == RARP,
            Self::Transport(proto) => ip.is_some_and(|ip| ip.proto == proto),
        }
    }
}

impl Test {
    fn matches(&self, packet: &Packet<'_>, wire_len: u32) -> bool {
        match self {
            Self::Net { end, family, address, prefix } => {
                let ends = match (packet.ip, packet.arp) {
                    (Some(ip), _) => (ip.src, ip.dst),
                    (None, Some(arp)) => (arp.sender, arp.target),
                    (None, None) => return false,
                };
                family.holds(packet) && end.of(ends, |one| within(one, *address, *prefix))
            }
            Self::Port { end, family, first, last } => {
                let ends = match packet.transport {
                    Transport::Tcp { src, dst, .. }
                    | Transport::Udp { src, dst }
                    | Transport::Sctp { src, dst } => (src, dst),
                    Transport::Icmp { .. } | Transport::Igmp { .. } | Transport::None => {
                        return false;
                    }
                };
                let proto = packet.ip.map_or(0, |ip| ip.proto);
                let carried = matches!(proto, TCP | UDP | SCTP);
                carried
                    && family.holds(packet)
                    && end.of(ends, |one| (*first..=*last).contains(&one))
            }
            Self::Hardware { end, address } => {
                packet.macs.is_some_and(|ends| end.of(ends, |one| one == *address))
            }
            Self::Ethertype(kind) => packet.ethertype == *kind,
            Self::V4 => Family::V4.holds(packet),
            Self::V6 => Family::V6.holds(packet),
            Self::Arp => packet.ethertype == ARP,
            Self::Rarp => packet.ethertype == RARP,
            Self::Protocol(family, proto) => {
                family.holds(packet) && packet.ip.is_some_and(|ip| ip.proto == *proto)
            }
            Self::HardwareBroadcast => packet.macs.is_some_and(|(_, to)| to == [0xff; 6]),
            Self::HardwareMulticast => packet.macs.is_some_and(|(_, [first, ..])| first & 1 == 1),
            Self::Multicast(family) => {
                family.holds(packet)
                    && packet.ip.is_some_and(|ip| match ip.dst {
                        // As its kin on bytes: everything from 224.0.0.0 up, broadcast too.
                        IpAddr::V4(to) => to.octets()[0] >= 224,
                        IpAddr::V6(to) => to.is_multicast(),
                    })
            }
            Self::Broadcast => packet.ip.is_some_and(|ip| match ip.dst {
                // The network's mask is not known, so only the addresses that always are one.
                IpAddr::V4(to) => to.is_broadcast() || to.is_unspecified(),
                IpAddr::V6(_) => false,
            }),
            Self::Vlan(None) => packet.vlan_count > 0,
            Self::Vlan(Some(id)) => {
                packet.vlans.iter().take(usize::from(packet.vlan_count)).any(|one| one == id)
            }
            Self::Mpls => matches!(packet.ethertype, 0x8847 | 0x8848),
            Self::Pppoe => matches!(packet.ethertype, 0x8863 | 0x8864),
            Self::Greater(length) => wire_len >= *length,
            Self::Less(length) => wire_len <= *length,
            Self::Flags { mask, not, value } => match packet.transport {
                Transport::Tcp { flags, .. } => (flags & mask == *value) != *not,
                _ => false,
            },
        }
    }
}

fn within(one: IpAddr, net: IpAddr, prefix: u8) -> bool {
    match (one, net) {
        (IpAddr::V4(one), IpAddr::V4(net)) => {
            let differ = u32::from(one) ^ u32::from(net);
            differ.checked_shr(32u32.saturating_sub(u32::from(prefix))).unwrap_or(0) == 0
        }
        (IpAddr::V6(one), IpAddr::V6(net)) => {
            let differ = u128::from(one) ^ u128::from(net);
            differ.checked_shr(128u32.saturating_sub(u32::from(prefix))).unwrap_or(0) == 0
        }
        _ => false,
    }
}
