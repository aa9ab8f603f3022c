//! The one writer: lines in, durable segments out.
//!
//! A line is taken in when [`Log::append`] says so, written in groups, and durable when a sync of
//! its priority has passed. After a write or sync that failed nothing more is taken until the log
//! was opened anew, since nobody knows what the disk holds; a full disk is the exception: lines
//! wait in memory, and go out when there is room.
//!
//! **Invariant:** `head` is the last line of file and buffer together; `durable` never runs ahead
//! of what a sync answered `Ok` for.

use std::io;
use std::path::Path;
use std::sync::Arc;

use ghost_event::line::{self, ImportNote, LINE_BYTES_MAX, Note, SegmentNote, TAIL_BYTES_MAX};
use ghost_event::{Digest, Priority, Seq, ShapeId, Timestamp};
use ghost_world::{Clock, Disk, File, Lock};

use crate::elements::Elements;
use crate::error::{LogError, no_space};
use crate::head::{Head, HeadFile};
use crate::imports::Imports;
use crate::keys::Keys;
use crate::layout::Layout;
use crate::limits::{
    LogConfig, SYNC_EVENTS, SYNC_PAUSE_NS, WAITING_BYTES_MAX, WRITE_BYTES, sync_delay_ns,
};
use crate::proof;
use crate::proof::key::{KeyId, SigningKey};
use crate::put::{Until, write_all};
use crate::reader::Position;
use crate::recover::{self, Remembered, Shapes};
use crate::tiles::Growing;

mod element;
mod retire;
mod sign;
mod start;

pub use sign::Signed;

/// An open log.
#[derive(Debug)]
pub struct Log {
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    layout: Layout,
    config: LogConfig,
    file: Box<dyn File>,
    head_file: Option<HeadFile>,
    import_file: Option<(Box<dyn File>, u64)>,
    /// So much of it is durable.
    import_synced: u64,
    chain: Chain,
    /// Lines that are not in the file yet.
    buffer: Vec<u8>,
    /// Bytes of the active segment that are in its file.
    written: u64,
    durable: Head,
    /// Events since the last sync, the most pressing of them, and when it wants its sync.
    pending: u32,
    pending_prio: Option<Priority>,
    deadline_ns: Option<u64>,
    /// When the last sync ended.
    synced_ns: u64,
    bulk: bool,
    /// Why nothing more is taken.
    refused: Option<String>,
    /// The buffer's length when the disk was last found full.
    full_at: Option<usize>,
    /// An unfinished line was cut off, and a power cut may bring it back: no segment may end so.
    cut: bool,
    shapes: Shapes,
    imports: Imports,
    /// Sealed segments by their first lines, with their bytes.
    sealed: Vec<(Seq, u64)>,
    elements: Elements,
    elements_turned_away: u64,
    /// The newest line that states an element's head again.
    element_stated: Seq,
    /// `None` where the log's beginning is gone and nothing stands for it. It has every line but,
    /// maybe, the last: that can still be taken back.
    tree: Option<Growing>,
    keys: Keys,
    /// The key that signs, or why there is none.
    key: Result<SigningKey, String>,
    /// The key that the log names last.
    told_key: Option<KeyId>,
    /// The name of its keys.
    origin: String,
    /// The newest checkpoint of this session, and whether it is durable.
    signed: Option<(Signed, bool)>,
    log_id: String,
    epoch: u64,
    note: Vec<u8>,
    _lock: Lock,
}

/// Where the next line goes.
#[derive(Debug, Clone, Copy)]
struct Chain {
    head: Head,
    /// The active segment's first line.
    segment: Seq,
    /// Bytes and lines of the active segment, the buffer's included.
    bytes: u64,
    lines: u64,
}

/// A line that was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    pub seq: Seq,
    pub position: Position,
}

impl Log {
    /// Takes in an event of shape `shape` (none for a note), after stating the shape where this
    /// segment has not. After [`LogError::Refused`] nobody knows whether the event reached the disk:
    /// the next start tells; after any other error it is not in the log.
    pub fn append(
        &mut self,
        prio: Priority,
        shape: Option<ShapeId>,
        body: &[u8],
    ) -> Result<Appended, LogError> {
        self.usable()?;
        check_body(body)?;
        let stated = self.shape_bytes(shape)?;
        self.make_room(stated + body.len() + TAIL_BYTES_MAX)?;
        if let Some(id) = shape {
            self.state_shape(id);
        }
        self.put_event(prio, body)
    }

    /// Room for stating a shape where this segment has not.
    fn shape_bytes(&self, shape: Option<ShapeId>) -> Result<usize, LogError> {
        let Some(id) = shape else { return Ok(0) };
        match self.shapes.get(&id) {
            None => Err(LogError::UnknownShape { id }),
            Some(known) if known.stated_in == self.chain.segment => Ok(0),
            Some(known) => Ok(known.body.len() + TAIL_BYTES_MAX),
        }
    }

    /// Puts an event for which room was made.
    fn put_event(&mut self, prio: Priority, body: &[u8]) -> Result<Appended, LogError> {
        let before = self.chain;
        let position = self.chain.put(&mut self.tree, &mut self.buffer, body);
        let appended = Appended { seq: self.chain.head.seq, position };
        if let Err(error) = self.settle(prio) {
            if self.refused.is_none() {
                // The disk is full and the line still waits: it can be taken back whole.
                let len = self.buffer.len().saturating_sub(position.len as usize);
                self.buffer.truncate(len);
                self.chain = before;
                self.pending = self.pending.saturating_sub(1);
            }
            return Err(error);
        }
        Ok(appended)
    }

    /// Tells a shape's body, or a better one. It is logged with the first event that has this shape,
    /// and at once where it betters one that was logged. True where it was news.
    pub fn shape(&mut self, id: ShapeId, body: &[u8]) -> Result<bool, LogError> {
        self.usable()?;
        check_body(body)?;
        let tier = recover::tier_of(body);
        let stated_in = match self.shapes.get(&id) {
            Some(known) if known.tier > tier || *known.body == *body => return Ok(false),
            Some(known) => known.stated_in,
            None => 0,
        };
        if stated_in > 0 {
            self.make_room(body.len() + TAIL_BYTES_MAX)?;
        }
        self.shapes.insert(id, Remembered { tier, body: body.into(), stated_in: 0 });
        if stated_in > 0 {
            self.state_shape(id);
            // Still waiting or refused, it is told again with the next segment.
            self.settle(Priority::Low)?;
        }
        Ok(true)
    }

    /// As [`shape`](Self::shape), but logged at once although no event of this segment has it yet.
    pub fn state(&mut self, id: ShapeId, body: &[u8]) -> Result<(), LogError> {
        self.shape(id, body)?;
        if self.shapes.get(&id).is_some_and(|known| known.stated_in == 0) {
            self.make_room(body.len() + TAIL_BYTES_MAX)?;
            self.state_shape(id);
            self.settle(Priority::Low)?;
        }
        Ok(())
    }

    /// Takes in a note.
    pub fn append_note(&mut self, note: &Note<'_>) -> Result<Appended, LogError> {
        let body = self.note_body(note);
        let appended = self.append(note.priority(), None, &body);
        self.note = body;
        appended
    }

    /// Takes in a note of the import journal.
    pub fn import(&mut self, note: &ImportNote<'_>) -> Result<Appended, LogError> {
        let body = self.note_body(&Note::Import(note.clone()));
        let appended = self.append(Priority::Medium, None, &body);
        self.note = body;
        let appended = appended?;
        self.imports.take(appended.seq, note);
        if let Some((file, len)) = &mut self.import_file {
            // A copy for the next start, outside the chain.
            let mut line = self.note.clone();
            line::close(&mut line, appended.seq, &Digest::ZERO);
            if write_all(&**file, &line, *len).is_ok() {
                *len += line.len() as u64;
            }
        }
        Ok(appended)
    }

    /// The journal of imports, this session's included.
    #[must_use]
    pub fn imports(&self) -> &Imports {
        &self.imports
    }

    /// Shapes that are known from the log, with their newest bodies of the highest tier.
    pub fn shapes(&self) -> impl Iterator<Item = (ShapeId, &[u8])> {
        self.shapes.iter().map(|(id, known)| (*id, &*known.body))
    }

    /// Writes out what waits in memory; readers see it then. Not durable by that.
    pub fn write(&mut self) -> Result<(), LogError> {
        self.usable()?;
        self.write_out()
    }

    /// Makes everything durable that was taken in.
    pub fn sync(&mut self) -> Result<(), LogError> {
        self.usable()?;
        self.write_out()?;
        self.pending = 0;
        self.pending_prio = None;
        self.deadline_ns = None;
        if self.durable == self.chain.head && !self.cut {
            return Ok(());
        }
        if let Err(e) = self.file.sync() {
            return Err(self.refuse("sync", &e));
        }
        self.cut = false;
        self.synced_ns = self.clock.monotonic_ns();
        self.durable = self.chain.head;
        if let Some(heads) = &mut self.head_file {
            // A witness that lags is still true.
            let _ = heads.write(&self.durable);
        }
        Ok(())
    }

    /// To be called now and then with the monotonic clock: writes what waits, and syncs what is due.
    /// Returns when it wants to be called again at the latest.
    pub fn tick(&mut self, now_ns: u64) -> Result<Option<u64>, LogError> {
        self.usable()?;
        if self.deadline_ns.is_some_and(|at| at <= now_ns) {
            self.sync()?;
        } else {
            self.write_out()?;
        }
        Ok(self.deadline_ns)
    }

    /// In bulk, syncs come at the end of segments and on demand only; leaving it syncs.
    pub fn set_bulk(&mut self, bulk: bool) -> Result<(), LogError> {
        let leaving = self.bulk && !bulk;
        self.bulk = bulk;
        if leaving { self.sync() } else { Ok(()) }
    }

    /// Seals the active segment and begins the next. A segment without events is left as it is.
    pub fn rotate(&mut self) -> Result<(), LogError> {
        self.usable()?;
        if self.chain.lines <= 1 {
            return Ok(());
        }
        self.sync()?;
        if let Some(heads) = &self.head_file {
            // Its name is durable since the start.
            let _ = heads.sync();
        }
        self.keep_tiles_where_room()?;
        if let Some((file, len)) = &self.import_file
            && *len > self.import_synced
        {
            // Its entries of this segment will not be looked for in the log again.
            self.import_synced = *len;
            if file.sync().is_err() {
                self.import_file = None;
                let _ = self.disk.remove(&self.layout.imports());
            }
        }
        match self.seal() {
            Ok(file) => self.file = file,
            Err(LogError::Io { what, source, .. }) => return Err(self.refuse(what, &source)),
            // The segment goes on.
            Err(other) => return Err(other),
        }
        self.sealed.push((self.chain.segment, self.written));
        self.chain =
            Chain { head: self.chain.head, segment: self.chain.head.seq + 1, bytes: 0, lines: 0 };
        self.written = 0;
        // Without it the next start reads the segment; nothing else is lost, so no sync is waited for.
        let _ = self.elements.keep(&*self.disk, &self.layout, self.chain.head, Until::Written);
        self.segment_note(self.epoch);
        Ok(())
    }

    /// Puts a new file in the place of the active one. Without room for it nothing has changed.
    fn seal(&self) -> Result<Box<dyn File>, LogError> {
        let (active, log) = (self.layout.active(), self.layout.log());
        let (sealed, segments) = (self.layout.segment(self.chain.segment), self.layout.segments());
        let next = self.layout.next_active();
        let create = || match self.disk.create(&next) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                self.disk.remove(&next)?;
                self.disk.create(&next)
            }
            other => other,
        };
        let file = create().map_err(LogError::io("create", &next))?;
        if let Err(e) = self.disk.rename(&active, &sealed) {
            let _ = self.disk.remove(&next);
            return Err(LogError::io("rename", &active)(e));
        }
        // From here on it must go through, room or not.
        let failed = |what, path: &Path| {
            let path = path.to_owned();
            move |source| LogError::Io { what, path, source }
        };
        self.disk.rename(&next, &active).map_err(failed("rename", &next))?;
        self.disk.sync_dir(&segments).map_err(failed("sync", &segments))?;
        self.disk.sync_dir(&log).map_err(failed("sync", &log))?;
        Ok(file)
    }

    /// The last line taken in.
    #[must_use]
    pub fn head(&self) -> Head {
        self.chain.head
    }

    /// The last line that is durable.
    #[must_use]
    pub fn durable(&self) -> Head {
        self.durable
    }

    /// The active segment's first line.
    #[must_use]
    pub fn segment(&self) -> Seq {
        self.chain.segment
    }

    #[must_use]
    pub fn log_id(&self) -> &str {
        &self.log_id
    }

    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Bytes that wait because the disk is full; 0 where it is not.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.full_at.map_or(0, |_| self.buffer.len())
    }

    /// Makes the witness durable, so that a later start knows what may not be cut. Without it a start
    /// is less sure, and nothing else.
    fn keep_head(&self) {
        if let Some(heads) = &self.head_file {
            let _ = heads.sync();
            let _ = self.disk.sync_dir(&self.layout.state());
        }
    }

    fn usable(&self) -> Result<(), LogError> {
        match &self.refused {
            None => Ok(()),
            Some(cause) => Err(LogError::Refused { cause: cause.clone() }),
        }
    }

    fn refuse(&mut self, what: &str, e: &io::Error) -> LogError {
        let cause = format!("cannot {what} {}: {e}", self.layout.active().display());
        self.refused = Some(cause.clone());
        LogError::Refused { cause }
    }

    /// Seals the segment where it is full, and turns events away where too much waits.
    fn make_room(&mut self, bytes: usize) -> Result<(), LogError> {
        if self.buffer.len() + bytes > WAITING_BYTES_MAX {
            self.write_out()?;
        }
        if self.chain.bytes + bytes as u64 > self.config.segment_bytes {
            // Without room the segment grows beyond its size, and the lines wait.
            self.unless_full(Log::rotate)?;
        }
        Ok(())
    }

    fn state_shape(&mut self, id: ShapeId) {
        if let Some(known) = self.shapes.get_mut(&id)
            && known.stated_in != self.chain.segment
        {
            known.stated_in = self.chain.segment;
            self.chain.put(&mut self.tree, &mut self.buffer, &known.body);
        }
    }

    fn note_body(&mut self, note: &Note<'_>) -> Vec<u8> {
        let mut body = std::mem::take(&mut self.note);
        body.clear();
        line::note_body(&mut body, Timestamp(self.clock.wall_ns()), note);
        body
    }

    fn put_note(&mut self, note: &Note<'_>) {
        let body = self.note_body(note);
        self.chain.put(&mut self.tree, &mut self.buffer, &body);
        self.note = body;
    }

    fn segment_note(&mut self, epoch: u64) {
        let (log, parent) = (self.log_id.clone(), self.chain.head);
        self.put_note(&Note::Segment(SegmentNote {
            log: log.into(),
            epoch,
            parent_seq: parent.seq,
            parent_leaf: parent.leaf,
            key: self.told_key.map(|id| id.to_string()).unwrap_or_default().into(),
        }));
    }

    /// After a line was put: writes or syncs as its priority wants.
    fn settle(&mut self, prio: Priority) -> Result<(), LogError> {
        self.pending = self.pending.saturating_add(1);
        if !self.bulk {
            if prio == Priority::Critical {
                return self.sync();
            }
            if self.pending >= SYNC_EVENTS && self.full_at.is_none() {
                let soonest = self.synced_ns.saturating_add(SYNC_PAUSE_NS);
                // Asked for once in so many events: a clock costs as much as a short line.
                if self.pending.is_multiple_of(SYNC_EVENTS) && self.clock.monotonic_ns() >= soonest
                {
                    return self.unless_full(Log::sync);
                }
                self.deadline_ns = Some(self.deadline_ns.map_or(soonest, |at| at.min(soonest)));
            }
            if self.pending_prio.is_none_or(|p| p < prio) {
                let due = self.clock.monotonic_ns().saturating_add(sync_delay_ns(prio));
                self.pending_prio = Some(prio);
                self.deadline_ns = Some(self.deadline_ns.map_or(due, |at| at.min(due)));
            }
        }
        if self.buffer.len() >= self.full_at.unwrap_or(0) + WRITE_BYTES {
            return self.unless_full(Log::write_out);
        }
        Ok(())
    }

    /// A full disk is no error as long as lines may wait.
    fn unless_full(&mut self, f: fn(&mut Log) -> Result<(), LogError>) -> Result<(), LogError> {
        match f(self) {
            Err(LogError::NoSpace { .. }) => Ok(()),
            other => other,
        }
    }

    fn write_out(&mut self) -> Result<(), LogError> {
        let mut done = 0;
        while done < self.buffer.len() {
            match self.file.write_at(&self.buffer[done..], self.written + done as u64) {
                Ok(0) => return Err(self.refuse("write", &io::ErrorKind::WriteZero.into())),
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if no_space(&e) => return Err(self.full(done)),
                Err(e) => return Err(self.refuse("write", &e)),
            }
        }
        self.written += done as u64;
        self.buffer.clear();
        self.full_at = None;
        Ok(())
    }

    /// The disk took `done` bytes and no more: whole lines stay, the unfinished one is cut off.
    fn full(&mut self, done: usize) -> LogError {
        let whole = memchr::memrchr(b'\n', &self.buffer[..done]).map_or(0, |at| at + 1);
        if let Err(e) = self.file.truncate(self.written + whole as u64) {
            return self.refuse("cut", &e);
        }
        self.cut = true;
        self.written += whole as u64;
        self.buffer.drain(..whole);
        self.full_at = Some(self.buffer.len());
        LogError::NoSpace { path: self.layout.active() }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // Who must know whether it worked calls `sync` first.
        let _ = self.sync();
    }
}

impl Chain {
    /// The tree takes in the last line: from here on that is not taken back.
    fn settle(&self, tree: &mut Option<Growing>) {
        if let Some(tree) = tree
            && tree.size() < self.head.seq
        {
            tree.push(self.head.leaf);
        }
    }

    fn put(&mut self, tree: &mut Option<Growing>, buffer: &mut Vec<u8>, body: &[u8]) -> Position {
        self.settle(tree);
        let at = buffer.len();
        buffer.extend_from_slice(body);
        line::close(buffer, self.head.seq + 1, &self.head.leaf);
        let line = &buffer[at..];
        // Checked at the door: a body is shorter than a line may be.
        let len = u32::try_from(line.len()).unwrap_or(u32::MAX);
        let position = Position { segment: self.segment, offset: self.bytes, len };
        self.head = Head { seq: self.head.seq + 1, leaf: proof::leaf(line) };
        self.bytes += line.len() as u64;
        self.lines += 1;
        position
    }
}

fn check_body(body: &[u8]) -> Result<(), LogError> {
    if body.len() + TAIL_BYTES_MAX > LINE_BYTES_MAX {
        return Err(LogError::TooLong { bytes: body.len() });
    }
    if body.first() != Some(&b'{') || memchr::memchr2(b'\n', 0, body).is_some() {
        return Err(LogError::NotABody);
    }
    Ok(())
}

fn create_active(disk: &dyn Disk, layout: &Layout) -> Result<Box<dyn File>, LogError> {
    let (path, dir) = (layout.active(), layout.log());
    let file = disk.create(&path).map_err(LogError::io("create", &path))?;
    disk.sync_dir(&dir).map_err(LogError::io("sync", &dir))?;
    Ok(file)
}
