//! Traffic at a known rate: frames of chosen sizes and flows, or a capture, sent out of one
//! interface.
//!
//! Bounded in count and in time. Not a peer of any protocol: nothing answers, nothing is resent.

use std::io;
use std::path::PathBuf;

/// What the frames carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Load {
    /// UDP datagrams of `flows` flows in turn.
    Udp,
    /// One SYN a flow.
    Syn,
    /// The frames of a classic capture file, over and over.
    Capture(PathBuf),
}

/// Traffic as one wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct Traffic {
    pub load: Load,
    /// Bytes of a frame, its checksum not counted: 60 for the shortest.
    pub size: usize,
    /// Flows that are sent in turn.
    pub flows: u32,
    /// After so many frames a flow is over and another takes its place; 0 for never.
    pub frames_a_flow: u32,
    /// Sources drawn by chance from 2^32 rather than counted up.
    pub random_sources: bool,
    /// Frames a second; as fast as it goes where none is said.
    pub rate: Option<u64>,
    /// The end, whichever comes first.
    pub frames: u64,
    pub seconds: f64,
    pub target_mac: [u8; 6],
    pub target: [u8; 4],
}

/// What was sent.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sent {
    pub frames: u64,
    pub bytes: u64,
    pub seconds: f64,
}

/// Sends out of `interface` of the network namespace that the caller stands in.
pub fn send(interface: &str, traffic: &Traffic) -> io::Result<Sent> {
    let _ = (interface, traffic);
    Err(io::ErrorKind::Unsupported.into())
}
