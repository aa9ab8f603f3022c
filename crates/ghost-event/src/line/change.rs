//! The change line: what became of an element, before and after.
//!
//! It says what changed, not why, and nothing of the element's chain: whoever logs it adds that
//! (`ghost.element`). Keys are ours; values may come from anywhere and are escaped.

use std::borrow::Cow;

use super::{FORMAT_VERSION, text};
use crate::{Priority, ShapeId, Timestamp};

/// Facts told of one side; what is beyond is left out.
pub const CHANGE_FACTS_MAX: usize = 48;

/// A fact's text is cut here.
pub const FACT_BYTES_MAX: usize = 1024;

/// A fact's key is cut here.
const KEY_BYTES_MAX: usize = 64;

const _: () = assert!(
    // Each side's keys and texts, the list of keys, and three names; six bytes for each at most.
    6 * (CHANGE_FACTS_MAX * (2 * (KEY_BYTES_MAX + FACT_BYTES_MAX) + KEY_BYTES_MAX)
        + 3 * super::TEXT_BYTES_MAX)
        + 8192
        <= super::LINE_BYTES_MAX,
    "the largest change fits a line"
);

/// One fact of an element's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact<'a> {
    Text(Cow<'a, str>),
    Whole(u64),
    Flag(bool),
}

/// What became of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    pub at: Timestamp,
    pub prio: Priority,
    /// Where its meaning has a vector.
    pub shape: Option<ShapeId>,
    /// The interface that it is about.
    pub in_iface: Option<&'a str>,
    /// The bridge that it is about.
    pub bridge: Option<&'a str>,
    /// `appeared`, `went`, `up`, `attached`, …
    pub action: &'a str,
    /// The keys whose facts differ.
    pub changed: &'a [&'a str],
    pub before: &'a [(&'a str, Fact<'a>)],
    pub after: &'a [(&'a str, Fact<'a>)],
}

/// Appends the body of a change line.
pub fn change_body(out: &mut Vec<u8>, change: &Change<'_>) {
    out.extend_from_slice(b"{\"timestamp\":");
    text::timestamp(out, change.at);
    text::word(out, "event_type", "change");
    text::field(out, "in_iface", change.in_iface.unwrap_or_default());
    text::key(out, "ghost");
    out.extend_from_slice(b"{\"v\":");
    text::number(out, FORMAT_VERSION);
    text::word(out, "prio", change.prio.name());
    if let Some(shape) = change.shape {
        text::key(out, "shape");
        out.push(b'"');
        text::hex(out, &shape.0.to_be_bytes());
        out.push(b'"');
    }
    text::field(out, "bridge", change.bridge.unwrap_or_default());
    text::key(out, "change");
    out.push(b'{');
    text::field(out, "action", change.action);
    if !change.changed.is_empty() {
        text::key(out, "changed");
        out.push(b'[');
        for key in change.changed.iter().take(CHANGE_FACTS_MAX) {
            text::item(out);
            text::text(out, text::cut(key, KEY_BYTES_MAX));
        }
        out.push(b']');
    }
    facts(out, "before", change.before);
    facts(out, "after", change.after);
    out.push(b'}');
}

fn facts(out: &mut Vec<u8>, name: &str, facts: &[(&str, Fact<'_>)]) {
    if facts.is_empty() {
        return;
    }
    text::key(out, name);
    out.push(b'{');
    for (key, fact) in facts.iter().take(CHANGE_FACTS_MAX) {
        if !matches!(out.last(), Some(b'{')) {
            out.push(b',');
        }
        text::text(out, text::cut(key, KEY_BYTES_MAX));
        out.push(b':');
        match fact {
            Fact::Text(value) => text::text(out, text::cut(value, FACT_BYTES_MAX)),
            Fact::Whole(value) => text::number(out, *value),
            Fact::Flag(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        }
    }
    out.push(b'}');
}
