//! The socket's place: found by clients, made with its final rights before anybody can connect.
//!
//! The socket is 0660 and its group the configured one, where that exists; a folder that has to be
//! made for it is 0750 and of the same group. What lies at its path is removed only where it is a
//! socket at which nobody answers.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Mode, OFlags};

use super::server::ApiError;
use crate::DataDir;

/// Where the system's daemon keeps its data and its socket.
pub const SYSTEM_DATA: &str = "/var/lib/ghostbridge";
pub const SYSTEM_SOCKET: &str = "/run/ghostbridge/api.sock";

/// Longest path that fits into a socket's address.
const ADDRESS_BYTES_MAX: usize = 107;

const SOCKET_MODE: u32 = 0o660;
const FOLDER_MODE: u32 = 0o750;

/// The socket of a daemon that is told no other.
#[must_use]
pub fn socket_for(data: &DataDir) -> PathBuf {
    if data.root() == Path::new(SYSTEM_DATA) { SYSTEM_SOCKET.into() } else { link_for(data) }
}

/// Where clients that know the data folder look: the socket itself, or a link to it.
#[must_use]
pub fn link_for(data: &DataDir) -> PathBuf {
    data.root().join("state/api.sock")
}

/// A bound socket; dropped, its names are removed.
#[derive(Debug)]
pub(crate) struct Bound {
    path: PathBuf,
    link: Option<PathBuf>,
    /// Device and inode, to remove nobody else's.
    identity: (u64, u64),
}

/// Makes the socket at `path`, and `link` point to it.
pub(crate) fn bind(
    path: &Path,
    link: Option<&Path>,
    gid: Option<u32>,
) -> Result<(UnixListener, Bound), ApiError> {
    let shown = || path.display().to_string();
    let failed = |error| ApiError::Socket { path: shown(), error };
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_folder(folder, gid).map_err(failed)?;
    match fs::symlink_metadata(path) {
        Ok(there) if there.file_type().is_socket() => match connect(path) {
            Ok(_) => return Err(ApiError::InUse { path: shown() }),
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(e) => return Err(failed(e)),
        },
        Ok(there) if there.is_symlink() => {}
        Ok(_) => return Err(failed(io::Error::other("something that is no socket lies here"))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(failed(e)),
    }
    // Under another name until its rights are right: then nobody connects too early.
    let mut making = path.as_os_str().to_owned();
    making.push(format!(".{}", std::process::id()));
    let making = PathBuf::from(making);
    drop(fs::remove_file(&making));
    let listener = through_folder(&making, |at| UnixListener::bind(at)).map_err(failed)?;
    let named = settle(&making, gid)
        .and_then(|()| fs::rename(&making, path))
        .and_then(|()| fs::symlink_metadata(path));
    let identity = match named {
        Ok(metadata) => (metadata.dev(), metadata.ino()),
        Err(error) => {
            drop(fs::remove_file(&making));
            return Err(failed(error));
        }
    };
    let mut bound = Bound { path: path.to_owned(), link: None, identity };
    if let Some(link) = link.filter(|link| *link != path) {
        let told = |error| ApiError::Socket { path: link.display().to_string(), error };
        let target = std::path::absolute(path).map_err(told)?;
        make_link(&target, link).map_err(told)?;
        bound.link = Some(link.to_owned());
    }
    Ok((listener, bound))
}

fn settle(path: &Path, gid: Option<u32>) -> io::Result<()> {
    if let Some(gid) = gid {
        rustix::fs::chown(path, None, Some(Gid::from_raw(gid)))?;
    }
    fs::set_permissions(path, Permissions::from_mode(SOCKET_MODE))
}

/// Makes a folder that is not there, for owner and group; one that is there keeps its rights.
fn make_folder(folder: &Path, gid: Option<u32>) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
    if let Some(gid) = gid {
        rustix::fs::chown(folder, None, Some(Gid::from_raw(gid)))?;
    }
    fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE))
}

fn make_link(target: &Path, link: &Path) -> io::Result<()> {
    if let Some(folder) = link.parent() {
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
    }
    let mut making = link.as_os_str().to_owned();
    making.push(format!(".{}", std::process::id()));
    let making = PathBuf::from(making);
    drop(fs::remove_file(&making));
    symlink(target, &making)?;
    fs::rename(&making, link)
}

impl Drop for Bound {
    fn drop(&mut self) {
        let mine = |m: &fs::Metadata| (m.dev(), m.ino()) == self.identity;
        if fs::symlink_metadata(&self.path).is_ok_and(|m| mine(&m)) {
            drop(fs::remove_file(&self.path));
        } else {
            return;
        }
        if let Some(link) = &self.link
            && fs::read_link(link).is_ok_and(|to| to.ends_with(&self.path))
        {
            drop(fs::remove_file(link));
        }
    }
}

/// Connects to the socket at `path`, however long that is.
pub(crate) fn connect(path: &Path) -> io::Result<UnixStream> {
    through_folder(path, |at| UnixStream::connect(at))
}

/// Calls `with` with a path to `path` that fits into an address.
fn through_folder<T>(path: &Path, with: impl Fn(&Path) -> io::Result<T>) -> io::Result<T> {
    if path.as_os_str().len() <= ADDRESS_BYTES_MAX {
        return with(path);
    }
    // A link may point to a place that is shorter, or to one that is in another folder.
    if let Ok(target) = fs::read_link(path) {
        let folder = path.parent().unwrap_or(Path::new("."));
        return through_folder(&folder.join(target), with);
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder: OwnedFd = rustix::fs::open(folder, flags, Mode::empty())?;
    with(&Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name))
}

/// The number of a group, from `groups` as /etc/group writes them.
pub(crate) fn gid_of(groups: &str, name: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_socket_gets_its_rights_its_folder_and_its_link_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/api.sock");
        let link = dir.path().join("data/state/api.sock");
        let (_listener, bound) = bind(&path, Some(&link), None).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o660, 0o750));
        connect(&link).unwrap();
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        drop(bound);
        assert!(!path.exists() && fs::symlink_metadata(&link).is_err());
    }

    #[test]
    fn a_stale_socket_is_taken_over_and_a_living_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("api.sock");
        let (listener, bound) = bind(&path, None, None).unwrap();
        assert!(matches!(bind(&path, None, None), Err(ApiError::InUse { .. })));
        drop(listener);
        // As after SIGKILL: the name is still there.
        let (second, of_second) = bind(&path, None, None).unwrap();
        drop(bound);
        connect(&path).unwrap();
        drop((second, of_second));
        assert!(!path.exists());
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("api.sock");
        fs::write(&path, "mine").unwrap();
        assert!(matches!(bind(&path, None, None), Err(ApiError::Socket { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }

    #[test]
    fn a_path_longer_than_an_address_works_through_links_too() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a".repeat(90)).join("b".repeat(90));
        let path = deep.join("run/api.sock");
        let link = deep.join("state/api.sock");
        let (_listener, _bound) = bind(&path, Some(&link), None).unwrap();
        connect(&path).unwrap();
        connect(&link).unwrap();
    }

    #[test]
    fn a_groups_number_is_read_from_its_line() {
        let groups = "root:x:0:\nghost:x:7:\nghostbridge:x:998:ada,bob\nbroken\n";
        assert_eq!(gid_of(groups, "ghostbridge"), Some(998));
        assert_eq!(gid_of(groups, "bridge"), None);
        assert_eq!(gid_of(groups, "broken"), None);
    }
}
