//! The real program on the switch: started, watched through its own API, ended, and its log read.

use std::fmt;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::rig::{Mode, Rig};
use crate::sh::{self, Outcome};

const PATIENCE: Duration = Duration::from_secs(20);
/// The port to which the generator's frames go.
const TARGET_PORT: u64 = 9;

/// What a run accounted for, of the frames that came in at the source's port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Account {
    /// By the port's own counter.
    pub(super) received: u64,
    pub(super) seen: u64,
    pub(super) lost: u64,
    /// Flow events of the load in the log, and the packets that they count.
    pub(super) events: u64,
    pub(super) packets: u64,
    /// Packets that the log's gaps tell.
    pub(super) gaps: u64,
}

impl Account {
    /// Frames that are neither in an event nor in a gap.
    pub(super) fn unread(&self) -> u64 {
        self.received.abs_diff(self.packets + self.gaps)
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Account { received, seen, lost, events, packets, gaps } = self;
        write!(
            f,
            "{received} came in, {seen} seen + {lost} lost; {events} events hold {packets}, gaps \
             {gaps}"
        )
    }
}

/// The program at work; ended when dropped.
#[derive(Debug)]
pub(super) struct Program {
    child: Child,
    data: PathBuf,
    mode: Mode,
    received_before: u64,
}

impl Program {
    pub(super) fn start(rig: &Rig, mode: Mode) -> Outcome<Program> {
        let data = sh::target().join("bench/tap");
        sh::fresh_folder(&data)?;
        let binary = sh::target().join("release/ghostbridge");
        let inside = rig.inside();
        let mut command = sh::command(&inside[0]);
        command.args(&inside[1..]).arg(binary).arg("--data-dir").arg(&data).arg("run");
        let name = match mode {
            Mode::Ghost => "ghost",
            Mode::Fast => "ghost-fast",
            Mode::Inline => "inline",
        };
        command.args(["--mode", name]);
        for interface in rig.interfaces() {
            command.args(["-i", interface]);
        }
        let said = File::create(data.join("said")).map_err(|e| format!("said: {e}"))?;
        let other = said.try_clone().map_err(|e| format!("said: {e}"))?;
        command.stdin(Stdio::null()).stdout(said).stderr(other);
        let received_before = rig.came_in()?;
        let child = command.spawn().map_err(|e| format!("{}: {e}", sh::describe(&command)))?;
        let mut program = Program { child, data, mode, received_before };
        program.wait_until_it_sees()?;
        Ok(program)
    }

    fn wait_until_it_sees(&mut self) -> Outcome<()> {
        let asked = Instant::now();
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("ghostbridge ended with {status}:\n{}", self.said()));
            }
            if self.ports().is_ok_and(|ports| ports.iter().any(|port| port.is("b0"))) {
                // The other port comes with it, or at once after it.
                std::thread::sleep(Duration::from_millis(200));
                return Ok(());
            }
            if asked.elapsed() > PATIENCE {
                return Err(format!("ghostbridge taps nothing after 20 s:\n{}", self.said()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Puts it on the second processor, before what else runs there; the thread that forwards
    /// inline in real time, as any switch in user space is here.
    pub(super) fn to_second_processor(&self) -> Outcome<()> {
        let pid = self.child.id().to_string();
        sh::output(sh::command("taskset").args(["-a", "-p", "-c", "1", &pid]))?;
        sh::output(sh::command("prlimit").args(["--rttime=10000000", "--pid", &pid]))?;
        for (thread, name) in threads(&pid) {
            if name == "gb-wire" {
                sh::output(sh::command("chrt").args(["--fifo", "--pid", "5", &thread]))?;
            } else {
                sh::output(sh::command("renice").args(["-n", "-15", "-p", &thread]))?;
            }
        }
        Ok(())
    }

    /// Ends it when it has seen what came in; what became of every frame.
    pub(super) fn finish(mut self, rig: &Rig) -> Outcome<Account> {
        let mut account = Account::default();
        let asked = Instant::now();
        loop {
            account.received = rig.came_in()? - self.received_before;
            let ports = self.ports()?;
            let port = ports.iter().find(|port| port.is("b0")).ok_or("port b0 is gone")?;
            (account.seen, account.lost) = (port.seen, port.lost);
            if account.seen + account.lost == account.received || asked.elapsed() > PATIENCE / 4 {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.end("-TERM")?;
        self.read_log(&mut account)?;
        if self.mode == Mode::Fast {
            // Its pins stay on purpose; here they are in the way.
            let inside = rig.inside();
            let binary = sh::target().join("release/ghostbridge");
            let mut detach = sh::command(&inside[0]);
            detach.args(&inside[1..]).arg(binary).arg("--data-dir").arg(&self.data).arg("detach");
            sh::output(&mut detach)?;
        }
        Ok(account)
    }

    /// Sends a signal and waits for the end.
    pub(super) fn end(&mut self, signal: &str) -> Outcome<()> {
        let pid = self.child.id().to_string();
        sh::output(Command::new("kill").args([signal, &pid]))?;
        let asked = Instant::now();
        while self.child.try_wait().map_err(|e| e.to_string())?.is_none() {
            if asked.elapsed() > PATIENCE {
                return Err(format!("ghostbridge does not end:\n{}", self.said()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.data.join("said")).unwrap_or_default()
    }

    fn ports(&self) -> Outcome<Vec<Port>> {
        let status = get(&self.data.join("state/api.sock"), "/v1/status")?;
        let ports = status["status"]["ports"].as_array().or_else(|| status["ports"].as_array());
        let ports = ports.ok_or_else(|| format!("no ports in {status}"))?;
        Ok(ports.iter().map(Port::read).collect())
    }

    /// Counts the load's events in the log, and the packets of its gaps.
    fn read_log(&self, account: &mut Account) -> Outcome<()> {
        let log = self.data.join("log");
        let mut files = sh::files_in(&log)?;
        if log.join("segments").is_dir() {
            files.extend(sh::files_in(&log.join("segments"))?);
        }
        for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "jsonl")) {
            for line in sh::read(file)?.lines() {
                count(&serde_json::from_str(line).unwrap_or(Value::Null), account);
            }
        }
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Adds what one line of the log says.
fn count(line: &Value, account: &mut Account) {
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    match line["event_type"].as_str() {
        Some("flow") if number(&line["dest_port"]) == TARGET_PORT => {
            account.events += 1;
            let flow = &line["flow"];
            account.packets += number(&flow["pkts_toserver"]) + number(&flow["pkts_toclient"]);
        }
        Some("gap") => account.gaps += number(&line["ghost"]["gap"]["packets"]),
        _ => {}
    }
}

/// One tapped port, as the program tells it.
#[derive(Debug)]
struct Port {
    name: String,
    seen: u64,
    lost: u64,
    attached: bool,
}

impl Port {
    fn read(value: &Value) -> Port {
        let number = |key: &str| value[key].as_u64().unwrap_or(0);
        Port {
            name: value["name"].as_str().unwrap_or_default().to_owned(),
            seen: number("seen"),
            lost: number("lost"),
            attached: value["attached"].as_bool().unwrap_or(true),
        }
    }

    fn is(&self, name: &str) -> bool {
        self.name == name && self.attached
    }
}

/// The threads of a process: number and name.
fn threads(pid: &str) -> Vec<(String, String)> {
    let folder = PathBuf::from(format!("/proc/{pid}/task"));
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries
        .filter_map(|entry| {
            let name = std::fs::read_to_string(entry.path().join("comm")).ok()?;
            Some((entry.file_name().into_string().ok()?, name.trim().to_owned()))
        })
        .collect()
}

/// Asks the program's API.
fn get(socket: &Path, path: &str) -> Outcome<Value> {
    let failed = |e: std::io::Error| format!("{}: {e}", socket.display());
    let mut stream = UnixStream::connect(socket).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    let asked = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(asked.as_bytes()).map_err(failed)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map_err(failed)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no HTTP answer")?;
    if !head.starts_with("HTTP/1.1 200") {
        return Err(format!("{path}: {head}\n{body}"));
    }
    // Where it comes in pieces, the object is between the first brace and the last.
    let (start, end) = (body.find('{').unwrap_or(0), body.rfind('}').map_or(0, |at| at + 1));
    let object = body.get(start..end).unwrap_or_default();
    serde_json::from_str(object).map_err(|e| format!("{path}: {e} in {body}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_loads_events_and_the_gaps_are_counted() {
        let mut account = Account::default();
        for line in [
            json!({"event_type": "flow", "dest_port": 9, "flow": {"pkts_toserver": 5}}),
            json!({"event_type": "flow", "dest_port": 53, "flow": {"pkts_toserver": 7}}),
            json!({"event_type": "gap", "ghost": {"gap": {"packets": 2}}}),
            json!({"event_type": "shape"}),
        ] {
            count(&line, &mut account);
        }
        assert_eq!((account.events, account.packets, account.gaps), (1, 5, 2));
    }
}
