//! Industrial and building control, and trading: small binary headers with lengths.

use super::{Memo, Signature, View, sig};
use crate::App;

pub(crate) const TCP: &[Signature] = &[
    sig(App::Dnp3, 10, &[5], dnp3),
    sig(App::S7comm, 11, &[3], s7comm),
    sig(App::Mms, 15, &[3], mms),
    sig(App::Cotp, 7, &[3], cotp),
    sig(App::Enip, 24, b"", enip),
    sig(App::Iec104, 6, &[0x68], iec104),
    sig(App::Opcua, 8, b"HAOMCE", opcua),
    sig(App::Fix, 12, b"8", fix),
    sig(App::Fins, 16, b"F", fins_tcp),
    sig(App::Fox, 8, b"f", fox),
    sig(App::Ads, 38, &[0], ads),
    sig(App::Codesys, 6, &[0xbb, 0], codesys),
    sig(App::Hartip, 8, &[1], hart_ip),
    sig(App::Doip, 8, &[1, 2, 3, 0xff], doip),
    sig(App::Modbus, 8, b"", modbus),
];

pub(crate) const UDP: &[Signature] = &[
    sig(App::Bacnet, 4, &[0x81], bacnet),
    sig(App::Dnp3, 10, &[5], dnp3),
    sig(App::Enip, 24, b"", enip),
    sig(App::Enip, 18, &[2], cip_io),
    sig(App::Knx, 6, &[6], knx),
    sig(App::Hartip, 8, &[1], hart_ip),
    sig(App::Doip, 8, &[1, 2, 3, 0xff], doip),
    sig(App::Fins, 12, &[0x80, 0x81, 0xc0, 0xc1], fins_udp),
    sig(App::Ads, 12, &[3], ads_udp),
    sig(App::Profinet, 80, &[4], profinet_cm),
];

/// MBAP: protocol 0, a length that fits, a known function; on its port, or echoed exactly.
fn modbus(v: &View<'_>, _: &mut Memo) -> bool {
    let (len, function) = (v.be16(4), v.u8(7));
    if v.be16(2) != 0 || !(2..=254).contains(&len) {
        return false;
    }
    let known = matches!(function & 0x7f, 1..=8 | 11 | 12 | 15..=17 | 20..=24 | 43 | 90);
    let whole = len + 6 == v.len();
    if v.port(502) {
        return known && (whole || len + 6 < v.len() && v.be16(len + 8) == 0);
    }
    // Elsewhere: the answer repeats transaction, protocol, unit and function of the request.
    known
        && whole
        && v.other.len() >= 8
        && v.other[..4] == v.data[..4]
        && v.other[6] == v.u8(6)
        && v.other[7] == function & 0x7f
        && !v.to_server()
}

fn dnp3(v: &View<'_>, _: &mut Memo) -> bool {
    v.u8(1) == 0x64 && v.u8(2) >= 5 && crc_dnp(&v.data[..8]) == v.le16(8)
}

/// CRC-16/DNP of a header block.
fn crc_dnp(block: &[u8]) -> usize {
    let mut crc = 0_u16;
    for byte in block {
        crc ^= u16::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xa6bc } else { crc >> 1 };
        }
    }
    usize::from(!crc)
}

/// TPKT with an X.224 header inside: its length, and the type of the TPDU.
fn tpkt(v: &View<'_>) -> Option<u8> {
    let len = v.be16(2);
    let fits = v.u8(1) == 0 && len >= 7 && usize::from(v.u8(4)) + 5 <= len;
    (fits && (len == v.len() || len < v.len() && v.u8(len) == 3 || len > v.len() && v.len() > 500))
        .then(|| v.u8(5) & 0xf0)
}

pub(crate) fn s7comm(v: &View<'_>, _: &mut Memo) -> bool {
    match tpkt(v) {
        Some(0xf0) => {
            v.u8(4) == 2
                && (v.u8(7) == 0x32 && matches!(v.u8(8), 1 | 2 | 3 | 7) && v.be16(9) == 0
                    || v.u8(7) == 0x72 && matches!(v.u8(8), 1..=3 | 0xfe))
        }
        _ => false,
    }
}

/// ISO session and presentation over TPKT: IEC 61850 and other MMS.
pub(crate) fn mms(v: &View<'_>, _: &mut Memo) -> bool {
    if tpkt(v) != Some(0xf0) || v.u8(4) != 2 {
        return false;
    }
    let session = v.is(7, &[1, 0, 1, 0]) && v.u8(11) == 0x61;
    let connect = matches!(v.u8(7), 0x0d | 0x0e) && v.has(&[0x28, 0xca, 0x22, 0x02], 200);
    session || connect
}

/// A connection request on ISO's port, which is all that was seen of what follows.
fn cotp(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(102) && matches!(tpkt(v), Some(0xe0 | 0xd0 | 0xf0 | 0x80))
}

/// EtherNet/IP encapsulation: a known command, a length that fits, options 0.
fn enip(v: &View<'_>, _: &mut Memo) -> bool {
    let (command, len, status) = (v.le16(0), v.le16(2), v.le32(8));
    let known =
        matches!(command, 0x04 | 0x63 | 0x64 | 0x65 | 0x66 | 0x6f | 0x70 | 0x72 | 0x73 | 0x01);
    let fits = len + 24 == v.len() || v.tcp && len + 24 < v.len() && v.port(44818);
    if !known || !fits || v.le32(20) != 0 || status > 0x69 {
        return false;
    }
    match command {
        0x65 => len == 4 && v.le16(24) == 1,
        0x63 | 0x64 | 0x04 | 0x01 => v.port(44818) || v.port(2222),
        0x6f | 0x70 => v.port(44818) || v.le32(24) == 0 && matches!(v.le16(30), 1..=4),
        _ => v.port(44818),
    }
}

/// Implicit CIP: two items, a sequenced address of eight octets, then connected data that fits.
fn cip_io(v: &View<'_>, _: &mut Memo) -> bool {
    v.le16(0) == 2
        && v.le16(2) == 0x8002
        && v.le16(4) == 8
        && v.le16(14) == 0x00b1
        && v.le16(16) + 18 == v.len()
}

fn iec104(v: &View<'_>, _: &mut Memo) -> bool {
    let len = usize::from(v.u8(1));
    if !(4..=253).contains(&len) || len + 2 > v.len() {
        return false;
    }
    let next = v.len() == len + 2 || v.u8(len + 2) == 0x68;
    let control = v.u8(2);
    let apdu = match control & 3 {
        // U frame: one function bit, three zeros.
        3 => {
            len == 4
                && v.is(3, &[0, 0, 0])
                && matches!(control, 0x07 | 0x0b | 0x13 | 0x23 | 0x43 | 0x83)
        }
        // S frame.
        1 => len == 4 && control == 1 && v.u8(3) == 0 && v.u8(4) & 1 == 0,
        // I frame: even counters, a known ASDU type.
        _ => {
            len >= 10
                && v.u8(4) & 1 == 0
                && (1..=127).contains(&v.u8(6))
                && v.u8(7) != 0
                && (1..=47).contains(&(v.u8(8) & 0x3f))
        }
    };
    apdu && next && (v.port(2404) || control & 3 == 3)
}

fn opcua(v: &View<'_>, _: &mut Memo) -> bool {
    let kind = v.is(0, b"HEL")
        || v.is(0, b"ACK")
        || v.is(0, b"OPN")
        || v.is(0, b"MSG")
        || v.is(0, b"CLO")
        || v.is(0, b"ERR");
    kind && matches!(v.u8(3), b'F' | b'C' | b'A')
        && (8..=1 << 24).contains(&v.le32(4))
        && (v.le32(4) == v.len() || v.len() > 500 || v.port(4840))
}

fn fix(v: &View<'_>, _: &mut Memo) -> bool {
    (v.is(0, b"8=FIX.4.") || v.is(0, b"8=FIXT.1.") || v.is(0, b"8=FIX.5."))
        && v.data.get(9..).is_some_and(|d| d.windows(3).take(4).any(|w| w == b"\x019="))
}

fn fins_tcp(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, b"FINS") && v.be32(4) + 8 == v.len() && v.be32(8) <= 6
}

/// ICF, reserved 0, gateway count, networks, and a known command code.
fn fins_udp(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(9600) && v.u8(1) == 0 && v.u8(2) <= 7 && matches!(v.u8(10), 1..=9 | 0x21..=0x23)
}

fn fox(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, b"fox ") && v.u8(4).is_ascii_lowercase() && v.u8(5) == b' ' && v.text(32)
}

/// AMS/TCP: reserved 0, length of the rest, then an AMS header with a known command.
fn ads(v: &View<'_>, _: &mut Memo) -> bool {
    v.be16(0) == 0
        && v.le32(2) + 6 == v.len()
        && (1..=9).contains(&v.le16(22))
        && v.le32(26) + 38 == v.len()
}

fn ads_udp(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, &[3, 0x66, 0x14, 0x71])
}

fn codesys(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, &[0xbb, 0xbb]) && (v.be32(2) + 6 == v.len() || v.le32(2) + 6 == v.len())
        || v.is(0, &[0, 1, 0x17, 0xe8]) && v.le32(4) == v.len()
}

fn hart_ip(v: &View<'_>, _: &mut Memo) -> bool {
    v.u8(1) <= 3 && v.u8(2) <= 4 && v.be16(6) == v.len() && v.port(5094)
}

fn doip(v: &View<'_>, _: &mut Memo) -> bool {
    v.u8(1) == !v.u8(0)
        && v.be32(4) + 8 == v.len()
        && matches!(v.be16(2), 0..=8 | 0x4001..=0x4004 | 0x8001..=0x8003)
}

/// BVLC: type 0x81, a function, the datagram's length; then an NPDU of version 1.
fn bacnet(v: &View<'_>, _: &mut Memo) -> bool {
    let function = v.u8(1);
    function <= 0x0c
        && v.be16(2) == v.len()
        && match function {
            0x09..=0x0b => v.u8(4) == 1,
            0x04 => v.u8(10) == 1,
            _ => true,
        }
        && (v.port(47808) || matches!(function, 0x04 | 0x0a | 0x0b))
}

fn knx(v: &View<'_>, _: &mut Memo) -> bool {
    v.u8(1) == 0x10 && v.be16(4) == v.len() && matches!(v.be16(2) >> 8, 2..=4 | 5 | 6 | 9)
}

/// DCE/RPC 4 in datagrams with PROFINET's interface or object family.
fn profinet_cm(v: &View<'_>, _: &mut Memo) -> bool {
    const LITTLE: &[u8] = &[0x97, 0x6c, 0xd1, 0x11, 0x82, 0x71];
    const BIG: &[u8] = &[0x6c, 0x97, 0x11, 0xd1, 0x82, 0x71];
    v.u8(1) <= 10 && [12, 28].iter().any(|at| v.is(*at, LITTLE) || v.is(*at, BIG))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dnp3_checksum_is_the_standards() {
        // CRC-16/DNP of "123456789" is 0xEA82.
        assert_eq!(crc_dnp(b"123456789"), 0xea82);
    }
}
