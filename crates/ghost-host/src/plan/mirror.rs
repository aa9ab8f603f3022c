//! Mode mirror: OVS copies what it forwards to a port of ours, one for each bridge.

use super::{Attachment, BridgeKind, Plan, PlanError, not_there};
use crate::{Inventory, Mirror};

pub(super) fn plan(inventory: &Inventory, names: &[String]) -> Result<Plan, PlanError> {
    let mut plan = Plan::default();
    let Some(ovs) = &inventory.ovs else { return Err(PlanError::NoOvs) };
    let mut wanted: Vec<&str> = if names.is_empty() {
        ovs.bridges.iter().map(|bridge| bridge.name.as_str()).collect()
    } else {
        names.iter().map(String::as_str).collect()
    };
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.is_empty() {
        plan.warnings.push("Open vSwitch has no bridge now: waiting for one to come".into());
    }
    for name in wanted {
        let Some(bridge) = ovs.bridges.iter().find(|bridge| bridge.name == name) else {
            if inventory.link_named(name).is_some() {
                return Err(PlanError::NotOvs { name: name.to_owned() });
            }
            plan.warnings.push(not_there(inventory, name));
            plan.missing.push(name.to_owned());
            continue;
        };
        let Ok(number) = u16::try_from(plan.bridges.len()) else { break };
        plan.bridges.push((bridge.name.clone(), Some(BridgeKind::Ovs)));
        let mirror = Mirror::of(&bridge.name);
        let output = bridge.ports.iter().find(|port| port.ours && port.name == mirror.output);
        let link = output.and_then(|port| inventory.link(port.ifindex?));
        plan.attachments.extend(link.map(|link| Attachment {
            ifindex: link.ifindex,
            name: link.name.clone(),
            bridge: number,
            ingress: true,
            egress: false,
        }));
        plan.mirrors.push(mirror);
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Host, names};
    use super::*;
    use crate::{Mode, Wish, plan};

    #[test]
    fn a_mirror_is_wanted_first_and_read_once_it_is_there() {
        let wish = Wish { interfaces: vec![], mode: Mode::Mirror };
        let host = Host::new().ovs("ovs0", &["p0"]);
        let first = plan(&host.inventory, &wish).unwrap();
        assert_eq!(first.mirrors, [Mirror::of("ovs0")]);
        assert!(first.attachments.is_empty());
        let host = host.own_port("ovs0", &Mirror::of("ovs0").output);
        let second = plan(&host.inventory, &wish).unwrap();
        assert_eq!(host.shown(&second), "ovs0: gbm-ovs0<");
    }

    #[test]
    fn only_an_ovs_bridge_can_be_mirrored() {
        let wish = |words| Wish { interfaces: names(words), mode: Mode::Mirror };
        let host = Host::new().ovs("ovs0", &["p0"]).bridge("br0", &["q0"]);
        let refused = plan(&host.inventory, &wish("br0")).unwrap_err().to_string();
        assert!(refused.contains("br0 is no OVS bridge"), "{refused}");
        assert_eq!(plan(&host.inventory, &wish("ovs9")).unwrap().missing, names("ovs9"));
        let refused = plan(&Host::new().inventory, &wish("")).unwrap_err();
        assert_eq!(refused, PlanError::NoOvs);
    }
}
