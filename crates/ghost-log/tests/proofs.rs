//! Proofs, notes and checkpoints of ours, checked by libraries that others wrote, and theirs by us.

use std::collections::BTreeMap;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use ghost_event::Digest;
use ghost_log::proof::bundle::Bundle;
use ghost_log::proof::checkpoint::{Checkpoint, SignedCheckpoint, Signing};
use ghost_log::proof::key::{KeyError, SigningKey, Use, VerifyingKey};
use ghost_log::proof::note::{NoteError, SignedNote};
use ghost_log::proof::tile::{self, TileAt};
use ghost_log::proof::{self, Nodes, ProofError, Tree};
use sha2::{Digest as _, Sha256};
use signed_note::{Note, StandardSigner, StandardVerifier, VerifierList};

/// Every subtree of a tree, by level and index.
#[derive(Default)]
struct Kept {
    nodes: BTreeMap<(u32, u64), Digest>,
    tree: Tree,
}

impl Kept {
    fn of(leaves: &[Digest]) -> Kept {
        let mut kept = Kept::default();
        for leaf in leaves {
            kept.nodes.insert((0, kept.tree.size()), *leaf);
            let nodes = &mut kept.nodes;
            kept.tree.push_with(*leaf, |level, index, node| {
                nodes.insert((level, index), *node);
            });
        }
        kept
    }
}

impl Nodes for Kept {
    type Error = (u32, u64);

    fn node(&mut self, level: u32, index: u64) -> Result<Digest, (u32, u64)> {
        self.nodes.get(&(level, index)).copied().ok_or((level, index))
    }
}

fn entry(i: u64) -> Vec<u8> {
    format!("{{\"line\":{i}}}\n").into_bytes()
}

fn leaves(n: u64) -> Vec<Digest> {
    (0..n).map(|i| proof::leaf(&entry(i))).collect()
}

/// RFC 6962, section 2.1.1, word for word.
fn path(m: usize, d: &[Digest]) -> Vec<Digest> {
    if d.len() <= 1 {
        return Vec::new();
    }
    let k = d.len().next_power_of_two() / 2;
    if m < k {
        let mut all = path(m, &d[..k]);
        all.push(mth(&d[k..]));
        all
    } else {
        let mut all = path(m - k, &d[k..]);
        all.push(mth(&d[..k]));
        all
    }
}

/// RFC 6962, section 2.1.2, word for word.
fn subproof(m: usize, d: &[Digest], known: bool) -> Vec<Digest> {
    if m == d.len() {
        return if known { Vec::new() } else { vec![mth(d)] };
    }
    let k = d.len().next_power_of_two() / 2;
    if m <= k {
        let mut all = subproof(m, &d[..k], known);
        all.push(mth(&d[k..]));
        all
    } else {
        let mut all = subproof(m - k, &d[k..], false);
        all.push(mth(&d[..k]));
        all
    }
}

/// RFC 6962, section 2.1.
fn mth(d: &[Digest]) -> Digest {
    match d {
        [] => Digest(Sha256::digest([]).into()),
        [one] => *one,
        many => {
            let k = many.len().next_power_of_two() / 2;
            proof::node(&mth(&many[..k]), &mth(&many[k..]))
        }
    }
}

#[test]
fn every_proof_of_small_trees_is_the_one_of_the_definition() {
    const N: usize = 70;
    let leaves = leaves(N as u64);
    let mut kept = Kept::of(&leaves);
    for new in 0..=N {
        let root = mth(&leaves[..new]);
        assert_eq!(proof::root(&mut kept, new as u64).unwrap(), root);
        for index in 0..new {
            let made = proof::inclusion(&mut kept, index as u64, new as u64).unwrap();
            assert_eq!(made, path(index, &leaves[..new]), "leaf {index} of {new}");
            let check = |index: usize, path: &[Digest]| {
                proof::check_inclusion(index as u64, new as u64, &leaves[index], path, &root)
            };
            assert_eq!(check(index, &made), Ok(()));
            // At no other place, with no hash less, more or changed.
            for other in (0..new).filter(|other| *other != index) {
                assert!(check(other, &made).is_err());
            }
            let mut more = made.clone();
            more.push(Digest::ZERO);
            assert!(check(index, &more).is_err());
            for at in 0..made.len() {
                let mut less = made.clone();
                less.remove(at);
                assert!(check(index, &less).is_err());
                let mut changed = made.clone();
                changed[at].0[at % 32] ^= 1;
                assert_eq!(check(index, &changed), Err(ProofError::OtherRoot { size: new as u64 }));
            }
        }
        for old in 0..=new {
            let made = proof::consistency(&mut kept, old as u64, new as u64).unwrap();
            if old > 0 {
                assert_eq!(made, subproof(old, &leaves[..new], true), "{old} to {new}");
            }
            let old_root = mth(&leaves[..old]);
            let check = |old: usize, old_root: &Digest, path: &[Digest]| {
                proof::check_consistency(old as u64, old_root, new as u64, &root, path)
            };
            assert_eq!(check(old, &old_root, &made), Ok(()), "{old} to {new}");
            let mut more = made.clone();
            more.push(Digest::ZERO);
            assert!(check(old, &old_root, &more).is_err());
            for at in 0..made.len() {
                let mut less = made.clone();
                less.remove(at);
                assert!(check(old, &old_root, &less).is_err());
                let mut changed = made.clone();
                changed[at].0[at % 32] ^= 1;
                assert!(check(old, &old_root, &changed).is_err());
            }
            assert!(check(old, &Digest([7; 32]), &made).is_err());
            if old > 0 {
                assert!(check(old - 1, &old_root, &made).is_err(), "{old} to {new}");
            }
        }
    }
}

#[test]
fn sizes_at_the_end_of_the_numbers_are_refused_and_never_panic() {
    bolero::check!().with_iterations(20_000).with_type::<(u64, u64, Vec<[u8; 32]>)>().for_each(
        |(a, b, hashes)| {
            let path: Vec<Digest> = hashes.iter().map(|h| Digest(*h)).collect();
            let leaf = Digest([1; 32]);
            assert!(proof::check_inclusion(*a, *b, &leaf, &path, &Digest([2; 32])).is_err());
            let root = Digest([3; 32]);
            let found = proof::check_consistency(*a, &leaf, *b, &root, &path);
            assert!(found.is_err() || (*a == 0 && leaf == Tree::new().root()));
        },
    );
    for size in [u64::MAX, 1 << 63, (1 << 63) + 1] {
        let path = vec![Digest::ZERO; 64];
        for index in [0, 1, size - 1, size >> 1] {
            assert!(
                proof::check_inclusion(index, size, &Digest::ZERO, &path, &Digest::ZERO).is_err()
            );
            _ = proof::check_consistency(index, &Digest::ZERO, size, &Digest::ZERO, &path);
        }
    }
}

fn bytes(path: &[Digest]) -> Vec<u8> {
    path.iter().flat_map(|hash| hash.0).collect()
}

fn hashes(bytes: &[u8]) -> Vec<Digest> {
    bytes.as_chunks::<32>().0.iter().map(|hash| Digest(*hash)).collect()
}

fn root_for_them(root: &Digest, size: u64) -> RootHash<Sha256> {
    RootHash::new(root.0.into(), size)
}

#[test]
fn another_library_takes_our_proofs_and_we_take_its() {
    const N: u64 = 300;
    let leaves = leaves(N);
    let mut kept = Kept::of(&leaves);
    for new in [1, 2, 3, 7, 8, 9, 64, 100, 255, 256, 257, 300] {
        let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        (0..new).for_each(|i| theirs.push(entry(i)));
        let root = proof::root(&mut kept, new).unwrap();
        assert_eq!(<[u8; 32]>::from(*theirs.root().as_bytes()), root.0);
        let their_root = root_for_them(&root, new);
        for index in (0..new).step_by(if new > 64 { 11 } else { 1 }) {
            let ours = proof::inclusion(&mut kept, index, new).unwrap();
            let theirs_of_it = theirs.prove_inclusion(usize::try_from(index).unwrap());
            assert_eq!(hashes(theirs_of_it.as_bytes()), ours);
            let taken = InclusionProof::<Sha256>::from_bytes(bytes(&ours));
            their_root.verify_inclusion(&entry(index), index, &taken).unwrap();
            assert!(their_root.verify_inclusion(&entry(index + 1), index, &taken).is_err());
            let path = hashes(theirs_of_it.as_bytes());
            let leaf = leaves[usize::try_from(index).unwrap()];
            proof::check_inclusion(index, new, &leaf, &path, &root).unwrap();
        }
        for old in (1..new).step_by(if new > 64 { 7 } else { 1 }) {
            let ours = proof::consistency(&mut kept, old, new).unwrap();
            let old_root = proof::root(&mut kept, old).unwrap();
            let taken = ConsistencyProof::<Sha256>::try_from_bytes(bytes(&ours)).unwrap();
            their_root.verify_consistency(&root_for_them(&old_root, old), &taken).unwrap();
            let theirs_of_it = theirs.prove_consistency(usize::try_from(new - old).unwrap());
            let path = hashes(theirs_of_it.as_bytes());
            proof::check_consistency(old, &old_root, new, &root, &path).unwrap();
            assert_eq!(path, ours, "{old} to {new}");
        }
    }
}

#[test]
fn tiles_hold_every_node_that_proofs_need() {
    const N: u64 = 70_000;
    let leaves = leaves(N);
    let mut kept = Kept::of(&leaves);
    let tile = |kept: &mut Kept, at: TileAt| -> Vec<u8> {
        let level = u32::from(at.level) * tile::HEIGHT;
        let from = at.index * tile::WIDTH;
        let hashes = (from..from + at.width(N)).map(|i| kept.node(level, i).unwrap());
        hashes.flat_map(|hash| hash.0).collect()
    };
    // The tree of the specification's example: how wide each tile is.
    let width = |level, index| TileAt { level, index }.width(N);
    assert_eq!((width(0, 272), width(0, 273), width(0, 274)), (256, 112, 0));
    assert_eq!((width(1, 0), width(1, 1), width(2, 0), width(3, 0)), (256, 17, 1, 0));
    for (level, index) in
        [(0, 0), (0, 69_999), (1, 34_999), (3, 8_000), (8, 272), (9, 135), (15, 1), (16, 0)]
    {
        let at = TileAt::of(level, index);
        let bytes = tile(&mut kept, at);
        let node = tile::node_in(&bytes, level, index);
        assert_eq!(node, kept.node(level, index).ok(), "level {level}, {index} from {at}");
        // A tile that is cut off answers nothing.
        assert_eq!(tile::node_in(&bytes[..31], level, index), None);
    }
}

#[test]
fn a_tile_has_the_path_of_the_specification() {
    for (level, index, path) in [
        (0, 0, "tile/0/000"),
        (1, 67, "tile/1/067"),
        (2, 1234, "tile/2/x001/234"),
        (63, 1_234_067, "tile/63/x001/x234/067"),
        (0, u64::MAX >> 8, "tile/0/x072/x057/x594/x037/x927/935"),
    ] {
        let at = TileAt { level, index };
        assert_eq!(at.to_string(), path);
        assert_eq!(TileAt::parse(path), Some(at));
    }
    let partial = TileAt { level: 0, index: 273 }.partial_path(112);
    assert_eq!(partial.to_str(), Some("tile/0/273.p/112"));
    for other in [
        "tile/0/0",
        "tile/00/000",
        "tile/64/000",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/x1/002",
        "tile/0/x001",
        "tile/0/273.p/112",
        "tile/0/../000",
        "tile//000",
        "tile/+1/000",
        "",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
    ] {
        assert_eq!(TileAt::parse(other), None, "{other}");
    }
    bolero::check!().with_iterations(5000).for_each(|bytes| {
        if let Ok(text) = std::str::from_utf8(bytes)
            && let Some(at) = TileAt::parse(text)
        {
            assert_eq!(at.to_string(), text);
        }
    });
    bolero::check!().with_iterations(2000).with_type::<(u8, u64)>().for_each(|(level, index)| {
        let at = TileAt { level: level % 64, index: *index };
        assert_eq!(TileAt::parse(&at.to_string()), Some(at));
        _ = tile::node_in(&index.to_be_bytes().repeat(100), u32::from(*level), *index);
    });
}

fn ours() -> SigningKey {
    SigningKey::new("host/ghostbridge/abab", [7; 32]).unwrap()
}

fn signed(n: u64) -> (Checkpoint, String) {
    let root = proof::root(&mut Kept::of(&leaves(n)), n).unwrap();
    let origin = "host/ghostbridge/abab".to_owned();
    let checkpoint = Checkpoint { origin, size: n, root, extensions: Vec::new() };
    let note = checkpoint.sign(&ours()).unwrap();
    (checkpoint, note)
}

#[test]
fn another_library_takes_our_notes_and_keys_and_we_take_its() {
    let vkey = ours().verifying_key().to_string();
    let verifier = StandardVerifier::new(&vkey).unwrap();
    let known = || VerifierList::new(vec![Box::new(verifier.clone())]);
    let (checkpoint, note) = signed(1000);

    // Ours, read and verified there.
    let there = Note::from_bytes(note.as_bytes()).unwrap();
    assert_eq!(there.text(), checkpoint.text().as_bytes());
    let (verified, unknown) = there.verify(&known()).unwrap();
    assert_eq!((verified.len(), unknown.len()), (1, 0));
    let forged = note.replace("1000", "1001");
    assert!(Note::from_bytes(forged.as_bytes()).unwrap().verify(&known()).is_err());
    let read = SignedCheckpoint::parse(forged.as_bytes()).unwrap();
    assert_eq!(read.signing_of(ours().verifying_key()), Signing::Wrong);

    // Theirs, with the same private key as we write it, read and verified here.
    let signer = StandardSigner::new(&ours().secret()).unwrap();
    let mut there = Note::new(checkpoint.text().as_bytes(), &[]).unwrap();
    there.add_sigs(&[&signer]).unwrap();
    assert_eq!(String::from_utf8(there.to_bytes()).unwrap(), note, "Ed25519 is deterministic");
    let read = SignedCheckpoint::parse(&there.to_bytes()).unwrap();
    assert_eq!(read.checkpoint, checkpoint);
    assert!(read.signed_by(ours().verifying_key()));
    assert!(!read.signed_by(SigningKey::new("other", [7; 32]).unwrap().verifying_key()));
}

/// The note and the keys of C2SP signed-note and of Go's sumdb, word for word.
#[test]
fn the_notes_of_the_specifications_are_read() {
    let text = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito \
                sera.\n\n— quasimodo.example/salvatore \
                NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+\
                EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";
    let note = SignedNote::parse(text.as_bytes()).unwrap();
    assert_eq!(note.to_string(), text);
    assert!(note.text.ends_with("\n\ned è subito sera.\n"));
    assert_eq!(note.signatures[0].name, "quasimodo.example/salvatore");
    assert_eq!(note.signatures[0].id.to_string(), "367ba04b");

    // golang.org/x/mod/sumdb/note: its example of keys and of a note.
    let key =
        VerifyingKey::parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
            .unwrap();
    let text = "If you think cryptography is the answer to your problem,\nthen you don't know what \
                your problem is.\n\n— PeterNeumann \
                x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    let note = SignedNote::parse(text.as_bytes()).unwrap();
    assert!(key.verify(note.text.as_bytes(), &note.signatures[0].bytes));
    let secret = SigningKey::parse(
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
    )
    .unwrap();
    assert_eq!(*secret.verifying_key(), key);
    assert_eq!(SignedNote::sign(note.text.clone(), &secret).unwrap(), note);
}

#[test]
fn a_witness_says_when_it_saw_a_checkpoint() {
    let witness = SigningKey::cosigner("witness.example/w1", [9; 32]).unwrap();
    let key = witness.verifying_key();
    assert_eq!(
        (key.use_, VerifyingKey::parse(&key.to_string())),
        (Use::Cosignatures, Ok(key.clone()))
    );
    let (checkpoint, note) = signed(10);
    let time_s = 1_795_154_200;
    let cosigned = format!("{note}{}\n", checkpoint.cosign(&witness, time_s));
    let read = SignedCheckpoint::parse(cosigned.as_bytes()).unwrap();
    assert_eq!(read.cosigned_by(key), Some(time_s));
    assert!(read.signed_by(ours().verifying_key()));
    // What is signed is what the specification draws.
    let signature = &read.note.signatures[1].bytes;
    let message = format!("cosignature/v1\ntime {time_s}\n{}", checkpoint.text());
    assert!(key.verify(message.as_bytes(), &signature[8..]));
    // Another time, another text, another key of the same name: nothing.
    let mut other = read.clone();
    other.note.signatures[1].bytes[7] ^= 1;
    assert_eq!(other.cosigning_of(key), Signing::Wrong);
    let (_, next) = signed(11);
    let moved = format!("{next}{}\n", checkpoint.cosign(&witness, time_s));
    let moved = SignedCheckpoint::parse(moved.as_bytes()).unwrap();
    assert_eq!(moved.cosigning_of(key), Signing::Wrong);
    let namesake = SigningKey::cosigner("witness.example/w1", [8; 32]).unwrap();
    assert_eq!(read.cosigning_of(namesake.verifying_key()), Signing::Absent);
    // A key of one use is not taken for the other.
    let as_log = SigningKey::new("witness.example/w1", [9; 32]).unwrap();
    assert_ne!(as_log.id(), witness.id());
    assert_eq!(read.signing_of(as_log.verifying_key()), Signing::Absent);
    assert_eq!(read.signing_of(key), Signing::Absent);
    // The other library knows no cosignatures, and passes over this one.
    let there = Note::from_bytes(cosigned.as_bytes()).unwrap();
    let verifier = StandardVerifier::new(&ours().verifying_key().to_string()).unwrap();
    let (verified, unknown) = there.verify(&VerifierList::new(vec![Box::new(verifier)])).unwrap();
    assert_eq!((verified.len(), unknown.len()), (1, 1));
}

#[test]
fn a_key_names_its_successor_for_one_log_only() {
    let (old, next) = (ours(), SigningKey::new("host/ghostbridge/abab", [8; 32]).unwrap());
    let signature = old.name_next("host/ghostbridge/abab", next.verifying_key());
    let named = |key: &SigningKey, origin: &str, next: &SigningKey| {
        key.verifying_key().has_named(origin, next.verifying_key(), &signature)
    };
    assert!(named(&old, "host/ghostbridge/abab", &next));
    assert!(!named(&old, "host/ghostbridge/cdcd", &next));
    assert!(!named(&old, "host/ghostbridge/abab", &old));
    assert!(!named(&next, "host/ghostbridge/abab", &next));
    assert!(!old.verifying_key().verify(b"", &signature[..63]));
}

#[test]
fn keys_that_were_changed_are_refused() {
    let vkey = ours().verifying_key().to_string();
    let secret = ours().secret();
    assert!(
        format!("{:?}", ours()).contains("secret") && !format!("{:?}", ours()).contains("AQcH")
    );
    for at in 0..vkey.len() {
        let mut changed = vkey.clone().into_bytes();
        changed[at] = if changed[at] == b'a' { b'b' } else { b'a' };
        assert!(VerifyingKey::parse(&String::from_utf8(changed).unwrap()).is_err(), "byte {at}");
    }
    for at in 0..secret.len() {
        let mut changed = secret.clone().into_bytes();
        changed[at] = if changed[at] == b'a' { b'b' } else { b'a' };
        assert!(SigningKey::parse(&String::from_utf8(changed).unwrap()).is_err(), "byte {at}");
    }
    assert_eq!(VerifyingKey::parse(&secret), Err(KeyError::Form));
    assert_eq!(VerifyingKey::parse(""), Err(KeyError::Form));
    for name in ["", "a b", "a+b", "a\u{2003}b", &"a".repeat(256)] {
        assert!(matches!(SigningKey::new(name, [1; 32]), Err(KeyError::Name)), "{name}");
    }
    // A key of small order would take any text for signed.
    let weak = "weak+ffffffff+AQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    assert_eq!(VerifyingKey::parse(weak), Err(KeyError::Bytes));
}

/// Bytes that are near to `whole`, as a damaged file is.
fn damaged(whole: &[u8], changes: &[(u16, u8, u8)]) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for (at, what, byte) in changes {
        let at = usize::from(*at) % (bytes.len() + 1);
        match what % 4 {
            0 => bytes.insert(at, *byte),
            1 => bytes.truncate(at.max(1)),
            2 => drop((at < bytes.len()).then(|| bytes.remove(at))),
            _ => {
                if let Some(b) = bytes.get_mut(at) {
                    *b = *byte;
                }
            }
        }
    }
    bytes
}

#[test]
fn what_is_a_note_is_decided_as_in_the_other_library() {
    let (checkpoint, note) = signed(10);
    let witness = SigningKey::cosigner("w", [9; 32]).unwrap();
    let whole = format!("{note}{}\n", checkpoint.cosign(&witness, 5));
    bolero::check!().with_iterations(30_000).with_type::<Vec<(u16, u8, u8)>>().for_each(
        |changes| {
            let bytes = damaged(whole.as_bytes(), &changes[..changes.len().min(4)]);
            let ours = SignedNote::parse(&bytes);
            let theirs = Note::from_bytes(&bytes);
            assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?}", String::from_utf8_lossy(&bytes));
            if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
                assert_eq!(ours.text.as_bytes(), theirs.text());
                assert_eq!(ours.to_string().as_bytes(), bytes);
                drop(SignedCheckpoint::parse(&bytes));
            }
        },
    );
}

#[test]
fn notes_have_limits() {
    let (_, note) = signed(1);
    let line = note.lines().last().unwrap().to_owned();
    let with = |n: usize| format!("{}{}", note, format!("{line}\n").repeat(n - 1));
    assert_eq!(SignedNote::parse(with(100).as_bytes()).unwrap().signatures.len(), 100);
    assert_eq!(SignedNote::parse(with(101).as_bytes()), Err(NoteError::TooMany));
    let long = format!("{}\n\n{line}\n", "x".repeat(256 << 10));
    assert!(matches!(SignedNote::parse(long.as_bytes()), Err(NoteError::TooLong { .. })));
    assert_eq!(SignedNote::parse(b"a\tb\n\n"), Err(NoteError::NotText));
    assert_eq!(SignedNote::sign("no newline".into(), &ours()), Err(NoteError::Form));
}

#[test]
fn a_checkpoint_is_three_lines_and_what_others_add() {
    let (checkpoint, _) = signed(20);
    let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    let example = format!("example.com/behind-the-sofa\n20852163\n{root}\n");
    let read = Checkpoint::parse(&example).unwrap();
    assert_eq!((read.size, read.text().as_str()), (20_852_163, example.as_str()));
    let extended = format!("{example}more\n");
    assert_eq!(Checkpoint::parse(&extended).unwrap().extensions, ["more"]);
    assert_eq!(Checkpoint::parse(&checkpoint.text()), Ok(checkpoint));
    for bad in [
        String::new(),
        format!("\n5\n{root}\n"),
        format!("o\n05\n{root}\n"),
        format!("o\n+5\n{root}\n"),
        format!("o\n\n{root}\n"),
        format!("o\n18446744073709551616\n{root}\n"),
        "o\n5\nAAAA\n".to_owned(),
        format!("o\n5\n{root}"),
        format!("o\n5\n{root}\n\nafter an empty line\n"),
        "o\n5\n".to_owned(),
    ] {
        assert!(Checkpoint::parse(&bad).is_err(), "{bad:?}");
    }
    bolero::check!().with_iterations(5000).for_each(|bytes| {
        if let Ok(text) = std::str::from_utf8(bytes)
            && let Ok(read) = Checkpoint::parse(text)
        {
            assert_eq!(read.text(), text);
        }
    });
}

#[test]
fn a_proof_file_stands_alone() {
    let (_, note) = signed(300);
    let mut kept = Kept::of(&leaves(300));
    let bundle = Bundle {
        extra: Some(entry(17)),
        index: 17,
        path: proof::inclusion(&mut kept, 17, 300).unwrap(),
        checkpoint: SignedCheckpoint::parse(note.as_bytes()).unwrap(),
    };
    let text = bundle.to_string();
    assert!(text.starts_with("c2sp.org/tlog-proof@v1\nextra "));
    let read = Bundle::parse(text.as_bytes()).unwrap();
    assert_eq!(read, bundle);
    read.includes(&entry(17)).unwrap();
    assert!(read.includes(&entry(18)).is_err());
    assert!(read.checkpoint.signed_by(ours().verifying_key()));
    let without = Bundle { extra: None, ..bundle.clone() };
    assert_eq!(Bundle::parse(without.to_string().as_bytes()).unwrap(), without);
    // A tree of one leaf has a proof without hashes.
    let (_, note) = signed(1);
    let checkpoint = SignedCheckpoint::parse(note.as_bytes()).unwrap();
    let alone = Bundle { extra: None, index: 0, path: Vec::new(), checkpoint };
    let read = Bundle::parse(alone.to_string().as_bytes()).unwrap();
    read.includes(&entry(0)).unwrap();
    for bad in [
        text.replacen("@v1", "@v2", 1),
        text.replacen("index 17", "index 017", 1),
        text.replacen("index 17\n", "", 1),
        text.replacen("extra ", "extra -", 1),
        text.replacen("\n\n", "\n", 1),
        text.replacen("\n\n", &"\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".repeat(65), 1),
    ] {
        assert!(Bundle::parse(bad.as_bytes()).is_err(), "{bad}");
    }
    bolero::check!().with_iterations(10_000).with_type::<Vec<(u16, u8, u8)>>().for_each(
        |changes| {
            let bytes = damaged(text.as_bytes(), &changes[..changes.len().min(4)]);
            if let Ok(read) = Bundle::parse(&bytes) {
                assert_eq!(read.to_string().as_bytes(), bytes);
                // Whatever was changed: it speaks of this line under this root, or is refused.
                let same = read.includes(&entry(17)).is_ok()
                    && read.checkpoint.signed_by(ours().verifying_key());
                assert!(!same || (read.index, &read.path) == (17, &bundle.path));
            }
        },
    );
}
