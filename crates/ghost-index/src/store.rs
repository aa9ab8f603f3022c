//! The shapes on disk: an append-only file of checked records beside the partitions.
//!
//! ```text
//! record   length u32 | xxh3-64 of the body u64 | body
//! body     seq u64 | id u64 | tier u8 | scale f32 | glossary u32 | tuple | text | model | components
//! string   length u32 | bytes          (all little-endian)
//! ```
//! A later record of a shape replaces an earlier one by the rule of [`ShapeStore`]. A torn or
//! damaged record ends the file: what stood behind it is missing until the segments that use those
//! shapes are read again, and the store says so.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ghost_event::{Seq, ShapeId, Tier, Vector};
use xxhash_rust::xxh3::xxh3_64;

use crate::IndexError;
use crate::shapes::{ShapeRow, ShapeStore};

/// Longest body that is believed.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// The file of shapes, open for appending.
#[derive(Debug)]
pub(crate) struct ShapeFile {
    path: PathBuf,
    file: File,
    pending: Vec<u8>,
    len: u64,
}

/// Appends the record's body without its seq's meaning for order: digest and disk share it.
pub(crate) fn put(out: &mut Vec<u8>, seq: Seq, row: &ShapeRow) {
    out.extend_from_slice(&seq.to_le_bytes());
    out.extend_from_slice(&row.id.0.to_le_bytes());
    out.push(row.vector.tier as u8);
    out.extend_from_slice(&row.vector.scale.to_bits().to_le_bytes());
    out.extend_from_slice(&row.glossary.to_le_bytes());
    for text in [&row.tuple, &row.text, &row.model] {
        put_bytes(out, text.bytes());
    }
    put_bytes(out, row.vector.components.iter().map(|c| c.cast_unsigned()));
}

fn put_bytes(out: &mut Vec<u8>, bytes: impl ExactSizeIterator<Item = u8>) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(bytes);
}

struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = u32::from_le_bytes(self.take()?);
        let (head, rest) = self.0.split_at_checked(usize::try_from(len).ok()?)?;
        self.0 = rest;
        Some(head)
    }
    fn string(&mut self) -> Option<String> {
        Some(String::from_utf8_lossy(self.bytes()?).into_owned())
    }
}

fn get(body: &[u8]) -> Option<(Seq, ShapeRow)> {
    let mut b = Body(body);
    let seq = u64::from_le_bytes(b.take()?);
    let id = ShapeId(u64::from_le_bytes(b.take()?));
    let tier = match b.take::<1>()? {
        [1] => Tier::Fast,
        [2] => Tier::Full,
        _ => return None,
    };
    let scale = f32::from_bits(u32::from_le_bytes(b.take()?));
    let glossary = u32::from_le_bytes(b.take()?);
    let (tuple, text, model) = (b.string()?, b.string()?, b.string()?);
    let components = b.bytes()?.iter().map(|c| c.cast_signed()).collect();
    let vector = Vector { components, scale, tier };
    Some((seq, ShapeRow { id, tuple, text, glossary, model, vector }))
}

/// Reads the file's records into `store`: the length of what was sound, and whether that is all.
pub(crate) fn load(path: &Path, store: &mut ShapeStore) -> Result<(u64, bool), IndexError> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(mut file) => file.read_to_end(&mut bytes).map_err(IndexError::io(path))?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok((0, true)),
        Err(e) => return Err(IndexError::io(path)(e)),
    };
    let mut rest = bytes.as_slice();
    loop {
        let sound = (bytes.len() - rest.len()) as u64;
        if rest.is_empty() {
            return Ok((sound, true));
        }
        let mut b = Body(rest);
        let record = (|| {
            let len = usize::try_from(u32::from_le_bytes(b.take()?)).ok()?;
            let check = u64::from_le_bytes(b.take()?);
            let (body, after) = b.0.split_at_checked(len)?;
            (len <= BODY_BYTES_MAX && xxh3_64(body) == check).then_some((get(body)?, after))
        })();
        let Some(((seq, row), after)) = record else { return Ok((sound, false)) };
        store.state(seq, row);
        rest = after;
    }
}

impl ShapeFile {
    /// Opens the file for appending behind its first `sound` bytes.
    pub(crate) fn open(path: &Path, sound: u64) -> Result<ShapeFile, IndexError> {
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(IndexError::io(path))?;
        file.set_len(sound)
            .and_then(|()| file.seek(SeekFrom::Start(sound)))
            .map_err(IndexError::io(path))?;
        Ok(ShapeFile { path: path.into(), file, pending: Vec::new(), len: sound })
    }

    pub(crate) fn append(&mut self, seq: Seq, row: &ShapeRow) {
        let mut body = Vec::with_capacity(1024);
        put(&mut body, seq, row);
        self.pending
            .extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.pending.extend_from_slice(&xxh3_64(&body).to_le_bytes());
        self.pending.extend_from_slice(&body);
    }

    /// Makes what was appended durable.
    pub(crate) fn sync(&mut self) -> Result<(), IndexError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.file
            .write_all(&self.pending)
            .and_then(|()| self.file.sync_data())
            .map_err(IndexError::io(&self.path))?;
        self.len += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    /// How long the file is, as far as it was made durable.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u64) -> ShapeRow {
        ShapeRow {
            id: ShapeId(id),
            tuple: "app=ssh".into(),
            text: "remote login".into(),
            glossary: 3,
            model: "m".into(),
            vector: Vector::quantise(&[0.5, -1.0, 0.25], Tier::Full),
        }
    }

    #[test]
    fn a_torn_record_ends_the_file_and_what_stands_before_it_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shapes");
        let mut file = ShapeFile::open(&path, 0).unwrap();
        file.append(1, &row(1));
        file.append(2, &row(2));
        file.sync().unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let mut store = ShapeStore::default();
            let (sound, all) = load(&path, &mut store).unwrap();
            assert_eq!(store.len(), usize::from(cut >= whole.len() / 2), "cut at {cut}");
            assert_eq!(all, sound == cut as u64, "cut at {cut}");
        }
        std::fs::write(&path, &whole).unwrap();
        let mut store = ShapeStore::default();
        assert_eq!(load(&path, &mut store).unwrap(), (whole.len() as u64, true));
        assert_eq!(store.get(ShapeId(2)), Some(&row(2)));
    }
}
