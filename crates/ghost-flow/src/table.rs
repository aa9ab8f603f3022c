//! The bounded table of open records.
//!
//! Every packet is counted to exactly one record, or to [`Counters::unparsed`]. Records end by
//! quiet, age, a closed connection that opens anew, eviction or [`FlowTable::finish`], always in an
//! order that depends on the packets alone. Work for a packet is constant but for the records
//! that it ends.
//!
//! Packet time may jump. A packet older than the newest one is taken in as it comes; a step back
//! of more than an hour sets the table's clock back, and what was seen in that future ends.

mod guard;
mod pieces;

use std::net::IpAddr;

use ghost_event::{AppBy, Behaviours, EndReason, Features, Subject, Timestamp};
use ghost_wire::{Direction, Dissector, Packet, Segment, Transport};
use hashbrown::HashTable;

use crate::at::{FrameAt, Seen};
use crate::config::FlowConfig;
use crate::config::limits::CLOCK_STEP_NS;
use crate::datagram::Datagrams;
use crate::flood::{Flood, settles};
use crate::fragment::Fragments;
use crate::key::Place;
use crate::lists::{Class, Lists, Queue};
use crate::live::{Live, is_tcp};
use crate::names::{Budget, Ear};
use crate::segments::Measure;
use crate::tcp::{ACK, SYN};
use guard::Guarded;

/// Hears of every record. All of it is called on the packet's way: be quick.
pub trait FlowSink {
    /// A record was opened; its first packet is already counted.
    fn started(&mut self, flow: &Features);
    /// A message told something, be it to be logged or for detectors only. The behaviours given
    /// back are added to the flow's.
    fn field(&mut self, flow: &Features, path: &'static str, value: &[u8]) -> Behaviours;
    /// A message told the name of an address.
    fn learned(
        &mut self,
        address: IpAddr,
        name: &str,
        from: ghost_wire::LearnedFrom,
        ts: Timestamp,
    );
    /// Told of every open record before the first of them ends by [`FlowTable::finish`], so that
    /// detectors know what became of all when they judge the first.
    fn settling(&mut self, _flow: &Features) {}
    /// A packet was counted to `flow` and told all it had to tell. A later fragment whose first one
    /// is still to come is counted to a record of its own, without ports, that ends in another.
    fn packet(&mut self, _flow: &Features, _seen: &Seen<'_>) {}
    /// A record was closed, or ([`EndReason::Update`]) is reported while open.
    fn ended(&mut self, flow: Features);
}

/// What went through the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counters {
    pub packets: u64,
    pub bytes: u64,
    /// Packets with neither IP header nor anything to name a record by; in no record.
    pub unparsed: u64,
    pub malformed: u64,
    pub fragments: u64,
    /// Fragments whose first one was never seen, by datagram.
    pub fragments_orphaned: u64,
    /// Fragments of UDP whose datagram found no room to be put together: its names may be missing.
    pub datagrams_dropped: u64,
    /// Records of flows, and of link conversations, that were opened.
    pub flows: u64,
    pub links: u64,
    pub ended: u64,
    pub ended_idle: u64,
    pub ended_active: u64,
    pub evicted: u64,
    /// Flows of a flood that were folded into counted records, and those records.
    pub folded: u64,
    pub folds: u64,
    /// Flows that wait for an answer while a flood goes on.
    pub probation: u64,
    pub updates: u64,
    pub live: u64,
    pub live_max: u64,
    pub names: u64,
    pub names_dropped: u64,
    /// The clock of the packets stepped back by more than an hour.
    pub clock_steps: u64,
}

/// The bounded table of open records.
#[derive(Debug)]
pub struct FlowTable {
    config: FlowConfig,
    index: HashTable<u32>,
    slots: Vec<Option<Box<Live>>>,
    free: Vec<u32>,
    lists: Lists,
    fragments: Fragments,
    datagrams: Datagrams,
    budget: Budget,
    counters: Counters,
    clock: i64,
    flood: Option<Box<Flood>>,
}

impl FlowTable {
    #[must_use]
    pub fn new(config: FlowConfig) -> FlowTable {
        let budget = Budget {
            per_flow_max: config.name_bytes_per_flow_max,
            total_max: config.name_bytes_total_max,
            ..Budget::default()
        };
        let flood = config.fold_above_per_s;
        let flood = flood.map(|limit| Box::new(Flood::new(limit, config.hash_seed)));
        FlowTable {
            config,
            flood,
            index: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            lists: Lists::default(),
            fragments: Fragments::default(),
            datagrams: Datagrams::default(),
            budget,
            counters: Counters::default(),
            clock: i64::MIN,
        }
    }

    /// What went through so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let probation = self.flood.as_ref().map_or(0, |flood| flood.probation.len() as u64);
        Counters {
            names: self.budget.kept,
            names_dropped: self.budget.dropped,
            probation,
            ..self.counters
        }
    }

    /// Takes in one packet of a file; may end records that have been quiet too long.
    pub fn packet(
        &mut self,
        ts: Timestamp,
        wire_len: u32,
        p: &Packet<'_>,
        sink: &mut impl FlowSink,
    ) {
        self.frame(&FrameAt::file(ts, wire_len), p, sink);
    }

    /// Takes in one frame; may end records that have been quiet too long.
    pub fn frame(&mut self, at: &FrameAt, p: &Packet<'_>, sink: &mut impl FlowSink) {
        let measure = Measure::of(at, p);
        self.counters.packets += u64::from(measure.packets);
        self.counters.bytes += measure.bytes;
        let missing = measure.missing(p);
        let told = Packet { payload_missing: missing, ..*p };
        let p = if p.payload_missing == missing { p } else { &told };
        self.counters.malformed += u64::from(p.malformed);
        self.turn_clock(at.ts, sink);
        let Some(place) = Place::of(p, at.port.bridge) else {
            self.counters.unparsed += u64::from(measure.packets);
            return;
        };
        if p.fragment.is_some() {
            return self.fragment(at, p, &place, sink);
        }
        self.whole(at, p, &place, sink);
    }

    /// Goes through the open records from slot `cursor` on, `max` slots at most; gives where to go
    /// on, `None` at the end. A record that opens or ends between two slices may be missed.
    pub fn open_flows(
        &self,
        cursor: u32,
        max: u32,
        each: &mut dyn FnMut(&Features),
    ) -> Option<u32> {
        let end = cursor.saturating_add(max.max(1));
        let slots = self.slots.get(cursor as usize..)?;
        for live in slots.iter().take((end - cursor) as usize).flatten() {
            each(&live.features);
        }
        ((end as usize) < self.slots.len()).then_some(end)
    }

    /// Tells the time where no packet does; may end records that have been quiet too long.
    pub fn advance(&mut self, now: Timestamp, sink: &mut impl FlowSink) {
        self.turn_clock(now, sink);
    }

    /// Ends every record, in the order of their first packets.
    pub fn finish(&mut self, reason: EndReason, sink: &mut impl FlowSink) {
        while let Some((key, live)) = self.fragments.drain() {
            self.orphan(&key, live, sink);
        }
        self.fold_all(sink);
        while let Some(datagram) = self.datagrams.drain() {
            self.read(&datagram, Timestamp(self.clock), sink);
        }
        let mut order: Vec<(u64, u32)> = self
            .slots
            .iter()
            .zip(0_u32..)
            .filter_map(|(live, slot)| live.as_ref().map(|live| (live.birth, slot)))
            .collect();
        order.sort_unstable();
        for (_, slot) in &order {
            if let Some(live) = self.slots.get_mut(*slot as usize).and_then(Option::as_mut) {
                sink.settling(live.finished(reason));
            }
        }
        for (_, slot) in order {
            self.end(slot, reason, sink);
        }
        self.fragments = Fragments::default();
    }

    /// A packet that has its own ports, or none to have; gives its record's slot, where it has one.
    fn whole(
        &mut self,
        at: &FrameAt,
        p: &Packet<'_>,
        place: &Place,
        sink: &mut impl FlowSink,
    ) -> Option<u32> {
        let hash = place.key.hash(self.config.hash_seed);
        let mut unanswered = false;
        match self.find(place, hash) {
            Some(slot) if self.goes_on(slot, p) => {
                self.take_in(slot, at, p, (place, true), sink);
                return Some(slot);
            }
            Some(over) => self.end(over, EndReason::Closed, sink),
            None if self.flood.is_some() => match self.guard(at, p, place, hash, sink) {
                Guarded::Kept => return None,
                Guarded::Record(slot) => return Some(slot),
                Guarded::Unguarded(counted) => unanswered = counted,
            },
            None => {}
        }
        let mut live = Live::open(p, place, hash, at, self.counters.packets);
        live.unanswered = unanswered;
        let direction = live.direction(p, place, true);
        live.count(at, p, direction);
        let slot = self.admit(live, sink);
        self.dissect(slot, at, p, direction, sink);
        Some(slot)
    }

    /// Whether a packet belongs to the record in `slot`, not to a new connection of that key.
    fn goes_on(&self, slot: u32, p: &Packet<'_>) -> bool {
        let opens =
            matches!(p.transport, Transport::Tcp { flags, .. } if flags & (SYN | ACK) == SYN);
        if !opens || self.config.no_idle_timeout {
            return true;
        }
        !self.slots.get(slot as usize).and_then(Option::as_ref).is_some_and(|l| l.is_over())
    }

    /// A packet of a known record.
    fn take_in(
        &mut self,
        slot: u32,
        at: &FrameAt,
        p: &Packet<'_>,
        (place, ports): (&Place, bool),
        sink: &mut impl FlowSink,
    ) {
        let Some(live) = self.slots.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        let ts = at.ts;
        let age = ts.0.saturating_sub(live.features.first.0);
        if !self.config.no_idle_timeout && age >= self.config.active_ns {
            let old = live.split(EndReason::Active, ts, self.counters.packets);
            self.budget.used = self.budget.used.saturating_sub(bytes_of(&old));
            self.counters.ended += 1;
            self.counters.ended_active += 1;
            if live.features.subject == Subject::Flow {
                self.counters.flows += 1;
            } else {
                self.counters.links += 1;
            }
            let direction = live.direction(p, place, ports);
            live.count(at, p, direction);
            sink.ended(old);
            sink.started(&live.features);
            live.touched = self.clock;
            let queue = live.queue();
            self.lists.touch(slot, queue);
            return self.dissect(slot, at, p, direction, sink);
        }
        let direction = live.direction(p, place, ports);
        let settled = live.unanswered && {
            let f = &live.features;
            let flags = f.tcp.map_or(0, |tcp| tcp.flags_to_client);
            settles(p, f.packets(), flags, direction == Direction::ToClient)
        };
        live.unanswered &= !settled;
        live.count(at, p, direction);
        live.touched = self.clock;
        let queue = live.queue();
        self.lists.touch(slot, queue);
        if settled {
            self.answered(slot, sink);
        }
        self.dissect(slot, at, p, direction, sink);
        if let Some(every) = self.config.updates_ns {
            self.update(slot, ts, every, sink);
        }
    }

    fn update(&mut self, slot: u32, ts: Timestamp, every: i64, sink: &mut impl FlowSink) {
        let Some(live) = self.slots.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        if ts.0.saturating_sub(live.reported.0) >= every {
            live.reported = ts;
            let report = live.finished(EndReason::Update).clone();
            self.counters.updates += 1;
            sink.ended(report);
        }
    }

    fn find(&self, place: &Place, hash: u64) -> Option<u32> {
        let same = |slot: &u32| {
            let live = self.slots.get(*slot as usize).and_then(Option::as_ref);
            live.is_some_and(|live| live.key == place.key)
        };
        self.index.find(hash, same).copied()
    }

    /// Makes room for a record, puts it in, and says so.
    fn admit(&mut self, mut live: Box<Live>, sink: &mut impl FlowSink) -> u32 {
        while let Some(slot) = self.to_evict(live.unanswered) {
            self.counters.evicted += 1;
            self.end(slot, EndReason::Evicted, sink);
        }
        live.touched = self.clock;
        sink.started(&live.features);
        if live.features.subject == Subject::Flow {
            self.counters.flows += 1;
        } else {
            self.counters.links += 1;
        }
        let (hash, queue) = (live.hash, live.queue());
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slots.push(None);
                u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
            }
        };
        if let Some(room) = self.slots.get_mut(slot as usize) {
            *room = Some(live);
        }
        let slots = &self.slots;
        self.index.insert_unique(hash, slot, |slot| {
            slots.get(*slot as usize).and_then(Option::as_ref).map_or(0, |live| live.hash)
        });
        self.lists.touch(slot, queue);
        self.counters.live = self.index.len() as u64;
        self.counters.live_max = self.counters.live_max.max(self.counters.live);
        slot
    }

    /// Feeds a counted packet's payload to what follows the application, and tells of the packet.
    fn dissect(
        &mut self,
        slot: u32,
        at: &FrameAt,
        p: &Packet<'_>,
        direction: Direction,
        sink: &mut impl FlowSink,
    ) {
        self.hear(slot, at.ts, p, direction, sink);
        if let Some(live) = self.slots.get(slot as usize).and_then(Option::as_ref) {
            let to_server = direction == Direction::ToServer;
            sink.packet(&live.features, &Seen { at, to_server, packet: p });
        }
    }

    fn hear(
        &mut self,
        slot: u32,
        ts: Timestamp,
        p: &Packet<'_>,
        direction: Direction,
        sink: &mut impl FlowSink,
    ) {
        let Some(live) = self.slots.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        if let Some(claim) = p.arp.as_ref().and_then(arp_claim) {
            let found = sink.field(&live.features, ARP_CLAIMS, &claim);
            live.features.behaviours.insert(found);
        }
        let inner = p.inner.and_then(|inner| {
            let inners = live.inners.get_or_insert_default();
            inners.count(&mut live.features, &inner).map(|at| (at, inner))
        });
        if live.dissector.is_none() && inner.is_none() {
            return;
        }
        if p.fragment.is_some_and(|f| f.offset > 0) || waits(p) {
            return;
        }
        let (seq, flags) = match p.transport {
            Transport::Tcp { seq, flags, .. } => (seq, flags),
            _ => (0, 0),
        };
        let bare = is_tcp(&live.features) && p.payload.is_empty() && flags & SYN == 0;
        let (src_port, dst_port) = (live.features.src_port, live.features.dst_port);
        let proto = p.ip.map_or(0, |ip| ip.proto);
        let multicast = live.multicast;
        let mut ear = Ear {
            features: &mut live.features,
            kept: &mut live.kept,
            budget: &mut self.budget,
            sink,
            ts,
        };
        if !bare {
            let segment = Segment {
                proto,
                src_port,
                dst_port,
                direction,
                seq: seq.wrapping_add(u32::from(flags & SYN != 0)),
                payload: p.payload,
                missing: p.payload_missing,
                multicast,
            };
            follow(&mut live.dissector, &segment, &mut ear);
        }
        if let (Some((at, inner)), Some(inners)) = (inner, &mut live.inners) {
            inners.dissect(at, p.payload, &inner, &mut ear);
        }
    }

    /// Sets the clock and ends what has been quiet too long.
    fn turn_clock(&mut self, now: Timestamp, sink: &mut impl FlowSink) {
        if now.0.saturating_add(CLOCK_STEP_NS) < self.clock {
            self.counters.clock_steps += 1;
            self.clock = now.0;
        } else {
            self.clock = self.clock.max(now.0);
        }
        if !self.datagrams.is_empty() {
            while let Some(datagram) = self.datagrams.overdue(self.clock) {
                self.read(&datagram, now, sink);
            }
        }
        if self.flood.is_some() {
            self.fold_overdue(sink);
        }
        if self.config.no_idle_timeout {
            return;
        }
        for queue in Queue::ALL {
            let idle = self.idle_ns(queue);
            while let Some(slot) = self.lists.front(queue) {
                let live = self.slots.get(slot as usize).and_then(Option::as_ref);
                let quiet = live.map_or(i64::MAX, |live| self.clock.saturating_sub(live.touched));
                if quiet <= idle && quiet >= -CLOCK_STEP_NS {
                    break;
                }
                self.counters.ended_idle += 1;
                let closed = queue.class == Class::TcpClosed;
                self.end(slot, if closed { EndReason::Closed } else { EndReason::Idle }, sink);
            }
        }
    }

    fn idle_ns(&self, queue: Queue) -> i64 {
        match queue.class {
            Class::Tcp => self.config.idle_tcp_ns,
            Class::TcpClosed => self.config.idle_tcp_closed_ns,
            Class::Udp => self.config.idle_udp_ns,
            Class::Other => self.config.idle_other_ns,
        }
    }

    /// When the next record ends by itself, as far as is known now: what comes before has nothing
    /// to do but for packets. [`FlowTable::advance`] does it then.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        let quiet = Queue::ALL.into_iter().filter(|_| !self.config.no_idle_timeout);
        let quiet = quiet.filter_map(|queue| {
            let slot = self.lists.front(queue)?;
            let live = self.slots.get(slot as usize).and_then(Option::as_ref)?;
            Some(live.touched.saturating_add(self.idle_ns(queue)).saturating_add(1))
        });
        let flood = self.flood.as_ref().and_then(|flood| flood.next_due());
        quiet.chain(flood).chain(self.datagrams.next_due()).min().map(Timestamp)
    }

    /// Takes a record out and reports it.
    fn end(&mut self, slot: u32, reason: EndReason, sink: &mut impl FlowSink) {
        if !self.datagrams.is_empty() {
            while let Some(datagram) = self.datagrams.of_flow(slot) {
                self.read(&datagram, Timestamp(self.clock), sink);
            }
        }
        self.lists.remove(slot);
        let Some(mut live) = self.slots.get_mut(slot as usize).and_then(Option::take) else {
            return;
        };
        if let Ok(entry) = self.index.find_entry(live.hash, |other| *other == slot) {
            entry.remove();
        }
        self.free.push(slot);
        self.counters.ended += 1;
        self.counters.live = self.index.len() as u64;
        live.finished(reason);
        self.budget.used = self.budget.used.saturating_sub(live.kept.bytes);
        let Live { features, .. } = *live;
        sink.ended(features);
    }
}

/// Feeds one payload to the dissector, where one still listens.
fn follow<S: FlowSink>(
    listens: &mut Option<Dissector>,
    segment: &Segment<'_>,
    ear: &mut Ear<'_, S>,
) {
    let Some(dissector) = listens else { return };
    let verdict = dissector.packet(segment, ear);
    let app = verdict.app.name();
    if !app.is_empty() {
        ear.features.app = app;
        ear.features.app_by = if verdict.by_signature { AppBy::Signature } else { AppBy::Port };
    }
    if verdict.done {
        *listens = None;
    }
}

/// Whether this is a datagram's first fragment, to be read with the rest of it. Tunnels are read
/// by their first fragment alone.
fn waits(p: &Packet<'_>) -> bool {
    p.payload_missing == 0
        && p.fragment.is_some_and(|f| f.more && f.offset == 0)
        && matches!(p.transport, Transport::Udp { .. })
        && p.inner.is_none()
}

/// Who says in ARP to have which address; for detectors, never logged.
const ARP_CLAIMS: &str = "arp.claims";

/// Operation, the sender's address and hardware address, the target's address.
fn arp_claim(arp: &ghost_wire::Arp) -> Option<[u8; 15]> {
    let (IpAddr::V4(sender), IpAddr::V4(target)) = (arp.sender, arp.target) else { return None };
    let mut claim = [0; 15];
    claim[0] = u8::try_from(arp.operation).ok()?;
    claim[1..5].copy_from_slice(&sender.octets());
    claim[5..11].copy_from_slice(&arp.sender_mac);
    claim[11..].copy_from_slice(&target.octets());
    Some(claim)
}

const UDP: u8 = 17;

fn has_ports(proto: u8) -> bool {
    matches!(proto, 1 | 6 | 17 | 58 | 132)
}

fn bytes_of(f: &Features) -> usize {
    f.names.pairs.iter().map(|(_, value)| value.len()).sum()
}
