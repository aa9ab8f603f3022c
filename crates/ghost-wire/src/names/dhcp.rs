//! DHCP for both families: what a device calls itself, and the address it is given.
//!
//! Promises: host name (option 12, else the first label-joined name of option 81 or DHCPv6's 39),
//! vendor class, kind of message; an address is learned where one message holds both it and the
//! name. Not promised: binding a later answer to an earlier question: each message stands alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::dns::Name;
use super::limits::DHCP_RELAYS_MAX;
use super::read::Reader;
use crate::{LearnedFrom, Sink, fields};

const MAGIC: [u8; 4] = [99, 130, 83, 99];

const KINDS_V4: [&[u8]; 18] = [
    b"discover",
    b"offer",
    b"request",
    b"decline",
    b"ack",
    b"nak",
    b"release",
    b"inform",
    b"forcerenew",
    b"leasequery",
    b"leaseunassigned",
    b"leaseunknown",
    b"leaseactive",
    b"bulkleasequery",
    b"leasequerydone",
    b"activeleasequery",
    b"leasequerystatus",
    b"tls",
];

/// One DHCP or BOOTP message; false where it is none.
pub(crate) fn v4(bytes: &[u8], sink: &mut dyn Sink) -> bool {
    read_v4(bytes, sink).is_some()
}

fn read_v4(bytes: &[u8], sink: &mut dyn Sink) -> Option<()> {
    let mut reader = Reader::new(bytes);
    let operation = reader.u8()?;
    let (_kind, address_len) = (reader.u8()?, reader.u8()?);
    reader.skip(1)?;
    let transaction = reader.array::<4>()?;
    reader.skip(4)?;
    let current = Ipv4Addr::from(reader.array::<4>()?);
    let given = Ipv4Addr::from(reader.array::<4>()?);
    reader.skip(8)?;
    let client = reader.array::<6>()?;
    reader.skip(10 + 64 + 128)?;
    if !matches!(operation, 1 | 2) || address_len > 16 {
        return None;
    }
    match reader.array::<4>() {
        Some(MAGIC) => {}
        // BOOTP without options names nobody.
        _ => return (bytes.len() == 300 && operation <= 2).then_some(()),
    }
    let mut message = 0;
    let mut host: &[u8] = &[];
    let mut domain = Name::new();
    let mut full: &[u8] = &[];
    let mut asked = None;
    let [mut server, mut router, mut names] = [[0_u8; 4]; 3];
    while let Some(code) = reader.u8() {
        if code == 0 {
            continue;
        }
        if code == 255 {
            break;
        }
        let Some(value) = reader.vector8() else { break };
        match (code, value) {
            (53, &[kind]) => message = kind,
            (12, name) => host = trim(name),
            (60, class) if !trim(class).is_empty() => sink.field(fields::DHCP_VENDOR, trim(class)),
            (54, &[a, b, c, d]) => server = [a, b, c, d],
            (3, &[a, b, c, d, ..]) => router = [a, b, c, d],
            (6, &[a, b, c, d, ..]) => names = [a, b, c, d],
            (50, &[a, b, c, d]) => asked = Some(Ipv4Addr::new(a, b, c, d)),
            (81, &[flags, _, _, ref name @ ..]) => {
                // The E bit: written as DNS does, else as text.
                if flags & 4 != 0 {
                    let mut inside = Reader::new(name);
                    // A partial name has no end.
                    if domain.read(name, &mut inside).is_some() || !domain.text().is_empty() {
                        full = b"dns";
                    }
                } else {
                    full = trim(name);
                }
            }
            _ => {}
        }
    }
    if full == b"dns" {
        full = domain.text();
    }
    let kind = usize::from(message).checked_sub(1).and_then(|at| KINDS_V4.get(at));
    sink.field(fields::DHCP_TYPE, kind.unwrap_or(&&b"bootp"[..]));
    if matches!(message, 2 | 5) {
        let mut lease = [0; 23];
        let parts = [&[message], &client[..], &transaction, &server, &router, &names];
        for (to, from) in lease.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        sink.field(fields::DHCP_LEASE, &lease);
    }
    let name = if host.is_empty() { full } else { host };
    if name.is_empty() || name == b"<Root>" {
        return Some(());
    }
    sink.field(fields::DHCP_HOSTNAME, name);
    let address = match message {
        3 => asked.or(Some(current)),
        5 => Some(given),
        8 => Some(current),
        _ => None,
    };
    if let Some(address) = address.filter(|address| !address.is_unspecified()) {
        sink.learned(IpAddr::V4(address), name, LearnedFrom::Dhcp);
    }
    Some(())
}

fn trim(text: &[u8]) -> &[u8] {
    let end = memchr::memchr(0, text).unwrap_or(text.len());
    text.get(..end).unwrap_or(text).trim_ascii()
}

const KINDS_V6: [&[u8]; 13] = [
    b"solicit",
    b"advertise",
    b"request",
    b"confirm",
    b"renew",
    b"rebind",
    b"reply",
    b"release",
    b"decline",
    b"reconfigure",
    b"information-request",
    b"relay-forw",
    b"relay-repl",
];

/// One DHCPv6 message; false where it is none.
pub(crate) fn v6(bytes: &[u8], sink: &mut dyn Sink) -> bool {
    read_v6(bytes, DHCP_RELAYS_MAX, sink).is_some()
}

fn read_v6(bytes: &[u8], relays: u8, sink: &mut dyn Sink) -> Option<()> {
    let mut reader = Reader::new(bytes);
    let message = reader.u8()?;
    let kind = KINDS_V6.get(usize::from(message).checked_sub(1)?)?;
    let relayed = matches!(message, 12 | 13);
    reader.skip(if relayed { 33 } else { 3 })?;
    // Options must fill the message exactly: there is no other sign of DHCPv6.
    let mut probe = reader;
    let mut count = 0;
    while !probe.is_empty() {
        probe.u16()?;
        probe.vector16()?;
        count += 1;
    }
    if count == 0 {
        return None;
    }
    if !relayed {
        sink.field(fields::DHCP_TYPE, kind);
    }
    let mut name = Name::new();
    let mut named = false;
    let mut address = None;
    while let (Some(code), Some(value)) = (reader.u16(), reader.vector16()) {
        let mut inside = Reader::new(value);
        match code {
            9 if relayed && relays > 0 => {
                read_v6(value, relays - 1, sink);
            }
            16 => {
                if inside.skip(4).is_some()
                    && let Some(class) =
                        inside.vector16().map(trim).filter(|class| !class.is_empty())
                {
                    sink.field(fields::DHCP_VENDOR, class);
                }
            }
            39 => {
                let text = value.get(1..).unwrap_or(&[]);
                let read = name.read(text, &mut Reader::new(text));
                named = (read.is_some() || !text.is_empty()) && name.text() != b"<Root>";
            }
            3 => address = address.or_else(|| leased(inside, 12)),
            4 => address = address.or_else(|| leased(inside, 4)),
            _ => {}
        }
    }
    if named {
        sink.field(fields::DHCP_HOSTNAME, name.text());
        if let (Some(address), 3 | 5 | 6 | 7) = (address, message) {
            sink.learned(IpAddr::V6(address), name.text(), LearnedFrom::Dhcp);
        }
    }
    Some(())
}

/// The first address of an association, whose options begin behind `head` octets.
fn leased(mut reader: Reader<'_>, head: usize) -> Option<Ipv6Addr> {
    reader.skip(head)?;
    loop {
        let (code, value) = (reader.u16()?, reader.vector16()?);
        if code == 5 {
            return Reader::new(value).array::<16>().map(Ipv6Addr::from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::kept::Kept;
    use super::*;

    fn message(options: &[&[u8]]) -> Vec<u8> {
        let mut out = vec![1, 1, 6, 0];
        out.resize(236, 0);
        out[19] = 9;
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&options.concat());
        out.push(255);
        out
    }

    #[test]
    fn a_request_tells_the_device_and_teaches_its_address() {
        let bytes = message(&[
            &[53, 1, 3],
            b"\x0c\x06tablet",
            b"\x3c\x07android",
            &[50, 4, 10, 0, 0, 7],
            &[0, 0],
        ]);
        let mut kept = Kept::default();
        assert!(v4(&bytes, &mut kept));
        assert_eq!(kept.values(fields::DHCP_TYPE), ["request"]);
        assert_eq!(kept.values(fields::DHCP_HOSTNAME), ["tablet"]);
        assert_eq!(kept.values(fields::DHCP_VENDOR), ["android"]);
        assert_eq!(kept.learned[0].0.to_string(), "10.0.0.7");
        assert_eq!(kept.learned[0].1, "tablet");
    }

    #[test]
    fn a_full_name_serves_where_there_is_no_host_name() {
        for name in
            [&b"\x51\x0d\x04\x00\x00\x03lap\x04home\x00"[..], b"\x51\x0b\x00\x00\x00lap.home"]
        {
            let mut kept = Kept::default();
            assert!(v4(&message(&[&[53, 1, 1], name]), &mut kept));
            assert_eq!(kept.values(fields::DHCP_HOSTNAME), ["lap.home"]);
            assert!(kept.learned.is_empty(), "a discover knows no address");
        }
    }

    #[test]
    fn dhcpv6_is_read_through_relays() {
        let mut inner = vec![5, 1, 2, 3];
        inner.extend_from_slice(b"\x00\x27\x00\x0b\x00\x03lap\x04home\x00");
        inner.extend_from_slice(b"\x00\x10\x00\x0e\x00\x00\x01\x37\x00\x08MSFT 5.0");
        let mut association = vec![0, 3, 0, 40];
        association.extend_from_slice(&[0; 12]);
        association.extend_from_slice(&[0, 5, 0, 24, 0x20, 1, 0xd, 0xb8]);
        association.extend_from_slice(&[0; 11]);
        association.push(7);
        association.extend_from_slice(&[0; 8]);
        inner.extend_from_slice(&association);
        let mut outer = vec![12];
        outer.extend_from_slice(&[0; 33]);
        outer.extend_from_slice(&[0, 9, 0, inner.len() as u8]);
        outer.extend_from_slice(&inner);
        for bytes in [inner, outer] {
            let mut kept = Kept::default();
            assert!(v6(&bytes, &mut kept));
            assert_eq!(kept.values(fields::DHCP_TYPE), ["renew"]);
            assert_eq!(kept.values(fields::DHCP_HOSTNAME), ["lap.home"]);
            assert_eq!(kept.values(fields::DHCP_VENDOR), ["MSFT 5.0"]);
            assert_eq!(kept.learned[0].0.to_string(), "2001:db8::7");
        }
    }

    #[test]
    fn other_octets_are_no_message() {
        assert!(!v4(&[7; 300], &mut Kept::default()));
        assert!(!v6(&[1, 2, 3, 4], &mut Kept::default()));
        assert!(!v6(b"GET / HTTP/1.1\r\n\r\n", &mut Kept::default()));
    }

    #[test]
    fn any_octets_are_read_without_a_panic() {
        bolero::check!().with_iterations(4000).for_each(|bytes: &[u8]| {
            v4(&message(&[bytes]), &mut Kept::default());
            v4(bytes, &mut Kept::default());
            v6(bytes, &mut Kept::default());
            v6(&[&[3, 0, 0, 0][..], bytes].concat(), &mut Kept::default());
        });
    }
}
