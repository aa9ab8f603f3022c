//! How long something took, counted by steps.
//!
//! Whoever does it adds, whoever tells it reads: neither waits for the other.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// Upper bounds of the steps, in milliseconds; above the last is one step more.
const STEPS_MS: [u64; 12] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10_000];

/// Counted so far.
#[derive(Debug, Default)]
pub(crate) struct Latencies {
    steps: [AtomicU64; STEPS_MS.len() + 1],
    sum_ns: AtomicU64,
    max_ns: AtomicU64,
}

/// What was counted, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Latency {
    pub count: u64,
    pub sum_s: f64,
    pub max_s: f64,
    /// How many took so many seconds at most, by the upper bound; all are in `count`.
    pub within: Vec<(f64, u64)>,
}

impl Latencies {
    pub(crate) fn took(&self, ns: u64) {
        let at = STEPS_MS.iter().position(|ms| ns <= ms * 1_000_000).unwrap_or(STEPS_MS.len());
        if let Some(step) = self.steps.get(at) {
            step.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_ns.fetch_add(ns, Ordering::Relaxed);
        self.max_ns.fetch_max(ns, Ordering::Relaxed);
    }

    #[expect(clippy::cast_precision_loss, reason = "seconds for people")]
    pub(crate) fn told(&self) -> Latency {
        let seconds = |ns: &AtomicU64| ns.load(Ordering::Relaxed) as f64 / 1e9;
        let mut count = 0;
        let mut within = Vec::with_capacity(STEPS_MS.len());
        for (at, step) in self.steps.iter().enumerate() {
            count += step.load(Ordering::Relaxed);
            if let Some(ms) = STEPS_MS.get(at) {
                within.push((*ms as f64 / 1e3, count));
            }
        }
        Latency { count, sum_s: seconds(&self.sum_ns), max_s: seconds(&self.max_ns), within }
    }
}

impl Latency {
    /// The bound within which half of them were; `None` where none was, or half took longer than
    /// any bound.
    #[must_use]
    pub fn half_within_s(&self) -> Option<f64> {
        let half = |(_, n): &&(f64, u64)| self.count > 0 && n.saturating_mul(2) >= self.count;
        self.within.iter().find(half).map(|(bound, _)| *bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_counted_in_its_step_and_in_all_above() {
        let latencies = Latencies::default();
        for ms in [1, 3, 3, 20_000] {
            latencies.took(ms * 1_000_000);
        }
        let told = latencies.told();
        assert_eq!(told.count, 4);
        assert_eq!(told.within.first(), Some(&(0.001, 1)));
        assert_eq!(told.within.iter().find(|(s, _)| *s > 0.004), Some(&(0.005, 3)));
        assert_eq!(told.within.last(), Some(&(10.0, 3)));
        assert!((told.sum_s - 20.007).abs() < 1e-9 && (told.max_s - 20.0).abs() < 1e-9);
        assert_eq!(told.half_within_s(), Some(0.005));
        assert_eq!(Latency::default().half_within_s(), None);
    }
}
