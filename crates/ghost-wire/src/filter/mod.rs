//! Filter words, as people type them to packet capture programs: `tcp port 443 and not host 10.0.0.1`.
//!
//! A filter looks at one [`Packet`](crate::Packet) and its length on the wire. It sees the
//! outermost IP header, as flows do; with VLAN tags or without, since those are read away. This is
//! where it differs from programs that run filters on bytes: there `port 80` does not find tagged
//! frames unless `vlan` stands before it.
//!
//! Not supported, and refused with a message that says so: expressions over byte offsets, except
//! `tcp[tcpflags]`; link types (`type mgt`), gateways and host names.

mod eval;
mod parse;
mod value;
mod word;

use std::net::IpAddr;

use crate::packet::Packet;

/// A compiled filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    root: Node,
}

/// Why words are no filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    /// Where it went wrong, in bytes from the start of the words.
    pub at: usize,
    /// What stands there; empty at the end.
    pub found: String,
    /// What was expected there, or why it is refused.
    pub expected: String,
}

impl std::fmt::Display for FilterError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { at, found, expected } = self;
        if found.is_empty() {
            write!(f, "the filter ends too early: expected {expected}")
        } else {
            write!(f, "filter, character {}: `{found}`: expected {expected}", at + 1)
        }
    }
}

impl std::error::Error for FilterError {}

impl Filter {
    /// Reads filter words; no words at all match everything.
    pub fn compile(words: &str) -> Result<Self, FilterError> {
        parse::filter(words).map(|root| Self { root })
    }

    /// Whether the packet is wanted.
    pub fn matches(&self, packet: &Packet<'_>, wire_len: u32) -> bool {
        self.root.matches(packet, wire_len)
    }
}

/// The tree behind a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Everything,
    Not(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Test(Test),
}

/// Which end of a packet is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Source,
    Destination,
    Either,
    Both,
}

/// The protocol that stands before `host`, `net` or `port`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Any,
    V4,
    V6,
    Arp,
    Rarp,
    Transport(u8),
}

/// A question to one packet.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Net {
        end: End,
        family: Family,
        address: IpAddr,
        prefix: u8,
    },
    /// A range of one or more ports.
    Port {
        end: End,
        family: Family,
        first: u16,
        last: u16,
    },
    Hardware {
        end: End,
        address: [u8; 6],
    },
    Ethertype(u16),
    V4,
    V6,
    Arp,
    Rarp,
    /// An IP protocol, in a packet of the family.
    Protocol(Family, u8),
    HardwareBroadcast,
    HardwareMulticast,
    /// To an IPv4 address from 224.0.0.0 on, or an IPv6 multicast address.
    Multicast(Family),
    Broadcast,
    Vlan(Option<u16>),
    Mpls,
    Pppoe,
    /// At least so long on the wire.
    Greater(u32),
    /// At most so long on the wire.
    Less(u32),
    /// `tcp[tcpflags] & mask OP value`
    Flags {
        mask: u8,
        not: bool,
        value: u8,
    },
}
