//! The values of a filter: numbers, ports, networks, hardware addresses, and the names of some.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::transport::{ICMP, ICMPV6, IGMP, SCTP, TCP, UDP};

pub(super) fn protocol(name: &str) -> Option<u8> {
    Some(match name {
        "icmp" => ICMP,
        "igmp" => IGMP,
        "tcp" => TCP,
        "udp" => UDP,
        "gre" => 47,
        "esp" => 50,
        "ah" => 51,
        "icmp6" | "icmpv6" | "ipv6-icmp" => ICMPV6,
        "ospf" => 89,
        "pim" => 103,
        "vrrp" | "carp" => 112,
        "sctp" => SCTP,
        _ => return None,
    })
}

pub(super) fn number(text: &str, max: u32) -> Option<u32> {
    let value = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
        None => text.parse().ok()?,
    };
    (value <= max).then_some(value)
}

pub(super) fn port(text: &str) -> Option<u16> {
    let named = match text {
        "ftp-data" => 20,
        "ftp" => 21,
        "ssh" => 22,
        "telnet" => 23,
        "smtp" => 25,
        "domain" | "dns" => 53,
        "bootps" => 67,
        "bootpc" => 68,
        "tftp" => 69,
        "http" | "www" => 80,
        "kerberos" => 88,
        "pop3" => 110,
        "ntp" => 123,
        "netbios-ns" => 137,
        "netbios-ssn" => 139,
        "imap" | "imap2" => 143,
        "snmp" => 161,
        "bgp" => 179,
        "ldap" => 389,
        "https" => 443,
        "microsoft-ds" => 445,
        "isakmp" => 500,
        "syslog" => 514,
        "ldaps" => 636,
        "imaps" => 993,
        "pop3s" => 995,
        "mysql" => 3306,
        "sip" => 5060,
        "mdns" => 5353,
        "postgresql" => 5432,
        _ => return number(text, 0xffff).map(|port| port as u16),
    };
    Some(named)
}

/// `10.0.0.0/8`, `192.168` (its own prefix), `fe80::/10`
pub(super) fn net(text: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix.parse::<u8>().ok()?)),
        None => (text, None),
    };
    if let Ok(address) = Ipv6Addr::from_str(address) {
        let prefix = prefix.unwrap_or(128);
        return (prefix <= 128).then_some((IpAddr::V6(address), prefix));
    }
    let mut octets = [0u8; 4];
    let mut count = 0;
    for part in address.split('.') {
        *octets.get_mut(count)? = part.parse().ok()?;
        count += 1;
    }
    let prefix = prefix.unwrap_or(count as u8 * 8);
    (prefix <= 32).then_some((IpAddr::V4(Ipv4Addr::from(octets)), prefix))
}

pub(super) fn hardware(text: &str) -> Option<[u8; 6]> {
    let mut address = [0; 6];
    let mut count = 0;
    for part in text.split([':', '-']) {
        *address.get_mut(count)? = u8::from_str_radix(part, 16).ok()?;
        count += 1;
    }
    (count == 6).then_some(address)
}
