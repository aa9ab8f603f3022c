//! The API over its socket: the real daemon behind it, and one that is slow.

use std::io::{Cursor, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use ghost_world::{Clock, RealClock};
use tempfile::TempDir;

use super::limits::{ASK_THREADS, ASK_WAITING_MAX, BODY_BYTES_MAX, HEADERS_MAX};
use super::*;
use crate::config::Config;
use crate::daemon::{Daemon, DaemonHost, FrameSource, ImportAsk, ImportError, Status};
use crate::import::{FileReport, hash_file};
use crate::store::{Store, StoreError};
use crate::{DataDir, Models, Tags};

struct Host;

impl DaemonHost for Host {
    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(RealClock)
    }
    fn random_id(&self) -> [u8; 16] {
        [5; 16]
    }
    fn random_seed(&self) -> [u8; 32] {
        [5; 32]
    }
    fn say(&self, _words: &str) {}
}

impl ApiHost for Host {
    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(RealClock)
    }
    fn say(&self, _words: &str) {}
}

fn config(data: &Path) -> ApiConfig {
    let data = DataDir::new(data);
    ApiConfig {
        socket: link_for(&data),
        data,
        group: String::new(),
        metrics_listen: Some("127.0.0.1:0".parse().unwrap()),
    }
}

/// A daemon that taps nothing, and its API.
struct House {
    dir: TempDir,
    daemon: Daemon,
    running: Option<Running>,
}

impl House {
    fn new() -> House {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path());
        let none = FrameSource::None;
        let daemon =
            Daemon::start(Config::default(), &data, Models::default(), none, Arc::new(Host))
                .unwrap();
        let running = serve(config(dir.path()), Arc::new(daemon.clone()), Arc::new(Host)).unwrap();
        House { dir, daemon, running: Some(running) }
    }

    fn data(&self) -> DataDir {
        DataDir::new(self.dir.path())
    }

    fn client(&self) -> Client {
        Client::find(&self.data()).unwrap().expect("the daemon answers")
    }

    fn import(&self, name: &str) -> FileReport {
        let path = fixture(name);
        let ask = ImportAsk {
            file: name.to_owned(),
            sha256: Some(hash_file(&path).unwrap()),
            ..ImportAsk::default()
        };
        let input = Box::new(std::fs::File::open(path).unwrap());
        self.client().import(&ask, input, &mut |_| true).unwrap()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        drop(self.running.take());
        self.daemon.stop();
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/pcap").join(name)
}

/// Sends bytes as they stand; the answer as it comes.
fn raw(data: &Path, request: &[u8]) -> String {
    let mut stream = socket::connect(&data.join("state/api.sock")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    // A request that is refused early may not be taken to its end.
    drop(stream.write_all(request));
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    String::from_utf8(answer).unwrap()
}

fn get(data: &Path, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    raw(data, request.as_bytes())
}

fn post(data: &Path, path: &str, body: &str) -> String {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    raw(data, (head + body).as_bytes())
}

fn flows(filter: &str) -> Question {
    Question {
        subject: Subject::Flows(filter.to_owned()),
        since: None,
        until: None,
        limit: 0,
        now: None,
        tags: None,
        grouped: false,
        explained: false,
        logs: Vec::new(),
        replicas: Vec::new(),
    }
}

fn all(client: &mut Client, question: &Question) -> Vec<ClientHit> {
    let mut answering = client.ask(question).unwrap();
    let mut hits = Vec::new();
    while let Some(hit) = answering.next().unwrap() {
        hits.push(hit);
    }
    assert_eq!(answering.head.hits, hits.len() as u64);
    hits
}

#[test]
fn an_import_over_the_socket_is_that_of_the_program_and_known_ones_are_refused() {
    let house = House::new();
    let report = house.import("made__ssh-brute-force.pcap");
    assert!(report.error.is_none() && report.events > 10, "{report:?}");
    let again = house.import("made__ssh-brute-force.pcap");
    assert!(again.refused && again.error.unwrap().contains("imported already"));
    let mut client = house.client();
    let hits = all(&mut client, &flows("app:ssh"));
    assert_eq!(hits.len() as u64, report.events);
    // The very lines of the log, and what a reader of the files gets.
    let now = "2026-11-20T10:00:00Z[UTC]".parse().unwrap();
    let store = Store::open(&house.data(), &Tags::default(), Models::default(), now).unwrap();
    let answer = store.flows("app:ssh", &crate::store::Limits::default()).unwrap().answer;
    let lines: Vec<_> = answer.hits.iter().map(|h| store.read(h.position).unwrap()).collect();
    assert_eq!(hits.into_iter().map(|h| h.line).collect::<Vec<_>>(), lines);
    let standing = client.status().unwrap();
    let log = &standing.status.log;
    let kind = |kind: &str| log.kinds.get(kind).copied().unwrap_or(0);
    assert_eq!(kind("flow"), report.events);
    // The guessing is an incident, which has lines of its own.
    assert!(kind("anomaly") > 0, "{:?}", log.kinds);
    assert_eq!(log.events, report.events + kind("anomaly"));
    assert!(standing.memory_bytes > 0);
    let remembered = client.remembered().unwrap();
    assert_eq!(remembered.events, report.events);
}

#[test]
fn an_import_that_was_cut_off_is_completed_by_the_same_one() {
    let house = House::new();
    let path = fixture("made__dns-tunnel.pcap");
    let bytes = std::fs::read(&path).unwrap();
    let sha256 = hash_file(&path).unwrap();
    let head = format!(
        "POST /v1/import?file=made__dns-tunnel.pcap&sha256={sha256} HTTP/1.1\r\nhost: x\r\n\
         content-length: {}\r\n\r\n",
        bytes.len()
    );
    let mut stream = socket::connect(&link_for(&house.data())).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&bytes[..bytes.len() / 2]).unwrap();
    // Until its bytes are wanted it may be waiting for its turn.
    let mut heard = Vec::new();
    while !String::from_utf8_lossy(&heard).contains("ready") {
        let mut piece = [0; 256];
        let n = stream.read(&mut piece).unwrap();
        assert!(n > 0, "{}", String::from_utf8_lossy(&heard));
        heard.extend_from_slice(&piece[..n]);
    }
    drop(stream);
    let mut client = house.client();
    for _ in 0..1000 {
        if client.status().unwrap().status.imports_running == 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let report = house.import("made__dns-tunnel.pcap");
    assert!(report.error.is_none() && !report.refused, "{report:?}");
    assert_eq!(all(&mut client, &flows("")).len() as u64, report.events);
}

#[test]
fn bytes_that_are_not_what_was_announced_are_told() {
    let house = House::new();
    let ask =
        ImportAsk { file: "x".to_owned(), sha256: Some("0".repeat(64)), ..ImportAsk::default() };
    let bytes = std::fs::read(fixture("tcpdump__ntp.pcap")).unwrap();
    let report = house.client().import(&ask, Box::new(Cursor::new(bytes)), &mut |_| true).unwrap();
    assert!(report.error.unwrap().contains("announced"));
}

#[test]
fn a_follower_hears_what_is_logged_and_meets_its_conditions() {
    let house = House::new();
    let mut client = house.client();
    let mut following = client.follow("app:ntp").unwrap();
    house.import("made__ssh-brute-force.pcap");
    let expected = house.import("tcpdump__ntp.pcap").events;
    let mut heard = 0;
    for _ in 0..600 {
        match following.next(Duration::from_millis(100)).unwrap() {
            Told::Line(line) => {
                assert!(String::from_utf8(line).unwrap().contains("\"app_proto\":\"ntp\""));
                heard += 1;
            }
            Told::Quiet if heard == expected => break,
            Told::Quiet => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(expected > 0 && heard == expected, "{heard} of {expected}");
    let refused = house.client().follow("ap:ntp").unwrap_err();
    assert!(matches!(&refused, ClientError::Refused(r) if r.code == Code::Usage), "{refused:?}");
}

#[test]
fn the_end_of_the_daemon_ends_followers_and_takes_the_socket_away() {
    let mut house = House::new();
    let mut client = house.client();
    let mut following = client.follow("").unwrap();
    house.running.take().unwrap().shutdown();
    let mut told = following.next(Duration::from_secs(30));
    while told == Ok(Told::Quiet) {
        told = following.next(Duration::from_secs(30));
    }
    assert!(matches!(told, Ok(Told::End) | Err(ClientError::Cut(_))), "{told:?}");
    assert!(!link_for(&house.data()).exists());
    // Its log is still held: that is no reason to read past it.
    assert!(matches!(Client::find(&house.data()), Err(ClientError::Unreachable { .. })));
}

impl PartialEq for ClientError {
    fn eq(&self, other: &ClientError) -> bool {
        self.to_string() == other.to_string()
    }
}

#[test]
fn what_is_off_is_refused_with_a_word_on_what_to_do() {
    let house = House::new();
    let data = house.dir.path();
    let refused = |answer: String, status: &str, code: &str, word: &str| {
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        let body = answer.split("\r\n\r\n").nth(1).unwrap();
        let json: serde_json::Value = serde_json::from_str(body.trim()).expect(&answer);
        assert_eq!(json["code"], code, "{answer}");
        assert!(json["error"].as_str().unwrap().contains(word), "{answer}");
    };
    refused(get(data, "/v2/nothing"), "404", "not_found", "/v2/nothing");
    refused(get(data, "/v1/query"), "405", "usage", "method");
    refused(post(data, "/v1/query", "{\"txt\":\"x\"}"), "400", "usage", "txt");
    refused(post(data, "/v1/query", "no json"), "400", "usage", "body");
    refused(post(data, "/v1/flows", "{\"text\":\"plain words\"}"), "400", "usage", "filter");
    refused(post(data, "/v1/similar", "{\"text\":\"4711\"}"), "404", "not_found", "4711");
    refused(post(data, "/v1/import?sha256=zz", ""), "400", "usage", "sha256");
    refused(post(data, "/v1/import?fil=x", ""), "400", "usage", "fil");
    let large = format!("{{\"text\":\"{}\"}}", "x".repeat(BODY_BYTES_MAX));
    refused(post(data, "/v1/query", &large), "400", "usage", "bytes");
    let many: String = (0..=HEADERS_MAX).map(|n| format!("x{n}: y\r\n")).collect();
    let answer = raw(data, format!("GET /v1/status HTTP/1.1\r\n{many}\r\n").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert!(raw(data, b"\x16\x03\x01 what\r\n\r\n").starts_with("HTTP/1.1 400"));
    let api = house.client().status().unwrap().api;
    assert!(api.requests.iter().any(|r| r.route == "other" && r.class == "4xx"), "{api:?}");
}

#[test]
fn tcp_serves_metrics_to_this_host_and_nothing_else() {
    let house = House::new();
    let address = house.running.as_ref().unwrap().metrics_address().unwrap();
    let ask = |path: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let metrics = ask("/metrics");
    assert!(metrics.starts_with("HTTP/1.1 200") && metrics.contains("openmetrics-text"));
    assert!(metrics.contains("\nghostbridge_log_head_seq ") && metrics.ends_with("# EOF\n"));
    assert!(ask("/v1/status").starts_with("HTTP/1.1 404"));
    assert!(house.client().metrics().unwrap().contains("ghostbridge_build_info{"));
    let mut outside = config(house.dir.path());
    outside.metrics_listen = Some("0.0.0.0:9465".parse().unwrap());
    outside.socket = house.dir.path().join("other.sock");
    let refused = serve(outside, Arc::new(house.daemon.clone()), Arc::new(Host));
    assert!(matches!(refused, Err(ApiError::NotLoopback(_))));
}

#[test]
fn two_daemons_do_not_share_a_socket() {
    let house = House::new();
    let second = serve(config(house.dir.path()), Arc::new(house.daemon.clone()), Arc::new(Host));
    assert!(matches!(second, Err(ApiError::InUse { .. })));
    house.client();
}

/// A backend whose answers wait until they are let go.
#[derive(Default)]
struct Slow {
    open: Mutex<bool>,
    opened: Condvar,
    /// Questions that have a thread.
    begun: AtomicUsize,
}

impl Backend for Slow {
    fn status(&self) -> Status {
        Status::default()
    }
    fn ask(&self, _question: &Question) -> Result<Box<dyn Answers>, StoreError> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let held = self.open.lock().unwrap();
        drop(self.opened.wait_while(held, |open| !*open).unwrap());
        Err(StoreError::NotAFilter("let go".to_owned()))
    }
    fn follow(&self, filters: &str) -> Result<Box<dyn Followed>, StoreError> {
        Err(StoreError::NotAFilter(filters.to_owned()))
    }
    fn import(
        &self,
        _ask: &ImportAsk,
        _input: Box<dyn Read + Send>,
        _told: &mut dyn FnMut(u64) -> bool,
    ) -> Result<FileReport, ImportError> {
        Err(ImportError::Busy)
    }

    fn seal(&self) -> Result<Option<ghost_block::Block>, crate::daemon::SealError> {
        Err(crate::daemon::SealError::Busy)
    }
}

#[test]
fn questions_beyond_the_room_are_refused_and_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let slow = Arc::new(Slow::default());
    let backend = Arc::clone(&slow) as Arc<dyn Backend>;
    let running = serve(config(dir.path()), backend, Arc::new(Host)).unwrap();
    let room = ASK_THREADS + ASK_WAITING_MAX;
    let path = dir.path().to_owned();
    let ask = move || post(&path, "/v1/query", "{\"text\":\"x\"}");
    let waiting = {
        let ask = ask.clone();
        // All at once may find the queue full before the threads have taken from it.
        move || loop {
            let answer = ask();
            if !answer.starts_with("HTTP/1.1 503") {
                return answer;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let held: Vec<_> = (0..room).map(|_| std::thread::spawn(waiting.clone())).collect();
    let mut refused = String::new();
    for _ in 0..6000 {
        let status =
            Client::connect(&link_for(&DataDir::new(dir.path()))).unwrap().status().unwrap();
        // Full, and no thread left that would take from it.
        let taken = slow.begun.load(Ordering::SeqCst) == ASK_THREADS;
        if taken && status.api.waiting == status.api.waiting_max {
            refused = ask();
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(refused.contains("retry-after: 1") && refused.contains("\"busy\""), "{refused}");
    *slow.open.lock().unwrap() = true;
    slow.opened.notify_all();
    for one in held {
        assert!(one.join().unwrap().contains("let go"));
    }
    let status = Client::connect(&link_for(&DataDir::new(dir.path()))).unwrap().status().unwrap();
    assert!(status.api.refused_busy >= 1);
    running.shutdown();
}

#[test]
fn a_daemon_that_hangs_is_told_from_one_that_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("state")).unwrap();
    let data = DataDir::new(dir.path());
    assert!(Client::find(&data).unwrap().is_none());
    let silent = UnixListener::bind(link_for(&data)).unwrap();
    let error = Client::find(&data).unwrap_err();
    assert!(error.to_string().contains("no answer within"), "{error}");
    drop(silent);
    // The name is still there, as after SIGKILL.
    assert!(UnixStream::connect(link_for(&data)).is_err());
    assert!(Client::find(&data).unwrap().is_none());
}
