//! Where everything lies in a data folder.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A data folder: `log/`, `index/`, `state/`.
#[derive(Debug, Clone)]
pub struct DataDir {
    root: PathBuf,
}

impl DataDir {
    /// The folder at `root`, whether it exists or not.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> DataDir {
        DataDir { root: root.into() }
    }

    /// `/var/lib/ghostbridge` for root; else the XDG data folder, from the values of
    /// `XDG_DATA_HOME` and `HOME`.
    #[must_use]
    pub fn default_for(
        is_root: bool,
        xdg_data_home: Option<&Path>,
        home: Option<&Path>,
    ) -> DataDir {
        if is_root {
            return DataDir::new("/var/lib/ghostbridge");
        }
        let data = match (xdg_data_home, home) {
            (Some(xdg), _) if xdg.is_absolute() => xdg.to_owned(),
            (_, Some(home)) => home.join(".local/share"),
            _ => PathBuf::from("."),
        };
        DataDir::new(data.join("ghostbridge"))
    }

    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    #[must_use]
    pub fn index(&self) -> PathBuf {
        self.root.join("index")
    }

    /// Gives the group the reading of index files that were made for their owner alone.
    ///
    /// # Errors
    /// A folder of the index can't be listed; a file that vanished meanwhile is none.
    pub fn settle_permissions(&self) -> io::Result<()> {
        let mut folders = vec![self.index()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                let Ok(metadata) = entry.metadata() else { continue };
                if metadata.is_dir() {
                    folders.push(entry.path());
                } else if metadata.permissions().mode() & 0o777 == 0o600 {
                    drop(fs::set_permissions(entry.path(), Permissions::from_mode(0o640)));
                }
            }
        }
        Ok(())
    }

    #[must_use]
    pub fn tags_file(&self) -> PathBuf {
        self.root.join("tags.toml")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_without_xdg_gets_a_folder_in_the_home() {
        let dir = DataDir::default_for(false, None, Some(Path::new("/home/ada")));
        assert_eq!(dir.root(), Path::new("/home/ada/.local/share/ghostbridge"));
        let relative = DataDir::default_for(false, Some(Path::new("x")), Some(Path::new("/h")));
        assert_eq!(relative.root(), Path::new("/h/.local/share/ghostbridge"));
        assert_eq!(
            DataDir::default_for(true, None, None).root(),
            Path::new("/var/lib/ghostbridge")
        );
    }
}
