//! What a packet, a whole flow and a packet of a flood cost from their octets to a closed and judged
//! record, and what an open one takes.
//!
//! `cargo bench -p ghost-flow --bench flows`; one JSON line a row. Frames are made on the way, and
//! what making them costs is measured in rounds of its own between the others and taken off.
//! Figures are medians of rounds, in time on a processor, so that a busy machine disturbs them little.
//! Memory is what the process has resident, so it is measured first.

#![expect(clippy::print_stdout, reason = "a benchmark tells its figures")]

use std::hint::black_box;
use std::net::IpAddr;

use ghost_detect::{Detector, Limits};
use ghost_event::{Behaviours, Features, Port, Timestamp};
use ghost_flow::{FlowConfig, FlowSink, FlowTable, FrameAt, limits};
use ghost_wire::{LearnedFrom, LinkType, parse};

const ROUNDS: usize = 15;
const S: i64 = 1_000_000_000;
const START: i64 = 1_700_000_000 * S;

struct Judge {
    detector: Detector,
    ended: u64,
}

impl FlowSink for Judge {
    fn started(&mut self, flow: &Features) {
        self.detector.started(flow);
    }
    fn field(&mut self, flow: &Features, path: &'static str, value: &[u8]) -> Behaviours {
        self.detector.field(flow, path, value)
    }
    fn learned(&mut self, address: IpAddr, name: &str, _: LearnedFrom, at: Timestamp) {
        self.detector.learned(address, name, "dns", at);
    }
    fn ended(&mut self, mut flow: Features) {
        self.detector.ended(&mut flow);
        self.ended += 1;
        black_box(&flow);
    }
}

/// One machine under load: its table, its detectors, its clock.
struct Bench {
    table: FlowTable,
    judge: Judge,
    now: i64,
    flow: u32,
    frame: [u8; 232],
}

const SYN: u8 = 2;
const ACK: u8 = 16;
const FIN: u8 = 1;
const REQUEST: &[u8] =
    b"GET /index.html HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: curl/8.5\r\n\r\n";
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100000\r\n\r\n";

impl Bench {
    fn new(config: FlowConfig) -> Bench {
        let judge = Judge { detector: Detector::new(Limits::default()), ended: 0 };
        let mut frame = [0; 232];
        frame[12] = 8;
        frame[14] = 0x45;
        frame[22..24].copy_from_slice(&[64, 6]);
        frame[46] = 5 << 4;
        Bench { table: FlowTable::new(config), judge, now: START, flow: 0, frame }
    }

    /// The step `n` of `of` of a flow between one of 10,000 clients and one of 200 servers.
    fn frame(&mut self, flow: u32, n: u32, of: u32) -> u32 {
        let client = [10, 1, (flow / 100 % 100) as u8, (flow % 100) as u8];
        let server = [10, 2, 0, (flow % 200) as u8];
        let port = (1024 + flow / 10_000 % 60_000) as u16;
        let (back, flags, seq, text): (bool, u8, u32, &[u8]) = match n {
            0 => (false, SYN, 100, &[]),
            1 => (true, SYN | ACK, 900, &[]),
            2 => (false, ACK, 101, &[]),
            3 => (false, ACK, 101, REQUEST),
            _ if n + 1 == of => (true, FIN | ACK, 901 + 100 * n, &[]),
            _ if n + 2 == of => (false, FIN | ACK, 101 + REQUEST.len() as u32, &[]),
            4 => (true, ACK, 901, ANSWER),
            _ => (true, ACK, 901 + 100 * n, &[7; 100]),
        };
        let (ends, ports) =
            if back { ([server, client], [80, port]) } else { ([client, server], [port, 80]) };
        let f = &mut self.frame;
        f[26..30].copy_from_slice(&ends[0]);
        f[30..34].copy_from_slice(&ends[1]);
        f[34..36].copy_from_slice(&ports[0].to_be_bytes());
        f[36..38].copy_from_slice(&ports[1].to_be_bytes());
        f[38..42].copy_from_slice(&seq.to_be_bytes());
        f[47] = flags;
        f[54..54 + text.len()].copy_from_slice(text);
        let total = 40 + text.len() as u32;
        f[16..18].copy_from_slice(&(total as u16).to_be_bytes());
        14 + total
    }

    fn feed(&mut self, wire_len: u32, live: bool) {
        let at = FrameAt {
            ts: Timestamp(self.now),
            wire_len,
            segments: 1,
            port: Port { bridge: 1, ifindex: 3 },
        };
        let head = &self.frame[..wire_len as usize];
        if live {
            self.table.frame(&at, &parse(LinkType::Ethernet, head), &mut self.judge);
        } else {
            black_box(head);
        }
    }

    /// A second of traffic: `flows` new ones of `of` packets each, `together` at a time.
    fn second(&mut self, flows: u32, of: u32, together: u32, live: bool) {
        let step = S / i64::from(flows * of);
        let mut left = flows;
        while left > 0 {
            let these = together.min(left);
            for n in 0..of {
                for flow in 0..these {
                    let wire_len = self.frame(self.flow + flow, n, of);
                    self.now += step;
                    self.feed(wire_len, live);
                }
            }
            self.flow += these;
            left -= these;
        }
    }

    /// Packets of a flood: a SYN each from a source by chance.
    fn flood(&mut self, packets: u32, live: bool) {
        for n in 0..packets {
            let chance = u64::from(n ^ self.flow).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
            self.frame(0, 0, 9);
            self.frame[26..30].copy_from_slice(&chance[..4]);
            self.frame[34..36].copy_from_slice(&chance[4..6]);
            self.now += S / 800_000;
            self.feed(60, live);
        }
        self.flow = self.flow.wrapping_add(0x0123_4567);
    }
}

fn config() -> FlowConfig {
    FlowConfig {
        fold_above_per_s: Some(limits::FOLD_ABOVE_PER_S),
        idle_tcp_closed_ns: 5 * S,
        ..FlowConfig::default()
    }
}

/// Nanoseconds for each of `count` things.
fn timed(count: u32, run: impl FnOnce()) -> f64 {
    let start = on_processor_ns();
    run();
    (on_processor_ns() - start) as f64 / f64::from(count)
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

fn row(name: &str, value: f64, unit: &str) {
    println!("{{\"name\":\"{name}\",\"value\":{value:.1},\"unit\":\"{unit}\"}}");
}

fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    pages * 4096
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        // Each in a process of its own: what one frees the other would take.
        Some("named") => return memory("memory_200k_named", 6),
        _ => memory("memory_200k_bare", 3),
    }
    // 60 packets a flow, 5,000 flows a second; then 5 packets a flow, 20,000 a second.
    load("packet_300k_5k", 5000, 60, 1000, 60);
    load("flow_100k_20k", 20_000, 5, 2000, 1);
    flood("flood", config());
    // Every flow of it a record that detectors judge, as in an import.
    flood("flood_unfolded", FlowConfig { fold_above_per_s: None, ..config() });
}

/// A flood of random sources over other traffic, in nanoseconds for a packet, each of them a flow.
fn flood(name: &str, config: FlowConfig) {
    let mut bench = Bench::new(config);
    bench.second(5000, 10, 1000, true);
    bench.flood(1_600_000, true);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        with.push(timed(200_000, || bench.flood(200_000, true)));
        without.push(timed(200_000, || bench.flood(200_000, false)));
    }
    row(name, median(with) - median(without), "ns/flow");
    row(&format!("{name}_records"), bench.judge.ended as f64, "records");
}

/// A second of load at a time, in nanoseconds for one of `per` packets of a flow.
fn load(name: &str, flows: u32, of: u32, together: u32, per: u32) {
    let mut bench = Bench::new(config());
    for _ in 0..8 {
        bench.second(flows, of, together, true);
    }
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        with.push(timed(flows * per, || bench.second(flows, of, together, true)));
        without.push(timed(flows * per, || bench.second(flows, of, together, false)));
    }
    row(name, median(with) - median(without), if per == 1 { "ns/flow" } else { "ns/packet" });
}

/// Open records: of handshakes alone, and of requests and answers with their names.
fn memory(name: &str, packets: u32) {
    let before = resident();
    let mut bench = Bench::new(FlowConfig { idle_tcp_ns: 3600 * S, ..config() });
    let flows = 200_000;
    for flow in 0..flows {
        for n in 0..packets {
            bench.now += 10_000;
            let wire_len = bench.frame(flow, n, 9);
            bench.feed(wire_len, true);
        }
    }
    assert_eq!(bench.table.counters().live, u64::from(flows));
    row(name, (resident() - before) as f64 / 1e6, "MB");
    drop(bench);
}
