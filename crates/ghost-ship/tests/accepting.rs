//! What a replica believes, and what it refuses, told by what went wrong.

mod rig;

use ghost_event::{Digest, Priority};
use ghost_log::proof::checkpoint::SignedCheckpoint;
use ghost_log::proof::key::SigningKey;
use ghost_ship::accept::{Accepted, Begun, Primary, compare};
use ghost_ship::wire::{
    BlockBegin, Code, Form, Growth, Hello, Limits, Lines, Place, Refusal, Role, Start,
};
use rig::log::MemLog;

fn log_of(events: u64) -> MemLog {
    let mut log = MemLog::new(1);
    grow(&mut log, events, 0);
    log
}

fn grow(log: &mut MemLog, events: u64, what: u64) {
    (0..events).for_each(|i| {
        log.event(Priority::Low, what + i, 64);
    });
}

fn hello(log: &mut MemLog) -> Hello {
    let size = log.size();
    Hello {
        role: Role::Primary,
        name: "host".to_owned(),
        program: "test".to_owned(),
        limits: Limits::OURS,
        log: Some(log.id),
        epoch: log.epoch,
        held: log.place(size),
        signed_size: size,
        signed_root: log.root_at(size),
        note: log.checkpoint(size),
        blocks: Vec::new(),
        forms: Vec::new(),
        key: log.key.verifying_key().to_string(),
    }
}

fn lines(log: &MemLog, after: u64, upto: u64) -> Lines {
    Lines::new(log.raw(after, upto)).unwrap()
}

/// A replica that has met the log.
fn met(log: &mut MemLog) -> Accepted {
    let mut replica = Accepted::new();
    let hello = hello(log);
    replica.meet(&hello).unwrap();
    replica.keep_meeting(&hello);
    replica
}

fn tail(replica: &mut Accepted, log: &MemLog, after: u64, upto: u64) -> Result<Place, Refusal> {
    let step = replica.tail(log.epoch, &lines(log, after, upto), "")?;
    let place = step.place();
    replica.keep_tail(step);
    Ok(place)
}

fn begin(
    log: &mut MemLog,
    number: u64,
    size: u64,
    parent: Option<(u64, u64)>,
    witnessed: u64,
) -> BlockBegin {
    let start = match parent {
        Some((number, size)) => Start::Parent { number, root: log.root_at(size) },
        None => Start::Base { size: 0, leaf: Digest::ZERO, frontier: Vec::new() },
    };
    let growth = if witnessed > 0 { log.growth(witnessed, size) } else { Growth::default() };
    let (root, note) = (log.root_at(size), log.checkpoint(size));
    BlockBegin { number, size, root, epoch: log.epoch, form: Form::Lines, start, note, growth }
}

fn block(
    replica: &mut Accepted,
    log: &mut MemLog,
    number: u64,
    size: u64,
    parent: Option<(u64, u64)>,
) -> Result<u64, Refusal> {
    let witnessed = replica.witnessed().map_or(0, |w| w.size);
    let begin = begin(log, number, size, parent, witnessed);
    let after = parent.map_or(0, |(_, size)| size);
    offer(replica, log, &begin, &log.raw(after, size))
}

fn offer(
    replica: &mut Accepted,
    log: &MemLog,
    begin: &BlockBegin,
    bytes: &[u8],
) -> Result<u64, Refusal> {
    let Begun::Check(mut check) = replica.begin_block(begin)? else { return Ok(0) };
    for (i, piece) in bytes.chunks(777).enumerate() {
        check.chunk(begin.number, i as u64 * 777, piece)?;
    }
    check.ended(begin.number, bytes.len() as u64)?;
    let step = replica.end_block(*check, |seq| log.leaf_at(seq), |seq| log.leaf_at(seq))?;
    Ok(replica.keep_block(step).drop_tail)
}

fn code<T>(result: Result<T, Refusal>) -> Code {
    match result {
        Ok(_) => panic!("it was accepted"),
        Err(refusal) => refusal.code,
    }
}

#[test]
fn a_tail_runs_ahead_and_its_block_settles_it() {
    let mut log = log_of(20);
    let mut replica = met(&mut log);
    assert_eq!(tail(&mut replica, &log, 0, 10).unwrap(), log.place(10));
    assert_eq!(tail(&mut replica, &log, 10, 22).unwrap(), log.place(22));
    assert_eq!(replica.epoch(), 1);
    assert_eq!(block(&mut replica, &mut log, 1, 15, None).unwrap(), 15);
    // The tail is further, and stays.
    assert_eq!(replica.held(), log.place(22));
    assert_eq!(block(&mut replica, &mut log, 2, 22, Some((1, 15))).unwrap(), 22);
    assert_eq!(replica.newest().unwrap().number, 2);
}

#[test]
fn what_comes_again_is_acknowledged_again_and_changes_nothing() {
    let mut log = log_of(20);
    let mut replica = met(&mut log);
    tail(&mut replica, &log, 0, 12).unwrap();
    let before = replica.clone();
    let step = replica.tail(1, &lines(&log, 3, 9), "").unwrap();
    assert!(step.is_replay() && step.place() == log.place(12));
    replica.keep_tail(step);
    assert_eq!(replica, before);
    // An overlap brings what is new.
    let step = replica.tail(1, &lines(&log, 8, 15), "").unwrap();
    assert_eq!((step.after, step.is_replay()), (12, false));
    // Worked out before another was kept: over.
    tail(&mut replica, &log, 12, 20).unwrap();
    replica.keep_tail(step);
    assert_eq!(replica.held(), log.place(20));
    block(&mut replica, &mut log, 1, 18, None).unwrap();
    let again = begin(&mut log, 1, 18, None, 18);
    assert!(matches!(replica.begin_block(&again), Ok(Begun::Already)));
}

#[test]
fn a_changed_dropped_added_or_swapped_line_is_refused_wherever_it_stands() {
    let mut log = log_of(12);
    let mut replica = met(&mut log);
    tail(&mut replica, &log, 0, 4).unwrap();
    for at in 4..12_usize {
        let mut changed = log.lines.clone();
        let text = String::from_utf8(changed[at].clone()).unwrap();
        changed[at] = text.replacen("low", "LOW", 1).into_bytes();
        let frame = Lines::new(changed[4..].concat()).unwrap();
        let last = log.lines.len() - 1;
        if at < last {
            assert_eq!(code(replica.tail(1, &frame, "")), Code::Altered, "line {}", at + 1);
        }
        // The last line of a tail is nobody's parent yet: the block's root tells.
        let begin = begin(&mut log, 1, 14, None, 0);
        let refused = offer(&mut replica.clone(), &log, &begin, &changed.concat());
        assert_eq!(code(refused), Code::Altered, "line {} of a block", at + 1);
    }
    let begin = begin(&mut log, 1, 14, None, 0);
    for bad in [log.raw(0, 13), [log.raw(0, 14), log.lines[13].clone()].concat(), log.raw(1, 14)] {
        assert_eq!(code(offer(&mut replica.clone(), &log, &begin, &bad)), Code::Altered);
    }
    let mut cut = log.raw(0, 14);
    cut.pop();
    assert_eq!(code(offer(&mut replica.clone(), &log, &begin, &cut)), Code::Altered);
    let endless = vec![b'x'; 2 << 20];
    assert_eq!(code(offer(&mut replica.clone(), &log, &begin, &endless)), Code::Limit);
    assert_eq!(code(replica.tail(1, &lines(&log, 6, 9), "")), Code::Gap);
    assert_eq!(replica.held(), log.place(4));
}

#[test]
fn a_second_history_is_refused_with_both_checkpoints() {
    let mut log = log_of(20);
    let mut replica = met(&mut log);
    tail(&mut replica, &log, 0, 22).unwrap();
    block(&mut replica, &mut log, 1, 20, None).unwrap();
    let ours = replica.witnessed().unwrap().note.clone();

    // Restored from an older backup: shorter.
    let mut backup = log.clone();
    backup.cut(12);
    backup.begin_epoch(2);
    let refusal = replica.meet(&hello(&mut backup)).unwrap_err();
    assert_eq!((refusal.code, &refusal.ours), (Code::Shrunk, &ours));
    assert_eq!(refusal.theirs, hello(&mut backup).note);
    // Grown to the same length, and beyond it.
    grow(&mut backup, 9, 1000);
    assert_eq!(backup.size(), 22);
    assert_eq!(code(replica.meet(&hello(&mut backup))), Code::Fork);
    grow(&mut backup, 8, 2000);
    let grown = hello(&mut backup);
    replica.meet(&grown).unwrap();
    assert_eq!(code(replica.tail(2, &lines(&backup, 22, 30), &grown.note)), Code::Fork);
    assert_eq!(code(replica.tail(2, &lines(&backup, 18, 30), "")), Code::Fork);
    let refusal = block(&mut replica, &mut backup, 2, 30, None).unwrap_err();
    assert_eq!((refusal.code, refusal.ours.is_empty()), (Code::Fork, false));
    // A witness does not sign it, whatever is given as proof.
    let note = backup.checkpoint(30);
    let growth = backup.growth(20, 30);
    assert_eq!(code(replica.witness(&note, &growth)), Code::Fork);
    assert_eq!(code(replica.witness(&note, &Growth::default())), Code::Proof);
    assert_eq!(code(replica.witness(&backup.checkpoint(15), &growth)), Code::Shrunk);
    // The primary finds it as well.
    let told = Hello {
        role: Role::Replica,
        log: replica.log(),
        epoch: replica.epoch(),
        held: replica.held(),
        signed_size: 20,
        signed_root: replica.witnessed().unwrap().root,
        note: ours,
        ..hello(&mut log)
    };
    let mine = |log: &mut MemLog| {
        let note = log.checkpoint(log.size());
        let ours =
            Primary { log: log.id, epoch: log.epoch, held: log.place(log.size()), note: &note };
        let mut roots = log.clone();
        compare(&ours, &told, |seq| log.leaf_at(seq), |size| Some(roots.root_at(size)))
    };
    assert_eq!(code(mine(&mut backup)), Code::Fork);
    backup.cut(14);
    assert_eq!(code(mine(&mut backup)), Code::Shrunk);
    mine(&mut log).unwrap();
    grow(&mut log, 3, 0);
    mine(&mut log).unwrap();
    assert_eq!(code(mine(&mut MemLog::new(9))), Code::OtherLog);
}

#[test]
fn a_stale_epoch_never_speaks_again() {
    let mut log = log_of(10);
    let mut replica = met(&mut log);
    let mut old = log.clone();
    log.begin_epoch(4);
    let size = log.size();
    tail(&mut replica, &log, 0, size).unwrap();
    assert_eq!(replica.epoch(), 4);
    grow(&mut old, 30, 7);
    assert_eq!(code(replica.meet(&hello(&mut old))), Code::StaleEpoch);
    assert_eq!(code(replica.tail(1, &lines(&old, 12, 40), "")), Code::StaleEpoch);
    let begin = begin(&mut old, 1, 40, None, 0);
    assert_eq!(code(replica.begin_block(&begin)), Code::StaleEpoch);
    // Nor does a log that goes back in its own lines.
    log.begin_epoch(3);
    assert_eq!(code(replica.tail(4, &lines(&log, size, size + 1), "")), Code::StaleEpoch);
    // The primary learns that it was replaced.
    let told = Hello {
        role: Role::Replica,
        held: Place::default(),
        epoch: 4,
        signed_size: 0,
        ..hello(&mut old)
    };
    let note = String::new();
    let ours = Primary { log: old.id, epoch: 1, held: old.place(40), note: &note };
    assert_eq!(code(compare(&ours, &told, |_| None, |_| None)), Code::StaleEpoch);
}

#[test]
fn a_power_cut_after_an_acknowledgement_is_no_fork() {
    // Only durable lines are shipped: the primary comes back with all of them, in a new epoch, even
    // where its newest checkpoint was lost.
    let mut log = log_of(20);
    let mut replica = met(&mut log);
    tail(&mut replica, &log, 0, 18).unwrap();
    block(&mut replica, &mut log, 1, 16, None).unwrap();
    log.cut(18);
    log.begin_epoch(2);
    let mut told = hello(&mut log);
    (told.signed_size, told.signed_root, told.note) = (10, log.root_at(10), log.checkpoint(10));
    replica.meet(&told).unwrap();
    tail(&mut replica, &log, 18, 19).unwrap();
    assert_eq!(replica.epoch(), 2);
    block(&mut replica, &mut log, 2, 19, Some((1, 16))).unwrap();
}

#[test]
fn a_witness_signs_only_what_continues_what_it_signed() {
    let mut log = log_of(30);
    let mut replica = met(&mut log);
    let key = SigningKey::cosigner("replica", [7; 32]).unwrap();
    let mut witnessed = 0;
    for size in [1, 2, 7, 8, 9, 30, 32] {
        let note = log.checkpoint(size);
        let growth = if witnessed == 0 { Growth::default() } else { log.growth(witnessed, size) };
        let step = replica.witness(&note, &growth).unwrap();
        // Before it is remembered, nothing changed: a power cut loses no promise.
        assert_eq!(replica.witnessed().map_or(0, |w| w.size), witnessed);
        replica.keep_witnessed(&step);
        let line = step.cosign(&key, 1_700_000_000);
        let signed = SignedCheckpoint::parse(format!("{note}{line}\n").as_bytes()).unwrap();
        assert_eq!(signed.cosigned_by(key.verifying_key()), Some(1_700_000_000));
        witnessed = size;
        // Again, as after a lost answer.
        replica.witness(&note, &Growth::default()).unwrap();
    }
    let mut other = log_of(0);
    grow(&mut other, 40, 500);
    assert_eq!(code(replica.witness(&other.checkpoint(42), &other.growth(32, 42))), Code::Fork);
    let foreign = MemLog::new(3).checkpoint(2);
    assert_eq!(code(replica.witness(&foreign, &Growth::default())), Code::OtherLog);
    assert_eq!(code(replica.witness("no note", &Growth::default())), Code::Malformed);
}

#[test]
fn a_checkpoint_over_held_lines_must_be_of_those_lines() {
    let mut log = log_of(20);
    let mut replica = met(&mut log);
    tail(&mut replica, &log, 0, 15).unwrap();
    let mut forged = log_of(3);
    grow(&mut forged, 20, 900);
    assert_eq!(code(replica.witness(&forged.checkpoint(15), &Growth::default())), Code::Fork);
    replica.witness(&log.checkpoint(15), &Growth::default()).unwrap();
    // And lines that come after must be those that were cosigned.
    let step = replica.witness(&forged.checkpoint(20), &Growth::default()).unwrap();
    replica.keep_witnessed(&step);
    assert_eq!(code(tail(&mut replica, &log, 15, 22)), Code::Fork);
}

#[test]
fn a_key_follows_a_key_and_a_stranger_does_not() {
    let mut log = log_of(5);
    let mut replica = met(&mut log);
    log.new_key(2, true);
    let size = log.size();
    tail(&mut replica, &log, 0, size).unwrap();
    block(&mut replica, &mut log, 1, size, None).unwrap();
    assert_eq!(replica.keys().all().len(), 2);
    log.new_key(3, false);
    let size = log.size();
    tail(&mut replica, &log, size - 1, size).unwrap();
    assert_eq!(code(block(&mut replica, &mut log, 2, size, None)), Code::Unsigned);
}

#[test]
fn a_replica_that_was_away_takes_an_older_parent_and_a_base_that_begins_late() {
    let mut log = log_of(40);
    let mut replica = met(&mut log);
    block(&mut replica, &mut log, 1, 10, None).unwrap();
    block(&mut replica, &mut log, 2, 20, Some((1, 10))).unwrap();
    // Verified lines come again on the way from the older parent, and are compared.
    block(&mut replica, &mut log, 5, 30, Some((1, 10))).unwrap();
    assert_eq!(code(block(&mut replica, &mut log, 6, 35, Some((4, 28)))), Code::NoParent);
    assert_eq!(code(block(&mut replica, &mut log, 4, 34, Some((5, 30)))), Code::Fork);
    replica.forget_block(1);
    replica.forget_block(5);
    assert_eq!(replica.told().iter().map(|b| b.number).collect::<Vec<_>>(), [2, 5]);

    // A new replica of a log whose first 16 lines were given up: the root holds the frontier.
    let mut fresh = met(&mut log);
    let frontier = log.frontier_at(16).frontier().to_vec();
    let mut begin = begin(&mut log, 9, 42, None, 0);
    begin.start = Start::Base { size: 16, leaf: log.place(16).leaf, frontier: frontier.clone() };
    assert_eq!(offer(&mut fresh, &log, &begin, &log.raw(16, 42)).unwrap(), 42);
    let mut forged = frontier;
    forged[0].0[0] ^= 1;
    begin.start = Start::Base { size: 16, leaf: log.place(16).leaf, frontier: forged };
    let mut fresh = met(&mut log);
    assert_eq!(code(offer(&mut fresh, &log, &begin, &log.raw(16, 42))), Code::Altered);
}

#[test]
fn a_tail_that_grew_while_a_block_came_is_compared_with_it() {
    let mut log = log_of(30);
    let mut replica = met(&mut log);
    tail(&mut replica, &log, 0, 5).unwrap();
    let begin = begin(&mut log, 1, 25, None, 0);
    let Begun::Check(mut check) = replica.begin_block(&begin).unwrap() else { panic!() };
    check.chunk(check.begin().number, 0, &log.raw(0, 25)).unwrap();
    tail(&mut replica, &log, 5, 12).unwrap();
    let leaf = |seq| log.leaf_at(seq);
    let wrong = replica.end_block((*check).clone(), leaf, |_| Some(Digest([1; 32])));
    assert_eq!(code(wrong), Code::Fork);
    let step = replica.end_block((*check).clone(), leaf, leaf).unwrap();
    tail(&mut replica, &log, 12, 30).unwrap();
    let wrong = replica.end_block(*check, |_| Some(Digest([1; 32])), leaf);
    assert_eq!(code(wrong), Code::Fork);
    assert_eq!(replica.keep_block(step).drop_tail, 25);
    assert_eq!(replica.held(), log.place(30));
}

#[test]
fn what_lies_on_the_disk_is_taken_up_again() {
    let mut log = log_of(30);
    let mut replica = met(&mut log);
    block(&mut replica, &mut log, 1, 10, None).unwrap();
    tail(&mut replica, &log, 10, 20).unwrap();
    let (log_id, keys) = (replica.log(), replica.keys().clone());
    let witnessed = replica.witnessed().cloned();
    let mut again = Accepted::resume(log_id, keys, replica.blocks().to_vec(), witnessed);
    let step = again.tail(u64::MAX, &lines(&log, 10, 20), "").unwrap();
    again.keep_tail(step);
    assert_eq!(again, replica);
}

#[test]
fn a_block_that_a_larger_checkpoint_outran_is_taken_by_proof_and_not_cosigned() {
    let mut log = log_of(40);
    let key = SigningKey::cosigner("replica", [7; 32]).unwrap();
    let mut replica = met(&mut log);
    block(&mut replica, &mut log, 1, 10, None).unwrap();
    let witness = |replica: &mut Accepted, log: &mut MemLog, size| {
        let from = replica.witnessed().unwrap().size;
        let step = replica.witness(&log.checkpoint(size), &log.growth(from, size)).unwrap();
        replica.keep_witnessed(&step);
    };
    let mut announced = begin(&mut log, 2, 20, Some((1, 10)), 10);
    let Begun::Check(mut check) = replica.begin_block(&announced).unwrap() else { panic!() };
    check.chunk(check.begin().number, 0, &log.raw(10, 20)).unwrap();
    // While it comes, a larger checkpoint is cosigned: the proof is not the right one any more.
    witness(&mut replica, &mut log, 30);
    let leaf = |seq| log.leaf_at(seq);
    assert_eq!(code(replica.end_block((*check).clone(), leaf, leaf)), Code::Proof);
    announced.growth = log.growth(20, 30);
    let Begun::Check(mut check) = replica.begin_block(&announced).unwrap() else { panic!() };
    check.chunk(check.begin().number, 0, &log.raw(10, 20)).unwrap();
    let leaf = |seq| log.leaf_at(seq);
    let step = replica.end_block(*check, leaf, leaf).unwrap();
    assert_eq!(step.cosign(&key, 1), None);
    replica.keep_block(step);
    assert_eq!((replica.witnessed().unwrap().size, replica.newest().unwrap().number), (30, 2));
    // An older checkpoint of this history is no divergence; one of another is.
    let growth = log.growth(25, 30);
    assert_eq!(code(replica.witness(&log.checkpoint(25), &growth)), Code::Later);
    assert_eq!(code(replica.witness(&log.checkpoint(20), &Growth::default())), Code::Later);
    let mut other = log_of(3);
    grow(&mut other, 30, 777);
    assert_eq!(code(replica.witness(&other.checkpoint(25), &growth)), Code::Shrunk);
}

#[test]
fn chunks_of_another_place_or_block_are_refused() {
    let mut log = log_of(20);
    let replica = met(&mut log);
    let begin = begin(&mut log, 1, 20, None, 0);
    let Begun::Check(check) = replica.begin_block(&begin).unwrap() else { panic!() };
    let bytes = log.raw(0, 20);
    for (number, offset) in [(1, 1), (2, 0), (1, u64::MAX)] {
        assert_eq!(code((*check).clone().chunk(number, offset, &bytes)), Code::Unexpected);
    }
    let mut check = *check;
    check.chunk(1, 0, &bytes[..100]).unwrap();
    assert_eq!(code(check.clone().chunk(1, 0, &bytes[..100])), Code::Unexpected);
    assert_eq!(code(check.clone().chunk(1, 101, &bytes[101..])), Code::Unexpected);
    assert_eq!(code(check.ended(1, 99)), Code::Altered);
    check.chunk(1, 100, &bytes[100..]).unwrap();
    check.ended(1, bytes.len() as u64).unwrap();
    assert_eq!(code(check.ended(2, bytes.len() as u64)), Code::Altered);
}
