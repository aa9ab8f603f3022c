//! A tap of frames from memory, and a daemon upon it.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::VecDeque;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use ghost_event::line::{LineKind, View};
use ghost_log::LogReader;
use ghost_node::config::Config;
use ghost_node::daemon::{Daemon, DaemonError, DaemonHost, FedPort, FrameSource, Frames};
use ghost_node::{Clock, DataDir, Models, RealClock};
use ghost_tap::CaptureFile;
use ghost_tap::live::{Direction, LiveFrame, Polled, PortCounters};

/// One frame to be fed.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) at_ns: u64,
    pub(crate) ifindex: u32,
    pub(crate) wire_len: u32,
    pub(crate) segments: u16,
    pub(crate) data: Vec<u8>,
}

/// What a [`Feed`] and its tap share.
#[derive(Debug, Default)]
struct Wire {
    frames: VecDeque<Frame>,
    counters: Vec<PortCounters>,
}

/// Puts frames onto the wire of a fed daemon.
#[derive(Debug, Clone, Default)]
pub(crate) struct Feed(Arc<Mutex<Wire>>);

impl Feed {
    pub(crate) fn put(&self, frames: impl IntoIterator<Item = Frame>) {
        self.0.lock().unwrap().frames.extend(frames);
    }

    pub(crate) fn lose(&self, ifindex: u32, frames: u64, bytes: u64) {
        let lost = PortCounters {
            ifindex,
            lost: frames,
            lost_segments: frames,
            lost_bytes: bytes,
            ..PortCounters::default()
        };
        self.0.lock().unwrap().counters = vec![lost];
    }

    /// This wire, behind the port `lan1` (number 7) of the bridge `bridge0`.
    pub(crate) fn source(&self) -> FrameSource {
        let ports = vec![FedPort { ifindex: 7, name: "lan1".into(), bridge: 0 }];
        FrameSource::Fed { frames: Box::new(self.clone()), ports }
    }
}

impl Frames for Feed {
    fn poll(&mut self, budget: u32, each: &mut dyn FnMut(&LiveFrame<'_>)) -> Polled {
        let mut wire = self.0.lock().unwrap();
        let mut polled = Polled::default();
        while polled.frames < budget {
            let Some(frame) = wire.frames.pop_front() else { return polled };
            each(&LiveFrame {
                monotonic_ns: frame.at_ns,
                ifindex: frame.ifindex,
                direction: Direction::Ingress,
                wire_len: frame.wire_len,
                segments: frame.segments,
                data: &frame.data,
            });
            polled.frames += 1;
        }
        polled.more = !wire.frames.is_empty();
        polled
    }

    fn counters(&self) -> Vec<PortCounters> {
        self.0.lock().unwrap().counters.clone()
    }
}

/// The real clock of a machine that was booted long ago, and whose wall clock may be slow: captures
/// are long, and their certificates are of their time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Slow {
    pub(crate) wall_behind_ns: i64,
}

impl Clock for Slow {
    fn wall_ns(&self) -> i64 {
        RealClock.wall_ns() - self.wall_behind_ns
    }
    fn monotonic_ns(&self) -> u64 {
        RealClock.monotonic_ns()
    }
    fn uptime_ns(&self) -> u64 {
        RealClock.uptime_ns() + 20 * 365 * 86_400 * 1_000_000_000
    }
    fn boot_id(&self) -> String {
        RealClock.boot_id()
    }
}

/// That clock, and what was said.
#[derive(Debug, Default)]
pub(crate) struct Host {
    pub(crate) clock: Slow,
    pub(crate) said: Mutex<Vec<String>>,
}

impl DaemonHost for Host {
    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.clock)
    }
    fn random_id(&self) -> [u8; 16] {
        [7; 16]
    }
    fn random_seed(&self) -> [u8; 32] {
        [7; 32]
    }
    fn say(&self, words: &str) {
        self.said.lock().unwrap().push(words.to_owned());
    }
}

pub(crate) fn start_with(
    data: &Path,
    config: Config,
    source: FrameSource,
) -> Result<Daemon, DaemonError> {
    start_at(Slow::default(), data, config, source)
}

pub(crate) fn start_at(
    clock: Slow,
    data: &Path,
    config: Config,
    source: FrameSource,
) -> Result<Daemon, DaemonError> {
    let host = Arc::new(Host { clock, ..Host::default() });
    Daemon::start(config, &DataDir::new(data), Models::default(), source, host)
}

/// A daemon over `feed`, with one port `lan1` (number 7) of the bridge `bridge0`.
pub(crate) fn start(data: &Path, config: Config, feed: &Feed) -> Daemon {
    start_with(data, config, feed.source()).unwrap()
}

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/pcap").join(name)
}

/// The frames of a capture, the last of them seen just now, by a clock that shows their time.
pub(crate) fn frames_of(path: &Path) -> (Vec<Frame>, Slow) {
    let mut capture = CaptureFile::open(Box::new(File::open(path).unwrap())).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = capture.next().unwrap() {
        assert_eq!(frame.link, 1, "an Ethernet capture is wanted: {}", path.display());
        frames.push((frame.ts, frame.wire_len, frame.data.to_vec()));
    }
    let last = frames.iter().map(|f| f.0).max().unwrap();
    let now = Slow::default().uptime_ns();
    let clock = Slow { wall_behind_ns: RealClock.wall_ns() - last };
    let frames = frames
        .into_iter()
        .map(|(ts, wire_len, data)| Frame {
            at_ns: now.saturating_sub((last - ts).unsigned_abs()),
            ifindex: 7,
            wire_len,
            segments: 1,
            data,
        })
        .collect();
    (frames, clock)
}

/// Waits until `done`; how it came to be slow is told by `what`.
#[track_caller]
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if done() {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("not within ten seconds: {what}");
}

/// Every line of the log, as text.
pub(crate) fn lines(data: &Path) -> Vec<String> {
    let reader = LogReader::open(data);
    let mut lines = reader.lines(0);
    let mut all = Vec::new();
    while let Some(line) = lines.next().unwrap() {
        all.push(String::from_utf8(line.bytes.to_vec()).unwrap());
    }
    all
}

/// What must be equal of a flow, however it was seen.
pub(crate) fn flows(data: &Path) -> Vec<String> {
    let mut all: Vec<String> = lines(data)
        .iter()
        .filter_map(|line| {
            let view = View::parse(line.as_bytes()).unwrap();
            if view.kind != LineKind::Flow {
                return None;
            }
            let json: serde_json::Value = serde_json::from_str(line).unwrap();
            let at = |path: &str| json.pointer(path).map(ToString::to_string).unwrap_or_default();
            Some(
                [
                    "/src_ip",
                    "/src_port",
                    "/dest_ip",
                    "/dest_port",
                    "/proto",
                    "/app_proto",
                    "/community_id",
                    "/flow/pkts_toserver",
                    "/flow/pkts_toclient",
                    "/flow/bytes_toserver",
                    "/flow/bytes_toclient",
                    "/flow/reason",
                    "/tcp",
                    "/dns",
                    "/tls",
                    "/http",
                    "/tunnel",
                    "/vlan",
                    "/ghost/shape",
                    "/ghost/behaviours",
                    "/ghost/sizes",
                    "/ghost/brand",
                    "/ghost/src_role",
                    "/ghost/dest_role",
                    "/ether",
                ]
                .map(at)
                .join(" | "),
            )
        })
        .collect();
    all.sort();
    all
}
