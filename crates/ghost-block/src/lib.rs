//! The log to sealed blocks: read-only snapshots with a signed checkpoint and a manifest.
//!
//! **Invariant:** a block holds only durable lines, and the log that it holds is never unchanged
//! since the block before.
