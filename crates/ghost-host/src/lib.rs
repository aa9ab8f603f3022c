//! What the host has: links, Linux and OVS bridges, and which of their ports to tap.

mod link;
mod plan;

pub use link::{Link, LinkKind, LinkStats};
pub use plan::{Attachment, BridgeKind, Mode, Plan, Wish};
