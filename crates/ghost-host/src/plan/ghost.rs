//! Ghost mode: every frame once, where it enters.

use super::{Attachment, BridgeKind, Plan, not_there};
use crate::{Inventory, Link, LinkKind, OvsPortKind};
use std::collections::{BTreeMap, BTreeSet};

/// What an interface is to a bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Frames enter the bridge by it: tapped inwards.
    Port,
    /// The host sends into the bridge by it: tapped outwards.
    Host,
    /// No bridge's: tapped both ways.
    Alone,
}

/// Interfaces that are recorded under one name.
#[derive(Debug)]
struct Group {
    name: String,
    kind: BridgeKind,
    members: Vec<(u32, Role)>,
}

pub(super) fn plan(inventory: &Inventory, names: &[String]) -> Plan {
    let mut plan = Plan::default();
    let groups = if names.is_empty() {
        found(inventory, &mut plan)
    } else {
        named(inventory, names, &mut plan)
    };
    let chosen = choose(inventory, &groups, &mut plan);
    if names.is_empty() {
        route_beside(inventory, &groups, &chosen, &mut plan);
    }
    hidden(inventory, &groups, &chosen, &mut plan);
    for group in groups {
        let Ok(number) = u16::try_from(plan.bridges.len()) else {
            plan.warnings.push(format!("too many bridges: {} is left out", group.name));
            continue;
        };
        for (ifindex, _) in &group.members {
            let Some(way) = chosen.get(ifindex).filter(|way| way.group == group.name) else {
                continue;
            };
            let Some(link) = inventory.link(*ifindex) else { continue };
            plan.attachments.push(Attachment {
                ifindex: *ifindex,
                name: link.name.clone(),
                bridge: number,
                ingress: way.ingress,
                egress: way.egress,
            });
        }
        plan.bridges.push((group.name, Some(group.kind)));
    }
    plan
}

/// Every bridge with a port; without one, the interfaces of the default routes.
fn found(inventory: &Inventory, plan: &mut Plan) -> Vec<Group> {
    let mut groups: Vec<Group> =
        bridges(inventory, plan).into_iter().filter(|group| group.members.len() > 1).collect();
    if !groups.is_empty() {
        return groups;
    }
    for ifindex in &inventory.default_routes {
        groups.extend(inventory.link(*ifindex).map(alone));
    }
    if groups.is_empty() {
        plan.warnings.push(
            "this host has no bridge with a port and no default route: waiting for one to come \
             (or name an interface with -i)"
                .into(),
        );
    }
    groups
}

fn named(inventory: &Inventory, names: &[String], plan: &mut Plan) -> Vec<Group> {
    let mut ignored = Plan::default();
    let mut groups = Vec::new();
    for name in names.iter().collect::<BTreeSet<_>>() {
        let bridge = bridges(inventory, &mut ignored).into_iter().find(|group| group.name == *name);
        match (bridge, inventory.link_named(name)) {
            (Some(bridge), _) => groups.push(bridge),
            (None, Some(link)) => groups.push(alone(link)),
            (None, None) => {
                plan.warnings.push(not_there(inventory, name));
                plan.missing.push(name.clone());
            }
        }
    }
    let chosen: BTreeSet<&str> = groups.iter().map(|group| group.name.as_str()).collect();
    // What can't be seen of a bridge concerns who asked for it.
    plan.warnings.extend(unseen(inventory, &|bridge| chosen.contains(bridge)));
    groups.sort_by_key(|group| group.kind == BridgeKind::Interface);
    groups
}

fn alone(link: &Link) -> Group {
    Group {
        name: link.name.clone(),
        kind: BridgeKind::Interface,
        members: vec![(link.ifindex, Role::Alone)],
    }
}

/// All bridges of the host, by name, each with its own interface first.
fn bridges(inventory: &Inventory, plan: &mut Plan) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for bridge in inventory.links.iter().filter(|link| link.kind == LinkKind::Bridge) {
        let ports = inventory.links.iter().filter(|link| link.master == Some(bridge.ifindex));
        let own = std::iter::once((bridge.ifindex, Role::Host));
        groups.push(Group {
            name: bridge.name.clone(),
            kind: BridgeKind::Linux,
            members: own.chain(ports.map(|port| (port.ifindex, Role::Port))).collect(),
        });
    }
    for bridge in inventory.ovs.iter().flat_map(|ovs| &ovs.bridges) {
        let member = |port: &crate::OvsPort| {
            let role = match port.kind {
                OvsPortKind::Internal | OvsPortKind::Tap => Role::Host,
                _ => Role::Port,
            };
            // A port without an interface of this namespace still makes it a bridge with a port.
            (port.ifindex.unwrap_or(0), role)
        };
        let theirs = bridge.ports.iter().filter(|port| !port.ours);
        let (own, others): (Vec<_>, Vec<_>) = theirs.partition(|port| port.name == bridge.name);
        groups.push(Group {
            name: bridge.name.clone(),
            kind: BridgeKind::Ovs,
            members: own.into_iter().chain(others).map(member).collect(),
        });
    }
    plan.warnings.extend(unseen(inventory, &|_| true));
    groups.sort_by(|a, b| a.name.cmp(&b.name));
    groups
}

/// Ports of OVS whose frames tc never sees.
fn unseen(inventory: &Inventory, of: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut told = Vec::new();
    for bridge in inventory.ovs.iter().flat_map(|ovs| &ovs.bridges).filter(|b| of(&b.name)) {
        for port in bridge.ports.iter().filter(|port| !port.ours) {
            let (port_name, bridge_name) = (&port.name, &bridge.name);
            match &port.kind {
                OvsPortKind::Dpdk | OvsPortKind::Afxdp => told.push(format!(
                    "{port_name} of {bridge_name} bypasses the kernel: what enters by it is not \
                     seen (mode mirror sees it: --mode mirror -i {bridge_name})"
                )),
                OvsPortKind::Tunnel(kind) if port.ifindex.is_none() => told.push(format!(
                    "{port_name} of {bridge_name} is a {kind} tunnel inside OVS: what enters by it is \
                     seen only in its outer packets (mode mirror sees it: --mode mirror -i \
                     {bridge_name})"
                )),
                OvsPortKind::Internal | OvsPortKind::System | OvsPortKind::Tap
                    if port.ifindex.is_none() =>
                {
                    told.push(format!(
                        "{port_name} of {bridge_name} is not in this network namespace: what enters \
                         by it is not seen"
                    ));
                }
                _ => {}
            }
        }
    }
    told
}

/// How one interface is tapped, and under which name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Way {
    group: String,
    ingress: bool,
    egress: bool,
}

/// One way at most for each interface, by the rules of the module above.
fn choose(inventory: &Inventory, groups: &[Group], plan: &mut Plan) -> BTreeMap<u32, Way> {
    let of_bridges = groups.iter().filter(|group| group.kind != BridgeKind::Interface);
    let mut ports: BTreeMap<u32, &str> = BTreeMap::new();
    let mut hosts: BTreeMap<u32, &str> = BTreeMap::new();
    for group in of_bridges {
        for (ifindex, role) in &group.members {
            let roles = if *role == Role::Host { &mut hosts } else { &mut ports };
            // A tunnel's one interface may serve several bridges: the first has it.
            roles.entry(*ifindex).or_insert(&group.name);
        }
    }
    let mut chosen = BTreeMap::new();
    for group in groups {
        for (ifindex, role) in &group.members {
            let Some(link) = inventory.link(*ifindex) else { continue };
            let cable = match role {
                Role::Port => is_cable(inventory, link, &ports, &hosts, plan),
                Role::Host => ports.contains_key(ifindex),
                Role::Alone => is_redundant(inventory, link, &ports, &hosts, &chosen, plan),
            };
            if cable {
                continue;
            }
            if !link.ethernet {
                plan.warnings.push(format!(
                    "{} carries no Ethernet frames (a tunnel of IP alone): it is not recorded",
                    link.name
                ));
                continue;
            }
            // What the loopback interface sends, it receives.
            let outwards =
                *role == Role::Host || (*role == Role::Alone && link.kind != LinkKind::Loopback);
            chosen.entry(*ifindex).or_insert_with(|| Way {
                group: group.name.clone(),
                ingress: *role != Role::Host,
                egress: outwards,
            });
        }
    }
    stacked(inventory, &mut chosen, plan);
    chosen
}

/// A port by which only what has entered another tapped bridge comes in.
fn is_cable(
    inventory: &Inventory,
    port: &Link,
    ports: &BTreeMap<u32, &str>,
    hosts: &BTreeMap<u32, &str>,
    plan: &mut Plan,
) -> bool {
    if hosts.contains_key(&port.ifindex) {
        return true;
    }
    if port.kind == LinkKind::Veth {
        return port.lower.is_some_and(|peer| ports.contains_key(&peer));
    }
    // A VLAN of one bridge that is a port of another.
    let Some(below) = lowers(inventory, port).find(|lower| hosts.contains_key(lower)) else {
        return false;
    };
    let name = |names: &BTreeMap<u32, &str>, ifindex| {
        names.get(ifindex).copied().unwrap_or("?").to_owned()
    };
    let (upper, lower) = (name(ports, &port.ifindex), name(hosts, &below));
    plan.warnings.push(format!(
        "{} joins {upper} to {lower}: what {upper} sends into {lower} is recorded in both",
        port.name
    ));
    true
}

/// An interface that was named beside something that records it already.
fn is_redundant(
    inventory: &Inventory,
    link: &Link,
    ports: &BTreeMap<u32, &str>,
    hosts: &BTreeMap<u32, &str>,
    chosen: &BTreeMap<u32, Way>,
    plan: &mut Plan,
) -> bool {
    let name = &link.name;
    if let Some(bridge) = ports.get(&link.ifindex).or_else(|| hosts.get(&link.ifindex)) {
        plan.warnings.push(format!("{name} is recorded as a part of {bridge}"));
        return true;
    }
    let peer = link.lower.filter(|_| link.kind == LinkKind::Veth);
    if let Some(bridge) = peer.and_then(|peer| ports.get(&peer)) {
        plan.warnings
            .push(format!("{name} is the other end of a port of {bridge}, which records it"));
        return true;
    }
    if let Some(way) =
        peer.and_then(|peer| chosen.get(&peer)).filter(|way| way.ingress && way.egress)
    {
        plan.warnings.push(format!(
            "{name} is the other end of {}, which is recorded both ways: once is enough",
            way.group
        ));
        return true;
    }
    let beside = |other: &&Link| {
        link.master.is_some() && other.master == link.master && chosen.contains_key(&other.ifindex)
    };
    if let Some(other) = inventory.links.iter().find(beside)
        && !inventory.link(link.master.unwrap_or(0)).is_some_and(|master| master.kind.is_union())
    {
        plan.warnings.push(format!(
            "{name} and {} are ports of one bridge: what passes from one to the other is recorded \
             on both (name the bridge instead to see it once)",
            other.name
        ));
    }
    false
}

/// Takes away what is recorded below (VLAN upon its carrier) or above (part of a bond).
fn stacked(inventory: &Inventory, chosen: &mut BTreeMap<u32, Way>, plan: &mut Plan) {
    let before = chosen.clone();
    for (ifindex, way) in chosen.iter_mut() {
        let Some(link) = inventory.link(*ifindex) else { continue };
        let union = link
            .master
            .filter(|master| inventory.link(*master).is_some_and(|master| master.kind.is_union()));
        for other in lowers(inventory, link).chain(union) {
            let Some(covering) = before.get(&other) else { continue };
            if !(way.ingress && covering.ingress || way.egress && covering.egress) {
                continue;
            }
            way.ingress &= !covering.ingress;
            way.egress &= !covering.egress;
            let other = inventory.link(other).map_or("?", |other| other.name.as_str());
            plan.warnings.push(format!("what passes {} is recorded on {other}", link.name));
        }
    }
    chosen.retain(|_, way| way.ingress || way.egress);
}

/// What stands below an interface, downwards.
fn lowers<'a>(inventory: &'a Inventory, link: &'a Link) -> impl Iterator<Item = u32> + 'a {
    // No stack is as high; a circle (which the kernel forbids) would not hold us.
    const HEIGHT_MAX: usize = 16;
    let below = |link: &Link| link.lower.filter(|_| link.kind.is_upper());
    std::iter::successors(below(link), move |ifindex| below(inventory.link(*ifindex)?))
        .take(HEIGHT_MAX)
}

/// The default route's interface, when bridges were found and it is none of theirs.
fn route_beside(
    inventory: &Inventory,
    groups: &[Group],
    chosen: &BTreeMap<u32, Way>,
    plan: &mut Plan,
) {
    for route in inventory.default_routes.iter().filter_map(|ifindex| inventory.link(*ifindex)) {
        let belongs = |ifindex: u32| {
            chosen.contains_key(&ifindex)
                || groups.iter().any(|group| group.members.iter().any(|(own, _)| *own == ifindex))
        };
        let peer = route.lower.filter(|_| route.kind == LinkKind::Veth);
        let below = lowers(inventory, route).chain(peer);
        if !belongs(route.ifindex) && !below.into_iter().any(belongs) {
            plan.warnings.push(format!(
                "{} has the default route and is no port of a recorded bridge: it is not recorded \
                 (to record it too, name it and the bridges with -i)",
                route.name
            ));
        }
    }
}

/// What may be forwarded past the kernel.
fn hidden(inventory: &Inventory, groups: &[Group], chosen: &BTreeMap<u32, Way>, plan: &mut Plan) {
    let ovs = groups.iter().any(|group| group.kind == BridgeKind::Ovs);
    let offloaded = ovs && inventory.ovs.as_ref().is_some_and(|ovs| ovs.hw_offload);
    if offloaded {
        plan.warnings.push(
            "Open vSwitch has other_config:hw-offload=true: frames forwarded in hardware are NOT \
             seen (ovs-vsctl set Open_vSwitch . other_config:hw-offload=false, then restart it)"
                .into(),
        );
    }
    for link in chosen.keys().filter_map(|ifindex| inventory.link(*ifindex)) {
        if link.hw_tc_offload {
            plan.warnings.push(offload_warning(&link.name));
        }
        let in_bridge = link.master.and_then(|master| inventory.link(master));
        if let Some(bridge) =
            in_bridge.filter(|bridge| link.switched && bridge.kind == LinkKind::Bridge)
        {
            plan.warnings.push(format!(
                "{} is a port of a switch chip: what the chip forwards within {} is NOT seen",
                link.name, bridge.name
            ));
        }
    }
}

pub(super) fn offload_warning(name: &str) -> String {
    format!(
        "{name} has hw-tc-offload on: frames that tc rules forward in hardware are NOT seen \
         (ethtool -K {name} hw-tc-offload off)"
    )
}

#[cfg(test)]
#[path = "ghost_tests.rs"]
mod tests;
