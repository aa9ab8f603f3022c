//! What waits to be sent, by priority: not the lines, which stand in the log, but which of them are
//! pressing since when.
//!
//! Bounded: events of one priority that come close together are one mark, and of too many marks the
//! oldest two become one. A mark that was joined is believed to wait since its oldest event did, so
//! that joining makes things go earlier, never later.

use std::collections::VecDeque;

use ghost_event::{Priority, Seq};

use super::deadline::{ALL, deadline_ns};
use crate::limits::MARKS_MAX;

/// Events of one priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    upto: Seq,
    since_ns: u64,
}

/// What a replica still lacks of one priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// The oldest of them was appended no later than this.
    pub since_ns: u64,
    pub newest: Seq,
}

/// One log's unsent events, for all replicas together.
#[derive(Debug, Clone, Default)]
pub struct Waiting {
    marks: [VecDeque<Mark>; 4],
    /// Marks that were joined for want of room.
    joined: u64,
}

impl Waiting {
    #[must_use]
    pub fn new() -> Waiting {
        Waiting::default()
    }

    /// An event was appended. Numbers and times rise.
    pub fn event(&mut self, seq: Seq, prio: Priority, now_ns: u64) {
        let marks = &mut self.marks[prio as usize];
        let grain = deadline_ns(prio) / 32;
        if let Some(last) = marks.back_mut()
            && (now_ns.saturating_sub(last.since_ns) < grain || seq <= last.upto)
        {
            last.upto = last.upto.max(seq);
            return;
        }
        marks.push_back(Mark { upto: seq, since_ns: now_ns });
        if marks.len() > MARKS_MAX
            && let Some(oldest) = marks.pop_front()
            && let Some(next) = marks.front_mut()
        {
            next.since_ns = oldest.since_ns;
            self.joined += 1;
        }
    }

    /// What a replica lacks that has all lines up to `held`, of one priority.
    #[must_use]
    pub fn after(&self, held: Seq, prio: Priority) -> Option<Pending> {
        let marks = &self.marks[prio as usize];
        let first = marks.partition_point(|m| m.upto <= held);
        let since_ns = marks.get(first)?.since_ns;
        Some(Pending { since_ns, newest: marks.back()?.upto })
    }

    /// Every replica has the lines up to here.
    pub fn forget(&mut self, held: Seq) {
        for marks in &mut self.marks {
            marks.drain(..marks.partition_point(|m| m.upto <= held));
        }
    }

    /// Marks that are kept; at most 256 a priority.
    #[must_use]
    pub fn len(&self) -> usize {
        self.marks.iter().map(VecDeque::len).sum()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Marks that were joined for want of room.
    #[must_use]
    pub fn joined(&self) -> u64 {
        self.joined
    }

    /// The oldest of all that a replica lacks.
    #[must_use]
    pub fn oldest(&self, held: Seq) -> Option<u64> {
        ALL.into_iter().filter_map(|prio| self.after(held, prio)).map(|p| p.since_ns).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lacking_is_never_told_later_or_shorter_than_it_is() {
        bolero::check!()
            .with_iterations(2_000)
            .with_type::<(Vec<(u8, u32, bool)>, u16)>()
            .for_each(|(events, held)| {
                let (mut waiting, mut all) = (Waiting::new(), Vec::new());
                let mut now = 0;
                for (i, (prio, passed, slow)) in events.iter().enumerate() {
                    now += u64::from(*passed) * if *slow { 1000 } else { 1 };
                    let (seq, prio) = (i as u64 + 1, ALL[usize::from(prio % 4)]);
                    waiting.event(seq, prio, now);
                    all.push((seq, prio, now));
                }
                let held = u64::from(*held) % (events.len() as u64 + 2);
                for prio in ALL {
                    let mut lacking = all.iter().filter(|(s, p, _)| *s > held && *p == prio);
                    let oldest = lacking.next();
                    let newest = lacking.next_back().or(oldest);
                    match (waiting.after(held, prio), oldest, newest) {
                        (None, None, None) => {}
                        (Some(told), Some((_, _, since)), Some((newest, _, _))) => {
                            assert!(told.since_ns <= *since && told.newest == *newest);
                        }
                        other => panic!("{other:?}"),
                    }
                }
                waiting.forget(held);
                assert!(
                    ALL.iter().all(|p| waiting.after(held, *p).is_none_or(|t| t.newest > held))
                );
            });
    }

    #[test]
    fn a_replica_that_is_away_for_long_costs_a_bounded_queue() {
        let mut waiting = Waiting::new();
        for i in 0..1_000_000_u64 {
            waiting.event(i + 1, ALL[usize::try_from(i % 4).unwrap()], i * 10_000_000);
        }
        assert!(waiting.len() <= 4 * MARKS_MAX && waiting.joined() > 0);
        let told = waiting.after(5, Priority::Critical).unwrap();
        assert_eq!((told.since_ns, told.newest), (30_000_000, 1_000_000));
        waiting.forget(1_000_000);
        assert!(waiting.is_empty());
    }
}
