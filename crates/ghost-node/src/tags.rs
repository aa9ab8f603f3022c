//! `tags.toml`: the operator's own words for groups of hosts.
//!
//! ```toml
//! [tags]
//! production = ["10.0.1.0/24", "db1.example.com", "*.prod.example.com"]
//! ```

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::{fs, io};

use crate::limits::TAGS_BYTES_MAX;

/// Words, each with the addresses, networks and names that it stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags {
    pub tags: BTreeMap<String, Vec<String>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    tags: BTreeMap<String, Vec<String>>,
}

/// Why a tags file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TagError {
    /// The file is there but can't be read.
    #[error("{path}: {error}; make it readable or name another with --tags")]
    Read { path: String, error: io::Error },
    /// The file is not what it should be.
    #[error(
        "{path}: {error}\nwrite it as:\n[tags]\nproduction = [\"10.0.1.0/24\", \"*.prod.example\"]"
    )]
    Parse { path: String, error: toml::de::Error },
}

impl Tags {
    /// Reads `path`; a missing file is no tags at all where `must_exist` is false.
    pub fn read(path: &Path, must_exist: bool) -> Result<Tags, TagError> {
        let name = || path.display().to_string();
        let mut text = String::new();
        let file = match fs::File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound && !must_exist => {
                return Ok(Tags::default());
            }
            Err(error) => return Err(TagError::Read { path: name(), error }),
        };
        file.take(TAGS_BYTES_MAX)
            .read_to_string(&mut text)
            .map_err(|error| TagError::Read { path: name(), error })?;
        let file: File =
            toml::from_str(&text).map_err(|error| TagError::Parse { path: name(), error })?;
        Ok(Tags { tags: file.tags })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_default_file_is_no_tags_and_a_misspelt_key_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tags.toml");
        assert_eq!(Tags::read(&path, false).unwrap(), Tags::default());
        assert!(matches!(Tags::read(&path, true), Err(TagError::Read { .. })));
        fs::write(&path, "[tag]\nproduction = []\n").unwrap();
        let told = Tags::read(&path, false).unwrap_err().to_string();
        assert!(told.contains("unknown field `tag`"), "{told}");
        fs::write(&path, "[tags]\nproduction = [\"10.0.0.0/8\"]\n").unwrap();
        assert_eq!(Tags::read(&path, true).unwrap().tags["production"], ["10.0.0.0/8"]);
    }
}
