//! Live taps: frames as they pass, one interface over every way of getting at them.
//!
//! A [`Tap`] is what the node polls. What it hands out is the frame as it was on the wire (a VLAN
//! tag that the kernel keeps apart is back in its place), when and where it was seen, and how many
//! frames of the wire it stands for.

mod frame;

pub use frame::{Direction, LiveFrame, Polled, PortCounters};
