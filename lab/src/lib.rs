//! A laboratory of network namespaces: hosts, bridges and traffic for tests, demo and benchmarks.
//!
//! Everything made here stands in namespaces of its own, is named after the run that made it, and
//! is gone when its value is dropped; what a killed run left behind is removed by the next one.
//! Nothing here touches an interface, a process or a setting of the host itself.
//!
//! ```no_run
//! # fn main() -> Result<(), ghost_lab::LabError> {
//! use ghost_lab::{Namespace, missing_needs};
//! if let Some(why) = missing_needs(&[]) {
//!     eprintln!("SKIPPED: {why}");
//!     return Ok(());
//! }
//! let (left, switch, right) = (Namespace::new("left")?, Namespace::new("sw")?, Namespace::new("right")?);
//! ghost_lab::link_pair(&left, "eth0", &switch, "p0")?;
//! ghost_lab::link_pair(&right, "eth0", &switch, "p1")?;
//! ghost_lab::linux_bridge(&switch, "br0", &["p0", "p1"])?;
//! left.address("eth0", "10.77.0.1/24")?;
//! right.address("eth0", "10.77.0.2/24")?;
//! left.run(&["ping", "-c1", "-W2", "10.77.0.2"])?;
//! # Ok(())
//! # }
//! ```
//!
//! It needs root, iproute2 and, for [`Ovs`], openvswitch-switch: [`missing_needs`] says what lacks.
//! It does not wait for anything without an end: every wait has a limit, and failing one is an
//! error that says what was waited for.

mod command;
mod counters;
mod error;
mod frames;
mod leftovers;
mod link;
mod loop_fs;
mod namespace;
mod needs;
mod ovs;
mod relay;
mod sshd;
mod sys;
mod transfer;
mod wait;

pub use command::Process;
pub use counters::Counters;
pub use error::LabError;
pub use frames::{Frame, send_frames};
pub use leftovers::remove_leftovers;
pub use link::{bridge_netfilter, link_pair, linux_bridge};
pub use loop_fs::{LOOP_TOOLS, LoopFs, set_read_only};
pub use namespace::Namespace;
pub use needs::{missing_needs, skipped};
pub use ovs::{OVS_TOOLS, Ovs};
pub use relay::{Carried, Line, Relay};
pub use sshd::{SSH_TOOLS, Sshd, SshdSetup};
pub use transfer::{Transfer, transfer};
pub use wait::until;

pub mod generate;
