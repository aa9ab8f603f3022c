//! pcapng: blocks, each with its length at both ends, in sections with a byte order each.
//!
//! ```text
//! block    type u32 · length u32 · body · length u32        (padded to four bytes)
//! section  0a0d0d0a   body: mark 1a2b3c4d · major u16 · minor u16 · section length i64 · options
//! interface       1   body: link u16 · 0 u16 · snap length u32 · options
//! packet (old)    2   body: interface u16 · drops u16 · time u64 · captured u32 · length u32 · …
//! simple packet   3   body: length u32 · frame
//! packet          6   body: interface u32 · time u64 · captured u32 · length u32 · frame · options
//! ```
//! All other blocks (names, statistics, secrets, custom ones) are skipped whatever their length.

use crate::capture::Found;
use crate::error::CaptureError;
use crate::limits::{BLOCK_BYTES_MAX, FRAME_BYTES_MAX, INTERFACES_MAX, READ_BYTES};
use crate::window::Window;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const PACKET: u32 = 6;

const OPTION_END: u16 = 0;
const OPTION_RESOLUTION: u16 = 9;
const OPTION_OFFSET: u16 = 14;

/// How an interface counts time.
#[derive(Clone, Copy)]
enum Units {
    /// Nanoseconds a tick.
    Nanoseconds(u64),
    /// Ticks a second, where they are not a whole number of nanoseconds.
    PerSecond(u128),
}

#[derive(Clone, Copy)]
struct Interface {
    link: u32,
    snap_len: u32,
    units: Units,
    offset: i64,
}

#[derive(Default)]
pub(crate) struct Pcapng {
    big_endian: bool,
    interfaces: Vec<Interface>,
    last: i64,
}

/// Reads of one byte order; 0 beyond the end, which callers have excluded.
#[derive(Clone, Copy)]
struct Order(bool);

impl Order {
    #[inline]
    fn u16(self, bytes: &[u8], at: usize) -> u16 {
        match bytes.get(at..).and_then(|rest| rest.first_chunk()) {
            Some(half) if self.0 => u16::from_be_bytes(*half),
            Some(half) => u16::from_le_bytes(*half),
            None => 0,
        }
    }

    #[inline]
    fn u32(self, bytes: &[u8], at: usize) -> u32 {
        match bytes.get(at..).and_then(|rest| rest.first_chunk()) {
            Some(word) if self.0 => u32::from_be_bytes(*word),
            Some(word) => u32::from_le_bytes(*word),
            None => 0,
        }
    }

    /// Two words, the higher first in either byte order.
    #[inline]
    fn ticks(self, bytes: &[u8], at: usize) -> u64 {
        u64::from(self.u32(bytes, at)) << 32 | u64::from(self.u32(bytes, at + 4))
    }

    fn i64(self, bytes: &[u8]) -> i64 {
        match bytes.first_chunk() {
            Some(long) if self.0 => i64::from_be_bytes(*long),
            Some(long) => i64::from_le_bytes(*long),
            None => 0,
        }
    }
}

impl Interface {
    #[inline]
    fn nanoseconds(&self, ticks: u64) -> i64 {
        let since = match self.units {
            Units::Nanoseconds(each) => i64::try_from(ticks.saturating_mul(each)).ok(),
            Units::PerSecond(rate) => {
                i64::try_from(u128::from(ticks).saturating_mul(1_000_000_000) / rate.max(1)).ok()
            }
        };
        since.unwrap_or(i64::MAX).saturating_add(self.offset.saturating_mul(1_000_000_000))
    }
}

impl Pcapng {
    #[inline]
    pub(crate) fn next(
        &mut self,
        window: &mut Window,
        packet: u64,
    ) -> Result<Option<Found>, CaptureError> {
        loop {
            let at = window.at();
            let have = window.need(8)?;
            if have < 8 {
                return if have == 0 {
                    Ok(None)
                } else {
                    Err(cut("a block header", packet, at, 8, have))
                };
            }
            // A section's type reads the same in both byte orders; its mark tells which it is.
            if Order(false).u32(window.bytes(), 0) == SECTION {
                self.section(window, packet)?;
                continue;
            }
            let order = Order(self.big_endian);
            let kind = order.u32(window.bytes(), 0);
            let length = order.u32(window.bytes(), 4);
            let least = match kind {
                INTERFACE => 20,
                OLD_PACKET | PACKET => 32,
                SIMPLE_PACKET => 16,
                _ => {
                    skip_block(window, order, kind, length, packet)?;
                    continue;
                }
            };
            let total = whole_block(window, order, kind, length, least, packet)?;
            let block = window.bytes().get(..total).unwrap_or_default();
            if kind == INTERFACE {
                let interface = interface(block, order, at)?;
                if self.interfaces.len() >= INTERFACES_MAX {
                    return Err(CaptureError::Interfaces { at });
                }
                self.interfaces.push(interface);
                window.skip(total);
                continue;
            }
            let found = self.frame(block, order, kind, packet, at)?;
            window.skip(total);
            return Ok(Some(found));
        }
    }

    /// A section begins: its byte order holds from here on, and its interfaces count from 0.
    #[cold]
    fn section(&mut self, window: &mut Window, packet: u64) -> Result<(), CaptureError> {
        let at = window.at();
        let have = window.need(28)?;
        if have < 28 {
            return Err(cut("a section header", packet, at, 28, have));
        }
        let head = window.bytes();
        let mark = Order(false).u32(head, 8);
        self.big_endian = match mark {
            0x1a2b_3c4d => false,
            0x4d3c_2b1a => true,
            _ => return Err(CaptureError::ByteOrder { at, mark }),
        };
        let order = Order(self.big_endian);
        let (major, minor) = (order.u16(head, 12), order.u16(head, 14));
        // 1.2 was written by some programs for what is 1.0.
        if major != 1 || !(minor == 0 || minor == 2) {
            return Err(CaptureError::Version { format: "pcapng", major, minor, at: at + 12 });
        }
        let length = order.u32(head, 4);
        let total = whole_block(window, order, SECTION, length, 28, packet)?;
        self.interfaces.clear();
        window.skip(total);
        Ok(())
    }

    /// The frame of a packet block that stands whole in the window.
    #[inline]
    fn frame(
        &mut self,
        block: &[u8],
        order: Order,
        kind: u32,
        packet: u64,
        at: u64,
    ) -> Result<Found, CaptureError> {
        let (index, start) = match kind {
            PACKET => (order.u32(block, 8), 28),
            OLD_PACKET => (u32::from(order.u16(block, 8)), 28),
            _ => (0, 12),
        };
        let Some(interface) = self.interfaces.get(index as usize) else {
            let known = self.interfaces.len() as u32;
            return Err(CaptureError::Interface { packet, at, index, known });
        };
        let (ts, captured, wire_len) = if kind == SIMPLE_PACKET {
            let wire_len = order.u32(block, 8);
            let snapped =
                if interface.snap_len == 0 { wire_len } else { wire_len.min(interface.snap_len) };
            (self.last, snapped, wire_len)
        } else {
            let ts = interface.nanoseconds(order.ticks(block, 12));
            (ts, order.u32(block, 20), order.u32(block, 24))
        };
        let length = captured as usize;
        if length > FRAME_BYTES_MAX {
            return Err(CaptureError::FrameTooLong { packet, at, length: u64::from(captured) });
        }
        // The block has been found at least as long as its fixed fields and the length at its end.
        let room = block.len().saturating_sub(start + 4);
        if length > room {
            let length = u64::from(captured);
            return Err(CaptureError::FrameBeyondBlock { packet, at, length, room: room as u64 });
        }
        let link = interface.link;
        self.last = ts;
        Ok(Found { ts, link, interface: index, wire_len, back: block.len() - start, length })
    }
}

fn cut(what: &'static str, packet: u64, at: u64, wanted: u64, have: usize) -> CaptureError {
    CaptureError::Truncated { what, packet, at, wanted, had: have as u64 }
}

/// Brings a whole block into the window and compares its two lengths; returns its padded length.
#[inline]
fn whole_block(
    window: &mut Window,
    order: Order,
    kind: u32,
    length: u32,
    least: u32,
    packet: u64,
) -> Result<usize, CaptureError> {
    let at = window.at();
    let total = (length as usize).next_multiple_of(4);
    if length < least || total > BLOCK_BYTES_MAX {
        return Err(CaptureError::BlockLength { kind, at, length: u64::from(length), least });
    }
    let have = window.need(total)?;
    if have < total {
        return Err(cut("a block", packet, at, u64::from(length), have));
    }
    let second = order.u32(window.bytes(), total - 4);
    if second != length {
        return Err(CaptureError::BlockTrailer { kind, at, first: length, second });
    }
    Ok(total)
}

/// Passes over a block that says nothing here, without holding it.
#[cold]
fn skip_block(
    window: &mut Window,
    order: Order,
    kind: u32,
    length: u32,
    packet: u64,
) -> Result<(), CaptureError> {
    let at = window.at();
    if length < 12 {
        return Err(CaptureError::BlockLength { kind, at, length: u64::from(length), least: 12 });
    }
    let total = u64::from(length).next_multiple_of(4);
    let mut left = total - 4;
    while left > 0 {
        let step = left.min(READ_BYTES as u64) as usize;
        let have = window.need(step)?;
        if have < step {
            return Err(cut("a block", packet, at, total, (total - 4 - left) as usize + have));
        }
        window.skip(step);
        left -= step as u64;
    }
    let have = window.need(4)?;
    if have < 4 {
        return Err(cut("a block", packet, at, total, (total - 4) as usize + have));
    }
    let second = order.u32(window.bytes(), 0);
    if second != length {
        return Err(CaptureError::BlockTrailer { kind, at, first: length, second });
    }
    window.skip(4);
    Ok(())
}

/// What an interface block says of its link type and its clock.
fn interface(block: &[u8], order: Order, at: u64) -> Result<Interface, CaptureError> {
    let mut interface = Interface {
        link: u32::from(order.u16(block, 8)),
        snap_len: order.u32(block, 12),
        units: Units::Nanoseconds(1_000),
        offset: 0,
    };
    let end = block.len().saturating_sub(4);
    let mut options = block.get(16..end).unwrap_or_default();
    while options.len() >= 4 {
        let (code, length) = (order.u16(options, 0), order.u16(options, 2));
        if code == OPTION_END {
            break;
        }
        let value = options.get(4..).unwrap_or_default();
        let room = value.len();
        let Some(value) = value.get(..usize::from(length)) else {
            return Err(CaptureError::OptionLength { code, at, length, room });
        };
        match code {
            OPTION_RESOLUTION => {
                if let Some(resolution) = value.first() {
                    interface.units = units(*resolution);
                }
            }
            OPTION_OFFSET if value.len() == 8 => interface.offset = order.i64(value),
            _ => {}
        }
        let padded = usize::from(length).next_multiple_of(4);
        options = options.get(4 + padded..).unwrap_or_default();
    }
    Ok(interface)
}

/// `if_tsresol`: a power of ten, or of two where the top bit is set.
fn units(resolution: u8) -> Units {
    let power = u32::from(resolution & 0x7f);
    if resolution & 0x80 != 0 {
        return Units::PerSecond(1u128.checked_shl(power).unwrap_or(u128::MAX));
    }
    match power {
        0..=9 => Units::Nanoseconds(10u64.pow(9 - power)),
        _ => Units::PerSecond(10u128.checked_pow(power).unwrap_or(u128::MAX)),
    }
}
