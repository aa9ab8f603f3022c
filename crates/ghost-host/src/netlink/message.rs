//! Netlink's bytes: messages in a datagram, attributes in a message. Reading never panics: what is
//! cut off or lies about its length ends the walk.

const HEADER: usize = 16;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// A dump that a change ran into: its answer is no state that ever was.
const INTERRUPTED: u16 = 0x10;

/// One message: its type, and what follows its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) sequence: u32,
    pub(crate) interrupted: bool,
    pub(crate) body: &'a [u8],
}

impl<'a> Message<'a> {
    /// The end of a dump, or `Some(0)` as acknowledgement, or an error number.
    pub(crate) fn verdict(&self) -> Option<i32> {
        match self.kind {
            ERROR => Some(i32_at(self.body, 0).map_or(0, i32::wrapping_neg)),
            DONE => Some(i32_at(self.body, 0).map_or(0, i32::wrapping_neg)),
            _ => None,
        }
    }

    /// The attributes behind a fixed header of `skip` bytes.
    pub(crate) fn attributes(&self, skip: usize) -> Attributes<'a> {
        Attributes { rest: self.body.get(skip..).unwrap_or_default() }
    }
}

/// The messages of one datagram.
#[derive(Debug)]
pub(crate) struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    pub(crate) fn new(datagram: &'a [u8]) -> Messages<'a> {
        Messages { rest: datagram }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let length = usize::try_from(u32_at(self.rest, 0)?).ok()?;
        let body = self.rest.get(HEADER..length)?;
        let message = Message {
            kind: u16_at(self.rest, 4)?,
            interrupted: u16_at(self.rest, 6)? & INTERRUPTED != 0,
            sequence: u32_at(self.rest, 8)?,
            body,
        };
        self.rest = self.rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    }
}

/// Type and value of each attribute, in order.
#[derive(Debug, Clone)]
pub(crate) struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Attributes<'a> {
    /// The attributes nested in a value.
    pub(crate) fn nested(value: &'a [u8]) -> Attributes<'a> {
        Attributes { rest: value }
    }

    /// The first of a type.
    pub(crate) fn find(mut self, kind: u16) -> Option<&'a [u8]> {
        self.find_map(|(found, value)| (found == kind).then_some(value))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        let length = usize::from(u16_at(self.rest, 0)?);
        // The two upper bits say "nested" and "network order".
        let kind = u16_at(self.rest, 2)? & 0x3fff;
        let value = self.rest.get(4..length)?;
        self.rest = self.rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

/// A request being written.
#[derive(Debug)]
pub(crate) struct Request(Vec<u8>);

impl Request {
    /// Begins with the fixed header of the request's own kind behind netlink's.
    pub(crate) fn new(kind: u16, flags: u16, sequence: u32, fixed: &[u8]) -> Request {
        let mut bytes = vec![0; 4];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(fixed);
        Request(bytes)
    }

    pub(crate) fn attribute(mut self, kind: u16, value: &[u8]) -> Request {
        let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value.iter().take(usize::from(length) - 4));
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    pub(crate) fn bytes(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).unwrap_or(0);
        for (place, byte) in self.0.iter_mut().zip(length.to_ne_bytes()) {
            *place = byte;
        }
        self.0
    }
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    u32_at(bytes, at).map(u32::cast_signed)
}

/// A string of the kernel's: up to its NUL, with what is no UTF-8 made visible.
pub(crate) fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(value.get(..end).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back() {
        let bytes = Request::new(18, 0x301, 7, &[0; 16])
            .attribute(3, b"eth0\0")
            .attribute(4, &1500u32.to_ne_bytes())
            .bytes();
        let all: Vec<Message<'_>> = Messages::new(&bytes).collect();
        assert_eq!(all.len(), 1);
        let message = all[0];
        assert_eq!((message.kind, message.sequence, message.verdict()), (18, 7, None));
        assert_eq!(message.attributes(16).find(3).map(text).as_deref(), Some("eth0"));
        assert_eq!(message.attributes(16).find(4), Some(&1500u32.to_ne_bytes()[..]));
        assert_eq!(message.attributes(16).find(5), None);
    }

    #[test]
    fn any_bytes_are_walked_without_a_panic_and_to_an_end() {
        bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
            let mut steps = 0;
            for message in Messages::new(bytes) {
                let _ = message.verdict();
                for (_, value) in message.attributes(16) {
                    steps += Attributes::nested(value).count();
                }
                steps += 1;
            }
            assert!(steps <= bytes.len());
        });
    }
}
