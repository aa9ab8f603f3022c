//! A token bucket: bytes a second, as the operator allows.

use crate::limits::S;

/// What may be sent now. Pressing lines take more than there is; blocks then wait for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    rate: u64,
    /// Bytes that may go; negative where more was taken.
    tokens: i64,
    /// When they were counted.
    at_ns: u64,
}

impl Bucket {
    /// Full: a second's worth. A rate of 0 lets one byte a second.
    #[must_use]
    pub fn new(bytes_a_second: u64, now_ns: u64) -> Bucket {
        let rate = bytes_a_second.clamp(1, i64::MAX as u64 / 4);
        Bucket { rate, tokens: rate.cast_signed(), at_ns: now_ns }
    }

    fn at(&self, now_ns: u64) -> i64 {
        let passed = u128::from(now_ns.saturating_sub(self.at_ns));
        let came = u128::from(self.rate) * passed / u128::from(S);
        let came = i64::try_from(came).unwrap_or(i64::MAX);
        self.tokens.saturating_add(came).min(self.rate.cast_signed())
    }

    /// Bytes that may go now.
    #[must_use]
    pub fn free(&self, now_ns: u64) -> u64 {
        self.at(now_ns).max(0).cast_unsigned()
    }

    /// Takes bytes, whether they are there or not.
    pub fn take(&mut self, bytes: u64, now_ns: u64) {
        let left = self.at(now_ns);
        // Fractions of a byte that came since are kept by moving only as far as whole bytes came.
        if left != self.tokens || now_ns < self.at_ns {
            self.at_ns = self.at_ns.max(now_ns);
        }
        self.tokens = left.saturating_sub_unsigned(bytes);
    }

    /// When `bytes` may go.
    #[must_use]
    pub fn when_ns(&self, bytes: u64, now_ns: u64) -> u64 {
        let wanted = bytes.min(self.rate).cast_signed();
        let missing = wanted.saturating_sub(self.at(now_ns)).max(0).cast_unsigned();
        let wait = u128::from(missing) * u128::from(S) / u128::from(self.rate);
        let wait = u64::try_from(wait).unwrap_or(u64::MAX);
        now_ns.saturating_add(if missing > 0 { wait.saturating_add(1) } else { 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_goes_in_any_span_than_the_rate_and_one_burst() {
        bolero::check!().with_iterations(1_000).with_type::<(u16, Vec<(u32, u16)>)>().for_each(
            |(rate, steps)| {
                let rate = u64::from(*rate) + 1;
                let mut bucket = Bucket::new(rate, 0);
                let (mut now, mut sent) = (0_u64, 0_u64);
                for (passed, wanted) in steps {
                    now += u64::from(*passed);
                    let n = bucket.free(now).min((*wanted).into());
                    bucket.take(n, now);
                    sent += n;
                    let most =
                        u128::from(rate) + u128::from(rate) * u128::from(now) / u128::from(S);
                    assert!(u128::from(sent) <= most, "{sent} of {most}");
                }
            },
        );
    }

    #[test]
    fn a_debt_is_paid_before_more_goes() {
        let mut bucket = Bucket::new(1000, 0);
        bucket.take(3000, 0);
        assert_eq!(bucket.free(S), 0);
        assert_eq!(bucket.free(2 * S), 0);
        let when = bucket.when_ns(500, 0);
        assert_eq!(when, 2_500_000_001);
        assert_eq!(bucket.free(when), 500);
        assert_eq!(bucket.free(100 * S), 1000);
    }

    #[test]
    fn many_small_steps_earn_what_one_large_step_earns() {
        let mut bucket = Bucket::new(10, 0);
        bucket.take(10, 0);
        let mut sent = 0;
        for ms in 1..=10_000_u64 {
            let n = bucket.free(ms * 1_000_000);
            if n > 0 {
                bucket.take(n, ms * 1_000_000);
                sent += n;
            }
        }
        assert_eq!(sent, 100);
    }
}
