//! What a block says of itself: `manifest.json`.

use std::collections::BTreeMap;

use ghost_event::{Digest, Priority, Seq, Timestamp};

/// Why a block was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    Critical,
    High,
    Medium,
    Low,
    Realtime,
    Batch,
    Asked,
    Stop,
    /// Old segments were given up, and the block before keeps them on the disk.
    Retired,
}

impl Reason {
    pub(crate) const ALL: [Reason; 9] = [
        Reason::Critical,
        Reason::High,
        Reason::Medium,
        Reason::Low,
        Reason::Realtime,
        Reason::Batch,
        Reason::Asked,
        Reason::Stop,
        Reason::Retired,
    ];

    /// The name that stands in manifests.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Reason::Critical => "critical",
            Reason::High => "high",
            Reason::Medium => "medium",
            Reason::Low => "low",
            Reason::Realtime => "realtime",
            Reason::Batch => "batch",
            Reason::Asked => "asked",
            Reason::Stop => "stop",
            Reason::Retired => "retired",
        }
    }

    #[must_use]
    pub fn parse(name: &str) -> Option<Reason> {
        Reason::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

impl From<Priority> for Reason {
    fn from(prio: Priority) -> Reason {
        match prio {
            Priority::Critical => Reason::Critical,
            Priority::High => Reason::High,
            Priority::Medium => Reason::Medium,
            Priority::Low => Reason::Low,
        }
    }
}

/// What never came into the log, since the block before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lost {
    pub packets: u64,
    pub bytes: u64,
    pub events: u64,
}

/// The block before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    pub block: u64,
    pub size: u64,
    pub root: Digest,
}

/// What stands in a block's `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    pub block: u64,
    /// The log's random name.
    pub log: String,
    pub epoch: u64,
    /// The first line that is still in the log.
    pub first_seq: Seq,
    /// Lines of the log, which is the size of its tree.
    pub sealed_size: u64,
    /// Up to this line every shape had its vector of the full model.
    pub t2_ready_size: u64,
    pub root: Digest,
    pub parent: Option<Parent>,
    pub time: Timestamp,
    pub reason: Reason,
    /// How long the barrier waited for vectors.
    pub waited_ms: u64,
    /// Lines since the parent, by kind.
    pub events: BTreeMap<String, u64>,
    pub lost: Lost,
}
