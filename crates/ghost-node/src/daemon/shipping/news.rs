//! What the writer tells of the log, and what it hears back, without ever waiting.
//!
//! The writer keeps at most four marks and the list of blocks to itself until it finds the door
//! open; what it could not hand over goes with the next. So news are joined, never lost, and a
//! replica's thread that thinks for long delays no line.
//!
//! **Invariant:** the writer only ever tries a lock, and without replicas does not even that.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use ghost_block::Block;
use ghost_event::Priority;
use ghost_log::{Head, Log};
use ghost_ship::plan::{Sealed, Waiting};

use super::wake::Wake;

/// What replicas' threads know of the log.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) waiting: Waiting,
    pub(super) durable: Head,
    pub(super) epoch: u64,
    /// Of an average line.
    pub(super) line_bytes: u64,
    /// Oldest first.
    pub(super) blocks: Vec<Block>,
    pub(super) sealed: Vec<Sealed>,
}

/// Between the writer and the threads of the replicas.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// There are replicas.
    on: AtomicBool,
    state: Mutex<State>,
    wakes: Mutex<Vec<Arc<Wake>>>,
    /// Numbers of blocks that replicas need, and how often that changed.
    pins: Mutex<BTreeSet<u64>>,
    pins_version: AtomicU64,
    /// How often the writer found the door closed and came again.
    missed: AtomicU64,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tried<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

impl News {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    /// From now on the writer tells of the log, or no longer.
    pub(super) fn turn(&self, on: bool) {
        if !on {
            // What is known grows old from now on.
            self.state().epoch = 0;
        }
        self.on.store(on, Ordering::Relaxed);
    }

    pub(super) fn listen(&self, wakes: Vec<Arc<Wake>>) {
        *locked(&self.wakes) = wakes;
    }

    pub(super) fn pin(&self, numbers: BTreeSet<u64>) {
        let mut pins = locked(&self.pins);
        if *pins != numbers {
            *pins = numbers;
            self.pins_version.fetch_add(1, Ordering::Release);
        }
    }

    pub(super) fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    fn wake(&self) -> bool {
        let Some(wakes) = tried(&self.wakes) else { return false };
        wakes.iter().for_each(|wake| wake.wake());
        true
    }
}

/// The writer's end.
#[derive(Debug)]
pub(crate) struct Teller {
    news: Arc<News>,
    on: bool,
    /// Of each priority: since when an event waits that was not told of.
    since: [Option<u64>; 4],
    told: Head,
    epoch: u64,
    /// What was not handed over yet.
    blocks: Option<Vec<Block>>,
    wakes: bool,
    /// The door was closed.
    late: bool,
    pins_version: u64,
}

const PRIORITIES: [Priority; 4] =
    [Priority::Low, Priority::Medium, Priority::High, Priority::Critical];

impl Teller {
    pub(crate) fn new(news: Arc<News>) -> Teller {
        Teller {
            news,
            on: false,
            since: [None; 4],
            told: Head::default(),
            epoch: 0,
            blocks: None,
            wakes: false,
            late: false,
            pins_version: 0,
        }
    }

    /// An event was appended.
    pub(crate) fn event(&mut self, prio: Priority, now_ns: u64) {
        if self.on {
            self.since[prio as usize].get_or_insert(now_ns);
        }
    }

    /// The blocks that are there.
    pub(crate) fn blocks(&mut self, blocks: &[Block]) {
        self.blocks = Some(blocks.to_vec());
    }

    /// Hands over what is durable, where somebody wants to know. `line_bytes` is of an average line.
    pub(crate) fn tell(&mut self, log: &Log, line_bytes: impl FnOnce() -> u64, now_ns: u64) {
        let on = self.news.on.load(Ordering::Relaxed);
        if on && !self.on {
            // What is there already may be lacking anywhere, and nobody knows how it presses.
            self.since[Priority::High as usize].get_or_insert(now_ns);
            self.told = Head::default();
        }
        self.on = on;
        if on {
            self.hand_over(log, line_bytes);
        }
    }

    fn hand_over(&mut self, log: &Log, line_bytes: impl FnOnce() -> u64) {
        let (durable, head) = (log.durable(), log.head().seq);
        let news = durable != self.told || log.epoch() != self.epoch || self.blocks.is_some();
        if news {
            let Some(mut state) = tried(&self.news.state) else {
                self.news.missed.fetch_add(1, Ordering::Relaxed);
                self.late = true;
                return;
            };
            self.late = false;
            for (since, prio) in self.since.iter_mut().zip(PRIORITIES) {
                if let Some(at) = since.take() {
                    state.waiting.event(head, prio, at);
                }
            }
            state.durable = durable;
            state.epoch = log.epoch();
            state.line_bytes = line_bytes().max(1);
            if let Some(blocks) = self.blocks.take() {
                let sealed =
                    |b: &Block| Sealed { number: b.name.number, size: b.size, root: b.root };
                state.sealed = blocks.iter().map(sealed).collect();
                state.blocks = blocks;
            }
            (self.told, self.epoch, self.wakes) = (durable, log.epoch(), true);
        }
        if self.wakes {
            self.wakes = !self.news.wake();
        }
    }

    /// Whether something is left to be handed over, so that the writer should come again soon.
    pub(crate) fn is_late(&self) -> bool {
        self.on && (self.wakes || self.late)
    }

    /// The pinned blocks, where they are others than when this was asked last.
    pub(crate) fn pins(&mut self) -> Option<BTreeSet<u64>> {
        let version = self.news.pins_version.load(Ordering::Acquire);
        if version == self.pins_version {
            return None;
        }
        let pins = tried(&self.news.pins)?.clone();
        self.pins_version = version;
        Some(pins)
    }
}
