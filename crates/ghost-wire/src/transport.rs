//! TCP, UDP, SCTP, ICMP, IGMP: ports and what stands above them.

use crate::packet::{Packet, Transport};
use crate::tunnel;

pub(crate) const ICMP: u8 = 1;
pub(crate) const IGMP: u8 = 2;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const ICMPV6: u8 = 58;
pub(crate) const SCTP: u8 = 132;

/// What stands behind an IP header; `body` ends where the IP length or the capture ends.
#[inline]
pub(crate) fn of_protocol<'a>(packet: &mut Packet<'a>, proto: u8, body: &'a [u8], depth: u8) {
    packet.payload = body;
    match proto {
        TCP => tcp(packet, body),
        UDP => udp(packet, body, depth),
        _ => rarer(packet, proto, body, depth),
    }
}

#[inline(never)]
fn rarer<'a>(packet: &mut Packet<'a>, proto: u8, body: &'a [u8], depth: u8) {
    match proto {
        ICMP | ICMPV6 => icmp(packet, body),
        SCTP => sctp(packet, body),
        IGMP => match body.first() {
            Some(kind) => packet.transport = Transport::Igmp { kind: *kind },
            None => packet.malformed = true,
        },
        _ => tunnel::in_ip(packet, proto, body, depth),
    }
}

/// ports 2+2 · sequence 4 · acknowledgement 4 · length 4 bits · flags · window 2 · sum 2 · urgent 2
#[inline]
fn tcp<'a>(packet: &mut Packet<'a>, body: &'a [u8]) {
    let Some(head) = body.first_chunk::<20>() else { return cut(packet, body, TCP) };
    let [s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, length, flags, w0, w1, ..] = *head;
    packet.transport = Transport::Tcp {
        src: u16::from_be_bytes([s0, s1]),
        dst: u16::from_be_bytes([d0, d1]),
        seq: u32::from_be_bytes([q0, q1, q2, q3]),
        ack: u32::from_be_bytes([a0, a1, a2, a3]),
        flags,
        window: u16::from_be_bytes([w0, w1]),
    };
    let header = usize::from(length >> 4) * 4;
    match body.get(header..) {
        Some(payload) if header >= 20 => packet.payload = payload,
        _ => {
            packet.payload = &[];
            // Options that were not captured are no contradiction.
            packet.malformed |= header < 20 || !packet.payload_cut;
        }
    }
}

/// ports 2+2 · length 2 · sum 2
#[inline]
fn udp<'a>(packet: &mut Packet<'a>, body: &'a [u8], depth: u8) {
    let Some((head, rest)) = body.split_first_chunk::<8>() else { return cut(packet, body, UDP) };
    let [s0, s1, d0, d1, l0, l1, ..] = *head;
    let (src, dst) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
    packet.transport = Transport::Udp { src, dst };
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    packet.payload = match length {
        // A super-frame or a jumbogram.
        0 => rest,
        1..8 => {
            packet.malformed = true;
            rest
        }
        _ => match rest.get(..length - 8) {
            Some(payload) => {
                packet.payload_missing = 0;
                payload
            }
            None => {
                packet.payload_cut = true;
                // A first fragment's length tells of the others too: IP knows its own part.
                let told = u32::try_from(length - 8 - rest.len()).unwrap_or(u32::MAX);
                packet.payload_missing = packet.payload_missing.min(told);
                rest
            }
        },
    };
    if tunnel::has_port(src, dst) {
        tunnel::in_udp(packet, src, dst, depth);
    }
}

/// ports 2+2 · tag 4 · sum 4
fn sctp<'a>(packet: &mut Packet<'a>, body: &'a [u8]) {
    let Some((head, rest)) = body.split_first_chunk::<12>() else { return cut(packet, body, SCTP) };
    let [s0, s1, d0, d1, ..] = *head;
    let (src, dst) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
    packet.transport = Transport::Sctp { src, dst };
    packet.payload = rest;
}

/// type 1 · code 1 · sum 2 · four bytes of the type's own
fn icmp<'a>(packet: &mut Packet<'a>, body: &'a [u8]) {
    let Some([kind, code]) = body.first_chunk::<2>() else {
        packet.malformed = true;
        return;
    };
    packet.transport = Transport::Icmp { kind: *kind, code: *code };
    packet.payload = match body.get(8..) {
        Some(payload) => payload,
        None => {
            packet.malformed = true;
            &[]
        }
    };
}

/// A transport header that was not captured whole: its ports, where they were.
#[cold]
fn cut<'a>(packet: &mut Packet<'a>, body: &'a [u8], proto: u8) {
    packet.malformed = true;
    let Some(([s0, s1, d0, d1], rest)) = body.split_first_chunk::<4>() else { return };
    let (src, dst) = (u16::from_be_bytes([*s0, *s1]), u16::from_be_bytes([*d0, *d1]));
    packet.payload = &[];
    packet.transport = match proto {
        TCP => {
            let seq = rest.first_chunk().map_or(0, |word| u32::from_be_bytes(*word));
            let flags = rest.get(9).copied().unwrap_or(0);
            Transport::Tcp { src, dst, seq, ack: 0, flags, window: 0 }
        }
        UDP => Transport::Udp { src, dst },
        _ => Transport::Sctp { src, dst },
    };
}
