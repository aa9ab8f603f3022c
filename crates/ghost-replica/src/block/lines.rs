//! A block that comes as raw lines: a folder with the segments that the primary has.
//!
//! Lines are cut into segments where they say so themselves. What a parent has sealed gets a second
//! name; the segment that grew is copied, by reference where the file system can.
//!
//! **Invariant:** what is written here was checked line by line before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use ghost_block::{Lost, Manifest, Parent as Before, Reason};
use ghost_event::line::{Note, View};
use ghost_event::{Seq, Timestamp};
use ghost_ship::wire::{BlockBegin, Code, LogId, Refusal, Start};

use super::Parent;
use crate::reader::{first_line, is_segment, segment_name, segment_of};

/// Gathered before they are written.
const WRITE_BYTES: usize = 256 << 10;

/// The folder.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    active: Option<Active>,
    /// First lines of the sealed segments.
    sealed: Vec<Seq>,
    /// The beginning of a line whose end has not come.
    rest: Vec<u8>,
    /// Lines before this one are given up by the primary.
    retired: Seq,
}

#[derive(Debug)]
struct Active {
    file: File,
    first: Seq,
    waiting: Vec<u8>,
}

pub(super) fn cannot(error: &io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Refusal::new(Code::Full, "there is no room on this replica's disk")
        }
        _ => Refusal::new(Code::Later, "this replica's disk failed"),
    }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the parent is not as it was")
}

impl Folder {
    pub(super) fn begin(path: &Path, parent: Option<&Parent>) -> io::Result<Folder> {
        fs::create_dir(path)?;
        fs::create_dir(path.join("segments"))?;
        let mut folder = Folder {
            path: path.to_owned(),
            active: None,
            sealed: Vec::new(),
            rest: Vec::new(),
            retired: parent.map_or(0, |parent| parent.block.retired),
        };
        if let Some(parent) = parent {
            folder.fill(&parent.path)?;
        }
        Ok(folder)
    }

    fn fill(&mut self, parent: &Path) -> io::Result<()> {
        let segments = match fs::read_dir(parent.join("segments")) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            other => Some(other?),
        };
        for entry in segments.into_iter().flatten() {
            let name = entry?.file_name();
            let Some(first) = name.to_str().and_then(segment_of) else { continue };
            let name = segment_name(first);
            let (from, to) = (parent.join("segments").join(&name), self.segment(first));
            if fs::hard_link(&from, &to).is_err() {
                drop(copy(&from, &to)?);
            }
            self.sealed.push(first);
        }
        self.sealed.sort_unstable();
        let from = parent.join("events.jsonl");
        if from.exists() {
            let file = copy(&from, &self.path.join("events.jsonl"))?;
            let first = first_line(&file)?.ok_or_else(damaged)?;
            self.active = Some(Active { file, first, waiting: Vec::new() });
        }
        Ok(())
    }

    fn segment(&self, first: Seq) -> PathBuf {
        self.path.join("segments").join(segment_name(first))
    }

    /// The next bytes; lines in them were checked.
    pub(super) fn bytes(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while let Some(at) = memchr::memchr(b'\n', bytes) {
            let (end, rest) = bytes.split_at(at + 1);
            bytes = rest;
            if self.rest.is_empty() {
                self.line(end)?;
            } else {
                let mut line = std::mem::take(&mut self.rest);
                line.extend_from_slice(end);
                self.line(&line)?;
                line.clear();
                self.rest = line;
            }
        }
        self.rest.extend_from_slice(bytes);
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        if self.active.is_none() || is_segment(line) {
            self.seal()?;
            let first = ghost_event::line::Tail::of(line).map_or(0, |tail| tail.seq);
            let file = OpenOptions::new()
                .read(true)
                .append(true)
                .create_new(true)
                .mode(0o640)
                .open(self.path.join("events.jsonl"))?;
            self.active = Some(Active { file, first, waiting: Vec::new() });
        }
        if let Some(first) = retired(line) {
            self.retired = self.retired.max(first);
        }
        let Some(active) = &mut self.active else { return Ok(()) };
        active.waiting.extend_from_slice(line);
        if active.waiting.len() >= WRITE_BYTES {
            active.write()?;
        }
        Ok(())
    }

    /// The active segment is full: it gets the name of a sealed one.
    fn seal(&mut self) -> io::Result<()> {
        let Some(mut active) = self.active.take() else { return Ok(()) };
        active.write()?;
        settle(&active.file)?;
        fs::rename(self.path.join("events.jsonl"), self.segment(active.first))?;
        self.sealed.push(active.first);
        Ok(())
    }

    /// Makes it durable, with what it says of itself. The oldest line that the log says is kept.
    pub(super) fn finish(mut self, begin: &BlockBegin, log: LogId, now_ns: i64) -> io::Result<Seq> {
        if let Some(active) = &mut self.active {
            active.write()?;
            settle(&active.file)?;
        }
        let active = self.active.as_ref().map(|active| active.first);
        // A segment goes when the one behind it begins no later than what is kept.
        let next = |at: usize| self.sealed.get(at + 1).copied().or(active);
        let gone: Vec<Seq> = (0..self.sealed.len())
            .filter(|at| next(*at).is_some_and(|next| next <= self.retired))
            .filter_map(|at| self.sealed.get(at).copied())
            .collect();
        for first in &gone {
            fs::remove_file(self.segment(*first))?;
        }
        let first = self.sealed.iter().find(|s| !gone.contains(s)).copied().or(active);
        put(&self.path.join("checkpoint"), begin.note.as_bytes())?;
        let parent = match &begin.start {
            Start::Parent { number, root } => Some(Before {
                block: *number,
                size: first.unwrap_or(1).saturating_sub(1),
                root: *root,
            }),
            Start::Base { .. } => None,
        };
        let manifest = Manifest {
            block: begin.number,
            log: log.to_string(),
            epoch: begin.epoch,
            first_seq: first.unwrap_or(1).min(begin.size.saturating_add(1)),
            sealed_size: begin.size,
            t2_ready_size: 0,
            root: begin.root,
            parent,
            time: Timestamp(now_ns),
            reason: Reason::Asked,
            waited_ms: 0,
            events: std::collections::BTreeMap::new(),
            lost: Lost::default(),
        };
        put(&self.path.join("manifest.json"), &manifest.to_bytes())?;
        for folder in [self.path.join("segments"), self.path.clone()] {
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o550))?;
            File::open(&folder)?.sync_all()?;
        }
        Ok(self.retired)
    }
}

impl Active {
    fn write(&mut self) -> io::Result<()> {
        self.file.write_all(&self.waiting)?;
        self.waiting.clear();
        Ok(())
    }
}

/// Nobody writes it any more, and it is durable.
fn settle(file: &File) -> io::Result<()> {
    file.set_permissions(fs::Permissions::from_mode(0o440))?;
    file.sync_all()
}

fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(path)?;
    file.write_all(bytes)?;
    settle(&file)
}

/// Copies a file that is then written on; by reference where the file system can.
fn copy(from: &Path, to: &Path) -> io::Result<File> {
    let mut source = File::open(from)?;
    let options =
        OpenOptions::new().read(true).append(true).create_new(true).mode(0o640).to_owned();
    let mut copy = options.open(to)?;
    if rustix::fs::ioctl_ficlone(&copy, &source).is_err() {
        io::copy(&mut source, &mut copy)?;
    }
    Ok(copy)
}

/// What a line says of lines that were given up.
pub(super) fn retired(line: &[u8]) -> Option<Seq> {
    const KEY: &[u8] = b"\"event_type\":\"retired\"";
    memchr::memmem::find(line.get(..96).unwrap_or(line), KEY)?;
    match View::parse(line).ok()?.note {
        Some(Note::Retired(note)) => Some(note.first_seq),
        _ => None,
    }
}
