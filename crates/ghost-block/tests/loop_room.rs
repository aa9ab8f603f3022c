//! Room on real disks: what is used is told as it is, a full disk is told and gone through, and the
//! cap holds with blocks that keep what the log gave up.

mod block;

use std::fs;
use std::path::Path;

use block::{House, OPTIONS, check_block, disk, volumes};
use ghost_block::{BlockError, VolumeKind, make_subvolumes, open_volume};
use ghost_event::Priority;
use ghost_lab::LoopFs;
use ghost_log::{Layout, VerifyOptions, verify_at};

const SEGMENT: u64 = 256 << 10;

#[expect(clippy::disallowed_methods, reason = "the test plays an operator at a shell")]
fn run(argv: &[&str]) -> String {
    let done = std::process::Command::new(argv[0]).args(&argv[1..]).output().unwrap();
    assert!(done.status.success(), "{argv:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// What `compsize` says that a folder takes on the disk.
fn compsize(path: &Path) -> u64 {
    let table = run(&["compsize", "-b", "-x", &path.to_string_lossy()]);
    let total = table.lines().find(|line| line.starts_with("TOTAL")).expect("a table");
    total.split_whitespace().nth(2).unwrap().parse().unwrap()
}

fn is_near(a: u64, b: u64, slack: u64) -> bool {
    a.abs_diff(b) <= slack
}

#[test]
fn loop_compressed_bytes_are_counted_as_compsize_counts_them() {
    if LoopFs::skipped(&["compsize", "btrfs"]) {
        return;
    }
    let fs = LoopFs::btrfs(256 << 20, OPTIONS).unwrap();
    let data = fs.path().join("data");
    make_subvolumes(&data).unwrap();
    let mut house = House::open(&data, 2 << 20);
    for _ in 0..30 {
        for _ in 0..300 {
            // Text that compresses.
            house.number += 1;
            let text = "the same words again ".repeat(20);
            let body = format!(
                "{{\"event_type\":\"flow\",\"t\":\"{text}\",\"ghost\":{{\"v\":1,\"n\":{}",
                house.number
            );
            house.log.append(Priority::Low, None, body.as_bytes()).unwrap();
            *house.since.entry("flow".to_owned()).or_default() += 1;
        }
        house.seal().unwrap();
        house.tend(u64::MAX).unwrap();
    }
    let mut volume = open_volume(&data);
    let usage = volume.usage().unwrap();
    let compsize_log = compsize(&data.join("log"));
    let raw: u64 = house.log.segments().iter().map(|segment| segment.bytes).sum();
    assert!(usage.exact);
    assert!(raw > 3 << 20 && usage.log_bytes < raw / 2, "{raw} {usage:?}");
    // Data that stands in the tree itself is counted here, and not there.
    assert!(is_near(usage.log_bytes, compsize_log, 16 << 10), "{usage:?} {compsize_log}");
    // Log and block share almost all: one more than the log is what is pinned.
    let both = run(&[
        "compsize",
        "-b",
        "-x",
        &data.join("log").to_string_lossy(),
        &house.path(house.sealer.blocks().last().unwrap()).to_string_lossy(),
    ]);
    let both: u64 = both
        .lines()
        .find(|line| line.starts_with("TOTAL"))
        .and_then(|line| line.split_whitespace().nth(2))
        .unwrap()
        .parse()
        .unwrap();
    assert!(is_near(usage.log_bytes + usage.pinned_bytes, both, 32 << 10), "{usage:?} {both}");
}

#[test]
fn loop_what_several_blocks_keep_of_retired_segments_is_counted_once() {
    if LoopFs::skipped(&["compsize", "btrfs"]) {
        return;
    }
    let fs = LoopFs::btrfs(256 << 20, OPTIONS).unwrap();
    let data = fs.path().join("data");
    make_subvolumes(&data).unwrap();
    let mut house = House::open(&data, SEGMENT);
    for n in 0..12 {
        for _ in 0..120 {
            house.append(1000).unwrap();
        }
        house.seal().unwrap().unwrap();
        // Looked at all the while, as a daemon does.
        house.sealer.volume().usage().unwrap();
        if n == 7 {
            let middle = house.log.segments()[house.log.segments().len() / 2].last;
            assert!(house.log.retire(middle).unwrap().segments > 0);
        }
    }
    let last = house.log.segments().last().unwrap().last;
    assert!(house.log.retire(last).unwrap().segments > 0);
    house.events(1);
    house.seal().unwrap().unwrap();
    let mut folders = vec![data.join("log").to_string_lossy().into_owned()];
    folders.extend(house.sealer.blocks().iter().map(|b| house.path(b).to_string_lossy().into()));
    let argv: Vec<&str> =
        ["compsize", "-b", "-x"].into_iter().chain(folders.iter().map(String::as_str)).collect();
    let table = run(&argv);
    let total = table.lines().find(|line| line.starts_with("TOTAL")).unwrap();
    let all: u64 = total.split_whitespace().nth(2).unwrap().parse().unwrap();
    for usage in [house.sealer.volume().usage().unwrap(), open_volume(&data).usage().unwrap()] {
        // Data that stands in the tree itself is counted here, and not there.
        let told = usage.log_bytes + usage.pinned_bytes;
        assert!(told + 4096 >= all && told <= all + (64 << 10), "{told} {all}");
        assert!(usage.pinned_bytes > 2 * usage.log_bytes, "{usage:?}");
    }
}

#[test]
fn loop_the_cap_holds_with_blocks_that_keep_what_was_retired() {
    if LoopFs::skipped(&["btrfs"]) {
        return;
    }
    const CAP: u64 = 2 << 20;
    for (fs, data, kind) in volumes(96 << 20) {
        let mut house = House::open(&data, 64 << 10);
        let used = |fs: &LoopFs| {
            if kind == VolumeKind::Btrfs {
                run(&["btrfs", "subvolume", "sync", &fs.path().to_string_lossy()]);
            }
            run(&["sync", "-f", &fs.path().to_string_lossy()]);
            let usage = open_volume(&data).usage().unwrap();
            usage.total_bytes - usage.free_bytes
        };
        let before = used(&fs);
        let (mut retired, mut most) = (0, 0);
        for _ in 0..60 {
            for _ in 0..40 {
                house.append(2000).unwrap();
            }
            house.seal().unwrap().unwrap();
            let mut tended = house.tend(CAP).unwrap();
            retired += tended.retired_segments;
            if tended.wants_seal.is_some() {
                let block = house.seal().unwrap().expect("a retirement is news here");
                check_block(&house, &block);
                tended = house.tend(CAP).unwrap();
                assert!(tended.deleted.is_some());
            }
            let usage = house.sealer.volume().usage().unwrap();
            most = most.max(usage.log_bytes + usage.pinned_bytes);
            assert!(house.sealer.blocks().len() <= 2);
        }
        assert!(retired > 10, "{kind:?}: {retired} segments");
        assert!(most <= CAP, "{kind:?}: {most}");
        assert!(most > CAP / 2, "{kind:?}: {most} is far from the cap");
        // What the file system itself says, with its own tables.
        let grown = used(&fs).saturating_sub(before);
        assert!(grown <= CAP + (2 << 20), "{kind:?}: {grown} bytes on the disk");
        // What is left is whole and signed, and says where it begins.
        let verdict = verify_at(&disk(), &Layout::new(&data), &VerifyOptions::default()).unwrap();
        assert!(verdict.ok(), "{:?}", verdict.wrong());
        assert!(verdict.first_seq > 1);
    }
}

#[test]
fn loop_a_full_disk_is_told_and_goes_by_when_there_is_room() {
    if LoopFs::skipped(&[]) {
        return;
    }
    for (fs, data, kind) in volumes(48 << 20) {
        let mut house = House::open(&data, SEGMENT);
        house.events(100);
        let first = house.seal().unwrap().unwrap();
        let fill = fill(fs.path());
        // The log takes lines, which wait; a seal says that there is no room.
        while house.log.waiting_bytes() == 0 {
            house.events(100);
        }
        for _ in 0..2 {
            match house.seal() {
                Err(error) if error.is_no_space() => {}
                other => panic!("{kind:?}: {other:?}"),
            }
        }
        // The block that is there is as it was.
        check_block(&house, &first);
        fs::remove_file(fill).unwrap();
        if kind == VolumeKind::Btrfs {
            run(&["btrfs", "filesystem", "sync", &fs.path().to_string_lossy()]);
        }
        house.events(10);
        let second = house.seal().unwrap().unwrap();
        assert_eq!(second.name.number, first.name.number + 1, "no number was used up");
        check_block(&house, &second);
        let manifest = ghost_block::manifest_of(&disk(), &house.path(&second)).unwrap();
        assert_eq!(
            manifest.events["flow"],
            house.number - 100,
            "nothing that was taken in is gone"
        );
        let house = house.again(SEGMENT);
        assert_eq!(house.recovery, ghost_block::SealRecovery::default());
        assert_eq!(house.log.size(), second.size + 1, "an epoch, and all that was taken in");
    }
}

/// Takes all the room that there is.
fn fill(folder: &Path) -> std::path::PathBuf {
    use std::io::Write as _;
    let path = folder.join("fill");
    let mut file = fs::File::create(&path).unwrap();
    let mut state = 1u64;
    let mut noise = vec![0u8; 1 << 20];
    for chunk in noise.chunks_exact_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        chunk.copy_from_slice(&state.to_le_bytes());
    }
    for size in [1 << 20, 64 << 10, 4096] {
        while file.write_all(&noise[..size]).is_ok() {}
        let _ = file.sync_data();
    }
    path
}

#[test]
fn loop_a_block_that_could_not_be_deleted_in_one_step_is_deleted_all_the_same() {
    if LoopFs::skipped(&[]) {
        return;
    }
    for (_fs, data, _) in volumes(64 << 20) {
        let mut house = House::open(&data, SEGMENT);
        house.events(3000);
        let block = house.seal().unwrap().unwrap();
        let volume = house.sealer.volume();
        let gone = volume.delete("block-9-0123456789ab").unwrap_err();
        assert!(matches!(gone, BlockError::NoSuchBlock { .. }), "{gone}");
        for bad in ["..", "log", "", "block-1-../x", "coming-x"] {
            assert!(matches!(volume.delete(bad), Err(BlockError::NotAName { .. })), "{bad}");
        }
        volume.delete(&block.name.to_string()).unwrap();
        assert!(house.names().is_empty());
    }
}
