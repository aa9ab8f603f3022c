//! The kernel's side of the wire: packet sockets, their ring of arriving frames, the heartbeat's
//! page, and two clocks. What a frame means is told elsewhere, from the bytes handed out here.
//!
//! `unsafe` is needed because the ring and the heartbeat are memory shared with the kernel, and
//! because the standard library has none of these calls. It is sound because a slot is touched
//! only while its status word says that it is ours, because every length handed to the kernel is
//! that of the slice beside it, and because mappings live as long as the values that own them.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use libc::{c_int, c_void, socklen_t};

/// Bytes of one block of the ring; slots of a power of two up to this fill it without a gap.
const BLOCK_BYTES: usize = 128 << 10;
/// Room in front of each frame, for a tag that is put back.
const RESERVE_BYTES: c_int = 16;
/// Frames in one call to send.
pub(super) const BATCH: usize = 64;

/// A raw socket of the calling thread's namespace that receives nothing yet.
pub(super) fn open() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: plain integers.
    let fd = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made and belongs to nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    for (force, plain, bytes) in [
        (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, 64 << 20),
        (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, 8 << 20),
    ] {
        if set(&socket, libc::SOL_SOCKET, force, &(bytes as c_int)).is_err() {
            set(&socket, libc::SOL_SOCKET, plain, &(bytes as c_int))?;
        }
    }
    Ok(socket)
}

/// Settings of the socket that come before its ring; the step's name goes into the error.
pub(super) fn prepare(socket: &OwnedFd) -> Result<(), (&'static str, io::Error)> {
    let settings: [(&'static str, c_int, c_int); 6] = [
        ("ask for frames of version 2", libc::PACKET_VERSION, 1),
        ("ask for offload headers", libc::PACKET_VNET_HDR, 1),
        ("leave out what this host sends", libc::PACKET_IGNORE_OUTGOING, 1),
        ("leave room for tags", libc::PACKET_RESERVE, RESERVE_BYTES),
        ("ask for long frames whole", libc::PACKET_COPY_THRESH, 1),
        ("send without a queue", libc::PACKET_QDISC_BYPASS, 1),
    ];
    for (step, option, value) in settings {
        set(socket, libc::SOL_PACKET, option, &value).map_err(|e| (step, e))?;
    }
    Ok(())
}

/// Takes in every frame that reaches the interface, whomever it is for.
pub(super) fn bind(socket: &OwnedFd, ifindex: u32) -> Result<(), (&'static str, io::Error)> {
    // SAFETY: all-zero bytes are a valid value of both plain structures.
    let (mut member, mut address): (libc::packet_mreq, libc::sockaddr_ll) =
        unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    member.mr_ifindex = ifindex.cast_signed();
    member.mr_type = libc::PACKET_MR_PROMISC as u16;
    set(socket, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &member)
        .map_err(|e| ("ask for frames to any address", e))?;
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = ifindex.cast_signed();
    let length = size_of::<libc::sockaddr_ll>() as socklen_t;
    // SAFETY: `address` is a sockaddr_ll of `length` bytes that outlives the call.
    let done = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    if done == 0 { Ok(()) } else { Err(("bind to the port", io::Error::last_os_error())) }
}

fn set<T>(socket: &OwnedFd, level: c_int, option: c_int, value: &T) -> io::Result<()> {
    let length = size_of::<T>() as socklen_t;
    // SAFETY: the kernel reads `length` bytes of `value`, which is that long; every T used here
    // is a plain structure of integers.
    let done = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const *value).cast(), length)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn get<T: Copy>(socket: BorrowedFd<'_>, level: c_int, option: c_int, zero: T) -> io::Result<T> {
    let mut value = zero;
    let mut length = size_of::<T>() as socklen_t;
    // SAFETY: the kernel writes at most `length` bytes into `value`, which is that long; every T
    // used here is valid for any bytes.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    if done == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

/// Frames that found no room since this was asked last.
pub(super) fn take_drops(socket: BorrowedFd<'_>) -> u64 {
    get(socket, libc::SOL_PACKET, libc::PACKET_STATISTICS, [0u32; 2])
        .map_or(0, |[_, drops]| u64::from(drops))
}

/// Takes away the error that waits on a socket: its port went down, or away.
pub(super) fn take_error(socket: BorrowedFd<'_>) {
    let _ = get(socket, libc::SOL_SOCKET, libc::SO_ERROR, 0 as c_int);
}

/// The longest payload of a port's frames, and whether the port is up.
pub(super) fn mtu_and_state(socket: &OwnedFd, ifindex: u32) -> io::Result<(u32, bool)> {
    // SAFETY: all-zero bytes are a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_ifru.ifru_ifindex = ifindex.cast_signed();
    let mut ask = |what| {
        // SAFETY: these three requests read and write one ifreq, which `request` is.
        let done = unsafe { libc::ioctl(socket.as_raw_fd(), what, &raw mut request) };
        if done == 0 { Ok(request) } else { Err(io::Error::last_os_error()) }
    };
    ask(libc::SIOCGIFNAME)?;
    let answer = ask(libc::SIOCGIFMTU)?;
    // SAFETY: SIOCGIFMTU and SIOCGIFFLAGS fill the field read here; both are integers.
    let mtu = unsafe { answer.ifr_ifru.ifru_mtu };
    let answer = ask(libc::SIOCGIFFLAGS)?;
    // SAFETY: as above.
    let flags = unsafe { answer.ifr_ifru.ifru_flags };
    Ok((u32::try_from(mtu).unwrap_or(0), c_int::from(flags) & libc::IFF_UP != 0))
}

/// Memory shared with the kernel; unmapped when dropped.
#[derive(Debug)]
struct Mapping {
    base: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the mapping belongs to this value alone and has no ties to the thread that made it.
unsafe impl Send for Mapping {}

impl Mapping {
    fn new(fd: RawFd, bytes: usize) -> io::Result<Mapping> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_POPULATE;
        // SAFETY: a fresh mapping at an address of the kernel's choice.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, flags, fd, 0) };
        match NonNull::new(at.cast::<u8>()) {
            Some(base) if at != libc::MAP_FAILED => Ok(Mapping { base, bytes }),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly what was mapped, and nobody can hold a reference into it any more.
        unsafe { libc::munmap(self.base.as_ptr().cast::<c_void>(), self.bytes) };
    }
}

/// The ring into which the kernel puts what arrives.
#[derive(Debug)]
pub(super) struct ReceiveRing {
    mapping: Mapping,
    slot_bytes: usize,
    slots: usize,
    next: usize,
}

impl ReceiveRing {
    /// Slots of `slot_bytes` (a power of two, 2 to 64 KiB), `bytes` of them altogether.
    pub(super) fn new(
        socket: &OwnedFd,
        slot_bytes: usize,
        bytes: usize,
    ) -> Result<ReceiveRing, (&'static str, io::Error)> {
        let slot_bytes = slot_bytes.next_power_of_two().clamp(2 << 10, 64 << 10);
        let blocks = (bytes / BLOCK_BYTES).clamp(1, 1 << 13);
        let slots = blocks * (BLOCK_BYTES / slot_bytes);
        let request = libc::tpacket_req {
            tp_block_size: BLOCK_BYTES as u32,
            tp_block_nr: blocks as u32,
            tp_frame_size: slot_bytes as u32,
            tp_frame_nr: slots as u32,
        };
        set(socket, libc::SOL_PACKET, libc::PACKET_RX_RING, &request)
            .map_err(|e| ("make the ring of arriving frames", e))?;
        let mapping = Mapping::new(socket.as_raw_fd(), blocks * BLOCK_BYTES)
            .map_err(|e| ("map the ring of arriving frames", e))?;
        Ok(ReceiveRing { mapping, slot_bytes, slots, next: 0 })
    }

    fn at(&self, ahead: usize) -> NonNull<u8> {
        let number = (self.next + ahead) % self.slots;
        // SAFETY: number < slots, and slots * slot_bytes is the mapping's length.
        unsafe { self.mapping.base.add(number * self.slot_bytes) }
    }

    fn status_of(&self, ahead: usize) -> &AtomicU32 {
        // SAFETY: each slot begins with its 4-byte status, aligned because slots are; the kernel
        // reads and writes it at any time, so it is only ever reached as an atomic.
        unsafe { self.at(ahead).cast::<AtomicU32>().as_ref() }
    }

    /// The status of a slot that the kernel has filled; `None` while it is the kernel's.
    pub(super) fn filled(&self, ahead: usize) -> Option<u32> {
        if ahead >= self.slots {
            return None;
        }
        let status = self.status_of(ahead).load(Ordering::Acquire);
        (status & libc::TP_STATUS_USER != 0).then_some(status)
    }

    /// What stands in a filled slot behind its status word; nothing of one that is not filled.
    pub(super) fn body_mut(&mut self, ahead: usize) -> &mut [u8] {
        if self.filled(ahead).is_none() {
            return &mut [];
        }
        // SAFETY: the slot is ours until `release` gives it back (status was read with Acquire),
        // the range lies within it, and `&mut self` lets no second reference live.
        unsafe {
            let start = self.at(ahead).as_ptr().add(4);
            std::slice::from_raw_parts_mut(start, self.slot_bytes - 4)
        }
    }

    /// The same, to be read only, so that several can be held at once.
    pub(super) fn body(&self, ahead: usize) -> &[u8] {
        if self.filled(ahead).is_none() {
            return &[];
        }
        // SAFETY: as above; `&self` keeps `release` and `body_mut` away while it lives.
        unsafe {
            let start = self.at(ahead).as_ptr().add(4);
            std::slice::from_raw_parts(start, self.slot_bytes - 4)
        }
    }

    /// Gives the next `count` slots back to the kernel.
    pub(super) fn release(&mut self, count: usize) {
        for ahead in 0..count.min(self.slots) {
            self.status_of(ahead).store(libc::TP_STATUS_KERNEL, Ordering::Release);
        }
        self.next = (self.next + count) % self.slots;
    }
}

/// Sends frames (each with its offload header in front), in order; how many the kernel took, and
/// why not the next one. At most [`BATCH`] at once.
pub(super) fn send(socket: BorrowedFd<'_>, frames: &[&[u8]]) -> (usize, Option<io::Error>) {
    let frames = &frames[..frames.len().min(BATCH)];
    if frames.is_empty() {
        return (0, None);
    }
    // SAFETY: all-zero bytes are a valid iovec and a valid mmsghdr (null pointers, no lengths).
    let (mut parts, mut messages): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) =
        unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    for ((frame, part), message) in frames.iter().zip(&mut parts).zip(&mut messages) {
        part.iov_base = frame.as_ptr().cast_mut().cast();
        part.iov_len = frame.len();
        message.msg_hdr.msg_iov = part;
        message.msg_hdr.msg_iovlen = 1;
    }
    // SAFETY: the first `frames.len()` messages each point to one part, and that to the bytes of
    // a slice that outlives the call; sending only reads them.
    let done = unsafe {
        libc::sendmmsg(
            socket.as_raw_fd(),
            messages.as_mut_ptr(),
            frames.len() as libc::c_uint,
            libc::MSG_DONTWAIT,
        )
    };
    match usize::try_from(done) {
        Ok(done) => (done, None),
        Err(_) => (0, Some(io::Error::last_os_error())),
    }
}

/// Takes the oldest frame that was too long for a slot, offload header in front; its whole length.
pub(super) fn receive_long(socket: BorrowedFd<'_>, into: &mut [u8]) -> io::Result<usize> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
    // SAFETY: the kernel writes at most `into.len()` bytes into `into`.
    let got =
        unsafe { libc::recv(socket.as_raw_fd(), into.as_mut_ptr().cast(), into.len(), flags) };
    usize::try_from(got).map_err(|_| io::Error::last_os_error())
}

/// Waits until a frame arrives at either socket, an error stands there, or the time is over.
/// True where one of them has an error.
pub(super) fn wait(sockets: [BorrowedFd<'_>; 2], limit_ms: c_int) -> [bool; 2] {
    let mut waits = sockets.map(|socket| libc::pollfd {
        fd: socket.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    });
    // SAFETY: the kernel reads and writes the two entries of `waits`.
    unsafe { libc::poll(waits.as_mut_ptr(), 2, limit_ms) };
    waits.map(|wait| wait.revents & (libc::POLLERR | libc::POLLNVAL) != 0)
}

/// Nanoseconds of CLOCK_MONOTONIC and of CLOCK_REALTIME, read one after the other.
pub(super) fn clocks() -> (u64, u64) {
    (clock(libc::CLOCK_MONOTONIC), clock(libc::CLOCK_REALTIME))
}

fn clock(which: libc::clockid_t) -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec.
    unsafe { libc::clock_gettime(which, &raw mut now) };
    now.tv_sec.cast_unsigned().wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec.cast_unsigned())
}

/// The page in which the kernel's program looks for the beat.
#[derive(Debug)]
pub(super) struct Heartbeat(Mapping);

impl Heartbeat {
    /// Of an mmapable array map whose first value has 8 bytes.
    pub(super) fn new(map: &OwnedFd) -> io::Result<Heartbeat> {
        // An array's mapping is whole pages; its first value stands at its beginning.
        Mapping::new(map.as_raw_fd(), 4096).map(Heartbeat)
    }

    pub(super) fn beat(&self, now_ns: u64) {
        // SAFETY: the mapping is at least 8 bytes, aligned to a page, and lives as long as `self`;
        // the kernel reads it at any time, so it is only ever reached as an atomic.
        unsafe { self.0.base.cast::<AtomicU64>().as_ref() }.store(now_ns, Ordering::Release);
    }
}
