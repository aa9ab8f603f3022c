//! Streams of honest senders pass, and nothing of a hostile one does. Read by another reader too.

use btrfs_stream::{StreamCommand, StreamReader};

use super::command::{MAGIC, attr, kind, put};
use super::{Expected, StreamError, Vetter};

const SENDER: [u8; 16] = [3; 16];
const PARENT: ([u8; 16], u64) = ([4; 16], 44);

fn expected(parent: bool) -> Expected {
    let parent = parent.then_some(PARENT);
    Expected { name: "incoming-7".to_owned(), parent, bytes_max: 1 << 30 }
}

/// A stream in the making.
struct Stream {
    bytes: Vec<u8>,
    version: u32,
}

impl Stream {
    fn new(version: u32) -> Stream {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&version.to_le_bytes());
        Stream { bytes, version }
    }

    fn of(version: u32, parent: bool) -> Stream {
        let stream = Stream::new(version);
        let transaction = 33_u64.to_le_bytes();
        let mut attributes: Vec<(u16, &[u8])> = vec![
            (attr::PATH, b"block-7-0123456789ab"),
            (attr::UUID, &SENDER),
            (attr::CTRANSID, &transaction),
        ];
        let built_on = PARENT.1.to_le_bytes();
        if parent {
            attributes
                .extend([(attr::CLONE_UUID, &PARENT.0[..]), (attr::CLONE_CTRANSID, &built_on)]);
        }
        stream.with(if parent { kind::SNAPSHOT } else { kind::SUBVOL }, &attributes)
    }

    fn with(mut self, kind: u16, attributes: &[(u16, &[u8])]) -> Stream {
        put(&mut self.bytes, kind, attributes, self.version);
        self
    }

    fn made(self, path: &str) -> Stream {
        self.with(kind::MKFILE, &[(attr::PATH, path.as_bytes()), (attr::INO, &[1; 8])])
    }

    fn wrote(self, path: &str, offset: u64, data: &[u8]) -> Stream {
        let offset = offset.to_le_bytes();
        let path = (attr::PATH, path.as_bytes());
        self.with(kind::WRITE, &[path, (attr::FILE_OFFSET, &offset), (attr::DATA, data)])
    }

    fn ended(self) -> Vec<u8> {
        self.with(kind::END, &[]).bytes
    }
}

/// Passes a stream in pieces of every kind of length.
fn vet(bytes: &[u8], parent: bool) -> Result<(Vec<u8>, Vetter), StreamError> {
    let mut vetter = Vetter::new(expected(parent));
    let mut out = Vec::new();
    for piece in bytes.chunks(7) {
        vetter.push(piece, &mut out)?;
    }
    Ok((out, vetter))
}

/// Refused, and nothing of what is refused passed.
#[track_caller]
fn refused(what: &str, stream: Stream) -> StreamError {
    let before = vet(&Stream::of(stream.version, false).bytes, false).unwrap().0;
    let mut vetter = Vetter::new(expected(false));
    let mut out = Vec::new();
    let error = vetter.push(&stream.ended(), &mut out).expect_err(what);
    assert_eq!(out, before, "{what} passed in part");
    error
}

fn commands(bytes: &[u8]) -> Vec<StreamCommand> {
    let mut reader = StreamReader::new(bytes).unwrap();
    std::iter::from_fn(|| reader.next_command().unwrap()).collect()
}

#[test]
fn an_honest_stream_passes_under_our_name_and_without_what_a_block_needs_not() {
    for version in [1, 2] {
        let time = [0; 12];
        let stream = Stream::of(version, true)
            .made("o257-7-0")
            .with(kind::RENAME, &[(attr::PATH, b"o257-7-0"), (attr::PATH_TO, b"events.jsonl")])
            .wrote("events.jsonl", 4096, b"{}\n")
            .with(
                kind::CHOWN,
                &[(attr::PATH, b"events.jsonl"), (attr::UID, &[0; 8]), (attr::GID, &[0; 8])],
            )
            .with(
                kind::CHMOD,
                &[(attr::PATH, b"events.jsonl"), (attr::MODE, &0o6777_u64.to_le_bytes())],
            )
            .with(
                kind::SET_XATTR,
                &[
                    (attr::PATH, b"events.jsonl"),
                    (attr::XATTR_NAME, b"security.capability"),
                    (attr::XATTR_DATA, b"all"),
                ],
            )
            .with(
                kind::SET_XATTR,
                &[
                    (attr::PATH, b""),
                    (attr::XATTR_NAME, b"btrfs.compression"),
                    (attr::XATTR_DATA, b"zstd"),
                ],
            )
            .with(
                kind::UTIMES,
                &[
                    (attr::PATH, b""),
                    (attr::ATIME, &time),
                    (attr::MTIME, &time),
                    (attr::CTIME, &time),
                ],
            )
            .ended();
        let (out, vetter) = vet(&stream, true).unwrap();
        assert!(vetter.is_ended());
        assert_eq!(vetter.sender(), (SENDER, 33));
        assert_eq!(vetter.touched().low("events.jsonl"), 0, "it was made anew");
        let passed = commands(&out);
        let [first, .., last] = &passed[..] else { panic!() };
        let StreamCommand::Snapshot { path, ctransid, clone_ctransid, .. } = first else {
            panic!("{first:?}")
        };
        assert_eq!((path.as_str(), *ctransid, *clone_ctransid), ("incoming-7", 33, 44));
        assert!(matches!(last, StreamCommand::End));
        for command in &passed {
            match command {
                StreamCommand::Chown { .. } => panic!("{command:?}"),
                StreamCommand::Chmod { mode, .. } => assert_eq!(*mode, 0o770),
                StreamCommand::SetXattr { name, .. } => assert_eq!(name, "btrfs.compression"),
                _ => {}
            }
        }
        assert_eq!(passed.len(), 8);
    }
}

#[test]
fn paths_that_lead_out_of_the_block_are_refused_in_every_command() {
    for path in ["../x", "/etc/passwd", "segments/../../x", ".ssh/authorized_keys", "bin/sh", ""] {
        let at = (attr::PATH, path.as_bytes());
        let good = (attr::PATH, &b"events.jsonl"[..]);
        let number = 1_u64.to_le_bytes();
        let of = || Stream::of(2, false);
        for (what, stream) in [
            ("a file", of().with(kind::MKFILE, &[at])),
            ("a folder", of().with(kind::MKDIR, &[at])),
            ("a write", of().wrote(path, 0, b"x")),
            ("an end", of().with(kind::TRUNCATE, &[at, (attr::SIZE, &number)])),
            ("a removal", of().with(kind::UNLINK, &[at])),
            ("a name", of().with(kind::RENAME, &[good, (attr::PATH_TO, path.as_bytes())])),
            ("another name", of().with(kind::RENAME, &[at, (attr::PATH_TO, b"events.jsonl")])),
            ("a link", of().with(kind::LINK, &[good, (attr::PATH_LINK, path.as_bytes())])),
            ("a link's name", of().with(kind::LINK, &[at, (attr::PATH_LINK, b"events.jsonl")])),
        ] {
            let error = refused(&format!("{what} {path}"), stream);
            assert!(matches!(error, StreamError::Path { .. }), "{what} {path}: {error}");
        }
    }
}

#[test]
fn commands_that_no_log_needs_are_refused() {
    const MKNOD: u16 = 5;
    const MKFIFO: u16 = 6;
    const MKSOCK: u16 = 7;
    const SYMLINK: u16 = 8;
    const UPDATE_EXTENT: u16 = 22;
    const VERITY: u16 = 26;
    let path = (attr::PATH, &b"events.jsonl"[..]);
    for kind in [MKNOD, MKFIFO, MKSOCK, SYMLINK, UPDATE_EXTENT, VERITY, 0, 27, u16::MAX] {
        refused("a command", Stream::of(2, false).with(kind, &[path]));
    }
    refused(
        "a link by its text",
        Stream::of(1, false).with(SYMLINK, &[path, (attr::PATH_LINK, b"/etc")]),
    );
    let again = Stream::of(1, false).with(
        kind::SUBVOL,
        &[(attr::PATH, b"x"), (attr::UUID, &SENDER), (attr::CTRANSID, &[1; 8])],
    );
    refused("a second subvolume", again);
    let clone = |uuid: &[u8; 16], number: u64| {
        Stream::of(1, false).with(
            kind::CLONE,
            &[
                path,
                (attr::FILE_OFFSET, &[0; 8]),
                (attr::CLONE_UUID, &uuid[..]),
                (attr::CLONE_CTRANSID, &number.to_le_bytes()),
                (attr::CLONE_PATH, b"segments/1.jsonl"),
                (attr::CLONE_OFFSET, &[0; 8]),
                (attr::CLONE_LEN, &4096_u64.to_le_bytes()),
            ],
        )
    };
    assert!(vet(&clone(&SENDER, 33).ended(), false).is_ok(), "of itself it may take bytes");
    refused("bytes of another subvolume", clone(&[9; 16], 33));
}

#[test]
fn what_would_grow_without_bound_is_refused() {
    let path = (attr::PATH, &b"events.jsonl"[..]);
    let far = |n: u64| Stream::of(1, false).wrote("events.jsonl", n, b"x");
    for offset in [1 << 30, 1 << 60, u64::MAX] {
        assert!(matches!(refused("far away", far(offset)), StreamError::Bounds { .. }));
    }
    let end = u64::MAX.to_le_bytes();
    refused("a long file", Stream::of(1, false).with(kind::TRUNCATE, &[path, (attr::SIZE, &end)]));
    // A bomb: some bytes that say that they unpack to gigabytes.
    let packed = |in_file: u64, whole: u64, from: u64| {
        Stream::of(2, false).with(
            kind::ENCODED_WRITE,
            &[
                path,
                (attr::FILE_OFFSET, &[0; 8]),
                (attr::UNENCODED_FILE_LEN, &in_file.to_le_bytes()),
                (attr::UNENCODED_LEN, &whole.to_le_bytes()),
                (attr::UNENCODED_OFFSET, &from.to_le_bytes()),
                (attr::COMPRESSION, &2_u32.to_le_bytes()),
                (attr::DATA, b"bomb"),
            ],
        )
    };
    assert!(vet(&packed(4096, 128 << 10, 4096).ended(), false).is_ok());
    for (in_file, whole, from) in
        [(1 << 30, 1 << 30, 0), (4096, 4096, 1), (u64::MAX, 4096, 1), (4096, (128 << 10) + 1, 0)]
    {
        let error = refused("a bomb", packed(in_file, whole, from));
        assert!(matches!(error, StreamError::Bounds { .. }), "{error}");
    }
    // Many small ones add up.
    let mut vetter = Vetter::new(Expected { bytes_max: 1000, ..expected(false) });
    let mut many = Stream::of(1, false);
    for n in 0..11 {
        many = many.wrote("events.jsonl", n * 100, &[b'x'; 100]);
    }
    let error = vetter.push(&many.ended(), &mut Vec::new()).unwrap_err();
    assert!(matches!(error, StreamError::Bounds { .. }));
    let mut long = Stream::of(1, false).bytes;
    long.extend_from_slice(&u32::MAX.to_le_bytes());
    long.extend_from_slice(&[0; 6]);
    assert!(matches!(vet(&long, false), Err(StreamError::TooLong { .. })));
}

#[test]
fn a_damaged_or_cut_stream_never_ends() {
    let whole = Stream::of(2, false).made("events.jsonl").wrote("events.jsonl", 0, b"{}\n").ended();
    let (out, _) = vet(&whole, false).unwrap();
    for cut in 0..whole.len() {
        let (part, vetter) = vet(&whole[..cut], false).unwrap();
        assert!(!vetter.is_ended() && out.starts_with(&part), "cut at {cut}");
    }
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        // The length of a command that is made longer waits for bytes that do not come.
        assert!(vet(&flipped, false).map_or(true, |(_, v)| !v.is_ended()), "byte {at}");
    }
    let twice = [whole.clone(), whole].concat();
    assert!(matches!(vet(&twice, false), Err(StreamError::Damaged { .. })));
    for version in [0, 3, u32::MAX] {
        assert!(matches!(vet(&Stream::new(version).bytes, false), Err(StreamError::Header)));
    }
    assert!(matches!(vet(&Stream::of(1, true).ended(), false), Err(StreamError::Parent)));
    assert!(matches!(vet(&Stream::of(1, false).ended(), true), Err(StreamError::Parent)));
}

#[test]
fn an_attribute_that_stands_there_twice_is_refused() {
    let twice = [(attr::PATH, &b"events.jsonl"[..]), (attr::PATH, &b"../x"[..])];
    let error = refused("two paths", Stream::of(1, false).with(kind::MKFILE, &twice));
    assert!(matches!(error, StreamError::Damaged { .. }));
}

#[test]
fn whatever_passes_is_read_the_same_by_another_reader_and_stays_inside() {
    bolero::check!().with_iterations(2000).with_type::<Vec<(u8, Vec<u8>, u64)>>().for_each(
        |parts| {
            let mut stream = Stream::of(2, false);
            let names = ["events.jsonl", "segments", "../x", "o1-2-3", "/x", "tile/0/x", "x\0"];
            for (choice, bytes, number) in parts {
                let name = names[usize::from(*choice >> 4) % names.len()];
                let path = (attr::PATH, name.as_bytes());
                let n = number.to_le_bytes();
                stream = match choice % 8 {
                    0 => stream.made(name),
                    1 => stream.wrote(name, number % (2 << 30), bytes),
                    2 => stream.with(kind::TRUNCATE, &[path, (attr::SIZE, &n)]),
                    3 => stream.with(kind::RENAME, &[path, (attr::PATH_TO, bytes)]),
                    4 => stream.with(kind::CHMOD, &[path, (attr::MODE, &n)]),
                    5 => stream.with(u16::from(*choice), &[path, (attr::DATA, bytes)]),
                    6 => stream.with(*number as u16, &[(attr::PATH, bytes)]),
                    _ => {
                        stream.bytes.extend_from_slice(bytes);
                        stream
                    }
                };
            }
            let mut out = Vec::new();
            let mut vetter = Vetter::new(expected(false));
            let _ = vetter.push(&stream.ended(), &mut out);
            let mut reader = StreamReader::new(&out[..]).unwrap();
            while let Some(command) = reader.next_command().unwrap() {
                let path = match &command {
                    StreamCommand::Mkfile { path }
                    | StreamCommand::Write { path, .. }
                    | StreamCommand::Truncate { path, .. }
                    | StreamCommand::Chmod { path, .. }
                    | StreamCommand::Rename { to: path, .. } => path,
                    StreamCommand::Subvol { path, .. } => {
                        assert_eq!(path, "incoming-7");
                        continue;
                    }
                    _ => continue,
                };
                assert!(!path.contains("..") && !path.starts_with('/'), "{path}");
            }
        },
    );
    bolero::check!().with_iterations(2000).for_each(|bytes| {
        let _ = vet(bytes, false);
        let known = [&Stream::of(2, false).bytes[..], bytes].concat();
        let _ = vet(&known, false);
    });
}
