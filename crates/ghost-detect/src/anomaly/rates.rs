//! How much hosts try in a short time, and how much of it comes to nothing.
//!
//! Ports of one target, targets of one port, sources at one target, calls of one service, flows of
//! one host: each is counted over ten to twenty seconds of packet time, and when a window is over
//! its counts are learned. What a window usually reaches is thus this network's own, and a number
//! is as surprising as windows with it are seldom. One window is learned once, however many flows
//! it had: a flood does not make itself ordinary.

use std::collections::VecDeque;
use std::net::IpAddr;

use ghost_event::{Features, Proto, Zone};
use hashbrown::HashMap;
use xxhash_rust::xxh3::xxh3_64;

use super::sketch::Sketch;
use super::state::{Reader, StateError, Writer};
use crate::bounded::Distinct;
use crate::zone::zone;

const WINDOW_NS: i64 = 10_000_000_000;
pub(crate) const WINDOW_S: u32 = 20;
/// Time in which an answer comes.
const ANSWER_NS: i64 = 1_000_000_000;
/// Windows before anything can be surprising.
const WINDOWS_MIN: u32 = 30;
/// From here a number may be evidence by itself.
pub(crate) const MUCH: u32 = 15;
/// Least number that is ever called too much, however quiet the network.
const TRIES_MIN: u32 = 6;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rate {
    /// Ports of one target that one source tried.
    Ports,
    /// Targets of one port that one source tried.
    Targets,
    /// Sources that came to one target.
    Sources,
    /// Calls of one source to one service.
    Calls,
    /// Flows that one source opened.
    Flows,
}

impl Rate {
    pub const ALL: [Rate; 5] =
        [Rate::Ports, Rate::Targets, Rate::Sources, Rate::Calls, Rate::Flows];

    fn at(self) -> usize {
        self as usize
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Half {
    tried: Distinct<2>,
    answered: Distinct<2>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    rate: usize,
    class: usize,
    now: Half,
    before: Half,
    /// What was tried a second ago or earlier in this window, and until when the next such.
    aged: Distinct<2>,
    ageing: Distinct<2>,
    aged_at: i64,
    /// It was part of an alert: not to be learned as usual.
    loud: bool,
}

impl Tally {
    fn tried(&self) -> u32 {
        self.now.tried.union(&self.before.tried).estimate()
    }

    /// Of what was tried so long ago that an answer would have come: how much, and how much in vain.
    fn known(&self) -> (u32, u32) {
        let known = self.aged.union(&self.before.tried).estimate();
        (known, known.saturating_sub(self.answered()))
    }

    fn answered(&self) -> u32 {
        self.now.answered.union(&self.before.answered).estimate()
    }

    fn add(&mut self, value: u64, now: i64) {
        if now.saturating_sub(self.aged_at) >= ANSWER_NS {
            self.aged = self.ageing;
            self.ageing = self.now.tried;
            self.aged_at = now;
        }
        self.now.tried.add(&value.to_le_bytes());
    }
}

/// A number of one window, and how seldom windows have it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reached {
    pub(crate) rate: Rate,
    pub(crate) tried: u32,
    /// Of what had time to be answered: how much, and how much was not.
    pub(crate) known: u32,
    pub(crate) unanswered: u32,
    /// Not answered, be it that it had no time.
    pub(crate) pending: u32,
    /// Of what was tried, and of what was not answered.
    pub(crate) surprise: f32,
    pub(crate) futile: f32,
    /// What 99.9 % of windows stay below.
    pub(crate) usual: f32,
    pub(crate) usual_futile: f32,
}

/// The windows, and what they usually reach.
#[derive(Debug)]
pub(crate) struct Rates {
    tallies: HashMap<u64, Tally>,
    ends: VecDeque<(i64, u64)>,
    max: usize,
    /// By rate and transport.
    tried: [[Sketch; CLASSES]; 5],
    unanswered: [[Sketch; CLASSES]; 5],
}

/// TCP, UDP, ICMP and the rest: what is much of one is little of another.
const CLASSES: usize = 4;

fn class(f: &Features) -> usize {
    match f.proto {
        Proto::Ip(6) => 0,
        Proto::Ip(17) => 1,
        Proto::Ip(1 | 58) => 2,
        _ => 3,
    }
}

impl Rates {
    pub(crate) fn new(max: usize) -> Rates {
        Rates {
            tallies: HashMap::new(),
            ends: VecDeque::new(),
            max: max.max(Rate::ALL.len()),
            tried: Default::default(),
            unanswered: Default::default(),
        }
    }

    /// A flow began at `now`.
    pub(crate) fn started(&mut self, f: &Features, now: i64, learn: bool) {
        self.turn(now, learn);
        for (rate, key, value) in keys(f).into_iter().flatten() {
            let tally = self.tally((rate, class(f)), key, now, learn);
            tally.add(value, now);
        }
    }

    /// A flow got its first answer.
    pub(crate) fn answered(&mut self, f: &Features) {
        for (_, key, value) in keys(f).into_iter().flatten() {
            if let Some(tally) = self.tallies.get_mut(&key) {
                tally.now.answered.add(&value.to_le_bytes());
            }
        }
    }

    /// The flow is part of an alert.
    pub(crate) fn alerted(&mut self, f: &Features) {
        for (_, key, _) in keys(f).into_iter().flatten() {
            if let Some(tally) = self.tallies.get_mut(&key) {
                tally.loud = true;
            }
        }
    }

    /// What the flow's windows have reached.
    pub(crate) fn reached(&self, f: &Features) -> [Option<Reached>; 5] {
        keys(f).map(|key| {
            let (rate, key, _) = key?;
            let tally = self.tallies.get(&key)?;
            let (tried, (known_by_now, unanswered)) = (tally.tried(), tally.known());
            let of_tried = self.tried.get(rate.at())?.get(tally.class)?;
            let of_unanswered = self.unanswered.get(rate.at())?.get(tally.class)?;
            let known = of_tried.total() >= WINDOWS_MIN;
            let surprise = |sketch: &Sketch, n: u32| {
                if known && n >= TRIES_MIN { sketch.above(float(n)) } else { 0.0 }
            };
            let (much, in_vain) = (surprise(of_tried, tried), surprise(of_unanswered, unanswered));
            // Only said, or compared with, where it is that much.
            let usual = |sketch: &Sketch, n: u32, surprise: f32| {
                if n >= MUCH || surprise > 1.0 { sketch.quantile(0.999) } else { 0.0 }
            };
            Some(Reached {
                rate,
                tried,
                known: known_by_now,
                unanswered,
                pending: tried.saturating_sub(tally.answered()),
                surprise: much,
                futile: in_vain,
                usual: usual(of_tried, tried, much),
                usual_futile: usual(of_unanswered, unanswered, in_vain),
            })
        })
    }

    /// Windows learned so far.
    pub(crate) fn windows(&self) -> u64 {
        self.tried.iter().flatten().map(|sketch| u64::from(sketch.total())).sum()
    }

    /// Ends the windows whose time has come.
    fn turn(&mut self, now: i64, learn: bool) {
        while let Some((end, key)) = self.ends.front().copied() {
            // A clock that was set back by more than a window ends what was in that future.
            let future = end.saturating_sub(now) > 2 * WINDOW_NS;
            if end > now && !future && self.tallies.len() <= self.max {
                break;
            }
            self.ends.pop_front();
            let stale = future || now.saturating_sub(end) >= WINDOW_NS;
            self.end(key, now, learn, !stale);
        }
    }

    /// Ends a window; its host's next one goes on from it where it is `fresh`.
    fn end(&mut self, key: u64, now: i64, learn: bool, fresh: bool) {
        let room = self.tallies.len() <= self.max;
        let Some(tally) = self.tallies.get_mut(&key) else { return };
        if learn && !tally.loud {
            let (tried, (_, unanswered)) = (float(tally.tried()), tally.known());
            let unanswered = float(unanswered);
            let (rate, class) = (tally.rate, tally.class);
            if let Some(sketch) = self.tried.get_mut(rate).and_then(|of| of.get_mut(class)) {
                sketch.add(tried);
            }
            if let Some(sketch) = self.unanswered.get_mut(rate).and_then(|of| of.get_mut(class)) {
                sketch.add(unanswered);
            }
        }
        let active = tally.now.tried.estimate() > 0;
        if active && room && fresh {
            tally.before = tally.now;
            tally.now = Half::default();
            (tally.aged, tally.ageing) = (Distinct::default(), Distinct::default());
            tally.aged_at = now;
            self.ends.push_back((now.saturating_add(WINDOW_NS), key));
        } else {
            self.tallies.remove(&key);
        }
    }

    fn tally(&mut self, of: (Rate, usize), key: u64, now: i64, learn: bool) -> &mut Tally {
        if !self.tallies.contains_key(&key) {
            if self.tallies.len() >= self.max
                && let Some((_, oldest)) = self.ends.pop_front()
            {
                self.end(oldest, now, learn, false);
            }
            self.ends.push_back((now.saturating_add(WINDOW_NS), key));
        }
        let tally = self.tallies.entry(key).or_default();
        (tally.rate, tally.class) = (of.0.at(), of.1);
        tally
    }

    pub(crate) fn save(&self, out: &mut Writer) {
        self.tried.iter().chain(&self.unanswered).flatten().for_each(|sketch| sketch.save(out));
    }

    pub(crate) fn load(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        for sketch in self.tried.iter_mut().chain(&mut self.unanswered).flatten() {
            *sketch = Sketch::load(from)?;
        }
        Ok(())
    }
}

fn float(n: u32) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let n = n as f32;
    n
}

/// Under what the flow is counted, and as which value.
fn keys(f: &Features) -> [Option<(Rate, u64, u64)>; 5] {
    let (Proto::Ip(proto), Some(src), Some(dst)) = (f.proto, f.src_ip, f.dst_ip) else {
        return [None; 5];
    };
    if matches!(zone(dst), Zone::Multicast | Zone::Broadcast) || f.folded.is_some() {
        return [None; 5];
    }
    let (a, b) = (number(src), number(dst));
    let port = f.dst_port;
    let ported = matches!(proto, 6 | 17 | 132);
    let value = |n: u64| Some(n);
    let make = |rate: Rate, key: u64, value: Option<u64>| Some((rate, key, value?));
    [
        ported
            .then(|| make(Rate::Ports, hash(&[1, a, b, proto.into()]), value(port.into())))
            .flatten(),
        make(Rate::Targets, hash(&[2, a, proto.into(), port.into()]), value(b)),
        make(Rate::Sources, hash(&[3, b, proto.into()]), value(a)),
        ported
            .then(|| {
                let key = hash(&[4, a, b, proto.into(), port.into()]);
                make(Rate::Calls, key, value(f.src_port.into()))
            })
            .flatten(),
        make(Rate::Flows, hash(&[5, a]), value(hash(&[b, port.into(), f.src_port.into()]))),
    ]
}

/// An address as a number: itself, or its hash where it is longer.
pub(crate) fn number(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(a) => u32::from(a).into(),
        IpAddr::V6(a) => xxh3_64(&a.octets()) | 1 << 63,
    }
}

pub(crate) fn hash(parts: &[u64]) -> u64 {
    let mut bytes = [0_u8; 48];
    for (slot, part) in bytes.chunks_exact_mut(8).zip(parts) {
        slot.copy_from_slice(&part.to_le_bytes());
    }
    xxh3_64(bytes.get(..8 * parts.len().min(6)).unwrap_or(&bytes))
}
