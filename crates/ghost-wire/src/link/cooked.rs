//! Linux cooked captures (both versions) and BSD loopback.

use crate::ip;
use crate::link::{ethernet, llc, wifi};
use crate::packet::{LinkType, Packet};

const HARDWARE_NETLINK: u16 = 824;
const HARDWARE_RADIOTAP: u16 = 803;
const HARDWARE_80211: u16 = 801;

/// direction 2 · hardware 2 · address length 2 · address 8 · protocol 2
pub(crate) fn first<'a>(packet: &mut Packet<'a>, bytes: &'a [u8], depth: u8) {
    packet.payload = bytes;
    let Some((head, rest)) = bytes.split_first_chunk::<16>() else {
        packet.malformed = true;
        return;
    };
    let [_, _, h0, h1, l0, l1, m0, m1, m2, m3, m4, m5, _, _, p0, p1] = *head;
    if u16::from_be_bytes([l0, l1]) == 6 {
        packet.macs = Some(([m0, m1, m2, m3, m4, m5], [0; 6]));
    }
    let (hardware, kind) = (u16::from_be_bytes([h0, h1]), u16::from_be_bytes([p0, p1]));
    behind(packet, hardware, kind, rest, depth);
}

/// protocol 2 · 0 2 · interface 4 · hardware 2 · direction 1 · address length 1 · address 8
pub(crate) fn second<'a>(packet: &mut Packet<'a>, bytes: &'a [u8], depth: u8) {
    packet.payload = bytes;
    let Some((head, rest)) = bytes.split_first_chunk::<20>() else {
        packet.malformed = true;
        return;
    };
    let [p0, p1, _, _, _, _, _, _, h0, h1, _, length, m0, m1, m2, m3, m4, m5, _, _] = *head;
    if length == 6 {
        packet.macs = Some(([m0, m1, m2, m3, m4, m5], [0; 6]));
    }
    let (hardware, kind) = (u16::from_be_bytes([h0, h1]), u16::from_be_bytes([p0, p1]));
    behind(packet, hardware, kind, rest, depth);
}

fn behind<'a>(packet: &mut Packet<'a>, hardware: u16, kind: u16, rest: &'a [u8], depth: u8) {
    packet.ethertype = kind;
    packet.payload = rest;
    match (hardware, kind) {
        // Netlink families stand where ethertypes would.
        (HARDWARE_NETLINK, _) => {}
        (HARDWARE_RADIOTAP, _) => wifi::radiotap(packet, rest, depth),
        (HARDWARE_80211, _) => wifi::frame(packet, rest, false, depth),
        (_, 0x0004) => llc::bare(packet, rest, depth),
        // 802.3 without LLC, and other numbers of the kernel's own.
        (_, 0..0x0600) => {}
        _ => ethernet::of_type(packet, kind, rest, depth),
    }
}

/// address family 4, in the byte order of the capturing machine (NULL) or the network (LOOP)
pub(crate) fn loopback<'a>(packet: &mut Packet<'a>, bytes: &'a [u8], network: bool, depth: u8) {
    packet.payload = bytes;
    // Some systems write PPP frames under this link type.
    if bytes.starts_with(&[0xff, 0x03]) {
        return super::any(packet, LinkType::Ppp, bytes, depth);
    }
    let Some((family, rest)) = bytes.split_first_chunk::<4>() else {
        packet.malformed = true;
        return;
    };
    let [_, _, high, low] = *family;
    let big = u32::from_be_bytes(*family);
    let family = if network { big } else { big.min(u32::from_le_bytes(*family)) };
    packet.payload = rest;
    match family {
        2 => {
            packet.ethertype = ethernet::IPV4;
            ip::v4(packet, rest, depth);
        }
        // Linux 10, Windows 23, NetBSD and OpenBSD 24, FreeBSD 28, Darwin 30.
        10 | 23 | 24 | 28 | 30 => {
            packet.ethertype = ethernet::IPV6;
            ip::v6(packet, rest, depth);
        }
        // Some programs write an ethertype here.
        0x0600..=0xffff => ethernet::of_type(packet, family as u16, rest, depth),
        // Others write 16 bits of their own, then the ethertype.
        _ => {
            let kind = u16::from_be_bytes([high, low]);
            if matches!(kind, ethernet::IPV4 | ethernet::IPV6) {
                ethernet::of_type(packet, kind, rest, depth);
            }
        }
    }
}
