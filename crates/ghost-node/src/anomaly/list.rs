//! Scored flows and incidents, found again in a log.
//!
//! The log is read from its begin to its end; lines that are neither are passed over unparsed.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

pub use ghost_event::line::IncidentState;
use ghost_event::line::{EVIDENCE_MAX, LineKind, View};
pub use ghost_event::{Behaviours, Priority, Reasons, Seq, ShapeId, Timestamp};
use ghost_index::Clause;
use ghost_log::{LogError, LogReader};
use ghost_query::Tags;
use jiff::Zoned;

use crate::DataDir;
use crate::ask::Asking;
use crate::limits::INCIDENTS_LISTED_MAX;
use crate::store::{Limits, StoreError};

/// From when to when, by the time of what is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

impl Span {
    /// From the words of who asks: `--since`, `--until`, `--last`.
    ///
    /// # Errors
    /// They name no time.
    pub fn of(since: Option<&str>, until: Option<&str>, now: &Zoned) -> Result<Span, StoreError> {
        let limits = Limits {
            since: since.map(str::to_owned),
            until: until.map(str::to_owned),
            ..Limits::default()
        };
        let tags = Tags::default();
        let mut span = Span::default();
        for part in Asking::new(now, &tags, &limits).span()? {
            if let Clause::Time { from, until } = part.filter.clause(&tags)? {
                span.from = (from.0 > i64::MIN).then_some(from).max(span.from);
                let until = (until.0 < i64::MAX).then_some(until);
                span.until = match (span.until, until) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
        }
        Ok(span)
    }

    pub(super) fn holds(&self, first: Option<Timestamp>, last: Option<Timestamp>) -> bool {
        let first = first.or(last);
        self.from.is_none_or(|from| last.is_some_and(|last| last >= from))
            && self.until.is_none_or(|until| first.is_some_and(|first| first < until))
    }
}

/// Hands every scored flow of the log to `each`, oldest first, as it was logged; it ends the
/// reading by answering false.
///
/// # Errors
/// The log can't be read.
pub fn scored(
    data: &DataDir,
    span: &Span,
    each: &mut dyn FnMut(Seq, &[u8]) -> bool,
) -> Result<(), LogError> {
    let reader = LogReader::open(data.root());
    let mut lines = reader.lines(0);
    while let Some(line) = lines.next()? {
        if memchr::memmem::find(line.bytes, b"\"score\":").is_none()
            || memchr::memmem::find(line.bytes, b"\"event_type\":\"flow\"").is_none()
        {
            continue;
        }
        if *span != Span::default() {
            let Ok(view) = View::parse(line.bytes) else { continue };
            if !span.holds(view.flow.start, view.timestamp) {
                continue;
            }
        }
        if !each(line.seq, line.bytes) {
            return Ok(());
        }
    }
    Ok(())
}

/// An incident, as its newest statement in the log tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// `12.3`, or `i41.3` of an import.
    pub id: String,
    pub seq: Seq,
    pub state: IncidentState,
    pub kind: String,
    pub behaviours: Behaviours,
    pub score: f64,
    pub reasons: Reasons,
    pub priority: Option<Priority>,
    pub source: Option<IpAddr>,
    pub target: Option<IpAddr>,
    pub flows: u64,
    pub sources: u64,
    pub targets: u64,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    /// Why, in words and figures.
    pub told: Vec<String>,
    pub flow_ids: Vec<u64>,
    pub evidence: Vec<Seq>,
    pub shape: Option<ShapeId>,
    pub nearest: Vec<(ShapeId, f64)>,
    /// The statement as it was logged.
    pub line: Vec<u8>,
}

impl Incident {
    fn of(seq: Seq, line: &[u8]) -> Option<Incident> {
        let view = View::parse(line).ok().filter(|view| view.kind == LineKind::Anomaly)?;
        let incident = view.ghost.incident?;
        Some(Incident {
            id: incident.id.into_owned(),
            seq,
            state: incident.state,
            kind: incident.kind.into_owned(),
            behaviours: view.ghost.behaviours,
            score: view.ghost.score.unwrap_or(0.0),
            reasons: view.ghost.reasons,
            priority: view.ghost.prio,
            source: view.src_ip,
            target: view.dest_ip,
            flows: incident.flows,
            sources: incident.sources,
            targets: incident.targets,
            first: incident.first,
            last: incident.last,
            told: incident.told.into_iter().map(Cow::into_owned).collect(),
            flow_ids: incident.flow_ids,
            evidence: incident.evidence,
            shape: incident.shape,
            nearest: incident.nearest,
            line: line.to_vec(),
        })
    }
}

/// The incidents of the log that were going on in `span`, by their first flow, and how many older
/// ones were left out where there are more than [`INCIDENTS_LISTED_MAX`].
///
/// # Errors
/// The log can't be read.
pub fn incidents(data: &DataDir, span: &Span) -> Result<(Vec<Incident>, u64), LogError> {
    let mut all: BTreeMap<String, Incident> = BTreeMap::new();
    let mut order: VecDeque<String> = VecDeque::new();
    let mut left_out = 0;
    let reader = LogReader::open(data.root());
    let mut lines = reader.lines(0);
    while let Some(line) = lines.next()? {
        if memchr::memmem::find(line.bytes, b"\"event_type\":\"anomaly\"").is_none() {
            continue;
        }
        let Some(incident) = Incident::of(line.seq, line.bytes) else { continue };
        if !span.holds(incident.first, incident.last) {
            continue;
        }
        if !all.contains_key(&incident.id) {
            if order.len() >= INCIDENTS_LISTED_MAX
                && let Some(oldest) = order.pop_front()
            {
                all.remove(&oldest);
                left_out += 1;
            }
            order.push_back(incident.id.clone());
        }
        all.insert(incident.id.clone(), incident);
    }
    let mut listed: Vec<Incident> = all.into_values().collect();
    listed.sort_by_key(|incident| (incident.first, incident.seq));
    Ok((listed, left_out))
}

/// An incident with what it is judged by.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    pub incident: Incident,
    /// What the flow that opened it is, in the words of its shape.
    pub shape: Option<String>,
    pub nearest: Vec<Near>,
    /// Lines of its first flows.
    pub flows: Vec<Vec<u8>>,
}

/// What is usual and comes near.
#[derive(Debug, Clone, PartialEq)]
pub struct Near {
    pub cosine: f64,
    pub text: String,
}

/// All that the log holds of an incident; `None` where it tells of none of that name.
///
/// # Errors
/// The log can't be read.
pub fn explain(data: &DataDir, id: &str) -> Result<Option<Explained>, LogError> {
    let reader = LogReader::open(data.root());
    let mut incident = None;
    let mut lines = reader.lines(0);
    while let Some(line) = lines.next()? {
        if memchr::memmem::find(line.bytes, b"\"event_type\":\"anomaly\"").is_some()
            && let Some(one) = Incident::of(line.seq, line.bytes)
            && one.id == id
        {
            incident = Some(one);
        }
    }
    let Some(incident) = incident else { return Ok(None) };
    let mut texts: BTreeMap<ShapeId, String> = BTreeMap::new();
    let wanted: Vec<ShapeId> =
        incident.shape.into_iter().chain(incident.nearest.iter().map(|(id, _)| *id)).collect();
    let mut flows = Vec::new();
    let mut lines = reader.lines(0);
    while let Some(line) = lines.next()? {
        let is = |word: &[u8]| memchr::memmem::find(line.bytes, word).is_some();
        let of_shape = is(b"\"event_type\":\"shape\"");
        let of_flow =
            flows.len() < EVIDENCE_MAX && is(b"\"event_type\":\"flow\"") && is(b"\"incident\":{");
        if !of_shape && !of_flow {
            continue;
        }
        let Ok(view) = View::parse(line.bytes) else { continue };
        if let (LineKind::Shape, Some(id), Some(shape)) = (view.kind, view.ghost.shape, &view.shape)
            && wanted.contains(&id)
        {
            texts.insert(id, shape.text.to_string());
        }
        if view.kind == LineKind::Flow
            && view.ghost.incident.as_ref().is_some_and(|part| part.id == incident.id)
        {
            flows.push(line.bytes.to_vec());
        }
    }
    let nearest = incident
        .nearest
        .iter()
        .filter_map(|(id, cosine)| Some(Near { cosine: *cosine, text: texts.get(id)?.clone() }));
    let nearest = nearest.collect();
    let shape = incident.shape.and_then(|id| texts.get(&id).cloned());
    Ok(Some(Explained { incident, shape, nearest, flows }))
}
