//! Blocks and elements through the program, on a plain folder: what works everywhere.

mod support;

use std::fs;

use serde_json::Value;
use support::served::{Served, standing};
use support::{House, fixture, text};

fn blocks(house: &House) -> Vec<Value> {
    house.run(&["block", "list", "-o", "jsonl"]).jsonl()
}

fn there(blocks: &[Value]) -> Vec<u64> {
    let there = blocks.iter().filter(|block| !block["path"].is_null());
    there.map(|block| block["block"].as_u64().unwrap()).collect()
}

#[test]
fn plain_a_configuration_that_cannot_be_read_lets_no_block_go() {
    let house = House::with(&[&fixture("made__ssh-brute-force.pcap")]);
    let config = house.file("ghostbridge.toml", "[blocks]\nkeep_last = 2\n");
    let with = |arguments: &[&str]| house.run_configured(&config, arguments);
    let capture = fixture("tcpdump__ntp.pcap");
    fs::write(&config, "[blocks]\nkeep_lost = 2\n").unwrap();
    with(&["import", text(&capture)]).ends(2).says("keep_lost");
    with(&["block", "seal"]).ends(2).says("keep_lost");
    assert_eq!(there(&blocks(&house)), [1]);
    fs::write(&config, "[blocks]\nkeep_last = 2\n").unwrap();
    with(&["import", text(&capture)]).ends(0);
    assert_eq!(there(&blocks(&house)), [1, 2]);
}

#[test]
fn plain_an_import_is_one_block_and_the_block_before_it_goes() {
    let house = House::with(&[&fixture("made__ssh-brute-force.pcap")]);
    let first = blocks(&house);
    assert_eq!(there(&first), [1], "{first:?}");
    let shown = house.run(&["block", "show", "-o", "json"]).ends(0).json();
    assert_eq!(shown["reason"], "stop");
    assert_eq!(shown["size"], first[0]["size"]);
    assert!(shown["events"]["flow"].as_u64().unwrap() > 0, "{shown}");
    let path = house.run(&["block", "path"]).ends(0).out;
    let lines = fs::read_to_string(format!("{}/events.jsonl", path.trim())).unwrap();
    assert_eq!(lines.lines().count() as u64, shown["size"].as_u64().unwrap());
    house.run(&["block", "seal"]).ends(1).says("nothing is new");
    house.run(&["import", text(&fixture("tcpdump__ntp.pcap"))]).ends(0);
    let second = blocks(&house);
    assert_eq!((second.len(), there(&second)), (2, vec![2]), "{second:?}");
    // The block is gone, its signed checkpoint is not.
    assert_eq!(second[0]["checkpoint"], first[0]["checkpoint"]);
    house.run(&["block", "path", "1"]).ends(1).says("is gone");
    house.run(&["block", "diff", "1", "2"]).ends(1).says("is gone");
    house.run(&["block", "show", "7"]).ends(1).says("no block 7");
    house.run(&["log", "verify"]).ends(0);
    let table = house.run(&["block", "list"]).ends(0).out;
    assert!(table.contains("gone") && table.lines().count() == 3, "{table}");
}

#[test]
fn plain_blocks_that_are_kept_are_compared_and_asked_as_of() {
    let house = House::with(&[&fixture("made__ssh-brute-force.pcap")]);
    let daemon = Served::start(&house, "[blocks]\nstrategy = \"off\"\nkeep_last = 5\n");
    house.run(&["import", text(&fixture("tcpdump__ntp.pcap"))]).ends(0);
    let sealed = house.run(&["block", "seal", "-o", "json"]).ends(0).json();
    assert_eq!((&sealed["sealed"], &sealed["block"]), (&Value::Bool(true), &2.into()));
    house.run(&["block", "seal"]).ends(1).says("nothing is new");
    let diff = house.run(&["block", "diff", "1", "2", "-o", "json"]).ends(0).json();
    assert!(diff["events"]["flow"].as_u64().unwrap() > 0, "{diff}");
    assert_eq!((&diff["forked"], &diff["older"]), (&Value::Bool(false), &1.into()));
    let hits = |words: &[&str]| house.run(&[words, &["-o", "jsonl"]].concat()).jsonl().len();
    assert!(hits(&["query", "app:ntp"]) > 0);
    assert_eq!(hits(&["query", "app:ntp", "--as-of", "1"]), 0);
    assert!(hits(&["query", "app:ntp", "--as-of", "2"]) > 0);
    assert_eq!(hits(&["query", "app:ssh", "--as-of", "1"]), hits(&["query", "app:ssh"]));
    house.run(&["query", "app:ssh", "--as-of", "9"]).ends(1).says("no block 9");
    house.run(&["query", "app:ssh", "--as-of", "1"]).ends(0).says("as of block-1-");
    daemon.stop();
}

#[test]
fn plain_a_daemon_seals_what_presses_and_goes_on_after_a_kill() {
    let house = House::new();
    let daemon = Served::start(&house, "");
    house.run(&["import", text(&fixture("made__ssh-brute-force.pcap"))]).ends(0);
    let told = standing(&house, "a block", |s| s["blocks"]["last"].as_u64() > Some(0));
    assert_eq!(told["blocks"]["last_reason"], "high", "{}", told["blocks"]);
    assert_eq!((&told["blocks"]["volume"], &told["blocks"]["kept"]), (&"folder".into(), &1.into()));
    assert!(told["blocks"]["seal"]["count"].as_u64() > Some(0));
    assert!(told["log"]["sync"]["count"].as_u64() > Some(0));
    assert!(told["log"]["kinds"]["flow"].as_u64() > Some(0), "{}", told["log"]);
    let before = told["blocks"]["last"].as_u64().unwrap();
    let metrics = house.run(&["metrics"]).ends(0).out;
    assert!(metrics.contains("ghostbridge_block_seal_seconds_bucket"), "{metrics}");
    // Killed: nothing of it may be lost or doubled.
    drop(daemon);
    house.run(&["log", "verify"]).ends(0);
    let daemon = Served::start(&house, "");
    house.run(&["import", "--again", text(&fixture("made__ssh-brute-force.pcap"))]).ends(0);
    let told = standing(&house, "the next block", |s| s["blocks"]["last"].as_u64() > Some(before));
    assert_eq!(told["blocks"]["kept"], 1, "{}", told["blocks"]);
    assert_eq!(told["epoch"], 2);
    daemon.stop();
    assert_eq!(there(&blocks(&house)).len(), 1);
    house.run(&["log", "verify"]).ends(0);
}

#[test]
fn plain_a_block_is_restored_beside_the_log_and_in_its_place() {
    let house = House::with(&[&fixture("made__ssh-brute-force.pcap")]);
    let events = house.events();
    let daemon = Served::start(&house, "[blocks]\nstrategy = \"off\"\nkeep_last = 5\n");
    house.run(&["block", "restore", "1", "--in-place"]).ends(1);
    house.run(&["import", text(&fixture("tcpdump__ntp.pcap"))]).ends(0);
    daemon.stop();
    let new = house.path("restored");
    house.run(&["block", "restore", "1", "--to", text(&new)]).ends(0).says("new epoch");
    house.run_in(&new, &["log", "verify"]).ends(0);
    house.run(&["block", "restore", "1", "--in-place"]).ends(0).says("the log that was there");
    let daemon = Served::start(&house, "");
    let told = standing(&house, "an answer", |s| s["epoch"].as_u64().is_some());
    assert_eq!(told["epoch"], 3, "no epoch is used again");
    daemon.stop();
    assert_eq!(house.events(), events);
    house.run(&["log", "verify"]).ends(0);
    assert_eq!(house.run(&["flows", "app:ntp"]).ends(1).out.lines().count(), 0);
}

#[test]
fn plain_the_disks_cap_holds_and_the_oldest_segments_go() {
    let house = House::new();
    let config = "[log]\nsegment_bytes = \"64 KiB\"\ndisk_cap = \"1 MiB\"\n\
                  [blocks]\nstrategy = \"realtime\"\n";
    let daemon = Served::start(&house, config);
    let captures = ["made__ssh-brute-force.pcap", "made__dns-tunnel.pcap", "made__port-scan.pcap"];
    for _ in 0..12 {
        for name in captures {
            house.run(&["import", "--again", text(&fixture(name))]).ends(0);
        }
    }
    let told = standing(&house, "segments retired, and less than the cap in use", |s| {
        let blocks = &s["blocks"];
        let used = blocks["log_bytes"].as_u64().unwrap_or(0)
            + blocks["pinned_bytes"].as_u64().unwrap_or(0);
        blocks["retired_segments"].as_u64() > Some(0) && used <= 1 << 20 && used > 0
    });
    assert_eq!(told["blocks"]["over_bytes"], 0, "{}", told["blocks"]);
    assert_eq!(told["blocks"]["cap_bytes"], 1 << 20);
    // Questions are answered from what is left.
    house.run(&["flows", "app:ssh", "--limit", "5"]).ends(0);
    daemon.stop();
    house.run(&["log", "verify"]).ends(0);
    let first = house.run(&["log", "stats", "-o", "json"]).ends(0).json()["first_seq"].as_u64();
    assert!(first > Some(1), "{first:?}");
}

#[test]
fn plain_init_makes_folders_and_says_what_is_lost() {
    let house = House::new();
    let ran = house.run(&["init"]).ends(0);
    let on_btrfs = ran.err.contains("subvolume");
    assert!(on_btrfs || ran.err.contains("What is lost"), "{}", ran.err);
    house.run(&["init"]).ends(0);
    house.run(&["init", "--loop", "5 sheep"]).ends(2);
    house.run(&["import", text(&fixture("tcpdump__ntp.pcap"))]).ends(0);
    house.run(&["element", "list"]).ends(1);
    house.run(&["element", "verify", "bridge:br0"]).ends(1);
}
