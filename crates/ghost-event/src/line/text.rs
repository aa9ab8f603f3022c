//! JSON's smallest parts, appended to a buffer: keys, numbers, addresses, escaped text.

use std::io::Write as _;
use std::net::{IpAddr, Ipv6Addr};

use crate::{MacAddr, Timestamp};

/// A key that is never the first of its object, as one literal.
macro_rules! put_key {
    ($out:expr, $name:literal) => {
        $out.extend_from_slice(concat!(",\"", $name, "\":").as_bytes())
    };
}
/// The same with the quote that opens its text.
macro_rules! put_open {
    ($out:expr, $name:literal) => {
        $out.extend_from_slice(concat!(",\"", $name, "\":\"").as_bytes())
    };
}
/// The same with a number, left out where 0.
macro_rules! put_count {
    ($out:expr, $name:literal, $value:expr $(,)?) => {
        let value: u64 = $value;
        if value != 0 {
            $crate::line::text::put_key!($out, $name);
            $crate::line::text::number($out, value);
        }
    };
}
/// The same with a closed word, left out where empty.
macro_rules! put_word {
    ($out:expr, $name:literal, $value:expr $(,)?) => {
        let value: &str = $value;
        if !value.is_empty() {
            $crate::line::text::put_open!($out, $name);
            $out.extend_from_slice(value.as_bytes());
            $out.push(b'"');
        }
    };
}
pub(super) use {put_count, put_key, put_open, put_word};

/// A key, with the comma before it where one is due.
pub(super) fn key(out: &mut Vec<u8>, name: &str) {
    if !matches!(out.last(), Some(b'{')) {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// The comma before a list's next item.
pub(super) fn item(out: &mut Vec<u8>) {
    if !matches!(out.last(), Some(b'[')) {
        out.push(b',');
    }
}

pub(super) fn number(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// `name` with `value`, left out where 0.
pub(super) fn count(out: &mut Vec<u8>, name: &str, value: u64) {
    if value != 0 {
        key(out, name);
        number(out, value);
    }
}

/// `name` with `value` as trusted text (a closed word: nothing to escape), left out where empty.
pub(super) fn word(out: &mut Vec<u8>, name: &str, value: &str) {
    if !value.is_empty() {
        key(out, name);
        out.push(b'"');
        out.extend_from_slice(value.as_bytes());
        out.push(b'"');
    }
}

pub(super) fn timestamp(out: &mut Vec<u8>, at: Timestamp) {
    out.push(b'"');
    out.extend_from_slice(&at.text());
    out.push(b'"');
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

pub(super) fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    let at = out.len();
    out.resize(at + 2 * bytes.len(), 0);
    for (pair, byte) in out[at..].as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    }
}

pub(super) fn mac(out: &mut Vec<u8>, mac: MacAddr) {
    let mut text = *b"\"00:00:00:00:00:00\"";
    for (i, byte) in mac.0.iter().enumerate() {
        text[1 + 3 * i] = DIGITS[usize::from(byte >> 4)];
        text[2 + 3 * i] = DIGITS[usize::from(byte & 15)];
    }
    out.extend_from_slice(&text);
}

pub(super) fn address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => {
            // Quotes, four times three digits, three points.
            let mut text = [b'"'; 17];
            let mut at = 1;
            for (i, octet) in v4.octets().into_iter().enumerate() {
                if i != 0 {
                    text[at] = b'.';
                    at += 1;
                }
                if octet >= 100 {
                    text[at] = b'0' + octet / 100;
                    at += 1;
                }
                if octet >= 10 {
                    text[at] = b'0' + octet / 10 % 10;
                    at += 1;
                }
                text[at] = b'0' + octet % 10;
                at += 1;
            }
            text[at] = b'"';
            out.extend_from_slice(&text[..=at]);
        }
        IpAddr::V6(v6) => address6(out, v6),
    }
}

/// RFC 5952, as std writes it, in a third of the time.
fn address6(out: &mut Vec<u8>, address: Ipv6Addr) {
    if address.to_ipv4_mapped().is_some() {
        // Writing into a Vec cannot fail.
        drop(write!(out, "\"{address}\""));
        return;
    }
    let segments = address.segments();
    // The first of the longest runs of zeros, of two or more.
    let (mut gap, mut run) = ((0, 0), (0, 0));
    for (at, segment) in segments.into_iter().enumerate() {
        run = match (segment, run) {
            (0, (from, len)) if len > 0 => (from, len + 1),
            (0, _) => (at, 1),
            _ => (0, 0),
        };
        if run.1 > gap.1.max(1) {
            gap = run;
        }
    }
    // Quotes, eight times four digits, seven colons.
    let mut text = [b'"'; 41];
    let mut at = 1;
    let mut put = |byte: u8| {
        text[at] = byte;
        at += 1;
    };
    let mut from = 0;
    while from < segments.len() {
        if gap.1 > 0 && from == gap.0 {
            put(b':');
            put(b':');
            from += gap.1;
            continue;
        }
        if from > 0 && (gap.1 == 0 || from != gap.0 + gap.1) {
            put(b':');
        }
        let segment = segments[from];
        let digits = (16 - segment.leading_zeros()).div_ceil(4).max(1);
        for digit in (0..digits).rev() {
            put(DIGITS[usize::from(segment >> (4 * digit) & 15)]);
        }
        from += 1;
    }
    put(b'"');
    out.extend_from_slice(&text[..at]);
}

/// Whether a character moves, hides or reorders what a person sees: it is never printed raw.
#[must_use]
pub fn hidden(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// First bytes of UTF-8 characters that may need an escape.
const SUSPECT: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table[0x7f] = true;
    // U+0080–U+00BF, U+0600–U+063F, U+1000–U+1FFF, U+2000–U+2FFF, U+F000–U+FFFF, planes 12–15.
    table[0xc2] = true;
    table[0xd8] = true;
    table[0xe1] = true;
    table[0xe2] = true;
    table[0xef] = true;
    table[0xf3] = true;
    table
};

/// Untrusted text as a JSON string, quotes included.
pub(super) fn text(out: &mut Vec<u8>, value: &str) {
    out.push(b'"');
    let mut rest = value;
    while let Some(at) = rest.bytes().position(|b| SUSPECT[usize::from(b)]) {
        let (plain, tail) = rest.split_at(at);
        out.extend_from_slice(plain.as_bytes());
        let mut chars = tail.chars();
        let Some(c) = chars.next() else { break };
        escape(out, c);
        rest = chars.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
    out.push(b'"');
}

fn escape(out: &mut Vec<u8>, c: char) {
    match c {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        c if hidden(c) => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.extend_from_slice(b"\\u");
                hex(out, &unit.to_be_bytes());
            }
        }
        c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

/// `value` cut to at most `bytes_max` bytes, between characters.
pub(super) fn cut(value: &str, bytes_max: usize) -> &str {
    if value.len() <= bytes_max {
        return value;
    }
    let end = (0..=bytes_max).rev().find(|i| value.is_char_boundary(*i)).unwrap_or(0);
    &value[..end]
}

/// `name` with untrusted text, cut to what a line has room for; left out where empty.
pub(super) fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    if !value.is_empty() {
        key(out, name);
        text(out, cut(value, super::TEXT_BYTES_MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: &str) -> String {
        let mut out = Vec::new();
        text(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_terminal_never_sees_a_raw_escape() {
        assert_eq!(json("a\x1b[31m\u{9b}2J\x7f"), r#""a\u001b[31m\u009b2J\u007f""#);
        assert_eq!(json("\u{202e}txt.exe\u{2028}"), r#""\u202etxt.exe\u2028""#);
        assert_eq!(json("\"\\\n"), r#""\"\\\n""#);
        assert_eq!(json("\u{e0041}"), r#""\udb40\udc41""#);
        assert_eq!(json("żółć 東京 ✓ é"), "\"żółć 東京 ✓ é\"");
    }

    #[test]
    fn any_text_survives_and_hides_nothing() {
        bolero::check!().with_iterations(5_000).for_each(|bytes| {
            let value = String::from_utf8_lossy(bytes);
            let written = json(&value);
            assert_eq!(serde_json::from_str::<String>(&written).unwrap(), value);
            assert!(!written.chars().any(hidden), "{written:?}");
        });
    }

    #[test]
    fn every_hidden_character_is_escaped() {
        for c in (0..=0x10_ffff).filter_map(char::from_u32).filter(|c| hidden(*c)) {
            let written = json(&c.to_string());
            assert!(written.is_ascii() && written.starts_with("\"\\"), "{c:?} {written}");
        }
    }

    #[test]
    fn an_address_is_written_as_std_writes_it() {
        let check = |ip: IpAddr| {
            let mut out = Vec::new();
            address(&mut out, ip);
            assert_eq!(String::from_utf8(out).unwrap(), format!("\"{ip}\""));
        };
        for text in [
            "::",
            "::1",
            "1::",
            "1:0:0:2::",
            "1::2:0:0:3",
            "::ffff:1.2.3.4",
            "::1.2.3.4",
            "1:0:2:0:3:0:4:0",
            "fe80::1",
            "2001:db8::ff:0:1",
            "1:2:3:4:5:6:7:8",
            "0.0.0.0",
        ] {
            check(text.parse().unwrap());
        }
        // Bytes that are mostly zero make runs of it.
        bolero::check!().with_type::<([u8; 16], u16)>().with_iterations(5000).for_each(
            |(bytes, mask)| {
                let mut masked = *bytes;
                for (at, byte) in masked.iter_mut().enumerate() {
                    *byte = if mask >> at & 1 == 0 { 0 } else { *byte };
                }
                check(IpAddr::from(masked));
                check(IpAddr::from([bytes[0], bytes[1], bytes[2], bytes[3]]));
            },
        );
    }
}
