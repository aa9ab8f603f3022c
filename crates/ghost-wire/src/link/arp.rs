//! ARP and RARP, for Ethernet addresses and IPv4.

use std::net::{IpAddr, Ipv4Addr};

use crate::packet::{Arp, Packet};

/// hardware 2 · protocol 2 · lengths 1+1 · operation 2 · sender 6+4 · target 6+4
pub(crate) fn message<'a>(packet: &mut Packet<'a>, bytes: &'a [u8]) {
    packet.payload = bytes;
    let Some(head) = bytes.first_chunk::<28>() else {
        packet.malformed = true;
        return;
    };
    let [_, _, p0, p1, hardware_len, protocol_len, op0, op1, rest @ ..] = *head;
    if u16::from_be_bytes([p0, p1]) != 0x0800 || (hardware_len, protocol_len) != (6, 4) {
        return;
    }
    let [m0, m1, m2, m3, m4, m5, a0, a1, a2, a3, _, _, _, _, _, _, b0, b1, b2, b3] = rest;
    packet.arp = Some(Arp {
        operation: u16::from_be_bytes([op0, op1]),
        sender: IpAddr::V4(Ipv4Addr::new(a0, a1, a2, a3)),
        target: IpAddr::V4(Ipv4Addr::new(b0, b1, b2, b3)),
        sender_mac: [m0, m1, m2, m3, m4, m5],
    });
}
