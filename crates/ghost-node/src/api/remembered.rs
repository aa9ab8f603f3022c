//! What a data folder remembers, counted from its files: the same with a daemon and without.

use ghost_event::Timestamp;
use jiff::Zoned;
use serde::{Deserialize, Serialize};

use crate::store::{self, Store, StoreError};
use crate::{DataDir, Models, Tags};

/// The count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Remembered {
    pub data_dir: String,
    /// Flows and packets.
    pub events: u64,
    pub first_time: Option<jiff::Timestamp>,
    pub last_time: Option<jiff::Timestamp>,
    pub log_lines: u64,
    pub log_bytes: u64,
    pub log_segments: u64,
    pub indexed_to: u64,
    /// Logged, but not yet in the committed index.
    pub not_indexed_events: u64,
    pub shapes: u64,
    pub shapes_refined: u64,
    pub gaps: u64,
    pub recovered: u64,
}

impl Remembered {
    /// Counts what is in `data`, by reading the whole log.
    ///
    /// # Errors
    /// Log or index can't be read.
    pub fn count(data: &DataDir, now: Zoned) -> Result<Remembered, StoreError> {
        let stats = store::log_stats(data)?;
        let memory = Store::open(data, &Tags::default(), Models::default(), now)?;
        let index = memory.index_status();
        let moment = |at: Timestamp| jiff::Timestamp::from_nanosecond(at.0.into()).ok();
        let of = |kind: &str| stats.kinds.get(kind).copied().unwrap_or(0);
        Ok(Remembered {
            data_dir: data.root().display().to_string(),
            events: of("flow") + of("packet"),
            first_time: stats.first_time.and_then(moment),
            last_time: stats.last_time.and_then(moment),
            log_lines: stats.lines,
            log_bytes: stats.bytes,
            log_segments: stats.segments,
            indexed_to: index.indexed_to,
            not_indexed_events: memory.tail_events(),
            shapes: index.shapes,
            shapes_refined: index.shapes_refined,
            gaps: of("gap"),
            recovered: of("recovered"),
        })
    }
}
