//! `import`, run as a user runs it: what it prints, what it refuses, and what becomes of an import
//! that was cut short.

mod support;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;
use support::pcap::{self, Pcap};
use support::{House, copy, fixture, fixtures, folder_bytes, text};

#[test]
fn plain_a_line_a_file_tells_packets_and_bytes_on_the_wire() {
    let house = House::new();
    let capture = fixture("tcpdump__ntp.pcap");
    let ran = house.run(&["import", "-o", "jsonl", text(&capture)]).ends(0);
    let lines = ran.jsonl();
    let mut keys: Vec<_> = lines[0].as_object().unwrap().keys().cloned().collect();
    keys.sort();
    let mut expected =
        ["file", "sha256", "packets", "bytes", "flows", "events", "unparsed", "error"];
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!(lines[0]["file"], text(&capture));
    assert_eq!(lines[0]["sha256"].as_str().unwrap().len(), 64);
    for (key, value) in [("packets", 8), ("bytes", 836), ("flows", 4), ("events", 4)] {
        assert_eq!(lines[0][key], value, "{key}");
    }
    assert_eq!((&lines[0]["unparsed"], &lines[0]["error"]), (&json!(0), &json!(null)));
}

#[test]
fn plain_bytes_are_those_of_the_wire_where_the_capture_kept_less() {
    let house = House::new();
    let mut capture = Pcap::new();
    capture.udp(([10, 0, 0, 1], 1), ([10, 0, 0, 2], 2), &[0; 1000]);
    // Cut the frame after 60 octets and leave its length on the wire.
    capture.bytes.truncate(24 + 16 + 60);
    capture.bytes[32..36].copy_from_slice(&60_u32.to_le_bytes());
    let capture = house.file("cut.pcap", capture.bytes);
    let line = house.run(&["import", "-o", "jsonl", text(&capture)]).ends(0).jsonl().remove(0);
    assert_eq!((&line["packets"], &line["bytes"]), (&json!(1), &json!(1042)));
    let event = house.run(&["flows", "-o", "jsonl"]).ends(0).jsonl().remove(0);
    assert_eq!(event["flow"]["bytes_toserver"], 1042);
}

#[test]
fn plain_compressed_streams_and_standard_input_give_the_same_events() {
    let capture = fixture("ppp__DnsPackets.pcap");
    let plain = fs::read(&capture).unwrap();
    let house = House::with(&[&capture]);
    let expected = house.events();
    assert!(expected.len() > 100);
    let rename = |events: Vec<String>, name: &str| -> Vec<String> {
        let shown = text(&capture);
        events
            .into_iter()
            .map(|e| e.replace(&format!("\"{name}\""), &format!("\"{shown}\"")))
            .collect()
    };

    // Stored deflate blocks: any gzip reader takes them.
    let mut gz = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let chunks: Vec<_> = plain.chunks(60_000).collect();
    for (at, chunk) in chunks.iter().enumerate() {
        let length = u16::try_from(chunk.len()).unwrap();
        gz.push(u8::from(at + 1 == chunks.len()));
        gz.extend(length.to_le_bytes());
        gz.extend((!length).to_le_bytes());
        gz.extend(*chunk);
    }
    gz.extend(crc32(&plain).to_le_bytes());
    gz.extend(u32::try_from(plain.len()).unwrap().to_le_bytes());
    // One frame of raw blocks, its content size and check left out.
    let mut zst = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58];
    for (at, chunk) in chunks.iter().enumerate() {
        let header = (chunk.len() << 3) | usize::from(at + 1 == chunks.len());
        zst.extend(&header.to_le_bytes()[..3]);
        zst.extend(*chunk);
    }
    // Told by content: the names say nothing.
    for (name, bytes) in [("one.bin", gz), ("two.bin", zst)] {
        let house = House::new();
        let file = house.file(name, bytes);
        house.run(&["import", text(&file)]).ends(0);
        assert!(rename(house.events(), text(&file)) == expected, "{name}");
    }

    let house = House::new();
    let line = house.run_on(&capture, &["import", "-o", "jsonl", "-"]).ends(0).jsonl().remove(0);
    assert_eq!(line["file"], "-");
    assert_eq!(line["sha256"].as_str().unwrap().len(), 64);
    assert!(rename(house.events(), "-") == expected, "standard input");

    // A pipe can be read but once, whatever it is called.
    let house = House::new();
    let mut child = {
        let mut command = house.command(&["import", "-o", "jsonl", "/dev/stdin"]);
        command.stdin(std::process::Stdio::piped()).spawn().unwrap()
    };
    let mut input = child.stdin.take().unwrap();
    input.write_all(&plain).unwrap();
    drop(input);
    let told = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let line: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&line["packets"], &line["error"]), (&json!(464), &json!(null)));
    assert!(rename(house.events(), "/dev/stdin") == expected, "a pipe");
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[test]
fn plain_one_or_many_jobs_log_a_folder_alike_and_leave_it_for_owner_and_group() {
    let (one, two) = (House::new(), House::new());
    let folder = fixtures();
    let all = text(&folder);
    let first = one.run(&["import", "-j1", "-o", "jsonl", all]).ends(0);
    let second = two.run(&["import", "-j2", "-o", "jsonl", all]).ends(0);
    assert_eq!(first.out, second.out);
    assert!(first.jsonl().len() > 40);
    let (first, second) = (one.events(), two.events());
    assert!(first.len() > 1000 && first == second);

    let mut folders = vec![one.data()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
        // Keys are their owner's alone, and what is sealed is nobody's to write.
        let keys = folder.ends_with("state/keys");
        let sealed = folder.components().any(|part| part.as_os_str() == "blocks")
            && !folder.ends_with("blocks");
        let closed = |open: u32, keys_only: u32, frozen: u32| match (keys, sealed) {
            (true, _) => keys_only,
            (_, true) => frozen,
            _ => open,
        };
        assert_eq!(mode(&folder), closed(0o750, 0o700, 0o550), "{}", folder.display());
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                files += 1;
                let wanted = closed(0o640, 0o600, 0o440);
                assert_eq!(mode(&entry.path()), wanted, "{}", entry.path().display());
            }
        }
    }
    assert!(files > 5);
}

#[test]
fn plain_a_filter_keeps_what_it_says_and_a_bad_one_is_told_with_its_place() {
    let capture = fixture("ppp__DnsPackets.pcap");
    let packets = |words: &[&str]| {
        let house = House::new();
        let arguments = [&["import", "-o", "jsonl", text(&capture)], words].concat();
        house.run(&arguments).ends(0).jsonl()[0]["packets"].as_u64().unwrap()
    };
    let all = packets(&[]);
    let udp = packets(&["--", "udp", "port", "53"]);
    let other = packets(&["--", "not (udp port 53)"]);
    assert!(udp > 0 && udp + other == all, "{udp} {other} {all}");

    let house = House::new();
    let ran = house.run(&["import", text(&capture), "--", "tcp port and"]).ends(2);
    assert!(ran.err.contains("filter") && ran.err.contains("and"), "{}", ran.err);
    assert!(!house.data().exists(), "a bad filter must leave nothing behind");
}

#[test]
fn plain_what_stands_before_the_damage_is_counted_and_the_others_are_read() {
    let house = House::new();
    let whole = fs::read(fixture("ppp__DnsPackets.pcap")).unwrap();
    let folder = house.path("captures");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("a-cut.pcap"), &whole[..whole.len() / 2]).unwrap();
    fs::write(folder.join("b-text.pcap"), "no capture at all").unwrap();
    fs::write(folder.join("c-whole.pcap"), &whole).unwrap();
    let missing = house.path("missing.pcap");
    let ran = house.run(&["import", "-o", "jsonl", text(&folder), text(&missing)]).ends(1);
    let lines = ran.jsonl();
    let error = |at: usize| lines[at]["error"].as_str().unwrap_or_default().to_owned();
    let packets = |at: usize| lines[at]["packets"].as_u64().unwrap();
    assert!(error(0).contains("ends inside") && error(0).contains("byte "), "{}", error(0));
    assert!(packets(0) > 10 && packets(0) < packets(2));
    assert!(error(1).contains("not a capture file"), "{}", error(1));
    assert_eq!((packets(1), packets(2), error(2).as_str()), (0, 464, ""));
    assert!(error(3).contains("can't be read: No such file"), "{}", error(3));
    assert!(ran.err.contains("3 captures could not be read, or not to the end"), "{}", ran.err);
    house.run(&["log", "verify"]).ends(0);
    let empty = house.path("empty");
    fs::create_dir(&empty).unwrap();
    house.run(&["import", text(&empty)]).ends(1).says("no files were found");
}

#[test]
fn plain_the_same_bytes_are_taken_once_under_any_name_unless_asked_for_again() {
    let house = House::new();
    let capture = fixture("tcpdump__ntp.pcap");
    let renamed = house.file("another-name.pcap", fs::read(&capture).unwrap());
    house.run(&["import", text(&capture)]).ends(0);
    for name in [&capture, &renamed] {
        let ran = house.run(&["import", "-o", "jsonl", text(name)]).ends(1);
        let line = &ran.jsonl()[0];
        let error = line["error"].as_str().unwrap();
        assert!(error.contains("imported already") && error.contains("--again"), "{error}");
        assert_eq!(line["events"], 0);
        assert!(ran.err.contains("1 capture left alone, as known already"), "{}", ran.err);
    }
    assert_eq!(house.events().len(), 4);
    house.run(&["import", "--again", text(&capture)]).ends(0);
    let events = house.events();
    assert_eq!(events.len(), 8);
    assert_eq!(events[..4], events[4..]);
}

#[test]
fn plain_an_interrupted_import_is_completed_by_the_same_command() {
    let bytes = pcap::many(30_000);
    let folder = House::new();
    let capture = folder.file("big.pcap", &bytes);
    let small = fixture("tcpdump__ntp.pcap");
    let command = ["import", text(&capture), text(&small)];
    let expected = {
        let house = House::new();
        house.run(&command).ends(0);
        house.events()
    };
    assert_eq!(expected.len(), 30_004);

    // Killed: nothing was said, nothing closed.
    let house = House::new();
    let mut child = house.begin_import(&command, 3 << 20);
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success());
    let kept = house.events().len();
    assert!(kept > 1000 && kept < 30_000, "{kept}");
    // A question before it is completed finds what was kept.
    let ran = house.run(&["flows", "--limit", "1", "-o", "jsonl"]).ends(0);
    assert_eq!(ran.jsonl().len(), 1);
    // With other options it would be another import.
    house.run(&["import", "--no-idle-timeout", text(&capture)]).ends(1);
    house.run(&command).ends(0);
    house.run(&["log", "verify"]).ends(0);
    assert!(house.events() == expected, "killed, then completed");
    let ran = house.run(&["index", "status", "-o", "json"]).ends(0);
    assert_eq!(ran.json()["events"], 30_004);

    // Asked to stop: it says how to go on.
    let house = House::new();
    let child = house.begin_import(&command, 1 << 20);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("the same command completes it"), "{told}");
    house.run(&command).ends(0);
    assert!(house.events() == expected, "stopped, then completed");
}

#[test]
fn plain_two_imports_at_a_time_are_one_too_many() {
    let house = House::new();
    let capture = house.file("big.pcap", pcap::many(30_000));
    let mut child = house.begin_import(&["import", text(&capture)], 1 << 20);
    let ran = house.run(&["import", text(&fixture("tcpdump__ntp.pcap"))]).ends(1);
    let holder = format!("another writer has this log (ghostbridge import, pid {})", child.id());
    ran.says(&holder);
    // Reading needs no turn.
    house.run(&["flows", "--limit", "1"]).ends(0);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn plain_without_timeouts_a_key_is_one_flow_and_updates_tell_of_open_ones() {
    let mut capture = Pcap::new();
    let (client, server) = (([10, 0, 0, 1], 40_000), ([10, 0, 0, 2], 80));
    for _ in 0..3 {
        capture.talk(
            client,
            server,
            b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n",
        );
        capture.wait_us(3_600_000_000);
    }
    for _ in 0..10 {
        capture.udp(client, server, b"beat");
        capture.wait_us(10_000_000);
    }
    let house = House::new();
    let capture = house.file("capture.pcap", capture.bytes);
    let flows = |options: &[&str]| {
        let house = House::new();
        house.run(&[&["import", text(&capture)], options].concat()).ends(0);
        house.run(&["flows", "-o", "jsonl"]).ends(0).jsonl()
    };
    assert_eq!(flows(&[]).len(), 4);
    let merged = flows(&["--no-idle-timeout"]);
    assert_eq!(merged.len(), 2);
    assert!(merged.iter().any(|f| f["flow"]["pkts_toserver"] == 12));
    let updated = flows(&["--updates", "30"]);
    let updates = updated.iter().filter(|f| f["flow"]["reason"] == "update").count();
    assert!(updates >= 2 && updated.len() == 4 + updates, "{updates} of {}", updated.len());
}

#[test]
fn plain_a_full_copy_of_the_data_folder_works_as_the_first() {
    let house = House::with(&[&fixture("tcpdump__ntp.pcap")]);
    let other = house.path("moved");
    copy(&house.data(), &other);
    assert!(folder_bytes(&other) > 0);
    for arguments in [["--data-dir", text(&other), "flows"], ["flows", "--data-dir", text(&other)]]
    {
        let ran = House::new().run(&arguments).ends(0);
        assert_eq!(ran.out.lines().count(), 5);
    }
}
