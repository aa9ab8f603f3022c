//! Shapes to the full model, in the background.
//!
//! A shape has its fast vector from the first line on; this thread lets the full model better it,
//! the pressing ones first, on the machine's spare time. The model is loaded for the first shape
//! that wants it, or the first question, and both share the one in memory. A shape that finds no
//! room keeps its fast vector until the next start.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, select};
use ghost_embed::{Embed, Model, ModelError, Refiner};
use ghost_event::{Priority, ShapeId};
use ghost_world::Clock;

use super::queues::Queue;
use super::shared::Shared;
use super::writer::Command;
use crate::Models;
use crate::limits::REFINE_QUEUE_MAX;
use crate::pen::Worded;

/// The one full model of the daemon, loaded when first needed.
#[derive(Clone)]
pub(crate) struct SharedModel {
    models: Models,
    loaded: Arc<Mutex<Option<Result<Loaded, String>>>>,
}

#[derive(Clone)]
struct Loaded {
    id: Arc<str>,
    model: Arc<Mutex<Model>>,
}

/// A handle to the loaded model; texts wait for each other.
struct OneOf(Loaded);

impl Embed for OneOf {
    fn id(&self) -> &str {
        &self.0.id
    }

    fn embed(&mut self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        self.0.model.lock().unwrap_or_else(PoisonError::into_inner).embed(texts)
    }
}

impl SharedModel {
    pub(crate) fn new(models: Models) -> SharedModel {
        SharedModel { models, loaded: Arc::default() }
    }

    /// The model, or why there is none; loading takes some hundred milliseconds, once.
    pub(crate) fn get(&self) -> Result<Box<dyn Embed + Send>, String> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = loaded.get_or_insert_with(|| {
            let model = self.models.load().map_err(|error| error.to_string())?;
            let id = Arc::from(model.id());
            Ok(Loaded { id, model: Arc::new(Mutex::new(model)) })
        });
        loaded.clone().map(|loaded| Box::new(OneOf(loaded)) as Box<dyn Embed + Send>)
    }

    pub(crate) fn wanted(&self) -> bool {
        !self.models.dirs.is_empty()
    }
}

/// The writer's end.
#[derive(Clone)]
pub(crate) struct Refine {
    shapes: Sender<Worded>,
    shared: Arc<Shared>,
}

impl Refine {
    /// Lets a shape be bettered, if there is room.
    pub(crate) fn take(&self, worded: Worded) {
        match self.shapes.try_send(worded) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => self.shared.texts().model.dropped += 1,
            Err(TrySendError::Disconnected(_)) => {}
        }
    }
}

/// Starts the thread; it ends when every [`Refine`] is gone or the daemon stops.
pub(crate) fn start(
    model: SharedModel,
    profile: ghost_embed::Profile,
    shared: Arc<Shared>,
    writer: Queue<Command>,
    clock: Arc<dyn Clock>,
) -> std::io::Result<(Refine, JoinHandle<()>)> {
    let (shapes, waiting) = bounded(REFINE_QUEUE_MAX);
    shared.texts().model.state = if model.wanted() { "waiting" } else { "absent" }.to_owned();
    let refine = Refine { shapes, shared: Arc::clone(&shared) };
    let thread = std::thread::Builder::new().name("refine".to_owned()).spawn(move || {
        // The model's own thread is made by this one, and is as humble.
        let _ = rustix::process::nice(19);
        run(&model, profile, &shared, &writer, &clock, &waiting);
    })?;
    Ok((refine, thread))
}

fn run(
    model: &SharedModel,
    profile: ghost_embed::Profile,
    shared: &Shared,
    writer: &Queue<Command>,
    clock: &Arc<dyn Clock>,
    waiting: &Receiver<Worded>,
) {
    // The first shape decides that the model is needed.
    let Ok(first) = waiting.recv() else { return };
    let embed = match model.get() {
        Ok(embed) if model.wanted() => embed,
        told => {
            let mut texts = shared.texts();
            texts.model.state = "absent".to_owned();
            texts.model.trouble =
                told.err().unwrap_or_else(|| "no full model was asked for".into());
            return;
        }
    };
    let ticks = Arc::clone(clock);
    let started = Refiner::start(Humble(embed), profile, Box::new(move || ticks.monotonic_ns()));
    let refiner = match started {
        Ok(refiner) => refiner,
        Err(error) => return shared.texts().model.trouble = error.to_string(),
    };
    let id: Arc<str> = Arc::from(refiner.model_id());
    {
        let mut texts = shared.texts();
        texts.model.state = "ready".to_owned();
        texts.model.id = id.to_string();
    }
    let mut texts: HashMap<ShapeId, Worded> = HashMap::new();
    let take = |worded: Worded, texts: &mut HashMap<ShapeId, Worded>| {
        if refiner.take(worded.id, &worded.text, worded.priority) {
            texts.insert(worded.id, worded);
        }
    };
    take(first, &mut texts);
    loop {
        // The model's queue and the words beside it are bounded by each other.
        let full = refiner.pending(Priority::Low) >= REFINE_QUEUE_MAX;
        let never = crossbeam_channel::never();
        let waiting = if full { &never } else { waiting };
        select! {
            recv(waiting) -> worded => match worded {
                Ok(worded) => take(worded, &mut texts),
                Err(_) => return,
            },
            recv(refiner.results()) -> refined => {
                let Ok(refined) = refined else { return };
                if let Some(worded) = texts.remove(&refined.id) {
                    let model = Arc::clone(&id);
                    let command = Command::Refined { worded, model, vector: refined.vector };
                    if writer.put(command).is_err() {
                        return;
                    }
                }
            },
            default(Duration::from_secs(5)) => {}
        }
        let counters = refiner.counters();
        let mut told = shared.texts();
        told.model.refined = counters.done;
        told.model.failed = counters.failed;
        told.model.waiting = refiner.pending(Priority::Low) as u64;
        told.model.trouble = counters.last_error.unwrap_or_default();
        drop(told);
        if shared.stopping() {
            return;
        }
    }
}

/// The refiner wants a model of a type of its own.
struct Humble(Box<dyn Embed + Send>);

impl Embed for Humble {
    fn id(&self) -> &str {
        self.0.id()
    }

    fn embed(&mut self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        self.0.embed(texts)
    }
}
