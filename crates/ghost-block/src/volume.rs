//! What is asked of the place where log and blocks lie.
//!
//! Promised of every implementation: when [`Volume::freeze`] answered `Ok`, the block is whole,
//! read-only and durable under its name; when it did not, or the power went, there is either no
//! such name, or the whole block, or something that [`Volume::names`] calls unfinished.

use std::fmt::Debug;
use std::os::fd::BorrowedFd;
use std::path::Path;

use crate::folder::Folder;
use crate::{BlockError, BlockName};

/// The volume at `data`: btrfs where the log's folder is a subvolume, else a plain folder.
#[must_use]
pub fn open_volume(data: &Path) -> Box<dyn Volume> {
    Box::new(Folder::new(data))
}

/// Whether a folder lies on btrfs (the nearest that is there, where it is not).
#[must_use]
pub fn is_btrfs(folder: &Path) -> bool {
    let _ = folder;
    false
}

/// What [`make_subvolumes`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// The log's folder is a subvolume now.
    Subvolume,
    /// It was one before.
    Already,
    /// Not on btrfs: plain folders.
    Folders,
}

/// Makes the folders under `data`, which is made where it is not there; on btrfs the log's folder
/// becomes a subvolume that compresses. A log that is there already, in a plain folder, is moved
/// into it; nobody may be writing it.
pub fn make_subvolumes(data: &Path) -> Result<Made, BlockError> {
    let _ = data;
    Err(BlockError::Refused("making subvolumes is not built yet".to_owned()))
}

/// The log's folder and its blocks, at one data folder. One for a log: its user holds the log's
/// lock.
pub trait Volume: Debug + Send {
    fn kind(&self) -> VolumeKind;

    /// Keeps the log as it is now as block `name`.
    fn freeze(&mut self, name: &BlockName) -> Result<(), BlockError>;

    /// Whether a [`freeze`](Self::freeze) makes all durable that was written to the log before it,
    /// synced or not; where not, whoever freezes syncs before.
    fn freeze_syncs(&self) -> bool {
        self.kind() != VolumeKind::Folder
    }

    /// Deletes what [`names`](Self::names) told; the room may come later.
    fn delete(&mut self, name: &str) -> Result<(), BlockError>;

    /// Deletions that the file system has not worked off yet, where it tells.
    fn deleting(&mut self) -> Result<u32, BlockError> {
        Ok(0)
    }

    /// Blocks and leftovers, in no order; what else lies beside them is not told.
    fn names(&mut self) -> Result<Vec<(String, Whole)>, BlockError>;

    fn usage(&mut self) -> Result<Usage, BlockError>;

    /// Writes block `name` to `out` as a btrfs send stream, as what is new since block `parent`.
    fn send(
        &mut self,
        name: &BlockName,
        parent: Option<&BlockName>,
        out: BorrowedFd<'_>,
        options: SendOptions,
    ) -> Result<(), BlockError> {
        let _ = (name, parent, out, options);
        Err(BlockError::TakesBtrfs { what: "sending a block as a stream" })
    }
}

/// What the blocks are made by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VolumeKind {
    Btrfs,
    Folder,
    Simulated,
}

impl VolumeKind {
    /// The name that status and commands print.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            VolumeKind::Btrfs => "btrfs",
            VolumeKind::Folder => "folder",
            VolumeKind::Simulated => "simulated",
        }
    }

    /// What is lost beside btrfs, for operators; nothing where nothing is.
    #[must_use]
    pub fn losses(self) -> &'static [&'static str] {
        match self {
            VolumeKind::Btrfs | VolumeKind::Simulated => &[],
            VolumeKind::Folder => &[
                "no compression: the log takes about five times the room",
                "a block copies the active segment, unless the file system has reflinks (xfs)",
                "blocks are files that may not be written, which root passes over; a btrfs \
                 snapshot has a flag for that",
                "replicas fetch segments instead of the file system's own increments",
            ],
        }
    }
}

/// Whether an entry is a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// It is as a freeze left it.
    Yes,
    /// A temporary name, or something that can be written: no freeze that came to its end left it.
    No,
}

/// Bytes on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// What the log takes, compressed as it is.
    pub log_bytes: u64,
    /// What blocks, and blocks whose deletion is not worked off, keep beyond that.
    pub pinned_bytes: u64,
    /// What others may still write.
    pub free_bytes: u64,
    /// Of the whole file system.
    pub total_bytes: u64,
    /// False where compression could not be looked at: then it is never told too low.
    pub exact: bool,
}

/// How a stream is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendOptions {
    /// Compressed extents as they are, without unpacking them: protocol 2.
    pub compressed: bool,
}
