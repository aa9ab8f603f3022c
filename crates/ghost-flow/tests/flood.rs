//! Floods: every packet is counted, few records are made, and what is answered stays itself.

use std::net::{IpAddr, Ipv4Addr};

use ghost_event::{Behaviours, EndReason, Features, Port, Proto, TcpState, Timestamp};
use ghost_flow::{FlowConfig, FlowSink, FlowTable, FrameAt, Seen};
use ghost_wire::{Fragment, Ip, LearnedFrom, LinkType, Packet, Transport, parse};

const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;
const US: i64 = 1000;
const S: i64 = 1_000_000_000;
/// Long after 1970, as packets are.
const START: i64 = 1_700_000_000 * S;
const LIMIT: u32 = 1000;

#[derive(Default)]
struct Records {
    started: u64,
    ended: Vec<Features>,
    told: u64,
}

impl FlowSink for Records {
    fn started(&mut self, _: &Features) {
        self.started += 1;
    }
    fn field(&mut self, _: &Features, _: &'static str, _: &[u8]) -> Behaviours {
        Behaviours::NONE
    }
    fn learned(&mut self, _: IpAddr, _: &str, _: LearnedFrom, _: Timestamp) {}
    fn packet(&mut self, _: &Features, seen: &Seen<'_>) {
        self.told += u64::from(seen.at.segments.max(1));
    }
    fn ended(&mut self, flow: Features) {
        self.ended.push(flow);
    }
}

impl Records {
    fn folds(&self) -> impl Iterator<Item = &Features> {
        self.ended.iter().filter(|f| f.folded.is_some())
    }
    fn plain(&self) -> impl Iterator<Item = &Features> {
        self.ended.iter().filter(|f| f.folded.is_none())
    }
    fn packets(&self) -> u64 {
        self.ended.iter().map(Features::packets).sum()
    }
}

fn live(limit: u32) -> FlowConfig {
    FlowConfig { fold_above_per_s: Some(limit), ..FlowConfig::default() }
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }
    fn address(&mut self) -> Ipv4Addr {
        let [a, b, c, d, ..] = self.next().to_be_bytes();
        Ipv4Addr::new(a % 200 + 11, b, c, d)
    }
    fn port(&mut self) -> u16 {
        self.next() as u16 | 1024
    }
}

const VICTIM: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 80);

/// A packet without payload, from its ends.
fn bare(src: (Ipv4Addr, u16), dst: (Ipv4Addr, u16), proto: u8, flags: u8) -> Packet<'static> {
    let transport = match proto {
        6 => Transport::Tcp { src: src.1, dst: dst.1, seq: 1, ack: 0, flags, window: 512 },
        1 => Transport::Icmp { kind: flags, code: 0 },
        _ => Transport::Udp { src: src.1, dst: dst.1 },
    };
    let ip = Ip { src: src.0.into(), dst: dst.0.into(), proto, ttl: 60 };
    Packet { ip: Some(ip), transport, ethertype: 0x0800, ..parse(LinkType::Ethernet, &[0; 14]) }
}

fn at(ts: i64) -> FrameAt {
    FrameAt { ts: Timestamp(START + ts), wire_len: 60, segments: 1, port: Port::default() }
}

#[test]
fn a_flood_of_random_sources_is_a_record_a_second_with_exact_counts() {
    for (proto, flags) in [(6, SYN), (6, ACK), (17, 0), (1, 8)] {
        let (mut table, mut out) = (FlowTable::new(live(LIMIT)), Records::default());
        let mut random = Random(proto.into());
        let per_s = 100_000;
        for n in 0..3 * per_s {
            let src = (random.address(), random.port());
            let p = bare(src, (VICTIM, 80), proto, flags);
            table.frame(&at(n * S / per_s), &p, &mut out);
        }
        table.finish(EndReason::Shutdown, &mut out);
        let fed = 3 * per_s.cast_unsigned();
        assert_eq!(out.packets(), fed, "{proto}: every packet is in one record");
        assert_eq!(out.plain().count(), LIMIT as usize, "{proto}: records of the first ones");
        assert!((2..=5).contains(&out.folds().count()), "{proto}: {}", out.folds().count());
        let folded: u64 = out.folds().map(|f| f.folded.as_ref().unwrap().flows).sum();
        // A source may come twice within a second.
        let unique = fed - u64::from(LIMIT);
        assert!((unique - 50..=unique).contains(&folded), "{folded} of {unique}");
        assert_eq!(table.counters().folded, folded);
        for f in out.folds() {
            let folded = f.folded.as_ref().unwrap();
            assert_eq!((f.src_ip, f.dst_ip), (None, Some(VICTIM.into())));
            assert_eq!((f.proto, f.dst_port), (Proto::Ip(proto), if proto == 1 { 0 } else { 80 }));
            let packets = f.to_server.packets;
            assert!((folded.flows..folded.flows + 50).contains(&packets));
            assert_eq!(f.to_server.bytes, packets * 60);
            assert_eq!((folded.targets, folded.ports), (1, 1));
            assert!(folded.sources.abs_diff(folded.flows) * 10 <= folded.flows, "{folded:?}");
            assert_eq!((f.sizes.count, f.sizes.min, f.sizes.max), (packets, 60, 60));
        }
        assert!(table.counters().live_max <= u64::from(LIMIT));
    }
}

#[test]
fn what_a_kernel_answers_by_itself_is_folded_with_the_flood() {
    for back in [SYN | ACK, RST | ACK] {
        let (mut table, mut out) = (FlowTable::new(live(LIMIT)), Records::default());
        let mut random = Random(3);
        let flows = 50_000;
        for n in 0..flows {
            let src = (random.address(), random.port());
            let (there, here) = (bare(src, (VICTIM, 80), 6, SYN), bare((VICTIM, 80), src, 6, back));
            table.frame(&at(n * 20 * US), &there, &mut out);
            table.frame(&at(n * 20 * US + 5 * US), &here, &mut out);
        }
        table.advance(Timestamp(START + 10 * S), &mut out);
        assert_eq!(table.next_due().map(|t| t.0 > START + 10 * S), Some(true));
        table.finish(EndReason::Shutdown, &mut out);
        assert_eq!(out.packets(), 2 * flows.cast_unsigned());
        assert_eq!(out.plain().count(), LIMIT as usize);
        let state = if back & RST != 0 { TcpState::Reset } else { TcpState::SynRecv };
        for f in out.folds() {
            let folded = f.folded.as_ref().unwrap();
            assert_eq!((f.to_server.packets, f.to_client.packets), (folded.flows, folded.flows));
            assert_eq!(f.tcp.map(|tcp| tcp.state), Some(state));
        }
    }
}

#[test]
fn who_is_answered_in_a_flood_has_a_record_of_his_own() {
    let (mut table, mut out) = (FlowTable::new(live(LIMIT)), Records::default());
    let mut random = Random(4);
    let guest = |n: i64| (Ipv4Addr::new(10, 1, (n >> 8) as u8, n as u8), 40_000);
    let (server, mut fed) = ((VICTIM, 80), 0);
    let mut feed = |ts: i64, p: &Packet<'_>| {
        table.frame(&at(ts), p, &mut out);
        fed += 1;
    };
    for n in 0..100_000 {
        let ts = n * 10 * US;
        feed(ts, &bare((random.address(), random.port()), server, 6, SYN));
        if n % 1000 == 999 {
            // Guests finish their handshakes, with a way of 200 ms there and back.
            feed(ts + 1, &bare(guest(n), server, 6, SYN));
            feed(ts + 2, &bare(server, guest(n), 6, SYN | ACK));
        }
        if n >= 20_000 && n % 1000 == 999 {
            feed(ts + 3, &bare(guest(n - 20_000), server, 6, ACK));
            let data = Packet {
                payload: b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                ..bare(guest(n - 20_000), server, 6, ACK)
            };
            feed(ts + 4, &data);
        }
    }
    table.finish(EndReason::Shutdown, &mut out);
    assert_eq!(out.packets(), fed);
    let guests: Vec<_> = out
        .plain()
        .filter(|f| f.src_ip.is_some_and(|ip| matches!(ip, IpAddr::V4(a) if a.octets()[0] == 10)))
        .collect();
    let met: Vec<_> = guests.iter().filter(|f| f.to_server.packets == 3).collect();
    assert_eq!(met.len(), 80, "of {}", guests.len());
    for f in met {
        assert_eq!(
            f.tcp.map(|t| (t.state, t.rtt_client_us)),
            Some((TcpState::Established, 200_000))
        );
        assert_eq!((f.app, f.names.get("http.hostname")), ("http", Some("a")));
    }
}

#[test]
fn a_question_in_a_flood_keeps_its_words() {
    let (mut table, mut out) = (FlowTable::new(live(10)), Records::default());
    let mut random = Random(5);
    let mut question = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    question.extend_from_slice(b"\x03www\x07example\x00\x00\x01\x00\x01");
    let server = (VICTIM, 53);
    for n in 0..1000 {
        table.frame(&at(n * US), &bare((random.address(), 999), server, 17, 0), &mut out);
    }
    let asker = (Ipv4Addr::new(10, 0, 0, 9), 5353 + 1);
    let ask = Packet { payload: &question, ..bare(asker, server, 17, 0) };
    let answer = Packet { payload: &question, ..bare(server, asker, 17, 0) };
    table.frame(&at(2000 * US), &ask, &mut out);
    table.frame(&at(2100 * US), &answer, &mut out);
    table.finish(EndReason::Shutdown, &mut out);
    let asked = out.plain().find(|f| f.src_ip == Some(asker.0.into())).expect("his own record");
    assert_eq!(asked.names.get("dns.queries.rrname"), Some("www.example"));
    assert_eq!(asked.packets(), 2);
}

#[test]
fn a_scanner_is_folded_by_its_own_address() {
    let (mut table, mut out) = (FlowTable::new(live(LIMIT)), Records::default());
    let scanner = (Ipv4Addr::new(10, 9, 9, 9), 55_555);
    for n in 0..40_000_u32 {
        let target = (Ipv4Addr::from(0x0b00_0000 + n), 443);
        table.frame(&at(i64::from(n) * 50 * US), &bare(scanner, target, 6, SYN), &mut out);
    }
    table.finish(EndReason::Shutdown, &mut out);
    assert_eq!(out.packets(), 40_000);
    let biggest = out.folds().max_by_key(|f| f.packets()).unwrap();
    assert_eq!((biggest.src_ip, biggest.dst_ip), (Some(scanner.0.into()), None));
    assert_eq!((biggest.src_port, biggest.dst_port), (55_555, 443));
    let folded = biggest.folded.as_ref().unwrap();
    assert_eq!((folded.sources, folded.ports), (1, 1));
    assert!(folded.targets.abs_diff(folded.flows) * 10 <= folded.flows);
    assert!(out.ended.len() < 2 * LIMIT as usize + 20);
}

#[test]
fn ports_tried_one_by_one_are_few_records() {
    let (mut table, mut out) = (FlowTable::new(live(LIMIT)), Records::default());
    let scanner = (Ipv4Addr::new(10, 9, 9, 9), 55_555);
    for n in 1..=60_000_u16 {
        table.frame(&at(i64::from(n) * 20 * US), &bare(scanner, (VICTIM, n), 6, SYN), &mut out);
    }
    table.finish(EndReason::Shutdown, &mut out);
    assert_eq!(out.packets(), 60_000);
    assert!(out.folds().count() <= 3 * 6, "{}", out.folds().count());
    let biggest = out.folds().max_by_key(|f| f.packets()).unwrap();
    assert_eq!((biggest.dst_ip, biggest.dst_port), (Some(VICTIM.into()), 0));
    let folded = biggest.folded.as_ref().unwrap();
    assert!(folded.ports.abs_diff(folded.flows) * 10 <= folded.flows, "{folded:?}");
}

#[test]
fn nothing_is_folded_below_the_limit_or_without_one() {
    for config in [live(LIMIT), FlowConfig::default()] {
        let folding = config.fold_above_per_s.is_some();
        let (mut table, mut out) = (FlowTable::new(config), Records::default());
        let mut random = Random(6);
        let per_s = if folding { i64::from(LIMIT) / 2 } else { 10_000 };
        for n in 0..3 * per_s {
            let p = bare((random.address(), random.port()), (VICTIM, 80), 6, SYN);
            table.frame(&at(n * S / per_s), &p, &mut out);
        }
        table.finish(EndReason::Shutdown, &mut out);
        assert_eq!((out.folds().count(), out.ended.len() as i64), (0, 3 * per_s));
        assert_eq!(out.told, 3 * per_s.cast_unsigned(), "and every packet is told");
    }
}

#[test]
fn an_answered_flow_is_never_given_up_for_one_that_is_not() {
    let config = FlowConfig { flows_max: 1600, ..live(u32::MAX / 4) };
    let (mut table, mut out) = (FlowTable::new(config), Records::default());
    let mut random = Random(7);
    let guest = |n: u16| (Ipv4Addr::new(10, 2, 0, 1), 1024 + n);
    for n in 0..1000 {
        for (a, b, flags) in [
            (guest(n), (VICTIM, 80), SYN),
            ((VICTIM, 80), guest(n), SYN | ACK),
            (guest(n), (VICTIM, 80), ACK),
        ] {
            table.frame(&at(0), &bare(a, b, 6, flags), &mut out);
        }
    }
    for n in 0..20_000 {
        let p = bare((random.address(), random.port()), (VICTIM, 81), 6, SYN);
        table.frame(&at(n * 100 * US), &p, &mut out);
    }
    let gone = out.ended.iter().filter(|f| f.dst_port == 80).count();
    assert_eq!((gone, table.counters().live), (0, 1400), "1000 guests and a quarter of strangers");
    assert_eq!(table.counters().evicted, 20_000 - 400);
    for n in 1000..3000 {
        for (a, b, flags) in [
            (guest(n), (VICTIM, 80), SYN),
            ((VICTIM, 80), guest(n), SYN | ACK),
            (guest(n), (VICTIM, 80), ACK),
        ] {
            table.frame(&at(3 * S), &bare(a, b, 6, flags), &mut out);
        }
    }
    assert!(table.counters().live <= 1600);
    let p = bare((random.address(), 5), (VICTIM, 81), 6, SYN);
    table.frame(&at(3 * S), &p, &mut out);
    assert!(out.ended.iter().filter(|f| f.dst_port == 80).count() >= 1500, "guests for guests");
}

#[test]
fn fragments_without_a_beginning_are_folded_too() {
    let (mut table, mut out) = (FlowTable::new(live(LIMIT)), Records::default());
    let mut random = Random(8);
    for n in 0..20_000_u32 {
        let src = random.address();
        let fragment = |offset, more| {
            let whole = bare((src, 9), (VICTIM, 9), 17, 0);
            let transport = if offset == 0 { whole.transport } else { Transport::None };
            Packet { fragment: Some(Fragment { id: n, offset, more }), transport, ..whole }
        };
        table.frame(&at(i64::from(n) * 50 * US), &fragment(0, true), &mut out);
        table.frame(&at(i64::from(n) * 50 * US), &fragment(1480, false), &mut out);
    }
    table.finish(EndReason::Shutdown, &mut out);
    assert_eq!(out.packets(), 40_000);
    let few = out.ended.len() <= LIMIT as usize + 20;
    assert!(few, "{} {:?}", out.folds().count(), table.counters());
}

#[test]
fn any_frames_are_counted_once_each_on_any_bridge_in_any_flood() {
    type Step = ((u8, u8, u8), (u8, u8, u16), u8);
    bolero::check!().with_type::<(Vec<Step>, u8, u8)>().with_iterations(1000).for_each(
        |(steps, limit, room)| {
            let config = FlowConfig {
                flows_max: usize::from(*room % 32) + 1,
                ..live(u32::from(*limit % 8))
            };
            let (mut table, mut out) = (FlowTable::new(config), Records::default());
            let (mut fed, mut bytes, mut now) = (0, 0, 0);
            for ((src, dst, what), (segments, port, length), wait) in steps {
                let ends = |n: &u8, port| (Ipv4Addr::new(10, 0, 0, n % 16), port);
                let port = u16::from(*port % 4);
                let proto = [6, 17, 1, 47][usize::from(what % 4)];
                let mut p = bare(ends(src, port), ends(dst, 4), proto, what >> 2 & 0x1f);
                if what & 0x80 != 0 && port == 3 {
                    let offset = u32::from(what & 8);
                    p.fragment = Some(Fragment { id: 1, offset, more: what & 4 != 0 });
                    if offset > 0 {
                        p.transport = Transport::None;
                    }
                }
                let text = [7; 64];
                p.payload = &text[..usize::from(*length % 64)];
                p.head_len = 54;
                let wire_len = 54 + u32::from(*length);
                now += i64::from(*wait) * 20_000_000;
                let port = Port { bridge: u16::from(segments >> 6), ifindex: 3 };
                let at = FrameAt {
                    ts: Timestamp(START + now),
                    wire_len,
                    segments: u16::from(segments % 8),
                    port,
                };
                let before = table.counters();
                table.frame(&at, &p, &mut out);
                fed += u64::from(at.segments.max(1));
                bytes += table.counters().bytes - before.bytes;
                assert!(table.counters().probation <= u64::from(*room % 32) / 2 + 1);
                assert!(table.counters().live <= u64::from(*room % 32) + 1);
            }
            table.finish(EndReason::Shutdown, &mut out);
            let counters = table.counters();
            assert_eq!(counters.packets, fed);
            assert_eq!(out.packets() + counters.unparsed, fed);
            assert_eq!(out.ended.iter().map(Features::bytes).sum::<u64>(), bytes);
            assert_eq!(out.plain().count() as u64, out.started);
            assert_eq!(counters.probation, 0);
            assert_eq!(table.next_due(), None);
        },
    );
}
