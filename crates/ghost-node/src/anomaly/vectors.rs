//! The vectors of shapes that a scorer compares: fast ones, made here, of full length.
//!
//! They are the same on every machine and in every profile, so that a stream scores the same
//! everywhere. There are no more of them than a shape cache names and a learned state holds.

use ghost_detect::anomaly::Shapes;
use ghost_embed::{FieldRows, ShapeCache};
use ghost_event::{Features, ShapeId, Vector};
use hashbrown::HashMap;

/// The shapes of one stream.
#[derive(Debug, Default)]
pub(crate) struct Vectors {
    cache: ShapeCache,
    known: HashMap<ShapeId, Vector>,
}

impl Vectors {
    /// The shape of `f`; its vector is there from now on.
    pub(crate) fn see(&mut self, f: &Features) -> ShapeId {
        let seen = self.cache.see(f);
        if let Some(shape) = &seen.new {
            self.known.insert(seen.id, FieldRows::embedded().embed(shape));
        }
        seen.id
    }

    pub(crate) fn get(&self, id: ShapeId) -> Option<&Vector> {
        self.known.get(&id)
    }

    /// A vector that was made before.
    pub(crate) fn put(&mut self, id: ShapeId, vector: Vector) {
        self.known.insert(id, vector);
    }
}

impl Shapes for Vectors {
    fn cosine(&self, a: ShapeId, b: ShapeId) -> Option<f32> {
        Some(self.known.get(&a)?.cosine(self.known.get(&b)?))
    }
}
