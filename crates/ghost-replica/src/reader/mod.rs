//! Block and tail, read as the one log that they are.
//!
//! A [`Reader`] gives out a [`LogReader`] on a disk of its own, on which the newest block and the
//! tail behind it look like the primary's log: the same segments, the same places of the same lines.
//! It may be read on while lines come and blocks take the tail's place, since no byte of a place ever
//! changes.
//!
//! **Invariant:** nothing is written through it.

mod overlay;
mod view;

pub(crate) use view::{first_line, is_segment, segment_name, segment_of};

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ghost_event::Seq;
use ghost_log::{Layout, Lines, LogReader};
use ghost_world::Disk;

use crate::{ReplicaDir, ReplicaError};
use overlay::Overlay;

/// Reads one log that is held here.
#[derive(Debug)]
pub struct Reader {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    log: LogReader,
}

impl Reader {
    /// A reader of the log in a replica's folder. What lies there may be nothing yet.
    #[must_use]
    pub fn open(disk: Arc<dyn Disk>, dir: &ReplicaDir) -> Reader {
        Reader::at(disk, dir.path())
    }

    pub(crate) fn at(disk: Arc<dyn Disk>, path: &Path) -> Reader {
        // No such folder is there: the name only stands for the log.
        let root = path.join("log");
        let disk: Arc<dyn Disk> = Arc::new(Overlay::new(disk, path, &root));
        let log = LogReader::at(Arc::clone(&disk), Layout::of_block(&root));
        Reader { disk, root, log }
    }

    /// Everything that can be read of a log.
    #[must_use]
    pub fn log(&self) -> &LogReader {
        &self.log
    }

    /// The disk on which block and tail are one log, and where it lies there: for whatever takes
    /// both, as `TreeReader::open`, `verify_at` or another `LogReader::at`.
    #[must_use]
    pub fn disk(&self) -> Arc<dyn Disk> {
        Arc::clone(&self.disk)
    }

    #[must_use]
    pub fn layout(&self) -> Layout {
        Layout::of_block(&self.root)
    }

    /// Lines from number `from` on, or from the oldest that is left.
    #[must_use]
    pub fn lines(&self, from: Seq) -> Lines {
        self.log.lines(from)
    }

    /// One line, with its newline; none where it is not here.
    ///
    /// # Errors
    /// What lies there can't be read.
    pub fn line(&self, seq: Seq) -> Result<Option<Vec<u8>>, ReplicaError> {
        let mut lines = self.log.lines(seq);
        Ok(lines.next()?.filter(|line| line.seq == seq).map(|line| line.bytes.to_vec()))
    }

    /// The newest line; 0 where there is none.
    ///
    /// # Errors
    /// What lies there can't be read.
    pub fn head(&self) -> Result<Seq, ReplicaError> {
        Ok(self.log.last_seq()?.unwrap_or(0))
    }

    /// The oldest line that is left; 0 where there is none.
    ///
    /// # Errors
    /// What lies there can't be read.
    pub fn first(&self) -> Result<Seq, ReplicaError> {
        Ok(self.log.first_seq()?.unwrap_or(0))
    }
}
