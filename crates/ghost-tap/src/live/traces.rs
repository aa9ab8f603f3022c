//! What is ours on this machine, found and removed.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, mount};

use super::helper::{PROGRAMS, pins};
use super::{Direction, TapError, sys};

/// One thing of ours that was found on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trace {
    /// A program of ours at an interface of this network namespace.
    Link { id: u32, ifindex: u32, direction: Direction, program: String },
    /// A file or folder in bpffs that holds links or maps of ours.
    Pin { path: PathBuf },
}

/// Everything of ours in this network namespace: programs at its interfaces, and pins (those of
/// namespaces that are gone, too). To learn programs' names takes CAP_SYS_ADMIN (root).
pub fn traces() -> Result<Vec<Trace>, TapError> {
    let mut found = Vec::new();
    let failed = |error| TapError::of("look for programs of ours (as root)", error);
    for ifindex in sys::interfaces().map_err(failed)? {
        for direction in [Direction::Ingress, Direction::Egress] {
            let chain = match sys::chain(ifindex, direction) {
                // It went while we looked.
                Err(error) if error.raw_os_error() == Some(libc::ENODEV) => continue,
                chain => chain.map_err(failed)?,
            };
            for (program, id) in chain {
                let name = match sys::program_name(program) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    name => name.map_err(failed)?,
                };
                if PROGRAMS.contains(&name.as_str()) {
                    found.push(Trace::Link { id, ifindex, direction, program: name });
                }
            }
        }
    }
    for folder in folders().map_err(|error| TapError::of("look for pins of ours", error))? {
        walk(&folder, &mut |path| found.push(Trace::Pin { path: path.to_owned() }))
            .map_err(|error| TapError::of("look for pins of ours", error))?;
    }
    Ok(found)
}

/// Removes everything that [`traces`] finds, goes on where one thing fails, and tells what was
/// removed. Run by root, it needs no helper.
pub fn detach_all() -> Result<Vec<Trace>, TapError> {
    let (mut removed, mut first_error) = (Vec::new(), None);
    for trace in traces()? {
        let done = match &trace {
            Trace::Link { id, .. } => match sys::link_by_id(*id) {
                Ok(link) => sys::link_detach(link.as_fd()),
                Err(error) => Err(error),
            },
            Trace::Pin { path } if path.is_dir() => fs::remove_dir(path),
            Trace::Pin { path } => pins::unpin(path),
        };
        match done {
            Ok(()) => removed.push(trace),
            // Its holder let go of it in the meantime.
            Err(error) if error.kind() == io::ErrorKind::NotFound => removed.push(trace),
            Err(error) => {
                let what = format!("remove {trace:?}");
                first_error.get_or_insert(TapError::of(what, error));
            }
        }
    }
    pins::remove_empty();
    first_error.map_or(Ok(removed), Err)
}

/// Sees to it that bpffs is mounted at `/sys/fs/bpf`, as systemd does at boot; the helper calls it
/// before it drops CAP_SYS_ADMIN. Only ghost-fast and inline's fail-open need it.
pub fn ensure_bpffs() -> Result<(), TapError> {
    if pins::is_mounted() {
        return Ok(());
    }
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("bpf", pins::BPFFS, "bpf", flags, Some(c"mode=0700"))
        .map_err(|error| TapError::of("mount bpffs at /sys/fs/bpf", error.into()))
}

/// The folders of pins that are ours to remove: this namespace's, and those whose links are dead.
fn folders() -> io::Result<Vec<PathBuf>> {
    let ours = pins::of_this_namespace()?;
    let mut folders = Vec::new();
    let entries = match fs::read_dir(pins::home()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(folders),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path == ours || is_dead(&path)? {
            folders.push(path);
        }
    }
    Ok(folders)
}

/// Are there links in it, of which every one has lost its interface? One without any may be in the
/// making.
fn is_dead(folder: &Path) -> io::Result<bool> {
    let (mut links, mut alive) = (0, false);
    walk(folder, &mut |path| {
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.starts_with("link")) {
            let info = sys::from_pin(path).and_then(|link| sys::link_info(link.as_fd()));
            links += 1;
            alive |= !info.is_ok_and(|info| info.ifindex == 0);
        }
    })?;
    Ok(links > 0 && !alive)
}

/// Everything in a folder, what is within before what is around.
fn walk(folder: &Path, each: &mut impl FnMut(&Path)) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        // It went while we looked.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), each)?;
        } else {
            each(&entry.path());
        }
    }
    each(folder);
    Ok(())
}
