//! The flow line: everything that was seen of one flow, in EVE's places.
//!
//! Facts that are absent, zero or unknown are left out, and so are our own where others of the line
//! tell them: a million lines are kept for one that is read. Times are in microseconds as EVE has
//! them; the nanoseconds below stand in `ghost.start_ns` and `ghost.end_ns`, so that no precision is
//! lost.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::names::Sorted;
use super::proto::proto_name;
use super::{FORMAT_VERSION, NAMES_BYTES_MAX, TUNNELS_MAX, anomaly, text};
use crate::{
    AppBy, EndReason, Features, Folded, Party, Priority, Proto, Role, Score, Seq, ShapeId, Stats,
    Subject, Tcp, TcpState, Tunnel, Zone,
};

/// Where the frames came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Source<'a> {
    pub pcap_filename: Option<&'a str>,
    pub in_iface: Option<&'a str>,
    /// The bridge that the frames crossed.
    pub bridge: Option<&'a str>,
    /// The sequence number of the `import` line that began this import.
    pub import: Option<Seq>,
    /// The log's epoch at the start of the live bridge: names its incidents.
    pub epoch: u64,
}

/// Appends the body of a flow's line.
pub fn flow_body(
    out: &mut Vec<u8>,
    f: &Features,
    source: &Source<'_>,
    shape: ShapeId,
    prio: Priority,
) {
    out.reserve(1280);
    out.extend_from_slice(b"{\"timestamp\":");
    text::timestamp(out, f.last);
    text::put_key!(out, "flow_id");
    text::number(out, flow_id(f));
    text::put_word!(
        out,
        "event_type",
        if f.subject == Subject::Packet { "packet" } else { "flow" }
    );
    text::field(out, "in_iface", source.in_iface.unwrap_or_default());
    text::field(out, "pcap_filename", source.pcap_filename.unwrap_or_default());
    if let Some(ip) = f.src_ip {
        text::put_key!(out, "src_ip");
        text::address(out, ip);
    }
    text::put_count!(out, "src_port", f.src_port.into());
    if let Some(ip) = f.dst_ip {
        text::put_key!(out, "dest_ip");
        text::address(out, ip);
    }
    text::put_count!(out, "dest_port", f.dst_port.into());
    text::put_word!(out, "proto", &proto_name(f.proto));
    if let Some((kind, code)) = f.icmp {
        text::put_key!(out, "icmp_type");
        text::number(out, kind);
        text::put_key!(out, "icmp_code");
        text::number(out, code);
    }
    text::put_word!(out, "app_proto", f.app);
    if let Some(id) = &f.community_id {
        text::put_key!(out, "community_id");
        community_id(out, id);
    }
    if f.vlans.count > 0 {
        text::put_key!(out, "vlan");
        out.push(b'[');
        for id in f.vlans.as_slice() {
            text::item(out);
            text::number(out, *id);
        }
        out.push(b']');
    }
    if f.src_mac.is_some() || f.dst_mac.is_some() {
        text::put_key!(out, "ether");
        out.push(b'{');
        for (name, mac) in [("src_mac", f.src_mac), ("dest_mac", f.dst_mac)] {
            if let Some(mac) = mac {
                text::key(out, name);
                text::mac(out, mac);
            }
        }
        out.push(b'}');
    }
    counters(out, f);
    if let Some(tcp) = &f.tcp {
        self::tcp(out, tcp);
    }
    tunnels(out, &f.tunnels);
    let mut names = Sorted::new(&f.names, NAMES_BYTES_MAX);
    names.write_top(out);
    ghost(out, f, source, shape, prio, &mut names);
}

fn counters(out: &mut Vec<u8>, f: &Features) {
    text::put_key!(out, "flow");
    out.extend_from_slice(b"{\"pkts_toserver\":");
    text::number(out, f.to_server.packets);
    text::put_key!(out, "pkts_toclient");
    text::number(out, f.to_client.packets);
    text::put_key!(out, "bytes_toserver");
    text::number(out, f.to_server.bytes);
    text::put_key!(out, "bytes_toclient");
    text::number(out, f.to_client.bytes);
    text::put_key!(out, "start");
    text::timestamp(out, f.first);
    text::put_key!(out, "end");
    text::timestamp(out, f.last);
    text::put_key!(out, "age");
    text::number(out, f.duration_ns() / 1_000_000_000);
    text::put_word!(out, "state", state(f));
    text::put_word!(out, "reason", reason(f.end));
    out.push(b'}');
}

/// EVE's three states.
fn state(f: &Features) -> &'static str {
    let answered = f.to_client.packets > 0;
    match f.tcp.map(|t| t.state) {
        Some(TcpState::SynSent | TcpState::SynRecv) => "new",
        Some(TcpState::Established) => "established",
        Some(TcpState::FinWait | TcpState::Closed | TcpState::Reset) => "closed",
        Some(TcpState::None) | None => {
            if answered {
                "established"
            } else {
                "new"
            }
        }
    }
}

fn reason(end: EndReason) -> &'static str {
    match end {
        EndReason::Closed => "closed",
        EndReason::Idle => "timeout",
        EndReason::Active => "active",
        EndReason::Evicted => "forced",
        EndReason::Shutdown => "shutdown",
        EndReason::Update => "update",
    }
}

fn tcp(out: &mut Vec<u8>, tcp: &Tcp) {
    text::put_key!(out, "tcp");
    out.extend_from_slice(b"{\"tcp_flags_ts\":\"");
    text::hex(out, &[tcp.flags_to_server]);
    out.push(b'"');
    text::put_open!(out, "tcp_flags_tc");
    text::hex(out, &[tcp.flags_to_client]);
    out.push(b'"');
    let both = tcp.flags_to_server | tcp.flags_to_client;
    for (bit, name) in [
        (0x02, ",\"syn\":true"),
        (0x01, ",\"fin\":true"),
        (0x04, ",\"rst\":true"),
        (0x08, ",\"psh\":true"),
        (0x10, ",\"ack\":true"),
        (0x20, ",\"urg\":true"),
        (0x40, ",\"ecn\":true"),
        (0x80, ",\"cwr\":true"),
    ] {
        if both & bit != 0 {
            out.extend_from_slice(name.as_bytes());
        }
    }
    text::put_word!(
        out,
        "state",
        match tcp.state {
            TcpState::None => "",
            TcpState::SynSent => "syn_sent",
            TcpState::SynRecv => "syn_recv",
            TcpState::Established => "established",
            TcpState::FinWait => "fin_wait",
            TcpState::Closed => "closed",
            TcpState::Reset => "reset",
        },
    );
    text::put_count!(out, "rtt_us", u64::from(tcp.rtt_server_us) + u64::from(tcp.rtt_client_us));
    text::put_count!(out, "rtt_server_us", tcp.rtt_server_us.into());
    text::put_count!(out, "retransmissions", tcp.retransmissions.into());
    out.push(b'}');
}

fn tunnels(out: &mut Vec<u8>, tunnels: &[Tunnel]) {
    let Some(first) = tunnels.first() else { return };
    text::key(out, "tunnel");
    tunnel(out, first);
    if tunnels.len() > 1 {
        text::key(out, "tunnels");
        out.push(b'[');
        for t in tunnels.iter().take(TUNNELS_MAX) {
            text::item(out);
            tunnel(out, t);
        }
        out.push(b']');
    }
}

fn tunnel(out: &mut Vec<u8>, t: &Tunnel) {
    out.push(b'{');
    text::word(out, "kind", t.kind);
    if let Some(id) = t.id {
        text::key(out, "id");
        text::number(out, id);
    }
    if let Some(ip) = t.src_ip {
        text::key(out, "src_ip");
        text::address(out, ip);
    }
    text::count(out, "src_port", t.src_port.into());
    if let Some(ip) = t.dst_ip {
        text::key(out, "dest_ip");
        text::address(out, ip);
    }
    text::count(out, "dest_port", t.dst_port.into());
    if t.src_ip.is_some() || t.proto != 0 {
        text::word(out, "proto", &proto_name(Proto::Ip(t.proto)));
    }
    text::count(out, "packets", t.packets);
    out.push(b'}');
}

fn ghost(
    out: &mut Vec<u8>,
    f: &Features,
    source: &Source<'_>,
    shape: ShapeId,
    prio: Priority,
    names: &mut Sorted<'_>,
) {
    text::put_key!(out, "ghost");
    out.extend_from_slice(b"{\"v\":");
    text::number(out, FORMAT_VERSION);
    if prio != Priority::Low {
        text::put_word!(out, "prio", prio.name());
    }
    text::put_open!(out, "shape");
    text::hex(out, &shape.0.to_be_bytes());
    out.push(b'"');
    text::put_count!(out, "import", source.import.unwrap_or(0));
    text::field(out, "bridge", source.bridge.unwrap_or_default());
    text::put_word!(
        out,
        "app_by",
        match f.app_by {
            AppBy::Nothing => "",
            AppBy::Port => "port",
            AppBy::Signature => "signature",
        },
    );
    if !f.behaviours.is_empty() {
        text::put_key!(out, "behaviours");
        out.push(b'[');
        for name in f.behaviours.names() {
            text::item(out);
            out.push(b'"');
            out.extend_from_slice(name.as_bytes());
            out.push(b'"');
        }
        out.push(b']');
    }
    if let Some(score) = &f.score {
        self::score(out, score, source);
    }
    text::field(out, "brand", f.brand);
    text::field(out, "category", f.category);
    party(out, f.src, "src_role", "src_zone");
    party(out, f.dst, "dest_role", "dest_zone");
    text::field(out, "src_name", f.src_name.as_deref().unwrap_or_default());
    text::field(out, "dest_name", f.dst_name.as_deref().unwrap_or_default());
    if let Some(folded) = &f.folded {
        self::folded(out, folded);
    }
    if f.sizes.count > 1 {
        extremes(out, "sizes", f.sizes.min, f.sizes.max);
    }
    if f.gaps_us.count > 1 {
        let Stats { min, max, .. } = f.gaps_us;
        extremes(out, "gaps_us", three_digits(min), three_digits(max));
    }
    text::put_count!(out, "payload_toserver", f.to_server.payload_bytes);
    text::put_count!(out, "payload_toclient", f.to_client.payload_bytes);
    text::put_count!(out, "fragments", f.fragments.into());
    text::put_count!(out, "malformed", f.malformed.into());
    text::put_count!(out, "start_ns", f.first.below_us().into());
    text::put_count!(out, "end_ns", f.last.below_us().into());
    text::put_count!(out, "tunnels_dropped", f.tunnels.len().saturating_sub(TUNNELS_MAX) as u64);
    names.write_ghost(out);
    text::put_count!(out, "names_dropped", names.dropped);
}

/// What is neither alerted nor near an incident has a number and, mostly, reasons.
fn score(out: &mut Vec<u8>, score: &Score, source: &Source<'_>) {
    text::put_key!(out, "score");
    anomaly::four_decimals(out, score.value);
    if score.alert {
        text::put_key!(out, "alert");
        out.extend_from_slice(b"true");
    }
    if let Some(at) = score.alerted {
        text::put_key!(out, "alerted");
        text::timestamp(out, at);
    }
    anomaly::words(out, "reasons", score.reasons.names());
    if let Some(number) = score.incident {
        text::put_key!(out, "incident");
        out.push(b'{');
        anomaly::id(out, number, source.import, source.epoch);
        out.push(b'}');
    }
}

fn folded(out: &mut Vec<u8>, folded: &Folded) {
    text::put_key!(out, "folded");
    out.extend_from_slice(b"{\"flows\":");
    text::number(out, folded.flows);
    text::put_count!(out, "sources", folded.sources);
    text::put_count!(out, "targets", folded.targets);
    text::put_count!(out, "ports", folded.ports);
    out.push(b'}');
}

fn party(out: &mut Vec<u8>, party: Party, role: &str, zone: &str) {
    if party.role != Role::Unknown {
        text::word(out, role, party.role.name());
    }
    if party.zone != Zone::Unknown {
        text::word(out, zone, party.zone.name());
    }
}

/// Of one frame the length is `flow`'s bytes, and the one gap between two is its end less its start:
/// neither is said again, nor are means, which are the same sums divided by the packets.
fn extremes(out: &mut Vec<u8>, name: &str, least: u64, most: u64) {
    text::key(out, name);
    out.extend_from_slice(b"{\"min\":");
    text::number(out, least);
    if least != most {
        text::put_key!(out, "max");
        text::number(out, most);
    }
    out.push(b'}');
}

/// About so much: three digits that count.
fn three_digits(value: u64) -> u64 {
    let unit = 10_u64.pow(value.checked_ilog10().unwrap_or(0).saturating_sub(2));
    value.saturating_add(unit / 2) / unit * unit
}

fn community_id(out: &mut Vec<u8>, id: &[u8; 20]) {
    out.extend_from_slice(b"\"1:");
    let mut text = [0; 28];
    let used = STANDARD.encode_slice(id, &mut text).unwrap_or(0);
    out.extend_from_slice(&text[..used]);
    out.push(b'"');
}

/// A number that names the flow to EVE's readers: the same for the same conversation and start, at
/// most 53 bits, as every JSON reader can hold. Not unique by promise: `ghost.seq` is.
///
/// Of its 16 digits the first six count the seconds of some nine days, from 100,000 on, and the
/// others are a hash: flows that begin together begin with the same digits, which compress.
#[must_use]
pub fn flow_id(f: &Features) -> u64 {
    let words = f.community_id.map_or_else(
        || {
            let mac = |m: Option<crate::MacAddr>| {
                let m = m.unwrap_or_default().0;
                u64::from_be_bytes([0, 0, m[0], m[1], m[2], m[3], m[4], m[5]])
            };
            let proto = match f.proto {
                Proto::Ip(n) => u64::from(n),
                Proto::Ether(n) => 1 << 16 | u64::from(n),
            };
            let macs = mac(f.src_mac) ^ mac(f.dst_mac).rotate_left(17) ^ proto << 48;
            if f.folded.is_none() {
                return macs;
            }
            // Floods differ by what their flows have in common.
            let common = [(f.src_ip, f.src_port), (f.dst_ip, f.dst_port)].map(|(ip, port)| {
                let ip = ip.map_or(0, |ip| match ip {
                    std::net::IpAddr::V4(a) => a.to_bits().into(),
                    std::net::IpAddr::V6(a) => a.to_bits(),
                });
                #[expect(clippy::cast_possible_truncation, reason = "both halves count")]
                mix((ip >> 64) as u64 ^ mix(ip as u64 ^ u64::from(port) << 40))
            });
            macs ^ common[0] ^ common[1].rotate_left(17)
        },
        |id| u64::from_be_bytes([id[0], id[1], id[2], id[3], id[4], id[5], id[6], id[7]]),
    );
    let hash = mix(words ^ mix(f.first.0.cast_unsigned()));
    let second = f.first.0.div_euclid(1_000_000_000).rem_euclid(800_000).cast_unsigned();
    (100_000 + second) * 10_000_000_000 + hash % 10_000_000_000
}

/// Spreads every bit over all others (the finisher of splitmix64).
fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_between_frames_has_three_digits() {
        for (value, expected) in [
            (0, 0),
            (7, 7),
            (999, 999),
            (1234, 1230),
            (1235, 1240),
            (999_600, 1_000_000),
            (u64::MAX, 18_400_000_000_000_000_000),
        ] {
            assert_eq!(three_digits(value), expected, "{value}");
        }
    }

    #[test]
    fn one_number_that_is_least_and_most_is_said_once() {
        let told = |least, most| {
            let mut out = b"{".to_vec();
            extremes(&mut out, "sizes", least, most);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(told(60, 60), r#"{"sizes":{"min":60}"#);
        assert_eq!(told(60, 62), r#"{"sizes":{"min":60,"max":62}"#);
    }
}
