//! MPLS: a stack of labels, and below it, unsaid, IP or a pseudo-wire.

use crate::ip;
use crate::link::ethernet;
use crate::packet::Packet;
use crate::parse::DEPTH_MAX;

/// label 20 bits · class 3 · bottom 1 · time to live 8, until the bottom
pub(crate) fn stack<'a>(packet: &mut Packet<'a>, mut bytes: &'a [u8], depth: u8) {
    loop {
        packet.payload = bytes;
        let Some(([_, _, third, _], rest)) = bytes.split_first_chunk::<4>() else {
            packet.malformed = true;
            return;
        };
        bytes = rest;
        if third & 1 != 0 {
            break;
        }
    }
    packet.payload = bytes;
    if depth >= DEPTH_MAX {
        return;
    }
    // The first nibble tells IP; 0 is a pseudo-wire's control word, 1 its maintenance channel.
    match bytes.first().map(|byte| byte >> 4) {
        Some(4) if looks_like_v4(bytes) => {
            packet.name(ethernet::IPV4);
            ip::v4(packet, bytes, depth + 1);
        }
        Some(6) if bytes.len() >= 40 && !looks_like_frame(bytes) => {
            packet.name(ethernet::IPV6);
            ip::v6(packet, bytes, depth + 1);
        }
        Some(0) if !looks_like_frame(bytes) => match bytes.get(4..) {
            Some(rest) if looks_like_frame(rest) => ethernet::again(packet, rest, depth),
            _ => {}
        },
        Some(1) | None => {}
        Some(_) if looks_like_frame(bytes) => ethernet::again(packet, bytes, depth),
        Some(_) => {}
    }
}

fn looks_like_v4(bytes: &[u8]) -> bool {
    let Some([first, _, high, low, ..]) = bytes.first_chunk::<20>() else { return false };
    let total = usize::from(u16::from_be_bytes([*high, *low]));
    (5..=15).contains(&(first & 15)) && (total == 0 || total >= 20)
}

/// Whether an Ethernet frame may begin here: an ethertype we know, or an LLC length that fits.
fn looks_like_frame(bytes: &[u8]) -> bool {
    let Some((head, rest)) = bytes.split_first_chunk::<14>() else { return false };
    match u16::from_be_bytes([head[12], head[13]]) {
        length @ 3..0x0600 => usize::from(length) <= rest.len(),
        kind => matches!(
            kind,
            0x0800 | 0x0806 | 0x8100 | 0x86dd | 0x8847 | 0x8848 | 0x8863 | 0x8864 | 0x88a8 | 0x9100
        ),
    }
}
