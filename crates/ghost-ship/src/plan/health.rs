//! Whether a replica is worth sending blocks to.

use super::Replica;
use crate::limits::{DISK_BYTES_SPARE, SILENCE_NS_MAX};
use crate::wire::Code;

/// What is known of a replica's condition, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// The two histories differ: a person must choose.
    Diverged(Code),
    /// It refused for another reason that passes by nobody's doing: no version in common, …
    Refused(Code),
    /// Nothing was ever heard of it.
    Never,
    /// It acknowledged nothing for five minutes.
    Silent,
    /// Its disk has no room for a block.
    Full,
    Healthy,
}

impl Replica {
    /// Its condition now.
    #[must_use]
    pub fn health(&self, now_ns: u64) -> Verdict {
        if let Some((code, _)) = self.trouble {
            let history = code.is_of_history();
            return if history { Verdict::Diverged(code) } else { Verdict::Refused(code) };
        }
        let Some(heard) = self.acknowledged_ns else { return Verdict::Never };
        if now_ns.saturating_sub(heard) > SILENCE_NS_MAX {
            return Verdict::Silent;
        }
        if !self.has_room(0) { Verdict::Full } else { Verdict::Healthy }
    }

    /// Whether a block of so many bytes leaves room; not known is taken for yes.
    #[must_use]
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        let needed = bytes.saturating_add(bytes / 4).saturating_add(DISK_BYTES_SPARE);
        self.health.is_none_or(|h| h.free_bytes >= needed)
    }
}
