//! Every replica of this log: added, asked, paused, removed.
//!
//! Each has a thread of its own; what is done here waits for the disk at most.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use ghost_event::Priority;
use ghost_ship::plan::{Quiet, Strategy};
use ghost_ship::wire::LogId;
use ghost_ship::{QUESTION_BYTES_MAX, QUESTIONS_MAX};
use ghost_world::{Clock, RealDisk};
use serde_json::json;

use super::asking::{PARTS_MAX, Part};
use super::mine::Mine;
use super::news::News;
use super::peer::{Around, Order, Peer, Shown};
use super::record::{self, Record};
use super::wake::Wake;
use super::{
    Address, HostKey, Pins, REPLICAS_MAX, ReplicaAsk, ReplicaConfig, ReplicaError, ReplicaStatus,
    is_name, known_hosts, ssh_folder,
};
use crate::DataDir;
use crate::daemon::DaemonHost;
use crate::daemon::changes::Changed;
use crate::daemon::queues::Queue;
use crate::daemon::shared::Shared;
use crate::daemon::writer::Command;

/// Orders that wait for a replica's thread.
const ORDERS_MAX: usize = 16 + QUESTIONS_MAX;

/// How long an order may wait for room.
const ORDER_PATIENCE: Duration = Duration::from_secs(2);

/// One replica's thread.
struct Handle {
    config: ReplicaConfig,
    shown: Arc<Shown>,
    orders: Sender<Order>,
    wake: Arc<Wake>,
    thread: JoinHandle<()>,
}

/// What the registry takes from the daemon.
pub(crate) struct Parts {
    pub(crate) host: Arc<dyn DaemonHost>,
    pub(crate) data: DataDir,
    pub(crate) shared: Arc<Shared>,
    pub(crate) writer: Queue<Command>,
    pub(crate) strategy: Strategy,
    pub(crate) news: Arc<News>,
    pub(crate) seed: u64,
}

/// All replicas.
pub(crate) struct Shipping {
    parts: Parts,
    clock: Arc<dyn Clock>,
    pins: Arc<Pins>,
    handles: Mutex<BTreeMap<String, Handle>>,
    questions: AtomicU64,
}

/// What the records say.
pub(super) fn known(data: &DataDir) -> (Vec<ReplicaStatus>, Vec<String>) {
    let (records, told) = record::read_all(data);
    let status = |r: Record| ReplicaStatus {
        state: if r.paused { "paused" } else { "unknown" }.to_owned(),
        refused: r.refused.as_ref().map(|r| r.code.clone()).unwrap_or_default(),
        refused_words: r.refused.as_ref().map(|r| r.words.clone()).unwrap_or_default(),
        held: r.held,
        verified_block: r.blocks.last().map_or(0, |b| b.block),
        verified_size: r.blocks.last().map_or(0, |b| b.size),
        verified_ns: r.verified_ns,
        cosigned_size: r.cosigned_size,
        cosigned_ns: r.cosigned_ns,
        cosigning_key: r.cosigning_key,
        last_success_ns: r.held_ns,
        paused: r.paused,
        rate_limit: r.rate_limit,
        quiet: r.quiet.unwrap_or_default(),
        identity: r.identity,
        program: r.program,
        name: r.name,
        address: r.address,
        ..ReplicaStatus::default()
    };
    (records.into_iter().map(status).collect(), told)
}

/// Whether these are hours; none and the empty text are.
pub(super) fn check_quiet(quiet: Option<&str>) -> Result<(), ReplicaError> {
    match quiet {
        Some(text) if !text.is_empty() && Quiet::parse(text).is_none() => Err(ReplicaError::Quiet),
        _ => Ok(()),
    }
}

impl Shipping {
    /// Begins to send to every replica that is remembered.
    pub(crate) fn begin(parts: Parts) -> Shipping {
        let (records, unread) = record::read_all(&parts.data);
        for told in &unread {
            parts.host.say(told);
            parts.shared.warn(told.clone());
        }
        let shipping = Shipping {
            clock: parts.host.clock(),
            parts,
            pins: Arc::default(),
            handles: Mutex::default(),
            questions: AtomicU64::new(1),
        };
        let mut handles = shipping.handles();
        for record in records.into_iter().take(REPLICAS_MAX) {
            let name = record.name.clone();
            match shipping.start(record) {
                Ok(handle) => drop(handles.insert(name, handle)),
                Err(error) => {
                    let told = format!("replica {name}: {error}");
                    shipping.parts.host.say(&told);
                    shipping.parts.shared.warn(told);
                }
            }
        }
        shipping.listen(&handles);
        drop(handles);
        shipping
    }

    fn handles(&self) -> MutexGuard<'_, BTreeMap<String, Handle>> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The writer tells of the log from now on, where somebody listens.
    fn listen(&self, handles: &BTreeMap<String, Handle>) {
        let wakes = handles.values().map(|handle| Arc::clone(&handle.wake)).collect();
        self.parts.news.listen(wakes);
        self.parts.news.turn(!handles.is_empty());
        if !handles.is_empty() {
            // So that it tells what there is already. It has other things to do meanwhile.
            let (reply, _) = bounded(1);
            let _ = self.parts.writer.offer(Command::Flush(reply));
        }
    }

    fn start(&self, record: Record) -> Result<Handle, ReplicaError> {
        let (config, settings) = (record.config()?, record.settings()?);
        let log = LogId::parse(&self.parts.shared.texts().log_id)
            .ok_or_else(|| ReplicaError::Io("the log has no name".to_owned()))?;
        let wake = Arc::new(Wake::new()?);
        let shown = Arc::new(Shown::new(record));
        let (orders, ordered) = bounded(ORDERS_MAX);
        let shared = Arc::clone(&self.parts.shared);
        let around = Around {
            host: Arc::clone(&self.parts.host),
            clock: Arc::clone(&self.clock),
            zone: self.parts.host.time_zone(),
            data: self.parts.data.clone(),
            strategy: self.parts.strategy,
            news: Arc::clone(&self.parts.news),
            pins: Arc::clone(&self.pins),
            writer: self.parts.writer.clone(),
            volume: Arc::new(move || shared.texts().blocks.volume == "btrfs"),
        };
        let mine = Mine::new(Arc::new(RealDisk), &self.parts.data, log);
        let seed = self.parts.seed ^ self.questions.fetch_add(1, Ordering::Relaxed);
        let peer = Peer::new(
            config.clone(),
            around,
            Arc::clone(&wake),
            ordered,
            Arc::clone(&shown),
            settings,
            mine,
            seed,
        );
        peer.begin();
        let thread = std::thread::Builder::new()
            .name(format!("ship-{}", config.name))
            .spawn(move || peer.run())?;
        Ok(Handle { config, shown, orders, wake, thread })
    }

    pub(crate) fn statuses(&self) -> Vec<ReplicaStatus> {
        self.handles().values().map(|handle| handle.shown.status().clone()).collect()
    }

    pub(crate) fn has_any(&self) -> bool {
        !self.handles().is_empty()
    }

    /// How often the writer found the door closed.
    pub(crate) fn missed(&self) -> u64 {
        self.parts.news.missed()
    }

    pub(super) fn status(&self, name: &str) -> Result<ReplicaStatus, ReplicaError> {
        self.with(name, |handle| Ok(handle.shown.status().clone()))
    }

    fn with<T>(
        &self,
        name: &str,
        f: impl FnOnce(&Handle) -> Result<T, ReplicaError>,
    ) -> Result<T, ReplicaError> {
        match self.handles().get(name) {
            Some(handle) => f(handle),
            None => Err(ReplicaError::Unknown(name.chars().take(64).collect())),
        }
    }

    pub(super) fn key(&self) -> Result<String, ReplicaError> {
        Ok(self.parts.host.ship_key(self.parts.data.root())?)
    }

    pub(super) fn host_keys(&self, address: &str) -> Result<Vec<HostKey>, ReplicaError> {
        Ok(self.parts.host.host_keys(&address.parse::<Address>()?)?)
    }

    pub(super) fn add(&self, ask: &ReplicaAsk) -> Result<ReplicaStatus, ReplicaError> {
        if !is_name(&ask.name) {
            return Err(ReplicaError::Name);
        }
        let address: Address = ask.address.parse()?;
        check_quiet(ask.quiet.as_deref())?;
        if self.parts.shared.stopping() {
            return Err(ReplicaError::Stopping);
        }
        if !ask.host_keys.is_empty() {
            let folder = ssh_folder(self.parts.data.root());
            known_hosts::confirm(&folder, &address, &ask.host_keys)?;
        }
        let mut handles = self.handles();
        if handles.contains_key(&ask.name) {
            return Err(ReplicaError::Exists(ask.name.clone()));
        }
        if handles.len() >= REPLICAS_MAX {
            return Err(ReplicaError::TooMany);
        }
        let config = ReplicaConfig { name: ask.name.clone(), address };
        let mut record = Record::new(&config, self.clock.wall_ns());
        record.rate_limit = ask.rate_limit.filter(|rate| *rate > 0);
        record.quiet = ask.quiet.clone().filter(|quiet| !quiet.is_empty());
        record.save(&self.parts.data, true)?;
        let handle = self.start(record)?;
        let status = handle.shown.status().clone();
        handles.insert(ask.name.clone(), handle);
        self.listen(&handles);
        drop(handles);
        self.note(&ask.name, "added");
        Ok(status)
    }

    /// A line in the log about what an operator did.
    fn note(&self, name: &str, action: &'static str) {
        let changed = Changed {
            id: format!("replica:{name}"),
            action,
            fields: Vec::new(),
            before: BTreeMap::new(),
            after: [("by".to_owned(), json!("operator"))].into(),
            priority: Priority::Low,
        };
        // A full queue has better things to hold.
        let _ = self.parts.writer.offer(Command::Changes(vec![changed]));
    }

    fn order(handle: &Handle, order: Order) -> Result<(), ReplicaError> {
        let sent = handle.orders.send_timeout(order, ORDER_PATIENCE);
        handle.wake.wake();
        sent.map_err(|_| ReplicaError::Busy(handle.config.name.clone()))
    }

    pub(super) fn sync(&self, name: &str) -> Result<ReplicaStatus, ReplicaError> {
        self.with(name, |handle| {
            Self::order(handle, Order::Sync)?;
            Ok(handle.shown.status().clone())
        })
    }

    pub(super) fn set(
        &self,
        name: &str,
        change: &dyn Fn(&mut Record),
    ) -> Result<ReplicaStatus, ReplicaError> {
        self.with(name, |handle| {
            let settings = {
                let mut record = handle.shown.record();
                let mut changed = record.clone();
                change(&mut changed);
                let settings = changed.settings()?;
                changed.save(&self.parts.data, true)?;
                *record = changed;
                settings
            };
            Self::order(handle, Order::Settings(settings))?;
            Ok(handle.shown.status().clone())
        })
    }

    pub(super) fn remove(&self, name: &str) -> Result<(), ReplicaError> {
        let handle = {
            let mut handles = self.handles();
            let handle = handles.remove(name);
            self.listen(&handles);
            handle.ok_or_else(|| ReplicaError::Unknown(name.chars().take(64).collect()))?
        };
        end(handle);
        self.pins.forget(name, &self.parts.news);
        Record::remove(&self.parts.data, name)?;
        self.note(name, "removed");
        Ok(())
    }

    pub(super) fn ask(
        &self,
        name: &str,
        question: &[u8],
        patience: Duration,
        out: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<(), ReplicaError> {
        let body = std::str::from_utf8(question).ok().filter(|q| q.len() <= QUESTION_BYTES_MAX);
        let body = body.ok_or_else(|| ReplicaError::Io("the question is too long".to_owned()))?;
        let id = self.questions.fetch_add(1, Ordering::Relaxed);
        let (parts, answer) = bounded(PARTS_MAX);
        let (orders, wake) = self.with(name, |handle| {
            let order = Order::Ask { id, body: body.to_owned(), parts };
            Self::order(handle, order)?;
            Ok((handle.orders.clone(), Arc::clone(&handle.wake)))
        })?;
        let forget = || {
            // A thread that is gone has forgotten it.
            let _ = orders.try_send(Order::Forget(id));
            wake.wake();
        };
        let lost =
            |why: &str| ReplicaError::NotConnected { name: name.to_owned(), why: why.into() };
        let patience_ns = u64::try_from(patience.as_nanos()).unwrap_or(u64::MAX);
        let end_ns = self.clock.monotonic_ns().saturating_add(patience_ns);
        loop {
            let left = end_ns.saturating_sub(self.clock.monotonic_ns());
            match answer.recv_timeout(Duration::from_nanos(left)) {
                Ok(Part::Bytes(bytes)) => {
                    if !out(&bytes) {
                        forget();
                        return Ok(());
                    }
                }
                Ok(Part::End) => return Ok(()),
                Ok(Part::Busy) => return Err(ReplicaError::Busy(name.to_owned())),
                Ok(Part::Refused(words)) => return Err(lost(&format!("it refused: {words}"))),
                Ok(Part::Lost) | Err(RecvTimeoutError::Disconnected) => {
                    let why = self.status(name).map(|s| s.last_failure).unwrap_or_default();
                    return Err(lost(if why.is_empty() { "it is not there" } else { &why }));
                }
                Err(RecvTimeoutError::Timeout) => {
                    forget();
                    return Err(ReplicaError::Late(name.to_owned()));
                }
            }
        }
    }

    /// Waits a moment for those that are connected to have the newest block, then ends all.
    pub(crate) fn end(&self, patience: Duration) {
        let step = Duration::from_millis(5);
        let newest = self.parts.news.state().sealed.last().map_or(0, |b| b.number);
        let mut waited = Duration::ZERO;
        let behind =
            |s: &ReplicaStatus| s.is_connected() && s.waits.is_empty() && s.verified_block < newest;
        while waited < patience && self.statuses().iter().any(behind) {
            std::thread::sleep(step);
            waited += step;
        }
        let handles = std::mem::take(&mut *self.handles());
        for handle in handles.values() {
            let _ = handle.orders.try_send(Order::Stop);
            handle.wake.wake();
        }
        handles.into_values().for_each(end);
    }
}

/// Ends one thread.
fn end(handle: Handle) {
    let Handle { orders, wake, thread, .. } = handle;
    let _ = orders.try_send(Order::Stop);
    // A full queue ends by itself: nobody is left to give orders.
    drop(orders);
    wake.wake();
    // A thread that ended by a fault has nothing more to say.
    let _ = thread.join();
}
