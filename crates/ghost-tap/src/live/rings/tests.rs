//! Rings filled by hand: order, tags, room, and content that nobody should have written.

use super::synthetic::Synthetic;
use super::*;
use crate::live::Direction;

fn frame(ns: u64, bytes: &[u8]) -> Synthetic<'_> {
    Synthetic {
        cpu: 0,
        telling: false,
        monotonic_ns: ns,
        ifindex: 3,
        direction: Direction::Ingress,
        segments: 1,
        tag: None,
        frame: bytes,
    }
}

/// Everything that waits: time and the first byte of each frame.
fn drain(tap: &mut RingTap) -> Vec<(u64, u8)> {
    let mut out = Vec::new();
    while tap
        .poll(7, &mut |frame| {
            out.push((frame.monotonic_ns, frame.data.first().copied().unwrap_or_default()));
        })
        .more
    {}
    out
}

#[test]
fn records_of_all_rings_come_in_the_order_of_their_time() {
    let mut tap = RingTap::synthetic(2, 1, 1).unwrap();
    for (ns, cpu, telling) in [
        (10, 0, false),
        (12, 1, false),
        (20, 0, true),
        (25, 1, true),
        (30, 0, false),
        (31, 1, false),
    ] {
        assert!(tap.write(&Synthetic { cpu, telling, ..frame(ns, &[ns as u8; 60]) }));
    }
    assert_eq!(drain(&mut tap), [10, 12, 20, 25, 30, 31].map(|ns| (ns, ns as u8)));
    assert_eq!(drain(&mut tap), []);
}

#[test]
fn a_tag_that_stood_apart_is_back_in_the_frame() {
    let mut tap = RingTap::synthetic(1, 1, 1).unwrap();
    let bytes: Vec<u8> = (0..100).collect();
    tap.write(&Synthetic { tag: Some((0x88a8, 0x2064)), segments: 3, ..frame(1, &bytes) });
    let mut seen = Vec::new();
    tap.poll(10, &mut |frame| {
        assert_eq!((frame.wire_len, frame.segments, frame.ifindex), (104, 3, 3));
        seen = frame.data.to_vec();
    });
    assert_eq!(seen[..18], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0x88, 0xa8, 0x20, 0x64, 12, 13]);
    assert_eq!(seen.len(), 104);
}

#[test]
fn a_plain_record_is_a_prefix_and_a_telling_one_the_whole_frame() {
    let mut tap = RingTap::synthetic(1, 1, 1).unwrap();
    let long = vec![7; 9000];
    tap.write(&frame(1, &long));
    tap.write(&Synthetic { telling: true, ..frame(2, &long) });
    let mut sizes = Vec::new();
    tap.poll(10, &mut |frame| sizes.push((frame.wire_len, frame.data.len())));
    assert_eq!(sizes, [(9000, PREFIX), (9000, WHOLE)]);
}

#[test]
fn room_comes_back_when_records_were_read_and_rings_wrap_without_a_split() {
    let mut tap = RingTap::synthetic(1, 2, 1).unwrap();
    let mut expected = Vec::new();
    let mut got = Vec::new();
    let sizes = [1, 60, 61, 66, 231, 232, 500];
    for round in 0..4000u64 {
        let bytes = vec![round as u8; sizes[round as usize % sizes.len()]];
        assert!(tap.write(&frame(round, &bytes)), "{round}");
        expected.push((round, round as u8));
        if round % 97 == 0 {
            got.extend(drain(&mut tap));
        }
    }
    got.extend(drain(&mut tap));
    assert_eq!(got, expected);
    let mut written = 0;
    while tap.write(&frame(1, &[0; 60])) {
        written += 1;
    }
    assert!((1400..1490).contains(&written), "128 KiB hold {written} records of 88 bytes");
    assert_eq!(drain(&mut tap).len(), written);
    assert!(tap.write(&frame(1, &[0; 60])));
}

#[test]
fn what_was_seen_is_counted_by_port_and_direction() {
    let mut tap = RingTap::synthetic(1, 1, 1).unwrap();
    for (ifindex, direction) in
        [(9, Direction::Egress), (3, Direction::Ingress), (9, Direction::Egress)]
    {
        tap.write(&Synthetic { ifindex, direction, segments: 2, ..frame(1, &[0; 100]) });
    }
    drain(&mut tap);
    let counters: Vec<_> = tap
        .counters()
        .iter()
        .map(|c| (c.ifindex, c.direction, c.seen, c.seen_segments, c.seen_bytes, c.lost))
        .collect();
    assert_eq!(
        counters,
        [(3, Direction::Ingress, 1, 2, 100, 0), (9, Direction::Egress, 2, 4, 200, 0)]
    );
}

#[test]
fn a_budget_ends_a_poll_and_says_that_more_waits() {
    let mut tap = RingTap::synthetic(1, 1, 1).unwrap();
    for ns in 0..10 {
        tap.write(&frame(ns, &[0; 60]));
    }
    assert_eq!(tap.poll(4, &mut |_| {}), Polled { frames: 4, more: true });
    assert_eq!(tap.poll(6, &mut |_| {}), Polled { frames: 6, more: false });
    assert_eq!(tap.poll(6, &mut |_| {}), Polled { frames: 0, more: false });
}

#[test]
fn whatever_stands_in_the_rings_nothing_panics_and_reading_goes_on() {
    bolero::check!()
        .with_type::<Vec<(u8, bool, Vec<u8>, u64, bool)>>()
        .with_iterations(2000)
        .for_each(|writes| {
            let mut tap = RingTap::synthetic(2, 1, 1).unwrap();
            for (cpu, telling, bytes, told, whole) in writes {
                if *whole {
                    tap.write(&Synthetic {
                        cpu: u32::from(*cpu),
                        telling: *telling,
                        tag: Some((0x8100, *told as u16)),
                        ..frame(*told, bytes)
                    });
                } else {
                    tap.write_anything(u32::from(*cpu), *telling, bytes, *told);
                }
                let polled = tap.poll(3, &mut |frame| {
                    assert!(frame.data.len() <= WHOLE + 4);
                    assert!(frame.segments >= 1);
                });
                assert!(polled.frames <= 3);
            }
            // Whatever was wrong is skipped in the end, and a good record is read again.
            for _ in 0..200_000 {
                if !tap.poll(u32::MAX, &mut |_| {}).more {
                    break;
                }
            }
            let mut read = 0;
            if tap.write(&frame(77, &[1; 60])) {
                tap.poll(u32::MAX, &mut |_| read += 1);
                assert_eq!(read, 1);
            }
        });
}
