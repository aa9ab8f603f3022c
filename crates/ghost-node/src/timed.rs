//! A disk that counts how long its syncs take.

use std::io;
use std::path::Path;
use std::sync::Arc;

use ghost_world::{Clock, Disk, File, Locked};

use crate::latency::Latencies;

/// Another disk, watched.
#[derive(Debug)]
pub(crate) struct Timed<D> {
    disk: D,
    syncs: Arc<Latencies>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
struct TimedFile {
    file: Box<dyn File>,
    syncs: Arc<Latencies>,
    clock: Arc<dyn Clock>,
}

impl<D> Timed<D> {
    pub(crate) fn new(disk: D, syncs: Arc<Latencies>, clock: Arc<dyn Clock>) -> Timed<D> {
        Timed { disk, syncs, clock }
    }

    fn watched(&self, file: Box<dyn File>) -> Box<dyn File> {
        Box::new(TimedFile { file, syncs: Arc::clone(&self.syncs), clock: Arc::clone(&self.clock) })
    }
}

impl<D: Disk> Disk for Timed<D> {
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.disk.create(path).map(|file| self.watched(file))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.disk.open(path).map(|file| self.watched(file))
    }
    fn open_read(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.disk.open_read(path)
    }
    fn create_dirs(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dirs(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.disk.list(dir)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }
    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_tree(path)
    }
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.hard_link(from, to)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.sync_dir(dir)
    }
    fn link(&self, target: &Path, at: &Path) -> io::Result<()> {
        self.disk.link(target, at)
    }
    fn lock(&self, path: &Path, holder: &str) -> io::Result<Locked> {
        self.disk.lock(path, holder)
    }
}

impl File for TimedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.file.write_at(bytes, offset)
    }
    fn sync(&self) -> io::Result<()> {
        let begun = self.clock.monotonic_ns();
        let synced = self.file.sync();
        self.syncs.took(self.clock.monotonic_ns().saturating_sub(begun));
        synced
    }
    fn truncate(&self, len: u64) -> io::Result<()> {
        self.file.truncate(len)
    }
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
}

#[cfg(test)]
mod tests {
    use ghost_world::{RealClock, RealDisk};

    use super::*;

    #[test]
    fn each_sync_of_a_file_is_counted_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let syncs = Arc::new(Latencies::default());
        let disk = Timed::new(RealDisk, Arc::clone(&syncs), Arc::new(RealClock));
        let file = disk.create(&dir.path().join("a")).unwrap();
        file.write_at(b"x", 0).unwrap();
        disk.sync_dir(dir.path()).unwrap();
        assert_eq!(syncs.told().count, 0);
        file.sync().unwrap();
        disk.open(&dir.path().join("a")).unwrap().sync().unwrap();
        assert_eq!(syncs.told().count, 2);
    }
}
