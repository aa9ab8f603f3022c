//! A walk over every event that meets the conditions, or over every term of them: what sums,
//! windows and comparisons are made from.
//!
//! A search keeps the best few; a walk hands out all, in no order, and keeps nothing itself. What a
//! visitor reads of an event is read when it asks. A term may be met once in every part of an index
//! (and once in its tail): whoever sums adds up by the term.
//!
//! **Invariant:** a walk and a search agree on which events there are: what is retired, what lies
//! behind `as_of` and what stands in a damaged partition is in neither.

use ghost_event::{Seq, ShapeId, Timestamp};

use crate::bits::Bits;
use crate::entry::{self, Entry};
use crate::partition::{Column, SIGN, Segment};
use crate::request::{Clause, Position, join_spans};
use crate::term::{Kind, Term};
use crate::{IndexError, limits, search};

/// What is walked over.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Walk {
    /// All must hold.
    pub filter: Vec<Clause>,
    /// Bit i of [`Met::held`] tells whether the i-th of these holds.
    pub also: Vec<Clause>,
    /// Only lines up to this one.
    pub as_of: Option<Seq>,
}

/// What was walked over.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Walked {
    /// Events that met the conditions.
    pub matched: u64,
    /// Events in the partitions that were opened.
    pub searched: u64,
    /// First start and last end of what was searched.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Partitions that could not be read, by name.
    pub damaged: Vec<String>,
}

/// Hears of terms, and of the events that have them.
pub trait Visit {
    /// The next term; whether its events are wanted.
    fn term(&mut self, kind: Kind, value: &[u8]) -> bool;

    /// An event that has the term.
    fn event(&mut self, event: &Met<'_>);
}

/// An event that a walk meets.
#[derive(Clone, Copy)]
pub struct Met<'a> {
    /// Bit i: `also[i]` holds.
    pub held: u64,
    /// Tells openers of several logs apart.
    salt: u32,
    place: Place<'a>,
}

#[derive(Clone, Copy)]
enum Place<'a> {
    Doc(&'a Segment, u32),
    Entry(&'a Entry),
}

impl std::fmt::Debug for Met<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Met({})", self.seq())
    }
}

impl<'a> Met<'a> {
    /// The same event, where openers of several logs are told apart by `salt`.
    #[must_use]
    pub fn salted(self, salt: u32) -> Met<'a> {
        Met { salt, ..self }
    }

    fn value(&self, column: Column) -> u64 {
        match self.place {
            Place::Doc(segment, doc) => segment.value(column, doc),
            Place::Entry(entry) => {
                let n = &entry.numbers;
                match column {
                    Column::Seq => n.seq,
                    Column::Start => n.start.cast_unsigned() ^ SIGN,
                    Column::End => n.end.cast_unsigned() ^ SIGN,
                    Column::ToServer => n.to_server,
                    Column::ToClient => n.to_client,
                    Column::Packets => n.packets,
                    Column::DurationUs => n.measure(crate::Measure::DurationUs),
                    Column::Pair => n.pair,
                    Column::Source => n.source,
                    Column::Shape => n.shape,
                    Column::Opener => u64::from(n.opener),
                    Column::Segment => n.at.segment,
                    Column::Offset => n.at.offset,
                    Column::Len => u64::from(n.at.len),
                }
            }
        }
    }

    #[must_use]
    pub fn seq(&self) -> Seq {
        self.value(Column::Seq)
    }

    #[must_use]
    pub fn start(&self) -> Timestamp {
        Timestamp((self.value(Column::Start) ^ SIGN).cast_signed())
    }

    #[must_use]
    pub fn end(&self) -> Timestamp {
        Timestamp((self.value(Column::End) ^ SIGN).cast_signed())
    }

    #[must_use]
    pub fn shape(&self) -> ShapeId {
        ShapeId(self.value(Column::Shape))
    }

    /// As [`Hit::opener`](crate::Hit::opener).
    #[must_use]
    pub fn opener(&self) -> u32 {
        match u32::try_from(self.value(Column::Opener)).unwrap_or(0) {
            0 => 0,
            opener => opener ^ self.salt,
        }
    }

    /// From the first to the last packet.
    #[must_use]
    pub fn duration_us(&self) -> u64 {
        self.value(Column::DurationUs)
    }

    #[must_use]
    pub fn packets(&self) -> u64 {
        self.value(Column::Packets)
    }

    #[must_use]
    pub fn bytes_to_server(&self) -> u64 {
        self.value(Column::ToServer)
    }

    #[must_use]
    pub fn bytes_to_client(&self) -> u64 {
        self.value(Column::ToClient)
    }

    /// Both sides', on the wire.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes_to_server().saturating_add(self.bytes_to_client())
    }

    /// As [`Hit::flow`](crate::Hit::flow).
    #[must_use]
    pub fn flow(&self) -> u64 {
        entry::flow(self.value(Column::Pair), self.value(Column::Source))
    }

    /// Where its line stands.
    #[must_use]
    pub fn position(&self) -> Position {
        match self.place {
            Place::Doc(segment, doc) => segment.position(doc),
            Place::Entry(entry) => entry.numbers.at,
        }
    }
}

impl Walk {
    /// Checks what engines rely on.
    ///
    /// # Errors
    /// The walk holds more than an engine takes.
    pub fn check(&self) -> Result<(), IndexError> {
        if self.also.len() > limits::SHOULD_MAX {
            return Err(IndexError::TooMuch("more than 64 clauses to tell events apart by"));
        }
        if self.filter.iter().chain(&self.also).any(|c| c.depth() > limits::CLAUSE_DEPTH_MAX) {
            return Err(IndexError::TooMuch("clauses nested deeper than 16"));
        }
        Ok(())
    }

    /// The time outside which nothing can match, as far as the filter's top level tells.
    pub(crate) fn window(&self) -> (Timestamp, Timestamp) {
        crate::request::window(&self.filter)
    }

    fn meets(&self, entry: &Entry) -> Option<u64> {
        if self.as_of.is_some_and(|seq| entry.numbers.seq > seq)
            || !self.filter.iter().all(|clause| entry.passes(clause))
        {
            return None;
        }
        let held = self.also.iter().enumerate();
        Some(held.filter(|(_, clause)| entry.passes(clause)).fold(0, |bits, (i, _)| bits | 1 << i))
    }
}

impl Walked {
    /// Adds what was walked over elsewhere.
    #[must_use]
    pub fn join(mut self, other: Walked) -> Walked {
        self.matched += other.matched;
        self.searched += other.searched;
        self.span = join_spans(self.span, other.span);
        self.damaged.extend(other.damaged);
        self
    }
}

/// Walks over `entries`; how many matched.
pub(crate) fn entries<'e>(
    entries: impl Iterator<Item = &'e Entry>,
    walk: &Walk,
    each: &mut dyn FnMut(&Met<'_>),
) -> u64 {
    let mut matched = 0;
    for entry in entries {
        if let Some(held) = walk.meets(entry) {
            matched += 1;
            each(&Met { held, salt: 0, place: Place::Entry(entry) });
        }
    }
    matched
}

/// Walks over the terms of `kinds` that `entries` have; how many matched.
pub(crate) fn entry_terms<'e>(
    entries: impl Iterator<Item = &'e Entry>,
    walk: &Walk,
    kinds: &[Kind],
    visit: &mut dyn Visit,
) -> u64 {
    let mut matched = 0;
    for entry in entries {
        let Some(held) = walk.meets(entry) else { continue };
        matched += 1;
        let met = Met { held, salt: 0, place: Place::Entry(entry) };
        let mut terms: Vec<&[u8]> = entry.terms().collect();
        // Some stand twice.
        terms.sort_unstable();
        terms.dedup();
        for term in terms {
            let Some((kind, value)) = term.split_first() else { continue };
            if let Some(kind) = kinds.iter().find(|k| **k as u8 == *kind)
                && visit.term(*kind, value)
            {
                visit.event(&met);
            }
        }
    }
    matched
}

/// What of one of the engine's segments is walked over.
pub(crate) struct Within<'s> {
    segment: &'s Segment,
    docs: Bits,
    also: Vec<Bits>,
}

impl<'s> Within<'s> {
    /// Events of log segments before `first` are retired: they are not there.
    pub(crate) fn of(segment: &'s Segment, first: u64, walk: &Walk) -> std::io::Result<Within<'s>> {
        let docs = search::filtered(segment, first, &walk.filter, walk.as_of)?;
        let also = if docs.is_empty() {
            Vec::new()
        } else {
            walk.also.iter().map(|c| search::docs_of(segment, c)).collect::<Result<_, _>>()?
        };
        Ok(Within { segment, docs, also })
    }

    pub(crate) fn matched(&self) -> u64 {
        self.docs.count()
    }

    fn met(&self, doc: u32) -> Met<'s> {
        let held = self.also.iter().enumerate();
        let held =
            held.filter(|(_, docs)| docs.contains(doc)).fold(0, |bits, (i, _)| bits | 1 << i);
        Met { held, salt: 0, place: Place::Doc(self.segment, doc) }
    }

    pub(crate) fn events(&self, each: &mut dyn FnMut(&Met<'_>)) {
        for doc in self.docs.iter_down() {
            each(&self.met(doc));
        }
    }

    pub(crate) fn terms(&self, kinds: &[Kind], visit: &mut dyn Visit) -> std::io::Result<()> {
        if self.docs.is_empty() {
            return Ok(());
        }
        let inverted = &self.segment.inverted;
        for kind in kinds {
            let first = Term::text(*kind, "");
            let mut terms = inverted.terms().range().ge(first.as_bytes());
            if let Some(next) = (*kind as u8).checked_add(1) {
                terms = terms.lt([next]);
            }
            let mut terms = terms.into_stream()?;
            while terms.advance() {
                let Some(value) = terms.key().get(1..) else { continue };
                if visit.term(*kind, value) {
                    search::each_doc(inverted, terms.value(), |doc| {
                        if self.docs.contains(doc) {
                            visit.event(&self.met(doc));
                        }
                    })?;
                }
            }
        }
        Ok(())
    }
}
