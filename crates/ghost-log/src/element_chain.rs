//! The chain of one element, read from the log's lines: its history, and whether it is whole.
//!
//! A chain begins at height 1, or where the oldest segments are gone at a head that the log states
//! again. Each line is hashed here, and the element's next line must name it; of the newest line
//! only [`verify`](crate::verify()) can tell. Not promised: that an event about the element was
//! logged at all.

use std::collections::VecDeque;
use std::fmt;

use ghost_event::line::{Note, Tail, View};
use ghost_event::{Digest, Seq};

use crate::elements::ElementHead;
use crate::error::LogError;
use crate::proof;
use crate::reader::{LogReader, Position};
use crate::scan;

/// An event about an element, as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementEvent {
    pub seq: Seq,
    pub height: u64,
    pub position: Position,
    /// The line, with its newline.
    pub bytes: Vec<u8>,
}

/// What is known of an element's chain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ElementVerdict {
    /// Events about it that are in the log.
    pub events: u64,
    /// The height of the first of them; above 1, older ones are gone with their segments.
    pub first_height: u64,
    /// The newest right one.
    pub head: Option<ElementHead>,
    pub damage: Option<ElementDamage>,
}

/// Where a chain breaks, and how. The line is the one that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ElementDamage {
    /// It goes on with a chain of which the log holds no beginning.
    WithoutBeginning { seq: Seq },
    /// Events of these heights are not there.
    Missing { seq: Seq, from: u64, to: u64 },
    /// It has the height of an event that is there already.
    Forked { seq: Seq, height: u64 },
    /// It names another event before it than the one that stands there.
    OtherBefore { seq: Seq, before: Seq },
    /// It states a head that is not the chain's.
    OtherHead { seq: Seq },
}

impl ElementVerdict {
    #[must_use]
    pub fn ok(&self) -> bool {
        self.damage.is_none()
    }
}

/// What a line says of an element's chain.
enum Said<'a> {
    Event { height: u64, prev: Digest, kind: &'a str },
    Head { height: u64, seq: Seq, leaf: Digest, kind: &'a str },
}

/// Calls `each` with every line about an element, until it says enough.
fn each_line(
    reader: &LogReader,
    id: &str,
    mut each: impl FnMut(Seq, Position, &[u8], &Said<'_>) -> bool,
) -> Result<(), LogError> {
    let mut lines = reader.lines(0);
    while let Some(line) = lines.next()? {
        let event =
            Tail::of(line.bytes).is_some_and(|t| scan::has_element(line.bytes, t.body_bytes));
        let head = scan::is_note(line.bytes) && scan::event_type(line.bytes) == b"element";
        if !event && !head {
            continue;
        }
        let Ok(view) = View::parse(line.bytes) else { continue };
        let said = match (&view.ghost.element, &view.note) {
            (Some(link), _) if event && link.id == id => {
                Said::Event { height: link.height, prev: link.prev, kind: &link.kind }
            }
            (_, Some(Note::Element(n))) if head && n.id == id => {
                Said::Head { height: n.height, seq: n.seq, leaf: n.leaf, kind: &n.kind }
            }
            _ => continue,
        };
        if each(line.seq, line.position, line.bytes, &said) {
            break;
        }
    }
    Ok(())
}

/// The newest events about an element, oldest first, `max` at most.
pub fn element_history(
    reader: &LogReader,
    id: &str,
    max: usize,
) -> Result<Vec<ElementEvent>, LogError> {
    let mut newest = VecDeque::new();
    each_line(reader, id, |seq, position, bytes, said| {
        if let Said::Event { height, .. } = said {
            if newest.len() >= max {
                newest.pop_front();
            }
            if max > 0 {
                let bytes = bytes.to_vec();
                newest.push_back(ElementEvent { seq, height: *height, position, bytes });
            }
        }
        false
    })?;
    Ok(newest.into())
}

/// Follows an element's chain from its beginning to its end.
pub fn verify_element(reader: &LogReader, id: &str) -> Result<ElementVerdict, LogError> {
    let first = reader.first_seq()?.unwrap_or(0);
    let mut verdict = ElementVerdict::default();
    each_line(reader, id, |at, _, bytes, said| {
        let wrong = match said {
            Said::Event { height, prev, .. } => event(&verdict, at, *height, prev),
            Said::Head { height, seq, leaf, .. } => match &verdict.head {
                // Only lines that are gone need not be here.
                None if (1..first).contains(seq) && *height > 0 => None,
                Some(head) if (head.height, head.seq, head.leaf) == (*height, *seq, *leaf) => None,
                _ => Some(ElementDamage::OtherHead { seq: at }),
            },
        };
        if wrong.is_some() {
            verdict.damage = wrong;
            return true;
        }
        let head = match said {
            Said::Event { height, kind, .. } => {
                if verdict.events == 0 {
                    verdict.first_height = *height;
                }
                verdict.events += 1;
                let leaf = proof::leaf(bytes);
                ElementHead { kind: (*kind).to_owned(), height: *height, seq: at, leaf }
            }
            Said::Head { height, seq, leaf, kind } => {
                ElementHead { kind: (*kind).to_owned(), height: *height, seq: *seq, leaf: *leaf }
            }
        };
        verdict.head = Some(head);
        false
    })?;
    Ok(verdict)
}

/// What is wrong with an event that comes next.
fn event(verdict: &ElementVerdict, seq: Seq, height: u64, prev: &Digest) -> Option<ElementDamage> {
    let (before, expected, leaf) = match &verdict.head {
        Some(head) => (head.seq, head.height + 1, head.leaf),
        None if height == 1 => (0, 1, Digest::ZERO),
        None => return Some(ElementDamage::WithoutBeginning { seq }),
    };
    if height > expected {
        return Some(ElementDamage::Missing { seq, from: expected, to: height - 1 });
    }
    if height < expected {
        return Some(ElementDamage::Forked { seq, height });
    }
    (*prev != leaf).then_some(ElementDamage::OtherBefore { seq, before })
}

impl fmt::Display for ElementDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ElementDamage::WithoutBeginning { seq } => {
                write!(f, "line {seq} goes on with a chain of which the log holds no beginning")
            }
            ElementDamage::Missing { seq, from, to } => {
                write!(f, "before line {seq} the events of height {from} to {to} are missing")
            }
            ElementDamage::Forked { seq, height } => {
                write!(f, "line {seq} is a second event of height {height}")
            }
            ElementDamage::OtherBefore { seq, before } => {
                write!(f, "line {seq} names another event before it than line {before}")
            }
            ElementDamage::OtherHead { seq } => {
                write!(f, "line {seq} states a head that the chain has not")
            }
        }
    }
}
