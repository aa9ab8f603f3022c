//! The tree of a log that lies on a disk: nodes from its full tiles, its lines and its edge.
//!
//! A leaf is read from the line behind its own, which names it; the last one is hashed. So a node
//! says what the log says of itself: whether a line is still the one that was hashed is asked of
//! [`verify`](crate::verify()). What lies under full tiles is never read. Works on a block's layout
//! and on a log that grows.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;

use ghost_event::line::Tail;
use ghost_event::{Digest, Seq};
use ghost_world::Disk;

use crate::edge::{self, Edge};
use crate::error::LogError;
use crate::layout::Layout;
use crate::limits::{GROUP_ROOTS_READ, GROUPS_READ, SEGMENTS_READ, TILES_READ};
use crate::proof::tile::{self, HEIGHT, TileAt, WIDTH};
use crate::proof::{self, Nodes};
use crate::put;
use crate::reader::{Lines, LogReader};
use crate::recover::sealed;
use crate::scan::{self, Piece, Scanner};

/// Reads nodes of a log's tree.
#[derive(Debug)]
pub struct TreeReader {
    disk: Arc<dyn Disk>,
    layout: Layout,
    lines: LogReader,
    /// The oldest and the newest line when it was last looked.
    first: Seq,
    last: Seq,
    edge: Option<Edge>,
    /// Leaves that somebody has hashed already, from that index on.
    given: (u64, Vec<Digest>),
    tiles: VecDeque<(TileAt, Vec<u8>)>,
    groups: VecDeque<(u64, Vec<Option<Digest>>)>,
    roots: HashMap<u64, Digest>,
    maps: VecDeque<Map>,
    /// Where reading stopped, and the line that comes next there.
    cursor: Option<(Seq, Lines)>,
    without_tiles: bool,
}

/// Where in a segment the lines of each group begin.
#[derive(Debug)]
struct Map {
    segment: Seq,
    /// Offsets of the lines that are the first of a group.
    marks: Vec<u64>,
    /// How far it was drawn.
    next: Seq,
    offset: u64,
}

impl TreeReader {
    /// The tree of the log in any layout, as a block's.
    pub fn open(disk: Arc<dyn Disk>, layout: Layout) -> Result<TreeReader, LogError> {
        let mut reader = TreeReader {
            lines: LogReader::at(Arc::clone(&disk), layout.clone()),
            disk,
            layout,
            first: 0,
            last: 0,
            edge: None,
            given: (0, Vec::new()),
            tiles: VecDeque::new(),
            groups: VecDeque::new(),
            roots: HashMap::new(),
            maps: VecDeque::new(),
            cursor: None,
            without_tiles: false,
        };
        reader.look()?;
        Ok(reader)
    }

    /// Tells leaves that are known, from `index` on: their lines need not be read again.
    pub(crate) fn give(&mut self, index: u64, leaves: Vec<Digest>) {
        self.given = (index, leaves);
    }

    /// Passes over the tiles, or no longer.
    pub(crate) fn without_tiles(&mut self, without: bool) {
        self.without_tiles = without;
        self.tiles.clear();
    }

    /// Whole lines that stand there now: the largest tree that can be asked for.
    pub fn size(&mut self) -> Result<u64, LogError> {
        self.look()?;
        Ok(self.last)
    }

    /// The oldest line that is left; 0 in an empty log.
    #[must_use]
    pub fn first(&self) -> Seq {
        self.first
    }

    /// The leaf with that index, which is line `index + 1`.
    pub fn leaf(&mut self, index: u64) -> Result<Digest, LogError> {
        self.node(0, index)
    }

    /// Looks where the log begins and ends.
    fn look(&mut self) -> Result<(), LogError> {
        self.first = self.lines.first_seq()?.unwrap_or(0);
        self.last = self.lines.last_seq()?.unwrap_or(0);
        self.edge = Edge::read(&*self.disk, &self.layout)?;
        Ok(())
    }

    fn gone(&self, index: u64) -> LogError {
        LogError::Gone { seq: index.saturating_add(1), first: self.first }
    }

    /// A node that a full tile holds.
    fn in_tile(&mut self, level: u32, index: u64) -> Result<Option<Digest>, LogError> {
        let at = TileAt::of(level, index);
        // A tile of lines that are gone may outlive them until the next start.
        if level < HEIGHT || at.width(self.last) < WIDTH || self.without_tiles {
            return Ok(None);
        }
        let held = match self.tiles.iter().position(|(held, _)| *held == at) {
            Some(held) => self.tiles.remove(held),
            None => {
                let path = self.layout.tile(at);
                match put::read(&*self.disk, &path, tile::BYTES) {
                    Ok(Some(bytes)) if bytes.len() == tile::BYTES => Some((at, bytes)),
                    Ok(_) => None,
                    Err(e) if e.kind() == io::ErrorKind::FileTooLarge => None,
                    Err(e) => return Err(LogError::io("read", &path)(e)),
                }
            }
        };
        let Some(held) = held else { return Ok(None) };
        let node = tile::node_in(&held.1, level, index);
        keep(&mut self.tiles, held, TILES_READ);
        Ok(node)
    }

    /// The root of a whole group of 256 lines.
    fn group_root(&mut self, group: u64) -> Result<Digest, LogError> {
        if let Some(root) = self.roots.get(&group) {
            return Ok(*root);
        }
        let root = match self.edge.as_ref().and_then(|edge| edge.group(group)) {
            Some(root) => root,
            None => edge::root_of(&self.leaves(group, 0, WIDTH)?),
        };
        if self.roots.len() >= GROUP_ROOTS_READ {
            self.roots.clear();
        }
        self.roots.insert(group, root);
        Ok(root)
    }

    /// Leaves `from` up to `to` of a group.
    fn leaves(&mut self, group: u64, from: u64, to: u64) -> Result<Vec<Digest>, LogError> {
        let position = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let read = match self.groups.iter().position(|(held, _)| *held == group) {
            Some(at) if self.groups[at].1.len() >= position(to) => self.groups.remove(at),
            at => {
                if let Some(at) = at {
                    self.groups.remove(at);
                }
                Some((group, self.read_group(group)?))
            }
        };
        let Some(read) = read else { return Err(self.gone(group * WIDTH)) };
        let leaves: Option<Vec<Digest>> =
            read.1.get(position(from)..position(to)).and_then(|l| l.iter().copied().collect());
        keep(&mut self.groups, read, GROUPS_READ);
        leaves.ok_or_else(|| self.gone(group * WIDTH + from))
    }

    /// What is left of a group's leaves.
    fn read_group(&mut self, group: u64) -> Result<Vec<Option<Digest>>, LogError> {
        let begin = group * WIDTH;
        let end = (begin + WIDTH).min(self.last);
        let oldest = self.first.saturating_sub(1);
        let mut leaves: Vec<Option<Digest>> = (begin..oldest.min(end))
            .map(|index| self.edge.as_ref().and_then(|edge| edge.leaf(index)))
            .collect();
        let mut index = begin.max(oldest);
        while index < end {
            let given = index.checked_sub(self.given.0).and_then(|at| usize::try_from(at).ok());
            match given.and_then(|at| self.given.1.get(at)) {
                Some(leaf) => leaves.push(Some(*leaf)),
                None => break,
            }
            index += 1;
        }
        if index < end {
            leaves.extend(self.read_lines(index, end)?.into_iter().map(Some));
        }
        Ok(leaves)
    }

    /// The leaves of those indices, from the lines.
    fn read_lines(&mut self, from: u64, to: u64) -> Result<Vec<Digest>, LogError> {
        let wanted = usize::try_from(to - from).unwrap_or(0);
        let mut leaves = Vec::with_capacity(wanted);
        // The line behind the first one names it; only the last line has none behind it.
        let mut at = (from + 2).min(self.last);
        let mut lines = match self.cursor.take() {
            Some((next, lines)) if next == at => lines,
            _ => self.lines_from(at)?,
        };
        while leaves.len() < wanted {
            let line = lines.next()?.filter(|line| line.seq == at);
            let Some((line, tail)) = line.and_then(|l| Tail::of(l.bytes).map(|tail| (l, tail)))
            else {
                // Retired since it was looked.
                self.look()?;
                return Err(self.gone(at - 1));
            };
            if at >= from + 2 {
                leaves.push(tail.prev);
            }
            if at == self.last && leaves.len() < wanted {
                leaves.push(proof::leaf(line.bytes));
            }
            at += 1;
        }
        self.cursor = Some((at, lines));
        Ok(leaves)
    }

    /// Lines from number `seq` on, found by a map of its segment.
    fn lines_from(&mut self, seq: Seq) -> Result<Lines, LogError> {
        let sealed = sealed(&*self.disk, &self.layout)?;
        // The segment, and where the next one begins.
        let active = self.lines.active_first()?;
        let found = match sealed.iter().rposition(|first| *first <= seq) {
            Some(at) if at + 1 < sealed.len() => Some((sealed[at], Some(sealed[at + 1]))),
            Some(at) => match active {
                Some(active) if active <= seq => Some((active, None)),
                _ => Some((sealed[at], active)),
            },
            None => active.filter(|first| *first <= seq).map(|active| (active, None)),
        };
        let Some((segment, end)) = found else { return Err(self.gone(seq.saturating_sub(1))) };
        let mut map = match self.maps.iter().position(|map| map.segment == segment) {
            Some(at) => self.maps.remove(at).unwrap_or_else(|| Map::new(segment)),
            None => Map::new(segment),
        };
        if map.next <= seq {
            // What retirement needs stands at the end of a segment: no need to read all of it.
            if let Some(end) = end.filter(|end| end - seq <= WIDTH)
                && let Some(offset) = self.near_end(segment, end - seq)?
            {
                return Ok(self.lines.lines_at(segment, offset, seq, seq));
            }
            self.draw(&mut map, seq)?;
        }
        let (from, offset) = map.before(seq);
        keep(&mut self.maps, map, SEGMENTS_READ);
        Ok(self.lines.lines_at(segment, offset, from, seq))
    }

    /// Where the last `lines` lines of a sealed segment begin.
    fn near_end(&self, segment: Seq, lines: u64) -> Result<Option<u64>, LogError> {
        let path = self.layout.segment(segment);
        let Some(file) = self.lines.segment_file(segment)? else { return Ok(None) };
        let len = file.len().map_err(LogError::io("read", &path))?;
        scan::start_of_last(&*file, len, lines).map_err(LogError::io("read", &path))
    }

    /// Draws a map on to line `to`.
    fn draw(&self, map: &mut Map, to: Seq) -> Result<(), LogError> {
        let path = self.layout.segment(map.segment);
        let Some(file) = self.lines.segment_file(map.segment)? else { return Ok(()) };
        let mut scanner = Scanner::new(file, map.offset);
        while map.next <= to {
            match scanner.next().map_err(LogError::io("read", &path))? {
                Some(Piece::Line(_)) => {}
                _ => break,
            }
            if (map.next - 1).is_multiple_of(WIDTH) {
                map.marks.push(map.offset);
            }
            map.next += 1;
            map.offset = scanner.offset();
        }
        Ok(())
    }
}

impl Map {
    fn new(segment: Seq) -> Map {
        Map { segment, marks: Vec::new(), next: segment, offset: 0 }
    }

    /// The nearest known line at or before `seq`, and where it begins.
    fn before(&self, seq: Seq) -> (Seq, u64) {
        // Marks are of the groups from the first that begins in this segment.
        let first = (self.segment - 1).div_ceil(WIDTH);
        let group = (seq - 1) / WIDTH;
        let known = group.checked_sub(first).and_then(|n| usize::try_from(n).ok());
        match known.and_then(|n| self.marks.get(n)) {
            Some(offset) => (group * WIDTH + 1, *offset),
            None => (self.segment, 0),
        }
    }
}

impl Nodes for TreeReader {
    type Error = LogError;

    fn node(&mut self, level: u32, index: u64) -> Result<Digest, LogError> {
        let end = index.checked_add(1).and_then(|n| n.checked_mul(1_u64.checked_shl(level)?));
        let end = end.unwrap_or(u64::MAX);
        if end > self.last {
            self.look()?;
            if end > self.last {
                return Err(LogError::Beyond { seq: end, last: self.last });
            }
        }
        if let Some(node) = self.in_tile(level, index)? {
            return Ok(node);
        }
        match level {
            0..HEIGHT => {
                let begin = index << level;
                let from = begin % WIDTH;
                Ok(edge::root_of(&self.leaves(begin / WIDTH, from, from + (1 << level))?))
            }
            HEIGHT => self.group_root(index),
            _ => {
                let left = self.node(level - 1, 2 * index)?;
                let right = self.node(level - 1, 2 * index + 1)?;
                Ok(proof::node(&left, &right))
            }
        }
    }
}

/// Puts the newest behind, and lets the oldest go.
fn keep<T>(held: &mut VecDeque<T>, newest: T, max: usize) {
    if held.len() >= max {
        held.pop_front();
    }
    held.push_back(newest);
}
