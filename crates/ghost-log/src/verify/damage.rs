//! Damage: which line is wrong, where it lies, and how.
//!
//! One kind for each thing that can have happened, told as an operator can act on it. Not promised:
//! that what is told is what somebody did; it is what the lines show.

use std::fmt;

use ghost_event::Seq;

use super::finding::Claimant;

/// Where and how a log is damaged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Damage {
    pub kind: DamageKind,
    /// The line that is wrong, or should stand here.
    pub seq: Seq,
    /// Its segment's first line.
    pub segment: Seq,
    /// Counted in the segment from 1; 0 where it was not counted.
    pub line: u64,
    /// Where in the segment the wrong line begins.
    pub byte: u64,
}

/// Kinds of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum DamageKind {
    /// The line is not the one that was hashed.
    #[default]
    Altered,
    /// Lines are missing.
    Dropped { from: Seq, to: Seq },
    /// Two lines have changed places.
    Swapped { first: Seq, second: Seq },
    /// A line continues line `parent`, which another line continues already.
    Forked { parent: Seq },
    /// An epoch continues a line that is not in this log.
    ForeignParent { parent: Seq },
    /// A line of another log.
    ForeignLog,
    /// The same line stands twice.
    Repeated,
    /// The line is no line of a log.
    Malformed,
    /// The active segment ends in something that is no whole line; where lines up to `durable` had
    /// been made durable, more than the unfinished was lost.
    TornTail { bytes: u64, durable: Option<Seq> },
    /// The file's name says another first line.
    Misnamed,
    /// The log ends before a line that had been made durable.
    CutOff { expected: Seq },
    /// The log ends before a line of which a checkpoint speaks.
    CutBefore { size: u64, by: Claimant },
}

impl DamageKind {
    /// A word that stays the same, for programs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            DamageKind::Altered => "altered",
            DamageKind::Dropped { .. } => "dropped",
            DamageKind::Swapped { .. } => "swapped",
            DamageKind::Forked { .. } | DamageKind::ForeignParent { .. } => "forked",
            DamageKind::ForeignLog => "foreign",
            DamageKind::Repeated => "repeated",
            DamageKind::Malformed => "malformed",
            DamageKind::TornTail { .. } => "torn_tail",
            DamageKind::Misnamed => "misnamed",
            DamageKind::CutOff { .. } | DamageKind::CutBefore { .. } => "cut_off",
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Damage { kind, seq, segment, line, byte } = self;
        match kind {
            DamageKind::Altered => {
                write!(f, "altered: line {seq} is not the line that was written")
            }
            DamageKind::Dropped { from, to } if from == to => {
                write!(f, "dropped: line {from} is missing")
            }
            DamageKind::Dropped { from, to } => {
                write!(f, "dropped: lines {from} to {to} are missing")
            }
            DamageKind::Swapped { first, second } => {
                write!(f, "swapped: line {second} stands in the place of line {first}")
            }
            DamageKind::Forked { parent } => {
                write!(
                    f,
                    "forked: line {seq} continues line {parent}, as another line does already"
                )
            }
            DamageKind::ForeignParent { parent } => write!(
                f,
                "forked: line {seq} says that it continues a line {parent} that is not in this log"
            ),
            DamageKind::ForeignLog => write!(f, "foreign: line {seq} belongs to another log"),
            DamageKind::Repeated => write!(f, "repeated: line {seq} stands here once more"),
            DamageKind::Malformed => {
                write!(f, "malformed: what stands where line {seq} should is no line of a log")
            }
            DamageKind::TornTail { bytes, durable: None } => write!(
                f,
                "torn tail: {bytes} bytes after line {} were never finished; the next start cuts them",
                seq.saturating_sub(1)
            ),
            DamageKind::TornTail { bytes, durable: Some(durable) } => write!(
                f,
                "torn tail: {bytes} bytes after line {} are no whole line, but line {durable} had \
                 been made durable",
                seq.saturating_sub(1)
            ),
            DamageKind::Misnamed => {
                write!(f, "misnamed: the segment begins with line {seq}, and its name says another")
            }
            DamageKind::CutOff { expected } => write!(
                f,
                "cut off: the log ends before line {seq}, but line {expected} had been made durable"
            ),
            DamageKind::CutBefore { size, by: Claimant::Given } => write!(
                f,
                "cut off: the log ends before line {seq}, but the given checkpoint speaks of {size} \
                 lines (a block ends where it was sealed: give its own checkpoint or an older one)"
            ),
            DamageKind::CutBefore { size, by } => write!(
                f,
                "cut off: the log ends before line {seq}, but {by} speaks of {size} lines"
            ),
        }?;
        write!(f, " (segment {segment}, ")?;
        if *line > 0 {
            write!(f, "its line {line}, ")?;
        }
        write!(f, "byte {byte})")
    }
}
