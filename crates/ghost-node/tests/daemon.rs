//! The daemon over fed frames: no root, no kernel, everything else as it is.

mod fed;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use fed::{
    Feed, Frame, Slow, fixture, flows, frames_of, lines, start, start_at, start_with, until,
};
use ghost_event::line::{LineKind, Note, View};
use ghost_node::config::{Config, Granularity};
use ghost_node::daemon::{DaemonError, FrameSource, ImportAsk};
use ghost_node::import::{self, FileReport, Host, Options};
use ghost_node::store::{Limits, Store};
use ghost_node::{Clock, DataDir, Models, RealClock, Tags};
use jiff::Zoned;

struct Quiet;

impl Host for Quiet {
    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(RealClock)
    }
    fn random_id(&self) -> [u8; 16] {
        [9; 16]
    }
    fn random_seed(&self) -> [u8; 32] {
        [9; 32]
    }
    fn stop_wanted(&self) -> bool {
        false
    }
    fn progress(&self, _read: u64, _total: Option<u64>) {}
    fn file_done(&self, _report: &FileReport) {}
    fn say(&self, _words: &str) {}
}

fn imported(path: &Path) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { paths: vec![path.to_owned()], jobs: 1, ..Options::default() };
    let report = import::run(&DataDir::new(dir.path()), &options, &Quiet).unwrap();
    assert_eq!((report.failed, report.refused), (0, 0));
    flows(dir.path())
}

fn seen_live((frames, clock): (Vec<Frame>, Slow)) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let feed = Feed::default();
    let count = frames.len() as u64;
    feed.put(frames);
    let mut config = Config::default();
    // A file's, so that nothing ends sooner.
    config.flow.idle_tcp_closed_ns = ghost_flow::FlowConfig::default().idle_tcp_closed_ns;
    let daemon = start_at(clock, dir.path(), config, feed.source()).unwrap();
    until("all frames taken in", || daemon.status().traffic.packets >= count);
    let stopped = daemon.stop();
    assert!(stopped.trouble.is_empty(), "{:?}", stopped.trouble);
    flows(dir.path())
}

/// Ethernet, IPv4, TCP without options; the payload behind it.
fn tcp(from: [u8; 4], to: [u8; 4], ports: (u16, u16), flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    let total = 40 + payload.len() as u16;
    frame.extend([0x45, 0, (total >> 8) as u8, total as u8, 0, 1, 0x40, 0, 64, 6, 0, 0]);
    frame.extend(from);
    frame.extend(to);
    frame.extend(ports.0.to_be_bytes());
    frame.extend(ports.1.to_be_bytes());
    frame.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    frame.extend(payload);
    frame
}

fn now(data: Vec<u8>) -> Frame {
    Frame {
        at_ns: Slow::default().uptime_ns(),
        ifindex: 7,
        wire_len: data.len() as u32,
        segments: 1,
        data,
    }
}

fn hits(daemon: &ghost_node::daemon::Daemon, words: &str) -> Vec<String> {
    let answered = daemon.flows(words, &Limits::default()).unwrap();
    (0..answered.answer.hits.len())
        .map(|at| String::from_utf8(answered.line(at).unwrap()).unwrap())
        .collect()
}

fn gaps(data: &Path) -> Vec<(String, u64, u64)> {
    lines(data)
        .iter()
        .filter_map(|line| match View::parse(line.as_bytes()).unwrap().note {
            Some(Note::Gap(gap)) => Some((gap.reason.into_owned(), gap.packets, gap.events)),
            _ => None,
        })
        .collect()
}

#[test]
fn live_flows_and_shapes_are_those_of_the_same_traffic_imported_from_a_file() {
    for name in [
        "ppp__many-protocols.pcap",
        "made__tls.pcap",
        "made__ssh-brute-force.pcap",
        "made__port-scan.pcap",
        "made__dns-tunnel.pcap",
        "made__web-attacks.pcap",
        "ppp__VlanPackets.pcap",
        "ppp__ip4_fragments.pcap",
        "tcpdump__geneve.pcap",
    ] {
        let path = fixture(name);
        let (file, live) = (imported(&path), seen_live(frames_of(&path)));
        assert!(!file.is_empty());
        for (file, live) in file.iter().zip(&live) {
            assert_eq!(live, file, "{name}");
        }
        assert_eq!(live.len(), file.len(), "{name}");
    }
}

/// As the kernel's side copies: a prefix, and the whole of what begins a handshake or tells a name.
fn as_tapped(frame: &mut Frame) {
    const PREFIX: usize = 232;
    let packet = ghost_wire::parse(ghost_wire::LinkType::Ethernet, &frame.data);
    let telling = match packet.payload {
        [0x16, 0x03, ..] => true,
        [b'A'..=b'Z', ..] => packet.payload.starts_with(b"SSH-") || packet.payload.len() > 16,
        _ => matches!(packet.transport, ghost_wire::Transport::Udp { .. }),
    };
    if !telling {
        frame.data.truncate(PREFIX);
    }
}

#[test]
fn prefixes_of_frames_give_the_shapes_of_whole_frames() {
    for name in ["made__tls.pcap", "made__ssh-production.pcap", "made__clear-logins.pcap"] {
        let path = fixture(name);
        let (mut frames, clock) = frames_of(&path);
        frames.iter_mut().for_each(as_tapped);
        let cut = |flows: Vec<String>| -> Vec<String> {
            // The shape; of a prefix names may be fewer.
            flows.iter().map(|f| f.split(" | ").nth(18).unwrap_or("").to_owned()).collect()
        };
        assert_eq!(cut(seen_live((frames, clock))), cut(imported(&path)), "{name}");
    }
}

#[test]
fn an_open_flow_is_found_at_once_and_only_once_when_it_has_ended() {
    let dir = tempfile::tempdir().unwrap();
    let feed = Feed::default();
    let daemon = start(dir.path(), Config::default(), &feed);
    let (a, b) = ([10, 1, 2, 3], [10, 9, 9, 9]);
    feed.put([now(tcp(a, b, (40_000, 22), 0x02, b""))]);
    until("the open flow is found", || !hits(&daemon, "host:10.9.9.9").is_empty());
    let open = hits(&daemon, "host:10.9.9.9");
    assert_eq!(open.len(), 1);
    assert!(open[0].contains("\"reason\":\"update\""), "{}", open[0]);
    assert!(open[0].contains("\"in_iface\":\"lan1\""), "{}", open[0]);
    assert!(open[0].contains("\"bridge\":\"bridge0\""), "{}", open[0]);
    assert!(hits(&daemon, "host:10.9.9.8").is_empty());
    // In words as well; the answer says what it looked at.
    let asked = daemon.query("ssh from 10.1.2.3", &Limits::default()).unwrap();
    assert_eq!(asked.answer.hits.len(), 1, "{:?}", asked.answer);
    // It carries data, is reset, and is opened anew: the first ends and is logged.
    feed.put([
        now(tcp(a, b, (40_000, 22), 0x18, b"hello")),
        now(tcp(b, a, (22, 40_000), 0x14, b"")),
        now(tcp(a, b, (40_000, 22), 0x02, b"")),
    ]);
    until("the first is logged", || daemon.status().log.events == 1);
    let found = hits(&daemon, "host:10.9.9.9");
    assert_eq!(found.len(), 2, "one logged, one open: {found:?}");
    let stopped = daemon.stop();
    assert_eq!((stopped.flows_ended, stopped.trouble.len()), (1, 0), "{stopped:?}");
    assert_eq!(flows(dir.path()).len(), 2);
}

#[test]
fn a_stop_ends_open_flows_and_leaves_nothing_unindexed() {
    let dir = tempfile::tempdir().unwrap();
    let feed = Feed::default();
    let daemon = start(dir.path(), Config::default(), &feed);
    let open = |n: u8| now(tcp([10, 0, 0, n], [10, 0, 1, n], (1000, 80), 0x02, b""));
    feed.put((0..200).map(open));
    // Not waited for: what is in the ring at the end is drained.
    let stopped = daemon.stop();
    assert!(stopped.trouble.is_empty(), "{:?}", stopped.trouble);
    assert_eq!(stopped.flows_ended, 200);
    assert!(flows(dir.path()).iter().all(|flow| flow.contains("shutdown")));
    let data = DataDir::new(dir.path());
    let store = Store::open(&data, &Tags::default(), Models::default(), Zoned::default()).unwrap();
    assert_eq!((store.index_status().events, store.tail_events()), (200, 0));
    assert!(!daemon.alive());
    assert!(matches!(daemon.reload(Config::default()), Err(DaemonError::Stopping)));
}

#[test]
fn what_a_ring_lost_is_a_gap_in_the_log_and_a_note_in_the_answer() {
    let dir = tempfile::tempdir().unwrap();
    let feed = Feed::default();
    let daemon = start(dir.path(), Config::default(), &feed);
    feed.lose(7, 12, 3456);
    until("the gap is told", || daemon.status().loss.gaps == 1);
    let status = daemon.status();
    assert_eq!((status.loss.ring_frames, status.loss.ring_bytes), (12, 3456));
    assert_eq!((status.ports[0].name.as_str(), status.ports[0].lost), ("lan1", 12));
    let answer = daemon.flows("", &Limits::default()).unwrap().answer;
    assert!(answer.notes.iter().any(|n| n.contains("12 frames")), "{:?}", answer.notes);
    daemon.stop();
    assert_eq!(gaps(dir.path()), [("ring_full".to_owned(), 12, 0)]);
}

#[test]
fn two_daemons_on_one_folder_are_one_too_many() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = start(dir.path(), Config::default(), &Feed::default());
    let second = start_with(dir.path(), Config::default(), FrameSource::None).unwrap_err();
    assert!(second.to_string().contains("another writer has this log"), "{second}");
    assert!(second.to_string().contains(&format!("pid {}", std::process::id())), "{second}");
    daemon.stop();
    start_with(dir.path(), Config::default(), FrameSource::None).unwrap().stop();
}

#[test]
fn a_reload_changes_the_filter_or_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let feed = Feed::default();
    let daemon = start(dir.path(), Config::default(), &feed);
    let wrong = Config { filter: "port port".into(), ..Config::default() };
    assert!(matches!(daemon.reload(wrong), Err(DaemonError::Filter(_))));
    assert_eq!(daemon.status().filter, "");
    let mut new = Config { filter: "tcp port 80".into(), ..Config::default() };
    new.granularity = Granularity::Packet;
    let done = daemon.reload(new).unwrap();
    assert_eq!(
        (done.applied, done.needs_restart),
        (vec!["filter".into()], vec!["granularity".into()])
    );
    let (a, b) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    feed.put([now(tcp(a, b, (1000, 80), 2, b"")), now(tcp(a, b, (1000, 81), 2, b""))]);
    until("both came by", || daemon.status().traffic.frames == 2);
    assert_eq!((daemon.status().traffic.packets, daemon.status().traffic.filtered), (1, 1));
    daemon.stop();
    assert_eq!(flows(dir.path()).len(), 1);
}

#[test]
fn at_packet_granularity_each_packet_is_a_line_beside_its_flow() {
    let dir = tempfile::tempdir().unwrap();
    let path = fixture("made__tls.pcap");
    let (frames, _) = frames_of(&path);
    let count = frames.len();
    let feed = Feed::default();
    feed.put(frames);
    let config = Config { granularity: Granularity::Packet, ..Config::default() };
    let daemon = start(dir.path(), config, &feed);
    until("all packets logged", || daemon.status().log.events >= count as u64);
    daemon.stop();
    let all = lines(dir.path());
    let kinds = |kind: LineKind| {
        all.iter().filter(|l| View::parse(l.as_bytes()).unwrap().kind == kind).count()
    };
    assert_eq!(kinds(LineKind::Packet), count);
    assert_eq!(kinds(LineKind::Flow), imported(&path).len());
    assert!(
        ghost_node::store::verify(dir.path(), &ghost_node::store::VerifyOptions::default())
            .unwrap()
            .ok()
    );
}

fn ask(name: &str) -> (ImportAsk, Box<dyn std::io::Read + Send>) {
    let path = fixture(name);
    let sha256 = {
        use sha2::Digest as _;
        let digest = sha2::Sha256::digest(std::fs::read(&path).unwrap());
        digest.iter().map(|b| format!("{b:02x}")).collect()
    };
    let ask = ImportAsk { file: name.into(), sha256: Some(sha256), ..ImportAsk::default() };
    (ask, Box::new(File::open(path).unwrap()))
}

#[test]
fn an_import_through_the_daemon_is_the_import_that_it_is_offline() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = start_with(dir.path(), Config::default(), FrameSource::None).unwrap();
    let (asked, input) = ask("ppp__many-protocols.pcap");
    let report = daemon.import(&asked, input, &mut |_| true).unwrap();
    assert_eq!(report.error, None);
    assert_eq!(Some(&report.sha256), asked.sha256.as_ref());
    let (asked, input) = ask("ppp__many-protocols.pcap");
    let again = daemon.import(&asked, input, &mut |_| true).unwrap();
    assert!(again.refused && again.error.unwrap().contains("was imported already"));
    // Found at once, without a commit of the index.
    assert_eq!(hits(&daemon, "app:dns").len(), {
        let offline = imported(&fixture("ppp__many-protocols.pcap"));
        offline.iter().filter(|f| f.contains(" | \"dns\" | ")).count()
    });
    daemon.stop();
    assert_eq!(flows(dir.path()), imported(&fixture("ppp__many-protocols.pcap")));
}

#[test]
fn an_interrupted_import_is_completed_without_a_doubled_event() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = start_with(dir.path(), Config::default(), FrameSource::None).unwrap();
    let (asked, input) = ask("ppp__many-protocols.pcap");
    let mut calls = 0;
    let stopped = daemon.import(&asked, input, &mut |_| {
        calls += 1;
        calls < 2
    });
    assert!(stopped.is_err());
    daemon.stop();
    let logged = flows(dir.path()).len();
    let offline = imported(&fixture("ppp__many-protocols.pcap"));
    assert!(0 < logged && logged <= offline.len(), "{logged} of {}", offline.len());
    // And offline, after the daemon: it is one journal.
    let options =
        Options { paths: vec![fixture("ppp__many-protocols.pcap")], jobs: 1, ..Options::default() };
    import::run(&DataDir::new(dir.path()), &options, &Quiet).unwrap();
    assert_eq!(flows(dir.path()), offline);
}

#[test]
fn followers_hear_of_what_is_logged_and_meets_their_conditions() {
    let dir = tempfile::tempdir().unwrap();
    let feed = Feed::default();
    let daemon = start(dir.path(), Config::default(), &feed);
    assert!(daemon.follow("what was slow").is_err());
    let mut follow = daemon.follow("port:80").unwrap();
    let (a, b) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    for port in [80, 81] {
        feed.put([
            now(tcp(a, b, (1000, port), 0x02, b"")),
            now(tcp(a, b, (1000, port), 0x18, b"hello")),
            now(tcp(b, a, (port, 1000), 0x14, b"")),
            now(tcp(a, b, (1000, port), 0x02, b"")),
        ]);
    }
    let mut heard = Vec::new();
    until("the flow to port 80 is told", || {
        heard.extend(follow.next().unwrap());
        daemon.status().log.events == 2 && !heard.is_empty()
    });
    assert_eq!(heard.len(), 1);
    assert!(String::from_utf8_lossy(&heard[0]).contains("\"dest_port\":80"));
    daemon.stop();
}
