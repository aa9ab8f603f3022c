//! The one pass: each line hashed, and compared with what the next one says of it.
//!
//! Where that breaks, the rest of the log is asked what happened, so that each damage has a name, a
//! line and a byte.

use std::io;
use std::sync::Arc;

use ghost_event::line::{LINE_BYTES_MAX, Note, Tail, View};
use ghost_event::{Digest, Seq};
use ghost_world::{Disk, File};

use super::damage::{Damage, DamageKind};
use super::roots::Roots;
use super::{Against, Proven, Verdict, VerifyOptions};
use crate::error::LogError;
use crate::head::Head;
use crate::layout::Layout;
use crate::proof;
use crate::recover::{continues, sealed};
use crate::scan::{self, Piece, Scanner};

/// One file of the log.
#[derive(Debug, Clone)]
struct Segment {
    path: std::path::PathBuf,
    /// By its name; `None` for the active one.
    named: Option<Seq>,
}

fn segments(disk: &Arc<dyn Disk>, layout: &Layout) -> Result<Vec<Segment>, LogError> {
    let mut listed = sealed(&**disk, layout)?;
    let path = layout.active();
    loop {
        let active = match disk.open_read(&path).and_then(|f| f.len()) {
            Ok(0) => None,
            Ok(_) => Some(Segment { path: path.clone(), named: None }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(LogError::io("open", &path)(e)),
        };
        // The active segment may have been sealed between the two.
        let again = sealed(&**disk, layout)?;
        if again.last() == listed.last() {
            let named = |first| Segment { path: layout.segment(first), named: Some(first) };
            return Ok(again.into_iter().map(named).chain(active).collect());
        }
        listed = again;
    }
}

/// What stands next in a segment.
enum Next {
    /// The scanner's current line.
    Line,
    Broken,
    End,
}

/// The next line. One that is being written is waited for as long as it grows.
fn next(scanner: &mut Scanner) -> io::Result<Next> {
    let mut before = None;
    loop {
        let len = match scanner.next()? {
            None => return Ok(Next::End),
            Some(Piece::Line(_)) => return Ok(Next::Line),
            Some(Piece::TooLong(_)) => return Ok(Next::Broken),
            Some(Piece::Unfinished(rest)) => rest.len(),
        };
        if before == Some(len) {
            return Ok(Next::Broken);
        }
        before = Some(len);
    }
}

/// The first whole line of a file.
fn first_line(file: &dyn File) -> io::Result<Option<Vec<u8>>> {
    for window in [LINE_BYTES_MAX / 16, LINE_BYTES_MAX] {
        let mut bytes = vec![0; window];
        let n = file.read_full_at(&mut bytes, 0)?;
        if let Some(end) = memchr::memchr(b'\n', &bytes[..n]) {
            bytes.truncate(end + 1);
            return Ok(Some(bytes));
        }
        if n < window {
            break;
        }
    }
    Ok(None)
}

/// Where a line begins.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    segment: Seq,
    line: u64,
    byte: u64,
}

pub(super) struct Pass<'a> {
    disk: &'a Arc<dyn Disk>,
    roots: Roots<'a>,
    verdict: Verdict,
    /// From outside, and the writer's own.
    heads: [Option<Head>; 2],
    /// The line before and its place.
    before: Option<Place>,
    /// The last line's bytes, kept at the end of the last segment.
    last: Vec<u8>,
}

impl<'a> Pass<'a> {
    /// Reads the log to its end, or to its first damage.
    pub(super) fn run(
        disk: &'a Arc<dyn Disk>,
        layout: &'a Layout,
        options: &'a VerifyOptions,
    ) -> Result<Verdict, LogError> {
        // All that speaks of the lines is read before them: a log that grows meanwhile has more.
        let state = if options.without_state {
            None
        } else {
            disk.open_read(&layout.head()).ok().and_then(|f| Head::read(&*f)).filter(|h| h.seq > 0)
        };
        let given = match &options.against {
            Some(Against::Head(head)) => Some(*head),
            _ => None,
        };
        let mut pass = Pass {
            disk,
            roots: Roots::open(disk, layout, options)?,
            verdict: Verdict::default(),
            heads: [given, state],
            before: None,
            last: Vec::new(),
        };
        let mut segments = segments(disk, layout)?;
        let mut at = 0;
        while let Some(segment) = segments.get(at).cloned() {
            // Opened once: under this name another file may lie the next moment.
            let file = pass.file(&segment)?;
            if segment.named.is_none()
                && let Some(sealed) = pass.sealed_meanwhile(&segment, &*file, layout)?
            {
                (segments, at) = sealed;
                continue;
            }
            let is_last = at + 1 == segments.len();
            pass.verdict.segments += 1;
            if pass.segment(&segment, file, is_last, &segments)? {
                break;
            }
            at += 1;
        }
        if segments.is_empty() {
            pass.roots.begin(1, "")?;
        }
        pass.end(&segments)
    }

    /// Where the writer has sealed a segment since they were listed: the new list, and where to go
    /// on in it.
    fn sealed_meanwhile(
        &self,
        active: &Segment,
        file: &dyn File,
        layout: &Layout,
    ) -> Result<Option<(Vec<Segment>, usize)>, LogError> {
        let next = self.verdict.head.seq + 1;
        if self.verdict.lines == 0 {
            return Ok(None);
        }
        let first = first_line(file).map_err(LogError::io("read", &active.path))?;
        let first = first.and_then(|line| Tail::of(&line)).map(|tail| tail.seq);
        if first.is_some_and(|first| first <= next) {
            return Ok(None);
        }
        let again = segments(self.disk, layout)?;
        let at = again.iter().position(|segment| segment.named == Some(next));
        Ok(at.map(|at| (again, at)))
    }

    fn file(&self, segment: &Segment) -> Result<Box<dyn File>, LogError> {
        self.disk.open_read(&segment.path).map_err(LogError::io("open", &segment.path))
    }

    /// Reads one segment; true where damage ends the pass.
    fn segment(
        &mut self,
        segment: &Segment,
        file: Box<dyn File>,
        is_last: bool,
        all: &[Segment],
    ) -> Result<bool, LogError> {
        let mut scanner = Scanner::new(file, 0);
        let mut place =
            Place { segment: segment.named.unwrap_or(self.verdict.head.seq + 1), line: 0, byte: 0 };
        loop {
            place.byte = scanner.offset();
            place.line += 1;
            let expected = self.verdict.head;
            let (line, tail) =
                match next(&mut scanner).map_err(LogError::io("read", &segment.path))? {
                    Next::End => {
                        if is_last && place.line > 1 {
                            self.last = self.last_line(segment)?;
                        }
                        return Ok(false);
                    }
                    Next::Line => (scanner.current(), Tail::of(scanner.current())),
                    Next::Broken => (&[][..], None),
                };
            let Some(tail) = tail else {
                let kind = self.broken_line(segment, place.byte, is_last)?;
                self.damage(kind, expected.seq + 1, place);
                return Ok(true);
            };
            if place.line == 1 {
                if self.verdict.lines == 0 {
                    self.verdict.first_seq = tail.seq;
                    if tail.seq > 1 {
                        // Older segments are gone; what it continues cannot be checked.
                        self.verdict.head = Head { seq: tail.seq - 1, leaf: tail.prev };
                    }
                }
                if segment.named.is_none() {
                    place.segment = tail.seq;
                }
                if segment.named.is_some_and(|named| named != tail.seq) {
                    self.damage(DamageKind::Misnamed, tail.seq, place);
                    return Ok(true);
                }
            }
            let expected = self.verdict.head;
            if tail.prev != expected.leaf || tail.seq != expected.seq + 1 {
                let line = line.to_vec();
                self.classify(&line, tail, place, all)?;
                return Ok(true);
            }
            let head = Head { seq: tail.seq, leaf: proof::leaf(line) };
            if scan::is_note(line)
                && let Some((kind, seq)) = self.note(line, tail)
            {
                self.damage(kind, seq, place);
                return Ok(true);
            }
            if self.verdict.lines == 0 || (place.line == 1 && self.roots.waits()) {
                self.roots.begin(tail.seq, &self.verdict.log_id)?;
            }
            if self.heads.iter().flatten().any(|h| h.seq == head.seq && h.leaf != head.leaf) {
                // The chain to it is right, and it is not the line that was acknowledged.
                self.damage(DamageKind::Altered, head.seq, place);
                return Ok(true);
            }
            self.roots.line(line, head.leaf, &self.verdict.log_id)?;
            self.verdict.head = head;
            self.verdict.lines += 1;
            self.verdict.bytes += line.len() as u64;
            self.before = Some(place);
        }
    }

    fn last_line(&self, segment: &Segment) -> Result<Vec<u8>, LogError> {
        let read = || -> io::Result<Option<(u64, Vec<u8>)>> {
            let file = self.disk.open_read(&segment.path)?;
            let len = file.len()?;
            scan::last_line(&*file, len)
        };
        let line = read().map_err(LogError::io("read", &segment.path))?;
        Ok(line.map_or(Vec::new(), |(_, line)| line))
    }

    /// Epoch and segment notes say what they continue and of which log; key notes, who signs.
    fn note(&mut self, line: &[u8], tail: Tail) -> Option<(DamageKind, Seq)> {
        if !matches!(scan::event_type(line), b"epoch" | b"segment" | b"key") {
            return None;
        }
        let note = View::parse(line).ok()?.note?;
        self.roots.note(&note, tail.seq);
        let (log, epoch, seq, leaf, begins) = match note {
            Note::Epoch(n) => (n.log, n.epoch, n.parent_seq, n.parent_leaf, true),
            Note::Segment(n) => (n.log, n.epoch, n.parent_seq, n.parent_leaf, false),
            _ => return None,
        };
        if seq + 1 != tail.seq || leaf != tail.prev {
            return Some((DamageKind::ForeignParent { parent: seq }, tail.seq));
        }
        if !self.verdict.log_id.is_empty() && self.verdict.log_id != log {
            return Some((DamageKind::ForeignLog, tail.seq));
        }
        let goes_on = if begins { epoch > self.verdict.epoch } else { epoch >= self.verdict.epoch };
        if !goes_on {
            return Some((DamageKind::Forked { parent: seq }, tail.seq));
        }
        self.verdict.log_id = log.into_owned();
        self.verdict.epoch = epoch;
        None
    }

    fn damage(&mut self, kind: DamageKind, seq: Seq, place: Place) {
        self.verdict.damage = Some(place.damage(kind, seq));
    }

    /// A piece that is no line: torn where nothing behind it continues a chain.
    fn broken_line(
        &self,
        segment: &Segment,
        byte: u64,
        is_last: bool,
    ) -> Result<DamageKind, LogError> {
        if !is_last || segment.named.is_some() {
            return Ok(DamageKind::Malformed);
        }
        let open = || self.disk.open_read(&segment.path);
        let io = || LogError::io("read", &segment.path);
        let continued =
            continues(open().map_err(io())?, byte, self.verdict.head.leaf).map_err(io())?;
        if continued {
            return Ok(DamageKind::Malformed);
        }
        let len = open().and_then(|f| f.len()).map_err(io())?;
        Ok(DamageKind::TornTail { bytes: len.saturating_sub(byte), durable: None })
    }

    /// What happened at a line that does not continue the chain.
    fn classify(
        &mut self,
        line: &[u8],
        tail: Tail,
        place: Place,
        all: &[Segment],
    ) -> Result<(), LogError> {
        let head = self.verdict.head;
        let expected = head.seq + 1;
        let (kind, seq, place) = if tail.prev == head.leaf {
            // It continues the chain, under a number that is not its own.
            (DamageKind::Altered, expected, place)
        } else if serde_json::from_slice::<serde::de::IgnoredAny>(line).is_err() {
            (DamageKind::Malformed, expected, place)
        } else if let Some((parent, twin)) = self.continues_earlier(tail, place, all)? {
            let leaf = proof::leaf(line);
            let kind = if twin == Some(leaf) {
                DamageKind::Repeated
            } else {
                DamageKind::Forked { parent }
            };
            (kind, tail.seq, place)
        } else if tail.seq > expected {
            if self.stands_later(expected, head.leaf, place, all)? {
                (DamageKind::Swapped { first: expected, second: tail.seq }, expected, place)
            } else {
                (DamageKind::Dropped { from: expected, to: tail.seq - 1 }, expected, place)
            }
        } else if tail.seq < expected {
            (DamageKind::Forked { parent: tail.seq.saturating_sub(1) }, tail.seq, place)
        } else if close(&tail.prev, &head.leaf) || self.before.is_none() {
            // A changed line changes its whole digest; here a few digits differ: the link was changed.
            (DamageKind::Altered, expected, place)
        } else {
            (DamageKind::Altered, head.seq, self.before.unwrap_or(place))
        };
        self.damage(kind, seq, place);
        Ok(())
    }

    /// The line before this one that it continues, and the leaf of the line that continues it by right.
    fn continues_earlier(
        &self,
        tail: Tail,
        until: Place,
        all: &[Segment],
    ) -> Result<Option<(Seq, Option<Digest>)>, LogError> {
        let mut parent = None;
        self.each(all, None, |at, line, t| {
            if at.segment == until.segment && at.byte >= until.byte {
                return true;
            }
            if t.prev == tail.prev {
                parent = Some((t.seq.saturating_sub(1), Some(proof::leaf(line))));
                return true;
            }
            false
        })?;
        Ok(parent)
    }

    /// Whether line `seq` that continues `leaf` stands after a place.
    fn stands_later(
        &self,
        seq: Seq,
        leaf: Digest,
        from: Place,
        all: &[Segment],
    ) -> Result<bool, LogError> {
        let mut found = false;
        self.each(all, Some(from), |_, _, t| {
            found = t.seq == seq && t.prev == leaf;
            found
        })?;
        Ok(found)
    }

    /// Calls `each` for every line from a place on that has a tail, until it says enough.
    fn each(
        &self,
        all: &[Segment],
        from: Option<Place>,
        mut each: impl FnMut(Place, &[u8], Tail) -> bool,
    ) -> Result<(), LogError> {
        let mut next_active = 0;
        for segment in all {
            let mut place =
                Place { segment: segment.named.unwrap_or(next_active), line: 0, byte: 0 };
            if let Some(from) = from {
                let here = segment.named.unwrap_or(Seq::MAX);
                if here < from.segment {
                    continue;
                }
            }
            let mut scanner = Scanner::new(self.file(segment)?, 0);
            loop {
                place.byte = scanner.offset();
                let piece = scanner.next().map_err(LogError::io("read", &segment.path))?;
                let line = match piece {
                    None | Some(Piece::Unfinished(_)) => break,
                    Some(Piece::TooLong(_)) => continue,
                    Some(Piece::Line(line)) => line,
                };
                let Some(tail) = Tail::of(line) else { continue };
                if place.byte == 0 && segment.named.is_none() {
                    place.segment = tail.seq;
                }
                next_active = tail.seq + 1;
                let before =
                    from.is_some_and(|f| place.segment == f.segment && place.byte < f.byte);
                if !before && each(place, line, tail) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// After the last line: what heads and checkpoints say, and how far the proof goes.
    fn end(mut self, all: &[Segment]) -> Result<Verdict, LogError> {
        let head = self.verdict.head;
        let torn = matches!(
            self.verdict.damage,
            None | Some(Damage { kind: DamageKind::TornTail { .. }, .. })
        );
        if torn {
            let beyond = self.heads.iter().flatten().map(|h| h.seq).filter(|s| *s > head.seq).max();
            let claimed = self.roots.beyond(head.seq, &self.verdict.log_id)?;
            let tail = self.verdict.damage.as_mut().map(|d| &mut d.kind);
            if let Some((by, size)) = claimed {
                self.cut_off(DamageKind::CutBefore { size, by }, all);
            } else if let (Some(DamageKind::TornTail { durable, .. }), Some(_)) = (tail, beyond) {
                *durable = beyond;
            } else if let Some(expected) = beyond {
                self.cut_off(DamageKind::CutOff { expected }, all);
            }
        }
        if self.verdict.damage.is_none()
            && !self.last.is_empty()
            && serde_json::from_slice::<serde::de::IgnoredAny>(&self.last).is_err()
        {
            let place = self.before.unwrap_or_default();
            self.damage(DamageKind::Malformed, head.seq, place);
        }
        self.name_altered(all);
        let [given, signed] = self.roots.covers(head.seq);
        self.verdict.proven = if self.verdict.lines == 0 {
            Proven::Nothing
        } else if given || self.heads[0].is_some_and(|h| h == head) {
            Proven::ByGivenHead
        } else if self.heads[1].is_some_and(|h| h == head) {
            Proven::ByState
        } else if signed {
            Proven::ByCheckpoint
        } else {
            Proven::ButLast
        };
        self.roots.end(&mut self.verdict);
        Ok(self.verdict)
    }

    /// Lines are missing at the log's end.
    fn cut_off(&mut self, kind: DamageKind, all: &[Segment]) {
        let place = self.before.unwrap_or_default();
        let byte = all
            .last()
            .and_then(|s| self.disk.open_read(&s.path).and_then(|f| f.len()).ok())
            .unwrap_or(0);
        let place = Place { line: place.line + 1, byte, ..place };
        self.damage(kind, self.verdict.head.seq + 1, place);
    }

    /// Says of an altered line what it calls itself.
    fn name_altered(&mut self, all: &[Segment]) {
        let Some(damage) = &self.verdict.damage else { return };
        if damage.kind != DamageKind::Altered {
            return;
        }
        let named = all.iter().find(|s| s.named == Some(damage.segment));
        let Some(segment) = named.or_else(|| all.last().filter(|s| s.named.is_none())) else {
            return;
        };
        let Ok(file) = self.disk.open_read(&segment.path) else { return };
        if let Ok(Some(Piece::Line(line))) = Scanner::new(file, damage.byte).next() {
            self.verdict.altered = String::from_utf8_lossy(scan::event_type(line)).into_owned();
        }
    }
}

impl Place {
    fn damage(self, kind: DamageKind, seq: Seq) -> Damage {
        Damage { kind, seq, segment: self.segment, line: self.line, byte: self.byte }
    }
}

/// Two digests of different lines agree in hardly any byte.
fn close(a: &Digest, b: &Digest) -> bool {
    a.0.iter().zip(&b.0).filter(|(a, b)| a != b).count() <= 16
}
