//! The index thread, and what questions search: the committed index and the log's tail.
//!
//! The thread reads the log as any reader does and feeds the index in small steps, so that a
//! question never waits long for the lock they share. What is logged but not committed is indexed
//! by the question itself, in memory, and kept for the next one; commits are rare where nobody
//! asks, and frequent enough to keep that tail short where somebody does.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use ghost_event::Seq;
use ghost_index::{EmbeddedIndex, Index, IndexError, OracleIndex};
use ghost_log::{Lines, LogReader};
use ghost_world::Clock;

use super::refine::Refine;
use super::shared::Shared;
use crate::limits::{
    ASKED_NS, INDEX_AGE_ASKED_NS, INDEX_AGE_NS, INDEX_LOOK, INDEX_PAUSE_NS, INDEX_STEP_LINES,
    INDEX_WAITING_ASKED_LINES, INDEX_WAITING_LINES, LIVE_TAIL_EVENTS_MAX, LIVE_TAIL_PACKETS_MAX,
};
use crate::writer::{WriterError, old_fast};
use crate::{DataDir, follow};

/// Wakes the index thread.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waker(Arc<OnceLock<Thread>>);

impl Waker {
    pub(crate) fn wake(&self) {
        if let Some(thread) = self.0.get() {
            thread.unpark();
        }
    }
}

/// What is searched.
pub(crate) struct Searched {
    /// `None` until the thread has opened it.
    index: Mutex<Option<EmbeddedIndex>>,
    tail: Mutex<Tail>,
    /// Questions that wait for `index`.
    waiting: AtomicU32,
    reader: LogReader,
}

/// Lines behind the index, in memory.
#[derive(Default)]
struct Tail {
    /// The committed line behind which it begins.
    base: Seq,
    lines: Option<Lines>,
    index: OracleIndex,
    events: u64,
    packets: u64,
}

/// Everything that is logged, held for one question.
pub(crate) struct Held<'a> {
    index: MutexGuard<'a, Option<EmbeddedIndex>>,
    tail: MutexGuard<'a, Tail>,
    pub(crate) notes: Vec<String>,
}

impl Held<'_> {
    pub(crate) fn index(&self) -> Option<&dyn Index> {
        self.index.as_ref().map(|index| index as &dyn Index)
    }

    pub(crate) fn tail(&self) -> &OracleIndex {
        &self.tail.index
    }
}

impl Searched {
    pub(crate) fn new(data: &DataDir) -> Searched {
        Searched::of(LogReader::open(data.root()))
    }

    /// The log that `reader` reads.
    pub(crate) fn of(reader: LogReader) -> Searched {
        Searched {
            index: Mutex::new(None),
            tail: Mutex::default(),
            waiting: AtomicU32::new(0),
            reader,
        }
    }

    /// The index itself, for who feeds it.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Option<EmbeddedIndex>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a question that waits have the lock: it would else be ours again before it woke up.
    pub(crate) fn give_way(&self) {
        for _ in 0..50 {
            if self.waiting.load(Ordering::Acquire) == 0 {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }

    pub(crate) fn reader(&self) -> &LogReader {
        &self.reader
    }

    /// Index and tail for one question; the tail reaches the log's end as it is now, unless that is
    /// too far: then the notes say so.
    pub(crate) fn hold(&self) -> Result<Held<'_>, crate::store::StoreError> {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        self.waiting.fetch_sub(1, Ordering::AcqRel);
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let mut notes = Vec::new();
        let base = index.as_ref().map_or(0, Index::indexed_to);
        if index.is_none() {
            notes
                .push("the index is being opened: only the newest events were searched".to_owned());
        }
        if tail.base != base || tail.lines.is_none() {
            *tail = Tail { base, lines: Some(self.reader.lines(base + 1)), ..Tail::default() };
        }
        let more = tail.read_on()?;
        if more {
            notes.push(format!(
                "not searched: lines behind {} of the log, which are being indexed",
                tail.index.indexed_to()
            ));
        }
        Ok(Held { index, tail, notes })
    }
}

impl Tail {
    /// Takes in what was logged since; whether there is more than may be kept.
    fn read_on(&mut self) -> Result<bool, crate::store::StoreError> {
        let Some(lines) = &mut self.lines else { return Ok(false) };
        while self.events < LIVE_TAIL_EVENTS_MAX && self.packets < LIVE_TAIL_PACKETS_MAX {
            let Some(line) = lines.next()? else { return Ok(false) };
            self.index.add(line.bytes, follow::place(&line))?;
            // Packets of one flow and minute are one point, and cost a fraction of a flow.
            let head = line.bytes.get(..PACKET_WITHIN).unwrap_or(line.bytes);
            if memchr::memmem::find(head, b"\"event_type\":\"packet\"").is_some() {
                self.packets += 1;
            } else {
                self.events += 1;
            }
        }
        Ok(true)
    }
}

/// Where a line tells by then that it is a packet's.
const PACKET_WITHIN: usize = 128;

/// The thread's own.
pub(crate) struct Indexer {
    pub(crate) searched: Arc<Searched>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) data: DataDir,
    pub(crate) refine: Option<Refine>,
}

/// How far the thread is.
struct Progress {
    lines: Lines,
    taken: Seq,
    /// The log's first line, as far as the index knows.
    first: Seq,
    waiting: u64,
    oldest_ns: u64,
}

impl Indexer {
    pub(crate) fn start(self, waker: &Waker) -> std::io::Result<JoinHandle<()>> {
        let thread = std::thread::Builder::new().name("index".to_owned()).spawn(move || {
            let mut indexer = self;
            indexer.run();
        })?;
        // Set once, here.
        let _ = waker.0.set(thread.thread().clone());
        Ok(thread)
    }

    fn run(&mut self) {
        // While another process has the index open (a reader that mends it), we come again.
        while !self.shared.log_ended() {
            let trouble = match self.open() {
                Ok(progress) => match self.follow(progress) {
                    // Whoever comes next may have it, even while handles of ours are about.
                    Ok(()) => return self.close(),
                    Err(error) => error,
                },
                Err(error) => error,
            };
            self.shared.texts().index.trouble = trouble.to_string();
            self.close();
            std::thread::park_timeout(Duration::from_secs(1));
        }
    }

    fn close(&self) {
        *self.searched.index.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn open(&mut self) -> Result<Progress, WriterError> {
        let mut index = match EmbeddedIndex::open(&self.data.index()) {
            Err(IndexError::Format { .. }) => {
                // Made by another version: the log is the truth, so the index is made anew.
                std::fs::remove_dir_all(self.data.index())
                    .map_err(|source| IndexError::Io { path: self.data.index(), source })?;
                EmbeddedIndex::open(&self.data.index())?
            }
            opened => opened?,
        };
        let head = self.shared.log_head.get();
        let notes = follow::prepare(&mut index, &self.searched.reader, head)?;
        notes.into_iter().for_each(|note| self.shared.warn(note));
        if let Some(refine) = self.refine.take() {
            // The log tells the shapes of its newest segments by itself.
            old_fast(&index, &std::collections::HashSet::new())
                .into_iter()
                .for_each(|worded| refine.take(worded));
        }
        let taken = index.indexed_to();
        let lines = self.searched.reader.lines(taken + 1);
        self.tell(&index);
        self.shared.texts().index.trouble.clear();
        *self.searched.index.lock().unwrap_or_else(PoisonError::into_inner) = Some(index);
        Ok(Progress { lines, taken, first: 0, waiting: 0, oldest_ns: 0 })
    }

    fn follow(&mut self, mut at: Progress) -> Result<(), WriterError> {
        loop {
            let stopping = self.shared.log_ended();
            let first = self.shared.log_first.get();
            if first > at.first {
                // Segments were given up; what lay in them can't be read any more.
                at.first = first;
                let mut index = self.searched.index.lock().unwrap_or_else(PoisonError::into_inner);
                index.as_mut().map_or(Ok(()), |index| index.retain(first))?;
            }
            let more = self.step(&mut at)?;
            let now = self.clock.monotonic_ns();
            let last = stopping && !more;
            if last || (at.waiting > 0 && self.is_due(&at, now)) {
                self.commit(&mut at, last)?;
            }
            if more {
                self.searched.give_way();
                continue;
            }
            if stopping {
                let _ = self.data.settle_permissions();
                return Ok(());
            }
            // Where nothing waits, only the writer or a question has something to say.
            let behind = self.shared.log_head.get() > at.taken;
            let wait = if at.waiting > 0 || behind { INDEX_LOOK } else { 4 * INDEX_LOOK };
            std::thread::park_timeout(wait);
        }
    }

    /// Feeds some lines to the index; whether there may be more.
    fn step(&mut self, at: &mut Progress) -> Result<bool, WriterError> {
        if self.shared.log_head.get() <= at.taken {
            return Ok(false);
        }
        let mut guard = self.searched.index.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(index) = guard.as_mut() else { return Ok(false) };
        for _ in 0..INDEX_STEP_LINES {
            let Some(line) = at.lines.next()? else { return Ok(false) };
            index.add(line.bytes, follow::place(&line))?;
            at.taken = line.seq;
            if at.waiting == 0 {
                at.oldest_ns = self.clock.monotonic_ns();
            }
            at.waiting += 1;
        }
        Ok(true)
    }

    fn is_due(&self, at: &Progress, now: u64) -> bool {
        let last_asked = self.shared.asked_ns.get();
        let asked = last_asked > 0 && now < last_asked.saturating_add(ASKED_NS);
        let (age, lines) = if asked {
            (INDEX_AGE_ASKED_NS, INDEX_WAITING_ASKED_LINES)
        } else {
            (INDEX_AGE_NS, INDEX_WAITING_LINES)
        };
        let waited = now.saturating_sub(at.oldest_ns);
        (at.waiting >= lines && waited >= INDEX_PAUSE_NS) || waited >= age
    }

    fn commit(&mut self, at: &mut Progress, last: bool) -> Result<(), WriterError> {
        let mut guard = self.searched.index.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(index) = guard.as_mut() else { return Ok(()) };
        if last {
            // The next line will be another start's: packets at the end count no further.
            index.close_window()?;
        }
        index.commit()?;
        at.waiting = 0;
        self.tell(index);
        Ok(())
    }

    fn tell(&self, index: &EmbeddedIndex) {
        let status = index.status();
        let mut texts = self.shared.texts();
        let told = &mut texts.index;
        told.indexed_to = status.indexed_to;
        told.events = status.events;
        told.shapes = status.shapes;
        told.shapes_refined = status.shapes_refined;
        told.partitions = status.partitions.into();
        told.damaged = status.damaged;
    }
}
