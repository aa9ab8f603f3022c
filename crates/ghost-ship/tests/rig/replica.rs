//! A replica with a disk in memory: what is kept there is there after a power cut, all else is not.

use std::sync::Arc;

use ghost_log::proof::key::SigningKey;
use ghost_ship::DEAD_NS;
use ghost_ship::accept::{Accepted, Begun, BlockCheck, Keys, Known, Witnessed};
use ghost_ship::wire::{
    Code, Form, Frame, Health, Hello, Incoming, Kind, Level, Limits, Lines, LogId, Place, Refusal,
    Role, Session,
};
use ghost_world::{Link, SimLink};

/// What a power cut leaves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept {
    log: Option<LogId>,
    keys: Keys,
    blocks: Vec<(Known, Arc<Vec<u8>>)>,
    /// Lines after the newest block, as they came.
    tail: Vec<Vec<u8>>,
    witnessed: Option<Witnessed>,
}

/// Snapshots that a replica keeps here.
pub(crate) const BLOCKS_KEPT: usize = 4;

#[derive(Debug)]
struct Connection {
    link: SimLink,
    session: Session,
    out: Vec<u8>,
    told: u64,
    heard_ns: u64,
    /// The primary's newest note, for evidence.
    theirs: String,
    check: Option<(Box<BlockCheck>, Vec<u8>)>,
    passing: bool,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: usize,
    pub(crate) kept: Kept,
    accepted: Accepted,
    connection: Option<Connection>,
    key: SigningKey,
    pub(crate) full: bool,
    pub(crate) up: bool,
    /// Everything that was refused here.
    pub(crate) refusals: Vec<Refusal>,
    health_ns: u64,
}

impl Node {
    pub(crate) fn new(name: usize) -> Node {
        let key = SigningKey::cosigner(&format!("replica{name}"), [name as u8; 32]).unwrap();
        Node {
            name,
            kept: Kept::default(),
            accepted: Accepted::new(),
            connection: None,
            key,
            full: false,
            up: true,
            refusals: Vec::new(),
            health_ns: 0,
        }
    }

    pub(crate) fn held(&self) -> Place {
        self.accepted.held()
    }

    pub(crate) fn newest_block(&self) -> u64 {
        self.accepted.newest().map_or(0, |b| b.number)
    }

    pub(crate) fn blocks(&self) -> usize {
        self.accepted.blocks().len()
    }

    /// All that lies there, in order.
    pub(crate) fn content(&self) -> Vec<u8> {
        let mut all = self.kept.blocks.last().map_or(Vec::new(), |(_, bytes)| bytes.to_vec());
        self.kept.tail.iter().for_each(|line| all.extend_from_slice(line));
        all
    }

    pub(crate) fn connect(&mut self, link: SimLink, heard_ns: u64) {
        let session = Session::new(Role::Replica);
        let out = session.opening();
        let theirs = String::new();
        self.connection = Some(Connection {
            link,
            session,
            out,
            told: 0,
            heard_ns,
            theirs,
            check: None,
            passing: false,
        });
    }

    /// Power is lost, and comes back: what is on the disk is read again.
    pub(crate) fn restart(&mut self) {
        self.connection = None;
        let Kept { log, keys, blocks, tail, witnessed } = self.kept.clone();
        let known = blocks.iter().map(|(known, _)| known.clone()).collect();
        self.accepted = Accepted::resume(log, keys, known, witnessed);
        // Every line is shown again, as many at a time as a frame has room for.
        for some in tail.chunks(64) {
            let lines = Lines::new(some.concat()).expect("the tail is whole");
            let step = self.accepted.tail(u64::MAX, &lines, "").expect("the tail chains");
            self.accepted.keep_tail(step);
        }
    }

    /// Somebody made it anew.
    pub(crate) fn wipe(&mut self) {
        self.kept = Kept::default();
        self.restart();
    }

    pub(crate) fn wake_ns(&self) -> Option<u64> {
        self.connection.as_ref().and_then(|c| c.link.wake_ns())
    }

    pub(crate) fn step(&mut self, now_ns: u64, dies: &mut dyn FnMut() -> bool) {
        let Some(mut c) = self.connection.take() else { return };
        let mut buffer = [0; 16 << 10];
        loop {
            match c.link.receive(&mut buffer) {
                Ok(0) => return,
                Ok(n) => {
                    c.heard_ns = now_ns;
                    let mut rest = &buffer[..n];
                    while !rest.is_empty() {
                        let took = c.session.push(rest);
                        rest = &rest[took..];
                        if !self.listen(&mut c, dies) {
                            return;
                        }
                    }
                }
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(_) => return,
            }
        }
        if now_ns.saturating_sub(c.heard_ns) >= DEAD_NS {
            return;
        }
        if c.session.is_open() {
            if c.session.taken() > c.told {
                c.told = c.session.taken();
                let bytes = c.told;
                put(&mut c, &Frame::Received { bytes });
            }
            if now_ns >= self.health_ns {
                self.health_ns = now_ns + 5_000_000_000;
                let free_bytes = if self.full { 1000 } else { 1 << 40 };
                let health = Health { free_bytes, total_bytes: 1 << 40, ..Health::default() };
                put(&mut c, &Frame::Health(health));
            }
        }
        while !c.out.is_empty() {
            match c.link.send(&c.out) {
                Ok(n) => drop(c.out.drain(..n)),
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(_) => return,
            }
        }
        self.connection = Some(c);
    }

    /// Everything that is whole of what came; false where the connection ends.
    fn listen(&mut self, c: &mut Connection, dies: &mut dyn FnMut() -> bool) -> bool {
        loop {
            let incoming = match c.session.read() {
                Ok(Some(incoming)) => incoming,
                Ok(None) => return true,
                Err(e) => panic!("replica {}: {e}", self.name),
            };
            let result = match incoming {
                Incoming::Version(_) => {
                    let hello = self.hello();
                    put(c, &Frame::Hello(Box::new(hello)));
                    Ok(())
                }
                Incoming::Hello(hello) => {
                    c.theirs.clone_from(&hello.note);
                    self.accepted.meet(&hello).map(|()| {
                        self.accepted.keep_meeting(&hello);
                        self.kept.log = self.accepted.log();
                        self.kept.keys = self.accepted.keys().clone();
                    })
                }
                Incoming::Frame(Frame::Refusal(_) | Frame::Bye) => return false,
                Incoming::Frame(frame) => self.take(c, frame, dies),
            };
            if let Err(refusal) = result {
                let goes_on = refusal.code.is_of_one_thing();
                put(c, &Frame::Refusal(refusal.clone()));
                if refusal.is_of_block() {
                    (c.check, c.passing) = (None, true);
                }
                self.refusals.push(refusal);
                if !goes_on {
                    // The words go out as far as the line takes them.
                    let _ = c.link.send(&c.out);
                    return false;
                }
            }
            if !self.up {
                return false;
            }
        }
    }

    fn hello(&self) -> Hello {
        let a = &self.accepted;
        Hello {
            role: Role::Replica,
            name: format!("replica{}", self.name),
            program: "simulated".to_owned(),
            limits: Limits::OURS,
            log: a.log(),
            epoch: a.epoch(),
            held: a.held(),
            signed_size: a.witnessed().map_or(0, |w| w.size),
            signed_root: a.witnessed().map_or_else(Default::default, |w| w.root),
            note: a.witnessed().map_or_else(String::new, |w| w.note.clone()),
            blocks: a.told(),
            forms: vec![Form::Lines],
            key: self.key.verifying_key().to_string(),
        }
    }

    fn take(
        &mut self,
        c: &mut Connection,
        frame: Frame,
        dies: &mut dyn FnMut() -> bool,
    ) -> Result<(), Refusal> {
        match frame {
            Frame::Tail { epoch, lines } => {
                if self.full {
                    return Err(Refusal::new(Code::Full, "no room").about(Kind::Tail));
                }
                let step = self.accepted.tail(epoch, &lines, &c.theirs)?;
                let new = lines.after(step.after);
                self.kept.tail.extend(new.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec));
                if dies() {
                    // Durable, and never acknowledged.
                    self.up = false;
                    return Ok(());
                }
                self.accepted.keep_tail(step);
                put(c, &Frame::TailHeld(self.accepted.held()));
            }
            Frame::BlockBegin(begin) => {
                if self.full {
                    c.passing = true;
                    return Err(Refusal::new(Code::Full, "no room").about(Kind::BlockBegin));
                }
                c.passing = false;
                match self.accepted.begin_block(&begin) {
                    Ok(Begun::Check(check)) => c.check = Some((check, Vec::new())),
                    Ok(Begun::Already) => {
                        c.passing = true;
                        let (number, size, root) = (begin.number, begin.size, begin.root);
                        put(c, &Frame::BlockVerified { number, size, root });
                    }
                    Err(refusal) => {
                        c.passing = true;
                        return Err(refusal);
                    }
                }
            }
            Frame::BlockChunk { number, offset, bytes } => {
                if let Some((check, all)) = &mut c.check {
                    check.chunk(number, offset, &bytes)?;
                    all.extend_from_slice(&bytes);
                } else if !c.passing {
                    return Err(Refusal::new(Code::Unexpected, "no block is on its way"));
                }
            }
            Frame::BlockEnd { number, bytes } => {
                let Some((check, all)) = c.check.take() else { return Ok(()) };
                check.ended(number, bytes)?;
                self.block(c, *check, all, dies)?;
            }
            Frame::Checkpoint { note, growth } => {
                let step = self.accepted.witness(&note, &growth)?;
                self.kept.witnessed = Some(step.witnessed().clone());
                self.accepted.keep_witnessed(&step);
                let (size, root) = (step.witnessed().size, step.witnessed().root);
                let line = step.cosign(&self.key, 1_700_000_000);
                put(c, &Frame::Cosignature { size, root, line });
            }
            Frame::Ping { token } => put(c, &Frame::Pong { token }),
            other => panic!("replica {} was told {other:?}", self.name),
        }
        Ok(())
    }

    fn block(
        &mut self,
        c: &mut Connection,
        check: BlockCheck,
        bytes: Vec<u8>,
        dies: &mut dyn FnMut() -> bool,
    ) -> Result<(), Refusal> {
        use ghost_ship::wire::Start;
        let begin = check.begin().clone();
        let (mut all, base) = match &begin.start {
            Start::Base { size, .. } => (Vec::new(), *size),
            Start::Parent { number, .. } => {
                let (known, bytes) =
                    self.kept.blocks.iter().find(|(k, _)| k.number == *number).unwrap();
                (bytes.to_vec(), known.place.size)
            }
        };
        let leaf = |mut lines: std::slice::Split<'_, u8, fn(&u8) -> bool>, nth: u64| {
            let line = lines.nth(usize::try_from(nth).ok()?)?;
            let whole = [line, b"\n"].concat();
            Some(ghost_log::proof::leaf(&whole))
        };
        let newline: fn(&u8) -> bool = |b| *b == b'\n';
        let from = self.accepted.newest().map_or(0, |b| b.place.size);
        let tail = self.kept.tail.concat();
        let step = self.accepted.end_block(
            check,
            |seq| leaf(tail.split(newline), seq.checked_sub(from + 1)?),
            |seq| leaf(bytes.split(newline), seq.checked_sub(base + 1)?),
        )?;
        all.extend_from_slice(&bytes);
        // Verified, and not renamed: the next start removes it.
        if dies() {
            self.up = false;
            return Ok(());
        }
        let line = step.cosign(&self.key, 1_700_000_000);
        let settled = self.accepted.keep_block(step);
        let known = self.accepted.newest().unwrap().clone();
        self.kept.blocks.push((known, Arc::new(all)));
        let drop = usize::try_from(settled.drop_tail - from).unwrap().min(self.kept.tail.len());
        self.kept.tail.drain(..drop);
        self.kept.witnessed = self.accepted.witnessed().cloned();
        self.kept.keys = self.accepted.keys().clone();
        if dies() {
            // Renamed, and never acknowledged.
            self.up = false;
            return Ok(());
        }
        while self.kept.blocks.len() > BLOCKS_KEPT {
            let (old, _) = self.kept.blocks.remove(0);
            self.accepted.forget_block(old.number);
        }
        let (number, size, root) = (begin.number, begin.size, begin.root);
        put(c, &Frame::BlockVerified { number, size, root });
        if let Some(line) = line {
            put(c, &Frame::Cosignature { size, root, line });
        }
        Ok(())
    }
}

fn put(c: &mut Connection, frame: &Frame) {
    let bytes = c.session.frame(frame, Level::NONE);
    c.out.extend_from_slice(&bytes);
}
