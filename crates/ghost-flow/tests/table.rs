//! The table's promises, on packets made by hand and by chance.

use std::net::{IpAddr, Ipv4Addr};

use ghost_event::{Behaviours, EndReason, Features, Subject, TcpState, Timestamp};
use ghost_flow::{Counters, FlowConfig, FlowSink, FlowTable, limits};
use ghost_wire::{Arp, Fragment, Inner, Ip, LearnedFrom, Packet, Transport};

const S: i64 = 1_000_000_000;
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;
const FIN: u8 = 0x01;
const RST: u8 = 0x04;

#[derive(Default)]
struct Records {
    started: u64,
    settled: u64,
    ended: Vec<Features>,
}

impl FlowSink for Records {
    fn started(&mut self, flow: &Features) {
        assert!(flow.packets() > 0, "a flow starts with its first packet counted");
        self.started += 1;
    }
    fn field(&mut self, _: &Features, _: &'static str, _: &[u8]) -> Behaviours {
        Behaviours::NONE
    }
    fn learned(&mut self, _: IpAddr, _: &str, _: LearnedFrom, _: Timestamp) {}
    fn settling(&mut self, _: &Features) {
        self.settled += 1;
    }
    fn ended(&mut self, flow: Features) {
        self.ended.push(flow);
    }
}

fn ip(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
}

fn packet(src: u8, dst: u8, proto: u8, transport: Transport, payload: &[u8]) -> Packet<'_> {
    Packet {
        macs: Some(([2, 0, 0, 0, 0, src], [2, 0, 0, 0, 0, dst])),
        vlans: [0; 2],
        vlan_count: 0,
        ethertype: 0x0800,
        ip: Some(Ip { src: ip(src), dst: ip(dst), proto, ttl: 64 }),
        transport,
        payload,
        payload_cut: false,
        payload_missing: 0,
        head_len: 0,
        open_end: false,
        fragment: None,
        inner: None,
        arp: None,
        malformed: false,
    }
}

fn tcp(src: (u8, u16), dst: (u8, u16), flags: u8, payload: &[u8]) -> Packet<'_> {
    let transport = Transport::Tcp { src: src.1, dst: dst.1, seq: 1, ack: 0, flags, window: 1000 };
    packet(src.0, dst.0, 6, transport, payload)
}

fn udp(src: (u8, u16), dst: (u8, u16), payload: &[u8]) -> Packet<'_> {
    packet(src.0, dst.0, 17, Transport::Udp { src: src.1, dst: dst.1 }, payload)
}

fn fragment(src: (u8, u16), dst: (u8, u16), id: u32, offset: u32, more: bool) -> Packet<'static> {
    let mut p = udp(src, dst, &[0; 8]);
    p.fragment = Some(Fragment { id, offset, more });
    if offset > 0 {
        p.transport = Transport::None;
    }
    p
}

fn arp(sender: u8, target: u8) -> Packet<'static> {
    let mut p = packet(sender, target, 0, Transport::None, &[]);
    p.ip = None;
    p.ethertype = 0x0806;
    p.arp = Some(Arp {
        operation: 1,
        sender: ip(sender),
        target: ip(target),
        sender_mac: [2, 0, 0, 0, 0, sender],
    });
    p
}

fn run(config: FlowConfig, packets: &[(i64, Packet<'_>)]) -> (Vec<Features>, Counters) {
    let (mut table, mut records) = (FlowTable::new(config), Records::default());
    for (ts, p) in packets {
        table.packet(Timestamp(*ts), 100, p, &mut records);
    }
    let live = table.counters().live;
    table.finish(EndReason::Shutdown, &mut records);
    assert_eq!(records.settled, live.max(records.settled), "all that was open is told first");
    assert_eq!(table.counters().live, 0);
    assert_eq!(records.started, records.ended.len() as u64);
    (records.ended, table.counters())
}

fn all_at_once() -> FlowConfig {
    FlowConfig { no_idle_timeout: true, ..FlowConfig::default() }
}

#[test]
fn both_directions_are_one_flow_opened_by_the_first_sender() {
    let (c, s) = ((1, 40_000), (2, 80));
    let (flows, _) = run(
        all_at_once(),
        &[
            (0, tcp(c, s, SYN, &[])),
            (S, tcp(s, c, SYN | ACK, &[])),
            (2 * S, tcp(c, s, ACK, b"hello")),
        ],
    );
    let [flow] = &*flows else { panic!("one flow") };
    assert_eq!((flow.src_ip, flow.src_port), (Some(ip(1)), 40_000));
    assert_eq!((flow.to_server.packets, flow.to_client.packets), (2, 1));
    assert_eq!((flow.to_server.bytes, flow.to_server.payload_bytes), (200, 5));
    assert_eq!(flow.tcp.unwrap().state, TcpState::Established);
    assert_eq!(flow.gaps_us.count, 2);
    assert_eq!(flow.duration_ns(), 2_000_000_000);
}

#[test]
fn a_first_packet_that_answers_does_not_make_its_sender_the_client() {
    let (c, s) = ((1, 40_000), (2, 8_123));
    let answers = tcp(s, c, SYN | ACK, &[]);
    let (flows, _) = run(all_at_once(), &[(0, answers)]);
    assert_eq!(flows[0].src_ip, Some(ip(1)), "SYN-ACK comes from the server");
    let (flows, _) = run(all_at_once(), &[(0, udp((2, 53), (1, 40_000), b"x"))]);
    assert_eq!(flows[0].src_ip, Some(ip(1)), "port 53 answers");
    assert_eq!(flows[0].src_mac.unwrap().0[5], 1, "hardware addresses follow");
    let (flows, _) = run(all_at_once(), &[(0, tcp((2, 443), (1, 40_000), ACK, b"x"))]);
    assert_eq!(flows[0].src_ip, Some(ip(1)), "picked up midway");
}

#[test]
fn quiet_ends_a_flow_by_its_protocol() {
    let (a, b) = ((1, 5_000), (2, 6_000));
    let packets = [(0, udp(a, b, b"x")), (100 * S, udp(a, b, b"x")), (300 * S, udp(a, b, b"x"))];
    let (flows, counters) = run(FlowConfig::default(), &packets);
    assert_eq!(flows.len(), 2);
    assert_eq!((flows[0].packets(), flows[0].end), (2, EndReason::Idle));
    assert_eq!((flows[1].packets(), flows[1].end), (1, EndReason::Shutdown));
    assert_eq!(counters.ended_idle, 1);
    let (flows, _) = run(all_at_once(), &packets);
    assert_eq!(flows.len(), 1, "exactly one flow a key");
}

#[test]
fn a_closed_connection_opens_anew_with_its_next_syn() {
    let (c, s) = ((1, 40_000), (2, 80));
    let packets = [
        (0, tcp(c, s, SYN, &[])),
        (1, tcp(c, s, ACK, b"x")),
        (2, tcp(c, s, FIN | ACK, &[])),
        (3, tcp(s, c, FIN | ACK, &[])),
        (S, tcp(c, s, SYN, &[])),
    ];
    let (flows, _) = run(FlowConfig::default(), &packets);
    assert_eq!(flows.len(), 2);
    assert_eq!(flows[0].end, EndReason::Closed);
    assert_eq!(run(all_at_once(), &packets).0.len(), 1, "no split by FIN");
}

#[test]
fn a_long_flow_is_reported_by_the_active_timeout_and_goes_on() {
    let (a, b) = ((1, 5_000), (2, 6_000));
    let packets: Vec<_> = (0..40).map(|i| (i * 60 * S, udp(a, b, b"x"))).collect();
    let (flows, counters) = run(FlowConfig::default(), &packets);
    assert_eq!(
        flows.iter().map(|f| (f.packets(), f.end)).collect::<Vec<_>>(),
        [(30, EndReason::Active), (10, EndReason::Shutdown),]
    );
    assert_eq!((counters.flows, counters.ended_active), (2, 1));
    assert_eq!(flows[1].src_ip, flows[0].src_ip);
    assert_eq!(flows[1].community_id, flows[0].community_id);
}

#[test]
fn updates_report_an_open_flow_without_ending_it() {
    let config = FlowConfig { updates_ns: Some(10 * S), ..FlowConfig::default() };
    let (mut table, mut records) = (FlowTable::new(config), Records::default());
    for i in 0..21 {
        let p = udp((1, 5_000), (2, 6_000), b"x");
        table.packet(Timestamp(i * S), 100, &p, &mut records);
    }
    table.finish(EndReason::Shutdown, &mut records);
    let seen: Vec<_> = records.ended.iter().map(|f| (f.end, f.packets())).collect();
    assert_eq!(seen, [(EndReason::Update, 11), (EndReason::Update, 21), (EndReason::Shutdown, 21)]);
}

#[test]
fn a_full_table_gives_up_what_was_quiet_longest() {
    let config = FlowConfig { flows_max: 3, ..FlowConfig::default() };
    let mut packets: Vec<_> =
        (0..3_u8).map(|i| (i64::from(i), udp((i, 1), (9, 2), b"x"))).collect();
    packets.push((3, udp((0, 1), (9, 2), b"x")));
    packets.push((4, udp((7, 1), (9, 2), b"x")));
    let (flows, counters) = run(config, &packets);
    assert_eq!(counters.evicted, 1);
    assert_eq!((flows[0].src_ip, flows[0].end), (Some(ip(1)), EndReason::Evicted));
    assert_eq!(counters.live_max, 3);
}

#[test]
fn fragments_join_their_datagram_in_any_order() {
    let (a, b) = ((1, 5_000), (2, 6_000));
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let pieces = [
            fragment(a, b, 7, 0, true),
            fragment(a, b, 7, 1480, true),
            fragment(a, b, 7, 2960, false),
        ];
        let packets: Vec<_> = order.iter().zip(0..).map(|(i, ts)| (ts, pieces[*i])).collect();
        let (flows, counters) = run(all_at_once(), &packets);
        let [flow] = &*flows else { panic!("one flow for order {order:?}") };
        assert_eq!((flow.src_port, flow.dst_port), (5_000, 6_000));
        assert_eq!((flow.packets(), flow.fragments, flow.bytes()), (3, 3, 300));
        assert_eq!((flow.first.0, flow.last.0), (0, 2));
        assert_eq!((flow.sizes.count, flow.gaps_us.count), (3, 2));
        assert_eq!(counters.fragments_orphaned, 0);
    }
}

#[test]
fn fragments_without_a_first_one_are_one_flow_without_ports() {
    let (a, b) = ((1, 5_000), (2, 6_000));
    let packets: Vec<_> =
        (0..5).map(|id| (i64::from(id), fragment(a, b, id, 1480, false))).collect();
    let (flows, counters) = run(all_at_once(), &packets);
    let [flow] = &*flows else { panic!("one flow") };
    assert_eq!((flow.src_port, flow.dst_port, flow.packets()), (0, 0, 5));
    assert_eq!(counters.fragments_orphaned, 5);
}

/// A question for `whole.example` and what its sender can take, in fragments of eight octets.
fn question(id: u32) -> Vec<Packet<'static>> {
    const QUESTION: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\x01\
        \x05whole\x07example\0\0\x01\0\x01\0\0\x29\x10\0\0\0\0\0\0\0";
    let mut pieces = Vec::new();
    for (at, part) in (0..).step_by(8).zip(QUESTION.chunks(8)) {
        let offset = if at == 0 { 0 } else { at + 8 };
        let more = (at as usize) + 8 < QUESTION.len();
        pieces.push(Packet { payload: part, ..fragment((1, 5_000), (2, 53), id, offset, more) });
    }
    pieces
}

#[test]
fn a_name_cut_by_fragments_is_told_in_any_order() {
    let pieces = question(9);
    let last = pieces.len() - 1;
    let mut swapped = pieces.clone();
    swapped.swap(0, last);
    let backwards: Vec<_> = pieces.iter().rev().copied().collect();
    for order in [pieces, swapped, backwards] {
        let packets: Vec<_> = (0..).zip(order).collect();
        let (flows, counters) = run(all_at_once(), &packets);
        let [flow] = &*flows else { panic!("one flow") };
        assert_eq!(flow.names.get("dns.queries.rrname"), Some("whole.example"));
        assert_eq!(flow.app, "dns");
        assert_eq!((flow.packets(), flow.fragments), (packets.len() as u64, packets.len() as u32));
        assert_eq!((counters.datagrams_dropped, counters.fragments_orphaned), (0, 0));
    }
}

#[test]
fn a_datagram_that_never_completes_is_read_when_its_time_or_its_flow_is_over() {
    let mut pieces = question(9);
    pieces.pop();
    let mut packets: Vec<_> = (0..).zip(pieces).collect();
    let named = |flows: &[Features]| {
        let flow = flows.iter().find(|f| f.dst_port == 53).unwrap();
        flow.names.get("dns.queries.rrname") == Some("whole.example")
    };
    assert!(named(&run(all_at_once(), &packets).0), "read when the table is done");
    for config in [all_at_once(), FlowConfig::default()] {
        packets.push((31 * S, udp((3, 1), (4, 2), b"x")));
        packets.push((500 * S, udp((3, 1), (4, 2), b"x")));
        let (flows, counters) = run(config, &packets);
        assert!(named(&flows));
        assert_eq!(counters.datagrams_dropped, 0);
    }
}

#[test]
fn fragments_beyond_the_room_are_counted_and_read_alone() {
    let many = limits::DATAGRAMS_MAX as u32 + 4;
    let mut packets: Vec<_> = (0..many).map(|id| (0, question(id)[0])).collect();
    packets.extend((0..many).map(|id| (1, question(id)[1])));
    let (flows, counters) = run(all_at_once(), &packets);
    let [flow] = &*flows else { panic!("one flow") };
    assert_eq!((flow.packets(), flow.fragments), (u64::from(many) * 2, many * 2));
    assert_eq!(counters.datagrams_dropped, 4);
}

#[test]
fn an_arp_scan_is_one_record_that_knows_how_many_were_asked() {
    let mut packets: Vec<_> = (2..202).map(|t| (i64::from(t), arp(1, t))).collect();
    packets.push((300, arp(2, 1)));
    let (flows, counters) = run(all_at_once(), &packets);
    assert_eq!(flows.len(), 2, "one record a sender");
    assert_eq!(flows[0].subject, Subject::Link);
    assert_eq!(flows[0].names.get("arp.targets"), Some("200"));
    assert_eq!(flows[1].names.get("arp.targets"), None);
    assert_eq!((counters.flows, counters.links), (0, 2));
}

#[test]
fn what_nothing_can_name_is_counted_and_in_no_record() {
    let mut p = udp((1, 1), (2, 2), &[]);
    (p.ip, p.macs, p.ethertype) = (None, None, 0);
    let (flows, counters) = run(all_at_once(), &[(0, p)]);
    assert!(flows.is_empty());
    assert_eq!((counters.packets, counters.unparsed, counters.bytes), (1, 1, 100));
}

#[test]
fn inner_flows_are_listed_in_their_tunnel_and_bounded() {
    let packets: Vec<_> = (0..200_u16)
        .map(|i| {
            let mut p = udp((1, 4789), (2, 4789), &[0; 40]);
            p.inner = Some(Inner {
                kind: "vxlan",
                id: Some(5),
                src: Some(ip(9)),
                dst: Some(ip(8)),
                proto: 17,
                src_port: i / 2,
                dst_port: 53,
                payload: (30, 40),
            });
            (i64::from(i), p)
        })
        .collect();
    let (flows, counters) = run(all_at_once(), &packets);
    assert_eq!(counters.flows, 1, "inner flows are not flows");
    assert_eq!(flows[0].tunnels.len(), 64);
    assert!(flows[0].tunnels.iter().all(|t| t.packets == 2 && t.id == Some(5)));
    assert_eq!(flows[0].packets(), 200);
}

#[test]
fn a_clock_that_steps_back_neither_loses_packets_nor_holds_flows_for_ever() {
    let far = 4_000_000_000 * S;
    let mut packets = vec![(0, udp((1, 1), (2, 2), b"x")), (far, udp((3, 1), (2, 2), b"x"))];
    packets.extend((1..10).map(|i| (i * 60 * S, udp((4, 1), (2, 2), b"x"))));
    let (flows, counters) = run(FlowConfig::default(), &packets);
    assert_eq!(flows.iter().map(Features::packets).sum::<u64>(), 11);
    assert_eq!(counters.clock_steps, 1);
    assert_eq!(flows[1].end, EndReason::Idle, "the flow of the false future ends");
}

#[test]
fn a_reset_alone_is_no_established_connection() {
    let (flows, _) = run(all_at_once(), &[(0, tcp((1, 4000), (2, 80), RST, &[]))]);
    assert_eq!(flows[0].tcp.unwrap().state, TcpState::Reset);
}

type Step = (u8, u8, u8, u8, u8);

/// A packet and a time out of five bytes: few addresses and ports, so that flows meet.
fn made((kind, ends, ports, flags, time): Step, clock: &mut i64) -> (i64, Packet<'static>) {
    *clock += match time {
        250.. => -7_200 * S,
        240..250 => 400 * S,
        _ => i64::from(time) * 50_000_000,
    };
    let ts = if time % 7 == 0 { *clock - 5 * S } else { *clock };
    let (src, dst) = (ends % 4, ends / 4 % 4);
    let (sport, dport) = (u16::from(ports % 4) + 52, u16::from(ports / 4 % 4) + 52);
    let payload: &[u8] = if flags % 3 == 0 { &[] } else { b"some payload of a packet" };
    let mut p = match kind % 8 {
        0..=2 => tcp((src, sport), (dst, dport), flags & 0x3f, payload),
        3 => udp((src, sport), (dst, dport), payload),
        4 => packet(src, dst, 1, Transport::Icmp { kind: flags % 19, code: 0 }, payload),
        5 => fragment(
            (src, sport),
            (dst, dport),
            u32::from(ports % 3),
            u32::from(flags % 3) * 8,
            true,
        ),
        6 => arp(src, dst),
        _ => packet(src, dst, 47, Transport::None, payload),
    };
    p.malformed = kind >= 250;
    if kind == 249 {
        (p.ip, p.arp, p.macs, p.ethertype) = (None, None, None, 0);
    }
    (ts, p)
}

fn replay(steps: &[Step], config: FlowConfig) -> Vec<Features> {
    let max = config.flows_max as u64;
    let (mut table, mut records) = (FlowTable::new(config), Records::default());
    let mut clock = 0;
    for step in steps {
        let (ts, p) = made(*step, &mut clock);
        table.packet(Timestamp(ts), 60, &p, &mut records);
    }
    table.finish(EndReason::Shutdown, &mut records);
    let counters = table.counters();
    let counted: u64 = records.ended.iter().map(Features::packets).sum();
    assert_eq!(counted + counters.unparsed, steps.len() as u64, "every packet is in one record");
    let sizes: u64 = records.ended.iter().map(|f| f.sizes.count).sum();
    assert_eq!(sizes, counted);
    let bytes: u64 = records.ended.iter().map(Features::bytes).sum();
    assert_eq!(bytes, counted * 60);
    assert_eq!(counters.packets, steps.len() as u64);
    assert_eq!(counters.flows + counters.links, records.ended.len() as u64);
    assert!(counters.live_max <= max && counters.live == 0);
    assert!(records.ended.iter().all(|f| f.first <= f.last));
    records.ended
}

#[test]
fn any_packets_are_counted_once_each_whatever_the_timeouts_and_the_room() {
    bolero::check!().with_iterations(1000).with_type::<(Vec<Step>, u8)>().for_each(
        |(steps, room)| {
            let flows_max = usize::from(*room % 12) + 1;
            replay(steps, FlowConfig { flows_max, ..FlowConfig::default() });
            let one = replay(steps, all_at_once());
            let mut keys: Vec<_> = one
                .iter()
                .map(|f| (f.community_id, f.src_mac.filter(|_| f.subject == Subject::Link)))
                .collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), one.len(), "exactly one flow a key");
        },
    );
}

#[test]
fn the_hash_seed_changes_neither_records_nor_their_order() {
    bolero::check!().with_iterations(500).with_type::<Vec<Step>>().for_each(|steps| {
        let flows_max = 5;
        let a = replay(steps, FlowConfig { flows_max, hash_seed: 1, ..FlowConfig::default() });
        let b = replay(steps, FlowConfig { flows_max, hash_seed: 99, ..FlowConfig::default() });
        assert_eq!(a, b);
    });
}

/// The table and the detectors behind it.
struct Judged {
    detector: ghost_detect::Detector,
    ended: Vec<Features>,
}

impl FlowSink for Judged {
    fn started(&mut self, flow: &Features) {
        self.detector.started(flow);
    }
    fn field(&mut self, flow: &Features, path: &'static str, value: &[u8]) -> Behaviours {
        self.detector.field(flow, path, value)
    }
    fn learned(&mut self, address: IpAddr, name: &str, _: LearnedFrom, at: Timestamp) {
        self.detector.learned(address, name, "dns", at);
    }
    fn settling(&mut self, flow: &Features) {
        self.detector.settling(flow);
    }
    fn ended(&mut self, mut flow: Features) {
        self.detector.ended(&mut flow);
        self.ended.push(flow);
    }
}

fn judged(packets: &[(i64, Packet<'_>)]) -> Behaviours {
    let detector = ghost_detect::Detector::new(ghost_detect::Limits::default());
    let mut sink = Judged { detector, ended: Vec::new() };
    let mut table = FlowTable::new(FlowConfig::default());
    for (ts, p) in packets {
        table.packet(Timestamp(*ts), 100, p, &mut sink);
    }
    table.finish(EndReason::Shutdown, &mut sink);
    sink.ended.iter().fold(Behaviours::NONE, |all, f| all.with(f.behaviours))
}

#[test]
fn false_claims_in_arp_are_heard_from_frames() {
    let answer = |mac: u8, claims: u8, to: u8| {
        let mut p = arp(mac, to);
        if let Some(arp) = &mut p.arp {
            (arp.operation, arp.sender) = (2, ip(claims));
        }
        p
    };
    let mut packets = vec![(0, arp(1, 9))];
    packets.extend((1..9).map(|i| (i * S, answer(66, 1, 9))));
    assert!(judged(&packets).contains(Behaviours::ARP_SPOOFING));
    let own: Vec<_> = (0..9).map(|i| (i * S, answer(1, 1, 9))).collect();
    assert!(judged(&own).is_empty());
}

/// A lookup of one name, or an answer with one address.
fn lookup(answer: Option<[u8; 4]>) -> Vec<u8> {
    let mut out = vec![0x12, 0x34, 1, 0, 0, 1, 0, u8::from(answer.is_some()), 0, 0, 0, 0];
    out.extend(b"\x03www\x07example\x03org\0\0\x01\0\x01");
    if let Some(address) = answer {
        out[2..4].copy_from_slice(&[0x81, 0x80]);
        out.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        out.extend(address);
    }
    out
}

#[test]
fn two_contrary_answers_to_one_lookup_are_heard_from_frames() {
    let (asked, real) = (lookup(None), lookup(Some([192, 0, 2, 1])));
    let forged = lookup(Some([203, 0, 113, 66]));
    let question = || udp((1, 40_000), (2, 53), &asked);
    let answer = |octets| udp((2, 53), (1, 40_000), octets);
    let told = judged(&[(0, question()), (1000, answer(&forged)), (2000, answer(&real))]);
    assert!(told.contains(Behaviours::DNS_SPOOFING));
    let twice = [(0, question()), (1, question()), (1000, answer(&forged)), (2000, answer(&real))];
    assert!(!judged(&twice).contains(Behaviours::DNS_SPOOFING), "it was asked twice");
}

/// An offer of a lease: who offers it, and the router and name server it tells.
fn offer(server: u8, router: u8) -> Vec<u8> {
    let mut out = vec![2, 1, 6, 0, 1, 2, 3, 4, 0, 0, 0, 0];
    out.extend([0; 4]);
    out.extend([10, 0, 0, 77]);
    out.extend([0; 8]);
    out.extend([2, 0, 0, 0, 0, 0x42]);
    out.extend([0; 10 + 64 + 128]);
    out.extend([99, 130, 83, 99, 53, 1, 2, 54, 4, 10, 0, 0, server]);
    out.extend([3, 4, 10, 0, 0, router, 6, 4, 10, 0, 0, router, 255]);
    out
}

#[test]
fn a_second_lease_server_is_heard_from_frames() {
    let (first, rogue) = (offer(1, 1), offer(66, 66));
    let standby = offer(2, 1);
    let from = |server: u8, octets| udp((server, 67), (77, 68), octets);
    let told = judged(&[(0, from(1, &first)), (S, from(66, &rogue))]);
    assert!(told.contains(Behaviours::ROGUE_DHCP));
    let told = judged(&[(0, from(1, &first)), (S, from(2, &standby))]);
    assert!(!told.contains(Behaviours::ROGUE_DHCP), "a standby tells the same router");
}
