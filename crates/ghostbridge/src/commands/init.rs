//! `init`: a place for log and blocks.
//!
//! On btrfs subvolumes; with `--loop` a btrfs in a file beside the data folder; else plain folders,
//! and what is lost by that is said. Every step looks first whether it was done: run again after a
//! failure, it goes on where it stopped.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use ghost_node::blocks::{Made, VolumeKind, is_btrfs, make_subvolumes};
use ghost_node::config;

use crate::cli::{Init, Place};
use crate::commands::status::bytes;
use crate::outcome::{Done, Failed, printed, say};
use crate::render::safe_text as safe;

/// What the image is mounted with.
const OPTIONS: &str = "loop,compress=zstd:3,noatime";
/// Below it mkfs.btrfs makes none, or one that is full at once.
const IMAGE_BYTES_MIN: u64 = 256 << 20;

/// Runs the command.
pub(crate) fn run(place: &Place, asked: &Init) -> Result<Done, Failed> {
    let data = place.data();
    let root = data.root();
    if let Some(size) = &asked.image {
        let size = config::bytes(size).map_err(|e| Failed::usage(format!("--loop: {e}")))?;
        if is_btrfs(root) && !image_of(root).exists() {
            say("note: this is btrfs already; no image is needed");
        } else {
            mounted(root, size)?;
        }
    }
    let made = make_subvolumes(root).map_err(Failed::caused)?;
    let shown = safe(&root.display().to_string());
    match made {
        Made::Subvolume => say(format_args!("{shown}: the log's folder is a btrfs subvolume now")),
        Made::Already => say(format_args!("{shown}: the log's folder is a btrfs subvolume")),
        Made::Folders => {
            say(format_args!("{shown}: not on btrfs; blocks are folders. What is lost by that:"));
            for loss in VolumeKind::Folder.losses() {
                say(format_args!("  - {loss}"));
            }
            say("`ghostbridge init --loop SIZE` puts a btrfs into a file of its own");
        }
    }
    Ok(Done::Well)
}

/// The image of a data folder.
fn image_of(data: &Path) -> PathBuf {
    let mut name = data.as_os_str().to_owned();
    name.push(".btrfs");
    PathBuf::from(name)
}

/// Makes the image where it is not there, and mounts it where it is not mounted.
fn mounted(data: &Path, size: u64) -> Result<(), Failed> {
    let image = image_of(data);
    let of = |path: &Path, e: io::Error| Failed::new(format!("{}: {e}", path.display()));
    fs::create_dir_all(data).map_err(|e| of(data, e))?;
    let before = fs::metadata(data).map_err(|e| of(data, e))?;
    if is_mount_point(data, &before) {
        if !is_btrfs(data) {
            return Err(Failed::new(format!(
                "{}: another file system is mounted here",
                data.display()
            )));
        }
        say(format_args!("{}: is mounted", safe(&image.display().to_string())));
        return tell_mount(&image, data);
    }
    if !rustix::process::geteuid().is_root() {
        return Err(Failed::permission("to make and mount an image takes root"));
    }
    let empty = fs::read_dir(data).map_err(|e| of(data, e))?.next().is_none();
    if !empty {
        return Err(Failed::new(format!(
            "{}: holds data already, which the image would hide: move it away, run this again, and \
             move it back",
            data.display()
        )));
    }
    if image.exists() {
        say(format_args!("{}: is there already", safe(&image.display().to_string())));
    } else {
        make_image(&image, size)?;
    }
    let options = OsStr::new(OPTIONS);
    ran("mount", &[OsStr::new("-o"), options, image.as_os_str(), data.as_os_str()])?;
    // The new folder belongs to whom the old one belonged.
    std::os::unix::fs::chown(data, Some(before.uid()), Some(before.gid()))
        .map_err(|e| of(data, e))?;
    fs::set_permissions(data, before.permissions()).map_err(|e| of(data, e))?;
    tell_mount(&image, data)
}

/// A file with all its room, so that the log's disk can't be taken by others, and a btrfs in it. It
/// has its name only when it is whole.
fn make_image(image: &Path, size: u64) -> Result<(), Failed> {
    if size < IMAGE_BYTES_MIN {
        return Err(Failed::usage(format!("--loop: at least {}", bytes(IMAGE_BYTES_MIN))));
    }
    let mut unfinished = image.as_os_str().to_owned();
    unfinished.push(".new");
    let unfinished = PathBuf::from(unfinished);
    let made = || -> Result<(), Failed> {
        let of = |e: io::Error| Failed::new(format!("{}: {e}", unfinished.display()));
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)
            .map_err(of)?;
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, size)
            .map_err(|e| of(e.into()))?;
        ran("mkfs.btrfs", &[OsStr::new("-q"), OsStr::new("-f"), unfinished.as_os_str()])?;
        file.sync_all().map_err(of)?;
        fs::rename(&unfinished, image).map_err(of)
    };
    let done = made();
    if done.is_err() {
        drop(fs::remove_file(&unfinished));
    } else {
        say(format_args!("{}: made, {}", safe(&image.display().to_string()), bytes(size)));
    }
    done
}

/// Runs a program of the system to its end.
#[expect(clippy::disallowed_methods, reason = "the program starts what makes and mounts the image")]
fn ran(name: &str, arguments: &[&OsStr]) -> Result<(), Failed> {
    let ran = Command::new(name).args(arguments).output().map_err(|e| {
        Failed::new(format!("{name}: {e}; install btrfs-progs and mount (util-linux)"))
    })?;
    if ran.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ran.stderr).trim().to_owned();
    Err(Failed::new(format!("{name}: {said} ({})", ran.status)))
}

fn is_mount_point(data: &Path, at: &fs::Metadata) -> bool {
    let above = data.canonicalize().ok().and_then(|path| path.parent().map(Path::to_owned));
    above.and_then(|above| fs::metadata(above).ok()).is_some_and(|above| above.dev() != at.dev())
}

/// What makes the mount last.
fn tell_mount(image: &Path, data: &Path) -> Result<(), Failed> {
    let (image, data) = (image.display().to_string(), data.display().to_string());
    let unit = format!(
        "# /etc/systemd/system/{}\n\
         [Unit]\nDescription=GhostBridge's log and blocks\n\n\
         [Mount]\nWhat={}\nWhere={}\nType=btrfs\nOptions={OPTIONS}\n\n\
         [Install]\nRequiredBy=ghostbridge.service\n\
         # or in /etc/fstab:\n# {} {} btrfs {OPTIONS},nofail 0 0\n",
        unit_name(&data),
        percent(&image),
        percent(&data),
        octal(&image),
        octal(&data),
    );
    printed(io::stdout().write_all(unit.as_bytes()))?;
    say("mounted now; at every start it is by the unit (systemctl enable --now) or the line above");
    Ok(())
}

/// A path in a unit: what systemd would expand stands for itself.
fn percent(path: &str) -> String {
    path.replace('%', "%%")
}

/// A path in fstab.
fn octal(path: &str) -> String {
    path.replace('\\', "\\134").replace(' ', "\\040").replace('\t', "\\011")
}

/// As `systemd-escape --path --suffix=mount` has it.
fn unit_name(path: &str) -> String {
    let mut name = String::new();
    for byte in path.trim_matches('/').bytes() {
        match byte {
            b'/' => name.push('-'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b':' | b'_' => name.push(char::from(byte)),
            b'.' if !name.is_empty() => name.push('.'),
            other => name += &format!("\\x{other:02x}"),
        }
    }
    name + ".mount"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_units_name_is_its_path_as_systemd_writes_it() {
        assert_eq!(unit_name("/var/lib/ghostbridge"), "var-lib-ghostbridge.mount");
        assert_eq!(unit_name("/srv/a-b/.x y"), "srv-a\\x2db-.x\\x20y.mount");
        assert_eq!(octal("/a b\\c"), "/a\\040b\\134c");
    }
}
