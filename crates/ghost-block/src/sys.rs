//! The few calls by which btrfs is asked about subvolumes, as functions of open descriptors.
//!
//! `unsafe` is needed because rustix has no types for them. Each structure is laid out as
//! `linux/btrfs.h` draws it, which the assertions beside it hold it to; the kernel copies from and
//! to these structures and keeps none of them.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::ioctl::{Getter, Opcode, Setter, Updater, ioctl, opcode};

const MAGIC: u8 = 0x94;
const NAME_V1: usize = 4088;
const NAME_V2: usize = 4040;
/// The flag of a subvolume, and of a snapshot that is made: nobody writes to it.
const READ_ONLY: u64 = 1 << 1;
const SEND_VERSION: u64 = 0x8;
const SEND_COMPRESSED: u64 = 0x10;
/// Of the item that says where a part of a file lies.
const EXTENT_DATA: u32 = 108;
/// Bytes of that item before data that stands in it.
const EXTENT_HEAD: usize = 21;
const EXTENT_BYTES: usize = 53;
const SEARCH_HEADER: usize = 32;
const SEARCH_BUFFER: usize = 64 << 10;
/// Asks how many deletions wait, and waits for none.
const SYNC_COUNT: u32 = 2;

#[repr(C)]
struct Name {
    fd: i64,
    name: [u8; NAME_V1],
}

#[repr(C)]
struct NameV2 {
    fd: i64,
    transid: u64,
    flags: u64,
    unused: [u64; 4],
    name: [u8; NAME_V2],
}

#[repr(C)]
struct SendArgs {
    fd: i64,
    sources: u64,
    source_list: u64,
    parent_root: u64,
    flags: u64,
    version: u32,
    reserved: [u8; 28],
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Time {
    s: u64,
    ns: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Info {
    id: u64,
    name: [u8; 256],
    parent_id: u64,
    folder: u64,
    generation: u64,
    flags: u64,
    uuid: [u8; 16],
    parent_uuid: [u8; 16],
    received_uuid: [u8; 16],
    transids: [u64; 4],
    times: [Time; 4],
    reserved: [u64; 8],
}

#[repr(C)]
struct SyncWait {
    id: u64,
    mode: u32,
    count: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Key {
    tree: u64,
    objectid_min: u64,
    objectid_max: u64,
    offset_min: u64,
    offset_max: u64,
    transid_min: u64,
    transid_max: u64,
    type_min: u32,
    type_max: u32,
    items: u32,
    unused: u32,
    reserved: [u64; 4],
}

/// What stands before the buffer; the call's number is made of its size alone.
#[repr(C)]
struct SearchHead {
    key: Key,
    bytes: u64,
}

#[repr(C)]
struct Search {
    head: SearchHead,
    buffer: [u8; SEARCH_BUFFER],
}

const _: () = assert!(size_of::<Name>() == 4096 && size_of::<NameV2>() == 4096);
const _: () = assert!(size_of::<SendArgs>() == 72 && size_of::<Info>() == 504);
const _: () = assert!(size_of::<SyncWait>() == 16 && size_of::<SearchHead>() == 112);
const _: () = assert!(size_of::<Search>() == size_of::<SearchHead>() + SEARCH_BUFFER);

const SUBVOL_CREATE: Opcode = opcode::write::<Name>(MAGIC, 14);
const SNAP_DESTROY: Opcode = opcode::write::<Name>(MAGIC, 15);
const TREE_SEARCH_V2: Opcode = opcode::read_write::<SearchHead>(MAGIC, 17);
const SNAP_CREATE_V2: Opcode = opcode::write::<NameV2>(MAGIC, 23);
const START_SYNC: Opcode = opcode::read::<u64>(MAGIC, 24);
const GETFLAGS: Opcode = opcode::read::<u64>(MAGIC, 25);
const SETFLAGS: Opcode = opcode::write::<u64>(MAGIC, 26);
const SEND: Opcode = opcode::write::<SendArgs>(MAGIC, 38);
const GET_SUBVOL_INFO: Opcode = opcode::read::<Info>(MAGIC, 60);
const SUBVOL_SYNC_WAIT: Opcode = opcode::write::<SyncWait>(MAGIC, 65);

/// What a subvolume is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SubvolumeInfo {
    /// In its file system.
    pub(crate) id: u64,
    pub(crate) uuid: [u8; 16],
    /// Of the subvolume that it was a snapshot of when it was made; zeros where it was none.
    pub(crate) parent_uuid: [u8; 16],
    /// Of the subvolume that it was received from; zeros where it was not.
    pub(crate) received_uuid: [u8; 16],
    /// Of the last change that it has seen.
    pub(crate) generation: u64,
    /// Of the last change of a file in it, and the one that its sender told.
    pub(crate) changed: u64,
    pub(crate) sent: u64,
}

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Extent {
    /// Where it lies; 0 where it stands in the tree itself.
    pub(crate) at: u64,
    /// What it takes on the disk, compressed as it is.
    pub(crate) disk_bytes: u64,
    /// The bytes of the file that it holds.
    pub(crate) file_bytes: u64,
}

fn named<const N: usize>(name: &str) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    // The last byte stays zero, and none before may be.
    if name.is_empty() || name.len() >= N || name.bytes().any(|b| b == 0 || b == b'/') {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in bytes.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    Ok(bytes)
}

/// Makes a subvolume in a folder.
pub(crate) fn create(folder: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    let args = Name { fd: 0, name: named(name)? };
    // SAFETY: BTRFS_IOC_SUBVOL_CREATE reads one btrfs_ioctl_vol_args, which `Name` is; the name
    // in it ends with a zero.
    unsafe { ioctl(folder, Setter::<SUBVOL_CREATE, Name>::new(args)) }?;
    Ok(())
}

/// Makes a snapshot in a folder; all that was written to the source is in it and durable.
pub(crate) fn snapshot(
    source: BorrowedFd<'_>,
    folder: BorrowedFd<'_>,
    name: &str,
    read_only: bool,
) -> io::Result<()> {
    let args = NameV2 {
        fd: i64::from(source.as_raw_fd()),
        transid: 0,
        flags: if read_only { READ_ONLY } else { 0 },
        unused: [0; 4],
        name: named(name)?,
    };
    // SAFETY: BTRFS_IOC_SNAP_CREATE_V2 reads one btrfs_ioctl_vol_args_v2, which `NameV2` is; `fd`
    // stays open during the call, and without the inherit flag no pointer is looked at.
    unsafe { ioctl(folder, Setter::<SNAP_CREATE_V2, NameV2>::new(args)) }?;
    Ok(())
}

/// Deletes a subvolume of a folder; its room comes later.
pub(crate) fn destroy(folder: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    let args = Name { fd: 0, name: named(name)? };
    // SAFETY: BTRFS_IOC_SNAP_DESTROY reads one btrfs_ioctl_vol_args, which `Name` is.
    unsafe { ioctl(folder, Setter::<SNAP_DESTROY, Name>::new(args)) }?;
    Ok(())
}

/// How many deleted subvolumes of the file system are not worked off yet. Since Linux 6.13.
pub(crate) fn deletions(folder: BorrowedFd<'_>) -> io::Result<u32> {
    let mut args = SyncWait { id: 0, mode: SYNC_COUNT, count: 0 };
    // SAFETY: BTRFS_IOC_SUBVOL_SYNC_WAIT reads and, asked for the count, writes one
    // btrfs_ioctl_subvol_wait, which `SyncWait` is. It is exclusively borrowed during the call.
    unsafe { ioctl(folder, Updater::<SUBVOL_SYNC_WAIT, SyncWait>::new(&mut args)) }?;
    Ok(args.count)
}

/// Lets the file system commit soon, after which it works off deletions; waits for neither.
pub(crate) fn start_sync(folder: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: BTRFS_IOC_START_SYNC writes one 64-bit number.
    unsafe { ioctl(folder, Getter::<START_SYNC, u64>::new()) }?;
    Ok(())
}

/// Whether nobody writes to a subvolume.
pub(crate) fn is_read_only(subvolume: BorrowedFd<'_>) -> io::Result<bool> {
    // SAFETY: BTRFS_IOC_SUBVOL_GETFLAGS writes one 64-bit number.
    let flags = unsafe { ioctl(subvolume, Getter::<GETFLAGS, u64>::new()) }?;
    Ok(flags & READ_ONLY != 0)
}

/// Lets a subvolume be written, or not any more.
pub(crate) fn set_read_only(subvolume: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    let flags = if on { READ_ONLY } else { 0 };
    // SAFETY: BTRFS_IOC_SUBVOL_SETFLAGS reads one 64-bit number.
    unsafe { ioctl(subvolume, Setter::<SETFLAGS, u64>::new(flags)) }?;
    Ok(())
}

/// What a subvolume is known by, from any descriptor in it.
pub(crate) fn info(subvolume: BorrowedFd<'_>) -> io::Result<SubvolumeInfo> {
    // SAFETY: BTRFS_IOC_GET_SUBVOL_INFO writes one whole btrfs_ioctl_get_subvol_info_args, which
    // `Info` is; every byte pattern is a valid one.
    let info = unsafe { ioctl(subvolume, Getter::<GET_SUBVOL_INFO, Info>::new()) }?;
    Ok(SubvolumeInfo {
        id: info.id,
        uuid: info.uuid,
        parent_uuid: info.parent_uuid,
        received_uuid: info.received_uuid,
        generation: info.generation,
        changed: info.transids[0],
        sent: info.transids[2],
    })
}

/// Writes a read-only subvolume to a pipe or file, as what is new since the subvolume `parent`.
pub(crate) fn send(
    subvolume: BorrowedFd<'_>,
    parent: Option<u64>,
    out: BorrowedFd<'_>,
    compressed: bool,
) -> io::Result<()> {
    let mut sources = [parent.unwrap_or(0)];
    let args = SendArgs {
        fd: i64::from(out.as_raw_fd()),
        sources: u64::from(parent.is_some()),
        source_list: sources.as_mut_ptr() as u64,
        parent_root: parent.unwrap_or(0),
        flags: if compressed { SEND_VERSION | SEND_COMPRESSED } else { 0 },
        version: if compressed { 2 } else { 0 },
        reserved: [0; 28],
    };
    // SAFETY: BTRFS_IOC_SEND reads one btrfs_ioctl_send_args, which `SendArgs` is, and as many
    // 64-bit numbers as `sources` says at `source_list`: at most the one of the array, which
    // outlives the call. `out` stays open during the call.
    unsafe { ioctl(subvolume, Setter::<SEND, SendArgs>::new(args)) }?;
    Ok(())
}

/// The parts of file number `inode` in the subvolume that `inside` lies in. Takes CAP_SYS_ADMIN.
pub(crate) fn extents(inside: BorrowedFd<'_>, inode: u64) -> io::Result<Vec<Extent>> {
    let mut search = Box::new(Search {
        head: SearchHead { key: Key::default(), bytes: SEARCH_BUFFER as u64 },
        buffer: [0; SEARCH_BUFFER],
    });
    let mut found = Vec::new();
    let mut from = 0;
    loop {
        search.head.key = Key {
            objectid_min: inode,
            objectid_max: inode,
            offset_min: from,
            offset_max: u64::MAX,
            transid_max: u64::MAX,
            type_min: EXTENT_DATA,
            type_max: EXTENT_DATA,
            items: u32::MAX,
            ..Key::default()
        };
        search.head.bytes = SEARCH_BUFFER as u64;
        // SAFETY: BTRFS_IOC_TREE_SEARCH_V2 reads one btrfs_ioctl_search_args_v2, whose fixed part
        // `SearchHead` is, and writes to it and to at most `bytes` bytes behind it, which are
        // `buffer`. It is exclusively borrowed during the call.
        unsafe { ioctl(inside, Updater::<TREE_SEARCH_V2, Search>::new(&mut search)) }?;
        if search.head.key.items == 0 {
            return Ok(found);
        }
        let mut rest: &[u8] = &search.buffer;
        for _ in 0..search.head.key.items {
            let Some((offset, item, after)) = take_item(rest) else { return Ok(found) };
            rest = after;
            found.extend(extent(item));
            let Some(next) = offset.checked_add(1) else { return Ok(found) };
            from = next;
        }
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + 8)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// One item's offset and bytes, and what follows it. Headers are in the machine's order, which on
/// every machine that this runs on is the disk's.
fn take_item(bytes: &[u8]) -> Option<(u64, &[u8], &[u8])> {
    let offset = number(bytes, 16)?;
    let len = usize::try_from(number(bytes, 24)? >> 32).ok()?;
    let item = bytes.get(SEARCH_HEADER..SEARCH_HEADER.checked_add(len)?)?;
    Some((offset, item, &bytes[SEARCH_HEADER + len..]))
}

/// Reads a `btrfs_file_extent_item`; holes and what is only reserved take nothing that is told.
fn extent(item: &[u8]) -> Option<Extent> {
    const INLINE: u8 = 0;
    let kind = *item.get(EXTENT_HEAD - 1)?;
    if kind == INLINE {
        let disk_bytes = (item.len() - EXTENT_HEAD) as u64;
        return Some(Extent { at: 0, disk_bytes, file_bytes: number(item, 8)? });
    }
    if item.len() < EXTENT_BYTES {
        return None;
    }
    let (at, disk_bytes) = (number(item, EXTENT_HEAD)?, number(item, EXTENT_HEAD + 8)?);
    let file_bytes = number(item, EXTENT_HEAD + 24)?;
    (at != 0).then_some(Extent { at, disk_bytes, file_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_are_read_as_extents_or_refused() {
        bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
            let _ = extent(bytes);
            let mut rest: &[u8] = bytes;
            while let Some((_, item, after)) = take_item(rest) {
                assert!(after.len() < rest.len());
                let _ = extent(item);
                rest = after;
            }
        });
    }

    #[test]
    fn a_name_with_a_path_in_it_is_none() {
        for bad in ["", "a/b", "a\0b", &"x".repeat(NAME_V2)] {
            assert!(named::<NAME_V2>(bad).is_err(), "{bad:?}");
        }
        assert!(named::<NAME_V2>(&"x".repeat(NAME_V2 - 1)).is_ok());
    }

    #[test]
    fn the_numbers_are_those_of_the_header() {
        // By linux/btrfs.h, on a machine with the usual encoding.
        assert_eq!(SUBVOL_CREATE, 0x5000_940e);
        assert_eq!(SNAP_DESTROY, 0x5000_940f);
        assert_eq!(TREE_SEARCH_V2, 0xc070_9411);
        assert_eq!(SNAP_CREATE_V2, 0x5000_9417);
        assert_eq!(START_SYNC, 0x8008_9418);
        assert_eq!(GETFLAGS, 0x8008_9419);
        assert_eq!(SETFLAGS, 0x4008_941a);
        assert_eq!(SEND, 0x4048_9426);
        assert_eq!(GET_SUBVOL_INFO, 0x81f8_943c);
        assert_eq!(SUBVOL_SYNC_WAIT, 0x4010_9441);
    }
}
