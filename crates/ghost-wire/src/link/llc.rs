//! 802.2 LLC and SNAP, behind an 802.3 length or bare.

use crate::ip;
use crate::link::ethernet;
use crate::packet::Packet;
use crate::parse::DEPTH_MAX;

/// What `Packet::ethertype` says of an 802.3 frame without LLC (Novell's raw IPX).
const WITHOUT_LLC: u16 = 0x0100;

/// An 802.3 frame's body: `length` bytes of LLC, then padding.
pub(crate) fn of_length<'a>(packet: &mut Packet<'a>, length: u16, bytes: &'a [u8], depth: u8) {
    let body = bytes.get(..usize::from(length)).unwrap_or(bytes);
    packet.payload_cut = body.len() < usize::from(length);
    packet.payload_missing = u32::from(length).saturating_sub(body.len() as u32);
    bare(packet, body, depth);
}

/// DSAP 1 · SSAP 1 · control 1 or 2 · [OUI 3 · protocol 2]
pub(crate) fn bare<'a>(packet: &mut Packet<'a>, bytes: &'a [u8], depth: u8) {
    packet.payload = bytes;
    let Some(([dsap, ssap, control], rest)) = bytes.split_first_chunk::<3>() else {
        packet.ethertype = WITHOUT_LLC;
        packet.malformed = true;
        return;
    };
    if [*dsap, *ssap] == [0xff, 0xff] {
        packet.ethertype = WITHOUT_LLC;
        return;
    }
    packet.ethertype = u16::from(*dsap);
    // Numbered frames have a second control byte.
    let rest = if control & 3 == 3 { rest } else { rest.get(1..).unwrap_or_default() };
    packet.payload = rest;
    match (dsap & 0xfe, ssap & 0xfe) {
        (0xaa, 0xaa) => snap(packet, rest, depth),
        (0x06, 0x06) if depth < DEPTH_MAX => {
            packet.ethertype = ethernet::IPV4;
            ip::v4(packet, rest, depth + 1);
        }
        _ => {}
    }
}

/// OUI 3 · protocol 2
pub(crate) fn snap<'a>(packet: &mut Packet<'a>, bytes: &'a [u8], depth: u8) {
    let Some(([o0, o1, o2, high, low], rest)) = bytes.split_first_chunk::<5>() else {
        packet.malformed = true;
        return;
    };
    let kind = u16::from_be_bytes([*high, *low]);
    if depth >= DEPTH_MAX {
        return;
    }
    match [*o0, *o1, *o2] {
        // Ethernet's own, and what bridges of 802.1H write.
        [0, 0, 0] | [0, 0, 0xf8] => ethernet::of_type(packet, kind, rest, depth + 1),
        // Bridged 802.3, with (1) and without (7) frame check sequence; two bytes of padding.
        [0x00, 0x80, 0xc2] if matches!(kind, 1 | 7) => {
            // Frame relay pads none, ATM two: the padding is zero where it is there.
            ethernet::again(packet, rest.strip_prefix(&[0, 0]).unwrap_or(rest), depth);
        }
        _ => {}
    }
}
