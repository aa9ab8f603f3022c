//! Whether a received subvolume is what its checkpoint says.
//!
//! The kernel is asked first: read-only, received to its end, from the sender that the stream named,
//! as a snapshot of the very parent. Then the bytes: whatever the stream wrote below what the parent
//! has is compared with the parent, every line beyond it is shown to the check, which knows the tree;
//! and a segment that is gone must have been given up by a line of the log.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use ghost_block::{Manifest, Subvolume, subvolume};
use ghost_event::Seq;
use ghost_event::line::LINE_BYTES_MAX;
use ghost_log::proof::checkpoint::SignedCheckpoint;
use ghost_ship::accept::BlockCheck;
use ghost_ship::wire::{Code, LogId, Refusal, Start};
use ghost_world::RealDisk;

use super::{Parent, lines};
use crate::holding::{Verified, seal_of};
use crate::limits::{NOTE_BYTES_MAX, READ_BYTES};
use crate::reader::{first_line, segment_of};
use crate::stream::Touched;

/// A segment of a block.
#[derive(Debug, Clone)]
struct Segment {
    path: PathBuf,
    /// As the stream names it.
    inside: String,
    len: u64,
}

fn altered(words: impl Into<String>) -> Refusal {
    Refusal::new(Code::Altered, words)
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> Refusal {
    let shown = path.file_name().map_or(String::new(), |n| n.to_string_lossy().into_owned());
    move |e| altered(format!("{shown} of what was received can't be read: {e}"))
}

/// Checks what lies at `path`; how it is known again.
pub(super) fn received(
    path: &Path,
    log: LogId,
    parent: Option<&Parent>,
    sender: ([u8; 16], u64),
    touched: &Touched,
    check: &mut BlockCheck,
) -> Result<Verified, Refusal> {
    let found = subvolume(path).map_err(unreadable(path))?;
    let found = found.ok_or_else(|| altered("what was received is no subvolume"))?;
    if !found.read_only || (found.received_uuid, found.sent) != sender {
        return Err(altered("it was not received to its end"));
    }
    let built_on = parent.and_then(|p| p.block.seal).map_or([0; 16], |seal| seal.uuid);
    if found.parent_uuid != built_on {
        return Err(altered("it was received on another parent"));
    }
    // Somebody may have changed it between the check at the beginning and the snapshot.
    if let Some(parent) = parent {
        let now = subvolume(&parent.path).map_err(unreadable(&parent.path))?;
        if now.map(|now| (now.read_only, Some(seal_of(&now)))) != Some((true, parent.block.seal)) {
            return Err(Refusal::new(Code::NoParent, "the parent was changed meanwhile"));
        }
    }
    says_the_same(path, log, check)?;
    let before = match parent {
        Some(parent) => segments(&parent.path)?,
        None => BTreeMap::new(),
    };
    let now = segments(path)?;
    let known = parent.map_or(0, |parent| parent.block.retired);
    let retired = content(&before, &now, touched, check)?.max(known);
    gone(&before, &now, retired, check)?;
    Ok(Verified { seal: Some(seal_of(&found)), retired })
}

/// What it is known by from now on.
pub(super) fn sealed(
    path: &Path,
    sender: ([u8; 16], u64),
    verified: Verified,
) -> Result<Verified, Refusal> {
    let found = subvolume(path).map_err(unreadable(path))?;
    let same = |found: &Subvolume| {
        let before = verified.seal.map(|seal| seal.uuid);
        found.read_only && (found.received_uuid, found.sent) == sender && Some(found.uuid) == before
    };
    match found.filter(same) {
        Some(found) => Ok(Verified { seal: Some(seal_of(&found)), ..verified }),
        None => Err(altered("it was changed while it was verified")),
    }
}

/// Checkpoint and manifest in the block are those of the block.
fn says_the_same(path: &Path, log: LogId, check: &BlockCheck) -> Result<(), Refusal> {
    let begin = check.begin();
    let note = path.join("checkpoint");
    let mut text = String::new();
    File::open(&note)
        .and_then(|file| file.take(NOTE_BYTES_MAX as u64).read_to_string(&mut text))
        .map_err(unreadable(&note))?;
    let signed = SignedCheckpoint::parse(text.as_bytes()).map_err(|e| altered(e.to_string()))?;
    if (signed.checkpoint.size, signed.checkpoint.root) != (begin.size, begin.root) {
        return Err(altered("the checkpoint in the block is not the one that it came with"));
    }
    let manifest = Manifest::read(&RealDisk, path).map_err(|e| altered(e.to_string()))?;
    let ours = (manifest.block, manifest.sealed_size, manifest.root, manifest.log);
    if ours != (begin.number, begin.size, begin.root, log.to_string()) {
        return Err(altered("the manifest in the block is of another block"));
    }
    Ok(())
}

/// The segments of a block by their first lines. Nothing in it is more than a file or a folder.
fn segments(block: &Path) -> Result<BTreeMap<Seq, Segment>, Refusal> {
    let mut all = BTreeMap::new();
    let mut add = |first, inside: String| {
        let path = block.join(&inside);
        let meta = fs::symlink_metadata(&path).map_err(unreadable(&path))?;
        if !meta.is_file() {
            return Err(altered(format!("{inside} is no file")));
        }
        let segment = Segment { path, inside, len: meta.len() };
        match all.insert(first, segment) {
            None => Ok(()),
            Some(_) => Err(altered(format!("line {first} begins two segments"))),
        }
    };
    let folder = block.join("segments");
    match fs::read_dir(&folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(unreadable(&folder)(e)),
        Ok(entries) => {
            for entry in entries {
                let name = entry.map_err(unreadable(&folder))?.file_name();
                if let Some(first) = name.to_str().and_then(segment_of) {
                    add(first, format!("segments/{}", name.to_string_lossy()))?;
                }
            }
        }
    }
    let active = block.join("events.jsonl");
    match File::open(&active) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(unreadable(&active)(e)),
        Ok(file) => {
            if file.metadata().map_err(unreadable(&active))?.len() > 0 {
                let first = first_line(&file).map_err(unreadable(&active))?;
                let first = first.ok_or_else(|| altered("events.jsonl begins with no line"))?;
                add(first, "events.jsonl".to_owned())?;
            }
        }
    }
    Ok(all)
}

/// Every byte is the parent's or a line that the check has seen. The oldest line that is kept, as a
/// new line says.
fn content(
    before: &BTreeMap<Seq, Segment>,
    now: &BTreeMap<Seq, Segment>,
    touched: &Touched,
    check: &mut BlockCheck,
) -> Result<Seq, Refusal> {
    let mut retired = 0;
    for (first, segment) in now {
        let known = match before.get(first) {
            Some(known) => known.len,
            None if *first <= check.size() => {
                return Err(altered(format!("a segment begins at line {first}, which is known")));
            }
            None => 0,
        };
        if segment.len < known {
            return Err(altered(format!("segment {first} has become shorter")));
        }
        let low = touched.low(&segment.inside);
        if let Some(before) = before.get(first).filter(|_| low < known) {
            same(&before.path, &segment.path, low, known)?;
        }
        if segment.len > known {
            read_lines(segment, known, check, &mut retired)?;
        }
    }
    Ok(retired)
}

/// Two files hold the same bytes between two places.
fn same(ours: &Path, theirs: &Path, from: u64, to: u64) -> Result<(), Refusal> {
    let open = |path: &Path| {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(from))?;
        Ok::<_, io::Error>(file.take(to - from))
    };
    let failed = unreadable(theirs);
    let (mut a, mut b) = (open(ours).map_err(&failed)?, open(theirs).map_err(&failed)?);
    let (mut left, mut right) = (vec![0; READ_BYTES], vec![0; READ_BYTES]);
    loop {
        let n = fill(&mut a, &mut left).map_err(&failed)?;
        let m = fill(&mut b, &mut right).map_err(&failed)?;
        if left.get(..n) != right.get(..m) {
            return Err(altered("lines that were verified before are other ones now"));
        }
        if n == 0 {
            return Ok(());
        }
    }
}

fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}

/// Shows the lines of a segment from a place on to the check.
fn read_lines(
    segment: &Segment,
    from: u64,
    check: &mut BlockCheck,
    retired: &mut Seq,
) -> Result<(), Refusal> {
    let failed = unreadable(&segment.path);
    let mut file = File::open(&segment.path).map_err(&failed)?;
    file.seek(SeekFrom::Start(from)).map_err(&failed)?;
    let mut buffer = vec![0; READ_BYTES + LINE_BYTES_MAX];
    let mut held = 0;
    loop {
        let n = fill(&mut file, buffer.get_mut(held..).unwrap_or_default()).map_err(&failed)?;
        let end = held + n;
        let read = buffer.get(..end).unwrap_or_default();
        let mut at = 0;
        for newline in memchr::memchr_iter(b'\n', read) {
            let line = read.get(at..=newline).unwrap_or_default();
            check.line(line)?;
            if let Some(first) = lines::retired(line) {
                *retired = (*retired).max(first);
            }
            at = newline + 1;
        }
        if n == 0 {
            return if at == end { Ok(()) } else { Err(altered("it ends within a line")) };
        }
        if at == 0 && end >= LINE_BYTES_MAX {
            return Err(altered("a line is longer than lines are"));
        }
        buffer.copy_within(at..end, 0);
        held = end - at;
    }
}

/// Segments that the parent had and this has not were given up, and a line says so.
fn gone(
    before: &BTreeMap<Seq, Segment>,
    now: &BTreeMap<Seq, Segment>,
    retired: Seq,
    check: &BlockCheck,
) -> Result<(), Refusal> {
    if let (Start::Base { size, .. }, Some((first, _))) = (&check.begin().start, now.iter().next())
        && *first != size.saturating_add(1)
    {
        return Err(altered(format!("its lines begin with {first}, and not after {size}")));
    }
    for first in before.keys() {
        if now.contains_key(first) {
            continue;
        }
        let next = before.range(first.saturating_add(1)..).next().map(|(next, _)| *next);
        let next = next.or_else(|| now.keys().next().copied());
        if next.is_none_or(|next| next > retired) {
            return Err(altered(format!(
                "the segment from line {first} on is gone, and no line gives it up"
            )));
        }
    }
    Ok(())
}
