//! Every limit of this crate, with its reason.

/// Shapes that one log may name. A vector costs 388 bytes and a shape line about 1 kB, so this is
/// 25 MB of vectors at most; further shapes fall back to their parents.
pub const SHAPES_MAX: usize = 65_536;

/// Keys that the cache keeps; several keys may share one shape (rarer behaviours are in the key
/// and not in the shape).
pub const KEYS_MAX: usize = 4 * SHAPES_MAX;

/// Distinct `&'static str` addresses that one interner keeps; they come from closed lists.
pub const INTERNED_MAX: usize = 4_095;

/// Behaviours that a shape keeps: the most telling ones. More would multiply shapes, and a text
/// that says four things is near to none of them.
pub const BEHAVIOURS_PER_SHAPE_MAX: usize = 3;

/// Tokens of one text that the model reads, the two special ones included. MiniLM was trained on
/// 256; glossary texts have 10 to 70.
pub const TOKENS_MAX: usize = 256;

/// Characters of one word that the tokenizer tries; the reference gives up there too.
pub const WORD_CHARS_MAX: usize = 100;

/// Bytes of free text that are read; the rest says little more and would cost without bound.
pub const FREE_TEXT_BYTES_MAX: usize = 4_096;

/// Texts that wait for the model. Each is about 300 bytes; what finds no room keeps its fast vector.
pub const REFINER_QUEUE_MAX: usize = 4_096;

/// Finished vectors that wait to be taken; the worker waits when it is full.
pub const REFINER_RESULTS_MAX: usize = 256;

/// Texts in one run of the model. Padding costs more than batching gains on a CPU.
pub const REFINER_BATCH_MAX: usize = 8;

/// Query vectors that are kept: 1.5 kB each.
pub const QUERY_CACHE_MAX: usize = 256;

const _: () = assert!(KEYS_MAX >= SHAPES_MAX);
const _: () = assert!(INTERNED_MAX < 1 << 12, "the key gives a name 12 bits");
const _: () = assert!(REFINER_BATCH_MAX <= REFINER_RESULTS_MAX);
