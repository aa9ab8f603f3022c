//! A primary with its log in memory, as a daemon would run it: the plan decides, this obeys.

use std::collections::BTreeMap;

use ghost_event::{Digest, Priority};
use ghost_log::proof::checkpoint::SignedCheckpoint;
use ghost_ship::TAIL_BYTES_WANTED;
use ghost_ship::accept::{self, compare};
use ghost_ship::plan::{
    self, Action, Held, Link as Is, Now, Replica, Sealed, Settings, Strategy, Waiting,
};
use ghost_ship::wire::{
    BlockBegin, BlockTold, Code, Form, Frame, Growth, Hello, Incoming, Level, Limits, Lines,
    Refusal, Role, Session, Start,
};
use ghost_world::{Link, Random, SimLink};

use super::log::MemLog;

#[derive(Debug)]
struct Connection {
    link: SimLink,
    session: Session,
    out: Vec<u8>,
    /// The block on its way: its number, its bytes, how far they went out.
    block: Option<(u64, Vec<u8>, usize)>,
    level: Level,
    witnessed: u64,
    blocks: Vec<BlockTold>,
}

#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) plan: Replica,
    connection: Option<Connection>,
    /// Why it was refused, by either side.
    pub(crate) refusals: Vec<Refusal>,
    /// Since when nothing disturbed it.
    pub(crate) calm_ns: Option<u64>,
    pub(crate) fast: bool,
    pub(crate) checked: u64,
    pub(crate) full_sends: u64,
    pub(crate) block_sends: u64,
}

#[derive(Debug)]
pub(crate) struct Primary {
    pub(crate) log: MemLog,
    pub(crate) durable: u64,
    /// Survives all but a restored backup.
    pub(crate) epoch: u64,
    pub(crate) waiting: Waiting,
    pub(crate) blocks: Vec<Sealed>,
    sealed: u64,
    pub(crate) notes: BTreeMap<u64, String>,
    pub(crate) peers: Vec<Peer>,
    pub(crate) appended: Vec<(u64, Priority)>,
    /// Counts what concerns every replica's plan.
    pub(crate) version: u64,
    /// Whether blocks are made: a volume may refuse to for long.
    pub(crate) seals: bool,
    sync_ns: Option<u64>,
    seal_ns: Option<u64>,
    pub(crate) cap: usize,
    pub(crate) blocks_most: usize,
    pub(crate) strategy: Strategy,
    line_bytes: u64,
    /// Lines whose deadline was held against what they took, and the pressing ones among them.
    pub(crate) timed: u64,
    pub(crate) timed_pressing: u64,
}

const MS: u64 = 1_000_000;

impl Primary {
    pub(crate) fn new(peers: usize, cap: usize, strategy: Strategy, now_ns: u64) -> Primary {
        let log = MemLog::new(1);
        let durable = log.size();
        let peer = |_| Peer {
            plan: Replica::new(Settings::default(), now_ns),
            connection: None,
            refusals: Vec::new(),
            calm_ns: None,
            fast: false,
            checked: 0,
            full_sends: 0,
            block_sends: 0,
        };
        let mut primary = Primary {
            log,
            durable,
            epoch: 1,
            waiting: Waiting::new(),
            blocks: Vec::new(),
            sealed: 0,
            notes: BTreeMap::new(),
            peers: (0..peers).map(peer).collect(),
            appended: Vec::new(),
            version: 0,
            seals: true,
            sync_ns: None,
            seal_ns: None,
            cap,
            blocks_most: 0,
            strategy,
            line_bytes: 300,
            timed: 0,
            timed_pressing: 0,
        };
        primary.fill_appended(now_ns);
        primary
    }

    /// The log's own first lines count as events that came at the beginning.
    fn fill_appended(&mut self, now_ns: u64) {
        for seq in self.appended.len() as u64 + 1..=self.log.size() {
            self.appended.push((now_ns, Priority::High));
            self.waiting.event(seq, Priority::High, now_ns);
        }
    }

    pub(crate) fn event(&mut self, prio: Priority, what: u64, bytes: usize, now_ns: u64) {
        self.version += 1;
        let seq = self.log.event(prio, what, bytes);
        self.appended.push((now_ns, prio));
        self.waiting.event(seq, prio, now_ns);
        let (sync, seal) = match prio {
            Priority::Critical => (0, 0),
            Priority::High => (100 * MS, 500 * MS),
            Priority::Medium => (1000 * MS, 5000 * MS),
            Priority::Low => (5000 * MS, 30_000 * MS),
        };
        let soonest =
            |at: Option<u64>, wait: u64| Some(at.map_or(now_ns + wait, |a| a.min(now_ns + wait)));
        self.sync_ns = soonest(self.sync_ns, sync);
        self.seal_ns = soonest(self.seal_ns, seal);
        self.tend(now_ns);
    }

    /// Syncs and seals that are due.
    pub(crate) fn tend(&mut self, now_ns: u64) {
        if self.sync_ns.is_some_and(|at| at <= now_ns) {
            self.sync_ns = None;
            self.version += 1;
            self.durable = self.log.size();
        }
        if self.seal_ns.is_some_and(|at| at <= now_ns) && self.seals {
            self.seal(now_ns);
        }
    }

    pub(crate) fn seal(&mut self, _now_ns: u64) {
        self.seal_ns = None;
        self.version += 1;
        self.durable = self.log.size();
        if self.blocks.last().is_some_and(|b| b.size == self.durable) {
            return;
        }
        self.sealed += 1;
        let (number, size) = (self.sealed, self.durable);
        let root = self.log.root_at(size);
        self.notes.insert(number, self.log.checkpoint(size));
        self.blocks.push(Sealed { number, size, root });
        // One deletion for each that is made, and more only where the cap demands it.
        while self.delete_one() && self.blocks.len() > self.cap {}
        self.blocks_most = self.blocks_most.max(self.blocks.len());
    }

    /// Deletes one snapshot that nobody needs.
    fn delete_one(&mut self) -> bool {
        let plans: Vec<_> = self.peers.iter().map(|p| p.plan.clone()).collect();
        let kept = plan::keep(&Held { blocks: &self.blocks, cap: self.cap }, &plans);
        let gone = self.blocks.iter().position(|b| !kept.blocks.contains(&b.number));
        if let Some(at) = gone {
            self.blocks.remove(at);
            self.version += 1;
        }
        gone.is_some()
    }

    pub(crate) fn due_ns(&self) -> Option<u64> {
        let seal = if self.seals { self.seal_ns } else { None };
        self.sync_ns.into_iter().chain(seal).min()
    }

    /// Power is lost: what was not durable is gone, and a new epoch begins.
    pub(crate) fn power_cut(&mut self, now_ns: u64, random: &mut Random) {
        self.log.cut(self.durable);
        self.restart(now_ns, random);
    }

    /// An old copy of the whole data folder is put back, its remembered epoch with it.
    pub(crate) fn restore(&mut self, size: u64, epoch: u64, now_ns: u64, random: &mut Random) {
        self.log.cut(size);
        self.epoch = epoch;
        self.log.epoch = epoch;
        self.durable = size;
        self.blocks.retain(|b| b.size <= size);
        self.sealed = self.blocks.last().map_or(0, |b| b.number);
        for peer in &mut self.peers {
            peer.plan = Replica::new(peer.plan.settings, now_ns);
        }
        self.restart(now_ns, random);
    }

    fn restart(&mut self, now_ns: u64, random: &mut Random) {
        self.epoch += 1;
        self.version += 1;
        let epoch = self.epoch;
        self.appended.truncate(usize::try_from(self.log.size()).unwrap());
        self.log.begin_epoch(epoch);
        self.durable = self.log.size();
        (self.sync_ns, self.seal_ns) = (None, None);
        self.waiting = Waiting::new();
        for (i, (at, prio)) in self.appended.iter().enumerate() {
            self.waiting.event(i as u64 + 1, *prio, *at);
        }
        self.fill_appended(now_ns);
        for peer in &mut self.peers {
            if peer.connection.take().is_some() {
                peer.plan.lost(now_ns, random.number());
            }
            peer.calm_ns = None;
        }
    }

    pub(crate) fn connect(
        &mut self,
        to: usize,
        link: Option<SimLink>,
        fast: bool,
        now_ns: u64,
        roll: u64,
    ) {
        let peer = &mut self.peers[to];
        peer.plan.connecting(now_ns);
        let Some(link) = link else {
            peer.plan.lost(now_ns, roll);
            return;
        };
        let session = Session::new(Role::Primary);
        let out = session.opening();
        peer.plan.sent_bytes(out.len() as u64, now_ns);
        (peer.calm_ns, peer.fast) = (None, fast);
        peer.connection = Some(Connection {
            link,
            session,
            out,
            block: None,
            level: Level::NONE,
            witnessed: 0,
            blocks: Vec::new(),
        });
    }

    pub(crate) fn is_connected(&self, to: usize) -> bool {
        self.peers[to].connection.is_some()
    }

    pub(crate) fn cut_link(&mut self, to: usize) {
        self.peers[to].calm_ns = None;
        if let Some(c) = &self.peers[to].connection {
            c.link.cut();
        }
    }

    /// The connection carries nothing any more, and neither side is told.
    pub(crate) fn silence(&mut self, to: usize) {
        self.peers[to].calm_ns = None;
        if let Some(c) = &self.peers[to].connection {
            c.link.silence();
        }
    }

    pub(crate) fn link_wake_ns(&self, to: usize) -> Option<u64> {
        self.peers[to].connection.as_ref().and_then(|c| c.link.wake_ns())
    }

    /// Does what the plan says for one replica. `true`: a connection is wanted. And when to ask again.
    pub(crate) fn step(
        &mut self,
        to: usize,
        now_ns: u64,
        random: &mut Random,
    ) -> (bool, Option<u64>) {
        self.hear(to, now_ns, random);
        let mut wanted = false;
        let mut wake = None;
        // Frames are one a decision: what was sent changes the next.
        for _ in 0..64 {
            let decision = {
                let view = plan::Primary {
                    strategy: self.strategy,
                    durable: self.durable,
                    line_bytes: self.line_bytes,
                    waiting: &self.waiting,
                    blocks: &self.blocks,
                };
                plan::next(&view, &self.peers[to].plan, Now { ns: now_ns, minute: 0 })
            };
            wake = decision.wake_ns;
            let mut sent = false;
            for action in decision.actions {
                match action {
                    Action::Connect => wanted = true,
                    action => sent |= self.act(to, action, now_ns, random),
                }
            }
            if !sent {
                break;
            }
        }
        self.flush(to, now_ns, random);
        (wanted, wake)
    }

    fn act(&mut self, to: usize, action: Action, now_ns: u64, random: &mut Random) -> bool {
        match action {
            Action::Connect => false,
            Action::HangUp => {
                self.lost(to, now_ns, random);
                false
            }
            Action::Ping => {
                self.put(to, &Frame::Ping { token: now_ns }, Level::NONE, now_ns);
                true
            }
            Action::Tail { after, upto, level } => {
                assert!(upto <= self.durable, "line {upto} is not durable");
                assert!(after < upto);
                let mut last = after;
                let mut bytes = 0;
                while last < upto {
                    let line = self.log.lines[usize::try_from(last).unwrap()].len();
                    if last > after && bytes + line > TAIL_BYTES_WANTED {
                        break;
                    }
                    bytes += line;
                    last += 1;
                }
                let lines = Lines::new(self.log.raw(after, last)).unwrap();
                let frame = Frame::Tail { epoch: self.log.epoch, lines };
                self.put(to, &frame, level, now_ns);
                self.peers[to].plan.sent_tail(last);
                true
            }
            Action::Block { number, parent, level } => {
                let block = *self.blocks.iter().find(|b| b.number == number).unwrap();
                self.peers[to].plan.block_begun(&block, parent, now_ns);
                self.peers[to].block_sends += 1;
                self.peers[to].full_sends += u64::from(parent.is_none());
                let (start, after) = match parent {
                    Some(parent) => {
                        let parent = self.blocks.iter().find(|b| b.number == parent).unwrap();
                        (Start::Parent { number: parent.number, root: parent.root }, parent.size)
                    }
                    None => (Start::Base { size: 0, leaf: Digest::ZERO, frontier: Vec::new() }, 0),
                };
                let witnessed = self.peers[to].connection.as_ref().map_or(0, |c| c.witnessed);
                let growth = match witnessed {
                    0 => Growth::default(),
                    witnessed => self.log.growth(witnessed, block.size),
                };
                let begin = BlockBegin {
                    number,
                    size: block.size,
                    root: block.root,
                    epoch: self.log.epoch,
                    form: Form::Lines,
                    start,
                    note: self.notes[&number].clone(),
                    growth,
                };
                let bytes = self.log.raw(after, block.size);
                self.put(to, &Frame::BlockBegin(Box::new(begin)), Level::NONE, now_ns);
                if let Some(c) = &mut self.peers[to].connection {
                    c.block = Some((number, bytes, 0));
                    c.level = level;
                }
                true
            }
            Action::Cosign { size } => {
                let witnessed = self.peers[to].connection.as_ref().map_or(0, |c| c.witnessed);
                let (note, growth) = (self.log.checkpoint(size), self.log.growth(witnessed, size));
                self.put(to, &Frame::Checkpoint { note, growth }, Level::NONE, now_ns);
                self.peers[to].plan.asked(now_ns);
                true
            }
            Action::Chunks { bytes } => {
                let peer = &mut self.peers[to];
                let Some(c) = &mut peer.connection else { return false };
                let Some((number, all, at)) = &mut c.block else { return false };
                let n = usize::try_from(bytes).unwrap().min(64 << 10).min(all.len() - *at);
                let chunk = all[*at..*at + n].to_vec();
                let (number, offset) = (*number, *at as u64);
                *at += n;
                let ended = *at == all.len();
                let length = all.len() as u64;
                let level = c.level;
                self.put(to, &Frame::BlockChunk { number, offset, bytes: chunk }, level, now_ns);
                if ended {
                    self.put(to, &Frame::BlockEnd { number, bytes: length }, Level::NONE, now_ns);
                    self.peers[to].plan.block_sent();
                    if let Some(c) = &mut self.peers[to].connection {
                        c.block = None;
                    }
                }
                true
            }
        }
    }

    fn put(&mut self, to: usize, frame: &Frame, level: Level, now_ns: u64) {
        let peer = &mut self.peers[to];
        let Some(c) = &mut peer.connection else { return };
        let bytes = c.session.frame(frame, level);
        peer.plan.sent_bytes(bytes.len() as u64, now_ns);
        c.out.extend_from_slice(&bytes);
    }

    fn flush(&mut self, to: usize, now_ns: u64, random: &mut Random) {
        let Some(c) = &mut self.peers[to].connection else { return };
        while !c.out.is_empty() {
            match c.link.send(&c.out) {
                Ok(n) => drop(c.out.drain(..n)),
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(_) => return self.lost(to, now_ns, random),
            }
        }
    }

    fn lost(&mut self, to: usize, now_ns: u64, random: &mut Random) {
        let peer = &mut self.peers[to];
        peer.connection = None;
        peer.calm_ns = None;
        if !matches!(peer.plan.link, Is::Down { .. }) {
            peer.plan.lost(now_ns, random.number());
        }
    }

    fn hear(&mut self, to: usize, now_ns: u64, random: &mut Random) {
        let mut buffer = [0; 16 << 10];
        loop {
            let Some(c) = &mut self.peers[to].connection else { return };
            match c.link.receive(&mut buffer) {
                Ok(0) => return self.lost(to, now_ns, random),
                Ok(n) => {
                    let mut rest = &buffer[..n];
                    while !rest.is_empty() {
                        let Some(c) = &mut self.peers[to].connection else { return };
                        let took = c.session.push(rest);
                        rest = &rest[took..];
                        self.listen(to, now_ns, random);
                    }
                }
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(_) => return self.lost(to, now_ns, random),
            }
        }
    }

    fn listen(&mut self, to: usize, now_ns: u64, random: &mut Random) {
        loop {
            let Some(c) = &mut self.peers[to].connection else { return };
            let incoming = match c.session.read() {
                Ok(Some(incoming)) => incoming,
                Ok(None) => return,
                Err(e) => panic!("primary from replica {to}: {e}"),
            };
            self.peers[to].plan.heard(now_ns);
            match incoming {
                Incoming::Version(_) => {
                    let hello = self.hello();
                    self.put(to, &Frame::Hello(Box::new(hello)), Level::NONE, now_ns);
                }
                Incoming::Hello(hello) => self.meet(to, &hello, now_ns, random),
                Incoming::Frame(frame) => self.take(to, frame, now_ns, random),
            }
        }
    }

    fn hello(&mut self) -> Hello {
        let newest = self.blocks.last().copied();
        Hello {
            role: Role::Primary,
            name: "primary".to_owned(),
            program: "simulated".to_owned(),
            limits: Limits::OURS,
            log: Some(self.log.id),
            epoch: self.log.epoch,
            held: self.log.place(self.durable),
            signed_size: newest.map_or(0, |b| b.size),
            signed_root: newest.map_or_else(Digest::default, |b| b.root),
            note: newest.map_or_else(String::new, |b| self.notes[&b.number].clone()),
            blocks: Vec::new(),
            forms: vec![Form::Lines],
            key: self.log.key.verifying_key().to_string(),
        }
    }

    fn meet(&mut self, to: usize, hello: &Hello, now_ns: u64, random: &mut Random) {
        let ours = self.hello();
        let view = accept::Primary {
            log: self.log.id,
            epoch: self.log.epoch,
            held: ours.held,
            note: &ours.note,
        };
        let leaf = self.log.leaf_at(hello.held.size);
        let size = hello.signed_size.min(self.log.size());
        let root = self.log.root_at(size);
        match compare(&view, hello, |_| leaf, |_| Some(root)) {
            Ok(()) => {
                let peer = &mut self.peers[to];
                peer.plan.met(hello, now_ns);
                peer.calm_ns = Some(now_ns);
                if let Some(c) = &mut peer.connection {
                    c.witnessed = hello.signed_size;
                    c.blocks.clone_from(&hello.blocks);
                }
                self.held(to, hello.held.size, now_ns);
            }
            Err(refusal) => self.refused(to, refusal, now_ns, random),
        }
    }

    fn refused(&mut self, to: usize, refusal: Refusal, now_ns: u64, random: &mut Random) {
        let peer = &mut self.peers[to];
        peer.plan.refused(&refusal, now_ns);
        peer.calm_ns = None;
        let ends = !refusal.code.is_of_one_thing();
        peer.refusals.push(refusal);
        if let Some(c) = &mut peer.connection {
            c.block = None;
        }
        if ends {
            self.lost(to, now_ns, random);
        }
    }

    /// Lines up to here arrived: in time, where nothing was in the way.
    fn held(&mut self, to: usize, size: u64, now_ns: u64) {
        let peer = &mut self.peers[to];
        for seq in peer.checked + 1..=size {
            let Some((at, prio)) = self.appended.get(usize::try_from(seq - 1).unwrap()) else {
                break;
            };
            let calm = peer.calm_ns.is_some_and(|calm| calm + 2_000 * MS < *at);
            if calm && peer.fast && self.strategy == Strategy::Priority {
                let took = now_ns - at;
                self.timed += 1;
                self.timed_pressing += u64::from(*prio >= Priority::High);
                assert!(
                    took <= plan::deadline_ns(*prio),
                    "line {seq} ({}) took {} ms to replica {to}",
                    prio.name(),
                    took / MS
                );
            }
        }
        peer.checked = peer.checked.max(size);
    }

    /// Nothing is late that has not arrived at all.
    pub(crate) fn check_overdue(&self, now_ns: u64) {
        for (to, peer) in self.peers.iter().enumerate() {
            let Some(calm) = peer.calm_ns.filter(|_| peer.fast) else { continue };
            if self.strategy != Strategy::Priority {
                continue;
            }
            let durable = usize::try_from(self.durable).unwrap();
            let lacks = self.appended.iter().take(durable).enumerate();
            for (i, (at, prio)) in lacks.skip(usize::try_from(peer.plan.held).unwrap()) {
                let late = now_ns > at + plan::deadline_ns(*prio) && calm + 2_000 * MS < *at;
                assert!(!late, "line {} ({}) never came to replica {to}", i + 1, prio.name());
            }
        }
    }

    fn take(&mut self, to: usize, frame: Frame, now_ns: u64, random: &mut Random) {
        match frame {
            Frame::TailHeld(place) => {
                if place.size > self.durable || self.log.place(place.size) != place {
                    let refusal = Refusal::new(Code::Fork, "it acknowledged another line");
                    return self.refused(to, refusal, now_ns, random);
                }
                self.peers[to].plan.holds(place, now_ns);
                self.held(to, place.size, now_ns);
            }
            Frame::Received { bytes } => self.peers[to].plan.received(bytes, now_ns),
            Frame::Health(health) => self.peers[to].plan.told_health(health, now_ns),
            Frame::BlockVerified { number, size, root } => {
                assert_eq!(root, self.log.root_at(size), "replica {to} verified another root");
                self.peers[to].plan.verified(BlockTold { number, size, root }, now_ns);
                if let Some(c) = &mut self.peers[to].connection {
                    c.witnessed = c.witnessed.max(size);
                    c.blocks.push(BlockTold { number, size, root });
                }
                self.held(to, size, now_ns);
                // And one whenever somebody may have ceased to need one.
                self.delete_one();
            }
            Frame::Cosignature { size, line, .. } => {
                let note = self.blocks.iter().rev().find(|b| b.size == size);
                let note = note.and_then(|b| self.notes.get(&b.number).cloned());
                let note = note.unwrap_or_else(|| self.log.checkpoint(size));
                let signed = SignedCheckpoint::parse(format!("{note}{line}\n").as_bytes());
                assert!(signed.is_ok());
                self.peers[to].plan.cosigned(size);
            }
            Frame::Pong { .. } | Frame::Bye => {}
            Frame::Refusal(refusal) => self.refused(to, refusal, now_ns, random),
            other => panic!("replica {to} said {other:?}"),
        }
    }

    /// The epoch of the newest line that a backup of `size` lines has.
    pub(crate) fn forget_waiting(&mut self) {
        let least = self.peers.iter().map(|p| p.plan.held).min().unwrap_or(0);
        self.waiting.forget(least);
    }
}
