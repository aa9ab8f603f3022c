//! Whether a log is still what was written: every line, in order, unaltered.
//!
//! One pass hashes each line and compares it with what the next line says of it. Where that breaks,
//! the rest of the log is asked what happened, so that each damage has a name, a line and a byte.
//!
//! While the lines pass, the tree over them grows: each checkpoint that speaks of so many lines is
//! held against its root, each tile against its row, each signature against the keys that the log
//! names. So a log that was rewritten whole, chain and all, is told by any checkpoint that somebody
//! kept elsewhere.
//!
//! What a chain cannot prove is said: the last line is named by none, and a log cut between two
//! lines is a shorter, valid chain. The writer's own `state/head`, or a head from outside, closes
//! that; against somebody who rewrote log and state together only one from outside helps.

mod claims;
mod damage;
mod finding;
mod keys;
mod pass;
mod roots;
mod verdict;

use std::path::Path;
use std::sync::Arc;

use ghost_world::{Disk, RealDisk};

pub use damage::{Damage, DamageKind};
pub use finding::{Claimant, Finding};
pub use verdict::{Authority, Proven, Signed as SignedTo, Unproven, Verdict, Witnessed};

use crate::error::LogError;
use crate::head::Head;
use crate::layout::Layout;
use crate::proof::checkpoint::SignedCheckpoint;
use crate::proof::key::VerifyingKey;
use crate::recover::sealed;
use pass::Pass;

/// Segments are sealed and retired every few minutes: this often in a row is no coincidence.
const ATTEMPTS_MAX: u32 = 16;

/// What verification goes by beside the log itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerifyOptions {
    /// What is known from outside.
    pub against: Option<Against>,
    /// Keys that are trusted for this log's checkpoints, by whoever asks.
    pub keys: Vec<VerifyingKey>,
    /// Witnesses whose word counts.
    pub witnesses: Vec<VerifyingKey>,
    /// Passes over `state/head`, as for a copy of another machine's log.
    pub without_state: bool,
}

/// What somebody kept of the log elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Against {
    /// A line and its leaf (`SEQ:LEAF`).
    Head(Head),
    /// A checkpoint with its signatures.
    Checkpoint(Box<SignedCheckpoint>),
}

impl From<Head> for Against {
    fn from(head: Head) -> Against {
        Against::Head(head)
    }
}

impl From<SignedCheckpoint> for Against {
    fn from(checkpoint: SignedCheckpoint) -> Against {
        Against::Checkpoint(Box::new(checkpoint))
    }
}

/// Verifies the log under the data folder.
pub fn verify(data: &Path, options: &VerifyOptions) -> Result<Verdict, LogError> {
    verify_on(&(Arc::new(RealDisk) as Arc<dyn Disk>), data, options)
}

/// The same on any disk.
pub fn verify_on(
    disk: &Arc<dyn Disk>,
    data: &Path,
    options: &VerifyOptions,
) -> Result<Verdict, LogError> {
    verify_at(disk, &Layout::new(data), options)
}

/// The same of a log that lies anywhere, as in a block.
pub fn verify_at(
    disk: &Arc<dyn Disk>,
    layout: &Layout,
    options: &VerifyOptions,
) -> Result<Verdict, LogError> {
    let mut attempts = 1;
    loop {
        let before = sealed(&**disk, layout)?;
        let done = Pass::run(disk, layout, options);
        // What a writer seals and retires meanwhile is no damage: then it is looked at once more.
        let well = done.as_ref().is_ok_and(Verdict::ok);
        if well || attempts == ATTEMPTS_MAX || sealed(&**disk, layout)? == before {
            return done;
        }
        std::thread::yield_now();
        attempts += 1;
    }
}
