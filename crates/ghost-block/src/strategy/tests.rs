//! The trigger, beside what each strategy promises.

use bolero::TypeGenerator;

use super::*;

const PRIORITIES: [Priority; 4] =
    [Priority::Low, Priority::Medium, Priority::High, Priority::Critical];

#[test]
fn a_lone_event_waits_as_long_as_its_strategy_says() {
    let wait = |strategy, prio| {
        let mut trigger = Trigger::new(strategy);
        trigger.event(prio, 7 * S);
        trigger.due().unwrap() - 7 * S
    };
    for (prio, priority) in PRIORITIES.into_iter().zip([30 * S, 5 * S, 500 * MS, 0]) {
        assert_eq!(wait(Strategy::Priority, prio), priority);
        assert_eq!(wait(Strategy::Realtime, prio), 0);
        assert_eq!(wait(Strategy::BATCH, prio), 5 * S);
        let every_second = Strategy::Batch { max_events: u64::MAX, max_delay_ns: S };
        assert_eq!(wait(every_second, prio), S);
    }
}

#[test]
fn a_batch_is_due_at_its_tenth_event() {
    let mut trigger = Trigger::new(Strategy::BATCH);
    for n in 1..10 {
        trigger.event(Priority::Low, n * MS);
        assert_eq!(trigger.due(), Some(MS + 5 * S));
    }
    trigger.event(Priority::Low, 10 * MS);
    assert_eq!(trigger.due(), Some(10 * MS));
}

#[test]
fn nothing_is_due_when_nothing_happened() {
    for strategy in [Strategy::Realtime, Strategy::BATCH, Strategy::Priority] {
        let mut trigger = Trigger::new(strategy);
        assert_eq!((trigger.due(), trigger.pressing()), (None, None));
        trigger.event(Priority::High, 1);
        assert_eq!(trigger.pressing(), Some(Priority::High));
        trigger.sealed();
        // The lines that a seal brings are not told, and so cause no other.
        assert_eq!((trigger.due(), trigger.pressing()), (None, None));
    }
}

#[derive(Debug, Clone, TypeGenerator)]
struct Arrival {
    after_ms: u16,
    prio: u8,
}

/// A writer that seals as soon as a block is due, and not before: when, and what was waiting.
fn seals(strategy: Strategy, arrivals: &[Arrival]) -> Vec<(u64, Vec<(Priority, u64)>)> {
    let mut trigger = Trigger::new(strategy);
    let (mut now, mut waiting, mut seals) = (S, Vec::new(), Vec::new());
    let mut seal_until = |until: u64, trigger: &mut Trigger, waiting: &mut Vec<(Priority, u64)>| {
        while let Some(due) = trigger.due().filter(|due| *due <= until) {
            let latest = waiting.iter().map(|(_, at)| *at).max().unwrap_or(due);
            trigger.sealed();
            seals.push((due.max(latest), std::mem::take(waiting)));
        }
    };
    for arrival in arrivals {
        let at = now + u64::from(arrival.after_ms) * MS;
        seal_until(at, &mut trigger, &mut waiting);
        now = at;
        let prio = PRIORITIES[usize::from(arrival.prio % 4)];
        trigger.event(prio, now);
        waiting.push((prio, now));
    }
    seal_until(u64::MAX, &mut trigger, &mut waiting);
    seals
}

#[test]
fn every_event_is_in_a_block_in_time_and_no_block_is_empty_or_too_soon() {
    bolero::check!().with_type::<(Vec<Arrival>, u8)>().for_each(|(arrivals, kind)| {
        let strategy = [
            Strategy::Realtime,
            Strategy::BATCH,
            Strategy::Priority,
            Strategy::Batch { max_events: u64::MAX, max_delay_ns: S },
        ][usize::from(kind % 4)];
        let seals = seals(strategy, arrivals);
        let events: usize = seals.iter().map(|(_, events)| events.len()).sum();
        assert_eq!(events, arrivals.len());
        for (at, events) in &seals {
            assert!(!events.is_empty());
            for (prio, since) in events {
                let promised = match strategy {
                    Strategy::Realtime => 0,
                    Strategy::Batch { max_delay_ns, .. } => max_delay_ns,
                    Strategy::Priority => delay_ns(*prio),
                };
                // A burst may cost one gap more.
                assert!(at - since <= promised.max(GAP_NS_MIN), "{prio:?} waited {}", at - since);
            }
            if let Strategy::Batch { max_events, .. } = strategy {
                // More than a batch only where it came within one gap.
                let spread = at - events[0].1;
                assert!(events.len() as u64 <= max_events || spread <= GAP_NS_MIN);
            }
        }
        for pair in seals.windows(2) {
            assert!(pair[1].0 - pair[0].0 >= URGENT_GAP_NS_MIN, "{strategy:?}");
        }
    });
}

#[test]
fn a_storm_of_critical_events_makes_a_block_a_gap_and_not_one_each() {
    let storm: Vec<Arrival> = (0..1000).map(|_| Arrival { after_ms: 1, prio: 3 }).collect();
    let count = seals(Strategy::Priority, &storm).len() as u64;
    assert!(count <= 1 + S / URGENT_GAP_NS_MIN, "{count}");
    assert!(count >= 10, "{count}: but they do not wait for the storm's end");
}
