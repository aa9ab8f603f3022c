//! What becomes of interfaces, bridges and ports is in the log, each with a chain of its own.

mod support;

use ghost_lab::{Namespace, OVS_TOOLS, Ovs, link_pair, linux_bridge, skipped};
use serde_json::{Value, json};
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

/// The last change of an element that has this field: its action, and the field before and after.
fn last(house: &House, id: &str, field: &str) -> Option<(String, Value, Value)> {
    let lines = house.run(&["element", "history", id, "-o", "jsonl"]).jsonl();
    let changes = lines.iter().map(|line| &line["ghost"]["change"]);
    let change = changes.rev().find(|change| {
        change["changed"].as_array().is_some_and(|all| all.iter().any(|name| name == field))
    })?;
    let side = |side: &str| change[side].get(field).cloned().unwrap_or_default();
    Some((change["action"].as_str()?.to_owned(), side("before"), side("after")))
}

#[test]
fn netns_what_is_set_in_open_vswitch_is_told_with_before_and_after_and_once() {
    if skipped(OVS_TOOLS) {
        return;
    }
    let switch = Namespace::new("switch").unwrap();
    let host = Namespace::new("host").unwrap();
    link_pair(&host, "eth0", &switch, "p1").unwrap();
    let ovs = Ovs::start(&switch).unwrap();
    ovs.bridge("br0", &["p1"]).unwrap();
    ovs.vsctl(&["set", "port", "p1", "tag=10"]).unwrap();
    let mut live = Live::start(&switch, Some(&ovs), &[]);
    live.taps("br0 p1");
    becomes(&live.house, "port:br0/p1", &["appeared"]);
    for (id, field, set, before, after, action) in [
        ("port:br0/p1", "tag", "port p1 tag=20", json!(10), json!(20), "changed"),
        ("port:br0/p1", "trunks", "port p1 trunks=30,4", json!(null), json!("4,30"), "changed"),
        (
            "interface:p1",
            "ingress_policing_rate",
            "interface p1 ingress_policing_rate=5000",
            json!(null),
            json!(5000),
            "changed",
        ),
        (
            "bridge:br0",
            "fail_mode",
            "bridge br0 fail_mode=secure",
            json!(null),
            json!("secure"),
            "changed",
        ),
    ] {
        let words: Vec<&str> = std::iter::once("set").chain(set.split(' ')).collect();
        ovs.vsctl(&words).unwrap();
        let mut told = None;
        let done = ghost_lab::until(&format!("{id} {field}"), PATIENCE, || {
            told = last(&live.house, id, field).filter(|(_, _, is)| *is == after);
            told.is_some()
        });
        assert!(done.is_ok(), "{done:?}");
        assert_eq!(told, Some((action.to_owned(), before, after)), "{id} {field}");
    }
    // A device that is gone is an error of the interface, and presses.
    ovs.vsctl(&["add-port", "br0", "nowhere"]).unwrap_or_default();
    let failed = ghost_lab::until("an error that is told", PATIENCE, || {
        last(&live.house, "interface:nowhere", "error").is_some()
    });
    assert!(failed.is_ok(), "{failed:?}");
    let house = live.stop();
    let tags = house.run(&["element", "history", "port:br0/p1", "-o", "jsonl"]).jsonl();
    let tagged = |line: &&Value| line["ghost"]["change"]["after"]["tag"] == 20;
    assert_eq!(tags.iter().filter(tagged).count(), 1, "{tags:#?}");
    let found = house.run(&["query", "which port changed its VLAN tag", "-o", "jsonl"]).ends(0);
    let first: Vec<Value> = found.jsonl().into_iter().take(3).collect();
    assert!(first.iter().any(|hit| hit["ghost"]["element"]["id"] == "port:br0/p1"), "{first:#?}");
}
