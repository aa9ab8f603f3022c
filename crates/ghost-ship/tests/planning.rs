//! What is planned when: by table, and for whatever may be.

use ghost_event::{Digest, Priority};
use ghost_ship::plan::{
    Action, Held, Now, Primary, Quiet, Replica, Sealed, Settings, Strategy, Verdict, Waiting, Why,
    deadline_ns, keep, next,
};
use ghost_ship::wire::{BlockTold, Code, Health, Hello, Kind, Limits, LogId, Place, Refusal, Role};
use ghost_world::Random;

const MS: u64 = 1_000_000;
const S: u64 = 1000 * MS;

fn sealed(n: u64) -> Sealed {
    Sealed { number: n, size: n * 100, root: Digest([n as u8; 32]) }
}

fn told(n: u64) -> BlockTold {
    let Sealed { number, size, root } = sealed(n);
    BlockTold { number, size, root }
}

fn hello(held: u64, blocks: &[u64]) -> Hello {
    Hello {
        role: Role::Replica,
        name: String::new(),
        program: String::new(),
        limits: Limits::OURS,
        log: Some(LogId([1; 16])),
        epoch: 1,
        held: Place { size: held, leaf: Digest::ZERO },
        signed_size: 0,
        signed_root: Digest::ZERO,
        note: String::new(),
        blocks: blocks.iter().map(|n| told(*n)).collect(),
        forms: Vec::new(),
        key: String::new(),
    }
}

/// An open replica that has so many lines and these blocks.
fn replica(held: u64, blocks: &[u64], now_ns: u64) -> Replica {
    let mut replica = Replica::new(Settings::default(), now_ns);
    replica.connecting(now_ns);
    replica.met(&hello(held, blocks), now_ns);
    if let Some(newest) = blocks.last() {
        replica.cosigned(newest * 100);
    }
    replica
}

struct Log {
    durable: u64,
    waiting: Waiting,
    blocks: Vec<Sealed>,
    strategy: Strategy,
}

impl Log {
    fn new(durable: u64, blocks: &[u64]) -> Log {
        let blocks = blocks.iter().map(|n| sealed(*n)).collect();
        Log { durable, waiting: Waiting::new(), blocks, strategy: Strategy::Priority }
    }

    fn plan(&self, replica: &Replica, now_ns: u64) -> ghost_ship::plan::Decision {
        self.at(replica, Now { ns: now_ns, minute: 0 })
    }

    fn at(&self, replica: &Replica, now: Now) -> ghost_ship::plan::Decision {
        let view = Primary {
            strategy: self.strategy,
            durable: self.durable,
            line_bytes: 300,
            waiting: &self.waiting,
            blocks: &self.blocks,
        };
        next(&view, replica, now)
    }
}

fn tail_of(actions: &[Action]) -> Option<(u64, u64)> {
    actions.iter().find_map(|a| match a {
        Action::Tail { after, upto, .. } => Some((*after, *upto)),
        _ => None,
    })
}

fn block_of(actions: &[Action]) -> Option<(u64, Option<u64>)> {
    actions.iter().find_map(|a| match a {
        Action::Block { number, parent, .. } => Some((*number, *parent)),
        _ => None,
    })
}

#[test]
fn each_priority_goes_well_before_its_deadline_and_not_before_it_is_worth_it() {
    for (prio, earliest, latest) in [
        (Priority::Critical, 0, 1),
        (Priority::High, 50, 200),
        (Priority::Medium, 5_000, 8_000),
        (Priority::Low, 20_000, 25_000),
    ] {
        let mut log = Log::new(10, &[]);
        let mut replica = replica(9, &[], S);
        log.waiting.event(10, prio, S);
        let mut now = S;
        let sent = loop {
            replica.heard(now);
            replica.sent_bytes(0, now);
            let decision = log.plan(&replica, now);
            if let Some(tail) = tail_of(&decision.actions) {
                assert_eq!(tail, (9, 10));
                break now;
            }
            let wake = decision.wake_ns.expect("it will be asked again");
            assert!(wake > now, "{}: a wake in the past", prio.name());
            now = wake.min(now + 9 * S);
        };
        let waited = (sent - S) / MS;
        assert!((earliest..=latest).contains(&waited), "{}: {waited} ms", prio.name());
        assert!(sent - S < deadline_ns(prio));
    }
}

#[test]
fn a_line_that_is_not_durable_is_never_sent() {
    let mut log = Log::new(10, &[]);
    log.waiting.event(15, Priority::Critical, S);
    assert_eq!(tail_of(&log.plan(&replica(10, &[], S), S).actions), None);
    assert_eq!(tail_of(&log.plan(&replica(4, &[], S), S).actions), Some((4, 10)));
    log.durable = 15;
    assert_eq!(tail_of(&log.plan(&replica(10, &[], S), S).actions), Some((10, 15)));
}

#[test]
fn a_slow_link_is_set_out_on_earlier() {
    let mut log = Log::new(200, &[]);
    log.waiting.event(200, Priority::High, S);
    let mut slow = replica(0, &[], S);
    // 100 kB/s: sixty thousand bytes take most of the second.
    slow.sent_bytes(50_000, S / 2);
    slow.received(50_000, S);
    assert_eq!(tail_of(&log.plan(&replica(0, &[], S), S).actions), None);
    assert_eq!(tail_of(&log.plan(&slow, S).actions), Some((0, 200)));
}

#[test]
fn strategies_say_when_lines_go() {
    let mut log = Log::new(12, &[]);
    log.waiting.event(11, Priority::Low, S);
    let lags = |n: u64| replica(12 - n, &[], S);
    for (strategy, lines, after_ns, goes) in [
        (Strategy::Realtime, 1, 0, true),
        (Strategy::Priority, 1, 0, false),
        (Strategy::Batch { max_events: 5, max_delay_ns: 3 * S }, 4, 0, false),
        (Strategy::Batch { max_events: 5, max_delay_ns: 3 * S }, 5, 0, true),
        (Strategy::Batch { max_events: 5, max_delay_ns: 3 * S }, 2, 3 * S - 1, false),
        (Strategy::Batch { max_events: 5, max_delay_ns: 3 * S }, 2, 3 * S, true),
    ] {
        log.strategy = strategy;
        let decision = log.plan(&lags(lines), S + after_ns);
        assert_eq!(tail_of(&decision.actions).is_some(), goes, "{strategy:?} {lines} {after_ns}");
    }
}

#[test]
fn the_newest_block_goes_from_the_newest_that_both_have() {
    for (ours, theirs, expected) in [
        (&[1_u64, 2, 3][..], &[][..], Some((3, None))),
        (&[1, 2, 3], &[1], Some((3, Some(1)))),
        (&[1, 2, 3], &[1, 2], Some((3, Some(2)))),
        (&[2, 3], &[1], Some((3, None))),
        (&[1, 2, 3], &[3], None),
        (&[], &[], None),
        (&[3], &[1, 5], None),
    ] {
        let log = Log::new(ours.len() as u64 * 100, ours);
        let held = theirs.last().map_or(0, |n| n * 100);
        let decision = log.plan(&replica(held, theirs, S), S);
        assert_eq!(block_of(&decision.actions), expected, "{ours:?} {theirs:?}");
        let chunks = decision.actions.iter().any(|a| matches!(a, Action::Chunks { .. }));
        assert_eq!(chunks, expected.is_some());
    }
}

#[test]
fn ten_thousand_blocks_later_one_send_catches_up() {
    let mut log = Log::new(100, &[1]);
    let mut away = replica(100, &[1], S);
    away.lost(S, 0);
    let mut most = 0;
    for n in 2..=10_001_u64 {
        log.blocks.push(Sealed { number: n, size: n * 100, root: Digest([(n % 250) as u8; 32]) });
        let kept = keep(&Held { blocks: &log.blocks, cap: 16 }, std::slice::from_ref(&away));
        log.blocks.retain(|b| kept.blocks.contains(&b.number));
        most = most.max(log.blocks.len());
        log.durable = n * 100;
        log.waiting.event(n * 100, Priority::High, n * S);
    }
    assert!(most <= 2, "{most} snapshots piled up");
    assert!(log.waiting.len() <= 256);
    let now = 10_002 * S;
    away.connecting(now);
    away.met(&hello(100, &[1]), now);
    let decision = log.plan(&away, now);
    assert_eq!(block_of(&decision.actions), Some((10_001, Some(1))));
    // 300 MB are the block's to carry; the tail waits for it.
    assert_eq!(tail_of(&decision.actions), None);
    away.block_begun(log.blocks.last().unwrap(), Some(1), now);
    assert_eq!(block_of(&log.plan(&away, now).actions), None);
    let newest = *log.blocks.last().unwrap();
    let (number, size, root) = (newest.number, newest.size, newest.root);
    away.verified(BlockTold { number, size, root }, now);
    assert_eq!(block_of(&log.plan(&away, now).actions), None);
    assert_eq!(away.held, 1_000_100);
}

#[test]
fn what_is_in_the_way_of_a_block_is_said() {
    let log = Log::new(300, &[1, 2, 3]);
    let check = |change: &dyn Fn(&mut Replica), minute, expected: Option<Why>| {
        let mut replica = replica(100, &[1], S);
        change(&mut replica);
        let decision = log.at(&replica, Now { ns: S, minute });
        assert_eq!(decision.waits, expected);
        assert_eq!(block_of(&decision.actions).is_none(), expected.is_some());
        assert!(decision.wake_ns.is_some_and(|w| w > S) || expected == Some(Why::Paused));
    };
    check(&|_| (), 0, None);
    let night = Settings { quiet: Quiet::parse("22:00-06:00"), ..Settings::default() };
    check(&|r| r.configure(night, S), 5, Some(Why::Quiet));
    check(&|r| r.configure(night, S), 600, None);
    check(&|r| r.configure(Settings { paused: true, ..night }, S), 600, Some(Why::Paused));
    let health = |free_bytes| Health { free_bytes, total_bytes: 1 << 40, ..Health::default() };
    let full = Why::Unhealthy(Verdict::Full);
    check(&|r| r.told_health(health(1 << 20), S), 0, Some(full));
    check(&|r| r.told_health(health(1 << 30), S), 0, None);
    let refused = |code| Refusal::new(code, "").about(Kind::BlockBegin);
    check(&|r| r.refused(&refused(Code::Full), S), 0, Some(Why::Later));
    // A parent that is gone is no parent: everything is sent, at once.
    let mut replica = replica(100, &[1], S);
    replica.block_begun(&sealed(3), Some(1), S);
    replica.refused(&refused(Code::NoParent), S);
    assert_eq!(block_of(&log.plan(&replica, S).actions), Some((3, None)));
}

#[test]
fn pressing_lines_go_through_quiet_hours_and_limits() {
    let mut log = Log::new(300, &[1, 2, 3]);
    let limits =
        Settings { rate_limit: Some(1000), quiet: Quiet::parse("00:00-23:59"), paused: false };
    let mut replica = replica(290, &[1], S);
    replica.configure(limits, S);
    replica.sent_bytes(50_000, S);
    log.waiting.event(300, Priority::Critical, S);
    let decision = log.plan(&replica, S);
    assert_eq!((tail_of(&decision.actions), block_of(&decision.actions)), (Some((290, 300)), None));
}

#[test]
fn a_rate_limit_holds_the_block_lane_over_time() {
    let log = Log::new(300, &[1, 2, 3]);
    let mut replica = replica(100, &[1], 0);
    replica.configure(Settings { rate_limit: Some(20_000), ..Settings::default() }, 0);
    replica.block_begun(&sealed(3), Some(1), 0);
    let (mut now, mut sent) = (0, 0_u64);
    while now < 60 * S {
        replica.heard(now);
        replica.sent_bytes(0, now);
        let decision = log.plan(&replica, now);
        for action in &decision.actions {
            if let Action::Chunks { bytes } = action {
                replica.sent_bytes(*bytes, now);
                sent += bytes;
                replica.received(sent, now + MS);
            }
        }
        now = decision.wake_ns.unwrap_or(now + MS).clamp(now + MS, now + S);
    }
    assert!((1_100_000..=1_220_000).contains(&sent), "{sent} bytes in a minute of 20,000 a second");
}

#[test]
fn connections_are_made_watched_and_given_up() {
    let log = Log::new(10, &[]);
    let mut r = Replica::new(Settings::default(), S);
    assert_eq!(log.plan(&r, S).actions, [Action::Connect]);
    r.connecting(S);
    assert_eq!(log.plan(&r, S).actions, []);
    assert_eq!(log.plan(&r, 31 * S).actions, [Action::HangUp]);
    let mut waits = Vec::new();
    for attempt in 0..12 {
        r.lost(0, 0);
        let wake = log.plan(&r, 0).wake_ns.unwrap();
        waits.push(wake / MS);
        assert_eq!(log.plan(&r, wake).actions, [Action::Connect], "attempt {attempt}");
    }
    assert!(waits.is_sorted() && waits[0] == 100 && waits[11] == 30_000, "{waits:?}");
    // A connection that is made and does nothing is no success; an acknowledgement is.
    r.connecting(S);
    r.met(&hello(10, &[]), S);
    r.lost(S, 0);
    assert!(log.plan(&r, S).wake_ns.unwrap() > 20 * S);
    r.connecting(S);
    r.met(&hello(10, &[]), S);
    r.holds(Place { size: 10, leaf: Digest::ZERO }, S);
    r.lost(S, 0);
    assert!(log.plan(&r, S).wake_ns.unwrap() <= S + 200 * MS);
    // Open and silent: asked, then given up.
    let open = replica(10, &[], S);
    assert_eq!(log.plan(&open, 10 * S).actions, []);
    assert_eq!(log.plan(&open, 11 * S).actions, [Action::Ping]);
    assert_eq!(log.plan(&open, 31 * S).actions, [Action::HangUp]);
    let mut paused = open.clone();
    paused.settings.paused = true;
    assert_eq!(log.plan(&paused, S).actions, [Action::HangUp]);
    paused.lost(S, 0);
    assert_eq!(
        (log.plan(&paused, 99 * S).actions, log.plan(&paused, 99 * S).waits),
        (vec![], Some(Why::Paused))
    );
}

#[test]
fn a_history_that_differs_is_asked_again_seldom_until_it_is_settled() {
    let log = Log::new(10, &[]);
    let mut r = replica(10, &[], S);
    r.refused(&Refusal::new(Code::Fork, "").about(Kind::Hello), S);
    r.lost(S, 0);
    assert_eq!(r.health(S), Verdict::Diverged(Code::Fork));
    let decision = log.plan(&r, S);
    assert!(decision.wake_ns.unwrap() >= 151 * S);
    assert_eq!(decision.waits, Some(Why::Unhealthy(Verdict::Diverged(Code::Fork))));
    r.settle(2 * S);
    assert_eq!(log.plan(&r, 2 * S).actions, [Action::Connect]);
    let mut r = replica(10, &[], S);
    assert_eq!(r.health(S), Verdict::Never);
    r.holds(Place { size: 10, leaf: Digest::ZERO }, S);
    assert_eq!((r.health(301 * S), r.health(302 * S)), (Verdict::Healthy, Verdict::Silent));
    r.refused(&Refusal::new(Code::Version, ""), S);
    assert_eq!(r.health(S), Verdict::Refused(Code::Version));
}

#[test]
fn a_missing_cosignature_is_asked_for_but_not_while_a_newer_block_comes() {
    let log = Log::new(300, &[3]);
    let mut r = replica(300, &[], S);
    r.verified(told(3), S);
    assert!(!log.plan(&r, S).actions.contains(&Action::Cosign { size: 300 }));
    assert!(log.plan(&r, 2 * S).actions.contains(&Action::Cosign { size: 300 }));
    r.block_begun(&sealed(4), Some(3), S);
    assert!(!log.plan(&r, 2 * S).actions.contains(&Action::Cosign { size: 300 }));
    r.verified(told(4), S);
    r.cosigned(400);
    assert!(!log.plan(&r, 2 * S).actions.iter().any(|a| matches!(a, Action::Cosign { .. })));
}

#[test]
fn whatever_happens_the_plan_keeps_its_promises() {
    bolero::check!().with_iterations(2_000).with_type::<u64>().for_each(|seed| {
        let mut random = Random::new(*seed);
        let mut log = Log::new(random.below(50), &[]);
        log.strategy = [
            Strategy::Priority,
            Strategy::Realtime,
            Strategy::Batch { max_events: 3, max_delay_ns: S },
        ][random.index(3)];
        let (mut now, mut appended, mut number) = (S, log.durable, 0);
        let mut r = Replica::new(Settings::default(), now);
        for _ in 0..60 {
            now += random.below(2 * S) >> random.below(12);
            match random.below(14) {
                0 => r.connecting(now),
                1 => r.lost(now, random.number()),
                2 => r.met(&hello(random.below(log.durable + 1), &[]), now),
                3..6 => {
                    appended += 1;
                    let prio =
                        [Priority::Low, Priority::Medium, Priority::High, Priority::Critical]
                            [random.index(4)];
                    log.waiting.event(appended, prio, now);
                }
                6 => log.durable = appended,
                7 if log.durable > log.blocks.last().map_or(0, |b| b.size) => {
                    number += 1;
                    let root = Digest([number as u8; 32]);
                    log.blocks.push(Sealed { number, size: log.durable, root });
                }
                8 => r.received(random.below(1 << 20), now),
                9 => {
                    r.holds(Place { size: random.below(log.durable + 1), leaf: Digest::ZERO }, now)
                }
                10 => r.told_health(
                    Health { free_bytes: random.number() >> random.below(40), ..Health::default() },
                    now,
                ),
                11 => r.refused(
                    &Refusal::new(Code::of(1 + random.below(16) as u16), "")
                        .about(Kind::of(1 + random.below(15) as u8).unwrap()),
                    now,
                ),
                12 => r.configure(
                    Settings {
                        paused: random.one_in(4),
                        rate_limit: random.one_in(2).then_some(random.below(1 << 20)),
                        quiet: None,
                    },
                    now,
                ),
                _ => r.settle(now),
            }
            let decision = log.plan(&r, now);
            assert_eq!(decision, log.plan(&r, now));
            assert!(decision.wake_ns.is_none_or(|w| w > now), "seed {seed}: it would spin");
            let open = r.link == ghost_ship::plan::Link::Open;
            for action in &decision.actions {
                match action {
                    Action::Tail { after, upto, .. } => {
                        assert!(open && after < upto && *upto <= log.durable, "seed {seed}");
                        r.sent_tail(*upto);
                    }
                    Action::Block { number, parent, .. } => {
                        assert!(open && log.blocks.last().is_some_and(|b| b.number == *number));
                        let has = |n: &u64| r.blocks.iter().any(|b| b.number == *n);
                        assert!(parent.as_ref().is_none_or(|p| p < number && has(p)));
                        r.block_begun(log.blocks.last().unwrap(), *parent, now);
                    }
                    Action::Chunks { bytes } => {
                        assert!(open && *bytes > 0);
                        r.sent_bytes(*bytes, now);
                    }
                    Action::Connect => assert!(!open && !r.settings.paused),
                    Action::HangUp | Action::Ping | Action::Cosign { .. } => {}
                }
            }
        }
    });
}
