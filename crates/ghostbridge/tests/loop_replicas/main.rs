//! Replication through the real program: two daemons, each on a btrfs of its own, and a real SSH
//! server between them. Only what this process reads on the replica's disk counts as arrived.

#[path = "../support/mod.rs"]
mod support;

mod attacks;
mod faults;
mod lanes;
mod pair;
