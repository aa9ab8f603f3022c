//! The name of a shape, its vector, and how pressing an event is.

/// Position of a line in its log; the first line is 1.
pub type Seq = u64;

/// Dimensions of a vector in the log: those of all-MiniLM-L6-v2.
pub const VECTOR_DIMENSIONS: usize = 384;

/// The name of a shape: xxh3-64 of its canonical tuple, so that every log calls it the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ShapeId(pub u64);

/// Which path made a vector; the higher tier replaces the lower under the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Sum of fitted field rows, or static token table for free text.
    Fast = 1,
    /// The full model over the shape's text.
    Full = 2,
}

/// A unit vector as the log keeps it: `value = int8 * scale`.
#[derive(Debug, Clone, PartialEq)]
pub struct Vector {
    /// 384 components; 256 in the `fast` profile (the first 256 of the same space, renormalised).
    pub components: Box<[i8]>,
    pub scale: f32,
    pub tier: Tier,
}

/// How soon an event must be durable, embedded in full, and on a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    #[default]
    Low,
    Medium,
    High,
    Critical,
}

impl Priority {
    /// The name that stands in events (`ghost.prio`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Priority::Low => "low",
            Priority::Medium => "medium",
            Priority::High => "high",
            Priority::Critical => "critical",
        }
    }
}

impl Vector {
    /// Quantises `values` (not all zero) to a unit vector in int8 with one scale.
    #[must_use]
    pub fn quantise(values: &[f32], tier: Tier) -> Vector {
        let norm = values.iter().map(|v| v * v).sum::<f32>().sqrt();
        let peak = values.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        if norm == 0.0 || !norm.is_finite() {
            return Vector { components: vec![0; values.len()].into(), scale: 0.0, tier };
        }
        let step = peak / 127.0;
        #[expect(clippy::cast_possible_truncation, reason = "|v / step| is at most 127")]
        let components = values.iter().map(|v| (v / step).round() as i8).collect();
        Vector { components, scale: step / norm, tier }
    }

    /// Cosine with another vector of the same length, by the components' dot product.
    #[must_use]
    pub fn cosine(&self, other: &Vector) -> f32 {
        let dot: i32 = self
            .components
            .iter()
            .zip(&other.components)
            .map(|(a, b)| i32::from(*a) * i32::from(*b))
            .sum();
        #[expect(clippy::cast_precision_loss, reason = "384 * 127 * 127 fits 24 bits")]
        let dot = dot as f32;
        dot * self.scale * other.scale
    }
}
