//! HPACK (RFC 7541): header blocks to names and values.
//!
//! Promises: the static table, literals, Huffman text, and a dynamic table of the default size; a
//! block that contradicts itself ends there, what stood before was told. Not promised: a table larger
//! than the default; an entry that then is not known is passed over.

use std::collections::VecDeque;

use super::limits::{HPACK_FIELDS_MAX, HPACK_TABLE_OCTETS_MAX, MESSAGE_OCTETS_MAX};
use super::read::Reader;

/// What RFC 7541 §4.1 adds to an entry's size.
const ENTRY_OVERHEAD: usize = 32;

/// A name and its value.
type Entry = (Box<[u8]>, Box<[u8]>);

/// The headers told before, newest first.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: VecDeque<Entry>,
    size: usize,
    /// The peer's own bound, where it set one below the default.
    bound: Option<usize>,
}

type Tell<'t> = &'t mut dyn FnMut(&[u8], &[u8]);

impl Table {
    /// Tells each header of one whole block.
    pub(super) fn read(&mut self, block: &[u8], tell: Tell<'_>) {
        let mut reader = Reader::new(block);
        for _ in 0..HPACK_FIELDS_MAX {
            if self.field(&mut reader, tell).is_none() {
                break;
            }
        }
    }

    fn field(&mut self, reader: &mut Reader<'_>, tell: Tell<'_>) -> Option<()> {
        let first = reader.u8()?;
        if first & 0x80 != 0 {
            let index = integer(reader, first, 7)?;
            if let Some((name, value)) = self.entry(index) {
                tell(name, value);
            }
            return Some(());
        }
        if first & 0xe0 == 0x20 {
            let bound = integer(reader, first, 5)?;
            self.bound = Some(bound.min(HPACK_TABLE_OCTETS_MAX));
            self.evict(0);
            return Some(());
        }
        let indexed = first & 0x40 != 0;
        let index = integer(reader, first, if indexed { 6 } else { 4 })?;
        let name = match index {
            0 => Some(string(reader)?),
            index => self.entry(index).map(|(name, _)| name.to_vec()),
        };
        let value = string(reader)?;
        if let Some(name) = &name {
            tell(name, &value);
        }
        if indexed {
            // A name that is not known keeps its place, so that indices stay right.
            self.add(name.unwrap_or_default(), value);
        }
        Some(())
    }

    fn entry(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let at = index.checked_sub(1)?;
        if let Some(&(name, value)) = STATIC.get(at) {
            return Some((name, value));
        }
        let (name, value) = self.entries.get(at - STATIC.len())?;
        Some((name, value))
    }

    fn add(&mut self, name: Vec<u8>, value: Vec<u8>) {
        let size = name.len() + value.len() + ENTRY_OVERHEAD;
        self.evict(size);
        if size <= self.bound.unwrap_or(HPACK_TABLE_OCTETS_MAX) {
            self.entries.push_front((name.into(), value.into()));
            self.size += size;
        }
    }

    fn evict(&mut self, room: usize) {
        while self.size + room > self.bound.unwrap_or(HPACK_TABLE_OCTETS_MAX) {
            let Some((name, value)) = self.entries.pop_back() else { break };
            self.size -= name.len() + value.len() + ENTRY_OVERHEAD;
        }
    }
}

/// RFC 7541 §5.1, up to 2^28.
fn integer(reader: &mut Reader<'_>, first: u8, bits: u32) -> Option<usize> {
    let full = (1 << bits) - 1;
    let mut value = usize::from(first) & full;
    if value < full {
        return Some(value);
    }
    for shift in [0, 7, 14, 21] {
        let byte = reader.u8()?;
        value += usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn string(reader: &mut Reader<'_>) -> Option<Vec<u8>> {
    let first = reader.u8()?;
    let len = integer(reader, first, 7)?;
    let bytes = reader.take(len)?;
    if first & 0x80 != 0 { unhuffman(bytes) } else { Some(bytes.to_vec()) }
}

/// Decodes bit by bit over the canonical code; `None` for text that is not of the code.
fn unhuffman(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len().min(MESSAGE_OCTETS_MAX) * 3 / 2);
    let (mut code, mut len) = (0u32, 0usize);
    for &byte in bytes {
        for bit in (0..8).rev() {
            code = code << 1 | u32::from(byte >> bit & 1);
            len += 1;
            let (first, index, count) = *CODES.by_len.get(len)?;
            if code.wrapping_sub(first) < count {
                let symbol = *CODES.symbols.get((index + (code - first)) as usize)?;
                if symbol == END {
                    return None;
                }
                out.push(symbol as u8);
                (code, len) = (0, 0);
            }
        }
    }
    // Padding is the beginning of the end symbol: all ones, less than an octet.
    (len < 8 && code == (1 << len) - 1).then_some(out)
}

const END: u16 = 256;
const CODE_BITS_MAX: usize = 30;

struct Codes {
    /// Of each length: first code, where its symbols begin, how many there are.
    by_len: [(u32, u32, u32); CODE_BITS_MAX + 1],
    /// By length of their code, then by value.
    symbols: [u16; 257],
}

static CODES: Codes = codes();

/// The code is canonical: the lengths tell everything.
const fn codes() -> Codes {
    let mut codes = Codes { by_len: [(0, 0, 0); CODE_BITS_MAX + 1], symbols: [0; 257] };
    let (mut len, mut code, mut at) = (1, 0, 0);
    while len <= CODE_BITS_MAX {
        code <<= 1;
        let (first, index) = (code, at);
        let mut symbol = 0;
        while symbol < 257 {
            if CODE_BITS[symbol] as usize == len {
                codes.symbols[at] = symbol as u16;
                at += 1;
                code += 1;
            }
            symbol += 1;
        }
        codes.by_len[len] = (first, index as u32, (at - index) as u32);
        len += 1;
    }
    codes
}

/// Length of each octet's code and of the end's, RFC 7541 appendix B.
#[rustfmt::skip]
const CODE_BITS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

/// RFC 7541 appendix A.
#[rustfmt::skip]
const STATIC: [(&[u8], &[u8]); 61] = [
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    (b":status", b"200"),
    (b":status", b"204"),
    (b":status", b"206"),
    (b":status", b"304"),
    (b":status", b"400"),
    (b":status", b"404"),
    (b":status", b"500"),
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    (b"accept-language", b""),
    (b"accept-ranges", b""),
    (b"accept", b""),
    (b"access-control-allow-origin", b""),
    (b"age", b""),
    (b"allow", b""),
    (b"authorization", b""),
    (b"cache-control", b""),
    (b"content-disposition", b""),
    (b"content-encoding", b""),
    (b"content-language", b""),
    (b"content-length", b""),
    (b"content-location", b""),
    (b"content-range", b""),
    (b"content-type", b""),
    (b"cookie", b""),
    (b"date", b""),
    (b"etag", b""),
    (b"expect", b""),
    (b"expires", b""),
    (b"from", b""),
    (b"host", b""),
    (b"if-match", b""),
    (b"if-modified-since", b""),
    (b"if-none-match", b""),
    (b"if-range", b""),
    (b"if-unmodified-since", b""),
    (b"last-modified", b""),
    (b"link", b""),
    (b"location", b""),
    (b"max-forwards", b""),
    (b"proxy-authenticate", b""),
    (b"proxy-authorization", b""),
    (b"range", b""),
    (b"referer", b""),
    (b"refresh", b""),
    (b"retry-after", b""),
    (b"server", b""),
    (b"set-cookie", b""),
    (b"strict-transport-security", b""),
    (b"transfer-encoding", b""),
    (b"user-agent", b""),
    (b"vary", b""),
    (b"via", b""),
    (b"www-authenticate", b""),
];

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn unhex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        digits
            .as_chunks::<2>()
            .0
            .iter()
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    fn check(table: &mut Table, block: &str, expected: &[(&str, &str)]) {
        let mut told = Vec::new();
        table.read(&unhex(block), &mut |name, value| {
            told.push((
                String::from_utf8(name.to_vec()).unwrap(),
                String::from_utf8(value.to_vec()).unwrap(),
            ));
        });
        let told: Vec<_> = told.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(told, expected);
    }

    const FIRST: [(&str, &str); 4] = [
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "www.example.com"),
    ];

    #[test]
    fn requests_without_huffman_read_as_in_appendix_c3() {
        let mut table = Table::default();
        check(&mut table, "828684410f7777772e6578616d706c652e636f6d", &FIRST);
        assert_eq!(table.size, 57);
        let mut second = FIRST.to_vec();
        second.push(("cache-control", "no-cache"));
        check(&mut table, "828684be58086e6f2d6361636865", &second);
        assert_eq!(table.size, 110);
        check(
            &mut table,
            "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
            &[
                (":method", "GET"),
                (":scheme", "https"),
                (":path", "/index.html"),
                (":authority", "www.example.com"),
                ("custom-key", "custom-value"),
            ],
        );
        assert_eq!(table.size, 164);
    }

    #[test]
    fn requests_with_huffman_read_as_in_appendix_c4() {
        let mut table = Table::default();
        check(&mut table, "828684418cf1e3c2e5f23a6ba0ab90f4ff", &FIRST);
        let mut second = FIRST.to_vec();
        second.push(("cache-control", "no-cache"));
        check(&mut table, "828684be5886a8eb10649cbf", &second);
        assert_eq!(table.size, 110);
    }

    #[test]
    fn a_small_table_evicts_as_in_appendix_c6() {
        let mut table = Table { bound: Some(256), ..Table::default() };
        let date = "Mon, 21 Oct 2013 20:13:21 GMT";
        let place = "https://www.example.com";
        let first =
            [(":status", "302"), ("cache-control", "private"), ("date", date), ("location", place)];
        check(
            &mut table,
            "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff\
             6e919d29ad171863c78f0b97c8e9ae82ae43d3",
            &first,
        );
        assert_eq!(table.size, 222);
        let second =
            [(":status", "307"), ("cache-control", "private"), ("date", date), ("location", place)];
        check(&mut table, "4883640effc1c0bf", &second);
        assert_eq!(table.size, 222);
    }

    #[test]
    fn text_that_is_not_of_the_code_ends_the_block() {
        assert_eq!(unhuffman(&[0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(unhuffman(&[0xff]), None);
        assert_eq!(unhuffman(&[]), Some(Vec::new()));
    }

    #[test]
    fn any_octets_are_read_without_a_panic_and_within_the_table() {
        bolero::check!().with_iterations(4000).for_each(|bytes: &[u8]| {
            let mut table = Table::default();
            for block in bytes.chunks(16) {
                table.read(block, &mut |_, _| {});
                assert!(table.size <= HPACK_TABLE_OCTETS_MAX);
            }
        });
    }
}
