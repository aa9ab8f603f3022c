//! What lies where: the segments of the newest block, and those that the tail goes on with.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ghost_block::BlockName;
use ghost_event::Seq;
use ghost_event::line::{LINE_BYTES_MAX, Tail};
use ghost_world::{Disk, File};

use crate::dir::newest_block;
use crate::limits::READ_BYTES;

/// Bytes of one segment that stand in the tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    segment: Seq,
    /// Where in the segment it begins.
    at: u64,
    /// Where in the tail's file.
    from: u64,
    len: u64,
}

/// The log as it was when it was last looked at.
#[derive(Debug, Default)]
pub(super) struct View {
    block: Option<BlockName>,
    /// Segments of the block, by their first lines, with their bytes.
    segments: BTreeMap<Seq, u64>,
    /// The newest line of the block, and then of the tail.
    last: Seq,
    /// The segment that grows; 0 where there is none yet.
    active: Seq,
    /// Of the block alone: its active segment.
    block_active: Seq,
    tail: Option<Arc<dyn File>>,
    /// How far of the tail's file was looked through.
    seen: u64,
    pieces: Vec<Piece>,
    /// Block files that are open.
    open: Vec<(Seq, Arc<dyn File>)>,
}

/// More are not kept open.
const OPEN_FILES: usize = 16;

impl View {
    /// Looks again.
    pub(super) fn look(&mut self, disk: &dyn Disk, path: &Path) -> io::Result<()> {
        // The tail first: it loses lines only after a block that has them got its name.
        let tail = match disk.open_read(&path.join("tail/lines.jsonl")) {
            Ok(file) => Some(Arc::from(file)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(e),
        };
        let newest = newest_block(disk, path);
        let shorter = match &tail {
            Some(file) => File::len(&**file)? < self.seen,
            None => self.seen > 0,
        };
        if newest != self.block || shorter {
            *self = View::of_block(disk, path, newest)?;
        }
        self.tail = tail;
        if self.look_on()? {
            return Ok(());
        }
        // The tail is another one than before: from its beginning.
        let tail = self.tail.take();
        *self = View::of_block(disk, path, newest)?;
        self.tail = tail;
        self.look_on().map(drop)
    }

    fn of_block(disk: &dyn Disk, path: &Path, block: Option<BlockName>) -> io::Result<View> {
        let mut view = View { block, ..View::default() };
        let Some(folder) = view.folder(path) else { return Ok(view) };
        let names = match disk.list(&folder.join("segments")) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            other => other?,
        };
        for name in names {
            let Some(first) = segment_of(&name) else { continue };
            let file = disk.open_read(&folder.join("segments").join(&name))?;
            view.segments.insert(first, file.len()?);
        }
        let mut newest = view.segments.last_key_value().map(|(first, _)| *first);
        match disk.open_read(&folder.join("events.jsonl")) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
            Ok(file) => {
                if let Some(first) = first_line(&*file)? {
                    view.segments.insert(first, file.len()?);
                    newest = Some(first);
                    view.block_active = first;
                }
            }
        }
        if let Some(first) = newest {
            view.active = first;
            view.last = match view.file(disk, path, first)? {
                Some(file) => last_line(&*file)?.unwrap_or(first),
                None => first,
            };
        }
        Ok(view)
    }

    fn folder(&self, path: &Path) -> Option<PathBuf> {
        Some(path.join("blocks").join(self.block?.to_string()))
    }

    pub(super) fn block_folder(&self, path: &Path) -> Option<PathBuf> {
        self.folder(path)
    }

    /// Looks through what the tail has gained; false where it does not go on where it ended.
    fn look_on(&mut self) -> io::Result<bool> {
        let Some(tail) = self.tail.clone() else { return Ok(self.seen == 0) };
        let mut block = Vec::new();
        loop {
            let len = tail.len()?.saturating_sub(self.seen);
            if len == 0 {
                return Ok(true);
            }
            let wanted = usize::try_from(len).unwrap_or(READ_BYTES).min(READ_BYTES);
            block.resize(wanted.max(block.len()), 0);
            let n = tail.read_full_at(&mut block, self.seen)?;
            let mut from = 0;
            for end in memchr::memchr_iter(b'\n', block.get(..n).unwrap_or_default()) {
                let line = block.get(from..=end).unwrap_or_default();
                if !self.line(line) {
                    return Ok(false);
                }
                from = end + 1;
            }
            if from == 0 {
                if n < block.len() || block.len() >= LINE_BYTES_MAX {
                    // Its last line is being written, or it is damaged: what is before it is shown.
                    return Ok(true);
                }
                let more = block.len().saturating_mul(2).min(LINE_BYTES_MAX);
                block.resize(more, 0);
            }
        }
    }

    /// Takes in the next line of the tail; false where it is another one than should come.
    fn line(&mut self, line: &[u8]) -> bool {
        let Some(tail) = Tail::of(line) else { return false };
        let (from, len) = (self.seen, line.len() as u64);
        if tail.seq <= self.last && self.pieces.is_empty() {
            // The block has it.
            self.seen += len;
            return true;
        }
        if self.last != 0 && Some(tail.seq) != self.last.checked_add(1) {
            return false;
        }
        let begins = self.active == 0 || is_segment(line);
        if begins {
            self.active = tail.seq;
        }
        let joins = |p: &&mut Piece| p.segment == self.active && p.from + p.len == from;
        match self.pieces.last_mut().filter(joins) {
            Some(piece) => piece.len += len,
            None => {
                let at = self.segments.get(&self.active).copied().unwrap_or(0);
                self.pieces.push(Piece { segment: self.active, at, from, len });
            }
        }
        self.last = tail.seq;
        self.seen += len;
        true
    }

    /// First lines of the sealed segments, and of the one that grows.
    pub(super) fn sealed(&self) -> Vec<Seq> {
        let mut all: Vec<Seq> = self.segments.keys().copied().collect();
        all.extend(self.pieces.iter().map(|p| p.segment));
        all.dedup();
        all.retain(|first| *first != self.active);
        all
    }

    pub(super) fn active(&self) -> Option<Seq> {
        (self.active != 0).then_some(self.active)
    }

    pub(super) fn has(&self, segment: Seq) -> bool {
        self.segments.contains_key(&segment) || self.pieces.iter().any(|p| p.segment == segment)
    }

    pub(super) fn len(&self, segment: Seq) -> u64 {
        let in_tail = self.pieces.iter().find(|p| p.segment == segment).map(|p| p.at + p.len);
        in_tail.or_else(|| self.segments.get(&segment).copied()).unwrap_or(0)
    }

    /// Reads of a segment; 0 at its end as it is known.
    pub(super) fn read(
        &mut self,
        disk: &dyn Disk,
        path: &Path,
        segment: Seq,
        buffer: &mut [u8],
        offset: u64,
    ) -> io::Result<usize> {
        let in_block = self.segments.get(&segment).copied().unwrap_or(0);
        if offset < in_block {
            let Some(file) = self.file(disk, path, segment)? else { return Ok(0) };
            return file.read_at(fit(buffer, in_block - offset), offset);
        }
        let Some(piece) = self.pieces.iter().find(|p| p.segment == segment) else { return Ok(0) };
        let Some(skip) = offset.checked_sub(piece.at).filter(|skip| *skip < piece.len) else {
            return Ok(0);
        };
        let Some(tail) = &self.tail else { return Ok(0) };
        tail.read_at(fit(buffer, piece.len - skip), piece.from + skip)
    }

    fn file(
        &mut self,
        disk: &dyn Disk,
        path: &Path,
        segment: Seq,
    ) -> io::Result<Option<Arc<dyn File>>> {
        if let Some((_, file)) = self.open.iter().find(|(s, _)| *s == segment) {
            return Ok(Some(Arc::clone(file)));
        }
        let Some(folder) = self.folder(path) else { return Ok(None) };
        let name = if segment == self.block_active {
            folder.join("events.jsonl")
        } else {
            folder.join("segments").join(segment_name(segment))
        };
        let file: Arc<dyn File> = Arc::from(disk.open_read(&name)?);
        if self.open.len() >= OPEN_FILES {
            self.open.remove(0);
        }
        self.open.push((segment, Arc::clone(&file)));
        Ok(Some(file))
    }
}

fn fit(buffer: &mut [u8], len: u64) -> &mut [u8] {
    let n = usize::try_from(len).unwrap_or(usize::MAX).min(buffer.len());
    buffer.get_mut(..n).unwrap_or_default()
}

/// Whether a line is the first of a segment, which says so.
pub(crate) fn is_segment(line: &[u8]) -> bool {
    const KEY: &[u8] = b"\"event_type\":\"segment\"";
    // All notes begin with a time and their kind.
    memchr::memmem::find(line.get(..96).unwrap_or(line), KEY).is_some()
}

/// The first line of the segment of that name.
pub(crate) fn segment_of(name: &str) -> Option<Seq> {
    let digits = name.strip_suffix(".jsonl")?;
    let plain = digits.len() == 20 && digits.bytes().all(|c| c.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

pub(crate) fn segment_name(first: Seq) -> String {
    format!("{first:020}.jsonl")
}

/// The number of a file's first line.
pub(crate) fn first_line(file: &dyn File) -> io::Result<Option<Seq>> {
    let mut start = vec![0; 4096];
    loop {
        let n = file.read_full_at(&mut start, 0)?;
        let read = start.get(..n).unwrap_or_default();
        match memchr::memchr(b'\n', read) {
            Some(end) => return Ok(read.get(..=end).and_then(Tail::of).map(|tail| tail.seq)),
            None if n == start.len() && n < LINE_BYTES_MAX => start.resize(n * 8, 0),
            None => return Ok(None),
        }
    }
}

/// The number of a file's last whole line.
pub(crate) fn last_line(file: &dyn File) -> io::Result<Option<Seq>> {
    let len = file.len()?;
    let mut window = 4096_u64;
    loop {
        let from = len.saturating_sub(window);
        let mut bytes = vec![0; usize::try_from(len - from).unwrap_or(0)];
        let n = file.read_full_at(&mut bytes, from)?;
        let read = bytes.get(..n).unwrap_or_default();
        if let Some(end) = memchr::memrchr(b'\n', read) {
            let begin = memchr::memrchr(b'\n', read.get(..end).unwrap_or_default());
            if begin.is_some() || from == 0 {
                let line = read.get(begin.map_or(0, |at| at + 1)..=end).unwrap_or_default();
                return Ok(Tail::of(line).map(|tail| tail.seq));
            }
        }
        if from == 0 || window > 4 * LINE_BYTES_MAX as u64 {
            return Ok(None);
        }
        window *= 8;
    }
}
