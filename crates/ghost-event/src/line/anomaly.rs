//! The anomaly line: an incident, when it began, when it grew, and when it was over.
//!
//! Each statement is whole: the newest of an incident says all that is known of it. Kinds, states
//! and reasons are closed words; what is told in words and figures is of our own making and names
//! nothing of the wire. Addresses stand where EVE has them, as text nowhere else.

use std::borrow::Cow;
use std::net::IpAddr;

use super::{FORMAT_VERSION, text};
use crate::{Behaviours, IncidentName, Priority, Reasons, Seq, ShapeId, Timestamp, Within};

/// Flows, places and shapes that one statement names at most.
pub const EVIDENCE_MAX: usize = 8;

/// A reason in words is cut here.
const TOLD_BYTES_MAX: usize = 512;

/// One statement about an incident.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct IncidentNote<'a> {
    /// The number among its scorer's.
    pub number: u64,
    pub state: IncidentState,
    /// The packet that made this statement due.
    pub at: Timestamp,
    /// What its flows looked like; none: they are unlike all others.
    pub behaviours: Behaviours,
    /// The highest score of a flow.
    pub score: f32,
    pub reasons: Reasons,
    /// The ends of its first flow.
    pub source: Option<IpAddr>,
    pub target: Option<IpAddr>,
    /// About so many; exact up to some dozens.
    pub flows: u64,
    pub sources: u64,
    pub targets: u64,
    pub first: Timestamp,
    pub last: Timestamp,
    /// The reasons of the flow that opened it, in words and figures.
    pub told: Vec<Cow<'a, str>>,
    /// `flow_id` of its first flows.
    pub flow_ids: Vec<u64>,
    /// Their lines, as far as they were logged when this was.
    pub evidence: Vec<Seq>,
    /// Of the flow that opened it, and the usual shapes nearest to that, with their cosines.
    pub shape: Option<ShapeId>,
    pub nearest: Vec<(ShapeId, f32)>,
}

/// How far an incident is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum IncidentState {
    /// It began.
    #[default]
    Open,
    /// It has four times the flows that were told last.
    Grew,
    /// Nothing came for ten minutes, or the stream ended.
    Closed,
}

impl IncidentState {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            IncidentState::Open => "open",
            IncidentState::Grew => "grew",
            IncidentState::Closed => "closed",
        }
    }

    pub(super) fn from_name(name: &str) -> IncidentState {
        match name {
            "grew" => IncidentState::Grew,
            "closed" => IncidentState::Closed,
            _ => IncidentState::Open,
        }
    }
}

impl IncidentNote<'_> {
    /// How soon it must be durable and sealed: from a score of 0.9 on at once.
    #[must_use]
    pub fn priority(&self) -> Priority {
        match self.state {
            IncidentState::Closed => Priority::Medium,
            _ if self.score >= 0.9 => Priority::Critical,
            _ => Priority::High,
        }
    }

    /// The kind in one word: the behaviour that weighs most to readers, else `unlike`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        kind(self.behaviours, self.reasons)
    }
}

/// What only says how a flow ended is not what an incident is called by.
const FACTS: Behaviours = Behaviours(
    Behaviours::UNANSWERED.0
        | Behaviours::REFUSED.0
        | Behaviours::FRAGMENTED.0
        | Behaviours::MALFORMED.0
        | Behaviours::LONG_LIVED.0,
);

fn kind(behaviours: Behaviours, reasons: Reasons) -> &'static str {
    let shown = Behaviours(behaviours.0 & !FACTS.0);
    if let Some(name) = shown.names().next() {
        name
    } else if reasons.contains(Reasons::TRIES) {
        "tries"
    } else {
        "unlike"
    }
}

/// Appends the body of an anomaly line.
pub fn anomaly_body(
    out: &mut Vec<u8>,
    note: &IncidentNote<'_>,
    source: &super::Source<'_>,
    prio: Priority,
) {
    out.extend_from_slice(b"{\"timestamp\":");
    text::timestamp(out, note.at);
    text::put_word!(out, "event_type", "anomaly");
    text::field(out, "in_iface", source.in_iface.unwrap_or_default());
    text::field(out, "pcap_filename", source.pcap_filename.unwrap_or_default());
    if let Some(ip) = note.source {
        text::put_key!(out, "src_ip");
        text::address(out, ip);
    }
    if let Some(ip) = note.target {
        text::put_key!(out, "dest_ip");
        text::address(out, ip);
    }
    text::put_key!(out, "ghost");
    out.extend_from_slice(b"{\"v\":");
    text::number(out, FORMAT_VERSION);
    text::put_word!(out, "prio", prio.name());
    text::put_count!(out, "import", source.import.unwrap_or(0));
    text::field(out, "bridge", source.bridge.unwrap_or_default());
    words(out, "behaviours", note.behaviours.names());
    text::put_key!(out, "score");
    four_decimals(out, note.score);
    words(out, "reasons", note.reasons.names());
    text::put_key!(out, "incident");
    out.push(b'{');
    id(out, note.number, source.import, source.epoch);
    text::put_word!(out, "state", note.state.name());
    text::put_word!(out, "kind", note.kind());
    text::put_count!(out, "flows", note.flows);
    text::put_count!(out, "sources", note.sources);
    text::put_count!(out, "targets", note.targets);
    text::put_key!(out, "first");
    text::timestamp(out, note.first);
    text::put_key!(out, "last");
    text::timestamp(out, note.last);
    list(out, "told", &note.told, |out, told| text::text(out, text::cut(told, TOLD_BYTES_MAX)));
    list(out, "flow_ids", &note.flow_ids, |out, id| text::number(out, *id));
    list(out, "evidence", &note.evidence, |out, seq| text::number(out, *seq));
    if let Some(shape) = note.shape {
        text::put_open!(out, "shape");
        text::hex(out, &shape.0.to_be_bytes());
        out.push(b'"');
    }
    list(out, "nearest", &note.nearest, |out, (shape, cosine)| {
        out.extend_from_slice(b"{\"shape\":\"");
        text::hex(out, &shape.0.to_be_bytes());
        out.extend_from_slice(b"\",\"cosine\":");
        four_decimals(out, *cosine);
        out.push(b'}');
    });
    out.push(b'}');
}

fn list<T>(out: &mut Vec<u8>, name: &str, items: &[T], put: impl Fn(&mut Vec<u8>, &T)) {
    if items.is_empty() {
        return;
    }
    text::key(out, name);
    out.push(b'[');
    for item in items.iter().take(EVIDENCE_MAX) {
        text::item(out);
        put(out, item);
    }
    out.push(b']');
}

/// A list of closed words, left out where empty.
pub(super) fn words(out: &mut Vec<u8>, name: &str, names: impl Iterator<Item = &'static str>) {
    let mut open = false;
    for word in names {
        if !std::mem::replace(&mut open, true) {
            text::key(out, name);
            out.push(b'[');
        }
        text::item(out);
        out.push(b'"');
        out.extend_from_slice(word.as_bytes());
        out.push(b'"');
    }
    if open {
        out.push(b']');
    }
}

/// `"id":"…"`: the first key of an incident's object.
pub(super) fn id(out: &mut Vec<u8>, number: u64, import: Option<Seq>, epoch: u64) {
    let within = import.map_or(Within::Epoch(epoch), Within::Import);
    text::word(out, "id", &IncidentName { within, number }.to_string());
}

/// A number of 0 to 1 with four decimals.
pub(super) fn four_decimals(out: &mut Vec<u8>, value: f32) {
    let whole = crate::Score { value, ..crate::Score::default() }.ten_thousandths();
    text::number(out, whole / 10_000);
    out.push(b'.');
    let digits = [1000, 100, 10, 1].map(|unit| b"0123456789"[(whole / unit % 10) as usize]);
    out.extend_from_slice(&digits);
}

/// An incident as a line tells it; of a flow's line only the id.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct IncidentPart<'a> {
    pub id: Cow<'a, str>,
    pub state: IncidentState,
    pub kind: Cow<'a, str>,
    pub flows: u64,
    pub sources: u64,
    pub targets: u64,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    pub told: Vec<Cow<'a, str>>,
    pub flow_ids: Vec<u64>,
    pub evidence: Vec<Seq>,
    pub shape: Option<ShapeId>,
    pub nearest: Vec<(ShapeId, f64)>,
}
