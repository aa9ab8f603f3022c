//! The logs that this host holds, each opened for receiving.
//!
//! A [`Holding`] is one log: what is believed of it ([`State`]), and whose turn it is to speak for
//! it. Of two connections the newer one has it: the older is one that its primary has lost.

mod retain;
mod state;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ghost_log::proof::key::is_name;
use ghost_ship::wire::{Code, LogId, Refusal};
use ghost_world::Disk;

use crate::limits::LOGS_MAX;
use crate::{ReceiveStream, ReplicaDir, ReplicaError};

pub(crate) use state::{Edited, State, Verified, delete, health, incoming_of, room, seal_of};

/// What is asked of the program.
pub trait ReplicaHost: Debug + Send + Sync {
    /// Thirty-two bytes that nobody can guess: of which a cosigning key is made.
    fn seed(&self) -> [u8; 32];
    /// Something that the operator should know.
    fn say(&self, words: &str);
}

/// What the operator set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Blocks kept of each of the last so many hours and days, besides the last two.
    pub keep_hourly: u32,
    pub keep_daily: u32,
    /// Room that is left to others.
    pub spare_bytes: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { keep_hourly: 24, keep_daily: 30, spare_bytes: 64 << 20 }
    }
}

/// What all holdings of one host share.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) disk: Arc<dyn Disk>,
    /// As cosignatures bear it: a name without spaces.
    pub(crate) name: String,
    pub(crate) program: String,
    pub(crate) host: Arc<dyn ReplicaHost>,
    pub(crate) receive: Arc<dyn ReceiveStream>,
    settings: Mutex<Settings>,
}

impl Common {
    pub(crate) fn settings(&self) -> Settings {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All logs that are held under one data folder.
#[derive(Debug)]
pub struct Holdings {
    data: PathBuf,
    common: Arc<Common>,
    logs: Mutex<BTreeMap<LogId, Arc<Holding>>>,
}

impl Holdings {
    /// `name` is this host's, as its cosignatures bear it.
    #[must_use]
    pub fn new(
        disk: Arc<dyn Disk>,
        data: &Path,
        name: &str,
        program: &str,
        host: Arc<dyn ReplicaHost>,
        receive: Arc<dyn ReceiveStream>,
        settings: Settings,
    ) -> Holdings {
        let fits = |c: &char| is_name(&c.to_string()) && !c.is_control();
        let mut name: String = name.chars().filter(fits).take(128).collect();
        if name.is_empty() {
            "replica".clone_into(&mut name);
        }
        let settings = Mutex::new(settings);
        let program = program.to_owned();
        let common = Common { disk, name, program, host, receive, settings };
        Holdings { data: data.to_owned(), common: Arc::new(common), logs: Mutex::default() }
    }

    pub(crate) fn common(&self) -> &Common {
        &self.common
    }

    /// The operator set something else.
    pub fn set(&self, settings: Settings) {
        *self.common.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    /// Opens one log for receiving; nothing is made on the disk before a primary was met.
    ///
    /// # Errors
    /// There is no room for one more.
    pub fn open(&self, log: LogId) -> Result<Arc<Holding>, ReplicaError> {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(holding) = logs.get(&log) {
            return Ok(Arc::clone(holding));
        }
        let there = ReplicaDir::list(&self.data);
        let held = there.len().max(logs.len());
        if held >= LOGS_MAX && !there.iter().any(|dir| dir.log_id() == log) {
            return Err(ReplicaError::TooMany { held });
        }
        let holding = Arc::new(Holding {
            dir: ReplicaDir::of(&self.data, log),
            common: Arc::clone(&self.common),
            state: Mutex::new(None),
            turn: AtomicU64::new(0),
            busy: Mutex::new(false),
            free: Condvar::new(),
        });
        logs.insert(log, Arc::clone(&holding));
        Ok(holding)
    }
}

/// One log that is held here.
#[derive(Debug)]
pub struct Holding {
    dir: ReplicaDir,
    common: Arc<Common>,
    /// None before it is looked at, and after the disk failed.
    state: Mutex<Option<State>>,
    /// Counts connections: the newest has the turn.
    turn: AtomicU64,
    busy: Mutex<bool>,
    free: Condvar,
}

/// How long a connection waits for the one before it to end.
const TURN: Duration = Duration::from_secs(20);

impl Holding {
    #[must_use]
    pub fn dir(&self) -> &ReplicaDir {
        &self.dir
    }

    pub(crate) fn common(&self) -> &Common {
        &self.common
    }

    /// Does something with what is believed. Where the disk failed before, it is read anew first.
    pub(crate) fn with<T>(
        &self,
        now_ns: i64,
        work: impl FnOnce(&mut State) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut held = self.state();
        if held.as_ref().is_some_and(State::is_broken) {
            *held = None;
        }
        let state = match &mut *held {
            Some(state) => state,
            empty => match State::load(&self.dir, &self.common, now_ns) {
                Ok(state) => empty.insert(state),
                Err(error) => {
                    self.common.host.say(&format!("replica of {}: {error}", self.dir.log_id()));
                    return Err(Refusal::new(Code::Later, "this replica can't read what it holds"));
                }
            },
        };
        work(state)
    }

    fn state(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn to speak for this log; none where the one before does not end, or `stop`.
    pub(crate) fn turn(&self, stop: &AtomicBool) -> Option<Turn<'_>> {
        let number = self.turn.fetch_add(1, Ordering::AcqRel) + 1;
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let slice = Duration::from_millis(100);
        let mut waited = Duration::ZERO;
        while *busy {
            if waited >= TURN || stop.load(Ordering::Acquire) || !self.is_turn(number) {
                return None;
            }
            let woken = self.free.wait_timeout(busy, slice);
            busy = woken.unwrap_or_else(PoisonError::into_inner).0;
            waited += slice;
        }
        *busy = true;
        Some(Turn { holding: self, number })
    }

    fn is_turn(&self, number: u64) -> bool {
        self.turn.load(Ordering::Acquire) == number
    }
}

/// The right to speak for one log.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    holding: &'a Holding,
    number: u64,
}

impl Turn<'_> {
    /// False when a newer connection is here.
    pub(crate) fn lasts(&self) -> bool {
        self.holding.is_turn(self.number)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.holding.busy.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.holding.free.notify_all();
    }
}
