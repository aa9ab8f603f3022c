//! Several indexes over different lines, asked as one.
//!
//! The log's tail and the open flows are indexed apart, since each grows and goes in its own way.
//! Nothing can be added here, and nothing is committed.

use ghost_event::Seq;

use crate::digest::ContentDigest;
use crate::request::{Point, Position, Request, Response, Tally};
use crate::shapes::ShapeStore;
use crate::term::Kind;
use crate::visit::{Met, Visit, Walk, Walked};
use crate::{Added, Index, IndexError, Status};

/// Indexes that share no line.
pub struct Together<'a> {
    parts: Vec<&'a dyn Index>,
    shapes: ShapeStore,
}

impl std::fmt::Debug for Together<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Together({})", self.parts.len())
    }
}

impl<'a> Together<'a> {
    #[must_use]
    pub fn new(parts: Vec<&'a dyn Index>) -> Together<'a> {
        let mut shapes = ShapeStore::default();
        for (at, part) in (0..).zip(&parts) {
            for row in part.shapes().iter() {
                shapes.state(at, row.clone());
            }
        }
        Together { parts, shapes }
    }
}

impl Index for Together<'_> {
    fn add(&mut self, _line: &[u8], _at: Position) -> Result<Added, IndexError> {
        Err(IndexError::ReadOnly)
    }

    fn commit(&mut self) -> Result<(), IndexError> {
        Err(IndexError::ReadOnly)
    }

    fn indexed_to(&self) -> Seq {
        self.parts.iter().map(|part| part.indexed_to()).max().unwrap_or(0)
    }

    fn search(&self, request: &Request) -> Result<Response, IndexError> {
        request.check()?;
        let mut all = Response::default();
        for part in &self.parts {
            all = all.join(part.search(request)?, request);
        }
        Ok(all)
    }

    fn tally(&self, points: &[Point]) -> Result<Vec<Tally>, IndexError> {
        let mut all = vec![Tally::default(); points.len()];
        for part in &self.parts {
            for (sum, more) in all.iter_mut().zip(part.tally(points)?) {
                sum.add(more.packets, more.bytes);
            }
        }
        Ok(all)
    }

    fn events(&self, walk: &Walk, each: &mut dyn FnMut(&Met<'_>)) -> Result<Walked, IndexError> {
        let mut all = Walked::default();
        for part in &self.parts {
            all = all.join(part.events(walk, each)?);
        }
        Ok(all)
    }

    fn terms(
        &self,
        walk: &Walk,
        kinds: &[Kind],
        visit: &mut dyn Visit,
    ) -> Result<Walked, IndexError> {
        let mut all = Walked::default();
        for part in &self.parts {
            all = all.join(part.terms(walk, kinds, visit)?);
        }
        Ok(all)
    }

    fn content_digest(&self) -> Result<ContentDigest, IndexError> {
        // A digest is of one index's own content.
        Err(IndexError::ReadOnly)
    }

    fn shapes(&self) -> &ShapeStore {
        &self.shapes
    }

    fn status(&self) -> Status {
        let mut all = Status { shapes: self.shapes.len() as u64, ..Status::default() };
        for status in self.parts.iter().map(|part| part.status()) {
            all.events += status.events;
            all.indexed_to = all.indexed_to.max(status.indexed_to);
        }
        all
    }
}
