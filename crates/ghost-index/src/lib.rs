//! Logged lines to points: the embedded engine and an in-memory oracle.
