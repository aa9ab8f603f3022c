//! The daemon on a disk that fills up: frames go on, losses are told, and it resumes by itself.

mod fed;

use std::fs;

use fed::{Feed, Frame, Slow, lines, start, until};
use ghost_event::line::{Note, View};
use ghost_lab::LoopFs;
use ghost_node::config::{Config, DiskCap, Granularity};
use ghost_world::Clock;

/// A UDP frame to port 9 from a port of its own.
fn frame(number: u32) -> Frame {
    let mut data = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    data.extend([0x45, 0, 0, 32, 0, 1, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    data.extend((1024 + (number % 64) as u16).to_be_bytes());
    data.extend([0, 9, 0, 12, 0, 0, 1, 2, 3, 4]);
    Frame {
        at_ns: Slow::default().uptime_ns(),
        ifindex: 7,
        wire_len: data.len() as u32,
        segments: 1,
        data,
    }
}

#[test]
fn loop_a_full_disk_costs_events_that_are_counted_and_the_log_resumes_by_itself() {
    if LoopFs::skipped(&["mkfs.ext4"]) {
        return;
    }
    let disk = LoopFs::ext4(64 << 20).unwrap();
    let data = disk.path().join("data");
    fs::create_dir(&data).unwrap();
    let feed = Feed::default();
    let mut config = Config { granularity: Granularity::Packet, ..Config::default() };
    // The whole disk, so that nothing that is told here is given up for room.
    config.log.disk_cap = DiskCap::Bytes(1 << 30);
    let daemon = start(&data, config, &feed);
    feed.put((0..100).map(frame));
    until("the first packets", || daemon.status().log.kinds.get("packet") >= Some(&100));
    // Somebody takes all the room there is.
    let filler = disk.path().join("filler");
    let mut taken = 0_u64;
    let room = vec![0_u8; 1 << 16];
    let file = fs::File::create(&filler).unwrap();
    while std::os::unix::fs::FileExt::write_all_at(&file, &room, taken).is_ok() {
        taken += room.len() as u64;
    }
    let mut fed = 100_u64;
    for _ in 0..400 {
        feed.put((0..1000).map(frame));
        fed += 1000;
        until("frames taken in", || daemon.status().traffic.packets >= fed);
        if daemon.status().loss.log_events > 0 {
            break;
        }
    }
    let full = daemon.status();
    assert!(full.loss.log_events > 0, "{:?}", full.log);
    assert!(!full.log.trouble.is_empty());
    // No packet waited: all were seen.
    assert_eq!(full.traffic.packets, fed);
    drop(file);
    fs::remove_file(&filler).unwrap();
    let resumed = (0..600).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        daemon.status().log.trouble.is_empty()
    });
    let now = daemon.status();
    assert!(resumed, "{:?}\n{:?}\n{:?}", now.log, now.blocks, now.loss);
    feed.put((0..100).map(frame));
    let sealed = daemon.seal().unwrap();
    assert!(sealed.is_some());
    let stopped = daemon.stop();
    assert!(stopped.trouble.is_empty(), "{:?}", stopped.trouble);
    let told: u64 = lines(&data)
        .iter()
        .filter_map(|line| match View::parse(line.as_bytes()).unwrap().note {
            Some(Note::Gap(gap)) => Some(gap.events),
            _ => None,
        })
        .sum();
    assert_eq!(told, daemon.status().loss.log_events + daemon.status().loss.queue_events);
    let verdict = ghost_log::verify(&data, &ghost_log::VerifyOptions::default()).unwrap();
    assert!(verdict.ok(), "{verdict}");
}
