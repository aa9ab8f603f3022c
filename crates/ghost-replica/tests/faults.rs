//! What becomes of a replica when lines break, programs die and disks fill: nothing acknowledged is
//! lost, nothing else is taken in, and in the end both sides have the same.

mod peer;

use ghost_lab::{Line, Relay};
use ghost_world::Random;
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
            // Most break early, where hellos and first frames are; some after everything.
            let most = if random.one_in(3) { 1500 } else { 9000 };
            let at = random.below(most);
            let line = Line { breaks_after: Some(at), ..Line::default() };
            let (ours, theirs, relay) = Relay::pair(line).unwrap();
            let served = replica.serve(&theirs);
            drop(theirs);
            let before = primary.acked;
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
