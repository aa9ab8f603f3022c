//! `log/checkpoints.jsonl`: one line a seal, kept for ever.
//!
//! A line outlives its block, and stands before its block is made: of the last line the block may
//! be missing. A full file moves to `checkpoints/<its first block, 20 digits>.jsonl` and never
//! changes again, so that a copy of the newest is short.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ghost_event::{Digest, Seq, Timestamp};
use ghost_log::proof::checkpoint::SignedCheckpoint;
use ghost_world::{Disk, File};

use crate::{BlockError, BlockName};

/// The newest lines.
pub(crate) const NEWEST: &str = "checkpoints.jsonl";
/// Where full files go.
const FULL: &str = "checkpoints";

/// A file is full when it has this many bytes: some two thousand seals.
const FILE_BYTES: u64 = 1 << 20;

/// A line is no longer: a note has one signature of ours.
const LINE_BYTES_MAX: usize = 4096;

/// A file that is longer was not written here.
const FILE_BYTES_MAX: u64 = FILE_BYTES + 2 * LINE_BYTES_MAX as u64;

/// Digits of a full file's name.
const DIGITS: usize = 20;

/// One seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) block: u64,
    pub(crate) time: Timestamp,
    pub(crate) first_seq: Seq,
    /// What the note says.
    pub(crate) size: u64,
    pub(crate) root: Digest,
    /// The signed note.
    pub(crate) checkpoint: String,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Written<'a> {
    block: u64,
    #[serde(borrow)]
    time: Cow<'a, str>,
    first_seq: Seq,
    #[serde(borrow)]
    checkpoint: Cow<'a, str>,
}

impl Entry {
    pub(crate) fn name(&self) -> BlockName {
        BlockName::new(self.block, &self.root)
    }

    fn to_line(&self) -> Vec<u8> {
        let time = self.time.text();
        let mut line = serde_json::to_vec(&Written {
            block: self.block,
            time: std::str::from_utf8(&time).unwrap_or_default().into(),
            first_seq: self.first_seq,
            checkpoint: self.checkpoint.as_str().into(),
        })
        .unwrap_or_default();
        line.push(b'\n');
        line
    }

    /// Reads a line without its newline. Signatures are not checked here.
    fn parse(line: &[u8]) -> Option<Entry> {
        if line.len() > LINE_BYTES_MAX {
            return None;
        }
        let read: Written<'_> = serde_json::from_slice(line).ok()?;
        let (size, root) = size_and_root(&read.checkpoint)?;
        (read.block > 0).then_some(Entry {
            block: read.block,
            time: Timestamp::parse(&read.time)?,
            first_seq: read.first_seq,
            size,
            root,
            checkpoint: read.checkpoint.into_owned(),
        })
    }
}

fn size_and_root(note: &str) -> Option<(u64, Digest)> {
    let read = SignedCheckpoint::parse(note.as_bytes()).ok()?;
    Some((read.checkpoint.size, read.checkpoint.root))
}

/// The open file that grows.
#[derive(Debug)]
pub(crate) struct Journal {
    disk: Arc<dyn Disk>,
    log: PathBuf,
    file: Option<Box<dyn File>>,
    len: u64,
    /// The first block of the file, where it has a line.
    first: Option<u64>,
    last: Option<Entry>,
}

impl Journal {
    /// Opens it in a log's folder, and cuts off a torn end: lines of it were never answered for.
    /// Returns how many bytes that were.
    pub(crate) fn open(disk: Arc<dyn Disk>, log: &Path) -> Result<(Journal, u64), BlockError> {
        let path = log.join(NEWEST);
        let mut journal = Journal {
            disk: Arc::clone(&disk),
            log: log.to_owned(),
            file: None,
            len: 0,
            first: None,
            last: None,
        };
        let mut torn = 0;
        match disk.open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(BlockError::io("open", &path)(e)),
            Ok(file) => {
                let bytes = read(&*file, &path)?;
                let entries = Lines(&bytes).each(|(end, line)| (end, Entry::parse(line)));
                let mut whole = 0;
                for (end, entry) in entries {
                    if let Some(entry) = entry {
                        whole = end as u64;
                        journal.first.get_or_insert(entry.block);
                        journal.last = Some(entry);
                    }
                }
                torn = bytes.len() as u64 - whole;
                if torn > 0 {
                    file.truncate(whole).map_err(BlockError::io("cut", &path))?;
                    file.sync().map_err(BlockError::io("sync", &path))?;
                }
                journal.len = whole;
                journal.file = Some(file);
            }
        }
        if journal.last.is_none()
            && let Some(newest) = full_files(&*disk, log)?.last()
        {
            journal.last = entries_of(&*disk, newest)?.pop();
        }
        Ok((journal, torn))
    }

    /// The newest seal.
    pub(crate) fn last(&self) -> Option<&Entry> {
        self.last.as_ref()
    }

    /// Adds a line; durable when the caller syncs it, or does what does.
    pub(crate) fn append(&mut self, entry: Entry, sync: bool) -> Result<(), BlockError> {
        let line = entry.to_line();
        if self.len > 0 && self.len + line.len() as u64 > FILE_BYTES {
            self.put_away()?;
        }
        let path = self.log.join(NEWEST);
        let created = self.file.is_none();
        let file = match self.file.take() {
            Some(file) => file,
            None => self.disk.create(&path).map_err(BlockError::io("create", &path))?,
        };
        let written = write_all(&*file, &line, self.len)
            .and_then(|()| if sync { file.sync() } else { Ok(()) })
            .and_then(|()| if sync && created { self.disk.sync_dir(&self.log) } else { Ok(()) });
        if let Err(e) = written {
            let _ = file.truncate(self.len);
            self.file = Some(file);
            return Err(BlockError::io("write", &path)(e));
        }
        self.file = Some(file);
        self.len += line.len() as u64;
        self.first.get_or_insert(entry.block);
        self.last = Some(entry);
        Ok(())
    }

    /// Takes the newest line back: its block was never made.
    pub(crate) fn take_back(&mut self, before: Option<Entry>) {
        let Some(entry) = self.last.take() else { return };
        let len = self.len.saturating_sub(entry.to_line().len() as u64);
        if self.file.as_ref().is_some_and(|file| file.truncate(len).is_ok()) {
            self.len = len;
            if len == 0 {
                self.first = None;
            }
            self.last = before;
        } else {
            self.last = Some(entry);
        }
    }

    fn put_away(&mut self) -> Result<(), BlockError> {
        let Some(first) = self.first else { return Ok(()) };
        let folder = self.log.join(FULL);
        let (from, to) = (self.log.join(NEWEST), folder.join(format!("{first:0DIGITS$}.jsonl")));
        self.disk.create_dirs(&folder).map_err(BlockError::io("make the folder", &folder))?;
        if let Some(file) = &self.file {
            file.sync().map_err(BlockError::io("sync", &from))?;
        }
        self.disk.rename(&from, &to).map_err(BlockError::io("rename", &from))?;
        (self.file, self.len, self.first) = (None, 0, None);
        for dir in [&folder, &self.log] {
            self.disk.sync_dir(dir).map_err(BlockError::io("sync", dir))?;
        }
        Ok(())
    }
}

/// The full files, oldest first.
fn full_files(disk: &dyn Disk, log: &Path) -> Result<Vec<PathBuf>, BlockError> {
    let folder = log.join(FULL);
    let names = match disk.list(&folder) {
        Ok(names) => names,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(BlockError::io("list", &folder)(e)),
    };
    let ours = names.into_iter().filter(|name| {
        name.strip_suffix(".jsonl")
            .is_some_and(|n| n.len() == DIGITS && n.bytes().all(|c| c.is_ascii_digit()))
    });
    Ok(ours.map(|name| folder.join(name)).collect())
}

fn read(file: &dyn File, path: &Path) -> Result<Vec<u8>, BlockError> {
    let len = file.len().map_err(BlockError::io("look at", path))?;
    let damaged = |what: String| BlockError::Damaged { path: path.to_owned(), what };
    if len > FILE_BYTES_MAX {
        return Err(damaged(format!(
            "it has {len} bytes, and we write {FILE_BYTES} at most; move it away, and another is begun"
        )));
    }
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    let n = file.read_full_at(&mut bytes, 0).map_err(BlockError::io("read", path))?;
    bytes.truncate(n);
    Ok(bytes)
}

pub(crate) fn write_all(file: &dyn File, bytes: &[u8], at: u64) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match file.write_at(&bytes[done..], at + done as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => done += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Lines without their newline, and where each ends with it.
struct Lines<'a>(&'a [u8]);

impl<'a> Lines<'a> {
    fn each<T>(self, mut f: impl FnMut((usize, &'a [u8])) -> T) -> Vec<T> {
        let mut out = Vec::new();
        let mut end = 0;
        for line in self.0.split_inclusive(|c| *c == b'\n') {
            end += line.len();
            if let Some(line) = line.strip_suffix(b"\n") {
                out.push(f((end, line)));
            }
        }
        out
    }
}

/// The lines of one file. Where one of them cannot be read, an error names it; but the last of a
/// file that grows may be unfinished.
fn entries_of(disk: &dyn Disk, path: &Path) -> Result<Vec<Entry>, BlockError> {
    let file = match disk.open_read(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(BlockError::io("open", path)(e)),
    };
    let bytes = read(&*file, path)?;
    let parsed = Lines(&bytes).each(|(_, line)| Entry::parse(line));
    let mut entries = Vec::with_capacity(parsed.len());
    let count = parsed.len();
    for (n, entry) in parsed.into_iter().enumerate() {
        match entry {
            Some(entry) => entries.push(entry),
            None if n + 1 == count => {}
            None => {
                let what =
                    format!("line {} is no checkpoint of a block; blocks have copies", n + 1);
                return Err(BlockError::Damaged { path: path.to_owned(), what });
            }
        }
    }
    Ok(entries)
}

/// The newest `max` seals, oldest first.
pub(crate) fn newest(
    disk: &dyn Disk,
    log: &Path,
    max: usize,
) -> Result<VecDeque<Entry>, BlockError> {
    let mut files = full_files(disk, log)?;
    files.push(log.join(NEWEST));
    let mut found = VecDeque::new();
    while found.len() < max
        && let Some(path) = files.pop()
    {
        let entries = entries_of(disk, &path)?;
        for entry in entries.into_iter().rev().take(max - found.len()) {
            found.push_front(entry);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use ghost_log::proof::checkpoint::Checkpoint;
    use ghost_log::proof::key::SigningKey;
    use ghost_world::{Fault, SimDisk};

    use super::*;

    fn entry(block: u64) -> Entry {
        let root = Digest([u8::try_from(block % 251).unwrap(); 32]);
        let origin = "test/ghostbridge/0123456789abcdef0123456789abcdef".to_owned();
        let checkpoint =
            Checkpoint { origin: origin.clone(), size: block * 10, root, extensions: Vec::new() };
        let key = SigningKey::new(&origin, [7; 32]).unwrap();
        Entry {
            block,
            time: Timestamp(1_700_000_000_000_000_000 + i64::try_from(block).unwrap() * 1000),
            first_seq: 1,
            size: block * 10,
            root,
            checkpoint: checkpoint.sign(&key).unwrap(),
        }
    }

    fn disk() -> (SimDisk, Arc<dyn Disk>, PathBuf) {
        let disk = SimDisk::new();
        let log = PathBuf::from("/data/log");
        disk.create_dirs(&log).unwrap();
        (disk.clone(), Arc::new(disk), log)
    }

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let entry = entry(3);
        let line = entry.to_line();
        assert_eq!(Entry::parse(line.strip_suffix(b"\n").unwrap()), Some(entry));
    }

    #[test]
    fn any_bytes_are_an_entry_or_refused() {
        let line = entry(3).to_line();
        bolero::check!().with_type::<(Vec<u8>, u16, u8)>().for_each(|(bytes, at, with)| {
            drop(Entry::parse(bytes));
            let mut near = line[..line.len() - 1].to_vec();
            let at = usize::from(*at) % near.len();
            near[at] = *with;
            if let Some(read) = Entry::parse(&near) {
                let again = read.to_line();
                assert_eq!(Entry::parse(&again[..again.len() - 1]), Some(read));
            }
        });
    }

    #[test]
    fn a_torn_end_is_cut_off_at_any_byte_and_what_stood_before_stays() {
        let (sim, disk, log) = disk();
        let (mut journal, _) = Journal::open(Arc::clone(&disk), &log).unwrap();
        for block in 1..=3 {
            journal.append(entry(block), true).unwrap();
        }
        let path = log.join(NEWEST);
        let whole = sim.bytes(&path).unwrap();
        let two = whole.len() - entry(3).to_line().len();
        for cut in two..whole.len() {
            for tail in [&b""[..], b"\0\0\0\n"] {
                let torn = [&whole[..cut], tail].concat();
                sim.put(&path, &torn);
                let (journal, lost) = Journal::open(Arc::clone(&disk), &log).unwrap();
                assert_eq!(journal.last(), Some(&entry(2)), "at {cut}");
                assert_eq!(lost as usize, torn.len() - two);
                assert_eq!(newest(&*disk, &log, 9).unwrap(), [entry(1), entry(2)]);
            }
        }
    }

    #[test]
    fn a_damaged_line_in_the_middle_is_named_and_cuts_nothing_off() {
        let (sim, disk, log) = disk();
        let (mut journal, _) = Journal::open(Arc::clone(&disk), &log).unwrap();
        for block in 1..=3 {
            journal.append(entry(block), true).unwrap();
        }
        let path = log.join(NEWEST);
        let mut bytes = sim.bytes(&path).unwrap();
        let at = entry(1).to_line().len() + 5;
        bytes[at] = 0;
        sim.put(&path, &bytes);
        let (journal, torn) = Journal::open(Arc::clone(&disk), &log).unwrap();
        assert_eq!((journal.last(), torn), (Some(&entry(3)), 0));
        let said = newest(&*disk, &log, 9).unwrap_err().to_string();
        assert!(said.contains("line 2") && said.contains(NEWEST), "{said}");
    }

    #[test]
    fn full_files_are_put_away_and_found_again() {
        let (_, disk, log) = disk();
        let (mut journal, _) = Journal::open(Arc::clone(&disk), &log).unwrap();
        let line = entry(1).to_line().len() as u64;
        let count = 2 * FILE_BYTES / line + 10;
        for block in 1..=count {
            journal.append(entry(block), false).unwrap();
        }
        assert_eq!(full_files(&*disk, &log).unwrap().len(), 2);
        let (mut again, torn) = Journal::open(Arc::clone(&disk), &log).unwrap();
        assert_eq!((again.last().map(|e| e.block), torn), (Some(count), 0));
        let all = newest(&*disk, &log, usize::MAX).unwrap();
        assert!(all.iter().map(|e| e.block).eq(1..=count));
        let few = newest(&*disk, &log, 15).unwrap();
        assert!(few.iter().map(|e| e.block).eq(count - 14..=count));
        // Cut off between putting a file away and beginning the next.
        again.put_away().unwrap();
        let (mut cut, _) = Journal::open(Arc::clone(&disk), &log).unwrap();
        assert_eq!(cut.last().map(|e| e.block), Some(count));
        cut.append(entry(count + 1), true).unwrap();
        assert_eq!(newest(&*disk, &log, 1).unwrap(), [entry(count + 1)]);
    }

    #[test]
    fn a_line_that_found_no_room_or_no_block_is_as_if_it_had_not_been() {
        let (sim, disk, log) = disk();
        let (mut journal, _) = Journal::open(Arc::clone(&disk), &log).unwrap();
        journal.append(entry(1), true).unwrap();
        let len = sim.bytes(&log.join(NEWEST)).unwrap().len() as u64;
        sim.set(Fault::Capacity(len + 10));
        let failed = journal.append(entry(2), true).unwrap_err();
        assert!(failed.is_no_space(), "{failed}");
        sim.heal();
        assert_eq!(journal.last(), Some(&entry(1)));
        journal.append(entry(2), true).unwrap();
        journal.take_back(Some(entry(1)));
        journal.append(entry(3), true).unwrap();
        assert_eq!(newest(&*disk, &log, 9).unwrap(), [entry(1), entry(3)]);
    }
}
