//! What passes a bridge passes it as before, with the daemon on it; and the daemon has seen it all.
//!
//! One pair of hosts for each way of forwarding: a Linux bridge, Open vSwitch, two ports joined by
//! ghost-fast, two joined inline. Each carries TCP with the kernel's own offloads and equal digests both ways, and
//! whatever else a network carries.

mod support;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use ghost_lab::{
    Counters, Frame, Namespace, OVS_TOOLS, Ovs, link_pair, linux_bridge, send_frames, skipped,
    transfer, until,
};
use serde_json::Value;
use support::live::{Live, PATIENCE, counted, packets};

const TOOLS: &[&str] = &["ping", "ip", "tcpdump", "dnsmasq", "ethtool"];

/// Bytes each way.
const MUCH: u64 = 256 << 20;

/// Two hosts at a switch, whose ports towards them are `p0` and `p1`.
struct Lab {
    left: Namespace,
    right: Namespace,
    switch: Namespace,
}

impl Lab {
    fn new() -> Lab {
        let [left, right, switch] =
            ["left", "right", "switch"].map(|name| Namespace::new(name).unwrap());
        for (host, port, number) in [(&left, "p0", 1), (&right, "p1", 2)] {
            link_pair(host, "eth0", &switch, port).unwrap();
            host.address("eth0", &format!("10.77.0.{number}/24")).unwrap();
            host.address("eth0", &format!("fd77::{number}/64")).unwrap();
            host.run(&["ip", "route", "add", "224.0.0.0/4", "dev", "eth0"]).unwrap();
        }
        Lab { left, right, switch }
    }

    /// Everything but bulk TCP.
    fn carries_all_kinds(&self) {
        self.pings();
        self.fragments();
        self.datagrams();
        self.multicast();
        self.tags();
        self.lease();
        self.jumbo();
    }

    /// Neighbours unknown before, so ARP and ND pass as well.
    fn pings(&self) {
        for host in [&self.left, &self.right] {
            host.run(&["ip", "neigh", "flush", "all"]).unwrap();
        }
        self.left.run(&["ping", "-c5", "-i0.05", "-W5", "10.77.0.2"]).unwrap();
        self.right.run(&["ping", "-c5", "-i0.05", "-W5", "fd77::1"]).unwrap();
    }

    fn fragments(&self) {
        self.left.run(&["ping", "-c3", "-i0.05", "-W5", "-s", "4000", "10.77.0.2"]).unwrap();
        self.left.run(&["ping", "-c3", "-i0.05", "-W5", "-s", "4000", "fd77::2"]).unwrap();
    }

    fn datagrams(&self) {
        for (from, to) in
            [("10.77.0.1:5300", "10.77.0.2:5301"), ("[fd77::1]:5300", "[fd77::2]:5301")]
        {
            let [from, to]: [SocketAddr; 2] = [from, to].map(|address| address.parse().unwrap());
            let server = self.right.within(|| UdpSocket::bind(to)).unwrap().unwrap();
            let client = self.left.within(|| UdpSocket::bind(from)).unwrap().unwrap();
            self.exchange(&client, &server, to, 50);
        }
    }

    /// `count` datagrams there, each answered.
    fn exchange(&self, client: &UdpSocket, server: &UdpSocket, to: SocketAddr, count: u32) {
        for socket in [client, server] {
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
        }
        let mut buffer = [0; 2048];
        for number in 0..count {
            client.send_to(&number.to_be_bytes(), to).unwrap();
            let (length, from) = server.recv_from(&mut buffer).unwrap();
            assert_eq!(buffer[..length], number.to_be_bytes());
            server.send_to(&[7; 900], from).unwrap();
            assert_eq!(client.recv(&mut buffer).unwrap(), 900);
        }
    }

    fn multicast(&self) {
        let group = Ipv4Addr::new(239, 7, 7, 7);
        let server = self.right.within(|| {
            let server = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 5400))?;
            server.join_multicast_v4(&group, &Ipv4Addr::new(10, 77, 0, 2))?;
            Ok::<UdpSocket, std::io::Error>(server)
        });
        let server = server.unwrap().unwrap();
        let client = self.left.within(|| UdpSocket::bind("10.77.0.1:5401")).unwrap().unwrap();
        self.exchange(&client, &server, SocketAddr::from((group, 5400)), 3);

        let group: Ipv6Addr = "ff02::77:7".parse().unwrap();
        let index = self.right.ifindex("eth0").unwrap();
        let server = self.right.within(|| {
            let server = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 5402))?;
            server.join_multicast_v6(&group, index)?;
            Ok::<UdpSocket, std::io::Error>(server)
        });
        let server = server.unwrap().unwrap();
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        let client = self.left.within(|| UdpSocket::bind("[fd77::1]:5403")).unwrap().unwrap();
        let index = self.left.ifindex("eth0").unwrap();
        let to = std::net::SocketAddrV6::new(group, 5402, 0, index);
        client.send_to(b"all", to).unwrap();
        assert_eq!(server.recv(&mut [0; 8]).unwrap(), 3);
    }

    /// Frames with one tag and with two arrive with their tags.
    fn tags(&self) {
        let plain = Frame::new(mac(&self.right), mac(&self.left));
        let (from, to) = (([10, 77, 0, 1], 700), [10, 77, 0, 2]);
        let mut watch = self
            .right
            .spawn(&["tcpdump", "-i", "eth0", "-n", "-e", "-l", "-c", "4", "vlan"])
            .unwrap();
        watch.says("listening on", PATIENCE).unwrap();
        let one = plain.clone().tag(0x8100, 7).udp4(from, (to, 701), b"one tag");
        let two = plain.tag(0x88a8, 9).tag(0x8100, 8).udp4(from, (to, 702), b"two tags");
        send_frames(&self.left, "eth0", &[one.clone(), two.clone(), one, two]).unwrap();
        let said = watch.wait(PATIENCE).unwrap();
        let times = |words: &str| said.matches(words).count();
        assert_eq!((times("vlan 7,"), times("vlan 9,"), times("vlan 8,")), (2, 2, 2), "{said}");
    }

    /// A DHCP client's first broadcast finds a real server, and its answer comes back.
    fn lease(&self) {
        let server = self.right.spawn(&[
            "dnsmasq",
            "--keep-in-foreground",
            "--port=0",
            "--interface=eth0",
            "--bind-interfaces",
            "--dhcp-range=10.77.0.100,10.77.0.110,1h",
            "--dhcp-leasefile=/dev/null",
            "--conf-file=/dev/null",
            "--no-ping",
            "--user=root",
            "--log-facility=-",
            "--log-dhcp",
            "--pid-file=",
        ]);
        let mut server = server.unwrap();
        server.says("DHCP, IP range", PATIENCE).unwrap();
        let client = self.left.within(|| UdpSocket::bind("0.0.0.0:68")).unwrap().unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let source = mac(&self.left);
        let discover =
            Frame::new([0xff; 6], source).udp4(([0; 4], 68), ([255; 4], 67), &discover(source));
        send_frames(&self.left, "eth0", &[discover]).unwrap();
        let mut offer = [0; 1500];
        let length = client.recv(&mut offer).unwrap();
        // op 2 (reply), and the first three octets of yiaddr.
        assert_eq!((offer[0], &offer[16..19]), (2, &[10, 77, 0][..]), "{:?}", &offer[..length]);
    }

    /// The longest frames that fit, unfragmented, once every interface takes them.
    fn jumbo(&self) {
        for (place, interface) in [
            (&self.switch, "p0"),
            (&self.switch, "p1"),
            (&self.left, "eth0"),
            (&self.right, "eth0"),
        ] {
            place.mtu(interface, 9000).unwrap();
        }
        self.left
            .run(&["ping", "-c3", "-i0.05", "-W5", "-M", "do", "-s", "8972", "10.77.0.2"])
            .unwrap();
    }

    fn mtu_as_usual(&self) {
        for (place, interface) in [
            (&self.switch, "p0"),
            (&self.switch, "p1"),
            (&self.left, "eth0"),
            (&self.right, "eth0"),
        ] {
            place.mtu(interface, 1500).unwrap();
        }
    }

    fn transfers(&self, bytes: u64) {
        for address in ["10.77.0.2:5001", "[fd77::2]:5001"] {
            let half = transfer(&self.left, &self.right, address.parse().unwrap(), bytes / 2);
            assert_eq!(half.unwrap().bytes, bytes / 2);
        }
    }

    fn counters(&self, ports: &[(&str, bool)]) -> Vec<Counters> {
        ports.iter().map(|(port, _)| self.switch.counters(port).unwrap()).collect()
    }
}

fn mac(host: &Namespace) -> [u8; 6] {
    host.mac("eth0").unwrap()
}

/// A DHCPDISCOVER that wants its answer by broadcast.
fn discover(mac: [u8; 6]) -> Vec<u8> {
    let mut packet = vec![0; 236];
    packet[..4].copy_from_slice(&[1, 1, 6, 0]);
    packet[4..8].copy_from_slice(b"lab!");
    packet[10] = 0x80;
    packet[28..34].copy_from_slice(&mac);
    packet.extend([99, 130, 83, 99, 53, 1, 1, 55, 2, 1, 3, 255]);
    packet
}

/// After quiet: what each port counted since `before` is what was seen there plus what was lost.
#[track_caller]
fn accounted(
    lab: &Lab,
    live: &mut Live,
    ports: &[(&str, bool)],
    before: &[(Counters, (u64, u64))],
) {
    let mut told = String::new();
    let equal = until("seen and lost to equal the ports' counters", PATIENCE, || {
        told.clear();
        ports.iter().zip(before).all(|((port, outwards), (counters, seen))| {
            let passed = counted(lab.switch.counters(port).unwrap() - *counters, *outwards);
            let (now_seen, now_lost) = live.seen(port);
            let accounted = (now_seen - seen.0) + (now_lost - seen.1);
            told += &format!("{port}: {passed} passed, {accounted} accounted for; ");
            passed == accounted && passed > 0
        })
    });
    assert!(equal.is_ok(), "{equal:?}: {told}\n{}", live.process.output());
}

/// Counters and what was seen, at a moment at which both stand still.
fn baseline(lab: &Lab, live: &Live, ports: &[(&str, bool)]) -> Vec<(Counters, (u64, u64))> {
    let mut last = Vec::new();
    until("quiet", PATIENCE, || {
        let seen = ports.iter().map(|(port, _)| live.seen(port));
        let now: Vec<_> = lab.counters(ports).into_iter().zip(seen).collect();
        let quiet = now == last;
        last = now;
        // The daemon tells what it has counted once a second.
        std::thread::sleep(Duration::from_millis(1300));
        quiet
    })
    .unwrap();
    last
}

/// What was carried is found: each kind by its own words.
fn recorded(live: &Live, tags: bool) {
    let each = |words: &[&str], wanted: (u64, u64)| {
        live.finds(words, |flows| flows.iter().any(|flow| packets(flow) == wanted));
    };
    // Plain ones, three of three fragments each, and three jumbo frames.
    each(&["proto:icmp", "src:10.77.0.1"], (5 + 9 + 3, 5 + 9 + 3));
    each(&["proto:ipv6-icmp", "src:fd77::2"], (5, 5));
    each(&["proto:udp", "port:5301", "src:10.77.0.1"], (50, 50));
    each(&["proto:udp", "port:5301", "src:fd77::1"], (50, 50));
    live.finds(&["port:5402"], |flows| !flows.is_empty());
    live.finds(&["port:67"], |flows| flows.iter().any(|flow| flow["app_proto"] == "dhcp"));
    if tags {
        for (words, tags) in [("port:701", &[7][..]), ("port:702", &[9, 8])] {
            live.finds(&[words], |flows| {
                flows.iter().any(|flow| {
                    let own = flow["vlan"].as_array().into_iter().flatten();
                    let own: Vec<u64> = own.filter_map(Value::as_u64).collect();
                    own == tags && packets(flow) == (2, 0)
                })
            });
        }
    }
    // Two connections, 256 MiB between them each way, in packets of the wire.
    let flows = live.finds(&["proto:tcp", "port:5001"], |flows| flows.len() == 2);
    for flow in flows {
        let (up, down) = packets(&flow);
        assert!(up > 50_000 && down > 50_000, "segments, not super-frames: {flow}");
    }
}

#[test]
fn netns_a_linux_bridge_carries_everything_as_before() {
    if skipped(TOOLS) {
        return;
    }
    let lab = Lab::new();
    linux_bridge(&lab.switch, "br0", &["p0", "p1"]).unwrap();
    let mut live = Live::start(&lab.switch, None, &[]);
    live.taps("br0 p0 p1");
    let ports = [("p0", false), ("p1", false)];
    let before = baseline(&lab, &live, &ports);
    lab.carries_all_kinds();
    lab.mtu_as_usual();
    lab.transfers(MUCH);
    accounted(&lab, &mut live, &ports, &before);
    recorded(&live, true);
    live.stop();
}

#[test]
fn netns_an_ovs_bridge_carries_everything_as_before() {
    if skipped(&[TOOLS, OVS_TOOLS].concat()) {
        return;
    }
    let lab = Lab::new();
    // The userspace datapath itself leaves checksums undone that the hosts leave to their
    // interfaces: without any tap, no TCP passes it unless they do them.
    for host in [&lab.left, &lab.right] {
        host.run(&["ethtool", "-K", "eth0", "tx", "off"]).unwrap();
    }
    let ovs = Ovs::start(&lab.switch).unwrap();
    ovs.bridge("ovs0", &["p0", "p1"]).unwrap();
    let mut live = Live::start(&lab.switch, Some(&ovs), &[]);
    live.taps("ovs0 p0 p1");
    let ports = [("p0", false), ("p1", false)];
    let before = baseline(&lab, &live, &ports);
    lab.carries_all_kinds();
    lab.mtu_as_usual();
    lab.transfers(MUCH);
    accounted(&lab, &mut live, &ports, &before);
    recorded(&live, true);
    live.stop();
}

#[test]
fn netns_two_ports_joined_by_ghost_fast_carry_everything_and_outlive_the_daemon() {
    if skipped(TOOLS) {
        return;
    }
    let lab = Lab::new();
    let words = ["--mode", "ghost-fast", "-i", "p0", "-i", "p1"];
    let mut live = Live::start(&lab.switch, None, &words);
    live.taps("p0 p1");
    let ports = [("p0", false), ("p1", false)];
    let before = baseline(&lab, &live, &ports);
    lab.carries_all_kinds();
    lab.mtu_as_usual();
    lab.transfers(MUCH);
    accounted(&lab, &mut live, &ports, &before);
    recorded(&live, true);

    // The daemon dies, traffic goes on; the next one takes up what forwards. What the ports had
    // lost is kept every few seconds.
    let last_seen = live.house.data().join("state/last-seen.json");
    let kept = || std::fs::metadata(&last_seen).unwrap().modified().unwrap();
    let before = kept();
    until("the ports' losses to be kept", PATIENCE, || kept() != before).unwrap();
    let house = live.kill();
    lab.pings();
    let live = Live::start_in(house, &lab.switch, None, &words);
    lab.left.run(&["ping", "-c7", "-i0.05", "-W5", "10.77.0.2"]).unwrap();
    // What passed while there was none waits in the rings for the next.
    live.finds(&["proto:icmp"], |flows| flows.iter().any(|flow| packets(flow) == (5 + 7, 5 + 7)));
    let house = live.stop();
    // So nothing is missing of the time without a daemon.
    let lines = house.run(&["log", "export"]).ends(0).jsonl();
    let gaps = lines.iter().filter(|line| line["event_type"] == "gap");
    let gaps: Vec<&Value> = gaps.map(|line| &line["ghost"]["gap"]).collect();
    let stopped: Vec<_> = gaps.iter().filter(|gap| gap["reason"] == "stopped").collect();
    assert!(stopped.len() == 1 && stopped[0]["packets"].is_null(), "{gaps:#?}");
    lab.pings();
    lab.switch.run(&[env!("CARGO_BIN_EXE_ghostbridge"), "detach"]).unwrap();
    let alone = lab.left.run(&["ping", "-c1", "-W1", "10.77.0.2"]);
    assert!(alone.is_err(), "detached, nobody forwards");
}

#[test]
fn netns_two_ports_joined_inline_carry_everything_and_the_kernel_takes_over_from_a_dead_daemon() {
    if skipped(TOOLS) {
        return;
    }
    let lab = Lab::new();
    let words = ["--mode", "inline", "-i", "p0", "-i", "p1"];
    let mut live = Live::start(&lab.switch, None, &words);
    live.taps("p0 p1");
    let ports = [("p0", false), ("p1", false)];
    let before = baseline(&lab, &live, &ports);
    lab.carries_all_kinds();
    lab.mtu_as_usual();
    lab.transfers(MUCH);
    accounted(&lab, &mut live, &ports, &before);
    recorded(&live, true);

    // The daemon dies, and with it the wire; the kernel's program is one by itself.
    let house = live.kill();
    let answered = || lab.left.run(&["ping", "-c1", "-W1", "10.77.0.2"]).is_ok();
    until("the kernel to take over", PATIENCE, answered).unwrap();
    lab.pings();
    lab.transfers(MUCH / 8);

    // The next one is the wire again, and sees what passes.
    let mut live = Live::start_in(house, &lab.switch, None, &words);
    live.taps("p0 p1");
    let before = baseline(&lab, &live, &ports);
    until("the new wire to carry", PATIENCE, answered).unwrap();
    lab.transfers(MUCH / 8);
    accounted(&lab, &mut live, &ports, &before);

    // A good end leaves the ports joined as well; only detach parts them.
    live.stop();
    until("the kernel to take over again", PATIENCE, answered).unwrap();
    lab.switch.run(&[env!("CARGO_BIN_EXE_ghostbridge"), "detach"]).unwrap();
    assert!(!answered(), "detached, nobody forwards");
}
