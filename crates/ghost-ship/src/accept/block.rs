//! A block's lines, checked as they arrive.

use ghost_event::Digest;
use ghost_log::proof::Tree;
use ghost_log::proof::checkpoint::SignedCheckpoint;
use ghost_log::proof::key::SigningKey;

use super::chain::Chain;
use super::cut::{Cutter, TooLong};
use super::{Accepted, Keys, Known, Witnessed};
use crate::wire::{BlockBegin, Code, Form, Kind, Place, Refusal, Start};

/// What becomes of an announced block.
#[derive(Debug, Clone)]
pub enum Begun {
    /// It lies here already: it is acknowledged again, and its bytes are passed over.
    Already,
    Check(Box<BlockCheck>),
}

/// A block on its way.
#[derive(Debug, Clone)]
pub struct BlockCheck {
    begin: BlockBegin,
    chain: Chain,
    keys: Keys,
    /// Where what is held ended when it began, and roots on the way.
    held: Place,
    milestones: Vec<(u64, Digest)>,
    cutter: Cutter,
    /// Bytes that came in chunks.
    came: u64,
    /// The block's checkpoint, once a known key was found to have signed it.
    signed: Option<SignedCheckpoint>,
    /// What had been cosigned by then.
    cosigned: Option<Witnessed>,
    /// What both sides signed, for a refusal.
    ours: String,
}

/// A block that may be put under its name.
#[derive(Debug, Clone)]
pub struct BlockStep {
    number: u64,
    root: Digest,
    chain: Chain,
    keys: Keys,
    note: String,
    signed: SignedCheckpoint,
    /// A larger checkpoint was cosigned before.
    outrun: bool,
}

impl BlockStep {
    /// The signature line for the other side, to be sent once the block was kept: what was kept is
    /// what was witnessed. `time_s` is since 1970. None where a larger checkpoint was cosigned.
    #[must_use]
    pub fn cosign(&self, key: &SigningKey, time_s: u64) -> Option<String> {
        (!self.outrun).then(|| self.signed.checkpoint.cosign(key, time_s))
    }
}

/// What follows from a block that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// Lines of the tail up to here stand in the block: the tail loses them.
    pub drop_tail: u64,
}

impl Accepted {
    /// Whether this block may come.
    pub fn begin_block(&self, begin: &BlockBegin) -> Result<Begun, Refusal> {
        self.may_begin(begin).map_err(|refusal| refusal.about(Kind::BlockBegin))
    }

    fn may_begin(&self, begin: &BlockBegin) -> Result<Begun, Refusal> {
        let refuse = |code, words: String| Err(self.refuse(code, words, &begin.note));
        if begin.epoch < self.held.epoch {
            let words =
                format!("epoch {} is over: epoch {} was seen here", begin.epoch, self.held.epoch);
            return refuse(Code::StaleEpoch, words);
        }
        if self.blocks.iter().any(|b| (b.number, b.root) == (begin.number, begin.root)) {
            return Ok(Begun::Already);
        }
        if let Some(newest) = self.newest()
            && (begin.number <= newest.number || begin.size <= newest.place.size)
        {
            let words = format!("block {} does not follow block {}", begin.number, newest.number);
            return refuse(Code::Fork, words);
        }
        let chain = match &begin.start {
            Start::Parent { number, root } => {
                let Some(parent) =
                    self.blocks.iter().find(|b| (b.number, b.root) == (*number, *root))
                else {
                    return refuse(Code::NoParent, format!("block {number} is not here"));
                };
                let Known { epoch, place, tree, .. } = parent.clone();
                Chain { log: self.held.log, epoch, leaf: place.leaf, tree }
            }
            Start::Base { size, leaf, frontier } => {
                let Some(tree) = Tree::resume(*size, frontier) else {
                    return refuse(Code::Malformed, "the frontier is not of that size".to_owned());
                };
                Chain { log: self.held.log, epoch: 0, leaf: *leaf, tree }
            }
        };
        // Of a log of which nothing is known yet, the lines tell the keys first.
        let known = !self.keys.all().is_empty();
        let signed = if known { Some(self.vouched(begin, &self.keys)?) } else { None };
        let held = self.held();
        if held.size > 0 && chain.tree.size() > held.size {
            let words =
                format!("its lines begin after {}, and {} are held", chain.tree.size(), held.size);
            return refuse(Code::Gap, words);
        }
        let ours = self.witnessed.as_ref().map_or(String::new(), |w| w.note.clone());
        let check = BlockCheck {
            chain,
            keys: self.keys.clone(),
            held,
            milestones: self.milestones(),
            cutter: Cutter::default(),
            came: 0,
            signed,
            cosigned: self.witnessed.clone(),
            ours,
            begin: begin.clone(),
        };
        Ok(Begun::Check(Box::new(check)))
    }

    /// Whether a known key signed what the block says of itself, and it continues what was cosigned.
    fn vouched(&self, begin: &BlockBegin, keys: &Keys) -> Result<SignedCheckpoint, Refusal> {
        let signed = self.signed(&begin.note, keys)?;
        if (signed.checkpoint.size, signed.checkpoint.root) != (begin.size, begin.root) {
            let words = "the checkpoint is not of this block";
            return Err(self.refuse(Code::Altered, words, &begin.note));
        }
        self.grown(&begin.growth, begin.size, begin.root, &begin.note)?;
        Ok(signed)
    }

    /// The block's lines are all here. `tail_leaf` and `block_leaf` answer of the tail that is held
    /// and of the block that came: the leaf of the line of that number. Nothing is kept yet.
    pub fn end_block(
        &self,
        check: BlockCheck,
        tail_leaf: impl FnOnce(u64) -> Option<Digest>,
        block_leaf: impl FnOnce(u64) -> Option<Digest>,
    ) -> Result<BlockStep, Refusal> {
        self.may_end(check, tail_leaf, block_leaf).map_err(|r| r.about(Kind::BlockEnd))
    }

    fn may_end(
        &self,
        check: BlockCheck,
        tail_leaf: impl FnOnce(u64) -> Option<Digest>,
        block_leaf: impl FnOnce(u64) -> Option<Digest>,
    ) -> Result<BlockStep, Refusal> {
        let BlockCheck { begin, chain, keys, cutter, held: before, signed, cosigned, .. } = check;
        let refuse = |code, words: String| Err(self.refuse(code, words, &begin.note));
        let (size, root) = (chain.tree.size(), chain.tree.root());
        if !cutter.is_clean() || (size, root) != (begin.size, begin.root) {
            let words =
                format!("the lines of block {} are not those of its checkpoint", begin.number);
            return refuse(Code::Altered, words);
        }
        // Checked at the beginning, unless another checkpoint was cosigned meanwhile.
        let signed = match signed {
            Some(signed) if self.witnessed() == cosigned.as_ref() => signed,
            _ => self.vouched(&begin, &keys)?,
        };
        let outrun = self.witnessed().is_some_and(|w| w.size > size);
        // Once more than at the beginning: the tail grew while the block came.
        let held = self.held();
        let told = if held.size == size { Some(held.leaf) } else { None };
        if held.size >= size && told.or_else(|| tail_leaf(size)) != Some(chain.leaf) {
            return refuse(Code::Fork, format!("line {size} of the tail is another one"));
        }
        let grew = before.size < held.size && held.size < size;
        if grew && block_leaf(held.size) != Some(held.leaf) {
            return refuse(Code::Fork, format!("line {} is another one here", held.size));
        }
        if chain.epoch > begin.epoch {
            let words = format!("lines of epoch {} in a block of {}", chain.epoch, begin.epoch);
            return refuse(Code::Altered, words);
        }
        Ok(BlockStep { number: begin.number, root, chain, keys, note: begin.note, signed, outrun })
    }

    /// The block lies under its name: it is held, and may be acknowledged and cosigned.
    pub fn keep_block(&mut self, step: BlockStep) -> Settled {
        let BlockStep { number, root, chain, keys, note, .. } = step;
        let place = chain.place();
        if self.newest().is_none_or(|newest| newest.number < number) {
            let (epoch, tree) = (chain.epoch, chain.tree.clone());
            self.blocks.push(Known { number, place, root, epoch, tree });
        }
        if self.held.tree.size() <= place.size {
            self.held = chain;
            self.keys = keys;
        }
        self.remember(Witnessed { size: place.size, root, note });
        Settled { drop_tail: place.size }
    }
}

/// Why the stream broke off.
enum Stop {
    TooLong,
    Refused(Refusal),
}

impl From<TooLong> for Stop {
    fn from(_: TooLong) -> Stop {
        Stop::TooLong
    }
}

impl BlockCheck {
    #[must_use]
    pub fn begin(&self) -> &BlockBegin {
        &self.begin
    }

    /// Lines so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.chain.tree.size()
    }

    /// A chunk came: it must be the next one of this block. The bytes of a block that comes as lines
    /// are checked at once; of any other form the caller makes what it may, and shows the lines of
    /// that ([`line`](Self::line)).
    pub fn chunk(&mut self, number: u64, offset: u64, bytes: &[u8]) -> Result<(), Refusal> {
        if (number, offset) != (self.begin.number, self.came) {
            let words = format!(
                "byte {offset} of block {number} came, and {} of {} was to come",
                self.came, self.begin.number
            );
            return Err(self.refuse(Code::Unexpected, words));
        }
        self.came = self.came.saturating_add(bytes.len() as u64);
        if self.begin.form == Form::Lines { self.bytes(bytes) } else { Ok(()) }
    }

    /// The last chunk has come, says the other side.
    pub fn ended(&self, number: u64, bytes: u64) -> Result<(), Refusal> {
        if (number, bytes) == (self.begin.number, self.came) {
            return Ok(());
        }
        let words = format!("{} bytes came, and block {number} has {bytes}", self.came);
        Err(self.refuse(Code::Altered, words))
    }

    /// The next bytes of lines.
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let mut cutter = std::mem::take(&mut self.cutter);
        let result = cutter.push(bytes, |line| self.line(line).map_err(Stop::Refused));
        self.cutter = cutter;
        result.map_err(|stop| match stop {
            Stop::TooLong => self.refuse(Code::Limit, "a line is longer than lines are".to_owned()),
            Stop::Refused(refusal) => refusal,
        })
    }

    /// The next line, newline included.
    pub fn line(&mut self, line: &[u8]) -> Result<(), Refusal> {
        if self.size() >= self.begin.size {
            return Err(self.refuse(Code::Altered, "more lines than the block has".to_owned()));
        }
        let mut keys = std::mem::take(&mut self.keys);
        let taken = self.chain.take(line, &mut keys);
        self.keys = keys;
        if let Err(broken) = taken {
            // That lines do not follow each other inside one stream says that it was changed.
            let code = match broken.code {
                Code::Fork | Code::Gap => Code::Altered,
                code => code,
            };
            return Err(self.refuse(code, broken.words));
        }
        let size = self.size();
        if size == self.held.size && self.chain.leaf != self.held.leaf {
            return Err(self.refuse(Code::Fork, format!("line {size} is another one here")));
        }
        let known = self.milestones.iter().find(|(s, _)| *s == size);
        if known.is_some_and(|(_, root)| *root != self.chain.tree.root()) {
            let words = format!("the first {size} lines are not those that were verified here");
            return Err(self.refuse(Code::Fork, words));
        }
        Ok(())
    }

    fn refuse(&self, code: Code, words: String) -> Refusal {
        let refusal = Refusal::new(code, words).about(Kind::BlockChunk);
        refusal.with_evidence(&self.ours, &self.begin.note)
    }
}
