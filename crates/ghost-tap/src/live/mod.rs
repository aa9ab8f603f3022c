//! Live taps: frames as they pass, one interface over every way of getting at them.
//!
//! A [`Tap`] is what the node polls. What it hands out is the frame as it was on the wire (a VLAN
//! tag that the kernel keeps apart is back in its place), when and where it was seen, and how many
//! frames of the wire it stands for.
//!
//! The kernel's side is loaded and attached by the attach helper ([`serve`]), a process that keeps
//! the few capabilities this needs; the [`Helper`] is the engine's end of their socket. The engine
//! itself makes no `bpf()` call: rings are read, and losses counted, through mapped memory.
//! [`traces`] and [`detach_all`] find and remove what is ours on this machine.

mod accounts;
mod error;
mod frame;
mod helper;
mod inline;
mod rings;
mod sizes;
mod sys;
mod tap;
mod traces;

pub use error::TapError;
pub use frame::{Direction, LiveFrame, Polled, PortCounters};
pub use helper::{Helper, MIRROR_PREFIX, serve};
pub use inline::{
    HEARTBEAT_STALE_NS, InlineError, InlinePort, InlineSizes, InlineTap, PortTraffic, open_socket,
};
pub use rings::RingTap;
#[doc(hidden)]
pub use rings::synthetic;
pub use sizes::RingSizes;
pub use tap::Tap;
pub use traces::{Trace, detach_all, ensure_bpffs, traces};
