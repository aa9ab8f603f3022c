//! Elements: what has a chain of its own in the log, as a bridge or a port.

use ghost_event::{Digest, Seq};

/// Names an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    /// `bridge`, `port`, `interface`, …: a word of ours.
    pub kind: &'a str,
    /// The kind, a colon and a name: `bridge:br0`. The same for ever.
    pub id: &'a str,
}

/// The newest line of an element's chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementHead {
    pub kind: String,
    /// From 1.
    pub height: u64,
    pub seq: Seq,
    pub leaf: Digest,
}
