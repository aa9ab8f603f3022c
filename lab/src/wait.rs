//! Waiting with an end.

use crate::LabError;
use std::time::{Duration, Instant};

/// Asks `done` every few milliseconds until it says yes, for at most `limit` (and once at least).
///
/// # Errors
///
/// [`LabError::Late`] with `what`, when it never did.
#[expect(clippy::disallowed_methods, reason = "a wait for other programs ends by the real clock")]
pub fn until(what: &str, limit: Duration, mut done: impl FnMut() -> bool) -> Result<(), LabError> {
    let begun = Instant::now();
    while !done() {
        if begun.elapsed() >= limit {
            return Err(LabError::Late { what: what.into(), limit, detail: String::new() });
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
