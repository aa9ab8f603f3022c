//! Looking at both disks from outside: when a line stood where.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::sh::Outcome;

/// Between two looks.
const PAUSE: Duration = Duration::from_micros(100);
const PATIENCE: Duration = Duration::from_secs(30);
/// How far back from its end a block is read.
const END_BYTES: u64 = 64 << 10;

/// Both data folders.
#[derive(Debug)]
pub(super) struct Watch {
    log: PathBuf,
    /// Of the log that the replica holds, once it has one.
    received: PathBuf,
}

/// When one line stood on the replica, in milliseconds after it stood in the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) tail_ms: f64,
    pub(super) block_ms: f64,
}

impl Watch {
    pub(super) fn new(primary: &Path, received: &Path) -> Watch {
        Watch { log: primary.join("log/events.jsonl"), received: received.to_owned() }
    }

    /// Bytes of the log that grows.
    pub(super) fn length(&self) -> Outcome<u64> {
        fs::metadata(&self.log).map(|m| m.len()).map_err(|e| format!("{}: {e}", self.log.display()))
    }

    /// Waits for a line behind `from` that has `mark`, and then until it stands in the replica's
    /// tail and in a block of it.
    pub(super) fn follow(&self, from: u64, mark: &str) -> Outcome<Seen> {
        let block_before = self.newest().map_or(0, |(number, _)| number);
        let (line, appended) = self.appended(from, mark)?;
        let (mut tail_ms, mut block_ms) = (None, None);
        let since = || appended.elapsed().as_secs_f64() * 1000.0;
        while tail_ms.is_none() || block_ms.is_none() {
            if tail_ms.is_none() && self.tail_has(&line) {
                tail_ms = Some(since());
            }
            if let Some((number, path)) = self.newest()
                && number > block_before
                && block_ms.is_none()
                && ends_with_line(&path.join("events.jsonl"), &line)
            {
                block_ms = Some(since());
                // What is in a block was not late in the tail.
                tail_ms = tail_ms.or(block_ms);
            }
            if appended.elapsed() > PATIENCE {
                return Err(format!(
                    "after 30 s: tail {tail_ms:?}, block {block_ms:?} of {}",
                    String::from_utf8_lossy(&line)
                ));
            }
            std::thread::sleep(PAUSE);
        }
        let both = tail_ms.zip(block_ms).ok_or("neither lane")?;
        Ok(Seen { tail_ms: both.0, block_ms: both.1 })
    }

    /// The first whole line behind `from` that has `mark`, and when it was seen.
    fn appended(&self, from: u64, mark: &str) -> Outcome<(Vec<u8>, Instant)> {
        let told = |e: std::io::Error| format!("{}: {e}", self.log.display());
        let begun = Instant::now();
        let mut at = from;
        let mut waiting = Vec::new();
        loop {
            if self.length()? > at {
                let now = Instant::now();
                let mut file = File::open(&self.log).map_err(told)?;
                file.seek(SeekFrom::Start(at)).map_err(told)?;
                at += file.read_to_end(&mut waiting).map_err(told)? as u64;
                while let Some(end) = waiting.iter().position(|b| *b == b'\n') {
                    let line: Vec<u8> = waiting.drain(..=end).collect();
                    if holds(&line, mark.as_bytes()) {
                        return Ok((line, now));
                    }
                }
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("no line with {mark} came in 30 s"));
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn tail_has(&self, line: &[u8]) -> bool {
        let path = self.received.join("tail/lines.jsonl");
        fs::read(path).is_ok_and(|bytes| holds(&bytes, line))
    }

    /// The newest block under its own name.
    pub(super) fn newest(&self) -> Option<(u64, PathBuf)> {
        let entries = fs::read_dir(self.received.join("blocks")).ok()?;
        let numbered = entries.filter_map(Result::ok).filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let number = name.strip_prefix("block-")?.split('-').next()?.parse().ok()?;
            Some((number, entry.path()))
        });
        numbered.max_by_key(|(number, _)| *number)
    }
}

fn holds(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

fn ends_with_line(path: &Path, line: &[u8]) -> bool {
    let end = || {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(END_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map(|_| bytes)
    };
    end().is_ok_and(|bytes| holds(&bytes, line))
}

/// The folder of the one log that a replica holds.
pub(super) fn received(replica: &Path) -> Outcome<PathBuf> {
    let folder = replica.join("replicas");
    let begun = Instant::now();
    loop {
        let entries = fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok);
        if let Some(entry) = entries.map(|e| e.path()).find(|p| p.join("blocks").is_dir()) {
            return Ok(entry);
        }
        if begun.elapsed() > PATIENCE {
            return Err(format!("the replica holds nothing after 30 s in {}", folder.display()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Raw lines of a log, the oldest segment first, behind the first `skip` bytes.
pub(super) fn lines_behind(log: &Path, skip: u64) -> Outcome<Vec<u8>> {
    let mut files = crate::sh::files_in(&log.join("segments")).unwrap_or_default();
    files.push(log.join("events.jsonl"));
    let mut left = skip;
    let mut bytes = Vec::new();
    for path in files {
        let told = |e: std::io::Error| format!("{}: {e}", path.display());
        let mut file = File::open(&path).map_err(told)?;
        let length = file.metadata().map_err(told)?.len();
        if left >= length {
            left -= length;
            continue;
        }
        file.seek(SeekFrom::Start(left)).map_err(told)?;
        left = 0;
        file.read_to_end(&mut bytes).map_err(told)?;
    }
    Ok(bytes)
}

/// Bytes of all lines.
pub(super) fn log_bytes(log: &Path) -> Outcome<u64> {
    let mut files = crate::sh::files_in(&log.join("segments")).unwrap_or_default();
    files.push(log.join("events.jsonl"));
    let lengths = files
        .iter()
        .map(|p| fs::metadata(p).map(|m| m.len()).map_err(|e| format!("{}: {e}", p.display())));
    lengths.sum()
}
