//! What a score is the sum of.
//!
//! Every part has a weight and how far it holds; weight times value is what it adds, and the parts of
//! a hit sum to its score.

use ghost_event::ShapeId;
use ghost_index::{Hit, Index, Request};

use crate::filter::{Mode, Part};

/// How near every shape is to what was meant.
#[derive(Debug)]
pub(crate) struct Nearness {
    /// Cosines by shape.
    pub(crate) cosines: Vec<(ShapeId, f32)>,
    /// Of an ordinary shape.
    pub(crate) mean: f32,
    /// Of the nearest.
    pub(crate) best: f32,
    /// What the nearest adds to a score.
    pub(crate) weight: f32,
}

impl Nearness {
    fn of(&self, shape: ShapeId) -> Option<f32> {
        self.cosines.iter().rev().find(|c| c.0 == shape).map(|c| c.1)
    }
}

/// What stands among the weighted clauses and was not said, in the order in which it is asked.
pub(crate) const UNSAID: &[(&str, &str)] = &[
    ("told by its messages", "its application is known by what it said, not by its port"),
    ("noise", "a probe, a flood or an attempt that failed, and none was asked for"),
    ("below IP", "a record of the link alone, and none was asked for"),
];

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

/// What the score of `hit` is the sum of.
pub(crate) fn parts(
    hit: &Hit,
    request: &Request,
    preferred: &[&Part],
    meant: Option<&Nearness>,
) -> Vec<ScorePart> {
    let mut parts = Vec::new();
    if let Some(near) = meant
        && near.weight > 0.0
    {
        let cosine = near.of(hit.shape).unwrap_or(0.0);
        parts.push(ScorePart {
            name: "meaning".to_owned(),
            value: hit.shape_score / near.weight,
            weight: near.weight,
            why: format!(
                "cosine {cosine:.3} of its shape; {:.3} is ordinary here, {:.3} the nearest",
                near.mean, near.best
            ),
        });
    }
    for (at, (_, weight)) in request.should.iter().enumerate() {
        if hit.held >> at & 1 == 0 {
            continue;
        }
        let (name, why) = match preferred.get(at) {
            Some(part) => {
                let why = match part.mode {
                    Mode::Avoid => "rather not wanted",
                    _ => "wanted, and it holds",
                };
                (part.filter.to_string(), why)
            }
            None => {
                let (name, why) = unsaid(at - preferred.len(), request, preferred.len());
                (name.to_owned(), why)
            }
        };
        parts.push(ScorePart { name, value: 1.0, weight: *weight, why: why.to_owned() });
    }
    parts
}

/// What stands at `at` among the clauses that were not said: of two kinds the first may be missing.
fn unsaid(at: usize, request: &Request, preferred: usize) -> (&'static str, &'static str) {
    let all = request.should.len() - preferred;
    let skip = if all == 1 { 2 } else { 0 };
    UNSAID.get(at + skip).copied().unwrap_or(("other", ""))
}

/// Short reasons for people, the weightiest first.
pub(crate) fn why(
    hit: &Hit,
    preferred: &[&Part],
    meant: Option<&Nearness>,
    all: &[&dyn Index],
) -> Vec<String> {
    let mut held: Vec<&&Part> = preferred
        .iter()
        .enumerate()
        .filter(|(i, _)| hit.held >> i & 1 == 1)
        .map(|(_, p)| p)
        .collect();
    held.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    let sign = |p: &Part| if p.mode == Mode::Avoid { "though " } else { "" };
    let mut why: Vec<String> = held.iter().map(|p| format!("{}{}", sign(p), p.filter)).collect();
    if let Some(cosine) = meant.and_then(|near| near.of(hit.shape))
        && hit.shape_score > 0.0
    {
        let text = all.iter().rev().find_map(|i| i.shapes().get(hit.shape)).map(|s| &*s.text);
        let text = text.unwrap_or_default();
        let end = text.char_indices().nth(80).map_or(text.len(), |(at, _)| at);
        let dots = if end < text.len() { "…" } else { "" };
        why.push(format!("meaning {cosine:.2}: {}{dots}", text.get(..end).unwrap_or_default()));
    }
    why
}
