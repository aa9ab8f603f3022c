//! The ghost tap on a real bridge with real traffic: every frame once, none delayed.

mod rig;

use std::time::Duration;

use ghost_lab::generate::{self, Traffic};
use ghost_lab::{Frame, send_frames, skipped, transfer, until};
use ghost_tap::CaptureFile;
use ghost_tap::live::{Direction, TapError, traces};
use rig::{Rig, SMALL, account, read_all, sizes};

#[test]
fn netns_what_the_tap_saw_and_lost_is_what_the_ports_received_and_the_bridge_sent() {
    if skipped(&["ping"]) {
        return;
    }
    let rig = Rig::bridged();
    let (_helper, mut tap) = rig.ghost(sizes());
    let names = ["p0", "p1", "br0"];
    let before = names.map(|name| rig.counters(name));
    assert!(rig.ping());
    // The host's own frames, to both sides.
    rig.switch.run(&["ping", "-c", "3", "-i", "0.05", "-W", "2", "10.77.0.1"]).unwrap();
    rig.switch.run(&["ping", "-c", "3", "-i", "0.05", "-W", "2", "10.77.0.2"]).unwrap();
    transfer(&rig.left, &rig.right, "10.77.0.2:0".parse().unwrap(), 8 << 20).unwrap();
    // The last acknowledgements are on their way still.
    std::thread::sleep(Duration::from_millis(300));
    let frames = read_all(&mut tap);
    let came = |at: usize| rig.counters(names[at]) - before[at];
    for (at, direction) in [(0, Direction::Ingress), (1, Direction::Ingress)] {
        let port = account(&tap, rig.port(names[at]), direction);
        assert_eq!(port.seen + port.lost, came(at).rx_packets, "{port:?}");
        assert_eq!(port.seen_bytes + port.lost_bytes, came(at).rx_bytes, "{port:?}");
    }
    let own = account(&tap, rig.port("br0"), Direction::Egress);
    assert_eq!(own.seen + own.lost, came(2).tx_packets, "{own:?}");
    // Echo requests of the host left once, however many ports it has.
    let icmp =
        |frame: &&rig::Kept| frame.direction == Direction::Egress && frame.data.get(23) == Some(&1);
    assert_eq!(frames.iter().filter(icmp).count(), 6);
    let mut times: Vec<u64> = frames.iter().map(|frame| frame.ns).collect();
    let as_read = times.clone();
    times.sort_unstable();
    let misplaced = times.iter().zip(&as_read).filter(|(a, b)| a != b).count();
    assert!(misplaced * 100 <= times.len(), "{misplaced} of {} out of order", times.len());
}

#[test]
fn netns_a_ring_that_runs_over_loses_records_and_no_frame_and_the_loss_is_exact() {
    if skipped(&[]) {
        return;
    }
    let rig = Rig::bridged();
    let (_helper, mut tap) = rig.ghost(SMALL);
    let (p0, far) = (rig.counters("p0"), rig.right.counters("e0").unwrap());
    let traffic =
        Traffic { rate: Some(50_000), frames: 20_000, seconds: 20.0, ..Traffic::default() };
    let target = [0xff; 6];
    let traffic = Traffic { target_mac: target, ..traffic };
    rig.left.within(|| generate::send("e0", &traffic)).unwrap().unwrap();
    let arrived = || (rig.right.counters("e0").unwrap() - far).rx_packets;
    until("all frames at the far end", Duration::from_secs(5), || arrived() >= 20_000).unwrap();
    let unread = account(&tap, rig.port("p0"), Direction::Ingress);
    assert!(unread.lost >= 15_000 && unread.lost < 20_000, "{unread:?}");
    let read = read_all(&mut tap).len() as u64;
    let port = account(&tap, rig.port("p0"), Direction::Ingress);
    assert_eq!(read, port.seen);
    assert_eq!(port.seen + port.lost, (rig.counters("p0") - p0).rx_packets);
    assert_eq!(port.seen_bytes + port.lost_bytes, (rig.counters("p0") - p0).rx_bytes);
    // With room again, nothing more is lost.
    assert!(rig.left.run(&["true"]).is_ok());
    send_frames(&rig.left, "e0", &[broadcast(&[1; 40])]).unwrap();
    assert_eq!(read_all(&mut tap).len(), 1);
    assert_eq!(account(&tap, rig.port("p0"), Direction::Ingress).lost, port.lost);
}

fn broadcast(payload: &[u8]) -> Frame {
    Frame::new([0xff; 6], [2, 0, 0, 0, 0, 1]).udp4(
        ([10, 77, 0, 1], 40_000),
        ([10, 77, 0, 255], 40_001),
        payload,
    )
}

#[test]
fn netns_tagged_long_and_cut_frames_are_handed_out_as_they_were_on_the_wire() {
    if skipped(&[]) {
        return;
    }
    let rig = Rig::bridged();
    for (namespace, interface) in
        [(&rig.left, "e0"), (&rig.switch, "p0"), (&rig.switch, "p1"), (&rig.right, "e0")]
    {
        namespace.mtu(interface, 9000).unwrap();
    }
    let (from, to) = (([10, 77, 0, 1], 5000), ([10, 77, 0, 2], 5001));
    let plain = || Frame::new([2, 0, 0, 0, 0, 9], [2, 0, 0, 0, 0, 1]);
    let mut sent = vec![
        plain().udp4(from, to, &[1; 100]),
        plain().tag(0x8100, 0x2042).udp4(from, to, &[2; 20]),
        plain().tag(0x8100, 42).udp4(from, to, &[3; 1000]),
        plain().tag(0x88a8, 7).tag(0x8100, 42).udp4(from, to, &[4; 100]),
        plain().tag(0x8100, 7).tag(0x8100, 42).udp4(from, to, &[5; 1]),
        plain().udp4(from, to, &[6; 8900]),
        // Names are kept whole, behind tags too: a question to port 53, one to mDNS.
        plain().udp4(from, ([10, 77, 0, 2], 53), &[7; 1200]),
        plain().tag(0x88a8, 7).tag(0x8100, 42).udp4(from, ([224, 0, 0, 251], 5353), &[8; 3000]),
        plain().udp4(from, ([10, 77, 0, 2], 53), &[9; 6000]),
    ];
    sent.extend(plain().udp4_fragments(from, to, &[10; 2000], 1480));
    let (_helper, mut tap) = rig.ghost(sizes());
    send_frames(&rig.left, "e0", &sent).unwrap();
    let seen = read_all(&mut tap);
    let seen: Vec<_> = seen.iter().filter(|f| f.ifindex == rig.port("p0")).collect();
    assert_eq!(seen.len(), sent.len());
    for (index, (seen, sent)) in seen.iter().zip(&sent).enumerate() {
        let sent = sent.bytes();
        assert_eq!(seen.wire_len as usize, sent.len(), "frame {index}");
        assert_eq!(seen.segments, 1);
        assert_eq!(seen.data, sent[..seen.data.len()], "frame {index}");
        let whole = [6, 7, 8].contains(&index);
        let at_least = if whole { sent.len().min(4096) } else { sent.len().min(232) };
        assert!(seen.data.len() >= at_least, "frame {index}: {} bytes", seen.data.len());
    }
}

#[test]
fn netns_super_frames_are_seen_as_a_capture_at_the_same_port_sees_them() {
    if skipped(&["tcpdump"]) {
        return;
    }
    let rig = Rig::bridged();
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let mut capture = rig
        .switch
        .spawn(&[
            "tcpdump",
            "-i",
            "p0",
            "-Q",
            "in",
            "-s",
            "232",
            "-B",
            "65536",
            "--immediate-mode",
            "-Z",
            "root",
            "-Un",
            "-w",
            path,
        ])
        .unwrap();
    capture.says("listening on", Duration::from_secs(10)).unwrap();
    let (_helper, mut tap) = rig.ghost(sizes());
    let mut ours = Vec::new();
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            transfer(&rig.left, &rig.right, "10.77.0.2:0".parse().unwrap(), 4 << 20).unwrap()
        });
        while !load.is_finished() {
            ours.extend(read_all(&mut tap));
        }
    });
    std::thread::sleep(Duration::from_millis(500));
    capture.stop(Duration::from_secs(5));
    ours.extend(read_all(&mut tap));
    ours.retain(|frame| frame.ifindex == rig.port("p0"));
    let mut theirs = Vec::new();
    let mut reader = CaptureFile::open(Box::new(std::fs::File::open(path).unwrap())).unwrap();
    while let Some(frame) = reader.next().unwrap() {
        theirs.push((frame.wire_len, frame.data.to_vec()));
    }
    assert!(!theirs.is_empty());
    assert_eq!(ours.len(), theirs.len());
    for (ours, (wire_len, data)) in ours.iter().zip(&theirs) {
        assert_eq!(ours.wire_len, *wire_len);
        let common = ours.data.len().min(data.len());
        assert_eq!(ours.data[..common], data[..common]);
        assert_eq!(common, data.len().min(232));
    }
    let long = ours.iter().filter(|frame| frame.wire_len > 1514).collect::<Vec<_>>();
    assert!(!long.is_empty(), "no super-frame to look at");
    for frame in long {
        // 14 + 20 + 32 bytes of headers, 1448 of data a segment.
        assert_eq!(u32::from(frame.segments), (frame.wire_len - 66).div_ceil(1448), "{frame:?}");
    }
}

#[test]
fn netns_a_tls_hello_over_several_segments_is_kept_to_its_end() {
    if skipped(&[]) {
        return;
    }
    let rig = Rig::bridged();
    // Segments as on a wire, none put together.
    rig.left.run(&["ip", "link", "set", "e0", "gso_max_segs", "1"]).unwrap();
    let (_helper, mut tap) = rig.ghost(sizes());
    // A record of 3,000 bytes that begins like a client's hello, then 100,000 bytes of data.
    let mut stream: Vec<u8> = vec![0x16, 3, 1, 0x0b, 0xb3, 1, 0, 0x0b, 0xaf];
    stream.extend((0..2991u32).map(|i| (i % 251) as u8));
    stream.resize(103_000, 0x17);
    let listener = rig.right.within(|| std::net::TcpListener::bind("10.77.0.2:4433")).unwrap();
    let listener = listener.unwrap();
    rig.left
        .within(|| {
            use std::io::{Read, Write};
            let mut client = std::net::TcpStream::connect("10.77.0.2:4433").unwrap();
            let (mut server, _) = listener.accept().unwrap();
            std::thread::scope(|scope| {
                scope.spawn(|| client.write_all(&stream).unwrap());
                server.read_exact(&mut vec![0; stream.len()]).unwrap();
            });
        })
        .unwrap();
    let frames = read_all(&mut tap);
    let kept: Vec<&[u8]> = frames
        .iter()
        .filter(|f| f.ifindex == rig.port("p0") && f.wire_len > 74)
        .map(|f| f.data.get(66..).unwrap_or_default())
        .collect();
    assert!(kept.len() > 10, "the stream came in {} segments", kept.len());
    let hello: Vec<u8> = kept.iter().flat_map(|part| part.iter().copied()).take(3000).collect();
    assert!(hello == stream[..3000], "the hello is whole");
    let whole = kept.iter().filter(|part| part.len() > 166).count();
    assert!(whole <= 3, "{whole} segments were kept whole, where 3 hold the hello");
}

#[test]
fn netns_a_tap_that_nobody_reads_and_then_dies_costs_no_frame() {
    if skipped(&[]) {
        return;
    }
    let rig = Rig::bridged();
    let (helper, tap) = rig.ghost(SMALL);
    let far = rig.right.counters("e0").unwrap();
    let traffic = Traffic {
        rate: Some(20_000),
        frames: 30_000,
        seconds: 20.0,
        target_mac: [0xff; 6],
        ..Traffic::default()
    };
    std::thread::scope(|scope| {
        let load = scope.spawn(|| rig.left.within(|| generate::send("e0", &traffic)));
        std::thread::sleep(Duration::from_millis(500));
        drop((helper, tap));
        load.join().unwrap().unwrap().unwrap();
    });
    let arrived = || (rig.right.counters("e0").unwrap() - far).rx_packets;
    until("all frames at the far end", Duration::from_secs(5), || arrived() >= 30_000).unwrap();
}

#[test]
fn netns_a_port_is_attached_once_and_may_be_detached_and_attached_again() {
    if skipped(&[]) {
        return;
    }
    let rig = Rig::bridged();
    let (mut helper, mut tap) = rig.ghost(sizes());
    let p0 = rig.port("p0");
    assert!(matches!(
        helper.attach(p0, Direction::Ingress),
        Err(TapError::AlreadyAttached { direction: Direction::Ingress, .. })
    ));
    send_frames(&rig.left, "e0", &[broadcast(&[1; 40])]).unwrap();
    assert_eq!(read_all(&mut tap).len(), 1);
    helper.detach(p0, Direction::Ingress).unwrap();
    assert!(matches!(
        helper.detach(p0, Direction::Ingress),
        Err(TapError::NotAttached { direction: Direction::Ingress, .. })
    ));
    send_frames(&rig.left, "e0", &[broadcast(&[1; 40])]).unwrap();
    assert_eq!(read_all(&mut tap).len(), 0);
    helper.attach(p0, Direction::Ingress).unwrap();
    send_frames(&rig.left, "e0", &[broadcast(&[1; 40])]).unwrap();
    assert_eq!(read_all(&mut tap).len(), 1);
    assert_eq!(account(&tap, p0, Direction::Ingress).seen, 2);
    assert!(matches!(
        helper.attach(9999, Direction::Ingress),
        Err(TapError::NoInterface { ifindex: 9999 })
    ));
    assert!(matches!(helper.open_ghost(sizes()), Err(TapError::WrongOrder)));
    // A port that is gone is detached like any other.
    rig.switch.run(&["ip", "link", "del", "p1"]).unwrap();
    helper.detach(rig.port("p0"), Direction::Ingress).unwrap();
}

#[test]
fn netns_two_taps_at_one_port_both_see_and_the_end_of_the_connection_leaves_nothing() {
    if skipped(&[]) {
        return;
    }
    let rig = Rig::bridged();
    let (mut one, mut first) = rig.ghost(sizes());
    let (two, mut second) = rig.ghost(sizes());
    send_frames(&rig.left, "e0", &[broadcast(&[1; 40])]).unwrap();
    assert_eq!((read_all(&mut first).len(), read_all(&mut second).len()), (1, 1));
    let left = || rig.switch.within(traces).unwrap().unwrap();
    assert_eq!(left().len(), 6);
    drop(two);
    until("the second tap's end", Duration::from_secs(5), || left().len() == 3).unwrap();
    one.detach_all().unwrap();
    until("the first tap's end", Duration::from_secs(5), || left().is_empty()).unwrap();
}
