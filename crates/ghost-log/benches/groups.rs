//! Events a second through a log whose every group is made durable, and through a bare file.
//!
//! `cargo xtask bench log` runs it by turns with its peers, on file systems of its own:
//! `write FILE` writes lines to log, `ours|floor FOLDER FILE GROUP MS` logs them for so long and
//! prints how many a second. The floor is a loop of one `write` and one `fdatasync` a group, of the
//! same lines, finished: it neither hashes, nor remembers its head, nor begins new segments.
#![expect(clippy::print_stdout, reason = "figures go to stdout")]
#![expect(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]

mod common;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ghost_event::line::{self, Source};
use ghost_event::{Digest, Priority, ShapeId};
use ghost_log::{Log, LogConfig};
use ghost_world::RealClock;

const LINES: u32 = 20_000;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", file] => write(Path::new(file)),
        [who @ ("ours" | "floor"), folder, file, group, ms] => {
            let lines = fs::read_to_string(file).expect("lines");
            let lines: Vec<&str> = lines.split_inclusive('\n').collect();
            let group: usize = group.parse().expect("a number");
            let time = Duration::from_millis(ms.parse().expect("a number"));
            let folder = Path::new(folder);
            fs::create_dir_all(folder).expect("a folder");
            let run = if *who == "ours" { ours } else { floor };
            println!("{:.1}", run(folder, &lines, group, time));
        }
        // `cargo test --benches` only asks whether it runs.
        _ => println!("write FILE, or ours|floor FOLDER FILE GROUP MS"),
    }
}

fn write(file: &Path) {
    let source = Source { in_iface: Some("eth0"), bridge: Some("br0"), ..Source::default() };
    let mut out = Vec::new();
    for i in 0..LINES {
        let flow = common::flow(i.wrapping_mul(0x9e37_79b1));
        let shape = ShapeId(u64::from(i % 97).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        line::flow_body(&mut out, &flow, &source, shape, Priority::Low);
        // As random as the leaf that stands there in a log.
        let prev = [0, 1, 2, 3_u64].map(|n| mix(u64::from(i) * 4 + n).to_be_bytes());
        let prev: Vec<u8> = prev.concat();
        line::close(&mut out, u64::from(i) + 1, &Digest(prev.try_into().expect("32 bytes")));
    }
    fs::write(file, out).expect("room");
}

fn mix(n: u64) -> u64 {
    let n = (n ^ n >> 30).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (n ^ n >> 27).wrapping_mul(0x94d0_49bb_1331_11eb)
}

/// Calls `group_of` with lines until the time is over; lines a second.
fn timed(lines: &[&str], group: usize, time: Duration, mut take: impl FnMut(&[&str])) -> f64 {
    let (mut at, mut count) = (0, 0_u32);
    let start = Instant::now();
    while start.elapsed() < time {
        if at + group > lines.len() {
            at = 0;
        }
        take(&lines[at..at + group]);
        at += group;
        count += 1;
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let events = f64::from(count) * group as f64;
    events / start.elapsed().as_secs_f64()
}

fn ours(folder: &Path, lines: &[&str], group: usize, time: Duration) -> f64 {
    let bodies: Vec<&str> =
        lines.iter().map(|line| line.rsplit_once(",\"seq\":").expect("a tail").0).collect();
    let config = LogConfig { key_seed: [7; 32], ..LogConfig::default() };
    let (mut log, _) = Log::open(folder, config, Arc::new(RealClock)).expect("a log");
    timed(&bodies, group, time, |bodies| {
        for body in bodies {
            log.append(Priority::Low, None, body.as_bytes()).expect("room");
        }
        log.sync().expect("room");
    })
}

fn floor(folder: &Path, lines: &[&str], group: usize, time: Duration) -> f64 {
    let mut file = File::create_new(folder.join("events.jsonl")).expect("a new file");
    let mut buffer = Vec::new();
    timed(lines, group, time, |lines| {
        buffer.clear();
        lines.iter().for_each(|line| buffer.extend_from_slice(line.as_bytes()));
        file.write_all(&buffer).expect("room");
        file.sync_data().expect("durable");
    })
}
