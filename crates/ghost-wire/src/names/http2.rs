//! HTTP/2 with prior knowledge: requests and answers of a connection that never was TLS.
//!
//! Promises: `:authority`, `:method`, `:path`, agent and status of header blocks up to 16 KiB over
//! any number of CONTINUATION frames and segments; Huffman text; data frames are passed over by
//! their length. The table of earlier headers (HPACK's dynamic table) is kept only as far as the
//! size of the default table, so that repeated names resolve.
//!
//! Not promised: padding games, a table larger than the default, streams told apart.

use super::Feed;
use super::hpack::Table;
use super::http::{tell_content_type, tell_request_header};
use super::limits::MESSAGE_OCTETS_MAX;
use super::path_shape::PathShape;
use super::read::Reader;
use crate::{Direction, Sink, fields};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
/// RFC 9113 frame types end here; others (ALTSVC, ORIGIN, …) are passed over.
const KIND_MAX: u8 = 0x20;

const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let len = bytes.len().min(PREFACE.len());
    len >= 8 && bytes.get(..len) == PREFACE.get(..len)
}

/// Both sides of one connection.
#[derive(Debug, Default)]
pub(crate) struct Http2State {
    talk: Option<Box<[Side; 2]>>,
    known: bool,
}

#[derive(Debug, Default)]
struct Side {
    begun: bool,
    lost: bool,
    /// Octets of a frame's payload that are passed over.
    pass: usize,
    /// A frame that is not yet whole.
    held: Vec<u8>,
    /// A header block that goes on in the next frame.
    block: Vec<u8>,
    table: Table,
}

impl Http2State {
    pub(crate) fn feed(&mut self, dir: Direction, bytes: &[u8], sink: &mut dyn Sink) -> Feed {
        if bytes.is_empty() {
            return Feed::More;
        }
        let sides = self.talk.get_or_insert_default();
        let side = &mut sides[usize::from(dir == Direction::ToClient)];
        if !side.lost && !side.feed(dir, bytes, sink) {
            side.lost = true;
            side.held = Vec::new();
            side.block = Vec::new();
        }
        self.known |= side.begun;
        match (side.lost, self.known) {
            (true, false) => Feed::NotMine,
            (true, true) if sides.iter().all(|side| side.lost) => Feed::Done,
            _ => Feed::More,
        }
    }
}

impl Side {
    /// False where the octets are no frames.
    fn feed(&mut self, dir: Direction, bytes: &[u8], sink: &mut dyn Sink) -> bool {
        let here = self.pass.min(bytes.len());
        self.pass -= here;
        let bytes = bytes.get(here..).unwrap_or(&[]);
        let held = std::mem::take(&mut self.held);
        let whole;
        let mut reader = if held.is_empty() {
            Reader::new(bytes)
        } else {
            let mut joined = held;
            joined.extend_from_slice(bytes);
            whole = joined;
            Reader::new(&whole)
        };
        while !reader.is_empty() {
            if !self.begun && dir == Direction::ToServer {
                let len = reader.len().min(PREFACE.len());
                if reader.rest().get(..len) != PREFACE.get(..len) {
                    return false;
                }
                if len < PREFACE.len() {
                    break;
                }
                let _ = reader.skip(len);
                self.begun = true;
                continue;
            }
            let mut step = reader;
            let (Some(len), Some(kind), Some(flags), Some(stream)) =
                (step.u24(), step.u8(), step.u8(), step.u32())
            else {
                break;
            };
            if !self.begun {
                // A server begins with its settings.
                if kind != SETTINGS || stream != 0 || !len.is_multiple_of(6) || len > 600 {
                    return false;
                }
                self.begun = true;
            }
            if kind > KIND_MAX {
                return false;
            }
            if !matches!(kind, HEADERS | CONTINUATION) || len > MESSAGE_OCTETS_MAX {
                let here = len.min(step.len());
                self.pass = len - here;
                let _ = step.skip(here);
                reader = step;
                continue;
            }
            let Some(payload) = step.take(len) else { break };
            reader = step;
            let Some(part) = fragment(kind, flags, payload) else { return false };
            if flags & END_HEADERS != 0 && self.block.is_empty() {
                tell(&mut self.table, dir, part, sink);
            } else {
                if self.block.len() + part.len() > MESSAGE_OCTETS_MAX {
                    return false;
                }
                self.block.extend_from_slice(part);
                if flags & END_HEADERS != 0 {
                    let block = std::mem::take(&mut self.block);
                    tell(&mut self.table, dir, &block, sink);
                }
            }
        }
        self.held = reader.rest().to_vec();
        true
    }
}

/// The header block of a frame without padding and priority.
fn fragment(kind: u8, flags: u8, payload: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(payload);
    let mut padding = 0;
    if kind == HEADERS {
        if flags & PADDED != 0 {
            padding = usize::from(reader.u8()?);
        }
        if flags & PRIORITY != 0 {
            reader.skip(5)?;
        }
    }
    let len = reader.len().checked_sub(padding)?;
    reader.take(len)
}

fn tell(table: &mut Table, dir: Direction, block: &[u8], sink: &mut dyn Sink) {
    table.read(block, &mut |name, value| match (dir, name) {
        (Direction::ToServer, b":authority") => sink.field(fields::HTTP_HOST, value),
        (Direction::ToServer, b":method") => sink.field(fields::HTTP_METHOD, value),
        (Direction::ToServer, b":path") => {
            sink.field(fields::HTTP_TARGET, value);
            sink.field(fields::HTTP_PATH, PathShape::new().of(value));
        }
        (Direction::ToServer, b"host" | b"user-agent" | b"authorization" | b"content-type") => {
            tell_request_header(name, value, value, sink);
        }
        (Direction::ToClient, b":status") => sink.field(fields::HTTP_STATUS, value),
        (Direction::ToClient, b"content-type") => tell_content_type(value, sink),
        (Direction::ToClient, b"server") => sink.field(fields::SOFTWARE, value),
        _ => {}
    });
}

#[cfg(test)]
mod tests {
    use super::super::hpack::tests::unhex;
    use super::super::kept::Kept;
    use super::*;
    use Direction::{ToClient, ToServer};

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut out =
            vec![0, (payload.len() >> 8) as u8, payload.len() as u8, kind, flags, 0, 0, 0];
        out.push(u8::from(kind != SETTINGS));
        out.extend_from_slice(payload);
        out
    }

    fn up() -> Vec<u8> {
        let first = unhex("828684418cf1e3c2e5f23a6ba0ab90f4ff"); // RFC 7541 C.4.1
        let third = unhex("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf"); // C.4.3
        let second = unhex("828684be5886a8eb10649cbf"); // C.4.2
        [
            PREFACE.to_vec(),
            frame(SETTINGS, 0, &[0, 3, 0, 0, 0, 100]),
            frame(HEADERS, 0, &first[..7]),
            frame(CONTINUATION, END_HEADERS, &first[7..]),
            frame(0, 1, &[0; 5000]),
            frame(
                HEADERS,
                END_HEADERS | PADDED | PRIORITY,
                &[&[2, 0, 0, 0, 0, 9][..], &second, &[0, 0]].concat(),
            ),
            frame(HEADERS, END_HEADERS, &third),
        ]
        .concat()
    }

    #[test]
    fn requests_are_found_whatever_the_frames_and_segments() {
        let up = up();
        for cut in [1, 3, 10, 24, 100, 1448, 10_000] {
            let (mut state, mut kept) = (Http2State::default(), Kept::default());
            for chunk in up.chunks(cut) {
                assert_eq!(state.feed(ToServer, chunk, &mut kept), Feed::More, "{cut}");
            }
            assert_eq!(kept.values(fields::HTTP_HOST), ["www.example.com"; 3]);
            assert_eq!(kept.values(fields::HTTP_PATH), ["/", "/", "/index.html"]);
            assert_eq!(kept.values(fields::HTTP_METHOD), ["GET"; 3]);
        }
    }

    #[test]
    fn answers_tell_their_status() {
        let (mut state, mut kept) = (Http2State::default(), Kept::default());
        let down = [
            frame(SETTINGS, 0, &[]),
            frame(
                HEADERS,
                END_HEADERS,
                &[0x88, 0x5f, 9, b't', b'e', b'x', b't', b'/', b'h', b't', b'm', b'l'],
            ),
        ]
        .concat();
        state.feed(ToClient, &down, &mut kept);
        assert_eq!(kept.values(fields::HTTP_STATUS), ["200"]);
        assert_eq!(kept.values(fields::HTTP_CONTENT_TYPE), ["text/html"]);
    }

    #[test]
    fn other_protocols_are_not_mine() {
        let mut state = Http2State::default();
        let one = b"GET / HTTP/1.1\r\n\r\n";
        assert!(!looks_like(one) && looks_like(b"PRI * HTTP/2"));
        assert_eq!(state.feed(ToServer, one, &mut Kept::default()), Feed::NotMine);
    }

    #[test]
    fn any_octets_are_read_without_a_panic() {
        let whole = up();
        bolero::check!().with_iterations(2000).for_each(|bytes: &[u8]| {
            let mut bent = whole.clone();
            for pair in bytes.as_chunks::<3>().0 {
                let at = 24 + usize::from(u16::from_be_bytes([pair[0], pair[1]])) % 100;
                bent[at] = pair[2];
            }
            for stream in [bytes, &bent] {
                let mut state = Http2State::default();
                for chunk in stream.chunks(61) {
                    state.feed(ToServer, chunk, &mut Kept::default());
                    state.feed(ToClient, chunk, &mut Kept::default());
                }
            }
        });
    }
}
