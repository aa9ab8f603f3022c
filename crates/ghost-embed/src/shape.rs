//! A shape: what a flow looked like, in a few words of a closed language.
//!
//! A shape has no address, no host name and no exact number, so that a day of traffic has a few
//! hundred of them. Its canonical tuple names only what is not ordinary
//! (`app=ssh|transport=tcp|behaviours=brute_force|…`), in a fixed order, and its id is xxh3-64 of
//! that text: every log and every replica calls it the same.
//!
//! It does not promise that two flows of one shape are alike in everything: exact facts are
//! filters' work, not meaning's.

use std::fmt::Write as _;

use ghost_event::{
    Behaviours, Features, Party, Proto, Role, ShapeId, Subject, Tcp, TcpState, Zone,
};

use crate::glossary;
use crate::limits::BEHAVIOURS_PER_SHAPE_MAX;
use crate::packet::{Fill, Look, PacketFacts};

/// The bucketed, categorical features of one flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// The application's name, "" where not told.
    pub app: &'static str,
    pub transport: Transport,
    /// The most telling ones only.
    pub behaviours: Behaviours,
    /// From a closed list; "" where none.
    pub brand: &'static str,
    /// Of the brand, else of the application; "" where none.
    pub category: &'static str,
    pub src: Party,
    pub dst: Party,
    pub size: Size,
    pub course: Course,
    /// The kind of the first inner flow, "" where none.
    pub tunnel: &'static str,
    pub vlan: bool,
    pub fragments: bool,
    pub encrypted: bool,
    /// Present where the shape is one packet's.
    pub packet: Option<Look>,
}

macro_rules! names {
    ($(#[$doc:meta])* $kind:ident { $($(#[$vdoc:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub enum $kind { #[default] $($(#[$vdoc])* $variant,)* }
        impl $kind {
            pub const ALL: &'static [$kind] = &[$($kind::$variant,)*];
            /// The name that stands in the tuple.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $($kind::$variant => $name,)* }
            }
        }
    };
}

pub(crate) use names;

names! {
    /// What carries the application; kinds of ICMP message are told apart, since they are what
    /// ICMP is about.
    Transport {
        Other = "other",
        Tcp = "tcp",
        Udp = "udp",
        Sctp = "sctp",
        Echo = "icmp_echo",
        Unreachable = "icmp_unreachable",
        TimeExceeded = "icmp_time_exceeded",
        Redirect = "icmp_redirect",
        Neighbour = "icmp_neighbour",
        RouterAdvert = "icmp_router",
        IcmpOther = "icmp_other",
        Igmp = "igmp",
        Esp = "esp",
        Ah = "ah",
        Gre = "gre",
        IpInIp = "ip_in_ip",
        Ospf = "ospf",
        Eigrp = "eigrp",
        Pim = "pim",
        Vrrp = "vrrp",
        Arp = "arp",
        Lldp = "lldp",
        Stp = "stp",
        Cdp = "cdp",
        Eapol = "eapol",
        Link = "link",
    }
}

names! {
    /// How much was carried, both ways.
    Size {
        /// Below 1 MB.
        Ordinary = "ordinary",
        /// From 1 MB.
        Large = "large",
        /// From 1 MB, at least ten times more towards the client.
        Download = "download",
        /// From 1 MB, at least ten times more towards the server.
        Upload = "upload",
        /// From 1 GB.
        VeryLarge = "very_large",
    }
}

names! {
    /// How it went.
    Course {
        /// Nothing odd, or nothing known.
        Ordinary = "ordinary",
        /// A TCP SYN that nothing answered.
        HalfOpen = "half_open",
        /// Refused before any payload.
        Refused = "refused",
        /// Torn down by a reset after payload.
        Reset = "reset",
        /// Datagrams to one host that nothing answered.
        OneWay = "one_way",
    }
}

/// From here a flow counts as large.
const LARGE_BYTES: u64 = 1_000_000;
/// From here as very large.
const VERY_LARGE_BYTES: u64 = 1_000_000_000;

impl Shape {
    /// The shape of a flow.
    #[must_use]
    pub fn of(f: &Features) -> Shape {
        let word = glossary::app(f.app);
        Shape {
            app: f.app,
            transport: Transport::of(f),
            behaviours: most_telling(f.behaviours),
            brand: f.brand,
            category: if f.category.is_empty() {
                word.map_or("", |w| w.category)
            } else {
                f.category
            },
            src: f.src,
            dst: f.dst,
            size: Size::of(f),
            course: Course::of(f),
            tunnel: f.tunnels.first().map_or("", |t| t.kind),
            vlan: f.vlans.count > 0,
            fragments: f.fragments > 0,
            encrypted: word.is_some_and(|w| w.encrypted),
            packet: None,
        }
    }

    /// The shape of a packet of the flow `f`.
    #[must_use]
    pub fn of_packet(f: &Features, facts: &PacketFacts) -> Shape {
        let word = glossary::app(f.app);
        let mut behaviours = f.behaviours;
        if facts.malformed {
            behaviours.insert(Behaviours::MALFORMED);
        }
        Shape {
            app: f.app,
            transport: Transport::of(f),
            behaviours: most_telling(behaviours),
            brand: "",
            category: word.map_or("", |w| w.category),
            src: f.src,
            dst: f.dst,
            size: Size::Ordinary,
            course: Course::Ordinary,
            tunnel: "",
            vlan: false,
            fragments: facts.fragment,
            encrypted: word.is_some_and(|w| w.encrypted),
            packet: Some(Look::of(facts)),
        }
    }

    /// The canonical text of the shape; what is ordinary is left out.
    #[must_use]
    pub fn tuple(&self) -> String {
        let mut out = String::with_capacity(128);
        let mut put = |key: &str, value: &str| {
            if !value.is_empty() {
                if !out.is_empty() {
                    out.push('|');
                }
                out.push_str(key);
                out.push('=');
                out.push_str(value);
            }
        };
        put("app", self.app);
        put("transport", self.transport.name());
        let mut behaviours = String::new();
        for name in self.behaviours.names() {
            let comma = if behaviours.is_empty() { "" } else { "," };
            let _ = write!(behaviours, "{comma}{name}");
        }
        put("behaviours", &behaviours);
        put("brand", self.brand);
        put("category", self.category);
        put("src", &party(self.src));
        put("dst", &party(self.dst));
        if self.size != Size::Ordinary {
            put("size", self.size.name());
        }
        if self.course != Course::Ordinary {
            put("course", self.course.name());
        }
        put("tunnel", self.tunnel);
        put("vlan", if self.vlan { "yes" } else { "" });
        put("fragments", if self.fragments { "yes" } else { "" });
        put("encrypted", if self.encrypted { "yes" } else { "" });
        if let Some(look) = self.packet {
            put("packet", look.act.name());
            put("direction", if look.to_server { "to_server" } else { "to_client" });
            put("fill", if look.fill == Fill::Medium { "" } else { look.fill.name() });
        }
        out
    }

    /// xxh3-64 of the tuple.
    #[must_use]
    pub fn id(&self) -> ShapeId {
        ShapeId(xxhash_rust::xxh3::xxh3_64(self.tuple().as_bytes()))
    }

    /// The same with fewer fields, for a log that is full of shapes: first without size, roles and
    /// framing, then without brand and zones, last the application and transport alone. A packet's
    /// shape first forgets how full it was, and last that it is a packet's.
    #[must_use]
    pub fn parent(&self) -> Option<Shape> {
        let bare = Party::default();
        let zone = |p: Party| Party { role: Role::Unknown, zone: p.zone };
        let first = Shape {
            size: Size::Ordinary,
            course: Course::Ordinary,
            vlan: false,
            fragments: false,
            src: zone(self.src),
            dst: zone(self.dst),
            packet: self.packet.map(|look| Look { fill: Fill::Medium, ..look }),
            ..*self
        };
        let second = Shape { brand: "", src: bare, dst: bare, tunnel: "", ..first };
        let third = Shape {
            behaviours: Behaviours::NONE,
            category: glossary::app(self.app).map_or("", |w| w.category),
            packet: None,
            ..second
        };
        [first, second, third].into_iter().find(|s| s != self)
    }
}

/// `internal.client`, `internet`, `server`, or nothing.
fn party(p: Party) -> String {
    match (p.zone, p.role) {
        (Zone::Unknown, Role::Unknown) => String::new(),
        (zone, Role::Unknown) => zone.name().to_owned(),
        (Zone::Unknown, role) => role.name().to_owned(),
        (zone, role) => format!("{}.{}", zone.name(), role.name()),
    }
}

/// The first few of `all` in the order of [`glossary::BEHAVIOURS`].
fn most_telling(all: Behaviours) -> Behaviours {
    let mut kept = Behaviours::NONE;
    if all.is_empty() {
        return kept;
    }
    let mut room = BEHAVIOURS_PER_SHAPE_MAX;
    for word in glossary::BEHAVIOURS {
        if room == 0 {
            break;
        }
        if all.contains(word.behaviour) {
            kept.insert(word.behaviour);
            room -= 1;
        }
    }
    kept
}

impl Transport {
    /// What carries `f`.
    #[must_use]
    pub fn of(f: &Features) -> Transport {
        match f.proto {
            Proto::Ip(6) => Transport::Tcp,
            Proto::Ip(17) => Transport::Udp,
            Proto::Ip(132) => Transport::Sctp,
            Proto::Ip(1) => match f.icmp {
                Some((0 | 8, _)) => Transport::Echo,
                Some((3, _)) => Transport::Unreachable,
                Some((11, _)) => Transport::TimeExceeded,
                Some((5, _)) => Transport::Redirect,
                Some((9 | 10, _)) => Transport::RouterAdvert,
                _ => Transport::IcmpOther,
            },
            Proto::Ip(58) => match f.icmp {
                Some((128 | 129, _)) => Transport::Echo,
                Some((1 | 2, _)) => Transport::Unreachable,
                Some((3, _)) => Transport::TimeExceeded,
                Some((137, _)) => Transport::Redirect,
                Some((135 | 136, _)) => Transport::Neighbour,
                Some((133 | 134, _)) => Transport::RouterAdvert,
                Some((130..=132 | 143, _)) => Transport::Igmp,
                _ => Transport::IcmpOther,
            },
            Proto::Ip(2) => Transport::Igmp,
            Proto::Ip(50) => Transport::Esp,
            Proto::Ip(51) => Transport::Ah,
            Proto::Ip(47) => Transport::Gre,
            Proto::Ip(4 | 41) => Transport::IpInIp,
            Proto::Ip(88) => Transport::Eigrp,
            Proto::Ip(89) => Transport::Ospf,
            Proto::Ip(103) => Transport::Pim,
            Proto::Ip(112) => Transport::Vrrp,
            Proto::Ether(0x0806) => Transport::Arp,
            Proto::Ether(0x88cc) => Transport::Lldp,
            Proto::Ether(0x0042) => Transport::Stp,
            Proto::Ether(0x2000) => Transport::Cdp,
            Proto::Ether(0x888e) => Transport::Eapol,
            Proto::Ether(_) => Transport::Link,
            Proto::Ip(_) => Transport::Other,
        }
    }
}

impl Size {
    /// The bucket of `f`.
    #[must_use]
    pub fn of(f: &Features) -> Size {
        let (up, down) = (f.to_server.bytes, f.to_client.bytes);
        match up.saturating_add(down) {
            0..LARGE_BYTES => Size::Ordinary,
            VERY_LARGE_BYTES.. => Size::VeryLarge,
            _ if down / 10 >= up => Size::Download,
            _ if up / 10 >= down => Size::Upload,
            _ => Size::Large,
        }
    }
}

impl Course {
    /// How `f` went.
    #[must_use]
    pub fn of(f: &Features) -> Course {
        let group = matches!(f.dst.zone, Zone::Multicast | Zone::Broadcast);
        let silent = f.to_client.packets == 0;
        match (&f.tcp, f.subject) {
            (_, Subject::Link | Subject::Packet) => Course::Ordinary,
            (Some(tcp), _) => Course::of_tcp(tcp, f),
            (None, _) if silent && !group => Course::OneWay,
            (None, _) => Course::Ordinary,
        }
    }

    fn of_tcp(tcp: &Tcp, f: &Features) -> Course {
        const RST: u8 = 0x04;
        let payload = f.to_server.payload_bytes + f.to_client.payload_bytes;
        let reset = (tcp.flags_to_server | tcp.flags_to_client) & RST != 0;
        match tcp.state {
            TcpState::SynSent if f.to_client.packets == 0 => Course::HalfOpen,
            TcpState::SynRecv if payload == 0 => Course::HalfOpen,
            _ if payload == 0 && tcp.flags_to_client & RST != 0 => Course::Refused,
            _ if payload == 0 && reset => Course::HalfOpen,
            TcpState::Reset if payload > 0 => Course::Reset,
            _ => Course::Ordinary,
        }
    }
}
