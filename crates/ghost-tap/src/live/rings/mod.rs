//! Frames out of the rings that the kernel's side fills, merged by time.
//!
//! Every CPU has two rings: one for plain records, and one for those that look like handshakes or
//! tell names, which a flood of the others can therefore not bury. A poll looks once at how far
//! each ring is filled, then hands out what is there in the order of the records' time, so that a
//! flow whose frames went to both rings, or to two CPUs, is seen in its order. Records of one CPU
//! are never out of order; of two CPUs only where they are less apart than the look took (below a
//! microsecond).
//!
//! A record that cannot be (longer than what is in the ring, of more bytes than its frame) ends
//! that ring's poll: what is in it is skipped and counted as malformed. Only memory that something
//! else wrote to can look so.
//!
//! **Invariant:** no call of the kernel, no allocation for a record, no panic on any content.

mod merge;
mod ring;
mod seen;

use std::io;
use std::os::fd::OwnedFd;

use super::accounts::Accounts;
use super::sys::Mapping;
use super::{LiveFrame, Polled, PortCounters};
use merge::Merge;
pub(crate) use ring::CHUNK_BYTES;
use ring::{CHUNK_STRIDE, POSITION_BYTES, Ring};
use seen::Seen;

use ring::{PREFIX, RECORD_BYTES, WHOLE};

/// How the rings lie in their maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Rings of each kind.
    pub(crate) rings: u32,
    /// Chunks of one ring, a power of two.
    pub(crate) plain_chunks: u32,
    pub(crate) telling_chunks: u32,
}

/// More is refused before anything is mapped: 1 GiB a ring, 256 CPUs.
const CHUNKS_MAX: u32 = 1 << 14;
const RINGS_MAX: u32 = 256;

impl Layout {
    pub(crate) fn checked(self) -> Option<Self> {
        let chunks = |n: u32| n.is_power_of_two() && n <= CHUNKS_MAX;
        ((1..=RINGS_MAX).contains(&self.rings)
            && chunks(self.plain_chunks)
            && chunks(self.telling_chunks))
        .then_some(self)
    }

    fn ring_count(self) -> usize {
        2 * self.rings as usize
    }
}

/// The maps of one tap, as the helper hands them over.
#[derive(Debug)]
pub(crate) struct Maps {
    pub(crate) heads: OwnedFd,
    pub(crate) plain: OwnedFd,
    pub(crate) telling: OwnedFd,
    pub(crate) accounts: OwnedFd,
}

/// Reads the rings of a ghost or ghost-fast tap.
#[derive(Debug)]
pub struct RingTap {
    heads: Mapping,
    plain: Mapping,
    telling: Mapping,
    accounts: Accounts,
    /// Plain rings first, then as many telling ones.
    rings: Vec<Ring>,
    merge: Merge,
    seen: Seen,
    /// What the accounts held when this took over.
    before: Vec<PortCounters>,
    /// A frame whose tag is put back; as long as the longest record and a tag.
    scratch: Box<[u8]>,
    malformed: u64,
}

impl RingTap {
    pub(crate) fn open(maps: &Maps, layout: Layout) -> io::Result<Self> {
        use std::os::fd::AsFd;
        let layout = layout.checked().ok_or(io::ErrorKind::InvalidData)?;
        let bytes = |chunks: u32| layout.rings as usize * chunks as usize * CHUNK_STRIDE;
        Ok(Self::over(
            Mapping::new(maps.heads.as_fd(), layout.ring_count() * POSITION_BYTES, true)?,
            Mapping::new(maps.plain.as_fd(), bytes(layout.plain_chunks), false)?,
            Mapping::new(maps.telling.as_fd(), bytes(layout.telling_chunks), false)?,
            Accounts::read(maps.accounts.as_fd())?,
            layout,
        ))
    }

    /// What was lost until now belongs to whoever had the tap before.
    pub(crate) fn taken_over(mut self) -> Self {
        self.before = self.accounts.losses().collect();
        self
    }

    fn over(
        heads: Mapping,
        plain: Mapping,
        telling: Mapping,
        accounts: Accounts,
        layout: Layout,
    ) -> Self {
        let rings = (0..layout.ring_count())
            .map(|index| {
                let of_kind = index % layout.rings as usize;
                let (chunks, captured_max) = if index < layout.rings as usize {
                    (layout.plain_chunks, PREFIX)
                } else {
                    (layout.telling_chunks, WHOLE)
                };
                Ring::new(index, of_kind * chunks as usize, chunks as usize, captured_max, &heads)
            })
            .collect();
        Self {
            heads,
            plain,
            telling,
            accounts,
            rings,
            merge: Merge::new(layout.rings as usize),
            seen: Seen::default(),
            before: Vec::new(),
            scratch: vec![0; WHOLE + 4].into_boxed_slice(),
            malformed: 0,
        }
    }

    /// See [`super::Tap::poll`].
    pub fn poll(&mut self, budget: u32, each: &mut impl FnMut(&LiveFrame<'_>)) -> Polled {
        let Self { heads, plain, telling, rings, merge, seen, scratch, malformed, .. } = self;
        let kinds = rings.len() / 2;
        let memory = |index: usize| if index < kinds { &*plain } else { &*telling };
        merge.look(rings, heads, &memory, malformed);
        let mut frames = 0;
        while frames < budget {
            let Some((index, until)) = merge.first(rings) else { break };
            let Some(ring) = rings.get_mut(index) else { break };
            // All of one ring that is older than what waits in the others.
            while frames < budget {
                let Some(record) = ring.record(memory(index)) else {
                    *malformed += 1;
                    ring.skip_all();
                    break;
                };
                let frame = record.frame(scratch);
                seen.count(record.port, &frame);
                each(&frame);
                frames += 1;
                ring.advance(&record, memory(index), heads);
                if !ring.waits_before(until) {
                    break;
                }
            }
            merge.settle(rings, index);
        }
        let mut more = false;
        for ring in rings.iter_mut() {
            ring.give_back(heads);
            more |= ring.waits();
        }
        Polled { frames, more }
    }

    /// See [`super::Tap::counters`].
    #[must_use]
    pub fn counters(&self) -> Vec<PortCounters> {
        let mut counters: Vec<PortCounters> = self.accounts.losses().collect();
        for port in &mut counters {
            let same =
                |c: &&PortCounters| (c.ifindex, c.direction) == (port.ifindex, port.direction);
            if let Some(before) = self.before.iter().find(same) {
                port.lost = port.lost.saturating_sub(before.lost);
                port.lost_segments = port.lost_segments.saturating_sub(before.lost_segments);
                port.lost_bytes = port.lost_bytes.saturating_sub(before.lost_bytes);
            }
        }
        self.seen.join(&mut counters);
        counters
    }

    /// See [`super::Tap::lost_before`].
    #[must_use]
    pub fn lost_before(&self) -> &[PortCounters] {
        &self.before
    }

    /// Times that a ring's content was not what the kernel's side writes; 0 but for a defect.
    #[must_use]
    pub fn malformed(&self) -> u64 {
        self.malformed
    }
}

#[cfg(test)]
mod tests;

pub mod synthetic;
