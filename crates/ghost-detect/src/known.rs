//! What was learned of addresses: names they are called by, and the part they play.
//!
//! A name that a device gives itself (DHCP, mDNS, NetBIOS) stays before a name under which
//! somebody looked it up (DNS), since many services share an address.

use std::net::IpAddr;

use ghost_event::{Features, MacAddr, Role, Zone};

use crate::bounded::Bounded;
use crate::role;
use crate::zone::zone;

#[derive(Debug, Default)]
struct Host {
    name: Option<Box<str>>,
    /// The name is the device's own.
    own: bool,
    role: Role,
}

/// Names and roles, by address.
#[derive(Debug)]
pub(crate) struct Known {
    hosts: Bounded<IpAddr, Host>,
    /// What devices said of themselves before they had an address.
    devices: Bounded<MacAddr, Role>,
}

/// Longest name kept.
const NAME_BYTES_MAX: usize = 255;

impl Known {
    pub(crate) fn new(max: usize) -> Known {
        Known { hosts: Bounded::new(max), devices: Bounded::new(max / 4) }
    }

    /// `address` is called `name`; `source` is `dhcp`, `mdns`, `netbios` or `dns`.
    pub(crate) fn learn(&mut self, address: IpAddr, name: &str, source: &str) {
        let nobody = matches!(zone(address), Zone::Multicast | Zone::Broadcast | Zone::Host);
        if name.is_empty() || name.len() > NAME_BYTES_MAX || nobody {
            return;
        }
        let own = source != "dns";
        let host = self.hosts.entry(address, Host::default);
        if (own || !host.own) && host.name.as_deref() != Some(name) {
            host.name = Some(name.into());
            host.own = own;
            // What it is called on the internet, and by whom, is no matter of its own.
            if zone(address) == Zone::Internal
                && let Some(role) = role::of_name(name)
            {
                self.play(address, role);
            }
        }
    }

    pub(crate) fn name(&self, address: Option<IpAddr>) -> Option<&str> {
        self.hosts.get(&address?)?.name.as_deref()
    }

    /// Learns the roles that a flow shows.
    pub(crate) fn observe(&mut self, f: &Features) {
        if let Some(dst) = f.dst_ip
            && let Some(role) = role::of_service(f)
        {
            self.play(dst, role);
        }
        if let Some(src) = f.src_ip
            && let Some(role) = role::of_speaker(f)
        {
            match f.src_mac {
                Some(mac) if zone(src) == Zone::Host => {
                    let known = self.devices.entry(mac, || role);
                    if rank(role) >= rank(*known) {
                        *known = role;
                    }
                }
                _ => self.play(src, role),
            }
        }
    }

    /// A flow began: an address that a device has now is what the device said of itself.
    pub(crate) fn started(&mut self, f: &Features) {
        if let (Some(src), Some(mac)) = (f.src_ip, f.src_mac)
            && let Some(role) = self.devices.get(&mac).copied()
            && zone(src) == Zone::Internal
        {
            self.play(src, role);
        }
    }

    fn play(&mut self, address: IpAddr, role: Role) {
        if matches!(zone(address), Zone::Multicast | Zone::Broadcast | Zone::Host) {
            return;
        }
        let host = self.hosts.entry(address, Host::default);
        if rank(role) >= rank(host.role) {
            host.role = role;
        }
    }

    /// The role of the side that opened a flow.
    pub(crate) fn source_role(&self, f: &Features) -> Role {
        let Some(address) = f.src_ip else { return Role::Unknown };
        match self.hosts.get(&address).map_or(Role::Unknown, |h| h.role) {
            Role::Unknown | Role::Server => Role::Client,
            role => role,
        }
    }

    /// The role of the side that was asked.
    pub(crate) fn target_role(&self, f: &Features) -> Role {
        let Some(address) = f.dst_ip else { return Role::Unknown };
        if matches!(zone(address), Zone::Multicast | Zone::Broadcast) {
            return Role::Group;
        }
        match self.hosts.get(&address).map_or(Role::Unknown, |h| h.role) {
            Role::Unknown if f.to_client.packets > 0 => Role::Server,
            role => role,
        }
    }
}

/// The more a role says, the longer it stays.
pub(crate) fn rank(role: Role) -> u8 {
    match role {
        Role::Unknown => 0,
        Role::Client => 1,
        Role::Server => 2,
        Role::Workstation => 3,
        Role::Phone => 4,
        Role::NameServer => 5,
        Role::Gateway => 6,
        Role::Printer | Role::Camera | Role::Controller | Role::Hypervisor | Role::Group => 7,
    }
}
