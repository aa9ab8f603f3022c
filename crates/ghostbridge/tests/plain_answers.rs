//! `query`, `flows`, `similar` and what surrounds them, run as a user runs them.

mod support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::pcap::{self, Pcap};
use support::{House, fixture, fixtures, text};

const FORMS: [&str; 6] = ["table", "json", "jsonl", "csv", "eve", "zeek"];

fn questioned() -> House {
    House::with(&[
        &fixture("made__ssh-brute-force.pcap"),
        &fixture("made__ssh-production.pcap"),
        &fixture("made__dns-tunnel.pcap"),
        &fixture("made__syn-flood.pcap"),
        &fixture("ppp__DnsPackets.pcap"),
        &fixture("tcpdump__ntp.pcap"),
    ])
}

#[test]
fn plain_a_hit_is_the_logged_event_with_its_score_and_why() {
    let house = questioned();
    let ran = house.run(&["query", "ssh", "brute", "force", "--limit", "5", "-o", "jsonl"]).ends(0);
    let hits = ran.jsonl();
    assert!(!hits.is_empty() && hits.len() <= 5);
    let logged = house.run(&["log", "export"]).ends(0).jsonl();
    let mut last = f64::INFINITY;
    for (at, hit) in hits.iter().enumerate() {
        let seq = hit["ghost"]["seq"].as_u64().unwrap();
        let line = logged.iter().find(|l| l["ghost"]["seq"] == seq).unwrap();
        for key in ["pcap_filename", "src_ip", "src_port", "dest_ip", "dest_port", "proto"] {
            assert!(!hit[key].is_null() && hit[key] == line[key], "{key}");
        }
        for key in ["community_id", "app_proto", "flow"] {
            assert!(!hit[key].is_null() && hit[key] == line[key], "{key}");
        }
        let score = hit["ghost"]["score"].as_f64().unwrap();
        assert!(score <= last, "best first");
        last = score;
        assert!(!hit["ghost"]["why"].as_array().unwrap().is_empty());
        assert_eq!(hit["rank"], at + 1);
        assert!(hit.get("query_id").is_none());
    }
    assert_eq!(hits[0]["app_proto"], "ssh");
    assert!(ran.err.contains("understood: "), "{}", ran.err);
}

#[test]
fn plain_the_seeds_questions_are_answered_sensibly() {
    let house = questioned();
    let tags = house.file("tags.toml", "[tags]\nproduction = [\"10.10.0.0/24\"]\n");
    let first = |words: &str| -> Value {
        let ran = house.run(&["--tags", text(&tags), "query", words, "-o", "jsonl"]).ends(0);
        ran.jsonl().remove(0)
    };
    let hit = first("show me SSH traffic to production servers");
    assert_eq!(hit["app_proto"], "ssh");
    assert!(hit["dest_ip"].as_str().unwrap().starts_with("10.10.0."), "{hit}");
    let hit = first("find unusual DNS queries");
    assert!(hit["ghost"]["behaviours"].as_array().unwrap().contains(&"dns_tunnel".into()), "{hit}");
    let hit = first("traffic patterns similar to DDoS attack");
    assert!(hit["ghost"]["behaviours"].as_array().unwrap().contains(&"flood".into()), "{hit}");
}

#[test]
fn plain_options_stand_before_or_after_the_words_and_a_minus_excludes() {
    let house = questioned();
    let flows = |arguments: &[&str]| house.run(&[&["flows", "-o", "jsonl"], arguments].concat());
    let dns = flows(&["app:dns"]).ends(0).jsonl();
    let all = flows(&[]).ends(0).jsonl();
    let others = flows(&["-app:dns"]).ends(0).jsonl();
    assert!(dns.len() > 50 && dns.len() + others.len() == all.len());
    assert!(dns.iter().all(|f| f["app_proto"] == "dns"));
    assert!(others.iter().all(|f| f["app_proto"] != "dns"));
    assert_eq!(flows(&["app:dns", "--limit", "3"]).ends(0).jsonl(), dns[..3]);
    let query = ["query", "dns", "lookups", "-behaviour:dns_tunnel", "--limit", "4", "-o", "jsonl"];
    let hits = house.run(&query).ends(0).jsonl();
    assert_eq!(hits.len(), 4);
    assert!(hits.iter().all(|h| !h["ghost"].to_string().contains("dns_tunnel")));
}

#[test]
fn plain_a_batch_numbers_its_hits_and_one_bad_question_does_not_take_the_others() {
    let house = questioned();
    let batch = house.file("batch.tsv", "d01\tssh logins\n\nd02\tntp time sync\n");
    let ran = house.run(&["query", "--batch", text(&batch), "--limit", "3", "-o", "jsonl"]).ends(0);
    let hits = ran.jsonl();
    for id in ["d01", "d02"] {
        let ranks: Vec<_> =
            hits.iter().filter(|h| h["query_id"] == id).map(|h| h["rank"].clone()).collect();
        assert!(!ranks.is_empty() && ranks.len() <= 3);
        assert!(ranks.iter().enumerate().all(|(at, rank)| *rank == at + 1), "{ranks:?}");
        // A batch is no other way of asking: the same hits as alone.
        let words = if id == "d01" { "ssh logins" } else { "ntp time sync" };
        let alone = house.run(&["query", words, "--limit", "3", "-o", "jsonl"]).ends(0).jsonl();
        let seqs =
            |hits: &[Value]| hits.iter().map(|h| h["ghost"]["seq"].clone()).collect::<Vec<_>>();
        let of: Vec<_> = hits.iter().filter(|h| h["query_id"] == id).cloned().collect();
        assert_eq!(seqs(&of), seqs(&alone));
    }
    let batch = house.file("batch.tsv", "a\tnosuchkey:1 ssh\nb\tssh logins\n");
    let ran = house.run(&["query", "--batch", text(&batch), "-o", "jsonl"]).ends(2);
    assert!(ran.err.contains("batch.tsv:1: there is no filter \"nosuchkey\""), "{}", ran.err);
    assert!(ran.jsonl().iter().all(|h| h["query_id"] == "b") && !ran.out.is_empty());
    let batch = house.file("batch.tsv", "no tab here\n");
    house
        .run(&["query", "--batch", text(&batch)])
        .ends(2)
        .says("batch.tsv:1: expected id<TAB>words");
}

/// A capture whose names carry `name`, as DNS questions and in HTTP requests.
fn named(names: &[&[u8]]) -> Vec<u8> {
    let mut capture = Pcap::new();
    for (at, name) in names.iter().enumerate() {
        let port = 40_000 + u16::try_from(at).unwrap();
        capture.ask(([10, 0, 0, 1], port), name);
        let mut request = b"GET /".to_vec();
        request.extend(name.iter().filter(|b| **b != b'\n' && **b != b' '));
        request.extend(b" HTTP/1.1\r\nHost: ");
        request.extend(name.iter().filter(|b| **b != b'\n'));
        request.extend(b"\r\nUser-Agent: ");
        request.extend(name.iter().filter(|b| **b != b'\n'));
        request.extend(b"\r\n\r\n");
        let response = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        capture.talk(([10, 0, 0, 1], port), ([10, 0, 0, 2], 80), &request, response);
    }
    capture.bytes
}

#[test]
fn plain_hostile_names_are_harmless_in_every_form() {
    let hostile: [&[u8]; 10] = [
        b"\x1b[2J\x1b]0;owned\x07",
        b"=cmd|' /C calc'!A0",
        b"+1+1",
        b"@SUM(A1)",
        b"<script>alert(1)</script>",
        b"a\"b'c,d;e",
        b"line\nnext\tcell\r",
        "gpj.\u{202e}exe".as_bytes(),
        b"\xff\xfe\x9b31m",
        b"\"},\"ghost\":{\"seq\":1}}",
    ];
    let harmless: Vec<Vec<u8>> =
        (0..hostile.len()).map(|at| format!("harmless{at}").into_bytes()).collect();
    let harmless: Vec<&[u8]> = harmless.iter().map(Vec::as_slice).collect();
    let (bad, good) = (House::new(), House::new());
    for (house, names) in [(&bad, &hostile[..]), (&good, &harmless[..])] {
        let capture = house.file("names.pcap", named(names));
        house.run(&["import", text(&capture)]).ends(0);
    }
    for form in FORMS {
        for command in [&["flows"][..], &["query", "names", "--limit", "100", "--no-group"][..]] {
            let arguments = [command, &["-o", form]].concat();
            let (ran, tame) = (bad.run(&arguments).ends(0), good.run(&arguments).ends(0));
            let lines = |text: &str| text.lines().count();
            assert_eq!(lines(&ran.out), lines(&tame.out), "{form}: {}", ran.out);
            let stays = |c: char| match c {
                '\n' => true,
                '\t' => form == "zeek",
                '\r' => form == "csv",
                _ => false,
            };
            let loose =
                ran.out.chars().chain(ran.err.chars()).find(|c| {
                    (c.is_control() && !stays(*c)) || ('\u{202a}'..='\u{202e}').contains(c)
                });
            assert_eq!(loose, None, "{form}: {:?}", ran.out);
            match form {
                "json" | "jsonl" | "eve" => assert!(!ran.out.contains("<script"), "{form}"),
                "csv" => {
                    for cell in cells(&ran.out) {
                        assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell:?}");
                    }
                }
                "zeek" => {
                    let mut rows = ran.out.lines().filter(|l| !l.starts_with('#'));
                    let columns = rows.next().unwrap().matches('\t').count();
                    assert!(rows.all(|r| r.matches('\t').count() == columns));
                }
                _ => {}
            }
        }
    }
    // Harmless, and still all there.
    let told: BTreeSet<String> = bad
        .run(&["flows", "app:dns", "-o", "jsonl"])
        .ends(0)
        .jsonl()
        .iter()
        .map(|f| f["dns"]["rrname"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(told.len(), hostile.len(), "{told:?}");
    assert!(told.iter().any(|n| n.contains("<script>")), "{told:?}");
}

/// Every cell of a CSV text, by RFC 4180.
fn cells(text: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => cell.push(chars.next().unwrap()),
            '"' => quoted = !quoted,
            ',' | '\n' if !quoted => cells.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {}
            c => cell.push(c),
        }
    }
    cells
}

#[test]
fn plain_similar_takes_a_number_or_a_community_id() {
    let house = questioned();
    let flows = house.run(&["flows", "app:ssh", "--limit", "1", "-o", "jsonl"]).ends(0).jsonl();
    let seq = flows[0]["ghost"]["seq"].to_string();
    let id = flows[0]["community_id"].as_str().unwrap();
    for to in [seq.as_str(), id] {
        let hits = house.run(&["similar", to, "--limit", "5", "-o", "jsonl"]).ends(0).jsonl();
        assert!(hits.len() > 1, "{to}");
        assert!(hits.iter().all(|h| h["ghost"]["score"].is_number()));
        assert!(hits.iter().filter(|h| h["app_proto"] == "ssh").count() >= 2, "{to}");
    }
    house.run(&["similar", "999999"]).ends(1).says("there is no event 999999");
    house.run(&["similar", "1:AAAAAAAAAAAAAAAAAAAAAAAAAAA="]).ends(1).says("there is no event");
    house.run(&["similar", "something"]).ends(2).says("cannot be read: FROM..TO");
}

#[test]
fn plain_spans_of_time_are_kept_to() {
    let house = questioned();
    let times = |arguments: &[&str]| -> Vec<String> {
        let ran = house.run(&[&["flows", "-o", "jsonl"], arguments].concat());
        assert!(ran.code < 2, "{}", ran.err);
        ran.jsonl().iter().map(|f| f["timestamp"].as_str().unwrap().to_owned()).collect()
    };
    let all = times(&[]);
    let since = times(&["--since", "2026-01-01"]);
    let until = times(&["--until", "2026-01-01"]);
    assert!(!since.is_empty() && !until.is_empty());
    assert_eq!(since.len() + until.len(), all.len());
    assert!(since.iter().all(|t| t.as_str() >= "2026"));
    let starts = |form: &str| -> Vec<String> {
        let flows = house.run(&["flows", form, "-o", "jsonl"]).ends(0).jsonl();
        flows.iter().map(|f| f["flow"]["start"].as_str().unwrap().to_owned()).collect()
    };
    assert!(starts("proto:udp").is_sorted(), "oldest first, by their starts");
    let one = times(&["--since", "2026-01-05T09:00", "--until", "2026-01-05T09:00:01"]);
    assert!(!one.is_empty() && one.len() < since.len());
    house.run(&["flows", "--last", "2h", "--since", "2026-01-01"]).ends(2);
    house.run(&["flows", "--since", "whenever"]).ends(2).says("whenever");
}

#[test]
fn plain_nothing_found_is_1_and_words_that_can_not_be_are_2_with_a_hint() {
    let house = questioned();
    for form in FORMS {
        let ran = house.run(&["flows", "host:203.0.113.77", "-o", form]).ends(1);
        assert!(ran.jsonl_is_empty(form), "{form}: {}", ran.out);
    }
    house.run(&["query", "ssh to 203.0.113.77"]).ends(1);
    house.run(&["flows", "appp:dns"]).ends(2).says("did you mean app:?");
    house.run(&["query", "protoo:tcp scans"]).ends(2).says("did you mean proto:?");
    house.run(&["similar", "\u{1b}[31m"]).ends(2).says("\\x1b[31m");
    house.run(&["flows", "hello"]).ends(2).says("ask in words with `query`");
    house.run(&["flows", "dport:many"]).ends(2).says("a port from 0 to 65535");
    house.run(&["flows", "--limit", "many"]).ends(2);
    house.run(&["qurey", "ssh"]).ends(2).says("query");
    house.run(&["query"]).ends(2);
    let empty = House::new();
    for command in [&["query", "ssh"][..], &["flows"], &["status"], &["log", "verify"]] {
        empty.run(command).ends(1).says("nothing is remembered here yet");
        assert!(!empty.data().exists(), "reading makes no folder");
    }
}

impl support::Ran {
    /// Whether no row was printed: an empty JSON array and a zeek header are none.
    fn jsonl_is_empty(&self, form: &str) -> bool {
        match form {
            "json" => self.out == "[]\n",
            "csv" => self.out.lines().count() <= 1,
            "zeek" => self.out.lines().all(|l| l.starts_with('#')),
            _ => self.out.is_empty(),
        }
    }
}

#[test]
fn plain_a_reader_that_goes_away_ends_the_listing_quietly() {
    let house = House::new();
    let capture = house.file("many.pcap", pcap::many(5_000));
    house.run(&["import", text(&capture)]).ends(0);
    for form in FORMS {
        for command in [&["flows"][..], &["log", "export"]] {
            let mut child = house.command(&[command, &["-o", form]].concat()).spawn().unwrap();
            let mut first = String::new();
            let mut out = BufReader::new(child.stdout.take().unwrap());
            out.read_line(&mut first).unwrap();
            drop(out);
            assert!(!first.is_empty());
            let mut err = String::new();
            child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
            assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""), "{form}");
        }
    }
}

#[test]
fn plain_status_and_doctor_tell_how_things_stand() {
    let house = questioned();
    let status = house.run(&["status", "-o", "json"]).ends(0).json();
    let events = house.run(&["flows", "-o", "jsonl"]).ends(0).jsonl().len();
    assert_eq!(status["events"], events);
    assert_eq!(status["not_indexed_events"], 0);
    let table = house.run(&["status"]).ends(0).out;
    assert!(table.contains(&format!("events     {events}, from 20")), "{table}");
    let ran = house.run(&["doctor"]).ends(0);
    assert!(ran.out.lines().any(|l| l.starts_with("note") && l.contains("model")), "{}", ran.out);
    assert!(ran.out.lines().any(|l| l.starts_with("ok") && l.contains("log of")), "{}", ran.out);
    let tags = house.file("tags.toml", "[tag]\n");
    let ran = house.run(&["doctor", "--tags", text(&tags)]).ends(1);
    assert!(ran.out.contains("unknown field `tag`"), "{}", ran.out);
}

#[test]
fn plain_completions_and_manual_are_made_of_the_command_line() {
    let house = House::new();
    for shell in ["bash", "zsh", "fish"] {
        let ran = house.run(&["completions", shell]).ends(0);
        assert!(ran.out.contains("similar") && ran.err.is_empty());
    }
    let ran = house.run(&["man"]).ends(0);
    assert!(ran.out.contains(".TH ghostbridge") && ran.out.contains("Exit codes"), "{}", ran.out);
    let pages = house.path("pages");
    house.run(&["man", "--dir", text(&pages)]).ends(0);
    for page in ["ghostbridge.1", "ghostbridge-import.1", "ghostbridge-log-verify.1"] {
        assert!(pages.join(page).is_file(), "{page}");
    }
    for command in [&["import"][..], &["query"], &["flows"], &["similar"], &["log", "verify"]] {
        let ran = house.run(&[command, &["--help"]].concat()).ends(0);
        assert!(ran.out.contains("Usage:") && ran.err.is_empty());
    }
}

/// Where the full model lies on this machine, if it does.
fn model() -> Option<PathBuf> {
    let named = std::env::var_os("GHOSTBRIDGE_MODEL_DIR").map(PathBuf::from);
    let usual = Path::new("/usr/local/share/ghostbridge/model").to_owned();
    named.into_iter().chain([usual]).find(|dir| dir.join("model.onnx").is_file())
}

#[test]
fn plain_an_answer_says_when_it_was_matched_without_the_model() {
    let house = House::with(&[&fixture("tcpdump__ntp.pcap")]);
    let words = "matched without the model";
    house.run(&["query", "time synchronisation"]).ends(0).says(words);
    let Some(model) = model() else {
        // Not through a macro: it must be seen although the test passes.
        let words = b"
SKIPPED: the full model is not installed; `cargo xtask model` installs it
";
        std::io::stderr().write_all(words).unwrap();
        return;
    };
    let ran = house.run_with_model(&model, &["doctor"]).ends(0);
    assert!(ran.out.starts_with("ok    full model"), "{}", ran.out);
    let ran = house.run_with_model(&model, &["query", "time synchronisation", "-o", "jsonl"]);
    let ran = ran.ends(0);
    assert!(!ran.err.contains(words), "{}", ran.err);
    assert_eq!(ran.jsonl()[0]["app_proto"], "ntp");
    // Shapes that were imported without it are refined by the next import with it.
    let capture = fixture("ppp__Dhcp1.pcap");
    house.run_with_model(&model, &["import", text(&capture)]).ends(0).says("full model: ");
    let status = house.run(&["index", "status", "-o", "json"]).ends(0).json();
    assert_eq!(status["shapes"], status["shapes_refined"]);
    // The log holds the refined vectors: a rebuild needs no model.
    house.run(&["index", "rebuild"]).ends(0);
    let rebuilt = house.run(&["index", "status", "-o", "json"]).ends(0).json();
    assert_eq!(status["content_digest"], rebuilt["content_digest"]);
}

#[test]
fn plain_no_answer_depends_on_the_captures_names() {
    let (named, renamed) = (House::new(), House::new());
    let captures = ["made__dns-tunnel.pcap", "made__port-scan.pcap", "made__ssh-brute-force.pcap"];
    for (at, name) in captures.into_iter().enumerate() {
        let plain =
            renamed.file(&format!("{at}.bin"), std::fs::read(fixtures().join(name)).unwrap());
        named.run(&["import", text(&fixture(name))]).ends(0);
        renamed.run(&["import", text(&plain)]).ends(0);
    }
    for words in ["ssh brute force", "dns tunnel", "port scan", "pcap file"] {
        let told = |house: &House| -> Vec<(Value, Value, Value)> {
            let hits = house.run(&["query", words, "-o", "jsonl"]).ends(0).jsonl();
            let told = |h: &Value| {
                let ghost = &h["ghost"];
                (h["community_id"].clone(), ghost["score"].clone(), ghost["why"].clone())
            };
            hits.iter().map(told).collect()
        };
        assert_eq!(told(&named), told(&renamed), "{words}");
    }
}
