//! The newest durable line, kept beside the log as a witness.
//!
//! A chain says nothing of its own end: `state/head` does. It is written after each sync of the log
//! and never before, so it never runs ahead; it is itself made durable at starts and at the end of
//! segments only, so after a power cut it may lag behind. Two slots, each a sector with a check, are
//! written in turn: a torn one leaves the other. Who can write the log can write the head: against
//! them only a head from outside helps.

use std::io;

use ghost_event::{Digest, Seq};
use ghost_world::File;

use crate::put::check;

/// A line and its leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// 0 where there is no line.
    pub seq: Seq,
    pub leaf: Digest,
}

const SLOT_BYTES: usize = 512;

impl Head {
    /// Reads `SEQ:LEAF`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Head> {
        let (seq, leaf) = text.trim_end().split_once(':')?;
        if seq.is_empty() || !seq.bytes().all(|c| c.is_ascii_digit()) {
            return None;
        }
        Some(Head { seq: seq.parse().ok()?, leaf: Digest::from_hex(leaf.as_bytes())? })
    }

    /// The newer of the slots that are whole.
    pub(crate) fn read(file: &dyn File) -> Option<Head> {
        let mut bytes = [0; 2 * SLOT_BYTES];
        let n = file.read_full_at(&mut bytes, 0).ok()?;
        bytes[..n].chunks_exact(SLOT_BYTES).filter_map(slot).max_by_key(|head| head.seq)
    }
}

fn slot(bytes: &[u8]) -> Option<Head> {
    let (text, sum) = std::str::from_utf8(bytes).ok()?.trim_end().rsplit_once(' ')?;
    (check(text.as_bytes()) == sum).then(|| Head::parse(text)).flatten()
}

/// Writes heads, slot by slot.
#[derive(Debug)]
pub(crate) struct HeadFile {
    file: Box<dyn File>,
    slot: u64,
}

impl HeadFile {
    /// Begins with the slot that does not hold the newest head.
    pub(crate) fn new(file: Box<dyn File>) -> HeadFile {
        let mut first = [0; SLOT_BYTES];
        let n = file.read_full_at(&mut first, 0).unwrap_or(0);
        let newest = Head::read(&*file);
        let slot = u64::from(newest.is_some() && slot(&first[..n]) == newest);
        HeadFile { file, slot }
    }

    pub(crate) fn write(&mut self, head: &Head) -> io::Result<()> {
        let text = format!("{:020}:{}", head.seq, head.leaf);
        let line = format!("{text} {}", check(text.as_bytes()));
        let padded = format!("{line:<width$}\n", width = SLOT_BYTES - 1);
        let n = self.file.write_at(padded.as_bytes(), self.slot * SLOT_BYTES as u64)?;
        if n < SLOT_BYTES {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.slot = 1 - self.slot;
        Ok(())
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}

impl std::fmt::Display for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.seq, self.leaf)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ghost_world::{Disk as _, SimDisk};

    use super::*;

    #[test]
    fn a_head_is_read_as_it_is_printed() {
        let head = Head { seq: 12, leaf: Digest([0xab; 32]) };
        assert_eq!(Head::parse(&head.to_string()), Some(head));
        for bad in ["", "12", ":", "x:00", "12:00", "-1:ab"] {
            assert_eq!(Head::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_torn_slot_leaves_the_head_before() {
        let disk = SimDisk::new();
        let path = Path::new("/head");
        disk.put(path, b"");
        let head = |seq| Head { seq, leaf: Digest([u8::try_from(seq).unwrap(); 32]) };
        for seq in 1..10 {
            let mut heads = HeadFile::new(disk.open(path).unwrap());
            heads.write(&head(seq)).unwrap();
            let whole = disk.bytes(path).unwrap();
            assert_eq!(Head::read(&*disk.open(path).unwrap()), Some(head(seq)));
            // Any byte of the newest slot lost: the one before speaks.
            let from = if seq % 2 == 1 { 0 } else { SLOT_BYTES };
            for at in from..from + 102 {
                let mut torn = whole.clone();
                torn[at] ^= 1;
                disk.put(path, &torn);
                let before = (seq > 1).then(|| head(seq - 1));
                assert_eq!(Head::read(&*disk.open(path).unwrap()), before, "byte {at}");
            }
            disk.put(path, &whole);
        }
    }
}
