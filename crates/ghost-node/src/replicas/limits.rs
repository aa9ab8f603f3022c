//! Every limit of questions to replicas and to held logs, each with its reason.

use std::time::Duration;

/// Logs of others that one host answers for: each keeps an index open and a thread that feeds it.
pub(crate) const HELD_LOGS_MAX: usize = 64;

/// Replicas that one question goes to: each takes a thread while it answers.
pub(crate) const REPLICAS_ASKED_MAX: usize = 16;

/// Answers that are being fetched from replicas at the same time, over all questions.
pub(crate) const FETCHES_MAX: usize = 64;

/// How long a replica may take for its whole answer; then the others' are told without it.
pub(crate) const REPLICA_PATIENCE: Duration = Duration::from_secs(10);

/// Hits of one replica's answer that are read.
pub(crate) const REPLICA_HITS_MAX: usize = 10_000;

/// Bytes of one replica's answer that are read: every hit that may come with a line of usual size.
pub(crate) const REPLICA_BYTES_MAX: usize = 32 << 20;

/// The head of an answer: a page of words, notes and a table.
pub(crate) const HEAD_BYTES_MAX: usize = 1 << 20;

/// Notes of one replica that are passed on, and the letters of each: they are told to people.
pub(crate) const NOTES_MAX: usize = 8;
pub(crate) const NOTE_CHARS_MAX: usize = 300;

/// Questions that a replica answers at the same time; one more is refused as busy.
pub(crate) const ANSWERING_MAX: u32 = 4;

/// Bytes of an answer that go out at once.
pub(crate) const PART_BYTES: usize = ghost_ship::ANSWER_BYTES_MAX;

/// How often a held log is looked at where nobody says that something came.
pub(crate) const HELD_LOOK: Duration = Duration::from_millis(1000);

/// What the turn of a replica weighs at the most; one that is far behind or busy weighs 1.
pub(crate) const TURN_WEIGHT_MAX: i64 = 64;

const _: () = assert!(REPLICAS_ASKED_MAX <= FETCHES_MAX);
const _: () = assert!(HEAD_BYTES_MAX < REPLICA_BYTES_MAX);
