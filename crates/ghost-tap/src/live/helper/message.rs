//! What engine and helper say to each other: fixed bytes, each message one packet.
//!
//! A request is 36 bytes: magic, version, verb, then six words. An answer is 44 bytes and at most
//! [`TEXT_MAX`] of text, with the descriptors beside it. Everything is in the machine's own order,
//! since both ends are on one machine. Whatever does not fit is refused by [`Request::parse`] and
//! [`Answer::parse`], which read any bytes at all.

use std::io;

use super::super::rings::Layout;
use super::super::{Direction, RingSizes, TapError};

pub(super) const VERSION: u16 = 2;
const MAGIC: u32 = u32::from_be_bytes(*b"gtap");
pub(super) const REQUEST_BYTES: usize = 36;
const ANSWER_BYTES: usize = 44;
pub(super) const TEXT_MAX: usize = 1024;
pub(super) const MESSAGE_MAX: usize = ANSWER_BYTES + TEXT_MAX;
/// Of one answer: heads, plain, telling, accounts; or two sockets and a heartbeat.
pub(super) const DESCRIPTORS_MAX: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    Hello,
    OpenGhost(RingSizes),
    OpenFast { a: u32, b: u32, sizes: RingSizes },
    OpenInline { a: u32, b: u32 },
    Attach { ifindex: u32, direction: Direction },
    Detach { ifindex: u32, direction: Direction },
    DetachAll,
    RaiseMirror { ifindex: u32 },
}

/// Why a request could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    Length,
    Magic,
    Version(u16),
    Verb,
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    for (to, from) in word.iter_mut().zip(bytes.iter().skip(at)) {
        *to = *from;
    }
    u32::from_ne_bytes(word)
}

fn write(bytes: &mut [u8], at: usize, value: u32) {
    for (to, from) in bytes.iter_mut().skip(at).zip(value.to_ne_bytes()) {
        *to = from;
    }
}

fn way(word: u32) -> Option<Direction> {
    match word {
        0 => Some(Direction::Ingress),
        1 => Some(Direction::Egress),
        _ => None,
    }
}

impl Request {
    pub(super) fn bytes(self) -> [u8; REQUEST_BYTES] {
        let mut words = [0u32; 6];
        let sized = |words: &mut [u32; 6], sizes: RingSizes| {
            words[2..5].copy_from_slice(&[sizes.ring_bytes, sizes.handshake_bytes, sizes.rings]);
        };
        let verb = match self {
            Self::Hello => 1,
            Self::OpenGhost(sizes) => {
                sized(&mut words, sizes);
                2
            }
            Self::OpenFast { a, b, sizes } => {
                words[..2].copy_from_slice(&[a, b]);
                sized(&mut words, sizes);
                3
            }
            Self::OpenInline { a, b } => {
                words[..2].copy_from_slice(&[a, b]);
                4
            }
            Self::Attach { ifindex, direction } => {
                words[..2].copy_from_slice(&[ifindex, direction as u32]);
                5
            }
            Self::Detach { ifindex, direction } => {
                words[..2].copy_from_slice(&[ifindex, direction as u32]);
                6
            }
            Self::DetachAll => 7,
            Self::RaiseMirror { ifindex } => {
                words[0] = ifindex;
                8
            }
        };
        let mut bytes = [0; REQUEST_BYTES];
        write(&mut bytes, 0, MAGIC);
        write(&mut bytes, 4, u32::from(VERSION));
        write(&mut bytes, 8, verb);
        for (index, value) in words.into_iter().enumerate() {
            write(&mut bytes, 12 + 4 * index, value);
        }
        bytes
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Unreadable> {
        // The version comes first: another one may be of another length.
        if bytes.len() < 8 {
            return Err(Unreadable::Length);
        }
        if word(bytes, 0) != MAGIC {
            return Err(Unreadable::Magic);
        }
        let version = word(bytes, 4);
        if version != u32::from(VERSION) {
            return Err(Unreadable::Version(version as u16));
        }
        if bytes.len() != REQUEST_BYTES {
            return Err(Unreadable::Length);
        }
        let (a, b) = (word(bytes, 12), word(bytes, 16));
        let sizes = RingSizes {
            ring_bytes: word(bytes, 20),
            handshake_bytes: word(bytes, 24),
            rings: word(bytes, 28),
        };
        match (word(bytes, 8), way(b)) {
            (1, _) => Ok(Self::Hello),
            (2, _) => Ok(Self::OpenGhost(sizes)),
            (3, _) => Ok(Self::OpenFast { a, b, sizes }),
            (4, _) => Ok(Self::OpenInline { a, b }),
            (5, Some(direction)) => Ok(Self::Attach { ifindex: a, direction }),
            (6, Some(direction)) => Ok(Self::Detach { ifindex: a, direction }),
            (7, _) => Ok(Self::DetachAll),
            (8, _) => Ok(Self::RaiseMirror { ifindex: a }),
            _ => Err(Unreadable::Verb),
        }
    }
}

/// What the helper says; descriptors stand beside it.
#[derive(Debug)]
pub(super) enum Answer {
    Done,
    /// With heads, plain, telling, accounts.
    Rings {
        layout: Layout,
        /// From a daemon before.
        adopted: bool,
    },
    /// With the sockets of both ports, and the heartbeat.
    Sockets,
    Failed(TapError),
}

impl Answer {
    pub(super) fn bytes(&self) -> Vec<u8> {
        // Kind, two words that mean something to it, an error number, text.
        let mut words = [0u32; 8];
        let mut text = String::new();
        match self {
            Self::Done => words[0] = 0,
            Self::Rings { layout, adopted } => {
                words[..5].copy_from_slice(&[
                    1,
                    layout.rings,
                    layout.plain_chunks,
                    layout.telling_chunks,
                    u32::from(*adopted),
                ]);
            }
            Self::Sockets => words[0] = 2,
            Self::Failed(error) => {
                let (code, a, b) = encode(error, &mut text);
                words[..4].copy_from_slice(&[100 + code, a, b, 0]);
            }
        }
        let mut bytes = vec![0; ANSWER_BYTES];
        write(&mut bytes, 0, MAGIC);
        write(&mut bytes, 4, u32::from(VERSION));
        for (index, value) in words.into_iter().enumerate() {
            write(&mut bytes, 8 + 4 * index, value);
        }
        let cut = text.floor_char_boundary(TEXT_MAX);
        bytes.extend_from_slice(text.get(..cut).unwrap_or_default().as_bytes());
        bytes
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, TapError> {
        let malformed = |what| TapError::Malformed { what };
        if bytes.len() < 8 || word(bytes, 0) != MAGIC {
            return Err(malformed("no answer of ours"));
        }
        let theirs = word(bytes, 4) as u16;
        if theirs != VERSION {
            return Err(TapError::OtherVersion { ours: VERSION, theirs });
        }
        if !(ANSWER_BYTES..=MESSAGE_MAX).contains(&bytes.len()) {
            return Err(malformed("an answer of the wrong length"));
        }
        let (a, b, c) = (word(bytes, 12), word(bytes, 16), word(bytes, 20));
        let adopted = word(bytes, 24) != 0;
        match word(bytes, 8) {
            0 => Ok(Self::Done),
            1 => Layout { rings: a, plain_chunks: b, telling_chunks: c }
                .checked()
                .map(|layout| Self::Rings { layout, adopted })
                .ok_or(malformed("rings of an impossible size")),
            2 => Ok(Self::Sockets),
            code @ 100.. => {
                let text = bytes.get(ANSWER_BYTES..).unwrap_or_default();
                // It goes to a log and a terminal.
                let text = String::from_utf8_lossy(text)
                    .chars()
                    .filter(|&c| c == '\n' || !c.is_control())
                    .collect();
                decode(code - 100, a, b, text).map(Self::Failed).ok_or(malformed("an error"))
            }
            _ => Err(malformed("an answer of an unknown kind")),
        }
    }
}

fn encode(error: &TapError, text: &mut String) -> (u32, u32, u32) {
    let way = |direction: Direction| direction as u32;
    match error {
        TapError::NotPermitted { what } => {
            text.clone_from(what);
            (1, 0, 0)
        }
        TapError::KernelTooOld { release } => {
            text.clone_from(release);
            (2, 0, 0)
        }
        TapError::NoInterface { ifindex } => (3, *ifindex, 0),
        TapError::AlreadyAttached { ifindex, direction } => (4, *ifindex, way(*direction)),
        TapError::NotAttached { ifindex, direction } => (5, *ifindex, way(*direction)),
        TapError::OtherPrograms { ifindex, programs } => (6, *ifindex, *programs),
        TapError::Busy => (7, 0, 0),
        TapError::TooManyPorts { max } => (8, *max, 0),
        TapError::RingSizes => (9, 0, 0),
        TapError::NoMemory => (10, 0, 0),
        TapError::NoBpffs => (11, 0, 0),
        TapError::WrongOrder => (12, 0, 0),
        TapError::Rejected { log } => {
            // The verifier's verdict stands at the end.
            let from = log.ceil_char_boundary(log.len().saturating_sub(TEXT_MAX));
            text.push_str(log.get(from..).unwrap_or_default());
            (13, 0, 0)
        }
        TapError::SamePort => (14, 0, 0),
        TapError::Os { what, source } => {
            text.clone_from(what);
            (15, source.raw_os_error().unwrap_or(0) as u32, 0)
        }
        TapError::OtherVersion { ours, theirs } => (16, u32::from(*ours), u32::from(*theirs)),
        TapError::NoMirror { ifindex } => (17, *ifindex, 0),
        // What only the engine's end says.
        TapError::HelperGone
        | TapError::HelperSilent
        | TapError::Malformed { .. }
        | TapError::Inline(_) => {
            *text = error.to_string();
            (15, 0, 0)
        }
    }
}

fn decode(code: u32, a: u32, b: u32, text: String) -> Option<TapError> {
    Some(match code {
        1 => TapError::NotPermitted { what: text },
        2 => TapError::KernelTooOld { release: text },
        3 => TapError::NoInterface { ifindex: a },
        4 => TapError::AlreadyAttached { ifindex: a, direction: way(b)? },
        5 => TapError::NotAttached { ifindex: a, direction: way(b)? },
        6 => TapError::OtherPrograms { ifindex: a, programs: b },
        7 => TapError::Busy,
        8 => TapError::TooManyPorts { max: a },
        9 => TapError::RingSizes,
        10 => TapError::NoMemory,
        11 => TapError::NoBpffs,
        12 => TapError::WrongOrder,
        13 => TapError::Rejected { log: text },
        14 => TapError::SamePort,
        15 => TapError::Os { what: text, source: io::Error::from_raw_os_error(a.cast_signed()) },
        16 => TapError::OtherVersion { ours: b as u16, theirs: a as u16 },
        17 => TapError::NoMirror { ifindex: a },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_read_as_it_was_written() {
        let sizes = RingSizes::with_total(1 << 20, 2);
        let port = |direction| (7, direction);
        for request in [
            Request::Hello,
            Request::OpenGhost(sizes),
            Request::OpenFast { a: 3, b: 9, sizes },
            Request::OpenInline { a: 3, b: 9 },
            Request::Attach { ifindex: port(()).0, direction: Direction::Egress },
            Request::Detach { ifindex: 7, direction: Direction::Ingress },
            Request::DetachAll,
            Request::RaiseMirror { ifindex: 7 },
        ] {
            assert_eq!(Request::parse(&request.bytes()), Ok(request));
        }
    }

    #[test]
    fn an_error_says_the_same_on_the_other_side() {
        let direction = Direction::Egress;
        for error in [
            TapError::NotPermitted { what: "load".into() },
            TapError::KernelTooOld { release: "5.10".into() },
            TapError::NoInterface { ifindex: 3 },
            TapError::AlreadyAttached { ifindex: 3, direction },
            TapError::NotAttached { ifindex: 3, direction },
            TapError::OtherPrograms { ifindex: 3, programs: 2 },
            TapError::Busy,
            TapError::TooManyPorts { max: 9 },
            TapError::RingSizes,
            TapError::NoMemory,
            TapError::NoBpffs,
            TapError::WrongOrder,
            TapError::SamePort,
            TapError::NoMirror { ifindex: 3 },
            TapError::Rejected { log: "no".into() },
            TapError::Os { what: "x".into(), source: io::Error::from_raw_os_error(2) },
        ] {
            let said = error.to_string();
            let Ok(Answer::Failed(read)) = Answer::parse(&Answer::Failed(error).bytes()) else {
                panic!("{said}");
            };
            assert_eq!(read.to_string(), said);
        }
    }

    #[test]
    fn another_version_is_named_whatever_its_length() {
        let mut bytes = Request::Hello.bytes();
        write(&mut bytes, 4, 9);
        assert_eq!(Request::parse(&bytes[..8]), Err(Unreadable::Version(9)));
        let mut answer = Answer::Done.bytes();
        write(&mut answer, 4, 9);
        assert!(matches!(
            Answer::parse(&answer[..8]),
            Err(TapError::OtherVersion { ours: VERSION, theirs: 9 })
        ));
    }

    #[test]
    fn any_bytes_are_read_or_refused() {
        bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
            if let Ok(request) = Request::parse(bytes) {
                assert_eq!(Request::parse(&request.bytes()), Ok(request));
            }
            drop(Answer::parse(bytes));
            // Past the magic, where the fields are.
            let mut known = Request::Hello.bytes().to_vec();
            known.truncate(8);
            known.extend(bytes);
            assert!(
                !matches!(Request::parse(&known), Ok(Request::Hello))
                    || known.len() == REQUEST_BYTES
            );
            drop(Answer::parse(&known));
        });
    }
}
