//! The writer's tree, and the full tiles that fall from it.
//!
//! Only tiles of level 1 and above are kept: level 0 stands in the log's lines already. A tile is
//! put in place durable, and never changes after that; it is put before the first checkpoint that
//! covers it, and only when its lines are durable.
//!
//! **Invariant:** a tile on disk is full; what a proof needs beyond full tiles comes from lines.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use ghost_event::Digest;
use ghost_world::Disk;

use crate::error::LogError;
use crate::layout::Layout;
use crate::limits::TILES_WAITING_MAX;
use crate::proof::tile::{HEIGHT, TileAt, WIDTH};
use crate::proof::{self, Nodes, Tree};
use crate::put::{self, Readers, Until};

/// Of the widths that occur, and no file is as large.
const HASHES: usize = WIDTH as usize;

/// A tree that grows, with the beginnings of its tiles.
#[derive(Debug, Clone)]
pub(crate) struct Growing {
    tree: Tree,
    /// The hashes of the unfinished tile of each level, level 1 first.
    rows: Vec<Vec<Digest>>,
    /// Full tiles that are not on the disk yet, oldest first.
    full: VecDeque<(TileAt, Box<[u8]>)>,
    /// Tiles that found no room among those; they are made again at the next start.
    pub(crate) let_go: u64,
}

impl Growing {
    pub(crate) fn new() -> Growing {
        Growing { tree: Tree::new(), rows: Vec::new(), full: VecDeque::new(), let_go: 0 }
    }

    /// Takes a tree up again at `size` leaves.
    pub(crate) fn resume<N: Nodes>(nodes: &mut N, size: u64) -> Result<Growing, N::Error> {
        let tree = proof::frontier(nodes, size)?;
        let mut rows = Vec::new();
        for level in 1..u64::BITS / HEIGHT {
            let bits = level * HEIGHT;
            let hashes = size >> bits;
            if hashes == 0 {
                break;
            }
            let row: Result<Vec<_>, _> =
                (hashes & !(WIDTH - 1)..hashes).map(|index| nodes.node(bits, index)).collect();
            rows.push(row?);
        }
        Ok(Growing { tree, rows, ..Growing::new() })
    }

    pub(crate) fn size(&self) -> u64 {
        self.tree.size()
    }

    pub(crate) fn root(&self) -> Digest {
        self.tree.root()
    }

    /// The root if this leaf came next.
    pub(crate) fn root_with(&self, leaf: Digest) -> Digest {
        let mut tree = self.tree.clone();
        tree.push(leaf);
        tree.root()
    }

    pub(crate) fn push(&mut self, leaf: Digest) {
        let Growing { tree, rows, full, let_go } = self;
        tree.push_with(leaf, |level, index, node| {
            if level % HEIGHT != 0 {
                return;
            }
            let at = TileAt::of(level, index);
            let row = usize::from(at.level) - 1;
            if rows.len() <= row {
                rows.resize_with(row + 1, || Vec::with_capacity(HASHES));
            }
            rows[row].push(*node);
            if rows[row].len() == HASHES {
                let bytes = rows[row].drain(..).flat_map(|hash| hash.0).collect();
                if full.len() < TILES_WAITING_MAX {
                    full.push_back((at, bytes));
                } else {
                    *let_go += 1;
                }
            }
        });
    }

    /// Puts the full tiles that wait on the disk, of the first `durable` lines. What finds no room
    /// goes on waiting.
    pub(crate) fn keep(
        &mut self,
        disk: &dyn Disk,
        layout: &Layout,
        durable: u64,
    ) -> Result<(), LogError> {
        while let Some((at, bytes)) = self.full.front()
            && at.width(durable) == WIDTH
        {
            keep(disk, layout, *at, bytes)?;
            self.full.pop_front();
        }
        Ok(())
    }

    /// Full tiles that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.full.len()
    }
}

/// Makes a tile durable under its name.
fn keep(disk: &dyn Disk, layout: &Layout, at: TileAt, bytes: &[u8]) -> Result<(), LogError> {
    let path = layout.tile(at);
    let Some(folder) = path.parent() else { return Ok(()) };
    if let Err(e) = disk.list(folder) {
        if e.kind() != io::ErrorKind::NotFound {
            return Err(LogError::io("list", folder)(e));
        }
        disk.create_dirs(folder).map_err(LogError::io("make the folder", folder))?;
        // The new folder's name stands in the one above it, and so on up to the log.
        for above in folder.ancestors().skip(1).take_while(|a| a.starts_with(layout.log())) {
            disk.sync_dir(above).map_err(LogError::io("sync", above))?;
        }
    }
    put::put(disk, &path, bytes, Until::Durable, Readers::Group)
        .map_err(LogError::io("write", &path))
}

/// The full tiles of level 1 and above that a tree of `size` leaves has and the disk has not.
pub(crate) fn missing(
    disk: &dyn Disk,
    layout: &Layout,
    size: u64,
) -> Result<Vec<TileAt>, LogError> {
    let mut missing = Vec::new();
    for level in 1..u64::BITS / HEIGHT {
        let tiles = size.checked_shr((level + 1) * HEIGHT).unwrap_or(0);
        if tiles == 0 {
            break;
        }
        let level = u8::try_from(level).unwrap_or(u8::MAX);
        let mut folder = (PathBuf::new(), Vec::new());
        for index in 0..tiles {
            let at = TileAt { level, index };
            let path = layout.tile(at);
            let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { continue };
            if folder.0 != parent {
                folder = (parent.to_owned(), list(disk, parent)?);
            }
            if !folder.1.iter().any(|n| n.as_str() == name) {
                missing.push(at);
            }
        }
    }
    Ok(missing)
}

/// Removes tiles that a tree of `size` leaves has not: of lines that are gone. How many.
pub(crate) fn remove_beyond(disk: &dyn Disk, layout: &Layout, size: u64) -> Result<u64, LogError> {
    let mut removed = 0;
    for level in 1..u64::BITS / HEIGHT {
        let tiles = size.checked_shr((level + 1) * HEIGHT).unwrap_or(0);
        let level = u8::try_from(level).unwrap_or(u8::MAX);
        // Tiles are put in order: behind the first that is not there, there is none.
        for index in tiles.. {
            let path = layout.tile(TileAt { level, index });
            match disk.remove(&path) {
                Ok(()) => removed += 1,
                Err(e) if e.kind() == io::ErrorKind::NotFound => break,
                Err(e) => return Err(LogError::io("remove", &path)(e)),
            }
            if let Some(folder) = path.parent() {
                disk.sync_dir(folder).map_err(LogError::io("sync", folder))?;
            }
        }
    }
    Ok(removed)
}

/// Removes every tile that a tree of `size` leaves has.
pub(crate) fn remove_all(disk: &dyn Disk, layout: &Layout, size: u64) -> Result<(), LogError> {
    for level in 1..u64::BITS / HEIGHT {
        let tiles = size.checked_shr((level + 1) * HEIGHT).unwrap_or(0);
        let level = u8::try_from(level).unwrap_or(u8::MAX);
        for index in 0..tiles {
            let path = layout.tile(TileAt { level, index });
            match disk.remove(&path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    return Err(LogError::io("remove", &path)(e));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Puts those tiles from whatever knows the nodes.
pub(crate) fn make<N: Nodes<Error = LogError>>(
    disk: &dyn Disk,
    layout: &Layout,
    nodes: &mut N,
    tiles: &[TileAt],
) -> Result<(), LogError> {
    for at in tiles {
        let level = u32::from(at.level) * HEIGHT;
        let mut bytes = Vec::with_capacity(proof::tile::BYTES);
        for index in at.index * WIDTH..(at.index + 1) * WIDTH {
            bytes.extend_from_slice(&nodes.node(level, index)?.0);
        }
        keep(disk, layout, *at, &bytes)?;
    }
    Ok(())
}

fn list(disk: &dyn Disk, folder: &Path) -> Result<Vec<String>, LogError> {
    match disk.list(folder) {
        Ok(names) => Ok(names),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(LogError::io("list", folder)(e)),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;

    use ghost_world::SimDisk;

    use super::*;

    fn leaf(i: u64) -> Digest {
        proof::leaf(&i.to_be_bytes())
    }

    /// Every node from the leaves, by the definition.
    struct Oracle;

    impl Nodes for Oracle {
        type Error = Infallible;
        fn node(&mut self, level: u32, index: u64) -> Result<Digest, Infallible> {
            if level == 0 {
                return Ok(leaf(index));
            }
            let (left, right) =
                (self.node(level - 1, 2 * index)?, self.node(level - 1, 2 * index + 1)?);
            Ok(proof::node(&left, &right))
        }
    }

    #[test]
    fn full_tiles_fall_in_order_and_hold_the_nodes() {
        let mut growing = Growing::new();
        for i in 0..2 * 65_536 + 300 {
            growing.push(leaf(i));
        }
        assert_eq!(growing.waiting(), 2);
        let disk = SimDisk::new();
        let layout = Layout::new(Path::new("/d"));
        disk.create_dirs(&layout.log()).unwrap();
        growing.keep(&disk, &layout, 65_535).unwrap();
        assert_eq!(growing.waiting(), 2, "their lines are not durable");
        growing.keep(&disk, &layout, growing.size()).unwrap();
        for index in 0..2 {
            let bytes = disk.crash(1).bytes(&layout.tile(TileAt { level: 1, index })).unwrap();
            assert_eq!(bytes.len(), proof::tile::BYTES);
            for (hash, n) in bytes.as_chunks::<32>().0.iter().zip(index * 256..) {
                assert_eq!(Digest(*hash), Oracle.node(8, n).unwrap());
            }
        }
        assert_eq!(growing.waiting(), 0);
        assert!(missing(&disk, &layout, growing.size()).unwrap().is_empty());
        let all = [0, 1].map(|index| TileAt { level: 1, index });
        assert_eq!(missing(&SimDisk::new(), &layout, growing.size()).unwrap(), all);
        assert_eq!(remove_beyond(&disk, &layout, 65_536).unwrap(), 1);
        assert_eq!(missing(&disk, &layout, growing.size()).unwrap(), all[1..]);
    }

    #[test]
    fn a_tree_taken_up_anywhere_goes_on_as_if_never_put_down() {
        let sizes = [0, 1, 255, 256, 257, 511, 65_535, 65_536, 65_537, 65_536 + 256, 131_073];
        let mut whole = Growing::new();
        for size in sizes {
            while whole.size() < size {
                whole.push(leaf(whole.size()));
            }
            let mut resumed = Growing::resume(&mut Oracle, size).unwrap();
            let mut goes_on = Growing { full: VecDeque::new(), ..whole.clone() };
            for i in size..size + 70_000 {
                resumed.push(leaf(i));
                goes_on.push(leaf(i));
            }
            assert_eq!(resumed.root(), goes_on.root(), "size {size}");
            assert_eq!(resumed.full, goes_on.full, "size {size}");
            assert_eq!(
                resumed.waiting(),
                usize::try_from((size + 70_000) / 65_536 - size / 65_536).unwrap()
            );
        }
    }

    #[test]
    fn a_full_disk_keeps_tiles_waiting_and_no_more_than_have_room() {
        let disk = Arc::new(SimDisk::new());
        let layout = Layout::new(Path::new("/d"));
        disk.create_dirs(&layout.log()).unwrap();
        disk.set(ghost_world::Fault::Capacity(100));
        let mut growing = Growing::new();
        for i in 0..65_536 {
            growing.push(leaf(i));
        }
        let error = growing.keep(&*disk, &layout, 65_536).unwrap_err();
        assert!(matches!(error, LogError::NoSpace { .. }), "{error}");
        assert_eq!(growing.waiting(), 1);
        disk.heal();
        growing.keep(&*disk, &layout, 65_536).unwrap();
        assert_eq!((growing.waiting(), growing.let_go), (0, 0));
    }
}
