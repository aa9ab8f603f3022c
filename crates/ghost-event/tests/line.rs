//! What is written of a flow, a shape or a note is valid JSON, and is read back as it was.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ghost_event::line::{
    self, BlockNote, ElementNote, EpochNote, GapNote, ImportNote, ImportState, KeyNote,
    LINE_BYTES_MAX, LineKind, Note, RecoveredNote, RetiredNote, SegmentNote, ShapeLine, Source,
    Tail, View, hidden,
};
use ghost_event::{
    AppBy, Behaviours, Digest, EndReason, Features, Folded, MacAddr, Names, Party, Port, Priority,
    Proto, Role, ShapeId, Side, Stats, Subject, Tcp, TcpState, Tier, Timestamp, Tunnel, Vector,
    Vlans, Zone,
};

fn empty() -> Features {
    Features {
        subject: Subject::Flow,
        port: Port::default(),
        first: Timestamp(0),
        last: Timestamp(0),
        src_ip: None,
        dst_ip: None,
        src_port: 0,
        dst_port: 0,
        proto: Proto::Ip(6),
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

fn names(pairs: &[(&'static str, &str)]) -> Names {
    Names { pairs: pairs.iter().map(|(p, v)| (*p, (*v).into())).collect(), dropped: 0 }
}

fn https() -> Features {
    let mut sizes = Stats::default();
    let mut gaps_us = Stats::default();
    for n in [60, 1514, 583, 60] {
        sizes.add(n);
        gaps_us.add(n * 7);
    }
    Features {
        first: Timestamp(1_795_154_200_000_000_007),
        last: Timestamp(1_795_154_201_123_456_789),
        src_ip: Some(IpAddr::V4(Ipv4Addr::new(192, 168, 1, 20))),
        dst_ip: Some(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))),
        src_port: 51000,
        dst_port: 443,
        src_mac: Some(MacAddr([2, 0, 0, 0, 0, 1])),
        dst_mac: Some(MacAddr([2, 0, 0, 0xff, 0, 2])),
        vlans: Vlans { ids: [10, 20], count: 2 },
        to_server: Side { packets: 3, bytes: 2157, payload_bytes: 1900 },
        to_client: Side { packets: 1, bytes: 60, payload_bytes: 0 },
        sizes,
        gaps_us,
        tcp: Some(Tcp {
            flags_to_server: 0x1b,
            flags_to_client: 0x12,
            state: TcpState::Closed,
            rtt_server_us: 900,
            rtt_client_us: 100,
            retransmissions: 2,
        }),
        community_id: Some([7; 20]),
        app: "tls",
        app_by: AppBy::Signature,
        names: names(&[
            ("tls.sni", "www.example.org"),
            ("tls.alpn", "h2"),
            ("tls.alpn", "http/1.1"),
            ("tls.version", "TLS 1.3"),
            ("tls.ja3.hash", "0f0e"),
            ("ghost.objects", "x"),
        ]),
        behaviours: Behaviours::BEACON.with(Behaviours::LONG_LIVED),
        src: Party { role: Role::Client, zone: Zone::Internal },
        dst: Party { role: Role::Server, zone: Zone::Internet },
        brand: "Example",
        category: "web",
        dst_name: Some("www.example.org".into()),
        ..empty()
    }
}

fn line_of(f: &Features, source: &Source<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    line::flow_body(&mut out, f, source, ShapeId(0xabcd), Priority::High);
    line::close(&mut out, 7, &Digest([9; 32]));
    out
}

/// Valid JSON on one line, nothing hidden in it, with the tail where it must be.
fn whole(line: &[u8]) -> serde_json::Value {
    let text = std::str::from_utf8(line).expect("UTF-8");
    let json = text.strip_suffix('\n').expect("a newline at the end");
    assert!(!json.chars().any(hidden), "{json:?}");
    assert!(line.len() <= LINE_BYTES_MAX);
    assert!(Tail::of(line).is_some());
    serde_json::from_str(json).unwrap_or_else(|e| panic!("{e}: {json}"))
}

#[test]
fn a_flow_stands_in_the_places_where_eve_has_it() {
    let line = line_of(&https(), &Source { in_iface: Some("br0"), ..Source::default() });
    let json = whole(&line);
    for (pointer, expected) in [
        ("/timestamp", r#""2026-11-20T05:56:41.123456+0000""#),
        ("/event_type", r#""flow""#),
        ("/in_iface", r#""br0""#),
        ("/src_ip", r#""192.168.1.20""#),
        ("/dest_ip", r#""2001:db8::1""#),
        ("/dest_port", "443"),
        ("/proto", r#""TCP""#),
        ("/app_proto", r#""tls""#),
        ("/community_id", r#""1:BwcHBwcHBwcHBwcHBwcHBwcHBwc=""#),
        ("/vlan", "[10,20]"),
        ("/ether/dest_mac", r#""02:00:00:ff:00:02""#),
        ("/flow/pkts_toserver", "3"),
        ("/flow/bytes_toclient", "60"),
        ("/flow/start", r#""2026-11-20T05:56:40.000000+0000""#),
        ("/flow/age", "1"),
        ("/flow/state", r#""closed""#),
        ("/flow/reason", r#""shutdown""#),
        ("/tcp/tcp_flags_ts", r#""1b""#),
        ("/tcp/syn", "true"),
        ("/tcp/rtt_us", "1000"),
        ("/tls/sni", r#""www.example.org""#),
        ("/tls/alpn", r#"["h2","http/1.1"]"#),
        ("/tls/ja3/hash", r#""0f0e""#),
        ("/ghost/prio", r#""high""#),
        ("/ghost/shape", r#""000000000000abcd""#),
        ("/ghost/behaviours", r#"["beacon","long_lived"]"#),
        ("/ghost/dest_zone", r#""internet""#),
        ("/ghost/sizes/max", "1514"),
        ("/ghost/gaps_us/max", "10600"),
        ("/flow_id", "8542003392182575"),
        ("/ghost/start_ns", "7"),
        ("/ghost/end_ns", "789"),
        ("/ghost/objects", r#"["x"]"#),
        ("/ghost/seq", "7"),
    ] {
        let found = json.pointer(pointer).map(ToString::to_string);
        assert_eq!(found.as_deref(), Some(expected), "{pointer}");
    }
    assert_eq!(json.pointer("/pcap_filename"), None);
    assert_eq!(json.pointer("/icmp_type"), None);
}

#[test]
fn a_flow_is_read_as_it_was_written() {
    let f = https();
    let source = Source { pcap_filename: Some("a b.pcap"), import: Some(3), ..Source::default() };
    let line = line_of(&f, &source);
    let v = View::parse(&line).unwrap();
    assert_eq!(v.kind, LineKind::Flow);
    assert_eq!(
        (v.timestamp, v.flow.start, v.flow.end),
        (Some(f.last), Some(f.first), Some(f.last))
    );
    assert_eq!((v.src_ip, v.dest_ip), (f.src_ip, f.dst_ip));
    assert_eq!((v.src_port, v.dest_port), (Some(51000), Some(443)));
    assert_eq!(v.proto.as_deref(), Some("TCP"));
    assert_eq!(v.app_proto.as_deref(), Some("tls"));
    assert_eq!(v.pcap_filename.as_deref(), Some("a b.pcap"));
    assert_eq!(v.vlan, [10, 20]);
    assert_eq!((v.ether.src_mac, v.ether.dest_mac), (f.src_mac, f.dst_mac));
    assert_eq!((v.flow.pkts_toserver, v.flow.bytes_toclient), (3, 60));
    let tcp = v.tcp.as_ref().unwrap();
    assert_eq!((tcp.flags_to_server, tcp.rtt_us, tcp.rtt_server_us), (0x1b, 1000, 900));
    assert_eq!(tcp.retransmissions, 2);
    assert_eq!(v.name("tls.sni"), Some("www.example.org"));
    assert_eq!(v.all("tls.alpn").collect::<Vec<_>>(), ["h2", "http/1.1"]);
    assert_eq!(v.all("ghost.objects").collect::<Vec<_>>(), ["x"]);
    assert_eq!(v.ghost.behaviours, f.behaviours);
    assert_eq!((v.ghost.src, v.ghost.dest), (f.src, f.dst));
    assert_eq!(v.ghost.dest_name.as_deref(), Some("www.example.org"));
    assert_eq!((v.ghost.seq, v.ghost.prev), (Some(7), Some(Digest([9; 32]))));
    assert_eq!((v.ghost.prio, v.ghost.shape), (Some(Priority::High), Some(ShapeId(0xabcd))));
    assert_eq!(v.ghost.import, Some(3));
    let sizes = v.ghost.sizes.unwrap();
    assert_eq!((sizes.min, sizes.max), (60, 1514));
    assert_eq!((v.ghost.payload_toserver, v.ghost.payload_toclient), (1900, 0));
}

#[test]
fn a_flow_id_has_sixteen_digits_that_every_json_reader_can_hold() {
    for first in [i64::MIN, -1, 0, 1_795_154_200_000_000_007, i64::MAX] {
        let id = line::flow_id(&Features { first: Timestamp(first), ..https() });
        assert!((1_000_000_000_000_000..1 << 53).contains(&id), "{id} of {first}");
        let other = Features { first: Timestamp(first), community_id: Some([8; 20]), ..https() };
        assert_ne!(line::flow_id(&other), id);
    }
}

#[test]
fn absent_facts_leave_no_trace() {
    let line = line_of(&empty(), &Source::default());
    let json = whole(&line);
    let keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["event_type", "flow", "flow_id", "ghost", "proto", "timestamp"]);
    let v = View::parse(&line).unwrap();
    assert_eq!((v.src_ip, v.tcp, v.names.len(), v.tunnels.len()), (None, None, 0, 0));
}

#[test]
fn frames_below_ip_are_flows_of_their_ethertype() {
    let arp = Features {
        subject: Subject::Link,
        proto: Proto::Ether(0x0806),
        src_ip: Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1))),
        ..empty()
    };
    assert_eq!(whole(&line_of(&arp, &Source::default()))["proto"], "ARP");
    let odd = Features { proto: Proto::Ether(0x88b5), ..arp };
    assert_eq!(whole(&line_of(&odd, &Source::default()))["proto"], "0x88b5");
}

#[test]
fn the_inner_flows_of_a_tunnel_are_told() {
    let inner = |port| Tunnel {
        kind: "vxlan",
        id: Some(42),
        src_ip: Some(IpAddr::V4(Ipv4Addr::new(10, 1, 1, 1))),
        dst_ip: Some(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        src_port: port,
        dst_port: 80,
        proto: 6,
        packets: 5,
    };
    for count in [1_u16, 2, 200] {
        let f = Features { tunnels: (0..count).map(inner).collect(), ..empty() };
        let line = line_of(&f, &Source::default());
        let json = whole(&line);
        assert_eq!(json["tunnel"]["id"], 42);
        let v = View::parse(&line).unwrap();
        assert_eq!(v.tunnels.len(), usize::from(count.min(64)));
        assert_eq!(v.tunnels[0].dest_ip, f.tunnels[0].dst_ip);
        assert_eq!(v.tunnels[0].proto, "TCP");
    }
}

#[test]
fn the_longest_flow_fits_a_line() {
    let mut f = https();
    f.names =
        Names { pairs: vec![("http.hostname", "\u{1}".repeat(9000).into()); 300], dropped: 5 };
    f.src_name = Some("\u{202e}".repeat(100_000).into());
    f.dst_name = Some("\u{7f}".repeat(100_000).into());
    f.tunnels = vec![
        Tunnel {
            kind: "geneve",
            id: Some(u32::MAX),
            src_ip: Some(IpAddr::V6(Ipv6Addr::from([0xff; 16]))),
            dst_ip: Some(IpAddr::V6(Ipv6Addr::from([0xff; 16]))),
            src_port: 65535,
            dst_port: 65535,
            proto: 255,
            packets: u64::MAX,
        };
        70
    ];
    let name = "\u{1b}".repeat(10_000);
    let source = Source {
        pcap_filename: Some(&name),
        in_iface: Some(&name),
        bridge: Some(&name),
        import: Some(u64::MAX),
        epoch: 0,
    };
    let line = line_of(&f, &source);
    let json = whole(&line);
    assert!(json["ghost"]["names_dropped"].as_u64().unwrap() > 5);
}

#[test]
fn a_shape_gives_its_vector_back_to_the_bit() {
    bolero::check!().with_iterations(500).with_type::<(Vec<i8>, f32, u64, bool)>().for_each(
        |(components, scale, id, full)| {
            let scale = if scale.is_finite() { *scale } else { 0.5 };
            let vector = Vector {
                components: components.clone().into(),
                scale,
                tier: if *full { Tier::Full } else { Tier::Fast },
            };
            let shape = ShapeLine {
                id: ShapeId(*id),
                tuple: "app=ssh|proto=tcp",
                text: "secure shell",
                glossary: 3,
                model: "rows@1",
                vector: &vector,
            };
            let mut out = Vec::new();
            line::shape_body(&mut out, &shape);
            line::close(&mut out, 1, &Digest::ZERO);
            whole(&out);
            let v = View::parse(&out).unwrap();
            assert_eq!((v.kind, v.ghost.shape), (LineKind::Shape, Some(ShapeId(*id))));
            let part = v.shape.as_ref().unwrap();
            assert_eq!((&*part.tuple, &*part.text), ("app=ssh|proto=tcp", "secure shell"));
            assert_eq!((part.glossary, &*part.model), (3, "rows@1"));
            let back = v.vector();
            assert_eq!(back, (!components.is_empty()).then_some(vector));
        },
    );
}

#[test]
fn notes_are_read_as_they_were_written() {
    let hostile = "x\"\\\u{1b}[2J\n</script>";
    let notes = [
        Note::Epoch(EpochNote {
            log: "00ff".into(),
            epoch: 3,
            parent_seq: 8,
            parent_leaf: Digest([1; 32]),
            program: "ghostbridge 0.1.0".into(),
            boot: hostile.into(),
            key: "0123abcd".into(),
        }),
        Note::Segment(SegmentNote {
            log: "00ff".into(),
            epoch: 3,
            parent_seq: 8,
            parent_leaf: Digest([2; 32]),
            key: "0123abcd".into(),
        }),
        Note::Import(ImportNote {
            state: ImportState::End,
            file: hostile.into(),
            sha256: "ab".into(),
            options: "cd".into(),
            begin: 4,
            packets: 1,
            bytes: 2,
            flows: 3,
            events: 5,
            unparsed: 6,
            error: hostile.into(),
        }),
        Note::Recovered(RecoveredNote {
            after_seq: 9,
            bytes: 10,
            lines: 1,
            acknowledged_lost: 2,
            kept: "torn-10.bin".into(),
        }),
        Note::Gap(GapNote {
            reason: "stopped".into(),
            from: Timestamp(1_000_000),
            to: Timestamp(2_000_000),
            packets: 1,
            bytes: 2,
            events: 3,
        }),
        Note::Key(KeyNote {
            key: "a/ghostbridge/00ff+0123abcd+AQ==".into(),
            by: "4567cdef".into(),
            signature: "c2ln".into(),
        }),
        Note::Retired(RetiredNote { first_seq: 7, segments: 2, bytes: 3 }),
        Note::Block(BlockNote {
            action: "sealed".into(),
            block: 4,
            size: 5,
            root: Digest([3; 32]),
            reason: hostile.into(),
        }),
        Note::Element(ElementNote {
            id: format!("bridge:{hostile}").into(),
            kind: "bridge".into(),
            height: 6,
            seq: 9,
            leaf: Digest([4; 32]),
        }),
    ];
    for note in notes {
        let mut out = Vec::new();
        line::note_body(&mut out, Timestamp(5_000), &note);
        line::close(&mut out, 10, &Digest::ZERO);
        assert_eq!(whole(&out)["event_type"], note.kind());
        let v = View::parse(&out).unwrap();
        assert_eq!(v.note, Some(note));
        assert_eq!(v.timestamp, Some(Timestamp(5_000)));
    }
}

/// Paths as the dissectors have them, a conflict, and one that nobody knows yet.
const PATHS: [&str; 12] = [
    "dns.queries.rrname",
    "dns.rrtypes",
    "tls.sni",
    "tls.alpn",
    "http.status",
    "http.hostname",
    "dhcp.vendor_class",
    "ghost.commands",
    "ssh.client.software_version",
    "new.things",
    "new.thing.deeper",
    "new.thing.deepest.place",
];

#[test]
fn hostile_names_come_back_as_they_were_told() {
    bolero::check!().with_iterations(3000).with_type::<Vec<(u8, Vec<u8>)>>().for_each(|told| {
        let pairs: Vec<(&'static str, Box<str>)> = told
            .iter()
            .map(|(path, value)| {
                let path = PATHS[usize::from(*path) % PATHS.len()];
                (path, String::from_utf8_lossy(value).into())
            })
            .collect();
        let mut expected: Vec<(String, String)> =
            pairs.iter().map(|(p, v)| ((*p).to_owned(), v.to_string())).collect();
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        let mut f = https();
        f.src_name = pairs.first().map(|(_, v)| v.clone());
        f.names = Names { pairs, dropped: 0 };
        let line =
            line_of(&f, &Source { pcap_filename: f.src_name.as_deref(), ..Source::default() });
        whole(&line);
        let v = View::parse(&line).unwrap();
        let mut back: Vec<(String, String)> =
            v.names.iter().map(|n| (n.path.to_string(), n.value.to_string())).collect();
        back.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(back, expected);
    });
}

#[test]
fn a_flood_told_as_one_says_what_its_flows_have_in_common() {
    let folded = Folded { flows: 90_000, sources: 61_000, targets: 1, ports: 1 };
    let to_server = Side { packets: 90_001, bytes: 5_400_060, payload_bytes: 0 };
    let flood = |dst: [u8; 4]| Features {
        dst_ip: Some(dst.into()),
        dst_port: 80,
        to_server,
        behaviours: Behaviours::FLOOD,
        folded: Some(Box::new(folded)),
        ..empty()
    };
    let source = Source { in_iface: Some("eth1"), bridge: Some("br0"), ..Source::default() };
    let line = line_of(&flood([10, 0, 0, 80]), &source);
    let v = View::parse(&line).unwrap();
    assert_eq!(v.ghost.folded, Some(folded));
    assert_eq!((v.src_ip, v.dest_ip, v.dest_port), (None, Some([10, 0, 0, 80].into()), Some(80)));
    assert_eq!((v.flow.pkts_toserver, v.flow.bytes_toserver), (90_001, 5_400_060));
    assert_eq!((v.ghost.bridge.as_deref(), v.in_iface.as_deref()), (Some("br0"), Some("eth1")));
    assert!(v.names.is_empty(), "what is folded is no name: {:?}", v.names);
    let other = line_of(&flood([10, 0, 0, 81]), &source);
    assert_ne!(v.flow_id, View::parse(&other).unwrap().flow_id);
    let plain = line_of(&empty(), &Source::default());
    let v = View::parse(&plain).unwrap();
    assert_eq!((v.ghost.folded, v.ghost.bridge), (None, None));
}

#[test]
fn foreign_and_later_lines_are_read_as_far_as_understood() {
    let line = br#"{"event_type":"dns","src_ip":17,"src_port":"x","dest_port":70000,"vlan":5,
        "dns":{"rrname":["a"],"extra":{"deep":[1,{"x":true}],"nothing":null}},"alert":{"severity":-1},
        "tcp":"no object","flow":[1,2],"ghost":{"v":9,"shape":5,"behaviours":"beacon","epoch":"x",
        "unheard":{"of":"this"},"seq":3}}"#;
    let v = View::parse(line).unwrap();
    assert_eq!((v.kind, &*v.event_type), (LineKind::Other, "dns"));
    assert_eq!((v.src_ip, v.src_port, v.dest_port), (None, None, None));
    assert_eq!(v.vlan, [5]);
    assert_eq!(v.name("dns.rrname"), Some("a"));
    assert_eq!(v.name("dns.extra.deep.x"), Some("true"));
    assert_eq!(v.name("alert.severity"), Some("-1"));
    assert_eq!(v.name("ghost.unheard.of"), Some("this"));
    assert_eq!(v.ghost.behaviours, Behaviours::BEACON);
    assert_eq!((v.ghost.v, v.ghost.seq, v.ghost.shape), (9, Some(3), None));
}

#[test]
fn what_is_no_object_is_an_error() {
    for bad in ["", "null", "[]", "{", "{} {}", "{\"a\":1,}", "\u{0}", "{\"a\":\"\u{1}\"}"] {
        assert!(View::parse(bad.as_bytes()).is_err(), "{bad:?}");
    }
    assert!(View::parse(b"{\"a\":\"\xff\"}").is_err());
    assert!(View::parse("[".repeat(100_000).as_bytes()).is_err());
    let deep = format!("{{\"a\":{}", "{\"a\":".repeat(100_000));
    assert!(View::parse(deep.as_bytes()).is_err());
}

#[test]
fn no_bytes_panic() {
    let seed = line_of(&https(), &Source::default());
    bolero::check!().with_iterations(3000).with_type::<(Vec<u8>, u16)>().for_each(|(bytes, at)| {
        let _ = View::parse(bytes);
        // A line with some bytes written over.
        let mut line = seed.clone();
        let at = usize::from(*at) % line.len();
        let n = bytes.len().min(line.len() - at);
        line[at..at + n].copy_from_slice(&bytes[..n]);
        if let Ok(v) = View::parse(&line) {
            let _ = v.vector();
        }
    });
}
