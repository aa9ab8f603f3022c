//! Blocks in a plain folder on ext4, whose freeze takes many steps: a writer that is killed in the
//! middle of any, and a power that is cut.
//!
//! The writer is this test program, started again as a child. A power cut is a copy of the file
//! that holds the file system, taken by reflink while the child writes: what ext4 had not sent to
//! its disk is not in it.

mod block;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use block::{House, check_block, unlocked};
use ghost_block::{VolumeKind, make_subvolumes, open_volume};
use ghost_lab::LoopFs;

const CHILD: &str = "the_writer_in_a_folder";
const KILLS: u64 = 25;
const POWER_CUTS: u64 = 25;
const SEGMENT: u64 = 48 << 10;

/// Not a test: seals until it is killed, and tells what was sealed.
#[test]
fn the_writer_in_a_folder() {
    let Some(data) = std::env::var_os("GHOST_FOLDER_DATA") else { return };
    let mut house = House::open(Path::new(&data), SEGMENT);
    loop {
        house.events(15);
        let block = house.seal().unwrap().unwrap();
        let mut out = std::io::stderr();
        writeln!(out, "sealed {} {}", block.name.number, block.size).unwrap();
        house.tend(u64::MAX).unwrap();
    }
}

struct Writer {
    child: Child,
    said: BufReader<ChildStderr>,
    /// Number and size of the newest block that was told.
    told: (u64, u64),
}

impl Writer {
    #[expect(clippy::disallowed_methods, reason = "a writer that can be killed is a process")]
    fn start(data: &Path) -> Writer {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", CHILD, "--nocapture"])
            .env("GHOST_FOLDER_DATA", data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        Writer { child, said, told: (0, 0) }
    }

    /// Waits for so many more blocks.
    fn wait_for(&mut self, blocks: u64) {
        for _ in 0..blocks {
            let mut line = String::new();
            assert!(self.said.read_line(&mut line).unwrap() > 0, "the writer ended");
            let mut words = line.split_whitespace();
            assert_eq!(words.next(), Some("sealed"), "{line}");
            let mut number = || words.next().unwrap().parse().unwrap();
            self.told = (number(), number());
        }
    }

    fn kill(mut self) -> (u64, u64) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        // What it told before it was killed, it had promised.
        let mut rest = String::new();
        while self.said.read_line(&mut rest).is_ok_and(|n| n > 0) {
            if let Some((number, size)) =
                rest.trim_end().strip_prefix("sealed ").and_then(|told| told.split_once(' '))
                && let (Ok(number), Ok(size)) = (number.parse(), size.parse())
            {
                self.told = (number, size);
            }
            rest.clear();
        }
        self.told
    }
}

/// What was told is there, every block is whole and the log's, and it goes on.
fn examine(data: &Path, (number, size): (u64, u64)) -> (usize, u64) {
    let mut house = unlocked(|| Ok::<_, String>(House::open(data, SEGMENT))).unwrap();
    assert_eq!(house.sealer.kind(), VolumeKind::Folder);
    let recovery = house.recovery.clone();
    assert!(recovery.damaged.is_empty() && recovery.writable.is_empty(), "{recovery:?}");
    assert!(recovery.unnamed.is_empty(), "{recovery:?}");
    let blocks = house.sealer.blocks().to_vec();
    let names: Vec<String> = blocks.iter().map(|block| block.name.to_string()).collect();
    assert_eq!(house.names().len(), names.len(), "something was left over");
    for block in &blocks {
        check_block(&house, block);
        assert!(block.size <= house.log.size());
    }
    assert!(blocks.last().map_or(0, |block| block.name.number) >= number, "{names:?} {number}");
    assert!(house.log.size() >= size, "lines of a block are gone from the log");
    house.events(1);
    let next = house.seal().unwrap().unwrap();
    assert!(next.name.number > number);
    check_block(&house, &next);
    (recovery.removed.len() + usize::from(recovery.missing.is_some()), next.name.number)
}

#[test]
fn loop_a_folders_blocks_outlive_a_killed_writer() {
    if LoopFs::skipped(&[]) {
        return;
    }
    let fs = LoopFs::ext4(64 << 20).unwrap();
    let data = fs.path().join("data");
    make_subvolumes(&data).unwrap();
    let (mut leftovers, mut sealed) = (0, 0);
    for n in 0..KILLS {
        let mut writer = Writer::start(&data);
        writer.wait_for(1 + n % 4);
        std::thread::sleep(std::time::Duration::from_micros(n * 1973 % 40_000));
        let found = examine(&data, writer.kill());
        leftovers += found.0;
        sealed = found.1;
    }
    assert!(sealed > 2 * KILLS, "{sealed} blocks");
    assert!(leftovers > 0, "no kill met a seal: what was tested?");
    assert_eq!(
        open_volume(&data).names().unwrap().len(),
        fs::read_dir(data.join("blocks")).unwrap().count()
    );
}

#[test]
fn loop_a_folders_blocks_outlive_a_power_cut() {
    if LoopFs::skipped(&[]) {
        return;
    }
    let outer = LoopFs::btrfs(2 << 30, "noatime").unwrap();
    let inner = LoopFs::ext4_in(outer.path(), 64 << 20).unwrap();
    let data = inner.path().join("data");
    make_subvolumes(&data).unwrap();
    let mut writer = Writer::start(&data);
    let mut copies = Vec::new();
    for n in 0..POWER_CUTS {
        writer.wait_for(1 + n % 3);
        std::thread::sleep(std::time::Duration::from_micros(n * 2311 % 30_000));
        let told = writer.told;
        let copy = outer.path().join(format!("copy-{n}"));
        let (from, to) =
            (fs::File::open(inner.image()).unwrap(), fs::File::create_new(&copy).unwrap());
        rustix::fs::ioctl_ficlone(&to, &from).unwrap();
        copies.push((copy, told));
    }
    writer.kill();
    for (copy, told) in copies {
        let fs = LoopFs::of_image(&copy, "").unwrap();
        examine(&fs.path().join("data"), told);
    }
}
