//! What a start finds: where the log ends, what it remembers, and a torn tail to cut.
//!
//! Only the active segment is read whole; of the sealed ones the last line. A tail may be cut only
//! behind the newest acknowledged line (`state/head`); without that witness only where nothing in
//! it continues a chain. Any other damage is an error and changes nothing.

pub(crate) mod ledger;

pub use ledger::CheckpointFound;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ghost_event::line::{Note, Tail, View};
use ghost_event::{Digest, Seq, ShapeId};
use ghost_world::{Disk, File};

use crate::elements::Elements;
use crate::error::LogError;
use crate::head::Head;
use crate::imports::Imports;
use crate::keys::KeyFound;
use crate::layout::{Layout, first_of};
use crate::limits::{LogConfig, READ_BYTES, SHAPE_SEARCH_BYTES, TORN_BYTES_KEPT};
use crate::proof;
use crate::proof::key::{KeyId, VerifyingKey};
use crate::put::{Until, write_all};
use crate::scan::{self, Piece, Scanner};
use crate::verify::{self, VerifyOptions};

/// What a start found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The log's own name, 32 hexadecimal digits.
    pub log_id: String,
    /// The epoch that begins with this start.
    pub epoch: u64,
    /// The last line that was found.
    pub head: Head,
    /// What was cut off.
    pub cut: Option<Cut>,
    /// The newest checkpoint.
    pub checkpoint: CheckpointFound,
    /// The key that signs.
    pub key: KeyFound,
    /// Tiles of the tree that were missing, and made again from the lines.
    pub tiles_made: u64,
    /// Segments whose retirement a power cut had interrupted; they are gone now.
    pub retired: u64,
}

impl Recovery {
    /// What whoever runs the log should know of this start, a sentence each; none where all was as
    /// it was left.
    #[must_use]
    pub fn told(&self) -> Vec<String> {
        let mut told = Vec::new();
        if let Some(cut) = &self.cut {
            told.push(format!(
                "the log's end was torn: {} bytes after line {} were cut",
                cut.bytes, cut.after_seq
            ));
        }
        match &self.key {
            KeyFound::Known(_) | KeyFound::Made(_) => {}
            KeyFound::Replaced { lost, new } => told.push(format!(
                "the key {lost} that signed this log is not in state/keys any more: {new} was made \
                 in its place, and nobody authorised it; put a backup of the old one back, or tell \
                 whoever verifies this log (`ghostbridge key show`)"
            )),
            KeyFound::None { cause } => told.push(format!("nothing is signed: {cause}")),
        }
        match self.checkpoint {
            // A log that was killed before its first block has none either.
            CheckpointFound::None | CheckpointFound::Missing | CheckpointFound::Whole { .. } => {}
            CheckpointFound::Torn => {
                told.push("the newest checkpoint was torn: it was signed anew".to_owned());
            }
            CheckpointFound::Foreign => told.push(
                "log/checkpoint was of another log: this log's own was signed in its place; run \
                 `ghostbridge log verify`"
                    .to_owned(),
            ),
            CheckpointFound::Lost { size } => told.push(format!(
                "a checkpoint of {size} lines does not fit what is left of the log: whoever holds it \
                 will find that lines are gone"
            )),
        }
        if self.tiles_made > 0 {
            told.push(format!("{} tiles of the tree were made again", self.tiles_made));
        }
        if self.retired > 0 {
            told.push(format!(
                "a retirement that was cut off is done: {} segments went",
                self.retired
            ));
        }
        told
    }
}

/// A torn tail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    pub after_seq: Seq,
    pub bytes: u64,
    pub lines: u64,
    /// Acknowledged lines among it; more than 0 only where the start accepted the loss.
    pub acknowledged_lost: u64,
    /// Where the bytes were kept.
    pub kept: Option<PathBuf>,
}

/// A shape's newest body of the highest tier.
#[derive(Debug)]
pub(crate) struct Remembered {
    pub(crate) tier: u8,
    pub(crate) body: Box<[u8]>,
    /// The segment that stated it last; 0 where none did.
    pub(crate) stated_in: Seq,
}

pub(crate) type Shapes = HashMap<ShapeId, Remembered>;

/// What a start finds on the disk.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) active: Option<Box<dyn File>>,
    pub(crate) active_bytes: u64,
    pub(crate) active_lines: u64,
    /// The first line of the active segment, also where that is yet to be written.
    pub(crate) segment: Seq,
    pub(crate) head: Head,
    pub(crate) names: Names,
    pub(crate) shapes: Shapes,
    pub(crate) imports: Imports,
    pub(crate) cut: Option<Cut>,
    /// Of the active segment's lines.
    pub(crate) leaves: Vec<Digest>,
    pub(crate) elements: Elements,
    /// Sealed segments by their first lines, with their bytes.
    pub(crate) sealed: Vec<(Seq, u64)>,
}

/// Sealed segments by their first lines, in order.
pub(crate) fn sealed(disk: &dyn Disk, layout: &Layout) -> Result<Vec<Seq>, LogError> {
    let dir = layout.segments();
    match disk.list(&dir) {
        Ok(names) => Ok(names.iter().filter_map(|n| first_of(n)).collect()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(LogError::io("list", &dir)(e)),
    }
}

/// Reads the log. What the newest checkpoint says of it is `signed`'s to tell, by the log's name:
/// the lines that it covers may not be cut.
pub(crate) fn find(
    disk: &Arc<dyn Disk>,
    layout: &Layout,
    config: &LogConfig,
    signed: impl Fn(&str) -> u64,
) -> Result<Found, LogError> {
    let sealed = sealed(&**disk, layout)?;
    let acknowledged = disk.open_read(&layout.head()).ok().and_then(|f| Head::read(&*f));
    let base = match sealed.last() {
        Some(first) => end_of_segment(disk, layout, *first)?,
        None => Head::default(),
    };
    let path = layout.active();
    let active = match disk.open(&path) {
        Ok(file) => Some(file),
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => return Err(LogError::io("open", &path)(e)),
    };
    let mut found = Found {
        active: None,
        active_bytes: 0,
        active_lines: 0,
        segment: base.seq + 1,
        head: base,
        names: Names::default(),
        shapes: Shapes::new(),
        imports: Imports::default(),
        cut: None,
        leaves: Vec::new(),
        elements: Elements::default(),
        sealed: Vec::with_capacity(sealed.len()),
    };
    for first in &sealed {
        found.sealed.push((*first, segment_bytes(disk, &layout.segment(*first))));
    }
    let (elements, read) = Elements::of_sealed(disk, layout, &sealed, base)?;
    found.elements = elements;
    if read {
        // Without it they are read again at the next start.
        let _ = found.elements.keep(&**disk, layout, base, Until::Durable);
    }
    let mut import_lines = Vec::new();
    let (mut broken, mut acked_bytes) = (false, 0);
    if active.is_some() {
        let first_of_all = sealed.is_empty();
        (broken, acked_bytes) =
            read_active(disk, layout, &mut found, first_of_all, acknowledged, &mut import_lines)?;
    }
    remember(disk, layout, &sealed, &mut found)?;
    let signed = found.names.log_id.as_deref().map_or(0, signed);
    if let Some(file) = active {
        let bytes = file.len().map_err(LogError::io("read", &path))?;
        if broken || bytes > found.active_bytes {
            let witnessed = acknowledged.is_none_or(|ack| found.head.seq >= ack.seq);
            if found.head.seq < signed && witnessed && !config.accept_loss {
                return Err(LogError::BehindCheckpoint { signed, found: found.head.seq });
            }
            cut_tail(disk, layout, config, &mut found, &*file, bytes, acknowledged)?;
        }
        // What was cut before, too: a failed sync may have forgotten that, and left a longer file.
        write_again(&*file, acked_bytes, found.active_bytes)
            .and_then(|()| file.truncate(found.active_bytes))
            .map_err(LogError::io("write again", &path))?;
        found.active = Some(file);
    }
    if let Some(ack) = acknowledged {
        if ack.seq == base.seq && ack.leaf != base.leaf && base.seq > 0 {
            return Err(damaged(disk, layout));
        }
        if found.head.seq < ack.seq {
            if !config.accept_loss {
                return Err(LogError::Shorter {
                    acknowledged: ack.seq,
                    leaf: ack.leaf,
                    found: found.head.seq,
                });
            }
            let cut = found.cut.get_or_insert(Cut {
                after_seq: found.head.seq,
                bytes: 0,
                lines: 0,
                acknowledged_lost: 0,
                kept: None,
            });
            cut.acknowledged_lost = ack.seq - found.head.seq;
        }
    }
    if found.head.seq < signed {
        if !config.accept_loss {
            return Err(LogError::BehindCheckpoint { signed, found: found.head.seq });
        }
        let after_seq = found.head.seq;
        let cut = found.cut.get_or_insert(Cut {
            after_seq,
            bytes: 0,
            lines: 0,
            acknowledged_lost: 0,
            kept: None,
        });
        cut.acknowledged_lost = cut.acknowledged_lost.max(signed - after_seq);
    }
    imports(disk, layout, &sealed, &mut found, &import_lines)?;
    Ok(found)
}

/// The last line of a sealed segment.
fn end_of_segment(disk: &Arc<dyn Disk>, layout: &Layout, first: Seq) -> Result<Head, LogError> {
    let path = layout.segment(first);
    let read = || -> io::Result<Option<Head>> {
        let file = disk.open_read(&path)?;
        let len = file.len()?;
        let Some((_, line)) = scan::last_line(&*file, len)? else { return Ok(None) };
        Ok(Tail::of(&line).map(|t| Head { seq: t.seq, leaf: proof::leaf(&line) }))
    };
    match read().map_err(LogError::io("read", &path))? {
        Some(head) if head.seq >= first => Ok(head),
        _ => Err(damaged(disk, layout)),
    }
}

/// The error that verification finds; a start tells no story of its own.
fn damaged(disk: &Arc<dyn Disk>, layout: &Layout) -> LogError {
    match verify::verify_on(disk, layout.data(), &VerifyOptions::default()) {
        Ok(verdict) => LogError::Damaged(verdict.damage.unwrap_or_default()),
        Err(e) => e,
    }
}

/// Reads the active segment as far as it is right. True where something wrong follows; and how
/// many of its bytes were acknowledged.
fn read_active(
    disk: &Arc<dyn Disk>,
    layout: &Layout,
    found: &mut Found,
    first_of_all: bool,
    acknowledged: Option<Head>,
    import_lines: &mut Vec<Vec<u8>>,
) -> Result<(bool, u64), LogError> {
    let path = layout.active();
    let file = disk.open_read(&path).map_err(LogError::io("open", &path))?;
    let mut scanner = Scanner::new(file, 0);
    let mut acked_bytes = 0;
    loop {
        let line = match scanner.next().map_err(LogError::io("read", &path))? {
            None => return Ok((false, acked_bytes)),
            Some(Piece::Unfinished(_) | Piece::TooLong(_)) => return Ok((true, acked_bytes)),
            Some(Piece::Line(line)) => line,
        };
        let Some(tail) = Tail::of(line) else { return Ok((true, acked_bytes)) };
        if memchr::memchr(0, line).is_some() {
            // No line has a zero: a sector of it is missing, though both of its ends are there. Of the
            // last line nothing else would tell.
            return Ok((true, acked_bytes));
        }
        if found.active_lines == 0 && first_of_all && tail.seq > 1 {
            // Older segments are gone: what this line continues cannot be checked any more.
            found.head = Head { seq: tail.seq - 1, leaf: tail.prev };
            found.segment = tail.seq;
        }
        if tail.seq != found.head.seq + 1 || tail.prev != found.head.leaf {
            return Ok((true, acked_bytes));
        }
        let head = Head { seq: tail.seq, leaf: proof::leaf(line) };
        if acknowledged.is_some_and(|a| a.seq == head.seq && a.leaf != head.leaf) {
            return Err(damaged(disk, layout));
        }
        found.head = head;
        found.leaves.push(head.leaf);
        found.active_lines += 1;
        found.active_bytes += line.len() as u64;
        if acknowledged.is_some_and(|a| a.seq == head.seq) {
            acked_bytes = found.active_bytes;
        }
        let segment = found.segment;
        found.elements.take_line(line, tail, segment);
        if scan::is_note(line) {
            note(found, line, tail, segment, import_lines);
        }
    }
}

fn note(found: &mut Found, line: &[u8], tail: Tail, segment: Seq, imports: &mut Vec<Vec<u8>>) {
    match scan::event_type(line) {
        b"shape" => remember_line(&mut found.shapes, line, tail, segment),
        b"import" => imports.push(line.to_vec()),
        b"epoch" | b"segment" | b"key" => found.names.take(line),
        _ => {}
    }
}

/// What a log calls itself, and the key that it names last.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) log_id: Option<String>,
    pub(crate) epoch: u64,
    pub(crate) key: Option<KeyId>,
    /// The key's name, where that was told.
    pub(crate) origin: Option<String>,
}

impl Names {
    fn take(&mut self, line: &[u8]) {
        let (log, epoch, key) = match View::parse(line).ok().and_then(|view| view.note) {
            Some(Note::Epoch(n)) => (n.log, n.epoch, n.key),
            Some(Note::Segment(n)) => (n.log, n.epoch, n.key),
            Some(Note::Key(n)) => {
                if let Ok(key) = VerifyingKey::parse(&n.key) {
                    self.key = Some(key.id);
                    self.origin = Some(key.name);
                }
                return;
            }
            _ => return,
        };
        self.log_id = Some(log.into_owned());
        self.epoch = self.epoch.max(epoch);
        self.key = KeyId::parse(&key).or(self.key);
    }
}

/// The tier of a shape's body or line; 0 where it has none.
pub(crate) fn tier_of(body: &[u8]) -> u8 {
    const KEY: &[u8] = b",\"tier\":";
    let at = memchr::memmem::find(body, KEY).map(|at| at + KEY.len());
    match at.and_then(|at| body.get(at..at + 2)) {
        Some([digit @ b'0'..=b'9', b',' | b'}']) => digit - b'0',
        _ => 0,
    }
}

fn remember_line(shapes: &mut Shapes, line: &[u8], tail: Tail, segment: Seq) {
    let Some(id) = shape_id(line) else { return };
    let tier = tier_of(line);
    let body = &line[..tail.body_bytes];
    let slot = shapes.entry(id).or_insert_with(|| Remembered {
        tier: 0,
        body: Box::default(),
        stated_in: segment,
    });
    slot.stated_in = slot.stated_in.max(segment);
    if tier >= slot.tier {
        slot.tier = tier;
        slot.body = body.into();
    }
}

fn shape_id(line: &[u8]) -> Option<ShapeId> {
    const KEY: &[u8] = b",\"shape\":\"";
    let at = memchr::memmem::find(line, KEY)? + KEY.len();
    let hex = std::str::from_utf8(line.get(at..at + 16)?).ok()?;
    u64::from_str_radix(hex, 16).ok().map(ShapeId)
}

/// Looks for shapes, and where the active segment had none for epochs, in the newest sealed ones.
fn remember(
    disk: &Arc<dyn Disk>,
    layout: &Layout,
    sealed: &[Seq],
    found: &mut Found,
) -> Result<(), LogError> {
    let mut left = SHAPE_SEARCH_BYTES;
    for first in sealed.iter().rev() {
        let mut older = Shapes::new();
        let mut names = Names::default();
        let mut bytes = 0;
        each_note(disk, &layout.segment(*first), |line, tail| {
            bytes += line.len() as u64;
            match scan::event_type(line) {
                b"shape" => remember_line(&mut older, line, tail, *first),
                b"epoch" | b"segment" | b"key" => names.take(line),
                _ => {}
            }
        })?;
        if found.names.log_id.is_none() && names.log_id.is_some() {
            found.names = names;
        }
        for (id, old) in older {
            match found.shapes.entry(id) {
                std::collections::hash_map::Entry::Vacant(slot) => drop(slot.insert(old)),
                std::collections::hash_map::Entry::Occupied(mut slot) => {
                    let new = slot.get_mut();
                    if old.tier > new.tier {
                        new.tier = old.tier;
                        new.body = old.body;
                    }
                }
            }
        }
        left = left.saturating_sub(segment_bytes(disk, &layout.segment(*first)));
        if left == 0 && found.names.log_id.is_some() {
            break;
        }
    }
    Ok(())
}

fn segment_bytes(disk: &Arc<dyn Disk>, path: &Path) -> u64 {
    disk.open_read(path).and_then(|f| f.len()).unwrap_or(0)
}

/// Calls `each` with every note and shape of a segment.
fn each_note(
    disk: &Arc<dyn Disk>,
    path: &Path,
    mut each: impl FnMut(&[u8], Tail),
) -> Result<(), LogError> {
    let file = disk.open_read(path).map_err(LogError::io("open", path))?;
    let mut scanner = Scanner::new(file, 0);
    while let Some(Piece::Line(line)) = scanner.next().map_err(LogError::io("read", path))? {
        if scan::is_note(line)
            && let Some(tail) = Tail::of(line)
        {
            each(line, tail);
        }
    }
    Ok(())
}

/// The journal of imports: from its copy where that is whole, else from every segment.
fn imports(
    disk: &Arc<dyn Disk>,
    layout: &Layout,
    sealed: &[Seq],
    found: &mut Found,
    active: &[Vec<u8>],
) -> Result<(), LogError> {
    let path = layout.imports();
    let mut copied = Vec::new();
    let mut whole = false;
    match disk.open_read(&path) {
        Ok(file) => {
            let mut scanner = Scanner::new(file, 0);
            whole = true;
            while let Some(piece) = scanner.next().map_err(LogError::io("read", &path))? {
                let Piece::Line(line) = piece else { break };
                let Some(tail) = Tail::of(line) else {
                    whole = false;
                    break;
                };
                if tail.seq >= found.segment {
                    break;
                }
                copied.push(line.to_vec());
            }
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(LogError::io("open", &path)(e)),
    }
    if !whole {
        copied.clear();
        for first in sealed {
            each_note(disk, &layout.segment(*first), |line, _| {
                if scan::event_type(line) == b"import" {
                    copied.push(line.to_vec());
                }
            })?;
        }
    }
    let mut bytes = Vec::new();
    for line in copied.iter().chain(active) {
        found.imports.take_line(line);
        bytes.extend_from_slice(line);
    }
    // Written anew: entries of lines that were cut must not come back under other lines' numbers.
    let file = match disk.open(&path) {
        Ok(file) => file,
        Err(_) => disk.create(&path).map_err(LogError::io("create", &path))?,
    };
    let write = || -> io::Result<()> {
        file.truncate(0)?;
        write_all(&*file, &bytes, 0)?;
        file.sync()
    };
    write().map_err(LogError::io("write", &path))
}

/// Writes the same bytes once more. After a sync that failed, Linux goes on showing bytes that no disk
/// holds, and no later sync saves them; whoever opens the log then would believe them.
fn write_again(file: &dyn File, mut from: u64, to: u64) -> io::Result<()> {
    let mut bytes = vec![0; READ_BYTES.min(usize::try_from(to.saturating_sub(from)).unwrap_or(0))];
    while from < to {
        let wanted = bytes.len().min(usize::try_from(to - from).unwrap_or(usize::MAX));
        let n = file.read_full_at(&mut bytes[..wanted], from)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        write_all(file, &bytes[..n], from)?;
        from += n as u64;
    }
    Ok(())
}

/// Cuts what follows the last right line, where that may be cut.
fn cut_tail(
    disk: &Arc<dyn Disk>,
    layout: &Layout,
    config: &LogConfig,
    found: &mut Found,
    file: &dyn File,
    bytes: u64,
    acknowledged: Option<Head>,
) -> Result<(), LogError> {
    let path = layout.active();
    let from = found.active_bytes;
    let may_cut = match acknowledged {
        Some(ack) => found.head.seq >= ack.seq || config.accept_loss,
        None => {
            let file = disk.open_read(&path).map_err(LogError::io("open", &path))?;
            !continues(file, from, found.head.leaf).map_err(LogError::io("read", &path))?
        }
    };
    if !may_cut {
        return Err(damaged(disk, layout));
    }
    let cut = keep(disk, layout, found.head.seq, file, from, bytes)
        .map_err(LogError::io("keep the torn tail of", &path))?;
    file.truncate(from).map_err(LogError::io("cut", &path))?;
    file.sync().map_err(LogError::io("sync", &path))?;
    found.cut = Some(cut);
    Ok(())
}

/// Whether anything from `from` on continues a chain: then something before it was damaged.
pub(crate) fn continues(file: Box<dyn File>, from: u64, leaf: Digest) -> io::Result<bool> {
    let mut scanner = Scanner::new(file, from);
    let mut before = None;
    while let Some(piece) = scanner.next()? {
        let Piece::Line(line) = piece else {
            if matches!(piece, Piece::Unfinished(_)) {
                break;
            }
            before = None;
            continue;
        };
        let Some(tail) = Tail::of(line) else {
            before = None;
            continue;
        };
        if tail.prev == leaf || before == Some(tail.prev) {
            return Ok(true);
        }
        before = Some(proof::leaf(line));
    }
    Ok(false)
}

/// Keeps a bounded part of a torn tail beside the segments.
fn keep(
    disk: &Arc<dyn Disk>,
    layout: &Layout,
    after_seq: Seq,
    file: &dyn File,
    from: u64,
    to: u64,
) -> io::Result<Cut> {
    let mut kept = vec![0; usize::try_from((to - from).min(TORN_BYTES_KEPT)).unwrap_or(0)];
    let n = file.read_full_at(&mut kept, from)?;
    kept.truncate(n);
    let newlines = memchr::memchr_iter(b'\n', &kept).count() as u64;
    let unfinished = u64::from(kept.last().is_some_and(|b| *b != b'\n'));
    let mut path = None;
    for attempt in 0..1000 {
        let name = layout.torn(after_seq + 1, attempt);
        match disk.create(&name) {
            Ok(copy) => {
                // Evidence is worth having and not worth refusing to start for.
                if write_all(&*copy, &kept, 0).and_then(|()| copy.sync()).is_ok() {
                    path = Some(name);
                }
                break;
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(_) => break,
        }
    }
    Ok(Cut {
        after_seq,
        bytes: to - from,
        lines: newlines + unfinished,
        acknowledged_lost: 0,
        kept: path,
    })
}
