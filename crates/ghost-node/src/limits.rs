//! Every limit of the node, each with its reason.

/// Features a lane hands over at once: large enough that the queue's lock is rare, small enough
/// that a full queue of them stays under 16 MiB.
pub const BATCH_FEATURES_MAX: usize = 256;

/// Batches that wait between a lane and the writer. Full: the lane waits. It has something to do
/// while its capture is hashed, before the first event may be logged.
pub const LANE_BATCHES_MAX: usize = 48;

/// Lines after which the index is told to look: often enough that it works beside the log.
pub const WAKE_LINES: u32 = 512;

/// Lines after which the index commits by itself, so that a crash costs little to index again.
pub const INDEX_COMMIT_LINES: u64 = 1_000_000;

/// Lines behind the index that a question indexes in memory; more, and the index is brought up to
/// the log first.
pub const TAIL_LINES_MAX: u64 = 20_000;

/// Captures read at the same time at the most: more than this only costs memory.
pub const JOBS_MAX: u16 = 64;

/// Bytes of a capture that are hashed at once.
pub const HASH_BYTES: usize = 1 << 20;

/// Bytes of tags.toml that are read.
pub const TAGS_BYTES_MAX: u64 = 1024 * 1024;

const _: () = assert!(BATCH_FEATURES_MAX * LANE_BATCHES_MAX * 1024 <= 16 * 1024 * 1024);
