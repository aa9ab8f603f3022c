//! A set of document numbers below a bound.

/// One bit a document.
#[derive(Debug, Clone)]
pub(crate) struct Bits {
    words: Vec<u64>,
    len: u32,
}

impl Bits {
    pub(crate) fn none(len: u32) -> Bits {
        Bits { words: vec![0; (len as usize).div_ceil(64)], len }
    }

    pub(crate) fn all(len: u32) -> Bits {
        let mut bits = Bits { words: vec![u64::MAX; (len as usize).div_ceil(64)], len };
        bits.trim();
        bits
    }

    fn trim(&mut self) {
        let used = self.len % 64;
        if used != 0
            && let Some(last) = self.words.last_mut()
        {
            *last &= (1 << used) - 1;
        }
    }

    #[inline]
    pub(crate) fn insert(&mut self, doc: u32) {
        if let Some(word) = self.words.get_mut(doc as usize / 64) {
            *word |= 1 << (doc % 64);
        }
    }

    #[inline]
    pub(crate) fn contains(&self, doc: u32) -> bool {
        self.words.get(doc as usize / 64).is_some_and(|w| w >> (doc % 64) & 1 == 1)
    }

    pub(crate) fn and(&mut self, other: &Bits) {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a &= b);
    }

    pub(crate) fn and_not(&mut self, other: &Bits) {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a &= !b);
    }

    pub(crate) fn or(&mut self, other: &Bits) {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a |= b);
    }

    pub(crate) fn not(&mut self) {
        self.words.iter_mut().for_each(|w| *w = !*w);
        self.trim();
    }

    pub(crate) fn count(&self) -> u64 {
        self.words.iter().map(|w| u64::from(w.count_ones())).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|w| *w == 0)
    }

    /// The members, highest first: newer lines have higher numbers, and an answer wants those.
    pub(crate) fn iter_down(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().rev().flat_map(|(at, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = 63_u32.checked_sub(left.leading_zeros())?;
                left &= !(1 << bit);
                u32::try_from(at * 64).ok().map(|base| base + bit)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_highest_first_and_the_complement_ends_at_the_bound() {
        let mut bits = Bits::none(130);
        for doc in [0, 63, 64, 129] {
            bits.insert(doc);
        }
        assert_eq!(bits.iter_down().collect::<Vec<_>>(), [129, 64, 63, 0]);
        bits.not();
        assert_eq!(bits.count(), 126);
        assert!(!bits.contains(129) && bits.contains(128));
        assert_eq!(Bits::all(130).count(), 130);
    }
}
