//! One log of another host that is held here: its lines, its index, and what is not committed yet.
//!
//! Block and tail are read as the one log that they are, in which every line has the primary's
//! place: so an index of them holds what the primary's index holds, digest for digest. What is not
//! committed is indexed by the question that needs it, in memory, and kept for the next.
//!
//! **Invariant:** no model is asked: shapes and their vectors stand in the lines.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ghost_event::{Seq, Timestamp};
use ghost_index::{EmbeddedIndex, Index, IndexError, Position};
use ghost_log::{Lines, LogError, LogReader};
use ghost_replica::{Reader, ReplicaDir};

use super::log_part::{LogKind, LogPart};
use super::marked::Mark;
use crate::daemon::{Held, Searched};
use crate::limits::{
    INDEX_AGE_NS, INDEX_PAUSE_NS, INDEX_STEP_LINES, INDEX_WAITING_LINES, TAIL_LINES_MAX,
};
use crate::store::StoreError;
use crate::{blocks, follow};

/// A log of another host that is held here.
pub(crate) struct HeldLog {
    dir: ReplicaDir,
    searched: Searched,
    /// The newest line that the index has.
    indexed: AtomicU64,
}

impl std::fmt::Debug for HeldLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeldLog").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// Index and tail of a held log, for one question.
pub(crate) struct HeldNow<'a> {
    log: &'a HeldLog,
    /// What it is called among the others.
    name: &'a str,
    /// Which of them it is, for its hits.
    mark: Mark,
    held: Held<'a>,
}

/// What the thread that feeds an index remembers between two steps.
#[derive(Debug, Default)]
pub(crate) struct Feeding {
    lines: Option<Lines>,
    first: Seq,
    waiting: u64,
    oldest_ns: u64,
}

/// What one step of feeding did.
#[derive(Debug, Default)]
pub(crate) struct Fed {
    /// Lines may be left.
    pub(crate) more: bool,
    /// Lines wait to be committed.
    pub(crate) waiting: bool,
    /// What was found and mended.
    pub(crate) notes: Vec<String>,
}

impl HeldLog {
    pub(crate) fn new(dir: ReplicaDir) -> HeldLog {
        HeldLog { searched: Searched::of(reader(&dir)), dir, indexed: AtomicU64::new(0) }
    }

    pub(crate) fn dir(&self) -> &ReplicaDir {
        &self.dir
    }

    /// The newest line that the index has.
    pub(crate) fn indexed(&self) -> Seq {
        self.indexed.load(Ordering::Relaxed)
    }

    /// Index and tail for one question, up to the newest line, unless that is too far.
    pub(crate) fn hold<'a>(&'a self, name: &'a str, mark: Mark) -> Result<HeldNow<'a>, StoreError> {
        Ok(HeldNow { log: self, name, mark, held: self.searched.hold()? })
    }

    /// The line of a hit.
    pub(crate) fn line(&self, at: Position) -> Result<Vec<u8>, LogError> {
        follow::read(self.searched.reader(), at)
    }

    /// Feeds some lines to the index, opening it first where it is not open, and commits when that
    /// is due; `at_once`: as soon as there are no more.
    pub(crate) fn feed(
        &self,
        at: &mut Feeding,
        now_ns: u64,
        at_once: bool,
    ) -> Result<Fed, StoreError> {
        let reader = self.searched.reader();
        let mut fed = Fed::default();
        let mut guard = self.searched.lock();
        let index = match guard.as_mut() {
            Some(index) => index,
            None => {
                let mut index = open(&self.dir.index())?;
                let head = reader.last_seq()?.unwrap_or(0);
                fed.notes = prepare(&mut index, reader, head)?;
                *at = Feeding::default();
                guard.insert(index)
            }
        };
        if let Some(first) = reader.first_seq()?
            && first > at.first
        {
            // The primary gave lines up, and the newest block goes without them.
            index.retain(first)?;
            at.first = first;
        }
        let lines = at.lines.get_or_insert_with(|| reader.lines(index.indexed_to() + 1));
        fed.more = true;
        for _ in 0..INDEX_STEP_LINES {
            let Some(line) = lines.next()? else {
                fed.more = false;
                break;
            };
            index.add(line.bytes, follow::place(&line))?;
            if at.waiting == 0 {
                at.oldest_ns = now_ns;
            }
            at.waiting += 1;
        }
        let waited = now_ns.saturating_sub(at.oldest_ns);
        let age = if fed.more { INDEX_AGE_NS } else { INDEX_PAUSE_NS };
        let due = at.waiting >= INDEX_WAITING_LINES || waited >= age || (at_once && !fed.more);
        if at.waiting > 0 && due {
            index.commit()?;
            at.waiting = 0;
        }
        fed.waiting = at.waiting > 0;
        self.indexed.fetch_max(index.indexed_to(), Ordering::Relaxed);
        Ok(fed)
    }

    /// Lets a question that waits go first.
    pub(crate) fn give_way(&self) {
        self.searched.give_way();
    }

    /// For who has no thread that feeds the index: brings it up to the log where the rest is too
    /// much for one question, unless somebody else is at it or it can't be written; says so.
    pub(crate) fn open_once(&self) -> Result<Vec<String>, StoreError> {
        if self.searched.lock().is_some() {
            return Ok(Vec::new());
        }
        let folder = self.dir.index();
        let read = match EmbeddedIndex::open_read(&folder) {
            Ok(index) => Some(index),
            Err(IndexError::Io { .. } | IndexError::Format { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let reader = self.searched.reader();
        let indexed = read.as_ref().map_or(0, Index::indexed_to);
        let mut lines = reader.lines(indexed + 1);
        let mut behind = 0;
        while behind <= TAIL_LINES_MAX && lines.next()?.is_some() {
            behind += 1;
        }
        let head = reader.last_seq()?.unwrap_or(0);
        if let Some(mut index) = read
            && index.status().damaged.is_empty()
            && indexed <= head
            && behind <= TAIL_LINES_MAX
        {
            if let Some(first) = reader.first_seq()? {
                index.retain(first)?;
            }
            *self.searched.lock() = Some(index);
            return Ok(Vec::new());
        }
        let (mut feeding, mut notes) = (Feeding::default(), Vec::new());
        loop {
            match self.feed(&mut feeding, 0, true) {
                Ok(fed) => notes.extend(fed.notes),
                Err(StoreError::Index(IndexError::Busy { .. })) => {
                    *self.searched.lock() = read_beside_writer(&folder);
                    let committed = self.index_status().indexed_to;
                    if reader.last_seq()?.unwrap_or(0) > committed.saturating_add(TAIL_LINES_MAX) {
                        notes.push("lines are still being indexed by another process".to_owned());
                    }
                    return Ok(notes);
                }
                Err(StoreError::Index(IndexError::Io { path, source })) => {
                    // Who may not write here asks what memory can hold.
                    notes.push(format!("no index can be kept in {}: {source}", path.display()));
                    *self.searched.lock() = EmbeddedIndex::open_read(&folder).ok();
                    return Ok(notes);
                }
                Err(error) => return Err(error),
            }
            if feeding.waiting == 0 && feeding.lines.is_some() {
                return Ok(notes);
            }
        }
    }

    /// Commits what waits, and lets go of the index.
    pub(crate) fn close(&self) -> Result<(), StoreError> {
        let index = self.searched.lock().take();
        match index.map(|mut index| index.commit()) {
            // Opened to be read alone.
            None | Some(Ok(()) | Err(IndexError::ReadOnly)) => Ok(()),
            Some(Err(error)) => Err(error.into()),
        }
    }

    /// What the committed index holds, as one digest in hexadecimal.
    pub(crate) fn content_digest(&self) -> Result<String, StoreError> {
        let index = self.searched.lock();
        let digest = index.as_ref().map(Index::content_digest).transpose()?;
        Ok(digest.unwrap_or_default().to_string())
    }

    /// How the committed index stands.
    pub(crate) fn index_status(&self) -> ghost_index::Status {
        self.searched.lock().as_ref().map(Index::status).unwrap_or_default()
    }
}

fn reader(dir: &ReplicaDir) -> LogReader {
    let reader = Reader::open(blocks::disk(), dir);
    LogReader::at(reader.disk(), reader.layout())
}

/// What is committed of an index that another process writes: the first commit of a partition may
/// just be under way.
fn read_beside_writer(folder: &Path) -> Option<EmbeddedIndex> {
    let mut read = None;
    for _ in 0..40 {
        read = EmbeddedIndex::open_read(folder).ok();
        if read.as_ref().is_some_and(|index| index.status().damaged.is_empty()) {
            return read;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    read
}

/// Opens an index to be written; one of another version is made anew.
fn open(folder: &Path) -> Result<EmbeddedIndex, IndexError> {
    match EmbeddedIndex::open(folder) {
        Err(IndexError::Format { .. }) => {
            std::fs::remove_dir_all(folder)
                .map_err(|source| IndexError::Io { path: folder.into(), source })?;
            EmbeddedIndex::open(folder)
        }
        opened => opened,
    }
}

/// Makes an index fit the log; says what had to be done.
fn prepare(
    index: &mut EmbeddedIndex,
    reader: &LogReader,
    head: Seq,
) -> Result<Vec<String>, StoreError> {
    let mut notes = Vec::new();
    if index.indexed_to() > head {
        let to = index.indexed_to();
        notes.push(format!(
            "its index reached line {to}, it ends at {head}: the index is made anew"
        ));
        index.clear()?;
    }
    for name in index.repair(&follow::Source(reader))? {
        notes.push(format!("index partition {name} was damaged and was made again from the lines"));
    }
    Ok(notes)
}

impl HeldNow<'_> {
    /// What is committed, and what is not.
    pub(crate) fn indexes(&self) -> impl Iterator<Item = &dyn Index> {
        self.held.index().into_iter().chain([self.held.tail() as &dyn Index])
    }

    /// Events that no commit has taken in yet.
    pub(crate) fn tail_events(&self) -> u64 {
        self.held.tail().status().events
    }

    pub(crate) fn mark(&self) -> Mark {
        self.mark
    }

    /// The line of a hit.
    pub(crate) fn line(&self, at: Position) -> Option<Vec<u8>> {
        self.log.line(at).ok()
    }

    /// What an answer says of it.
    pub(crate) fn part(&self) -> LogPart {
        let all: Vec<ghost_index::Status> = self.indexes().map(Index::status).collect();
        let ends = all.iter().filter_map(|status| status.span).map(|(_, end): (_, Timestamp)| end);
        LogPart {
            name: self.name.to_owned(),
            kind: LogKind::Held,
            log: self.log.dir.log_id().to_string(),
            newest: all.iter().map(|status| status.indexed_to).max().unwrap_or(0),
            newest_ns: ends.max().map(|at| at.0),
            events: all.iter().map(|status| status.events).sum(),
            notes: self.held.notes.clone(),
            ..LogPart::default()
        }
    }
}
