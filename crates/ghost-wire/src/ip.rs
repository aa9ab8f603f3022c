//! IPv4 and IPv6, with extension headers and fragments.
//!
//! The first IP header of a frame is the flow's; later ones are read into `Packet::inner`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::link::ethernet;
use crate::packet::{Fragment, Ip, Packet};
use crate::transport;

/// IP without a link layer: the first nibble tells the version.
pub(crate) fn either<'a>(packet: &mut Packet<'a>, bytes: &'a [u8], depth: u8) {
    packet.payload = bytes;
    match bytes.first().map(|byte| byte >> 4) {
        Some(4) => {
            packet.ethertype = ethernet::IPV4;
            v4(packet, bytes, depth);
        }
        Some(6) => {
            packet.ethertype = ethernet::IPV6;
            v6(packet, bytes, depth);
        }
        _ => packet.malformed = true,
    }
}

/// version and length 1 · class 1 · total 2 · id 2 · fragment 2 · ttl 1 · protocol 1 · sum 2 ·
/// source 4 · destination 4 · options
#[inline]
pub(crate) fn v4<'a>(packet: &mut Packet<'a>, bytes: &'a [u8], depth: u8) {
    packet.payload = bytes;
    let Some(head) = bytes.first_chunk::<20>() else {
        packet.malformed = true;
        return;
    };
    let [first, _, t0, t1, i0, i1, f0, f1, ttl, proto, _, _, addresses @ ..] = *head;
    let header = usize::from(first & 15) * 4;
    let total = usize::from(u16::from_be_bytes([t0, t1]));
    // A total of 0 is a super-frame of segmentation offload: it goes as far as was captured.
    let end = if total == 0 { bytes.len() } else { total.min(bytes.len()) };
    if first >> 4 != 4 || header < 20 || (total != 0 && total < header) {
        packet.malformed = true;
        return;
    }
    let [s0, s1, s2, s3, d0, d1, d2, d3] = addresses;
    packet.ip = Some(Ip {
        src: IpAddr::V4(Ipv4Addr::new(s0, s1, s2, s3)),
        dst: IpAddr::V4(Ipv4Addr::new(d0, d1, d2, d3)),
        proto,
        ttl,
    });
    let Some(body) = bytes.get(header..end) else {
        packet.payload = &[];
        packet.malformed = true;
        return;
    };
    packet.payload_cut = total > bytes.len();
    packet.payload_missing = missing(total, bytes.len());
    let place = u16::from_be_bytes([f0, f1]);
    let (more, offset) = (place & 0x2000 != 0, u32::from(place & 0x1fff) * 8);
    if more || offset != 0 {
        let id = u32::from(u16::from_be_bytes([i0, i1]));
        packet.fragment = Some(Fragment { id, offset, more });
        if offset != 0 {
            packet.payload = body;
            return;
        }
    }
    transport::of_protocol(packet, proto, body, depth);
}

/// version, class, label 4 · length 2 · next 1 · hops 1 · source 16 · destination 16
#[inline]
pub(crate) fn v6<'a>(packet: &mut Packet<'a>, bytes: &'a [u8], depth: u8) {
    packet.payload = bytes;
    let Some((head, rest)) = bytes.split_first_chunk::<40>() else {
        packet.malformed = true;
        return;
    };
    let [first, _, _, _, l0, l1, next, hops, addresses @ ..] = head;
    if first >> 4 != 6 {
        packet.malformed = true;
        return;
    }
    let (src, dst) = addresses.split_at(16);
    let address = |bytes: &[u8]| {
        IpAddr::V6(Ipv6Addr::from(bytes.first_chunk::<16>().copied().unwrap_or_default()))
    };
    packet.ip = Some(Ip { src: address(src), dst: address(dst), proto: *next, ttl: *hops });
    let length = usize::from(u16::from_be_bytes([*l0, *l1]));
    // A length of 0 is a jumbogram or a super-frame of segmentation offload.
    let body = if length == 0 { rest } else { rest.get(..length).unwrap_or(rest) };
    packet.payload_cut = length > rest.len();
    packet.payload_missing = missing(length, rest.len());
    match next {
        6 | 17 | 58 => transport::of_protocol(packet, *next, body, depth),
        _ => extensions(packet, *next, body, length == 0, depth),
    }
}

/// Walks extension headers; each takes at least eight bytes, so the packet's length bounds it.
#[inline(never)]
fn extensions<'a>(
    packet: &mut Packet<'a>,
    mut next: u8,
    mut body: &'a [u8],
    jumbo: bool,
    depth: u8,
) {
    const HOP_BY_HOP: u8 = 0;
    const ROUTING: u8 = 43;
    const FRAGMENT: u8 = 44;
    const DESTINATION: u8 = 60;
    const MOBILITY: u8 = 135;
    const HOST_IDENTITY: u8 = 139;
    const SHIM6: u8 = 140;
    const NONE: u8 = 59;

    loop {
        if let Some(ip) = &mut packet.ip {
            ip.proto = next;
        }
        packet.payload = body;
        match next {
            HOP_BY_HOP | ROUTING | DESTINATION | MOBILITY | HOST_IDENTITY | SHIM6 => {
                let Some(([following, units], _)) = body.split_first_chunk::<2>() else {
                    packet.malformed = true;
                    return;
                };
                // A mobility message is what it carries, unless it carries something.
                if matches!(next, MOBILITY | HOST_IDENTITY | SHIM6) && *following == NONE {
                    return;
                }
                let length = (usize::from(*units) + 1) * 8;
                let Some((header, rest)) = body.split_at_checked(length) else {
                    packet.malformed = true;
                    return;
                };
                body = rest;
                if next == HOP_BY_HOP
                    && jumbo
                    && let Some(total) = jumbo_length(header)
                {
                    // It counts this header too.
                    let left = (total as usize).saturating_sub(length);
                    packet.payload_cut = left > body.len();
                    packet.payload_missing = missing(left, body.len());
                    body = body.get(..left).unwrap_or(body);
                }
                next = *following;
            }
            FRAGMENT => {
                let Some(([following, _, o0, o1, id @ ..], rest)) = body.split_first_chunk::<8>()
                else {
                    packet.malformed = true;
                    return;
                };
                let place = u16::from_be_bytes([*o0, *o1]);
                let (more, offset) = (place & 1 != 0, u32::from(place & 0xfff8));
                body = rest;
                next = *following;
                if more || offset != 0 {
                    let id = u32::from_be_bytes(*id);
                    packet.fragment = Some(Fragment { id, offset, more });
                }
                if offset != 0 {
                    if let Some(ip) = &mut packet.ip {
                        ip.proto = next;
                    }
                    packet.payload = body;
                    return;
                }
            }
            NONE => return,
            _ => return transport::of_protocol(packet, next, body, depth),
        }
    }
}

/// Octets that a length tells of and that were not captured.
fn missing(told: usize, captured: usize) -> u32 {
    u32::try_from(told.saturating_sub(captured)).unwrap_or(u32::MAX)
}

/// The jumbo payload option of a hop-by-hop header.
fn jumbo_length(header: &[u8]) -> Option<u32> {
    let mut options = header.get(2..)?;
    loop {
        match options {
            [0, rest @ ..] => options = rest,
            [0xc2, 4, a, b, c, d, ..] => return Some(u32::from_be_bytes([*a, *b, *c, *d])),
            [_, length, rest @ ..] => options = rest.get(usize::from(*length)..)?,
            _ => return None,
        }
    }
}
