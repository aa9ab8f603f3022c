//! Histories that a power cut ends anywhere: what was acknowledged is there, in order, once.

mod common;

use std::path::Path;

use common::*;
use ghost_event::{Priority, ShapeId, Tier};
use ghost_log::{LogConfig, LogError, LogReader, proof};
use ghost_world::{Disk as _, Fault, SimDisk};

/// Appends until the disk gives up; the events that were made durable, and those taken in.
fn live(sim: &SimDisk, segment_bytes: u64, bulk: bool, first: u64) -> (u64, u64) {
    let config = LogConfig { bulk, ..config(segment_bytes) };
    let Ok((mut log, _)) = open(sim, config) else { return (first, first) };
    let (mut durable, mut taken) = (first, first);
    for i in first..first + 150 {
        let prio = match i % 11 {
            0 => Priority::Critical,
            3 | 6 => Priority::High,
            _ => Priority::Low,
        };
        let told = log.shape(ShapeId(i % 5), &shape(i % 5, Tier::Fast));
        if told.and_then(|_| log.append(prio, Some(ShapeId(i % 5)), &event(i))).is_err() {
            break;
        }
        taken = i + 1;
        if prio == Priority::Critical && !bulk {
            durable = taken;
        }
        if i % 29 == 0 && log.rotate().is_ok() {
            durable = taken;
        }
        if i % 13 == 0 && log.sync().is_ok() {
            durable = taken;
        }
        if i % 17 == 0 {
            let _ = log.write();
        }
    }
    (durable, taken)
}

/// A prefix of what was taken in, at least what was durable; then the log goes on.
fn check_after(crashed: &SimDisk, durable: u64, taken: u64, story: &str) {
    let (mut log, recovery) =
        open(crashed, config(4096)).unwrap_or_else(|e| panic!("{story}: {e}"));
    let events = events_in(&all_lines(crashed));
    let kept = events.len() as u64;
    assert_eq!(events, (0..kept).collect::<Vec<_>>(), "{story}");
    // One more may have reached the disk, whose sync was not answered.
    assert!(kept >= durable && kept <= taken + 1, "{story}: {durable} <= {kept} <= {taken}");
    if let Some(cut) = &recovery.cut {
        assert_eq!(cut.acknowledged_lost, 0, "{story}");
        assert!(cut.bytes > 0, "{story}");
        let copy = crashed.bytes(cut.kept.as_ref().expect("kept")).unwrap();
        assert_eq!(copy.len() as u64, cut.bytes, "{story}");
        let last = all_lines(crashed).pop().unwrap();
        assert!(String::from_utf8(last).unwrap().contains("\"event_type\":\"recovered\""));
    }
    fill(&mut log, kept, kept + 30).unwrap();
    log.sync().unwrap();
    drop(log);
    let verdict = verdict(crashed);
    assert!(verdict.ok(), "{story}: {verdict}");
    assert_eq!(events_in(&all_lines(crashed)).len() as u64, kept + 30, "{story}");
}

#[test]
fn acknowledged_lines_outlive_a_power_cut_at_any_sync() {
    let calm = SimDisk::new();
    live(&calm, 4096, false, 0);
    let syncs = calm.syncs();
    assert!(syncs > 60, "{syncs} syncs");
    let mut cuts = 0;
    for n in 1..=syncs {
        let sim = SimDisk::new();
        sim.set(Fault::FreezeAtSync(n));
        let (durable, taken) = live(&sim, 4096, false, 0);
        for seed in 0..4 {
            let crashed = sim.crash(n * 1000 + seed);
            check_after(&crashed, durable, taken, &format!("sync {n} seed {seed}"));
            cuts +=
                u64::from(!crashed.list(Path::new("/data/log")).unwrap().concat().contains("torn"));
        }
    }
    assert!(cuts > 0 && cuts < syncs * 4, "some histories tear, some do not");
}

#[test]
fn acknowledged_lines_outlive_a_power_cut_at_any_write() {
    let calm = SimDisk::new();
    live(&calm, 4096, false, 0);
    for n in 1..=calm.writes() {
        let sim = SimDisk::new();
        sim.set(Fault::FreezeAtWrite(n));
        let (durable, taken) = live(&sim, 4096, false, 0);
        check_after(&sim.crash(n), durable, taken, &format!("write {n}"));
    }
}

#[test]
fn in_bulk_a_torn_tail_of_many_lines_is_cut_to_a_prefix() {
    let mut longest = 0;
    for seed in 0..60 {
        let sim = SimDisk::new();
        let (mut log, _) = open(&sim, LogConfig { bulk: true, ..config(1 << 20) }).unwrap();
        fill(&mut log, 0, 50).unwrap();
        log.sync().unwrap();
        for i in 50..400 {
            log.append(Priority::Low, Some(ShapeId(i % 7)), &event(i)).unwrap();
            if i % 20 == 0 {
                log.write().unwrap();
            }
        }
        // The power goes before anything else is synced: not even the log's own end is.
        let crashed = sim.crash(seed);
        sim.set(Fault::FreezeAtSync(sim.syncs() + 1));
        drop(log);
        check_after(&crashed, 50, 400, &format!("seed {seed}"));
        for name in crashed.list(Path::new("/data/log")).unwrap() {
            if name.starts_with("torn-") {
                let kept = crashed.bytes(&Path::new("/data/log").join(name)).unwrap();
                longest = longest.max(kept.iter().filter(|b| **b == b'\n').count());
            }
        }
    }
    assert!(longest > 50, "the longest torn tail had {longest} lines");
}

#[test]
fn what_a_failed_sync_forgot_is_saved_by_the_next_start() {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(1 << 20)).unwrap();
    fill(&mut log, 0, 5).unwrap();
    sim.set(Fault::FailSync(sim.syncs() + 1));
    assert!(matches!(log.sync(), Err(LogError::Refused { .. })));
    drop(log);
    // The machine goes on showing lines that no disk holds; who opens the log must not believe it.
    let (mut log, _) = open(&sim, config(1 << 20)).unwrap();
    fill(&mut log, 5, 10).unwrap();
    log.sync().unwrap();
    for seed in 0..8 {
        check_after(&sim.crash(seed), 10, 10, &format!("seed {seed}"));
    }
}

#[test]
fn a_cut_that_a_failed_sync_forgot_is_made_again_by_the_next_start() {
    let sim = made(30);
    let path = files(&sim).pop().unwrap();
    let mut bytes = sim.bytes(&path).unwrap();
    bytes.extend_from_slice(&[b'x'; 3000]);
    sim.put(&path, &bytes);
    // The first sync is that of the copy that is kept.
    sim.set(Fault::FailSync(sim.syncs() + 2));
    assert!(open(&sim, config(1 << 20)).unwrap_err().to_string().contains("cannot sync"));
    assert_eq!(sim.bytes(&path).unwrap().len(), bytes.len() - 3000);
    // It looks as if it had been cut; on the disk it is as long as it was.
    let (mut log, _) = open(&sim, config(1 << 20)).unwrap();
    fill(&mut log, 30, 32).unwrap();
    log.rotate().unwrap();
    drop(log);
    for seed in 0..8 {
        check_after(&sim.crash(seed), 32, 32, &format!("seed {seed}"));
    }
}

#[test]
fn a_last_line_that_lost_its_middle_is_no_line() {
    let sim = made(30);
    let path = files(&sim).pop().unwrap();
    let mut bytes = sim.bytes(&path).unwrap();
    let last = lines(&bytes).pop().unwrap();
    let mut line = event(8);
    ghost_event::line::close(&mut line, seq_of(&last) + 1, &proof::leaf(&last));
    // A power cut kept its ends, and not the sector between them.
    line[100..150].fill(0);
    bytes.extend_from_slice(&line);
    sim.put(&path, &bytes);
    let (log, recovery) = open(&sim, config(4096)).unwrap();
    drop(log);
    assert_eq!(recovery.cut.unwrap().bytes, line.len() as u64);
    assert!(verdict(&sim).ok());
}

#[test]
fn without_room_for_the_next_segment_this_one_goes_on() {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(4096)).unwrap();
    fill(&mut log, 0, 5).unwrap();
    log.sync().unwrap();
    // Not a byte, and no name.
    sim.set(Fault::Capacity(0));
    fill(&mut log, 5, 60).unwrap();
    assert!(matches!(log.rotate(), Err(LogError::NoSpace { .. })));
    sim.set(Fault::Capacity(1 << 30));
    log.rotate().unwrap();
    fill(&mut log, 60, 90).unwrap();
    log.sync().unwrap();
    drop(log);
    assert!(files(&sim).len() > 2, "{:?}", files(&sim));
    check_after(&sim.crash(1), 90, 90, "with room again");
}

#[test]
fn two_power_cuts_in_a_row_are_two_starts() {
    for n in 3..40 {
        let sim = SimDisk::new();
        sim.set(Fault::FreezeAtSync(n));
        let (durable, _) = live(&sim, 4096, false, 0);
        let second = sim.crash(n);
        let kept = |sim: &SimDisk| events_in(&all_lines(sim)).len() as u64;
        // The second start is cut off as well, somewhere in its own syncs.
        second.set(Fault::FreezeAtSync(1 + n % 5));
        let _ = open(&second, config(4096));
        let third = second.crash(n + 1);
        let (log, _) = open(&third, config(4096)).unwrap_or_else(|e| panic!("sync {n}: {e}"));
        drop(log);
        assert!(kept(&third) >= durable, "sync {n}");
        assert!(verdict(&third).ok(), "sync {n}: {}", verdict(&third));
    }
}

#[test]
fn a_torn_tail_that_was_acknowledged_is_damage() {
    let sim = made(30);
    let path = files(&sim).pop().unwrap();
    let bytes = sim.bytes(&path).unwrap();
    sim.put(&path, &bytes[..bytes.len() - 3]);
    let error = open(&sim, config(4096)).map(drop).unwrap_err();
    assert!(matches!(error, LogError::Damaged(_)), "{error}");
    assert_eq!(sim.bytes(&path).unwrap().len(), bytes.len() - 3, "nothing was changed");
    let (log, recovery) = open(&sim, LogConfig { accept_loss: true, ..config(4096) }).unwrap();
    drop(log);
    assert_eq!(recovery.cut.unwrap().acknowledged_lost, 1);
    assert!(verdict(&sim).ok());
}

#[test]
fn without_the_witness_a_torn_tail_is_cut_only_where_nothing_goes_on() {
    let sim = made(30);
    sim.remove(&Path::new(DATA).join("state/head")).unwrap();
    let path = files(&sim).pop().unwrap();
    let bytes = sim.bytes(&path).unwrap();
    sim.put(&path, &[&bytes[..], b"{\"half\":\n{\"more\":"].concat());
    let (log, recovery) = open(&sim, config(4096)).unwrap();
    drop(log);
    let cut = recovery.cut.unwrap();
    assert_eq!((cut.bytes, cut.lines), (17, 2));
    assert!(verdict(&sim).ok());
}

#[test]
fn a_torn_line_comes_back_under_its_number_with_other_content() {
    // The journal's copy of a line that was cut must not speak for its successor.
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, LogConfig { bulk: true, ..config(1 << 20) }).unwrap();
    let begin = ghost_event::line::ImportNote { sha256: "aa".into(), ..Default::default() };
    log.import(&begin).unwrap();
    sim.set(Fault::FreezeAtSync(sim.syncs() + 1));
    drop(log);
    let state = Path::new(DATA).join("state/imports.jsonl");
    let copy = sim.bytes(&state).unwrap();
    assert!(!copy.is_empty());
    let crashed = sim.crash(1);
    crashed.put(&state, &copy);
    let lost = !all_lines(&crashed)
        .iter()
        .any(|l| std::str::from_utf8(l).is_ok_and(|t| t.contains("\"event_type\":\"import\"")));
    let (log, _) = open(&crashed, config(1 << 20)).unwrap();
    assert_eq!(log.imports().get("aa").is_none(), lost);
    assert_eq!(
        log.imports(),
        &LogReader::open_on(disk_of(&crashed), Path::new(DATA)).imports().unwrap()
    );
}

#[test]
fn arbitrary_bytes_in_the_place_of_a_log_never_panic() {
    bolero::check!()
        .with_iterations(400)
        .with_type::<(Vec<u8>, Vec<u8>, Vec<u8>, bool)>()
        .for_each(|(active, sealed, head, valid_before)| {
            let sim = if *valid_before { made(10) } else { SimDisk::new() };
            let path = Path::new(DATA).join("log/events.jsonl");
            let before = sim.bytes(&path).unwrap_or_default();
            sim.put(&path, &[before.as_slice(), active].concat());
            if !sealed.is_empty() && !valid_before {
                sim.put(&Path::new(DATA).join("log/segments/00000000000000000001.jsonl"), sealed);
            }
            sim.put(&Path::new(DATA).join("state/imports.jsonl"), head);
            if !valid_before {
                sim.put(&Path::new(DATA).join("state/head"), head);
            }
            let _ = verdict(&sim).to_string();
            let reader = LogReader::open_on(disk_of(&sim), Path::new(DATA));
            let mut lines = reader.lines(0);
            while let Ok(Some(line)) = lines.next() {
                let _ = proof::leaf(line.bytes);
            }
            let _ = reader.first_seq();
            if let Ok((mut log, _)) = open(&sim, config(4096)) {
                fill(&mut log, 0, 3).unwrap();
                log.sync().unwrap();
                drop(log);
                let verdict = verdict(&sim);
                assert!(verdict.ok(), "{verdict}");
            }
        });
}
