//! The data folder, by an open descriptor: what lies in it is opened without leaving it.
//!
//! **Invariant:** no symbolic link is followed, no mount crossed and no path above reached, so whoever
//! may write the folder cannot turn a process with more rights elsewhere.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};

/// Bytes of the unit in which files tell what they take.
const UNIT: u64 = 512;

/// An open folder.
#[derive(Debug)]
pub(crate) struct Tree(OwnedFd);

/// Of a file system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) free_bytes: u64,
    pub(crate) total_bytes: u64,
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);

impl Tree {
    pub(crate) fn open(path: &Path) -> io::Result<Tree> {
        Ok(Tree(rustix::fs::open(path, FOLDER | OFlags::CLOEXEC, Mode::empty())?))
    }

    /// Opens what lies at `path` below the folder.
    pub(crate) fn at(&self, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        loop {
            match rustix::fs::openat2(&self.0, path, flags, Mode::empty(), inside) {
                // Something was renamed meanwhile.
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                other => return Ok(other?),
            }
        }
    }

    /// A folder below it.
    pub(crate) fn folder(&self, path: &str) -> io::Result<Tree> {
        self.at(path, FOLDER).map(Tree)
    }

    /// A folder in it, made where it is not there.
    pub(crate) fn make(&self, name: &str) -> io::Result<Tree> {
        match rustix::fs::mkdirat(&self.0, name, Mode::from_raw_mode(0o750)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => self.folder(name),
            Err(e) => Err(e.into()),
        }
    }

    /// What lies in it, sorted, and whether it is a folder; names that are not UTF-8 are none of
    /// ours.
    pub(crate) fn entries(&self) -> io::Result<Vec<(String, bool)>> {
        let mut entries = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if name == "." || name == ".." {
                continue;
            }
            let is_folder = match entry.file_type() {
                FileType::Unknown => is_folder(&self.stat(name)?),
                known => known == FileType::Directory,
            };
            entries.push((name.to_owned(), is_folder));
        }
        entries.sort_unstable();
        Ok(entries)
    }

    /// The names of what lies in it, sorted.
    pub(crate) fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.entries()?.into_iter().map(|(name, _)| name).collect())
    }

    /// The names in a folder below it; none where it is not there.
    pub(crate) fn list_of(&self, path: &str) -> io::Result<Vec<String>> {
        match self.folder(path) {
            Ok(folder) => folder.list(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(e),
        }
    }

    /// Of an entry of it, not of what a link points to.
    pub(crate) fn stat(&self, name: &str) -> io::Result<Stat> {
        Ok(rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    pub(crate) fn remove(&self, name: &str, is_folder: bool) -> io::Result<()> {
        let flags = if is_folder { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        Ok(rustix::fs::unlinkat(&self.0, name, flags)?)
    }

    /// Removes an entry and all in it.
    pub(crate) fn remove_tree(&self, name: &str) -> io::Result<()> {
        if !is_folder(&self.stat(name)?) {
            return self.remove(name, false);
        }
        let inner = self.folder(name)?;
        for entry in inner.list()? {
            inner.remove_tree(&entry)?;
        }
        self.remove(name, true)
    }

    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let flags = rustix::fs::RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(&self.0, from, &self.0, to, flags) {
            // Not every file system can look and rename in one.
            Err(rustix::io::Errno::INVAL) => {
                if self.stat(to).is_ok() {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
                Ok(rustix::fs::renameat(&self.0, from, &self.0, to)?)
            }
            other => Ok(other?),
        }
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }

    pub(crate) fn room(&self) -> io::Result<Room> {
        let found = rustix::fs::fstatvfs(&self.0)?;
        Ok(Room {
            free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
            total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
        })
    }

    pub(crate) fn is_btrfs(&self) -> bool {
        const MAGIC: u64 = 0x9123_683e;
        rustix::fs::fstatfs(&self.0).is_ok_and(|fs| fs.f_type as u64 & 0xffff_ffff == MAGIC)
    }

    /// Whether it is a subvolume's own folder.
    pub(crate) fn is_subvolume(&self) -> bool {
        const ROOT_INODE: u64 = 256;
        self.is_btrfs() && rustix::fs::fstat(&self.0).is_ok_and(|stat| stat.st_ino == ROOT_INODE)
    }
}

impl AsFd for Tree {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

pub(crate) fn is_folder(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

/// What a file takes, without looking at compression.
pub(crate) fn blocks_bytes(stat: &Stat) -> u64 {
    u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(UNIT)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn nothing_outside_of_the_folder_is_reached() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        fs::create_dir_all(data.join("in")).unwrap();
        fs::write(dir.path().join("secret"), "x").unwrap();
        std::os::unix::fs::symlink(dir.path(), data.join("out")).unwrap();
        let tree = Tree::open(&data).unwrap();
        assert!(tree.folder("in").is_ok());
        for path in ["out", "..", "../data", "out/data", "/", "in/../..", "out/secret"] {
            assert!(tree.at(path, OFlags::RDONLY).is_err(), "{path}");
        }
    }

    #[test]
    fn a_tree_is_removed_without_following_links() {
        let dir = tempfile::tempdir().unwrap();
        let tree = Tree::open(dir.path()).unwrap();
        fs::create_dir_all(dir.path().join("gone/a/b")).unwrap();
        fs::write(dir.path().join("kept"), "x").unwrap();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("gone/a/link")).unwrap();
        tree.remove_tree("gone").unwrap();
        assert_eq!(tree.list().unwrap(), ["kept"]);
    }

    #[test]
    fn a_rename_takes_no_name_that_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let tree = Tree::open(dir.path()).unwrap();
        for name in ["a", "b"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        assert_eq!(tree.rename("a", "b").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        tree.rename("a", "c").unwrap();
        assert_eq!(tree.list().unwrap(), ["b", "c"]);
    }
}
