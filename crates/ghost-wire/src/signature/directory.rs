//! Directories, identity and remote procedures: LDAP, Kerberos, RADIUS, TACACS+, Diameter, DCE/RPC.

use super::{Memo, Signature, View, sig};
use crate::App;

pub(crate) const TCP: &[Signature] = &[
    sig(App::Ldap, 7, &[0x30], ldap_tcp),
    sig(App::Krb5, 14, &[0], krb5_tcp),
    sig(App::Tacacs, 12, &[0xc0, 0xc1], tacacs),
    sig(App::Diameter, 20, &[1], diameter),
    sig(App::Dcerpc, 24, &[5], dcerpc),
];

pub(crate) const UDP: &[Signature] = &[
    sig(App::Cldap, 7, &[0x30], cldap),
    sig(App::Kpasswd, 10, &[0], kpasswd),
    sig(App::Krb5, 10, &[0x6a, 0x6b, 0x6c, 0x6d, 0x7e], krb5_udp),
    sig(App::Radius, 20, &[1, 2, 3, 4, 5, 11, 12, 40, 41, 42, 43, 44, 45], radius),
    sig(App::Dcerpc, 80, &[4], dcerpc_udp),
];

/// One BER header: tag already known, its length, and where the contents begin.
pub(crate) fn ber_len(data: &[u8], at: usize) -> Option<(usize, usize)> {
    let first = *data.get(at)?;
    if first < 0x80 {
        return Some((usize::from(first), at + 1));
    }
    let n = usize::from(first & 0x7f);
    if n == 0 || n > 4 {
        return None;
    }
    let len = data.get(at + 1..at + 1 + n)?.iter().fold(0, |v, b| v << 8 | usize::from(*b));
    Some((len, at + 1 + n))
}

/// An LDAPMessage: a sequence, a message id of at most four octets, an operation. Gives the
/// operation's tag and where it stands, and the message's end.
pub(crate) fn ldap_operation(data: &[u8]) -> Option<(u8, usize, usize)> {
    if data.first() != Some(&0x30) {
        return None;
    }
    let (len, at) = ber_len(data, 1)?;
    let end = at.checked_add(len)?;
    if data.get(at) != Some(&2) {
        return None;
    }
    let (id_len, id_at) = ber_len(data, at + 1)?;
    if !(1..=4).contains(&id_len) {
        return None;
    }
    let tag = *data.get(id_at + id_len)?;
    matches!(tag, 0x42 | 0x4a | 0x50 | 0x60..=0x79).then_some((tag, id_at + id_len, end))
}

fn ldap_tcp(v: &View<'_>, _: &mut Memo) -> bool {
    let Some((tag, at, end)) = ldap_operation(v.data) else {
        return false;
    };
    let fits = end <= v.len() || v.len() > 500;
    fits && match tag {
        0x60 => v.u8(at + 2) == 2 || v.u8(at + 3) == 2 || v.u8(at + 6) == 2,
        0x61 => v.is(at + 2, &[0x0a, 1]) || v.has(&[0x0a, 1], at + 12),
        _ => v.port(389) || v.port(3268) || tag == 0x63 && v.has(b"objectclass", 200),
    }
}

fn cldap(v: &View<'_>, _: &mut Memo) -> bool {
    matches!(ldap_operation(v.data), Some((0x63..=0x65, _, end)) if end <= v.len())
        && (v.port(389) || v.has(b"Netlogon", 300) || v.has(b"objectclass", 100))
}

/// A Kerberos message: application tag, a sequence, `pvno [1] 5`, `msg-type [2]` equal to the tag.
pub(crate) fn krb5_type(data: &[u8]) -> Option<u8> {
    let tag = *data.first()?;
    if !matches!(tag, 0x6a | 0x6b | 0x6c | 0x6d | 0x6e | 0x6f | 0x7e | 0x74 | 0x75) {
        return None;
    }
    let (_, at) = ber_len(data, 1)?;
    if data.get(at) != Some(&0x30) {
        return None;
    }
    let (_, at) = ber_len(data, at + 1)?;
    let first = *data.get(at)?;
    let pvno = data.get(at + 1..at + 5)? == [3, 2, 1, 5];
    let kind = data.get(at + 6..at + 9)? == [3, 2, 1];
    (matches!(first, 0xa0 | 0xa1) && pvno && kind && data.get(at + 9) == Some(&(tag & 0x1f)))
        .then_some(tag & 0x1f)
}

fn krb5_tcp(v: &View<'_>, _: &mut Memo) -> bool {
    v.be32(0) < 1 << 20 && v.be32(0) + 4 >= v.len().min(1000) && krb5_type(&v.data[4..]).is_some()
}

fn krb5_udp(v: &View<'_>, _: &mut Memo) -> bool {
    krb5_type(v.data).is_some()
}

fn kpasswd(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(464) && v.be16(0) == v.len() && matches!(v.be16(2), 1 | 0xff80)
}

/// A code, an id, the datagram's length; then attributes that end where it ends.
fn radius(v: &View<'_>, _: &mut Memo) -> bool {
    let len = v.be16(2);
    if len != v.len() || len > 4096 {
        return false;
    }
    let mut at = 20;
    while at < len {
        let n = usize::from(v.u8(at + 1));
        if v.u8(at) == 0 || n < 2 || at + n > len {
            return false;
        }
        at += n;
    }
    len > 20 || v.port_of(App::Radius)
}

fn tacacs(v: &View<'_>, _: &mut Memo) -> bool {
    (1..=3).contains(&v.u8(1)) && v.u8(3) & !5 == 0 && v.be32(8) + 12 == v.len() && v.port(49)
}

/// Version 1, a 24-bit length on a multiple of four, known flag bits, a command.
fn diameter(v: &View<'_>, _: &mut Memo) -> bool {
    diameter_header(v.data)
}

pub(crate) fn diameter_header(data: &[u8]) -> bool {
    let len = super::be32(data, 0) & 0xff_ffff;
    let command = super::be32(data, 4) & 0xff_ffff;
    data.first() == Some(&1)
        && len >= 20
        && len.is_multiple_of(4)
        && len + 3 >= data.len().min(1400)
        && data.get(4).is_some_and(|f| f & 0x0f == 0)
        && (257..=0x8f_ffff).contains(&command)
        && (command < 400 || (8_388_000..8_389_000).contains(&command))
}

/// Version 5.0, a known packet type, a data representation, a fragment length that fits.
fn dcerpc(v: &View<'_>, _: &mut Memo) -> bool {
    let little = v.u8(4) & 0xf0 == 0x10;
    let len = if little { v.le16(8) } else { v.be16(8) };
    v.u8(1) <= 1
        && v.u8(2) <= 19
        && v.u8(4) & 0xef <= 1
        && v.u8(5) <= 3
        && v.u8(6) == 0
        && v.u8(7) == 0
        && (16..=65_535).contains(&len)
        && (len <= v.len() || v.len() > 500 || v.u8(2) == 11 && v.be16(16) == v.be16(18))
        && matches!(v.u8(2), 0 | 2 | 3 | 11..=16)
}

/// Version 4 in datagrams.
fn dcerpc_udp(v: &View<'_>, _: &mut Memo) -> bool {
    let little = v.u8(4) & 0xf0 == 0x10;
    let len = if little { v.le16(74) } else { v.be16(74) };
    v.u8(1) <= 10 && v.u8(4) & 0xef <= 1 && v.u8(5) <= 3 && v.u8(6) == 0 && len + 80 == v.len()
}
