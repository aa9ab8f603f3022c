//! Blocks on any file system: a folder of hard links to what no longer changes, and copies of the
//! little that does.

use std::path::{Path, PathBuf};

use crate::{BlockError, BlockName, Usage, Volume, VolumeKind, Whole};

/// The volume where log and blocks are plain folders.
#[derive(Debug)]
pub(crate) struct Folder {
    #[expect(dead_code, reason = "not built yet")]
    data: PathBuf,
}

impl Folder {
    pub(crate) fn new(data: &Path) -> Folder {
        Folder { data: data.to_owned() }
    }
}

impl Volume for Folder {
    fn kind(&self) -> VolumeKind {
        VolumeKind::Folder
    }
    fn freeze(&mut self, _: &BlockName) -> Result<(), BlockError> {
        Err(BlockError::Refused("folder volumes are not built yet".to_owned()))
    }
    fn delete(&mut self, _: &str) -> Result<(), BlockError> {
        Err(BlockError::Refused("folder volumes are not built yet".to_owned()))
    }
    fn names(&mut self) -> Result<Vec<(String, Whole)>, BlockError> {
        Err(BlockError::Refused("folder volumes are not built yet".to_owned()))
    }
    fn usage(&mut self) -> Result<Usage, BlockError> {
        Err(BlockError::Refused("folder volumes are not built yet".to_owned()))
    }
}
