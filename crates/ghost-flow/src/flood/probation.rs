//! Flows of which next to nothing was seen while a flood goes on.
//!
//! Here they take 250 octets instead of a whole record, nobody is told of them, and the oldest goes
//! first when there is no more room. What turns out to be answered leaves whole: all its packets
//! are kept until then, which is why no more than three fit.

use std::collections::VecDeque;

use ghost_wire::{Fragment, Ip, Packet, Transport};
use hashbrown::HashTable;

use super::fold::GroupKey;
use crate::at::FrameAt;
use crate::config::limits::PROBATION_PACKETS_MAX;
use crate::key::{Key, Place};

/// Payload kept of one flow: enough for a question to a name server.
const PAYLOAD_BYTES_MAX: usize = 512;

/// One packet, as far as a record needs it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Glance {
    at: FrameAt,
    transport: Transport,
    /// Where its payload ends among those that are kept.
    kept: u16,
    missing: u32,
    head_len: u32,
    malformed: bool,
    /// It came from the side that did not send the first one.
    pub(crate) back: bool,
}

impl Glance {
    fn of(at: &FrameAt, p: &Packet<'_>, back: bool, payloads: &mut Box<[u8]>) -> Glance {
        let had = payloads.len();
        let take = p.payload.len().min(PAYLOAD_BYTES_MAX - had.min(PAYLOAD_BYTES_MAX));
        let head = p.payload.get(..take).unwrap_or_default();
        if !head.is_empty() {
            *payloads = [&**payloads, head].concat().into();
        }
        let left_out = u32::try_from(p.payload.len() - take).unwrap_or(u32::MAX);
        Glance {
            at: *at,
            transport: p.transport,
            kept: u16::try_from(had + take).unwrap_or(u16::MAX),
            missing: p.payload_missing.saturating_add(left_out),
            head_len: p.head_len,
            malformed: p.malformed,
            back,
        }
    }
}

/// One flow on probation.
#[derive(Debug)]
pub(crate) struct Embryo {
    pub(crate) key: Key,
    pub(crate) hash: u64,
    /// The number of its first packet.
    pub(crate) birth: u64,
    /// The table's clock then.
    pub(crate) since: i64,
    /// Where it is counted if nobody answers.
    pub(crate) group: GroupKey,
    /// Its first packet came from the side that was asked.
    pub(crate) flip: bool,
    pub(crate) ip: Ip,
    pub(crate) ports: (u16, u16),
    macs: Option<([u8; 6], [u8; 6])>,
    vlans: [u16; 2],
    vlan_count: u8,
    ethertype: u16,
    fragment: Option<Fragment>,
    /// Flags that the side has sent that did not send the first packet.
    pub(crate) flags_back: u8,
    glance: Glance,
    /// Those after the first.
    more: Vec<Glance>,
    payloads: Box<[u8]>,
    /// It left, or is about to.
    gone: bool,
}

impl Embryo {
    /// `None` where a packet holds more than can be kept of it.
    pub(crate) fn of(
        at: &FrameAt,
        p: &Packet<'_>,
        place: &Place,
        hash: u64,
        (group, flip): (GroupKey, bool),
        birth: u64,
        since: i64,
    ) -> Option<Embryo> {
        let ip = p.ip.filter(|_| p.inner.is_none())?;
        let mut payloads = Box::default();
        let glance = Glance::of(at, p, false, &mut payloads);
        Some(Embryo {
            key: place.key,
            hash,
            birth,
            since,
            group,
            flip,
            ip,
            ports: (place.src_port, place.dst_port),
            macs: p.macs,
            vlans: p.vlans,
            vlan_count: p.vlan_count,
            ethertype: p.ethertype,
            fragment: p.fragment,
            flags_back: 0,
            glance,
            more: Vec::new(),
            payloads,
            gone: false,
        })
    }

    /// Keeps one more packet, where there is room.
    pub(crate) fn push(&mut self, at: &FrameAt, p: &Packet<'_>, back: bool) {
        if self.packets() >= PROBATION_PACKETS_MAX {
            return;
        }
        let glance = Glance::of(at, p, back, &mut self.payloads);
        self.more.push(glance);
        if let (true, Transport::Tcp { flags, .. }) = (back, p.transport) {
            self.flags_back |= flags;
        }
    }

    pub(crate) fn packets(&self) -> usize {
        1 + self.more.len()
    }

    /// Whether a packet comes from the side that did not send the first one.
    pub(crate) fn is_back(&self, p: &Packet<'_>, place: &Place) -> bool {
        p.ip.is_some_and(|ip| (ip.src, place.src_port) != (self.ip.src, self.ports.0))
    }

    /// Gives every packet again, as it came.
    pub(crate) fn replay(&self, mut each: impl FnMut(&FrameAt, &Packet<'_>, &Place, bool)) {
        let mut from = 0;
        for (n, glance) in std::iter::once(&self.glance).chain(&self.more).enumerate() {
            let to = usize::from(glance.kept);
            let payload = self.payloads.get(from..to).unwrap_or_default();
            from = to;
            let (ip, ports, macs) = if glance.back {
                let ip = Ip { src: self.ip.dst, dst: self.ip.src, ..self.ip };
                (ip, (self.ports.1, self.ports.0), self.macs.map(|(a, b)| (b, a)))
            } else {
                (self.ip, self.ports, self.macs)
            };
            let packet = Packet {
                macs,
                vlans: self.vlans,
                vlan_count: self.vlan_count,
                ethertype: self.ethertype,
                ip: Some(ip),
                transport: glance.transport,
                payload,
                payload_cut: glance.missing > 0,
                payload_missing: glance.missing,
                head_len: glance.head_len,
                open_end: false,
                fragment: self.fragment.filter(|_| n == 0),
                inner: None,
                arp: None,
                malformed: glance.malformed,
            };
            let place = Place { key: self.key, src_port: ports.0, dst_port: ports.1 };
            each(&glance.at, &packet, &place, glance.back);
        }
    }
}

const _: () = assert!(size_of::<Embryo>() <= 296);

/// The flows on probation, in the order of their first packets.
#[derive(Debug, Default)]
pub(crate) struct Probation {
    index: HashTable<u32>,
    ring: VecDeque<Embryo>,
    /// The number of the ring's first place.
    base: u32,
}

impl Probation {
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    fn place(&self, number: u32) -> usize {
        number.wrapping_sub(self.base) as usize
    }

    fn number(&self, key: &Key, hash: u64) -> Option<u32> {
        let same = |n: &u32| self.ring.get(self.place(*n)).is_some_and(|e| e.key == *key);
        self.index.find(hash, same).copied()
    }

    pub(crate) fn get_mut(&mut self, key: &Key, hash: u64) -> Option<&mut Embryo> {
        let number = self.number(key, hash)?;
        let place = self.place(number);
        self.ring.get_mut(place)
    }

    pub(crate) fn insert(&mut self, embryo: Embryo) {
        let number = self.base.wrapping_add(u32::try_from(self.ring.len()).unwrap_or(u32::MAX));
        let (ring, base) = (&self.ring, self.base);
        self.index.insert_unique(embryo.hash, number, |n| {
            ring.get(n.wrapping_sub(base) as usize).map_or(0, |e| e.hash)
        });
        self.ring.push_back(embryo);
    }

    /// Takes out the flow of that key.
    pub(crate) fn take(&mut self, key: &Key, hash: u64) -> Option<Embryo> {
        let number = self.number(key, hash)?;
        if let Ok(entry) = self.index.find_entry(hash, |n| *n == number) {
            entry.remove();
        }
        let place = self.place(number);
        let embryo = self.ring.get_mut(place)?;
        embryo.gone = true;
        let taken = Embryo {
            payloads: std::mem::take(&mut embryo.payloads),
            more: std::mem::take(&mut embryo.more),
            ..*embryo
        };
        self.sweep();
        Some(taken)
    }

    /// Forgets the places at the front that are empty.
    fn sweep(&mut self) {
        while self.ring.front().is_some_and(|e| e.gone) {
            self.ring.pop_front();
            self.base = self.base.wrapping_add(1);
        }
        if self.ring.is_empty() && self.ring.capacity() > 1024 {
            *self = Probation { base: self.base, ..Probation::default() };
        }
    }

    /// Places in use, empty ones among them.
    pub(crate) fn places(&self) -> usize {
        self.ring.len()
    }

    pub(crate) fn oldest(&self) -> Option<&Embryo> {
        self.ring.front()
    }

    pub(crate) fn pop(&mut self) -> Option<Embryo> {
        let embryo = self.ring.pop_front()?;
        if !embryo.gone {
            let number = self.base;
            if let Ok(entry) = self.index.find_entry(embryo.hash, |n| *n == number) {
                entry.remove();
            }
        }
        self.base = self.base.wrapping_add(1);
        self.sweep();
        (!embryo.gone).then_some(embryo)
    }
}
