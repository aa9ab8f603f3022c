//! Blocks on real disks: btrfs, ext4, and a plain folder on a file system with reflinks.

mod block;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use block::{House, check_block, disk, lines, volumes};
use ghost_block::{BlockName, VolumeKind, list};
use ghost_lab::LoopFs;
use ghost_log::Layout;

const SEGMENT: u64 = 64 << 10;

#[test]
fn loop_a_block_is_the_log_as_it_was_and_nothing_that_came_after() {
    if LoopFs::skipped(&[]) {
        return;
    }
    for (_fs, data, kind) in volumes(64 << 20) {
        let mut house = House::open(&data, SEGMENT);
        house.events(500);
        let first = house.seal().unwrap().expect("there is something new");
        let then = lines(Layout::new(&data));
        assert_eq!(then.len() as u64, first.size);
        // Written, not synced, not sealed.
        house.events(300);
        house.log.write().unwrap();
        let second = house.seal().unwrap().unwrap();
        house.events(100);
        house.log.sync().unwrap();
        assert_eq!(lines(Layout::of_block(&house.path(&first))), then, "{kind:?}");
        let now = lines(Layout::new(&data));
        let of_second = lines(Layout::of_block(&house.path(&second)));
        assert_eq!(of_second, now[..usize::try_from(second.size).unwrap()]);
        assert!(now.len() > of_second.len());
        for block in [&first, &second] {
            check_block(&house, block);
        }
        assert_eq!(house.sealer.blocks(), [first, second]);
        let manifest = ghost_block::manifest_of(&disk(), &house.path(&second)).unwrap();
        assert_eq!(manifest.events.get("flow"), Some(&300));
        let parent = manifest.parent.unwrap();
        assert_eq!((parent.block, parent.size, parent.root), (1, first.size, first.root));
        cannot_be_written(&house, kind, &second.name);
    }
}

fn cannot_be_written(house: &House, kind: VolumeKind, name: &BlockName) {
    let path = ghost_block::path_of(&house.data, name);
    let events = path.join("events.jsonl");
    if kind == VolumeKind::Btrfs {
        // Not even by root.
        let error = fs::write(path.join("new"), "x").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(30), "EROFS");
        assert!(fs::OpenOptions::new().write(true).open(&events).is_err());
        return;
    }
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&events)), (0o550, 0o440));
    for entry in fs::read_dir(path.join("segments")).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o440);
    }
}

#[test]
fn loop_an_unchanged_log_is_not_sealed_again_whatever_it_says_of_itself() {
    if LoopFs::skipped(&[]) {
        return;
    }
    for (_fs, data, _) in volumes(64 << 20) {
        let mut house = House::open(&data, SEGMENT);
        // An epoch and a key: nothing happened yet.
        assert_eq!(house.seal().unwrap(), None);
        house.events(1);
        assert!(house.seal().unwrap().is_some());
        assert_eq!(house.seal().unwrap(), None);
        let mut house = house.again(SEGMENT);
        assert_eq!(house.recovery, ghost_block::SealRecovery::default());
        house.log.rotate().unwrap();
        assert_eq!(house.seal().unwrap(), None);
        house.events(1);
        // What was logged before a start and not sealed is news after it.
        let mut house = house.again(SEGMENT);
        house.since.clear();
        let block = house.seal().unwrap().unwrap();
        assert_eq!(block.name.number, 2);
        check_block(&house, &block);
        assert_eq!(house.seal().unwrap(), None);
    }
}

#[test]
fn loop_one_block_stays_and_all_checkpoints_do() {
    if LoopFs::skipped(&[]) {
        return;
    }
    for (_fs, data, _) in volumes(64 << 20) {
        let mut house = House::open(&data, SEGMENT);
        let mut roots = Vec::new();
        for n in 1..=12u64 {
            house.events(20);
            let block = house.seal().unwrap().unwrap();
            roots.push(block.root);
            let tended = house.tend(u64::MAX).unwrap();
            assert_eq!(tended.deleted.is_some(), n > 1);
            assert_eq!(tended.retired_segments, 0);
            assert_eq!(house.names(), [block.name.to_string()]);
            assert!(house.tend(u64::MAX).unwrap().deleted.is_none());
        }
        let listed = list(&disk(), &data).unwrap();
        assert!(listed.iter().map(|block| block.root).eq(roots));
        assert!(listed.iter().map(|block| block.name.number).eq(1..=12));
        assert_eq!(listed.iter().filter(|block| block.path.is_some()).count(), 1);
        let read = |block: &ghost_block::Listed| {
            ghost_log::proof::checkpoint::SignedCheckpoint::parse(block.checkpoint.as_bytes())
        };
        for block in &listed {
            let signed = read(block).unwrap();
            assert_eq!((signed.checkpoint.size, signed.checkpoint.root), (block.size, block.root));
            assert!(signed.signed_by(house.log.verifying_key().unwrap()));
        }
    }
}

#[test]
fn loop_what_a_seal_that_was_cut_off_left_is_removed_and_no_number_is_given_twice() {
    if LoopFs::skipped(&[]) {
        return;
    }
    for (_fs, data, kind) in volumes(64 << 20) {
        let mut house = House::open(&data, SEGMENT);
        house.events(10);
        let first = house.seal().unwrap().unwrap();
        house.events(10);
        let second = house.seal().unwrap().unwrap();
        let blocks = data.join("blocks");
        // Before the freeze: a line without its block. As if it had been deleted by hand.
        house.sealer.volume().delete(&second.name.to_string()).unwrap();
        // While a folder was being filled or emptied.
        for leftover in ["coming-block-9-0123456789ab", "leaving-block-1-0123456789ab"] {
            let path = blocks.join(leftover).join("segments");
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join("x"), "x").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o550)).unwrap();
        }
        fs::write(data.join("log/manifest.json.new"), "half").unwrap();
        fs::create_dir(blocks.join("somebody's")).unwrap();
        let mut expected = vec![first.name.to_string(), "somebody's".to_owned()];
        if kind == VolumeKind::Btrfs {
            // Nobody named it, and it can be written: not ours.
            let name = BlockName { number: 7, root: [1; 6] };
            let mut volume = ghost_block::open_volume(&data);
            volume.freeze(&name).unwrap();
            run(&["btrfs", "property", "set", "-f", "-ts", &path(&blocks, &name), "ro", "false"]);
            // This one was whole once.
            run(&[
                "btrfs",
                "property",
                "set",
                "-f",
                "-ts",
                &path(&blocks, &first.name),
                "ro",
                "false",
            ]);
        }
        let mut house = house.again(SEGMENT);
        expected.sort_unstable();
        assert_eq!(house.names(), expected);
        assert_eq!(house.recovery.missing, Some(2));
        assert!(!data.join("log/manifest.json.new").exists());
        if kind == VolumeKind::Btrfs {
            assert_eq!(house.recovery.writable, [first.name.to_string()]);
            assert_eq!(house.recovery.removed.len(), 3);
            assert!(house.sealer.blocks().is_empty());
        } else {
            assert_eq!(house.recovery.removed.len(), 2);
            assert_eq!(house.sealer.blocks(), [first]);
        }
        house.events(1);
        let next = house.seal().unwrap().unwrap();
        // Where a block with a higher number was there, that number is not given either.
        assert_eq!(next.name.number, if kind == VolumeKind::Btrfs { 8 } else { 3 });
        check_block(&house, &next);
    }
}

fn path(blocks: &std::path::Path, name: &BlockName) -> String {
    blocks.join(name.to_string()).to_string_lossy().into_owned()
}

#[expect(clippy::disallowed_methods, reason = "the test plays an operator at a shell")]
fn run(argv: &[&str]) {
    let done = std::process::Command::new(argv[0]).args(&argv[1..]).output().unwrap();
    assert!(done.status.success(), "{argv:?}: {}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn loop_a_block_whose_manifest_lies_is_told_and_is_none() {
    if LoopFs::skipped(&[]) {
        return;
    }
    for (_fs, data, kind) in volumes(64 << 20) {
        if kind == VolumeKind::Btrfs {
            continue;
        }
        let mut house = House::open(&data, SEGMENT);
        house.events(10);
        let first = house.seal().unwrap().unwrap();
        let manifest = house.path(&first).join("manifest.json");
        let text = fs::read_to_string(&manifest).unwrap();
        fs::set_permissions(&manifest, fs::Permissions::from_mode(0o640)).unwrap();
        fs::write(&manifest, text.replace("\"block\":1", "\"block\":2")).unwrap();
        assert!(ghost_block::manifest_of(&disk(), &house.path(&first)).is_err());
        let house = house.again(SEGMENT);
        assert_eq!(house.recovery.damaged.len(), 1);
        assert_eq!(house.recovery.missing, Some(1));
        assert!(house.sealer.blocks().is_empty());
    }
}
