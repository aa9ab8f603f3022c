//! Every limit of the index, with its reason.

/// Partitions on disk: each costs a reader its open files and some page tables; a query opens a
/// few milliseconds' worth at most.
pub const PARTITIONS_MAX: usize = 64;

/// A partition takes in the log's next segment until it holds this many events: smaller ones cost
/// more to open than to search.
pub const PARTITION_EVENTS_MIN: u64 = 100_000;

/// Heap of the one writer. The engine flushes a segment when its terms fill it, so it bounds the
/// memory of an import; below 15 MB tantivy refuses.
pub const WRITER_HEAP_BYTES: usize = 56_000_000;

/// Packets of one window, within which points count up. Each point takes about 300 bytes while the
/// window is open, so this is 40 MB at most; a log segment of 64 MiB holds about as many packets.
pub const WINDOW_PACKETS_MAX: u64 = 131_072;

/// Names, words and facts of one event. A flow that told hundreds of names is findable by the
/// first of them, and by everything else that is known of it.
pub const TERMS_PER_EVENT_MAX: usize = 192;

/// Longest term; longer values are cut, in the index and in the question alike.
pub const TERM_BYTES_MAX: usize = 240;

/// Parent domains indexed for one name, counted from the right.
pub const PARENTS_PER_NAME_MAX: usize = 6;

/// Words indexed for one name.
pub const WORDS_PER_NAME_MAX: usize = 12;

/// Clauses of one request that add to a score; what matched is told in one 64-bit set.
pub const SHOULD_MAX: usize = 64;

/// Nesting of clauses: requests come from people and scripts, and are walked recursively.
pub const CLAUSE_DEPTH_MAX: usize = 16;

/// Shapes kept; the embedder stops at as many and falls back to parents.
pub const SHAPES_MAX: usize = 131_072;

/// Longest text or tuple of a shape that is taken from a line.
pub const SHAPE_TEXT_BYTES_MAX: usize = 4096;

const _: () = assert!(WRITER_HEAP_BYTES >= 15_000_000, "tantivy's floor");
const _: () = assert!(TERM_BYTES_MAX < 255, "a packed term's length is one byte, its kind counted");

/// Components of a vector: those of the widest model that a user may install.
pub const DIMENSIONS_MAX: usize = 768;

const _: () = assert!(DIMENSIONS_MAX >= ghost_event::VECTOR_DIMENSIONS);
