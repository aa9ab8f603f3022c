//! What can go wrong with a log; each variant tells what to do next.

use std::io;
use std::path::{Path, PathBuf};

use ghost_event::{Digest, Seq, ShapeId};

use crate::verify::Damage;

/// Why the log did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    #[error("another writer has this log ({holder}); stop it first. Its lock is {}", path.display())]
    Locked { path: PathBuf, holder: String },
    #[error("cannot {what} {}: {source}", path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    #[error("no room on the disk for {}: make room, then go on; nothing that was taken in is lost", path.display())]
    NoSpace { path: PathBuf },
    #[error(
        "the log takes nothing more since a write failed ({cause}): look after the disk, then start again"
    )]
    Refused { cause: String },
    #[error("{0}. Nothing was changed; fetch the segment from a replica or a backup")]
    Damaged(Damage),
    #[error(
        "the log ends at line {found}, but line {acknowledged} (leaf {leaf}) had been made durable: \
         lines were cut off or the disk lied. Fetch them from a replica or a backup, or start with \
         accept-loss"
    )]
    Shorter { acknowledged: Seq, leaf: Digest, found: Seq },
    #[error(
        "the log ends at line {found}, but its checkpoint was signed for line {signed}, which was \
         durable: lines were cut off or the disk lied. Fetch them from a replica or a backup, or \
         start with accept-loss"
    )]
    BehindCheckpoint { signed: u64, found: Seq },
    #[error(
        "the first {size} lines are not those for which {} was signed. Nothing was changed: compare \
         with a replica or a backup, or start with accept-loss",
        path.display()
    )]
    NotOfCheckpoint { size: u64, path: PathBuf },
    #[error("nothing is signed: the log has no key ({cause})")]
    NoKey { cause: String },
    #[error("a key is made of 32 random bytes; these are all zero, or those of the key in use")]
    NoSeed,
    #[error("the key cannot be used: {cause}")]
    Key { cause: String },
    #[error(
        "nothing is signed: the log's beginning is gone, and no tiles stand for it. It is chained, \
         and a new log can be signed"
    )]
    NoTree,
    #[error("an element's id has 1 to 256 bytes, its kind 1 to 32")]
    ElementName,
    #[error("the log has as many elements as one may have (65,536); this one was turned away")]
    TooManyElements,
    #[error("an event of {bytes} bytes is longer than a line may be")]
    TooLong { bytes: usize },
    #[error("an event must be one JSON object on one line, left open at its end")]
    NotABody,
    #[error("shape {:016x} was named before it was told", id.0)]
    UnknownShape { id: ShapeId },
    #[error("no line stands at byte {offset} of segment {segment}")]
    NoSuchLine { segment: Seq, offset: u64 },
    #[error("line {seq} is not in this log yet, which ends at line {last}")]
    Beyond { seq: Seq, last: Seq },
    #[error("line {seq} is not in this log, which begins at line {first}")]
    Gone { seq: Seq, first: Seq },
}

impl LogError {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LogError {
        let path = path.to_owned();
        move |source| {
            if no_space(&source) {
                LogError::NoSpace { path }
            } else {
                LogError::Io { what, path, source }
            }
        }
    }
}

/// Whether an error goes away when somebody makes room.
pub(crate) fn no_space(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
