//! Several logs, asked as one: an index whose hits say which log they are of.
//!
//! Numbers and places of lines are a log's own, so those of two logs look alike. What goes out of
//! a [`Marked`] index carries the log's mark: in the place's segment, in the flow (the same
//! conversation seen by two bridges is two flows), and in the rank, so that no two hits are equal.
//! This host's own log has mark 0 and keeps its places as they are.
//!
//! **Invariant:** nothing is scored here: nearness is measured over all shapes at once, so that a
//! hit of one log is comparable with a hit of another.

use ghost_event::Seq;
use ghost_index::{
    Added, Clause, ContentDigest, Hit, Index, IndexError, Kind, Measure, Met, Point, Position,
    Request, Response, ShapeStore, Status, Tally, Visit, Walk, Walked,
};

use super::limits::HELD_LOGS_MAX;

/// Bits of a segment's number that are the log's; what stands above is the mark.
const SEGMENT_BITS: u32 = 48;

/// Bits of a rank that tell logs apart.
const MARK_BITS: u32 = 7;

const _: () = assert!(HELD_LOGS_MAX < (1 << MARK_BITS) - 1);

/// Which log a hit is of: 0 is this host's own.
pub(crate) type Mark = u8;

/// The log of a place, and the place in it.
pub(crate) fn unmarked(at: Position) -> (Mark, Position) {
    match u8::try_from(at.segment >> SEGMENT_BITS) {
        Ok(mark) if usize::from(mark) <= HELD_LOGS_MAX => {
            (mark, Position { segment: at.segment & ((1 << SEGMENT_BITS) - 1), ..at })
        }
        // Provisional lines stand in a segment of their own, and are this host's.
        _ => (0, at),
    }
}

/// An index of one log among several.
#[derive(Clone, Copy)]
pub(crate) struct Marked<'a> {
    index: &'a dyn Index,
    mark: Mark,
    /// Whether conditions on a line's number are meant for this log.
    numbers: bool,
}

impl<'a> Marked<'a> {
    pub(crate) fn new(index: &'a dyn Index, mark: Mark) -> Marked<'a> {
        Marked { index, mark, numbers: true }
    }

    /// The same, where numbers of lines are those of another log: none here is meant.
    pub(crate) fn without_numbers(self) -> Marked<'a> {
        Marked { numbers: false, ..self }
    }

    /// The log that it is of.
    pub(crate) fn of(&self) -> Mark {
        self.mark
    }

    /// A flow's number as others see it; the same again undoes it.
    fn flow(&self, flow: u64) -> u64 {
        flow ^ u64::from(self.mark).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// Tells openers of several logs apart: what two bridges saw alike is not one hit.
    fn salt(&self) -> u32 {
        u32::from(self.mark).wrapping_mul(0x9e37_79b9)
    }

    fn mark(&self, hit: Hit) -> Hit {
        let mut at = hit.at;
        if self.mark > 0 && at.segment >> SEGMENT_BITS == 0 {
            at.segment |= u64::from(self.mark) << SEGMENT_BITS;
        }
        let last = (1 << MARK_BITS) - 1 - u64::from(self.mark);
        let rank = (hit.rank.0, hit.rank.1 << MARK_BITS | last);
        let opener = if hit.opener == 0 { 0 } else { hit.opener ^ self.salt() };
        Hit { at, flow: self.flow(hit.flow), opener, rank, ..hit }
    }

    fn clauses(&self, clauses: &[Clause]) -> Vec<Clause> {
        clauses.iter().map(|c| if self.numbers { c.clone() } else { numberless(c) }).collect()
    }

    fn walk(&self, walk: &Walk) -> Walk {
        let (filter, also) = (self.clauses(&walk.filter), self.clauses(&walk.also));
        Walk { filter, also, ..walk.clone() }
    }
}

/// The clause where no line has a number that is asked for.
fn numberless(clause: &Clause) -> Clause {
    match clause {
        Clause::Number { of: Measure::Seq, .. } => Clause::Any(Vec::new()),
        Clause::Any(of) => Clause::Any(of.iter().map(numberless).collect()),
        Clause::All(of) => Clause::All(of.iter().map(numberless).collect()),
        Clause::Not(of) => Clause::Not(Box::new(numberless(of))),
        other => other.clone(),
    }
}

impl Index for Marked<'_> {
    fn add(&mut self, _line: &[u8], _at: Position) -> Result<Added, IndexError> {
        Err(IndexError::ReadOnly)
    }

    fn commit(&mut self) -> Result<(), IndexError> {
        Err(IndexError::ReadOnly)
    }

    fn indexed_to(&self) -> Seq {
        self.index.indexed_to()
    }

    fn search(&self, request: &Request) -> Result<Response, IndexError> {
        let mut response = if self.numbers {
            self.index.search(request)?
        } else {
            let filter = self.clauses(&request.filter);
            let weights =
                request.should.iter().map(|(clause, weight)| (numberless(clause), *weight));
            let should = weights.collect();
            self.index.search(&Request { filter, should, ..request.clone() })?
        };
        response.hits = response.hits.into_iter().map(|hit| self.mark(hit)).collect();
        Ok(response)
    }

    fn tally(&self, points: &[Point]) -> Result<Vec<Tally>, IndexError> {
        let own: Vec<Point> =
            points.iter().map(|point| Point { flow: self.flow(point.flow), ..*point }).collect();
        self.index.tally(&own)
    }

    fn events(&self, walk: &Walk, each: &mut dyn FnMut(&Met<'_>)) -> Result<Walked, IndexError> {
        self.index.events(&self.walk(walk), &mut |met| each(&met.salted(self.salt())))
    }

    fn terms(
        &self,
        walk: &Walk,
        kinds: &[Kind],
        visit: &mut dyn Visit,
    ) -> Result<Walked, IndexError> {
        self.index.terms(&self.walk(walk), kinds, visit)
    }

    fn content_digest(&self) -> Result<ContentDigest, IndexError> {
        self.index.content_digest()
    }

    fn shapes(&self) -> &ShapeStore {
        self.index.shapes()
    }

    fn status(&self) -> Status {
        self.index.status()
    }
}

#[cfg(test)]
mod tests {
    use ghost_index::{OracleIndex, Order, Together};

    use super::*;

    /// A log of some flows, the first of line 1.
    fn log(flows: u64) -> OracleIndex {
        let mut index = OracleIndex::new();
        for seq in 1..=flows {
            let line = format!(
                r#"{{"timestamp":"2026-11-20T10:00:{seq:02}.000000+0000","flow_id":7,"event_type":"flow","src_ip":"10.0.0.1","src_port":1,"dest_ip":"10.0.0.2","dest_port":22,"proto":"TCP","app_proto":"ssh","flow":{{"start":"2026-11-20T10:00:{seq:02}.000000+0000","end":"2026-11-20T10:00:{seq:02}.000000+0000"}},"ghost":{{"v":1,"shape":"0000000000000001","seq":{seq},"prev":"{}"}}}}"#,
                "0".repeat(64)
            );
            let at = Position { segment: 1, offset: seq * 100, len: 90 };
            index.add(format!("{line}\n").as_bytes(), at).unwrap();
        }
        index.commit().unwrap();
        index
    }

    #[test]
    fn lines_of_one_number_in_two_logs_are_two_hits_and_each_says_its_log() {
        let (own, held) = (log(2), log(3));
        let parts = [Marked::new(&own, 0), Marked::new(&held, 5)];
        let together = Together::new(parts.iter().map(|p| p as &dyn Index).collect());
        for (order, by_flow) in
            [(Order::Score, false), (Order::Oldest, false), (Order::Score, true)]
        {
            let request = Request { order, by_flow, limit: 10, ..Request::default() };
            let response = together.search(&request).unwrap();
            let mut found: Vec<(Mark, Seq)> =
                response.hits.iter().map(|hit| (unmarked(hit.at).0, hit.seq)).collect();
            found.sort_unstable();
            let all = vec![(0, 1), (0, 2), (5, 1), (5, 2), (5, 3)];
            assert_eq!(found, if by_flow { vec![(0, 2), (5, 3)] } else { all }, "{order:?}");
            for hit in response.hits {
                let (_, at) = unmarked(hit.at);
                assert_eq!(at, Position { segment: 1, offset: hit.seq * 100, len: 90 });
            }
        }
    }

    #[test]
    fn a_number_that_is_meant_for_one_log_finds_and_excludes_nothing_in_another() {
        let held = log(3);
        let marked = Marked::new(&held, 1).without_numbers();
        let two = Clause::Number { of: Measure::Seq, min: 2, max: 2 };
        let search = |clause| {
            let request = Request { filter: vec![clause], limit: 10, ..Request::default() };
            marked.search(&request).unwrap().hits.len()
        };
        assert_eq!(search(two.clone()), 0);
        assert_eq!(search(Clause::Not(Box::new(two.clone()))), 3);
        assert_eq!(search(Clause::Any(vec![two.clone(), Clause::All(vec![])])), 3);
        let request = Request { should: vec![(two, 1.0)], limit: 10, ..Request::default() };
        assert!(marked.search(&request).unwrap().hits.iter().all(|hit| hit.score == 0.0));
    }

    #[test]
    fn every_place_in_a_log_comes_back_from_its_mark() {
        bolero::check!().with_type::<(u64, u64, u32, u8)>().with_iterations(2000).for_each(
            |&(segment, offset, len, mark)| {
                let at = Position { segment: segment >> (64 - SEGMENT_BITS), offset, len };
                let mark = mark % (u8::try_from(HELD_LOGS_MAX).unwrap() + 1);
                let empty = OracleIndex::new();
                let hit = Hit {
                    seq: 1,
                    at,
                    flow: offset,
                    shape: ghost_event::ShapeId(1),
                    minute: None,
                    score: 0.0,
                    shape_score: 0.0,
                    opener: 7,
                    held: 0,
                    rank: (1, 2),
                };
                let index = Marked::new(&empty, mark);
                let marked = index.mark(hit);
                assert_eq!(unmarked(marked.at), (mark, at));
                assert_eq!(index.flow(marked.flow), offset);
            },
        );
        let open = Position { segment: u64::MAX, offset: 3, len: 0 };
        assert_eq!(unmarked(open), (0, open));
    }
}
