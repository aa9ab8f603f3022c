//! What stands under `proto`: the protocol's name as EVE and IANA write it, else its number.

use std::borrow::Cow;

use crate::Proto;

/// The text of a protocol.
#[must_use]
pub fn proto_name(proto: Proto) -> Cow<'static, str> {
    let known = match proto {
        Proto::Ip(number) => ip(number),
        Proto::Ether(number) => ether(number),
    };
    match (known, proto) {
        (Some(name), _) => Cow::Borrowed(name),
        (None, Proto::Ip(number)) => Cow::Owned(number.to_string()),
        (None, Proto::Ether(number)) => Cow::Owned(format!("0x{number:04x}")),
    }
}

fn ip(number: u8) -> Option<&'static str> {
    Some(match number {
        0 => "HOPOPT",
        1 => "ICMP",
        2 => "IGMP",
        4 => "IPIP",
        6 => "TCP",
        8 => "EGP",
        17 => "UDP",
        33 => "DCCP",
        41 => "IPv6",
        46 => "RSVP",
        47 => "GRE",
        50 => "ESP",
        51 => "AH",
        58 => "IPv6-ICMP",
        59 => "IPv6-NoNxt",
        88 => "EIGRP",
        89 => "OSPF",
        97 => "ETHERIP",
        103 => "PIM",
        108 => "IPComp",
        112 => "VRRP",
        115 => "L2TP",
        132 => "SCTP",
        136 => "UDPLite",
        137 => "MPLS-in-IP",
        _ => return None,
    })
}

fn ether(number: u16) -> Option<&'static str> {
    Some(match number {
        0x0042 => "STP",
        0x0806 => "ARP",
        0x8035 => "RARP",
        0x888e => "EAPOL",
        0x88cc => "LLDP",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocol_without_a_name_is_its_number() {
        assert_eq!(proto_name(Proto::Ip(6)), "TCP");
        assert_eq!(proto_name(Proto::Ip(58)), "IPv6-ICMP");
        assert_eq!(proto_name(Proto::Ip(253)), "253");
        assert_eq!(proto_name(Proto::Ether(0x0806)), "ARP");
        assert_eq!(proto_name(Proto::Ether(0x88b5)), "0x88b5");
    }
}
