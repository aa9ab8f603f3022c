//! The laboratory itself: what it makes works, and is gone afterwards.

use ghost_lab::{Frame, Namespace, OVS_TOOLS, Ovs, skipped};
use std::time::Duration;

fn names() -> String {
    std::fs::read_dir("/run/netns")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Two hosts and a switch between them; the switch's ports are `p0` and `p1`.
fn hosts() -> (Namespace, Namespace, Namespace) {
    let [left, switch, right] =
        ["left", "switch", "right"].map(|name| Namespace::new(name).unwrap());
    ghost_lab::link_pair(&left, "eth0", &switch, "p0").unwrap();
    ghost_lab::link_pair(&right, "eth0", &switch, "p1").unwrap();
    for (host, number) in [(&left, 1), (&right, 2)] {
        host.address("eth0", &format!("10.77.0.{number}/24")).unwrap();
        host.address("eth0", &format!("fd77::{number}/64")).unwrap();
    }
    (left, switch, right)
}

#[test]
fn netns_a_linux_bridge_carries_tcp_and_everything_is_gone_afterwards() {
    if skipped(&["ping"]) {
        return;
    }
    let (left, switch, right) = hosts();
    ghost_lab::linux_bridge(&switch, "br0", &["p0", "p1"]).unwrap();
    left.run(&["ping", "-c1", "-W5", "10.77.0.2"]).unwrap();
    let before = switch.counters("p0").unwrap();
    let done =
        ghost_lab::transfer(&left, &right, "[fd77::2]:5001".parse().unwrap(), 8 << 20).unwrap();
    assert_ne!(done.up, done.down);
    let passed = switch.counters("p0").unwrap() - before;
    assert!(passed.rx_bytes > 8 << 20 && passed.tx_bytes > 8 << 20, "{passed:?}");

    let frame = Frame::new([0xff; 6], [2, 0, 0, 0, 0, 9]).tag(0x8100, 7);
    let frame = frame.udp4(([10, 77, 0, 1], 7), ([10, 77, 0, 2], 7), b"tagged");
    let before = right.counters("eth0").unwrap();
    ghost_lab::send_frames(&left, "eth0", &[frame.clone(), frame]).unwrap();
    ghost_lab::until("two tagged frames", Duration::from_secs(5), || {
        right.counters("eth0").unwrap().rx_packets >= before.rx_packets + 2
    })
    .unwrap();

    let mut sleeper = left.spawn(&["sleep", "1000"]).unwrap();
    assert!(sleeper.runs());
    let name = left.name().to_owned();
    drop(left);
    assert!(!sleeper.runs(), "what ran in a namespace ends with it");
    assert!(!names().contains(&name));
}

#[test]
fn netns_a_program_that_fails_says_why() {
    if skipped(&["ping"]) {
        return;
    }
    let host = Namespace::new("alone").unwrap();
    let err = host.run(&["ip", "link", "show", "nosuch0"]).unwrap_err().to_string();
    assert!(err.contains("ip link show nosuch0") && err.contains("does not exist"), "{err}");
    assert!(host.counters("nosuch0").unwrap_err().to_string().contains("nosuch0"));
    let late = host.spawn(&["sleep", "1000"]).unwrap().says("up", Duration::from_millis(50));
    assert!(late.unwrap_err().to_string().contains("waited"));
}

#[test]
fn netns_an_open_vswitch_of_ones_own_forwards_and_comes_back_after_a_pause() {
    if skipped(&[OVS_TOOLS, &["ping"]].concat()) {
        return;
    }
    let (left, switch, _right) = hosts();
    let mut ovs = Ovs::start(&switch).unwrap();
    ovs.bridge("br0", &["p0", "p1"]).unwrap();
    // What is asked while a switch learns may be lost: asked anew, not waited for.
    let reaches = || left.run(&["ping", "-c1", "-W1", "10.77.0.2"]).is_ok();
    ghost_lab::until("a way through", Duration::from_secs(10), reaches).unwrap();
    ovs.pause();
    assert!(!reaches());
    ovs.resume(&switch).unwrap();
    ghost_lab::until("a way again", Duration::from_secs(10), reaches).unwrap();
}
