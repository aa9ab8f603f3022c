//! Logged lines to points: the embedded engine and an in-memory oracle.
//!
//! A logged line becomes [terms](Term) and numbers, packets of one shape, flow and minute together
//! one [point](Point); a [`Request`] filters by clauses over them, scores by shape and by weighted
//! clauses, and gets [hits](Hit) back with their [`Position`] in the log, where the line itself is
//! read. [`EmbeddedIndex`] keeps partitions on disk that follow
//! the log's segments; [`OracleIndex`] does the same in memory by obvious code, and answers for the
//! log's tail. [`ShapeStore`] holds every shape's vector and finds the nearest by an exact scan.
//!
//! **Invariant:** an index is made from the bytes of logged lines alone, so it can be made again;
//! the name of a capture's file is never in it.

mod bits;
mod digest;
mod embedded;
mod entry;
mod error;
pub mod limits;
mod oracle;
mod partition;
mod plain;
mod request;
mod scan;
mod search;
mod shapes;
mod store;
mod sys;
mod term;
mod text;
mod together;
mod top;
mod visit;
mod walk;
mod window;

pub use digest::ContentDigest;
pub use embedded::{EachLine, EmbeddedIndex, LineSource};
pub use error::IndexError;
pub use oracle::OracleIndex;
pub use request::{Alike, Clause, Hit, Measure, Order, Point, Position, Request, Response, Tally};
pub use shapes::{ShapeRow, ShapeStore};
pub use term::{Kind, Term};
pub use together::Together;
pub use visit::{Met, Visit, Walk, Walked};

use ghost_event::{Seq, Timestamp};

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    New,
    /// The index had it already.
    Known,
}

/// How an index stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    pub events: u64,
    pub shapes: u64,
    /// Shapes whose vector is the full model's.
    pub shapes_refined: u64,
    pub indexed_to: Seq,
    pub span: Option<(Timestamp, Timestamp)>,
    pub partitions: u32,
    /// Partitions that could not be read, and why.
    pub damaged: Vec<String>,
    /// Partitions made again since the index was opened.
    pub repaired: Vec<String>,
}

/// What every engine does.
pub trait Index {
    /// Takes in the line at `at`; lines come in the order of their seq, and one that the index has
    /// is left out.
    ///
    /// # Errors
    /// The line is not an event, or the engine failed.
    fn add(&mut self, line: &[u8], at: Position) -> Result<Added, IndexError>;

    /// Makes everything added findable and durable, together with the cursor.
    ///
    /// # Errors
    /// The engine failed; what was committed before stands.
    fn commit(&mut self) -> Result<(), IndexError>;

    /// The last committed line. Behind it lies what is not committed yet, and an open window of
    /// packets, which no commit takes in.
    fn indexed_to(&self) -> Seq;

    /// The best hits among what is committed.
    ///
    /// # Errors
    /// The request holds too much. Damage is told in the response, not here.
    fn search(&self, request: &Request) -> Result<Response, IndexError>;

    /// What the packets of each of `points` amount to, as far as the index has them.
    ///
    /// # Errors
    /// A partition cannot be read.
    fn tally(&self, points: &[Point]) -> Result<Vec<Tally>, IndexError>;

    /// Calls `each` with every committed event that meets the walk's conditions, in no order.
    ///
    /// # Errors
    /// The walk holds too much. Damage is told in what is returned, not here.
    fn events(&self, walk: &Walk, each: &mut dyn FnMut(&Met<'_>)) -> Result<Walked, IndexError>;

    /// Tells `visit` of the terms of `kinds` and of the events that have them and meet the walk's
    /// conditions. A term may come several times, and may come with no event.
    ///
    /// # Errors
    /// As [`events`](Self::events).
    fn terms(
        &self,
        walk: &Walk,
        kinds: &[Kind],
        visit: &mut dyn Visit,
    ) -> Result<Walked, IndexError>;

    /// What the index holds, read from the index itself, an open window of packets with it.
    ///
    /// # Errors
    /// A partition cannot be read.
    fn content_digest(&self) -> Result<ContentDigest, IndexError>;

    /// Every shape and its vector.
    fn shapes(&self) -> &ShapeStore;

    /// How the index stands.
    fn status(&self) -> Status;
}
