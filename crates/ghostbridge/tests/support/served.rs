//! A daemon that taps nothing, on the folder of a house, with a configuration of its own.

use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{House, text};

/// Killed when dropped.
pub(crate) struct Served(Child);

impl Served {
    #[track_caller]
    pub(crate) fn start(house: &House, config: &str) -> Served {
        let config = house.file("ghostbridge.toml", config);
        let mut command = house.command(&["run", "--no-tap", "-c", text(&config)]);
        let log = std::fs::File::create(house.path("daemon.log")).unwrap();
        command.stdout(Stdio::null()).stderr(log);
        let mut daemon = Served(command.spawn().unwrap());
        for _ in 0..600 {
            if house.run(&["metrics"]).code == 0 {
                return daemon;
            }
            let said = || std::fs::read_to_string(house.path("daemon.log")).unwrap_or_default();
            assert!(daemon.0.try_wait().unwrap().is_none(), "the daemon ended: {}", said());
            thread::sleep(Duration::from_millis(100));
        }
        panic!("the daemon does not answer within a minute");
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Ends it as a service manager does.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What the daemon tells of itself, once it is as wanted.
#[track_caller]
pub(crate) fn standing(house: &House, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    for _ in 0..300 {
        last = house.run(&["status", "-o", "json"]).ends(0).json()["daemon"].clone();
        if wanted(&last) {
            return last;
        }
        thread::sleep(Duration::from_millis(100));
    }
    let said = std::fs::read_to_string(house.path("daemon.log")).unwrap_or_default();
    panic!("not within half a minute: {what}; {}\n{said}", last["blocks"]);
}
