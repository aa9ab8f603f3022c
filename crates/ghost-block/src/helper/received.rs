//! Blocks of logs that are held for other hosts: `replicas/<log>/blocks/` in the data folder.
//!
//! **Invariant:** the folder is reached from the open data folder through names that are made here of
//! numbers, and through no symbolic link.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::message::{INCOMING, ReceivedName};
use crate::tree::{Tree, is_folder};
use crate::{BlockError, sys};

/// Turns a btrfs stream into a subvolume.
pub trait Receives {
    /// Receives one stream into the open folder, and returns when it lies there or does not: then
    /// with what was said about it. The stream names one subvolume; whoever hands it in has seen to
    /// that.
    ///
    /// # Errors
    /// Nothing could be started.
    fn receive(&self, into: BorrowedFd<'_>, stream: OwnedFd) -> io::Result<Result<(), String>>;
}

/// Receives nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReceivesNothing;

impl Receives for ReceivesNothing {
    fn receive(&self, _: BorrowedFd<'_>, _: OwnedFd) -> io::Result<Result<(), String>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

fn folder(root: &Tree, data: &Path, log: [u8; 16]) -> Result<(Tree, PathBuf), BlockError> {
    let log = u128::from_be_bytes(log);
    let inside = format!("replicas/{log:032x}/blocks");
    let path = data.join(&inside);
    let folder = root.folder(&inside).map_err(BlockError::io("open", &path))?;
    Ok((folder, path))
}

pub(super) fn receive(
    root: &Tree,
    data: &Path,
    log: [u8; 16],
    number: u64,
    stream: OwnedFd,
    receives: &dyn Receives,
) -> Result<(), BlockError> {
    let (folder, path) = folder(root, data, log)?;
    let name = format!("{INCOMING}{number}");
    let path = path.join(&name);
    if folder.stat(&name).is_ok() {
        return Err(BlockError::Taken { name });
    }
    let received = receives.receive(folder.as_fd(), stream);
    match received.map_err(BlockError::io("receive", &path))? {
        Ok(()) if folder.stat(&name).is_ok() => Ok(()),
        Ok(()) => Err(BlockError::Helper(format!("the stream made no {name}"))),
        // Its words are for people; what room there is is asked of the file system.
        Err(words) if words.contains("No space left") || words.contains("quota exceeded") => {
            Err(BlockError::NoSpace { what: "receive", path })
        }
        Err(words) => Err(BlockError::Helper(words)),
    }
}

pub(super) fn delete(
    root: &Tree,
    data: &Path,
    log: [u8; 16],
    name: ReceivedName,
) -> Result<(), BlockError> {
    let (folder, path) = folder(root, data, log)?;
    let name = name.text();
    let failed = |e| BlockError::io("delete", &path.join(&name))(e);
    let stat = match folder.stat(&name) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Err(BlockError::NoSuchBlock { name });
        }
        other => other.map_err(failed)?,
    };
    let subvolume = is_folder(&stat) && folder.folder(&name).is_ok_and(|f| f.is_subvolume());
    if !subvolume {
        return folder.remove_tree(&name).map_err(failed);
    }
    match sys::destroy(folder.as_fd(), &name) {
        // Without the capability, its owner may empty it.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            let emptied = folder
                .folder(&name)
                .and_then(|inside| sys::set_read_only(inside.as_fd(), false))
                .and_then(|()| folder.remove_tree(&name));
            emptied.map_err(failed)
        }
        other => other.map_err(failed),
    }
}
