//! Inclusion and consistency: that a leaf stands under a root, and that one root continues another.
//!
//! Made as RFC 6962, section 2.1 defines them, checked as RFC 9162, sections 2.1.3.2 and 2.1.4.2
//! say. Whoever makes a proof needs the roots of full subtrees only ([`Nodes`]), wherever they lie;
//! whoever checks one needs nothing but the proof.

use ghost_event::Digest;

use super::{Tree, node};

/// Where the roots of full subtrees come from.
pub trait Nodes {
    type Error;

    /// The root of the 2^`level` leaves that begin with leaf `index << level`. Asked for only where
    /// all of them are in the tree.
    fn node(&mut self, level: u32, index: u64) -> Result<Digest, Self::Error>;
}

/// Why a proof does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    #[error("leaf {index} is not in a tree of {size}")]
    Outside { index: u64, size: u64 },
    #[error("a tree of {new} leaves cannot continue one of {old}")]
    Shrunk { old: u64, new: u64 },
    #[error("the proof has {found} hashes, and a proof of these sizes has another number")]
    Length { found: usize },
    #[error("the proof leads to another root of the {size} leaves")]
    OtherRoot { size: u64 },
}

/// The root over the first `size` leaves.
pub fn root<N: Nodes>(nodes: &mut N, size: u64) -> Result<Digest, N::Error> {
    Ok(frontier(nodes, size)?.root())
}

/// The tree of the first `size` leaves, to be grown on.
pub fn frontier<N: Nodes>(nodes: &mut N, size: u64) -> Result<Tree, N::Error> {
    Ok(Tree { size, frontier: full_subtrees(nodes, 0, size)? })
}

/// The way from leaf `index` up to the root over `size` leaves, its sibling first. Empty where the
/// leaf is not in the tree: no check takes that.
pub fn inclusion<N: Nodes>(nodes: &mut N, index: u64, size: u64) -> Result<Vec<Digest>, N::Error> {
    let mut path = Vec::new();
    if index >= size {
        return Ok(path);
    }
    let (mut begin, mut end) = (0, size);
    while end - begin > 1 {
        let middle = begin + split(end - begin);
        if index < middle {
            path.push(range(nodes, middle, end)?);
            end = middle;
        } else {
            path.push(range(nodes, begin, middle)?);
            begin = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of `new` leaves begins with the tree of `old`. Empty where they are the
/// same, where the old one is empty, and where it is the larger: no check takes the last.
pub fn consistency<N: Nodes>(nodes: &mut N, old: u64, new: u64) -> Result<Vec<Digest>, N::Error> {
    let mut path = Vec::new();
    if old == 0 || old >= new {
        return Ok(path);
    }
    let (mut begin, mut end) = (0, new);
    // Whether the subtree looked at is the old tree itself, whose root the other side knows.
    let mut known = true;
    while old != end {
        let middle = begin + split(end - begin);
        if old <= middle {
            path.push(range(nodes, middle, end)?);
            end = middle;
        } else {
            path.push(range(nodes, begin, middle)?);
            begin = middle;
            known = false;
        }
    }
    if !known {
        path.push(range(nodes, begin, end)?);
    }
    path.reverse();
    Ok(path)
}

/// Whether `path` leads from leaf `index` to the root over `size` leaves.
pub fn check_inclusion(
    index: u64,
    size: u64,
    leaf: &Digest,
    path: &[Digest],
    root: &Digest,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Outside { index, size });
    }
    let length = || ProofError::Length { found: path.len() };
    let (mut at, mut last) = (index, size - 1);
    let mut top = *leaf;
    for sibling in path {
        if last == 0 {
            return Err(length());
        }
        if at & 1 == 1 || at == last {
            top = node(sibling, &top);
            // The last node of a level may be alone on the next ones.
            let alone = at.trailing_zeros().min(63);
            (at, last) = (at >> alone, last >> alone);
        } else {
            top = node(&top, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    if last != 0 {
        return Err(length());
    }
    if top == *root { Ok(()) } else { Err(ProofError::OtherRoot { size }) }
}

/// Whether the tree of `new` leaves with `new_root` begins with the tree of `old` leaves with
/// `old_root`.
pub fn check_consistency(
    old: u64,
    old_root: &Digest,
    new: u64,
    new_root: &Digest,
    path: &[Digest],
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::Shrunk { old, new });
    }
    let length = || ProofError::Length { found: path.len() };
    if old == 0 || old == new {
        let known = if old == 0 { Tree::new().root() } else { *new_root };
        return match (path, known == *old_root) {
            ([], true) => Ok(()),
            ([], false) => Err(ProofError::OtherRoot { size: old }),
            _ => Err(length()),
        };
    }
    let mut path = path.iter();
    let mut hash = || path.next().ok_or_else(length);
    // A full old tree is a node of the new one, which the other side need not send.
    let first = if old.is_power_of_two() { old_root } else { hash()? };
    let full = (old - 1).trailing_ones();
    let (mut at, mut last) = ((old - 1) >> full, (new - 1) >> full);
    let (mut old_top, mut new_top) = (*first, *first);
    for sibling in path {
        if last == 0 {
            return Err(length());
        }
        if at & 1 == 1 || at == last {
            old_top = node(sibling, &old_top);
            new_top = node(sibling, &new_top);
            let alone = at.trailing_zeros().min(63);
            (at, last) = (at >> alone, last >> alone);
        } else {
            new_top = node(&new_top, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    if last != 0 {
        return Err(length());
    }
    if old_top != *old_root {
        return Err(ProofError::OtherRoot { size: old });
    }
    if new_top != *new_root {
        return Err(ProofError::OtherRoot { size: new });
    }
    Ok(())
}

/// The largest power of two below `n`, which is at least 2.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

/// The root of the leaves from `begin`, which is a multiple of the least power of two not below
/// their number, up to `end`.
fn range<N: Nodes>(nodes: &mut N, begin: u64, end: u64) -> Result<Digest, N::Error> {
    let size = end - begin;
    Ok(Tree { size, frontier: full_subtrees(nodes, begin, size)? }.root())
}

/// The roots of the full subtrees that `size` leaves from `begin` on are made of, largest first.
fn full_subtrees<N: Nodes>(nodes: &mut N, begin: u64, size: u64) -> Result<Vec<Digest>, N::Error> {
    let mut all = Vec::with_capacity(64);
    let mut at = begin;
    for level in (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1) {
        all.push(nodes.node(level, at >> level)?);
        at += 1 << level;
    }
    Ok(all)
}
