//! Routing and redundancy that has ports: BGP, LDP, RIP, HSRP, GLBP, BFD, OLSR, Babel.

use super::{Memo, Signature, View, be16, sig};
use crate::App;

pub(crate) const TCP: &[Signature] =
    &[sig(App::Bgp, 19, &[0xff], bgp), sig(App::Ldp, 18, &[0], ldp)];

pub(crate) const UDP: &[Signature] = &[
    sig(App::Rip, 4, &[1, 2], rip),
    sig(App::Ripng, 4, &[1, 2], ripng),
    sig(App::Hsrp, 20, b"", hsrp),
    sig(App::Glbp, 12, &[1], glbp),
    sig(App::Bfd, 24, &[0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28], bfd),
    sig(App::Ldp, 18, &[0], ldp),
    sig(App::Olsr, 8, b"", olsr),
    sig(App::Babel, 4, &[42], babel),
];

fn bgp(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, &[0xff; 16]) && (19..=4096).contains(&be16(v.data, 16)) && (1..=5).contains(&v.u8(18))
}

fn ldp(v: &View<'_>, _: &mut Memo) -> bool {
    v.be16(0) == 1 && v.port(646) && v.be16(2) + 4 <= v.len() && v.be16(2) >= 14
}

/// Versions 1 and 2: whole routes of twenty octets.
fn rip(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(520) && matches!(v.u8(1), 1 | 2) && v.be16(2) == 0 && (v.len() - 4).is_multiple_of(20)
}

fn ripng(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(521) && v.u8(1) == 1 && v.be16(2) == 0 && (v.len() - 4).is_multiple_of(20)
}

/// Version 1 has a fixed form; version 2 is a group state TLV of forty octets.
fn hsrp(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(1985)
        && (v.u8(0) == 0 && v.u8(1) <= 3 && v.u8(7) == 0
            || v.is(0, &[1, 40, 2])
            || v.is(0, &[2]) && v.u8(1) == 4)
        || v.port(2029) && v.is(0, &[1, 40])
}

fn glbp(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(3222) && v.u8(1) == 0
}

fn bfd(v: &View<'_>, _: &mut Memo) -> bool {
    v.port_of(App::Bfd) && usize::from(v.u8(3)) == v.len() && v.u8(2) > 0
}

fn olsr(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(698) && v.be16(0) == v.len()
}

fn babel(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(6696) && v.u8(1) == 2 && v.be16(2) + 4 == v.len()
}
