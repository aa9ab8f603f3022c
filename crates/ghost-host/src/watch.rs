//! When to take stock again: interfaces, default routes and OVS as they change.

use crate::{HostError, Sources};
use std::time::Duration;

/// That something changed, and what, for the log; the answer to each is to take stock again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// An interface came.
    LinkAdded { ifindex: u32, name: String },
    /// An interface was renamed, went up or down, or changed its master.
    LinkChanged { ifindex: u32, name: String },
    /// An interface went away.
    LinkRemoved { ifindex: u32, name: String },
    /// A default route came or went.
    DefaultRoute,
    /// Bridges or ports of Open vSwitch changed.
    Ovs,
    /// The connection to Open vSwitch's database came up.
    OvsUp,
    /// It was lost; it is being tried again.
    OvsDown,
    /// Changes were missed: only a new inventory tells.
    Resync,
}

/// Watches the calling thread's network namespace, and Open vSwitch, on threads of its own.
#[derive(Debug)]
pub struct Watcher {}

impl Watcher {
    /// Starts watching; what changes from this moment on is told by [`next`](Watcher::next).
    ///
    /// # Errors
    ///
    /// When the kernel's notifications can't be had.
    pub fn start(_sources: &Sources) -> Result<Watcher, HostError> {
        Err(HostError::Unbuilt("the watcher"))
    }

    /// The next change, waited for until `timeout`.
    pub fn next(&self, _timeout: Duration) -> Option<Change> {
        None
    }
}
