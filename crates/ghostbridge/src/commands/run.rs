//! `run`: the daemon, from the configuration to the drain.
//!
//! In this order: the configuration is read and checked; the attach helper is started while that
//! is still permitted; every privilege is given up; then log, taps and API are opened. What comes
//! after is waiting for signals, and for the watchdog's hour.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ghost_block::helper::RemoteVolume;
use ghost_block::{BlockError, Volume, is_btrfs, make_subvolumes, open_volume};
use ghost_node::api::{self, ApiConfig, ApiHost};
use ghost_node::config::Settings;
use ghost_node::daemon::{
    Address, Connection, Daemon, DaemonError, DaemonHost, FrameSource, Helpers, HostKey,
    ReplicaConfig, Status, Stopped,
};
use ghost_node::{Clock, DataDir, RealClock};
use ghost_replica::{LinesOnly, ReceiveStream};
use jiff::tz::TimeZone;

use crate::cli::{Place, Run};
use crate::helper::Helper;
use crate::notify::Notify;
use crate::outcome::{Done, Failed, counted, say};
use crate::receiving::ByHelper;
use crate::render::safe_text;
use crate::signals::{Signals, Wanted};
use crate::{host, privileges, settings, ssh};

/// How often the line of status is renewed.
const STATUS_EVERY: Duration = Duration::from_secs(10);
/// How long the start waits for its ports before it says what it taps.
const PORTS_WAIT: Duration = Duration::from_secs(3);

/// Runs the command.
pub(crate) fn run(place: &Place, asked: &Run) -> Result<Done, Failed> {
    let settings = settings::of_run(place, asked)?;
    let place = settings::place_of(&settings, place);
    if asked.check {
        place.tags()?;
        say("the configuration can be run");
        return Ok(Done::Well);
    }
    let notify = Notify::from_environment();
    let signals = Signals::catch()?;
    let data = place.data();
    let config = settings.config.clone();
    let api_config = ApiConfig::of(&config, &data);
    let api_socket = api_config.socket.clone();
    let source = if config.tap.enabled {
        FrameSource::Helper(Box::new(Helper::attach(&config)?))
    } else {
        FrameSource::None
    };
    make_volume(&data);
    let blocks = Helper::block(&config, data.root())?;
    privileges::join_group(&config.api.group)?;
    privileges::keep_only(rustix::thread::CapabilitySet::empty())?;
    let (random, seed) = (host::random()?, host::random()?);
    let blocks = blocks.map(|helper| Arc::new(Mutex::new(helper)));
    let host = Arc::new(ProgramHost { random, seed, blocks });
    let daemon = Daemon::start(config, &data, place.models(), source, Arc::clone(&host) as _)
        .map_err(failed)?;
    let served = match api::serve(api_config, Arc::new(daemon.clone()), host) {
        Ok(served) => served,
        Err(error) => {
            daemon.stop();
            return Err(Failed::caused(error));
        }
    };
    let received = daemon.receive(&api_socket);
    if let Err(error) = &received {
        let error = error.to_string();
        say(format_args!("warning   no logs of others are received: {}", safe_text(&error)));
    }
    tell_start(&daemon, &settings, &data);
    notify.ready(&line(&daemon.status(), 0.0));
    let mut running = Running {
        daemon: &daemon,
        served: &served,
        settings,
        asked,
        place: &place,
        notify: &notify,
    };
    running.until_stopped(&signals);
    notify.stopping();
    say("stopping: draining what is under way");
    served.shutdown();
    drop(received);
    tell_end(&daemon.stop())
}

/// A log that begins on btrfs begins in a subvolume, which can be frozen. Where that can't be, it
/// begins in a folder.
pub(crate) fn make_volume(data: &DataDir) {
    let root = data.root();
    if root.join("log").exists() || !is_btrfs(root) {
        return;
    }
    if let Err(error) = make_subvolumes(root) {
        say(format_args!("note: the log gets no subvolume: {}", safe_text(&error.to_string())));
    }
}

/// What the daemon asks of the program.
#[derive(Debug)]
struct ProgramHost {
    random: [u8; 16],
    seed: [u8; 32],
    blocks: Option<Arc<Mutex<Helper>>>,
}

impl DaemonHost for ProgramHost {
    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(RealClock)
    }

    fn random_id(&self) -> [u8; 16] {
        self.random
    }

    fn random_seed(&self) -> [u8; 32] {
        self.seed
    }

    fn say(&self, words: &str) {
        say(safe_text(words));
    }

    fn volume(&self, data: &Path) -> Result<Box<dyn Volume>, BlockError> {
        let Some(helper) = &self.blocks else { return Ok(open_volume(data)) };
        let mut helper = helper.lock().unwrap_or_else(PoisonError::into_inner);
        let socket = helper.connect().map_err(|e| BlockError::Refused(e.to_string()))?;
        Ok(Box::new(RemoteVolume::connect(socket, data)?))
    }

    fn connect(&self, replica: &ReplicaConfig, data: &Path) -> std::io::Result<Connection> {
        ssh::connect(replica, data)
    }

    fn ship_key(&self, data: &Path) -> std::io::Result<String> {
        ssh::key(data)
    }

    fn host_keys(&self, address: &Address) -> std::io::Result<Vec<HostKey>> {
        ssh::host_keys(address)
    }

    fn receives(&self, _: &Path) -> Arc<dyn ReceiveStream> {
        match &self.blocks {
            Some(helper) => Arc::new(ByHelper(Arc::clone(helper))),
            None => Arc::new(LinesOnly),
        }
    }

    fn time_zone(&self) -> TimeZone {
        TimeZone::system()
    }
}

impl ApiHost for ProgramHost {
    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(RealClock)
    }

    fn say(&self, words: &str) {
        say(safe_text(words));
    }
}

struct Running<'a> {
    daemon: &'a Daemon,
    served: &'a api::Running,
    settings: Settings,
    asked: &'a Run,
    place: &'a Place,
    notify: &'a Notify,
}

impl Running<'_> {
    fn until_stopped(&mut self, signals: &Signals) {
        let tick = self.notify.interval().unwrap_or(STATUS_EVERY).min(STATUS_EVERY);
        let mut since_status = Duration::ZERO;
        loop {
            match signals.wait(tick) {
                Wanted::Stop => return,
                Wanted::Reload => self.reload(),
                Wanted::Nothing => {}
            }
            if self.daemon.alive() && self.served.alive() {
                self.notify.alive();
            }
            since_status += tick;
            if since_status >= STATUS_EVERY {
                since_status = Duration::ZERO;
                let rate = self.served.rates().packets_per_s;
                self.notify.status(&line(&self.daemon.status(), rate));
            }
        }
    }

    /// Takes the file anew: all that can be taken while running, or nothing.
    fn reload(&mut self) {
        self.notify.reloading(RealClock.monotonic_ns());
        let told = match self.reloaded() {
            Ok(told) => told,
            Err(why) => format!("not reloaded, the old configuration holds: {why}"),
        };
        say(safe_text(&told));
        self.notify.ready(&told);
    }

    fn reloaded(&mut self) -> Result<String, String> {
        let new = settings::of_run(self.place, self.asked).map_err(|e| e.message().to_owned())?;
        let done = self.daemon.reload(new.config.clone()).map_err(|e| e.to_string())?;
        let later = self.settings.needs_restart(&new);
        self.settings = new;
        let mut told = match done.applied.is_empty() {
            true => "reloaded: nothing changed".to_owned(),
            false => format!("reloaded: {}", done.applied.join(", ")),
        };
        if !later.is_empty() {
            told += &format!("; after a restart: {}", later.join(", "));
        }
        Ok(told)
    }
}

fn failed(error: DaemonError) -> Failed {
    match error {
        DaemonError::Filter(_) => Failed::usage(error),
        other => Failed::caused(other),
    }
}

/// A few lines: what was found, what is tapped, where it is logged, how to ask.
fn tell_start(daemon: &Daemon, settings: &Settings, data: &DataDir) {
    let mut status = daemon.status();
    if settings.config.tap.enabled {
        let step = Duration::from_millis(50);
        let mut waited = Duration::ZERO;
        while !status.ports.iter().any(|port| port.attached) && waited < PORTS_WAIT {
            std::thread::sleep(step);
            waited += step;
            status = daemon.status();
        }
        if !status.ports.iter().any(|port| port.attached) {
            say("tapping nothing yet; ports are tapped as they come");
        }
        for (number, bridge) in status.bridges.iter().enumerate() {
            let ports: Vec<_> = status
                .ports
                .iter()
                .filter(|port| usize::from(port.bridge) == number && port.attached)
                .map(|port| port.name.as_str())
                .collect();
            if !ports.is_empty() {
                let of = format!("{bridge}: {}", ports.join(", "));
                say(format_args!("tapping   {} ({})", safe_text(&of), status.mode));
            }
        }
    } else {
        say("tapping   nothing, as asked for");
    }
    for warning in &status.warnings {
        say(format_args!("warning   {}", safe_text(warning)));
    }
    say(format_args!("logging   {}", safe_text(&data.root().join("log").display().to_string())));
    say("asking    ghostbridge query WORDS, ghostbridge flows -f, ghostbridge status");
}

/// The state in one line.
fn line(status: &Status, packets_per_s: f64) -> String {
    let ports = status.ports.iter().filter(|port| port.attached).count() as u64;
    let lost = status.loss.ring_frames + status.loss.queue_packets + status.loss.log_packets;
    format!(
        "{} tapped, {packets_per_s:.0} packets/s, {} open, {} logged, {lost} packets lost",
        counted(ports, "port"),
        counted(status.flows.open, "flow"),
        counted(status.log.events, "event"),
    )
}

fn tell_end(stopped: &Stopped) -> Result<Done, Failed> {
    for trouble in &stopped.trouble {
        say(safe_text(trouble));
    }
    say(format_args!(
        "stopped; {} ended, the log is durable to line {}",
        counted(stopped.flows_ended, "open flow"),
        stopped.durable
    ));
    Ok(if stopped.trouble.is_empty() { Done::Well } else { Done::Nothing })
}
