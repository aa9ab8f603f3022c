//! What flows of each service are usually like: a sketch of each magnitude, by service.
//!
//! A service with few flows so far borrows from all services together.

use ghost_event::{EndReason, Features, Proto};

use super::numbers::{MAGNITUDES, magnitudes};
use super::sketch::Sketch;
use super::state::{Reader, StateError, Writer};
use crate::bounded::Bounded;
use xxhash_rust::xxh3::xxh3_64;

/// Services told apart; more are new ones that push out the oldest.
pub(crate) const SERVICES_MAX: usize = 256;
/// Below this, more than half are larger: the number may be too small instead.
const COMMON: f32 = 0.302;
/// Flows before a service is judged by its own.
const FLOWS_MIN: u32 = 30;

#[derive(Debug, Clone, PartialEq, Default)]
struct Profile {
    sketches: [Sketch; MAGNITUDES.len()],
}

/// The magnitude of a flow that is least like its service.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Odd {
    pub(crate) magnitude: u8,
    pub(crate) value: f32,
    pub(crate) usual: f32,
    /// Of the service's flows that stay below the usual, or above it where this is too little.
    pub(crate) share: f32,
    pub(crate) little: bool,
    pub(crate) surprise: f32,
}

/// Profiles by service.
#[derive(Debug)]
pub(crate) struct Services {
    all: Profile,
    each: Bounded<u64, Box<Profile>>,
}

/// The service that a flow uses: its application, else its protocol and port.
pub(crate) fn service(f: &Features) -> u64 {
    if !f.app.is_empty() {
        return xxh3_64(f.app.as_bytes());
    }
    let (kind, number) = match f.proto {
        Proto::Ip(p) => (1_u8, u16::from(p)),
        Proto::Ether(e) => (2, e),
    };
    // Ports that are taken at random are one service.
    let port = if f.dst_port < 10_000 { f.dst_port } else { 10_000 };
    let ([a, b], [c, d]) = (number.to_le_bytes(), port.to_le_bytes());
    xxh3_64(&[kind, a, b, c, d])
}

impl Services {
    pub(crate) fn new() -> Services {
        Services { all: Profile::default(), each: Bounded::new(SERVICES_MAX) }
    }

    /// How unlike its service the flow is: the largest surprise, and the mean of the largest two.
    pub(crate) fn judge(&self, f: &Features) -> (Odd, f32) {
        let own = self.each.get(&service(f));
        let known = own.filter(|p| p.sketches.first().is_some_and(|s| s.total() >= FLOWS_MIN));
        let profile = known.map_or(&self.all, |p| &**p);
        let (mut first, mut second) = (Odd::default(), 0.0);
        for ((at, value), sketch) in (0_u8..).zip(magnitudes(f)).zip(&profile.sketches) {
            let mut surprise = sketch.above(value);
            let mut little = false;
            if surprise < COMMON && f.end != EndReason::Update && at != 5 {
                // An ended flow may also be too small; it counts less.
                let below = sketch.below(value) * 0.6;
                (surprise, little) = (surprise.max(below), below > surprise);
            }
            if surprise > first.surprise {
                second = first.surprise;
                first = Odd { magnitude: at, value, little, surprise, ..Odd::default() };
            } else if surprise > second {
                second = surprise;
            }
        }
        if let Some(sketch) = profile.sketches.get(usize::from(first.magnitude))
            && first.surprise > 1.0
        {
            (first.share, first.usual) = match first.little {
                true => sketch.most_above(first.value),
                false => sketch.most_below(first.value),
            };
        }
        (first, (first.surprise + second) / 2.0)
    }

    /// Learns a flow that ended.
    pub(crate) fn learn(&mut self, f: &Features) {
        let values = magnitudes(f);
        let own = self.each.entry(service(f), Box::default);
        for profile in [&mut self.all, &mut **own] {
            for (sketch, value) in profile.sketches.iter_mut().zip(values) {
                sketch.add(value);
            }
        }
    }

    pub(crate) fn save(&self, out: &mut Writer) {
        self.all.sketches.iter().for_each(|sketch| sketch.save(out));
        out.count(self.each.iter().count());
        for (key, profile) in self.each.iter() {
            out.u64(*key);
            profile.sketches.iter().for_each(|sketch| sketch.save(out));
        }
    }

    pub(crate) fn load(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        for sketch in &mut self.all.sketches {
            *sketch = Sketch::load(from)?;
        }
        for _ in 0..from.count(SERVICES_MAX)? {
            let profile = self.each.entry(from.u64()?, Box::default);
            for sketch in &mut profile.sketches {
                *sketch = Sketch::load(from)?;
            }
        }
        Ok(())
    }
}
