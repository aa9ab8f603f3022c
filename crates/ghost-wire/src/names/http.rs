//! HTTP/1 over a stream: every request's host, method and path, every answer's status.
//!
//! Promises: lines are read where they lie and only a cut line is held, so that a host is told as
//! soon as its line is whole; bodies are passed over by their length, not looked into, so that
//! pipelined requests are found; no secret of an `Authorization` header is told, only that there was
//! one. After CONNECT the tunnel's TLS hellos are told as well.
//!
//! Not promised: bodies. A chunk that begins with a start line where a body should go on is taken for
//! the next message: that is how a stream with a hole in it, or the answer to HEAD, finds its feet.

use super::Feed;
use super::limits::MESSAGE_OCTETS_MAX;
use super::path_shape::PathShape;
use super::tls::TlsState;
use crate::{Direction, Sink, fields};

/// Methods in use, RFC 9110, WebDAV, UPnP and a few that only attackers and Microsoft send.
const METHODS: &[&[u8]] = &[
    b"GET",
    b"POST",
    b"HEAD",
    b"PUT",
    b"DELETE",
    b"OPTIONS",
    b"CONNECT",
    b"TRACE",
    b"PATCH",
    b"PROPFIND",
    b"PROPPATCH",
    b"MKCOL",
    b"COPY",
    b"MOVE",
    b"LOCK",
    b"UNLOCK",
    b"REPORT",
    b"SEARCH",
    b"MERGE",
    b"CHECKOUT",
    b"MKACTIVITY",
    b"VERSION-CONTROL",
    b"NOTIFY",
    b"SUBSCRIBE",
    b"UNSUBSCRIBE",
    b"M-SEARCH",
    b"BITS_POST",
    b"CCM_POST",
    b"RPC_IN_DATA",
    b"RPC_OUT_DATA",
    b"RDG_IN_DATA",
    b"RDG_OUT_DATA",
    b"BPROPFIND",
    b"BPROPPATCH",
    b"BCOPY",
    b"BMOVE",
    b"BDELETE",
    b"POLL",
    b"DEBUG",
    b"TRACK",
    b"PURGE",
    b"LINK",
    b"UNLINK",
    b"ACL",
    b"MKCALENDAR",
];

/// Do these octets begin with a request or a status line?
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let bytes = trim_start_lines(bytes);
    if bytes.starts_with(b"HTTP/1.") || bytes.starts_with(b"HTTP/0.9 ") {
        return bytes.get(7).is_none_or(u8::is_ascii_digit);
    }
    if bytes.starts_with(b"ICY 200") {
        return true;
    }
    let Some(space) = memchr::memchr(b' ', bytes.get(..24).unwrap_or(bytes)) else {
        return false;
    };
    let method = bytes.get(..space).unwrap_or(&[]);
    match memchr::memchr(b'\n', bytes.get(..MESSAGE_OCTETS_MAX).unwrap_or(bytes)) {
        Some(end) => Request::read(line(bytes, end)).is_some(),
        // The line is cut: known methods and a target that could be one.
        None => {
            METHODS.contains(&method)
                && bytes.get(space + 1).is_none_or(|&first| {
                    matches!(first, b'/' | b'*') || first.is_ascii_alphanumeric() || first == b'['
                })
        }
    }
}

fn trim_start_lines(mut bytes: &[u8]) -> &[u8] {
    while let [b'\r' | b'\n', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

/// The line that ends with the newline at `end`, without its ending.
fn line(bytes: &[u8], end: usize) -> &[u8] {
    let line = bytes.get(..end).unwrap_or(&[]);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A request line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) method: &'a [u8],
    pub(super) target: &'a [u8],
}

impl<'a> Request<'a> {
    /// `METHOD target HTTP/1.x`; a target with spaces in it (attackers send them) reaches to the last.
    pub(super) fn read(line: &'a [u8]) -> Option<Request<'a>> {
        let first = memchr::memchr(b' ', line)?;
        let last = memchr::memrchr(b' ', line)?;
        let (method, version) = (line.get(..first)?, line.get(last + 1..)?);
        let named = (3..=20).contains(&method.len())
            && method.iter().all(|b| b.is_ascii_uppercase() || matches!(b, b'-' | b'_'));
        let spoken = version.starts_with(b"HTTP/1.") || version == b"HTTP/0.9";
        if !named || !spoken {
            return None;
        }
        Some(Request { method, target: line.get(first + 1..last).unwrap_or(&[]).trim_ascii() })
    }

    /// Host of an absolute or authority-form target.
    pub(super) fn authority(&self) -> Option<&'a [u8]> {
        if self.method == b"CONNECT" {
            return Some(self.target);
        }
        let after = memchr::memmem::find(self.target.get(..10).unwrap_or(self.target), b"://")? + 3;
        let rest = self.target.get(after..)?;
        let end = rest.iter().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(rest.len());
        let authority = rest.get(..end)?;
        // Never a login.
        let host = memchr::memrchr(b'@', authority).map_or(authority, |at| &authority[at + 1..]);
        (!host.is_empty()).then_some(host)
    }

    pub(super) fn tell(&self, sink: &mut dyn Sink) {
        sink.field(fields::HTTP_METHOD, self.method);
        sink.field(fields::HTTP_TARGET, self.target);
        if self.method != b"CONNECT" {
            let mut shape = PathShape::new();
            sink.field(fields::HTTP_PATH, shape.of(self.target));
        }
    }
}

/// Where a direction stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stand {
    #[default]
    Start,
    Headers,
    /// So many octets of body are to come.
    Body(u64),
    ChunkSize,
    Chunk(u64),
    Trailers,
    /// A body without length, or octets that are no message: until a chunk begins with one.
    Adrift,
}

/// What the headers of the message at hand have said.
#[derive(Debug, Clone, Copy, Default)]
struct Head {
    response: bool,
    status: u16,
    length: Option<u64>,
    chunked: bool,
    host_told: bool,
}

#[derive(Debug, Default)]
struct Side {
    stand: Stand,
    head: Head,
    /// The beginning of a line that is cut; none is longer than the limit.
    cut: Vec<u8>,
}

/// Both sides of one connection.
#[derive(Debug, Default)]
pub(crate) struct HttpState {
    talk: Option<Box<Talk>>,
}

#[derive(Debug, Default)]
struct Talk {
    sides: [Side; 2],
    known: bool,
    connect: bool,
    /// CONNECT was granted: what goes through.
    tunnel: Option<Box<TlsState>>,
    /// The connection speaks something else from here on.
    left: bool,
}

impl HttpState {
    pub(crate) fn feed(&mut self, dir: Direction, bytes: &[u8], sink: &mut dyn Sink) -> Feed {
        if bytes.is_empty() {
            return Feed::More;
        }
        self.talk.get_or_insert_default().feed(dir, bytes, sink)
    }

    /// Octets of this direction are missing: what comes next may begin anywhere.
    pub(crate) fn gap(&mut self, dir: Direction) {
        if let Some(talk) = &mut self.talk {
            let side = &mut talk.sides[usize::from(dir == Direction::ToClient)];
            side.stand = Stand::Adrift;
            side.cut = Vec::new();
        }
    }
}

impl Talk {
    fn feed(&mut self, dir: Direction, bytes: &[u8], sink: &mut dyn Sink) -> Feed {
        if let Some(tunnel) = &mut self.tunnel {
            // What is no TLS inside is none of ours.
            return match tunnel.feed(dir, bytes, sink) {
                Feed::More => Feed::More,
                Feed::Done | Feed::NotMine => Feed::Done,
            };
        }
        let side = usize::from(dir == Direction::ToClient);
        let stand = self.sides[side].stand;
        let starts = match stand {
            // Only a whole start line outweighs a length.
            Stand::Body(_) | Stand::Chunk(_) => starts_message(bytes, true),
            Stand::Adrift => starts_message(bytes, false),
            _ => false,
        };
        if starts {
            self.sides[side].stand = Stand::Start;
        }
        let mut rest = bytes;
        while !rest.is_empty() && !self.left && self.tunnel.is_none() {
            rest = match self.sides[side].stand {
                Stand::Body(left) => self.pass(side, left, rest, Stand::Start),
                Stand::Chunk(left) => self.pass(side, left, rest, Stand::ChunkSize),
                Stand::Adrift => &[],
                Stand::Start | Stand::Headers | Stand::ChunkSize | Stand::Trailers => {
                    match memchr::memchr(b'\n', rest) {
                        Some(end) => {
                            let (head, tail) = rest.split_at(end + 1);
                            let cut = std::mem::take(&mut self.sides[side].cut);
                            if cut.is_empty() {
                                self.line(side, line(head, end), tail, sink);
                            } else {
                                let mut whole = cut;
                                whole.extend_from_slice(head);
                                let end = whole.len() - 1;
                                self.line(side, line(&whole, end), tail, sink);
                            }
                            if self.sides[side].stand == Stand::Adrift && !self.known {
                                return Feed::NotMine;
                            }
                            tail
                        }
                        None => {
                            self.hold(side, rest);
                            if self.sides[side].stand == Stand::Adrift && !self.known {
                                return Feed::NotMine;
                            }
                            &[]
                        }
                    }
                }
            };
        }
        if self.left { Feed::Done } else { Feed::More }
    }

    /// Steps over a body; returns what is behind it.
    fn pass<'a>(&mut self, side: usize, left: u64, rest: &'a [u8], then: Stand) -> &'a [u8] {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
        let left = left - here as u64;
        self.sides[side].stand = match (left, then) {
            (0, then) => then,
            (_, Stand::ChunkSize) => Stand::Chunk(left),
            _ => Stand::Body(left),
        };
        rest.get(here..).unwrap_or(&[])
    }

    fn hold(&mut self, side: usize, rest: &[u8]) {
        let side = &mut self.sides[side];
        if side.stand == Stand::Start && side.cut.is_empty() && !could_start(rest) {
            side.stand = Stand::Adrift;
        } else if side.cut.len() + rest.len() > MESSAGE_OCTETS_MAX {
            side.stand = Stand::Adrift;
            side.cut = Vec::new();
        } else {
            side.cut.extend_from_slice(rest);
        }
    }

    fn line(&mut self, side: usize, line: &[u8], tail: &[u8], sink: &mut dyn Sink) {
        match self.sides[side].stand {
            Stand::Start => self.start(side, line, sink),
            Stand::Headers if line.is_empty() => self.end_of_head(side, tail),
            Stand::Headers => self.header(side, line, sink),
            Stand::ChunkSize if line.is_empty() => {}
            Stand::ChunkSize => {
                self.sides[side].stand = match chunk_size(line) {
                    Some(0) => Stand::Trailers,
                    Some(len) => Stand::Chunk(len),
                    None => Stand::Adrift,
                }
            }
            Stand::Trailers if line.is_empty() => self.sides[side].stand = Stand::Start,
            _ => {}
        }
    }

    fn start(&mut self, side: usize, line: &[u8], sink: &mut dyn Sink) {
        if line.is_empty() {
            return;
        }
        let here = &mut self.sides[side];
        if let Some(status) = status(line) {
            here.head = Head { response: true, status, ..Head::default() };
            here.stand = Stand::Headers;
            self.known = true;
            let digits = [status / 100, status / 10 % 10, status % 10].map(|d| b'0' + d as u8);
            sink.field(fields::HTTP_STATUS, &digits);
        } else if let Some(request) = Request::read(line) {
            here.head = Head::default();
            here.stand = Stand::Headers;
            self.known = true;
            self.connect = request.method == b"CONNECT";
            request.tell(sink);
            if let Some(host) = request.authority() {
                here.head.host_told = true;
                sink.field(fields::HTTP_HOST, host);
            }
        } else {
            here.stand = Stand::Adrift;
        }
    }

    fn header(&mut self, side: usize, line: &[u8], sink: &mut dyn Sink) {
        let Some((name, value)) = split_header(line) else { return };
        let head = &mut self.sides[side].head;
        let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
        if is(b"content-length") {
            head.length = number(value);
        } else if is(b"transfer-encoding") {
            head.chunked = ends_with_ignoring_case(value, b"chunked");
        } else if is(b"upgrade") {
            sink.field(fields::HTTP_HEADER, line);
        } else if head.response {
            tell_response_header(name, value, line, sink);
        } else {
            if is(b"host") && head.host_told && self.connect {
                return; // The target said it.
            }
            tell_request_header(name, value, line, sink);
        }
    }

    fn end_of_head(&mut self, side: usize, tail: &[u8]) {
        let head = self.sides[side].head;
        let mut stand = if head.chunked {
            Stand::ChunkSize
        } else {
            match head.length {
                Some(0) => Stand::Start,
                Some(len) => Stand::Body(len),
                None if head.response => Stand::Adrift,
                None => Stand::Start,
            }
        };
        if head.response {
            match head.status {
                101 => self.left = true,
                100..=199 | 204 | 304 => stand = Stand::Start,
                200..=299 if self.connect => self.tunnel = Some(Box::default()),
                // The answer to HEAD says how long its body would be, and has none.
                _ if starts_message(tail, true) => stand = Stand::Start,
                _ => {}
            }
        }
        self.sides[side].stand = stand;
    }
}

/// What a request's header says to events and detectors.
pub(super) fn tell_request_header(name: &[u8], value: &[u8], line: &[u8], sink: &mut dyn Sink) {
    let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
    if is(b"host") {
        if !value.is_empty() {
            sink.field(fields::HTTP_HOST, value);
        }
    } else if is(b"user-agent") {
        if !value.is_empty() {
            sink.field(fields::HTTP_AGENT, value);
        }
    } else if is(b"authorization") {
        // Only Basic sends the secret itself.
        if value.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic")) {
            sink.field(fields::CLEAR_LOGIN, b"http");
        }
    } else if is(b"content-type") {
        tell_content_type(value, sink);
        sink.field(fields::HTTP_HEADER, line);
    } else if !is(b"proxy-authorization") && !is(b"connection") && !is(b"accept-encoding") {
        // Cookies carry attacks as well; the detectors look and keep nothing.
        sink.field(fields::HTTP_HEADER, line);
    }
}

fn tell_response_header(name: &[u8], value: &[u8], line: &[u8], sink: &mut dyn Sink) {
    let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
    if is(b"content-type") {
        tell_content_type(value, sink);
    } else if is(b"server") {
        sink.field(fields::SOFTWARE, value);
    } else if is(b"www-authenticate") {
        sink.field(fields::LOGIN_FAILED, b"http");
    } else if is(b"sec-websocket-accept") {
        sink.field(fields::HTTP_HEADER, line);
    }
}

pub(super) fn tell_content_type(value: &[u8], sink: &mut dyn Sink) {
    let kind = value.split(|&b| b == b';').next().unwrap_or(value).trim_ascii();
    if !kind.is_empty() {
        sink.field(fields::HTTP_CONTENT_TYPE, kind);
    }
}

pub(super) fn split_header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    Some((line.get(..colon)?.trim_ascii(), line.get(colon + 1..)?.trim_ascii()))
}

/// The status of `HTTP/1.1 200 OK`.
pub(super) fn status(line: &[u8]) -> Option<u16> {
    let rest = match line.strip_prefix(b"HTTP/1.") {
        Some([b'0'..=b'9', rest @ ..]) => rest,
        Some(_) => return None,
        None => line.strip_prefix(b"ICY").or_else(|| line.strip_prefix(b"HTTP/0.9"))?,
    };
    match rest.trim_ascii_start() {
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', after @ ..]
            if rest.first() == Some(&b' ') && !after.first().is_some_and(u8::is_ascii_digit) =>
        {
            let digit = |d: &u8| u16::from(d - b'0');
            Some(digit(a) * 100 + digit(b) * 10 + digit(c))
        }
        _ => None,
    }
}

fn number(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 18 {
        return None;
    }
    value
        .iter()
        .try_fold(0, |sum: u64, b| b.is_ascii_digit().then(|| sum * 10 + u64::from(b - b'0')))
}

fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|&b| b == b';').next()?.trim_ascii();
    if digits.is_empty() || digits.len() > 12 {
        return None;
    }
    digits.iter().try_fold(0, |sum, &b| Some(sum << 4 | u64::from(char::from(b).to_digit(16)?)))
}

fn ends_with_ignoring_case(value: &[u8], end: &[u8]) -> bool {
    value.len() >= end.len() && value[value.len() - end.len()..].eq_ignore_ascii_case(end)
}

/// Does a message start here, and is its start line `whole`?
fn starts_message(bytes: &[u8], whole: bool) -> bool {
    bytes.first().is_some_and(u8::is_ascii_uppercase)
        && bytes.get(..24).unwrap_or(bytes).contains(&b' ')
        && (!whole || memchr::memchr(b'\n', bytes).is_some())
        && looks_like(bytes)
}

/// Could a cut line become a start line?
fn could_start(bytes: &[u8]) -> bool {
    let bytes = trim_start_lines(bytes);
    let head = bytes.get(..8).unwrap_or(bytes);
    if b"HTTP/1.".starts_with(head.get(..7).unwrap_or(head)) || head.starts_with(b"ICY") {
        return true;
    }
    match memchr::memchr(b' ', bytes.get(..24).unwrap_or(bytes)) {
        Some(_) => looks_like(bytes),
        None => METHODS.iter().any(|method| method.starts_with(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::kept::Kept;
    use super::*;
    use Direction::{ToClient, ToServer};

    const UP: &[u8] = b"POST /user/17/a?q=1 HTTP/1.1\r\nHost: one.example\r\nContent-Length: 5\r\n\
        User-Agent: test/1\r\nAuthorization: Basic c2VjcmV0\r\n\r\nHost:\
        GET http://two.example:8080/x HTTP/1.1\r\nhOsT:  two.example:8080 \r\n\r\n\
        PUT /c HTTP/1.1\r\nTransfer-Encoding: gzip, Chunked\r\nHost: three.example\r\n\r\n\
        5;x=y\r\nGET /\r\na\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n\
        GET /last HTTP/1.0\nHost: four.example\n\n";
    const DOWN: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/html; \
        charset=x\r\nServer: unit/2\r\nContent-Length: 7\r\n\r\nHTTP/1.HTTP/1.1 304 Not\r\nContent-Length: 9\r\n\
        \r\nHTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\nHTTP/1.0 200 Ok\r\n\r\nall the rest";

    #[test]
    fn every_request_and_answer_is_found_whatever_the_segments() {
        for cut in 1..UP.len() {
            let (mut state, mut kept) = (HttpState::default(), Kept::default());
            for chunk in UP.chunks(cut) {
                assert_eq!(state.feed(ToServer, chunk, &mut kept), Feed::More, "{cut}");
            }
            assert_eq!(
                kept.values(fields::HTTP_HOST),
                [
                    "one.example",
                    "two.example:8080",
                    "two.example:8080",
                    "three.example",
                    "four.example"
                ],
                "{cut}"
            );
            assert_eq!(kept.values(fields::HTTP_METHOD), ["POST", "GET", "PUT", "GET"]);
            assert_eq!(kept.values(fields::HTTP_PATH), ["/user/{n}/a", "/x", "/c", "/last"]);
            assert_eq!(kept.values(fields::HTTP_TARGET)[0], "/user/17/a?q=1");
            assert_eq!(kept.values(fields::HTTP_AGENT), ["test/1"]);
            assert_eq!(kept.values(fields::CLEAR_LOGIN), ["http"]);
            let told = |secret: &str| {
                kept.fields.iter().any(|(_, v)| String::from_utf8_lossy(v).contains(secret))
            };
            assert!(!told("c2VjcmV0"), "the secret is told to nobody");
        }
    }

    #[test]
    fn answers_tell_their_status_and_their_bodies_are_passed_over() {
        // A body whose chunk begins like a status line is the price of finding one's feet: not here.
        for cut in [200, 1000] {
            let (mut state, mut kept) = (HttpState::default(), Kept::default());
            for chunk in DOWN.chunks(cut) {
                assert_eq!(state.feed(ToClient, chunk, &mut kept), Feed::More);
            }
            assert_eq!(kept.values(fields::HTTP_STATUS), ["100", "200", "304", "401", "200"]);
            assert_eq!(kept.values(fields::HTTP_CONTENT_TYPE), ["text/html"]);
            assert_eq!(kept.values(fields::SOFTWARE), ["unit/2"]);
            assert_eq!(kept.values(fields::LOGIN_FAILED), ["http"]);
        }
    }

    #[test]
    fn a_stream_with_a_hole_finds_the_next_request() {
        let (mut state, mut kept) = (HttpState::default(), Kept::default());
        state.feed(ToServer, b"POST /a HTTP/1.1\r\nContent-Length: 100000\r\n\r\nxx", &mut kept);
        state.gap(ToServer);
        state.feed(ToServer, b"yyyyGET /no HTTP/1.1\r\nHost: no\r\n\r\n", &mut kept);
        state.feed(ToServer, b"GET /b HTTP/1.1\r\nHost: b\r\n\r\n", &mut kept);
        assert_eq!(kept.values(fields::HTTP_HOST), ["b"]);
    }

    #[test]
    fn a_websocket_ends_what_http_has_to_say() {
        let (mut state, mut kept) = (HttpState::default(), Kept::default());
        state.feed(
            ToServer,
            b"GET /ws HTTP/1.1\r\nHost: w\r\nUpgrade: websocket\r\n\r\n",
            &mut kept,
        );
        let answer = b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n\x81\x05Hello";
        assert_eq!(state.feed(ToClient, answer, &mut kept), Feed::Done);
        assert_eq!(kept.values(fields::HTTP_HEADER), ["Upgrade: websocket", "Upgrade: websocket"]);
    }

    #[test]
    fn connect_tells_its_target_and_lets_the_tunnel_speak() {
        let (mut state, mut kept) = (HttpState::default(), Kept::default());
        state.feed(
            ToServer,
            b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
            &mut kept,
        );
        assert_eq!(state.feed(ToClient, b"HTTP/1.1 200 Go\r\n\r\n", &mut kept), Feed::More);
        assert_eq!(kept.values(fields::HTTP_HOST), ["a.example:443"]);
        assert_eq!(state.feed(ToServer, b"\x16\x03\x01\x02\x00\x01\x00", &mut kept), Feed::More);
        assert_eq!(state.feed(ToServer, b"not", &mut kept), Feed::More);
    }

    #[test]
    fn other_protocols_are_not_mine() {
        for bytes in [
            &b"SSH-2.0-x\r\n"[..],
            b"INVITE sip:a@b SIP/2.0\r\n",
            b"OPTIONS rtsp://x/ RTSP/1.0\r\n",
            b"PRI * HTTP/2.0\r\n\r\n",
            b"220 mail ready\r\n",
            b"\x16\x03\x01\x00\x05hello",
            b"get / http/1.1\r\n",
        ] {
            assert!(!looks_like(bytes), "{bytes:?}");
            let mut state = HttpState::default();
            assert_eq!(state.feed(ToServer, bytes, &mut Kept::default()), Feed::NotMine);
        }
        assert!(looks_like(b"GET /a?b=c d HTTP/1.1\r\n") && looks_like(b"GET /very/lo"));
        assert!(looks_like(b"X-ODD / HTTP/1.1\r\n") && looks_like(b"HTTP/1.1 200 OK\r\n"));
    }

    #[test]
    fn a_line_without_end_is_let_go() {
        let mut state = HttpState::default();
        state.feed(ToServer, b"GET /", &mut Kept::default());
        for _ in 0..1_000 {
            state.feed(ToServer, &[b'a'; 100], &mut Kept::default());
            let talk = state.talk.as_ref().unwrap();
            assert!(talk.sides[0].cut.len() <= MESSAGE_OCTETS_MAX);
        }
        assert_eq!(state.talk.unwrap().sides[0].stand, Stand::Adrift);
    }

    #[test]
    fn any_octets_are_read_without_a_panic() {
        bolero::check!().with_iterations(2000).for_each(|bytes: &[u8]| {
            looks_like(bytes);
            let mut bent = [UP, DOWN].concat();
            for pair in bytes.as_chunks::<3>().0 {
                let at = usize::from(u16::from_be_bytes([pair[0], pair[1]])) % bent.len();
                bent[at] = pair[2];
            }
            for stream in [bytes, &bent] {
                let mut state = HttpState::default();
                for (nth, chunk) in stream.chunks(61).enumerate() {
                    let dir = if nth % 3 == 2 { ToClient } else { ToServer };
                    state.feed(dir, chunk, &mut Kept::default());
                }
            }
        });
    }
}
