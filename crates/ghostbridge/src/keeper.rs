//! How a helper process comes by its connections: handed in by the engine that started it, or by a
//! socket that systemd listens on.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketFlags, accept_with, recvmsg,
    sockopt,
};

use crate::outcome::say;
use crate::privileges;

/// Whose engine may connect where systemd listens, besides root's.
const ENGINE_USER: &str = "ghostbridge";

/// The next connection; none when the engine is gone, and with it what the helper is for.
pub(crate) fn next(socket: &OwnedFd, listening: bool) -> io::Result<Option<OwnedFd>> {
    if listening { accepted(socket) } else { handed(socket) }
}

/// The next connection to a listening socket, by a user who may.
fn accepted(socket: &OwnedFd) -> io::Result<Option<OwnedFd>> {
    loop {
        let connection = match accept_with(socket, SocketFlags::CLOEXEC) {
            Ok(connection) => connection,
            Err(rustix::io::Errno::INTR | rustix::io::Errno::CONNABORTED) => continue,
            Err(error) => return Err(error.into()),
        };
        let peer = sockopt::socket_peercred(&connection)?.uid;
        let ours = rustix::process::geteuid();
        if peer.is_root() || peer == ours || Some(peer.as_raw()) == privileges::user_id(ENGINE_USER)
        {
            return Ok(Some(connection));
        }
        say(format_args!("helper: user {} may not connect", peer.as_raw()));
    }
}

/// The next connection that the engine hands in; none when it has hung up.
fn handed(control: &OwnedFd) -> io::Result<Option<OwnedFd>> {
    loop {
        let mut byte = [0; 1];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut messages = RecvAncillaryBuffer::new(&mut space);
        let mut into = [io::IoSliceMut::new(&mut byte)];
        let got = match recvmsg(control, &mut into, &mut messages, RecvFlags::CMSG_CLOEXEC) {
            Ok(got) => got,
            Err(rustix::io::Errno::INTR) => continue,
            Err(rustix::io::Errno::CONNRESET) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if got.bytes == 0 {
            return Ok(None);
        }
        let fds = messages.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds),
            _ => None,
        });
        if let Some(connection) = fds.flatten().next() {
            return Ok(Some(connection));
        }
    }
}
