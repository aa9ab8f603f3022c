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

impl LinkKind {
    /// By the kernel's word.
    pub(crate) fn of(word: &str) -> LinkKind {
        match word {
            "bridge" => LinkKind::Bridge,
            "veth" => LinkKind::Veth,
            "tun" => LinkKind::Tun,
            "vlan" => LinkKind::Vlan,
            "bond" => LinkKind::Bond,
            other => LinkKind::Other(other.to_owned()),
        }
    }

    /// An interface upon another (VLAN, macvlan, …): what passes it passes the one below as well.
    pub(crate) fn is_upper(&self) -> bool {
        match self {
            LinkKind::Vlan => true,
            LinkKind::Other(word) => {
                matches!(word.as_str(), "macvlan" | "macvtap" | "ipvlan" | "ipvtap" | "macsec")
            }
            _ => false,
        }
    }

    /// One made of several: what passes its parts passes it.
    pub(crate) fn is_union(&self) -> bool {
        match self {
            LinkKind::Bond => true,
            LinkKind::Other(word) => word == "team",
            _ => false,
        }
    }
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
    /// The interface below it, or a veth's other end, when that is in this namespace.
    pub lower: Option<u32>,
    pub mac: Option<[u8; 6]>,
    pub mtu: u32,
    pub up: bool,
    /// Its frames begin with an Ethernet header: tunnels of IP alone have none.
    pub ethernet: bool,
    /// A port of a switch chip, which may forward without asking the kernel.
    pub switched: bool,
    /// ethtool's `hw-tc-offload` is on: what tc and OVS decide may be done in hardware.
    pub hw_tc_offload: bool,
    pub stats: LinkStats,
}
