//! What became of interfaces, bridges and ports between two looks at the host.
//!
//! Pure: two stocks in, changes out. An element is `interface:NAME`, `bridge:NAME` or
//! `port:BRIDGE/NAME`; its facts are those that decide what passes and what is seen, and no address
//! but its own MAC. The last stock is kept in `state/`, so that a start tells what came and went
//! without us, and not everything anew.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use ghost_event::line::{self, Change, Fact};
use ghost_event::{Priority, Timestamp};
use ghost_host::{Inventory, LinkKind, OvsPortKind, Settings};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::hint;
use crate::limits::ELEMENTS_WATCHED_MAX;

/// The facts of one element, by name.
pub(crate) type Facts = BTreeMap<String, Value>;

/// What is there, by element.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stock(BTreeMap<String, Facts>);

/// One element that is another now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Changed {
    /// `bridge:br0`; what stands before the first colon is its type.
    pub(crate) id: String,
    pub(crate) action: &'static str,
    /// Names of the facts that differ.
    pub(crate) fields: Vec<String>,
    /// Those facts as they were, and as they are.
    pub(crate) before: Facts,
    pub(crate) after: Facts,
    pub(crate) priority: Priority,
}

impl Changed {
    /// Whether it is the log that tells of itself: of its replicas.
    pub(crate) fn is_own(&self) -> bool {
        self.id.starts_with("replica:")
    }

    /// Appends the line's body.
    pub(crate) fn body(&self, out: &mut Vec<u8>, at: Timestamp) {
        let (kind, name) = self.id.split_once(':').unwrap_or_default();
        let (bridge, in_iface) = match kind {
            "bridge" => (Some(name), None),
            "port" => {
                let (bridge, port) = name.split_once('/').unwrap_or_default();
                (Some(bridge), Some(port))
            }
            "replica" => (None, None),
            _ => (None, Some(name)),
        };
        let changed: Vec<&str> = self.fields.iter().map(String::as_str).collect();
        let change = Change {
            at,
            prio: self.priority,
            shape: None,
            in_iface,
            bridge,
            action: self.action,
            changed: &changed,
            before: &facts(&self.before),
            after: &facts(&self.after),
        };
        line::change_body(out, &change);
    }
}

fn facts(facts: &Facts) -> Vec<(&str, Fact<'_>)> {
    facts.iter().filter_map(|(name, value)| Some((name.as_str(), fact(value)?))).collect()
}

fn fact(value: &Value) -> Option<Fact<'_>> {
    Some(match value {
        Value::Bool(on) => Fact::Flag(*on),
        Value::Number(n) => Fact::Whole(n.as_u64()?),
        Value::String(text) => Fact::Text(text.as_str().into()),
        _ => return None,
    })
}

/// In which directions an interface is tapped: inwards and outwards.
pub(crate) type Taps = BTreeMap<u32, (bool, bool)>;

impl Stock {
    /// What `inventory` holds, and what of it is tapped.
    pub(crate) fn of(inventory: &Inventory, taps: &Taps) -> Stock {
        let mut stock = Stock::default();
        let mut on_ports: BTreeSet<u32> = BTreeSet::new();
        let tapped = |ifindex: u32| tapped_word(taps.get(&ifindex).copied().unwrap_or_default());
        for link in &inventory.links {
            let bridge = link.master.and_then(|m| inventory.link(m));
            if let Some(bridge) = bridge.filter(|b| b.kind == LinkKind::Bridge) {
                on_ports.insert(link.ifindex);
                stock.put(
                    format!("port:{}/{}", bridge.name, link.name),
                    [("tapped", json!(tapped(link.ifindex)))],
                );
            }
            if link.kind == LinkKind::Bridge {
                let facts = [("kind", json!("linux")), ("up", json!(link.up))];
                stock.put(format!("bridge:{}", link.name), facts);
            }
        }
        for bridge in inventory.ovs.iter().flat_map(|ovs| &ovs.bridges) {
            let local = inventory.links.iter().find(|link| link.name == bridge.name);
            let mut facts = vec![("kind", json!("ovs")), ("datapath", json!(bridge.datapath_type))];
            facts.extend(local.map(|link| ("up", json!(link.up))));
            let id = format!("bridge:{}", bridge.name);
            stock.put(id.clone(), facts);
            stock.add(&id, &bridge.settings);
            for port in bridge.ports.iter().filter(|port| !port.ours) {
                on_ports.extend(port.ifindex);
                let tapped = tapped(port.ifindex.unwrap_or(0));
                let id = format!("port:{}/{}", bridge.name, port.name);
                stock.put(id.clone(), [("tapped", json!(tapped))]);
                stock.add(&id, &port.port_settings);
            }
        }
        for link in inventory.links.iter().filter(|link| link.kind != LinkKind::Loopback) {
            let mut facts = vec![
                ("kind", json!(kind_word(&link.kind))),
                ("up", json!(link.up)),
                ("mtu", json!(link.mtu)),
            ];
            if let Some(mac) = link.mac {
                facts.push(("mac", json!(mac.map(|b| format!("{b:02x}")).join(":"))));
            }
            if let Some(master) = link.master.and_then(|m| inventory.link(m)) {
                facts.push(("master", json!(master.name)));
            }
            if !on_ports.contains(&link.ifindex) && taps.contains_key(&link.ifindex) {
                facts.push(("tapped", json!(tapped(link.ifindex))));
            }
            stock.put(format!("interface:{}", link.name), facts);
        }
        // How the switch sets an interface, also of one that the kernel does not have.
        let ports = inventory.ovs.iter().flat_map(|ovs| &ovs.bridges).flat_map(|b| &b.ports);
        for port in ports.filter(|port| !port.ours) {
            let id = format!("interface:{}", port.name);
            if !stock.0.contains_key(&id) {
                stock.put(id.clone(), [("kind", json!(port_word(&port.kind)))]);
            }
            stock.add(&id, &port.settings);
        }
        stock
    }

    /// Adds the switch's settings to an element that is there.
    fn add(&mut self, id: &str, settings: &Settings) {
        if let Some(facts) = self.0.get_mut(id) {
            facts.extend(settings.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
    }

    fn put(&mut self, id: String, facts: impl IntoIterator<Item = (&'static str, Value)>) {
        if self.0.len() < ELEMENTS_WATCHED_MAX {
            let facts = facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            self.0.insert(id, facts);
        }
    }

    /// The same with nothing tapped.
    pub(crate) fn untapped(&self) -> Stock {
        let mut stock = self.clone();
        for (id, facts) in &mut stock.0 {
            if id.starts_with("port:") {
                facts.insert("tapped".to_owned(), json!("no"));
            } else {
                facts.remove("tapped");
            }
        }
        stock
    }

    /// What is another in `now`; taps that are gone are called `gone`.
    pub(crate) fn until(&self, now: &Stock, gone: &'static str) -> Vec<Changed> {
        let none = Facts::new();
        let ids: BTreeSet<&String> = self.0.keys().chain(now.0.keys()).collect();
        let changed = ids.into_iter().filter_map(|id| {
            let (before, after) = (self.0.get(id), now.0.get(id));
            let (was, is) = (before.unwrap_or(&none), after.unwrap_or(&none));
            if before.is_some() && was == is {
                return None;
            }
            let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
            let fields: Vec<String> =
                names.into_iter().filter(|name| was.get(*name) != is.get(*name)).cloned().collect();
            let only = |facts: &Facts| {
                let kept = facts.iter().filter(|(name, _)| fields.contains(name));
                kept.map(|(name, value)| (name.clone(), value.clone())).collect()
            };
            let action = match (before, after) {
                (None, _) => "appeared",
                (_, None) => "went",
                // Open vSwitch tells so what it can't open or set.
                _ if is.contains_key("error") && fields.iter().any(|f| f == "error") => "failed",
                _ if fields.iter().any(|f| f == "error") => "recovered",
                _ if fields.iter().any(|f| f == "up") => {
                    if is.get("up") == Some(&json!(true)) {
                        "up"
                    } else {
                        "down"
                    }
                }
                _ if fields.iter().any(|f| f == "tapped") => match is.get("tapped") {
                    None => gone,
                    Some(word) if *word == json!("no") => gone,
                    Some(_) => "attached",
                },
                _ => "changed",
            };
            let carries = id.starts_with("interface:") || id.starts_with("bridge:");
            let high = carries && matches!(action, "down" | "went" | "failed");
            Some(Changed {
                id: id.clone(),
                action,
                before: only(was),
                after: only(is),
                fields,
                priority: if high { Priority::High } else { Priority::Medium },
            })
        });
        changed.collect()
    }

    /// What the daemon before left; nothing where there was none, or its words make no sense.
    pub(crate) fn read(path: &Path) -> Stock {
        hint::read(path, 8 << 20).unwrap_or_default()
    }

    /// Replaces what was kept.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        hint::write(path, self)
    }
}

fn tapped_word((inwards, outwards): (bool, bool)) -> &'static str {
    match (inwards, outwards) {
        (false, false) => "no",
        (true, false) => "inwards",
        (false, true) => "outwards",
        (true, true) => "both ways",
    }
}

fn kind_word(kind: &LinkKind) -> &str {
    match kind {
        LinkKind::Physical => "physical",
        LinkKind::Loopback => "loopback",
        LinkKind::Bridge => "bridge",
        LinkKind::Veth => "veth",
        LinkKind::Tun => "tun",
        LinkKind::Vlan => "vlan",
        LinkKind::Bond => "bond",
        LinkKind::Other(word) => word,
    }
}

fn port_word(kind: &OvsPortKind) -> &str {
    match kind {
        OvsPortKind::System => "system",
        OvsPortKind::Internal => "internal",
        OvsPortKind::Patch => "patch",
        OvsPortKind::Tap => "tap",
        OvsPortKind::Dpdk => "dpdk",
        OvsPortKind::Afxdp => "afxdp",
        OvsPortKind::Tunnel(word) | OvsPortKind::Other(word) => word,
    }
}

#[cfg(test)]
mod tests {
    use ghost_host::{Link, LinkStats};

    use super::*;

    fn link(ifindex: u32, name: &str, kind: LinkKind, master: Option<u32>, up: bool) -> Link {
        Link {
            ifindex,
            name: name.to_owned(),
            kind,
            master,
            lower: None,
            mac: None,
            mtu: 1500,
            up,
            ethernet: true,
            switched: false,
            hw_tc_offload: false,
            stats: LinkStats::default(),
        }
    }

    fn bridge(up: bool, ports: &[&str]) -> Inventory {
        let mut links = vec![link(2, "br0", LinkKind::Bridge, None, up)];
        links.push(link(1, "lo", LinkKind::Loopback, None, true));
        for (at, name) in ports.iter().enumerate() {
            links.push(link(3 + at as u32, name, LinkKind::Veth, Some(2), true));
        }
        Inventory { links, ovs: None, default_routes: Vec::new(), troubles: Vec::new() }
    }

    fn told(before: &Stock, now: &Stock) -> Vec<(String, &'static str, Priority)> {
        before.until(now, "detached").into_iter().map(|c| (c.id, c.action, c.priority)).collect()
    }

    #[test]
    fn a_bridge_its_ports_and_their_interfaces_appear_go_down_and_go() {
        let none = Stock::default();
        let taps = Taps::from([(3, (true, false))]);
        let one = Stock::of(&bridge(true, &["lan1"]), &taps);
        let medium = |id: &str, action| (id.to_owned(), action, Priority::Medium);
        let high = |id: &str, action| (id.to_owned(), action, Priority::High);
        let appeared = ["bridge:br0", "interface:br0", "interface:lan1", "port:br0/lan1"];
        assert_eq!(told(&none, &one), appeared.map(|id| medium(id, "appeared")));
        let down = Stock::of(&bridge(false, &["lan1"]), &taps);
        let both = ["bridge:br0", "interface:br0"];
        assert_eq!(told(&one, &down), both.map(|id| high(id, "down")));
        assert_eq!(told(&down, &one), both.map(|id| medium(id, "up")));
        let without = Stock::of(&bridge(true, &[]), &Taps::new());
        let went = [high("interface:lan1", "went"), medium("port:br0/lan1", "went")];
        assert_eq!(told(&one, &without), went);
        assert_eq!(told(&one, &one), []);
    }

    #[test]
    fn a_tap_is_attached_detached_and_lost_and_only_what_differs_is_told() {
        let taps = Taps::from([(3, (true, true))]);
        let (on, off) = (bridge(true, &["lan1"]), Taps::new());
        let (on, off) = (Stock::of(&on, &taps), Stock::of(&on, &off));
        assert_eq!(on.untapped(), off);
        let attached = off.until(&on, "detached");
        assert_eq!(attached.len(), 1);
        assert_eq!((attached[0].action, attached[0].id.as_str()), ("attached", "port:br0/lan1"));
        assert_eq!(attached[0].fields, ["tapped"]);
        assert_eq!(attached[0].before, Facts::from([("tapped".to_owned(), json!("no"))]));
        assert_eq!(attached[0].after, Facts::from([("tapped".to_owned(), json!("both ways"))]));
        assert_eq!(on.until(&off, "lost")[0].action, "lost");
        assert_eq!(on.until(&off, "detached")[0].action, "detached");
    }

    #[test]
    fn a_stock_is_kept_for_the_next_start_and_nonsense_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("elements.json");
        assert_eq!(Stock::read(&path), Stock::default());
        let stock = Stock::of(&bridge(true, &["lan1"]), &Taps::new());
        stock.write(&path).unwrap();
        assert_eq!(Stock::read(&path), stock);
        std::fs::write(&path, b"[1").unwrap();
        assert_eq!(Stock::read(&path), Stock::default());
    }
}
