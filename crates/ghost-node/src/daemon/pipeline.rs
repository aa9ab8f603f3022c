//! The tap thread: frames to flows, flows to the writer, and nothing that waits in between.
//!
//! It polls the tap, reads each frame, counts it to its flow, lets the detectors judge what ends,
//! and hands batches to the writer by size or age. Between two polls it looks after the clock, the
//! counters and the questions about open flows, each a bounded piece of work. Where the writer's
//! queue stays full it drops a batch and counts it; the frames themselves passed long ago.
//!
//! **Invariant:** this thread touches no disk and takes no lock that another holds for long.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use ghost_detect::Detector;
use ghost_embed::{PacketFacts, ShapeCache};
use ghost_event::line::{IncidentNote, PacketEvent};
use ghost_event::{EndReason, Features, Port, Priority, Timestamp};
use ghost_flow::{FlowConfig, FlowTable, FrameAt, Seen};
use ghost_wire::filter::Filter;
use ghost_wire::{LinkType, Packet, Transport};
use ghost_world::Clock;
use sha2::{Digest as _, Sha256};

use super::Frames;
use super::gap::{Losses, Lost, reason};
use super::open_flows::{Found, Wanted};
use super::queues::{Queue, Refused};
use super::shared::{Ports, Shared};
use super::wall::Wall;
use super::writer::{Command, LiveBatch};
use crate::anomaly::keeper::Keeper;
use crate::anomaly::scoring::Scoring;
use crate::anomaly::wish::{AnomaliesStatus, Wish};
use crate::lane::{Judged, Out};
use crate::limits::{
    GAP_NOTE_NS, HOUSEKEEPING_NS, LIVE_BATCH_NS, LIVE_FEATURES_MAX, LIVE_INCIDENTS_MAX,
    LIVE_PACKETS_MAX, OPEN_SLICE, POLL_FRAMES_MAX, POLL_SLEEP_MAX, POLL_SLEEP_MIN, TAP_PATIENCE,
};

/// Frames between two sleeps below which the next may be longer: they take little of the smallest
/// ring, and every waking takes a processor from whoever sends and receives.
const FEW_FRAMES: u32 = 2_000;

/// Polls of a tap that is being drained at the most.
const DRAIN_POLLS_MAX: u32 = 20_000;

/// What the tap thread is told.
pub(crate) enum Control {
    /// Another tap, or none.
    Frames(Option<Box<dyn Frames>>),
    /// Other filter words.
    Filter(Option<Filter>),
    Open(Wanted),
    /// What an operator asks of the scorer.
    Anomalies {
        wish: Wish,
        reply: Sender<Result<AnomaliesStatus, String>>,
    },
    /// Drains the tap, ends every flow, and ends.
    Stop(Sender<u64>),
}

/// How the thread begins.
pub(crate) struct Pipeline {
    pub(crate) frames: Option<Box<dyn Frames>>,
    pub(crate) flow: FlowConfig,
    pub(crate) filter: Option<Filter>,
    /// Each packet is an event.
    pub(crate) packets: bool,
    /// With the SHA-256 of what was captured of it.
    pub(crate) digest: bool,
    /// `None`: nothing is scored.
    pub(crate) scoring: Option<Scoring>,
    pub(crate) keeper: Option<Keeper>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) writer: Queue<Command>,
    pub(crate) control: Receiver<Control>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Pipeline {
    pub(crate) fn start(self) -> std::io::Result<std::thread::JoinHandle<()>> {
        std::thread::Builder::new().name("tap".to_owned()).spawn(move || self.run())
    }

    fn run(self) {
        let Pipeline {
            frames,
            flow,
            filter,
            packets,
            digest,
            scoring,
            keeper,
            shared,
            writer,
            control,
            clock,
        } = self;
        let collector = Collector {
            batch: LiveBatch::default(),
            cache: ShapeCache::default(),
            packets,
            frame_digest: None,
            begun: false,
            losses: Losses::default(),
            now: Timestamp(clock.wall_ns()),
            patient: false,
            folded: 0,
            ended: (0, 0),
            writer,
            shared: Arc::clone(&shared),
        };
        let now = clock.uptime_ns();
        let mut tap = TapThread {
            wall: Wall::new(&*clock),
            frames,
            table: FlowTable::new(flow),
            sink: Judged {
                detector: Detector::new(ghost_detect::Limits::default()),
                scoring,
                out: collector,
            },
            keeper,
            filter,
            digest,
            ports: shared.ports(),
            ports_version: shared.ports_version.get(),
            shared,
            clock,
            questions: VecDeque::new(),
            batch_ns: 0,
            housekeeping_ns: now,
            told_ns: now,
            ring_lost: (0, 0),
        };
        tap.run(&control);
    }
}

struct TapThread {
    frames: Option<Box<dyn Frames>>,
    table: FlowTable,
    sink: Judged<Collector>,
    keeper: Option<Keeper>,
    filter: Option<Filter>,
    digest: bool,
    wall: Wall,
    ports: Arc<Ports>,
    ports_version: u64,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    questions: VecDeque<Slicing>,
    /// When the batch that is being filled was begun.
    batch_ns: u64,
    housekeeping_ns: u64,
    /// When losses were last told.
    told_ns: u64,
    ring_lost: (u64, u64),
}

/// A question on its way through the table.
struct Slicing {
    wanted: Wanted,
    cursor: u32,
    found: Found,
}

impl TapThread {
    fn run(&mut self, control: &Receiver<Control>) {
        let mut sleep = POLL_SLEEP_MIN;
        let mut came = 0_u32;
        loop {
            while let Ok(told) = control.try_recv() {
                match told {
                    Control::Frames(frames) => {
                        self.frames = frames;
                        self.ring_lost = (0, 0);
                    }
                    Control::Filter(filter) => self.filter = filter,
                    Control::Open(wanted) => self.questions.push_back(Slicing {
                        wanted,
                        cursor: 0,
                        found: Found::default(),
                    }),
                    Control::Anomalies { wish, reply } => {
                        let _ = reply.try_send(self.obey(wish));
                    }
                    Control::Stop(reply) => {
                        let ended = self.end();
                        // Who asked may have lost patience.
                        let _ = reply.send(ended);
                        return;
                    }
                }
            }
            let (frames, more) = self.poll();
            came = came.saturating_add(frames);
            let now = self.clock.uptime_ns();
            self.hand_over_if_old(now);
            if now >= self.housekeeping_ns.saturating_add(HOUSEKEEPING_NS) {
                self.housekeeping_ns = now;
                self.keep_house(now);
            }
            let asked = self.answer_a_slice();
            if more || asked {
                continue;
            }
            sleep = if came >= FEW_FRAMES {
                (sleep / 2).max(POLL_SLEEP_MIN)
            } else {
                (sleep * 2).min(POLL_SLEEP_MAX)
            };
            came = 0;
            std::thread::park_timeout(self.nap(sleep));
        }
    }

    /// Without a tap nothing comes unbidden but time.
    fn nap(&self, sleep: Duration) -> Duration {
        let idle = self.frames.is_none() && self.table.counters().live == 0 && !self.sink.out.begun;
        if idle { Duration::from_millis(500) } else { sleep }
    }

    /// Polls once: how many frames came, and whether more wait.
    fn poll(&mut self) -> (u32, bool) {
        if self.shared.ports_version.get() != self.ports_version {
            self.ports_version = self.shared.ports_version.get();
            self.ports = self.shared.ports();
        }
        let Some(frames) = &mut self.frames else { return (0, false) };
        let (table, sink, filter, wall, ports) =
            (&mut self.table, &mut self.sink, &self.filter, &self.wall, &self.ports);
        let digest = self.digest;
        let mut filtered = 0_u64;
        // A thousand frames come from a handful of ports.
        let mut last = (u32::MAX, 0_u16);
        let polled = frames.poll(POLL_FRAMES_MAX, &mut |frame| {
            let packet = ghost_wire::parse(LinkType::Ethernet, frame.data);
            if filter.as_ref().is_some_and(|f| !f.matches(&packet, frame.wire_len)) {
                filtered += 1;
                return;
            }
            if last.0 != frame.ifindex {
                last = (frame.ifindex, ports.bridge_of(frame.ifindex));
            }
            let at = FrameAt {
                ts: wall.at(frame.monotonic_ns),
                wire_len: frame.wire_len,
                segments: frame.segments.max(1),
                port: Port { bridge: last.1, ifindex: frame.ifindex },
            };
            if digest {
                sink.out.frame_digest = Some(Sha256::digest(frame.data).into());
            }
            table.frame(&at, &packet, sink);
        });
        if polled.frames > 0 {
            self.shared.frames.add(polled.frames.into());
            self.shared.filtered.add(filtered);
            self.count();
        }
        (polled.frames, polled.more)
    }

    /// Numbers for the status.
    fn count(&self) {
        let (shared, c) = (&self.shared, self.table.counters());
        shared.packets.set(c.packets);
        shared.bytes.set(c.bytes);
        shared.unparsed.set(c.unparsed);
        shared.malformed.set(c.malformed);
        shared.flows_open.set(c.live);
        let ended = self.sink.out.ended;
        shared.packets_open.set(c.packets.saturating_sub(c.unparsed).saturating_sub(ended.0));
        shared.bytes_open.set(c.bytes.saturating_sub(ended.1));
        shared.flows_open_max.set(c.live_max);
        shared.flows_started.set(c.flows + c.links);
        shared.flows_ended.set(c.ended);
        shared.flows_evicted.set(c.evicted);
        shared.flows_folded.set(self.sink.out.folded);
        shared.names_dropped.set(c.names_dropped);
    }

    fn hand_over_if_old(&mut self, now: u64) {
        if !self.sink.out.begun {
            self.batch_ns = now;
        } else if now.saturating_sub(self.batch_ns) >= LIVE_BATCH_NS {
            self.batch_ns = now;
            self.sink.out.hand_over();
        }
    }

    fn keep_house(&mut self, now: u64) {
        if let Some(step) = self.wall.follow(&*self.clock) {
            self.sink.out.losses.add(reason::CLOCK_SET, step);
        }
        let at = self.wall.at(now);
        self.sink.out.now = at;
        self.table.advance(at, &mut self.sink);
        if let Some(scoring) = &mut self.sink.scoring {
            scoring.advance(at);
        }
        self.sink.tell();
        self.count();
        if now < self.told_ns.saturating_add(GAP_NOTE_NS) {
            return;
        }
        let since = self.wall.at(self.told_ns);
        self.told_ns = now;
        self.count_rings(since, at);
        self.tell_losses();
        if let Some(scoring) = &self.sink.scoring {
            self.shared.tell_standing(scoring.standing());
            if let Some(keeper) = &mut self.keeper {
                keeper.tend(scoring, now);
            }
        }
    }

    /// Does what an operator asks of the scorer; it is written down at once.
    fn obey(&mut self, wish: Wish) -> Result<AnomaliesStatus, String> {
        let Some(scoring) = &mut self.sink.scoring else {
            return Err("nothing is scored here: anomalies.enabled is false".to_owned());
        };
        let looks_only = wish == Wish::Look;
        scoring.obey(wish)?;
        if let (false, Some(keeper)) = (looks_only, &mut self.keeper) {
            keeper.put(scoring);
        }
        let standing = scoring.standing();
        self.shared.tell_standing(standing.clone());
        Ok(standing)
    }

    /// What the rings could not hold since the last look.
    fn count_rings(&mut self, since: Timestamp, now: Timestamp) {
        let Some(frames) = &self.frames else { return };
        let counters = frames.counters();
        let lost =
            counters.iter().fold((0, 0), |(f, b), c| (f + c.lost_segments, b + c.lost_bytes));
        self.shared.set_port_counters(counters);
        let more =
            (lost.0.saturating_sub(self.ring_lost.0), lost.1.saturating_sub(self.ring_lost.1));
        self.ring_lost = lost;
        if more.0 > 0 {
            self.shared.ring_frames_lost.add(more.0);
            self.shared.ring_bytes_lost.add(more.1);
            let lost = Lost { from: since, to: now, packets: more.0, bytes: more.1, events: 0 };
            self.sink.out.losses.add(reason::RING_FULL, lost);
        }
    }

    /// Losses become notes where there is room for them.
    fn tell_losses(&mut self) {
        let out = &mut self.sink.out;
        while let Some((reason, lost)) = out.losses.take() {
            if out.writer.offer(Command::Gap(lost.note(reason))).is_err() {
                out.losses.add(reason, lost);
                return;
            }
        }
    }

    /// Looks through a part of the table for the oldest question; whether there is more to do.
    fn answer_a_slice(&mut self) -> bool {
        let Some(question) = self.questions.front_mut() else { return false };
        let Slicing { wanted, cursor, found } = question;
        let (detector, scoring) = (&mut self.sink.detector, &self.sink.scoring);
        let next = self.table.open_flows(*cursor, OPEN_SLICE, &mut |flow| {
            found.seen += 1;
            if !wanted.sieve.passes(flow) {
                return;
            }
            if found.flows.len() >= wanted.most {
                found.left_out += 1;
                return;
            }
            let mut flow = flow.clone();
            flow.end = EndReason::Update;
            detector.ended(&mut flow);
            flow.score = scoring.as_ref().and_then(|scoring| scoring.open_score(&flow));
            found.flows.push(flow);
        });
        match next {
            Some(next) => *cursor = next,
            None => {
                // What ended meanwhile is on its way before the answer is.
                self.sink.out.hand_over();
                if let Some(done) = self.questions.pop_front() {
                    let _ = done.wanted.reply.try_send(done.found);
                }
            }
        }
        true
    }

    /// Takes in what the tap still holds, ends every flow; how many those were.
    fn end(&mut self) -> u64 {
        self.sink.out.patient = true;
        for _ in 0..DRAIN_POLLS_MAX {
            let (frames, more) = self.poll();
            if frames == 0 && !more {
                break;
            }
        }
        let before = self.table.counters();
        self.table.finish(EndReason::Shutdown, &mut self.sink);
        self.sink.finish();
        if let (Some(scoring), Some(keeper)) = (&self.sink.scoring, self.keeper.take()) {
            keeper.end(scoring);
        }
        self.sink.out.hand_over();
        let now = self.clock.uptime_ns();
        self.count();
        self.count_rings(self.wall.at(self.told_ns), self.wall.at(now));
        while let Some((reason, lost)) = self.sink.out.losses.take() {
            if self.sink.out.writer.put(Command::Gap(lost.note(reason))).is_err() {
                break;
            }
        }
        before.live
    }
}

/// Gathers what the flow table finishes, and packets where each is an event.
struct Collector {
    batch: LiveBatch,
    cache: ShapeCache,
    packets: bool,
    frame_digest: Option<[u8; 32]>,
    /// The batch holds something.
    begun: bool,
    losses: Losses,
    /// The wall's time, to a tenth of a second.
    now: Timestamp,
    /// At the end nothing is dropped any more.
    patient: bool,
    folded: u64,
    /// Packets and bytes of the flows that have ended.
    ended: (u64, u64),
    writer: Queue<Command>,
    shared: Arc<Shared>,
}

impl Collector {
    fn hand_over(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        self.begun = false;
        let features = Vec::with_capacity(self.batch.features.len().min(LIVE_FEATURES_MAX));
        let packets = Vec::with_capacity(self.batch.packets.len().min(LIVE_PACKETS_MAX));
        let empty = LiveBatch { packets, features, ..LiveBatch::default() };
        let full = Command::Live(std::mem::replace(&mut self.batch, empty));
        let put = if self.patient {
            self.writer.put(full).map_err(Refused::Closed)
        } else {
            self.writer.put_within(full, TAP_PATIENCE)
        };
        if let Err(refused) = put
            && let Command::Live(mut batch) = refused.into_inner()
        {
            let incidents = std::mem::take(&mut batch.incidents);
            let lost = batch.as_lost(self.now);
            self.shared.queue_events_lost.add(lost.events);
            self.shared.queue_packets_lost.add(lost.packets);
            self.shared.queue_bytes_lost.add(lost.bytes);
            self.losses.add(reason::QUEUE_FULL, lost);
            // They were new once, and will not be told again.
            self.batch.shapes = batch.shapes;
            self.keep(incidents);
        }
    }
}

impl Collector {
    /// Statements of a dropped batch go with the next, as many as there is room for.
    fn keep(&mut self, mut incidents: Vec<IncidentNote<'static>>) {
        let room = LIVE_INCIDENTS_MAX.saturating_sub(self.batch.incidents.len());
        let over = incidents.len().saturating_sub(room);
        incidents.truncate(room);
        self.shared.incidents_lost.add(over as u64);
        self.begun |= !incidents.is_empty();
        incidents.append(&mut self.batch.incidents);
        self.batch.incidents = incidents;
    }
}

impl Out for Collector {
    fn ended(&mut self, flow: Features) {
        self.folded += flow.folded.as_ref().map_or(0, |folded| folded.flows);
        self.ended = (self.ended.0 + flow.packets(), self.ended.1 + flow.bytes());
        self.begun = true;
        self.batch.features.push(flow);
        if self.batch.features.len() >= LIVE_FEATURES_MAX {
            self.hand_over();
        }
    }

    fn incident(&mut self, note: IncidentNote<'static>) {
        let pressing = note.priority() >= Priority::High;
        self.begun = true;
        self.batch.incidents.push(note);
        if pressing {
            self.hand_over();
        }
    }

    fn packet(&mut self, flow: &Features, seen: &Seen<'_>) {
        if !self.packets {
            return;
        }
        let event = packet_event(flow, seen, self.frame_digest.take());
        let shape = self.cache.see_packet(flow, &PacketFacts::of(&event));
        if let Some(new) = shape.new {
            self.batch.shapes.push((shape.id, new));
        }
        self.begun = true;
        self.batch.packets.push((event, shape.id, seen.at.port));
        if self.batch.packets.len() >= LIVE_PACKETS_MAX {
            self.hand_over();
        }
    }
}

/// The event of one packet.
fn packet_event(flow: &Features, seen: &Seen<'_>, sha256: Option<[u8; 32]>) -> PacketEvent {
    let (at, packet): (_, &Packet<'_>) = (seen.at, seen.packet);
    let again = u32::from(at.segments.saturating_sub(1)).saturating_mul(packet.head_len);
    PacketEvent {
        wire_len: at.wire_len.saturating_add(again),
        payload_len: packet.payload_len(),
        segments: at.segments,
        tcp_flags: match packet.transport {
            Transport::Tcp { flags, .. } => Some(flags),
            _ => None,
        },
        icmp: match packet.transport {
            Transport::Icmp { kind, code } => Some((kind, code)),
            _ => None,
        },
        fragment: packet.fragment.is_some(),
        malformed: packet.malformed,
        sha256,
        ..PacketEvent::of(flow, at.ts, seen.to_server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::sample;

    fn collector(room: usize) -> (Collector, Receiver<Command>) {
        let (writer, commands) = Queue::new("writer", room);
        let collector = Collector {
            batch: LiveBatch::default(),
            cache: ShapeCache::default(),
            packets: false,
            frame_digest: None,
            begun: false,
            losses: Losses::default(),
            now: Timestamp(5_000),
            patient: false,
            folded: 0,
            ended: (0, 0),
            writer,
            shared: Arc::default(),
        };
        (collector, commands)
    }

    #[test]
    fn a_batch_that_finds_no_room_is_dropped_and_counted_and_told() {
        let (mut collector, commands) = collector(1);
        for flow in sample::flows(&[([10, 0, 0, 1], 80), ([10, 0, 0, 3], 81)]) {
            collector.ended(flow);
            collector.hand_over();
        }
        assert_eq!(commands.len(), 1, "the first is there");
        let shared = &collector.shared;
        assert_eq!((shared.queue_events_lost.get(), shared.queue_packets_lost.get()), (1, 1));
        assert_eq!(shared.queue_bytes_lost.get(), 54);
        assert_eq!(collector.writer.status().full, 1);
        let (reason, lost) = collector.losses.take().unwrap();
        assert_eq!((reason, lost.events, lost.packets), (reason::QUEUE_FULL, 1, 1));
        assert_eq!(lost.from, Timestamp(1_000));
        // And then there is room again.
        drop(commands.recv());
        collector.ended(sample::flows(&[([10, 0, 0, 4], 82)]).remove(0));
        collector.hand_over();
        assert_eq!((commands.len(), collector.shared.queue_events_lost.get()), (1, 1));
    }

    #[test]
    fn shapes_of_a_dropped_batch_go_with_the_next() {
        let (mut collector, commands) = collector(1);
        let flow = sample::flows(&[([10, 0, 0, 1], 80)]).remove(0);
        collector.ended(flow.clone());
        collector.hand_over();
        let shape = ghost_embed::Shape::of(&flow);
        collector.batch.shapes.push((shape.id(), Box::new(shape)));
        collector.ended(flow.clone());
        collector.hand_over();
        drop(commands.recv());
        collector.ended(flow);
        collector.hand_over();
        let Ok(Command::Live(batch)) = commands.recv() else { panic!("a batch") };
        assert_eq!((batch.shapes.len(), batch.features.len()), (1, 1));
    }
}
