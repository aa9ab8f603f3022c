//! One history: lives of a writer, and how each of them ends.

mod deep;
mod tally;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use ghost_block::{
    Block, BlockError, BlockName, Cap, Keep, Lost, Reason, SealFacts, Sealer, SimVolume,
    Volume as _, Whole,
};
use ghost_event::line::{GapNote, Note};
use ghost_event::{Priority, Seq, ShapeId, Tier, Timestamp};
use ghost_log::{Element, Layout, Log, LogConfig, LogError};
use ghost_world::{Clock as _, Disk, Fault, Random, SimClock, SimDisk};

use super::known::{Known, read_lines};
use super::{Told, forge, hold, lines};

pub use tally::Tally;

pub const DATA: &str = "/data";

/// What a history is mostly about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    PowerCuts,
    FullDisks,
    FailingDisks,
    Everything,
}

impl Theme {
    pub const ALL: [Theme; 4] =
        [Theme::PowerCuts, Theme::FullDisks, Theme::FailingDisks, Theme::Everything];

    pub fn of(seed: u64) -> Theme {
        Theme::ALL[usize::try_from(seed % 4).unwrap_or(0)]
    }
}

/// A running writer.
#[derive(Debug)]
struct Life {
    log: Log,
    sealer: Sealer,
    /// Lines by kind since the last block, as whoever writes counts them.
    counts: BTreeMap<String, u64>,
    /// Segments were retired since the last block.
    retired: bool,
    bulk: bool,
    /// Events that wait for their sync, and when it is due.
    due: Vec<(Seq, u64)>,
}

impl Life {
    fn count(&mut self, kind: &str) {
        *self.counts.entry(kind.to_owned()).or_default() += 1;
    }
}

/// How an operation ended.
#[derive(Debug, PartialEq, Eq)]
enum Done {
    Yes,
    /// The disk is full: it can be tried again.
    Full,
    /// The writer must be opened anew.
    Over,
}

#[derive(Debug)]
pub struct History {
    random: Random,
    theme: Theme,
    pub disk: SimDisk,
    clock: Arc<SimClock>,
    segment_bytes: u64,
    keep: Keep,
    pub known: Known,
    pub tally: Tally,
    /// Blocks that were acknowledged and not deleted since, with their size.
    blocks: BTreeMap<String, u64>,
    /// Blocks that may be there: their deletion may not be durable, or the log was put back.
    maybe: BTreeMap<String, u64>,
    /// Blocks of a history that was given up when the log was put back.
    fenced: BTreeSet<String>,
    /// Lines that were in the newest block when it was there.
    sealed: u64,
    /// Every name that was ever given, by its number.
    numbers: BTreeMap<u64, String>,
    events: u64,
    /// A fault was set that may fail something without freezing.
    faulty: bool,
    full: bool,
    pub trace: Vec<String>,
}

/// Tells one history; what it did, or which promise broke.
pub fn tell(seed: u64) -> (Told<Tally>, Vec<String>) {
    let mut history = History::new(seed);
    let told = history.whole();
    (told.map(|()| history.tally), history.trace)
}

impl History {
    fn new(seed: u64) -> History {
        let mut random = Random::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0xb10c);
        let segment_bytes = [2048, 4096, 9000, 1 << 20][random.index(4)];
        let last = u32::try_from(1 + random.below(3)).unwrap_or(1);
        History {
            theme: Theme::of(seed),
            disk: SimDisk::new(),
            clock: Arc::new(SimClock::new(1_795_154_200_000_000_000)),
            segment_bytes,
            keep: Keep { last, ..Keep::default() },
            known: Known::default(),
            tally: Tally::default(),
            blocks: BTreeMap::new(),
            maybe: BTreeMap::new(),
            fenced: BTreeSet::new(),
            sealed: 0,
            numbers: BTreeMap::new(),
            events: 0,
            faulty: false,
            full: false,
            trace: Vec::new(),
            random,
        }
    }

    fn whole(&mut self) -> Told {
        if self.theme == Theme::Everything && self.random.one_in(8) {
            let deep = deep::get()?;
            self.say(format!("begins behind {} lines", deep.events));
            (self.disk, self.known, self.events) =
                (deep.disk.fork(), deep.known.clone(), deep.events);
        }
        let lives = 2 + self.random.below(4);
        for _ in 0..lives {
            self.life()?;
        }
        self.end()
    }

    /// The log is put back to one of its blocks, as an operator does.
    fn put_back(&mut self) -> Told {
        let Some((name, _)) = self.blocks.iter().nth(self.random.index(self.blocks.len())) else {
            return Ok(());
        };
        let (name, data) = (name.clone(), Path::new(DATA));
        self.say(format!("put back to {name}"));
        self.tally.restored += 1;
        let block = data.join("blocks").join(&name);
        let size = read_lines(&self.disk, &Layout::of_block(&block)).last().map_or(0, |l| l.seq);
        let (log, aside) = (data.join("log"), data.join(format!("aside-{}", self.tally.restored)));
        for gone in [Self::layout().head(), Self::layout().imports()] {
            // They speak of lines that the restored log has not.
            let _ = self.disk.remove(&gone);
        }
        let moved = self
            .disk
            .sync_dir(&Self::layout().state())
            .and_then(|()| self.disk.rename(&log, &aside))
            .and_then(|()| self.disk.writable_snapshot(&block, &log))
            .and_then(|()| self.disk.sync_dir(data));
        moved.map_err(|e| format!("cannot put the log back: {e}"))?;
        self.known.put_back(size);
        let newer: Vec<String> =
            self.blocks.iter().filter(|(_, s)| **s > size).map(|(n, _)| n.clone()).collect();
        for name in newer {
            self.blocks.remove(&name);
            self.fenced.insert(name);
        }
        Ok(())
    }

    fn say(&mut self, what: impl Into<String>) {
        self.trace.push(what.into());
    }

    fn layout() -> Layout {
        Layout::new(Path::new(DATA))
    }

    /// One life: a start, operations, and an end of some kind.
    fn life(&mut self) -> Told {
        self.tally.lives += 1;
        if self.random.one_in(4) {
            self.fault(10);
        }
        let Some(mut life) = self.start()? else { return Ok(()) };
        if self.random.below(8) > 0 {
            self.fault(60);
        }
        let operations = 5 + self.random.below(25);
        for _ in 0..operations {
            let done = self.operation(&mut life)?;
            let last = done == Done::Full && self.random.one_in(6);
            if last {
                self.room_and_rotate(&mut life)?;
            }
            if self.disk.frozen() || done == Done::Over {
                break;
            }
            self.known.ack(life.log.durable())?;
            if last {
                break;
            }
        }
        self.finish(life)
    }

    /// Chooses what will go wrong, within about `soon` syncs; where everything goes, maybe twice.
    fn fault(&mut self, soon: u64) {
        let one = match self.theme {
            Theme::Everything => Theme::of(self.random.below(4)),
            theme => theme,
        };
        self.fault_of(one, soon);
        if self.theme == Theme::Everything && self.random.one_in(3) {
            self.fault_of(Theme::FullDisks, soon);
        }
    }

    fn fault_of(&mut self, theme: Theme, soon: u64) {
        let (syncs, writes, names) = (self.disk.syncs(), self.disk.writes(), self.disk.changes());
        let n = 1 + self.random.below(soon);
        let cut = match self.random.below(8) {
            0..=2 => Fault::FreezeAtSync(syncs + n),
            3 | 4 => Fault::FreezeAfterSync(syncs + n),
            5 => Fault::FreezeAtWrite(writes + n),
            _ => Fault::FreezeAtName(names + 1 + n / 3),
        };
        let fault = match theme {
            Theme::PowerCuts => cut,
            Theme::FullDisks if self.random.below(4) > 0 => {
                let used = self.disk.used(&[Path::new("/")]);
                Fault::Capacity(used + self.random.below(soon * 150))
            }
            Theme::FailingDisks if self.random.one_in(2) => Fault::FailSync(syncs + n),
            Theme::FailingDisks if self.random.one_in(2) => Fault::FailWrite(writes + n),
            _ if self.random.one_in(3) => return,
            _ => cut,
        };
        self.full |= matches!(fault, Fault::Capacity(_));
        self.faulty |= matches!(fault, Fault::FailSync(_) | Fault::FailWrite(_));
        self.say(format!("fault {fault:?}"));
        self.disk.set(fault);
    }

    fn heal(&mut self) {
        self.disk.heal();
        self.full = false;
        self.faulty = false;
    }

    fn config(&mut self) -> LogConfig {
        let mut seed = [0; 32];
        seed.iter_mut().for_each(|byte| *byte = self.random.below(256) as u8);
        LogConfig {
            segment_bytes: self.segment_bytes,
            log_id: [0xab; 16],
            identity: "sim".to_owned(),
            key_seed: seed,
            holder: "pid 7".to_owned(),
            bulk: self.random.one_in(6),
            ..LogConfig::default()
        }
    }

    /// Starts a writer; none where the power went before it stood.
    fn start(&mut self) -> Told<Option<Life>> {
        for attempt in 0..3 {
            let config = self.config();
            let bulk = config.bulk;
            let data = Path::new(DATA);
            let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
            let opened = Log::open_on(disk.clone(), data, config, self.clock.clone());
            let error = match opened {
                Ok((log, recovery)) => {
                    self.say(format!(
                        "start: epoch {} after line {}",
                        recovery.epoch, recovery.head.seq
                    ));
                    hold!(
                        self.known.epochs.insert(recovery.epoch),
                        "epoch {} was used before",
                        recovery.epoch
                    );
                    self.known.found(recovery.head.seq);
                    if let Some(cut) = &recovery.cut {
                        hold!(
                            cut.acknowledged_lost == 0,
                            "{} acknowledged lines are lost",
                            cut.acknowledged_lost
                        );
                    }
                    let volume = Box::new(SimVolume::new(self.disk.clone(), data));
                    match Sealer::open(disk, volume, Self::layout()) {
                        Ok((sealer, found)) => {
                            if self.disk.frozen() {
                                self.crash()?;
                                return Ok(None);
                            }
                            let mut life = Life {
                                log,
                                sealer,
                                counts: BTreeMap::new(),
                                retired: false,
                                bulk,
                                due: Vec::new(),
                            };
                            self.started(&mut life)?;
                            hold!(found.writable.is_empty(), "writable: {:?}", found.writable);
                            return Ok(Some(life));
                        }
                        Err(e) => {
                            drop(log);
                            e
                        }
                    }
                }
                Err(e) => BlockError::Log(e),
            };
            self.say(format!("start failed: {error}"));
            // It may have put lines of its own in the place of those that were not acknowledged.
            self.known.found(self.known.acked.seq);
            if self.disk.frozen() {
                self.crash()?;
                return Ok(None);
            }
            let excused = self.full && error.is_no_space() || self.faulty && is_failure(&error);
            hold!(excused && attempt < 2, "a start failed: {error}");
            self.known.look(&self.disk, Path::new(DATA))?;
            self.heal();
        }
        Ok(None)
    }

    /// What must hold of a writer that has just started.
    fn started(&mut self, life: &mut Life) -> Told {
        if let Some(key) = life.log.verifying_key() {
            self.known.key(key);
        }
        self.known.check(&self.disk, Path::new(DATA))?;
        self.known.ack(life.log.durable())?;
        self.check_log(life)?;
        self.check_blocks(life)
    }

    fn check_log(&mut self, life: &Life) -> Told {
        let size = life.log.size();
        if life.log.durable().seq == size
            && let Some(root) = life.log.root()
        {
            hold!(root == self.known.root(size), "the log's own root of {size} lines is wrong");
        }
        Ok(())
    }

    /// Every block that is there is whole, and those that were promised are there.
    fn check_blocks(&mut self, life: &Life) -> Told {
        let mut volume = SimVolume::new(self.disk.clone(), Path::new(DATA));
        let names = volume.names().map_err(|e| e.to_string())?;
        let mut there = BTreeMap::new();
        for (name, whole) in names {
            hold!(whole == Whole::Yes, "{name} is left over and was not removed");
            let size = self.check_block(&name)?;
            self.number(&name)?;
            there.insert(name, size);
        }
        // A deletion that was not durable has brought it back.
        self.maybe.retain(|name, _| there.contains_key(name));
        for name in self.blocks.keys() {
            hold!(there.contains_key(name), "{name} was sealed and is gone");
        }
        let told: Vec<String> = life.sealer.blocks().iter().map(|b| b.name.to_string()).collect();
        for name in self.blocks.keys() {
            hold!(told.contains(name), "{name} is there and the sealer does not tell it");
        }
        for name in told {
            let size = there.get(&name).copied();
            hold!(size.is_some(), "the sealer tells {name}, which is not there");
            if !self.fenced.contains(&name) {
                self.blocks.insert(name, size.unwrap_or(0));
            }
        }
        self.sealed = self.newest_block();
        Ok(())
    }

    /// One block against all that is known; its size.
    fn check_block(&mut self, name: &str) -> Told<u64> {
        let path = Path::new(DATA).join("blocks").join(name);
        let layout = Layout::of_block(&path);
        let note = self.disk.bytes(&path.join("checkpoint")).ok_or("a block has no checkpoint")?;
        let note = String::from_utf8(note).map_err(|e| e.to_string())?;
        let signed = self.known.publish(&note)?;
        let checkpoint = &signed.checkpoint;
        let parsed = BlockName::parse(name).ok_or("a block's name")?;
        hold!(parsed.is_of(&checkpoint.root), "{name} has a checkpoint of another root");
        hold!(
            self.known.keys.iter().any(|key| signed.signed_by(key)),
            "the checkpoint of {name} is signed by no key of this log"
        );
        let inside = self.known.files.lines(&self.disk, &layout);
        let fenced = self.fenced.contains(name);
        let last = inside.last().map_or(0, |line| line.seq);
        hold!(
            last >= checkpoint.size,
            "{name} ends at line {last}, its checkpoint says {}",
            checkpoint.size
        );
        let first = inside.first().map_or(1, |line| line.seq);
        for (expected, line) in (first..).zip(&inside) {
            hold!(line.seq == expected, "{name} has line {} after {}", line.seq, expected - 1);
            let at = usize::try_from(line.seq - 1).unwrap_or(usize::MAX);
            hold!(
                fenced
                    || line.seq > checkpoint.size
                    || self.known.leaves.get(at) == Some(&line.leaf),
                "line {} of {name} is not the log's",
                line.seq
            );
        }
        Ok(checkpoint.size)
    }

    fn operation(&mut self, life: &mut Life) -> Told<Done> {
        self.clock.pass(u32::try_from(self.random.below(2_000_000_000)).unwrap_or(0));
        let ended = match self.random.below(100) {
            0..=34 => self.append(life)?,
            35..=44 => self.change(life)?,
            45..=49 => self.burst(life)?,
            50..=56 => {
                self.say("tick");
                self.tick(life)?
            }
            57..=62 => {
                self.say("sync");
                life.log.sync()
            }
            63..=65 => {
                self.say("write");
                life.log.write()
            }
            66..=70 => self.checkpoint(life)?,
            71..=83 => return self.seal(life),
            84..=87 => {
                self.say("rotate");
                life.log.rotate()
            }
            88..=89 => self.rotate_key(life)?,
            90..=91 => self.retire(life)?,
            92 => self.gap(life),
            93..=94 => self.better_shape(life),
            95..=97 => return self.room(life),
            _ => {
                self.known.check(&self.disk, Path::new(DATA)).map(drop)?;
                Ok(())
            }
        };
        self.judge(ended)
    }

    /// Whether an error is one that must be expected here.
    fn judge(&mut self, ended: Result<(), LogError>) -> Told<Done> {
        match ended {
            Ok(()) => Ok(Done::Yes),
            Err(e) => self.judge_error(&BlockError::Log(e)),
        }
    }

    fn judge_error(&mut self, error: &BlockError) -> Told<Done> {
        self.say(format!("  -> {error}"));
        if self.disk.frozen() {
            return Ok(Done::Over);
        }
        if error.is_no_space() {
            hold!(self.full, "no room, though the disk is not full: {error}");
            self.tally.full += 1;
            return Ok(Done::Full);
        }
        if self.faulty && is_failure(error) {
            self.tally.failed += 1;
            return Ok(Done::Over);
        }
        Err(format!("unexpected: {error}"))
    }

    fn append(&mut self, life: &mut Life) -> Told<Result<(), LogError>> {
        let n = self.events;
        self.events += 1;
        let body = lines::event(&mut self.random, n);
        let prio = lines::priority(&mut self.random);
        let shape = (self.random.below(3) > 0).then(|| self.random.below(lines::SHAPES));
        self.say(format!("append {n} {prio:?} shape {shape:?}"));
        if let Some(id) = shape
            && let Err(e) = life.log.shape(ShapeId(id), &lines::shape(id, Tier::Fast))
        {
            return Ok(Err(e));
        }
        let answer = life.log.append(prio, shape.map(ShapeId), &body);
        self.answered(life, n, prio, &body, answer.map(|a| a.seq))
    }

    fn answered(
        &mut self,
        life: &mut Life,
        n: u64,
        prio: Priority,
        body: &[u8],
        answer: Result<Seq, LogError>,
    ) -> Told<Result<(), LogError>> {
        match answer {
            Ok(seq) => {
                self.known.take(seq, body);
                self.tally.lines += 1;
                life.count("flow");
                if !life.bulk {
                    let now = self.clock.monotonic_ns();
                    life.due.push((seq, now + sync_delay_ns(prio)));
                    let durable = life.log.durable().seq;
                    hold!(
                        prio != Priority::Critical || durable >= seq,
                        "critical line {seq} was taken in, and only {durable} lines are durable"
                    );
                }
                Ok(Ok(()))
            }
            Err(e) => {
                if !matches!(e, LogError::Refused { .. }) {
                    self.known.refuse(n);
                }
                Ok(Err(e))
            }
        }
    }

    /// What is due is synced.
    fn tick(&mut self, life: &mut Life) -> Told<Result<(), LogError>> {
        let now = self.clock.monotonic_ns();
        if let Err(e) = life.log.tick(now) {
            return Ok(Err(e));
        }
        let durable = life.log.durable().seq;
        life.due.retain(|(seq, _)| *seq > durable);
        let late = life.due.iter().find(|(_, at)| *at <= now);
        hold!(late.is_none(), "line {late:?} was due at {now} and only {durable} are durable");
        Ok(Ok(()))
    }

    fn change(&mut self, life: &mut Life) -> Told<Result<(), LogError>> {
        let n = self.events;
        self.events += 1;
        let body = lines::change(n);
        let (kind, id) = lines::ELEMENTS[self.random.index(lines::ELEMENTS.len())];
        let prio = lines::priority(&mut self.random);
        self.say(format!("change {n} of {id} {prio:?}"));
        let answer = life.log.append_element(prio, None, &Element { kind, id }, &body);
        self.answered(life, n, prio, &body, answer.map(|a| a.seq))
    }

    /// Many short events.
    fn burst(&mut self, life: &mut Life) -> Told<Result<(), LogError>> {
        let count = 20 + self.random.below(250);
        self.say(format!("burst of {count}"));
        for _ in 0..count {
            let n = self.events;
            self.events += 1;
            let body = format!(
                "{{\"timestamp\":\"2026-11-20T05:56:00.000000+0000\",\"event_type\":\"flow\",\
                 \"ghost\":{{\"v\":1,\"event\":{n}"
            );
            let answer = life.log.append(Priority::Low, None, body.as_bytes());
            let ended =
                self.answered(life, n, Priority::Low, body.as_bytes(), answer.map(|a| a.seq))?;
            if ended.is_err() {
                return Ok(ended);
            }
        }
        Ok(Ok(()))
    }

    fn checkpoint(&mut self, life: &mut Life) -> Told<Result<(), LogError>> {
        self.say("checkpoint");
        match life.log.checkpoint() {
            Ok(signed) => {
                let durable = life.log.durable().seq;
                hold!(
                    signed.size <= durable,
                    "a checkpoint of size {} was signed when {durable} lines were durable",
                    signed.size
                );
                let shown = self.known.publish(&signed.note)?;
                hold!(
                    shown.checkpoint.size == signed.size && shown.checkpoint.root == signed.root,
                    "a checkpoint's note tells another size or root"
                );
                self.tally.checkpoints += 1;
                self.known.ack(life.log.durable())?;
                self.known.check(&self.disk, Path::new(DATA))?;
                self.check_log(life)?;
                Ok(Ok(()))
            }
            Err(e) => Ok(Err(e)),
        }
    }

    /// Seals and tends as the writer does.
    fn seal(&mut self, life: &mut Life) -> Told<Done> {
        self.say("seal");
        let before = life.sealer.blocks().len();
        let facts = SealFacts {
            t2_ready_size: 0,
            events: &life.counts,
            lost: Lost::default(),
            reason: Reason::Asked,
            waited_ms: 0,
            time: Timestamp(self.clock.wall_ns()),
        };
        match life.sealer.seal(&mut life.log, &facts) {
            Err(e) => return self.judge_error(&e),
            Ok(block) => {
                self.known.ack(life.log.durable())?;
                let all = self.known.check(&self.disk, Path::new(DATA))?;
                let first = all.first().map_or(1, |line| line.seq);
                let news = self.known.news.range(self.newest_block() + 1..).count();
                let left = self.known.news.range(first.max(self.sealed + 1)..).count();
                match block {
                    None => hold!(left == 0, "{left} new lines and no block"),
                    Some(block) => {
                        self.say(format!("  -> {} of {} lines", block.name, block.size));
                        hold!(
                            news > 0 || life.retired,
                            "{} was sealed without anything new",
                            block.name
                        );
                        self.sealed(&block)?;
                        life.counts.clear();
                        life.retired = false;
                    }
                }
            }
        }
        let done = self.tend(life)?;
        let (after, keep) = (life.sealer.blocks().len(), self.keep.last as usize);
        hold!(
            done != Done::Yes || after <= before.max(keep),
            "{after} blocks are left; {before} were there before, and {keep} are kept"
        );
        Ok(done)
    }

    fn sealed(&mut self, block: &Block) -> Told {
        self.tally.blocks += 1;
        let name = block.name.to_string();
        let size = self.check_block(&name)?;
        hold!(size == block.size, "{name} has {size} lines, its seal said {}", block.size);
        hold!(
            !self.numbers.contains_key(&block.name.number),
            "the number of {name} was given before"
        );
        self.number(&name)?;
        self.blocks.insert(name, size);
        self.sealed = size;
        Ok(())
    }

    /// The newest block of this history that is there.
    fn newest_block(&self) -> u64 {
        self.blocks.values().max().copied().unwrap_or(0)
    }

    /// A number belongs to one block for ever.
    fn number(&mut self, name: &str) -> Told {
        let number = BlockName::parse(name).map_or(0, |name| name.number);
        let other = self.numbers.entry(number).or_insert_with(|| name.to_owned());
        hold!(other == name, "{name} has the number of {other}");
        Ok(())
    }

    fn tend(&mut self, life: &mut Life) -> Told<Done> {
        let cap = Cap { bytes: 60_000 + self.random.below(4) * 20_000 };
        let now = Timestamp(self.clock.wall_ns());
        let before: Vec<String> = life.sealer.blocks().iter().map(|b| b.name.to_string()).collect();
        // What still waits may be retired at once, and nobody would have seen it.
        if let Err(e) = life.log.write() {
            return self.judge(Err(e));
        }
        self.known.check(&self.disk, Path::new(DATA))?;
        self.known.retired = self.known.leaves.len() as u64;
        let tended = life.sealer.tend(&mut life.log, &cap, &self.keep, now);
        let after: Vec<String> = life.sealer.blocks().iter().map(|b| b.name.to_string()).collect();
        for gone in before.iter().filter(|name| !after.contains(name)) {
            if let Some(size) = self.blocks.remove(gone) {
                self.maybe.insert(gone.clone(), size);
            }
        }
        match tended {
            Err(e) => self.judge_error(&e),
            Ok(tended) => {
                if let Some(name) = tended.deleted.clone() {
                    self.say(format!("  deleted {name}"));
                    self.blocks.remove(&name);
                }
                self.tally.retired += tended.retired_segments;
                life.retired |= tended.wants_seal.is_some();
                self.known.ack(life.log.durable())?;
                self.known.check(&self.disk, Path::new(DATA))?;
                Ok(Done::Yes)
            }
        }
    }

    fn rotate_key(&mut self, life: &mut Life) -> Told<Result<(), LogError>> {
        self.say("rotate key");
        let mut seed = [0; 32];
        seed.iter_mut().for_each(|byte| *byte = self.random.below(256) as u8);
        match life.log.rotate_key(seed) {
            Ok(key) => {
                self.known.key(&key);
                Ok(Ok(()))
            }
            Err(e) => Ok(Err(e)),
        }
    }

    fn retire(&mut self, life: &mut Life) -> Told<Result<(), LogError>> {
        self.known.check(&self.disk, Path::new(DATA))?;
        let segments = life.log.segments();
        let Some(some) = segments.get(self.random.index(segments.len())) else { return Ok(Ok(())) };
        self.say(format!("retire up to {}", some.last));
        self.known.retired = self.known.retired.max(some.last);
        match life.log.retire(some.last) {
            Ok(retired) => {
                self.tally.retired += retired.segments;
                life.retired |= retired.segments > 0;
                Ok(Ok(()))
            }
            Err(e) => Ok(Err(e)),
        }
    }

    fn gap(&mut self, life: &mut Life) -> Result<(), LogError> {
        self.say("gap");
        let gap = GapNote { reason: "queue_full".into(), events: 3, ..GapNote::default() };
        life.log.append_note(&Note::Gap(gap)).map(|_| life.count("gap"))
    }

    fn better_shape(&mut self, life: &mut Life) -> Result<(), LogError> {
        let id = self.random.below(lines::SHAPES);
        self.say(format!("better shape {id}"));
        life.log.shape(ShapeId(id), &lines::shape(id, Tier::Full)).map(drop)
    }

    /// Somebody makes room: the log goes on by itself.
    fn room(&mut self, life: &mut Life) -> Told<Done> {
        if !self.full {
            return Ok(Done::Yes);
        }
        self.say("room");
        self.disk.set(Fault::Capacity(1 << 40));
        let ended = life.log.sync();
        let done = self.judge(ended)?;
        hold!(done != Done::Full, "the disk has room and the log does not go on");
        if done == Done::Yes {
            hold!(life.log.waiting_bytes() == 0, "lines still wait though there is room");
            hold!(life.log.durable() == life.log.head(), "a sync with room left lines behind");
            self.known.check(&self.disk, Path::new(DATA))?;
        }
        Ok(done)
    }

    /// Somebody makes room, and the first thing that the log does with it is another segment.
    fn room_and_rotate(&mut self, life: &mut Life) -> Told<Done> {
        self.say("room, and rotate");
        self.disk.set(Fault::Capacity(1 << 40));
        let ended = life.log.rotate();
        self.judge(ended)
    }

    /// How a life ends.
    fn finish(&mut self, life: Life) -> Told {
        if self.disk.frozen() {
            self.crash()?;
            drop(life);
            return Ok(());
        }
        match self.random.below(4) {
            0 | 1 => {
                self.say("power cut");
                self.crash()?;
                drop(life);
            }
            2 => {
                self.say("kill");
                self.tally.kills += 1;
                self.known.look(&self.disk, Path::new(DATA))?;
                let next = self.disk.kill();
                drop(life);
                self.disk = next;
                self.full = false;
                self.faulty = false;
            }
            _ => {
                self.say("stop");
                drop(life);
                if self.disk.frozen() {
                    return self.crash();
                }
                self.heal();
                if self.theme == Theme::Everything && self.random.one_in(2) {
                    self.put_back()?;
                }
            }
        }
        Ok(())
    }

    fn crash(&mut self) -> Told {
        self.tally.power_cuts += 1;
        self.known.look(&self.disk, Path::new(DATA))?;
        let next = self.disk.crash(self.random.number());
        self.say("power is back");
        self.disk = next;
        self.full = false;
        self.faulty = false;
        Ok(())
    }

    /// A last life without faults, and everything that must hold at its end.
    fn end(&mut self) -> Told {
        self.heal();
        let mut life = loop {
            if let Some(life) = self.start()? {
                break life;
            }
        };
        let ended = self.append(&mut life)?;
        hold!(self.judge(ended)? == Done::Yes, "an event is not taken in by a healthy log");
        let ended = self.checkpoint(&mut life)?;
        hold!(self.judge(ended)? == Done::Yes, "a healthy log signs nothing");
        let size = life.log.size();
        drop(life);
        forge::end(self, size)
    }
}

/// How long an event may wait for its sync, as docs/operating.md promises.
fn sync_delay_ns(prio: Priority) -> u64 {
    match prio {
        Priority::Critical => 0,
        Priority::High => 100_000_000,
        Priority::Medium => 1_000_000_000,
        Priority::Low => 5_000_000_000,
    }
}

/// Whether somebody must look after the disk.
fn is_failure(error: &BlockError) -> bool {
    matches!(
        error,
        BlockError::Io { .. } | BlockError::Log(LogError::Io { .. } | LogError::Refused { .. })
    )
}

/// Numbers of the history's own, for whoever forges.
impl History {
    pub fn below(&mut self, end: u64) -> u64 {
        self.random.below(end)
    }

    pub fn random(&mut self) -> &mut Random {
        &mut self.random
    }
}
