//! Terms: the exact facts of an event that a request can ask for.
//!
//! A term is a kind (one byte) and a value; all of them share one dictionary, in which the terms of
//! a kind stand together and in the order of their values: a range of addresses or ports is a range
//! of the dictionary. Text is kept in lower case. Values longer than
//! [`limits::TERM_BYTES_MAX`](crate::limits::TERM_BYTES_MAX) are cut, here and in requests alike.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use ghost_event::{MacAddr, ShapeId};
use xxhash_rust::xxh3::xxh3_64;

use crate::limits;

/// What a term tells. The byte is part of the index's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    App = b'a',
    Brand = b'b',
    Category = b'c',
    Behaviour = b'B',
    Shape = b'h',
    Proto = b'p',
    Interface = b'i',
    SrcIp = b's',
    DstIp = b'd',
    SrcPort = b'S',
    DstPort = b'D',
    SrcMac = b'm',
    DstMac = b'M',
    Vlan = b'v',
    CommunityId = b'C',
    SrcRole = b'r',
    DstRole = b'R',
    SrcZone = b'z',
    DstZone = b'Z',
    /// A whole host name, or a parent of it at a dot.
    Name = b'n',
    /// One word of a name or of a told text.
    Word = b'w',
    /// `path=value` of anything else that the line tells.
    Fact = b'k',
    /// The kind of an encapsulated flow.
    Tunnel = b't',
    /// What the event is of where that is not one flow: `packet`, `flood`.
    Event = b'e',
}

impl Kind {
    pub(crate) const ALL: &'static [Kind] = &[
        Kind::App,
        Kind::Brand,
        Kind::Category,
        Kind::Behaviour,
        Kind::Shape,
        Kind::Proto,
        Kind::Interface,
        Kind::SrcIp,
        Kind::DstIp,
        Kind::SrcPort,
        Kind::DstPort,
        Kind::SrcMac,
        Kind::DstMac,
        Kind::Vlan,
        Kind::CommunityId,
        Kind::SrcRole,
        Kind::DstRole,
        Kind::SrcZone,
        Kind::DstZone,
        Kind::Name,
        Kind::Word,
        Kind::Fact,
        Kind::Tunnel,
        Kind::Event,
    ];

    fn of(byte: u8) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|k| *k as u8 == byte)
    }
}

/// One exact fact.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term(Box<[u8]>);

impl Term {
    /// `value` in lower case under `kind`, cut where too long.
    #[must_use]
    pub fn text(kind: Kind, value: &str) -> Term {
        let mut out = Vec::with_capacity(value.len() + 1);
        put_text(&mut out, kind, value);
        Term(out.into())
    }

    /// An address; IPv4 stands as its IPv6-mapped form.
    #[must_use]
    pub fn ip(kind: Kind, address: IpAddr) -> Term {
        Term::raw(kind, &mapped(address).octets())
    }

    /// A port, VLAN id or other 16-bit number.
    #[must_use]
    pub fn number(kind: Kind, value: u16) -> Term {
        Term::raw(kind, &value.to_be_bytes())
    }

    /// A hardware address.
    #[must_use]
    pub fn mac(kind: Kind, mac: MacAddr) -> Term {
        Term::raw(kind, &mac.0)
    }

    /// A shape.
    #[must_use]
    pub fn shape(id: ShapeId) -> Term {
        Term::raw(Kind::Shape, &id.0.to_be_bytes())
    }

    /// `path=value`, as the line tells it.
    #[must_use]
    pub fn fact(path: &str, value: &str) -> Term {
        Term::text(Kind::Fact, &format!("{path}={value}"))
    }

    /// A Community ID in its text form; case matters. Engines answer it from a column of
    /// hashes, and only [`Clause::Has`](crate::Clause::Has) asks for it.
    #[must_use]
    pub fn community_id(text: &str) -> Term {
        Term::raw(Kind::CommunityId, text.as_bytes())
    }

    fn raw(kind: Kind, value: &[u8]) -> Term {
        let value = value.get(..limits::TERM_BYTES_MAX).unwrap_or(value);
        let mut out = Vec::with_capacity(value.len() + 1);
        out.push(kind as u8);
        out.extend_from_slice(value);
        Term(out.into())
    }

    /// Kind byte and value, as the dictionary holds them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What the term tells.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        self.0.first().and_then(|b| Kind::of(*b))
    }

    /// What stands behind the kind.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        self.0.get(1..).unwrap_or(&[])
    }
}

impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            Some(kind) => write!(f, "{kind:?}:{}", self.value().escape_ascii()),
            None => write!(f, "Term({})", self.0.escape_ascii()),
        }
    }
}

/// What a column holds of a Community ID: its first 64 bits, as a packet's line tells them; of
/// what is none, a hash.
pub(crate) fn pair(community_id: &[u8]) -> u64 {
    first_64_bits(community_id).unwrap_or_else(|| {
        xxh3_64(community_id.get(..limits::TERM_BYTES_MAX).unwrap_or(community_id))
    })
}

fn first_64_bits(community_id: &[u8]) -> Option<u64> {
    let digits = community_id.strip_prefix(b"1:").filter(|text| text.len() == 28)?;
    let mut bits = 0_u128;
    // Eleven digits of base64 are 66 bits.
    for digit in digits.get(..11)? {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u128::from(value);
    }
    u64::try_from(bits >> 2).ok()
}

pub(crate) fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

/// Appends `value` in lower case (ASCII) under `kind`, cut at a character.
pub(crate) fn put_text(out: &mut Vec<u8>, kind: Kind, value: &str) {
    out.push(kind as u8);
    let mut end = value.len().min(limits::TERM_BYTES_MAX);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    let from = out.len();
    out.extend_from_slice(&value.as_bytes()[..end]);
    out[from..].make_ascii_lowercase();
}

/// A host name as it is indexed: no port, no root dot.
pub(crate) fn host(name: &str) -> &str {
    let name = name.trim();
    let name = match name.rsplit_once(':') {
        // One colon and digits: a port. More colons: an IPv6 literal.
        Some((host, port))
            if !host.contains(':')
                && !port.is_empty()
                && port.bytes().all(|b| b.is_ascii_digit()) =>
        {
            host
        }
        _ => name,
    };
    name.trim_end_matches('.')
}

/// The words of a told text: runs of letters and digits, two bytes or longer.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|w| w.len() >= 2)
}

/// Whether `pattern` (with `*` for any run of bytes) matches all of `text`.
pub(crate) fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            back = Some((p, t));
            p += 1;
        } else if pattern.get(p) == text.get(t) {
            p += 1;
            t += 1;
        } else if let Some((star, from)) = back {
            p = star + 1;
            t = from + 1;
            back = Some((star, from + 1));
        } else {
            return false;
        }
    }
    pattern.get(p..).unwrap_or(&[]).iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_matches_the_whole_text_and_backtracks() {
        let check = |p: &str, t: &str, want: bool| {
            assert_eq!(glob(p.as_bytes(), t.as_bytes()), want, "{p} {t}");
        };
        check("*.example.com", "www.example.com", true);
        check("*.example.com", "example.com", false);
        check("ex*le*", "example.com", true);
        check("*a*b*c", "xaxbxbc", true);
        check("*a*b*c", "xaxbxbd", false);
        check("", "", true);
        check("*", "", true);
        check("a", "", false);
    }

    #[test]
    fn a_community_id_is_kept_by_its_first_64_bits() {
        // base64 of twenty bytes 7.
        assert_eq!(pair(b"1:BwcHBwcHBwcHBwcHBwcHBwcHBwc="), 0x0707_0707_0707_0707);
        assert_eq!(pair(b"1://////////////////////////8="), u64::MAX);
        assert_ne!(pair(b"1:short"), pair(b"1:other"));
    }

    #[test]
    fn a_host_loses_its_port_and_root_dot_but_an_ipv6_literal_stays() {
        assert_eq!(host("localhost:8000"), "localhost");
        assert_eq!(host("example.com."), "example.com");
        assert_eq!(host("fe80::1"), "fe80::1");
    }

    #[test]
    fn a_long_value_is_cut_at_a_character_the_same_way_each_time() {
        let long = "ä".repeat(300);
        let term = Term::text(Kind::Name, &long);
        assert!(term.value().len() <= limits::TERM_BYTES_MAX);
        assert!(std::str::from_utf8(term.value()).is_ok());
        assert_eq!(term, Term::text(Kind::Name, &long));
    }
}
