//! What engine and helper say to each other: fixed bytes, each message one packet.
//!
//! A request is 48 bytes: magic, version, verb, flags, and two names of 16; of a log that is held for
//! another host, the first of them is the log's. An answer is 56 bytes
//! and at most [`TEXT_MAX`] of text. Everything is in the machine's own order, since both ends are
//! on one machine. Whatever does not fit is refused by [`Request::parse`] and [`Answer::parse`],
//! which read any bytes at all.

use std::io;
use std::path::PathBuf;

use crate::volume::{COMING, LEAVING};
use crate::{BlockError, BlockName, SendOptions, Usage};

pub(super) const VERSION: u16 = 1;
const MAGIC: u32 = u32::from_be_bytes(*b"gblk");
pub(super) const REQUEST_BYTES: usize = 48;
const ANSWER_BYTES: usize = 56;
pub(super) const TEXT_MAX: usize = 512;
pub(super) const MESSAGE_MAX: usize = ANSWER_BYTES + TEXT_MAX;
const NAME_BYTES: usize = 16;

/// An entry of the blocks' folder: there is no other way to name one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EntryName {
    mark: Mark,
    block: BlockName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Block,
    Coming,
    Leaving,
}

impl EntryName {
    pub(super) fn parse(name: &str) -> Option<EntryName> {
        let of = |mark, rest| Some(EntryName { mark, block: BlockName::parse(rest)? });
        if let Some(rest) = name.strip_prefix(COMING) {
            return of(Mark::Coming, rest);
        }
        match name.strip_prefix(LEAVING) {
            Some(rest) => of(Mark::Leaving, rest),
            None => of(Mark::Block, name),
        }
    }

    pub(super) fn text(self) -> String {
        let mark = match self.mark {
            Mark::Block => "",
            Mark::Coming => COMING,
            Mark::Leaving => LEAVING,
        };
        format!("{mark}{}", self.block)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    Hello,
    Delete(EntryName),
    Deleting,
    Usage,
    /// To the descriptor that comes with it.
    Send {
        name: BlockName,
        parent: Option<BlockName>,
        options: SendOptions,
    },
    /// From the descriptor that comes with it, as `incoming-<number>` of that log.
    Receive {
        log: [u8; 16],
        number: u64,
    },
    /// Of a log that is held here.
    DeleteReceived {
        log: [u8; 16],
        name: ReceivedName,
    },
}

/// An entry of the blocks' folder of a log that is held here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReceivedName {
    Incoming(u64),
    Block(BlockName),
}

/// How the name of a block begins that is being received.
pub(super) const INCOMING: &str = "incoming-";

impl ReceivedName {
    pub(super) fn parse(name: &str) -> Option<ReceivedName> {
        let Some(number) = name.strip_prefix(INCOMING) else {
            return BlockName::parse(name).map(ReceivedName::Block);
        };
        let plain = number.bytes().all(|c| c.is_ascii_digit()) && !number.starts_with('0');
        plain.then(|| number.parse().ok()).flatten().map(ReceivedName::Incoming)
    }

    pub(super) fn text(self) -> String {
        match self {
            ReceivedName::Incoming(number) => format!("{INCOMING}{number}"),
            ReceivedName::Block(name) => name.to_string(),
        }
    }
}

/// Why a request could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    Length,
    Magic,
    Version(u16),
    Verb,
    Name,
}

const COMPRESSED: u32 = 1;
const HAS_PARENT: u32 = 2;
const IS_BLOCK: u32 = 4;

fn word(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    for (to, from) in word.iter_mut().zip(bytes.iter().skip(at)) {
        *to = *from;
    }
    u32::from_ne_bytes(word)
}

fn long(bytes: &[u8], at: usize) -> u64 {
    let mut long = [0; 8];
    for (to, from) in long.iter_mut().zip(bytes.iter().skip(at)) {
        *to = *from;
    }
    u64::from_ne_bytes(long)
}

fn write(bytes: &mut [u8], at: usize, value: &[u8]) {
    for (to, from) in bytes.iter_mut().skip(at).zip(value) {
        *to = *from;
    }
}

fn write_name(bytes: &mut [u8], at: usize, name: EntryName) {
    let mark = match name.mark {
        Mark::Block => 0,
        Mark::Coming => 1,
        Mark::Leaving => 2,
    };
    write(bytes, at, &name.block.number.to_ne_bytes());
    write(bytes, at + 8, &[mark, 0]);
    write(bytes, at + 10, &name.block.root);
}

fn name(bytes: &[u8], at: usize) -> Result<EntryName, Unreadable> {
    let bytes = bytes.get(at..at + NAME_BYTES).ok_or(Unreadable::Length)?;
    let mark = match bytes[8] {
        0 => Mark::Block,
        1 => Mark::Coming,
        2 => Mark::Leaving,
        _ => return Err(Unreadable::Name),
    };
    let mut root = [0; 6];
    root.copy_from_slice(&bytes[10..]);
    let block = BlockName { number: long(bytes, 0), root };
    if block.number == 0 || bytes[9] != 0 {
        return Err(Unreadable::Name);
    }
    Ok(EntryName { mark, block })
}

fn block(bytes: &[u8], at: usize) -> Result<BlockName, Unreadable> {
    match name(bytes, at)? {
        EntryName { mark: Mark::Block, block } => Ok(block),
        _ => Err(Unreadable::Name),
    }
}

fn id(bytes: &[u8], at: usize) -> [u8; 16] {
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(bytes.iter().skip(at)) {
        *to = *from;
    }
    id
}

fn number(bytes: &[u8], at: usize) -> Result<u64, Unreadable> {
    match long(bytes, at) {
        0 => Err(Unreadable::Name),
        number => Ok(number),
    }
}

impl Request {
    pub(super) fn bytes(self) -> [u8; REQUEST_BYTES] {
        let mut bytes = [0; REQUEST_BYTES];
        let mut flags = 0;
        let verb: u32 = match self {
            Self::Hello => 1,
            Self::Delete(name) => {
                write_name(&mut bytes, 16, name);
                2
            }
            Self::Deleting => 3,
            Self::Usage => 4,
            Self::Send { name, parent, options } => {
                write_name(&mut bytes, 16, EntryName { mark: Mark::Block, block: name });
                if let Some(parent) = parent {
                    flags |= HAS_PARENT;
                    write_name(&mut bytes, 32, EntryName { mark: Mark::Block, block: parent });
                }
                flags |= if options.compressed { COMPRESSED } else { 0 };
                5
            }
            Self::Receive { log, number } => {
                write(&mut bytes, 16, &log);
                write(&mut bytes, 32, &number.to_ne_bytes());
                6
            }
            Self::DeleteReceived { log, name } => {
                write(&mut bytes, 16, &log);
                match name {
                    ReceivedName::Incoming(number) => write(&mut bytes, 32, &number.to_ne_bytes()),
                    ReceivedName::Block(block) => {
                        flags |= IS_BLOCK;
                        write_name(&mut bytes, 32, EntryName { mark: Mark::Block, block });
                    }
                }
                7
            }
        };
        for (at, value) in [(0, MAGIC), (4, VERSION.into()), (8, verb), (12, flags)] {
            write(&mut bytes, at, &value.to_ne_bytes());
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
        let flags = word(bytes, 12);
        let request = match word(bytes, 8) {
            1 => Self::Hello,
            2 => Self::Delete(name(bytes, 16)?),
            3 => Self::Deleting,
            4 => Self::Usage,
            5 => Self::Send {
                name: block(bytes, 16)?,
                parent: if flags & HAS_PARENT == 0 { None } else { Some(block(bytes, 32)?) },
                options: SendOptions { compressed: flags & COMPRESSED != 0 },
            },
            6 => Self::Receive { log: id(bytes, 16), number: number(bytes, 32)? },
            7 => Self::DeleteReceived {
                log: id(bytes, 16),
                name: match flags & IS_BLOCK {
                    0 => ReceivedName::Incoming(number(bytes, 32)?),
                    _ => ReceivedName::Block(block(bytes, 32)?),
                },
            },
            _ => return Err(Unreadable::Verb),
        };
        // Bits that mean nothing may mean something to another version: refused.
        if request.bytes() == bytes { Ok(request) } else { Err(Unreadable::Verb) }
    }
}

#[derive(Debug)]
pub(super) enum Answer {
    Done,
    Deleting(u32),
    Usage(Usage),
    Failed(BlockError),
}

impl Answer {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut longs = [0u64; 5];
        let mut text = String::new();
        let (code, number) = match self {
            Self::Done => (0, 0),
            Self::Deleting(count) => (1, *count),
            Self::Usage(usage) => {
                longs = [
                    usage.log_bytes,
                    usage.pinned_bytes,
                    usage.free_bytes,
                    usage.total_bytes,
                    usage.exact.into(),
                ];
                (2, 0)
            }
            Self::Failed(error) => encode(error, &mut text),
        };
        let mut bytes = vec![0; ANSWER_BYTES];
        for (at, value) in [(0, MAGIC), (4, VERSION.into()), (8, code), (12, number)] {
            write(&mut bytes, at, &value.to_ne_bytes());
        }
        for (index, value) in longs.into_iter().enumerate() {
            write(&mut bytes, 16 + 8 * index, &value.to_ne_bytes());
        }
        text.truncate(text.floor_char_boundary(TEXT_MAX));
        bytes.extend_from_slice(text.as_bytes());
        bytes
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, BlockError> {
        let malformed = |what| BlockError::Malformed { what };
        if bytes.len() < 8 || word(bytes, 0) != MAGIC {
            return Err(malformed("no answer of ours"));
        }
        let version = word(bytes, 4);
        if version != u32::from(VERSION) {
            return Err(BlockError::OtherVersion { ours: VERSION, theirs: version as u16 });
        }
        if bytes.len() < ANSWER_BYTES || bytes.len() > MESSAGE_MAX {
            return Err(malformed("an answer of another length"));
        }
        let number = word(bytes, 12);
        let text = String::from_utf8_lossy(&bytes[ANSWER_BYTES..]);
        let text = text.escape_debug().to_string();
        match word(bytes, 8) {
            0 => Ok(Self::Done),
            1 => Ok(Self::Deleting(number)),
            2 => Ok(Self::Usage(Usage {
                log_bytes: long(bytes, 16),
                pinned_bytes: long(bytes, 24),
                free_bytes: long(bytes, 32),
                total_bytes: long(bytes, 40),
                exact: long(bytes, 48) == 1,
            })),
            code => decode(code, number, text)
                .map(Self::Failed)
                .ok_or(malformed("an answer that is unknown")),
        }
    }
}

/// What of a helper's failure the engine acts on keeps its kind; the rest is told as text.
fn encode(error: &BlockError, text: &mut String) -> (u32, u32) {
    match error {
        BlockError::NoSuchBlock { name } => {
            text.clone_from(name);
            (16, 0)
        }
        BlockError::NoSpace { path, .. } => {
            *text = path.display().to_string();
            (17, 0)
        }
        BlockError::NotPermitted { path, .. } => {
            *text = path.display().to_string();
            (18, 0)
        }
        BlockError::OtherVersion { ours, theirs } => {
            (19, u32::from(*ours) << 16 | u32::from(*theirs))
        }
        BlockError::Io { path, source, .. } => {
            *text = path.display().to_string();
            (20, source.raw_os_error().unwrap_or(0).cast_unsigned())
        }
        other => {
            *text = other.to_string();
            (21, 0)
        }
    }
}

const ASKED: &str = "do what the helper was asked to with";

fn decode(code: u32, number: u32, text: String) -> Option<BlockError> {
    let path = PathBuf::from(&text);
    Some(match code {
        16 => BlockError::NoSuchBlock { name: text },
        17 => BlockError::NoSpace { what: ASKED, path },
        18 => BlockError::NotPermitted { what: ASKED, path },
        19 => BlockError::OtherVersion { ours: number as u16, theirs: (number >> 16) as u16 },
        20 => {
            let source = io::Error::from_raw_os_error(number.cast_signed());
            BlockError::Io { what: ASKED, path, source }
        }
        21 => BlockError::Helper(text),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: u64) -> BlockName {
        BlockName { number, root: [0xab, 1, 2, 3, 4, 0xff] }
    }

    #[test]
    fn every_request_is_read_as_it_was_written() {
        let options = |compressed| SendOptions { compressed };
        let entry = |text: String| EntryName::parse(&text).unwrap();
        for request in [
            Request::Hello,
            Request::Deleting,
            Request::Usage,
            Request::Delete(entry(name(7).to_string())),
            Request::Delete(entry(format!("{COMING}{}", name(8)))),
            Request::Delete(entry(format!("{LEAVING}{}", name(u64::MAX)))),
            Request::Send { name: name(9), parent: None, options: options(false) },
            Request::Send { name: name(9), parent: Some(name(8)), options: options(true) },
            Request::Receive { log: [7; 16], number: 9 },
            Request::DeleteReceived { log: [0; 16], name: ReceivedName::Incoming(u64::MAX) },
            Request::DeleteReceived { log: [255; 16], name: ReceivedName::Block(name(3)) },
        ] {
            assert_eq!(Request::parse(&request.bytes()), Ok(request));
            if let Request::Delete(name) = request {
                assert_eq!(EntryName::parse(&name.text()), Some(name));
            }
        }
    }

    #[test]
    fn an_answer_says_the_same_on_the_other_side() {
        let usage = Usage {
            log_bytes: 1,
            pinned_bytes: 2,
            free_bytes: 3,
            total_bytes: u64::MAX,
            exact: true,
        };
        let Ok(Answer::Usage(read)) = Answer::parse(&Answer::Usage(usage).bytes()) else {
            panic!()
        };
        assert_eq!(read, usage);
        assert!(matches!(Answer::parse(&Answer::Deleting(5).bytes()), Ok(Answer::Deleting(5))));
        let path = || PathBuf::from("/d/blocks/x");
        for error in [
            BlockError::NoSuchBlock { name: "block-1".into() },
            BlockError::NoSpace { what: ASKED, path: path() },
            BlockError::NotPermitted { what: ASKED, path: path() },
            BlockError::Io { what: ASKED, path: path(), source: io::Error::from_raw_os_error(5) },
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
        write(&mut bytes, 4, &9u32.to_ne_bytes());
        assert_eq!(Request::parse(&bytes[..8]), Err(Unreadable::Version(9)));
    }

    #[test]
    fn any_bytes_are_read_or_refused_and_name_nothing_but_blocks() {
        bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
            drop(Answer::parse(bytes));
            let mut known = Request::Hello.bytes().to_vec();
            known.truncate(8);
            known.extend(bytes);
            known.resize(REQUEST_BYTES, 0);
            for bytes in [bytes, &known] {
                if let Ok(request) = Request::parse(bytes) {
                    assert_eq!(request.bytes().as_slice(), bytes.as_slice());
                    if let Request::Delete(name) = request {
                        assert!(!name.text().contains('/'));
                    }
                    if let Request::DeleteReceived { name, .. } = request {
                        assert_eq!(ReceivedName::parse(&name.text()), Some(name));
                    }
                }
            }
            let mut known = Answer::Done.bytes();
            known.truncate(8);
            known.extend(bytes);
            drop(Answer::parse(&known));
        });
    }
}
