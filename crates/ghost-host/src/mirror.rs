//! A mirror of an OVS bridge to an interface of the caller's: the fallback for ports that tc can't
//! see. The only change this program ever makes to a switch.

use crate::{HostError, Sources};

/// A mirror that we made, known by its owner's mark in `external_ids`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    pub bridge: String,
    /// The port that gets the copies; ours as well.
    pub output: String,
}

impl Mirror {
    /// Mirrors everything of `bridge` to `output`, an interface that exists. Made once: a second
    /// call finds it made.
    ///
    /// # Errors
    ///
    /// When the switch can't be reached, has no such bridge, or the port is somebody else's.
    pub fn create(_sources: &Sources, _bridge: &str, _output: &str) -> Result<Mirror, HostError> {
        Err(HostError::Unbuilt("the mirror"))
    }

    /// Removes it with its port, when they are ours; true when there was something to remove.
    ///
    /// # Errors
    ///
    /// When the switch can't be reached.
    pub fn remove(_sources: &Sources, _bridge: &str) -> Result<bool, HostError> {
        Err(HostError::Unbuilt("the mirror"))
    }
}
