//! Flows to be logged.

use std::net::{IpAddr, Ipv4Addr};

use ghost_event::{
    AppBy, Behaviours, EndReason, Features, MacAddr, Names, Party, Port, Proto, Role, Side, Stats,
    Subject, Timestamp, Vlans, Zone,
};

/// A look-up: its line has some 1,170 bytes; the median flow line of a mixed capture of a million
/// packets has 1,036.
pub(crate) fn flow(i: u32) -> Features {
    let [a, b, c, d] = i.to_be_bytes();
    let mut sizes = Stats::default();
    let mut gaps_us = Stats::default();
    for n in 0..4_u64 {
        sizes.add(60 + n * 71);
        gaps_us.add(n * 1000 + u64::from(d));
    }
    let first = Timestamp(1_795_154_200_123_456_000 + i64::from(i) * 1_000_000);
    Features {
        subject: Subject::Flow,
        port: Port::default(),
        first,
        last: first.plus_ns(2_345_678_000),
        src_ip: Some(IpAddr::V4(Ipv4Addr::new(192, 168, c, d))),
        dst_ip: Some(IpAddr::V4(Ipv4Addr::new(93, 184, b, d))),
        src_port: 51_000,
        dst_port: 53,
        proto: Proto::Ip(17),
        icmp: None,
        src_mac: Some(MacAddr([2, 0, a, b, c, d])),
        dst_mac: Some(MacAddr([2, 0, 0, 0, 0, 1])),
        vlans: Vlans::default(),
        to_server: Side { packets: 2, bytes: 150, payload_bytes: 66 },
        to_client: Side { packets: 2, bytes: 260, payload_bytes: 176 },
        sizes,
        gaps_us,
        tcp: None,
        fragments: 0,
        end: EndReason::Closed,
        community_id: Some([d; 20]),
        app: "dns",
        app_by: AppBy::Signature,
        names: Names {
            pairs: vec![
                ("dns.queries.rrname", "www.example.org".into()),
                ("dns.rrtypes", "A".into()),
                ("dns.rcodes", "NOERROR".into()),
            ],
            dropped: 0,
        },
        tunnels: Vec::new(),
        malformed: 0,
        behaviours: Behaviours::NONE,
        src: Party { role: Role::Client, zone: Zone::Internal },
        dst: Party { role: Role::NameServer, zone: Zone::Internet },
        brand: "",
        category: "name lookup",
        src_name: None,
        dst_name: None,
        folded: None,
        score: None,
    }
}
