//! Who answers the questions that a primary asks of its replica.

use std::io;

use ghost_event::Seq;
use ghost_ship::wire::LogId;

/// Answers questions to the logs that are held here.
pub trait Answer: Send + Sync {
    /// Answers one question (a JSON text) to one log, in pieces; an error of `out` means that nobody
    /// listens any more, and ends the answer.
    ///
    /// # Errors
    /// Those of `out`.
    fn answer(
        &self,
        log: LogId,
        question: &[u8],
        out: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()>;

    /// The index of that log knows the lines up to this one.
    fn indexed(&self, log: LogId) -> Seq;

    /// Of this machine's processors, in thousandths.
    fn load(&self) -> u32;

    /// The lines up to here are durable: those that are new may be indexed. Must return at once.
    fn durable(&self, log: LogId, seq: Seq);
}

/// Answers nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Answer for Silent {
    fn answer(
        &self,
        _: LogId,
        _: &[u8],
        out: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        out(b"{\"error\":\"this replica answers no questions\"}\n")
    }

    fn indexed(&self, _: LogId) -> Seq {
        0
    }

    fn load(&self) -> u32 {
        0
    }

    fn durable(&self, _: LogId, _: Seq) {}
}
