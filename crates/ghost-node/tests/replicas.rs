//! A log, two replicas of it over pairs of sockets, and questions that go there and come back.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ghost_node::api::{Question, Subject};
use ghost_node::config::Config;
use ghost_node::daemon::{
    Connection, Daemon, DaemonHost, FrameSource, HostKey, ImportAsk, ReplicaAsk, ReplicaConfig,
};
use ghost_node::replicas::{HeldIndex, LogPart, Merged, held_index};
use ghost_node::store::Limits;
use ghost_node::{Clock, DataDir, Models, RealClock};
use serde_json::Value;

/// A machine; a primary's reaches its replicas by their names.
struct Host {
    random: u8,
    /// Each with what ends its connections.
    replicas: Mutex<Vec<(String, Daemon, Arc<AtomicBool>)>>,
    said: Mutex<Vec<String>>,
}

impl Host {
    fn new(random: u8) -> Arc<Host> {
        Arc::new(Host { random, replicas: Mutex::default(), said: Mutex::default() })
    }
}

impl DaemonHost for Host {
    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(RealClock)
    }
    fn random_id(&self) -> [u8; 16] {
        [self.random; 16]
    }
    fn random_seed(&self) -> [u8; 32] {
        [self.random; 32]
    }
    fn say(&self, words: &str) {
        self.said.lock().unwrap().push(words.to_owned());
    }
    fn ship_key(&self, _: &Path) -> io::Result<String> {
        Ok("ssh-ed25519 AAAA".to_owned())
    }
    fn host_keys(&self, _: &ghost_node::daemon::Address) -> io::Result<Vec<HostKey>> {
        Ok(Vec::new())
    }
    fn connect(&self, replica: &ReplicaConfig, _: &Path) -> io::Result<Connection> {
        let replicas = self.replicas.lock().unwrap();
        let found = replicas.iter().find(|(name, _, _)| *name == replica.name);
        let (_, daemon, stop) = found.ok_or(io::ErrorKind::ConnectionRefused)?;
        let (daemon, stop) = (daemon.clone(), Arc::clone(stop));
        let (ours, theirs) = UnixStream::pair()?;
        let (read, write) = (theirs.try_clone()?, theirs);
        std::thread::spawn(move || {
            let _ = daemon.serve_primary(OwnedFd::from(read), OwnedFd::from(write), &stop);
        });
        let (read, write) = (ours.try_clone()?.into(), ours.into());
        Ok(Connection { read, write, child: None })
    }
}

struct Machine {
    dir: tempfile::TempDir,
    host: Arc<Host>,
    daemon: Daemon,
}

impl Machine {
    fn start(random: u8) -> Machine {
        let dir = tempfile::tempdir().unwrap();
        let host = Host::new(random);
        let config = Config { identity: Some(format!("host-{random}")), ..Config::default() };
        let data = DataDir::new(dir.path());
        let asked = Arc::clone(&host) as Arc<dyn DaemonHost>;
        let daemon =
            Daemon::start(config, &data, Models::default(), FrameSource::None, asked).unwrap();
        Machine { dir, host, daemon }
    }

    fn data(&self) -> DataDir {
        DataDir::new(self.dir.path())
    }

    fn import(&self, name: &str) {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/pcap").join(name);
        let ask = ImportAsk { file: name.to_owned(), again: true, ..ImportAsk::default() };
        let report = self.daemon.import(&ask, Box::new(File::open(path).unwrap()), &mut |_| true);
        assert_eq!(report.unwrap().error, None);
    }

    fn ask(
        &self,
        subject: Subject,
        replicas: &[&str],
    ) -> Result<Merged, ghost_node::replicas::FanError> {
        self.daemon.ask_replicas(&Question {
            subject,
            since: None,
            until: None,
            limit: 50,
            now: None,
            tags: None,
            grouped: false,
            explained: false,
            logs: Vec::new(),
            replicas: replicas.iter().map(|name| (*name).to_owned()).collect(),
        })
    }

    fn head(&self) -> u64 {
        self.daemon.status().log.head
    }
}

#[track_caller]
fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..6000 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("not within a minute: {what}");
}

fn hits(merged: &Merged) -> Vec<Value> {
    merged.lines().map(|line| serde_json::from_slice(&line.unwrap()).unwrap()).collect()
}

fn seqs(hits: &[Value]) -> Vec<u64> {
    hits.iter().map(|hit| hit["event"]["ghost"]["seq"].as_u64().unwrap()).collect()
}

fn part<'m>(merged: &'m Merged, name: &str) -> &'m LogPart {
    merged.head.logs.iter().find(|part| part.name == name).unwrap()
}

#[test]
fn replicas_answer_for_their_primary_say_how_fresh_they_are_and_hold_its_index() {
    let primary = Machine::start(1);
    let replicas = [Machine::start(2), Machine::start(3)];
    for (name, machine) in ["a", "b"].iter().zip(&replicas) {
        let known = ((*name).to_owned(), machine.daemon.clone(), Arc::default());
        primary.host.replicas.lock().unwrap().push(known);
        let address = "ssh://replica".to_owned();
        let ask = ReplicaAsk { name: (*name).to_owned(), address, ..ReplicaAsk::default() };
        primary.daemon.replica_add(&ask).unwrap();
    }
    for capture in ["made__ssh-brute-force.pcap", "made__dns-tunnel.pcap"] {
        primary.import(capture);
    }
    primary.daemon.seal().unwrap();
    let log = primary.daemon.status().log_id;
    let query = || Subject::Query("app:ssh brute force".to_owned());
    let own =
        primary.daemon.query("app:ssh brute force", &Limits { hits: 50, ..Limits::default() });
    let own: Vec<u64> = own.unwrap().answer.hits.iter().map(|hit| hit.seq).collect();
    assert!(own.len() > 10);
    let answers = |of: &[&str]| primary.ask(query(), of).ok().map(|merged| seqs(&hits(&merged)));
    until("both replicas answer as the primary", || {
        answers(&["a"]).as_ref() == Some(&own) && answers(&["b"]).as_ref() == Some(&own)
    });
    // All: every line once, from this host where it has it; the others brought the same.
    let all = primary.ask(query(), &["all"]).unwrap();
    assert_eq!(seqs(&hits(&all)), own);
    assert_eq!(part(&all, "own").hits, own.len() as u64);
    for name in ["a", "b"] {
        let told = part(&all, name);
        assert_eq!((told.trouble.as_str(), told.doubled), ("", own.len() as u64), "{told:?}");
        assert_eq!((told.log.as_str(), told.hits), (log.as_str(), 0));
        assert_eq!(told.behind, Some(primary.head().saturating_sub(told.newest)));
    }
    // Any: in turn.
    let mut asked: Vec<String> = (0..4)
        .map(|_| primary.ask(query(), &["any"]).unwrap())
        .map(|merged| merged.head.logs.into_iter().find(|part| part.hits > 0).unwrap().name)
        .collect();
    asked.dedup();
    assert_eq!(asked.len(), 4, "{asked:?}");
    // Listings and likeness go there as well.
    let flows = primary.ask(Subject::Flows("app:dns".to_owned()), &["b"]).unwrap();
    let listed =
        primary.daemon.flows("app:dns", &Limits { hits: 50, ..Limits::default() }).unwrap();
    let listed: Vec<u64> = listed.answer.hits.iter().map(|hit| hit.seq).collect();
    assert_eq!(seqs(&hits(&flows)), listed);
    let like = primary.ask(Subject::Similar(own[0].to_string()), &["a"]).unwrap();
    assert!(!hits(&like).is_empty() && part(&like, "a").trouble.is_empty());
    let off = primary.ask(Subject::Flows("not a filter".to_owned()), &["a"]).unwrap_err();
    assert!(off.to_string().contains("not a filter"), "{off}");
    // One goes away: it is told, and the other answers.
    replicas[0].daemon.stop();
    let (_, _, stop) = primary.host.replicas.lock().unwrap().remove(0);
    stop.store(true, Ordering::Release);
    primary.import("tcpdump__ntp.pcap");
    primary.daemon.seal().unwrap();
    let ntp = || Subject::Flows("app:ntp".to_owned());
    until("the other has what came since, and the one that is gone is told", || {
        primary.ask(ntp(), &["a", "b"]).is_ok_and(|merged| {
            !part(&merged, "a").trouble.is_empty() && part(&merged, "b").hits > 0
        })
    });
    assert!(primary.ask(ntp(), &["a"]).is_err());
    assert!(primary.ask(ntp(), &["any"]).is_ok());
    // The copy's index holds what the primary's holds.
    primary.daemon.stop();
    let store = ghost_node::store::Store::open(
        &primary.data(),
        &ghost_node::Tags::default(),
        Models::default(),
        jiff::Zoned::default(),
    );
    let store = store.unwrap();
    let (theirs, to) = (store.content_digest().unwrap(), store.index_status().indexed_to);
    // A primary that ends seals what it logged last, and sends it as far as it may.
    let mut ours = HeldIndex::default();
    until("the copy's index has every line", || {
        // While a commit is under way it may be unreadable.
        ours = held_index(&replicas[1].data(), &log).unwrap_or_default();
        ours.status.indexed_to == to
    });
    assert_eq!(ours.digest, theirs);
    let (_, _, stop) = primary.host.replicas.lock().unwrap().remove(0);
    stop.store(true, Ordering::Release);
    replicas[1].daemon.stop();
}
