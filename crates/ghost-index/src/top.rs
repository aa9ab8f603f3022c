//! The best hits so far, one a flow where asked for.

use std::collections::{BTreeMap, HashMap};

use crate::request::Hit;

/// Keeps at most `limit` hits, the largest ranks; of a flow only its best where `by_flow`.
#[derive(Debug)]
pub(crate) struct Top {
    limit: usize,
    by_flow: bool,
    kept: BTreeMap<(u64, u64), Hit>,
    flows: HashMap<u64, (u64, u64)>,
}

impl Top {
    pub(crate) fn new(limit: usize, by_flow: bool) -> Top {
        Top { limit, by_flow, kept: BTreeMap::new(), flows: HashMap::new() }
    }

    /// The rank that a hit must exceed to be kept; `None` while there is room.
    #[inline]
    pub(crate) fn floor(&self) -> Option<(u64, u64)> {
        if self.limit == 0 {
            return Some((u64::MAX, u64::MAX));
        }
        if self.kept.len() < self.limit {
            return None;
        }
        self.kept.first_key_value().map(|(rank, _)| *rank)
    }

    pub(crate) fn offer(&mut self, hit: Hit) {
        if self.floor().is_some_and(|floor| hit.rank <= floor) {
            return;
        }
        if self.by_flow {
            match self.flows.get(&hit.flow) {
                Some(best) if *best >= hit.rank => return,
                Some(best) => {
                    self.kept.remove(best);
                }
                None => {}
            }
            self.flows.insert(hit.flow, hit.rank);
        }
        self.kept.insert(hit.rank, hit);
        if self.kept.len() > self.limit
            && let Some((_, out)) = self.kept.pop_first()
            && self.by_flow
        {
            self.flows.remove(&out.flow);
        }
    }

    /// Best first.
    pub(crate) fn into_hits(self) -> Vec<Hit> {
        self.kept.into_values().rev().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(rank: u64, flow: u64) -> Hit {
        Hit {
            seq: rank,
            at: crate::Position::default(),
            flow,
            shape: ghost_event::ShapeId(0),
            score: 0.0,
            shape_score: 0.0,
            held: 0,
            rank: (rank, rank),
        }
    }

    #[test]
    fn one_flow_gives_one_hit_its_best_and_room_is_not_lost_to_its_others() {
        let mut top = Top::new(2, true);
        for (rank, flow) in [(5, 1), (7, 1), (6, 1), (1, 2), (3, 3), (2, 2)] {
            top.offer(hit(rank, flow));
        }
        let ranks: Vec<u64> = top.into_hits().iter().map(|h| h.seq).collect();
        assert_eq!(ranks, [7, 3]);
    }

    #[test]
    fn a_limit_of_none_keeps_none() {
        let mut top = Top::new(0, false);
        top.offer(hit(1, 1));
        assert!(top.into_hits().is_empty());
    }
}
