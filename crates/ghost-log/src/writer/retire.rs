//! Retirement: the oldest segments go, and what is left still proves all that it can.
//!
//! In this order, each step durable before the next: heads of elements that only the old segments
//! tell are stated again; the edge says what proofs still need; a line tells of the retirement; the
//! segments are removed, oldest first. A power cut anywhere leaves a log that a start opens; behind
//! the edge it removes what is left. On a full disk the line waits with the others, since removing
//! is what makes room; a start writes it where it was lost.
//!
//! What is given up: to prove that the tree continues one of a size before the oldest kept line's
//! group of 256, where that is no multiple of 256.

use std::sync::Arc;

use ghost_event::Seq;
use ghost_event::line::{Note, RetiredNote};

use super::Log;
use crate::edge::Edge;
use crate::error::LogError;
use crate::segments::{Retired, SegmentInfo};
use crate::tiles;
use crate::tree_reader::TreeReader;

impl Log {
    /// The sealed segments, oldest first.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentInfo> {
        let ends = self.sealed.iter().skip(1).map(|(first, _)| *first).chain([self.chain.segment]);
        let info = |((first, bytes), end): (&(Seq, u64), Seq)| SegmentInfo {
            first: *first,
            last: end - 1,
            bytes: *bytes,
            path: self.layout.segment(*first),
        };
        self.sealed.iter().zip(ends).map(info).collect()
    }

    /// Removes the oldest sealed segments of which every line is `upto` or before.
    pub fn retire(&mut self, upto: Seq) -> Result<Retired, LogError> {
        self.usable()?;
        let mut old: Vec<SegmentInfo> =
            self.segments().into_iter().take_while(|segment| segment.last <= upto).collect();
        let Some(last) = old.last() else { return Ok(Retired::default()) };
        if self.state_elements_before(last.last + 1)? {
            // Nothing else would tell them after a power cut.
            self.sync()?;
        }
        self.unless_full(Log::sync)?;
        // Something durable stays: the line that would be the oldest may wait for room itself.
        old.retain(|segment| segment.last < self.durable.seq);
        let Some(last) = old.last() else {
            return Err(LogError::NoSpace { path: self.layout.active() });
        };
        let first = last.last + 1;
        let retired =
            Retired { segments: old.len() as u64, bytes: old.iter().map(|s| s.bytes).sum() };
        let note = Note::Retired(RetiredNote {
            first_seq: first,
            segments: retired.segments,
            bytes: retired.bytes,
        });
        // No segment may end between what the edge says and the line.
        self.make_room(1024)?;
        if self.tree.is_some() {
            let noted = self.chain.head.seq + 1;
            if let Err(e) = self.keep_edge(first, noted) {
                return Err(self.beside(e));
            }
        }
        self.append_note(&note)?;
        self.unless_full(Log::sync)?;
        let old: Vec<Seq> = old.into_iter().map(|segment| segment.first).collect();
        self.remove_segments(&old)?;
        if self.full_at.is_some() {
            self.unless_full(Log::sync)?;
        }
        Ok(retired)
    }

    /// Writes what proofs need of lines before `first`, from lines that are all here still.
    fn keep_edge(&mut self, first: Seq, noted: Seq) -> Result<(), LogError> {
        let size = self.durable.seq;
        self.chain.settle(&mut self.tree);
        if let Some(tree) = &mut self.tree {
            tree.keep(&*self.disk, &self.layout, size)?;
        }
        let mut reader = TreeReader::open(Arc::clone(&self.disk), self.layout.clone())?;
        // A tile that found no room when it fell due is made now, or nothing is removed.
        let missing = tiles::missing(&*self.disk, &self.layout, size)?;
        tiles::make(&*self.disk, &self.layout, &mut reader, &missing)?;
        Edge::of(&mut reader, first, noted, size)?.keep(&*self.disk, &self.layout)
    }

    /// Removes sealed segments by their first lines, oldest first.
    pub(super) fn remove_segments(&mut self, firsts: &[Seq]) -> Result<(), LogError> {
        if firsts.is_empty() {
            return Ok(());
        }
        for first in firsts {
            let path = self.layout.segment(*first);
            if let Err(e) = self.disk.remove(&path).map_err(LogError::io("remove", &path)) {
                return Err(self.beside(e));
            }
            self.sealed.retain(|(sealed, _)| sealed != first);
        }
        let folder = self.layout.segments();
        let synced = self.disk.sync_dir(&folder).map_err(LogError::io("sync", &folder));
        synced.map_err(|e| self.beside(e))
    }
}
