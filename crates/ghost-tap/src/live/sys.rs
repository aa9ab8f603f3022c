//! The kernel's side of a tap in system calls: `bpf()` by number, and memory mapped from its maps.
//!
//! `unsafe` is needed because aya attaches by an interface's name and tells nothing of the links
//! that are there, and because maps are read through shared memory. It is sound because every
//! attribute handed to `bpf()` is one zeroed buffer of a size that the kernel accepts, whose
//! pointers are to buffers that outlive the call, and because a mapping is as long as its value
//! lives and is read within its bounds only.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::mm::{MapFlags, ProtFlags};

use super::Direction;

const MAP_UPDATE: u32 = 2;
const MAP_DELETE: u32 = 3;
const OBJ_PIN: u32 = 6;
const OBJ_GET: u32 = 7;
const PROG_GET_FD_BY_ID: u32 = 13;
const OBJ_GET_INFO: u32 = 15;
const PROG_QUERY: u32 = 16;
const LINK_CREATE: u32 = 28;
const LINK_GET_FD_BY_ID: u32 = 30;
const LINK_DETACH: u32 = 34;

const TCX_INGRESS: u32 = 46;
const TCX_EGRESS: u32 = 47;
const FLAG_BEFORE: u32 = 1 << 3;
const LINK_TYPE_TCX: u32 = 11;
/// Programs of one chain that are looked at; the kernel itself allows 64.
const CHAIN_MAX: usize = 64;

/// One attribute of `bpf()`: the kernel's union is smaller, and what is beyond must be zero.
#[repr(C, align(8))]
struct Attribute([u8; 128]);

impl Attribute {
    fn new() -> Self {
        Self([0; 128])
    }

    fn word(mut self, at: usize, value: u32) -> Self {
        self.0[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        self
    }

    fn long(mut self, at: usize, value: u64) -> Self {
        self.0[at..at + 8].copy_from_slice(&value.to_ne_bytes());
        self
    }

    fn read_word(&self, at: usize) -> u32 {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.0[at..at + 4]);
        u32::from_ne_bytes(bytes)
    }
}

/// # Safety
/// Pointers within `attribute` are to memory that the command may read or write as it does.
unsafe fn bpf(command: u32, attribute: &mut Attribute) -> io::Result<i32> {
    // SAFETY: the buffer is of the size told; the caller vouches for what it points to.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command as libc::c_ulong,
            attribute.0.as_mut_ptr(),
            attribute.0.len() as libc::c_ulong,
        )
    };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer as i32) }
}

fn owned(fd: i32) -> OwnedFd {
    // SAFETY: only called with a descriptor that bpf() has just made.
    unsafe { OwnedFd::from_raw_fd(fd as RawFd) }
}

fn attach_type(direction: Direction) -> u32 {
    match direction {
        Direction::Ingress => TCX_INGRESS,
        Direction::Egress => TCX_EGRESS,
    }
}

/// Attaches a program to an interface of this network namespace, before all others.
pub(super) fn link_create(
    program: BorrowedFd<'_>,
    ifindex: u32,
    direction: Direction,
) -> io::Result<OwnedFd> {
    let mut attribute = Attribute::new()
        .word(0, program.as_raw_fd() as u32)
        .word(4, ifindex)
        .word(8, attach_type(direction))
        .word(12, FLAG_BEFORE);
    // SAFETY: the attribute holds no pointer.
    unsafe { bpf(LINK_CREATE, &mut attribute) }.map(owned)
}

/// Takes a program off its interface, whoever holds the link.
pub(super) fn link_detach(link: BorrowedFd<'_>) -> io::Result<()> {
    let mut attribute = Attribute::new().word(0, link.as_raw_fd() as u32);
    // SAFETY: the attribute holds no pointer.
    unsafe { bpf(LINK_DETACH, &mut attribute) }.map(drop)
}

/// Takes CAP_SYS_ADMIN.
pub(super) fn link_by_id(id: u32) -> io::Result<OwnedFd> {
    let mut attribute = Attribute::new().word(0, id);
    // SAFETY: the attribute holds no pointer.
    unsafe { bpf(LINK_GET_FD_BY_ID, &mut attribute) }.map(owned)
}

/// What a link is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LinkInfo {
    pub(super) program: u32,
    /// 0: the interface is gone.
    pub(super) ifindex: u32,
}

pub(super) fn link_info(link: BorrowedFd<'_>) -> io::Result<LinkInfo> {
    let info = object_info(link)?;
    if info.read_word(0) != LINK_TYPE_TCX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(LinkInfo { program: info.read_word(8), ifindex: info.read_word(16) })
}

/// The name of a program, by its id. Takes CAP_SYS_ADMIN.
pub(super) fn program_name(id: u32) -> io::Result<String> {
    let mut attribute = Attribute::new().word(0, id);
    // SAFETY: the attribute holds no pointer.
    let program = owned(unsafe { bpf(PROG_GET_FD_BY_ID, &mut attribute) }?);
    let info = object_info(program.as_fd())?;
    let name = &info.0[64..80];
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
    Ok(name[..end].iter().map(|&byte| char::from(byte)).collect())
}

fn object_info(object: BorrowedFd<'_>) -> io::Result<Attribute> {
    let mut info = Attribute::new();
    let mut attribute = Attribute::new()
        .word(0, object.as_raw_fd() as u32)
        .word(4, info.0.len() as u32)
        .long(8, info.0.as_mut_ptr() as u64);
    // SAFETY: the one pointer is to `info`, of the length told; its own pointers are zero, so that
    // the kernel writes nothing behind them.
    unsafe { bpf(OBJ_GET_INFO, &mut attribute) }?;
    Ok(info)
}

/// The programs of an interface and a direction, first to last, with their links (0: none).
pub(super) fn chain(ifindex: u32, direction: Direction) -> io::Result<Vec<(u32, u32)>> {
    let (mut programs, mut links) = ([0u32; CHAIN_MAX], [0u32; CHAIN_MAX]);
    let mut attribute = Attribute::new()
        .word(0, ifindex)
        .word(4, attach_type(direction))
        .long(16, programs.as_mut_ptr() as u64)
        .word(24, CHAIN_MAX as u32)
        .long(40, links.as_mut_ptr() as u64);
    // SAFETY: both pointers are to arrays of as many words as is told.
    match unsafe { bpf(PROG_QUERY, &mut attribute) } {
        Ok(_) => {}
        // Nothing was ever attached there.
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    }
    let count = (attribute.read_word(24) as usize).min(CHAIN_MAX);
    Ok(programs.into_iter().zip(links).take(count).collect())
}

pub(super) fn pin(object: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attribute =
        Attribute::new().long(0, path.as_ptr() as u64).word(8, object.as_raw_fd() as u32);
    // SAFETY: the pointer is to a string that ends in zero.
    unsafe { bpf(OBJ_PIN, &mut attribute) }.map(drop)
}

pub(super) fn from_pin(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attribute = Attribute::new().long(0, path.as_ptr() as u64);
    // SAFETY: the pointer is to a string that ends in zero.
    unsafe { bpf(OBJ_GET, &mut attribute) }.map(owned)
}

/// Sets one value of a map whose keys are words; `value` is as long as the map's values.
pub(super) fn map_update(map: BorrowedFd<'_>, key: u32, value: &[u8]) -> io::Result<()> {
    let mut attribute = Attribute::new()
        .word(0, map.as_raw_fd() as u32)
        .long(8, (&raw const key) as u64)
        .long(16, value.as_ptr() as u64);
    let wanted = object_info(map)?;
    if (wanted.read_word(8), wanted.read_word(12)) != (4, value.len() as u32) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: key and value are as long as the map's, which was asked above.
    unsafe { bpf(MAP_UPDATE, &mut attribute) }.map(drop)
}

/// Forgets one entry of a hash map whose keys are words.
pub(super) fn map_delete(map: BorrowedFd<'_>, key: u32) -> io::Result<()> {
    let mut attribute =
        Attribute::new().word(0, map.as_raw_fd() as u32).long(8, (&raw const key) as u64);
    if object_info(map)?.read_word(8) != 4 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the key is as long as the map's, which was asked above.
    unsafe { bpf(MAP_DELETE, &mut attribute) }.map(drop)
}

/// The indexes of this namespace's interfaces.
pub(super) fn interfaces() -> io::Result<Vec<u32>> {
    // SAFETY: the list is freed below, and read only up to its end, an entry of index 0.
    let list = unsafe { libc::if_nameindex() };
    if list.is_null() {
        return Err(io::Error::last_os_error());
    }
    let mut found = Vec::new();
    let mut entry = list;
    // SAFETY: as above.
    unsafe {
        while (*entry).if_index != 0 {
            found.push((*entry).if_index);
            entry = entry.add(1);
        }
        libc::if_freenameindex(list);
    }
    Ok(found)
}

/// Memory shared with a map of the kernel.
#[derive(Debug)]
pub(super) struct Mapping {
    at: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the memory belongs to no thread; what changes under a reader is read as atomics only.
unsafe impl Send for Mapping {}
// SAFETY: as above; a shared reference gives atomics and bytes that nobody writes.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// The first `bytes` of a mmapable map, rounded up to pages. Longer than the map is an error.
    pub(super) fn new(map: BorrowedFd<'_>, bytes: usize, writable: bool) -> io::Result<Self> {
        let bytes = bytes.next_multiple_of(rustix::param::page_size());
        let protect = if writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        // SAFETY: a new mapping at a place of the kernel's choice.
        let at = unsafe {
            rustix::mm::mmap(std::ptr::null_mut(), bytes, protect, MapFlags::SHARED, map, 0)
        }?;
        let at = NonNull::new(at.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { at, bytes })
    }

    /// Private memory of the same kind, for tests and benchmarks.
    pub(super) fn anonymous(bytes: usize) -> io::Result<Self> {
        let bytes = bytes.next_multiple_of(rustix::param::page_size());
        let protect = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at a place of the kernel's choice.
        let at = unsafe {
            rustix::mm::mmap_anonymous(std::ptr::null_mut(), bytes, protect, MapFlags::PRIVATE)
        }?;
        let at = NonNull::new(at.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { at, bytes })
    }

    fn long(&self, at: usize) -> Option<&AtomicU64> {
        let inside = at.is_multiple_of(8) && at.checked_add(8)? <= self.bytes;
        // SAFETY: inside the mapping and aligned, since the mapping begins at a page; shared
        // writers are the kernel's programs, whose stores of words are atomic.
        inside.then(|| unsafe { AtomicU64::from_ptr(self.at.as_ptr().add(at).cast()) })
    }

    /// A word that others write, with all they wrote before it; 0 outside.
    pub(super) fn load(&self, at: usize) -> u64 {
        self.long(at).map_or(0, |word| word.load(Ordering::Acquire))
    }

    /// Tells others a word, after all that was read before it. The mapping must be writable.
    pub(super) fn store(&self, at: usize, value: u64) {
        if let Some(word) = self.long(at) {
            word.store(value, Ordering::Release);
        }
    }

    /// Bytes that nobody writes while they are looked at: those between a ring's tail and head,
    /// which its writer leaves alone until the tail has moved.
    pub(super) fn stable(&self, at: usize, bytes: usize) -> Option<&[u8]> {
        let inside = at.checked_add(bytes)? <= self.bytes;
        // SAFETY: inside the mapping; see above for who writes when. A program that broke that
        // rule could change bytes under us; they are plain integers, checked after they are read.
        inside.then(|| unsafe { std::slice::from_raw_parts(self.at.as_ptr().add(at), bytes) })
    }

    /// Writes as the kernel's side would, for tests and benchmarks on anonymous memory.
    pub(super) fn fill(&mut self, at: usize, bytes: &[u8]) {
        if at.checked_add(bytes.len()).is_some_and(|end| end <= self.bytes) {
            // SAFETY: inside the mapping, which nobody else looks at while it is borrowed mutably.
            unsafe {
                let to = self.at.as_ptr().add(at);
                std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
            }
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this very mapping, of which no reference is left.
        let _ = unsafe { rustix::mm::munmap(self.at.as_ptr().cast(), self.bytes) };
    }
}
