//! NetBIOS over UDP: the names Windows machines claim, ask for and are known by.
//!
//! Promises: names as people write them, without padding and service octet; an address is learned
//! from a registration, a positive answer or a datagram's own header. Group names (workgroups) teach no
//! address. Not promised: scopes, which nobody uses.

use std::net::{IpAddr, Ipv4Addr};

use super::read::Reader;
use crate::{LearnedFrom, Sink, fields};

const NB: u16 = 0x20;
const NBSTAT: u16 = 0x21;
const GROUP: u8 = 0x80;

/// Services whose name is the machine's: workstation, messenger, file server.
fn is_machine(service: u8) -> bool {
    matches!(service, 0x00 | 0x03 | 0x20)
}

/// One message of the name service (port 137); false where it is none.
pub(crate) fn name_service(bytes: &[u8], sink: &mut dyn Sink) -> bool {
    read_name_service(bytes, sink).is_some()
}

fn read_name_service(bytes: &[u8], sink: &mut dyn Sink) -> Option<()> {
    let mut reader = Reader::new(bytes);
    reader.u16()?;
    let flags = reader.u16()?;
    let counts = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
    if !matches!(flags >> 11 & 0xf, 0 | 5..=9) || counts.iter().any(|&count| count > 16) {
        return None;
    }
    let response = flags & 0x8000 != 0;
    let [questions, records @ ..] = counts;
    let mut told = None;
    for _ in 0..questions {
        let name = Name::read(bytes, &mut reader)?;
        let kind = reader.u16()?;
        reader.u16()?;
        if !matches!(kind, NB | NBSTAT) {
            return None;
        }
        name.tell(sink);
        told = Some(name);
    }
    for _ in 0..records.iter().sum() {
        let Some(name) = Name::read(bytes, &mut reader) else { break };
        if told.is_none() {
            name.tell(sink);
            told = Some(name);
        }
        let (Some(kind), Some(_), Some(data)) = (reader.u16(), reader.skip(6), reader.vector16())
        else {
            break;
        };
        match (kind, data) {
            (NB, &[group, _, a, b, c, d, ..]) if group & GROUP == 0 && is_machine(name.service) => {
                let address = Ipv4Addr::new(a, b, c, d);
                if !address.is_unspecified() {
                    sink.learned(IpAddr::V4(address), name.text(), LearnedFrom::Netbios);
                }
            }
            (NBSTAT, [count, entries @ ..]) if response => {
                for entry in entries.as_chunks::<18>().0.iter().take(usize::from(*count)) {
                    let name = Name::of_sixteen(entry);
                    name.tell(sink);
                }
            }
            _ => {}
        }
    }
    told.map(|_| ())
}

/// One datagram of the datagram service (port 138), as browsers and logons send; false where it is
/// none.
pub(crate) fn datagram_service(bytes: &[u8], sink: &mut dyn Sink) -> bool {
    read_datagram(bytes, sink).is_some()
}

fn read_datagram(bytes: &[u8], sink: &mut dyn Sink) -> Option<()> {
    let mut reader = Reader::new(bytes);
    let (kind, _flags) = (reader.u8()?, reader.u8()?);
    reader.u16()?;
    let address = Ipv4Addr::from(reader.array::<4>()?);
    reader.skip(2 + 4)?; // port, length, offset
    if !matches!(kind, 0x10..=0x12) {
        return None;
    }
    let source = Name::read(bytes, &mut reader)?;
    source.tell(sink);
    if is_machine(source.service) && !address.is_unspecified() {
        sink.learned(IpAddr::V4(address), source.text(), LearnedFrom::Netbios);
    }
    if let Some(target) = Name::read(bytes, &mut reader) {
        target.tell(sink);
    }
    Some(())
}

/// Fifteen octets and the service they are for.
#[derive(Debug, Clone, Copy)]
struct Name {
    text: [u8; 15],
    service: u8,
}

impl Name {
    /// A name at `reader`, each octet written as two letters; a pointer leads into `message`.
    fn read<'a>(message: &'a [u8], reader: &mut Reader<'a>) -> Option<Name> {
        let first = reader.u8()?;
        let mut at = *reader;
        if first >= 0xc0 {
            let to = usize::from(first & 0x3f) << 8 | usize::from(reader.u8()?);
            at = Reader::new(message.get(to..)?);
            if at.u8()? != 32 {
                return None;
            }
        } else if first != 32 {
            return None;
        }
        let letters = at.array::<32>()?;
        let mut octets = [0; 16];
        for (octet, pair) in octets.iter_mut().zip(letters.as_chunks::<2>().0) {
            let [high, low] = pair.map(|letter| letter.wrapping_sub(b'A'));
            if high > 15 || low > 15 {
                return None;
            }
            *octet = high << 4 | low;
        }
        if first < 0xc0 {
            // A scope is stepped over.
            loop {
                match at.u8()? {
                    0 => break,
                    len @ 1..=63 => at.skip(usize::from(len))?,
                    _ => return None,
                }
            }
            *reader = at;
        }
        Some(Name::of_sixteen(&octets))
    }

    fn of_sixteen(octets: &[u8]) -> Name {
        let mut name = Name { text: [b' '; 15], service: 0 };
        for (to, from) in name.text.iter_mut().zip(octets) {
            *to = *from;
        }
        name.service = octets.get(15).copied().unwrap_or(0);
        name
    }

    fn text(&self) -> &[u8] {
        let end = memchr::memchr(0, &self.text).unwrap_or(self.text.len());
        self.text.get(..end).unwrap_or(&[]).trim_ascii_end()
    }

    /// Neither the wildcard nor the browser's own mark is a name.
    fn tell(&self, sink: &mut dyn Sink) {
        if !matches!(self.text(), b"" | b"*" | b"\x01\x02__MSBROWSE__\x02") {
            sink.field(fields::NETBIOS_NAME, self.text());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::kept::Kept;
    use super::*;

    fn encoded(name: &str, service: u8) -> Vec<u8> {
        let mut octets = [b' '; 16];
        octets[..name.len()].copy_from_slice(name.as_bytes());
        octets[15] = service;
        let mut out = vec![32];
        octets.iter().for_each(|o| out.extend_from_slice(&[b'A' + (o >> 4), b'A' + (o & 15)]));
        out.push(0);
        out
    }

    fn registration(group: u8) -> Vec<u8> {
        let mut bytes = vec![0, 9, 0x29, 0x10, 0, 1, 0, 0, 0, 0, 0, 1];
        bytes.extend_from_slice(&encoded("LAPTOP", 0));
        bytes.extend_from_slice(&[0, 0x20, 0, 1, 0xc0, 12, 0, 0x20, 0, 1, 0, 0, 0, 0, 0, 6]);
        bytes.extend_from_slice(&[group, 0, 10, 0, 0, 5]);
        bytes
    }

    #[test]
    fn a_registration_tells_the_name_and_teaches_the_address() {
        let mut kept = Kept::default();
        assert!(name_service(&registration(0), &mut kept));
        assert_eq!(kept.values(fields::NETBIOS_NAME), ["LAPTOP"]);
        assert_eq!(kept.learned.len(), 1);
        assert_eq!(kept.learned[0].0.to_string(), "10.0.0.5");
        let mut kept = Kept::default();
        assert!(name_service(&registration(GROUP), &mut kept));
        assert!(kept.learned.is_empty(), "a workgroup is nobody's address");
    }

    #[test]
    fn a_datagram_names_its_sender() {
        let mut bytes = vec![0x11, 2, 0, 1, 10, 0, 0, 6, 0, 138, 0, 0, 0, 0];
        bytes.extend_from_slice(&encoded("DESK", 0x20));
        bytes.extend_from_slice(&encoded("WORKGROUP", 0x1d));
        let mut kept = Kept::default();
        assert!(datagram_service(&bytes, &mut kept));
        assert_eq!(kept.values(fields::NETBIOS_NAME), ["DESK", "WORKGROUP"]);
        assert_eq!(kept.learned[0].1, "DESK");
    }

    #[test]
    fn a_dns_message_is_none_of_these() {
        let dns = b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01";
        assert!(!name_service(dns, &mut Kept::default()));
        assert!(!datagram_service(dns, &mut Kept::default()));
    }

    #[test]
    fn any_octets_are_read_without_a_panic() {
        bolero::check!().with_iterations(4000).for_each(|bytes: &[u8]| {
            name_service(bytes, &mut Kept::default());
            datagram_service(bytes, &mut Kept::default());
            let mut bent = registration(0);
            for pair in bytes.as_chunks::<2>().0 {
                let at = usize::from(pair[0]) % bent.len();
                bent[at] = pair[1];
            }
            name_service(&bent, &mut Kept::default());
        });
    }
}
