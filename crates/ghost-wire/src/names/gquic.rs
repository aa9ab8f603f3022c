//! Google's QUIC before the standard: the client hello (`CHLO`) tells its server's name in clear.
//!
//! Promises: name and user agent of a CHLO within one packet of Q0xx. Not promised: anything later,
//! which is encrypted.

use super::read::Reader;
use crate::{Sink, fields};

/// Version of a client's public header that carries one, before long headers came (Q046).
pub(super) fn version(bytes: &[u8]) -> Option<u32> {
    let mut reader = Reader::new(bytes);
    let flags = reader.u8()?;
    // Version present, no reset, connection id of eight octets or none.
    if flags & 0xc3 != 0x01 || flags & 0x04 != 0 && flags & 0x08 == 0 {
        return None;
    }
    if flags & 0x0c != 0 {
        reader.skip(8)?;
    }
    let version = reader.u32()?;
    is_google(version).then_some(version)
}

/// `Q` and three digits.
pub(super) fn is_google(version: u32) -> bool {
    let [letter, digits @ ..] = version.to_be_bytes();
    letter == b'Q' && digits.iter().all(u8::is_ascii_digit)
}

/// Tells what the CHLO says, where there is one in `payload`.
pub(super) fn tell(payload: &[u8], sink: &mut dyn Sink) -> bool {
    let Some(at) = memchr::memmem::find(payload, b"CHLO") else { return false };
    tags(payload.get(at + 4..).unwrap_or(&[]), sink).is_some()
}

fn tags(bytes: &[u8], sink: &mut dyn Sink) -> Option<()> {
    let mut reader = Reader::new(bytes);
    let count = usize::from(u16::from_le_bytes(reader.array()?));
    reader.skip(2)?;
    let table = reader.take(count.checked_mul(8)?)?;
    let values = reader.rest();
    let mut begin = 0;
    for entry in table.as_chunks::<8>().0 {
        let [tag @ .., _, _, _, _] = entry;
        let [_, _, _, _, end @ ..] = *entry;
        let end = u32::from_le_bytes(end) as usize;
        let value = values.get(begin..end)?;
        match tag {
            b"SNI\0" => sink.field(fields::QUIC_SNI, value),
            b"UAID" => sink.field(fields::SOFTWARE, value),
            _ => {}
        }
        begin = end;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::kept::Kept;
    use super::*;

    /// A CHLO of these tags behind a packet's header and hash.
    pub(crate) fn packet(tags: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
        let mut out = b"\x0dCONNECTIQ043\x01hash-of-12-oc\xa0\x01\x00\x04CHLO".to_vec();
        out.extend_from_slice(&(tags.len() as u16).to_le_bytes());
        out.extend_from_slice(&[0, 0]);
        let mut end = 0;
        for (tag, value) in tags {
            end += value.len() as u32;
            out.extend_from_slice(*tag);
            out.extend_from_slice(&end.to_le_bytes());
        }
        tags.iter().for_each(|(_, value)| out.extend_from_slice(value));
        out
    }

    #[test]
    fn a_hello_tells_its_servers_name_and_its_software() {
        let bytes = packet(&[
            (b"PAD\0", &[b'-'; 900]),
            (b"SNI\0", b"www.example.com"),
            (b"UAID", b"Browser 5"),
        ]);
        assert_eq!(version(&bytes), Some(u32::from_be_bytes(*b"Q043")));
        let mut kept = Kept::default();
        assert!(tell(&bytes, &mut kept));
        assert_eq!(kept.values(fields::QUIC_SNI), ["www.example.com"]);
        assert_eq!(kept.values(fields::SOFTWARE), ["Browser 5"]);
    }

    #[test]
    fn any_octets_are_read_without_a_panic() {
        bolero::check!().with_iterations(2000).for_each(|bytes: &[u8]| {
            version(bytes);
            let mut bent = packet(&[(b"SNI\0", b"a"), (b"UAID", b"b")]);
            for pair in bytes.as_chunks::<2>().0 {
                let at = usize::from(pair[0]) % bent.len();
                bent[at] = pair[1];
            }
            tell(&bent, &mut Kept::default());
        });
    }
}
