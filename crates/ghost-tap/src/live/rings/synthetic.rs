//! Rings filled by hand instead of by the kernel, for tests and benchmarks.

use std::io;

use super::ring::HEAD_AT;
use super::{
    Accounts, CHUNK_BYTES, CHUNK_STRIDE, Layout, Mapping, POSITION_BYTES, PREFIX, RECORD_BYTES,
    RingTap, WHOLE,
};
use crate::live::Direction;
use crate::live::accounts::Port;

/// A frame as the kernel's side would record it.
#[derive(Debug, Clone, Copy)]
pub struct Synthetic<'a> {
    pub cpu: u32,
    pub telling: bool,
    pub monotonic_ns: u64,
    pub ifindex: u32,
    pub direction: Direction,
    pub segments: u16,
    /// Protocol and tag of a VLAN tag that stands apart.
    pub tag: Option<(u16, u16)>,
    /// Without that tag.
    pub frame: &'a [u8],
}

impl RingTap {
    /// Rings in this process's memory, each kind of so many chunks of 64 KiB.
    pub fn synthetic(cpus: u32, plain_chunks: u32, telling_chunks: u32) -> io::Result<Self> {
        let layout = Layout { rings: cpus, plain_chunks, telling_chunks };
        let layout = layout.checked().ok_or(io::ErrorKind::InvalidInput)?;
        let bytes = |chunks: u32| cpus as usize * chunks as usize * CHUNK_STRIDE;
        Ok(Self::over(
            Mapping::anonymous(layout.ring_count() * POSITION_BYTES)?,
            Mapping::anonymous(bytes(plain_chunks))?,
            Mapping::anonymous(bytes(telling_chunks))?,
            Accounts::none()?,
            layout,
        ))
    }

    /// Writes one record; false where there is no room, or no such ring.
    pub fn write(&mut self, record: &Synthetic<'_>) -> bool {
        let most = if record.telling { WHOLE } else { PREFIX };
        let captured = record.frame.len().min(most);
        let Some((memory, place)) = self.room(record.cpu, record.telling, captured) else {
            return false;
        };
        let mut head = [0u8; RECORD_BYTES];
        head[..8].copy_from_slice(&record.monotonic_ns.to_ne_bytes());
        let port = Port::new(record.ifindex, record.direction);
        head[8..12].copy_from_slice(&port.0.to_ne_bytes());
        head[12..16].copy_from_slice(&(record.frame.len() as u32).to_ne_bytes());
        head[16..18].copy_from_slice(&(captured as u16).to_ne_bytes());
        head[18..20].copy_from_slice(&record.segments.to_ne_bytes());
        if let Some((proto, tci)) = record.tag {
            head[20..22].copy_from_slice(&tci.to_ne_bytes());
            head[22..].copy_from_slice(&proto.to_be_bytes());
        }
        let data = record.frame.get(..captured).unwrap_or_default();
        memory.fill(place, &head);
        memory.fill(place + RECORD_BYTES, data);
        self.publish(record.cpu, record.telling, captured);
        true
    }

    /// Any bytes at all where a record should be, told as so many bytes of a ring.
    pub fn write_anything(&mut self, cpu: u32, telling: bool, bytes: &[u8], told: u64) {
        if let Some((memory, place)) = self.room(cpu, telling, bytes.len().min(PREFIX)) {
            memory.fill(place, bytes.get(..PREFIX.min(bytes.len())).unwrap_or_default());
        }
        let at = self.positions(cpu, telling) + HEAD_AT;
        self.heads.store(at, self.heads.load(at).wrapping_add(told));
    }

    fn positions(&self, cpu: u32, telling: bool) -> usize {
        let kinds = self.rings.len() / 2;
        (cpu as usize % kinds + if telling { kinds } else { 0 }) * POSITION_BYTES
    }

    fn room(&mut self, cpu: u32, telling: bool, captured: usize) -> Option<(&mut Mapping, usize)> {
        let positions = self.positions(cpu, telling);
        let head = self.heads.load(positions + HEAD_AT) & !7;
        let filled = head.wrapping_sub(self.heads.load(positions));
        let ring = self.rings.get(positions / POSITION_BYTES)?;
        let stride = (RECORD_BYTES + captured).next_multiple_of(8) as u64;
        let place = ring.place(head);
        if filled.wrapping_add(stride) > ring.capacity() || place % CHUNK_STRIDE >= CHUNK_BYTES {
            return None;
        }
        Some((if telling { &mut self.telling } else { &mut self.plain }, place))
    }

    fn publish(&mut self, cpu: u32, telling: bool, captured: usize) {
        let at = self.positions(cpu, telling) + HEAD_AT;
        let stride = (RECORD_BYTES + captured).next_multiple_of(8) as u64;
        self.heads.store(at, self.heads.load(at).wrapping_add(stride));
    }
}
