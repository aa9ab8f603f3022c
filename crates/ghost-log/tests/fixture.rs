//! A log of format version 1, kept as it was written: every later version reads it.
//!
//! `v1` is what the first program wrote, and never changes. `v1-today` is what the present one writes
//! of the same facts; `make_the_fixture_anew` below makes it, and is run by hand when the writer was
//! changed: `GHOSTBRIDGE_MAKE_FIXTURE=1 cargo test -p ghost-log --test fixture`.

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{clock, config};
use ghost_event::line::{
    GapNote, ImportNote, ImportState, LineKind, Note, ShapeLine, Source, View, flow_body,
    shape_body,
};
use ghost_event::{
    AppBy, Behaviours, EndReason, Features, MacAddr, Names, Party, Port, Priority, Proto, Role,
    ShapeId, Side, Stats, Subject, Tcp, TcpState, Tier, Timestamp, Tunnel, Vector, Vlans, Zone,
};
use ghost_log::{Head, Log, LogReader, Proven, VerifyOptions, stats, verify};
use ghost_world::RealDisk;

fn fixture() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/log/v1")).to_owned()
}

fn fixture_of_today() -> PathBuf {
    fixture().with_file_name("v1-today")
}

const HEAD: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/log/v1/expected-head"));

#[test]
fn a_log_of_version_1_verifies_to_its_head() {
    let head = Head::parse(HEAD).unwrap();
    let options = VerifyOptions {
        against: Some(head.into()),
        without_state: true,
        ..VerifyOptions::default()
    };
    let verdict = verify(&fixture(), &options).unwrap();
    assert!(verdict.ok(), "{verdict}");
    assert_eq!(verdict.proven, Proven::ByGivenHead);
    assert_eq!((verdict.first_seq, verdict.epoch, verdict.segments), (1, 2, 3));
    assert_eq!(verdict.log_id, "ab".repeat(16));
}

#[test]
fn a_log_of_version_1_is_read_to_the_last_fact() {
    let reader = LogReader::open(&fixture());
    let mut lines = reader.lines(0);
    let mut kinds = Vec::new();
    let mut flows = Vec::new();
    let mut tiers = Vec::new();
    while let Some(line) = lines.next().unwrap() {
        let view = View::parse(line.bytes).unwrap();
        assert_eq!((view.ghost.v, view.ghost.seq), (1, Some(line.seq)));
        kinds.push(view.kind);
        match view.kind {
            LineKind::Flow => flows.push(line.bytes.to_vec()),
            LineKind::Shape => tiers.push(view.vector().unwrap().tier),
            _ => assert!(view.note.is_some()),
        }
    }
    for kind in [LineKind::Epoch, LineKind::Segment, LineKind::Import, LineKind::Gap] {
        assert!(kinds.contains(&kind), "{kind:?}");
    }
    assert!(tiers.contains(&Tier::Fast) && tiers.contains(&Tier::Full));
    assert_eq!(flows.len(), 3);

    let dns = View::parse(&flows[0]).unwrap();
    assert_eq!(dns.all("dns.queries.rrname").collect::<Vec<_>>(), ["a.example", "b.example"]);
    assert_eq!(dns.pcap_filename.as_deref(), Some("evil\u{1b}[2J\".pcap"));
    assert_eq!((dns.ghost.import, dns.timestamp), (Some(2), Some(Timestamp(END_NS))));
    assert_eq!(dns.vlan, [10, 20]);
    assert_eq!(dns.ghost.behaviours, Behaviours::UNUSUAL_DNS);
    let tls = View::parse(&flows[1]).unwrap();
    assert_eq!(tls.name("tls.sni"), Some("www.example.org"));
    assert_eq!(tls.all("http.status").collect::<Vec<_>>(), ["200", "404"]);
    assert_eq!(tls.tcp.as_ref().unwrap().flags_to_server, 0x1b);
    assert_eq!(tls.tunnels.len(), 2);
    let arp = View::parse(&flows[2]).unwrap();
    assert_eq!((arp.proto.as_deref(), arp.ether.src_mac), (Some("ARP"), Some(MacAddr([2; 6]))));
    assert_eq!(reader.imports().unwrap().get(&"5".repeat(64)).unwrap().state, ImportState::End);
    assert_eq!(reader.events_of_import(2).unwrap(), 2);
    assert_eq!(stats(&fixture()).unwrap().kinds["flow"], 3);
}

#[test]
fn today_writes_version_1_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path());
    let files = [
        "log/events.jsonl",
        "log/segments/00000000000000000001.jsonl",
        "log/segments/00000000000000000009.jsonl",
    ];
    for file in files {
        let now = std::fs::read_to_string(dir.path().join(file)).unwrap();
        let then = std::fs::read_to_string(fixture_of_today().join(file)).unwrap();
        assert_eq!(now, then, "{file}");
    }
}

#[test]
fn make_the_fixture_anew() {
    if std::env::var_os("GHOSTBRIDGE_MAKE_FIXTURE").is_none() {
        return;
    }
    let dir = fixture_of_today();
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    let head = make(&dir);
    std::fs::write(dir.join("expected-head"), format!("{head}\n")).unwrap();
    std::fs::remove_dir_all(dir.join("state")).unwrap();
    std::fs::remove_file(dir.join("events.jsonl")).unwrap();
}

const END_NS: i64 = 1_795_154_201_123_456_789;

/// Every kind of line, in three segments and two epochs.
fn make(dir: &Path) -> Head {
    let open = || {
        // No key: the fixture is older than keys.
        let config = ghost_log::LogConfig {
            program: "ghostbridge 0.1.0".into(),
            key_seed: [0; 32],
            ..config(1 << 20)
        };
        Log::open_on(Arc::new(RealDisk), dir, config, clock()).unwrap().0
    };
    let mut log = open();
    let import = |state, begin| ImportNote {
        state,
        file: "evil\u{1b}[2J\".pcap".into(),
        sha256: "5".repeat(64).into(),
        options: "0".repeat(16).into(),
        begin,
        packets: 31,
        bytes: 4096,
        flows: 2,
        events: 2,
        unparsed: 1,
        error: "the file ends within a packet".into(),
    };
    let shape = |log: &mut Log, id, tier| {
        let value = if tier == Tier::Full { -7 } else { 7 };
        let vector = Vector { components: vec![value; 384].into(), scale: 0.004_021, tier };
        let mut body = Vec::new();
        shape_body(
            &mut body,
            &ShapeLine {
                id: ShapeId(id),
                tuple: "app=dns|proto=udp",
                text: "asks a name server",
                glossary: 1,
                model: "rows@1",
                vector: &vector,
            },
        );
        log.shape(ShapeId(id), &body).unwrap();
    };
    let flow = |log: &mut Log, f: &Features, source: &Source<'_>, prio| {
        let mut body = Vec::new();
        flow_body(&mut body, f, source, ShapeId(1), prio);
        log.append(prio, Some(ShapeId(1)), &body).unwrap();
    };
    let begin = log.import(&import(ImportState::Begin, 0)).unwrap().seq;
    let file = Source {
        pcap_filename: Some("evil\u{1b}[2J\".pcap"),
        import: Some(begin),
        ..Source::default()
    };
    shape(&mut log, 1, Tier::Fast);
    flow(&mut log, &dns(), &file, Priority::Medium);
    shape(&mut log, 1, Tier::Full);
    flow(&mut log, &tls(), &file, Priority::Low);
    log.import(&import(ImportState::End, begin)).unwrap();
    log.append_note(&Note::Gap(GapNote {
        reason: "stopped".into(),
        from: Timestamp(END_NS),
        to: Timestamp(END_NS + 1_000_000),
        packets: 5,
        bytes: 6,
        events: 7,
    }))
    .unwrap();
    log.rotate().unwrap();
    flow(&mut log, &arp(), &Source { in_iface: Some("br0"), ..Source::default() }, Priority::High);
    drop(log);
    let mut log = open();
    log.rotate().unwrap();
    log.sync().unwrap();
    log.head()
}

fn stats_of(values: &[u64]) -> Stats {
    let mut stats = Stats::default();
    values.iter().for_each(|v| stats.add(*v));
    stats
}

fn names(pairs: &[(&'static str, &str)]) -> Names {
    Names { pairs: pairs.iter().map(|(p, v)| (*p, (*v).into())).collect(), dropped: 1 }
}

fn dns() -> Features {
    Features {
        subject: Subject::Flow,
        port: Port::default(),
        first: Timestamp(END_NS - 1_000_000_007),
        last: Timestamp(END_NS),
        src_ip: "192.168.1.20".parse().ok(),
        dst_ip: "192.168.1.1".parse().ok(),
        src_port: 40000,
        dst_port: 53,
        proto: Proto::Ip(17),
        icmp: None,
        src_mac: Some(MacAddr([2, 0, 0, 0, 0, 1])),
        dst_mac: Some(MacAddr([2, 0, 0, 0, 0, 2])),
        vlans: Vlans { ids: [10, 20], count: 2 },
        to_server: Side { packets: 2, bytes: 160, payload_bytes: 76 },
        to_client: Side { packets: 2, bytes: 240, payload_bytes: 156 },
        sizes: stats_of(&[80, 80, 120, 120]),
        gaps_us: stats_of(&[10, 20, 31]),
        tcp: None,
        fragments: 1,
        end: EndReason::Idle,
        community_id: Some([9; 20]),
        app: "dns",
        app_by: AppBy::Signature,
        names: names(&[
            ("dns.queries.rrname", "a.example"),
            ("dns.rrtypes", "A"),
            ("dns.queries.rrname", "b.example"),
        ]),
        tunnels: Vec::new(),
        malformed: 1,
        behaviours: Behaviours::UNUSUAL_DNS,
        src: Party { role: Role::Client, zone: Zone::Internal },
        dst: Party { role: Role::NameServer, zone: Zone::Internal },
        brand: "",
        category: "",
        src_name: Some("laptop\u{202e}".into()),
        dst_name: None,
        folded: None,
        score: None,
    }
}

fn tls() -> Features {
    let tunnel = |port| Tunnel {
        kind: "vxlan",
        id: Some(42),
        src_ip: "10.0.0.1".parse().ok(),
        dst_ip: "10.0.0.2".parse().ok(),
        src_port: port,
        dst_port: 80,
        proto: 6,
        packets: 3,
    };
    Features {
        dst_ip: "2001:db8::1".parse().ok(),
        src_ip: "2001:db8::2".parse().ok(),
        dst_port: 443,
        proto: Proto::Ip(6),
        tcp: Some(Tcp {
            flags_to_server: 0x1b,
            flags_to_client: 0x12,
            state: TcpState::Closed,
            rtt_server_us: 900,
            rtt_client_us: 100,
            retransmissions: 2,
        }),
        app: "tls",
        names: names(&[
            ("tls.sni", "www.example.org"),
            ("tls.alpn", "h2"),
            ("http.status", "200"),
            ("http.status", "404"),
            ("ghost.commands", "GET"),
        ]),
        tunnels: vec![tunnel(1), tunnel(2)],
        brand: "Example",
        category: "web",
        end: EndReason::Closed,
        dst: Party { role: Role::Server, zone: Zone::Internet },
        ..dns()
    }
}

fn arp() -> Features {
    Features {
        subject: Subject::Link,
        proto: Proto::Ether(0x0806),
        src_port: 0,
        dst_port: 0,
        src_mac: Some(MacAddr([2; 6])),
        community_id: None,
        app: "",
        app_by: AppBy::Nothing,
        names: Names::default(),
        behaviours: Behaviours::ARP_SCAN,
        icmp: None,
        vlans: Vlans::default(),
        ..dns()
    }
}
