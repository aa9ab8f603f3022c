//! From features to the log: shape, vector, line; and beside it, from the log to the index.
//!
//! The index follows the log by reading it, as a rebuild does: what it holds can't differ from what
//! a rebuild would make. It is committed at the end; what a stopped import logged is indexed by
//! whoever opens the data next.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};
use ghost_embed::{FieldRows, GLOSSARY_VERSION, Glossary, Refiner, Shape, ShapeCache};
use ghost_event::line::{self, ImportNote, ImportState, Source, View};
use ghost_event::{Behaviours, Features, Priority, Seq, ShapeId, Tier};
use ghost_index::{EmbeddedIndex, Index, IndexError};
use ghost_log::{Log, LogConfig, LogError, LogReader};
use ghost_world::Clock;

use crate::follow;
use crate::import::{Host, Options};
use crate::limits::{INDEX_COMMIT_LINES, WAKE_LINES};
use crate::{DataDir, Models, PROGRAM};

/// Why the writer stopped.
#[derive(Debug, thiserror::Error)]
pub enum WriterError {
    /// The log can't take anything in.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log holds everything, the index does not.
    #[error("{0}; the log itself is complete: `ghostbridge index rebuild` makes the index anew")]
    Index(#[from] IndexError),
    /// A thread of ours ended in a way that it should not.
    #[error("the thread that indexes ended early; run `ghostbridge index rebuild`")]
    IndexThread,
    /// No thread could be started.
    #[error("can't start a thread: {0}")]
    Thread(std::io::Error),
}

/// What the log knows of a capture.
pub(crate) enum Known {
    No,
    Begun { events: u64, options: String, begin: Seq },
    Complete { file: String, begin: Seq },
}

/// How an import ended.
#[derive(Debug, Default)]
pub(crate) struct Finished {
    pub(crate) indexed_ns: u64,
    pub(crate) model_s: f64,
    pub(crate) shapes_new: u64,
    pub(crate) shapes_refined: u64,
    pub(crate) without_model: Option<String>,
}

/// A shape's id, tuple and text.
type Worded = (ShapeId, String, String);

/// The one writer of a data folder.
pub(crate) struct Writer {
    log: Log,
    reader: LogReader,
    cache: ShapeCache,
    body: Vec<u8>,
    shapes_new: u64,
    lines_since_wake: u32,
    follower: Follower,
    clock: Arc<dyn Clock>,
    models: Models,
    /// Shapes that only older segments state, with their fast vectors.
    old_fast: Vec<Worded>,
}

impl Writer {
    /// Opens log and index for writing; what the index lacks is indexed beside the import.
    pub(crate) fn open(
        data: &DataDir,
        options: &Options,
        host: &dyn Host,
    ) -> Result<Writer, WriterError> {
        let clock = host.clock();
        let usual = LogConfig::default();
        let config = LogConfig {
            bulk: true,
            segment_bytes: options.segment_bytes.unwrap_or(usual.segment_bytes),
            log_id: host.random_id(),
            program: PROGRAM.to_owned(),
            holder: format!("ghostbridge import, pid {}", std::process::id()),
            ..usual
        };
        let (log, recovery) = Log::open(data.root(), config, Arc::clone(&clock))?;
        if let Some(cut) = &recovery.cut {
            host.say(&format!(
                "the log's end was torn: {} bytes after line {} were cut",
                cut.bytes, cut.after_seq
            ));
        }
        let reader = LogReader::open(data.root());
        let mut cache = ShapeCache::default();
        for (id, _) in log.shapes() {
            cache.remember(id);
        }
        let mut index = EmbeddedIndex::open(&data.index())?;
        for note in follow::prepare(&mut index, &reader, log.head().seq)? {
            host.say(&note);
        }
        let known: HashSet<ShapeId> = log.shapes().map(|(id, _)| id).collect();
        let old_fast = index
            .shapes()
            .iter()
            .filter(|row| row.vector.tier == Tier::Fast && !known.contains(&row.id))
            .map(|row| (row.id, row.tuple.clone(), row.text.clone()))
            .collect();
        let follower = Follower::start(index, LogReader::open(data.root()))?;
        Ok(Writer {
            log,
            reader,
            cache,
            body: Vec::new(),
            shapes_new: 0,
            lines_since_wake: 0,
            follower,
            clock,
            models: options.models.clone(),
            old_fast,
        })
    }

    /// What is known of a capture with this content.
    pub(crate) fn known(&mut self, sha256: &str) -> Result<Known, WriterError> {
        let Some(record) = self.log.imports().get(sha256) else { return Ok(Known::No) };
        let begin = record.begin;
        match record.state {
            ImportState::Abandoned => Ok(Known::No),
            ImportState::End => Ok(Known::Complete { file: record.file.clone(), begin }),
            ImportState::Begin => {
                let options = record.options.clone();
                self.log.write()?;
                Ok(Known::Begun { events: self.reader.events_of_import(begin)?, options, begin })
            }
        }
    }

    /// Logs a note of the import journal; its line's number.
    pub(crate) fn note_import(&mut self, note: &ImportNote<'_>) -> Result<Seq, WriterError> {
        Ok(self.log.import(note)?.seq)
    }

    /// Logs one flow of the capture `file`, whose import the line `begin` began.
    pub(crate) fn flow(
        &mut self,
        flow: &Features,
        file: &str,
        begin: Seq,
    ) -> Result<(), WriterError> {
        let seen = self.cache.see(flow);
        if let Some(shape) = &seen.new {
            self.shapes_new += 1;
            let vector = FieldRows::embedded().embed_in(shape, self.models.profile.dimensions());
            shape_body(&mut self.body, seen.id, shape, &vector);
            self.log.shape(seen.id, &self.body)?;
        }
        let priority = priority(flow);
        self.body.clear();
        let source = Source { pcap_filename: Some(file), import: Some(begin), ..Source::default() };
        line::flow_body(&mut self.body, flow, &source, seen.id, priority);
        self.log.append(priority, Some(seen.id), &self.body)?;
        self.lines_since_wake += 1;
        if self.lines_since_wake >= WAKE_LINES {
            self.lines_since_wake = 0;
            self.follower.wake();
        }
        Ok(())
    }

    /// Makes everything durable and findable, and then lets the full model refine new shapes.
    pub(crate) fn finish(
        mut self,
        host: &dyn Host,
        interrupted: bool,
    ) -> Result<Finished, WriterError> {
        let mut finished = Finished { shapes_new: self.shapes_new, ..Finished::default() };
        self.log.sync()?;
        self.follower.commit()?;
        finished.indexed_ns = self.clock.monotonic_ns();
        if interrupted {
            self.follower.finish()?;
            return Ok(finished);
        }
        self.refine(host, &mut finished)?;
        self.log.sync()?;
        self.follower.finish()?;
        Ok(finished)
    }

    /// Lets the full model embed every shape that has only its fast vector.
    fn refine(&mut self, host: &dyn Host, finished: &mut Finished) -> Result<(), WriterError> {
        if self.models.dirs.is_empty() {
            finished.without_model = Some("no full model was asked for".to_owned());
            return Ok(());
        }
        let mut todo: Vec<Worded> = self
            .log
            .shapes()
            .filter_map(|(id, body)| {
                let mut line = body.to_vec();
                line::close(&mut line, 0, &ghost_event::Digest::ZERO);
                let view = View::parse(&line).ok()?;
                let part = view.shape.as_ref()?;
                let fast = view.vector()?.tier == Tier::Fast;
                fast.then(|| (id, part.tuple.to_string(), part.text.to_string()))
            })
            .collect();
        todo.append(&mut self.old_fast);
        if todo.is_empty() {
            return Ok(());
        }
        let begun = self.clock.monotonic_ns();
        let model = match self.models.load() {
            Ok(model) => model,
            Err(error) => {
                finished.without_model = Some(error.to_string());
                return Ok(());
            }
        };
        let clock = Arc::clone(&self.clock);
        let refiner =
            Refiner::start(model, self.models.profile, Box::new(move || clock.monotonic_ns()))
                .map_err(WriterError::Thread)?;
        let mut texts = HashMap::new();
        for (id, tuple, text) in todo {
            refiner.take(id, &text, Priority::Low);
            texts.insert(id, (tuple, text));
        }
        let mut failed = None;
        let model_id = refiner.model_id().to_owned();
        refiner.drain(|refined| {
            let Some((tuple, text)) = texts.get(&refined.id) else { return };
            if failed.is_some() || host.stop_wanted() {
                return;
            }
            self.body.clear();
            line::shape_body(
                &mut self.body,
                &line::ShapeLine {
                    id: refined.id,
                    tuple,
                    text,
                    glossary: GLOSSARY_VERSION,
                    model: &model_id,
                    vector: &refined.vector,
                },
            );
            match self.log.state(refined.id, &self.body) {
                Ok(()) => finished.shapes_refined += 1,
                Err(error) => failed = Some(error),
            }
        });
        if let Some(error) = failed {
            return Err(error.into());
        }
        if let Some(trouble) = refiner.counters().last_error {
            host.say(&trouble);
        }
        let spent = self.clock.monotonic_ns().saturating_sub(begun);
        finished.model_s = std::time::Duration::from_nanos(spent).as_secs_f64();
        Ok(())
    }
}

fn shape_body(out: &mut Vec<u8>, id: ShapeId, shape: &Shape, vector: &ghost_event::Vector) {
    out.clear();
    line::shape_body(
        out,
        &line::ShapeLine {
            id,
            tuple: &shape.tuple(),
            text: &Glossary.text(shape),
            glossary: GLOSSARY_VERSION,
            model: &format!("field-rows/{:016x}", FieldRows::embedded().digest()),
            vector,
        },
    );
}

/// What an event presses for, by what it was seen to do.
fn priority(flow: &Features) -> Priority {
    const PRESSING: Behaviours = Behaviours(
        Behaviours::BRUTE_FORCE.0
            | Behaviours::DNS_TUNNEL.0
            | Behaviours::ICMP_TUNNEL.0
            | Behaviours::SQL_INJECTION.0
            | Behaviours::REMOTE_CODE.0
            | Behaviours::LATERAL_MOVEMENT.0
            | Behaviours::CREDENTIAL_THEFT.0
            | Behaviours::REVERSE_SHELL.0
            | Behaviours::COMMAND_AND_CONTROL.0
            | Behaviours::INDUSTRIAL_WRITE.0,
    );
    const NOTED: Behaviours = Behaviours(
        Behaviours::PORT_SCAN.0
            | Behaviours::STEALTH_SCAN.0
            | Behaviours::SWEEP.0
            | Behaviours::ARP_SCAN.0
            | Behaviours::FLOOD.0
            | Behaviours::AMPLIFICATION.0
            | Behaviours::BIG_UPLOAD.0
            | Behaviours::WEB_SCAN.0
            | Behaviours::CROSS_SITE_SCRIPTING.0
            | Behaviours::PATH_TRAVERSAL.0,
    );
    if flow.behaviours.intersects(PRESSING) {
        Priority::High
    } else if flow.behaviours.intersects(NOTED) {
        Priority::Medium
    } else {
        Priority::Low
    }
}

/// The thread that reads the log into the index.
struct Follower {
    wake: Sender<Wish>,
    told: Receiver<Result<(), WriterError>>,
    thread: Option<JoinHandle<()>>,
}

enum Wish {
    /// There may be new lines.
    Look,
    /// Take in all there is, commit, and say so.
    Commit,
}

impl Follower {
    fn start(mut index: EmbeddedIndex, reader: LogReader) -> Result<Follower, WriterError> {
        let (wake, wishes) = bounded(2);
        let (tell, told) = bounded(1);
        let thread = std::thread::Builder::new()
            .name("index".to_owned())
            .spawn(move || {
                let mut lines = reader.lines(index.indexed_to() + 1);
                let mut failed = None;
                let mut uncommitted = 0;
                for wish in wishes {
                    if failed.is_none() {
                        let mut result = follow::take_in(&mut index, &mut lines);
                        if let Ok(taken) = &result {
                            uncommitted += *taken;
                            let commit =
                                matches!(wish, Wish::Commit) || uncommitted >= INDEX_COMMIT_LINES;
                            if commit {
                                uncommitted = 0;
                                result = index.commit().map(|()| 0).map_err(WriterError::from);
                            }
                        }
                        failed = result.err();
                    }
                    if matches!(wish, Wish::Commit) {
                        let answer = failed.take().map_or(Ok(()), Err);
                        if tell.send(answer).is_err() {
                            return;
                        }
                    }
                }
            })
            .map_err(WriterError::Thread)?;
        Ok(Follower { wake, told, thread: Some(thread) })
    }

    /// Says that there may be new lines; where two such words wait already, that is enough.
    fn wake(&self) {
        drop(self.wake.try_send(Wish::Look));
    }

    fn commit(&self) -> Result<(), WriterError> {
        self.wake.send(Wish::Commit).map_err(|_| WriterError::IndexThread)?;
        self.told.recv().map_err(|_| WriterError::IndexThread)?
    }

    fn finish(mut self) -> Result<(), WriterError> {
        let done = self.commit();
        drop(self.wake);
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(_)) => Err(WriterError::IndexThread),
            _ => done,
        }
    }
}
