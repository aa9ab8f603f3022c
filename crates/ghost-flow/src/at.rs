//! When, where and as how much a frame was seen: what does not stand in its bytes.

use ghost_event::{Port, Timestamp};
use ghost_wire::Packet;

/// What the tap tells of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameAt {
    pub ts: Timestamp,
    /// Bytes of the frame as the tap saw it, link header included.
    pub wire_len: u32,
    /// Frames of the wire that it stands for: 1, or the segments of a super-frame (GSO, GRO).
    pub segments: u16,
    pub port: Port,
}

impl FrameAt {
    /// A frame of a file: of one segment and no bridge.
    #[must_use]
    pub fn file(ts: Timestamp, wire_len: u32) -> FrameAt {
        FrameAt { ts, wire_len, segments: 1, port: Port::default() }
    }
}

/// One packet as it was counted to its flow.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    pub at: &'a FrameAt,
    /// It went from the side that opened the flow to the other.
    pub to_server: bool,
    pub packet: &'a Packet<'a>,
}
