//! What the host has at one moment.

use crate::switch::{self, Ovs};
use crate::{HostError, Link, LinkKind, netlink};
use std::path::PathBuf;

/// Where to ask.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sources {
    /// The socket of Open vSwitch's database; `None`: the usual places.
    pub ovs_socket: Option<PathBuf>,
}

/// The host's links and bridges at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    /// By number.
    pub links: Vec<Link>,
    /// `None`: no Open vSwitch here, or it does not answer (see `troubles`).
    pub ovs: Option<Ovs>,
    /// Interfaces of the default routes: IPv4's, then IPv6's if that is another.
    pub default_routes: Vec<u32>,
    /// What could not be asked, for the operator.
    pub troubles: Vec<String>,
}

impl Inventory {
    /// Takes stock of the calling thread's network namespace, and of Open vSwitch at its usual
    /// place. A switch that does not answer is a trouble, not an error.
    ///
    /// # Errors
    ///
    /// When the kernel can't be asked.
    pub fn read() -> Result<Inventory, HostError> {
        Inventory::read_from(&Sources::default())
    }

    /// As [`read`](Inventory::read), from places of the caller's choice.
    ///
    /// # Errors
    ///
    /// When the kernel can't be asked.
    pub fn read_from(sources: &Sources) -> Result<Inventory, HostError> {
        let mut troubles = Vec::new();
        // The switch first: an interface that it has just made is then among the links.
        let mut ovs = match switch::socket(sources.ovs_socket.as_deref()) {
            Some(path) => switch::replicate(&path)
                .map(|(_, tables)| Ovs::of(&tables))
                .map_err(|err| troubles.push(err.to_string()))
                .ok(),
            None => None,
        };
        let mut socket = netlink::Socket::route()?;
        let mut links = netlink::links(&mut socket)?;
        let default_routes = netlink::default_routes(&mut socket)?;
        let hardware: Vec<u32> = links
            .iter()
            .filter(|link| link.kind == LinkKind::Physical)
            .map(|link| link.ifindex)
            .collect();
        let offloading = netlink::hw_tc_offload(&hardware);
        for link in &mut links {
            link.hw_tc_offload = offloading.contains(&link.ifindex);
        }
        if let Some(ovs) = &mut ovs {
            ovs.find_interfaces(&links);
        }
        Ok(Inventory { links, ovs, default_routes, troubles })
    }

    /// A link by its number.
    pub fn link(&self, ifindex: u32) -> Option<&Link> {
        self.links.iter().find(|link| link.ifindex == ifindex)
    }

    /// A link by its name.
    pub fn link_named(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }
}
