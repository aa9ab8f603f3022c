//! Every limit of the API, each with its reason.

use std::time::Duration;

/// Connections at the same time; one more is closed at once, and counted. Twice what the pool and
/// the followers together can use.
pub const CONNECTIONS_MAX: usize = 64;

/// Bytes of a request's body, an import's apart: a question with a page of tags.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// Header lines of a request, and the bytes of its head.
pub const HEADERS_MAX: usize = 32;
pub const HEAD_BYTES_MAX: usize = 16 << 10;

/// A request's head must have come within this; a connection that idles longer is closed.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// A body's next piece must come within this, and a reader must take its next piece within this.
pub const PIECE_TIMEOUT: Duration = Duration::from_secs(30);

/// Threads that answer questions: two, so that one long listing leaves room for a quick question.
pub const ASK_THREADS: usize = 2;

/// Questions that wait for a thread; one more gets 503.
pub const ASK_WAITING_MAX: usize = 8;

/// Imports at the same time: the log has one writer, a second only waits for it.
pub const IMPORT_THREADS: usize = 1;
pub const IMPORT_WAITING_MAX: usize = 0;

/// Pieces of an answer or of a body that wait between the pool and a connection.
pub const PIECES_WAITING_MAX: usize = 4;

/// Bytes of a piece: large enough that a thread switch a piece is cheap.
pub const PIECE_BYTES: usize = 64 << 10;

/// Programs that follow the log at the same time.
pub const FOLLOWERS_MAX: usize = 16;

/// Pieces that wait for one follower: with [`PIECE_BYTES`], 1 MiB; what comes then it misses.
pub const FOLLOWER_PIECES_MAX: usize = 16;

/// How often the log is looked at for followers.
pub const FOLLOW_EVERY: Duration = Duration::from_millis(100);

/// Seconds of rates that are kept for sparklines and rates.
pub const HISTORY_S: usize = 120;

/// What a client that was refused for lack of room is told to wait.
pub const RETRY_AFTER_S: u32 = 1;

/// How long open requests are waited for at the end.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Hits of one answer that a client may ask for; 0 asks for as many as the store gives.
pub const FILTER_BYTES_MAX: usize = 4096;

const _: () = assert!(CONNECTIONS_MAX >= FOLLOWERS_MAX + ASK_THREADS + ASK_WAITING_MAX);
