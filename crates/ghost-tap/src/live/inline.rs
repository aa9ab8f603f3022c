//! Inline: this machine's user space is the wire between two ports.
//!
//! A thread of its own moves every frame from one port to the other, offloads, checksums to be
//! done and VLAN tags included, and only then copies its beginning for the reader: a reader that
//! is slow, or stands still, costs records (counted), never a frame. It beats a heartbeat that a
//! program in the kernel may watch, to take over where the beat is old.
//!
//! Not done: tunnels' own super-frames (GSO of VXLAN, GRE) cannot be told to such a socket by the
//! kernel, which counts them as lost; frames longer than the other port's MTU are not cut.

use std::os::fd::OwnedFd;

use super::{LiveFrame, Polled, PortCounters};

/// A heartbeat older than this is no heartbeat: the kernel forwards by itself.
pub const HEARTBEAT_STALE_NS: u64 = 200_000_000;

/// Why two ports cannot be joined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InlineError {
    /// The socket could not be made ready.
    #[error("port {ifindex}: {step}: {source}")]
    Port { ifindex: u32, step: &'static str, source: std::io::Error },
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

/// What passed one port, from the wire's own place.
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

/// A raw socket for one port: all that needs CAP_NET_RAW (and CAP_NET_ADMIN, for large buffers).
pub fn open_socket() -> std::io::Result<OwnedFd> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// Two ports, joined.
#[derive(Debug)]
pub struct InlineTap {}

impl InlineTap {
    /// Joins two ports. `heartbeat` is an mmapable array map whose first value (8 bytes) is the
    /// beat in nanoseconds of CLOCK_MONOTONIC. Needs no capability.
    pub fn start(
        ports: [InlinePort; 2],
        heartbeat: Option<OwnedFd>,
        sizes: InlineSizes,
    ) -> Result<InlineTap, InlineError> {
        let _ = (heartbeat, sizes);
        let source = std::io::ErrorKind::Unsupported.into();
        Err(InlineError::Port { ifindex: ports[0].ifindex, step: "not finished", source })
    }

    /// Hands out what waits, at most `budget` frames; never blocks.
    pub fn poll(&mut self, budget: u32, each: &mut impl FnMut(&LiveFrame<'_>)) -> Polled {
        let _ = (budget, each);
        Polled::default()
    }

    /// `seen + lost` of both ports, as for every tap.
    pub fn counters(&self) -> Vec<PortCounters> {
        Vec::new()
    }

    /// What the wire itself did.
    pub fn traffic(&self) -> [PortTraffic; 2] {
        [PortTraffic::default(); 2]
    }

    /// What a person should know: ports of unequal MTU.
    pub fn warnings(&self) -> &[String] {
        &[]
    }
}
