//! What outlives the helper: links and maps of one wire in a folder of bpffs.
//!
//! `/sys/fs/bpf/ghostbridge/net-<namespace>/<kind>-<version>-<a>-<b>/`: interface indexes mean
//! something within one network namespace only. A folder is locked while a helper uses it.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock, statfs};

use super::super::{TapError, sys};

pub(in super::super) const BPFFS: &str = "/sys/fs/bpf";
const BPFFS_MAGIC: u64 = 0xcafe_4a11;
const OURS: &str = "ghostbridge";
/// Of what the maps hold; another version's are not adopted.
const VERSION: u32 = 1;

pub(in super::super) fn is_mounted() -> bool {
    statfs(BPFFS).is_ok_and(|fs| fs.f_type as u64 & 0xffff_ffff == BPFFS_MAGIC)
}

/// Where all pins of all namespaces are.
pub(in super::super) fn home() -> PathBuf {
    Path::new(BPFFS).join(OURS)
}

/// The folder of this thread's network namespace.
pub(in super::super) fn of_this_namespace() -> io::Result<PathBuf> {
    let namespace = fs::metadata("/proc/thread-self/ns/net")?.ino();
    Ok(home().join(format!("net-{namespace}")))
}

/// One wire's folder, locked.
#[derive(Debug)]
pub(super) struct Pins {
    path: PathBuf,
    _lock: File,
}

impl Pins {
    /// The wire's folder, made if there is none. `kind` is a word of ours.
    pub(super) fn open(kind: &str, a: u32, b: u32) -> Result<Self, TapError> {
        if !is_mounted() {
            return Err(TapError::NoBpffs);
        }
        let failed = |error| TapError::of("keep a wire in /sys/fs/bpf", error);
        let namespace = of_this_namespace().map_err(failed)?;
        let path = namespace.join(format!("{kind}-{VERSION}-{}-{}", a.min(b), a.max(b)));
        let lock = make_folder(&path).map_err(failed)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(TapError::Busy),
            Err(error) => Err(failed(error.into())),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<OwnedFd> {
        sys::from_pin(&self.path.join(name)).ok()
    }

    pub(super) fn put(&self, name: &str, object: BorrowedFd<'_>) -> Result<(), TapError> {
        sys::pin(object, &self.path.join(name))
            .map_err(|error| TapError::of(format!("pin {name}"), error))
    }

    /// The link at this name, where it is attached to this interface still.
    pub(super) fn live_link(&self, name: &str, ifindex: u32) -> Option<OwnedFd> {
        let link = self.get(name)?;
        (sys::link_info(link.as_fd()).ok()?.ifindex == ifindex).then_some(link)
    }

    /// Numbers kept as the name of a folder, since bpffs holds nothing else.
    pub(super) fn note(&self, word: &str, numbers: [u32; 3]) -> Result<(), TapError> {
        let [a, b, c] = numbers;
        fs::create_dir(self.path.join(format!("{word}-{a}-{b}-{c}")))
            .map_err(|error| TapError::of("note a ring's size", error))
    }

    pub(super) fn noted(&self, word: &str) -> Option<[u32; 3]> {
        fs::read_dir(&self.path).ok()?.filter_map(Result::ok).find_map(|entry| {
            let name = entry.file_name();
            let mut numbers = name.to_str()?.strip_prefix(word)?.strip_prefix('-')?.split('-');
            let mut next = || numbers.next()?.parse().ok();
            Some([next()?, next()?, next()?])
        })
    }

    /// Takes everything out of it; links in it are detached.
    pub(super) fn clear(&self) -> Result<(), TapError> {
        clear_folder(&self.path).map_err(|error| TapError::of("clear a wire's pins", error))
    }

    /// Removes the folder itself, which must be empty.
    pub(super) fn leave(&self) {
        drop(fs::remove_dir(&self.path));
        remove_empty();
    }

    pub(super) fn remove(self) -> Result<(), TapError> {
        self.clear()?;
        self.leave();
        Ok(())
    }
}

/// Others may remove a folder above, empty until then, while it is made.
fn make_folder(path: &Path) -> io::Result<File> {
    let mut tries = 0;
    loop {
        match fs::create_dir_all(path).and_then(|()| File::open(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && tries < 16 => tries += 1,
            made => return made,
        }
    }
}

fn clear_folder(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            clear_folder(&path)?;
            fs::remove_dir(&path)?;
        } else {
            unpin(&path)?;
        }
    }
    Ok(())
}

/// Removes one pin; a link is detached first, since others may hold it too.
pub(in super::super) fn unpin(path: &Path) -> io::Result<()> {
    let is_link = path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with("link"));
    if is_link && let Ok(link) = sys::from_pin(path) {
        // A link of an interface that is gone cannot be detached, and need not be.
        drop(sys::link_detach(link.as_fd()));
    }
    fs::remove_file(path)
}

/// Removes folders above the wires' that hold nothing any more.
pub(in super::super) fn remove_empty() {
    if let Ok(namespaces) = fs::read_dir(home()) {
        for namespace in namespaces.filter_map(Result::ok) {
            // Refused where something is in it.
            drop(fs::remove_dir(namespace.path()));
        }
    }
    drop(fs::remove_dir(home()));
}
