//! The newest block that both sides have.

use super::Sealed;
use crate::wire::BlockTold;

/// Of the primary's blocks and the replica's, both oldest first: `None` where they share none, so
/// that all must be sent.
#[must_use]
pub fn common<'a>(ours: &'a [Sealed], theirs: &[BlockTold]) -> Option<&'a Sealed> {
    let same = |a: &Sealed, b: &BlockTold| (a.number, a.size, a.root) == (b.number, b.size, b.root);
    ours.iter().rev().find(|block| theirs.iter().rev().any(|other| same(block, other)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ghost_event::Digest;

    #[test]
    fn the_newest_of_both_is_found_and_one_of_another_root_is_not_it() {
        let ours: Vec<_> = (1..=6)
            .map(|n| Sealed { number: n, size: n * 10, root: Digest([n as u8; 32]) })
            .collect();
        let told =
            |n: u64, root: u8| BlockTold { number: n, size: n * 10, root: Digest([root; 32]) };
        let number = |theirs: &[BlockTold]| common(&ours, theirs).map(|b| b.number);
        assert_eq!(number(&[]), None);
        assert_eq!(number(&[told(2, 2), told(4, 4)]), Some(4));
        assert_eq!(number(&[told(2, 2), told(4, 9)]), Some(2));
        assert_eq!(number(&[told(2, 2), told(9, 9)]), Some(2));
        assert_eq!(number(&[told(4, 9)]), None);
        assert_eq!(common(&[], &[told(1, 1)]), None);
    }
}
