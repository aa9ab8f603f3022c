//! A disk in memory that forgets what was not synced.
//!
//! Every operation goes to what a running machine sees; a copy of what is durable follows at syncs.
//! [`SimDisk::crash`] gives the disk that a machine finds after a power cut: durable bytes, and of
//! what was written since, what a seed decides: a prefix torn at any byte, or sectors in any order,
//! with zeros where one is missing. [`SimDisk::kill`] gives the disk that the next process finds
//! when only the program died. [`Fault`]s make it freeze, fill up or fail on the way.
//!
//! Names are journalled: they survive in the order in which they were changed. A sync that failed
//! has forgotten what it should have saved, and a later one does not save it either, as Linux does.
//! [`SimDisk::snapshot`] is a btrfs snapshot: atomic, read-only, a commit, and its bytes are shared.
//!
//! Not simulated: reads that fail, and media that change durable bytes by themselves.

mod content;
mod names;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use content::Content;
use names::{Change as NameChange, Names, under};

use crate::{Disk, File, Lock, Locked, Random};

const SECTOR_BYTES: usize = 512;

/// What goes wrong, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The power goes at the n-th sync (files, folders and snapshots count), which does not happen.
    FreezeAtSync(u64),
    /// The power goes just after the n-th sync, which happened; nobody is told that it did.
    FreezeAfterSync(u64),
    /// The power goes at the n-th write, which does not happen.
    FreezeAtWrite(u64),
    /// The power goes at the n-th change of a name, which does not happen.
    FreezeAtName(u64),
    /// The n-th write fails once with EIO.
    FailWrite(u64),
    /// The n-th sync fails once with EIO, and what it should have saved is lost at a crash.
    FailSync(u64),
    /// All files together hold this many bytes, and not one more; no new name where there is no
    /// room at all. The newest such fault counts, so that room can be made.
    Capacity(u64),
}

/// A disk in memory.
#[derive(Debug, Clone, Default)]
pub struct SimDisk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    files: Vec<Inode>,
    names: Names,
    durable_names: Names,
    /// What happened to names since their folder was synced.
    name_changes: Vec<NameChange>,
    locks: BTreeMap<PathBuf, String>,
    faults: Vec<Fault>,
    frozen: bool,
    writes: u64,
    syncs: u64,
    changes: u64,
}

#[derive(Debug, Default, Clone)]
struct Inode {
    bytes: Content,
    durable: Content,
    changes: Vec<Change>,
    /// Something was forgotten by a sync that failed: `bytes` shows what no disk holds.
    forgot: bool,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

/// What a sync is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sync {
    Save,
    SaveAndFreeze,
    Forget,
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    inode: usize,
    writable: bool,
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

    /// Adds a fault; writes, syncs and changes are counted from the disk's beginning.
    pub fn set(&self, fault: Fault) {
        let mut state = self.state();
        if matches!(fault, Fault::Capacity(_)) {
            state.faults.retain(|f| !matches!(f, Fault::Capacity(_)));
        }
        state.faults.push(fault);
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

    /// Changes of names so far, failed ones included.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.state().changes
    }

    /// Whether the power has gone.
    #[must_use]
    pub fn frozen(&self) -> bool {
        self.state().frozen
    }

    /// The disk that is found after a power cut now.
    #[must_use]
    pub fn crash(&self, seed: u64) -> SimDisk {
        let mut random = Random::new(seed);
        let state = self.state();
        let mut names = state.durable_names.clone();
        let kept = random.index(state.name_changes.len() + 1);
        for change in state.name_changes.iter().take(kept) {
            names.apply(change);
        }
        let mut files = Vec::new();
        let mut moved = HashMap::new();
        for inode in names.files.values_mut() {
            *inode = *moved.entry(*inode).or_insert_with(|| {
                files.push(state.files[*inode].after_crash(&mut random));
                files.len() - 1
            });
        }
        SimDisk::with(State { files, durable_names: names.clone(), names, ..State::default() })
    }

    /// The disk that the next process finds when the program was killed now: nothing is lost that
    /// was written, nothing is more durable than before, and locks are free. This one freezes.
    #[must_use]
    pub fn kill(&self) -> SimDisk {
        let next = self.fork();
        self.state().frozen = true;
        next
    }

    /// A second disk that is as this one is now, without its faults and locks.
    #[must_use]
    pub fn fork(&self) -> SimDisk {
        let state = self.state();
        SimDisk::with(State {
            files: state.files.clone(),
            names: state.names.clone(),
            durable_names: state.durable_names.clone(),
            name_changes: state.name_changes.clone(),
            ..State::default()
        })
    }

    /// Makes `to` a frozen copy of the folder `from` with everything written so far, in one step.
    /// Counts as a sync: it saves what was written under `from`, and every name of the disk.
    pub fn snapshot(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.copy_tree(from, to, true)
    }

    /// The same, but the copy can be written.
    pub fn writable_snapshot(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.copy_tree(from, to, false)
    }

    fn copy_tree(&self, from: &Path, to: &Path, frozen: bool) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        if !state.names.folders.contains(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.names.free(to)?;
        state.spare()?;
        let sync = state.sync()?;
        if sync == Sync::Forget {
            return Err(eio());
        }
        state.name_changes.clear();
        let sources: Vec<(PathBuf, usize)> =
            under(&state.names.files, from).map(|(p, i)| (p.clone(), i)).collect();
        let at =
            |path: &Path| path.strip_prefix(from).map_or_else(|_| to.to_owned(), |r| to.join(r));
        let folders: Vec<PathBuf> = state.names.folders_under(from).map(|p| at(p)).collect();
        for (path, inode) in sources {
            let file = &mut state.files[inode];
            file.save();
            let copy = Inode {
                bytes: file.bytes.clone(),
                durable: file.durable.clone(),
                ..Inode::default()
            };
            state.files.push(copy);
            let inode = state.files.len() - 1;
            state.names.files.insert(at(&path), inode);
        }
        state.names.folders.extend(folders);
        state.names.folders.insert(to.to_owned());
        if frozen {
            state.names.frozen.insert(to.to_owned());
        }
        state.durable_names = state.names.clone();
        state.after(sync)
    }

    /// Whether `path` is a frozen copy.
    #[must_use]
    pub fn is_frozen_copy(&self, path: &Path) -> bool {
        self.state().names.frozen.contains(path)
    }

    /// Bytes of the files under these folders, what they share counted once.
    #[must_use]
    pub fn used(&self, folders: &[&Path]) -> u64 {
        let state = self.state();
        let mut seen = HashSet::new();
        let files = folders.iter().flat_map(|dir| under(&state.names.files, dir));
        files.map(|(_, i)| state.files[i].bytes.count(&mut seen)).sum()
    }

    /// Bytes that all files together may hold, where that is limited.
    #[must_use]
    pub fn capacity(&self) -> Option<u64> {
        self.state().capacity()
    }

    /// The bytes of a file, as a running machine sees them.
    #[must_use]
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        state.names.files.get(path).map(|i| state.files[*i].bytes.to_vec())
    }

    /// Every file under `dir` with its bytes, as a running machine sees them.
    #[must_use]
    pub fn tree(&self, dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let state = self.state();
        let files = under(&state.names.files, dir);
        files.map(|(path, i)| (path.clone(), state.files[i].bytes.to_vec())).collect()
    }

    /// Puts a file in place, durable at once; in a frozen copy as well.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.state();
        let content = Content::of(bytes);
        let inode = Inode { durable: content.clone(), bytes: content, ..Inode::default() };
        state.files.push(inode);
        let at = state.files.len() - 1;
        for names in [0, 1] {
            let names = if names == 0 { &mut state.names } else { &mut state.durable_names };
            names.files.insert(path.to_owned(), at);
            names.folders.extend(path.ancestors().skip(1).map(Path::to_owned));
        }
    }

    fn with(state: State) -> SimDisk {
        SimDisk(Arc::new(Mutex::new(state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn alive(&self) -> io::Result<()> {
        if self.frozen { Err(eio()) } else { Ok(()) }
    }

    /// Counts a sync, and says what becomes of it.
    fn sync(&mut self) -> io::Result<Sync> {
        self.alive()?;
        self.syncs += 1;
        if self.faults.contains(&Fault::FreezeAtSync(self.syncs)) {
            self.frozen = true;
            return Err(eio());
        }
        if self.faults.contains(&Fault::FailSync(self.syncs)) {
            return Ok(Sync::Forget);
        }
        let last = self.faults.contains(&Fault::FreezeAfterSync(self.syncs));
        Ok(if last { Sync::SaveAndFreeze } else { Sync::Save })
    }

    /// What the caller is told of a sync.
    fn after(&mut self, sync: Sync) -> io::Result<()> {
        self.frozen |= sync == Sync::SaveAndFreeze;
        if sync == Sync::Save { Ok(()) } else { Err(eio()) }
    }

    fn capacity(&self) -> Option<u64> {
        self.faults.iter().find_map(|f| match f {
            Fault::Capacity(bytes) => Some(*bytes),
            _ => None,
        })
    }

    fn room(&self) -> Option<u64> {
        let capacity = self.capacity()?;
        let mut seen = HashSet::new();
        let used: u64 =
            self.names.files.values().map(|i| self.files[*i].bytes.count(&mut seen)).sum();
        Some(capacity.saturating_sub(used))
    }

    /// Whether there is room for a name.
    fn spare(&self) -> io::Result<()> {
        if self.room() == Some(0) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn change(&mut self, change: NameChange) -> io::Result<()> {
        self.changes += 1;
        if self.faults.contains(&Fault::FreezeAtName(self.changes)) {
            self.frozen = true;
            return Err(eio());
        }
        self.names.apply(&change);
        self.name_changes.push(change);
        Ok(())
    }
}

impl Inode {
    /// What a good sync does.
    fn save(&mut self) {
        if self.forgot {
            for change in &self.changes {
                change.apply(&mut self.durable);
            }
        } else {
            self.durable = self.bytes.clone();
        }
        self.changes.clear();
    }

    fn after_crash(&self, random: &mut Random) -> Inode {
        let mut bytes = self.durable.clone();
        let kept = random.index(self.changes.len() + 1);
        let holes = random.below(2) == 0;
        for (i, change) in self.changes.iter().enumerate() {
            let whole = i < kept;
            match change {
                change @ Change::Truncate(_) if whole => change.apply(&mut bytes),
                Change::Truncate(_) => break,
                Change::Write(at, new) if holes => {
                    // The length may be saved before the bytes, and sectors in any order.
                    if bytes.len() < at + new.len() {
                        bytes.resize(at + new.len());
                    }
                    for (n, sector) in new.chunks(SECTOR_BYTES).enumerate() {
                        if random.below(3) != 0 {
                            bytes.write(sector, at + n * SECTOR_BYTES);
                        }
                    }
                    if !whole {
                        break;
                    }
                }
                change @ Change::Write(..) if whole => change.apply(&mut bytes),
                Change::Write(at, new) => {
                    bytes.write(&new[..random.index(new.len() + 1)], *at);
                    break;
                }
            }
        }
        Inode { durable: bytes.clone(), bytes, ..Inode::default() }
    }
}

impl Change {
    fn apply(&self, content: &mut Content) {
        match self {
            Change::Write(at, bytes) => content.write(bytes, *at),
            Change::Truncate(len) => content.resize(*len),
        }
    }
}

impl Disk for SimDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let mut state = self.state();
        state.alive()?;
        state.names.free(path)?;
        state.spare()?;
        state.files.push(Inode::default());
        let inode = state.files.len() - 1;
        state.change(NameChange::Set(path.to_owned(), inode))?;
        Ok(Box::new(SimFile { disk: self.clone(), inode, writable: true }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let state = self.state();
        state.alive()?;
        let inode = *state.names.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        state.names.writable(path)?;
        Ok(Box::new(SimFile { disk: self.clone(), inode, writable: true }))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let state = self.state();
        state.alive()?;
        let inode = *state.names.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(SimFile { disk: self.clone(), inode, writable: false }))
    }

    fn create_dirs(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        let missing: Vec<&Path> =
            path.ancestors().filter(|p| !state.names.folders.contains(*p)).collect();
        for folder in missing.into_iter().rev() {
            if state.names.files.contains_key(folder) {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            state.names.writable(folder)?;
            state.spare()?;
            state.change(NameChange::Folder(folder.to_owned()))?;
        }
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        state.alive()?;
        if !state.names.folders.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let files = under(&state.names.files, dir).map(|(p, _)| p);
        let inside =
            files.chain(state.names.folders_under(dir)).filter(|p| p.parent() == Some(dir));
        let mut names: Vec<String> = inside
            .filter_map(|p| p.file_name().and_then(|n| n.to_str()).map(str::to_owned))
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        let names = &state.names;
        let folder = names.folders.contains(from);
        if !names.files.contains_key(from) && !folder {
            return Err(io::ErrorKind::NotFound.into());
        }
        if names.folders.contains(to) || (folder && names.files.contains_key(to)) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if !to.parent().is_some_and(|p| names.folders.contains(p)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        names.writable(from)?;
        names.writable(to)?;
        if names.frozen.contains(from) && from.parent() != to.parent() {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        state.change(NameChange::Moved(from.to_owned(), to.to_owned()))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        if !state.names.files.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.names.writable(path)?;
        state.change(NameChange::Gone(path.to_owned()))
    }

    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        if !state.names.folders.contains(path) {
            return Ok(());
        }
        state.names.writable(path)?;
        if state.names.frozen.contains(path) {
            return state.change(NameChange::TreeGone(path.to_owned()));
        }
        let mut changes: Vec<NameChange> =
            under(&state.names.files, path).map(|(p, _)| NameChange::Gone(p.clone())).collect();
        let folders: Vec<PathBuf> = state.names.folders_under(path).cloned().collect();
        changes.extend(folders.into_iter().rev().map(NameChange::FolderGone));
        changes.into_iter().try_for_each(|change| state.change(change))
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        let inode = *state.names.files.get(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.free(to)?;
        state.spare()?;
        state.change(NameChange::Set(to.to_owned(), inode))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        let sync = state.sync()?;
        // A journal keeps order: what happened before the last change of this folder is saved too.
        if sync != Sync::Forget
            && let Some(last) = state.name_changes.iter().rposition(|c| c.touches(dir))
        {
            let saved: Vec<_> = state.name_changes.drain(..=last).collect();
            for change in saved {
                state.durable_names.apply(&change);
            }
        }
        state.after(sync)
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

impl SimFile {
    fn may_write(&self) -> io::Result<()> {
        if self.writable { Ok(()) } else { Err(rustix::io::Errno::BADF.into()) }
    }
}

impl File for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.state();
        state.alive()?;
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        Ok(state.files[self.inode].bytes.read(buffer, at))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.may_write()?;
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
        let growth = (at + bytes.len()).saturating_sub(state.files[self.inode].bytes.len()) as u64;
        let mut len = bytes.len();
        if growth > 0
            && let Some(room) = state.room()
            && growth > room
        {
            len = len.saturating_sub(usize::try_from(growth - room).unwrap_or(usize::MAX));
            if len == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        let file = &mut state.files[self.inode];
        file.bytes.write(&bytes[..len], at);
        file.changes.push(Change::Write(at, bytes[..len].to_vec()));
        Ok(len)
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        let sync = state.sync()?;
        let file = &mut state.files[self.inode];
        if sync == Sync::Forget {
            file.forgot = true;
            file.changes.clear();
        } else {
            file.save();
        }
        state.after(sync)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.may_write()?;
        let mut state = self.disk.state();
        state.alive()?;
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::InvalidInput)?;
        let file = &mut state.files[self.inode];
        file.bytes.resize(len);
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

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

    #[test]
    fn what_a_failed_sync_forgot_no_later_sync_saves() {
        let disk = disk();
        let file = disk.create(Path::new("/d/f")).unwrap();
        disk.sync_dir(Path::new("/d")).unwrap();
        file.write_at(b"aa", 0).unwrap();
        disk.set(Fault::FailSync(disk.syncs() + 1));
        assert!(file.sync().is_err());
        file.write_at(b"bb", 2).unwrap();
        file.sync().unwrap();
        assert_eq!(disk.bytes(Path::new("/d/f")).unwrap(), b"aabb", "the machine still sees it");
        assert_eq!(disk.crash(1).bytes(Path::new("/d/f")).unwrap(), b"\0\0bb");
        // Who writes it again can save it.
        file.write_at(b"aa", 0).unwrap();
        file.sync().unwrap();
        assert_eq!(disk.crash(1).bytes(Path::new("/d/f")).unwrap(), b"aabb");
    }

    #[test]
    fn a_snapshot_holds_what_was_written_and_saves_it() {
        let disk = disk();
        disk.create_dirs(Path::new("/d/log/deep")).unwrap();
        let file = disk.create(Path::new("/d/log/deep/f")).unwrap();
        let other = disk.create(Path::new("/d/other")).unwrap();
        file.write_at(&[1; 9000], 0).unwrap();
        other.write_at(b"x", 0).unwrap();
        let (log, copy) = (Path::new("/d/log"), Path::new("/d/copy"));
        disk.snapshot(log, copy).unwrap();
        assert_eq!(disk.used(&[log, copy]), 9000, "the bytes are shared");
        file.write_at(&[2; 10], 9000).unwrap();
        for seed in 0..8 {
            let found = disk.crash(seed);
            for at in ["/d/log/deep/f", "/d/copy/deep/f"] {
                assert!(found.bytes(Path::new(at)).unwrap().starts_with(&[1; 9000]), "{at}");
            }
            assert_eq!(found.bytes(Path::new("/d/copy/deep/f")).unwrap().len(), 9000);
            assert!(found.bytes(Path::new("/d/other")).is_some(), "its name is saved");
        }
        assert_eq!(
            disk.open(Path::new("/d/copy/deep/f")).unwrap_err().kind(),
            io::ErrorKind::ReadOnlyFilesystem
        );
        assert!(disk.remove(Path::new("/d/copy/deep/f")).is_err());
        assert!(disk.rename(copy, Path::new("/d/log/copy")).is_err(), "not into another folder");
        disk.rename(copy, Path::new("/d/named")).unwrap();
        assert_eq!(disk.list(Path::new("/d/named")).unwrap(), ["deep"]);
        disk.remove_tree(Path::new("/d/named")).unwrap();
        assert_eq!(disk.list(Path::new("/d")).unwrap(), ["log", "other"]);
    }

    #[test]
    fn a_snapshot_is_there_whole_or_not_at_all() {
        for fault in [Fault::FreezeAtSync(1), Fault::FreezeAfterSync(1)] {
            for seed in 0..8 {
                let disk = disk();
                let file = disk.create(Path::new("/d/f")).unwrap();
                file.write_at(b"bytes", 0).unwrap();
                disk.set(fault);
                disk.create_dirs(Path::new("/blocks")).unwrap();
                let copy = Path::new("/blocks/1");
                assert!(disk.snapshot(Path::new("/d"), copy).is_err(), "nobody is told");
                let found = disk.crash(seed);
                let happened = fault == Fault::FreezeAfterSync(1);
                assert_eq!(found.bytes(&copy.join("f")), happened.then(|| b"bytes".to_vec()));
            }
        }
    }

    #[test]
    fn a_tree_that_was_being_removed_may_be_found_in_part() {
        let mut left = BTreeSet::new();
        for seed in 0..64 {
            let disk = disk();
            disk.create_dirs(Path::new("/d/a/b")).unwrap();
            for name in ["/d/a/1", "/d/a/b/2"] {
                disk.create(Path::new(name)).unwrap();
            }
            disk.snapshot(Path::new("/d"), Path::new("/copy")).unwrap();
            disk.remove_tree(Path::new("/d/a")).unwrap();
            disk.remove_tree(Path::new("/d/a")).unwrap();
            assert!(disk.list(Path::new("/d")).unwrap().is_empty());
            left.insert(disk.crash(seed).tree(Path::new("/d")).len());
        }
        assert_eq!(left.into_iter().collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn two_names_of_a_file_are_one_file() {
        let disk = disk();
        let file = disk.create(Path::new("/d/f")).unwrap();
        disk.hard_link(Path::new("/d/f"), Path::new("/d/g")).unwrap();
        assert!(disk.hard_link(Path::new("/d/f"), Path::new("/d/g")).is_err());
        file.write_at(b"x", 0).unwrap();
        disk.remove(Path::new("/d/f")).unwrap();
        assert_eq!(disk.bytes(Path::new("/d/g")).unwrap(), b"x");
        file.sync().unwrap();
        disk.sync_dir(Path::new("/d")).unwrap();
        assert_eq!(disk.crash(3).bytes(Path::new("/d/g")).unwrap(), b"x");
    }

    #[test]
    fn a_killed_program_loses_nothing_that_it_wrote() {
        let disk = disk();
        let Locked::Mine(_lock) = disk.lock(Path::new("/d/lock"), "1").unwrap() else { panic!() };
        let file = disk.create(Path::new("/d/f")).unwrap();
        file.write_at(b"written", 0).unwrap();
        let next = disk.kill();
        assert!(file.write_at(b"x", 0).is_err(), "it writes no more");
        assert_eq!(next.bytes(Path::new("/d/f")).unwrap(), b"written");
        assert!(matches!(next.lock(Path::new("/d/lock"), "2").unwrap(), Locked::Mine(_)));
        let lost = (0..32).filter(|s| next.crash(*s).bytes(Path::new("/d/f")).is_none()).count();
        assert!(lost > 0, "it is no more durable than before");
    }

    #[test]
    fn room_can_be_made() {
        let disk = disk();
        let file = disk.create(Path::new("/d/f")).unwrap();
        disk.set(Fault::Capacity(4));
        assert_eq!(file.write_at(&[1; 8], 0).unwrap(), 4);
        assert!(disk.create(Path::new("/d/g")).is_err(), "not even a name");
        disk.set(Fault::Capacity(8));
        assert_eq!(file.write_at(&[1; 8], 4).unwrap(), 4);
        file.truncate(0).unwrap();
        disk.create(Path::new("/d/g")).unwrap();
    }
}
