//! What a later block has that an earlier one had not.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ghost_event::{Seq, Timestamp};
use ghost_log::{Layout, LogReader, TreeReader, proof};
use ghost_world::Disk;

use crate::list::manifest_of;
use crate::{BlockError, Manifest, own};

/// The difference of two blocks of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    pub older: Manifest,
    pub newer: Manifest,
    /// Lines that the newer has beyond the older, and their bytes.
    pub lines: u64,
    pub bytes: u64,
    /// Those lines by `event_type`, counted from the lines themselves.
    pub events: BTreeMap<String, u64>,
    /// Lines of the older that the newer has not any more: its log begins later.
    pub retired_lines: u64,
    /// `timestamp` of the first and last of those lines that have one.
    pub times: Option<(Timestamp, Timestamp)>,
    /// The newer does not continue the older: by its root the lines before are others. Where both
    /// still have the first line that differs, its number.
    pub forked: Option<Fork>,
}

/// Where two blocks of one log part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fork {
    /// Nothing where both have the same lines still: what was altered is gone from one of them.
    pub line: Option<Seq>,
}

/// Compares two blocks' folders, in either order.
pub fn diff(disk: &Arc<dyn Disk>, a: &Path, b: &Path) -> Result<Diff, BlockError> {
    let (mut older_at, mut newer_at) = (a, b);
    let (mut older, mut newer) = (manifest_of(disk, a)?, manifest_of(disk, b)?);
    if older.log != newer.log {
        return Err(BlockError::Refused(format!(
            "these are blocks of two logs ({} and {}): there is nothing to compare",
            older.log, newer.log
        )));
    }
    if (older.sealed_size, older.block) > (newer.sealed_size, newer.block) {
        std::mem::swap(&mut older, &mut newer);
        std::mem::swap(&mut older_at, &mut newer_at);
    }
    let reader = |at: &Path| LogReader::at(Arc::clone(disk), Layout::of_block(at));
    let mut diff = Diff {
        lines: 0,
        bytes: 0,
        events: BTreeMap::new(),
        retired_lines: newer.first_seq.saturating_sub(older.first_seq),
        times: None,
        forked: None,
        older,
        newer,
    };
    let mut lines = reader(newer_at).lines(diff.older.sealed_size.saturating_add(1));
    while let Some(line) = lines.next()? {
        diff.lines += 1;
        diff.bytes += line.bytes.len() as u64;
        own::add(&mut diff.events, own::kind(line.bytes));
        if let Some(at) = time_of(line.bytes) {
            diff.times = Some(diff.times.map_or((at, at), |(a, b)| (a.min(at), b.max(at))));
        }
    }
    if !continues(disk, &diff, newer_at)? {
        let line = first_difference(&reader(older_at), &reader(newer_at))?;
        diff.forked = Some(Fork { line });
    }
    Ok(diff)
}

/// Whether the newer's tree had the older's root when it was as large.
fn continues(disk: &Arc<dyn Disk>, diff: &Diff, newer: &Path) -> Result<bool, BlockError> {
    if diff.older.sealed_size == diff.newer.sealed_size {
        return Ok(diff.older.root == diff.newer.root);
    }
    let mut tree = TreeReader::open(Arc::clone(disk), Layout::of_block(newer))?;
    Ok(proof::root(&mut tree, diff.older.sealed_size)? == diff.older.root)
}

fn first_difference(a: &LogReader, b: &LogReader) -> Result<Option<Seq>, BlockError> {
    let from = a.first_seq()?.max(b.first_seq()?).unwrap_or(0);
    let (mut a, mut b) = (a.lines(from), b.lines(from));
    loop {
        match (a.next()?, b.next()?) {
            (Some(a), Some(b)) if a.seq == b.seq && a.bytes == b.bytes => {}
            (Some(a), Some(b)) => return Ok(Some(a.seq.min(b.seq))),
            (Some(_), None) | (None, Some(_)) | (None, None) => return Ok(None),
        }
    }
}

/// A line's `timestamp`: the first key of every line that has one.
fn time_of(line: &[u8]) -> Option<Timestamp> {
    let rest = line.strip_prefix(b"{\"timestamp\":\"")?;
    let text = rest.split(|c| *c == b'"').next()?;
    Timestamp::parse(std::str::from_utf8(text).ok()?)
}
