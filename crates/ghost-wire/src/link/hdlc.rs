//! Serial lines: Cisco HDLC, PPP in HDLC framing, frame relay.

use crate::ip;
use crate::link::{ethernet, llc, ppp};
use crate::packet::Packet;

/// address 1 · control 1 · ethertype 2
pub(crate) fn cisco<'a>(packet: &mut Packet<'a>, bytes: &'a [u8], depth: u8) {
    packet.payload = bytes;
    let Some(([_, _, high, low], rest)) = bytes.split_first_chunk::<4>() else {
        packet.malformed = true;
        return;
    };
    let kind = u16::from_be_bytes([*high, *low]);
    packet.ethertype = kind;
    packet.payload = rest;
    match kind {
        // Cisco's own numbers below the ethertypes: ISO, with a byte of padding.
        0xfefe | 0..0x0600 => {}
        _ => ethernet::of_type(packet, kind, rest, depth),
    }
}

/// PPP in HDLC framing, or Cisco HDLC: the address byte tells.
pub(crate) fn serial<'a>(packet: &mut Packet<'a>, bytes: &'a [u8], depth: u8) {
    match bytes.first() {
        Some(0x0f | 0x8f) => cisco(packet, bytes, depth),
        _ => ppp::frame(packet, bytes, depth),
    }
}

/// address 2 to 4 · control 1 · [padding] · network layer protocol id 1, or an ethertype (Cisco)
pub(crate) fn frame_relay<'a>(packet: &mut Packet<'a>, bytes: &'a [u8], depth: u8) {
    packet.payload = bytes;
    // The lowest bit ends the address.
    let address = bytes.iter().take(4).position(|byte| byte & 1 == 1);
    let Some(rest) = address.and_then(|last| bytes.get(last + 1..)) else {
        packet.malformed = true;
        return;
    };
    match rest {
        [0x03, 0x00, 0x80, rest @ ..] | [0x03, 0x80, rest @ ..] => {
            packet.ethertype = 0x00aa;
            packet.payload = rest;
            llc::snap(packet, rest, depth);
        }
        [0x03, 0xcc, rest @ ..] => {
            packet.ethertype = ethernet::IPV4;
            ip::v4(packet, rest, depth);
        }
        [0x03, 0x8e, rest @ ..] => {
            packet.ethertype = ethernet::IPV6;
            ip::v6(packet, rest, depth);
        }
        [0x03, ..] => packet.payload = rest,
        [high, low, rest @ ..] if *high >= 0x06 => {
            ethernet::of_type(packet, u16::from_be_bytes([*high, *low]), rest, depth);
        }
        _ => packet.payload = rest,
    }
}
