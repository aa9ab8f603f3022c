//! A world from a seed: one primary, five replicas, links that fail, machines that fail, and an end
//! at which all that can be well must be well.

use std::sync::Arc;

use ghost_event::Priority;
use ghost_ship::plan::{Link, Strategy};
use ghost_ship::wire::Code;
use ghost_world::{Clock, Line, Random, SimClock, SimLink};

use super::primary::Primary;
use super::replica::{BLOCKS_KEPT, Node};

pub(crate) const REPLICAS: usize = 5;
const MS: u64 = 1_000_000;
const S: u64 = 1000 * MS;
const CAP: usize = 5;

#[derive(Debug, Clone, Copy)]
enum Fault {
    Cut(usize),
    Silence(usize),
    Down(usize, u64),
    Up(usize),
    Wipe(usize),
    Full(usize, u64),
    Room(usize),
    PowerCut,
    Restore,
}

#[derive(Debug)]
pub(crate) struct World {
    clock: Arc<SimClock>,
    random: Random,
    pub(crate) primary: Primary,
    pub(crate) nodes: Vec<Node>,
    lines: Vec<Line>,
    faults: Vec<(u64, Fault)>,
    /// Until then things fail.
    end_ns: u64,
    gap_ns: u64,
    what: u64,
    breaks: bool,
    /// Nothing presses: what is slow must be in time all the same.
    calm: bool,
    /// The log as it was before an old backup was put back.
    pub(crate) before: Option<super::log::MemLog>,
    /// Sizes that a backup was taken at, with the epoch then.
    backup: (u64, u64),
    /// When each replica's turn is, and the version of everything that it knew then.
    due: [(u64, u64); REPLICAS],
}

/// What a world showed, for those that ask whether anything happened at all.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shown {
    pub(crate) events: u64,
    pub(crate) blocks: u64,
    pub(crate) full_sends: u64,
    pub(crate) refused: u64,
    pub(crate) restored: u64,
    pub(crate) most_snapshots: u64,
    /// Lines whose deadline was held against what they took.
    pub(crate) timed: u64,
    pub(crate) timed_pressing: u64,
}

impl World {
    pub(crate) fn new(seed: u64, faulty: bool) -> World {
        let mut random = Random::new(seed.wrapping_mul(0x9e37_79b9).wrapping_add(7));
        let clock = Arc::new(SimClock::new(1_700_000_000_000_000_000));
        let strategy = match random.below(6) {
            0 => Strategy::Realtime,
            1 => Strategy::Batch { max_events: 10, max_delay_ns: 5 * S },
            _ => Strategy::Priority,
        };
        let lines: Vec<_> = (0..REPLICAS)
            .map(|_| {
                let fast = Line {
                    delay_ns: 200_000 + random.below(8 * MS),
                    bytes_a_second: 2_000_000 + random.below(100_000_000),
                    ..Line::default()
                };
                let slow = Line {
                    delay_ns: 10 * MS + random.below(190 * MS),
                    bytes_a_second: 32_000 + random.below(500_000),
                    buffer_bytes: 16 << 10,
                    ..Line::default()
                };
                if random.one_in(3) { slow } else { fast }
            })
            .collect();
        let length = 20 * S + random.below(30 * S);
        let mut faults = Vec::new();
        if faulty {
            for _ in 0..random.below(14) {
                let (at, i) = (random.below(length), random.index(REPLICAS));
                let lasts = 100 * MS + random.below(15 * S);
                faults.push((
                    at,
                    match random.below(12) {
                        0..3 => Fault::Cut(i),
                        3 => Fault::Silence(i),
                        4..7 => Fault::Down(i, lasts),
                        7 => Fault::Wipe(i),
                        8..10 => Fault::Full(i, lasts),
                        _ => Fault::PowerCut,
                    },
                ));
            }
            if random.one_in(6) {
                faults.push((length / 2 + random.below(length / 2), Fault::Restore));
            }
        }
        let now = clock.monotonic_ns();
        let mut primary = Primary::new(REPLICAS, CAP, strategy, now);
        primary.seals = !random.one_in(5);
        World {
            primary,
            nodes: (0..REPLICAS).map(Node::new).collect(),
            lines,
            faults,
            end_ns: length,
            gap_ns: 20 * MS + random.below(800 * MS),
            what: 0,
            breaks: faulty && random.one_in(2),
            calm: random.one_in(4),
            before: None,
            backup: (2, 1),
            due: [(0, 0); REPLICAS],
            clock,
            random,
        }
    }

    fn now(&self) -> u64 {
        self.clock.monotonic_ns()
    }

    /// Runs until everything is over and nothing moves any more.
    pub(crate) fn run(&mut self) {
        let mut event_ns = 0;
        while self.now() < self.end_ns {
            let now = self.now();
            if now >= event_ns {
                self.event(now);
                event_ns = now + 1 + self.random.below(self.gap_ns * 2);
            }
            self.fail(now);
            let next = self.turn(true);
            self.pass(next.min(event_ns).min(self.end_ns));
        }
        self.heal();
        let give_up = self.now() + 400 * S;
        while !self.is_settled() && self.now() < give_up {
            let next = self.turn(false);
            self.pass(next);
        }
        self.check();
    }

    fn pass(&self, until_ns: u64) {
        let now = self.now();
        let step = until_ns.clamp(now + 50_000, now + 500 * MS) - now;
        self.clock.pass(u32::try_from(step).unwrap());
    }

    fn event(&mut self, now: u64) {
        let prio = match self.random.below(20) {
            0..8 if self.calm => Priority::Medium,
            0 => Priority::Critical,
            1..4 => Priority::High,
            4..8 => Priority::Medium,
            _ => Priority::Low,
        };
        self.what += 1;
        let burst = if self.random.one_in(30) { 1 + self.random.below(60) } else { 1 };
        let bytes = 16 << self.random.below(7);
        for _ in 0..burst {
            self.what += 1;
            self.primary.event(prio, self.what, bytes, now);
        }
        if self.random.one_in(20) && self.before.is_none() {
            self.backup = (self.primary.durable, self.primary.epoch);
        }
    }

    fn fail(&mut self, now: u64) {
        let mut due: Vec<_> =
            self.faults.extract_if(.., |(at, _)| *at <= now).map(|f| f.1).collect();
        if !due.is_empty() {
            self.primary.version += 1;
        }
        for fault in due.drain(..) {
            match fault {
                Fault::Cut(i) => self.primary.cut_link(i),
                Fault::Silence(i) => self.primary.silence(i),
                Fault::Down(i, lasts) => {
                    self.nodes[i].up = false;
                    self.faults.push((now + lasts, Fault::Up(i)));
                }
                Fault::Up(i) => {
                    self.nodes[i].up = true;
                    self.nodes[i].restart();
                }
                Fault::Wipe(i) => {
                    self.primary.cut_link(i);
                    self.nodes[i].wipe();
                }
                Fault::Full(i, lasts) => {
                    self.nodes[i].full = true;
                    self.faults.push((now + lasts, Fault::Room(i)));
                }
                Fault::Room(i) => self.nodes[i].full = false,
                Fault::PowerCut => self.primary.power_cut(now, &mut self.random),
                Fault::Restore => {
                    self.before = Some(self.primary.log.clone());
                    let (size, epoch) = self.backup;
                    self.primary.restore(size, epoch, now, &mut self.random);
                    self.faults.retain(|(_, f)| !matches!(f, Fault::Wipe(_)));
                }
            }
        }
    }

    /// Nothing fails from now on.
    fn heal(&mut self) {
        self.primary.check_overdue(self.now());
        self.faults.clear();
        self.primary.version += 1;
        self.breaks = false;
        self.primary.seals = true;
        for i in 0..REPLICAS {
            self.primary.cut_link(i);
            self.nodes[i].full = false;
            self.nodes[i].up = true;
            self.nodes[i].restart();
        }
        let now = self.now();
        self.primary.seal(now);
    }

    /// One turn of everybody; when the next is due.
    fn turn(&mut self, faulty: bool) -> u64 {
        let now = self.now();
        self.primary.tend(now);
        let mut next = self.primary.due_ns().unwrap_or(u64::MAX);
        for i in 0..REPLICAS {
            let version = self.primary.version;
            if now < self.due[i].0 && version == self.due[i].1 {
                next = next.min(self.due[i].0);
                continue;
            }
            let (wanted, wake) = self.primary.step(i, now, &mut self.random);
            // Replicas tell of their health by their own clock.
            let mut due = wake.unwrap_or(u64::MAX).min(now + S);
            if wanted && !self.primary.is_connected(i) {
                self.connect(i, now);
                due = now;
            }
            let random = &mut self.random;
            let breaks = self.breaks;
            let mut dies = || faulty && breaks && random.one_in(150);
            let node = &mut self.nodes[i];
            let was_up = node.up;
            if node.up {
                node.step(now, &mut dies);
            }
            if !node.up {
                if was_up {
                    self.faults.push((now + 50 * MS + self.random.below(3 * S), Fault::Up(i)));
                }
                self.primary.cut_link(i);
            }
            let wakes = [self.primary.link_wake_ns(i), self.nodes[i].wake_ns()];
            due = wakes.into_iter().flatten().fold(due, u64::min);
            self.due[i] = (due, version);
            next = next.min(due);
        }
        next
    }

    fn connect(&mut self, i: usize, now: u64) {
        let roll = self.random.number();
        let mut line = self.lines[i];
        let fast = line.bytes_a_second >= 2_000_000;
        if !self.nodes[i].up {
            return self.primary.connect(i, None, fast, now, roll);
        }
        if self.breaks && self.random.one_in(2) {
            line.breaks_after = Some(self.random.below(60_000));
        }
        let (ours, theirs) = SimLink::pair(line, &self.clock);
        self.primary.connect(i, Some(ours), fast, now, roll);
        self.nodes[i].connect(theirs, now);
    }

    fn is_at_end(&self, i: usize) -> bool {
        let newest = self.primary.blocks.last().map_or(0, |b| b.number);
        let size = self.primary.blocks.last().map_or(0, |b| b.size);
        self.nodes[i].held() == self.primary.log.place(self.primary.log.size())
            && self.nodes[i].newest_block() == newest
            && self.primary.peers[i].plan.held == self.primary.log.size()
            && self.primary.peers[i].plan.cosigned == size
            && self.primary.peers[i].plan.link == Link::Open
    }

    fn is_settled(&self) -> bool {
        (0..REPLICAS).all(|i| self.is_at_end(i) || self.is_refused(i))
    }

    /// Whether one side told the other that their histories differ.
    fn is_refused(&self, i: usize) -> bool {
        let told = |r: &ghost_ship::wire::Refusal| r.code.is_of_history();
        self.before.is_some()
            && (self.nodes[i].refusals.iter().any(told)
                || self.primary.peers[i].refusals.iter().any(told))
    }

    fn check(&mut self) {
        let log = &self.primary.log;
        let all = log.raw(0, log.size());
        for (i, node) in self.nodes.iter().enumerate() {
            let held = node.content();
            // One more where power was lost before the oldest was deleted.
            assert!(node.blocks() <= BLOCKS_KEPT + 1, "replica {i} keeps {} blocks", node.blocks());
            let peer = &self.primary.peers[i];
            let codes: Vec<Code> =
                node.refusals.iter().chain(&peer.refusals).map(|r| r.code).collect();
            if self.is_refused(i) {
                // It holds the old history, whole, and nothing of the new one after the parting.
                let before = self.before.as_ref().unwrap();
                let old = before.raw(0, before.size());
                assert!(
                    old.starts_with(&held) || all.starts_with(&held),
                    "replica {i} holds a mix"
                );
                let told = node.refusals.iter().chain(&peer.refusals);
                let witnessed = node.newest_block() > 0;
                for refusal in told.filter(|r| r.code.is_of_history() && witnessed) {
                    assert!(!refusal.ours.is_empty() || !refusal.theirs.is_empty(), "no evidence");
                }
                continue;
            }
            assert!(
                self.is_at_end(i),
                "replica {i} holds {} of {} lines, block {} of {:?}, {:?}, {codes:?}, {:?}",
                node.held().size,
                log.size(),
                node.newest_block(),
                self.primary.blocks.last(),
                peer.plan.link,
                peer.plan.sending
            );
            assert!(held == all, "replica {i} holds other bytes");
            if self.before.is_none() {
                let wrong =
                    |c: &&Code| !matches!(c, Code::Full | Code::NoParent | Code::Later | Code::Gap);
                assert_eq!(codes.iter().find(wrong), None, "replica {i} was refused: {codes:?}");
            }
        }
        let most = self.primary.blocks_most;
        assert!(most <= CAP + 1, "{most} snapshots lay on the primary");
    }

    /// All in step: a few blocks more leave exactly one on the primary.
    pub(crate) fn check_in_step(&mut self) {
        for _ in 0..CAP + 3 {
            let now = self.now();
            self.what += 1;
            self.primary.event(Priority::Critical, self.what, 64, now);
            self.primary.seal(now);
            let give_up = self.now() + 60 * S;
            while !self.is_settled() && self.now() < give_up {
                let next = self.turn(false);
                self.pass(next);
            }
        }
        self.check();
        if self.before.is_none() {
            let left = self.primary.blocks.len();
            assert_eq!(left, 1, "snapshots where all are in step");
        }
        self.primary.forget_waiting();
        if self.before.is_none() {
            assert!(self.primary.waiting.is_empty(), "something waits that everybody has");
        }
    }

    pub(crate) fn shown(&self) -> Shown {
        let peers = &self.primary.peers;
        Shown {
            events: self.primary.log.size(),
            blocks: peers.iter().map(|p| p.block_sends).sum(),
            full_sends: peers.iter().map(|p| p.full_sends).sum(),
            refused: (0..REPLICAS).filter(|i| self.is_refused(*i)).count() as u64,
            restored: u64::from(self.before.is_some()),
            most_snapshots: self.primary.blocks_most as u64,
            timed: self.primary.timed,
            timed_pressing: self.primary.timed_pressing,
        }
    }
}
