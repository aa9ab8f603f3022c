//! The tail lane: raw lines that run ahead of the blocks.

use ghost_event::line::Tail;
use ghost_log::proof::leaf;

use super::chain::Chain;
use super::{Accepted, Keys};
use crate::wire::{Code, Kind, Lines, Place, Refusal};

/// What would follow from a frame of lines.
#[derive(Debug, Clone)]
pub struct TailStep {
    /// Lines of the frame that are new begin after this one.
    pub after: u64,
    chain: Chain,
    keys: Keys,
}

impl TailStep {
    /// Where the log would end: what is acknowledged once it is durable.
    #[must_use]
    pub fn place(&self) -> Place {
        self.chain.place()
    }

    /// Whether the frame brought nothing: it is acknowledged at once.
    #[must_use]
    pub fn is_replay(&self) -> bool {
        self.after == self.chain.tree.size()
    }
}

impl Accepted {
    /// Whether these lines continue what is held. Lines that are held already may come again.
    /// `theirs` is the newest checkpoint that the primary told of, for evidence.
    pub fn tail(&self, epoch: u64, lines: &Lines, theirs: &str) -> Result<TailStep, Refusal> {
        let about = Kind::Tail;
        let refuse = |code, words: String| Err(self.refuse(code, words, theirs).about(about));
        let held = self.held();
        if epoch < self.held.epoch {
            let words = format!("epoch {epoch} is over: epoch {} was seen here", self.held.epoch);
            return refuse(Code::StaleEpoch, words);
        }
        if lines.first() > held.size.saturating_add(1) {
            let words = format!("line {} comes after {}", lines.first(), held.size);
            return refuse(Code::Gap, words);
        }
        let mut chain = self.held.clone();
        let mut keys = self.keys.clone();
        let milestones = self.milestones();
        let mut before = None;
        for line in lines.iter() {
            // Cut by the door: every one has a tail, and numbers follow each other.
            let Some(tail) = Tail::of(line) else { continue };
            if tail.seq <= held.size {
                if before.is_some_and(|leaf| leaf != tail.prev) {
                    let words = format!("line {} is not the one that was hashed", tail.seq - 1);
                    return refuse(Code::Altered, words);
                }
                let known = leaf(line);
                if tail.seq == held.size && known != held.leaf {
                    return refuse(Code::Fork, format!("line {} is another one here", tail.seq));
                }
                before = Some(known);
                continue;
            }
            if let Err(broken) = chain.take(line, &mut keys) {
                // Inside one frame it is the line before that was changed.
                let inside = tail.seq > lines.first().max(held.size + 1);
                let code =
                    if inside && broken.code == Code::Fork { Code::Altered } else { broken.code };
                return refuse(code, broken.words);
            }
            for (size, root) in &milestones {
                if *size == chain.tree.size() && *root != chain.tree.root() {
                    let words = format!("the first {size} lines are not those that were cosigned");
                    return refuse(Code::Fork, words);
                }
            }
        }
        if chain.epoch > epoch {
            let words = format!("lines of epoch {} in a frame of epoch {epoch}", chain.epoch);
            return refuse(Code::Altered, words);
        }
        Ok(TailStep { after: held.size, chain, keys })
    }

    /// The new lines are durable: they are held, and may be acknowledged.
    pub fn keep_tail(&mut self, step: TailStep) {
        // A step that was worked out before another was kept is over.
        if step.after == self.held.tree.size() {
            self.held = step.chain;
            self.keys = step.keys;
        }
    }
}
