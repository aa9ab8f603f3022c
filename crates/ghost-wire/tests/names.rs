//! Names read from real captures against what another program read from the same ones: the sets in
//! `tests/fixtures/truth.jsonl` were made by tshark.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::path::Path;

use ghost_wire::{
    Direction, Dissector, Field, LearnedFrom, LinkType, Segment, Sink, Transport, fields, parse,
};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures");

/// Everything a capture told.
#[derive(Default)]
struct Told {
    values: Vec<(Field, String)>,
    learned: Vec<(IpAddr, String)>,
}

impl Sink for Told {
    fn field(&mut self, field: Field, value: &[u8]) {
        self.values.push((field, String::from_utf8_lossy(value).into_owned()));
    }

    fn learned(&mut self, address: IpAddr, name: &[u8], _from: LearnedFrom) {
        self.learned.push((address, String::from_utf8_lossy(name).into_owned()));
    }
}

impl Told {
    fn set(&self, field: Field) -> BTreeSet<String> {
        self.values.iter().filter(|(f, _)| *f == field).map(|(_, value)| value.clone()).collect()
    }
}

/// The frames of a little-endian pcap file.
fn frames(bytes: &[u8]) -> (LinkType, Vec<&[u8]>) {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(word(0), 0xa1b2_c3d4);
    let (mut at, mut frames) = (24, Vec::new());
    while at < bytes.len() {
        let len = word(at + 8) as usize;
        frames.push(&bytes[at + 16..at + 16 + len]);
        at += 16 + len;
    }
    (LinkType::from_dlt(word(20)), frames)
}

fn read(file: &str) -> Told {
    let bytes = std::fs::read(Path::new(FIXTURES).join("pcap").join(file)).unwrap();
    let (link, frames) = frames(&bytes);
    let mut told = Told::default();
    let mut flows: HashMap<(IpAddr, u16, IpAddr, u16), Dissector> = HashMap::new();
    for frame in frames {
        let packet = parse(link, frame);
        let Some(ip) = packet.ip else { continue };
        let (proto, src, dst, seq) = match packet.transport {
            Transport::Tcp { src, dst, seq, flags, .. } => {
                (6, src, dst, seq.wrapping_add(u32::from(flags & 2 != 0)))
            }
            Transport::Udp { src, dst } => (17, src, dst, 0),
            _ => continue,
        };
        let back = (ip.dst, dst, ip.src, src);
        let (key, direction) = if flows.contains_key(&back) {
            (back, Direction::ToClient)
        } else {
            ((ip.src, src, ip.dst, dst), Direction::ToServer)
        };
        let flow = flows.entry(key).or_default();
        let multicast = key.2.is_multicast();
        let (src_port, dst_port, payload) = (key.1, key.3, packet.payload);
        let segment =
            Segment { proto, src_port, dst_port, direction, seq, payload, missing: 0, multicast };
        flow.packet(&segment, &mut told);
    }
    told
}

/// One array of a capture's line in the truth; the names of these captures need no unescaping.
fn truth(file: &str, array: &str) -> BTreeSet<String> {
    let lines = std::fs::read_to_string(Path::new(FIXTURES).join("truth.jsonl")).unwrap();
    let mine = lines.lines().find(|line| line.contains(&format!("\"file\": \"{file}\""))).unwrap();
    let (_, rest) = mine.split_once(&format!("\"{array}\": [")).unwrap();
    // A host may itself hold a bracket.
    let (inside, _) = rest.split_once("\"]").unwrap();
    assert!(!inside.contains('\\'));
    inside.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

fn check(file: &str, count: usize, array: &str, field: Field) {
    let expected = truth(file, array);
    assert_eq!(expected.len(), count, "{file}: the truth itself");
    assert_eq!(read(file).set(field), expected, "{file}: {array}");
}

#[test]
fn questions_of_dns_equal_the_truth() {
    check("ppp__DnsPackets.pcap", 177, "dns_names", fields::DNS_QUERY);
    check("ppp__many-protocols.pcap", 90, "dns_names", fields::DNS_QUERY);
    check("ppp__IgmpPackets.pcap", 4, "dns_names", fields::DNS_QUERY);
    check("ppp__sll.pcap", 3, "dns_names", fields::DNS_QUERY);
    check("tcpdump__dnssec.pcap", 1, "dns_names", fields::DNS_QUERY);
}

#[test]
fn server_names_of_tls_equal_the_truth() {
    check("ppp__many-protocols.pcap", 5, "tls_sni", fields::TLS_SNI);
    check("ppp__IgmpPackets.pcap", 1, "tls_sni", fields::TLS_SNI);
}

#[test]
fn hosts_of_http_equal_the_truth() {
    check("ppp__many-protocols.pcap", 40, "http_hosts", fields::HTTP_HOST);
    check("ppp__four_ipv6_http_streams.pcap", 2, "http_hosts", fields::HTTP_HOST);
    check("ppp__sll.pcap", 1, "http_hosts", fields::HTTP_HOST);
    check("ppp__MplsPackets.pcap", 1, "http_hosts", fields::HTTP_HOST);
}

#[test]
fn a_fragmented_datagram_tells_the_questions_of_its_first_fragment() {
    let (told, all) =
        (read("ppp__ip6_fragments.pcap"), truth("ppp__ip6_fragments.pcap", "dns_names"));
    let told = told.set(fields::DNS_QUERY);
    assert_eq!(told.len(), 6, "what stands whole in the first 120 octets");
    assert!(told.is_subset(&all));
}

#[test]
fn addresses_are_learned_under_names_that_were_asked() {
    let told = read("ppp__DnsPackets.pcap");
    let asked = told.set(fields::DNS_QUERY);
    assert!(told.learned.len() > 100, "{}", told.learned.len());
    let under_asked = told.learned.iter().filter(|(_, name)| asked.contains(name)).count();
    // The others are multicast answers, which nobody asked in sight of the capture.
    assert!(under_asked * 100 >= told.learned.len() * 95, "{under_asked}");
}
