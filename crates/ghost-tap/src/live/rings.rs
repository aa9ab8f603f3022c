//! Frames out of the kernel's rings.

use super::{LiveFrame, Polled, PortCounters};

/// Reads the rings that the kernel's side fills, merged by time.
#[derive(Debug)]
pub struct RingTap {}

impl RingTap {
    /// See [`super::Tap::poll`].
    pub fn poll(&mut self, _budget: u32, _each: &mut impl FnMut(&LiveFrame<'_>)) -> Polled {
        Polled::default()
    }

    /// See [`super::Tap::counters`].
    #[must_use]
    pub fn counters(&self) -> Vec<PortCounters> {
        Vec::new()
    }
}
