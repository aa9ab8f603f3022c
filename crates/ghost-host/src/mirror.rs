//! A mirror of an OVS bridge to a port of ours: the fallback for ports that tc can't see. The only
//! change this program ever makes to a switch, and only what it made is ever removed.

use crate::ovsdb::{Atom, Client, Tables, Watch};
use crate::switch::{self, DATABASE, OWNER};
use crate::{HostError, Sources};
use serde_json::{Value, json};
use std::path::PathBuf;

const WATCHED: [Watch<'_>; 3] = [
    Watch { table: "Bridge", columns: &["name", "ports", "mirrors"] },
    Watch { table: "Port", columns: &["name", "external_ids"] },
    Watch { table: "Mirror", columns: &["name", "external_ids"] },
];

/// A mirror that we make: everything that passes `bridge` is copied to `output`, an internal port,
/// where it arrives once for each frame. Both have `external_ids:owner=ghostbridge`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mirror {
    pub bridge: String,
    /// Name of the port (and its interface) that gets the copies.
    pub output: String,
}

impl Mirror {
    /// How the names of all outputs begin.
    pub const PREFIX: &'static str = "gbm-";

    /// The mirror of a bridge: its output's name is always the same, and no longer than the kernel
    /// allows.
    pub fn of(bridge: &str) -> Mirror {
        const NAME_MAX: usize = 15;
        let plain = format!("{}{bridge}", Mirror::PREFIX);
        let output = if plain.len() <= NAME_MAX {
            plain
        } else {
            // FNV-1a: one bridge, one name.
            let hash = bridge.bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
            });
            format!("{}{:011x}", Mirror::PREFIX, hash >> 20)
        };
        Mirror { bridge: bridge.to_owned(), output }
    }

    /// Makes the output port and the mirror, in one transaction; when both are there and ours, does
    /// nothing. The port's interface comes a moment later, and must be set up before it delivers.
    ///
    /// # Errors
    ///
    /// When the switch can't be reached, has no such bridge, or has a port of this name that is
    /// somebody else's.
    pub fn create(&self, sources: &Sources) -> Result<(), HostError> {
        let mut switch = Switch::open(sources)?;
        let bridge = switch.bridge(&self.bridge)?;
        let (port, mirror) = (switch.port(&self.output)?, switch.mirror(&bridge, &self.output));
        if port.is_some() && mirror.is_some() {
            return Ok(());
        }
        let owner = json!(["map", [["owner", OWNER]]]);
        let mut operations = Vec::new();
        let output = match port {
            Some(uuid) => json!(["uuid", uuid]),
            None => {
                operations
                    .push(json!({"op": "insert", "table": "Interface", "uuid-name": "interface",
                    "row": {"name": self.output, "type": "internal", "external_ids": owner}}));
                operations.push(json!({"op": "insert", "table": "Port", "uuid-name": "port",
                    "row": {"name": self.output, "interfaces": ["named-uuid", "interface"],
                            "external_ids": owner}}));
                operations.push(mutate(&bridge, "ports", "insert", &json!(["named-uuid", "port"])));
                json!(["named-uuid", "port"])
            }
        };
        if let Some(stale) = mirror {
            operations.push(mutate(&bridge, "mirrors", "delete", &json!(["uuid", stale])));
        }
        operations.push(json!({"op": "insert", "table": "Mirror", "uuid-name": "mirror",
            "row": {"name": self.output, "select_all": true, "output_port": output,
                    "external_ids": owner}}));
        operations.push(mutate(&bridge, "mirrors", "insert", &json!(["named-uuid", "mirror"])));
        switch.transact(operations)
    }

    /// Removes what [`create`](Mirror::create) made, in one transaction; true when there was
    /// something.
    ///
    /// # Errors
    ///
    /// When the switch can't be reached, or the port is somebody else's by now.
    pub fn remove(&self, sources: &Sources) -> Result<bool, HostError> {
        let mut switch = Switch::open(sources)?;
        let Ok(bridge) = switch.bridge(&self.bridge) else { return Ok(false) };
        let (port, mirror) = (switch.port(&self.output)?, switch.mirror(&bridge, &self.output));
        let mut operations = Vec::new();
        if let Some(uuid) = mirror {
            operations.push(mutate(&bridge, "mirrors", "delete", &json!(["uuid", uuid])));
        }
        if let Some(uuid) = port {
            operations.push(mutate(&bridge, "ports", "delete", &json!(["uuid", uuid])));
        }
        if operations.is_empty() {
            return Ok(false);
        }
        switch.transact(operations).map(|()| true)
    }

    /// The mirrors of ours that the switch has now, of this run or an earlier one.
    ///
    /// # Errors
    ///
    /// When the switch is there and can't be asked. One that is not there has none.
    pub fn all(sources: &Sources) -> Result<Vec<Mirror>, HostError> {
        let switch = match Switch::open(sources) {
            Err(HostError::NoOvs(_)) => return Ok(Vec::new()),
            switch => switch?,
        };
        let mut found = Vec::new();
        for (_, bridge) in switch.tables.rows("Bridge") {
            let ours = |(_, row): &(&str, &crate::ovsdb::Row)| is_ours(row);
            let names = switch
                .tables
                .named("Mirror", bridge.set("mirrors"))
                .filter(ours)
                .chain(switch.tables.named("Port", bridge.set("ports")).filter(ours))
                .filter_map(|(_, row)| row.text("name"));
            found.extend(names.map(|output| Mirror {
                bridge: bridge.text("name").unwrap_or_default().to_owned(),
                output: output.to_owned(),
            }));
        }
        found.sort();
        found.dedup();
        Ok(found)
    }
}

/// The switch's state and the line to change it.
struct Switch {
    path: PathBuf,
    client: Client,
    tables: Tables,
}

impl Switch {
    fn open(sources: &Sources) -> Result<Switch, HostError> {
        let path = switch::socket(sources.ovs_socket.as_deref())
            .ok_or_else(|| HostError::NoOvs(switch::usual()))?;
        let failed = |source| HostError::Ovs { path: path.clone(), source };
        let mut client = Client::connect(&path).map_err(failed)?;
        let tables = client.monitor(DATABASE, &WATCHED).map_err(failed)?;
        Ok(Switch { path, client, tables })
    }

    fn bridge(&self, name: &str) -> Result<String, HostError> {
        self.tables
            .rows("Bridge")
            .find(|(_, row)| row.text("name") == Some(name))
            .map(|(uuid, _)| uuid.to_owned())
            .ok_or_else(|| HostError::NoBridge(name.to_owned()))
    }

    fn port(&self, name: &str) -> Result<Option<String>, HostError> {
        match self.tables.rows("Port").find(|(_, row)| row.text("name") == Some(name)) {
            None => Ok(None),
            Some((uuid, row)) if is_ours(row) => Ok(Some(uuid.to_owned())),
            Some(_) => Err(HostError::NotOurs(name.to_owned())),
        }
    }

    fn mirror(&self, bridge: &str, name: &str) -> Option<String> {
        let mirrors: &[Atom] = self.tables.row("Bridge", bridge)?.set("mirrors");
        self.tables
            .named("Mirror", mirrors)
            .find(|(_, row)| row.text("name") == Some(name) && is_ours(row))
            .map(|(uuid, _)| uuid.to_owned())
    }

    fn transact(&mut self, operations: Vec<Value>) -> Result<(), HostError> {
        match self.client.transact(DATABASE, &operations) {
            Ok(_) => Ok(()),
            Err(source) => Err(HostError::Ovs { path: self.path.clone(), source }),
        }
    }
}

fn is_ours(row: &crate::ovsdb::Row) -> bool {
    row.entry("external_ids", "owner") == Some(OWNER)
}

/// Puts a reference into a bridge's column, or takes it out; what nothing refers to, goes.
fn mutate(bridge: &str, column: &str, how: &str, what: &Value) -> Value {
    json!({"op": "mutate", "table": "Bridge", "where": [["_uuid", "==", ["uuid", bridge]]],
           "mutations": [[column, how, ["set", [what]]]]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outputs_name_fits_and_is_the_same_every_time() {
        assert_eq!(Mirror::of("br-int").output, "gbm-br-int");
        let long = Mirror::of("a-bridge-of-15c");
        assert_eq!(long.output.len(), 15);
        assert_eq!(long, Mirror::of("a-bridge-of-15c"));
        assert_ne!(long.output, Mirror::of("a-bridge-of-15d").output);
    }
}
