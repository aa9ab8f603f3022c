//! A primary and a replica, connected as an operator connects them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use ghost_lab::{LoopFs, Relay, Sshd, SshdSetup};
use serde_json::Value;

use crate::support::served::Served;
use crate::support::{House, Ran, fixture, text};

/// How long anything may take: long, since machines in CI are slow and busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);
const OPTIONS: &str = "compress=zstd:3,noatime";
const BYTES: u64 = 256 << 20;

/// The group through which the login reaches the daemon: every machine has it.
const GROUP: &str = "nogroup";

/// What every replica is told.
const REPLICA: &str = "[replica]\naccept = true\n";

/// A host: a daemon on a disk.
pub(crate) struct Host {
    daemon: Option<Served>,
    pub(crate) house: House,
    pub(crate) disk: LoopFs,
    config: String,
}

impl Host {
    fn new(disk: LoopFs, config: &str) -> Host {
        let house = House::new();
        // Whoever logs in must reach the socket.
        open_to_all(house.dir.path());
        let data = disk.path().join("data");
        fs::create_dir_all(&data).unwrap();
        std::os::unix::fs::symlink(&data, house.data()).unwrap();
        let config =
            format!("[api]\ngroup = \"{GROUP}\"\nsocket = \"{}\"\n{config}", text(&socket(&house)));
        let mut host = Host { daemon: None, house, disk, config };
        host.start();
        host
    }

    /// Another replica.
    pub(crate) fn replica() -> Host {
        Host::new(LoopFs::btrfs(BYTES, OPTIONS).unwrap(), REPLICA)
    }

    /// The data folder lies on another disk now.
    pub(crate) fn follow_disk(&self) {
        fs::remove_file(self.house.data()).unwrap();
        std::os::unix::fs::symlink(self.data(), self.house.data()).unwrap();
    }

    /// The folder of the log that it holds.
    pub(crate) fn received(&self) -> Option<PathBuf> {
        let entries = fs::read_dir(self.data().join("replicas")).ok()?;
        entries.flatten().map(|e| e.path()).find(|p| p.join("blocks").is_dir())
    }

    #[track_caller]
    pub(crate) fn start(&mut self) {
        self.daemon = Some(Served::start(&self.house, &self.config));
        // The link to the socket lies there; of an installed daemon it is in /run.
        for folder in [self.data(), self.data().join("state")] {
            open_to_all(&folder);
        }
    }

    /// Ends it as a service manager does.
    #[track_caller]
    pub(crate) fn stop(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.stop();
        }
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(&mut self) {
        self.daemon = None;
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.disk.path().join("data")
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        let config = self.house.path("ghostbridge.toml");
        self.house.run_configured(&config, words)
    }

    /// Imports a capture of the repository once more.
    #[track_caller]
    pub(crate) fn import(&self, capture: &str) {
        self.run(&["import", "--again", text(&fixture(capture))]).ends(0);
    }

    /// Seals a block; its number.
    #[track_caller]
    pub(crate) fn seal(&self) -> u64 {
        let told = self.run(&["block", "seal", "-o", "json"]).ends(0).json();
        told["block"].as_u64().unwrap_or_else(|| panic!("{told}"))
    }

    /// What its daemon said.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.house.path("daemon.log")).unwrap_or_default()
    }

    /// All lines of its own log.
    pub(crate) fn lines(&self) -> Vec<u8> {
        lines_of(&self.data().join("log"))
    }
}

fn socket(house: &House) -> PathBuf {
    house.path("api.sock")
}

/// Both hosts and what lies between them. The server goes first, then the daemons, then the disks.
pub(crate) struct Pair {
    pub(crate) sshd: Sshd,
    pub(crate) relay: Relay,
    pub(crate) primary: Host,
    pub(crate) replica: Host,
}

/// True where it must be left out, loudly.
pub(crate) fn skipped() -> bool {
    LoopFs::skipped(&["btrfs"]) || Sshd::skipped()
}

impl Pair {
    /// Connected, and in step. `config` is the primary's own.
    #[track_caller]
    pub(crate) fn new(config: &str) -> Pair {
        let disk = || LoopFs::btrfs(BYTES, OPTIONS).unwrap();
        Pair::on(disk(), disk(), config)
    }

    #[track_caller]
    pub(crate) fn on(primary: LoopFs, replica: LoopFs, config: &str) -> Pair {
        let pair = Pair::unconnected(primary, replica, config);
        pair.connect("far");
        pair
    }

    #[track_caller]
    pub(crate) fn unconnected(primary: LoopFs, replica: LoopFs, config: &str) -> Pair {
        let primary = Host::new(primary, config);
        let replica = Host::new(replica, REPLICA);
        let sshd = serving(&replica);
        let relay = Relay::to(sshd.address()).unwrap();
        Pair { sshd, relay, primary, replica }
    }

    /// `replica add`, the line that it prints put where it says, and the first meeting.
    #[track_caller]
    pub(crate) fn connect(&self, name: &str) {
        // What a log tells of itself makes no block.
        self.primary.import("tcpdump__ntp.pcap");
        self.connect_at(name, &self.sshd, self.relay.address().port());
        self.converges();
    }

    /// The same with another server, and no line between.
    #[track_caller]
    pub(crate) fn connect_at(&self, name: &str, sshd: &Sshd, port: u16) {
        let url = format!("ssh://{}@127.0.0.1:{port}", Sshd::USER);
        let print = sshd.fingerprint().unwrap();
        let told =
            self.primary.run(&["replica", "add", name, &url, "--host-key", &print, "--no-wait"]);
        let line = told.out.lines().find(|l| l.starts_with("restrict,command=\""));
        let line = line.unwrap_or_else(|| panic!("no key line: {}{}", told.out, told.err));
        assert!(line.contains("\"ghostbridge replica serve\" ssh-ed25519 "), "{line}");
        sshd.authorize(Sshd::USER, line).unwrap();
        self.primary.run(&["replica", "sync", name]).ends(0);
    }

    /// What the primary tells of its one replica.
    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        let told = self.primary.run(&["replica", "status", "far", "-o", "json"]).ends(0).json();
        let inner = told.get("replica").or_else(|| told.get(0)).cloned();
        inner.unwrap_or(told)
    }

    /// Waits until the primary's account of its replica is as wanted.
    #[track_caller]
    pub(crate) fn stands(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        wait(what, || {
            last = self.status();
            wanted(&last)
        })
        .unwrap_or_else(|late| panic!("{late}: {last:#}\n{}", self.words()));
        last
    }

    /// The folder of the log that the replica holds.
    pub(crate) fn received(&self) -> Option<PathBuf> {
        self.replica.received()
    }

    /// The replica's newest block, under its own name.
    pub(crate) fn newest(&self) -> Option<(u64, PathBuf)> {
        blocks(&self.received()?.join("blocks")).into_iter().next_back()
    }

    /// Seals what there is, and waits until the replica has all of it in a verified block: byte for
    /// byte, nothing unfinished beside it.
    #[track_caller]
    pub(crate) fn converges(&self) -> PathBuf {
        let _ = self.primary.run(&["block", "seal"]);
        let mut block = PathBuf::new();
        let here = || sealed_lines(&self.primary);
        wait("the replica has all of the log", || {
            let Some((_, newest)) = self.newest() else { return false };
            block = newest;
            let (here, there) = (here(), lines_of(&block));
            !here.is_empty() && here == there
        })
        .unwrap_or_else(|late| {
            let (here, there) = (here().len(), lines_of(&block).len());
            panic!("{late}: {here} bytes here, {there} in {}\n{}", block.display(), self.words())
        });
        let folder = block.parent().unwrap();
        wait("nothing unfinished stays", || {
            let names = fs::read_dir(folder).unwrap().flatten().map(|e| e.file_name());
            !names.into_iter().any(|n| n.to_string_lossy().starts_with("incoming"))
        })
        .unwrap();
        block
    }

    /// Bytes of lines that the replica shows: its newest block and the tail behind it.
    pub(crate) fn shown(&self) -> Vec<u8> {
        let mut lines = self.newest().map(|(_, path)| lines_of(&path)).unwrap_or_default();
        let tail = self.received().map(|p| fs::read(p.join("tail/lines.jsonl")));
        let tail = tail.and_then(Result::ok).unwrap_or_default();
        // The tail may hold lines that the block has already.
        let last = last_seq(&lines);
        for line in tail.split_inclusive(|b| *b == b'\n').filter(|l| l.ends_with(b"\n")) {
            if seq_of(line) > last {
                lines.extend_from_slice(line);
            }
        }
        lines
    }

    /// Nothing acknowledged is lost, and nothing is there that the primary never wrote.
    #[track_caller]
    pub(crate) fn holds_at_least(&self, acknowledged: u64) {
        let (here, there) = (self.primary.lines(), self.shown());
        assert!(here.starts_with(&there), "the replica has lines of its own\n{}", self.words());
        let last = last_seq(&there);
        assert!(last >= acknowledged, "{last} of {acknowledged} lines\n{}", self.words());
    }

    /// What all sides said, for a failure.
    pub(crate) fn words(&self) -> String {
        let told = self.primary.run(&["replica", "status", "far", "-o", "json"]);
        format!("{}primary: {}\nreplica: {}", told.out, self.primary.said(), self.replica.said())
    }

    /// An `ssh` with a key that is let in with this line before it; as the user that it is for.
    pub(crate) fn ssh_with(&mut self, options: &str) -> Vec<String> {
        let (key, line) = self.sshd.client_key("attacker").unwrap();
        let lines = format!("{}\n{options}{line}", self.sshd.authorized(Sshd::USER).trim_end());
        self.sshd.authorize(Sshd::USER, &lines).unwrap();
        self.sshd.ssh(Sshd::USER, &key, self.sshd.address()).unwrap()
    }
}

/// The server in front of a replica.
#[track_caller]
pub(crate) fn serving(replica: &Host) -> Sshd {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_ghostbridge"));
    let setup = SshdSetup {
        env: &[
            ("GHOSTBRIDGE_DATA_DIR", replica.house.data().into()),
            ("GHOSTBRIDGE_CONFIG", replica.house.path("ghostbridge.toml").into()),
        ],
        programs: &[("ghostbridge", &program)],
        group: Some(group_number(GROUP)),
        ..SshdSetup::default()
    };
    Sshd::start(&setup).unwrap()
}

fn group_number(name: &str) -> u32 {
    let groups = fs::read_to_string("/etc/group").unwrap();
    let line = groups.lines().find(|l| l.split(':').next() == Some(name));
    line.and_then(|l| l.split(':').nth(2)?.parse().ok()).expect("every Debian has that group")
}

/// The lines of the primary's newest block, where it has lines that are in none.
fn sealed_lines(primary: &Host) -> Vec<u8> {
    let newest = blocks(&primary.data().join("blocks")).into_iter().next_back();
    newest.map(|(_, path)| lines_of(&path)).unwrap_or_default()
}

/// Blocks under their own names, oldest first.
pub(crate) fn blocks(folder: &Path) -> Vec<(u64, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut all: Vec<_> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let number = name.strip_prefix("block-")?.split('-').next()?.parse().ok()?;
            Some((number, entry.path()))
        })
        .collect();
    all.sort();
    all
}

/// Raw lines of a log or a block, oldest segment first; nothing where it went while it was read.
pub(crate) fn lines_of(log: &Path) -> Vec<u8> {
    let segments = fs::read_dir(log.join("segments")).into_iter().flatten().flatten();
    let mut files: Vec<_> = segments.map(|e| e.path()).filter(|p| p.is_file()).collect();
    files.sort();
    files.push(log.join("events.jsonl"));
    files.iter().flat_map(|file| fs::read(file).unwrap_or_default()).collect()
}

/// The number of a line; 0 where it has none.
pub(crate) fn seq_of(line: &[u8]) -> u64 {
    let line = String::from_utf8_lossy(line);
    let number = line.rsplit_once(",\"seq\":").map_or("", |(_, rest)| rest);
    number.split(',').next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// The number of the last line.
pub(crate) fn last_seq(lines: &[u8]) -> u64 {
    lines.split(|b| *b == b'\n').rfind(|l| !l.is_empty()).map_or(0, seq_of)
}

pub(crate) fn open_to_all(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Waits for it; an error says what was waited for.
#[expect(clippy::disallowed_methods, reason = "a wait for other programs ends by the real clock")]
pub(crate) fn wait(what: &str, mut done: impl FnMut() -> bool) -> Result<(), String> {
    let begun = Instant::now();
    while !done() {
        if begun.elapsed() > PATIENCE {
            return Err(format!("not within {PATIENCE:?}: {what}"));
        }
        thread::sleep(Duration::from_millis(30));
    }
    Ok(())
}

/// Runs a program of the machine.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "the test does what an operator would")]
pub(crate) fn tool(argv: &[&str]) -> String {
    let ran = Command::new(argv[0]).args(&argv[1..]).output().unwrap();
    assert!(ran.status.success(), "{argv:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8_lossy(&ran.stdout).into_owned()
}
