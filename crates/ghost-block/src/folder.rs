//! Blocks on any file system: a folder of hard links to what no longer changes, and copies of the
//! little that does.
//!
//! A block is made under a temporary name, synced, and renamed: with its name it is whole. Its own
//! files and folders may not be written, but for hard links, which are the log's own files and say
//! so with the log. Beside btrfs something is lost: [`VolumeKind::losses`].

use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::account::{Account, Gauge, Part};
use crate::btrfs::check_ours;
use crate::copy::{self, Copied};
use crate::tree::{Tree, blocks_bytes, is_folder};
use crate::volume::{BLOCKS, COMING, LEAVING, LOG, NEW, SETTLED, is_leftover};
use crate::{BlockError, BlockName, Usage, Volume, VolumeKind, Whole};

/// Bytes of a torn tail that were kept: nothing of a block.
const TORN: &str = "torn-";
const READ_FILE: Mode = Mode::from_raw_mode(0o440);
const READ_FOLDER: Mode = Mode::from_raw_mode(0o550);

/// The volume where log and blocks are plain folders.
#[derive(Debug)]
pub(crate) struct Folder {
    data: PathBuf,
    account: Account,
    gauge: Plain,
}

impl Folder {
    pub(crate) fn new(data: &Path) -> Folder {
        Folder { data: data.to_owned(), account: Account::default(), gauge: Plain::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.data.join(BLOCKS).join(name)
    }

    fn root(&self) -> Result<Tree, BlockError> {
        Tree::open(&self.data).map_err(BlockError::io("open", &self.data))
    }

    fn blocks(&self, root: &Tree) -> Result<Tree, BlockError> {
        root.make(BLOCKS).map_err(BlockError::io("open", &self.data.join(BLOCKS)))
    }
}

impl Volume for Folder {
    fn kind(&self) -> VolumeKind {
        VolumeKind::Folder
    }

    fn freeze(&mut self, name: &BlockName) -> Result<(), BlockError> {
        let root = self.root()?;
        let blocks = self.blocks(&root)?;
        let text = name.to_string();
        if blocks.stat(&text).is_ok() {
            return Err(BlockError::Taken { name: text });
        }
        let path = self.path(&text);
        let failed = |e| BlockError::io("copy the log to", &path)(e);
        let coming = format!("{COMING}{text}");
        let made = root.folder(LOG).and_then(|log| {
            let shares = fill(&log, &blocks.make(&coming)?)?;
            self.gauge.shares.set(shares == Copied::Shared);
            blocks.rename(&coming, &text)?;
            blocks.sync()
        });
        if let Err(error) = made {
            // What cannot be removed now is a leftover, which the next start removes.
            let _ = unlock(&blocks, &coming).and_then(|()| blocks.remove_tree(&coming));
            return Err(failed(error));
        }
        Ok(())
    }

    fn copies(&self) -> bool {
        !self.gauge.shares.get()
    }

    fn delete(&mut self, name: &str) -> Result<(), BlockError> {
        check_ours(name)?;
        let root = self.root()?;
        let blocks = self.blocks(&root)?;
        let path = self.path(name);
        if let Err(e) = blocks.stat(name)
            && e.kind() == io::ErrorKind::NotFound
        {
            return Err(BlockError::NoSuchBlock { name: name.to_owned() });
        }
        // Under another name first, so that what is deleted halfway is no block.
        let leaving = match is_leftover(name) {
            true => name.to_owned(),
            false => format!("{LEAVING}{name}"),
        };
        let deleted = if leaving == name { Ok(()) } else { blocks.rename(name, &leaving) }
            .and_then(|()| unlock(&blocks, &leaving))
            .and_then(|()| blocks.remove_tree(&leaving));
        deleted.map_err(BlockError::io("delete", &path))?;
        self.account.deleted(name);
        self.account.waiting(0);
        Ok(())
    }

    fn names(&mut self) -> Result<Vec<(String, Whole)>, BlockError> {
        let blocks = self.blocks(&self.root()?)?;
        let entries = blocks.entries().map_err(BlockError::io("list", &self.data.join(BLOCKS)))?;
        let ours = entries
            .into_iter()
            .filter(|(name, is_folder)| *is_folder && check_ours(name).is_ok())
            .map(|(name, _)| {
                let whole = if is_leftover(&name) { Whole::No } else { Whole::Yes };
                (name, whole)
            });
        Ok(ours.collect())
    }

    fn usage(&mut self) -> Result<Usage, BlockError> {
        let root = self.root()?;
        self.gauge.compresses.set(root.is_btrfs());
        self.account
            .usage(&root, &self.gauge)
            .map_err(BlockError::io("look at what is used in", &self.data))
    }
}

/// Fills an empty folder with what the log's holds, read-only and synced.
fn fill(log: &Tree, block: &Tree) -> io::Result<Copied> {
    let mut shares = Copied::Apart;
    for (name, is_folder) in log.entries()? {
        if is_folder && SETTLED.contains(&name.as_str()) {
            link_all(&log.folder(&name)?, &block.make(&name)?)?;
        } else if !is_folder
            && !name.starts_with(TORN)
            && !name.ends_with(NEW)
            && copied(log, &name, block)? == Copied::Shared
        {
            shares = Copied::Shared;
        }
    }
    rustix::fs::fchmod(block, READ_FOLDER)?;
    // Earlier changes of names become durable with it.
    block.sync()?;
    Ok(shares)
}

/// Copies a file, which nobody may write then; durable.
fn copied(from: &Tree, name: &str, to: &Tree) -> io::Result<Copied> {
    let how = copy::file(from, name, to)?;
    let copied = to.at(name, OFlags::RDONLY)?;
    rustix::fs::fchmod(&copied, READ_FILE)?;
    rustix::fs::fsync(&copied)?;
    Ok(how)
}

/// Gives files second names; they may not be written under either any more.
fn link_all(from: &Tree, to: &Tree) -> io::Result<()> {
    for (name, is_folder) in from.entries()? {
        if is_folder {
            link_all(&from.folder(&name)?, &to.make(&name)?)?;
            continue;
        }
        if from.stat(&name)?.st_mode & 0o222 != 0 {
            // Somebody else's file is copied below, and the copy is ours.
            let _ = rustix::fs::chmodat(from, name.as_str(), READ_FILE, AtFlags::empty());
        }
        match rustix::fs::linkat(from, name.as_str(), to, name.as_str(), AtFlags::empty()) {
            Err(Errno::PERM | Errno::MLINK | Errno::XDEV) => drop(copied(from, &name, to)?),
            other => other?,
        }
    }
    Ok(rustix::fs::fchmod(to, READ_FOLDER)?)
}

/// Lets a block's folders be emptied again.
fn unlock(blocks: &Tree, name: &str) -> io::Result<()> {
    fn open(folder: &Tree) -> io::Result<()> {
        rustix::fs::fchmod(folder, Mode::from_raw_mode(0o750))?;
        for (name, is_folder) in folder.entries()? {
            if is_folder {
                open(&folder.folder(&name)?)?;
            }
        }
        Ok(())
    }
    if is_folder(&blocks.stat(name)?) { open(&blocks.folder(name)?) } else { Ok(()) }
}

/// Looks at files as the file system tells of them.
#[derive(Debug, Default)]
struct Plain {
    /// A copy shares its bytes with the log, so both tell of them.
    shares: Cell<bool>,
    /// Files tell their size before compression.
    compresses: Cell<bool>,
}

impl Gauge for Plain {
    /// A second name is the same part.
    fn parts(&self, _: &Tree, _: &str, stat: &Stat) -> io::Result<Vec<Part>> {
        Ok(vec![Part { id: stat.st_ino, bytes: blocks_bytes(stat) }])
    }

    fn grown_bytes(&self) -> u64 {
        0
    }

    fn exact(&self) -> bool {
        !self.shares.get() && !self.compresses.get()
    }
}
