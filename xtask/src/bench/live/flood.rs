//! A flood of SYNs from random sources, as fast as they can be sent, while a few others ask for names.

use std::time::Duration;

use ghost_lab::Frame;
use ghost_lab::generate::{Load, Traffic};

use super::daemon::Daemon;
use super::log;
use super::stand::{Stand, TARGET_MAC};
use crate::bench::Row;
use crate::sh::Outcome;

const SECONDS: f64 = 20.0;
/// The same bridge without us.
const BARE_SECONDS: f64 = 5.0;
const NAMES: u16 = 100;
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 0x52];

pub(super) fn rows() -> Outcome<Vec<Row>> {
    let bare = {
        let stand = Stand::new()?;
        forwarded(&stand, BARE_SECONDS, || Ok(()))?.0
    };
    let stand = Stand::new()?;
    let daemon = Daemon::start(&stand, &[])?;
    let before = stand.came_in()?;
    let ((rate, sent), asked) = {
        let result = forwarded(&stand, SECONDS, || ask_for_names(&stand))?;
        (result, u64::from(NAMES))
    };
    let came_in = stand.came_in()? - before;
    let seen = daemon.settle(came_in)?;
    let status = daemon.status()?;
    let (_, peak) = daemon.memory_mb()?;
    let data = daemon.end()?;
    let mut names = 0;
    let held = log::read(&data, |line| names += u64::from(has_name(line)))?;
    let lost = seen.lost;
    eprintln!("  bare {bare:.0}/s, tapped {rate:.0}/s; {sent} sent, {came_in} came in");
    eprintln!("  seen {}, lost {lost}; folded {}", seen.seen, status["flows"]["folded"]);
    eprintln!("  log: {held}; {names} of {asked} names; {peak:.0} MB at most");
    // The flood's packets are what came in but the questions; each is a flow of its own.
    let flood = came_in - asked;
    let told = held.packets + held.gap_packets;
    Ok(vec![
        Row::new("flood_forwarding", rate, "packets/s", Some(("the same bridge bare", bare))),
        Row::new("flood_memory", peak, "MB", None),
        Row::new("flood_log", held.bytes as f64 / 1e6, "MB", Some(("packets", flood as f64))),
        Row::new(
            "flood_untold",
            flood.abs_diff(told) as f64,
            "packets",
            Some(("told", told as f64)),
        ),
        Row::new(
            "flood_miscounted",
            held.flows.abs_diff(held.packets) as f64,
            "flows",
            Some(("folded records", held.folded_events as f64)),
        ),
        Row::new("flood_names_lost", asked.saturating_sub(names) as f64, "names", None),
    ])
}

/// Floods for so long; frames a second that reached the sink, and how many were sent.
fn forwarded(
    stand: &Stand,
    seconds: f64,
    beside: impl Fn() -> Outcome<()> + Sync,
) -> Outcome<(f64, u64)> {
    let traffic = Traffic {
        load: Load::Syn,
        flows: 1,
        frames_a_flow: 1,
        random_sources: true,
        seconds,
        ..Traffic::default()
    };
    let before = stand.arrived()?;
    let (sent, other) = std::thread::scope(|scope| {
        let flood = scope.spawn(|| stand.send(&traffic));
        let other = beside();
        (flood.join(), other)
    });
    other?;
    let sent = sent.map_err(|_| "the generator panicked".to_owned())??;
    Ok(((stand.arrived()? - before) as f64 / sent.seconds, sent.frames))
}

/// Asks for names, a few a second, all the while.
fn ask_for_names(stand: &Stand) -> Outcome<()> {
    for number in 0..NAMES {
        let from = ([10, 98, 0, 1], 30_000 + number);
        let frame = Frame::new(TARGET_MAC, MAC).udp4(from, ([10, 98, 0, 53], 53), &query(number));
        stand.send_frames(std::slice::from_ref(&frame))?;
        std::thread::sleep(Duration::from_millis(150));
    }
    Ok(())
}

/// A DNS question for `n<number>.flood.example`.
fn query(number: u16) -> Vec<u8> {
    let mut message = number.to_be_bytes().to_vec();
    message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in [format!("n{number}"), "flood".to_owned(), "example".to_owned()] {
        message.push(u8::try_from(label.len()).unwrap_or(0));
        message.extend(label.as_bytes());
    }
    message.extend([0, 0, 1, 0, 1]);
    message
}

fn has_name(line: &[u8]) -> bool {
    let (flow, name): (&[u8], &[u8]) = (b"\"event_type\":\"flow\"", b".flood.example");
    let has = |part: &[u8]| line.windows(part.len()).any(|window| window == part);
    has(name) && has(flow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_a_dns_message_with_its_name() {
        let message = query(7);
        assert_eq!(message.len(), 12 + 3 + 6 + 8 + 1 + 4);
        assert_eq!(&message[12..15], b"\x02n7");
    }

    #[test]
    fn a_flow_that_has_the_name_is_told_from_one_that_has_not() {
        assert!(has_name(br#"{"event_type":"flow","dns":{"rrname":"n7.flood.example"}}"#));
        assert!(!has_name(br#"{"event_type":"flow","dns":{"rrname":"n7.other.example"}}"#));
        assert!(!has_name(br#"{"event_type":"gap","x":"n7.flood.example"}"#));
    }
}
