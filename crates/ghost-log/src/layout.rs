//! Where everything lies under the data folder.

use std::path::{Path, PathBuf};

use ghost_event::Seq;

use crate::proof::key::KeyId;
use crate::proof::tile::TileAt;

/// The folders of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    data: PathBuf,
    log: PathBuf,
}

/// Digits of a segment's name.
const DIGITS: usize = 20;

impl Layout {
    #[must_use]
    pub fn new(data: &Path) -> Layout {
        Layout { data: data.to_owned(), log: data.join("log") }
    }

    /// The log that lies in `log` itself, as in a block; what is state has no place there.
    #[must_use]
    pub fn of_block(log: &Path) -> Layout {
        Layout { data: log.to_owned(), log: log.to_owned() }
    }

    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.log.clone()
    }

    /// The segment that is written.
    #[must_use]
    pub fn active(&self) -> PathBuf {
        self.log.join("events.jsonl")
    }

    /// Where the next active segment is made ready.
    #[must_use]
    pub(crate) fn next_active(&self) -> PathBuf {
        self.log.join("events.jsonl.new")
    }

    #[must_use]
    pub fn segments(&self) -> PathBuf {
        self.log.join("segments")
    }

    /// The sealed segment that begins with line `first`.
    #[must_use]
    pub fn segment(&self, first: Seq) -> PathBuf {
        self.segments().join(format!("{first:0DIGITS$}.jsonl"))
    }

    /// The log's newest checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> PathBuf {
        self.log.join("checkpoint")
    }

    /// Where the tree's tiles lie.
    #[must_use]
    pub fn tiles(&self) -> PathBuf {
        self.log.join("tile")
    }

    /// A full tile of the tree.
    #[must_use]
    pub fn tile(&self, at: TileAt) -> PathBuf {
        self.log.join(at.path())
    }

    /// What of the tree is needed of lines that are gone, and stands in no full tile.
    #[must_use]
    pub fn edge(&self) -> PathBuf {
        self.log.join("tile/edge")
    }

    /// The keys that sign; only their owner may enter.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.data.join("state/keys")
    }

    /// One key.
    #[must_use]
    pub fn key(&self, id: KeyId) -> PathBuf {
        self.keys().join(format!("{id}.key"))
    }

    /// Names the key in use.
    #[must_use]
    pub fn current_key(&self) -> PathBuf {
        self.keys().join("current")
    }

    /// The highest epoch that was ever begun here.
    #[must_use]
    pub fn epoch(&self) -> PathBuf {
        self.data.join("state/epoch")
    }

    /// The heads of all elements, as of the newest sealed segment.
    #[must_use]
    pub fn elements(&self) -> PathBuf {
        self.data.join("state/elements")
    }

    /// What is known of the log but is not the log: never shipped, may be deleted.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.data.join("state")
    }

    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.data.join("state/lock")
    }

    #[must_use]
    pub fn head(&self) -> PathBuf {
        self.data.join("state/head")
    }

    #[must_use]
    pub fn imports(&self) -> PathBuf {
        self.data.join("state/imports.jsonl")
    }

    /// The name under which people look for the log.
    #[must_use]
    pub fn link(&self) -> PathBuf {
        self.data.join("events.jsonl")
    }

    /// Where the bytes of a torn tail are kept.
    #[must_use]
    pub fn torn(&self, seq: Seq, attempt: u32) -> PathBuf {
        let log = self.log();
        if attempt == 0 {
            log.join(format!("torn-{seq}.bin"))
        } else {
            log.join(format!("torn-{seq}-{attempt}.bin"))
        }
    }
}

/// The first line of the segment of that name.
pub(crate) fn first_of(name: &str) -> Option<Seq> {
    let digits = name.strip_suffix(".jsonl")?;
    (digits.len() == DIGITS && digits.bytes().all(|c| c.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_named_by_its_first_line() {
        let path = Layout::new(Path::new("/d")).segment(12);
        assert_eq!(path, Path::new("/d/log/segments/00000000000000000012.jsonl"));
        assert_eq!(first_of("00000000000000000012.jsonl"), Some(12));
        for other in ["12.jsonl", "00000000000000000012.json", "+0000000000000000012.jsonl", ""] {
            assert_eq!(first_of(other), None, "{other}");
        }
    }
}
