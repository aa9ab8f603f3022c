//! The bytes of a block that goes out: a btrfs send stream, or raw lines.
//!
//! A stream is made by a thread of its own, which ends with it; its bytes come through a pipe, so
//! that no more of it is in memory than goes out at once.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, bounded};
use ghost_block::{BlockError, BlockName, SendOptions, Volume};
use ghost_event::Seq;
use ghost_log::LogError;

use super::line::never_wait;
use crate::daemon::DaemonHost;

/// The pipe's room: a chunk goes through it at once.
const PIPE_BYTES: usize = 1 << 20;

/// Why a block's bytes end too early.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    #[error(transparent)]
    Block(#[from] BlockError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("a pipe: {0}")]
    Pipe(#[from] io::Error),
    #[error("the thread that reads the block ended by a fault")]
    Fault,
    #[error("the block has fewer lines than its checkpoint says")]
    Short,
}

/// The next bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Bytes(Vec<u8>),
    /// They come in a moment.
    Wait,
    End,
}

pub(super) enum Source {
    Stream(Stream),
    Lines(RawLines),
}

/// A volume that sends, kept from one block to the next.
pub(super) type Sender = Arc<Mutex<Option<Box<dyn Volume>>>>;

pub(super) struct Stream {
    pipe: OwnedFd,
    done: Receiver<Result<(), BlockError>>,
    buffer: Vec<u8>,
    ended: bool,
}

pub(super) struct RawLines {
    lines: ghost_log::Lines,
    next: Seq,
    upto: Seq,
    buffer: Vec<u8>,
}

impl Stream {
    /// Begins to send a block as what is new since `parent`.
    pub(super) fn begin(
        host: &Arc<dyn DaemonHost>,
        data: PathBuf,
        sender: &Sender,
        (name, parent): (BlockName, Option<BlockName>),
        options: SendOptions,
    ) -> Result<Stream, SourceError> {
        let (pipe, into) = io::pipe()?;
        let (pipe, into) = (OwnedFd::from(pipe), OwnedFd::from(into));
        never_wait(pipe.as_fd())?;
        // Where it may not be so large, it is as it is.
        let _ = rustix::pipe::fcntl_setpipe_size(&pipe, PIPE_BYTES);
        let (tell, done) = bounded(1);
        let (host, sender) = (Arc::clone(host), Arc::clone(sender));
        let send = move || {
            let mut kept = sender.lock().unwrap_or_else(PoisonError::into_inner).take();
            let fresh = kept.is_none();
            let mut volume = match kept.take() {
                Some(volume) => volume,
                None => host.volume(&data)?,
            };
            let mut sent = volume.send(&name, parent.as_ref(), into.as_fd(), options);
            if !fresh && matches!(sent, Err(BlockError::HelperGone | BlockError::HelperSilent)) {
                // Of a helper that was replaced meanwhile; nothing was sent.
                volume = host.volume(&data)?;
                sent = volume.send(&name, parent.as_ref(), into.as_fd(), options);
            }
            if sent.is_ok() {
                *sender.lock().unwrap_or_else(PoisonError::into_inner) = Some(volume);
            }
            sent
        };
        let run = move || drop(tell.send(send()));
        std::thread::Builder::new().name("send".to_owned()).spawn(run)?;
        Ok(Stream { pipe, done, buffer: Vec::new(), ended: false })
    }

    fn take(&mut self, want: usize) -> Result<Piece, SourceError> {
        while !self.ended && self.buffer.len() < want {
            let at = self.buffer.len();
            self.buffer.resize(want, 0);
            let read = rustix::io::read(&self.pipe, &mut self.buffer[at..]);
            self.buffer.truncate(at + read.unwrap_or(0));
            match read {
                Ok(0) => {
                    self.ended = true;
                    // Its other end was closed by who tells now how it went.
                    self.done.recv().map_err(|_| SourceError::Fault)??;
                }
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return Ok(Piece::Wait),
                Err(error) => return Err(io::Error::from(error).into()),
            }
        }
        if self.buffer.is_empty() {
            return Ok(Piece::End);
        }
        Ok(Piece::Bytes(std::mem::take(&mut self.buffer)))
    }
}

impl RawLines {
    /// Lines up to `upto`, of which `next` is the first.
    pub(super) fn new(lines: ghost_log::Lines, next: Seq, upto: Seq) -> RawLines {
        RawLines { lines, next, upto, buffer: Vec::new() }
    }

    fn take(&mut self, want: usize) -> Result<Piece, SourceError> {
        while self.buffer.len() < want && self.next <= self.upto {
            match self.lines.next()? {
                Some(line) if line.seq == self.next => self.buffer.extend_from_slice(line.bytes),
                _ => return Err(SourceError::Short),
            }
            self.next += 1;
        }
        if self.buffer.is_empty() {
            return Ok(Piece::End);
        }
        let rest = self.buffer.split_off(want.min(self.buffer.len()));
        Ok(Piece::Bytes(std::mem::replace(&mut self.buffer, rest)))
    }
}

impl Source {
    /// The next `want` bytes; fewer only at the end.
    pub(super) fn take(&mut self, want: usize) -> Result<Piece, SourceError> {
        match self {
            Source::Stream(stream) => stream.take(want.max(1)),
            Source::Lines(lines) => lines.take(want.max(1)),
        }
    }

    /// What tells that more has come.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Source::Stream(stream) => Some(stream.pipe.as_fd()),
            Source::Lines(_) => None,
        }
    }
}
