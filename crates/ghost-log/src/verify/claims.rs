//! Claims: who says which root the first lines of the log have.
//!
//! Read before the log, so that a log that grows meanwhile holds all of which they speak.

use std::io;
use std::path::Path;
use std::sync::Arc;

use ghost_event::Digest;
use ghost_world::{Disk, File};

use super::finding::{Claimant, Finding};
use crate::layout::Layout;
use crate::proof::checkpoint::{CheckpointError, SignedCheckpoint};
use crate::proof::note::NOTE_BYTES_MAX;
use crate::scan::{Piece, Scanner};

/// A manifest is small; this much is read of one.
const MANIFEST_BYTES_MAX: usize = 1 << 20;

/// That the first `size` lines have this root.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) by: Claimant,
    pub(super) size: u64,
    pub(super) root: Digest,
    /// `None` where nobody signed it.
    pub(super) signed: Option<SignedCheckpoint>,
}

impl Claim {
    pub(super) fn of(by: Claimant, signed: SignedCheckpoint) -> Claim {
        let told = &signed.checkpoint;
        Claim { by, size: told.size, root: told.root, signed: Some(signed) }
    }
}

/// The claims that lie beside the lines, smallest first, read as the lines come to them.
pub(super) struct Claims {
    /// Largest first.
    few: Vec<Claim>,
    seals: Option<Seals>,
    next_seal: Option<Claim>,
    /// Of `log/checkpoint`.
    pub(super) newest: Option<u64>,
    pub(super) found: Vec<Finding>,
}

impl Claims {
    pub(super) fn open(
        disk: &Arc<dyn Disk>,
        layout: &Layout,
        given: Option<SignedCheckpoint>,
    ) -> io::Result<Claims> {
        let log = layout.log();
        let seals = Seals::open(disk, &log.join("checkpoints.jsonl"))?;
        let mut found = Vec::new();
        let mut few = Vec::new();
        let mut newest = None;
        if let Some(bytes) = read(disk, &log.join("checkpoint"), NOTE_BYTES_MAX + 1)? {
            match SignedCheckpoint::parse(&bytes) {
                Ok(signed) => {
                    newest = Some(signed.checkpoint.size);
                    few.push(Claim::of(Claimant::Newest, signed));
                }
                Err(e) => found.push(unreadable(Claimant::Newest, &e)),
            }
        }
        if let Some(bytes) = read(disk, &log.join("manifest.json"), MANIFEST_BYTES_MAX)? {
            match manifest(&bytes) {
                Some((size, root)) => {
                    few.push(Claim { by: Claimant::Manifest, size, root, signed: None });
                }
                None => found.push(Finding::Unreadable {
                    by: Claimant::Manifest,
                    why: "it does not tell sealed_size and root".into(),
                }),
            }
        }
        few.extend(given.map(|signed| Claim::of(Claimant::Given, signed)));
        few.sort_by_key(|claim| std::cmp::Reverse((claim.size, claim.by)));
        let mut claims = Claims { few, seals, next_seal: None, newest, found };
        claims.advance()?;
        Ok(claims)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.few.is_empty() && self.next_seal.is_none()
    }

    /// The size at which the next claim is due.
    pub(super) fn due(&self) -> u64 {
        let few = self.few.last().map_or(u64::MAX, |claim| claim.size);
        few.min(self.next_seal.as_ref().map_or(u64::MAX, |claim| claim.size))
    }

    /// The next claim, where it is due at this size or was due before.
    pub(super) fn next(&mut self, size: u64) -> io::Result<Option<Claim>> {
        if self.due() > size {
            return Ok(None);
        }
        let seal = self.next_seal.as_ref().map_or(u64::MAX, |claim| claim.size);
        if self.few.last().is_some_and(|claim| claim.size <= seal) {
            return Ok(self.few.pop());
        }
        let seal = self.next_seal.take();
        self.advance()?;
        Ok(seal)
    }

    fn advance(&mut self) -> io::Result<()> {
        let Some(seals) = &mut self.seals else { return Ok(()) };
        self.next_seal = seals.next(&mut self.found)?;
        Ok(())
    }
}

/// `log/checkpoints.jsonl`, line by line.
struct Seals {
    scanner: Scanner,
    /// As long as it was at the beginning.
    len: u64,
    line: u64,
    before: u64,
}

impl Seals {
    fn open(disk: &Arc<dyn Disk>, path: &Path) -> io::Result<Option<Seals>> {
        let Some(file) = open(disk, path)? else { return Ok(None) };
        let len = file.len()?;
        Ok(Some(Seals { scanner: Scanner::new(file, 0), len, line: 0, before: 0 }))
    }

    fn next(&mut self, found: &mut Vec<Finding>) -> io::Result<Option<Claim>> {
        while self.scanner.offset() < self.len {
            self.line += 1;
            let by = Claimant::Seal(self.line);
            let line = match self.scanner.next()? {
                Some(Piece::Line(line)) => line,
                Some(Piece::TooLong(_)) => &[],
                // Cut off by a power cut: the next start mends it.
                Some(Piece::Unfinished(_)) | None => return Ok(None),
            };
            match seal(line) {
                Ok(signed) => {
                    let size = signed.checkpoint.size;
                    if size < self.before {
                        found.push(Finding::Unordered { by, size, before: self.before });
                        continue;
                    }
                    self.before = size;
                    return Ok(Some(Claim::of(by, signed)));
                }
                Err(e) => found.push(unreadable(by, &e)),
            }
        }
        Ok(None)
    }
}

/// The checkpoint of a line of `log/checkpoints.jsonl`.
fn seal(line: &[u8]) -> Result<SignedCheckpoint, CheckpointError> {
    #[derive(serde::Deserialize)]
    struct Seal<'a> {
        #[serde(borrow)]
        checkpoint: std::borrow::Cow<'a, str>,
    }
    let seal: Seal<'_> = serde_json::from_slice(line).map_err(|_| CheckpointError::Form)?;
    SignedCheckpoint::parse(seal.checkpoint.as_bytes())
}

/// The size and the root that a manifest tells.
fn manifest(bytes: &[u8]) -> Option<(u64, Digest)> {
    #[derive(serde::Deserialize)]
    struct Manifest {
        sealed_size: u64,
        root: String,
    }
    let manifest: Manifest = serde_json::from_slice(bytes).ok()?;
    Some((manifest.sealed_size, Digest::from_hex(manifest.root.as_bytes())?))
}

fn unreadable(by: Claimant, why: &CheckpointError) -> Finding {
    Finding::Unreadable { by, why: why.to_string() }
}

pub(super) fn open(disk: &Arc<dyn Disk>, path: &Path) -> io::Result<Option<Box<dyn File>>> {
    match disk.open_read(path) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// A small file, at most so many bytes of it.
pub(super) fn read(
    disk: &Arc<dyn Disk>,
    path: &Path,
    bytes_max: usize,
) -> io::Result<Option<Vec<u8>>> {
    let Some(file) = open(disk, path)? else { return Ok(None) };
    let len = usize::try_from(file.len()?).unwrap_or(usize::MAX).min(bytes_max);
    let mut bytes = vec![0; len];
    let n = file.read_full_at(&mut bytes, 0)?;
    bytes.truncate(n);
    Ok(Some(bytes))
}
