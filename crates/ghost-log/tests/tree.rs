//! The tree on the disk is the tree of the lines, also where the lines are gone.

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bolero::TypeGenerator;
use common::*;
use ghost_event::line::{LineKind, Note, View};
use ghost_event::{Digest, Priority};
use ghost_log::proof::checkpoint::SignedCheckpoint;
use ghost_log::proof::tile::TileAt;
use ghost_log::proof::{
    self, Nodes, Tree, check_consistency, check_inclusion, consistency, inclusion,
};
use ghost_log::{CheckpointFound, Layout, Log, LogConfig, LogError, TreeReader};
use ghost_world::{Disk as _, Fault, RealClock, RealDisk, SimDisk};

/// Every leaf that the log ever had, by the plain way; its nodes by the definition.
#[derive(Debug, Default, Clone)]
struct Plain(Vec<Digest>);

impl Plain {
    fn root(&self, size: u64) -> Digest {
        let mut tree = Tree::new();
        self.0[..usize::try_from(size).unwrap()].iter().for_each(|leaf| tree.push(*leaf));
        tree.root()
    }

    /// Takes in the lines that came since.
    fn follow(&mut self, sim: &SimDisk) {
        for line in all_lines(sim) {
            if seq_of(&line) == self.0.len() as u64 + 1 {
                self.0.push(proof::leaf(&line));
            }
        }
    }
}

impl Nodes for Plain {
    type Error = std::convert::Infallible;
    fn node(&mut self, level: u32, index: u64) -> Result<Digest, Self::Error> {
        let (from, to) = (index << level, (index + 1) << level);
        let mut tree = Tree::new();
        self.0[usize::try_from(from).unwrap()..usize::try_from(to).unwrap()]
            .iter()
            .for_each(|leaf| tree.push(*leaf));
        Ok(tree.root())
    }
}

fn reader(sim: &SimDisk) -> TreeReader {
    TreeReader::open(disk_of(sim), Layout::new(Path::new(DATA))).unwrap()
}

/// What is promised can be proven: kept lines; and of old sizes the multiples of 256, and those from
/// the oldest kept line's group on.
fn check_proofs(sim: &SimDisk, plain: &mut Plain, sizes: &[u64]) {
    let mut reader = reader(sim);
    let (first, last) = (reader.first(), reader.size().unwrap());
    assert_eq!(last, plain.0.len() as u64);
    let root = plain.root(last);
    assert_eq!(proof::root(&mut reader, last).unwrap(), root);
    for seq in [first, first + 1, (first + last) / 2, last.saturating_sub(1), last] {
        if seq < first || seq > last {
            continue;
        }
        let path = inclusion(&mut reader, seq - 1, last).unwrap();
        let leaf = plain.0[usize::try_from(seq - 1).unwrap()];
        assert_eq!(reader.leaf(seq - 1).unwrap(), leaf);
        check_inclusion(seq - 1, last, &leaf, &path, &root).unwrap();
        let Ok(same) = inclusion(plain, seq - 1, last);
        assert_eq!(path, same);
    }
    let provable =
        |old: &u64| *old <= last && (old.is_multiple_of(256) || *old / 256 >= (first - 1) / 256);
    for old in sizes.iter().copied().filter(provable) {
        let path = consistency(&mut reader, old, last).unwrap();
        check_consistency(old, &plain.root(old), last, &root, &path).unwrap();
        assert_eq!(proof::root(&mut reader, old).unwrap(), plain.root(old), "size {old}");
    }
}

#[test]
fn every_size_of_a_short_log_has_the_root_of_its_lines() {
    let sim = made(400);
    let mut plain = Plain::default();
    plain.follow(&sim);
    let mut reader = reader(&sim);
    let last = reader.size().unwrap();
    assert!(last > 600, "{last} lines");
    for size in 0..=last {
        assert_eq!(proof::root(&mut reader, size).unwrap(), plain.root(size), "size {size}");
    }
    for index in 0..last {
        assert_eq!(reader.leaf(index).unwrap(), plain.0[usize::try_from(index).unwrap()]);
    }
    assert!(matches!(reader.leaf(last), Err(LogError::Beyond { .. })));
    assert!(matches!(reader.node(63, 1), Err(LogError::Beyond { .. })));
    assert!(matches!(reader.node(64, 0), Err(LogError::Beyond { .. })));
}

#[test]
fn a_reader_of_the_tree_follows_a_log_that_grows_and_retires() {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(4096)).unwrap();
    let mut follow = reader(&sim);
    let mut plain = Plain::default();
    for i in 0..80 {
        fill(&mut log, i * 10, i * 10 + 10).unwrap();
        log.write().unwrap();
        plain.follow(&sim);
        let size = log.size();
        assert_eq!(log.root(), Some(plain.root(size)));
        assert_eq!(follow.size().unwrap(), size);
        assert_eq!(proof::root(&mut follow, size).unwrap(), plain.root(size));
        if i % 9 == 8 {
            let old = log.segments();
            log.retire(old[old.len() / 2].last).unwrap();
            plain.follow(&sim);
            assert_eq!(proof::root(&mut follow, log.size()).unwrap(), plain.root(log.size()));
        }
    }
    check_proofs(&sim, &mut plain, &[1, 100, 256, 512, 800, 900, 1000]);
}

#[test]
fn a_blocks_own_layout_is_read_as_well() {
    let sim = made(300);
    let mut plain = Plain::default();
    plain.follow(&sim);
    let block = SimDisk::new();
    for file in files(&sim) {
        let inside = file.strip_prefix(Path::new(DATA).join("log")).unwrap();
        block.put(&Path::new("/blocks/b1").join(inside), &sim.bytes(&file).unwrap());
    }
    let layout = Layout::of_block(Path::new("/blocks/b1"));
    let mut reader = TreeReader::open(disk_of(&block), layout).unwrap();
    let size = reader.size().unwrap();
    assert_eq!(proof::root(&mut reader, size).unwrap(), plain.root(size));
}

/// Short lines in bulk, until there are `lines` of them.
fn short(log: &mut Log, lines: u64) {
    log.set_bulk(true).unwrap();
    while log.size() < lines {
        log.append(Priority::Low, None, b"{\"event_type\":\"x\",\"ghost\":{\"v\":1").unwrap();
    }
    log.set_bulk(false).unwrap();
}

fn tile(index: u64) -> std::path::PathBuf {
    Layout::new(Path::new(DATA)).tile(TileAt { level: 1, index })
}

#[test]
fn full_tiles_stand_for_lines_that_are_gone() {
    let sim = SimDisk::new();
    let big = || config(1 << 20);
    let (mut log, _) = open(&sim, big()).unwrap();
    let mut plain = Plain::default();
    short(&mut log, 65_536 + 20_000);
    plain.follow(&sim);
    assert!(sim.bytes(&tile(0)).is_some(), "put when its segment ended");
    let oldest = log.segments()[3].last;
    log.retire(oldest).unwrap();
    plain.follow(&sim);
    check_proofs(&sim, &mut plain, &[65_536, 65_537, 70_000]);
    // Behind the only tile as well: then the edge stands for groups.
    let sealed = log.segments();
    let behind = sealed.iter().find(|s| s.first > 65_536 + 600).unwrap().first - 1;
    log.retire(behind).unwrap();
    plain.follow(&sim);
    check_proofs(&sim, &mut plain, &[behind, behind + 1, behind + 300]);
    drop(log);
    let (mut log, recovery) = open(&sim, big()).unwrap();
    assert_eq!((recovery.tiles_made, recovery.retired), (0, 0));
    plain.follow(&sim);
    assert_eq!(log.root(), Some(plain.root(log.size())));
    // Over the next full tile, whose groups came from edge and lines.
    short(&mut log, 2 * 65_536 + 10);
    let signed = log.checkpoint().unwrap();
    plain.follow(&sim);
    assert_eq!(signed.root, plain.root(signed.size));
    let mut tiled = Vec::new();
    for group in 256..512 {
        let Ok(node) = plain.node(8, group);
        tiled.extend_from_slice(&node.0);
    }
    assert_eq!(sim.crash(1).bytes(&tile(1)).unwrap(), tiled);
    check_proofs(&sim, &mut plain, &[256, 512, 65_280, 65_792, behind, 100_000, 131_072, 131_073]);
    drop(log);

    // A tile whose lines are gone is nowhere else: without it the log goes on, unsigned, and says so.
    let kept = sim.bytes(&tile(0)).unwrap();
    sim.remove(&tile(0)).unwrap();
    let (mut log, _) = open(&sim, big()).unwrap();
    fill(&mut log, 0, 5).unwrap();
    assert_eq!(log.root(), None);
    assert!(matches!(log.checkpoint(), Err(LogError::NoTree)));
    drop(log);
    sim.put(&tile(0), &kept);
    let (mut log, _) = open(&sim, big()).unwrap();
    plain.follow(&sim);
    assert_eq!(log.checkpoint().unwrap().root, plain.root(log.size()));
}

#[test]
fn tiles_that_are_missing_or_wrong_are_made_again_from_lines() {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(1 << 20)).unwrap();
    short(&mut log, 2 * 65_536 + 400);
    log.checkpoint().unwrap();
    drop(log);
    let whole = [0, 1].map(|index| sim.bytes(&tile(index)).unwrap());
    sim.remove(&tile(1)).unwrap();
    let (_, recovery) = open(&sim, config(1 << 20)).unwrap();
    assert_eq!(recovery.tiles_made, 1);
    let mut bytes = whole[0].clone();
    bytes[77] ^= 1;
    sim.put(&tile(0), &bytes);
    let (mut log, recovery) = open(&sim, config(1 << 20)).unwrap();
    assert_eq!(recovery.tiles_made, 2);
    assert!(matches!(recovery.checkpoint, CheckpointFound::Whole { .. }));
    for (index, whole) in (0..).zip(&whole) {
        assert_eq!(&sim.bytes(&tile(index)).unwrap(), whole);
    }
    let mut plain = Plain::default();
    log.sync().unwrap();
    plain.follow(&sim);
    assert_eq!(log.checkpoint().unwrap().root, plain.root(log.size()));
    drop(log);
    // Lines that are gone with the operator's word take their tiles with them.
    let lines = all_lines(&sim);
    for file in files(&sim) {
        sim.put(&file, b"");
    }
    let dir = Path::new(DATA).join("log/segments");
    for name in sim.list(&dir).unwrap() {
        sim.remove(&dir.join(name)).unwrap();
    }
    sim.put(&Path::new(DATA).join("log/events.jsonl"), &lines[..70_000].concat());
    let accept = LogConfig { accept_loss: true, ..config(64 << 20) };
    let (mut log, _) = open(&sim, accept).unwrap();
    assert!(sim.bytes(&tile(0)).is_some() && sim.bytes(&tile(1)).is_none());
    let mut plain = Plain::default();
    plain.follow(&sim);
    assert_eq!(log.checkpoint().unwrap().root, plain.root(log.size()));
}

#[test]
fn segments_that_somebody_deleted_leave_a_log_that_is_chained_and_not_signed() {
    let sim = made(200);
    let old = files(&sim);
    for file in &old[..3] {
        sim.remove(file).unwrap();
    }
    let (mut log, _) = open(&sim, config(4096)).unwrap();
    fill(&mut log, 0, 20).unwrap();
    assert_eq!(log.root(), None);
    let error = log.checkpoint().unwrap_err();
    assert!(matches!(error, LogError::NoTree), "{error}");
    let upto = log.segments()[1].last;
    assert_eq!(log.retire(upto).unwrap().segments, 2);
    log.sync().unwrap();
    assert!(verdict(&sim).ok());
}

#[test]
fn retirement_removes_whole_old_segments_and_tells_of_it() {
    let sim = made(200);
    let (mut log, _) = open(&sim, config(4096)).unwrap();
    let all = log.segments();
    assert_eq!(all[0].first, 1);
    for pair in all.windows(2) {
        assert_eq!(pair[0].last + 1, pair[1].first);
        assert_eq!(pair[0].bytes, sim.bytes(&pair[0].path).unwrap().len() as u64);
    }
    assert_eq!(log.retire(0).unwrap().segments, 0);
    assert_eq!(log.retire(all[0].last - 1).unwrap().segments, 0, "it is needed to its last line");
    let retired = log.retire(all[2].last + 1).unwrap();
    assert_eq!((retired.segments, retired.bytes), (3, all[..3].iter().map(|s| s.bytes).sum()));
    assert_eq!(log.segments()[0], all[3]);
    let told: Vec<_> = all_lines(&sim)
        .iter()
        .filter_map(|line| match View::parse(line).unwrap() {
            View { kind: LineKind::Retired, note: Some(Note::Retired(note)), .. } => Some(note),
            _ => None,
        })
        .collect();
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].first_seq, told[0].segments, told[0].bytes),
        (all[3].first, 3, retired.bytes)
    );
    // All that is sealed may go; the active one stays.
    log.retire(u64::MAX).unwrap();
    assert!(log.segments().is_empty());
    fill(&mut log, 200, 300).unwrap();
    log.sync().unwrap();
    assert!(verdict(&sim).ok());
}

#[test]
fn a_power_cut_at_any_sync_of_a_retirement_loses_no_proof() {
    let before = |sim: &SimDisk| {
        let (mut log, _) = open(sim, config(4096)).unwrap();
        fill(&mut log, 0, 330).unwrap();
        log.checkpoint().unwrap();
        log
    };
    let live = |log: &mut Log| {
        for i in 0..3 {
            let upto = log.segments().get(5).map_or(0, |s| s.last);
            if log.retire(upto).is_err() || fill(log, 400 + i * 10, 410 + i * 10).is_err() {
                return;
            }
            let _ = log.write();
        }
    };
    let calm = SimDisk::new();
    let mut log = before(&calm);
    let start = calm.syncs();
    live(&mut log);
    let end = calm.syncs();
    drop(log);
    let mut finished = 0;
    for n in start + 1..=end {
        for seed in 0..4 {
            let sim = SimDisk::new();
            let mut log = before(&sim);
            let mut plain = Plain::default();
            sim.set(Fault::FreezeAtSync(n));
            live(&mut log);
            drop(log);
            let crashed = sim.crash(n * 10 + seed);
            let story = format!("sync {n} seed {seed}");
            // What every line was before any went: nothing in the history is by chance.
            let same = SimDisk::new();
            drop(before(&same));
            plain.follow(&same);
            let (mut log, recovery) =
                open(&crashed, config(4096)).unwrap_or_else(|e| panic!("{story}: {e}"));
            finished += recovery.retired;
            fill(&mut log, 500, 510).unwrap();
            let signed = log.checkpoint().unwrap_or_else(|e| panic!("{story}: {e}"));
            let first = log.segments().first().map_or(log.segment(), |s| s.first);
            // A retirement is told by a line, once, and nothing before it is left.
            let told: Vec<u64> = all_lines(&crashed)
                .iter()
                .filter_map(|line| match View::parse(line).unwrap().note {
                    Some(Note::Retired(note)) => Some(note.first_seq),
                    _ => None,
                })
                .collect();
            assert_eq!(told.last().copied().unwrap_or(1), first, "{story}: {told:?}");
            for line in all_lines(&crashed) {
                let at = usize::try_from(seq_of(&line) - 1).unwrap();
                if plain.0.len() <= at {
                    plain.0.resize(at + 1, Digest::ZERO);
                }
                plain.0[at] = proof::leaf(&line);
            }
            assert_eq!(signed.root, plain.root(signed.size), "{story}");
            check_proofs(&crashed, &mut plain, &[256, first - 1, first, first + 100]);
            assert!(verdict(&crashed).ok(), "{story}: {}", verdict(&crashed));
        }
    }
    assert!(finished > 0, "some starts had a retirement to finish");
}

#[test]
fn on_a_full_disk_retirement_makes_the_room_that_it_needs() {
    let sim = made(200);
    let (mut log, _) = open(&sim, config(4096)).unwrap();
    let used = |sim: &SimDisk| -> u64 {
        let beside = [
            "state/head",
            "state/epoch",
            "state/imports.jsonl",
            "state/elements",
            "state/keys/current",
        ];
        let keys = sim.list(&Path::new(DATA).join("state/keys")).unwrap();
        let all = files(sim).into_iter().chain(beside.iter().map(|f| Path::new(DATA).join(f)));
        let all = all.chain(
            keys.iter()
                .filter(|k| k.ends_with(".key"))
                .map(|k| Path::new(DATA).join("state/keys").join(k)),
        );
        all.chain([Path::new(DATA).join("log/checkpoint"), Path::new(DATA).join("log/tile/edge")])
            .map(|f| sim.bytes(&f).map_or(0, |b| b.len() as u64))
            .sum()
    };
    // Room for the edge, and for no more lines.
    sim.set(Fault::Capacity(used(&sim) + 30_000));
    let mut i = 200;
    while log.waiting_bytes() == 0 {
        log.append(Priority::Low, None, &event(i)).unwrap();
        let _ = log.sync();
        i += 1;
    }
    sim.heal();
    sim.set(Fault::Capacity(used(&sim) + 26_000));
    let upto = log.segments()[8].last;
    let retired = log.retire(upto).unwrap();
    assert_eq!(retired.segments, 9);
    log.sync().unwrap();
    assert_eq!(log.waiting_bytes(), 0);
    sim.heal();
    drop(log);
    let (mut log, _) = open(&sim, config(4096)).unwrap();
    assert!(log.root().is_some());
    log.checkpoint().unwrap();
    assert!(verdict(&sim).ok());
}

#[test]
fn on_a_full_disk_something_durable_is_left() {
    let sim = made(60);
    let (mut log, _) = open(&sim, config(4096)).unwrap();
    log.rotate().unwrap();
    // The new segment's first line waits for room: nothing would be left of the log without it.
    sim.set(Fault::Capacity(0));
    let sealed = log.segments();
    let _ = log.append(Priority::Low, None, &event(60));
    assert!(log.sync().is_err());
    let _ = log.retire(u64::MAX);
    assert_eq!(log.segments().last(), sealed.last());
    drop(log);
    let crashed = sim.crash(3);
    let (mut log, recovery) = open(&crashed, config(4096)).unwrap();
    assert!(recovery.head.seq >= sealed.last().unwrap().last && recovery.epoch > 2);
    log.checkpoint().unwrap();
    assert!(verdict(&crashed).ok());
}

#[test]
fn what_was_signed_is_found_again_while_the_log_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, _) = Log::open(dir.path(), config(4096), Arc::new(RealClock)).unwrap();
    log.checkpoint().unwrap();
    let done = AtomicBool::new(false);
    let (compared, gone) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let layout = Layout::new(dir.path());
            let mut kept = TreeReader::open(Arc::new(RealDisk), layout.clone()).unwrap();
            let (mut compared, mut gone) = (0, 0);
            while !done.load(Ordering::Relaxed) || compared == 0 {
                let note = std::fs::read(layout.checkpoint()).unwrap();
                let signed = SignedCheckpoint::parse(&note).unwrap().checkpoint;
                let mut fresh = TreeReader::open(Arc::new(RealDisk), layout.clone()).unwrap();
                for tree in [&mut kept, &mut fresh] {
                    match proof::root(tree, signed.size) {
                        Ok(root) => {
                            assert_eq!(root, signed.root, "size {}", signed.size);
                            compared += 1;
                        }
                        // Segments went between its look and its reading.
                        Err(LogError::Gone { .. }) => gone += 1,
                        Err(e) => panic!("size {}: {e}", signed.size),
                    }
                }
            }
            (compared, gone)
        });
        for i in 0..150 {
            fill(&mut log, i * 9, i * 9 + 9).unwrap();
            log.checkpoint_before_freeze().unwrap();
            if i % 10 == 9 {
                let old = log.segments();
                log.retire(old[old.len() / 2].last).unwrap();
            }
        }
        log.checkpoint().unwrap();
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    assert!(compared > gone, "{compared} compared, {gone} gone meanwhile");
}

#[derive(Debug, Clone, Copy, TypeGenerator)]
enum Step {
    Append(u8),
    Sync,
    Write,
    Rotate,
    Sign,
    SignBeforeFreeze,
    Retire(u8),
    Reopen,
    Crash(u8),
    RotateKey(u8),
}

#[test]
fn any_history_has_the_tree_of_its_lines() {
    bolero::check!().with_iterations(60).with_type::<Vec<Step>>().for_each(|steps| {
        let mut sim = SimDisk::new();
        let small = || config(1500);
        let mut log = Some(open(&sim, small()).unwrap().0);
        let mut plain = Plain::default();
        let mut signed: Vec<(u64, Digest)> = Vec::new();
        let mut events = 0;
        for step in steps.iter().take(40) {
            let open_log = log.as_mut().unwrap();
            match step {
                Step::Append(n) => {
                    let n = u64::from(n % 50);
                    fill(open_log, events, events + n).unwrap();
                    events += n;
                }
                Step::Sync => open_log.sync().unwrap(),
                Step::Write => open_log.write().unwrap(),
                Step::Rotate => open_log.rotate().unwrap(),
                Step::Sign | Step::SignBeforeFreeze => {
                    let new = match step {
                        Step::Sign => open_log.checkpoint().unwrap(),
                        _ => open_log.checkpoint_before_freeze().unwrap(),
                    };
                    signed.push((new.size, new.root));
                }
                Step::Retire(n) => {
                    open_log.write().unwrap();
                    plain.follow(&sim);
                    let all = open_log.segments();
                    let upto = all.get(usize::from(*n) % 8).map_or(0, |s| s.last);
                    let first = all.first().map_or(open_log.segment(), |s| s.first);
                    open_log.retire(upto).unwrap();
                    let now = open_log.segments().first().map_or(open_log.segment(), |s| s.first);
                    assert!(now >= first && now <= upto.max(first) + 1);
                }
                Step::RotateKey(n) => drop(open_log.rotate_key([n.wrapping_add(1); 32])),
                Step::Reopen | Step::Crash(_) => {
                    if let Step::Crash(seed) = step {
                        sim = sim.crash(u64::from(*seed));
                    }
                    drop(log.take());
                    let opened = open(&sim, small()).unwrap().0;
                    // Lines that were not durable may be gone, and others stand in their place.
                    let whole = all_lines(&sim);
                    let first = seq_of(&whole[0]);
                    plain.0.truncate(usize::try_from(first - 1).unwrap());
                    log = Some(opened);
                }
            }
            let open_log = log.as_mut().unwrap();
            open_log.write().unwrap();
            plain.follow(&sim);
            assert_eq!(open_log.size(), plain.0.len() as u64);
            assert_eq!(open_log.root(), Some(plain.root(open_log.size())), "{step:?}");
        }
        let last = log.as_mut().unwrap().checkpoint().unwrap();
        signed.push((last.size, last.root));
        plain.follow(&sim);
        for (size, root) in &signed {
            assert_eq!(*root, plain.root(*size), "what was signed stays");
        }
        let sizes: Vec<u64> = signed.iter().map(|(size, _)| *size).collect();
        check_proofs(&sim, &mut plain, &sizes);
        assert!(verdict(&sim).ok(), "{}", verdict(&sim));
    });
}
