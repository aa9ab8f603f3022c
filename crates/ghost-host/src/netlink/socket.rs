//! A netlink socket of the calling thread's network namespace: asked, or listened to.

use super::message::{Message, Messages, Request};
use crate::HostError;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType};
use std::io;
use std::time::Duration;

/// The kernel's datagrams are of at most 32 KiB; a notification is one message.
const BUFFER: usize = 1 << 16;
/// Room for the notifications of a burst: a thousand interfaces made at once.
const RECEIVE_BYTES: usize = 1 << 20;
/// A dump that changes keep running into is given up after so many tries.
const TRIES: u32 = 8;
/// No answer takes longer: the kernel answers from memory.
const PATIENCE: Duration = Duration::from_secs(5);

/// Datagrams heard in one go.
const AT_ONCE: u32 = 4096;

const REQUEST: u16 = 1;
const DUMP: u16 = 0x300;

/// What to be told of, as bits of the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Groups(u32);

impl Groups {
    pub(crate) const LINKS: Groups = Groups(1);
    /// IPv4's and IPv6's routes.
    pub(crate) const ROUTES: Groups = Groups(1 << 6 | 1 << 10);
}

/// What listening brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// All that waits was handed out.
    Everything,
    /// Notifications were lost: only asking anew tells.
    Lost,
}

#[derive(Debug)]
pub(crate) struct Socket {
    fd: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Socket {
    /// To ask rtnetlink.
    pub(crate) fn route() -> Result<Socket, HostError> {
        Socket::open(None, 0, SocketFlags::empty())
    }

    /// To ask generic netlink.
    pub(crate) fn generic() -> Result<Socket, HostError> {
        Socket::open(Some(rustix::net::netlink::GENERIC), 0, SocketFlags::empty())
    }

    /// To be told by rtnetlink; never blocks.
    pub(crate) fn listen(groups: Groups) -> Result<Socket, HostError> {
        let socket = Socket::open(None, groups.0, SocketFlags::NONBLOCK)?;
        // Beyond the system's limit it takes what it gets: a loss is told as such anyway.
        let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&socket.fd, RECEIVE_BYTES);
        Ok(socket)
    }

    fn open(
        protocol: Option<Protocol>,
        groups: u32,
        flags: SocketFlags,
    ) -> Result<Socket, HostError> {
        let failed = |what| move |err: Errno| HostError::Netlink { what, source: err.into() };
        let flags = flags | SocketFlags::CLOEXEC;
        let fd = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)
            .map_err(failed("socket"))?;
        rustix::net::bind(&fd, &SocketAddrNetlink::new(0, groups)).map_err(failed("bind"))?;
        let patience = Some(PATIENCE);
        rustix::net::sockopt::set_socket_timeout(
            &fd,
            rustix::net::sockopt::Timeout::Recv,
            patience,
        )
        .map_err(failed("timeout"))?;
        Ok(Socket { fd, sequence: 0, buffer: vec![0; BUFFER] })
    }

    /// Asks for everything of a kind; `each` gets the answers. Asked again from the start (after
    /// `restart`) when a change ran into the dump.
    pub(crate) fn dump(
        &mut self,
        kind: u16,
        fixed: &[u8],
        mut restart: impl FnMut(),
        mut each: impl FnMut(&Message<'_>),
    ) -> Result<(), HostError> {
        for _ in 0..TRIES {
            restart();
            let interrupted = self.ask(kind, DUMP, |request| request, fixed, &mut each)?;
            if !interrupted {
                return Ok(());
            }
        }
        let source = io::Error::other("interfaces change faster than they can be listed");
        Err(HostError::Netlink { what: "dump", source })
    }

    /// Asks for one thing.
    pub(crate) fn get(
        &mut self,
        kind: u16,
        fixed: &[u8],
        write: impl Fn(Request) -> Request,
        mut each: impl FnMut(&Message<'_>),
    ) -> Result<(), HostError> {
        // With an acknowledgement, so that the end is known.
        self.ask(kind, 4, write, fixed, &mut each).map(drop)
    }

    /// True when the answer was interrupted by a change.
    fn ask(
        &mut self,
        kind: u16,
        flags: u16,
        write: impl Fn(Request) -> Request,
        fixed: &[u8],
        each: &mut impl FnMut(&Message<'_>),
    ) -> Result<bool, HostError> {
        let failed = |what| move |source: io::Error| HostError::Netlink { what, source };
        self.sequence = self.sequence.wrapping_add(1);
        let request = write(Request::new(kind, REQUEST | flags, self.sequence, fixed)).bytes();
        rustix::net::send(&self.fd, &request, SendFlags::empty())
            .map_err(|err| failed("ask")(err.into()))?;
        let mut interrupted = false;
        loop {
            let length = self.receive().map_err(|err| failed("answer")(err.into()))?;
            for message in Messages::new(self.buffer.get(..length).unwrap_or_default()) {
                if message.sequence != self.sequence {
                    continue;
                }
                interrupted |= message.interrupted;
                match message.verdict() {
                    Some(0) => return Ok(interrupted),
                    Some(errno) => {
                        return Err(failed("refused")(io::Error::from_raw_os_error(errno)));
                    }
                    None => each(&message),
                }
            }
        }
    }

    /// Hands out the notifications that wait (so many at a time that a storm can't hold the caller).
    pub(crate) fn hear(&mut self, mut each: impl FnMut(&Message<'_>)) -> Result<Heard, HostError> {
        let mut heard = Heard::Everything;
        for _ in 0..AT_ONCE {
            match self.receive() {
                Ok(length) => {
                    Messages::new(self.buffer.get(..length).unwrap_or_default())
                        .for_each(|m| each(&m));
                }
                Err(Errno::AGAIN) => return Ok(heard),
                Err(Errno::NOBUFS) => heard = Heard::Lost,
                Err(err) => {
                    return Err(HostError::Netlink { what: "listen", source: err.into() });
                }
            }
        }
        Ok(heard)
    }

    /// One datagram of the kernel's into the buffer; its length.
    fn receive(&mut self) -> Result<usize, Errno> {
        loop {
            match rustix::net::recvfrom(&self.fd, self.buffer.as_mut_slice(), RecvFlags::TRUNC) {
                Ok((_, length, Some(from))) => {
                    let kernel =
                        SocketAddrNetlink::try_from(from).is_ok_and(|from| from.pid() == 0);
                    if length > self.buffer.len() {
                        return Err(Errno::NOBUFS);
                    }
                    if kernel {
                        return Ok(length);
                    }
                }
                Ok((_, _, None)) | Err(Errno::INTR) => {}
                Err(err) => return Err(err),
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
