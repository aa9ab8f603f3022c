//! What somebody with every right on the machine can do to a log, and what of it a checkpoint that
//! was kept elsewhere shows: each forgery under its own name. The last tests are of what no
//! checkpoint shows.

mod common;

use std::path::{Path, PathBuf};

use common::*;
use ghost_event::Priority;
use ghost_event::line::{KeyNote, Note};
use ghost_log::proof::checkpoint::SignedCheckpoint;
use ghost_log::proof::key::{SigningKey, VerifyingKey};
use ghost_log::proof::tile::TileAt;
use ghost_log::{
    Authority, DamageKind, Finding, Head, Layout, LogConfig, Proven, Unproven, Verdict,
    VerifyOptions, proof, verify_at, verify_on,
};
use ghost_world::{Disk as _, SimDisk};

const SEEN_AT_S: u64 = 1_795_154_300;

fn witness() -> SigningKey {
    SigningKey::cosigner("witness.example/w1", [3; 32]).unwrap()
}

fn log_file(name: &str) -> PathBuf {
    Path::new(DATA).join("log").join(name)
}

/// A log that a witness has seen in its middle: what it kept, and the key that signed.
struct Seen {
    sim: SimDisk,
    kept: SignedCheckpoint,
    key: VerifyingKey,
}

fn cosigned(note: &str) -> SignedCheckpoint {
    let signed = SignedCheckpoint::parse(note.as_bytes()).unwrap();
    let line = signed.checkpoint.cosign(&witness(), SEEN_AT_S);
    SignedCheckpoint::parse(format!("{note}{line}\n").as_bytes()).unwrap()
}

/// 60 events, a checkpoint that the witness sees, 20 events and a checkpoint that nobody sees.
fn seen() -> Seen {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(4096)).unwrap();
    fill(&mut log, 0, 60).unwrap();
    let kept = cosigned(&log.checkpoint().unwrap().note);
    let key = log.verifying_key().unwrap().clone();
    fill(&mut log, 60, 80).unwrap();
    log.checkpoint().unwrap();
    Seen { sim, kept, key }
}

impl Seen {
    fn options(&self) -> VerifyOptions {
        VerifyOptions {
            against: Some(self.kept.clone().into()),
            witnesses: vec![witness().verifying_key().clone()],
            ..VerifyOptions::default()
        }
    }

    /// What verification finds with what the witness kept.
    fn verdict(&self) -> Verdict {
        verify_on(&disk_of(&self.sim), Path::new(DATA), &self.options()).unwrap()
    }

    /// The only thing that is wrong, by its name and how it is told.
    #[track_caller]
    fn told(&self) -> (&'static str, String) {
        let verdict = self.verdict();
        assert!(!verdict.ok());
        let mut wrong = verdict.wrong();
        assert_eq!(wrong.len(), 1, "{wrong:#?}");
        let name = match (&verdict.damage, verdict.findings.first()) {
            (Some(damage), _) => damage.kind.name(),
            (None, Some(finding)) => finding.name(),
            (None, None) => "",
        };
        (name, wrong.remove(0))
    }

    /// Rewrites one file of the log, line by line.
    fn edit(&self, path: &Path, edit: impl FnOnce(&mut Vec<Vec<u8>>)) {
        let mut lines = lines(&self.sim.bytes(path).unwrap());
        edit(&mut lines);
        put_lines(&self.sim, path, &lines);
    }

    fn segment(&self) -> PathBuf {
        files(&self.sim)[2].clone()
    }
}

/// A log that somebody made anew with the writer's own code: events `altered` and above are others.
fn rewritten(config: LogConfig, altered: u64) -> SimDisk {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config).unwrap();
    fill(&mut log, 0, altered).unwrap();
    log.append(Priority::Low, None, &event(1000)).unwrap();
    fill(&mut log, altered + 1, 60).unwrap();
    log.checkpoint().unwrap();
    fill(&mut log, 60, 80).unwrap();
    log.checkpoint().unwrap();
    sim
}

#[test]
fn an_honest_log_says_who_vouches_for_which_lines() {
    let seen = seen();
    let verdict = seen.verdict();
    assert!(verdict.ok(), "{:#?}", verdict.wrong());
    let size = seen.kept.checkpoint.size;
    let last = verdict.head.seq;
    assert!(size < last);
    let signed = verdict.signed.as_ref().unwrap();
    assert_eq!((signed.seq, signed.key), (last, seen.key.id));
    assert!(matches!(signed.authority, Authority::First { seq: 2 }), "{:?}", signed.authority);
    assert!(signed.time.is_some() && !signed.vouched);
    let [witnessed] = &verdict.witnessed[..] else { panic!("{:?}", verdict.witnessed) };
    assert_eq!((witnessed.seq, witnessed.name.as_str()), (size, "witness.example/w1"));
    assert_eq!(witnessed.at.0 / 1_000_000_000, i64::try_from(SEEN_AT_S).unwrap());
    assert_eq!(
        verdict.unproven(),
        [
            Unproven::Key { key: seen.key.id },
            Unproven::NotWitnessed { from: size + 1, to: last },
            Unproven::NeverWritten
        ]
    );
    // Whoever has the key from elsewhere need not take the log's word for it.
    let options = VerifyOptions { keys: vec![seen.key.clone()], ..seen.options() };
    let verdict = verify_on(&disk_of(&seen.sim), Path::new(DATA), &options).unwrap();
    assert!(verdict.ok() && verdict.signed.unwrap().vouched);
    // Without the state, the newest checkpoint speaks for the last line.
    let options = VerifyOptions { without_state: true, ..VerifyOptions::default() };
    let verdict = verify_on(&disk_of(&seen.sim), Path::new(DATA), &options).unwrap();
    assert_eq!(verdict.proven, Proven::ByCheckpoint);
}

#[test]
fn a_flipped_byte_is_an_altered_line() {
    let seen = seen();
    seen.edit(&seen.segment(), |lines| {
        let at = lines[3].iter().position(|b| *b == b'x').unwrap();
        lines[3][at] = b'y';
    });
    let (name, told) = seen.told();
    assert_eq!(name, "altered");
    assert!(told.starts_with("altered: line ") && told.contains("byte "), "{told}");
}

#[test]
fn a_dropped_line_is_a_gap() {
    let seen = seen();
    seen.edit(&seen.segment(), |lines| drop(lines.remove(4)));
    let (name, told) = seen.told();
    assert_eq!(name, "dropped");
    assert!(told.starts_with("dropped: line ") && told.contains(" is missing"), "{told}");
}

#[test]
fn swapped_lines_are_told_as_such() {
    let seen = seen();
    seen.edit(&seen.segment(), |lines| lines.swap(3, 5));
    let (name, told) = seen.told();
    assert_eq!(name, "swapped");
    assert!(told.contains(" stands in the place of line "), "{told}");
}

#[test]
fn an_altered_shape_line_is_told_as_what_it_is() {
    let seen = seen();
    seen.edit(&files(&seen.sim)[0].clone(), |lines| {
        let shape = lines.iter_mut().find(|l| l.windows(7).any(|w| w == b"\"shape\"")).unwrap();
        let at = shape.windows(6).position(|w| w == b"an app").unwrap();
        shape[at] = b'A';
    });
    let (name, told) = seen.told();
    assert_eq!(name, "altered");
    assert!(told.ends_with("it calls itself a line of type shape"), "{told}");
}

/// Lines, state and checkpoint are set back together, to where the log was once.
#[test]
fn a_log_that_was_cut_short_ends_before_the_checkpoint_that_was_kept() {
    let mut seen = seen();
    let whole = seen.sim.clone();
    seen.sim = SimDisk::new();
    let (mut log, _) = open(&seen.sim, config(4096)).unwrap();
    fill(&mut log, 0, 30).unwrap();
    log.checkpoint().unwrap();
    drop(log);
    let (name, told) = seen.told();
    assert_eq!(name, "cut_off");
    assert!(told.contains("but the given checkpoint speaks of"), "{told}");
    // With the log's own newest checkpoint left in its place, that tells it as well.
    seen.sim.put(&log_file("checkpoint"), &whole.bytes(&log_file("checkpoint")).unwrap());
    let alone = verdict_without_state(&seen.sim);
    let told = alone.wrong().remove(0);
    assert!(told.starts_with("cut off: ") && told.contains("log/checkpoint speaks"), "{told}");
}

/// The machine's own key signs another history, chain and tree and state computed anew.
#[test]
fn a_log_that_was_rewritten_whole_is_not_the_one_that_was_seen() {
    let mut seen = seen();
    let honest = seen.sim.clone();
    seen.sim = rewritten(config(4096), 20);
    let alone = verdict(&seen.sim);
    assert!(alone.ok(), "by itself nothing shows: {:?}", alone.wrong());
    let (name, told) = seen.told();
    assert_eq!(name, "rewritten");
    assert!(told.starts_with("rewritten: lines 1 to "), "{told}");
    // A head that was kept tells it too, if only at one line.
    let line = &all_lines(&honest)[99];
    let head = Head { seq: seq_of(line), leaf: proof::leaf(line) };
    let options = VerifyOptions { against: Some(head.into()), ..VerifyOptions::default() };
    let found = verify_on(&disk_of(&seen.sim), Path::new(DATA), &options).unwrap();
    assert_eq!(found.damage.unwrap().kind, DamageKind::Altered);
}

#[test]
fn a_rewritten_log_that_a_new_key_signed_is_told_twice() {
    let mut seen = seen();
    seen.sim = rewritten(LogConfig { key_seed: [0x66; 32], ..config(4096) }, 20);
    assert!(verdict(&seen.sim).ok());
    let verdict = seen.verdict();
    let names: Vec<&str> = verdict.findings.iter().map(Finding::name).collect();
    assert_eq!(names, ["rewritten", "unknown_key"], "{:#?}", verdict.wrong());
    // Who brings the key itself is told whose the log is now.
    let options = VerifyOptions { keys: vec![seen.key.clone()], ..VerifyOptions::default() };
    let verdict = verify_on(&disk_of(&seen.sim), Path::new(DATA), &options).unwrap();
    let names: Vec<&str> = verdict.findings.iter().map(Finding::name).collect();
    assert_eq!(names, ["key_swapped"], "{:#?}", verdict.wrong());
}

/// No line is touched; from here on somebody else's key signs.
#[test]
fn a_swapped_key_was_authorised_by_nobody() {
    let seen = seen();
    let keys = Layout::new(Path::new(DATA)).keys();
    seen.sim.remove_tree(&keys).unwrap();
    let (mut log, _) = open(&seen.sim, LogConfig { key_seed: [0x66; 32], ..config(4096) }).unwrap();
    fill(&mut log, 80, 90).unwrap();
    log.checkpoint().unwrap();
    let new = log.verifying_key().unwrap().clone();
    assert_ne!(new, seen.key);
    drop(log);
    // By itself this may be a lost key: it is told, and no more.
    let alone = verdict(&seen.sim);
    assert!(alone.ok(), "{:?}", alone.wrong());
    let signed = alone.signed.unwrap();
    assert!(matches!(signed.authority, Authority::Nobody { .. }));
    assert!(signed.to_string().contains("authorised by nobody"), "{signed}");
    let (name, told) = seen.told();
    assert_eq!(name, "key_swapped");
    assert!(
        told.contains(&new.id.to_string()) && told.contains(&seen.key.id.to_string()),
        "{told}"
    );
    // Who was told of the new key by other means says so.
    let options = VerifyOptions { keys: vec![new, seen.key.clone()], ..seen.options() };
    assert!(verify_on(&disk_of(&seen.sim), Path::new(DATA), &options).unwrap().ok());
}

#[test]
fn a_log_without_its_checkpoints_is_not_taken_for_a_trusted_keys() {
    let seen = seen();
    seen.sim.remove(&log_file("checkpoint")).unwrap();
    assert!(verdict(&seen.sim).unproven().contains(&Unproven::NoCheckpoint));
    let options = VerifyOptions { keys: vec![seen.key.clone()], ..VerifyOptions::default() };
    let verdict = verify_on(&disk_of(&seen.sim), Path::new(DATA), &options).unwrap();
    let names: Vec<&str> = verdict.findings.iter().map(Finding::name).collect();
    assert_eq!(names, ["not_signed"]);
    assert!(verdict.wrong()[0].contains(&seen.key.id.to_string()), "{:?}", verdict.wrong());
}

#[test]
fn a_key_that_the_old_one_named_is_no_swap() {
    let seen = seen();
    let (mut log, _) = open(&seen.sim, config(4096)).unwrap();
    log.rotate_key([0x77; 32]).unwrap();
    fill(&mut log, 80, 90).unwrap();
    log.checkpoint().unwrap();
    drop(log);
    let options = VerifyOptions { keys: vec![seen.key.clone()], ..seen.options() };
    let verdict = verify_on(&disk_of(&seen.sim), Path::new(DATA), &options).unwrap();
    assert!(verdict.ok(), "{:?}", verdict.wrong());
    let signed = verdict.signed.unwrap();
    assert!(matches!(signed.authority, Authority::Successor { of, .. } if of == seen.key.id));
    assert!(signed.vouched);
}

#[test]
fn a_successor_that_the_old_key_did_not_name_is_forged() {
    let seen = seen();
    let (mut log, _) = open(&seen.sim, config(4096)).unwrap();
    let next = SigningKey::new(&seen.key.name, [0x66; 32]).unwrap();
    // Signed by the new key itself, since the old one was not at hand.
    let signature = next.name_next(&seen.key.name, next.verifying_key());
    let base64 = base64(&signature);
    let vkey = next.verifying_key().to_string();
    let by = seen.key.id.to_string();
    let note = KeyNote { key: vkey.into(), by: by.clone().into(), signature: base64.into() };
    log.append_note(&Note::Key(note)).unwrap();
    log.sync().unwrap();
    drop(log);
    let (name, told) = seen.told();
    assert_eq!(name, "key_forged");
    assert!(told.contains(&format!("follows key {by}")), "{told}");
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn an_old_checkpoint_that_was_put_back_is_a_replay() {
    let seen = seen();
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(4096)).unwrap();
    fill(&mut log, 0, 10).unwrap();
    let old = log.checkpoint().unwrap();
    seen.sim.put(&log_file("checkpoint"), old.note.as_bytes());
    let (name, told) = seen.told();
    assert_eq!(name, "replayed");
    assert!(told.contains(&format!("speaks of {} lines", old.size)), "{told}");
}

#[test]
fn signatures_that_were_moved_or_changed_are_wrong() {
    let mut seen = seen();
    // The witness's word for one checkpoint, put under another that was really signed.
    let newest = seen.sim.bytes(&log_file("checkpoint")).unwrap();
    let kept = seen.kept.note.signatures[1].clone();
    let moved = format!("{}{kept}\n", String::from_utf8(newest.clone()).unwrap());
    seen.kept = SignedCheckpoint::parse(moved.as_bytes()).unwrap();
    let verdict = seen.verdict();
    let names: Vec<&str> = verdict.findings.iter().map(Finding::name).collect();
    assert_eq!(names, ["wrong_signature", "not_witnessed"]);
    assert!(verdict.wrong()[0].contains("witness.example/w1"), "{:?}", verdict.wrong());

    // The log's own checkpoint, of another root.
    let seen = crate::seen();
    let mut forged = SignedCheckpoint::parse(&newest).unwrap();
    forged.checkpoint.root.0[0] ^= 1;
    forged.note.text = forged.checkpoint.text();
    seen.sim.put(&log_file("checkpoint"), forged.note.to_string().as_bytes());
    let verdict = seen.verdict();
    let names: Vec<&str> = verdict.findings.iter().map(Finding::name).collect();
    assert_eq!(names, ["wrong_signature", "rewritten"]);
}

#[test]
fn a_checkpoint_that_nobody_signed_proves_nothing() {
    let mut seen = seen();
    let stranger = SigningKey::new(&seen.key.name, [0x66; 32]).unwrap();
    let note = seen.kept.checkpoint.sign(&stranger).unwrap();
    seen.kept = SignedCheckpoint::parse(note.as_bytes()).unwrap();
    let verdict = seen.verdict();
    let names: Vec<&str> = verdict.findings.iter().map(Finding::name).collect();
    assert_eq!(names, ["not_witnessed", "unknown_key"], "{:#?}", verdict.wrong());
}

#[test]
fn a_checkpoint_of_another_log_is_told_as_such() {
    let mut seen = seen();
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, LogConfig { log_id: [0xcd; 16], ..config(4096) }).unwrap();
    fill(&mut log, 0, 60).unwrap();
    seen.kept = cosigned(&log.checkpoint().unwrap().note);
    let names = |seen: &Seen| -> Vec<&str> {
        let verdict = seen.verdict();
        assert!(verdict.damage.is_none());
        verdict.findings.iter().map(Finding::name).collect()
    };
    assert_eq!(names(&seen), ["other_log", "unknown_key"]);
    // Also where it speaks of more lines than this one has.
    fill(&mut log, 60, 90).unwrap();
    seen.kept = cosigned(&log.checkpoint().unwrap().note);
    assert_eq!(names(&seen), ["other_log", "unknown_key"]);
}

#[test]
fn the_list_of_seals_is_held_against_the_lines() {
    let seal = |note: &str| {
        let checkpoint = serde_json::Value::from(note);
        format!("{{\"block\":1,\"time\":\"\",\"first_seq\":1,\"checkpoint\":{checkpoint}}}\n")
    };
    let list = log_file("checkpoints.jsonl");
    let note = |seen: &Seen| {
        let mut note = seen.kept.note.clone();
        note.signatures.truncate(1);
        note.to_string()
    };
    let honest = seen();
    honest.sim.put(&list, seal(&note(&honest)).as_bytes());
    let verdict = honest.verdict();
    assert!(verdict.ok(), "{:?}", verdict.wrong());
    assert_eq!(verdict.checkpoints, 3);
    // A last line that a power cut left unfinished is no finding.
    let torn = format!("{}{{\"block\":2", seal(&note(&honest)));
    honest.sim.put(&list, torn.as_bytes());
    assert!(honest.verdict().ok());
    // Of a log that was rewritten, the list alone tells it, with no help from outside.
    let other = rewritten(config(4096), 20);
    other.put(&list, seal(&note(&honest)).as_bytes());
    let found = common::verdict(&other);
    let [Finding::Rewritten { after: 0, size, .. }] = found.findings[..] else {
        panic!("{:?}", found.wrong())
    };
    assert_eq!(size, honest.kept.checkpoint.size);
    for (line, name) in [("{}\n".to_owned(), "unreadable"), (seal("x"), "unreadable")] {
        honest.sim.put(&list, line.as_bytes());
        assert_eq!(honest.told().0, name);
    }
}

#[test]
fn a_manifest_of_other_lines_is_found() {
    let seen = seen();
    let size = seen.kept.checkpoint.size;
    let root = seen.kept.checkpoint.root.to_string();
    let manifest = |root: &str| format!("{{\"sealed_size\":{size},\"root\":\"{root}\"}}");
    seen.sim.put(&log_file("manifest.json"), manifest(&root).as_bytes());
    assert!(seen.verdict().ok());
    seen.sim.put(&log_file("manifest.json"), manifest(&"ab".repeat(32)).as_bytes());
    let (name, told) = seen.told();
    assert_eq!(name, "rewritten");
    assert!(told.contains("log/manifest.json"), "{told}");
}

/// Tiles begin at 65,536 lines; one is enough.
#[test]
fn a_tile_that_was_altered_or_removed_is_found() {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, LogConfig { bulk: true, ..config(2 << 20) }).unwrap();
    let body = b"{\"event_type\":\"flow\",\"ghost\":{\"v\":1";
    for _ in 0..66_000 {
        log.append(Priority::Low, None, body).unwrap();
    }
    let kept = cosigned(&log.checkpoint().unwrap().note);
    let key = log.verifying_key().unwrap().clone();
    drop(log);
    let seen = Seen { sim, kept, key };
    let verdict = seen.verdict();
    assert!(verdict.ok(), "{:?}", verdict.wrong());
    assert_eq!((verdict.tiles, verdict.proven), (1, Proven::ByGivenHead));
    let at = TileAt { level: 1, index: 0 };
    let path = log_file(&at.to_string());
    let whole = seen.sim.bytes(&path).unwrap();
    for (byte, len) in [(0, 8192), (8191, 8192), (4000, 8191)] {
        let mut altered = whole.clone();
        altered[byte] ^= 1;
        altered.truncate(len);
        seen.sim.put(&path, &altered);
        let (name, told) = seen.told();
        assert_eq!(name, "tile_altered");
        assert!(told.contains("log/tile/1/000"), "{told}");
    }
    seen.sim.remove(&path).unwrap();
    assert_eq!(seen.told().0, "tile_missing");

    // With the oldest segments retired, the tile is all that is left of them.
    seen.sim.put(&path, &whole);
    let (mut log, _) = open(&seen.sim, config(2 << 20)).unwrap();
    let segments = log.segments();
    log.retire(segments[0].last).unwrap();
    log.checkpoint().unwrap();
    drop(log);
    let verdict = seen.verdict();
    assert!(verdict.ok(), "{:?}", verdict.wrong());
    assert!(verdict.first_seq > 1);
    let to = verdict.first_seq - 1;
    assert!(verdict.unproven().contains(&Unproven::Retired { to }));
    let mut altered = whole.clone();
    altered[0] ^= 1;
    seen.sim.put(&path, &altered);
    assert!(!seen.verdict().ok(), "the root of retired lines is another");
}

/// Without anything from elsewhere this is no damage, as it always was; with it, it is.
#[test]
fn oldest_segments_that_were_taken_away_leave_nothing_to_compare() {
    let seen = seen();
    for file in files(&seen.sim).iter().take(2) {
        seen.sim.remove(file).unwrap();
    }
    let alone = verdict(&seen.sim);
    assert!(alone.ok(), "{:?}", alone.wrong());
    assert!(alone.unproven().contains(&Unproven::TreeGone { first: alone.first_seq }));
    let verdict = seen.verdict();
    assert!(verdict.findings.iter().any(|f| f.name() == "tree_gone"), "{:?}", verdict.wrong());
}

#[test]
fn a_block_folder_is_verified_like_the_log() {
    let seen = seen();
    let block = Path::new("/data/blocks/block-1-aabbccddeeff");
    seen.sim.create_dirs(&block.join("segments")).unwrap();
    for file in files(&seen.sim) {
        let to = block.join(file.strip_prefix("/data/log").unwrap());
        seen.sim.put(&to, &seen.sim.bytes(&file).unwrap());
    }
    let verify =
        || verify_at(&disk_of(&seen.sim), &Layout::of_block(block), &seen.options()).unwrap();
    let verdict = verify();
    assert!(verdict.ok(), "{:?}", verdict.wrong());
    assert_eq!(verdict.witnessed.len(), 1);
    let file = block.join("events.jsonl");
    let mut bytes = seen.sim.bytes(&file).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    seen.sim.put(&file, &bytes);
    assert!(verify().damage.is_some());
}

/// What stands under no checkpoint that somebody saw can be written anew: here the lines after the
/// witness's, checkpoints included. Verification finds nothing, and says which lines those are.
#[test]
fn undetectable_what_nobody_saw_can_be_rewritten() {
    let honest = seen();
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(4096)).unwrap();
    fill(&mut log, 0, 60).unwrap();
    let size = log.checkpoint().unwrap().size;
    assert_eq!(size, honest.kept.checkpoint.size);
    for other in 500..520 {
        log.append(Priority::Low, None, &event(other)).unwrap();
    }
    log.checkpoint().unwrap();
    drop(log);
    let forged = Seen { sim, ..honest };
    let verdict = forged.verdict();
    assert!(verdict.ok(), "{:?}", verdict.wrong());
    let told = Unproven::NotWitnessed { from: size + 1, to: verdict.head.seq };
    assert!(verdict.unproven().contains(&told));

    // And the tail under no checkpoint at all, without any key.
    let forge = |events: std::ops::Range<u64>| {
        let sim = SimDisk::new();
        let (mut log, _) = open(&sim, config(4096)).unwrap();
        fill(&mut log, 0, 60).unwrap();
        let size = log.checkpoint().unwrap().size;
        for other in events {
            log.append(Priority::Low, None, &event(other)).unwrap();
        }
        log.sync().unwrap();
        drop(log);
        (common::verdict(&sim), size)
    };
    let ((one, size), (other, _)) = (forge(60..70), forge(700..710));
    assert!(one.ok() && other.ok());
    assert_ne!(one.head, other.head);
    let tail = Unproven::Tail { from: size + 1, to: other.head.seq };
    assert!(other.unproven().contains(&tail), "{:?}", other.unproven());
}

/// A log that nobody outside ever saw can be replaced whole, by whoever has its key.
#[test]
fn undetectable_a_log_that_nobody_ever_saw_can_be_replaced() {
    let forged = rewritten(config(4096), 20);
    let verdict = verdict(&forged);
    assert!(verdict.ok());
    assert!(verdict.unproven().iter().any(|u| matches!(u, Unproven::NotWitnessed { from: 1, .. })));
    assert!(verdict.unproven().contains(&Unproven::NeverWritten));
}
