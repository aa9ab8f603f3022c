//! One logged line, read: what index, query and renderers need of it, borrowed where it can be.
//!
//! Every part is optional, unknown keys are passed over, and a single value may stand where a list
//! is written: an older, newer or foreign line is read as far as it is understood. A value of
//! another type than its key has is as if absent. Names come back under the paths under which they
//! were told, in the order of the line.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::anomaly::IncidentPart;
use super::change::Fact;
use super::note::Note;
use super::walk;
use crate::{
    Behaviours, Digest, Folded, MacAddr, Party, Priority, Reasons, Seq, ShapeId, Tier, Timestamp,
    Vector,
};

/// Keys of `ghost` that are our own facts; every other one there is a name.
pub(super) const GHOST_KEYS: &[&str] = &[
    "v",
    "seq",
    "prev",
    "prio",
    "shape",
    "import",
    "bridge",
    "folded",
    "app_by",
    "behaviours",
    "brand",
    "category",
    "src_role",
    "src_zone",
    "dest_role",
    "dest_zone",
    "src_name",
    "dest_name",
    "sizes",
    "gaps_us",
    "payload_toserver",
    "payload_toclient",
    "fragments",
    "malformed",
    // Of lines that earlier programs wrote.
    "fingerprint",
    "start_ns",
    "end_ns",
    "tunnels_dropped",
    "names_dropped",
    "flow",
    "len",
    "payload",
    "segments",
    "ns",
    "sha256",
    "tuple",
    "text",
    "glossary",
    "tier",
    "model",
    "scale",
    "vec",
    "epoch",
    "segment",
    "recovered",
    "gap",
    "score",
    "why",
    "element",
    "alert",
    "alerted",
    "reasons",
    "incident",
    "anomaly",
    "change",
    "head",
    "key",
    "retired",
    "block",
];

/// What a line is about, by its `event_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LineKind {
    Flow,
    Packet,
    Shape,
    Epoch,
    Segment,
    Import,
    Recovered,
    Gap,
    Key,
    Retired,
    Block,
    /// The newest line of an element's chain, stated again.
    Element,
    /// An event about an element.
    Change,
    /// A statement about an incident.
    Anomaly,
    /// Of a later version, or not ours.
    #[default]
    Other,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct View<'a> {
    pub kind: LineKind,
    pub event_type: Cow<'a, str>,
    pub timestamp: Option<Timestamp>,
    pub flow_id: Option<u64>,
    pub in_iface: Option<Cow<'a, str>>,
    pub pcap_filename: Option<Cow<'a, str>>,
    pub src_ip: Option<IpAddr>,
    pub src_port: Option<u16>,
    pub dest_ip: Option<IpAddr>,
    pub dest_port: Option<u16>,
    pub proto: Option<Cow<'a, str>>,
    pub icmp_type: Option<u8>,
    pub icmp_code: Option<u8>,
    /// `None` where the application was not told.
    pub app_proto: Option<Cow<'a, str>>,
    pub community_id: Option<Cow<'a, str>>,
    pub vlan: Vec<u16>,
    pub ether: Ether,
    pub flow: FlowPart<'a>,
    pub tcp: Option<TcpPart<'a>>,
    pub tunnels: Vec<TunnelPart<'a>>,
    pub names: Vec<Name<'a>>,
    pub ghost: Ghost<'a>,
    /// Of a packet's line.
    pub packet: Option<PacketPart<'a>>,
    /// Of a shape line.
    pub shape: Option<ShapePart<'a>>,
    /// Of a change line.
    pub change: Option<ChangePart<'a>>,
    /// Of a line by which the log tells of itself.
    pub note: Option<Note<'a>>,
}

/// Hardware addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ether {
    pub src_mac: Option<MacAddr>,
    pub dest_mac: Option<MacAddr>,
}

/// EVE's `flow` object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FlowPart<'a> {
    pub pkts_toserver: u64,
    pub pkts_toclient: u64,
    pub bytes_toserver: u64,
    pub bytes_toclient: u64,
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
    pub age_s: u64,
    /// `new`, `established`, `closed`.
    pub state: Cow<'a, str>,
    /// `closed`, `timeout`, `active`, `forced`, `shutdown`, `update`.
    pub reason: Cow<'a, str>,
}

/// EVE's `tcp` object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TcpPart<'a> {
    pub flags_to_server: u8,
    pub flags_to_client: u8,
    pub state: Cow<'a, str>,
    pub rtt_us: u64,
    pub rtt_server_us: u64,
    pub retransmissions: u64,
}

/// One encapsulated flow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TunnelPart<'a> {
    pub kind: Cow<'a, str>,
    pub id: Option<u32>,
    pub src_ip: Option<IpAddr>,
    pub src_port: u16,
    pub dest_ip: Option<IpAddr>,
    pub dest_port: u16,
    pub proto: Cow<'a, str>,
    pub packets: u64,
}

/// One name or small fact, by its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name<'a> {
    pub path: Cow<'static, str>,
    pub value: Cow<'a, str>,
}

/// Least and most; absent where one number is all there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spread {
    pub min: u64,
    pub max: u64,
}

/// Our own facts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ghost<'a> {
    pub v: u32,
    pub seq: Option<Seq>,
    pub prev: Option<Digest>,
    pub prio: Option<Priority>,
    /// Of a flow the shape it has, of a shape line the shape it states.
    pub shape: Option<ShapeId>,
    /// The `import` line that began the import of this event.
    pub import: Option<Seq>,
    /// The bridge that the frames crossed.
    pub bridge: Option<Cow<'a, str>>,
    /// `port` or `signature`; empty where the application was not told.
    pub app_by: Cow<'a, str>,
    pub behaviours: Behaviours,
    pub brand: Cow<'a, str>,
    pub category: Cow<'a, str>,
    pub src: Party,
    pub dest: Party,
    pub src_name: Option<Cow<'a, str>>,
    pub dest_name: Option<Cow<'a, str>>,
    /// Present where the line tells many flows of a flood as one.
    pub folded: Option<Folded>,
    pub sizes: Option<Spread>,
    pub gaps_us: Option<Spread>,
    pub payload_toserver: u64,
    pub payload_toclient: u64,
    pub fragments: u64,
    pub malformed: u64,
    pub names_dropped: u64,
    /// How unlike all before, where it was scored: 0 to 1.
    pub score: Option<f64>,
    /// It was worth an alert.
    pub alert: bool,
    pub alerted: Option<Timestamp>,
    pub reasons: Reasons,
    /// Of a flow that is part of one its id alone; of an anomaly line all of it.
    pub incident: Option<IncidentPart<'a>>,
    /// Of an event about an element: its place in that element's chain.
    pub element: Option<ElementLink<'a>>,
}

/// A line's place in the chain of its element.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ElementLink<'a> {
    pub id: Cow<'a, str>,
    pub kind: Cow<'a, str>,
    /// From 1; 0 where it is not told.
    pub height: u64,
    /// The leaf of the element's line before; zeros at height 1.
    pub prev: Digest,
}

/// What became of an element.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChangePart<'a> {
    pub action: Cow<'a, str>,
    pub changed: Vec<Cow<'a, str>>,
    pub before: Vec<(String, Fact<'a>)>,
    pub after: Vec<(String, Fact<'a>)>,
}

/// What a packet's line tells of the packet alone; fragments and malformed ones stand in [`Ghost`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PacketPart<'a> {
    /// Whether the side that opened the flow sent it; `None` where it is not told.
    pub to_server: Option<bool>,
    /// The first 64 bits of the flow's Community ID.
    pub conversation: Option<u64>,
    /// On the wire.
    pub len: u64,
    /// Above the transport header.
    pub payload: u64,
    /// Packets of the wire in this frame; 0 where it is not told: one.
    pub segments: u64,
    pub tcp_flags: Option<u8>,
    /// Of the captured bytes, in hexadecimal.
    pub sha256: Cow<'a, str>,
}

/// What a shape line states.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ShapePart<'a> {
    pub tuple: Cow<'a, str>,
    pub text: Cow<'a, str>,
    pub glossary: u32,
    pub model: Cow<'a, str>,
    pub tier: u8,
    pub scale: f64,
    /// Base64 of the components.
    pub vec: Cow<'a, str>,
}

/// Why a line could not be read: it is no JSON object, or no UTF-8.
#[derive(Debug)]
pub struct ViewError(serde_json::Error);

impl<'a> View<'a> {
    /// Reads a line, with or without its newline.
    pub fn parse(line: &'a [u8]) -> Result<View<'a>, ViewError> {
        walk::read(line).map_err(ViewError)
    }

    /// The first value under `path`.
    #[must_use]
    pub fn name(&self, path: &str) -> Option<&str> {
        self.names.iter().find(|n| n.path == path).map(|n| &*n.value)
    }

    /// Every value under `path`.
    pub fn all<'s>(&'s self, path: &'s str) -> impl Iterator<Item = &'s str> {
        self.names.iter().filter(move |n| n.path == path).map(|n| &*n.value)
    }

    /// The vector of a shape line; `None` for other lines and where it is not whole.
    #[must_use]
    pub fn vector(&self) -> Option<Vector> {
        let shape = self.shape.as_ref()?;
        let tier = match shape.tier {
            1 => Tier::Fast,
            2 => Tier::Full,
            _ => return None,
        };
        let bytes = STANDARD.decode(shape.vec.as_bytes()).ok()?;
        if bytes.is_empty() {
            return None;
        }
        let components = bytes.into_iter().map(u8::cast_signed).collect();
        #[expect(clippy::cast_possible_truncation, reason = "it was an f32 when written")]
        let scale = shape.scale as f32;
        Some(Vector { components, scale, tier })
    }
}

impl LineKind {
    pub(super) fn of(event_type: &str) -> LineKind {
        match event_type {
            "flow" => LineKind::Flow,
            "packet" => LineKind::Packet,
            "shape" => LineKind::Shape,
            "epoch" => LineKind::Epoch,
            "segment" => LineKind::Segment,
            "import" => LineKind::Import,
            "recovered" => LineKind::Recovered,
            "gap" => LineKind::Gap,
            "key" => LineKind::Key,
            "retired" => LineKind::Retired,
            "block" => LineKind::Block,
            "element" => LineKind::Element,
            "change" => LineKind::Change,
            "anomaly" => LineKind::Anomaly,
            _ => LineKind::Other,
        }
    }
}

impl fmt::Display for ViewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a line of the log: {}", self.0)
    }
}

impl std::error::Error for ViewError {}
