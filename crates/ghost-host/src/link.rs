//! One network interface, as rtnetlink tells it.

/// What stands behind an interface, as far as tapping cares.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LinkKind {
    /// No `IFLA_INFO_KIND`: a NIC.
    Physical,
    Loopback,
    Bridge,
    Veth,
    Tun,
    Vlan,
    Bond,
    /// Any other kind, by the kernel's word for it.
    Other(String),
}

/// The interface's own counters; frames as the kernel counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkStats {
    pub rx_packets: u64,
    pub rx_bytes: u64,
    pub tx_packets: u64,
    pub tx_bytes: u64,
}

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub ifindex: u32,
    pub name: String,
    pub kind: LinkKind,
    /// The bridge (or bond, or OVS) that it is a port of.
    pub master: Option<u32>,
    pub mac: Option<[u8; 6]>,
    pub mtu: u32,
    pub up: bool,
    pub stats: LinkStats,
}
