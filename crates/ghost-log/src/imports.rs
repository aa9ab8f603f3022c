//! Which captures were imported, and how far.
//!
//! The log is the truth: `import` notes say where a file's events begin and that they are complete.
//! `state/imports.jsonl` holds copies of those lines, so that a start need not read the whole log.
//! What stands there of the active segment is read again from the log itself.

use std::collections::HashMap;

use ghost_event::Seq;
use ghost_event::line::{ImportNote, ImportState, Note, View};

/// The newest that is known of one file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportRecord {
    pub state: ImportState,
    /// The line that said so.
    pub seq: Seq,
    /// The line that began it; its events have this number as `ghost.import`.
    pub begin: Seq,
    pub file: String,
    pub sha256: String,
    pub options: String,
    pub packets: u64,
    pub bytes: u64,
    pub flows: u64,
    pub events: u64,
    pub unparsed: u64,
    pub error: String,
}

/// All files, by the digest of their content.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Imports {
    by_sha256: HashMap<String, ImportRecord>,
}

impl Imports {
    /// What is known of the file with this content.
    #[must_use]
    pub fn get(&self, sha256: &str) -> Option<&ImportRecord> {
        self.by_sha256.get(sha256)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.by_sha256.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_sha256.is_empty()
    }

    /// Every file, in the order of their newest notes.
    #[must_use]
    pub fn all(&self) -> Vec<&ImportRecord> {
        let mut all: Vec<_> = self.by_sha256.values().collect();
        all.sort_by_key(|r| r.seq);
        all
    }

    pub(crate) fn take(&mut self, seq: Seq, note: &ImportNote<'_>) {
        let record = ImportRecord {
            state: note.state,
            seq,
            begin: if note.state == ImportState::Begin { seq } else { note.begin },
            file: note.file.to_string(),
            sha256: note.sha256.to_string(),
            options: note.options.to_string(),
            packets: note.packets,
            bytes: note.bytes,
            flows: note.flows,
            events: note.events,
            unparsed: note.unparsed,
            error: note.error.to_string(),
        };
        let slot = self.by_sha256.entry(record.sha256.clone()).or_default();
        if slot.seq <= seq {
            *slot = record;
        }
    }

    /// Takes in a logged line where it is an import note; says whether it was.
    pub(crate) fn take_line(&mut self, line: &[u8]) -> bool {
        let Ok(view) = View::parse(line) else { return false };
        let (Some(Note::Import(note)), Some(seq)) = (&view.note, view.ghost.seq) else {
            return false;
        };
        self.take(seq, note);
        true
    }
}
