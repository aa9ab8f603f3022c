//! What stands before the table while a flood goes on: which new flows wait for an answer first.

use ghost_event::{Features, Proto};
use ghost_wire::Packet;

use super::{FlowSink, FlowTable};
use crate::at::FrameAt;
use crate::config::limits::{NEW_SHARE, PROBATION_SHARE, UNANSWERED_SHARE};
use crate::flood::{Embryo, Signs, settles};
use crate::key::Place;
use crate::lists::Queue;
use crate::live::Live;

/// What became of a packet that has no record.
pub(super) enum Guarded {
    /// It is on probation.
    Kept,
    /// It brought its flow off probation, into that slot.
    Record(u32),
    /// It opens a record, that counts as unanswered where it says so.
    Unguarded(bool),
}

impl FlowTable {
    /// A packet without a record, while floods are looked for.
    pub(super) fn guard(
        &mut self,
        at: &FrameAt,
        p: &Packet<'_>,
        place: &Place,
        hash: u64,
        sink: &mut impl FlowSink,
    ) -> Guarded {
        let Some(flood) = &mut self.flood else { return Guarded::Unguarded(false) };
        if !flood.probation.is_empty()
            && let Some(embryo) = flood.probation.get_mut(&place.key, hash)
        {
            let back = embryo.is_back(p, place);
            if !settles(p, embryo.packets() as u64, embryo.flags_back, back) {
                embryo.push(at, p, back);
                return Guarded::Kept;
            }
            let Some(embryo) = flood.probation.take(&place.key, hash) else {
                return Guarded::Unguarded(false);
            };
            let slot = self.promote(&embryo, sink);
            self.take_in(slot, at, p, (place, true), sink);
            return Guarded::Record(slot);
        }
        let Some(signs) = Signs::of(p, place, at.port.bridge) else {
            return Guarded::Unguarded(false);
        };
        let Some(group) = flood.began(&signs, self.clock) else {
            return Guarded::Unguarded(true);
        };
        let group = (group, signs.flip);
        let birth = self.counters.packets;
        let Some(embryo) = Embryo::of(at, p, place, hash, group, birth, self.clock) else {
            return Guarded::Unguarded(true);
        };
        let room = (self.config.flows_max / PROBATION_SHARE).max(1);
        while flood.probation.places() >= room {
            let Some(oldest) = flood.probation.pop() else { continue };
            self.counters.folded += 1;
            flood.folds.flow(&oldest, self.clock);
        }
        flood.probation.insert(embryo);
        Guarded::Kept
    }

    /// Makes a record of a flow that was on probation.
    fn promote(&mut self, embryo: &Embryo, sink: &mut impl FlowSink) -> u32 {
        let mut slot = None;
        embryo.replay(|at, p, place, _| match slot {
            None => {
                let mut live = Live::open(p, place, embryo.hash, at, embryo.birth);
                live.unanswered = true;
                let direction = live.direction(p, place, true);
                live.count(at, p, direction);
                let new = self.admit(live, sink);
                self.dissect(new, at, p, direction, sink);
                slot = Some(new);
            }
            Some(slot) => self.take_in(slot, at, p, (place, true), sink),
        });
        slot.unwrap_or(u32::MAX)
    }

    /// Somebody answered: the record leaves those that are given up first.
    pub(super) fn answered(&mut self, slot: u32, sink: &mut impl FlowSink) {
        let Some(flood) = &mut self.flood else { return };
        let live = self.slots.get(slot as usize).and_then(Option::as_ref);
        if let Some(signs) = live.and_then(|live| signs(&live.features)) {
            flood.answered(&signs, self.clock);
        }
        let room = self.config.flows_max - self.config.flows_max / NEW_SHARE;
        if self.lists.answered() > room.max(1)
            && let Some(quietest) = self.quietest(false)
        {
            self.counters.evicted += 1;
            self.end(quietest, ghost_event::EndReason::Evicted, sink);
        }
    }

    /// The record to give up before another is opened; `None` where there is room.
    pub(super) fn to_evict(&self, unanswered: bool) -> Option<u32> {
        let room = self.config.flows_max.max(1);
        if self.flood.is_some() {
            let waiting = self.lists.unanswered();
            if unanswered && waiting >= (room / UNANSWERED_SHARE).max(1) {
                return self.quietest(true);
            }
            if self.index.len() >= room && waiting > 0 {
                return self.quietest(true);
            }
        }
        if self.index.len() >= room { self.quietest(false) } else { None }
    }

    /// The record that was quiet longest, of those that nobody answered or of the others.
    fn quietest(&self, unanswered: bool) -> Option<u32> {
        let queues = Queue::ALL.into_iter().filter(|queue| queue.unanswered == unanswered);
        queues.filter_map(|queue| self.lists.front(queue)).min_by_key(|slot| {
            let live = self.slots.get(*slot as usize).and_then(Option::as_ref);
            live.map_or((i64::MAX, u64::MAX), |live| (live.touched, live.birth))
        })
    }

    /// Counts a later fragment of an unknown datagram to its flood, where there is one.
    pub(super) fn fold_piece(&mut self, at: &FrameAt, p: &Packet<'_>, place: &Place) -> bool {
        let Some(flood) = &mut self.flood else { return false };
        let Some(signs) = Signs::of(p, place, at.port.bridge) else { return false };
        let Some(group) = flood.group_of(&signs, self.clock) else { return false };
        flood.folds.packet(group, at, p, self.clock);
        true
    }

    /// Folds what waited in vain, and tells the groups whose time has come.
    pub(super) fn fold_overdue(&mut self, sink: &mut impl FlowSink) {
        let Some(flood) = &mut self.flood else { return };
        while let Some(embryo) = flood.overdue(self.clock) {
            self.counters.folded += 1;
            flood.folds.flow(&embryo, self.clock);
        }
        while let Some(record) = flood.folds.due(self.clock) {
            self.counters.folds += 1;
            sink.ended(record);
        }
    }

    /// Folds all that is on probation, and tells every group.
    pub(super) fn fold_all(&mut self, sink: &mut impl FlowSink) {
        let Some(flood) = &mut self.flood else { return };
        while !flood.probation.is_empty() {
            if let Some(embryo) = flood.probation.pop() {
                self.counters.folded += 1;
                flood.folds.flow(&embryo, self.clock);
            }
        }
        while let Some(record) = flood.folds.drain() {
            self.counters.folds += 1;
            sink.ended(record);
        }
    }
}

fn signs(f: &Features) -> Option<Signs> {
    let Proto::Ip(proto) = f.proto else { return None };
    Some(Signs::between(f.port.bridge, proto, f.src_ip?, f.dst_ip?))
}
