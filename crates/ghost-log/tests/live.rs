//! A log is verified while its writer goes on: appends, seals segments, signs, retires.

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::*;
use ghost_log::{VerifyOptions, verify_on};
use ghost_world::SimDisk;

#[test]
fn a_log_that_is_written_and_retired_meanwhile_is_not_taken_for_damaged() {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(4096)).unwrap();
    fill(&mut log, 0, 20).unwrap();
    log.checkpoint().unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1..150_u64 {
                fill(&mut log, round * 20, round * 20 + 20).unwrap();
                log.checkpoint().unwrap();
                if round % 10 == 0 {
                    let segments = log.segments();
                    log.retire(segments[segments.len() / 2].last).unwrap();
                }
            }
            done.store(true, Ordering::Release);
        });
        let mut verified = 0;
        let mut furthest = 0;
        while !done.load(Ordering::Acquire) {
            let verdict =
                verify_on(&disk_of(&sim), Path::new(DATA), &VerifyOptions::default()).unwrap();
            assert!(verdict.ok(), "{:?}", verdict.wrong());
            assert!(verdict.head.seq >= furthest, "no line that was read is gone");
            furthest = verdict.head.seq;
            verified += 1;
        }
        assert!(verified > 3, "it was verified {verified} times");
    });
    let verdict = verdict(&sim);
    assert!(verdict.ok() && verdict.first_seq > 1, "{:?}", verdict.wrong());
}
