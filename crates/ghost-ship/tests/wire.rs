//! Frames as bytes: what is written is read, and nothing else is.

mod rig;

use ghost_event::{Digest, Priority};
use ghost_ship::wire::{
    BlockBegin, BlockTold, Code, Form, Frame, Growth, Health, Hello, Incoming, Kind, Level, Limits,
    Lines, LogId, Place, Preamble, Refusal, Role, Session, Start, WireError,
};
use ghost_world::Random;
use rig::log::MemLog;

/// A frame that the seed tells.
fn frame(random: &mut Random) -> Frame {
    let number = random.number();
    let digest = Digest([(number % 251) as u8; 32]);
    let hashes = |random: &mut Random, max: u64| -> Vec<Digest> {
        (0..random.below(max + 1)).map(|i| Digest([i as u8; 32])).collect()
    };
    let text = |random: &mut Random, max: u64| "ä—x".repeat(random.index(max as usize / 7));
    let growth = Growth { old: random.number(), new: number, path: hashes(random, 65) };
    match random.below(18) {
        0 => Frame::Refusal(
            Refusal::new(Code::of(random.below(40) as u16), text(random, 3000))
                .about(Kind::Tail)
                .with_evidence(&text(random, 1000), &text(random, 1000)),
        ),
        1 => Frame::Hello(Box::new(hello(random))),
        2 => Frame::Health(Health { free_bytes: number, total_bytes: 1, indexed: 2, load: 3 }),
        3 => {
            let mut log = MemLog::new(2);
            (0..random.below(40)).for_each(|i| {
                log.event(Priority::Low, i, random.index(2000));
            });
            let after = random.below(log.size());
            Frame::Tail { epoch: number, lines: Lines::new(log.raw(after, log.size())).unwrap() }
        }
        4 => Frame::TailHeld(Place { size: number.max(1), leaf: digest }),
        5 => Frame::Received { bytes: number },
        6 => {
            let size = 1 + number % 100_000;
            let base = random.below(size);
            let frontier = (0..base.count_ones()).map(|i| Digest([i as u8; 32])).collect();
            let leaf = if base == 0 { Digest::ZERO } else { digest };
            Frame::BlockBegin(Box::new(BlockBegin {
                number: 1 + random.below(1000),
                size,
                root: digest,
                epoch: random.number(),
                form: [Form::Btrfs, Form::BtrfsPacked, Form::Lines][random.index(3)],
                start: if random.one_in(2) {
                    Start::Parent { number: random.number(), root: digest }
                } else {
                    Start::Base { size: base, leaf, frontier }
                },
                note: text(random, 5000),
                growth,
            }))
        }
        7 => {
            let bytes = vec![number as u8; 1 + random.index(262_144)];
            Frame::BlockChunk { number, offset: random.number(), bytes }
        }
        8 => Frame::BlockEnd { number, bytes: random.number() },
        9 => Frame::BlockVerified { number, size: random.number(), root: digest },
        10 => Frame::Checkpoint { note: text(random, 5000), growth },
        11 => Frame::Cosignature { size: number, root: digest, line: text(random, 900) },
        12 => Frame::Ping { token: number },
        13 => Frame::Pong { token: number },
        14 => Frame::Question { id: number, body: text(random, 60_000) },
        15 => {
            let (last, n) = (random.one_in(2), random.index(262_144));
            Frame::AnswerPart { id: number, last, bytes: vec![7; n.max(usize::from(!last))] }
        }
        16 => Frame::Cancel { id: number },
        _ => Frame::Bye,
    }
}

fn hello(random: &mut Random) -> Hello {
    let mut size = 0;
    let blocks = (0..random.below(65))
        .map(|i| {
            size += 1 + random.below(1000);
            BlockTold { number: i + 1, size, root: Digest([i as u8; 32]) }
        })
        .collect();
    Hello {
        role: Role::Primary,
        name: "büro".to_owned(),
        program: "ghostbridge 1".to_owned(),
        limits: Limits::OURS,
        log: Some(LogId([7; 16])),
        epoch: random.number(),
        held: Place { size: 5, leaf: Digest([1; 32]) },
        signed_size: random.number(),
        signed_root: Digest([2; 32]),
        note: "note\n".repeat(random.index(100)),
        blocks,
        forms: vec![Form::Lines, Form::BtrfsPacked],
        key: "k".repeat(random.index(512)),
    }
}

fn speaker(frame: &Frame) -> Role {
    match frame.kind() {
        Kind::Health
        | Kind::TailHeld
        | Kind::Received
        | Kind::BlockVerified
        | Kind::Cosignature
        | Kind::AnswerPart => Role::Replica,
        _ => Role::Primary,
    }
}

/// A session of the side that hears this frame, past the hellos.
fn open(speaker: Role) -> Session {
    let mut session = Session::new(speaker.other());
    let mut hello = hello(&mut Random::new(1));
    hello.role = speaker;
    let greeting =
        [Preamble::OURS.bytes().to_vec(), Frame::Hello(Box::new(hello)).bytes(Level::NONE)];
    let bytes = greeting.concat();
    assert_eq!(session.push(&bytes), bytes.len());
    assert_eq!(session.read(), Ok(Some(Incoming::Version(1))));
    assert!(matches!(session.read(), Ok(Some(Incoming::Hello(_)))));
    assert!(session.is_open());
    session
}

/// All that a session hears of bytes that come in pieces, up to an error.
fn hear(
    session: &mut Session,
    bytes: &[u8],
    random: &mut Random,
) -> (Vec<Incoming>, Option<WireError>) {
    let mut all = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let n = 1 + random.index(rest.len().min(40_000));
        let took = session.push(&rest[..n]);
        rest = &rest[took..];
        loop {
            match session.read() {
                Ok(Some(incoming)) => all.push(incoming),
                Ok(None) => break,
                Err(e) => return (all, Some(e)),
            }
        }
        assert!(took > 0, "a session that takes nothing more must have said why");
    }
    (all, None)
}

#[test]
fn every_frame_is_read_as_it_was_written_however_it_is_cut() {
    let mut random = Random::new(11);
    let mut seen = [0_u32; 19];
    for _ in 0..800 {
        let frame = frame(&mut random);
        if frame.kind() == Kind::Hello {
            let mut session = Session::new(Role::Replica);
            let bytes = [Preamble::OURS.bytes().to_vec(), frame.bytes(Level::new(3))].concat();
            let (heard, error) = hear(&mut session, &bytes, &mut random);
            let Frame::Hello(hello) = &frame else { unreachable!() };
            assert_eq!((heard.len(), error), (2, None));
            assert_eq!(heard[1], Incoming::Hello(hello.clone()));
        } else {
            let level = Level::new(random.below(5) as u8);
            let bytes = frame.bytes(level);
            assert!(bytes.len() <= 8 + 4 + frame.kind().bytes_max());
            let mut session = open(speaker(&frame));
            let (heard, error) = hear(&mut session, &bytes, &mut random);
            assert_eq!((&heard[..], error), (&[Incoming::Frame(frame.clone())][..], None));
        }
        seen[frame.kind() as usize] += 1;
    }
    assert!(seen[1..].iter().all(|n| *n > 10), "{seen:?}");
}

#[test]
fn a_changed_byte_is_refused_or_read_as_another_whole_frame() {
    let mut random = Random::new(12);
    for _ in 0..1500 {
        let frame = frame(&mut random);
        if frame.kind() == Kind::Hello {
            continue;
        }
        let mut bytes = frame.bytes(Level::new(1));
        let at = random.index(bytes.len());
        bytes[at] ^= 1 << random.below(8);
        let mut session = open(speaker(&frame));
        let (heard, error) = hear(&mut session, &bytes, &mut random);
        assert!(heard.len() <= 1);
        if error.is_some() {
            // After an error nothing more is read.
            assert_eq!(session.read(), Ok(None));
        }
    }
}

#[test]
fn no_bytes_panic_and_no_more_is_kept_than_a_frame() {
    bolero::check!().with_iterations(3_000).with_type::<(Vec<u8>, u64)>().for_each(
        |(bytes, seed)| {
            let mut random = Random::new(*seed);
            for role in [Role::Primary, Role::Replica] {
                let _ = hear(&mut Session::new(role), bytes, &mut random);
                let _ = hear(&mut open(role), bytes, &mut random);
                // Right heads, arbitrary payloads.
                let kind = 1 + random.below(18) as u8;
                let packed = u8::from(random.one_in(3));
                let mut framed = vec![kind, packed, 0, 0];
                framed.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
                framed.extend_from_slice(bytes);
                let _ = hear(&mut open(role), &framed, &mut random);
            }
        },
    );
}

#[test]
fn what_is_too_long_is_refused_by_its_head_alone() {
    for kind in 1..=15_u8 {
        let max = Kind::of(kind).unwrap().bytes_max();
        let mut head = vec![kind, 0, 0, 0];
        head.extend_from_slice(&u32::try_from(max + 1).unwrap().to_be_bytes());
        for role in [Role::Primary, Role::Replica] {
            let (heard, error) = hear(&mut open(role), &head, &mut Random::new(1));
            assert!(heard.is_empty());
            let (bytes, max) = (max as u64 + 1, max as u64);
            assert_eq!(error, Some(WireError::TooLong { kind, bytes, max }));
        }
    }
    // Also one that would be passed over.
    let head = [200, 0, 0, 0, 255, 255, 255, 255];
    let (_, error) = hear(&mut open(Role::Primary), &head, &mut Random::new(1));
    assert_eq!(error.unwrap().code(), Code::Limit);
}

#[test]
fn a_bomb_in_a_frame_is_refused_by_what_it_declares_and_by_what_it_is() {
    let bomb = |declared: u32, raw: usize| {
        let packed = zstd::bulk::compress(&vec![b'a'; raw], 1).unwrap();
        let mut bytes = vec![Kind::Tail as u8, 1, 0, 0];
        bytes.extend_from_slice(&u32::try_from(packed.len() + 4).unwrap().to_be_bytes());
        bytes.extend_from_slice(&declared.to_be_bytes());
        bytes.extend_from_slice(&packed);
        hear(&mut open(Role::Primary), &bytes, &mut Random::new(3)).1.unwrap()
    };
    assert!(matches!(bomb(1 << 30, 1 << 30), WireError::Unpacked { kind: 4, .. }));
    assert!(matches!(bomb(u32::MAX, 1000), WireError::Unpacked { kind: 4, .. }));
    assert_eq!(bomb(1000, 64 << 20), WireError::Packing { kind: 4 });
    assert_eq!(bomb(1001, 1000), WireError::Packing { kind: 4 });
}

#[test]
fn mixed_versions_speak_the_common_one_or_say_clearly_that_there_is_none() {
    let meet = |ours: Preamble, theirs: Preamble| {
        let mut session = Session::speaking(Role::Primary, ours);
        let _ = session.push(&theirs.bytes());
        session.read()
    };
    let p = |oldest, newest| Preamble { newest, oldest };
    assert_eq!(meet(p(1, 3), p(1, 2)), Ok(Some(Incoming::Version(2))));
    assert_eq!(meet(p(1, 2), p(1, 3)), Ok(Some(Incoming::Version(2))));
    let refused = meet(p(1, 1), p(2, 3)).unwrap_err();
    assert_eq!(
        (refused, refused.code()),
        (WireError::Version { oldest: 2, newest: 3 }, Code::Version)
    );
    assert!(refused.to_string().contains("update the older"), "{refused}");
    // The refusal itself is understood in every version: it may come before a hello.
    let mut session = Session::new(Role::Replica);
    let refusal = Refusal::from(refused);
    let told = Frame::Refusal(refusal.clone()).bytes(Level::NONE);
    let (heard, error) =
        hear(&mut session, &[&Preamble::OURS.bytes()[..], &told].concat(), &mut Random::new(1));
    assert_eq!(heard, [Incoming::Version(1), Incoming::Frame(Frame::Refusal(refusal))]);
    assert_eq!(error, None);
}

#[test]
fn a_frame_of_a_later_version_is_passed_over_where_it_may_be() {
    let optional = [vec![130, 9, 8, 7, 0, 1, 0, 0], vec![1; 1 << 16]].concat();
    let ping = Frame::Ping { token: 5 };
    let bytes = [optional, ping.bytes(Level::NONE)].concat();
    let (heard, error) = hear(&mut open(Role::Primary), &bytes, &mut Random::new(1));
    assert_eq!((&heard[..], error), (&[Incoming::Frame(ping)][..], None));
    let (_, error) =
        hear(&mut open(Role::Primary), &[19, 0, 0, 0, 0, 0, 0, 0], &mut Random::new(1));
    assert_eq!(error, Some(WireError::Kind { kind: 19 }));
}

#[test]
fn each_side_says_only_what_is_its_own_and_only_after_its_hello() {
    let mut random = Random::new(14);
    for _ in 0..200 {
        let frame = frame(&mut random);
        let bytes = frame.bytes(Level::NONE);
        let said_by_both = matches!(
            frame.kind(),
            Kind::Refusal | Kind::Hello | Kind::Ping | Kind::Pong | Kind::Bye
        );
        if frame.kind() != Kind::Hello {
            let (_, error) = hear(&mut open(speaker(&frame).other()), &bytes, &mut random);
            assert_eq!(error.is_some(), !said_by_both, "{:?}", frame.kind());
        }
        let mut early = Session::new(Role::Replica);
        let bytes = [&Preamble::OURS.bytes()[..], &bytes].concat();
        let (_, error) = hear(&mut early, &bytes, &mut random);
        let may = matches!(frame.kind(), Kind::Refusal | Kind::Hello | Kind::Bye);
        assert_eq!(error.is_some(), !may, "{:?}", frame.kind());
    }
    let mut twice = open(Role::Primary);
    let again = Frame::Hello(Box::new(hello(&mut random))).bytes(Level::NONE);
    assert_eq!(hear(&mut twice, &again, &mut random).1.unwrap().code(), Code::Unexpected);
}

#[test]
fn a_hello_that_contradicts_itself_is_refused() {
    let refuse = |change: &dyn Fn(&mut Hello)| {
        let mut told = hello(&mut Random::new(5));
        change(&mut told);
        let bytes =
            [Preamble::OURS.bytes().to_vec(), Frame::Hello(Box::new(told)).bytes(Level::NONE)];
        let mut session = Session::new(Role::Replica);
        hear(&mut session, &bytes.concat(), &mut Random::new(6)).1.map(|e| e.code())
    };
    assert_eq!(refuse(&|_| ()), None);
    assert_eq!(refuse(&|h| h.role = Role::Replica), Some(Code::Unexpected));
    assert_eq!(refuse(&|h| h.name = "a\nb".to_owned()), Some(Code::Malformed));
    assert_eq!(refuse(&|h| h.key = "\u{1b}[2J".to_owned()), Some(Code::Malformed));
    assert_eq!(refuse(&|h| h.name = "x".repeat(513)), Some(Code::Malformed));
    assert_eq!(refuse(&|h| h.limits.tail_bytes = 1000), Some(Code::Limit));
    assert_eq!(refuse(&|h| h.log = None), Some(Code::Malformed));
    assert_eq!(
        refuse(&|h| h.held = Place { size: 0, leaf: Digest([1; 32]) }),
        Some(Code::Malformed)
    );
    assert_eq!(refuse(&|h| h.blocks.reverse()), Some(Code::Malformed));
    let block = BlockTold { number: 1, size: 1, root: Digest::ZERO };
    assert_eq!(refuse(&|h| h.blocks = vec![block; 2]), Some(Code::Malformed));
}
