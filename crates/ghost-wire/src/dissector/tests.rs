//! The dissector on streams in order, out of order, with gaps and without end.

use super::*;
use crate::{Field, LearnedFrom, fields};

#[derive(Default)]
struct Told(Vec<(Field, Vec<u8>)>);

impl Sink for Told {
    fn field(&mut self, field: Field, value: &[u8]) {
        self.0.push((field, value.to_vec()));
    }
    fn learned(&mut self, _: std::net::IpAddr, _: &[u8], _: LearnedFrom) {}
}

impl Told {
    fn commands(&self) -> Vec<&str> {
        let of = self.0.iter().filter(|(f, _)| *f == fields::COMMAND);
        of.map(|(_, v)| std::str::from_utf8(v).unwrap()).collect()
    }
}

fn segment(direction: Direction, seq: u32, payload: &[u8]) -> Segment<'_> {
    Segment {
        proto: 6,
        src_port: 40_000,
        dst_port: 445,
        direction,
        seq,
        payload,
        missing: 0,
        multicast: false,
    }
}

/// An SMB 2 request of `command`, 84 octets long.
fn smb(command: u8) -> Vec<u8> {
    let mut out = vec![0, 0, 0, 80, 0xfe, b'S', b'M', b'B', 64, 0];
    out.resize(84, 0);
    out[16] = command;
    out
}

#[test]
fn a_port_alone_is_a_guess_and_a_message_is_certain() {
    let mut d = Dissector::new();
    let mut told = Told::default();
    let v = d.packet(&segment(Direction::ToServer, 1, b""), &mut told);
    assert_eq!(v, Verdict { app: App::Smb, by_signature: false, done: false });
    let v = d.packet(&segment(Direction::ToServer, 1, &smb(0)), &mut told);
    assert_eq!(v, Verdict { app: App::Smb, by_signature: true, done: false });
}

#[test]
fn segments_out_of_order_are_read_in_order_and_once() {
    let (a, b, c) = (smb(0), smb(1), smb(5));
    let mut d = Dissector::new();
    let mut told = Told::default();
    let at = |n: u32| 1000 + 84 * n;
    d.packet(&segment(Direction::ToServer, at(0), &a), &mut told);
    // The third comes first, then the second cut in two and sent again.
    d.packet(&segment(Direction::ToServer, at(2), &c), &mut told);
    assert_eq!(told.commands(), ["negotiate"]);
    d.packet(&segment(Direction::ToServer, at(1), &b[..50]), &mut told);
    d.packet(&segment(Direction::ToServer, at(1), &b), &mut told);
    assert_eq!(told.commands(), ["negotiate", "session_setup", "create"]);
    d.packet(&segment(Direction::ToServer, at(0), &a), &mut told);
    assert_eq!(told.commands().len(), 3);
}

#[test]
fn what_is_held_for_a_gap_is_bounded_and_freed() {
    let mut d = Dissector::new();
    let mut told = Told::default();
    d.packet(&segment(Direction::ToServer, 0, &smb(0)), &mut told);
    let big = vec![0_u8; 1400];
    for n in 0..40_u32 {
        d.packet(&segment(Direction::ToServer, 10_000 + 1400 * n, &big), &mut told);
        let held = d.boxed.as_ref().map_or(0, |b| b.held.iter().map(|h| h.bytes.len()).sum());
        assert!(held <= limits::HELD_BYTES_MAX);
    }
    // The other direction is lost too: nothing is left to read, nothing is kept.
    d.packet(&segment(Direction::ToClient, 0, &smb(0)), &mut told);
    for n in 0..40_u32 {
        d.packet(&segment(Direction::ToClient, 10_000 + 1400 * n, &big), &mut told);
    }
    assert!(d.packet(&segment(Direction::ToClient, 0, b"x"), &mut told).done);
    assert!(d.boxed.is_none());
}

#[test]
fn a_flow_that_nobody_claims_is_given_up() {
    let mut d = Dissector::new();
    let mut told = Told::default();
    let mut done_after = 0;
    for n in 0..20_u32 {
        let v = d.packet(&segment(Direction::ToServer, n * 20, &[0x9d; 20]), &mut told);
        assert!(!v.by_signature);
        if v.done {
            break;
        }
        done_after += 1;
    }
    assert_eq!(done_after + 1, usize::from(limits::SEEK_TCP_MAX));
}

#[test]
fn a_length_sent_alone_is_read_with_what_follows() {
    let mut d = Dissector::new();
    let mut told = Told::default();
    let message = smb(0);
    d.packet(&segment(Direction::ToServer, 7, &message[..4]), &mut told);
    let v = d.packet(&segment(Direction::ToServer, 11, &message[4..]), &mut told);
    assert!(v.by_signature);
    assert_eq!(told.commands(), ["negotiate"]);
}

#[test]
fn dns_elsewhere_needs_a_whole_question() {
    let mut question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x03org\0\0\x01\0\x01".to_vec();
    assert!(plain_dns(&question));
    question[20] = 60;
    assert!(!plain_dns(&question));
}
