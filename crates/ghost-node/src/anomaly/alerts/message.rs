//! What is told: one incident, or a digest of several.
//!
//! Kinds and reasons are closed words, addresses are addresses: nothing that came off the wire as
//! text is in a message. The host's own name is the operator's.

use std::net::IpAddr;

use ghost_event::line::{IncidentNote, IncidentState};
use ghost_event::{Behaviours, IncidentName, Priority, Reasons, Timestamp};
use serde_json::{Value, json};

use crate::anomaly::kind_in_words;

/// An incident, as it is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    pub id: IncidentName,
    pub state: IncidentState,
    pub kind: &'static str,
    pub behaviours: Behaviours,
    pub reasons: Reasons,
    pub score: f32,
    pub priority: Priority,
    pub source: Option<IpAddr>,
    pub target: Option<IpAddr>,
    pub flows: u64,
    pub sources: u64,
    pub targets: u64,
    pub first: Timestamp,
    pub last: Timestamp,
    /// The weightiest reason, in words and figures.
    pub why: String,
}

/// One message to everybody.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Message {
    One(Alert),
    Digest {
        /// The first of them; how many there are besides is in `more`.
        alerts: Vec<Alert>,
        more: u64,
        /// Statements that were told of before, and left out.
        repeated: u64,
    },
}

impl Alert {
    /// As the log was told.
    pub(crate) fn of(note: &IncidentNote<'_>, id: IncidentName) -> Alert {
        Alert {
            id,
            state: note.state,
            kind: note.kind(),
            behaviours: note.behaviours,
            reasons: note.reasons,
            score: note.score,
            priority: note.priority(),
            source: note.source,
            target: note.target,
            flows: note.flows,
            sources: note.sources,
            targets: note.targets,
            first: note.first,
            last: note.last,
            why: note.told.first().map(|told| told.to_string()).unwrap_or_default(),
        }
    }

    /// For people, in one line.
    pub(super) fn text(&self) -> String {
        let ends = match (self.source, self.target) {
            (Some(source), Some(target)) => format!(" from {source} to {target}"),
            (Some(one), None) => format!(" from {one}"),
            (None, Some(one)) => format!(" to {one}"),
            (None, None) => String::new(),
        };
        let many = |n: u64, one: &str| {
            if n > 1 { format!(", {n} {one}s") } else { String::new() }
        };
        let why = if self.why.is_empty() { String::new() } else { format!(": {}", self.why) };
        format!(
            "{}{ends}, score {:.2}{}{}{}{why} (incident {}, {})",
            kind_in_words(self.kind),
            self.score,
            many(self.flows, "flow"),
            many(self.sources, "source"),
            many(self.targets, "target"),
            self.id,
            self.state.name(),
        )
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "state": self.state.name(),
            "kind": self.kind,
            "behaviours": self.behaviours.names().collect::<Vec<_>>(),
            "reasons": self.reasons.names().collect::<Vec<_>>(),
            "score": f64::from(self.score_in_hundredths()) / 100.0,
            "priority": self.priority.name(),
            "source": self.source,
            "target": self.target,
            "flows": self.flows,
            "sources": self.sources,
            "targets": self.targets,
            "first": stamp(self.first),
            "last": stamp(self.last),
            "why": self.why,
        })
    }

    pub(super) fn score_in_hundredths(&self) -> u8 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 100"
        )]
        let hundredths = (self.score.clamp(0.0, 1.0) * 100.0).round() as u8;
        hundredths
    }
}

impl Message {
    pub(super) fn priority(&self) -> Priority {
        match self {
            Message::One(alert) => alert.priority,
            Message::Digest { .. } => Priority::Medium,
        }
    }

    /// One line that says what it is about.
    pub(super) fn title(&self, identity: &str) -> String {
        match self {
            Message::One(alert) => {
                format!("{}: {} on the network", identity, kind_in_words(alert.kind))
            }
            Message::Digest { alerts, more, .. } => {
                format!("{identity}: {} more incidents", alerts.len() as u64 + more)
            }
        }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        match self {
            Message::One(alert) => alert.text(),
            Message::Digest { alerts, more, repeated } => {
                let mut lines: Vec<String> = alerts.iter().map(Alert::text).collect();
                if *more > 0 {
                    lines.push(format!("and {more} more"));
                }
                if *repeated > 0 {
                    lines.push(format!("{repeated} of the same were told before and left out"));
                }
                lines.join("\n")
            }
        }
    }

    /// For programs.
    pub(super) fn json(&self, identity: &str) -> Value {
        match self {
            Message::One(alert) => json!({
                "program": crate::PROGRAM,
                "host": identity,
                "type": "incident",
                "text": self.text(),
                "incident": alert.json(),
            }),
            Message::Digest { alerts, more, repeated } => json!({
                "program": crate::PROGRAM,
                "host": identity,
                "type": "digest",
                "text": self.text(),
                "incidents": alerts.iter().map(Alert::json).collect::<Vec<_>>(),
                "more": more,
                "repeated": repeated,
            }),
        }
    }
}

/// RFC 3339, UTC.
pub(super) fn stamp(at: Timestamp) -> String {
    jiff::Timestamp::from_nanosecond(at.0.into()).unwrap_or_default().to_string()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use ghost_event::Within;

    pub(crate) fn alert(number: u64, kind: &'static str, source: u8) -> Alert {
        Alert {
            id: IncidentName { within: Within::Epoch(7), number },
            state: IncidentState::Open,
            kind,
            behaviours: Behaviours::from_name(kind).unwrap_or_default(),
            reasons: Reasons::BEHAVIOUR,
            score: 0.95,
            priority: Priority::Critical,
            source: Some(IpAddr::from([10, 0, 0, source])),
            target: Some(IpAddr::from([10, 0, 0, 200])),
            flows: 1,
            sources: 1,
            targets: 1,
            first: Timestamp(1_000_000_000),
            last: Timestamp(2_000_000_000),
            why: "looks like port scan".to_owned(),
        }
    }

    #[test]
    fn an_alert_says_what_from_where_to_where_and_why() {
        assert_eq!(
            alert(3, "port_scan", 7).text(),
            "port scan from 10.0.0.7 to 10.0.0.200, score 0.95: looks like port scan (incident \
             7.3, open)"
        );
        assert!(alert(3, "tries", 7).text().starts_with("many tries in vain from 10.0.0.7"));
        let many = Alert { flows: 400, targets: 20, why: String::new(), ..alert(3, "sweep", 7) };
        assert!(many.text().contains(", 400 flows, 20 targets (incident 7.3"), "{}", many.text());
    }
}
