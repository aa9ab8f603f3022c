//! File systems of a test's own: an image in a file, mounted through a loop device.
//!
//! Each has its own image and its own mount point in the temporary folder. Both are gone when the
//! value is dropped; what a killed run left behind is unmounted and removed by the next one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Once, OnceLock};
use std::time::Duration;

use crate::{LabError, command, leftovers, needs, until};

/// The programs that [`LoopFs`] drives.
pub const LOOP_TOOLS: &[&str] = &["mkfs.btrfs", "mkfs.ext4", "mount", "umount"];

/// btrfs makes nothing smaller than about 109 MiB.
const BTRFS_BYTES_MIN: u64 = 128 << 20;

/// A mounted file system. Dropping it unmounts it, and removes image and mount point where they
/// were made here.
#[derive(Debug)]
pub struct LoopFs {
    folder: PathBuf,
    mount: PathBuf,
    image: PathBuf,
    mounted: bool,
}

impl LoopFs {
    /// A btrfs of `bytes` (at least 128 MiB), mounted with `options`
    /// (`compress=zstd:3,noatime`; may be empty).
    ///
    /// # Errors
    ///
    /// What `mkfs.btrfs` or `mount` says; see [`LoopFs::skipped`].
    pub fn btrfs(bytes: u64, options: &str) -> Result<LoopFs, LabError> {
        LoopFs::made(None, "btrfs", &["mkfs.btrfs", "-q"], bytes.max(BTRFS_BYTES_MIN), options)
    }

    /// As [`btrfs`](Self::btrfs), with the image in `folder`: on a file system of the test's own,
    /// where it may be copied by reflink while it is written.
    ///
    /// # Errors
    ///
    /// As [`btrfs`](Self::btrfs).
    pub fn btrfs_in(folder: &Path, bytes: u64, options: &str) -> Result<LoopFs, LabError> {
        let bytes = bytes.max(BTRFS_BYTES_MIN);
        LoopFs::made(Some(folder), "btrfs", &["mkfs.btrfs", "-q"], bytes, options)
    }

    /// An ext4 of `bytes`.
    ///
    /// # Errors
    ///
    /// What `mkfs.ext4` or `mount` says.
    pub fn ext4(bytes: u64) -> Result<LoopFs, LabError> {
        LoopFs::made(None, "ext4", &["mkfs.ext4", "-q", "-F", "-m", "0"], bytes, "")
    }

    /// As [`ext4`](Self::ext4), with the image in `folder`.
    ///
    /// # Errors
    ///
    /// As [`ext4`](Self::ext4).
    pub fn ext4_in(folder: &Path, bytes: u64) -> Result<LoopFs, LabError> {
        LoopFs::made(Some(folder), "ext4", &["mkfs.ext4", "-q", "-F", "-m", "0"], bytes, "")
    }

    /// Mounts an image that is there; the image stays when this is dropped.
    ///
    /// # Errors
    ///
    /// What `mount` says.
    pub fn of_image(image: &Path, options: &str) -> Result<LoopFs, LabError> {
        let folder = new_folder()?;
        let mut fs =
            LoopFs { mount: folder.join("fs"), image: image.to_owned(), folder, mounted: false };
        fs.mount(options)?;
        Ok(fs)
    }

    fn made(
        image_in: Option<&Path>,
        kind: &str,
        mkfs: &[&str],
        bytes: u64,
        options: &str,
    ) -> Result<LoopFs, LabError> {
        let folder = new_folder()?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let image = match image_in {
            None => folder.join(kind),
            Some(other) => other.join(format!("{name}.{kind}")),
        };
        let mut fs = LoopFs { mount: folder.join("fs"), image, folder, mounted: false };
        let file = fs::File::create_new(&fs.image).map_err(LabError::io("make an image"))?;
        file.set_len(bytes).map_err(LabError::io("make an image"))?;
        drop(file);
        let image = fs.image.to_string_lossy().into_owned();
        let mut argv = mkfs.to_vec();
        argv.push(&image);
        command::run(None, &argv)?;
        fs.mount(options)?;
        Ok(fs)
    }

    /// Mounts it again after [`unmount`](Self::unmount), or for the first time.
    ///
    /// # Errors
    ///
    /// What `mount` says.
    pub fn mount(&mut self, options: &str) -> Result<(), LabError> {
        if self.mounted {
            return Ok(());
        }
        fs::create_dir_all(&self.mount).map_err(LabError::io("make a mount point"))?;
        let options =
            if options.is_empty() { "loop".to_owned() } else { format!("loop,{options}") };
        let (image, mount) = (self.image.to_string_lossy(), self.mount.to_string_lossy());
        command::run(None, &["mount", "-o", &options, &image, &mount])?;
        self.mounted = true;
        Ok(())
    }

    /// Unmounts it; image and mount point stay.
    ///
    /// # Errors
    ///
    /// What `umount` says, when something keeps it busy for seconds.
    pub fn unmount(&mut self) -> Result<(), LabError> {
        if self.mounted {
            let path = self.mount.to_string_lossy().into_owned();
            until("an unmount", Duration::from_secs(5), || {
                command::run(None, &["umount", &path]).is_ok()
            })?;
            self.mounted = false;
        }
        Ok(())
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.mount
    }

    /// The file that holds it.
    #[must_use]
    pub fn image(&self) -> &Path {
        &self.image
    }

    /// True when a test must be left out, loudly, as [`skipped`](crate::skipped) does; `tools` are
    /// programs beyond [`LOOP_TOOLS`]. In CI as root that is a failure.
    ///
    /// # Panics
    ///
    /// When `CI` is set, this is root, and something is missing.
    #[must_use]
    pub fn skipped(tools: &[&str]) -> bool {
        needs::left_out(LoopFs::missing_needs(tools))
    }

    /// Why no file system can be mounted here, or `None`.
    #[must_use]
    pub fn missing_needs(tools: &[&str]) -> Option<String> {
        if !rustix::process::geteuid().is_root() {
            return Some("needs root (loop mounts)".into());
        }
        let mut missing = LOOP_TOOLS.iter().chain(tools).filter(|tool| needs::find(tool).is_none());
        if let Some(first) = missing.next() {
            let all = missing.fold((*first).to_owned(), |all, tool| format!("{all}, {tool}"));
            return Some(format!("not installed: {all}"));
        }
        static TRIED: OnceLock<Option<String>> = OnceLock::new();
        let tried = TRIED.get_or_init(|| LoopFs::btrfs(0, "").err().map(|why| why.to_string()));
        tried.as_ref().map(|why| format!("no loop mounts here: {why}"))
    }
}

impl Drop for LoopFs {
    fn drop(&mut self) {
        if self.unmount().is_err() {
            unmount_below(&self.folder);
        }
        let _ = fs::remove_dir_all(&self.folder);
        if !self.image.starts_with(&self.folder) && self.is_of_this_run() {
            let _ = fs::remove_file(&self.image);
        }
    }
}

impl LoopFs {
    /// Whether the image is named after this run, and so was made here.
    fn is_of_this_run(&self) -> bool {
        let name = self.image.file_name().unwrap_or_default();
        name.to_string_lossy().starts_with(leftovers::own_prefix())
    }
}

/// Makes a btrfs subvolume writable, or read-only again, by the raw call that root of a replica has:
/// it keeps the UUID by which `btrfs receive` finds what to build upon.
///
/// # Errors
///
/// What the kernel says.
pub fn set_read_only(subvolume: &Path, on: bool) -> Result<(), LabError> {
    let what = || format!("the flag of {}", subvolume.display());
    let folder = fs::File::open(subvolume).map_err(LabError::io(what()))?;
    crate::sys::set_read_only(&folder, on).map_err(LabError::io(what()))
}

fn new_folder() -> Result<PathBuf, LabError> {
    static CLEAN: Once = Once::new();
    static COUNT: AtomicU32 = AtomicU32::new(0);
    CLEAN.call_once(|| {
        leftovers::remove_leftovers();
    });
    let folder = leftovers::folder("loop", COUNT.fetch_add(1, Ordering::Relaxed));
    fs::create_dir(&folder).map_err(LabError::io("make a folder for a file system"))?;
    Ok(folder)
}

/// Detaches what a file system of a dead run, or a busy one of this, has mounted in its folder.
pub(crate) fn unmount_below(folder: &Path) {
    let mount = folder.join("fs");
    if is_mount_point(&mount) {
        let _ = command::run(None, &["umount", "--lazy", &mount.to_string_lossy()]);
    }
}

fn is_mount_point(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let device = |path: &Path| fs::symlink_metadata(path).ok().map(|found| found.dev());
    let (Some(here), Some(above)) = (device(path), path.parent().and_then(device)) else {
        return false;
    };
    here != above
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loop_a_read_only_subvolume_is_written_by_the_raw_call_and_keeps_its_name() {
        if LoopFs::skipped(&["btrfs"]) {
            return;
        }
        let btrfs = LoopFs::btrfs(0, "").unwrap();
        let subvolume = btrfs.path().join("s");
        let shown = subvolume.to_string_lossy().into_owned();
        command::run(None, &["btrfs", "-q", "subvolume", "create", &shown]).unwrap();
        set_read_only(&subvolume, true).unwrap();
        assert!(fs::write(subvolume.join("f"), "x").is_err());
        set_read_only(&subvolume, false).unwrap();
        fs::write(subvolume.join("f"), "x").unwrap();
        assert!(set_read_only(btrfs.image(), true).is_err());
    }

    #[test]
    fn loop_what_was_made_is_gone_when_dropped() {
        if LoopFs::skipped(&[]) {
            return;
        }
        let mut btrfs = LoopFs::btrfs(0, "compress=zstd:3,noatime").unwrap();
        let ext4 = LoopFs::ext4(16 << 20).unwrap();
        let inner = LoopFs::btrfs_in(btrfs.path(), 0, "").unwrap();
        for fs in [&btrfs, &ext4, &inner] {
            fs::write(fs.path().join("f"), "x").unwrap();
        }
        let (folder, image) = (inner.folder.clone(), inner.image.clone());
        drop(inner);
        assert!(!folder.exists() && !image.exists());
        btrfs.unmount().unwrap();
        assert!(!btrfs.path().join("f").exists());
        let copy = btrfs.folder.join("copy");
        fs::copy(btrfs.image(), &copy).unwrap();
        let again = LoopFs::of_image(&copy, "").unwrap();
        assert_eq!(fs::read(again.path().join("f")).unwrap(), b"x");
        drop(again);
        assert!(copy.exists(), "an image that was there stays");
        let folder = btrfs.folder.clone();
        drop(btrfs);
        assert!(!folder.exists() && ext4.path().join("f").exists());
    }
}
