//! The engine's end: a volume that asks a helper for what takes the capability.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};

use super::message::{Answer, EntryName, Request};
use super::socket;
use crate::btrfs::Btrfs;
use crate::{BlockError, BlockName, SendOptions, Usage, Volume, VolumeKind, Whole};

/// A deletion waits for a commit of the file system, which a slow disk may take seconds for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A btrfs volume beside a helper. Freezing takes no capability, and is done here; deleting, looking
/// at compression and sending are asked for. Where the helper has gone, deleting and looking go on
/// here, in the slower and less exact way, until there is another: see
/// [`is_connected`](Self::is_connected).
#[derive(Debug)]
pub struct RemoteVolume {
    here: Btrfs,
    socket: OwnedFd,
    /// An answer was missed: what comes next may be it.
    out_of_step: bool,
}

impl RemoteVolume {
    /// Takes a connected SOCK_SEQPACKET socket and greets. What takes no capability is done here, at
    /// `data`; the rest is asked for.
    pub fn connect(socket: OwnedFd, data: &Path) -> Result<RemoteVolume, BlockError> {
        let here = Btrfs::open(data)?.ok_or(BlockError::TakesBtrfs { what: "the block helper" })?;
        for side in [Timeout::Recv, Timeout::Send] {
            patience(&socket, side, Some(PATIENCE))?;
        }
        let mut volume = RemoteVolume { here, socket, out_of_step: false };
        volume.done(Request::Hello, None)?;
        Ok(volume)
    }

    /// False when the helper has gone, or missed an answer: another is needed.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        !self.out_of_step
    }

    fn done(
        &mut self,
        request: Request,
        descriptor: Option<BorrowedFd<'_>>,
    ) -> Result<(), BlockError> {
        match self.ask(request, descriptor)? {
            Answer::Done => Ok(()),
            _ => Err(self.wrong_answer()),
        }
    }

    fn wrong_answer(&mut self) -> BlockError {
        self.out_of_step = true;
        BlockError::Malformed { what: "an answer to another question" }
    }

    fn ask(
        &mut self,
        request: Request,
        descriptor: Option<BorrowedFd<'_>>,
    ) -> Result<Answer, BlockError> {
        if self.out_of_step {
            return Err(BlockError::HelperGone);
        }
        match self.exchange(request, descriptor) {
            Ok(Answer::Failed(error)) => Err(error),
            Ok(answer) => Ok(answer),
            Err(error) => {
                self.out_of_step = true;
                Err(error)
            }
        }
    }

    fn exchange(
        &self,
        request: Request,
        descriptor: Option<BorrowedFd<'_>>,
    ) -> Result<Answer, BlockError> {
        let lost = |error: io::Error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => BlockError::HelperSilent,
            _ => BlockError::HelperGone,
        };
        socket::send(&self.socket, &request.bytes(), descriptor).map_err(lost)?;
        let (bytes, _) =
            socket::receive(&self.socket).map_err(lost)?.ok_or(BlockError::HelperGone)?;
        Answer::parse(&bytes)
    }
}

fn patience(socket: &OwnedFd, side: Timeout, limit: Option<Duration>) -> Result<(), BlockError> {
    set_socket_timeout(socket, side, limit).map_err(|error| {
        BlockError::Refused(format!("cannot set the block helper's time limit: {error}"))
    })
}

impl Volume for RemoteVolume {
    fn kind(&self) -> VolumeKind {
        VolumeKind::Btrfs
    }

    fn freeze(&mut self, name: &BlockName) -> Result<(), BlockError> {
        self.here.freeze(name)
    }

    fn names(&mut self) -> Result<Vec<(String, Whole)>, BlockError> {
        self.here.names()
    }

    fn hurry(&mut self) -> Result<(), BlockError> {
        self.here.hurry()
    }

    fn delete(&mut self, name: &str) -> Result<(), BlockError> {
        let Some(entry) = EntryName::parse(name) else {
            return Err(BlockError::NotAName { name: name.chars().take(64).collect() });
        };
        match self.done(Request::Delete(entry), None) {
            Err(_) if self.out_of_step => self.here.delete(name),
            other => other,
        }
    }

    fn deleting(&mut self) -> Result<u32, BlockError> {
        match self.ask(Request::Deleting, None) {
            Ok(Answer::Deleting(count)) => Ok(count),
            Ok(_) => Err(self.wrong_answer()),
            Err(_) if self.out_of_step => self.here.deleting(),
            Err(error) => Err(error),
        }
    }

    fn usage(&mut self) -> Result<Usage, BlockError> {
        match self.ask(Request::Usage, None) {
            Ok(Answer::Usage(usage)) => Ok(usage),
            Ok(_) => Err(self.wrong_answer()),
            Err(_) if self.out_of_step => self.here.usage(),
            Err(error) => Err(error),
        }
    }

    /// Waits as long as it takes: this volume's connection should be one of its own.
    fn send(
        &mut self,
        name: &BlockName,
        parent: Option<&BlockName>,
        out: BorrowedFd<'_>,
        options: SendOptions,
    ) -> Result<(), BlockError> {
        patience(&self.socket, Timeout::Recv, None)?;
        let request = Request::Send { name: *name, parent: parent.copied(), options };
        let sent = self.done(request, Some(out));
        patience(&self.socket, Timeout::Recv, Some(PATIENCE))?;
        sent
    }
}
