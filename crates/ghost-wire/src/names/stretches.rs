//! A message that arrives in pieces, each with its place: QUIC's CRYPTO frames, DTLS fragments.
//!
//! Promises: pieces in any order, overlapping or twice; bounded octets and bounded holes. The first
//! piece to cover an octet wins. Not promised: what lies beyond the bounds is let go.

use super::limits::{MESSAGE_OCTETS_MAX, STRETCHES_MAX};

#[derive(Debug, Default)]
pub(super) struct Stretches {
    octets: Vec<u8>,
    /// Begin and end of what is there: sorted, never touching.
    there: Vec<(u32, u32)>,
}

impl Stretches {
    /// Takes one piece; false where the bounds refuse it.
    pub(super) fn add(&mut self, offset: u64, piece: &[u8]) -> bool {
        let Ok(begin) = usize::try_from(offset) else { return false };
        let end = begin.saturating_add(piece.len());
        if end > MESSAGE_OCTETS_MAX || self.there.len() >= STRETCHES_MAX {
            return false;
        }
        if piece.is_empty() {
            return true;
        }
        if self.octets.len() < end {
            self.octets.resize(end, 0);
        }
        // Fill only the holes between what is there.
        let mut at = begin;
        for &(from, to) in &self.there {
            let (from, to) = (from as usize, to as usize);
            if to <= at {
                continue;
            }
            if from >= end {
                break;
            }
            fill(&mut self.octets, at, from.min(end), begin, piece);
            at = to.max(at);
        }
        fill(&mut self.octets, at, end, begin, piece);
        let (mut low, mut high) = (begin as u32, end as u32);
        self.there.retain(|&(from, to)| {
            let apart = to < low || from > high;
            if !apart {
                (low, high) = (low.min(from), high.max(to));
            }
            apart
        });
        let place = self.there.partition_point(|&(from, _)| from < low);
        self.there.insert(place, (low, high));
        true
    }

    /// What is there without a hole from the beginning.
    pub(super) fn prefix(&self) -> &[u8] {
        match self.there.first() {
            Some(&(0, to)) => self.octets.get(..to as usize).unwrap_or(&[]),
            _ => &[],
        }
    }
}

/// Copies what `piece`, which begins at `begin`, has for `from..to`.
fn fill(octets: &mut [u8], from: usize, to: usize, begin: usize, piece: &[u8]) {
    if from >= to {
        return;
    }
    if let (Some(room), Some(part)) =
        (octets.get_mut(from..to), piece.get(from - begin..to - begin))
    {
        room.copy_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_any_order_make_the_message() {
        // The oracle: an octet each, the first to come wins.
        bolero::check!().with_type::<Vec<(u8, Vec<u8>)>>().with_iterations(4000).for_each(
            |pieces| {
                let mut told = Stretches::default();
                let mut oracle = vec![None; 65_536];
                for (offset, piece) in pieces {
                    if !told.add(u64::from(*offset), piece) {
                        continue;
                    }
                    for (nth, &byte) in piece.iter().enumerate() {
                        oracle[usize::from(*offset) + nth].get_or_insert(byte);
                    }
                }
                let prefix: Vec<u8> = oracle.iter().map_while(|&byte| byte).collect();
                assert_eq!(told.prefix(), prefix);
            },
        );
    }

    #[test]
    fn what_lies_beyond_the_bounds_is_refused() {
        let mut told = Stretches::default();
        assert!(!told.add(u64::MAX, b"x"));
        assert!(!told.add(MESSAGE_OCTETS_MAX as u64, b"x"));
        assert!(told.add(MESSAGE_OCTETS_MAX as u64 - 1, b"x"));
        for nth in 0..STRETCHES_MAX as u64 + 10 {
            told.add(nth * 2, b"x");
        }
        assert!(told.there.len() <= STRETCHES_MAX);
    }
}
