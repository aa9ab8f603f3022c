//! What was learned of addresses: names they are called by, and the part they play.
//!
//! A name that a device gives itself (DHCP, mDNS, NetBIOS) stays before a name under which
//! somebody looked it up (DNS), since many services share an address.

use std::net::IpAddr;

use ghost_event::{Features, Role, Zone};

use crate::bounded::Bounded;
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
}

/// Longest name kept.
const NAME_BYTES_MAX: usize = 255;

impl Known {
    pub(crate) fn new(max: usize) -> Known {
        Known { hosts: Bounded::new(max) }
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
        }
    }

    pub(crate) fn name(&self, address: Option<IpAddr>) -> Option<&str> {
        self.hosts.get(&address?)?.name.as_deref()
    }

    /// Learns the roles that a flow shows.
    pub(crate) fn observe(&mut self, f: &Features) {
        let answered = f.to_client.packets > 0;
        if let Some(dst) = f.dst_ip
            && answered
            && let Some(role) = served_role(f.app)
        {
            self.play(dst, role);
        }
        if let Some(src) = f.src_ip
            && let Some(role) = speaker_role(f)
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
fn rank(role: Role) -> u8 {
    match role {
        Role::Unknown => 0,
        Role::Client => 1,
        Role::Server => 2,
        Role::Phone => 3,
        Role::NameServer => 4,
        Role::Gateway => 5,
        Role::Printer | Role::Camera | Role::Controller | Role::Group => 6,
    }
}

/// What an address is that answered this application.
fn served_role(app: &str) -> Option<Role> {
    Some(match app {
        "dns" | "doh" | "dot" | "doq" | "dnscrypt" => Role::NameServer,
        "ipp" | "jetdirect" | "lpd" => Role::Printer,
        "rtsp" => Role::Camera,
        "modbus" | "s7comm" | "enip" | "dnp3" | "iec104" | "bacnet" | "knx" | "mms" | "opcua"
        | "fins" | "hart-ip" | "ams-ads" | "niagara-fox" | "codesys" | "profinet" => {
            Role::Controller
        }
        "" | "icmp" | "icmpv6" | "dhcp" | "dhcpv6" | "mdns" | "llmnr" | "ssdp" => return None,
        _ => Role::Server,
    })
}

/// What an address is that sends this.
fn speaker_role(f: &Features) -> Option<Role> {
    match f.app {
        "ospf" | "bgp" | "eigrp" | "rip" | "ripng" | "vrrp" | "hsrp" | "glbp" | "pim" | "bfd" => {
            Some(Role::Gateway)
        }
        "skinny" | "sip" => Some(Role::Phone),
        "dhcp" if f.names.all("dhcp.types").any(|t| t == "offer" || t == "ack") => {
            // The server speaks from port 67.
            (f.src_port == 67).then_some(Role::Gateway)
        }
        "dhcp" if vendor_is_phone(f.names.get("dhcp.vendor_class").unwrap_or("")) => {
            Some(Role::Phone)
        }
        "icmpv6" if f.icmp == Some((134, 0)) => Some(Role::Gateway),
        _ => None,
    }
}

fn vendor_is_phone(vendor: &str) -> bool {
    let lower = vendor.to_ascii_lowercase();
    ["android-dhcp", "cisco systems, inc. ip phone", "polycom", "yealink", "snom"]
        .iter()
        .any(|phone| lower.contains(phone))
}
