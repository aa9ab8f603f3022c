//! A question as of a block: lines up to its size, shapes with the vectors that they had then.

use ghost_event::Seq;
use ghost_index::{
    Added, ContentDigest, Index, IndexError, OracleIndex, Point, Position, Request, Response,
    ShapeStore, Status, Tally,
};
use ghost_log::{Layout, LogReader};

use crate::DataDir;
use crate::blocks::{self, BlockError, Listed};
use crate::follow;
use crate::limits::AS_OF_LINES_MAX;
use crate::store::StoreError;

/// A moment of the log.
pub(crate) struct AsOf {
    /// Its last line.
    pub(crate) size: Seq,
    /// Holds nothing but the shapes of then.
    shapes: OracleIndex,
    /// All lines of then, where the log has given some of them up and the block has not.
    pub(crate) whole: Option<(OracleIndex, LogReader)>,
    pub(crate) note: String,
}

impl AsOf {
    /// As of block `name` (or number) of `data`; `live` reads the log as it is now.
    pub(crate) fn open(data: &DataDir, name: &str, live: &LogReader) -> Result<AsOf, StoreError> {
        let block = blocks::find(data, name)?;
        let frozen =
            block.path.as_ref().map(|path| LogReader::at(blocks::disk(), Layout::of_block(path)));
        let live_first = live.first_seq()?.unwrap_or(1);
        let mut note = told(&block);
        let mut shapes = OracleIndex::new();
        let mut whole = None;
        match &frozen {
            Some(frozen) if block.first_seq < live_first => {
                if block.size.saturating_sub(block.first_seq) >= AS_OF_LINES_MAX {
                    note += &format!(
                        "; lines before {live_first} stand in the block alone, which \
                                      is too large to be searched: they are left out"
                    );
                    take(&mut shapes, frozen, block.size, true)?;
                } else {
                    let mut all = OracleIndex::new();
                    take(&mut all, frozen, block.size, false)?;
                    take(&mut shapes, frozen, block.size, true)?;
                    let reader = LogReader::at(blocks::disk(), frozen.layout().clone());
                    whole = Some((all, reader));
                }
            }
            Some(frozen) => take(&mut shapes, frozen, block.size, true)?,
            None => {
                if block.first_seq < live_first {
                    note += &format!(
                        "; the block is gone, and so are the log's lines before \
                                      {live_first}"
                    );
                }
                take(&mut shapes, live, block.size, true)?;
            }
        }
        Ok(AsOf { size: block.size, shapes, whole, note })
    }

    /// An index with the shapes of then.
    pub(crate) fn seen<'a>(&'a self, index: &'a dyn Index) -> Seen<'a> {
        Seen { index, shapes: self.shapes.shapes() }
    }
}

fn told(block: &Listed) -> String {
    let time = jiff::Timestamp::from_nanosecond(block.time.0.into()).unwrap_or_default();
    format!("as of {} ({time}, up to line {})", block.name, block.size)
}

/// Takes in the lines up to `size`, or the shapes among them.
fn take(
    into: &mut OracleIndex,
    reader: &LogReader,
    size: Seq,
    shapes_only: bool,
) -> Result<(), StoreError> {
    let mut lines = reader.lines(0);
    while let Some(line) = lines.next()? {
        if line.seq > size {
            break;
        }
        let head = line.bytes.get(..KIND_WITHIN).unwrap_or(line.bytes);
        let shape = || memchr::memmem::find(head, b"\"event_type\":\"shape\"").is_some();
        if !shapes_only || shape() {
            into.add(line.bytes, follow::place(&line))?;
        }
    }
    into.commit()?;
    Ok(())
}

/// Where a line has told its kind by then.
const KIND_WITHIN: usize = 160;

/// An index, seen with other shapes.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    index: &'a dyn Index,
    shapes: &'a ShapeStore,
}

impl Index for Seen<'_> {
    fn add(&mut self, _line: &[u8], _at: Position) -> Result<Added, IndexError> {
        Ok(Added::Known)
    }
    fn commit(&mut self) -> Result<(), IndexError> {
        Ok(())
    }
    fn indexed_to(&self) -> Seq {
        self.index.indexed_to()
    }
    fn search(&self, request: &Request) -> Result<Response, IndexError> {
        self.index.search(request)
    }
    fn tally(&self, points: &[Point]) -> Result<Vec<Tally>, IndexError> {
        self.index.tally(points)
    }
    fn content_digest(&self) -> Result<ContentDigest, IndexError> {
        self.index.content_digest()
    }
    fn shapes(&self) -> &ShapeStore {
        self.shapes
    }
    fn status(&self) -> Status {
        self.index.status()
    }
}

impl From<BlockError> for StoreError {
    fn from(error: BlockError) -> StoreError {
        match error {
            BlockError::Log(error) => StoreError::Log(error),
            error => StoreError::Block(error),
        }
    }
}
