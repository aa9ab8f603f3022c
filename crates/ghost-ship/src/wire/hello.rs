//! The first frame of each side: who it is, what it has, what it takes.

use std::fmt;

use ghost_event::Digest;
use ghost_event::line::LINE_BYTES_MAX;
use ghost_log::proof::note::NOTE_BYTES_MAX;

use super::codec::{Fields, put_len32, put_list, put_text, put_u64};
use super::{Form, Place, WireError};
use crate::limits::{BLOCKS_TOLD_MAX, CHUNK_BYTES_MAX, NAME_BYTES_MAX, TAIL_BYTES_MAX};

/// Which side of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Role {
    Primary = 1,
    Replica = 2,
}

impl Role {
    #[must_use]
    pub fn other(self) -> Role {
        match self {
            Role::Primary => Role::Replica,
            Role::Replica => Role::Primary,
        }
    }
}

/// The random name of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId(pub [u8; 16]);

impl LogId {
    /// Reads 32 lower-case hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<LogId> {
        let lower = text.len() == 32
            && text.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c));
        let number = lower.then(|| u128::from_str_radix(text, 16).ok()).flatten()?;
        Some(LogId(number.to_be_bytes()))
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// What a side takes in one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Raw lines of a tail frame.
    pub tail_bytes: u32,
    pub chunk_bytes: u32,
}

impl Limits {
    #[expect(clippy::cast_possible_truncation, reason = "both are below 2 MiB")]
    pub const OURS: Limits =
        Limits { tail_bytes: TAIL_BYTES_MAX as u32, chunk_bytes: CHUNK_BYTES_MAX as u32 };

    /// What both take.
    #[must_use]
    pub fn common(self, other: Limits) -> Limits {
        Limits {
            tail_bytes: self.tail_bytes.min(other.tail_bytes),
            chunk_bytes: self.chunk_bytes.min(other.chunk_bytes),
        }
    }
}

/// A block that a replica has, verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockTold {
    pub number: u64,
    pub size: u64,
    pub root: Digest,
}

/// Who speaks, and what it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    pub role: Role,
    /// The host's identity.
    pub name: String,
    /// The program and its version.
    pub program: String,
    pub limits: Limits,
    /// `None` on a replica that has nothing yet.
    pub log: Option<LogId>,
    /// The highest that it knows of that log.
    pub epoch: u64,
    /// Its newest durable line: on a replica, tail included.
    pub held: Place,
    /// The size of its newest checkpoint, on a replica of the newest that it cosigned; its root, and
    /// the note (0, zeros and empty where there is none).
    pub signed_size: u64,
    pub signed_root: Digest,
    pub note: String,
    /// Blocks that it has, oldest first, the newest 64 of them.
    pub blocks: Vec<BlockTold>,
    /// What a replica takes blocks as.
    pub forms: Vec<Form>,
    /// The public key with which it signs or cosigns; empty where it does not.
    pub key: String,
}

impl Hello {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.push(self.role as u8);
        put_text(out, &self.name);
        put_text(out, &self.program);
        put_len32(out, self.limits.tail_bytes as usize);
        put_len32(out, self.limits.chunk_bytes as usize);
        out.push(u8::from(self.log.is_some()));
        out.extend_from_slice(&self.log.map_or([0; 16], |id| id.0));
        put_u64(out, self.epoch);
        self.held.put(out);
        put_u64(out, self.signed_size);
        out.extend_from_slice(&self.signed_root.0);
        put_text(out, &self.note);
        put_list(out, &self.blocks, |out, block| {
            put_u64(out, block.number);
            put_u64(out, block.size);
            out.extend_from_slice(&block.root.0);
        });
        put_list(out, &self.forms, |out, form| out.push(*form as u8));
        put_text(out, &self.key);
    }

    pub(super) fn read(f: &mut Fields<'_>) -> Result<Hello, WireError> {
        let role = match f.u8()? {
            1 => Role::Primary,
            2 => Role::Replica,
            _ => return Err(f.wrong("neither primary nor replica")),
        };
        let name = plain(f)?;
        let program = plain(f)?;
        let limits = Limits { tail_bytes: f.u32()?, chunk_bytes: f.u32()? };
        if (limits.tail_bytes as usize) < LINE_BYTES_MAX || limits.chunk_bytes < 4096 {
            let bytes = limits.tail_bytes.min(limits.chunk_bytes).into();
            return Err(WireError::SmallPeer { bytes });
        }
        let has_log = f.flag()?;
        let id = f.bytes(16)?.first_chunk::<16>().copied().unwrap_or_default();
        let log = has_log.then_some(LogId(id));
        let (epoch, held) = (f.u64()?, Place::read(f)?);
        let (signed_size, signed_root) = (f.u64()?, f.digest()?);
        let note = f.text(NOTE_BYTES_MAX)?;
        let blocks = f.list(BLOCKS_TOLD_MAX, |f| {
            Ok(BlockTold { number: f.u64()?, size: f.u64()?, root: f.digest()? })
        })?;
        // Forms of later versions are passed over: they are an offer.
        let forms = f.list(16, Fields::u8)?.into_iter().filter_map(Form::of).collect();
        let key = plain(f)?;
        if !blocks.is_sorted_by(|a, b| a.number < b.number && a.size < b.size) {
            return Err(f.wrong("blocks are not in their order"));
        }
        if log.is_none() && (held.size > 0 || epoch > 0 || signed_size > 0 || !blocks.is_empty()) {
            return Err(f.wrong("lines of no log"));
        }
        #[rustfmt::skip]
        return Ok(Hello {
            role, name, program, limits, log, epoch, held, signed_size, signed_root, note, blocks,
            forms, key,
        });
    }
}

/// A text that may be shown: no control characters.
fn plain(f: &mut Fields<'_>) -> Result<String, WireError> {
    let text = f.text(NAME_BYTES_MAX)?;
    if text.chars().any(char::is_control) {
        return Err(f.wrong("a name has control characters"));
    }
    Ok(text)
}
