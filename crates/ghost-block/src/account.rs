//! What log and blocks take on the disk, and what of that only blocks keep there.
//!
//! A sealed segment and a full tile never change, so each is looked at once; what changes is looked
//! at every time. What several blocks share is counted once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;

use rustix::fs::Stat;

use crate::tree::{Room, Tree};
use crate::volume::SETTLED;
use crate::{BlockName, Usage};

/// Bytes on the disk that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// The same wherever the same bytes are used; 0 where nobody else uses them.
    pub(crate) id: u64,
    pub(crate) bytes: u64,
}

/// How one file is looked at.
pub(crate) trait Gauge {
    /// Where file `name` of `folder` lies.
    fn parts(&self, folder: &Tree, name: &str, stat: &Stat) -> io::Result<Vec<Part>>;

    /// What a block that shares a growing file with the log may keep of it although its parts are the
    /// log's.
    fn grown_bytes(&self) -> u64;

    /// Whether what it tells is what the disk gave.
    fn exact(&self) -> bool;

    fn bytes(&self, folder: &Tree, name: &str, stat: &Stat) -> io::Result<u64> {
        Ok(self.parts(folder, name, stat)?.iter().map(|part| part.bytes).sum())
    }
}

#[derive(Debug, Clone, Copy)]
struct Settled {
    inode: u64,
    bytes: u64,
}

#[derive(Debug, Clone, Default)]
struct Kept {
    /// Of what never changes, by its path below the log's folder.
    files: Vec<String>,
    /// Where the rest lies, without what the log has of it.
    own: Vec<Part>,
    /// Files of the log, by their path below its folder, that have the rest of it.
    shared_with: Vec<String>,
    /// While the log still has those, `own` stays what it is.
    settled: bool,
}

/// Remembers what was looked at.
#[derive(Debug, Default)]
pub(crate) struct Account {
    log: BTreeMap<String, Settled>,
    /// What never changes and only blocks have still.
    gone: BTreeMap<String, Vec<Part>>,
    blocks: BTreeMap<String, Kept>,
    /// What each block that was deleted kept, oldest first, until the file system has worked it off.
    leaving: VecDeque<u64>,
}

/// Of files in the folders that are settled: `tile/edge` is put in place anew, whatever else is there
/// stays as it is.
fn never_changes(path: &str) -> bool {
    path.matches('/').count() > 1 || !path.starts_with("tile/")
}

/// The log's file of a number.
struct Same {
    folder: Tree,
    name: String,
    /// Below the log's folder, where it never changes any more.
    path: Option<String>,
}

impl Account {
    /// Looks at everything that is new. `root` is the data folder.
    pub(crate) fn usage(&mut self, root: &Tree, gauge: &dyn Gauge) -> io::Result<Usage> {
        let log = root.folder("log")?;
        let changing = self.look_at_log(&log, gauge)?;
        let settled: u64 = self.log.values().map(|file| file.bytes).sum();
        self.look_at_blocks(root, &log, gauge)?;
        let Room { free_bytes, total_bytes } = root.room()?;
        Ok(Usage {
            log_bytes: settled + changing,
            pinned_bytes: self.pinned() + self.leaving.iter().sum::<u64>(),
            free_bytes,
            total_bytes,
            exact: gauge.exact(),
        })
    }

    /// A block is deleted: what it alone kept goes, sooner or later.
    pub(crate) fn deleted(&mut self, name: &str) {
        let before = self.pinned();
        if self.blocks.remove(name).is_some() {
            self.forget_gone();
            self.leaving.push_back(before.saturating_sub(self.pinned()));
        }
    }

    /// The file system has worked off all deletions but the last so many.
    pub(crate) fn waiting(&mut self, deletions: u32) {
        while self.leaving.len() > deletions as usize {
            self.leaving.pop_front();
        }
    }

    /// What blocks keep beyond the log, each part once.
    fn pinned(&self) -> u64 {
        let own = self.blocks.values().flat_map(|block| &block.own);
        let mut shared: BTreeMap<u64, u64> = BTreeMap::new();
        let mut bytes = 0;
        for part in own.chain(self.gone.values().flatten()) {
            if part.id == 0 {
                bytes += part.bytes;
            } else {
                let most = shared.entry(part.id).or_default();
                *most = part.bytes.max(*most);
            }
        }
        bytes + shared.values().sum::<u64>()
    }

    fn forget_gone(&mut self) {
        let wanted: BTreeSet<&String> = self.blocks.values().flat_map(|b| &b.files).collect();
        let log = &self.log;
        self.gone.retain(|path, _| wanted.contains(path) && !log.contains_key(path));
    }

    /// Bytes of what changes; what does not is entered once.
    fn look_at_log(&mut self, log: &Tree, gauge: &dyn Gauge) -> io::Result<u64> {
        let mut changing = 0;
        let mut there = BTreeMap::new();
        for (name, is_folder) in log.entries()? {
            if !is_folder {
                changing += gauge.bytes(log, &name, &log.stat(&name)?)?;
            } else if SETTLED.contains(&name.as_str()) {
                walk(log, &name, &mut |folder, path, name| {
                    if !never_changes(path) {
                        changing += gauge.bytes(folder, name, &folder.stat(name)?)?;
                        return Ok(());
                    }
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
        self.log = there;
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
            let stays = |known: &Kept| {
                known.settled && known.shared_with.iter().all(|path| self.log.contains_key(path))
            };
            if self.blocks.get(name).is_some_and(stays) {
                continue;
            }
            match self.look_at_block(root, name, log, gauge) {
                Ok(mut block) => {
                    block.settled &= Some(*number) != newest;
                    self.blocks.insert(name.clone(), block);
                }
                // Not a folder, or on its way out.
                Err(e) if is_gone(&e) => {}
                Err(e) => return Err(e),
            }
        }
        self.forget_gone();
        for (name, block) in &self.blocks {
            for path in &block.files {
                if !self.log.contains_key(path) && !self.gone.contains_key(path) {
                    let parts = parts_in_block(root, name, path, gauge)?;
                    self.gone.insert(path.clone(), parts);
                }
            }
        }
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
        let files = known.unwrap_or_default();
        let mut kept = Kept { files, settled: true, ..Kept::default() };
        let block = root.folder("blocks")?.folder(name)?;
        for (name, is_folder) in block.entries()? {
            if is_folder && SETTLED.contains(&name.as_str()) {
                walk(&block, &name, &mut |folder, path, name| {
                    if !never_changes(path) {
                        kept.own.extend(gauge.parts(folder, name, &folder.stat(name)?)?);
                    } else if look {
                        kept.files.push(path.to_owned());
                    }
                    Ok(())
                })?;
            } else if !is_folder {
                self.look_at_file(&block, &name, log, gauge, &mut kept)?;
            }
        }
        Ok(kept)
    }

    fn look_at_file(
        &self,
        block: &Tree,
        name: &str,
        log: &Tree,
        gauge: &dyn Gauge,
        kept: &mut Kept,
    ) -> io::Result<()> {
        let stat = block.stat(name)?;
        let mine = gauge.parts(block, name, &stat)?;
        let Some(same) = self.same_file(log, name, &stat) else {
            kept.own.extend(mine);
            return Ok(());
        };
        let theirs = gauge.parts(&same.folder, &same.name, &same.folder.stat(&same.name)?)?;
        let theirs: BTreeSet<u64> = theirs.iter().map(|part| part.id).collect();
        let apart = mine.into_iter().filter(|part| part.id == 0 || !theirs.contains(&part.id));
        kept.own.extend(apart);
        kept.own.push(Part { id: 0, bytes: gauge.grown_bytes() });
        match same.path {
            Some(path) => kept.shared_with.push(path),
            // It goes on growing.
            None => kept.settled = false,
        }
        Ok(())
    }

    /// Where the log has the file with this number now: under its name, or sealed.
    fn same_file(&self, log: &Tree, name: &str, stat: &Stat) -> Option<Same> {
        if log.stat(name).is_ok_and(|found| found.st_ino == stat.st_ino) {
            return Some(Same { folder: log.folder(".").ok()?, name: name.to_owned(), path: None });
        }
        let (path, _) = self.log.iter().find(|(_, file)| file.inode == stat.st_ino)?;
        let (folder, name) = path.rsplit_once('/')?;
        let folder = log.folder(folder).ok()?;
        Some(Same { folder, name: name.to_owned(), path: Some(path.clone()) })
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn parts_in_block(
    root: &Tree,
    block: &str,
    path: &str,
    gauge: &dyn Gauge,
) -> io::Result<Vec<Part>> {
    let Some((folder, name)) = path.rsplit_once('/') else { return Ok(Vec::new()) };
    let look = || {
        let folder = root.folder(&format!("blocks/{block}/{folder}"))?;
        gauge.parts(&folder, name, &folder.stat(name)?)
    };
    match look() {
        Err(e) if is_gone(&e) => Ok(Vec::new()),
        other => other,
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
