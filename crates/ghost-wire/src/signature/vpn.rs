//! Tunnels and proxies: WireGuard, OpenVPN, IKE, PPTP, L2TP, Tailscale, SOCKS, and overlays.

use super::{Memo, Signature, View, be16, be32, sig};
use crate::App;

pub(crate) const TCP: &[Signature] = &[
    sig(App::Openvpn, 16, &[0], openvpn_tcp),
    sig(App::Pptp, 12, &[0], pptp),
    sig(App::Socks, 2, &[4, 5, 0], socks),
    sig(App::Dnscrypt, 50, &[0, 1, 2], dnscrypt_tcp),
];

pub(crate) const UDP: &[Signature] = &[
    sig(App::Wireguard, 32, &[1, 2, 3, 4], wireguard),
    sig(App::Ike, 28, b"", ike),
    sig(App::Tailscale, 62, b"T", tailscale),
    sig(App::Openvpn, 14, &[0x38, 0x40, 0x50, 0x20, 0x28], openvpn),
    sig(App::Dnscrypt, 64, b"r", dnscrypt),
    sig(App::L2tp, 6, &[0xc8, 0xc0, 0, 0x02, 0x40, 0x48], l2tp),
    sig(App::GtpU, 8, b"", gtp_u),
    sig(App::GtpC, 8, b"", gtp_c),
    sig(App::Pfcp, 8, &[0x20, 0x21], pfcp),
    sig(App::Vxlan, 16, &[0x08, 0x88], vxlan),
    sig(App::Geneve, 8, b"", geneve),
    sig(App::Teredo, 40, b"`abcdefghijklmno\0", teredo),
    sig(App::Warp, 32, b"", warp),
    sig(App::Zerotier, 28, b"", zerotier),
];

/// A type, three zeros, and the one length each type has. Data alone must come twice.
fn wireguard(v: &View<'_>, memo: &mut Memo) -> bool {
    if !v.is(1, &[0, 0, 0]) {
        return false;
    }
    match v.u8(0) {
        1 => v.len() == 148,
        2 => v.len() == 92,
        3 => v.len() == 64,
        4 => {
            let counter = v.le32(12) == 0 && v.le32(8) < 1 << 30;
            v.len().is_multiple_of(16)
                && counter
                && memo.agree(App::Wireguard, v.side(), if v.port(51820) { 1 } else { 3 })
        }
        _ => false,
    }
}

/// Security indexes, next payload, version 1.0 or 2.0, exchange, the datagram's length; behind
/// four zeros on the port of NAT traversal, where ESP and keep-alives are the rest.
fn ike(v: &View<'_>, _: &mut Memo) -> bool {
    let natt = v.port(4500);
    let data = if natt && be32(v.data, 0) == 0 { &v.data[4..] } else { v.data };
    let head = data.len() >= 28
        && be32(data, 0) != 0
        && matches!(data[17], 0x10 | 0x20)
        && matches!(data[18], 1..=6 | 32 | 34..=43)
        && data[19] & 0x80 == 0
        && be32(data, 24) == data.len();
    head && (matches!(data[16], 0..=16 | 20 | 33..=53 | 128..=132))
        || natt && be32(v.data, 0) > 255 && v.len() >= 40
}

fn tailscale(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, &[0x54, 0x53, 0xf0, 0x9f, 0x92, 0xac])
}

/// A hard reset of the client: bare, or behind an HMAC of a known size; the server's answer.
fn openvpn_reset(data: &[u8]) -> bool {
    let opcode = data[0];
    match opcode {
        // P_CONTROL_HARD_RESET_CLIENT_V2 and V3: no acknowledgements, packet 0.
        0x38 | 0x50 => {
            let bare = data.len() == 14 && data[9] == 0 && be32(data, 10) == 0;
            let hmac = |size: usize| {
                let at = 9 + size;
                data.len() == at + 13
                    && data[at + 8] == 0
                    && be32(data, at + 9) == 0
                    && be32(data, at) <= 2
            };
            let crypt = data.len() == 54 && be32(data, 9) <= 2 && be32(data, 13) > 1 << 28;
            bare || hmac(16) || hmac(20) || hmac(32) || hmac(64) || crypt
        }
        // P_CONTROL_HARD_RESET_SERVER_V2: acknowledges one packet of a session.
        0x40 => {
            let bare =
                data.len() == 26 && data[9] == 1 && be32(data, 10) == 0 && be32(data, 22) == 0;
            let hmac = |size: usize| {
                let at = 9 + size;
                data.len() == at + 25 && data[at + 8] == 1 && be32(data, at + 9) == 0
            };
            bare || hmac(16) || hmac(20) || hmac(32) || hmac(64)
        }
        _ => false,
    }
}

fn openvpn(v: &View<'_>, memo: &mut Memo) -> bool {
    if openvpn_reset(v.data) {
        return true;
    }
    // On its port: control and acknowledgement packets of one session.
    if !v.port(1194) {
        return false;
    }
    let same = memo.candidate == App::Openvpn && memo.head[v.side()].get(..8) == v.data.get(1..9);
    let enough = memo.agree(App::Openvpn, v.side(), 2);
    memo.head[v.side()][..8].copy_from_slice(&v.data[1..9]);
    enough && same
}

fn openvpn_tcp(v: &View<'_>, _: &mut Memo) -> bool {
    let len = be16(v.data, 0);
    len >= 14 && len + 2 <= v.len() && openvpn_reset(&v.data[2..2 + len])
}

fn pptp(v: &View<'_>, _: &mut Memo) -> bool {
    v.be32(4) == 0x1a2b_3c4d
        && matches!(v.be16(2), 1 | 2)
        && v.be16(0) >= 12
        && v.be16(0) <= v.len()
}

/// SOCKS 5 offers methods, and one is chosen; SOCKS 4 asks, and is granted.
fn socks(v: &View<'_>, _: &mut Memo) -> bool {
    let (first, len) = (v.u8(0), v.len());
    let port = v.port(1080);
    match first {
        5 if v.to_server() => {
            let n = usize::from(v.u8(1));
            v.start
                && (1..=9).contains(&n)
                && len == n + 2
                && v.data[2..].iter().all(|m| *m <= 9 || *m >= 0x80)
                && (port || v.data[2..].contains(&0))
                && (port || v.other.is_empty())
        }
        5 => {
            let n = usize::from(v.other.get(1).copied().unwrap_or(0));
            len == 2
                && v.other.first() == Some(&5)
                && v.other.len() == n + 2
                && matches!(v.u8(1), 0..=9 | 0xff)
        }
        4 => {
            v.to_server()
                && len >= 9
                && matches!(v.u8(1), 1 | 2)
                && v.data.last() == Some(&0)
                && v.start
                && (port
                    || v.be16(2) != 0
                        && v.data[8..len - 1].iter().all(u8::is_ascii_graphic)
                        && len < 64)
        }
        0 => {
            !v.to_server()
                && len == 8
                && (0x5a..=0x5d).contains(&v.u8(1))
                && v.other.first() == Some(&4)
        }
        _ => false,
    }
}

fn dnscrypt(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, b"r6fnvWj8")
}

fn dnscrypt_tcp(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(2, b"r6fnvWj8") && be16(v.data, 0) + 2 == v.len()
}

/// Version 2; a control message has a length that fits, data needs its port.
fn l2tp(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(1701) && v.u8(1) & 0x0f == 2 && (v.u8(0) & 0x80 == 0 || v.be16(2) == v.len())
}

fn gtp_u(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(2152)
        && v.u8(0) & 0xf0 == 0x30
        && v.be16(2) + 8 <= v.len()
        && matches!(v.u8(1), 1 | 2 | 26 | 31 | 254 | 255)
}

/// Version 2 (or 1 on its port) with a length that fits.
fn gtp_c(v: &View<'_>, _: &mut Memo) -> bool {
    let version = v.u8(0) >> 5;
    v.port(2123)
        && (version == 2 && v.be16(2) + 4 <= v.len()
            || version == 1 && v.be16(2) + 8 <= v.len()
            || version == 0 && v.be16(2) + 20 <= v.len())
}

fn pfcp(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(8805) && v.be16(2) + 4 == v.len()
}

fn vxlan(v: &View<'_>, _: &mut Memo) -> bool {
    v.port_of(App::Vxlan) && v.u8(7) == 0 && v.u8(0) & 8 != 0
}

/// Version 0, no reserved bits, an Ethernet or IP payload.
fn geneve(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(6081)
        && v.u8(0) & 0xc0 == 0
        && v.u8(1) & 0x3f == 0
        && matches!(v.be16(2), 0x6558 | 0x0800 | 0x86dd)
}

/// IPv6 in UDP on its port, perhaps behind an origin or authentication header.
fn teredo(v: &View<'_>, _: &mut Memo) -> bool {
    let headed = v.u8(0) == 0 && v.u8(1) <= 1;
    (v.port(3544) && (headed || v.be16(4) + 40 <= v.len()))
        || v.u8(0) == 0x60
            && v.be16(4) + 40 == v.len()
            && (v.is(8, &[0x20, 1, 0, 0]) || v.is(24, &[0x20, 1, 0, 0]))
}

/// Cloudflare's ports carry WireGuard with a client's mark where zeros should be.
fn warp(v: &View<'_>, memo: &mut Memo) -> bool {
    v.port(2408)
        && (matches!((v.u8(0), v.len()), (1, 148) | (2, 92))
            || memo.agree(App::Warp, v.side(), 2) && memo.count[0] > 0 && memo.count[1] > 0)
}

fn zerotier(v: &View<'_>, memo: &mut Memo) -> bool {
    v.port(9993) && memo.agree(App::Zerotier, v.side(), 2) && memo.count[0] > 0 && memo.count[1] > 0
}
