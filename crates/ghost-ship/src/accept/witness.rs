//! A replica as a witness: it cosigns a checkpoint that continues the one it cosigned before.

use ghost_event::Digest;
use ghost_log::proof::checkpoint::SignedCheckpoint;
use ghost_log::proof::key::SigningKey;
use ghost_log::proof::{ProofError, check_consistency};

use super::keys::is_origin;
use super::{Accepted, Keys};
use crate::wire::{Code, Growth, Kind, Refusal};

/// What was cosigned last: the only thing that a witness must never forget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnessed {
    pub size: u64,
    pub root: Digest,
    /// The note, as it came.
    pub note: String,
}

/// A checkpoint that may be cosigned once it is remembered.
#[derive(Debug, Clone)]
pub struct WitnessStep {
    witnessed: Witnessed,
    checkpoint: SignedCheckpoint,
}

impl WitnessStep {
    /// To be made durable before anything is cosigned.
    #[must_use]
    pub fn witnessed(&self) -> &Witnessed {
        &self.witnessed
    }

    /// The signature line for the other side. `time_s` is since 1970.
    #[must_use]
    pub fn cosign(&self, key: &SigningKey, time_s: u64) -> String {
        self.checkpoint.checkpoint.cosign(key, time_s)
    }
}

impl Accepted {
    /// Whether this checkpoint may be cosigned. The newest that was cosigned may be again; an older
    /// one of this history is refused for the time being ([`Code::Later`]): a newer one was.
    pub fn witness(&self, note: &str, growth: &Growth) -> Result<WitnessStep, Refusal> {
        self.may_witness(note, growth).map_err(|refusal| refusal.about(Kind::Checkpoint))
    }

    fn may_witness(&self, note: &str, growth: &Growth) -> Result<WitnessStep, Refusal> {
        let checkpoint = self.signed(note, &self.keys)?;
        let (size, root) = (checkpoint.checkpoint.size, checkpoint.checkpoint.root);
        let known = self.milestones().into_iter().find(|(s, _)| *s == size);
        if let Some(before) = &self.witnessed {
            if size < before.size {
                let same = known.is_some_and(|(_, known)| known == root)
                    || self.grown(growth, size, root, note).is_ok();
                let code = if same { Code::Later } else { Code::Shrunk };
                let words = format!("{} lines were cosigned, and this is of {size}", before.size);
                return Err(self.refuse(code, words, note));
            }
            self.grown(growth, size, root, note)?;
        }
        let held = &self.held.tree;
        let other = known.is_some_and(|(_, known)| known != root)
            || (held.size() == size && held.root() != root);
        if other {
            let words = format!("the {size} lines that are held here have another root");
            return Err(self.refuse(Code::Fork, words, note));
        }
        Ok(WitnessStep { witnessed: Witnessed { size, root, note: note.to_owned() }, checkpoint })
    }

    /// It is durable: from now on nothing smaller is cosigned.
    pub fn keep_witnessed(&mut self, step: &WitnessStep) {
        self.remember(step.witnessed.clone());
    }

    pub(super) fn remember(&mut self, witnessed: Witnessed) {
        if self.witnessed.as_ref().is_none_or(|before| before.size <= witnessed.size) {
            self.witnessed = Some(witnessed);
        }
    }

    /// A checkpoint of this log that one of the keys signed.
    pub(super) fn signed(&self, note: &str, keys: &Keys) -> Result<SignedCheckpoint, Refusal> {
        let parsed = SignedCheckpoint::parse(note.as_bytes());
        let checkpoint = parsed.map_err(|e| Refusal::new(Code::Malformed, e.to_string()))?;
        if !self.held.log.is_some_and(|log| is_origin(log, &checkpoint.checkpoint.origin)) {
            let words = "the checkpoint is of another log";
            return Err(self.refuse(Code::OtherLog, words, note));
        }
        if !keys.signed(&checkpoint) {
            let words = "no known key signed the checkpoint: a lost key needs a person's word";
            return Err(self.refuse(Code::Unsigned, words, note));
        }
        Ok(checkpoint)
    }

    /// Whether the proof leads from what was cosigned to this root, or from this root to that.
    pub(super) fn grown(
        &self,
        growth: &Growth,
        size: u64,
        root: Digest,
        note: &str,
    ) -> Result<(), Refusal> {
        let Some(before) = &self.witnessed else { return Ok(()) };
        let ((old, old_root), (new, new_root)) = if before.size <= size {
            ((before.size, before.root), (size, root))
        } else {
            ((size, root), (before.size, before.root))
        };
        if old == new {
            let words = format!("two checkpoints of {size} lines differ");
            let same = old_root == new_root;
            return if same { Ok(()) } else { Err(self.refuse(Code::Fork, words, note)) };
        }
        if (growth.old, growth.new) != (old, new) {
            let words = format!("a proof from {old} to {new} lines is needed");
            return Err(self.refuse(Code::Proof, words, note));
        }
        check_consistency(old, &old_root, new, &new_root, &growth.path).map_err(|e| {
            let code = match e {
                ProofError::OtherRoot { .. } => Code::Fork,
                _ => Code::Proof,
            };
            self.refuse(code, format!("{new} lines do not continue {old}: {e}"), note)
        })
    }
}
