//! DTLS: the hellos of TLS in datagrams, whole or in fragments.
//!
//! Promises: client hello (with or without cookie) over any number of fragments in any order, server
//! hello and first certificate where they are in clear; many records a datagram. Not promised:
//! retransmission timers, epochs after the first, which are encrypted.

use super::Feed;
use super::hello::{
    CERTIFICATE, CLIENT_HELLO, Carrier, ClientHello, SERVER_HELLO, tell_certificates,
    tell_server_hello,
};
use super::read::Reader;
use super::stretches::Stretches;
use crate::{Direction, Sink};

const CHANGE_CIPHER: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION: u8 = 23;

/// Do these octets begin with a DTLS record?
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    let Some(record) = Record::read(&mut reader) else { return false };
    match record.kind {
        HANDSHAKE if record.epoch == 0 => Part::read(&mut Reader::new(record.payload))
            .is_some_and(|part| matches!(part.kind, 0..=24)),
        CHANGE_CIPHER => record.payload == [1],
        ALERT => record.epoch > 0 || record.payload.len() == 2,
        _ => record.epoch > 0,
    }
}

struct Record<'a> {
    kind: u8,
    epoch: u16,
    payload: &'a [u8],
}

impl<'a> Record<'a> {
    fn read(reader: &mut Reader<'a>) -> Option<Record<'a>> {
        let kind = reader.u8()?;
        let version = reader.u16()?;
        // 0x0100 is what OpenSSL sent before the standard, and AnyConnect sends still.
        if !matches!(kind, CHANGE_CIPHER..=APPLICATION)
            || !matches!(version, 0xfeff | 0xfefd | 0x0100)
        {
            return None;
        }
        let epoch = reader.u16()?;
        reader.skip(6)?;
        Some(Record { kind, epoch, payload: reader.vector16()? })
    }
}

/// One handshake fragment.
struct Part<'a> {
    kind: u8,
    whole: usize,
    number: u16,
    offset: usize,
    data: &'a [u8],
}

impl<'a> Part<'a> {
    fn read(reader: &mut Reader<'a>) -> Option<Part<'a>> {
        let kind = reader.u8()?;
        let whole = reader.u24()?;
        let number = reader.u16()?;
        let offset = reader.u24()?;
        let data = reader.vector24()?;
        (offset + data.len() <= whole).then_some(Part { kind, whole, number, offset, data })
    }
}

/// One flow.
#[derive(Debug, Default)]
pub(crate) struct DtlsState {
    pieces: [Option<Box<Pieces>>; 2],
    over: [bool; 2],
    known: bool,
}

/// The message of one side that is put together.
#[derive(Debug, Default)]
struct Pieces {
    kind: u8,
    number: u16,
    message: Stretches,
}

impl DtlsState {
    pub(crate) fn datagram(&mut self, dir: Direction, bytes: &[u8], sink: &mut dyn Sink) -> Feed {
        let side = usize::from(dir == Direction::ToClient);
        if self.over[side] {
            return self.verdict();
        }
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() && !self.over[side] {
            let Some(record) = Record::read(&mut reader) else {
                return if self.known { self.verdict() } else { Feed::NotMine };
            };
            self.known = true;
            if record.epoch > 0 || matches!(record.kind, CHANGE_CIPHER | APPLICATION) {
                self.over[side] = true;
            } else if record.kind == HANDSHAKE {
                let mut parts = Reader::new(record.payload);
                while let Some(part) = Part::read(&mut parts) {
                    if self.part(side, &part, sink) {
                        self.over[side] = true;
                        break;
                    }
                }
            }
        }
        if self.over[side] {
            self.pieces[side] = None;
        }
        self.verdict()
    }

    fn verdict(&self) -> Feed {
        if self.over == [true; 2] { Feed::Done } else { Feed::More }
    }

    /// True where nothing further of this side is wanted.
    fn part(&mut self, side: usize, part: &Part<'_>, sink: &mut dyn Sink) -> bool {
        if !matches!(part.kind, CLIENT_HELLO | SERVER_HELLO | CERTIFICATE) {
            // Behind the certificate's place; a request to come again with a cookie is before it.
            return matches!(part.kind, 12..=20);
        }
        if part.offset == 0 && part.data.len() == part.whole {
            return tell(part.kind, part.data, sink);
        }
        let pieces = self.pieces[side].get_or_insert_default();
        if (pieces.kind, pieces.number) != (part.kind, part.number) {
            **pieces =
                Pieces { kind: part.kind, number: part.number, message: Stretches::default() };
        }
        pieces.message.add(part.offset as u64, part.data);
        match pieces.message.prefix() {
            whole if whole.len() >= part.whole => tell(part.kind, whole, sink),
            // The first certificate may be there before the rest of its chain.
            begun => part.kind == CERTIFICATE && tell_certificates(begun, sink).is_some(),
        }
    }
}

/// Tells one whole message; true where nothing further of its side is wanted.
fn tell(kind: u8, body: &[u8], sink: &mut dyn Sink) -> bool {
    match kind {
        CLIENT_HELLO => {
            if let Some(hello) = ClientHello::read(Carrier::Dtls, body) {
                hello.tell(sink);
            }
            true
        }
        SERVER_HELLO => tell_server_hello(body, sink).is_none_or(|version| version == 0xfefc),
        _ => {
            let _ = tell_certificates(body, sink);
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ja::tests::{list16, sni};
    use super::super::kept::Kept;
    use super::*;
    use crate::fields;
    use Direction::{ToClient, ToServer};

    fn records(kind: u8, number: u8, body: &[u8], each: usize) -> Vec<Vec<u8>> {
        let chunks = body.chunks(each).enumerate();
        let three = |value: usize| [(value >> 16) as u8, (value >> 8) as u8, value as u8];
        chunks
            .map(|(nth, chunk)| {
                let mut part = vec![kind];
                part.extend_from_slice(&three(body.len()));
                part.extend_from_slice(&[0, number]);
                part.extend_from_slice(&three(nth * each));
                part.extend_from_slice(&three(chunk.len()));
                part.extend_from_slice(chunk);
                let mut out = vec![HANDSHAKE, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, nth as u8];
                out.extend_from_slice(&(part.len() as u16).to_be_bytes());
                out.extend_from_slice(&part);
                out
            })
            .collect()
    }

    fn hello() -> Vec<u8> {
        let mut body = vec![0xfe, 0xfd];
        body.extend_from_slice(&[3; 32]);
        body.extend_from_slice(&[0, 2, 7, 7, 0, 2, 0xc0, 0x2b, 1, 0]);
        let (name, groups) = (sni("turn.example"), list16(&[29]));
        body.extend_from_slice(&((name.len() + groups.len() + 8) as u16).to_be_bytes());
        for (kind, data) in [(0u8, name), (10, groups)] {
            body.extend_from_slice(&[0, kind, 0, data.len() as u8]);
            body.extend_from_slice(&data);
        }
        body
    }

    #[test]
    fn a_hello_is_found_whole_and_in_fragments_of_any_order() {
        for each in [1000, 20, 7] {
            let (mut state, mut kept) = (DtlsState::default(), Kept::default());
            for datagram in records(1, 0, &hello(), each).iter().rev() {
                assert!(looks_like(datagram));
                assert_eq!(state.datagram(ToServer, datagram, &mut kept), Feed::More);
            }
            assert_eq!(kept.values(fields::TLS_SNI), ["turn.example"]);
            assert!(kept.values(fields::TLS_JA4)[0].starts_with("dd2d010200_"));
            assert!(state.over[0] && state.pieces[0].is_none());
        }
    }

    #[test]
    fn the_servers_choice_is_told_and_ends_the_flow() {
        let (mut state, mut kept) = (DtlsState::default(), Kept::default());
        state.datagram(ToServer, &records(1, 0, &hello(), 1000)[0], &mut kept);
        let mut body = vec![0xfe, 0xfd];
        body.extend_from_slice(&[4; 32]);
        body.extend_from_slice(&[0, 0xc0, 0x2b, 0]);
        state.datagram(ToClient, &records(2, 1, &body, 1000)[0], &mut kept);
        assert_eq!(kept.values(fields::TLS_VERSION), ["DTLS 1.2"]);
        let finish = records(14, 2, &[1], 10);
        assert_eq!(state.datagram(ToClient, &finish[0], &mut kept), Feed::Done);
    }

    #[test]
    fn other_protocols_are_not_mine() {
        for bytes in [&b"GET / HTTP/1.1"[..], &[0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0], &[]] {
            assert!(!looks_like(bytes));
        }
        let mut state = DtlsState::default();
        assert_eq!(
            state.datagram(ToServer, b"hello there all", &mut Kept::default()),
            Feed::NotMine
        );
    }

    #[test]
    fn any_octets_are_read_without_a_panic() {
        bolero::check!().with_iterations(2000).for_each(|bytes: &[u8]| {
            looks_like(bytes);
            let (mut state, mut kept) = (DtlsState::default(), Kept::default());
            for mut datagram in records(1, 0, &hello(), 20) {
                for pair in bytes.as_chunks::<2>().0 {
                    let at = usize::from(pair[0]) % datagram.len();
                    datagram[at] = pair[1];
                }
                state.datagram(ToServer, &datagram, &mut kept);
                state.datagram(ToClient, bytes, &mut kept);
            }
        });
    }
}
