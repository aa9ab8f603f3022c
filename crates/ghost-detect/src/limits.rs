//! Every bound of the detectors' memory, with its reason. Thresholds stand with their detectors.

/// How much a [`crate::Detector`] may remember. When a table is full its oldest entry goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Pairs of addresses, and sources by port (about 200 bytes each).
    pub pairs_max: usize,
    /// Targets watched for floods (about 100 bytes each).
    pub targets_max: usize,
    /// Services whose callers are timed (about 300 bytes each).
    pub rhythms_max: usize,
    /// Domains looked up, by source (about 150 bytes each).
    pub domains_max: usize,
    /// Addresses with a learned name or role.
    pub names_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            pairs_max: 32_768,
            targets_max: 16_384,
            rhythms_max: 8_192,
            domains_max: 16_384,
            names_max: 32_768,
        }
    }
}
