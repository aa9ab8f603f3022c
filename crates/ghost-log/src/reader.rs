//! Lines found again: in order from any number on, or one by its place.
//!
//! A reader takes no lock and may follow a log that is being written: what stands there without its
//! newline is not there yet. It starts at the oldest line that is left, and says so. It checks the
//! form of what it gives out, not the chain: that is `verify`.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use ghost_event::Seq;
use ghost_event::line::{LINE_BYTES_MAX, Tail};
use ghost_world::{Disk, File, RealDisk};

use crate::error::LogError;
use crate::imports::Imports;
use crate::layout::Layout;
use crate::limits::OPEN_FILES;
use crate::recover::sealed;
use crate::scan::{self, Piece, Scanner};
use crate::verify::{Damage, DamageKind};

/// How often a segment is looked for that is retired while it is looked for.
const RACES_MAX: u32 = 8;

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// The first line of its segment, which names the segment.
    pub segment: Seq,
    pub offset: u64,
    /// With its newline.
    pub len: u32,
}

/// One line, as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    pub seq: Seq,
    pub position: Position,
    /// With its newline.
    pub bytes: &'a [u8],
}

/// Reads a log.
#[derive(Debug)]
pub struct LogReader {
    disk: Arc<dyn Disk>,
    layout: Layout,
    /// Files that were read last, newest at the end.
    open: Mutex<VecDeque<(Seq, Arc<dyn File>)>>,
}

impl LogReader {
    /// A reader of the log under the data folder.
    #[must_use]
    pub fn open(data: &Path) -> LogReader {
        LogReader::open_on(Arc::new(RealDisk), data)
    }

    /// The same on any disk.
    #[must_use]
    pub fn open_on(disk: Arc<dyn Disk>, data: &Path) -> LogReader {
        LogReader::at(disk, Layout::new(data))
    }

    /// The log of any layout, as a block's.
    #[must_use]
    pub fn at(disk: Arc<dyn Disk>, layout: Layout) -> LogReader {
        LogReader { disk, layout, open: Mutex::default() }
    }

    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The oldest line that is left; `None` in an empty log.
    pub fn first_seq(&self) -> Result<Option<Seq>, LogError> {
        match sealed(&*self.disk, &self.layout)?.first() {
            Some(first) => Ok(Some(*first)),
            None => Ok(active(&*self.disk, &self.layout)?.map(|(first, _)| first)),
        }
    }

    /// The newest whole line; `None` in an empty log.
    pub fn last_seq(&self) -> Result<Option<Seq>, LogError> {
        // Twice: between the two looks the active segment may have been sealed.
        for _ in 0..2 {
            let active = self.layout.active();
            if let Some(seq) = self.last_of(&active)? {
                return Ok(Some(seq));
            }
            if let Some(first) = sealed(&*self.disk, &self.layout)?.last()
                && let Some(seq) = self.last_of(&self.layout.segment(*first))?
            {
                return Ok(Some(seq));
            }
        }
        Ok(None)
    }

    fn last_of(&self, path: &Path) -> Result<Option<Seq>, LogError> {
        let read = || -> io::Result<Option<Seq>> {
            let file = match self.disk.open_read(path) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
                other => other?,
            };
            let Some(end) = scan::end_of_lines(&*file, file.len()?)? else { return Ok(None) };
            let line = scan::last_line(&*file, end)?;
            Ok(line.and_then(|(_, line)| Tail::of(&line)).map(|tail| tail.seq))
        };
        read().map_err(LogError::io("read", path))
    }

    /// The first line of the active segment.
    pub(crate) fn active_first(&self) -> Result<Option<Seq>, LogError> {
        Ok(active(&*self.disk, &self.layout)?.map(|(first, _)| first))
    }

    /// The file of a segment, sealed or active.
    pub(crate) fn segment_file(&self, segment: Seq) -> Result<Option<Box<dyn File>>, LogError> {
        segment_file(&*self.disk, &self.layout, segment)
    }

    /// Lines from number `from` on, where line `next` is known to begin at `offset` of a segment.
    pub(crate) fn lines_at(&self, segment: Seq, offset: u64, next: Seq, from: Seq) -> Lines {
        let mut lines = self.lines(from);
        if let Ok(Some(file)) = self.segment_file(segment) {
            lines.segment = segment;
            lines.next = next;
            lines.scanner = Some(Scanner::new(file, offset));
        }
        lines
    }

    /// Lines from number `from` on, or from the oldest that is left.
    pub fn lines(&self, from: Seq) -> Lines {
        Lines {
            disk: Arc::clone(&self.disk),
            layout: self.layout.clone(),
            scanner: None,
            segment: 0,
            next: 0,
            from,
        }
    }

    /// The line that stands at a place.
    pub fn read_at(&self, at: Position) -> Result<Vec<u8>, LogError> {
        let wrong = || LogError::NoSuchLine { segment: at.segment, offset: at.offset };
        let len = at.len as usize;
        if len > LINE_BYTES_MAX {
            return Err(wrong());
        }
        let file = self.file(at.segment)?.ok_or_else(wrong)?;
        let mut line = vec![0; len];
        let n = file
            .read_full_at(&mut line, at.offset)
            .map_err(LogError::io("read", &self.layout.segment(at.segment)))?;
        if n < len || Tail::of(&line).is_none() {
            return Err(wrong());
        }
        Ok(line)
    }

    /// Every import that the log tells of, by reading all of it.
    pub fn imports(&self) -> Result<Imports, LogError> {
        let mut imports = Imports::default();
        let mut lines = self.lines(0);
        while let Some(line) = lines.next()? {
            if scan::is_note(line.bytes) && scan::event_type(line.bytes) == b"import" {
                imports.take_line(line.bytes);
            }
        }
        Ok(imports)
    }

    /// The imports that `state/imports.jsonl` tells of: read at once, and all of them unless that copy
    /// was lost.
    pub fn journal(&self) -> Result<Imports, LogError> {
        let path = self.layout.imports();
        let file = match self.disk.open_read(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Imports::default()),
            Err(e) => return Err(LogError::io("open", &path)(e)),
        };
        let mut imports = Imports::default();
        let mut scanner = Scanner::new(file, 0);
        while let Some(Piece::Line(line)) = scanner.next().map_err(LogError::io("read", &path))? {
            imports.take_line(line);
        }
        Ok(imports)
    }

    /// The events that stand in the log of the import that line `begin` began.
    pub fn events_of_import(&self, begin: Seq) -> Result<u64, LogError> {
        let mut count = 0;
        let mut lines = self.lines(begin);
        while let Some(line) = lines.next()? {
            count += u64::from(is_event_of_import(line.bytes, begin));
        }
        Ok(count)
    }

    fn file(&self, segment: Seq) -> Result<Option<Arc<dyn File>>, LogError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = open.iter().position(|(s, _)| *s == segment) {
            if at + 1 != open.len()
                && let Some(file) = open.remove(at)
            {
                open.push_back(file);
            }
            return Ok(open.back().map(|(_, file)| Arc::clone(file)));
        }
        let Some(file) = segment_file(&*self.disk, &self.layout, segment)? else {
            return Ok(None);
        };
        let file: Arc<dyn File> = Arc::from(file);
        if open.len() >= OPEN_FILES {
            open.pop_front();
        }
        open.push_back((segment, Arc::clone(&file)));
        Ok(Some(file))
    }
}

/// Whether a line is an event of the import that line `begin` began.
#[must_use]
pub fn is_event_of_import(line: &[u8], begin: Seq) -> bool {
    const KEY: &[u8] = b",\"import\":";
    if scan::is_note(line) {
        return false;
    }
    // In a string the quotes would be escaped: the key stands where a key stands.
    let Some(at) = memchr::memmem::find(line, KEY) else { return false };
    let rest = &line[at + KEY.len()..];
    let digits = rest.iter().take_while(|c| c.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok().and_then(|d| d.parse().ok()) == Some(begin)
}

/// The file of a segment, sealed or active.
fn segment_file(
    disk: &dyn Disk,
    layout: &Layout,
    segment: Seq,
) -> Result<Option<Box<dyn File>>, LogError> {
    // Twice: between the two looks the active segment may have been sealed.
    for _ in 0..2 {
        let path = layout.segment(segment);
        match disk.open_read(&path) {
            Ok(file) => return Ok(Some(file)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(LogError::io("open", &path)(e)),
        }
        if let Some((first, file)) = active(disk, layout)?
            && first == segment
        {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// A segment's first line, and its file.
type Opened = (Seq, Box<dyn File>);

/// The active segment and its first line; `None` where there is no whole line in it.
fn active(disk: &dyn Disk, layout: &Layout) -> Result<Option<Opened>, LogError> {
    let path = layout.active();
    let file = match disk.open_read(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(LogError::io("open", &path)(e)),
    };
    let mut start = vec![0; 4096];
    loop {
        let n = file.read_full_at(&mut start, 0).map_err(LogError::io("read", &path))?;
        match memchr::memchr(b'\n', &start[..n]) {
            Some(end) => {
                let first = Tail::of(&start[..=end]).map(|t| t.seq);
                return Ok(first.map(|seq| (seq, file)));
            }
            None if n == start.len() && n < LINE_BYTES_MAX => start.resize(n * 8, 0),
            None => return Ok(None),
        }
    }
}

/// Lines in their order; asked again after the end, it goes on with what was written since.
#[derive(Debug)]
pub struct Lines {
    disk: Arc<dyn Disk>,
    layout: Layout,
    scanner: Option<Scanner>,
    segment: Seq,
    /// The number that the next line must have; 0 before the first.
    next: Seq,
    from: Seq,
}

impl Lines {
    /// The next line, or `None` at the end as it is now.
    #[expect(clippy::should_implement_trait, reason = "each line borrows from the reader")]
    pub fn next(&mut self) -> Result<Option<Line<'_>>, LogError> {
        let (seq, offset) = loop {
            if self.scanner.is_none() && !self.first()? {
                return Ok(None);
            }
            match self.step()? {
                Some(found) => break found,
                None => {
                    if !self.advance()? {
                        return Ok(None);
                    }
                }
            }
        };
        let bytes = self.scanner.as_ref().map_or(&[][..], Scanner::current);
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Ok(Some(Line { seq, position: Position { segment: self.segment, offset, len }, bytes }))
    }

    /// The next wanted line of the open segment, left in the scanner: its number and its offset.
    fn step(&mut self) -> Result<Option<(Seq, u64)>, LogError> {
        let segment = self.segment;
        let Some(scanner) = self.scanner.as_mut() else { return Ok(None) };
        loop {
            let byte = scanner.offset();
            let damage =
                |kind, seq| Err(LogError::Damaged(Damage { kind, seq, segment, line: 0, byte }));
            let piece =
                scanner.next().map_err(LogError::io("read", &self.layout.segment(segment)))?;
            let tail = match piece {
                None | Some(Piece::Unfinished(_)) => return Ok(None),
                Some(Piece::TooLong(_)) => return damage(DamageKind::Malformed, self.next),
                Some(Piece::Line(line)) => Tail::of(line),
            };
            let Some(tail) = tail else { return damage(DamageKind::Malformed, self.next) };
            if self.next != 0 && tail.seq != self.next {
                let kind = DamageKind::Dropped { from: self.next, to: tail.seq.saturating_sub(1) };
                return damage(kind, tail.seq);
            }
            self.next = tail.seq.saturating_add(1);
            if tail.seq >= self.from {
                return Ok(Some((tail.seq, byte)));
            }
        }
    }

    /// Opens the segment that holds `from`, or the oldest.
    fn first(&mut self) -> Result<bool, LogError> {
        // Again where the one that was found is retired before it is opened.
        for _ in 0..RACES_MAX {
            let sealed = sealed(&*self.disk, &self.layout)?;
            if let Some((first, file)) = active(&*self.disk, &self.layout)?
                && (first <= self.from || sealed.is_empty())
            {
                self.segment = first;
                self.scanner = Some(Scanner::new(file, 0));
                return Ok(true);
            }
            let older = sealed.iter().rev().find(|s| **s <= self.from);
            let Some(first) = older.or(sealed.first()) else { return Ok(false) };
            if self.open(*first)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// At the end of a segment: goes to the next, where this one was sealed, or sealed and retired.
    fn advance(&mut self) -> Result<bool, LogError> {
        let sealed_now = sealed(&*self.disk, &self.layout)?;
        let active = active(&*self.disk, &self.layout)?;
        let is_active = active.as_ref().is_none_or(|(first, _)| *first == self.segment);
        if is_active && !sealed_now.contains(&self.segment) {
            return Ok(false);
        }
        // Lines may have come between the last look and the sealing. The file is still open,
        // whatever became of its name.
        let path = self.layout.segment(self.segment);
        let segment = self.segment;
        if let Some(scanner) = self.scanner.as_mut() {
            let at = scanner.offset();
            if at < scanner.len().map_err(LogError::io("read", &path))? {
                let piece = scanner.next().map_err(LogError::io("read", &path))?;
                if matches!(piece, Some(Piece::Unfinished(_)) | None) {
                    return Err(LogError::Damaged(Damage {
                        kind: DamageKind::Malformed,
                        seq: self.next,
                        segment,
                        line: 0,
                        byte: at,
                    }));
                }
                scanner.seek(at);
                return Ok(true);
            }
        }
        if sealed_now.contains(&self.next) {
            return self.open(self.next);
        }
        if let Some((first, file)) = active
            && first == self.next
        {
            self.segment = first;
            self.scanner = Some(Scanner::new(file, 0));
            return Ok(true);
        }
        // The next one may have been sealed between the two looks.
        let sealed = sealed(&*self.disk, &self.layout)?;
        if sealed.contains(&self.next) {
            return self.open(self.next);
        }
        let oldest = match sealed.first() {
            Some(first) => Some(*first),
            None => self::active(&*self.disk, &self.layout)?.map(|(first, _)| first),
        };
        match (oldest, sealed.iter().find(|s| **s > self.segment)) {
            (Some(first), _) if first > self.next => Err(LogError::Gone { seq: self.next, first }),
            // The next segment does not begin where this one ended: its first line says so.
            (_, Some(next)) => self.open(*next),
            (_, None) => Ok(false),
        }
    }

    fn open(&mut self, segment: Seq) -> Result<bool, LogError> {
        self.open_from(segment, 0)
    }

    fn open_from(&mut self, segment: Seq, offset: u64) -> Result<bool, LogError> {
        let Some(file) = segment_file(&*self.disk, &self.layout, segment)? else {
            return Ok(false);
        };
        self.segment = segment;
        self.scanner = Some(Scanner::new(file, offset));
        Ok(true)
    }
}
