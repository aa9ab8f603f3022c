//! ghost-fast and inline: two interfaces, joined by us.

use super::{Attachment, BridgeKind, Mode, Plan, PlanError, not_there};
use crate::{Inventory, Link, LinkKind};

pub(super) fn plan(inventory: &Inventory, names: &[String], mode: Mode) -> Result<Plan, PlanError> {
    let [a, b] = names else {
        return Err(PlanError::NotTwo { mode, given: names.to_vec() });
    };
    if a == b {
        return Err(PlanError::NotTwo { mode, given: vec![a.clone()] });
    }
    let mut plan = Plan::default();
    let mut ends = Vec::new();
    for name in [a, b] {
        match inventory.link_named(name) {
            Some(link) => {
                check(inventory, link, mode)?;
                ends.push(link);
            }
            None => {
                plan.warnings.push(not_there(inventory, name));
                plan.missing.push(name.clone());
            }
        }
    }
    let &[left, right] = ends.as_slice() else { return Ok(plan) };
    if left.lower == Some(right.ifindex) && right.lower == Some(left.ifindex) {
        return Err(PlanError::Loop { a: a.clone(), b: b.clone() });
    }
    if left.mtu != right.mtu {
        plan.warnings.push(format!(
            "{a} has MTU {} and {b} {}: frames too long for the smaller are lost; make them equal",
            left.mtu, right.mtu
        ));
    }
    for link in [left, right] {
        if link.hw_tc_offload {
            plan.warnings.push(super::ghost::offload_warning(&link.name));
        }
    }
    plan.bridges.push((format!("{a}+{b}"), Some(BridgeKind::Wire)));
    plan.attachments.extend([left, right].map(|link| Attachment {
        ifindex: link.ifindex,
        name: link.name.clone(),
        bridge: 0,
        ingress: true,
        egress: false,
    }));
    Ok(plan)
}

fn check(inventory: &Inventory, link: &Link, mode: Mode) -> Result<(), PlanError> {
    let name = link.name.clone();
    let ovs = inventory.ovs.iter().flat_map(|ovs| &ovs.bridges);
    let in_ovs = ovs
        .clone()
        .find(|bridge| bridge.name != name && bridge.ports.iter().any(|port| port.name == name));
    let master = in_ovs.map(|bridge| bridge.name.clone()).or_else(|| {
        let master = link.master?;
        Some(inventory.link(master).map_or_else(|| "another interface".into(), |m| m.name.clone()))
    });
    if let Some(master) = master {
        return Err(PlanError::Taken { mode, name, master });
    }
    if link.kind == LinkKind::Bridge || ovs.clone().any(|bridge| bridge.name == name) {
        return Err(PlanError::IsBridge { mode, name });
    }
    if !link.ethernet || link.kind == LinkKind::Loopback {
        return Err(PlanError::NotEthernet { name });
    }
    if inventory.default_routes.contains(&link.ifindex) {
        return Err(PlanError::HostRoute { mode, name });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Host, names};
    use super::*;
    use crate::{Wish, plan};

    fn wire(host: &Host, words: &str) -> Result<Plan, PlanError> {
        plan(&host.inventory, &Wish { interfaces: names(words), mode: Mode::GhostFast })
    }

    #[test]
    fn two_interfaces_make_a_wire() {
        let host = Host::new().nic("eth1").nic("eth2");
        let plan = wire(&host, "eth2 eth1").unwrap();
        assert_eq!(plan.bridges, [("eth2+eth1".to_owned(), Some(BridgeKind::Wire))]);
        assert_eq!(host.shown(&plan), "eth2+eth1: eth2< eth1<");
        assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
    }

    #[test]
    fn any_other_number_is_told_with_what_was_given() {
        let host = Host::new().nic("eth1").nic("eth2").nic("eth3");
        for (given, words) in
            [("", "not none"), ("eth1", "not one (eth1)"), ("eth1 eth1", "not one")]
        {
            let said = wire(&host, given).unwrap_err().to_string();
            assert!(said.contains(words) && said.contains("ghost-fast"), "{said}");
        }
        let said = wire(&host, "eth1 eth2 eth3").unwrap_err().to_string();
        assert!(said.contains("not 3 (eth1, eth2, eth3)"), "{said}");
    }

    #[test]
    fn an_interface_that_is_not_there_is_waited_for() {
        let plan = wire(&Host::new().nic("eth1"), "eth1 eth7").unwrap();
        assert_eq!((plan.attachments.len(), plan.missing), (0, names("eth7")));
        assert!(plan.warnings[0].contains("eth7"));
    }

    #[test]
    fn what_would_cut_somebody_off_is_refused() {
        let host = Host::new()
            .bridge("br0", &["p0"])
            .nic("eth0")
            .default_route("eth0")
            .veth("v0", "v1")
            .nic("eth1")
            .ovs("ovs0", &["q0"])
            .layer3("wg0");
        for (words, part) in [
            ("p0 eth1", "p0 is a port of br0"),
            ("q0 eth1", "q0 is a port of ovs0"),
            ("br0 eth1", "br0 is a bridge"),
            ("ovs0 eth1", "ovs0 is a bridge"),
            ("eth1 eth0", "default route"),
            ("v0 v1", "loop"),
            ("wg0 eth1", "no Ethernet"),
        ] {
            let said = wire(&host, words).unwrap_err().to_string();
            assert!(said.contains(part), "{words}: {said}");
        }
    }

    #[test]
    fn unequal_mtus_are_told() {
        let host = Host::new().nic("eth1").nic("eth2").mtu("eth2", 9000);
        let plan = wire(&host, "eth1 eth2").unwrap();
        assert!(plan.warnings[0].contains("MTU 1500") && plan.warnings[0].contains("9000"));
    }
}
