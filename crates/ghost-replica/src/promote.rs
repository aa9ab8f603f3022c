//! A log that is held here becomes a host's own.
//!
//! Block and tail are put together as the log that they are, in a data folder, and a new epoch
//! begins there: its line is the record of it. Replicas that have seen that epoch refuse the old host
//! from then on, whatever it still writes. What was held stays where it is.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ghost_block::{is_btrfs, make_subvolumes};
use ghost_event::Seq;
use ghost_log::{Layout, Log, LogConfig, LogReader};
use ghost_world::{Clock, Disk, Locked, RealDisk};

use crate::limits::READ_BYTES;
use crate::{ReplicaDir, ReplicaError};

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promoted {
    /// Lines that were taken over.
    pub size: Seq,
    /// The epoch that begins behind them.
    pub epoch: u64,
    /// Where a log without events lies that was there before.
    pub moved_aside: Option<PathBuf>,
}

/// Kinds of lines by which a log tells of itself.
const OWN: [&str; 8] =
    ["block", "element", "epoch", "key", "recovered", "retired", "segment", "shape"];

/// Where the log is put together.
const MAKING: &str = "promoting";

/// Makes the log that is held in `dir` the one of the data folder `data`. `seed` makes its new key:
/// nobody authorised that, since the old one is the old host's.
///
/// # Errors
/// The log of `data` has events, a daemon runs, or the disk fails; then nothing has changed.
pub fn promote(
    dir: &ReplicaDir,
    data: &Path,
    seed: [u8; 32],
    program: &str,
    clock: Arc<dyn Clock>,
) -> Result<Promoted, ReplicaError> {
    let _held = locked(&dir.state().join("lock"))?;
    let reader = dir.reader();
    let size = reader.head()?;
    if size == 0 {
        return Err(ReplicaError::Refused(format!("no line of {} is held here", dir.log_id())));
    }
    let layout = Layout::new(data);
    let failed = |e| ReplicaError::io("promote a log in", data)(e);
    fs::create_dir_all(layout.state()).map_err(failed)?;
    let own = locked(&layout.lock())?;
    if let Some(kind) = event_in(data)? {
        return Err(ReplicaError::Refused(format!(
            "the log of {} has events ({}): name an empty folder with --as-data",
            data.display(),
            kind.escape_debug()
        )));
    }
    let making = data.join(MAKING);
    // Of a try that was cut off.
    remove(&making).map_err(failed)?;
    fs::create_dir_all(&making).map_err(failed)?;
    if is_btrfs(data) {
        make_subvolumes(&making)?;
    }
    let log = making.join("log");
    fill(dir, &reader, &log).map_err(failed)?;
    let moved_aside = if layout.log().exists() { Some(aside(data).map_err(failed)?) } else { None };
    fs::rename(&log, layout.log()).map_err(failed)?;
    // They speak of lines that this log has not.
    for gone in [layout.head(), layout.imports(), layout.elements()] {
        match fs::remove_file(&gone) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(e)),
            _ => {}
        }
    }
    remove(&data.join("index")).map_err(failed)?;
    remove(&making).map_err(failed)?;
    RealDisk.sync_dir(data).map_err(failed)?;
    drop(own);
    let config = LogConfig {
        log_id: dir.log_id().0,
        identity: dir.identity().to_owned(),
        key_seed: seed,
        program: program.to_owned(),
        holder: format!("ghostbridge replica promote, pid {}", std::process::id()),
        ..LogConfig::default()
    };
    let (mut log, recovery) = Log::open(data, config, clock)?;
    log.sync()?;
    Ok(Promoted { size, epoch: recovery.epoch, moved_aside })
}

fn locked(path: &Path) -> Result<ghost_world::Lock, ReplicaError> {
    let holder = format!("promoting, pid {}", std::process::id());
    match RealDisk.lock(path, &holder).map_err(ReplicaError::io("lock", path))? {
        Locked::Mine(lock) => Ok(lock),
        Locked::Theirs(holder) => Err(ReplicaError::Refused(format!(
            "{} is in use by {holder}: stop the daemon first",
            path.display()
        ))),
    }
}

/// The kind of an event in the log of a data folder.
fn event_in(data: &Path) -> Result<Option<String>, ReplicaError> {
    if !data.join("log").is_dir() {
        return Ok(None);
    }
    let reader = LogReader::open(data);
    let mut lines = reader.lines(0);
    while let Some(line) = lines.next()? {
        let kind = kind_of(line.bytes);
        if !OWN.contains(&kind) {
            return Ok(Some(kind.to_owned()));
        }
    }
    Ok(None)
}

fn kind_of(line: &[u8]) -> &str {
    const KEY: &[u8] = b"\"event_type\":\"";
    let head = line.get(..160).unwrap_or(line);
    let Some(at) = memchr::memmem::find(head, KEY) else { return "" };
    let rest = head.get(at + KEY.len()..).unwrap_or_default();
    let end = memchr::memchr(b'"', rest).unwrap_or(0);
    std::str::from_utf8(rest.get(..end).unwrap_or_default()).unwrap_or_default()
}

/// Puts block and tail together.
fn fill(dir: &ReplicaDir, reader: &crate::Reader, log: &Path) -> io::Result<()> {
    let (disk, layout) = (reader.disk(), reader.layout());
    let segments = log.join("segments");
    fs::create_dir_all(&segments)?;
    for name in disk.list(&layout.segments())? {
        copy(&*disk, &layout.segments().join(&name), &segments.join(&name))?;
    }
    copy(&*disk, &layout.active(), &log.join("events.jsonl"))?;
    if let Some(block) = dir.newest_block() {
        let block = dir.blocks().join(block.to_string());
        for name in ["checkpoint", "checkpoints.jsonl"] {
            if block.join(name).exists() {
                copy(&RealDisk, &block.join(name), &log.join(name))?;
            }
        }
        for name in ["tile", "checkpoints"] {
            tree(&block.join(name), &log.join(name))?;
        }
    }
    let folder = File::open(log)?;
    rustix::fs::syncfs(&folder)?;
    Ok(())
}

fn tree(from: &Path, to: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(from) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    fs::create_dir_all(to)?;
    for entry in entries {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            tree(&from, &to)?;
        } else {
            copy(&RealDisk, &from, &to)?;
        }
    }
    Ok(())
}

/// Copies a file's bytes; its rights are those of any new file.
fn copy(disk: &dyn Disk, from: &Path, to: &Path) -> io::Result<()> {
    let source = disk.open_read(from)?;
    let mut copy = File::create_new(to)?;
    let mut buffer = vec![0; READ_BYTES];
    let mut at = 0;
    loop {
        let n = source.read_full_at(&mut buffer, at)?;
        if n == 0 {
            return copy.sync_data();
        }
        copy.write_all(buffer.get(..n).unwrap_or_default())?;
        at += n as u64;
    }
}

fn aside(data: &Path) -> io::Result<PathBuf> {
    let free = (1_u32..)
        .map(|n| data.join(format!("log.before-promotion-{n}")))
        .find(|path| !path.exists())
        .unwrap_or_else(|| data.join("log.before-promotion"));
    fs::rename(data.join("log"), &free)?;
    Ok(free)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
