//! Clock and disk as arguments: the real ones, and seeded simulated ones.
