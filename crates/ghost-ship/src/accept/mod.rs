//! What a replica believes.
//!
//! In the order in which it is asked: two sides meet ([`Accepted::meet`], [`compare`]); lines of
//! the tail continue what is held ([`Accepted::tail`]); a block's lines are checked as they arrive
//! ([`BlockCheck`]); a checkpoint is cosigned ([`Accepted::witness`]). Each question has two halves:
//! what would follow is worked out first and changes nothing; when the caller has made it durable,
//! it is kept (`keep_…`), and only then acknowledged. A power cut between the two loses nothing that
//! was acknowledged.
//!
//! Promised: nothing is kept that does not continue, leaf by leaf, all that was kept before; no
//! checkpoint is cosigned that does not continue, by proof, the one cosigned before; a lower epoch
//! never speaks again. Not promised: that a tail that no checkpoint covers yet was signed by anybody.
//!
//! **Invariant:** pure; the newest checkpoint of both sides goes with every refusal that says that
//! two histories differ.

mod block;
mod chain;
mod cut;
mod keys;
mod meet;
mod tail;
mod witness;

pub use block::{Begun, BlockCheck, BlockStep, Settled};
pub use keys::Keys;
pub use meet::{Primary, compare};
pub use tail::TailStep;
pub use witness::{WitnessStep, Witnessed};

use chain::Chain;
use ghost_event::Digest;
use ghost_log::proof::Tree;

use crate::limits::BLOCKS_TOLD_MAX;
use crate::wire::{BlockTold, Code, LogId, Place, Refusal};

/// A verified block that lies here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub number: u64,
    pub place: Place,
    pub root: Digest,
    /// Of the log that it holds.
    pub epoch: u64,
    /// The tree of its lines, to be grown on.
    pub tree: Tree,
}

/// What a replica holds of one log: blocks, and a tail that runs ahead of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accepted {
    /// The end of all lines that are durable here.
    held: Chain,
    keys: Keys,
    /// Oldest first.
    blocks: Vec<Known>,
    witnessed: Option<Witnessed>,
}

impl Accepted {
    /// Of a replica that has nothing: it takes the first log that it is shown.
    #[must_use]
    pub fn new() -> Accepted {
        Accepted::default()
    }

    /// As it was before a restart, from what lies on the disk; the lines of the tail are shown to
    /// [`tail`](Self::tail) again. `blocks` oldest first.
    #[must_use]
    pub fn resume(
        log: Option<LogId>,
        keys: Keys,
        blocks: Vec<Known>,
        witnessed: Option<Witnessed>,
    ) -> Accepted {
        let held = match blocks.last() {
            Some(newest) => Chain {
                log,
                epoch: newest.epoch,
                leaf: newest.place.leaf,
                tree: newest.tree.clone(),
            },
            None => Chain { log, ..Chain::default() },
        };
        Accepted { held, keys, blocks, witnessed }
    }

    #[must_use]
    pub fn log(&self) -> Option<LogId> {
        self.held.log
    }

    /// The highest epoch whose lines were kept.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.held.epoch
    }

    /// The newest line that was kept, of tail and blocks.
    #[must_use]
    pub fn held(&self) -> Place {
        self.held.place()
    }

    /// The newest verified block.
    #[must_use]
    pub fn newest(&self) -> Option<&Known> {
        self.blocks.last()
    }

    /// Verified blocks, oldest first.
    #[must_use]
    pub fn blocks(&self) -> &[Known] {
        &self.blocks
    }

    /// What is told of them in a hello.
    #[must_use]
    pub fn told(&self) -> Vec<BlockTold> {
        let from = self.blocks.len().saturating_sub(BLOCKS_TOLD_MAX);
        let newest = self.blocks.get(from..).unwrap_or_default().iter();
        newest.map(|b| BlockTold { number: b.number, size: b.place.size, root: b.root }).collect()
    }

    /// The newest checkpoint that was cosigned.
    #[must_use]
    pub fn witnessed(&self) -> Option<&Witnessed> {
        self.witnessed.as_ref()
    }

    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// A block was deleted here: it is no parent any more. The newest stays.
    pub fn forget_block(&mut self, number: u64) {
        let newest = self.blocks.last().map(|b| b.number);
        self.blocks.retain(|b| b.number != number || Some(b.number) == newest);
    }

    /// A refusal with what both sides signed.
    fn refuse(&self, code: Code, words: impl Into<String>, theirs: &str) -> Refusal {
        let ours = self.witnessed.as_ref().map_or("", |w| &w.note);
        Refusal::new(code, words).with_evidence(ours, theirs)
    }

    /// Roots that any tree which reaches so far must have.
    fn milestones(&self) -> Vec<(u64, Digest)> {
        let mut all: Vec<_> = self.blocks.iter().map(|b| (b.place.size, b.root)).collect();
        all.extend(self.witnessed.as_ref().map(|w| (w.size, w.root)));
        all
    }
}
