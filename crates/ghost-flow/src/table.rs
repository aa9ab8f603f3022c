//! The bounded table of open records.
//!
//! Every packet is counted to exactly one record, or to [`Counters::unparsed`]. Records end by
//! quiet, age, a closed connection that opens anew, eviction or [`FlowTable::finish`], always in an
//! order that depends on the packets alone. Work for a packet is constant but for the records
//! that it ends.
//!
//! Packet time may jump. A packet older than the newest one is taken in as it comes; a step back
//! of more than an hour sets the table's clock back, and what was seen in that future ends.

use std::net::IpAddr;

use ghost_event::{AppBy, Behaviours, EndReason, Features, Subject, Timestamp};
use ghost_wire::{Direction, Dissector, Packet, Segment, Transport};
use hashbrown::HashTable;

use crate::at::{FrameAt, Seen};
use crate::config::FlowConfig;
use crate::config::limits::CLOCK_STEP_NS;
use crate::datagram::{Datagram, Datagrams, Joined, Piece};
use crate::fragment::{FragmentKey, Fragments, Known};
use crate::key::Place;
use crate::lists::{Class, Lists};
use crate::live::{Live, is_tcp};
use crate::names::{Budget, Ear};
use crate::segments::Measure;
use crate::tcp::{ACK, SYN};

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
}

impl FlowTable {
    #[must_use]
    pub fn new(config: FlowConfig) -> FlowTable {
        let budget = Budget {
            per_flow_max: config.name_bytes_per_flow_max,
            total_max: config.name_bytes_total_max,
            ..Budget::default()
        };
        FlowTable {
            config,
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
        Counters { names: self.budget.kept, names_dropped: self.budget.dropped, ..self.counters }
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

    /// A packet that has its own ports, or none to have.
    fn whole(
        &mut self,
        at: &FrameAt,
        p: &Packet<'_>,
        place: &Place,
        sink: &mut impl FlowSink,
    ) -> u32 {
        let hash = place.key.hash(self.config.hash_seed);
        if let Some(slot) = self.find(place, hash)
            && self.goes_on(slot, p)
        {
            self.take_in(slot, at, p, (place, true), sink);
            return slot;
        } else if let Some(over) = self.find(place, hash) {
            self.end(over, EndReason::Closed, sink);
        }
        let mut live = Live::open(p, place, hash, at, self.counters.packets);
        let direction = live.direction(p, place, true);
        live.count(at, p, direction);
        let slot = self.admit(live, sink);
        self.dissect(slot, at, p, direction, sink);
        slot
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
            let class = live.class();
            self.lists.touch(slot, class);
            return self.dissect(slot, at, p, direction, sink);
        }
        let direction = live.direction(p, place, ports);
        live.count(at, p, direction);
        live.touched = self.clock;
        let class = live.class();
        self.lists.touch(slot, class);
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

    /// A packet whose IP datagram came in pieces.
    fn fragment(&mut self, at: &FrameAt, p: &Packet<'_>, place: &Place, sink: &mut impl FlowSink) {
        self.counters.fragments += 1;
        let (Some(ip), Some(fragment)) = (p.ip, p.fragment) else { return };
        let ts = at.ts;
        let (bridge, proto) = (at.port.bridge, ip.proto);
        let key = FragmentKey { src: ip.src, dst: ip.dst, proto, bridge, id: fragment.id };
        if !has_ports(ip.proto) {
            self.whole(at, p, place, sink);
            return;
        }
        if fragment.offset == 0 {
            let slot = self.whole(at, p, place, sink);
            let Some(live) = self.slots.get(slot as usize).and_then(Option::as_ref) else { return };
            let known = Known::Slot(slot, live.birth);
            let waiting = self.fragments.insert(key, known, self.clock);
            if let (Some(waiting), Some(live)) =
                (waiting, self.slots.get_mut(slot as usize).and_then(Option::as_mut))
            {
                live.absorb(&waiting);
                let known = Known::Slot(slot, live.birth);
                self.fragments.insert(key, known, self.clock);
            }
            if waits(p) {
                self.join(key, Some((slot, place)), ts, p, sink);
            }
        } else {
            match self.fragments.get_mut(&key) {
                Some(Known::Slot(slot, birth)) => {
                    let (slot, birth) = (*slot, *birth);
                    let live = self.slots.get(slot as usize).and_then(Option::as_ref);
                    if live.is_some_and(|live| live.birth == birth) {
                        self.take_in(slot, at, p, (place, false), sink);
                    } else {
                        self.wait(key, at, p, sink);
                    }
                }
                Some(Known::Waiting(live)) => {
                    let direction = live.direction(p, place, false);
                    live.count(at, p, direction);
                    let to_server = direction == Direction::ToServer;
                    sink.packet(&live.features, &Seen { at, to_server, packet: p });
                }
                None => self.wait(key, at, p, sink),
            }
            if ip.proto == UDP {
                self.join(key, None, ts, p, sink);
            }
        }
        while let Some((key, live)) = self.fragments.forget(self.clock) {
            self.orphan(&key, live, sink);
        }
    }

    /// Adds a fragment's octets to its datagram, and reads what is ready. The first fragment's flow
    /// is in `flow`.
    fn join(
        &mut self,
        key: FragmentKey,
        flow: Option<(u32, &Place)>,
        ts: Timestamp,
        p: &Packet<'_>,
        sink: &mut impl FlowSink,
    ) {
        let (Some(fragment), payload) = (p.fragment, p.payload) else { return };
        let flow = match flow {
            Some((slot, place)) => {
                let live = self.slots.get(slot as usize).and_then(Option::as_ref);
                let Some(live) = live.filter(|live| live.dissector.is_some()) else {
                    return self.datagrams.forget(&key);
                };
                Some((slot, live.direction(p, place, true)))
            }
            // Once the first fragment went by, only a datagram that waits takes more.
            None => {
                let first_came = matches!(self.fragments.get_mut(&key), Some(Known::Slot(..)));
                if first_came && !self.datagrams.holds(&key) {
                    return;
                }
                None
            }
        };
        let piece = Piece { offset: fragment.offset, more: fragment.more, payload };
        match self.datagrams.add(key, flow, piece, self.clock) {
            Joined::Kept => {}
            Joined::Ready(datagram) => self.read(&datagram, ts, sink),
            Joined::NoRoom => {
                self.counters.datagrams_dropped += 1;
                if let Some((slot, direction)) = flow {
                    self.read(&Datagram { slot, direction, payload: payload.to_vec() }, ts, sink);
                }
            }
        }
    }

    /// Feeds a datagram that came in pieces to what follows its application.
    fn read(&mut self, datagram: &Datagram, ts: Timestamp, sink: &mut impl FlowSink) {
        let live = self.slots.get_mut(datagram.slot as usize).and_then(Option::as_mut);
        let Some(live) = live else { return };
        let segment = Segment {
            proto: UDP,
            src_port: live.features.src_port,
            dst_port: live.features.dst_port,
            direction: datagram.direction,
            seq: 0,
            payload: &datagram.payload,
            missing: 0,
            multicast: live.multicast,
        };
        let mut ear = Ear {
            features: &mut live.features,
            kept: &mut live.kept,
            budget: &mut self.budget,
            sink,
            ts,
        };
        follow(&mut live.dissector, &segment, &mut ear);
    }

    /// Keeps a later fragment until the first one comes.
    fn wait(&mut self, key: FragmentKey, at: &FrameAt, p: &Packet<'_>, sink: &mut impl FlowSink) {
        let place = Place::portless(key.src, key.dst, key.proto, key.bridge);
        let hash = place.key.hash(self.config.hash_seed);
        let mut live = Live::open(p, &place, hash, at, self.counters.packets);
        live.count(at, p, Direction::ToServer);
        sink.packet(&live.features, &Seen { at, to_server: true, packet: p });
        let replaced = self.fragments.insert(key, Known::Waiting(live), self.clock);
        debug_assert!(replaced.is_none(), "only called where nothing waits");
    }

    /// Gives fragments that waited in vain to the flow without ports of their addresses.
    fn orphan(&mut self, key: &FragmentKey, mut waiting: Box<Live>, sink: &mut impl FlowSink) {
        self.counters.fragments_orphaned += 1;
        let place = Place::portless(key.src, key.dst, key.proto, key.bridge);
        match self.find(&place, waiting.hash) {
            Some(slot) => {
                let Some(live) = self.slots.get_mut(slot as usize).and_then(Option::as_mut) else {
                    return;
                };
                live.absorb(&waiting);
                live.touched = self.clock;
                let class = live.class();
                self.lists.touch(slot, class);
            }
            None => {
                waiting.dissector = None;
                self.admit(waiting, sink);
            }
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
        while self.index.len() >= self.config.flows_max.max(1) {
            let quietest = Class::ALL
                .into_iter()
                .filter_map(|class| self.lists.front(class))
                .min_by_key(|slot| {
                    let live = self.slots.get(*slot as usize).and_then(Option::as_ref);
                    live.map_or((i64::MAX, u64::MAX), |live| (live.touched, live.birth))
                });
            let Some(slot) = quietest else { break };
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
        let (hash, class) = (live.hash, live.class());
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
        self.lists.touch(slot, class);
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
        if self.config.no_idle_timeout {
            return;
        }
        for class in Class::ALL {
            let idle = match class {
                Class::Tcp => self.config.idle_tcp_ns,
                Class::TcpClosed => self.config.idle_tcp_closed_ns,
                Class::Udp => self.config.idle_udp_ns,
                Class::Other => self.config.idle_other_ns,
            };
            while let Some(slot) = self.lists.front(class) {
                let live = self.slots.get(slot as usize).and_then(Option::as_ref);
                let quiet = live.map_or(i64::MAX, |live| self.clock.saturating_sub(live.touched));
                if quiet <= idle && quiet >= -CLOCK_STEP_NS {
                    break;
                }
                self.counters.ended_idle += 1;
                let closed = class == Class::TcpClosed;
                self.end(slot, if closed { EndReason::Closed } else { EndReason::Idle }, sink);
            }
        }
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

const UDP: u8 = 17;

fn has_ports(proto: u8) -> bool {
    matches!(proto, 1 | 6 | 17 | 58 | 132)
}

fn bytes_of(f: &Features) -> usize {
    f.names.pairs.iter().map(|(_, value)| value.len()).sum()
}
