//! Every element's events are a chain, whatever becomes of segments, starts and disks.

mod common;

use std::path::Path;

use common::*;
use ghost_event::line::{
    Change, ElementNote, Fact, LineKind, Note, View, change_body, close, element_part, note_body,
};
use ghost_event::{Digest, Priority, ShapeId, Tier, Timestamp};
use ghost_log::{
    ELEMENTS_MAX, Element, ElementDamage, Log, LogError, LogReader, element_history, proof,
    verify_element,
};
use ghost_world::{Disk as _, Fault, SimDisk};

fn change(i: u64) -> Vec<u8> {
    let mut out = Vec::new();
    change_body(
        &mut out,
        &Change {
            at: Timestamp(1_795_154_201_123_456_000),
            prio: Priority::Medium,
            shape: None,
            in_iface: Some("eth0"),
            bridge: None,
            action: "up",
            changed: &["mtu"],
            before: &[("mtu", Fact::Whole(i))],
            after: &[("mtu", Fact::Whole(i + 1))],
        },
    );
    out
}

fn port(n: u64) -> String {
    format!("port:eth{n}")
}

fn tell(log: &mut Log, id: &str, i: u64) -> Result<u64, LogError> {
    let element = Element { kind: "port", id };
    Ok(log.append_element(Priority::Low, None, &element, &change(i))?.seq)
}

fn reader(sim: &SimDisk) -> LogReader {
    LogReader::open_on(disk_of(sim), Path::new(DATA))
}

/// Every element's chain is whole and ends where the log says.
fn check(sim: &SimDisk, log: &Log) {
    let reader = reader(sim);
    for (id, head) in log.elements() {
        let verdict = verify_element(&reader, id).unwrap();
        assert!(verdict.ok(), "{id}: {}", verdict.damage.unwrap());
        assert_eq!(verdict.head.as_ref(), Some(head), "{id}");
    }
}

fn heads(log: &Log) -> Vec<(String, u64, u64)> {
    log.elements().map(|(id, head)| (id.to_owned(), head.height, head.seq)).collect()
}

/// `events` changes of five elements, in segments of about 4 kB.
fn with_elements(events: u64) -> SimDisk {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(4096)).unwrap();
    for i in 0..events {
        tell(&mut log, &port(i % 5), i).unwrap();
        if i % 3 == 0 {
            fill(&mut log, i, i + 1).unwrap();
        }
    }
    log.sync().unwrap();
    check(&sim, &log);
    sim
}

#[test]
fn each_event_names_its_elements_event_before() {
    let sim = with_elements(100);
    let history = element_history(&reader(&sim), "port:eth2", usize::MAX).unwrap();
    assert_eq!(history.len(), 20);
    let mut prev = Digest::ZERO;
    for (event, height) in history.iter().zip(1..) {
        let view = View::parse(&event.bytes).unwrap();
        let link = view.ghost.element.unwrap();
        assert_eq!((event.height, link.height, link.prev), (height, height, prev));
        assert_eq!((&*link.kind, &*link.id), ("port", "port:eth2"));
        prev = proof::leaf(&event.bytes);
    }
    let newest = element_history(&reader(&sim), "port:eth2", 3).unwrap();
    assert_eq!(newest, history[17..]);
    assert!(element_history(&reader(&sim), "port:eth2", 0).unwrap().is_empty());
    assert!(verdict(&sim).ok());
}

#[test]
fn a_segment_states_the_heads_with_which_it_goes_on_and_no_others() {
    let sim = with_elements(200);
    let all = files(&sim);
    assert!(all.len() > 10);
    let mut stated_later = 0;
    for (i, file) in all.iter().enumerate() {
        let mut known = std::collections::BTreeSet::new();
        for line in lines(&sim.bytes(file).unwrap()) {
            let view = View::parse(&line).unwrap();
            if view.kind == LineKind::Element {
                let Some(Note::Element(note)) = view.note else { panic!() };
                assert!(i > 0 && known.insert(note.id.into_owned()), "stated once");
                stated_later += 1;
            } else if let Some(link) = view.ghost.element {
                assert!(link.height == 1 || known.contains(&*link.id), "{}", link.id);
                known.insert(link.id.into_owned());
            }
        }
    }
    assert!(stated_later > 20, "{stated_later}");
}

#[test]
fn a_start_knows_every_head_with_and_without_its_copy() {
    let sim = with_elements(150);
    let copy = Path::new(DATA).join("state/elements");
    let (log, _) = open(&sim, config(4096)).unwrap();
    let known = heads(&log);
    assert_eq!(known.len(), 5);
    drop(log);
    let whole = sim.bytes(&copy).unwrap();
    for bytes in [None, Some(&whole[..whole.len() / 2]), Some(b"" as &[u8])] {
        sim.remove(&copy).unwrap();
        if let Some(bytes) = bytes {
            sim.put(&copy, bytes);
        }
        let (log, _) = open(&sim, config(4096)).unwrap();
        assert_eq!(heads(&log), known);
        assert_eq!(sim.bytes(&copy).unwrap(), whole, "it is made again");
    }
    // A copy of another log's elements, or of lines that are not these, says nothing here.
    let mut log = open(&sim, config(4096)).unwrap().0;
    for events in [20, 60, 300] {
        drop(log);
        let other = with_elements(events + 7).bytes(&copy).unwrap();
        sim.put(&copy, &other);
        log = open(&sim, config(4096)).unwrap().0;
        assert_eq!(heads(&log), known, "after {events}");
    }
    tell(&mut log, &port(3), 1).unwrap();
    log.sync().unwrap();
    check(&sim, &log);
}

#[test]
fn a_chain_goes_on_behind_a_head_whose_events_were_retired() {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(4096)).unwrap();
    for i in 0..3 {
        tell(&mut log, "bridge:quiet", i).unwrap();
    }
    for i in 0..60 {
        tell(&mut log, &port(i % 2), i).unwrap();
    }
    let upto = log.segments()[3].last;
    log.retire(upto).unwrap();
    check(&sim, &log);
    let quiet = verify_element(&reader(&sim), "bridge:quiet").unwrap();
    assert_eq!((quiet.events, quiet.head.as_ref().map(|h| h.height)), (0, Some(3)));
    let ports = verify_element(&reader(&sim), "port:eth0").unwrap();
    assert!(ports.first_height > 1 && ports.events > 0);
    drop(log);
    sim.remove(&Path::new(DATA).join("state/elements")).unwrap();
    let (mut log, _) = open(&sim, config(4096)).unwrap();
    tell(&mut log, "bridge:quiet", 4).unwrap();
    log.sync().unwrap();
    check(&sim, &log);
    let quiet = verify_element(&reader(&sim), "bridge:quiet").unwrap();
    assert_eq!((quiet.events, quiet.first_height), (1, 4));
}

#[test]
fn a_power_cut_at_any_sync_leaves_whole_chains() {
    let live = |sim: &SimDisk| {
        let Ok((mut log, _)) = open(sim, config(2048)) else { return };
        for i in 0..40 {
            if tell(&mut log, &port(i % 4), i).is_err() {
                break;
            }
            let kept = match i % 7 {
                0 => log.sync(),
                3 => log.write(),
                5 if i > 20 => {
                    log.segments().first().map_or(Ok(()), |s| log.retire(s.last).map(drop))
                }
                _ => Ok(()),
            };
            if kept.is_err() {
                break;
            }
        }
    };
    let calm = SimDisk::new();
    live(&calm);
    for n in 1..=calm.syncs() {
        let sim = SimDisk::new();
        sim.set(Fault::FreezeAtSync(n));
        live(&sim);
        for seed in 0..2 {
            let crashed = sim.crash(n * 10 + seed);
            let (mut log, _) =
                open(&crashed, config(2048)).unwrap_or_else(|e| panic!("sync {n} {seed}: {e}"));
            for i in 0..4 {
                tell(&mut log, &port(i), i).unwrap();
            }
            log.sync().unwrap();
            check(&crashed, &log);
            assert!(verdict(&crashed).ok(), "sync {n} {seed}: {}", verdict(&crashed));
        }
    }
}

#[test]
fn an_event_that_a_full_disk_turned_away_is_in_no_chain() {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(1 << 20)).unwrap();
    tell(&mut log, "port:a", 0).unwrap();
    log.sync().unwrap();
    let before = heads(&log);
    sim.set(Fault::Capacity(0));
    let element = Element { kind: "port", id: "port:a" };
    let error = log.append_element(Priority::Critical, None, &element, &change(1)).unwrap_err();
    assert!(matches!(error, LogError::NoSpace { .. }), "{error}");
    assert_eq!(heads(&log), before);
    sim.heal();
    tell(&mut log, "port:a", 2).unwrap();
    log.sync().unwrap();
    check(&sim, &log);
}

#[test]
fn an_event_about_an_element_may_have_a_shape() {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(4096)).unwrap();
    log.shape(ShapeId(1), &shape(1, Tier::Fast)).unwrap();
    let element = Element { kind: "port", id: "port:a" };
    for i in 0..40 {
        log.append_element(Priority::Low, Some(ShapeId(1)), &element, &event(i)).unwrap();
    }
    let error = log.append_element(Priority::Low, Some(ShapeId(2)), &element, &event(1));
    assert!(matches!(error, Err(LogError::UnknownShape { .. })));
    log.sync().unwrap();
    check(&sim, &log);
    assert!(verdict(&sim).ok());
}

#[test]
fn names_and_numbers_of_elements_are_bounded() {
    let sim = SimDisk::new();
    let (mut log, _) = open(&sim, config(16 << 20)).unwrap();
    for (kind, id) in
        [("", "a"), ("port", ""), ("port", &*"x".repeat(257)), (&*"x".repeat(33), "a")]
    {
        let error = log.append_element(Priority::Low, None, &Element { kind, id }, &change(1));
        assert!(matches!(error, Err(LogError::ElementName)), "{kind} {id}");
    }
    log.set_bulk(true).unwrap();
    for n in 0..ELEMENTS_MAX as u64 {
        tell(&mut log, &port(n), 1).unwrap();
    }
    let error = tell(&mut log, &port(u64::MAX), 1).unwrap_err();
    assert!(matches!(error, LogError::TooManyElements), "{error}");
    assert_eq!(log.elements_turned_away(), 5);
    tell(&mut log, &port(7), 2).unwrap();
    log.rotate().unwrap();
    let known = heads(&log);
    drop(log);
    let (log, _) = open(&sim, config(16 << 20)).unwrap();
    assert_eq!((heads(&log).len(), heads(&log)), (ELEMENTS_MAX, known));
}

/// Lines of a log as somebody writes who has all rights: each says what it likes of its element.
enum Line {
    /// Of that height, naming the element's newest line or something else.
    Event(u64, bool),
    /// The newest line's head, of that height.
    Head(u64),
    /// About something else.
    Other,
}

/// What verification says of a log that begins with line `first` and is chained as it should be.
fn forged(first: u64, all: &[Line]) -> Option<ElementDamage> {
    let mut prev = if first > 1 { Digest([1; 32]) } else { Digest::ZERO };
    let mut bytes = Vec::new();
    let (mut newest, mut newest_seq) = (Digest::ZERO, 0);
    if first > 1 {
        (newest, newest_seq) = (Digest([9; 32]), 3);
    }
    for (line, seq) in all.iter().zip(first..) {
        let at = bytes.len();
        match line {
            Line::Event(height, right) => {
                bytes.extend_from_slice(&change(*height));
                let named = if *right { newest } else { Digest([7; 32]) };
                element_part(&mut bytes, "port:eth0", "port", *height, &named);
            }
            Line::Head(height) => note_body(
                &mut bytes,
                Timestamp(0),
                &Note::Element(ElementNote {
                    id: "port:eth0".into(),
                    kind: "port".into(),
                    height: *height,
                    seq: newest_seq,
                    leaf: newest,
                }),
            ),
            Line::Other => bytes.extend_from_slice(&event(seq)),
        }
        close(&mut bytes, seq, &prev);
        prev = proof::leaf(&bytes[at..]);
        if let Line::Event(..) = line {
            (newest, newest_seq) = (prev, seq);
        }
    }
    let sim = SimDisk::new();
    sim.put(&Path::new(DATA).join("log/events.jsonl"), &bytes);
    assert!(verdict(&sim).ok(), "the log itself is a right chain: {}", verdict(&sim));
    verify_element(&reader(&sim), "port:eth0").unwrap().damage
}

#[test]
fn what_a_rightly_chained_log_gets_wrong_about_an_element_is_named() {
    use ElementDamage as D;
    use Line::{Event, Head, Other};
    let right = |height| Event(height, true);
    assert_eq!(forged(1, &[right(1), Other, Head(1), right(2), Other, right(3)]), None);
    assert_eq!(forged(50, &[Other, Head(4), right(5)]), None);
    assert_eq!(forged(1, &[Other]), None);
    let missing = D::Missing { seq: 3, from: 2, to: 3 };
    assert_eq!(forged(1, &[right(1), Other, right(4)]), Some(missing));
    assert_eq!(
        forged(1, &[right(1), right(2), Event(3, false)]),
        Some(D::OtherBefore { seq: 3, before: 2 })
    );
    assert_eq!(forged(1, &[right(1), right(2), right(2)]), Some(D::Forked { seq: 3, height: 2 }));
    assert_eq!(forged(1, &[Other, right(2)]), Some(D::WithoutBeginning { seq: 2 }));
    assert_eq!(forged(50, &[Other, right(5)]), Some(D::WithoutBeginning { seq: 51 }));
    assert_eq!(forged(1, &[right(1), right(2), Head(1)]), Some(D::OtherHead { seq: 3 }));
    // Nothing is gone, so there is nothing that could be stated again.
    assert_eq!(forged(1, &[Head(1), right(2)]), Some(D::OtherHead { seq: 1 }));
    for damage in [missing, D::WithoutBeginning { seq: 51 }] {
        assert!(damage.to_string().contains("line "), "{damage}");
    }
}
