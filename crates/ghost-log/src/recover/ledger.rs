//! What a start finds of the tree: checkpoint, tiles, edge, and segments that should be gone.
//!
//! The checkpoint is a witness as `state/head` is: a log that ends before it has lost lines that
//! were acknowledged. Behind the log's end it is as it should be. A torn one is what a power cut
//! leaves of one that was only written; it is signed anew. Tiles are made again from lines wherever
//! they are missing.

use std::io;
use std::sync::Arc;

use ghost_event::Seq;
use ghost_world::Disk;

use crate::edge::Edge;
use crate::error::LogError;
use crate::keys::{Keys, is_origin_of};
use crate::layout::Layout;
use crate::limits::LogConfig;
use crate::proof::checkpoint::{Checkpoint, SignedCheckpoint, Signing};
use crate::proof::note::NOTE_BYTES_MAX;
use crate::proof::{self};
use crate::put;
use crate::recover::{Found, sealed};
use crate::tiles::{self, Growing};
use crate::tree_reader::TreeReader;

/// What a start found in the place of the newest checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CheckpointFound {
    /// None yet.
    #[default]
    None,
    /// One of this log, for so many lines.
    Whole { size: u64 },
    /// None, though there was a key to sign one. A new one was signed.
    Missing,
    /// Something that is none. A new one was signed.
    Torn,
    /// One of another log. A new one was signed in its place.
    Foreign,
    /// One for more lines than there are, or for others: the start accepted the loss.
    Lost { size: u64 },
}

impl CheckpointFound {
    /// Whether a new one is to be signed.
    pub(crate) fn wants_another(self) -> bool {
        !matches!(self, CheckpointFound::None | CheckpointFound::Whole { .. })
    }
}

/// The newest checkpoint as it lies there.
#[derive(Debug)]
pub(crate) enum Witness {
    Missing,
    Torn,
    Text(Box<SignedCheckpoint>),
}

impl Witness {
    pub(crate) fn read(disk: &dyn Disk, layout: &Layout) -> Result<Witness, LogError> {
        let path = layout.checkpoint();
        match put::read(disk, &path, NOTE_BYTES_MAX) {
            Ok(None) => Ok(Witness::Missing),
            Ok(Some(bytes)) => Ok(SignedCheckpoint::parse(&bytes)
                .map_or(Witness::Torn, |signed| Witness::Text(Box::new(signed)))),
            Err(e) if e.kind() == io::ErrorKind::FileTooLarge => Ok(Witness::Torn),
            Err(e) => Err(LogError::io("read", &path)(e)),
        }
    }

    /// What it says of the log with that name, where that can be believed: no key that is here says
    /// otherwise.
    pub(crate) fn of(&self, log_id: &str, keys: &Keys) -> (CheckpointFound, Option<&Checkpoint>) {
        let signed = match self {
            Witness::Missing => return (CheckpointFound::None, None),
            Witness::Torn => return (CheckpointFound::Torn, None),
            Witness::Text(signed) => signed,
        };
        let checkpoint = &signed.checkpoint;
        if !is_origin_of(&checkpoint.origin, log_id) {
            return (CheckpointFound::Foreign, None);
        }
        let ids = signed.note.signatures.iter().map(|signature| signature.id);
        let denied = ids
            .filter_map(|id| keys.load(id, log_id))
            .any(|key| signed.signing_of(key.verifying_key()) == Signing::Wrong);
        if denied {
            return (CheckpointFound::Torn, None);
        }
        (CheckpointFound::Whole { size: checkpoint.size }, Some(checkpoint))
    }
}

/// The tree and what belongs to it.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// `None` where the log's beginning is gone and nothing stands for it.
    pub(crate) tree: Option<Growing>,
    pub(crate) checkpoint: CheckpointFound,
    pub(crate) edge: Option<Edge>,
    pub(crate) tiles_made: u64,
    /// Segments that a retirement had still to remove.
    pub(crate) leftovers: Vec<Seq>,
}

/// Takes the tree up at the log's end, which no torn tail follows any more.
pub(crate) fn find(
    disk: &Arc<dyn Disk>,
    layout: &Layout,
    config: &LogConfig,
    found: &mut Found,
    claim: (CheckpointFound, Option<&Checkpoint>),
) -> Result<Ledger, LogError> {
    let size = found.head.seq;
    let edge = Edge::read(&**disk, layout)?;
    let mut ledger = Ledger {
        checkpoint: claim.0,
        leftovers: leftovers(disk, layout, found.segment, edge.as_ref())?,
        edge,
        ..Ledger::default()
    };
    tiles::remove_beyond(&**disk, layout, size)?;
    let mut reader = TreeReader::open(Arc::clone(disk), layout.clone())?;
    reader.give(found.segment - 1, std::mem::take(&mut found.leaves));
    if let Some(checkpoint) = claim.1 {
        match agrees(&mut reader, checkpoint, size)? {
            Some(true) => {}
            None if checkpoint.size <= size => {}
            _ if config.accept_loss => {
                ledger.checkpoint = CheckpointFound::Lost { size: checkpoint.size };
            }
            _ => {
                // Lines speak for themselves, where all of them are here: then it was a tile.
                reader.without_tiles(true);
                if agrees(&mut reader, checkpoint, size)? != Some(true) {
                    return Err(LogError::NotOfCheckpoint {
                        size: checkpoint.size,
                        path: layout.checkpoint(),
                    });
                }
                tiles::remove_all(&**disk, layout, size)?;
            }
        }
    }
    reader.without_tiles(false);
    ledger.tiles_made = make_tiles(disk, layout, &mut reader, size)?;
    ledger.tree = match Growing::resume(&mut reader, size) {
        Ok(tree) => Some(tree),
        Err(LogError::Gone { .. }) => None,
        Err(e) => return Err(e),
    };
    Ok(ledger)
}

/// Whether the log's lines are those that were signed; `None` where it cannot be said.
fn agrees(
    reader: &mut TreeReader,
    checkpoint: &Checkpoint,
    size: u64,
) -> Result<Option<bool>, LogError> {
    if checkpoint.size > size {
        return Ok(None);
    }
    match proof::root(reader, checkpoint.size) {
        Ok(root) => Ok(Some(root == checkpoint.root)),
        Err(LogError::Gone { .. }) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Makes the full tiles that are missing, as far as lines and room go. How many.
pub(crate) fn make_tiles(
    disk: &Arc<dyn Disk>,
    layout: &Layout,
    reader: &mut TreeReader,
    size: u64,
) -> Result<u64, LogError> {
    let missing = tiles::missing(&**disk, layout, size)?;
    match tiles::make(&**disk, layout, reader, &missing) {
        Ok(()) => Ok(missing.len() as u64),
        Err(LogError::Gone { .. } | LogError::NoSpace { .. }) => Ok(0),
        Err(e) => Err(e),
    }
}

/// Sealed segments that lie wholly before the edge, where the line that it keeps is there.
fn leftovers(
    disk: &Arc<dyn Disk>,
    layout: &Layout,
    active: Seq,
    edge: Option<&Edge>,
) -> Result<Vec<Seq>, LogError> {
    let Some(edge) = edge else { return Ok(Vec::new()) };
    let sealed = sealed(&**disk, layout)?;
    let kept = sealed.contains(&edge.first) || active == edge.first;
    Ok(sealed.into_iter().filter(|first| kept && *first < edge.first).collect())
}
