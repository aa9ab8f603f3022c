//! A disk in memory that forgets what was not synced.
//!
//! Every operation goes to what a running machine sees; a copy of what is durable follows at syncs.
//! [`SimDisk::crash`] gives the disk that a machine finds after a power cut: durable bytes, and of
//! what was written since, what a seed decides: a prefix torn at any byte, or sectors in any order,
//! with zeros where one is missing. [`Fault`]s make it freeze, fill up or fail on the way.
//!
//! Not simulated: reads that fail, and media that change durable bytes by themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Disk, File, Lock, Locked};

const SECTOR_BYTES: usize = 512;

/// What goes wrong, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The power goes at the n-th sync (files and folders count), which does not happen.
    FreezeAtSync(u64),
    /// The power goes at the n-th write, which does not happen.
    FreezeAtWrite(u64),
    /// The n-th write fails once with EIO.
    FailWrite(u64),
    /// The n-th sync fails once with EIO, and what it should have saved is lost at a crash.
    FailSync(u64),
    /// All files together hold this many bytes, and not one more.
    Capacity(u64),
}

/// A disk in memory.
#[derive(Debug, Clone, Default)]
pub struct SimDisk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    files: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    folders: BTreeSet<PathBuf>,
    durable_names: BTreeMap<PathBuf, usize>,
    /// What happened to names since their folder was synced.
    name_changes: Vec<NameChange>,
    locks: BTreeMap<PathBuf, String>,
    faults: Vec<Fault>,
    frozen: bool,
    writes: u64,
    syncs: u64,
}

#[derive(Debug, Default, Clone)]
struct Inode {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    changes: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

#[derive(Debug, Clone)]
enum NameChange {
    Set(PathBuf, usize),
    Gone(PathBuf),
    Moved(PathBuf, PathBuf),
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    inode: usize,
}

#[derive(Debug)]
struct SimLock {
    disk: SimDisk,
    path: PathBuf,
}

impl SimDisk {
    #[must_use]
    pub fn new() -> SimDisk {
        SimDisk::default()
    }

    /// Adds a fault; writes and syncs are counted from the disk's beginning.
    pub fn set(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Takes all faults away; a frozen disk stays frozen.
    pub fn heal(&self) {
        self.state().faults.clear();
    }

    /// Syncs so far, failed ones included.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Writes so far, failed ones included.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.state().writes
    }

    /// Whether the power has gone.
    #[must_use]
    pub fn frozen(&self) -> bool {
        self.state().frozen
    }

    /// The disk that is found after a power cut now.
    #[must_use]
    pub fn crash(&self, seed: u64) -> SimDisk {
        let mut random = Random(seed);
        let state = self.state();
        let mut names = state.durable_names.clone();
        let kept = random.below(state.name_changes.len() as u64 + 1);
        for change in state.name_changes.iter().take(usize::try_from(kept).unwrap_or(0)) {
            change.apply(&mut names);
        }
        let files: Vec<Inode> = state.files.iter().map(|f| f.after_crash(&mut random)).collect();
        SimDisk(Arc::new(Mutex::new(State {
            files,
            durable_names: names.clone(),
            names,
            folders: state.folders.clone(),
            ..State::default()
        })))
    }

    /// The bytes of a file, as a running machine sees them.
    #[must_use]
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        state.names.get(path).map(|i| state.files[*i].bytes.clone())
    }

    /// Puts a file in place, durable at once.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.state();
        let inode = Inode { bytes: bytes.to_vec(), durable: bytes.to_vec(), changes: Vec::new() };
        state.files.push(inode);
        let at = state.files.len() - 1;
        state.names.insert(path.to_owned(), at);
        state.durable_names.insert(path.to_owned(), at);
        state.folders.extend(path.ancestors().skip(1).map(Path::to_owned));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn alive(&self) -> io::Result<()> {
        if self.frozen { Err(eio()) } else { Ok(()) }
    }

    fn one_sync(&mut self) -> io::Result<()> {
        self.alive()?;
        self.syncs += 1;
        if self.faults.contains(&Fault::FreezeAtSync(self.syncs)) {
            self.frozen = true;
        }
        if self.frozen || self.faults.contains(&Fault::FailSync(self.syncs)) {
            return Err(eio());
        }
        Ok(())
    }

    fn room(&self) -> Option<u64> {
        let capacity = self.faults.iter().find_map(|f| match f {
            Fault::Capacity(bytes) => Some(*bytes),
            _ => None,
        })?;
        let used: u64 = self.names.values().map(|i| self.files[*i].bytes.len() as u64).sum();
        Some(capacity.saturating_sub(used))
    }

    fn change(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.name_changes.push(change);
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            NameChange::Set(path, inode) => drop(names.insert(path.clone(), *inode)),
            NameChange::Gone(path) => drop(names.remove(path)),
            NameChange::Moved(from, to) => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
        }
    }

    fn touches(&self, dir: &Path) -> bool {
        match self {
            NameChange::Set(path, _) | NameChange::Gone(path) => path.parent() == Some(dir),
            NameChange::Moved(from, to) => from.parent() == Some(dir) || to.parent() == Some(dir),
        }
    }
}

impl Inode {
    fn after_crash(&self, random: &mut Random) -> Inode {
        let mut bytes = self.durable.clone();
        let kept = random.below(self.changes.len() as u64 + 1);
        let holes = random.below(2) == 0;
        for (i, change) in self.changes.iter().enumerate() {
            let whole = (i as u64) < kept;
            match change {
                Change::Truncate(len) if whole => bytes.resize(*len, 0),
                Change::Truncate(_) => break,
                Change::Write(at, new) if holes => {
                    // The length may be saved before the bytes, and sectors in any order.
                    grow(&mut bytes, at + new.len());
                    for (n, sector) in new.chunks(SECTOR_BYTES).enumerate() {
                        if random.below(3) != 0 {
                            let start = at + n * SECTOR_BYTES;
                            bytes[start..start + sector.len()].copy_from_slice(sector);
                        }
                    }
                    if !whole {
                        break;
                    }
                }
                Change::Write(at, new) => {
                    let len = if whole {
                        new.len()
                    } else {
                        usize::try_from(random.below(new.len() as u64 + 1)).unwrap_or(0)
                    };
                    grow(&mut bytes, at + len);
                    bytes[*at..at + len].copy_from_slice(&new[..len]);
                    if !whole {
                        break;
                    }
                }
            }
        }
        Inode { durable: bytes.clone(), bytes, changes: Vec::new() }
    }
}

fn grow(bytes: &mut Vec<u8>, len: usize) {
    if bytes.len() < len {
        bytes.resize(len, 0);
    }
}

impl Disk for SimDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let mut state = self.state();
        state.alive()?;
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if !path.parent().is_some_and(|p| state.folders.contains(p)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.files.push(Inode::default());
        let inode = state.files.len() - 1;
        state.change(NameChange::Set(path.to_owned(), inode));
        Ok(Box::new(SimFile { disk: self.clone(), inode }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let state = self.state();
        state.alive()?;
        let inode = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(SimFile { disk: self.clone(), inode }))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.open(path)
    }

    fn create_dirs(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        state.folders.extend(path.ancestors().map(Path::to_owned));
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        state.alive()?;
        if !state.folders.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = |p: &&PathBuf| p.parent() == Some(dir);
        let names = state.names.keys().filter(inside).chain(state.folders.iter().filter(inside));
        let mut names: Vec<String> = names
            .filter_map(|p| p.file_name().and_then(|n| n.to_str()).map(str::to_owned))
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        if !state.names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change(NameChange::Moved(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        if !state.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change(NameChange::Gone(path.to_owned()));
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.one_sync()?;
        // A journal keeps order: what happened before the last change of this folder is saved too.
        if let Some(last) = state.name_changes.iter().rposition(|c| c.touches(dir)) {
            let saved: Vec<_> = state.name_changes.drain(..=last).collect();
            for change in saved {
                change.apply(&mut state.durable_names);
            }
        }
        Ok(())
    }

    fn link(&self, _target: &Path, _at: &Path) -> io::Result<()> {
        self.state().alive()
    }

    fn lock(&self, path: &Path, holder: &str) -> io::Result<Locked> {
        let mut state = self.state();
        state.alive()?;
        if let Some(theirs) = state.locks.get(path) {
            return Ok(Locked::Theirs(theirs.clone()));
        }
        state.locks.insert(path.to_owned(), holder.to_owned());
        Ok(Locked::Mine(Lock::new(SimLock { disk: self.clone(), path: path.to_owned() })))
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.disk.state().locks.remove(&self.path);
    }
}

impl File for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.state();
        state.alive()?;
        let bytes = &state.files[self.inode].bytes;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let n = buffer.len().min(bytes.len() - start);
        buffer[..n].copy_from_slice(&bytes[start..start + n]);
        Ok(n)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        state.alive()?;
        state.writes += 1;
        if state.faults.contains(&Fault::FreezeAtWrite(state.writes)) {
            state.frozen = true;
        }
        if state.frozen || state.faults.contains(&Fault::FailWrite(state.writes)) {
            return Err(eio());
        }
        let at = usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
        let room = state.room();
        let file = &mut state.files[self.inode];
        let growth = (at + bytes.len()).saturating_sub(file.bytes.len()) as u64;
        let mut len = bytes.len();
        if let Some(room) = room
            && growth > room
        {
            len = len.saturating_sub(usize::try_from(growth - room).unwrap_or(usize::MAX));
            if len == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        grow(&mut file.bytes, at + len);
        file.bytes[at..at + len].copy_from_slice(&bytes[..len]);
        file.changes.push(Change::Write(at, bytes[..len].to_vec()));
        Ok(len)
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.one_sync()?;
        let file = &mut state.files[self.inode];
        file.changes.clear();
        file.durable.clone_from(&file.bytes);
        Ok(())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.alive()?;
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::InvalidInput)?;
        let file = &mut state.files[self.inode];
        file.bytes.resize(len, 0);
        file.changes.push(Change::Truncate(len));
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        let state = self.disk.state();
        state.alive()?;
        Ok(state.files[self.inode].bytes.len() as u64)
    }
}

fn eio() -> io::Error {
    io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error())
}

/// A small generator (splitmix64): the same story for the same seed.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }

    /// 0 to `end` - 1; 0 where `end` is 0.
    fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.next() % end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> SimDisk {
        let disk = SimDisk::new();
        disk.create_dirs(Path::new("/d")).unwrap();
        disk
    }

    #[test]
    fn only_synced_bytes_are_sure_to_survive() {
        let mut lengths = BTreeSet::new();
        for seed in 0..64 {
            let disk = disk();
            let file = disk.create(Path::new("/d/f")).unwrap();
            disk.sync_dir(Path::new("/d")).unwrap();
            file.write_at(b"durable", 0).unwrap();
            file.sync().unwrap();
            file.write_at(&[b'x'; 4000], 7).unwrap();
            let after = disk.crash(seed).bytes(Path::new("/d/f")).unwrap();
            assert!(after.starts_with(b"durable"));
            assert!(after[7..].iter().all(|b| matches!(b, b'x' | 0)));
            lengths.insert(after.len());
        }
        assert!(lengths.len() > 4, "seeds tear at different places: {lengths:?}");
    }

    #[test]
    fn a_rename_may_be_forgotten_until_its_folder_is_synced() {
        let mut seen = BTreeSet::new();
        for seed in 0..32 {
            let disk = disk();
            disk.create(Path::new("/d/a")).unwrap();
            disk.sync_dir(Path::new("/d")).unwrap();
            disk.rename(Path::new("/d/a"), Path::new("/d/b")).unwrap();
            seen.insert(disk.crash(seed).list(Path::new("/d")).unwrap());
            disk.sync_dir(Path::new("/d")).unwrap();
            assert_eq!(disk.crash(seed).list(Path::new("/d")).unwrap(), ["b"]);
        }
        assert_eq!(seen.len(), 2);
    }

    #[test]
    fn a_full_disk_takes_what_fits_and_then_nothing() {
        let disk = disk();
        let file = disk.create(Path::new("/d/f")).unwrap();
        disk.set(Fault::Capacity(10));
        assert_eq!(file.write_at(&[1; 8], 0).unwrap(), 8);
        assert_eq!(file.write_at(&[1; 8], 8).unwrap(), 2);
        let error = file.write_at(&[1; 8], 10).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(file.write_at(&[2; 8], 0).unwrap(), 8, "overwriting needs no room");
    }

    #[test]
    fn nothing_happens_after_the_power_went() {
        let disk = disk();
        let file = disk.create(Path::new("/d/f")).unwrap();
        disk.set(Fault::FreezeAtSync(1));
        file.write_at(b"x", 0).unwrap();
        assert!(file.sync().is_err());
        assert!(file.write_at(b"y", 1).is_err() && file.sync().is_err());
        assert!(disk.frozen());
    }
}
