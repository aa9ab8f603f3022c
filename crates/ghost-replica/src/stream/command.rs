//! One command: its kind and its attributes, read from bytes that are whole, and written.

use super::StreamError;

pub(super) const MAGIC: &[u8; 13] = b"btrfs-stream\0";
pub(super) const HEADER_BYTES: usize = MAGIC.len() + 4;
pub(super) const HEAD_BYTES: usize = 10;

/// What a command does.
pub(super) mod kind {
    pub(crate) const SUBVOL: u16 = 1;
    pub(crate) const SNAPSHOT: u16 = 2;
    pub(crate) const MKFILE: u16 = 3;
    pub(crate) const MKDIR: u16 = 4;
    pub(crate) const RENAME: u16 = 9;
    pub(crate) const LINK: u16 = 10;
    pub(crate) const UNLINK: u16 = 11;
    pub(crate) const RMDIR: u16 = 12;
    pub(crate) const SET_XATTR: u16 = 13;
    pub(crate) const REMOVE_XATTR: u16 = 14;
    pub(crate) const WRITE: u16 = 15;
    pub(crate) const CLONE: u16 = 16;
    pub(crate) const TRUNCATE: u16 = 17;
    pub(crate) const CHMOD: u16 = 18;
    pub(crate) const CHOWN: u16 = 19;
    pub(crate) const UTIMES: u16 = 20;
    pub(crate) const END: u16 = 21;
    pub(crate) const FALLOCATE: u16 = 23;
    pub(crate) const FILEATTR: u16 = 24;
    pub(crate) const ENCODED_WRITE: u16 = 25;
}

/// What an attribute is.
pub(super) mod attr {
    pub(crate) const UUID: u16 = 1;
    pub(crate) const CTRANSID: u16 = 2;
    pub(crate) const INO: u16 = 3;
    pub(crate) const SIZE: u16 = 4;
    pub(crate) const MODE: u16 = 5;
    pub(crate) const UID: u16 = 6;
    pub(crate) const GID: u16 = 7;
    pub(crate) const CTIME: u16 = 9;
    pub(crate) const MTIME: u16 = 10;
    pub(crate) const ATIME: u16 = 11;
    pub(crate) const OTIME: u16 = 12;
    pub(crate) const XATTR_NAME: u16 = 13;
    pub(crate) const XATTR_DATA: u16 = 14;
    pub(crate) const PATH: u16 = 15;
    pub(crate) const PATH_TO: u16 = 16;
    pub(crate) const PATH_LINK: u16 = 17;
    pub(crate) const FILE_OFFSET: u16 = 18;
    pub(crate) const DATA: u16 = 19;
    pub(crate) const CLONE_UUID: u16 = 20;
    pub(crate) const CLONE_CTRANSID: u16 = 21;
    pub(crate) const CLONE_PATH: u16 = 22;
    pub(crate) const CLONE_OFFSET: u16 = 23;
    pub(crate) const CLONE_LEN: u16 = 24;
    pub(crate) const FALLOCATE_MODE: u16 = 25;
    pub(crate) const FILEATTR: u16 = 26;
    pub(crate) const UNENCODED_FILE_LEN: u16 = 27;
    pub(crate) const UNENCODED_LEN: u16 = 28;
    pub(crate) const UNENCODED_OFFSET: u16 = 29;
    pub(crate) const COMPRESSION: u16 = 30;
    pub(crate) const ENCRYPTION: u16 = 31;
    pub(crate) const MAX: u16 = 31;
}

/// The checksum of a command: CRC-32C that begins and ends without inversion.
pub(super) fn crc(length: [u8; 4], kind: [u8; 2], payload: &[u8]) -> u32 {
    let crc = crc32c::crc32c_append(!0, &length);
    let crc = crc32c::crc32c_append(crc, &kind);
    let crc = crc32c::crc32c_append(crc, &[0; 4]);
    !crc32c::crc32c_append(crc, payload)
}

/// Appends a command of any attributes; data, where there is any, comes last.
pub(super) fn put(out: &mut Vec<u8>, kind: u16, attributes: &[(u16, &[u8])], version: u32) {
    let mut payload = Vec::new();
    for (what, bytes) in attributes {
        payload.extend_from_slice(&what.to_le_bytes());
        if version < 2 || *what != attr::DATA {
            let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
            payload.extend_from_slice(&length.to_le_bytes());
        }
        payload.extend_from_slice(bytes);
    }
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&crc(length, kind.to_le_bytes(), &payload).to_le_bytes());
    out.extend_from_slice(&payload);
}

/// The attributes of one command, each at most once.
#[derive(Debug)]
pub(super) struct Command<'a> {
    pub(super) at: u64,
    pub(super) kind: u16,
    attributes: [Option<&'a [u8]>; attr::MAX as usize + 1],
}

impl<'a> Command<'a> {
    /// Reads a payload that is whole and intact.
    pub(super) fn read(
        at: u64,
        kind: u16,
        mut payload: &'a [u8],
        version: u32,
    ) -> Result<Command<'a>, StreamError> {
        let damaged = |what| StreamError::Damaged { at, what };
        let mut command = Command { at, kind, attributes: [None; attr::MAX as usize + 1] };
        while !payload.is_empty() {
            let (what, rest) =
                payload.split_first_chunk::<2>().ok_or(damaged("an attribute ends too early"))?;
            let what = u16::from_le_bytes(*what);
            let (bytes, rest) = if version >= 2 && what == attr::DATA {
                (rest, &[][..])
            } else {
                let (length, rest) =
                    rest.split_first_chunk::<2>().ok_or(damaged("an attribute ends too early"))?;
                rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))
                    .ok_or(damaged("an attribute ends too early"))?
            };
            let slot = command.attributes.get_mut(usize::from(what));
            let slot = slot.filter(|_| what != 0).ok_or(damaged("an attribute is unknown"))?;
            // Of two, readers would not agree which one counts.
            if slot.replace(bytes).is_some() {
                return Err(damaged("an attribute stands there twice"));
            }
            payload = rest;
        }
        Ok(command)
    }

    pub(super) fn refuse(&self, what: &'static str) -> StreamError {
        StreamError::Refused { at: self.at, kind: self.kind, what }
    }

    /// Exactly these attributes are there, besides those that may be.
    pub(super) fn has_only(&self, must: &[u16], may: &[u16]) -> Result<(), StreamError> {
        for (what, bytes) in (0_u16..).zip(&self.attributes) {
            let known = must.contains(&what) || may.contains(&what);
            if (bytes.is_some() && !known) || (bytes.is_none() && must.contains(&what)) {
                return Err(self.refuse("its attributes are others"));
            }
        }
        Ok(())
    }

    pub(super) fn bytes(&self, what: u16) -> Result<&'a [u8], StreamError> {
        let found = self.attributes.get(usize::from(what)).copied().flatten();
        found.ok_or(self.refuse("an attribute is missing"))
    }

    pub(super) fn u64(&self, what: u16) -> Result<u64, StreamError> {
        let bytes = self.bytes(what)?.try_into();
        bytes.map(u64::from_le_bytes).map_err(|_| self.refuse("a number is of another length"))
    }

    pub(super) fn u32(&self, what: u16) -> Result<u32, StreamError> {
        let bytes = self.bytes(what)?.try_into();
        bytes.map(u32::from_le_bytes).map_err(|_| self.refuse("a number is of another length"))
    }

    /// A number that may be left out.
    pub(super) fn u32_or(&self, what: u16, or: u32) -> Result<u32, StreamError> {
        match self.attributes.get(usize::from(what)).copied().flatten() {
            Some(_) => self.u32(what),
            None => Ok(or),
        }
    }

    pub(super) fn uuid(&self, what: u16) -> Result<[u8; 16], StreamError> {
        self.bytes(what)?.try_into().map_err(|_| self.refuse("a UUID is of another length"))
    }
}
