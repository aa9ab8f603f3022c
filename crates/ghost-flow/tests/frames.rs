//! Frames by the million, random and damaged, from their first octet to a closed record.
//!
//! `GHOSTBRIDGE_SEEDS=N` makes it N million, each from another seed; the seed is printed on failure.

use std::net::IpAddr;
use std::path::Path;

use ghost_event::{Behaviours, EndReason, Features, Timestamp};
use ghost_flow::{FlowConfig, FlowSink, FlowTable};
use ghost_wire::{LearnedFrom, LinkType};

const FRAMES: u32 = 1_000_000;

const LINKS: [LinkType; 10] = [
    LinkType::Ethernet,
    LinkType::RawIp,
    LinkType::Sll,
    LinkType::Sll2,
    LinkType::Null,
    LinkType::Loop,
    LinkType::Ppp,
    LinkType::CiscoHdlc,
    LinkType::Ieee80211,
    LinkType::Radiotap,
];

/// xorshift64*: enough to be different every time, and the same for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap()
    }
}

/// Counts what comes out.
#[derive(Default)]
struct Sum {
    packets: u64,
    bytes: u64,
}

impl FlowSink for Sum {
    fn started(&mut self, _: &Features) {}
    fn field(&mut self, _: &Features, _: &'static str, _: &[u8]) -> Behaviours {
        Behaviours::NONE
    }
    fn learned(&mut self, _: IpAddr, _: &str, _: LearnedFrom, _: Timestamp) {}
    fn ended(&mut self, flow: Features) {
        self.packets += flow.packets();
        self.bytes += flow.bytes();
    }
}

/// The Ethernet frames of the shipped classic captures.
fn real_frames() -> Vec<Vec<u8>> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/pcap"));
    let mut frames = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = std::fs::read(entry.unwrap().path()).unwrap();
        if file.get(..4) != Some(&[0xd4, 0xc3, 0xb2, 0xa1]) || file.get(20) != Some(&1) {
            continue;
        }
        let mut rest = &file[24..];
        while let Some((head, more)) = rest.split_first_chunk::<16>() {
            let len = u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize;
            let Some(frame) = more.get(..len) else { break };
            frames.push(frame.to_vec());
            rest = &more[len..];
        }
    }
    assert!(frames.len() > 1000, "the shipped captures are there");
    frames
}

#[test]
fn a_million_random_and_damaged_frames_are_each_counted_once() {
    let seeds = std::env::var("GHOSTBRIDGE_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let real = real_frames();
    for seed in 1..=seeds {
        let outcome = std::panic::catch_unwind(|| run(seed, &real));
        assert!(outcome.is_ok(), "seed {seed}");
    }
}

fn run(seed: u64, real: &[Vec<u8>]) {
    let mut random = Random(seed);
    let config = FlowConfig { flows_max: 20_000, ..FlowConfig::default() };
    let mut table = FlowTable::new(config);
    let mut sum = Sum::default();
    let mut frame = Vec::new();
    let mut now = 1_700_000_000_000_000_000_i64;
    let mut bytes = 0;
    for n in 0..FRAMES {
        frame.clear();
        let link = if n % 2 == 0 {
            let len = random.below(160);
            while frame.len() < len {
                frame.extend_from_slice(&random.next().to_le_bytes());
            }
            LINKS[random.below(LINKS.len())]
        } else {
            frame.extend_from_slice(&real[random.below(real.len())]);
            for _ in 0..random.below(4) {
                let at = random.below(frame.len());
                if let Some(octet) = frame.get_mut(at) {
                    *octet = random.next().to_le_bytes()[0];
                }
            }
            if random.below(8) == 0 {
                frame.truncate(random.below(frame.len()));
            }
            LinkType::Ethernet
        };
        now += i64::try_from(random.below(2_000_000)).unwrap();
        let wire_len = u32::try_from(frame.len()).unwrap();
        bytes += u64::from(wire_len);
        let packet = ghost_wire::parse(link, &frame);
        table.packet(Timestamp(now), wire_len, &packet, &mut sum);
    }
    table.finish(EndReason::Shutdown, &mut sum);
    let counters = table.counters();
    assert_eq!(counters.packets, u64::from(FRAMES));
    assert_eq!(counters.bytes, bytes);
    assert_eq!(sum.packets + counters.unparsed, u64::from(FRAMES), "every frame is somewhere");
    assert!(sum.bytes <= bytes);
    assert!(counters.live_max <= 20_000);
}
