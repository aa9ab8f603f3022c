//! What is asked of a disk: files by place, names by folder, and the moment when either is durable.
//!
//! Promised of every implementation: what was written is durable only after `sync` returned `Ok`
//! on that file, and a created, renamed or removed name only after `sync_dir` on its folder. After
//! a failed `sync` nothing is known of what was written since the last good one.

use std::any::Any;
use std::fmt::Debug;
use std::io;
use std::path::Path;

/// A tree of files.
pub trait Disk: Debug + Send + Sync {
    /// Makes a new file for reading and writing; fails where the name is taken.
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>>;
    /// Makes a new file that its owner alone may read. An implementation that knows no owners makes
    /// any file.
    fn create_secret(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.create(path)
    }
    /// Makes a folder that its owner alone may enter, and those above it as any; no error where it
    /// is there.
    fn create_secret_dirs(&self, path: &Path) -> io::Result<()> {
        self.create_dirs(path)
    }
    /// Opens a file that exists, for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>>;
    /// Opens a file that exists, for reading.
    fn open_read(&self, path: &Path) -> io::Result<Box<dyn File>>;
    /// Makes a folder and those above it; no error where it is there.
    fn create_dirs(&self, path: &Path) -> io::Result<()>;
    /// Names in a folder, sorted; names that are not UTF-8 are none of ours.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes a folder and all in it; no error where there is none. A crash may leave a part.
    fn remove_tree(&self, path: &Path) -> io::Result<()>;
    /// Gives a file a second name; fails where that is taken.
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Makes `at` a symbolic link to `target`; no error where a link is there.
    fn link(&self, target: &Path, at: &Path) -> io::Result<()>;
    /// Takes the one lock that `path` stands for, and writes `holder` into it.
    fn lock(&self, path: &Path, holder: &str) -> io::Result<Locked>;
}

/// One open file.
#[allow(clippy::len_without_is_empty, reason = "a file is asked for its length, never for less")]
pub trait File: Debug + Send + Sync {
    /// Reads at `offset`; fewer bytes than asked only at the end or when interrupted.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes at `offset`; may write fewer bytes than asked.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    fn sync(&self) -> io::Result<()>;
    fn truncate(&self, len: u64) -> io::Result<()>;
    fn len(&self) -> io::Result<u64>;

    /// Fills `buffer` from `offset` as far as the file goes; returns how far.
    fn read_full_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match self.read_at(&mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }
}

/// A lock, held until it is dropped.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "its drop is its use")] Box<dyn Held>);

impl Lock {
    pub(crate) fn new(held: impl Held) -> Lock {
        Lock(Box::new(held))
    }
}

pub(crate) trait Held: Any + Debug + Send + Sync {}
impl<T: Any + Debug + Send + Sync> Held for T {}

/// The answer to a wish for a lock.
#[derive(Debug)]
pub enum Locked {
    Mine(Lock),
    /// Somebody else has it; what they wrote into it.
    Theirs(String),
}
