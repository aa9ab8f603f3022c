//! What verification found, and what it did not prove.

use std::fmt;

use ghost_event::Seq;

use super::damage::Damage;
use crate::head::Head;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// The oldest line that is left; above 1, older segments are gone. 0 in an empty log.
    pub first_seq: Seq,
    /// The last right line.
    pub head: Head,
    pub lines: u64,
    pub bytes: u64,
    pub segments: u64,
    /// Empty where no line tells it.
    pub log_id: String,
    /// The newest epoch.
    pub epoch: u64,
    pub proven: Proven,
    /// The first damage; `None` means that all is well.
    pub damage: Option<Damage>,
}

/// How far the proof goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Proven {
    #[default]
    Nothing,
    /// By the chain, to the last line but one; the last one is whole JSON, no more is known of it.
    ButLast,
    /// To the last line, which the writer's own `state/head` names.
    ByState,
    /// To the last line, which the given head names.
    ByGivenHead,
}

impl Verdict {
    #[must_use]
    pub fn ok(&self) -> bool {
        self.damage.is_none()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(damage) = &self.damage {
            return write!(f, "{damage}");
        }
        if self.lines == 0 {
            return f.write_str("an empty log");
        }
        write!(
            f,
            "{} lines, {} to {}, in {} segment{}: each continues the one before",
            self.lines,
            self.first_seq,
            self.head.seq,
            self.segments,
            if self.segments == 1 { "" } else { "s" }
        )?;
        if self.first_seq > 1 {
            write!(f, "; begins at line {}, older segments are not here", self.first_seq)?;
        }
        match self.proven {
            Proven::Nothing => Ok(()),
            Proven::ButLast => write!(
                f,
                "; proven to line {}, of the last line only that it is whole (no head to compare)",
                self.head.seq.saturating_sub(1)
            ),
            Proven::ByState => f.write_str("; the end is the one that the writer kept"),
            Proven::ByGivenHead => f.write_str("; the end is the one that was given"),
        }
    }
}
