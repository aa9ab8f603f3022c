//! One frame to one [`Packet`]: the door of the parser.
//!
//! Every layer has the same shape: it takes the packet so far and the bytes from its own first one
//! on, writes down what it learns, and calls the next layer. A layer looks at bytes only through
//! `split_first_chunk`, `get` and the like, so no input can make it panic; where bytes are missing
//! it sets `malformed`, leaves what remains in `payload`, and ends.
//!
//! Nothing is checked that the reader of a flow does not need: no checksum, no option.

use crate::link;
use crate::packet::{LinkType, Packet};

/// How many tunnels and pseudo-wires may stand inside each other before we stop looking.
pub(crate) const DEPTH_MAX: u8 = 6;

/// Reads one frame. Never fails: what is not understood stays in `payload`.
#[inline]
pub fn parse(link: LinkType, frame: &[u8]) -> Packet<'_> {
    let mut packet = Packet::EMPTY;
    if link == LinkType::Ethernet {
        link::ethernet::frame(&mut packet, frame, 0);
    } else {
        link::any(&mut packet, link, frame, 0);
    }
    // The payload is a slice of the frame, or nothing at all.
    let whole = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    packet.head_len = match packet.payload {
        [] => whole,
        payload => {
            let before = (payload.as_ptr() as usize).wrapping_sub(frame.as_ptr() as usize);
            u32::try_from(before).map_or(whole, |before| before.min(whole))
        }
    };
    packet.open_end = packet.ip.is_none()
        && !packet.payload.is_empty()
        && packet.payload_missing == 0
        && packet.payload.as_ptr_range().end == frame.as_ptr_range().end;
    packet
}
