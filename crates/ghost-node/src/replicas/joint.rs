//! One question to several logs: this host's own and those that are held here.

use ghost_event::Seq;
use ghost_index::{Clause, Index, Measure, Position, Request, Together};
use ghost_log::LogError;
use ghost_query::{Answer, Sources};

use super::held::HeldNow;
use super::log_part::{LogKind, LogPart};
use super::logs::{Chosen, OWN};
use super::marked::{Mark, Marked, unmarked};
use crate::store::StoreError;

/// What is searched of this host's own log.
#[derive(Clone, Copy)]
pub(crate) struct Own<'a> {
    pub(crate) index: &'a dyn Index,
    pub(crate) tail: Option<&'a dyn Index>,
    /// Its newest line.
    pub(crate) newest: Seq,
}

/// Several logs, to be asked once.
pub(crate) struct Joint<'a> {
    own: Option<Own<'a>>,
    held: &'a [HeldNow<'a>],
}

impl<'a> Joint<'a> {
    /// `own` where this host's own log is asked as well.
    pub(crate) fn new(own: Option<Own<'a>>, held: &'a [HeldNow<'a>]) -> Joint<'a> {
        Joint { own, held }
    }

    /// Asks all of them. `number` is the number of a line that is asked about: that of one log, the
    /// first that has it.
    pub(crate) fn ask(
        &self,
        number: Option<Seq>,
        ask: impl FnOnce(&Sources<'_>) -> Result<Answer, StoreError>,
    ) -> Result<Answer, StoreError> {
        match (self.own, self.held) {
            (Some(own), []) => ask(&Sources { index: own.index, tail: own.tail }),
            _ => {
                let parts = self.parts(number)?;
                let all = Together::new(parts.iter().map(|part| part as &dyn Index).collect());
                ask(&Sources { index: &all, tail: None })
            }
        }
    }

    fn parts(&self, number: Option<Seq>) -> Result<Vec<Marked<'_>>, StoreError> {
        let mut parts = Vec::new();
        if let Some(own) = self.own {
            parts.push(Marked::new(own.index, 0));
            parts.extend(own.tail.map(|tail| Marked::new(tail, 0)));
        }
        for now in self.held {
            parts.extend(now.indexes().map(|index| Marked::new(index, now.mark())));
        }
        if let Some(number) = number {
            let mut its = None;
            for part in &parts {
                if its.is_none() && has(part, number)? {
                    its = Some(part.of());
                }
            }
            for part in &mut parts {
                if its.is_some_and(|its| its != part.of()) {
                    *part = part.without_numbers();
                }
            }
        }
        Ok(parts)
    }

    /// The line at a place that a hit named, of a held log; `None` where it is of the own.
    pub(crate) fn line(&self, at: Position) -> Option<Vec<u8>> {
        let (mark, at) = unmarked(at);
        self.held.iter().find(|now| now.mark() == mark)?.line(at)
    }

    /// What is told of each, with its hits in `answer`; nothing where only the own log is asked.
    pub(crate) fn told(&self, answer: &Answer) -> Vec<LogPart> {
        if self.held.is_empty() {
            return Vec::new();
        }
        let own = self.own.map(|own| {
            let all = [Some(own.index), own.tail].into_iter().flatten().map(Index::status);
            let all: Vec<ghost_index::Status> = all.collect();
            LogPart {
                name: OWN.to_owned(),
                kind: LogKind::Own,
                newest: own.newest,
                newest_ns: all.iter().filter_map(|s| s.span).map(|(_, end)| end.0).max(),
                events: all.iter().map(|status| status.events).sum(),
                ..LogPart::default()
            }
        });
        let marks = own.iter().map(|_| 0).chain(self.held.iter().map(HeldNow::mark));
        let marks: Vec<Mark> = marks.collect();
        let mut parts: Vec<LogPart> =
            own.into_iter().chain(self.held.iter().map(HeldNow::part)).collect();
        for hit in &answer.hits {
            let mark = unmarked(hit.position).0;
            let which = marks.iter().position(|other| *other == mark);
            if let Some(part) = which.and_then(|which| parts.get_mut(which)) {
                part.hits += 1;
            }
        }
        parts
    }
}

/// Whether a log has an event of this number.
fn has(index: &dyn Index, number: Seq) -> Result<bool, StoreError> {
    let filter = vec![Clause::Number { of: Measure::Seq, min: number, max: number }];
    let request = Request { filter, limit: 1, ..Request::default() };
    Ok(index.search(&request)?.matched > 0)
}

/// The number of the line that `similar` is asked about.
pub(crate) fn number_of(to: &str) -> Option<Seq> {
    to.trim().strip_prefix("seq:").unwrap_or(to.trim()).parse().ok()
}

/// Whose hit this is, of the logs that were chosen; `None` where only one could be meant.
pub(crate) fn from(chosen: &Chosen, at: Position) -> Option<&str> {
    if !chosen.several {
        return None;
    }
    match unmarked(at).0 {
        0 => Some(OWN),
        mark => chosen.of(mark).map(|(name, _)| name),
    }
}

/// The line at a place that a hit named, of a held log; `None` where it is of the own.
pub(crate) fn line(chosen: &Chosen, at: Position) -> Option<Result<Vec<u8>, LogError>> {
    let (mark, at) = unmarked(at);
    chosen.of(mark).map(|(_, log)| log.line(at))
}
