//! Which ports are tapped, as they come and go, with the real daemon on real bridges; and that what
//! the host itself says is seen once.

mod support;

use ghost_lab::{Namespace, OVS_TOOLS, Ovs, link_pair, linux_bridge, skipped, until};
use serde_json::Value;
use support::House;
use support::live::{self, Live, PATIENCE, counted, packets};

const TOOLS: &[&str] = &["ping", "ip"];

/// Hosts at a switch, which has an address of its own.
struct Lab {
    switch: Namespace,
    hosts: Vec<Namespace>,
}

impl Lab {
    /// `hosts` hosts, numbered from 1, at ports `p1`, `p2`, … of no bridge yet.
    fn new(hosts: u8) -> Lab {
        let mut lab = Lab { switch: Namespace::new("switch").unwrap(), hosts: Vec::new() };
        for _ in 0..hosts {
            lab.plug_in();
        }
        lab
    }

    /// One more host; its port.
    fn plug_in(&mut self) -> String {
        let number = self.hosts.len() + 1;
        let (host, port) =
            (Namespace::new(&format!("host{number}")).unwrap(), format!("p{number}"));
        link_pair(&host, "eth0", &self.switch, &port).unwrap();
        host.address("eth0", &address(number)).unwrap();
        self.hosts.push(host);
        port
    }

    /// `count` pings from host to host; 0 is the switch itself.
    #[track_caller]
    fn pings(&self, from: usize, to: usize, count: u64) {
        let from = if from == 0 { &self.switch } else { &self.hosts[from - 1] };
        let address = address(to);
        let (to, _) = address.split_once('/').unwrap();
        from.run(&["ping", &format!("-c{count}"), "-i0.02", "-W5", to]).unwrap();
    }
}

fn address(number: usize) -> String {
    // The switch's own is the last.
    format!("10.78.0.{}/24", if number == 0 { 254 } else { number })
}

/// Waits until exactly these pings from one host to another are found: as many there as back.
#[track_caller]
fn pinged(live: &Live, from: usize, to: usize, count: u64) {
    let [from, to] = [from, to].map(|number| address(number).replace("/24", ""));
    let words = ["proto:icmp".to_owned(), format!("src:{from}"), format!("dst:{to}")];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    live.finds(&words, |flows| {
        flows.iter().filter(|flow| packets(flow) == (count, count)).count() == 1
    });
}

/// What the host says and hears on its bridge is recorded once: so many packets as there were.
#[track_caller]
fn own_traffic_is_seen_once(lab: &Lab, live: &Live) {
    lab.pings(0, 1, 3);
    lab.pings(2, 0, 4);
    lab.pings(1, 2, 5);
    pinged(live, 0, 1, 3);
    pinged(live, 2, 0, 4);
    pinged(live, 1, 2, 5);
}

#[test]
fn netns_ports_of_a_linux_bridge_are_followed_and_the_hosts_own_traffic_is_seen_once() {
    if skipped(TOOLS) {
        return;
    }
    let mut lab = Lab::new(2);
    linux_bridge(&lab.switch, "br0", &["p1", "p2"]).unwrap();
    lab.switch.address("br0", &address(0)).unwrap();
    let mut live = Live::start(&lab.switch, None, &[]);
    live.taps("br0 p1 p2");
    own_traffic_is_seen_once(&lab, &live);

    // A port comes, and what enters by it is recorded; it goes, and the rest stays tapped.
    let port = lab.plug_in();
    lab.switch.run(&["ip", "link", "set", &port, "master", "br0"]).unwrap();
    live.taps("br0 p1 p2 p3");
    lab.pings(3, 1, 6);
    pinged(&live, 3, 1, 6);
    lab.switch.run(&["ip", "link", "del", &port]).unwrap();
    live.taps("br0 p1 p2");

    // The bridge is deleted and made anew.
    lab.switch.run(&["ip", "link", "del", "br0"]).unwrap();
    live.taps("");
    linux_bridge(&lab.switch, "br0", &["p1", "p2"]).unwrap();
    live.taps("br0 p1 p2");
    lab.pings(1, 2, 8);
    // The same two hosts at the same bridge: the record of before goes on.
    pinged(&live, 1, 2, 5 + 8);

    // A second bridge is found as it comes; flows of the two are kept apart.
    link_pair(&lab.switch, "x1", &lab.switch, "x2").unwrap();
    linux_bridge(&lab.switch, "br1", &["x1"]).unwrap();
    live.taps("br0 br1 p1 p2 x1");
    let status = live.status().unwrap();
    assert_eq!(status["bridges"].as_array().map(Vec::len), Some(2), "{status}");
    live.stop();
}

#[test]
fn netns_ports_of_an_ovs_bridge_are_followed_and_the_hosts_own_traffic_is_seen_once() {
    if skipped(&[TOOLS, OVS_TOOLS].concat()) {
        return;
    }
    let mut lab = Lab::new(2);
    let mut ovs = Ovs::start(&lab.switch).unwrap();
    ovs.bridge("ovs0", &["p1", "p2"]).unwrap();
    lab.switch.address("ovs0", &address(0)).unwrap();
    let mut live = Live::start(&lab.switch, Some(&ovs), &[]);
    live.taps("ovs0 p1 p2");
    own_traffic_is_seen_once(&lab, &live);

    let port = lab.plug_in();
    ovs.vsctl(&["add-port", "ovs0", &port]).unwrap();
    live.taps("ovs0 p1 p2 p3");
    lab.pings(3, 1, 6);
    pinged(&live, 3, 1, 6);
    ovs.vsctl(&["del-port", "ovs0", &port]).unwrap();
    live.taps("ovs0 p1 p2");

    ovs.vsctl(&["del-br", "ovs0"]).unwrap();
    live.taps("");
    ovs.bridge("ovs0", &["p1", "p2"]).unwrap();
    live.taps("ovs0 p1 p2");

    // Its database alone is started anew. The userspace datapath forwards nothing meanwhile; what
    // enters it is recorded as before, since no tap is taken away.
    ovs.stop_database();
    until("its silence to be noticed", PATIENCE, || {
        live.status().is_some_and(|status| status["warnings"].to_string().contains("db.sock"))
    })
    .unwrap();
    let unanswered = lab.hosts[0].run(&["ping", "-c7", "-i0.02", "-W1", "10.78.0.2"]);
    assert_eq!(live.tapped(), "ovs0 p1 p2", "{unanswered:?}");
    ovs.start_database(&lab.switch).unwrap();
    until("the switch to speak again", PATIENCE, || {
        live.status().is_some_and(|status| !status["warnings"].to_string().contains("db.sock"))
    })
    .unwrap();
    assert_eq!(live.tapped(), "ovs0 p1 p2");
    live.finds(&["proto:icmp", "src:10.78.0.1", "dst:10.78.0.2"], |flows| {
        flows.iter().any(|flow| packets(flow).0 == 5 + 7)
    });

    // Open vSwitch itself is stopped and started; what it loses while it learns is its own affair.
    ovs.pause();
    live.taps("");
    ovs.resume(&lab.switch).unwrap();
    live.taps("ovs0 p1 p2");
    lab.pings(1, 2, 8);
    live.finds(&["proto:icmp", "src:10.78.0.1", "dst:10.78.0.2"], |flows| {
        flows.iter().any(|flow| packets(flow).0 == 5 + 7 + 8 && packets(flow).1 > 5)
    });
    live.stop();
}

/// Names of a switch's mirrors, and of its bridge's ports.
fn mirrors_and_ports(ovs: &Ovs) -> (String, String) {
    let words = |said: String| said.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let mirrors = words(ovs.vsctl(&["--bare", "--columns=name", "list", "mirror"]).unwrap());
    (mirrors, words(ovs.vsctl(&["list-ports", "ovs0"]).unwrap()))
}

#[test]
fn netns_a_mirror_is_set_up_and_read_and_goes_with_a_good_end_or_by_detach() {
    if skipped(&[TOOLS, OVS_TOOLS].concat()) {
        return;
    }
    let lab = Lab::new(2);
    let ovs = Ovs::start(&lab.switch).unwrap();
    ovs.bridge("ovs0", &["p1", "p2"]).unwrap();
    // Somebody else's mirror, which is none of our business.
    let theirs =
        "-- --id=@m create mirror name=theirs select_all=true -- add bridge ovs0 mirrors @m";
    ovs.vsctl(&theirs.split(' ').collect::<Vec<_>>()).unwrap();
    let alone = ("theirs".to_owned(), "p1 p2".to_owned());

    let words = ["--mode", "mirror"];
    let mut live = Live::start(&lab.switch, Some(&ovs), &words);
    live.taps("gbm-ovs0");
    let mut mirrors: Vec<String> =
        mirrors_and_ports(&ovs).0.split(' ').map(str::to_owned).collect();
    mirrors.sort();
    assert_eq!(mirrors, ["gbm-ovs0", "theirs"]);
    let up = || lab.switch.run(&["ip", "-o", "link", "show", "dev", "gbm-ovs0", "up"]).unwrap();
    until("the mirror to be set up", PATIENCE, || up().contains("gbm-ovs0")).unwrap();
    lab.pings(1, 2, 5);
    pinged(&live, 1, 2, 5);
    let status = live.status().unwrap();
    assert_eq!(status["bridges"].to_string(), "[\"ovs0\"]", "{status}");
    // All that came out of the mirror was seen, and the host says nothing into it.
    until("seen and lost to equal the mirror's counter", PATIENCE, || {
        let counters = lab.switch.counters("gbm-ovs0").unwrap();
        let (seen, lost) = live.seen("gbm-ovs0");
        seen + lost == counted(counters, false) && seen >= 10
    })
    .unwrap();
    let addresses = lab.switch.run(&["ip", "-o", "addr", "show", "dev", "gbm-ovs0"]).unwrap();
    assert_eq!(addresses, "", "it has no address");

    // Set down by somebody, it is set up again.
    lab.switch.run(&["ip", "link", "set", "gbm-ovs0", "down"]).unwrap();
    until("the mirror to be up again", PATIENCE, || up().contains("gbm-ovs0")).unwrap();

    // A good end takes away what this run made, and that alone.
    let house = live.stop();
    assert_eq!(mirrors_and_ports(&ovs), alone);
    lab.pings(1, 2, 1);

    // A crash leaves the mirror. The next run takes it up, as if it had made it.
    let mut live = Live::start_in(house, &lab.switch, Some(&ovs), &words);
    live.taps("gbm-ovs0");
    let house = live.kill();
    assert!(mirrors_and_ports(&ovs).0.contains("gbm-ovs0"));
    lab.pings(1, 2, 3);
    let mut live = Live::start_in(house, &lab.switch, Some(&ovs), &words);
    live.taps("gbm-ovs0");
    let detach = |house: &House| {
        let (data, config) = (house.data(), house.path("ghostbridge.toml"));
        let data = format!("GHOSTBRIDGE_DATA_DIR={}", data.display());
        let config = format!("GHOSTBRIDGE_CONFIG={}", config.display());
        lab.switch.run(&["env", &data, &config, env!("CARGO_BIN_EXE_ghostbridge"), "detach"])
    };
    let refused = detach(&live.house).unwrap_err().to_string();
    assert!(refused.contains("stop it first"), "{refused}");
    assert!(mirrors_and_ports(&ovs).0.contains("gbm-ovs0"));
    let house = live.kill();
    let removed = detach(&house).unwrap();
    assert!(removed.contains("removed mirror of ovs0 to port gbm-ovs0"), "{removed}");
    assert_eq!(mirrors_and_ports(&ovs), alone);
    lab.pings(1, 2, 1);

    // The time without a daemon is told.
    let lines = house.run(&["log", "export"]).ends(0).jsonl();
    let stopped = lines.iter().filter(|line| line["event_type"] == "gap").map(Value::to_string);
    assert!(stopped.filter(|gap| gap.contains("\"stopped\"")).count() >= 1, "{lines:#?}");
}

#[test]
fn netns_a_host_without_a_bridge_is_tapped_where_its_default_route_leaves() {
    if skipped(TOOLS) {
        return;
    }
    let lab = Lab::new(2);
    // Host 1 has no bridge, and no default route yet: the daemon waits for one.
    let host = &lab.hosts[0];
    linux_bridge(&lab.switch, "br0", &["p1", "p2"]).unwrap();
    let mut live = Live::start(host, None, &[]);
    live.taps("");
    let said = live.status().unwrap()["warnings"].to_string();
    assert!(said.contains("waiting for one to come"), "{said}");
    host.run(&["ip", "route", "add", "default", "via", "10.78.0.2"]).unwrap();
    live.taps("eth0");
    lab.pings(1, 2, 3);
    lab.pings(2, 1, 4);
    pinged(&live, 1, 2, 3);
    pinged(&live, 2, 1, 4);

    // A bridge that comes is what is wanted more.
    link_pair(host, "v0", host, "v1").unwrap();
    linux_bridge(host, "br9", &["v0"]).unwrap();
    live.taps("br9 v0");
    live.stop();

    // A named interface, whatever else there is.
    let mut live = Live::start(host, None, &["-i", "eth0"]);
    live.taps("eth0");
    live.stop();
}

#[test]
fn netns_a_second_daemon_on_the_same_folder_is_refused_and_harms_nothing() {
    if skipped(TOOLS) {
        return;
    }
    let lab = Lab::new(2);
    linux_bridge(&lab.switch, "br0", &["p1", "p2"]).unwrap();
    let mut live = Live::start(&lab.switch, None, &[]);
    live.taps("br0 p1 p2");
    let house: &House = &live.house;
    let mut second = live::spawn(house, &lab.switch, None, &[]);
    until("the second to be refused", PATIENCE, || !second.runs()).unwrap();
    let said = second.output();
    let refused = second.wait(PATIENCE).unwrap_err().to_string();
    assert!(said.contains("another") || said.contains("already"), "{said}\n{refused}");
    lab.pings(1, 2, 5);
    pinged(&live, 1, 2, 5);
    assert_eq!(live.tapped(), "br0 p1 p2");
    live.stop();
}

#[test]
fn netns_a_wire_that_cannot_be_is_refused_with_what_to_do() {
    if skipped(TOOLS) {
        return;
    }
    let lab = Lab::new(2);
    linux_bridge(&lab.switch, "br0", &["p1"]).unwrap();
    for (words, part) in [
        (&["--mode", "ghost-fast"][..], "joins two interfaces"),
        (&["--mode", "ghost-fast", "-i", "p1", "-i", "p2"], "p1 is a port of br0"),
        (&["--mode", "inline", "-i", "p2"], "joins two interfaces"),
    ] {
        let house = House::new();
        let mut process = live::spawn(&house, &lab.switch, None, words);
        until("the daemon to refuse", PATIENCE, || !process.runs()).unwrap();
        let said = process.output();
        assert!(said.contains(part), "{words:?}: {said}");
        assert!(process.wait(PATIENCE).is_err(), "{words:?}");
    }
}
