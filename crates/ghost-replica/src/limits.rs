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

/// Bytes of one part of an answer.
pub(crate) const ANSWER_BYTES: usize = 128 << 10;

/// Questions that wait for their answers.
pub(crate) const QUESTIONS_MAX: usize = 8;

/// Frames of a block that wait to be written: at most 16 MiB, twice what a primary has on its way.
pub(crate) const JOBS_MAX: usize = 64;

/// Things that other threads say, which wait to be sent.
pub(crate) const DONE_MAX: usize = 16;

/// Bytes that wait to be sent; beyond, nothing more is read of whoever does not read.
pub(crate) const OUT_BYTES_MAX: usize = 4 << 20;

/// How often a primary is told how its replica does.
pub(crate) const HEALTH_NS: u64 = 5_000_000_000;

/// Preamble and hello must be here by then.
pub(crate) const HELLO_NS: u64 = 20_000_000_000;
