//! Inline: this machine's user space is the wire between two ports.
//!
//! A thread of its own moves every frame from one port to the other, offloads, checksums to be
//! done and VLAN tags included, and only then copies its beginning for the reader: a reader that
//! is slow, or stands still, costs records (counted), never a frame. It beats a heartbeat that a
//! program in the kernel may watch, to take over where the beat is old.
//!
//! Joined ports should have no addresses of their own: what arrives also reaches this host, unless
//! the program that watches the heartbeat drops it.
//!
//! Not done: tunnels' own super-frames (GSO of VXLAN, GRE) cannot be told to such a socket by the
//! kernel, which counts them as lost; frames longer than the other port's MTU are not cut.

mod forward;
mod records;
mod slot;
mod sys;

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::{Direction, LiveFrame, Polled, PortCounters};
use forward::{Forwarder, Port, Shared};

/// A heartbeat older than this is no heartbeat: the kernel forwards by itself.
pub const HEARTBEAT_STALE_NS: u64 = 200_000_000;

/// Link header, two tags, the offload header and the kernel's own, beside the payload.
const SLOT_OVERHEAD_BYTES: usize = 160;

/// Why two ports cannot be joined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InlineError {
    /// The port's socket could not be made ready; see the cause.
    #[error("port {ifindex}: could not {step}: {source}")]
    Port { ifindex: u32, step: &'static str, source: std::io::Error },
    /// A wire has two ends.
    #[error("both ends of the wire are interface {ifindex}: name two interfaces")]
    Same { ifindex: u32 },
    /// The page with the heartbeat could not be mapped.
    #[error("could not map the heartbeat: {0}")]
    Heartbeat(std::io::Error),
    /// The thread that forwards could not be started.
    #[error("could not start the thread that forwards: {0}")]
    Thread(std::io::Error),
}

/// One end of the wire; the socket comes from [`open_socket`].
#[derive(Debug)]
pub struct InlinePort {
    pub ifindex: u32,
    pub socket: OwnedFd,
}

/// How much memory the wire may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InlineSizes {
    /// Of the kernel's ring of arriving frames, a port.
    pub receive_bytes: usize,
    /// Of copies that wait for the reader.
    pub record_bytes: usize,
}

impl Default for InlineSizes {
    fn default() -> InlineSizes {
        InlineSizes { receive_bytes: 16 << 20, record_bytes: 64 << 20 }
    }
}

/// What passed one port, from the wire's own place: together, the frames that came in there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PortTraffic {
    pub ifindex: u32,
    /// Came in here and went out at the other port.
    pub forwarded: u64,
    /// Came in while the heartbeat was old: the kernel forwarded them.
    pub forwarded_by_kernel: u64,
    /// Came in and found the ring full.
    pub missed: u64,
    /// Came in, but could not be sent on.
    pub refused: u64,
}

/// A raw socket for one port, of the calling thread's network namespace: all of the wire that
/// needs CAP_NET_RAW (and CAP_NET_ADMIN, without which its buffers are small).
pub fn open_socket() -> std::io::Result<OwnedFd> {
    sys::open()
}

/// Two ports, joined for as long as this lives.
#[derive(Debug)]
pub struct InlineTap {
    shared: Arc<Shared>,
    reader: records::Reader,
    seen: [PortCounters; 2],
    warnings: Vec<String>,
    thread: Option<JoinHandle<()>>,
}

impl InlineTap {
    /// Joins two ports. `heartbeat` is an mmapable array map whose first value (8 bytes) is the
    /// beat in nanoseconds of CLOCK_MONOTONIC. Needs no capability.
    pub fn start(
        ports: [InlinePort; 2],
        heartbeat: Option<OwnedFd>,
        sizes: InlineSizes,
    ) -> Result<InlineTap, InlineError> {
        let indices = [ports[0].ifindex, ports[1].ifindex];
        if indices[0] == indices[1] {
            return Err(InlineError::Same { ifindex: indices[0] });
        }
        let heartbeat = heartbeat.map(|map| sys::Heartbeat::new(&map)).transpose();
        let heartbeat = heartbeat.map_err(InlineError::Heartbeat)?;
        let (mut rings, mut mtus, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
        for port in &ports {
            let failed = |(step, source)| InlineError::Port { ifindex: port.ifindex, step, source };
            let (mtu, up) = sys::mtu_and_state(&port.socket, port.ifindex)
                .map_err(|e| failed(("find the interface", e)))?;
            if !up {
                warnings.push(format!("interface {} is down: nothing passes", port.ifindex));
            }
            sys::prepare(&port.socket).map_err(failed)?;
            let slot_bytes = mtu as usize + SLOT_OVERHEAD_BYTES;
            let ring = sys::ReceiveRing::new(&port.socket, slot_bytes, sizes.receive_bytes);
            rings.push(ring.map_err(failed)?);
            mtus.push(mtu);
        }
        warnings.extend(unequal(indices, &mtus));
        // Both rings stand before either port receives: nothing arrives that cannot be sent on.
        for port in &ports {
            let failed = |(step, source)| InlineError::Port { ifindex: port.ifindex, step, source };
            sys::bind(&port.socket, port.ifindex).map_err(failed)?;
        }
        let shared = Arc::new(Shared {
            ports: ports.map(|port| Port::new(port.ifindex, port.socket)),
            stop: AtomicBool::new(false),
        });
        let (writer, reader) = records::pair(sizes.record_bytes);
        let rings: [sys::ReceiveRing; 2] =
            rings.try_into().map_err(|_| InlineError::Same { ifindex: indices[0] })?;
        let forwarder = Forwarder::new(Arc::clone(&shared), rings, writer, heartbeat);
        let thread = std::thread::Builder::new().name("gb-wire".into());
        let thread = thread.spawn(|| forwarder.run()).map_err(InlineError::Thread)?;
        let seen = indices.map(|ifindex| PortCounters {
            ifindex,
            direction: Direction::Ingress,
            ..PortCounters::default()
        });
        Ok(InlineTap { shared, reader, seen, warnings, thread: Some(thread) })
    }

    /// Hands out what waits, at most `budget` frames; never blocks.
    pub fn poll(&mut self, budget: u32, each: &mut impl FnMut(&LiveFrame<'_>)) -> Polled {
        let seen = &mut self.seen;
        let (frames, more) = self.reader.read(budget, &mut |meta, data| {
            let Some(port) = seen.get_mut(usize::from(meta.port)) else { return };
            port.seen += 1;
            port.seen_segments += u64::from(meta.segments);
            port.seen_bytes += u64::from(meta.wire_len);
            each(&LiveFrame {
                monotonic_ns: meta.monotonic_ns,
                ifindex: port.ifindex,
                direction: Direction::Ingress,
                wire_len: meta.wire_len,
                segments: meta.segments,
                data,
            });
        });
        Polled { frames, more }
    }

    /// `seen + lost` of both ports, as for every tap. Of frames that found the kernel's ring full
    /// neither bytes nor segments are known.
    #[must_use]
    pub fn counters(&self) -> Vec<PortCounters> {
        let ports = self.seen.iter().zip(&self.shared.ports);
        ports
            .map(|(seen, port)| {
                let missed = port.count_missed();
                PortCounters {
                    lost: missed + port.unrecorded.load(Ordering::Relaxed),
                    lost_segments: missed + port.unrecorded_segments.load(Ordering::Relaxed),
                    lost_bytes: port.unrecorded_bytes.load(Ordering::Relaxed),
                    ..*seen
                }
            })
            .collect()
    }

    /// What the wire itself did.
    #[must_use]
    pub fn traffic(&self) -> [PortTraffic; 2] {
        [0, 1].map(|at| {
            let port = &self.shared.ports[at];
            PortTraffic {
                ifindex: port.ifindex,
                forwarded: port.forwarded.load(Ordering::Relaxed),
                forwarded_by_kernel: port.forwarded_by_kernel.load(Ordering::Relaxed),
                missed: port.count_missed(),
                refused: port.refused.load(Ordering::Relaxed),
            }
        })
    }

    /// What a person should know: ports of unequal MTU, ports that are down.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Frames wait for [`poll`](InlineTap::poll) no more once this is false: a port was removed,
    /// or the thread ended. The wire must be made anew.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
            && self.shared.ports.iter().all(|port| !port.gone.load(Ordering::Relaxed))
    }
}

impl Drop for InlineTap {
    /// Ends the wire; frames that wait in the rings are lost, unless the kernel takes over.
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn unequal(ports: [u32; 2], mtus: &[u32]) -> Option<String> {
    let [a, b] = *mtus else { return None };
    let (longer, shorter) = if a > b { (ports[0], ports[1]) } else { (ports[1], ports[0]) };
    let (long, short) = (a.max(b), a.min(b));
    (a != b).then(|| {
        format!(
            "interfaces {longer} and {shorter} have MTUs of {long} and {short}: frames longer than \
             {short} bytes cannot pass; set both to the same"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unequal_mtus_are_told_with_the_smaller_one() {
        assert_eq!(unequal([3, 4], &[1500, 1500]), None);
        let warning = unequal([3, 4], &[1500, 9000]).unwrap();
        assert!(warning.contains("interfaces 4 and 3") && warning.contains("1500 bytes"));
    }

    #[test]
    fn a_wire_from_a_port_to_itself_is_refused() {
        let null = || std::fs::File::open("/dev/null").unwrap().into();
        let port = || InlinePort { ifindex: 7, socket: null() };
        let refused = InlineTap::start([port(), port()], None, InlineSizes::default());
        assert!(matches!(refused, Err(InlineError::Same { ifindex: 7 })));
    }
}
