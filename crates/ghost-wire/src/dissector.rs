//! Follows one flow's payloads until its application is known and its names are told.
//!
//! A flow is first *sought*: each payload is held against the signatures until one claims it or
//! the patience of [`limits`] ends. Then it is *followed* by whoever tells its names: a stream
//! reader of `names`, or the talk of its signature family. A flow of which nothing more is wanted
//! is done, and costs its caller nothing from then on.
//!
//! TCP octets arrive in order: a retransmission is dropped, an early segment is held (bounded), and
//! a gap that does not fill ends the reader of that direction; a plain HTTP message that begins a
//! later segment starts it again.
//!
//! Not promised: full reassembly. Signature talk reads whole messages within a segment and skips
//! what it can not.

use crate::names::{Feed, dhcp, dns, dtls, http, http2, netbios, quic, socks, ssdp, ssh, tls};
use crate::signature::smb::RpcState;
use crate::signature::talk::{Talk, talk};
use crate::signature::{self, HEAD, Memo, View};
use crate::watch::Watch;
use crate::{App, Direction, Sink};

/// What bounds the work for one flow.
pub(crate) mod limits {
    /// TCP payload packets looked at before the port's guess is taken.
    pub(crate) const SEEK_TCP_MAX: u8 = 12;
    /// The same for datagrams: a media stream shows itself in a few.
    pub(crate) const SEEK_UDP_MAX: u8 = 8;
    /// Early segments held for one flow.
    pub(crate) const HELD_SEGMENTS_MAX: usize = 8;
    /// Octets of them, both directions together.
    pub(crate) const HELD_BYTES_MAX: usize = 16 * 1024;
    /// Datagrams of a call's set-up that are looked at for what follows it.
    pub(crate) const STUN_PACKETS_MAX: u8 = 40;
    /// Shortest beginning that is joined with the segment after it.
    pub(crate) const JOINED_MAX: usize = 512;

    const _: () = assert!(HELD_BYTES_MAX <= 16 * 1024, "the contract's bound for one flow");
    const _: () = assert!(SEEK_TCP_MAX < u8::MAX && SEEK_UDP_MAX < STUN_PACKETS_MAX);
}

/// One packet's transport payload with what names its flow.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    /// IP protocol.
    pub proto: u8,
    /// Port of the side that opened the flow.
    pub src_port: u16,
    /// Port of the other side.
    pub dst_port: u16,
    pub direction: Direction,
    /// TCP sequence number of the first payload octet, else 0.
    pub seq: u32,
    pub payload: &'a [u8],
    /// Octets behind `payload` that were sent and not captured.
    pub missing: u32,
    /// Sent to a group or to everybody.
    pub multicast: bool,
}

/// What is known of a flow so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    pub app: App,
    /// Told by the messages themselves; else guessed from a port.
    pub by_signature: bool,
    /// Nothing more is wanted of this flow.
    pub done: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Seek,
    /// A reader in the box takes contiguous octets (TCP) or datagrams.
    Stream,
    /// Each datagram is a message of names.
    Message,
    /// A signature family tells commands and software.
    Talk,
    /// A call is set up; media or DTLS follows.
    Stun,
    Done,
}

/// One flow's state; 64 octets, and a box while a reader needs one.
#[derive(Debug, Default)]
pub struct Dissector {
    memo: Memo,
    boxed: Option<Box<Boxed>>,
    /// TCP: the next sequence number of each direction.
    next: [u32; 2],
    app: App,
    phase: Phase,
    /// Payload packets taken in; stops at 255.
    packets: u8,
    flags: u8,
}

const _: () = assert!(size_of::<Dissector>() <= 64);

/// `next` of that direction is known.
const KNOWN: [u8; 2] = [1, 2];
/// The reader of that direction has lost its place.
const LOST: [u8; 2] = [4, 8];
/// The capture showed payload that nobody claimed.
const SIGNED: u8 = 16;
/// What comes next in that direction follows octets that were not captured.
const HOLE: [u8; 2] = [32, 64];

/// Ports from here on are drawn by chance: they say nothing of who uses them.
const DYNAMIC_PORTS: u16 = 49_152;

#[derive(Debug)]
struct Boxed {
    reader: Reader,
    held: Vec<Held>,
}

#[derive(Debug)]
struct Held {
    side: u8,
    seq: u32,
    bytes: Box<[u8]>,
}

#[derive(Debug, Default)]
enum Reader {
    #[default]
    None,
    Tls(tls::TlsState),
    Http(http::HttpState),
    Http2(http2::Http2State),
    Ssh(ssh::SshState),
    Dns(dns::DnsTcpState),
    Quic(quic::QuicState),
    Dtls(dtls::DtlsState),
    Rpc(Box<RpcState>),
    Socks(socks::SocksState),
}

impl Reader {
    fn feed(&mut self, dir: Direction, bytes: &[u8], sink: &mut dyn Sink) -> Feed {
        match self {
            Reader::None => Feed::Done,
            Reader::Tls(s) => s.feed(dir, bytes, sink),
            Reader::Http(s) => s.feed(dir, bytes, sink),
            Reader::Http2(s) => s.feed(dir, bytes, sink),
            Reader::Ssh(s) => s.feed(dir, bytes, sink),
            Reader::Dns(s) => s.feed(dir, bytes, sink),
            Reader::Quic(s) => s.datagram(dir, bytes, sink),
            Reader::Dtls(s) => s.datagram(dir, bytes, sink),
            Reader::Rpc(s) => s.feed(dir, bytes, sink),
            Reader::Socks(s) => s.feed(dir, bytes, sink),
        }
    }
}

impl Dissector {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one packet's payload (it may be empty) and says what is known now.
    pub fn packet(&mut self, p: &Segment<'_>, sink: &mut dyn Sink) -> Verdict {
        if !p.payload.is_empty() && self.phase != Phase::Done {
            self.packets = self.packets.saturating_add(1);
            match p.proto {
                6 => self.tcp(p, sink),
                17 => self.udp(p, sink),
                132 => self.sctp(p),
                _ => self.phase = Phase::Done,
            }
        }
        self.verdict(p)
    }

    fn verdict(&self, p: &Segment<'_>) -> Verdict {
        let done = self.phase == Phase::Done;
        if self.flags & SIGNED != 0 {
            return Verdict { app: self.app, by_signature: true, done };
        }
        // Names that are always told by their messages are not guessed once a message was seen.
        let told = |app: &App| {
            p.proto != 17
                || self.packets == 0
                || !matches!(
                    app,
                    App::Dns
                        | App::Mdns
                        | App::Llmnr
                        | App::Quic
                        | App::Snmp
                        | App::Ntp
                        | App::Stun
                )
        };
        let guess = |port| (port < DYNAMIC_PORTS).then(|| App::from_port(p.proto, port)).flatten();
        let app = guess(p.dst_port)
            .or_else(|| guess(p.src_port))
            .or_else(|| (p.proto == 132).then_some(App::Sctp))
            .filter(told)
            .unwrap_or_default();
        Verdict { app, by_signature: false, done }
    }

    fn view<'a>(&'a self, p: &'a Segment<'_>, data: &'a [u8], start: bool) -> View<'a> {
        let other = 1 - side_of(p.direction);
        let held = usize::from(self.memo.count[other]).min(HEAD);
        View {
            data,
            tcp: p.proto == 6,
            client_port: p.src_port,
            server_port: p.dst_port,
            dir: p.direction,
            other: if p.proto == 6 { &self.memo.head[other][..held] } else { &[] },
            start,
        }
    }

    // ---- TCP ----

    fn tcp(&mut self, p: &Segment<'_>, sink: &mut dyn Sink) {
        let side = side_of(p.direction);
        let len = u32::try_from(p.payload.len()).unwrap_or(u32::MAX);
        if self.flags & KNOWN[side] == 0 {
            self.flags |= KNOWN[side];
            self.next[side] = p.seq.wrapping_add(len);
            self.contiguous(p, p.payload, true, sink);
            self.skip(p, side);
            return;
        }
        if self.flags & HOLE[side] != 0 && p.seq == self.next[side] {
            self.flags &= !HOLE[side];
            self.next[side] = p.seq.wrapping_add(len);
            if self.phase == Phase::Stream && self.flags & LOST[side] == 0 {
                self.gap(p, side, sink);
            } else {
                self.memo.skip[side] = 0;
                self.contiguous(p, p.payload, false, sink);
            }
            self.skip(p, side);
            return;
        }
        let ahead = p.seq.wrapping_sub(self.next[side]).cast_signed();
        if ahead <= 0 {
            let old = ahead.unsigned_abs();
            if old >= len {
                return; // sent again
            }
            self.next[side] = p.seq.wrapping_add(len);
            let fresh = p.payload.get(old as usize..).unwrap_or_default();
            self.contiguous(p, fresh, false, sink);
            self.release(p, side, sink);
            self.skip(p, side);
        } else if self.phase == Phase::Stream && self.flags & LOST[side] == 0 {
            self.hold(p, side, sink);
        } else {
            // Signature talk begins anew at the next message.
            self.memo.skip[side] = 0;
            self.next[side] = p.seq.wrapping_add(len);
            self.contiguous(p, p.payload, false, sink);
            self.skip(p, side);
        }
    }

    /// Octets that were not captured will not come: the next segment stands behind them.
    fn skip(&mut self, p: &Segment<'_>, side: usize) {
        let end = p.seq.wrapping_add(u32::try_from(p.payload.len()).unwrap_or(u32::MAX));
        if p.missing > 0 && self.next[side] == end {
            self.next[side] = end.wrapping_add(p.missing);
            self.flags |= HOLE[side];
        }
    }

    /// Keeps an early segment; where there is no room the gap is real.
    fn hold(&mut self, p: &Segment<'_>, side: usize, sink: &mut dyn Sink) {
        let Some(boxed) = &mut self.boxed else {
            return;
        };
        let bytes: usize = boxed.held.iter().map(|h| h.bytes.len()).sum();
        if boxed.held.len() < limits::HELD_SEGMENTS_MAX
            && bytes + p.payload.len() <= limits::HELD_BYTES_MAX
        {
            let side = side as u8 & 1;
            if !boxed.held.iter().any(|h| h.side == side && h.seq == p.seq) {
                boxed.held.push(Held { side, seq: p.seq, bytes: p.payload.into() });
            }
            return;
        }
        boxed.held.retain(|h| usize::from(h.side) != side);
        if boxed.held.is_empty() {
            boxed.held = Vec::new();
        }
        let len = u32::try_from(p.payload.len()).unwrap_or(u32::MAX);
        self.next[side] = p.seq.wrapping_add(len);
        self.gap(p, side, sink);
    }

    /// The octets before `p` will not come: HTTP may begin anew, the others have lost this side.
    fn gap(&mut self, p: &Segment<'_>, side: usize, sink: &mut dyn Sink) {
        self.flags |= LOST[side];
        if self.flags & LOST[1 - side] != 0 {
            self.end();
            return;
        }
        self.contiguous(p, p.payload, false, sink);
    }

    /// Feeds held segments that have become next.
    fn release(&mut self, p: &Segment<'_>, side: usize, sink: &mut dyn Sink) {
        loop {
            let next = self.next[side];
            let Some(boxed) = &mut self.boxed else {
                return;
            };
            if boxed.held.is_empty() {
                return;
            }
            let ready = |h: &Held| {
                usize::from(h.side) == side && h.seq.wrapping_sub(next).cast_signed() <= 0
            };
            let Some(at) = boxed.held.iter().position(ready) else {
                return;
            };
            let held = boxed.held.swap_remove(at);
            if boxed.held.is_empty() {
                boxed.held = Vec::new();
            }
            let old = next.wrapping_sub(held.seq) as usize;
            if let Some(fresh) = held.bytes.get(old..)
                && !fresh.is_empty()
            {
                let len = u32::try_from(held.bytes.len()).unwrap_or(u32::MAX);
                self.next[side] = held.seq.wrapping_add(len);
                self.contiguous(p, fresh, false, sink);
            }
        }
    }

    /// `data` follows what this direction brought before.
    fn contiguous(&mut self, p: &Segment<'_>, data: &[u8], start: bool, sink: &mut dyn Sink) {
        match self.phase {
            Phase::Seek => self.seek_tcp(p, data, start, sink),
            Phase::Stream => self.stream(p, data, sink),
            Phase::Talk => self.talk(p, data, sink),
            Phase::Message | Phase::Stun | Phase::Done => {}
        }
    }

    fn seek_tcp(&mut self, p: &Segment<'_>, data: &[u8], start: bool, sink: &mut dyn Sink) {
        let side = side_of(p.direction);
        let had = usize::from(self.memo.count[side]);
        let mut joined = [0; limits::JOINED_MAX];
        // A beginning of a few octets (a length sent alone) is read with what follows it.
        let (data, start) = if had > 0 && had < HEAD {
            let take = data.len().min(joined.len() - had);
            joined[..had].copy_from_slice(&self.memo.head[side][..had]);
            joined[had..had + take].copy_from_slice(&data[..take]);
            if data.len() > take { (data, false) } else { (&joined[..had + take], true) }
        } else {
            (data, start)
        };
        if had < HEAD && start {
            let n = data.len().min(HEAD);
            self.memo.head[side][..n].copy_from_slice(&data[..n]);
            self.memo.count[side] = n as u8;
        }
        if let Some((app, reader)) = self.known_stream(p, data) {
            self.app = app;
            self.flags |= SIGNED;
            self.phase = Phase::Stream;
            self.boxed = Some(Box::new(Boxed { reader, held: Vec::new() }));
            self.stream(p, data, sink);
            return;
        }
        let mut memo = self.memo;
        let app = signature::TCP.claim(&self.view(p, data, start), &mut memo);
        self.memo = memo;
        if app != App::Unknown {
            self.found(p, app, data);
            self.contiguous(p, data, start, sink);
        } else if self.packets >= limits::SEEK_TCP_MAX {
            self.end();
        }
    }

    /// Streams whose readers know their own beginning.
    fn known_stream(&self, p: &Segment<'_>, data: &[u8]) -> Option<(App, Reader)> {
        let port = |n| p.src_port == n || p.dst_port == n;
        let first = *data.first()?;
        if !(0x20..0x80).contains(&first) {
            if tls::looks_like(data) {
                let app = match App::from_port(6, p.dst_port) {
                    Some(
                        app @ (App::Dot
                        | App::Smtps
                        | App::Imaps
                        | App::Pop3s
                        | App::Nntps
                        | App::Ftps
                        | App::Ldaps
                        | App::Radsec
                        | App::Sips
                        | App::Mqtts
                        | App::Amqps
                        | App::Xmpps
                        | App::Ircs
                        | App::SyslogTls),
                    ) => app,
                    _ => App::Tls,
                };
                return Some((app, Reader::Tls(tls::TlsState::default())));
            }
            if port(53) && dns_over_tcp(data) {
                return Some((App::Dns, Reader::Dns(dns::DnsTcpState::default())));
            }
        } else {
            if first == b'S' && ssh::looks_like(data) {
                return Some((App::Ssh, Reader::Ssh(ssh::SshState::default())));
            }
            if first == b'P' && http2::looks_like(data) {
                return Some((App::Http2, Reader::Http2(http2::Http2State::default())));
            }
            if first.is_ascii_alphabetic() && !not_http(data) && http::looks_like(data) {
                // Services whose interface is HTTP on a port of their own.
                let app = match App::from_port(6, p.dst_port) {
                    Some(app @ (App::Winrm | App::Elasticsearch | App::Docker)) => app,
                    _ => App::Http,
                };
                return Some((app, Reader::Http(http::HttpState::default())));
            }
        }
        None
    }

    /// A signature claimed the flow: who follows it?
    fn found(&mut self, p: &Segment<'_>, app: App, data: &[u8]) {
        self.app = app;
        self.flags |= SIGNED;
        self.memo = Memo::default();
        self.phase = match app {
            App::Smb | App::Dcerpc if p.proto == 6 => {
                let reader = Reader::Rpc(Box::new(RpcState::new(app)));
                self.boxed = Some(Box::new(Boxed { reader, held: Vec::new() }));
                Phase::Stream
            }
            App::Socks if p.proto == 6 => {
                let reader = Reader::Socks(socks::SocksState::met(p.direction, data));
                self.boxed = Some(Box::new(Boxed { reader, held: Vec::new() }));
                Phase::Stream
            }
            App::Stun | App::Turn | App::Teams if p.proto == 17 => Phase::Stun,
            _ => Phase::Talk,
        };
    }

    fn stream(&mut self, p: &Segment<'_>, data: &[u8], sink: &mut dyn Sink) {
        let side = side_of(p.direction);
        let Some(boxed) = &mut self.boxed else {
            self.end();
            return;
        };
        if self.flags & LOST[side] != 0 {
            // An HTTP message may begin after a gap; the other readers have lost their place.
            let Reader::Http(http) = &mut boxed.reader else {
                return;
            };
            http.gap(p.direction);
            self.flags &= !LOST[side];
        }
        let mut watch = Watch { inner: sink, app: self.app, tor: 0 };
        let fed = boxed.reader.feed(p.direction, data, &mut watch);
        self.app = watch.app;
        match fed {
            Feed::More => {}
            Feed::Done => self.end(),
            Feed::NotMine => {
                // A proxy's CONNECT or an upgrade: another protocol goes on inside.
                if matches!(boxed.reader, Reader::Http(_)) && tls::looks_like(data) {
                    boxed.reader = Reader::Tls(tls::TlsState::default());
                    self.stream(p, data, sink);
                } else {
                    self.flags |= LOST[side];
                    if self.flags & LOST[1 - side] != 0 {
                        self.end();
                    }
                }
            }
        }
    }

    fn talk(&mut self, p: &Segment<'_>, data: &[u8], sink: &mut dyn Sink) {
        // Every protocol that can turn to TLS in mid-stream does it at a segment's start.
        if p.proto == 6 && data.first() == Some(&0x16) && tls::looks_like(data) {
            let reader = Reader::Tls(tls::TlsState::default());
            self.boxed = Some(Box::new(Boxed { reader, held: Vec::new() }));
            self.phase = Phase::Stream;
            self.stream(p, data, sink);
            return;
        }
        let mut memo = self.memo;
        let mut app = self.app;
        let said = talk(&mut app, &self.view(p, data, false), &mut memo, sink);
        self.memo = memo;
        self.app = app;
        if said == Talk::Done {
            self.end();
        }
    }

    // ---- datagrams ----

    fn udp(&mut self, p: &Segment<'_>, sink: &mut dyn Sink) {
        match self.phase {
            Phase::Seek => self.seek_udp(p, sink),
            Phase::Message => {
                message(self.app, p.payload, sink);
            }
            Phase::Stream => self.datagram(p, sink),
            Phase::Stun => self.stun(p, sink),
            Phase::Talk => self.talk(p, p.payload, sink),
            Phase::Done => {}
        }
    }

    fn seek_udp(&mut self, p: &Segment<'_>, sink: &mut dyn Sink) {
        let data = p.payload;
        let named = match (p.dst_port, p.src_port) {
            (53, _) | (_, 53) => App::Dns,
            (5353, _) | (_, 5353) => App::Mdns,
            (5355, _) | (_, 5355) => App::Llmnr,
            (137, _) | (_, 137) => App::Nbns,
            (138, _) | (_, 138) => App::Nbdgm,
            (67 | 68, _) | (_, 67 | 68) => App::Dhcp,
            (546 | 547, _) | (_, 546 | 547) => App::Dhcpv6,
            (1900, _) | (_, 1900) => App::Ssdp,
            _ => App::Unknown,
        };
        if named != App::Unknown && message(named, data, sink) {
            self.app = named;
            self.flags |= SIGNED;
            self.phase = Phase::Message;
            return;
        }
        if quic::looks_like(data) || dtls::looks_like(data) {
            let (app, reader) = if dtls::looks_like(data) {
                let coaps = p.dst_port == 5684 || p.src_port == 5684;
                (
                    if coaps { App::Coaps } else { App::Dtls },
                    Reader::Dtls(dtls::DtlsState::default()),
                )
            } else {
                (
                    if p.dst_port == 853 { App::Doq } else { App::Quic },
                    Reader::Quic(quic::QuicState::default()),
                )
            };
            self.app = app;
            self.flags |= SIGNED;
            self.phase = Phase::Stream;
            self.boxed = Some(Box::new(Boxed { reader, held: Vec::new() }));
            self.datagram(p, sink);
            return;
        }
        let mut memo = self.memo;
        let app = signature::UDP.claim(&self.view(p, data, self.packets == 1), &mut memo);
        self.memo = memo;
        if app != App::Unknown {
            self.found(p, app, data);
            self.udp(p, sink);
            return;
        }
        if named == App::Unknown && plain_dns(data) && message(App::Dns, data, sink) {
            self.app = App::Dns;
            self.flags |= SIGNED;
            self.phase = Phase::Message;
        } else if is_ssdp(data) && message(App::Ssdp, data, sink) {
            self.app = App::Ssdp;
            self.flags |= SIGNED;
            self.phase = Phase::Message;
        } else if self.packets >= limits::SEEK_UDP_MAX {
            self.end();
        }
    }

    fn datagram(&mut self, p: &Segment<'_>, sink: &mut dyn Sink) {
        let Some(boxed) = &mut self.boxed else {
            self.end();
            return;
        };
        let mut watch = Watch { inner: sink, app: self.app, tor: 0 };
        let fed = boxed.reader.feed(p.direction, p.payload, &mut watch);
        self.app = watch.app;
        if fed != Feed::More {
            self.end();
        }
    }

    /// After a call's set-up: media is what the flow is for.
    fn stun(&mut self, p: &Segment<'_>, sink: &mut dyn Sink) {
        if let Some(boxed) = &mut self.boxed
            && dtls::looks_like(p.payload)
        {
            if boxed.reader.feed(p.direction, p.payload, sink) != Feed::More {
                self.boxed = None;
            }
            return;
        }
        let mut memo = self.memo;
        let view = self.view(p, p.payload, false);
        let media = signature::media::after_stun(&mut self.app.clone(), &view, &mut memo);
        self.memo = memo;
        if let Some(app) = media {
            self.app = app;
        }
        if self.app == App::Rtp || self.packets >= limits::STUN_PACKETS_MAX {
            self.end();
        } else if self.app != App::Dtls && dtls::looks_like(p.payload) {
            let mut reader = Reader::Dtls(dtls::DtlsState::default());
            if self.app == App::Stun {
                self.app = App::Dtls;
            }
            if reader.feed(p.direction, p.payload, sink) == Feed::More {
                self.boxed = Some(Box::new(Boxed { reader, held: Vec::new() }));
            }
        }
    }

    // ---- SCTP ----

    fn sctp(&mut self, p: &Segment<'_>) {
        if let Some(app) = signature::media::sctp(p.payload) {
            self.app = app;
            self.flags |= SIGNED;
            self.end();
        } else if self.packets >= limits::SEEK_TCP_MAX {
            self.end();
        }
    }

    /// Nothing more is wanted: frees what was kept.
    fn end(&mut self) {
        self.phase = Phase::Done;
        self.boxed = None;
    }
}

fn side_of(dir: Direction) -> usize {
    usize::from(dir == Direction::ToClient)
}

/// One datagram of a protocol that tells names.
fn message(app: App, bytes: &[u8], sink: &mut dyn Sink) -> bool {
    match app {
        App::Dns => dns::message(dns::Flavour::Dns, bytes, sink),
        App::Mdns => dns::message(dns::Flavour::Mdns, bytes, sink),
        App::Llmnr => dns::message(dns::Flavour::Llmnr, bytes, sink),
        App::Nbns => netbios::name_service(bytes, sink),
        App::Nbdgm => netbios::datagram_service(bytes, sink),
        App::Dhcp => dhcp::v4(bytes, sink),
        App::Dhcpv6 => dhcp::v6(bytes, sink),
        App::Ssdp => ssdp::message(bytes, sink),
        _ => false,
    }
}

/// A search, an announcement, or the answer to a search on the asker's own port.
fn is_ssdp(data: &[u8]) -> bool {
    data.starts_with(b"M-SEARCH * ")
        || data.starts_with(b"NOTIFY * HTTP/1.1")
        || data.starts_with(b"HTTP/1.1 200 OK") && signature::has(data, b"\nUSN:", 1024)
}

/// Text protocols that look like HTTP and are not.
fn not_http(data: &[u8]) -> bool {
    let first = signature::line(data);
    first.ends_with(b"SIP/2.0")
        || first.ends_with(b"RTSP/1.0")
        || first.starts_with(b"RTSP/")
        || first.starts_with(b"SIP/")
        || first.ends_with(b"ICAP/1.0")
}

/// A length that fits, before a header that makes sense.
fn dns_over_tcp(data: &[u8]) -> bool {
    if data.len() == 2 {
        return signature::be16(data, 0) >= 12;
    }
    let said = signature::be16(data, 0);
    said >= 12 && data.len() >= 4 && (data.len() < 6 || dns_counts(&data[2..]))
}

fn dns_counts(data: &[u8]) -> bool {
    let opcode = data.get(2).map_or(15, |b| b >> 3 & 15);
    (opcode <= 2 || opcode == 4 || opcode == 5) && signature::be16(data, 4) <= 16
}

/// A question on a port of another: one well-formed name with a known type and class.
fn plain_dns(data: &[u8]) -> bool {
    if data.len() < 17 || !dns_counts(data) || signature::be16(data, 4) != 1 {
        return false;
    }
    let (flags, counts) =
        (signature::be16(data, 2), [6, 8, 10].map(|at| signature::be16(data, at)));
    let asks = flags & 0x8000 == 0;
    if counts.iter().any(|n| *n > 64) || flags & 0x40 != 0 || asks && counts[0] > 0 {
        return false;
    }
    let mut at = 12;
    while let Some(len) = data.get(at).copied() {
        at += 1;
        if len == 0 {
            let (kind, class) = (signature::be16(data, at), signature::be16(data, at + 2));
            let ends = counts != [0; 3] || data.len() == at + 4;
            return at > 13 && ends && (1..=260).contains(&kind) && matches!(class, 1 | 3 | 255);
        }
        let Some(label) = data.get(at..at + usize::from(len)) else {
            return false;
        };
        if len > 63 || !label.iter().all(|c| (0x21..0x7f).contains(c)) {
            return false;
        }
        at += usize::from(len);
    }
    false
}

#[cfg(test)]
mod tests;
