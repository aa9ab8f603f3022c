//! Blocks as btrfs streams, from one real btrfs to another: what arrives is the block, byte for byte,
//! and what is not the block never gets a name.

mod peer;
#[path = "../../ghost-block/tests/block/mod.rs"]
mod sealed;

use std::fs;
use std::io::{Read as _, Seek as _};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use ghost_block::helper::{Receives, RemoteReceiver, serve as serve_helper};
use ghost_block::{Block, BlockError, SendOptions, make_subvolumes, open_volume};
use ghost_lab::{LoopFs, set_read_only};
use ghost_log::proof::{self};
use ghost_log::{Layout, TreeReader};
use ghost_replica::{
    Ended, Form, Holdings, LogId, ReceiveError, ReceiveStream, ReplicaDir, ReplicaHost, Settings,
    Silent, serve,
};
use ghost_ship::wire::{
    BlockBegin, Code, Frame, Growth, Hello, Incoming, Limits, Lines, Place, Refusal, Role, Start,
};
use ghost_world::{RealClock, RealDisk};
use sealed::{House, OPTIONS};

const LOG: LogId = LogId([0xab; 16]);

/// Starts `btrfs receive`, as the program does.
struct Child;

impl Receives for Child {
    #[expect(clippy::disallowed_methods, reason = "the file system's own program is what receives")]
    fn receive(
        &self,
        into: BorrowedFd<'_>,
        stream: OwnedFd,
    ) -> std::io::Result<Result<(), String>> {
        let mut command = Command::new("btrfs");
        command.args(["receive", "-e", "."]);
        command.current_dir(format!("/proc/self/fd/{}", into.as_raw_fd()));
        command.stdin(stream).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn()?;
        drop(command);
        let output = child.wait_with_output()?;
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok(if output.status.success() { Ok(()) } else { Err(words) })
    }
}

/// The helper on a thread beside it, over its real socket.
#[derive(Debug)]
struct Helper(PathBuf);

impl Helper {
    fn connect(&self) -> RemoteReceiver {
        let (kind, flags) = (rustix::net::SocketType::SEQPACKET, rustix::net::SocketFlags::CLOEXEC);
        let family = rustix::net::AddressFamily::UNIX;
        let (ours, theirs) = rustix::net::socketpair(family, kind, flags, None).unwrap();
        let data = self.0.clone();
        std::thread::spawn(move || serve_helper(theirs, &data, &Child));
        RemoteReceiver::connect(ours).unwrap()
    }
}

impl ReceiveStream for Helper {
    fn forms(&self) -> Vec<Form> {
        vec![Form::BtrfsPacked, Form::Btrfs]
    }

    fn receive(&self, log: LogId, number: u64, stream: OwnedFd) -> Result<(), ReceiveError> {
        self.connect().receive(log.0, number, stream).map_err(|e| match e {
            BlockError::NoSpace { .. } => ReceiveError::NoSpace,
            e if e.to_string().contains("cannot find parent") => ReceiveError::NoParent,
            e => ReceiveError::Failed(e.to_string()),
        })
    }

    fn delete(&self, log: LogId, name: &str) -> Result<(), ReceiveError> {
        let deleted = self.connect().delete(log.0, name);
        deleted.map_err(|e| ReceiveError::Failed(e.to_string()))
    }
}

/// Says what it says, to be looked at.
#[derive(Debug, Default)]
struct Host(Mutex<Vec<String>>);

impl ReplicaHost for Host {
    fn seed(&self) -> [u8; 32] {
        [9; 32]
    }

    fn say(&self, words: &str) {
        self.0.lock().unwrap().push(words.to_owned());
    }
}

/// A primary on one btrfs, a replica on another.
struct Bed {
    _one: LoopFs,
    two: LoopFs,
    house: House,
    data: PathBuf,
    holdings: Holdings,
    host: Arc<Host>,
    witnessed: u64,
}

fn data_in(fs: &LoopFs) -> PathBuf {
    let data = fs.path().join("data");
    fs::create_dir_all(&data).unwrap();
    data
}

impl Bed {
    fn new(segment_bytes: u64) -> Option<Bed> {
        Bed::sized(segment_bytes, 0)
    }

    /// `bytes` of the replica's disk; 0 for the usual.
    fn sized(segment_bytes: u64, bytes: u64) -> Option<Bed> {
        if LoopFs::skipped(&["btrfs"]) {
            return None;
        }
        let one = LoopFs::btrfs(0, OPTIONS).unwrap();
        let two = LoopFs::btrfs(bytes, OPTIONS).unwrap();
        make_subvolumes(&data_in(&one)).unwrap();
        let data = data_in(&two);
        make_subvolumes(&data).unwrap();
        let house = House::open(&data_in(&one), segment_bytes);
        let host = Arc::new(Host::default());
        let holdings = holdings(&data, &host);
        Some(Bed { _one: one, two, house, data, holdings, host, witnessed: 0 })
    }

    fn restart(&mut self) {
        self.holdings = holdings(&self.data, &self.host);
    }

    fn dir(&self) -> ReplicaDir {
        ReplicaDir::of(&self.data, LOG)
    }

    fn tree(&self) -> TreeReader {
        TreeReader::open(Arc::new(RealDisk), Layout::new(&self.house.data)).unwrap()
    }

    fn hello(&self) -> Hello {
        let head = self.house.log.durable();
        Hello {
            role: Role::Primary,
            name: "one".to_owned(),
            program: "test".to_owned(),
            limits: Limits::OURS,
            log: Some(LOG),
            epoch: self.house.log.epoch(),
            held: Place { size: head.seq, leaf: head.leaf },
            signed_size: 0,
            signed_root: ghost_event::Digest::ZERO,
            note: String::new(),
            blocks: Vec::new(),
            forms: vec![Form::BtrfsPacked, Form::Btrfs, Form::Lines],
            key: String::new(),
        }
    }

    fn begin(&self, block: &Block, parent: Option<&Block>, form: Form) -> BlockBegin {
        let note = fs::read_to_string(self.house.path(block).join("checkpoint")).unwrap();
        let mut tree = self.tree();
        let growth = match self.witnessed {
            0 => Growth::default(),
            old => {
                let (old, new) = (old.min(block.size), old.max(block.size));
                Growth { old, new, path: proof::consistency(&mut tree, old, new).unwrap() }
            }
        };
        let start = match parent {
            Some(parent) => Start::Parent { number: parent.name.number, root: parent.root },
            None => {
                let first = tree.first();
                let size = first - 1;
                let (leaf, frontier) = match size {
                    0 => (ghost_event::Digest::ZERO, Vec::new()),
                    _ => (
                        tree.leaf(size - 1).unwrap(),
                        proof::frontier(&mut tree, size).unwrap().frontier().to_vec(),
                    ),
                };
                Start::Base { size, leaf, frontier }
            }
        };
        BlockBegin {
            number: block.name.number,
            size: block.size,
            root: block.root,
            epoch: self.house.log.epoch(),
            form,
            start,
            note,
            growth,
        }
    }

    fn stream(&self, block: &Block, parent: Option<&Block>, form: Form) -> Vec<u8> {
        let mut out = tempfile::tempfile().unwrap();
        let options = SendOptions { compressed: form == Form::BtrfsPacked };
        open_volume(&self.house.data)
            .send(&block.name, parent.map(|p| &p.name), out.as_fd(), options)
            .unwrap();
        out.rewind().unwrap();
        let mut bytes = Vec::new();
        out.read_to_end(&mut bytes).unwrap();
        bytes
    }

    /// Says frames behind the hello and hears until nothing is awaited any more.
    fn say(&self, frames: &[Frame], until: impl Fn(&[Frame]) -> bool) -> (Vec<Frame>, Ended) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let (holdings, stop) = (&self.holdings, &stop);
            let served = scope.spawn(move || {
                let input = theirs.try_clone().unwrap();
                serve(input.into(), theirs.into(), holdings, &Silent, &RealClock, stop)
            });
            let mut heard = Vec::new();
            let hello = self.hello();
            let talked = peer::converse(&ours, Role::Primary, |incoming, say| match incoming {
                Incoming::Version(_) => {
                    say(&Frame::Hello(Box::new(hello.clone())));
                    true
                }
                Incoming::Hello(hello) => {
                    heard.push(Frame::Hello(hello));
                    frames.iter().for_each(say);
                    !until(&heard)
                }
                Incoming::Frame(Frame::Received { .. } | Frame::Health(_)) => true,
                Incoming::Frame(frame) => {
                    heard.push(frame);
                    !until(&heard)
                }
            });
            talked.unwrap();
            drop(ours);
            (heard, served.join().unwrap())
        })
    }

    fn frames(begin: BlockBegin, bytes: &[u8]) -> Vec<Frame> {
        let number = begin.number;
        let mut frames = vec![Frame::BlockBegin(Box::new(begin))];
        for (at, chunk) in bytes.chunks(100_000).enumerate() {
            let offset = at as u64 * 100_000;
            frames.push(Frame::BlockChunk { number, offset, bytes: chunk.to_vec() });
        }
        frames.push(Frame::BlockEnd { number, bytes: bytes.len() as u64 });
        frames
    }

    fn throw(&self, begin: BlockBegin, bytes: &[u8]) -> Result<u64, Refusal> {
        let (heard, _) = self.say(&Bed::frames(begin, bytes), |heard| {
            heard.iter().any(|f| matches!(f, Frame::Cosignature { .. } | Frame::Refusal(_)))
        });
        for frame in &heard {
            match frame {
                Frame::Cosignature { size, .. } => return Ok(*size),
                Frame::Refusal(refusal) => return Err(refusal.clone()),
                _ => {}
            }
        }
        panic!("neither refused nor cosigned: {heard:?}");
    }

    /// Sends a block and finds it there, byte for byte.
    #[track_caller]
    fn ship(&mut self, block: &Block, parent: Option<&Block>, form: Form) {
        let bytes = match form {
            Form::Lines => self.lines(parent, block),
            form => self.stream(block, parent, form),
        };
        let size = self.throw(self.begin(block, parent, form), &bytes);
        assert_eq!(size, Ok(block.size));
        self.witnessed = block.size;
        if form != Form::Lines {
            same(&self.house.path(block), &self.dir().blocks().join(block.name.to_string()));
        }
        self.readable();
    }

    fn lines(&self, parent: Option<&Block>, block: &Block) -> Vec<u8> {
        let reader = ghost_log::LogReader::open(&self.house.data);
        let mut lines = reader.lines(parent.map_or(0, |p| p.size) + 1);
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap().filter(|line| line.seq <= block.size) {
            all.extend_from_slice(line.bytes);
        }
        all
    }

    /// What can be read there is the log, line for line and place for place.
    #[track_caller]
    fn readable(&self) {
        let reader = self.dir().reader();
        let head = reader.head().unwrap();
        let ours = ghost_log::LogReader::open(&self.house.data);
        let (mut a, mut b) = (ours.lines(0), reader.lines(0));
        let mut count = 0;
        while let Some(theirs) = b.next().unwrap() {
            let mut line = a.next().unwrap().unwrap();
            while line.seq < theirs.seq {
                line = a.next().unwrap().unwrap();
            }
            assert_eq!(line, theirs);
            count += 1;
        }
        assert!(count > 0 && head > 0);
    }

    fn entries(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.dir().blocks())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn block(&mut self, events: u64) -> Block {
        self.house.events(events);
        self.house.seal().unwrap().unwrap()
    }

    /// Lines that run ahead, from what is held to the durable end.
    fn tail(&self, after: u64) -> Vec<Frame> {
        let reader = ghost_log::LogReader::open(&self.house.data);
        let mut lines = reader.lines(after + 1);
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            if line.seq > after {
                all.push(line.bytes.to_vec());
            }
        }
        let epoch = self.house.log.epoch();
        let frames = all
            .chunks(50)
            .map(|some| Frame::Tail { epoch, lines: Lines::new(some.concat()).unwrap() });
        frames.collect()
    }
}

fn holdings(data: &Path, host: &Arc<Host>) -> Holdings {
    let settings = Settings { spare_bytes: 1 << 20, ..Settings::default() };
    let helper = Arc::new(Helper(data.to_owned()));
    let host: Arc<dyn ReplicaHost> = Arc::clone(host) as _;
    Holdings::new(Arc::new(RealDisk), data, "two", "test", host, helper, settings)
}

/// Two folders hold the same.
#[track_caller]
fn same(ours: &Path, theirs: &Path) {
    let list = |path: &Path| {
        let mut names: Vec<_> =
            fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(list(ours), list(theirs), "{}", theirs.display());
    for name in list(ours) {
        let (a, b) = (ours.join(&name), theirs.join(&name));
        if a.is_dir() {
            same(&a, &b);
        } else {
            assert!(fs::read(&a).unwrap() == fs::read(&b).unwrap(), "{}", b.display());
        }
    }
}

#[test]
fn root_blocks_arrive_whole_as_streams_of_both_versions_and_as_lines() {
    let Some(mut bed) = Bed::new(64 << 10) else { return };
    let mut before: Option<Block> = None;
    let forms = [Form::Btrfs, Form::BtrfsPacked, Form::BtrfsPacked, Form::Btrfs, Form::BtrfsPacked];
    for (form, events) in forms.into_iter().zip([300, 5, 1, 700, 40]) {
        // Its own lines follow a block: the tail runs ahead of the next.
        let block = bed.block(events);
        bed.ship(&block, before.as_ref(), form);
        before = Some(block);
    }
    // As lines beside them, which no stream builds on; then everything anew.
    let block = bed.block(500);
    bed.ship(&block, before.as_ref(), Form::Lines);
    let next = bed.block(3);
    let begin = bed.begin(&next, Some(&block), Form::BtrfsPacked);
    let refusal = bed.throw(begin, &bed.stream(&next, Some(&block), Form::BtrfsPacked));
    assert_eq!(refusal.unwrap_err().code, Code::NoParent);
    bed.ship(&next, None, Form::BtrfsPacked);
    bed.restart();
    let last = bed.block(30);
    bed.ship(&last, Some(&next), Form::BtrfsPacked);
    assert!(!bed.entries().iter().any(|name| name.starts_with("incoming")), "{:?}", bed.entries());
}

#[test]
fn root_a_block_with_a_stream_that_is_cut_flipped_or_another_never_gets_its_name() {
    let Some(mut bed) = Bed::new(64 << 10) else { return };
    let first = bed.block(200);
    bed.ship(&first, None, Form::BtrfsPacked);
    let second = bed.block(100);
    let third = bed.block(100);
    let names = bed.entries();
    let good = bed.stream(&second, Some(&first), Form::BtrfsPacked);
    let begin = || bed.begin(&second, Some(&first), Form::BtrfsPacked);
    let no_end = good.len() - 10;
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    let twice = [good.clone(), good.clone()].concat();
    for (what, bytes) in [
        ("half of it", &good[..good.len() / 2]),
        ("all but its end", &good[..no_end]),
        ("nothing", &[][..]),
        ("a byte that is another", &flipped),
        ("it twice", &twice),
        ("another block's", &bed.stream(&third, Some(&first), Form::BtrfsPacked)),
        ("of another parent", &bed.stream(&third, Some(&second), Form::BtrfsPacked)),
        ("of no parent", &bed.stream(&second, None, Form::BtrfsPacked)),
    ] {
        let refusal = bed.throw(begin(), bytes).expect_err(what);
        assert!(matches!(refusal.code, Code::Altered), "{what}: {refusal:?}");
        assert_eq!(bed.entries(), names, "{what} left something");
    }
    bed.ship(&second, Some(&first), Form::BtrfsPacked);
    bed.ship(&third, Some(&second), Form::BtrfsPacked);
}

#[test]
fn root_a_parent_that_root_edited_through_the_raw_flag_is_set_aside_and_everything_comes_anew() {
    let Some(mut bed) = Bed::new(64 << 10) else { return };
    let first = bed.block(100);
    bed.ship(&first, None, Form::BtrfsPacked);
    let second = bed.block(100);
    bed.ship(&second, Some(&first), Form::BtrfsPacked);
    let third = bed.block(10);
    // The kernel's call says nothing of it; what it was received from stays.
    let path = bed.dir().blocks().join(second.name.to_string());
    set_read_only(&path, false).unwrap();
    let file = path.join("events.jsonl");
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.windows(7).position(|w| w == b"\"noise\"").unwrap() + 10;
    bytes[at] ^= 1;
    fs::write(&file, bytes).unwrap();
    set_read_only(&path, true).unwrap();
    let stream = bed.stream(&third, Some(&second), Form::BtrfsPacked);
    let refusal = bed.throw(bed.begin(&third, Some(&second), Form::BtrfsPacked), &stream);
    assert_eq!(refusal.unwrap_err().code, Code::NoParent);
    let said = bed.host.0.lock().unwrap().join("\n");
    assert!(said.contains("changed after it was verified"), "{said}");
    assert!(bed.entries().iter().any(|name| name.starts_with("edited-")), "{:?}", bed.entries());
    bed.ship(&third, Some(&first), Form::BtrfsPacked);
}

#[test]
fn root_lines_that_run_ahead_are_held_until_a_block_has_them_whatever_comes_between() {
    let Some(mut bed) = Bed::new(64 << 10) else { return };
    let first = bed.block(100);
    bed.ship(&first, None, Form::BtrfsPacked);
    bed.house.events(120);
    bed.house.log.sync().unwrap();
    let durable = bed.house.log.durable().seq;
    let held = |heard: &[Frame], size: u64| {
        heard.iter().any(|f| matches!(f, Frame::TailHeld(place) if place.size >= size))
    };
    let (heard, _) = bed.say(&bed.tail(first.size), |heard| held(heard, durable));
    assert!(held(&heard, durable), "{heard:?}");
    bed.readable();
    assert_eq!(bed.dir().reader().head().unwrap(), durable);
    bed.restart();
    let (heard, _) = bed.say(&[], |heard| !heard.is_empty());
    let Some(Frame::Hello(hello)) = heard.first() else { panic!("{heard:?}") };
    assert_eq!(hello.held.size, durable, "what was acknowledged is held");
    // A reader that was open before reads on when the block takes the tail's place.
    let reader = bed.dir().reader();
    let mut lines = reader.lines(0);
    let mut count = 0;
    while let Some(line) = lines.next().unwrap() {
        count = line.seq;
    }
    assert_eq!(count, durable);
    let second = bed.block(1);
    bed.ship(&second, Some(&first), Form::BtrfsPacked);
    assert_eq!(fs::read(bed.dir().tail()).unwrap(), b"", "the tail's lines are in the block");
    while let Some(line) = lines.next().unwrap() {
        assert_eq!(line.seq, count + 1);
        count = line.seq;
    }
    assert_eq!(count, second.size);
}

#[test]
fn root_a_full_disk_refuses_a_block_and_takes_it_when_there_is_room() {
    let Some(mut bed) = Bed::sized(64 << 10, 128 << 20) else { return };
    let first = bed.block(100);
    bed.ship(&first, None, Form::BtrfsPacked);
    let filler = bed.two.path().join("filler");
    let mut left = 200_u64 << 20;
    let file = fs::File::create(&filler).unwrap();
    let noise: Vec<u8> =
        (0..1_u32 << 18).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    while left > 0 && std::io::Write::write_all(&mut &file, &noise).is_ok() {
        left = left.saturating_sub(noise.len() as u64);
    }
    drop(file);
    let second = bed.block(20_000);
    let stream = bed.stream(&second, Some(&first), Form::BtrfsPacked);
    let refusal = bed.throw(bed.begin(&second, Some(&first), Form::BtrfsPacked), &stream);
    assert_eq!(refusal.unwrap_err().code, Code::Full);
    assert_eq!(bed.entries(), [first.name.to_string()]);
    fs::remove_file(&filler).unwrap();
    bed.ship(&second, Some(&first), Form::BtrfsPacked);
}

#[test]
fn root_segments_that_the_primary_gave_up_go_and_others_do_not() {
    let Some(mut bed) = Bed::new(64 << 10) else { return };
    let first = bed.block(1500);
    bed.ship(&first, None, Form::BtrfsPacked);
    let segments = bed.house.log.segments();
    assert!(segments.len() > 3, "{segments:?}");
    bed.house.log.retire(segments[2].first).unwrap();
    let second = bed.block(10);
    bed.ship(&second, Some(&first), Form::BtrfsPacked);
    let reader = bed.dir().reader();
    assert_eq!(reader.first().unwrap(), segments[2].first, "its oldest segments went");
    // As lines the same, and everything anew.
    let third = bed.block(10);
    bed.ship(&third, None, Form::BtrfsPacked);
    // A segment that is gone without a word is missed.
    let fourth = bed.block(1);
    let path = bed.house.path(&fourth);
    set_read_only(&path, false).unwrap();
    fs::remove_file(path.join(format!("segments/{:020}.jsonl", segments[3].first))).unwrap();
    set_read_only(&path, true).unwrap();
    let stream = bed.stream(&fourth, Some(&third), Form::BtrfsPacked);
    let refusal = bed.throw(bed.begin(&fourth, Some(&third), Form::BtrfsPacked), &stream);
    let refusal = refusal.unwrap_err();
    assert_eq!(refusal.code, Code::Altered, "{refusal:?}");
    assert!(refusal.words.contains("no line gives it up"), "{refusal:?}");
}

#[test]
fn root_a_promoted_log_is_the_whole_log_and_begins_a_new_epoch() {
    let Some(mut bed) = Bed::new(64 << 10) else { return };
    let first = bed.block(400);
    bed.ship(&first, None, Form::BtrfsPacked);
    bed.house.events(30);
    bed.house.log.sync().unwrap();
    let durable = bed.house.log.durable().seq;
    bed.say(&bed.tail(first.size), |heard| {
        heard.iter().any(|f| matches!(f, Frame::TailHeld(place) if place.size >= durable))
    });
    let epoch = bed.house.log.epoch();
    let own = bed.data.join("own");
    // Whoever receives holds the log.
    let dir = bed.dir();
    let clock: Arc<RealClock> = Arc::new(RealClock);
    let busy = ghost_replica::promote(&dir, &own, [5; 32], "test", clock.clone()).unwrap_err();
    assert!(busy.to_string().contains("stop the daemon"), "{busy}");
    bed.holdings = holdings(&own, &bed.host);
    let done = ghost_replica::promote(&dir, &own, [5; 32], "test", clock.clone()).unwrap();
    assert_eq!((done.size, done.epoch), (durable, epoch + 1));
    let ours = ghost_log::LogReader::open(&bed.house.data);
    let theirs = ghost_log::LogReader::open(&own);
    let (mut a, mut b) = (ours.lines(0), theirs.lines(0));
    for _ in 0..durable {
        assert_eq!(a.next().unwrap().unwrap(), b.next().unwrap().unwrap());
    }
    let verdict = ghost_log::verify(&own, &ghost_log::VerifyOptions::default()).unwrap();
    assert!(verdict.ok(), "{verdict:?}");
    // A log with events is not replaced.
    let again = ghost_replica::promote(&dir, &own, [5; 32], "test", clock).unwrap_err();
    assert!(again.to_string().contains("has events"), "{again}");
}

#[test]
fn root_a_connection_that_ends_within_a_stream_leaves_nothing_and_the_next_one_ships_it() {
    let Some(mut bed) = Bed::new(64 << 10) else { return };
    let first = bed.block(100);
    bed.ship(&first, None, Form::BtrfsPacked);
    let second = bed.block(2000);
    let names = bed.entries();
    for form in [Form::BtrfsPacked, Form::Btrfs, Form::Lines] {
        let bytes = match form {
            Form::Lines => bed.lines(Some(&first), &second),
            form => bed.stream(&second, Some(&first), form),
        };
        for part in [1, bytes.len() / 3, bytes.len() - 1] {
            let begin = bed.begin(&second, Some(&first), form);
            let mut frames = Bed::frames(begin, &bytes[..part]);
            frames.pop();
            let (heard, ended) = bed.say(&frames, |heard| !heard.is_empty());
            assert!(matches!(heard[..], [Frame::Hello(_)]), "{heard:?}");
            assert_eq!(ended.refusal, None);
            assert_eq!(bed.entries(), names, "{form:?} cut after {part} bytes");
        }
    }
    // Killed while one was on its way: what it left is removed when the log is opened again.
    let left = bed.dir().blocks().join("incoming-2");
    ghost_block::make_subvolumes(&left).unwrap();
    fs::create_dir(bed.dir().blocks().join("incoming-9")).unwrap();
    bed.restart();
    bed.ship(&second, Some(&first), Form::BtrfsPacked);
    assert_eq!(bed.entries().len(), 2, "{:?}", bed.entries());
}
