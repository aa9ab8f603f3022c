//! What becomes of a replica when lines break, programs die and disks fill: nothing acknowledged is
//! lost, nothing else is taken in, and in the end both sides have the same.

mod peer;

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ghost_lab::{Line, Relay};
use ghost_world::{Clock, Random, RealClock};
use peer::{Primary, Replica};

/// Connections that break, each at another byte.
const CUTS: u64 = 300;

#[test]
fn a_connection_that_is_cut_at_any_byte_loses_nothing_that_was_acknowledged() {
    let mut complete = 0;
    let mut acked_early = 0;
    for story in 0..6 {
        let mut random = Random::new(0xc07 + story);
        let mut primary = Primary::new(1);
        let mut replica = Replica::new();
        for cut in 0..CUTS / 6 {
            primary.grow(1 + random.below(12), &mut random);
            if random.one_in(2) {
                primary.seal();
            }
            // Some break early, where hellos and first frames are; some after everything.
            let most = if random.one_in(3) { 1500 } else { 15_000 };
            let at = random.below(most);
            let line = Line { breaks_after: Some(at), ..Line::default() };
            let (ours, theirs, relay) = Relay::pair(line).unwrap();
            let served = replica.serve(&theirs);
            drop(theirs);
            let before = primary.acked;
            // Every other one waits for each acknowledgement, so that cuts fall between them.
            primary.patient = cut % 2 == 0;
            let spoke = primary.speak(&ours);
            drop((ours, relay));
            let ended = served.join().unwrap();
            assert!(spoke.refusals.is_empty(), "cut {cut} at {at}: {:?}", spoke.refusals);
            assert_eq!(ended.refusal, None, "cut {cut} at {at}: {ended:?}");
            complete += u64::from(spoke.complete);
            acked_early += u64::from(!spoke.complete && primary.acked > before);
            primary.check_lines(&replica);
            if random.one_in(4) {
                // And whoever received is gone as well.
                replica.restart();
                primary.check_lines(&replica);
            }
        }
        primary.seal();
        primary.converge(&replica);
    }
    // The cuts fall where they should: before, within and behind what is acknowledged.
    assert!(complete < CUTS / 2 && acked_early > CUTS / 10, "{complete}, {acked_early} of {CUTS}");
}

/// Speaks once over a line that breaks after so many bytes; whether everything was acknowledged.
#[track_caller]
fn once(primary: &mut Primary, replica: &Replica, breaks_after: Option<u64>) -> bool {
    let (ours, theirs, relay) = Relay::pair(Line { breaks_after, ..Line::default() }).unwrap();
    let served = replica.serve(&theirs);
    drop(theirs);
    let spoke = primary.speak(&ours);
    drop((ours, relay));
    let ended = served.join().unwrap();
    assert!(spoke.refusals.is_empty() && ended.refusal.is_none(), "{spoke:?} {ended:?}");
    spoke.complete
}

#[test]
fn a_replica_that_was_away_for_ten_thousand_blocks_gets_one() {
    let mut random = Random::new(10_000);
    let mut primary = Primary::new(1);
    let replica = Replica::new();
    primary.grow(3, &mut random);
    primary.seal();
    primary.converge(&replica);
    let first = primary.blocks[0].clone();
    for _ in 0..10_000 {
        primary.grow(1, &mut random);
        primary.seal();
    }
    let newest = primary.blocks.last().cloned().unwrap();
    // What the plan keeps of them: the newest, and the one that both have.
    primary.blocks = vec![first, newest.clone()];
    primary.converge(&replica);
    let facts = replica.dir_of(&primary.log).facts().unwrap();
    assert_eq!((facts.block, facts.verified, facts.blocks.len()), (newest.number, newest.size, 2));
}

/// A wall clock that a person, or a server of time, sets to anything.
#[derive(Debug, Default)]
struct Jumping(AtomicI64);

impl Clock for Jumping {
    fn wall_ns(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
    fn monotonic_ns(&self) -> u64 {
        RealClock.monotonic_ns()
    }
    fn uptime_ns(&self) -> u64 {
        RealClock.uptime_ns()
    }
    fn boot_id(&self) -> String {
        RealClock.boot_id()
    }
}

#[test]
fn a_replicas_clock_may_jump_to_any_time() {
    let mut random = Random::new(0xc10c);
    let mut primary = Primary::new(1);
    let mut replica = Replica::new();
    let clock = Arc::new(Jumping::default());
    replica.clock(Arc::clone(&clock) as Arc<dyn Clock>);
    const YEAR_NS: i64 = 365 * 86_400 * 1_000_000_000;
    let now = RealClock.wall_ns();
    for wall in [now, now - 20 * YEAR_NS, now + 80 * YEAR_NS, 0, -YEAR_NS, i64::MAX, i64::MIN, now]
    {
        clock.0.store(wall, Ordering::Relaxed);
        primary.grow(9, &mut random);
        primary.seal();
        primary.converge(&replica);
        replica.restart();
        primary.check_lines(&replica);
    }
    let facts = replica.dir_of(&primary.log).facts().unwrap();
    assert!((2..=8).contains(&facts.blocks.len()), "{:?}", facts.blocks);
}

#[test]
fn two_connections_of_one_primary_do_not_both_write() {
    let mut random = Random::new(2);
    let mut primary = Primary::new(1);
    let replica = Replica::new();
    primary.grow(20, &mut random);
    primary.seal();
    // The first says nothing after its preamble: its primary lost it, and comes again.
    let (first, theirs) = UnixStream::pair().unwrap();
    let held = replica.serve(&theirs);
    drop(theirs);
    primary.converge(&replica);
    drop(first);
    held.join().unwrap();
    primary.check_lines(&replica);
}

#[test]
fn a_tail_that_root_of_the_replica_edited_is_not_acknowledged_again() {
    let mut random = Random::new(3);
    let mut primary = Primary::new(1);
    let mut replica = Replica::new();
    primary.grow(20, &mut random);
    primary.seal();
    primary.converge(&replica);
    primary.grow(10, &mut random);
    assert!(once(&mut primary, &replica, None));
    let path = replica.dir_of(&primary.log).tail();
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(7).position(|w| w == b"\"what\":").unwrap() + 7;
    bytes[at] = if bytes[at] == b'1' { b'2' } else { b'1' };
    std::fs::write(&path, bytes).unwrap();
    // What it acknowledged is gone by its own root's hand; it says so, and gets it again.
    replica.restart();
    primary.acked = 0;
    primary.seal();
    primary.converge(&replica);
}
