//! The keys whose checkpoints of this log are believed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ghost_event::line::KeyNote;
use ghost_log::proof::checkpoint::SignedCheckpoint;
use ghost_log::proof::key::{Use, VerifyingKey};

use crate::wire::LogId;

/// Keys of one log, oldest first. The first is believed because it was there at the first contact,
/// or because somebody put it there; each other one was named by one before it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keys(Vec<VerifyingKey>);

/// More than this are not remembered: the oldest go.
const KEYS_MAX: usize = 64;

impl Keys {
    #[must_use]
    pub fn of(keys: Vec<VerifyingKey>) -> Keys {
        Keys(keys)
    }

    #[must_use]
    pub fn all(&self) -> &[VerifyingKey] {
        &self.0
    }

    /// Whether one of them signed it.
    #[must_use]
    pub fn signed(&self, checkpoint: &SignedCheckpoint) -> bool {
        self.0.iter().any(|key| checkpoint.signed_by(key))
    }

    /// Takes the first key of a log; where there is one already, this changes nothing.
    pub(super) fn first(&mut self, log: LogId, text: &str) {
        if self.0.is_empty()
            && let Some(key) = key_of(log, text)
        {
            self.0.push(key);
        }
    }

    /// Takes a key that the log names, where a known one authorised it, or where it is the first.
    pub(super) fn note(&mut self, log: LogId, note: &KeyNote<'_>) {
        let Some(next) = key_of(log, &note.key) else { return };
        if self.0.contains(&next) {
            return;
        }
        let authorised = self.0.iter().any(|key| {
            key.id.to_string() == note.by
                && STANDARD
                    .decode(note.signature.as_bytes())
                    .is_ok_and(|signature| key.has_named(&key.name, &next, &signature))
        });
        if authorised || self.0.is_empty() {
            if self.0.len() >= KEYS_MAX {
                self.0.remove(0);
            }
            self.0.push(next);
        }
    }
}

/// A key that signs notes in the name of that log.
fn key_of(log: LogId, text: &str) -> Option<VerifyingKey> {
    let key = VerifyingKey::parse(text).ok()?;
    (key.use_ == Use::Notes && is_origin(log, &key.name)).then_some(key)
}

/// Whether this is how the log of that name calls itself: `<identity>/ghostbridge/<log>`.
pub(super) fn is_origin(log: LogId, origin: &str) -> bool {
    let mut parts = origin.rsplitn(3, '/');
    parts.next() == Some(&log.to_string())
        && parts.next() == Some("ghostbridge")
        && parts.next().is_some_and(|identity| !identity.is_empty() && !identity.contains('/'))
}
