//! What the host has at one moment.

use crate::{HostError, Link};
use std::path::PathBuf;

/// Where to ask.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sources {
    /// The socket of Open vSwitch's database; `None`: the usual places.
    pub ovs_socket: Option<PathBuf>,
}

/// What stands behind a port of an OVS bridge.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum OvsPortKind {
    /// An interface of the host, lent to the bridge.
    System,
    /// The bridge's own (LOCAL) and other internal ports: the host's places on the bridge.
    Internal,
    /// A cable to another bridge of the same switch; has no interface.
    Patch,
    /// An interface made by OVS for virtual machines.
    Tap,
    /// Carried past the kernel: tc never sees its frames.
    Dpdk,
    /// Carried past the kernel: tc never sees its frames.
    Afxdp,
    /// Encapsulates; by its word (vxlan, geneve, gre).
    Tunnel(String),
    /// Any other type, by its word.
    Other(String),
}

/// One interface of an OVS bridge (a bond has several).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OvsPort {
    pub name: String,
    pub kind: OvsPortKind,
    /// Of its interface in this namespace; a patch or dpdk port has none.
    pub ifindex: Option<u32>,
}

/// One OVS bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OvsBridge {
    pub name: String,
    /// `system` (kernel) or `netdev` (userspace).
    pub datapath_type: String,
    pub ports: Vec<OvsPort>,
}

/// What Open vSwitch says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ovs {
    pub bridges: Vec<OvsBridge>,
    /// `other_config:hw-offload`: forwarded frames may never reach the kernel.
    pub hw_offload: bool,
}

/// The host's links and bridges at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    pub links: Vec<Link>,
    pub ovs: Option<Ovs>,
    /// Interface of the default route (IPv4 before IPv6, least metric first).
    pub default_route: Option<u32>,
    /// What could not be asked, for the operator: Open vSwitch is there but does not answer.
    pub troubles: Vec<String>,
}

impl Inventory {
    /// Takes stock of the calling thread's network namespace, and of Open vSwitch at its usual
    /// place. A switch that does not answer is a trouble, not an error.
    ///
    /// # Errors
    ///
    /// When the kernel can't be asked.
    pub fn read() -> Result<Inventory, HostError> {
        Inventory::read_from(&Sources::default())
    }

    /// As [`read`](Inventory::read), from places of the caller's choice.
    ///
    /// # Errors
    ///
    /// When the kernel can't be asked.
    pub fn read_from(_sources: &Sources) -> Result<Inventory, HostError> {
        Err(HostError::Unbuilt("the inventory"))
    }

    /// A link by its number.
    pub fn link(&self, ifindex: u32) -> Option<&Link> {
        self.links.iter().find(|link| link.ifindex == ifindex)
    }

    /// A link by its name.
    pub fn link_named(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }
}
