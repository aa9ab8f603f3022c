//! Events to events.jsonl: the hash chain, segments, durability, recovery, verification.
