//! TLS over a stream: the hellos of both sides, and the first certificate where it is in clear.
//!
//! Promises: a client hello over any number of records and segments up to 16 KiB; SSLv2-style
//! hellos; version, protocol and certificate (up to TLS 1.2) of the server. Each side is held only
//! until its part is known; after that a chunk costs one comparison.
//!
//! Not promised: certificates of TLS 1.3 and of clients, renegotiation, a hello behind a gap.

use super::Feed;
use super::hello::{
    CERTIFICATE, CLIENT_HELLO, Carrier, ClientHello, SERVER_HELLO, tell_certificates,
    tell_server_hello, version_text,
};
use super::limits::{HANDSHAKES_MAX, MESSAGE_OCTETS_MAX};
use super::read::Reader;
use super::x509;
use crate::{Direction, Sink, fields};

const CHANGE_CIPHER: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION: u8 = 23;
const HEARTBEAT: u8 = 24;

/// A record's payload, with what encryption may add.
const RECORD_OCTETS_MAX: usize = 16_384 + 2_048;

/// Do these octets begin with a TLS record or an SSLv2 hello?
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    match record(bytes) {
        Some((HANDSHAKE, _, len)) => match bytes.get(5..9) {
            // A first flight begins with a hello; encrypted later flights do not count as a look.
            Some(&[kind, high, ..]) => {
                len >= 4 && matches!(kind, 0..=2 | 4 | 11 | 12 | 14 | 16) && high == 0
            }
            _ => true,
        },
        Some((APPLICATION, version, len)) => version != 0x0300 && len >= 16,
        Some((ALERT, _, len)) => matches!(len, 2 | 16..=64),
        Some((CHANGE_CIPHER, _, len)) => len == 1,
        Some(_) => false,
        None => ssl2(bytes).is_some(),
    }
}

/// Kind, version and length of the record that begins here.
fn record(bytes: &[u8]) -> Option<(u8, u16, usize)> {
    let mut reader = Reader::new(bytes);
    let (kind, version, len) = (reader.u8()?, reader.u16()?, usize::from(reader.u16()?));
    let fits = matches!(kind, CHANGE_CIPHER..=HEARTBEAT)
        && matches!(version, 0x0300..=0x0304)
        && (1..=RECORD_OCTETS_MAX).contains(&len);
    fits.then_some((kind, version, len))
}

/// The version and kind of an SSLv2-style hello that is all there.
fn ssl2(bytes: &[u8]) -> Option<(u8, u16)> {
    let mut reader = Reader::new(bytes);
    let len = reader.u16()?;
    if len & 0x8000 == 0 {
        return None;
    }
    let mut body = Reader::new(reader.take(usize::from(len & 0x7fff))?);
    match body.u8()? {
        1 => {
            let version = body.u16()?;
            let (ciphers, session, challenge) = (body.u16()?, body.u16()?, body.u16()?);
            let whole = usize::from(ciphers) + usize::from(session) + usize::from(challenge);
            let sound = matches!(version, 0x0002 | 0x0300..=0x0303)
                && ciphers % 3 == 0
                && ciphers > 0
                && matches!(session, 0 | 16 | 32)
                && (16..=32).contains(&challenge)
                && body.len() == whole;
            sound.then_some((1, version))
        }
        4 => {
            let (hit, kind) = (body.u8()?, body.u8()?);
            let version = body.u16()?;
            let (certificate, ciphers, connection) = (body.u16()?, body.u16()?, body.u16()?);
            let whole = usize::from(certificate) + usize::from(ciphers) + usize::from(connection);
            (hit <= 1 && kind <= 1 && version == 2 && body.len() == whole).then_some((4, version))
        }
        _ => None,
    }
}

/// Both sides of one connection.
#[derive(Debug, Default)]
pub(crate) struct TlsState {
    /// Octets of a side whose part is not yet known.
    held: [Vec<u8>; 2],
    /// How many of them make another look worth while.
    want: [u16; 2],
    over: [bool; 2],
    /// Handshake messages of a side that were told already.
    told: [u8; 2],
    /// What the client offered, until the server has chosen.
    offered: u16,
    known: bool,
    chosen: bool,
}

enum Walk {
    /// This side's part may still be to come, once so many octets are there.
    More(usize),
    Over,
    /// The next octets begin no record.
    Strange,
}

impl TlsState {
    pub(crate) fn feed(&mut self, dir: Direction, bytes: &[u8], sink: &mut dyn Sink) -> Feed {
        let side = usize::from(dir == Direction::ToClient);
        if bytes.is_empty() {
            return Feed::More;
        }
        if self.over[side] {
            // The side that offered goes on and nobody answered in sight: its offer has to do.
            if self.offered != 0 && !self.chosen && self.told[side] > 0 {
                self.choose(self.offered, sink);
            }
            return self.verdict();
        }
        let mut held = std::mem::take(&mut self.held[side]);
        let mut full = false;
        if !held.is_empty() {
            held.extend_from_slice(bytes);
            full = held.len() > MESSAGE_OCTETS_MAX;
            if held.len() < usize::from(self.want[side]) && !full {
                self.held[side] = held;
                return Feed::More;
            }
        }
        let walk = match self.walk(side, if held.is_empty() { bytes } else { &held }, sink) {
            Walk::More(_) if full => Walk::Over,
            Walk::More(want) => {
                if held.is_empty() {
                    held.extend_from_slice(bytes);
                }
                self.held[side] = held;
                Walk::More(want)
            }
            walk => walk,
        };
        match walk {
            Walk::More(want) => {
                self.want[side] = u16::try_from(want).unwrap_or(u16::MAX);
                Feed::More
            }
            Walk::Over => {
                self.over[side] = true;
                self.verdict()
            }
            Walk::Strange => {
                self.over[side] = true;
                if self.known { self.verdict() } else { Feed::NotMine }
            }
        }
    }

    fn verdict(&self) -> Feed {
        if self.over == [true; 2] { Feed::Done } else { Feed::More }
    }

    fn choose(&mut self, version: u16, sink: &mut dyn Sink) {
        self.chosen = true;
        if let Some(text) = version_text(version) {
            sink.field(fields::TLS_VERSION, text);
        }
    }

    /// Reads a side from its first octet on; messages that were told are passed over.
    fn walk(&mut self, side: usize, bytes: &[u8], sink: &mut dyn Sink) -> Walk {
        if bytes.len() < 5 {
            // Too short to judge, unless it cannot become a record.
            let possible = matches!(bytes.first(), Some(&(CHANGE_CIPHER..=HEARTBEAT | 0x80..)));
            return if possible { Walk::More(5) } else { Walk::Strange };
        }
        if bytes[0] & 0x80 != 0 && self.told[side] == 0 {
            return self.walk_ssl2(side, bytes, sink);
        }
        let mut reader = Reader::new(bytes);
        // Messages that span records, put together; empty while each lies within one.
        let mut spanning: Vec<u8> = Vec::new();
        let mut done = 0;
        let mut passed = 0;
        loop {
            let at = bytes.len() - reader.len();
            if reader.len() < 5 {
                return Walk::More(at + 5);
            }
            let Some((kind, _, len)) = record(reader.rest()) else {
                return Walk::Strange;
            };
            let _ = reader.skip(5);
            let here = reader.rest().get(..len).unwrap_or(reader.rest());
            self.known = true;
            if kind != HANDSHAKE {
                return Walk::Over;
            }
            let mut messages = if spanning.is_empty() {
                Reader::new(here)
            } else {
                spanning.extend_from_slice(here);
                Reader::new(spanning.get(done..).unwrap_or(&[]))
            };
            loop {
                let mut step = messages;
                let (Some(kind), Some(len)) = (step.u8(), step.u24()) else { break };
                if passed >= HANDSHAKES_MAX || (len > MESSAGE_OCTETS_MAX && kind != CERTIFICATE) {
                    return Walk::Over;
                }
                let Some(body) = step.take(len) else {
                    if kind == CERTIFICATE && tell_certificates(step.rest(), sink).is_some() {
                        return Walk::Over;
                    }
                    break;
                };
                if passed >= self.told[side] {
                    self.told[side] = passed + 1;
                    if self.message(kind, body, sink) {
                        return Walk::Over;
                    }
                }
                passed += 1;
                messages = step;
            }
            let unread = messages.len();
            if unread == 0 {
                spanning.clear();
                done = 0;
            } else if spanning.is_empty() {
                let from = here.len() - unread;
                spanning.extend_from_slice(here.get(from..).unwrap_or(&[]));
            } else {
                done = spanning.len() - unread;
            }
            if reader.skip(len).is_none() {
                return Walk::More(at + 5 + len);
            }
        }
    }

    /// One whole message; true where nothing further of this side is wanted.
    fn message(&mut self, kind: u8, body: &[u8], sink: &mut dyn Sink) -> bool {
        match kind {
            CLIENT_HELLO => {
                if let Some(hello) = ClientHello::read(Carrier::Tls, body) {
                    self.offered = hello.offered();
                    hello.tell(sink);
                }
                true
            }
            SERVER_HELLO => {
                self.chosen = true;
                tell_server_hello(body, sink).is_none_or(|version| version >= 0x0304)
            }
            CERTIFICATE => {
                tell_certificates(body, sink);
                true
            }
            // Hello requests and tickets may stand before what is wanted; all else comes after.
            0 | 4 | 22 => false,
            _ => true,
        }
    }

    fn walk_ssl2(&mut self, side: usize, bytes: &[u8], sink: &mut dyn Sink) -> Walk {
        let len = usize::from(bytes[0] & 0x7f) << 8 | usize::from(bytes[1]);
        if !matches!(bytes[2], 1 | 4) || len > 4096 {
            return Walk::Strange;
        }
        if bytes.len() < len + 2 {
            return Walk::More(len + 2);
        }
        let Some((kind, version)) = ssl2(bytes) else {
            return Walk::Strange;
        };
        self.known = true;
        self.told[side] = 1;
        if kind == 1 {
            self.offered = version;
        } else {
            self.choose(version, sink);
            let certificate = usize::from(bytes[7]) << 8 | usize::from(bytes[8]);
            x509::tell(bytes.get(13..13 + certificate).unwrap_or(&[]), sink);
        }
        Walk::Over
    }
}

#[cfg(test)]
mod tests {
    use super::super::ja::tests::{body, list16, sni};
    use super::super::kept::Kept;
    use super::super::x509::tests::certificate;
    use super::*;
    use Direction::{ToClient, ToServer};

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut out = vec![kind, 0, (body.len() >> 8) as u8, body.len() as u8];
        out.extend_from_slice(body);
        out
    }

    fn records(kind: u8, payload: &[u8], each: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for part in payload.chunks(each) {
            out.extend_from_slice(&[kind, 3, 3, (part.len() >> 8) as u8, part.len() as u8]);
            out.extend_from_slice(part);
        }
        out
    }

    fn client(each: usize) -> Vec<u8> {
        let extensions = [
            (0, sni("www.example.com")),
            (0x0a0a, vec![]),
            (16, b"\x00\x0f\x02\x0a\x0a\x02h2\x08http/1.1".to_vec()),
            (10, list16(&[29, 23])),
            (43, vec![6, 0x0a, 0x0a, 3, 4, 3, 3]),
            (21, vec![0; 700]),
        ];
        records(HANDSHAKE, &message(1, &body(0x0303, &[0x1301, 0xc02f], &extensions)), each)
    }

    fn server() -> Vec<u8> {
        let mut hello = vec![3, 3];
        hello.extend_from_slice(&[9; 32]);
        hello.extend_from_slice(&[0, 0xc0, 0x2f, 0, 0, 9, 0, 16, 0, 5, 0, 3, 2, b'h', b'2']);
        let one = certificate(b"491231235959Z");
        let mut list = vec![0, ((one.len() + 3) >> 8) as u8, (one.len() + 3) as u8];
        list.extend_from_slice(&[0, (one.len() >> 8) as u8, one.len() as u8]);
        list.extend_from_slice(&one);
        let mut flight = message(2, &hello);
        flight.extend_from_slice(&message(11, &list));
        flight.extend_from_slice(&message(14, &[]));
        records(HANDSHAKE, &flight, 16_000)
    }

    #[test]
    fn hellos_are_found_whatever_the_records_and_segments() {
        let mut first = None;
        for each in [16_000, 200, 3] {
            let (up, down) = (client(each), server());
            for cut in [1, 2, 5, 7, 100, 517, 20_000] {
                let (mut state, mut kept) = (TlsState::default(), Kept::default());
                let mut last = Feed::NotMine;
                for chunk in up.chunks(cut) {
                    last = state.feed(ToServer, chunk, &mut kept);
                    assert_ne!(last, Feed::NotMine);
                }
                assert_eq!(last, Feed::More);
                for chunk in down.chunks(cut) {
                    last = state.feed(ToClient, chunk, &mut kept);
                }
                assert_eq!(last, Feed::Done, "{each} {cut}");
                assert!(state.held.iter().all(Vec::is_empty), "nothing stays held");
                assert_eq!(kept.values(fields::TLS_SNI), ["www.example.com"]);
                assert_eq!(kept.values(fields::TLS_ALPN), ["h2", "http/1.1", "h2"]);
                assert_eq!(kept.values(fields::TLS_VERSION), ["TLS 1.2"]);
                assert_eq!(kept.values(fields::TLS_ISSUER), ["C=DE, O=Test CA"]);
                assert_eq!(&kept, first.get_or_insert_with(|| kept_of(&up, &down)));
            }
        }
    }

    fn kept_of(up: &[u8], down: &[u8]) -> Kept {
        let (mut state, mut kept) = (TlsState::default(), Kept::default());
        state.feed(ToServer, up, &mut kept);
        state.feed(ToClient, down, &mut kept);
        kept
    }

    #[test]
    fn what_was_offered_is_the_version_where_no_server_is_in_sight() {
        let (mut state, mut kept) = (TlsState::default(), Kept::default());
        state.feed(ToServer, &client(16_000), &mut kept);
        assert!(kept.values(fields::TLS_VERSION).is_empty());
        state.feed(ToServer, &records(APPLICATION, &[0; 40], 100), &mut kept);
        state.feed(ToServer, &records(APPLICATION, &[0; 40], 100), &mut kept);
        assert_eq!(kept.values(fields::TLS_VERSION), ["TLS 1.3"]);
    }

    #[test]
    fn an_ssl2_hello_is_a_hello() {
        let mut bytes = vec![0x80, 46, 1, 0, 2, 0, 21, 0, 0, 0, 16];
        bytes.extend_from_slice(&[1; 21 + 16]);
        assert!(looks_like(&bytes));
        let (mut state, mut kept) = (TlsState::default(), Kept::default());
        for chunk in bytes.chunks(9) {
            assert_eq!(state.feed(ToServer, chunk, &mut kept), Feed::More);
        }
        assert_eq!(state.offered, 2);
        bytes[5] = 1;
        assert!(!looks_like(&bytes));
    }

    #[test]
    fn other_protocols_are_not_mine() {
        for bytes in
            [&b"GET / HTTP/1.1\r\n"[..], b"SSH-2.0-x\r\n", &[0; 40], &[0x16, 3, 9, 0, 4, 1]]
        {
            assert!(!looks_like(bytes));
            let mut state = TlsState::default();
            assert_eq!(state.feed(ToServer, bytes, &mut Kept::default()), Feed::NotMine);
        }
        assert!(looks_like(&client(16_000)) && looks_like(&server()));
    }

    #[test]
    fn a_hello_without_end_is_let_go() {
        let mut state = TlsState::default();
        let endless = records(HANDSHAKE, &[0; 64], 4);
        for _ in 0..2_000 {
            state.feed(ToServer, &endless, &mut Kept::default());
            assert!(state.held[0].len() <= MESSAGE_OCTETS_MAX);
        }
        assert!(state.held[0].is_empty());
    }

    #[test]
    fn any_octets_are_read_without_a_panic() {
        let whole = [client(300), server()].concat();
        bolero::check!().with_iterations(2000).for_each(|bytes: &[u8]| {
            looks_like(bytes);
            let mut bent = whole.clone();
            for pair in bytes.as_chunks::<3>().0 {
                let at = usize::from(u16::from_be_bytes([pair[0], pair[1]])) % bent.len();
                bent[at] = pair[2];
            }
            for stream in [bytes, &bent] {
                let mut state = TlsState::default();
                for (nth, chunk) in stream.chunks(97).enumerate() {
                    let dir = if nth % 5 == 4 { ToClient } else { ToServer };
                    state.feed(dir, chunk, &mut Kept::default());
                }
            }
        });
    }
}
