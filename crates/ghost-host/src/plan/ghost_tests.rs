//! Where ghost mode attaches, host by host.

use super::super::sample::{Host, names};
use crate::{LinkKind, OvsPortKind, Plan, Wish, plan};

/// The plan without a name, then with these.
fn check(host: &Host, words: &str, expected: &str) -> Plan {
    let wish = Wish { interfaces: names(words), ..Wish::default() };
    let plan = plan(&host.inventory, &wish).unwrap();
    assert_eq!(host.shown(&plan), expected, "{:?}", plan.warnings);
    let mut seen: Vec<u32> = plan.attachments.iter().map(|tap| tap.ifindex).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), plan.attachments.len(), "an interface is recorded in one place");
    plan
}

fn quiet(host: &Host, words: &str, expected: &str) {
    let plan = check(host, words, expected);
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
}

fn told(host: &Host, words: &str, expected: &str, warnings: &[&str]) {
    let plan = check(host, words, expected);
    assert_eq!(plan.warnings.len(), warnings.len(), "{:?}", plan.warnings);
    for (said, part) in plan.warnings.iter().zip(warnings) {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn ports_are_tapped_inwards_and_the_bridge_itself_outwards() {
    let host = Host::new().bridge("br0", &["p0", "p1"]);
    quiet(&host, "", "br0: br0> p0< p1<");
    quiet(&host, "br0", "br0: br0> p0< p1<");
}

#[test]
fn an_ovs_bridge_is_tapped_at_its_ports_and_outwards_at_what_is_the_hosts() {
    let host = Host::new()
        .ovs("ovs0", &["p0"])
        .link("int0", LinkKind::Other("openvswitch".into()))
        .port("ovs0", "int0", OvsPortKind::Internal)
        .port("ovs0", "patch0", OvsPortKind::Patch);
    quiet(&host, "", "ovs0: ovs0> p0< int0>");
}

#[test]
fn every_bridge_with_a_port_is_found_whoever_made_it() {
    let host = Host::new()
        .bridge("virbr0", &["vnet0"])
        .bridge("docker0", &["veth1"])
        .bridge("empty0", &[])
        .ovs("ovs0", &["p0"])
        .ovs("ovs1", &[])
        .nic("eth0");
    quiet(&host, "", "docker0: docker0> veth1<, ovs0: ovs0> p0<, virbr0: virbr0> vnet0<");
}

#[test]
fn a_host_without_a_bridge_is_tapped_both_ways_where_its_default_routes_leave() {
    quiet(&Host::new().nic("eth0").default_route("eth0"), "", "eth0: eth0<>");
    let host = Host::new().bridge("br0", &[]).nic("eth0").nic("wan6");
    let host = host.default_route("eth0").default_route("wan6");
    quiet(&host, "", "eth0: eth0<>, wan6: wan6<>");
    quiet(&Host::new().bridge("br0", &[]).default_route("br0"), "", "br0: br0<>");
}

#[test]
fn a_host_with_neither_waits_for_one_to_come() {
    told(&Host::new().nic("eth0"), "", "", &["waiting for one to come"]);
}

#[test]
fn a_named_interface_is_tapped_both_ways_and_the_loopback_once() {
    let host = Host::new().bridge("br0", &["p0"]).nic("eth0").default_route("eth0");
    quiet(&host, "eth0", "eth0: eth0<>");
    quiet(&host, "p0", "p0: p0<>");
    quiet(&host, "lo", "lo: lo<");
    quiet(&host, "br0 eth0 eth0", "br0: br0> p0<, eth0: eth0<>");
}

#[test]
fn a_name_that_is_not_there_is_waited_for_beside_those_that_are() {
    let host = Host::new().nic("eth0");
    let plan = check(&host, "eth0 br7", "eth0: eth0<>");
    assert_eq!(plan.missing, names("br7"));
    assert!(plan.warnings[0].contains("br7") && plan.warnings[0].contains("there are: lo, eth0"));
}

#[test]
fn a_default_route_beside_the_bridges_is_told() {
    let host = Host::new().bridge("docker0", &["veth1"]).nic("eth0").default_route("eth0");
    told(&host, "", "docker0: docker0> veth1<", &["eth0 has the default route"]);
    let host = Host::new().bridge("br0", &["p0"]).default_route("br0");
    quiet(&host, "", "br0: br0> p0<");
    let host = Host::new().bridge("br0", &["p0"]).vlan("br0.5", "br0").default_route("br0.5");
    quiet(&host, "", "br0: br0> p0<");
    let host = Host::new().veth("v0", "v1").bridge("br0", &["v0"]).default_route("v1");
    quiet(&host, "", "br0: br0> v0<");
}

#[test]
fn a_cable_between_two_tapped_bridges_is_not_tapped() {
    // Bridges joined by a veth pair.
    let host =
        Host::new().veth("v0", "v1").bridge("br0", &["p0", "v0"]).bridge("br1", &["p1", "v1"]);
    quiet(&host, "", "br0: br0> p0<, br1: br1> p1<");
    // But where only one of them is tapped, what comes from the other enters by it.
    quiet(&host, "br0", "br0: br0> v0< p0<");
    // An internal port of OVS that is a port of a Linux bridge.
    let host = Host::new()
        .link("int0", LinkKind::Tun)
        .ovs("ovs0", &["p0"])
        .port("ovs0", "int0", OvsPortKind::Internal)
        .bridge("br0", &["int0", "p1"]);
    quiet(&host, "", "br0: br0> p1<, ovs0: ovs0> p0<");
    quiet(&host, "br0", "br0: br0> int0< p1<");
    // A Linux bridge that is a port of OVS.
    let host = Host::new().bridge("br0", &["p0"]).ovs("ovs0", &["br0", "q0"]);
    quiet(&host, "", "br0: p0<, ovs0: ovs0> q0<");
}

#[test]
fn a_vlan_of_one_bridge_in_another_is_a_cable_that_is_told() {
    let host =
        Host::new().bridge("br0", &["p0"]).vlan("br0.10", "br0").bridge("br1", &["br0.10", "p1"]);
    told(&host, "", "br0: br0> p0<, br1: br1> p1<", &["br0.10 joins br1 to br0"]);
}

#[test]
fn a_vlan_is_recorded_on_its_carrier_when_that_is_tapped_too() {
    let host = Host::new().nic("eth0").vlan("eth0.10", "eth0").bridge("br10", &["eth0.10"]);
    quiet(&host, "", "br10: br10> eth0.10<");
    let host = host.bridge("br0", &["eth0"]);
    told(&host, "", "br0: br0> eth0<, br10: br10>", &["what passes eth0.10 is recorded on eth0"]);
    let host = Host::new().nic("eth0").vlan("eth0.10", "eth0").vlan("eth0.10.7", "eth0.10");
    told(&host, "eth0 eth0.10.7", "eth0: eth0<>, eth0.10.7: ", &["eth0.10.7 is recorded on eth0"]);
    let macvlan = LinkKind::Other("macvlan".into());
    let host =
        Host::new().nic("eth0").link("mv0", macvlan).with("mv0", |link| link.lower = Some(2));
    told(&host, "eth0 mv0", "eth0: eth0<>, mv0: ", &["mv0 is recorded on eth0"]);
}

#[test]
fn a_bond_is_tapped_and_its_parts_are_not() {
    let host = Host::new().link("bond0", LinkKind::Bond).under("bond0", &["eth0", "eth1"]);
    let host = host.bridge("br0", &["bond0"]);
    quiet(&host, "", "br0: br0> bond0<");
    quiet(&host, "eth0", "eth0: eth0<>");
    told(&host, "bond0 eth0", "bond0: bond0<>, eth0: ", &["what passes eth0 is recorded on bond0"]);
}

#[test]
fn what_a_bridge_records_is_not_recorded_again_by_name() {
    let host = Host::new().veth("v0", "v1").bridge("br0", &["p0", "v0"]);
    told(&host, "br0 p0", "br0: br0> v0< p0<, p0: ", &["p0 is recorded as a part of br0"]);
    told(&host, "br0 v1", "br0: br0> v0< p0<, v1: ", &["v1 is the other end of a port of br0"]);
    told(&host, "v0 v1", "v0: v0<>, v1: ", &["v1 is the other end of v0"]);
    told(&host, "p0 v0", "p0: p0<>, v0: v0<>", &["v0 and p0 are ports of one bridge"]);
}

#[test]
fn tunnels_are_tapped_at_their_interface_once() {
    let vxlan = OvsPortKind::Tunnel("vxlan".into());
    let mut host = Host::new()
        .link("vxlan_sys_4789", LinkKind::Other("vxlan".into()))
        .ovs("ovs0", &["p0"])
        .port("ovs0", "vx0", vxlan.clone())
        .ovs("ovs1", &[])
        .port("ovs1", "vx1", vxlan.clone());
    for bridge in &mut host.inventory.ovs.as_mut().unwrap().bridges {
        bridge
            .ports
            .iter_mut()
            .filter(|port| port.kind == vxlan)
            .for_each(|port| port.ifindex = Some(2));
    }
    quiet(&host, "", "ovs0: ovs0> p0< vxlan_sys_4789<, ovs1: ovs1>");
    // Of the userspace datapath, a tunnel has no interface.
    let host = Host::new().ovs("ovs0", &["p0"]).port("ovs0", "vx0", vxlan);
    told(&host, "", "ovs0: ovs0> p0<", &["vx0 of ovs0 is a vxlan tunnel inside OVS"]);
}

#[test]
fn what_tc_can_never_see_is_told_with_the_way_out() {
    let host = Host::new()
        .ovs("ovs0", &["p0"])
        .port("ovs0", "dpdk0", OvsPortKind::Dpdk)
        .port("ovs0", "xdp0", OvsPortKind::Afxdp)
        .port("ovs0", "qdhcp", OvsPortKind::Internal);
    let warnings = ["dpdk0 of ovs0 bypasses the kernel", "--mode mirror -i ovs0", "namespace"];
    told(&host, "", "ovs0: ovs0> p0<", &warnings);
    let host = Host::new().layer3("wg0").default_route("wg0");
    told(&host, "", "wg0: ", &["wg0 carries no Ethernet"]);
}

#[test]
fn hardware_that_forwards_by_itself_is_told() {
    let mut host = Host::new().ovs("ovs0", &["p0"]).with("p0", |link| link.hw_tc_offload = true);
    host.inventory.ovs.as_mut().unwrap().hw_offload = true;
    told(&host, "", "ovs0: ovs0> p0<", &["hw-offload=true", "ethtool -K p0 hw-tc-offload off"]);
    let host = Host::new().bridge("br0", &["lan0"]).with("lan0", |link| link.switched = true);
    told(&host, "", "br0: br0> lan0<", &["lan0 is a port of a switch chip"]);
}

#[test]
fn our_own_mirror_port_is_nobodys_port() {
    let host = Host::new().ovs("ovs0", &["p0"]).own_port("ovs0", "gbm-ovs0");
    quiet(&host, "", "ovs0: ovs0> p0<");
}

#[test]
fn a_trouble_of_the_inventory_is_told_with_the_plan() {
    let mut host = Host::new().bridge("br0", &["p0"]);
    host.inventory.troubles.push("Open vSwitch does not answer".into());
    told(&host, "", "br0: br0> p0<", &["does not answer"]);
}
