//! Blocks through the program on a real btrfs of the test's own.

mod support;

use std::fs;

use ghost_lab::LoopFs;
use serde_json::Value;
use support::served::{Served, standing};
use support::{House, fixture, text};

/// A house whose data folder lies on `disk`.
fn on(disk: &LoopFs) -> House {
    let house = House::new();
    let data = disk.path().join("data");
    fs::create_dir(&data).unwrap();
    std::os::unix::fs::symlink(&data, house.data()).unwrap();
    house
}

/// A line of a process's status, as a number.
fn capabilities(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("CapEff:")).unwrap();
    u64::from_str_radix(line.trim(), 16).unwrap()
}

/// The block helper that `daemon` started.
fn helper_of(daemon: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{daemon}/task/{daemon}/children")).ok()?;
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).find(|pid: &u32| {
        fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains("block-helper"))
    })
}

#[test]
fn loop_a_daemon_on_btrfs_freezes_through_its_helper_and_keeps_one_block() {
    if LoopFs::skipped(&["mkfs.btrfs"]) {
        return;
    }
    let disk = LoopFs::btrfs(160 << 20, "compress=zstd:3,noatime").unwrap();
    let house = on(&disk);
    let daemon = Served::start(&house, "");
    house.run(&["import", text(&fixture("made__ssh-brute-force.pcap"))]).ends(0);
    let told = standing(&house, "a block", |s| s["blocks"]["last"].as_u64() > Some(0));
    assert_eq!(told["blocks"]["volume"], "btrfs", "{}", told["blocks"]);
    assert_eq!(capabilities(daemon.pid()), 0, "the engine keeps nothing");
    let helper = helper_of(daemon.pid()).expect("a block helper runs");
    assert_eq!(capabilities(helper), 1 << 21, "CAP_SYS_ADMIN alone");
    let path = house.run(&["block", "path"]).ends(0).out.trim().to_owned();
    let written = fs::write(format!("{path}/events.jsonl"), "x");
    assert_eq!(written.unwrap_err().kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    let mut last = told["blocks"]["last"].as_u64().unwrap();
    for _ in 0..3 {
        house.run(&["import", "--again", text(&fixture("made__ssh-brute-force.pcap"))]).ends(0);
        let told = standing(&house, "the next", |s| s["blocks"]["last"].as_u64() > Some(last));
        last = told["blocks"]["last"].as_u64().unwrap();
    }
    standing(&house, "one block alone", |s| s["blocks"]["kept"] == 1);
    // Killed, and taken up again.
    drop(daemon);
    let daemon = Served::start(&house, "");
    house.run(&["import", text(&fixture("tcpdump__ntp.pcap"))]).ends(0);
    let sealed = house.run(&["block", "seal", "-o", "json"]).ends(0).json();
    assert!(sealed["block"].as_u64() > Some(last), "{sealed}");
    daemon.stop();
    house.run(&["log", "verify"]).ends(0);
    let there: Vec<Value> = house.run(&["block", "list", "-o", "jsonl"]).ends(0).jsonl();
    assert_eq!(there.iter().filter(|b| !b["path"].is_null()).count(), 1, "{there:?}");
}

#[test]
fn loop_a_block_on_btrfs_is_restored_and_the_next_start_is_a_new_epoch() {
    if LoopFs::skipped(&["mkfs.btrfs"]) {
        return;
    }
    let disk = LoopFs::btrfs(160 << 20, "compress=zstd:3,noatime").unwrap();
    let house = on(&disk);
    house.run(&["import", text(&fixture("made__ssh-brute-force.pcap"))]).ends(0);
    let events = house.events();
    let daemon = Served::start(&house, "[blocks]\nstrategy = \"off\"\nkeep_last = 5\n");
    house.run(&["import", text(&fixture("tcpdump__ntp.pcap"))]).ends(0);
    daemon.stop();
    house.run(&["block", "restore", "1", "--in-place"]).ends(0).says("new epoch");
    let daemon = Served::start(&house, "");
    let told = standing(&house, "an answer", |s| s["epoch"].as_u64().is_some());
    assert_eq!(told["epoch"], 3);
    assert_eq!(told["blocks"]["volume"], "btrfs");
    daemon.stop();
    assert_eq!(house.events(), events);
    house.run(&["log", "verify"]).ends(0);
}

#[test]
fn loop_init_puts_a_btrfs_into_a_file_and_does_what_is_left_when_repeated() {
    if LoopFs::skipped(&["mkfs.btrfs"]) {
        return;
    }
    let house = House::new();
    let unmount = Unmount(house.data());
    house.run(&["init", "--loop", "1 MiB"]).ends(2);
    let ran = house.run(&["init", "--loop", "256 MiB"]).ends(0);
    assert!(ran.out.contains("Type=btrfs"), "{}", ran.out);
    assert!(ran.err.contains("subvolume"), "{}", ran.err);
    house.run(&["import", text(&fixture("tcpdump__ntp.pcap"))]).ends(0);
    house.run(&["init", "--loop", "256 MiB"]).ends(0);
    let shown = house.run(&["block", "list", "-o", "jsonl"]).ends(0).jsonl();
    assert_eq!(shown.len(), 1);
    drop(unmount);
    // The image is there, the mount is not, as after a boot.
    assert!(!house.data().join("log").exists());
    house.run(&["init", "--loop", "256 MiB"]).ends(0).says("is there already");
    let _unmount = Unmount(house.data());
    house.run(&["log", "verify"]).ends(0);
}

struct Unmount(std::path::PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        #[expect(clippy::disallowed_methods, reason = "the test cleans up after the program")]
        let ran = std::process::Command::new("umount").arg(&self.0).output();
        drop(ran);
    }
}
