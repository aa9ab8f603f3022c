//! One connection to a replica: bytes in and out without ever waiting for either.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use ghost_ship::wire::{Frame, Level, Role, Session};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::Connection;

/// What is taken of a connection at once.
const READ_BYTES: usize = 256 << 10;

/// Bytes that went out are let go of from this many on.
const OUT_BYTES_KEPT: usize = 1 << 20;

pub(super) struct Line {
    connection: Connection,
    pub(super) session: Session,
    out: Vec<u8>,
    /// Of `out`, what has gone.
    gone: usize,
    read: Box<[u8]>,
    ended: bool,
}

/// Sets a descriptor so that it never waits.
pub(super) fn never_wait(fd: BorrowedFd<'_>) -> io::Result<()> {
    let flags = fcntl_getfl(fd)?;
    Ok(fcntl_setfl(fd, flags | OFlags::NONBLOCK)?)
}

impl Line {
    pub(super) fn new(connection: Connection) -> io::Result<Line> {
        never_wait(connection.read.as_fd())?;
        never_wait(connection.write.as_fd())?;
        let session = Session::new(Role::Primary);
        let out = session.opening();
        let read = vec![0; READ_BYTES].into_boxed_slice();
        Ok(Line { connection, session, out, gone: 0, read, ended: false })
    }

    /// Puts a frame behind what waits to go out; its bytes.
    pub(super) fn put(&mut self, frame: &Frame, level: Level) -> u64 {
        let bytes = self.session.frame(frame, level);
        self.out.extend_from_slice(&bytes);
        bytes.len() as u64
    }

    /// Bytes that the other end has not taken from us yet.
    pub(super) fn waits(&self) -> usize {
        self.out.len() - self.gone
    }

    /// Sends as much as goes.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while self.gone < self.out.len() {
            match rustix::io::write(&self.connection.write, &self.out[self.gone..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => self.gone += n,
                Err(rustix::io::Errno::AGAIN) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if self.gone == self.out.len() {
            self.out.clear();
            self.gone = 0;
        } else if self.gone >= OUT_BYTES_KEPT {
            self.out.drain(..self.gone);
            self.gone = 0;
        }
        Ok(())
    }

    /// Takes what has arrived, once: its length, 0 where nothing has; an error at the end.
    pub(super) fn take(&mut self) -> io::Result<usize> {
        if self.ended {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        loop {
            match rustix::io::read(&self.connection.read, &mut *self.read) {
                Ok(0) => {
                    self.ended = true;
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Ok(n) => return Ok(n),
                Err(rustix::io::Errno::AGAIN) => return Ok(0),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Hands bytes `from..to` of what was taken to the session; how far it had room.
    pub(super) fn push(&mut self, from: usize, to: usize) -> usize {
        from + self.session.push(self.read.get(from..to).unwrap_or_default())
    }

    pub(super) fn read_fd(&self) -> BorrowedFd<'_> {
        self.connection.read.as_fd()
    }

    pub(super) fn write_fd(&self) -> BorrowedFd<'_> {
        self.connection.write.as_fd()
    }

    /// Ends it; what the program that carried it said last.
    pub(super) fn end(mut self) -> String {
        // What waits is little or nobody takes it.
        let _ = self.flush();
        let Connection { read, write, child } = self.connection;
        // What carries it sends the rest, and ends with it.
        drop(write);
        let words = child.map(|mut child| child.end()).unwrap_or_default();
        drop(read);
        words
    }
}
