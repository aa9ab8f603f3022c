//! Files copied from one folder to another, by reference where the file system can.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};

use crate::tree::Tree;

/// Whether a copy shares its bytes with what it was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Copied {
    Shared,
    Apart,
}

/// Copies a file to a new name; not synced by that.
pub(crate) fn file(from: &Tree, name: &str, to: &Tree) -> io::Result<Copied> {
    let source = from.at(name, OFlags::RDONLY)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let copy = rustix::fs::openat(to, name, flags, Mode::from_raw_mode(0o640))?;
    bytes(source, copy)
}

fn bytes(source: OwnedFd, copy: OwnedFd) -> io::Result<Copied> {
    if rustix::fs::ioctl_ficlone(&copy, &source).is_ok() {
        return Ok(Copied::Shared);
    }
    io::copy(&mut File::from(source), &mut File::from(copy))?;
    Ok(Copied::Apart)
}

/// Copies all files and folders of a folder into another, which is empty.
pub(crate) fn tree(from: &Tree, to: &Tree) -> io::Result<()> {
    for (name, is_folder) in from.entries()? {
        if is_folder {
            tree(&from.folder(&name)?, &to.make(&name)?)?;
        } else {
            file(from, &name, to)?;
        }
    }
    Ok(())
}
