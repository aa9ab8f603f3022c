//! Ways out of an interface: an AF_XDP socket in copy mode, a packet socket that sends many at once.
//! Also what makes a thread undisturbed.
//!
//! `unsafe` is needed because an AF_XDP socket's rings are memory shared with the kernel, and
//! because the standard library has none of these calls. It is sound because ring positions are
//! taken modulo the ring's size, because a chunk is written only after the kernel said that it is
//! done with the frame in it, and because mappings live as long as the value that owns them.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use libc::{c_int, c_void, socklen_t};

use super::frames::Frames;

/// The longest frame that goes by AF_XDP.
pub(super) const CHUNK_BYTES: usize = 2048;
/// Entries of the rings.
const RING: u32 = 4096;
/// As many as the rings hold together: a chunk is free again before its turn comes.
const CHUNKS: u64 = 8192;
/// Frames handed to the kernel in one call.
const BURST: u64 = 256;
const MESSAGES: usize = 64;
/// `XDP_MAX_TX_SKB_BUDGET` of Linux 6.17: frames that the kernel takes in one call.
const XDP_BUDGET: c_int = 9;

fn checked(done: c_int) -> io::Result<()> {
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn socket(family: c_int, kind: c_int) -> io::Result<OwnedFd> {
    // SAFETY: plain integers.
    let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, 0) };
    checked(fd)?;
    // SAFETY: the descriptor was just made and belongs to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn set<T>(socket: &OwnedFd, level: c_int, option: c_int, value: &T) -> io::Result<()> {
    let length = size_of::<T>() as socklen_t;
    // SAFETY: the kernel reads `length` bytes of `value`, which is that long; every T used here
    // is a plain structure of integers.
    checked(unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const *value).cast(), length)
    })
}

/// Shared memory; unmapped when dropped.
#[derive(Debug)]
struct Mapping {
    base: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the mapping belongs to this value alone and has no ties to the thread that made it.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Of a socket's ring, or of nothing but memory where there is no descriptor.
    fn new(fd: Option<RawFd>, bytes: usize, offset: i64) -> io::Result<Mapping> {
        let flags = libc::MAP_SHARED
            | libc::MAP_POPULATE
            | if fd.is_none() { libc::MAP_ANONYMOUS } else { 0 };
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let fd = fd.unwrap_or(-1);
        // SAFETY: a fresh mapping at an address of the kernel's choice.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, flags, fd, offset) };
        match NonNull::new(at.cast::<u8>()) {
            Some(base) if at != libc::MAP_FAILED => Ok(Mapping { base, bytes }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    fn position(&self, offset: u64) -> &AtomicU32 {
        // SAFETY: the kernel told this offset of a 4-byte counter within the mapping; the kernel
        // changes it at any time, so it is only ever reached as an atomic.
        unsafe { self.base.add(offset as usize).cast::<AtomicU32>().as_ref() }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly what was mapped, and nobody can hold a reference into it any more.
        unsafe { libc::munmap(self.base.as_ptr().cast::<c_void>(), self.bytes) };
    }
}

/// One of a socket's rings, and how far we are in it.
#[derive(Debug)]
struct Ring {
    mapping: Mapping,
    at: libc::xdp_ring_offset,
    next: u32,
}

impl Ring {
    fn new(
        socket: &OwnedFd,
        at: libc::xdp_ring_offset,
        entry: usize,
        page: i64,
    ) -> io::Result<Ring> {
        let bytes = at.desc as usize + RING as usize * entry;
        let mapping = Mapping::new(Some(socket.as_raw_fd()), bytes, page)?;
        Ok(Ring { mapping, at, next: 0 })
    }

    fn producer(&self) -> &AtomicU32 {
        self.mapping.position(self.at.producer)
    }

    fn consumer(&self) -> &AtomicU32 {
        self.mapping.position(self.at.consumer)
    }
}

/// An AF_XDP socket that only sends.
#[derive(Debug)]
pub(super) struct Xdp {
    // Before the socket: rings are unmapped, then it is closed, then the chunks go.
    send: Ring,
    done: Ring,
    socket: OwnedFd,
    chunks: Mapping,
    /// Frames handed over, and those of them that are gone.
    given: u64,
    gone: u64,
}

impl Xdp {
    pub(super) fn open(ifindex: u32) -> io::Result<Xdp> {
        let socket = socket(libc::AF_XDP, libc::SOCK_RAW)?;
        let chunks = Mapping::new(None, CHUNKS as usize * CHUNK_BYTES, 0)?;
        let memory = libc::xdp_umem_reg {
            addr: chunks.base.as_ptr() as u64,
            len: chunks.bytes as u64,
            chunk_size: CHUNK_BYTES as u32,
            headroom: 0,
            flags: 0,
            tx_metadata_len: 0,
        };
        set(&socket, libc::SOL_XDP, libc::XDP_UMEM_REG, &memory)?;
        for ring in [
            libc::XDP_UMEM_FILL_RING,
            libc::XDP_UMEM_COMPLETION_RING,
            libc::XDP_RX_RING,
            libc::XDP_TX_RING,
        ] {
            set(&socket, libc::SOL_XDP, ring, &RING)?;
        }
        // Kernels before 6.17 take 32 frames a call and know no other number.
        let _ = set(&socket, libc::SOL_XDP, XDP_BUDGET, &512i32);
        // SAFETY: all-zero bytes are a valid value of this plain structure.
        let mut offsets: libc::xdp_mmap_offsets = unsafe { std::mem::zeroed() };
        let mut length = size_of::<libc::xdp_mmap_offsets>() as socklen_t;
        // SAFETY: the kernel writes at most `length` bytes into `offsets`.
        checked(unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_XDP,
                libc::XDP_MMAP_OFFSETS,
                (&raw mut offsets).cast(),
                &raw mut length,
            )
        })?;
        let descriptor = size_of::<libc::xdp_desc>();
        let send = Ring::new(&socket, offsets.tx, descriptor, libc::XDP_PGOFF_TX_RING)?;
        let page = libc::XDP_UMEM_PGOFF_COMPLETION_RING.cast_signed();
        let done = Ring::new(&socket, offsets.cr, size_of::<u64>(), page)?;
        // SAFETY: all-zero bytes are a valid value of this plain structure.
        let mut address: libc::sockaddr_xdp = unsafe { std::mem::zeroed() };
        address.sxdp_family = libc::AF_XDP as u16;
        address.sxdp_flags = libc::XDP_COPY | libc::XDP_USE_NEED_WAKEUP;
        address.sxdp_ifindex = ifindex;
        let length = size_of::<libc::sockaddr_xdp>() as socklen_t;
        // A socket that was closed just now gives the queue back a little later.
        for attempt in 0.. {
            // SAFETY: `address` is a sockaddr_xdp of `length` bytes that outlives the call.
            let bound = checked(unsafe {
                libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length)
            });
            match bound {
                Ok(()) => break,
                Err(e) if e.raw_os_error() == Some(libc::EBUSY) && attempt < 100 => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(e) => return Err(e),
            }
        }
        Ok(Xdp { send, done, socket, chunks, given: 0, gone: 0 })
    }

    pub(super) fn send(&mut self, frames: &mut Frames, most: u64) -> io::Result<u64> {
        self.take_done();
        let under_way = self.given - self.gone;
        let taken = self.send.consumer().load(Ordering::Acquire);
        let room = u64::from(RING - self.send.next.wrapping_sub(taken));
        let count = room.min(CHUNKS - under_way.min(CHUNKS)).min(BURST).min(most);
        for _ in 0..count {
            let chunk = self.given % CHUNKS;
            let start = chunk * CHUNK_BYTES as u64;
            // SAFETY: the chunk lies within the mapping, and no frame of it is under way: at most
            // CHUNKS are, and they are given and done in order.
            let into = unsafe {
                let at = self.chunks.base.as_ptr().add(start as usize);
                std::slice::from_raw_parts_mut(at, CHUNK_BYTES)
            };
            let length = frames.write_next(into, self.given >= CHUNKS);
            let entry = (self.send.next & (RING - 1)) as usize;
            let descriptor = libc::xdp_desc { addr: start, len: length as u32, options: 0 };
            // SAFETY: entry < RING, the ring has RING descriptors behind `desc`, and the kernel has
            // taken what stood at this place (there was room).
            unsafe {
                let first = self.send.mapping.base.add(self.send.at.desc as usize);
                first.cast::<libc::xdp_desc>().add(entry).write(descriptor);
            }
            self.send.next = self.send.next.wrapping_add(1);
            self.given += 1;
        }
        self.send.producer().store(self.send.next, Ordering::Release);
        self.kick();
        Ok(count)
    }

    fn kick(&self) {
        let (null, fd) = (std::ptr::null(), self.socket.as_raw_fd());
        // SAFETY: an empty message without an address: the call only makes the kernel look.
        // It fails where the kernel is busy, and then the next call does its work.
        unsafe { libc::sendto(fd, null, 0, libc::MSG_DONTWAIT, null.cast(), 0) };
    }

    /// Takes back the chunks whose frames are gone.
    fn take_done(&mut self) {
        let done = self.done.producer().load(Ordering::Acquire);
        self.gone += u64::from(done.wrapping_sub(self.done.next));
        self.done.next = done;
        self.done.consumer().store(done, Ordering::Release);
    }

    pub(super) fn drain(&mut self) {
        for _ in 0..1000 {
            self.take_done();
            if self.gone == self.given {
                break;
            }
            self.kick();
            std::thread::sleep(Duration::from_micros(100));
        }
    }
}

/// A packet socket, past the queueing discipline.
#[derive(Debug)]
pub(super) struct Packets {
    socket: OwnedFd,
    buffers: Vec<Vec<u8>>,
    /// Every buffer holds a frame of the row.
    fresh: bool,
}

impl Packets {
    pub(super) fn open(ifindex: u32, longest: usize) -> io::Result<Packets> {
        let socket = crate::sys::packet_socket(ifindex)?;
        set(&socket, libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, &1i32)?;
        set(&socket, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, &(8i32 << 20))?;
        Ok(Packets { socket, buffers: vec![vec![0; longest]; MESSAGES], fresh: false })
    }

    pub(super) fn send(&mut self, frames: &mut Frames, most: u64) -> io::Result<u64> {
        let count = most.min(MESSAGES as u64) as usize;
        // SAFETY: all-zero bytes are a valid iovec and a valid mmsghdr.
        let (mut parts, mut messages): ([libc::iovec; MESSAGES], [libc::mmsghdr; MESSAGES]) =
            unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
        let rows = self.buffers.iter_mut().zip(&mut parts).zip(&mut messages);
        for ((buffer, part), message) in rows.take(count) {
            part.iov_len = frames.write_next(buffer, self.fresh);
            part.iov_base = buffer.as_mut_ptr().cast();
            message.msg_hdr.msg_iov = part;
            message.msg_hdr.msg_iovlen = 1;
        }
        self.fresh |= count == MESSAGES;
        let mut sent = 0;
        for _ in 0..64 {
            let left = count - sent;
            // SAFETY: each of these messages points to one part, and that to a buffer at least as
            // long as it says; sending only reads them.
            let done = unsafe {
                let first = messages.as_mut_ptr().add(sent);
                libc::sendmmsg(self.socket.as_raw_fd(), first, left as u32, 0)
            };
            match usize::try_from(done) {
                Ok(done) => sent += done,
                Err(_) => match io::Error::last_os_error() {
                    e if matches!(e.raw_os_error(), Some(libc::EAGAIN | libc::ENOBUFS)) => {
                        std::thread::yield_now();
                    }
                    e => return Err(e),
                },
            }
            if sent == count {
                break;
            }
        }
        Ok(sent as u64)
    }
}

/// Binds the calling thread to one processor.
pub(super) fn bind_to(cpu: usize) -> io::Result<()> {
    // SAFETY: all-zero bytes are an empty set; CPU_SET ignores what does not fit.
    let set = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        set
    };
    // SAFETY: the kernel reads one set of the length told.
    checked(unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) })
}

/// Puts the calling thread before every ordinary one; the kernel ends the process where such a
/// thread runs for `limit` without a pause.
pub(super) fn real_time(priority: u8, limit: Duration) -> io::Result<()> {
    let mut watchdog = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one rlimit.
    checked(unsafe { libc::getrlimit(libc::RLIMIT_RTTIME, &raw mut watchdog) })?;
    // The upper limit stays: whoever lowered it may not raise it again, nor may its children.
    watchdog.rlim_cur = (limit.as_micros() as u64).min(watchdog.rlim_max);
    // SAFETY: the kernel reads one rlimit.
    checked(unsafe { libc::setrlimit(libc::RLIMIT_RTTIME, &raw const watchdog) })?;
    let wanted = libc::sched_param { sched_priority: c_int::from(priority) };
    // SAFETY: the kernel reads one sched_param; 0 is the calling thread.
    checked(unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const wanted) })
}
