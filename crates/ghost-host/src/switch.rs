//! Open vSwitch, as its database tells it.

use crate::ovsdb::{Client, Row, Tables, Watch};
use crate::{HostError, Link};
use std::path::{Path, PathBuf};

/// The database's name.
pub(crate) const DATABASE: &str = "Open_vSwitch";
/// Who made what is ours: `external_ids:owner`.
pub(crate) const OWNER: &str = "ghostbridge";

/// Where the socket is, as distributions and upstream have it.
const USUAL: [&str; 3] = [
    "/run/openvswitch/db.sock",
    "/var/run/openvswitch/db.sock",
    "/usr/local/var/run/openvswitch/db.sock",
];

/// What decides about taps; statistics and states, which change every few seconds, do not.
const WATCHED: [Watch<'_>; 4] = [
    Watch { table: "Open_vSwitch", columns: &["other_config"] },
    Watch { table: "Bridge", columns: &["name", "datapath_type", "ports"] },
    Watch { table: "Port", columns: &["name", "interfaces", "external_ids"] },
    Watch { table: "Interface", columns: &["name", "type", "ifindex"] },
];

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

impl OvsPortKind {
    fn of(word: &str) -> OvsPortKind {
        match word {
            "" | "system" => OvsPortKind::System,
            "internal" => OvsPortKind::Internal,
            "patch" => OvsPortKind::Patch,
            "tap" => OvsPortKind::Tap,
            "afxdp" | "afxdp-nonpmd" => OvsPortKind::Afxdp,
            "vxlan" | "geneve" | "gre" | "ip6gre" | "erspan" | "ip6erspan" | "lisp" | "stt"
            | "gtpu" | "bareudp" | "srv6" => OvsPortKind::Tunnel(word.to_owned()),
            _ if word.starts_with("dpdk") => OvsPortKind::Dpdk,
            _ => OvsPortKind::Other(word.to_owned()),
        }
    }
}

/// One interface of an OVS bridge (a bond has several).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OvsPort {
    pub name: String,
    pub kind: OvsPortKind,
    /// Of its interface in this namespace; a patch or dpdk port has none.
    pub ifindex: Option<u32>,
    /// Made by us, for a mirror.
    pub ours: bool,
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
    /// By name.
    pub bridges: Vec<OvsBridge>,
    /// `other_config:hw-offload`: forwarded frames may never reach the kernel.
    pub hw_offload: bool,
}

impl Ovs {
    /// What a replica holds; `ifindex` of each port as OVS has it.
    pub(crate) fn of(tables: &Tables) -> Ovs {
        let hw_offload = tables
            .rows("Open_vSwitch")
            .any(|(_, row)| row.entry("other_config", "hw-offload") == Some("true"));
        let mut bridges: Vec<OvsBridge> = tables
            .rows("Bridge")
            .map(|(_, row)| OvsBridge {
                name: row.text("name").unwrap_or_default().to_owned(),
                datapath_type: match row.text("datapath_type") {
                    None | Some("") => "system".to_owned(),
                    Some(word) => word.to_owned(),
                },
                ports: ports(tables, row),
            })
            .collect();
        bridges.sort_by(|a, b| a.name.cmp(&b.name));
        Ovs { bridges, hw_offload }
    }

    /// Names a port's interface by the kernel's list: the name decides, as it does for OVS; a
    /// tunnel's interface has another name, and stands under the number that OVS gives.
    pub(crate) fn find_interfaces(&mut self, links: &[Link]) {
        for port in self.bridges.iter_mut().flat_map(|bridge| &mut bridge.ports) {
            let tunnel = matches!(port.kind, OvsPortKind::Tunnel(_));
            let told = port.ifindex;
            let found = links.iter().find(|link| {
                if tunnel { told == Some(link.ifindex) } else { link.name == port.name }
            });
            let none = matches!(port.kind, OvsPortKind::Patch | OvsPortKind::Dpdk);
            port.ifindex = found.filter(|_| !none).map(|link| link.ifindex);
        }
    }
}

fn ports(tables: &Tables, bridge: &Row) -> Vec<OvsPort> {
    let mut found: Vec<OvsPort> = tables
        .named("Port", bridge.set("ports"))
        .flat_map(|(_, port)| {
            let ours = port.entry("external_ids", "owner") == Some(OWNER);
            tables.named("Interface", port.set("interfaces")).map(move |(_, interface)| OvsPort {
                name: interface.text("name").unwrap_or_default().to_owned(),
                kind: OvsPortKind::of(interface.text("type").unwrap_or_default()),
                ifindex: interface
                    .integer("ifindex")
                    .and_then(|n| u32::try_from(n).ok())
                    .filter(|n| *n > 0),
                ours,
            })
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// The database's socket: the given one, else the first usual one that is there.
pub(crate) fn socket(given: Option<&Path>) -> Option<PathBuf> {
    match given {
        Some(path) => Some(path.to_owned()),
        None => USUAL.iter().map(PathBuf::from).find(|path| path.exists()),
    }
}

/// The usual places, for messages.
pub(crate) fn usual() -> String {
    USUAL.join(", ")
}

/// Connects, and replicates what decides about taps.
pub(crate) fn replicate(path: &Path) -> Result<(Client, Tables), HostError> {
    let failed = |source| HostError::Ovs { path: path.to_owned(), source };
    let mut client = Client::connect(path).map_err(failed)?;
    let tables = client.monitor(DATABASE, &WATCHED).map_err(failed)?;
    Ok((client, tables))
}
