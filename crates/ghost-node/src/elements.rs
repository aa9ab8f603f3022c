//! Elements of a log, read from its lines: what became of interfaces, bridges and ports.

use std::collections::BTreeMap;

use ghost_event::line::View;
use ghost_event::{Digest, Seq, Timestamp};
use ghost_log::LogReader;
pub use ghost_log::{ElementEvent, ElementVerdict, LogError};

use crate::DataDir;
use crate::limits::HISTORY_EVENTS_MAX;

/// The newest line of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub kind: String,
    pub height: u64,
    pub seq: Seq,
    pub leaf: Digest,
    /// Empty, and no time, where the line is gone and only its head is restated.
    pub action: String,
    pub time: Option<Timestamp>,
}

/// Every element of the log, by its id.
///
/// # Errors
/// The log can't be read.
pub fn list(data: &DataDir) -> Result<BTreeMap<String, Listed>, LogError> {
    let reader = LogReader::open(data.root());
    let mut all = BTreeMap::new();
    let mut lines = reader.lines(0);
    while let Some(line) = lines.next()? {
        // Most lines are flows.
        if memchr::memmem::find(line.bytes, b"\"element\":{").is_none()
            && memchr::memmem::find(line.bytes, b"\"event_type\":\"element\"").is_none()
        {
            continue;
        }
        let Ok(view) = View::parse(line.bytes) else { continue };
        if let Some(link) = &view.ghost.element {
            let one = Listed {
                kind: link.kind.to_string(),
                height: link.height,
                seq: line.seq,
                leaf: ghost_log::proof::leaf(line.bytes),
                action: view.change.as_ref().map(|c| c.action.to_string()).unwrap_or_default(),
                time: view.timestamp,
            };
            all.insert(link.id.to_string(), one);
        } else if let Some(ghost_event::line::Note::Element(head)) = &view.note {
            all.entry(head.id.to_string()).or_insert_with(|| Listed {
                kind: head.kind.to_string(),
                height: head.height,
                seq: head.seq,
                leaf: head.leaf,
                action: String::new(),
                time: None,
            });
        }
    }
    Ok(all)
}

/// The newest events of one element, oldest first.
///
/// # Errors
/// The log can't be read.
pub fn history(data: &DataDir, id: &str) -> Result<Vec<ElementEvent>, LogError> {
    ghost_log::element_history(&LogReader::open(data.root()), id, HISTORY_EVENTS_MAX)
}

/// Whether the events of one element continue each other.
///
/// # Errors
/// The log can't be read.
pub fn verify(data: &DataDir, id: &str) -> Result<ElementVerdict, LogError> {
    ghost_log::verify_element(&LogReader::open(data.root()), id)
}
