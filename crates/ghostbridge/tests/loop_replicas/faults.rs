//! The faults that replication is for. After each: nothing acknowledged is lost, nothing forged is
//! there, and both sides come to have the same.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::lanes::{PRESSING, QUIET};
use crate::pair::{Pair, blocks, last_seq, lines_of, skipped, tool, wait};
use crate::support::copy;
use ghost_lab::{Line, LoopFs, set_read_only};

/// Nothing is sealed but when the test says so.
const BY_HAND: &str = "[blocks]\nstrategy = \"off\"\n";

/// The newest line that the replica has acknowledged, as its primary tells it.
fn acknowledged(pair: &Pair) -> u64 {
    pair.status()["held"].as_u64().unwrap_or(0)
}

#[test]
fn loop_a_connection_that_breaks_at_any_byte_is_taken_up_again() {
    if skipped() {
        return;
    }
    let pair = Pair::new("");
    let mut at = 400;
    for round in 0..12 {
        // From within the handshake of ssh to behind a whole block.
        pair.relay.set(Line { breaks_after: Some(at), ..Line::default() });
        pair.relay.cut();
        pair.primary.import(if round % 2 == 0 { PRESSING } else { QUIET });
        let acked = acknowledged(&pair);
        let before = pair.relay.carried().connections;
        let lines = last_seq(&pair.primary.lines());
        // At once: after so many failures it would wait long.
        let _ = pair.primary.run(&["replica", "sync", "far"]);
        wait("another connection, or all of it there", || {
            pair.relay.carried().connections > before || last_seq(&pair.shown()) >= lines
        })
        .unwrap_or_else(|late| panic!("{late}\n{}", pair.words()));
        pair.holds_at_least(acked);
        at += at / 2 + 97;
    }
    let acked = acknowledged(&pair);
    pair.relay.set(Line::default());
    pair.relay.cut();
    pair.primary.run(&["replica", "sync", "far"]).ends(0);
    pair.converges();
    pair.holds_at_least(acked);
}

#[test]
fn loop_a_replica_that_is_killed_while_it_receives_removes_what_is_unfinished() {
    if skipped() {
        return;
    }
    let mut pair = Pair::new(BY_HAND);
    for _ in 0..3 {
        pair.primary.import("ppp__many-protocols.pcap");
    }
    let acked = acknowledged(&pair);
    let folder = pair.received().unwrap().join("blocks");
    // Slow enough that it is caught in the middle.
    pair.relay.set(Line { bytes_a_second: Some(20_000), ..Line::default() });
    let number = pair.primary.seal();
    wait("a block on its way", || {
        let names = fs::read_dir(&folder).unwrap().flatten().map(|e| e.file_name());
        names.into_iter().any(|n| n.to_string_lossy().starts_with("incoming"))
    })
    .unwrap_or_else(|late| panic!("{late}\n{}", pair.words()));
    pair.replica.kill();
    assert!(pair.newest().unwrap().0 < number, "it was not caught in the middle");
    pair.relay.set(Line::default());
    pair.replica.start();
    pair.converges();
    pair.holds_at_least(acked);
}

#[test]
fn loop_a_full_disk_on_the_replica_is_told_and_what_is_missing_comes_when_there_is_room() {
    if skipped() {
        return;
    }
    let pair = Pair::new(BY_HAND);
    let filler = pair.replica.disk.path().join("filler");
    // Until nothing more goes in: real data, since holes take no room.
    let file = fs::File::create(&filler).unwrap();
    let mut written = 0;
    let mut noise = vec![0_u8; 1 << 20];
    let mut random = fs::File::open("/dev/urandom").unwrap();
    loop {
        random.read_exact(&mut noise).unwrap();
        if std::os::unix::fs::FileExt::write_at(&file, &noise, written).is_err() {
            break;
        }
        written += noise.len() as u64;
        if file.sync_data().is_err() {
            break;
        }
    }
    drop(file);
    pair.primary.import(PRESSING);
    let before = pair.newest().unwrap().0;
    let number = pair.primary.seal();
    assert!(number > before);
    let told = pair.stands("told as full", |s| {
        s["health"] == "full" || s["refused"] == "full" || s["waits"].as_str() > Some("")
    });
    let acked = told["held"].as_u64().unwrap();
    pair.holds_at_least(acked);
    fs::remove_file(&filler).unwrap();
    tool(&["btrfs", "filesystem", "sync", pair.replica.disk.path().to_str().unwrap()]);
    pair.primary.run(&["replica", "sync", "far"]).ends(0);
    pair.converges();
    pair.holds_at_least(acked);
}

#[test]
fn loop_a_parent_that_is_missing_on_the_replica_costs_a_whole_block_and_nothing_else() {
    if skipped() {
        return;
    }
    let mut pair = Pair::new(BY_HAND);
    pair.primary.import(QUIET);
    pair.converges();
    let acked = acknowledged(&pair);
    pair.replica.stop();
    for (_, path) in blocks(&pair.received().unwrap().join("blocks")) {
        tool(&["btrfs", "-q", "subvolume", "delete", path.to_str().unwrap()]);
    }
    pair.replica.start();
    pair.primary.import(PRESSING);
    pair.converges();
    pair.holds_at_least(acked);
    let told = pair.status();
    assert!(told["blocks_whole"].as_u64() >= Some(2), "{told}");
}

#[test]
fn loop_a_replica_that_was_made_anew_gets_everything_again() {
    if skipped() {
        return;
    }
    let mut pair = Pair::new(BY_HAND);
    pair.primary.import(QUIET);
    pair.converges();
    let acked = acknowledged(&pair);
    pair.replica.stop();
    let held = pair.received().unwrap();
    for (_, path) in blocks(&held.join("blocks")) {
        tool(&["btrfs", "-q", "subvolume", "delete", path.to_str().unwrap()]);
    }
    fs::remove_dir_all(&held).unwrap();
    pair.replica.start();
    pair.primary.import(PRESSING);
    // Another witness's key under the same name: a person is asked, and does what is said.
    let told = pair.stands("told", |s| s["refused"] == "unsigned");
    assert!(told["refused_words"].as_str().unwrap().contains("Remove it here"), "{told}");
    pair.primary.run(&["replica", "remove", "far"]).ends(0);
    pair.connect("far");
    pair.holds_at_least(acked);
}

#[test]
fn loop_what_the_replicas_root_edited_behind_the_read_only_flag_is_never_built_upon() {
    if skipped() {
        return;
    }
    let pair = Pair::new(BY_HAND);
    pair.primary.import(PRESSING);
    let block = pair.converges();
    let file = block.join("events.jsonl");
    let uuid = || received_uuid(&block);
    let before = uuid();
    // btrfs would apply the next increment on top, and say that all is well.
    set_read_only(&block, false).unwrap();
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.len() / 2;
    bytes[at] = if bytes[at] == b'7' { b'8' } else { b'7' };
    fs::write(&file, &bytes).unwrap();
    set_read_only(&block, true).unwrap();
    assert_eq!(uuid(), before, "nothing shows that it was edited");
    pair.primary.import(QUIET);
    pair.primary.import(PRESSING);
    let newest = pair.converges();
    assert!(newest != block, "another block stands");
    // And what root edits in the newest block is no parent of the next.
    set_read_only(&newest, false).unwrap();
    fs::write(newest.join("events.jsonl"), "{}\n").unwrap();
    set_read_only(&newest, true).unwrap();
    pair.primary.import(QUIET);
    pair.converges();
}

fn received_uuid(subvolume: &Path) -> String {
    let shown = tool(&["btrfs", "subvolume", "show", subvolume.to_str().unwrap()]);
    let line = shown.lines().find(|l| l.contains("Received UUID"));
    line.map(|l| l.trim().to_owned()).expect("every subvolume shows one")
}

#[test]
fn loop_a_primary_that_is_killed_between_seal_and_send_sends_after_its_start() {
    if skipped() {
        return;
    }
    let mut pair = Pair::new(BY_HAND);
    pair.relay.down(true);
    pair.primary.import(PRESSING);
    let acked = last_seq(&pair.shown());
    let number = pair.primary.seal();
    pair.primary.kill();
    pair.relay.down(false);
    pair.primary.start();
    pair.converges();
    assert!(pair.newest().unwrap().0 >= number);
    pair.holds_at_least(acked);
}

#[test]
fn loop_a_primary_that_was_set_back_is_fenced_and_both_sides_say_so() {
    if skipped() {
        return;
    }
    let mut pair = Pair::new(BY_HAND);
    pair.primary.import(QUIET);
    pair.converges();
    pair.primary.stop();
    // A backup of the whole folder, and life goes on.
    let (data, backup) = (pair.primary.data(), pair.primary.disk.path().join("backup"));
    copy(&data.join("log"), &backup.join("log"));
    copy(&data.join("state"), &backup.join("state"));
    pair.primary.start();
    pair.primary.import(PRESSING);
    let block = pair.converges();
    let (good, acked) = (lines_of(&block), acknowledged(&pair));
    pair.primary.stop();
    // The old state is put back: lines that were acknowledged are gone.
    put_back(&backup.join("log"), &data.join("log"));
    put_back(&backup.join("state"), &data.join("state"));
    pair.primary.start();
    let told = pair.stands("told", |s| s["state"] == "refused" || s["state"] == "diverged");
    let code = told["refused"].as_str().unwrap_or_default().to_owned();
    assert!(["shrunk", "fork", "stale_epoch"].contains(&code.as_str()), "{told}");
    // Other lines do not make it welcome again.
    for _ in 0..4 {
        pair.primary.import(PRESSING);
    }
    pair.primary.seal();
    let _ = pair.primary.run(&["replica", "sync", "far"]);
    thread::sleep(Duration::from_secs(2));
    let told = pair.status();
    assert!(told["state"] == "refused" || told["state"] == "diverged", "{told}");
    assert_eq!(lines_of(&pair.newest().unwrap().1), good, "the replica keeps what it had");
    assert!(last_seq(&pair.shown()) >= acked);
    let evidence = pair.received().unwrap().join("evidence");
    assert!(fs::read_dir(&evidence).unwrap().count() > 0, "both checkpoints are kept");
}

fn put_back(from: &Path, to: &Path) {
    for entry in fs::read_dir(to).unwrap().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }
    copy(from, to);
}

#[test]
fn loop_power_lost_on_the_primary_after_an_acknowledgement_is_no_fork() {
    if skipped() {
        return;
    }
    // The primary's disk is a file on another file system, where it can be copied in one step.
    let outer = LoopFs::btrfs(1 << 30, "noatime").unwrap();
    let inner = LoopFs::btrfs_in(outer.path(), 256 << 20, "compress=zstd:3,noatime").unwrap();
    let replica = LoopFs::btrfs(256 << 20, "compress=zstd:3,noatime").unwrap();
    let mut pair = Pair::on(inner, replica, "");
    for round in 0..3 {
        let before = acknowledged(&pair);
        pair.primary.import(PRESSING);
        pair.stands("acknowledged", |s| s["held"].as_u64() > Some(before));
        // The power goes: what the disk has now is all that will be left.
        let at = outer.path().join(format!("at-{round}"));
        let image = pair.primary.disk.image().to_owned();
        let acked = acknowledged(&pair);
        pair.relay.down(true);
        tool(&["cp", "--reflink=always", image.to_str().unwrap(), at.to_str().unwrap()]);
        pair.primary.kill();
        pair.primary.disk = LoopFs::of_image(&at, "compress=zstd:3,noatime").unwrap();
        pair.primary.follow_disk();
        pair.relay.down(false);
        pair.primary.start();
        pair.primary.import(QUIET);
        pair.converges();
        let told = pair.status();
        assert_eq!(told["refused"], "", "{told}");
        pair.holds_at_least(acked);
    }
}

#[test]
fn loop_over_a_slow_line_what_presses_overtakes_a_block_and_all_of_it_arrives() {
    if skipped() {
        return;
    }
    let pair = Pair::new(BY_HAND);
    pair.relay.set(Line::SLOW);
    for _ in 0..5 {
        pair.primary.import("ppp__many-protocols.pcap");
    }
    let before = pair.newest().unwrap().0;
    let number = pair.primary.seal();
    let had = last_seq(&pair.shown());
    pair.primary.import(PRESSING);
    wait("pressing lines arrive", || last_seq(&pair.shown()) > had)
        .unwrap_or_else(|late| panic!("{late}\n{}", pair.words()));
    let acked = acknowledged(&pair);
    pair.stands("the slow line's rate is measured", |s| {
        (5_000..200_000).contains(&s["bandwidth_bytes_per_s"].as_u64().unwrap_or(0))
    });
    wait("the block arrives", || pair.newest().is_some_and(|(n, _)| n >= number))
        .unwrap_or_else(|late| panic!("{late}\n{}", pair.words()));
    assert!(number > before);
    pair.relay.set(Line::default());
    pair.converges();
    pair.holds_at_least(acked);
}

#[test]
fn loop_a_line_that_flaps_loses_nothing_and_is_not_hammered() {
    if skipped() {
        return;
    }
    let pair = Pair::new("");
    let before = pair.relay.carried().connections;
    let mut acked = 0;
    for round in 0..8 {
        pair.relay.down(true);
        pair.primary.import(if round % 2 == 0 { PRESSING } else { QUIET });
        thread::sleep(Duration::from_millis(150));
        pair.relay.down(false);
        thread::sleep(Duration::from_millis(350));
        let now = acknowledged(&pair);
        assert!(now >= acked);
        acked = now;
    }
    pair.converges();
    pair.holds_at_least(acked);
    let made = pair.relay.carried().connections - before;
    assert!(made < 60, "{made} connections in a few seconds");
}

#[test]
fn loop_a_replica_that_was_away_is_caught_up_by_one_block_and_nothing_piles_up() {
    if skipped() {
        return;
    }
    let pair = Pair::new(BY_HAND);
    let sent = pair.status()["blocks_sent"].as_u64().unwrap();
    pair.relay.down(true);
    let acked = acknowledged(&pair);
    let mut most = 0;
    for _ in 0..25 {
        pair.primary.import(QUIET);
        pair.primary.seal();
        most = most.max(blocks(&pair.primary.data().join("blocks")).len());
    }
    assert!(most <= 4, "{most} blocks on the primary");
    pair.relay.down(false);
    let block = pair.converges();
    let told = pair.status();
    let sends = told["blocks_sent"].as_u64().unwrap() - sent;
    assert!(sends <= 2, "{sends} blocks were sent: {told}");
    assert_eq!(told["blocks_whole"].as_u64(), Some(1), "grown from the one that both had: {told}");
    assert!(blocks(block.parent().unwrap()).len() <= 30);
    pair.holds_at_least(acked);
}
