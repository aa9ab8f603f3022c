//! The index in memory, by the most obvious code: what every other engine must answer like, and
//! what answers for the log's tail, which no engine has committed yet.

use std::collections::{BTreeSet, HashMap};

use ghost_event::{Seq, Timestamp};

use crate::digest::{self, ContentDigest};
use crate::entry::{Numbers, Reader, Record};
use crate::request::{Clause, Facts, Hit, Order, Position, Request, Response};
use crate::shapes::ShapeStore;
use crate::term::{self, Kind, Term, glob};
use crate::top::Top;
use crate::{Added, Index, IndexError, Status};

/// Every event with its terms, in a list.
#[derive(Debug, Default)]
pub struct OracleIndex {
    events: Vec<Event>,
    shapes: ShapeStore,
    indexed_to: Seq,
    reader: Reader,
}

#[derive(Debug)]
struct Event {
    terms: BTreeSet<Term>,
    numbers: Numbers,
}

impl OracleIndex {
    #[must_use]
    pub fn new() -> OracleIndex {
        OracleIndex::default()
    }
}

impl Event {
    fn passes(&self, clause: &Clause) -> bool {
        let n = &self.numbers;
        match clause {
            Clause::Has(term) if term.kind() == Some(Kind::CommunityId) => {
                n.pair == term::pair(term.value())
            }
            Clause::Has(term) => self.terms.contains(term),
            Clause::Between(a, b) => self.terms.iter().any(|t| a <= t && t <= b),
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
            NamePattern::Terms(terms) => terms.iter().any(|t| self.terms.contains(t)),
            NamePattern::Glob(pattern) => self
                .terms
                .iter()
                .filter(|t| t.kind() == Some(Kind::Name))
                .any(|t| glob(pattern.as_bytes(), t.value())),
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
        let record = self.reader.read(line, at).map_err(|reason| IndexError::Line {
            segment: at.segment,
            offset: at.offset,
            reason,
        })?;
        let seq = match &record {
            Record::Flow(entry) => entry.numbers.seq,
            Record::Shape(seq, _) | Record::Note(seq) => *seq,
        };
        if seq <= self.indexed_to {
            return Ok(Added::Known);
        }
        self.indexed_to = seq;
        match record {
            Record::Flow(entry) => {
                let terms = entry.terms().map(Term::from_bytes).collect();
                self.events.push(Event { terms, numbers: entry.numbers });
            }
            Record::Shape(seq, row) => {
                self.shapes.state(seq, row);
            }
            Record::Note(_) => {}
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
        let scores: HashMap<u64, f32> = request.shapes.iter().map(|(id, s)| (id.0, *s)).collect();
        let mut top = Top::new(request.limit, request.by_flow);
        let mut response = Response {
            searched: self.events.len() as u64,
            span: self.span(),
            partitions_searched: u32::from(!self.events.is_empty()),
            ..Response::default()
        };
        for event in &self.events {
            let n = &event.numbers;
            if request.as_of.is_some_and(|seq| n.seq > seq)
                || !request.filter.iter().all(|c| event.passes(c))
            {
                continue;
            }
            response.matched += 1;
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
            let shape = ghost_event::ShapeId(n.shape);
            top.offer(Hit {
                seq: n.seq,
                at: n.at,
                flow: n.flow(),
                shape,
                score,
                shape_score,
                held,
                rank,
            });
        }
        response.hits = top.into_hits();
        Ok(response)
    }

    fn content_digest(&self) -> Result<ContentDigest, IndexError> {
        let mut digest = ContentDigest::default();
        for event in &self.events {
            let terms =
                event.terms.iter().fold(0_u128, |s, t| s.wrapping_add(digest::term(t.as_bytes())));
            digest.event(terms, &event.numbers);
        }
        digest.shapes_of(&self.shapes);
        Ok(digest)
    }

    fn shapes(&self) -> &ShapeStore {
        &self.shapes
    }

    fn status(&self) -> Status {
        Status {
            events: self.events.len() as u64,
            shapes: self.shapes.len() as u64,
            shapes_refined: self.shapes.refined() as u64,
            indexed_to: self.indexed_to,
            span: self.span(),
            ..Status::default()
        }
    }
}

impl OracleIndex {
    fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let first = self.events.iter().map(|e| e.numbers.start).min()?;
        let last = self.events.iter().map(|e| e.numbers.end).max()?;
        Some((Timestamp(first), Timestamp(last)))
    }
}
