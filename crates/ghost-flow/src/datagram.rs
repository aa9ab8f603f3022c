//! The octets of UDP datagrams that came in fragments, put together for whoever reads names.
//!
//! A datagram is given out once: as soon as it is whole, or with what there is of its beginning
//! when its time or its flow is over. Where fragments overlap, the octets that came first stay.
//! Memory is bounded by datagrams, by octets in all, and by pieces of each; what finds no room is
//! counted by the caller.
//!
//! Not promised: reassembly as the receiver does it. Nothing is counted here, no checksum is read,
//! and a datagram whose identification was used anew too soon is a mixture.

use std::collections::VecDeque;

use ghost_wire::Direction;

use crate::config::limits::{
    DATAGRAM_BYTES_MAX, DATAGRAM_NS, DATAGRAM_PIECES_MAX, DATAGRAMS_BYTES_MAX, DATAGRAMS_MAX,
};
use crate::fragment::FragmentKey;

/// The UDP header, which the first fragment's payload is without.
const UDP_HEADER: u32 = 8;

/// One fragment's octets above the UDP header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece<'a> {
    /// In the IP payload, as the fragment says it.
    pub(crate) offset: u32,
    pub(crate) more: bool,
    pub(crate) payload: &'a [u8],
}

/// A datagram, or its beginning.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Datagram {
    pub(crate) slot: u32,
    pub(crate) direction: Direction,
    pub(crate) payload: Vec<u8>,
}

/// What became of a fragment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    Kept,
    /// Whole, or never to be.
    Ready(Datagram),
    NoRoom,
}

#[derive(Debug)]
struct Pending {
    key: FragmentKey,
    since: i64,
    /// Its flow, once the first fragment has told it.
    flow: Option<(u32, Direction)>,
    octets: Vec<u8>,
    /// Where octets have come, in order and apart from one another.
    covered: Vec<(usize, usize)>,
    end: Option<usize>,
}

/// The datagrams that wait for the rest of them, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Datagrams {
    pending: VecDeque<Pending>,
    octets: usize,
}

impl Datagrams {
    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether octets of this datagram wait.
    pub(crate) fn holds(&self, key: &FragmentKey) -> bool {
        self.pending.iter().any(|pending| pending.key == *key)
    }

    /// Forgets a datagram that nobody will read.
    pub(crate) fn forget(&mut self, key: &FragmentKey) {
        if let Some(at) = self.pending.iter().position(|pending| pending.key == *key) {
            self.take(at);
        }
    }

    /// Takes a fragment in. `flow` is what the first fragment knows; a later one has none.
    pub(crate) fn add(
        &mut self,
        key: FragmentKey,
        flow: Option<(u32, Direction)>,
        piece: Piece<'_>,
        now: i64,
    ) -> Joined {
        let at = match self.pending.iter().position(|pending| pending.key == key) {
            Some(at) => at,
            None if self.pending.len() < DATAGRAMS_MAX => {
                let covered = Vec::new();
                let octets = Vec::new();
                self.pending.push_back(Pending {
                    key,
                    since: now,
                    flow,
                    octets,
                    covered,
                    end: None,
                });
                self.pending.len() - 1
            }
            None => return Joined::NoRoom,
        };
        let room = DATAGRAMS_BYTES_MAX.saturating_sub(self.octets);
        let Some(pending) = self.pending.get_mut(at) else { return Joined::NoRoom };
        pending.flow = pending.flow.or(flow);
        let before = pending.octets.len();
        let fits = pending.put(piece, room);
        self.octets += pending.octets.len() - before;
        let whole = pending.is_whole();
        if !fits {
            // It will never be whole; a beginning that was kept before is still worth reading.
            return match self.take(at) {
                Some(beginning) if flow.is_none() => Joined::Ready(beginning),
                _ => Joined::NoRoom,
            };
        }
        if whole && let Some(datagram) = self.take(at) {
            Joined::Ready(datagram)
        } else {
            Joined::Kept
        }
    }

    /// One whose time is over, if any; those of no flow are forgotten.
    pub(crate) fn overdue(&mut self, now: i64) -> Option<Datagram> {
        while let Some(oldest) = self.pending.front() {
            if (0..=DATAGRAM_NS).contains(&now.saturating_sub(oldest.since)) {
                return None;
            }
            if let Some(datagram) = self.take(0) {
                return Some(datagram);
            }
        }
        None
    }

    /// When the next one is over.
    pub(crate) fn next_due(&self) -> Option<i64> {
        self.pending.front().map(|oldest| oldest.since.saturating_add(DATAGRAM_NS + 1))
    }

    /// One of this flow, whatever its age.
    pub(crate) fn of_flow(&mut self, slot: u32) -> Option<Datagram> {
        let ours = |pending: &Pending| pending.flow.is_some_and(|flow| flow.0 == slot);
        let at = self.pending.iter().position(ours)?;
        self.take(at)
    }

    /// The oldest, whatever its age; those of no flow are forgotten.
    pub(crate) fn drain(&mut self) -> Option<Datagram> {
        while !self.pending.is_empty() {
            if let Some(datagram) = self.take(0) {
                return Some(datagram);
            }
        }
        None
    }

    /// Takes one out, with as much of its beginning as came.
    fn take(&mut self, at: usize) -> Option<Datagram> {
        let mut pending = self.pending.remove(at)?;
        self.octets = self.octets.saturating_sub(pending.octets.len());
        let (slot, direction) = pending.flow?;
        let begun = pending.begun();
        pending.octets.truncate(begun);
        Some(Datagram { slot, direction, payload: pending.octets })
    }
}

impl Pending {
    /// Puts in what was not there; false where it can not be kept.
    fn put(&mut self, piece: Piece<'_>, room: usize) -> bool {
        let first = piece.offset == 0;
        let begin = piece.offset.saturating_sub(UDP_HEADER) as usize;
        let end = begin + piece.payload.len();
        if end > DATAGRAM_BYTES_MAX
            || end.saturating_sub(self.octets.len()) > room
            || self.covered.len() >= DATAGRAM_PIECES_MAX
            || (!first && piece.offset < UDP_HEADER)
        {
            return false;
        }
        if !piece.more && self.end.is_none() {
            self.end = Some(end);
        }
        if self.octets.len() < end {
            self.octets.resize(end, 0);
        }
        let mut from = begin;
        for &(start, stop) in &self.covered {
            copy(&mut self.octets, piece.payload, begin, from, start.min(end));
            from = from.max(stop);
        }
        copy(&mut self.octets, piece.payload, begin, from, end);
        self.cover(begin, end);
        true
    }

    fn cover(&mut self, mut begin: usize, mut end: usize) {
        if begin == end {
            return;
        }
        self.covered.retain(|&(start, stop)| {
            let apart = stop < begin || end < start;
            if !apart {
                (begin, end) = (begin.min(start), end.max(stop));
            }
            apart
        });
        let at = self.covered.partition_point(|&(start, _)| start < begin);
        self.covered.insert(at, (begin, end));
    }

    /// How many octets from the first on are there.
    fn begun(&self) -> usize {
        let covered =
            self.covered.first().filter(|(start, _)| *start == 0).map_or(0, |(_, stop)| *stop);
        self.end.map_or(covered, |end| covered.min(end))
    }

    fn is_whole(&self) -> bool {
        self.flow.is_some() && self.end.is_some_and(|end| self.begun() >= end)
    }
}

/// Copies what of `payload`, which begins at `begin`, lies from `from` to `to`.
fn copy(octets: &mut [u8], payload: &[u8], begin: usize, from: usize, to: usize) {
    if from < to
        && let (Some(room), Some(fresh)) =
            (octets.get_mut(from..to), payload.get(from - begin..to - begin))
    {
        room.copy_from_slice(fresh);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    const FLOW: Option<(u32, Direction)> = Some((3, Direction::ToServer));

    fn key(id: u32) -> FragmentKey {
        let src = IpAddr::V4(Ipv4Addr::LOCALHOST);
        FragmentKey { src, dst: src, proto: 17, bridge: 0, id }
    }

    /// The fragment of a datagram with this payload from `begin` on.
    fn piece(payload: &[u8], begin: usize, len: usize) -> (Option<(u32, Direction)>, Piece<'_>) {
        let end = (begin + len).min(payload.len());
        let offset = if begin == 0 { 0 } else { begin as u32 + UDP_HEADER };
        let piece = Piece { offset, more: end < payload.len(), payload: &payload[begin..end] };
        ((begin == 0).then_some(FLOW).flatten(), piece)
    }

    #[test]
    fn a_datagram_is_whole_whatever_the_order_of_its_fragments() {
        let payload: Vec<u8> = (0..4000_u32).map(|n| n as u8).collect();
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1]] {
            let mut datagrams = Datagrams::default();
            let mut whole = None;
            for n in order {
                let (flow, piece) = piece(&payload, n * 1472, 1472);
                match datagrams.add(key(1), flow, piece, 0) {
                    Joined::Ready(datagram) => whole = Some(datagram),
                    other => assert_eq!(other, Joined::Kept),
                }
            }
            assert_eq!(whole.unwrap().payload, payload);
            assert!(datagrams.is_empty() && datagrams.octets == 0);
        }
    }

    #[test]
    fn octets_that_came_first_stay() {
        let mut datagrams = Datagrams::default();
        let add = |datagrams: &mut Datagrams, flow, offset, more, payload: &[u8]| {
            datagrams.add(key(1), flow, Piece { offset, more, payload }, 0)
        };
        assert_eq!(add(&mut datagrams, None, 16, true, b"22222222"), Joined::Kept);
        assert_eq!(add(&mut datagrams, FLOW, 0, true, b"111111111111111111111111"), Joined::Kept);
        let Joined::Ready(whole) = add(&mut datagrams, None, 16, false, b"33333333333333333333")
        else {
            panic!("whole")
        };
        assert_eq!(whole.payload, b"1111111122222222111111113333");
    }

    #[test]
    fn what_never_completes_is_read_as_far_as_it_came() {
        let payload = [7; 3000];
        let mut datagrams = Datagrams::default();
        let (flow, first) = piece(&payload, 0, 1000);
        assert_eq!(datagrams.add(key(1), flow, first, 0), Joined::Kept);
        let (flow, last) = piece(&payload, 2000, 1000);
        assert_eq!(datagrams.add(key(1), flow, last, 5), Joined::Kept);
        assert_eq!(datagrams.overdue(DATAGRAM_NS), None);
        assert_eq!(datagrams.overdue(DATAGRAM_NS + 1).unwrap().payload, payload[..1000]);
        assert!(datagrams.is_empty() && datagrams.octets == 0);
    }

    #[test]
    fn what_finds_no_room_is_told() {
        let mut datagrams = Datagrams::default();
        let payload = [7; 2000];
        for id in 0..DATAGRAMS_MAX as u32 {
            let (flow, first) = piece(&payload, 0, 1000);
            assert_eq!(datagrams.add(key(id), flow, first, 0), Joined::Kept);
        }
        let (flow, first) = piece(&payload, 0, 1000);
        assert_eq!(datagrams.add(key(1 << 16), flow, first, 0), Joined::NoRoom);
        let far = Piece { offset: 65_528, more: true, payload: &[0; 1400] };
        assert!(
            matches!(datagrams.add(key(0), None, far, 0), Joined::Ready(d) if d.payload.len() == 1000)
        );
        assert_eq!(datagrams.pending.len(), DATAGRAMS_MAX - 1);
        datagrams.forget(&key(1));
        assert!(!datagrams.holds(&key(1)) && datagrams.holds(&key(2)));
        assert_eq!(datagrams.octets, 1000 * (DATAGRAMS_MAX - 2));
    }

    #[test]
    fn any_fragments_are_put_together_as_an_octet_by_octet_copy_says() {
        bolero::check!()
            .with_iterations(2000)
            .with_type::<Vec<(u8, u16, bool, u8, u8)>>()
            .for_each(|fragments| {
                let mut datagrams = Datagrams::default();
                let mut simple: Vec<Option<u8>> = vec![None; 70_000];
                let mut end = None;
                for (now, &(units, len, more, fill, kind)) in fragments.iter().take(40).enumerate()
                {
                    let bytes = vec![fill; usize::from(len) % 1500];
                    // Mostly close together, sometimes anywhere.
                    let far = if kind % 16 == 0 { 7000 } else { u32::from(units) % 32 * 8 };
                    let flow = if far == 0 { FLOW } else { None };
                    let piece = Piece { offset: far, more, payload: &bytes };
                    let begin = far.saturating_sub(UDP_HEADER) as usize;
                    for (at, byte) in bytes.iter().enumerate() {
                        simple[begin + at].get_or_insert(*byte);
                    }
                    end = end.or((!more).then_some(begin + bytes.len()));
                    let joined = datagrams.add(key(1), flow, piece, now as i64);
                    let held: usize = datagrams.pending.iter().map(|p| p.octets.len()).sum();
                    assert_eq!(held, datagrams.octets);
                    assert!(held <= DATAGRAMS_BYTES_MAX);
                    match joined {
                        Joined::Kept => {}
                        Joined::NoRoom => panic!("there is room for one"),
                        Joined::Ready(whole) => {
                            let said: Vec<u8> =
                                simple[..end.unwrap()].iter().map(|b| b.unwrap()).collect();
                            assert_eq!(whole.payload, said);
                            return;
                        }
                    }
                }
                if let Some(begun) = datagrams.drain() {
                    let came = simple.iter().map_while(|b| *b).take(end.unwrap_or(usize::MAX));
                    assert_eq!(begun.payload, came.collect::<Vec<u8>>());
                }
                assert!(datagrams.is_empty() && datagrams.octets == 0);
            });
    }
}
