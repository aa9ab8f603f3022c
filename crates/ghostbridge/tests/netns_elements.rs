//! What becomes of interfaces, bridges and ports is in the log, each with a chain of its own.

mod support;

use ghost_lab::{Namespace, link_pair, linux_bridge, skipped};
use serde_json::Value;
use support::House;
use support::live::{Live, PATIENCE};

/// The actions of one element, oldest first.
fn actions(house: &House, id: &str) -> Vec<String> {
    let lines = house.run(&["element", "history", id, "-o", "jsonl"]).jsonl();
    let action = |line: &Value| line["ghost"]["change"]["action"].as_str().unwrap().to_owned();
    lines.iter().map(action).collect()
}

#[track_caller]
fn becomes(house: &House, id: &str, wanted: &[&str]) {
    let mut last = Vec::new();
    let done = ghost_lab::until(&format!("{id} {wanted:?}"), PATIENCE, || {
        last = actions(house, id);
        last.ends_with(&wanted.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    });
    assert!(done.is_ok(), "{done:?}; {last:?}");
}

#[test]
fn netns_a_bridge_that_goes_down_is_an_event_of_its_own_and_a_block_follows() {
    if skipped(&["ip"]) {
        return;
    }
    let switch = Namespace::new("switch").unwrap();
    let host = Namespace::new("host").unwrap();
    link_pair(&host, "eth0", &switch, "p1").unwrap();
    linux_bridge(&switch, "br0", &["p1"]).unwrap();
    let mut live = Live::start(&switch, None, &[]);
    live.taps("br0 p1");
    becomes(&live.house, "port:br0/p1", &["appeared"]);
    switch.run(&["ip", "link", "set", "br0", "down"]).unwrap();
    becomes(&live.house, "bridge:br0", &["appeared", "down"]);
    switch.run(&["ip", "link", "set", "br0", "up"]).unwrap();
    becomes(&live.house, "bridge:br0", &["down", "up"]);
    switch.run(&["ip", "link", "del", "p1"]).unwrap();
    becomes(&live.house, "port:br0/p1", &["went"]);
    becomes(&live.house, "interface:p1", &["went"]);
    // Found by words and by kind, and not among flows.
    let found = live.house.run(&["query", "bridge br0 down", "-o", "jsonl"]).ends(0).jsonl();
    let is_it = |hit: &Value| {
        hit["ghost"]["element"]["id"] == "bridge:br0" && hit["ghost"]["change"]["action"] == "down"
    };
    assert!(found.iter().take(3).any(is_it), "{found:#?}");
    let kind = live.house.run(&["flows", "kind:change", "-o", "jsonl"]).ends(0).jsonl();
    assert!(kind.len() >= 6, "{kind:#?}");
    let flows = live.house.run(&["flows", "-o", "jsonl"]).jsonl();
    assert!(flows.iter().all(|flow| flow["event_type"] == "flow"), "{flows:#?}");
    let table = live.house.run(&["query", "kind:change", "br0", "--limit", "50"]).ends(0).out;
    assert!(table.contains("bridge:br0 down: up true -> false"), "{table}");
    // A bridge that is down presses.
    let sealed = ghost_lab::until("a block", PATIENCE, || {
        live.status().is_some_and(|s| s["blocks"]["sealed"].as_u64() > Some(0))
    });
    assert!(sealed.is_ok(), "{:?}", live.status());
    let house = live.stop();
    house.run(&["element", "verify"]).ends(0);
    house.run(&["element", "verify", "bridge:br9"]).ends(1);
    house.run(&["log", "verify"]).ends(0);
    let all = house.run(&["element", "list", "-o", "jsonl"]).ends(0).jsonl();
    let bridge = all.iter().find(|one| one["element"] == "bridge:br0").expect("it is listed");
    assert_eq!(bridge["height"], 3, "{bridge}");
    assert!(house.run(&["element", "list"]).ends(0).out.contains("bridge:br0"));
}
