//! Gives up what the cap and the operator's wishes want given up.

use ghost_event::{Seq, Timestamp};
use ghost_log::Log;

use super::{Sealer, first_seq, retain};
use crate::retain::{Kept, Segment, Situation};
use crate::{BlockError, Cap, Keep, Reason, Usage};

/// What was given up, and what is left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tended {
    /// Sealed segments that were retired, and their bytes before compression.
    pub retired_segments: u64,
    pub retired_bytes: u64,
    /// The block that was deleted.
    pub deleted: Option<String>,
    /// Segments were retired that the newest block keeps: it wants a seal, after which the next
    /// call deletes that block.
    pub wants_seal: Option<Reason>,
    /// As it was before.
    pub usage: Usage,
    /// Bytes above the cap: nothing more could be given up at once.
    pub over_bytes: u64,
    /// Bytes that may be appended before this should be called again.
    pub room_bytes: u64,
}

impl Sealer {
    /// Gives up what the cap and `keep` want given up: at most one block a call, and not faster than
    /// blocks come or the file system works deletions off, unless the cap itself is passed. To be
    /// called after each seal, and when [`Tended::room_bytes`] were appended.
    pub fn tend(
        &mut self,
        log: &mut Log,
        cap: &Cap,
        keep: &Keep,
        now: Timestamp,
    ) -> Result<Tended, BlockError> {
        let usage = self.volume.usage()?;
        let deleting = self.volume.deleting()?;
        let segments = segments(log);
        let blocks: Vec<Kept> = self.blocks.iter().map(kept).collect();
        let situation = Situation {
            usage,
            cap: *cap,
            keep: *keep,
            segments: &segments,
            active_bytes: self.active_bytes(),
            active_has_events: log.head().seq > log.segment(),
            first_seq: first_seq(log),
            blocks: &blocks,
            pinned: &self.pinned,
            now,
            created: self.created,
            deleting,
        };
        let plan = retain::plan(&situation);
        let total = usage.log_bytes.saturating_add(usage.pinned_bytes);
        let mut tended = Tended {
            usage,
            over_bytes: total.saturating_sub(cap.bytes),
            room_bytes: cap.bytes.saturating_sub(total),
            ..Tended::default()
        };
        // Deleted first: on a full disk nothing can be retired before there is room for its note.
        if let Some(number) = plan.delete
            && let Some(at) = self.blocks.iter().position(|block| block.name.number == number)
        {
            let name = self.blocks[at].name.to_string();
            self.volume.delete(&name)?;
            self.blocks.remove(at);
            self.created = false;
            tended.deleted = Some(name);
        } else if tended.over_bytes > 0
            && let Some(name) = self.odd.first().cloned()
        {
            // The cap wins over what was kept for a closer look.
            self.volume.delete(&name)?;
            self.odd.remove(0);
            tended.deleted = Some(name);
        }
        if plan.hurry {
            self.volume.hurry()?;
        }
        let retire_upto = match (plan.retire_upto, plan.rotate) {
            (None, true) => {
                let last: Seq = log.head().seq;
                log.rotate()?;
                Some(last)
            }
            (upto, _) => upto,
        };
        if let Some(upto) = retire_upto {
            let retired = log.retire(upto)?;
            tended.retired_segments = retired.segments;
            tended.retired_bytes = retired.bytes;
            self.retired |= retired.segments > 0;
        }
        let pinned = self.retired && !self.blocks.is_empty();
        tended.wants_seal = (plan.wants_seal || pinned).then_some(Reason::Retired);
        if tended.wants_seal.is_some() {
            self.retired = true;
        }
        Ok(tended)
    }
}

fn segments(log: &Log) -> Vec<Segment> {
    let told = log.segments();
    told.iter().map(|segment| Segment { last: segment.last, bytes: segment.bytes }).collect()
}

fn kept(block: &super::Block) -> Kept {
    Kept { number: block.name.number, time: block.time, first_seq: block.first_seq }
}
