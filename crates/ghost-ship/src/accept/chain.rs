//! The end of a chain of lines, and what the lines said of log, epoch and keys on the way.

use ghost_event::Digest;
use ghost_event::line::{LineKind, Note, Tail, View};
use ghost_log::proof::{Tree, leaf};

use super::Keys;
use crate::wire::{Code, LogId, Place};

/// Where a chain ends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Chain {
    pub(super) log: Option<LogId>,
    pub(super) epoch: u64,
    pub(super) leaf: Digest,
    pub(super) tree: Tree,
}

/// Why a line does not continue it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) code: Code,
    pub(super) words: String,
}

fn broken(code: Code, words: impl Into<String>) -> Broken {
    Broken { code, words: words.into() }
}

impl Chain {
    pub(super) fn place(&self) -> Place {
        Place { size: self.tree.size(), leaf: self.leaf }
    }

    /// Takes in the next line, newline included. After an error the chain is not to be used.
    pub(super) fn take(&mut self, line: &[u8], keys: &mut Keys) -> Result<(), Broken> {
        let size = self.tree.size();
        let tail = Tail::of(line)
            .ok_or_else(|| broken(Code::Altered, format!("after line {size} comes no line")))?;
        if Some(tail.seq) != size.checked_add(1) {
            let words = format!("line {} stands where {} should", tail.seq, size.saturating_add(1));
            return Err(broken(Code::Gap, words));
        }
        if tail.prev != self.leaf {
            let words = format!(
                "line {} follows another line {size}: its leaf is {}, and the one here {}",
                tail.seq, tail.prev, self.leaf
            );
            return Err(broken(Code::Fork, words));
        }
        self.note(line, tail.seq, keys)?;
        if self.log.is_none() {
            return Err(broken(Code::Altered, "a log begins with a line that names it"));
        }
        self.leaf = leaf(line);
        self.tree.push(self.leaf);
        Ok(())
    }

    /// What a note says of the log itself.
    fn note(&mut self, line: &[u8], seq: u64, keys: &mut Keys) -> Result<(), Broken> {
        // All notes begin with a time and their kind.
        let begin = line.get(..96).unwrap_or(line);
        if memchr::memmem::find(begin, b"\"event_type\":\"")
            .is_none_or(|at| !matches!(line.get(at + 14), Some(b'e' | b's' | b'k')))
        {
            return Ok(());
        }
        let Ok(view) = View::parse(line) else {
            return Err(broken(Code::Altered, format!("line {seq} is no JSON")));
        };
        let parent = |found: u64, leaf: Digest| {
            if (found, leaf) == (seq - 1, self.leaf) {
                return Ok(());
            }
            Err(broken(Code::Altered, format!("line {seq} names another parent than it follows")))
        };
        match (view.kind, &view.note) {
            (LineKind::Epoch, Some(Note::Epoch(note))) => {
                parent(note.parent_seq, note.parent_leaf)?;
                let log = self.log_of(seq, &note.log)?;
                if note.epoch <= self.epoch {
                    let words =
                        format!("line {seq} begins epoch {}, after {}", note.epoch, self.epoch);
                    return Err(broken(Code::StaleEpoch, words));
                }
                (self.log, self.epoch) = (Some(log), note.epoch);
            }
            (LineKind::Segment, Some(Note::Segment(note))) => {
                parent(note.parent_seq, note.parent_leaf)?;
                let log = self.log_of(seq, &note.log)?;
                if self.epoch != 0 && note.epoch != self.epoch {
                    let words = format!("line {seq} is of epoch {}, in {}", note.epoch, self.epoch);
                    return Err(broken(Code::StaleEpoch, words));
                }
                (self.log, self.epoch) = (Some(log), note.epoch);
            }
            (LineKind::Key, Some(Note::Key(note))) => {
                if let Some(log) = self.log {
                    keys.note(log, note);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn log_of(&self, seq: u64, text: &str) -> Result<LogId, Broken> {
        let log = LogId::parse(text)
            .ok_or_else(|| broken(Code::Altered, format!("line {seq} names no log")))?;
        if self.log.is_some_and(|ours| ours != log) {
            return Err(broken(Code::OtherLog, format!("line {seq} is of the log {log}")));
        }
        Ok(log)
    }
}
