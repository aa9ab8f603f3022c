//! What log and blocks take on the disk, and what of that only blocks keep there.
//!
//! A sealed segment and a full tile never change, so each is looked at once; what changes is looked
//! at every time. A file that a block has and the log has not any more is counted once, however
//! many blocks have it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;

use rustix::fs::Stat;

use crate::tree::{Room, Tree, is_folder};
use crate::volume::SETTLED;
use crate::{BlockName, Usage};

/// How one file is looked at.
pub(crate) trait Gauge {
    /// What file `name` of `folder` takes.
    fn bytes(&self, folder: &Tree, name: &str, stat: &Stat) -> io::Result<u64>;

    /// What it takes beyond what the log's file of the same number takes, where that is known.
    fn beyond(
        &self,
        folder: &Tree,
        name: &str,
        stat: &Stat,
        log: Option<(&Tree, &str)>,
    ) -> io::Result<u64>;

    /// Whether what it tells is what the disk gave.
    fn exact(&self) -> bool;
}

#[derive(Debug, Clone, Copy)]
struct Settled {
    inode: u64,
    bytes: u64,
}

#[derive(Debug, Clone)]
struct Kept {
    /// Of what never changes, what the log may give up: by its path below the log's folder.
    files: Vec<String>,
    /// What the rest takes beyond the log; final once another block is newer.
    own_bytes: u64,
    last: bool,
}

/// Remembers what was looked at.
#[derive(Debug, Default)]
pub(crate) struct Account {
    log: BTreeMap<String, Settled>,
    /// What only blocks have still.
    gone: BTreeMap<String, u64>,
    blocks: BTreeMap<String, Kept>,
    /// What each block that was deleted kept, oldest first, until the file system has worked it off.
    leaving: VecDeque<u64>,
}

impl Account {
    /// Looks at everything that is new. `root` is the data folder.
    pub(crate) fn usage(&mut self, root: &Tree, gauge: &dyn Gauge) -> io::Result<Usage> {
        let log = root.folder("log")?;
        let changing = self.look_at_log(&log, gauge)?;
        let settled: u64 = self.log.values().map(|file| file.bytes).sum();
        self.look_at_blocks(root, &log, gauge)?;
        let own: u64 = self.blocks.values().map(|block| block.own_bytes).sum();
        let gone: u64 = self.gone.values().sum();
        let Room { free_bytes, total_bytes } = root.room()?;
        Ok(Usage {
            log_bytes: settled + changing,
            pinned_bytes: own + gone + self.leaving.iter().sum::<u64>(),
            free_bytes,
            total_bytes,
            exact: gauge.exact(),
        })
    }

    /// A block is deleted: what it alone kept goes, sooner or later.
    pub(crate) fn deleted(&mut self, name: &str) {
        let Some(block) = self.blocks.remove(name) else { return };
        let mut leaving = block.own_bytes;
        let kept: BTreeSet<&str> =
            self.blocks.values().flat_map(|b| b.files.iter().map(String::as_str)).collect();
        for path in block.files {
            if !kept.contains(path.as_str())
                && let Some(bytes) = self.gone.remove(&path)
            {
                leaving += bytes;
            }
        }
        self.leaving.push_back(leaving);
    }

    /// The file system has worked off all deletions but the last so many.
    pub(crate) fn waiting(&mut self, deletions: u32) {
        while self.leaving.len() > deletions as usize {
            self.leaving.pop_front();
        }
    }

    /// Bytes of what changes; what does not is entered once.
    fn look_at_log(&mut self, log: &Tree, gauge: &dyn Gauge) -> io::Result<u64> {
        let mut changing = 0;
        let mut there = BTreeMap::new();
        for name in log.list()? {
            let stat = log.stat(&name)?;
            if !is_folder(&stat) {
                changing += gauge.bytes(log, &name, &stat)?;
            } else if SETTLED.contains(&name.as_str()) {
                walk(log, &name, &mut |folder, path, name| {
                    let found = match self.log.get(path) {
                        Some(known) => *known,
                        None => {
                            let stat = folder.stat(name)?;
                            let bytes = gauge.bytes(folder, name, &stat)?;
                            Settled { inode: stat.st_ino, bytes }
                        }
                    };
                    there.insert(path.to_owned(), found);
                    Ok(())
                })?;
            } else {
                walk(log, &name, &mut |folder, _, name| {
                    changing += gauge.bytes(folder, name, &folder.stat(name)?)?;
                    Ok(())
                })?;
            }
        }
        let before = std::mem::replace(&mut self.log, there);
        for (path, file) in before {
            if !self.log.contains_key(&path) {
                self.gone.insert(path, file.bytes);
            }
        }
        Ok(changing)
    }

    fn look_at_blocks(&mut self, root: &Tree, log: &Tree, gauge: &dyn Gauge) -> io::Result<()> {
        let mut names = Vec::new();
        for name in root.list_of("blocks")? {
            names.push((BlockName::parse(&name).map_or(0, |block| block.number), name));
        }
        names.sort_unstable();
        self.blocks.retain(|name, _| names.iter().any(|(_, there)| there == name));
        let newest = names.last().map(|(number, _)| *number);
        for (number, name) in &names {
            let newest = Some(*number) == newest;
            if self.blocks.get(name).is_some_and(|known| known.last) {
                continue;
            }
            match self.look_at_block(root, name, log, gauge) {
                Ok(mut block) => {
                    block.last = !newest;
                    self.blocks.insert(name.clone(), block);
                }
                // Not a folder, or on its way out.
                Err(e)
                    if matches!(
                        e.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                    ) => {}
                Err(e) => return Err(e),
            }
        }
        let mut wanted = BTreeSet::new();
        for (name, block) in &self.blocks {
            for path in &block.files {
                if self.log.contains_key(path) {
                    continue;
                }
                if !self.gone.contains_key(path) {
                    let bytes = bytes_in_block(root, name, path, gauge)?;
                    self.gone.insert(path.clone(), bytes);
                }
                wanted.insert(path.clone());
            }
        }
        self.gone.retain(|path, _| wanted.contains(path));
        Ok(())
    }

    fn look_at_block(
        &self,
        root: &Tree,
        name: &str,
        log: &Tree,
        gauge: &dyn Gauge,
    ) -> io::Result<Kept> {
        let known = self.blocks.get(name).map(|block| block.files.clone());
        let look = known.is_none();
        let mut kept = Kept { files: known.unwrap_or_default(), own_bytes: 0, last: false };
        let block = root.folder("blocks")?.folder(name)?;
        for name in block.list()? {
            let stat = block.stat(&name)?;
            if !is_folder(&stat) {
                let in_log = self.same_file(log, &name, &stat);
                let in_log = in_log.as_ref().map(|(folder, name)| (folder, name.as_str()));
                kept.own_bytes += gauge.beyond(&block, &name, &stat, in_log)?;
            } else if SETTLED.contains(&name.as_str()) && look {
                walk(&block, &name, &mut |_, path, _| {
                    kept.files.push(path.to_owned());
                    Ok(())
                })?;
            }
        }
        Ok(kept)
    }

    /// Where the log has the file with this number now: under its name, or sealed.
    fn same_file(&self, log: &Tree, name: &str, stat: &Stat) -> Option<(Tree, String)> {
        if log.stat(name).is_ok_and(|found| found.st_ino == stat.st_ino) {
            return Some((log.folder(".").ok()?, name.to_owned()));
        }
        let (path, _) = self.log.iter().find(|(_, file)| file.inode == stat.st_ino)?;
        let (folder, name) = path.rsplit_once('/')?;
        Some((log.folder(folder).ok()?, name.to_owned()))
    }
}

fn bytes_in_block(root: &Tree, block: &str, path: &str, gauge: &dyn Gauge) -> io::Result<u64> {
    let Some((folder, name)) = path.rsplit_once('/') else { return Ok(0) };
    let folder = match root.folder(&format!("blocks/{block}/{folder}")) {
        Ok(folder) => folder,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(e) => return Err(e),
    };
    match folder.stat(name) {
        Ok(stat) => gauge.bytes(&folder, name, &stat),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(e) => Err(e),
    }
}

/// Calls `f` with every file below folder `name` of `above`: its folder, its path below `above`, and
/// its name.
fn walk(
    above: &Tree,
    path: &str,
    f: &mut dyn FnMut(&Tree, &str, &str) -> io::Result<()>,
) -> io::Result<()> {
    let folder = above.folder(path)?;
    for (name, is_folder) in folder.entries()? {
        let inner = format!("{path}/{name}");
        if is_folder {
            walk(above, &inner, f)?;
        } else {
            f(&folder, &inner, &name)?;
        }
    }
    Ok(())
}
