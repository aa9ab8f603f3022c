//! Making the data folder: on btrfs the log's folder is a subvolume that compresses.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use rustix::fs::{Mode, RenameFlags, XattrFlags};

use crate::tree::Tree;
use crate::volume::{BLOCKS, LOG};
use crate::{BlockError, copy, sys};

/// What is to become the log's folder, and then what was it.
const OTHER: &str = "log.other";

/// Whether a folder lies on btrfs; the nearest above it that is there, where it is not.
#[must_use]
pub fn is_btrfs(folder: &Path) -> bool {
    let there = folder.ancestors().find(|path| path.is_dir());
    there.and_then(|path| Tree::open(path).ok()).is_some_and(|tree| tree.is_btrfs())
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
/// into it; nobody may be writing it. Takes no capability. Where it was cut off, it may be called
/// again.
pub fn make_subvolumes(data: &Path) -> Result<Made, BlockError> {
    let make = fs::DirBuilder::new().recursive(true).mode(0o750).create(data);
    make.map_err(BlockError::io("make the folder", data))?;
    let root = Tree::open(data).map_err(BlockError::io("open", data))?;
    let log = data.join(LOG);
    let failed = |what, path: &Path| BlockError::io(what, path);
    root.make(BLOCKS).map_err(failed("make the folder", &data.join(BLOCKS)))?;
    if !root.is_btrfs() {
        root.make(LOG).map_err(failed("make the folder", &log))?;
        return Ok(Made::Folders);
    }
    let made = match root.folder(LOG) {
        Ok(folder) if folder.is_subvolume() => Made::Already,
        Ok(_) => {
            exchange(&root).map_err(failed("make the subvolume", &log))?;
            Made::Subvolume
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            new_subvolume(&root, LOG).map_err(failed("make the subvolume", &log))?;
            Made::Subvolume
        }
        Err(e) => return Err(failed("open", &log)(e)),
    };
    // What an earlier call did not come to remove.
    remove_other(&root).map_err(failed("remove", &data.join(OTHER)))?;
    root.sync().map_err(failed("sync", data))?;
    Ok(made)
}

pub(crate) fn new_subvolume(root: &Tree, name: &str) -> io::Result<()> {
    sys::create(root.as_fd(), name)?;
    let made = root.folder(name)?;
    rustix::fs::fchmod(&made, Mode::from_raw_mode(0o750))?;
    // zstd at btrfs's own level, which is 3, or at the mount's.
    Ok(rustix::fs::fsetxattr(&made, "btrfs.compression", b"zstd", XattrFlags::empty())?)
}

/// Copies the plain folder's log into a subvolume, then lets both change names in one step: at every
/// moment `log` is a whole log.
fn exchange(root: &Tree) -> io::Result<()> {
    remove_other(root)?;
    new_subvolume(root, OTHER)?;
    copy::tree(&root.folder(LOG)?, &root.folder(OTHER)?)?;
    rustix::fs::syncfs(root)?;
    rustix::fs::renameat_with(root, LOG, root, OTHER, RenameFlags::EXCHANGE)?;
    Ok(rustix::fs::syncfs(root)?)
}

fn remove_other(root: &Tree) -> io::Result<()> {
    match root.remove_tree(OTHER) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use ghost_lab::LoopFs;

    use super::*;

    #[test]
    fn folders_are_made_once_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("a/b");
        assert_eq!(is_btrfs(&data), is_btrfs(dir.path()));
        let (first, then) = if is_btrfs(&data) {
            (Made::Subvolume, Made::Already)
        } else {
            (Made::Folders, Made::Folders)
        };
        assert_eq!(make_subvolumes(&data).unwrap(), first);
        assert_eq!(make_subvolumes(&data).unwrap(), then);
        assert!(data.join("log").is_dir() && data.join("blocks").is_dir());
    }

    #[test]
    fn loop_a_log_in_a_plain_folder_becomes_a_subvolume_whole() {
        if LoopFs::skipped(&[]) {
            return;
        }
        let fs = LoopFs::btrfs(0, "").unwrap();
        let data = fs.path().join("data");
        let segments = data.join("log/segments");
        fs::create_dir_all(&segments).unwrap();
        fs::write(data.join("log/events.jsonl"), "active").unwrap();
        fs::write(segments.join("1.jsonl"), vec![7; 1 << 20]).unwrap();
        // A call that was cut off before the folders changed names left this.
        let root = Tree::open(&data).unwrap();
        new_subvolume(&root, OTHER).unwrap();
        fs::write(data.join(OTHER).join("half"), "x").unwrap();
        assert!(is_btrfs(&data.join("not/there/yet")));
        assert_eq!(make_subvolumes(&data).unwrap(), Made::Subvolume);
        assert!(root.folder(LOG).unwrap().is_subvolume());
        assert_eq!(root.list().unwrap(), ["blocks", "log"]);
        assert_eq!(root.folder(LOG).unwrap().list().unwrap(), ["events.jsonl", "segments"]);
        assert_eq!(fs::read(segments.join("1.jsonl")).unwrap(), vec![7; 1 << 20]);
        assert_eq!(make_subvolumes(&data).unwrap(), Made::Already);
    }
}
