//! The few facts of a certificate that an event holds: whose, by whom, until when.
//!
//! A bounded walk over DER, not a validation: nothing is verified, and a certificate that is not
//! DER tells nothing. Names are written as `C=DE, O=Example, CN=www.example.com`.

use super::limits::X509_NAME_OCTETS_MAX;
use super::read::Reader;
use crate::{Sink, fields};

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const BMP_STRING: u8 = 0x1e;
const VERSION: u8 = 0xa0;

/// Tells subject, issuer and end of validity of one certificate, as far as it can be read.
pub(super) fn tell(certificate: &[u8], sink: &mut dyn Sink) {
    let _ = walk(certificate, sink);
}

fn walk(certificate: &[u8], sink: &mut dyn Sink) -> Option<()> {
    let mut outer = Reader::new(certificate);
    let mut outer = Reader::new(expect(&mut outer, SEQUENCE)?);
    let mut body = Reader::new(expect(&mut outer, SEQUENCE)?);
    if body.rest().first() == Some(&VERSION) {
        element(&mut body)?;
    }
    element(&mut body)?; // serial
    element(&mut body)?; // algorithm
    let issuer = expect(&mut body, SEQUENCE)?;
    let validity = expect(&mut body, SEQUENCE)?;
    let subject = expect(&mut body, SEQUENCE)?;
    let mut text = Text { octets: [0; X509_NAME_OCTETS_MAX], len: 0 };
    if text.name(subject).is_some() && text.len > 0 {
        sink.field(fields::TLS_SUBJECT, text.written());
    }
    if text.name(issuer).is_some() && text.len > 0 {
        sink.field(fields::TLS_ISSUER, text.written());
    }
    let mut validity = Reader::new(validity);
    element(&mut validity)?;
    let (kind, value) = element(&mut validity)?;
    sink.field(fields::TLS_NOT_AFTER, &time(kind, value)?);
    Some(())
}

/// Tag and content of the next element; lengths of more than three octets are not certificates'.
fn element<'a>(reader: &mut Reader<'a>) -> Option<(u8, &'a [u8])> {
    let tag = reader.u8()?;
    let len = match reader.u8()? {
        short @ 0..=0x7f => usize::from(short),
        0x81 => usize::from(reader.u8()?),
        0x82 => usize::from(reader.u16()?),
        0x83 => reader.u24()?,
        _ => return None,
    };
    Some((tag, reader.take(len)?))
}

fn expect<'a>(reader: &mut Reader<'a>, tag: u8) -> Option<&'a [u8]> {
    element(reader).filter(|&(found, _)| found == tag).map(|(_, content)| content)
}

/// RFC 3339 of a DER time, which is always in UTC.
fn time(kind: u8, value: &[u8]) -> Option<[u8; 20]> {
    let mut digits = [0; 14];
    match kind {
        UTC_TIME => {
            let short = value.get(..12)?;
            let century = if *short.first()? >= b'5' { *b"19" } else { *b"20" };
            digits[..2].copy_from_slice(&century);
            digits[2..].copy_from_slice(short);
        }
        GENERALIZED_TIME => digits.copy_from_slice(value.get(..14)?),
        _ => return None,
    }
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut out = *b"0000-00-00T00:00:00Z";
    let places = [0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18];
    for (place, digit) in places.into_iter().zip(digits) {
        out[place] = digit;
    }
    Some(out)
}

struct Text {
    octets: [u8; X509_NAME_OCTETS_MAX],
    len: usize,
}

impl Text {
    fn written(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or(&[])
    }

    /// What does not fit is left out.
    fn push(&mut self, bytes: &[u8]) {
        let room = self.octets.get_mut(self.len..).unwrap_or(&mut []);
        let fits = bytes.len().min(room.len());
        room[..fits].copy_from_slice(&bytes[..fits]);
        self.len += fits;
    }

    fn name(&mut self, name: &[u8]) -> Option<()> {
        self.len = 0;
        let mut sets = Reader::new(name);
        while !sets.is_empty() {
            let mut set = Reader::new(expect(&mut sets, SET)?);
            while !set.is_empty() {
                let mut pair = Reader::new(expect(&mut set, SEQUENCE)?);
                let object = expect(&mut pair, OBJECT)?;
                let (kind, value) = element(&mut pair)?;
                if self.len > 0 {
                    self.push(b", ");
                }
                self.object(object);
                self.push(b"=");
                if kind == BMP_STRING {
                    let wide = super::read::pairs(value);
                    for letter in char::decode_utf16(wide) {
                        let letter = letter.unwrap_or(char::REPLACEMENT_CHARACTER);
                        self.push(letter.encode_utf8(&mut [0; 4]).as_bytes());
                    }
                } else {
                    self.push(value);
                }
            }
        }
        Some(())
    }

    fn object(&mut self, object: &[u8]) {
        match object {
            [0x55, 4, 3] => self.push(b"CN"),
            [0x55, 4, 4] => self.push(b"SN"),
            [0x55, 4, 5] => self.push(b"serialNumber"),
            [0x55, 4, 6] => self.push(b"C"),
            [0x55, 4, 7] => self.push(b"L"),
            [0x55, 4, 8] => self.push(b"ST"),
            [0x55, 4, 9] => self.push(b"street"),
            [0x55, 4, 10] => self.push(b"O"),
            [0x55, 4, 11] => self.push(b"OU"),
            [0x55, 4, 12] => self.push(b"title"),
            [0x55, 4, 13] => self.push(b"description"),
            [0x55, 4, 15] => self.push(b"businessCategory"),
            [0x55, 4, 17] => self.push(b"postalCode"),
            [0x55, 4, 42] => self.push(b"GN"),
            [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25] => self.push(b"DC"),
            [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1] => self.push(b"UID"),
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1] => self.push(b"emailAddress"),
            other => self.dotted(other),
        }
    }

    fn dotted(&mut self, object: &[u8]) {
        use std::io::Write as _;
        let mut arc: u64 = 0;
        let mut first = true;
        for &byte in object.iter().take(32) {
            arc = arc << 7 & (u64::MAX >> 1) | u64::from(byte & 0x7f);
            if byte & 0x80 != 0 {
                continue;
            }
            let mut digits = [0; 32];
            let mut room = &mut digits[..];
            let _ = if first {
                let root = (arc / 40).min(2);
                write!(room, "{root}.{}", arc - root * 40)
            } else {
                write!(room, ".{arc}")
            };
            let len = 32 - room.len();
            self.push(&digits[..len]);
            (arc, first) = (0, false);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::kept::Kept;
    use super::*;

    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let mut out = vec![tag];
        match content.len() {
            len @ 0..=0x7f => out.push(len as u8),
            len => out.extend_from_slice(&[0x82, (len >> 8) as u8, len as u8]),
        }
        out.extend_from_slice(&content);
        out
    }

    fn attribute(object: &[u8], kind: u8, value: &[u8]) -> Vec<u8> {
        der(SET, &[&der(SEQUENCE, &[&der(OBJECT, &[object]), &der(kind, &[value])])])
    }

    /// A certificate in form only: the walk never looks at keys or signatures.
    pub(crate) fn certificate(not_after: &[u8]) -> Vec<u8> {
        let issuer = der(
            SEQUENCE,
            &[&attribute(&[0x55, 4, 6], 0x13, b"DE"), &attribute(&[0x55, 4, 10], 0x0c, b"Test CA")],
        );
        let subject = der(
            SEQUENCE,
            &[
                &attribute(&[0x2a, 0x03, 0x86, 0x48], 0x13, b"x"),
                &attribute(&[0x55, 4, 3], BMP_STRING, &[0, b'a', 0, b'.', 0, 0xe9]),
            ],
        );
        let kind = if not_after.len() > 13 { GENERALIZED_TIME } else { UTC_TIME };
        let validity =
            der(SEQUENCE, &[&der(UTC_TIME, &[b"200101000000Z"]), &der(kind, &[not_after])]);
        let body = der(
            SEQUENCE,
            &[
                &der(VERSION, &[&der(2, &[&[2]])]),
                &der(2, &[&[1, 2, 3]]),
                &der(SEQUENCE, &[]),
                &issuer,
                &validity,
                &subject,
                &der(SEQUENCE, &[&[0; 300]]),
            ],
        );
        der(SEQUENCE, &[&body])
    }

    #[test]
    fn whose_by_whom_and_until_when_are_told() {
        let mut kept = Kept::default();
        tell(&certificate(b"491231235959Z"), &mut kept);
        assert_eq!(kept.values(fields::TLS_SUBJECT), ["1.2.3.840=x, CN=a.é"]);
        assert_eq!(kept.values(fields::TLS_ISSUER), ["C=DE, O=Test CA"]);
        assert_eq!(kept.values(fields::TLS_NOT_AFTER), ["2049-12-31T23:59:59Z"]);
        let mut kept = Kept::default();
        tell(&certificate(b"20501231235959Z"), &mut kept);
        assert_eq!(kept.values(fields::TLS_NOT_AFTER), ["2050-12-31T23:59:59Z"]);
    }

    #[test]
    fn a_name_longer_than_its_room_is_cut_and_told() {
        let mut text = Text { octets: [0; X509_NAME_OCTETS_MAX], len: 0 };
        let long = attribute(&[0x55, 4, 3], 0x0c, &[b'x'; 2 * X509_NAME_OCTETS_MAX]);
        assert!(text.name(&long).is_some());
        assert_eq!(text.written().len(), X509_NAME_OCTETS_MAX);
    }

    #[test]
    fn any_octets_are_read_without_a_panic() {
        let whole = certificate(b"491231235959Z");
        bolero::check!().with_iterations(4000).for_each(|bytes: &[u8]| {
            tell(bytes, &mut Kept::default());
            let mut bent = whole.clone();
            for pair in bytes.as_chunks::<2>().0 {
                let at = usize::from(pair[0]) % bent.len();
                bent[at] = pair[1];
            }
            tell(&bent, &mut Kept::default());
        });
    }
}
