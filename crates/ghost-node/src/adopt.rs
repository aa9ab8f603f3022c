//! A log from elsewhere becomes the log of a data folder that has none.
//!
//! So a copy of `events.jsonl` alone, or of another machine's data folder, can be asked: its lines
//! are copied, verified as they stand, and indexed as if they had been written here.

use std::path::{Path, PathBuf};
use std::{fs, io};

use ghost_log::{LogError, VerifyOptions, verify};

use crate::DataDir;

/// Why a log can't be taken over.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// The data folder has a log; two histories don't mix.
    #[error("{data} has a log of its own: name an empty folder with --data-dir")]
    HasLog { data: String },
    /// The file or folder is no log.
    #[error("{from}: {error}")]
    Read { from: String, error: io::Error },
    /// The lines don't continue each other.
    #[error("{from}: {damage}; nothing was taken over")]
    Damaged { from: String, damage: String },
    #[error(transparent)]
    Log(#[from] LogError),
}

/// The data folder that `from` is, or is the log of; `None` for a file that stands alone.
#[must_use]
pub fn data_folder_of(from: &Path) -> Option<DataDir> {
    if from.is_dir() {
        return from.join("log").is_dir().then(|| DataDir::new(from));
    }
    let file = from.canonicalize().ok()?;
    let log = file.parent()?;
    let data = log.parent()?;
    let is_log = log.file_name()? == "log" && file.file_name()? == "events.jsonl";
    (is_log && log.join("segments").is_dir()).then(|| DataDir::new(data))
}

/// Copies the log at `from` (a file, or a data folder) into `data`.
pub fn adopt(from: &Path, data: &DataDir) -> Result<(), AdoptError> {
    let shown = || from.display().to_string();
    let read = |error| AdoptError::Read { from: shown(), error };
    let log = data.root().join("log");
    if log.join("events.jsonl").exists() {
        return Err(AdoptError::HasLog { data: data.root().display().to_string() });
    }
    let arriving = data.root().join("log.arriving");
    match fs::remove_dir_all(&arriving) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(read(e)),
        _ => {}
    }
    fs::create_dir_all(arriving.join("log/segments")).map_err(read)?;
    let source: PathBuf = match data_folder_of(from) {
        Some(folder) => {
            for entry in fs::read_dir(folder.root().join("log/segments")).map_err(read)? {
                let entry = entry.map_err(read)?;
                let to = arriving.join("log/segments").join(entry.file_name());
                fs::copy(entry.path(), to).map_err(read)?;
            }
            folder.root().join("log/events.jsonl")
        }
        None => from.to_owned(),
    };
    fs::copy(source, arriving.join("log/events.jsonl")).map_err(read)?;
    let verdict = verify(&arriving, &VerifyOptions { without_state: true, ..Default::default() })?;
    if !verdict.ok() || verdict.lines == 0 {
        drop(fs::remove_dir_all(&arriving));
        return Err(AdoptError::Damaged { from: shown(), damage: verdict.to_string() });
    }
    match fs::remove_dir_all(&log) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(read(e)),
        _ => {}
    }
    fs::rename(arriving.join("log"), &log).map_err(read)?;
    fs::remove_dir(&arriving).map_err(read)
}
