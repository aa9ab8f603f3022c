//! How long to wait after a failure.

use crate::limits::{BACKOFF_NS_MAX, BACKOFF_NS_MIN};

/// Before attempt number `attempt` (0 for the first after a failure): doubling, with half of it left
/// to chance, so that many replicas do not come back at the same moment. `roll` is any random number.
#[must_use]
pub fn backoff(attempt: u32, roll: u64) -> u64 {
    let whole = BACKOFF_NS_MIN
        .checked_shl(attempt.min(40))
        .filter(|n| n >> attempt.min(40) == BACKOFF_NS_MIN)
        .map_or(BACKOFF_NS_MAX, |n| n.min(BACKOFF_NS_MAX));
    whole / 2 + roll % (whole / 2 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_doubles_up_to_its_end_and_never_leaves_its_bounds() {
        bolero::check!().with_iterations(5_000).with_type::<(u32, u64)>().for_each(
            |(attempt, roll)| {
                let wait = backoff(*attempt, *roll);
                let whole = (u128::from(BACKOFF_NS_MIN) << (*attempt).min(60))
                    .min(u128::from(BACKOFF_NS_MAX));
                assert!(u128::from(wait) >= whole / 2 && u128::from(wait) <= whole);
            },
        );
        assert_eq!(backoff(0, 0), BACKOFF_NS_MIN / 2);
        assert_eq!(backoff(u32::MAX, 0), BACKOFF_NS_MAX / 2);
    }
}
