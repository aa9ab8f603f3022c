//! What a daemon leaves in `state/` for the next one to begin with.
//!
//! A hint, never the truth: what is missing, too large or makes no sense is passed over, and nothing
//! waits for a disk.

use std::io::Write as _;
use std::path::Path;
use std::{fs, io};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What the daemon before left, where that is no longer than `bytes_max` and makes sense.
pub(super) fn read<T: DeserializeOwned>(path: &Path, bytes_max: usize) -> Option<T> {
    let bytes = fs::read(path).ok().filter(|bytes| bytes.len() < bytes_max)?;
    serde_json::from_slice(&bytes).ok()
}

/// Replaces what was left.
pub(super) fn write<T: Serialize>(path: &Path, hint: &T) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = fs::File::create(&new)?;
    file.write_all(&serde_json::to_vec(hint)?)?;
    drop(file);
    fs::rename(new, path)
}
