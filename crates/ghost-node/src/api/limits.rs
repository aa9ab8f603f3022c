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

/// A small body must have come within this, and a reader must take its next piece within this.
pub const PIECE_TIMEOUT: Duration = Duration::from_secs(30);

/// An import's next piece must come within this: it may come from a program that waits for frames.
pub const BODY_QUIET_TIMEOUT: Duration = Duration::from_secs(600);

/// Threads that answer questions: two, so that one long listing leaves room for a quick question.
pub const ASK_THREADS: usize = 2;

/// Questions that wait for a thread; one more gets 503.
pub const ASK_WAITING_MAX: usize = 8;

/// Questions to replicas: threads of their own, as each may wait for hosts that are far away.
pub const FAN_THREADS: usize = 2;
pub const FAN_WAITING_MAX: usize = 4;

/// Imports at the same time: the log has one writer, a second only waits for it.
pub const IMPORT_THREADS: usize = 1;
pub const IMPORT_WAITING_MAX: usize = 1;

/// Pieces of an answer or of a body that wait between the pool and a connection.
pub const PIECES_WAITING_MAX: usize = 4;

/// Bytes of a piece: large enough that a thread switch a piece is cheap.
pub const PIECE_BYTES: usize = 64 << 10;

/// Programs that follow the log at the same time.
pub const FOLLOWERS_MAX: usize = 8;

/// Pieces that wait for one follower: with [`PIECE_BYTES`] 4 MiB, twice what a busy bridge logs
/// between two looks; what comes then it misses.
pub const FOLLOWER_PIECES_MAX: usize = 64;

/// How often the log is looked at for followers.
pub const FOLLOW_EVERY: Duration = Duration::from_millis(100);

/// Looks without a line after which a follower gets an empty one: 5 s.
pub const QUIET_LOOKS_MAX: u32 = 50;

/// Seconds of rates that are kept for sparklines and rates.
pub const HISTORY_S: usize = 120;

/// How often a sample is taken for rates.
pub const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// Seconds over which a rate is taken.
pub const RATE_OVER_S: usize = 5;

/// A client waits so long for a daemon to answer at all.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest line of an answer that a client reads: a logged line and what is said of it.
pub const READ_LINE_BYTES_MAX: usize = 4 * ghost_event::line::LINE_BYTES_MAX;

/// How far back the sums of `top` go, and how many logged flows they keep: some megabytes.
pub const TOP_WINDOW: Duration = Duration::from_secs(60);
pub const TOP_FLOWS_MAX: usize = 10_000;

/// Filters that are summed at the same time; one that nobody asks for is forgotten after a while.
pub const TOPS_MAX: usize = 4;
pub const TOP_IDLE: Duration = Duration::from_secs(10);

/// Looks at the log for one answer: with 4096 lines each, what a second brings at the most.
pub const TOP_LOOKS_MAX: usize = 16;

/// Rows of a sum, and flows that live, of one answer.
pub const TOP_ROWS_MAX: usize = 50;
pub const TOP_LIVE_MAX: usize = 200;

/// Flows that live of which one answer sums: a few milliseconds each second.
pub const TOP_OPEN_MAX: usize = 2_000;

/// Letters of an application's name that are kept.
pub const TOP_NAME_BYTES: usize = 32;

/// What a client that was refused for lack of room is told to wait.
pub const RETRY_AFTER_S: u32 = 1;

/// How long open requests are waited for at the end.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// An import tells how far it is this often.
pub const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// Bytes of /etc/group that are read.
pub const GROUPS_BYTES_MAX: u64 = 4 << 20;

/// Users whose first request is told in the journal.
pub const USERS_TOLD_MAX: usize = 64;

const _: () = assert!(FOLLOWERS_MAX * FOLLOWER_PIECES_MAX * PIECE_BYTES <= 32 << 20);
const _: () = assert!(
    CONNECTIONS_MAX
        >= FOLLOWERS_MAX + ASK_THREADS + ASK_WAITING_MAX + FAN_THREADS + FAN_WAITING_MAX
);
