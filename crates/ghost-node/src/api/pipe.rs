//! Bytes between the serving thread and the pool: an answer's pieces out, a body's pieces in.
//!
//! Both are bounded in pieces; whoever is ahead waits, a limited time. A side that went away ends
//! the other's work at its next piece.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use http_body_util::BodyExt;
use hyper::body::Frame;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::limits::{BODY_QUIET_TIMEOUT, PIECE_BYTES, PIECE_TIMEOUT, PIECES_WAITING_MAX};

/// The pool's end of an answer.
#[derive(Debug)]
pub(super) struct Outlet {
    pieces: Sender<Bytes>,
    runtime: Handle,
    buffer: Vec<u8>,
}

/// The connection's end of an answer.
#[derive(Debug)]
pub(super) struct Pieces(Receiver<Bytes>);

/// An answer that is made on the pool while it is sent.
pub(super) fn outlet() -> (Outlet, Pieces) {
    let (pieces, receiver) = channel(PIECES_WAITING_MAX);
    (Outlet { pieces, runtime: Handle::current(), buffer: Vec::new() }, Pieces(receiver))
}

/// An answer whose pieces somebody else bounds.
pub(super) fn pieces(receiver: Receiver<Bytes>) -> Pieces {
    Pieces(receiver)
}

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// Waits for the reader, from a thread that may block.
impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        use tokio::sync::mpsc::error::{SendTimeoutError, TrySendError};
        if self.buffer.is_empty() {
            return Ok(());
        }
        let full = std::mem::take(&mut self.buffer);
        let gone = || io::Error::new(io::ErrorKind::BrokenPipe, "the reader went away");
        match self.pieces.try_send(full.into()) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(_)) => Err(gone()),
            Err(TrySendError::Full(piece)) => {
                let sending = async { self.pieces.send_timeout(piece, PIECE_TIMEOUT).await };
                match self.runtime.block_on(sending) {
                    Ok(()) => Ok(()),
                    Err(SendTimeoutError::Closed(_)) => Err(gone()),
                    Err(SendTimeoutError::Timeout(_)) => Err(io::ErrorKind::TimedOut.into()),
                }
            }
        }
    }
}

/// The pool's end of a request's body.
pub(super) struct Inlet {
    pieces: Receiver<io::Result<Bytes>>,
    piece: Bytes,
    /// Called before the first byte is waited for.
    first: Option<Box<dyn FnOnce() + Send>>,
    ended: bool,
    /// Raised before a body that was cut is told as an error.
    cut: Arc<AtomicBool>,
}

impl std::fmt::Debug for Inlet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inlet").field("ended", &self.ended).finish_non_exhaustive()
    }
}

/// A body that is read on the pool while it arrives; the future takes it off the connection, and
/// `cut` is raised where it ends early.
pub(super) fn inlet(
    mut body: Body,
    first: impl FnOnce() + Send + 'static,
    cut: Arc<AtomicBool>,
) -> (Inlet, impl Future<Output = ()> + Send) {
    let (pieces, receiver) = channel(PIECES_WAITING_MAX);
    let arriving = async move {
        loop {
            let told = match tokio::time::timeout(BODY_QUIET_TIMEOUT, body.frame()).await {
                // An empty piece is the end; without it the body was cut.
                Ok(None) => Ok(Bytes::new()),
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) if !bytes.is_empty() => Ok(bytes),
                    _ => continue,
                },
                Ok(Some(Err(error))) => Err(io::Error::other(error)),
                Err(_) => Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("no more of the capture came for {} s", BODY_QUIET_TIMEOUT.as_secs()),
                )),
            };
            let last = told.as_ref().map_or(true, Bytes::is_empty);
            if pieces.send(told).await.is_err() || last {
                return;
            }
        }
    };
    let inlet = Inlet {
        pieces: receiver,
        piece: Bytes::new(),
        first: Some(Box::new(first)),
        ended: false,
        cut,
    };
    (inlet, arriving)
}

impl Read for Inlet {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(first) = self.first.take() {
            first();
        }
        while self.piece.is_empty() {
            if self.ended {
                return Ok(0);
            }
            match self.pieces.blocking_recv() {
                Some(Ok(piece)) => {
                    self.ended = piece.is_empty();
                    self.piece = piece;
                }
                Some(Err(error)) => {
                    self.ended = true;
                    self.cut.store(true, Ordering::SeqCst);
                    return Err(error);
                }
                None => {
                    self.ended = true;
                    self.cut.store(true, Ordering::SeqCst);
                    let cut = "the sender went away before the capture's end";
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, cut));
                }
            }
        }
        let n = self.piece.len().min(buffer.len());
        buffer[..n].copy_from_slice(&self.piece.split_to(n));
        Ok(n)
    }
}
