//! Notes: the lines by which a log tells of itself.

use std::borrow::Cow;

use super::{FORMAT_VERSION, text};
use crate::{Digest, Priority, Seq, Timestamp};

/// A start of the writer: from here on it continues `parent`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EpochNote<'a> {
    /// The log's own random name, 32 hexadecimal digits; the same in all its lines.
    pub log: Cow<'a, str>,
    /// 1 at the first start; the higher epoch fences the lower.
    pub epoch: u64,
    /// The line that this epoch continues; 0 and zeros at the first.
    pub parent_seq: Seq,
    pub parent_leaf: Digest,
    /// The program and its version.
    pub program: Cow<'a, str>,
    /// The machine's boot, where it tells one.
    pub boot: Cow<'a, str>,
    /// The key that signs, 8 hexadecimal digits, where an earlier line told it.
    pub key: Cow<'a, str>,
}

/// The first line of a segment that continues another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SegmentNote<'a> {
    pub log: Cow<'a, str>,
    pub epoch: u64,
    /// The last line of the segment before.
    pub parent_seq: Seq,
    pub parent_leaf: Digest,
    /// The key that signs, 8 hexadecimal digits; empty where there is none.
    pub key: Cow<'a, str>,
}

/// From here on this key signs the log's checkpoints.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyNote<'a> {
    /// `<name>+<key id>+<base64>`.
    pub key: Cow<'a, str>,
    /// The id of the key that it follows; empty where none authorised it.
    pub by: Cow<'a, str>,
    /// Of that key, base64.
    pub signature: Cow<'a, str>,
}

/// The oldest segments are removed after this line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RetiredNote {
    /// The oldest line that is kept.
    pub first_seq: Seq,
    pub segments: u64,
    pub bytes: u64,
}

/// What became of a block.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlockNote<'a> {
    /// `sealed`, `deleted`, `restored`, …
    pub action: Cow<'a, str>,
    pub block: u64,
    /// Lines that its checkpoint covers.
    pub size: u64,
    pub root: Digest,
    /// Why; a closed word.
    pub reason: Cow<'a, str>,
}

/// The newest line of an element's chain, stated again for the segment that goes on with it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ElementNote<'a> {
    pub id: Cow<'a, str>,
    /// `bridge`, `port`, …
    pub kind: Cow<'a, str>,
    pub height: u64,
    pub seq: Seq,
    pub leaf: Digest,
}

/// How far an import came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ImportState {
    #[default]
    Begin,
    /// Every event of the file stands before this line.
    End,
    /// Given up: a later import of the same file begins anew.
    Abandoned,
}

/// The journal of one imported file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportNote<'a> {
    pub state: ImportState,
    pub file: Cow<'a, str>,
    /// Of the file's content, 64 hexadecimal digits.
    pub sha256: Cow<'a, str>,
    /// A digest of what else decides its events: filter, timeouts, granularity.
    pub options: Cow<'a, str>,
    /// The `begin` line that this one closes; 0 in `begin` itself.
    pub begin: Seq,
    pub packets: u64,
    /// On the wire.
    pub bytes: u64,
    pub flows: u64,
    pub events: u64,
    pub unparsed: u64,
    /// Why the file could not be read to its end; empty where it could.
    pub error: Cow<'a, str>,
}

/// What recovery cut from the log's end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecoveredNote<'a> {
    /// The last line that stands.
    pub after_seq: Seq,
    pub bytes: u64,
    /// Newlines among the bytes, and one more where they did not end with one.
    pub lines: u64,
    /// Lines that had been acknowledged as durable and are gone; 0 unless the medium lied.
    pub acknowledged_lost: u64,
    /// Where the bytes were kept, beside the segments; empty where they were not.
    pub kept: Cow<'a, str>,
}

/// Time or frames of which the log holds nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GapNote<'a> {
    /// `stopped`, `queue_full`, `ring_full`, …
    pub reason: Cow<'a, str>,
    pub from: Timestamp,
    pub to: Timestamp,
    pub packets: u64,
    pub bytes: u64,
    pub events: u64,
}

/// One note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note<'a> {
    Epoch(EpochNote<'a>),
    Segment(SegmentNote<'a>),
    Import(ImportNote<'a>),
    Recovered(RecoveredNote<'a>),
    Gap(GapNote<'a>),
    Key(KeyNote<'a>),
    Retired(RetiredNote),
    Block(BlockNote<'a>),
    Element(ElementNote<'a>),
}

impl ImportState {
    /// The word that stands in the note.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ImportState::Begin => "begin",
            ImportState::End => "end",
            ImportState::Abandoned => "abandoned",
        }
    }
}

impl Note<'_> {
    /// The `event_type`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Note::Epoch(_) => "epoch",
            Note::Segment(_) => "segment",
            Note::Import(_) => "import",
            Note::Recovered(_) => "recovered",
            Note::Gap(_) => "gap",
            Note::Key(_) => "key",
            Note::Retired(_) => "retired",
            Note::Block(_) => "block",
            Note::Element(_) => "element",
        }
    }

    /// The key under `ghost`: `ghost.element` is an event's place in its element's chain.
    fn key(&self) -> &'static str {
        if let Note::Element(_) = self { "head" } else { self.kind() }
    }

    /// How soon it must be durable.
    #[must_use]
    pub fn priority(&self) -> Priority {
        match self {
            Note::Epoch(_) | Note::Recovered(_) | Note::Key(_) => Priority::High,
            Note::Segment(_) | Note::Import(_) | Note::Gap(_) | Note::Retired(_) => {
                Priority::Medium
            }
            Note::Block(_) | Note::Element(_) => Priority::Low,
        }
    }
}

/// Appends the body of a note written at `at`.
pub fn note_body(out: &mut Vec<u8>, at: Timestamp, note: &Note<'_>) {
    out.extend_from_slice(b"{\"timestamp\":");
    text::timestamp(out, at);
    text::word(out, "event_type", note.kind());
    text::key(out, "ghost");
    out.extend_from_slice(b"{\"v\":");
    text::number(out, FORMAT_VERSION);
    text::word(out, "prio", note.priority().name());
    text::key(out, note.key());
    out.push(b'{');
    match note {
        Note::Epoch(n) => {
            text::field(out, "log", &n.log);
            text::count(out, "epoch", n.epoch);
            parent(out, n.parent_seq, &n.parent_leaf);
            text::field(out, "program", &n.program);
            text::field(out, "boot", &n.boot);
            text::field(out, "key", &n.key);
        }
        Note::Segment(n) => {
            text::field(out, "log", &n.log);
            text::count(out, "epoch", n.epoch);
            parent(out, n.parent_seq, &n.parent_leaf);
            text::field(out, "key", &n.key);
        }
        Note::Import(n) => {
            text::word(out, "state", n.state.name());
            text::field(out, "file", &n.file);
            text::field(out, "sha256", &n.sha256);
            text::field(out, "options", &n.options);
            text::count(out, "begin", n.begin);
            text::count(out, "packets", n.packets);
            text::count(out, "bytes", n.bytes);
            text::count(out, "flows", n.flows);
            text::count(out, "events", n.events);
            text::count(out, "unparsed", n.unparsed);
            text::field(out, "error", &n.error);
        }
        Note::Recovered(n) => {
            text::key(out, "after_seq");
            text::number(out, n.after_seq);
            text::count(out, "bytes", n.bytes);
            text::count(out, "lines", n.lines);
            text::count(out, "acknowledged_lost", n.acknowledged_lost);
            text::field(out, "kept", &n.kept);
        }
        Note::Gap(n) => {
            text::field(out, "reason", &n.reason);
            text::key(out, "from");
            text::timestamp(out, n.from);
            text::key(out, "to");
            text::timestamp(out, n.to);
            text::count(out, "packets", n.packets);
            text::count(out, "bytes", n.bytes);
            text::count(out, "events", n.events);
        }
        Note::Key(n) => {
            text::field(out, "key", &n.key);
            text::field(out, "by", &n.by);
            text::field(out, "signature", &n.signature);
        }
        Note::Retired(n) => {
            text::count(out, "first_seq", n.first_seq);
            text::count(out, "segments", n.segments);
            text::count(out, "bytes", n.bytes);
        }
        Note::Block(n) => {
            text::field(out, "action", &n.action);
            text::count(out, "block", n.block);
            text::count(out, "size", n.size);
            digest(out, "root", &n.root);
            text::field(out, "reason", &n.reason);
        }
        Note::Element(n) => {
            text::field(out, "id", &n.id);
            text::field(out, "type", &n.kind);
            text::count(out, "height", n.height);
            text::count(out, "seq", n.seq);
            digest(out, "leaf", &n.leaf);
        }
    }
    out.push(b'}');
}

/// Appends what places an event in its element's chain, to a body that is open in `ghost`. `prev` is
/// the leaf of the element's line before, zeros at height 1.
pub fn element_part(out: &mut Vec<u8>, id: &str, kind: &str, height: u64, prev: &Digest) {
    text::key(out, "element");
    out.push(b'{');
    text::field(out, "id", id);
    text::field(out, "type", kind);
    text::count(out, "height", height);
    digest(out, "prev", prev);
    out.push(b'}');
}

fn digest(out: &mut Vec<u8>, name: &str, digest: &Digest) {
    text::key(out, name);
    out.push(b'"');
    out.extend_from_slice(&digest.hex());
    out.push(b'"');
}

fn parent(out: &mut Vec<u8>, seq: Seq, leaf: &Digest) {
    text::key(out, "parent_seq");
    text::number(out, seq);
    digest(out, "parent_leaf", leaf);
}
