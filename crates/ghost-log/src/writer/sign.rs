//! Checkpoints: exactly the durable lines are signed, and never before they are durable.
//!
//! Two ways: [`Log::checkpoint`] leaves the signed note durable as well;
//! [`Log::checkpoint_before_freeze`] leaves that to whoever freezes the whole folder next, as a
//! snapshot of a btrfs subvolume does: one flush instead of three. A power cut between the two
//! leaves an older checkpoint, or a torn one that the next start signs anew. Nothing is lost by
//! either, since the lines are durable.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ghost_event::Digest;
use ghost_event::line::{KeyNote, Note};

use super::Log;
use crate::error::LogError;
use crate::keys;
use crate::proof::checkpoint::Checkpoint;
use crate::proof::key::{KeyId, VerifyingKey};
use crate::put::{self, Readers, Until};

/// A checkpoint that was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Lines of the log that it covers: all of them are durable.
    pub size: u64,
    pub root: Digest,
    /// As `log/checkpoint` holds it.
    pub note: String,
    pub key: KeyId,
}

impl Log {
    /// Makes all lines durable, then signs exactly these; `log/checkpoint` is durable as well.
    pub fn checkpoint(&mut self) -> Result<Signed, LogError> {
        self.sign(Until::Durable)
    }

    /// The same, but `log/checkpoint` is only written: whoever asks makes it durable by what he does
    /// next, as freezing a btrfs subvolume does.
    pub fn checkpoint_before_freeze(&mut self) -> Result<Signed, LogError> {
        self.sign(Until::Written)
    }

    fn sign(&mut self, until: Until) -> Result<Signed, LogError> {
        self.usable()?;
        if self.key.is_err() {
            self.make_key()?;
        }
        self.sync()?;
        let key = match &self.key {
            Ok(key) => key,
            Err(cause) => return Err(LogError::NoKey { cause: cause.clone() }),
        };
        self.chain.settle(&mut self.tree);
        let (size, id) = (self.durable.seq, key.id());
        let tree = self.tree.as_mut().filter(|tree| tree.size() == size).ok_or(LogError::NoTree)?;
        if let Some((signed, durable)) = &self.signed
            && (signed.size, signed.key) == (size, id)
            && (*durable || until == Until::Written)
        {
            return Ok(signed.clone());
        }
        if let Err(e) = tree.keep(&*self.disk, &self.layout, self.durable.seq) {
            return Err(self.beside(e));
        }
        let root = tree.root();
        let checkpoint =
            Checkpoint { origin: self.origin.clone(), size, root, extensions: Vec::new() };
        let note = checkpoint.sign(key).map_err(|e| LogError::Key { cause: e.to_string() })?;
        let path = self.layout.checkpoint();
        let put = put::put(&*self.disk, &path, note.as_bytes(), until, Readers::Group);
        if let Err(e) = put.map_err(LogError::io("write", &path)) {
            return Err(self.beside(e));
        }
        let signed = Signed { size, root, note, key: id };
        self.signed = Some((signed.clone(), until == Until::Durable));
        Ok(signed)
    }

    /// What went wrong beside the lines: a full disk is waited for, after anything else nobody knows
    /// what the disk holds.
    pub(super) fn beside(&mut self, error: LogError) -> LogError {
        match error {
            LogError::Io { what, path, source } => {
                let cause = format!("cannot {what} {}: {source}", path.display());
                self.refused = Some(cause.clone());
                LogError::Refused { cause }
            }
            other => other,
        }
    }

    /// Puts full tiles on the disk as far as there is room. Their lines must be durable.
    pub(super) fn keep_tiles_where_room(&mut self) -> Result<(), LogError> {
        self.chain.settle(&mut self.tree);
        let Some(tree) = &mut self.tree else { return Ok(()) };
        match tree.keep(&*self.disk, &self.layout, self.durable.seq) {
            Ok(()) | Err(LogError::NoSpace { .. }) => Ok(()),
            Err(e) => Err(self.beside(e)),
        }
    }

    /// A start that found no room for a key left it to be made.
    fn make_key(&mut self) -> Result<(), LogError> {
        let made = keys::make(&self.origin, self.config.key_seed)
            .and_then(|key| self.keys.keep(&key).map(|()| key));
        let key = match made {
            Ok(key) => key,
            Err(LogError::NoSeed) => {
                let cause = self.key.as_ref().err().cloned().unwrap_or_default();
                return Err(LogError::NoKey { cause });
            }
            Err(e) => return Err(self.beside(e)),
        };
        self.append_note(&Note::Key(KeyNote {
            key: key.verifying_key().to_string().into(),
            ..KeyNote::default()
        }))?;
        self.use_key(key)
    }

    fn use_key(&mut self, key: crate::proof::key::SigningKey) -> Result<(), LogError> {
        let id = key.id();
        self.told_key = Some(id);
        self.key = Ok(key);
        self.config.key_seed = [0; 32];
        // The log says it as well.
        match self.sync().and_then(|()| self.keys.set_current(id)) {
            Ok(()) | Err(LogError::NoSpace { .. }) => Ok(()),
            Err(e) => Err(self.beside(e)),
        }
    }

    /// Makes a new key of 32 bytes that nobody can guess, and lets the old one name it in the log. It
    /// signs from the next checkpoint on.
    pub fn rotate_key(&mut self, seed: [u8; 32]) -> Result<VerifyingKey, LogError> {
        self.usable()?;
        let old = match &self.key {
            Ok(key) => key.clone(),
            Err(cause) => return Err(LogError::NoKey { cause: cause.clone() }),
        };
        let new = keys::make(&self.origin, seed)?;
        if new.id() == old.id() {
            return Err(LogError::NoSeed);
        }
        if let Err(e) = self.keys.keep(&new) {
            return Err(self.beside(e));
        }
        let verifying = new.verifying_key().clone();
        let signature = STANDARD.encode(old.name_next(&self.origin, &verifying));
        self.append_note(&Note::Key(KeyNote {
            key: verifying.to_string().into(),
            by: old.id().to_string().into(),
            signature: signature.into(),
        }))?;
        self.use_key(new)?;
        Ok(verifying)
    }

    /// Lines so far: the size of the head's tree.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.chain.head.seq
    }

    /// The root over all lines so far; `None` where the log's beginning is gone and nothing stands
    /// for it, as after somebody deleted segments by hand.
    #[must_use]
    pub fn root(&self) -> Option<Digest> {
        let tree = self.tree.as_ref()?;
        if tree.size() == self.chain.head.seq {
            return Some(tree.root());
        }
        Some(tree.root_with(self.chain.head.leaf))
    }

    /// The key that signs; `None` where none could be made yet.
    #[must_use]
    pub fn verifying_key(&self) -> Option<&VerifyingKey> {
        self.key.as_ref().ok().map(|key| key.verifying_key())
    }

    /// Full tiles of the tree that wait for room on the disk.
    #[must_use]
    pub fn tiles_waiting(&self) -> u64 {
        self.tree.as_ref().map_or(0, |tree| tree.waiting() as u64 + tree.let_go)
    }

    /// What checkpoints begin with: the log's name to the world.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The newest checkpoint of this session.
    #[must_use]
    pub fn signed(&self) -> Option<&Signed> {
        self.signed.as_ref().map(|(signed, _)| signed)
    }
}
