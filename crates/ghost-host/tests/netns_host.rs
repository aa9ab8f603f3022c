//! Real bridges and a real Open vSwitch, in namespaces: what stands there is found, and what
//! changes is told.

use ghost_host::{Change, Inventory, LinkKind, Mirror, Mode, Plan, Sources, Watcher, Wish, plan};
use ghost_lab::{Namespace, OVS_TOOLS, Ovs, link_pair, linux_bridge, skipped};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

/// What the inventory of a namespace makes of a wish, as `name<>` in the plan's order.
fn planned(inside: &Namespace, sources: &Sources, wish: &Wish) -> (String, Plan) {
    let inventory = inside.within(|| Inventory::read_from(sources)).unwrap().unwrap();
    let plan = plan(&inventory, wish).unwrap();
    let taps: Vec<String> = plan
        .attachments
        .iter()
        .map(|tap| {
            let ways = (if tap.ingress { "<" } else { "" }, if tap.egress { ">" } else { "" });
            format!("{}{}{}", tap.name, ways.0, ways.1)
        })
        .collect();
    (taps.join(" "), plan)
}

/// No Open vSwitch, whatever the host under the test has.
fn none() -> Sources {
    Sources { ovs_socket: Some("/nonexistent/db.sock".into()) }
}

fn of(ovs: &Ovs) -> Sources {
    Sources { ovs_socket: Some(ovs.socket()) }
}

/// Reads changes until one is as wanted; those before it, for the message.
fn await_change(watcher: &Watcher, what: &str, wanted: impl Fn(&Change) -> bool) {
    let mut others = Vec::new();
    ghost_lab::until(what, SOON, || match watcher.next(Duration::ZERO) {
        Some(change) if wanted(&change) => true,
        Some(other) => {
            others.push(other);
            false
        }
        None => false,
    })
    .unwrap_or_else(|err| panic!("{err}; but: {others:?}"));
}

/// Reads everything away until nothing more comes.
fn silence(watcher: &Watcher) {
    let quiet = || watcher.next(Duration::from_millis(100)).is_none();
    ghost_lab::until("silence", SOON, quiet).unwrap();
}

fn named(wanted: &str) -> impl Fn(&str) -> bool {
    move |name| name == wanted
}

#[test]
fn netns_an_inventory_tells_links_masters_counters_and_default_routes() {
    if skipped(&["ping"]) {
        return;
    }
    let (host, peer) = (Namespace::new("host").unwrap(), Namespace::new("peer").unwrap());
    link_pair(&host, "p0", &peer, "eth0").unwrap();
    link_pair(&host, "v0", &host, "v1").unwrap();
    linux_bridge(&host, "br0", &["p0"]).unwrap();
    host.mtu("v0", 9000).unwrap();
    host.address("br0", "10.77.0.1/24").unwrap();
    host.address("v0", "fd77::1/64").unwrap();
    peer.address("eth0", "10.77.0.2/24").unwrap();
    host.run(&["ping", "-c1", "-W5", "10.77.0.2"]).unwrap();

    let inventory = host.within(|| Inventory::read_from(&none())).unwrap().unwrap();
    let link = |name: &str| inventory.link_named(name).unwrap();
    assert_eq!(link("lo").kind, LinkKind::Loopback);
    assert_eq!(
        (&link("br0").kind, link("br0").up, link("br0").mtu),
        (&LinkKind::Bridge, true, 1500)
    );
    assert_eq!(link("p0").master, Some(link("br0").ifindex));
    assert_eq!(
        (&link("p0").kind, link("p0").lower),
        (&LinkKind::Veth, None),
        "its peer is elsewhere"
    );
    assert_eq!((link("v0").lower, link("v0").mtu), (Some(link("v1").ifindex), 9000));
    assert!(link("p0").ethernet && link("p0").mac.is_some());
    let counted = host.counters("p0").unwrap();
    let stats = link("p0").stats;
    assert!(
        stats.rx_packets > 0 && stats.rx_packets <= counted.rx_packets,
        "{stats:?} {counted:?}"
    );
    assert!(stats.tx_bytes > 0 && stats.tx_bytes <= counted.tx_bytes, "{stats:?} {counted:?}");
    assert!(inventory.default_routes.is_empty());
    assert_eq!(inventory.troubles.len(), 1, "a switch that was named and does not answer is told");

    host.run(&["ip", "route", "add", "default", "via", "10.77.0.2", "metric", "9"]).unwrap();
    host.run(&["ip", "-6", "route", "add", "default", "dev", "v0"]).unwrap();
    let inventory = host.within(|| Inventory::read_from(&none())).unwrap().unwrap();
    let by_number = |ifindex: &u32| inventory.link(*ifindex).unwrap().name.clone();
    let names: Vec<String> = inventory.default_routes.iter().map(by_number).collect();
    assert_eq!(names, ["br0", "v0"]);
    host.run(&["ip", "route", "add", "default", "dev", "v1", "metric", "5"]).unwrap();
    let inventory = host.within(|| Inventory::read_from(&none())).unwrap().unwrap();
    assert_eq!(inventory.link(inventory.default_routes[0]).unwrap().name, "v1", "least metric");
}

#[test]
fn netns_a_linux_bridges_ports_are_told_as_they_come_and_go() {
    if skipped(&[]) {
        return;
    }
    let host = Namespace::new("host").unwrap();
    let watcher = host.within(|| Watcher::start(&none())).unwrap().unwrap();
    let quiet = || assert_eq!(watcher.next(Duration::from_millis(50)), None);
    let wish = Wish::default();
    quiet();
    let added = |wanted: &'static str| {
        await_change(&watcher, wanted, move |change| match change {
            Change::LinkAdded { name, .. } => named(wanted)(name),
            _ => false,
        });
    };
    let changed = |wanted: &'static str| {
        await_change(&watcher, wanted, move |change| match change {
            Change::LinkChanged { name, .. } => named(wanted)(name),
            _ => false,
        });
    };

    link_pair(&host, "p0", &host, "x0").unwrap();
    link_pair(&host, "p1", &host, "x1").unwrap();
    added("x1");
    linux_bridge(&host, "br0", &["p0"]).unwrap();
    added("br0");
    assert_eq!(planned(&host, &none(), &wish).0, "br0> p0<");

    // A port joins, is renamed, and leaves, while the interface itself stays.
    host.run(&["ip", "link", "set", "p1", "master", "br0"]).unwrap();
    changed("p1");
    assert_eq!(planned(&host, &none(), &wish).0, "br0> p0< p1<");
    host.run(&["ip", "link", "set", "p1", "down"]).unwrap();
    host.run(&["ip", "link", "set", "p1", "name", "renamed"]).unwrap();
    changed("renamed");
    assert_eq!(planned(&host, &none(), &wish).0, "br0> p0< renamed<");
    host.run(&["ip", "link", "set", "renamed", "nomaster"]).unwrap();
    changed("renamed");
    assert_eq!(planned(&host, &none(), &wish).0, "br0> p0<");

    // The bridge is deleted and made anew: another interface of the same name.
    let before = host.ifindex("br0").unwrap();
    host.run(&["ip", "link", "del", "br0"]).unwrap();
    await_change(&watcher, "br0 gone", |change| {
        *change == Change::LinkRemoved { ifindex: before, name: "br0".into() }
    });
    let (taps, plan) = planned(&host, &none(), &wish);
    assert_eq!(taps, "");
    assert!(plan.warnings.iter().any(|said| said.contains("waiting for one to come")), "{plan:?}");
    linux_bridge(&host, "br0", &["p0"]).unwrap();
    added("br0");
    assert_ne!(host.ifindex("br0").unwrap(), before);
    assert_eq!(planned(&host, &none(), &wish).0, "br0> p0<");

    host.run(&["ip", "route", "add", "default", "dev", "br0"]).unwrap();
    await_change(&watcher, "a default route", |change| *change == Change::DefaultRoute);
    ghost_lab::until("silence", SOON, || watcher.next(Duration::from_millis(20)).is_none())
        .unwrap();
    host.address("br0", "10.77.0.1/24").unwrap();
    host.mtu("br0", 1400).unwrap();
    quiet();
    assert_eq!(watcher.resyncs(), 0);
}

#[test]
fn netns_a_burst_that_overruns_the_watcher_is_one_resync() {
    if skipped(&[]) {
        return;
    }
    let host = Namespace::new("host").unwrap();
    let watcher = host.within(|| Watcher::start(&none())).unwrap().unwrap();
    // Two messages or more for each, and nobody reads: more than the queue holds.
    let script =
        "for i in $(seq 150); do echo link add d$i type veth peer name e$i; done | ip -b -";
    host.run(&["sh", "-c", script]).unwrap();
    await_change(&watcher, "a resync", |change| *change == Change::Resync);
    let inventory = host.within(|| Inventory::read_from(&none())).unwrap().unwrap();
    assert_eq!(inventory.links.len(), 301);
    assert!(watcher.resyncs() > 0);
}

#[test]
fn netns_an_ovs_bridge_is_followed_through_ports_deletion_and_restart() {
    if skipped(OVS_TOOLS) {
        return;
    }
    let (host, peer) = (Namespace::new("host").unwrap(), Namespace::new("peer").unwrap());
    for port in ["p0", "p1"] {
        link_pair(&host, port, &peer, &format!("{port}x")).unwrap();
    }
    let mut ovs = Ovs::start(&host).unwrap();
    let (sources, wish) = (of(&ovs), Wish::default());
    let watcher = host.within(|| Watcher::start(&sources)).unwrap().unwrap();
    await_change(&watcher, "the switch", |change| *change == Change::OvsUp);
    // Several changes at once may be told as one, and one in parts: what was told before is read
    // away, and then something must be told.
    let does = |words: &[&str]| {
        silence(&watcher);
        ovs.vsctl(words).unwrap();
        await_change(&watcher, "a change of OVS", |change| *change == Change::Ovs);
    };
    let soon = |expected: &str| {
        let mut last = String::new();
        ghost_lab::until(expected, SOON, || {
            last = planned(&host, &sources, &wish).0;
            last == expected
        })
        .unwrap_or_else(|err| panic!("{err}; but: {last}"));
    };

    ovs.bridge("ovs0", &["p0"]).unwrap();
    soon("ovs0> p0<");
    does(&["add-port", "ovs0", "p1"]);
    soon("ovs0> p0< p1<");
    does(&["add-port", "ovs0", "int0", "--", "set", "interface", "int0", "type=internal"]);
    soon("ovs0> int0> p0< p1<");
    does(&["del-port", "int0", "--", "del-port", "p1"]);
    soon("ovs0> p0<");
    // What says nothing of a bridge is not told.
    silence(&watcher);
    ovs.vsctl(&["set", "Open_vSwitch", ".", "external_ids:rack=7"]).unwrap();
    assert_eq!(watcher.next(Duration::from_millis(100)), None);
    // How a port is set is told, though it changes no tap.
    does(&["set", "port", "p0", "tag=7"]);
    does(&["set", "Open_vSwitch", ".", "other_config:hw-offload=true"]);
    let (_, told) = planned(&host, &sources, &wish);
    assert!(told.warnings.iter().any(|said| said.contains("hw-offload=true")), "{told:?}");
    does(&["remove", "Open_vSwitch", ".", "other_config", "hw-offload"]);

    does(&["del-br", "ovs0"]);
    soon("");
    silence(&watcher);
    ovs.bridge("ovs0", &["p1"]).unwrap();
    await_change(&watcher, "the bridge again", |change| *change == Change::Ovs);
    soon("ovs0> p1<");

    ovs.pause();
    await_change(&watcher, "the loss of the switch", |change| *change == Change::OvsDown);
    let (_, plan) = planned(&host, &sources, &wish);
    assert!(plan.warnings.iter().any(|said| said.contains("db.sock")), "{plan:?}");
    ovs.resume(&host).unwrap();
    await_change(&watcher, "the switch again", |change| *change == Change::OvsUp);
    soon("ovs0> p1<");
}

#[test]
fn netns_a_mirror_is_made_once_delivers_and_goes_without_touching_others() {
    if skipped(&[OVS_TOOLS, &["ping"]].concat()) {
        return;
    }
    let [host, left, right] = ["host", "left", "right"].map(|name| Namespace::new(name).unwrap());
    for (peer, port, address) in [(&left, "p0", "10.77.0.1/24"), (&right, "p1", "10.77.0.2/24")] {
        link_pair(&host, port, peer, "eth0").unwrap();
        peer.address("eth0", address).unwrap();
    }
    let ovs = Ovs::start(&host).unwrap();
    ovs.bridge("ovs0", &["p0", "p1"]).unwrap();
    ovs.vsctl(&[
        "--",
        "--id=@m",
        "create",
        "mirror",
        "name=theirs",
        "select_all=true",
        "--",
        "add",
        "bridge",
        "ovs0",
        "mirrors",
        "@m",
    ])
    .unwrap();
    let sources = of(&ovs);
    let wish = Wish { interfaces: vec![], mode: Mode::Mirror };
    let (taps, first) = planned(&host, &sources, &wish);
    assert_eq!((taps.as_str(), first.mirrors.len()), ("", 1));
    let mirror = &first.mirrors[0];
    mirror.create(&sources).unwrap();
    mirror.create(&sources).unwrap();
    assert_eq!(Mirror::all(&sources).unwrap(), std::slice::from_ref(mirror));
    ghost_lab::until("its interface", SOON, || planned(&host, &sources, &wish).0 == "gbm-ovs0<")
        .unwrap();
    assert!(!planned(&host, &sources, &Wish::default()).0.contains("gbm-ovs0"));

    host.run(&["ip", "link", "set", "gbm-ovs0", "up"]).unwrap();
    let before = host.counters("gbm-ovs0").unwrap();
    left.run(&["ping", "-c5", "-i0.05", "-W5", "10.77.0.2"]).unwrap();
    let copied = host.counters("gbm-ovs0").unwrap() - before;
    assert!((10..=30).contains(&copied.rx_packets), "each frame once: {copied:?}");

    assert!(mirror.remove(&sources).unwrap());
    assert!(!mirror.remove(&sources).unwrap());
    assert_eq!(Mirror::all(&sources).unwrap(), []);
    assert_eq!(ovs.vsctl(&["list-ports", "ovs0"]).unwrap().trim(), "p0\np1");
    assert_eq!(
        ovs.vsctl(&["--bare", "--columns=name", "list", "mirror"]).unwrap().trim(),
        "theirs"
    );

    // A port of that name that somebody else made is left alone.
    ovs.vsctl(&[
        "add-port",
        "ovs0",
        "gbm-ovs0",
        "--",
        "set",
        "interface",
        "gbm-ovs0",
        "type=internal",
    ])
    .unwrap();
    let refused = mirror.create(&sources).unwrap_err().to_string();
    assert!(refused.contains("gbm-ovs0 is somebody else's"), "{refused}");
    assert!(mirror.remove(&sources).is_err());
    let nobodys = Mirror::of("ovs9").create(&sources).unwrap_err().to_string();
    assert!(nobodys.contains("no bridge ovs9"), "{nobodys}");
}
