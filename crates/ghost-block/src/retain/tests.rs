//! The plan, followed step by step on a model of log, blocks and disk.

use bolero::TypeGenerator;

use super::*;

/// A segment's lines and bytes are the same numbers here; compression is a ratio.
struct Model {
    /// Sealed segments in the log: first line, last line.
    sealed: Vec<(u64, u64)>,
    /// The segment that grows: first line, last line.
    active: (u64, u64),
    /// Blocks, oldest first: number, time, first line, last line.
    blocks: Vec<(u64, i64, u64, u64)>,
    number: u64,
    created: bool,
    /// Bytes of deleted blocks that the disk has still, and how many blocks that were.
    leaving: (u64, u32),
    segment_bytes: u64,
    /// Bytes on the disk of 100 bytes.
    percent: u64,
    pinned: BTreeSet<u64>,
}

impl Model {
    fn new(segment_bytes: u64, percent: u64) -> Model {
        Model {
            sealed: Vec::new(),
            active: (1, 0),
            blocks: Vec::new(),
            number: 0,
            created: false,
            leaving: (0, 0),
            segment_bytes,
            percent,
            pinned: BTreeSet::new(),
        }
    }

    fn first(&self) -> u64 {
        self.sealed.first().map_or(self.active.0, |(first, _)| *first)
    }

    fn disk(&self, from: u64, to: u64) -> u64 {
        ((to + 1).saturating_sub(from) * self.percent).div_ceil(100)
    }

    fn usage(&self) -> Usage {
        let log_bytes = self.disk(self.first(), self.active.1);
        // What any block has from before the log's beginning.
        let oldest = self.blocks.iter().map(|block| block.2).min().unwrap_or(u64::MAX);
        let pinned = if oldest < self.first() { self.disk(oldest, self.first() - 1) } else { 0 };
        Usage {
            log_bytes,
            pinned_bytes: pinned + self.leaving.0,
            free_bytes: 0,
            total_bytes: u64::MAX,
            exact: true,
        }
    }

    fn total(&self) -> u64 {
        self.usage().log_bytes + self.usage().pinned_bytes
    }

    fn append(&mut self, mut bytes: u64) {
        while bytes > 0 {
            let used = self.active.1 + 1 - self.active.0;
            let now = bytes.min(self.segment_bytes - used);
            self.active.1 += now;
            bytes -= now;
            if used + now >= self.segment_bytes {
                self.rotate();
            }
        }
    }

    fn rotate(&mut self) {
        self.sealed.push(self.active);
        self.active = (self.active.1 + 1, self.active.1);
    }

    fn seal(&mut self, time: i64) {
        if self.active.1 > 0 {
            self.number += 1;
            self.blocks.push((self.number, time, self.first(), self.active.1));
            self.created = true;
        }
    }

    /// Asks for a plan, and does what it says. Returns it.
    fn tend(&mut self, cap: Cap, keep: Keep) -> Plan {
        let segments: Vec<Segment> = self
            .sealed
            .iter()
            .map(|(first, last)| Segment { last: *last, bytes: last + 1 - first })
            .collect();
        let blocks: Vec<Kept> = self
            .blocks
            .iter()
            .map(|(number, time, first_seq, _)| Kept {
                number: *number,
                time: Timestamp(*time),
                first_seq: *first_seq,
            })
            .collect();
        let plan = plan(&Situation {
            usage: self.usage(),
            cap,
            keep,
            segments: &segments,
            active_bytes: self.active.1 + 1 - self.active.0,
            active_has_events: self.active.1 >= self.active.0,
            first_seq: self.first(),
            blocks: &blocks,
            pinned: &self.pinned,
            now: Timestamp(i64::MAX),
            created: self.created,
            deleting: self.leaving.1,
        });
        if let Some(number) = plan.delete {
            let before = self.total();
            self.blocks.retain(|block| block.0 != number);
            self.leaving.0 += before - self.total();
            self.leaving.1 += 1;
            self.created = false;
        }
        let mut upto = plan.retire_upto;
        if plan.rotate {
            upto = Some(self.active.1);
            self.rotate();
        }
        if let Some(upto) = upto {
            self.sealed.retain(|(_, last)| *last > upto);
        }
        plan
    }

    fn work_off(&mut self) {
        self.leaving = (0, 0);
    }
}

#[derive(Debug, Clone, TypeGenerator)]
enum Step {
    /// So many thousandths of the reserve are written.
    Append(u16),
    Seal,
    /// The seal that is wanted fails: the disk is full, say.
    FailedSeal,
    WorkOff,
    Later(u8),
}

#[test]
fn the_cap_holds_after_every_step_of_any_history() {
    type Input = (Vec<Step>, u16, u8, u8, (u8, u8, u8));
    bolero::check!().with_type::<Input>().with_iterations(2000).for_each(
        |(steps, cap, segment, percent, (last, hourly, daily))| {
            let cap = Cap { bytes: 4096 + u64::from(*cap) * 16 };
            let reserve = reserve_bytes(cap);
            let percent = 1 + u64::from(*percent) % 100;
            // Segments may be larger than the whole cap.
            let segment = 16 + cap.bytes * u64::from(*segment) / 100;
            let mut model = Model::new(segment, percent);
            let keep = Keep {
                last: u32::from(*last % 8),
                hourly: u32::from(*hourly % 30),
                daily: u32::from(*daily % 10),
            };
            let mut time = 0;
            for step in steps {
                match step {
                    Step::Append(thousandths) => {
                        // As much, on the disk, as is kept free for what comes between two calls.
                        let disk = reserve * u64::from(*thousandths % 1000) / 1000;
                        model.append(disk * 100 / percent);
                    }
                    Step::Seal => model.seal(time),
                    Step::FailedSeal => {}
                    Step::WorkOff => model.work_off(),
                    Step::Later(minutes) => time += i64::from(*minutes) * 60_000_000_000,
                }
                let plan = model.tend(cap, keep);
                if plan.wants_seal && !matches!(step, Step::FailedSeal) {
                    model.seal(time);
                    model.tend(cap, keep);
                }
                // Whatever was deleted goes in the end; nothing else is left to give up.
                let mut calls = 0;
                while model.total() > cap.bytes {
                    model.work_off();
                    model.tend(cap, keep);
                    calls += 1;
                    assert!(calls < 300, "{} above {}", model.total(), cap.bytes);
                }
            }
        },
    );
}

#[test]
fn a_log_that_grows_by_less_than_the_reserve_never_passes_the_cap_at_all() {
    let cap = Cap { bytes: 1 << 20 };
    for (segment, percent) in [(1 << 14, 100), (1 << 16, 20), (1 << 19, 100), (1 << 21, 50)] {
        let mut model = Model::new(segment, percent);
        for n in 0..3000 {
            model.append(reserve_bytes(cap) / 2 * 100 / percent);
            model.seal(n);
            assert!(model.total() <= cap.bytes, "segment {segment}: {}", model.total());
            while model.tend(cap, Keep::default()).wants_seal {
                model.seal(n);
            }
            model.work_off();
            assert!(model.blocks.len() <= 2, "{:?}", model.blocks);
        }
        assert!(model.first() > 1, "something was retired");
        // And it is used: the log is not given up much further than it must be.
        let wasted = cap.bytes - model.total();
        assert!(wasted <= cap.bytes / 16 * 3 + segment * percent / 100, "{wasted} unused");
    }
}

#[test]
fn with_nothing_else_wanted_one_block_stays_and_one_goes_for_each_that_comes() {
    let mut model = Model::new(1000, 100);
    let cap = Cap { bytes: 1 << 40 };
    for n in 1..100 {
        model.append(10);
        model.seal(n);
        let plan = model.tend(cap, Keep::default());
        assert_eq!(plan.delete, (n > 1).then(|| n.unsigned_abs() - 1));
        assert_eq!(model.blocks.len(), 1);
        assert_eq!((plan.retire_upto, plan.rotate, plan.wants_seal), (None, false, false));
        // Without a new block nothing more goes.
        assert_eq!(model.tend(cap, Keep::default()).delete, None);
    }
}

#[test]
fn a_backlog_goes_one_by_one_as_fast_as_the_disk_works_it_off() {
    let mut model = Model::new(1000, 100);
    let cap = Cap { bytes: 1 << 40 };
    model.append(10);
    for n in 0..50 {
        model.seal(n);
    }
    assert!(model.tend(cap, Keep::default()).delete.is_some());
    // Not worked off yet, and nothing new: it waits.
    assert_eq!(model.tend(cap, Keep::default()).delete, None);
    for _ in 0..48 {
        model.work_off();
        assert!(model.tend(cap, Keep::default()).delete.is_some());
    }
    assert_eq!(model.blocks.len(), 1);
}

#[test]
fn what_replicas_grow_from_stays_as_long_as_there_is_room_and_then_the_oldest_goes() {
    let mut model = Model::new(100, 100);
    let cap = Cap { bytes: 1 << 40 };
    model.pinned = [2, 5].into();
    for n in 0..20 {
        model.append(10);
        model.seal(n);
        model.tend(cap, Keep::default());
    }
    let numbers = |model: &Model| model.blocks.iter().map(|b| b.0).collect::<Vec<_>>();
    assert_eq!(numbers(&model), [2, 5, 20]);
    // The one of whom nobody grows goes as soon as it is let go of.
    model.pinned = [5].into();
    model.append(10);
    model.seal(20);
    model.tend(cap, Keep::default());
    model.work_off();
    model.tend(cap, Keep::default());
    assert_eq!(numbers(&model), [5, 21]);
    // The cap wants its room: the pin gives way, and all holds together.
    let cap = Cap { bytes: 150 };
    for n in 21..40 {
        model.append(5);
        model.seal(n);
        while model.tend(cap, Keep::default()).wants_seal {
            model.seal(n);
        }
        model.work_off();
    }
    assert!(model.total() <= cap.bytes && !numbers(&model).contains(&5), "{:?}", model.blocks);
}

#[test]
fn the_grid_keeps_the_newest_of_each_hour_and_day() {
    let hour = 3_600_000_000_000;
    let blocks: Vec<Kept> = (0..200u64)
        .map(|n| Kept {
            number: n + 1,
            time: Timestamp(i64::try_from(n).unwrap() * hour / 2),
            first_seq: 1,
        })
        .collect();
    let keep = Keep { last: 2, hourly: 3, daily: 2 };
    let now = Timestamp(i64::MAX);
    // Half-hourly; day 4 begins at block 193.
    assert_eq!(kept(&blocks, keep, now), [192, 196, 198, 199, 200].into());
    assert_eq!(kept(&blocks, Keep { last: 0, hourly: 0, daily: 0 }, now), [200].into());
    // A clock that was wrong for a moment holds no hour.
    let mut odd = blocks.clone();
    odd[10].time = Timestamp(i64::MAX);
    assert_eq!(kept(&odd, keep, Timestamp(200 * hour)), [192, 196, 198, 199, 200].into());
}

#[test]
fn the_usual_cap_is_a_tenth_of_a_small_disk_and_twenty_gibibytes_of_a_large_one() {
    assert_eq!(Cap::of_disk(1 << 30).bytes, (1 << 30) / 10);
    assert_eq!(Cap::of_disk(1 << 50).bytes, 20 << 30);
}

#[test]
fn a_lone_block_that_keeps_retired_segments_goes_when_the_cap_is_passed_and_no_seal_is_made() {
    let mut model = Model::new(100, 100);
    let cap = Cap { bytes: 1600 };
    model.append(1550);
    model.seal(0);
    let plan = model.tend(cap, Keep::default());
    assert!(plan.retire_upto.is_some() && plan.wants_seal);
    assert_eq!(plan.delete, None, "a new block comes first");
    model.append(100);
    let plan = model.tend(cap, Keep::default());
    assert_eq!(plan.delete, Some(1), "no new block came, and the cap is passed");
    model.work_off();
    assert!(model.total() <= cap.bytes);
}
