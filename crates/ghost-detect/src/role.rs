//! What part a device plays, by what it is called, what it says of itself and what it serves.
//!
//! A name is read by its words: `printer-2`, `NPI3A7F11`, `DESKTOP-4F2K9Q1`, `esx03.lab`. Only the
//! first label counts, so that `camera` under `printers.example` is a camera, and names of the
//! internet say nothing (the caller leaves them out).
//!
//! Not promised: that a device is what its owner called it.

use ghost_event::{AppBy, Features, Role};

/// Words of names that stand alone, between hyphens, underscores or digits.
const WORDS: &[(&str, Role)] = &[
    ("printer", Role::Printer),
    ("laserjet", Role::Printer),
    ("officejet", Role::Printer),
    ("deskjet", Role::Printer),
    ("pixma", Role::Printer),
    ("epson", Role::Printer),
    ("kyocera", Role::Printer),
    ("lexmark", Role::Printer),
    ("copier", Role::Printer),
    ("mfp", Role::Printer),
    ("camera", Role::Camera),
    ("ipcam", Role::Camera),
    ("webcam", Role::Camera),
    ("cam", Role::Camera),
    ("nvr", Role::Camera),
    ("hikvision", Role::Camera),
    ("reolink", Role::Camera),
    ("doorbell", Role::Camera),
    ("iphone", Role::Phone),
    ("android", Role::Phone),
    ("galaxy", Role::Phone),
    ("pixel", Role::Phone),
    ("oneplus", Role::Phone),
    ("redmi", Role::Phone),
    ("yealink", Role::Phone),
    ("snom", Role::Phone),
    ("polycom", Role::Phone),
    ("phone", Role::Phone),
    ("esx", Role::Hypervisor),
    ("esxi", Role::Hypervisor),
    ("vcenter", Role::Hypervisor),
    ("proxmox", Role::Hypervisor),
    ("pve", Role::Hypervisor),
    ("hyperv", Role::Hypervisor),
    ("hypervisor", Role::Hypervisor),
    ("xenserver", Role::Hypervisor),
    ("kvm", Role::Hypervisor),
    ("router", Role::Gateway),
    ("gateway", Role::Gateway),
    ("gw", Role::Gateway),
    ("fritz", Role::Gateway),
    ("firewall", Role::Gateway),
    ("openwrt", Role::Gateway),
    ("pfsense", Role::Gateway),
    ("opnsense", Role::Gateway),
    ("mikrotik", Role::Gateway),
    ("plc", Role::Controller),
    ("desktop", Role::Workstation),
    ("laptop", Role::Workstation),
    ("notebook", Role::Workstation),
    ("workstation", Role::Workstation),
    ("macbook", Role::Workstation),
    ("imac", Role::Workstation),
    ("thinkpad", Role::Workstation),
    ("pc", Role::Workstation),
    ("server", Role::Server),
    ("srv", Role::Server),
    ("nas", Role::Server),
    ("diskstation", Role::Server),
    ("dc", Role::Server),
    ("ns", Role::NameServer),
    ("dns", Role::NameServer),
    ("pihole", Role::NameServer),
];

/// Beginnings of names that makers give: followed by digits of the hardware address.
const MAKERS: &[(&str, Role)] = &[
    ("npi", Role::Printer),
    ("brn", Role::Printer),
    ("brw", Role::Printer),
    ("hp", Role::Printer),
    ("canon", Role::Printer),
    ("axis-", Role::Camera),
    ("sep", Role::Phone),
    ("win-", Role::Server),
    ("desktop-", Role::Workstation),
    ("laptop-", Role::Workstation),
];

/// The part that a device's own name tells.
pub(crate) fn of_name(name: &str) -> Option<Role> {
    let label = name.split('.').next().unwrap_or(name);
    if label.is_empty() || label.len() > 63 {
        return None;
    }
    let lower = label.to_ascii_lowercase();
    // A maker's name and six digits of an address, all of it hex and not a word.
    let made = MAKERS.iter().find(|(head, _)| {
        lower.strip_prefix(head).is_some_and(|rest| {
            let hex = rest.bytes().all(|b| b.is_ascii_hexdigit());
            let named = head.ends_with('-') && rest.bytes().all(|b| b.is_ascii_alphanumeric());
            rest.len() >= 6 && (hex || named) && rest.bytes().any(|b| b.is_ascii_digit())
        })
    });
    if let Some((_, role)) = made {
        return Some(*role);
    }
    let words = lower.split(|c: char| !c.is_ascii_alphabetic()).filter(|w| !w.is_empty());
    let told = words.filter_map(|w| WORDS.iter().find(|(word, _)| *word == w).map(|(_, r)| *r));
    // Of several the one that says most: `printer-server-pc` is a printer's.
    told.max_by_key(|role| super::known::rank(*role))
}

/// Beginnings of DHCP vendor classes (option 60), in small letters.
const VENDORS: &[(&str, Role)] = &[
    ("android-dhcp", Role::Phone),
    ("cisco systems, inc. ip phone", Role::Phone),
    ("polycom", Role::Phone),
    ("yealink", Role::Phone),
    ("snom", Role::Phone),
    ("hewlett-packard jetdirect", Role::Printer),
    ("hewlett-packard laserjet", Role::Printer),
    ("hewlett-packard officejet", Role::Printer),
    ("mfg=hewlett packard", Role::Printer),
    ("canon", Role::Printer),
    ("xerox", Role::Printer),
    ("brother", Role::Printer),
    ("kyocera", Role::Printer),
    ("lexmark", Role::Printer),
    ("epson", Role::Printer),
    ("axis,", Role::Camera),
    ("axis network camera", Role::Camera),
    ("hikvision", Role::Camera),
    ("dahua", Role::Camera),
    ("vmware-esx", Role::Hypervisor),
    ("msft ", Role::Workstation),
];

/// The part that a DHCP client's vendor class tells.
pub(crate) fn of_vendor(vendor: &str) -> Option<Role> {
    let lower = vendor.trim().to_ascii_lowercase();
    VENDORS.iter().find(|(head, _)| lower.starts_with(head)).map(|(_, role)| *role)
}

/// What an address is that answered this flow.
pub(crate) fn of_service(f: &Features) -> Option<Role> {
    if f.to_client.packets == 0 {
        return None;
    }
    if f.to_client.payload_bytes > 0
        && let Some(role) = hypervisor_port(f)
    {
        return Some(role);
    }
    Some(match f.app {
        "dns" | "doh" | "dot" | "doq" | "dnscrypt" => Role::NameServer,
        "ipp" | "jetdirect" | "lpd" => Role::Printer,
        "rtsp" => Role::Camera,
        "modbus" | "s7comm" | "enip" | "dnp3" | "iec104" | "bacnet" | "knx" | "mms" | "opcua"
        | "fins" | "hart-ip" | "ams-ads" | "niagara-fox" | "codesys" | "profinet" => {
            Role::Controller
        }
        "" | "icmp" | "icmpv6" | "dhcp" | "dhcpv6" | "mdns" | "llmnr" | "ssdp" | "wsd" | "nbns"
        | "nbdgm" => return None,
        _ => Role::Server,
    })
}

/// Ports at which hypervisors are managed, answered with what is spoken there.
fn hypervisor_port(f: &Features) -> Option<Role> {
    let tls = f.app == "tls" && f.app_by == AppBy::Signature;
    let vmware = f.dst_port == 902
        && f.names.all("ghost.software").any(|s| s.to_ascii_lowercase().contains("vmware"));
    let managed = tls && matches!(f.dst_port, 8006 | 16514 | 2179);
    (vmware || managed).then_some(Role::Hypervisor)
}

/// What an address is that sends this.
pub(crate) fn of_speaker(f: &Features) -> Option<Role> {
    match f.app {
        "ospf" | "bgp" | "eigrp" | "rip" | "ripng" | "vrrp" | "hsrp" | "glbp" | "pim" | "bfd" => {
            Some(Role::Gateway)
        }
        "skinny" | "sip" => Some(Role::Phone),
        "dhcp" if f.names.all("dhcp.types").any(|t| t == "offer" || t == "ack") => {
            // The server speaks from port 67.
            (f.src_port == 67).then_some(Role::Gateway)
        }
        "dhcp" if f.src_port == 68 => {
            let vendor = f.names.get("dhcp.vendor_class").and_then(of_vendor);
            vendor.or_else(|| f.names.get("dhcp.hostname").and_then(of_name))
        }
        "icmpv6" if f.icmp == Some((134, 0)) => Some(Role::Gateway),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_what_its_name_says() {
        for (name, role) in [
            ("NPI3A7F11", Some(Role::Printer)),
            ("BRW008092AABBCC.local", Some(Role::Printer)),
            ("office-printer-2.example", Some(Role::Printer)),
            ("axis-00408cab12cd.local", Some(Role::Camera)),
            ("front-cam1", Some(Role::Camera)),
            ("Annas-iPhone.local", Some(Role::Phone)),
            ("android-2f9a77b1c0", Some(Role::Phone)),
            ("DESKTOP-4F2K9Q1", Some(Role::Workstation)),
            ("bob-pc", Some(Role::Workstation)),
            ("WIN-8QK2V1LTBB9", Some(Role::Server)),
            ("esx03.lab.example", Some(Role::Hypervisor)),
            ("pve1", Some(Role::Hypervisor)),
            ("fritz.box", Some(Role::Gateway)),
            ("ns2.example", Some(Role::NameServer)),
            ("srv-files", Some(Role::Server)),
            ("campus.example", None),
            ("scampi", None),
            ("hp", None),
            ("separate", None),
            ("www.printer.example", None),
            ("", None),
        ] {
            assert_eq!(of_name(name), role, "{name}");
        }
    }

    #[test]
    fn a_device_is_what_its_lease_request_says() {
        assert_eq!(of_vendor("Hewlett-Packard JetDirect"), Some(Role::Printer));
        assert_eq!(of_vendor("MSFT 5.0"), Some(Role::Workstation));
        assert_eq!(of_vendor("android-dhcp-13"), Some(Role::Phone));
        assert_eq!(of_vendor("udhcp 1.30.1"), None);
    }

    #[test]
    fn any_name_is_read() {
        bolero::check!().with_iterations(2000).for_each(|name: &[u8]| {
            let _ = of_name(&String::from_utf8_lossy(name));
        });
    }
}
