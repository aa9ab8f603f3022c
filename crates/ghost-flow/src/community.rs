//! Community ID v1 with seed 0: the name other tools know a flow by.
//!
//! `1:` and the base64 of SHA-1 over seed, addresses, protocol and ports, lower end first. ICMP
//! types stand in the ports' place: a message and its answer have one id, a one-way message has
//! its type and code and keeps its direction.

use std::net::IpAddr;

use sha1::{Digest, Sha1};

/// The counterpart of an ICMP type, where it has one.
fn counterpart4(kind: u8) -> Option<u8> {
    Some(match kind {
        0 => 8,
        8 => 0,
        9 => 10,
        10 => 9,
        13 => 14,
        14 => 13,
        15 => 16,
        16 => 15,
        17 => 18,
        18 => 17,
        _ => return None,
    })
}

/// The counterpart of an ICMPv6 type, where it has one.
fn counterpart6(kind: u8) -> Option<u8> {
    Some(match kind {
        128 => 129,
        129 => 128,
        130 => 131,
        131 => 130,
        133 => 134,
        134 => 133,
        135 => 136,
        136 => 135,
        139 => 140,
        140 => 139,
        144 => 145,
        145 => 144,
        _ => return None,
    })
}

/// The two "ports" of an ICMP message, and whether it is one-way.
pub(crate) fn icmp_ports(proto: u8, kind: u8, code: u8) -> (u16, u16, bool) {
    let other = if proto == 58 { counterpart6(kind) } else { counterpart4(kind) };
    match other {
        Some(other) => (u16::from(kind), u16::from(other), false),
        None => (u16::from(kind), u16::from(code), true),
    }
}

/// Whether the message asks (and so its sender opened the conversation): echo request and the like.
pub(crate) fn icmp_is_answer(proto: u8, kind: u8) -> bool {
    if proto == 58 {
        matches!(kind, 129 | 131 | 134 | 136 | 140 | 145)
    } else {
        matches!(kind, 0 | 9 | 14 | 16 | 18)
    }
}

/// The SHA-1 of the flow's Community ID. Ports are 0 where the transport has none; `one_way` keeps
/// the direction.
pub(crate) fn digest(
    src: (IpAddr, u16),
    dst: (IpAddr, u16),
    proto: u8,
    has_ports: bool,
    one_way: bool,
) -> [u8; 20] {
    let (low, high) = if one_way || src <= dst { (src, dst) } else { (dst, src) };
    let mut text = [0_u8; 40];
    let mut used = 2; // the seed, 0
    let mut put = |bytes: &[u8]| {
        if let Some(room) = text.get_mut(used..used + bytes.len()) {
            room.copy_from_slice(bytes);
            used += bytes.len();
        }
    };
    for address in [low.0, high.0] {
        match address {
            IpAddr::V4(a) => put(&a.octets()),
            IpAddr::V6(a) => put(&a.octets()),
        }
    }
    put(&[proto, 0]);
    if has_ports {
        put(&low.1.to_be_bytes());
        put(&high.1.to_be_bytes());
    }
    Sha1::digest(&text[..used]).into()
}

/// `1:` and base64, as every tool prints it.
#[must_use]
pub fn community_id_text(digest: &[u8; 20]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(30);
    text.push_str("1:");
    for group in digest.chunks(3) {
        let byte = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (i, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            if i <= group.len() {
                text.push(char::from(ALPHABET[(bits >> shift) as usize & 63]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(src: (&str, u16), dst: (&str, u16), proto: u8, ports: bool, one_way: bool) -> String {
        let end = |e: (&str, u16)| (e.0.parse().unwrap(), e.1);
        community_id_text(&digest(end(src), end(dst), proto, ports, one_way))
    }

    #[test]
    fn a_connection_has_the_published_id_in_both_directions() {
        let (a, b) = (("128.232.110.120", 34855), ("66.35.250.204", 80));
        assert_eq!(text(a, b, 6, true, false), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        assert_eq!(text(b, a, 6, true, false), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
    }

    #[test]
    fn an_echo_and_its_reply_have_the_published_id() {
        let (s, d, one_way) = icmp_ports(1, 8, 0);
        assert_eq!(
            text(("192.168.0.89", s), ("192.168.0.1", d), 1, true, one_way),
            "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="
        );
        let (s, d, one_way) = icmp_ports(1, 0, 0);
        assert_eq!(
            text(("192.168.0.1", s), ("192.168.0.89", d), 1, true, one_way),
            "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="
        );
    }

    #[test]
    fn a_one_way_message_keeps_its_direction() {
        let (s, d, one_way) = icmp_ports(1, 3, 1);
        assert!(one_way);
        let there = text(("10.0.0.1", s), ("10.0.0.2", d), 1, true, one_way);
        let back = text(("10.0.0.2", s), ("10.0.0.1", d), 1, true, one_way);
        assert_ne!(there, back);
    }

    #[test]
    fn a_protocol_without_ports_hashes_addresses_alone() {
        assert_ne!(
            text(("10.0.0.1", 0), ("10.0.0.2", 0), 47, false, false),
            text(("10.0.0.1", 0), ("10.0.0.2", 0), 47, true, false)
        );
    }
}
