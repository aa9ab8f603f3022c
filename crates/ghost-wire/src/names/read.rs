//! A cursor over octets whose every step may end; nothing here panics.

/// What is still to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn len(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(head)
    }

    pub(super) fn skip(&mut self, len: usize) -> Option<()> {
        self.take(len).map(|_| ())
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u24(&mut self) -> Option<usize> {
        let [a, b, c] = self.array()?;
        Some(usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// What a length of one octet announces.
    pub(super) fn vector8(&mut self) -> Option<&'a [u8]> {
        let len = usize::from(self.u8()?);
        self.take(len)
    }

    /// What a length of two octets announces.
    pub(super) fn vector16(&mut self) -> Option<&'a [u8]> {
        let len = usize::from(self.u16()?);
        self.take(len)
    }

    /// What a length of three octets announces.
    pub(super) fn vector24(&mut self) -> Option<&'a [u8]> {
        let len = self.u24()?;
        self.take(len)
    }

    /// QUIC's integer of 1, 2, 4 or 8 octets (RFC 9000 §16).
    pub(super) fn varint(&mut self) -> Option<u64> {
        let first = self.u8()?;
        let mut value = u64::from(first & 0x3f);
        for &byte in self.take((1 << (first >> 6)) - 1)? {
            value = value << 8 | u64::from(byte);
        }
        Some(value)
    }
}

/// Big-endian pairs; an odd last octet is left out.
pub(super) fn pairs(bytes: &[u8]) -> impl Iterator<Item = u16> + '_ {
    bytes.as_chunks::<2>().0.iter().map(|&pair| u16::from_be_bytes(pair))
}

#[cfg(test)]
mod tests {
    use super::Reader;

    #[test]
    fn varints_of_rfc_9000_read_as_printed_there() {
        let check = |bytes: &[u8], value| assert_eq!(Reader::new(bytes).varint(), value);
        check(&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c], Some(151_288_809_941_952_652));
        check(&[0x9d, 0x7f, 0x3e, 0x7d], Some(494_878_333));
        check(&[0x7b, 0xbd], Some(15_293));
        check(&[0x25], Some(37));
        check(&[0x40, 0x25], Some(37));
        check(&[0x40], None);
        check(&[], None);
    }

    #[test]
    fn a_vector_longer_than_what_is_there_is_none() {
        assert_eq!(Reader::new(&[3, 1, 2]).vector8(), None);
        assert_eq!(Reader::new(&[0, 2, 1, 2, 9]).vector16(), Some(&[1, 2][..]));
        assert_eq!(Reader::new(&[0, 0, 1]).vector24(), None);
    }
}
