//! What was learned, as a file: `state/anomaly`.
//!
//! ```text
//! "GBLEARN1" | u64 length, what the scorer saved | u32 count, that often: u64 shape, f32 scale,
//! 384 components | SHA-256 of all before          (little endian throughout)
//! ```
//! The vectors are those of the shapes that the scorer compares new ones with. The file is put in
//! place whole or not at all; one that is damaged, too large or of another version is refused, told,
//! and left where it is until the next good one takes its place.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ghost_detect::anomaly::{STATE_BYTES_MAX, Scorer, Settings, StateError};
use ghost_event::{ShapeId, Tier, VECTOR_DIMENSIONS, Vector};
use sha2::{Digest as _, Sha256};

use super::vectors::Vectors;
use crate::DataDir;

const MAGIC: &[u8; 8] = b"GBLEARN1";
const CHECK: usize = 32;
const ROW: usize = 8 + 4 + VECTOR_DIMENSIONS;
/// What the scorer saves, and a vector for each of the shapes that it compares.
const FILE_BYTES_MAX: usize = STATE_BYTES_MAX + 4096 * ROW + 64;

/// Why nothing that was learned before can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LearnedError {
    #[error("{path}: {error}")]
    Io { path: String, error: io::Error },
    #[error(
        "{path} is no learned state, or it is damaged: `ghostbridge anomalies learn reset` begins anew"
    )]
    Damaged { path: String },
    #[error("{path}: {error}; `ghostbridge anomalies learn reset` begins anew")]
    State { path: String, error: StateError },
}

/// Where it lies.
pub(crate) fn path(data: &DataDir) -> PathBuf {
    data.root().join("state").join("anomaly")
}

/// The file's bytes.
pub(crate) fn bytes(scorer: &Scorer, vectors: &Vectors) -> Vec<u8> {
    let saved = scorer.save();
    let rows: Vec<(ShapeId, &Vector)> = scorer
        .shapes()
        .filter_map(|id| Some((id, vectors.get(id)?)))
        .filter(|(_, vector)| vector.components.len() == VECTOR_DIMENSIONS)
        .collect();
    let mut out = Vec::with_capacity(saved.len() + rows.len() * ROW + 64);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&(saved.len() as u64).to_le_bytes());
    out.extend_from_slice(&saved);
    out.extend_from_slice(&u32::try_from(rows.len()).unwrap_or(0).to_le_bytes());
    for (id, vector) in rows {
        out.extend_from_slice(&id.0.to_le_bytes());
        out.extend_from_slice(&vector.scale.to_le_bytes());
        out.extend(vector.components.iter().map(|c| c.cast_unsigned()));
    }
    let check = Sha256::digest(&out);
    out.extend_from_slice(&check);
    out
}

/// Reads the file's bytes.
fn parse(bytes: &[u8], settings: Settings) -> Result<(Scorer, Vectors), Option<StateError>> {
    let (body, check) = bytes.split_last_chunk::<CHECK>().ok_or(None)?;
    if Sha256::digest(body)[..] != check[..] {
        return Err(None);
    }
    let rest = body.strip_prefix(MAGIC).ok_or(None)?;
    let (length, rest) = rest.split_first_chunk::<8>().ok_or(None)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| None)?;
    let (saved, rest) = rest.split_at_checked(length).ok_or(None)?;
    let scorer = Scorer::load(settings, saved).map_err(Some)?;
    let (count, mut rest) = rest.split_first_chunk::<4>().ok_or(None)?;
    let mut vectors = Vectors::default();
    for _ in 0..u32::from_le_bytes(*count) {
        let (row, after) = rest.split_first_chunk::<ROW>().ok_or(None)?;
        rest = after;
        let (id, row) = row.split_first_chunk::<8>().ok_or(None)?;
        let (scale, components) = row.split_first_chunk::<4>().ok_or(None)?;
        let scale = f32::from_le_bytes(*scale);
        if !scale.is_finite() {
            return Err(None);
        }
        let components = components.iter().map(|c| c.cast_signed()).collect();
        let vector = Vector { components, scale, tier: Tier::Fast };
        vectors.put(ShapeId(u64::from_le_bytes(*id)), vector);
    }
    if rest.is_empty() { Ok((scorer, vectors)) } else { Err(None) }
}

/// What was learned before; `None` where nothing was.
///
/// # Errors
/// It can't be read, or is not what was written.
pub(crate) fn load(
    data: &DataDir,
    settings: Settings,
) -> Result<Option<(Scorer, Vectors)>, LearnedError> {
    let path = path(data);
    let told = || path.display().to_string();
    let file = match fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LearnedError::Io { path: told(), error }),
    };
    let mut bytes = Vec::new();
    let most = FILE_BYTES_MAX as u64 + 1;
    file.take(most)
        .read_to_end(&mut bytes)
        .map_err(|error| LearnedError::Io { path: told(), error })?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(LearnedError::Damaged { path: told() });
    }
    match parse(&bytes, settings) {
        Ok(learned) => Ok(Some(learned)),
        Err(None) => Err(LearnedError::Damaged { path: told() }),
        Err(Some(error)) => Err(LearnedError::State { path: told(), error }),
    }
}

/// Lets a file that can't be used lie beside the next one, for whoever wants to look into it.
pub(crate) fn set_aside(data: &DataDir) {
    let path = path(data);
    // Where that fails, the next good one takes its place.
    drop(fs::rename(&path, path.with_extension("damaged")));
}

/// Puts the file in place, whole.
///
/// # Errors
/// It could not be written; the one before stands.
pub(crate) fn store(data: &DataDir, bytes: &[u8]) -> io::Result<()> {
    let path = path(data);
    let dir = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    let new = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o640).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, &path)?;
    fs::File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::sample;

    fn learned() -> (Scorer, Vectors) {
        let (mut scorer, mut vectors) = (Scorer::new(Settings::default()), Vectors::default());
        for flow in sample::flows(&[([10, 0, 0, 1], 80), ([10, 0, 0, 2], 53), ([10, 0, 0, 3], 22)])
        {
            let shape = vectors.see(&flow);
            scorer.started(&flow);
            scorer.look(&flow, Some(shape), &vectors);
        }
        (scorer, vectors)
    }

    #[test]
    fn what_was_learned_comes_back_with_its_vectors() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path());
        assert!(load(&data, Settings::default()).unwrap().is_none());
        let (scorer, vectors) = learned();
        store(&data, &bytes(&scorer, &vectors)).unwrap();
        let (again, known) = load(&data, Settings::default()).unwrap().unwrap();
        assert_eq!(again.learning(), scorer.learning());
        assert_eq!(bytes(&again, &known), bytes(&scorer, &vectors));
        assert!(again.shapes().all(|id| known.get(id).is_some()));
    }

    #[test]
    fn every_damage_is_refused_and_nothing_panics() {
        let (scorer, vectors) = learned();
        let whole = bytes(&scorer, &vectors);
        for at in (0..whole.len()).step_by(97) {
            let mut altered = whole.clone();
            altered[at] ^= 0x40;
            assert!(parse(&altered, Settings::default()).is_err(), "byte {at}");
            assert!(parse(&whole[..at], Settings::default()).is_err(), "cut at {at}");
        }
        bolero::check!().with_iterations(2_000).for_each(|bytes: &[u8]| {
            // With a right check, so that what is behind it is read.
            let mut sealed = MAGIC.to_vec();
            sealed.extend_from_slice(bytes);
            let check = Sha256::digest(&sealed);
            sealed.extend_from_slice(&check);
            let _ = parse(&sealed, Settings::default());
        });
    }

    #[test]
    fn half_a_file_beside_it_is_no_obstacle_and_a_damaged_one_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path());
        let (scorer, vectors) = learned();
        store(&data, b"short").unwrap();
        let error = load(&data, Settings::default()).unwrap_err();
        assert!(error.to_string().contains("learn reset"), "{error}");
        fs::write(path(&data).with_extension("new"), b"half").unwrap();
        store(&data, &bytes(&scorer, &vectors)).unwrap();
        assert!(load(&data, Settings::default()).unwrap().is_some());
    }
}
