//! What people do without us, event by event: a snapshot and its difference by hand, and rsync.
//!
//! Both append a line to a file of the same size and content, on the same file systems, over the
//! same server; their time begins before the line is written.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use super::stand::{Stand, subvolume};
use crate::sh::{self, Outcome, command};

/// Lines that both begin with: about 20 MB, a log of some weeks of a quiet home.
const BASE_LINES: u64 = 40_000;

/// A line like those of the log, by its number: every one is another.
fn line(number: u64) -> String {
    let mix = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31);
    let (a, b) = (mix(number), mix(number ^ 0xabcd));
    format!(
        "{{\"timestamp\":\"2026-11-20T12:{:02}:{:02}.{:06}+0000\",\"flow_id\":{a},\"event_type\":\"flow\",\
         \"src_ip\":\"10.{}.{}.{}\",\"src_port\":{},\"dest_ip\":\"192.0.2.{}\",\"dest_port\":443,\
         \"proto\":\"TCP\",\"app_proto\":\"tls\",\"community_id\":\"1:{a:016x}{b:016x}=\",\
         \"flow\":{{\"pkts_toserver\":{},\"pkts_toclient\":{},\"bytes_toserver\":{},\"bytes_toclient\":{},\
         \"state\":\"closed\",\"reason\":\"tcp\"}},\"tls\":{{\"sni\":\"host{}.example.org\"}},\
         \"ghost\":{{\"v\":1,\"prio\":\"high\",\"shape\":\"{b:016x}\",\"seq\":{number},\
         \"prev\":\"{a:016x}{b:016x}{:016x}{:016x}\"}}}}\n",
        (number / 60) % 60,
        number % 60,
        a % 1_000_000,
        a >> 8 & 255,
        a >> 16 & 255,
        a >> 24 & 255,
        b & 0xffff,
        b >> 16 & 255,
        b >> 20 & 63,
        b >> 26 & 63,
        b >> 32 & 0xffff,
        b >> 40 & 0xf_ffff,
        b >> 50 & 127,
        mix(a),
        mix(b),
    )
}

/// Writes the first lines to `path`; how many.
fn base(path: &Path) -> Outcome<u64> {
    let told = |e: std::io::Error| format!("{}: {e}", path.display());
    let mut file = BufWriter::new(File::create(path).map_err(told)?);
    for number in 0..BASE_LINES {
        file.write_all(line(number).as_bytes()).map_err(told)?;
    }
    let file = file.into_inner().map_err(|e| told(e.into_error()))?;
    file.sync_all().map_err(told)?;
    Ok(BASE_LINES)
}

fn append(path: &Path, line: &str) -> Outcome<()> {
    let told = |e: std::io::Error| format!("{}: {e}", path.display());
    let mut file = OpenOptions::new().append(true).open(path).map_err(told)?;
    file.write_all(line.as_bytes()).map_err(told)?;
    file.sync_data().map_err(told)
}

/// Fails where the file does not end with the line: what the program said is not enough.
fn read_back(path: &Path, line: &str) -> Outcome<()> {
    let told = |e: std::io::Error| format!("{}: {e}", path.display());
    let mut file = File::open(path).map_err(told)?;
    let back = i64::try_from(line.len()).map_err(|e| e.to_string())?;
    file.seek(SeekFrom::End(-back)).map_err(told)?;
    let mut got = String::new();
    file.read_to_string(&mut got).map_err(told)?;
    if got == line { Ok(()) } else { Err(format!("{} has not the line", path.display())) }
}

fn since(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1000.0
}

/// `btrfs send -p | zstd | ssh | btrfs receive`, each time anew.
#[derive(Debug)]
pub(super) struct Plain {
    folder: PathBuf,
    there: PathBuf,
    ssh: Vec<String>,
    number: u64,
    last: String,
}

impl Plain {
    pub(super) fn new(stand: &Stand) -> Outcome<Plain> {
        let folder = stand.primary.path().join("plain");
        let there = stand.replica.path().join("plain");
        for path in [&folder, &there] {
            fs::create_dir(path).map_err(|e| format!("{}: {e}", path.display()))?;
        }
        subvolume(&folder.join("log"))?;
        let number = base(&folder.join("log/events.jsonl"))?;
        let ssh = stand.ssh(false)?;
        let mut plain = Plain { folder, there, ssh, number, last: String::new() };
        plain.snapshot_and_send()?;
        Ok(plain)
    }

    /// One event: milliseconds until it was read back.
    pub(super) fn event(&mut self) -> Outcome<f64> {
        self.number += 1;
        let line = line(self.number);
        let before = self.last.clone();
        let begun = Instant::now();
        append(&self.folder.join("log/events.jsonl"), &line)?;
        self.snapshot_and_send()?;
        read_back(&self.there.join(&self.last).join("events.jsonl"), &line)?;
        let took = since(begun);
        for place in [&self.folder, &self.there] {
            let old = place.join(&before);
            sh::output(command("btrfs").args(["-q", "subvolume", "delete"]).arg(old))?;
        }
        Ok(took)
    }

    fn snapshot_and_send(&mut self) -> Outcome<()> {
        let name = format!("s{}", self.number);
        let (log, snapshot) = (self.folder.join("log"), self.folder.join(&name));
        let mut freeze = command("btrfs");
        freeze.args(["-q", "subvolume", "snapshot", "-r"]).arg(log).arg(&snapshot);
        sh::output(&mut freeze)?;
        let mut send = command("btrfs");
        send.args(["-q", "send"]);
        if !self.last.is_empty() {
            send.arg("-p").arg(self.folder.join(&self.last));
        }
        send.arg(&snapshot).stdout(Stdio::piped());
        let started = |e: std::io::Error| format!("btrfs send: {e}");
        let mut sending = send.spawn().map_err(started)?;
        let stream = sending.stdout.take().ok_or("no stream")?;
        let mut pack = command("zstd");
        let mut packing = pack
            .args(["-q", "-c"])
            .stdin(stream)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("zstd: {e}"))?;
        let packed = packing.stdout.take().ok_or("no stream")?;
        let mut ssh = command(&self.ssh[0]);
        ssh.args(&self.ssh[1..]);
        ssh.arg(format!("zstd -dqc | btrfs -q receive {}", self.there.display())).stdin(packed);
        let ran = ssh.output().map_err(|e| format!("ssh: {e}"))?;
        let others = [sending.wait(), packing.wait()];
        if !ran.status.success() || others.iter().any(|o| !o.as_ref().is_ok_and(|s| s.success())) {
            return Err(format!("the plain line: {}", String::from_utf8_lossy(&ran.stderr)));
        }
        self.last = name;
        Ok(())
    }
}

/// `rsync --append` over ssh, each time anew.
#[derive(Debug)]
pub(super) struct Rsync {
    file: PathBuf,
    there: PathBuf,
    ssh: Vec<String>,
    number: u64,
}

impl Rsync {
    pub(super) fn new(stand: &Stand) -> Outcome<Rsync> {
        let folder = stand.primary.path().join("rsync");
        let there = stand.replica.path().join("rsync");
        for path in [&folder, &there] {
            fs::create_dir(path).map_err(|e| format!("{}: {e}", path.display()))?;
        }
        let file = folder.join("events.jsonl");
        let number = base(&file)?;
        let there = there.join("events.jsonl");
        let rsync = Rsync { file, there, ssh: stand.ssh(false)?, number };
        append_over(&rsync.ssh, &rsync.file, &rsync.there)?;
        Ok(rsync)
    }

    /// One event: milliseconds until it was read back.
    pub(super) fn event(&mut self) -> Outcome<f64> {
        self.number += 1;
        let line = line(self.number);
        let begun = Instant::now();
        append(&self.file, &line)?;
        append_over(&self.ssh, &self.file, &self.there)?;
        read_back(&self.there, &line)?;
        Ok(since(begun))
    }
}

/// `rsync --append` of one file, packed on the way.
pub(super) fn append_over(ssh: &[String], file: &Path, there: &Path) -> Outcome<()> {
    let (host, words) = ssh.split_last().ok_or("no host")?;
    let mut rsync = command("rsync");
    rsync.args(["--append", "--compress", "--compress-choice=zstd", "--compress-level=3"]);
    rsync.arg("-e").arg(words.join(" ")).arg(file);
    rsync.arg(format!("{host}:{}", there.display()));
    sh::output(&mut rsync).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_another_and_is_json() {
        assert_ne!(line(1), line(2));
        let value: serde_json::Value = serde_json::from_str(&line(77)).unwrap();
        assert_eq!(value["ghost"]["seq"], 77);
    }
}
