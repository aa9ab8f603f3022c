//! The writer's blocks: when the log is sealed, what it waits for, and what is given up for room.
//!
//! Lives in the writer's thread and is called between two commands: nothing here waits. A seal that
//! is due waits a moment for the full model's vectors of shapes that were first used since the last
//! block (the *barrier*), while commands go on; then it goes without, and the manifest says so. A
//! seal that failed is tried again, later each time; log and traffic go on meanwhile.
//!
//! **Invariant:** only events make a block due; lines by which the log tells of itself do not.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crossbeam_channel::Sender;
use ghost_block::{
    Block, BlockError, Cap, Keep, Reason, SealFacts, Sealer, Strategy, Tended, Trigger,
};
use ghost_event::{Priority, Timestamp};
use ghost_log::LogError;
use ghost_world::{Clock, RealDisk};

use super::DaemonHost;
use super::shared::Shared;
use super::shipping::Teller;
use crate::DataDir;
use crate::blocks::{Since, disk_bytes, ready_of};
use crate::config::{Blocks, DiskCap, Sealing as Wished};
use crate::limits::{
    BARRIER_NS, RATE_DAY_SAMPLES, RATE_HOUR_NS, SEAL_ASKED_MAX, SEAL_RETRY_NS, TEND_NS,
    TEND_STEP_BYTES, WANTS_SEAL_NS,
};
use crate::pen::Pen;

/// What became of a seal that somebody asked for: nothing where there was nothing new.
pub(crate) type Answered = Result<Option<Block>, String>;

/// The thread's own.
pub(crate) struct Sealing {
    host: Arc<dyn DaemonHost>,
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
    data: DataDir,
    strategy: Wished,
    keep: Keep,
    cap: DiskCap,
    sealer: Option<Sealer>,
    /// `None`: only when asked.
    trigger: Option<Trigger>,
    pub(crate) since: Since,
    /// Since the start.
    kinds: BTreeMap<&'static str, u64>,
    /// Lines in the newest block.
    sealed_size: u64,
    asked: Vec<Sender<Answered>>,
    /// A seal that retention wants, and when.
    wants: Option<(Reason, u64)>,
    /// Since when a due seal waits for vectors.
    barrier_ns: Option<u64>,
    retry_ns: u64,
    pause_ns: u64,
    tend_ns: u64,
    /// The pen's bytes when it was tended last, and how many more may come before it is again.
    room: (u64, u64),
    /// Log and segment when it was tended last.
    tended: (u64, u64),
    /// Bytes appended by the hour, for today's rate.
    hours: VecDeque<(u64, u64)>,
    teller: Teller,
}

impl Sealing {
    pub(crate) fn new(
        blocks: &Blocks,
        cap: DiskCap,
        data: &DataDir,
        shared: Arc<Shared>,
        host: Arc<dyn DaemonHost>,
        teller: Teller,
    ) -> Sealing {
        let strategy = match blocks.strategy {
            Wished::Priority => Some(Strategy::Priority),
            Wished::Realtime => Some(Strategy::Realtime),
            Wished::Batch => Some(Strategy::Batch {
                max_events: blocks.max_events,
                max_delay_ns: blocks.max_delay_ns.unsigned_abs(),
            }),
            Wished::Off => None,
        };
        let clock = host.clock();
        shared.texts().blocks.strategy = blocks.strategy.word().to_owned();
        Sealing {
            host,
            clock,
            shared,
            data: data.clone(),
            strategy: blocks.strategy,
            keep: blocks.keep(),
            cap,
            sealer: None,
            trigger: strategy.map(Trigger::new),
            since: Since::default(),
            kinds: BTreeMap::new(),
            sealed_size: 0,
            asked: Vec::new(),
            wants: None,
            barrier_ns: None,
            retry_ns: 0,
            pause_ns: 0,
            tend_ns: 0,
            room: (0, u64::MAX),
            tended: (0, 0),
            hours: VecDeque::new(),
            teller,
        }
    }

    /// Takes up where the last run ended: finds the blocks, and what came behind them. What can't
    /// be had now is tried for again.
    pub(crate) fn begin(&mut self, pen: &mut Pen) -> Result<(), LogError> {
        let now = self.clock.monotonic_ns();
        if let Err(error) = self.open(pen) {
            self.fail(&error, now);
        }
        self.reopened(pen);
        self.since = Since::read(pen.reader(), self.sealed_size)?;
        if !self.since.events.is_empty() {
            self.event(Priority::Low, now);
        }
        Ok(())
    }

    /// A pen that was opened anew learns up to where the log is ready.
    pub(crate) fn reopened(&self, pen: &mut Pen) {
        pen.was_ready_to(self.newest().map_or(0, |newest| ready_of(&self.data, &newest)));
    }

    fn newest(&self) -> Option<Block> {
        self.sealer.as_ref().and_then(|sealer| sealer.blocks().last().copied())
    }

    fn open(&mut self, pen: &Pen) -> Result<(), BlockError> {
        let volume = self.host.volume(self.data.root())?;
        let layout = pen.log.layout().clone();
        let (sealer, recovery) = Sealer::open(Arc::new(RealDisk), volume, layout)?;
        let mut warnings = Vec::new();
        for name in &recovery.writable {
            warnings.push(format!(
                "block {name} can be written: somebody changed that; it is kept, and is no block \
                 any more (`ghostbridge log verify` tells whether the log itself was altered)"
            ));
        }
        for name in &recovery.unnamed {
            warnings.push(format!(
                "block {name} is not named by this log: it is of a later state of it, or of \
                 another log"
            ));
        }
        for warning in warnings {
            self.host.say(&warning);
            self.shared.warn(warning);
        }
        self.shared.texts().blocks.volume = sealer.kind().name().to_owned();
        self.teller.blocks(sealer.blocks());
        self.sealer = Some(sealer);
        self.sealed_size = self.newest().map_or(0, |block| block.size);
        self.tell(None, 0);
        Ok(())
    }

    /// An event of this kind was logged.
    pub(crate) fn logged(&mut self, kind: &'static str, prio: Priority, now_ns: u64) {
        self.since.count(kind, 1);
        *self.kinds.entry(kind).or_default() += 1;
        self.event(prio, now_ns);
    }

    /// Events by kind, for the status.
    pub(crate) fn tell_kinds(&self) {
        let mut texts = self.shared.texts();
        texts.kinds = self.kinds.iter().map(|(kind, n)| ((*kind).to_owned(), *n)).collect();
    }

    /// Hands replicas what is durable, and hears what they need. Never waits.
    pub(crate) fn tell_replicas(&mut self, pen: &Pen, now_ns: u64) {
        self.teller.tell(&pen.log, || pen.line_bytes(), now_ns);
        if let (Some(pins), Some(sealer)) = (self.teller.pins(), &mut self.sealer) {
            sealer.pin(pins);
            // What is needed no more may go with the next look.
            self.tended = (0, 0);
        }
    }

    /// Whether replicas could not be told of everything yet.
    pub(crate) fn is_late(&self) -> bool {
        self.teller.is_late()
    }

    fn event(&mut self, prio: Priority, now_ns: u64) {
        self.teller.event(prio, now_ns);
        if let Some(trigger) = &mut self.trigger {
            trigger.event(prio, now_ns);
        }
    }

    /// Somebody wants a block.
    pub(crate) fn ask(&mut self, reply: Sender<Answered>) {
        if self.asked.len() < SEAL_ASKED_MAX {
            self.asked.push(reply);
        } else {
            let busy = "too many ask for a block at once; try again";
            let _ = reply.try_send(Err(busy.to_owned()));
        }
    }

    /// The log takes nothing now: who asked is told.
    pub(crate) fn refuse(&mut self, why: &str) {
        for reply in self.asked.drain(..) {
            // Whoever asked may have gone.
            let _ = reply.try_send(Err(why.to_owned()));
        }
    }

    /// When a seal is due, with its reason.
    fn due(&self) -> Option<(u64, Reason)> {
        let trigger = self.trigger.as_ref();
        if !self.asked.is_empty() {
            return Some((0, Reason::Asked));
        }
        let by_event = trigger.and_then(|t| {
            let reason = match self.strategy {
                Wished::Realtime => Reason::Realtime,
                Wished::Batch => Reason::Batch,
                _ => t.pressing().unwrap_or(Priority::Low).into(),
            };
            Some((t.due()?, reason))
        });
        let wanted = self.wants.map(|(reason, at)| (at, reason));
        let due = [by_event, wanted].into_iter().flatten().min_by_key(|(at, _)| *at);
        due.map(|(at, reason)| (if self.pause_ns > 0 { at.max(self.retry_ns) } else { at }, reason))
    }

    /// When it wants to be called again at the latest.
    pub(crate) fn next(&self) -> Option<u64> {
        let due = self.due().map(|(at, _)| match self.barrier_ns {
            Some(since) => since.saturating_add(self.patience_ns()).max(at),
            None => at,
        });
        let open = self.sealer.is_none().then_some(self.retry_ns);
        [due, open, Some(self.tend_ns)].into_iter().flatten().min()
    }

    /// How long the barrier holds a due seal back.
    fn patience_ns(&self) -> u64 {
        let [critical, high, usual] = BARRIER_NS;
        match self.trigger.as_ref().and_then(Trigger::pressing) {
            Some(Priority::Critical) => critical,
            Some(Priority::High) => high,
            _ => usual,
        }
    }

    /// Does what is due by now; the log's own trouble is given back.
    pub(crate) fn work(&mut self, pen: &mut Pen, now: u64) -> Result<(), LogError> {
        if self.sealer.is_none() && now >= self.retry_ns {
            if let Err(error) = self.open(pen) {
                self.fail(&error, now);
            } else {
                self.well();
            }
        }
        if let Some((at, reason)) = self.due()
            && now >= at
        {
            if reason != Reason::Retired && self.sealer.is_some() && self.waits(pen) {
                let since = *self.barrier_ns.get_or_insert(now);
                if now < since.saturating_add(self.patience_ns()) {
                    return Ok(());
                }
            }
            self.seal(pen, reason, now)?;
        }
        if now >= self.tend_ns || self.is_room_used(pen) {
            self.tend(pen, now)?;
        }
        Ok(())
    }

    /// Whether so much was appended that the cap must be looked after before its time.
    fn is_room_used(&self, pen: &Pen) -> bool {
        let (then, room) = self.room;
        // A pen that was opened anew counts from the beginning.
        pen.bytes < then || pen.bytes - then >= room
    }

    /// Whether a shape of the block to come may still get its vector.
    fn waits(&self, pen: &Pen) -> bool {
        pen.waits_behind(self.sealed_size) && self.shared.texts().model.state != "absent"
    }

    fn seal(&mut self, pen: &mut Pen, reason: Reason, now: u64) -> Result<(), LogError> {
        let Some(sealer) = &mut self.sealer else {
            let why = self.shared.texts().blocks.trouble.clone();
            self.refuse(&why);
            return Ok(());
        };
        let waited_ns = self.barrier_ns.take().map_or(0, |since| now.saturating_sub(since));
        let facts = SealFacts {
            t2_ready_size: pen.ready_size(),
            events: &self.since.events,
            lost: self.since.lost,
            reason,
            waited_ms: waited_ns / 1_000_000,
            time: Timestamp(self.clock.wall_ns()),
        };
        let sealed = sealer.seal(&mut pen.log, &facts);
        let ended = self.clock.monotonic_ns();
        match sealed {
            Ok(block) => {
                if let Some(trigger) = &mut self.trigger {
                    trigger.sealed();
                }
                self.wants = None;
                if let Some(block) = &block {
                    self.shared.seals.took(ended.saturating_sub(now));
                    self.since = Since::default();
                    self.sealed_size = block.size;
                    self.teller.blocks(sealer.blocks());
                    self.tell(Some((block, reason)), waited_ns / 1_000_000);
                }
                for reply in self.asked.drain(..) {
                    // Whoever asked may have gone.
                    let _ = reply.try_send(Ok(block));
                }
                self.well();
                // What is given up, is given up one at a time, each after a block was made.
                if block.is_some() { self.tend(pen, ended) } else { Ok(()) }
            }
            Err(error) => {
                self.refuse(&error.to_string());
                self.fail(&error, ended);
                match error {
                    BlockError::Log(error) => Err(error),
                    _ => Ok(()),
                }
            }
        }
    }

    fn tend(&mut self, pen: &mut Pen, now: u64) -> Result<(), LogError> {
        self.tend_ns = now.saturating_add(TEND_NS);
        self.keep_hour(now);
        let state = (pen.log.size(), pen.log.segment());
        let Some(sealer) = &mut self.sealer else { return Ok(()) };
        if self.tended == state && self.shared.texts().blocks.over_bytes == 0 {
            return Ok(());
        }
        let cap = Cap { bytes: self.cap.bytes(disk_bytes(&self.data)) };
        let time = Timestamp(self.clock.wall_ns());
        // Where it fails, time alone brings it back.
        self.room = (pen.bytes, u64::MAX);
        match sealer.tend(&mut pen.log, &cap, &self.keep, time) {
            Ok(tended) => {
                if let Some(reason) = tended.wants_seal {
                    self.wants.get_or_insert((reason, now.saturating_add(WANTS_SEAL_NS)));
                }
                if tended.deleted.is_some() {
                    self.teller.blocks(sealer.blocks());
                }
                self.tended = (pen.log.size(), pen.log.segment());
                self.room = (pen.bytes, tended.room_bytes.max(TEND_STEP_BYTES));
                if tended.retired_segments > 0
                    && let Ok(Some(first)) = pen.reader().first_seq()
                {
                    self.shared.log_first.set(first);
                }
                self.tell_room(pen, &tended, cap.bytes);
                Ok(())
            }
            Err(error) => {
                self.fail(&error, now);
                match error {
                    BlockError::Log(error) => Err(error),
                    _ => Ok(()),
                }
            }
        }
    }

    /// The last block of this run, of whatever is there.
    pub(crate) fn end(&mut self, pen: &mut Pen) -> Result<(), String> {
        if self.sealer.is_none()
            && let Err(error) = self.open(pen)
        {
            return Err(format!("the log was not sealed into a block: {error}"));
        }
        let now = self.clock.monotonic_ns();
        let reason = if self.asked.is_empty() { Reason::Stop } else { Reason::Asked };
        self.pause_ns = 0;
        let sealed = self.seal(pen, reason, now).map_err(|error| error.to_string());
        if self.pause_ns > 0 {
            let trouble = self.shared.texts().blocks.trouble.clone();
            return Err(format!("the log was not sealed into a block: {trouble}"));
        }
        sealed
    }

    fn well(&mut self) {
        self.pause_ns = 0;
        self.shared.texts().blocks.trouble.clear();
    }

    /// It could not be done: told, and tried again, later each time.
    fn fail(&mut self, error: &BlockError, now: u64) {
        let words = error.to_string();
        let news = {
            let mut texts = self.shared.texts();
            let news = texts.blocks.trouble != words;
            texts.blocks.trouble.clone_from(&words);
            texts.blocks.failed += 1;
            news
        };
        if news {
            self.host.say(&format!("no block: {words}"));
        }
        if !matches!(error, BlockError::Log(_) | BlockError::NoSpace { .. }) {
            // What the sealer thinks is there may not be: it looks anew.
            self.sealer = None;
        }
        self.barrier_ns = None;
        let (first, most) = SEAL_RETRY_NS;
        self.pause_ns = self.pause_ns.saturating_mul(2).clamp(first, most);
        self.retry_ns = now.saturating_add(self.pause_ns);
    }

    /// Numbers of blocks for the status.
    fn tell(&self, sealed: Option<(&Block, Reason)>, waited_ms: u64) {
        let newest = self.newest();
        let kept = self.sealer.as_ref().map_or(0, |sealer| sealer.blocks().len() as u64);
        let mut texts = self.shared.texts();
        let told = &mut texts.blocks;
        told.kept = kept;
        if let Some(block) = newest {
            told.last = block.name.number;
            told.last_name = block.name.to_string();
            told.last_size = block.size;
            told.last_time_ns = block.time.0;
        }
        if let Some((_, reason)) = sealed {
            told.sealed += 1;
            told.last_reason = reason.name().to_owned();
            told.last_waited_ms = waited_ms;
        }
    }

    fn tell_room(&self, pen: &Pen, tended: &Tended, cap_bytes: u64) {
        let kept = self.sealer.as_ref().map_or(0, |sealer| sealer.blocks().len() as u64);
        let usage = tended.usage;
        let rate = self.disk_bytes_a_day(pen, usage.log_bytes);
        let left = cap_bytes.saturating_sub(usage.log_bytes.saturating_add(usage.pinned_bytes));
        let days = |bytes: u64| rate.map(|rate| tenths(bytes, rate));
        let mut texts = self.shared.texts();
        let told = &mut texts.blocks;
        told.kept = kept;
        told.log_bytes = usage.log_bytes;
        told.pinned_bytes = usage.pinned_bytes;
        told.free_bytes = usage.free_bytes;
        told.cap_bytes = cap_bytes;
        told.over_bytes = tended.over_bytes;
        told.days_left = days(left);
        told.days_at_cap = days(cap_bytes);
        told.retired_segments += tended.retired_segments;
        told.retired_bytes += tended.retired_bytes;
        told.deleted += u64::from(tended.deleted.is_some());
    }

    /// Keeps how much was appended, once an hour, for a day.
    fn keep_hour(&mut self, now: u64) {
        let due = self.hours.back().is_none_or(|(at, _)| now >= at.saturating_add(RATE_HOUR_NS));
        if due {
            if self.hours.len() >= RATE_DAY_SAMPLES {
                self.hours.pop_front();
            }
            self.hours.push_back((now, self.shared.log_bytes.get()));
        }
    }

    /// What a day like the last one (or as much of it as we have seen) takes on the disk.
    fn disk_bytes_a_day(&self, pen: &Pen, log_bytes: u64) -> Option<f64> {
        const DAY_NS: f64 = 86_400e9;
        let (then, bytes) = *self.hours.front()?;
        let spent = self.clock.monotonic_ns().saturating_sub(then);
        // Of the first minute no day can be told.
        if spent < RATE_HOUR_NS / 60 {
            return None;
        }
        let raw: u64 = pen.log.segments().iter().map(|s| s.bytes).sum();
        let active = std::fs::metadata(pen.log.layout().active()).map_or(0, |m| m.len());
        let raw = raw.saturating_add(active).max(1);
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let (appended, spent, packed) = (
            self.shared.log_bytes.get().saturating_sub(bytes) as f64,
            spent as f64,
            log_bytes as f64 / raw as f64,
        );
        Some(appended * packed * DAY_NS / spent)
    }
}

/// Days for which `bytes` are enough, to a tenth.
#[expect(clippy::cast_precision_loss, reason = "days for people")]
fn tenths(bytes: u64, a_day: f64) -> f64 {
    (bytes as f64 / a_day.max(1.0) * 10.0).floor() / 10.0
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};

    use crossbeam_channel::bounded;
    use ghost_block::{Manifest, Volume};
    use ghost_event::line::Source;
    use ghost_event::{Tier, Vector};
    use ghost_log::LogConfig;
    use ghost_world::SimClock;

    use super::*;
    use crate::daemon::sample;
    use crate::{Profile, blocks};

    /// A clock that stands still, and a volume that may be away.
    #[derive(Debug)]
    struct Host {
        clock: Arc<SimClock>,
        away: AtomicBool,
    }

    impl DaemonHost for Host {
        fn clock(&self) -> Arc<dyn Clock> {
            Arc::clone(&self.clock) as _
        }
        fn random_id(&self) -> [u8; 16] {
            [1; 16]
        }
        fn random_seed(&self) -> [u8; 32] {
            [2; 32]
        }
        fn say(&self, _words: &str) {}
        fn volume(&self, data: &Path) -> Result<Box<dyn Volume>, BlockError> {
            if self.away.load(Ordering::Relaxed) {
                return Err(BlockError::HelperGone);
            }
            Ok(ghost_block::open_volume(data))
        }
    }

    struct House {
        dir: tempfile::TempDir,
        host: Arc<Host>,
        shared: Arc<Shared>,
        pen: Pen,
        sealing: Sealing,
    }

    impl House {
        fn new(away: bool) -> House {
            let dir = tempfile::tempdir().unwrap();
            let data = DataDir::new(dir.path());
            let clock = Arc::new(SimClock::new(1_700_000_000_000_000_000));
            let host = Arc::new(Host { clock, away: AtomicBool::new(away) });
            let config = LogConfig { key_seed: [2; 32], ..LogConfig::default() };
            let (mut pen, _) =
                Pen::open(blocks::disk(), &data, config, Profile::Balanced, host.clock()).unwrap();
            let shared = Arc::new(Shared::default());
            shared.texts().model.state = "ready".to_owned();
            let mut sealing = Sealing::new(
                &Blocks::default(),
                DiskCap::Bytes(1 << 30),
                &data,
                Arc::clone(&shared),
                Arc::clone(&host) as _,
                Teller::new(Arc::default()),
            );
            sealing.begin(&mut pen).unwrap();
            House { dir, host, shared, pen, sealing }
        }

        fn now(&self) -> u64 {
            self.host.clock.monotonic_ns()
        }

        /// One flow of a shape of its own, of priority high.
        fn flow(&mut self) -> Option<crate::pen::Worded> {
            let flow = &sample::flows(&[([10, 0, 0, 1], 22)])[0];
            let worded = self.pen.flow(flow, &Source::default()).unwrap();
            self.sealing.logged("flow", Priority::High, self.now());
            worded
        }

        fn pass(&mut self, ms: u32) {
            self.host.clock.pass(ms * 1_000_000);
            let now = self.now();
            self.sealing.work(&mut self.pen, now).unwrap();
        }

        fn sealed(&self) -> u64 {
            self.shared.texts().blocks.sealed
        }

        fn manifest(&self) -> Manifest {
            let block = blocks::find(&DataDir::new(self.dir.path()), "").unwrap();
            blocks::manifest(&block).unwrap()
        }
    }

    #[test]
    fn a_due_block_waits_for_a_new_shapes_vector_and_then_goes_without_and_says_so() {
        let mut house = House::new(false);
        house.flow();
        house.pass(499);
        assert_eq!((house.sealed(), house.sealing.barrier_ns), (0, None));
        house.pass(1);
        assert!(house.sealed() == 0 && house.sealing.barrier_ns.is_some());
        house.pass(199);
        assert_eq!(house.sealed(), 0, "high may wait 200 ms");
        house.pass(1);
        let manifest = house.manifest();
        assert_eq!((house.sealed(), manifest.waited_ms), (1, 200));
        assert_eq!(manifest.reason, Reason::High);
        assert!(manifest.t2_ready_size < manifest.sealed_size);
        assert_eq!(manifest.events, BTreeMap::from([("flow".to_owned(), 1)]));
        // Nothing new: nothing due, and nothing sealed however long it takes.
        assert_eq!(house.sealing.due(), None);
        for _ in 0..10 {
            house.pass(4000);
        }
        assert_eq!(house.sealed(), 1);
    }

    #[test]
    fn a_vector_that_comes_in_time_ends_the_wait_and_the_block_is_ready_to_its_end() {
        let mut house = House::new(false);
        let worded = house.flow().unwrap();
        house.pass(500);
        assert_eq!(house.sealed(), 0);
        let full = Vector { tier: Tier::Full, scale: 1.0, components: vec![1; 384].into() };
        house.pen.refined(&worded, "a model", &full).unwrap();
        house.pass(20);
        let manifest = house.manifest();
        assert_eq!((house.sealed(), manifest.waited_ms), (1, 20));
        assert_eq!(manifest.t2_ready_size, manifest.sealed_size);
    }

    #[test]
    fn without_a_model_nobody_waits() {
        let mut house = House::new(false);
        house.shared.texts().model.state = "absent".to_owned();
        house.flow();
        house.pass(500);
        assert_eq!((house.sealed(), house.manifest().waited_ms), (1, 0));
    }

    #[test]
    fn a_helper_that_is_away_is_told_and_tried_for_again_while_the_log_goes_on() {
        let mut house = House::new(true);
        assert!(house.shared.texts().blocks.trouble.contains("helper"));
        house.flow();
        let (ask, answer) = bounded(1);
        house.sealing.ask(ask);
        house.pass(600);
        assert!(answer.try_recv().unwrap().unwrap_err().contains("helper"));
        let failed = house.shared.texts().blocks.failed;
        for _ in 0..20 {
            house.pass(1000);
        }
        let tried = house.shared.texts().blocks.failed - failed;
        assert!((2..=6).contains(&tried), "later each time: {tried}");
        house.flow();
        house.host.away.store(false, Ordering::Relaxed);
        for _ in 0..60 {
            house.pass(1000);
        }
        assert_eq!(house.sealed(), 1);
        assert!(house.shared.texts().blocks.trouble.is_empty());
        assert_eq!(house.manifest().events, BTreeMap::from([("flow".to_owned(), 2)]));
    }
}
