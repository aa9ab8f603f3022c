//! The daemon on a bridge in a namespace, and what it tells of itself.
//!
//! It is started as root would start it; it finds interfaces of its namespace and no Open vSwitch
//! but the given one. What is asked of it goes over its socket, as a user's questions do.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use ghost_lab::{Counters, Namespace, Ovs, Process, until};
use rustix::process::Signal;
use serde_json::Value;

use super::House;

/// How long anything may take: long, since machines in CI are slow and busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running daemon. Killed when dropped.
pub(crate) struct Live {
    pub(crate) house: House,
    pub(crate) process: Process,
}

impl Live {
    /// Starts `ghostbridge run WORDS` in a namespace and waits until it answers.
    #[track_caller]
    pub(crate) fn start(inside: &Namespace, ovs: Option<&Ovs>, words: &[&str]) -> Live {
        Live::start_in(House::new(), inside, ovs, words)
    }

    /// The same on a data folder that is there already.
    #[track_caller]
    pub(crate) fn start_in(
        house: House,
        inside: &Namespace,
        ovs: Option<&Ovs>,
        words: &[&str],
    ) -> Live {
        let process = spawn(&house, inside, ovs, words);
        let mut live = Live { house, process };
        let mut ended = false;
        let answers = until("the daemon to answer", PATIENCE, || {
            ended = !live.process.runs();
            ended || live.status().is_some()
        });
        assert!(answers.is_ok() && !ended, "{answers:?}\n{}", live.process.output());
        live
    }

    /// Its own account of itself; `None`: it does not answer.
    pub(crate) fn status(&self) -> Option<Value> {
        let mut stream = UnixStream::connect(self.socket()).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let request = "GET /v1/status HTTP/1.1\r\nHost: ghostbridge\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        serde_json::from_str(body.get(body.find('{')?..=body.rfind('}')?)?).ok()
    }

    /// Names of the ports that are tapped now, in the order of their bridges and names.
    pub(crate) fn tapped(&self) -> String {
        let status = self.status().unwrap_or_default();
        let mut ports: Vec<&str> = status["ports"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|port| port["attached"] == true)
            .filter_map(|port| port["name"].as_str())
            .collect();
        ports.sort_unstable();
        ports.join(" ")
    }

    /// Waits until exactly these ports are tapped (by name, in order).
    #[track_caller]
    pub(crate) fn taps(&mut self, ports: &str) {
        let mut last = String::new();
        let done = until(&format!("taps at {ports:?}"), PATIENCE, || {
            last = self.tapped();
            last == ports
        });
        assert!(done.is_ok(), "{done:?}; tapped: {last:?}\n{}", self.process.output());
    }

    /// Frames seen, and lost with a count, at a port.
    pub(crate) fn seen(&self, port: &str) -> (u64, u64) {
        let status = self.status().unwrap_or_default();
        let found =
            status["ports"].as_array().into_iter().flatten().find(|own| own["name"] == port);
        let number = |key: &str| found.and_then(|own| own[key].as_u64()).unwrap_or(0);
        (number("seen"), number("lost"))
    }

    /// Flows that an asker finds: open ones and logged ones, of all these `key:value` words.
    #[track_caller]
    pub(crate) fn flows(&self, words: &[&str]) -> Vec<Value> {
        let arguments = [&["flows", "-o", "jsonl"], words].concat();
        let ran = self.house.run(&arguments);
        assert!(ran.code == 0 || ran.code == 1, "{arguments:?}: {}\n{}", ran.code, ran.err);
        ran.jsonl()
    }

    /// Waits until the flows found by `words` are as wanted.
    #[track_caller]
    pub(crate) fn finds(&self, words: &[&str], wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let mut last = Vec::new();
        let done = until(&format!("flows of {words:?}"), PATIENCE, || {
            last = self.flows(words);
            let found = wanted(&last);
            if !found {
                // Each question starts a program.
                std::thread::sleep(Duration::from_millis(100));
            }
            found
        });
        assert!(done.is_ok(), "{done:?}; found: {last:#?}");
        last
    }

    /// Ends it as a service manager does, and gives back its folder.
    #[track_caller]
    pub(crate) fn stop(mut self) -> House {
        self.process.signal(Signal::TERM).unwrap();
        let ended = until("the daemon to end", PATIENCE, || !self.process.runs());
        assert!(ended.is_ok(), "{ended:?}\n{}", self.process.output());
        let said = self.process.output();
        assert!(!said.contains("panicked"), "{said}");
        self.house
    }

    /// Ends it as a crash does.
    #[track_caller]
    pub(crate) fn kill(mut self) -> House {
        self.process.signal(Signal::KILL).unwrap();
        until("the daemon to be gone", PATIENCE, || !self.process.runs()).unwrap();
        self.house
    }

    fn socket(&self) -> PathBuf {
        self.house.data().join("state/api.sock")
    }
}

/// Starts `ghostbridge run WORDS` and waits for nothing.
pub(crate) fn spawn(
    house: &House,
    inside: &Namespace,
    ovs: Option<&Ovs>,
    words: &[&str],
) -> Process {
    let switch = ovs.map_or_else(|| "/nonexistent/db.sock".into(), Ovs::socket);
    let config = house.file(
        "ghostbridge.toml",
        format!("[ovs]\nsocket = {:?}\n[api]\ngroup = \"\"\n", switch.display().to_string()),
    );
    let variables = [
        ("GHOSTBRIDGE_DATA_DIR", house.data()),
        ("GHOSTBRIDGE_MODEL_DIR", house.path("no-model")),
        ("GHOSTBRIDGE_CONFIG", config),
        ("HOME", house.dir.path().to_owned()),
    ]
    .map(|(name, value)| format!("{name}={}", value.display()));
    let mut argv: Vec<&str> = vec!["env", "-u", "XDG_DATA_HOME", "TZ=UTC"];
    argv.extend(variables.iter().map(String::as_str));
    argv.extend([env!("CARGO_BIN_EXE_ghostbridge"), "run"]);
    argv.extend(words);
    inside.spawn(&argv).unwrap()
}

/// What a port has counted in the direction in which it is tapped.
pub(crate) fn counted(counters: Counters, outwards: bool) -> u64 {
    if outwards { counters.tx_packets } else { counters.rx_packets }
}

/// Packets of a flow, to the server and to the client.
pub(crate) fn packets(flow: &Value) -> (u64, u64) {
    let number = |key: &str| flow["flow"][key].as_u64().unwrap_or(0);
    (number("pkts_toserver"), number("pkts_toclient"))
}
