//! Indexing 200,000 events, asking 1,000,000, scanning 100,000 vectors: a JSON row a figure.
//!
//! The model's own time is no part of it: requests come as a question makes them, with the shapes
//! already scored.
#![allow(unused_crate_dependencies, reason = "a benchmark needs fewer than the library")]

use std::fmt::Write as _;
use std::hint::black_box;

use ghost_event::line::{PacketEvent, Source, packet_body};
use ghost_event::{Priority, Proto, ShapeId, Tier, Timestamp, VECTOR_DIMENSIONS, Vector};
use ghost_index::{
    Clause, EmbeddedIndex, Index, Kind, Measure, OracleIndex, Position, Request, Term,
};

struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 33) % n
    }
}

const SHAPES: u64 = 600;
const APPS: [&str; 12] =
    ["dns", "tls", "tls", "http", "quic", "ssh", "mdns", "ntp", "smb", "dhcp", "pgsql", "snmp"];

/// A line as the log has it, about as long as a real one.
fn line(rng: &mut Rng, seq: u64, out: &mut String) {
    out.clear();
    // Few shapes are common, most are rare.
    let shape = rng.below(SHAPES).min(rng.below(SHAPES)).min(rng.below(SHAPES));
    let app = APPS[usize::try_from(shape % 12).unwrap_or(0)];
    let minute = seq / 2000;
    let time = format!(
        "2026-11-{:02}T{:02}:{:02}:{:02}.{:06}+0000",
        1 + minute / 1440,
        minute / 60 % 24,
        minute % 60,
        seq % 60,
        rng.below(1_000_000)
    );
    let host = rng.below(5000);
    let _ = write!(
        out,
        r#"{{"timestamp":"{time}","flow_id":{},"event_type":"flow","pcap_filename":"a.pcap","src_ip":"10.{}.{}.{}","src_port":{},"dest_ip":"203.{}.{}.9","dest_port":{},"proto":"TCP","app_proto":"{app}","community_id":"1:{:016x}AAAAAAAAAAA=","ether":{{"src_mac":"02:00:00:00:{:02x}:01","dest_mac":"02:00:00:00:00:02"}},"flow":{{"pkts_toserver":{},"pkts_toclient":9,"bytes_toserver":{},"bytes_toclient":{},"start":"{time}","end":"{time}","age":3,"state":"established","reason":"timeout"}},"tcp":{{"tcp_flags_ts":"1b","tcp_flags_tc":"1b","syn":true,"fin":true,"psh":true,"ack":true,"state":"closed","rtt_us":1200}},"#,
        rng.below(1 << 50),
        rng.below(4),
        rng.below(16),
        rng.below(250),
        1024 + rng.below(60_000),
        rng.below(200),
        rng.below(200),
        [53, 443, 80, 22][usize::try_from(shape % 4).unwrap_or(0)],
        rng.next(),
        rng.below(256),
        1 + rng.below(100),
        rng.below(1 << 20),
        rng.below(1 << 22),
    );
    if shape.is_multiple_of(3) {
        let _ = write!(
            out,
            r#""tls":{{"sni":"h{host}.cdn{}.example.com","alpn":["h2"],"version":"TLS 1.3","ja4":"t13d1516h2_{:012x}"}},"#,
            host % 90,
            host % 50
        );
    } else if shape % 3 == 1 {
        let _ = write!(
            out,
            r#""dns":{{"rrname":"h{host}.example.net","queries":[{{"rrname":"h{host}.example.net"}}],"rrtypes":["A"],"rcodes":["NOERROR"]}},"#
        );
    }
    let behaviours =
        if shape % 37 == 5 { r#""behaviours":["port_scan","unanswered"],"# } else { "" };
    let _ = write!(
        out,
        r#""ghost":{{"v":1,"prio":"low","shape":"{:016x}","app_by":"signature",{behaviours}"category":"web","src_role":"client","src_zone":"internal","dest_role":"server","dest_zone":"internet","sizes":{{"min":60,"max":1514,"mean":412.5,"sd":310.2}},"gaps_us":{{"min":3,"max":150000,"mean":4125.1,"sd":2310.2}},"payload_toserver":900,"seq":{seq},"prev":"{:064x}"}}}}"#,
        mix(shape),
        rng.next(),
    );
    out.push('\n');
}

fn mix(n: u64) -> u64 {
    (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn fill(index: &mut dyn Index, events: u64) {
    let mut rng = Rng(7);
    let mut text = String::new();
    for seq in 1..=events {
        line(&mut rng, seq, &mut text);
        let at = Position {
            segment: seq / 150_000 * 150_000 + 1,
            offset: seq * 1400,
            len: u32::try_from(text.len()).unwrap_or(0),
        };
        let _ = index.add(text.as_bytes(), at);
    }
    let _ = index.commit();
}

/// Microseconds to add a packet whose point is open, and one whose point is new, commits with them.
fn packets(dir: &std::path::Path) -> Result<(f64, f64), Box<dyn std::error::Error>> {
    const PACKETS: u64 = 100_000;
    let lines = |flows: u64, first: u64| -> Vec<Vec<u8>> {
        (0..PACKETS)
            .map(|n| {
                let flow = n % flows + first;
                let mut line = Vec::new();
                let event = PacketEvent {
                    ts: Timestamp(1_795_154_201_000_000_000 + i64::try_from(n).unwrap_or(0) * 1000),
                    flow_id: flow + 1,
                    conversation: mix(flow),
                    src_ip: Some([10, 0, 0, 7].into()),
                    src_port: 40_000,
                    dst_ip: Some([203, 0, 113, 9].into()),
                    dst_port: 443,
                    proto: Proto::Ip(6),
                    icmp: None,
                    src_mac: None,
                    dst_mac: None,
                    app: "tls",
                    to_server: true,
                    wire_len: 1514,
                    payload_len: 1448,
                    segments: 1,
                    tcp_flags: Some(0x18),
                    fragment: false,
                    malformed: false,
                    behaviours: ghost_event::Behaviours::NONE,
                    sha256: None,
                };
                let source =
                    Source { in_iface: Some("veth0"), bridge: Some("br0"), ..Source::default() };
                packet_body(&mut line, &event, &source, ShapeId(mix(flow % 4)), Priority::Low);
                ghost_event::line::close(&mut line, first + n + 1, &ghost_event::Digest::ZERO);
                line
            })
            .collect()
    };
    let mut index = EmbeddedIndex::open(dir)?;
    let mut spent = [0.0; 2];
    for (round, flows) in [5_000, PACKETS].into_iter().enumerate() {
        let first = round as u64 * PACKETS;
        let lines = lines(flows, first);
        let start = clock();
        for (n, line) in lines.iter().enumerate() {
            let at = Position { segment: first + 1, offset: n as u64 * 500, len: 480 };
            index.add(line, at)?;
        }
        if round == 1 {
            index.close_window()?;
        }
        index.commit()?;
        #[expect(clippy::cast_precision_loss, reason = "thousands")]
        let each = ms(start) * 1e3 / PACKETS as f64;
        spent[round] = each;
    }
    Ok((spent[0], spent[1]))
}

fn requests() -> Vec<Request> {
    let mut rng = Rng(3);
    let has = |t| Clause::Has(t);
    let app = |a: &str| has(Term::text(Kind::App, a));
    (0..60)
        .map(|n| {
            #[expect(clippy::cast_precision_loss, reason = "a made-up score")]
            let shapes = (0..SHAPES)
                .map(|s| (ShapeId(mix(s)), (rng.below(1000) as f32 / 1000.0).powi(3)))
                .collect();
            let mut request = Request { shapes, limit: 20, by_flow: true, ..Request::default() };
            let some = APPS[usize::try_from(rng.below(12)).unwrap_or(0)];
            request.should.push((app(some), 1.0));
            request.should.push((has(Term::text(Kind::Behaviour, "port_scan")), 1.5));
            match n % 6 {
                1 => request.filter.push(app(some)),
                2 => request.filter.push(Clause::Between(
                    Term::ip(Kind::SrcIp, "10.1.0.0".parse().unwrap_or([0, 0, 0, 0].into())),
                    Term::ip(Kind::SrcIp, "10.1.255.255".parse().unwrap_or([0, 0, 0, 0].into())),
                )),
                3 => request.filter.push(Clause::Number {
                    of: Measure::BytesToClient,
                    min: 1 << 20,
                    max: u64::MAX,
                }),
                4 => request.should.push((Clause::Name("cdn7.example.com".into()), 0.9)),
                5 => request.filter.push(Clause::Not(Box::new(app("dns")))),
                _ => {}
            }
            request
        })
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "a benchmark owns the clock")]
fn clock() -> std::time::Instant {
    std::time::Instant::now()
}

fn ms(since: std::time::Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// Median and 99th percentile.
fn times(mut all: Vec<f64>) -> (f64, f64) {
    all.sort_by(f64::total_cmp);
    (all[all.len() / 2], all[(all.len() * 99 / 100).min(all.len() - 1)])
}

fn ask(index: &dyn Index, requests: &[Request], rounds: usize) -> (f64, f64) {
    let mut all = Vec::new();
    for _ in 0..rounds {
        for request in requests {
            let start = clock();
            let _ = black_box(index.search(request));
            all.push(ms(start));
        }
    }
    times(all)
}

#[expect(clippy::print_stdout, reason = "rows are a benchmark's output")]
fn row(name: &str, value: f64, unit: &str, peer: &str, peer_value: f64) {
    println!(
        r#"{{"name":"{name}","value":{value:.3},"unit":"{unit}","peer":"{peer}","peer_value":{peer_value:.3}}}"#
    );
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let million: u64 =
        std::env::var("EVENTS").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let dir = tempfile::tempdir()?;

    // The lines' own making is timed apart and taken off.
    let mut rng = Rng(7);
    let mut text = String::new();
    let start = clock();
    for seq in 1..=200_000 {
        line(&mut rng, seq, &mut text);
        black_box(&text);
    }
    let making = ms(start);
    let mut small = EmbeddedIndex::open(&dir.path().join("small"))?;
    let start = clock();
    fill(&mut small, 200_000);
    let embedded = ms(start) - making;
    let mut oracle = OracleIndex::new();
    let start = clock();
    fill(&mut oracle, 200_000);
    row("index 200k events", embedded / 1e3, "s", "in memory", (ms(start) - making) / 1e3);
    let requests = requests();
    let (oracle_p50, _) = ask(&oracle, &requests[..12], 1);
    drop(oracle);

    let mut index = EmbeddedIndex::open(&dir.path().join("large"))?;
    fill(&mut index, million);
    let (_, _) = ask(&index, &requests, 1);
    let (p50, p99) = ask(&index, &requests, 3);
    let scaled = oracle_p50 * 5.0;
    row("query p50", p50, "ms", "in memory, from 200k", scaled);
    row("query p99", p99, "ms", "in memory, from 200k", scaled);
    let start = clock();
    let reader = EmbeddedIndex::open_read(&dir.path().join("large"))?;
    let _ = black_box(reader.search(&requests[0])?);
    row("open and first query over 1M events", ms(start), "ms", "warm p50", p50);

    let (known, new) = packets(&dir.path().join("packets"))?;
    row("packet of a known point", known, "µs", "packet of a new point", new);

    let mut shapes = OracleIndex::new();
    let mut rng = Rng(5);
    let mut body = Vec::new();
    for id in 1..=100_000_u64 {
        #[expect(clippy::cast_precision_loss, reason = "random numbers")]
        let values: Vec<f32> =
            (0..VECTOR_DIMENSIONS).map(|_| rng.below(1000) as f32 - 500.0).collect();
        let vector = Vector::quantise(&values, Tier::Full);
        body.clear();
        ghost_event::line::shape_body(
            &mut body,
            &ghost_event::line::ShapeLine {
                id: ShapeId(id),
                tuple: "t",
                text: "t",
                glossary: 1,
                model: "m",
                vector: &vector,
            },
        );
        body.extend_from_slice(format!(",\"seq\":{id},\"prev\":\"00\"}}}}").as_bytes());
        shapes.add(&body, Position::default())?;
    }
    let query = Vector::quantise(&[1.0; VECTOR_DIMENSIONS], Tier::Full);
    let scan = (0..30)
        .map(|_| {
            let start = clock();
            black_box(shapes.shapes().nearest(&query, 10));
            ms(start)
        })
        .collect();
    let plain = (0..10)
        .map(|_| {
            let start = clock();
            let rows = shapes.shapes().iter();
            black_box(rows.map(|r| r.vector.cosine(&query)).fold(0.0, f32::max));
            ms(start)
        })
        .collect();
    row("scan of 100k vectors p50", times(scan).0, "ms", "a row at a time", times(plain).0);
    Ok(())
}
