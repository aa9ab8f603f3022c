//! 802.11 data frames that are not encrypted, and the headers captures put before them.
//!
//! Management and control frames give their addresses and stay in `payload`.

use crate::link::{ethernet, llc};
use crate::packet::{LinkType, Packet};
use crate::parse::DEPTH_MAX;

/// version 1 · 0 1 · length 2 (little-endian) · present words 4… · fields
pub(crate) fn radiotap<'a>(packet: &mut Packet<'a>, bytes: &'a [u8], depth: u8) {
    const TIME: u32 = 1;
    const FLAGS: u32 = 2;
    const MORE_WORDS: u32 = 1 << 31;
    const HEADER_PADDED: u8 = 0x20;

    packet.payload = bytes;
    let Some(head) = bytes.first_chunk::<8>() else {
        packet.malformed = true;
        return;
    };
    let length = usize::from(u16::from_le_bytes([head[2], head[3]]));
    let Some((header, rest)) = bytes.split_at_checked(length).filter(|_| length >= 8) else {
        packet.malformed = true;
        return;
    };
    let first = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    let mut present = first;
    let mut at = 8;
    while present & MORE_WORDS != 0 {
        let Some(word) = header.get(at..).and_then(<[u8]>::first_chunk::<4>) else { break };
        present = u32::from_le_bytes(*word);
        at += 4;
    }
    if first & TIME != 0 {
        at = at.next_multiple_of(8) + 8;
    }
    let flags = if first & FLAGS != 0 { header.get(at).copied().unwrap_or(0) } else { 0 };
    frame(packet, rest, flags & HEADER_PADDED != 0, depth);
}

/// version 1 · flags 1 · length 2 · link type 4 (little-endian) · fields
pub(crate) fn per_packet_information<'a>(packet: &mut Packet<'a>, bytes: &'a [u8], depth: u8) {
    packet.payload = bytes;
    let Some(head) = bytes.first_chunk::<8>() else {
        packet.malformed = true;
        return;
    };
    let length = usize::from(u16::from_le_bytes([head[2], head[3]]));
    let link = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    match bytes.get(length..).filter(|_| length >= 8) {
        Some(rest) if depth < DEPTH_MAX => {
            super::any(packet, LinkType::from_dlt(link), rest, depth + 1);
        }
        _ => packet.malformed = true,
    }
}

/// control 2 · duration 2 · addresses 3×6 · sequence 2 · [address 6] · [QoS 2] · [HT 4] · body
pub(crate) fn frame<'a>(packet: &mut Packet<'a>, bytes: &'a [u8], padded: bool, depth: u8) {
    packet.payload = bytes;
    let Some(([control, flags], _)) = bytes.split_first_chunk::<2>() else {
        packet.malformed = true;
        return;
    };
    let address = |at: usize| bytes.get(at..).and_then(<[u8]>::first_chunk::<6>).copied();
    let (kind, subtype) = ((control >> 2) & 3, control >> 4);
    let (to_ds, from_ds) = (flags & 1 != 0, flags & 2 != 0);
    let ends = match (to_ds && kind == 2, from_ds && kind == 2) {
        (false, false) => address(10).zip(address(4)),
        (false, true) => address(16).zip(address(4)),
        (true, false) => address(10).zip(address(16)),
        (true, true) => address(24).zip(address(16)),
    };
    // Control frames have fewer addresses; data and management at least three.
    if kind != 1 {
        packet.macs = packet.macs.or(ends);
    }
    const DATA: u8 = 2;
    const PROTECTED: u8 = 0x40;
    const ORDER: u8 = 0x80;
    const WITHOUT_BODY: u8 = 4;
    const QOS: u8 = 8;
    if kind != DATA || subtype & WITHOUT_BODY != 0 || flags & PROTECTED != 0 {
        return;
    }
    let mut header = if to_ds && from_ds { 30 } else { 24 };
    let mut aggregated = false;
    if subtype & QOS != 0 {
        aggregated = bytes.get(header).is_some_and(|low| low & 0x80 != 0);
        header += if flags & ORDER != 0 { 6 } else { 2 };
    }
    if padded {
        header = header.next_multiple_of(4);
    }
    let Some(mut body) = bytes.get(header..) else {
        packet.malformed = true;
        return;
    };
    packet.payload = body;
    if aggregated {
        // The first subframe: destination 6 · source 6 · length 2 · LLC.
        let Some((head, rest)) = body.split_first_chunk::<14>() else {
            packet.malformed = true;
            return;
        };
        let length = usize::from(u16::from_be_bytes([head[12], head[13]]));
        body = rest.get(..length).unwrap_or(rest);
    }
    // Where there is no LLC some drivers leave a plain Ethernet frame.
    match body {
        [0xaa, 0xaa, ..] | [0x06, 0x06, ..] | [0x42, 0x42, ..] | [0xfe, 0xfe, ..] => {
            llc::bare(packet, body, depth);
        }
        _ if body.len() >= 14 && ends.is_some_and(|(_, to)| body.starts_with(&to)) => {
            ethernet::again(packet, body, depth);
        }
        _ => llc::bare(packet, body, depth),
    }
}
