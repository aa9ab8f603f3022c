//! Seals blocks, in the writer's thread: checkpoint, manifest, freeze.

use std::collections::BTreeMap;
use std::sync::Arc;

use ghost_event::{Digest, Seq, Timestamp};
use ghost_log::{Layout, Log};
use ghost_world::Disk;

use crate::{BlockError, BlockName, Cap, Keep, Lost, Reason, Usage, Volume, VolumeKind};

/// What whoever seals knows and the log does not tell.
#[derive(Debug, Clone, Copy)]
pub struct SealFacts<'a> {
    pub t2_ready_size: u64,
    /// Lines since the block before, by `event_type`.
    pub events: &'a BTreeMap<String, u64>,
    pub lost: Lost,
    pub reason: Reason,
    pub waited_ms: u64,
    pub time: Timestamp,
}

/// A block that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    pub name: BlockName,
    /// Lines of the log, which is the size of its tree.
    pub size: u64,
    pub root: Digest,
    pub first_seq: Seq,
    pub time: Timestamp,
}

/// What was found when the sealer was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SealRecovery {
    /// Unfinished entries that were deleted.
    pub removed: Vec<String>,
    /// Blocks that were whole once and can be written now: somebody changed that. They are kept
    /// for whoever looks into it, and are no blocks any more.
    pub writable: Vec<String>,
    /// The newest checkpoint's block, where it is not there: its seal was cut off, or it was
    /// deleted.
    pub missing: Option<u64>,
    /// Blocks that `checkpoints.jsonl` does not name: the log is an older one.
    pub unnamed: Vec<String>,
    /// Bytes of a torn last line that were cut off `checkpoints.jsonl`.
    pub torn_bytes: u64,
}

/// What was given up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tended {
    /// Sealed segments that were retired, and their bytes.
    pub retired_segments: u64,
    pub retired_bytes: u64,
    pub deleted: Option<String>,
    /// Segments were retired that the newest block keeps: it wants a seal, after which the next
    /// call deletes that block.
    pub wants_seal: Option<Reason>,
    pub usage: Usage,
    /// Bytes above the cap that could not be given up.
    pub over_bytes: u64,
}

/// Seals and tends the blocks of one log.
#[derive(Debug)]
pub struct Sealer {
    volume: Box<dyn Volume>,
    blocks: Vec<Block>,
}

impl Sealer {
    /// Finds the blocks, and removes what a seal that was cut off left behind. The log's lock is
    /// held by the caller.
    pub fn open(
        disk: Arc<dyn Disk>,
        volume: Box<dyn Volume>,
        layout: Layout,
    ) -> Result<(Sealer, SealRecovery), BlockError> {
        let _ = (disk, layout);
        Ok((Sealer { volume, blocks: Vec::new() }, SealRecovery::default()))
    }

    /// Seals what the log holds. Nothing where it holds nothing new since the last block; lines by
    /// which the log tells of itself are nothing new.
    pub fn seal(
        &mut self,
        log: &mut Log,
        facts: &SealFacts<'_>,
    ) -> Result<Option<Block>, BlockError> {
        log.sync()?;
        let _ = facts;
        Err(BlockError::Refused("sealing is not built yet".to_owned()))
    }

    /// Gives up what the cap and `keep` want given up: at most one block a call.
    pub fn tend(
        &mut self,
        log: &mut Log,
        cap: &Cap,
        keep: &Keep,
        now: Timestamp,
    ) -> Result<Tended, BlockError> {
        let _ = (log, cap, keep, now);
        Err(BlockError::Refused("retention is not built yet".to_owned()))
    }

    /// The blocks that are there, oldest first.
    #[must_use]
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    #[must_use]
    pub fn kind(&self) -> VolumeKind {
        self.volume.kind()
    }
}
