//! The wire of two ports with real traffic: real protocol stacks at both ends, default offloads.

use std::net::SocketAddr;
use std::time::Duration;

use ghost_lab::generate::{self, Traffic};
use ghost_lab::{Frame, Namespace, link_pair, send_frames, skipped, transfer, until};
use ghost_tap::live::{
    Direction, HEARTBEAT_STALE_NS, InlinePort, InlineSizes, InlineTap, Polled, open_socket,
};

/// Two hosts, and a switch of two ports that only the wire joins.
struct Rig {
    left: Namespace,
    switch: Namespace,
    right: Namespace,
}

impl Rig {
    fn new() -> Rig {
        let rig = Rig {
            left: Namespace::new("left").unwrap(),
            switch: Namespace::new("wire").unwrap(),
            right: Namespace::new("right").unwrap(),
        };
        rig.switch.sysctl("net/ipv6/conf/default/disable_ipv6", "1").unwrap();
        link_pair(&rig.left, "e0", &rig.switch, "p0").unwrap();
        link_pair(&rig.right, "e0", &rig.switch, "p1").unwrap();
        rig.left.address("e0", "10.77.0.1/24").unwrap();
        rig.right.address("e0", "10.77.0.2/24").unwrap();
        rig.left.address("e0", "fd77::1/64").unwrap();
        rig.right.address("e0", "fd77::2/64").unwrap();
        rig
    }

    fn mtu(&self, mtu: u32) {
        for (namespace, interface) in
            [(&self.left, "e0"), (&self.switch, "p0"), (&self.switch, "p1"), (&self.right, "e0")]
        {
            namespace.mtu(interface, mtu).unwrap();
        }
    }

    /// No chatter of the hosts' own, where frames are counted one by one.
    fn quiet(&self) {
        for host in [&self.left, &self.right] {
            host.sysctl("net/ipv6/conf/all/disable_ipv6", "1").unwrap();
        }
    }

    fn wire(&self, sizes: InlineSizes) -> InlineTap {
        let port = |name| {
            let ifindex = self.switch.ifindex(name).unwrap();
            let socket = self.switch.within(open_socket).unwrap().unwrap();
            InlinePort { ifindex, socket }
        };
        InlineTap::start([port("p0"), port("p1")], None, sizes).unwrap()
    }

    /// What the two ports' own counters say came in.
    fn received(&self) -> [(u64, u64); 2] {
        ["p0", "p1"].map(|port| {
            let counters = self.switch.counters(port).unwrap();
            (counters.rx_packets, counters.rx_bytes)
        })
    }
}

/// Takes `least` frames, and everything else that waits; each frame's port, length and bytes.
fn read_all(tap: &mut InlineTap, least: usize) -> Vec<(u32, u32, Vec<u8>)> {
    let mut frames = Vec::new();
    let mut quiet = 0;
    while quiet < 20 || (frames.len() < least && quiet < 5000) {
        let Polled { frames: count, .. } = tap.poll(4096, &mut |frame| {
            assert_eq!(frame.direction, Direction::Ingress);
            frames.push((frame.ifindex, frame.wire_len, frame.data.to_vec()));
        });
        quiet = if count == 0 { quiet + 1 } else { 0 };
        std::thread::sleep(Duration::from_millis(2));
    }
    frames
}

/// seen + lost is what the kernel counted, and so is what the wire did with it, once all that is
/// under way has come to its end.
fn accounts_hold(tap: &mut InlineTap, before: [(u64, u64); 2], rig: &Rig) {
    let mut unequal = String::new();
    let held = until("equal accounts", Duration::from_secs(10), || {
        tap.poll(u32::MAX, &mut |_| {});
        unequal.clear();
        let after = rig.received();
        for (at, (port, traffic)) in tap.counters().iter().zip(tap.traffic()).enumerate() {
            let came = after[at].0 - before[at].0;
            let done = traffic.forwarded + traffic.missed + traffic.refused;
            if port.seen + port.lost != came || done + traffic.forwarded_by_kernel != came {
                unequal += &format!("{came} came in: {port:?} {traffic:?}\n");
            }
        }
        unequal.is_empty()
    });
    assert!(held.is_ok(), "{unequal}");
}

#[test]
fn netns_tcp_with_default_offloads_arrives_as_sent_both_ways() {
    if skipped(&[]) {
        return;
    }
    let rig = Rig::new();
    rig.quiet();
    let before = rig.received();
    let mut tap = rig.wire(InlineSizes::default());
    assert!(tap.warnings().is_empty(), "{:?}", tap.warnings());
    let address: SocketAddr = "10.77.0.2:0".parse().unwrap();
    transfer(&rig.left, &rig.right, address, 256 << 20).unwrap();
    let frames = read_all(&mut tap, 0);
    accounts_hold(&mut tap, before, &rig);
    assert!(frames.iter().any(|frame| frame.1 > 1514), "super-frames passed whole");
    let segments: u64 = tap.counters().iter().map(|port| port.seen_segments).sum();
    let lost: u64 = tap.counters().iter().map(|port| port.lost).sum();
    // 2 x 256 MiB in segments of 1,448 bytes, and their acknowledgements.
    assert!(lost > 0 || segments >= 2 * (256 << 20) / 1448, "{segments} segments");
}

#[test]
fn netns_tcp_over_ipv6_with_its_neighbour_discovery_passes() {
    if skipped(&[]) {
        return;
    }
    let rig = Rig::new();
    let _tap = rig.wire(InlineSizes::default());
    transfer(&rig.left, &rig.right, "[fd77::2]:0".parse().unwrap(), 16 << 20).unwrap();
}

#[test]
fn netns_jumbo_frames_pass_where_both_ports_take_them() {
    if skipped(&["ping"]) {
        return;
    }
    let rig = Rig::new();
    rig.mtu(9000);
    let tap = rig.wire(InlineSizes::default());
    assert!(tap.warnings().is_empty());
    // 8972 + 8 + 20 = 9000; and a datagram that is cut into fragments.
    for size in ["8972", "20000"] {
        rig.left
            .run(&[
                "ping",
                "-c",
                "3",
                "-i",
                "0.05",
                "-W",
                "2",
                "-M",
                "dont",
                "-s",
                size,
                "10.77.0.2",
            ])
            .unwrap();
    }
    transfer(&rig.left, &rig.right, "10.77.0.2:0".parse().unwrap(), 16 << 20).unwrap();
}

#[test]
fn netns_ports_of_unequal_mtu_are_told() {
    if skipped(&[]) {
        return;
    }
    let rig = Rig::new();
    rig.switch.mtu("p0", 9000).unwrap();
    let tap = rig.wire(InlineSizes::default());
    assert!(tap.warnings().iter().any(|w| w.contains("9000") && w.contains("1500")));
}

#[test]
fn netns_tags_fragments_and_multicast_pass_byte_for_byte_and_are_seen_once() {
    if skipped(&[]) {
        return;
    }
    let rig = Rig::new();
    rig.quiet();
    let (from, to) = (([10, 77, 0, 1], 5000), ([10, 77, 0, 2], 5001));
    let (source, target) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 9]);
    let plain = || Frame::new(target, source);
    let mut sent = vec![
        plain().udp4(from, to, &[1; 100]),
        plain().tag(0x8100, 42).udp4(from, to, &[2; 100]),
        plain().tag(0x88a8, 7).tag(0x8100, 42).udp4(from, to, &[3; 100]),
        plain().tag(0x8100, 7).tag(0x8100, 42).udp4(from, to, &[4; 100]),
        Frame::new([1, 0, 0x5e, 0, 0, 0xfb], source).udp4(from, ([224, 0, 0, 251], 5353), &[5; 60]),
        Frame::new([0xff; 6], source).udp4(from, ([255; 4], 67), &[6; 300]),
    ];
    sent.extend(plain().udp4_fragments(from, to, &[7; 1000], 480));
    let expected: Vec<Vec<u8>> = sent.iter().map(Frame::bytes).collect();
    let before = rig.received();
    let mut tap = rig.wire(InlineSizes::default());
    // The right host looks through a wire of its own kind: what a socket on it is told.
    let capture = rig.right.ifindex("e0").unwrap();
    let other = Namespace::new("end").unwrap();
    link_pair(&rig.right, "x0", &other, "x1").unwrap();
    rig.right.sysctl("net/ipv6/conf/x0/disable_ipv6", "1").unwrap();
    let port = |ifindex| {
        let socket = rig.right.within(open_socket).unwrap().unwrap();
        InlinePort { ifindex, socket }
    };
    let ports = [port(capture), port(rig.right.ifindex("x0").unwrap())];
    let mut far = InlineTap::start(ports, None, InlineSizes::default()).unwrap();
    send_frames(&rig.left, "e0", &sent).unwrap();
    let (p0, count) = (rig.switch.ifindex("p0").unwrap(), expected.len());
    let seen = read_all(&mut tap, count).into_iter().filter(|frame| frame.0 == p0);
    let seen: Vec<_> = seen.map(|frame| frame.2).collect();
    assert_eq!(seen, expected, "seen once, as sent");
    let arrived: Vec<_> = read_all(&mut far, count)
        .into_iter()
        .filter(|frame| frame.0 == capture)
        .map(|frame| frame.2)
        .collect();
    assert_eq!(arrived, expected, "and so it arrives");
    accounts_hold(&mut tap, before, &rig);
}

#[test]
fn netns_a_reader_that_stands_still_delays_no_frame_and_its_loss_is_counted() {
    if skipped(&[]) {
        return;
    }
    let rig = Rig::new();
    rig.quiet();
    let before = rig.received();
    // Room for some 4,000 frames only, and nobody reads.
    let sizes = InlineSizes { record_bytes: 0, ..InlineSizes::default() };
    let mut tap = rig.wire(sizes);
    let far = rig.right.counters("e0").unwrap();
    let traffic =
        Traffic { rate: Some(50_000), frames: 30_000, seconds: 20.0, ..Traffic::default() };
    let sent = rig.left.within(|| generate::send("e0", &traffic)).unwrap().unwrap();
    assert_eq!(sent.frames, 30_000);
    let came = || (rig.right.counters("e0").unwrap() - far).rx_packets;
    let missed = || tap.traffic()[0].missed;
    until("every frame at the far end", Duration::from_secs(5), || came() + missed() >= 30_000)
        .unwrap();
    let lost: u64 = tap.counters().iter().map(|port| port.lost).sum();
    assert!(lost >= 25_000, "{lost} records lost, no frame");
    read_all(&mut tap, 0);
    accounts_hold(&mut tap, before, &rig);
}

#[test]
fn netns_the_heart_beats_while_nothing_passes_and_stops_with_the_wire() {
    if skipped(&[]) {
        return;
    }
    let rig = Rig::new();
    // Any page will do: what the kernel's program reads is a map of the same layout.
    let path = std::env::temp_dir().join(format!("heartbeat-{}", std::process::id()));
    let page = std::fs::File::options().read(true).write(true).create_new(true).open(&path);
    let page = page.unwrap();
    page.set_len(4096).unwrap();
    let beat = || {
        let bytes = std::fs::read(&path).unwrap();
        u64::from_ne_bytes(bytes[..8].try_into().unwrap())
    };
    let port = |name| {
        let ifindex = rig.switch.ifindex(name).unwrap();
        InlinePort { ifindex, socket: rig.switch.within(open_socket).unwrap().unwrap() }
    };
    let heartbeat = Some(page.into());
    let sizes = InlineSizes::default();
    let tap = InlineTap::start([port("p0"), port("p1")], heartbeat, sizes).unwrap();
    until("a first beat", Duration::from_secs(5), || beat() > 0).unwrap();
    for _ in 0..3 {
        let last = beat();
        until("the next beat", Duration::from_secs(5), || beat() > last).unwrap();
        // However busy the machine, a beat is at most a sleep and a turn after the last.
        assert!(beat() - last < 20 * HEARTBEAT_STALE_NS);
    }
    drop(tap);
    assert_eq!(beat(), 0, "the kernel need not wait until the last beat is old");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn netns_a_port_that_goes_down_and_up_carries_on_and_one_that_is_removed_is_told() {
    if skipped(&["ping"]) {
        return;
    }
    let rig = Rig::new();
    let tap = rig.wire(InlineSizes::default());
    let ping = || rig.left.run(&["ping", "-c", "1", "-W", "2", "10.77.0.2"]);
    ping().unwrap();
    rig.switch.run(&["ip", "link", "set", "p1", "down"]).unwrap();
    assert!(ping().is_err());
    rig.switch.run(&["ip", "link", "set", "p1", "up"]).unwrap();
    until("the wire to carry again", Duration::from_secs(10), || ping().is_ok()).unwrap();
    assert!(tap.is_whole());
    rig.switch.run(&["ip", "link", "del", "p1"]).unwrap();
    until("a wire that is cut", Duration::from_secs(5), || !tap.is_whole()).unwrap();
}
