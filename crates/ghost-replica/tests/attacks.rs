//! Whoever has the key of the connection, and means harm: refused with a code, no byte of it kept,
//! and the honest primary is served as before.

mod peer;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ghost_event::Digest;
use ghost_ship::wire::{
    BlockBegin, Code, Form, Frame, Growth, Health, Hello, Incoming, Level, Lines, LogId, Place,
    Preamble, Refusal, Role, Session, Start,
};
use ghost_world::Random;
use peer::{Primary, Replica, chunks, converse};

/// A replica that holds a log, and its primary.
fn held() -> (Primary, Replica, Random) {
    let mut random = Random::new(0xa77ac);
    let mut primary = Primary::new(1);
    primary.grow(30, &mut random);
    primary.seal();
    let replica = Replica::new();
    primary.converge(&replica);
    primary.grow(5, &mut random);
    (primary, replica, random)
}

/// Sends bytes as they are, to the replica's last word. What it refused with, where it said so.
fn throw(replica: &Replica, bytes: &[u8]) -> Option<Refusal> {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let served = replica.serve(&theirs);
    drop(theirs);
    ours.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut writer = ours.try_clone().unwrap();
    let bytes = bytes.to_vec();
    let wrote = std::thread::spawn(move || {
        // It may have hung up before everything was said.
        let _ = writer.write_all(&bytes);
        let _ = writer.shutdown(std::net::Shutdown::Write);
    });
    let mut said = Vec::new();
    let _ = ours.read_to_end(&mut said);
    wrote.join().unwrap();
    let ended = served.join().expect("no attack ends whoever receives");
    let mut session = Session::new(Role::Primary);
    let mut refusal = None;
    let mut rest = &said[..];
    while !rest.is_empty() {
        let took = session.push(rest);
        rest = &rest[took..];
        while let Ok(Some(incoming)) = session.read() {
            if let Incoming::Frame(Frame::Refusal(told)) = incoming {
                refusal = Some(told);
            }
        }
    }
    refusal.or(ended.refusal)
}

/// The frames of a primary that says these after its hello.
fn said(hello: &Hello, frames: &[Frame]) -> Vec<u8> {
    let mut bytes = Preamble::OURS.bytes().to_vec();
    bytes.extend(Frame::Hello(Box::new(hello.clone())).bytes(Level::NONE));
    frames.iter().for_each(|frame| bytes.extend(frame.bytes(Level::new(3))));
    bytes
}

/// Everything that lies below a folder.
fn tree(folder: &Path) -> BTreeSet<PathBuf> {
    let mut all = BTreeSet::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            all.extend(tree(&path));
        }
        all.insert(path);
    }
    all
}

/// The attack is refused with one of these codes and leaves the lines and blocks as they were; the
/// honest primary goes on.
#[track_caller]
fn refused(what: &str, bytes: &[u8], codes: &[Code]) {
    let (mut primary, replica, _) = held();
    refused_by(what, &mut primary, &replica, bytes, codes);
    primary.converge(&replica);
}

#[track_caller]
fn refused_by(
    what: &str,
    primary: &mut Primary,
    replica: &Replica,
    bytes: &[u8],
    codes: &[Code],
) -> Refusal {
    let before = (replica.lines(&primary.log), blocks(primary, replica));
    let refusal = throw(replica, bytes).unwrap_or_else(|| panic!("{what}: not refused"));
    assert!(codes.contains(&refusal.code), "{what}: {refusal:?}, not {codes:?}");
    let after = (replica.lines(&primary.log), blocks(primary, replica));
    assert!(before == after, "{what} left something: {:?}", after.1);
    refusal
}

fn blocks(primary: &Primary, replica: &Replica) -> BTreeSet<PathBuf> {
    let all = tree(&replica.dir_of(&primary.log).blocks());
    assert!(
        !all.iter().any(|p| p.to_string_lossy().contains("incoming")),
        "something unfinished stayed: {all:?}"
    );
    all
}

#[test]
fn what_is_not_our_wire_is_refused_at_its_first_bytes() {
    for text in [
        &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"; rm -rf / #\n",
        b"$(reboot)`id`|sh\n",
        b"GBship\n\x8a\0\x01\0\x01",
        &[0; 4096],
        &[0xff; 4096],
    ] {
        refused(&String::from_utf8_lossy(text), text, &[Code::Malformed]);
    }
}

#[test]
fn versions_that_nobody_speaks_are_refused_by_name() {
    for (newest, oldest, code) in
        [(9, 7, Code::Version), (u16::MAX, 2, Code::Version), (0, 0, Code::Malformed)]
    {
        let preamble = Preamble { newest, oldest }.bytes();
        refused(&format!("version {newest} to {oldest}"), &preamble, &[code]);
    }
    // A later version that speaks ours as well is welcome.
    let (mut primary, replica, _) = held();
    let mut bytes = said(&primary.hello(), &[Frame::Ping { token: 7 }, Frame::Bye]);
    bytes[..12].copy_from_slice(&Preamble { newest: 9, oldest: 1 }.bytes());
    assert_eq!(throw(&replica, &bytes), None);
    primary.converge(&replica);
}

#[test]
fn names_that_are_paths_or_shell_words_reach_no_path_and_no_shell() {
    let (mut primary, replica, _) = held();
    let root = replica.dir.path().to_owned();
    let before = tree(root.parent().unwrap());
    for name in [
        "../../../../etc/cron.d/x",
        "/etc/passwd",
        "$(touch /tmp/pwned)",
        "`touch pwned`; touch pwned",
        "a\u{202e}b",
        "..",
        "",
        &"x".repeat(512),
    ] {
        let mut hello = primary.hello();
        hello.name = name.to_owned();
        hello.program = name.to_owned();
        // No name is refused for its letters: it is shown, escaped, and never a path.
        let refusal = throw(&replica, &said(&hello, &[Frame::Bye]));
        assert_eq!(refusal, None, "{name:?}");
        // A log that is met under such a name lies under its number.
        hello.log = Some(LogId([0xab; 16]));
        hello.held = Place::default();
        let _ = throw(&replica, &said(&hello, &[Frame::Bye]));
    }
    let added: Vec<_> = tree(root.parent().unwrap()).difference(&before).cloned().collect();
    let ours = root.join("replicas");
    let strange: Vec<_> = added.iter().filter(|p| p.starts_with(&root)).collect();
    assert!(strange.iter().all(|p| p.starts_with(&ours)), "{strange:?}");
    for name in ["a\nb", "a\u{1b}[2J", "nul\0"] {
        let mut hello = primary.hello();
        hello.name = name.to_owned();
        let bytes = said(&hello, &[]);
        refused_by(&format!("{name:?}"), &mut primary, &replica, &bytes, &[Code::Malformed]);
    }
    for name in [&b"\xff\xfe"[..], &[b'x'; 513]] {
        let mut bytes = said(&primary.hello(), &[]);
        // The name is the first text of the hello: behind preamble, head and role.
        let at = 12 + 8 + 1;
        let long = u32::from_be_bytes(*bytes[at..].first_chunk().unwrap()) as usize;
        bytes.splice(at + 4..at + 4 + long, name.iter().copied());
        bytes[at..at + 4].copy_from_slice(&u32::try_from(name.len()).unwrap().to_be_bytes());
        let length = u32::try_from(bytes.len() - 20).unwrap().to_be_bytes();
        bytes[16..20].copy_from_slice(&length);
        refused_by("a name", &mut primary, &replica, &bytes, &[Code::Malformed]);
    }
    primary.converge(&replica);
}

#[test]
fn frames_that_are_too_long_are_refused_before_they_are_read() {
    let (mut primary, replica, _) = held();
    for kind in 1..=255_u8 {
        let mut bytes = said(&primary.hello(), &[]);
        bytes.extend([kind, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        bytes.extend([0; 64]);
        let codes = [Code::Limit, Code::Unknown];
        refused_by(&format!("kind {kind}"), &mut primary, &replica, &bytes, &codes);
    }
    primary.converge(&replica);
}

#[test]
fn zip_bombs_are_refused_whatever_they_declare() {
    let (mut primary, replica, _) = held();
    // 64 MiB of zeros in a few kilobytes, by the wire's own packing of frames that are too long.
    let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 19).unwrap();
    for kind in [4_u8, 8] {
        for declared in [1_u32 << 20, 64 << 20, u32::MAX, 0, 100] {
            let mut bytes = said(&primary.hello(), &[]);
            let length = u32::try_from(bomb.len() + 4).unwrap();
            bytes.extend([kind, 1, 0, 0]);
            bytes.extend(length.to_be_bytes());
            bytes.extend(declared.to_be_bytes());
            bytes.extend(&bomb);
            let codes = [Code::Limit, Code::Malformed];
            refused_by(&format!("{kind} {declared}"), &mut primary, &replica, &bytes, &codes);
        }
    }
    primary.converge(&replica);
}

#[test]
fn a_session_that_is_replayed_changes_nothing_and_an_older_one_is_refused() {
    let (mut primary, replica, mut random) = held();
    primary.seal();
    // Everything that an honest session says.
    let mut hello = None;
    let (ours, theirs) = UnixStream::pair().unwrap();
    let served = replica.serve(&theirs);
    drop(theirs);
    let own = primary.hello();
    converse(&ours, Role::Primary, |incoming, say| match incoming {
        Incoming::Version(_) => {
            say(&Frame::Hello(Box::new(own.clone())));
            true
        }
        Incoming::Hello(theirs) => {
            hello = Some(*theirs);
            false
        }
        Incoming::Frame(_) => true,
    })
    .unwrap();
    drop(ours);
    served.join().unwrap();
    let frames = primary.owed(&hello.unwrap());
    let session = said(&own, &frames);
    primary.converge(&replica);
    let lines = replica.lines(&primary.log);
    for _ in 0..3 {
        let refusal = throw(&replica, &session);
        assert!(refusal.is_none_or(|r| r.code == Code::Later), "the same again");
        assert!(replica.lines(&primary.log) == lines);
    }
    // Once the log has gone on, the old session is of a log that shrank.
    primary.grow(3, &mut random);
    primary.converge(&replica);
    refused_by("an old session", &mut primary, &replica, &session, &[Code::Shrunk]);
    primary.converge(&replica);
}

#[test]
fn a_log_of_an_older_epoch_is_refused_with_both_checkpoints() {
    let (mut primary, replica, mut random) = held();
    let mut old = primary.clone();
    primary.log.begin_epoch(2);
    primary.seal();
    primary.converge(&replica);
    old.grow(40, &mut random);
    old.seal();
    let bytes = said(&old.hello(), &[]);
    let refusal = refused_by("an old epoch", &mut primary, &replica, &bytes, &[Code::StaleEpoch]);
    assert!(!refusal.ours.is_empty() && !refusal.theirs.is_empty(), "{refusal:?}");
    let kept = tree(&replica.dir_of(&primary.log).evidence());
    assert!(!kept.is_empty(), "the evidence is kept");
    primary.converge(&replica);
}

#[test]
fn another_history_of_the_same_epoch_is_refused_as_a_fork() {
    let (mut primary, replica, mut random) = held();
    let mut other = primary.clone();
    primary.converge(&replica);
    let size = primary.log.size();
    other.log.cut(size - 3);
    other.grow(3, &mut random);
    let bytes = said(&other.hello(), &[]);
    refused_by("as long", &mut primary, &replica, &bytes, &[Code::Fork]);
    other.grow(20, &mut random);
    other.seal();
    // Longer, it is found where its lines do not continue.
    let lines = Lines::new(other.log.raw(size, other.log.size())).unwrap();
    let tail = Frame::Tail { epoch: 1, lines };
    let bytes = said(&other.hello(), &[tail]);
    let codes = [Code::Fork, Code::Altered, Code::Gap];
    refused_by("a tail of it", &mut primary, &replica, &bytes, &codes);
    let block = other.blocks.last().cloned().unwrap();
    let parent = primary.blocks.last().cloned().unwrap();
    let start = Start::Parent { number: parent.number, root: parent.root };
    let frames = other.block(&block, start, parent.size, parent.size);
    let bytes = said(&other.hello(), &frames);
    let codes = [Code::Fork, Code::Altered, Code::Proof];
    refused_by("a block of it", &mut primary, &replica, &bytes, &codes);
    primary.converge(&replica);
}

#[test]
fn lines_that_were_altered_are_refused_and_those_before_them_kept() {
    let (mut primary, replica, _) = held();
    let (held, size) = (primary.acked, primary.log.size());
    let mut raw = primary.log.raw(held, size);
    let third = raw.iter().enumerate().filter(|(_, b)| **b == b'\n').nth(1).unwrap().0;
    let digit = raw[third..].windows(6).position(|w| w == b"\"what\"").unwrap() + third + 7;
    raw[digit] = if raw[digit] == b'1' { b'2' } else { b'1' };
    let tail = Frame::Tail { epoch: 1, lines: Lines::new(raw).unwrap() };
    let refusal = throw(&replica, &said(&primary.hello(), &[tail])).expect("refused");
    assert_eq!(refusal.code, Code::Altered, "{refusal:?}");
    // What cannot be known from the chain yet, the line before the break, may stand or not; no
    // altered one does.
    let lines = replica.lines(&primary.log);
    let altered = lines.iter().zip(&primary.log.lines).filter(|(a, b)| a != b).count();
    assert!(altered <= 1 && lines.len() as u64 >= held, "{altered} of {}", lines.len());
}

#[test]
fn blocks_that_are_not_what_they_say_never_get_their_name() {
    let (mut primary, replica, mut random) = held();
    primary.grow(20, &mut random);
    primary.seal();
    let block = primary.blocks.last().cloned().unwrap();
    let parent = primary.blocks.first().cloned().unwrap();
    let start = Start::Parent { number: parent.number, root: parent.root };
    let good = primary.block(&block, start.clone(), parent.size, parent.size);
    let begin = match &good[0] {
        Frame::BlockBegin(begin) => (**begin).clone(),
        other => panic!("{other:?}"),
    };
    let raw = primary.log.raw(parent.size, block.size);
    let mut tries: Vec<(&str, Vec<Frame>, Vec<Code>)> = Vec::new();
    let mut with = |what, begin: BlockBegin, raw: &[u8], codes: &[Code]| {
        tries.push((what, chunks(begin, raw), codes.to_vec()));
    };
    let mut altered = raw.clone();
    let at = altered.windows(6).rposition(|w| w == b"\"fill\"").unwrap() + 9;
    altered[at] ^= 1;
    with("an altered byte", begin.clone(), &altered, &[Code::Altered]);
    with("lines are missing", begin.clone(), &raw[..raw.len() / 2], &[Code::Altered, Code::Gap]);
    with("nothing at all", begin.clone(), b"", &[Code::Altered, Code::Gap]);
    let twice = [&raw[..], &raw[..]].concat();
    with("twice", begin.clone(), &twice, &[Code::Altered, Code::Gap, Code::Fork]);
    with(
        "another root",
        BlockBegin { root: Digest([7; 32]), ..begin.clone() },
        &raw,
        &[Code::Altered, Code::Fork],
    );
    with(
        "no proof",
        BlockBegin { growth: Growth::default(), ..begin.clone() },
        &raw,
        &[Code::Proof],
    );
    let mut stranger = primary.clone();
    stranger.log.new_key(66, false);
    with(
        "signed by a stranger",
        BlockBegin { note: stranger.log.checkpoint(block.size), ..begin.clone() },
        &raw,
        &[Code::Unsigned],
    );
    with(
        "an old checkpoint",
        BlockBegin { note: parent.note.clone(), ..begin.clone() },
        &raw,
        &[Code::Altered],
    );
    with(
        "no checkpoint",
        BlockBegin { note: String::new(), ..begin.clone() },
        &raw,
        &[Code::Malformed],
    );
    with(
        "no such parent",
        BlockBegin { start: Start::Parent { number: 1, root: Digest([1; 32]) }, ..begin.clone() },
        &raw,
        &[Code::NoParent],
    );
    with(
        "number of an old block",
        BlockBegin { number: parent.number, ..begin.clone() },
        &raw,
        &[Code::Fork, Code::Altered],
    );
    with(
        "a form that this replica does not take",
        BlockBegin { form: Form::BtrfsPacked, ..begin.clone() },
        &raw,
        &[Code::Malformed, Code::Unexpected, Code::Limit, Code::Altered],
    );
    let jumps = vec![
        good[0].clone(),
        Frame::BlockChunk { number: block.number, offset: 1 << 40, bytes: vec![1; 10] },
    ];
    tries.push(("a hole", jumps, vec![Code::Malformed, Code::Altered, Code::Unexpected]));
    let stray = vec![Frame::BlockEnd { number: 77, bytes: 0 }];
    tries.push(("an end without a beginning", stray, vec![Code::Unexpected, Code::Malformed]));
    let stray = vec![Frame::BlockChunk { number: 77, offset: 0, bytes: vec![1] }];
    tries.push(("a chunk without a beginning", stray, vec![Code::Unexpected, Code::Malformed]));
    for (what, frames, codes) in tries {
        let bytes = said(&primary.hello(), &frames);
        refused_by(what, &mut primary, &replica, &bytes, &codes);
    }
    primary.converge(&replica);
}

#[test]
fn frames_from_the_wrong_side_or_out_of_their_order_are_refused() {
    let (mut primary, replica, _) = held();
    let hello = primary.hello();
    for frame in [
        Frame::TailHeld(Place::default()),
        Frame::Health(Health::default()),
        Frame::Received { bytes: 1 },
        Frame::BlockVerified { number: 1, size: 1, root: Digest::ZERO },
        Frame::Cosignature { size: 1, root: Digest::ZERO, line: "x".to_owned() },
        Frame::Hello(Box::new(hello.clone())),
    ] {
        let bytes = said(&hello, std::slice::from_ref(&frame));
        refused_by(&format!("{frame:?}"), &mut primary, &replica, &bytes, &[Code::Unexpected]);
    }
    let mut early = Preamble::OURS.bytes().to_vec();
    early.extend(Frame::Ping { token: 1 }.bytes(Level::NONE));
    refused_by("before a hello", &mut primary, &replica, &early, &[Code::Unexpected]);
    let mut replica_too = hello.clone();
    replica_too.role = Role::Replica;
    let bytes = said(&replica_too, &[]);
    refused_by("two replicas", &mut primary, &replica, &bytes, &[Code::Unexpected]);
    primary.converge(&replica);
}

/// Honest sessions with a few bytes changed, left out or put in.
#[test]
fn no_damaged_session_panics_or_puts_in_what_was_never_said() {
    let (mut primary, replica, mut random) = held();
    primary.grow(20, &mut random);
    primary.seal();
    let parent = primary.blocks[0].clone();
    let block = primary.blocks[1].clone();
    let start = Start::Parent { number: parent.number, root: parent.root };
    let held = primary.acked;
    let lines = Lines::new(primary.log.raw(held, primary.log.size())).unwrap();
    let mut frames = vec![Frame::Tail { epoch: 1, lines }];
    frames.extend(primary.block(&block, start, parent.size, parent.size));
    let good = said(&primary.hello(), &frames);
    let mut refused = 0;
    for _ in 0..200 {
        let mut bytes = good.clone();
        for _ in 0..=random.below(3) {
            let at = random.index(bytes.len());
            match random.below(4) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes[at] = 0xff,
                2 => drop(bytes.drain(at..(at + random.index(40)).min(bytes.len()))),
                _ => drop(bytes.splice(at..at, [0, 0, 0, 1])),
            }
        }
        refused += u64::from(throw(&replica, &bytes).is_some());
        let stands = replica.lines(&primary.log);
        let ours = &primary.log.lines;
        assert!(stands.len() <= ours.len());
        // The newest line of a tail is vouched for by nobody until the next one or a checkpoint.
        let sure = stands.len().saturating_sub(1);
        assert!(stands[..sure] == ours[..sure], "a line was changed and kept");
    }
    assert!(refused > 100, "{refused}");
}
