//! What a score is the sum of.
//!
//! Every part has a weight and how far it holds; weight times value is what it adds, and the parts of
//! a hit sum to its score.

/// One part of a score.
#[derive(Debug, Clone, PartialEq)]
pub struct ScorePart {
    /// The condition in the filter language, or a word for what stands in none.
    pub name: String,
    /// How far it holds: 1 is in full.
    pub value: f32,
    /// What it adds where it holds in full; below zero it takes away.
    pub weight: f32,
    /// For people.
    pub why: String,
}

impl ScorePart {
    /// What it adds to the score.
    #[must_use]
    pub fn adds(&self) -> f32 {
        self.value * self.weight
    }
}
