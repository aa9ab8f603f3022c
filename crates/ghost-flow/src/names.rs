//! What a flow's messages told: kept once each, within a budget, as clean UTF-8.
//!
//! Every field is first told to the [`FlowSink`], also the transient ones and repetitions; what
//! is to be logged is then kept in the flow's [`Names`]. What is not UTF-8 becomes U+FFFD, as
//! `String::from_utf8_lossy` does it.

use std::net::IpAddr;

use ghost_event::{Features, Timestamp};
use ghost_wire::{Field, LearnedFrom, Sink};
use hashbrown::HashSet;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::config::limits::{NAME_BYTES_MAX, NAMES_PER_FLOW_MAX, NAMES_SCANNED_MAX};
use crate::table::FlowSink;

/// What one flow remembers of its own names.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Bytes of names in this flow.
    pub(crate) bytes: usize,
    /// Hashes of path and value; only once there are many.
    seen: Option<Box<HashSet<u64>>>,
}

/// The budget that all flows share, and what it cost.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    pub(crate) per_flow_max: usize,
    pub(crate) total_max: usize,
    pub(crate) used: usize,
    pub(crate) kept: u64,
    pub(crate) dropped: u64,
}

/// Listens to a dissector for one flow.
pub(crate) struct Ear<'a, S: FlowSink> {
    pub(crate) features: &'a mut Features,
    pub(crate) kept: &'a mut Kept,
    pub(crate) budget: &'a mut Budget,
    pub(crate) sink: &'a mut S,
    pub(crate) ts: Timestamp,
}

impl<S: FlowSink> Sink for Ear<'_, S> {
    fn field(&mut self, field: Field, value: &[u8]) {
        let told = self.sink.field(self.features, field.path, value);
        self.features.behaviours.insert(told);
        if !field.transient && !value.is_empty() {
            self.keep(field, value);
        }
    }

    fn learned(&mut self, address: IpAddr, name: &[u8], from: LearnedFrom) {
        with_text(name, |name| self.sink.learned(address, name, from, self.ts));
    }
}

impl<S: FlowSink> Ear<'_, S> {
    fn keep(&mut self, field: Field, value: &[u8]) {
        if !field.many && self.features.names.get(field.path).is_some() {
            return;
        }
        with_text(value, |text| {
            let names = &mut self.features.names;
            let hash = |path: &str, text: &str| {
                xxh3_64_with_seed(text.as_bytes(), xxh3_64_with_seed(path.as_bytes(), 0))
            };
            let seen_before = match &self.kept.seen {
                Some(seen) => seen.contains(&hash(field.path, text)),
                None => names.pairs.iter().any(|(p, v)| *p == field.path && **v == *text),
            };
            if seen_before {
                return;
            }
            let full = names.pairs.len() >= NAMES_PER_FLOW_MAX
                || self.kept.bytes + text.len() > self.budget.per_flow_max
                || self.budget.used + text.len() > self.budget.total_max;
            if full {
                names.dropped = names.dropped.saturating_add(1);
                self.budget.dropped += 1;
                return;
            }
            if let Some(seen) = &mut self.kept.seen {
                seen.insert(hash(field.path, text));
            }
            let had = names.pairs.len();
            if had == names.pairs.capacity() && had < NAMES_SCANNED_MAX {
                // Most flows have a handful, and there are many flows: no doubling at first.
                names.pairs.reserve_exact(if had == 0 { 4 } else { 2 });
            }
            names.pairs.push((field.path, text.into()));
            if names.pairs.len() == NAMES_SCANNED_MAX {
                let seen = names.pairs.iter().map(|(p, v)| hash(p, v)).collect();
                self.kept.seen = Some(Box::new(seen));
            }
            self.kept.bytes += text.len();
            self.budget.used += text.len();
            self.budget.kept += 1;
        });
    }
}

/// Gives `value` as text of at most [`NAME_BYTES_MAX`] bytes; borrows where it is clean already.
fn with_text(value: &[u8], take: impl FnOnce(&str)) {
    if value.len() <= NAME_BYTES_MAX
        && let Ok(text) = std::str::from_utf8(value)
    {
        return take(text);
    }
    let mut text = String::new();
    'all: for chunk in value.utf8_chunks() {
        for c in chunk.valid().chars().chain((!chunk.invalid().is_empty()).then_some('\u{fffd}')) {
            if text.len() + c.len_utf8() > NAME_BYTES_MAX {
                break 'all;
            }
            text.push(c);
        }
    }
    take(&text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &[u8]) -> String {
        let mut out = String::new();
        with_text(value, |t| out = t.to_owned());
        out
    }

    #[test]
    fn what_is_not_utf8_is_replaced_as_the_standard_library_does() {
        assert_eq!(text(b"plain.example"), "plain.example");
        assert_eq!(text(b"a\xff\xfeb"), "a\u{fffd}\u{fffd}b");
        assert_eq!(text(b"\xe2\x82"), "\u{fffd}");
        assert_eq!(text(b"\xe2\x82\xff."), "\u{fffd}\u{fffd}.");
        assert_eq!(text("ünicode".as_bytes()), "ünicode");
    }

    #[test]
    fn a_long_value_is_cut_at_a_character() {
        let long = "ä".repeat(NAME_BYTES_MAX);
        let cut = text(long.as_bytes());
        assert_eq!(cut.len(), NAME_BYTES_MAX);
        assert!(long.starts_with(&cut));
    }

    #[test]
    fn text_of_any_bytes_is_within_the_limit() {
        bolero::check!().with_iterations(2000).for_each(|bytes: &[u8]| {
            let replaced = text(bytes);
            assert!(replaced.len() <= NAME_BYTES_MAX);
            assert!(String::from_utf8_lossy(bytes).starts_with(&replaced));
        });
    }
}
