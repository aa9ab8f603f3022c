//! Filter words: what they find, how they are read, and what is said where they make no sense.

use ghost_wire::filter::Filter;
use ghost_wire::{LinkType, parse};

/// 10.0.0.1:4000 -> 192.0.2.7:443, TCP SYN, tagged for VLAN 7; 02:…:01 -> 02:…:02
fn tagged_syn() -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x81, 0, 0, 7, 8, 0];
    bytes.extend([0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 192, 0, 2, 7]);
    bytes.extend([0x0f, 0xa0, 1, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0]);
    bytes
}

/// fe80::1 port 5353 -> ff02::fb port 5353, UDP
fn multicast_dns() -> Vec<u8> {
    let mut bytes = vec![0x33, 0x33, 0, 0, 0, 0xfb, 2, 0, 0, 0, 0, 1, 0x86, 0xdd];
    bytes.extend([0x60, 0, 0, 0, 0, 8, 17, 1, 0xfe, 0x80]);
    bytes.extend([0; 13]);
    bytes.extend([1, 0xff, 2]);
    bytes.extend([0; 13]);
    bytes.extend([0xfb, 0x14, 0xe9, 0x14, 0xe9, 0, 8, 0, 0]);
    bytes
}

/// Who has 10.0.0.9? Tell 10.0.0.1.
fn arp() -> Vec<u8> {
    let mut bytes = vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6];
    bytes.extend([0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1]);
    bytes.extend([0, 0, 0, 0, 0, 0, 10, 0, 0, 9]);
    bytes
}

/// Which of the three frames the words find.
fn finds(words: &str) -> [bool; 3] {
    let filter = Filter::compile(words).unwrap_or_else(|error| panic!("{words}: {error}"));
    [tagged_syn(), multicast_dns(), arp()]
        .map(|frame| filter.matches(&parse(LinkType::Ethernet, &frame), frame.len() as u32))
}

const NONE: [bool; 3] = [false; 3];
const SYN: [bool; 3] = [true, false, false];
const MDNS: [bool; 3] = [false, true, false];
const ARP: [bool; 3] = [false, false, true];
const BOTH: [bool; 3] = [true, true, false];
const NOT_MDNS: [bool; 3] = [true, false, true];
const NOT_SYN: [bool; 3] = [false, true, true];
const ALL: [bool; 3] = [true; 3];

#[test]
fn words_find_the_packets_they_mean() {
    for (words, expected) in [
        ("", ALL),
        ("tcp", SYN),
        ("udp", MDNS),
        ("ip", SYN),
        ("ip6", MDNS),
        ("arp", ARP),
        ("ip or ip6", BOTH),
        ("host 10.0.0.1", NOT_MDNS),
        ("ip host 10.0.0.1", SYN),
        ("arp host 10.0.0.1", ARP),
        ("10.0.0.1", NOT_MDNS),
        ("src 10.0.0.1", NOT_MDNS),
        ("dst host 10.0.0.1", NONE),
        ("src or dst host 192.0.2.7", SYN),
        ("src and dst net 10.0.0.0/8", ARP),
        ("net 10.0.0.0/8", NOT_MDNS),
        ("net 10", NOT_MDNS),
        ("net 192.0.2.0 mask 255.255.255.0", SYN),
        ("net 0.0.0.0/0", NOT_MDNS),
        ("dst net 192.0.2", SYN),
        ("host fe80::1", MDNS),
        ("ip6 net fe80::/10", MDNS),
        ("port 443", SYN),
        ("tcp port https", SYN),
        ("udp port 443", NONE),
        ("src port 4000", SYN),
        ("dst port 4000", NONE),
        ("src and dst port mdns", MDNS),
        ("port 80 or 443", SYN),
        ("port (80 or 443)", SYN),
        ("portrange 440-450", SYN),
        ("tcp src portrange 1-1023", NONE),
        ("proto 6", SYN),
        ("ip proto \\tcp", SYN),
        ("ip6 proto 17", MDNS),
        ("ip proto 17", NONE),
        ("ether src 02:00:00:00:00:01", ALL),
        ("ether host 02-00-00-00-00-02", SYN),
        ("ether dst 02:00:00:00:00:01", NONE),
        ("ether proto 0x86dd", MDNS),
        ("ether proto \\arp", ARP),
        ("broadcast", ARP),
        ("multicast", NOT_SYN),
        ("ip6 multicast", MDNS),
        ("vlan", SYN),
        ("vlan 7 and port 443", SYN),
        ("vlan 8", NONE),
        ("not vlan", NOT_SYN),
        ("greater 58", BOTH),
        ("greater 63", NONE),
        ("less 42", ARP),
        ("len = 42", ARP),
        ("len > 42", BOTH),
        ("len != 42", BOTH),
        ("tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn", SYN),
        ("tcp[tcpflags] & tcp-rst != 0", NONE),
        ("tcp[13] = 2", SYN),
        ("! tcp", NOT_SYN),
        ("not (tcp or udp)", ARP),
        ("tcp && port 443 || arp", NOT_MDNS),
        // From left to right: (arp or tcp) and udp.
        ("arp or tcp and udp", NONE),
        ("not tcp and not arp", MDNS),
        ("tcp port 443 host 10.0.0.1", SYN),
        ("not not tcp", SYN),
    ] {
        assert_eq!(finds(words), expected, "{words}");
    }
}

#[test]
fn words_without_sense_are_told_with_their_place() {
    for (words, at, expected) in [
        ("port", 4, "port number"),
        ("port 70000", 5, "port number"),
        ("tcp and", 7, "a host"),
        ("(tcp", 4, "`)`"),
        ("tcp)", 3, "`and`"),
        ("host example.org", 5, "not looked up"),
        ("net 10.0.0.0/40", 4, "network"),
        ("net 10.0.0.0 mask 255.0.255.0", 18, "mask"),
        ("ether host 02:00", 11, "hardware"),
        ("frobnicate", 0, "such as"),
        ("ip[6] & 0x40 != 0", 0, "byte offsets"),
        ("tcp[tcpflags] & tcp-syn", 23, "`!="),
        ("tcp[tcpflags] & nonsense != 0", 16, "TCP flag"),
        ("len 40", 4, "comparison"),
        ("vlan 5000", 5, "4095"),
        ("portrange 6000", 10, "range"),
        ("tcp \u{201c}port 80\u{201d}", 4, "a word of a filter"),
        ("gateway snup", 0, "not supported"),
    ] {
        let error = Filter::compile(words).expect_err(words);
        assert_eq!(error.at, at, "{words}: {error}");
        assert!(error.to_string().contains(expected), "{words}: {error}");
    }
    let message = Filter::compile("tcp prot 80").expect_err("a slip").to_string();
    assert!(message.starts_with("filter, character 5: `prot`: expected "), "{message}");
}

#[test]
fn nesting_is_bounded() {
    for nest in ["(", "not "] {
        let words = nest.repeat(100_000) + "tcp";
        assert!(Filter::compile(&words).is_err());
    }
}

#[test]
fn no_words_make_the_filter_panic() {
    const WORDS: [&str; 40] = [
        "tcp",
        "udp",
        "ip",
        "ip6",
        "arp",
        "ether",
        "host",
        "net",
        "port",
        "portrange",
        "src",
        "dst",
        "or",
        "and",
        "not",
        "!",
        "&&",
        "||",
        "(",
        ")",
        "[",
        "]",
        "tcpflags",
        "tcp-syn",
        "&",
        "|",
        "=",
        "!=",
        "len",
        "less",
        "vlan",
        "mask",
        "proto",
        "multicast",
        "10.0.0.1",
        "fe80::/10",
        "80",
        "1-9",
        "02:00:00:00:00:01",
        "\\udp",
    ];
    let frame = tagged_syn();
    let packet = parse(LinkType::Ethernet, &frame);
    bolero::check!().with_type::<(Vec<u8>, String)>().with_iterations(5_000).for_each(
        |(choices, noise)| {
            let mut words = String::new();
            for choice in choices {
                words.push_str(WORDS.get(usize::from(*choice) % 41).copied().unwrap_or(noise));
                words.push(' ');
            }
            match Filter::compile(&words) {
                // A filter and its opposite never agree.
                Ok(filter) => {
                    let opposite = Filter::compile(&format!("not ({words})"));
                    if let Ok(opposite) = opposite {
                        let found = filter.matches(&packet, 60);
                        let empty = words.trim().is_empty();
                        assert!(empty || found != opposite.matches(&packet, 60), "{words}");
                    }
                }
                Err(error) => assert!(error.at <= words.len(), "{error}"),
            }
        },
    );
}
