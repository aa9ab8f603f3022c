//! `log` and `index`, run as a user runs them on logs that were tampered with, cut, or moved.

mod support;

use std::fs;
use std::path::Path;

use serde_json::Value;
use support::pcap;
use support::{House, copy, fixture, fixtures, text};

fn small() -> House {
    House::with(&[&fixture("ppp__DnsPackets.pcap")])
}

/// The lines of the active segment, newlines included.
fn lines(house: &House) -> Vec<Vec<u8>> {
    let bytes = fs::read(house.log()).unwrap();
    bytes.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect()
}

/// Writes `lines` as the log and verifies it; what the verdict says of the damage.
#[track_caller]
fn damage(house: &House, lines: &[Vec<u8>]) -> Value {
    fs::write(house.log(), lines.concat()).unwrap();
    let ran = house.run(&["log", "verify", "-o", "json"]).ends(1);
    let verdict = ran.json();
    assert_eq!(verdict["ok"], false);
    let damage = verdict["damage"].clone();
    let message = damage["message"].as_str().unwrap();
    let table = house.run(&["log", "verify"]).ends(1);
    assert!(table.out.starts_with(&format!("DAMAGED: {message}")), "{}", table.out);
    damage
}

#[test]
fn plain_each_damage_has_its_message_and_its_line() {
    let house = small();
    let whole = lines(&house);
    let verdict = house.run(&["log", "verify", "-o", "json"]).ends(0).json();
    assert_eq!((&verdict["ok"], &verdict["damage"]), (&true.into(), &Value::Null));
    assert_eq!(verdict["lines"], whole.len());
    let told = |damage: &Value| damage["message"].as_str().unwrap().to_owned();

    let mut altered = whole.clone();
    let at = altered[19].iter().position(|b| *b == b'.').unwrap();
    altered[19][at] = b',';
    let found = damage(&house, &altered);
    assert!(told(&found).starts_with("altered: line 20 is not the line that was written"));
    assert_eq!((&found["seq"], &found["line"]), (&20.into(), &20.into()));

    let mut dropped = whole.clone();
    dropped.remove(29);
    let found = damage(&house, &dropped);
    assert!(told(&found).starts_with("dropped: line 30 is missing"), "{found}");
    assert_eq!(found["line"], 30);

    let mut swapped = whole.clone();
    swapped.swap(39, 40);
    let found = damage(&house, &swapped);
    assert!(told(&found).starts_with("swapped: line 41 stands in the place of line 40"), "{found}");
    assert_eq!(found["line"], 40);

    let mut torn = whole.clone();
    let last = torn.last_mut().unwrap();
    last.truncate(last.len() / 2);
    let found = damage(&house, &torn);
    // It is in a signed block: what is left of it is no torn tail, but a log that was cut off.
    assert!(told(&found).starts_with("cut off"), "{found}");
    assert_eq!(found["line"], whole.len());

    let found = damage(&house, &whole[..whole.len() - 3]);
    assert!(told(&found).contains("cut off"), "{found}");

    fs::write(house.log(), whole.concat()).unwrap();
    house.run(&["log", "verify"]).ends(0);
}

#[test]
fn plain_a_forked_history_is_found_where_it_parts() {
    let house = small();
    let parted = lines(&house).len();
    let other = House::new();
    copy(&house.data(), &other.data());
    house.run(&["import", text(&fixture("tcpdump__ntp.pcap"))]).ends(0);
    other.run(&["import", text(&fixture("ppp__Dhcp1.pcap"))]).ends(0);
    let mut forked = lines(&house);
    forked.extend_from_slice(&lines(&other)[parted..]);
    let at = lines(&house).len() + 1;
    let found = damage(&house, &forked);
    assert!(found["message"].as_str().unwrap().starts_with("forked: "), "{found}");
    assert_eq!(found["line"], at);
}

#[test]
fn plain_a_head_from_elsewhere_shows_what_the_chain_alone_can_not() {
    let house = small();
    let head = house.run(&["log", "verify", "-o", "json"]).ends(0).json()["head"].clone();
    let head = head.as_str().unwrap();
    house.run(&["log", "verify", "--against", head]).ends(0);
    // Everything is rewritten, state included: only who kept the head can tell.
    let other = House::with(&[&fixture("tcpdump__ntp.pcap")]);
    other.run(&["log", "verify"]).ends(0);
    let ran = other.run(&["log", "verify", "--against", head]).ends(1);
    assert!(ran.out.starts_with("DAMAGED: "), "{}", ran.out);
    house.run(&["log", "verify", "--against", "12:zz"]).ends(2).says("expected SEQ:LEAF");
}

#[test]
fn plain_the_next_import_cuts_a_torn_tail_and_says_so() {
    let house = small();
    let mut torn = lines(&house).concat();
    torn.extend(b"{\"timestamp\":\"2026-01-05T09:0");
    fs::write(house.log(), torn).unwrap();
    let ran = house.run(&["import", text(&fixture("tcpdump__ntp.pcap"))]).ends(0);
    ran.says("the log's end was torn: 29 bytes after line");
    house.run(&["log", "verify"]).ends(0);
    assert_eq!(house.run(&["status", "-o", "json"]).ends(0).json()["recovered"], 1);
}

#[test]
fn plain_an_import_refuses_a_damaged_log_and_changes_nothing() {
    let house = small();
    let mut altered = lines(&house);
    let at = altered[19].iter().position(|b| *b == b'.').unwrap();
    altered[19][at] = b',';
    fs::write(house.log(), altered.concat()).unwrap();
    let ran = house.run(&["import", text(&fixture("tcpdump__ntp.pcap"))]).ends(1);
    ran.says("altered: line 20").says("Nothing was changed");
    assert_eq!(fs::read(house.log()).unwrap(), altered.concat());
}

#[test]
fn plain_an_export_is_the_log_byte_for_byte() {
    let house = small();
    let ran = house.run(&["log", "export"]).ends(0);
    assert_eq!(ran.out.as_bytes(), fs::read(house.log()).unwrap());
    let ran = house.run(&["log", "export", "--from", "10", "--to", "12"]).ends(0);
    assert_eq!(ran.out.as_bytes(), lines(&house)[9..12].concat());
    let stats = house.run(&["log", "stats", "-o", "json"]).ends(0).json();
    assert_eq!(stats["lines"], lines(&house).len());
    assert_eq!(stats["kinds"]["flow"], house.events().len());
    house.run(&["log", "export", "--from", "100000"]).ends(1);
}

/// All fixtures over many segments.
fn segmented() -> House {
    let house = House::new();
    let folder = fixtures();
    house.run(&["import", "--segment-bytes", "262144", text(&folder)]).ends(0);
    house
}

fn status(house: &House) -> Value {
    house.run(&["index", "status", "-o", "json"]).ends(0).json()
}

/// What a few questions are answered, scores included.
fn answers(house: &House) -> Vec<String> {
    ["unusual DNS queries", "ssh brute force", "port scan", "web attack"]
        .map(|words| house.run(&["query", words, "--limit", "20", "-o", "jsonl"]).ends(0).out)
        .to_vec()
}

#[test]
fn plain_a_rebuild_without_a_model_gives_the_same_index_and_answers() {
    let house = segmented();
    let (before, told) = (status(&house), answers(&house));
    house.run(&["index", "rebuild"]).ends(0).says("no vector was made anew");
    assert_eq!(status(&house), before);
    assert_eq!(answers(&house), told);
    // Nothing of the index is needed.
    fs::remove_dir_all(house.data().join("index")).unwrap();
    house.run(&["index", "rebuild"]).ends(0);
    assert_eq!(status(&house), before);
    // A question finds it missing and makes it.
    fs::remove_dir_all(house.data().join("index")).unwrap();
    assert_eq!(answers(&house), told);
}

#[test]
fn plain_the_newest_segment_alone_holds_all_its_vectors() {
    let house = segmented();
    let sealed = house.data().join("log/segments");
    assert!(fs::read_dir(&sealed).unwrap().count() >= 4);
    for entry in fs::read_dir(&sealed).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    // No retirement removed them: that is told. What is left can be read all the same.
    let verdict = house.run(&["log", "verify"]).ends(0);
    assert!(verdict.out.contains("somebody took those segments away"), "{}", verdict.out);
    house.run(&["index", "rebuild"]).ends(0);
    let (mut used, mut stated) = (Vec::new(), Vec::new());
    for line in house.run(&["log", "export"]).ends(0).jsonl() {
        let shape = line["ghost"]["shape"].as_str().unwrap_or_default().to_owned();
        match line["event_type"].as_str().unwrap() {
            "flow" => used.push(shape),
            "shape" => stated.push(shape),
            _ => {}
        }
    }
    used.sort();
    used.dedup();
    stated.sort();
    assert!(used.len() > 5 && used.iter().all(|shape| stated.contains(shape)));
    let now = status(&house);
    assert_eq!(now["shapes"], stated.len());
    let events = house.run(&["flows", "-o", "jsonl"]).ends(0).jsonl();
    assert_eq!(now["events"], events.len());
    let hit = &house.run(&["query", "vrrp router", "-o", "jsonl"]).ends(0).jsonl()[0];
    assert!(hit["ghost"]["score"].as_f64().unwrap() > 0.0);
    // And the log goes on.
    house.run(&["import", "--again", text(&fixture("ppp__Dhcp1.pcap"))]).ends(0);
    house.run(&["log", "verify"]).ends(0);
}

#[test]
fn plain_a_corrupted_index_mends_itself_and_says_so() {
    let house = small();
    let (before, told) = (status(&house), answers_of(&house, "dns"));
    let mut damaged = 0;
    let mut folders = vec![house.data().join("index")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        // The others steer writing, and no answer is read from them.
        let read = ["idx", "term", "fast", "store", "fieldnorm", "pos", "json"];
        let is_read = name == "shapes" || read.iter().any(|end| name.ends_with(end));
        if bytes.len() < 64 || !is_read || name == ".managed.json" {
            continue;
        }
        let mut broken = bytes.clone();
        let middle = broken.len() / 2;
        for byte in &mut broken[middle..middle + 16] {
            *byte ^= 0xff;
        }
        fs::write(&file, broken).unwrap();
        let ran = house.run(&["query", "dns", "-o", "jsonl"]).ends(0);
        assert_eq!(ran.out, told, "{name}");
        assert!(ran.err.contains("made again from the log"), "{name}: {}", ran.err);
        let now = status(&house);
        assert_eq!(now["content_digest"], before["content_digest"], "{name}");
        damaged += 1;
        if !file.exists() {
            // The partition was made anew under other names.
            break;
        }
    }
    assert!(damaged > 0);
}

fn answers_of(house: &House, words: &str) -> String {
    house.run(&["query", words, "-o", "jsonl"]).ends(0).out
}

#[test]
fn plain_a_lone_log_file_is_adopted_into_an_empty_folder_only() {
    let folder = fixtures();
    let house = House::with(&[&folder]);
    let whole = house.run(&["log", "export"]).ends(0).out;
    let alone = house.file("events.jsonl", whole);
    let told = answers(&house);
    for command in [&["index", "rebuild", "--from"][..], &["rebuild_vector_index"]] {
        let other = House::new();
        other.run(&[command, &[text(&alone)]].concat()).ends(0);
        assert_eq!(answers(&other), told);
        assert_eq!(status(&other)["content_digest"], status(&house)["content_digest"]);
        other.run(&["log", "verify"]).ends(0);
        // It goes on from there.
        other.run(&["import", text(&house.file("more.pcap", pcap::many(3)))]).ends(0);
        other.run(&["log", "verify"]).ends(0);
        let ran = other.run(&[command, &[text(&alone)]].concat()).ends(1);
        ran.says("has a log of its own");
    }
    let mut broken = fs::read(&alone).unwrap();
    broken[5000] ^= 1;
    let broken = house.file("broken.jsonl", broken);
    let other = House::new();
    let ran = other.run(&["rebuild_vector_index", text(&broken)]).ends(1);
    ran.says("nothing was taken over");
    assert!(!Path::new(&other.log()).exists());
    other.run(&["rebuild_vector_index", "no-such-file"]).ends(1).says("No such file");
}
