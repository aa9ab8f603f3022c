//! `parse` on frames built byte by byte: each link layer, header and tunnel, whole and damaged.

#![expect(clippy::print_stdout, reason = "tells which row of a table failed")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ghost_wire::{Fragment, LinkType, Packet, Transport, parse};

const CLIENT: [u8; 4] = [10, 0, 0, 1];
const SERVER: [u8; 4] = [192, 0, 2, 7];
const PAYLOAD: &[u8] = b"payload";

fn v4(proto: u8, body: &[u8]) -> Vec<u8> {
    v4_with(proto, &[], 0, body)
}

fn v4_with(proto: u8, options: &[u8], place: u16, body: &[u8]) -> Vec<u8> {
    let header = 20 + options.len();
    let total = ((header + body.len()) as u16).to_be_bytes();
    let [p0, p1] = place.to_be_bytes();
    let first = 0x40 | (header / 4) as u8;
    let mut bytes = vec![first, 0, total[0], total[1], 0xab, 0xcd, p0, p1, 64, proto, 0, 0];
    bytes.extend(CLIENT);
    bytes.extend(SERVER);
    bytes.extend(options);
    bytes.extend(body);
    bytes
}

fn v6(next: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16).to_be_bytes();
    let mut bytes = vec![0x60, 0, 0, 0, length[0], length[1], next, 63];
    bytes.extend(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).octets());
    bytes.extend(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2).octets());
    bytes.extend(body);
    bytes
}

fn udp(src: u16, dst: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for value in [src, dst, 8 + payload.len() as u16, 0] {
        bytes.extend(value.to_be_bytes());
    }
    bytes.extend(payload);
    bytes
}

fn tcp(src: u16, dst: u16, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = [src.to_be_bytes(), dst.to_be_bytes()].concat();
    bytes.extend([0, 0, 0, 9, 0, 0, 0, 8, (5 + options.len() as u8 / 4) << 4, 0x18, 1, 0]);
    bytes.extend([0; 4]);
    bytes.extend(options);
    bytes.extend(payload);
    bytes
}

fn ether(kind: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    bytes.extend(kind.to_be_bytes());
    bytes.extend(body);
    bytes
}

/// The packet that nearly all of these frames carry.
fn dns() -> Vec<u8> {
    v4(17, &udp(4_000, 53, PAYLOAD))
}

fn is_dns(packet: &Packet<'_>) {
    let ip = packet.ip.expect("an IP header");
    assert_eq!((ip.src, ip.dst), (IpAddr::from(CLIENT), IpAddr::from(SERVER)), "{packet:?}");
    assert_eq!((ip.proto, ip.ttl), (17, 64));
    assert_eq!(packet.transport, Transport::Udp { src: 4_000, dst: 53 });
    assert_eq!(packet.payload, PAYLOAD);
    assert!(!packet.malformed && !packet.payload_cut, "{packet:?}");
}

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

#[test]
fn every_link_type_reaches_the_same_packet() {
    let wifi = |flags: u8, subtype: u8, more: &[u8]| {
        let mut bytes = vec![0x08 | subtype << 4, flags, 0, 0];
        for address in 1..=3 {
            bytes.extend([2, 0, 0, 0, 0, address]);
        }
        bytes.extend([0, 0]);
        bytes.extend(more);
        bytes.extend(b"\xaa\xaa\x03\0\0\0\x08\0");
        bytes.extend(dns());
        bytes
    };
    let dns = &dns();
    let ppp = joined(&[&[0x00, 0x21], dns]);
    let rows: Vec<(&str, u32, Vec<u8>)> = vec![
        ("ethernet", 1, ether(0x0800, dns)),
        ("padded", 1, joined(&[&ether(0x0800, dns), &[0; 30]])),
        ("raw", 101, dns.clone()),
        ("raw v4", 228, dns.clone()),
        ("cooked", 113, joined(&[&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0], dns])),
        ("cooked 2", 276, joined(&[&[8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6], &[0; 8], dns])),
        ("null, little-endian", 0, joined(&[&[2, 0, 0, 0], dns])),
        ("null, big-endian", 0, joined(&[&[0, 0, 0, 2], dns])),
        ("loop", 108, joined(&[&[0, 0, 0, 2], dns])),
        ("ppp", 9, ppp.clone()),
        ("ppp in hdlc", 9, joined(&[&[0xff, 0x03], &ppp])),
        ("ppp, short protocol", 9, joined(&[&[0x21], dns])),
        ("ppp serial", 50, joined(&[&[0xff, 0x03], &ppp])),
        ("cisco on a ppp serial line", 50, joined(&[&[0x0f, 0, 8, 0], dns])),
        ("ppp over ethernet", 51, {
            let length = (ppp.len() as u16).to_be_bytes();
            joined(&[&[0x11, 0, 0, 1], &length, &ppp])
        }),
        ("ppp with direction", 166, joined(&[&[1], &ppp])),
        ("cisco hdlc", 104, joined(&[&[0x0f, 0, 8, 0], dns])),
        ("frame relay", 107, joined(&[&[0x18, 0x41, 0x03, 0xcc], dns])),
        ("frame relay, snap", 107, joined(&[&[0x18, 0x41, 3, 0, 0x80, 0, 0, 0, 8, 0], dns])),
        ("wifi", 105, wifi(1, 0, &[])),
        ("wifi, qos", 105, wifi(1, 8, &[0, 0])),
        ("wifi, four addresses", 105, wifi(3, 0, &[2, 0, 0, 0, 0, 4])),
        ("wifi, all of it", 105, wifi(0x83, 8, &[2, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0])),
        ("radiotap", 127, joined(&[&[0, 0, 8, 0, 0, 0, 0, 0], &wifi(2, 0, &[])])),
        ("radiotap, padded header", 127, {
            let radiotap = [0, 0, 9, 0, 2, 0, 0, 0, 0x20];
            joined(&[&radiotap, &wifi(2, 8, &[0, 0, 0, 0])])
        }),
        ("radiotap, time and two words", 127, {
            let head = [0, 0, 25, 0, 3, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0];
            joined(&[&head, &[0; 8], &[0x20], &wifi(2, 8, &[0, 0, 0, 0])])
        }),
        ("ppi", 192, joined(&[&[0, 0, 8, 0, 105, 0, 0, 0], &wifi(2, 0, &[])])),
    ];
    for (name, number, frame) in rows {
        println!("{name}");
        is_dns(&parse(LinkType::from_dlt(number), &frame));
    }
}

#[test]
fn every_encapsulation_of_ethernet_reaches_the_same_packet() {
    let dns = &dns();
    let whole = &ether(0x0800, dns);
    let length = |bytes: &[u8]| bytes.len() as u16;
    let snap = joined(&[b"\xaa\xaa\x03\0\0\0\x08\0", dns]);
    let ppp = joined(&[&[0x00, 0x21], dns]);
    let rows: Vec<(&str, Vec<u8>, &[u16], u16)> = vec![
        ("vlan", ether(0x8100, &joined(&[&[0x20, 5, 8, 0], dns])), &[5], 0x0800),
        (
            "802.1ad",
            ether(0x88a8, &joined(&[&[0x0f, 0xff, 0x81, 0, 0, 7, 8, 0], dns])),
            &[4095, 7],
            0x0800,
        ),
        (
            "three tags, of which two are kept",
            ether(0x9100, &joined(&[&[0, 1, 0x81, 0, 0, 2, 0x81, 0, 0, 3, 8, 0], dns])),
            &[1, 2],
            0x0800,
        ),
        ("snap", ether(length(&snap), &snap), &[], 0x0800),
        ("mpls", ether(0x8847, &joined(&[&[0, 1, 0, 9, 0, 2, 1, 9], dns])), &[], 0x8847),
        (
            "pseudo-wire with control word",
            ether(0x8847, &joined(&[&[0, 1, 1, 9, 0, 0, 0, 0], whole])),
            &[],
            0x0800,
        ),
        ("pseudo-wire without", ether(0x8847, &joined(&[&[0, 1, 1, 9], whole])), &[], 0x0800),
        (
            "pppoe",
            ether(0x8864, &joined(&[&[0x11, 0, 0, 1], &length(&ppp).to_be_bytes(), &ppp])),
            &[],
            0x8864,
        ),
        ("bridged", ether(0x6558, whole), &[], 0x0800),
        ("provider backbone", ether(0x88e7, &joined(&[&[0, 0, 0, 9], whole])), &[], 0x0800),
        ("macsec", ether(0x88e5, &joined(&[&[0, 0, 0, 0, 0, 1, 8, 0], dns])), &[], 0x0800),
    ];
    for (name, frame, vlans, ethertype) in rows {
        println!("{name}");
        let packet = parse(LinkType::Ethernet, &frame);
        is_dns(&packet);
        assert_eq!(packet.vlans[..usize::from(packet.vlan_count)], *vlans);
        assert_eq!(packet.ethertype, ethertype);
        assert_eq!(packet.macs, Some(([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])));
    }
}

#[test]
fn frames_without_ip_say_what_they_are() {
    let stp = ether(38, &joined(&[&[0x42, 0x42, 3], &[0; 35], &[9; 8]]));
    let packet = parse(LinkType::Ethernet, &stp);
    assert_eq!((packet.ethertype, packet.payload.len()), (0x42, 35));
    let cdp = ether(9, &[0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0, 2]);
    let packet = parse(LinkType::Ethernet, &cdp);
    assert_eq!((packet.ethertype, packet.payload), (0xaa, [0, 0, 0x0c, 0x20, 0, 2].as_slice()));
    let novell = ether(40, &[0xff; 40]);
    let packet = parse(LinkType::Ethernet, &novell);
    assert_eq!((packet.ethertype, packet.malformed), (0x0100, false));
    let lldp = ether(0x88cc, &[2, 7]);
    let packet = parse(LinkType::Ethernet, &lldp);
    assert_eq!((packet.ethertype, packet.payload), (0x88cc, [2, 7].as_slice()));
    let discovery = ether(0x8863, &[0x11, 9, 0, 0, 0, 0]);
    assert_eq!(parse(LinkType::Ethernet, &discovery).payload.len(), 6);
    let packet = parse(LinkType::Other(250), b"anything");
    assert_eq!((packet.payload, packet.malformed), (b"anything".as_slice(), false));
    let mut protected = vec![0x08, 0x41];
    protected.resize(60, 0);
    let packet = parse(LinkType::Ieee80211, &protected);
    assert!(packet.ip.is_none() && packet.macs.is_some() && !packet.malformed);
}

#[test]
fn arp_tells_both_addresses() {
    let mut body = vec![0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 9];
    body.extend(CLIENT);
    body.extend([0; 6]);
    body.extend(SERVER);
    body.extend([0; 18]);
    let frame = ether(0x0806, &body);
    let packet = parse(LinkType::Ethernet, &frame);
    let arp = packet.arp.expect("an ARP message");
    assert_eq!(arp.operation, 2);
    assert_eq!((arp.sender, arp.target), (IpAddr::from(CLIENT), IpAddr::from(SERVER)));
    assert_eq!(arp.sender_mac, [2, 0, 0, 0, 0, 9]);
    assert!(parse(LinkType::Ethernet, &frame[..30]).malformed);
}

#[test]
fn ipv4_is_cut_at_its_own_length_and_options_are_passed() {
    let frame = v4_with(6, &[1; 8], 0, &tcp(80, 9, &[1; 12], PAYLOAD));
    let packet = parse(LinkType::RawIp, &frame);
    let (seq, ack, flags, window) = (9, 8, 0x18, 256);
    assert_eq!(packet.transport, Transport::Tcp { src: 80, dst: 9, seq, ack, flags, window });
    assert_eq!(packet.payload, PAYLOAD);
    // A super-frame has no length.
    let mut offload = dns();
    offload[2..4].fill(0);
    is_dns(&parse(LinkType::RawIp, &offload));
    let mut longer = dns();
    longer[3] += 4;
    let packet = parse(LinkType::RawIp, &longer);
    assert!(packet.payload_cut && !packet.malformed);
    let mut contradiction = dns();
    contradiction[3] = 19;
    let packet = parse(LinkType::RawIp, &contradiction);
    assert!(packet.malformed && packet.ip.is_none());
}

#[test]
fn fragments_keep_their_place_and_only_the_first_has_ports() {
    let body = udp(4_000, 53, &[7; 100]);
    let first = v4_with(17, &[], 0x2000, &body[..64]);
    let packet = parse(LinkType::RawIp, &first);
    assert_eq!(packet.fragment, Some(Fragment { id: 0xabcd, offset: 0, more: true }));
    assert_eq!(packet.transport, Transport::Udp { src: 4_000, dst: 53 });
    let last = v4_with(17, &[], 8, &body[64..]);
    let packet = parse(LinkType::RawIp, &last);
    assert_eq!(packet.fragment, Some(Fragment { id: 0xabcd, offset: 64, more: false }));
    assert_eq!((packet.transport, packet.payload), (Transport::None, &body[64..]));

    let first = v6(44, &joined(&[&[17, 0, 0, 1, 0, 0, 1, 2], &body[..64]]));
    let packet = parse(LinkType::RawIp, &first);
    assert_eq!(packet.fragment, Some(Fragment { id: 0x102, offset: 0, more: true }));
    assert_eq!(packet.transport, Transport::Udp { src: 4_000, dst: 53 });
    let last = v6(44, &joined(&[&[17, 0, 0, 64, 0, 0, 1, 2], &body[64..]]));
    let packet = parse(LinkType::RawIp, &last);
    assert_eq!(packet.fragment, Some(Fragment { id: 0x102, offset: 64, more: false }));
    assert_eq!((packet.transport, packet.ip.map(|ip| ip.proto)), (Transport::None, Some(17)));
    // A fragment header on a whole datagram makes no fragment of it.
    let whole = v6(44, &joined(&[&[17, 0, 0, 0, 0, 0, 1, 2], &body]));
    assert_eq!(parse(LinkType::RawIp, &whole).fragment, None);
}

#[test]
fn ipv6_extension_headers_are_walked_to_the_transport() {
    let body = udp(4_000, 53, PAYLOAD);
    let chain = joined(&[
        &[43, 0, 1, 4, 0, 0, 0, 0],
        &[60, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[135, 0, 1, 4, 0, 0, 0, 0],
        &[17, 0, 0, 0, 0, 0, 0, 0],
        &body,
    ]);
    let frame = v6(0, &chain);
    let packet = parse(LinkType::RawIp, &frame);
    assert_eq!(packet.ip.map(|ip| (ip.proto, ip.ttl)), Some((17, 63)));
    assert_eq!(packet.transport, Transport::Udp { src: 4_000, dst: 53 });
    assert_eq!(packet.payload, PAYLOAD);
    for (next, body) in [(59, vec![]), (50, vec![1; 40]), (51, vec![17; 40]), (103, vec![2; 9])] {
        let frame = v6(next, &body);
        let packet = parse(LinkType::RawIp, &frame);
        assert_eq!(packet.ip.map(|ip| ip.proto), Some(next));
        assert_eq!((packet.transport, packet.malformed), (Transport::None, false));
    }
    assert!(parse(LinkType::RawIp, &v6(0, &[6, 9, 0])).malformed);
}

#[test]
fn a_jumbogram_is_cut_at_its_jumbo_length() {
    let body = udp(4_000, 53, PAYLOAD);
    let total = (8 + body.len() as u32).to_be_bytes();
    let mut frame = v6(0, &joined(&[&[17, 0, 0xc2, 4], &total, &body, b"padding"]));
    frame[4..6].fill(0);
    let packet = parse(LinkType::RawIp, &frame);
    assert_eq!((packet.payload, packet.payload_cut), (PAYLOAD, false));
}

#[test]
fn other_transports_tell_what_they_have() {
    let sctp = v4(132, &joined(&[&[0, 9, 0, 10], &[0; 8], PAYLOAD]));
    let packet = parse(LinkType::RawIp, &sctp);
    assert_eq!((packet.transport, packet.payload), (Transport::Sctp { src: 9, dst: 10 }, PAYLOAD));
    let icmp = v4(1, &joined(&[&[3, 1, 0, 0, 0, 0, 0, 0], PAYLOAD]));
    let packet = parse(LinkType::RawIp, &icmp);
    let expected = Transport::Icmp { kind: 3, code: 1 };
    assert_eq!((packet.transport, packet.payload), (expected, PAYLOAD));
    let echo = v6(58, &joined(&[&[128, 0, 0, 0, 0, 0, 0, 0], PAYLOAD]));
    let expected = Transport::Icmp { kind: 128, code: 0 };
    assert_eq!(parse(LinkType::RawIp, &echo).transport, expected);
    let igmp = v4_with(2, &[0x94, 4, 0, 0], 0, &[0x16, 0, 0, 0, 224, 0, 0, 5]);
    let packet = parse(LinkType::RawIp, &igmp);
    assert_eq!((packet.transport, packet.payload.len()), (Transport::Igmp { kind: 0x16 }, 8));
}

#[test]
fn a_transport_header_cut_behind_its_ports_still_tells_them() {
    let frame = v4(6, &tcp(80, 9, &[], PAYLOAD));
    let packet = parse(LinkType::RawIp, &frame[..20 + 4]);
    let Transport::Tcp { src: 80, dst: 9, seq: 0, flags: 0, .. } = packet.transport else {
        panic!("{packet:?}");
    };
    assert!(packet.malformed && packet.payload.is_empty());
    let packet = parse(LinkType::RawIp, &frame[..20 + 14]);
    let Transport::Tcp { seq: 9, flags: 0x18, .. } = packet.transport else {
        panic!("{packet:?}");
    };
    let packet = parse(LinkType::RawIp, &frame[..20 + 3]);
    assert!(packet.malformed && packet.transport == Transport::None && packet.ip.is_some());
}

#[test]
fn every_tunnel_tells_its_inner_flow() {
    const BIT: u8 = 0x80;
    let inner = &v4(6, &tcp(4_001, 443, &[], PAYLOAD));
    let whole = &ether(0x0800, inner);
    let over = |port, head: &[u8], body: &[u8]| v4(17, &udp(5_555, port, &joined(&[head, body])));
    let gre = |head: &[u8], body: &[u8]| v4(47, &joined(&[head, body]));
    let ppp = joined(&[&[0xff, 0x03, 0x00, 0x21], inner]);
    let six = |body: &[u8]| v6(6, &joined(&[&[0x0f, 0xa1, 1, 187], &tcp(0, 0, &[], body)[4..]]));
    let rows: Vec<(&str, Option<u32>, Vec<u8>)> = vec![
        ("ipip", None, v4(4, inner)),
        ("6in4", None, v4(41, &six(PAYLOAD))),
        ("4in6", None, v6(4, inner)),
        ("ip6ip6", None, v6(41, &six(PAYLOAD))),
        ("gre", None, gre(&[0, 0, 8, 0], inner)),
        ("gre", Some(5), gre(&[0xb0, 0, 8, 0, 9, 9, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1], inner)),
        ("gre", None, gre(&[0, 0, 0x65, 0x58], whole)),
        ("nvgre", Some(0x0001_0203), gre(&[0x20, 0, 0x65, 0x58, 1, 2, 3, 4], whole)),
        ("erspan", None, gre(&[0, 0, 0x88, 0xbe], whole)),
        (
            "erspan",
            Some(0x101),
            gre(&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 1, 1, 0, 0, 0, 0], whole),
        ),
        (
            "erspan",
            Some(7),
            gre(
                &joined(&[&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1], &[0x20, 0, 0, 7], &[0; 7], &[1; 9]]),
                whole,
            ),
        ),
        ("gre", None, gre(&[0, 0, 0x88, 0x3e, 0, 0, 0, 0], inner)),
        (
            "pptp",
            Some(77),
            gre(&[0x30, 0x81, 0x88, 0x0b, 0, 99, 0, 77, 0, 0, 0, 1, 0, 0, 0, 2], &ppp),
        ),
        ("etherip", None, v4(97, &joined(&[&[0x30, 0], whole]))),
        ("mpls", None, v4(137, &joined(&[&[0, 1, 1, 9], inner]))),
        ("vxlan", Some(0x0708), over(4_789, &[8, 0, 0, 0, 0, 7, 8, 0], whole)),
        ("vxlan", Some(1), over(8_472, &[8, 0, 0, 0, 0, 0, 1, 0], whole)),
        ("vxlan-gpe", Some(3), over(4_790, &[0x0c, 0, 0, 1, 0, 0, 3, 0], inner)),
        ("geneve", Some(9), over(6_081, &[1, 0, 0x65, 0x58, 0, 0, 9, 0, 1, 2, 3, 0], whole)),
        ("geneve", Some(9), over(6_081, &[0, 0, 8, 0, 0, 0, 9, 0], inner)),
        ("gtp", Some(0x0102_0304), over(2_152, &[0x30, 255, 0, 0, 1, 2, 3, 4], inner)),
        (
            "gtp",
            Some(6),
            over(2_152, &[0x34, 255, 0, 0, 0, 0, 0, 6, 0, 0, 0, BIT, 1, 0, 0, 0], inner),
        ),
        ("teredo", None, over(3_544, &[], &six(PAYLOAD))),
        (
            "teredo",
            None,
            over(
                3_544,
                &joined(&[&[0, 1, 0, 0], &[7; 9], &[0, 0, 1, 2, 3, 4, 5, 6]]),
                &six(PAYLOAD),
            ),
        ),
        ("l2tp", Some(8), over(1_701, &[0x40, 2, 0, 99, 0, 1, 0, 8], &ppp)),
        ("mpls", None, over(6_635, &[0, 1, 1, 9], inner)),
    ];
    for (kind, id, frame) in rows {
        println!("{kind} {id:?}");
        let packet = parse(LinkType::RawIp, &frame);
        let Some(inner) = packet.inner else { panic!("no inner flow: {packet:?}") };
        assert_eq!((inner.kind, inner.id), (kind, id));
        assert_eq!((inner.proto, inner.src_port, inner.dst_port), (6, 4_001, 443));
        assert!(inner.src.is_some() && inner.dst.is_some() && !packet.malformed);
        let (start, end) = inner.payload;
        assert_eq!(packet.payload.get(start as usize..end as usize), Some(PAYLOAD));
    }
}

#[test]
fn tunnels_in_tunnels_tell_the_outermost_name_and_the_innermost_flow() {
    let inner = v4(6, &tcp(4_001, 443, &[], PAYLOAD));
    let gre = v4(47, &joined(&[&[0, 0, 8, 0], &inner]));
    let vxlan = joined(&[&[8, 0, 0, 0, 0, 0, 5, 0], &ether(0x0800, &gre)]);
    let frame = v4(17, &udp(5_555, 4_789, &vxlan));
    let packet = parse(LinkType::RawIp, &frame);
    let inner = packet.inner.expect("an inner flow");
    assert_eq!((inner.kind, inner.id, inner.dst_port), ("vxlan", Some(5), 443));
    let (start, end) = inner.payload;
    assert_eq!(packet.payload.get(start as usize..end as usize), Some(PAYLOAD));
    assert_eq!(packet.transport, Transport::Udp { src: 5_555, dst: 4_789 });
}

#[test]
fn a_tunnel_port_alone_makes_no_tunnel() {
    for port in [4_789, 8_472, 4_790, 6_081, 2_152, 3_544, 1_701, 6_635] {
        let frame = v4(17, &udp(port, 53, b"\xc0\xc0\xc0\xc0"));
        let packet = parse(LinkType::RawIp, &frame);
        let flow = packet.inner.and_then(|inner| inner.src);
        assert_eq!((flow, packet.malformed), (None, false), "{port}");
    }
}

#[test]
fn nesting_without_end_ends() {
    let mut frame = dns();
    for _ in 0..200 {
        frame = v4(4, &frame);
    }
    let packet = parse(LinkType::RawIp, &frame);
    assert_eq!(packet.ip.map(|ip| ip.proto), Some(4));
    let mut frame = dns();
    for _ in 0..200 {
        frame = ether(0x6558, &frame);
    }
    assert!(parse(LinkType::Ethernet, &frame).ip.is_none());
    let tags = joined(&[&[0, 1, 0x81, 0].repeat(300), &[0, 9, 8, 0], &dns()]);
    let frame = ether(0x8100, &tags);
    is_dns(&parse(LinkType::Ethernet, &frame));
}

#[test]
fn link_types_have_their_numbers() {
    assert_eq!(LinkType::from_dlt(1), LinkType::Ethernet);
    assert_eq!(LinkType::from_dlt(12), LinkType::RawIp);
    assert_eq!(LinkType::from_dlt(250), LinkType::Other(250));
    assert_eq!(LinkType::from_dlt(1 << 20), LinkType::Other(u16::MAX));
}

const LINKS: [u32; 18] =
    [0, 1, 1, 1, 9, 12, 12, 50, 51, 104, 105, 107, 108, 113, 127, 166, 192, 276];

/// What holds of every packet, whatever the frame.
fn sound(link: u32, frame: &[u8]) {
    let packet = parse(LinkType::from_dlt(link), frame);
    assert!(packet.vlan_count <= 2);
    let range = frame.as_ptr_range();
    if !packet.payload.is_empty() {
        let payload = packet.payload.as_ptr_range();
        assert!(range.start <= payload.start && payload.end <= range.end);
    }
    if let Some(inner) = packet.inner {
        let (start, end) = inner.payload;
        assert!(packet.payload.get(start as usize..end as usize).is_some(), "{packet:?}");
    }
    if packet.transport != Transport::None {
        assert!(packet.ip.is_some());
    }
    if packet.fragment.is_some_and(|fragment| fragment.offset > 0) {
        assert_eq!(packet.transport, Transport::None);
    }
}

#[test]
fn random_frames_of_any_link_type_are_read_without_panic() {
    bolero::check!().with_type::<(u8, Vec<u8>)>().with_iterations(20_000).for_each(
        |(link, frame)| {
            sound(LINKS[usize::from(*link) % LINKS.len()], frame);
        },
    );
}

#[test]
fn damaged_real_frames_are_read_without_panic() {
    let mut frames = Vec::new();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/pcap");
    for entry in std::fs::read_dir(fixtures).unwrap() {
        let file = std::fs::File::open(entry.unwrap().path()).unwrap();
        let mut file = ghost_tap::CaptureFile::open(Box::new(file)).unwrap();
        while let Some(frame) = file.next().unwrap() {
            if frames.len() < 20_000 {
                frames.push((frame.link, frame.data.to_vec()));
            }
        }
    }
    assert!(frames.len() > 1_000, "the fixtures are there");
    bolero::check!().with_type::<(u16, u8, u16, [(u8, u8); 3])>().with_iterations(20_000).for_each(
        |(which, link, cut, changes)| {
            let (own, frame) = &frames[usize::from(*which) % frames.len()];
            let mut frame = frame.clone();
            for (at, value) in changes {
                let length = frame.len().max(1);
                if let Some(byte) = frame.get_mut(usize::from(*at) % length) {
                    *byte = *value;
                }
            }
            frame.truncate(usize::from(*cut) % (frame.len() + 1));
            // Mostly as what they are.
            let other = LINKS.get(usize::from(*link)).copied();
            sound(other.unwrap_or(*own), &frame);
        },
    );
}

#[test]
fn addresses_come_out_as_they_stand() {
    let frame = v6(17, &udp(1, 2, b""));
    let ip = parse(LinkType::RawIp, &frame).ip.expect("an IP header");
    assert_eq!(ip.src, IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)));
    assert_eq!(ip.dst, IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2)));
    let ip = parse(LinkType::RawIp, &dns()).ip.map(|ip| ip.dst);
    assert_eq!(ip, Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))));
}
