//! The engine's end of the helper's socket.

use std::os::fd::OwnedFd;

use super::super::{Direction, RingSizes, Tap, TapError};

/// Asks the attach helper; each call waits for its answer, at most ten seconds.
#[derive(Debug)]
pub struct Helper {
    _socket: OwnedFd,
}

impl Helper {
    /// Takes a connected SOCK_SEQPACKET socket and greets.
    pub fn connect(socket: OwnedFd) -> Result<Self, TapError> {
        Ok(Self { _socket: socket })
    }

    /// Loads the programs that copy, and their rings; nothing is attached yet.
    pub fn open_ghost(&mut self, _sizes: RingSizes) -> Result<Tap, TapError> {
        Err(TapError::Unfinished)
    }

    /// Attaches the ghost tap, first in the interface's chain.
    pub fn attach(&mut self, _ifindex: u32, _direction: Direction) -> Result<(), TapError> {
        Err(TapError::Unfinished)
    }

    pub fn detach(&mut self, _ifindex: u32, _direction: Direction) -> Result<(), TapError> {
        Err(TapError::Unfinished)
    }

    /// Forwards between two ports and copies, by one program at each; what is pinned from a daemon
    /// before is taken over, with the frames that wait in its rings.
    pub fn open_fast(&mut self, _a: u32, _b: u32, _sizes: RingSizes) -> Result<Tap, TapError> {
        Err(TapError::Unfinished)
    }

    /// Removes every link and pin of ours that the helper can reach.
    pub fn detach_all(&mut self) -> Result<(), TapError> {
        Err(TapError::Unfinished)
    }
}
