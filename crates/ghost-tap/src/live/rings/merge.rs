//! Which ring has the oldest record.
//!
//! The two rings of one CPU are written one after the other, but cannot be looked at in one
//! moment. So the telling ring is looked at before and after the plain one: whatever is in the
//! plain ring, all telling records before it are in the second look; whatever was in the first
//! look, all plain records before it are in the plain ring's. A telling record that came between
//! the looks waits for the next poll where no plain record behind it says that none is missing.

use super::super::sys::Mapping;
use super::ring::Ring;

#[derive(Debug)]
pub(super) struct Merge {
    /// Rings of each kind; a CPU's telling ring stands so far behind its plain one.
    kinds: usize,
    /// Rings in which records wait.
    waiting: Vec<usize>,
}

impl Merge {
    pub(super) fn new(kinds: usize) -> Self {
        Self { kinds, waiting: Vec::with_capacity(2 * kinds) }
    }

    /// Looks at all rings, once.
    pub(super) fn look<'a>(
        &mut self,
        rings: &mut [Ring],
        heads: &Mapping,
        memory: &impl Fn(usize) -> &'a Mapping,
        malformed: &mut u64,
    ) {
        let (plain, telling) = rings.split_at_mut(self.kinds);
        for ring in &mut *telling {
            ring.look(heads, malformed);
            ring.note_early();
        }
        for ring in plain.iter_mut().chain(telling) {
            ring.look(heads, malformed);
        }
        self.waiting.clear();
        for (index, ring) in rings.iter_mut().enumerate() {
            if ring.waits() {
                ring.peek(memory(index));
                self.waiting.push(index);
            }
        }
    }

    /// May the ring's next record go out, as far as its own CPU is concerned?
    fn is_due(&self, rings: &[Ring], index: usize) -> bool {
        let Some(pair) = index.checked_sub(self.kinds) else { return true };
        rings.get(index).is_some_and(Ring::is_early) || rings.get(pair).is_some_and(Ring::waits)
    }

    /// The ring with the oldest record, and until when its records are older than all others.
    pub(super) fn first(&self, rings: &[Ring]) -> Option<(usize, u64)> {
        let (mut first, mut first_ns, mut second_ns) = (None, u64::MAX, u64::MAX);
        for &index in &self.waiting {
            let Some(ring) = rings.get(index) else { continue };
            if !self.is_due(rings, index) {
                continue;
            }
            if first.is_none() || ring.next_ns() < first_ns {
                second_ns = first_ns;
                (first, first_ns) = (Some(index), ring.next_ns());
            } else {
                second_ns = second_ns.min(ring.next_ns());
            }
        }
        // Whether a telling record is due is asked for each of them.
        let first = first?;
        let until = if first < self.kinds { second_ns } else { 0 };
        Some((first, until))
    }

    /// Records of this ring went out: does it still wait?
    pub(super) fn settle(&mut self, rings: &[Ring], index: usize) {
        if !rings.get(index).is_some_and(Ring::waits) {
            self.waiting.retain(|&waiting| waiting != index);
        }
    }
}
