//! What real captures are called: each flow of the shipped captures through parser and dissector.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fs::File;
use std::net::IpAddr;

use ghost_tap::CaptureFile;
use ghost_wire::{
    Direction, Dissector, Field, LearnedFrom, LinkType, Segment, Sink, Transport, Verdict, fields,
    parse,
};

#[derive(Default)]
struct Told(Vec<(Field, String)>);

impl Sink for Told {
    fn field(&mut self, field: Field, value: &[u8]) {
        let value = String::from_utf8_lossy(value).into_owned();
        if !self.0.contains(&(field, value.clone())) {
            self.0.push((field, value));
        }
    }
    fn learned(&mut self, _: IpAddr, _: &[u8], _: LearnedFrom) {}
}

type Key = (IpAddr, u16, IpAddr, u16, u8);

/// Applications told by signature with their number of flows, and everything told.
fn apps(capture: &str) -> (BTreeMap<&'static str, u32>, Told) {
    let path = format!("{}/../../tests/fixtures/pcap/{capture}", env!("CARGO_MANIFEST_DIR"));
    let mut file = CaptureFile::open(Box::new(File::open(path).unwrap())).unwrap();
    let mut flows: HashMap<Key, (Dissector, Option<Verdict>)> = HashMap::new();
    let mut told = Told::default();
    while let Ok(Some(frame)) = file.next() {
        let p = parse(LinkType::from_dlt(frame.link), frame.data);
        let (Some(ip), None | Some(0)) = (p.ip, p.fragment.map(|f| f.offset)) else {
            continue;
        };
        let (src, dst, seq) = match p.transport {
            Transport::Tcp { src, dst, seq, .. } => (src, dst, seq),
            Transport::Udp { src, dst } | Transport::Sctp { src, dst } => (src, dst, 0),
            _ => continue,
        };
        let there = (ip.src, src, ip.dst, dst, ip.proto);
        let back = (ip.dst, dst, ip.src, src, ip.proto);
        let (key, direction) = if flows.contains_key(&back) {
            (back, Direction::ToClient)
        } else {
            (there, Direction::ToServer)
        };
        let (dissector, verdict) = flows.entry(key).or_default();
        if verdict.is_some_and(|v| v.done) {
            continue;
        }
        let segment = Segment {
            proto: ip.proto,
            src_port: key.1,
            dst_port: key.3,
            direction,
            seq,
            payload: p.payload,
            missing: 0,
            multicast: false,
        };
        *verdict = Some(dissector.packet(&segment, &mut told));
    }
    let mut out = BTreeMap::new();
    for verdict in flows.values().filter_map(|(_, v)| *v).filter(|v| v.by_signature) {
        *out.entry(verdict.app.name()).or_default() += 1;
    }
    (out, told)
}

fn values(told: &Told, field: Field) -> Vec<&str> {
    told.0.iter().filter(|(f, _)| *f == field).map(|(_, v)| v.as_str()).collect()
}

#[test]
fn flows_of_real_captures_are_called_by_their_right_names() {
    let wanted: &[(&str, &[(&str, u32)])] = &[
        ("ppp__DnsPackets.pcap", &[("dns", 210), ("llmnr", 6), ("mdns", 3)]),
        ("ppp__GrePackets.cap", &[("pptp", 1)]),
        ("ppp__WoL.pcap", &[("wol", 1)]),
        ("ppp__dhcpv6.pcap", &[("dhcpv6", 2)]),
        ("ppp__four_ipv6_http_streams.pcap", &[("http", 4)]),
        ("ppp__gtp-u.pcap", &[("gtp", 1)]),
        ("ppp__ip4_fragments.pcap", &[("nfs", 1)]),
        ("ppp__ip6_fragments.pcap", &[("mdns", 1), ("wsd", 1)]),
        ("ppp__ldap.pcapng", &[("ldap", 6)]),
        ("tcpdump__RADIUS.pcap", &[("radius", 1)]),
        ("tcpdump__geneve.pcap", &[("geneve", 4)]),
        ("tcpdump__ntp.pcap", &[("ntp", 4)]),
        ("tcpdump__of10_p3295.pcap", &[("openflow", 1)]),
    ];
    for (capture, names) in wanted {
        let (found, _) = apps(capture);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), *names, "{capture}");
    }
}

#[test]
fn a_radius_and_a_directory_conversation_tell_their_operations() {
    let (_, told) = apps("tcpdump__RADIUS.pcap");
    let wanted = ["access_request", "access_challenge", "access_accept"];
    assert_eq!(values(&told, fields::COMMAND), wanted);
    let (_, told) = apps("ppp__ldap.pcapng");
    for operation in ["bind", "search", "add", "modify", "delete"] {
        assert!(values(&told, fields::COMMAND).contains(&operation), "{operation}");
    }
}
