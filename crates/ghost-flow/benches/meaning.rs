//! What meaning costs beside the flow table: behaviours by the detectors, and the anomaly score.
//!
//! `cargo bench -p ghost-flow --bench meaning -- [CAPTURE…]`; one JSON line a row. The same frames go
//! through three chains that take turns: the flow table alone, with the detectors, and with
//! detectors and scorer, joined as the daemon joins them (looks at open flows, shapes and their
//! vectors included; what it remembers of incidents besides is not). A round's costs are taken off each other, and the median of these differences
//! counts, in time on a processor, so that a busy machine disturbs them little.
//!
//! Loads: 60 packets a flow (what a packet costs), 5 packets a flow (what a flow costs), and the
//! shipped captures, attacks among them, again and again with other addresses; or those named alone.

#![expect(clippy::print_stdout, reason = "a benchmark tells its figures")]

use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::net::IpAddr;
use std::path::PathBuf;

use ghost_detect::anomaly::{Scorer, Settings, Shapes};
use ghost_detect::{Detector, Limits};
use ghost_embed::{FieldRows, ShapeCache};
use ghost_event::{Behaviours, EndReason, Features, Port, ShapeId, Timestamp, Vector};
use ghost_flow::{FlowConfig, FlowSink, FlowTable, FrameAt, Seen};
use ghost_tap::CaptureFile;
use ghost_wire::{LearnedFrom, LinkType, parse};
use hashbrown::HashMap;

const ROUNDS: usize = 11;
/// Packets of a round: long beside the ticks by which the kernel accounts for time.
const PACKETS_A_ROUND: usize = 200_000;
const S: i64 = 1_000_000_000;
const START: i64 = 1_700_000_000 * S;
/// Frames of captures that are kept in memory.
const FRAMES_MAX: usize = 300_000;

/// The shapes of the stream and their vectors, as the daemon keeps them.
#[derive(Default)]
struct Vectors {
    cache: ShapeCache,
    known: HashMap<ShapeId, Vector>,
}

impl Shapes for Vectors {
    fn cosine(&self, a: ShapeId, b: ShapeId) -> Option<f32> {
        Some(self.known.get(&a)?.cosine(self.known.get(&b)?))
    }
}

/// How far a chain goes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Chain {
    Table,
    Detectors,
    Scorer,
}

struct Judge {
    chain: Chain,
    detector: Detector,
    scorer: Scorer,
    vectors: Vectors,
    ended: u64,
    looks: u64,
    alerts: u64,
}

impl Judge {
    fn new(chain: Chain) -> Judge {
        Judge {
            chain,
            detector: Detector::new(Limits::default()),
            scorer: Scorer::new(Settings::default()),
            vectors: Vectors::default(),
            ended: 0,
            looks: 0,
            alerts: 0,
        }
    }

    fn score(&mut self, f: &Features) {
        let seen = self.vectors.cache.see(f);
        if let Some(shape) = &seen.new {
            self.vectors.known.insert(seen.id, FieldRows::embedded().embed(shape));
        }
        let scored = self.scorer.look(f, Some(seen.id), &self.vectors);
        self.looks += 1;
        self.alerts += u64::from(scored.alert);
        black_box(&scored);
    }
}

impl FlowSink for Judge {
    fn started(&mut self, flow: &Features) {
        if self.chain != Chain::Table {
            self.detector.started(flow);
        }
        if self.chain == Chain::Scorer {
            self.scorer.started(flow);
        }
    }
    fn field(&mut self, flow: &Features, path: &'static str, value: &[u8]) -> Behaviours {
        match self.chain {
            Chain::Table => Behaviours::NONE,
            _ => self.detector.field(flow, path, value),
        }
    }
    fn learned(&mut self, address: IpAddr, name: &str, _: LearnedFrom, at: Timestamp) {
        if self.chain != Chain::Table {
            self.detector.learned(address, name, "dns", at);
        }
    }
    fn packet(&mut self, flow: &Features, seen: &Seen<'_>) {
        if self.chain == Chain::Scorer && self.scorer.packet(flow, seen.to_server) {
            let mut open = flow.clone();
            open.end = EndReason::Update;
            self.detector.ended(&mut open);
            self.score(&open);
        }
    }
    fn settling(&mut self, flow: &Features) {
        if self.chain != Chain::Table {
            self.detector.settling(flow);
        }
    }
    fn ended(&mut self, mut flow: Features) {
        if self.chain != Chain::Table {
            self.detector.ended(&mut flow);
        }
        if self.chain == Chain::Scorer {
            self.score(&flow);
        }
        self.ended += 1;
        black_box(&flow);
    }
}

/// Frames and when they come, to be sent again with other clients.
struct Load {
    frames: Vec<(i64, Vec<u8>)>,
    length_ns: i64,
    flows: u32,
}

fn chains() -> [Line; 3] {
    [Chain::Table, Chain::Detectors, Chain::Scorer].map(|chain| Line {
        table: FlowTable::new(FlowConfig { idle_tcp_closed_ns: 5 * S, ..FlowConfig::default() }),
        judge: Judge::new(chain),
    })
}

struct Line {
    table: FlowTable,
    judge: Judge,
}

impl Line {
    /// The load once, as round `n`.
    fn round(&mut self, load: &Load, n: u32) {
        let base = START + i64::from(n) * load.length_ns;
        let [_, a, b, c] = n.to_be_bytes();
        let mut buffer = Vec::with_capacity(2048);
        for (at, frame) in &load.frames {
            buffer.clear();
            buffer.extend_from_slice(frame);
            if let [_, _, _, _, _, _, _, _, _, _, _, _, 8, 0, ..] = buffer.as_slice()
                && let Some(ends) = buffer.get_mut(26..34)
            {
                // Hosts come again after 16 rounds, with other ports: names and pairs are known.
                ends[1] ^= c & 15;
                ends[5] ^= c & 15;
            }
            for at in [34, 36] {
                if let Some(port) = buffer.get_mut(at..at + 2)
                    && port[0] >= 4
                {
                    port[0] ^= (c >> 4) | (b << 4) & 0x30 | a & 1;
                }
            }
            let wire_len = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
            let port = Port { bridge: 1, ifindex: 3 };
            let at = FrameAt { ts: Timestamp(base + at), wire_len, segments: 1, port };
            self.table.frame(&at, &parse(LinkType::Ethernet, &buffer), &mut self.judge);
        }
    }
}

const SYN: u8 = 2;
const ACK: u8 = 16;
const FIN: u8 = 1;
const REQUEST: &[u8] =
    b"GET /index.html HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: curl/8.5\r\n\r\n";
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100000\r\n\r\n";

/// A second of `flows` web pages of `of` packets each, `together` at a time.
fn pages(flows: u32, of: u32, together: u32) -> Load {
    let (mut frames, step, mut now) = (Vec::new(), S / i64::from(flows * of), 0);
    for first in (0..flows).step_by(together as usize) {
        for n in 0..of {
            for flow in first..(first + together).min(flows) {
                now += step;
                frames.push((now, page(flow, n, of)));
            }
        }
    }
    Load { frames, length_ns: S, flows }
}

fn page(flow: u32, n: u32, of: u32) -> Vec<u8> {
    let client = [10, 1, (flow / 100 % 100) as u8, (flow % 100) as u8];
    let server = [10, 2, 0, (flow % 200) as u8];
    let port = (1024 + flow / 10_000 % 60_000) as u16;
    let (back, flags, seq, text): (bool, u8, u32, &[u8]) = match n {
        0 => (false, SYN, 100, &[]),
        1 => (true, SYN | ACK, 900, &[]),
        2 => (false, ACK, 101, REQUEST),
        _ if n + 1 == of => (true, FIN | ACK, 901 + 100 * n, &[]),
        _ if n + 2 == of => (false, FIN | ACK, 101 + REQUEST.len() as u32, &[]),
        3 => (true, ACK, 901, ANSWER),
        _ => (true, ACK, 901 + 100 * n, &[7; 100]),
    };
    let (ends, ports) =
        if back { ([server, client], [80, port]) } else { ([client, server], [port, 80]) };
    let mut f = vec![0; 54];
    f[12] = 8;
    f[14] = 0x45;
    f[22..24].copy_from_slice(&[64, 6]);
    f[46] = 5 << 4;
    f[26..30].copy_from_slice(&ends[0]);
    f[30..34].copy_from_slice(&ends[1]);
    f[34..36].copy_from_slice(&ports[0].to_be_bytes());
    f[36..38].copy_from_slice(&ports[1].to_be_bytes());
    f[38..42].copy_from_slice(&seq.to_be_bytes());
    f[47] = flags;
    f[16..18].copy_from_slice(&(40 + text.len() as u16).to_be_bytes());
    f.extend_from_slice(text);
    f
}

/// Captures, one behind the other.
fn captures(paths: &[PathBuf]) -> Result<Load, Box<dyn Error>> {
    let (mut frames, mut base) = (Vec::new(), 0);
    for path in paths {
        let mut file = CaptureFile::open(Box::new(File::open(path)?))?;
        let (mut first, mut last) = (None, 0);
        while let Some(frame) = file.next()? {
            if LinkType::from_dlt(frame.link) != LinkType::Ethernet || frames.len() >= FRAMES_MAX {
                continue;
            }
            let begin = *first.get_or_insert(frame.ts);
            // At most a second between two: pauses are no load.
            last = (frame.ts - begin).clamp(last, last + S);
            frames.push((base + last, frame.data.to_vec()));
        }
        base += last + S;
    }
    if frames.is_empty() {
        return Err("no Ethernet frames in these captures".into());
    }
    Ok(Load { frames, length_ns: base + 60 * S, flows: 0 })
}

fn measure(name: &str, load: &Load) {
    let mut lines = chains();
    let mut n = 0;
    let repeats = u32::try_from(PACKETS_A_ROUND.div_ceil(load.frames.len())).unwrap_or(1);
    let mut turn = |lines: &mut [Line; 3]| {
        n += repeats;
        lines.each_mut().map(|line| {
            let start = on_processor_ns();
            (n - repeats..n).for_each(|n| line.round(load, n));
            (on_processor_ns() - start) as f64 / f64::from(repeats)
        })
    };
    // What was learned counts in full from here on.
    for _ in 0..4 {
        turn(&mut lines);
    }
    let ended = lines[2].judge.ended;
    let rounds: Vec<[f64; 3]> = (0..ROUNDS).map(|_| turn(&mut lines)).collect();
    let own = (lines[2].judge.ended - ended) as f64 / (ROUNDS as f64 * f64::from(repeats));
    let flows = if load.flows > 0 { f64::from(load.flows) } else { own };
    for (per, count) in [("packet", load.frames.len() as f64), ("flow", flows)] {
        let us =
            |of: fn(&[f64; 3]) -> f64| median(rounds.iter().map(|r| of(r) / count / 1e3).collect());
        let table = us(|r| r[0]);
        let row = |part: &str, value: f64| {
            println!(
                "{{\"name\":\"{name}_{part}_{per}\",\"value\":{value:.3},\"unit\":\"us/{per}\",\
                 \"peer\":\"flow table\",\"peer_value\":{table:.3}}}"
            );
        };
        row("detectors", us(|r| r[1] - r[0]));
        row("scorer", us(|r| r[2] - r[1]));
        row("meaning", us(|r| r[2] - r[0]));
    }
    let (looks, ended) = (lines[2].judge.looks as f64, lines[2].judge.ended.max(1) as f64);
    println!("{{\"name\":\"{name}_looks\",\"value\":{:.2},\"unit\":\"a flow\"}}", looks / ended);
    let alerts = lines[2].judge.alerts as f64;
    println!("{{\"name\":\"{name}_alerts\",\"value\":{:.4},\"unit\":\"a look\"}}", alerts / looks);
}

/// Of this thread, as the kernel accounts for it.
fn on_processor_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

fn median(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut named: Vec<PathBuf> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).map(PathBuf::from).collect();
    if named.is_empty() {
        measure("packets_60", &pages(1000, 60, 200));
        measure("packets_5", &pages(10_000, 5, 2000));
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/pcap");
        for entry in std::fs::read_dir(fixtures)? {
            named.push(entry?.path());
        }
        named.sort();
    }
    measure("captures", &captures(&named)?);
    Ok(())
}
