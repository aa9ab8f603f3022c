//! What is done with blocks on real disks: compared, restored, sent.

mod block;

use std::fs;
use std::os::fd::AsFd as _;
use std::path::Path;

use block::{House, check_block, disk, lines, unlocked, volumes};
use ghost_block::{
    BlockError, Fork, SendOptions, Target, VolumeKind, diff, make_subvolumes, open_volume, path_of,
    restore,
};
use ghost_lab::LoopFs;
use ghost_log::{Layout, VerifyOptions, verify_at};

const SEGMENT: u64 = 32 << 10;

fn check_log(data: &Path, size: u64) {
    let verdict = verify_at(&disk(), &Layout::new(data), &VerifyOptions::default()).unwrap();
    assert!(verdict.ok(), "{:?}", verdict.wrong());
    assert_eq!(verdict.head.seq, size);
}

#[test]
fn loop_a_block_is_restored_in_place_and_what_was_there_is_moved_aside() {
    if LoopFs::skipped(&[]) {
        return;
    }
    for (_fs, data, kind) in volumes(64 << 20) {
        let mut house = House::open(&data, SEGMENT);
        house.events(300);
        let first = house.seal().unwrap().unwrap();
        house.events(300);
        let second = house.seal().unwrap().unwrap();
        house.events(50);
        house.log.sync().unwrap();
        let (then, whole) =
            (lines(Layout::of_block(&house.path(&first))), lines(Layout::new(&data)));
        let locked = restore(&data, &first.name, &Target::InPlace).unwrap_err();
        assert!(locked.to_string().contains("another writer has this log"), "{locked}");
        let epoch = house.log.epoch();
        drop(house);
        let restored = unlocked(|| restore(&data, &first.name, &Target::InPlace)).unwrap();
        assert_eq!(restored.size, first.size);
        assert_eq!(lines(Layout::new(&data)), then, "{kind:?}");
        let aside = restored.moved_aside.unwrap();
        assert_eq!(lines(Layout::of_block(&aside)), whole);
        assert_eq!(open_volume(&data).kind(), kind, "a subvolume stays one");
        // It goes on, in an epoch that was never used, with numbers that were never given.
        let mut house = House::open(&data, SEGMENT);
        assert_eq!(house.log.epoch(), epoch + 1);
        assert_eq!(house.recovery.unnamed, [second.name.to_string()]);
        house.events(10);
        let third = house.seal().unwrap().unwrap();
        assert_eq!(third.name.number, 3);
        check_block(&house, &third);
        house.log.sync().unwrap();
        check_log(&data, third.size);
        // The branch that was left is told as what it is.
        let forked = diff(&disk(), &house.path(&second), &house.path(&third)).unwrap();
        assert_eq!(forked.forked, Some(Fork { line: Some(first.size + 1) }));
    }
}

#[test]
fn loop_a_block_is_restored_into_a_new_folder_wherever_that_lies() {
    if LoopFs::skipped(&[]) {
        return;
    }
    let elsewhere = LoopFs::ext4(32 << 20).unwrap();
    for (n, (fs, data, _)) in volumes(64 << 20).into_iter().enumerate() {
        let mut house = House::open(&data, SEGMENT);
        house.events(300);
        let block = house.seal().unwrap().unwrap();
        house.events(10);
        house.log.sync().unwrap();
        let then = lines(Layout::of_block(&house.path(&block)));
        for new in [fs.path().join("new/er"), elsewhere.path().join(format!("new{n}"))] {
            let target = Target::New(new.clone());
            let restored = restore(&data, &block.name, &target).unwrap();
            assert_eq!((&restored.data, restored.moved_aside), (&new, None));
            assert_eq!(lines(Layout::new(&new)), then);
            let again = restore(&data, &block.name, &target).unwrap_err();
            assert!(again.to_string().contains("not empty"), "{again}");
            let epoch = house.log.epoch();
            let mut other = House::open(&new, SEGMENT);
            assert_eq!(other.log.epoch(), epoch + 1, "no epoch is used twice");
            other.events(5);
            other.log.sync().unwrap();
            let size = other.log.size();
            drop(other);
            let verdict =
                verify_at(&disk(), &Layout::new(&new), &VerifyOptions::default()).unwrap();
            assert!(verdict.damage.is_none(), "{:?}", verdict.damage);
            assert_eq!(verdict.head.seq, size);
        }
        // The log that it came from is not touched.
        house.events(1);
        house.log.sync().unwrap();
        let size = house.log.size();
        drop(house);
        check_log(&data, size);
    }
}

#[test]
fn loop_a_difference_is_told_in_either_order_and_across_retirement() {
    if LoopFs::skipped(&[]) {
        return;
    }
    for (_fs, data, _) in volumes(64 << 20) {
        let mut house = House::open(&data, SEGMENT);
        house.events(300);
        let first = house.seal().unwrap().unwrap();
        house.events(200);
        let retired = house.log.segments()[0].last;
        house.log.retire(retired).unwrap();
        let second = house.seal().unwrap().unwrap();
        let (a, b) = (house.path(&first), house.path(&second));
        let told = diff(&disk(), &a, &b).unwrap();
        assert_eq!(told, diff(&disk(), &b, &a).unwrap());
        assert_eq!(told.forked, None);
        assert_eq!(told.lines, second.size - first.size);
        assert_eq!(told.events.get("flow"), Some(&200));
        assert_eq!(told.events.get("retired"), Some(&1));
        assert_eq!(told.retired_lines, retired);
        assert!(told.times.is_some());
        let same = diff(&disk(), &a, &a).unwrap();
        assert_eq!((same.lines, same.forked), (0, None));
        let none = diff(&disk(), &a, &data.join("blocks/block-9-000000000000"));
        assert!(none.is_err());
    }
}

#[test]
fn loop_a_block_is_sent_whole_and_as_what_is_new_since_another() {
    if LoopFs::skipped(&["btrfs"]) {
        return;
    }
    let (fs, replica) = (
        LoopFs::btrfs(0, "compress=zstd:3").unwrap(),
        LoopFs::btrfs(0, "compress=zstd:3").unwrap(),
    );
    let data = fs.path().join("data");
    make_subvolumes(&data).unwrap();
    let mut house = House::open(&data, SEGMENT);
    house.events(1000);
    let first = house.seal().unwrap().unwrap();
    house.events(10);
    let second = house.seal().unwrap().unwrap();
    let blocks = [(first, None), (second, Some(&first.name))];
    for compressed in [false, true] {
        let options = SendOptions { compressed };
        let mut sizes = Vec::new();
        for (block, parent) in &blocks {
            let stream = fs.path().join("stream");
            let out = fs::File::create(&stream).unwrap();
            let volume = house.sealer.volume();
            volume.send(&block.name, *parent, out.as_fd(), options).unwrap();
            sizes.push(out.metadata().unwrap().len());
            let at = replica.path().join(if compressed { "two" } else { "one" });
            fs::create_dir_all(&at).unwrap();
            receive(&stream, &at);
            let received = at.join(block.name.to_string());
            let (ours, theirs) =
                (Layout::of_block(&house.path(block)), Layout::of_block(&received));
            assert_eq!(lines(ours), lines(theirs));
        }
        assert!(sizes[1] * 4 < sizes[0], "{sizes:?}: an increment is small");
    }
    let volume = house.sealer.volume();
    let none = ghost_block::BlockName { number: 9, root: [0; 6] };
    let out = fs::File::create(fs.path().join("stream")).unwrap();
    let error = volume.send(&none, None, out.as_fd(), SendOptions { compressed: false });
    assert!(matches!(error, Err(BlockError::NoSuchBlock { .. })), "{error:?}");
    assert_eq!(path_of(&data, &none).parent().unwrap(), data.join("blocks"));
    // A plain folder has no streams, and says so.
    let plain = fs.path().join("plain");
    fs::create_dir_all(plain.join("log")).unwrap();
    let mut plain = open_volume(&plain);
    assert_eq!(plain.kind(), VolumeKind::Folder);
    let error = plain.send(&none, None, out.as_fd(), SendOptions { compressed: false });
    assert!(matches!(error, Err(BlockError::TakesBtrfs { .. })), "{error:?}");
}

#[expect(clippy::disallowed_methods, reason = "the test plays a replica")]
fn receive(stream: &Path, at: &Path) {
    let done = std::process::Command::new("btrfs")
        .args(["receive", "-q", "-f"])
        .args([stream, at])
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
