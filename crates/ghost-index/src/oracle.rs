//! The index in memory, by the most obvious code: what every other engine must answer like, and
//! what answers for the log's tail, which no engine has committed yet.

use std::collections::HashMap;

use ghost_event::{Seq, Timestamp};

use crate::digest::{self, ContentDigest};
use crate::entry::{Entry, Reader, Record};
use crate::request::{Clause, Facts, Hit, Order, Point, Position, Request, Response, Tally};
use crate::shapes::ShapeStore;
use crate::term::{self, Kind, Term, glob};
use crate::top::Top;
use crate::visit::{self, Met, Visit, Walk, Walked};
use crate::window::{self, Taken, Window};
use crate::{Added, Index, IndexError, Status};

/// Every event with its terms, in a list.
#[derive(Debug, Default)]
pub struct OracleIndex {
    events: Vec<Entry>,
    window: Window,
    shapes: ShapeStore,
    indexed_to: Seq,
    reader: Reader,
}

impl OracleIndex {
    #[must_use]
    pub fn new() -> OracleIndex {
        OracleIndex::default()
    }

    /// Forgets the events up to and with line `to`, which another index answers for by now: a
    /// log's tail that goes along with the log.
    pub fn forget(&mut self, to: Seq) {
        let gone = self.events.partition_point(|e| e.numbers.seq <= to);
        self.events.drain(..gone);
    }

    fn all(&self) -> impl Iterator<Item = &Entry> {
        self.events.iter().chain(self.window.held())
    }
}

impl Entry {
    fn has(&self, term: &Term) -> bool {
        self.terms().any(|t| t == term.as_bytes())
    }

    fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &[u8]> {
        self.terms().filter_map(move |t| t.strip_prefix(&[kind as u8]))
    }

    fn is_packet(&self) -> bool {
        self.has(&window::packets_term())
    }

    pub(crate) fn passes(&self, clause: &Clause) -> bool {
        let n = &self.numbers;
        match clause {
            Clause::Has(term) if term.kind() == Some(Kind::CommunityId) => {
                n.pair == term::pair(term.value())
            }
            Clause::Has(term) => self.has(term),
            Clause::Between(a, b) => self.terms().any(|t| a.as_bytes() <= t && t <= b.as_bytes()),
            Clause::Name(pattern) => self.named(pattern),
            Clause::Time { from, until } => n.start < until.0 && n.end >= from.0,
            Clause::Number { of, min, max } => (*min..=*max).contains(&n.measure(*of)),
            Clause::Any(of) => of.iter().any(|c| self.passes(c)),
            Clause::All(of) => of.iter().all(|c| self.passes(c)),
            Clause::Not(of) => !self.passes(of),
        }
    }

    fn named(&self, pattern: &str) -> bool {
        match name_pattern(pattern) {
            NamePattern::Terms(terms) => terms.iter().any(|t| self.has(t)),
            NamePattern::Glob(pattern) => {
                self.of_kind(Kind::Name).any(|name| glob(pattern.as_bytes(), name))
            }
        }
    }

    /// Its share of the index's content.
    pub(crate) fn digest(&self, digest: &mut ContentDigest) {
        let mut terms: Vec<&[u8]> = self.terms().collect();
        terms.sort_unstable();
        terms.dedup();
        let sum = terms.iter().fold(0_u128, |s, t| s.wrapping_add(digest::term(t)));
        digest.event(sum, &self.numbers);
    }
}

/// Offers those of `events` that `request` wants to `top`; how many passed its filter.
pub(crate) fn search<'e>(
    events: impl Iterator<Item = &'e Entry>,
    request: &Request,
    top: &mut Top,
) -> u64 {
    let scores: HashMap<u64, f32> = request.shapes.iter().map(|(id, s)| (id.0, *s)).collect();
    let mut matched = 0;
    for event in events {
        let n = &event.numbers;
        if request.as_of.is_some_and(|seq| n.seq > seq)
            || !request.filter.iter().all(|c| event.passes(c))
        {
            continue;
        }
        matched += 1;
        let shape_score = scores.get(&n.shape).copied().unwrap_or(0.0);
        let (mut score, mut held) = (shape_score, 0);
        for (i, (clause, weight)) in request.should.iter().enumerate() {
            if event.passes(clause) {
                score += weight;
                held |= 1 << i;
            }
        }
        if request.score_min.is_some_and(|min| score < min) {
            continue;
        }
        let measure = match request.order {
            Order::Most(of) => n.measure(of),
            _ => 0,
        };
        let facts = Facts { seq: n.seq, start: n.start, end: n.end, measure, score };
        let rank = request.order.rank(&facts);
        if top.floor().is_some_and(|floor| rank <= floor) {
            continue;
        }
        let shape = ghost_event::ShapeId(n.shape);
        let minute = event.is_packet().then(|| Point::minute(n.start));
        let (seq, at, flow, opener) = (n.seq, n.at, n.flow(), n.opener);
        top.offer(Hit { seq, at, flow, shape, minute, score, shape_score, opener, held, rank });
    }
    matched
}

/// Adds what `events` have of `points` to `tallies`.
pub(crate) fn tally<'e>(
    events: impl Iterator<Item = &'e Entry>,
    points: &[Point],
    tallies: &mut [Tally],
) {
    for event in events {
        let n = &event.numbers;
        let point = n.point();
        for (wanted, tally) in points.iter().zip(&mut *tallies) {
            if *wanted == point && event.is_packet() {
                tally.add(n.packets, n.to_server.saturating_add(n.to_client));
            }
        }
    }
}

/// What a name pattern asks of the terms.
pub(crate) enum NamePattern {
    Terms(Vec<Term>),
    Glob(String),
}

/// `*.example.com` and `example.com` are that name and all below it; one word is also a word of a
/// name; anything else with `*` is matched against every name and parent.
pub(crate) fn name_pattern(pattern: &str) -> NamePattern {
    let pattern = crate::term::host(pattern).to_ascii_lowercase();
    let bare = pattern.strip_prefix("*.").unwrap_or(&pattern);
    if bare.contains('*') {
        return NamePattern::Glob(pattern);
    }
    let mut terms = vec![Term::text(Kind::Name, bare)];
    if !pattern.contains('.') {
        terms.push(Term::text(Kind::Word, bare));
    }
    NamePattern::Terms(terms)
}

impl Index for OracleIndex {
    fn add(&mut self, line: &[u8], at: Position) -> Result<Added, IndexError> {
        let (window, reader, events) = (&mut self.window, &mut self.reader, &mut self.events);
        let mut ready = |entries: Vec<Entry>| {
            events.extend(entries);
            Ok(())
        };
        let taken = window::read(window, reader, line, at, self.indexed_to, &mut ready)?;
        let Some((seq, taken)) = taken else { return Ok(Added::Known) };
        self.indexed_to = seq;
        match taken {
            Taken::Now(Record::Flow(entry)) => self.events.push(entry),
            Taken::Now(Record::Shape(seq, row)) => {
                self.shapes.state(seq, row);
            }
            Taken::Held | Taken::Now(_) => {}
        }
        Ok(Added::New)
    }

    fn commit(&mut self) -> Result<(), IndexError> {
        Ok(())
    }

    fn indexed_to(&self) -> Seq {
        self.indexed_to
    }

    fn search(&self, request: &Request) -> Result<Response, IndexError> {
        request.check()?;
        let mut top = Top::new(request.limit, request.by_flow);
        let mut response = Response {
            searched: self.all().count() as u64,
            span: self.span(),
            ..Response::default()
        };
        response.partitions_searched = u32::from(response.searched > 0);
        response.matched = search(self.all(), request, &mut top);
        response.hits = top.into_hits();
        Ok(response)
    }

    fn tally(&self, points: &[Point]) -> Result<Vec<Tally>, IndexError> {
        let mut tallies = vec![Tally::default(); points.len()];
        tally(self.all(), points, &mut tallies);
        Ok(tallies)
    }

    fn events(&self, walk: &Walk, each: &mut dyn FnMut(&Met<'_>)) -> Result<Walked, IndexError> {
        walk.check()?;
        let matched = visit::entries(self.all(), walk, each);
        Ok(self.walked(matched))
    }

    fn terms(
        &self,
        walk: &Walk,
        kinds: &[Kind],
        visit: &mut dyn Visit,
    ) -> Result<Walked, IndexError> {
        walk.check()?;
        let matched = visit::entry_terms(self.all(), walk, kinds, visit);
        Ok(self.walked(matched))
    }

    fn content_digest(&self) -> Result<ContentDigest, IndexError> {
        let mut digest = ContentDigest::default();
        self.all().for_each(|event| event.digest(&mut digest));
        digest.shapes_of(&self.shapes);
        Ok(digest)
    }

    fn shapes(&self) -> &ShapeStore {
        &self.shapes
    }

    fn status(&self) -> Status {
        Status {
            events: self.all().count() as u64,
            shapes: self.shapes.len() as u64,
            shapes_refined: self.shapes.refined() as u64,
            indexed_to: self.indexed_to,
            span: self.span(),
            ..Status::default()
        }
    }
}

impl OracleIndex {
    fn walked(&self, matched: u64) -> Walked {
        let searched = self.all().count() as u64;
        Walked { matched, searched, span: self.span(), damaged: Vec::new() }
    }

    fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let first = self.all().map(|e| e.numbers.start).min()?;
        let last = self.all().map(|e| e.numbers.end).max()?;
        Some((Timestamp(first), Timestamp(last)))
    }
}
