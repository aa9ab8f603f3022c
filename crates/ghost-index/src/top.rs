//! The best hits so far, one a flow where asked for, and one a point of packets always.

use std::collections::{BTreeMap, HashMap};

use crate::request::{Hit, Point};

/// Keeps at most `limit` hits, the largest ranks; of a flow only its best where `by_flow`, of a
/// point only its best in any case.
#[derive(Debug)]
pub(crate) struct Top {
    limit: usize,
    by_flow: bool,
    kept: BTreeMap<(u64, u64), Hit>,
    groups: HashMap<Group, (u64, u64)>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum Group {
    Flow(u64),
    Point(Point),
}

impl Top {
    pub(crate) fn new(limit: usize, by_flow: bool) -> Top {
        Top { limit, by_flow, kept: BTreeMap::new(), groups: HashMap::new() }
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
        if let Some(group) = self.group(&hit) {
            match self.groups.get(&group) {
                Some(best) if *best >= hit.rank => return,
                Some(best) => {
                    self.kept.remove(best);
                }
                None => {}
            }
            self.groups.insert(group, hit.rank);
        }
        self.kept.insert(hit.rank, hit);
        if self.kept.len() > self.limit
            && let Some((_, out)) = self.kept.pop_first()
            && let Some(group) = self.group(&out)
        {
            self.groups.remove(&group);
        }
    }

    fn group(&self, hit: &Hit) -> Option<Group> {
        if self.by_flow { Some(Group::Flow(hit.flow)) } else { hit.point().map(Group::Point) }
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
            minute: None,
            score: 0.0,
            shape_score: 0.0,
            opener: 0,
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
    fn a_point_in_two_windows_is_one_hit_and_two_flows_stay_two() {
        let mut top = Top::new(9, false);
        for (rank, flow, minute) in
            [(1, 1, Some(7)), (2, 1, Some(7)), (3, 1, Some(8)), (4, 1, None), (5, 1, None)]
        {
            top.offer(Hit { minute, ..hit(rank, flow) });
        }
        let ranks: Vec<u64> = top.into_hits().iter().map(|h| h.seq).collect();
        assert_eq!(ranks, [5, 4, 3, 2]);
    }

    #[test]
    fn a_limit_of_none_keeps_none() {
        let mut top = Top::new(0, false);
        top.offer(hit(1, 1));
        assert!(top.into_hits().is_empty());
    }
}
