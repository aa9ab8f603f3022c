//! The inline wire and the kernel's program that stands in for it, handing frames to each other.

mod rig;

use std::time::Duration;

use ghost_lab::generate::{self, Traffic};
use ghost_lab::{skipped, until};
use ghost_tap::live::{InlineSizes, Tap, detach_all, ensure_bpffs};
use rig::Rig;

#[test]
#[expect(clippy::print_stderr, reason = "a test that was left out must be seen to be")]
fn netns_a_wire_that_ends_and_begins_again_under_load_loses_no_frame() {
    if skipped(&[]) {
        return;
    }
    if let Err(why) = ensure_bpffs() {
        eprintln!("SKIPPED: {why}");
        assert!(std::env::var_os("CI").is_none(), "bpffs is needed in CI");
        return;
    }
    const FRAMES: u64 = 40_000;
    let rig = Rig::apart();
    let (p0, p1) = (rig.port("p0"), rig.port("p1"));
    let open = || {
        let (mut helper, served) = rig.helper();
        let tap = helper.open_inline(p0, p1, InlineSizes::default()).unwrap();
        (helper, served, tap)
    };
    let before = rig.right.counters("e0").unwrap();
    let came_in = rig.counters("p0");
    let arrived = || (rig.right.counters("e0").unwrap() - before).rx_packets;
    let (mut by_wire, mut by_kernel, mut refused, mut missed) = (0, 0, 0, 0);
    let first = open();
    std::thread::scope(|scope| {
        let traffic =
            Traffic { rate: Some(20_000), frames: FRAMES, seconds: 30.0, ..Traffic::default() };
        let left = &rig.left;
        let sending = scope.spawn(move || left.within(|| generate::send("e0", &traffic)));
        let mut wire = Some(first);
        for part in 1..=4 {
            until("a part of the frames", Duration::from_secs(20), || arrived() > part * 6_000)
                .unwrap();
            let (helper, served, tap) = wire.take().unwrap_or_else(open);
            let Tap::Inline(tap) = tap else { panic!("no inline tap") };
            if part > 1 {
                until("frames on the wire anew", Duration::from_secs(10), || {
                    tap.traffic()[0].forwarded > 100
                })
                .unwrap();
            }
            let counted = tap.traffic()[0];
            by_kernel += counted.forwarded_by_kernel;
            by_wire += counted.forwarded;
            refused += counted.refused;
            missed += counted.missed;
            drop(tap);
            drop(helper);
            served.join().unwrap().unwrap();
        }
        assert_eq!(sending.join().unwrap().unwrap().unwrap().frames, FRAMES);
    });
    let came = (rig.counters("p0") - came_in).rx_packets;
    assert_eq!(came, FRAMES);
    let _ = until("the last frames", Duration::from_secs(5), || arrived() >= FRAMES);
    let told = format!("wire {by_wire}, kernel {by_kernel}, refused {refused}, missed {missed}");
    assert!(arrived() >= FRAMES - missed, "{} of {FRAMES} arrived: {told}", arrived());
    // Some go twice at a change of hands: those of the few microseconds between two clocks.
    assert!(arrived() <= FRAMES + FRAMES / 100, "{} of {FRAMES} arrived: {told}", arrived());
    rig.switch.within(detach_all).unwrap().unwrap();
}
