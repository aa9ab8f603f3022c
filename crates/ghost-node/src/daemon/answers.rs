//! Questions to the running daemon: log, index, tail and open flows, asked as one.
//!
//! First the open flows are gathered, then the log's end is read: what ended in between is in both,
//! and is left out of the open ones. What could not be searched is told in the answer.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use ghost_event::Seq;
use ghost_event::line::{LineKind, View, flow_id};
use ghost_index::{Clause, EmbeddedIndex, Index, OracleIndex, Position, Together};
use ghost_log::{Lines, LogError, LogReader};
use ghost_query::{Answer, Encode, Mode, Sources, Tags};
use jiff::Zoned;

use super::Inner;
use super::indexer::Held;
use super::open_flows::{Found, OpenIndex, Sieve, Wanted};
use super::pipeline::Control;
use super::writer::Command;
use crate::ask::{Asking, Encoder};
use crate::limits::{FLUSH_PATIENCE, OPEN_FLOWS_MAX, OPEN_PATIENCE};
use crate::replicas::LogPart;
use crate::replicas::joint::{self, Joint, Own};
use crate::replicas::logs::Chosen;
use crate::store::{Limits, StoreError};
use crate::{DataDir, follow, store};

/// An answer, and where the lines of its hits are.
#[derive(Debug)]
pub struct Answered {
    pub answer: Answer,
    /// Which logs were searched, where there is more than the own.
    pub logs: Vec<LogPart>,
    chosen: Chosen,
    open: Vec<Vec<u8>>,
    reader: LogReader,
}

impl Answered {
    /// The line of hit number `at`; an open flow's is provisional and has no number in the log yet.
    ///
    /// # Errors
    /// The log can't be read there.
    pub fn line(&self, at: usize) -> Result<Vec<u8>, LogError> {
        let Some(hit) = self.answer.hits.get(at) else {
            return Err(LogError::NoSuchLine { segment: 0, offset: 0 });
        };
        if let Some(line) = super::open_flows::line_of(&self.open, hit.position) {
            return Ok(line.to_vec());
        }
        if let Some(line) = joint::line(&self.chosen, hit.position) {
            return line;
        }
        follow::read(&self.reader, hit.position)
    }

    /// Whose log hit number `at` is of, where there is more than one.
    #[must_use]
    pub fn from(&self, at: usize) -> Option<&str> {
        joint::from(&self.chosen, self.answer.hits.get(at)?.position)
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind<'a> {
    Query(&'a str),
    Flows(&'a str),
    Similar(&'a str),
    Patterns(&'a str),
    Compare(&'a str),
}

impl Kind<'_> {
    /// The conditions that stand in the words.
    fn conditions(
        &self,
        asking: &Asking<'_>,
        now: &Zoned,
        tags: &Tags,
    ) -> Result<Vec<Clause>, StoreError> {
        let words = match self {
            Kind::Query(words) | Kind::Flows(words) => words,
            // Like what is logged, whatever that may be; and sums over all.
            Kind::Similar(_) | Kind::Patterns(_) | Kind::Compare(_) => return Ok(Vec::new()),
        };
        let mut parts = ghost_query::understand(words, now, tags)?.parts;
        parts.extend(asking.span()?);
        let mut clauses = Vec::new();
        for part in parts {
            let clause = part.filter.clause(tags)?;
            match part.mode {
                Mode::Must => clauses.push(clause),
                Mode::MustNot => clauses.push(Clause::Not(Box::new(clause))),
                Mode::Prefer | Mode::Avoid => {}
            }
        }
        Ok(clauses)
    }
}

impl Inner {
    /// Answers a question.
    pub(crate) fn ask(&self, kind: Kind<'_>, limits: &Limits) -> Result<Answered, StoreError> {
        self.shared.questions.add(1);
        self.shared.asked_ns.set(self.clock.monotonic_ns().max(1));
        let (now, tags) = (self.now(), self.tags());
        let asking = Asking::new(&now, &tags, limits);
        let chosen = self.held_logs.choose(&limits.logs)?;
        let sieve = Sieve::new(kind.conditions(&asking, asking.now, asking.tags)?);
        let logged_before = self.shared.log_head.get();
        let mut notes = Vec::new();
        let mut found = Found::default();
        if chosen.own {
            found = self.open_flows(sieve, &mut notes);
            self.flush();
        }
        let open = self.open_index(found, logged_before)?;
        if let Kind::Query(words) = kind {
            // Encoded, and kept, before the index is held.
            let meaning = ghost_query::understand(words, asking.now, asking.tags)?.meaning;
            if !meaning.is_empty() {
                let mut encoder = self.encoder.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = Encode::encode(&mut *encoder, &meaning);
            }
        }
        if let Kind::Patterns(text) = kind {
            let mut encoder = self.encoder.lock().unwrap_or_else(PoisonError::into_inner);
            crate::patterns::encode_ahead(text, &mut encoder)?;
        }
        let mut held = chosen.own.then(|| self.searched.hold()).transpose()?;
        let nothing = OracleIndex::new();
        let together = held.as_ref().map(|held| Together::new(vec![held.tail(), &open.index]));
        let own = together.as_ref().map(|tail| Own {
            index: held.as_ref().and_then(Held::index).unwrap_or(&nothing),
            tail: Some(tail),
            newest: self.shared.log_head.get(),
        });
        let (others, told) = self.held_logs.hold(&chosen);
        let joint = Joint::new(own, &others);
        let number = match kind {
            Kind::Similar(to) => joint::number_of(to),
            _ => None,
        };
        let mut answer = joint.ask(number, |sources| match kind {
            Kind::Query(words) => {
                let mut encoder = self.encoder.lock().unwrap_or_else(PoisonError::into_inner);
                asking.query(words, sources, &mut encoder)
            }
            Kind::Flows(filters) => asking.flows(filters, sources),
            Kind::Patterns(text) => {
                let mut encoder = self.encoder.lock().unwrap_or_else(PoisonError::into_inner);
                asking.patterns(text, sources, &mut encoder)
            }
            Kind::Compare(text) => asking.compare(text, sources),
            Kind::Similar(to) => {
                let mut line = |at: Position| {
                    let own = open.line(at).map(<[u8]>::to_vec);
                    own.or_else(|| joint.line(at))
                        .or_else(|| follow::read(self.searched.reader(), at).ok())
                };
                asking.similar(to, sources, &mut line)
            }
        })?;
        let logs = joint.told(&answer);
        drop(others);
        answer.notes.extend(told);
        drop(together);
        if let Some(held) = &mut held {
            answer.notes.append(&mut held.notes);
            answer.notes.extend(notes);
            answer.notes.extend(store::lost(self.searched.reader())?);
            answer.notes.extend(self.live_losses());
        }
        drop(held);
        let reader = LogReader::open(self.data.root());
        Ok(Answered { answer, logs, chosen, open: open.into_lines(), reader })
    }

    /// Open flows that the sieve lets through, as far as they can be had in time.
    fn open_flows(&self, sieve: Sieve, notes: &mut Vec<String>) -> Found {
        let (reply, answer) = bounded(1);
        let asked = self.tell_tap(Control::Open(Wanted { sieve, most: OPEN_FLOWS_MAX, reply }));
        let found = if asked { answer.recv_timeout(OPEN_PATIENCE).ok() } else { None };
        match found {
            Some(found) => {
                if found.left_out > 0 {
                    notes.push(format!(
                        "not searched: {} of {} open flows; name an address or a port to search \
                         them all",
                        found.left_out, found.seen
                    ));
                }
                found
            }
            None => {
                notes.push("not searched: flows that are open now (too busy to ask)".to_owned());
                Found::default()
            }
        }
    }

    /// Lets the writer hand out what it holds, as far as that can be had in time.
    fn flush(&self) {
        let (reply, answer): (Sender<Seq>, _) = bounded(1);
        if self.writer.put_within(Command::Flush(reply), FLUSH_PATIENCE).is_ok() {
            let _ = answer.recv_timeout(FLUSH_PATIENCE);
        }
    }

    /// The open flows without those that were logged since line `after`.
    fn open_index(&self, mut found: Found, after: Seq) -> Result<OpenIndex, StoreError> {
        if !found.flows.is_empty() {
            let mut ended = HashSet::new();
            let mut lines = self.searched.reader().lines(after + 1);
            while let Some(line) = lines.next()? {
                if let Ok(view) = View::parse(line.bytes)
                    && view.kind == LineKind::Flow
                {
                    ended.extend(view.flow_id);
                }
            }
            found.flows.retain(|flow| !ended.contains(&flow_id(flow)));
        }
        Ok(OpenIndex::of(&found.flows, &self.shared.ports(), self.profile)?)
    }

    /// What was lost since the start, in words.
    fn live_losses(&self) -> Option<String> {
        let s = &self.shared;
        let parts = [
            (s.ring_frames_lost.get(), "frames that found their ring full"),
            (s.queue_events_lost.get(), "events that found the writer busy"),
            (s.log_events_lost.get(), "events that the log could not take"),
        ];
        let told: Vec<String> =
            parts.iter().filter(|p| p.0 > 0).map(|(n, what)| format!("{n} {what}")).collect();
        (!told.is_empty()).then(|| format!("lost since the start: {}", told.join(", ")))
    }
}

/// New lines of the log as they come.
pub struct Follow {
    lines: Lines,
    filters: String,
    now: Zoned,
    tags: Tags,
    limits: Limits,
}

impl std::fmt::Debug for Follow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Follow({:?})", self.filters)
    }
}

/// Lines that a follower looks at in one step.
const FOLLOW_LINES_MAX: usize = 4096;

impl Follow {
    pub(crate) fn new(inner: &Inner, filters: &str) -> Result<Follow, StoreError> {
        let follow = Follow {
            lines: inner.searched.reader().lines(inner.shared.log_head.get() + 1),
            filters: filters.to_owned(),
            now: inner.now(),
            tags: inner.tags(),
            limits: Limits::default(),
        };
        // Conditions that can't be read are told at once.
        follow.among(&OracleIndex::new())?;
        Ok(follow)
    }

    /// Events as another process logs them in `data`, from now on.
    ///
    /// # Errors
    /// The conditions can't be read, or the log can't be.
    pub fn of_files(
        data: &DataDir,
        filters: &str,
        tags: Tags,
        now: Zoned,
    ) -> Result<Follow, StoreError> {
        let reader = LogReader::open(data.root());
        // The index says up to where there is nothing new; the rest is passed over line by line.
        let from = EmbeddedIndex::open_read(&data.index()).map_or(0, |index| index.indexed_to());
        let mut follow = Follow {
            lines: reader.lines(from + 1),
            filters: filters.to_owned(),
            now,
            tags,
            limits: Limits::default(),
        };
        follow.among(&OracleIndex::new())?;
        while follow.lines.next()?.is_some() {}
        Ok(follow)
    }

    fn among(&self, index: &OracleIndex) -> Result<Answer, StoreError> {
        let asking = Asking::new(&self.now, &self.tags, &self.limits);
        asking.flows(&self.filters, &Sources { index, tail: None })
    }

    /// The lines that came since the last call and meet the conditions; none is no end.
    ///
    /// # Errors
    /// The log can't be read.
    #[expect(clippy::should_implement_trait, reason = "it has no end, and may fail")]
    pub fn next(&mut self) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut index = OracleIndex::new();
        let mut lines: Vec<Vec<u8>> = Vec::new();
        while lines.len() < FOLLOW_LINES_MAX {
            let Some(line) = self.lines.next()? else { break };
            // Found again by its place among these.
            let at = Position { offset: lines.len() as u64, ..follow::place(&line) };
            index.add(line.bytes, at)?;
            lines.push(line.bytes.to_vec());
        }
        if lines.is_empty() {
            return Ok(lines);
        }
        let mut hits: Vec<usize> = self
            .among(&index)?
            .hits
            .iter()
            .filter_map(|hit| usize::try_from(hit.position.offset).ok())
            .collect();
        hits.sort_unstable();
        Ok(hits.into_iter().filter_map(|at| lines.get_mut(at).map(std::mem::take)).collect())
    }
}

/// The encoder of all questions.
pub(crate) type SharedEncoder = Mutex<Encoder>;

/// How long the tap thread may take to hear of something.
pub(crate) const TAP_TOLD: Duration = Duration::from_millis(200);
