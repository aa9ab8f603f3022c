//! The daemon as an operator runs it: started, asked, reloaded, drained, killed; with real traffic
//! on a real bridge, in namespaces.

#![expect(clippy::disallowed_methods, reason = "a test starts a helper as systemd does")]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use ghost_lab::generate::{Load, Traffic, send};
use ghost_lab::{
    Frame, Namespace, Process, link_pair, linux_bridge, send_frames, skipped, transfer, until,
};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
};
use rustix::process::Signal;
use serde_json::{Value, json};

use support::House;
use support::live::{Live, PATIENCE, packets, spawn};

/// Two hosts and a bridge between them.
struct Street {
    left: Namespace,
    bridge: Namespace,
    right: Namespace,
}

const RIGHT: &str = "10.77.0.2";

impl Street {
    fn new() -> Street {
        let new = |purpose| Namespace::new(purpose).unwrap();
        let street = Street { left: new("left"), bridge: new("bridge"), right: new("right") };
        for host in [&street.left, &street.right] {
            // Neighbour discovery would come and go as it likes.
            host.sysctl("net/ipv6/conf/default/disable_ipv6", "1").unwrap();
        }
        street.bridge.sysctl("net/ipv6/conf/default/disable_ipv6", "1").unwrap();
        link_pair(&street.left, "eth0", &street.bridge, "p0").unwrap();
        link_pair(&street.right, "eth0", &street.bridge, "p1").unwrap();
        linux_bridge(&street.bridge, "br0", &["p0", "p1"]).unwrap();
        street.left.address("eth0", "10.77.0.1/24").unwrap();
        street.right.address("eth0", "10.77.0.2/24").unwrap();
        street
    }

    /// One web page over the bridge.
    #[track_caller]
    fn fetch(&self, port: u16, body: usize) {
        let address: SocketAddr = format!("{RIGHT}:{port}").parse().unwrap();
        let listener = self.right.within(|| TcpListener::bind(address)).unwrap().unwrap();
        std::thread::scope(|scope| {
            let served = scope.spawn(move || serve_page(&listener, body));
            self.left.within(|| get_page(address, body)).unwrap().unwrap();
            served.join().unwrap().unwrap();
        });
    }

    /// UDP frames from left to right, none of which anybody answers: each is one on both sides.
    fn burst(&self, count: usize, port: u16) {
        let (to, from_mac) = (self.right.mac("eth0").unwrap(), self.left.mac("eth0").unwrap());
        let frames: Vec<_> = (0..count)
            .map(|n| {
                let from = ([10, 77, 0, 1], 1024 + (n % 60_000) as u16);
                Frame::new(to, from_mac).udp4(
                    from,
                    ([10, 77, 0, 2], port),
                    &(n as u64).to_be_bytes(),
                )
            })
            .collect();
        send_frames(&self.left, "eth0", &frames).unwrap();
    }
}

fn serve_page(listener: &TcpListener, body: usize) -> std::io::Result<()> {
    let (mut stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut asked = Vec::new();
    let mut byte = [0; 1];
    while !asked.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        asked.push(byte[0]);
    }
    let head = format!("HTTP/1.1 200 OK\r\nServer: street\r\nContent-Length: {body}\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(&vec![b'x'; body])
}

fn get_page(address: SocketAddr, body: usize) -> std::io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /a HTTP/1.1\r\nHost: www.street.example\r\nUser-Agent: test\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    assert!(answer.len() > body);
    Ok(())
}

/// Lines of the log of one kind.
fn logged(house: &House, kind: &str) -> Vec<Value> {
    let ran = house.run(&["log", "export"]).ends(0);
    ran.jsonl().into_iter().filter(|line| line["event_type"] == kind).collect()
}

/// A number in `/proc/PID/status`, hexadecimal.
fn status_of(path: &Path, name: &str) -> u64 {
    let status = fs::read_to_string(path.join("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    u64::from_str_radix(line.trim_start_matches(':').trim(), 16).unwrap()
}

/// Processes whose parent is `parent`.
fn children(parent: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let behind = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        if behind.split_whitespace().nth(1) == Some(&parent.to_string()) {
            found.push(pid);
        }
    }
    found
}

/// The worker of the attach helper: the engine's grandchild.
#[track_caller]
fn worker(engine: u32) -> u32 {
    let mut found = Vec::new();
    let done = until("the helper's worker", PATIENCE, || {
        found = children(engine).into_iter().flat_map(children).collect();
        found.len() == 1
    });
    assert!(done.is_ok(), "workers: {found:?}");
    found[0]
}

#[test]
fn netns_what_passes_is_found_at_once_and_after_a_drain_all_of_it_is_logged() {
    if skipped(&["ping"]) {
        return;
    }
    let street = Street::new();
    let mut live = Live::start(&street.bridge, None, &[]);
    live.taps("br0 p0 p1");
    let said = live.process.output();
    for words in ["tapping   br0", "logging   ", "asking    "] {
        assert!(said.contains(words), "{words:?} is not in:\n{said}");
    }
    street.left.run(&["ping", "-c3", "-i0.1", "-W5", RIGHT]).unwrap();
    street.fetch(80, 20_000);
    // Neither has ended its idle time: it is the open flows that are found.
    live.finds(&["app:http"], |flows| flows.len() == 1);
    let answer =
        live.house.run(&["query", "-o", "jsonl", "web page from www.street.example"]).ends(0);
    assert_eq!(answer.jsonl()[0]["http"]["hostname"], "www.street.example", "{}", answer.out);

    let house = live.stop();
    house.run(&["log", "verify"]).ends(0);
    let flows = logged(&house, "flow");
    let page: Vec<_> = flows.iter().filter(|flow| flow["dest_port"] == 80).collect();
    assert_eq!(page.len(), 1, "{page:#?}");
    assert_eq!(page[0]["app_proto"], "http");
    let echo: Vec<_> = flows.iter().filter(|flow| flow["proto"] == "ICMP").collect();
    assert_eq!(echo.iter().map(|flow| packets(flow)).collect::<Vec<_>>(), [(3, 3)]);
}

#[test]
fn netns_a_reload_takes_a_good_file_whole_and_a_bad_one_not_at_all() {
    if skipped(&["ping"]) {
        return;
    }
    let street = Street::new();
    let mut live = Live::start(&street.bridge, None, &[]);
    live.taps("br0 p0 p1");
    let file = live.house.path("ghostbridge.toml");
    let first = fs::read_to_string(&file).unwrap();

    fs::write(&file, format!("interfaces = [\"p0\"]\nfliter = \"udp\"\n{first}")).unwrap();
    live.process.signal(Signal::HUP).unwrap();
    live.process.says("unknown key `fliter`; did you mean `filter`?", PATIENCE).unwrap();
    live.process.says("the old configuration holds", PATIENCE).unwrap();
    live.taps("br0 p0 p1");
    assert_eq!(live.status().unwrap()["filter"], "");

    let new = "interfaces = [\"p0\"]\nfilter = \"udp\"\ngranularity = \"packet\"\n";
    fs::write(&file, format!("{new}{first}")).unwrap();
    live.process.signal(Signal::HUP).unwrap();
    live.process.says("after a restart: granularity", PATIENCE).unwrap();
    live.taps("p0");
    assert_eq!(live.status().unwrap()["filter"], "udp");
    street.left.run(&["ping", "-c2", "-i0.1", "-W5", RIGHT]).unwrap();
    street.burst(3, 9000);
    live.finds(&["port:9000", "proto:udp"], |flows| flows.len() == 3);
    assert_eq!(live.flows(&["proto:icmp"]), Vec::<Value>::new());
    live.stop();
}

#[test]
fn netns_a_killed_daemon_costs_no_frame_and_the_next_one_tells_the_gap() {
    if skipped(&[]) {
        return;
    }
    let street = Street::new();
    let mut live = Live::start(&street.bridge, None, &[]);
    live.taps("br0 p0 p1");
    street.fetch(80, 100);
    // What is known of the ports and of open flows is written now and then.
    let kept = live.house.data().join("state/last-seen.json");
    until("the counters on disk", PATIENCE, || {
        let kept = fs::read(&kept).unwrap_or_default();
        let kept: Value = serde_json::from_slice(&kept).unwrap_or_default();
        kept["open"]["flows"].as_u64() > Some(0)
    })
    .unwrap();
    let before = (street.left.counters("eth0").unwrap(), street.right.counters("eth0").unwrap());
    let house = std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            for _ in 0..40 {
                street.burst(1000, 9001);
            }
        });
        std::thread::sleep(Duration::from_millis(30));
        let house = live.kill();
        load.join().unwrap();
        house
    });
    let sent = street.left.counters("eth0").unwrap() - before.0;
    let arrived = || street.right.counters("eth0").unwrap() - before.1;
    let all = until("every frame", PATIENCE, || arrived().rx_packets >= sent.tx_packets);
    assert!(all.is_ok() && sent.tx_packets >= 40_000, "{sent:?} {:?}", arrived());

    let live = Live::start_in(house, &street.bridge, None, &[]);
    let house = live.stop();
    let gaps = logged(&house, "gap");
    let stopped = gaps.iter().find(|gap| gap.to_string().contains("\"stopped\""));
    assert!(stopped.is_some(), "no gap for the time without the daemon: {gaps:#?}");
    let open = gaps.iter().find(|gap| gap.to_string().contains("\"unfinished\""));
    assert!(open.is_some(), "nothing told of the flows that were open: {gaps:#?}");
    house.run(&["log", "verify"]).ends(0);
}

/// A daemon with a service manager to talk to, and what it says.
struct Managed {
    manager: UnixDatagram,
    process: Process,
    house: House,
}

impl Managed {
    fn start(street: &Street) -> Managed {
        let house = House::new();
        let path = house.path("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_read_timeout(Some(PATIENCE)).unwrap();
        let variables = [
            format!("NOTIFY_SOCKET={}", path.display()),
            "WATCHDOG_USEC=400000".to_owned(),
            format!("GHOSTBRIDGE_DATA_DIR={}", house.data().display()),
            format!("GHOSTBRIDGE_MODEL_DIR={}", house.path("no-model").display()),
        ];
        let mut argv = vec!["env"];
        argv.extend(variables.iter().map(String::as_str));
        argv.extend([env!("CARGO_BIN_EXE_ghostbridge"), "run", "-i", "br0"]);
        let process = street.bridge.spawn(&argv).unwrap();
        Managed { manager, process, house }
    }

    /// Waits for a message that begins so.
    #[track_caller]
    fn hears(&mut self, beginning: &str) -> String {
        let mut buffer = [0; 4096];
        for _ in 0..1000 {
            let Ok(n) = self.manager.recv(&mut buffer) else { break };
            let message = String::from_utf8_lossy(&buffer[..n]).into_owned();
            if message.starts_with(beginning) {
                return message;
            }
        }
        panic!("{beginning:?} was not heard; the daemon said:\n{}", self.process.output());
    }
}

#[test]
fn netns_the_service_manager_hears_of_start_life_reload_and_end() {
    if skipped(&[]) {
        return;
    }
    let street = Street::new();
    let mut managed = Managed::start(&street);
    let ready = managed.hears("READY=1");
    assert!(ready.contains("STATUS=3 ports tapped"), "{ready}");
    managed.hears("WATCHDOG=1");
    managed.hears("WATCHDOG=1");
    managed.process.signal(Signal::HUP).unwrap();
    let reloading = managed.hears("RELOADING=1");
    let stamp = reloading.split("MONOTONIC_USEC=").nth(1).unwrap();
    assert!(stamp.trim().parse::<u64>().unwrap() > 0);
    managed.hears("READY=1");
    managed.process.signal(Signal::TERM).unwrap();
    managed.hears("STOPPING=1");
    managed.process.wait(PATIENCE).unwrap();
    managed.house.run(&["log", "verify"]).ends(0);
}

#[test]
fn netns_a_stopped_engine_gives_no_sign_of_life() {
    if skipped(&[]) {
        return;
    }
    let street = Street::new();
    let mut managed = Managed::start(&street);
    managed.hears("WATCHDOG=1");
    managed.process.signal(Signal::STOP).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    managed.manager.set_read_timeout(Some(Duration::from_millis(1200))).unwrap();
    let mut buffer = [0; 4096];
    let heard = (0..100).take_while(|_| managed.manager.recv(&mut buffer).is_ok()).count();
    managed.process.signal(Signal::CONT).unwrap();
    managed.manager.set_read_timeout(Some(PATIENCE)).unwrap();
    // What was said before the stop may still be there, no more.
    assert!(heard < 4, "{heard} messages of a stopped process");
    managed.hears("WATCHDOG=1");
}

#[test]
fn netns_two_daemons_on_one_folder_are_one_too_many() {
    if skipped(&[]) {
        return;
    }
    let street = Street::new();
    let mut live = Live::start(&street.bridge, None, &[]);
    live.taps("br0 p0 p1");
    let mut second = spawn(&live.house, &street.bridge, None, &[]);
    until("the second one's end", PATIENCE, || !second.runs()).unwrap();
    let said = second.output();
    assert!(said.contains(&live.process.id().to_string()), "who holds it is not told: {said}");
    street.fetch(80, 100);
    live.finds(&["app:http"], |flows| flows.len() == 1);
    live.taps("br0 p0 p1");
    live.stop();
}

#[test]
fn netns_the_engine_keeps_no_capability_and_the_helper_those_that_attaching_takes() {
    if skipped(&[]) {
        return;
    }
    let street = Street::new();
    let mut live = Live::start(&street.bridge, None, &[]);
    live.taps("br0 p0 p1");
    let engine = live.process.id();
    let sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
    let tasks: Vec<_> = fs::read_dir(format!("/proc/{engine}/task")).unwrap().flatten().collect();
    assert!(tasks.len() > 3, "an engine has threads");
    for task in tasks {
        for set in sets {
            assert_eq!(status_of(&task.path(), set), 0, "{set} of thread {:?}", task.file_name());
        }
        assert_eq!(status_of(&task.path(), "NoNewPrivs"), 1);
    }
    // CAP_NET_ADMIN, CAP_PERFMON and CAP_BPF.
    let attach = (1 << 12) | (1 << 38) | (1 << 39);
    let worker = worker(engine);
    for helper in children(engine).into_iter().chain([worker]) {
        let path = format!("/proc/{helper}");
        for set in ["CapPrm", "CapEff", "CapBnd"] {
            assert_eq!(status_of(Path::new(&path), set), attach, "{set} of helper {helper}");
        }
        for set in ["CapInh", "CapAmb"] {
            assert_eq!(status_of(Path::new(&path), set), 0, "{set} of helper {helper}");
        }
        assert_eq!(status_of(Path::new(&path), "NoNewPrivs"), 1);
    }
    live.stop();
    until("the helpers' end", PATIENCE, || !Path::new(&format!("/proc/{worker}")).exists())
        .unwrap();
}

#[test]
fn netns_a_dead_helper_is_told_and_another_taps_again() {
    if skipped(&["ping"]) {
        return;
    }
    let street = Street::new();
    let mut live = Live::start(&street.bridge, None, &[]);
    live.taps("br0 p0 p1");
    let dead = worker(live.process.id());
    let pid = rustix::process::Pid::from_raw(i32::try_from(dead).unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
    live.process.says("a worker ended with signal: 9", PATIENCE).unwrap();
    let mut new = dead;
    until("another worker", PATIENCE, || {
        new = children(live.process.id()).into_iter().flat_map(children).next().unwrap_or(dead);
        new != dead
    })
    .unwrap();
    live.taps("br0 p0 p1");
    // The taps may be told a moment before they are in place anew.
    until("traffic to be seen again", PATIENCE, || {
        let _ = street.left.run(&["ping", "-c1", "-W5", RIGHT]);
        !live.flows(&["proto:icmp"]).is_empty()
    })
    .unwrap();
    let house = live.stop();
    assert!(!logged(&house, "gap").is_empty(), "the time without a helper is no gap");
    house.run(&["log", "verify"]).ends(0);
}

#[test]
fn netns_a_helper_that_listens_serves_one_engine_after_the_other() {
    if skipped(&[]) {
        return;
    }
    let street = Street::new();
    let mut house = House::new();
    // As systemd hands it over: bound, listening, as standard input.
    let path = house.path("attach.sock");
    let kind = SocketType::SEQPACKET;
    let socket = socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap();
    bind(&socket, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    listen(&socket, 4).unwrap();
    let start = || {
        Command::new(env!("CARGO_BIN_EXE_ghostbridge"))
            .arg("attach-helper")
            .stdin(socket)
            .spawn()
            .unwrap()
    };
    let mut helper = street.bridge.within(start).unwrap();
    let text = format!("[tap]\nhelper = {path:?}\n[api]\ngroup = \"\"\n");
    for round in 1..=2 {
        let config = house.file("listening.toml", &text);
        let words = ["-c", config.to_str().unwrap(), "-i", "br0"];
        let mut live = Live::start_in(house, &street.bridge, None, &words);
        live.taps("br0 p0 p1");
        assert_eq!(children(live.process.id()), [0_u32; 0], "it has no helper of its own");
        street.fetch(80, 100);
        live.finds(&["app:http"], |flows| flows.len() == round);
        house = live.stop();
    }
    helper.kill().unwrap();
    helper.wait().unwrap();
    let mut alone = spawn(&house, &street.bridge, None, &["-c", &text_of(&house)]);
    until("its end", PATIENCE, || !alone.runs()).unwrap();
    assert!(alone.output().contains("the attach helper does not answer"), "{}", alone.output());
}

fn text_of(house: &House) -> String {
    house.path("listening.toml").display().to_string()
}

#[test]
fn netns_what_a_full_ring_lost_is_counted_to_the_packet_and_logged() {
    if skipped(&[]) {
        return;
    }
    let street = Street::new();
    let house = House::new();
    let small = house.file("small.toml", "[tap]\nring_bytes = \"256 KiB\"\n[api]\ngroup = \"\"\n");
    let words = ["-c", small.to_str().unwrap(), "-i", "br0"];
    let mut live = Live::start_in(house, &street.bridge, None, &words);
    live.taps("br0 p0 p1");
    let (seen, lost) = live.seen("p0");
    let before = street.bridge.counters("p0").unwrap();
    let started = (seen + lost, before.rx_packets);
    live.process.signal(Signal::STOP).unwrap();
    street.burst(20_000, 9002);
    live.process.signal(Signal::CONT).unwrap();
    let received = street.bridge.counters("p0").unwrap().rx_packets - started.1;
    assert!(received >= 20_000, "{received}");
    let mut told = (0, 0);
    let all = until("every frame to be accounted for", PATIENCE, || {
        told = live.seen("p0");
        told.0 + told.1 >= started.0 + received
    });
    assert!(all.is_ok(), "{told:?} of {received}");
    assert_eq!(told.0 + told.1, started.0 + received, "seen and lost: {told:?}");
    assert!(told.1 > 0, "a ring of 256 KiB held 20,000 frames");
    let house = live.stop();
    let gaps = logged(&house, "gap");
    let full: Vec<_> = gaps.iter().filter(|g| g.to_string().contains("\"ring_full\"")).collect();
    assert!(!full.is_empty(), "{gaps:#?}");
}

/// What is attached in the bridge's namespace, as the machine's own tools tell it.
fn attached(street: &Street) -> String {
    let mut all = street.bridge.run(&["bpftool", "net"]).unwrap();
    for port in ["p0", "p1"] {
        for direction in ["ingress", "egress"] {
            let filters = ["tc", "filter", "show", "dev", port, direction];
            all += &street.bridge.run(&filters).unwrap_or_default();
        }
    }
    all
}

/// Everything pinned in bpffs, with the kernel's objects behind it: kind and number.
fn pinned(street: &Street) -> Vec<(PathBuf, Vec<(&'static str, u64)>)> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from("/sys/fs/bpf")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let ask = |kind: &str| {
                let argv = ["bpftool", "-j", kind, "show", "pinned", path.to_str().unwrap()];
                let told: Value = serde_json::from_str(&street.bridge.run(&argv).ok()?).ok()?;
                Some((told["id"].as_u64()?, told["prog_id"].as_u64()))
            };
            let mut behind = Vec::new();
            if let Some((link, Some(program))) = ask("link") {
                behind.extend([("link", link), ("prog", program)]);
            } else if let Some((map, None)) = ask("map") {
                behind.push(("map", map));
            }
            found.push((path, behind));
        }
    }
    found
}

#[test]
fn netns_detach_leaves_nothing_of_a_wire_whose_daemon_was_killed() {
    if skipped(&["bpftool", "tc", "ping"]) {
        return;
    }
    let street = Street::new();
    street.bridge.run(&["ip", "link", "del", "br0"]).unwrap();
    let before = attached(&street);
    let words = ["--mode", "ghost-fast", "-i", "p0", "-i", "p1"];
    let mut live = Live::start(&street.bridge, None, &words);
    live.taps("p0 p1");
    street.left.run(&["ping", "-c2", "-i0.1", "-W5", RIGHT]).unwrap();
    let mut refused = spawn_detach(&live.house, &street);
    until("the end of detach", PATIENCE, || !refused.runs()).unwrap();
    assert!(refused.output().contains("a daemon runs on"), "{}", refused.output());
    let house = live.kill();
    street.left.run(&["ping", "-c3", "-i0.1", "-W5", RIGHT]).unwrap();

    let pins = pinned(&street);
    let said = spawn_detach(&house, &street).wait(PATIENCE).unwrap();
    let removed: Vec<&str> = said.lines().filter_map(|l| l.strip_prefix("removed pin ")).collect();
    let ours = pins.iter().filter(|(path, _)| removed.iter().any(|r| Path::new(r) == path));
    let objects: Vec<_> = ours.flat_map(|(_, behind)| behind).collect();
    for kind in ["link", "prog", "map"] {
        assert!(objects.iter().any(|(of, _)| *of == kind), "no {kind} among {objects:?}: {said}");
    }
    assert_eq!(attached(&street), before);
    for path in removed {
        assert!(!Path::new(path).exists(), "{path}");
    }
    for (kind, id) in objects {
        let gone = until("its end", PATIENCE, || {
            street.bridge.run(&["bpftool", kind, "show", "id", &id.to_string()]).is_err()
        });
        assert!(gone.is_ok(), "{kind} {id} is still there");
    }
    let lost = street.left.run(&["ping", "-c1", "-W1", RIGHT]);
    assert!(lost.is_err(), "somebody still forwards");
    let again = spawn_detach(&house, &street).wait(PATIENCE).unwrap();
    assert!(again.contains("nothing of ours was attached"), "{again}");
}

fn spawn_detach(house: &House, street: &Street) -> Process {
    let data = format!("GHOSTBRIDGE_DATA_DIR={}", house.data().display());
    let argv = ["env", &data, env!("CARGO_BIN_EXE_ghostbridge"), "detach"];
    street.bridge.spawn(&argv).unwrap()
}

#[test]
fn netns_live_shapes_are_those_of_the_same_traffic_in_a_capture() {
    if skipped(&["tcpdump", "ping", "ethtool"]) {
        return;
    }
    let street = Street::new();
    // What a capture sees before the cable is cut into frames is another matter (and another test).
    for host in [&street.left, &street.right] {
        host.run(&["ethtool", "-K", "eth0", "tso", "off", "gso", "off", "gro", "off"]).unwrap();
    }
    // Addresses are resolved before either looks.
    street.left.run(&["ping", "-c1", "-W5", RIGHT]).unwrap();
    let live = Live::start(&street.bridge, None, &["-i", "br0", "--", "not arp"]);
    let capture = live.house.path("same.pcap");
    let mut dump = street
        .bridge
        .spawn(&["tcpdump", "-Zroot", "-ip0", "-U", "-w", capture.to_str().unwrap(), "not arp"])
        .unwrap();
    dump.says("listening on", PATIENCE).unwrap();
    street.left.run(&["ping", "-c5", "-i0.1", "-W5", RIGHT]).unwrap();
    street.fetch(80, 30_000);
    street.fetch(8080, 100);
    street.burst(20, 9003);
    live.finds(&["port:9003", "proto:udp"], |flows| flows.len() == 20);
    // tcpdump is handed what it captures once a second.
    std::thread::sleep(Duration::from_millis(1500));
    dump.signal(Signal::INT).unwrap();
    dump.wait(PATIENCE).unwrap();
    let house = live.stop();

    let other = House::new();
    let told = other.run(&["import", capture.to_str().unwrap()]).ends(0).out;
    let of = |house: &House| {
        // Hosts say other things by themselves, also before the capture began.
        let mut facts: Vec<String> = logged(house, "flow")
            .iter()
            .filter(|flow| ["TCP", "UDP", "ICMP"].iter().any(|proto| flow["proto"] == *proto))
            .map(|flow| {
                let shape = &flow["ghost"]["shape"];
                assert!(!shape.is_null(), "{flow}");
                format!("{} {shape} {:?}", flow["community_id"], packets(flow))
            })
            .collect();
        facts.sort();
        facts
    };
    let (live, imported) = (of(&house), of(&other));
    assert!(imported.len() >= 23, "{imported:#?} of {told}");
    assert_eq!(live, imported);
}

/// A web server beside the daemon: what was posted to it.
struct Hook {
    url: String,
    heard: Receiver<Value>,
}

impl Hook {
    fn new(street: &Street) -> Hook {
        let listener = street.bridge.within(|| TcpListener::bind("127.0.0.1:0")).unwrap().unwrap();
        let url = format!("http://{}/alert", listener.local_addr().unwrap());
        let (tell, heard) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // A caller that breaks off is none of the test's business.
                let Ok(body) = stream.and_then(take_post) else { continue };
                if tell.send(serde_json::from_slice(&body).unwrap_or_default()).is_err() {
                    return;
                }
            }
        });
        Hook { url, heard }
    }

    /// The next incident that is told at once.
    #[track_caller]
    fn hears(&self) -> Value {
        loop {
            let message = self.heard.recv_timeout(PATIENCE).expect("a message by webhook");
            if message["type"] == "incident" {
                return message;
            }
            assert_eq!(message["type"], "digest", "{message}");
        }
    }
}

fn take_post(mut stream: TcpStream) -> std::io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let (mut head, mut byte) = (Vec::new(), [0; 1]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    assert!(head.starts_with("post /alert http/1.1\r\n"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).unwrap();
    let mut body = vec![0; length.trim().parse().unwrap()];
    stream.read_exact(&mut body)?;
    stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")?;
    Ok(body)
}

/// Waits until the last of so many incidents is of a kind; each as its newest statement has it.
#[track_caller]
fn incidents(live: &Live, count: usize, kind: &str) -> Vec<Value> {
    let mut last = Vec::new();
    let done = until(&format!("{count} incidents, the last a {kind}"), PATIENCE, || {
        let ran = live.house.run(&["anomalies", "-o", "jsonl"]);
        assert!(ran.code == 0 || ran.code == 1, "{}: {}", ran.code, ran.err);
        last = ran.jsonl();
        let newest = last.get(count - 1);
        newest.is_some_and(|incident| incident["ghost"]["incident"]["kind"] == kind)
    });
    assert!(done.is_ok() && last.len() == count, "{done:?}: {last:#?}");
    last
}

fn learning(house: &House) -> Value {
    house.run(&["anomalies", "learn", "status", "-o", "json"]).ends(0).json()
}

#[test]
fn netns_a_scan_and_a_flood_are_one_incident_each_and_ordinary_traffic_is_none() {
    if skipped(&["ping"]) {
        return;
    }
    let street = Street::new();
    let hook = Hook::new(&street);
    let house = House::new();
    let text = format!("[api]\ngroup = \"\"\n[alerts]\nwebhook = {:?}\n", hook.url);
    let config = house.file("alerts.toml", text);
    let words = ["-c", config.to_str().unwrap(), "-i", "br0"];
    let mut live = Live::start_in(house, &street.bridge, None, &words);
    live.taps("br0 p0 p1");

    // Learning has just begun, and all of this is new.
    street.left.run(&["ping", "-c20", "-i0.05", "-W5", RIGHT]).unwrap();
    street.right.run(&["ping", "-c3", "-i0.1", "-W5", "10.77.0.1"]).unwrap();
    for (port, body) in [(80, 20_000), (8080, 3_000_000), (80, 100), (8000, 1_000)] {
        street.fetch(port, body);
    }
    let to: SocketAddr = format!("{RIGHT}:5201").parse().unwrap();
    let carried = transfer(&street.left, &street.right, to, 2_000_000);
    assert!(carried.is_ok(), "{carried:?}");
    live.finds(&["proto:tcp"], |flows| flows.len() >= 4);
    live.house.run(&["anomalies"]).ends(1);

    // Every port refuses.
    for port in 1..=120 {
        let to = SocketAddr::from(([10, 77, 0, 2], port));
        let refused = street.left.within(|| TcpStream::connect_timeout(&to, PATIENCE)).unwrap();
        assert!(refused.is_err(), "port {port} is open");
    }
    let scan = incidents(&live, 1, "port_scan").remove(0);
    assert_eq!(scan["event_type"], "anomaly", "{scan}");
    assert_eq!((&scan["src_ip"], &scan["dest_ip"]), (&json!("10.77.0.1"), &json!(RIGHT)));
    let told = &scan["ghost"]["incident"];
    assert_eq!(told["id"], "1.1", "{scan}");
    assert!(scan["ghost"]["score"].as_f64() >= Some(0.7), "{scan}");
    assert!(!scan["ghost"]["reasons"].as_array().unwrap().is_empty(), "{scan}");
    let message = hook.hears();
    assert_eq!(message["type"], "incident", "{message}");
    assert_eq!(message["incident"]["id"], "1.1", "{message}");
    assert_eq!(message["incident"]["source"], "10.77.0.1", "{message}");
    assert!(message["text"].as_str().unwrap().contains("from 10.77.0.1 to 10.77.0.2"), "{message}");

    live.house.run(&["anomalies", "mute", "add", "host:10.77.0.99"]).ends(0);
    live.house.run(&["anomalies", "mute", "add", "10.77.0.99"]).ends(2);
    live.house.run(&["anomalies", "mute", "remove", "host:10.77.0.98"]).ends(1);
    let house = live.stop();
    house.run(&["log", "verify"]).ends(0);
    let lines = logged(&house, "anomaly");
    let states: Vec<&Value> = lines.iter().map(|l| &l["ghost"]["incident"]["state"]).collect();
    assert_eq!(states.first(), Some(&&json!("open")), "{states:?}");
    assert_eq!(states.last(), Some(&&json!("closed")), "{states:?}");
    assert_eq!(states.iter().filter(|state| **state == "open").count(), 1, "{states:?}");

    // What it was made of, without a daemon.
    let explained = house.run(&["anomalies", "explain", "1.1"]).ends(0).out;
    for words in [
        "port scan",
        "why:",
        "its first flows (8 of ",
        "ghostbridge flows incident:1.1",
        "10.77.0.1",
    ] {
        assert!(explained.contains(words), "{words:?} is not in:\n{explained}");
    }
    house.run(&["anomalies", "explain", "1.2"]).ends(1);
    let of_scan = |line: &&Value| line["ghost"]["incident"]["id"] == "1.1";
    let flows = logged(&house, "flow").iter().filter(of_scan).count();
    assert!(flows >= 64, "{flows}");
    let listed = house.run(&["flows", "incident:1.1", "-o", "jsonl"]).ends(0).jsonl();
    assert_eq!(listed.len(), flows);
    house.run(&["flows", "incident:1.2"]).ends(1);
    let learned = learning(&house);
    assert!(learned["flows_learned"].as_u64() > Some(0), "{learned}");

    // The next life goes on from there.
    let mut live = Live::start_in(house, &street.bridge, None, &words);
    live.taps("br0 p0 p1");
    let known = learning(&live.house);
    assert_eq!(known["flows_learned"], learned["flows_learned"], "{known}");
    assert_eq!(known["mutes"][0]["what"], "host:10.77.0.99", "{known}");
    let flood = Traffic {
        load: Load::Syn,
        flows: 4_000,
        random_sources: true,
        rate: Some(2_000),
        frames: 4_000,
        seconds: 20.0,
        target_mac: street.right.mac("eth0").unwrap(),
        target_port: 443,
        ..Traffic::default()
    };
    street.left.within(|| send("eth0", &flood)).unwrap().unwrap();
    let both = incidents(&live, 2, "flood");
    let told = &both[1]["ghost"]["incident"];
    assert_eq!(told["id"], "2.2", "{both:#?}");
    assert_eq!(both[1]["dest_ip"], RIGHT);
    let message = hook.hears();
    assert_eq!(message["incident"]["id"], "2.2", "{message}");
    let house = live.stop();
    house.run(&["log", "verify"]).ends(0);
    let opened = logged(&house, "anomaly")
        .iter()
        .filter(|l| l["ghost"]["incident"]["state"] == "open")
        .count();
    assert_eq!(opened, 2, "one flood is one incident");
    let told: Vec<Value> = hook.heard.try_iter().collect();
    assert!(told.iter().all(|m| m["type"] == "digest"), "told more than once: {told:#?}");
}
