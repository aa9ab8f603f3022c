//! What somebody with every right did to a log and its blocks on a real btrfs, found by the real
//! program from what was kept elsewhere: the flag that makes a snapshot read only is no defence.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ghost_lab::LoopFs;
use serde_json::Value;
use support::{House, copy, fixture, text};

/// A data folder on a btrfs of its own, with a block, and what somebody elsewhere kept: its
/// checkpoint and the log's key.
struct Kept {
    fs: LoopFs,
    house: House,
    data: PathBuf,
    block: PathBuf,
    checkpoint: PathBuf,
    key: String,
}

fn kept() -> Kept {
    let fs = LoopFs::btrfs(256 << 20, "compress=zstd:3,noatime").unwrap();
    let house = House::new();
    let data = fs.path().join("data");
    house.run_in(&data, &["init"]).ends(0);
    house.run_in(&data, &["import", text(&fixture("ppp__DnsPackets.pcap"))]).ends(0);
    let blocks = data.join("blocks");
    let name = fs::read_dir(&blocks).unwrap().next().unwrap().unwrap().file_name();
    let block = blocks.join(name);
    let checkpoint = house.path("kept-checkpoint");
    fs::copy(block.join("checkpoint"), &checkpoint).unwrap();
    let key = house.run_in(&data, &["key", "show"]).ends(0).out.trim().to_owned();
    let kept = Kept { fs, house, data, block, checkpoint, key };
    let honest = kept.verify(&[text(&kept.block)], 0);
    assert_eq!(honest["signed"]["vouched"], true, "{honest}");
    kept
}

impl Kept {
    /// What `log verify` says with what was kept.
    #[track_caller]
    fn verify(&self, place: &[&str], code: i32) -> Value {
        let against = text(&self.checkpoint);
        let mut words = vec!["log", "verify", "-o", "json", "--against", against];
        words.extend(["--key", &self.key]);
        words.extend(place);
        self.house.run_in(&self.data, &words).ends(code).json()
    }

    /// Edits a file of the block behind the read-only flag, and sets the flag again.
    fn edit_block(&self, file: &str, edit: impl FnOnce(&mut Vec<u8>)) {
        let path = self.block.join(file);
        assert_eq!(fs::write(&path, "x").unwrap_err().raw_os_error(), Some(30), "EROFS");
        read_only(&self.block, false);
        let mut bytes = fs::read(&path).unwrap();
        edit(&mut bytes);
        fs::write(&path, bytes).unwrap();
        read_only(&self.block, true);
    }
}

#[expect(clippy::disallowed_methods, reason = "the test starts btrfs")]
fn read_only(subvolume: &Path, on: bool) {
    let state = Command::new("btrfs")
        .args(["property", "set", "-f", "-t", "subvol", text(&subvolume), "ro"])
        .arg(on.to_string())
        .status()
        .unwrap();
    assert!(state.success());
}

fn names(verdict: &Value) -> Vec<&str> {
    let findings = verdict["findings"].as_array().unwrap();
    findings.iter().map(|f| f["kind"].as_str().unwrap()).collect()
}

#[test]
fn loop_a_snapshot_that_was_edited_behind_its_flag_is_found() {
    if LoopFs::skipped(&["btrfs"]) {
        return;
    }
    let kept = kept();
    let mut altered = 0;
    kept.edit_block("events.jsonl", |bytes| {
        altered = bytes.iter().filter(|b| **b == b'\n').count() / 2;
        let at = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').nth(altered).unwrap().0;
        bytes[at + 40] ^= 1;
    });
    let verdict = kept.verify(&[text(&kept.block)], 1);
    assert_eq!(verdict["damage"]["kind"], "altered", "{verdict}");
    assert_eq!(verdict["damage"]["seq"], altered + 2, "{verdict}");
    // The log itself, from which the snapshot was taken, is as it was.
    kept.verify(&[], 0);
}

#[test]
fn loop_a_checkpoint_edited_in_a_snapshot_is_found() {
    if LoopFs::skipped(&["btrfs"]) {
        return;
    }
    let kept = kept();
    kept.edit_block("checkpoint", |bytes| {
        let note = String::from_utf8(bytes.clone()).unwrap();
        let mut lines: Vec<&str> = note.split('\n').collect();
        lines[2] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        *bytes = lines.join("\n").into_bytes();
    });
    let verdict = kept.verify(&[text(&kept.block)], 1);
    assert_eq!(names(&verdict), ["wrong_signature", "rewritten"], "{verdict}");
}

/// Another log, whole in itself, stands in its place.
#[test]
fn loop_a_log_that_was_replaced_whole_is_found_by_what_was_kept() {
    if LoopFs::skipped(&["btrfs"]) {
        return;
    }
    let kept = kept();
    let other = kept.fs.path().join("other");
    let capture = fixture("tcpdump__ntp.pcap");
    kept.house.run_in(&other, &["import", text(&capture)]).ends(0);
    let alone = kept.house.run_in(&other, &["log", "verify", "-o", "json"]).ends(0).json();
    assert_eq!(alone["ok"], true);
    let verdict = kept.verify(&[text(&other)], 1);
    assert!(names(&verdict).contains(&"other_log"), "{verdict}");
    assert!(names(&verdict).contains(&"key_swapped"), "{verdict}");
}

/// A log that went on from an older copy of itself, with its own key: shorter, then other lines.
#[test]
fn loop_a_log_that_was_set_back_and_went_on_is_found() {
    if LoopFs::skipped(&["btrfs"]) {
        return;
    }
    let fs = LoopFs::btrfs(256 << 20, "compress=zstd:3,noatime").unwrap();
    let house = House::new();
    let data = fs.path().join("data");
    house.run_in(&data, &["import", text(&fixture("tcpdump__ntp.pcap"))]).ends(0);
    let back = fs.path().join("back");
    copy(&data, &back);
    house.run_in(&data, &["import", text(&fixture("ppp__DnsPackets.pcap"))]).ends(0);
    let checkpoint = house.path("kept");
    fs::copy(data.join("log/checkpoint"), &checkpoint).unwrap();
    let against = ["log", "verify", "-o", "json", "--against", text(&checkpoint)];
    house.run_in(&data, &against).ends(0);
    let set_back = house.run_in(&back, &against).ends(1).json();
    assert_eq!(set_back["damage"]["kind"], "cut_off", "{set_back}");
    // Until it is as long again: then by its root.
    for capture in ["ppp__Dhcp1.pcap", "ppp__DnsPackets.pcap", "made__syn-flood.pcap"] {
        house.run_in(&back, &["import", text(&fixture(capture))]).ends(0);
    }
    house.run_in(&back, &["log", "verify"]).ends(0);
    let went_on = house.run_in(&back, &against).ends(1).json();
    assert_eq!(names(&went_on), ["rewritten"], "{went_on}");
}
