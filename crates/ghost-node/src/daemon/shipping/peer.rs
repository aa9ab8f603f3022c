//! One replica's thread: does what the plan says, and tells the plan what came of it.
//!
//! It waits in one place, for the connection, the block that it reads, and news, all at once;
//! nothing else in it waits but for this host's disk. A connection that breaks is made again as the
//! plan says; whatever went wrong is told in the status and noted in the log.

mod acting;
mod hearing;
mod noting;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, TryRecvError};
use ghost_event::Digest;
use ghost_ship::plan::{self, Action, Link, Now, Replica, Settings, Strategy};
use ghost_ship::wire::{BlockBegin, Form, Frame, Level, Refusal};
use ghost_world::{Clock, Random};
use jiff::tz::TimeZone;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::asking::{Asking, Part};
use super::line::Line;
use super::mine::Mine;
use super::news::News;
use super::record::Record;
use super::source::{Sender, Source};
use super::told::ReplicaStatus;
use super::wake::Wake;
use super::{Pins, ReplicaConfig};
use crate::DataDir;
use crate::daemon::DaemonHost;
use crate::daemon::queues::Queue;
use crate::daemon::writer::Command;
use noting::Noting;

/// Decisions of one turn; a frame changes the next.
const TURNS_MAX: u32 = 64;

/// Without anything to do it looks around this often.
const IDLE_NS: u64 = 5_000_000_000;

/// Between two writes of what a replica acknowledged.
const SAVE_NS: u64 = 1_000_000_000;

/// What a replica's thread is told.
pub(super) enum Order {
    Settings(Settings),
    /// What was in the way is settled: it is tried again at once.
    Sync,
    Ask {
        id: u64,
        body: String,
        parts: crossbeam_channel::Sender<Part>,
    },
    /// Nobody waits for that answer any more.
    Forget(u64),
    Stop,
}

/// What others see of a replica.
#[derive(Debug)]
pub(super) struct Shown {
    status: Mutex<ReplicaStatus>,
    record: Mutex<Record>,
}

impl Shown {
    pub(super) fn new(record: Record) -> Shown {
        Shown { status: Mutex::default(), record: Mutex::new(record) }
    }

    pub(super) fn status(&self) -> MutexGuard<'_, ReplicaStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a thread needs from the daemon.
pub(super) struct Around {
    pub(super) host: Arc<dyn DaemonHost>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) zone: TimeZone,
    pub(super) data: DataDir,
    pub(super) strategy: Strategy,
    pub(super) news: Arc<News>,
    pub(super) pins: Arc<Pins>,
    pub(super) writer: Queue<Command>,
    /// Whether the log is frozen by btrfs.
    pub(super) volume: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// A block on its way out.
struct Outgoing {
    number: u64,
    root: Digest,
    size: u64,
    /// Not said yet: its first bytes have not come.
    begin: Option<Box<BlockBegin>>,
    source: Source,
    form: Form,
    level: Level,
    offset: u64,
    /// Raw bytes for one of the wire, in percent, as far as they went out.
    percent: u64,
    hungry: bool,
}

pub(super) struct Peer {
    config: ReplicaConfig,
    around: Around,
    wake: Arc<Wake>,
    orders: Receiver<Order>,
    shown: Arc<Shown>,
    plan: Replica,
    mine: Mine,
    line: Option<Line>,
    outgoing: Option<Outgoing>,
    /// Forms that this side can make.
    made: Vec<Form>,
    sender: Sender,
    /// As what it takes blocks, and what it cosigned.
    forms: Vec<Form>,
    witnessed: u64,
    /// Ends of lines that went out on the tail, to check what is acknowledged.
    ends: VecDeque<(u64, Digest)>,
    asking: Asking,
    noting: Noting,
    random: Random,
    /// What is to be told, gathered here.
    status: ReplicaStatus,
    /// Something of the record changed, and when it was written last.
    unsaved: bool,
    saved_ns: u64,
    why: Option<plan::Why>,
    stopping: bool,
}

impl Peer {
    #[expect(clippy::too_many_arguments, reason = "each is another's")]
    pub(super) fn new(
        config: ReplicaConfig,
        around: Around,
        wake: Arc<Wake>,
        orders: Receiver<Order>,
        shown: Arc<Shown>,
        settings: Settings,
        mine: Mine,
        seed: u64,
    ) -> Peer {
        let now_ns = around.clock.monotonic_ns();
        let mut plan = Replica::new(settings, now_ns);
        let status = {
            let record = shown.record();
            plan.blocks = record.blocks_told();
            (plan.held, plan.sent) = (record.held, record.held);
            noting::first_status(&config, &record)
        };
        Peer {
            config,
            around,
            wake,
            orders,
            shown,
            plan,
            mine,
            line: None,
            outgoing: None,
            made: Vec::new(),
            sender: Sender::default(),
            forms: Vec::new(),
            witnessed: 0,
            ends: VecDeque::new(),
            asking: Asking::default(),
            noting: Noting::default(),
            random: Random::new(seed),
            status,
            unsaved: false,
            saved_ns: 0,
            why: None,
            stopping: false,
        }
    }

    /// Shows how it stands, and what it needs, before the thread runs.
    pub(super) fn begin(&self) {
        self.shown.status().clone_from(&self.status);
        self.around.pins.held(&self.config.name, self.plan.held, &self.around.news);
        self.repin();
    }

    /// Until it is told to stop.
    pub(super) fn run(mut self) {
        loop {
            self.wake.looked();
            self.obey();
            if self.stopping {
                break;
            }
            let now_ns = self.now();
            self.hear(now_ns);
            let wake_ns = self.decide();
            self.flush();
            self.tell();
            self.wait(wake_ns);
        }
        if self.line.is_some() {
            self.put(&Frame::Bye, Level::NONE);
            self.hang_up("stopped");
        }
        self.save(true);
        self.tell();
    }

    fn now(&self) -> u64 {
        self.around.clock.monotonic_ns()
    }

    fn obey(&mut self) {
        loop {
            match self.orders.try_recv() {
                Ok(Order::Settings(settings)) => {
                    let now_ns = self.now();
                    self.plan.configure(settings, now_ns);
                }
                Ok(Order::Sync) => {
                    let now_ns = self.now();
                    self.plan.settle(now_ns);
                }
                Ok(Order::Ask { id, body, parts }) => self.ask(id, body, parts),
                Ok(Order::Forget(id)) => {
                    if self.asking.forget(id) {
                        self.put(&Frame::Cancel { id }, Level::NONE);
                    }
                }
                Ok(Order::Stop) | Err(TryRecvError::Disconnected) => {
                    self.stopping = true;
                    return;
                }
                Err(TryRecvError::Empty) => return,
            }
        }
    }

    /// Does what the plan says; when it wants to be asked again.
    fn decide(&mut self) -> Option<u64> {
        let mut wake_ns = None;
        for _ in 0..TURNS_MAX {
            let now = self.plan_now();
            let decision = {
                let state = self.around.news.state();
                if state.epoch == 0 {
                    // The writer has told nothing yet: it wakes us when it has.
                    return None;
                }
                let primary = plan::Primary {
                    strategy: self.around.strategy,
                    durable: state.durable.seq,
                    line_bytes: state.line_bytes,
                    waiting: &state.waiting,
                    blocks: &state.sealed,
                };
                plan::next(&primary, &self.plan, now)
            };
            (wake_ns, self.why) = (decision.wake_ns, decision.waits);
            let mut acted = false;
            for action in decision.actions {
                acted |= self.act(action, now.ns);
            }
            if !acted {
                break;
            }
            // What is to be said at once is on its way before the next is thought of.
            self.flush();
        }
        wake_ns
    }

    fn plan_now(&self) -> Now {
        let ns = self.now();
        if self.plan.settings.quiet.is_none() {
            return Now { ns, minute: 0 };
        }
        let at = jiff::Timestamp::from_nanosecond(self.around.clock.wall_ns().into());
        let at = at.unwrap_or_default().to_zoned(self.around.zone.clone());
        let minute =
            u16::from(at.hour().unsigned_abs()) * 60 + u16::from(at.minute().unsigned_abs());
        Now { ns, minute }
    }

    fn act(&mut self, action: Action, now_ns: u64) -> bool {
        match action {
            Action::Connect => self.connect(),
            Action::HangUp => {
                let why = if self.plan.settings.paused {
                    self.put(&Frame::Bye, Level::NONE);
                    "paused"
                } else {
                    "it fell silent"
                };
                self.hang_up(why);
                true
            }
            Action::Ping => {
                self.put(&Frame::Ping { token: now_ns }, Level::NONE);
                true
            }
            Action::Tail { after, upto, level } => self.tail(after, upto, level),
            Action::Block { number, parent, level } => self.begin_block(number, parent, level),
            Action::Cosign { size } => self.ask_cosignature(size),
            Action::Chunks { bytes } => self.chunk(bytes),
        }
    }

    fn connect(&mut self) -> bool {
        let now_ns = self.now();
        self.plan.connecting(now_ns);
        self.status.connects += 1;
        let made = self.around.host.connect(&self.config, self.around.data.root());
        match made.and_then(Line::new) {
            Ok(line) => {
                let bytes = line.waits() as u64;
                self.line = Some(line);
                self.plan.sent_bytes(bytes, now_ns);
                self.status.sent_bytes += bytes;
            }
            Err(error) => self.failed(&error.to_string()),
        }
        true
    }

    /// The connection is given up. Its last words say more than ours where there are any.
    fn hang_up(&mut self, why: &str) {
        let words = self.line.take().map(Line::end).unwrap_or_default();
        let words = words.trim();
        let is_ours = self.plan.settings.paused || self.stopping;
        if is_ours {
            self.drop_connection();
        } else {
            self.failed(if words.is_empty() { why } else { words });
        }
    }

    fn failed(&mut self, why: &str) {
        self.status.failures += 1;
        self.status.last_failure = why.chars().take(400).collect();
        self.status.last_failure_ns = self.around.clock.wall_ns();
        self.drop_connection();
    }

    fn drop_connection(&mut self) {
        self.line = None;
        self.outgoing = None;
        self.ends.clear();
        self.asking.lost();
        if !matches!(self.plan.link, Link::Down { .. }) {
            let (now_ns, roll) = (self.now(), self.random.number());
            self.plan.lost(now_ns, roll);
        }
        self.repin();
    }

    /// Puts a frame behind what waits to go out.
    fn put(&mut self, frame: &Frame, level: Level) {
        let now_ns = self.now();
        let Some(line) = &mut self.line else { return };
        let bytes = line.put(frame, level);
        self.plan.sent_bytes(bytes, now_ns);
        self.status.sent_bytes += bytes;
    }

    fn flush(&mut self) {
        if let Some(line) = &mut self.line
            && let Err(error) = line.flush()
        {
            self.hang_up(&format!("the connection broke: {error}"));
        }
    }

    /// This side refuses: the other is told, and the connection ends.
    fn refuse(&mut self, refusal: Refusal) {
        self.put(&Frame::Refusal(refusal.clone()), Level::NONE);
        self.flush();
        self.refused(refusal, "primary");
    }

    fn repin(&self) {
        let blocks = self.plan.blocks.clone();
        let sending = self.plan.sending;
        self.around.pins.need(&self.config.name, blocks, sending, &self.around.news);
    }

    fn ask(&mut self, id: u64, body: String, parts: crossbeam_channel::Sender<Part>) {
        if self.plan.link != Link::Open {
            // Whoever asked may have gone.
            let _ = parts.try_send(Part::Lost);
        } else if self.asking.begin(id, parts) {
            self.status.questions += 1;
            self.put(&Frame::Question { id, body }, Level::NONE);
        }
    }

    fn answered(&mut self, id: u64, last: bool, bytes: Vec<u8>) {
        if !self.asking.part(id, last, bytes) {
            self.put(&Frame::Cancel { id }, Level::NONE);
        }
    }

    /// Writes what is remembered, at most once a second.
    fn save(&mut self, now: bool) {
        let now_ns = self.now();
        if self.unsaved && (now || now_ns.saturating_sub(self.saved_ns) >= SAVE_NS) {
            self.saved_ns = now_ns;
            self.unsaved = false;
            let record = self.shown.record().clone();
            if let Err(error) = record.save(&self.around.data, false) {
                self.status.last_failure = format!("its record can't be written: {error}");
            }
        }
    }

    /// Waits for the connection, a block's next bytes, or news.
    fn wait(&mut self, wake_ns: Option<u64>) {
        let now_ns = self.now();
        let mut at_ns = wake_ns.unwrap_or(u64::MAX).min(now_ns.saturating_add(IDLE_NS));
        if self.unsaved {
            at_ns = at_ns.min(self.saved_ns.saturating_add(SAVE_NS));
        }
        let left = at_ns.saturating_sub(now_ns);
        let limit = Timespec {
            tv_sec: i64::try_from(left / 1_000_000_000).unwrap_or(1),
            tv_nsec: i64::try_from(left % 1_000_000_000).unwrap_or(0),
        };
        let mut fds = vec![PollFd::from_borrowed_fd(self.wake.fd(), PollFlags::IN)];
        if let Some(line) = &self.line {
            fds.push(PollFd::from_borrowed_fd(line.read_fd(), PollFlags::IN));
            if line.waits() > 0 {
                fds.push(PollFd::from_borrowed_fd(line.write_fd(), PollFlags::OUT));
            }
        }
        if let Some(fd) = self.outgoing.as_ref().filter(|o| o.hungry).and_then(|o| o.source.fd()) {
            fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
        }
        // A signal wakes as well as anything.
        let _ = poll(&mut fds, Some(&limit));
    }
}
