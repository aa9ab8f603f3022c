//! Bandwidth and round trip, measured from acknowledgements.
//!
//! Each send remembers how much had been acknowledged by then; its acknowledgement tells how much
//! came through in between, and how long that took (as BBR measures its delivery rate). The largest
//! of the last half minute counts, since most samples are of a connection that had little to send.

use std::collections::VecDeque;

use crate::limits::{
    BLOCK_WINDOW_BYTES_MAX, BLOCK_WINDOW_BYTES_MIN, QUEUE_NS, RATE_NS, S, SENDS_MAX,
};

/// One send whose acknowledgement is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Send {
    /// The connection's bytes, this send's included.
    end: u64,
    at_ns: u64,
    /// What had been acknowledged by then, and when.
    acked: u64,
    acked_ns: u64,
}

/// One connection's measure; it goes on with the next, where bytes are counted anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bandwidth {
    sent: u64,
    acked: u64,
    acked_ns: u64,
    sends: VecDeque<Send>,
    /// Largest first, each later than the one before it: (bytes a second, when).
    rates: VecDeque<(u64, u64)>,
    /// The shortest round trip, and when it was seen.
    trip: Option<(u64, u64)>,
}

impl Bandwidth {
    #[must_use]
    pub fn new() -> Bandwidth {
        Bandwidth::default()
    }

    /// A new connection: what was measured before still counts for a while.
    pub fn reconnected(&mut self, now_ns: u64) {
        (self.sent, self.acked, self.acked_ns) = (0, 0, now_ns);
        self.sends.clear();
    }

    /// Bytes went out.
    pub fn sent(&mut self, bytes: u64, now_ns: u64) {
        if self.sent == self.acked {
            // Nothing was on its way: time is measured from here.
            self.acked_ns = now_ns;
        }
        self.sent += bytes;
        if self.sends.len() >= SENDS_MAX {
            self.sends.pop_back();
        }
        let (acked, acked_ns) = (self.acked, self.acked_ns);
        self.sends.push_back(Send { end: self.sent, at_ns: now_ns, acked, acked_ns });
    }

    /// The other side has read so many bytes of this connection, its first included.
    pub fn received(&mut self, total: u64, now_ns: u64) {
        let total = total.min(self.sent);
        if total <= self.acked {
            return;
        }
        self.acked = total;
        self.acked_ns = now_ns;
        let mut newest = None;
        while let Some(send) = self.sends.front().copied().filter(|s| s.end <= total) {
            newest = Some(send);
            self.sends.pop_front();
        }
        let Some(send) = newest else { return };
        let trip = now_ns.saturating_sub(send.at_ns);
        if self.trip.is_none_or(|(t, at)| trip <= t || now_ns.saturating_sub(at) > RATE_NS) {
            self.trip = Some((trip, now_ns));
        }
        let took = now_ns.saturating_sub(send.acked_ns);
        if took == 0 {
            return;
        }
        let rate = u128::from(total - send.acked) * u128::from(S) / u128::from(took);
        let rate = u64::try_from(rate).unwrap_or(u64::MAX);
        while self.rates.back().is_some_and(|(r, _)| *r <= rate) {
            self.rates.pop_back();
        }
        if self.rates.len() < 16 {
            self.rates.push_back((rate, now_ns));
        }
        while self.rates.len() > 1
            && self.rates.front().is_some_and(|(_, at)| now_ns.saturating_sub(*at) > RATE_NS)
        {
            self.rates.pop_front();
        }
    }

    /// Bytes a second.
    #[must_use]
    pub fn rate(&self) -> Option<u64> {
        self.rates.front().map(|(rate, _)| *rate)
    }

    #[must_use]
    pub fn trip_ns(&self) -> Option<u64> {
        self.trip.map(|(trip, _)| trip)
    }

    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.sent - self.acked
    }

    /// How long so many bytes take to arrive and be told of, as far as it is known.
    #[must_use]
    pub fn transfer_ns(&self, bytes: u64) -> u64 {
        let Some(rate) = self.rate().filter(|r| *r > 0) else { return 0 };
        let wire = u128::from(bytes + self.in_flight()) * u128::from(S) / u128::from(rate);
        let wire = u64::try_from(wire).unwrap_or(u64::MAX);
        wire.saturating_add(self.trip_ns().unwrap_or(0))
    }

    /// Bytes of a block that may be on their way: enough to fill the link, and as little more as lets
    /// a pressing line through. Half a round trip more lets the measure find a faster link.
    #[must_use]
    pub fn window(&self) -> u64 {
        let (Some(rate), Some(trip)) = (self.rate(), self.trip_ns()) else {
            return 4 * BLOCK_WINDOW_BYTES_MIN;
        };
        let span = trip.saturating_add(QUEUE_NS.max(trip / 2));
        let bytes = u128::from(rate) * u128::from(span) / u128::from(S);
        u64::try_from(bytes)
            .unwrap_or(u64::MAX)
            .clamp(BLOCK_WINDOW_BYTES_MIN, BLOCK_WINDOW_BYTES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MS;

    /// A link of `rate` bytes a second and `delay` each way, filled as the window says.
    fn measured(rate: u64, delay_ns: u64, seconds: u64) -> Bandwidth {
        let mut bandwidth = Bandwidth::new();
        let (mut now, mut link_free, mut total) = (0_u64, 0_u64, 0_u64);
        let mut acks = VecDeque::new();
        while now < seconds * S {
            while bandwidth.in_flight() < bandwidth.window() {
                let bytes = 4096;
                link_free = link_free.max(now) + bytes * S / rate;
                total += bytes;
                bandwidth.sent(bytes, now);
                acks.push_back((link_free + 2 * delay_ns, total));
            }
            let (at, total) = acks.pop_front().unwrap();
            now = now.max(at);
            bandwidth.received(total, now);
        }
        bandwidth
    }

    #[test]
    fn the_rate_of_a_link_is_found_and_its_queue_stays_short() {
        for (rate, delay_ms) in [(32_000, 100), (125_000, 20), (1_250_000, 1), (12_500_000, 10)] {
            let b = measured(rate, delay_ms * MS, 20);
            let found = b.rate().unwrap();
            assert!(found * 10 >= rate * 8 && found * 10 <= rate * 11, "{rate}: {found}");
            // What waits in the link, beyond what is travelling.
            let queue_ns = (b.window() * S / rate).saturating_sub(2 * delay_ms * MS);
            let allowed = (QUEUE_NS.max(delay_ms * 2 * MS)) * 2 + 4096 * S / rate * 4;
            assert!(queue_ns <= allowed, "{rate}: {queue_ns}");
        }
    }

    #[test]
    fn a_link_that_became_slow_is_believed_after_a_while() {
        let mut b = measured(1_000_000, MS, 2);
        let mut now = 3 * S;
        b.reconnected(now);
        assert!(b.rate().unwrap() > 800_000);
        let mut total = 0;
        for _ in 0..60 {
            b.sent(10_000, now);
            total += 10_000;
            now += S;
            b.received(total, now);
        }
        assert!((9_000..12_000).contains(&b.rate().unwrap()), "{:?}", b.rate());
    }

    #[test]
    fn acknowledgements_of_what_was_never_sent_count_for_nothing() {
        let mut b = Bandwidth::new();
        b.received(1 << 40, S);
        assert_eq!(b, Bandwidth::new());
        b.sent(100, S);
        b.received(1 << 40, 2 * S);
        assert_eq!((b.in_flight(), b.rate()), (0, Some(100)));
        bolero::check!().with_iterations(2_000).with_type::<Vec<(bool, u32, u16)>>().for_each(
            |steps| {
                let mut b = Bandwidth::new();
                let mut now = 0;
                for (send, n, passed) in steps {
                    now += u64::from(*passed);
                    if *send {
                        b.sent((*n).into(), now)
                    } else {
                        b.received((*n).into(), now)
                    }
                    assert!(b.sends.len() <= SENDS_MAX && b.rates.len() <= 16);
                    assert!(b.window() >= BLOCK_WINDOW_BYTES_MIN);
                }
            },
        );
    }
}
