//! Which interfaces to tap, in which directions, and how: a pure function of what the host has and
//! what the operator asked for.
//!
//! The rule of ghost mode: **a frame is recorded once, where it enters the first bridge** (or, for
//! an interface that is no bridge's, where it passes that interface). So
//!
//! - a port is tapped inwards: what comes from the wire, the guest, the tunnel;
//! - a bridge's own interface (OVS: LOCAL and other internal ports) is tapped outwards: what the
//!   host itself sends; what it gets has come in by a port;
//! - a *cable* between two tapped bridges is not tapped: a veth pair with an end in each, an
//!   interface of one that is a port of the other, a patch port. What passes it has entered before;
//! - an interface upon another (VLAN, macvlan) is not tapped where the one below is, nor a part of
//!   a bond where the bond is;
//! - an interface that was named, or has the default route, is tapped both ways.
//!
//! Nothing is ever planned for an interface of ours (a mirror's output) but to read it.

mod ghost;
mod mirror;
#[cfg(test)]
pub(crate) mod sample;
mod wire;

use crate::{Inventory, Mirror};

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

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Mode::Ghost => "ghost",
            Mode::GhostFast => "ghost-fast",
            Mode::Inline => "inline",
            Mode::Mirror => "mirror",
        })
    }
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
    /// Number of its bridge in [`Plan::bridges`]: flows of different bridges never mix. It counts
    /// within this plan only; the next plan may number them otherwise, names stay.
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
    /// Mirrors to be there (mode mirror): an attachment to their outputs comes with the plan after
    /// they were made.
    pub mirrors: Vec<Mirror>,
    /// Named, and not there now: waited for.
    pub missing: Vec<String>,
    /// What the operator should know: ports that can't be seen, offloads that hide frames.
    pub warnings: Vec<String>,
}

/// Why there is no plan: the operator has to say something else. That an interface is not there is
/// no such reason: it may come.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A wire has two ends.
    #[error("mode {mode} joins exactly two interfaces, not {}: name both with -i", count(given))]
    NotTwo { mode: Mode, given: Vec<String> },
    /// Somebody forwards there already.
    #[error(
        "{name} is a port of {master}, which forwards its frames already: mode {mode} needs two interfaces that nobody forwards (take it out of {master}, or use mode ghost on {master})"
    )]
    Taken { mode: Mode, name: String, master: String },
    /// The interface is a bridge.
    #[error(
        "{name} is a bridge, which forwards already: use mode ghost on it, or name two interfaces that are no bridge's for mode {mode}"
    )]
    IsBridge { mode: Mode, name: String },
    /// The two ends of one cable: every frame would go round for ever.
    #[error("{a} and {b} are the two ends of one cable: joining them would make a loop")]
    Loop { a: String, b: String },
    /// The host's own way out.
    #[error(
        "{name} has this host's default route: mode {mode} would cut the host itself off; use mode ghost"
    )]
    HostRoute { mode: Mode, name: String },
    /// No Ethernet, no bridge.
    #[error("{name} carries no Ethernet frames: it can't be an end of a wire")]
    NotEthernet { name: String },
    /// Only OVS can mirror.
    #[error("{name} is no OVS bridge: mode mirror is for those only (mode ghost needs no mirror)")]
    NotOvs { name: String },
    /// There is no OVS.
    #[error("mode mirror needs Open vSwitch, and its database was not found: is it running?")]
    NoOvs,
}

fn count(given: &[String]) -> String {
    match given {
        [] => "none".to_owned(),
        [one] => format!("one ({one})"),
        more => format!("{} ({})", more.len(), more.join(", ")),
    }
}

/// Decides what to tap. A plan without attachments is one that waits for an interface to come; its
/// warnings say so.
///
/// # Errors
///
/// When what was asked for can never be had; the message says what to ask for instead.
pub fn plan(inventory: &Inventory, wish: &Wish) -> Result<Plan, PlanError> {
    let mut plan = match wish.mode {
        Mode::Ghost => ghost::plan(inventory, &wish.interfaces),
        Mode::GhostFast | Mode::Inline => wire::plan(inventory, &wish.interfaces, wish.mode)?,
        Mode::Mirror => mirror::plan(inventory, &wish.interfaces)?,
    };
    plan.warnings.extend(inventory.troubles.iter().cloned());
    Ok(plan)
}

/// The names that could have been meant.
fn known(inventory: &Inventory) -> String {
    let names: Vec<&str> = inventory.links.iter().map(|link| link.name.as_str()).take(20).collect();
    names.join(", ")
}

fn not_there(inventory: &Inventory, name: &str) -> String {
    format!("no interface {name} now: waiting for it to come (there are: {})", known(inventory))
}
