//! The packet line: one packet at `packet` granularity, in EVE's places, linked to its flow.
//!
//! Source and destination are the packet's own sender and receiver, and `direction` says which of
//! them opened the flow. `flow_id` is the one of the flow's line, and `ghost.flow` begins the
//! Community ID, so that whoever wants one answer a conversation needs no table of flows. A line is
//! short (about 450 bytes when it is closed) and made without allocation. What one packet cannot
//! tell (roles, names, sizes of the flow) stands in the flow's line only.
//!
//! [`PacketGlance`] reads back, from a line in the very form in which it is written here, what an
//! index counts by. It promises nothing of any other line but `None`.

use std::net::IpAddr;

use super::flow::{Source, flow_id};
use super::proto::proto_name;
use super::{FORMAT_VERSION, tail, text};
use crate::{
    Behaviours, Features, MacAddr, Priority, Proto, Seq, ShapeId, TIMESTAMP_TEXT_BYTES, Timestamp,
};

/// One packet, as its line tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketEvent {
    pub ts: Timestamp,
    /// The `flow_id` of the flow's line: [`flow_id`].
    pub flow_id: u64,
    /// The first 64 bits of the flow's Community ID; 0 where it has none.
    pub conversation: u64,
    /// Of the packet's sender.
    pub src_ip: Option<IpAddr>,
    pub src_port: u16,
    pub dst_ip: Option<IpAddr>,
    pub dst_port: u16,
    pub proto: Proto,
    /// Type and code of an ICMP message.
    pub icmp: Option<(u8, u8)>,
    /// Written where there is no Community ID: they are all that names the two ends.
    pub src_mac: Option<MacAddr>,
    pub dst_mac: Option<MacAddr>,
    /// The flow's application, as far as it is told by now; "" where not.
    pub app: &'static str,
    /// Sent by the side that opened the flow.
    pub to_server: bool,
    /// On the wire, as the flow counts it.
    pub wire_len: u32,
    /// Above the transport header.
    pub payload_len: u32,
    /// Packets of the wire in this frame; more than 1 in a super-frame of segmentation offload.
    pub segments: u16,
    /// CWR ECE URG ACK PSH RST SYN FIN, high to low; `None` where it is not TCP.
    pub tcp_flags: Option<u8>,
    /// Part of a fragmented datagram.
    pub fragment: bool,
    /// It did not parse to its end.
    pub malformed: bool,
    /// What its flow was seen to do by now.
    pub behaviours: Behaviours,
    /// Of the captured bytes, where that was asked for.
    pub sha256: Option<[u8; 32]>,
}

impl PacketEvent {
    /// A packet of `flow`; what only the packet knows (lengths, flags) is still to be filled in.
    #[must_use]
    pub fn of(flow: &Features, ts: Timestamp, to_server: bool) -> PacketEvent {
        let (mut src, mut dst) = (
            (flow.src_ip, flow.src_port, flow.src_mac),
            (flow.dst_ip, flow.dst_port, flow.dst_mac),
        );
        if !to_server {
            std::mem::swap(&mut src, &mut dst);
        }
        PacketEvent {
            ts,
            flow_id: flow_id(flow),
            conversation: flow.community_id.map_or(0, |id| {
                u64::from_be_bytes([id[0], id[1], id[2], id[3], id[4], id[5], id[6], id[7]])
            }),
            src_ip: src.0,
            src_port: src.1,
            dst_ip: dst.0,
            dst_port: dst.1,
            proto: flow.proto,
            icmp: None,
            src_mac: src.2,
            dst_mac: dst.2,
            app: flow.app,
            to_server,
            wire_len: 0,
            payload_len: 0,
            segments: 1,
            tcp_flags: None,
            fragment: false,
            malformed: false,
            behaviours: flow.behaviours,
            sha256: None,
        }
    }
}

/// Appends the body of a packet's line. Low priority is left out.
pub fn packet_body(
    out: &mut Vec<u8>,
    p: &PacketEvent,
    source: &Source<'_>,
    shape: ShapeId,
    prio: Priority,
) {
    out.reserve(640);
    out.extend_from_slice(TIMESTAMP);
    out.extend_from_slice(&p.ts.text());
    out.extend_from_slice(FLOW_ID);
    text::number(out, p.flow_id);
    out.extend_from_slice(EVENT_TYPE);
    out.extend_from_slice(if p.to_server { TO_SERVER } else { TO_CLIENT });
    text::field(out, "in_iface", source.in_iface.unwrap_or_default());
    text::field(out, "pcap_filename", source.pcap_filename.unwrap_or_default());
    if let Some(ip) = p.src_ip {
        text::put_key!(out, "src_ip");
        text::address(out, ip);
    }
    text::put_count!(out, "src_port", p.src_port.into());
    if let Some(ip) = p.dst_ip {
        text::put_key!(out, "dest_ip");
        text::address(out, ip);
    }
    text::put_count!(out, "dest_port", p.dst_port.into());
    text::put_word!(out, "proto", &proto_name(p.proto));
    if let Some((kind, code)) = p.icmp {
        text::put_key!(out, "icmp_type");
        text::number(out, kind);
        text::put_key!(out, "icmp_code");
        text::number(out, code);
    }
    text::put_word!(out, "app_proto", p.app);
    if p.conversation == 0 && (p.src_mac.is_some() || p.dst_mac.is_some()) {
        text::put_key!(out, "ether");
        out.push(b'{');
        for (name, mac) in [("src_mac", p.src_mac), ("dest_mac", p.dst_mac)] {
            if let Some(mac) = mac {
                text::key(out, name);
                text::mac(out, mac);
            }
        }
        out.push(b'}');
    }
    if let Some(flags) = p.tcp_flags {
        out.extend_from_slice(b",\"tcp\":{\"tcp_flags\":\"");
        text::hex(out, &[flags]);
        out.extend_from_slice(b"\"}");
    }
    out.extend_from_slice(GHOST);
    text::number(out, FORMAT_VERSION);
    if prio != Priority::Low {
        text::put_word!(out, "prio", prio.name());
    }
    out.extend_from_slice(SHAPE);
    text::hex(out, &shape.0.to_be_bytes());
    out.push(b'"');
    if p.conversation != 0 {
        out.extend_from_slice(FLOW);
        text::hex(out, &p.conversation.to_be_bytes());
        out.push(b'"');
    }
    out.extend_from_slice(LEN);
    text::number(out, p.wire_len);
    if p.segments > 1 {
        out.extend_from_slice(SEGMENTS);
        text::number(out, p.segments);
    }
    text::field(out, "bridge", source.bridge.unwrap_or_default());
    text::put_count!(out, "import", source.import.unwrap_or(0));
    text::put_count!(out, "payload", p.payload_len.into());
    text::put_count!(out, "ns", p.ts.below_us().into());
    if !p.behaviours.is_empty() {
        text::put_key!(out, "behaviours");
        out.push(b'[');
        for name in p.behaviours.names() {
            text::item(out);
            out.push(b'"');
            out.extend_from_slice(name.as_bytes());
            out.push(b'"');
        }
        out.push(b']');
    }
    text::put_count!(out, "fragments", p.fragment.into());
    text::put_count!(out, "malformed", p.malformed.into());
    if let Some(digest) = &p.sha256 {
        text::put_open!(out, "sha256");
        text::hex(out, digest);
        out.push(b'"');
    }
}

/// What an index counts a packet by, read from the form in which [`packet_body`] writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketGlance<'a> {
    pub seq: Seq,
    /// To the microsecond.
    pub ts: Timestamp,
    pub to_server: bool,
    pub shape: ShapeId,
    pub conversation: u64,
    /// On the wire.
    pub bytes: u64,
    pub packets: u64,
    /// Empty where it is not told.
    pub in_iface: &'a str,
    pub bridge: &'a str,
    pub import: Option<Seq>,
}

impl<'a> PacketGlance<'a> {
    /// Glances at a whole line, newline included; `None` where it is no packet's, has no
    /// conversation, or is not in our very form. Who gets `None` reads the line in full.
    #[must_use]
    pub fn of(line: &'a [u8]) -> Option<PacketGlance<'a>> {
        let rest = line.strip_prefix(TIMESTAMP)?;
        let (ts, rest) = rest.split_at_checked(TIMESTAMP_TEXT_BYTES)?;
        let rest = rest.strip_prefix(FLOW_ID)?;
        let (_, rest) = number(rest)?;
        let rest = rest.strip_prefix(EVENT_TYPE)?;
        let (to_server, rest) = match rest.strip_prefix(TO_SERVER) {
            Some(rest) => (true, rest),
            None => (false, rest.strip_prefix(TO_CLIENT)?),
        };
        let (in_iface, rest) = word(rest, IN_IFACE)?;
        // A brace in a string stands behind a key that is none of ours: quotes are escaped there.
        let mut ghost = rest;
        loop {
            let at = ghost.iter().position(|b| *b == b'{')?;
            let (before, after) = ghost.split_at(at + 1);
            ghost = after;
            if before.ends_with(OPEN) {
                break;
            }
        }
        let (_, mut rest) = number(ghost.strip_prefix(b"\"v\":")?)?;
        if let Some(prio) = rest.strip_prefix(PRIO) {
            rest = prio.get(prio.iter().position(|b| *b == b'"')? + 1..)?;
        }
        let (shape, rest) = hex16(rest.strip_prefix(SHAPE)?)?;
        let (conversation, rest) = hex16(rest.strip_prefix(FLOW)?)?;
        let (bytes, rest) = number(rest.strip_prefix(LEN)?)?;
        let (packets, rest) = match rest.strip_prefix(SEGMENTS) {
            Some(rest) => number(rest)?,
            None => (1, rest),
        };
        let (bridge, rest) = word(rest, BRIDGE)?;
        let import = match rest.strip_prefix(IMPORT) {
            Some(rest) => Some(number(rest)?.0),
            None => None,
        };
        Some(PacketGlance {
            seq: tail::seq_of(line)?,
            ts: Timestamp::parse(std::str::from_utf8(ts).ok()?)?,
            to_server,
            shape: ShapeId(shape),
            conversation,
            bytes,
            packets,
            in_iface,
            bridge,
            import,
        })
    }
}

/// A whole number without leading zeros, and what stands behind it.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let (mut value, mut count) = (0_u64, 0);
    while let Some(digit @ b'0'..=b'9') = text.get(count) {
        // 19 digits fit whatever they are.
        if count == 19 {
            return None;
        }
        value = value * 10 + u64::from(digit - b'0');
        count += 1;
    }
    let fine = count == 1 || (count > 0 && text.first() != Some(&b'0'));
    fine.then(|| (value, &text[count..]))
}

/// 16 hexadecimal digits and their closing quote.
fn hex16(text: &[u8]) -> Option<(u64, &[u8])> {
    let (digits, rest) = text.split_first_chunk::<16>()?;
    let mut value = 0_u64;
    for digit in digits {
        let nibble = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        value = value << 4 | u64::from(nibble);
    }
    Some((value, rest.strip_prefix(b"\"")?))
}

/// The text behind `key`, which may be missing; `None` where it holds an escape.
fn word<'t>(text: &'t [u8], key: &[u8]) -> Option<(&'t str, &'t [u8])> {
    let Some(rest) = text.strip_prefix(key) else { return Some(("", text)) };
    let end = rest.iter().position(|b| *b == b'"' || *b == b'\\')?;
    let (word, rest) = rest.split_at(end);
    Some((std::str::from_utf8(word).ok()?, rest.strip_prefix(b"\"")?))
}

const TIMESTAMP: &[u8] = b"{\"timestamp\":\"";
const FLOW_ID: &[u8] = b"\",\"flow_id\":";
const EVENT_TYPE: &[u8] = b",\"event_type\":\"packet\"";
const TO_SERVER: &[u8] = b",\"direction\":\"to_server\"";
const TO_CLIENT: &[u8] = b",\"direction\":\"to_client\"";
const GHOST: &[u8] = b",\"ghost\":{\"v\":";
const OPEN: &[u8] = b",\"ghost\":{";
const PRIO: &[u8] = b",\"prio\":\"";
const IN_IFACE: &[u8] = b",\"in_iface\":\"";
const BRIDGE: &[u8] = b",\"bridge\":\"";
const IMPORT: &[u8] = b",\"import\":";
const SHAPE: &[u8] = b",\"shape\":\"";
const FLOW: &[u8] = b",\"flow\":\"";
const LEN: &[u8] = b",\"len\":";
const SEGMENTS: &[u8] = b",\"segments\":";
