//! Both lanes as they are meant to be: lines at once, blocks behind them, the login without rights.

use std::fs;

use crate::pair::{Pair, last_seq, skipped, tool, wait};

/// A login over and over: its flows press.
pub(crate) const PRESSING: &str = "made__ssh-brute-force.pcap";
pub(crate) const QUIET: &str = "tcpdump__ntp.pcap";

#[test]
fn loop_lines_arrive_before_their_block_and_the_block_is_a_snapshot_that_takes_their_place() {
    if skipped() {
        return;
    }
    // Nothing is sealed by itself: what arrives came by the tail.
    let pair = Pair::new("[blocks]\nstrategy = \"off\"\n");
    let before = pair.newest().unwrap();
    let had = last_seq(&pair.shown());
    pair.primary.import(PRESSING);
    wait("pressing lines in the tail", || last_seq(&pair.shown()) > had).unwrap();
    assert_eq!(pair.newest().unwrap(), before, "no block came");
    let block = pair.converges();
    assert!(block > before.1);
    // Read-only, and received from the primary's snapshot.
    let shown = tool(&["btrfs", "subvolume", "show", block.to_str().unwrap()]);
    assert!(shown.contains("readonly"), "{shown}");
    let error = fs::write(block.join("events.jsonl"), "x").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    // The block has the lines: the tail gives them up.
    let tail = pair.received().unwrap().join("tail/lines.jsonl");
    let size = last_seq(&crate::pair::lines_of(&block));
    wait("the tail gives up what the block has", || {
        let bytes = fs::read(&tail).unwrap_or_default();
        bytes.split_inclusive(|b| *b == b'\n').all(|l| crate::pair::seq_of(l) > size)
    })
    .unwrap();
    let told = pair.stands("cosigned", |s| s["cosigned_size"].as_u64() >= Some(size));
    assert_eq!(told["health"], "healthy", "{told}");
    // What the replica holds verifies by itself, by the program.
    pair.replica.run(&["log", "verify", block.to_str().unwrap()]).ends(0);
}

#[test]
fn loop_three_hosts_replicas_of_one_log_are_each_other_byte_for_byte() {
    if skipped() {
        return;
    }
    let pair = Pair::new("");
    let third = crate::pair::Host::replica();
    let sshd = crate::pair::serving(&third);
    pair.connect_at("third", &sshd, sshd.address().port());
    pair.primary.import(PRESSING);
    pair.primary.import(QUIET);
    let first = pair.converges();
    let lines = crate::pair::lines_of(&first);
    wait("the third has it as well", || {
        third.received().is_some_and(|dir| {
            let newest = crate::pair::blocks(&dir.join("blocks")).into_iter().next_back();
            newest.is_some_and(|(_, path)| crate::pair::lines_of(&path) == lines)
        })
    })
    .unwrap_or_else(|late| panic!("{late}\n{}\nthird: {}", pair.words(), third.said()));
    drop(sshd);
}
