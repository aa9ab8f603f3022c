//! A block to a log that can be written again.
//!
//! A restored log is an older one. Its next start begins an epoch that was never used, since the
//! highest epoch is kept beside the log and goes with it; what was written after the block is another
//! branch, which witnesses and replicas that saw it will not take for this log. Nothing is thrown
//! away: the log that was there is moved aside.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use ghost_log::{Layout, LogError};
use ghost_world::{Disk as _, Locked, RealDisk};
use rustix::fs::{Mode, OFlags, RenameFlags};

use crate::tree::Tree;
use crate::volume::{BLOCKS, LOG, SETTLED};
use crate::{BlockError, BlockName, Manifest, Whole, copy, open_volume, setup, sys};

/// What is to become the log's folder.
const COMING_LOG: &str = "log.restored";

/// Where a block's log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A data folder of its own, which is made and must not be there, or be empty.
    New(PathBuf),
    /// The data folder that the block is of; the log that is there is moved aside, and kept.
    InPlace,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The data folder with the restored log. Its next start begins a new epoch. In a new folder it
    /// also makes a key of its own, which nobody authorised: to go on with the old one, copy
    /// `state/keys` before. What was indexed of a log in place is of the one that was moved aside.
    pub data: PathBuf,
    /// Lines of the restored log.
    pub size: u64,
    /// Where the log lies that was there before.
    pub moved_aside: Option<PathBuf>,
}

/// Makes the log that a block of `data` holds a log that can be written. In place it takes the log's
/// lock while it does: a daemon must be stopped first.
pub fn restore(data: &Path, block: &BlockName, target: &Target) -> Result<Restored, BlockError> {
    let name = block.to_string();
    let whole = open_volume(data).names()?.into_iter().find(|(there, _)| *there == name);
    match whole {
        None => return Err(BlockError::NoSuchBlock { name }),
        Some((_, Whole::No)) => {
            return Err(BlockError::Damaged {
                path: data.join(BLOCKS).join(name),
                what: "it can be written, so somebody changed it since it was sealed".to_owned(),
            });
        }
        Some((_, Whole::Yes)) => {}
    }
    let manifest = Manifest::read(&RealDisk, &data.join(BLOCKS).join(&name))?;
    if manifest.block != block.number || !block.is_of(&manifest.root) {
        let what = "its manifest is the one of another block".to_owned();
        return Err(BlockError::Damaged { path: data.join(BLOCKS).join(name), what });
    }
    let source = Tree::open(data).map_err(BlockError::io("open", data))?;
    let moved_aside = match target {
        Target::New(new) => {
            into_new(&source, data, &name, new)?;
            None
        }
        Target::InPlace => Some(in_place(&source, data, block)?),
    };
    let data = match target {
        Target::New(new) => new.clone(),
        Target::InPlace => data.to_owned(),
    };
    Ok(Restored { data, size: manifest.sealed_size, moved_aside })
}

fn into_new(source: &Tree, data: &Path, name: &str, new: &Path) -> Result<(), BlockError> {
    let is_empty = fs::read_dir(new).map_or_else(
        |e| e.kind() == io::ErrorKind::NotFound,
        |mut entries| entries.next().is_none(),
    );
    if !is_empty {
        return Err(BlockError::Refused(format!(
            "{} is not empty: restore into a folder that is not there yet",
            new.display()
        )));
    }
    let failed = |e| BlockError::io("restore into", new)(e);
    RealDisk.create_dirs(new).map_err(failed)?;
    let there = Tree::open(new).map_err(failed)?;
    let block = source.folder(BLOCKS).and_then(|blocks| blocks.folder(name)).map_err(failed)?;
    make_log(&block, &there, COMING_LOG, there.is_btrfs()).map_err(failed)?;
    // So that no epoch is used by two branches.
    let (from, to) = (Layout::new(data).state(), Layout::new(new).state());
    RealDisk.create_dirs(&to).map_err(failed)?;
    let state = |path: &Path| Tree::open(path).map_err(BlockError::io("open", path));
    match copy::file(&state(&from)?, "epoch", &state(&to)?) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(e)),
        _ => {}
    }
    rustix::fs::syncfs(&there).map_err(|e| failed(e.into()))?;
    there.rename(COMING_LOG, LOG).map_err(failed)?;
    there.make(BLOCKS).map_err(failed)?;
    there.sync().map_err(failed)
}

fn in_place(root: &Tree, data: &Path, name: &BlockName) -> Result<PathBuf, BlockError> {
    let layout = Layout::new(data);
    let path = layout.lock();
    let failed = |e| BlockError::io("restore the log in", data)(e);
    RealDisk.create_dirs(&layout.state()).map_err(failed)?;
    let holder = format!("restoring, pid {}", std::process::id());
    let _lock = match RealDisk.lock(&path, &holder).map_err(failed)? {
        Locked::Mine(lock) => lock,
        Locked::Theirs(holder) => return Err(LogError::Locked { path, holder }.into()),
    };
    let aside = (1u32..)
        .map(|n| format!("log.before-{}-{n}", name.number))
        .find(|aside| root.stat(aside).is_err())
        .unwrap_or_default();
    // Of a call that was cut off.
    match root.remove_tree(COMING_LOG) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(e)),
        _ => {}
    }
    let block =
        root.folder(BLOCKS).and_then(|blocks| blocks.folder(&name.to_string())).map_err(failed)?;
    // What was a plain folder stays one.
    let subvolume = root.folder(LOG).map_or_else(|_| root.is_btrfs(), |log| log.is_subvolume());
    make_log(&block, root, COMING_LOG, subvolume).map_err(failed)?;
    rustix::fs::syncfs(root).map_err(|e| failed(e.into()))?;
    // They speak of lines that the restored log has not; without them a start is less sure of what
    // it finds, and the journal of imports is made again.
    for gone in [layout.head(), layout.imports()] {
        match RealDisk.remove(&gone) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(e)),
            _ => {}
        }
    }
    RealDisk.sync_dir(&layout.state()).map_err(failed)?;
    // In one step, so that there is a whole log at every moment.
    rustix::fs::renameat_with(root, COMING_LOG, root, LOG, RenameFlags::EXCHANGE)
        .map_err(|e| failed(e.into()))?;
    root.rename(COMING_LOG, &aside).map_err(failed)?;
    root.sync().map_err(failed)?;
    Ok(data.join(aside))
}

/// Makes `name` in `root` a log's folder, a subvolume or a plain one, that holds what a block holds and
/// can be written.
fn make_log(block: &Tree, root: &Tree, name: &str, subvolume: bool) -> io::Result<()> {
    if subvolume && block.is_subvolume() {
        match sys::snapshot(block.as_fd(), root.as_fd(), name, false) {
            // Another file system: files are copied.
            Err(e) if e.raw_os_error() == Some(rustix::io::Errno::XDEV.raw_os_error()) => {}
            other => return other,
        }
    }
    if subvolume {
        setup::new_subvolume(root, name)?;
    } else {
        root.make(name)?;
    }
    fill(block, &root.folder(name)?, false)
}

/// Copies a block's files; what never changes gets a second name where it can.
fn fill(block: &Tree, log: &Tree, settled: bool) -> io::Result<()> {
    for (name, is_folder) in block.entries()? {
        if is_folder {
            let settled = settled || SETTLED.contains(&name.as_str());
            fill(&block.folder(&name)?, &log.make(&name)?, settled)?;
            continue;
        }
        let link = || {
            let flags = rustix::fs::AtFlags::empty();
            rustix::fs::linkat(block, name.as_str(), log, name.as_str(), flags)
        };
        if !(settled && link().is_ok()) {
            copy::file(block, &name, log)?;
            rustix::fs::fsync(log.at(&name, OFlags::RDONLY)?)?;
        }
    }
    rustix::fs::fchmod(log, Mode::from_raw_mode(0o750))?;
    log.sync()
}
