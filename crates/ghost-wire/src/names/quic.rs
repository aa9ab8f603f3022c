//! QUIC: the client hello inside a connection's first Initials, and the version.
//!
//! Promises: versions 1 and 2, the drafts from 21 on, Facebook's and Google's own; several packets a
//! datagram, CRYPTO frames over several Initials in any order; Retry and a server's own choice of
//! connection id. A version nobody knows is tried with the likely salts. After the hello, or after
//! enough datagrams without one, the flow is done.
//!
//! Not promised: anything behind the handshake's keys; a connection seen from its middle on.

use super::Feed;
use super::gquic;
use super::hello::{CLIENT_HELLO, Carrier, ClientHello};
use super::initial::{Keys, crypto_frames, suites};
use super::limits::QUIC_INITIALS_MAX;
use super::read::Reader;
use super::stretches::Stretches;
use crate::{Direction, Sink, fields};

const CONNECTION_OCTETS_MAX: usize = 20;

/// Do these octets begin with a QUIC packet that names its version?
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    if gquic::version(bytes).is_some() {
        return true;
    }
    let Some(long) = Long::read(bytes) else { return false };
    match long.version {
        // A server that knows none of the versions offered lists its own.
        0 => !long.rest.is_empty() && long.rest.len().is_multiple_of(4) && long.rest.len() <= 128,
        version if is_known(version) => true,
        _ => bytes.len() >= 1200 && long.to.len() >= 8 && bytes[0] & 0x40 != 0,
    }
}

fn is_known(version: u32) -> bool {
    matches!(
        version,
        1 | 0x6b33_43cf | 0x709a_50c4 | 0xff02_0000 | 0xff00_0001..=0xff00_00ff | 0xface_b000..=0xface_b0ff
            | 0x5430_3530..=0x5430_3539
    ) || version & 0x0f0f_0f0f == 0x0a0a_0a0a
        || gquic::is_google(version)
}

/// A long header up to the connection ids.
#[derive(Debug, Clone, Copy)]
struct Long<'a> {
    first: u8,
    version: u32,
    to: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Long<'a> {
    fn read(bytes: &'a [u8]) -> Option<Long<'a>> {
        let mut reader = Reader::new(bytes);
        let first = reader.u8()?;
        if first & 0x80 == 0 {
            return None;
        }
        let version = reader.u32()?;
        let (to, _from) = if version == Q046 {
            // Two nibbles of length, each 0 or 8 octets.
            let lens = reader.u8()?;
            let of = |nibble: u8| if nibble == 0 { 0 } else { usize::from(nibble) + 3 };
            (reader.take(of(lens >> 4))?, reader.take(of(lens & 0xf))?)
        } else {
            (reader.vector8()?, reader.vector8()?)
        };
        if version != 0 && to.len().max(_from.len()) > CONNECTION_OCTETS_MAX {
            return None;
        }
        Some(Long { first, version, to, rest: reader.rest() })
    }

    fn is_initial(&self) -> bool {
        let kind = self.first >> 4 & 3;
        // Version 2 turned the kinds round.
        kind == if matches!(self.version, 0x6b33_43cf | 0x709a_50c4 | 0xff02_0000) { 1 } else { 0 }
    }
}

const Q046: u32 = 0x5130_3436;

/// One flow.
#[derive(Debug, Default)]
pub(crate) struct QuicState {
    talk: Option<Box<Talk>>,
    tries: u8,
    told: bool,
}

#[derive(Debug, Default)]
struct Talk {
    keys: Option<Keys>,
    hello: Stretches,
    plain: Vec<u8>,
}

impl QuicState {
    pub(crate) fn datagram(&mut self, dir: Direction, bytes: &[u8], sink: &mut dyn Sink) -> Feed {
        if !self.told {
            if !looks_like(bytes) {
                return Feed::NotMine;
            }
            self.tell_version(bytes, sink);
        }
        self.tries = self.tries.saturating_add(1);
        if dir == Direction::ToServer || self.talk.is_none() {
            if let Some(version) = gquic::version(bytes) {
                let found = version < 0x5130_3530 && gquic::tell(bytes, sink);
                if found {
                    return self.done();
                }
            } else if self.initials(bytes, sink) {
                return self.done();
            }
        }
        if self.tries > QUIC_INITIALS_MAX { self.done() } else { Feed::More }
    }

    fn done(&mut self) -> Feed {
        self.talk = None;
        self.tries = QUIC_INITIALS_MAX + 1;
        Feed::Done
    }

    fn tell_version(&mut self, bytes: &[u8], sink: &mut dyn Sink) {
        let version = gquic::version(bytes).or_else(|| Some(Long::read(bytes)?.version));
        // The offer of version negotiation is a server's; the flow's version is yet to come.
        if let Some(version) = version.filter(|&version| version != 0) {
            self.told = true;
            let mut room = [0; 16];
            sink.field(fields::QUIC_VERSION, version_text(version, &mut room));
        }
    }

    /// Walks the packets of a datagram; true when the hello was told.
    fn initials(&mut self, bytes: &[u8], sink: &mut dyn Sink) -> bool {
        let mut rest = bytes;
        for _ in 0..8 {
            let Some(long) = Long::read(rest) else { return false };
            if long.version == Q046 {
                return gquic::tell(long.rest, sink);
            }
            if long.version == 0 {
                return false;
            }
            let mut reader = Reader::new(long.rest);
            let initial = long.is_initial();
            if initial
                && reader
                    .varint()
                    .is_none_or(|len| reader.skip(len.min(1 << 16) as usize).is_none())
            {
                return false;
            }
            let Some(len) = reader.varint().map(|len| len.min(1 << 16) as usize) else {
                return false;
            };
            let number_at = rest.len() - reader.len();
            let Some((packet, behind)) = rest.split_at_checked(number_at + len) else {
                return false;
            };
            if initial && self.initial(&long, packet, number_at, sink) {
                return true;
            }
            rest = behind;
        }
        false
    }

    fn initial(
        &mut self,
        long: &Long<'_>,
        packet: &[u8],
        number_at: usize,
        sink: &mut dyn Sink,
    ) -> bool {
        let talk = self.talk.get_or_insert_default();
        let Talk { keys, hello, plain } = &mut **talk;
        let opened = match keys {
            Some(known) => known.open(packet, number_at, plain).is_some(),
            None => false,
        };
        if !opened {
            // The first Initial, or the first after a Retry: its connection id makes the keys.
            let found = suites(long.version).iter().find_map(|&suite| {
                let made = Keys::of(suite, long.to);
                made.open(packet, number_at, plain).is_some().then_some(made)
            });
            let Some(found) = found else { return false };
            if keys.is_some() {
                *hello = Stretches::default();
            }
            *keys = Some(found);
        }
        // `plain` holds header, body and tag; where the body begins is known again from its header.
        let body_at = number_at + usize::from(plain.first().unwrap_or(&0) & 3) + 1;
        let body_end = plain.len().saturating_sub(16);
        let body = plain.get(body_at..body_end).unwrap_or(&[]);
        if gquic::is_google(long.version) {
            return gquic::tell(body, sink);
        }
        crypto_frames(body, |offset, data| {
            hello.add(offset, data);
        });
        let mut message = Reader::new(hello.prefix());
        let Some(CLIENT_HELLO) = message.u8() else { return false };
        let Some(hello) =
            message.vector24().and_then(|body| ClientHello::read(Carrier::Quic, body))
        else {
            return false;
        };
        // QUIC knows no other TLS.
        sink.field(fields::TLS_VERSION, b"TLS 1.3");
        hello.tell(sink);
        true
    }
}

/// `1`, `2`, `draft-29`, `Q043`, else the number in hexadecimal.
fn version_text(version: u32, room: &mut [u8; 16]) -> &[u8] {
    use std::io::Write as _;
    let before = room.len();
    let mut out = &mut room[..];
    let _ = match version {
        1 => out.write_all(b"1"),
        0x6b33_43cf => out.write_all(b"2"),
        0xff00_0001..=0xff00_00ff => write!(out, "draft-{}", version & 0xff),
        0xface_b000..=0xface_b0ff => write!(out, "mvfst-{:x}", version & 0xff),
        _ if version.to_be_bytes().iter().all(u8::is_ascii_alphanumeric) => {
            out.write_all(&version.to_be_bytes())
        }
        _ => write!(out, "0x{version:08x}"),
    };
    let len = before - out.len();
    &room[..len]
}

#[cfg(test)]
mod tests {
    use super::super::initial::tests::seal;
    use super::super::ja::tests::{body, sni};
    use super::super::kept::Kept;
    use super::*;
    use Direction::{ToClient, ToServer};

    const VERSIONS: [u32; 6] = [1, 0x6b33_43cf, 0xff00_001d, 0xff00_001b, 0xface_b002, 0x1a2a_3a4a];

    fn hello() -> Vec<u8> {
        let extensions = [
            (0, sni("quic.example")),
            (16, b"\x00\x03\x02h3".to_vec()),
            (43, vec![2, 3, 4]),
            (57, vec![7; 1500]),
        ];
        let body = body(0x0303, &[0x1301], &extensions);
        let mut out = vec![1, 0, (body.len() >> 8) as u8, body.len() as u8];
        out.extend_from_slice(&body);
        out
    }

    fn crypto(hello: &[u8], from: usize, to: usize) -> Vec<u8> {
        let to = to.min(hello.len());
        let mut out = vec![1, 0, 6];
        out.extend_from_slice(&(from as u16 | 0x4000).to_be_bytes());
        out.extend_from_slice(&((to - from) as u16 | 0x4000).to_be_bytes());
        out.extend_from_slice(&hello[from..to]);
        out
    }

    fn check_told(kept: &Kept) {
        assert_eq!(kept.values(fields::TLS_SNI), ["quic.example"]);
        assert_eq!(kept.values(fields::TLS_ALPN), ["h3"]);
        assert_eq!(kept.values(fields::TLS_VERSION), ["TLS 1.3"]);
        assert!(kept.values(fields::TLS_JA4)[0].starts_with("q13d0104h3_"));
    }

    #[test]
    fn a_hello_over_several_initials_in_any_order_is_found_in_every_version() {
        let (hello, id) = (hello(), [8, 7, 6, 5, 4, 3, 2, 1]);
        for version in VERSIONS {
            let (mut state, mut kept) = (QuicState::default(), Kept::default());
            let second = seal(version, &id, 1, &crypto(&hello, 700, 9999));
            let first =
                seal(version, &id, 0, &[crypto(&hello, 300, 720), crypto(&hello, 0, 310)].concat());
            assert!(looks_like(&second), "{version:x}");
            assert_eq!(state.datagram(ToServer, &second, &mut kept), Feed::More);
            assert_eq!(state.datagram(ToClient, &[0xc0; 1200], &mut kept), Feed::More);
            assert_eq!(state.datagram(ToServer, &first, &mut kept), Feed::Done, "{version:x}");
            check_told(&kept);
            assert!(state.talk.is_none(), "nothing stays held");
        }
    }

    #[test]
    fn a_hello_behind_another_packet_of_its_datagram_is_found() {
        let (hello, id) = (hello(), [1, 1, 2, 2, 3, 3, 4, 4]);
        let mut datagram = seal(1, &id, 0, &crypto(&hello, 0, 900));
        datagram.extend_from_slice(&seal(1, &id, 1, &crypto(&hello, 900, 9999)));
        let (mut state, mut kept) = (QuicState::default(), Kept::default());
        assert_eq!(state.datagram(ToServer, &datagram, &mut kept), Feed::Done);
        check_told(&kept);
    }

    #[test]
    fn after_a_retry_the_new_connection_id_makes_the_keys() {
        let hello = hello();
        let (mut state, mut kept) = (QuicState::default(), Kept::default());
        let before = seal(1, &[1; 8], 0, &crypto(&hello, 0, 500));
        assert_eq!(state.datagram(ToServer, &before, &mut kept), Feed::More);
        let after = [(0, 900), (900, 9999)]
            .map(|(from, to)| seal(1, &[2; 8], 1, &crypto(&hello, from, to)));
        assert_eq!(state.datagram(ToServer, &after[0], &mut kept), Feed::More);
        assert_eq!(state.datagram(ToServer, &after[1], &mut kept), Feed::Done);
        check_told(&kept);
    }

    #[test]
    fn a_packet_that_was_altered_tells_nothing_and_patience_ends() {
        let hello = hello();
        let mut bent = seal(1, &[3; 8], 0, &crypto(&hello, 0, 9999));
        bent[200] ^= 1;
        let (mut state, mut kept) = (QuicState::default(), Kept::default());
        let mut last = Feed::More;
        for _ in 0..=QUIC_INITIALS_MAX {
            last = state.datagram(ToServer, &bent, &mut kept);
        }
        assert_eq!(last, Feed::Done);
        assert_eq!(kept.values(fields::QUIC_VERSION), ["1"]);
        assert_eq!(kept.fields.len(), 1);
    }

    #[test]
    fn versions_have_names() {
        let check = |version, text: &str| {
            assert_eq!(std::str::from_utf8(version_text(version, &mut [0; 16])).unwrap(), text);
        };
        check(1, "1");
        check(0x6b33_43cf, "2");
        check(0xff00_001d, "draft-29");
        check(0xface_b002, "mvfst-2");
        check(0x5130_3433, "Q043");
        check(0x1a2a_3a4a, "0x1a2a3a4a");
    }

    #[test]
    fn other_protocols_are_not_mine() {
        for bytes in [&b"GET / HTTP/1.1\r\n"[..], &[0; 60], &[0x40; 1200], &[]] {
            assert!(!looks_like(bytes));
            let mut state = QuicState::default();
            assert_eq!(state.datagram(ToServer, bytes, &mut Kept::default()), Feed::NotMine);
        }
    }

    #[test]
    fn any_octets_are_read_without_a_panic() {
        let whole = seal(1, &[5; 8], 0, &crypto(&hello(), 0, 9999));
        bolero::check!().with_iterations(1000).for_each(|bytes: &[u8]| {
            let (mut state, mut kept) = (QuicState::default(), Kept::default());
            state.datagram(ToServer, bytes, &mut kept);
            let mut bent = whole.clone();
            for pair in bytes.as_chunks::<2>().0 {
                bent[usize::from(pair[0]) % 40] = pair[1];
            }
            state.datagram(ToServer, &bent, &mut kept);
            // What a client may put inside.
            let inside = seal(1, &[5; 8], 0, bytes);
            QuicState::default().datagram(ToServer, &inside, &mut kept);
        });
    }
}
