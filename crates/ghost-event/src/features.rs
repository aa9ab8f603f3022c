//! What was seen of one flow (or of one conversation below IP): numbers and names, no payload.

use std::net::IpAddr;

use crate::{Behaviours, Party, Score, Timestamp};

/// A hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MacAddr(pub [u8; 6]);

/// What one record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Subject {
    /// A bidirectional flow with an outermost IP header.
    #[default]
    Flow,
    /// Frames with no IP header that share ethertype (or LLC protocol) and addresses: ARP, STP, LLDP.
    Link,
    /// One packet (`packet` granularity).
    Packet,
}

/// What stands above the outermost network layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Proto {
    /// The protocol number of the outermost IP header, after its extension headers.
    Ip(u8),
    /// No IP header: the ethertype of the innermost tag, or an LLC/SNAP protocol as 0x0000–0x05ff.
    Ether(u16),
}

/// Up to two VLAN tags, outer first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Vlans {
    pub ids: [u16; 2],
    pub count: u8,
}

/// What one side sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Side {
    pub packets: u64,
    /// On the wire, link header included.
    pub bytes: u64,
    /// Above the transport header, as captured lengths and headers tell.
    pub payload_bytes: u64,
}

/// Count, extremes, mean and spread of a stream of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Stats {
    pub count: u64,
    pub min: u64,
    pub max: u64,
    pub mean: f64,
    /// Sum of squared distances from the mean (Welford).
    pub m2: f64,
}

/// How far a TCP connection came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum TcpState {
    #[default]
    None,
    SynSent,
    SynRecv,
    Established,
    FinWait,
    Closed,
    Reset,
}

/// What only TCP tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tcp {
    /// The union of flag bits seen (CWR ECE URG ACK PSH RST SYN FIN, high to low), by side.
    pub flags_to_server: u8,
    pub flags_to_client: u8,
    pub state: TcpState,
    /// From SYN to SYN-ACK, and from SYN-ACK to ACK; 0 where not seen.
    pub rtt_server_us: u32,
    pub rtt_client_us: u32,
    pub retransmissions: u32,
}

/// How the application was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum AppBy {
    /// Not told.
    #[default]
    Nothing,
    /// By its registered port alone.
    Port,
    /// By what its messages look like.
    Signature,
}

/// Why the record was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum EndReason {
    /// FIN or RST, then quiet.
    #[default]
    Closed,
    /// Nothing came for the idle timeout.
    Idle,
    /// It lasted for the active timeout; what follows is another record of the same flow.
    Active,
    /// The table was full, and this flow had been quiet longest.
    Evicted,
    /// The capture ended or the daemon stopped.
    Shutdown,
    /// Still open: asked for by `--updates`.
    Update,
}

/// One encapsulated flow inside this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tunnel {
    /// `gre`, `vxlan`, `geneve`, `ipip`, `6in4`, `4in6`, `gtp`, `teredo`, …
    pub kind: &'static str,
    /// VNI, TEID or GRE key, where there is one.
    pub id: Option<u32>,
    pub src_ip: Option<IpAddr>,
    pub dst_ip: Option<IpAddr>,
    pub src_port: u16,
    pub dst_port: u16,
    pub proto: u8,
    pub packets: u64,
}

/// Names and small facts that the messages told: a field's path in the event, and its value.
///
/// A path may stand more than once (`dns.queries.rrname`). Values are UTF-8, with U+FFFD where
/// the wire had something else (as `String::from_utf8_lossy` does it); they are untrusted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    pub pairs: Vec<(&'static str, Box<str>)>,
    /// Names that found no room.
    pub dropped: u32,
}

impl Names {
    /// The first value under `path`.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&str> {
        self.pairs.iter().find(|(p, _)| *p == path).map(|(_, value)| &**value)
    }

    /// Every value under `path`, in the order of arrival.
    pub fn all<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(p, _)| *p == path).map(|(_, v)| &**v)
    }
}

/// Where a record's first frame entered; all zero where it came from a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Port {
    /// The bridge's number in this daemon's list.
    pub bridge: u16,
    /// The interface's number in the kernel.
    pub ifindex: u32,
}

/// Flows of a flood, told as one record: none of them was answered. The record's packets and bytes
/// are exactly theirs; its addresses and ports are those that all of them share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Folded {
    pub flows: u64,
    /// Different source addresses, about.
    pub sources: u64,
    /// Different destination addresses, about.
    pub targets: u64,
    /// Different destination ports, about.
    pub ports: u64,
}

/// One flow, as far as it went. "Source" is the side that opened it.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    pub subject: Subject,
    pub port: Port,
    pub first: Timestamp,
    pub last: Timestamp,
    /// `None` below IP; ARP puts its protocol addresses here.
    pub src_ip: Option<IpAddr>,
    pub dst_ip: Option<IpAddr>,
    /// 0 where the transport has none.
    pub src_port: u16,
    pub dst_port: u16,
    pub proto: Proto,
    /// Type and code of the flow's first ICMP or ICMPv6 message.
    pub icmp: Option<(u8, u8)>,
    pub src_mac: Option<MacAddr>,
    pub dst_mac: Option<MacAddr>,
    pub vlans: Vlans,
    pub to_server: Side,
    pub to_client: Side,
    /// Of frame lengths in bytes.
    pub sizes: Stats,
    /// Of times between frames in microseconds.
    pub gaps_us: Stats,
    pub tcp: Option<Tcp>,
    /// IP fragments among the packets.
    pub fragments: u32,
    pub end: EndReason,
    /// SHA-1 of Community ID v1 (seed 0); `None` below IP.
    pub community_id: Option<[u8; 20]>,
    /// The application's name (`ssh`, `dns`, …), "" where not told.
    pub app: &'static str,
    pub app_by: AppBy,
    pub names: Names,
    pub tunnels: Vec<Tunnel>,
    /// Packets that did not parse to their end.
    pub malformed: u32,
    // What ghost-detect adds.
    pub behaviours: Behaviours,
    pub src: Party,
    pub dst: Party,
    /// A known service or maker ("Netflix"), from a closed list; "" where none.
    pub brand: &'static str,
    /// The kind of that brand or application ("video streaming"), from a closed list; "" where none.
    pub category: &'static str,
    /// Names learned for the two addresses (DNS answers, DHCP, mDNS).
    pub src_name: Option<Box<str>>,
    pub dst_name: Option<Box<str>>,
    /// Present where the record tells many flows of a flood as one.
    pub folded: Option<Box<Folded>>,
    /// Present where it was scored.
    pub score: Option<Box<Score>>,
}

impl Features {
    /// Of a moment and a port, and nothing else yet.
    #[must_use]
    pub fn blank(at: Timestamp, port: Port) -> Features {
        Features {
            subject: Subject::Flow,
            port,
            first: at,
            last: at,
            src_ip: None,
            dst_ip: None,
            src_port: 0,
            dst_port: 0,
            proto: Proto::Ether(0),
            icmp: None,
            src_mac: None,
            dst_mac: None,
            vlans: Vlans::default(),
            to_server: Side::default(),
            to_client: Side::default(),
            sizes: Stats::default(),
            gaps_us: Stats::default(),
            tcp: None,
            fragments: 0,
            end: EndReason::Shutdown,
            community_id: None,
            app: "",
            app_by: AppBy::Nothing,
            names: Names::default(),
            tunnels: Vec::new(),
            malformed: 0,
            behaviours: Behaviours::NONE,
            src: Party::default(),
            dst: Party::default(),
            brand: "",
            category: "",
            src_name: None,
            dst_name: None,
            folded: None,
            score: None,
        }
    }

    /// Both sides' packets.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.to_server.packets + self.to_client.packets
    }

    /// Both sides' bytes on the wire.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.to_server.bytes + self.to_client.bytes
    }

    /// How long it lasted.
    #[must_use]
    pub fn duration_ns(&self) -> u64 {
        self.last.ns_since(self.first)
    }
}

impl Stats {
    /// Takes in one more number.
    pub fn add(&mut self, value: u64) {
        self.min = if self.count == 0 { value } else { self.min.min(value) };
        self.max = self.max.max(value);
        self.count += 1;
        #[expect(clippy::cast_precision_loss, reason = "statistics, not accounts")]
        let (v, n) = (value as f64, self.count as f64);
        let delta = v - self.mean;
        self.mean += delta / n;
        self.m2 += delta * (v - self.mean);
    }

    /// Standard deviation of what was added.
    #[must_use]
    pub fn deviation(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "statistics, not accounts")]
        let n = self.count.max(1) as f64;
        (self.m2 / n).sqrt()
    }
}

impl Vlans {
    /// The tags, outer first.
    #[must_use]
    pub fn as_slice(&self) -> &[u16] {
        &self.ids[..usize::from(self.count.min(2))]
    }

    /// Adds an inner tag; a third and later one is not kept.
    pub fn push(&mut self, id: u16) {
        if let Some(slot) = self.ids.get_mut(usize::from(self.count)) {
            *slot = id;
            self.count += 1;
        }
    }
}
