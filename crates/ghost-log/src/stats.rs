//! What a log holds, counted in one pass.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ghost_event::{Seq, Timestamp};
use ghost_world::{Disk, RealDisk};

use crate::error::LogError;
use crate::reader::LogReader;
use crate::recover::sealed;
use crate::scan;

/// Counts of one log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogStats {
    /// Lines by their `event_type`.
    pub kinds: BTreeMap<String, u64>,
    pub lines: u64,
    pub bytes: u64,
    pub segments: u64,
    pub first_seq: Option<Seq>,
    pub last_seq: Option<Seq>,
    /// Earliest and latest `timestamp` of flows and packets.
    pub first_time: Option<Timestamp>,
    pub last_time: Option<Timestamp>,
}

/// Counts the log under the data folder.
pub fn stats(data: &Path) -> Result<LogStats, LogError> {
    stats_on(&(Arc::new(RealDisk) as Arc<dyn Disk>), data)
}

/// The same on any disk.
pub fn stats_on(disk: &Arc<dyn Disk>, data: &Path) -> Result<LogStats, LogError> {
    let reader = LogReader::open_on(Arc::clone(disk), data);
    let mut stats = LogStats {
        segments: sealed(&**disk, reader.layout())?.len() as u64,
        ..LogStats::default()
    };
    let mut lines = reader.lines(0);
    let mut last_segment = 0;
    while let Some(line) = lines.next()? {
        last_segment = line.position.segment;
        stats.lines += 1;
        stats.bytes += line.bytes.len() as u64;
        stats.first_seq.get_or_insert(line.seq);
        stats.last_seq = Some(line.seq);
        let kind = String::from_utf8_lossy(scan::event_type(line.bytes));
        match stats.kinds.get_mut(&*kind) {
            Some(count) => *count += 1,
            None => drop(stats.kinds.insert(kind.into_owned(), 1)),
        }
        if !scan::is_note(line.bytes)
            && let Some(at) = time_of(line.bytes)
        {
            stats.first_time = Some(stats.first_time.map_or(at, |t| t.min(at)));
            stats.last_time = Some(stats.last_time.map_or(at, |t| t.max(at)));
        }
    }
    let active_has_lines =
        last_segment != 0 && !sealed(&**disk, reader.layout())?.contains(&last_segment);
    stats.segments += u64::from(active_has_lines);
    Ok(stats)
}

fn time_of(line: &[u8]) -> Option<Timestamp> {
    let rest = line.strip_prefix(b"{\"timestamp\":\"")?;
    let end = memchr::memchr(b'"', rest)?;
    Timestamp::parse(std::str::from_utf8(&rest[..end]).ok()?)
}
