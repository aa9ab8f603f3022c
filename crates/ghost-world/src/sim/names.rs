//! Which names there are: files, folders and snapshots, and one change of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// A tree of names; files by their place in the disk's table.
#[derive(Debug, Default, Clone)]
pub(super) struct Names {
    pub(super) files: BTreeMap<PathBuf, usize>,
    pub(super) folders: BTreeSet<PathBuf>,
    /// Folders in which nothing can be changed.
    pub(super) frozen: BTreeSet<PathBuf>,
}

/// What happened to a name.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Set(PathBuf, usize),
    Gone(PathBuf),
    /// A file, or a folder with all in it.
    Moved(PathBuf, PathBuf),
    Folder(PathBuf),
    FolderGone(PathBuf),
    /// A subvolume with all in it, in one step.
    TreeGone(PathBuf),
}

/// What stands under `dir`, `dir` itself included.
pub(super) fn under<'a>(
    files: &'a BTreeMap<PathBuf, usize>,
    dir: &'a Path,
) -> impl Iterator<Item = (&'a PathBuf, usize)> {
    files.range(dir.to_owned()..).take_while(move |(p, _)| p.starts_with(dir)).map(|(p, i)| (p, *i))
}

impl Names {
    pub(super) fn folders_under<'a>(
        &'a self,
        dir: &'a Path,
    ) -> impl Iterator<Item = &'a PathBuf> + 'a {
        self.folders.range(dir.to_owned()..).take_while(move |p| p.starts_with(dir))
    }

    /// Whether something may be changed at `path`.
    pub(super) fn writable(&self, path: &Path) -> io::Result<()> {
        // The name of a frozen folder itself stands in a folder that is not frozen.
        match path.ancestors().skip(1).any(|dir| self.frozen.contains(dir)) {
            true => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
            false => Ok(()),
        }
    }

    /// Whether a name can be made at `path`.
    pub(super) fn free(&self, path: &Path) -> io::Result<()> {
        if self.files.contains_key(path) || self.folders.contains(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if !path.parent().is_some_and(|p| self.folders.contains(p)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.writable(path)
    }

    fn take_tree(&mut self, dir: &Path) -> Names {
        let mut taken = Names::default();
        let paths: Vec<PathBuf> = under(&self.files, dir).map(|(p, _)| p.clone()).collect();
        for path in paths {
            if let Some(inode) = self.files.remove(&path) {
                taken.files.insert(path, inode);
            }
        }
        let inside = |set: &mut BTreeSet<PathBuf>| -> BTreeSet<PathBuf> {
            let all: Vec<PathBuf> =
                set.range(dir.to_owned()..).take_while(|p| p.starts_with(dir)).cloned().collect();
            all.into_iter().filter_map(|p| set.take(&p)).collect()
        };
        taken.folders = inside(&mut self.folders);
        taken.frozen = inside(&mut self.frozen);
        taken
    }

    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Set(path, inode) => drop(self.files.insert(path.clone(), *inode)),
            Change::Gone(path) => drop(self.files.remove(path)),
            Change::Folder(path) => drop(self.folders.insert(path.clone())),
            Change::FolderGone(path) => drop(self.folders.remove(path)),
            Change::TreeGone(path) => drop(self.take_tree(path)),
            Change::Moved(from, to) => {
                let moved = self.take_tree(from);
                let at = |path: &PathBuf| match path.strip_prefix(from) {
                    Ok(rest) if rest.as_os_str().is_empty() => to.clone(),
                    Ok(rest) => to.join(rest),
                    Err(_) => path.clone(),
                };
                self.files.extend(moved.files.iter().map(|(p, i)| (at(p), *i)));
                self.folders.extend(moved.folders.iter().map(&at));
                self.frozen.extend(moved.frozen.iter().map(&at));
            }
        }
    }
}

impl Change {
    pub(super) fn touches(&self, dir: &Path) -> bool {
        let inside = |path: &PathBuf| path.parent() == Some(dir);
        match self {
            Change::Set(path, _)
            | Change::Gone(path)
            | Change::Folder(path)
            | Change::FolderGone(path)
            | Change::TreeGone(path) => inside(path),
            Change::Moved(from, to) => inside(from) || inside(to),
        }
    }
}
