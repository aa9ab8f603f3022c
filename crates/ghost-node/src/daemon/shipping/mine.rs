//! The log as its replicas are told of it: durable lines as they stand on disk, and what its tree
//! proves.
//!
//! Reads files only, beside the writer. What it is asked for is durable: nothing here waits for it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ghost_block::{Block, path_of};
use ghost_event::{Digest, Seq};
use ghost_log::proof::{self, checkpoint::SignedCheckpoint};
use ghost_log::{Layout, LogError, LogReader, ProveError, TreeReader};
use ghost_ship::wire::{Growth, Limits, LogId, Start};
use ghost_ship::{TAIL_BYTES_WANTED, wire};
use ghost_world::Disk;

use crate::{DataDir, proofs};

/// Lines of one frame, whatever their length.
const LINES_MAX: u64 = 16_384;

/// Why the log does not give what a replica needs.
#[derive(Debug, thiserror::Error)]
pub(super) enum MineError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Prove(#[from] ProveError),
    #[error("line {0} of the log can't be read as a line")]
    NoLines(Seq),
    #[error("line {asked} is the log's no more: the oldest that is left is {first}")]
    Gone { asked: Seq, first: Seq },
}

/// The newest checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) size: u64,
    pub(super) root: Digest,
    pub(super) note: String,
}

/// One replica's view of the log.
#[derive(Debug)]
pub(super) struct Mine {
    disk: Arc<dyn Disk>,
    data: DataDir,
    layout: Layout,
    log: LogId,
    reader: LogReader,
    /// Where reading stopped, and the line that comes next there.
    cursor: Option<(Seq, ghost_log::Lines)>,
    tree: Option<TreeReader>,
    epoch: u64,
}

impl Mine {
    pub(super) fn new(disk: Arc<dyn Disk>, data: &DataDir, log: LogId) -> Mine {
        let layout = Layout::new(data.root());
        let reader = LogReader::at(Arc::clone(&disk), layout.clone());
        let data = data.clone();
        Mine { disk, data, layout, log, reader, cursor: None, tree: None, epoch: 0 }
    }

    pub(super) fn log(&self) -> LogId {
        self.log
    }

    /// A log that was opened anew may have lost what was not durable: nothing that was read ahead
    /// is believed.
    pub(super) fn in_epoch(&mut self, epoch: u64) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.cursor = None;
            self.tree = None;
        }
    }

    /// The public key that signs.
    pub(super) fn key(&self) -> String {
        proofs::signing_key(&self.data)
            .map(|(key, _)| key.verifying_key().to_string())
            .unwrap_or_default()
    }

    /// As the log calls itself.
    pub(super) fn identity(&self) -> String {
        let name = proofs::signing_key(&self.data).map(|(key, _)| key.verifying_key().name.clone());
        name.ok().and_then(|n| n.split('/').next().map(str::to_owned)).unwrap_or_default()
    }

    /// The next durable lines after number `after`, as many as go into one frame.
    pub(super) fn lines(
        &mut self,
        after: Seq,
        upto: Seq,
        limits: Limits,
    ) -> Result<wire::Lines, MineError> {
        let first = after.saturating_add(1);
        let mut lines = match self.cursor.take() {
            Some((next, lines)) if next == first => lines,
            _ => self.reader.lines(first),
        };
        let most = (limits.tail_bytes as usize).min(TAIL_BYTES_WANTED);
        let mut bytes = Vec::new();
        let mut next = first;
        while next <= upto && next - first < LINES_MAX {
            let Some(line) = lines.next()? else { break };
            if line.seq != next {
                return Err(MineError::Gone { asked: next, first: line.seq });
            }
            bytes.extend_from_slice(line.bytes);
            next += 1;
            // A line that is longer than is wanted still goes, alone.
            if bytes.len() >= most {
                break;
            }
        }
        if bytes.len() > limits.tail_bytes as usize {
            // The last one made it too long: it is the first of the next frame.
            let last = memchr::memrchr(b'\n', &bytes[..bytes.len() - 1]).map_or(0, |at| at + 1);
            if last > 0 {
                bytes.truncate(last);
                return wire::Lines::new(bytes).ok_or(MineError::NoLines(first));
            }
        }
        self.cursor = Some((next, lines));
        wire::Lines::new(bytes).ok_or(MineError::NoLines(first))
    }

    /// Raw lines of a block after number `after`, for a block that goes as lines.
    pub(super) fn raw_of(&self, block: &Block, after: Seq) -> ghost_log::Lines {
        let layout = Layout::of_block(&self.path(block));
        LogReader::at(Arc::clone(&self.disk), layout).lines(after.saturating_add(1))
    }

    fn tree(&mut self) -> Result<&mut TreeReader, LogError> {
        let mut tree = match self.tree.take() {
            Some(tree) => tree,
            None => TreeReader::open(Arc::clone(&self.disk), self.layout.clone())?,
        };
        // Looks where the log ends now.
        tree.size()?;
        Ok(self.tree.insert(tree))
    }

    /// The leaf of a line; `None` where the log has it no more.
    pub(super) fn leaf(&mut self, seq: Seq) -> Option<Digest> {
        let index = seq.checked_sub(1)?;
        self.tree().ok()?.leaf(index).ok()
    }

    /// The root over so many lines; `None` where it can't be told any more.
    pub(super) fn root(&mut self, size: u64) -> Option<Digest> {
        proof::root(self.tree().ok()?, size).ok()
    }

    /// That one size continues the other, whichever is the larger.
    pub(super) fn growth(&mut self, one: u64, other: u64) -> Result<Growth, MineError> {
        let (old, new) = (one.min(other), one.max(other));
        if old == 0 {
            return Ok(Growth::default());
        }
        let path = proof::consistency(self.tree()?, old, new)?;
        Ok(Growth { old, new, path })
    }

    /// Everything that the log still has in a block whose first line is `first`.
    pub(super) fn base(&mut self, first: Seq) -> Result<Start, MineError> {
        let size = first.saturating_sub(1);
        if size == 0 {
            return Ok(Start::Base { size: 0, leaf: Digest::ZERO, frontier: Vec::new() });
        }
        let tree = self.tree()?;
        let leaf = tree.leaf(size - 1)?;
        let frontier = proof::frontier(tree, size)?.frontier().to_vec();
        Ok(Start::Base { size, leaf, frontier })
    }

    /// The newest checkpoint; nothing where none was signed yet.
    pub(super) fn signed(&self) -> Signed {
        ghost_log::newest_checkpoint(&self.disk, &self.layout).map(told).unwrap_or_default()
    }

    /// The checkpoint of a block that is there.
    pub(super) fn signed_of(&self, block: &Block) -> Result<Signed, MineError> {
        let layout = Layout::of_block(&self.path(block));
        Ok(told(ghost_log::newest_checkpoint(&self.disk, &layout)?))
    }

    fn path(&self, block: &Block) -> PathBuf {
        path_of(self.root_folder(), &block.name)
    }

    fn root_folder(&self) -> &Path {
        self.data.root()
    }
}

fn told(signed: SignedCheckpoint) -> Signed {
    let (size, root) = (signed.checkpoint.size, signed.checkpoint.root);
    Signed { size, root, note: signed.note.to_string() }
}
