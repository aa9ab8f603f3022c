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

mod answers;
mod asking;
mod changes;
mod gap;
mod hint;
mod indexer;
mod machine;
mod open_flows;
mod pipeline;
mod ports;
mod queues;
mod receiving;
mod refine;
#[cfg(test)]
pub(crate) mod sample;
mod scorer;
mod sealing;
mod session;
mod shared;
mod shipping;
mod shutdown;
mod status;
mod wall;
mod writer;

use std::collections::BTreeMap;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{JoinHandle, Thread};

use crossbeam_channel::{Sender, bounded};
use ghost_block::{Block, BlockError, Volume};
use ghost_event::Seq;
use ghost_host::{HostError, PlanError};
use ghost_index::IndexError;
use ghost_log::{LogConfig, LogError};
use ghost_query::Tags;
use ghost_tap::live::{LiveFrame, Polled, PortCounters, TapError};
use ghost_wire::filter::Filter;
use ghost_world::{Clock, RealDisk};
use jiff::Zoned;
use jiff::tz::TimeZone;

pub use answers::{Answered, Follow};
pub(crate) use changes::Changed;
pub(crate) use indexer::{Held, Searched};
pub(crate) use machine::host_name;
pub(crate) use open_flows::OPEN_SEQ;
pub use receiving::{Receiving, hand_over, socket_beside};
pub use scorer::WishError;
pub use shipping::{
    Address, Carrier, Connection, HostKey, NotAnAddress, REPLICAS_MAX, ReplicaAsk, ReplicaConfig,
    ReplicaError, ReplicaStatus, cosigned_by, replicas_known, ssh_folder,
};
pub use status::{
    BlocksStatus, Flows, IndexStatus, LogStatus, Loss, ModelStatus, PortStatus, QueueStatus,
    Status, Traffic,
};

use crate::anomaly::alerts::{Desks, Numbers};
use crate::ask::Encoder;
use crate::config::{Config, Granularity};
use crate::import::FileReport;
use crate::limits::{SEAL_PATIENCE, TAP_CONTROL_MAX, WRITER_QUEUE_MAX};
use crate::replicas::answering::Answering;
use crate::replicas::fan::Fans;
use crate::replicas::logs::HeldLogs;
use crate::store::{Limits, StoreError};
use crate::timed::Timed;
use crate::{DataDir, Models, PROGRAM};
use answers::{Kind, SharedEncoder, TAP_TOLD};
use gap::Losses;
use indexer::{Indexer, Waker};
use pipeline::{Control, Pipeline};
use ports::{PortsControl, PortsThread};
use queues::Queue;
use refine::SharedModel;
use sealing::Sealing;
use session::{Running, Session};
use shared::Shared;
use shipping::{News, Shipping, Teller};
use writer::{Command, Opening, Writer};

/// What the daemon asks of the program.
pub trait DaemonHost: Send + Sync {
    fn clock(&self) -> Arc<dyn Clock>;
    /// Sixteen bytes that nobody can guess: a new log's name, and the seed of hashes.
    fn random_id(&self) -> [u8; 16];
    /// Thirty-two bytes that nobody can guess: from which a key is made where there is none.
    fn random_seed(&self) -> [u8; 32];
    /// Something that the operator should know.
    fn say(&self, words: &str);
    /// Where the log is frozen into blocks: on btrfs through the block helper, where there is one.
    ///
    /// # Errors
    /// It can't be had now; it is asked for again.
    fn volume(&self, data: &Path) -> Result<Box<dyn Volume>, BlockError> {
        Ok(ghost_block::open_volume(data))
    }
    /// A connection to a replica of the log under `data`.
    ///
    /// # Errors
    /// It can't be made now; it is tried again.
    fn connect(&self, replica: &ReplicaConfig, data: &Path) -> std::io::Result<Connection> {
        let _ = (replica, data);
        Err(std::io::Error::other("this program reaches no replicas"))
    }
    /// The public key with which replicas know this host, made where there is none.
    ///
    /// # Errors
    /// It can't be made.
    fn ship_key(&self, data: &Path) -> std::io::Result<String> {
        let _ = data;
        Err(std::io::Error::other("this program reaches no replicas"))
    }
    /// The keys that the host at `address` shows.
    ///
    /// # Errors
    /// It does not answer.
    fn host_keys(&self, address: &Address) -> std::io::Result<Vec<HostKey>> {
        let _ = address;
        Err(std::io::Error::other("this program reaches no replicas"))
    }
    /// Who turns the btrfs streams of other hosts into subvolumes; where nobody does, their blocks come
    /// as lines.
    fn receives(&self, data: &Path) -> Arc<dyn ghost_replica::ReceiveStream> {
        let _ = data;
        Arc::new(ghost_replica::LinesOnly)
    }
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
    /// The host can't be asked what it has.
    #[error(transparent)]
    Host(HostError),
    /// What was asked for can't be tapped so.
    #[error(transparent)]
    Plan(PlanError),
    /// No attach helper can be had.
    #[error("no attach helper: {0}")]
    Helper(std::io::Error),
    #[error(transparent)]
    Tap(TapError),
    /// It was told to stop.
    #[error("the daemon is stopping")]
    Stopping,
    /// A thread did not hear of it in time.
    #[error("the daemon is too busy; try again")]
    Busy,
}

/// What [`Daemon::reload`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Keys whose new values hold now.
    pub applied: Vec<String>,
    /// Keys whose new values hold after a restart.
    pub needs_restart: Vec<String>,
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
    #[error(
        "the daemon is stopping; what was imported so far is kept, the same command completes it"
    )]
    Stopping,
}

/// Why no block was sealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    #[error("{0}")]
    Failed(String),
    #[error("the writer did not come to it in time; see `ghostbridge status`")]
    Busy,
    #[error("the daemon is stopping; it seals what is there at its end")]
    Stopping,
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
    inner: Arc<Inner>,
}

/// A way to the tap thread that wakes it.
#[derive(Debug, Clone)]
pub(crate) struct TapWaker {
    control: Sender<Control>,
    thread: Arc<OnceLock<Thread>>,
}

impl TapWaker {
    /// Tells it something; false where it did not hear in time.
    fn tell(&self, control: Control) -> bool {
        let told = self.control.send_timeout(control, TAP_TOLD).is_ok();
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
        told
    }
}

/// What all handles share.
pub(crate) struct Inner {
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    host: Arc<dyn DaemonHost>,
    data: DataDir,
    profile: ghost_embed::Profile,
    config: Mutex<Config>,
    writer: Queue<Command>,
    tap: TapWaker,
    ports: Option<Sender<PortsControl>>,
    index: Waker,
    searched: Arc<Searched>,
    shipping: Shipping,
    held_logs: Arc<HeldLogs>,
    answering: Answering,
    fans: Fans,
    encoder: SharedEncoder,
    alerted: Numbers,
    running: Running,
    receiving: receiving::Held,
    started_ns: i64,
    threads: Mutex<Vec<JoinHandle<()>>>,
    stopped: AtomicBool,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Inner({})", self.data.root().display())
    }
}

impl Inner {
    fn tell_tap(&self, control: Control) -> bool {
        self.tap.tell(control)
    }

    fn now(&self) -> Zoned {
        let at = jiff::Timestamp::from_nanosecond(self.clock.wall_ns().into()).unwrap_or_default();
        at.to_zoned(self.host.time_zone())
    }

    /// The operator's words for hosts, as they stand in the file now.
    fn tags(&self) -> Tags {
        Tags::new(self.named_tags())
    }

    fn named_tags(&self) -> BTreeMap<String, Vec<String>> {
        let named = self.config.lock().unwrap_or_else(PoisonError::into_inner).tags.clone();
        let path = named.unwrap_or_else(|| self.data.tags_file());
        // A file that can't be read is told when it is needed: its words are then unknown.
        crate::Tags::read(&path, false).unwrap_or_default().tags
    }
}

fn compile(words: &str) -> Result<Option<Filter>, DaemonError> {
    match words.trim() {
        "" => Ok(None),
        words => Filter::compile(words).map(Some).map_err(DaemonError::Filter),
    }
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
        let filter = compile(&config.filter)?;
        let clock = host.clock();
        let random = host.random_id();
        let profile = models.profile;
        let shared = Arc::new(Shared::default());
        let opening = Opening {
            data: data.clone(),
            config: LogConfig {
                segment_bytes: config.log.segment_bytes,
                log_id: random,
                identity: config.identity.clone().unwrap_or_else(machine::host_name),
                key_seed: host.random_seed(),
                program: PROGRAM.to_owned(),
                holder: format!("ghostbridge run, pid {}", std::process::id()),
                ..LogConfig::default()
            },
            profile,
            clock: Arc::clone(&clock),
            disk: Arc::new(Timed::new(RealDisk, Arc::clone(&shared.syncs), Arc::clone(&clock))),
        };
        let (mut pen, recovery) = opening.pen()?;
        for told in recovery.told() {
            host.say(&told);
            shared.warn(told);
        }
        shared.epoch.set(recovery.epoch);
        shared.log_head.set(pen.log.head().seq);
        shared.log_durable.set(pen.log.durable().seq);
        shared.texts().log_id = recovery.log_id.clone();
        let mut threads = Vec::new();
        let (queue, commands) = Queue::new("writer", WRITER_QUEUE_MAX);
        let model = SharedModel::new(models);
        let (refine, thread) = refine::start(
            model.clone(),
            profile,
            Arc::clone(&shared),
            queue.clone(),
            Arc::clone(&clock),
        )
        .map_err(DaemonError::Thread)?;
        threads.push(thread);
        let index = Waker::default();
        let news = Arc::new(News::default());
        let mut sealing = Sealing::new(
            &config.blocks,
            config.log.disk_cap,
            data,
            Arc::clone(&shared),
            Arc::clone(&host),
            Teller::new(Arc::clone(&news)),
        );
        sealing.begin(&mut pen)?;
        let identity = config.identity.clone().unwrap_or_else(machine::host_name);
        let (desks, tellers) =
            Desks::start(&config.alerts.told(), &identity, &clock, scorer::seed(&random))
                .map_err(DaemonError::Thread)?;
        threads.extend(tellers);
        let alerted = desks.numbers();
        let writer = Writer {
            sealing,
            bytes_before: 0,
            opening,
            pen: Some(pen),
            shared: Arc::clone(&shared),
            index: index.clone(),
            refine: refine.clone(),
            losses: Losses::default(),
            retry_ns: 0,
            due_ns: None,
            lines: 0,
            ports: shared.ports(),
            ports_version: 0,
            incidents_epoch: recovery.epoch,
            desks,
        };
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || writer.run(&commands))
            .map_err(DaemonError::Thread)?;
        threads.push(thread);
        let searched = Arc::new(Searched::new(data));
        let indexer = Indexer {
            searched: Arc::clone(&searched),
            shared: Arc::clone(&shared),
            clock: Arc::clone(&clock),
            data: data.clone(),
            refine: Some(refine),
        };
        threads.push(indexer.start(&index).map_err(DaemonError::Thread)?);
        let held_logs = Arc::new(HeldLogs::new(data, true));
        let told = Arc::clone(&shared);
        threads.push(
            held_logs
                .start(Arc::clone(&clock), move |words| told.warn(words))
                .map_err(DaemonError::Thread)?,
        );
        let (control, wishes) = bounded(TAP_CONTROL_MAX);
        let tap = TapWaker { control, thread: Arc::default() };
        let (frames, helpers) = match source {
            FrameSource::None => (None, None),
            FrameSource::Helper(helpers) => (None, Some(helpers)),
            FrameSource::Fed { frames, ports } => {
                shared.set_ports(ports::fed(&ports));
                (Some(frames), None)
            }
        };
        let (scoring, keeper, thread) = scorer::begin(&config, data, &shared, &*host)?;
        threads.extend(thread);
        let [a, b, c, d, e, f, g, h, ..] = random;
        let pipeline = Pipeline {
            frames,
            flow: config.flow_table(u64::from_le_bytes([a, b, c, d, e, f, g, h])),
            filter,
            packets: config.granularity == Granularity::Packet,
            digest: config.packet.digest,
            scoring,
            keeper,
            shared: Arc::clone(&shared),
            writer: queue.clone(),
            control: wishes,
            clock: Arc::clone(&clock),
        };
        let thread = pipeline.start().map_err(DaemonError::Thread)?;
        // Set once, here.
        let _ = tap.thread.set(thread.thread().clone());
        threads.push(thread);
        let mut ports = None;
        if let Some(helpers) = helpers {
            let mut thread = PortsThread {
                helpers,
                wish: config.wish(),
                sources: config.sources(),
                ring_bytes: config.tap.ring_bytes,
                shared: Arc::clone(&shared),
                writer: queue.clone(),
                tap: tap.clone(),
                clock: Arc::clone(&clock),
                host: Arc::clone(&host),
                state: data.root().join("state"),
                attached: ports::Attached::default(),
                stock: changes::Stock::default(),
            };
            let (tell, told) = bounded(4);
            let watcher = match thread.begin() {
                Ok(watcher) => watcher,
                Err(error) => {
                    shared.stopping.store(true, Ordering::Relaxed);
                    shutdown::tap_and_writer(&tap, &queue);
                    shared.log_ended.store(true, Ordering::Release);
                    index.wake();
                    held_logs.stop();
                    return Err(error);
                }
            };
            threads.push(thread.start(watcher, told).map_err(DaemonError::Thread)?);
            ports = Some(tell);
        }
        let open = Box::new(move || model.get());
        let shipping = Shipping::begin(shipping::Parts {
            host: Arc::clone(&host),
            data: data.clone(),
            shared: Arc::clone(&shared),
            writer: queue.clone(),
            strategy: config.blocks.shipping(),
            news,
            seed: u64::from_le_bytes([h, g, f, e, d, c, b, a]),
        });
        let inner = Inner {
            shipping,
            started_ns: clock.wall_ns(),
            shared,
            clock,
            host,
            data: data.clone(),
            profile,
            config: Mutex::new(config),
            writer: queue,
            tap,
            ports,
            index,
            searched,
            held_logs,
            answering: Answering::default(),
            fans: Fans::default(),
            encoder: Mutex::new(Encoder::new(profile, open)),
            alerted,
            running: Running::default(),
            receiving: receiving::Held::default(),
            threads: Mutex::new(threads),
            stopped: AtomicBool::new(false),
        };
        Ok(Daemon { inner: Arc::new(inner) })
    }

    /// Answers plain words, open flows included.
    ///
    /// # Errors
    /// The words hold a filter that can't be read, or log or index can't be.
    pub fn query(&self, words: &str, limits: &Limits) -> Result<Answered, StoreError> {
        self.inner.ask(Kind::Query(words), limits)
    }

    /// Lists what meets the conditions, oldest first, open flows included.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn flows(&self, filters: &str, limits: &Limits) -> Result<Answered, StoreError> {
        self.inner.ask(Kind::Flows(filters), limits)
    }

    /// What stretches of time look like: `now`, `list`, `match WORDS`, `trend [WORDS]`.
    ///
    /// # Errors
    /// It is none of them, or log or index can't be read.
    pub fn patterns(&self, text: &str, limits: &Limits) -> Result<Answered, StoreError> {
        self.inner.ask(Kind::Patterns(text), limits)
    }

    /// What is new, gone, more and less between two stretches of time or two hosts: `A vs B`.
    ///
    /// # Errors
    /// A side can't be read or is of nothing known, or log or index can't be read.
    pub fn compare(&self, text: &str, limits: &Limits) -> Result<Answered, StoreError> {
        self.inner.ask(Kind::Compare(text), limits)
    }

    /// Finds what is like one event (its number in the log, or a Community ID), host, stretch of
    /// time or element.
    ///
    /// # Errors
    /// There is no such event, or log or index can't be read.
    pub fn similar(&self, to: &str, limits: &Limits) -> Result<Answered, StoreError> {
        self.inner.ask(Kind::Similar(to), limits)
    }

    /// Events as they are logged from now on.
    ///
    /// # Errors
    /// The conditions can't be read.
    pub fn follow(&self, filters: &str) -> Result<Follow, StoreError> {
        Follow::new(&self.inner, filters)
    }

    /// How it stands; costs next to nothing.
    #[must_use]
    pub fn status(&self) -> Status {
        self.inner.status()
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
        let session = Session {
            shared: &self.inner.shared,
            running: &self.inner.running,
            writer: &self.inner.writer,
            reader: self.inner.searched.reader(),
            anomalies: self.inner.anomalies(),
        };
        session.run(ask, input, told)
    }

    /// Seals the log into a block now; none where there is nothing new.
    ///
    /// # Errors
    /// It could not be sealed, in words that say what to do.
    pub fn seal(&self) -> Result<Option<Block>, SealError> {
        let (reply, sealed) = bounded(1);
        self.inner.writer.put(Command::Seal(reply)).map_err(|_| SealError::Stopping)?;
        let sealed = sealed.recv_timeout(SEAL_PATIENCE);
        sealed.map_err(|_| SealError::Busy)?.map_err(SealError::Failed)
    }

    /// Applies what can be changed while running, all of it or nothing.
    ///
    /// # Errors
    /// The new configuration can't be; the old one holds.
    pub fn reload(&self, config: Config) -> Result<Reloaded, DaemonError> {
        self.inner.reload(config)
    }

    /// Whether every thread is at work: what a watchdog asks for.
    #[must_use]
    pub fn alive(&self) -> bool {
        self.inner.alive()
    }

    /// Drains the taps, ends open flows, makes the log durable, commits the index; in bounded time.
    pub fn stop(&self) -> Stopped {
        self.inner.stop()
    }
}
