//! Which interfaces to tap, in which directions, and how: a pure function of what the host has and
//! what the operator asked for.

use crate::Inventory;

/// How frames are come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// The kernel forwards; a copy comes up.
    #[default]
    Ghost,
    /// One program forwards between two ports and copies.
    GhostFast,
    /// User space forwards between two ports.
    Inline,
    /// OVS copies to a port of ours, for ports that tc can't see.
    Mirror,
}

/// What a group of attachments belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BridgeKind {
    Linux,
    Ovs,
    /// A single interface, no bridge.
    Interface,
    /// Two ports that we join (ghost-fast, inline).
    Wire,
}

/// What the operator asked for; nothing at all is the usual case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wish {
    /// Interfaces or bridges by name; empty: find them.
    pub interfaces: Vec<String>,
    pub mode: Mode,
}

/// One interface to tap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    pub ifindex: u32,
    pub name: String,
    /// Number of its bridge in [`Plan::bridges`]: flows of different bridges never mix.
    pub bridge: u16,
    pub ingress: bool,
    pub egress: bool,
}

/// What is to be tapped now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Names of the bridges (or of the interface, or `a+b` of a wire), in a stable order.
    pub bridges: Vec<(String, Option<BridgeKind>)>,
    pub attachments: Vec<Attachment>,
    /// What the operator should know: ports that can't be seen, offloads that hide frames.
    pub warnings: Vec<String>,
}

/// Why there is no plan: the operator has to say something else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A named interface does not exist (now).
    #[error("no interface or bridge called {name}; there are: {}", known.join(", "))]
    Unknown { name: String, known: Vec<String> },
    /// A part that is not there yet.
    #[error("{0} is not built yet")]
    Unbuilt(&'static str),
}

/// Decides what to tap.
///
/// # Errors
///
/// When what was asked for can't be had on this host; the message says what to ask for instead.
pub fn plan(_inventory: &Inventory, _wish: &Wish) -> Result<Plan, PlanError> {
    Err(PlanError::Unbuilt("the plan"))
}
