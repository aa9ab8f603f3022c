//! The keys of a log: its own notes of them, and those that whoever asks trusts.
//!
//! A log's first key authorises itself, so it proves only that the holder of one key signed all
//! along; who that is, a key from outside tells.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ghost_event::Seq;
use ghost_event::line::KeyNote;

use super::finding::Finding;
use super::verdict::Authority;
use crate::proof::checkpoint::{SignedCheckpoint, Signing};
use crate::proof::key::{KeyId, VerifyingKey};

/// A log that rotates its key every day for ten years has fewer.
const KEYS_MAX: usize = 4096;

/// A key, and why it may sign.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) key: VerifyingKey,
    pub(super) authority: Authority,
    /// Whoever asks trusts it.
    given: bool,
    /// The key that named it.
    parent: Option<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Keys {
    known: Vec<Known>,
}

/// Who signed a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Signer {
    /// By its place among the known keys.
    Known(usize),
    /// A key signed falsely.
    Wrong(String),
    /// Nobody that is known; who it says.
    Unknown(String),
}

impl Keys {
    pub(super) fn new(given: &[VerifyingKey]) -> Keys {
        let known = |key: &VerifyingKey| Known {
            key: key.clone(),
            authority: Authority::Given,
            given: true,
            parent: None,
        };
        Keys { known: given.iter().map(known).collect() }
    }

    pub(super) fn get(&self, at: usize) -> Option<&Known> {
        self.known.get(at)
    }

    /// Takes in a `key` line; what is wrong with it.
    pub(super) fn learn(&mut self, note: &KeyNote<'_>, seq: Seq, whole: bool) -> Option<Finding> {
        let forged = || Finding::KeyForged {
            seq,
            key: note.key.clone().into_owned(),
            by: if note.by.is_empty() { "no key".into() } else { format!("key {}", note.by) },
        };
        let Ok(key) = VerifyingKey::parse(&note.key) else { return Some(forged()) };
        let is_first = whole && !self.known.iter().any(|k| k.authority != Authority::Given);
        let parent = KeyId::parse(&note.by).and_then(|by| {
            self.known.iter().position(|k| k.key.id == by && k.key.name == key.name)
        });
        let named = parent.and_then(|at| self.known.get(at)).is_some_and(|parent| {
            STANDARD
                .decode(&*note.signature)
                .is_ok_and(|signature| parent.key.has_named(&key.name, &key, &signature))
        });
        // With the log's beginning gone, its earlier keys may not be known here.
        let finding = (!note.by.is_empty() && !named && (whole || parent.is_some())).then(forged);
        let parent = parent.filter(|_| named);
        let authority = match parent.and_then(|at| self.known.get(at)) {
            Some(parent) => Authority::Successor { of: parent.key.id, seq },
            None if is_first && note.by.is_empty() => Authority::First { seq },
            None => Authority::Nobody { seq },
        };
        if let Some(known) = self.known.iter_mut().find(|k| k.key == key) {
            // Told again, or trusted already: then the log's word for it counts as well.
            known.parent = known.parent.or(parent);
        } else if self.known.len() < KEYS_MAX {
            self.known.push(Known { key, authority, given: false, parent });
        }
        finding
    }

    /// Who of the known keys signed.
    pub(super) fn signer(&self, signed: &SignedCheckpoint) -> Signer {
        let mut found = None;
        for (at, known) in self.known.iter().enumerate() {
            match signed.signing_of(&known.key) {
                Signing::Absent => {}
                Signing::Wrong => return Signer::Wrong(name(&known.key)),
                Signing::Right(()) => found = found.or(Some(at)),
            }
        }
        match found {
            Some(at) => Signer::Known(at),
            None => Signer::Unknown(signers(signed)),
        }
    }

    /// Whether a key is one of those, or was named by one of them, or by one that it named.
    pub(super) fn descends(&self, from: usize, anchors: &[usize]) -> bool {
        let mut at = Some(from);
        // No key names an earlier one, but a loop would be for ever.
        for _ in 0..=self.known.len() {
            let Some(here) = at else { return false };
            if anchors.contains(&here) {
                return true;
            }
            at = self.known.get(here).and_then(|k| k.parent);
        }
        false
    }

    /// Those that whoever asks trusts.
    pub(super) fn given(&self) -> Vec<usize> {
        (0..self.known.len()).filter(|at| self.known[*at].given).collect()
    }

    pub(super) fn names(&self, at: &[usize]) -> String {
        let names: Vec<String> =
            at.iter().filter_map(|at| self.known.get(*at)).map(|k| name(&k.key)).collect();
        names.join(" or ")
    }

    pub(super) fn has_own(&self) -> bool {
        self.known.iter().any(|k| k.authority != Authority::Given)
    }
}

/// A key, as messages tell it.
pub(super) fn name(key: &VerifyingKey) -> String {
    format!("key {} ({})", key.id, key.name)
}

/// Whom a note names as its signers.
fn signers(signed: &SignedCheckpoint) -> String {
    let names: Vec<String> = signed
        .note
        .signatures
        .iter()
        .take(4)
        .map(|s| format!("key {} ({})", s.id, s.name))
        .collect();
    names.join(", ")
}
