//! The shape cache: features to the id of their shape, in nanoseconds where the shape is known.
//!
//! The tuple's fields are packed into 128 bits, names as small numbers, and looked up; no text is
//! made and nothing is allocated. Only a key never seen before makes a [`Shape`] and its text.
//! The cache holds a bounded number of shapes; when it is full, a new shape is called by its
//! nearest parent that is known, and counted.

use std::hash::{BuildHasherDefault, Hasher};

use ghost_event::{Features, ShapeId};
use hashbrown::{HashMap, HashSet};

use crate::intern::{Interner, OVERFLOW};
use crate::limits::{KEYS_MAX, SHAPES_MAX};
use crate::packet::{Act, Fill, Look, PacketFacts};
use crate::shape::{Course, Shape, Size, Transport};

/// What the cache says of one flow.
#[derive(Debug)]
pub struct Seen {
    pub id: ShapeId,
    /// Present the first time this shape is seen: it needs a vector and a line in the log.
    pub new: Option<Box<Shape>>,
}

/// Features to [`ShapeId`].
#[derive(Debug)]
pub struct ShapeCache {
    names: Interner,
    keys: HashMap<u128, ShapeId, BuildHasherDefault<Fold>>,
    shapes: HashSet<ShapeId, BuildHasherDefault<Fold>>,
    shapes_max: usize,
    generalised: u64,
}

impl Default for ShapeCache {
    fn default() -> ShapeCache {
        ShapeCache::new(SHAPES_MAX)
    }
}

impl ShapeCache {
    /// A cache that names at most `shapes_max` shapes and the few hundred bare ones (application
    /// and transport alone) that everything falls back to.
    #[must_use]
    pub fn new(shapes_max: usize) -> ShapeCache {
        ShapeCache {
            names: Interner::new(),
            keys: HashMap::default(),
            shapes: HashSet::default(),
            shapes_max: shapes_max.min(SHAPES_MAX),
            generalised: 0,
        }
    }

    /// Tells a shape that a log already names, so that it will not be told as new.
    pub fn remember(&mut self, id: ShapeId) {
        self.shapes.insert(id);
    }

    /// The shape of `f`, and whether it was seen for the first time.
    #[inline]
    pub fn see(&mut self, f: &Features) -> Seen {
        let key = self.key(f);
        self.known(key, || Shape::of(f))
    }

    /// The shape of a packet of the flow `f`, and whether it was seen for the first time.
    #[inline]
    pub fn see_packet(&mut self, f: &Features, facts: &PacketFacts) -> Seen {
        let key = self.packet_key(f, facts);
        self.known(key, || Shape::of_packet(f, facts))
    }

    #[inline]
    fn known(&mut self, key: Option<u128>, shape: impl FnOnce() -> Shape) -> Seen {
        let Some(key) = key else { return self.name(&shape()) };
        if let Some(id) = self.keys.get(&key) {
            return Seen { id: *id, new: None };
        }
        let seen = self.name(&shape());
        if self.keys.len() >= KEYS_MAX {
            self.keys.clear();
        }
        self.keys.insert(key, seen.id);
        seen
    }

    /// Shapes named so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shapes.len()
    }

    /// Whether no shape was named yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shapes.is_empty()
    }

    /// Shapes that had to be called by a parent, because the cache was full.
    #[must_use]
    pub fn generalised(&self) -> u64 {
        self.generalised
    }

    #[cold]
    fn name(&mut self, shape: &Shape) -> Seen {
        let mut shape = *shape;
        let mut id = shape.id();
        if !self.shapes.contains(&id) && self.shapes.len() >= self.shapes_max {
            self.generalised += 1;
            while let Some(parent) = shape.parent() {
                (shape, id) = (parent, parent.id());
                if self.shapes.contains(&id) {
                    break;
                }
            }
        }
        let new = self.shapes.insert(id).then(|| Box::new(shape));
        Seen { id, new }
    }

    /// All that a shape is made of, in 128 bits; `None` where a name found no number.
    #[inline]
    fn key(&mut self, f: &Features) -> Option<u128> {
        let app = self.names.id(f.app);
        let brand = self.names.id(f.brand);
        let category = self.names.id(f.category);
        let tunnel = f.tunnels.first().map_or(0, |t| self.names.id(t.kind));
        if app == OVERFLOW || brand == OVERFLOW || category == OVERFLOW || tunnel == OVERFLOW {
            return None;
        }
        let names = u64::from(app)
            | u64::from(brand) << 12
            | u64::from(category) << 24
            | u64::from(tunnel) << 36;
        let framing = u64::from(f.vlans.count > 0) | u64::from(f.fragments > 0) << 1;
        let course = Transport::of(f) as u64
            | (Size::of(f) as u64) << 5
            | (Course::of(f) as u64) << 8
            | framing << 11;
        let low = names | places(f) << 48;
        // 40 bits of behaviours and 13 of the rest.
        let high = (f.behaviours.0 & BEHAVIOURS) | course << 40;
        Some(u128::from(low) | u128::from(high) << 64)
    }

    /// The same of a packet; one bit tells it from a flow's.
    #[inline]
    fn packet_key(&mut self, f: &Features, facts: &PacketFacts) -> Option<u128> {
        let app = self.names.id(f.app);
        if app == OVERFLOW {
            return None;
        }
        let look = Look::of(facts);
        let of_packet = 1
            | u64::from(look.to_server) << 1
            | u64::from(facts.fragment) << 2
            | u64::from(facts.malformed) << 3
            | (look.act as u64) << 4
            | (look.fill as u64) << 7;
        let low = u64::from(app) | (Transport::of(f) as u64) << 12 | places(f) << 48;
        let high = (f.behaviours.0 & BEHAVIOURS) | of_packet << 53;
        Some(u128::from(low) | u128::from(high) << 64)
    }
}

/// 14 bits.
#[inline]
fn places(f: &Features) -> u64 {
    f.src.zone as u64
        | (f.dst.zone as u64) << 3
        | (f.src.role as u64) << 6
        | (f.dst.role as u64) << 10
}

const BEHAVIOURS: u64 = (1 << 40) - 1;

const _: () = assert!(Act::ALL.len() <= 1 << 3);
const _: () = assert!(Fill::ALL.len() <= 1 << 2);

const _: () = assert!(Transport::ALL.len() <= 1 << 5);
const _: () = assert!(Size::ALL.len() <= 1 << 3);
const _: () = assert!(Course::ALL.len() <= 1 << 3);
const _: () = assert!(ghost_event::Zone::ALL.len() <= 1 << 3);
const _: () = assert!(ghost_event::Role::ALL.len() <= 1 << 4);
const _: () = assert!(ghost_event::Behaviours::ALL.len() <= 40);

/// A hasher for keys that are numbers: one multiplication. Keys come from closed lists, so nobody
/// outside can choose them to collide.
#[derive(Default)]
struct Fold(u64);

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }
    #[inline]
    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(0x9E37_79B9_7F4A_7C15_u64);
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
    #[inline]
    fn write_u128(&mut self, word: u128) {
        self.write_u64(word as u64);
        self.write_u64((word >> 64) as u64);
    }
}
