//! A disk on which block and tail are one log's folder.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ghost_event::Seq;
use ghost_world::{Disk, File, Locked};

use super::view::{View, segment_name, segment_of};

#[derive(Debug)]
struct Shared {
    disk: Arc<dyn Disk>,
    /// The replica's folder.
    path: PathBuf,
    view: Mutex<View>,
}

impl Shared {
    fn looked(&self) -> io::Result<MutexGuard<'_, View>> {
        let mut view = self.view();
        view.look(&*self.disk, &self.path)?;
        Ok(view)
    }

    fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The disk.
#[derive(Debug)]
pub(super) struct Overlay {
    shared: Arc<Shared>,
    root: PathBuf,
}

impl Overlay {
    pub(super) fn new(disk: Arc<dyn Disk>, path: &Path, root: &Path) -> Overlay {
        let shared = Shared { disk, path: path.to_owned(), view: Mutex::default() };
        Overlay { shared: Arc::new(shared), root: root.to_owned() }
    }

    /// What a path names below the log's folder.
    fn inside<'a>(&self, path: &'a Path) -> io::Result<&'a str> {
        let inside = path.strip_prefix(&self.root).ok().and_then(Path::to_str);
        inside.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn segment(&self, segment: Seq) -> Box<dyn File> {
        Box::new(Segment { shared: Arc::clone(&self.shared), segment })
    }
}

fn read_only<T>() -> io::Result<T> {
    Err(io::ErrorKind::ReadOnlyFilesystem.into())
}

impl Disk for Overlay {
    fn open_read(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let inside = self.inside(path)?;
        let view = self.shared.looked()?;
        if inside == "events.jsonl" {
            let active = view.active().ok_or(io::ErrorKind::NotFound)?;
            return Ok(self.segment(active));
        }
        if let Some(first) = inside.strip_prefix("segments/").and_then(segment_of) {
            let is_sealed = view.has(first) && view.active() != Some(first);
            return if is_sealed {
                Ok(self.segment(first))
            } else {
                Err(io::ErrorKind::NotFound.into())
            };
        }
        let folder = view.block_folder(&self.shared.path).ok_or(io::ErrorKind::NotFound)?;
        self.shared.disk.open_read(&folder.join(inside))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let inside = self.inside(dir)?;
        let view = self.shared.looked()?;
        if inside == "segments" {
            return Ok(view.sealed().into_iter().map(segment_name).collect());
        }
        let folder = view.block_folder(&self.shared.path).ok_or(io::ErrorKind::NotFound)?;
        self.shared.disk.list(&folder.join(inside))
    }

    fn open(&self, _: &Path) -> io::Result<Box<dyn File>> {
        read_only()
    }
    fn create(&self, _: &Path) -> io::Result<Box<dyn File>> {
        read_only()
    }
    fn create_dirs(&self, _: &Path) -> io::Result<()> {
        read_only()
    }
    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        read_only()
    }
    fn remove(&self, _: &Path) -> io::Result<()> {
        read_only()
    }
    fn remove_tree(&self, _: &Path) -> io::Result<()> {
        read_only()
    }
    fn hard_link(&self, _: &Path, _: &Path) -> io::Result<()> {
        read_only()
    }
    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        read_only()
    }
    fn link(&self, _: &Path, _: &Path) -> io::Result<()> {
        read_only()
    }
    fn lock(&self, _: &Path, _: &str) -> io::Result<Locked> {
        read_only()
    }
}

/// One segment, wherever its bytes are now.
#[derive(Debug)]
struct Segment {
    shared: Arc<Shared>,
    segment: Seq,
}

impl File for Segment {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let (disk, path) = (&*self.shared.disk, &self.shared.path);
        let mut view = self.shared.view();
        match view.read(disk, path, self.segment, buffer, offset) {
            Ok(n) if n > 0 || buffer.is_empty() => Ok(n),
            // The end, or what was known of it is over: a block came, or one was deleted.
            _ => {
                view.look(disk, path)?;
                view.read(disk, path, self.segment, buffer, offset)
            }
        }
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.shared.looked()?.len(self.segment))
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        read_only()
    }
    fn sync(&self) -> io::Result<()> {
        read_only()
    }
    fn truncate(&self, _: u64) -> io::Result<()> {
        read_only()
    }
}
