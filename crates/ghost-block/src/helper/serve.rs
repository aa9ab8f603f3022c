//! The helper's end: one connection of one engine.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use super::message::{Answer, Request, Unreadable, VERSION};
use super::{Receives, received, socket};
use crate::btrfs::Btrfs;
use crate::{BlockError, Volume};

/// Serves one engine on a connected SOCK_SEQPACKET socket until it hangs up. The data folder is
/// opened once, before anything is read; its log must be a btrfs subvolume. Needs CAP_SYS_ADMIN, and
/// to be the user that the folder belongs to.
///
/// A block that is sent or received holds the connection until its end: whoever does takes one of its
/// own. `receives` turns a stream into a subvolume.
pub fn serve(socket: OwnedFd, data: &Path, receives: &dyn Receives) -> Result<(), BlockError> {
    let mut volume =
        Btrfs::open(data)?.ok_or(BlockError::TakesBtrfs { what: "the block helper" })?;
    loop {
        let received =
            socket::receive(&socket).map_err(BlockError::io("read what is asked of", data))?;
        let Some((bytes, descriptor)) = received else { return Ok(()) };
        let answer = match Request::parse(&bytes) {
            Ok(request) => answer(&mut volume, data, receives, request, descriptor),
            Err(Unreadable::Version(theirs)) => {
                Err(BlockError::OtherVersion { ours: VERSION, theirs })
            }
            Err(Unreadable::Length | Unreadable::Magic | Unreadable::Verb | Unreadable::Name) => {
                Err(BlockError::Malformed { what: "no request of ours" })
            }
        };
        match socket::send(&socket, &answer.unwrap_or_else(Answer::Failed).bytes(), None) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(BlockError::io("answer the engine of", data)(error)),
        }
    }
}

fn answer(
    volume: &mut Btrfs,
    data: &Path,
    receives: &dyn Receives,
    request: Request,
    descriptor: Option<OwnedFd>,
) -> Result<Answer, BlockError> {
    match request {
        Request::Hello => Ok(Answer::Done),
        Request::Delete(name) => volume.delete(&name.text()).map(|()| Answer::Done),
        Request::Deleting => volume.deleting().map(Answer::Deleting),
        Request::Usage => volume.usage().map(Answer::Usage),
        Request::Receive { log, number } => {
            let stream = descriptor.ok_or(BlockError::Malformed { what: "nothing to receive" })?;
            received::receive(volume.root(), data, log, number, stream, receives)
                .map(|()| Answer::Done)
        }
        Request::DeleteReceived { log, name } => {
            received::delete(volume.root(), data, log, name).map(|()| Answer::Done)
        }
        Request::Send { name, parent, options } => {
            let out = descriptor.ok_or(BlockError::Malformed { what: "nowhere to send to" })?;
            volume.send(&name, parent.as_ref(), out.as_fd(), options).map(|()| Answer::Done)
        }
    }
}
