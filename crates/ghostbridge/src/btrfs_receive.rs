//! `btrfs receive` as a child: the one program that the block helper starts.
//!
//! It is started in the folder that it receives into, with nothing but the stream and the one
//! capability; its words are kept for whoever asks why it failed.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ghost_block::helper::Receives;

use crate::privileges;

/// Where distributions put it; what stands in PATH is not asked.
const PLACES: [&str; 6] = [
    "/usr/bin/btrfs",
    "/usr/sbin/btrfs",
    "/sbin/btrfs",
    "/bin/btrfs",
    "/run/current-system/sw/bin/btrfs",
    "/usr/local/bin/btrfs",
];

/// Bytes of its words that are kept.
const WORDS_MAX: u64 = 2048;

/// The program, where it is installed.
pub(crate) fn program() -> Option<PathBuf> {
    PLACES.iter().map(Path::new).find(|path| path.exists()).map(Path::to_owned)
}

/// Starts it for each stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BtrfsReceive;

impl Receives for BtrfsReceive {
    #[expect(clippy::disallowed_methods, reason = "the program starts the file system's own")]
    fn receive(&self, into: BorrowedFd<'_>, stream: OwnedFd) -> io::Result<Result<(), String>> {
        let program = program().ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, "btrfs is not installed (btrfs-progs)")
        })?;
        let mut command = Command::new(program);
        // It ends where the stream says that it ends; the folder is the one that is open here.
        command.args(["receive", "-e", "."]);
        command.current_dir(format!("/proc/self/fd/{}", into.as_raw_fd()));
        command.env_clear().env("LC_ALL", "C");
        command.stdin(stream).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = privileges::handing_down(privileges::SNAPSHOT, || command.spawn())?;
        // Its standard input is in there: the sender would wait for a reader that has died.
        drop(command);
        let mut words = Vec::new();
        if let Some(stderr) = child.stderr.take() {
            read_words(stderr, &mut words);
        }
        let status = child.wait()?;
        if status.success() {
            return Ok(Ok(()));
        }
        let said = String::from_utf8_lossy(&words);
        let said = said.trim();
        Ok(Err(format!("{status}: {}", if said.is_empty() { "it said nothing" } else { said })))
    }
}

/// Reads to the end, and keeps the beginning: a full pipe would stop it.
fn read_words(stderr: std::process::ChildStderr, words: &mut Vec<u8>) {
    let mut stderr = File::from(OwnedFd::from(stderr));
    // What cannot be read is not told.
    let _ = (&mut stderr).take(WORDS_MAX).read_to_end(words);
    let _ = io::copy(&mut stderr, &mut io::sink());
}
