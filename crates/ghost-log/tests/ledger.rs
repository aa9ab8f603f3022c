//! Checkpoints, keys and epochs: what is signed is durable, by whom is told, and nothing is begun
//! twice.

mod common;

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use common::*;
use ghost_event::Priority;
use ghost_event::line::{KeyNote, LineKind, Note, View};
use ghost_log::proof::checkpoint::SignedCheckpoint;
use ghost_log::proof::key::VerifyingKey;
use ghost_log::proof::{self, Tree};
use ghost_log::{CheckpointFound, KeyFound, Log, LogConfig, LogError, Signed};
use ghost_world::{Disk, Fault, File, Locked, RealClock, SimDisk};

fn at(path: &str) -> PathBuf {
    Path::new(DATA).join(path)
}

/// The tree of the first `size` lines that stand on the disk, hashed one by one.
fn plain_root(sim: &SimDisk, size: u64) -> ghost_event::Digest {
    let mut tree = Tree::new();
    all_lines(sim)[..usize::try_from(size).unwrap()].iter().for_each(|l| tree.push(proof::leaf(l)));
    tree.root()
}

/// What a checkpoint says is right, and by a key that the log told.
fn check_signed(sim: &SimDisk, signed: &Signed) {
    let parsed = SignedCheckpoint::parse(signed.note.as_bytes()).unwrap();
    assert_eq!((parsed.checkpoint.size, parsed.checkpoint.root), (signed.size, signed.root));
    assert_eq!(signed.root, plain_root(sim, signed.size));
    let told: Vec<VerifyingKey> = keys_told(sim).iter().map(|n| key_of(n)).collect();
    let key = told.iter().find(|k| k.id == signed.key).expect("the log tells the key");
    assert!(parsed.signed_by(key));
    assert_eq!(parsed.checkpoint.origin, key.name);
}

fn key_of(note: &KeyNote<'_>) -> VerifyingKey {
    VerifyingKey::parse(&note.key).unwrap()
}

fn keys_told(sim: &SimDisk) -> Vec<KeyNote<'static>> {
    let own = |n: KeyNote<'_>| KeyNote {
        key: n.key.into_owned().into(),
        by: n.by.into_owned().into(),
        signature: n.signature.into_owned().into(),
    };
    all_lines(sim)
        .iter()
        .filter_map(|line| match View::parse(line).unwrap().note {
            Some(Note::Key(note)) => Some(own(note)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_checkpoint_signs_exactly_the_durable_lines() {
    let sim = SimDisk::new();
    let (mut log, recovery) = open(&sim, config(4096)).unwrap();
    assert_eq!((recovery.checkpoint, log.signed()), (CheckpointFound::None, None));
    for i in 0..20 {
        fill(&mut log, i * 3, i * 3 + 3).unwrap();
        let signed = if i % 2 == 0 { log.checkpoint() } else { log.checkpoint_before_freeze() };
        let signed = signed.unwrap();
        assert_eq!(
            (signed.size, log.durable(), Some(signed.root)),
            (log.head().seq, log.head(), log.root())
        );
        check_signed(&sim, &signed);
        assert_eq!(sim.bytes(&at("log/checkpoint")).unwrap(), signed.note.as_bytes());
        assert_eq!(log.signed(), Some(&signed));
    }
    assert!(log.origin().starts_with("bridge.example/ghostbridge/abab"));
}

#[test]
fn signing_what_was_signed_writes_nothing() {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(4096)).unwrap();
    fill(&mut log, 0, 3).unwrap();
    let first = log.checkpoint().unwrap();
    let (writes, syncs) = (sim.writes(), sim.syncs());
    assert_eq!(log.checkpoint().unwrap(), first);
    assert_eq!(log.checkpoint_before_freeze().unwrap(), first);
    assert_eq!((sim.writes(), sim.syncs()), (writes, syncs));
}

#[test]
fn before_a_freeze_only_the_lines_are_synced() {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(1 << 20)).unwrap();
    fill(&mut log, 0, 3).unwrap();
    let syncs = sim.syncs();
    log.checkpoint_before_freeze().unwrap();
    assert_eq!(sim.syncs(), syncs + 1);
    fill(&mut log, 3, 6).unwrap();
    log.checkpoint().unwrap();
    assert_eq!(sim.syncs(), syncs + 4, "lines, file, folder");
}

#[test]
fn what_was_signed_outlives_a_power_cut_at_any_sync() {
    let live = |sim: &SimDisk| -> Vec<Signed> {
        let mut all = Vec::new();
        let Ok((mut log, _)) = open(sim, config(4096)) else { return all };
        for i in 0..24 {
            if fill(&mut log, i * 2, i * 2 + 2).is_err() {
                break;
            }
            let signed = if i % 3 == 0 { log.checkpoint() } else { log.checkpoint_before_freeze() };
            match signed {
                Ok(signed) => all.push(signed),
                Err(_) => break,
            }
        }
        all
    };
    let calm = SimDisk::new();
    live(&calm);
    let mut found = std::collections::BTreeSet::new();
    for n in 1..=calm.syncs() {
        let sim = SimDisk::new();
        sim.set(Fault::FreezeAtSync(n));
        let signed = live(&sim);
        for seed in 0..3 {
            let crashed = sim.crash(n * 100 + seed);
            let story = format!("sync {n} seed {seed}");
            let (mut log, recovery) =
                open(&crashed, config(4096)).unwrap_or_else(|e| panic!("{story}: {e}"));
            found
                .insert(format!("{:?}", recovery.checkpoint).split(' ').next().unwrap().to_owned());
            for signed in &signed {
                assert_eq!(signed.root, plain_root(&crashed, signed.size), "{story}");
            }
            fill(&mut log, 0, 2).unwrap();
            let next = log.checkpoint().unwrap();
            check_signed(&crashed, &next);
            assert!(verdict(&crashed).ok(), "{story}: {}", verdict(&crashed));
            assert!(keys_told(&crashed).len() < 2, "{story}: one key");
        }
    }
    for kind in ["None", "Whole", "Torn"] {
        assert!(found.contains(kind), "{kind} in {found:?}");
    }
}

#[test]
fn a_missing_or_torn_checkpoint_is_signed_anew() {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(4096)).unwrap();
    fill(&mut log, 0, 9).unwrap();
    log.checkpoint().unwrap();
    drop(log);
    let whole = sim.bytes(&at("log/checkpoint")).unwrap();
    for end in (0..whole.len()).step_by(17) {
        sim.put(&at("log/checkpoint"), &whole[..end]);
        let (log, recovery) = open(&sim, config(4096)).unwrap();
        assert_eq!(recovery.checkpoint, CheckpointFound::Torn, "{end} bytes");
        check_signed(&sim, log.signed().unwrap());
    }
    // One that a key of ours denies is none either.
    let text = String::from_utf8(whole).unwrap();
    let size = format!("\n{}\n", text.lines().nth(1).unwrap());
    sim.put(&at("log/checkpoint"), text.replacen(&size, "\n5\n", 1).as_bytes());
    assert_eq!(open(&sim, config(4096)).unwrap().1.checkpoint, CheckpointFound::Torn);
    sim.remove(&at("log/checkpoint")).unwrap();
    assert_eq!(open(&sim, config(4096)).unwrap().1.checkpoint, CheckpointFound::Missing);
    let (log, recovery) = open(&sim, config(4096)).unwrap();
    assert!(matches!(recovery.checkpoint, CheckpointFound::Whole { .. }), "{recovery:?}");
    drop(log);
    let other = SimDisk::new();
    let (mut log, _) = open(&other, LogConfig { log_id: [1; 16], ..config(4096) }).unwrap();
    fill(&mut log, 0, 99).unwrap();
    log.checkpoint().unwrap();
    sim.put(&at("log/checkpoint"), &other.bytes(&at("log/checkpoint")).unwrap());
    let (log, recovery) = open(&sim, config(4096)).unwrap();
    assert_eq!(recovery.checkpoint, CheckpointFound::Foreign);
    check_signed(&sim, log.signed().unwrap());
}

#[test]
fn a_log_that_ends_before_its_checkpoint_has_lost_acknowledged_lines() {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(1 << 20)).unwrap();
    fill(&mut log, 0, 9).unwrap();
    let signed = log.checkpoint().unwrap();
    drop(log);
    let lines = all_lines(&sim);
    // The writer's own witness is gone or was put back as well: the checkpoint speaks.
    sim.remove(&at("state/head")).unwrap();
    for torn in [&b""[..], b"{\"half\""] {
        let short = [&lines[..lines.len() - 2].concat(), torn].concat();
        sim.put(&at("log/events.jsonl"), &short);
        let error = open(&sim, config(1 << 20)).map(drop).unwrap_err();
        assert!(
            matches!(error, LogError::BehindCheckpoint { signed: n, .. } if n == signed.size),
            "{error}"
        );
        assert_eq!(sim.bytes(&at("log/events.jsonl")).unwrap(), short, "nothing was changed");
    }
    let accept = LogConfig { accept_loss: true, ..config(1 << 20) };
    let (log, recovery) = open(&sim, accept).unwrap();
    assert_eq!(recovery.checkpoint, CheckpointFound::Lost { size: signed.size });
    assert_eq!(recovery.cut.unwrap().acknowledged_lost, 2);
    check_signed(&sim, log.signed().unwrap());
    drop(log);
    let (_, recovery) = open(&sim, config(1 << 20)).unwrap();
    assert!(matches!(recovery.checkpoint, CheckpointFound::Whole { .. }), "{recovery:?}");
}

#[test]
fn a_log_that_is_not_the_one_that_was_signed_does_not_start() {
    let history = |events: std::ops::Range<u64>| {
        let sim = SimDisk::new();
        let (mut log, _) = open(&sim, config(1 << 20)).unwrap();
        fill(&mut log, events.start, events.end).unwrap();
        log.checkpoint().unwrap();
        sim
    };
    let (sim, other) = (history(0..9), history(5..14));
    sim.put(&at("log/events.jsonl"), &other.bytes(&at("log/events.jsonl")).unwrap());
    sim.put(&at("state/head"), &other.bytes(&at("state/head")).unwrap());
    let error = open(&sim, config(1 << 20)).map(drop).unwrap_err();
    assert!(matches!(error, LogError::NotOfCheckpoint { .. }), "{error}");
    let accept = LogConfig { accept_loss: true, ..config(1 << 20) };
    let (log, recovery) = open(&sim, accept).unwrap();
    assert!(matches!(recovery.checkpoint, CheckpointFound::Lost { .. }));
    check_signed(&sim, log.signed().unwrap());
}

#[test]
fn a_key_is_made_once_and_told_before_it_signs() {
    let sim = SimDisk::new();
    let (log, recovery) = open(&sim, config(4096)).unwrap();
    let key = log.verifying_key().unwrap().clone();
    assert_eq!(recovery.key, KeyFound::Made(key.id));
    assert_eq!(View::parse(&all_lines(&sim)[1]).unwrap().kind, LineKind::Key, "behind the epoch");
    drop(log);
    for _ in 0..3 {
        // Another seed and another name make no other key.
        let other = LogConfig { key_seed: [9; 32], identity: "renamed".into(), ..config(4096) };
        let (log, recovery) = open(&sim, other).unwrap();
        assert_eq!((recovery.key, log.verifying_key()), (KeyFound::Known(key.id), Some(&key)));
    }
    assert_eq!(keys_told(&sim).len(), 1);
    assert_eq!(sim.bytes(&at("state/keys/current")).unwrap(), format!("{}\n", key.id).as_bytes());
    let epochs: Vec<_> = all_lines(&sim)
        .iter()
        .filter_map(|l| match View::parse(l).unwrap().note? {
            Note::Epoch(n) => Some(n.key.into_owned()),
            _ => None,
        })
        .collect();
    assert_eq!(epochs, [String::new(), key.id.to_string(), key.id.to_string(), key.id.to_string()]);
}

#[test]
fn a_seed_of_zeros_makes_no_key_and_signs_nothing() {
    let sim = SimDisk::new();
    let unseeded = || LogConfig { key_seed: [0; 32], ..config(4096) };
    let (mut log, recovery) = open(&sim, unseeded()).unwrap();
    assert!(matches!(recovery.key, KeyFound::None { .. }), "{recovery:?}");
    fill(&mut log, 0, 9).unwrap();
    assert!(matches!(log.checkpoint(), Err(LogError::NoKey { .. })));
    assert!(matches!(log.rotate_key([1; 32]), Err(LogError::NoKey { .. })));
    assert_eq!(log.verifying_key(), None);
    drop(log);
    assert!(sim.bytes(&at("log/checkpoint")).is_none() && keys_told(&sim).is_empty());
    let (mut log, _) = open(&sim, config(4096)).unwrap();
    assert!(matches!(log.rotate_key([0; 32]), Err(LogError::NoSeed)));
    assert!(matches!(log.rotate_key([0x5e; 32]), Err(LogError::NoSeed)), "the key in use");
    check_signed(&sim, &log.checkpoint().unwrap());
}

#[test]
fn a_successor_is_named_by_the_key_before_it() {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(4096)).unwrap();
    let first = log.verifying_key().unwrap().clone();
    let second = log.rotate_key([2; 32]).unwrap();
    check_signed(&sim, &log.checkpoint().unwrap());
    let third = log.rotate_key([3; 32]).unwrap();
    let signed = log.checkpoint().unwrap();
    assert_eq!(signed.key, third.id);
    check_signed(&sim, &signed);
    drop(log);
    let told = keys_told(&sim);
    assert_eq!(
        told.iter().map(|n| key_of(n).id).collect::<Vec<_>>(),
        [first.id, second.id, third.id]
    );
    for (note, (old, new)) in told[1..].iter().zip([(&first, &second), (&second, &third)]) {
        let signature = base64_of(&note.signature);
        assert_eq!(note.by, old.id.to_string());
        assert!(old.has_named(&first.name, new, &signature));
    }
    assert!(told[0].by.is_empty() && told[0].signature.is_empty());
    // The folder may name an older one: the log knows.
    sim.put(&at("state/keys/current"), format!("{}\n", first.id).as_bytes());
    let (log, recovery) = open(&sim, config(4096)).unwrap();
    assert_eq!(recovery.key, KeyFound::Known(third.id));
    assert_eq!(log.origin(), first.name);
    assert_eq!(sim.bytes(&at("state/keys/current")).unwrap(), format!("{}\n", third.id).as_bytes());
}

fn base64_of(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

#[test]
fn a_lost_key_is_replaced_by_one_that_nobody_authorised_and_that_is_told() {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(4096)).unwrap();
    fill(&mut log, 0, 60).unwrap();
    let lost = log.verifying_key().unwrap().clone();
    log.checkpoint().unwrap();
    drop(log);
    sim.remove(&at(&format!("state/keys/{}.key", lost.id))).unwrap();
    let other = LogConfig { key_seed: [8; 32], identity: "renamed".into(), ..config(4096) };
    let (mut log, recovery) = open(&sim, other).unwrap();
    let new = log.verifying_key().unwrap().clone();
    assert_eq!(recovery.key, KeyFound::Replaced { lost: lost.id, new: new.id });
    let words = recovery.told().join("; ");
    assert!(words.contains(&format!("the key {} that signed", lost.id)), "{words}");
    assert_eq!(new.name, lost.name, "the origin stays");
    let told = keys_told(&sim);
    assert!(told[1].by.is_empty() && key_of(&told[1]) == new);
    check_signed(&sim, &log.checkpoint().unwrap());
    drop(log);
    // While it is away and none can be made, the log goes on naming it; put back, it signs again.
    let sim = made(10);
    let key = sim.bytes(&at(&format!("state/keys/{}.key", lost.id))).unwrap();
    sim.remove(&at(&format!("state/keys/{}.key", lost.id))).unwrap();
    let (log, recovery) = open(&sim, LogConfig { key_seed: [0; 32], ..config(4096) }).unwrap();
    assert!(matches!(recovery.key, KeyFound::None { .. }));
    drop(log);
    sim.put(&at(&format!("state/keys/{}.key", lost.id)), &key);
    let (_, recovery) = open(&sim, LogConfig { key_seed: [0; 32], ..config(4096) }).unwrap();
    assert_eq!(recovery.key, KeyFound::Known(lost.id));
    assert_eq!(recovery.told(), [""; 0]);
    assert_eq!(keys_told(&sim).len(), 1);
}

#[test]
fn a_power_cut_in_a_rotation_leaves_a_key_that_the_log_tells() {
    let live = |sim: &SimDisk| {
        let Ok((mut log, _)) = open(sim, config(4096)) else { return };
        for n in 1..6 {
            if log.rotate_key([n; 32]).is_err() || log.checkpoint().is_err() {
                break;
            }
        }
    };
    let calm = SimDisk::new();
    live(&calm);
    for n in 1..=calm.syncs() {
        let sim = SimDisk::new();
        sim.set(Fault::FreezeAtSync(n));
        live(&sim);
        for seed in 0..4 {
            let crashed = sim.crash(n * 10 + seed);
            let (mut log, recovery) = open(&crashed, config(4096)).unwrap();
            let made = matches!(recovery.key, KeyFound::Made(_) | KeyFound::Known(_));
            assert!(made, "sync {n} seed {seed}: {recovery:?}");
            check_signed(&crashed, &log.checkpoint().unwrap());
            let told = keys_told(&crashed);
            assert!(told[1..].iter().all(|note| !note.by.is_empty()), "sync {n} seed {seed}");
        }
    }
}

#[test]
fn keys_lie_where_their_owner_alone_may_read() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, _) = Log::open(dir.path(), config(4096), Arc::new(RealClock)).unwrap();
    log.rotate_key([7; 32]).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let folder = dir.path().join("state/keys");
    assert_eq!(mode(&folder), 0o700);
    let names: Vec<_> = std::fs::read_dir(&folder).unwrap().flatten().map(|e| e.path()).collect();
    assert_eq!(names.len(), 3, "two keys and which is in use: {names:?}");
    for path in names {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    let debug = format!("{log:?} {:?}", config(4096));
    assert!(!debug.contains("94, 94") && !debug.contains("PRIVATE"), "no secret is printed");
}

#[test]
fn an_epoch_is_begun_once_whatever_is_put_back() {
    let sim = made(10);
    let old: Vec<(PathBuf, Vec<u8>)> =
        files(&sim).into_iter().map(|f| (f.clone(), sim.bytes(&f).unwrap())).collect();
    let (log, recovery) = open(&sim, config(4096)).unwrap();
    assert_eq!((recovery.epoch, log.epoch()), (2, 2));
    drop(log);
    // The log of before that start is put back: its second epoch was begun already.
    for (path, bytes) in old {
        sim.put(&path, &bytes);
    }
    sim.remove(&at("state/head")).unwrap();
    sim.remove(&at("log/checkpoint")).unwrap();
    let (_, recovery) = open(&sim, config(4096)).unwrap();
    assert_eq!(recovery.epoch, 3);
    // Without what stands beside it, the log's own epochs count.
    sim.remove(&at("state/epoch")).unwrap();
    assert_eq!(open(&sim, config(4096)).unwrap().1.epoch, 4);
    assert!(verdict(&sim).ok());
}

#[test]
fn an_epoch_is_begun_once_whenever_the_power_goes() {
    let calm = SimDisk::new();
    let start = |sim: &SimDisk| open(sim, config(4096)).map(|(log, _)| log.epoch()).ok();
    start(&calm);
    let mut lost = 0;
    for (n, seed) in (1..=calm.syncs()).flat_map(|n| (0..8).map(move |seed| (n, 100 * seed + n))) {
        let mut sim = SimDisk::new();
        let mut begun = std::collections::BTreeSet::new();
        for round in 0..5 {
            let before = epochs(&sim);
            if round < 4 {
                sim.set(Fault::FreezeAtSync(n));
            }
            let _ = start(&sim);
            // What the writer would have shown to others before the power went.
            for epoch in epochs(&sim).into_iter().filter(|epoch| !before.contains(epoch)) {
                assert!(begun.insert(epoch), "epoch {epoch} is begun again, sync {n}");
            }
            sim = sim.crash(seed + round);
            lost += u64::from(begun.len() > epochs(&sim).len());
        }
        assert!(!begun.is_empty());
    }
    assert!(lost > 0, "some epochs were begun and lost");
}

/// Lines as a running machine saw them, also of a disk whose power went.
fn epochs(sim: &SimDisk) -> Vec<u64> {
    let bytes = sim.bytes(&at("log/events.jsonl")).unwrap_or_default();
    lines(&bytes).iter().filter_map(|line| epoch_of(line)).collect()
}

fn epoch_of(line: &[u8]) -> Option<u64> {
    match View::parse(line).ok()?.note? {
        Note::Epoch(note) => Some(note.epoch),
        _ => None,
    }
}

#[test]
fn a_full_disk_holds_up_signing_and_no_line() {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(1 << 20)).unwrap();
    fill(&mut log, 0, 5).unwrap();
    let before = log.checkpoint().unwrap();
    let used: u64 = ["log/events.jsonl", "state/head", "state/epoch", "log/checkpoint"]
        .iter()
        .map(|f| sim.bytes(&at(f)).map_or(0, |b| b.len() as u64))
        .sum();
    // Room for lines and not for the file beside: what stands there stays whole.
    let mut held_up = 0;
    for room in (0..2400).step_by(150) {
        sim.set(Fault::Capacity(used + room));
        let _ = log.append(Priority::Low, None, &event(0));
        match log.checkpoint() {
            Ok(signed) => check_signed(&sim, &signed),
            Err(LogError::NoSpace { .. }) => held_up += 1,
            Err(e) => panic!("{room}: {e}"),
        }
        let there = sim.bytes(&at("log/checkpoint")).unwrap();
        assert_eq!(there, log.signed().unwrap_or(&before).note.as_bytes());
        assert!(sim.bytes(&at("log/checkpoint.new")).is_none());
        sim.heal();
    }
    assert!(held_up > 0);
    let error = {
        sim.set(Fault::Capacity(0));
        let _ = log.append(Priority::Low, None, &event(1));
        log.checkpoint().unwrap_err()
    };
    assert!(matches!(error, LogError::NoSpace { .. }), "{error}");
    log.append(Priority::Low, None, &event(2)).unwrap();
    sim.heal();
    check_signed(&sim, &log.checkpoint().unwrap());
    assert!(verdict(&sim).ok());
}

/// A disk that has room for everything but what its owner alone may read.
#[derive(Debug)]
struct NoRoomForKeys(SimDisk, AtomicBool);

impl Disk for NoRoomForKeys {
    fn create_secret(&self, path: &Path) -> io::Result<Box<dyn File>> {
        if self.1.load(Relaxed) {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            self.0.create(path)
        }
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.0.create(path)
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.0.open(path)
    }
    fn open_read(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.0.open_read(path)
    }
    fn create_dirs(&self, path: &Path) -> io::Result<()> {
        self.0.create_dirs(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.0.list(dir)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }
    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        self.0.remove_tree(path)
    }
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.hard_link(from, to)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.sync_dir(dir)
    }
    fn link(&self, target: &Path, at: &Path) -> io::Result<()> {
        self.0.link(target, at)
    }
    fn lock(&self, path: &Path, holder: &str) -> io::Result<Locked> {
        self.0.lock(path, holder)
    }
}

#[test]
fn a_start_without_room_for_a_key_makes_it_when_there_is() {
    let sim = SimDisk::new();
    let disk = Arc::new(NoRoomForKeys(sim.clone(), AtomicBool::new(true)));
    let (mut log, recovery) =
        Log::open_on(disk.clone(), Path::new(DATA), config(4096), clock()).unwrap();
    let KeyFound::None { cause } = recovery.key else { panic!("{recovery:?}") };
    assert!(cause.contains("no room"), "{cause}");
    fill(&mut log, 0, 30).unwrap();
    assert!(matches!(log.checkpoint(), Err(LogError::NoSpace { .. })));
    fill(&mut log, 30, 40).unwrap();
    disk.1.store(false, Relaxed);
    check_signed(&sim, &log.checkpoint().unwrap());
    drop(log);
    let (log, recovery) = open(&sim, config(4096)).unwrap();
    assert!(matches!(recovery.key, KeyFound::Known(_)), "{recovery:?}");
    assert_eq!(log.verifying_key(), Some(&key_of(&keys_told(&sim)[0])));
    assert_eq!(events_in(&all_lines(&sim)).len(), 40);
}

#[test]
fn after_a_failed_write_of_a_checkpoint_the_log_must_be_opened_anew() {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(1 << 20)).unwrap();
    fill(&mut log, 0, 5).unwrap();
    log.sync().unwrap();
    sim.set(Fault::FailSync(sim.syncs() + 1));
    let error = log.checkpoint().unwrap_err();
    assert!(matches!(error, LogError::Refused { .. }), "{error}");
    assert!(matches!(log.append(Priority::Low, None, &event(1)), Err(LogError::Refused { .. })));
    assert!(matches!(log.checkpoint(), Err(LogError::Refused { .. })));
    drop(log);
    let (mut log, _) = open(&sim, config(1 << 20)).unwrap();
    check_signed(&sim, &log.checkpoint().unwrap());
}

#[test]
fn arbitrary_bytes_beside_a_log_never_panic() {
    bolero::check!().with_iterations(200).with_type::<(u8, Vec<u8>)>().for_each(
        |(which, bytes)| {
            let sim = made(20);
            let names = [
                "log/checkpoint",
                "log/tile/edge",
                "log/tile/1/000",
                "state/epoch",
                "state/elements",
                "state/keys/current",
                "state/keys/deadbeef.key",
            ];
            sim.put(&at(names[usize::from(*which) % names.len()]), bytes);
            let (mut log, _) = open(&sim, config(4096)).unwrap();
            fill(&mut log, 0, 3).unwrap();
            check_signed(&sim, &log.checkpoint().unwrap());
            assert!(verdict(&sim).ok());
        },
    );
}
