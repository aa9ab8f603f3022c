//! Ethernet II, VLAN tags, and the dispatch on ethertypes that other link layers share.

use crate::ip;
use crate::link::{arp, llc, mpls, ppp};
use crate::packet::Packet;
use crate::parse::DEPTH_MAX;

pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const IPV6: u16 = 0x86dd;
const ARP: u16 = 0x0806;
const RARP: u16 = 0x8035;
pub(crate) const BRIDGED: u16 = 0x6558;
pub(crate) const PPP: u16 = 0x880b;
pub(crate) const MPLS: u16 = 0x8847;
pub(crate) const MPLS_MULTICAST: u16 = 0x8848;
const PPPOE_SESSION: u16 = 0x8864;
const PROVIDER_BACKBONE: u16 = 0x88e7;
const MACSEC: u16 = 0x88e5;
/// Below this the field is a length, and LLC follows.
const LEAST: u16 = 0x0600;

/// destination 6 · source 6 · ethertype or length 2
#[inline]
pub(crate) fn frame<'a>(packet: &mut Packet<'a>, bytes: &'a [u8], depth: u8) {
    packet.payload = bytes;
    let Some((head, rest)) = bytes.split_first_chunk::<14>() else {
        packet.malformed = true;
        return;
    };
    let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, high, low] = *head;
    if packet.macs.is_none() {
        packet.macs = Some(([s0, s1, s2, s3, s4, s5], [d0, d1, d2, d3, d4, d5]));
    }
    of_type(packet, u16::from_be_bytes([high, low]), rest, depth);
}

/// What stands behind an ethertype.
#[inline]
pub(crate) fn of_type<'a>(packet: &mut Packet<'a>, kind: u16, bytes: &'a [u8], depth: u8) {
    packet.ethertype = kind;
    match kind {
        IPV4 => ip::v4(packet, bytes, depth),
        IPV6 => ip::v6(packet, bytes, depth),
        _ => rarer(packet, kind, bytes, depth),
    }
}

#[inline(never)]
fn rarer<'a>(packet: &mut Packet<'a>, mut kind: u16, mut bytes: &'a [u8], depth: u8) {
    // Tags: each takes four bytes, so the frame's length bounds them.
    while let 0x8100 | 0x88a8 | 0x9100 | 0x9200 = kind {
        let Some(([high, low, next_high, next_low], rest)) = bytes.split_first_chunk::<4>() else {
            packet.payload = bytes;
            packet.malformed = true;
            return;
        };
        if let Some(slot) = packet.vlans.get_mut(usize::from(packet.vlan_count)) {
            *slot = u16::from_be_bytes([*high, *low]) & 0x0fff;
            packet.vlan_count += 1;
        }
        kind = u16::from_be_bytes([*next_high, *next_low]);
        bytes = rest;
    }
    packet.ethertype = kind;
    packet.payload = bytes;
    match kind {
        IPV4 => ip::v4(packet, bytes, depth),
        IPV6 => ip::v6(packet, bytes, depth),
        ARP | RARP => arp::message(packet, bytes),
        ..LEAST => llc::of_length(packet, kind, bytes, depth),
        MPLS | MPLS_MULTICAST => mpls::stack(packet, bytes, depth),
        PPPOE_SESSION => ppp::over_ethernet(packet, bytes, depth),
        PPP => ppp::frame(packet, bytes, depth),
        BRIDGED => again(packet, bytes, depth),
        // Service tag, then the customer's whole frame.
        PROVIDER_BACKBONE => match bytes.get(4..) {
            Some(rest) => again(packet, rest, depth),
            None => packet.malformed = true,
        },
        MACSEC => unencrypted_macsec(packet, bytes, depth),
        _ => {}
    }
}

/// A frame within a frame.
pub(crate) fn again<'a>(packet: &mut Packet<'a>, bytes: &'a [u8], depth: u8) {
    if depth < DEPTH_MAX {
        frame(packet, bytes, depth + 1);
    }
}

/// control 1 · short length 1 · packet number 4 · [channel 8]: readable where only authenticated.
fn unencrypted_macsec<'a>(packet: &mut Packet<'a>, bytes: &'a [u8], depth: u8) {
    const CHANNEL: u8 = 0x20;
    const ENCRYPTED_OR_CHANGED: u8 = 0x0c;
    let Some(control) = bytes.first() else {
        packet.malformed = true;
        return;
    };
    if control & ENCRYPTED_OR_CHANGED != 0 || depth >= DEPTH_MAX {
        return;
    }
    let header = if control & CHANNEL != 0 { 14 } else { 6 };
    match bytes.get(header..).and_then(<[u8]>::split_first_chunk::<2>) {
        Some((kind, rest)) => of_type(packet, u16::from_be_bytes(*kind), rest, depth + 1),
        None => packet.malformed = true,
    }
}
