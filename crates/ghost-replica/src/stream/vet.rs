//! The vetter: bytes of a stream in, bytes that may be obeyed out.

use super::command::{Command, HEAD_BYTES, HEADER_BYTES, MAGIC, attr, crc, kind, put};
use super::paths::allowed;
use super::{StreamError, Touched};

/// Payload of one command: a sender's buffer is 144 KiB at most, and another may use more.
const COMMAND_BYTES_MAX: usize = 256 << 10;

/// A file: a segment is 64 MiB and one line, unless configured.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Names of one stream: as many tiles as 67 million lines have.
const NAMES_MAX: usize = 1 << 18;

/// What one compressed write unpacks to: the kernel takes no more.
const UNPACKED_BYTES_MAX: u64 = 128 << 10;

/// Rights that a block's files may have: none for others, and no bit that changes who runs them.
const MODE_MASK: u64 = 0o770;

/// The one attribute of a file that passes: how it is compressed.
const COMPRESSION: &[u8] = b"btrfs.compression";

/// What is known of the stream before it comes.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    /// The name that its subvolume gets.
    pub(crate) name: String,
    /// The parent that it must build on: the UUID and transaction of its sender's.
    pub(crate) parent: Option<([u8; 16], u64)>,
    /// Bytes that it may write in all.
    pub(crate) bytes_max: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Header,
    Subvolume,
    Body,
    Ended,
}

/// Looks through one stream.
#[derive(Debug)]
pub(crate) struct Vetter {
    expected: Expected,
    phase: Phase,
    version: u32,
    waiting: Vec<u8>,
    /// Bytes of the stream before `waiting`.
    at: u64,
    /// What it will write, unpacked.
    bytes: u64,
    touched: Touched,
    /// Of its sender's subvolume.
    uuid: [u8; 16],
    transaction: u64,
}

/// What becomes of a command.
enum Passed {
    AsItIs,
    /// Another one in its place, which was put out already.
    Instead,
    /// Left out.
    Not,
}

impl Vetter {
    pub(crate) fn new(expected: Expected) -> Vetter {
        Vetter {
            expected,
            phase: Phase::Header,
            version: 0,
            waiting: Vec::new(),
            at: 0,
            bytes: 0,
            touched: Touched::default(),
            uuid: [0; 16],
            transaction: 0,
        }
    }

    /// The sender's subvolume: its UUID and transaction, which what was received bears.
    pub(crate) fn sender(&self) -> ([u8; 16], u64) {
        (self.uuid, self.transaction)
    }

    /// Whether its end has come: without it nothing was received.
    pub(crate) fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    pub(crate) fn touched(self) -> Touched {
        self.touched
    }

    /// Takes the next bytes; what of them may pass is added to `out`. After an error it is over.
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), StreamError> {
        self.waiting.extend_from_slice(bytes);
        let waiting = std::mem::take(&mut self.waiting);
        let mut rest = &waiting[..];
        let result = loop {
            match self.step(rest, out) {
                Ok(0) => break Ok(()),
                Ok(n) => {
                    rest = rest.get(n..).unwrap_or_default();
                    self.at += n as u64;
                }
                Err(error) => break Err(error),
            }
        };
        let taken = waiting.len() - rest.len();
        self.waiting = waiting;
        self.waiting.drain(..taken);
        result
    }

    /// Takes one piece off the beginning: how many bytes that was, 0 where it is not whole yet.
    fn step(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, StreamError> {
        match self.phase {
            Phase::Header => return self.header(bytes, out),
            Phase::Ended if bytes.is_empty() => return Ok(0),
            Phase::Ended => {
                let what = "the stream ended before it";
                return Err(StreamError::Damaged { at: self.at, what });
            }
            Phase::Subvolume | Phase::Body => {}
        }
        let Some((head, rest)) = bytes.split_first_chunk::<HEAD_BYTES>() else { return Ok(0) };
        let [l0, l1, l2, l3, k0, k1, c0, c1, c2, c3] = *head;
        let length = [l0, l1, l2, l3];
        let payload_bytes = u32::from_le_bytes(length) as usize;
        if payload_bytes > COMMAND_BYTES_MAX {
            let (bytes, max) = (payload_bytes as u64, COMMAND_BYTES_MAX as u64);
            return Err(StreamError::TooLong { bytes, max });
        }
        let Some(payload) = rest.get(..payload_bytes) else { return Ok(0) };
        if crc(length, [k0, k1], payload) != u32::from_le_bytes([c0, c1, c2, c3]) {
            let what = "its checksum is another";
            return Err(StreamError::Damaged { at: self.at, what });
        }
        let kind = u16::from_le_bytes([k0, k1]);
        let command = Command::read(self.at, kind, payload, self.version)?;
        let whole = HEAD_BYTES + payload_bytes;
        match self.vet(&command, out)? {
            Passed::AsItIs => out.extend_from_slice(bytes.get(..whole).unwrap_or_default()),
            Passed::Instead | Passed::Not => {}
        }
        Ok(whole)
    }

    fn header(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, StreamError> {
        let known = bytes.len().min(MAGIC.len());
        if bytes.get(..known) != MAGIC.get(..known) {
            return Err(StreamError::Header);
        }
        let Some(header) = bytes.get(..HEADER_BYTES) else { return Ok(0) };
        let version = header.last_chunk::<4>().copied().map_or(0, u32::from_le_bytes);
        if !(1..=2).contains(&version) {
            return Err(StreamError::Header);
        }
        out.extend_from_slice(header);
        self.version = version;
        self.phase = Phase::Subvolume;
        Ok(HEADER_BYTES)
    }

    fn vet(&mut self, c: &Command<'_>, out: &mut Vec<u8>) -> Result<Passed, StreamError> {
        if self.phase == Phase::Subvolume {
            self.subvolume(c, out)?;
            self.phase = Phase::Body;
            return Ok(Passed::Instead);
        }
        match c.kind {
            kind::END => {
                c.has_only(&[], &[])?;
                self.phase = Phase::Ended;
                Ok(Passed::AsItIs)
            }
            kind::MKFILE | kind::MKDIR => self.make(c),
            kind::RENAME | kind::LINK => self.name(c),
            kind::UNLINK | kind::RMDIR => {
                c.has_only(&[attr::PATH], &[attr::INO])?;
                let path = named(c, attr::PATH)?;
                self.touched.removed(path);
                Ok(Passed::AsItIs)
            }
            kind::WRITE => {
                c.has_only(&[attr::PATH, attr::FILE_OFFSET, attr::DATA], &[])?;
                let length = c.bytes(attr::DATA)?.len() as u64;
                self.write(c, named(c, attr::PATH)?, length)
            }
            kind::ENCODED_WRITE => self.packed(c),
            kind::CLONE => self.clone(c),
            kind::TRUNCATE => {
                c.has_only(&[attr::PATH, attr::SIZE], &[])?;
                let (path, size) = (named(c, attr::PATH)?, c.u64(attr::SIZE)?);
                if size > FILE_BYTES_MAX {
                    return Err(StreamError::Bounds { at: c.at });
                }
                self.touched.wrote(path, size);
                Ok(Passed::AsItIs)
            }
            kind::FALLOCATE => {
                let must = [attr::PATH, attr::FALLOCATE_MODE, attr::FILE_OFFSET, attr::SIZE];
                c.has_only(&must, &[])?;
                // To reserve, and to make a hole.
                if !matches!(c.u32(attr::FALLOCATE_MODE)?, 0 | 1 | 3) {
                    return Err(c.refuse("that changes a file otherwise than a log does"));
                }
                let length = c.u64(attr::SIZE)?;
                self.write(c, named(c, attr::PATH)?, length)
            }
            kind::CHMOD => {
                c.has_only(&[attr::PATH, attr::MODE], &[])?;
                let path = path_of(c, attr::PATH)?;
                let mode = (c.u64(attr::MODE)? & MODE_MASK).to_le_bytes();
                let attributes = [(attr::PATH, path.as_bytes()), (attr::MODE, &mode[..])];
                put(out, kind::CHMOD, &attributes, self.version);
                Ok(Passed::Instead)
            }
            kind::UTIMES => {
                let must = [attr::PATH, attr::ATIME, attr::MTIME, attr::CTIME];
                c.has_only(&must, &[attr::OTIME])?;
                path_of(c, attr::PATH)?;
                Ok(Passed::AsItIs)
            }
            // They belong to whoever receives them.
            kind::CHOWN => {
                c.has_only(&[attr::PATH, attr::UID, attr::GID], &[])?;
                path_of(c, attr::PATH)?;
                Ok(Passed::Not)
            }
            kind::FILEATTR => {
                c.has_only(&[attr::PATH, attr::FILEATTR], &[])?;
                path_of(c, attr::PATH)?;
                Ok(Passed::Not)
            }
            kind::SET_XATTR => {
                c.has_only(&[attr::PATH, attr::XATTR_NAME, attr::XATTR_DATA], &[])?;
                path_of(c, attr::PATH)?;
                let value = c.bytes(attr::XATTR_DATA)?;
                let plain = |b: &u8| b.is_ascii_alphanumeric() || *b == b':';
                let passes = c.bytes(attr::XATTR_NAME)? == COMPRESSION
                    && value.len() <= 16
                    && value.iter().all(plain);
                Ok(if passes { Passed::AsItIs } else { Passed::Not })
            }
            kind::REMOVE_XATTR => {
                c.has_only(&[attr::PATH, attr::XATTR_NAME], &[])?;
                path_of(c, attr::PATH)?;
                let passes = c.bytes(attr::XATTR_NAME)? == COMPRESSION;
                Ok(if passes { Passed::AsItIs } else { Passed::Not })
            }
            kind::SUBVOL | kind::SNAPSHOT => Err(c.refuse("one stream makes one subvolume")),
            _ => Err(c.refuse("a log has files and folders, and nothing else")),
        }
    }

    /// The first command: the subvolume, by the name that we give it.
    fn subvolume(&mut self, c: &Command<'_>, out: &mut Vec<u8>) -> Result<(), StreamError> {
        let common = [attr::PATH, attr::UUID, attr::CTRANSID];
        match (c.kind, self.expected.parent) {
            (kind::SUBVOL, None) => c.has_only(&common, &[])?,
            (kind::SNAPSHOT, Some(parent)) => {
                let [path, uuid, transaction] = common;
                c.has_only(
                    &[path, uuid, transaction, attr::CLONE_UUID, attr::CLONE_CTRANSID],
                    &[],
                )?;
                if (c.uuid(attr::CLONE_UUID)?, c.u64(attr::CLONE_CTRANSID)?) != parent {
                    return Err(StreamError::Parent);
                }
            }
            (kind::SUBVOL | kind::SNAPSHOT, _) => return Err(StreamError::Parent),
            _ => return Err(c.refuse("a stream begins with its subvolume")),
        }
        (self.uuid, self.transaction) = (c.uuid(attr::UUID)?, c.u64(attr::CTRANSID)?);
        let transaction = self.transaction.to_le_bytes();
        let (parent_uuid, parent_transaction);
        let name = self.expected.name.as_bytes();
        let mut attributes: Vec<(u16, &[u8])> =
            vec![(attr::PATH, name), (attr::UUID, &self.uuid), (attr::CTRANSID, &transaction)];
        if let Some((uuid, transaction)) = self.expected.parent {
            (parent_uuid, parent_transaction) = (uuid, transaction.to_le_bytes());
            attributes.push((attr::CLONE_UUID, &parent_uuid));
            attributes.push((attr::CLONE_CTRANSID, &parent_transaction));
        }
        put(out, c.kind, &attributes, self.version);
        Ok(())
    }

    fn make(&mut self, c: &Command<'_>) -> Result<Passed, StreamError> {
        c.has_only(&[attr::PATH], &[attr::INO])?;
        let path = named(c, attr::PATH)?;
        if c.kind == kind::MKFILE {
            self.room(c)?;
            self.touched.made(path);
        }
        Ok(Passed::AsItIs)
    }

    fn name(&mut self, c: &Command<'_>) -> Result<Passed, StreamError> {
        // Of a link, the path is the new name, and the other one the file's.
        if c.kind == kind::LINK {
            c.has_only(&[attr::PATH, attr::PATH_LINK], &[])?;
            let (to, from) = (named(c, attr::PATH)?, named(c, attr::PATH_LINK)?);
            self.room(c)?;
            self.touched.linked(from, to);
        } else {
            c.has_only(&[attr::PATH, attr::PATH_TO], &[])?;
            let (from, to) = (named(c, attr::PATH)?, named(c, attr::PATH_TO)?);
            self.room(c)?;
            self.touched.renamed(from, to);
        }
        Ok(Passed::AsItIs)
    }

    fn packed(&mut self, c: &Command<'_>) -> Result<Passed, StreamError> {
        let must = [
            attr::PATH,
            attr::FILE_OFFSET,
            attr::UNENCODED_FILE_LEN,
            attr::UNENCODED_LEN,
            attr::UNENCODED_OFFSET,
            attr::DATA,
        ];
        c.has_only(&must, &[attr::COMPRESSION, attr::ENCRYPTION])?;
        if self.version < 2 {
            return Err(c.refuse("it is of a later version than its stream"));
        }
        let (in_file, whole, from) = (
            c.u64(attr::UNENCODED_FILE_LEN)?,
            c.u64(attr::UNENCODED_LEN)?,
            c.u64(attr::UNENCODED_OFFSET)?,
        );
        let inside = from.checked_add(in_file).is_some_and(|end| end <= whole);
        if !inside || whole > UNPACKED_BYTES_MAX {
            return Err(StreamError::Bounds { at: c.at });
        }
        if c.u32_or(attr::ENCRYPTION, 0)? != 0 || c.u32_or(attr::COMPRESSION, 0)? > 7 {
            return Err(c.refuse("it is packed in a way that is unknown"));
        }
        self.write(c, named(c, attr::PATH)?, in_file)
    }

    fn clone(&mut self, c: &Command<'_>) -> Result<Passed, StreamError> {
        let must = [
            attr::PATH,
            attr::FILE_OFFSET,
            attr::CLONE_UUID,
            attr::CLONE_CTRANSID,
            attr::CLONE_PATH,
            attr::CLONE_OFFSET,
            attr::CLONE_LEN,
        ];
        c.has_only(&must, &[])?;
        let source = (c.uuid(attr::CLONE_UUID)?, c.u64(attr::CLONE_CTRANSID)?);
        let own = (self.uuid, self.transaction);
        if source != own && Some(source) != self.expected.parent {
            return Err(c.refuse("it takes bytes of another subvolume"));
        }
        named(c, attr::CLONE_PATH)?;
        let length = c.u64(attr::CLONE_LEN)?;
        self.write(c, named(c, attr::PATH)?, length)
    }

    /// Bytes of a file that are written, whatever by.
    fn write(&mut self, c: &Command<'_>, path: &str, length: u64) -> Result<Passed, StreamError> {
        let offset = c.u64(attr::FILE_OFFSET)?;
        let end = offset.checked_add(length).filter(|end| *end <= FILE_BYTES_MAX);
        self.bytes = self.bytes.saturating_add(length);
        if end.is_none() || self.bytes > self.expected.bytes_max {
            return Err(StreamError::Bounds { at: c.at });
        }
        self.room(c)?;
        self.touched.wrote(path, offset);
        Ok(Passed::AsItIs)
    }

    /// Whether one more name may be remembered.
    fn room(&self, c: &Command<'_>) -> Result<(), StreamError> {
        if self.touched.len() < NAMES_MAX {
            return Ok(());
        }
        Err(StreamError::Bounds { at: c.at })
    }
}

/// A path that a block may have; the block's own folder is the empty one.
fn path_of<'a>(c: &Command<'a>, what: u16) -> Result<&'a str, StreamError> {
    allowed(c.bytes(what)?).ok_or(StreamError::Path { at: c.at })
}

/// The path of something in a block.
fn named<'a>(c: &Command<'a>, what: u16) -> Result<&'a str, StreamError> {
    path_of(c, what).ok().filter(|path| !path.is_empty()).ok_or(StreamError::Path { at: c.at })
}
