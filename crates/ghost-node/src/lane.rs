//! One capture, from its bytes to features, on a thread of its own.

use std::fs::File;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::Sender;
use ghost_detect::Detector;
use ghost_event::line::IncidentNote;
use ghost_event::{Behaviours, EndReason, Features, Subject, Timestamp};
use ghost_flow::{FlowConfig, FlowSink, FlowTable, Seen};
use ghost_tap::CaptureFile;
use ghost_wire::filter::Filter;
use ghost_wire::{LearnedFrom, LinkType};

use crate::anomaly::Anomalies;
use crate::anomaly::scoring::Scoring;
use crate::limits::BATCH_FEATURES_MAX;

/// What one lane is to do; the same for every capture of an import.
#[derive(Debug, Clone)]
pub(crate) struct LaneConfig {
    pub(crate) flow: FlowConfig,
    pub(crate) filter: Option<Filter>,
    pub(crate) anomalies: Anomalies,
}

/// What was read of one capture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LaneCounts {
    pub(crate) packets: u64,
    /// On the wire.
    pub(crate) bytes: u64,
    /// Flows with an outermost IP header.
    pub(crate) flows: u64,
    pub(crate) events: u64,
    /// Packets that no parser got to the end of, or whose link type is not read.
    pub(crate) unparsed: u64,
    /// Of the capture as it lies on disk.
    pub(crate) sha256: String,
    /// Why reading ended early; what stands before was taken in.
    pub(crate) error: Option<String>,
}

/// What a lane hands to the writer.
pub(crate) enum Batch {
    Features(Batched),
    Done(LaneCounts),
}

/// Records, and statements about incidents between them.
#[derive(Debug, Default)]
pub(crate) struct Batched {
    pub(crate) features: Vec<Features>,
    /// Each with the number of records that stand before it here.
    pub(crate) incidents: Vec<(usize, IncidentNote<'static>)>,
}

/// The receiving side has gone: the import is being abandoned.
#[derive(Debug)]
pub(crate) struct Abandoned;

/// Reads `input` to its end and sends what it says; `read_bytes` follows for the progress bar, and
/// `sha256` is asked last.
pub(crate) fn run(
    input: Box<dyn Read + Send>,
    config: &LaneConfig,
    out: &Sender<Batch>,
    read_bytes: &AtomicU64,
    sha256: impl FnOnce() -> String,
) -> Result<(), Abandoned> {
    let mut counts = LaneCounts::default();
    let mut table = FlowTable::new(config.flow.clone());
    let mut sink = Judged {
        detector: Detector::new(ghost_detect::Limits::default()),
        scoring: config.anomalies.enabled.then(|| Scoring::new(config.anomalies.settings)),
        out: Collector { batch: Batched::default(), out, flows: 0, events: 0, abandoned: false },
    };
    let mut told = 0;
    match CaptureFile::open(input) {
        Ok(mut capture) => loop {
            let frame = match capture.next() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => {
                    counts.error = Some(error.to_string());
                    break;
                }
            };
            counts.packets += 1;
            let packet = ghost_wire::parse(LinkType::from_dlt(frame.link), frame.data);
            if config.filter.as_ref().is_some_and(|f| !f.matches(&packet, frame.wire_len)) {
                counts.packets -= 1;
                continue;
            }
            counts.bytes += u64::from(frame.wire_len);
            table.packet(Timestamp(frame.ts), frame.wire_len, &packet, &mut sink);
            if counts.packets % 1024 == 0 {
                let now = capture.bytes_read();
                read_bytes.fetch_add(now - told, Ordering::Relaxed);
                told = now;
                if sink.out.abandoned {
                    return Err(Abandoned);
                }
            }
        },
        Err(error) => counts.error = Some(error.to_string()),
    }
    table.finish(EndReason::Shutdown, &mut sink);
    sink.finish();
    let mut collector = sink.out;
    collector.flush();
    if collector.abandoned {
        return Err(Abandoned);
    }
    counts.flows = collector.flows;
    counts.events = collector.events;
    counts.unparsed = table.counters().unparsed;
    counts.sha256 = sha256();
    out.send(Batch::Done(counts)).map_err(|_| Abandoned)
}

/// The path that means standard input.
pub(crate) const STDIN: &str = "-";

/// Whether a capture can be read but once: standard input, a pipe, a device.
pub(crate) fn is_stream(path: &Path) -> bool {
    path == Path::new(STDIN)
        || path.metadata().is_ok_and(|m| !m.file_type().is_file() && !m.file_type().is_dir())
}

/// Opens a capture.
pub(crate) fn open(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    if path == Path::new(STDIN) {
        return Ok(Box::new(io::stdin()));
    }
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::other("is a folder"));
    }
    Ok(Box::new(file))
}

/// Every capture that `paths` name, folders read to their depth, in a fixed order.
pub(crate) fn expand(paths: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path != Path::new(STDIN) && path.is_dir() {
            walk(path, &mut files)?;
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&entry.path(), files)?;
        } else if entry.path().is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// Hears of judged records.
pub(crate) trait Out {
    fn ended(&mut self, flow: Features);
    /// Comes after the records that it speaks of, as far as they ended.
    fn incident(&mut self, note: IncidentNote<'static>);
    fn packet(&mut self, _flow: &Features, _seen: &Seen<'_>) {}
}

/// Joins the flow table to the detectors and the scorer.
pub(crate) struct Judged<O> {
    pub(crate) detector: Detector,
    /// `None`: nothing is scored.
    pub(crate) scoring: Option<Scoring>,
    pub(crate) out: O,
}

impl<O: Out> Judged<O> {
    /// Looks at a flow that is still open, as it would be judged if it ended now.
    fn look(&mut self, flow: &Features) {
        let mut open = flow.clone();
        open.end = EndReason::Update;
        self.detector.ended(&mut open);
        if let Some(scoring) = &mut self.scoring {
            scoring.look(&open);
        }
        self.tell();
    }

    /// Hands on what became due to be said of incidents.
    pub(crate) fn tell(&mut self) {
        if let Some(scoring) = self.scoring.as_mut().filter(|scoring| scoring.has_due()) {
            scoring.take().into_iter().for_each(|note| self.out.incident(note));
        }
    }

    /// Every flow has ended.
    pub(crate) fn finish(&mut self) {
        if let Some(scoring) = &mut self.scoring {
            scoring.finish();
        }
        self.tell();
    }
}

impl<O: Out> FlowSink for Judged<O> {
    fn started(&mut self, flow: &Features) {
        self.detector.started(flow);
        if let Some(scoring) = &mut self.scoring {
            scoring.started(flow);
        }
    }

    fn field(&mut self, flow: &Features, path: &'static str, value: &[u8]) -> Behaviours {
        self.detector.field(flow, path, value)
    }

    fn learned(&mut self, address: IpAddr, name: &str, from: LearnedFrom, at: Timestamp) {
        let source = match from {
            LearnedFrom::DnsAnswer => "dns",
            LearnedFrom::Dhcp => "dhcp",
            LearnedFrom::Mdns => "mdns",
            LearnedFrom::Netbios => "netbios",
        };
        self.detector.learned(address, name, source, at);
    }

    fn packet(&mut self, flow: &Features, seen: &Seen<'_>) {
        self.out.packet(flow, seen);
        if self.scoring.as_mut().is_some_and(|scoring| scoring.packet(flow, seen.to_server)) {
            self.look(flow);
        }
    }

    fn settling(&mut self, flow: &Features) {
        self.detector.settling(flow);
    }

    fn ended(&mut self, mut flow: Features) {
        self.detector.ended(&mut flow);
        let last = flow.last;
        if let Some(scoring) = &mut self.scoring {
            scoring.ended(&mut flow);
            scoring.advance(last);
        }
        self.out.ended(flow);
        self.tell();
    }
}

/// Gathers what a lane finishes.
struct Collector<'a> {
    batch: Batched,
    out: &'a Sender<Batch>,
    flows: u64,
    events: u64,
    abandoned: bool,
}

impl Collector<'_> {
    fn flush(&mut self) {
        if self.batch.features.is_empty() && self.batch.incidents.is_empty() {
            return;
        }
        let full = std::mem::take(&mut self.batch);
        self.abandoned |= self.out.send(Batch::Features(full)).is_err();
    }
}

impl Out for Collector<'_> {
    fn ended(&mut self, flow: Features) {
        self.events += 1;
        if flow.subject == Subject::Flow && flow.end != EndReason::Update {
            self.flows += 1;
        }
        // Handed over before there is more: what is said of the last record goes with it.
        if self.batch.features.len() == BATCH_FEATURES_MAX {
            self.flush();
        }
        if self.batch.features.is_empty() {
            self.batch.features.reserve(BATCH_FEATURES_MAX);
        }
        self.batch.features.push(flow);
    }

    fn incident(&mut self, note: IncidentNote<'static>) {
        self.batch.incidents.push((self.batch.features.len(), note));
    }
}
