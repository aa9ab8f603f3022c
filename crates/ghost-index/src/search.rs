//! A request over one of the engine's segments.
//!
//! Clauses become sets of documents, term by term. Scores come in bulk: all events of a shape share
//! its score, so shapes are taken from the best down, and the walk ends where no event of the next
//! shape, however many weighted clauses hold, can enter the answer.

use std::collections::{HashMap, HashSet};
use std::io;

use tantivy::index::InvertedIndexReader;
use tantivy::postings::TermInfo;
use tantivy::schema::IndexRecordOption;

use crate::bits::Bits;
use crate::entry;
use crate::oracle::{NamePattern, name_pattern};
use crate::partition::{Column, SIGN, Segment};
use crate::request::{Clause, Facts, Hit, Measure, Order, Point, Request, Tally, float_order};
use crate::term::{self, Kind, Term, glob};
use crate::top::Top;
use crate::window::packets_term;

/// A request, made ready for many segments.
pub(crate) struct Plan<'r> {
    request: &'r Request,
    /// Shapes with their scores, best first.
    shapes: Vec<(u64, f32)>,
    scores: HashMap<u64, f32>,
}

impl<'r> Plan<'r> {
    pub(crate) fn new(request: &'r Request) -> Plan<'r> {
        let scores: HashMap<u64, f32> = request.shapes.iter().map(|(id, s)| (id.0, *s)).collect();
        let mut shapes: Vec<(u64, f32)> = scores.iter().map(|(id, s)| (*id, *s)).collect();
        shapes.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        Plan { request, shapes, scores }
    }

    /// Offers the segment's events to `top`; how many passed the filter.
    ///
    /// Events of log segments before `first` are retired: they are not there.
    pub(crate) fn run(&self, segment: &Segment, first: u64, top: &mut Top) -> io::Result<u64> {
        let filter = filtered(segment, first, &self.request.filter, self.request.as_of)?;
        let matched = filter.count();
        if matched == 0 {
            return Ok(0);
        }
        let mut should = Vec::with_capacity(self.request.should.len());
        for (i, (clause, weight)) in self.request.should.iter().enumerate() {
            let mut docs = docs_of(segment, clause)?;
            docs.and(&filter);
            if !docs.is_empty() {
                should.push((i, docs, *weight));
            }
        }
        let walk = Walk { plan: self, segment, should, packets: packets(segment)? };
        if self.request.order == Order::Score {
            walk.by_shape(&filter, matched, top)?;
        } else {
            for doc in filter.iter_down() {
                let shape = segment.value(Column::Shape, doc);
                let score = self.scores.get(&shape).copied().unwrap_or(0.0);
                walk.offer(doc, score, top);
            }
        }
        Ok(matched)
    }
}

/// The documents that meet all of `filter`, of lines up to `as_of`.
///
/// Events of log segments before `first` are retired: they are not there.
pub(crate) fn filtered(
    segment: &Segment,
    first: u64,
    filter: &[Clause],
    as_of: Option<u64>,
) -> io::Result<Bits> {
    let mut docs = if first == 0 {
        Bits::all(segment.docs)
    } else {
        in_range(segment, Column::Segment, first, u64::MAX)
    };
    for clause in filter {
        if docs.is_empty() {
            return Ok(docs);
        }
        docs.and(&docs_of(segment, clause)?);
    }
    if let Some(seq) = as_of {
        docs.and(&in_range(segment, Column::Seq, 0, seq));
    }
    Ok(docs)
}

/// Events that are scored one by one in the time in which a dictionary finds one shape.
const EVENTS_PER_LOOKUP: u64 = 2;

struct Walk<'p> {
    plan: &'p Plan<'p>,
    segment: &'p Segment,
    /// Index, documents within the filter, weight.
    should: Vec<(usize, Bits, f32)>,
    /// Points of packets; `None` where the segment has none.
    packets: Option<Bits>,
}

impl Walk<'_> {
    fn by_shape(&self, filter: &Bits, matched: u64, top: &mut Top) -> io::Result<()> {
        if matched <= self.plan.shapes.len() as u64 * EVENTS_PER_LOOKUP {
            // So few that each costs less than asking the dictionary for every shape.
            for doc in filter.iter_down() {
                let shape = self.segment.value(Column::Shape, doc);
                self.offer(doc, self.plan.scores.get(&shape).copied().unwrap_or(0.0), top);
            }
            return Ok(());
        }
        let mut rest_done = false;
        for (id, score) in &self.plan.shapes {
            // Shapes that are not named stand at 0, between the named ones.
            if !rest_done && *score < 0.0 {
                rest_done = true;
                self.unnamed(filter, top)?;
            }
            if !self.may_enter(*score, top) {
                if *score >= 0.0 {
                    continue;
                }
                return Ok(());
            }
            let Some(info) = term_info(self.segment, &Term::shape(ghost_event::ShapeId(*id)))?
            else {
                continue;
            };
            let mut docs = Vec::with_capacity(info.doc_freq as usize);
            each_doc(&self.segment.inverted, &info, |doc| {
                if filter.contains(doc) {
                    docs.push(doc);
                }
            })?;
            for doc in docs.iter().rev() {
                self.offer(*doc, *score, top);
            }
        }
        if !rest_done {
            self.unnamed(filter, top)?;
        }
        Ok(())
    }

    /// Offers the events of shapes that the request does not name.
    fn unnamed(&self, filter: &Bits, top: &mut Top) -> io::Result<()> {
        if !self.may_enter(0.0, top) {
            return Ok(());
        }
        let mut named = Bits::none(self.segment.docs);
        for (id, _) in &self.plan.shapes {
            if let Some(info) = term_info(self.segment, &Term::shape(ghost_event::ShapeId(*id)))? {
                each_doc(&self.segment.inverted, &info, |doc| named.insert(doc))?;
            }
        }
        let mut docs = filter.clone();
        docs.and_not(&named);
        for doc in docs.iter_down() {
            self.offer(doc, 0.0, top);
        }
        Ok(())
    }

    /// Whether an event of a shape with `score` can reach the answer.
    fn may_enter(&self, score: f32, top: &Top) -> bool {
        let best = self.should.iter().filter(|s| s.2 > 0.0).fold(score, |sum, s| sum + s.2);
        self.plan.request.score_min.is_none_or(|min| best >= min)
            && top.floor().is_none_or(|floor| float_order(best) >= floor.0)
    }

    fn offer(&self, doc: u32, shape_score: f32, top: &mut Top) {
        let request = self.plan.request;
        let (mut score, mut held) = (shape_score, 0);
        for (i, docs, weight) in &self.should {
            if docs.contains(doc) {
                score += weight;
                held |= 1 << i;
            }
        }
        if request.score_min.is_some_and(|min| score < min) {
            return;
        }
        let value = |column| self.segment.value(column, doc);
        let seq = value(Column::Seq);
        let (mut start, mut end, mut measure) = (0, 0, 0);
        match request.order {
            Order::Score => {}
            Order::Newest => end = (value(Column::End) ^ SIGN).cast_signed(),
            Order::Oldest => start = (value(Column::Start) ^ SIGN).cast_signed(),
            Order::Most(of) => measure = measure_of(self.segment, doc, of),
        }
        let rank = request.order.rank(&Facts { seq, start, end, measure, score });
        if top.floor().is_some_and(|floor| rank <= floor) {
            return;
        }
        let of_packets = self.packets.as_ref().is_some_and(|docs| docs.contains(doc));
        let minute = || Point::minute((value(Column::Start) ^ SIGN).cast_signed());
        top.offer(Hit {
            seq,
            minute: of_packets.then(minute),
            at: self.segment.position(doc),
            flow: entry::flow(value(Column::Pair), value(Column::Source)),
            shape: ghost_event::ShapeId(value(Column::Shape)),
            score,
            shape_score,
            opener: u32::try_from(value(Column::Opener)).unwrap_or(0),
            held,
            rank,
        });
    }
}

/// The points of packets in the segment.
fn packets(segment: &Segment) -> io::Result<Option<Bits>> {
    let Some(info) = term_info(segment, &packets_term())? else { return Ok(None) };
    let mut docs = Bits::none(segment.docs);
    each_doc(&segment.inverted, &info, |doc| docs.insert(doc))?;
    Ok(Some(docs))
}

/// Adds what the segment has of `points` to their tallies; events of log segments before `first`
/// are not there.
pub(crate) fn tally(
    segment: &Segment,
    first: u64,
    points: &HashMap<Point, Vec<usize>>,
    tallies: &mut [Tally],
) -> io::Result<()> {
    let Some(docs) = packets(segment)? else { return Ok(()) };
    let shapes: HashSet<u64> = points.keys().map(|p| p.shape.0).collect();
    for doc in docs.iter_down() {
        let value = |column| segment.value(column, doc);
        let shape = value(Column::Shape);
        if !shapes.contains(&shape) {
            continue;
        }
        let point = Point {
            flow: entry::flow(value(Column::Pair), value(Column::Source)),
            shape: ghost_event::ShapeId(shape),
            minute: Point::minute((value(Column::Start) ^ SIGN).cast_signed()),
        };
        let Some(wanted) = points.get(&point) else { continue };
        if first > 0 && value(Column::Segment) < first {
            continue;
        }
        for at in wanted {
            if let Some(tally) = tallies.get_mut(*at) {
                tally.add(value(Column::Packets), measure_of(segment, doc, Measure::Bytes));
            }
        }
    }
    Ok(())
}

fn measure_of(segment: &Segment, doc: u32, of: Measure) -> u64 {
    let value = |column| segment.value(column, doc);
    match of {
        Measure::Seq => value(Column::Seq),
        Measure::Bytes => value(Column::ToServer).saturating_add(value(Column::ToClient)),
        Measure::BytesToServer => value(Column::ToServer),
        Measure::BytesToClient => value(Column::ToClient),
        Measure::Packets => value(Column::Packets),
        Measure::DurationUs => value(Column::DurationUs),
    }
}

/// Calls `f` with each document of a term.
pub(crate) fn each_doc(
    inverted: &InvertedIndexReader,
    info: &TermInfo,
    mut f: impl FnMut(u32),
) -> io::Result<()> {
    let mut blocks = inverted.read_block_postings_from_terminfo(info, IndexRecordOption::Basic)?;
    loop {
        let docs = blocks.docs();
        if docs.is_empty() {
            return Ok(());
        }
        docs.iter().for_each(|doc| f(*doc));
        blocks.advance();
    }
}

fn term_info(segment: &Segment, term: &Term) -> io::Result<Option<TermInfo>> {
    segment.inverted.terms().get(term.as_bytes())
}

/// The documents for which `clause` holds.
pub(crate) fn docs_of(segment: &Segment, clause: &Clause) -> io::Result<Bits> {
    Ok(match clause {
        Clause::Has(term) if term.kind() == Some(Kind::CommunityId) => {
            let pair = term::pair(term.value());
            in_range(segment, Column::Pair, pair, pair)
        }
        Clause::Has(term) => {
            let mut docs = Bits::none(segment.docs);
            if let Some(info) = term_info(segment, term)? {
                each_doc(&segment.inverted, &info, |doc| docs.insert(doc))?;
            }
            docs
        }
        Clause::Between(first, last) => {
            dictionary(segment, first.as_bytes(), last.as_bytes(), |_| true)?
        }
        Clause::Name(pattern) => match name_pattern(pattern) {
            NamePattern::Terms(terms) => {
                let any: Vec<Clause> = terms.into_iter().map(Clause::Has).collect();
                docs_of(segment, &Clause::Any(any))?
            }
            NamePattern::Glob(pattern) => {
                let literal = pattern.split('*').next().unwrap_or_default();
                let first = Term::text(Kind::Name, literal);
                let last = [&[Kind::Name as u8], &[0xff; 8][..]].concat();
                dictionary(segment, first.as_bytes(), &last, |key| {
                    key.get(1..).is_some_and(|name| glob(pattern.as_bytes(), name))
                })?
            }
        },
        Clause::Time { from, until } => {
            if until.0 == i64::MIN {
                return Ok(Bits::none(segment.docs));
            }
            let before = (until.0 - 1).cast_unsigned() ^ SIGN;
            let mut docs = in_range(segment, Column::Start, 0, before);
            docs.and(&in_range(segment, Column::End, from.0.cast_unsigned() ^ SIGN, u64::MAX));
            docs
        }
        Clause::Number { of, min, max } => {
            let column = match of {
                Measure::Bytes => {
                    let mut docs = Bits::none(segment.docs);
                    (0..segment.docs)
                        .filter(|doc| (*min..=*max).contains(&measure_of(segment, *doc, *of)))
                        .for_each(|doc| docs.insert(doc));
                    return Ok(docs);
                }
                Measure::Seq => Column::Seq,
                Measure::BytesToServer => Column::ToServer,
                Measure::BytesToClient => Column::ToClient,
                Measure::Packets => Column::Packets,
                Measure::DurationUs => Column::DurationUs,
            };
            in_range(segment, column, *min, *max)
        }
        Clause::Any(of) => {
            let mut docs = Bits::none(segment.docs);
            for clause in of {
                docs.or(&docs_of(segment, clause)?);
            }
            docs
        }
        Clause::All(of) => {
            let mut docs = Bits::all(segment.docs);
            for clause in of {
                docs.and(&docs_of(segment, clause)?);
            }
            docs
        }
        Clause::Not(of) => {
            let mut docs = docs_of(segment, of)?;
            docs.not();
            docs
        }
    })
}

/// The documents of all terms from `first` to `last` that `wanted` accepts.
fn dictionary(
    segment: &Segment,
    first: &[u8],
    last: &[u8],
    wanted: impl Fn(&[u8]) -> bool,
) -> io::Result<Bits> {
    let mut docs = Bits::none(segment.docs);
    if first > last {
        return Ok(docs);
    }
    let mut terms = segment.inverted.terms().range().ge(first).le(last).into_stream()?;
    while terms.advance() {
        if wanted(terms.key()) {
            each_doc(&segment.inverted, terms.value(), |doc| docs.insert(doc))?;
        }
    }
    Ok(docs)
}

fn in_range(segment: &Segment, column: Column, min: u64, max: u64) -> Bits {
    let mut docs = Bits::none(segment.docs);
    if min > max {
        return docs;
    }
    let mut hits = Vec::new();
    segment.column(column).get_row_ids_for_value_range(min..=max, 0..segment.docs, &mut hits);
    hits.into_iter().for_each(|doc| docs.insert(doc));
    docs
}
