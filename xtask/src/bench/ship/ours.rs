//! The program on both sides: two daemons, one `replica add`, and an event at a time.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::stand::{Stand, program};
use super::watch::{self, Seen, Watch};
use crate::sh::{self, Outcome, command};

const PATIENCE: Duration = Duration::from_secs(60);
/// What the line of a critical event has.
const MARK: &str = "\"prio\":\"critical\"";

/// A daemon on a data folder; killed when dropped.
#[derive(Debug)]
struct Daemon {
    child: Child,
    data: PathBuf,
    config: PathBuf,
    program: PathBuf,
}

impl Daemon {
    fn start(on: &Path, program: &Path, config: &str) -> Outcome<Daemon> {
        let (data, file) = (on.join("data"), on.join("ghostbridge.toml"));
        sh::write(&file, config)?;
        let said = File::create(on.join("daemon.log")).map_err(|e| e.to_string())?;
        let mut daemon = with(program, &data, &file);
        daemon.args(["run", "--no-tap"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
        let child = daemon.spawn().map_err(|e| format!("ghostbridge: {e}"))?;
        let daemon = Daemon { child, data, config: file, program: program.to_owned() };
        let begun = Instant::now();
        while !sh::capture(&mut daemon.command(&["metrics"]))?.ok() {
            if begun.elapsed() > PATIENCE {
                return Err(format!("a daemon does not answer: {}", daemon.said()));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(daemon)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = with(&self.program, &self.data, &self.config);
        command.args(words);
        command
    }

    fn run(&self, words: &[&str]) -> Outcome<String> {
        sh::output(&mut self.command(words)).map_err(|e| format!("{e}\n{}", self.said()))
    }

    fn said(&self) -> String {
        fs::read_to_string(self.config.with_file_name("daemon.log")).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn with(program: &Path, data: &Path, config: &Path) -> Command {
    let mut command = command(program);
    command.env("GHOSTBRIDGE_DATA_DIR", data).env("GHOSTBRIDGE_CONFIG", config);
    command.env("GHOSTBRIDGE_MODEL_DIR", data.join("no-model")).env("HOME", data);
    command
}

/// Primary and replica, connected.
#[derive(Debug)]
pub(super) struct Ours {
    primary: Daemon,
    replica: Daemon,
    watch: Watch,
    capture: PathBuf,
}

impl Ours {
    /// `config` is the primary's own.
    pub(super) fn start(stand: &Stand, config: &str) -> Outcome<Ours> {
        let program = program()?;
        let replica = Daemon::start(
            stand.replica.path(),
            &program,
            "[api]\ngroup = \"\"\n[replica]\naccept = true\n",
        )?;
        let config = format!("[api]\ngroup = \"\"\n{config}");
        let primary = Daemon::start(stand.primary.path(), &program, &config)?;
        let address = stand.relay.address();
        let url = format!("ssh://root@{}:{}", address.ip(), address.port());
        let print = stand.sshd.fingerprint().map_err(|e| e.to_string())?;
        // The first time it can't get in: the line that lets it is what it prints.
        let add = ["replica", "add", "far", &url, "--host-key", &print, "--no-wait"];
        let told = sh::capture(&mut primary.command(&add))?;
        let line = told.stdout.lines().find(|l| l.starts_with("restrict,command="));
        let line = line.ok_or_else(|| format!("no key line: {}{}", told.stdout, told.stderr))?;
        let peers = stand.sshd.authorized("root");
        let lines = format!("{}\n{line}", peers.trim_end());
        stand.sshd.authorize("root", &lines).map_err(|e| e.to_string())?;
        primary.run(&["replica", "sync", "far"])?;
        let received = watch::received(&replica.data)?;
        let watch = Watch::new(&primary.data, &received);
        let capture = stand.primary.path().join("critical.pcap");
        sh::write(&capture, lookup())?;
        Ok(Ours { primary, replica, watch, capture })
    }

    /// One critical event: how long until it stood in the replica's tail, and in a block of it.
    pub(super) fn event(&mut self) -> Outcome<Seen> {
        let from = self.watch.length()?;
        let mut import = self.primary.command(&["import", "--again"]);
        import.arg(&self.capture).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = import.spawn().map_err(|e| format!("ghostbridge import: {e}"))?;
        let seen = self.watch.follow(from, MARK);
        let ended = child.wait().map_err(|e| e.to_string())?;
        let seen = seen.map_err(|e| {
            format!("{e}\nprimary: {}\nreplica: {}", self.primary.said(), self.replica.said())
        })?;
        if ended.success() { Ok(seen) } else { Err(format!("the import ended with {ended}")) }
    }

    /// The newest block of the replica is the primary's log, byte for byte.
    pub(super) fn compare(&self) -> Outcome<()> {
        let (_, block) = self.watch.newest().ok_or("the replica has no block")?;
        let there = watch::lines_behind(&block, 0)?;
        let here = watch::lines_behind(&self.primary.data.join("log"), 0)?;
        if here.starts_with(&there) && !there.is_empty() {
            Ok(())
        } else {
            Err("the replica's lines are not the primary's".into())
        }
    }

    pub(super) fn data(&self) -> &Path {
        &self.primary.data
    }

    /// Imports a capture.
    pub(super) fn import(&self, capture: &Path) -> Outcome<()> {
        self.primary.run(&["import", "--again", &capture.to_string_lossy()]).map(drop)
    }

    /// Seals, and waits until the block stands on the replica; the block's path on the primary.
    pub(super) fn seal(&self) -> Outcome<PathBuf> {
        let told = self.primary.run(&["block", "seal", "-o", "json"])?;
        let told: serde_json::Value =
            serde_json::from_str(&told).map_err(|e| format!("{e}: {told}"))?;
        let number = told["block"].as_u64().ok_or_else(|| format!("no block: {told}"))?;
        let begun = Instant::now();
        while self.watch.newest().is_none_or(|(newest, _)| newest < number) {
            if begun.elapsed() > PATIENCE * 5 {
                return Err(format!("block {number} is not there: {}", self.primary.said()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let path = self.primary.run(&["block", "path"])?;
        Ok(PathBuf::from(path.trim()))
    }
}

/// A capture of one packet: a lookup of a domain that is published for testing detectors, which is
/// told as a breach.
fn lookup() -> Vec<u8> {
    let mut dns = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in ["testmyids", "com"] {
        dns.push(label.len() as u8);
        dns.extend(label.as_bytes());
    }
    dns.extend([0, 0, 1, 0, 1]);
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    let (udp, ip) = (dns.len() as u16 + 8, dns.len() as u16 + 28);
    frame.extend([0x45, 0]);
    frame.extend(ip.to_be_bytes());
    frame.extend([0, 1, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 7, 192, 0, 2, 53]);
    frame.extend(50_000_u16.to_be_bytes());
    frame.extend(53_u16.to_be_bytes());
    frame.extend(udp.to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(dns);
    let mut capture = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    capture.extend([0, 0, 4, 0, 1, 0, 0, 0]);
    capture.extend(1_767_603_600_u32.to_le_bytes());
    capture.extend(0_u32.to_le_bytes());
    capture.extend((frame.len() as u32).to_le_bytes());
    capture.extend((frame.len() as u32).to_le_bytes());
    capture.extend(frame);
    capture
}
