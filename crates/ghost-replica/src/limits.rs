//! Every limit of receiving, with its reason.

/// Logs of other hosts that one host holds; each has threads and open files while it is connected.
pub(crate) const LOGS_MAX: usize = 64;

/// What is remembered of a log: 64 keys, a note, and blocks with their frontiers.
pub(crate) const KEPT_BYTES_MAX: usize = 4 << 20;

/// Blocks that are remembered of one log: the last two and the widest grid.
pub(crate) const BLOCKS_MAX: usize = 1024;

/// A note is no longer.
pub(crate) const NOTE_BYTES_MAX: usize = 256 << 10;

/// A tail that is longer takes no more: the block that would shorten it does not come.
pub(crate) const TAIL_FILE_BYTES_MAX: u64 = 256 << 20;

/// Read at a time.
pub(crate) const READ_BYTES: usize = 1 << 20;
