//! Frames: what one side says to the other, and its bytes.
//!
//! ```text
//! 0      1       2        4        8
//! | kind | flags | zeros  | length | payload, `length` bytes
//! ```
//! Flag 1: the payload is the unpacked length (4 bytes) and a zstd frame. Kinds below 128 must be
//! understood; others are passed over by whoever does not know them.

use ghost_event::Digest;
use ghost_log::proof::note::NOTE_BYTES_MAX;

use super::codec::{Fields, put_len32, put_list, put_text, put_u64};
use super::compress::{pack, unpack};
use super::{Hello, Level, Lines, Refusal, WireError};
use crate::limits::{
    ANSWER_BYTES_MAX, BLOCKS_TOLD_MAX, CHUNK_BYTES_MAX, HASHES_MAX, NAME_BYTES_MAX,
    PAYLOAD_BYTES_MAX, QUESTION_BYTES_MAX, TAIL_BYTES_MAX, WORDS_BYTES_MAX,
};

pub(super) const HEAD_BYTES: usize = 8;
pub(super) const PACKED: u8 = 1;

/// Kinds from here on may be passed over.
pub(super) const KIND_OPTIONAL: u8 = 128;

/// The number of a kind of frame, and what it may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    Refusal = 1,
    Hello = 2,
    Health = 3,
    Tail = 4,
    TailHeld = 5,
    Received = 6,
    BlockBegin = 7,
    BlockChunk = 8,
    BlockEnd = 9,
    BlockVerified = 10,
    Checkpoint = 11,
    Cosignature = 12,
    Ping = 13,
    Pong = 14,
    Bye = 15,
    Question = 16,
    AnswerPart = 17,
    Cancel = 18,
}

impl Kind {
    pub(super) const ALL: [Kind; 18] = [
        Kind::Refusal,
        Kind::Hello,
        Kind::Health,
        Kind::Tail,
        Kind::TailHeld,
        Kind::Received,
        Kind::BlockBegin,
        Kind::BlockChunk,
        Kind::BlockEnd,
        Kind::BlockVerified,
        Kind::Checkpoint,
        Kind::Cosignature,
        Kind::Ping,
        Kind::Pong,
        Kind::Bye,
        Kind::Question,
        Kind::AnswerPart,
        Kind::Cancel,
    ];

    #[must_use]
    pub fn of(number: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|k| *k as u8 == number)
    }

    /// The longest payload, unpacked.
    #[must_use]
    pub fn bytes_max(self) -> usize {
        match self {
            Kind::Refusal => 3 + 12 + WORDS_BYTES_MAX + 2 * NOTE_BYTES_MAX,
            Kind::Hello => 512 + 3 * NAME_BYTES_MAX + NOTE_BYTES_MAX + BLOCKS_TOLD_MAX * 48,
            Kind::Health => 28,
            Kind::Tail => 8 + TAIL_BYTES_MAX,
            Kind::TailHeld => 40,
            Kind::BlockBegin => 512 + NOTE_BYTES_MAX + (HASHES_MAX + 64) * 32,
            Kind::BlockChunk => 16 + CHUNK_BYTES_MAX,
            Kind::BlockEnd => 16,
            Kind::BlockVerified => 48,
            Kind::Checkpoint => 64 + NOTE_BYTES_MAX + HASHES_MAX * 32,
            Kind::Cosignature => 44 + 2 * NAME_BYTES_MAX,
            Kind::Received | Kind::Ping | Kind::Pong | Kind::Cancel => 8,
            Kind::Bye => 0,
            Kind::Question => 12 + QUESTION_BYTES_MAX,
            Kind::AnswerPart => 9 + ANSWER_BYTES_MAX,
        }
    }

    /// Whether it may come packed.
    #[must_use]
    pub fn is_packable(self) -> bool {
        matches!(self, Kind::Tail | Kind::BlockChunk | Kind::AnswerPart)
    }
}

/// How far a log goes: so many lines, the last of which has this leaf (zeros where there is none).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    pub size: u64,
    pub leaf: Digest,
}

/// A proof that a tree of `new` leaves continues one of `old`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Growth {
    pub old: u64,
    pub new: u64,
    pub path: Vec<Digest>,
}

/// What a block's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Form {
    /// A btrfs send stream of version 1.
    Btrfs = 1,
    /// The same of version 2, its data compressed as on disk.
    BtrfsPacked = 2,
    /// The raw lines after the start.
    Lines = 3,
}

impl Form {
    #[must_use]
    pub fn of(number: u8) -> Option<Form> {
        [Form::Btrfs, Form::BtrfsPacked, Form::Lines].into_iter().find(|f| *f as u8 == number)
    }
}

/// What a block's bytes begin from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// A block that both have.
    Parent { number: u64, root: Digest },
    /// Nothing: all that the log still has, which begins after `size` lines.
    Base { size: u64, leaf: Digest, frontier: Vec<Digest> },
}

/// A block is coming.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockBegin {
    pub number: u64,
    pub size: u64,
    pub root: Digest,
    pub epoch: u64,
    pub form: Form,
    pub start: Start,
    /// The block's signed checkpoint.
    pub note: String,
    /// From what the replica last cosigned to this block, or back.
    pub growth: Growth,
}

/// How a replica does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    pub free_bytes: u64,
    pub total_bytes: u64,
    /// Its index knows the lines up to this one.
    pub indexed: u64,
    /// Of its processors, in thousandths.
    pub load: u32,
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    Refusal(Refusal),
    Hello(Box<Hello>),
    Health(Health),
    /// Lines that run ahead of the blocks.
    Tail {
        epoch: u64,
        lines: Lines,
    },
    /// All lines up to here are chained and durable on the replica.
    TailHeld(Place),
    /// So many bytes of this connection have been read: what bandwidth is measured by.
    Received {
        bytes: u64,
    },
    BlockBegin(Box<BlockBegin>),
    BlockChunk {
        number: u64,
        offset: u64,
        bytes: Vec<u8>,
    },
    BlockEnd {
        number: u64,
        bytes: u64,
    },
    /// The block lies on the replica, verified, under its name.
    BlockVerified {
        number: u64,
        size: u64,
        root: Digest,
    },
    /// To be cosigned.
    Checkpoint {
        note: String,
        growth: Growth,
    },
    Cosignature {
        size: u64,
        root: Digest,
        line: String,
    },
    Ping {
        token: u64,
    },
    Pong {
        token: u64,
    },
    /// No more will come; nothing is wrong.
    Bye,
    /// Something to be answered from what the replica holds: a question of the API, as JSON.
    Question {
        id: u64,
        body: String,
    },
    /// The next bytes of an answer: lines of JSON, as the API answers them.
    AnswerPart {
        id: u64,
        last: bool,
        bytes: Vec<u8>,
    },
    /// Nobody waits for that answer any more.
    Cancel {
        id: u64,
    },
}

impl Frame {
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Frame::Refusal(_) => Kind::Refusal,
            Frame::Hello(_) => Kind::Hello,
            Frame::Health(_) => Kind::Health,
            Frame::Tail { .. } => Kind::Tail,
            Frame::TailHeld(_) => Kind::TailHeld,
            Frame::Received { .. } => Kind::Received,
            Frame::BlockBegin(_) => Kind::BlockBegin,
            Frame::BlockChunk { .. } => Kind::BlockChunk,
            Frame::BlockEnd { .. } => Kind::BlockEnd,
            Frame::BlockVerified { .. } => Kind::BlockVerified,
            Frame::Checkpoint { .. } => Kind::Checkpoint,
            Frame::Cosignature { .. } => Kind::Cosignature,
            Frame::Ping { .. } => Kind::Ping,
            Frame::Pong { .. } => Kind::Pong,
            Frame::Bye => Kind::Bye,
            Frame::Question { .. } => Kind::Question,
            Frame::AnswerPart { .. } => Kind::AnswerPart,
            Frame::Cancel { .. } => Kind::Cancel,
        }
    }

    /// The frame's bytes, its head included.
    #[must_use]
    pub fn bytes(&self, level: Level) -> Vec<u8> {
        let kind = self.kind();
        let mut payload = Vec::new();
        self.put(&mut payload);
        let packed = if kind.is_packable() { pack(&payload, level) } else { None };
        let mut out = Vec::with_capacity(HEAD_BYTES + payload.len());
        out.extend_from_slice(&[kind as u8, u8::from(packed.is_some()) * PACKED, 0, 0]);
        match packed {
            Some(packed) => {
                put_len32(&mut out, packed.len() + 4);
                put_len32(&mut out, payload.len());
                out.extend_from_slice(&packed);
            }
            None => {
                put_len32(&mut out, payload.len());
                out.extend_from_slice(&payload);
            }
        }
        out
    }

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Frame::Refusal(refusal) => refusal.put(out),
            Frame::Hello(hello) => hello.put(out),
            Frame::Health(h) => {
                put_u64(out, h.free_bytes);
                put_u64(out, h.total_bytes);
                put_u64(out, h.indexed);
                out.extend_from_slice(&h.load.to_be_bytes());
            }
            Frame::Tail { epoch, lines } => {
                put_u64(out, *epoch);
                out.extend_from_slice(lines.bytes());
            }
            Frame::TailHeld(place) => place.put(out),
            Frame::Received { bytes: n }
            | Frame::Ping { token: n }
            | Frame::Pong { token: n }
            | Frame::Cancel { id: n } => put_u64(out, *n),
            Frame::BlockBegin(begin) => begin.put(out),
            Frame::BlockChunk { number, offset, bytes } => {
                put_u64(out, *number);
                put_u64(out, *offset);
                out.extend_from_slice(bytes);
            }
            Frame::BlockEnd { number, bytes } => {
                put_u64(out, *number);
                put_u64(out, *bytes);
            }
            Frame::BlockVerified { number, size, root } => {
                put_u64(out, *number);
                put_u64(out, *size);
                out.extend_from_slice(&root.0);
            }
            Frame::Checkpoint { note, growth } => {
                put_text(out, note);
                growth.put(out);
            }
            Frame::Cosignature { size, root, line } => {
                put_u64(out, *size);
                out.extend_from_slice(&root.0);
                put_text(out, line);
            }
            Frame::Bye => {}
            Frame::Question { id, body } => {
                put_u64(out, *id);
                put_text(out, body);
            }
            Frame::AnswerPart { id, last, bytes } => {
                put_u64(out, *id);
                out.push(u8::from(*last));
                out.extend_from_slice(bytes);
            }
        }
    }

    /// Reads a frame whose payload is whole.
    pub(super) fn read(kind: Kind, packed: bool, payload: &[u8]) -> Result<Frame, WireError> {
        let number = kind as u8;
        let unpacked;
        let payload = if packed {
            let (declared, rest) = payload
                .split_first_chunk::<4>()
                .ok_or(WireError::Form { kind: number, what: "it ends too early" })?;
            let declared = u32::from_be_bytes(*declared) as usize;
            unpacked = unpack(number, rest, declared, kind.bytes_max())?;
            &unpacked[..]
        } else {
            payload
        };
        let mut f = Fields::new(number, payload);
        let frame = match kind {
            Kind::Refusal => Frame::Refusal(Refusal::read(&mut f)?),
            Kind::Hello => Frame::Hello(Box::new(Hello::read(&mut f)?)),
            Kind::Health => Frame::Health(Health {
                free_bytes: f.u64()?,
                total_bytes: f.u64()?,
                indexed: f.u64()?,
                load: f.u32()?,
            }),
            Kind::Tail => {
                let epoch = f.u64()?;
                let lines = Lines::new(f.rest().to_vec());
                Frame::Tail { epoch, lines: lines.ok_or(f.wrong("these are no lines in a row"))? }
            }
            Kind::TailHeld => Frame::TailHeld(Place::read(&mut f)?),
            Kind::Received => Frame::Received { bytes: f.u64()? },
            Kind::BlockBegin => Frame::BlockBegin(Box::new(BlockBegin::read(&mut f)?)),
            Kind::BlockChunk => {
                let (number, offset) = (f.u64()?, f.u64()?);
                let bytes = f.rest().to_vec();
                if bytes.is_empty() || bytes.len() > CHUNK_BYTES_MAX {
                    return Err(f.wrong("a chunk is empty or too long"));
                }
                Frame::BlockChunk { number, offset, bytes }
            }
            Kind::BlockEnd => Frame::BlockEnd { number: f.u64()?, bytes: f.u64()? },
            Kind::BlockVerified => {
                Frame::BlockVerified { number: f.u64()?, size: f.u64()?, root: f.digest()? }
            }
            Kind::Checkpoint => {
                Frame::Checkpoint { note: f.text(NOTE_BYTES_MAX)?, growth: Growth::read(&mut f)? }
            }
            Kind::Cosignature => {
                let (size, root) = (f.u64()?, f.digest()?);
                let line = f.text(2 * NAME_BYTES_MAX)?;
                if line.contains('\n') {
                    return Err(f.wrong("a signature is one line"));
                }
                Frame::Cosignature { size, root, line }
            }
            Kind::Ping => Frame::Ping { token: f.u64()? },
            Kind::Pong => Frame::Pong { token: f.u64()? },
            Kind::Bye => Frame::Bye,
            Kind::Question => Frame::Question { id: f.u64()?, body: f.text(QUESTION_BYTES_MAX)? },
            Kind::AnswerPart => {
                let (id, last) = (f.u64()?, f.flag()?);
                let bytes = f.rest().to_vec();
                if bytes.len() > ANSWER_BYTES_MAX || (bytes.is_empty() && !last) {
                    return Err(f.wrong("a part of an answer is empty or too long"));
                }
                Frame::AnswerPart { id, last, bytes }
            }
            Kind::Cancel => Frame::Cancel { id: f.u64()? },
        };
        f.end()?;
        Ok(frame)
    }
}

impl Place {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_u64(out, self.size);
        out.extend_from_slice(&self.leaf.0);
    }

    pub(super) fn read(f: &mut Fields<'_>) -> Result<Place, WireError> {
        let place = Place { size: f.u64()?, leaf: f.digest()? };
        if place.size == 0 && place.leaf != Digest::ZERO {
            return Err(f.wrong("no lines have no leaf"));
        }
        Ok(place)
    }
}

impl Growth {
    fn put(&self, out: &mut Vec<u8>) {
        put_u64(out, self.old);
        put_u64(out, self.new);
        put_list(out, &self.path, |out, hash| out.extend_from_slice(&hash.0));
    }

    fn read(f: &mut Fields<'_>) -> Result<Growth, WireError> {
        Ok(Growth { old: f.u64()?, new: f.u64()?, path: f.list(HASHES_MAX, Fields::digest)? })
    }
}

impl BlockBegin {
    fn put(&self, out: &mut Vec<u8>) {
        put_u64(out, self.number);
        put_u64(out, self.size);
        out.extend_from_slice(&self.root.0);
        put_u64(out, self.epoch);
        out.push(self.form as u8);
        match &self.start {
            Start::Parent { number, root } => {
                out.push(1);
                put_u64(out, *number);
                out.extend_from_slice(&root.0);
            }
            Start::Base { size, leaf, frontier } => {
                out.push(0);
                put_u64(out, *size);
                out.extend_from_slice(&leaf.0);
                put_list(out, frontier, |out, hash| out.extend_from_slice(&hash.0));
            }
        }
        put_text(out, &self.note);
        self.growth.put(out);
    }

    fn read(f: &mut Fields<'_>) -> Result<BlockBegin, WireError> {
        let (number, size, root, epoch) = (f.u64()?, f.u64()?, f.digest()?, f.u64()?);
        let form = Form::of(f.u8()?).ok_or(f.wrong("the form of the block is not known"))?;
        let start = if f.flag()? {
            Start::Parent { number: f.u64()?, root: f.digest()? }
        } else {
            let Place { size: base, leaf } = Place::read(f)?;
            let frontier = f.list(64, Fields::digest)?;
            if frontier.len() != base.count_ones() as usize || base >= size {
                return Err(f.wrong("the frontier is not of that size"));
            }
            Start::Base { size: base, leaf, frontier }
        };
        let (note, growth) = (f.text(NOTE_BYTES_MAX)?, Growth::read(f)?);
        if number == 0 || size == 0 {
            return Err(f.wrong("no block has number 0 or no lines"));
        }
        Ok(BlockBegin { number, size, root, epoch, form, start, note, growth })
    }
}

const _: () = assert!(Kind::Tail as u8 == 4 && PAYLOAD_BYTES_MAX <= u32::MAX as usize);
