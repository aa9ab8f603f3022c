//! Waiting with an end.

use crate::LabError;
use std::time::Duration;

/// Asks `done` every few milliseconds until it says yes, for at most `limit`.
///
/// # Errors
///
/// [`LabError::Late`] with `what`, when it never did.
pub fn until(what: &str, limit: Duration, mut done: impl FnMut() -> bool) -> Result<(), LabError> {
    let step = Duration::from_millis(5);
    let mut waited = Duration::ZERO;
    while !done() {
        if waited >= limit {
            return Err(LabError::Late { what: what.into(), limit, detail: String::new() });
        }
        std::thread::sleep(step);
        waited += step;
    }
    Ok(())
}
