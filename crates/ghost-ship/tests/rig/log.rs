//! A log in memory: lines, leaves, tree and key, by the very code that the real one uses.

use std::borrow::Cow;
use std::convert::Infallible;

use ghost_event::line::{EpochNote, KeyNote, Note, close, note_body};
use ghost_event::{Digest, Priority, Timestamp};
use ghost_log::proof::checkpoint::Checkpoint;
use ghost_log::proof::key::SigningKey;
use ghost_log::proof::{self, Nodes, Tree, leaf};
use ghost_ship::wire::{Growth, LogId, Place};

/// Every level of the tree.
#[derive(Debug, Clone, Default)]
struct Levels(Vec<Vec<Digest>>);

impl Nodes for Levels {
    type Error = Infallible;

    fn node(&mut self, level: u32, index: u64) -> Result<Digest, Infallible> {
        Ok(self.0[level as usize][usize::try_from(index).unwrap()])
    }
}

#[derive(Debug, Clone)]
pub(crate) struct MemLog {
    pub(crate) id: LogId,
    pub(crate) epoch: u64,
    pub(crate) lines: Vec<Vec<u8>>,
    pub(crate) leaves: Vec<Digest>,
    pub(crate) key: SigningKey,
    tree: Tree,
    levels: Levels,
}

impl MemLog {
    /// A log that has begun: its first epoch and its key.
    pub(crate) fn new(seed: u8) -> MemLog {
        let id = LogId([seed; 16]);
        let key = SigningKey::new(&format!("host/ghostbridge/{id}"), [seed; 32]).unwrap();
        let mut log = MemLog {
            id,
            epoch: 0,
            lines: Vec::new(),
            leaves: Vec::new(),
            key,
            tree: Tree::new(),
            levels: Levels::default(),
        };
        log.begin_epoch(1);
        let key = log.key.verifying_key().to_string();
        log.note(&Note::Key(KeyNote { key: key.into(), ..KeyNote::default() }));
        log
    }

    pub(crate) fn size(&self) -> u64 {
        self.lines.len() as u64
    }

    pub(crate) fn leaf_at(&self, seq: u64) -> Option<Digest> {
        let at = usize::try_from(seq.checked_sub(1)?).ok()?;
        self.leaves.get(at).copied()
    }

    pub(crate) fn place(&self, size: u64) -> Place {
        Place { size, leaf: self.leaf_at(size).unwrap_or_default() }
    }

    /// Adds a body's line; its number.
    fn push(&mut self, mut body: Vec<u8>) -> u64 {
        let prev = self.leaves.last().copied().unwrap_or_default();
        let seq = self.size() + 1;
        close(&mut body, seq, &prev);
        let leaf = leaf(&body);
        let level = |levels: &mut Levels, at: u32| {
            while levels.0.len() <= at as usize {
                levels.0.push(Vec::new());
            }
        };
        level(&mut self.levels, 0);
        self.levels.0[0].push(leaf);
        let levels = &mut self.levels;
        self.tree.push_with(leaf, |at, index, node| {
            level(levels, at);
            assert_eq!(levels.0[at as usize].len() as u64, index);
            levels.0[at as usize].push(*node);
        });
        self.lines.push(body);
        self.leaves.push(leaf);
        seq
    }

    fn note(&mut self, note: &Note<'_>) -> u64 {
        let mut body = Vec::new();
        note_body(&mut body, Timestamp(1_700_000_000_000_000_000), note);
        self.push(body)
    }

    /// A start of the writer.
    pub(crate) fn begin_epoch(&mut self, epoch: u64) -> u64 {
        self.epoch = epoch;
        let log: Cow<'static, str> = self.id.to_string().into();
        let (parent_seq, parent_leaf) = (self.size(), self.place(self.size()).leaf);
        self.note(&Note::Epoch(EpochNote {
            log,
            epoch,
            parent_seq,
            parent_leaf,
            ..EpochNote::default()
        }))
    }

    /// An event; `what` makes it unlike any other.
    pub(crate) fn event(&mut self, prio: Priority, what: u64, bytes: usize) -> u64 {
        let body = format!(
            "{{\"timestamp\":\"2026-11-20T12:00:00.000000+0000\",\"event_type\":\"flow\",\"what\":{what},\"fill\":\"{}\",\"ghost\":{{\"v\":1,\"prio\":\"{}\"",
            "0123456789abcdef".repeat(bytes / 16),
            prio.name()
        );
        self.push(body.into_bytes())
    }

    /// Another key follows, authorised or not.
    pub(crate) fn new_key(&mut self, seed: u8, authorised: bool) {
        use base64::Engine as _;
        let name = self.key.verifying_key().name.clone();
        let next = SigningKey::new(&name, [seed; 32]).unwrap();
        let signature = self.key.name_next(&name, next.verifying_key());
        let (by, signature) = if authorised {
            let text = base64::engine::general_purpose::STANDARD.encode(signature);
            (self.key.id().to_string(), text)
        } else {
            (String::new(), String::new())
        };
        let key = next.verifying_key().to_string().into();
        self.note(&Note::Key(KeyNote { key, by: by.into(), signature: signature.into() }));
        self.key = next;
    }

    /// Power is lost: only so many lines are left.
    pub(crate) fn cut(&mut self, size: u64) {
        let kept = usize::try_from(size).unwrap();
        let lines: Vec<_> = self.lines.drain(..).take(kept).collect();
        let (id, epoch, key) = (self.id, self.epoch, self.key.clone());
        *self = MemLog {
            id,
            epoch,
            key,
            lines: Vec::new(),
            leaves: Vec::new(),
            tree: Tree::new(),
            levels: Levels::default(),
        };
        for line in lines {
            let leaf = leaf(&line);
            let levels = &mut self.levels;
            let level = |levels: &mut Levels, at: u32| {
                while levels.0.len() <= at as usize {
                    levels.0.push(Vec::new());
                }
            };
            level(levels, 0);
            levels.0[0].push(leaf);
            self.tree.push_with(leaf, |at, _, node| {
                level(levels, at);
                levels.0[at as usize].push(*node);
            });
            self.lines.push(line);
            self.leaves.push(leaf);
        }
    }

    pub(crate) fn root_at(&mut self, size: u64) -> Digest {
        let Ok(root) = proof::root(&mut self.levels, size);
        root
    }

    pub(crate) fn frontier_at(&mut self, size: u64) -> Tree {
        let Ok(tree) = proof::frontier(&mut self.levels, size);
        tree
    }

    pub(crate) fn growth(&mut self, a: u64, b: u64) -> Growth {
        let (old, new) = (a.min(b), a.max(b));
        let Ok(path) = proof::consistency(&mut self.levels, old, new);
        Growth { old, new, path }
    }

    /// The signed checkpoint over so many lines.
    pub(crate) fn checkpoint(&mut self, size: u64) -> String {
        let root = self.root_at(size);
        let origin = self.key.verifying_key().name.clone();
        Checkpoint { origin, size, root, extensions: Vec::new() }.sign(&self.key).unwrap()
    }

    /// Lines after `after` up to `upto`, raw.
    pub(crate) fn raw(&self, after: u64, upto: u64) -> Vec<u8> {
        self.lines[usize::try_from(after).unwrap()..usize::try_from(upto).unwrap()].concat()
    }
}
