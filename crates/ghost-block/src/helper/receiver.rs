//! The engine's end for logs that are held for other hosts.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::message::{Answer, ReceivedName, Request};
use super::socket;
use crate::BlockError;

/// Asks a helper to receive streams and to delete what was received. Each call waits as long as it
/// takes: whoever receives takes a connection of its own.
#[derive(Debug)]
pub struct RemoteReceiver {
    socket: OwnedFd,
}

impl RemoteReceiver {
    /// Takes a connected SOCK_SEQPACKET socket and greets.
    pub fn connect(socket: OwnedFd) -> Result<RemoteReceiver, BlockError> {
        let receiver = RemoteReceiver { socket };
        receiver.ask(Request::Hello, None)?;
        Ok(receiver)
    }

    /// Has one stream, which must be vetted, received as `incoming-<number>` of that log.
    pub fn receive(&self, log: [u8; 16], number: u64, stream: OwnedFd) -> Result<(), BlockError> {
        let sent = socket::send(
            &self.socket,
            &Request::Receive { log, number }.bytes(),
            Some(stream.as_fd()),
        );
        // The helper has its own by now: ours would keep the stream open after its receiver died.
        drop(stream);
        sent.map_err(gone)?;
        self.answered()
    }

    /// Deletes a block or an `incoming-<number>` of that log.
    pub fn delete(&self, log: [u8; 16], name: &str) -> Result<(), BlockError> {
        let Some(name) = ReceivedName::parse(name) else {
            return Err(BlockError::NotAName { name: name.chars().take(64).collect() });
        };
        self.ask(Request::DeleteReceived { log, name }, None)
    }

    fn ask(&self, request: Request, descriptor: Option<BorrowedFd<'_>>) -> Result<(), BlockError> {
        socket::send(&self.socket, &request.bytes(), descriptor).map_err(gone)?;
        self.answered()
    }

    fn answered(&self) -> Result<(), BlockError> {
        let (bytes, _) =
            socket::receive(&self.socket).map_err(gone)?.ok_or(BlockError::HelperGone)?;
        match Answer::parse(&bytes)? {
            Answer::Done => Ok(()),
            Answer::Failed(error) => Err(error),
            _ => Err(BlockError::Malformed { what: "an answer to another question" }),
        }
    }
}

fn gone(_: io::Error) -> BlockError {
    BlockError::HelperGone
}
