//! What is given up, and when, so that the disk's cap holds. A pure plan: no disk, no clock.
//!
//! The oldest sealed segments go first. A block that has them still keeps their bytes on the disk:
//! so a new block is sealed, and that one deleted.

use std::collections::BTreeSet;

use ghost_event::{Seq, Timestamp};

use crate::Usage;

/// How much log and blocks may take together. It wins over everything else that wants to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    pub bytes: u64,
}

/// The cap where nobody chose another, whatever the disk's size.
const DEFAULT_CAP_BYTES: u64 = 20 << 30;

impl Cap {
    /// The smaller of a tenth of the file system and 20 GiB.
    #[must_use]
    pub fn of_disk(total_bytes: u64) -> Cap {
        Cap { bytes: DEFAULT_CAP_BYTES.min(total_bytes / 10) }
    }
}

/// Which blocks stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// The newest so many, one at least.
    pub last: u32,
    /// And the newest of each of the last so many hours that have one.
    pub hourly: u32,
    /// And of each of the last so many days.
    pub daily: u32,
}

impl Default for Keep {
    fn default() -> Keep {
        Keep { last: 1, hourly: 0, daily: 0 }
    }
}

/// A sealed segment, as the plan sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    pub last: Seq,
    /// Of the file, before compression.
    pub bytes: u64,
}

/// A block, as the plan sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    pub number: u64,
    pub time: Timestamp,
    /// The first line that is in it.
    pub first_seq: Seq,
}

/// What there is, and what is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    pub usage: Usage,
    pub cap: Cap,
    pub keep: Keep,
    /// Sealed segments, oldest first.
    pub segments: &'a [Segment],
    /// Bytes of the segment that grows, before compression.
    pub active_bytes: u64,
    /// Whether the segment that grows holds more than its own beginning.
    pub active_has_events: bool,
    /// The first line that is still in the log.
    pub first_seq: Seq,
    /// Oldest first.
    pub blocks: &'a [Kept],
    /// Numbers of blocks that others grow theirs from: kept unless the cap wants their room.
    pub pinned: &'a BTreeSet<u64>,
    /// What the clock says.
    pub now: Timestamp,
    /// Blocks were made since the last one was deleted.
    pub created: bool,
    /// Deletions that the file system has not worked off.
    pub deleting: u32,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Plan {
    /// First seal the segment that grows: there is nothing else to retire.
    pub rotate: bool,
    /// Then retire the segments that end here or before.
    pub retire_upto: Option<Seq>,
    /// And delete the block of this number.
    pub delete: Option<u64>,
    /// Ask the file system to work off deletions now: too many wait, or their room is needed.
    pub hurry: bool,
    /// A new block is wanted, so that the newest, which keeps what was retired, can go.
    pub wants_seal: bool,
}

/// A file system that works off many deletions at once holds up those who write.
const DELETING_MAX: u32 = 16;

/// Between two calls something is written: so much of the cap is kept free for it.
#[must_use]
pub fn reserve_bytes(cap: Cap) -> u64 {
    cap.bytes / 16
}

/// Decides. Blocks go only as fast as they come, or when the file system has worked off those
/// before; but where the cap itself is passed, they go at once, even the last.
#[must_use]
pub fn plan(now: &Situation<'_>) -> Plan {
    let target = now.cap.bytes.saturating_sub(reserve_bytes(now.cap));
    let total = now.usage.log_bytes.saturating_add(now.usage.pinned_bytes);
    let mut plan = Plan::default();
    let excess = now.usage.log_bytes.saturating_sub(target);
    if excess > 0 {
        plan.retire_upto = retire_upto(now, excess);
        plan.rotate = plan.retire_upto.is_none() && now.active_has_events;
    }
    // Whatever the newest block has that the log has not: it was retired now or before.
    let first_seq = plan.retire_upto.map_or(now.first_seq, |last| last.saturating_add(1));
    let newest = now.blocks.last();
    let pins = newest.is_some_and(|block| block.first_seq < first_seq);
    plan.wants_seal = pins && total > target;
    plan.hurry = now.deleting >= DELETING_MAX || (now.deleting > 0 && total > target);
    plan.delete = delete(now, total, target, plan.wants_seal);
    plan
}

/// The oldest segments that together take `excess` bytes on the disk.
fn retire_upto(now: &Situation<'_>, excess: u64) -> Option<Seq> {
    let sealed: u64 = now.segments.iter().map(|segment| segment.bytes).sum();
    let raw = sealed.saturating_add(now.active_bytes).max(1);
    let mut freed = 0u64;
    for segment in now.segments {
        let share = u128::from(segment.bytes) * u128::from(now.usage.log_bytes) / u128::from(raw);
        freed = freed.saturating_add(u64::try_from(share).unwrap_or(u64::MAX));
        if freed >= excess {
            return Some(segment.last);
        }
    }
    now.segments.last().map(|segment| segment.last)
}

fn delete(now: &Situation<'_>, total: u64, target: u64, newest_pins: bool) -> Option<u64> {
    let oldest = now.blocks.first()?;
    let over = total > now.cap.bytes;
    if !(now.created || now.deleting == 0 || over) {
        return None;
    }
    let kept = kept(now.blocks, now.keep, now.now);
    let pinned = |block: &&Kept| now.pinned.contains(&block.number);
    if now.blocks.len() > 1 && total > target && now.usage.pinned_bytes > 0 {
        return Some(oldest.number);
    }
    let needless = |block: &&Kept| !kept.contains(&block.number) && !pinned(block);
    if let Some(block) = now.blocks.iter().find(needless) {
        return Some(block.number);
    }
    // One block that keeps retired segments above the cap: nothing else gives room.
    (over && newest_pins && now.blocks.len() == 1).then_some(oldest.number)
}

const HOUR_NS: i64 = 3600 * Timestamp::NS_PER_S;

/// The numbers of the blocks that `keep` wants kept. Hours and days count by blocks, not by the clock,
/// so that no jump of it gives them up; but a block that says it is of the future is of none.
#[must_use]
pub fn kept(blocks: &[Kept], keep: Keep, now: Timestamp) -> BTreeSet<u64> {
    let mut kept: BTreeSet<u64> =
        blocks.iter().rev().take(keep.last.max(1) as usize).map(|block| block.number).collect();
    for (count, ns) in [(keep.hourly, HOUR_NS), (keep.daily, 24 * HOUR_NS)] {
        let mut seen = BTreeSet::new();
        for block in blocks.iter().rev().filter(|block| block.time <= now) {
            let slot = block.time.0.div_euclid(ns);
            if seen.contains(&slot) {
                continue;
            }
            if seen.len() >= count as usize {
                break;
            }
            seen.insert(slot);
            kept.insert(block.number);
        }
    }
    kept
}

#[cfg(test)]
mod tests;
