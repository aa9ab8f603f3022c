//! Proofs from a log that lies on a disk: that a line stands under its newest checkpoint, that one
//! size continues another, and the whole tree as others read it.
//!
//! What is written here was checked against the checkpoint first: a log that was altered yields no
//! proof. Not promised: that the checkpoint is signed by whom you think; whoever checks a proof asks
//! that of the key.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ghost_event::{Digest, Seq};
use ghost_world::Disk;

use crate::error::LogError;
use crate::layout::Layout;
use crate::proof::bundle::Bundle;
use crate::proof::checkpoint::{CheckpointError, SignedCheckpoint};
use crate::proof::note::NOTE_BYTES_MAX;
use crate::proof::tile::{self, TileAt};
use crate::proof::{self, Nodes as _, ProofError};
use crate::reader::LogReader;
use crate::tree_reader::TreeReader;

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProveError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(
        "{}: no checkpoint was signed yet; seal a block first (`ghostbridge block seal`)",
        path.display()
    )]
    NoCheckpoint { path: PathBuf },
    #[error("{}: {source}; run `ghostbridge log verify`", path.display())]
    Checkpoint { path: PathBuf, source: CheckpointError },
    #[error(
        "line {seq} is in no checkpoint yet: the newest speaks of {size} lines; ask again after \
         the next block"
    )]
    Uncovered { seq: Seq, size: u64 },
    #[error("{old} lines are more than {new}: a log never shrinks; name the older one first")]
    Shrunk { old: u64, new: u64 },
    #[error("lines are numbered from 1")]
    NoLine,
    #[error("no block {block} was sealed in this log")]
    NoBlock { block: u64 },
    #[error(
        "the log is not the one that its checkpoint speaks of ({0}); run `ghostbridge log verify`"
    )]
    Differs(ProofError),
}

/// The newest checkpoint of the log.
pub fn newest(disk: &Arc<dyn Disk>, layout: &Layout) -> Result<SignedCheckpoint, ProveError> {
    let path = layout.log().join("checkpoint");
    let bytes =
        read(disk, &path)?.ok_or_else(|| ProveError::NoCheckpoint { path: path.clone() })?;
    SignedCheckpoint::parse(&bytes).map_err(|source| ProveError::Checkpoint { path, source })
}

/// The checkpoint under which a block was sealed, also where the block itself is gone.
pub fn of_block(
    disk: &Arc<dyn Disk>,
    layout: &Layout,
    block: u64,
) -> Result<SignedCheckpoint, ProveError> {
    #[derive(serde::Deserialize)]
    struct Seal {
        block: u64,
        checkpoint: String,
    }
    let path = layout.log().join("checkpoints.jsonl");
    let Some(file) = open(disk, &path)? else { return Err(ProveError::NoBlock { block }) };
    let mut scanner = crate::scan::Scanner::new(file, 0);
    while let Some(piece) = scanner.next().map_err(LogError::io("read", &path))? {
        let crate::scan::Piece::Line(line) = piece else { break };
        if let Ok(seal) = serde_json::from_slice::<Seal>(line)
            && seal.block == block
        {
            return SignedCheckpoint::parse(seal.checkpoint.as_bytes())
                .map_err(|source| ProveError::Checkpoint { path, source });
        }
    }
    Err(ProveError::NoBlock { block })
}

/// That line `seq` stands under the newest checkpoint, with the line itself.
pub fn prove(disk: &Arc<dyn Disk>, layout: &Layout, seq: Seq) -> Result<Bundle, ProveError> {
    let index = seq.checked_sub(1).ok_or(ProveError::NoLine)?;
    let checkpoint = newest(disk, layout)?;
    let size = checkpoint.checkpoint.size;
    if index >= size {
        return Err(ProveError::Uncovered { seq, size });
    }
    let reader = LogReader::at(disk.clone(), layout.clone());
    let mut lines = reader.lines(seq);
    let gone = |first: Seq| LogError::Gone { seq, first };
    let line = match lines.next()? {
        Some(line) if line.seq == seq => line.bytes.to_vec(),
        Some(line) => return Err(gone(line.seq).into()),
        None => return Err(gone(reader.first_seq()?.unwrap_or(0)).into()),
    };
    let mut tree = TreeReader::open(disk.clone(), layout.clone())?;
    let path = proof::inclusion(&mut tree, index, size)?;
    let bundle = Bundle { extra: Some(line), index, path, checkpoint };
    bundle.includes(bundle.extra.as_deref().unwrap_or_default()).map_err(ProveError::Differs)?;
    Ok(bundle)
}

/// That the tree of `new` lines begins with the tree of `old` ones, and both their roots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Continued {
    pub old: u64,
    pub old_root: Digest,
    pub new: u64,
    pub new_root: Digest,
    pub path: Vec<Digest>,
}

/// The proof that one size of the log continues another.
pub fn continued(
    disk: &Arc<dyn Disk>,
    layout: &Layout,
    old: u64,
    new: u64,
) -> Result<Continued, ProveError> {
    if old > new {
        return Err(ProveError::Shrunk { old, new });
    }
    let mut tree = TreeReader::open(disk.clone(), layout.clone())?;
    let path = proof::consistency(&mut tree, old, new)?;
    let old_root = proof::root(&mut tree, old)?;
    let new_root = proof::root(&mut tree, new)?;
    proof::check_consistency(old, &old_root, new, &new_root, &path).map_err(ProveError::Differs)?;
    Ok(Continued { old, old_root, new, new_root, path })
}

/// What was written for clients of tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tiled {
    /// Lines that the tree covers.
    pub size: u64,
    pub full: u64,
    pub partial: u64,
    /// Tiles of leaves that were retired: nothing is left to make them of.
    pub gone: u64,
}

impl fmt::Display for Tiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tiled { size, full, partial, gone } = self;
        write!(f, "{size} lines: {full} full tiles, {partial} partial")?;
        if *gone > 0 {
            write!(f, "; {gone} tiles of retired lines are not there")?;
        }
        Ok(())
    }
}

/// Writes the tree under the newest checkpoint into a folder as C2SP tlog-tiles has it: `checkpoint`
/// and `tile/<level>/…`, leaves and partial tiles included. Returns after the last byte is written,
/// not before it is durable.
pub fn write_tiles(disk: &Arc<dyn Disk>, layout: &Layout, out: &Path) -> Result<Tiled, ProveError> {
    let checkpoint = newest(disk, layout)?;
    let size = checkpoint.checkpoint.size;
    let mut tree = TreeReader::open(disk.clone(), layout.clone())?;
    if proof::root(&mut tree, size)? != checkpoint.checkpoint.root {
        return Err(ProveError::Differs(ProofError::OtherRoot { size }));
    }
    let mut tiled = Tiled { size, ..Tiled::default() };
    for level in 0_u8..8 {
        let bits = u32::from(level) * tile::HEIGHT;
        let hashes = size >> bits;
        if hashes == 0 {
            break;
        }
        for index in 0..hashes.div_ceil(tile::WIDTH) {
            let at = TileAt { level, index };
            let width = at.width(size);
            let Some(bytes) = tile_bytes(&mut tree, at, width)? else {
                tiled.gone += 1;
                continue;
            };
            if width == tile::WIDTH {
                tiled.full += 1;
                write(disk, &out.join(at.path()), &bytes)?;
            } else {
                tiled.partial += 1;
                write(disk, &out.join(at.partial_path(width)), &bytes)?;
            }
        }
    }
    write(disk, &out.join("checkpoint"), checkpoint.note.to_string().as_bytes())?;
    Ok(tiled)
}

/// The hashes of a tile; `None` where they were retired.
fn tile_bytes(tree: &mut TreeReader, at: TileAt, width: u64) -> Result<Option<Vec<u8>>, LogError> {
    let mut bytes = Vec::with_capacity(tile::BYTES);
    let from = at.index * tile::WIDTH;
    for index in from..from + width {
        match tree.node(u32::from(at.level) * tile::HEIGHT, index) {
            Ok(hash) => bytes.extend_from_slice(&hash.0),
            Err(LogError::Gone { .. }) if at.level == 0 => return Ok(None),
            Err(e) => return Err(e),
        }
    }
    Ok(Some(bytes))
}

fn write(disk: &Arc<dyn Disk>, path: &Path, bytes: &[u8]) -> Result<(), LogError> {
    if let Some(dir) = path.parent() {
        disk.create_dirs(dir).map_err(LogError::io("make the folder", dir))?;
    }
    let file = disk.create(path).map_err(LogError::io("make", path))?;
    let mut at = 0;
    while at < bytes.len() {
        let n = file.write_at(&bytes[at..], at as u64).map_err(LogError::io("write", path))?;
        if n == 0 {
            return Err(LogError::io("write", path)(std::io::ErrorKind::WriteZero.into()));
        }
        at += n;
    }
    Ok(())
}

fn open(disk: &Arc<dyn Disk>, path: &Path) -> Result<Option<Box<dyn ghost_world::File>>, LogError> {
    match disk.open_read(path) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(LogError::io("open", path)(e)),
    }
}

fn read(disk: &Arc<dyn Disk>, path: &Path) -> Result<Option<Vec<u8>>, LogError> {
    let Some(file) = open(disk, path)? else { return Ok(None) };
    let mut bytes = vec![0; NOTE_BYTES_MAX + 1];
    let n = file.read_full_at(&mut bytes, 0).map_err(LogError::io("read", path))?;
    bytes.truncate(n);
    Ok(Some(bytes))
}
