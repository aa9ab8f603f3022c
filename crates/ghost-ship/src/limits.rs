//! Every limit of shipping, with its reason.

use ghost_event::line::LINE_BYTES_MAX;
use ghost_log::proof::note::NOTE_BYTES_MAX;

pub(crate) const MS: u64 = 1_000_000;
pub(crate) const S: u64 = 1000 * MS;

/// Raw lines of one tail frame: any one line fits, and a slow link is not held for long by one.
pub const TAIL_BYTES_MAX: usize = LINE_BYTES_MAX + (256 << 10);

/// Raw lines that a tail frame is filled up to where each is small.
pub const TAIL_BYTES_WANTED: usize = 256 << 10;

/// Lines of one tail frame: no line is shorter than 100 bytes or so.
pub(crate) const TAIL_LINES_MAX: u32 = 16_384;

/// Bytes of a block in one frame.
pub(crate) const CHUNK_BYTES_MAX: usize = 256 << 10;

/// Proofs of consistency over trees of 2^64 leaves have no more hashes than this.
pub(crate) const HASHES_MAX: usize = 65;

/// Blocks that a replica tells of: the last two and its grid, or the newest of them.
pub(crate) const BLOCKS_TOLD_MAX: usize = 64;

/// A question that goes to a replica: what the API takes for one.
pub const QUESTION_BYTES_MAX: usize = 64 << 10;

/// Bytes of an answer in one frame: a pressing line waits for no more than one.
pub const ANSWER_BYTES_MAX: usize = 256 << 10;

/// Questions of one connection that wait for their answers.
pub const QUESTIONS_MAX: usize = 8;

/// A name, a host's identity, a key.
pub(crate) const NAME_BYTES_MAX: usize = 512;

/// Words that go with a refusal.
pub(crate) const WORDS_BYTES_MAX: usize = 1024;

/// What a frame may carry, whatever its kind. A peer that takes less is refused: a line must fit.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 2 << 20;

/// Window of the decompressor, as a power of two: what is kept in memory for one frame.
pub(crate) const WINDOW_LOG_MAX: u32 = 21;

const _: () = assert!(LINE_BYTES_MAX < TAIL_BYTES_MAX && TAIL_BYTES_WANTED < TAIL_BYTES_MAX);
// What does not become smaller is sent as it is, so raw bytes and a header are the most.
const _: () = assert!(TAIL_BYTES_MAX + 256 <= PAYLOAD_BYTES_MAX);
const _: () = assert!(CHUNK_BYTES_MAX + 64 <= PAYLOAD_BYTES_MAX);
const _: () = assert!(QUESTION_BYTES_MAX + ANSWER_BYTES_MAX + 64 <= PAYLOAD_BYTES_MAX);
// A refusal carries two notes, a block's first frame one note, hashes and a frontier.
const _: () = assert!(2 * NOTE_BYTES_MAX + WORDS_BYTES_MAX + 256 <= PAYLOAD_BYTES_MAX);
const _: () = assert!(NOTE_BYTES_MAX + (HASHES_MAX + 64) * 32 + 512 <= PAYLOAD_BYTES_MAX);
const _: () =
    assert!(NOTE_BYTES_MAX + BLOCKS_TOLD_MAX * 48 + 4 * NAME_BYTES_MAX + 512 <= PAYLOAD_BYTES_MAX);

/// A replica that acknowledged nothing for this long is not healthy.
pub const SILENCE_NS_MAX: u64 = 300 * S;

/// An open connection on which nothing came for this long is given up, by either side. Pings go out
/// well before.
pub const DEAD_NS: u64 = 30 * S;

/// A primary that said nothing for this long asks for a sign of life, and gives one.
pub(crate) const PING_NS: u64 = 10 * S;

const _: () = assert!(2 * PING_NS < DEAD_NS && DEAD_NS < SILENCE_NS_MAX);

/// Waiting after the first failed connection, and at most.
pub(crate) const BACKOFF_NS_MIN: u64 = 200 * MS;
pub(crate) const BACKOFF_NS_MAX: u64 = 60 * S;

/// A replica that refused for a reason which passes by nobody's doing is asked again this seldom.
pub(crate) const REFUSED_NS: u64 = 300 * S;

/// A block or a tail for which there was no room, or no time, is offered again after this.
pub(crate) const LATER_NS: u64 = 10 * S;

/// A cosignature follows its block at once; one that does not come in this time was lost.
pub(crate) const COSIGN_NS: u64 = S;

/// Room that a replica must have left after a block.
pub(crate) const DISK_BYTES_SPARE: u64 = 64 << 20;

/// Marks of one priority that are kept apart; beyond, the oldest two become one.
pub(crate) const MARKS_MAX: usize = 256;

/// Snapshots kept on the primary, the newest included, unless configured.
pub const SNAPSHOTS_MAX: usize = 16;

/// A tail that would have to carry more than this waits for the block that carries it better.
pub(crate) const TAIL_BACKLOG_BYTES_MAX: u64 = 8 << 20;

/// Bytes of tail that may be on their way unacknowledged.
pub(crate) const TAIL_WINDOW_BYTES: u64 = 1 << 20;

/// Bytes of a block that may be on their way, least and most: between them, what the link carries in
/// its round trip and [`QUEUE_NS`] more.
pub(crate) const BLOCK_WINDOW_BYTES_MIN: u64 = 8 << 10;
pub(crate) const BLOCK_WINDOW_BYTES_MAX: u64 = 8 << 20;

/// What a block's bytes may delay a critical line by, waiting before it in the same connection.
pub(crate) const QUEUE_NS: u64 = 25 * MS;

/// Sends whose acknowledgement is awaited, for measuring; beyond, they are measured together.
pub(crate) const SENDS_MAX: usize = 512;

/// A rate that was measured counts for this long.
pub(crate) const RATE_NS: u64 = 30 * S;
