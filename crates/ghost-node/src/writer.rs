//! The import's writer: features to the log, and beside it, from the log to the index.
//!
//! The index follows the log by reading it, as a rebuild does: what it holds can't differ from what
//! a rebuild would make. It is committed at the end; what a stopped import logged is indexed by
//! whoever opens the data next.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};
use ghost_block::{Block, BlockError, Cap, Keep, Reason, SealFacts, SealRecovery, Sealer};
use ghost_embed::Refiner;
use ghost_event::line::{ImportNote, Source};
use ghost_event::{Priority, Seq, ShapeId, Tier, Timestamp};
use ghost_index::{EmbeddedIndex, Index, IndexError};
use ghost_log::{LogConfig, LogError, LogReader};
use ghost_world::{Clock, RealDisk};

use crate::blocks::{Since, disk_bytes, ready_of};
use crate::config::DiskCap;
use crate::follow;
use crate::import::{Host, Journal, Keeping, Options};
use crate::lane;
use crate::limits::{INDEX_COMMIT_LINES, WAKE_LINES};
use crate::pen::{Known, Pen, Worded};
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
    /// No block.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// A thread of ours ended in a way that it should not.
    #[error("the thread that indexes ended early; run `ghostbridge index rebuild`")]
    IndexThread,
    /// No thread could be started.
    #[error("can't start a thread: {0}")]
    Thread(std::io::Error),
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

/// The one writer of a data folder.
pub(crate) struct Writer {
    pen: Pen,
    sealing: Sealing,
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
            ..log_config(&options.keeping, host, "import")
        };
        let profile = options.models.profile;
        let (mut pen, recovery) =
            Pen::open(Arc::new(RealDisk), data, config, profile, Arc::clone(&clock))?;
        for told in recovery.told() {
            host.say(&told);
        }
        let mut index = EmbeddedIndex::open(&data.index())?;
        for note in follow::prepare(&mut index, pen.reader(), pen.log.head().seq)? {
            host.say(&note);
        }
        let sealing = Sealing::open(data, &options.keeping, host, &mut pen)?;
        let known: HashSet<ShapeId> = pen.log.shapes().map(|(id, _)| id).collect();
        let old_fast = old_fast(&index, &known);
        let follower = Follower::start(index, LogReader::open(data.root()))?;
        Ok(Writer {
            pen,
            sealing,
            lines_since_wake: 0,
            follower,
            clock,
            models: options.models.clone(),
            old_fast,
        })
    }

    /// Makes everything durable and findable, and then lets the full model refine new shapes.
    pub(crate) fn finish(
        mut self,
        host: &dyn Host,
        interrupted: bool,
    ) -> Result<Finished, WriterError> {
        let mut finished = Finished { shapes_new: self.pen.shapes_new, ..Finished::default() };
        self.pen.log.sync()?;
        self.follower.commit()?;
        finished.indexed_ns = self.clock.monotonic_ns();
        if !interrupted {
            self.refine(host, &mut finished)?;
            self.pen.log.sync()?;
        }
        self.follower.commit()?;
        self.sealing.end(&mut self.pen, host);
        self.follower.finish()?;
        Ok(finished)
    }

    /// Lets the full model embed every shape that has only its fast vector.
    fn refine(&mut self, host: &dyn Host, finished: &mut Finished) -> Result<(), WriterError> {
        if self.models.dirs.is_empty() {
            finished.without_model = Some("no full model was asked for".to_owned());
            return Ok(());
        }
        let mut todo = self.pen.unrefined();
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
        for worded in todo {
            refiner.take(worded.id, &worded.text, Priority::Low);
            texts.insert(worded.id, worded);
        }
        let mut failed = None;
        let model_id = refiner.model_id().to_owned();
        refiner.drain(|refined| {
            let Some(worded) = texts.get(&refined.id) else { return };
            if failed.is_some() || host.stop_wanted() {
                return;
            }
            match self.pen.refined(worded, &model_id, &refined.vector) {
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

impl Journal for Writer {
    type Error = WriterError;

    fn known(&mut self, sha256: &str) -> Result<Known, WriterError> {
        Ok(self.pen.known(sha256)?)
    }

    fn note(&mut self, note: &ImportNote<'_>) -> Result<Seq, WriterError> {
        self.sealing.since.count("import", 1);
        Ok(self.pen.note_import(note)?)
    }

    fn features(
        &mut self,
        finished: lane::Batched,
        skip: usize,
        file: &str,
        begin: Seq,
    ) -> Result<(), WriterError> {
        let source = Source { pcap_filename: Some(file), import: Some(begin), ..Source::default() };
        let mut incidents = finished.incidents.iter().peekable();
        for (at, flow) in finished.features.iter().enumerate().skip(skip) {
            while let Some((_, note)) = incidents.next_if(|(before, _)| *before <= at) {
                self.pen.incident(note, &source)?;
                self.sealing.since.count("anomaly", 1);
            }
            self.pen.flow(flow, &source)?;
            self.sealing.since.count("flow", 1);
            if self.sealing.wants_tending(&self.pen) {
                // What is given up must be in no one's way: the index reads the same segments.
                self.follower.commit()?;
                self.sealing.tend(&mut self.pen);
            }
            self.lines_since_wake += 1;
            if self.lines_since_wake >= WAKE_LINES {
                self.lines_since_wake = 0;
                self.follower.wake();
            }
        }
        for (_, note) in incidents {
            self.pen.incident(note, &source)?;
            self.sealing.since.count("anomaly", 1);
        }
        Ok(())
    }
}

/// The import's block: one, at its end; and the disk's cap, which holds meanwhile.
struct Sealing {
    /// `None` where none was wanted, or none can be had.
    sealer: Option<Sealer>,
    since: Since,
    data: DataDir,
    cap: DiskCap,
    keep: Keep,
    clock: Arc<dyn Clock>,
    segment: Seq,
    trouble: Option<BlockError>,
}

impl Sealing {
    fn open(
        data: &DataDir,
        keeping: &Keeping,
        host: &dyn Host,
        pen: &mut Pen,
    ) -> Result<Sealing, WriterError> {
        let open = || -> Result<(Sealer, SealRecovery), BlockError> {
            let volume = host.volume(data.root())?;
            Sealer::open(Arc::new(RealDisk), volume, pen.log.layout().clone())
        };
        let (sealer, trouble) = match keeping.seal.then(open) {
            None => (None, None),
            Some(Ok((sealer, _))) => (Some(sealer), None),
            Some(Err(error)) => (None, Some(error)),
        };
        let newest = sealer.as_ref().and_then(|sealer| sealer.blocks().last().copied());
        pen.was_ready_to(newest.map_or(0, |block| ready_of(data, &block)));
        Ok(Sealing {
            sealer,
            since: Since::read(pen.reader(), newest.map_or(0, |block| block.size))?,
            data: data.clone(),
            cap: keeping.disk_cap,
            keep: keeping.keep,
            clock: host.clock(),
            segment: pen.log.segment(),
            trouble,
        })
    }

    fn wants_tending(&self, pen: &Pen) -> bool {
        self.sealer.is_some() && pen.log.segment() != self.segment
    }

    fn tend(&mut self, pen: &mut Pen) {
        self.segment = pen.log.segment();
        let cap = Cap { bytes: self.cap.bytes(disk_bytes(&self.data)) };
        let now = Timestamp(self.clock.wall_ns());
        if let Some(sealer) = &mut self.sealer
            && let Err(error) = sealer.tend(&mut pen.log, &cap, &self.keep, now)
        {
            self.trouble.get_or_insert(error);
        }
    }

    /// Seals what was imported. Without a block the log is as good as ever: it is told, no more.
    fn end(&mut self, pen: &mut Pen, host: &dyn Host) {
        if let Err(error) = self.seal(pen, Reason::Stop) {
            self.trouble.get_or_insert(error);
        }
        self.tend(pen);
        if let Some(error) = &self.trouble {
            host.say(&format!("no block was sealed: {error}"));
        }
    }

    fn seal(&mut self, pen: &mut Pen, reason: Reason) -> Result<Option<Block>, BlockError> {
        let facts = SealFacts {
            t2_ready_size: pen.ready_size(),
            events: &self.since.events,
            lost: self.since.lost,
            reason,
            waited_ms: 0,
            time: Timestamp(self.clock.wall_ns()),
        };
        match &mut self.sealer {
            Some(sealer) => sealer.seal(&mut pen.log, &facts),
            None => Ok(None),
        }
    }
}

/// How the log is opened here.
fn log_config(keeping: &Keeping, host: &dyn Host, command: &str) -> LogConfig {
    LogConfig {
        log_id: host.random_id(),
        identity: keeping.identity(),
        key_seed: host.random_seed(),
        program: PROGRAM.to_owned(),
        holder: format!("ghostbridge {command}, pid {}", std::process::id()),
        ..LogConfig::default()
    }
}

/// Seals the log of `data` into a block; none where nothing is new.
pub(crate) fn seal(
    data: &DataDir,
    keeping: &Keeping,
    host: &dyn Host,
) -> Result<Option<Block>, WriterError> {
    let config = log_config(keeping, host, "block seal");
    let profile = ghost_embed::Profile::default();
    let (mut pen, _) = Pen::open(Arc::new(RealDisk), data, config, profile, host.clock())?;
    let wanted = Keeping { seal: true, ..keeping.clone() };
    let mut sealing = Sealing::open(data, &wanted, host, &mut pen)?;
    if let Some(error) = sealing.trouble.take() {
        return Err(error.into());
    }
    let block = sealing.seal(&mut pen, Reason::Asked)?;
    sealing.tend(&mut pen);
    sealing.trouble.map_or(Ok(block), |error| Err(error.into()))
}

/// Shapes of the index that have only their fast vector and that `known` does not hold.
pub(crate) fn old_fast(index: &EmbeddedIndex, known: &HashSet<ShapeId>) -> Vec<Worded> {
    index
        .shapes()
        .iter()
        .filter(|row| row.vector.tier == Tier::Fast && !known.contains(&row.id))
        .map(|row| Worded {
            id: row.id,
            tuple: row.tuple.clone(),
            text: row.text.clone(),
            priority: Priority::Low,
        })
        .collect()
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
