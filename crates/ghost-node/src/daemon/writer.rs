//! The writer: one thread that owns the log, and what it does when it is told.
//!
//! Live events, imports, notes, refined vectors and wishes to flush come over one bounded queue and
//! are done in its order. What is due is made durable between two commands. Where the log takes
//! nothing, events are counted as lost and told by a `gap` line as soon as it does again: after a
//! full disk by itself, after a failed write by opening the log anew.
//!
//! **Invariant:** nobody else writes a line.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use ghost_embed::{Profile, Shape};
use ghost_event::line::{GapNote, ImportNote, IncidentNote, Note, PacketEvent, Source};
use ghost_event::{
    Features, IncidentName, Port, Priority, Seq, ShapeId, Timestamp, Vector, Within,
};
use ghost_log::{ImportRecord, LogConfig, LogError};
use ghost_world::{Clock, Disk};

use super::changes::Changed;
use super::gap::{Losses, Lost, reason};
use super::indexer::Waker;
use super::refine::Refine;
use super::sealing::{self, Sealing};
use super::shared::{Ports, Shared};
use crate::DataDir;
use crate::anomaly::alerts::{Alert, Desks};
use crate::lane::Batched;
use crate::limits::{LOG_RETRY_NS, WAKE_LINES};
use crate::pen::{Pen, Worded, priority, priority_of};

/// What the tap thread hands over at once.
#[derive(Debug, Default)]
pub(crate) struct LiveBatch {
    /// New shapes of packets, told before their first packet.
    pub(crate) shapes: Vec<(ShapeId, Box<Shape>)>,
    pub(crate) packets: Vec<(PacketEvent, ShapeId, Port)>,
    pub(crate) features: Vec<Features>,
    /// Told after the flows.
    pub(crate) incidents: Vec<IncidentNote<'static>>,
}

impl LiveBatch {
    pub(crate) fn is_empty(&self) -> bool {
        self.packets.is_empty() && self.features.is_empty() && self.incidents.is_empty()
    }

    /// What is missing where the batch is lost. A packet of a packet event is in its flow's as well
    /// and counts there, unless there is no flow in the batch at all.
    pub(crate) fn as_lost(&self, now: Timestamp) -> Lost {
        let mut lost = Lost::at(now);
        for flow in &self.features {
            add_flow(&mut lost, flow);
        }
        for (packet, ..) in &self.packets {
            lost.events += 1;
            lost.from = lost.from.min(packet.ts);
        }
        for note in &self.incidents {
            lost.events += 1;
            lost.from = lost.from.min(note.at);
        }
        lost
    }
}

fn add_flow(lost: &mut Lost, flow: &Features) {
    lost.events += 1;
    lost.packets += flow.packets();
    lost.bytes += flow.bytes();
    lost.from = lost.from.min(flow.first);
    lost.to = lost.to.max(flow.last);
}

/// What the log knows of a capture; its events are counted by who asked.
#[derive(Debug)]
pub(crate) struct Journalled {
    pub(crate) record: Option<ImportRecord>,
}

/// What the writer is told.
pub(crate) enum Command {
    Live(LiveBatch),
    Gap(GapNote<'static>),
    /// What the import journal holds of a capture.
    Known {
        sha256: String,
        reply: Sender<Result<Journalled, LogError>>,
    },
    NoteImport {
        note: ImportNote<'static>,
        reply: Sender<Result<Seq, LogError>>,
    },
    Imported(Imported),
    Refined {
        worded: Worded,
        model: Arc<str>,
        vector: Vector,
    },
    /// Elements that are others now.
    Changes(Vec<Changed>),
    /// Seals the log into a block.
    Seal(Sender<sealing::Answered>),
    /// Hands everything to the file, for readers to see, and answers with the last line's number.
    Flush(Sender<Seq>),
    /// Makes everything durable and ends.
    Stop(Sender<Result<Seq, String>>),
}

/// A batch of an import.
pub(crate) struct Imported {
    pub(crate) finished: Batched,
    pub(crate) skip: usize,
    pub(crate) file: Arc<str>,
    pub(crate) begin: Seq,
    /// Set after a batch was not taken: those behind it must not be, or there would be a hole.
    pub(crate) spoilt: Arc<AtomicBool>,
    pub(crate) reply: Sender<Result<(), LogError>>,
}

/// What the writer needs to open the log again.
pub(crate) struct Opening {
    pub(crate) data: DataDir,
    pub(crate) config: LogConfig,
    pub(crate) profile: Profile,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) disk: Arc<dyn Disk>,
}

impl Opening {
    pub(crate) fn pen(&self) -> Result<(Pen, ghost_log::Recovery), LogError> {
        let disk = Arc::clone(&self.disk);
        Pen::open(disk, &self.data, self.config.clone(), self.profile, Arc::clone(&self.clock))
    }
}

/// The thread's own.
pub(crate) struct Writer {
    pub(crate) opening: Opening,
    /// `None` while the log refuses everything.
    pub(crate) pen: Option<Pen>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) index: Waker,
    pub(crate) refine: Refine,
    pub(crate) sealing: Sealing,
    /// Appended by pens before this one.
    pub(crate) bytes_before: u64,
    pub(crate) losses: Losses,
    pub(crate) retry_ns: u64,
    pub(crate) due_ns: Option<u64>,
    pub(crate) lines: u32,
    pub(crate) ports: Arc<Ports>,
    pub(crate) ports_version: u64,
    /// The epoch that this start began: its incidents are named by it.
    pub(crate) incidents_epoch: u64,
    pub(crate) desks: Desks,
}

impl Writer {
    /// Does what it is told until it is told to stop, or nobody is left to tell.
    pub(crate) fn run(mut self, commands: &Receiver<Command>) {
        loop {
            let command = match self.patience() {
                None => commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(patience) => commands.recv_timeout(patience),
            };
            match command {
                Ok(Command::Stop(reply)) => {
                    let ended = self.end();
                    // Who asked may have lost patience.
                    let _ = reply.send(ended);
                    return;
                }
                Ok(command) => self.obey(command),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return drop(self.end()),
            }
            let idle = commands.is_empty();
            self.look_after_the_log(idle);
        }
    }

    /// How long nothing is due.
    fn patience(&self) -> Option<Duration> {
        let now = self.opening.clock.monotonic_ns();
        let retry = (self.pen.is_none() || !self.losses.is_empty()).then_some(self.retry_ns);
        let seal = self.pen.is_some().then(|| self.sealing.next()).flatten();
        let late = self.sealing.is_late().then_some(now);
        let due = [self.due_ns, retry, seal, late].into_iter().flatten().min()?;
        // Not in less than a millisecond: whatever is due may be so much late.
        Some(Duration::from_nanos(due.saturating_sub(now)).max(Duration::from_millis(1)))
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Live(batch) => self.live(&batch),
            Command::Gap(note) => self.gap(note),
            Command::Known { sha256, reply } => {
                let answer = self.with_pen(|pen| {
                    // What is counted of it must be where readers see it.
                    pen.log.write()?;
                    Ok(Journalled { record: pen.log.imports().get(&sha256).cloned() })
                });
                let _ = reply.send(answer);
            }
            Command::NoteImport { note, reply } => {
                let noted = self.with_pen(|pen| pen.note_import(&note));
                if noted.is_ok() {
                    self.logged("import", Note::Import(note).priority());
                }
                let _ = reply.send(noted);
            }
            Command::Imported(batch) => self.imported(&batch),
            Command::Refined { worded, model, vector } => {
                if let Err(error) = self.with_pen(|pen| pen.refined(&worded, &model, &vector)) {
                    self.trouble(&error);
                }
            }
            Command::Flush(reply) => {
                if let Err(error) = self.with_pen(|pen| pen.log.write()) {
                    self.trouble(&error);
                }
                self.tell();
                let _ = reply.try_send(self.shared.log_head.get());
            }
            Command::Changes(changes) => self.changes(&changes),
            Command::Seal(reply) => self.sealing.ask(reply),
            // Taken out before.
            Command::Stop(_) => {}
        }
    }

    fn with_pen<T>(
        &mut self,
        f: impl FnOnce(&mut Pen) -> Result<T, LogError>,
    ) -> Result<T, LogError> {
        match &mut self.pen {
            Some(pen) => f(pen),
            None => Err(LogError::Refused { cause: self.shared.texts().log_trouble.clone() }),
        }
    }

    fn live(&mut self, batch: &LiveBatch) {
        if self.shared.ports_version.get() != self.ports_version {
            self.ports_version = self.shared.ports_version.get();
            self.ports = self.shared.ports();
        }
        let now = Timestamp(self.opening.clock.wall_ns());
        let ports = Arc::clone(&self.ports);
        let source = |port: Port| Source {
            in_iface: ports.name(port.ifindex),
            bridge: ports.bridge(port.bridge),
            epoch: self.incidents_epoch,
            ..Source::default()
        };
        let Some(pen) = &mut self.pen else {
            return self.lose(batch.as_lost(now));
        };
        let mut lost = Lost::at(now);
        let mut failed = None;
        let ticks = self.opening.clock.monotonic_ns();
        for (id, shape) in &batch.shapes {
            match pen.shape(*id, shape) {
                Ok(Some(worded)) => self.refine.take(worded),
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
        }
        for (packet, id, port) in &batch.packets {
            match pen.packet(packet, &source(*port), *id) {
                Ok(()) => self.sealing.logged("packet", priority_of(packet.behaviours), ticks),
                Err(error) => {
                    lost.events += 1;
                    lost.from = lost.from.min(packet.ts);
                    failed = Some(error);
                }
            }
        }
        for flow in &batch.features {
            match pen.flow(flow, &source(flow.port)) {
                Ok(worded) => {
                    worded.into_iter().for_each(|worded| self.refine.take(worded));
                    self.sealing.logged("flow", priority(flow), ticks);
                }
                Err(error) => {
                    add_flow(&mut lost, flow);
                    failed = Some(error);
                }
            }
        }
        let live = Source { epoch: self.incidents_epoch, ..Source::default() };
        for note in &batch.incidents {
            match pen.incident(note, &live) {
                Ok(()) => {
                    self.sealing.logged("anomaly", note.priority(), ticks);
                    if self.desks.any() {
                        let within = Within::Epoch(self.incidents_epoch);
                        let id = IncidentName { within, number: note.number };
                        self.desks.offer(Alert::of(note, id));
                    }
                }
                Err(error) => {
                    lost.events += 1;
                    lost.from = lost.from.min(note.at);
                    failed = Some(error);
                }
            }
        }
        let lines = batch.packets.len() + batch.features.len() + batch.incidents.len();
        self.shared.events.add((lines as u64).saturating_sub(lost.events));
        if lost.events > 0 {
            self.lose(lost);
        }
        if let Some(error) = failed {
            self.trouble(&error);
        }
        self.grown(lines);
    }

    fn imported(&mut self, batch: &Imported) {
        if batch.spoilt.load(Ordering::Acquire) {
            let cause = "a batch of this import before was not taken".to_owned();
            // Whoever imports may have given up.
            let _ = batch.reply.try_send(Err(LogError::Refused { cause }));
            return;
        }
        let source = Source {
            pcap_filename: Some(&batch.file),
            import: Some(batch.begin),
            ..Source::default()
        };
        let (mut lines, mut incidents) = (0, 0_u64);
        let mut fresh = Vec::new();
        let done = self.with_pen(|pen| {
            let mut notes = batch.finished.incidents.iter().peekable();
            for (at, flow) in batch.finished.features.iter().enumerate().skip(batch.skip) {
                while let Some((_, note)) = notes.next_if(|(before, _)| *before <= at) {
                    pen.incident(note, &source)?;
                    incidents += 1;
                }
                fresh.extend(pen.flow(flow, &source)?);
                lines += 1;
            }
            for (_, note) in notes {
                pen.incident(note, &source)?;
                incidents += 1;
            }
            Ok(())
        });
        for worded in fresh {
            self.refine.take(worded);
        }
        let ticks = self.opening.clock.monotonic_ns();
        for flow in batch.finished.features.iter().skip(batch.skip).take(lines) {
            self.sealing.logged("flow", priority(flow), ticks);
        }
        for _ in 0..incidents {
            self.sealing.logged("anomaly", Priority::Medium, ticks);
        }
        self.shared.events.add(lines as u64 + incidents);
        if let Err(error) = &done {
            batch.spoilt.store(true, Ordering::Release);
            self.trouble(error);
        }
        let _ = batch.reply.try_send(done);
        self.grown(lines);
    }

    fn gap(&mut self, note: GapNote<'static>) {
        let (packets, bytes, events) = (note.packets, note.bytes, note.events);
        match self.with_pen(|pen| pen.note(&Note::Gap(note))) {
            Ok(_) => self.told_gap(packets, bytes, events),
            Err(error) => self.trouble(&error),
        }
    }

    fn told_gap(&mut self, packets: u64, bytes: u64, events: u64) {
        self.shared.gaps.add(1);
        self.sealing.since.lose(packets, bytes, events);
        self.logged("gap", Priority::Medium);
    }

    /// An event of this kind was logged: it is counted, and wants its block.
    fn logged(&mut self, kind: &'static str, prio: Priority) {
        let now = self.opening.clock.monotonic_ns();
        self.sealing.logged(kind, prio, now);
    }

    fn changes(&mut self, changes: &[Changed]) {
        let now = Timestamp(self.opening.clock.wall_ns());
        let mut lost = Lost::at(now);
        for changed in changes {
            match self.with_pen(|pen| pen.change(changed, now)) {
                Ok(()) => {
                    self.shared.events.add(1);
                    // The log's own lines about its replicas make no block due.
                    if !changed.is_own() {
                        self.logged("change", changed.priority);
                    }
                }
                Err(error) => {
                    lost.events += 1;
                    self.trouble(&error);
                }
            }
        }
        if lost.events > 0 {
            self.lose(lost);
        }
        self.grown(changes.len());
    }

    /// Lines were written: the index is woken where there are many.
    fn grown(&mut self, lines: usize) {
        self.lines = self.lines.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        if self.lines >= 8 * WAKE_LINES {
            self.lines = 0;
            self.index.wake();
        }
    }

    fn lose(&mut self, lost: Lost) {
        self.shared.log_events_lost.add(lost.events);
        self.shared.log_packets_lost.add(lost.packets);
        self.shared.log_bytes_lost.add(lost.bytes);
        if self.losses.is_empty() && self.pen.is_some() {
            self.retry_ns = self.opening.clock.monotonic_ns().saturating_add(LOG_RETRY_NS);
        }
        self.losses.add(reason::LOG_FAILED, lost);
    }

    /// The log did not do what it was asked: said once, and where it refuses all, it is closed.
    fn trouble(&mut self, error: &LogError) {
        self.shared.texts().log_trouble = error.to_string();
        if matches!(error, LogError::Refused { .. } | LogError::Io { .. }) && self.pen.is_some() {
            self.bytes_before += self.pen.take().map_or(0, |pen| pen.bytes);
            self.retry_ns = self.opening.clock.monotonic_ns().saturating_add(LOG_RETRY_NS);
        }
    }

    fn look_after_the_log(&mut self, idle: bool) {
        let now = self.opening.clock.monotonic_ns();
        if self.pen.is_none() && now >= self.retry_ns {
            self.reopen(now);
        }
        if self.pen.is_some() && !self.losses.is_empty() && now >= self.retry_ns {
            self.tell_losses(now);
        }
        // With more to do, lines are written in large pieces anyway.
        if idle || self.due_ns.is_some_and(|at| at <= now) {
            match self.with_pen(|pen| pen.log.tick(now)) {
                Ok(due) => {
                    self.due_ns = due;
                    self.well();
                }
                Err(error @ LogError::NoSpace { .. }) => {
                    self.due_ns = Some(now.saturating_add(LOG_RETRY_NS));
                    self.trouble(&error);
                }
                Err(error) => {
                    self.due_ns = None;
                    self.trouble(&error);
                }
            }
            self.tell();
        }
        // What presses does not wait for its block to be made.
        self.tell_replicas(now);
        self.seal(now);
        self.tell_replicas(now);
    }

    fn tell_replicas(&mut self, now: u64) {
        if let Some(pen) = &self.pen {
            self.sealing.tell_replicas(pen, now);
        }
    }

    /// What was written went well: where nothing is left to be told, there is no trouble any more.
    fn well(&self) {
        let waits = self.pen.as_ref().is_none_or(|pen| pen.log.waiting_bytes() > 0);
        if self.losses.is_empty() && !waits {
            self.shared.texts().log_trouble.clear();
        }
    }

    /// Seals and tends what is due.
    fn seal(&mut self, now: u64) {
        let Some(pen) = &mut self.pen else {
            let why = self.shared.texts().log_trouble.clone();
            return self.sealing.refuse(&why);
        };
        if let Err(error) = self.sealing.work(pen, now) {
            self.trouble(&error);
            if matches!(error, LogError::NoSpace { .. }) {
                self.due_ns = Some(now.saturating_add(LOG_RETRY_NS));
            }
        }
    }

    fn reopen(&mut self, now: u64) {
        match self.opening.pen() {
            Ok((mut pen, recovery)) => {
                recovery.told().into_iter().for_each(|told| self.shared.warn(told));
                self.sealing.reopened(&mut pen);
                self.shared.epoch.set(recovery.epoch);
                self.pen = Some(pen);
                self.retry_ns = now;
            }
            Err(error) => {
                self.shared.texts().log_trouble = error.to_string();
                self.retry_ns = now.saturating_add(LOG_RETRY_NS);
            }
        }
    }

    /// Tells what was lost, where the log takes lines again.
    fn tell_losses(&mut self, now: u64) {
        while let Some((reason, lost)) = self.losses.take() {
            let told = self.with_pen(|pen| {
                // Room in memory is not room on the disk.
                pen.log.write()?;
                pen.note(&Note::Gap(lost.note(reason)))
            });
            match told {
                Ok(_) => {
                    self.told_gap(lost.packets, lost.bytes, lost.events);
                    self.shared.texts().log_trouble.clear();
                }
                Err(error) => {
                    self.losses.add(reason, lost);
                    self.retry_ns = now.saturating_add(LOG_RETRY_NS);
                    return self.trouble(&error);
                }
            }
        }
    }

    /// Numbers for the status.
    fn tell(&mut self) {
        let Some(pen) = &self.pen else { return };
        let shared = &self.shared;
        shared.log_head.set(pen.log.head().seq);
        shared.log_durable.set(pen.log.durable().seq);
        shared.log_segment.set(pen.log.segment());
        shared.log_waiting.set(pen.log.waiting_bytes() as u64);
        shared.log_bytes.set(self.bytes_before.saturating_add(pen.bytes));
        self.sealing.tell_kinds();
    }

    /// Everything durable.
    fn end(&mut self) -> Result<Seq, String> {
        if !self.losses.is_empty() {
            let now = self.opening.clock.monotonic_ns();
            if self.pen.is_none() {
                self.reopen(now);
            }
            self.tell_losses(now);
        }
        let synced = self.with_pen(|pen| {
            pen.log.sync()?;
            Ok(pen.log.durable().seq)
        });
        self.tell();
        let durable = synced.map_err(|error| error.to_string())?;
        if let Some(pen) = &mut self.pen {
            let ended = self.sealing.end(pen);
            let now = self.opening.clock.monotonic_ns();
            self.sealing.tell_replicas(pen, now);
            ended?;
            return Ok(pen.log.durable().seq);
        }
        Ok(durable)
    }
}
