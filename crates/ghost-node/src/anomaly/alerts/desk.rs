//! The desk: what is told at once, what is left out, what goes into the next digest.
//!
//! Pure: time comes with every call. An incident that opens is told at once, unless one of its kind
//! between its hosts was told within a digest's time, or as many were told as may be at once. What
//! was not told, and what incidents grew to, is gathered; a digest's time after the last one, or
//! after the first thing that waits, it is told together.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use ghost_event::line::IncidentState;

use super::Alerts;
use super::message::{Alert, Message};
use crate::limits::{ALERTS_DIGEST_MAX, ALERTS_REMEMBERED_MAX};

type Same = (&'static str, Option<IpAddr>, Option<IpAddr>);

/// Who was told what.
#[derive(Debug)]
pub(super) struct Desk {
    min_score: f32,
    digest_ns: i64,
    burst: u32,
    /// When the like of an incident was last told, oldest first.
    told: BTreeMap<Same, i64>,
    order: VecDeque<(i64, Same)>,
    /// What waits for the digest, by incident, in order of arrival.
    waiting: Vec<Alert>,
    more: u64,
    left_out: u64,
    /// The beginning of the stretch in which at most `burst` are told at once.
    since: i64,
    at_once: u32,
    first_waiting: i64,
    pub(super) low: u64,
    pub(super) repeated: u64,
    pub(super) digests: u64,
}

impl Desk {
    pub(super) fn new(config: &Alerts) -> Desk {
        Desk {
            min_score: config.min_score,
            digest_ns: config.digest_ns.max(0),
            burst: config.burst.max(1),
            told: BTreeMap::new(),
            order: VecDeque::new(),
            waiting: Vec::new(),
            more: 0,
            left_out: 0,
            since: i64::MIN,
            at_once: 0,
            first_waiting: i64::MAX,
            low: 0,
            repeated: 0,
            digests: 0,
        }
    }

    /// Hears of an incident; what is to be told at once.
    pub(super) fn hear(&mut self, alert: Alert, now: i64) -> Option<Message> {
        if alert.score < self.min_score {
            self.low += 1;
            return None;
        }
        if alert.state != IncidentState::Open {
            // It was told when it opened: what became of it is for the digest.
            self.wait(alert, now);
            return None;
        }
        self.forget(now);
        let same = (alert.kind, alert.source, alert.target);
        let again = self.told.insert(same, now).is_some();
        self.order.push_back((now, same));
        if again {
            self.repeated += 1;
            self.left_out += 1;
            self.first_waiting = self.first_waiting.min(now);
            return None;
        }
        if self.digest_ns > 0 {
            if now.saturating_sub(self.since) >= self.digest_ns {
                (self.since, self.at_once) = (now, 0);
            }
            if self.at_once >= self.burst {
                self.wait(alert, now);
                return None;
            }
            self.at_once += 1;
        }
        Some(Message::One(alert))
    }

    /// Forgets what was told too long ago to be the same.
    fn forget(&mut self, now: i64) {
        while let Some((at, same)) = self.order.front().copied() {
            let old = now.saturating_sub(at) >= self.digest_ns.max(1);
            if !old && self.order.len() < ALERTS_REMEMBERED_MAX {
                break;
            }
            self.order.pop_front();
            if self.told.get(&same) == Some(&at) {
                self.told.remove(&same);
            }
        }
    }

    fn wait(&mut self, alert: Alert, now: i64) {
        if self.digest_ns == 0 {
            return;
        }
        self.first_waiting = self.first_waiting.min(now);
        if let Some(before) = self.waiting.iter_mut().find(|before| before.id == alert.id) {
            *before = alert;
        } else if self.waiting.len() < ALERTS_DIGEST_MAX {
            self.waiting.push(alert);
        } else {
            self.more += 1;
        }
    }

    /// The digest, where it is due.
    pub(super) fn due(&mut self, now: i64, ended: bool) -> Option<Message> {
        let nothing = self.waiting.is_empty() && self.more == 0 && self.left_out == 0;
        let early = now.saturating_sub(self.first_waiting) < self.digest_ns;
        if nothing || self.digest_ns == 0 || (early && !ended) {
            return None;
        }
        self.digests += 1;
        self.first_waiting = i64::MAX;
        Some(Message::Digest {
            alerts: std::mem::take(&mut self.waiting),
            more: std::mem::take(&mut self.more),
            repeated: std::mem::take(&mut self.left_out),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::alert;
    use super::*;

    const MINUTE: i64 = 60_000_000_000;

    fn desk(burst: u32) -> Desk {
        Desk::new(&Alerts { digest_ns: 10 * MINUTE, burst, ..Alerts::default() })
    }

    #[test]
    fn the_same_is_told_once_and_the_digest_says_how_often_it_came() {
        let mut desk = desk(10);
        assert!(desk.hear(alert(1, "port_scan", 7), 0).is_some());
        for number in 2..=5 {
            assert!(desk.hear(alert(number, "port_scan", 7), MINUTE).is_none());
        }
        assert!(desk.hear(alert(6, "sweep", 7), MINUTE).is_some(), "another kind is another");
        assert_eq!(desk.due(2 * MINUTE, false), None);
        let Some(Message::Digest { alerts, more, repeated }) = desk.due(11 * MINUTE, false) else {
            panic!("a digest was due")
        };
        assert_eq!((alerts.len(), more, repeated), (0, 0, 4));
        assert_eq!(desk.due(40 * MINUTE, false), None, "nothing waits");
        assert!(desk.hear(alert(7, "port_scan", 7), 40 * MINUTE).is_some(), "long ago");
        assert_eq!((desk.repeated, desk.digests), (4, 1));
    }

    #[test]
    fn what_is_too_much_at_once_and_what_incidents_grew_to_waits_for_the_digest() {
        let mut desk = desk(2);
        let at_once = (0..6).filter(|n| desk.hear(alert(*n, "sweep", *n as u8), 0).is_some());
        assert_eq!(at_once.count(), 2);
        let grown = Alert { state: IncidentState::Grew, flows: 64, ..alert(0, "sweep", 0) };
        assert!(desk.hear(grown, MINUTE).is_none());
        let over = Alert { state: IncidentState::Closed, flows: 90, ..alert(0, "sweep", 0) };
        assert!(desk.hear(over.clone(), 2 * MINUTE).is_none());
        let Some(Message::Digest { alerts, .. }) = desk.due(10 * MINUTE, false) else {
            panic!("a digest was due")
        };
        assert_eq!(alerts.len(), 5, "four that opened, and one newest word of the grown one");
        assert!(alerts.contains(&over));
    }

    #[test]
    fn a_stop_tells_what_waits_and_low_scores_are_never_told() {
        let mut desk = desk(1);
        let low = Alert { score: 0.5, ..alert(1, "sweep", 1) };
        assert!(desk.hear(low, 0).is_none());
        assert_eq!(desk.due(0, true), None);
        assert!(desk.hear(alert(2, "sweep", 2), 0).is_some());
        assert!(desk.hear(alert(3, "sweep", 3), 0).is_none());
        assert!(matches!(desk.due(0, true), Some(Message::Digest { .. })));
        assert_eq!(desk.low, 1);
    }

    #[test]
    fn without_digests_everything_new_is_told_at_once_and_nothing_is_gathered() {
        let mut desk = Desk::new(&Alerts { digest_ns: 0, burst: 1, ..Alerts::default() });
        for n in 0..5 {
            assert!(desk.hear(alert(n, "sweep", 1), i64::try_from(n).unwrap() * 2).is_some());
        }
        let over = Alert { state: IncidentState::Closed, ..alert(9, "sweep", 1) };
        assert!(desk.hear(over, 0).is_none());
        assert_eq!(desk.due(i64::MAX, true), None);
    }

    #[test]
    fn a_storm_of_incidents_takes_bounded_memory() {
        let mut desk = desk(3);
        for n in 0..100_000_u64 {
            let [.., b, c, d] = n.to_be_bytes();
            let storm = Alert { source: Some(IpAddr::from([10, b, c, d])), ..alert(n, "flood", 1) };
            let _ = desk.hear(storm, i64::try_from(n).unwrap());
        }
        assert!(desk.told.len() <= ALERTS_REMEMBERED_MAX);
        assert!(desk.order.len() <= ALERTS_REMEMBERED_MAX);
        let Some(Message::Digest { alerts, more, .. }) = desk.due(i64::MAX, false) else {
            panic!("a digest was due")
        };
        assert_eq!(alerts.len() as u64 + more, 100_000 - 3);
        assert!(alerts.len() <= ALERTS_DIGEST_MAX);
    }
}
