//! Every limit of a question, with its reason.

/// Longest question in bytes; what stands behind is not read, and the answer says so.
pub const WORDS_BYTES_MAX: usize = 4096;

/// Words of a question that are read one by one.
pub const TOKENS_MAX: usize = 256;

/// Hits of an answer where nothing else is asked.
pub const LIMIT_DEFAULT: usize = 20;

/// Hits of one answer at most: they are kept in memory and each is read from the log.
pub const LIMIT_MAX: usize = 10_000_000;

/// Nearest shapes that take part in the score.
pub const SHAPES_SCORED_MAX: usize = 4096;

/// Preferences of one question; the index takes 64.
pub const PREFERENCES_MAX: usize = 48;

/// What a table tells apart by at once: each multiplies the rows.
pub const DIMENSIONS_MAX: usize = 3;

/// Rows of a table where nothing else is asked.
pub const ROWS_DEFAULT: usize = 10;

/// Rows of a table at most.
pub const ROWS_MAX: usize = 100_000;

/// Groups that are counted apart: about 100 bytes each. What comes beyond is counted together.
pub const GROUPS_MAX: usize = 1_000_000;

/// Values of one filter.
pub const VALUES_MAX: usize = 256;

/// Windows of a grid that are told apart: two months of minutes with something in each.
pub const WINDOWS_MAX: usize = 100_000;

/// Shapes of windows, of hosts and of elements that are counted apart: about 32 bytes each.
pub const SIMILAR_CELLS_MAX: usize = 2_000_000;

/// Hosts that are compared with one.
pub const HOSTS_MAX: usize = 200_000;

/// Values of two windows or hosts that are compared: about 150 bytes each.
pub const COMPARED_MAX: usize = 400_000;

/// Marks of patterns and words that are told apart in one walk; it takes 64, one of them its own.
pub const SHOULD_PATTERNS_MAX: usize = 63;

const _: () = assert!(SHOULD_PATTERNS_MAX < ghost_index::limits::SHOULD_MAX);

/// Elements that are compared with one.
pub const ELEMENTS_MAX: usize = 10_000;

const _: () = assert!(PREFERENCES_MAX + 4 <= ghost_index::limits::SHOULD_MAX);
