//! A primary with its log in memory, and a real replica on a disk of its own beside it: one process,
//! the real wire between them.

#![allow(dead_code, reason = "each test binary uses its own part")]

#[path = "../../../ghost-ship/tests/rig/log.rs"]
pub(crate) mod log;

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use ghost_event::{Digest, Priority};
use ghost_replica::{
    Ended, Holdings, Reader, ReceiveError, ReceiveStream, ReplicaDir, ReplicaHost, Settings,
    Silent, serve,
};
use ghost_ship::wire::{
    BlockBegin, Form, Frame, Growth, Hello, Incoming, Level, Limits, Lines, LogId, Refusal, Role,
    Session, Start,
};
use ghost_world::{Clock, Disk, Random, RealClock, RealDisk};
use log::MemLog;
use tempfile::TempDir;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A host without btrfs: blocks come as lines.
#[derive(Debug)]
pub(crate) struct Plain(pub(crate) std::path::PathBuf);

impl ReceiveStream for Plain {
    fn forms(&self) -> Vec<Form> {
        Vec::new()
    }

    fn receive(&self, _: LogId, _: u64, _: OwnedFd) -> Result<(), ReceiveError> {
        Err(ReceiveError::Unable("no btrfs".to_owned()))
    }

    fn delete(&self, log: LogId, name: &str) -> Result<(), ReceiveError> {
        let blocks = self.0.join("replicas").join(log.to_string()).join("blocks");
        Ok(std::fs::remove_dir_all(blocks.join(name))?)
    }
}

/// What the program would hand in.
#[derive(Debug)]
pub(crate) struct Host;

impl ReplicaHost for Host {
    fn seed(&self) -> [u8; 32] {
        [42; 32]
    }

    fn say(&self, words: &str) {
        let _ = words;
    }
}

/// The replica: a data folder, and whoever serves it.
pub(crate) struct Replica {
    pub(crate) dir: TempDir,
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    holdings: Arc<Holdings>,
}

impl Replica {
    pub(crate) fn new() -> Replica {
        Replica::on(Arc::new(RealDisk))
    }

    pub(crate) fn on(disk: Arc<dyn Disk>) -> Replica {
        let dir = tempfile::tempdir().unwrap();
        let holdings = holdings(Arc::clone(&disk), dir.path());
        Replica { dir, disk, clock: Arc::new(RealClock), holdings }
    }

    /// Its clock from now on.
    pub(crate) fn clock(&mut self, clock: Arc<dyn Clock>) {
        self.clock = clock;
    }

    /// The program ends and starts again: what is not on the disk is forgotten.
    pub(crate) fn restart(&mut self) {
        self.restart_on(Arc::clone(&self.disk));
    }

    /// The same on what a disk is after a power cut.
    pub(crate) fn restart_on(&mut self, disk: Arc<dyn Disk>) {
        self.holdings = holdings(Arc::clone(&disk), self.dir.path());
        self.disk = disk;
    }

    /// Serves one connection on a thread of its own.
    pub(crate) fn serve(&self, stream: &UnixStream) -> std::thread::JoinHandle<Ended> {
        let (input, output) = (stream.try_clone().unwrap(), stream.try_clone().unwrap());
        let (holdings, clock) = (Arc::clone(&self.holdings), Arc::clone(&self.clock));
        std::thread::spawn(move || {
            let stop = AtomicBool::new(false);
            serve(input.into(), output.into(), &holdings, &Silent, &*clock, &stop)
        })
    }

    pub(crate) fn dir_of(&self, log: &MemLog) -> ReplicaDir {
        ReplicaDir::of(self.dir.path(), log.id)
    }

    /// All lines that can be read of a log, by a reader that begins anew.
    pub(crate) fn lines(&self, log: &MemLog) -> Vec<Vec<u8>> {
        let reader = Reader::open(Arc::clone(&self.disk), &self.dir_of(log));
        let mut lines = reader.lines(1);
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            all.push(line.bytes.to_vec());
        }
        all
    }
}

fn holdings(disk: Arc<dyn Disk>, data: &Path) -> Arc<Holdings> {
    let receive = Arc::new(Plain(data.to_owned()));
    let settings = Settings { spare_bytes: 0, ..Settings::default() };
    Arc::new(Holdings::new(disk, data, "replica", "test", Arc::new(Host), receive, settings))
}

/// A sealed block.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) number: u64,
    pub(crate) size: u64,
    pub(crate) root: Digest,
    pub(crate) note: String,
}

/// The primary, and what it was told.
#[derive(Debug, Clone)]
pub(crate) struct Primary {
    pub(crate) log: MemLog,
    pub(crate) blocks: Vec<Block>,
    /// Lines that were acknowledged, of tail or block; the newest verified block; lines cosigned.
    pub(crate) acked: u64,
    pub(crate) verified: u64,
    pub(crate) cosigned: u64,
    /// It sends each part of the tail when the one before was acknowledged.
    pub(crate) patient: bool,
}

/// How one connection went.
#[derive(Debug, Default)]
pub(crate) struct Spoke {
    /// Everything that there was is held, verified and cosigned.
    pub(crate) complete: bool,
    pub(crate) hello: Option<Hello>,
    pub(crate) refusals: Vec<Refusal>,
}

impl Primary {
    pub(crate) fn new(seed: u8) -> Primary {
        Primary {
            log: MemLog::new(seed),
            blocks: Vec::new(),
            acked: 0,
            verified: 0,
            cosigned: 0,
            patient: false,
        }
    }

    /// So many more events.
    pub(crate) fn grow(&mut self, events: u64, random: &mut Random) {
        for _ in 0..events {
            let bytes = random.index(600);
            self.log.event(Priority::High, random.number(), bytes);
        }
    }

    pub(crate) fn seal(&mut self) {
        let size = self.log.size();
        if self.blocks.last().is_some_and(|b| b.size == size) {
            return;
        }
        let number = self.blocks.last().map_or(0, |b| b.number) + 1;
        let (root, note) = (self.log.root_at(size), self.log.checkpoint(size));
        self.blocks.push(Block { number, size, root, note });
    }

    pub(crate) fn hello(&mut self) -> Hello {
        let newest = self.blocks.last().cloned();
        Hello {
            role: Role::Primary,
            name: "primary".to_owned(),
            program: "test".to_owned(),
            limits: Limits::OURS,
            log: Some(self.log.id),
            epoch: self.log.epoch,
            held: self.log.place(self.log.size()),
            signed_size: newest.as_ref().map_or(0, |b| b.size),
            signed_root: newest.as_ref().map_or_else(Digest::default, |b| b.root),
            note: newest.map_or_else(String::new, |b| b.note),
            blocks: Vec::new(),
            forms: vec![Form::Lines],
            key: self.log.key.verifying_key().to_string(),
        }
    }

    /// Tail and newest block, as that replica lacks them.
    pub(crate) fn owed(&mut self, hello: &Hello) -> Vec<Frame> {
        let mut frames = Vec::new();
        let mut after = hello.held.size;
        while after < self.log.size() {
            let upto = (after + 7).min(self.log.size());
            let lines = Lines::new(self.log.raw(after, upto)).unwrap();
            frames.push(Frame::Tail { epoch: self.log.epoch, lines });
            after = upto;
        }
        let told = |number: u64| hello.blocks.iter().any(|b| b.number == number);
        if let Some(block) = self.blocks.last().cloned().filter(|b| !told(b.number)) {
            let parent = self.blocks.iter().rev().find(|b| told(b.number)).cloned();
            let (start, from) = match parent {
                Some(b) => (Start::Parent { number: b.number, root: b.root }, b.size),
                None => (Start::Base { size: 0, leaf: Digest::ZERO, frontier: Vec::new() }, 0),
            };
            frames.extend(self.block(&block, start, from, hello.signed_size));
        }
        frames
    }

    /// A block as lines from `from` on.
    pub(crate) fn block(
        &mut self,
        block: &Block,
        start: Start,
        from: u64,
        witnessed: u64,
    ) -> Vec<Frame> {
        let growth = match witnessed {
            0 => Growth::default(),
            witnessed => self.log.growth(witnessed, block.size),
        };
        let begin = BlockBegin {
            number: block.number,
            size: block.size,
            root: block.root,
            epoch: self.log.epoch,
            form: Form::Lines,
            start,
            note: block.note.clone(),
            growth,
        };
        let bytes = self.log.raw(from, block.size);
        chunks(begin, &bytes)
    }

    /// Speaks until all is said and acknowledged, or the connection ends. What was acknowledged
    /// before must be held, as it was.
    #[track_caller]
    pub(crate) fn speak(&mut self, stream: &UnixStream) -> Spoke {
        let hello = self.hello();
        let mut spoke = Spoke::default();
        let mut queue = VecDeque::new();
        let (size, newest) = (self.log.size(), self.blocks.last().cloned());
        let _ = converse(stream, Role::Primary, |heard, say| match heard {
            Incoming::Version(_) => {
                say(&Frame::Hello(Box::new(hello.clone())));
                true
            }
            Incoming::Hello(theirs) => {
                self.check_told(&theirs);
                queue.extend(self.owed(&theirs));
                advance(&mut queue, self.patient, say);
                self.cosigned = self.cosigned.max(theirs.signed_size);
                self.acked = self.acked.max(theirs.held.size);
                self.verified = theirs.blocks.last().map_or(self.verified, |b| b.number);
                spoke.hello = Some(*theirs);
                spoke.complete = self.is_complete(size, newest.as_ref());
                !spoke.complete
            }
            Incoming::Frame(frame) => {
                match frame {
                    Frame::TailHeld(place) => {
                        assert_eq!(place, self.log.place(place.size), "acknowledged what is not");
                        self.acked = self.acked.max(place.size);
                        advance(&mut queue, self.patient, say);
                    }
                    Frame::BlockVerified { number, size, root } => {
                        let block = self.blocks.iter().find(|b| b.number == number).unwrap();
                        assert_eq!((block.size, block.root), (size, root));
                        self.verified = self.verified.max(number);
                        self.acked = self.acked.max(size);
                    }
                    Frame::Cosignature { size, root, .. } => {
                        assert_eq!(self.log.root_at(size), root);
                        self.cosigned = self.cosigned.max(size);
                    }
                    Frame::Refusal(refusal) => {
                        let goes_on = refusal.code.is_of_one_thing();
                        spoke.refusals.push(refusal);
                        return goes_on;
                    }
                    Frame::Bye => return false,
                    _ => {}
                }
                spoke.complete = self.is_complete(size, newest.as_ref());
                !spoke.complete
            }
        });
        spoke
    }

    fn is_complete(&self, size: u64, newest: Option<&Block>) -> bool {
        self.acked >= size
            && newest.is_none_or(|b| self.verified >= b.number && self.cosigned >= b.size)
    }

    /// Whatever was acknowledged is held still, and is of this log.
    #[track_caller]
    pub(crate) fn check_told(&self, theirs: &Hello) {
        assert!(theirs.held.size >= self.acked, "{} of {} lines", theirs.held.size, self.acked);
        assert_eq!(theirs.held, self.log.place(theirs.held.size));
        let newest = theirs.blocks.last().map_or(0, |b| b.number);
        assert!(newest >= self.verified, "block {newest} of {}", self.verified);
        assert!(theirs.signed_size >= self.cosigned);
    }

    /// Whatever was acknowledged is read there, byte for byte, and nothing else.
    #[track_caller]
    pub(crate) fn check_lines(&self, replica: &Replica) {
        let lines = replica.lines(&self.log);
        assert!(lines.len() as u64 >= self.acked, "{} of {} lines", lines.len(), self.acked);
        assert!(lines.len() <= self.log.lines.len());
        for (at, (theirs, ours)) in lines.iter().zip(&self.log.lines).enumerate() {
            assert!(theirs == ours, "line {} is another one", at + 1);
        }
    }

    /// Ships everything over a line that holds.
    #[track_caller]
    pub(crate) fn converge(&mut self, replica: &Replica) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let served = replica.serve(&theirs);
        drop(theirs);
        let spoke = self.speak(&ours);
        drop(ours);
        let ended = served.join().unwrap();
        assert!(spoke.complete, "{:?}; {ended:?}", spoke.refusals);
        assert_eq!(replica.lines(&self.log), self.log.lines);
        let name = self.blocks.last().map(|b| (b.number, b.root));
        let newest = replica.dir_of(&self.log).newest_block();
        assert_eq!(newest.map(|n| n.number), name.map(|(number, _)| number));
    }
}

/// Says what is next: one part of a tail where each is waited for, else everything.
fn advance(queue: &mut VecDeque<Frame>, patient: bool, say: &mut dyn FnMut(&Frame)) {
    while let Some(frame) = queue.pop_front() {
        say(&frame);
        if patient && matches!(frame, Frame::Tail { .. }) {
            return;
        }
    }
}

/// A block's frames.
pub(crate) fn chunks(begin: BlockBegin, bytes: &[u8]) -> Vec<Frame> {
    let number = begin.number;
    let mut frames = vec![Frame::BlockBegin(Box::new(begin))];
    for (at, chunk) in bytes.chunks(900).enumerate() {
        let offset = at as u64 * 900;
        frames.push(Frame::BlockChunk { number, offset, bytes: chunk.to_vec() });
    }
    frames.push(Frame::BlockEnd { number, bytes: bytes.len() as u64 });
    frames
}

/// Speaks the wire on a stream: `hear` is told what came, may say frames, and ends it with false.
/// Frames go out on a thread of their own, so that nobody waits for the other.
pub(crate) fn converse(
    stream: &UnixStream,
    role: Role,
    mut hear: impl FnMut(Incoming, &mut dyn FnMut(&Frame)) -> bool,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut session = Session::new(role);
    let (send, queued) = std::sync::mpsc::sync_channel::<Vec<u8>>(65_536);
    let mut writer = stream.try_clone()?;
    let opening = session.opening();
    let writing = std::thread::spawn(move || {
        let mut write = || {
            writer.write_all(&opening)?;
            queued.iter().try_for_each(|bytes| writer.write_all(&bytes))
        };
        // A line that broke ends the writing; what is read tells the rest.
        write().is_ok()
    });
    let mut reader = stream.try_clone()?;
    let mut buffer = vec![0; 16 << 10];
    let result = 'all: loop {
        let n = match reader.read(&mut buffer) {
            Ok(0) => break Ok(()),
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => break Err(e),
        };
        let mut rest = &buffer[..n];
        while !rest.is_empty() {
            let took = session.push(rest);
            rest = &rest[took..];
            loop {
                match session.read() {
                    Ok(Some(incoming)) => {
                        let mut say = |frame: &Frame| {
                            let _ = send.send(frame.bytes(Level::new(3)));
                        };
                        if !hear(incoming, &mut say) {
                            break 'all Ok(());
                        }
                    }
                    Ok(None) => break,
                    Err(e) => panic!("the replica speaks otherwise: {e}"),
                }
            }
        }
    };
    drop(send);
    // A replica that no longer reads must not keep the writer.
    let _ = stream.shutdown(std::net::Shutdown::Read);
    if result.is_err() {
        let _ = stream.shutdown(std::net::Shutdown::Both);
    }
    let _ = writing.join();
    let _ = stream.shutdown(std::net::Shutdown::Write);
    result
}
