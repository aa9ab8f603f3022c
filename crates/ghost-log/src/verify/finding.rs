//! What is wrong beside the lines themselves: checkpoints, keys, tiles.
//!
//! A log whose every line continues the one before may still be another log than the one that was
//! signed. One finding for each way in which that shows.

use std::fmt;

use ghost_event::Seq;

use crate::proof::tile::TileAt;

/// Findings beyond these are counted only.
pub(super) const FINDINGS_MAX: usize = 64;

/// Who says which lines a log had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claimant {
    /// The checkpoint that verification was given.
    Given,
    /// `log/checkpoint`.
    Newest,
    /// A line of `log/checkpoints.jsonl`, from 1.
    Seal(u64),
    /// `log/manifest.json`.
    Manifest,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// The first `size` lines are others than those that were signed; to `after` they are the same.
    Rewritten { by: Claimant, after: u64, size: u64 },
    /// The claim is about another log.
    OtherLog { by: Claimant, origin: String },
    /// A signature in a key's name that this key did not make.
    WrongSignature { by: Claimant, key: String },
    /// Signed by a key that neither the log nor whoever asks knows.
    UnknownKey { by: Claimant, key: String },
    /// The log's checkpoints are signed by `key`, which no trusted key authorised.
    KeySwapped { key: String, trusted: String },
    /// Keys are trusted, and no checkpoint is there that they or their successors signed.
    NotSigned { trusted: String },
    /// A line names a key that its alleged predecessor did not name, or that is none.
    KeyForged { seq: Seq, key: String, by: String },
    /// None of the witnesses that were asked for has cosigned the given checkpoint.
    NotWitnessed { witnesses: String },
    /// The given checkpoint is signed by nobody who is known.
    Untrusted { signers: String },
    /// The claim speaks of lines that were retired, and what is left of them does not suffice.
    NotComparable { by: Claimant, size: u64, first: Seq },
    /// `log/checkpoint` is older than a checkpoint that somebody outside has.
    Replayed { size: u64, seen: u64 },
    /// A claim that cannot be read.
    Unreadable { by: Claimant, why: String },
    /// A line of `log/checkpoints.jsonl` speaks of fewer lines than the one before.
    Unordered { by: Claimant, size: u64, before: u64 },
    /// A tile holds other hashes than the lines have.
    TileAltered { at: TileAt },
    /// A tile that was written before a checkpoint was signed is not there.
    TileMissing { at: TileAt },
    /// The hashes of retired lines are not there, so no root can be compared.
    TreeGone { first: Seq, why: String },
}

impl Finding {
    /// A word that stays the same, for programs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Finding::Rewritten { .. } => "rewritten",
            Finding::OtherLog { .. } => "other_log",
            Finding::WrongSignature { .. } => "wrong_signature",
            Finding::UnknownKey { .. } => "unknown_key",
            Finding::KeySwapped { .. } => "key_swapped",
            Finding::NotSigned { .. } => "not_signed",
            Finding::KeyForged { .. } => "key_forged",
            Finding::NotWitnessed { .. } => "not_witnessed",
            Finding::Untrusted { .. } => "untrusted",
            Finding::NotComparable { .. } => "not_comparable",
            Finding::Replayed { .. } => "replayed",
            Finding::Unreadable { .. } => "unreadable",
            Finding::Unordered { .. } => "unordered",
            Finding::TileAltered { .. } => "tile_altered",
            Finding::TileMissing { .. } => "tile_missing",
            Finding::TreeGone { .. } => "tree_gone",
        }
    }
}

impl fmt::Display for Claimant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Claimant::Given => f.write_str("the given checkpoint"),
            Claimant::Newest => f.write_str("log/checkpoint"),
            Claimant::Seal(line) => write!(f, "line {line} of log/checkpoints.jsonl"),
            Claimant::Manifest => f.write_str("log/manifest.json"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Rewritten { by, after, size } => write!(
                f,
                "rewritten: lines {} to {size} are not those of which {by} speaks, though each \
                 continues the one before",
                after + 1
            ),
            Finding::OtherLog { by, origin } => {
                write!(f, "other log: {by} is about {origin}, which is not this log")
            }
            Finding::WrongSignature { by, key } => write!(
                f,
                "wrong signature: {by} has a signature in the name of {key} that this key did not \
                 make"
            ),
            Finding::UnknownKey { by, key } => write!(
                f,
                "unknown key: {by} is signed by {key}, which no line of the log names; if you know \
                 that key, give it with --key"
            ),
            Finding::KeySwapped { key, trusted } => write!(
                f,
                "key swapped: the log's checkpoints are signed by {key}, which {trusted} did not \
                 authorise"
            ),
            Finding::NotSigned { trusted } => write!(
                f,
                "not signed: no checkpoint that speaks of these lines is signed at all, but you \
                 trust {trusted}"
            ),
            Finding::KeyForged { seq, key, by } => write!(
                f,
                "key forged: line {seq} says that {key} follows {by}, which did not sign that"
            ),
            Finding::NotWitnessed { witnesses } => write!(
                f,
                "not witnessed: the given checkpoint bears no right cosignature of {witnesses}"
            ),
            Finding::Untrusted { signers } => write!(
                f,
                "untrusted: the given checkpoint is signed by {signers}, of whom nobody here \
                 knows; name who you trust with --key or --witness"
            ),
            Finding::NotComparable { by, size, first } => write!(
                f,
                "not comparable: {by} speaks of the first {size} lines, and the log begins with \
                 line {first}; take a newer one"
            ),
            Finding::Replayed { size, seen } => write!(
                f,
                "replayed: log/checkpoint speaks of {size} lines, but {seen} had been signed when \
                 the given checkpoint was made: an old one was put back"
            ),
            Finding::Unreadable { by, why } => write!(f, "unreadable: {by}: {why}"),
            Finding::Unordered { by, size, before } => write!(
                f,
                "unordered: {by} speaks of {size} lines after one that speaks of {before}"
            ),
            Finding::TileAltered { at } => {
                write!(f, "tile altered: log/{at} holds other hashes than the lines have")
            }
            Finding::TileMissing { at } => write!(f, "tile missing: log/{at} is not there"),
            Finding::TreeGone { first, why } => write!(
                f,
                "tree gone: the log begins with line {first}, and the hashes of what stood before \
                 are not there ({why}), so no checkpoint can be compared"
            ),
        }
    }
}
