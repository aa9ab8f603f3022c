//! What was remembered, opened to be asked: the index, the log's unindexed tail, and the model.
//!
//! Reading takes no lock: an import or a daemon may write meanwhile. What it has logged but not yet
//! indexed is indexed here, in memory, for the time of the question.

use std::cell::RefCell;
use std::path::PathBuf;

use ghost_embed::ModelError;
use ghost_event::Seq;
use ghost_event::line::{ImportState, LineKind, View};
pub use ghost_index::Status;
use ghost_index::{EmbeddedIndex, Index, IndexError, OracleIndex};
pub use ghost_log::{Head, Proven, VerifyOptions, verify};
use ghost_log::{LogError, LogReader, LogStats};
use ghost_query::Sources;
pub use ghost_query::{Answer, KEYS, QueryError, Tags};
use jiff::Zoned;

use crate::as_of::{AsOf, Seen};
use crate::ask::{Asking, Encoder};
use crate::follow::{self, Source};
use crate::limits::TAIL_LINES_MAX;
use crate::replicas::LogPart;
use crate::replicas::joint::{self, Joint, Own};
use crate::replicas::logs::{Chosen, HeldLogs};
use crate::{DataDir, Models};

/// Why what is remembered can't be asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Query(#[from] QueryError),
    /// There is no such block, or it can't be read.
    #[error(transparent)]
    Block(crate::blocks::BlockError),
    /// No log of this name is held here.
    #[error("there is no log {name:?} here; there are: {known}")]
    NoSuchLog { name: String, known: String },
    /// The words must be conditions here.
    #[error("{0:?} is not a filter: flows are listed by key:value; ask in words with `query`")]
    NotAFilter(String),
}

/// An opened data folder.
pub struct Store {
    reader: LogReader,
    index: EmbeddedIndex,
    tail: Option<OracleIndex>,
    tags: Tags,
    now: Zoned,
    /// What the reader of an answer must know of the index itself.
    notes: Vec<String>,
    encoder: RefCell<Encoder>,
    as_of: Option<AsOf>,
    /// Logs of others that are held beside it, where they are asked as well.
    held: Option<(HeldLogs, Chosen)>,
}

/// An answer of opened data.
#[derive(Debug)]
pub struct Found {
    pub answer: Answer,
    /// Which logs were searched, where there is more than the own.
    pub logs: Vec<LogPart>,
    chosen: Option<Chosen>,
}

impl Found {
    /// Whose log hit number `at` is of, where there is more than one.
    #[must_use]
    pub fn from(&self, at: usize) -> Option<&str> {
        joint::from(self.chosen.as_ref()?, self.answer.hits.get(at)?.position)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("log", self.reader.layout()).finish_non_exhaustive()
    }
}

/// What to ask, besides the words.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    pub since: Option<String>,
    pub until: Option<String>,
    /// 0 for all.
    pub hits: usize,
    /// The moment and zone of who asks, where they are not the store's.
    pub now: Option<Zoned>,
    /// The words for groups of hosts of who asks, where they are not the store's.
    pub tags: Option<Tags>,
    /// Up to this line, and no further.
    pub as_of: Option<Seq>,
    /// Logs to ask, of those that are held here: `own`, hosts, or how ids begin; none for all.
    pub logs: Vec<String>,
    /// Of hits that say the same again only the best, with their number.
    pub grouped: bool,
    /// Every hit with what its score is the sum of.
    pub explained: bool,
}

impl Limits {
    /// The moment of who asks, else `own`.
    #[must_use]
    pub fn now<'a>(&'a self, own: &'a Zoned) -> &'a Zoned {
        self.now.as_ref().unwrap_or(own)
    }

    /// The words for groups of hosts of who asks, else `own`.
    #[must_use]
    pub fn tags<'a>(&'a self, own: &'a Tags) -> &'a Tags {
        self.tags.as_ref().unwrap_or(own)
    }
}

impl Store {
    /// Opens `data` to answer at the moment `now`.
    pub fn open(
        data: &DataDir,
        tags: &crate::Tags,
        models: Models,
        now: Zoned,
    ) -> Result<Store, StoreError> {
        let reader = LogReader::open(data.root());
        let mut notes = Vec::new();
        let mut index = match EmbeddedIndex::open_read(&data.index()) {
            Ok(index) => index,
            Err(IndexError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                EmbeddedIndex::open(&data.index())?
            }
            Err(IndexError::Format { .. }) => {
                // Made by another version: the log is the truth, so the index is made anew.
                rebuild(data)?;
                notes.push("the index was of another version and was made anew".to_owned());
                EmbeddedIndex::open_read(&data.index())?
            }
            Err(error) => return Err(error.into()),
        };
        let behind = lines_behind(&reader, &index)?;
        let damaged = !index.status().damaged.is_empty();
        if behind > TAIL_LINES_MAX || damaged {
            // Too much to index for one question, or broken: mend it, unless somebody is at it.
            drop(index);
            match EmbeddedIndex::open(&data.index()) {
                Ok(mut writer) => {
                    notes.extend(catch_up(&mut writer, &reader)?);
                    index = writer;
                }
                Err(IndexError::Busy { .. }) => {
                    notes
                        .push(format!("{behind} lines are still being indexed by another process"));
                    index = EmbeddedIndex::open_read(&data.index())?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(first) = reader.first_seq()? {
            index.retain(first)?;
        }
        let tail = tail(&reader, index.indexed_to())?;
        notes.extend(lost(&reader)?);
        Ok(Store {
            reader,
            index,
            tail,
            tags: Tags::new(tags.tags.clone()),
            now,
            notes,
            encoder: RefCell::new(Encoder::of(models)),
            as_of: None,
            held: None,
        })
    }

    /// From here on the logs of others that are held under `data` are asked as well.
    ///
    /// # Errors
    /// None: what can't be read is told in the answers.
    pub fn with_held(&mut self, data: &DataDir) -> Result<(), StoreError> {
        let logs = HeldLogs::new(data, false);
        let all = logs.choose(&[])?;
        self.held = Some((logs, all));
        Ok(())
    }

    /// From here on questions are asked as of block `name` (or number) of `data`: lines up to its
    /// size, shapes as then.
    ///
    /// # Errors
    /// There is no such block, or neither it nor the log can be read.
    pub fn as_of(&mut self, data: &DataDir, name: &str) -> Result<(), StoreError> {
        let as_of = AsOf::open(data, name, &self.reader)?;
        self.notes.push(as_of.note.clone());
        self.as_of = Some(as_of);
        Ok(())
    }

    fn limited(&self, limits: &Limits) -> Limits {
        let as_of = self.as_of.as_ref().map(|as_of| as_of.size).or(limits.as_of);
        Limits { as_of, ..limits.clone() }
    }

    /// Answers plain words.
    pub fn query(&mut self, words: &str, limits: &Limits) -> Result<Found, StoreError> {
        self.ask(limits, None, |asking, sources, _| {
            asking.query(words, sources, &mut self.encoder.borrow_mut())
        })
    }

    /// Lists what meets the conditions, oldest first.
    pub fn flows(&self, filters: &str, limits: &Limits) -> Result<Found, StoreError> {
        self.ask(limits, None, |asking, sources, _| asking.flows(filters, sources))
    }

    /// Finds what is like one event, host, stretch of time or element.
    pub fn similar(&self, to: &str, limits: &Limits) -> Result<Found, StoreError> {
        self.ask(limits, joint::number_of(to), |asking, sources, line| {
            asking.similar(to, sources, line)
        })
    }

    /// What stretches of time look like: `now`, `list`, `match WORDS`, `trend [WORDS]`.
    pub fn patterns(&self, text: &str, limits: &Limits) -> Result<Found, StoreError> {
        self.ask(limits, None, |asking, sources, _| {
            asking.patterns(text, sources, &mut self.encoder.borrow_mut())
        })
    }

    /// What is new, gone, more and less between two stretches of time or two hosts: `A vs B`.
    pub fn compare(&self, text: &str, limits: &Limits) -> Result<Found, StoreError> {
        self.ask(limits, None, |asking, sources, _| asking.compare(text, sources))
    }

    /// Asks the logs that the limits name; `number` is that of a line that is asked about.
    fn ask(
        &self,
        limits: &Limits,
        number: Option<Seq>,
        ask: impl FnOnce(&Asking<'_>, &Sources<'_>, ReadLine<'_>) -> Result<Answer, StoreError>,
    ) -> Result<Found, StoreError> {
        let limits = self.limited(limits);
        let asking = Asking::new(&self.now, &self.tags, &limits);
        // A moment of the own log is no moment of another's.
        let held = self.held.as_ref().filter(|_| limits.as_of.is_none());
        let chosen = held.map(|(logs, _)| logs.choose(&limits.logs)).transpose()?;
        let parts = Parts::of(&self.index, self.tail.as_ref(), self.as_of.as_ref());
        let sources = parts.sources();
        let (others, told) = match (held, &chosen) {
            (Some((logs, _)), Some(chosen)) => logs.hold(chosen),
            _ => (Vec::new(), Vec::new()),
        };
        let own = Own {
            index: sources.index,
            tail: sources.tail,
            newest: self.reader.last_seq()?.unwrap_or(0),
        };
        let own = chosen.as_ref().is_none_or(|chosen| chosen.own).then_some(own);
        let joint = Joint::new(own, &others);
        let mut line = |at| self.read(at).ok();
        let mut answer = joint.ask(number, |sources| ask(&asking, sources, &mut line))?;
        let logs = joint.told(&answer);
        drop(others);
        answer.notes.extend(told);
        if own.is_some() {
            answer.notes.extend(self.notes.iter().cloned());
        }
        Ok(Found { answer, logs, chosen })
    }

    /// The logged line at a place that a hit named.
    pub fn read(&self, at: ghost_index::Position) -> Result<Vec<u8>, LogError> {
        if let Some(line) = self.held.as_ref().and_then(|(_, all)| joint::line(all, at)) {
            return line;
        }
        let whole = self.as_of.as_ref().and_then(|as_of| as_of.whole.as_ref());
        follow::read(whole.map_or(&self.reader, |(_, reader)| reader), at)
    }

    /// How the index stands.
    #[must_use]
    pub fn index_status(&self) -> Status {
        self.index.status()
    }

    /// Lines that are logged but not in the committed index.
    #[must_use]
    pub fn tail_events(&self) -> u64 {
        self.tail.as_ref().map_or(0, |tail| tail.status().events)
    }

    /// What the index holds, as one digest in hexadecimal.
    pub fn content_digest(&self) -> Result<String, StoreError> {
        Ok(self.index.content_digest()?.to_string())
    }
}

/// Reads the line at a place that a hit named.
type ReadLine<'a> = &'a mut dyn FnMut(ghost_index::Position) -> Option<Vec<u8>>;

/// What one question searches.
enum Parts<'a> {
    Now(&'a EmbeddedIndex, Option<&'a OracleIndex>),
    Then(Seen<'a>, Option<Seen<'a>>),
}

impl<'a> Parts<'a> {
    fn of(
        index: &'a EmbeddedIndex,
        tail: Option<&'a OracleIndex>,
        as_of: Option<&'a AsOf>,
    ) -> Parts<'a> {
        match as_of {
            None => Parts::Now(index, tail),
            Some(as_of) => match &as_of.whole {
                Some((whole, _)) => Parts::Then(as_of.seen(whole), None),
                None => Parts::Then(as_of.seen(index), tail.map(|tail| as_of.seen(tail))),
            },
        }
    }

    fn sources(&self) -> Sources<'_> {
        match self {
            Parts::Now(index, tail) => {
                Sources { index: *index, tail: tail.map(|tail| tail as &dyn Index) }
            }
            Parts::Then(index, tail) => {
                Sources { index, tail: tail.as_ref().map(|tail| tail as &dyn Index) }
            }
        }
    }
}

/// What the imports could not take in, in words; `None` where nothing is known to be missing.
pub(crate) fn lost(reader: &LogReader) -> Result<Option<String>, StoreError> {
    let journal = reader.journal()?;
    let all = journal.all();
    let unparsed: u64 = all.iter().map(|import| import.unparsed).sum();
    let damaged = all.iter().filter(|import| !import.error.is_empty()).count();
    let unfinished = all.iter().filter(|import| import.state == ImportState::Begin).count();
    let parts = [
        (unparsed, "packets that are in no event", "packet that is in no event"),
        (damaged as u64, "captures that were damaged before their end", "damaged capture"),
        (unfinished as u64, "imports that were stopped", "import that was stopped"),
    ];
    let told: Vec<String> = parts
        .iter()
        .filter(|p| p.0 > 0)
        .map(|(n, many, one)| format!("{n} {}", if *n == 1 { one } else { many }))
        .collect();
    Ok((!told.is_empty()).then(|| format!("lost: {}", told.join(", "))))
}

fn lines_behind(reader: &LogReader, index: &EmbeddedIndex) -> Result<u64, StoreError> {
    let mut lines = reader.lines(index.indexed_to() + 1);
    let mut behind = 0;
    while behind <= TAIL_LINES_MAX && lines.next()?.is_some() {
        behind += 1;
    }
    Ok(behind)
}

fn tail(reader: &LogReader, indexed_to: Seq) -> Result<Option<OracleIndex>, StoreError> {
    let mut lines = reader.lines(indexed_to + 1);
    let mut tail = None;
    while let Some(line) = lines.next()? {
        tail.get_or_insert_with(OracleIndex::new).add(line.bytes, follow::place(&line))?;
    }
    if let Some(tail) = &mut tail {
        tail.commit()?;
    }
    Ok(tail)
}

/// Brings an index that is open for writing to the log's end.
fn catch_up(index: &mut EmbeddedIndex, reader: &LogReader) -> Result<Vec<String>, StoreError> {
    let mut notes = Vec::new();
    if let Some(first) = reader.first_seq()? {
        index.retain(first)?;
    }
    for name in index.repair(&Source(reader))? {
        notes.push(format!("index partition {name} was damaged and was made again from the log"));
    }
    let mut lines = reader.lines(index.indexed_to() + 1);
    while let Some(line) = lines.next()? {
        index.add(line.bytes, follow::place(&line))?;
    }
    // Nobody writes: packets at the log's end count no further.
    index.close_window()?;
    index.commit()?;
    Ok(notes)
}

/// Makes the index of `data` anew from its log.
pub fn rebuild(data: &DataDir) -> Result<Status, StoreError> {
    let reader = LogReader::open(data.root());
    let mut index = match EmbeddedIndex::open(&data.index()) {
        Err(IndexError::Format { .. }) => {
            std::fs::remove_dir_all(data.index())
                .map_err(|source| IndexError::Io { path: data.index(), source })?;
            EmbeddedIndex::open(&data.index())?
        }
        opened => opened?,
    };
    index.clear()?;
    catch_up(&mut index, &reader)?;
    let status = index.status();
    drop(index);
    data.settle_permissions().map_err(|source| IndexError::Io { path: data.index(), source })?;
    Ok(status)
}

/// Whether a logged line is an event, and not a note or a shape.
#[must_use]
pub fn is_event(line: &[u8]) -> bool {
    View::parse(line).is_ok_and(|v| matches!(v.kind, LineKind::Flow | LineKind::Packet))
}

/// The number of an event's line; `None` where it is none, or not in the log yet.
#[must_use]
pub fn event_seq(line: &[u8]) -> Option<Seq> {
    View::parse(line).ok().and_then(|view| view.ghost.seq).filter(|seq| *seq > 0)
}

/// Counts what the log holds.
pub fn log_stats(data: &DataDir) -> Result<LogStats, LogError> {
    ghost_log::stats(data.root())
}

/// A log to read, wherever it lies.
#[must_use]
pub fn log_reader(data: &DataDir) -> LogReader {
    LogReader::open(data.root())
}

/// The model that questions would be embedded with.
pub fn check_model(models: &Models) -> Result<(PathBuf, String), ModelError> {
    Ok((models.dir()?, models.load()?.id().to_owned()))
}
