//! Whose turn it is: one replica a question, weighted by load and freshness.
//!
//! Each replica earns its weight every turn and pays all weights when it is chosen, so that over
//! time each is asked in proportion to its weight, and none twice in a row where another would do.
//! The same replicas in the same order always give the same turns.

use std::collections::BTreeMap;

use super::limits::TURN_WEIGHT_MAX;

/// A replica that may be asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Candidate {
    pub(crate) name: String,
    /// Lines that it lacks, in its index.
    pub(crate) behind: u64,
    /// Of its processors, in thousandths.
    pub(crate) load_permille: u32,
}

impl Candidate {
    /// How often it is asked, against the others: half for each tenfold of lines that it lacks
    /// beyond a few, and in proportion to what of its processors is free.
    pub(crate) fn weight(&self) -> i64 {
        let mut fresh = TURN_WEIGHT_MAX;
        let mut behind = self.behind;
        while behind >= 10 && fresh > 1 {
            behind /= 10;
            fresh /= 2;
        }
        let free = 1000_i64.saturating_sub(i64::from(self.load_permille)).max(0);
        (fresh * free / 1000).max(1)
    }
}

/// Turns that were had.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    earned: BTreeMap<String, i64>,
}

impl Turns {
    /// The candidates in the order in which they are to be tried: whose turn it is, then those that
    /// come next. Only the first has had its turn.
    pub(crate) fn next(&mut self, candidates: &[Candidate]) -> Vec<String> {
        // Who is gone and comes back begins anew.
        self.earned.retain(|name, _| candidates.iter().any(|c| c.name == *name));
        let mut all = 0;
        for candidate in candidates {
            let weight = candidate.weight();
            all += weight;
            *self.earned.entry(candidate.name.clone()).or_default() += weight;
        }
        let mut order: Vec<(i64, &str)> =
            self.earned.iter().map(|(name, earned)| (*earned, name.as_str())).collect();
        // The most earned first; of equals the first by name.
        order.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
        let order: Vec<String> = order.into_iter().map(|(_, name)| name.to_owned()).collect();
        if let Some(earned) = order.first().and_then(|first| self.earned.get_mut(first)) {
            *earned -= all;
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica(name: &str, behind: u64, load_permille: u32) -> Candidate {
        Candidate { name: name.to_owned(), behind, load_permille }
    }

    fn asked(candidates: &[Candidate], questions: usize) -> BTreeMap<String, usize> {
        let mut turns = Turns::default();
        let mut asked = BTreeMap::new();
        for _ in 0..questions {
            *asked.entry(turns.next(candidates).remove(0)).or_default() += 1;
        }
        asked
    }

    #[test]
    fn equals_are_asked_in_turn() {
        let all = [replica("a", 0, 0), replica("b", 0, 0), replica("c", 0, 0)];
        let mut turns = Turns::default();
        let order: Vec<String> = (0..6).map(|_| turns.next(&all).remove(0)).collect();
        assert_eq!(order, ["a", "b", "c", "a", "b", "c"]);
        assert_eq!(turns.next(&all), ["a", "b", "c"], "the others are tried after it");
    }

    #[test]
    fn the_busy_and_the_stale_are_asked_less_but_asked() {
        let all = [replica("busy", 0, 750), replica("fresh", 0, 0), replica("stale", 10_000, 0)];
        let asked = asked(&all, 1_000);
        assert!(asked["fresh"] > 3 * asked["busy"], "{asked:?}");
        assert!(asked["busy"] > asked["stale"], "{asked:?}");
        assert!(asked["stale"] > 0, "{asked:?}");
    }

    #[test]
    fn each_is_asked_in_proportion_to_its_weight_and_nobody_starves() {
        bolero::check!().with_type::<Vec<(u64, u32)>>().with_iterations(300).for_each(|of| {
            let all: Vec<Candidate> = of
                .iter()
                .take(9)
                .enumerate()
                .map(|(n, (behind, load))| replica(&format!("r{n}"), *behind, *load))
                .collect();
            let sum: i64 = all.iter().map(Candidate::weight).sum();
            if all.is_empty() {
                assert!(Turns::default().next(&all).is_empty());
                return;
            }
            let asked = asked(&all, usize::try_from(sum).unwrap());
            for candidate in &all {
                let times = i64::try_from(asked.get(&candidate.name).copied().unwrap_or(0));
                assert_eq!(times.unwrap(), candidate.weight(), "{candidate:?} of {all:?}");
            }
        });
    }

    #[test]
    fn one_that_was_away_does_not_come_back_with_turns_saved_up() {
        let (a, b) = (replica("a", 0, 0), replica("b", 0, 0));
        let mut turns = Turns::default();
        for _ in 0..100 {
            turns.next(std::slice::from_ref(&a));
        }
        let all = [a, b];
        let order: Vec<String> = (0..4).map(|_| turns.next(&all).remove(0)).collect();
        assert_eq!(order.iter().filter(|name| *name == "b").count(), 2, "{order:?}");
    }
}
