//! What was met before: hosts, pairs, what each host uses and serves, names, and shapes.
//!
//! New is surprising only where new things are seldom: the share of flows that brought something
//! new of that kind is learned, and its logarithm is the surprise. Addresses, hardware addresses
//! and names can be left out ([`super::Settings::novelty`]).
//!
//! A shape that is new is compared with each one that was met, which costs far more than anything
//! else here. So many comparisons a second are made and no more, whoever sends what: a shape for
//! which none are left is judged by how seldom it is alone, and that is counted.

use ghost_event::{Features, ShapeId, Timestamp};
use xxhash_rust::xxh3::xxh3_64;

use super::Shapes;
use super::rates::{hash, number};
use super::services::service;
use super::state::{Reader, StateError, Writer};
use crate::bounded::Bounded;

/// Things remembered by kind.
const THINGS_MAX: usize = 65_536;
/// Shapes remembered, and compared with a new one: a network has hundreds.
const SHAPES_MAX: usize = 4096;
/// Share of flows that is forgotten of the counts of new things, once there are as many.
const MEMORY: f32 = 16_384.0;
/// Neighbours of a shape whose mean distance is its own.
pub(crate) const NEIGHBOURS: usize = 3;

/// Comparisons of shapes in a second of packet time: some 20 ms of it. An ordinary network needs
/// as many in its first minutes together.
const COMPARISONS_PER_S: u32 = 131_072;
/// And so many at once, after a while without any.
const COMPARISONS_AT_ONCE: u32 = 2 * COMPARISONS_PER_S;
const _: () = assert!(COMPARISONS_AT_ONCE as usize >= 8 * SHAPES_MAX);

/// The comparisons that may still be made.
#[derive(Debug)]
struct Allowance {
    left: u32,
    at: i64,
    refused: u64,
}

impl Allowance {
    /// Whether so many may be made now; they count as made.
    fn take(&mut self, count: usize, now: Timestamp) -> bool {
        let passed = now.0.saturating_sub(self.at).clamp(0, 2_000_000_000);
        let more = passed.saturating_mul(COMPARISONS_PER_S.into()) / 1_000_000_000;
        // Time that brought none is not lost; a clock that was set back begins anew.
        if more > 0 || now.0 < self.at {
            let more = u32::try_from(more).unwrap_or(0);
            self.left = self.left.saturating_add(more).min(COMPARISONS_AT_ONCE);
            self.at = now.0;
        }
        let left = u32::try_from(count).ok().and_then(|count| self.left.checked_sub(count));
        match left {
            Some(left) => self.left = left,
            None => self.refused += 1,
        }
        left.is_some()
    }
}

/// What may be new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum New {
    /// The host that opened the flow.
    Host,
    /// The two hosts together.
    Pair,
    /// What the host uses.
    Uses,
    /// What the other host serves.
    Serves,
    /// The name that was asked for.
    Name,
}

pub(crate) const KINDS: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq)]
struct Known {
    distance: f32,
    count: f32,
}

/// Everything met.
#[derive(Debug)]
pub(crate) struct Familiar {
    things: [Bounded<u64, ()>; KINDS],
    fresh: [f32; KINDS],
    flows: f32,
    shapes: Bounded<u64, Known>,
    shape_flows: f32,
    allowance: Allowance,
}

impl Familiar {
    pub(crate) fn new() -> Familiar {
        Familiar {
            things: std::array::from_fn(|_| Bounded::new(THINGS_MAX)),
            fresh: [0.0; KINDS],
            flows: 0.0,
            shapes: Bounded::new(SHAPES_MAX),
            shape_flows: 0.0,
            allowance: Allowance { left: COMPARISONS_AT_ONCE, at: i64::MIN, refused: 0 },
        }
    }

    /// New shapes for which no comparisons were left.
    pub(crate) fn uncompared(&self) -> u64 {
        self.allowance.refused
    }

    /// What is new about the flow, and how surprising that is: the most surprising, and the sum.
    pub(crate) fn judge(&self, f: &Features) -> (Option<New>, f32) {
        let mut best = (None, 0.0_f32);
        let mut sum = 0.0;
        let kinds = [New::Host, New::Pair, New::Uses, New::Serves, New::Name];
        for (((kind, key), known), fresh) in
            kinds.into_iter().zip(keys(f)).zip(&self.things).zip(self.fresh)
        {
            if key.is_some_and(|key| known.get(&key).is_none()) {
                let surprise = -((fresh + 0.5) / (self.flows + 1.0)).min(1.0).log10();
                sum += surprise;
                if surprise > best.1 {
                    best = (Some(kind), surprise);
                }
            }
        }
        (best.0, sum)
    }

    /// Learns a flow that ended.
    pub(crate) fn learn(&mut self, f: &Features) {
        self.flows += 1.0;
        if self.flows >= MEMORY {
            self.flows *= 0.5;
            self.fresh.iter_mut().for_each(|fresh| *fresh *= 0.5);
        }
        for ((key, known), fresh) in keys(f).into_iter().zip(&mut self.things).zip(&mut self.fresh)
        {
            if let Some(key) = key {
                known.entry(key, || *fresh += 1.0);
            }
        }
    }

    /// How far the shape is from those met before, less the more often it was met itself.
    pub(crate) fn distance(
        &mut self,
        shape: Option<ShapeId>,
        shapes: &dyn Shapes,
        now: Timestamp,
    ) -> f32 {
        let Some(shape) = shape else { return 0.0 };
        let known = match self.shapes.get(&shape.0) {
            Some(known) => *known,
            // Not kept: the next look may find time for it.
            None if !self.allowance.take(self.shapes.len(), now) => {
                Known { distance: 0.0, count: 0.0 }
            }
            None => {
                let known = Known { distance: self.nearest(shape, shapes), count: 0.0 };
                *self.shapes.entry(shape.0, || known)
            }
        };
        let share = (known.count + 1.0) / (self.shape_flows + 2.0);
        // Distances are below one half as a rule, logarithms of shares below four.
        known.distance / (1.0 + known.count) - 0.1 * share.log10()
    }

    /// The cosine with the most similar shape met before; 1 where the shape itself was met.
    pub(crate) fn best_cosine(
        &mut self,
        shape: ShapeId,
        shapes: &dyn Shapes,
        now: Timestamp,
    ) -> Option<f32> {
        if self.shapes.get(&shape.0).is_some_and(|known| known.count > 0.0) {
            return Some(1.0);
        }
        if !self.allowance.take(self.shapes.len(), now) {
            return None;
        }
        let others = self.shapes.iter().filter(|(id, _)| **id != shape.0);
        others.filter_map(|(id, _)| shapes.cosine(shape, ShapeId(*id))).reduce(f32::max)
    }

    /// Counts a shape that was met.
    pub(crate) fn met(&mut self, shape: Option<ShapeId>) {
        let Some(shape) = shape else { return };
        let known = self.shapes.entry(shape.0, || Known { distance: 0.0, count: 0.0 });
        known.count += 1.0;
        self.shape_flows += 1.0;
    }

    /// The shapes met, oldest first.
    pub(crate) fn ids(&self) -> impl Iterator<Item = ShapeId> {
        self.shapes.iter().map(|(id, _)| ShapeId(*id))
    }

    /// [`Familiar::neighbours`] as long as comparisons are left; else none.
    pub(crate) fn nearest_now(
        &mut self,
        shape: ShapeId,
        shapes: &dyn Shapes,
        now: Timestamp,
    ) -> [Option<(ShapeId, f32)>; NEIGHBOURS] {
        match self.allowance.take(self.shapes.len(), now) {
            true => self.neighbours(shape, shapes),
            false => [None; NEIGHBOURS],
        }
    }

    /// The most similar shapes met before, the nearest first, and their cosines.
    fn neighbours(
        &self,
        shape: ShapeId,
        shapes: &dyn Shapes,
    ) -> [Option<(ShapeId, f32)>; NEIGHBOURS] {
        let mut best = [None; NEIGHBOURS];
        let met = self.shapes.iter().filter(|(id, known)| known.count > 0.0 && **id != shape.0);
        for (id, _) in met {
            let Some(cosine) = shapes.cosine(shape, ShapeId(*id)) else { continue };
            let mut next = Some((ShapeId(*id), cosine));
            for slot in &mut best {
                let nearer = match (next, *slot) {
                    (Some((_, new)), Some((_, old))) => new > old,
                    (new, old) => new.is_some() && old.is_none(),
                };
                if nearer {
                    std::mem::swap(slot, &mut next);
                }
            }
        }
        best
    }

    fn nearest(&self, shape: ShapeId, shapes: &dyn Shapes) -> f32 {
        let mut sum = 0.0;
        for neighbour in self.neighbours(shape, shapes) {
            // With fewer than so many shapes nothing is far yet.
            let Some((_, cosine)) = neighbour else { return 0.0 };
            sum += cosine;
        }
        #[expect(clippy::cast_precision_loss, reason = "three")]
        let mean = sum / NEIGHBOURS as f32;
        (1.0 - mean).max(0.0)
    }

    /// Shapes met so far.
    pub(crate) fn shapes(&self) -> usize {
        self.shapes.len()
    }

    pub(crate) fn save(&self, out: &mut Writer) {
        out.f32(self.flows);
        self.fresh.iter().for_each(|fresh| out.f32(*fresh));
        for known in &self.things {
            out.count(known.iter().count());
            known.iter().for_each(|(key, ())| out.u64(*key));
        }
        out.f32(self.shape_flows);
        out.count(self.shapes.iter().count());
        for (id, known) in self.shapes.iter() {
            out.u64(*id);
            out.f32(known.distance);
            out.f32(known.count);
        }
    }

    pub(crate) fn load(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        self.flows = from.positive()?;
        for fresh in &mut self.fresh {
            *fresh = from.positive()?;
        }
        for known in &mut self.things {
            for _ in 0..from.count(THINGS_MAX)? {
                known.entry(from.u64()?, || ());
            }
        }
        self.shape_flows = from.positive()?;
        for _ in 0..from.count(SHAPES_MAX)? {
            let id = from.u64()?;
            let known = Known { distance: from.positive()?, count: from.positive()? };
            self.shapes.entry(id, || known);
        }
        Ok(())
    }
}

/// The flow's host, pair, use, service and name, as numbers.
fn keys(f: &Features) -> [Option<u64>; KINDS] {
    let (Some(src), Some(dst)) = (f.src_ip, f.dst_ip) else { return [None; KINDS] };
    let (a, b, service) = (number(src), number(dst), service(f));
    let name = ["tls.sni", "quic.sni", "http.hostname", "dns.queries.rrname"]
        .iter()
        .find_map(|path| f.names.get(path));
    [
        Some(hash(&[1, a])),
        Some(hash(&[2, a, b])),
        Some(hash(&[3, a, service])),
        Some(hash(&[4, b, service])),
        name.map(|name| hash(&[5, xxh3_64(registered(name).as_bytes())])),
    ]
}

/// The last two labels of a name: hosts of one domain are one.
fn registered(name: &str) -> &str {
    let name = name.trim_end_matches('.');
    let mut dots = name.rmatch_indices('.').map(|(at, _)| at);
    match (dots.next(), dots.next()) {
        (Some(_), Some(second)) => name.get(second + 1..).unwrap_or(name),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All alike, and counted.
    #[derive(Default)]
    struct Counting(std::cell::Cell<u32>);

    impl Shapes for Counting {
        fn cosine(&self, _: ShapeId, _: ShapeId) -> Option<f32> {
            self.0.set(self.0.get() + 1);
            Some(0.5)
        }
    }

    const S: i64 = 1_000_000_000;

    /// Meets so many shapes that nobody met before.
    fn storm(familiar: &mut Familiar, shapes: &Counting, from: u64, count: u64, at: i64) {
        for n in from..from + count {
            familiar.distance(Some(ShapeId(n)), shapes, Timestamp(at));
            familiar.met(Some(ShapeId(n)));
        }
    }

    #[test]
    fn a_storm_of_new_shapes_gets_so_many_comparisons_a_second_and_the_rest_is_counted() {
        let (mut familiar, shapes) = (Familiar::new(), Counting::default());
        storm(&mut familiar, &shapes, 0, 20_000, 5 * S);
        assert!(shapes.0.get() <= COMPARISONS_AT_ONCE, "{}", shapes.0.get());
        let refused = familiar.uncompared();
        assert!(refused > 19_000, "{refused}");
        // A second brings a second's worth, however long the pause before it was not.
        shapes.0.set(0);
        storm(&mut familiar, &shapes, 20_000, 1000, 6 * S);
        let made = shapes.0.get();
        assert!((COMPARISONS_PER_S / 2..=COMPARISONS_PER_S).contains(&made), "{made}");
        // Nothing but time does, neither small steps nor a clock that goes back.
        shapes.0.set(0);
        for n in 0..1000_u64 {
            let at = 6 * S + i64::try_from(n % 2).unwrap();
            storm(&mut familiar, &shapes, 30_000 + n, 1, at);
        }
        assert!(shapes.0.get() < 2 * SHAPES_MAX as u32, "{}", shapes.0.get());
        assert_eq!(familiar.nearest_now(ShapeId(1), &shapes, Timestamp(6 * S)), [None; 3]);
    }

    #[test]
    fn shapes_as_ordinary_networks_have_them_are_all_compared() {
        let (mut familiar, shapes) = (Familiar::new(), Counting::default());
        // Five hundred within the first ten seconds, then ten a second.
        for n in 0..500_u64 {
            storm(&mut familiar, &shapes, n, 1, i64::try_from(n).unwrap() * S / 50);
        }
        for n in 0..2000_u64 {
            let at = 10 * S + i64::try_from(n).unwrap() * S / 10;
            storm(&mut familiar, &shapes, 500 + n, 1, at);
        }
        assert_eq!(familiar.uncompared(), 0);
    }
}
