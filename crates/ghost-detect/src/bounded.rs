//! The small bounded things that detectors count with.
//!
//! [`Bounded`] is a map that forgets its oldest entry when full; [`Distinct`] estimates how many
//! different values came in a few words; [`Window`] keeps two generations of it, so that its answer
//! covers between one and two window lengths.

use std::collections::VecDeque;
use std::hash::Hash;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use xxhash_rust::xxh3::xxh3_64;

/// A map of at most `max` entries; the oldest goes first. Order of insertion alone decides.
#[derive(Debug)]
pub(crate) struct Bounded<K, V> {
    /// Its hash is seeded by chance against chosen collisions; nothing is read in its order.
    map: HashMap<K, V>,
    order: VecDeque<K>,
    max: usize,
}

impl<K: Copy + Eq + Hash, V> Bounded<K, V> {
    pub(crate) fn new(max: usize) -> Self {
        Bounded { map: HashMap::new(), order: VecDeque::new(), max: max.max(1) }
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.map.get(key)
    }

    /// The entry under `key`, made where there is none.
    pub(crate) fn entry(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        if self.map.len() >= self.max {
            // Also where `key` is there already: one place is given up for a single look-up.
            if let Some(oldest) = self.order.pop_front() {
                self.map.remove(&oldest);
            }
        }
        match self.map.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                self.order.push_back(key);
                entry.insert(make())
            }
        }
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.map.get_mut(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// The entries, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.order.iter().filter_map(|key| Some((key, self.map.get(key)?)))
    }
}

/// An estimate of how many distinct values came: linear counting over 64 bits a word, good to a
/// tenth up to as many values as bits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Distinct<const WORDS: usize>([u64; WORDS]);

impl<const WORDS: usize> Default for Distinct<WORDS> {
    fn default() -> Self {
        Distinct([0; WORDS])
    }
}

impl<const WORDS: usize> Distinct<WORDS> {
    const BITS: u32 = 64 * WORDS as u32;

    pub(crate) fn add(&mut self, value: &[u8]) {
        let bit = xxh3_64(value) % u64::from(Self::BITS);
        if let Some(word) = self.0.get_mut((bit / 64) as usize) {
            *word |= 1 << (bit % 64);
        }
    }

    pub(crate) fn union(&self, other: &Self) -> Self {
        let mut both = *self;
        both.0.iter_mut().zip(other.0).for_each(|(a, b)| *a |= b);
        both
    }

    fn bits(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    pub(crate) fn estimate(&self) -> u32 {
        let zeros = f64::from((Self::BITS - self.bits()).max(1));
        #[expect(clippy::cast_possible_truncation, reason = "at most a few times the bits")]
        #[expect(clippy::cast_sign_loss, reason = "zeros is at most the bits")]
        let estimate =
            (f64::from(Self::BITS) * (f64::from(Self::BITS) / zeros).ln()).round() as u32;
        estimate
    }
}

/// From when to when something was going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Span {
    pub(crate) fn covers(&self, ts: i64, slack: i64) -> bool {
        ts >= self.from.saturating_sub(slack) && ts <= self.to.saturating_add(slack)
    }
}

/// Distinct values over a sliding window, and the time for which they were too many.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window<const WORDS: usize> {
    start: i64,
    now: Distinct<WORDS>,
    before_start: i64,
    before: Distinct<WORDS>,
    pub(crate) verdict: Option<Span>,
}

impl<const WORDS: usize> Window<WORDS> {
    pub(crate) fn new(ts: i64) -> Self {
        Self {
            start: ts,
            now: Distinct::default(),
            before_start: ts,
            before: Distinct::default(),
            verdict: None,
        }
    }

    /// Takes in a value; the verdict's span is set or grows where `limit` distinct ones are reached.
    pub(crate) fn add(&mut self, ts: i64, length: i64, value: &[u8], limit: u32) {
        if ts.saturating_sub(self.start) > length {
            let old = ts.saturating_sub(self.start) > 2 * length;
            self.before = if old { Distinct::default() } else { self.now };
            self.before_start = if old { ts } else { self.start };
            self.start = ts;
            self.now = Distinct::default();
        }
        self.now.add(value);
        // An estimate is never less than its bits, and for these limits at most 5/3 of them.
        let bits = self.now.union(&self.before).bits();
        if bits * 5 >= limit * 3 && self.distinct() >= limit {
            let from = self.before_start.min(ts);
            self.verdict = Some(match self.verdict {
                Some(span) if span.covers(ts, 2 * length) => {
                    Span { from: span.from.min(from), to: span.to.max(ts) }
                }
                _ => Span { from, to: ts },
            });
        }
    }

    /// Begins anew; a verdict stays.
    pub(crate) fn forget(&mut self, ts: i64) {
        *self = Window { verdict: self.verdict, ..Window::new(ts) };
    }

    pub(crate) fn distinct(&self) -> u32 {
        self.now.union(&self.before).estimate()
    }
}

/// Shannon entropy of the bytes, in bits a byte.
pub(crate) fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    #[expect(clippy::cast_precision_loss, reason = "names are short")]
    let total = bytes.len().max(1) as f64;
    counts
        .iter()
        .filter(|n| **n > 0)
        .map(|n| {
            let p = f64::from(*n) / total;
            -p * p.log2()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entry_goes_first() {
        let mut map = Bounded::new(3);
        for key in 0..10_u32 {
            *map.entry(key, || 0) += key;
        }
        assert!(map.len() <= 3);
        assert_eq!(map.get(&9), Some(&9));
        assert_eq!(map.get(&5), None);
    }

    #[test]
    fn distinct_values_are_counted_within_a_tenth() {
        for real in [1_u32, 5, 20, 100, 400] {
            let mut distinct = Distinct::<8>::default();
            for value in 0..real {
                distinct.add(&value.to_be_bytes());
                distinct.add(&value.to_be_bytes());
            }
            let error = distinct.estimate().abs_diff(real);
            assert!(error * 10 <= real.max(10), "{real}: {}", distinct.estimate());
        }
    }

    #[test]
    fn a_window_forgets_what_is_long_ago() {
        let mut window = Window::<8>::new(0);
        for value in 0..8_u32 {
            window.add(i64::from(value) * 100, 1000, &value.to_be_bytes(), 10);
        }
        assert!(window.verdict.is_none());
        for value in 8..12_u32 {
            window.add(10_000 + i64::from(value), 1000, &value.to_be_bytes(), 10);
        }
        assert!(window.verdict.is_none(), "eight long ago and four now are not twelve");
        for value in 12..20_u32 {
            window.add(10_100 + i64::from(value), 1000, &value.to_be_bytes(), 10);
        }
        assert_eq!(window.verdict, Some(Span { from: 10_008, to: 10_119 }));
    }

    #[test]
    fn entropy_tells_random_from_repeated() {
        assert!(entropy(b"aaaaaaaa") < 0.01);
        assert!(entropy(b"0123456789abcdef") > 3.9);
    }
}
