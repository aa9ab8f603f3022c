//! What keeps a flood from filling the table, and the log with it.
//!
//! New flows of which nobody answered one are counted by the address they go to, by the one they
//! come from and by protocol ([`heat`]). Where that is too many a second, a new flow is kept on
//! [`probation`] instead of being a record: it becomes one when somebody answers, and after a
//! second without an answer it is counted to the record of its group ([`fold`]).
//!
//! An answer is what a machine does not give by itself: a TCP handshake that is finished or data, a
//! datagram back. A SYN-ACK or RST, an echo's reply and an ICMP error are none: they are counted to
//! the same record. A flow of more than three packets is a record whether it is answered or not.

mod distinct;
mod fold;
mod heat;
mod probation;

use std::net::IpAddr;

use ghost_wire::{Packet, Transport};
use xxhash_rust::xxh3::xxh3_64_with_seed;

pub(crate) use fold::{Common, Folds, GroupKey};
use heat::Heat;
pub(crate) use probation::{Embryo, Probation};

use crate::config::limits::{FOLD_PROTOCOL_TIMES, PROBATION_NS, PROBATION_PACKETS_MAX};
use crate::key::{Place, octets};
use crate::live::answers;
use crate::tcp::{ACK, RST, SYN};

const TCP: u8 = 6;
const ICMP: u8 = 1;
const ICMP6: u8 = 58;

/// What is kept of a flood.
#[derive(Debug)]
pub(crate) struct Flood {
    heat: Heat,
    limit: u32,
    seed: u64,
    pub(crate) probation: Probation,
    pub(crate) folds: Folds,
}

/// What a flow is counted by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signs {
    bridge: u16,
    proto: u8,
    source: IpAddr,
    target: IpAddr,
    /// The port that is asked, or type and code of ICMP.
    port: u16,
    /// The first packet came from the side that is asked.
    pub(crate) flip: bool,
}

impl Signs {
    /// `None` below IP.
    pub(crate) fn of(p: &Packet<'_>, place: &Place, bridge: u16) -> Option<Signs> {
        let ip = p.ip?;
        let flip = answers(p, ip.proto, place.src_port, (ip.dst, place.dst_port));
        let (source, target) = if flip { (ip.dst, ip.src) } else { (ip.src, ip.dst) };
        let port = match p.transport {
            Transport::Icmp { kind, code } => u16::from_be_bytes([kind, code]),
            _ if flip => place.src_port,
            _ => place.dst_port,
        };
        Some(Signs { bridge, proto: ip.proto, source, target, port, flip })
    }
}

impl Signs {
    /// Of a flow whose ends are known.
    pub(crate) fn between(bridge: u16, proto: u8, source: IpAddr, target: IpAddr) -> Signs {
        Signs { bridge, proto, source, target, port: 0, flip: false }
    }
}

impl Flood {
    pub(crate) fn new(limit: u32, seed: u64) -> Flood {
        Flood {
            heat: Heat::new(),
            limit,
            seed,
            probation: Probation::default(),
            folds: Folds::default(),
        }
    }

    fn hashes(&self, s: &Signs) -> [u64; 3] {
        let hash = |what: u8, address: Option<IpAddr>| {
            let [b0, b1] = s.bridge.to_be_bytes();
            let mut text = [0; 20];
            text[..4].copy_from_slice(&[what, s.proto, b0, b1]);
            text[4..].copy_from_slice(&address.map_or([0; 16], octets));
            xxh3_64_with_seed(&text, self.seed)
        };
        [hash(0, Some(s.target)), hash(1, Some(s.source)), hash(2, None)]
    }

    /// A flow began; gives its group where there is a flood.
    pub(crate) fn began(&mut self, s: &Signs, now: i64) -> Option<GroupKey> {
        let [target, source, all] = self.hashes(s);
        let target = self.heat.add(target, now);
        if target > self.limit {
            // What the victim of a flood is sent says nothing of who sends it.
            return self.group(s, target, 0, 0);
        }
        let (source, all) = (self.heat.add(source, now), self.heat.add(all, now));
        self.group(s, target, source, all)
    }

    /// The group of a flow that is already counted.
    pub(crate) fn group_of(&mut self, s: &Signs, now: i64) -> Option<GroupKey> {
        let [target, source, all] = self.hashes(s).map(|hash| self.heat.of(hash, now));
        self.group(s, target, source, all)
    }

    fn group(&self, s: &Signs, target: u32, source: u32, all: u32) -> Option<GroupKey> {
        let common = if target > self.limit {
            Common::Target(s.target)
        } else if source > self.limit {
            Common::Source(s.source)
        } else if all > self.limit.saturating_mul(FOLD_PROTOCOL_TIMES) {
            Common::Protocol
        } else {
            return None;
        };
        Some(GroupKey { bridge: s.bridge, proto: s.proto, common, port: s.port })
    }

    /// A flow that began was answered.
    pub(crate) fn answered(&mut self, s: &Signs, now: i64) {
        for hash in self.hashes(s) {
            self.heat.cool(hash, now);
        }
    }

    /// When something is to be told without a packet.
    pub(crate) fn next_due(&self) -> Option<i64> {
        let oldest = self.probation.oldest().map(|e| e.since.saturating_add(PROBATION_NS));
        oldest.into_iter().chain(self.folds.next_due()).min()
    }

    /// A flow whose probation is over.
    pub(crate) fn overdue(&mut self, now: i64) -> Option<Embryo> {
        while let Some(oldest) = self.probation.oldest() {
            if (0..PROBATION_NS).contains(&now.saturating_sub(oldest.since)) {
                return None;
            }
            if let Some(embryo) = self.probation.pop() {
                return Some(embryo);
            }
        }
        None
    }
}

/// Whether one more packet shows that somebody talks there. `packets` came before it, with
/// `flags_back` from the side that was asked.
pub(crate) fn settles(p: &Packet<'_>, packets: u64, flags_back: u8, back: bool) -> bool {
    if p.fragment.is_some_and(|f| f.offset > 0) {
        // The rest of what was said before.
        return back;
    }
    if packets >= PROBATION_PACKETS_MAX as u64 {
        return true;
    }
    match (p.ip.map_or(0, |ip| ip.proto), p.transport) {
        (TCP, Transport::Tcp { flags, .. }) => {
            let answers = flags & (SYN | RST) == 0 && flags & ACK != 0;
            let asked = back || flags_back & (SYN | ACK) == SYN | ACK;
            (answers && asked) || p.payload_len() > 0
        }
        (ICMP | ICMP6, _) => false,
        _ => back,
    }
}
