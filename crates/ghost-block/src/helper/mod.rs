//! The block helper: the one process that keeps CAP_SYS_ADMIN, for what btrfs asks it for.
//!
//! Its end is [`serve`], the other [`RemoteVolume`]; between them stands one SOCK_SEQPACKET Unix
//! socket with fixed verbs.
//!
//! **Invariant:** a request names verbs and blocks, never a path: the data folder is fixed, by an
//! open descriptor, when the helper starts.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use crate::{BlockError, BlockName, SendOptions, Usage, Volume, VolumeKind, Whole};

/// Serves one engine on a connected SOCK_SEQPACKET socket until it hangs up. The data folder's
/// volume must be btrfs.
pub fn serve(socket: OwnedFd, data: &Path) -> Result<(), BlockError> {
    let _ = (socket, data);
    Err(BlockError::Refused("the block helper is not built yet".to_owned()))
}

/// A volume behind a helper; each call waits for its answer, for a limited time.
#[derive(Debug)]
pub struct RemoteVolume {
    _socket: OwnedFd,
}

impl RemoteVolume {
    /// Takes a connected SOCK_SEQPACKET socket and greets. What takes no capability is done here, at
    /// `data`; the rest is asked for.
    pub fn connect(socket: OwnedFd, data: &Path) -> Result<RemoteVolume, BlockError> {
        let _ = (socket, data);
        Err(BlockError::Refused("the block helper is not built yet".to_owned()))
    }
}

impl Volume for RemoteVolume {
    fn kind(&self) -> VolumeKind {
        VolumeKind::Btrfs
    }
    fn freeze(&mut self, _: &BlockName) -> Result<(), BlockError> {
        Err(BlockError::HelperGone)
    }
    fn delete(&mut self, _: &str) -> Result<(), BlockError> {
        Err(BlockError::HelperGone)
    }
    fn names(&mut self) -> Result<Vec<(String, Whole)>, BlockError> {
        Err(BlockError::HelperGone)
    }
    fn usage(&mut self) -> Result<Usage, BlockError> {
        Err(BlockError::HelperGone)
    }
    fn send(
        &mut self,
        _: &BlockName,
        _: Option<&BlockName>,
        _: BorrowedFd<'_>,
        _: SendOptions,
    ) -> Result<(), BlockError> {
        Err(BlockError::HelperGone)
    }
}
