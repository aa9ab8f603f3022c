//! Blocks as btrfs snapshots: `log` is a subvolume, `blocks/<name>` read-only snapshots of it.
//!
//! The kernel makes a snapshot whole, read-only and durable in one step, with all that was written
//! to the log until then, synced or not. The log's owner may make one without any capability;
//! deleting one, looking at compression and sending take CAP_SYS_ADMIN. Without it a block is made
//! writable, emptied and removed like a folder, and compression is not taken into account.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use rustix::fs::Stat;

use crate::account::{Account, Gauge, Part};
use crate::tree::{Tree, blocks_bytes, is_folder};
use crate::volume::{BLOCKS, LEAVING, LOG, is_leftover};
use crate::{BlockError, BlockName, SendOptions, Usage, Volume, VolumeKind, Whole, sys};

/// The volume where the log is a subvolume.
#[derive(Debug)]
pub(crate) struct Btrfs {
    data: PathBuf,
    root: Tree,
    account: Account,
    extents: Extents,
}

impl Btrfs {
    /// The volume at `data`, where its log is a subvolume.
    pub(crate) fn open(data: &Path) -> Result<Option<Btrfs>, BlockError> {
        let root = Tree::open(data).map_err(BlockError::io("open", data))?;
        if !root.folder(LOG).is_ok_and(|log| log.is_subvolume()) {
            return Ok(None);
        }
        root.make(BLOCKS).map_err(BlockError::io("make the folder", &data.join(BLOCKS)))?;
        Ok(Some(Btrfs {
            data: data.to_owned(),
            root,
            account: Account::default(),
            extents: Extents::default(),
        }))
    }

    /// The data folder.
    pub(crate) fn root(&self) -> &Tree {
        &self.root
    }

    fn blocks(&self) -> Result<Tree, BlockError> {
        self.root.make(BLOCKS).map_err(BlockError::io("open", &self.data.join(BLOCKS)))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.data.join(BLOCKS).join(name)
    }

    /// Deletes a block without the capability that it takes: slower, and it can be cut off, which
    /// its name tells from then on.
    fn empty_and_remove(&self, blocks: &Tree, name: &str) -> io::Result<()> {
        let leaving = if name.starts_with(LEAVING) {
            name.to_owned()
        } else {
            let leaving = format!("{LEAVING}{name}");
            blocks.rename(name, &leaving)?;
            leaving
        };
        let folder = blocks.folder(&leaving)?;
        if folder.is_subvolume() {
            sys::set_read_only(folder.as_fd(), false)?;
        }
        blocks.remove_tree(&leaving)
    }
}

impl Volume for Btrfs {
    fn kind(&self) -> VolumeKind {
        VolumeKind::Btrfs
    }

    fn freeze(&mut self, name: &BlockName) -> Result<(), BlockError> {
        let (log, blocks) = (self.root.folder(LOG), self.blocks()?);
        let log = log.map_err(BlockError::io("open", &self.data.join(LOG)))?;
        let text = name.to_string();
        match sys::snapshot(log.as_fd(), blocks.as_fd(), &text, true) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                Err(BlockError::Taken { name: text })
            }
            other => other.map_err(BlockError::io("snapshot the log as", &self.path(&text))),
        }
    }

    fn delete(&mut self, name: &str) -> Result<(), BlockError> {
        check_ours(name)?;
        let blocks = self.blocks()?;
        let stat = match blocks.stat(name) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(BlockError::NoSuchBlock { name: name.to_owned() });
            }
            other => other.map_err(BlockError::io("look at", &self.path(name)))?,
        };
        let is_subvolume =
            is_folder(&stat) && blocks.folder(name).is_ok_and(|folder| folder.is_subvolume());
        let done = if is_subvolume {
            match sys::destroy(blocks.as_fd(), name) {
                Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                    self.empty_and_remove(&blocks, name)
                }
                other => other,
            }
        } else {
            blocks.remove_tree(name)
        };
        done.map_err(BlockError::io("delete", &self.path(name)))?;
        self.account.deleted(name);
        Ok(())
    }

    fn deleting(&mut self) -> Result<u32, BlockError> {
        // An older kernel does not tell: then nothing is known to wait.
        let waiting = sys::deletions(self.root.as_fd()).unwrap_or(0);
        self.account.waiting(waiting);
        Ok(waiting)
    }

    /// By itself it does so once in half a minute.
    fn hurry(&mut self) -> Result<(), BlockError> {
        sys::start_sync(self.root.as_fd()).map_err(BlockError::io("sync", &self.data))
    }

    fn names(&mut self) -> Result<Vec<(String, Whole)>, BlockError> {
        let blocks = self.blocks()?;
        let failed = |e| BlockError::io("list", &self.data.join(BLOCKS))(e);
        let mut names = Vec::new();
        for (name, is_folder) in blocks.entries().map_err(failed)? {
            let whole = if !is_folder || check_ours(&name).is_err() {
                continue;
            } else if is_leftover(&name) {
                Whole::No
            } else {
                let folder = blocks.folder(&name).map_err(failed)?;
                // One from before the log became a subvolume: its last rename made it whole.
                let is_plain = !folder.is_subvolume();
                if is_plain || sys::is_read_only(folder.as_fd()).map_err(failed)? {
                    Whole::Yes
                } else {
                    Whole::No
                }
            };
            names.push((name, whole));
        }
        Ok(names)
    }

    fn usage(&mut self) -> Result<Usage, BlockError> {
        self.deleting()?;
        self.account
            .usage(&self.root, &self.extents)
            .map_err(BlockError::io("look at what is used in", &self.data))
    }

    fn send(
        &mut self,
        name: &BlockName,
        parent: Option<&BlockName>,
        out: BorrowedFd<'_>,
        options: SendOptions,
    ) -> Result<(), BlockError> {
        let blocks = self.blocks()?;
        let open = |name: &BlockName| {
            let name = name.to_string();
            blocks.folder(&name).map_err(|e| match e.kind() {
                io::ErrorKind::NotFound => BlockError::NoSuchBlock { name },
                _ => BlockError::io("open", &self.path(&name))(e),
            })
        };
        let failed = |e| BlockError::io("send", &self.path(&name.to_string()))(e);
        let parent = match parent {
            None => None,
            Some(parent) => Some(sys::info(open(parent)?.as_fd()).map_err(failed)?.id),
        };
        sys::send(open(name)?.as_fd(), parent, out, options.compressed).map_err(failed)
    }
}

/// A name that [`Volume::names`] could have told.
pub(crate) fn check_ours(name: &str) -> Result<(), BlockError> {
    if BlockName::parse(name).is_some() || is_leftover(name) {
        Ok(())
    } else {
        Err(BlockError::NotAName { name: name.chars().take(64).collect() })
    }
}

/// Where compression cannot be looked at, a block that shares a growing file with the log is taken
/// to keep so much of it: its last extent was written again, and one holds at most 128 KiB.
const GROWN_BYTES: u64 = 256 << 10;

/// Looks at files extent by extent.
#[derive(Debug, Default)]
struct Extents {
    /// The caller may not: sizes before compression are told.
    refused: Cell<bool>,
}

impl Gauge for Extents {
    fn parts(&self, folder: &Tree, _: &str, stat: &Stat) -> io::Result<Vec<Part>> {
        // A snapshot's files have the numbers of the log's.
        let whole = || vec![Part { id: stat.st_ino, bytes: blocks_bytes(stat) }];
        if self.refused.get() {
            return Ok(whole());
        }
        let found = match sys::extents(folder.as_fd(), stat.st_ino) {
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                self.refused.set(true);
                return Ok(whole());
            }
            other => other?,
        };
        let covered: u64 = found.iter().map(|extent| extent.file_bytes).sum();
        // What is not written out yet will take no more than its length.
        let waiting = u64::try_from(stat.st_size).unwrap_or(0).saturating_sub(covered);
        // An extent may stand in a file several times, in pieces.
        let extents: BTreeMap<u64, u64> =
            found.iter().filter(|e| e.at != 0).map(|e| (e.at, e.disk_bytes)).collect();
        let in_tree = found.iter().filter(|e| e.at == 0).map(|e| e.disk_bytes).sum::<u64>();
        let mut parts: Vec<Part> =
            extents.into_iter().map(|(id, bytes)| Part { id, bytes }).collect();
        parts.push(Part { id: 0, bytes: in_tree + waiting });
        Ok(parts)
    }

    fn grown_bytes(&self) -> u64 {
        if self.refused.get() { GROWN_BYTES } else { 0 }
    }

    fn exact(&self) -> bool {
        !self.refused.get()
    }
}
