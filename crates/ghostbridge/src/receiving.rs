//! How streams of other hosts become subvolumes: the block helper is asked.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use ghost_block::BlockError;
use ghost_block::helper::RemoteReceiver;
use ghost_node::daemon::Helpers;
use ghost_replica::{Form, LogId, ReceiveError, ReceiveStream};

use crate::btrfs_receive;
use crate::helper::Helper;

/// Asks the helper, over a connection for each stream.
#[derive(Debug)]
pub(crate) struct ByHelper(pub(crate) Arc<Mutex<Helper>>);

impl ByHelper {
    fn connect(&self) -> Result<RemoteReceiver, ReceiveError> {
        let mut helper = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let socket = helper.connect()?;
        RemoteReceiver::connect(socket).map_err(failed)
    }
}

fn failed(error: BlockError) -> ReceiveError {
    match error {
        BlockError::NoSpace { .. } => ReceiveError::NoSpace,
        BlockError::Helper(words)
            if words.contains("cannot find parent subvolume")
                || words.contains("Could not find parent subvolume") =>
        {
            ReceiveError::NoParent
        }
        BlockError::HelperGone | BlockError::HelperSilent => {
            ReceiveError::Unable(error.to_string())
        }
        other => ReceiveError::Failed(other.to_string()),
    }
}

impl ReceiveStream for ByHelper {
    fn forms(&self) -> Vec<Form> {
        match btrfs_receive::program() {
            Some(_) => vec![Form::BtrfsPacked, Form::Btrfs],
            None => Vec::new(),
        }
    }

    fn receive(&self, log: LogId, number: u64, stream: OwnedFd) -> Result<(), ReceiveError> {
        self.connect()?.receive(log.0, number, stream).map_err(failed)
    }

    fn delete(&self, log: LogId, name: &str) -> Result<(), ReceiveError> {
        match self.connect()?.delete(log.0, name) {
            Err(BlockError::NoSuchBlock { .. }) => Ok(()),
            other => other.map_err(failed),
        }
    }
}
