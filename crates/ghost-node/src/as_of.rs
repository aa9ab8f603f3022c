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
    fn events(
        &self,
        walk: &ghost_index::Walk,
        each: &mut dyn FnMut(&ghost_index::Met<'_>),
    ) -> Result<ghost_index::Walked, IndexError> {
        self.index.events(walk, each)
    }
    fn terms(
        &self,
        walk: &ghost_index::Walk,
        kinds: &[ghost_index::Kind],
        visit: &mut dyn ghost_index::Visit,
    ) -> Result<ghost_index::Walked, IndexError> {
        self.index.terms(walk, kinds, visit)
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use ghost_block::{Lost, Reason, SealFacts, Sealer};
    use ghost_event::line::Source;
    use ghost_event::{ShapeId, Tier, Timestamp, Vector};
    use ghost_log::LogConfig;
    use ghost_world::RealClock;

    use super::*;
    use crate::Profile;
    use crate::daemon::sample;
    use crate::pen::Pen;

    fn tier(shapes: &OracleIndex, id: ShapeId) -> Option<Tier> {
        shapes.shapes().iter().find(|row| row.id == id).map(|row| row.vector.tier)
    }

    #[test]
    fn a_shape_that_was_refined_later_has_its_old_vector_as_of_the_block_before() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path());
        let config = LogConfig { key_seed: [3; 32], ..LogConfig::default() };
        let clock = Arc::new(RealClock);
        let (mut pen, _) =
            Pen::open(blocks::disk(), &data, config, Profile::Balanced, clock).unwrap();
        let flow = &sample::flows(&[([10, 0, 0, 1], 22)])[0];
        let worded = pen.flow(flow, &Source::default()).unwrap().unwrap();
        assert!(pen.waits_behind(0) && pen.ready_size() < pen.log.size());
        let volume = ghost_block::open_volume(dir.path());
        let layout = pen.log.layout().clone();
        let (mut sealer, _) = Sealer::open(blocks::disk(), volume, layout).unwrap();
        let facts = SealFacts {
            t2_ready_size: pen.ready_size(),
            events: &BTreeMap::from([("flow".to_owned(), 1)]),
            lost: Lost::default(),
            reason: Reason::Asked,
            waited_ms: 0,
            time: Timestamp(7),
        };
        let block = sealer.seal(&mut pen.log, &facts).unwrap().unwrap();
        let told = blocks::find(&data, "1").unwrap();
        assert!(blocks::manifest(&told).unwrap().t2_ready_size < block.size);
        let full = Vector { tier: Tier::Full, scale: 1.0, components: vec![1; 384].into() };
        pen.refined(&worded, "another", &full).unwrap();
        pen.log.sync().unwrap();
        assert!(!pen.waits_behind(0) && pen.ready_size() == pen.log.size());
        let live = LogReader::open(data.root());
        let then = AsOf::open(&data, "1", &live).unwrap();
        assert_eq!((then.size, tier(&then.shapes, worded.id)), (block.size, Some(Tier::Fast)));
        let mut now = OracleIndex::new();
        take(&mut now, &live, u64::MAX, true).unwrap();
        assert_eq!(tier(&now, worded.id), Some(Tier::Full));
    }
}
