//! Two hosts, a switch between them, and a helper in the switch's namespace.

#![allow(dead_code, reason = "each test file uses its part")]

use std::os::fd::OwnedFd;
use std::thread::JoinHandle;
use std::time::Duration;

use ghost_lab::{Counters, Namespace, link_pair, linux_bridge};
use ghost_tap::live::{Direction, Helper, PortCounters, RingSizes, Tap, TapError, serve};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

pub(crate) const SMALL: RingSizes =
    RingSizes { ring_bytes: 64 << 10, handshake_bytes: 64 << 10, rings: 64 };

pub(crate) fn sizes() -> RingSizes {
    let cpus = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    RingSizes::with_total(16 << 20, cpus)
}

pub(crate) struct Rig {
    pub(crate) left: Namespace,
    pub(crate) switch: Namespace,
    pub(crate) right: Namespace,
}

impl Rig {
    /// Ports p0 and p1 of the switch, joined by nothing yet.
    pub(crate) fn apart() -> Rig {
        let rig = Rig {
            left: Namespace::new("left").unwrap(),
            switch: Namespace::new("switch").unwrap(),
            right: Namespace::new("right").unwrap(),
        };
        // No chatter of the hosts' own: frames are counted one by one.
        for namespace in [&rig.left, &rig.switch, &rig.right] {
            for which in ["all", "default"] {
                namespace.sysctl(&format!("net/ipv6/conf/{which}/disable_ipv6"), "1").unwrap();
            }
        }
        link_pair(&rig.left, "e0", &rig.switch, "p0").unwrap();
        link_pair(&rig.right, "e0", &rig.switch, "p1").unwrap();
        rig.left.address("e0", "10.77.0.1/24").unwrap();
        rig.right.address("e0", "10.77.0.2/24").unwrap();
        rig
    }

    /// Joined by a Linux bridge br0, at which the switch itself is 10.77.0.3.
    pub(crate) fn bridged() -> Rig {
        let rig = Rig::apart();
        linux_bridge(&rig.switch, "br0", &["p0", "p1"]).unwrap();
        rig.switch.address("br0", "10.77.0.3/24").unwrap();
        // Announcements of links and addresses have passed.
        std::thread::sleep(Duration::from_secs(2));
        rig
    }

    pub(crate) fn port(&self, name: &str) -> u32 {
        self.switch.ifindex(name).unwrap()
    }

    pub(crate) fn counters(&self, name: &str) -> Counters {
        self.switch.counters(name).unwrap()
    }

    pub(crate) fn ping(&self) -> bool {
        self.left.run(&["ping", "-c", "1", "-W", "2", "10.77.0.2"]).is_ok()
    }

    /// A helper on a thread of the switch's namespace, and the engine's end of its socket.
    pub(crate) fn helper(&self) -> (Helper, JoinHandle<Result<(), TapError>>) {
        let (ours, theirs) = pair();
        let served = self.switch.within(move || std::thread::spawn(move || serve(theirs))).unwrap();
        (Helper::connect(ours).unwrap(), served)
    }

    /// A ghost tap where frames enter the bridge: both ports, and what the switch itself sends.
    pub(crate) fn ghost(&self, sizes: RingSizes) -> (Helper, Tap) {
        let (mut helper, _) = self.helper();
        let tap = helper.open_ghost(sizes).unwrap();
        for (name, direction) in
            [("p0", Direction::Ingress), ("p1", Direction::Ingress), ("br0", Direction::Egress)]
        {
            helper.attach(self.port(name), direction).unwrap();
        }
        (helper, tap)
    }
}

pub(crate) fn pair() -> (OwnedFd, OwnedFd) {
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap()
}

/// A frame as it was handed out, kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) ns: u64,
    pub(crate) ifindex: u32,
    pub(crate) direction: Direction,
    pub(crate) wire_len: u32,
    pub(crate) segments: u16,
    pub(crate) data: Vec<u8>,
}

/// Takes everything that waits.
pub(crate) fn read_all(tap: &mut Tap) -> Vec<Kept> {
    let mut frames = Vec::new();
    let mut quiet = 0;
    while quiet < 3 {
        let polled = tap.poll(1 << 16, &mut |frame| {
            frames.push(Kept {
                ns: frame.monotonic_ns,
                ifindex: frame.ifindex,
                direction: frame.direction,
                wire_len: frame.wire_len,
                segments: frame.segments,
                data: frame.data.to_vec(),
            });
        });
        quiet = if polled.frames == 0 { quiet + 1 } else { 0 };
        std::thread::sleep(Duration::from_millis(1));
    }
    frames
}

pub(crate) fn account(tap: &Tap, ifindex: u32, direction: Direction) -> PortCounters {
    let mut found = tap.counters();
    found.retain(|c| (c.ifindex, c.direction) == (ifindex, direction));
    match found.as_slice() {
        [one] => *one,
        other => panic!("accounts of {ifindex} {direction:?}: {other:?}"),
    }
}
