//! Blocks to replicas: the plan, the wire, the lanes.
//!
//! **Invariant:** nothing here opens a file, a socket or a clock: bytes, times and random numbers
//! are arguments.
