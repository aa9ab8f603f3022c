//! The keys that sign a log's checkpoints: one file a key, readable by their owner alone.
//!
//! A key is durable before a line names it. None is ever removed: an old key still tells whose old
//! checkpoints are. Which key is in use the log itself says (its newest `key`, `segment` or `epoch`
//! note); `current` repeats it for whoever reads the folder. Not promised: that nobody with the
//! writer's rights copies a key.

use std::io;
use std::path::Path;
use std::sync::Arc;

use ghost_world::Disk;

use crate::error::LogError;
use crate::layout::Layout;
use crate::limits::SMALL_BYTES_MAX;
use crate::proof::key::{KeyId, SigningKey};
use crate::put::{self, Readers, Until};

/// What a start found of the key that signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyFound {
    /// The log's own.
    Known(KeyId),
    /// The log had none: this is its first.
    Made(KeyId),
    /// The log's key is not here any more. The new one was authorised by nobody, and whoever trusted
    /// the old one must be told of it by other means.
    Replaced { lost: KeyId, new: KeyId },
    /// None, for that reason: nothing is signed until there is one.
    None { cause: String },
}

/// The folder of keys.
#[derive(Debug)]
pub(crate) struct Keys {
    disk: Arc<dyn Disk>,
    layout: Layout,
}

impl Keys {
    pub(crate) fn new(disk: Arc<dyn Disk>, layout: Layout) -> Keys {
        Keys { disk, layout }
    }

    /// A key of this log that lies there whole.
    pub(crate) fn load(&self, id: KeyId, log_id: &str) -> Option<SigningKey> {
        let bytes = put::read(&*self.disk, &self.layout.key(id), SMALL_BYTES_MAX).ok()??;
        let key = SigningKey::parse(std::str::from_utf8(&bytes).ok()?).ok()?;
        (key.id() == id && is_origin_of(&key.verifying_key().name, log_id)).then_some(key)
    }

    /// The key that `current` names.
    pub(crate) fn current(&self) -> Option<KeyId> {
        let bytes = put::read(&*self.disk, &self.layout.current_key(), SMALL_BYTES_MAX).ok()??;
        KeyId::parse(std::str::from_utf8(&bytes).ok()?.trim_end())
    }

    /// The only key of this log that lies there: one whose line was lost with its log's end.
    pub(crate) fn only(&self, log_id: &str) -> Option<KeyId> {
        let names = self.disk.list(&self.layout.keys()).ok()?;
        let ids = names.iter().filter_map(|name| KeyId::parse(name.strip_suffix(".key")?));
        let mut ours = ids.filter(|id| self.load(*id, log_id).is_some());
        ours.next().filter(|_| ours.next().is_none())
    }

    /// Makes a key durable. One that is there already is left as it is.
    pub(crate) fn keep(&self, key: &SigningKey) -> Result<(), LogError> {
        let folder = self.layout.keys();
        let make = || -> io::Result<()> {
            self.disk.create_secret_dirs(&folder)?;
            self.disk.sync_dir(&self.layout.state())
        };
        make().map_err(LogError::io("make the folder", &folder))?;
        let path = self.layout.key(key.id());
        let text = format!("{}\n", key.secret());
        self.put(&path, text.as_bytes())
    }

    /// Says which key is in use.
    pub(crate) fn set_current(&self, id: KeyId) -> Result<(), LogError> {
        if self.current() == Some(id) {
            return Ok(());
        }
        self.put(&self.layout.current_key(), format!("{id}\n").as_bytes())
    }

    fn put(&self, path: &Path, bytes: &[u8]) -> Result<(), LogError> {
        put::put(&*self.disk, path, bytes, Until::Durable, Readers::Owner)
            .map_err(LogError::io("write", path))
    }
}

/// Whether an origin is of the log with that name: `<identity>/ghostbridge/<log id>`.
pub(crate) fn is_origin_of(origin: &str, log_id: &str) -> bool {
    origin.strip_suffix(log_id).is_some_and(|rest| rest.ends_with(MIDDLE))
}

const MIDDLE: &str = "/ghostbridge/";

/// An identity is cut here: with the log's id it is a key's name, and stands in every signature.
const IDENTITY_BYTES_MAX: usize = 128;

/// The origin of a log: the name of its keys.
pub(crate) fn origin(identity: &str, log_id: &str) -> String {
    let kept = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
    let identity: String = identity
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .filter(|c| kept(*c))
        .take(IDENTITY_BYTES_MAX)
        .collect();
    let identity = if identity.is_empty() { "localhost" } else { &identity };
    format!("{identity}{MIDDLE}{log_id}")
}

/// A new key of this log; an error where the seed is one that everybody knows.
pub(crate) fn make(origin: &str, seed: [u8; 32]) -> Result<SigningKey, LogError> {
    if seed == [0; 32] {
        return Err(LogError::NoSeed);
    }
    SigningKey::new(origin, seed).map_err(|e| LogError::Key { cause: e.to_string() })
}

#[cfg(test)]
mod tests {
    use ghost_world::SimDisk;

    use super::*;

    fn keys(disk: &SimDisk) -> Keys {
        let layout = Layout::new(Path::new("/d"));
        disk.create_dirs(&layout.state()).unwrap();
        Keys::new(Arc::new(disk.clone()), layout)
    }

    #[test]
    fn an_origin_has_nothing_that_a_note_may_not_have() {
        assert_eq!(
            origin("Bridge 7.Example+x/\n\u{202e}", "ab"),
            "bridge7.examplex/ghostbridge/ab"
        );
        assert_eq!(origin("—", "ab"), "localhost/ghostbridge/ab");
        bolero::check!().with_iterations(500).for_each(|bytes| {
            let origin = origin(&String::from_utf8_lossy(bytes), &"0".repeat(32));
            assert!(crate::proof::key::is_name(&origin), "{origin}");
        });
    }

    #[test]
    fn a_seed_that_everybody_knows_makes_no_key() {
        assert!(matches!(make("a/ghostbridge/ab", [0; 32]), Err(LogError::NoSeed)));
    }

    #[test]
    fn a_key_that_was_kept_outlives_a_power_cut() {
        let disk = SimDisk::new();
        let key = make("a/ghostbridge/ab", [7; 32]).unwrap();
        keys(&disk).keep(&key).unwrap();
        keys(&disk).set_current(key.id()).unwrap();
        let disk = disk.crash(5);
        assert_eq!(keys(&disk).current(), Some(key.id()));
        let loaded = keys(&disk).load(key.id(), "ab").unwrap();
        assert_eq!(loaded.secret(), key.secret());
        assert!(keys(&disk).load(key.id(), "cd").is_none(), "of another log");
    }

    #[test]
    fn bytes_that_are_no_key_are_none() {
        let disk = SimDisk::new();
        let layout = Layout::new(Path::new("/d"));
        bolero::check!().with_iterations(300).for_each(|bytes| {
            disk.put(&layout.key(KeyId(7)), bytes);
            disk.put(&layout.current_key(), bytes);
            assert!(keys(&disk).load(KeyId(7), "ab").is_none());
            let _ = keys(&disk).current();
        });
    }
}
