//! Classic pcap: one header, then records, in the byte order of the machine that wrote it.
//!
//! ```text
//! file    magic u32 · major u16 · minor u16 · zone i32 · accuracy u32 · snap length u32 · link u32
//! record  seconds u32 · fraction u32 · captured u32 · length u32 · (variant's own) · bytes
//! ```
//! Variants differ in the fraction (micro- or nanoseconds), in what follows the four record fields,
//! and in what follows the file header.

use crate::capture::Found;
use crate::error::CaptureError;
use crate::limits::FRAME_BYTES_MAX;
use crate::window::Window;

/// One way to write pcap.
struct Variant {
    magic: u32,
    nanoseconds: bool,
    /// Bytes of the file header behind the usual 24.
    file_more: usize,
    /// Bytes of a record header behind the usual 16.
    record_more: usize,
}

const VARIANTS: [Variant; 5] = [
    Variant { magic: 0xa1b2_c3d4, nanoseconds: false, file_more: 0, record_more: 0 },
    Variant { magic: 0xa1b2_3c4d, nanoseconds: true, file_more: 0, record_more: 0 },
    // Alexey Kuznetsov's patched libpcap: interface, protocol, packet type.
    Variant { magic: 0xa1b2_cd34, nanoseconds: false, file_more: 0, record_more: 8 },
    // Ixia's hardware and software lcap: the size of all records follows the header.
    Variant { magic: 0x1c00_01ac, nanoseconds: false, file_more: 4, record_more: 0 },
    Variant { magic: 0x1c00_01ab, nanoseconds: false, file_more: 4, record_more: 0 },
];

/// Which of the two lengths comes first; libpcap before 0.4 had them the other way round.
#[derive(Clone, Copy, PartialEq)]
enum Lengths {
    CapturedFirst,
    WireFirst,
    /// Version 2.3 was written both ways: the smaller is what was captured.
    Either,
}

pub(crate) struct Pcap {
    big_endian: bool,
    nanoseconds: bool,
    header_len: usize,
    lengths: Lengths,
    link: u32,
}

/// Four bytes at `at`; 0 beyond the end, which callers have excluded.
#[inline]
fn word(bytes: &[u8], at: usize, big_endian: bool) -> u32 {
    match bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        Some(word) if big_endian => u32::from_be_bytes(*word),
        Some(word) => u32::from_le_bytes(*word),
        None => 0,
    }
}

fn variant(head: &[u8]) -> Option<(&'static Variant, bool)> {
    let magic: &[u8; 4] = head.first_chunk()?;
    let found = |big_endian: bool, value| {
        VARIANTS.iter().find(|one| one.magic == value).map(|one| (one, big_endian))
    };
    found(false, u32::from_le_bytes(*magic)).or_else(|| found(true, u32::from_be_bytes(*magic)))
}

impl Pcap {
    pub(crate) fn recognises(head: &[u8]) -> bool {
        variant(head).is_some()
    }

    pub(crate) fn open(window: &mut Window) -> Result<Self, CaptureError> {
        let at = window.at();
        let more = variant(window.bytes()).map_or(0, |(variant, _)| variant.file_more);
        let have = window.need(24 + more)?;
        let head = window.bytes();
        let cut = |wanted| CaptureError::Truncated {
            what: "the pcap file header",
            packet: 1,
            at,
            wanted,
            had: have as u64,
        };
        let Some((variant, big_endian)) = variant(head) else { return Err(cut(24)) };
        let wanted = 24 + variant.file_more;
        if have < wanted {
            return Err(cut(wanted as u64));
        }
        let versions = word(head, 4, big_endian);
        // Two 16-bit fields, so their order within the word follows the byte order.
        let (major, minor) = if big_endian {
            ((versions >> 16) as u16, versions as u16)
        } else {
            (versions as u16, (versions >> 16) as u16)
        };
        let lengths = match (major, minor) {
            (2, 0..3) => Lengths::WireFirst,
            (2, 3) => Lengths::Either,
            // Higher numbers were written too (AIX: 543.0), with today's records.
            (2.., _) => Lengths::CapturedFirst,
            _ => return Err(CaptureError::Version { format: "pcap", major, minor, at: at + 4 }),
        };
        // The upper half holds the length of a frame check sequence, and reserved bits.
        let link = word(head, 20, big_endian) & 0xffff;
        window.skip(wanted);
        Ok(Self {
            big_endian,
            nanoseconds: variant.nanoseconds,
            header_len: 16 + variant.record_more,
            lengths,
            link,
        })
    }

    #[inline]
    pub(crate) fn next(
        &mut self,
        window: &mut Window,
        packet: u64,
    ) -> Result<Option<Found>, CaptureError> {
        let at = window.at();
        let have = window.need(self.header_len)?;
        if have < self.header_len {
            return if have == 0 {
                Ok(None)
            } else {
                let (wanted, had) = (self.header_len as u64, have as u64);
                Err(CaptureError::Truncated { what: "a record header", packet, at, wanted, had })
            };
        }
        let head = window.bytes();
        let seconds = word(head, 0, self.big_endian);
        let fraction = word(head, 4, self.big_endian);
        let first = word(head, 8, self.big_endian);
        let second = word(head, 12, self.big_endian);
        let (captured, wire_len) = match self.lengths {
            Lengths::CapturedFirst => (first, second),
            Lengths::WireFirst => (second, first),
            Lengths::Either => (first.min(second), first.max(second)),
        };
        let length = captured as usize;
        if length > FRAME_BYTES_MAX {
            return Err(CaptureError::FrameTooLong { packet, at, length: u64::from(captured) });
        }
        let total = self.header_len + length;
        let have = window.need(total)?;
        if have < total {
            let (wanted, had) = (u64::from(captured), (have - self.header_len) as u64);
            return Err(CaptureError::Truncated { what: "a frame", packet, at, wanted, had });
        }
        window.skip(total);
        let unit = if self.nanoseconds { 1 } else { 1_000 };
        let ts = i64::from(seconds) * 1_000_000_000 + i64::from(fraction) * unit;
        Ok(Some(Found { ts, link: self.link, interface: 0, wire_len, back: length, length }))
    }
}
