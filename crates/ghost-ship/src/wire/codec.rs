//! Fields into bytes and back: numbers big-endian, texts and lists with their length before them.

use ghost_event::Digest;

use super::WireError;

/// Reads fields off a payload.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    kind: u8,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn new(kind: u8, rest: &'a [u8]) -> Fields<'a> {
        Fields { kind, rest }
    }

    pub(super) fn wrong(&self, what: &'static str) -> WireError {
        WireError::Form { kind: self.kind, what }
    }

    pub(super) fn bytes(&mut self, n: usize) -> Result<&'a [u8], WireError> {
        let (bytes, rest) = self.rest.split_at_checked(n).ok_or(self.wrong("it ends too early"))?;
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (bytes, rest) =
            self.rest.split_first_chunk::<N>().ok_or(self.wrong("it ends too early"))?;
        self.rest = rest;
        Ok(*bytes)
    }

    pub(super) fn u8(&mut self) -> Result<u8, WireError> {
        self.array::<1>().map(|[b]| b)
    }

    pub(super) fn u16(&mut self) -> Result<u16, WireError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, WireError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, WireError> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn digest(&mut self) -> Result<Digest, WireError> {
        self.array().map(Digest)
    }

    /// A byte that is 0 or 1.
    pub(super) fn flag(&mut self) -> Result<bool, WireError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.wrong("a flag is neither 0 nor 1")),
        }
    }

    /// At most `max` bytes of UTF-8.
    pub(super) fn text(&mut self, max: usize) -> Result<String, WireError> {
        let n = self.u32()? as usize;
        if n > max {
            return Err(self.wrong("a text is too long"));
        }
        let bytes = self.bytes(n)?;
        let text = std::str::from_utf8(bytes).map_err(|_| self.wrong("a text is no UTF-8"))?;
        Ok(text.to_owned())
    }

    /// At most `max` of something.
    pub(super) fn list<T>(
        &mut self,
        max: usize,
        mut one: impl FnMut(&mut Self) -> Result<T, WireError>,
    ) -> Result<Vec<T>, WireError> {
        let n = usize::from(self.u16()?);
        if n > max {
            return Err(self.wrong("a list is too long"));
        }
        (0..n).map(|_| one(self)).collect()
    }

    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Nothing may be left over.
    pub(super) fn end(self) -> Result<(), WireError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.wrong("bytes are left over")) }
    }
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_len32(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

pub(super) fn put_len32(out: &mut Vec<u8>, len: usize) {
    out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
}

pub(super) fn put_list<T>(out: &mut Vec<u8>, list: &[T], mut one: impl FnMut(&mut Vec<u8>, &T)) {
    out.extend_from_slice(&u16::try_from(list.len()).unwrap_or(u16::MAX).to_be_bytes());
    list.iter().for_each(|item| one(out, item));
}

pub(super) fn put_u64(out: &mut Vec<u8>, n: u64) {
    out.extend_from_slice(&n.to_be_bytes());
}
