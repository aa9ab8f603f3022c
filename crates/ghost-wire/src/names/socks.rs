//! SOCKS 4, 4a and 5 over a stream: what goes through the proxy, once it is let through.
//!
//! Promises: the handshake of both sides is passed over wherever segments cut it, with no name or
//! password of it told; the connection inside is then read as TLS, HTTP or SSH by its first octets,
//! whichever side speaks first. What is none of these is none of ours.
//!
//! Not promised: BIND and datagrams over SOCKS, GSSAPI, proxies within the proxy.

use super::limits::SOCKS_OCTETS_MAX;
use super::read::Reader;
use super::{Feed, http, ssh, tls};
use crate::{Direction, Sink};

/// Where a side stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stand {
    #[default]
    Start,
    /// SOCKS 5 behind the offer or choice of methods.
    Chosen,
    Inside,
}

#[derive(Debug)]
enum Inside {
    Tls(tls::TlsState),
    Http(http::HttpState),
    Ssh(ssh::SshState),
}

/// Both sides of one connection.
#[derive(Debug, Default)]
pub(crate) struct SocksState {
    stands: [Stand; 2],
    held: [Vec<u8>; 2],
    inside: Option<Box<Inside>>,
}

/// One step of a handshake.
enum Step {
    /// So many octets were a message; this is where the side stands behind it.
    Over(usize, Stand),
    /// The message is cut.
    Cut,
    Strange,
}

impl SocksState {
    /// A connection whose first message in sight is this one; `dir` is who sends it.
    pub(crate) fn met(dir: Direction, message: &[u8]) -> SocksState {
        let mut state = SocksState::default();
        if dir == Direction::ToClient {
            let v4 = message.first() == Some(&0);
            state.stands[0] = if v4 { Stand::Inside } else { Stand::Chosen };
        }
        state
    }

    pub(crate) fn feed(&mut self, dir: Direction, bytes: &[u8], sink: &mut dyn Sink) -> Feed {
        let side = usize::from(dir == Direction::ToClient);
        if bytes.is_empty() {
            return Feed::More;
        }
        if let Some(inside) = &mut self.inside
            && self.stands[side] == Stand::Inside
        {
            return inside.feed(dir, bytes, sink);
        }
        let mut held = std::mem::take(&mut self.held[side]);
        let mut rest = if held.is_empty() {
            bytes
        } else {
            held.extend_from_slice(bytes);
            &held
        };
        while self.stands[side] != Stand::Inside {
            let mut reader = Reader::new(rest);
            let step = if dir == Direction::ToServer {
                client(self.stands[side], &mut reader)
            } else {
                server(self.stands[side], &mut reader)
            };
            match step {
                Step::Over(len, stand) => {
                    self.stands[side] = stand;
                    rest = rest.get(len..).unwrap_or(&[]);
                }
                Step::Cut if rest.len() <= SOCKS_OCTETS_MAX => {
                    self.held[side] = rest.to_vec();
                    return Feed::More;
                }
                Step::Cut | Step::Strange => return Feed::Done,
            }
        }
        if rest.is_empty() {
            return Feed::More;
        }
        if self.inside.is_none() {
            match Inside::met(rest) {
                Some(inside) => self.inside = Some(Box::new(inside)),
                None if rest.len() < LOOK_OCTETS => {
                    self.held[side] = rest.to_vec();
                    return Feed::More;
                }
                None => return Feed::Done,
            }
        }
        self.inside.as_mut().map_or(Feed::Done, |inside| inside.feed(dir, rest, sink))
    }
}

/// A TLS record's header and the kind of its first message; `GET / H`.
const LOOK_OCTETS: usize = 9;

impl Inside {
    fn met(bytes: &[u8]) -> Option<Inside> {
        if bytes.len() < LOOK_OCTETS {
            return None;
        }
        if ssh::looks_like(bytes) {
            Some(Inside::Ssh(ssh::SshState::default()))
        } else if tls::looks_like(bytes) {
            Some(Inside::Tls(tls::TlsState::default()))
        } else if http::looks_like(bytes) {
            Some(Inside::Http(http::HttpState::default()))
        } else {
            None
        }
    }

    fn feed(&mut self, dir: Direction, bytes: &[u8], sink: &mut dyn Sink) -> Feed {
        let fed = match self {
            Inside::Tls(state) => state.feed(dir, bytes, sink),
            Inside::Http(state) => state.feed(dir, bytes, sink),
            Inside::Ssh(state) => state.feed(dir, bytes, sink),
        };
        if fed == Feed::More { Feed::More } else { Feed::Done }
    }
}

/// How far a reader has come, or that its message is cut.
fn over(reader: &Reader<'_>, before: usize, read: Option<()>, stand: Stand) -> Step {
    match read {
        Some(()) => Step::Over(before - reader.len(), stand),
        None => Step::Cut,
    }
}

/// A message of who asks.
fn client(stand: Stand, reader: &mut Reader<'_>) -> Step {
    let before = reader.len();
    let first = reader.rest().first().copied();
    match (stand, first) {
        // version 1 · methods, counted
        (Stand::Start, Some(5)) => {
            let read = reader.skip(1).and_then(|()| reader.vector8().map(|_| ()));
            over(reader, before, read, Stand::Chosen)
        }
        // version 1 · command 1 · port 2 · address 4 · user · 0, and with 4a: name · 0
        (Stand::Start, Some(4)) => {
            let mut named = false;
            let mut read = || {
                reader.skip(1)?;
                if reader.u8()? != 1 {
                    return Some(false);
                }
                reader.skip(2)?;
                let [a, b, c, d] = reader.array::<4>()?;
                named = [a, b, c] == [0; 3] && d != 0;
                text(reader)?;
                if named {
                    text(reader)?;
                }
                Some(true)
            };
            match read() {
                Some(true) => over(reader, before, Some(()), Stand::Inside),
                Some(false) => Step::Strange,
                None => Step::Cut,
            }
        }
        // version 1 · user, counted · password, counted
        (Stand::Chosen, Some(1)) => {
            let mut read = || {
                reader.skip(1)?;
                reader.vector8()?;
                reader.vector8().map(|_| ())
            };
            let read = read();
            over(reader, before, read, Stand::Chosen)
        }
        (Stand::Chosen, Some(5)) => {
            if reader.rest().get(1).is_some_and(|command| *command != 1) {
                return Step::Strange;
            }
            addressed(reader)
        }
        (_, None) => Step::Cut,
        _ => Step::Strange,
    }
}

/// A message of the proxy.
fn server(stand: Stand, reader: &mut Reader<'_>) -> Step {
    let before = reader.len();
    match (stand, reader.rest()) {
        (_, [] | [_]) => Step::Cut,
        // No method but none and a password goes on in clear.
        (Stand::Start, [5, 0 | 2, ..]) => Step::Over(2, Stand::Chosen),
        (Stand::Start, [0, 0x5a, ..]) => {
            let read = reader.skip(8);
            over(reader, before, read, Stand::Inside)
        }
        (Stand::Chosen, [1, 0, ..]) => Step::Over(2, Stand::Chosen),
        (Stand::Chosen, [5, 0, ..]) => addressed(reader),
        _ => Step::Strange,
    }
}

/// version 1 · command or answer 1 · 0 · kind of address 1 · address · port 2
fn addressed(reader: &mut Reader<'_>) -> Step {
    let before = reader.len();
    let mut read = || {
        reader.skip(3)?;
        match reader.u8()? {
            1 => reader.skip(4)?,
            3 => reader.vector8().map(|_| ())?,
            4 => reader.skip(16)?,
            _ => return Some(false),
        }
        reader.skip(2)?;
        Some(true)
    };
    match read() {
        Some(true) => over(reader, before, Some(()), Stand::Inside),
        Some(false) => Step::Strange,
        None => Step::Cut,
    }
}

/// Text that a zero ends.
fn text(reader: &mut Reader<'_>) -> Option<()> {
    let end = memchr::memchr(0, reader.rest())?;
    reader.skip(end + 1)
}

#[cfg(test)]
mod tests {
    use super::super::kept::Kept;
    use super::*;
    use crate::fields;
    use Direction::{ToClient, ToServer};

    const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: curl/8\r\n\r\n";

    /// Feeds the messages in order, each cut into chunks.
    fn fed(messages: &[(Direction, &[u8])], cut: usize) -> (Kept, Feed) {
        let (mut state, mut kept, mut last) = (SocksState::default(), Kept::default(), Feed::More);
        for (dir, message) in messages {
            for chunk in message.chunks(cut) {
                if last == Feed::More {
                    last = state.feed(*dir, chunk, &mut kept);
                }
            }
        }
        (kept, last)
    }

    #[test]
    fn a_host_behind_any_handshake_is_told_wherever_segments_cut() {
        let v4: &[(Direction, &[u8])] =
            &[(ToServer, b"\x04\x01\0\x50\x0a\0\0\x01me\0"), (ToClient, b"\0\x5a\0\0\0\0\0\0")];
        let v4a: &[(Direction, &[u8])] = &[
            (ToServer, b"\x04\x01\0\x50\0\0\0\x01me\0www.example.com\0"),
            (ToClient, b"\0\x5a\0\0\0\0\0\0"),
        ];
        let v5: &[(Direction, &[u8])] = &[
            (ToServer, b"\x05\x02\0\x02"),
            (ToClient, b"\x05\x02"),
            (ToServer, b"\x01\x02me\x06secret"),
            (ToClient, b"\x01\0"),
            (ToServer, b"\x05\x01\0\x03\x0fwww.example.com\0\x50"),
            (ToClient, b"\x05\0\0\x01\0\0\0\0\0\0"),
        ];
        for handshake in [v4, v4a, v5] {
            for cut in [1, 2, 3, 7, 1000] {
                let mut messages = handshake.to_vec();
                messages.push((ToServer, GET));
                let (kept, last) = fed(&messages, cut);
                assert_eq!(kept.values(fields::HTTP_HOST), ["www.example.com"], "{cut}");
                assert_eq!(kept.values(fields::HTTP_AGENT), ["curl/8"]);
                assert!(!format!("{kept:?}").contains("secret"));
                assert_eq!(last, Feed::More);
            }
        }
    }

    #[test]
    fn a_refusal_and_what_is_not_understood_tell_nothing() {
        let refused: &[(Direction, &[u8])] = &[
            (ToServer, b"\x05\x01\0"),
            (ToClient, b"\x05\xff"),
            (ToServer, b"\x05\x01\0\x01\x0a\0\0\x01\0\x50"),
            (ToServer, GET),
        ];
        let bind: &[(Direction, &[u8])] =
            &[(ToServer, b"\x04\x02\0\x50\x0a\0\0\x01me\0"), (ToServer, GET)];
        let other: &[(Direction, &[u8])] = &[
            (ToServer, b"\x04\x01\0\x50\x0a\0\0\x01me\0"),
            (ToServer, b"EHLO there\r\nGET / HTTP/1.1\r\nHost: no.example\r\n\r\n"),
        ];
        for messages in [refused, bind, other] {
            let (kept, last) = fed(messages, 1000);
            assert_eq!((kept, last), (Kept::default(), Feed::Done));
        }
    }

    #[test]
    fn any_octets_are_read_without_holding_more_than_a_handshake() {
        bolero::check!().with_iterations(2000).with_type::<Vec<(bool, u8, Vec<u8>)>>().for_each(
            |chunks| {
                let (mut state, mut kept) = (SocksState::default(), Kept::default());
                for (up, lead, bytes) in chunks {
                    let mut bytes = bytes.clone();
                    bytes.insert(0, lead % 6);
                    let dir = if *up { ToServer } else { ToClient };
                    let fed = state.feed(dir, &bytes, &mut kept);
                    assert!(state.held.iter().all(|held| held.len() <= SOCKS_OCTETS_MAX));
                    if fed != Feed::More {
                        break;
                    }
                }
            },
        );
    }
}
