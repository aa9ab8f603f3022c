//! Remote desktops, remote shells and proxies in clear text.

use super::{Memo, Signature, View, sig};
use crate::App;

pub(crate) const TCP: &[Signature] = &[
    sig(App::Rdp, 11, &[3], rdp),
    sig(App::Vnc, 12, b"R", vnc),
    sig(App::Telnet, 3, &[0xff], telnet),
    sig(App::Teamviewer, 5, &[0x17, 0x11], teamviewer),
    sig(App::Citrix, 6, &[0x7f, 0x1a, b'I'], citrix),
    sig(App::X11, 8, b"lB\x01\0", x11),
    sig(App::Spice, 16, b"R", spice),
    sig(App::Adb, 24, b"CAOWS", adb),
    sig(App::Jdwp, 14, b"J", jdwp),
    sig(App::Rmi, 7, b"J", rmi),
    sig(App::Rlogin, 4, &[0], rlogin),
];

pub(crate) const UDP: &[Signature] =
    &[sig(App::Teamviewer, 12, &[0, 0x17], teamviewer_udp), sig(App::Rdp, 12, &[0xff], rdp_udp)];

/// X.224 connection request or confirm, with RDP's cookie or negotiation, or on its port.
fn rdp(v: &View<'_>, _: &mut Memo) -> bool {
    let len = v.be16(2);
    if v.u8(1) != 0 || len != v.len() || usize::from(v.u8(4)) + 5 != len {
        return v.port(3389) && v.is(0, &[3, 0]) && v.is(4, &[2, 0xf0, 0x80]);
    }
    match v.u8(5) {
        0xe0 => {
            v.has(b"Cookie: mstshash=", 60)
                || v.has(b"Cookie: msts=", 60)
                || len >= 19 && v.u8(len - 8) == 1 && v.le16(len - 6) == 8
                || v.port(3389)
        }
        0xd0 => len == 19 && matches!(v.u8(11), 2 | 3) && v.le16(13) == 8 || v.port(3389),
        _ => false,
    }
}

fn vnc(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, b"RFB ")
        && v.u8(7) == b'.'
        && v.u8(11) == b'\n'
        && v.data[4..7].iter().all(u8::is_ascii_digit)
}

/// Negotiation: IAC, a verb, a known option; again and again, or on its port.
fn telnet(v: &View<'_>, _: &mut Memo) -> bool {
    let option = |at: usize| {
        v.u8(at) == 0xff
            && (0xfb..=0xfe).contains(&v.u8(at + 1))
            && (v.u8(at + 2) <= 50 || v.u8(at + 2) == 255)
    };
    option(0) && (v.port(23) || v.len() >= 6 && option(3)) && !v.is(1, b"SMB")
}

/// The command octets that TeamViewer's own framing begins with.
fn teamviewer(v: &View<'_>, _: &mut Memo) -> bool {
    (v.is(0, &[0x17, 0x24]) || v.is(0, &[0x11, 0x30])) && v.port(5938)
        || v.is(0, &[0x17, 0x24, 0x0a, 0x20])
        || v.is(0, &[0x17, 0x24, 0x11]) && v.le16(3) < 0x100
}

fn teamviewer_udp(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(11, &[0x17, 0x24]) && v.u8(0) == 0 || v.port(5938) && v.is(0, &[0x17, 0x24])
}

/// ICA's greeting, or CGP's.
fn citrix(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, &[0x7f, 0x7f, b'I', b'C', b'A', 0])
        || v.is(0, b"ICA\0")
        || v.is(0, &[0x1a]) && v.is(1, b"CGP/01")
}

/// The set-up request: byte order, version 11.0, authorisation lengths.
fn x11(v: &View<'_>, _: &mut Memo) -> bool {
    let port = (6000..=6063).contains(&v.server_port) || (6000..=6063).contains(&v.client_port);
    match v.u8(0) {
        b'l' => v.to_server() && v.u8(1) == 0 && v.le16(2) == 11 && v.le16(4) == 0 && v.len() >= 12,
        b'B' => v.to_server() && v.u8(1) == 0 && v.be16(2) == 11 && v.be16(4) == 0 && v.len() >= 12,
        _ => port && !v.to_server() && (v.le16(2) == 11 && v.le16(4) == 0) && v.len() > 40,
    }
}

fn spice(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, b"REDQ") && v.le32(4) <= 4
}

fn adb(v: &View<'_>, _: &mut Memo) -> bool {
    let command = v.is(0, b"CNXN")
        || v.is(0, b"AUTH")
        || v.is(0, b"OPEN")
        || v.is(0, b"WRTE")
        || v.is(0, b"STLS");
    command && v.le32(0) ^ v.le32(20) == 0xffff_ffff
}

fn jdwp(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, b"JDWP-Handshake")
}

fn rmi(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, b"JRMI\0") && matches!(v.u8(5), 1 | 2) && (b'K'..=b'M').contains(&v.u8(6))
}

/// A zero, then user, user and terminal, each ended by a zero.
fn rlogin(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(513)
        && v.to_server()
        && v.data.last() == Some(&0)
        && v.data.iter().filter(|c| **c == 0).count() == 4
}

/// RDP's datagram transport: a SYN holds no acknowledgement (0xffffffff).
fn rdp_udp(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(3389) && v.be32(0) == 0xffff_ffff && v.be16(6) & 1 == 1
}
