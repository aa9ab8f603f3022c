//! What is kept of refusals that say that two histories differ: both sides' checkpoints.
//!
//! Bounded: what was kept once is not kept again, and of too many the newest go first, since it is
//! the beginning of a quarrel that tells how it came about.

use ghost_log::proof::leaf;
use ghost_ship::wire::Refusal;
use ghost_world::Disk;

use crate::kept::put;
use crate::{ReplicaDir, ReplicaError};

/// Files of evidence of one log: each has at most two notes of 256 KiB.
const FILES_MAX: usize = 32;

/// Keeps a refusal of history. Whether it is news: nothing like it had been kept.
pub(crate) fn keep(
    disk: &dyn Disk,
    dir: &ReplicaDir,
    refusal: &Refusal,
    now_s: i64,
) -> Result<bool, ReplicaError> {
    if !refusal.code.is_of_history() {
        return Ok(false);
    }
    let what = format!("{}\n{}\n{}", refusal.code.name(), refusal.ours, refusal.theirs);
    let digest = leaf(what.as_bytes()).to_string();
    let name = format!("{}-{}.txt", refusal.code.name(), digest.get(..16).unwrap_or_default());
    let folder = dir.evidence();
    disk.create_dirs(&folder).map_err(ReplicaError::io("make the folder", &folder))?;
    let there = disk.list(&folder).map_err(ReplicaError::io("list", &folder))?;
    if there.contains(&name) {
        return Ok(false);
    }
    if there.len() >= FILES_MAX {
        return Ok(true);
    }
    let words: String = refusal.words.escape_debug().collect();
    let text = format!(
        "refused: {} ({words})\nat: {now_s} seconds since 1970\n\n\
         what this replica has signed:\n{}\n\nwhat it was shown:\n{}\n",
        refusal.code.name(),
        shown(&refusal.ours),
        shown(&refusal.theirs)
    );
    put(disk, &folder.join(name), text.as_bytes(), false)?;
    Ok(true)
}

/// A note is text of lines; whatever else is in it is escaped.
fn shown(note: &str) -> String {
    if note.is_empty() {
        return "(no checkpoint)".to_owned();
    }
    let plain = |c: char| if c == '\n' || !c.is_control() { c } else { '\u{fffd}' };
    note.chars().map(plain).collect()
}
