//! What makes two packets one record: the outermost 5-tuple without its direction.
//!
//! VLAN tags and hardware addresses are not part of a flow's key (a flow seen on both sides of a
//! tagging switch is one flow). Below IP the key is the ethertype and the sender's hardware
//! address, so that a device that asks the whole network by ARP is one record. The bridge is part
//! of every key: what crosses two bridges is a record of each.

use std::net::IpAddr;

use ghost_wire::{Packet, Transport};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::community::icmp_ports;

/// How the key was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Addresses and ports, lower end first.
    Pair = 0,
    /// A one-way ICMP message: ends in the order of its direction.
    OneWay = 1,
    /// No IP header.
    Link = 2,
}

/// 40 bytes, compared and hashed as such.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key([u8; 40]);

/// Where a packet belongs, and which end of the key sent it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) key: Key,
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
}

pub(crate) fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(a) => {
            let mut wide = [0; 16];
            wide[..4].copy_from_slice(&a.octets());
            wide
        }
        IpAddr::V6(a) => a.octets(),
    }
}

impl Key {
    pub(crate) fn hash(&self, seed: u64) -> u64 {
        xxh3_64_with_seed(&self.0, seed)
    }

    fn new(
        kind: Kind,
        a: ([u8; 16], u16),
        b: ([u8; 16], u16),
        proto: u8,
        v6: bool,
        bridge: u16,
    ) -> Key {
        let (low, high) = if kind == Kind::Pair && b < a { (b, a) } else { (a, b) };
        let mut key = [0; 40];
        key[..16].copy_from_slice(&low.0);
        key[16..32].copy_from_slice(&high.0);
        key[32..34].copy_from_slice(&low.1.to_be_bytes());
        key[34..36].copy_from_slice(&high.1.to_be_bytes());
        key[36] = proto;
        key[37] = kind as u8 | u8::from(v6) << 4;
        key[38..].copy_from_slice(&bridge.to_be_bytes());
        Key(key)
    }

    /// The flow between two ends.
    pub(crate) fn flow(src: (IpAddr, u16), dst: (IpAddr, u16), proto: u8, bridge: u16) -> Key {
        let v6 = src.0.is_ipv6();
        Key::new(Kind::Pair, (octets(src.0), src.1), (octets(dst.0), dst.1), proto, v6, bridge)
    }

    /// The record of frames that have no IP header.
    pub(crate) fn link(ethertype: u16, sender: [u8; 6], bridge: u16) -> Key {
        let mut wide = [0; 16];
        wide[..6].copy_from_slice(&sender);
        Key::new(Kind::Link, (wide, ethertype), ([0; 16], 0), 0, false, bridge)
    }
}

impl Place {
    /// Where the packet belongs; `None` where it has neither IP header nor anything to name it by.
    pub(crate) fn of(p: &Packet<'_>, bridge: u16) -> Option<Place> {
        let Some(ip) = p.ip else {
            if p.ethertype == 0 && p.macs.is_none() {
                return None;
            }
            let sender = p.macs.map_or([0; 6], |(src, _)| src);
            let key = Key::link(p.ethertype, sender, bridge);
            return Some(Place { key, src_port: 0, dst_port: 0 });
        };
        let (src_port, dst_port) = match p.transport {
            Transport::Tcp { src, dst, .. }
            | Transport::Udp { src, dst }
            | Transport::Sctp { src, dst } => (src, dst),
            Transport::Icmp { kind, code } => {
                let (s, d, one_way) = icmp_ports(ip.proto, kind, code);
                let kind = if one_way { Kind::OneWay } else { Kind::Pair };
                let (a, b) = ((octets(ip.src), s), (octets(ip.dst), d));
                let key = Key::new(kind, a, b, ip.proto, ip.src.is_ipv6(), bridge);
                return Some(Place { key, src_port: 0, dst_port: 0 });
            }
            Transport::None | Transport::Igmp { .. } => (0, 0),
        };
        let key = Key::flow((ip.src, src_port), (ip.dst, dst_port), ip.proto, bridge);
        Some(Place { key, src_port, dst_port })
    }

    /// Where a fragment belongs whose datagram's first fragment was never seen.
    pub(crate) fn portless(src: IpAddr, dst: IpAddr, proto: u8, bridge: u16) -> Place {
        Place { key: Key::flow((src, 0), (dst, 0), proto, bridge), src_port: 0, dst_port: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(address: &str, port: u16) -> (IpAddr, u16) {
        (address.parse().unwrap(), port)
    }

    #[test]
    fn both_directions_have_one_key() {
        let (a, b) = (end("10.0.0.1", 1000), end("10.0.0.2", 80));
        assert_eq!(Key::flow(a, b, 6, 0), Key::flow(b, a, 6, 0));
        assert_ne!(Key::flow(a, b, 6, 0), Key::flow(a, b, 17, 0));
        assert_ne!(Key::flow(a, b, 6, 0), Key::flow(a, b, 6, 1), "another bridge");
        let (c, d) = (end("10.0.0.1", 80), end("10.0.0.2", 1000));
        assert_ne!(Key::flow(a, b, 6, 0), Key::flow(c, d, 6, 0), "ports belong to their addresses");
    }

    #[test]
    fn an_ip4_address_never_equals_the_ip6_address_of_its_octets() {
        let four = Key::flow(end("1.2.3.4", 1), end("1.2.3.4", 2), 17, 0);
        let six = Key::flow(end("102:304::", 1), end("102:304::", 2), 17, 0);
        assert_ne!(four, six);
    }
}
