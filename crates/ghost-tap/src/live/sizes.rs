//! How much memory the rings take, decided once from the machine's.

/// The whole of it where memory is plenty: 0.8 s of a full 64-byte load on one CPU.
const TOTAL_BYTES: u64 = 64 << 20;
/// Rings may take one part in so many of the memory.
const MEMORY_SHARE: u64 = 16;
/// Below this a ring cannot hold two of the largest records.
pub(crate) const RING_BYTES_MIN: u32 = 64 << 10;
/// A ring's positions are 32 bits wide in the kernel's header; more is never of use.
pub(crate) const RING_BYTES_MAX: u32 = 1 << 30;
/// Rings that one tap may have; more processors share them. Each is one descriptor to hand over.
pub(crate) const RINGS_MAX: u32 = 64;

/// Bytes of the ring of each CPU, and of the one for handshakes and names: powers of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingSizes {
    /// For each CPU.
    pub ring_bytes: u32,
    /// One for all CPUs: a flood fills the others, but does not bury names.
    pub handshake_bytes: u32,
    /// How many rings; more CPUs than rings share them.
    pub rings: u32,
}

impl RingSizes {
    /// For a machine of so much memory and so many processors.
    #[must_use]
    pub fn for_machine(memory_bytes: u64, cpus: u32) -> Self {
        Self::with_total(TOTAL_BYTES.min(memory_bytes / MEMORY_SHARE), cpus)
    }

    /// At most so many bytes altogether (but never less than the smallest that work).
    #[must_use]
    pub fn with_total(total_bytes: u64, cpus: u32) -> Self {
        let rings = cpus.clamp(1, RINGS_MAX);
        // An eighth for handshakes: they are few, and up to 4 KiB each.
        let handshake_bytes = power_of_two_within(total_bytes / 8);
        let left = total_bytes.saturating_sub(u64::from(handshake_bytes));
        Self { ring_bytes: power_of_two_within(left / u64::from(rings)), handshake_bytes, rings }
    }

    /// Both sizes as the kernel wants them.
    pub(crate) fn checked(self) -> Option<Self> {
        let fits = |bytes: u32| {
            bytes.is_power_of_two() && (RING_BYTES_MIN..=RING_BYTES_MAX).contains(&bytes)
        };
        (fits(self.ring_bytes)
            && fits(self.handshake_bytes)
            && (1..=RINGS_MAX).contains(&self.rings))
        .then_some(self)
    }
}

fn power_of_two_within(bytes: u64) -> u32 {
    let bytes = bytes.clamp(u64::from(RING_BYTES_MIN), u64::from(RING_BYTES_MAX)) as u32;
    if bytes.is_power_of_two() { bytes } else { bytes.next_power_of_two() / 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_rings_together_stay_within_the_share_of_memory() {
        for cpus in [1, 2, 3, 8, 64] {
            for memory in [512 << 20, 1 << 30, 4 << 30, 1 << 40] {
                let sizes = RingSizes::for_machine(memory, cpus);
                let total = u64::from(sizes.ring_bytes) * u64::from(sizes.rings)
                    + u64::from(sizes.handshake_bytes);
                assert!(total <= (64 << 20).min(memory / 16), "{cpus} {memory}: {sizes:?}");
                assert_eq!(sizes.checked(), Some(sizes));
            }
        }
    }

    #[test]
    fn a_tiny_machine_still_gets_rings_that_hold_a_record() {
        let sizes = RingSizes::for_machine(1 << 20, 1000);
        assert_eq!((sizes.ring_bytes, sizes.rings), (RING_BYTES_MIN, RINGS_MAX));
    }

    #[test]
    fn what_the_kernel_would_refuse_is_refused_before() {
        let good = RingSizes::with_total(1 << 20, 2);
        assert_eq!(RingSizes { ring_bytes: 100_000, ..good }.checked(), None);
        assert_eq!(RingSizes { ring_bytes: 4096, ..good }.checked(), None);
        assert_eq!(RingSizes { rings: 0, ..good }.checked(), None);
    }
}
