//! Every kind of damage is found, under its own name, at its line and byte.

mod common;

use std::path::Path;

use common::*;
use ghost_event::Digest;
use ghost_event::line::{Tail, close};
use ghost_log::{Damage, DamageKind, Head, LogError, Proven, VerifyOptions, proof, verify_on};
use ghost_world::{Disk as _, SimDisk};

/// The line that stands at `index` of a file, and where.
struct Spot {
    path: std::path::PathBuf,
    lines: Vec<Vec<u8>>,
}

fn spot(sim: &SimDisk, file: usize) -> Spot {
    let path = files(sim)[file].clone();
    let lines = lines(&sim.bytes(&path).unwrap());
    Spot { path, lines }
}

fn offset(lines: &[Vec<u8>], index: usize) -> u64 {
    lines[..index].iter().map(|l| l.len() as u64).sum()
}

fn damage(sim: &SimDisk) -> Damage {
    let found = verdict(sim).damage.expect("damage is found");
    // A copy without the writer's state tells the same story of what lies before its end.
    assert_eq!(verdict_without_state(sim).damage.as_ref(), Some(&found));
    assert!(found.to_string().contains(&format!("segment {}", found.segment)));
    found
}

#[test]
fn an_altered_byte_is_found_wherever_it_is() {
    let sim = made(60);
    let (file, index) = (2, 3);
    let was = spot(&sim, file);
    let line = was.lines[index].clone();
    let tail = Tail::of(&line).unwrap();
    // Every byte of the line but its newline, one bit each.
    for at in 0..line.len() - 1 {
        let mut lines = was.lines.clone();
        lines[index][at] ^= 1 << (at % 3);
        if lines[index][at] == b'\n' {
            continue;
        }
        put_lines(&sim, &was.path, &lines);
        let found = damage(&sim);
        assert!(
            matches!(found.kind, DamageKind::Altered | DamageKind::Malformed),
            "byte {at}: {found}"
        );
        assert_eq!(found.seq, tail.seq, "byte {at} of {}: {found}", line.len());
        assert_eq!((found.line, found.byte), (index as u64 + 1, offset(&was.lines, index)));
    }
}

#[test]
fn a_body_written_over_is_told_by_the_line_after_it() {
    let sim = made(60);
    let mut spot = spot(&sim, 1);
    let was = spot.lines[4].clone();
    let text = String::from_utf8(was.clone()).unwrap();
    spot.lines[4] = text.replace("\"flow_id\":", "\"flow_id\":9").into_bytes();
    assert_ne!(spot.lines[4], was);
    put_lines(&sim, &spot.path, &spot.lines);
    let found = damage(&sim);
    assert_eq!((found.kind, found.seq), (DamageKind::Altered, seq_of(&was)));
    assert!(found.to_string().starts_with("altered: line"), "{found}");
}

#[test]
fn dropped_lines_are_a_gap_that_names_them() {
    for count in [1, 3] {
        let sim = made(60);
        let mut spot = spot(&sim, 2);
        let from = seq_of(&spot.lines[2]);
        let byte = offset(&spot.lines, 2);
        spot.lines.drain(2..2 + count);
        put_lines(&sim, &spot.path, &spot.lines);
        let found = damage(&sim);
        let to = from + count as u64 - 1;
        assert_eq!((found.kind, found.byte), (DamageKind::Dropped { from, to }, byte));
        assert_eq!((found.seq, found.line), (from, 3));
    }
}

#[test]
fn a_missing_segment_is_a_gap() {
    let sim = made(60);
    let gone = spot(&sim, 2);
    sim.remove(&gone.path).unwrap();
    let (from, to) = (seq_of(&gone.lines[0]), seq_of(gone.lines.last().unwrap()));
    assert_eq!(damage(&sim).kind, DamageKind::Dropped { from, to });
}

#[test]
fn lines_cut_from_a_sealed_segment_are_a_gap() {
    let sim = made(60);
    let mut spot = spot(&sim, 2);
    let last = spot.lines.pop().unwrap();
    put_lines(&sim, &spot.path, &spot.lines);
    let seq = seq_of(&last);
    assert_eq!(damage(&sim).kind, DamageKind::Dropped { from: seq, to: seq });
}

#[test]
fn swapped_lines_are_told_apart_from_dropped_ones() {
    for (a, b) in [(2, 3), (2, 5)] {
        let sim = made(60);
        let mut spot = spot(&sim, 1);
        let (first, second) = (seq_of(&spot.lines[a]), seq_of(&spot.lines[b]));
        spot.lines.swap(a, b);
        put_lines(&sim, &spot.path, &spot.lines);
        let found = damage(&sim);
        assert_eq!((found.kind, found.seq), (DamageKind::Swapped { first, second }, first));
    }
}

/// Writes a line anew so that it continues `prev` under number `seq`.
fn rewritten(line: &[u8], seq: u64, prev: &Digest) -> Vec<u8> {
    let mut out = line[..Tail::of(line).unwrap().body_bytes].to_vec();
    close(&mut out, seq, prev);
    out
}

#[test]
fn two_lines_that_continue_the_same_line_are_a_fork() {
    let sim = made(60);
    let mut spot = spot(&sim, 1);
    let tail = Tail::of(&spot.lines[3]).unwrap();
    // Another line 3, right in itself, stands behind the first.
    let twin = rewritten(&spot.lines[5], tail.seq, &tail.prev);
    spot.lines.insert(4, twin);
    put_lines(&sim, &spot.path, &spot.lines);
    let found = damage(&sim);
    assert_eq!((found.kind, found.seq), (DamageKind::Forked { parent: tail.seq - 1 }, tail.seq));
    assert_eq!(found.line, 5);
}

#[test]
fn a_second_history_behind_the_first_is_a_fork() {
    // A machine was restored from an old copy, and both went on: the second's lines were added.
    let old = made(30);
    let (mut log, _) = open(&old, config(4096)).unwrap();
    fill(&mut log, 30, 34).unwrap();
    log.sync().unwrap();
    drop(log);
    let fork_at = seq_of(&all_lines(&old)[all_lines(&made(30)).len()]);
    let second = made(30);
    let (mut log, _) = open(&second, config(4096)).unwrap();
    fill(&mut log, 40, 44).unwrap();
    log.sync().unwrap();
    drop(log);
    let theirs: Vec<Vec<u8>> =
        all_lines(&second).into_iter().filter(|l| seq_of(l) > fork_at).collect();
    let mut ours = spot(&old, files(&old).len() - 1);
    ours.lines.extend(theirs);
    put_lines(&old, &ours.path, &ours.lines);
    let found = verdict_without_state(&old).damage.unwrap();
    assert!(matches!(found.kind, DamageKind::Forked { .. }), "{found}");
}

#[test]
fn an_epoch_that_continues_another_log_is_a_fork() {
    let sim = made(20);
    let (log, _) = open(&sim, config(4096)).unwrap();
    drop(log);
    let at = files(&sim).len() - 1;
    let mut spot = spot(&sim, at);
    let epoch = spot.lines.pop().unwrap();
    let tail = Tail::of(&epoch).unwrap();
    let text = String::from_utf8(epoch).unwrap();
    let other = text.replacen(&tail.prev.to_string(), &"5".repeat(64), 1);
    let other = rewritten(other.as_bytes(), tail.seq, &tail.prev);
    spot.lines.push(other);
    put_lines(&sim, &spot.path, &spot.lines);
    let found = verdict_without_state(&sim).damage.unwrap();
    let parent = tail.seq - 1;
    assert_eq!((found.kind, found.seq), (DamageKind::ForeignParent { parent }, tail.seq));
}

#[test]
fn the_same_epoch_twice_is_a_fork_and_another_logs_epoch_is_foreign() {
    for (from, to, is) in [
        ("\"epoch\":2", "\"epoch\":1", "forked"),
        (&"ab".repeat(16) as &str, &"cd".repeat(16) as &str, "foreign"),
    ] {
        let sim = made(20);
        drop(open(&sim, config(4096)).unwrap());
        let at = files(&sim).len() - 1;
        let mut spot = spot(&sim, at);
        let epoch = spot.lines.pop().unwrap();
        let tail = Tail::of(&epoch).unwrap();
        let other = String::from_utf8(epoch).unwrap().replacen(from, to, 1);
        spot.lines.push(rewritten(other.as_bytes(), tail.seq, &tail.prev));
        put_lines(&sim, &spot.path, &spot.lines);
        let found = verdict_without_state(&sim).damage.unwrap();
        assert!(found.to_string().starts_with(is), "{found}");
    }
}

#[test]
fn a_line_that_stands_twice_is_a_repetition() {
    let sim = made(60);
    let mut spot = spot(&sim, 1);
    let line = spot.lines[3].clone();
    spot.lines.insert(4, line.clone());
    put_lines(&sim, &spot.path, &spot.lines);
    let found = damage(&sim);
    assert_eq!((found.kind, found.seq, found.line), (DamageKind::Repeated, seq_of(&line), 5));
}

#[test]
fn two_lines_run_together_are_malformed() {
    let sim = made(60);
    let mut spot = spot(&sim, 1);
    let seq = seq_of(&spot.lines[3]);
    *spot.lines[3].last_mut().unwrap() = b'\x0b';
    put_lines(&sim, &spot.path, &spot.lines);
    let found = damage(&sim);
    assert_eq!((found.kind, found.seq), (DamageKind::Malformed, seq));
}

#[test]
fn garbage_amid_the_log_is_malformed_and_no_torn_tail() {
    let sim = made(60);
    for file in [1, files(&sim).len() - 1] {
        let sim = made(60);
        let mut spot = spot(&sim, file);
        let seq = seq_of(&spot.lines[1]);
        spot.lines[1] = b"\0\0\0\0\n".to_vec();
        put_lines(&sim, &spot.path, &spot.lines);
        assert!(spot.lines.len() > 4, "lines follow the garbage");
        let found = damage(&sim);
        assert_eq!((found.kind, found.seq), (DamageKind::Malformed, seq));
        if file != 1 {
            // A start reads the active segment: it refuses, with the same story, and changes nothing.
            let before = sim.bytes(&spot.path);
            let error = open(&sim, config(4096)).map(drop).unwrap_err();
            assert!(matches!(&error, LogError::Damaged(d) if *d == found), "{error}");
            assert_eq!(sim.bytes(&spot.path), before);
        }
    }
}

#[test]
fn an_unfinished_end_is_a_torn_tail() {
    for (tail, sync_lost) in
        [(&b"{\"timestamp\":\"20"[..], false), (b"\0\0\0\0", false), (b"x\ny\nz", false)]
    {
        let _ = sync_lost;
        let sim = made(60);
        let path = files(&sim).pop().unwrap();
        let mut bytes = sim.bytes(&path).unwrap();
        let byte = bytes.len() as u64;
        let head = verdict(&sim).head;
        bytes.extend_from_slice(tail);
        sim.put(&path, &bytes);
        let found = damage(&sim);
        assert_eq!(found.kind, DamageKind::TornTail { bytes: tail.len() as u64, durable: None });
        assert_eq!((found.seq, found.byte), (head.seq + 1, byte));
    }
}

#[test]
fn a_segment_under_another_name_is_told() {
    let sim = made(60);
    let spot = spot(&sim, 1);
    let other = Path::new(DATA).join("log/segments/00000000000000000013.jsonl");
    sim.rename(&spot.path, &other).unwrap();
    assert_eq!(damage(&sim).kind, DamageKind::Misnamed);
}

#[test]
fn what_the_chain_alone_cannot_prove_the_head_does() {
    // The last line altered: the chain is content, the writer's head is not.
    let sim = made(60);
    let path = files(&sim).pop().unwrap();
    let whole = sim.bytes(&path).unwrap();
    let mut last = lines(&whole);
    let head = verdict(&sim).head;
    let line = last.pop().unwrap();
    let text = String::from_utf8(line).unwrap().replace("\"flow_id\":", "\"flow_id\":1");
    last.push(text.into_bytes());
    put_lines(&sim, &path, &last);
    let blind = verdict_without_state(&sim);
    assert!(blind.ok());
    assert_eq!(blind.proven, Proven::ButLast);
    assert!(blind.to_string().contains("of the last line only that it is whole"), "{blind}");
    let found = verdict(&sim).damage.unwrap();
    assert_eq!((found.kind, found.seq), (DamageKind::Altered, head.seq));

    // The last lines cut off, between two lines.
    last.truncate(last.len() - 2);
    put_lines(&sim, &path, &last);
    assert!(verdict_without_state(&sim).ok());
    let found = verdict(&sim).damage.unwrap();
    assert_eq!(found.kind, DamageKind::CutOff { expected: head.seq });
    // And a head from outside, where log and state were rewritten together.
    let state = Path::new(DATA).join("state/head");
    let kept = sim.bytes(&state).unwrap();
    sim.remove(&state).unwrap();
    let options = VerifyOptions { against: Some(head.into()), ..VerifyOptions::default() };
    let found = verify_on(&disk_of(&sim), Path::new(DATA), &options).unwrap();
    assert_eq!(found.damage.unwrap().kind, DamageKind::CutOff { expected: head.seq });
    // A start does not pass over lost lines either, unless it is told to.
    sim.put(&state, &kept);
    let error = open(&sim, config(4096)).map(drop).unwrap_err();
    assert!(matches!(error, LogError::Shorter { acknowledged, .. } if acknowledged == head.seq));
    let accept = ghost_log::LogConfig { accept_loss: true, ..config(4096) };
    let (log, recovery) = open(&sim, accept).unwrap();
    assert_eq!(recovery.cut.unwrap().acknowledged_lost, 2);
    drop(log);
    assert!(verdict(&sim).ok(), "{}", verdict(&sim));
}

#[test]
fn a_given_head_proves_the_whole_log() {
    let sim = made(60);
    let head = verdict(&sim).head;
    let against = |head| {
        let options = VerifyOptions {
            against: Some(Head::into(head)),
            without_state: true,
            ..VerifyOptions::default()
        };
        verify_on(&disk_of(&sim), Path::new(DATA), &options).unwrap()
    };
    assert_eq!(against(head).proven, Proven::ByGivenHead);
    let wrong = Head { seq: 10, leaf: proof::leaf(b"another line") };
    let found = against(wrong).damage.unwrap();
    assert_eq!((found.kind, found.seq), (DamageKind::Altered, 10));
}

#[test]
fn an_empty_log_is_well() {
    let sim = SimDisk::new();
    sim.create_dirs(&Path::new(DATA).join("log/segments")).unwrap();
    let verdict = verdict(&sim);
    assert!(verdict.ok() && verdict.lines == 0 && verdict.proven == Proven::Nothing);
    assert_eq!(verdict.to_string(), "an empty log");
}

#[test]
fn any_single_change_of_bytes_is_found() {
    let sim = made(40);
    let paths = files(&sim);
    let whole: Vec<Vec<u8>> = paths.iter().map(|p| sim.bytes(p).unwrap()).collect();
    bolero::check!().with_iterations(1500).with_type::<(u8, u16, u8, u8)>().for_each(
        |(file, at, how, byte)| {
            let file = usize::from(*file) % paths.len();
            let mut bytes = whole[file].clone();
            let at = usize::from(*at) % bytes.len();
            match how % 3 {
                0 => bytes[at] = *byte,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, *byte),
            }
            let changed = bytes != whole[file];
            sim.put(&paths[file], &bytes);
            let verdict = verdict(&sim);
            assert_eq!(verdict.ok(), !changed, "file {file} byte {at}: {verdict}");
            sim.put(&paths[file], &whole[file]);
        },
    );
}
