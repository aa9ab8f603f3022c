//! Random events and requests, by seed.

use std::fmt::Write;

use ghost_event::line::{PacketEvent, Source, packet_body};
use ghost_event::{Behaviours, MacAddr, Priority, Proto, ShapeId, Timestamp};
use ghost_index::{Clause, Kind, Measure, Order, Position, Request, Term};

pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Rng {
        Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 33) % n
    }

    fn of<'a>(&mut self, items: &[&'a str]) -> &'a str {
        items[usize::try_from(self.below(items.len() as u64)).unwrap()]
    }
}

const APPS: &[&str] = &["ssh", "dns", "tls", "http", "smb", "quic"];
const NAMES: &[&str] = &[
    "www.example.com",
    "example.com",
    "mail.example.org",
    "a.b.c.d.e.f.g.h.example.net",
    "nas",
    "printer-3.local",
    "\u{1b}[31m=cmd|x",
    "<script>alert(1)</script>",
    "*.weird",
];
const BEHAVIOURS: &[&str] = &["port_scan", "flood", "dns_tunnel", "brute_force"];

fn time(ms: u64) -> String {
    format!(
        "2026-11-{:02}T{:02}:{:02}:{:02}.{:03}000+0000",
        1 + ms / 86_400_000,
        ms / 3_600_000 % 24,
        ms / 60_000 % 60,
        ms / 1000 % 60,
        ms % 1000
    )
}

/// Lines of a log with every kind of line in it.
pub(crate) fn lines(rng: &mut Rng, count: u64) -> Vec<(String, Position)> {
    let mut out: Vec<(String, Position)> = Vec::new();
    let mut offset = 0;
    for seq in 1..=count {
        let mut line = match rng.below(20) {
            0 => shape(rng),
            2..8 => packet(rng, seq),
            1 if rng.below(3) > 0 => r#"{"timestamp":"2026-11-01T00:00:00.000000+0000","event_type":"gap","ghost":{"v":1"#.to_owned(),
            1 => r#"{"timestamp":"2026-11-01T00:00:00.000000+0000","event_type":"epoch","ghost":{"v":1"#.to_owned(),
            _ => flow(rng, seq),
        };
        let _ = write!(line, r#","seq":{seq},"prev":"00"}}}}"#);
        line.push('\n');
        let len = u32::try_from(line.len()).unwrap();
        out.push((line, Position { segment: seq / 120 * 120 + 1, offset, len }));
        offset += u64::from(len);
    }
    out
}

/// A packet of one of few flows, mostly in the form in which packets are written.
fn packet(rng: &mut Rng, seq: u64) -> String {
    let conversation = rng.below(5);
    let ms = i64::try_from(seq * 200 + rng.below(20_000)).unwrap();
    let to_server = rng.below(2) == 0;
    let below_ip = conversation == 0;
    let mac = |last| (below_ip).then_some(MacAddr([2, 0, 0, 0, 0, last]));
    let event = PacketEvent {
        ts: Timestamp(1_793_491_200_000_000_007 + ms * 1_000_000),
        flow_id: 1 + conversation,
        conversation: conversation * 0x0101_0000_0000_0001,
        src_ip: "10.0.0.1".parse().ok(),
        src_port: if below_ip { 0 } else { 40_000 },
        dst_ip: if below_ip { None } else { "10.0.0.2".parse().ok() },
        dst_port: if below_ip { 0 } else { 443 },
        proto: if below_ip { Proto::Ether(0x0806) } else { Proto::Ip(6) },
        icmp: None,
        src_mac: mac(1),
        dst_mac: mac(2),
        app: ["", "tls"][usize::try_from(rng.below(2)).unwrap()],
        to_server,
        wire_len: 60 + u32::try_from(rng.below(1400)).unwrap(),
        payload_len: 6,
        segments: 1 + u16::try_from(rng.below(3) / 2 * 40).unwrap(),
        tcp_flags: (!below_ip).then_some(0x18),
        fragment: rng.below(9) == 0,
        malformed: false,
        behaviours: if rng.below(4) == 0 { Behaviours::FLOOD } else { Behaviours::NONE },
        sha256: None,
    };
    let source = Source {
        in_iface: [None, Some("br0"), Some("veth \"7\"")][usize::try_from(rng.below(3)).unwrap()],
        bridge: [None, Some("br0"), Some("br\\1")][usize::try_from(rng.below(3)).unwrap()],
        ..Source::default()
    };
    let mut body = Vec::new();
    packet_body(&mut body, &event, &source, ShapeId(rng.below(3)), Priority::Low);
    let mut text = String::from_utf8(body).unwrap();
    if rng.below(5) == 0 {
        text = text.replacen("{\"timestamp\"", "{ \"timestamp\"", 1);
    }
    text
}

fn shape(rng: &mut Rng) -> String {
    let id = rng.below(12);
    format!(
        r#"{{"event_type":"shape","ghost":{{"v":1,"shape":"{id:016x}","tuple":"app=x{}","text":"words","glossary":1,"tier":{},"model":"m","scale":0.01,"vec":"{}""#,
        rng.below(2),
        1 + rng.below(2),
        ["AQIDBAUG", "/wABf4A="][usize::try_from(rng.below(2)).unwrap()],
    )
}

fn flow(rng: &mut Rng, seq: u64) -> String {
    let start = seq * 40_000 + rng.below(5_000_000);
    let end = start + rng.below(4_000_000);
    let mut line = format!(
        r#"{{"timestamp":"{}","flow_id":{},"event_type":"flow","pcap_filename":"capture.pcap","src_ip":"{}","src_port":{},"dest_ip":"{}","dest_port":{},"proto":"{}","app_proto":"{}","community_id":"1:{}""#,
        time(end),
        rng.below(1 << 50),
        rng.of(&["10.0.0.1", "10.0.1.9", "192.168.1.7", "fe80::1", "2001:db8::5"]),
        1024 + rng.below(200),
        rng.of(&["10.0.0.2", "8.8.8.8", "172.16.4.4", "2001:db8::9"]),
        [22, 53, 443, 80][usize::try_from(rng.below(4)).unwrap()],
        rng.of(&["TCP", "UDP", "ICMP"]),
        rng.of(APPS),
        rng.below(40),
    );
    if rng.below(4) == 0 {
        let _ = write!(line, r#","vlan":[{},7]"#, rng.below(5));
    }
    let _ = write!(
        line,
        r#","ether":{{"src_mac":"02:00:00:00:00:0{}","dest_mac":"02:00:00:00:01:00"}},"flow":{{"pkts_toserver":{},"pkts_toclient":{},"bytes_toserver":{},"bytes_toclient":{},"start":"{}","end":"{}","age":1,"state":"{}","reason":"timeout"}}"#,
        rng.below(8),
        1 + rng.below(20),
        rng.below(20),
        rng.below(100_000),
        rng.below(1_000_000),
        time(start),
        time(end),
        rng.of(&["new", "established", "closed"]),
    );
    if rng.below(3) == 0 {
        let name = rng.of(NAMES).replace('\u{1b}', "\\u001b");
        let _ = write!(
            line,
            r#","dns":{{"rrname":"{name}","queries":[{{"rrname":"{name}"}}],"rrtypes":["A","TXT"]}}"#
        );
    }
    if rng.below(3) == 0 {
        let _ = write!(
            line,
            r#","tls":{{"sni":"{}","version":"TLS 1.{}"}}"#,
            rng.of(NAMES).replace('\u{1b}', ""),
            rng.below(4)
        );
    }
    let _ = write!(line, r#","ghost":{{"v":1,"prio":"low","shape":"{:016x}""#, rng.below(14));
    if rng.below(3) == 0 {
        let _ = write!(line, r#","behaviours":["{}"]"#, rng.of(BEHAVIOURS));
    }
    let _ = write!(
        line,
        r#","src_zone":"internal","sizes":{{"min":60,"max":90,"mean":70.5,"sd":1.5}}"#
    );
    line
}

fn clause(rng: &mut Rng, depth: u32) -> Clause {
    let has = |t| Clause::Has(t);
    match rng.below(if depth == 0 { 12 } else { 15 }) {
        0 => has(Term::text(Kind::App, rng.of(APPS))),
        1 => has(Term::text(Kind::Behaviour, rng.of(BEHAVIOURS))),
        2 => Clause::Between(
            Term::ip(Kind::SrcIp, "10.0.0.0".parse().unwrap()),
            Term::ip(Kind::SrcIp, "10.0.0.255".parse().unwrap()),
        ),
        3 => {
            let low = 1024 + u16::try_from(rng.below(200)).unwrap();
            Clause::Between(Term::number(Kind::SrcPort, low), Term::number(Kind::SrcPort, low + 30))
        }
        4 => Clause::Name(
            rng.of(&[
                "example.com",
                "*.example.com",
                "ex*le*",
                "www",
                "*",
                "*.d.e.*",
                "nas",
                "weird",
                "script",
                "*<script>*",
            ])
            .to_owned(),
        ),
        5 => {
            let from = Timestamp(
                1_793_491_200_000_000_000
                    + i64::try_from(rng.below(20_000)).unwrap() * 1_000_000_000,
            );
            let until = from.plus_ns(i64::try_from(rng.below(6_000)).unwrap() * 1_000_000_000);
            Clause::Time { from, until }
        }
        6 => {
            let of = [
                Measure::Bytes,
                Measure::BytesToServer,
                Measure::Packets,
                Measure::DurationUs,
                Measure::Seq,
                Measure::BytesToClient,
            ][usize::try_from(rng.below(6)).unwrap()];
            let min = rng.below(20_000);
            Clause::Number { of, min, max: min.saturating_add(rng.below(1 << 30)) }
        }
        7 => has(Term::fact("tls.version", &format!("TLS 1.{}", rng.below(4)))),
        8 => has(Term::number(Kind::Vlan, u16::try_from(rng.below(8)).unwrap())),
        9 => has(Term::shape(ShapeId(rng.below(14)))),
        10 => has(Term::community_id(&format!("1:{}", rng.below(40)))),
        11 => has(Term::text(Kind::Event, "packet")),
        12 => Clause::Not(Box::new(clause(rng, depth - 1))),
        13 => Clause::Any((0..rng.below(4)).map(|_| clause(rng, depth - 1)).collect()),
        _ => Clause::All((0..rng.below(3)).map(|_| clause(rng, depth - 1)).collect()),
    }
}

pub(crate) fn request(rng: &mut Rng) -> Request {
    let weight =
        |rng: &mut Rng| [0.5, 0.25, -0.5, 1.0, 0.125][usize::try_from(rng.below(5)).unwrap()];
    Request {
        filter: (0..rng.below(3)).map(|_| clause(rng, 2)).collect(),
        shapes: (0..rng.below(10)).map(|_| (ShapeId(rng.below(14)), weight(rng))).collect(),
        should: (0..rng.below(4)).map(|_| (clause(rng, 2), weight(rng))).collect(),
        score_min: [None, None, Some(0.25), Some(-0.25)][usize::try_from(rng.below(4)).unwrap()],
        order: [
            Order::Score,
            Order::Score,
            Order::Newest,
            Order::Oldest,
            Order::Most(Measure::Bytes),
            Order::Most(Measure::DurationUs),
        ][usize::try_from(rng.below(6)).unwrap()],
        limit: [0, 1, 3, 10, 1000][usize::try_from(rng.below(5)).unwrap()],
        by_flow: rng.below(2) == 0,
        as_of: [None, None, Some(rng.below(300))][usize::try_from(rng.below(3)).unwrap()],
    }
}
