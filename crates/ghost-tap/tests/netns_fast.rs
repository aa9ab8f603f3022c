//! Forwarding and copying by one program, which outlives who started it.

#![expect(clippy::print_stderr, reason = "says why it is left out")]

mod rig;

use std::time::Duration;

use ghost_lab::generate::{self, Traffic};
use ghost_lab::{Frame, send_frames, skipped, transfer, until};
use ghost_tap::live::{
    Direction, InlineSizes, Tap, TapError, Trace, detach_all, ensure_bpffs, traces,
};
use rig::{Rig, SMALL, account, read_all, sizes};

fn no_bpffs() -> bool {
    if skipped(&["ping"]) {
        return true;
    }
    let why = ensure_bpffs().err();
    if let Some(why) = &why {
        eprintln!("SKIPPED: {why}");
        assert!(std::env::var_os("CI").is_none(), "bpffs is needed in CI");
    }
    why.is_some()
}

/// The switch's traces; removed when a test ends, however it does.
struct Clean<'a>(&'a Rig);

impl Drop for Clean<'_> {
    fn drop(&mut self) {
        let _ = self.0.switch.within(detach_all);
    }
}

fn one_frame(rig: &Rig) {
    let frame = Frame::new([2, 0, 0, 0, 0, 9], [2, 0, 0, 0, 0, 1]);
    let (from, to) = (([10, 77, 0, 1], 40_000), ([10, 77, 0, 2], 40_001));
    send_frames(&rig.left, "e0", &[frame.udp4(from, to, &[1; 40])]).unwrap();
}

#[test]
fn netns_a_wire_forwards_both_ways_and_goes_on_when_all_who_made_it_are_gone() {
    if no_bpffs() {
        return;
    }
    let rig = Rig::apart();
    let _clean = Clean(&rig);
    let (p0, p1) = (rig.port("p0"), rig.port("p1"));
    assert!(!rig.ping(), "nothing joins the ports yet");
    // Its question who 10.77.0.2 is, asked once a second, three times.
    let asked = || rig.counters("p0").rx_packets;
    let mut last = 0;
    until("the last of them", Duration::from_secs(10), || {
        std::thread::sleep(Duration::from_millis(1300));
        std::mem::replace(&mut last, asked()) == last
    })
    .unwrap();
    let (mut helper, served) = rig.helper();
    let before = ["p0", "p1"].map(|port| rig.counters(port));
    let mut tap = helper.open_fast(p0, p1, sizes()).unwrap();
    // The hosts have given each other up for a moment.
    until("the wire to carry", Duration::from_secs(10), || rig.ping()).unwrap();
    transfer(&rig.left, &rig.right, "10.77.0.2:0".parse().unwrap(), 32 << 20).unwrap();
    // The last acknowledgements are on their way still.
    std::thread::sleep(Duration::from_millis(300));
    read_all(&mut tap);
    for (at, (name, port)) in [("p0", p0), ("p1", p1)].into_iter().enumerate() {
        let counters = account(&tap, port, Direction::Ingress);
        let came = rig.counters(name) - before[at];
        assert_eq!(counters.seen + counters.lost, came.rx_packets, "{counters:?}");
        assert!(counters.seen > 100);
    }
    // Another one is told that the wire is taken.
    let (mut other, _) = rig.helper();
    assert!(matches!(other.open_fast(p1, p0, sizes()), Err(TapError::Busy)));
    drop((helper, tap));
    served.join().unwrap().unwrap();
    transfer(&rig.left, &rig.right, "10.77.0.2:0".parse().unwrap(), 8 << 20).unwrap();
    // What passed meanwhile waits in the rings for whoever comes next.
    let (mut helper, _) = rig.helper();
    let mut tap = helper.open_fast(p0, p1, sizes()).unwrap();
    assert!(read_all(&mut tap).len() > 100);
    one_frame(&rig);
    assert_eq!(read_all(&mut tap).len(), 1);
    let left = || rig.switch.within(traces).unwrap().unwrap();
    let links = left().iter().filter(|trace| matches!(trace, Trace::Link { .. })).count();
    assert_eq!(links, 2, "adopted, not made anew: {:?}", left());
    helper.detach_all().unwrap();
    assert_eq!(left(), []);
    assert!(!rig.ping());
}

#[test]
fn netns_what_was_lost_before_a_wire_is_taken_over_is_told_apart() {
    if no_bpffs() {
        return;
    }
    let rig = Rig::apart();
    let _clean = Clean(&rig);
    let (p0, p1) = (rig.port("p0"), rig.port("p1"));
    let flood = || {
        let traffic =
            Traffic { rate: Some(50_000), frames: 8_000, seconds: 20.0, ..Traffic::default() };
        let traffic = Traffic { target_mac: [0xff; 6], ..traffic };
        let before = rig.counters("p0");
        rig.left.within(|| generate::send("e0", &traffic)).unwrap().unwrap();
        let came = || (rig.counters("p0") - before).rx_packets;
        until("all of them", Duration::from_secs(10), || came() >= 8_000).unwrap();
    };
    let (mut helper, served) = rig.helper();
    let began = rig.counters("p0");
    let tap = helper.open_fast(p0, p1, SMALL).unwrap();
    assert!(tap.lost_before().is_empty(), "all is new");
    flood();
    let first = account(&tap, p0, Direction::Ingress).lost;
    assert!(first > 1_000);
    drop((helper, tap));
    served.join().unwrap().unwrap();
    // Nobody reads now, so all of it is lost but what waits in the rings.
    flood();
    let (mut helper, _) = rig.helper();
    let mut tap = helper.open_fast(p0, p1, SMALL).unwrap();
    let before = tap.lost_before().iter().find(|c| c.ifindex == p0).copied().unwrap();
    assert!(before.lost > first + 1_000, "{before:?} after {first}");
    assert_eq!(account(&tap, p0, Direction::Ingress).lost, 0, "none of it is this tap's");
    let waited = read_all(&mut tap).len() as u64;
    // The rings are one a CPU, and the flood may have moved to another.
    assert!(before.lost + waited >= 16_000, "{before:?}, {waited} waited");
    flood();
    read_all(&mut tap);
    let now = account(&tap, p0, Direction::Ingress);
    assert!(now.lost > 1_000 && waited > 0, "{now:?}, {waited}");
    let came = (rig.counters("p0") - began).rx_packets;
    assert_eq!(now.seen + now.lost + before.lost, came);
    helper.detach_all().unwrap();
}

#[test]
fn netns_a_wire_is_refused_where_other_programs_sit() {
    if no_bpffs() {
        return;
    }
    let rig = Rig::apart();
    let _clean = Clean(&rig);
    let (p0, p1) = (rig.port("p0"), rig.port("p1"));
    let (mut other, _) = rig.helper();
    let _tap = other.open_ghost(sizes()).unwrap();
    other.attach(p1, Direction::Ingress).unwrap();
    let (mut helper, _) = rig.helper();
    match helper.open_fast(p0, p1, sizes()) {
        Err(TapError::OtherPrograms { ifindex, programs: 1 }) => assert_eq!(ifindex, p1),
        other => panic!("{other:?}"),
    }
    assert!(matches!(helper.open_fast(p0, p0, sizes()), Err(TapError::SamePort)));
    let left = rig.switch.within(traces).unwrap().unwrap();
    assert_eq!(left.len(), 1, "nothing half made is left: {left:?}");
}

#[test]
fn netns_a_wire_whose_port_was_made_anew_is_made_anew() {
    if no_bpffs() {
        return;
    }
    let rig = Rig::apart();
    let _clean = Clean(&rig);
    let (p0, p1) = (rig.port("p0"), rig.port("p1"));
    let (mut helper, served) = rig.helper();
    drop(helper.open_fast(p0, p1, sizes()).unwrap());
    drop(helper);
    served.join().unwrap().unwrap();
    rig.right.run(&["ip", "link", "del", "e0"]).unwrap();
    let right = rig.right.name();
    rig.switch
        .run(&[
            "ip",
            "link",
            "add",
            "p1",
            "index",
            &p1.to_string(),
            "type",
            "veth",
            "peer",
            "name",
            "e0",
            "netns",
            right,
        ])
        .unwrap();
    rig.switch.run(&["ip", "link", "set", "p1", "up"]).unwrap();
    rig.right.run(&["ip", "link", "set", "e0", "up"]).unwrap();
    rig.right.address("e0", "10.77.0.2/24").unwrap();
    assert_eq!(rig.port("p1"), p1, "the same index, another port");
    assert!(!rig.ping());
    // The old link at p0 is one of a wire that is broken.
    let (mut helper, _) = rig.helper();
    let mut tap = helper.open_fast(p0, p1, sizes()).unwrap();
    until("the wire to carry", Duration::from_secs(10), || rig.ping()).unwrap();
    assert!(read_all(&mut tap).len() >= 2);
}

#[test]
fn netns_detach_removes_what_a_dead_daemon_and_a_live_one_left() {
    if no_bpffs() {
        return;
    }
    let rig = Rig::apart();
    let (p0, p1) = (rig.port("p0"), rig.port("p1"));
    let look = || rig.switch.within(traces).unwrap().unwrap();
    assert_eq!(look(), []);
    let (mut helper, served) = rig.helper();
    drop(helper.open_fast(p0, p1, sizes()).unwrap());
    drop(helper);
    served.join().unwrap().unwrap();
    let other = Rig::bridged();
    let (_alive, _tap) = other.ghost(sizes());
    let before = other.switch.within(traces).unwrap().unwrap();
    assert!(look().len() > 6, "links, maps and folders: {:?}", look());
    let removed = rig.switch.within(detach_all).unwrap().unwrap();
    assert!(removed.len() > 6);
    assert_eq!(look(), []);
    // Another namespace's taps are none of this one's business.
    assert_eq!(other.switch.within(traces).unwrap().unwrap(), before);
    other.switch.within(detach_all).unwrap().unwrap();
    assert_eq!(other.switch.within(traces).unwrap().unwrap(), []);
    assert!(other.ping(), "the bridge goes on");
    assert_eq!(rig.switch.within(detach_all).unwrap().unwrap(), [], "twice is no error");
}

#[test]
fn netns_the_kernel_forwards_while_the_inline_wire_is_silent() {
    if no_bpffs() {
        return;
    }
    let rig = Rig::apart();
    let _clean = Clean(&rig);
    let (p0, p1) = (rig.port("p0"), rig.port("p1"));
    let (mut helper, served) = rig.helper();
    let mut tap = helper.open_inline(p0, p1, InlineSizes::default()).unwrap();
    assert!(matches!(tap, Tap::Inline(_)));
    transfer(&rig.left, &rig.right, "10.77.0.2:0".parse().unwrap(), 4 << 20).unwrap();
    let frames = read_all(&mut tap).len();
    assert!(frames > 10);
    assert!(rig.ping(), "one answer, not two");
    let twice = rig.left.run(&["ping", "-c", "3", "-i", "0.1", "-W", "2", "10.77.0.2"]).unwrap();
    assert!(!twice.contains("DUP"), "{twice}");
    // The thread that forwards ends; nobody tells the kernel.
    drop((tap, helper));
    served.join().unwrap().unwrap();
    until("the kernel to take over", Duration::from_secs(5), || rig.ping()).unwrap();
    transfer(&rig.left, &rig.right, "10.77.0.2:0".parse().unwrap(), 4 << 20).unwrap();
    let (mut helper, _) = rig.helper();
    let mut tap = helper.open_inline(p0, p1, InlineSizes::default()).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    assert!(rig.ping());
    assert!(!read_all(&mut tap).is_empty(), "user space forwards again");
    helper.detach_all().unwrap();
    assert_eq!(rig.switch.within(traces).unwrap().unwrap(), []);
}
