//! All logs of other hosts that are held here, by name; and the thread that feeds their indexes.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{JoinHandle, Thread};

use ghost_event::Seq;
use ghost_replica::ReplicaDir;
use ghost_ship::wire::LogId;
use ghost_world::Clock;

use super::held::{Feeding, HeldLog, HeldNow};
use super::limits::{HELD_LOGS_MAX, HELD_LOOK};
use super::marked::Mark;
use crate::DataDir;
use crate::store::StoreError;

/// The name of the log that this host writes.
pub(crate) const OWN: &str = "own";

/// The logs that are held in one data folder.
#[derive(Debug)]
pub(crate) struct HeldLogs {
    data: PathBuf,
    logs: Mutex<Vec<Arc<HeldLog>>>,
    /// Where nobody feeds the indexes, who asks opens them.
    fed: bool,
    /// Wakes the thread that feeds them.
    feeder: OnceLock<Thread>,
    stopping: AtomicBool,
    /// A log came of which nothing is known here yet.
    strange: AtomicBool,
}

/// The logs that one question is for.
#[derive(Debug)]
pub(crate) struct Chosen {
    /// This host's own is among them.
    pub(crate) own: bool,
    /// All that are held, by id, with their names; a mark is a place in this list.
    held: Vec<(String, Arc<HeldLog>)>,
    /// Those of them that are asked.
    asked: Vec<bool>,
    /// More than one is asked: hits say whose they are.
    pub(crate) several: bool,
}

impl HeldLogs {
    /// Those under `data`; `fed` where a thread feeds their indexes.
    pub(crate) fn new(data: &DataDir, fed: bool) -> HeldLogs {
        let logs = HeldLogs {
            data: data.root().to_owned(),
            logs: Mutex::default(),
            fed,
            feeder: OnceLock::new(),
            stopping: AtomicBool::new(false),
            strange: AtomicBool::new(false),
        };
        logs.look();
        logs
    }

    /// Looks which are there; they keep their indexes.
    fn look(&self) -> Vec<Arc<HeldLog>> {
        let mut dirs = ReplicaDir::list(&self.data);
        dirs.truncate(HELD_LOGS_MAX);
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut *logs);
        for dir in dirs {
            let known = before.iter().find(|log| *log.dir() == dir);
            logs.push(known.map_or_else(|| Arc::new(HeldLog::new(dir)), Arc::clone));
        }
        logs.clone()
    }

    fn known(&self) -> Vec<Arc<HeldLog>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The logs of these names: `own`, hosts, or how ids begin; all of them where none is named.
    ///
    /// # Errors
    /// A name is nobody's.
    pub(crate) fn choose(&self, names: &[String]) -> Result<Chosen, StoreError> {
        // Without a thread they are what they were at first: so marks stay what they are.
        let logs = if self.fed { self.look() } else { self.known() };
        let dirs: Vec<ReplicaDir> = logs.iter().map(|log| log.dir().clone()).collect();
        let all = names.is_empty();
        let mut chosen = Chosen {
            own: all || names.iter().any(|name| name == OWN),
            asked: vec![all; logs.len()],
            held: logs.iter().map(|log| (log.dir().name(&dirs), Arc::clone(log))).collect(),
            several: false,
        };
        for name in names.iter().filter(|name| *name != OWN) {
            let dir = ReplicaDir::named(&dirs, name);
            let at = dir.and_then(|dir| dirs.iter().position(|other| other == dir));
            let Some(asked) = at.and_then(|at| chosen.asked.get_mut(at)) else {
                let held = chosen.held.iter().map(|(name, _)| name.as_str());
                let known: Vec<&str> = std::iter::once(OWN).chain(held).collect();
                return Err(StoreError::NoSuchLog { name: name.clone(), known: known.join(", ") });
            };
            *asked = true;
        }
        let asked = chosen.asked.iter().filter(|asked| **asked).count();
        chosen.several = asked + usize::from(chosen.own) > 1;
        Ok(chosen)
    }

    /// Holds index and tail of each, for one question; where nobody feeds the indexes, they are
    /// opened first. What one of them can't be asked for is told, and the others are asked.
    pub(crate) fn hold<'a>(&self, chosen: &'a Chosen) -> (Vec<HeldNow<'a>>, Vec<String>) {
        let (mut held, mut notes) = (Vec::new(), Vec::new());
        // Always in one order: two questions never wait for each other.
        for ((mark, (name, log)), asked) in (1..).zip(&chosen.held).zip(&chosen.asked) {
            if !asked {
                continue;
            }
            let opened = if self.fed { Ok(Vec::new()) } else { log.open_once() };
            let told = opened.and_then(|told| Ok((log.hold(name, mark)?, told)));
            match told {
                Ok((now, told)) => {
                    notes.extend(told.into_iter().map(|note| format!("{name}: {note}")));
                    held.push(now);
                }
                Err(error) => notes.push(format!("not searched: {name}: {error}")),
            }
        }
        (held, notes)
    }

    /// Something came of this log: its index is fed now.
    pub(crate) fn came(&self, id: LogId) {
        if self.known().iter().all(|log| log.dir().log_id() != id) {
            self.strange.store(true, Ordering::Release);
        }
        self.wake();
    }

    fn wake(&self) {
        if let Some(thread) = self.feeder.get() {
            thread.unpark();
        }
    }

    /// The newest line that the index of a log has.
    pub(crate) fn indexed(&self, id: LogId) -> Seq {
        self.known().iter().find(|log| log.dir().log_id() == id).map_or(0, |log| log.indexed())
    }

    /// Starts the thread that feeds every index; `say` hears of trouble, once for each kind.
    pub(crate) fn start(
        self: &Arc<HeldLogs>,
        clock: Arc<dyn Clock>,
        say: impl Fn(String) + Send + 'static,
    ) -> std::io::Result<JoinHandle<()>> {
        let all = Arc::clone(self);
        let thread = std::thread::Builder::new()
            .name("held-index".to_owned())
            .spawn(move || all.feed(&*clock, &say))?;
        // Set once, here.
        let _ = self.feeder.set(thread.thread().clone());
        Ok(thread)
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.wake();
    }

    fn feed(&self, clock: &dyn Clock, say: &dyn Fn(String)) {
        let mut fed: Vec<(Arc<HeldLog>, Feeding, String)> = Vec::new();
        let mut looked_ns = None;
        while !self.stopping.load(Ordering::Acquire) {
            let now_ns = clock.monotonic_ns();
            let due = |at: u64| now_ns.saturating_sub(at) >= HELD_LOOK.as_nanos() as u64;
            let strange = self.strange.swap(false, Ordering::AcqRel);
            let logs = if strange || looked_ns.is_none_or(due) {
                looked_ns = Some(now_ns);
                self.look()
            } else {
                self.known()
            };
            fed.retain(|(log, _, _)| {
                let stays = logs.iter().any(|other| Arc::ptr_eq(other, log));
                if !stays {
                    drop(log.close());
                }
                stays
            });
            for log in logs {
                if fed.iter().all(|(other, _, _)| !Arc::ptr_eq(other, &log)) {
                    fed.push((log, Feeding::default(), String::new()));
                }
            }
            let (mut more, mut waiting) = (false, false);
            for (log, feeding, trouble) in &mut fed {
                match log.feed(feeding, now_ns, false) {
                    Ok(step) => {
                        (more, waiting) = (more | step.more, waiting | step.waiting);
                        trouble.clear();
                        let id = log.dir().log_id();
                        step.notes.into_iter().for_each(|note| say(format!("log {id}: {note}")));
                    }
                    Err(error) => {
                        // Tried again from where the index stands.
                        *feeding = Feeding::default();
                        let told = error.to_string();
                        if *trouble != told {
                            say(format!("log {} is not indexed: {told}", log.dir().log_id()));
                            *trouble = told;
                        }
                    }
                }
                log.give_way();
            }
            if !more {
                std::thread::park_timeout(if waiting { HELD_LOOK / 4 } else { HELD_LOOK });
            }
        }
        for (log, _, _) in fed {
            if let Err(error) = log.close() {
                say(format!("log {}: {error}", log.dir().log_id()));
            }
        }
    }
}

impl Chosen {
    /// The held log that is asked, where it is one alone.
    pub(crate) fn only(&self) -> Option<&HeldLog> {
        let mut asked = self.held.iter().zip(&self.asked).filter(|(_, asked)| **asked);
        let ((_, log), _) = asked.next().filter(|_| !self.own)?;
        asked.next().is_none().then_some(log)
    }

    /// The log of a mark, and its name.
    pub(crate) fn of(&self, mark: Mark) -> Option<(&str, &HeldLog)> {
        let (name, log) = self.held.get(usize::from(mark).checked_sub(1)?)?;
        Some((name, log))
    }
}
