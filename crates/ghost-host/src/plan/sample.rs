//! Hosts to plan for, written down as an operator would tell of them.

use super::Plan;
use crate::{Inventory, Link, LinkKind, LinkStats, Ovs, OvsBridge, OvsPort, OvsPortKind, Settings};

pub(crate) fn names(words: &str) -> Vec<String> {
    words.split_ascii_whitespace().map(str::to_owned).collect()
}

#[derive(Debug, Default)]
pub(crate) struct Host {
    pub(crate) inventory: Inventory,
}

impl Host {
    /// One with its loopback only.
    pub(crate) fn new() -> Host {
        Host::default().link("lo", LinkKind::Loopback)
    }

    pub(crate) fn link(mut self, name: &str, kind: LinkKind) -> Host {
        let ifindex = u32::try_from(self.inventory.links.len()).unwrap() + 1;
        self.inventory.links.push(Link {
            ifindex,
            name: name.into(),
            kind,
            master: None,
            lower: None,
            mac: Some([2, 0, 0, 0, 0, 1]),
            mtu: 1500,
            up: true,
            ethernet: true,
            switched: false,
            hw_tc_offload: false,
            stats: LinkStats::default(),
        });
        self
    }

    pub(crate) fn nic(self, name: &str) -> Host {
        self.link(name, LinkKind::Physical)
    }

    pub(crate) fn layer3(self, name: &str) -> Host {
        self.link(name, LinkKind::Other("wireguard".into()))
            .with(name, |link| link.ethernet = false)
    }

    /// Changes an interface.
    pub(crate) fn with(mut self, name: &str, change: impl FnOnce(&mut Link)) -> Host {
        change(self.inventory.links.iter_mut().find(|link| link.name == name).unwrap());
        self
    }

    pub(crate) fn mtu(self, name: &str, mtu: u32) -> Host {
        self.with(name, |link| link.mtu = mtu)
    }

    /// One interface upon another.
    pub(crate) fn vlan(self, name: &str, below: &str) -> Host {
        let below = self.ifindex(below);
        self.link(name, LinkKind::Vlan).with(name, |link| link.lower = Some(below))
    }

    /// A cable with both ends on this host.
    pub(crate) fn veth(self, a: &str, b: &str) -> Host {
        let host = self.link(a, LinkKind::Veth).link(b, LinkKind::Veth);
        let (first, second) = (host.ifindex(a), host.ifindex(b));
        host.with(a, |link| link.lower = Some(second)).with(b, |link| link.lower = Some(first))
    }

    /// A Linux bridge; ports that do not exist yet are NICs.
    pub(crate) fn bridge(self, name: &str, ports: &[&str]) -> Host {
        self.link(name, LinkKind::Bridge).under(name, ports)
    }

    pub(crate) fn under(mut self, master: &str, ports: &[&str]) -> Host {
        let index = self.ifindex(master);
        for port in ports {
            if self.inventory.link_named(port).is_none() {
                self = self.nic(port);
            }
            self = self.with(port, |link| link.master = Some(index));
        }
        self
    }

    /// An OVS bridge with its LOCAL port; ports that do not exist yet are NICs.
    pub(crate) fn ovs(mut self, name: &str, ports: &[&str]) -> Host {
        self = self.link(name, LinkKind::Tun);
        self.inventory.ovs.get_or_insert_default().bridges.push(OvsBridge {
            name: name.into(),
            datapath_type: "netdev".into(),
            ports: vec![],
            settings: Settings::new(),
        });
        self = self.port(name, name, OvsPortKind::Internal);
        for port in ports {
            if self.inventory.link_named(port).is_none() {
                self = self.nic(port);
            }
            self = self.port(name, port, OvsPortKind::System);
        }
        self
    }

    /// A port of an OVS bridge, with its interface if there is one of that name.
    pub(crate) fn port(mut self, bridge: &str, name: &str, kind: OvsPortKind) -> Host {
        let ifindex = self.inventory.link_named(name).map(|link| link.ifindex);
        let bridges = &mut self.inventory.ovs.as_mut().unwrap().bridges;
        let bridge = bridges.iter_mut().find(|own| own.name == bridge).unwrap();
        bridge.ports.push(OvsPort {
            name: name.into(),
            kind,
            ifindex,
            ours: false,
            port_settings: Settings::new(),
            settings: Settings::new(),
        });
        self
    }

    /// A port that we made.
    pub(crate) fn own_port(mut self, bridge: &str, name: &str) -> Host {
        self = self.link(name, LinkKind::Tun).port(bridge, name, OvsPortKind::Internal);
        let Ovs { bridges, .. } = self.inventory.ovs.as_mut().unwrap();
        bridges
            .iter_mut()
            .flat_map(|own| &mut own.ports)
            .find(|port| port.name == name)
            .unwrap()
            .ours = true;
        self
    }

    pub(crate) fn default_route(mut self, name: &str) -> Host {
        let ifindex = self.ifindex(name);
        self.inventory.default_routes.push(ifindex);
        self
    }

    fn ifindex(&self, name: &str) -> u32 {
        self.inventory.link_named(name).unwrap().ifindex
    }

    /// A plan in one line: `br0: p0< br0>`, `eth0: eth0<>` (inwards, outwards).
    pub(crate) fn shown(&self, plan: &Plan) -> String {
        let mut groups = Vec::new();
        for (number, (name, _)) in plan.bridges.iter().enumerate() {
            let taps: Vec<String> = plan
                .attachments
                .iter()
                .filter(|tap| usize::from(tap.bridge) == number)
                .map(|tap| {
                    let (inwards, outwards) =
                        (if tap.ingress { "<" } else { "" }, if tap.egress { ">" } else { "" });
                    format!("{}{inwards}{outwards}", tap.name)
                })
                .collect();
            groups.push(format!("{name}: {}", taps.join(" ")));
        }
        groups.join(", ")
    }
}
