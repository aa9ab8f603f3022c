//! Each behaviour on flows made by hand, and what resembles it but is not it.

use std::net::{IpAddr, Ipv4Addr};

use ghost_detect::{Detector, Limits};
use ghost_event::{
    AppBy, Behaviours, EndReason, Features, Folded, MacAddr, Names, Party, Port, Proto, Role, Side,
    Stats, Subject, Tcp, TcpState, Timestamp, Vlans, Zone,
};

const MS: i64 = 1_000_000;
const S: i64 = 1000 * MS;
const SYN: u8 = 0x02;
const SYN_ACK: u8 = 0x12;
const RST_ACK: u8 = 0x14;
const TALKED: u8 = 0x1b;

const INSIDE: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 10);
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

fn flow(first: i64, src: Ipv4Addr, dst: Ipv4Addr, ports: (u16, u16), proto: u8) -> Features {
    Features {
        subject: Subject::Flow,
        port: Port::default(),
        first: Timestamp(first),
        last: Timestamp(first),
        src_ip: Some(IpAddr::V4(src)),
        dst_ip: Some(IpAddr::V4(dst)),
        src_port: ports.0,
        dst_port: ports.1,
        proto: Proto::Ip(proto),
        icmp: None,
        src_mac: None,
        dst_mac: None,
        vlans: Vlans::default(),
        to_server: Side { packets: 1, bytes: 60, payload_bytes: 0 },
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

fn syn(first: i64, src: Ipv4Addr, dst: Ipv4Addr, ports: (u16, u16)) -> Features {
    let mut f = flow(first, src, dst, ports, 6);
    f.tcp = Some(Tcp { flags_to_server: SYN, state: TcpState::SynSent, ..Tcp::default() });
    f
}

fn session(first: i64, ports: (u16, u16), app: &'static str, (up, down): (u64, u64)) -> Features {
    let mut f = flow(first, INSIDE, OUTSIDE, ports, 6);
    f.tcp = Some(Tcp {
        flags_to_server: TALKED,
        flags_to_client: TALKED,
        state: TcpState::Closed,
        ..Tcp::default()
    });
    (f.app, f.app_by) = (app, AppBy::Signature);
    f.to_server = Side { packets: 10, bytes: up + 600, payload_bytes: up };
    f.to_client = Side { packets: 10, bytes: down + 600, payload_bytes: down };
    f.last = Timestamp(first + S);
    f
}

fn named(mut f: Features, names: &[(&'static str, &str)]) -> Features {
    f.names.pairs.extend(names.iter().map(|(path, value)| (*path, (*value).into())));
    f
}

/// Starts every flow, settles all, ends all: as the table does at the end of a capture.
fn judge(flows: Vec<Features>) -> Vec<Features> {
    let mut detector = Detector::new(Limits::default());
    feed(&mut detector, flows)
}

fn feed(detector: &mut Detector, mut flows: Vec<Features>) -> Vec<Features> {
    flows.iter().for_each(|f| detector.started(f));
    for f in &mut flows {
        for (path, value) in f.names.pairs.clone() {
            let found = detector.field(f, path, value.as_bytes());
            f.behaviours.insert(found);
        }
    }
    flows.iter().for_each(|f| detector.settling(f));
    flows.iter_mut().for_each(|f| detector.ended(f));
    flows
}

fn share(flows: &[Features], what: Behaviours) -> usize {
    flows.iter().filter(|f| f.behaviours.contains(what)).count() * 100 / flows.len().max(1)
}

#[test]
fn many_ports_of_one_target_are_a_scan_from_its_first_flow_on() {
    let flows = (0..40).map(|i| syn(i64::from(i) * 50 * MS, INSIDE, OUTSIDE, (40_000, 1 + i)));
    let flows = judge(flows.collect());
    assert_eq!(share(&flows, Behaviours::PORT_SCAN), 100);
    assert_eq!(share(&flows, Behaviours::STEALTH_SCAN), 100, "all from one port of its own");
    assert_eq!(share(&flows, Behaviours::SWEEP), 0);
}

#[test]
fn data_connections_to_many_ports_are_no_scan() {
    let flows = (0..40).map(|i| {
        session(i64::from(i) * 50 * MS, (50_000 + i, 30_000 + i), "ftp-data", (0, 90_000))
    });
    assert_eq!(share(&judge(flows.collect()), Behaviours::PORT_SCAN), 0);
}

#[test]
fn a_slow_walk_over_hours_is_not_called_a_scan() {
    let flows = (0..40).map(|i| syn(i64::from(i) * 600 * S, INSIDE, OUTSIDE, (40_000, 1 + i)));
    assert_eq!(share(&judge(flows.collect()), Behaviours::PORT_SCAN), 0);
}

#[test]
fn one_port_of_many_targets_without_answers_is_a_sweep() {
    let target = |i: u8| Ipv4Addr::new(10, 0, 0, i);
    let flows = (0..60)
        .map(|i| syn(i64::from(i) * 100 * MS, INSIDE, target(i), (40_000 + u16::from(i), 23)));
    assert_eq!(share(&judge(flows.collect()), Behaviours::SWEEP), 100);
    let answered = (0..60).map(|i| {
        let mut f =
            session(i64::from(i) * 100 * MS, (40_000 + u16::from(i), 443), "tls", (900, 9_000));
        f.dst_ip = Some(IpAddr::V4(target(i)));
        f
    });
    assert_eq!(share(&judge(answered.collect()), Behaviours::SWEEP), 0, "a browser");
}

#[test]
fn an_echo_to_many_is_a_sweep_and_to_a_few_is_monitoring() {
    let echo = |i: u8| {
        let mut f = flow(i64::from(i) * 10 * MS, INSIDE, Ipv4Addr::new(10, 0, 0, i), (0, 0), 1);
        f.icmp = Some((8, 0));
        f
    };
    assert_eq!(share(&judge((0..30).map(echo).collect()), Behaviours::SWEEP), 100);
    assert_eq!(share(&judge((0..5).map(echo).collect()), Behaviours::SWEEP), 0);
}

#[test]
fn an_arp_sender_that_asks_for_a_whole_network_scans_it() {
    let asks = |n: &str| {
        let mut f = flow(0, INSIDE, OUTSIDE, (0, 0), 0);
        (f.subject, f.proto, f.app) = (Subject::Link, Proto::Ether(0x0806), "arp");
        judge(vec![named(f, &[("arp.targets", n)])])[0].behaviours
    };
    assert!(asks("254").contains(Behaviours::ARP_SCAN));
    assert!(!asks("12").contains(Behaviours::ARP_SCAN));
}

#[test]
fn short_logins_in_numbers_are_brute_force_and_long_sessions_are_not() {
    let tries =
        (0..20).map(|i| session(i64::from(i) * 500 * MS, (40_000 + i, 22), "ssh", (2_000, 2_500)));
    assert_eq!(share(&judge(tries.collect()), Behaviours::BRUTE_FORCE), 100);
    let work =
        (0..20).map(|i| session(i64::from(i) * 500 * MS, (40_000 + i, 22), "ssh", (9_000, 90_000)));
    assert_eq!(share(&judge(work.collect()), Behaviours::BRUTE_FORCE), 0);
}

#[test]
fn refused_logins_in_numbers_are_brute_force_whatever_the_service() {
    let tries = |n: u16| {
        let flows = (0..n).map(|i| {
            named(
                session(i64::from(i) * 100 * MS, (40_000 + i, 88), "krb5", (200, 100)),
                &[("login_failed", "krb5")],
            )
        });
        share(&judge(flows.collect()), Behaviours::BRUTE_FORCE)
    };
    assert_eq!(tries(12), 100);
    assert_eq!(tries(2), 0, "a typing error");
}

#[test]
fn a_mail_program_that_fetches_often_and_a_login_that_is_granted_are_no_guessing() {
    let fetched = (0..30)
        .map(|i| session(i64::from(i) * 500 * MS, (40_000 + i, 110), "pop3", (200, 900)))
        .map(|f| named(f, &[("clear_login", "pop3")]));
    assert_eq!(share(&judge(fetched.collect()), Behaviours::BRUTE_FORCE), 0);
    let challenged = |last: &'static str| {
        let flows = (0..40).map(|i| {
            named(
                session(i64::from(i) * 500 * MS, (40_000 + i, 80), "http", (900, 900)),
                &[("http.status", "401"), ("login_failed", "http"), ("http.status", last)],
            )
        });
        share(&judge(flows.collect()), Behaviours::BRUTE_FORCE)
    };
    assert_eq!(challenged("207"), 0, "asked first, then granted");
    assert_eq!(challenged("401"), 100);
}

#[test]
fn peers_found_by_trying_are_no_sweep_while_a_third_of_them_answers() {
    let peer = |i: u8| {
        let target = Ipv4Addr::new(203, 0, 113, i);
        let ports = (40_000 + u16::from(i), 30_303);
        let at = i64::from(i) * 100 * MS;
        if i.is_multiple_of(3) {
            let mut f = session(at, ports, "", (500, 500));
            f.dst_ip = Some(IpAddr::V4(target));
            f
        } else {
            syn(at, INSIDE, target, ports)
        }
    };
    assert_eq!(share(&judge((0..60).map(peer).collect()), Behaviours::SWEEP), 0);
}

#[test]
fn syns_that_are_still_waiting_for_their_answer_are_no_sweep_yet() {
    let mut detector = Detector::new(Limits::default());
    let waiting = (0..60_u8).map(|i| {
        let ports = (40_000 + u16::from(i), 443);
        syn(i64::from(i) * MS, INSIDE, Ipv4Addr::new(203, 0, 113, i), ports)
    });
    for mut f in waiting {
        detector.started(&f);
        f.end = EndReason::Update;
        detector.ended(&mut f);
        assert!(!f.behaviours.intersects(Behaviours::SWEEP.with(Behaviours::PORT_SCAN)));
    }
}

#[test]
fn syns_of_very_many_sources_are_a_flood_and_a_busy_server_is_none() {
    let source = |i: u16| Ipv4Addr::new(203, 0, i.to_be_bytes()[0], i.to_be_bytes()[1]);
    let flows = (0..500).map(|i| syn(i64::from(i) * MS, source(i), OUTSIDE, (1_000 + i, 80)));
    let flows = judge(flows.collect());
    assert_eq!(share(&flows, Behaviours::FLOOD), 100);
    assert_eq!(share(&flows, Behaviours::PORT_SCAN), 0);
    let busy = (0..500).map(|i| {
        let mut f = session(i64::from(i) * MS, (1_000 + i, 80), "http", (300, 9_000));
        f.src_ip = Some(IpAddr::V4(source(i)));
        f
    });
    assert_eq!(share(&judge(busy.collect()), Behaviours::FLOOD), 0);
}

#[test]
fn datagrams_to_random_ports_of_one_target_are_a_flood_and_small_probes_a_scan() {
    let datagrams = |bytes: u64| {
        let flows = (0..600).map(|i| {
            let mut f = flow(i64::from(i) * MS, INSIDE, OUTSIDE, (40_000, 1 + i * 50), 17);
            f.to_server.payload_bytes = bytes;
            f
        });
        judge(flows.collect())
    };
    let flood = datagrams(1_400);
    assert_eq!(share(&flood, Behaviours::FLOOD), 100);
    assert_eq!(share(&flood, Behaviours::PORT_SCAN), 0);
    let scan = datagrams(0);
    assert_eq!(share(&scan, Behaviours::PORT_SCAN), 100);
    assert_eq!(share(&scan, Behaviours::FLOOD), 0);
}

#[test]
fn answers_of_many_servers_that_nobody_asked_are_amplification() {
    let answer = |i: u8, asked: u64| {
        let mut f = flow(i64::from(i) * MS, INSIDE, Ipv4Addr::new(203, 0, 113, i), (80, 161), 17);
        f.to_server = Side { packets: asked, bytes: 80 * asked, payload_bytes: 40 * asked };
        f.to_client = Side { packets: 3, bytes: 4_000, payload_bytes: 3_900 };
        f.app = "snmp";
        f
    };
    let unasked = judge((0..30).map(|i| answer(i, 0)).collect());
    assert_eq!(share(&unasked, Behaviours::AMPLIFICATION), 100);
    let polled = judge((0..30).map(|i| answer(i, 3)).collect());
    assert_eq!(share(&polled, Behaviours::AMPLIFICATION), 0);
}

#[test]
fn ever_new_long_names_below_one_domain_are_a_tunnel() {
    let lookups = |name: &dyn Fn(u32) -> String| {
        let flows = (0..60).map(|i| {
            let mut f = session(i64::from(i) * S, (40_000, 53), "dns", (80, 120));
            f.proto = Proto::Ip(17);
            f.tcp = None;
            named(f, &[("dns.queries.rrname", &name(i))])
        });
        judge(flows.collect())
    };
    let random = |i: u32| {
        let word = |seed: u32| format!("{:08x}", (i + seed).wrapping_mul(2_654_435_761));
        format!("{}{}{}{}.t.example.org", word(1), word(9), word(77), word(1234))
    };
    let tunnel = lookups(&random);
    assert!(share(&tunnel, Behaviours::DNS_TUNNEL) == 100);
    let pages = lookups(&|i| format!("host{i}.example.org"));
    assert_eq!(share(&pages, Behaviours::DNS_TUNNEL), 0);
    let repeated = lookups(&|i| random(i % 5));
    assert_eq!(
        share(&repeated, Behaviours::DNS_TUNNEL),
        0,
        "five long names are a content network"
    );
    let reverse = lookups(&|i| format!("{i}.0.0.10.in-addr.arpa"));
    assert_eq!(share(&reverse, Behaviours::DNS_TUNNEL), 0);
}

#[test]
fn a_steady_caller_is_a_beacon_and_a_person_or_a_known_brand_is_none() {
    let calls = |gap: &dyn Fn(i64) -> i64, sni: &str| {
        let mut at = 0;
        let flows: Vec<_> = (0..20)
            .map(|i| {
                at += gap(i);
                named(
                    session(at, (40_000 + u16::try_from(i).unwrap(), 443), "tls", (800, 3_000)),
                    &[("tls.sni", sni)],
                )
            })
            .collect();
        judge(flows)
    };
    let steady = calls(&|i| 5 * S + (i * 37 % 10) * 100 * MS, "c.example.org");
    assert_eq!(share(&steady, Behaviours::BEACON), 100);
    assert_eq!(share(&steady, Behaviours::COMMAND_AND_CONTROL), 100);
    let person = calls(&|i| (1 + i * i * 7 % 60) * S, "c.example.org");
    assert_eq!(share(&person, Behaviours::BEACON), 0);
    let updates = calls(&|_| 5 * S, "login.live.com");
    assert_eq!(share(&updates, Behaviours::BEACON), 0);
}

#[test]
fn a_large_varied_echo_is_a_tunnel_and_a_large_constant_one_is_a_ping() {
    let echo = |sizes: &dyn Fn(u64) -> u64| {
        let mut f = flow(0, INSIDE, OUTSIDE, (0, 0), 1);
        f.icmp = Some((8, 0));
        (0..100).for_each(|i| f.sizes.add(sizes(i)));
        f.to_server.packets = 50;
        f.to_client.packets = 50;
        judge(vec![f])[0].behaviours
    };
    assert!(echo(&|i| 70 + i * 131 % 1_300).contains(Behaviours::ICMP_TUNNEL));
    assert!(!echo(&|_| 1_400).contains(Behaviours::ICMP_TUNNEL));
}

#[test]
fn remote_execution_takes_in_what_the_two_hosts_said_around_it() {
    let mut call = named(
        session(30 * S, (50_000, 49_670), "dcerpc", (9_000, 9_000)),
        &[("ghost.commands", "iwbemservices.24")],
    );
    let mut logon = session(29 * S, (50_001, 88), "krb5", (1_500, 1_500));
    let later = session(900 * S, (50_002, 445), "smb", (1_500, 1_500));
    for f in [&mut call, &mut logon] {
        f.dst_ip = Some(IpAddr::V4(Ipv4Addr::new(192, 168, 0, 99)));
    }
    let flows = judge(vec![logon, call, later]);
    let lateral: Vec<_> =
        flows.iter().map(|f| f.behaviours.contains(Behaviours::LATERAL_MOVEMENT)).collect();
    assert_eq!(lateral, [true, true, false]);
}

#[test]
fn an_ssh_client_that_talks_like_a_server_tunnels_back() {
    let ssh = |up, down, packets| {
        let mut f = session(0, (40_000, 22), "ssh", (up, down));
        (f.to_server.packets, f.to_client.packets) = (packets, packets);
        f.last = Timestamp(300 * S);
        judge(vec![f])[0].behaviours.contains(Behaviours::REVERSE_SHELL)
    };
    assert!(ssh(80_000, 38_000, 500));
    assert!(!ssh(12_000, 22_000, 200), "a person types less than is printed");
    assert!(!ssh(9_000_000, 40_000, 7_000), "a copied file fills its packets");
}

#[test]
fn names_zones_roles_and_brands_are_told() {
    let mut detector = Detector::new(Limits::default());
    detector.learned(IpAddr::V4(INSIDE), "kitchen-tv", "dhcp", Timestamp(0));
    detector.learned(IpAddr::V4(INSIDE), "x.example.org", "dns", Timestamp(0));
    detector.learned(IpAddr::V4(OUTSIDE), "occ-0.nflxso.net", "dns", Timestamp(0));
    let flows = feed(
        &mut detector,
        vec![
            session(0, (40_000, 443), "tls", (800, 90_000)),
            session(S, (40_001, 53), "dns", (40, 90)),
        ],
    );
    let f = &flows[0];
    assert_eq!((f.src.zone, f.dst.zone), (Zone::Internal, Zone::Internet));
    assert_eq!((f.src.role, f.dst.role), (Role::Client, Role::NameServer));
    assert_eq!(f.src_name.as_deref(), Some("kitchen-tv"), "a device's own name stays");
    assert_eq!(f.dst_name.as_deref(), Some("occ-0.nflxso.net"));
    assert_eq!((f.brand, f.category), ("Netflix", "video streaming"));
    assert_eq!((flows[1].brand, flows[1].category), ("", "name lookup"));
}

#[test]
fn refused_and_unanswered_are_told_apart() {
    let mut refused = syn(0, INSIDE, OUTSIDE, (40_000, 81));
    refused.to_client.packets = 1;
    refused.tcp = Some(Tcp {
        flags_to_server: SYN,
        flags_to_client: RST_ACK,
        state: TcpState::Reset,
        ..Tcp::default()
    });
    let mut open = syn(0, INSIDE, OUTSIDE, (40_002, 83));
    open.to_client.packets = 1;
    open.tcp = Some(Tcp {
        flags_to_server: SYN,
        flags_to_client: SYN_ACK,
        state: TcpState::SynRecv,
        ..Tcp::default()
    });
    let flows = judge(vec![refused, syn(0, INSIDE, OUTSIDE, (40_001, 82)), open]);
    assert_eq!(flows[0].behaviours, Behaviours::REFUSED);
    assert_eq!(flows[1].behaviours, Behaviours::UNANSWERED);
    assert_eq!(flows[2].behaviours, Behaviours::NONE);
}

#[test]
fn an_update_does_not_count_a_flow_twice() {
    let mut detector = Detector::new(Limits::default());
    let mut f = syn(0, INSIDE, OUTSIDE, (40_000, 81));
    detector.started(&f);
    for _ in 0..1000 {
        f.end = EndReason::Update;
        detector.ended(&mut f);
    }
    assert!(!f.behaviours.intersects(Behaviours::FLOOD.with(Behaviours::PORT_SCAN)));
}

type Made = (u8, u8, u8, u8, u16, Vec<u8>);

#[test]
fn any_flows_have_an_answer_and_the_same_flows_the_same_one() {
    const PATHS: &[&str] = &[
        "http.url",
        "http.request_header",
        "dns.queries.rrname",
        "dns.rcodes",
        "login_failed",
        "ghost.commands",
        "ghost.objects",
        "tls.subject",
        "http.http_user_agent",
        "tls.notafter",
    ];
    const APPS: &[&str] =
        &["", "dns", "ssh", "http", "smb", "dcerpc", "rdp", "tls", "icmp", "modbus"];
    bolero::check!().with_iterations(500).with_type::<Vec<Made>>().for_each(|made| {
        let flows = || -> Vec<Features> {
            made.iter()
                .zip(0_i64..)
                .map(|((kind, ends, ports, app, size, text), i)| {
                    let proto = [1, 6, 6, 17, 17, 58, 47, 132][usize::from(kind % 8)];
                    let ip =
                        |n: u8| Ipv4Addr::new(if n.is_multiple_of(2) { 10 } else { 203 }, 0, 0, n);
                    let mut f = flow(
                        i * i64::from(*size) * MS,
                        ip(ends % 16),
                        ip(ends / 16),
                        (u16::from(*ports), u16::from(*app)),
                        proto,
                    );
                    f.app = APPS[usize::from(app % 10)];
                    f.app_by = AppBy::Signature;
                    f.to_client.packets = u64::from(size % 3);
                    f.to_client.payload_bytes = u64::from(*size) * f.to_client.packets;
                    f.to_server.payload_bytes = u64::from(*size);
                    if proto == 6 {
                        f.tcp = Some(Tcp {
                            flags_to_server: *kind,
                            flags_to_client: *ports,
                            ..Tcp::default()
                        });
                    }
                    let path = PATHS[usize::from(ports % 10)];
                    named(f, &[(path, &String::from_utf8_lossy(text))])
                })
                .collect()
        };
        let small =
            Limits { pairs_max: 4, targets_max: 4, rhythms_max: 4, domains_max: 4, names_max: 4 };
        let once = feed(&mut Detector::new(small), flows());
        let again = feed(&mut Detector::new(small), flows());
        assert_eq!(once, again);
    });
}

#[test]
fn a_flood_told_as_one_has_one_behaviour() {
    let folded = |targets, ports| Folded { flows: 50_000, sources: 1, targets, ports };
    let (src, dst) = (OUTSIDE, INSIDE);
    let told = |from_one: bool, folded: Folded| {
        let mut f = flow(0, src, dst, (0, 80), 6);
        f.to_server = Side { packets: 50_000, bytes: 3_000_000, payload_bytes: 0 };
        f.tcp = Some(Tcp { state: TcpState::SynSent, flags_to_server: 2, ..Tcp::default() });
        f.src_ip = f.src_ip.filter(|_| from_one);
        f.dst_ip = f.dst_ip.filter(|_| folded.targets == 1);
        f.folded = Some(Box::new(folded));
        let mut detector = Detector::new(Limits::default());
        detector.ended(&mut f);
        f.behaviours
    };
    assert_eq!(told(false, folded(1, 1)), Behaviours::FLOOD);
    assert_eq!(told(false, folded(1, 60_000)), Behaviours::FLOOD);
    assert_eq!(told(true, folded(1, 1)), Behaviours::FLOOD);
    assert_eq!(told(true, folded(1, 60_000)), Behaviours::PORT_SCAN);
    assert_eq!(told(true, folded(50_000, 1)), Behaviours::SWEEP);
}

/// One ARP message: operation, sender and its hardware address, target.
fn arp(detector: &mut Detector, at: i64, op: u8, from: (u8, u8), target: u8) -> Behaviours {
    let (address, mac) = from;
    let (sender, asked) = (Ipv4Addr::new(10, 0, 0, address), Ipv4Addr::new(10, 0, 0, target));
    let mut f = flow(at, sender, asked, (0, 0), 0);
    (f.subject, f.proto, f.app) = (Subject::Link, Proto::Ether(0x0806), "arp");
    let mut claim = vec![op];
    claim.extend(sender.octets());
    claim.extend([2, 0, 0, 0, 0, mac]);
    claim.extend(asked.octets());
    detector.field(&f, "arp.claims", &claim)
}

#[test]
fn an_address_claimed_again_and_again_unasked_is_spoofed() {
    let mut detector = Detector::new(Limits::default());
    arp(&mut detector, 0, 1, (1, 0x11), 9);
    let told: Vec<_> =
        (0..8).map(|i| arp(&mut detector, 10 * S + i * S, 2, (1, 0x66), 9)).collect();
    assert!(told[3].is_empty() && told[7].contains(Behaviours::ARP_SPOOFING));
}

#[test]
fn a_standby_that_takes_over_and_a_host_with_two_cards_spoof_nothing() {
    let mut detector = Detector::new(Limits::default());
    arp(&mut detector, 0, 1, (1, 0x11), 9);
    // It announces its address to everybody, a few times.
    for i in 0..8 {
        assert!(arp(&mut detector, 10 * S + i * S, 2, (1, 0x66), 1).is_empty());
    }
    // Another card answers, but only what is asked.
    for i in 0..20 {
        let at = 60 * S + i * 3 * S;
        arp(&mut detector, at, 1, (9, 0x99), 1);
        assert!(arp(&mut detector, at + MS, 2, (1, 0x77), 9).is_empty());
    }
}

/// An offer of `server` to a client, with the router and the name server that it tells.
fn offer(detector: &mut Detector, at: i64, server: u8, router: u8, names: u8) -> Behaviours {
    let mut f = flow(at, Ipv4Addr::new(10, 0, 0, server), INSIDE, (67, 68), 17);
    f.app = "dhcp";
    let mut lease = vec![2, 2, 0, 0, 0, 0, 0x42, 1, 2, 3, 4];
    for last in [server, router, names] {
        lease.extend([10, 0, 0, last]);
    }
    detector.field(&f, "dhcp.lease", &lease)
}

#[test]
fn a_second_dhcp_server_with_another_router_is_rogue_and_a_standby_is_not() {
    let mut detector = Detector::new(Limits::default());
    assert!(offer(&mut detector, 0, 1, 1, 1).is_empty());
    assert!(offer(&mut detector, 50 * MS, 2, 1, 1).is_empty(), "the same router and names");
    let told = offer(&mut detector, 90 * MS, 66, 66, 66);
    assert!(told.contains(Behaviours::ROGUE_DHCP));
    assert!(offer(&mut detector, S, 1, 1, 1).is_empty(), "the first one goes on");
}

/// A lookup's question, or an answer with addresses.
fn lookup(detector: &mut Detector, at: i64, addresses: &[[u8; 4]]) -> Behaviours {
    let mut f = flow(at, INSIDE, OUTSIDE, (50_000, 53), 17);
    f.app = "dns";
    let mut value = vec![u8::from(!addresses.is_empty()), 0x12, 0x34, 1, 2, 3, 4, 5, 6, 7, 8];
    addresses.iter().for_each(|a| value.extend(a));
    detector.field(&f, "dns.transaction", &value)
}

#[test]
fn two_answers_to_one_question_that_share_nothing_are_spoofed() {
    let (real, other, forged) = ([192, 0, 2, 1], [192, 0, 2, 2], [203, 0, 113, 66]);
    let mut detector = Detector::new(Limits::default());
    lookup(&mut detector, 0, &[]);
    assert!(lookup(&mut detector, MS, &[forged]).is_empty(), "the first is believed");
    assert!(lookup(&mut detector, 2 * MS, &[real, other]).contains(Behaviours::DNS_SPOOFING));

    let mut detector = Detector::new(Limits::default());
    lookup(&mut detector, 0, &[]);
    assert!(lookup(&mut detector, MS, &[real, other]).is_empty());
    assert!(lookup(&mut detector, 2 * MS, &[other, real]).is_empty(), "the same, seen twice");

    let mut detector = Detector::new(Limits::default());
    lookup(&mut detector, 0, &[]);
    lookup(&mut detector, S, &[]);
    assert!(lookup(&mut detector, S + MS, &[real]).is_empty());
    assert!(lookup(&mut detector, S + 2 * MS, &[other]).is_empty(), "asked twice");
}

#[test]
fn a_host_that_answers_to_every_local_name_poisons_them() {
    let mut detector = Detector::new(Limits::default());
    let told: Vec<_> = ["wpad", "fileserver", "printr", "intranet", "sharepoint"]
        .iter()
        .enumerate()
        .map(|(i, name)| {
            let mut f = flow(i64::try_from(i).unwrap() * S, INSIDE, OUTSIDE, (5355, 50_000), 17);
            f.app = "llmnr";
            detector.field(&f, "dns.answers", format!("{name}=10.0.0.66").as_bytes())
        })
        .collect();
    assert!(told[0].is_empty() && told[4].contains(Behaviours::DNS_SPOOFING));
    let mut detector = Detector::new(Limits::default());
    for i in 0..9 {
        let mut f = flow(i * S, INSIDE, OUTSIDE, (5355, 50_000), 17);
        f.app = "llmnr";
        assert!(detector.field(&f, "dns.answers", b"desktop-7=10.0.0.7").is_empty());
    }
}

fn router(first: i64, mac: u8) -> Features {
    let mut f = flow(first, INSIDE, OUTSIDE, (0, 0), 58);
    f.src_ip = Some(IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, u16::from(mac)]));
    f.dst_ip = Some(IpAddr::from([0xff02, 0, 0, 0, 0, 0, 0, 1]));
    (f.icmp, f.app) = (Some((134, 0)), "icmpv6");
    f.src_mac = Some(MacAddr([2, 0, 0, 0, 0, mac]));
    f
}

#[test]
fn a_second_router_after_an_hour_of_one_is_rogue_and_two_from_the_start_are_not() {
    let mut flows: Vec<Features> = (0..10).map(|i| router(i * 600 * S, 1)).collect();
    flows.push(router(5500 * S, 0x66));
    let told = judge(flows);
    let rogue = told.iter().filter(|f| f.behaviours.contains(Behaviours::ROGUE_ROUTER));
    assert_eq!(rogue.map(|f| f.src_mac).collect::<Vec<_>>(), [told[10].src_mac]);
    let two = (0..20).map(|i| router(i * 300 * S, u8::try_from(i % 2).unwrap()));
    assert_eq!(share(&judge(two.collect()), Behaviours::ROGUE_ROUTER), 0);
    let many = (0..40).map(|i| router(i64::from(i) * 100 * MS, i));
    assert_eq!(share(&judge(many.collect()), Behaviours::ROGUE_ROUTER), 100, "a flood of routers");
}

/// Lookups of names that do not exist.
fn missing(names: &[&str]) -> Vec<Features> {
    let lookups = names.iter().enumerate().map(|(i, name)| {
        let i = u16::try_from(i).unwrap();
        let mut f = flow(i64::from(i) * S, INSIDE, OUTSIDE, (40_000 + i, 53), 17);
        (f.app, f.app_by) = ("dns", AppBy::Signature);
        f.to_client.packets = 1;
        named(f, &[("dns.queries.rrname", name), ("dns.rcodes", "NXDOMAIN")])
    });
    judge(lookups.collect())
}

#[test]
fn many_missing_names_of_random_letters_are_generated_and_words_are_not() {
    let made = [
        "xkqjvwzpra.com",
        "pqzvtxkwjb.net",
        "hgfqwzxcvk.org",
        "zxnvbqwkjt.com",
        "wqkzjxvbnm.info",
        "qjzkxwvbpt.biz",
        "vkwqzxjhgf.com",
        "bzqxkjvwmn.net",
        "tqxzvkjwrp.org",
        "jkxqvzwbtn.com",
        "kzqwxvjbtp.net",
        "xvqzjkwtbn.org",
    ];
    assert!(share(&missing(&made), Behaviours::GENERATED_NAMES) >= 90);
    let words = [
        "bluewater.com",
        "greenhouse.net",
        "mountainview.org",
        "silverstone.com",
        "riverside.info",
        "northwind.biz",
        "sunflower.com",
        "blackboard.net",
        "whitelabel.org",
        "goldfinger.com",
        "redcarpet.net",
        "firewood.org",
    ];
    assert_eq!(share(&missing(&words), Behaviours::GENERATED_NAMES), 0);
}

#[test]
fn a_device_is_new_after_a_day_of_learning_and_not_before() {
    const HOUR: i64 = 3600 * S;
    let from = |mac: u8, at: i64| {
        let mut f = session(at, (40_000, 443), "tls", (900, 9_000));
        f.src_mac = Some(MacAddr([2, 0, 0, 0, 0, mac]));
        f
    };
    // One after the other, as they come.
    let told = |flows: Vec<Features>| -> Vec<Option<MacAddr>> {
        let mut detector = Detector::new(Limits::default());
        let told = flows.into_iter().flat_map(|f| feed(&mut detector, vec![f]));
        let new = told.filter(|f| f.behaviours.contains(Behaviours::NEW_DEVICE));
        new.map(|f| f.src_mac).collect()
    };
    let mut flows: Vec<Features> = (0..30).map(|h| from(1, h * HOUR)).collect();
    flows.insert(2, from(2, HOUR + S));
    let late = from(3, 29 * HOUR + S);
    flows.push(late.clone());
    assert_eq!(told(flows), [late.src_mac]);
    let joined = vec![from(1, 0), from(1, 9000 * HOUR), from(2, 9000 * HOUR + S)];
    assert!(told(joined).is_empty(), "captures of a year apart are no year of learning");
}

#[test]
fn a_port_that_a_known_server_never_answered_is_a_new_service() {
    const HOUR: i64 = 3600 * S;
    let server = Ipv4Addr::new(10, 0, 0, 5);
    let to = |port: u16, at: i64| {
        let mut f = session(at, (50_000, port), "http", (900, 9_000));
        f.dst_ip = Some(IpAddr::V4(server));
        f
    };
    let mut detector = Detector::new(Limits::default());
    let mut told = Vec::new();
    for f in (0..30).map(|h| to(80, h * HOUR)).chain([to(8080, 30 * HOUR), to(45_000, 31 * HOUR)]) {
        told.extend(feed(&mut detector, vec![f]));
    }
    let new = told.iter().filter(|f| f.behaviours.contains(Behaviours::NEW_SERVICE));
    assert_eq!(new.map(|f| f.dst_port).collect::<Vec<_>>(), [8080]);
}

#[test]
fn an_hour_at_which_a_device_was_never_awake_is_unusual_after_a_week() {
    const HOUR: i64 = 3600 * S;
    let at = |day: i64, hour: i64| {
        let mut f = session((day * 24 + hour) * HOUR, (40_000, 443), "tls", (900, 9_000));
        f.src_mac = Some(MacAddr([2, 0, 0, 0, 0, 1]));
        f
    };
    let mut detector = Detector::new(Limits::default());
    let mut told = Vec::new();
    let office = (0..9).flat_map(|day| (8..18).map(move |hour| (day, hour)));
    for (day, hour) in [(1, 3)].into_iter().chain(office).chain([(9, 9), (9, 18), (9, 23)]) {
        told.extend(feed(&mut detector, vec![at(day, hour)]));
    }
    let odd = told.iter().filter(|f| f.behaviours.contains(Behaviours::UNUSUAL_TIME));
    let hours: Vec<i64> = odd.map(|f| f.first.0 / HOUR).collect();
    assert_eq!(hours, [9 * 24 + 23], "an hour beside a usual one is usual, too");
}

#[test]
fn a_device_plays_the_part_that_it_names_itself_by() {
    let mut detector = Detector::new(Limits::default());
    let (printer, pc) = (Ipv4Addr::new(10, 0, 0, 7), Ipv4Addr::new(10, 0, 0, 8));
    detector.learned(IpAddr::V4(printer), "NPI3A7F11", "dhcp", Timestamp(0));
    detector.learned(IpAddr::V4(OUTSIDE), "printer.example.org", "dns", Timestamp(0));
    // A lease request has no address yet; what it says is the device's own.
    let mut request = flow(0, Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST, (68, 67), 17);
    request.app = "dhcp";
    request.src_mac = Some(MacAddr([2, 0, 0, 0, 0, 8]));
    let request = named(request, &[("dhcp.vendor_class", "MSFT 5.0"), ("dhcp.types", "discover")]);
    feed(&mut detector, vec![request]);
    let mut asks = session(S, (50_000, 631), "tls", (500, 500));
    (asks.src_ip, asks.dst_ip) = (Some(IpAddr::V4(pc)), Some(IpAddr::V4(printer)));
    asks.src_mac = Some(MacAddr([2, 0, 0, 0, 0, 8]));
    let told = feed(&mut detector, vec![asks, session(S, (50_001, 443), "tls", (500, 500))]);
    assert_eq!((told[0].src.role, told[0].dst.role), (Role::Workstation, Role::Printer));
    assert_eq!(told[1].dst.role, Role::Server, "a name of the internet says nothing");
}
