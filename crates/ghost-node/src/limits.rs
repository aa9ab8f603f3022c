//! Every limit of the node, each with its reason.

use std::time::Duration;

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

/// Open flows whose score is remembered, those that were seen high: some MiB.
pub const SCORES_OPEN_MAX: usize = 65_536;

/// Incidents that are not over; the oldest is closed where one more opens.
pub const INCIDENTS_TOLD_MAX: usize = 1024;

/// Statements about incidents: so many at once, and one in so long; what is more waits until the
/// incident's next flow, and is counted.
pub const INCIDENT_NOTES_BURST: u32 = 120;
pub const INCIDENT_NOTES_NS: i64 = 1_000_000_000;

/// Incidents that are listed at once, the newest: some 50 MB.
pub const INCIDENTS_LISTED_MAX: usize = 16_384;

/// Incidents that wait for the desk that tells people; one more is counted and not told.
pub const ALERTS_QUEUE_MAX: usize = 256;

/// Messages that wait for one outlet: an hour of digests and bursts.
pub const ALERTS_OUTLET_MAX: usize = 64;

/// Incidents that one digest tells one by one.
pub const ALERTS_DIGEST_MAX: usize = 50;

/// Incidents whose like is known to have been told.
pub const ALERTS_REMEMBERED_MAX: usize = 4096;

/// How often a message is tried, and the pauses between: the first, and the longest.
pub const ALERTS_TRIES: u32 = 10;
pub const ALERTS_PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// How often what was learned is written down: what a crash forgets at the most.
pub const LEARNED_NS: u64 = 600_000_000_000;

/// How long one try may take.
pub const ALERTS_TIMEOUT: Duration = Duration::from_secs(8);

/// How often those who tell look whether they are to end.
pub const ALERTS_WAIT: Duration = Duration::from_millis(200);

/// What is left for messages that wait when the daemon stops.
pub const ALERTS_END: Duration = Duration::from_secs(3);

/// Bytes of a token's file that are read.
pub const TOKEN_BYTES_MAX: u64 = 4096;

/// Bytes of a file of trusted certificates that are read.
pub const CA_BYTES_MAX: u64 = 1 << 20;

const _: () = assert!(ALERTS_END.as_secs() + ALERTS_TIMEOUT.as_secs() < STOP_PATIENCE.as_secs());

// The daemon.

/// Commands that wait for the writer: batches of a quarter of a second at full rate, and below
/// 32 MiB of them. Full: the tap thread waits [`TAP_PATIENCE`], imports wait on.
pub const WRITER_QUEUE_MAX: usize = 96;

/// Flow records in one batch of the tap thread.
pub const LIVE_FEATURES_MAX: usize = 128;

/// Packet events in one batch of the tap thread.
pub const LIVE_PACKETS_MAX: usize = 512;

/// Statements about incidents that wait in one batch of the tap thread; one more is lost, and
/// counted.
pub const LIVE_INCIDENTS_MAX: usize = 256;

/// A batch goes to the writer at this age, however small: an event is in the log 100 ms after it
/// ended, and half of that is the writer's.
pub const LIVE_BATCH_NS: u64 = 40_000_000;

/// How long the tap thread waits for a full writer before it drops a batch and counts it: rings
/// hold some seconds, and an empty ring is worth more than a stubborn batch.
pub const TAP_PATIENCE: Duration = Duration::from_millis(200);

/// Frames of one poll: some hundred microseconds, so that questions and clocks come in between.
pub const POLL_FRAMES_MAX: u32 = 256;

/// The tap thread's sleep between two polls: the longer the less came, by halves and doubles. At 0.5 ms
/// an idle poll costs 2.6 % of a core, at 10 ms 0.2 %.
pub const POLL_SLEEP_MIN: Duration = Duration::from_micros(500);
pub const POLL_SLEEP_MAX: Duration = Duration::from_millis(10);

/// How often the flow table is told the time where frames do not, and counters are gathered.
pub const HOUSEKEEPING_NS: u64 = 100_000_000;

/// Losses in rings become a note at most this often.
pub const GAP_NOTE_NS: u64 = 1_000_000_000;

/// A wall clock that moved by more than this against the monotonic one was set, not steered.
pub const CLOCK_STEP_NS: i64 = 100_000_000;

/// Wishes that wait for the tap thread.
pub const TAP_CONTROL_MAX: usize = 16;

/// Slots of the flow table that are gone through between two polls for a question.
pub const OPEN_SLICE: u32 = 512;

/// Open flows that one question looks at closely, the first that pass its simple conditions:
/// 25 MiB and a fifth of a second.
pub const OPEN_FLOWS_MAX: usize = 16_384;

/// How long a question waits for the open flows; then it is answered without the rest, and says so.
pub const OPEN_PATIENCE: Duration = Duration::from_millis(600);

/// How long a question waits for the writer to hand out what it holds.
pub const FLUSH_PATIENCE: Duration = Duration::from_millis(400);

/// The index commits when its oldest uncommitted line is this old,
pub const INDEX_AGE_NS: u64 = 10_000_000_000;
/// or this old while questions are asked,
pub const INDEX_AGE_ASKED_NS: u64 = 2_000_000_000;
/// or when so many lines wait: what a question would else have to read is bounded by it.
pub const INDEX_WAITING_LINES: u64 = 100_000;
pub const INDEX_WAITING_ASKED_LINES: u64 = 10_000;

/// But no sooner after the oldest: a commit costs as much for few lines as for many.
pub const INDEX_PAUSE_NS: u64 = 1_000_000_000;

/// Flows and notes of the log's end that questions keep in memory, at some 3 kB each,
pub const LIVE_TAIL_EVENTS_MAX: u64 = 30_000;
/// and packets, of which those of one flow and minute are one point.
pub const LIVE_TAIL_PACKETS_MAX: u64 = 400_000;

/// Warnings that stand at the same time.
pub const WARNINGS_MAX: usize = 64;

/// So long after a question the next one is expected.
pub const ASKED_NS: u64 = 30_000_000_000;

/// Lines that the index takes in at once, between two looks whether a question waits.
pub const INDEX_STEP_LINES: u64 = 256;

/// The index looks for new lines this often while there are any; the writer wakes it before where
/// much has come.
pub const INDEX_LOOK: Duration = Duration::from_millis(250);

/// Imports through the daemon at the same time.
pub const IMPORTS_MAX: u64 = 8;

/// Batches of one import that wait in the writer's queue.
pub const IMPORT_BATCHES_WAITING: usize = 4;

/// Shapes that wait for the full model; a further one keeps its fast vector until the next start.
pub const REFINE_QUEUE_MAX: usize = 4096;

/// How long a block that is due waits for the full model's vectors of new shapes: where something
/// critical waits for it, something high, anything else.
pub const BARRIER_NS: [u64; 3] = [50_000_000, 200_000_000, 500_000_000];

/// Who may wait for a block that they asked for.
pub const SEAL_ASKED_MAX: usize = 16;

/// How long who asked for a block waits for it.
pub const SEAL_PATIENCE: Duration = Duration::from_secs(20);

/// Lines of a block that are searched in memory where the log has given them up: some GiB.
pub const AS_OF_LINES_MAX: u64 = 1_000_000;

/// Events of one element that are told at once, the newest: some 50 MB.
pub const HISTORY_EVENTS_MAX: usize = 100_000;

/// How soon a block that could not be sealed is tried again, at first and at last.
pub const SEAL_RETRY_NS: (u64, u64) = (1_000_000_000, 60_000_000_000);

/// The disk's cap is looked after this often, besides after each block.
pub const TEND_NS: u64 = 10_000_000_000;

/// And when what was left below the cap was appended, but after no less than this: looking costs.
pub const TEND_STEP_BYTES: u64 = 256 << 10;

/// How soon a block follows that retention wants.
pub const WANTS_SEAL_NS: u64 = 100_000_000;

/// Lines behind the last block that a start counts by kind: half a gigabyte, read in a second.
pub const SINCE_LINES_MAX: u64 = 1_000_000;

/// What was appended is kept by the hour, for a day.
pub const RATE_HOUR_NS: u64 = 3_600_000_000_000;
pub const RATE_DAY_SAMPLES: usize = 25;

/// After a log error, this long until the log is opened anew.
pub const LOG_RETRY_NS: u64 = 2_000_000_000;

/// Counters of ports are kept in `state/` this often, for the note about the time without us.
pub const STATE_NS: u64 = 5_000_000_000;

/// How long the end waits for replicas that are connected to have the last block.
pub const SHIP_PATIENCE: Duration = Duration::from_secs(2);

/// How long a stop may take altogether, and how long any one thread is waited for.
pub const STOP_PATIENCE: Duration = Duration::from_secs(20);

/// Ports whose names are kept, gone ones included.
pub const PORTS_MAX: usize = 4096;

/// Bridges that have a number; one more takes that of the bridge that is gone longest. No tap holds
/// more ports than this.
pub const BRIDGES_MAX: usize = 1024;

/// Changes that the writer is told at once.
pub const CHANGES_AT_ONCE_MAX: usize = 256;

/// Interfaces, bridges and ports whose changes are told; what is beyond is tapped all the same.
pub const ELEMENTS_WATCHED_MAX: usize = 8192;

const _: () = assert!(BRIDGES_MAX <= PORTS_MAX && BRIDGES_MAX < u16::MAX as usize);
const _: () = assert!(WRITER_QUEUE_MAX * LIVE_FEATURES_MAX * 1024 <= 32 * 1024 * 1024);
const _: () = assert!(INDEX_WAITING_ASKED_LINES < TAIL_LINES_MAX);
const _: () = assert!(IMPORT_BATCHES_WAITING * IMPORTS_MAX as usize <= WRITER_QUEUE_MAX);
