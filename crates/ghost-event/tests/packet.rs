//! A packet's line is valid JSON, short, and read back as it was; a glance reads what is there.

use std::net::IpAddr;

use ghost_event::line::{
    self, LineKind, PacketEvent, PacketGlance, Source, Tail, View, hidden, packet_body, proto_name,
};
use ghost_event::{Behaviours, Digest, MacAddr, Priority, Proto, ShapeId, Timestamp};

fn packet() -> PacketEvent {
    PacketEvent {
        ts: Timestamp(1_795_154_201_123_456_789),
        flow_id: 9_007_199_254_740_991,
        conversation: 0x0123_4567_89ab_cdef,
        src_ip: Some(IpAddr::from([192, 168, 100, 120])),
        src_port: 51_000,
        dst_ip: Some(IpAddr::from([203, 0, 113, 250])),
        dst_port: 443,
        proto: Proto::Ip(6),
        icmp: None,
        src_mac: Some(MacAddr([2, 0, 0, 0, 0, 1])),
        dst_mac: Some(MacAddr([2, 0, 0, 0, 0, 2])),
        app: "tls",
        to_server: true,
        wire_len: 1514,
        payload_len: 1448,
        segments: 1,
        tcp_flags: Some(0x18),
        fragment: false,
        malformed: false,
        behaviours: Behaviours::NONE,
        sha256: None,
    }
}

fn line_of(p: &PacketEvent, source: &Source<'_>, prio: Priority) -> Vec<u8> {
    let mut out = Vec::new();
    packet_body(&mut out, p, source, ShapeId(0xabcd), prio);
    line::close(&mut out, 123_456_789, &Digest([9; 32]));
    out
}

#[test]
fn a_packet_stands_in_the_places_where_eve_has_it() {
    let source = Source { in_iface: Some("veth0"), bridge: Some("br0"), ..Source::default() };
    let line = line_of(&packet(), &source, Priority::Low);
    let json: serde_json::Value = serde_json::from_slice(&line).unwrap();
    for (pointer, expected) in [
        ("/timestamp", r#""2026-11-20T05:56:41.123456+0000""#),
        ("/flow_id", "9007199254740991"),
        ("/event_type", r#""packet""#),
        ("/direction", r#""to_server""#),
        ("/in_iface", r#""veth0""#),
        ("/src_ip", r#""192.168.100.120""#),
        ("/src_port", "51000"),
        ("/dest_ip", r#""203.0.113.250""#),
        ("/dest_port", "443"),
        ("/proto", r#""TCP""#),
        ("/app_proto", r#""tls""#),
        ("/tcp/tcp_flags", r#""18""#),
        ("/ghost/v", "1"),
        ("/ghost/shape", r#""000000000000abcd""#),
        ("/ghost/flow", r#""0123456789abcdef""#),
        ("/ghost/bridge", r#""br0""#),
        ("/ghost/len", "1514"),
        ("/ghost/payload", "1448"),
        ("/ghost/ns", "789"),
    ] {
        assert_eq!(json.pointer(pointer).unwrap().to_string(), expected, "{pointer}");
    }
    assert_eq!(json.get("ether"), None);
    assert_eq!(json.pointer("/ghost/prio"), None);
}

#[test]
fn an_ordinary_packet_takes_less_than_half_a_kilobyte() {
    let source = Source { in_iface: Some("veth0"), bridge: Some("br0"), ..Source::default() };
    let line = line_of(&packet(), &source, Priority::Low);
    assert!(line.len() <= 500, "{}", line.len());
}

/// Sixteen bytes, some numbers and two texts make any packet.
type Parts = ([u8; 16], u64, u64, i64, (u32, u32, u16, u16, u16), [u8; 6], u8, String, String);

fn any(parts: &Parts) -> (PacketEvent, Source<'_>, Priority) {
    const APPS: &[&str] = &["", "tls", "nobody-knows"];
    let (bytes, conversation, behaviours, ns, numbers, b, flags, iface, bridge) = parts;
    let v6 = IpAddr::from(*bytes);
    let v4 = IpAddr::from([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let proto = [Proto::Ip(b[0]), Proto::Ether(u16::from_be_bytes([b[0], b[1]]))];
    let packet = PacketEvent {
        ts: Timestamp(*ns),
        flow_id: conversation >> 11,
        conversation: if flags & 1 > 0 { *conversation } else { 0 },
        src_ip: [Some(v4), Some(v6), None][usize::from(b[2] % 3)],
        src_port: numbers.2,
        dst_ip: [Some(v6), Some(v4), None][usize::from(b[3] % 3)],
        dst_port: numbers.3,
        proto: proto[usize::from(flags >> 1 & 1)],
        icmp: (flags & 4 > 0).then_some((b[4], b[5])),
        src_mac: Some(MacAddr(*b)),
        dst_mac: (flags & 8 > 0).then_some(MacAddr(*b)),
        app: APPS[usize::from(b[1]) % APPS.len()],
        to_server: flags & 16 > 0,
        wire_len: numbers.0,
        payload_len: numbers.1,
        segments: numbers.4,
        tcp_flags: (flags & 32 > 0).then_some(b[0]),
        fragment: flags & 64 > 0,
        malformed: flags & 128 > 0,
        behaviours: Behaviours(behaviours & 0xffff_ffff),
        sha256: (flags & 3 == 3).then_some([b[0]; 32]),
    };
    let source = Source {
        pcap_filename: None,
        in_iface: Some(iface.as_str()).filter(|t| !t.is_empty()),
        bridge: Some(bridge.as_str()).filter(|t| !t.is_empty()),
        import: (b[5] & 1 > 0).then_some(u64::from(b[4]) + 1),
        epoch: 0,
    };
    let prio = [Priority::Low, Priority::Critical][usize::from(b[5] >> 1 & 1)];
    (packet, source, prio)
}

#[test]
fn any_packet_is_read_as_it_was_written() {
    bolero::check!().with_type::<Parts>().with_iterations(4000).for_each(|parts| {
        let (p, source, prio) = any(parts);
        if !(-60_000_000_000_000_000..8_000_000_000_000_000_000).contains(&p.ts.0) {
            return;
        }
        let line = line_of(&p, &source, prio);
        let text = std::str::from_utf8(&line).unwrap();
        assert!(!text.trim_end().chars().any(hidden), "{text}");
        assert_eq!(Tail::of(&line).map(|t| t.seq), Some(123_456_789));
        let v = View::parse(&line).unwrap();
        assert_eq!(v.kind, LineKind::Packet);
        assert_eq!((v.timestamp, v.flow_id), (Some(p.ts), Some(p.flow_id)));
        assert_eq!((v.src_ip, v.dest_ip), (p.src_ip, p.dst_ip));
        assert_eq!(v.src_port.unwrap_or(0), p.src_port);
        assert_eq!(v.dest_port.unwrap_or(0), p.dst_port);
        assert_eq!(v.proto.as_deref(), Some(&*proto_name(p.proto)));
        assert_eq!(v.icmp_type.zip(v.icmp_code), p.icmp);
        assert_eq!(v.app_proto.as_deref().unwrap_or(""), p.app);
        let shown = p.conversation == 0;
        assert_eq!(v.ether.src_mac, p.src_mac.filter(|_| shown));
        assert_eq!(v.ether.dest_mac, p.dst_mac.filter(|_| shown));
        assert_eq!(v.ghost.shape, Some(ShapeId(0xabcd)));
        assert_eq!(v.ghost.prio, (prio != Priority::Low).then_some(prio));
        assert_eq!(v.ghost.behaviours, p.behaviours);
        assert_eq!(v.ghost.fragments, u64::from(p.fragment));
        assert_eq!(v.ghost.malformed, u64::from(p.malformed));
        assert_eq!(v.ghost.import, source.import);
        if source.in_iface.is_some_and(|t| t.len() < 4096) {
            assert_eq!(v.in_iface.as_deref(), source.in_iface);
        }
        if source.bridge.is_some_and(|t| t.len() < 4096) {
            assert_eq!(v.ghost.bridge.as_deref(), source.bridge);
        }
        let of = v.packet.expect("a packet's part");
        assert_eq!(of.to_server, Some(p.to_server));
        assert_eq!(of.conversation.unwrap_or(0), p.conversation);
        assert_eq!((of.len, of.payload), (p.wire_len.into(), p.payload_len.into()));
        assert_eq!(of.segments.max(1), u64::from(p.segments.max(1)));
        assert_eq!(of.tcp_flags, p.tcp_flags);
        let hex: String = p.sha256.iter().flatten().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(of.sha256, hex);
    });
}

#[test]
fn a_glance_reads_what_the_full_reader_reads() {
    bolero::check!().with_type::<Parts>().with_iterations(4000).for_each(|parts| {
        let (p, source, prio) = any(parts);
        let line = line_of(&p, &source, prio);
        let v = View::parse(&line).unwrap();
        let plain = |text: Option<&str>| {
            text.is_none_or(|t| !t.contains(['\\', '"']) && !t.chars().any(hidden))
        };
        let Some(g) = PacketGlance::of(&line) else {
            let readable = v.timestamp.is_some();
            let expected = p.conversation == 0
                || !readable
                || !plain(source.in_iface)
                || !plain(source.bridge);
            assert!(expected, "{}", String::from_utf8_lossy(&line));
            return;
        };
        let of = v.packet.expect("a packet's part");
        assert_eq!(Some(g.seq), v.ghost.seq);
        let us = |t: Timestamp| t.0.div_euclid(1000);
        assert_eq!(Some(us(g.ts)), v.timestamp.map(us));
        assert_eq!(Some(g.to_server), of.to_server);
        assert_eq!(Some(g.shape), v.ghost.shape);
        assert_eq!(Some(g.conversation), of.conversation);
        assert_eq!((g.bytes, g.packets), (of.len, of.segments.max(1)));
        assert_eq!(g.in_iface, v.in_iface.as_deref().unwrap_or(""));
        assert_eq!(g.bridge, v.ghost.bridge.as_deref().unwrap_or(""));
        assert_eq!(g.import, v.ghost.import);
    });
}

#[test]
fn a_glance_at_any_bytes_does_not_panic_and_at_no_flow_says_nothing() {
    let good = line_of(&packet(), &Source::default(), Priority::Low);
    assert!(PacketGlance::of(&good).is_some());
    let text = String::from_utf8(good.clone()).unwrap();
    assert_eq!(PacketGlance::of(text.replace("\"packet\"", "\"flow\"").as_bytes()), None);
    assert_eq!(
        PacketGlance::of(text.replace("{\"timestamp\"", "{ \"timestamp\"").as_bytes()),
        None
    );
    bolero::check!().with_type::<Vec<(u16, u8)>>().with_iterations(4000).for_each(|changes| {
        let mut bytes = good.clone();
        for (at, byte) in changes {
            let len = bytes.len();
            bytes[usize::from(*at) % len] = *byte;
        }
        let _ = PacketGlance::of(&bytes);
        let cut = changes.first().map_or(0, |(at, _)| usize::from(*at) % bytes.len());
        let _ = PacketGlance::of(&bytes[..cut]);
    });
}
