//! A block that comes as a btrfs stream: vetted, received by whoever may, and verified.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use ghost_block::subvolume;
use ghost_event::line::LINE_BYTES_MAX;
use ghost_ship::accept::BlockCheck;
use ghost_ship::wire::{BlockBegin, Code, Kind, LogId, Refusal};
use rustix::pipe::{PipeFlags, pipe_with};

use super::{Parent, verify};
use crate::holding::{Holding, Verified, incoming_of};
use crate::stream::{Expected, Vetter};
use crate::{ReceiveError, ReplicaHost};

/// Bytes that the pipe to the receiver holds.
const PIPE_BYTES: usize = 1 << 20;

/// What a block has besides its lines: tiles, checkpoints, extents that are written again.
const BESIDES_BYTES: u64 = 1 << 30;

/// The stream on its way.
#[derive(Debug)]
pub(super) struct Stream {
    path: PathBuf,
    log: LogId,
    host: Arc<dyn ReplicaHost>,
    parent: Option<Parent>,
    vetter: Vetter,
    vetted: Vec<u8>,
    to: Option<OwnedFd>,
    receiver: Option<JoinHandle<Result<(), ReceiveError>>>,
}

impl Stream {
    pub(super) fn begin(
        holding: &Holding,
        begin: &BlockBegin,
        check: &BlockCheck,
        path: &Path,
        parent: Option<Parent>,
    ) -> Result<Stream, Refusal> {
        let about = Kind::BlockBegin;
        let log = holding.dir().log_id();
        let later = |words: String| {
            holding.common().host.say(&format!("replica of {log}: {words}"));
            Refusal::new(Code::Later, "this replica can't receive it now").about(about)
        };
        let built_on = match &parent {
            None => None,
            Some(parent) => match subvolume(&parent.path) {
                Ok(Some(found)) => Some((found.received_uuid, found.sent)),
                // It came as lines, and no stream builds on it.
                Ok(None) => {
                    let words = format!("block {} came as lines", parent.block.known.number);
                    return Err(Refusal::new(Code::NoParent, words).about(about));
                }
                Err(e) => return Err(later(format!("{}: {e}", parent.path.display()))),
            },
        };
        let lines = begin.size.saturating_sub(check.size());
        let bytes_max = lines.saturating_mul(LINE_BYTES_MAX as u64).saturating_add(BESIDES_BYTES);
        let expected = Expected { name: incoming_of(begin.number), parent: built_on, bytes_max };
        let pipe = || -> io::Result<(OwnedFd, OwnedFd)> {
            let (from, to) = pipe_with(PipeFlags::CLOEXEC)?;
            // As large as the kernel lets it be: less is only slower.
            let _ = rustix::pipe::fcntl_setpipe_size(&to, PIPE_BYTES);
            Ok((from, to))
        };
        let (from, to) = pipe().map_err(|e| later(format!("no pipe: {e}")))?;
        let (receive, number) = (Arc::clone(&holding.common().receive), begin.number);
        let receiver = std::thread::Builder::new()
            .name("btrfs".to_owned())
            .spawn(move || receive.receive(log, number, from))
            .map_err(|e| later(format!("no thread: {e}")))?;
        Ok(Stream {
            path: path.to_owned(),
            log,
            host: Arc::clone(&holding.common().host),
            parent,
            vetter: Vetter::new(expected),
            vetted: Vec::new(),
            to: Some(to),
            receiver: Some(receiver),
        })
    }

    /// The next bytes: what may pass goes on to the receiver.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.vetted.clear();
        if let Err(error) = self.vetter.push(bytes, &mut self.vetted) {
            self.host.say(&format!("replica of {}: REFUSED a block's stream: {error}", self.log));
            return Err(Refusal::new(Code::Altered, format!("the stream is refused: {error}"))
                .about(Kind::BlockChunk));
        }
        let mut rest = &self.vetted[..];
        while !rest.is_empty() {
            let Some(to) = &self.to else { return Ok(()) };
            match rustix::io::write(to, rest) {
                Ok(n) => rest = rest.get(n..).unwrap_or_default(),
                Err(rustix::io::Errno::INTR) => {}
                // The receiver ended before the stream: it says why.
                Err(_) => {
                    let received = self.received();
                    return Err(received
                        .err()
                        .unwrap_or_else(|| Refusal::new(Code::Later, "the receiver has gone"))
                        .about(Kind::BlockChunk));
                }
            }
        }
        Ok(())
    }

    /// Waits for the receiver.
    fn received(&mut self) -> Result<(), Refusal> {
        drop(self.to.take());
        let Some(receiver) = self.receiver.take() else { return Ok(()) };
        let result = receiver.join().unwrap_or_else(|_| {
            Err(ReceiveError::Failed("it ended by a fault; please report it".to_owned()))
        });
        result.map_err(|error| {
            let code = match &error {
                ReceiveError::NoSpace => Code::Full,
                ReceiveError::NoParent => Code::NoParent,
                _ => Code::Later,
            };
            self.host.say(&format!("replica of {}: {error}", self.log));
            Refusal::new(code, error.to_string())
        })
    }

    /// The stream is all here: what was received is checked, and made durable.
    pub(super) fn finish(mut self, check: &mut BlockCheck) -> Result<Verified, Refusal> {
        let about = Kind::BlockEnd;
        if !self.vetter.is_ended() {
            let words = "the stream has no end";
            return Err(Refusal::new(Code::Altered, words).about(about));
        }
        self.received().map_err(|refusal| refusal.about(about))?;
        let vetter = std::mem::replace(
            &mut self.vetter,
            Vetter::new(Expected { name: String::new(), parent: None, bytes_max: 0 }),
        );
        let sender = vetter.sender();
        let touched = vetter.touched();
        let (path, log, parent) = (&self.path, self.log, self.parent.as_ref());
        // Written out while it is read.
        let (synced, verified) = std::thread::scope(|scope| {
            let syncing = scope.spawn(|| {
                let folder = std::fs::File::open(path)?;
                Ok::<(), io::Error>(rustix::fs::syncfs(&folder)?)
            });
            let verified = verify::received(path, log, parent, sender, &touched, check);
            let synced = syncing.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()));
            (synced, verified)
        });
        let found = verified.map_err(|wrong| {
            self.host.say(&format!("replica of {log}: {}", wrong.words.escape_debug()));
            wrong.about(about)
        })?;
        synced.map_err(|e| super::lines::cannot(&e).about(about))?;
        // What it is known by is told when all of it is written: until then the kernel still counts.
        verify::sealed(path, sender, found).map_err(|refusal| refusal.about(about))
    }

    /// Nobody wants it any more.
    pub(super) fn abandon(mut self) {
        drop(self.to.take());
        if let Some(receiver) = self.receiver.take() {
            // That it fails is what was wanted.
            let _ = receiver.join();
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        drop(self.to.take());
        if let Some(receiver) = self.receiver.take() {
            let _ = receiver.join();
        }
    }
}
