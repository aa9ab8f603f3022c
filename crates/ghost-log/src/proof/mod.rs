//! The arithmetic of the log: leaves, the chain's links, and the Merkle tree of RFC 6962.
//!
//! One hash a line serves both: the leaf is named by the next line (`ghost.prev`) and is a leaf of
//! the tree. The chain proves order and bytes up to its last link but says nothing of its own end;
//! a root from outside does. In the order of use: the tree grows ([`Tree`]) and is kept in tiles
//! ([`tile`]); its root is signed ([`key`], [`note`], [`checkpoint`]); a line is shown to belong to
//! a root, and a root to continue another ([`inclusion`], [`consistency`], [`bundle`]).
//!
//! Not promised: what stands in a text that nobody signed is somebody's word; every parser here
//! only says that it is well formed.
//!
//! **Invariant:** nothing here reads a file or a clock; whoever writes, verifies, replicates or
//! simulates a log checks it with this very code.

pub mod bundle;
pub mod checkpoint;
pub mod key;
pub mod note;
mod path;
pub mod tile;

pub use path::{
    Nodes, ProofError, check_consistency, check_inclusion, consistency, frontier, inclusion, root,
};

use ghost_event::Digest;
use sha2::block_api::compress256;
use sha2::{Digest as _, Sha256};

/// The leaf of a line: its bytes as they stand on disk, newline included.
#[must_use]
pub fn leaf(line: &[u8]) -> Digest {
    prefixed(0, line)
}

/// The node above two others.
#[must_use]
pub fn node(left: &Digest, right: &Digest) -> Digest {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&left.0);
    bytes[32..].copy_from_slice(&right.0);
    prefixed(1, &bytes)
}

/// The start of SHA-256 (FIPS 180-4, 5.3.3).
const START: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

const BLOCK: usize = 64;

/// SHA-256 of a byte and what follows it: whole blocks are hashed where they stand, and only the
/// first and the last are put together. The tests hold it to the plain function.
fn prefixed(prefix: u8, bytes: &[u8]) -> Digest {
    let mut state = START;
    let mut block = [0; BLOCK];
    block[0] = prefix;
    let (first, rest) = bytes.split_at(bytes.len().min(BLOCK - 1));
    block[1..=first.len()].copy_from_slice(first);
    let mut used = 1 + first.len();
    if used == BLOCK {
        let (blocks, tail) = rest.as_chunks::<BLOCK>();
        compress256(&mut state, &[block]);
        compress256(&mut state, blocks);
        block = [0; BLOCK];
        block[..tail.len()].copy_from_slice(tail);
        used = tail.len();
    }
    // One bit, zeros, and the length in bits.
    block[used] = 0x80;
    if used + 1 + 8 > BLOCK {
        compress256(&mut state, &[block]);
        block = [0; BLOCK];
    }
    let bits = (bytes.len() as u64 + 1) * 8;
    block[BLOCK - 8..].copy_from_slice(&bits.to_be_bytes());
    compress256(&mut state, &[block]);
    let mut digest = [0; 32];
    for (out, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *out = word.to_be_bytes();
    }
    Digest(digest)
}

/// A growing tree, of which only the frontier is kept: the roots of its full subtrees, largest
/// first, one for each bit of its size.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    size: u64,
    frontier: Vec<Digest>,
}

impl Tree {
    #[must_use]
    pub fn new() -> Tree {
        Tree { size: 0, frontier: Vec::with_capacity(64) }
    }

    /// A tree taken up again; `None` where the frontier does not belong to that size.
    #[must_use]
    pub fn resume(size: u64, frontier: &[Digest]) -> Option<Tree> {
        (frontier.len() == size.count_ones() as usize)
            .then(|| Tree { size, frontier: frontier.to_vec() })
    }

    /// Leaves so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What must be kept to go on.
    #[must_use]
    pub fn frontier(&self) -> &[Digest] {
        &self.frontier
    }

    /// Takes in the next leaf: one node hash on average.
    pub fn push(&mut self, leaf: Digest) {
        self.push_with(leaf, |_, _, _| {});
    }

    /// The same, and tells each subtree of two leaves and more that this one completes: its level
    /// (2^level leaves), its index on that level, its root; smallest first. What tiles are made of.
    pub fn push_with(&mut self, leaf: Digest, mut complete: impl FnMut(u32, u64, &Digest)) {
        let mut top = leaf;
        // Each trailing one-bit of the size is a full subtree that this leaf completes.
        for level in 1..=self.size.trailing_ones() {
            let Some(left) = self.frontier.pop() else { break };
            top = node(&left, &top);
            complete(level, self.size.checked_shr(level).unwrap_or(0), &top);
        }
        self.frontier.push(top);
        self.size += 1;
    }

    /// The root over all leaves so far; of none, the hash of nothing.
    #[must_use]
    pub fn root(&self) -> Digest {
        let mut from_right = self.frontier.iter().rev();
        match from_right.next() {
            None => Digest(Sha256::digest([]).into()),
            Some(last) => from_right.fold(*last, |right, left| node(left, &right)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_has_the_digest_of_the_plain_function() {
        let bytes: Vec<u8> = (0..700_u32).map(|i| (i * 7 % 251) as u8).collect();
        for len in 0..bytes.len() {
            let mut plain = Sha256::new();
            plain.update([0]);
            plain.update(&bytes[..len]);
            assert_eq!(leaf(&bytes[..len]).0, <[u8; 32]>::from(plain.finalize()), "{len} bytes");
        }
        let mut plain = Sha256::new();
        plain.update([1]);
        plain.update([0xaa; 32]);
        plain.update([0xbb; 32]);
        let above = node(&Digest([0xaa; 32]), &Digest([0xbb; 32]));
        assert_eq!(above.0, <[u8; 32]>::from(plain.finalize()));
    }

    /// RFC 6962, section 2.1, word for word.
    fn oracle(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => Digest(Sha256::digest([]).into()),
            [one] => *one,
            many => {
                let mut k = 1;
                while k * 2 < many.len() {
                    k *= 2;
                }
                node(&oracle(&many[..k]), &oracle(&many[k..]))
            }
        }
    }

    /// The eight leaves and roots that implementations of RFC 6962 test against.
    #[test]
    fn the_known_trees_have_their_known_roots() {
        let leaves: [&[u8]; 8] = [
            b"",
            &[0x00],
            &[0x10],
            &[0x20, 0x21],
            &[0x30, 0x31],
            &[0x40, 0x41, 0x42, 0x43],
            &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
            &[
                0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d,
                0x6e, 0x6f,
            ],
        ];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut tree = Tree::new();
        assert_eq!(
            tree.root().to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        for (bytes, root) in leaves.iter().zip(roots) {
            tree.push(leaf(bytes));
            assert_eq!(tree.root().to_string(), root);
        }
    }

    #[test]
    fn every_size_has_the_root_of_the_definition() {
        let leaves: Vec<Digest> = (0..300_u32).map(|i| leaf(&i.to_be_bytes())).collect();
        let mut tree = Tree::new();
        for n in 0..leaves.len() {
            assert_eq!(tree.root(), oracle(&leaves[..n]), "size {n}");
            assert_eq!(tree.frontier().len(), tree.size().count_ones() as usize);
            tree.push(leaves[n]);
        }
    }

    #[test]
    fn a_tree_taken_up_again_goes_on_as_if_never_put_down() {
        bolero::check!().with_iterations(300).with_type::<(u8, u8)>().for_each(
            |(before, after)| {
                let mut whole = Tree::new();
                (0..*before).for_each(|i| whole.push(leaf(&[i])));
                let mut resumed = Tree::resume(whole.size(), whole.frontier()).unwrap();
                for i in 0..*after {
                    whole.push(leaf(&[i, 1]));
                    resumed.push(leaf(&[i, 1]));
                }
                assert_eq!(resumed.root(), whole.root());
                assert_eq!(Tree::resume(whole.size() + 1, &[]), None);
            },
        );
    }
}
