//! An hour in which a block is sealed every second: blocks never pile up, and the disk does not
//! fill, on a simulated volume and on a real btrfs.

#![expect(clippy::print_stdout, reason = "what was tried is worth reading")]

mod sim;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ghost_block::{
    Cap, Keep, Lost, Reason, SealFacts, Sealer, SimVolume, Volume, make_subvolumes, open_volume,
};
use ghost_event::{ShapeId, Tier, Timestamp};
use ghost_lab::LoopFs;
use ghost_log::{Layout, Log, LogConfig};
use ghost_world::{Clock as _, Disk, Random, RealDisk, SimClock, SimDisk};
use sim::lines;

/// One a second, and some.
const SEALS: u64 = 3_700;

/// What log and blocks may take.
const CAP: Cap = Cap { bytes: 2 << 20 };

/// What was seen of the disk while it went on.
#[derive(Debug, Default)]
struct Seen {
    sealed: u64,
    most_blocks: usize,
    most_bytes: u64,
    /// After an eighth of the hour, and at its end.
    early_bytes: u64,
    last_bytes: u64,
    retired: u64,
}

/// Lets an hour pass. `volume` gives a second look at the place, and `wait` lets deletions end.
fn hour(
    disk: &Arc<dyn Disk>,
    data: &Path,
    keep: &Keep,
    volume: impl Fn() -> Box<dyn Volume>,
    wait: impl Fn(u64),
) -> Seen {
    let clock = Arc::new(SimClock::new(1_795_154_200_000_000_000));
    let config = || LogConfig {
        segment_bytes: 32 << 10,
        log_id: [0xef; 16],
        key_seed: [9; 32],
        ..LogConfig::default()
    };
    let mut random = Random::new(3);
    let (mut log, _) = Log::open_on(disk.clone(), data, config(), clock.clone()).unwrap();
    let (mut sealer, _) = Sealer::open(disk.clone(), volume(), Layout::new(data)).unwrap();
    let mut other = volume();
    let mut seen = Seen::default();
    let (mut largest, mut head) = (0, 0);
    for second in 0..SEALS {
        clock.pass(1_000_000_000);
        for n in 0..3 {
            let id = random.below(lines::SHAPES);
            log.shape(ShapeId(id), &lines::shape(id, Tier::Fast)).unwrap();
            let (prio, body) =
                (lines::priority(&mut random), lines::event(&mut random, second * 3 + n));
            log.append(prio, Some(ShapeId(id)), &body).unwrap();
        }
        let now = Timestamp(clock.wall_ns());
        let events = BTreeMap::from([("flow".to_owned(), 3)]);
        let facts = SealFacts {
            t2_ready_size: 0,
            events: &events,
            lost: Lost::default(),
            reason: Reason::Realtime,
            waited_ms: 0,
            time: now,
        };
        seen.sealed += u64::from(sealer.seal(&mut log, &facts).unwrap().is_some());
        let tended = sealer.tend(&mut log, &CAP, keep, now).unwrap();
        seen.retired += tended.retired_segments;
        wait(second);
        seen.most_blocks = seen.most_blocks.max(other.names().unwrap().len());
        if second % 37 == 0 || second + 1 == SEALS {
            let usage = other.usage().unwrap();
            let bytes = usage.log_bytes + usage.pinned_bytes;
            seen.most_bytes = seen.most_bytes.max(bytes);
            seen.last_bytes = bytes;
            if second < SEALS / 8 {
                seen.early_bytes = seen.early_bytes.max(bytes);
            }
        }
        if second % 600 == 599 {
            // A stop and a start in between: it goes on where it was.
            head = log.head().seq;
            drop(log);
            drop(sealer);
            let (opened, recovery) =
                Log::open_on(disk.clone(), data, config(), clock.clone()).unwrap();
            assert_eq!(recovery.head.seq, head);
            log = opened;
            sealer = Sealer::open(disk.clone(), volume(), Layout::new(data)).unwrap().0;
        }
        largest = largest.max(log.head().seq);
    }
    assert!(largest > head && head > 0);
    seen
}

fn check(seen: &Seen, keep: &Keep) {
    println!("{keep:?}: {seen:?}");
    assert_eq!(seen.sealed, SEALS);
    // One more stands between a seal and the deletion that follows it.
    let allowed = keep.last as usize + keep.hourly as usize + keep.daily as usize + 1;
    assert!(seen.most_blocks <= allowed, "{} blocks, {allowed} allowed", seen.most_blocks);
    assert!(seen.retired > 10, "nothing was retired: {seen:?}");
    assert!(seen.most_bytes <= CAP.bytes, "{seen:?}");
}

#[test]
fn sim_an_hour_of_seals_piles_nothing_up() {
    for keep in [Keep::default(), Keep { last: 4, hourly: 2, daily: 1 }] {
        let sim = SimDisk::new();
        let data = Path::new("/data");
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        let volume = || -> Box<dyn Volume> { Box::new(SimVolume::new(sim.clone(), data)) };
        let seen = hour(&disk, data, &keep, volume, |_| ());
        check(&seen, &keep);
        let all = sim.used(&[Path::new("/")]);
        assert!(all <= CAP.bytes + (1 << 20), "{all} bytes in all");
    }
}

#[test]
fn loop_an_hour_of_seals_piles_nothing_up() {
    if LoopFs::skipped(&[]) {
        return;
    }
    // In memory where that is possible: an hour has many commits.
    let memory = Path::new("/dev/shm");
    let fs = LoopFs::btrfs_in(memory, 256 << 20, "compress=zstd:3,noatime")
        .or_else(|_| LoopFs::btrfs(256 << 20, "compress=zstd:3,noatime"))
        .unwrap();
    let data = fs.path().join("data");
    make_subvolumes(&data).unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let free = || {
        let stat = rustix::fs::statvfs(fs.path()).unwrap();
        stat.f_bavail * stat.f_frsize
    };
    let before = free();
    let keep = Keep { last: 2, hourly: 1, daily: 0 };
    let seen = hour(&disk, &data, &keep, || open_volume(&data), |_| ());
    check(&seen, &keep);
    let taken = before.saturating_sub(free());
    println!("{} MiB of the file system are taken at the end", taken >> 20);
    assert!(taken < 64 << 20, "{taken} bytes are taken at the end");
}
