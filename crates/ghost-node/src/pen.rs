//! The pen: features and packets to lines of the one log, for imports and the daemon alike.
//!
//! It gives each event its shape, each new shape its fast vector and its line, and knows from the
//! log's journal which captures it holds. What the caller is told of a new shape is all that the
//! full model needs to better it.
//!
//! It knows of each shape that has only its fast vector which line used it first: up to there the
//! log is ready for who has no model.
//!
//! **Invariant:** one pen a log; the log's lock is in it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use ghost_embed::{FieldRows, GLOSSARY_VERSION, Glossary, Profile, Shape, ShapeCache};
use ghost_event::line::{
    self, EVIDENCE_MAX, ImportNote, ImportState, IncidentNote, IncidentState, Note, PacketEvent,
    ShapeLine, Source, View,
};
use ghost_event::{
    Behaviours, Features, IncidentName, Priority, Seq, ShapeId, Tier, Timestamp, Vector, Within,
};
use ghost_log::{Element, Log, LogConfig, LogError, LogReader, Recovery};
use ghost_world::{Clock, Disk};

use crate::DataDir;
use crate::daemon::Changed;
use crate::limits::INCIDENTS_TOLD_MAX;

/// What the log knows of a capture.
#[derive(Debug)]
pub(crate) enum Known {
    No,
    Begun { events: u64, options: String, begin: Seq },
    Complete { file: String, begin: Seq },
}

/// A shape in words: what the full model embeds, and what its line says besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Worded {
    pub(crate) id: ShapeId,
    pub(crate) tuple: String,
    pub(crate) text: String,
    pub(crate) priority: Priority,
}

/// The one writer of lines.
pub(crate) struct Pen {
    pub(crate) log: Log,
    reader: LogReader,
    cache: ShapeCache,
    body: Vec<u8>,
    profile: Profile,
    pub(crate) shapes_new: u64,
    /// Of events, as they stand in the log.
    pub(crate) bytes: u64,
    /// Lines that stood there when it was opened.
    lines_before: u64,
    /// Shapes that the log was told.
    known: HashSet<ShapeId>,
    /// Shapes of packets: told once by whoever names them, and again where the log forgot.
    told: HashMap<ShapeId, Shape>,
    /// Lines of the first flows of incidents that are not over.
    evidence: BTreeMap<IncidentName, Vec<Seq>>,
    /// Shapes that have only their fast vector, with the line that used them first; none yet for
    /// those that were told and not used.
    fast: HashMap<ShapeId, Option<Seq>>,
}

impl std::fmt::Debug for Pen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pen({:?})", self.log.head())
    }
}

impl Pen {
    /// Opens the log of `data` for writing, and begins an epoch.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        data: &DataDir,
        config: LogConfig,
        profile: Profile,
        clock: Arc<dyn Clock>,
    ) -> Result<(Pen, Recovery), LogError> {
        let (log, recovery) = Log::open_on(disk, data.root(), config, clock)?;
        let mut cache = ShapeCache::default();
        let known: HashSet<ShapeId> = log.shapes().map(|(id, _)| id).collect();
        for id in &known {
            cache.remember(*id);
        }
        let mut pen = Pen {
            lines_before: log.size(),
            log,
            reader: LogReader::open(data.root()),
            cache,
            body: Vec::new(),
            profile,
            shapes_new: 0,
            bytes: 0,
            known,
            told: HashMap::new(),
            evidence: BTreeMap::new(),
            fast: HashMap::new(),
        };
        // Somebody used them, nobody remembers where: as if from the first line on.
        pen.fast = pen.unrefined().into_iter().map(|worded| (worded.id, Some(1))).collect();
        Ok((pen, recovery))
    }

    pub(crate) fn reader(&self) -> &LogReader {
        &self.reader
    }

    /// Of an average line of the newest segments.
    pub(crate) fn line_bytes(&self) -> u64 {
        let lines = self.log.size().saturating_sub(self.lines_before);
        if lines < 64 { 500 } else { self.bytes / lines }
    }

    /// Every shape of lines up to `size` has its full vector: who wrote them said so.
    pub(crate) fn was_ready_to(&mut self, size: u64) {
        for first in self.fast.values_mut().flatten() {
            *first = (*first).max(size.saturating_add(1));
        }
    }

    /// The greatest size below which every event's shape has the full model's vector.
    pub(crate) fn ready_size(&self) -> u64 {
        let first = self.fast.values().flatten().min();
        first.map_or(self.log.size(), |first| first.saturating_sub(1).min(self.log.size()))
    }

    /// Whether a shape that was first used behind line `size` has only its fast vector.
    pub(crate) fn waits_behind(&self, size: u64) -> bool {
        self.fast.values().flatten().any(|first| *first > size)
    }

    fn used(&mut self, id: ShapeId, seq: Seq) {
        if let Some(first @ None) = self.fast.get_mut(&id) {
            *first = Some(seq);
        }
    }

    /// What is known of a capture with this content.
    pub(crate) fn known(&mut self, sha256: &str) -> Result<Known, LogError> {
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
    pub(crate) fn note_import(&mut self, note: &ImportNote<'_>) -> Result<Seq, LogError> {
        Ok(self.log.import(note)?.seq)
    }

    /// Logs any other note.
    pub(crate) fn note(&mut self, note: &Note<'_>) -> Result<Seq, LogError> {
        Ok(self.log.append_note(note)?.seq)
    }

    /// Logs one flow; its shape in words where it is a new one.
    pub(crate) fn flow(
        &mut self,
        flow: &Features,
        source: &Source<'_>,
    ) -> Result<Option<Worded>, LogError> {
        let seen = self.cache.see(flow);
        let priority = priority(flow);
        let worded = match &seen.new {
            Some(shape) => Some(self.state_fast(seen.id, shape, priority)?),
            None => None,
        };
        self.body.clear();
        line::flow_body(&mut self.body, flow, source, seen.id, priority);
        let appended = self.log.append(priority, Some(seen.id), &self.body)?;
        self.bytes += u64::from(appended.position.len);
        self.used(seen.id, appended.seq);
        self.witnessed(flow, source, appended.seq);
        Ok(worded)
    }

    /// Takes a shape that somebody else's cache named; its words where the log did not have it.
    pub(crate) fn shape(&mut self, id: ShapeId, shape: &Shape) -> Result<Option<Worded>, LogError> {
        self.told.insert(id, *shape);
        if self.known.contains(&id) {
            return Ok(None);
        }
        self.cache.remember(id);
        self.state_fast(id, shape, Priority::Low).map(Some)
    }

    /// Logs one packet of a shape that was told by [`shape`](Self::shape).
    pub(crate) fn packet(
        &mut self,
        packet: &PacketEvent,
        source: &Source<'_>,
        id: ShapeId,
    ) -> Result<(), LogError> {
        let priority = priority_of(packet.behaviours);
        self.body.clear();
        line::packet_body(&mut self.body, packet, source, id, priority);
        let appended = match (self.log.append(priority, Some(id), &self.body), self.told.get(&id)) {
            (Err(LogError::UnknownShape { .. }), Some(shape)) => {
                // The log was opened anew since it was told.
                let (shape, packet_body) = (*shape, std::mem::take(&mut self.body));
                self.state_fast(id, &shape, priority)?;
                self.body = packet_body;
                self.log.append(priority, Some(id), &self.body)?
            }
            (appended, _) => appended?,
        };
        self.bytes += u64::from(appended.position.len);
        self.used(id, appended.seq);
        Ok(())
    }

    /// Logs a statement about an incident, with the lines of its flows that are known. What an
    /// import finds was over long ago: it presses for nothing.
    pub(crate) fn incident(
        &mut self,
        note: &IncidentNote<'_>,
        source: &Source<'_>,
    ) -> Result<(), LogError> {
        let name = name_of(note.number, source);
        let evidence = match note.state {
            IncidentState::Closed => self.evidence.remove(&name),
            _ => self.evidence.get(&name).cloned(),
        };
        let note = IncidentNote { evidence: evidence.unwrap_or_default(), ..note.clone() };
        let own = note.priority();
        let prio = if source.import.is_some() { own.min(Priority::Medium) } else { own };
        self.body.clear();
        line::anomaly_body(&mut self.body, &note, source, prio);
        let appended = self.log.append(prio, None, &self.body)?;
        self.bytes += u64::from(appended.position.len);
        Ok(())
    }

    /// Remembers the line of an alerted flow for its incident.
    fn witnessed(&mut self, flow: &Features, source: &Source<'_>, seq: Seq) {
        let Some(number) = flow.score.as_ref().and_then(|score| score.incident) else { return };
        let name = name_of(number, source);
        if self.evidence.len() >= INCIDENTS_TOLD_MAX && !self.evidence.contains_key(&name) {
            self.evidence.pop_first();
        }
        let lines = self.evidence.entry(name).or_default();
        if lines.len() < EVIDENCE_MAX {
            lines.push(seq);
        }
    }

    /// Logs what became of an element.
    pub(crate) fn change(&mut self, changed: &Changed, at: Timestamp) -> Result<(), LogError> {
        self.body.clear();
        changed.body(&mut self.body, at);
        let kind = changed.id.split_once(':').map_or("", |(kind, _)| kind);
        let element = Element { kind, id: &changed.id };
        let appended = self.log.append_element(changed.priority, None, &element, &self.body)?;
        self.bytes += u64::from(appended.position.len);
        Ok(())
    }

    /// Tells the log a shape with its fast vector.
    fn state_fast(
        &mut self,
        id: ShapeId,
        shape: &Shape,
        priority: Priority,
    ) -> Result<Worded, LogError> {
        self.shapes_new += 1;
        let worded = Worded { id, tuple: shape.tuple(), text: Glossary.text(shape), priority };
        let vector = FieldRows::embedded().embed_in(shape, self.profile.dimensions());
        shape_body(&mut self.body, &worded, &fast_model(), &vector);
        self.log.shape(id, &self.body)?;
        self.known.insert(id);
        self.fast.entry(id).or_default();
        Ok(worded)
    }

    /// Logs the full model's vector of a shape.
    pub(crate) fn refined(
        &mut self,
        worded: &Worded,
        model: &str,
        vector: &Vector,
    ) -> Result<(), LogError> {
        shape_body(&mut self.body, worded, model, vector);
        self.log.state(worded.id, &self.body)?;
        self.fast.remove(&worded.id);
        Ok(())
    }

    /// Shapes of the log that have only their fast vector.
    pub(crate) fn unrefined(&self) -> Vec<Worded> {
        self.log
            .shapes()
            .filter_map(|(id, body)| {
                let mut line = body.to_vec();
                line::close(&mut line, 0, &ghost_event::Digest::ZERO);
                let view = View::parse(&line).ok()?;
                let part = view.shape.as_ref()?;
                let fast = view.vector()?.tier == Tier::Fast;
                fast.then(|| Worded {
                    id,
                    tuple: part.tuple.to_string(),
                    text: part.text.to_string(),
                    priority: Priority::Low,
                })
            })
            .collect()
    }
}

fn name_of(number: u64, source: &Source<'_>) -> IncidentName {
    let within = source.import.map_or(Within::Epoch(source.epoch), Within::Import);
    IncidentName { within, number }
}

fn fast_model() -> String {
    format!("field-rows/{:016x}", FieldRows::embedded().digest())
}

/// Makes the body of a shape's line with its fast vector: for an event that is in no log yet.
pub(crate) fn fast_shape_body(out: &mut Vec<u8>, id: ShapeId, shape: &Shape, profile: Profile) {
    let worded =
        Worded { id, tuple: shape.tuple(), text: Glossary.text(shape), priority: Priority::Low };
    let vector = FieldRows::embedded().embed_in(shape, profile.dimensions());
    shape_body(out, &worded, &fast_model(), &vector);
}

fn shape_body(out: &mut Vec<u8>, worded: &Worded, model: &str, vector: &Vector) {
    out.clear();
    line::shape_body(
        out,
        &ShapeLine {
            id: worded.id,
            tuple: &worded.tuple,
            text: &worded.text,
            glossary: GLOSSARY_VERSION,
            model,
            vector,
        },
    );
}

/// What an event presses for, by what it was seen to do.
pub(crate) fn priority(flow: &Features) -> Priority {
    priority_of(flow.behaviours)
}

pub(crate) fn priority_of(behaviours: Behaviours) -> Priority {
    /// Somebody is in already.
    const BREACH: Behaviours = Behaviours(
        Behaviours::CREDENTIAL_THEFT.0
            | Behaviours::REVERSE_SHELL.0
            | Behaviours::COMMAND_AND_CONTROL.0,
    );
    const PRESSING: Behaviours = Behaviours(
        Behaviours::BRUTE_FORCE.0
            | Behaviours::DNS_TUNNEL.0
            | Behaviours::ICMP_TUNNEL.0
            | Behaviours::SQL_INJECTION.0
            | Behaviours::REMOTE_CODE.0
            | Behaviours::LATERAL_MOVEMENT.0
            | Behaviours::INDUSTRIAL_WRITE.0
            | Behaviours::ARP_SPOOFING.0
            | Behaviours::ROGUE_DHCP.0
            | Behaviours::ROGUE_ROUTER.0
            | Behaviours::DNS_SPOOFING.0
            | Behaviours::GENERATED_NAMES.0,
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
    if behaviours.intersects(BREACH) {
        Priority::Critical
    } else if behaviours.intersects(PRESSING) {
        Priority::High
    } else if behaviours.intersects(NOTED) {
        Priority::Medium
    } else {
        Priority::Low
    }
}
