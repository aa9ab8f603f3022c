//! Open vSwitch, as its database tells it.

use crate::ovsdb::{Atom, Client, Datum, Row, Tables, Watch};
use crate::{HostError, Link};
use serde_json::Value;
use std::collections::BTreeMap;
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

/// Columns that name rows or lead to others; the rest of what is watched are settings.
const STRUCTURE: [&str; 6] = ["name", "datapath_type", "ports", "interfaces", "type", "ifindex"];

/// What decides about taps, how things are set, and that an interface failed; statistics and states,
/// which change every few seconds, are left out. What a server's schema lacks is not asked for.
const WATCHED: [Watch<'_>; 5] = [
    Watch { table: "Open_vSwitch", columns: &["other_config"] },
    Watch {
        table: "Bridge",
        columns: &[
            "name",
            "datapath_type",
            "ports",
            "external_ids",
            "fail_mode",
            "stp_enable",
            "rstp_enable",
            "mcast_snooping_enable",
            "protocols",
            "controller",
            "mirrors",
            "netflow",
            "sflow",
            "ipfix",
            "other_config",
        ],
    },
    Watch {
        table: "Port",
        columns: &[
            "name",
            "interfaces",
            "external_ids",
            "tag",
            "trunks",
            "cvlans",
            "vlan_mode",
            "bond_mode",
            "lacp",
            "protected",
            "qos",
            "other_config",
        ],
    },
    Watch {
        table: "Interface",
        columns: &[
            "name",
            "type",
            "ifindex",
            "external_ids",
            "mtu_request",
            "ingress_policing_rate",
            "ingress_policing_burst",
            "error",
            "bfd",
            "options",
            "other_config",
        ],
    },
    Watch { table: "Mirror", columns: &["name", "external_ids"] },
];

/// Words in the key of an entry whose value nobody may read.
const SECRET: [&str; 6] = ["psk", "secret", "password", "passwd", "private", "token"];
/// Settings of one row, and bytes of one: what is beyond is left out.
const SETTINGS_MAX: usize = 64;
const SETTING_BYTES_MAX: usize = 256;

/// How something is set, by column, or column and key (`other_config:stp-priority`): a whole number,
/// a truth or a text; of several values one text, in order. What is empty, off or secret is not there
/// (the server leaves out what stands at its default); of references to other rows there is their
/// number.
pub type Settings = BTreeMap<String, Value>;

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
    /// Of the port; the interfaces of a bond share them.
    pub port_settings: Settings,
    /// Of this interface.
    pub settings: Settings,
}

/// One OVS bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OvsBridge {
    pub name: String,
    /// `system` (kernel) or `netdev` (userspace).
    pub datapath_type: String,
    pub ports: Vec<OvsPort>,
    pub settings: Settings,
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
                settings: bridge_settings(tables, row),
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
            let port_settings = settings("Port", port);
            tables.named("Interface", port.set("interfaces")).map(move |(_, interface)| OvsPort {
                name: interface.text("name").unwrap_or_default().to_owned(),
                kind: OvsPortKind::of(interface.text("type").unwrap_or_default()),
                ifindex: interface
                    .integer("ifindex")
                    .and_then(|n| u32::try_from(n).ok())
                    .filter(|n| *n > 0),
                ours,
                port_settings: port_settings.clone(),
                settings: settings("Interface", interface),
            })
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// As [`settings`], with the names of the mirrors that are not ours.
fn bridge_settings(tables: &Tables, bridge: &Row) -> Settings {
    let mut settings = settings("Bridge", bridge);
    let mut mirrors: Vec<&str> = tables
        .named("Mirror", bridge.set("mirrors"))
        .filter(|(_, mirror)| mirror.entry("external_ids", "owner") != Some(OWNER))
        .map(|(_, mirror)| mirror.text("name").unwrap_or("unnamed"))
        .collect();
    mirrors.sort_unstable();
    settings.remove("mirrors");
    if !mirrors.is_empty() {
        settings.insert("mirrors".to_owned(), short(&mirrors.join(",")).into());
    }
    settings
}

/// How a row of `table` is set.
fn settings(table: &str, row: &Row) -> Settings {
    let watched = WATCHED.iter().filter(|watch| watch.table == table).flat_map(|w| w.columns);
    let mut settings = Settings::new();
    for column in watched.filter(|column| !STRUCTURE.contains(*column)) {
        match row.get(column) {
            Some(Datum::Map(pairs)) => {
                for (key, value) in pairs {
                    let key = written(key);
                    let lower = key.to_ascii_lowercase();
                    let open = !SECRET.iter().any(|word| lower.contains(word));
                    if open && settings.len() < SETTINGS_MAX {
                        settings.insert(format!("{column}:{key}"), written(value).into());
                    }
                }
            }
            Some(Datum::Set(atoms)) if settings.len() < SETTINGS_MAX => {
                settings.extend(setting(column, atoms).map(|value| ((*column).to_owned(), value)));
            }
            _ => {}
        }
    }
    settings
}

fn setting(column: &str, atoms: &[Atom]) -> Option<Value> {
    match atoms {
        [] | [Atom::Boolean(false)] => None,
        [Atom::Integer(0)] if column.starts_with("ingress_policing_") => None,
        [Atom::Uuid(_), ..] => Some(atoms.len().into()),
        [Atom::Boolean(truth)] => Some((*truth).into()),
        [Atom::Integer(number)] => match u64::try_from(*number) {
            Ok(number) => Some(number.into()),
            Err(_) => Some(number.to_string().into()),
        },
        [Atom::Text(text)] if text.is_empty() => None,
        [one] => Some(written(one).into()),
        _ => {
            let mut all: Vec<&Atom> = atoms.iter().collect();
            all.sort_by(|a, b| match (a, b) {
                (Atom::Integer(a), Atom::Integer(b)) => a.cmp(b),
                _ => written(a).cmp(&written(b)),
            });
            let all: Vec<String> = all.into_iter().map(written).collect();
            Some(short(&all.join(",")).into())
        }
    }
}

fn written(atom: &Atom) -> String {
    match atom {
        Atom::Text(text) => short(text).to_owned(),
        Atom::Integer(number) => number.to_string(),
        Atom::Real(number) => number.to_string(),
        Atom::Boolean(truth) => truth.to_string(),
        Atom::Uuid(uuid) => short(uuid).to_owned(),
    }
}

fn short(text: &str) -> &str {
    let mut end = text.len().min(SETTING_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ovsdb::Update;
    use serde_json::json;

    #[test]
    fn settings_are_told_by_column_and_key_and_secrets_are_not() {
        let mut tables = Tables::default();
        let initial = |columns: Value| json!({"initial": columns});
        assert!(tables.apply(&Update::of(json!({
            "Bridge": {"b": initial(json!({"name": "br0", "ports": ["uuid", "p"],
                "fail_mode": "secure", "stp_enable": false, "controller": ["uuid", "c"]}))},
            "Port": {"p": initial(json!({"name": "eth1", "interfaces": ["uuid", "i"], "tag": 10,
                "trunks": ["set", [30, 4, 20]], "vlan_mode": ["set", []]}))},
            "Interface": {"i": initial(json!({"name": "eth1", "type": "vxlan",
                "options": ["map", [["remote_ip", "192.0.2.7"], ["psk", "hush"]]],
                "error": "could not open network device"}))},
        }))));
        let ovs = Ovs::of(&tables);
        let told = |settings: &Settings| Value::Object(settings.clone().into_iter().collect());
        let bridge = &ovs.bridges[0];
        assert_eq!(told(&bridge.settings), json!({"fail_mode": "secure", "controller": 1}));
        let port = &bridge.ports[0];
        assert_eq!(told(&port.port_settings), json!({"tag": 10, "trunks": "4,20,30"}));
        assert_eq!(
            told(&port.settings),
            json!({"options:remote_ip": "192.0.2.7", "error": "could not open network device"})
        );
    }
}
