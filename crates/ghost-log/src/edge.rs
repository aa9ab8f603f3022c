//! The edge: what proofs still need of lines that were retired, and stands in no full tile.
//!
//! That is little: the roots of whole groups of 256 lines that lie under no full tile of level 1
//! yet, and the leaves of the group in which the first kept line stands. The file is written anew at
//! each retirement, before any segment goes; segments of lines before its `first` that are still
//! there are what a power cut left of that retirement.

use std::collections::BTreeMap;

use ghost_event::{Digest, Seq};
use ghost_world::Disk;

use crate::error::LogError;
use crate::layout::Layout;
use crate::limits::EDGE_BYTES_MAX;
use crate::proof::tile::{HEIGHT, WIDTH};
use crate::proof::{Nodes, Tree};
use crate::put::{self, Readers, Until};

const TITLE: &str = "ghostbridge edge v1";

/// What is kept of lines before `first`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Edge {
    /// The oldest line that is kept.
    pub(crate) first: Seq,
    /// The line by which the log tells of it.
    pub(crate) noted: Seq,
    /// Roots of groups, by group.
    groups: BTreeMap<u64, Digest>,
    /// Leaves, by index.
    leaves: BTreeMap<u64, Digest>,
}

impl Edge {
    /// What a log of `size` lines needs where line `first` is its oldest, from the whole of it.
    pub(crate) fn of<N: Nodes>(
        nodes: &mut N,
        first: Seq,
        noted: Seq,
        size: u64,
    ) -> Result<Edge, N::Error> {
        let kept = first.saturating_sub(1);
        let straddling = kept / WIDTH;
        let tiled = (size >> (2 * HEIGHT)) * WIDTH;
        let mut edge = Edge { first, noted, ..Edge::default() };
        for group in tiled..straddling {
            edge.groups.insert(group, nodes.node(HEIGHT, group)?);
        }
        for leaf in straddling * WIDTH..kept {
            edge.leaves.insert(leaf, nodes.node(0, leaf)?);
        }
        Ok(edge)
    }

    pub(crate) fn group(&self, group: u64) -> Option<Digest> {
        self.groups.get(&group).copied()
    }

    pub(crate) fn leaf(&self, index: u64) -> Option<Digest> {
        self.leaves.get(&index).copied()
    }

    /// What stands on the disk; a file that is not whole stands for nothing.
    pub(crate) fn read(disk: &dyn Disk, layout: &Layout) -> Result<Option<Edge>, LogError> {
        let path = layout.edge();
        match put::read(disk, &path, EDGE_BYTES_MAX) {
            Ok(bytes) => Ok(bytes.as_deref().and_then(Edge::parse)),
            Err(e) => Err(LogError::io("read", &path)(e)),
        }
    }

    /// Makes it durable.
    pub(crate) fn keep(&self, disk: &dyn Disk, layout: &Layout) -> Result<(), LogError> {
        let folder = layout.tiles();
        disk.create_dirs(&folder).map_err(LogError::io("make the folder", &folder))?;
        disk.sync_dir(&layout.log()).map_err(LogError::io("sync", &layout.log()))?;
        let path = layout.edge();
        put::put(disk, &path, &self.text(), Until::Durable, Readers::Group)
            .map_err(LogError::io("write", &path))
    }

    fn text(&self) -> Vec<u8> {
        let mut text = format!("{TITLE}\n{} {}\n", self.first, self.noted);
        let mut lines = |level: u32, nodes: &BTreeMap<u64, Digest>| {
            for (index, node) in nodes {
                text.push_str(&format!("{level} {index} {node}\n"));
            }
        };
        lines(HEIGHT, &self.groups);
        lines(0, &self.leaves);
        let mut text = text.into_bytes();
        put::seal(&mut text);
        text
    }

    fn parse(bytes: &[u8]) -> Option<Edge> {
        let text = std::str::from_utf8(put::unseal(bytes)?).ok()?;
        let mut lines = text.lines();
        if lines.next()? != TITLE {
            return None;
        }
        let (first, noted) = lines.next()?.split_once(' ')?;
        let mut edge =
            Edge { first: first.parse().ok()?, noted: noted.parse().ok()?, ..Edge::default() };
        for line in lines {
            let mut words = line.splitn(3, ' ');
            let (level, index, node) = (words.next()?, words.next()?, words.next()?);
            let node = Digest::from_hex(node.as_bytes())?;
            let index = index.parse().ok()?;
            match level {
                "8" => edge.groups.insert(index, node),
                "0" => edge.leaves.insert(index, node),
                _ => return None,
            };
        }
        Some(edge)
    }
}

/// The root of a whole group.
pub(crate) fn root_of(leaves: &[Digest]) -> Digest {
    let mut tree = Tree::new();
    leaves.iter().for_each(|leaf| tree.push(*leaf));
    tree.root()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use ghost_world::SimDisk;

    use super::*;

    struct Named;

    impl Nodes for Named {
        type Error = Infallible;
        fn node(&mut self, level: u32, index: u64) -> Result<Digest, Infallible> {
            let mut bytes = [u8::try_from(level).unwrap(); 32];
            bytes[..8].copy_from_slice(&index.to_be_bytes());
            Ok(Digest(bytes))
        }
    }

    #[test]
    fn it_holds_what_no_full_tile_holds_and_no_more() {
        let check = |first, size, groups: std::ops::Range<u64>, leaves: std::ops::Range<u64>| {
            let Ok(edge) = Edge::of(&mut Named, first, 9, size);
            assert!(edge.groups.keys().copied().eq(groups), "{:?}", edge.groups.keys());
            assert!(edge.leaves.keys().copied().eq(leaves), "{:?}", edge.leaves.keys());
            let text = edge.text();
            assert!(text.len() <= EDGE_BYTES_MAX, "{} bytes", text.len());
            assert_eq!(Edge::parse(&text), Some(edge));
        };
        check(1, 10, 0..0, 0..0);
        check(257, 300, 0..1, 256..256);
        check(258, 300, 0..1, 256..257);
        check(65_536, 65_540, 0..0, 65_280..65_535);
        check(131_072, 131_071, 256..511, 130_816..131_071);
        check(
            u64::MAX,
            u64::MAX,
            (u64::MAX >> 16) * 256..u64::MAX / 256,
            u64::MAX - 255..u64::MAX - 1,
        );
    }

    #[test]
    fn a_torn_file_stands_for_nothing() {
        let disk = SimDisk::new();
        let layout = Layout::new(std::path::Path::new("/d"));
        disk.create_dirs(&layout.log()).unwrap();
        assert_eq!(Edge::read(&disk, &layout).unwrap(), None);
        let Ok(edge) = Edge::of(&mut Named, 700, 9, 800);
        edge.keep(&disk, &layout).unwrap();
        assert_eq!(Edge::read(&disk.crash(3), &layout).unwrap(), Some(edge));
        let whole = disk.bytes(&layout.edge()).unwrap();
        bolero::check!().with_iterations(300).with_type::<(usize, u8)>().for_each(|(at, byte)| {
            let mut bytes = whole.clone();
            let at = at % bytes.len();
            bytes[at] ^= byte;
            assert_eq!(Edge::parse(&bytes).is_some(), *byte == 0);
            assert_eq!(Edge::parse(&whole[..at]), None);
        });
    }
}
