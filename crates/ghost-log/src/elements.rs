//! Elements: what has a chain of its own in the log, as a bridge or a port.
//!
//! Each event about an element says its height in that chain and names the element's line before
//! (`ghost.element`). A segment states the head of a chain before it goes on with it, and before
//! the oldest segments are removed the heads that only they have are stated again: the log that is
//! left holds the head of every chain. `state/elements` repeats them, so that a start need not read
//! the whole log; where it is missing or torn, the log is asked.
//!
//! **Invariant:** the table is bounded; an element that finds no room is turned away and counted,
//! and never takes another's place.

use std::collections::BTreeMap;
use std::sync::Arc;

use ghost_event::line::{self, ElementNote, Note, Tail, View};
use ghost_event::{Digest, Seq, Timestamp};
use ghost_world::Disk;

use crate::error::LogError;
use crate::head::Head;
use crate::layout::Layout;
use crate::limits::{
    ELEMENT_ID_BYTES_MAX, ELEMENT_KIND_BYTES_MAX, ELEMENTS_BYTES_MAX, ELEMENTS_MAX,
};
use crate::put::{self, Readers, Until};
use crate::scan::{self, Piece, Scanner};

/// Names an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    /// `bridge`, `port`, `interface`, …: a word of ours.
    pub kind: &'a str,
    /// The kind, a colon and a name: `bridge:br0`. The same for ever.
    pub id: &'a str,
}

/// The newest line of an element's chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementHead {
    pub kind: String,
    /// From 1.
    pub height: u64,
    pub seq: Seq,
    pub leaf: Digest,
}

/// An element that the log knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) head: ElementHead,
    /// The segment that has its newest line or stated its head last.
    pub(crate) stated_in: Seq,
}

/// Every element, by its id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Elements(BTreeMap<String, Known>);

impl Element<'_> {
    fn check(&self) -> Result<(), LogError> {
        let fits = |text: &str, max| !text.is_empty() && text.len() <= max;
        if fits(self.id, ELEMENT_ID_BYTES_MAX) && fits(self.kind, ELEMENT_KIND_BYTES_MAX) {
            Ok(())
        } else {
            Err(LogError::ElementName)
        }
    }
}

impl Known {
    /// The note that states the head again.
    pub(crate) fn note(&self, id: &str) -> Note<'static> {
        Note::Element(ElementNote {
            id: id.to_owned().into(),
            kind: self.head.kind.clone().into(),
            height: self.head.height,
            seq: self.head.seq,
            leaf: self.head.leaf,
        })
    }
}

impl Elements {
    /// What is known of an element; an error where it is new and there is no room.
    pub(crate) fn get(&self, element: &Element<'_>) -> Result<Option<&Known>, LogError> {
        element.check()?;
        let known = self.0.get(element.id);
        if known.is_none() && self.0.len() >= ELEMENTS_MAX {
            return Err(LogError::TooManyElements);
        }
        Ok(known)
    }

    /// Takes in the newest line of an element.
    pub(crate) fn take(&mut self, id: &str, head: ElementHead, segment: Seq) {
        if let Some(known) = self.0.get_mut(id) {
            known.stated_in = known.stated_in.max(segment);
            if known.head.seq <= head.seq {
                known.head = head;
            }
        } else if self.0.len() < ELEMENTS_MAX {
            self.0.insert(id.to_owned(), Known { head, stated_in: segment });
        }
    }

    /// Takes in a line of the log where it is about an element.
    pub(crate) fn take_line(&mut self, line: &[u8], tail: Tail, segment: Seq) {
        if scan::has_element(line, tail.body_bytes) {
            let Ok(view) = View::parse(line) else { return };
            let Some(link) = view.ghost.element else { return };
            let head = ElementHead {
                kind: link.kind.into_owned(),
                height: link.height,
                seq: tail.seq,
                leaf: crate::proof::leaf(line),
            };
            self.take(&link.id, head, segment);
        } else if scan::is_note(line) && scan::event_type(line) == b"element" {
            let Ok(view) = View::parse(line) else { return };
            let Some(Note::Element(n)) = view.note else { return };
            let kind = n.kind.into_owned();
            let head = ElementHead { kind, height: n.height, seq: n.seq, leaf: n.leaf };
            self.take(&n.id, head, segment);
        }
    }

    pub(crate) fn stated(&mut self, id: &str, segment: Seq) {
        if let Some(known) = self.0.get_mut(id) {
            known.stated_in = segment;
        }
    }

    /// Elements that no segment from `first` on tells of.
    pub(crate) fn only_before(&self, first: Seq) -> Vec<String> {
        let before = self.0.iter().filter(|(_, known)| known.stated_in < first);
        before.map(|(id, _)| id.clone()).collect()
    }

    pub(crate) fn known(&self, id: &str) -> Option<&Known> {
        self.0.get(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &ElementHead)> {
        self.0.iter().map(|(id, known)| (id.as_str(), &known.head))
    }
}

const TITLE: &str = "ghostbridge elements v1";

impl Elements {
    /// Repeats all heads beside the log, as of line `upto`, with which a segment ends.
    pub(crate) fn keep(
        &self,
        disk: &dyn Disk,
        layout: &Layout,
        upto: Head,
        until: Until,
    ) -> Result<(), LogError> {
        let mut text = format!("{TITLE}\n{upto}\n").into_bytes();
        for (id, known) in &self.0 {
            line::note_body(&mut text, Timestamp(0), &known.note(id));
            // Its own place in this file is of no use: the segment that stated it stands there.
            line::close(&mut text, known.stated_in, &Digest::ZERO);
        }
        put::seal(&mut text);
        let path = layout.elements();
        put::put(disk, &path, &text, until, Readers::Group).map_err(LogError::io("write", &path))
    }

    /// What stands beside the log, and up to which line it holds.
    fn read(disk: &dyn Disk, layout: &Layout) -> Option<(Elements, Head)> {
        let bytes = put::read(disk, &layout.elements(), ELEMENTS_BYTES_MAX).ok()??;
        let text = put::unseal(&bytes)?.strip_prefix(TITLE.as_bytes())?.strip_prefix(b"\n")?;
        let (upto, lines) = text.split_at(memchr::memchr(b'\n', text)? + 1);
        let upto = Head::parse(std::str::from_utf8(upto).ok()?)?;
        let mut elements = Elements::default();
        for line in lines.split_inclusive(|b| *b == b'\n') {
            let tail = Tail::of(line)?;
            elements.take_line(line, tail, tail.seq);
        }
        Some((elements, upto))
    }

    /// All heads as of the end of the sealed segments, which end with `base`: from beside the log as
    /// far as that goes, else by reading them. True where a segment had to be read.
    pub(crate) fn of_sealed(
        disk: &Arc<dyn Disk>,
        layout: &Layout,
        sealed: &[Seq],
        base: Head,
    ) -> Result<(Elements, bool), LogError> {
        let (mut elements, upto) = Elements::read(&**disk, layout).unwrap_or_default();
        // A copy that speaks of other lines than these is no copy of this log.
        let beyond = !goes_on(disk, layout, sealed, base, upto)?;
        let from = if beyond { 0 } else { upto.seq };
        if beyond {
            elements = Elements::default();
        }
        let mut read = beyond;
        for first in sealed.iter().filter(|first| **first > from) {
            read = true;
            let path = layout.segment(*first);
            let file = disk.open_read(&path).map_err(LogError::io("open", &path))?;
            let mut scanner = Scanner::new(file, 0);
            while let Some(Piece::Line(line)) =
                scanner.next().map_err(LogError::io("read", &path))?
            {
                if let Some(tail) = Tail::of(line) {
                    elements.take_line(line, tail, *first);
                }
            }
        }
        Ok((elements, read))
    }
}

/// Whether a segment of this log ends with that line.
fn goes_on(
    disk: &Arc<dyn Disk>,
    layout: &Layout,
    sealed: &[Seq],
    base: Head,
    upto: Head,
) -> Result<bool, LogError> {
    if upto.seq >= base.seq {
        return Ok(upto == base);
    }
    if !sealed.contains(&(upto.seq + 1)) {
        return Ok(false);
    }
    let path = layout.segment(upto.seq + 1);
    let file = disk.open_read(&path).map_err(LogError::io("open", &path))?;
    let mut scanner = Scanner::new(file, 0);
    let first = scanner.next().map_err(LogError::io("read", &path))?;
    let Some(Piece::Line(line)) = first else { return Ok(false) };
    Ok(Tail::of(line).is_some_and(|tail| tail.prev == upto.leaf))
}
