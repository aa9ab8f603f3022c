//! Datagrams in pieces: which record a fragment counts to, and what they say when put together.

use ghost_event::Timestamp;
use ghost_wire::{Direction, Packet, Segment};

use super::{FlowSink, FlowTable, UDP, follow, has_ports, waits};
use crate::at::{FrameAt, Seen};
use crate::datagram::{Datagram, Joined, Piece};
use crate::fragment::{FragmentKey, Known};
use crate::key::Place;
use crate::live::Live;
use crate::names::Ear;

impl FlowTable {
    /// A packet whose IP datagram came in pieces.
    pub(super) fn fragment(
        &mut self,
        at: &FrameAt,
        p: &Packet<'_>,
        place: &Place,
        sink: &mut impl FlowSink,
    ) {
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
            let Some(slot) = self.whole(at, p, place, sink) else { return };
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
                None => {
                    if self.fold_piece(at, p, place) {
                        return;
                    }
                    self.wait(key, at, p, sink);
                }
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
    pub(super) fn read(&mut self, datagram: &Datagram, ts: Timestamp, sink: &mut impl FlowSink) {
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
    pub(super) fn orphan(
        &mut self,
        key: &FragmentKey,
        mut waiting: Box<Live>,
        sink: &mut impl FlowSink,
    ) {
        self.counters.fragments_orphaned += 1;
        let place = Place::portless(key.src, key.dst, key.proto, key.bridge);
        match self.find(&place, waiting.hash) {
            Some(slot) => {
                let Some(live) = self.slots.get_mut(slot as usize).and_then(Option::as_mut) else {
                    return;
                };
                live.absorb(&waiting);
                live.touched = self.clock;
                let queue = live.queue();
                self.lists.touch(slot, queue);
            }
            None => {
                waiting.dissector = None;
                self.admit(waiting, sink);
            }
        }
    }
}
