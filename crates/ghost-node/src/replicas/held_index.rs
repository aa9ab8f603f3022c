//! How the index of a held log stands, for who looks at it from outside.

use ghost_index::Status;

use super::logs::HeldLogs;
use crate::DataDir;
use crate::store::StoreError;

/// The index of a held log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeldIndex {
    /// 32 hexadecimal digits.
    pub log: String,
    /// Of what is committed.
    pub status: Status,
    /// Events that are held but not committed.
    pub tail_events: u64,
    /// What is committed, as one digest.
    pub digest: String,
    /// What was found and mended.
    pub notes: Vec<String>,
}

/// The index of the log that is held under `data` and called `name`.
///
/// # Errors
/// There is no such log, or it can't be read.
pub fn held_index(data: &DataDir, name: &str) -> Result<HeldIndex, StoreError> {
    let logs = HeldLogs::new(data, false);
    let chosen = logs.choose(&[name.to_owned()])?;
    let Some(log) = chosen.only() else {
        let known = "the own log's is `index status` without --log".to_owned();
        return Err(StoreError::NoSuchLog { name: name.to_owned(), known });
    };
    let notes = log.open_once()?;
    let tail_events = log.hold(name, 1)?.tail_events();
    Ok(HeldIndex {
        log: log.dir().log_id().to_string(),
        status: log.index_status(),
        tail_events,
        digest: log.content_digest()?,
        notes,
    })
}
