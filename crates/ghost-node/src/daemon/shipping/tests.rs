//! The primary in a daemon, and the receiving side that is shipped with it, over a pair of sockets.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ghost_event::{Behaviours, Features};
use ghost_log::{LogReader, VerifyOptions};
use ghost_replica::{Answer, Holdings, LinesOnly, ReplicaDir, ReplicaHost, Silent, serve};
use ghost_ship::wire::LogId;
use ghost_world::{Clock, RealClock, RealDisk};

use super::*;
use crate::config::Config;
use crate::daemon::writer::{Command, LiveBatch};
use crate::daemon::{DaemonHost, FrameSource, sample};
use crate::{DataDir, Models, Profile};

/// Answers each question with its own words, in pieces.
#[derive(Debug)]
struct Echo;

impl Answer for Echo {
    fn answer(
        &self,
        _: LogId,
        question: &[u8],
        out: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        question.chunks(3).try_for_each(out)
    }
    fn indexed(&self, log: LogId) -> u64 {
        Silent.indexed(log)
    }
    fn load(&self) -> u32 {
        250
    }
    fn durable(&self, _: LogId, _: u64) {}
}

#[derive(Debug)]
struct There;

impl ReplicaHost for There {
    fn seed(&self) -> [u8; 32] {
        [7; 32]
    }
    fn say(&self, _: &str) {}
}

/// Reaches the other side by a pair of sockets, unless it is away.
struct Host {
    there: Mutex<Arc<Holdings>>,
    away: AtomicBool,
    connected: AtomicU32,
    stop: Arc<AtomicBool>,
    /// The ends of connections, to be cut.
    ends: Mutex<Vec<UnixStream>>,
}

impl DaemonHost for Host {
    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(RealClock)
    }
    fn random_id(&self) -> [u8; 16] {
        [5; 16]
    }
    fn random_seed(&self) -> [u8; 32] {
        [6; 32]
    }
    fn say(&self, _: &str) {}
    fn connect(&self, _: &ReplicaConfig, _: &Path) -> io::Result<Connection> {
        if self.away.load(Ordering::Relaxed) {
            return Err(io::Error::other("no route to host"));
        }
        self.connected.fetch_add(1, Ordering::Relaxed);
        let (ours, theirs) = UnixStream::pair()?;
        self.ends.lock().unwrap().push(ours.try_clone()?);
        let there = Arc::clone(&self.there.lock().unwrap());
        let stop = Arc::clone(&self.stop);
        let both = (OwnedFd::from(theirs.try_clone()?), OwnedFd::from(theirs));
        std::thread::spawn(move || serve(both.0, both.1, &there, &Echo, &RealClock, &stop));
        Ok(Connection { read: ours.try_clone()?.into(), write: ours.into(), child: None })
    }
    fn ship_key(&self, _: &Path) -> io::Result<String> {
        Ok("ssh-ed25519 AAAA ghostbridge:test".to_owned())
    }
}

struct House {
    here: tempfile::TempDir,
    there: tempfile::TempDir,
    host: Arc<Host>,
    daemon: Option<Daemon>,
}

fn holdings(data: &Path) -> Arc<Holdings> {
    let receive = Arc::new(LinesOnly);
    let settings = ghost_replica::Settings { spare_bytes: 0, ..Default::default() };
    let disk = Arc::new(RealDisk);
    Arc::new(Holdings::new(disk, data, "there", "test", Arc::new(There), receive, settings))
}

fn start(here: &Path, host: &Arc<Host>) -> Daemon {
    let models = Models { profile: Profile::Balanced, dirs: Vec::new() };
    let (data, host) = (DataDir::new(here), Arc::clone(host) as Arc<dyn DaemonHost>);
    let config = Config { identity: Some("here".to_owned()), ..Config::default() };
    Daemon::start(config, &data, models, FrameSource::None, host).unwrap()
}

impl House {
    fn new() -> House {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let host = Arc::new(Host {
            there: Mutex::new(holdings(there.path())),
            away: AtomicBool::new(false),
            connected: AtomicU32::new(0),
            stop: Arc::default(),
            ends: Mutex::default(),
        });
        let daemon = Some(start(here.path(), &host));
        House { here, there, host, daemon }
    }

    fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().unwrap()
    }

    fn add(&self) {
        let ask = ReplicaAsk {
            name: "cellar".into(),
            address: "ssh://cellar".into(),
            ..ReplicaAsk::default()
        };
        self.daemon().replica_add(&ask).unwrap();
    }

    fn flows(&self, from: u16, count: u16, behaviours: Behaviours) {
        let ends: Vec<_> = (from..from + count).map(|p| ([10, 0, 0, 1], p)).collect();
        let mut features: Vec<Features> = sample::flows(&ends);
        features.iter_mut().for_each(|f| f.behaviours = behaviours);
        let batch = LiveBatch { features, ..LiveBatch::default() };
        assert!(self.daemon().inner.writer.put(Command::Live(batch)).is_ok());
    }

    fn status(&self) -> ReplicaStatus {
        self.daemon().replicas().into_iter().next().unwrap()
    }

    /// Waits until it is so. No check of speed: a test that hangs must end.
    fn until(&self, what: &str, so: impl Fn(&ReplicaStatus) -> bool) -> ReplicaStatus {
        for _ in 0..6000 {
            let status = self.status();
            if so(&status) {
                return status;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("{what}: {:#?}", self.status());
    }

    /// Lines that the other side holds, as another process reads them.
    fn held(&self) -> Vec<Vec<u8>> {
        let Some(dir) = ReplicaDir::list(self.there.path()).pop() else { return Vec::new() };
        let mut lines = dir.reader().lines(1);
        let mut all = Vec::new();
        while let Ok(Some(line)) = lines.next() {
            all.push(line.bytes.to_vec());
        }
        all
    }

    fn own(&self) -> Vec<Vec<u8>> {
        let reader = LogReader::open(self.here.path());
        let mut lines = reader.lines(1);
        let mut all = Vec::new();
        while let Ok(Some(line)) = lines.next() {
            all.push(line.bytes.to_vec());
        }
        all
    }

    fn cut(&self) {
        for end in self.host.ends.lock().unwrap().drain(..) {
            let _ = end.shutdown(std::net::Shutdown::Both);
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.host.stop.store(true, Ordering::Relaxed);
        if let Some(daemon) = self.daemon.take() {
            daemon.stop();
        }
    }
}

#[test]
fn what_presses_is_on_the_replica_before_its_block_and_then_the_block_is_verified_and_cosigned() {
    let house = House::new();
    house.add();
    house.until("connected", ReplicaStatus::is_connected);
    house.flows(1, 5, Behaviours::BRUTE_FORCE);
    let status = house.until("the tail", |s| s.held > 5);
    assert!(status.tail_lines > 0, "{status:#?}");
    let status = house.until("cosigned", |s| s.verified_block > 0 && s.cosigned_size > 0);
    assert_eq!((status.state.as_str(), status.health.as_str()), ("connected", "healthy"));
    assert_eq!((status.identity.as_str(), status.load_permille), ("there", 250));
    assert_eq!(status.cosigned_size, status.verified_size);
    // Line by line what stands here.
    let (held, own) = (house.held(), house.own());
    assert!(held.len() > 5 && held[..] == own[..held.len()]);
    // The cosignature is one that `log verify` believes.
    let data = DataDir::new(house.here.path());
    let (path, key) = cosigned_by(&data, "cellar").unwrap();
    let note = std::fs::read(path).unwrap();
    let signed = ghost_log::proof::checkpoint::SignedCheckpoint::parse(&note).unwrap();
    let key = ghost_log::proof::key::VerifyingKey::parse(&key).unwrap();
    assert!(signed.cosigned_by(&key).is_some());
    let options = VerifyOptions {
        against: Some(signed.into()),
        witnesses: vec![key],
        ..VerifyOptions::default()
    };
    let verdict = ghost_log::verify(house.here.path(), &options).unwrap();
    assert!(verdict.ok(), "{:?}", verdict.wrong());
}

#[test]
fn a_connection_that_breaks_is_made_again_and_nothing_is_sent_twice_into_the_log() {
    let house = House::new();
    house.add();
    for round in 0..5 {
        house.until("connected", ReplicaStatus::is_connected);
        house.flows(1 + round * 10, 10, Behaviours::BRUTE_FORCE);
        if round % 2 == 0 {
            house.cut();
        }
    }
    let newest = house.daemon().seal().unwrap().unwrap();
    house.until("verified", |s| s.verified_size >= newest.size);
    assert!(house.host.connected.load(Ordering::Relaxed) > 1);
    let (held, own) = (house.held(), house.own());
    assert!(held.len() as u64 >= newest.size && held[..] == own[..held.len()]);
}

#[test]
fn a_replica_that_was_away_gets_all_by_one_block_and_the_log_goes_on_meanwhile() {
    let house = House::new();
    house.host.away.store(true, Ordering::Relaxed);
    house.add();
    let mut newest = 0;
    for round in 0..20 {
        house.flows(1 + round, 1, Behaviours::NONE);
        newest = house.daemon().seal().unwrap().unwrap().size;
    }
    let status = house.until("failed", |s| s.failures > 0);
    assert_eq!(status.last_failure, "no route to host");
    assert!(house.daemon().status().blocks.kept <= 2, "no pile-up");
    house.host.away.store(false, Ordering::Relaxed);
    house.daemon().replica_sync("cellar").unwrap();
    let status = house.until("verified", |s| s.verified_size >= newest);
    assert!(status.blocks_sent <= 2, "{status:#?}");
}

#[test]
fn the_logs_own_lines_about_replicas_seal_nothing() {
    let house = House::new();
    house.flows(1, 1, Behaviours::NONE);
    house.daemon().seal().unwrap().unwrap();
    house.add();
    house.until("verified", |s| s.verified_block == 1 && s.state == "connected");
    for _ in 0..3 {
        house.daemon().replica_pause("cellar").unwrap();
        house.until("paused", |s| s.state == "paused");
        house.daemon().replica_resume("cellar").unwrap();
        house.until("connected", ReplicaStatus::is_connected);
    }
    let own = || {
        let all = house.own();
        all.iter().filter(|l| l.windows(9).any(|w| w == b"\"replica:")).count()
    };
    for _ in 0..200 {
        if own() > 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(own() > 0, "they are there");
    assert_eq!(house.daemon().seal().unwrap(), None, "and are nothing new");
    assert_eq!(house.daemon().status().blocks.last, 1);
}

#[test]
fn settings_and_what_was_acknowledged_outlive_a_restart_and_a_removed_replica_is_forgotten() {
    let mut house = House::new();
    house.add();
    house.flows(1, 3, Behaviours::BRUTE_FORCE);
    house.until("verified", |s| s.verified_block > 0);
    house.daemon().replica_limit("cellar", Some(1 << 20), Some("01:00-02:00")).unwrap();
    house.daemon().replica_pause("cellar").unwrap();
    house.daemon.take().unwrap().stop();
    let known = replicas_known(&DataDir::new(house.here.path())).0;
    assert!(known[0].verified_block > 0 && known[0].paused);
    house.daemon = Some(start(house.here.path(), &house.host));
    let status = house.status();
    assert_eq!((status.rate_limit, status.quiet.as_str()), (Some(1 << 20), "01:00-02:00"));
    assert_eq!(status.verified_block, known[0].verified_block);
    house.daemon().replica_remove("cellar").unwrap();
    assert!(house.daemon().replicas().is_empty());
    assert!(replicas_known(&DataDir::new(house.here.path())).0.is_empty());
    assert!(matches!(house.daemon().replica_sync("cellar"), Err(ReplicaError::Unknown(_))));
}

#[test]
fn another_log_in_the_place_of_the_replicas_is_refused_by_both_and_told_with_its_code() {
    let mut house = House::new();
    house.add();
    house.flows(1, 3, Behaviours::BRUTE_FORCE);
    house.until("verified", |s| s.verified_block > 0);
    house.daemon.take().unwrap().stop();
    // The whole data folder is an old copy: of before there was anything, under the same name.
    for name in ["log", "blocks", "index"] {
        let _ = std::fs::remove_dir_all(house.here.path().join(name));
    }
    for name in ["head", "epoch", "elements"] {
        let _ = std::fs::remove_file(house.here.path().join("state").join(name));
    }
    house.daemon = Some(start(house.here.path(), &house.host));
    let status = house.until("diverged", |s| s.state == "diverged");
    assert_eq!(status.health, "diverged");
    assert!(["fork", "shrunk", "stale_epoch"].contains(&status.refused.as_str()), "{status:#?}");
    assert!(!status.refused_words.is_empty());
}

#[test]
fn a_question_is_answered_over_the_same_connection_in_its_parts() {
    let house = House::new();
    house.add();
    house.until("connected", ReplicaStatus::is_connected);
    let ask = |words: &[u8]| {
        let mut all = Vec::new();
        let mut out = |bytes: &[u8]| {
            all.extend_from_slice(bytes);
            true
        };
        house.daemon().ask_replica("cellar", words, Duration::from_secs(20), &mut out).map(|()| all)
    };
    assert_eq!(ask(b"{\"kind\":\"query\"}").unwrap(), b"{\"kind\":\"query\"}");
    house.daemon().replica_pause("cellar").unwrap();
    house.until("paused", |s| s.state == "paused");
    assert!(matches!(ask(b"{}"), Err(ReplicaError::NotConnected { .. })));
    let unknown = house.daemon().ask_replica("attic", b"{}", Duration::ZERO, &mut |_| true);
    assert!(matches!(unknown, Err(ReplicaError::Unknown(_))));
}
