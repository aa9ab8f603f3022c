//! Rates from totals: a sample a second, kept for as long as a sparkline is wide.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::limits::{HISTORY_S, RATE_OVER_S};
use crate::daemon::Status;

/// What is kept of a status.
#[derive(Debug, Clone, Default, PartialEq)]
struct Sample {
    at_ns: u64,
    packets: u64,
    bytes: u64,
    flows: u64,
    events: u64,
    lost: u64,
    ports: Vec<(u32, [u64; 3])>,
}

/// The last seconds.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<Sample>);

/// How fast it goes, over the last seconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rates {
    pub packets_per_s: f64,
    pub bytes_per_s: f64,
    pub flows_per_s: f64,
    pub events_per_s: f64,
    /// Packets that are in no event.
    pub lost_per_s: f64,
    pub ports: Vec<PortRate>,
}

/// How fast one port goes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PortRate {
    pub ifindex: u32,
    pub frames_per_s: f64,
    pub bytes_per_s: f64,
    pub lost_per_s: f64,
}

/// A value each second, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Series {
    pub packets_per_s: Vec<f64>,
    pub bytes_per_s: Vec<f64>,
    pub events_per_s: Vec<f64>,
    pub lost_per_s: Vec<f64>,
}

impl History {
    /// Keeps what `status` tells at `at_ns`.
    pub(super) fn take(&mut self, at_ns: u64, status: &Status) {
        if self.0.len() > HISTORY_S {
            self.0.pop_front();
        }
        let port = |p: &crate::daemon::PortStatus| (p.ifindex, [p.seen, p.seen_bytes, p.lost]);
        self.0.push_back(Sample {
            at_ns,
            packets: status.traffic.packets,
            bytes: status.traffic.bytes,
            flows: status.flows.started,
            events: status.log.events,
            lost: lost(status),
            ports: status.ports.iter().map(port).collect(),
        });
    }

    /// Rates over the last seconds; zeros where too little is known.
    pub(super) fn rates(&self) -> Rates {
        let Some(last) = self.0.back() else { return Rates::default() };
        let at = self.0.len().saturating_sub(RATE_OVER_S + 1);
        let Some(first) = self.0.get(at) else { return Rates::default() };
        let s = seconds(first, last);
        let ports = last.ports.iter().map(|(ifindex, now)| {
            let before = first.ports.iter().find(|(i, _)| i == ifindex).map_or(*now, |(_, b)| *b);
            PortRate {
                ifindex: *ifindex,
                frames_per_s: per(before[0], now[0], s),
                bytes_per_s: per(before[1], now[1], s),
                lost_per_s: per(before[2], now[2], s),
            }
        });
        Rates {
            packets_per_s: per(first.packets, last.packets, s),
            bytes_per_s: per(first.bytes, last.bytes, s),
            flows_per_s: per(first.flows, last.flows, s),
            events_per_s: per(first.events, last.events, s),
            lost_per_s: per(first.lost, last.lost, s),
            ports: ports.collect(),
        }
    }

    /// Second by second.
    pub(super) fn series(&self) -> Series {
        let mut series = Series::default();
        for (first, last) in self.0.iter().zip(self.0.iter().skip(1)) {
            let s = seconds(first, last);
            series.packets_per_s.push(per(first.packets, last.packets, s));
            series.bytes_per_s.push(per(first.bytes, last.bytes, s));
            series.events_per_s.push(per(first.events, last.events, s));
            series.lost_per_s.push(per(first.lost, last.lost, s));
        }
        series
    }
}

/// Packets that are in no event, for whatever reason.
pub(super) fn lost(status: &Status) -> u64 {
    let loss = &status.loss;
    loss.ring_frames.saturating_add(loss.queue_packets).saturating_add(loss.log_packets)
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn seconds(first: &Sample, last: &Sample) -> f64 {
    last.at_ns.saturating_sub(first.at_ns) as f64 / 1e9
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn per(before: u64, now: u64, seconds: f64) -> f64 {
    if seconds <= 0.0 { 0.0 } else { now.saturating_sub(before) as f64 / seconds }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::{PortStatus, Traffic};

    fn status(packets: u64, seen: u64) -> Status {
        Status {
            traffic: Traffic { packets, ..Traffic::default() },
            ports: vec![PortStatus { ifindex: 3, seen, ..PortStatus::default() }],
            ..Status::default()
        }
    }

    #[test]
    fn rates_are_of_the_last_seconds_and_a_port_that_came_late_has_none_yet() {
        let mut history = History::default();
        assert_eq!(history.rates(), Rates::default());
        for second in 0..100_u64 {
            // Quicker in the end.
            let packets = if second < 90 { second } else { 90 + (second - 90) * 50 };
            history.take(second * 1_000_000_000, &status(packets, packets * 2));
        }
        let rates = history.rates();
        assert!((rates.packets_per_s - 50.0).abs() < 1e-9, "{rates:?}");
        assert!((rates.ports[0].frames_per_s - 100.0).abs() < 1e-9, "{rates:?}");
        let mut late = status(0, 7);
        late.ports[0].ifindex = 4;
        history.take(100_000_000_000, &late);
        assert_eq!(history.rates().ports[0].frames_per_s.to_bits(), 0);
    }

    #[test]
    fn the_history_has_a_bound() {
        let mut history = History::default();
        for second in 0..1000_u64 {
            history.take(second * 1_000_000_000, &status(second * 3, 0));
        }
        let series = history.series();
        assert_eq!(series.packets_per_s.len(), HISTORY_S);
        assert!(series.packets_per_s.iter().all(|p| (p - 3.0).abs() < 1e-9));
    }
}
