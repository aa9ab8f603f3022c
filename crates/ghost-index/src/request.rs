//! A request to an index and its response, the same for every engine.

use ghost_event::{Seq, ShapeId, Timestamp};

use crate::term::Term;
use crate::{IndexError, limits};

/// Where a line stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// First seq of the log segment.
    pub segment: u64,
    pub offset: u64,
    pub len: u32,
}

/// Which packets stand together: those of one shape, flow and minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Point {
    /// As [`Hit::flow`].
    pub flow: u64,
    pub shape: ShapeId,
    /// Since 1970.
    pub minute: i64,
}

impl Point {
    pub(crate) fn minute(ns: i64) -> i64 {
        ns.div_euclid(60_000_000_000)
    }
}

/// What the packets of a point amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    pub packets: u64,
    /// On the wire.
    pub bytes: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, packets: u64, bytes: u64) {
        self.packets = self.packets.saturating_add(packets);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// A number that an event carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    Seq,
    /// Both sides, on the wire.
    Bytes,
    BytesToServer,
    BytesToClient,
    Packets,
    /// From the first to the last packet.
    DurationUs,
}

/// A condition on one event.
#[derive(Debug, Clone, PartialEq)]
pub enum Clause {
    /// The event has this term.
    Has(Term),
    /// The event has a term from the first to the last, both included; of one kind.
    Between(Term, Term),
    /// A name of the event, or a parent of it at a dot, matches the pattern (`*` is any run); a
    /// pattern of one word matches a word of a name as well.
    Name(String),
    /// The flow's time overlaps `from..until`.
    Time { from: Timestamp, until: Timestamp },
    /// The measure lies from `min` to `max`, both included.
    Number { of: Measure, min: u64, max: u64 },
    /// One of them holds. None of none.
    Any(Vec<Clause>),
    /// All of them hold. All of none holds.
    All(Vec<Clause>),
    /// It does not hold.
    Not(Box<Clause>),
}

/// What stands first in the answer. Equal ranks: the newer line (higher seq) first, except in
/// [`Order::Oldest`], which is by start and then the older line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// By score.
    #[default]
    Score,
    /// By end of flow, latest first.
    Newest,
    /// By start of flow, earliest first.
    Oldest,
    /// By a measure, largest first.
    Most(Measure),
}

/// What to look for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Request {
    /// All must hold.
    pub filter: Vec<Clause>,
    /// The score an event takes from its shape; 0 for shapes not named. Of a shape named twice the
    /// last counts.
    pub shapes: Vec<(ShapeId, f32)>,
    /// Each that holds adds its weight to the event's score, in this order.
    pub should: Vec<(Clause, f32)>,
    /// Events below this score are not hits.
    pub score_min: Option<f32>,
    pub order: Order,
    pub limit: usize,
    /// At most one hit a flow: its best, be it the flow's own record or a point of its packets. A
    /// point is never two hits, even where it stands in several windows of the log.
    pub by_flow: bool,
    /// Only lines up to this one.
    pub as_of: Option<Seq>,
}

/// One event found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    pub seq: Seq,
    pub at: Position,
    /// One number a conversation and source: its records share it.
    pub flow: u64,
    pub shape: ShapeId,
    /// The minute of a point of packets; `None` for a flow.
    pub minute: Option<i64>,
    /// The event's score: its shape's plus the weights of what held.
    pub score: f32,
    /// The part of the score that is its shape's.
    pub shape_score: f32,
    /// A number of who opened the conversation: equal for equal addresses, no more.
    pub opener: u32,
    /// Bit i: `should[i]` held.
    pub held: u64,
    /// What the hits are ordered by, larger first; comparable within one order.
    pub rank: (u64, u64),
}

/// What hits have in common that say the same again: the shape, what held, and who opened them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Alike {
    pub shape: ShapeId,
    pub held: u64,
    pub opener: u32,
}

impl Hit {
    /// What it shares with hits that say the same again.
    #[must_use]
    pub fn alike(&self) -> Alike {
        Alike { shape: self.shape, held: self.held, opener: self.opener }
    }

    /// The point of packets that was found.
    #[must_use]
    pub fn point(&self) -> Option<Point> {
        let minute = self.minute?;
        Some(Point { flow: self.flow, shape: self.shape, minute })
    }
}

/// What was found, and where it was looked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Response {
    pub hits: Vec<Hit>,
    /// Events that passed the filter.
    pub matched: u64,
    /// Events in the partitions searched.
    pub searched: u64,
    pub partitions_searched: u32,
    /// Left closed: their time lies outside the request's.
    pub partitions_skipped: u32,
    /// First start and last end of what was searched.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Partitions that could not be read, by name: what they hold is missing from the hits.
    pub damaged: Vec<String>,
}

impl Request {
    /// Checks what engines rely on.
    ///
    /// # Errors
    /// The request holds more than an engine takes.
    pub fn check(&self) -> Result<(), IndexError> {
        if self.should.len() > limits::SHOULD_MAX {
            return Err(IndexError::TooMuch("more than 64 weighted clauses"));
        }
        let clauses = self.filter.iter().chain(self.should.iter().map(|(c, _)| c));
        if clauses.clone().any(|c| c.depth() > limits::CLAUSE_DEPTH_MAX) {
            return Err(IndexError::TooMuch("clauses nested deeper than 16"));
        }
        Ok(())
    }

    /// The time outside which nothing can match, as far as the filter's top level tells.
    #[must_use]
    pub fn window(&self) -> (Timestamp, Timestamp) {
        window(&self.filter)
    }
}

/// The time outside which not all of `filter` can hold, as far as its top level tells.
pub(crate) fn window(filter: &[Clause]) -> (Timestamp, Timestamp) {
    let mut window = (Timestamp(i64::MIN), Timestamp(i64::MAX));
    for clause in filter {
        if let Clause::Time { from, until } = clause {
            window = (window.0.max(*from), window.1.min(*until));
        }
    }
    window
}

impl Clause {
    pub(crate) fn depth(&self) -> usize {
        match self {
            Clause::Any(of) | Clause::All(of) => {
                1 + of.iter().map(Clause::depth).max().unwrap_or(0)
            }
            Clause::Not(of) => 1 + of.depth(),
            _ => 1,
        }
    }

    /// Either side has the term: `Has` of both kinds.
    #[must_use]
    pub fn either(a: Term, b: Term) -> Clause {
        Clause::Any(vec![Clause::Has(a), Clause::Has(b)])
    }
}

impl Response {
    /// Joins the answers of two disjoint sets of lines (the index and the log's tail) to `request`.
    #[must_use]
    pub fn join(mut self, other: Response, request: &Request) -> Response {
        let mut top = crate::top::Top::new(request.limit, request.by_flow);
        for hit in self.hits.drain(..).chain(other.hits) {
            top.offer(hit);
        }
        self.hits = top.into_hits();
        self.matched += other.matched;
        self.searched += other.searched;
        self.partitions_searched += other.partitions_searched;
        self.partitions_skipped += other.partitions_skipped;
        self.span = join_spans(self.span, other.span);
        self.damaged.extend(other.damaged);
        self
    }
}

pub(crate) fn join_spans(
    a: Option<(Timestamp, Timestamp)>,
    b: Option<(Timestamp, Timestamp)>,
) -> Option<(Timestamp, Timestamp)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

/// What an event is ordered by.
pub(crate) struct Facts {
    pub(crate) seq: Seq,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) measure: u64,
    pub(crate) score: f32,
}

impl Order {
    pub(crate) fn rank(self, facts: &Facts) -> (u64, u64) {
        const SIGN: u64 = 1 << 63;
        match self {
            Order::Score => (float_order(facts.score), facts.seq),
            Order::Newest => (facts.end.cast_unsigned() ^ SIGN, facts.seq),
            Order::Oldest => (!(facts.start.cast_unsigned() ^ SIGN), !facts.seq),
            Order::Most(_) => (facts.measure, facts.seq),
        }
    }
}

/// A number whose order is that of `f32::total_cmp`.
pub(crate) fn float_order(value: f32) -> u64 {
    let bits = value.to_bits();
    u64::from(if bits >> 31 == 1 { !bits } else { bits | 1 << 31 })
}
