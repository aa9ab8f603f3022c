//! One ring: where it is read, how far it is filled, and the record that is next.
//!
//! The layout is that of `bpf/tap.bpf.c`: `struct position`, `struct chunk`, `struct record`.

use super::super::LiveFrame;
use super::super::accounts::Port;
use super::super::sys::Mapping;

/// Of the kernel's `struct record`, before the data.
pub(crate) const RECORD_BYTES: usize = 24;
/// What a plain record holds of its frame, and a telling one.
pub(crate) const PREFIX: usize = 232;
pub(crate) const WHOLE: usize = 4096;
pub(crate) const CHUNK_BYTES: usize = 1 << 16;
/// A chunk and the slack into which its last record may reach.
pub(super) const CHUNK_STRIDE: usize = CHUNK_BYTES + 4160;
pub(super) const POSITION_BYTES: usize = 128;
pub(super) const HEAD_AT: usize = 64;

const _: () = assert!(CHUNK_STRIDE.is_multiple_of(8));
const _: () = assert!(CHUNK_STRIDE - CHUNK_BYTES >= RECORD_BYTES + WHOLE);

#[derive(Debug)]
pub(super) struct Ring {
    /// Where its positions are.
    positions: usize,
    first_chunk: usize,
    chunks: usize,
    captured_max: usize,
    /// Read up to here; given back to the writer up to `given`.
    tail: u64,
    given: u64,
    /// Written up to here, as last looked at; the first look, for a telling ring.
    head: u64,
    early_head: u64,
    /// When the record at `tail` was taken; meaningless where none waits.
    next_ns: u64,
}

/// One record, its bytes still in the ring.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) port: Port,
    monotonic_ns: u64,
    len: u32,
    segments: u16,
    /// Protocol and tag of a tag that stands apart, as on the wire.
    tag: Option<[u8; 4]>,
    data: &'a [u8],
    /// Bytes that it takes in the ring.
    stride: u64,
}

impl Ring {
    pub(super) fn new(
        index: usize,
        first_chunk: usize,
        chunks: usize,
        captured_max: usize,
        heads: &Mapping,
    ) -> Self {
        let positions = index * POSITION_BYTES;
        // What a reader before has left is ours.
        let tail = heads.load(positions);
        Self {
            positions,
            first_chunk,
            chunks,
            captured_max,
            tail,
            given: tail,
            head: tail,
            early_head: tail,
            next_ns: 0,
        }
    }

    pub(super) fn capacity(&self) -> u64 {
        (self.chunks * CHUNK_BYTES) as u64
    }

    /// Looks how far the writer is. Positions that cannot be make the ring begin anew.
    pub(super) fn look(&mut self, heads: &Mapping, malformed: &mut u64) {
        // The lowest bit says that a record is being written; the others are never set.
        let head = heads.load(self.positions + HEAD_AT) & !7;
        self.head = head;
        if head.wrapping_sub(self.tail) > self.capacity() {
            *malformed += 1;
            self.skip_all();
        }
    }

    pub(super) fn note_early(&mut self) {
        self.early_head = self.head;
    }

    /// Is the next record one of those that were there at the first look?
    pub(super) fn is_early(&self) -> bool {
        self.early_head.wrapping_sub(self.tail).cast_signed() > 0
    }

    pub(super) fn waits(&self) -> bool {
        self.tail != self.head
    }

    pub(super) fn next_ns(&self) -> u64 {
        self.next_ns
    }

    pub(super) fn waits_before(&self, until_ns: u64) -> bool {
        self.waits() && self.next_ns <= until_ns
    }

    pub(super) fn place(&self, position: u64) -> usize {
        let chunk = (position / CHUNK_BYTES as u64) as usize & (self.chunks - 1);
        (self.first_chunk + chunk) * CHUNK_STRIDE + (position % CHUNK_BYTES as u64) as usize
    }

    /// Learns when the record at the tail was taken.
    pub(super) fn peek(&mut self, memory: &Mapping) {
        if self.waits() {
            self.next_ns = memory.load(self.place(self.tail));
        }
    }

    /// The record at the tail; nothing where what stands there cannot be one.
    pub(super) fn record<'a>(&self, memory: &'a Mapping) -> Option<Record<'a>> {
        let filled = self.head.wrapping_sub(self.tail);
        let place = self.place(self.tail);
        // The first word is the time, which peek() has read.
        let head: &[u8; RECORD_BYTES] = memory.stable(place, RECORD_BYTES)?.try_into().ok()?;
        let word =
            |at: usize| u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let half = |at: usize| u16::from_ne_bytes([head[at], head[at + 1]]);
        let len = word(12);
        let room = (len as usize).min(self.captured_max);
        let stride = (RECORD_BYTES + room).next_multiple_of(8) as u64;
        let captured = usize::from(half(16));
        if stride > filled || captured > room {
            return None;
        }
        let vlan_proto = [head[22], head[23]];
        let tci = half(20).to_be_bytes();
        Some(Record {
            monotonic_ns: self.next_ns,
            port: Port(word(8)),
            len,
            segments: half(18).max(1),
            tag: (vlan_proto != [0, 0]).then_some([vlan_proto[0], vlan_proto[1], tci[0], tci[1]]),
            data: memory.stable(place + RECORD_BYTES, captured)?,
            stride,
        })
    }

    /// Goes behind a record that was handed out. Room is given back now and then, so that a long
    /// poll does not starve the writer.
    pub(super) fn advance(&mut self, record: &Record<'_>, memory: &Mapping, heads: &Mapping) {
        self.tail = self.tail.wrapping_add(record.stride);
        if self.tail.wrapping_sub(self.given) > self.capacity() / 4 {
            self.give_back(heads);
        }
        self.peek(memory);
    }

    pub(super) fn skip_all(&mut self) {
        self.tail = self.head;
    }

    pub(super) fn give_back(&mut self, heads: &Mapping) {
        if self.given != self.tail {
            self.given = self.tail;
            heads.store(self.positions, self.tail);
        }
    }
}

impl Record<'_> {
    /// The frame as it was on the wire: a tag that stood apart is put back, in `scratch`.
    pub(super) fn frame<'b>(&'b self, scratch: &'b mut [u8]) -> LiveFrame<'b> {
        let mut data = self.data;
        let mut wire_len = self.len;
        if let Some(tag) = self.tag {
            wire_len = wire_len.saturating_add(4);
            if let (Some((addresses, rest)), Some(whole)) =
                (data.split_at_checked(12), scratch.get_mut(..data.len() + 4))
            {
                whole[..12].copy_from_slice(addresses);
                whole[12..16].copy_from_slice(&tag);
                whole[16..].copy_from_slice(rest);
                data = whole;
            }
        }
        LiveFrame {
            monotonic_ns: self.monotonic_ns,
            ifindex: self.port.ifindex(),
            direction: self.port.direction(),
            wire_len,
            segments: self.segments,
            data,
        }
    }
}
