//! The tail's file: raw lines that run ahead of the blocks, durable before they are acknowledged.
//!
//! Promised: what [`Tail::append`] answered `Ok` for is there after a power cut. Lines that a block
//! has go when the file is made anew and renamed into place, so that whoever reads it meanwhile
//! reads on.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ghost_event::Seq;
use ghost_event::line::{LINE_BYTES_MAX, Tail as LineTail};
use ghost_world::{Disk, File};

use crate::ReplicaError;
use crate::kept::write_all;
use crate::limits::READ_BYTES;

/// The file, and where each of its lines ends.
#[derive(Debug)]
pub(crate) struct Tail {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: Box<dyn File>,
    /// The number of its first line; 0 where it has none.
    first: Seq,
    ends: Vec<u64>,
    /// A write or a sync failed: nobody knows what stands there.
    broken: bool,
}

/// What was found in a file that was not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    Whole,
    /// So many bytes of a line whose end never came: it was never acknowledged.
    Torn(u64),
    /// From this byte on stands something else than lines in a row.
    Damaged(u64),
}

impl Tail {
    /// Opens it, or makes it. What is torn is cut off.
    pub(crate) fn open(disk: &Arc<dyn Disk>, path: &Path) -> Result<(Tail, Found), ReplicaError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let open = || -> io::Result<Box<dyn File>> {
            disk.create_dirs(folder)?;
            match disk.remove(&new_of(path)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
            match disk.open(path) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    let file = disk.create(path)?;
                    disk.sync_dir(folder)?;
                    Ok(file)
                }
                other => other,
            }
        };
        let file = open().map_err(ReplicaError::io("open", path))?;
        let disk = Arc::clone(disk);
        let mut tail =
            Tail { disk, path: path.to_owned(), file, first: 0, ends: Vec::new(), broken: false };
        let found = tail.scan().map_err(ReplicaError::io("read", path))?;
        if let Found::Torn(_) = found {
            tail.cut(tail.len()).map_err(ReplicaError::io("cut off the end of", path))?;
        }
        Ok((tail, found))
    }

    fn scan(&mut self) -> io::Result<Found> {
        let len = self.file.len()?;
        let mut buffer = vec![0; READ_BYTES.max(LINE_BYTES_MAX) + 1];
        let mut at = 0;
        while at < len {
            let n = self.file.read_full_at(&mut buffer, at)?;
            let read = buffer.get(..n).unwrap_or_default();
            let mut from = 0;
            for end in memchr::memchr_iter(b'\n', read) {
                let line = read.get(from..=end).unwrap_or_default();
                let seq = LineTail::of(line).map(|tail| tail.seq);
                let wanted = if self.first == 0 { seq } else { self.last().checked_add(1) };
                if seq.is_none() || seq != wanted || line.len() > LINE_BYTES_MAX {
                    return Ok(Found::Damaged(at + from as u64));
                }
                if self.first == 0 {
                    self.first = seq.unwrap_or(0);
                }
                from = end + 1;
                self.ends.push(at + from as u64);
            }
            if from == 0 {
                let is_end = at + n as u64 >= len && n <= LINE_BYTES_MAX;
                return Ok(if is_end { Found::Torn(n as u64) } else { Found::Damaged(at) });
            }
            at += from as u64;
        }
        Ok(Found::Whole)
    }

    /// The number of its last line; 0 where it has none.
    pub(crate) fn last(&self) -> Seq {
        match self.ends.len() as u64 {
            0 => 0,
            n => self.first + n - 1,
        }
    }

    pub(crate) fn first(&self) -> Seq {
        self.first
    }

    /// Bytes of its lines.
    pub(crate) fn len(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Adds whole lines that begin with number `first`, and makes them durable. After an error of the
    /// disk it is to be opened anew, unless only room was missing.
    pub(crate) fn append(&mut self, first: Seq, lines: &[u8]) -> io::Result<()> {
        let at = self.len();
        if let Err(error) = write_all(&*self.file, lines, at) {
            // What was written of it must not be taken for a line later.
            if self.cut(at).is_err() {
                self.broken = true;
            }
            return Err(error);
        }
        if let Err(error) = self.file.sync() {
            self.broken = true;
            return Err(error);
        }
        if self.ends.is_empty() {
            self.first = first;
        }
        self.ends.extend(memchr::memchr_iter(b'\n', lines).map(|end| at + end as u64 + 1));
        Ok(())
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.file.truncate(len)?;
        self.file.sync()
    }

    /// Keeps only the lines before number `seq`: what comes after was damaged.
    pub(crate) fn cut_from(&mut self, seq: Seq) -> io::Result<()> {
        let keep = seq.checked_sub(self.first).and_then(|n| usize::try_from(n).ok());
        self.ends.truncate(keep.unwrap_or(0));
        let len = self.len();
        if self.ends.is_empty() {
            self.first = 0;
        }
        self.cut(len)
    }

    /// Where a line begins and ends.
    fn place(&self, seq: Seq) -> Option<(u64, u64)> {
        let nth = usize::try_from(seq.checked_sub(self.first)?).ok()?;
        let end = *self.ends.get(nth)?;
        let from = nth.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        Some((from.unwrap_or(0), end))
    }

    /// One line, with its newline.
    pub(crate) fn line(&self, seq: Seq) -> Option<Vec<u8>> {
        let (from, end) = self.place(seq)?;
        let mut line = vec![0; usize::try_from(end - from).ok()?];
        let n = self.file.read_full_at(&mut line, from).ok()?;
        (n == line.len()).then_some(line)
    }

    /// The lines from number `from` on, as many whole ones as `bytes` has room for, but one at least.
    pub(crate) fn lines(&self, from: Seq, bytes: u64, count: usize) -> io::Result<Vec<u8>> {
        let Some((begin, first_end)) = self.place(from) else { return Ok(Vec::new()) };
        let nth = usize::try_from(from - self.first).unwrap_or(usize::MAX);
        let within = self.ends.get(nth..).unwrap_or_default().iter().take(count.max(1));
        let end = within.take_while(|end| **end - begin <= bytes).last().copied();
        let end = end.unwrap_or(first_end);
        let mut lines = vec![0; usize::try_from(end - begin).unwrap_or(0)];
        let n = self.file.read_full_at(&mut lines, begin)?;
        if n == lines.len() { Ok(lines) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Lines up to number `size` stand in a block now: they go.
    pub(crate) fn drop_to(&mut self, size: Seq) -> io::Result<()> {
        if self.first == 0 || self.first > size {
            return Ok(());
        }
        let gone =
            usize::try_from(size + 1 - self.first).unwrap_or(usize::MAX).min(self.ends.len());
        let from = gone.checked_sub(1).and_then(|n| self.ends.get(n)).copied().unwrap_or(0);
        let rest = usize::try_from(self.len() - from).unwrap_or(0);
        let new = new_of(&self.path);
        match self.disk.remove(&new) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let file = self.disk.create(&new)?;
        let mut buffer = vec![0; rest.min(READ_BYTES)];
        let (mut read, mut written) = (from, 0_u64);
        while written < rest as u64 {
            let n = self.file.read_at(&mut buffer, read)?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let n = n.min(usize::try_from(rest as u64 - written).unwrap_or(n));
            write_all(&*file, buffer.get(..n).unwrap_or_default(), written)?;
            (read, written) = (read + n as u64, written + n as u64);
        }
        if rest > 0 {
            file.sync()?;
        }
        self.disk.rename(&new, &self.path)?;
        // Where the name is lost with the power, the lines that a block has are there once more.
        self.file = file;
        self.ends.drain(..gone);
        self.ends.iter_mut().for_each(|end| *end -= from);
        self.first = if self.ends.is_empty() { 0 } else { size + 1 };
        if rest > 0 {
            let folder = self.path.parent().unwrap_or(Path::new("."));
            if let Err(error) = self.disk.sync_dir(folder) {
                self.broken = true;
                return Err(error);
            }
        }
        Ok(())
    }
}

fn new_of(path: &Path) -> PathBuf {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    PathBuf::from(new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ghost_event::Digest;
    use ghost_event::line::close;
    use ghost_world::RealDisk;

    fn line(seq: Seq) -> Vec<u8> {
        let mut line = format!("{{\"what\":{}", "7".repeat(seq as usize % 50)).into_bytes();
        close(&mut line, seq, &Digest([7; 32]));
        line
    }

    fn open(path: &Path) -> (Tail, Found) {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        Tail::open(&disk, path).unwrap()
    }

    #[test]
    fn lines_are_found_again_and_those_of_a_block_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tail/lines.jsonl");
        let (mut tail, found) = open(&path);
        assert_eq!((found, tail.last(), tail.len()), (Found::Whole, 0, 0));
        let many: Vec<u8> = (5..=20).flat_map(line).collect();
        tail.append(5, &many).unwrap();
        tail.append(21, &line(21)).unwrap();
        let (mut tail, found) = open(&path);
        assert_eq!((found, tail.first(), tail.last()), (Found::Whole, 5, 21));
        assert_eq!((tail.line(9), tail.line(4), tail.line(22)), (Some(line(9)), None, None));
        let some = tail.lines(20, 1, 9).unwrap();
        assert_eq!(some, line(20), "one line at least");
        assert_eq!(tail.lines(20, 10_000, 9).unwrap(), [line(20), line(21)].concat());
        tail.drop_to(4).unwrap();
        assert_eq!(tail.first(), 5);
        tail.drop_to(18).unwrap();
        assert_eq!((tail.first(), tail.last(), tail.line(19)), (19, 21, Some(line(19))));
        tail.append(22, &line(22)).unwrap();
        let (mut tail, _) = open(&path);
        assert_eq!((tail.first(), tail.last(), tail.line(22)), (19, 22, Some(line(22))));
        tail.drop_to(99).unwrap();
        assert_eq!((tail.first(), tail.last(), tail.len()), (0, 0, 0));
        tail.append(100, &line(100)).unwrap();
        assert_eq!(tail.line(100), Some(line(100)));
    }

    #[test]
    fn a_torn_line_is_cut_off_and_a_damaged_one_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tail/lines.jsonl");
        let (mut tail, _) = open(&path);
        tail.append(7, &[line(7), line(8), line(9)].concat()).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in 1..line(9).len() {
            std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            let (tail, found) = open(&path);
            assert_eq!(found, Found::Torn((line(9).len() - cut) as u64));
            assert_eq!(tail.last(), 8);
            let (_, found) = open(&path);
            assert_eq!(found, Found::Whole);
        }
        std::fs::write(&path, [line(7), b"what\n".to_vec(), line(9)].concat()).unwrap();
        let (mut tail, found) = open(&path);
        assert_eq!(found, Found::Damaged(line(7).len() as u64));
        tail.cut_from(8).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), line(7));
    }

    #[test]
    fn any_bytes_are_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tail/lines.jsonl");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        bolero::check!().with_iterations(500).with_type::<(Vec<u8>, u8, u8)>().for_each(
            |(bytes, lines, at)| {
                let mut all: Vec<u8> = (1..=u64::from(lines % 8)).flat_map(line).collect();
                let at = usize::from(*at).min(all.len());
                all.splice(at..at, bytes.iter().copied());
                std::fs::write(&path, &all).unwrap();
                let (tail, _) = open(&path);
                assert!(tail.len() <= all.len() as u64);
            },
        );
    }
}
