//! One import through the daemon: a lane of its own, the one writer, the same journal.
//!
//! The capture is read on the caller's thread's behalf by a lane; its batches wait, at most a few,
//! in the writer's queue among the live ones. A capture that is being imported already is refused,
//! one that is known as offline is; one that was interrupted is completed.

use std::collections::HashSet;
use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded};
use ghost_event::line::{ImportNote, ImportState};
use ghost_event::{Seq, Timestamp};
use ghost_flow::FlowConfig;
use ghost_log::{LogError, LogReader};
use ghost_wire::filter::Filter;

use super::queues::Queue;
use super::shared::Shared;
use super::writer::{Command, Imported};
use super::{ImportAsk, ImportError};
use crate::anomaly::Anomalies;
use crate::import::{self, Begin, FileReport, Journal, Taken};
use crate::lane::{Batched, LaneConfig};
use crate::limits::{IMPORT_BATCHES_WAITING, IMPORTS_MAX, LANE_BATCHES_MAX};
use crate::pen::Known;

/// Captures that are being imported, by content.
#[derive(Debug, Default)]
pub(crate) struct Running(Mutex<HashSet<String>>);

/// A place among the running imports, given back when it goes.
struct Place<'a> {
    running: &'a Running,
    shared: &'a Shared,
    sha256: Option<String>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.shared.imports_running.set(self.shared.imports_running.get().saturating_sub(1));
        if let Some(sha256) = &self.sha256 {
            self.running.0.lock().unwrap_or_else(PoisonError::into_inner).remove(sha256);
        }
    }
}

impl Running {
    /// A place for a capture with this content, where it is known; `None` where another has it.
    fn begin<'a>(
        &'a self,
        shared: &'a Shared,
        sha256: Option<&str>,
    ) -> Result<Option<Place<'a>>, ImportError> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.imports_running.get() >= IMPORTS_MAX {
            return Err(ImportError::Busy);
        }
        if let Some(sha256) = sha256
            && !all.insert(sha256.to_owned())
        {
            return Ok(None);
        }
        shared.imports_running.add(1);
        Ok(Some(Place { running: self, shared, sha256: sha256.map(str::to_owned) }))
    }
}

/// What an import needs of the daemon.
pub(crate) struct Session<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) running: &'a Running,
    pub(crate) writer: &'a Queue<Command>,
    pub(crate) reader: &'a LogReader,
    pub(crate) anomalies: Anomalies,
}

impl Session<'_> {
    /// Does the import; `told` hears the bytes read so far, and ends it by answering false.
    pub(crate) fn run(
        &self,
        ask: &ImportAsk,
        input: Box<dyn Read + Send>,
        told: &mut dyn FnMut(u64) -> bool,
    ) -> Result<FileReport, ImportError> {
        if self.shared.stopping() {
            return Err(ImportError::Stopping);
        }
        let filter = match ask.filter.trim() {
            "" => None,
            words => Some(Filter::compile(words).map_err(ImportError::Filter)?),
        };
        let mut report = FileReport {
            file: ask.file.clone(),
            sha256: ask.sha256.clone().unwrap_or_default(),
            ..FileReport::default()
        };
        let Some(_place) = self.running.begin(self.shared, ask.sha256.as_deref())? else {
            report.error = Some("is being imported right now".to_owned());
            report.refused = true;
            return Ok(report);
        };
        let described = import::describe(ask.no_idle_timeout, ask.updates_s, &ask.filter);
        let mut journal = Remote::new(self);
        let begun = match import::begin(&mut journal, &report, &described, ask.again)? {
            Begin::From(begun) => begun,
            Begin::Refused(why) => {
                report.error = Some(why);
                report.refused = true;
                return Ok(report);
            }
        };
        let mut flow = FlowConfig { no_idle_timeout: ask.no_idle_timeout, ..FlowConfig::default() };
        flow.updates_ns = ask
            .updates_s
            .map(|s| i64::try_from(s).unwrap_or(i64::MAX).saturating_mul(Timestamp::NS_PER_S));
        let config = LaneConfig { flow, filter, anomalies: self.anomalies };
        let read = AtomicU64::new(0);
        let taken = std::thread::scope(|scope| {
            let (send, batches) = bounded(LANE_BATCHES_MAX);
            let (config, read) = (&config, &read);
            scope.spawn(move || drop(import::run_stream(input, config, &send, read)));
            let on = || told(read.load(Ordering::Relaxed)) && !self.shared.stopping();
            let taken = import::take_in(&mut journal, &batches, begun, &mut report, &described, on);
            // A lane that still reads is told by this that nobody listens.
            drop(batches);
            taken
        });
        let settled = journal.settle();
        if taken? != Taken::All {
            return Err(ImportError::Stopping);
        }
        settled?;
        if let Some(expected) = &ask.sha256
            && *expected != report.sha256
        {
            report.error.get_or_insert_with(|| {
                format!(
                    "its content is not what was announced (SHA-256 {expected}): what was read is \
                     logged under its own"
                )
            });
        }
        Ok(report)
    }
}

/// The journal behind the writer's queue.
struct Remote<'a> {
    session: &'a Session<'a>,
    reply: Sender<Result<(), LogError>>,
    replies: Receiver<Result<(), LogError>>,
    outstanding: usize,
    spoilt: Arc<AtomicBool>,
    file: Option<Arc<str>>,
}

impl<'a> Remote<'a> {
    fn new(session: &'a Session<'a>) -> Remote<'a> {
        let (reply, replies) = bounded(IMPORT_BATCHES_WAITING);
        Remote { session, reply, replies, outstanding: 0, spoilt: Arc::default(), file: None }
    }

    fn tell(&self, command: Command) -> Result<(), ImportError> {
        self.session.writer.put(command).map_err(|_| ImportError::Stopping)
    }

    fn ask<T>(
        &self,
        command: impl FnOnce(Sender<Result<T, LogError>>) -> Command,
    ) -> Result<T, ImportError> {
        let (reply, answer) = bounded(1);
        self.tell(command(reply))?;
        let answer = answer.recv().map_err(|_| ImportError::Stopping)?;
        answer.map_err(|error| ImportError::Log(error.to_string()))
    }

    /// Waits until at most `left` batches are on their way.
    fn wait(&mut self, left: usize) -> Result<(), ImportError> {
        while self.outstanding > left {
            self.outstanding -= 1;
            let taken = self.replies.recv().map_err(|_| ImportError::Stopping)?;
            taken.map_err(|error| ImportError::Log(error.to_string()))?;
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<(), ImportError> {
        self.wait(0)
    }
}

impl Journal for Remote<'_> {
    type Error = ImportError;

    fn known(&mut self, sha256: &str) -> Result<Known, ImportError> {
        let sha256 = sha256.to_owned();
        let told = self.ask(|reply| Command::Known { sha256, reply })?;
        let Some(record) = told.record else { return Ok(Known::No) };
        let begin = record.begin;
        Ok(match record.state {
            ImportState::Abandoned => Known::No,
            ImportState::End => Known::Complete { file: record.file, begin },
            ImportState::Begin => {
                // Counted here: the writer has live events to see to.
                let events = self.session.reader.events_of_import(begin);
                let events = events.map_err(|error| ImportError::Log(error.to_string()))?;
                Known::Begun { events, options: record.options, begin }
            }
        })
    }

    fn note(&mut self, note: &ImportNote<'_>) -> Result<Seq, ImportError> {
        // The end of an import stands behind its events, or nowhere.
        self.wait(0)?;
        let note = owned(note);
        self.ask(|reply| Command::NoteImport { note, reply })
    }

    fn features(
        &mut self,
        finished: Batched,
        skip: usize,
        file: &str,
        begin: Seq,
    ) -> Result<(), ImportError> {
        self.wait(IMPORT_BATCHES_WAITING - 1)?;
        let file = Arc::clone(self.file.get_or_insert_with(|| Arc::from(file)));
        let (spoilt, reply) = (Arc::clone(&self.spoilt), self.reply.clone());
        self.tell(Command::Imported(Imported { finished, skip, file, begin, spoilt, reply }))?;
        self.outstanding += 1;
        Ok(())
    }
}

fn owned(note: &ImportNote<'_>) -> ImportNote<'static> {
    let text = |text: &str| text.to_owned().into();
    ImportNote {
        state: note.state,
        file: text(&note.file),
        sha256: text(&note.sha256),
        options: text(&note.options),
        begin: note.begin,
        packets: note.packets,
        bytes: note.bytes,
        flows: note.flows,
        events: note.events,
        unparsed: note.unparsed,
        error: text(&note.error),
    }
}
