//! What a tap on a bridge sees, and a capture of the same traffic does not: super-frames,
//! beginnings of frames, two bridges.

use std::net::IpAddr;
use std::path::Path;

use ghost_event::{Behaviours, EndReason, Features, Port, Timestamp};
use ghost_flow::{FlowConfig, FlowSink, FlowTable, FrameAt, Seen};
use ghost_wire::{LearnedFrom, LinkType, parse};

/// What a tap keeps of an ordinary frame.
const PREFIX: usize = 232;
const MS: i64 = 1_000_000;

#[derive(Default)]
struct Records {
    ended: Vec<Features>,
    packets: u64,
}

impl FlowSink for Records {
    fn started(&mut self, _: &Features) {}
    fn field(&mut self, _: &Features, _: &'static str, _: &[u8]) -> Behaviours {
        Behaviours::NONE
    }
    fn learned(&mut self, _: IpAddr, _: &str, _: LearnedFrom, _: Timestamp) {}
    fn packet(&mut self, flow: &Features, seen: &Seen<'_>) {
        assert!(flow.packets() > 0);
        self.packets += u64::from(seen.at.segments);
    }
    fn ended(&mut self, flow: Features) {
        self.ended.push(flow);
    }
}

/// A frame of TCP over IPv4 with time stamps.
fn tcp(back: bool, seq: u32, ack: u32, flags: u8, payload: usize) -> Vec<u8> {
    let mut frame = vec![0_u8; 66];
    let ends = if back { ([10, 0, 0, 2], [10, 0, 0, 1]) } else { ([10, 0, 0, 1], [10, 0, 0, 2]) };
    let ports: (u16, u16) = if back { (8080, 40_000) } else { (40_000, 8080) };
    frame[12..14].copy_from_slice(&[8, 0]);
    frame[14] = 0x45;
    let total = u16::try_from(52 + payload).unwrap_or(0);
    frame[16..18].copy_from_slice(&total.to_be_bytes());
    frame[22..24].copy_from_slice(&[64, 6]);
    frame[26..30].copy_from_slice(&ends.0);
    frame[30..34].copy_from_slice(&ends.1);
    frame[34..36].copy_from_slice(&ports.0.to_be_bytes());
    frame[36..38].copy_from_slice(&ports.1.to_be_bytes());
    frame[38..42].copy_from_slice(&seq.to_be_bytes());
    frame[42..46].copy_from_slice(&ack.to_be_bytes());
    frame[46..48].copy_from_slice(&[8 << 4, flags]);
    frame.resize(66 + payload, b'x');
    frame
}

const SYN: u8 = 2;
const ACK: u8 = 16;
const PSH: u8 = 8;
const FIN: u8 = 1;

fn feed(table: &mut FlowTable, out: &mut Records, at: &FrameAt, frame: &[u8]) {
    let head = &frame[..frame.len().min(PREFIX)];
    table.frame(at, &parse(LinkType::Ethernet, head), out);
}

fn at(ms: i64, frame: &[u8], segments: u16, bridge: u16) -> FrameAt {
    let wire_len = u32::try_from(frame.len()).unwrap();
    let port = Port { bridge, ifindex: 7 };
    FrameAt { ts: Timestamp(ms * MS), wire_len, segments, port }
}

/// A connection with an answer of 20,000 octets twice over, each in frames of `run` segments.
fn download(run: u32) -> (Features, u64) {
    const MSS: u32 = 1448;
    let (mut table, mut out) = (FlowTable::new(FlowConfig::default()), Records::default());
    let mut say = |ms, back, seq, ack, flags, payload: u32, segments: u32| {
        let frame = tcp(back, seq, ack, flags, payload as usize);
        let at = at(ms, &frame, u16::try_from(segments).unwrap(), 0);
        feed(&mut table, &mut out, &at, &frame);
    };
    say(0, false, 99, 0, SYN, 0, 1);
    say(1, true, 999, 100, SYN | ACK, 0, 1);
    say(2, false, 100, 1000, ACK, 0, 1);
    say(3, false, 100, 1000, ACK | PSH, 80, 1);
    for again in 0..2 {
        let mut sent = 0;
        while sent < 20_000 {
            let length = (run * MSS).min(20_000 - sent);
            say(4 + again, true, 1000 + sent, 180, ACK, length, length.div_ceil(MSS));
            sent += length;
        }
    }
    say(6, false, 180, 21_000, ACK | FIN, 0, 1);
    say(7, true, 21_000, 181, ACK | FIN, 0, 1);
    table.finish(EndReason::Shutdown, &mut out);
    let packets = table.counters().packets;
    assert_eq!(out.packets, packets, "every packet is told");
    let [flow] = &*out.ended else { panic!("one flow") };
    (flow.clone(), packets)
}

#[test]
fn super_frames_are_counted_as_the_frames_that_the_wire_carries() {
    let (plain, packets) = download(1);
    assert_eq!(packets, 6 + 2 * 14);
    for run in [2, 7, 14, 44] {
        let (offloaded, count) = download(run);
        assert_eq!(count, packets, "{run} segments a frame");
        for (a, b) in [(plain.sizes, offloaded.sizes), (plain.gaps_us, offloaded.gaps_us)] {
            assert_eq!((a.count, a.min, a.max), (b.count, b.min, b.max));
            assert!((a.mean - b.mean).abs() < 1e-6 && (a.m2 - b.m2).abs() <= a.m2 * 1e-9);
        }
        let same = Features { sizes: plain.sizes, gaps_us: plain.gaps_us, ..offloaded };
        assert_eq!(same, plain, "{run} segments a frame");
    }
    assert_eq!(plain.tcp.map(|t| t.retransmissions), Some(14));
}

/// The frames of the shipped captures that are Ethernet, in whole.
fn shipped() -> Vec<Vec<u8>> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/pcap"));
    let mut frames = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = std::fs::read(entry.unwrap().path()).unwrap();
        if file.get(..4) != Some(&[0xd4, 0xc3, 0xb2, 0xa1]) || file.get(20) != Some(&1) {
            continue;
        }
        let mut rest = &file[24..];
        while let Some((head, more)) = rest.split_first_chunk::<16>() {
            let word = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().unwrap());
            let Some((frame, behind)) = more.split_at_checked(word(8) as usize) else { break };
            if word(8) == word(12) {
                frames.push(frame.to_vec());
            }
            rest = behind;
        }
    }
    frames
}

#[test]
fn the_beginning_of_a_frame_counts_as_the_whole_and_is_not_malformed() {
    let mut cut = 0;
    for frame in shipped() {
        let (whole, head) = (
            parse(LinkType::Ethernet, &frame),
            parse(LinkType::Ethernet, &frame[..frame.len().min(PREFIX)]),
        );
        cut += usize::from(frame.len() > PREFIX);
        assert_eq!(head.malformed, whole.malformed, "{frame:02x?}");
        assert_eq!(head.transport, whole.transport);
        assert_eq!(head.fragment, whole.fragment);
        if whole.ip.is_some() {
            assert_eq!(head.payload_len(), whole.payload_len(), "{frame:02x?}");
        }
    }
    assert!(cut > 300, "{cut} frames were long enough to be cut");
}

#[test]
fn what_crosses_two_bridges_is_a_flow_of_each() {
    let (mut table, mut out) = (FlowTable::new(FlowConfig::default()), Records::default());
    for bridge in [1, 2] {
        let syn = tcp(false, 1, 0, SYN, 0);
        feed(&mut table, &mut out, &at(0, &syn, 1, bridge), &syn);
        let answer = tcp(true, 1, 2, SYN | ACK, 0);
        feed(&mut table, &mut out, &at(1, &answer, 1, bridge), &answer);
    }
    table.finish(EndReason::Shutdown, &mut out);
    let [one, two] = &*out.ended else { panic!("two flows") };
    assert_eq!((one.port.bridge, two.port.bridge), (1, 2));
    assert_eq!(one.community_id, two.community_id);
    assert_eq!((one.packets(), two.packets()), (2, 2));
}

#[test]
fn open_records_are_gone_through_in_slices() {
    let (mut table, mut out) = (FlowTable::new(FlowConfig::default()), Records::default());
    for bridge in 0..100 {
        let syn = tcp(false, 1, 0, SYN, 0);
        feed(&mut table, &mut out, &at(0, &syn, 1, bridge), &syn);
    }
    let (mut seen, mut cursor, mut slices) = (Vec::new(), Some(0), 0);
    while let Some(from) = cursor {
        cursor = table.open_flows(from, 7, &mut |flow| seen.push(flow.port.bridge));
        slices += 1;
    }
    assert_eq!(seen, (0..100).collect::<Vec<_>>());
    assert_eq!(slices, 15);
    assert_eq!(table.open_flows(5_000, 7, &mut |_| panic!("there is none")), None);
}
