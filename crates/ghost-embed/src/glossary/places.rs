//! Words for carriage, course, tunnels, roles and zones.

use ghost_event::{Role, Zone};

use crate::packet::Act;
use crate::shape::{Course, Transport};

/// What carries it, said where no application is known, and for ICMP always.
pub const TRANSPORTS: &[(Transport, &str)] = &[
    (Transport::Other, "unknown IP protocol"),
    (Transport::Tcp, "unknown TCP connection"),
    (Transport::Udp, "unknown UDP datagrams"),
    (Transport::Sctp, "SCTP association, telecom signalling"),
    (Transport::Echo, "plain ICMP ping, echo request and reply, reachability check"),
    (Transport::Unreachable, "ICMP error, destination unreachable"),
    (Transport::TimeExceeded, "ICMP error, time exceeded, traceroute"),
    (Transport::Redirect, "ICMP redirect to another gateway"),
    (Transport::Neighbour, "ICMPv6 neighbour discovery, address resolution"),
    (Transport::RouterAdvert, "ICMP router advertisement and solicitation"),
    (Transport::IcmpOther, "ICMP control message"),
    (Transport::Igmp, "IGMP multicast group membership"),
    (Transport::Esp, "IPsec ESP encrypted VPN tunnel"),
    (Transport::Ah, "IPsec AH authenticated VPN tunnel"),
    (Transport::Gre, "GRE tunnel, overlay network encapsulation"),
    (Transport::IpInIp, "IP in IP tunnel, overlay network encapsulation"),
    (Transport::Ospf, "OSPF routing protocol updates between routers"),
    (Transport::Eigrp, "EIGRP Cisco routing protocol updates between routers"),
    (Transport::Pim, "PIM multicast routing between routers"),
    (Transport::Vrrp, "VRRP router redundancy, virtual gateway failover"),
    (Transport::Arp, "ARP hardware address resolution on the local network"),
    (Transport::Lldp, "LLDP switch neighbour discovery"),
    (Transport::Stp, "STP spanning tree, bridge topology between switches"),
    (Transport::Cdp, "CDP Cisco neighbour discovery"),
    (Transport::Eapol, "802.1X port authentication EAPOL"),
    (Transport::Link, "Ethernet frames without IP"),
];

/// How it went.
pub const COURSES: &[(Course, &str)] = &[
    (Course::HalfOpen, "half-open TCP connection attempt without answer"),
    (Course::Refused, "connection refused"),
    (Course::Reset, "connection reset"),
    (Course::OneWay, "no reply"),
];

/// What a packet did, to the server and back; said first.
pub const ACTS: &[(Act, &str, &str)] = &[
    (Act::Datagram, "single packet: datagram", "single packet: answering datagram"),
    (Act::Request, "single packet: TCP connection request", ""),
    (Act::Accept, "single packet: TCP connection accepted", ""),
    (Act::Acknowledge, "single packet: bare TCP acknowledgement", ""),
    (Act::Data, "single packet: data sent to the server", "single packet: data sent back"),
    (Act::Close, "single packet: TCP connection closing", ""),
    (Act::Reset, "single packet: TCP reset tears the connection down", ""),
    (Act::Odd, "single packet: odd TCP flags, probe", ""),
];

/// Flows inside flows.
pub const TUNNELS: &[(&str, &str)] = &[
    ("gre", "GRE tunnel, overlay network encapsulation"),
    ("vxlan", "VXLAN overlay network encapsulation, virtual network tunnel"),
    ("geneve", "Geneve overlay network encapsulation, virtual network tunnel"),
    ("ipip", "IP in IP tunnel, overlay network encapsulation"),
    ("6in4", "IPv6 in IPv4 tunnel, overlay network encapsulation"),
    ("4in6", "IPv4 in IPv6 tunnel, overlay network encapsulation"),
    ("gtp", "GTP mobile network tunnel, overlay encapsulation"),
    ("teredo", "Teredo IPv6 tunnel, overlay network encapsulation"),
    ("l2tp", "L2TP VPN tunnel encapsulation"),
    ("pptp", "PPTP VPN tunnel encapsulation"),
    ("mpls", "MPLS label switched encapsulation"),
    ("pppoe", "PPPoE broadband session encapsulation"),
    ("capwap", "CAPWAP wireless access point tunnel encapsulation"),
];

/// What a side was seen to be, where that is telling.
#[must_use]
pub fn role_word(role: Role, source: bool) -> &'static str {
    match (role, source) {
        (Role::Unknown | Role::Client | Role::Server | Role::Group | Role::Workstation, _) => "",
        (Role::Gateway, true) => "from a router",
        (Role::Gateway, false) => "to a router",
        (Role::NameServer, true) => "from a name server",
        (Role::NameServer, false) => "",
        (Role::Printer, true) => "from a printer",
        (Role::Printer, false) => "to a printer",
        (Role::Camera, true) => "from a camera",
        (Role::Camera, false) => "to a camera",
        (Role::Phone, true) => "from a phone",
        (Role::Phone, false) => "to a phone",
        (Role::Controller, true) => "from a controller",
        (Role::Controller, false) => "to a controller",
        (Role::Hypervisor, true) => "from a hypervisor",
        (Role::Hypervisor, false) => "to a hypervisor",
    }
}

/// Which way it goes, seen from the bridge.
pub const WAYS: &[&str] = &[
    "multicast to a group on the local network",
    "broadcast on the local network",
    "outbound to the internet",
    "inbound from the internet",
    "inside the local network",
    "within this host",
];

/// The place in [`WAYS`] of what goes from `src` to `dst`; `None` where it says nothing.
#[must_use]
pub fn way_index(src: Zone, dst: Zone) -> Option<usize> {
    use Zone as Z;
    match (src, dst) {
        (_, Z::Multicast) => Some(0),
        (_, Z::Broadcast) => Some(1),
        (Z::Internal, Z::Internet) => Some(2),
        (Z::Internet, Z::Internal) => Some(3),
        (Z::Internal, Z::Internal) => Some(4),
        (Z::Host, Z::Host) => Some(5),
        _ => None,
    }
}
