//! One live frame, and the accounts of a port.

/// Which way a frame was going when it was seen, from the interface's own place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Direction {
    /// It came in through the interface.
    #[default]
    Ingress,
    /// The host (or a bridge) sent it out through the interface.
    Egress,
}

/// One frame as a tap saw it; `data` stands in the tap's own memory until the next poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveFrame<'a> {
    /// Nanoseconds of CLOCK_MONOTONIC; the node turns them into wall time.
    pub monotonic_ns: u64,
    /// Of the interface at which it was seen.
    pub ifindex: u32,
    pub direction: Direction,
    /// Bytes on the wire (link header and VLAN tags included, no FCS) of what the kernel handed
    /// over as one frame; `data` may be its beginning only.
    pub wire_len: u32,
    /// Frames of the wire that it stands for: 1, or the segments of a super-frame (GSO, GRO).
    pub segments: u16,
    /// Ethernet from its first byte, tags in place.
    pub data: &'a [u8],
}

/// What one poll brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Polled {
    pub frames: u32,
    /// The tap was left with frames waiting: poll again before sleeping.
    pub more: bool,
}

/// What passed one port in one direction, as the tap counts it. `seen + lost` is what the kernel
/// counted as received (ingress) or sent (egress) there since the tap was attached.
///
/// Virtual interfaces count a super-frame once, as `seen` does; a network card counts what was on
/// its wire, as `seen_segments` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PortCounters {
    pub ifindex: u32,
    pub direction: Direction,
    pub seen: u64,
    pub seen_segments: u64,
    pub seen_bytes: u64,
    /// Not handed out, because the ring was full.
    pub lost: u64,
    pub lost_segments: u64,
    pub lost_bytes: u64,
}
