//! The embedded engine: partitions on disk, one of them written.
//!
//! ```text
//! index/lock               held by the one writer
//! index/shapes             every shape's statements (see store.rs)
//! index/p-<first segment>/ a partition
//! index/new-*, old-*       a partition on its way in or out; settled at the next open
//! ```
//! A commit makes data and cursor durable together; lines behind the cursor are fed again after a
//! crash, and known ones left out. A partition that cannot be read is told in every answer until
//! [`EmbeddedIndex::repair`] has made it again from the log's lines. Not promised: that a reader in
//! another process sees a partition while the writer joins it with its neighbour; it opens again.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use ghost_event::Seq;
use tantivy::directory::MmapDirectory;
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy, UserOperation};
use tantivy::store::Compressor;
use tantivy::{Index as Engine, IndexSettings, IndexWriter};

use crate::digest::ContentDigest;
use crate::entry::{Entry, Reader, Record};
use crate::partition::{Doc, Fields, Partition, Span, first_of, schema};
use crate::request::{Point, Position, Request, Response, Tally, join_spans};
use crate::search::Plan;
use crate::shapes::ShapeStore;
use crate::store::{self, ShapeFile};
use crate::term::Kind;
use crate::top::Top;
use crate::visit::{Met, Visit, Walk, Walked, Within};
use crate::window::{self, Taken, Window};
use crate::{Added, Index, IndexError, Status, limits};

/// Version of what stands on disk.
const FORMAT: u32 = 4;

/// Documents handed to the engine at once.
const BATCH: usize = 64;

/// What is done with each line of a log.
pub type EachLine<'a> = &'a mut dyn FnMut(&[u8], Position) -> Result<(), IndexError>;

/// Gives the log's lines again.
pub trait LineSource {
    /// Calls `each` with every line behind `after`, up to and with `to`, in order.
    ///
    /// # Errors
    /// The log cannot be read, or `each` failed.
    fn lines(&self, after: Seq, to: Seq, each: EachLine<'_>) -> Result<(), IndexError>;
}

/// The index in a folder.
#[derive(Debug)]
pub struct EmbeddedIndex {
    dir: PathBuf,
    /// Held while writing; `None` in a reader.
    lock: Option<File>,
    fields: Fields,
    /// What is committed, by first segment; the active one is the last.
    partitions: Vec<Partition>,
    active: Option<Active>,
    /// The full partition before the active one, being committed beside it.
    closing: Closing,
    shapes: ShapeStore,
    shape_file: Option<ShapeFile>,
    shapes_whole: bool,
    /// The last line taken in.
    cursor: Seq,
    committed: Seq,
    /// Events of log segments before this one are retired.
    first_segment: u64,
    /// Events after which the next log segment begins a new partition.
    partition_events: u64,
    repaired: Vec<String>,
    reader: Reader,
    /// Packets whose points still count up, and what came behind them.
    window: Window,
}

/// The partition being written.
struct Active {
    dir: PathBuf,
    engine: Engine,
    writer: IndexWriter<Doc>,
    span: Span,
    batch: Vec<UserOperation<Doc>>,
    changed: bool,
}

/// A partition that a thread of its own commits; waited for before the index goes.
#[derive(Debug, Default)]
struct Closing(Option<JoinHandle<Result<Partition, IndexError>>>);

impl Closing {
    fn start(mut active: Active, shape_bytes: u64) -> Result<Closing, IndexError> {
        let work = move || {
            active.commit(shape_bytes)?;
            let partition = active.committed();
            active.close()?;
            Ok(partition)
        };
        let thread = thread::Builder::new().name("partition".to_owned()).spawn(work);
        Ok(Closing(Some(thread.map_err(|e| IndexError::Engine(e.to_string()))?)))
    }

    /// Waits for it.
    fn finish(&mut self) -> Result<Option<Partition>, IndexError> {
        let Some(thread) = self.0.take() else { return Ok(None) };
        let ended = |_| IndexError::Engine("the thread of a partition ended early".to_owned());
        thread.join().map_err(ended)?.map(Some)
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        // The folder must be at rest before another may lock the index.
        let _ = self.finish();
    }
}

impl std::fmt::Debug for Active {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Active({}, {:?})", self.dir.display(), self.span)
    }
}

impl EmbeddedIndex {
    /// Opens the index in `dir` to write and read, making it where there is none.
    ///
    /// # Errors
    /// Another process writes it, or the folder cannot be used.
    pub fn open(dir: &Path) -> Result<EmbeddedIndex, IndexError> {
        EmbeddedIndex::open_with(dir, limits::PARTITION_EVENTS_MIN)
    }

    /// As [`open`](Self::open), with another size of partitions: a log of small segments keeps more
    /// apart, at the price of more folders to open.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_with(dir: &Path, partition_events: u64) -> Result<EmbeddedIndex, IndexError> {
        fs::create_dir_all(dir).map_err(IndexError::io(dir))?;
        let path = dir.join("lock");
        let lock = File::create(&path).map_err(IndexError::io(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(IndexError::Busy { path: dir.into() }),
            Err(fs::TryLockError::Error(e)) => return Err(IndexError::io(path)(e)),
        }
        check_format(dir, true)?;
        settle(dir)?;
        let index = EmbeddedIndex::load(dir, Some(lock))?;
        Ok(EmbeddedIndex { partition_events, ..index })
    }

    /// Opens the index in `dir` to read what is committed; a writer may be at work.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn open_read(dir: &Path) -> Result<EmbeddedIndex, IndexError> {
        check_format(dir, false)?;
        EmbeddedIndex::load(dir, None)
    }

    fn load(dir: &Path, lock: Option<File>) -> Result<EmbeddedIndex, IndexError> {
        let mut partitions = Vec::new();
        for path in folders(dir)? {
            if first_of(&path).is_some() {
                partitions.push(Partition::find(&path));
            }
        }
        partitions.sort_by_key(Partition::first);
        // What a join left behind: a partition within the one before it.
        let mut last_segment = None;
        partitions.retain(|p| {
            let within = p.first().is_some() && p.first() <= last_segment;
            if !within {
                last_segment = last_segment.max(p.span.map(|s| s.segments.1));
            } else if lock.is_some() {
                let _ = fs::remove_dir_all(&p.dir);
            }
            !within
        });
        // The newest partition is made again by feeding the lines behind the cursor; `repair` tells.
        let mut repaired = Vec::new();
        if lock.is_some() {
            while partitions.last().is_some_and(|p| p.segments().is_err()) {
                if let Some(p) = partitions.pop() {
                    repaired.push(p.name());
                    fs::remove_dir_all(&p.dir).map_err(IndexError::io(&p.dir))?;
                }
            }
        }
        let committed = partitions.iter().filter_map(|p| p.span).map(|s| s.indexed_to).max();
        let shape_bytes = partitions.iter().filter_map(|p| p.span).map(|s| s.shape_bytes).max();
        let mut shapes = ShapeStore::default();
        let path = dir.join("shapes");
        let (sound, _) = store::load(&path, &mut shapes)?;
        let shapes_whole = sound >= shape_bytes.unwrap_or(0);
        let shape_file = match &lock {
            Some(_) => Some(ShapeFile::open(&path, sound)?),
            None => None,
        };
        let committed = committed.unwrap_or(0);
        Ok(EmbeddedIndex {
            dir: dir.into(),
            lock,
            fields: schema().1,
            partitions,
            active: None,
            closing: Closing::default(),
            shapes,
            shape_file,
            shapes_whole,
            cursor: committed,
            committed,
            first_segment: 0,
            partition_events: limits::PARTITION_EVENTS_MIN,
            repaired,
            reader: Reader::default(),
            window: Window::default(),
        })
    }

    /// Empties the index, to be made anew from the log's first line.
    ///
    /// # Errors
    /// The index is read only, or its folder cannot be written.
    pub fn clear(&mut self) -> Result<(), IndexError> {
        if self.lock.is_none() {
            return Err(IndexError::ReadOnly);
        }
        self.active = None;
        self.window = Window::default();
        // What it holds goes too, whole or not.
        let _ = self.closing.finish();
        for dir in folders(&self.dir)?.iter().filter(|dir| first_of(dir).is_some()) {
            remove(dir)?;
        }
        for partition in self.partitions.drain(..) {
            remove(&partition.dir)?;
        }
        self.shapes = ShapeStore::default();
        self.shape_file = Some(ShapeFile::open(&self.dir.join("shapes"), 0)?);
        self.shapes_whole = true;
        (self.cursor, self.committed) = (0, 0);
        Ok(())
    }

    /// Retires the events of log segments before `first`: whole partitions go from the disk, of one
    /// that straddles the border the events are hidden. To be said again after each open.
    ///
    /// # Errors
    /// A folder cannot be removed.
    pub fn retain(&mut self, first: u64) -> Result<(), IndexError> {
        self.first_segment = first;
        if self.lock.is_none() {
            return Ok(());
        }
        self.closed()?;
        let active = self.active.as_ref().map(|a| a.dir.clone());
        let mut failed = None;
        self.partitions.retain(|p| {
            let retired =
                p.span.is_some_and(|s| s.segments.1 < first) && active.as_ref() != Some(&p.dir);
            if retired && let Err(e) = fs::remove_dir_all(&p.dir) {
                failed = Some(IndexError::io(&p.dir)(e));
            }
            !retired
        });
        failed.map_or(Ok(()), Err)
    }

    /// Makes every unreadable partition, and every one that is missing between two others, again
    /// from the log's lines; the names of those made.
    ///
    /// # Errors
    /// The lines cannot be had, or the folder cannot be written.
    pub fn repair(&mut self, source: &dyn LineSource) -> Result<Vec<String>, IndexError> {
        if self.lock.is_none() {
            return Err(IndexError::ReadOnly);
        }
        self.closed()?;
        let mut made = std::mem::take(&mut self.repaired);
        let mut at = 0;
        let mut before: Option<Span> = None;
        while let Some(partition) = self.partitions.get(at) {
            let after = before.map_or(0, |s| s.indexed_to);
            let next = self.partitions.get(at + 1).and_then(|p| p.span).map(|s| s.after);
            if partition.segments().is_err() {
                let dir = partition.dir.clone();
                let (from, to) = match partition.span {
                    Some(span) => (span.after, span.indexed_to),
                    None => (after, next.unwrap_or(self.committed)),
                };
                made.push(partition.name());
                self.remake(Some(at), &dir, from, to, source)?;
            } else if let Some(span) = partition.span
                && before.is_some()
                && span.after > after
            {
                let dir = self.dir.join(format!("p-{:020}", after + 1));
                made.push(format!("lines {}..={}", after + 1, span.after));
                self.remake(None, &dir, after, span.after, source)?;
                self.partitions.sort_by_key(Partition::first);
            }
            before = self.partitions.get(at).and_then(|p| p.span).or(before);
            at += 1;
        }
        if !self.shapes_whole {
            let mut reader = Reader::default();
            let (shapes, file) = (&mut self.shapes, &mut self.shape_file);
            source.lines(0, self.committed, &mut |line, at| {
                if let Ok(Record::Shape(seq, row)) = reader.read(line, at)
                    && shapes.state(seq, row.clone())
                    && let Some(file) = file
                {
                    file.append(seq, &row);
                }
                Ok(())
            })?;
            if let Some(file) = file {
                file.sync()?;
            }
            self.shapes_whole = true;
            made.push("shapes".to_owned());
        }
        self.repaired.extend(made.iter().cloned());
        Ok(made)
    }

    /// Makes the partition in `dir` from the lines `after..=to` and puts it in its place.
    fn remake(
        &mut self,
        place: Option<usize>,
        dir: &Path,
        after: Seq,
        to: Seq,
        source: &dyn LineSource,
    ) -> Result<(), IndexError> {
        let new = sibling(dir, "new");
        remove(&new)?;
        let (mut reader, mut window) = (Reader::default(), Window::default());
        let mut making: Option<Active> = None;
        let fields = self.fields;
        source.lines(after, to, &mut |line, at| {
            let active = match &mut making {
                Some(active) => active,
                None => making.insert(Active::create(&new, Span::new(at.segment, after))?),
            };
            let mut ready = |entries: Vec<Entry>| active.add_all(fields, entries);
            let taken = window::read(&mut window, &mut reader, line, at, after, &mut ready)?;
            active.span.segments.1 = at.segment;
            let Some((seq, taken)) = taken else { return Ok(()) };
            active.span.indexed_to = active.span.indexed_to.max(seq);
            if let Taken::Now(Record::Flow(entry)) = taken {
                active.add(fields, entry)?;
            }
            Ok(())
        })?;
        if let Some(active) = &mut making {
            active.add_all(fields, window.close())?;
        }
        let Some(mut active) = making else {
            // The log holds nothing of it any more.
            remove(dir)?;
            if let Some(at) = place {
                self.partitions.remove(at);
            }
            return Ok(());
        };
        active.span.indexed_to = active.span.indexed_to.max(to);
        active.commit(0)?;
        active.close()?;
        swap_in(&new, dir)?;
        let partition = Partition::find(dir);
        match place.and_then(|at| self.partitions.get_mut(at)) {
            Some(slot) => *slot = partition,
            None => self.partitions.push(partition),
        }
        Ok(())
    }

    /// The partition that takes a line of `segment`.
    fn activate(&mut self, segment: u64) -> Result<&mut Active, IndexError> {
        let full = self.active.as_ref().is_some_and(|a| {
            a.span.segments.1 != segment && a.span.events >= self.partition_events
        });
        if full {
            self.closed()?;
            let shape_bytes = self.sync_shapes()?;
            if let Some(active) = self.active.take() {
                self.closing = Closing::start(active, shape_bytes)?;
            }
            if self.partitions.len() + 1 >= limits::PARTITIONS_MAX {
                self.closed()?;
                self.join_smallest()?;
            }
        }
        if self.active.is_none() {
            let last = self.partitions.last();
            let active = match last.and_then(|p| p.span.map(|s| (p.dir.clone(), s))) {
                Some((dir, span))
                    if !full
                        && (span.segments.1 == segment || span.events < self.partition_events) =>
                {
                    Active::open(&dir, span)?
                }
                _ => {
                    let dir = self.dir.join(format!("p-{segment:020}"));
                    Active::create(&dir, Span::new(segment, self.cursor))?
                }
            };
            self.active = Some(active);
        }
        let active = self.active.as_mut().ok_or(IndexError::ReadOnly)?;
        active.span.segments.1 = active.span.segments.1.max(segment);
        Ok(active)
    }

    /// Waits for the partition that is being closed, and takes it among the committed ones.
    fn closed(&mut self) -> Result<(), IndexError> {
        if let Some(partition) = self.closing.finish()? {
            self.take_committed(partition);
        }
        Ok(())
    }

    fn take_committed(&mut self, partition: Partition) {
        self.committed = partition.span.map_or(self.committed, |s| s.indexed_to);
        match self.partitions.last_mut() {
            Some(last) if last.dir == partition.dir => *last = partition,
            _ => self.partitions.push(partition),
        }
    }

    /// Makes the shapes durable; the length of their file.
    fn sync_shapes(&mut self) -> Result<u64, IndexError> {
        let Some(file) = &mut self.shape_file else { return Ok(0) };
        file.sync()?;
        Ok(file.len())
    }

    /// Joins neighbours until there are few enough partitions.
    fn join_smallest(&mut self) -> Result<(), IndexError> {
        while self.partitions.len() >= limits::PARTITIONS_MAX {
            let events = |p: &Partition| p.span.map_or(u64::MAX / 4, |s| s.events);
            let Some(at) = (0..self.partitions.len().saturating_sub(1))
                .min_by_key(|at| events(&self.partitions[*at]) + events(&self.partitions[at + 1]))
            else {
                return Ok(());
            };
            let (a, b) = (&self.partitions[at], &self.partitions[at + 1]);
            let (Some(first), Some(second)) = (a.span, b.span) else { return Ok(()) };
            let new = sibling(&a.dir, "new");
            remove(&new)?;
            fs::create_dir(&new).map_err(IndexError::io(&new))?;
            let engines = [Engine::open_in_dir(&a.dir)?, Engine::open_in_dir(&b.dir)?];
            let target =
                MmapDirectory::open(&new).map_err(|e| IndexError::Engine(e.to_string()))?;
            tantivy::indexer::merge_indices(&engines, target)?;
            let mut joined = Active::open(&new, first.join(&second))?;
            joined.commit(second.shape_bytes)?;
            joined.close()?;
            let (a, b) = (a.dir.clone(), b.dir.clone());
            swap_in(&new, &a)?;
            remove(&b)?;
            self.partitions.remove(at + 1);
            self.partitions[at] = Partition::find(&a);
        }
        Ok(())
    }
}

impl Active {
    fn create(dir: &Path, span: Span) -> Result<Active, IndexError> {
        remove(dir)?;
        fs::create_dir_all(dir).map_err(IndexError::io(dir))?;
        let directory = MmapDirectory::open(dir).map_err(|e| IndexError::Engine(e.to_string()))?;
        // Documents are not stored: the log has them.
        let settings = IndexSettings {
            docstore_compression: Compressor::None,
            docstore_compress_dedicated_thread: false,
            ..IndexSettings::default()
        };
        let engine = Engine::create(directory, schema().0, settings)?;
        Active::of(dir, engine, span)
    }

    fn open(dir: &Path, span: Span) -> Result<Active, IndexError> {
        Active::of(dir, Engine::open_in_dir(dir)?, span)
    }

    fn of(dir: &Path, engine: Engine, span: Span) -> Result<Active, IndexError> {
        let options = IndexWriterOptions::builder()
            .num_worker_threads(1)
            .num_merge_threads(1)
            .memory_budget_per_thread(limits::WRITER_HEAP_BYTES)
            .build();
        let writer = engine.writer_with_options(options)?;
        writer.set_merge_policy(Box::new(LogMergePolicy::default()));
        Ok(Active {
            dir: dir.into(),
            engine,
            writer,
            span,
            batch: Vec::with_capacity(BATCH),
            changed: false,
        })
    }

    fn add_all(&mut self, fields: Fields, entries: Vec<Entry>) -> Result<(), IndexError> {
        entries.into_iter().try_for_each(|entry| self.add(fields, entry))
    }

    fn add(&mut self, fields: Fields, entry: Entry) -> Result<(), IndexError> {
        self.span.take(&entry.numbers);
        self.batch.push(UserOperation::Add(Doc::new(fields, entry)));
        self.changed = true;
        if self.batch.len() >= BATCH {
            let full = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
            self.writer.run(full)?;
        }
        Ok(())
    }

    fn commit(&mut self, shape_bytes: u64) -> Result<(), IndexError> {
        if !self.batch.is_empty() {
            self.writer.run(std::mem::take(&mut self.batch))?;
        }
        self.span.shape_bytes = shape_bytes;
        let payload =
            serde_json::to_string(&self.span).map_err(|e| IndexError::Engine(e.to_string()))?;
        let mut prepared = self.writer.prepare_commit()?;
        prepared.set_payload(&payload);
        prepared.commit()?;
        self.changed = false;
        Ok(())
    }

    /// What was just committed, open.
    fn committed(&self) -> Partition {
        Partition::of(&self.dir, self.span, &self.engine)
    }

    fn close(self) -> Result<(), IndexError> {
        Ok(self.writer.wait_merging_threads()?)
    }
}

impl Index for EmbeddedIndex {
    fn add(&mut self, line: &[u8], at: Position) -> Result<Added, IndexError> {
        if self.lock.is_none() {
            return Err(IndexError::ReadOnly);
        }
        let (fields, active) = (self.fields, &mut self.active);
        // A window ends in the partition in which it began.
        let cursor = self.cursor;
        let mut ready = |entries: Vec<Entry>| {
            let Some(active) = active else { return Ok(()) };
            active.span.indexed_to = cursor;
            active.add_all(fields, entries)
        };
        let (window, reader) = (&mut self.window, &mut self.reader);
        let taken = window::read(window, reader, line, at, cursor, &mut ready)?;
        let Some((seq, taken)) = taken else { return Ok(Added::Known) };
        let open = self.window.before().is_some();
        let active = self.activate(at.segment)?;
        if !open {
            active.span.indexed_to = seq;
            active.changed = true;
        }
        match taken {
            Taken::Now(Record::Flow(entry)) => active.add(fields, entry)?,
            Taken::Now(Record::Shape(seq, row)) => {
                if self.shapes.state(seq, row.clone())
                    && let Some(file) = &mut self.shape_file
                {
                    file.append(seq, &row);
                }
            }
            Taken::Held | Taken::Now(_) => {}
        }
        self.cursor = seq;
        Ok(Added::New)
    }

    fn commit(&mut self) -> Result<(), IndexError> {
        if !self.active.as_ref().is_some_and(|active| active.changed) {
            return self.closed();
        }
        // In order: a cursor never stands before lines that no partition holds.
        self.closed()?;
        let shape_bytes = self.sync_shapes()?;
        let Some(active) = &mut self.active else { return Ok(()) };
        active.commit(shape_bytes)?;
        let partition = active.committed();
        self.take_committed(partition);
        Ok(())
    }

    fn indexed_to(&self) -> Seq {
        self.committed
    }

    fn search(&self, request: &Request) -> Result<Response, IndexError> {
        request.check()?;
        let plan = Plan::new(request);
        let window = request.window();
        let mut top = Top::new(request.limit, request.by_flow);
        let mut response = Response { damaged: self.gaps(), ..Response::default() };
        // Newest first: its events win ties, so the older partitions' are turned away sooner.
        for partition in self.partitions.iter().rev() {
            if let Some(span) = partition.span
                && !span.overlaps(window)
            {
                response.partitions_skipped += u32::from(span.events > 0);
                continue;
            }
            let first = self.hidden_before(partition.span);
            let found = partition.segments().and_then(|segments| {
                segments.iter().try_fold((0, 0), |(matched, searched), segment| {
                    let more = plan.run(segment, first, &mut top).map_err(|e| e.to_string())?;
                    Ok((matched + more, searched + u64::from(segment.docs)))
                })
            });
            match found {
                Ok((matched, searched)) => {
                    response.matched += matched;
                    response.searched += searched;
                    response.partitions_searched += 1;
                    response.span =
                        join_spans(response.span, partition.span.and_then(|s| s.times()));
                }
                Err(why) => response.damaged.push(format!("{}: {why}", partition.name())),
            }
        }
        response.hits = top.into_hits();
        Ok(response)
    }

    fn tally(&self, points: &[Point]) -> Result<Vec<Tally>, IndexError> {
        let mut tallies = vec![Tally::default(); points.len()];
        let mut places: HashMap<Point, Vec<usize>> = HashMap::new();
        for (at, point) in points.iter().enumerate() {
            places.entry(*point).or_default().push(at);
        }
        for partition in &self.partitions {
            let minutes = partition
                .span
                .and_then(|s| s.times())
                .map(|(from, until)| Point::minute(from.0)..=Point::minute(until.0));
            if !minutes.is_some_and(|m| points.iter().any(|p| m.contains(&p.minute))) {
                continue;
            }
            let first = self.hidden_before(partition.span);
            let fail = |why: String| IndexError::Engine(format!("{}: {why}", partition.name()));
            for segment in partition.segments().map_err(fail)? {
                crate::search::tally(segment, first, &places, &mut tallies)
                    .map_err(|e| fail(e.to_string()))?;
            }
        }
        Ok(tallies)
    }

    fn events(&self, walk: &Walk, each: &mut dyn FnMut(&Met<'_>)) -> Result<Walked, IndexError> {
        self.walk(walk, &mut |within| {
            within.events(each);
            Ok(())
        })
    }

    fn terms(
        &self,
        walk: &Walk,
        kinds: &[Kind],
        visit: &mut dyn Visit,
    ) -> Result<Walked, IndexError> {
        self.walk(walk, &mut |within| within.terms(kinds, visit))
    }

    fn content_digest(&self) -> Result<ContentDigest, IndexError> {
        let mut digest = ContentDigest::default();
        for partition in &self.partitions {
            partition.digest(self.hidden_before(partition.span), &mut digest)?;
        }
        self.window.held().iter().for_each(|entry| entry.digest(&mut digest));
        digest.shapes_of(&self.shapes);
        Ok(digest)
    }

    fn shapes(&self) -> &ShapeStore {
        &self.shapes
    }

    fn status(&self) -> Status {
        let spans = || self.partitions.iter().filter_map(|p| p.span);
        let mut damaged = self.gaps();
        damaged.extend(
            self.partitions
                .iter()
                .filter_map(|p| Some(format!("{}: {}", p.name(), p.segments().err()?))),
        );
        Status {
            events: spans().map(|s| s.events).sum(),
            shapes: self.shapes.len() as u64,
            shapes_refined: self.shapes.refined() as u64,
            indexed_to: self.committed,
            span: spans().map(|s| s.times()).fold(None, join_spans),
            partitions: u32::try_from(self.partitions.len()).unwrap_or(u32::MAX),
            damaged,
            repaired: self.repaired.clone(),
        }
    }
}

impl EmbeddedIndex {
    /// Ends the open window of packets, so that a commit takes all of it in. Only for a log at
    /// rest: whoever writes on must begin with an `epoch` line, as every start of the program does.
    ///
    /// # Errors
    /// The engine failed.
    pub fn close_window(&mut self) -> Result<(), IndexError> {
        if self.window.before().is_none() {
            return Ok(());
        }
        let (fields, cursor) = (self.fields, self.cursor);
        let held = self.window.close();
        let Some(active) = &mut self.active else { return Ok(()) };
        active.span.indexed_to = cursor;
        active.changed = true;
        active.add_all(fields, held)
    }

    /// Hands out what of each segment meets the walk's conditions.
    fn walk(
        &self,
        walk: &Walk,
        each: &mut dyn FnMut(&Within<'_>) -> std::io::Result<()>,
    ) -> Result<Walked, IndexError> {
        walk.check()?;
        let window = walk.window();
        let mut walked = Walked { damaged: self.gaps(), ..Walked::default() };
        for partition in &self.partitions {
            if partition.span.is_some_and(|span| !span.overlaps(window)) {
                continue;
            }
            let first = self.hidden_before(partition.span);
            let done = partition.segments().and_then(|segments| {
                for segment in segments {
                    let within = Within::of(segment, first, walk).map_err(|e| e.to_string())?;
                    each(&within).map_err(|e| e.to_string())?;
                    walked.matched += within.matched();
                    walked.searched += u64::from(segment.docs);
                }
                Ok(())
            });
            match done {
                Ok(()) => {
                    let times = partition.span.and_then(|s| s.times());
                    walked.span = join_spans(walked.span, times);
                }
                Err(why) => walked.damaged.push(format!("{}: {why}", partition.name())),
            }
        }
        Ok(walked)
    }

    /// The log segment before which a partition's events are hidden; 0 hides none.
    fn hidden_before(&self, span: Option<Span>) -> u64 {
        let straddles = span.is_none_or(|s| s.segments.0 < self.first_segment);
        if straddles { self.first_segment } else { 0 }
    }

    /// What is missing between partitions, and of the shapes.
    fn gaps(&self) -> Vec<String> {
        let mut gaps = Vec::new();
        for pair in self.partitions.windows(2) {
            if let [Some(a), Some(b)] = [&pair[0], &pair[1]].map(|p| p.span)
                && b.after > a.indexed_to
            {
                gaps.push(format!("lines {}..={} are not indexed", a.indexed_to + 1, b.after));
            }
        }
        if !self.shapes_whole {
            gaps.push("shapes: the file is cut or altered".to_owned());
        }
        gaps
    }
}

fn check_format(dir: &Path, write: bool) -> Result<(), IndexError> {
    let path = dir.join("format");
    match fs::read(&path) {
        Ok(text) => match String::from_utf8_lossy(&text).trim().parse() {
            Ok(FORMAT) => Ok(()),
            Ok(found) => Err(IndexError::Format { found, known: FORMAT }),
            Err(_) => Err(IndexError::Format { found: 0, known: FORMAT }),
        },
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && write => {
            fs::write(&path, format!("{FORMAT}\n")).map_err(IndexError::io(&path))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(IndexError::io(path)(e)),
    }
}

fn folders(dir: &Path) -> Result<Vec<PathBuf>, IndexError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(IndexError::io(dir)(e)),
    };
    let mut out = Vec::new();
    for entry in entries {
        let path = entry.map_err(IndexError::io(dir))?.path();
        if path.is_dir() {
            out.push(path);
        }
    }
    Ok(out)
}

/// `p-7` to `new-7`, beside it.
fn sibling(dir: &Path, prefix: &str) -> PathBuf {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    dir.with_file_name(format!("{prefix}-{}", name.trim_start_matches("p-")))
}

fn remove(dir: &Path) -> Result<(), IndexError> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(IndexError::io(dir)(e)),
        _ => Ok(()),
    }
}

/// Puts the finished folder `new` in the place of `dir`; a crash between the steps is settled at
/// the next open.
fn swap_in(new: &Path, dir: &Path) -> Result<(), IndexError> {
    let old = sibling(dir, "old");
    remove(&old)?;
    if dir.exists() {
        fs::rename(dir, &old).map_err(IndexError::io(dir))?;
    }
    fs::rename(new, dir).map_err(IndexError::io(new))?;
    remove(&old)
}

/// Ends what a crash left in the middle.
fn settle(dir: &Path) -> Result<(), IndexError> {
    for path in folders(dir)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(rest) = name.strip_prefix("old-") {
            let place = dir.join(format!("p-{rest}"));
            if place.exists() {
                remove(&path)?;
            } else {
                fs::rename(&path, &place).map_err(IndexError::io(&path))?;
            }
        }
    }
    for path in folders(dir)? {
        if path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("new-")) {
            remove(&path)?;
        }
    }
    Ok(())
}
