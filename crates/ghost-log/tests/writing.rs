//! What the writer promises while nothing breaks, and when the disk is full or fails.

mod common;

use std::path::Path;
use std::sync::Arc;

use common::*;
use ghost_event::line::{ImportNote, ImportState, LINE_BYTES_MAX, LineKind, View};
use ghost_event::{Digest, Priority, ShapeId, Tier};
use ghost_log::{Log, LogConfig, LogError, LogReader, Proven, proof, stats_on};
use ghost_world::{Clock as _, Disk as _, Fault, RealClock, SimClock, SimDisk};

#[test]
fn each_line_names_the_leaf_of_the_line_before() {
    let sim = made(100);
    let lines = all_lines(&sim);
    let mut prev = Digest::ZERO;
    for (i, line) in lines.iter().enumerate() {
        let view = View::parse(line).unwrap();
        assert_eq!(view.ghost.seq, Some(i as u64 + 1));
        assert_eq!(view.ghost.prev, Some(prev));
        prev = proof::leaf(line);
    }
    assert!(files(&sim).len() > 5, "the log has segments");
    assert_eq!(events_in(&lines), (0..100).collect::<Vec<_>>());
    let verdict = verdict(&sim);
    assert!(verdict.ok(), "{verdict}");
    assert_eq!((verdict.lines, verdict.head.leaf), (lines.len() as u64, prev));
    assert_eq!(verdict.proven, Proven::ByState);
}

#[test]
fn every_segment_states_the_shapes_that_it_uses_before_it_uses_them() {
    let sim = made(300);
    for file in files(&sim) {
        let bytes = sim.bytes(&file).unwrap();
        assert!(bytes.len() < 4096 + 1024, "{} bytes", bytes.len());
        let mut stated = std::collections::BTreeSet::new();
        for line in lines(&bytes) {
            let view = View::parse(&line).unwrap();
            let event = events_in(std::slice::from_ref(&line));
            if view.kind == LineKind::Shape {
                assert!(stated.insert(view.ghost.shape.unwrap().0), "stated once");
            } else if let Some(i) = event.first() {
                assert!(stated.contains(&(i % 7)), "event {i}");
            }
        }
    }
}

#[test]
fn a_segment_begins_with_the_names_of_log_and_epoch() {
    let sim = made(100);
    for (i, file) in files(&sim).iter().enumerate() {
        let first = lines(&sim.bytes(file).unwrap())[0].clone();
        let view = View::parse(&first).unwrap();
        assert_eq!(view.kind, if i == 0 { LineKind::Epoch } else { LineKind::Segment });
        let json: serde_json::Value = serde_json::from_slice(&first).unwrap();
        let note = &json["ghost"][if i == 0 { "epoch" } else { "segment" }];
        assert_eq!((&note["log"], &note["epoch"]), (&"ab".repeat(16).into(), &1.into()));
    }
}

#[test]
fn a_better_vector_is_logged_at_once_and_wins() {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(1 << 20)).unwrap();
    assert!(log.shape(ShapeId(1), &shape(1, Tier::Fast)).unwrap());
    assert!(!log.shape(ShapeId(1), &shape(1, Tier::Fast)).unwrap(), "no news");
    let head = log.head();
    log.append(Priority::Low, Some(ShapeId(1)), &event(0)).unwrap();
    assert_eq!(log.head().seq, head.seq + 2, "shape and event");
    assert!(log.shape(ShapeId(1), &shape(1, Tier::Full)).unwrap());
    assert_eq!(log.head().seq, head.seq + 3, "the better vector");
    assert!(!log.shape(ShapeId(1), &shape(1, Tier::Fast)).unwrap(), "a lower tier is no news");
    log.rotate().unwrap();
    log.append(Priority::Low, Some(ShapeId(1)), &event(1)).unwrap();
    log.sync().unwrap();
    drop(log);
    let active = lines(&sim.bytes(&files(&sim)[1]).unwrap());
    assert_eq!(View::parse(&active[1]).unwrap().vector().unwrap().tier, Tier::Full);

    let (log, _) = open(&sim, config(1 << 20)).unwrap();
    let known: Vec<_> = log.shapes().collect();
    assert_eq!(known, [(ShapeId(1), shape(1, Tier::Full).as_slice())]);
}

#[test]
fn an_event_of_an_unknown_shape_is_turned_away() {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(1 << 20)).unwrap();
    let error = log.append(Priority::Low, Some(ShapeId(9)), &event(0)).unwrap_err();
    assert!(matches!(error, LogError::UnknownShape { id: ShapeId(9) }));
    for bad in [&b""[..], b"x", b"{\"a\":\n1"] {
        assert!(matches!(log.append(Priority::Low, None, bad), Err(LogError::NotABody)));
    }
    let long = vec![b'{'; LINE_BYTES_MAX];
    assert!(matches!(log.append(Priority::Low, None, &long), Err(LogError::TooLong { .. })));
    log.append(Priority::Low, None, &event(0)).unwrap();
    log.sync().unwrap();
    assert!(verdict(&sim).ok());
}

#[test]
fn a_shape_that_is_stated_stands_in_the_log_though_no_event_has_it() {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(1 << 20)).unwrap();
    log.state(ShapeId(3), &shape(3, Tier::Full)).unwrap();
    log.state(ShapeId(3), &shape(3, Tier::Full)).unwrap();
    log.state(ShapeId(3), &shape(3, Tier::Fast)).unwrap();
    log.sync().unwrap();
    let stated: Vec<_> = files(&sim)
        .iter()
        .flat_map(|file| lines(&sim.bytes(file).unwrap()))
        .filter_map(|line| View::parse(&line).unwrap().vector())
        .map(|vector| vector.tier)
        .collect();
    assert_eq!(stated, [Tier::Full], "once, and never the worse one");
    assert!(verdict(&sim).ok());
}

#[test]
fn the_more_pressing_event_is_durable_sooner() {
    let ms = 1_000_000;
    for (prio, due_ns) in [
        (Priority::Critical, 0),
        (Priority::High, 100 * ms),
        (Priority::Medium, 1000 * ms),
        (Priority::Low, 5000 * ms),
    ] {
        let sim = SimDisk::new();
        let clock = clock();
        let (mut log, _) =
            Log::open_on(disk_of(&sim), Path::new(DATA), config(1 << 20), clock.clone()).unwrap();
        let seq = log.append(prio, None, &event(0)).unwrap().seq;
        if due_ns > 0 {
            assert_eq!(log.tick(clock.monotonic_ns()).unwrap(), Some(due_ns));
            clock.pass(u32::try_from(due_ns - 1).unwrap_or(u32::MAX));
            log.tick(due_ns - 1).unwrap();
            assert!(log.durable().seq < seq, "{prio:?} before its time");
            assert_eq!(log.tick(due_ns).unwrap(), None);
        }
        assert_eq!(log.durable().seq, seq, "{prio:?}");
    }
}

#[test]
fn a_low_event_does_not_put_off_a_high_one() {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(1 << 20)).unwrap();
    log.append(Priority::Low, None, &event(0)).unwrap();
    log.append(Priority::High, None, &event(1)).unwrap();
    log.append(Priority::Low, None, &event(2)).unwrap();
    assert_eq!(log.tick(0).unwrap(), Some(100_000_000));
}

#[test]
fn many_low_events_share_a_sync_and_bulk_needs_none() {
    let sim = SimDisk::new();
    let clock = Arc::new(SimClock::new(0));
    let (mut log, _) =
        Log::open_on(disk_of(&sim), Path::new(DATA), config(1 << 20), clock.clone()).unwrap();
    let before = sim.syncs();
    fill(&mut log, 0, 1000).unwrap();
    assert_eq!(sim.syncs(), before, "however many, not within 100 ms of the last sync");
    assert_eq!(log.tick(0).unwrap(), Some(100_000_000), "but then");
    clock.pass(100_000_000);
    fill(&mut log, 1000, 1300).unwrap();
    assert_eq!(sim.syncs(), before + 1, "one for 256 events and more");
    log.set_bulk(true).unwrap();
    fill(&mut log, 1300, 2000).unwrap();
    assert_eq!(sim.syncs(), before + 1);
    log.set_bulk(false).unwrap();
    assert_eq!((log.durable(), sim.syncs()), (log.head(), before + 2));
}

#[test]
fn positions_lead_back_to_their_lines() {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(4096)).unwrap();
    let mut told = Vec::new();
    for i in 0..200 {
        told.push((i, log.append(Priority::Low, None, &event(i)).unwrap()));
    }
    log.write().unwrap();
    let reader = LogReader::open_on(disk_of(&sim), Path::new(DATA));
    for (i, appended) in told.iter().rev() {
        let line = reader.read_at(appended.position).unwrap();
        assert_eq!((seq_of(&line), events_in(&[line])), (appended.seq, vec![*i]));
    }
    let mut wrong = told[0].1.position;
    wrong.offset += 1;
    assert!(matches!(reader.read_at(wrong), Err(LogError::NoSuchLine { .. })));
    wrong.segment = 77;
    assert!(matches!(reader.read_at(wrong), Err(LogError::NoSuchLine { .. })));
}

#[test]
fn a_start_names_what_it_continues() {
    let sim = made(20);
    let (log, recovery) = open(&sim, LogConfig { log_id: [1; 16], ..config(4096) }).unwrap();
    assert_eq!((recovery.epoch, recovery.cut), (2, None));
    assert_eq!(recovery.log_id, "ab".repeat(16), "a log keeps its name");
    drop(log);
    let last = all_lines(&sim).pop().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&last).unwrap();
    assert_eq!(json["event_type"], "epoch");
    assert_eq!(json["ghost"]["epoch"]["parent_seq"], recovery.head.seq);
    assert_eq!(json["ghost"]["epoch"]["parent_leaf"], recovery.head.leaf.to_string());
    let verdict = verdict(&sim);
    assert!(verdict.ok() && verdict.epoch == 2, "{verdict}");
}

#[test]
fn two_writers_are_one_too_many() {
    let sim = SimDisk::new();
    let (log, _) = open(&sim, config(4096)).unwrap();
    let error = open(&sim, config(4096)).unwrap_err();
    assert!(error.to_string().contains("pid 7"), "{error}");
    drop(log);
    open(&sim, config(4096)).unwrap();
}

#[test]
fn a_full_disk_loses_nothing_and_goes_on_when_there_is_room() {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(1 << 30)).unwrap();
    sim.set(Fault::Capacity(600_000));
    // Low events wait in memory as long as there is room there.
    let mut taken = 0;
    let turned_away = loop {
        match log.append(Priority::Low, None, &event(taken)) {
            Ok(_) => taken += 1,
            Err(e) => break e,
        }
        assert!(taken < 1_000_000);
    };
    assert!(matches!(turned_away, LogError::NoSpace { .. }), "{turned_away}");
    assert!(log.waiting_bytes() > 4 << 20);
    // What stands on the disk is whole lines, and a reader may read it.
    assert!(sim.bytes(&files(&sim)[0]).unwrap().ends_with(b"\n"));
    assert!(matches!(log.sync(), Err(LogError::NoSpace { .. })));
    // A critical event cannot be kept, and is not kept by halves.
    let head = log.head();
    assert!(log.append(Priority::Critical, None, &event(7)).is_err());
    assert_eq!(log.head(), head);
    sim.heal();
    log.append(Priority::Critical, None, &event(taken)).unwrap();
    assert_eq!((log.waiting_bytes(), log.durable()), (0, log.head()));
    assert_eq!(events_in(&all_lines(&sim)), (0..=taken).collect::<Vec<_>>());
    assert!(verdict(&sim).ok());
}

#[test]
fn after_a_failed_write_or_sync_nothing_is_taken_until_reopened() {
    for sync in [false, true] {
        let sim = SimDisk::new();
        let (mut log, _) = open(&sim, config(1 << 20)).unwrap();
        log.append(Priority::Critical, None, &event(0)).unwrap();
        let durable = log.durable();
        sim.set(if sync {
            Fault::FailSync(sim.syncs() + 1)
        } else {
            Fault::FailWrite(sim.writes() + 1)
        });
        assert!(log.append(Priority::Critical, None, &event(1)).is_err());
        sim.heal();
        for _ in 0..2 {
            let error = log.append(Priority::Low, None, &event(2)).unwrap_err();
            assert!(matches!(error, LogError::Refused { .. }), "{error}");
            assert!(log.sync().is_err() && log.rotate().is_err() && log.tick(0).is_err());
        }
        assert_eq!(log.durable(), durable);
        drop(log);
        let (mut log, _) = open(&sim, config(1 << 20)).unwrap();
        log.append(Priority::Critical, None, &event(3)).unwrap();
        let verdict = verdict(&sim);
        assert!(verdict.ok(), "{verdict}");
    }
}

#[test]
fn the_journal_tells_how_far_an_import_came() {
    let sim = SimDisk::new();
    let note = |state, sha: &str, begin| ImportNote {
        state,
        file: "a.pcap".into(),
        sha256: sha.to_owned().into(),
        begin,
        events: 3,
        ..ImportNote::default()
    };
    let (mut log, _) = open(&sim, config(4096)).unwrap();
    let first = log.import(&note(ImportState::Begin, "aa", 0)).unwrap().seq;
    log.import(&note(ImportState::End, "aa", first)).unwrap();
    fill(&mut log, 0, 100).unwrap();
    let second = log.import(&note(ImportState::Begin, "bb", 0)).unwrap().seq;
    let mut body = event(1);
    body.extend_from_slice(format!(",\"import\":{second}").as_bytes());
    log.append(Priority::Low, None, &body).unwrap();
    log.append(Priority::Low, None, &body).unwrap();
    log.append(Priority::Low, None, &event(2)).unwrap();
    log.sync().unwrap();
    drop(log);

    // With its copy, without it, and with a copy of lines that were never durable.
    let copy = Path::new(DATA).join("state/imports.jsonl");
    for round in 0..3 {
        if round == 1 {
            sim.remove(&copy).unwrap();
        }
        let (log, _) = open(&sim, config(4096)).unwrap();
        let done = log.imports().get("aa").unwrap();
        assert_eq!((done.state, done.begin, done.events), (ImportState::End, first, 3));
        let open = log.imports().get("bb").unwrap();
        assert_eq!((open.state, open.begin), (ImportState::Begin, second));
        assert_eq!(log.imports().len(), 2);
        let reader = LogReader::open_on(disk_of(&sim), Path::new(DATA));
        assert_eq!(reader.events_of_import(second).unwrap(), 2);
        assert_eq!(reader.imports().unwrap(), *log.imports());
    }
}

#[test]
fn a_reader_follows_the_writer_over_segments() {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(4096)).unwrap();
    let reader = LogReader::open_on(disk_of(&sim), Path::new(DATA));
    let mut follow = reader.lines(0);
    let mut seen = 0;
    for i in 0..500 {
        log.append(Priority::Low, None, &event(i)).unwrap();
        if i % 3 == 0 {
            log.write().unwrap();
        }
        if i % 7 == 0 {
            while let Some(line) = follow.next().unwrap() {
                seen += 1;
                assert_eq!(line.seq, seen);
                assert_eq!(reader.read_at(line.position).unwrap(), line.bytes);
            }
        }
    }
    log.write().unwrap();
    while let Some(line) = follow.next().unwrap() {
        seen += 1;
        assert_eq!(line.seq, seen);
    }
    assert_eq!(seen, log.head().seq);
    // From any number on.
    for from in [1, 2, 17, seen / 2, seen, seen + 1] {
        let mut lines = reader.lines(from);
        assert_eq!(lines.next().unwrap().map(|l| l.seq), (from <= seen).then_some(from));
    }
}

#[test]
fn without_the_oldest_segments_reading_starts_at_the_oldest_left() {
    let sim = made(200);
    let all = all_lines(&sim);
    let old = files(&sim);
    for file in &old[..3] {
        sim.remove(file).unwrap();
    }
    let first = seq_of(&lines(&sim.bytes(&old[3]).unwrap())[0]);
    let reader = LogReader::open_on(disk_of(&sim), Path::new(DATA));
    assert_eq!(reader.first_seq().unwrap(), Some(first));
    assert_eq!(reader.lines(0).next().unwrap().map(|l| l.seq), Some(first));
    let verdict = verdict(&sim);
    assert!(verdict.ok() && verdict.first_seq == first, "{verdict}");
    assert!(verdict.to_string().contains("older segments are not here"));
    // Only the active segment is left: the log still opens and goes on.
    for file in &old[3..old.len() - 1] {
        sim.remove(file).unwrap();
    }
    let (mut log, recovery) = open(&sim, config(4096)).unwrap();
    assert_eq!((recovery.head.seq, recovery.epoch), (all.len() as u64, 2));
    fill(&mut log, 200, 210).unwrap();
    log.sync().unwrap();
    let verdict = common::verdict(&sim);
    assert!(verdict.ok(), "{verdict}");
}

#[test]
fn stats_count_what_is_there() {
    let sim = made(100);
    let lines = all_lines(&sim);
    let stats = stats_on(&disk_of(&sim), Path::new(DATA)).unwrap();
    assert_eq!((stats.lines, stats.kinds["flow"]), (lines.len() as u64, 100));
    assert_eq!(stats.bytes, lines.iter().map(|l| l.len() as u64).sum::<u64>());
    assert_eq!(stats.segments, files(&sim).len() as u64);
    assert_eq!((stats.first_seq, stats.last_seq), (Some(1), Some(lines.len() as u64)));
    assert_eq!(stats.kinds["segment"], stats.segments - 1);
    let text = |t: Option<ghost_event::Timestamp>| t.map(|t| t.to_string());
    assert_eq!(text(stats.first_time).as_deref(), Some("2026-11-20T05:56:00.000000+0000"));
    assert_eq!(text(stats.last_time).as_deref(), Some("2026-11-20T05:56:59.000000+0000"));
}

#[test]
fn a_log_on_the_real_disk_can_be_found_by_its_old_name() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, _) = Log::open(dir.path(), config(4096), Arc::new(RealClock)).unwrap();
    fill(&mut log, 0, 100).unwrap();
    log.sync().unwrap();
    let error = Log::open(dir.path(), config(4096), Arc::new(RealClock)).unwrap_err();
    assert!(matches!(error, LogError::Locked { ref holder, .. } if holder == "pid 7"), "{error}");
    drop(log);
    let by_link = std::fs::read(dir.path().join("events.jsonl")).unwrap();
    assert!(by_link.ends_with(b"\"}}\n"));
    let verdict = ghost_log::verify(dir.path(), &Default::default()).unwrap();
    assert!(verdict.ok() && verdict.segments > 5, "{verdict}");
    assert!(ghost_log::stats(dir.path()).unwrap().kinds["flow"] == 100);
    assert_eq!(LogReader::open(dir.path()).first_seq().unwrap(), Some(1));
    let (_, recovery) = Log::open(dir.path(), config(4096), Arc::new(RealClock)).unwrap();
    assert_eq!((recovery.epoch, recovery.cut), (2, None));
}

#[test]
fn a_reader_whose_segment_is_retired_reads_on_or_says_what_is_gone() {
    for (behind, goes_on) in [(0, true), (1, false), (4, false)] {
        let sim = made(200);
        let (mut log, _) = open(&sim, config(4096)).unwrap();
        let segments = log.segments();
        let reader = LogReader::open_on(disk_of(&sim), Path::new(DATA));
        let mut lines = reader.lines(0);
        let mut seen = lines.next().unwrap().unwrap().seq;
        log.retire(segments[behind].last).unwrap();
        let end = loop {
            match lines.next() {
                Ok(Some(line)) => {
                    assert_eq!(line.seq, seen + 1);
                    seen = line.seq;
                }
                other => break other.map(|line| line.is_none()),
            }
        };
        if goes_on {
            assert!(end.unwrap());
            assert_eq!(seen, log.durable().seq);
        } else {
            let first = segments[behind].last + 1;
            assert_eq!(seen, segments[0].last, "the open one is read to its end");
            let error = end.unwrap_err();
            let gone =
                matches!(error, LogError::Gone { seq, first: f } if seq == seen + 1 && f == first);
            assert!(gone, "{error}");
        }
    }
}
