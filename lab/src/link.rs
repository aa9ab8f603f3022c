//! Cables and bridges between namespaces. Offloads stay as the kernel sets them: what only works
//! with offloads off does not work.

use crate::{LabError, Namespace, command};

/// Lays a veth cable between two namespaces (or within one), both ends up.
///
/// # Errors
///
/// What `ip` says.
pub fn link_pair(a: &Namespace, a_name: &str, b: &Namespace, b_name: &str) -> Result<(), LabError> {
    command::run(
        None,
        &[
            "ip",
            "link",
            "add",
            a_name,
            "netns",
            a.name(),
            "type",
            "veth",
            "peer",
            "name",
            b_name,
            "netns",
            b.name(),
        ],
    )?;
    for (end, name) in [(a, a_name), (b, b_name)] {
        end.run(&["ip", "link", "set", name, "up"])?;
    }
    Ok(())
}

/// Makes a Linux bridge of these ports, up, forwarding at once (no spanning tree, no multicast
/// snooping delays).
///
/// # Errors
///
/// What `ip` says.
pub fn linux_bridge(namespace: &Namespace, name: &str, ports: &[&str]) -> Result<(), LabError> {
    namespace.run(&[
        "ip",
        "link",
        "add",
        name,
        "type",
        "bridge",
        "stp_state",
        "0",
        "forward_delay",
        "0",
    ])?;
    for port in ports {
        namespace.run(&["ip", "link", "set", port, "master", name])?;
    }
    namespace.run(&["ip", "link", "set", name, "up"]).map(drop)
}

/// Sends bridged packets through the host's firewall (the kernel's default), or not.
///
/// # Errors
///
/// When the kernel has no such setting (module `br_netfilter` is not there).
pub fn bridge_netfilter(namespace: &Namespace, on: bool) -> Result<(), LabError> {
    for family in ["iptables", "ip6tables", "arptables"] {
        let path = format!("net/bridge/bridge-nf-call-{family}");
        namespace.sysctl(&path, if on { "1" } else { "0" })?;
    }
    Ok(())
}
