//! The few calls that the standard library lacks: a raw packet socket, an interface's number, an
//! unnamed file, a subvolume's flag. Nothing here is reachable with bytes from outside.
#![allow(unsafe_code)]

use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io;

/// An interface's number in the calling thread's namespace.
pub(crate) fn ifindex(name: &str) -> io::Result<u32> {
    let socket = rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::DGRAM,
        None,
    )?;
    Ok(rustix::net::netdevice::name_to_index(socket, name)?)
}

/// A file without a name in the temporary folder.
pub(crate) fn unnamed_file() -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    let file = rustix::fs::open(std::env::temp_dir(), flags, Mode::RUSR | Mode::WUSR)?;
    Ok(File::from(file))
}

/// A raw socket bound to an interface of the calling thread's namespace: whole Ethernet frames out.
pub(crate) fn packet_socket(ifindex: u32) -> io::Result<OwnedFd> {
    // Protocol 0: the socket receives nothing, so nothing piles up in it.
    let socket = rustix::net::socket(
        rustix::net::AddressFamily::PACKET,
        rustix::net::SocketType::RAW,
        None,
    )?;
    // SAFETY: all-zero bytes are a valid sockaddr_ll (integers and a byte array).
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_ifindex = ifindex.cast_signed();
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: `address` is a sockaddr_ll of exactly `length` bytes that outlives the call, which
    // only reads it; the descriptor is open, owned by `socket`.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    if bound == 0 { Ok(socket) } else { Err(io::Error::last_os_error()) }
}

/// Sets the read-only flag of a subvolume by the raw call: unlike `btrfs property`, it leaves the
/// UUID that `btrfs receive` goes by.
pub(crate) fn set_read_only(subvolume: &File, on: bool) -> io::Result<()> {
    // _IOR(0x94, 25, u64) and _IOW(0x94, 26, u64) of linux/btrfs.h.
    const GET_FLAGS: libc::Ioctl = 0x8008_9419_u32 as libc::Ioctl;
    const SET_FLAGS: libc::Ioctl = 0x4008_941a_u32 as libc::Ioctl;
    const READ_ONLY: u64 = 1 << 1;
    let mut flags = 0_u64;
    // SAFETY: the call writes one u64, for which `flags` has room; the descriptor is open.
    let got = unsafe { libc::ioctl(subvolume.as_raw_fd(), GET_FLAGS, &raw mut flags) };
    if got != 0 {
        return Err(io::Error::last_os_error());
    }
    flags = if on { flags | READ_ONLY } else { flags & !READ_ONLY };
    // SAFETY: the call reads one u64 that outlives it; the descriptor is open.
    let set = unsafe { libc::ioctl(subvolume.as_raw_fd(), SET_FLAGS, &raw const flags) };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
