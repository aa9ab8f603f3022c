//! `log prove` and what follows from it, and `key`, run as a user runs them.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use support::{House, fixture, pcap, text};

struct Signed {
    house: House,
    key: String,
}

fn signed() -> Signed {
    let house = House::with(&[&fixture("ppp__DnsPackets.pcap")]);
    let key = house.run(&["key", "show"]).ends(0).out.trim().to_owned();
    Signed { house, key }
}

impl Signed {
    fn check(&self, proof: &str, code: i32) -> Value {
        let words = ["log", "check-proof", proof, "--key", &self.key, "-o", "json"];
        // Another folder: the log is not at hand.
        self.house.run_in(&self.house.path("nowhere"), &words).ends(code).json()
    }
}

#[test]
fn plain_a_proof_is_checked_without_the_log() {
    let signed = signed();
    let house = &signed.house;
    let proof = house.path("20.tlog-proof");
    house.run(&["log", "prove", "20", "-o", text(&proof)]).ends(0);
    let line = house.run(&["log", "export", "--from", "20", "--to", "20"]).ends(0).out;
    let checked = signed.check(text(&proof), 0);
    assert_eq!((&checked["seq"], checked["line"].as_str()), (&20.into(), Some(line.as_str())));
    let table = ["log", "check-proof", text(&proof), "--key", &signed.key];
    let table = house.run(&table).ends(0).out;
    assert!(table.starts_with("ok: line 20 is one of the "), "{table}");
    assert_eq!(house.run(&["log", "prove", "20"]).ends(0).out, fs::read_to_string(&proof).unwrap());

    // The hashes of another line, another line, another key, a file that is none.
    let whole = fs::read_to_string(&proof).unwrap();
    let changed = house.file("changed", whole.replace("index 19", "index 18"));
    assert_eq!(signed.check(text(&changed), 1)["error"]["kind"], "not_included");
    let other = house.run(&["log", "prove", "21"]).ends(0).out;
    let extra = |text: &str| text.lines().nth(1).unwrap().to_owned();
    let swapped = house.file("swapped", whole.replace(&extra(&whole), &extra(&other)));
    assert_eq!(signed.check(text(&swapped), 1)["error"]["kind"], "not_included");
    let stranger = House::with(&[&fixture("tcpdump__ntp.pcap")]);
    let strange = stranger.run(&["key", "show"]).ends(0).out;
    let words = ["log", "check-proof", text(&proof), "--key", strange.trim(), "-o", "json"];
    assert_eq!(house.run(&words).ends(1).json()["error"]["kind"], "unknown_key");
    let log = house.log();
    let words = ["log", "check-proof", text(&log), "--key", &signed.key];
    house.run(&words).ends(1).says("this is no proof");
    house.run(&["log", "prove", "100000"]).ends(1).says("in no checkpoint yet");
    house.run(&["log", "prove", "0"]).ends(1).says("numbered from 1");

    // A log that was altered yields no proof of the line.
    let log = fs::read_to_string(house.log()).unwrap();
    fs::write(house.log(), log.replacen("\"app_proto\":\"dns\"", "\"app_proto\":\"ssh\"", 1))
        .unwrap();
    let altered =
        house.run(&["log", "verify", "-o", "json"]).ends(1).json()["damage"]["seq"].clone();
    house.run(&["log", "prove", &altered.to_string()]).ends(1).says("log verify");
}

#[test]
fn plain_sizes_blocks_and_checkpoints_continue_each_other() {
    let signed = signed();
    let house = &signed.house;
    let first = house.file("first", fs::read(house.data().join("log/checkpoint")).unwrap());
    house.run(&["import", text(&fixture("tcpdump__ntp.pcap"))]).ends(0);
    let second = text(&house.data().join("log/checkpoint")).to_owned();
    let compare = |a: &str, b: &str, code| {
        house.run(&["log", "consistency", a, b, "-o", "json"]).ends(code).json()
    };
    assert!(!compare(text(&first), &second, 0)["proof"].as_array().unwrap().is_empty());
    assert_eq!(compare("block:1", text(&first), 0)["ok"], true);
    assert_eq!(compare("5", &second, 0)["ok"], true);
    // A checkpoint of other lines.
    let other = House::with(&[&fixture("ppp__Dhcp1.pcap")]);
    let strange = text(&other.data().join("log/checkpoint")).to_owned();
    let told = compare(&strange, &second, 1);
    assert!(told["error"].as_str().unwrap().contains("another root"), "{told}");
    house.run(&["log", "consistency", "9", "5"]).ends(1).says("never shrinks");
    house.run(&["log", "consistency", "block:77", "5"]).ends(1).says("no block 77");
    house.run(&["log", "consistency", "what", "5"]).ends(2).says("expected a size");

    let out = house.path("tiles");
    house.run(&["log", "tiles", "--out", text(&out)]).ends(0);
    assert_eq!(fs::read(out.join("checkpoint")).unwrap(), fs::read(&second).unwrap());
    let size = compare("5", &second, 0)["new"]["size"].as_u64().unwrap();
    let leaves = fs::read(out.join(format!("tile/0/000.p/{size}"))).unwrap();
    assert_eq!(leaves.len() as u64, size * 32);
}

#[test]
fn plain_a_key_is_replaced_by_one_that_it_names() {
    let signed = signed();
    let house = &signed.house;
    let rotated = house.run(&["key", "rotate", "-o", "json"]).ends(0).json();
    let old = signed.key.split('+').nth(1).unwrap();
    assert_eq!(rotated["by"], old);
    let shown = house.run(&["key", "show", "-o", "json"]).ends(0).json();
    assert_eq!(shown["vkey"], rotated["vkey"]);
    let verify = ["log", "verify", "--key", &signed.key, "-o", "json"];
    let verdict = house.run(&verify).ends(0).json();
    assert_eq!(verdict["signed"]["authority"]["of"], old);
    assert_eq!(verdict["signed"]["vouched"], true);

    // A backup is for its owner alone, and never in the place of another file.
    let file = house.path("backup");
    house.run(&["key", "backup", text(&file)]).ends(0).says("Whoever has this file can sign");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    house.run(&["key", "backup", text(&file)]).ends(1).says("left as it is");
    let secret = fs::read_to_string(&file).unwrap();
    house.run(&["log", "verify", "--key", secret.trim()]).ends(2).says("a private key");
    house.run(&["log", "verify", "--key", text(&file)]).ends(2).says("a private key");

    // The key is lost: the log goes on, and says what that means; the backup mends it.
    let keys = house.data().join("state/keys");
    let id = shown["key"].as_str().unwrap();
    fs::remove_file(keys.join(format!("{id}.key"))).unwrap();
    house.run(&["key", "show"]).ends(1).says("put its backup back");
    fs::copy(&file, keys.join(format!("{id}.key"))).unwrap();
    house.run(&["import", text(&fixture("tcpdump__ntp.pcap"))]).ends(0);
    house.run(&verify).ends(0);
    fs::remove_dir_all(&keys).unwrap();
    house.run(&["import", text(&fixture("ppp__Dhcp1.pcap"))]).ends(0);
    let lost = house.run(&["log", "verify", "-o", "json"]).ends(0).json();
    assert_eq!(lost["signed"]["authority"]["kind"], "nobody", "{lost}");
    let found = house.run(&verify).ends(1).json();
    assert_eq!(found["findings"][0]["kind"], "key_swapped", "{found}");
}

#[test]
fn plain_a_key_is_not_replaced_under_a_writer() {
    let signed = signed();
    let house = &signed.house;
    let capture = house.file("many.pcap", pcap::many(30_000));
    let mut child = house.begin_import(&["import", text(&capture)], 1 << 20);
    let ran = house.run(&["key", "rotate"]);
    let verified = house.run(&["log", "verify"]);
    child.kill().unwrap();
    child.wait().unwrap();
    ran.ends(1).says("another writer has this log");
    verified.ends(0);
}
