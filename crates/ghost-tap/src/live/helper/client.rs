//! The engine's end of the helper's socket.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};

use super::super::rings::Maps;
use super::super::{
    Direction, InlinePort, InlineSizes, InlineTap, RingSizes, RingTap, Tap, TapError,
};
use super::message::{Answer, Request};
use super::socket;

/// To load and check the programs takes a slow machine a second or two.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks the attach helper; each call waits for its answer, at most ten seconds.
#[derive(Debug)]
pub struct Helper {
    socket: OwnedFd,
    /// An answer was missed: what comes next may be it.
    out_of_step: bool,
}

impl Helper {
    /// Takes a connected SOCK_SEQPACKET socket and greets.
    pub fn connect(socket: OwnedFd) -> Result<Self, TapError> {
        for side in [Timeout::Recv, Timeout::Send] {
            set_socket_timeout(&socket, side, Some(PATIENCE))
                .map_err(|error| TapError::of("set the helper's time limit", error.into()))?;
        }
        let mut helper = Self { socket, out_of_step: false };
        helper.done(Request::Hello)?;
        Ok(helper)
    }

    /// Loads the programs that copy, and their rings; nothing is attached yet.
    pub fn open_ghost(&mut self, sizes: RingSizes) -> Result<Tap, TapError> {
        self.open_rings(Request::OpenGhost(sizes))
    }

    /// Attaches the ghost tap, first in the interface's chain.
    pub fn attach(&mut self, ifindex: u32, direction: Direction) -> Result<(), TapError> {
        self.done(Request::Attach { ifindex, direction })
    }

    /// Detaches it; its losses stay in the tap's counters. A port that is gone is detached too.
    pub fn detach(&mut self, ifindex: u32, direction: Direction) -> Result<(), TapError> {
        self.done(Request::Detach { ifindex, direction })
    }

    /// Forwards between two ports and copies, by one program at each; what is pinned from a daemon
    /// before is taken over, with the frames that wait in its rings (and with its sizes).
    pub fn open_fast(&mut self, a: u32, b: u32, sizes: RingSizes) -> Result<Tap, TapError> {
        self.open_rings(Request::OpenFast { a, b, sizes })
    }

    /// Forwards between two ports in user space, beside a pinned program that forwards whenever
    /// that falls silent.
    pub fn open_inline(&mut self, a: u32, b: u32, sizes: InlineSizes) -> Result<Tap, TapError> {
        let (Answer::Sockets, descriptors) = self.ask(Request::OpenInline { a, b })? else {
            return Err(TapError::Malformed { what: "an answer to another question" });
        };
        let Ok([at_a, at_b, beat]) = <[OwnedFd; 3]>::try_from(descriptors) else {
            return Err(TapError::Malformed { what: "missing descriptors" });
        };
        let ports =
            [InlinePort { ifindex: a, socket: at_a }, InlinePort { ifindex: b, socket: at_b }];
        Ok(Tap::Inline(InlineTap::start(ports, Some(beat), sizes)?))
    }

    /// Sets up the interface of a switch's mirror, whose name begins with
    /// [`MIRROR_PREFIX`](super::MIRROR_PREFIX): a switch makes it down.
    pub fn raise_mirror(&mut self, ifindex: u32) -> Result<(), TapError> {
        self.done(Request::RaiseMirror { ifindex })
    }

    /// Removes every link of this connection, and every pin of this network namespace.
    pub fn detach_all(&mut self) -> Result<(), TapError> {
        self.done(Request::DetachAll)
    }

    fn open_rings(&mut self, request: Request) -> Result<Tap, TapError> {
        let (Answer::Rings { layout, adopted }, descriptors) = self.ask(request)? else {
            return Err(TapError::Malformed { what: "an answer to another question" });
        };
        let Ok([heads, plain, telling, accounts]) = <[OwnedFd; 4]>::try_from(descriptors) else {
            return Err(TapError::Malformed { what: "missing descriptors" });
        };
        RingTap::open(&Maps { heads, plain, telling, accounts }, layout)
            .map(|rings| Tap::Rings(if adopted { rings.taken_over() } else { rings }))
            .map_err(|error| TapError::of("map the rings", error))
    }

    fn done(&mut self, request: Request) -> Result<(), TapError> {
        match self.ask(request)? {
            (Answer::Done, _) => Ok(()),
            _ => Err(TapError::Malformed { what: "an answer to another question" }),
        }
    }

    fn ask(&mut self, request: Request) -> Result<(Answer, Vec<OwnedFd>), TapError> {
        if self.out_of_step {
            return Err(TapError::HelperGone);
        }
        let answer = self.exchange(request);
        self.out_of_step = matches!(
            answer,
            Err(TapError::HelperGone
                | TapError::HelperSilent
                | TapError::Malformed { .. }
                | TapError::OtherVersion { .. })
        );
        match answer? {
            (Answer::Failed(error), _) => Err(error),
            answer => Ok(answer),
        }
    }

    fn exchange(&mut self, request: Request) -> Result<(Answer, Vec<OwnedFd>), TapError> {
        let lost = |error: io::Error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => TapError::HelperSilent,
            _ => TapError::HelperGone,
        };
        socket::send(&self.socket, &request.bytes(), &[]).map_err(lost)?;
        let (bytes, descriptors) =
            socket::receive(&self.socket).map_err(lost)?.ok_or(TapError::HelperGone)?;
        Ok((Answer::parse(&bytes)?, descriptors))
    }
}
