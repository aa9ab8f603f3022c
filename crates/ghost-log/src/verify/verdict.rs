//! What verification found, and what it did not prove.

use std::fmt;

use ghost_event::{Digest, Seq, Timestamp};

use super::damage::Damage;
use super::finding::Finding;
use crate::head::Head;
use crate::proof::key::KeyId;

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
    /// The root over all lines to the last right one; `None` where the hashes of retired lines are
    /// not there.
    pub root: Option<Digest>,
    /// There are checkpoints, and nothing to compare them with: the hashes of lines that are gone
    /// are not there.
    pub tree_gone: bool,
    /// Checkpoints and manifests that speak of these very lines.
    pub checkpoints: u64,
    /// Tiles that hold these very hashes.
    pub tiles: u64,
    /// How far the log's own signatures reach.
    pub signed: Option<Signed>,
    /// Checkpoints whose signer is not known here: the lines that named him were retired.
    pub signers_unknown: u64,
    /// Who outside saw these lines.
    pub witnessed: Vec<Witnessed>,
    /// The first damage among the lines; `None` means that each continues the one before.
    pub damage: Option<Damage>,
    /// The `event_type` that an altered line has now; empty where it has none.
    pub altered: String,
    /// What is wrong beside the lines.
    pub findings: Vec<Finding>,
    /// Findings that were counted only.
    pub findings_left_out: u64,
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
    /// To the last line, which the log's own newest checkpoint covers.
    ByCheckpoint,
    /// To the last line, which the given head names, or the given checkpoint covers.
    ByGivenHead,
}

/// Why a key may sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// Whoever asks trusts it.
    Given,
    /// It is the log's first: it vouches for itself.
    First { seq: Seq },
    /// The key before it named it.
    Successor { of: KeyId, seq: Seq },
    /// It replaced a key that did not name it, as after a loss.
    Nobody { seq: Seq },
}

/// The newest checkpoint that speaks of these lines and was signed by the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    pub key: KeyId,
    pub name: String,
    pub authority: Authority,
    /// Whether a key that whoever asks trusts leads to it.
    pub vouched: bool,
    /// The last line that it covers.
    pub seq: Seq,
    /// Of that line, or of the one before it that tells a time.
    pub time: Option<Timestamp>,
}

/// A witness's word for these lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnessed {
    pub key: KeyId,
    pub name: String,
    pub seq: Seq,
    /// When it was given, by the witness's clock.
    pub at: Timestamp,
    pub time: Option<Timestamp>,
}

/// What stays open after all that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unproven {
    /// No checkpoint covers any line.
    NoCheckpoint,
    /// The log's checkpoints could not be compared.
    TreeGone { first: Seq },
    /// Lines after the newest checkpoint.
    Tail { from: Seq, to: Seq },
    /// Signed, but by a key that only the log itself vouches for.
    Key { key: KeyId },
    /// Lines that nobody outside the machine saw.
    NotWitnessed { from: Seq, to: Seq },
    /// Lines of which only hashes are left.
    Retired { to: Seq },
    /// Checkpoints whose signers are not known.
    Signers { count: u64 },
    /// What was never written.
    NeverWritten,
}

impl Verdict {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.damage.is_none() && self.findings.is_empty()
    }

    /// All that is wrong, as it is told: the damage, then the findings.
    #[must_use]
    pub fn wrong(&self) -> Vec<String> {
        let damage = self.damage.as_ref().map(|damage| match &*self.altered {
            "" | "flow" | "packet" => damage.to_string(),
            other => format!("{damage}; it calls itself a line of type {other}"),
        });
        damage.into_iter().chain(self.findings.iter().map(Finding::to_string)).collect()
    }

    /// What was not proven, though nothing is wrong.
    #[must_use]
    pub fn unproven(&self) -> Vec<Unproven> {
        let mut all = Vec::new();
        let last = self.head.seq;
        if self.lines == 0 {
            return all;
        }
        let witnessed = self.witnessed.iter().map(|w| w.seq).max().unwrap_or(0);
        match &self.signed {
            None if self.tree_gone => all.push(Unproven::TreeGone { first: self.first_seq }),
            None if witnessed == 0 => all.push(Unproven::NoCheckpoint),
            signed => {
                let signed_to = signed.as_ref().map_or(0, |s| s.seq);
                let to = signed_to.max(witnessed);
                if to < last {
                    all.push(Unproven::Tail { from: to + 1, to: last });
                }
                if let Some(signed) = signed
                    && !signed.vouched
                {
                    all.push(Unproven::Key { key: signed.key });
                }
                if witnessed < signed_to {
                    all.push(Unproven::NotWitnessed { from: witnessed + 1, to: signed_to });
                }
            }
        }
        if self.signers_unknown > 0 {
            all.push(Unproven::Signers { count: self.signers_unknown });
        }
        if self.first_seq > 1 && !self.tree_gone {
            all.push(Unproven::Retired { to: self.first_seq - 1 });
        }
        all.push(Unproven::NeverWritten);
        all
    }
}

impl Unproven {
    /// A word that stays the same, for programs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Unproven::NoCheckpoint => "no_checkpoint",
            Unproven::TreeGone { .. } => "tree_gone",
            Unproven::Tail { .. } => "tail",
            Unproven::Key { .. } => "key",
            Unproven::NotWitnessed { .. } => "not_witnessed",
            Unproven::Retired { .. } => "retired",
            Unproven::Signers { .. } => "signers",
            Unproven::NeverWritten => "never_written",
        }
    }
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = |from: &u64, to: &u64| {
            if from == to { format!("line {from}") } else { format!("lines {from} to {to}") }
        };
        match self {
            Unproven::NoCheckpoint => f.write_str(
                "no checkpoint covers a line: who can write the log can have written another from \
                 any line on",
            ),
            Unproven::TreeGone { first } => write!(
                f,
                "what the checkpoints say: the log begins with line {first}, and no retirement left \
                 the hashes of what stood before: somebody took those segments away"
            ),
            Unproven::Tail { from, to } => write!(
                f,
                "{}: in no checkpoint yet; who can write the log can still write others in their \
                 place",
                lines(from, to)
            ),
            Unproven::Key { key } => write!(
                f,
                "whose key {key} is: only the log itself says so; compare it with `ghostbridge \
                 key show` on the machine, then give it with --key"
            ),
            Unproven::NotWitnessed { from, to } => write!(
                f,
                "{}: nobody outside is known to have seen them; who holds the key can sign others",
                lines(from, to)
            ),
            Unproven::Retired { to } => write!(
                f,
                "{}: retired; only their hashes are left, what they said can't be checked here",
                lines(&1, to)
            ),
            Unproven::Signers { count } => write!(
                f,
                "who signed {count} of the checkpoints: the lines that named the keys were \
                 retired; give the keys with --key"
            ),
            Unproven::NeverWritten => {
                f.write_str("events that were never written: no log can tell of them")
            }
        }
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Authority::Given => f.write_str("the key that was given"),
            Authority::First { seq } => {
                write!(f, "the log's first key (line {seq}), authorised by itself")
            }
            Authority::Successor { of, seq } => {
                write!(f, "authorised by key {of} before it (line {seq})")
            }
            Authority::Nobody { seq } => {
                write!(
                    f,
                    "authorised by nobody (line {seq}: the key before was lost or passed over)"
                )
            }
        }
    }
}

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Signed { key, name, authority, seq, time, .. } = self;
        write!(f, "to line {seq}")?;
        if let Some(time) = time {
            write!(f, " ({time})")?;
        }
        write!(f, ", by key {key} ({name}), {authority}")?;
        if self.vouched && *authority != Authority::Given {
            f.write_str("; a key that was given leads to it")?;
        }
        Ok(())
    }
}

impl fmt::Display for Witnessed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Witnessed { key, name, seq, at, time } = self;
        write!(f, "to line {seq}")?;
        if let Some(time) = time {
            write!(f, " ({time})")?;
        }
        write!(f, ", by {name} (key {key}), who saw it at {at}")
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(wrong) = self.wrong().first() {
            return f.write_str(wrong);
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
            Proven::ByCheckpoint => f.write_str("; the end is the one that the log signed"),
            Proven::ByGivenHead => f.write_str("; the end is the one that was given"),
        }
    }
}
