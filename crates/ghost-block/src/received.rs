//! Subvolumes that came from elsewhere: what they are known by, for whoever received them.
//!
//! Asked of the kernel, by anybody who may enter the folder; no capability is needed.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use crate::sys;
use crate::tree::Tree;

/// What the kernel says of a subvolume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subvolume {
    pub uuid: [u8; 16],
    /// Of the subvolume that it was made a snapshot of; zeros where it was none.
    pub parent_uuid: [u8; 16],
    /// Of the subvolume that it was sent from; zeros where it was not received to its end.
    pub received_uuid: [u8; 16],
    /// The transaction that changed a file in it last.
    pub changed: u64,
    /// The transaction of its sender, as the stream told it.
    pub sent: u64,
    pub read_only: bool,
}

/// What lies at `path`; none where that is no subvolume.
pub fn subvolume(path: &Path) -> io::Result<Option<Subvolume>> {
    let tree = Tree::open(path)?;
    if !tree.is_subvolume() {
        return Ok(None);
    }
    let info = sys::info(tree.as_fd())?;
    Ok(Some(Subvolume {
        uuid: info.uuid,
        parent_uuid: info.parent_uuid,
        received_uuid: info.received_uuid,
        changed: info.changed,
        sent: info.sent,
        read_only: sys::is_read_only(tree.as_fd())?,
    }))
}

/// Whether a folder lies on btrfs.
#[must_use]
pub fn on_btrfs(path: &Path) -> bool {
    Tree::open(path).is_ok_and(|tree| tree.is_btrfs())
}
