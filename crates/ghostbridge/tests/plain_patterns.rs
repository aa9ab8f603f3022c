//! `similar`, `patterns` and `compare` on captures, run as a user runs them, with a daemon and
//! without.

mod support;

use serde_json::Value;
use support::served::Served;
use support::{House, fixture};

const FORMS: [&str; 4] = ["table", "json", "jsonl", "csv"];

fn attacked() -> House {
    House::with(&[
        &fixture("made__ssh-brute-force.pcap"),
        &fixture("made__ssh-production.pcap"),
        &fixture("made__port-scan.pcap"),
        &fixture("made__syn-flood.pcap"),
        &fixture("made__dns-tunnel.pcap"),
        &fixture("made__databases.pcap"),
        &fixture("ppp__DnsPackets.pcap"),
        &fixture("tcpdump__ntp.pcap"),
    ])
}

fn rows(house: &House, arguments: &[&str]) -> Vec<Value> {
    house.run(&[arguments, &["-o", "jsonl"]].concat()).ends(0).jsonl()
}

/// The flows that a row's last column lists.
fn listed(house: &House, row: &Value) -> Vec<Value> {
    let filters: Vec<&str> = row["list"].as_str().unwrap().split(' ').collect();
    rows(house, &[&["flows"][..], &filters].concat())
}

#[test]
fn plain_the_minutes_of_attacks_are_found_by_their_names() {
    let house = attacked();
    for (words, behaviour) in [
        ("port scan", "port_scan"),
        ("DDoS", "flood"),
        ("brute force", "brute_force"),
        ("dns tunnel", "dns_tunnel"),
    ] {
        let found = rows(&house, &["patterns", "match", words]);
        let flows = listed(&house, &found[0]);
        assert!(!flows.is_empty(), "{words}");
        let of = |flow: &Value| flow["ghost"]["behaviours"].to_string().contains(behaviour);
        assert!(flows.iter().any(of), "{words}: {:?}", found[0]);
        let seq = found[0]["seq"].as_str().unwrap();
        let evidence = rows(&house, &["flows", &format!("seq:{seq}")]);
        assert!(of(&evidence[0]), "{words}");
    }
}

#[test]
fn plain_every_form_prints_the_same_rows_and_a_daemon_the_same_bytes() {
    let house = attacked();
    let questions: [&[&str]; 7] = [
        &["patterns", "list"],
        &["patterns", "match", "port scan"],
        &["patterns", "trend"],
        &["patterns", "trend", "brute force", "--window", "5m"],
        &["similar", "host:10.10.0.11", "--limit", "5"],
        &["compare", "host:10.10.0.11", "host:10.10.0.12"],
        &["compare", "2026-01-05T09:00..2026-01-05T09:01", "2026-01-05T09:01..2026-01-05T09:02"],
    ];
    let ask = |question: &[&str], form: &str| {
        let ran = house.run(&[question, &["-o", form]].concat());
        (ran.code, ran.out)
    };
    let mut before = Vec::new();
    for question in questions {
        let lines = rows(&house, question);
        let array = house.run(&[question, &["-o", "json"]].concat()).ends(0).json();
        assert_eq!(array.as_array().unwrap(), &lines, "{question:?}");
        let csv = ask(question, "csv").1;
        assert_eq!(csv.lines().count(), lines.len() + 1, "{question:?}");
        let table = ask(question, "table").1;
        assert_eq!(table.lines().count(), lines.len() + 1, "{question:?}");
        before.push(FORMS.map(|form| ask(question, form)));
    }
    house.run(&["patterns", "list", "-o", "zeek"]).ends(2).says("forms of events");
    let daemon = Served::start(&house, "");
    for (question, files) in questions.iter().zip(before) {
        assert_eq!(FORMS.map(|form| ask(question, form)), files, "{question:?}");
    }
    daemon.stop();
}

#[test]
fn plain_the_servers_of_one_service_are_like_each_other() {
    let house = attacked();
    let near = rows(&house, &["similar", "host:10.10.0.12"]);
    assert!(near[0]["host"].as_str().unwrap().starts_with("10.10.0."), "{:?}", near[0]);
    assert!(near[0]["why"].as_str().unwrap().contains("ssh"), "{:?}", near[0]);
    let mut last = f64::INFINITY;
    for row in &near {
        let score = row["score"].as_f64().unwrap();
        assert!(score <= last);
        last = score;
        assert!(!listed(&house, row).is_empty(), "{row}");
    }
}

#[test]
fn plain_what_is_not_there_and_what_is_no_question_have_their_codes() {
    let house = attacked();
    house.run(&["similar", "host:192.0.2.250"]).ends(1).says("no event");
    house.run(&["similar", "1999-01-01T00:00..1999-01-01T00:01"]).ends(1);
    house.run(&["similar", "soon"]).ends(2).says("FROM..TO");
    house
        .run(&["compare", "host:10.10.0.11", "yesterday"])
        .ends(2)
        .says("two windows or two hosts");
    house.run(&["patterns", "match", "nosuchkey:1"]).ends(2).says("there is no filter");
    house.run(&["patterns", "match", "ddos", "--window", "soon"]).ends(2).says("a length");
    house.run(&["similar"]).ends(2);
}

#[test]
fn plain_names_from_the_wire_steer_no_terminal_from_a_table() {
    let house =
        House::with(&[&fixture("made__hostile-names.pcap"), &fixture("ppp__DnsPackets.pcap")]);
    let all = rows(&house, &["flows"]);
    let start = |flow: &Value| flow["flow"]["start"].as_str().unwrap_or_default()[..16].to_owned();
    let hostile = start(&all[all.len() - 1]);
    let other = start(&all[0]);
    let window = |minute: &str| format!("{minute}..{}:59", minute);
    for form in FORMS {
        let ran =
            house.run(&["compare", &window(&other), &window(&hostile), "--limit", "0", "-o", form]);
        assert!(!ran.out.chars().any(|c| c.is_control() && c != '\n' && c != '\r'), "{}", ran.out);
        assert!(!ran.out.contains('\u{202e}') && !ran.err.contains('\x1b'), "{}", ran.out);
    }
}
