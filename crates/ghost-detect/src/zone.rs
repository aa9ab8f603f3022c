//! Where an address stands, seen from the bridge: told by the address alone.
//!
//! Not promised: that an "internal" address is one's own. Behind another's VPN it is theirs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ghost_event::Zone;

/// The zone of an address.
#[must_use]
pub fn zone(address: IpAddr) -> Zone {
    match address {
        IpAddr::V4(a) => zone4(a),
        IpAddr::V6(a) => zone6(a),
    }
}

fn zone4(a: Ipv4Addr) -> Zone {
    let [first, second, ..] = a.octets();
    if a.is_broadcast() {
        Zone::Broadcast
    } else if a.is_multicast() {
        Zone::Multicast
    } else if a.is_loopback() || a.is_unspecified() {
        Zone::Host
    } else if a.is_private()
        || a.is_link_local()
        || (first == 100 && second & 0xc0 == 64) // shared by carriers (RFC 6598)
        || (first == 198 && second & 0xfe == 18)
    // benchmarks (RFC 2544)
    {
        Zone::Internal
    } else if first == 0 || first >= 240 {
        Zone::Unknown
    } else {
        Zone::Internet
    }
}

fn zone6(a: Ipv6Addr) -> Zone {
    let first = a.segments()[0];
    if let Some(mapped) = a.to_ipv4_mapped() {
        zone4(mapped)
    } else if a.is_multicast() {
        Zone::Multicast
    } else if a.is_loopback() || a.is_unspecified() {
        Zone::Host
    } else if first & 0xffc0 == 0xfe80 || first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfec0 {
        Zone::Internal
    } else {
        Zone::Internet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_stand_where_their_registries_put_them() {
        for (address, expected) in [
            ("10.1.2.3", Zone::Internal),
            ("172.31.0.1", Zone::Internal),
            ("172.32.0.1", Zone::Internet),
            ("192.168.1.1", Zone::Internal),
            ("169.254.3.4", Zone::Internal),
            ("100.64.0.1", Zone::Internal),
            ("100.128.0.1", Zone::Internet),
            ("8.8.8.8", Zone::Internet),
            ("127.0.0.1", Zone::Host),
            ("0.0.0.0", Zone::Host),
            ("224.0.0.251", Zone::Multicast),
            ("255.255.255.255", Zone::Broadcast),
            ("250.0.0.1", Zone::Unknown),
            ("::1", Zone::Host),
            ("fe80::1", Zone::Internal),
            ("fd00::1", Zone::Internal),
            ("ff02::fb", Zone::Multicast),
            ("2001:4860:4860::8888", Zone::Internet),
            ("::ffff:10.0.0.1", Zone::Internal),
        ] {
            assert_eq!(zone(address.parse().unwrap()), expected, "{address}");
        }
    }
}
