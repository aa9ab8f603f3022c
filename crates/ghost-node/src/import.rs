//! An import: many captures read beside each other, logged one after the other.
//!
//! The lanes read ahead as far as their bounded queues allow; the writer takes their features in
//! the order of the files, so that the log is the same for every number of jobs. What an import
//! that was interrupted had logged of a file is counted, and its re-run leaves exactly that much
//! out: a lane gives the same events in the same order for the same bytes and options.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use ghost_block::{Block, BlockError, Keep, Volume};
use ghost_event::line::{ImportNote, ImportState};
use ghost_event::{Seq, Timestamp};
use ghost_flow::FlowConfig;
use ghost_index::IndexError;
use ghost_wire::filter::Filter;
use ghost_world::Clock;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::anomaly::Anomalies;
use crate::config::{Config, DiskCap, Sealing};
use crate::lane::{self, Batch, Batched, LaneConfig};
use crate::limits::{HASH_BYTES, JOBS_MAX, LANE_BATCHES_MAX};
use crate::pen::Known;
use crate::writer::{Writer, WriterError};
use crate::{DataDir, Models};

/// What to import, and how.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Captures and folders; `-` is standard input.
    pub paths: Vec<PathBuf>,
    /// BPF filter words.
    pub filter: String,
    pub jobs: u16,
    pub again: bool,
    pub no_idle_timeout: bool,
    pub updates_s: Option<u64>,
    /// The full model that refines new shapes.
    pub models: Models,
    /// Bytes of a log segment, where they are not to be the usual 64 MiB.
    pub segment_bytes: Option<u64>,
    pub keeping: Keeping,
    pub anomalies: Anomalies,
}

/// What is kept of the log, and under whose name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeping {
    /// Seals a block at the end.
    pub seal: bool,
    pub keep: Keep,
    pub disk_cap: DiskCap,
    /// `None`: the host's name.
    pub identity: Option<String>,
}

impl Default for Keeping {
    fn default() -> Keeping {
        Keeping::of(&Config::default())
    }
}

impl Keeping {
    /// As configured.
    #[must_use]
    pub fn of(config: &Config) -> Keeping {
        Keeping {
            seal: config.blocks.strategy != Sealing::Off,
            keep: config.blocks.keep(),
            disk_cap: config.log.disk_cap,
            identity: config.identity.clone(),
        }
    }

    pub(crate) fn identity(&self) -> String {
        self.identity.clone().unwrap_or_else(crate::daemon::host_name)
    }
}

/// What became of one capture; the line that scripts read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileReport {
    pub file: String,
    pub sha256: String,
    pub packets: u64,
    /// On the wire.
    pub bytes: u64,
    /// With an outermost IP header.
    pub flows: u64,
    pub events: u64,
    /// Packets of link types or headers that are not read to their end.
    pub unparsed: u64,
    pub error: Option<String>,
    /// It was not read at all: its events are in the log, or partly, under other options.
    #[serde(skip)]
    pub refused: bool,
}

/// What became of the whole import.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    pub files: u64,
    /// Not read, or not to their end.
    pub failed: u64,
    /// Known already, and so left alone.
    pub refused: u64,
    pub packets: u64,
    pub bytes: u64,
    pub flows: u64,
    pub events: u64,
    /// Reading, logging and indexing, all of it.
    pub seconds: f64,
    /// The full model's time for new shapes, after that.
    pub model_seconds: f64,
    pub shapes_new: u64,
    pub shapes_refined: u64,
    /// Why no full model was used; its absence is no failure.
    pub without_model: Option<String>,
    /// It was told to stop: run it again to complete it.
    pub interrupted: bool,
}

impl Report {
    /// Counts one capture in.
    pub(crate) fn add(&mut self, file: &FileReport) {
        self.files += 1;
        self.failed += u64::from(file.error.is_some() && !file.refused);
        self.refused += u64::from(file.refused);
        self.packets += file.packets;
        self.bytes += file.bytes;
        self.flows += file.flows;
        self.events += file.events;
    }
}

/// Why an import could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The filter words are off.
    #[error("filter: {0}")]
    Filter(ghost_wire::filter::FilterError),
    /// A folder could not be listed.
    #[error("{path}: {error}")]
    List { path: String, error: io::Error },
    /// The log or the index could not take it in.
    #[error(transparent)]
    Writer(#[from] WriterError),
}

/// What the import asks of the program: time, a wish to stop, and somebody to tell.
pub trait Host: Sync {
    fn clock(&self) -> Arc<dyn Clock>;
    /// A random id for a log that begins now.
    fn random_id(&self) -> [u8; 16];
    /// A random seed, from which a new log's key is made.
    fn random_seed(&self) -> [u8; 32];
    /// Where the log is frozen into blocks.
    ///
    /// # Errors
    /// It can't be had.
    fn volume(&self, data: &Path) -> Result<Box<dyn Volume>, BlockError> {
        Ok(ghost_block::open_volume(data))
    }
    fn stop_wanted(&self) -> bool;
    /// Bytes of captures read so far, of `total` where that is known.
    fn progress(&self, read: u64, total: Option<u64>);
    fn file_done(&self, report: &FileReport);
    /// Something out of the ordinary that the operator should know.
    fn say(&self, words: &str);
}

/// Where an import is written: a log of our own, or the daemon's.
pub(crate) trait Journal {
    type Error;
    /// What is known of a capture with this content.
    fn known(&mut self, sha256: &str) -> Result<Known, Self::Error>;
    /// Logs a note of the import journal; its line's number.
    fn note(&mut self, note: &ImportNote<'_>) -> Result<Seq, Self::Error>;
    /// Logs the records behind the first `skip`, and what stands between them: of the capture
    /// `file`, whose import the line
    /// `begin` began.
    fn features(
        &mut self,
        finished: Batched,
        skip: usize,
        file: &str,
        begin: Seq,
    ) -> Result<(), Self::Error>;
}

/// What a lane is given, and what the writer hears from it.
struct Lane {
    path: PathBuf,
    batches: Receiver<Batch>,
    /// SHA-256 of the capture as it lies on disk, or why it can't be read; told before any event
    /// is logged. Standard input tells it at the end.
    hash: Receiver<io::Result<String>>,
}

/// Does the import into `data`.
pub fn run(data: &DataDir, options: &Options, host: &dyn Host) -> Result<Report, ImportError> {
    let filter = match options.filter.trim() {
        "" => None,
        words => Some(Filter::compile(words).map_err(ImportError::Filter)?),
    };
    let files = lane::expand(&options.paths).map_err(|error| ImportError::List {
        path: options.paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", "),
        error,
    })?;
    let begun_ns = host.clock().monotonic_ns();
    let mut writer = Writer::open(data, options, host)?;
    let mut flow = FlowConfig { no_idle_timeout: options.no_idle_timeout, ..FlowConfig::default() };
    flow.updates_ns = options
        .updates_s
        .map(|s| i64::try_from(s).unwrap_or(i64::MAX).saturating_mul(Timestamp::NS_PER_S));
    let config = LaneConfig { flow, filter, anomalies: options.anomalies };
    let total: u64 = files.iter().filter_map(|f| f.metadata().ok()).map(|m| m.len()).sum();
    let read = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let jobs = usize::from(options.jobs.clamp(1, JOBS_MAX));
    let mut report = Report::default();
    thread::scope(|scope| {
        let (hand_out, take) = bounded(files.len().max(1));
        let mut lanes = Vec::with_capacity(files.len());
        for path in files {
            let (send_batch, batches) = bounded(LANE_BATCHES_MAX);
            let (send_hash, hash) = bounded(1);
            // The queue has room for every file.
            drop(hand_out.try_send((path.clone(), send_batch, send_hash)));
            lanes.push(Lane { path, batches, hash });
        }
        drop(hand_out);
        for _ in 0..jobs {
            let (take, config, read, stop) = (take.clone(), &config, &read, &stop);
            scope.spawn(move || {
                for (path, batches, hash) in take {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    run_lane(&path, config, &batches, &hash, read);
                }
            });
        }
        drop(take);
        let mut session = Session {
            writer: &mut writer,
            host,
            described: describe(options.no_idle_timeout, options.updates_s, &options.filter),
            again: options.again,
            read: &read,
            total: (total > 0).then_some(total),
        };
        let done = session.log_in_order(lanes, &mut report);
        stop.store(true, Ordering::Relaxed);
        done
    })?;
    let finished = writer.finish(host, report.interrupted)?;
    data.settle_permissions()
        .map_err(|source| WriterError::Index(IndexError::Io { path: data.index(), source }))?;
    let spent_ns = finished.indexed_ns.saturating_sub(begun_ns);
    report.seconds = Duration::from_nanos(spent_ns).as_secs_f64();
    report.model_seconds = finished.model_s;
    report.shapes_new = finished.shapes_new;
    report.shapes_refined = finished.shapes_refined;
    report.without_model = finished.without_model;
    Ok(report)
}

/// Seals the log of `data` into a block, where no daemon does; none where nothing is new.
///
/// # Errors
/// Somebody writes the log, or it could not be sealed.
pub fn seal(
    data: &DataDir,
    keeping: &Keeping,
    host: &dyn Host,
) -> Result<Option<Block>, WriterError> {
    crate::writer::seal(data, keeping, host)
}

/// The texts that must be equal for an interrupted import to be completed by this one.
pub(crate) fn describe(no_idle_timeout: bool, updates_s: Option<u64>, filter: &str) -> String {
    format!(
        "v1 no_idle_timeout={no_idle_timeout} updates_s={} filter={}",
        updates_s.unwrap_or(0),
        filter.trim()
    )
}

/// SHA-256 of a whole file, as 64 hexadecimal digits.
pub(crate) fn hash_file(path: &Path) -> io::Result<String> {
    let mut file = lane::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; HASH_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hex(&hasher.finalize())),
            Ok(read) => hasher.update(&buffer[..read]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Runs one lane, and hashes its capture beside it. Whoever no longer listens wants no more.
fn run_lane(
    path: &Path,
    config: &LaneConfig,
    batches: &Sender<Batch>,
    hash: &Sender<io::Result<String>>,
    read: &AtomicU64,
) {
    let input = match lane::open(path) {
        Ok(input) => input,
        Err(error) => return drop(hash.send(Err(error))),
    };
    if lane::is_stream(path) {
        return drop(run_stream(input, config, batches, read));
    }
    thread::scope(|scope| {
        scope.spawn(|| drop(hash.send(hash_file(path))));
        drop(lane::run(input, config, batches, read, String::new));
    });
}

/// Runs a lane over what can be read but once, and hashes it meanwhile.
pub(crate) fn run_stream(
    input: Box<dyn Read + Send>,
    config: &LaneConfig,
    batches: &Sender<Batch>,
    read: &AtomicU64,
) -> Result<(), lane::Abandoned> {
    let hasher = Arc::new(Mutex::new(Sha256::new()));
    let tee = Box::new(Tee { input, hasher: Arc::clone(&hasher) });
    let sha256 = || match hasher.lock() {
        Ok(hasher) => hex(&hasher.clone().finalize()),
        Err(_) => String::new(),
    };
    lane::run(tee, config, batches, read, sha256)
}

/// Hashes what is read.
struct Tee {
    input: Box<dyn Read + Send>,
    hasher: Arc<Mutex<Sha256>>,
}

impl Read for Tee {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        if let Ok(mut hasher) = self.hasher.lock() {
            hasher.update(&buffer[..read]);
        }
        Ok(read)
    }
}

/// The writing side of one import.
struct Session<'a> {
    writer: &'a mut Writer,
    host: &'a dyn Host,
    described: String,
    again: bool,
    read: &'a AtomicU64,
    total: Option<u64>,
}

impl Session<'_> {
    /// Takes the lanes' features in the order of the files.
    fn log_in_order(&mut self, lanes: Vec<Lane>, report: &mut Report) -> Result<(), WriterError> {
        for lane in lanes {
            let Some(file) = self.log_one(&lane)? else {
                report.interrupted = true;
                return Ok(());
            };
            report.add(&file);
            self.host.file_done(&file);
        }
        Ok(())
    }

    /// Logs one capture; `None` where it was told to stop.
    fn log_one(&mut self, lane: &Lane) -> Result<Option<FileReport>, WriterError> {
        let file = lane.path.to_string_lossy().into_owned();
        let mut report = FileReport { file, ..FileReport::default() };
        if !lane::is_stream(&lane.path) {
            match lane.hash.recv() {
                Ok(Ok(sha256)) => report.sha256 = sha256,
                Ok(Err(error)) => {
                    report.error = Some(format!("can't be read: {error}"));
                    return Ok(Some(report));
                }
                Err(_) => return Ok(None),
            }
        }
        let begun = match begin(self.writer, &report, &self.described, self.again)? {
            Begin::From(begun) => begun,
            Begin::Refused(why) => {
                report.error = Some(why);
                report.refused = true;
                return Ok(Some(report));
            }
        };
        let begin = begun.begin;
        let on = || {
            self.host.progress(self.read.load(Ordering::Relaxed), self.total);
            !self.host.stop_wanted()
        };
        match take_in(self.writer, &lane.batches, begun, &mut report, &self.described, on)? {
            Taken::All => return Ok(Some(report)),
            Taken::Stopped => return Ok(None),
            Taken::Abandoned => {}
        }
        if let Ok(Err(error)) = lane.hash.try_recv() {
            report.error = Some(format!("can't be read: {error}"));
            let note = note(&report, &self.described, ImportState::End, begin);
            self.writer.note(&note)?;
            return Ok(Some(report));
        }
        // A lane that ends without a word was abandoned.
        Ok(None)
    }
}

/// An import that was begun.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begun {
    /// Events that are logged already.
    pub(crate) skip: u64,
    /// The `import` line that began it.
    pub(crate) begin: Seq,
}

/// How the log takes one capture.
pub(crate) enum Begin {
    From(Begun),
    Refused(String),
}

/// Asks the journal about a capture, and begins it where it is new.
pub(crate) fn begin<J: Journal>(
    journal: &mut J,
    report: &FileReport,
    described: &str,
    again: bool,
) -> Result<Begin, J::Error> {
    if !again && !report.sha256.is_empty() {
        match journal.known(&report.sha256)? {
            Known::No => {}
            Known::Complete { file, begin } => {
                return Ok(Begin::Refused(format!(
                    "was imported already (as {file}, line {begin} of the log); use --again \
                     to have its events twice"
                )));
            }
            Known::Begun { events, options, begin } if options == described => {
                return Ok(Begin::From(Begun { skip: events, begin }));
            }
            Known::Begun { events, options, .. } => {
                return Ok(Begin::Refused(format!(
                    "an import of it with other options ({options}) was interrupted after \
                     {events} events; use the same options to complete it, or --again to \
                     import it anew"
                )));
            }
        }
    }
    let begin = journal.note(&note(report, described, ImportState::Begin, 0))?;
    Ok(Begin::From(Begun { skip: 0, begin }))
}

/// How a lane's batches came to their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    All,
    /// `on` said no.
    Stopped,
    /// The lane ended without a word.
    Abandoned,
}

/// Logs a lane's batches and the note of its end; `on` is asked before each whether to go on.
pub(crate) fn take_in<J: Journal>(
    journal: &mut J,
    batches: &Receiver<Batch>,
    begun: Begun,
    report: &mut FileReport,
    described: &str,
    mut on: impl FnMut() -> bool,
) -> Result<Taken, J::Error> {
    let Begun { mut skip, begin } = begun;
    for batch in batches {
        if !on() {
            return Ok(Taken::Stopped);
        }
        match batch {
            Batch::Features(mut finished) => {
                let all = finished.features.len();
                let left_out = usize::try_from(skip).unwrap_or(usize::MAX).min(all);
                skip -= left_out as u64;
                // What was said between records that are logged was said. Behind the last of
                // them it may not have been, and is said again.
                finished.incidents.retain(|(at, _)| *at >= left_out && skip == 0);
                journal.features(finished, left_out, &report.file, begin)?;
            }
            Batch::Done(counts) => {
                if !counts.sha256.is_empty() {
                    report.sha256 = counts.sha256;
                }
                report.packets = counts.packets;
                report.bytes = counts.bytes;
                report.flows = counts.flows;
                report.events = counts.events;
                report.unparsed = counts.unparsed;
                report.error = counts.error;
                journal.note(&note(report, described, ImportState::End, begin))?;
                return Ok(Taken::All);
            }
        }
    }
    Ok(Taken::Abandoned)
}

fn note<'n>(
    report: &'n FileReport,
    described: &'n str,
    state: ImportState,
    begin: Seq,
) -> ImportNote<'n> {
    ImportNote {
        state,
        file: report.file.as_str().into(),
        sha256: report.sha256.as_str().into(),
        options: described.into(),
        begin,
        packets: report.packets,
        bytes: report.bytes,
        flows: report.flows,
        events: report.events,
        unparsed: report.unparsed,
        error: report.error.as_deref().unwrap_or_default().into(),
    }
}
