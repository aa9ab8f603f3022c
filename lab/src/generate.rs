//! Traffic at a known rate: frames of chosen sizes and flows, or a capture's, sent out of one
//! interface.
//!
//! Always bounded in count and in time. Not a peer of any protocol: nothing answers, nothing is
//! sent again. Frames go past the queueing discipline, so a rate is what the sender says, and taps
//! at the sending interface's own exit see nothing of them.
//!
//! Where the kernel has AF_XDP sockets, frames of up to 2 KiB are sent by one: on a veth cable
//! that is the fastest source there is.

mod frames;
mod sys;

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use frames::Frames;
use sys::{Packets, Xdp};

/// What the frames carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Load {
    /// UDP datagrams.
    Udp,
    /// TCP SYNs without options.
    Syn,
    /// The frames of a classic capture file, over and over; all else but rate and end is ignored.
    Capture(PathBuf),
}

/// Traffic as one wants it; `Traffic::default()` is 64 flows of the shortest UDP frames, as fast as
/// it goes, for a second.
#[derive(Debug, Clone, PartialEq)]
pub struct Traffic {
    pub load: Load,
    /// Bytes of a frame, its checksum not counted: 60 for the shortest.
    pub size: usize,
    /// Flows that are sent in turn.
    pub flows: u32,
    /// After so many frames a flow is over and another takes its place; 0 for never.
    pub frames_a_flow: u32,
    /// Every second frame of a flow goes the other way, by its addresses and ports.
    pub answered: bool,
    /// Each flow has an address and a port drawn by chance; else they are counted up.
    pub random_sources: bool,
    /// Frames a second; as fast as it goes where none is said.
    pub rate: Option<u64>,
    /// The end, whichever comes first.
    pub frames: u64,
    pub seconds: f64,
    pub target_mac: [u8; 6],
    pub target: [u8; 4],
    pub target_port: u16,
}

impl Default for Traffic {
    fn default() -> Traffic {
        Traffic {
            load: Load::Udp,
            size: 60,
            flows: 64,
            frames_a_flow: 0,
            answered: false,
            random_sources: false,
            rate: None,
            frames: u64::MAX,
            seconds: 1.0,
            target_mac: [2, 0, 0, 0, 0, 0x99],
            target: [10, 77, 0, 2],
            target_port: 9,
        }
    }
}

/// What was sent.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sent {
    /// Frames that the kernel took; the interface's counters know whether they left.
    pub frames: u64,
    pub seconds: f64,
}

/// Sends out of `interface` of the network namespace that the calling thread stands in.
///
/// # Errors
///
/// When there is no such interface, it is no root who asks, or the capture can't be read.
pub fn send(interface: &str, traffic: &Traffic) -> io::Result<Sent> {
    let ifindex = crate::sys::ifindex(interface)?;
    let mut frames = Frames::new(traffic)?;
    let mut way = Way::open(ifindex, &frames)?;
    let (start, mut sent) = (now(), 0);
    let limit = Duration::from_secs_f64(traffic.seconds.clamp(0.0, 3600.0));
    loop {
        let elapsed = now().duration_since(start);
        if elapsed >= limit || sent >= traffic.frames {
            break;
        }
        let due = traffic.rate.map_or(u64::MAX, |rate| {
            ((elapsed.as_secs_f64() * rate as f64) as u64 + 1).saturating_sub(sent)
        });
        if due == 0 {
            std::thread::sleep(Duration::from_micros(50));
            continue;
        }
        sent += way.send(&mut frames, due.min(traffic.frames - sent))?;
    }
    way.finish();
    Ok(Sent { frames: sent, seconds: now().duration_since(start).as_secs_f64() })
}

#[expect(clippy::disallowed_methods, reason = "a generator paces itself by the real clock")]
fn now() -> Instant {
    Instant::now()
}

/// Binds the calling thread to a processor, and puts it before every ordinary one. The kernel kills
/// the whole process when such a thread runs for `limit` without a pause: that is the watchdog.
///
/// # Errors
///
/// Without the right to do so.
pub fn take_processor(cpu: Option<usize>, priority: Option<u8>, limit: Duration) -> io::Result<()> {
    cpu.map_or(Ok(()), sys::bind_to)?;
    priority.map_or(Ok(()), |priority| sys::real_time(priority, limit))
}

/// How frames leave.
#[derive(Debug)]
enum Way {
    Xdp(Box<Xdp>),
    Packets(Packets),
}

impl Way {
    fn open(ifindex: u32, frames: &Frames) -> io::Result<Way> {
        if frames.longest() <= sys::CHUNK_BYTES
            && let Ok(xdp) = Xdp::open(ifindex)
        {
            return Ok(Way::Xdp(Box::new(xdp)));
        }
        Packets::open(ifindex, frames.longest()).map(Way::Packets)
    }

    /// Sends at most `most` frames, and at least tries; how many the kernel took.
    fn send(&mut self, frames: &mut Frames, most: u64) -> io::Result<u64> {
        match self {
            Way::Xdp(xdp) => xdp.send(frames, most),
            Way::Packets(packets) => packets.send(frames, most),
        }
    }

    /// Waits (shortly) for what is still on its way out.
    fn finish(&mut self) {
        if let Way::Xdp(xdp) = self {
            xdp.drain();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Namespace, link_pair};

    #[test]
    fn netns_what_is_sent_is_what_the_other_end_counts() {
        if crate::skipped(&[]) {
            return;
        }
        let (source, sink) = (Namespace::new("gen").unwrap(), Namespace::new("sink").unwrap());
        link_pair(&source, "e0", &sink, "e1").unwrap();
        for namespace in [&source, &sink] {
            namespace.sysctl("net/ipv6/conf/all/disable_ipv6", "1").unwrap();
        }
        // The shorter go by AF_XDP, the longer by a packet socket.
        source.mtu("e0", 9000).unwrap();
        sink.mtu("e1", 9000).unwrap();
        for size in [60, 1514, 4000] {
            let before = sink.counters("e1").unwrap();
            let traffic = Traffic { size, frames: 20_000, seconds: 20.0, ..Traffic::default() };
            let sent = source.within(|| send("e0", &traffic)).unwrap().unwrap();
            let got = sink.counters("e1").unwrap() - before;
            assert_eq!((sent.frames, got.rx_packets), (20_000, 20_000), "{size}");
            assert_eq!(got.rx_bytes, 20_000 * size as u64);
        }
    }

    #[test]
    fn netns_a_rate_and_a_time_are_kept() {
        if crate::skipped(&[]) {
            return;
        }
        let namespace = Namespace::new("pace").unwrap();
        link_pair(&namespace, "e0", &namespace, "e1").unwrap();
        let traffic = Traffic { rate: Some(2000), seconds: 0.5, ..Traffic::default() };
        let sent = namespace.within(|| send("e0", &traffic)).unwrap().unwrap();
        // However busy the machine: never more than the rate, and it ends.
        assert!(sent.seconds >= 0.5 && sent.frames as f64 <= 2000.0 * sent.seconds + 1.0);
        assert!(sent.frames > 0);
    }
}
