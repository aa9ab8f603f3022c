//! A volume on a simulated disk, which behaves as btrfs does: freezing is one step and a commit,
//! a block shares what it has in common with the log, and nothing can be written in it.
//!
//! For tests and benchmarks. Not simulated: deletions that are worked off later, and flags that
//! somebody flips.

use std::path::{Path, PathBuf};

use ghost_world::{Disk as _, SimDisk};

use crate::{BlockError, BlockName, Usage, Volume, VolumeKind, Whole};

/// The log and its blocks on a [`SimDisk`].
#[derive(Debug)]
pub struct SimVolume {
    disk: SimDisk,
    log: PathBuf,
    blocks: PathBuf,
}

impl SimVolume {
    /// The volume of the log under the data folder `data`.
    #[must_use]
    pub fn new(disk: SimDisk, data: &Path) -> SimVolume {
        SimVolume { disk, log: data.join("log"), blocks: data.join("blocks") }
    }
}

impl Volume for SimVolume {
    fn kind(&self) -> VolumeKind {
        VolumeKind::Simulated
    }

    fn freeze(&mut self, name: &BlockName) -> Result<(), BlockError> {
        let path = self.blocks.join(name.to_string());
        self.disk.create_dirs(&self.blocks).map_err(BlockError::io("make", &self.blocks))?;
        self.disk.snapshot(&self.log, &path).map_err(|e| match e.kind() {
            std::io::ErrorKind::AlreadyExists => BlockError::Taken { name: name.to_string() },
            _ => BlockError::io("freeze the log as", &path)(e),
        })
    }

    fn delete(&mut self, name: &str) -> Result<(), BlockError> {
        let path = self.blocks.join(name);
        self.disk.remove_tree(&path).map_err(BlockError::io("delete", &path))
    }

    fn names(&mut self) -> Result<Vec<(String, Whole)>, BlockError> {
        let names = match self.disk.list(&self.blocks) {
            Ok(names) => names,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(BlockError::io("list", &self.blocks)(e)),
        };
        let ours = names.into_iter().filter(|name| BlockName::parse(name).is_some());
        let told = ours.map(|name| {
            let frozen = self.disk.is_frozen_copy(&self.blocks.join(&name));
            (name, if frozen { Whole::Yes } else { Whole::No })
        });
        Ok(told.collect())
    }

    fn usage(&mut self) -> Result<Usage, BlockError> {
        let log_bytes = self.disk.used(&[&self.log]);
        let both = self.disk.used(&[&self.log, &self.blocks]);
        let all = self.disk.used(&[Path::new("/")]);
        let total_bytes = self.disk.capacity().unwrap_or(u64::MAX);
        Ok(Usage {
            log_bytes,
            pinned_bytes: both.saturating_sub(log_bytes),
            free_bytes: total_bytes.saturating_sub(all),
            total_bytes,
            exact: true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_keeps_what_the_log_had_and_pins_what_it_gives_up() {
        let disk = SimDisk::new();
        let data = Path::new("/data");
        disk.create_dirs(&data.join("log")).unwrap();
        let file = disk.create(&data.join("log/f")).unwrap();
        file.write_at(&[1; 5000], 0).unwrap();
        let mut volume = SimVolume::new(disk.clone(), data);
        let name = BlockName { number: 1, root: [0xab; 6] };
        volume.freeze(&name).unwrap();
        assert!(matches!(volume.freeze(&name), Err(BlockError::Taken { .. })));
        assert_eq!(volume.names().unwrap(), [(name.to_string(), Whole::Yes)]);
        assert_eq!(volume.usage().unwrap().pinned_bytes, 0);
        disk.remove(&data.join("log/f")).unwrap();
        assert_eq!(volume.usage().unwrap().pinned_bytes, 5000);
        volume.delete(&name.to_string()).unwrap();
        assert!(volume.names().unwrap().is_empty());
        assert_eq!(volume.usage().unwrap().pinned_bytes, 0);
    }
}
