//! What the host has: links, Linux and OVS bridges, and which of their ports to tap.
//!
//! [`Inventory::read`] takes stock by rtnetlink and OVSDB; [`plan()`] decides, as a pure function,
//! where to attach; a [`Watcher`] says when to take stock again. [`Mirror`] is the one thing that
//! is ever changed on the host here, and only when it was asked for. [`ovsdb`] is the client that
//! all of it stands on, of use to whoever follows the switch for other reasons.
//!
//! **Invariant:** no frame passes through this crate, and nothing here needs a capability.

mod error;
mod inventory;
mod last_switch;
mod link;
mod mirror;
mod netlink;
pub mod ovsdb;
mod plan;
mod switch;
mod watch;

pub use error::HostError;
pub use inventory::{Inventory, Sources};
pub use last_switch::LastSwitch;
pub use link::{Link, LinkKind, LinkStats};
pub use mirror::Mirror;
pub use plan::{Attachment, BridgeKind, Mode, Plan, PlanError, Wish, plan};
pub use switch::{Ovs, OvsBridge, OvsPort, OvsPortKind, Settings};
pub use watch::{Change, Watcher};
