//! The refiner: the full model, in the background, for shapes that have only a fast vector.
//!
//! One thread takes waiting texts by priority, oldest first, in small batches of like length, and
//! puts vectors into a bounded channel. Nothing waits for it unless it wants to: a text that finds
//! no room is counted and keeps its fast vector. Ends within one batch of being dropped.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use ghost_event::{Priority, ShapeId, Tier, Vector};

use crate::kernel;
use crate::limits::{REFINER_BATCH_MAX, REFINER_QUEUE_MAX, REFINER_RESULTS_MAX};
use crate::model::{Embed, ModelError};
use crate::profile::Profile;

/// Nanoseconds from anywhere, never backwards.
pub type Clock = Box<dyn Fn() -> u64 + Send>;

/// One finished vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Refined {
    pub id: ShapeId,
    pub vector: Vector,
}

/// What the refiner did so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RefinerCounters {
    /// Texts taken in.
    pub queued: u64,
    /// Texts that found no room, or were pushed out by more pressing ones.
    pub dropped: u64,
    /// Vectors made.
    pub done: u64,
    /// Texts on which the model failed.
    pub failed: u64,
    /// Time inside the model.
    pub spent_ns: u64,
    /// What the model said when it last failed.
    pub last_error: Option<String>,
}

/// The background worker; dropping it stops the thread.
#[derive(Debug)]
pub struct Refiner {
    shared: Arc<Shared>,
    results: Receiver<Refined>,
    worker: Option<JoinHandle<()>>,
    model_id: String,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    queue_max: usize,
}

#[derive(Debug, Default)]
struct State {
    /// By priority, low first.
    waiting: [VecDeque<(ShapeId, Box<str>)>; 4],
    /// Texts inside the model or in the channel, by priority.
    at_work: [usize; 4],
    stop: bool,
    counters: RefinerCounters,
}

impl State {
    fn waiting(&self) -> usize {
        self.waiting.iter().map(VecDeque::len).sum()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Refiner {
    /// Starts the worker. `clock` measures the time spent and nothing else.
    pub fn start(
        model: impl Embed + Send + 'static,
        profile: Profile,
        clock: Clock,
    ) -> std::io::Result<Refiner> {
        Refiner::with_room(model, profile, clock, REFINER_QUEUE_MAX)
    }

    /// As [`Refiner::start`], with room for `queue_max` waiting texts.
    pub fn with_room(
        model: impl Embed + Send + 'static,
        profile: Profile,
        clock: Clock,
        queue_max: usize,
    ) -> std::io::Result<Refiner> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::default()),
            changed: Condvar::new(),
            queue_max,
        });
        let (sender, results) = bounded(REFINER_RESULTS_MAX);
        let model_id = model.id().to_owned();
        let worker = std::thread::Builder::new().name("refiner".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || work(&shared, model, profile, &clock, &sender)
        })?;
        Ok(Refiner { shared, results, worker: Some(worker), model_id })
    }

    /// Names the weights of every vector that comes out.
    #[must_use]
    pub fn model_id(&self) -> &str {
        &self.model_id
    }

    /// Lets `text` be embedded. Returns false where it found no room; a more pressing text takes
    /// the place of the newest of the least pressing.
    pub fn take(&self, id: ShapeId, text: &str, priority: Priority) -> bool {
        let mut state = self.shared.state();
        let level = priority as usize;
        if state.waiting() >= self.shared.queue_max {
            let Some(lower) = (0..level).find(|l| !state.waiting[*l].is_empty()) else {
                state.counters.dropped += 1;
                return false;
            };
            state.waiting[lower].pop_back();
            state.counters.dropped += 1;
        }
        state.waiting[level].push_back((id, text.into()));
        state.counters.queued += 1;
        drop(state);
        self.shared.changed.notify_all();
        true
    }

    /// A finished vector, if one is there.
    #[must_use]
    pub fn try_next(&self) -> Option<Refined> {
        self.results.try_recv().ok()
    }

    /// The channel of finished vectors, for those who wait on several.
    #[must_use]
    pub fn results(&self) -> &Receiver<Refined> {
        &self.results
    }

    /// Texts of at least this priority whose vectors are not in the channel yet.
    #[must_use]
    pub fn pending(&self, at_least: Priority) -> usize {
        let state = self.shared.state();
        (at_least as usize..4).map(|l| state.waiting[l].len() + state.at_work[l]).sum()
    }

    /// Waits until every text taken so far is done, and hands each vector to `each`. The longest
    /// wait is that of a full queue: some seconds for hundreds of texts, a minute for thousands.
    pub fn drain(&self, mut each: impl FnMut(Refined)) {
        loop {
            while let Ok(refined) = self.results.try_recv() {
                each(refined);
            }
            let state = self.shared.state();
            let busy = state.waiting() + state.at_work.iter().sum::<usize>() > 0;
            let ended = state.stop || self.worker.as_ref().is_none_or(JoinHandle::is_finished);
            if !busy || (ended && self.results.is_empty()) {
                drop(state);
                self.results.try_iter().for_each(&mut each);
                return;
            }
            if self.results.is_empty() {
                // Woken by the worker after each batch; the time is only a net.
                let net = std::time::Duration::from_millis(200);
                drop(self.shared.changed.wait_timeout(state, net));
            }
        }
    }

    /// What was done so far.
    #[must_use]
    pub fn counters(&self) -> RefinerCounters {
        self.shared.state().counters.clone()
    }
}

impl Drop for Refiner {
    fn drop(&mut self) {
        self.shared.state().stop = true;
        self.shared.changed.notify_all();
        // A worker that waits for room in the channel sees `stop` when it is let go.
        while self.worker.as_ref().is_some_and(|w| !w.is_finished()) {
            let _ = self.results.recv_timeout(std::time::Duration::from_millis(5));
        }
        if let Some(worker) = self.worker.take() {
            let _ = worker.join();
        }
    }
}

/// The worker's loop: wait, take a batch, embed, hand out.
fn work(
    shared: &Shared,
    mut model: impl Embed,
    profile: Profile,
    clock: &Clock,
    results: &Sender<Refined>,
) {
    while let Some((level, batch)) = next_batch(shared) {
        let began = clock();
        let made = embed(&mut model, &batch, profile);
        let spent = clock().saturating_sub(began);
        let mut failed = 0;
        let mut last_error = None;
        let mut done = 0;
        for ((id, _), vector) in batch.iter().zip(made) {
            match vector {
                Ok(vector) => {
                    if !deliver(shared, results, Refined { id: *id, vector }) {
                        return;
                    }
                    done += 1;
                }
                Err(e) => {
                    failed += 1;
                    last_error = Some(e);
                }
            }
        }
        let mut state = shared.state();
        state.at_work[level] -= batch.len();
        state.counters.done += done;
        state.counters.failed += failed;
        state.counters.spent_ns += spent;
        if last_error.is_some() {
            state.counters.last_error = last_error;
        }
        drop(state);
        shared.changed.notify_all();
    }
}

/// Vectors for a batch; where the batch fails, each text is tried alone.
fn embed(
    model: &mut impl Embed,
    batch: &[(ShapeId, Box<str>)],
    profile: Profile,
) -> Vec<Result<Vector, String>> {
    let texts: Vec<&str> = batch.iter().map(|(_, t)| &**t).collect();
    let dims = profile.dimensions();
    let finish =
        |values: &Vec<f32>| kernel::quantise(values.get(..dims).unwrap_or(values), Tier::Full);
    match model.embed(&texts) {
        Ok(made) if made.len() == texts.len() => made.iter().map(|v| Ok(finish(v))).collect(),
        _ => texts
            .iter()
            .map(|text| match model.embed(&[text]) {
                Ok(made) => made.first().map(finish).ok_or_else(|| "no vector".to_owned()),
                Err(e) => Err(ModelError::to_string(&e)),
            })
            .collect(),
    }
}

/// Puts a vector into the channel, waiting for room; false where the refiner is being dropped.
fn deliver(shared: &Shared, results: &Sender<Refined>, refined: Refined) -> bool {
    let mut refined = refined;
    loop {
        match results.try_send(refined) {
            Ok(()) => return true,
            Err(TrySendError::Disconnected(_)) => return false,
            Err(TrySendError::Full(back)) => refined = back,
        }
        let state = shared.state();
        if state.stop {
            return false;
        }
        drop(state);
        shared.changed.notify_all();
        let wait = std::time::Duration::from_millis(20);
        match results.send_timeout(refined, wait) {
            Ok(()) => return true,
            Err(e) if e.is_disconnected() => return false,
            Err(e) => refined = e.into_inner(),
        }
    }
}

type Batch = Vec<(ShapeId, Box<str>)>;

/// Waits for work; the most pressing level, oldest first, up to a batch of like length. `None`
/// when the refiner is being dropped.
fn next_batch(shared: &Shared) -> Option<(usize, Batch)> {
    let mut state = shared.state();
    loop {
        if state.stop {
            return None;
        }
        if let Some(level) = (0..4).rev().find(|l| !state.waiting[*l].is_empty()) {
            let queue = &mut state.waiting[level];
            // What is not pressing goes in small steps, so that what is need not wait long.
            let most = if level == 0 { REFINER_BATCH_MAX / 2 } else { REFINER_BATCH_MAX };
            let window = queue.len().min(4 * REFINER_BATCH_MAX);
            let oldest = queue.front().map_or(0, |(_, t)| t.len());
            // The oldest is always in; with it go those of the window that are nearest in length.
            let mut order: Vec<usize> = (0..window).collect();
            order.sort_by_key(|n| (*n > 0, queue[*n].1.len().abs_diff(oldest), *n));
            order.truncate(most);
            order.sort_unstable();
            let mut batch: Batch = Vec::with_capacity(order.len());
            for n in order.into_iter().rev() {
                batch.extend(queue.remove(n));
            }
            batch.sort_by_key(|(_, t)| t.len());
            state.at_work[level] += batch.len();
            return Some((level, batch));
        }
        state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
}
