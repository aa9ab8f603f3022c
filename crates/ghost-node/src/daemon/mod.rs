//! The daemon: frames in on one side, answers out on the other, one log between them.
//!
//! ```text
//! taps ─▶ tap thread ─▶ [writer's queue] ─▶ writer ─▶ log ─▶ index thread
//!            ▲                                 ▲                  │
//!            └── open flows ── question ◀──────┼──────────────────┘
//!                          imports, notes ─────┘
//! ```
//! [`Daemon::start`] takes all it needs as arguments; a [`Daemon`] is a handle that may be cloned
//! and asked from any thread. Frames are never waited for and never wait: what finds no room is
//! counted, and told by a `gap` line as soon as there is room again.

mod status;

use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use ghost_event::Seq;
use ghost_index::IndexError;
use ghost_log::LogError;
use ghost_query::Answer;
use ghost_tap::live::{LiveFrame, Polled, PortCounters};
use ghost_world::Clock;
use jiff::tz::TimeZone;

pub use status::{
    Flows, IndexStatus, LogStatus, Loss, ModelStatus, PortStatus, QueueStatus, Status, Traffic,
};

use crate::config::Config;
use crate::import::FileReport;
use crate::store::{Limits, StoreError};
use crate::{DataDir, Models};

/// What the daemon asks of the program.
pub trait DaemonHost: Send + Sync {
    fn clock(&self) -> Arc<dyn Clock>;
    /// Sixteen bytes that nobody can guess: a new log's name, and the seed of hashes.
    fn random_id(&self) -> [u8; 16];
    /// Something that the operator should know.
    fn say(&self, words: &str);
    /// The zone in which a question's times are understood.
    fn time_zone(&self) -> TimeZone {
        TimeZone::UTC
    }
}

/// Where frames come from.
pub enum FrameSource {
    /// Nowhere: log, index and API alone.
    None,
    /// This host's bridges, through the attach helper.
    Helper(Box<dyn Helpers>),
    /// Whatever hands out frames, with the ports that they name.
    Fed { frames: Box<dyn Frames>, ports: Vec<FedPort> },
}

impl std::fmt::Debug for FrameSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            FrameSource::None => "None",
            FrameSource::Helper(_) => "Helper",
            FrameSource::Fed { .. } => "Fed",
        })
    }
}

/// Brings the engine to its attach helper: once at the start, and anew (with a back-off of the
/// caller's) whenever a helper has hung up.
pub trait Helpers: Send {
    /// A connected SOCK_SEQPACKET socket, for `ghost_tap::live::Helper::connect`.
    ///
    /// # Errors
    /// No helper can be had now; the words say what to do.
    fn connect(&mut self) -> std::io::Result<OwnedFd>;
}

/// A port of [`FrameSource::Fed`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FedPort {
    pub ifindex: u32,
    pub name: String,
    pub bridge: u16,
}

/// Hands out frames; a tap.
pub trait Frames: Send {
    /// Hands at most `budget` frames to `each`, and never blocks.
    fn poll(&mut self, budget: u32, each: &mut dyn FnMut(&LiveFrame<'_>)) -> Polled;
    fn counters(&self) -> Vec<PortCounters>;
}

/// Why the daemon did not start or do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DaemonError {
    /// The filter words are off.
    #[error("filter: {0}")]
    Filter(ghost_wire::filter::FilterError),
    /// Another writer, a damaged log, a full disk.
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("can't start a thread: {0}")]
    Thread(std::io::Error),
    /// What it was asked for is not there in this version.
    #[error("{0}")]
    Unsupported(&'static str),
    /// It was told to stop.
    #[error("the daemon is stopping")]
    Stopping,
}

/// What [`Daemon::reload`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Keys whose new values hold now.
    pub applied: Vec<String>,
    /// Keys whose new values hold after a restart.
    pub needs_restart: Vec<String>,
}

/// An answer, and where the lines of its hits are.
#[derive(Debug)]
pub struct Answered {
    pub answer: Answer,
    lines: HitLines,
}

#[derive(Debug, Default)]
struct HitLines {}

impl Answered {
    /// The line of hit number `at`; an open flow's is provisional and has no number in the log yet.
    ///
    /// # Errors
    /// The log can't be read there.
    pub fn line(&self, at: usize) -> Result<Vec<u8>, LogError> {
        let _ = (&self.lines, at);
        Err(LogError::NoSuchLine { segment: 0, offset: 0 })
    }
}

/// One capture for the daemon to import.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportAsk {
    /// The name under which its events are logged.
    pub file: String,
    /// Of the capture's content, where whoever sends it knows it beforehand: only then can a known
    /// capture be refused and an interrupted one be completed.
    pub sha256: Option<String>,
    /// BPF filter words.
    pub filter: String,
    pub again: bool,
    pub no_idle_timeout: bool,
    pub updates_s: Option<u64>,
}

/// Why an import was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    #[error("filter: {0}")]
    Filter(ghost_wire::filter::FilterError),
    /// The log would not take it.
    #[error("{0}")]
    Log(String),
    #[error("too many imports run already; try again when one is done")]
    Busy,
    #[error("the daemon is stopping; what was imported so far is kept, the same command completes it")]
    Stopping,
}

/// New lines of the log as they come.
#[derive(Debug)]
pub struct Follow {}

impl Follow {
    /// The lines that came since the last call and meet the conditions; none is no end.
    ///
    /// # Errors
    /// The log can't be read.
    pub fn next(&mut self) -> Result<Vec<Vec<u8>>, StoreError> {
        Ok(Vec::new())
    }
}

/// How it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stopped {
    /// The log's last durable line.
    pub durable: Seq,
    /// Open flows that were ended and logged.
    pub flows_ended: u64,
    /// What could not be done in time.
    pub trouble: Vec<String>,
}

/// A handle to the running daemon.
#[derive(Debug, Clone)]
pub struct Daemon {
    status: Arc<Status>,
}

impl Daemon {
    /// Starts every thread and returns; frames are taken in from here on.
    ///
    /// # Errors
    /// The data folder is another's, the log is damaged, the configuration can't be.
    pub fn start(
        config: Config,
        data: &DataDir,
        models: Models,
        source: FrameSource,
        host: Arc<dyn DaemonHost>,
    ) -> Result<Daemon, DaemonError> {
        let _ = (config, data, models, source, host);
        Err(DaemonError::Unsupported("the daemon is not built in this version"))
    }

    /// Answers plain words, open flows included.
    ///
    /// # Errors
    /// The words hold a filter that can't be read, or log or index can't be.
    pub fn query(&self, words: &str, limits: &Limits) -> Result<Answered, StoreError> {
        Err(StoreError::NotAFilter(format!("{words} {limits:?}")))
    }

    /// Lists what meets the conditions, oldest first, open flows included.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn flows(&self, filters: &str, limits: &Limits) -> Result<Answered, StoreError> {
        Err(StoreError::NotAFilter(format!("{filters} {limits:?}")))
    }

    /// Finds what is like one event (its number in the log, or a Community ID).
    ///
    /// # Errors
    /// There is no such event, or log or index can't be read.
    pub fn similar(&self, to: &str, limits: &Limits) -> Result<Answered, StoreError> {
        Err(StoreError::NotAFilter(format!("{to} {limits:?}")))
    }

    /// Events as they are logged from now on.
    ///
    /// # Errors
    /// The conditions can't be read.
    pub fn follow(&self, filters: &str) -> Result<Follow, StoreError> {
        Err(StoreError::NotAFilter(filters.to_owned()))
    }

    /// How it stands; costs next to nothing.
    #[must_use]
    pub fn status(&self) -> Status {
        (*self.status).clone()
    }

    /// Imports one capture from anything that reads, on the thread of the caller. `told` hears the
    /// bytes read so far now and then, and ends the import by answering false.
    ///
    /// # Errors
    /// It was not begun, or not ended; a capture that is damaged or known is told in the report.
    pub fn import(
        &self,
        ask: &ImportAsk,
        input: Box<dyn Read + Send>,
        told: &mut dyn FnMut(u64) -> bool,
    ) -> Result<FileReport, ImportError> {
        let _ = (ask, input, told(0));
        Err(ImportError::Stopping)
    }

    /// Applies what can be changed while running, all of it or nothing.
    ///
    /// # Errors
    /// The new configuration can't be; the old one holds.
    pub fn reload(&self, config: Config) -> Result<Reloaded, DaemonError> {
        let _ = config;
        Err(DaemonError::Stopping)
    }

    /// Whether every thread is at work: what a watchdog asks for.
    #[must_use]
    pub fn alive(&self) -> bool {
        false
    }

    /// Drains the taps, ends open flows, makes the log durable, commits the index; in bounded time.
    pub fn stop(&self) -> Stopped {
        Stopped::default()
    }
}
