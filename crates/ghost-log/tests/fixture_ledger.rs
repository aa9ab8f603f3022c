//! A log with keys, checkpoints, elements and a retirement, kept as it was written: every later
//! version reads it, and as long as the format is version 1 writes the same.
//!
//! Made by `make_the_fixture_anew` below, by hand:
//! `GHOSTBRIDGE_MAKE_FIXTURE=1 cargo test -p ghost-log --test fixture_ledger`.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{clock, config, event, shape};
use ghost_event::line::{BlockNote, Change, Fact, LineKind, Note, View, change_body};
use ghost_event::{Digest, Priority, ShapeId, Tier, Timestamp};
use ghost_log::proof::checkpoint::SignedCheckpoint;
use ghost_log::proof::key::VerifyingKey;
use ghost_log::{
    CheckpointFound, Element, KeyFound, Layout, Log, LogConfig, LogReader, TreeReader,
    VerifyOptions, element_history, proof, verify, verify_element,
};
use ghost_world::RealDisk;

fn fixture() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/log/v1-ledger")).to_owned()
}

fn reader() -> LogReader {
    LogReader::open(&fixture())
}

#[test]
fn its_tree_is_the_one_that_was_signed() {
    let note = std::fs::read(fixture().join("log/checkpoint")).unwrap();
    let signed = SignedCheckpoint::parse(&note).unwrap();
    let layout = Layout::new(&fixture());
    let mut tree = TreeReader::open(Arc::new(RealDisk), layout).unwrap();
    assert!(tree.first() > 256, "it begins behind a retirement, within a group");
    let root = proof::root(&mut tree, signed.checkpoint.size).unwrap();
    assert_eq!(root, signed.checkpoint.root);
    // The root that the writer had when it stopped: the first lines are only in the edge.
    let size = tree.size().unwrap();
    let told = std::fs::read_to_string(fixture().join("expected-root")).unwrap();
    assert_eq!(format!("{size} {}\n", proof::root(&mut tree, size).unwrap()), told);
}

#[test]
fn it_verifies() {
    let options = VerifyOptions { without_state: true, ..VerifyOptions::default() };
    let verdict = verify(&fixture(), &options).unwrap();
    assert!(verdict.ok(), "{verdict}");
    assert_eq!((verdict.first_seq, verdict.epoch, verdict.segments), (280, 3, 2));
}

#[test]
fn its_keys_name_each_other() {
    let first = std::fs::read_to_string(fixture().join("first-key")).unwrap();
    let first = VerifyingKey::parse(&first).unwrap();
    let mut keys: Vec<VerifyingKey> = Vec::new();
    let mut lines = reader().lines(0);
    while let Some(line) = lines.next().unwrap() {
        let Some(Note::Key(note)) = View::parse(line.bytes).unwrap().note else { continue };
        use base64::Engine as _;
        let key = VerifyingKey::parse(&note.key).unwrap();
        let signature = base64::engine::general_purpose::STANDARD.decode(&*note.signature).unwrap();
        let before = keys.last().unwrap_or(&first);
        assert_eq!(note.by, before.id.to_string());
        assert!(before.has_named(&first.name, &key, &signature));
        keys.push(key);
    }
    assert_eq!(keys.len(), 1, "the first one was told by a line that is retired");
    let note = std::fs::read(fixture().join("log/checkpoint")).unwrap();
    assert!(SignedCheckpoint::parse(&note).unwrap().signed_by(&keys[0]));
}

#[test]
fn its_elements_go_on_behind_their_restated_heads() {
    for (id, events, first, height) in [("bridge:br0", 1, 3, 3), ("port:eth0", 2, 2, 3)] {
        let verdict = verify_element(&reader(), id).unwrap();
        assert!(verdict.ok(), "{id}: {verdict:?}");
        assert_eq!((verdict.events, verdict.first_height), (events, first), "{id}");
        assert_eq!(verdict.head.unwrap().height, height, "{id}");
    }
    let history = element_history(&reader(), "port:eth0", 9).unwrap();
    let view = View::parse(&history[0].bytes).unwrap();
    let change = view.change.unwrap();
    assert_eq!((&*change.action, &change.before[1]), ("changed", &("up".into(), Fact::Flag(true))));
    assert_eq!(change.after[2].1, Fact::Text("evil\u{202e}\"name".into()));
    let mut kinds = BTreeMap::new();
    let all = reader();
    let mut lines = all.lines(0);
    while let Some(line) = lines.next().unwrap() {
        *kinds.entry(format!("{:?}", View::parse(line.bytes).unwrap().kind)).or_insert(0) += 1;
    }
    for kind in [LineKind::Element, LineKind::Retired, LineKind::Block, LineKind::Segment] {
        assert!(kinds.contains_key(&format!("{kind:?}")), "{kind:?} in {kinds:?}");
    }
}

#[test]
fn today_writes_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path());
    let (now, then) = (tree_of(&dir.path().join("log")), tree_of(&fixture().join("log")));
    assert_eq!(now.keys().collect::<Vec<_>>(), then.keys().collect::<Vec<_>>());
    for (name, bytes) in &now {
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        assert_eq!(text(bytes), text(&then[name]), "{}", name.display());
    }
}

fn tree_of(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                let name = entry.path().strip_prefix(dir).unwrap().to_owned();
                all.insert(name, std::fs::read(entry.path()).unwrap());
            }
        }
    }
    all
}

#[test]
fn a_log_of_the_first_program_goes_on_with_a_key_and_checkpoints() {
    let dir = tempfile::tempdir().unwrap();
    let old = fixture().with_file_name("v1").join("log");
    for (name, bytes) in tree_of(&old) {
        let path = dir.path().join("log").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let open = || Log::open_on(Arc::new(RealDisk), dir.path(), config(1 << 20), clock()).unwrap();
    let (mut log, recovery) = open();
    assert!(matches!(recovery.key, KeyFound::Made(_)), "{recovery:?}");
    tell(&mut log, "port", "port:eth0");
    let signed = log.checkpoint().unwrap();
    drop(log);
    let (log, recovery) = open();
    assert_eq!(recovery.checkpoint, CheckpointFound::Whole { size: signed.size });
    assert_eq!((recovery.epoch, log.elements().count()), (4, 1));
    let verdict = verify(dir.path(), &VerifyOptions::default()).unwrap();
    assert!(verdict.ok() && verdict.first_seq == 1, "{verdict}");
}

#[test]
fn make_the_fixture_anew() {
    if std::env::var_os("GHOSTBRIDGE_MAKE_FIXTURE").is_none() {
        return;
    }
    let dir = fixture();
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    let (first, size, root) = make(&dir);
    std::fs::write(dir.join("first-key"), format!("{first}\n")).unwrap();
    std::fs::write(dir.join("expected-root"), format!("{size} {root}\n")).unwrap();
    std::fs::remove_dir_all(dir.join("state")).unwrap();
    std::fs::remove_file(dir.join("events.jsonl")).unwrap();
}

fn tell(log: &mut Log, kind: &str, id: &str) {
    let mut body = Vec::new();
    let before = [("mtu", Fact::Whole(1500)), ("up", Fact::Flag(true))];
    let after = [
        ("mtu", Fact::Whole(9000)),
        ("up", Fact::Flag(false)),
        ("alias", Fact::Text("evil\u{202e}\"name".into())),
    ];
    change_body(
        &mut body,
        &Change {
            at: Timestamp(1_795_154_201_123_456_000),
            prio: Priority::Medium,
            shape: None,
            in_iface: Some("eth0"),
            bridge: Some("br0"),
            action: "changed",
            changed: &["alias", "mtu", "up"],
            before: &before,
            after: &after,
        },
    );
    log.append_element(Priority::Medium, None, &Element { kind, id }, &body).unwrap();
}

/// Three epochs, two keys, three segments of which the first is retired. The first key, and the
/// tree at the end.
fn make(dir: &Path) -> (VerifyingKey, u64, Digest) {
    let open = || {
        let config = LogConfig { program: "ghostbridge 0.1.0".into(), ..config(1 << 20) };
        Log::open_on(Arc::new(RealDisk), dir, config, clock()).unwrap().0
    };
    let mut log = open();
    let first = log.verifying_key().unwrap().clone();
    log.shape(ShapeId(7), &shape(7, Tier::Full)).unwrap();
    tell(&mut log, "bridge", "bridge:br0");
    tell(&mut log, "bridge", "bridge:br0");
    tell(&mut log, "port", "port:eth0");
    log.set_bulk(true).unwrap();
    for i in 0..256 + 17 {
        log.append(Priority::Low, Some(ShapeId(7)), &event(i % 3)).unwrap();
    }
    log.set_bulk(false).unwrap();
    log.rotate().unwrap();
    tell(&mut log, "port", "port:eth0");
    let signed = log.checkpoint().unwrap();
    log.append_note(&Note::Block(BlockNote {
        action: "sealed".into(),
        block: 1,
        size: signed.size,
        root: signed.root,
        reason: "critical".into(),
    }))
    .unwrap();
    drop(log);
    let mut log = open();
    log.rotate_key([0x2e; 32]).unwrap();
    let upto = log.segments()[0].last;
    log.retire(upto).unwrap();
    log.append(Priority::Low, Some(ShapeId(7)), &event(1)).unwrap();
    log.rotate().unwrap();
    tell(&mut log, "bridge", "bridge:br0");
    tell(&mut log, "port", "port:eth0");
    log.checkpoint().unwrap();
    drop(log);
    let log = open();
    (first, log.size(), log.root().unwrap())
}
