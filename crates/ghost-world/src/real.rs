//! The machine's own disk. Files are 0640, folders 0750, both narrowed by the umask.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::FlockOperation;

use crate::{Disk, File, Lock, Locked};

/// The disk of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

const FILE_MODE: u32 = 0o640;
const FOLDER_MODE: u32 = 0o750;
const SECRET_FILE_MODE: u32 = 0o600;
const SECRET_FOLDER_MODE: u32 = 0o700;

fn create(path: &Path, mode: u32) -> io::Result<Box<dyn File>> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(path)?;
    Ok(Box::new(file))
}

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        create(path, FILE_MODE)
    }

    fn create_secret(&self, path: &Path) -> io::Result<Box<dyn File>> {
        create(path, SECRET_FILE_MODE)
    }

    fn create_secret_dirs(&self, path: &Path) -> io::Result<()> {
        if let Some(above) = path.parent() {
            self.create_dirs(above)?;
        }
        match fs::DirBuilder::new().mode(SECRET_FOLDER_MODE).create(path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        Ok(Box::new(OpenOptions::new().read(true).write(true).open(path)?))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn File>> {
        Ok(Box::new(fs::File::open(path)?))
    }

    fn create_dirs(&self, path: &Path) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            names.extend(entry?.file_name().into_string());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        match fs::remove_dir_all(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }

    fn link(&self, target: &Path, at: &Path) -> io::Result<()> {
        match std::os::unix::fs::symlink(target, at) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    }

    fn lock(&self, path: &Path, holder: &str) -> io::Result<Locked> {
        // Never truncated on opening: the text in it is the holder's.
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(path)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                file.set_len(0)?;
                file.write_all(holder.as_bytes())?;
                Ok(Locked::Mine(Lock::new(file)))
            }
            Err(e) if e == rustix::io::Errno::WOULDBLOCK => {
                let mut text = String::new();
                file.take(1024).read_to_string(&mut text)?;
                Ok(Locked::Theirs(text))
            }
            Err(e) => Err(e.into()),
        }
    }
}

impl File for fs::File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::write_at(self, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn a_lock_is_held_by_one_and_names_its_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let Locked::Mine(first) = RealDisk.lock(&path, "pid 7").unwrap() else { panic!("free") };
        let Locked::Theirs(holder) = RealDisk.lock(&path, "pid 8").unwrap() else {
            panic!("two holders")
        };
        assert_eq!(holder, "pid 7");
        drop(first);
        assert!(matches!(RealDisk.lock(&path, "pid 8").unwrap(), Locked::Mine(_)));
    }

    #[test]
    fn others_may_not_read_what_was_made() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/b");
        RealDisk.create_dirs(&folder).unwrap();
        RealDisk.create_dirs(&folder).unwrap();
        let file = folder.join("f");
        RealDisk.create(&file).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o027, 0);
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o137, 0);
        assert!(RealDisk.create(&file).is_err());
        let folder = dir.path().join("a/secret");
        RealDisk.create_secret_dirs(&folder).unwrap();
        RealDisk.create_secret_dirs(&folder).unwrap();
        let file = folder.join("f");
        RealDisk.create_secret(&file).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o7777, 0o700);
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o600);
    }

    #[test]
    fn a_second_name_outlives_the_first_and_a_tree_goes_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (first, folder) = (dir.path().join("f"), dir.path().join("a/b"));
        RealDisk.create_dirs(&folder).unwrap();
        fs::write(&first, "x").unwrap();
        RealDisk.hard_link(&first, &folder.join("g")).unwrap();
        assert!(RealDisk.hard_link(&first, &folder.join("g")).is_err());
        RealDisk.remove(&first).unwrap();
        assert_eq!(fs::read(folder.join("g")).unwrap(), b"x");
        RealDisk.remove_tree(&dir.path().join("a")).unwrap();
        RealDisk.remove_tree(&dir.path().join("a")).unwrap();
        assert!(RealDisk.list(dir.path()).unwrap().is_empty());
    }
}
