//! What is asked of the place where log and blocks lie.
//!
//! Promised of every implementation: when [`Volume::freeze`] answered `Ok`, the block is whole,
//! read-only and durable under its name; when it did not, or the power went, there is either no
//! such name, or the whole block, or something that [`Volume::names`] calls unfinished.

use std::fmt::Debug;
use std::os::fd::BorrowedFd;
use std::path::Path;

use crate::btrfs::Btrfs;
use crate::folder::Folder;
use crate::{BlockError, BlockName};

/// The log's folder in the data folder, and that of the blocks.
pub(crate) const LOG: &str = "log";
pub(crate) const BLOCKS: &str = "blocks";
/// Folders below the log's whose files never change once they are there.
pub(crate) const SETTLED: [&str; 3] = ["segments", "tile", "checkpoints"];
/// How the names of blocks begin that are being made or deleted.
pub(crate) const COMING: &str = "coming-";
pub(crate) const LEAVING: &str = "leaving-";

/// How the names of files end that are being written anew.
pub(crate) const NEW: &str = ".new";

/// Whether a name is one that only a making or deletion that was cut off leaves behind.
pub(crate) fn is_leftover(name: &str) -> bool {
    [COMING, LEAVING]
        .iter()
        .any(|mark| name.strip_prefix(mark).and_then(BlockName::parse).is_some())
}

/// The volume at `data`: btrfs where the log's folder is a subvolume, else a plain folder.
#[must_use]
pub fn open_volume(data: &Path) -> Box<dyn Volume> {
    match Btrfs::open(data) {
        Ok(Some(btrfs)) => Box::new(btrfs),
        // What is wrong with the folder is told by the first thing that is asked of it.
        Ok(None) | Err(_) => Box::new(Folder::new(data)),
    }
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

    /// Whether a freeze copies the active segment, so that a short one is quicker.
    fn copies(&self) -> bool {
        false
    }

    /// Deletes what [`names`](Self::names) told; the room may come later.
    fn delete(&mut self, name: &str) -> Result<(), BlockError>;

    /// Deletions that the file system has not worked off yet, where it tells.
    fn deleting(&mut self) -> Result<u32, BlockError> {
        Ok(0)
    }

    /// Asks the file system to work off deletions soon, and does not wait for it.
    fn hurry(&mut self) -> Result<(), BlockError> {
        Ok(())
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
                "no compression: the log takes several times the room",
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
