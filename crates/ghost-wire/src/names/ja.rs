//! Fingerprints of client hellos: JA3, and JA4 of TLS clients (not of servers or anything else).
//!
//! Both are hashes over what a client offers and in JA3's case in which order; GREASE is left out,
//! so that one build of one program keeps one fingerprint.

use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::hello::{Carrier, ClientHello, is_grease, protocols};
use super::limits::FINGERPRINT_ITEMS_MAX;
use super::read::pairs;

pub(super) fn hex(bytes: &[u8], out: &mut [u8]) {
    for (byte, pair) in bytes.iter().zip(out.as_chunks_mut::<2>().0) {
        *pair = [nibble(byte >> 4), nibble(byte & 0xf)];
    }
}

fn nibble(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

/// MD5 in hexadecimal, as JA3 and HASSH want it.
pub(super) fn md5_hex(text: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    hex(&Md5::digest(text), &mut out);
    out
}

fn list(out: &mut Vec<u8>, values: impl Iterator<Item = u16>) {
    use std::io::Write as _;
    let mut first = true;
    for value in values.filter(|&value| !is_grease(value)).take(FINGERPRINT_ITEMS_MAX) {
        let _ = if first { write!(out, "{value}") } else { write!(out, "-{value}") };
        first = false;
    }
}

fn ja3_text(hello: &ClientHello<'_>) -> Vec<u8> {
    use std::io::Write as _;
    let mut text = Vec::with_capacity(512);
    let _ = write!(text, "{},", hello.version);
    list(&mut text, pairs(hello.ciphers));
    text.push(b',');
    list(&mut text, hello.extensions.map(|(kind, _)| kind));
    text.push(b',');
    list(&mut text, pairs(hello.groups));
    text.push(b',');
    list(&mut text, hello.point_formats.iter().map(|&format| u16::from(format)));
    text
}

pub(super) fn ja3(hello: &ClientHello<'_>) -> [u8; 32] {
    md5_hex(&ja3_text(hello))
}

/// `t13d1516h2_8daaf6152771_e5627efa2ab1`: what it speaks, what it can, what it asks for.
pub(super) fn ja4(hello: &ClientHello<'_>) -> [u8; 36] {
    let mut ciphers: Vec<u16> = pairs(hello.ciphers)
        .filter(|&cipher| !is_grease(cipher))
        .take(FINGERPRINT_ITEMS_MAX)
        .collect();
    let extensions = hello.extensions.map(|(kind, _)| kind).filter(|&kind| !is_grease(kind));
    let mut asked: Vec<u16> = extensions.take(FINGERPRINT_ITEMS_MAX).collect();
    let (ciphers_count, asked_count) = (ciphers.len().min(99), asked.len().min(99));

    let mut out = [b'_'; 36];
    out[0] = match hello.carrier {
        Carrier::Tls => b't',
        Carrier::Dtls => b'd',
        Carrier::Quic => b'q',
    };
    out[1..3].copy_from_slice(match hello.offered() {
        0x0304 => b"13",
        0x0303 => b"12",
        0x0302 => b"11",
        0x0301 => b"10",
        0x0300 => b"s3",
        0x0002 => b"s2",
        0xfeff => b"d1",
        0xfefd => b"d2",
        0xfefc => b"d3",
        _ => b"00",
    });
    out[3] = if hello.server_name.is_some() { b'd' } else { b'i' };
    let two = |count: usize| [b'0' + (count / 10) as u8, b'0' + (count % 10) as u8];
    out[4..6].copy_from_slice(&two(ciphers_count));
    out[6..8].copy_from_slice(&two(asked_count));
    out[8..10].copy_from_slice(&ends(protocols(hello.alpn).next()));

    ciphers.sort_unstable();
    asked.retain(|&kind| !matches!(kind, 0 | 16));
    asked.sort_unstable();
    let mut text = Vec::with_capacity(256);
    hex_list(&mut text, ciphers.iter().copied());
    digest12(&text, &mut out[11..23]);
    text.clear();
    hex_list(&mut text, asked.iter().copied());
    let mut signatures = pairs(hello.signatures)
        .filter(|&signature| !is_grease(signature))
        .take(FINGERPRINT_ITEMS_MAX)
        .peekable();
    if signatures.peek().is_some() {
        text.push(b'_');
        hex_list(&mut text, signatures);
    }
    digest12(&text, &mut out[24..36]);
    out
}

/// First and last character of the first protocol, or of its hexadecimal form.
fn ends(protocol: Option<&[u8]>) -> [u8; 2] {
    let Some((&first, &last)) = protocol.and_then(|p| Some((p.first()?, p.last()?))) else {
        return *b"00";
    };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        [first, last]
    } else {
        [nibble(first >> 4), nibble(last & 0xf)]
    }
}

fn hex_list(out: &mut Vec<u8>, values: impl Iterator<Item = u16>) {
    let mut first = true;
    for value in values {
        if !first {
            out.push(b',');
        }
        let mut four = [0; 4];
        hex(&value.to_be_bytes(), &mut four);
        out.extend_from_slice(&four);
        first = false;
    }
}

fn digest12(text: &[u8], out: &mut [u8]) {
    if text.is_empty() {
        out.fill(b'0');
    } else {
        let digest = Sha256::digest(text);
        hex(digest.get(..6).unwrap_or(&[]), out);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn push16(out: &mut Vec<u8>, value: usize) {
        out.extend_from_slice(&(value as u16).to_be_bytes());
    }

    /// A hello body of these parts.
    pub(crate) fn body(version: u16, ciphers: &[u16], extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let mut out = version.to_be_bytes().to_vec();
        out.extend_from_slice(&[7; 32]);
        out.push(0);
        push16(&mut out, ciphers.len() * 2);
        ciphers.iter().for_each(|&c| push16(&mut out, usize::from(c)));
        out.extend_from_slice(&[1, 0]);
        if !extensions.is_empty() {
            push16(&mut out, extensions.iter().map(|(_, data)| data.len() + 4).sum());
            for (kind, data) in extensions {
                push16(&mut out, usize::from(*kind));
                push16(&mut out, data.len());
                out.extend_from_slice(data);
            }
        }
        out
    }

    pub(crate) fn list16(values: &[u16]) -> Vec<u8> {
        let mut out = Vec::new();
        push16(&mut out, values.len() * 2);
        values.iter().for_each(|&v| push16(&mut out, usize::from(v)));
        out
    }

    pub(crate) fn sni(name: &str) -> Vec<u8> {
        let mut out = Vec::new();
        push16(&mut out, name.len() + 3);
        out.push(0);
        push16(&mut out, name.len());
        out.extend_from_slice(name.as_bytes());
        out
    }

    #[test]
    fn ja3_equals_the_examples_of_its_authors() {
        let with = body(
            769,
            &[47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4],
            &[(0, sni("a.example")), (10, list16(&[23, 24, 25])), (11, vec![1, 0])],
        );
        let hello = ClientHello::read(Carrier::Tls, &with).unwrap();
        assert_eq!(
            String::from_utf8(ja3_text(&hello)).unwrap(),
            "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0"
        );
        assert_eq!(&ja3(&hello), b"ada70206e40642a3e4461f35503241d5");
        let without = body(769, &[4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99], &[]);
        let hello = ClientHello::read(Carrier::Tls, &without).unwrap();
        assert_eq!(&ja3(&hello), b"de350869b8c85de67a350c8d186f11e6");
    }

    /// The worked example of JA4's technical description.
    #[test]
    fn ja4_equals_the_worked_example_of_its_authors() {
        let ciphers = [
            0x3a3a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013,
            0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
        ];
        let signatures = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601];
        let mut extensions: Vec<(u16, Vec<u8>)> = [
            0x001b, 0x0033, 0x4469, 0x0017, 0x000a, 0x0023, 0xff01, 0x0012, 0x0005, 0x000b, 0x002d,
        ]
        .iter()
        .map(|&kind| (kind, Vec::new()))
        .collect();
        extensions.push((0x2a2a, Vec::new()));
        extensions.push((0, sni("a.example")));
        extensions.push((0x0010, b"\x00\x0c\x02h2\x08http/1.1".to_vec()));
        extensions.push((0x000d, list16(&signatures)));
        extensions.push((0x002b, vec![6, 0x2a, 0x2a, 3, 4, 3, 3]));
        extensions.push((0x0015, vec![0; 20]));
        let body = body(0x0303, &ciphers, &extensions);
        let hello = ClientHello::read(Carrier::Tls, &body).unwrap();
        assert_eq!(
            std::str::from_utf8(&ja4(&hello)).unwrap(),
            "t13d1516h2_8daaf6152771_e5627efa2ab1"
        );
    }

    #[test]
    fn a_hello_with_nothing_in_it_has_zeros_for_hashes() {
        let body = body(0x0303, &[], &[]);
        let hello = ClientHello::read(Carrier::Quic, &body).unwrap();
        assert_eq!(&ja4(&hello), b"q12i000000_000000000000_000000000000");
    }

    #[test]
    fn a_protocol_that_is_no_text_is_told_by_its_hexadecimal_ends() {
        assert_eq!(&ends(Some(b"h2")), b"h2");
        assert_eq!(&ends(Some(b"h")), b"hh");
        assert_eq!(&ends(Some(&[0xab])), b"ab");
        assert_eq!(&ends(Some(&[0xab, 0xcd])), b"ad");
        assert_eq!(&ends(Some(&[0x30, 0xab])), b"3b");
        assert_eq!(&ends(None), b"00");
    }
}
