//! The real program on the bridge: started, placed on one processor, watched, asked, ended.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ghost_lab::Process;
use serde_json::Value;

use super::stand::Stand;
use crate::sh::{self, Outcome};

const PATIENCE: Duration = Duration::from_secs(30);
/// How long the end may take: the log and the index are brought to rest.
const END: Duration = Duration::from_secs(120);
/// Ticks of the kernel's accounts in a second, as x86 and arm64 have them.
const TICKS: f64 = 100.0;

/// The program at work; ended when dropped.
#[derive(Debug)]
pub(super) struct Daemon {
    process: Process,
    data: PathBuf,
}

/// Frames of the source's port, as the program counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Seen {
    pub(super) seen: u64,
    pub(super) lost: u64,
}

impl Daemon {
    /// Starts it on the bridge, with its data in a fresh folder, all of it on the second processor.
    pub(super) fn start(stand: &Stand, words: &[&str]) -> Outcome<Daemon> {
        let data = sh::target().join("bench/live");
        sh::fresh_folder(&data)?;
        let binary = sh::target().join("release/ghostbridge");
        let (binary, folder) = (binary.to_string_lossy(), data.to_string_lossy());
        let mut argv = vec!["taskset", "-c", "1", &*binary, "--data-dir", &*folder, "run"];
        argv.extend(["-i", "br0"]);
        argv.extend(words);
        let process = stand.switch.spawn(&argv).map_err(|e| e.to_string())?;
        let mut daemon = Daemon { process, data };
        daemon.wait_until_it_sees()?;
        Ok(daemon)
    }

    fn wait_until_it_sees(&mut self) -> Outcome<()> {
        let asked = Instant::now();
        loop {
            if !self.process.runs() {
                return Err(format!("ghostbridge ended:\n{}", self.process.output()));
            }
            if self.port("b0").is_ok() && self.port("b1").is_ok() {
                std::thread::sleep(Duration::from_millis(300));
                return Ok(());
            }
            if asked.elapsed() > PATIENCE {
                let said = self.process.output();
                return Err(format!("ghostbridge taps nothing after 30 s:\n{said}"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(super) fn status(&self) -> Outcome<Value> {
        let answer = self.ask("GET", "/v1/status", "")?;
        let value: Value =
            serde_json::from_str(&answer).map_err(|e| format!("status: {e} in {answer}"))?;
        Ok(value.get("status").cloned().unwrap_or(value))
    }

    fn port(&self, name: &str) -> Outcome<Seen> {
        let status = self.status()?;
        let ports = status["ports"].as_array().cloned().unwrap_or_default();
        let port = ports.iter().find(|p| p["name"] == name && p["attached"] != false);
        let port = port.ok_or_else(|| format!("port {name} is not tapped"))?;
        let number = |key: &str| port[key].as_u64().unwrap_or(0);
        Ok(Seen { seen: number("seen"), lost: number("lost") })
    }

    /// Waits until everything that came in at the source's port was read or counted as lost.
    pub(super) fn settle(&self, came_in: u64) -> Outcome<Seen> {
        let asked = Instant::now();
        loop {
            let seen = self.port("b0")?;
            if seen.seen + seen.lost >= came_in || asked.elapsed() > PATIENCE {
                return Ok(seen);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Flows that meet `filters` now; how many, up to one.
    pub(super) fn finds(&self, filters: &str) -> Outcome<bool> {
        let body = serde_json::json!({"text": filters, "limit": 1}).to_string();
        let answer = self.ask("POST", "/v1/flows", &body)?;
        let head: Value = answer
            .lines()
            .find_map(|line| serde_json::from_str(line).ok())
            .ok_or_else(|| format!("flows: {answer}"))?;
        head["hits"].as_u64().map(|hits| hits > 0).ok_or_else(|| format!("flows: {answer}"))
    }

    /// One question over the program's socket; HTTP/1.0, so that the answer comes in one piece.
    fn ask(&self, verb: &str, path: &str, body: &str) -> Outcome<String> {
        let socket = self.data.join("state/api.sock");
        let failed = |e: std::io::Error| format!("{}: {e}", socket.display());
        let mut stream = UnixStream::connect(&socket).map_err(failed)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        let length = body.len();
        let asked = format!(
            "{verb} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(asked.as_bytes()).map_err(failed)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).map_err(failed)?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no HTTP answer")?;
        match head.split(' ').nth(1) {
            Some("200") => Ok(body.to_owned()),
            _ => Err(format!("{verb} {path}: {head}\n{body}")),
        }
    }

    /// Seconds of a processor that it has used.
    pub(super) fn cpu_seconds(&self) -> Outcome<f64> {
        let path = format!("/proc/{}/stat", self.process.id());
        let text = fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))?;
        let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks = rest.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<f64>().ok());
        Ok(ticks.sum::<f64>() / TICKS)
    }

    /// Memory now, and the most so far, in MB.
    pub(super) fn memory_mb(&self) -> Outcome<(f64, f64)> {
        let path = format!("/proc/{}/status", self.process.id());
        let text = fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))?;
        let of = |key: &str| {
            let line = text.lines().find_map(|l| l.strip_prefix(key)).unwrap_or_default();
            let kib: f64 =
                line.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0.0);
            kib * 1.024 / 1000.0
        };
        Ok((of("VmRSS:"), of("VmHWM:")))
    }

    /// Ends it in order, and waits for the end.
    pub(super) fn end(mut self) -> Outcome<PathBuf> {
        self.process.stop(END);
        if self.process.runs() {
            return Err("ghostbridge does not end".into());
        }
        Ok(self.data.clone())
    }
}
