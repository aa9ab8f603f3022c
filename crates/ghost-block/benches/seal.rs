//! What sealing costs the writer, under 2,000 events a second.
//!
//! `FOLDER FILE SECONDS`: one thread, as the node's writer is one, logs the lines of FILE at that
//! pace into FOLDER, seals four times a second, and tends: the block before goes with each new one,
//! and old segments are retired under a cap that is reached early. Printed are the time that a seal
//! took (p50, p99), the longest of each of our calls, and how late an event was taken in. Times are
//! of the wall clock: what else the machine does is in them.
#![expect(clippy::print_stdout, reason = "figures go to stdout")]
#![expect(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ghost_block::{Cap, Keep, Lost, Reason, SealFacts, Sealer, make_subvolumes, open_volume};
use ghost_event::{Priority, Timestamp};
use ghost_log::{Log, LogConfig};
use ghost_world::{Clock, RealClock, RealDisk};

const EVENTS_A_SECOND: u64 = 2000;
const SEALS_A_SECOND: u64 = 4;
/// So that segments are sealed and retired in the time of a run.
const SEGMENT_BYTES: u64 = 4 << 20;
const CAP_BYTES: u64 = 4 << 20;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    match &args[..] {
        [folder, file, seconds] => {
            let lines = std::fs::read_to_string(file).expect("lines");
            let bodies: Vec<&str> =
                lines.lines().map(|l| l.rsplit_once(",\"seq\":").expect("a tail").0).collect();
            run(Path::new(folder), &bodies, seconds.parse().expect("a number"));
        }
        // `cargo test --benches` only asks whether it runs.
        _ => println!("FOLDER FILE SECONDS"),
    }
}

fn run(data: &Path, bodies: &[&str], seconds: u64) {
    make_subvolumes(data).expect("folders");
    let config =
        LogConfig { key_seed: [7; 32], segment_bytes: SEGMENT_BYTES, ..LogConfig::default() };
    let (mut log, _) = Log::open(data, config, Arc::new(RealClock)).expect("a log");
    let layout = log.layout().clone();
    let (mut sealer, _) =
        Sealer::open(Arc::new(RealDisk), open_volume(data), layout).expect("a sealer");
    let (cap, keep) = (Cap { bytes: CAP_BYTES }, Keep::default());
    let mut worst: BTreeMap<&str, Duration> = BTreeMap::new();
    let mut timed = |what, begin: Instant| {
        let took = begin.elapsed();
        let slot = worst.entry(what).or_default();
        *slot = took.max(*slot);
        took
    };
    let (mut seals, mut late) = (Vec::new(), Duration::ZERO);
    let (mut retired, mut deleted, mut sealed_at) = (0, 0, 0);
    let start = Instant::now();
    let every = Duration::from_nanos(1_000_000_000 / EVENTS_A_SECOND);
    for number in 0..seconds * EVENTS_A_SECOND {
        let due = start + every * u32::try_from(number).expect("few");
        if let Some(rest) = due.checked_duration_since(Instant::now()) {
            std::thread::sleep(rest);
        }
        late = late.max(due.elapsed());
        let body = bodies[usize::try_from(number).expect("few") % bodies.len()];
        let begin = Instant::now();
        log.append(Priority::Low, None, body.as_bytes()).expect("room");
        timed("append", begin);
        let begin = Instant::now();
        log.tick(RealClock.monotonic_ns()).expect("room");
        timed("tick", begin);
        if number - sealed_at < EVENTS_A_SECOND / SEALS_A_SECOND {
            continue;
        }
        let events = BTreeMap::from([("flow".to_owned(), number - sealed_at)]);
        sealed_at = number;
        let facts = SealFacts {
            t2_ready_size: log.size(),
            events: &events,
            lost: Lost::default(),
            reason: Reason::Batch,
            waited_ms: 0,
            time: Timestamp(RealClock.wall_ns()),
        };
        let begin = Instant::now();
        sealer.seal(&mut log, &facts).expect("a seal").expect("a block");
        seals.push(timed("seal", begin));
        let begin = Instant::now();
        let now = Timestamp(RealClock.wall_ns());
        let tended = sealer.tend(&mut log, &cap, &keep, now).expect("tended");
        timed("tend", begin);
        retired += tended.retired_segments;
        deleted += u64::from(tended.deleted.is_some());
    }
    seals.sort_unstable();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let at = |share: usize| ms(seals[(seals.len() - 1) * share / 100]);
    let by: Vec<String> =
        worst.iter().map(|(what, time)| format!("\"{what}_ms\":{:.3}", ms(*time))).collect();
    println!(
        "{{\"p50_ms\":{:.3},\"p99_ms\":{:.3},\"late_ms\":{:.3},\"seals\":{},\"deleted\":{deleted},\
         \"retired\":{retired},{}}}",
        at(50),
        at(99),
        ms(late),
        seals.len(),
        by.join(",")
    );
}
