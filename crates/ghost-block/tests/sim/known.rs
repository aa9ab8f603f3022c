//! What a history knows of its log from the outside: what was promised, and what anybody has seen.
//!
//! Everything here is worked out from the bytes on the disk and from what calls answered, with a
//! tree and a chain of its own; nothing is asked of the log that it could answer wrongly twice.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ghost_event::line::Tail;
use ghost_event::{Digest, Seq};
use ghost_log::proof::checkpoint::SignedCheckpoint;
use ghost_log::proof::key::VerifyingKey;
use ghost_log::proof::{Tree, leaf};
use ghost_log::{Head, Layout};
use ghost_world::{Disk as _, SimDisk};

use super::{Told, hold};

/// A checkpoint that somebody outside may have.
#[derive(Debug, Clone)]
pub struct Published {
    pub signed: SignedCheckpoint,
    /// The log was put back to an older state since: it no longer has to continue this one.
    pub fenced: bool,
    checked: bool,
}

/// One line, as it stands on the disk.
#[derive(Debug, Clone)]
pub struct Line {
    pub seq: Seq,
    pub bytes: Vec<u8>,
    pub leaf: Digest,
}

#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Leaves of lines 1 to n; those up to `acked` can never change.
    pub leaves: Vec<Digest>,
    pub acked: Head,
    /// Bodies of lines that the log took in, until it was found without them.
    taken: BTreeMap<Seq, Vec<u8>>,
    /// Events that it said are not in it.
    refused: BTreeSet<u64>,
    pub published: Vec<Published>,
    pub epochs: BTreeSet<u64>,
    pub keys: Vec<VerifyingKey>,
    pub files: Files,
    /// Leaves of lines that were looked into already.
    looked: Vec<Digest>,
    /// Lines that begin an epoch.
    begun: BTreeMap<Seq, u64>,
    /// The lines of elements' chains, with element and height.
    pub links: BTreeMap<Seq, (String, u64)>,
    /// Lines that are more than the log telling of itself.
    pub news: BTreeSet<Seq>,
    /// Lines that may be missing at the beginning, because they were to be retired.
    pub retired: Seq,
    /// Lines may have been retired between two looks: roots cannot be worked out then.
    pub blind: bool,
    /// Trees of sizes that were asked for; only of lines that can never change.
    trees: BTreeMap<u64, Tree>,
}

impl Known {
    /// For whoever cannot look at every line before it is retired.
    pub fn blind() -> Known {
        Known { blind: true, ..Known::default() }
    }

    /// The log says that everything up to `head` is durable.
    pub fn ack(&mut self, head: Head) -> Told {
        hold!(head.seq >= self.acked.seq, "durable went back from {} to {head}", self.acked);
        let same = head.seq > self.acked.seq || head.leaf == self.acked.leaf;
        hold!(same, "durable line {} was {} and is {head}", head.seq, self.acked);
        self.acked = head;
        Ok(())
    }

    pub fn take(&mut self, seq: Seq, body: &[u8]) {
        self.taken.insert(seq, body.to_vec());
    }

    /// A start found `last` as the log's last line: what came after it is lost.
    pub fn found(&mut self, last: Seq) {
        self.taken.retain(|seq, _| *seq <= last);
    }

    pub fn refuse(&mut self, event: u64) {
        self.refused.insert(event);
    }

    /// A key that signs for this log.
    pub fn key(&mut self, key: &VerifyingKey) {
        if !self.keys.contains(key) {
            self.keys.push(key.clone());
        }
    }

    /// Somebody outside has seen this note.
    pub fn publish(&mut self, note: &str) -> Told<SignedCheckpoint> {
        let signed = SignedCheckpoint::parse(note.as_bytes())
            .map_err(|e| format!("a published checkpoint is none ({e}): {note:?}"))?;
        if self.published.iter().any(|p| p.signed.checkpoint == signed.checkpoint) {
            return Ok(signed);
        }
        let (origin, size) = (&signed.checkpoint.origin, signed.checkpoint.size);
        for p in self.published.iter().filter(|p| !p.fenced) {
            let other = &p.signed.checkpoint;
            hold!(
                other.origin != *origin || other.size != size,
                "two checkpoints of size {size} have two roots"
            );
        }
        self.published.push(Published { signed: signed.clone(), fenced: false, checked: false });
        Ok(signed)
    }

    /// The newest checkpoint that anybody has of the log as it goes on now.
    pub fn newest(&self) -> Option<&SignedCheckpoint> {
        let current = self.published.iter().filter(|p| !p.fenced);
        current.map(|p| &p.signed).max_by_key(|s| s.checkpoint.size)
    }

    /// What a disk shows to whoever looks at it at this moment: its checkpoint, and its epochs.
    pub fn look(&mut self, disk: &SimDisk, data: &Path) -> Told {
        if let Some(note) = disk.bytes(&Layout::new(data).log().join("checkpoint"))
            && let Ok(text) = std::str::from_utf8(&note)
            && SignedCheckpoint::parse(&note).is_ok()
        {
            self.publish(text)?;
        }
        for line in self.files.lines(disk, &Layout::new(data)) {
            self.epochs.extend(epoch_of(&line.bytes));
        }
        Ok(())
    }

    /// Compares the log on a disk that was just opened, or is open and idle, with all that is known.
    pub fn check(&mut self, disk: &SimDisk, data: &Path) -> Told<Vec<Arc<Line>>> {
        let lines = self.files.lines(disk, &Layout::new(data));
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else {
            return Err("the log has no line".to_owned());
        };
        hold!(first.seq <= self.retired + 1, "the log begins at line {}", first.seq);
        hold!(
            last.seq >= self.acked.seq,
            "line {} was acknowledged; the log ends at line {}",
            self.acked.seq,
            last.seq
        );
        let before = usize::try_from(first.seq - 1).unwrap_or(usize::MAX);
        let unseen = before > self.leaves.len();
        hold!(!unseen || self.blind, "lines were retired that nobody has seen");
        if unseen {
            let tail = Tail::of(&first.bytes).ok_or("a line without an end")?;
            self.leaves.resize(before - 1, Digest::ZERO);
            self.leaves.push(tail.prev);
            self.links.clear();
            self.looked.clear();
        }
        let acked = usize::try_from(self.acked.seq).unwrap_or(usize::MAX);
        for line in &lines {
            let at = usize::try_from(line.seq - 1).unwrap_or(usize::MAX);
            let tail = Tail::of(&line.bytes).ok_or("a line without an end")?;
            let prev = at.checked_sub(1).and_then(|i| self.leaves.get(i)).copied();
            hold!(
                tail.prev == prev.unwrap_or(Digest::ZERO),
                "line {} does not continue line {at}",
                line.seq
            );
            match self.leaves.get(at) {
                Some(known) if at < acked => {
                    hold!(*known == line.leaf, "acknowledged line {} is another", line.seq);
                }
                _ => {
                    self.leaves.truncate(at);
                    self.leaves.push(line.leaf);
                }
            }
        }
        self.leaves.truncate(usize::try_from(last.seq).unwrap_or(usize::MAX));
        let leaf = acked.checked_sub(1).map(|i| self.leaves[i]);
        hold!(
            self.acked.seq < first.seq || leaf.is_none_or(|leaf| leaf == self.acked.leaf),
            "line {} was acknowledged as {} and is another",
            self.acked.seq,
            self.acked.leaf
        );
        self.check_events(&lines)?;
        for line in &lines {
            let at = usize::try_from(line.seq - 1).unwrap_or(usize::MAX);
            if self.looked.get(at) != Some(&line.leaf) {
                self.forget_from(line.seq);
                self.look_into(line)?;
                self.looked.resize(at, Digest::ZERO);
                self.looked.push(line.leaf);
            }
        }
        self.check_published(last.seq)?;
        Ok(lines)
    }

    fn check_events(&mut self, lines: &[Arc<Line>]) -> Told {
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return Ok(()) };
        for (seq, body) in self.taken.range(first.seq..=last.seq) {
            let line = &lines[usize::try_from(seq - first.seq).unwrap_or(0)];
            hold!(line.bytes.starts_with(body), "line {seq} is not the event that was taken in");
        }
        Ok(())
    }

    /// Lines from `seq` on are others now.
    fn forget_from(&mut self, seq: Seq) {
        drop(self.links.split_off(&seq));
        drop(self.news.split_off(&seq));
        drop(self.begun.split_off(&seq));
        self.looked.truncate(usize::try_from(seq - 1).unwrap_or(usize::MAX));
    }

    /// What one line says, after all that was said before it.
    fn look_into(&mut self, line: &Line) -> Told {
        if let Some(event) = event_of(&line.bytes) {
            hold!(
                !self.refused.contains(&event),
                "event {event} was said not to be in the log, and is line {}",
                line.seq
            );
        }
        if is_news(&line.bytes) {
            self.news.insert(line.seq);
        }
        if let Some(epoch) = epoch_of(&line.bytes) {
            let before = self.begun.values().next_back().copied().unwrap_or(0);
            hold!(epoch > before, "epoch {epoch} comes after epoch {before}");
            self.begun.insert(line.seq, epoch);
        }
        let Some((id, height, prev)) = element_of(&line.bytes)? else { return Ok(()) };
        let newest = self.links.iter().rev().find(|(_, (other, _))| *other == id);
        let (before, below) = newest.map_or((0, 0), |(seq, (_, height))| (*seq, *height));
        let at = usize::try_from(before).unwrap_or(usize::MAX).checked_sub(1);
        let leaf = at.and_then(|at| self.leaves.get(at)).copied().unwrap_or(Digest::ZERO);
        let unseen = self.blind && before == 0;
        hold!(
            unseen || (height == below + 1 && prev == leaf),
            "line {} of {id} says height {height}; line {before} of it had height {below}",
            line.seq
        );
        self.links.insert(line.seq, (id, height));
        Ok(())
    }

    fn check_published(&mut self, size: u64) -> Told {
        for at in 0..self.published.len() {
            let Published { signed, fenced, checked } = &self.published[at];
            if *fenced || *checked {
                continue;
            }
            let checkpoint = signed.checkpoint.clone();
            hold!(
                self.keys.iter().any(|key| signed.signed_by(key)),
                "the checkpoint of size {} is signed by no key of this log",
                checkpoint.size
            );
            hold!(
                checkpoint.size <= size,
                "a checkpoint of size {} was published; the log ends at line {size}",
                checkpoint.size
            );
            let root = self.root(checkpoint.size);
            hold!(
                root == checkpoint.root,
                "the checkpoint of size {} has another root",
                checkpoint.size
            );
            // What was published is acknowledged by that: it may never go again.
            if checkpoint.size > self.acked.seq && !self.blind {
                let at = usize::try_from(checkpoint.size - 1).unwrap_or(usize::MAX);
                self.acked = Head { seq: checkpoint.size, leaf: self.leaves[at] };
            }
            self.published[at].checked = true;
        }
        Ok(())
    }

    /// The root over the first `size` lines.
    pub fn root(&mut self, size: u64) -> Digest {
        let from = self.trees.range(..=size).next_back();
        let mut tree = from.map_or_else(Tree::new, |(_, tree)| tree.clone());
        let begin = usize::try_from(tree.size()).unwrap_or(usize::MAX);
        let end = usize::try_from(size).unwrap_or(usize::MAX).min(self.leaves.len());
        for leaf in self.leaves.get(begin..end).unwrap_or_default() {
            tree.push(*leaf);
        }
        let root = tree.root();
        if size <= self.acked.seq {
            self.trees.insert(size, tree);
        }
        root
    }

    /// The log was put back on purpose to its first `size` lines.
    pub fn put_back(&mut self, size: u64) {
        let keep = usize::try_from(size).unwrap_or(usize::MAX);
        self.leaves.truncate(keep);
        self.trees.retain(|n, _| *n <= size);
        self.taken.retain(|seq, _| *seq <= size);
        self.acked = match self.leaves.last() {
            Some(leaf) => Head { seq: size, leaf: *leaf },
            None => Head::default(),
        };
        for p in self.published.iter_mut().filter(|p| p.signed.checkpoint.size > size) {
            p.fenced = true;
        }
        self.forget_from(size + 1);
    }
}

/// Files that were read before, with their lines: they are read again only where they differ.
#[derive(Debug, Clone, Default)]
pub struct Files(HashMap<PathBuf, (Vec<u8>, Vec<Arc<Line>>)>);

impl Files {
    /// Every whole line of a log, oldest first, read from the disk's own bytes.
    pub fn lines(&mut self, disk: &SimDisk, layout: &Layout) -> Vec<Arc<Line>> {
        let mut files = disk.tree(&layout.segments());
        files.extend(disk.bytes(&layout.active()).map(|bytes| (layout.active(), bytes)));
        let mut all = Vec::new();
        for (path, bytes) in files {
            let (old, lines) = self.0.entry(path).or_default();
            if !bytes.starts_with(old) {
                lines.clear();
                old.clear();
            }
            let mut whole = old.len();
            for line in bytes[whole..].split_inclusive(|b| *b == b'\n') {
                if !line.ends_with(b"\n") {
                    break;
                }
                whole += line.len();
                if let Some(tail) = Tail::of(line) {
                    let leaf = leaf(line);
                    lines.push(Arc::new(Line { seq: tail.seq, bytes: line.to_vec(), leaf }));
                }
            }
            old.extend_from_slice(&bytes[old.len()..whole]);
            all.extend_from_slice(lines);
        }
        all
    }
}

/// Every whole line of a log, oldest first.
pub fn read_lines(disk: &SimDisk, layout: &Layout) -> Vec<Arc<Line>> {
    Files::default().lines(disk, layout)
}

/// What follows `key` in a line.
fn after<'a>(line: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let at = line.windows(key.len()).position(|w| w == key.as_bytes())?;
    line.get(at + key.len()..)
}

fn number(bytes: &[u8]) -> Option<u64> {
    let digits = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    std::str::from_utf8(&bytes[..digits]).ok()?.parse().ok()
}

pub fn kind_of(line: &[u8]) -> &[u8] {
    let text = after(line, "\"event_type\":\"").unwrap_or_default();
    text.split(|b| *b == b'"').next().unwrap_or_default()
}

fn is_news(line: &[u8]) -> bool {
    let own: [&[u8]; 7] =
        [b"epoch", b"key", b"segment", b"block", b"retired", b"element", b"shape"];
    !own.contains(&kind_of(line))
}

fn event_of(line: &[u8]) -> Option<u64> {
    after(line, "\"event\":").and_then(number)
}

fn epoch_of(line: &[u8]) -> Option<u64> {
    if kind_of(line) != b"epoch" {
        return None;
    }
    after(line, "\"epoch\":{").and_then(|note| after(note, "\"epoch\":")).and_then(number)
}

/// The element that a line is about, its height there, and the leaf that it continues.
fn element_of(line: &[u8]) -> Told<Option<(String, u64, Digest)>> {
    if kind_of(line) == b"element" {
        return Ok(None);
    }
    let Some(at) = after(line, ",\"element\":{\"id\":\"") else { return Ok(None) };
    let read = || {
        let id = at.split(|b| *b == b'"').next()?;
        let height = number(after(at, "\"height\":")?)?;
        let prev = Digest::from_hex(after(at, "\"prev\":\"")?.get(..64)?)?;
        Some((String::from_utf8_lossy(id).into_owned(), height, prev))
    };
    read().map(Some).ok_or_else(|| "an element's line without height and prev".to_owned())
}

/// The names in a folder, none where it is not there.
pub fn names(disk: &SimDisk, dir: &Path) -> Vec<String> {
    disk.list(dir).unwrap_or_default()
}
