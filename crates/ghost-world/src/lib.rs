//! Clock, disk, connections and randomness as arguments: the real ones, and seeded simulated ones.
//!
//! Whatever must be right after a power cut takes a [`Disk`]; whatever tells time takes a [`Clock`].
//! The program hands in the real ones, tests the simulated ones, whose every surprise comes from a
//! seed.
//!
//! **Invariant:** this crate knows nothing of events, and depends on no other crate of the house.

mod clock;
mod disk;
mod link;
mod random;
mod real;
mod sim;

pub use clock::{Clock, RealClock, SimClock};
pub use disk::{Disk, File, Lock, Locked};
pub use link::{Line, Link, SimLink};
pub use random::Random;
pub use real::RealDisk;
pub use sim::{Fault, SimDisk};
