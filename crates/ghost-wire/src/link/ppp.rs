//! PPP and PPP over Ethernet.

use crate::ip;
use crate::link::{ethernet, mpls};
use crate::packet::Packet;
use crate::parse::DEPTH_MAX;

/// version and type 1 · code 1 · session 2 · length 2 · PPP protocol and body
pub(crate) fn over_ethernet<'a>(packet: &mut Packet<'a>, bytes: &'a [u8], depth: u8) {
    packet.payload = bytes;
    let Some(([_, code, _, _, high, low], rest)) = bytes.split_first_chunk::<6>() else {
        packet.malformed = true;
        return;
    };
    // Discovery has a code; a session has none.
    if *code != 0 {
        return;
    }
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    packet.payload_cut = rest.len() < length;
    packet.payload_missing = length.saturating_sub(rest.len()) as u32;
    frame(packet, rest.get(..length).unwrap_or(rest), depth);
}

/// [ff 03] · protocol 1 or 2 · body
pub(crate) fn frame<'a>(packet: &mut Packet<'a>, bytes: &'a [u8], depth: u8) {
    let bytes = bytes.strip_prefix(&[0xff, 0x03]).unwrap_or(bytes);
    packet.payload = bytes;
    // An odd first byte is a protocol number compressed to one byte.
    let (protocol, rest) = match bytes {
        [first, rest @ ..] if first & 1 == 1 => (u16::from(*first), rest),
        [high, low, rest @ ..] => (u16::from_be_bytes([*high, *low]), rest),
        _ => {
            packet.malformed = true;
            return;
        }
    };
    packet.payload = rest;
    if depth >= DEPTH_MAX {
        return;
    }
    match protocol {
        0x0021 => {
            packet.name(ethernet::IPV4);
            ip::v4(packet, rest, depth + 1);
        }
        0x0057 => {
            packet.name(ethernet::IPV6);
            ip::v6(packet, rest, depth + 1);
        }
        0x0281 | 0x0283 => {
            packet.name(ethernet::MPLS);
            mpls::stack(packet, rest, depth + 1);
        }
        // Bridged: flags and MAC type before the frame.
        0x0031 => {
            if let Some(([_, 1], inner)) = rest.split_first_chunk::<2>() {
                ethernet::again(packet, inner, depth);
            }
        }
        _ => {}
    }
}
