//! Sealed segments: what they hold, and that the oldest are gone.

use std::path::PathBuf;

use ghost_event::Seq;

/// A sealed segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentInfo {
    pub first: Seq,
    pub last: Seq,
    pub bytes: u64,
    pub path: PathBuf,
}

/// What a retirement removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retired {
    pub segments: u64,
    pub bytes: u64,
}
