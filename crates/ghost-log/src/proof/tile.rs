//! Tiles: 256 neighbouring nodes of one level of the tree in one file, as C2SP tlog-tiles has them.
//!
//! A tile of level `L` holds the roots of full subtrees of 256^L leaves; a full one never changes.
//! The seven levels between two tile levels are hashed from the lower one.

use std::fmt;
use std::path::PathBuf;

use ghost_event::Digest;

use super::node;

/// Hashes of a full tile.
pub const WIDTH: u64 = 256;

/// Bytes of a full tile.
pub const BYTES: usize = 256 * HASH_BYTES;

const HASH_BYTES: usize = 32;

/// Levels of the tree that lie between two levels of tiles.
pub const HEIGHT: u32 = 8;

/// Which tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileAt {
    /// 0 for leaves.
    pub level: u8,
    pub index: u64,
}

impl TileAt {
    /// The tile from which the node of that level of the tree is made.
    #[must_use]
    pub fn of(level: u32, index: u64) -> TileAt {
        TileAt {
            level: u8::try_from(level / HEIGHT).unwrap_or(u8::MAX),
            index: index >> (HEIGHT - level % HEIGHT),
        }
    }

    /// Hashes that this tile has in a tree of `size` leaves; 256 where it is full.
    #[must_use]
    pub fn width(self, size: u64) -> u64 {
        let bits = HEIGHT * u32::from(self.level);
        let hashes = size.checked_shr(bits).unwrap_or(0);
        hashes.saturating_sub(self.index.saturating_mul(WIDTH)).min(WIDTH)
    }

    /// Where it lies under the log's folder: `tile/<level>/x001/234`.
    #[must_use]
    pub fn path(self) -> PathBuf {
        PathBuf::from(self.to_string())
    }

    /// Where the first `width` hashes of it lie: `tile/<level>/x001/234.p/<width>`.
    #[must_use]
    pub fn partial_path(self, width: u64) -> PathBuf {
        PathBuf::from(format!("{self}.p/{width}"))
    }

    /// Reads the path of a full tile, as [`TileAt::path`] writes it.
    #[must_use]
    pub fn parse(path: &str) -> Option<TileAt> {
        let (level, mut rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let level = level.parse::<u8>().ok().filter(|l| *l < 64)?;
        let mut index = 0_u64;
        let digits = |text: &str| {
            (text.len() == 3 && text.bytes().all(|c| c.is_ascii_digit()))
                .then(|| text.parse::<u64>().ok())
                .flatten()
        };
        while let Some(more) = rest.strip_prefix('x') {
            let (group, after) = more.split_once('/')?;
            index = index.checked_mul(1000)?.checked_add(digits(group)?)?;
            rest = after;
        }
        index = index.checked_mul(1000)?.checked_add(digits(rest)?)?;
        let at = TileAt { level, index };
        // One tile has one path: no needless zeros.
        (at.to_string() == path).then_some(at)
    }
}

impl fmt::Display for TileAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/", self.level)?;
        let digits = self.index.to_string();
        let groups = digits.len().div_ceil(3);
        let padded = format!("{digits:0>width$}", width = groups * 3);
        for (i, group) in padded.as_bytes().chunks(3).enumerate() {
            let x = if i + 1 == groups { "" } else { "x" };
            let slash = if i + 1 == groups { "" } else { "/" };
            write!(f, "{x}{}{slash}", String::from_utf8_lossy(group))?;
        }
        Ok(())
    }
}

/// The node of that level of the tree, made from the bytes of its tile ([`TileAt::of`]), which may
/// be partial; `None` where they do not reach.
#[must_use]
pub fn node_in(tile: &[u8], level: u32, index: u64) -> Option<Digest> {
    let height = level % HEIGHT;
    let hashes = 1_usize << height;
    let position = usize::try_from(index % (WIDTH >> height)).ok()?;
    let from = position * hashes * HASH_BYTES;
    let mut row: Vec<Digest> = tile
        .get(from..from + hashes * HASH_BYTES)?
        .as_chunks::<HASH_BYTES>()
        .0
        .iter()
        .map(|hash| Digest(*hash))
        .collect();
    while row.len() > 1 {
        row = row.as_chunks::<2>().0.iter().map(|[left, right]| node(left, right)).collect();
    }
    row.pop()
}
