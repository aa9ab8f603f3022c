//! Small files put in place whole: a reader finds the old one or the new one, never a part.
//!
//! Written beside, made durable, renamed, the folder made durable. Without the two syncs the file is
//! only *written*: after a power cut the old one, the new one or a torn one may be there, and whoever
//! writes so must know a torn one when it reads it.

use std::io;
use std::path::{Path, PathBuf};

use ghost_event::Digest;
use ghost_world::{Disk, File};
use sha2::Digest as _;

/// How far a file is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    Written,
    Durable,
}

/// How a file may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    Group,
    /// By its owner alone.
    Owner,
}

/// Puts `bytes` at `path`, in the place of what stands there.
pub(crate) fn put(
    disk: &dyn Disk,
    path: &Path,
    bytes: &[u8],
    until: Until,
    readers: Readers,
) -> io::Result<()> {
    let beside = beside(path);
    let result = write_beside(disk, &beside, bytes, until, readers)
        .and_then(|()| disk.rename(&beside, path));
    if result.is_err() {
        // What is left of it is removed by the next one otherwise.
        let _ = disk.remove(&beside);
        return result;
    }
    match (until, path.parent()) {
        (Until::Durable, Some(folder)) => disk.sync_dir(folder),
        _ => Ok(()),
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

fn write_beside(
    disk: &dyn Disk,
    path: &Path,
    bytes: &[u8],
    until: Until,
    readers: Readers,
) -> io::Result<()> {
    let create = || match readers {
        Readers::Group => disk.create(path),
        Readers::Owner => disk.create_secret(path),
    };
    let file = match create() {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            disk.remove(path)?;
            create()?
        }
        other => other?,
    };
    write_all(&*file, bytes, 0)?;
    if until == Until::Durable { file.sync() } else { Ok(()) }
}

pub(crate) fn write_all(file: &dyn File, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match file.write_at(&bytes[done..], offset + done as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => done += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// The whole of a small file; `None` where there is none, an error beyond `bytes_max`.
pub(crate) fn read(disk: &dyn Disk, path: &Path, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
    let file = match disk.open_read(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let len = usize::try_from(file.len()?).unwrap_or(usize::MAX);
    if len > bytes_max {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = vec![0; len];
    let n = file.read_full_at(&mut bytes, 0)?;
    bytes.truncate(n);
    Ok(Some(bytes))
}

/// Hexadecimal digits of a check.
const CHECK_DIGITS: usize = 16;

/// The beginning of the SHA-256 of `bytes`: tells torn from whole, and proves nothing.
pub(crate) fn check(bytes: &[u8]) -> String {
    let mut sum = Digest(sha2::Sha256::digest(bytes).into()).to_string();
    sum.truncate(CHECK_DIGITS);
    sum
}

/// Ends a text of whole lines with a line that is its check.
pub(crate) fn seal(text: &mut Vec<u8>) {
    let sum = check(text);
    text.extend_from_slice(sum.as_bytes());
    text.push(b'\n');
}

/// The text before its check; `None` where that does not fit.
pub(crate) fn unseal(bytes: &[u8]) -> Option<&[u8]> {
    let at = bytes.len().checked_sub(CHECK_DIGITS + 1)?;
    let (text, sum) = bytes.split_at(at);
    let whole = text.last().is_none_or(|b| *b == b'\n');
    (whole && sum.strip_suffix(b"\n") == Some(check(text).as_bytes())).then_some(text)
}

#[cfg(test)]
mod tests {
    use ghost_world::{Fault, SimDisk};

    use super::*;

    #[test]
    fn after_a_power_cut_the_old_or_the_new_file_is_there_whole() {
        let path = Path::new("/d/f");
        let calm = SimDisk::new();
        calm.put(path, b"old");
        put(&calm, path, b"newer", Until::Durable, Readers::Group).unwrap();
        for n in 1..=calm.syncs() {
            for seed in 0..16 {
                let disk = SimDisk::new();
                disk.put(path, b"old");
                disk.set(Fault::FreezeAtSync(n));
                put(&disk, path, b"newer", Until::Durable, Readers::Group).unwrap_err();
                let found = disk.crash(seed).bytes(path).unwrap();
                assert!(found == b"old" || found == b"newer", "sync {n} seed {seed}");
            }
        }
        for seed in 0..16 {
            assert_eq!(calm.crash(seed).bytes(path).unwrap(), b"newer");
        }
    }

    #[test]
    fn what_an_interrupted_one_left_is_no_obstacle() {
        let disk = SimDisk::new();
        disk.put(Path::new("/d/f.new"), b"half of something longer");
        put(&disk, Path::new("/d/f"), b"all", Until::Written, Readers::Owner).unwrap();
        assert_eq!(disk.bytes(Path::new("/d/f")).unwrap(), b"all");
        assert_eq!(disk.list(Path::new("/d")).unwrap(), ["f"]);
        disk.set(Fault::Capacity(4));
        put(&disk, Path::new("/d/f"), b"too long", Until::Durable, Readers::Group).unwrap_err();
        assert_eq!(disk.list(Path::new("/d")).unwrap(), ["f"], "nothing half is left");
    }

    #[test]
    fn a_sealed_text_opens_and_a_torn_one_does_not() {
        bolero::check!().with_iterations(500).with_type::<(Vec<u8>, usize)>().for_each(
            |(bytes, at)| {
                let mut text = bytes.clone();
                text.push(b'\n');
                let plain = text.clone();
                seal(&mut text);
                assert_eq!(unseal(&text), Some(&plain[..]));
                assert_eq!(unseal(&text[..at % text.len()]), None);
                assert!(unseal(bytes).is_none() || bytes.len() > CHECK_DIGITS);
            },
        );
    }
}
