//! Voice, video and their set-up: SIP, RTP, STUN, H.323, IAX2, MEGACO, MGCP, RTSP, RTMP and
//! the services that have framing of their own. Also what SCTP's payload identifiers say.
//!
//! RTP has almost nothing to recognise: it takes several packets with one source, one payload
//! type and rising numbers.

use super::{Memo, Signature, View, be16, be32, line, sig};
use crate::App;

pub(crate) const TCP: &[Signature] = &[
    sig(App::Sip, 16, b"", sip),
    sig(App::Rtsp, 12, b"ODSPTAGR$", rtsp),
    sig(App::Rtmp, 1000, &[3], rtmp),
    sig(App::H225, 12, &[3], h225),
    sig(App::H245, 12, &[3], h245),
    sig(App::Megaco, 10, b"M!", megaco),
    sig(App::Stun, 20, &[0, 1], stun_tcp),
    sig(App::Skinny, 12, b"", skinny),
    sig(App::Spotify, 12, &[0], spotify),
    sig(App::Mumble, 8, &[0], mumble),
    sig(App::Minecraft, 7, b"", minecraft),
];

pub(crate) const UDP: &[Signature] = &[
    sig(App::Stun, 20, &[0, 1, 8], stun),
    sig(App::Sip, 16, b"", sip),
    sig(App::Megaco, 10, b"M!", megaco),
    sig(App::Mgcp, 12, b"ACDEMNR2", mgcp),
    sig(App::H225, 10, b"", h225_ras),
    sig(App::Iax2, 12, b"", iax2),
    sig(App::Discord, 8, &[0, 0x13], discord),
    sig(App::Spotify, 16, b"S", spotify_udp),
    sig(App::Teamspeak, 13, b"T", teamspeak),
    sig(App::Steam, 8, b"VS\xff", steam),
    sig(App::SourceGame, 9, &[0xff], source_game),
    sig(App::MpegTs, 188, b"G", mpeg_ts),
    sig(App::Srt, 64, &[0x80], srt),
    sig(App::Zoom, 20, b"", zoom),
    sig(App::Rtsp, 12, b"ODSPTAGR", rtsp),
];

/// Last of all: these need several packets.
pub(crate) const UDP_WEAK: &[Signature] =
    &[sig(App::Rtcp, 8, &[0x80, 0x81, 0x82, 0x83], rtcp), sig(App::Rtp, 12, b"", rtp)];

const SIP_METHODS: &[&[u8]] = &[
    b"INVITE ",
    b"REGISTER ",
    b"OPTIONS ",
    b"ACK ",
    b"BYE ",
    b"CANCEL ",
    b"SUBSCRIBE ",
    b"NOTIFY ",
    b"MESSAGE ",
    b"INFO ",
    b"REFER ",
    b"PUBLISH ",
    b"UPDATE ",
    b"PRACK ",
];

fn sip(v: &View<'_>, _: &mut Memo) -> bool {
    if v.is(0, b"SIP/2.0 ") {
        return v.data.get(8..11).is_some_and(|d| d.iter().all(u8::is_ascii_digit));
    }
    let Some(method) = SIP_METHODS.iter().find(|m| v.data.starts_with(m)) else {
        return false;
    };
    let first = line(v.data);
    let target = &first[method.len().min(first.len())..];
    first.ends_with(b" SIP/2.0")
        || (target.starts_with(b"sip:")
            || target.starts_with(b"sips:")
            || target.starts_with(b"tel:"))
            && first.len() == v.len()
}

fn rtsp(v: &View<'_>, _: &mut Memo) -> bool {
    if v.is(0, b"RTSP/1.0 ") || v.is(0, b"RTSP/2.0 ") {
        return true;
    }
    if v.u8(0) == b'$' {
        // Interleaved media, in mid-stream and on its port: channel, length, an RTP header.
        return v.port_of(App::Rtsp) && v.u8(1) < 8 && v.u8(4) & 0xc0 == 0x80;
    }
    let first = line(v.data);
    (first.ends_with(b" RTSP/1.0") || first.ends_with(b" RTSP/2.0")) && v.u8(0).is_ascii_uppercase()
}

/// C0 is version 3; C1 is a time, a zero or a player's version, then 1528 octets.
fn rtmp(v: &View<'_>, _: &mut Memo) -> bool {
    let plain = be32(v.data, 5) == 0 && v.start && (v.len() == 1537 || v.len() >= 1400);
    v.port(1935) && v.start || plain && !v.is(1, &[0]) | (v.len() == 1537)
}

fn tpkt(v: &View<'_>) -> bool {
    v.u8(1) == 0 && v.be16(2) >= 7 && (v.be16(2) <= v.len() || v.len() > 500)
}

/// Q.931 in TPKT: discriminator 8, a call reference of two octets, a message type.
fn h225(v: &View<'_>, _: &mut Memo) -> bool {
    tpkt(v) && v.is(4, &[8, 2]) && (v.u8(8) < 0x80 && (v.port(1720) || v.has(&[0x7e], 200)))
}

/// H.245 in TPKT: its own object identifier, or a set-up request.
fn h245(v: &View<'_>, _: &mut Memo) -> bool {
    tpkt(v) && v.be16(2) <= v.len() && v.is(4, &[2, 0x70]) && v.has(&[6, 0, 8, 0x81, 0x75], 24)
}

fn h225_ras(v: &View<'_>, _: &mut Memo) -> bool {
    (v.port(1719) || v.port(1718)) && v.u8(0) < 0x80 && v.has(&[6, 0, 8, 0x91, 0x4a, 0], 24)
}

fn megaco(v: &View<'_>, _: &mut Memo) -> bool {
    (v.is(0, b"MEGACO/") && matches!(v.u8(7), b'1'..=b'9'))
        || (v.is(0, b"!/") && matches!(v.u8(2), b'1'..=b'9') && v.u8(3) == b' ')
}

fn mgcp(v: &View<'_>, _: &mut Memo) -> bool {
    if v.u8(0) == b'2' {
        return v.port_of(App::Mgcp)
            && v.data[..3].iter().all(u8::is_ascii_digit)
            && v.u8(3) == b' ';
    }
    const VERBS: &[&[u8]] =
        &[b"AUEP ", b"AUCX ", b"CRCX ", b"DLCX ", b"EPCF ", b"MDCX ", b"NTFY ", b"RQNT ", b"RSIP "];
    VERBS.iter().any(|w| v.data.starts_with(w)) && super::has(line(v.data), b"MGCP 1.", 256)
}

fn attributes_fit(v: &View<'_>) -> bool {
    let (mut at, mut n) = (20, 0);
    while at < v.len() {
        at += 4 + v.be16(at + 2).next_multiple_of(4);
        n += 1;
    }
    at == v.len() && n > 0
}

/// Top bits 0, a length on four, the magic cookie; without the cookie (RFC 3489) the attributes
/// must fit and the port be one of a call's.
fn stun(v: &View<'_>, _: &mut Memo) -> bool {
    let len = v.be16(2);
    if v.u8(0) & 0xc0 != 0 || len + 20 != v.len() {
        return false;
    }
    if v.be32(4) == 0x2112_a442 {
        return true;
    }
    let port = (3478..=3481).contains(&v.server_port)
        || (3478..=3481).contains(&v.client_port)
        || v.port(19302)
        || v.port(1400);
    matches!(v.be16(0), 1 | 2 | 0x101 | 0x102 | 0x111 | 3 | 0x103)
        && len.is_multiple_of(4)
        && (port
            || v.u8(0) <= 1 && len >= 8 && matches!(v.be16(20), 1..=9 | 0x20 | 0x22 | 0x24 | 0x25))
        && (len == 0 && port || attributes_fit(v))
}

/// Bare, or behind the length that frames media over TCP.
fn stun_tcp(v: &View<'_>, memo: &mut Memo) -> bool {
    let framed = v.be16(0) + 2 == v.len() && v.be32(6) == 0x2112_a442 && v.be16(4) + 22 == v.len();
    framed
        || v.be32(4) == 0x2112_a442 && v.be16(2) + 20 <= v.len() && v.be16(2).is_multiple_of(4)
        || v.port(3478) && stun(v, memo)
}

/// What a STUN message says of who set the call up.
pub(crate) fn stun_app(v: &View<'_>) -> Option<App> {
    if v.be32(4) != 0x2112_a442 || v.be16(2) + 20 > v.len() {
        return None;
    }
    let mut at = 20;
    while at + 4 <= v.len() {
        // Microsoft's own attributes (MS-VERSION, candidate and implementation identifiers).
        if matches!(v.be16(at), 0x8008 | 0x8054 | 0x8055 | 0x8070) {
            return Some(App::Teams);
        }
        at += 4 + v.be16(at + 2).next_multiple_of(4);
    }
    // Allocate, Refresh, Send, Data, CreatePermission, ChannelBind.
    let method = v.be16(0) & 0x3eef;
    matches!(method, 3 | 4 | 6 | 7 | 8 | 9).then_some(App::Turn)
}

/// Datagrams after STUN: a better name for the call, when one shows.
pub(crate) fn after_stun(app: &mut App, v: &View<'_>, memo: &mut Memo) -> Option<App> {
    if v.u8(0) & 0xc0 == 0 {
        return stun_app(v).filter(|a| *app == App::Stun && *a != *app);
    }
    // TURN wraps media in channels: number 0x4000–0x7fff, then a length.
    let channel = v.u8(0) & 0xc0 == 0x40 && v.be16(2) + 4 <= v.len();
    let inner = if channel { View { data: &v.data[4..], ..*v } } else { *v };
    (*app != App::Teams && inner.len() >= 12 && rtp(&inner, memo)).then_some(App::Rtp)
}

/// One source, one payload type, numbers that rise by little; four packets of it.
fn rtp(v: &View<'_>, memo: &mut Memo) -> bool {
    let (kind, seq) = (v.u8(1) & 0x7f, v.be16(2));
    let csrc = usize::from(v.u8(0) & 15) * 4;
    if v.u8(0) & 0xc0 != 0x80 || (72..=79).contains(&kind) || v.len() < 12 + csrc {
        return false;
    }
    if !(kind <= 34 || kind >= 96) || be32(v.data, 8) == 0 {
        return false;
    }
    let side = v.side();
    let fresh = memo.candidate != App::Rtp || memo.count[side] == 0;
    let key = memo.head[side];
    let step = seq.wrapping_sub(be16(&key, 4)) & 0xffff;
    let same = key.get(..4) == v.data.get(8..12) && (1..=50).contains(&step);
    if !fresh && !same {
        // Another source may begin; the evidence then begins anew.
        memo.count[side] = 0;
    }
    let enough = memo.agree(App::Rtp, side, 4) && memo.count[side] >= 3;
    memo.head[side][..4].copy_from_slice(&v.data[8..12]);
    memo.head[side][4..6].copy_from_slice(&v.data[2..4]);
    enough
}

/// A sender or receiver report whose chunks end with the datagram (or its SRTCP trailer).
fn rtcp(v: &View<'_>, memo: &mut Memo) -> bool {
    let (mut at, mut chunks) = (0, 0);
    let first = v.u8(1);
    if !matches!(first, 200 | 201) {
        return false;
    }
    let len = be16(v.data, 2);
    let reports = usize::from(v.u8(0) & 31);
    let least = if first == 200 { 6 } else { 1 } + 6 * reports;
    if len < least || len > least + 20 {
        return false;
    }
    while at + 4 <= v.len() && v.u8(at) & 0xc0 == 0x80 && (200..=207).contains(&v.u8(at + 1)) {
        at += 4 + be16(v.data, at + 2) * 4;
        chunks += 1;
    }
    if at == v.len() && (chunks >= 2 || len > 1) {
        return true;
    }
    // Encrypted from the ninth octet on: two reports of one source.
    let same = memo.candidate == App::Rtcp && memo.head[v.side()].get(..4) == v.data.get(4..8);
    if memo.candidate == App::Rtcp && !same {
        memo.count = [0; 2];
    }
    let enough = memo.agree(App::Rtcp, v.side(), 2);
    memo.head[v.side()][..4].copy_from_slice(&v.data[4..8]);
    enough && same
}

/// A full frame: call numbers, time, counters, a type; on its port.
fn iax2(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(4569) && v.u8(0) & 0x80 != 0 && (1..=12).contains(&v.u8(10)) && v.be16(0) & 0x7fff != 0
}

fn skinny(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(2000)
        && v.le32(0) >= 4
        && v.le32(0) + 8 <= v.len()
        && v.le32(4) <= 0x20
        && v.le32(8) < 0x200
}

/// Voice address discovery: kind, length 70, SSRC, 74 octets; or the keep-alive.
fn discord(v: &View<'_>, _: &mut Memo) -> bool {
    v.len() == 74 && (v.is(0, &[0, 1, 0, 70]) || v.is(0, &[0, 2, 0, 70]))
        || v.len() == 8 && v.is(0, &[0x13, 0x37, 0xca, 0xfe]) && v.is(5, &[0, 0, 0])
}

fn spotify(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, &[0, 4, 0, 0])
        && v.be32(2) == v.len()
        && v.u8(6) == 0x52
        && matches!(v.u8(7), 0x0e | 0x0f)
        && v.u8(8) == 0x50
}

fn spotify_udp(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, b"SpotUdp")
}

fn mumble(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(64738) && v.be16(0) <= 26 && v.be32(2) + 6 == v.len()
}

/// A handshake: length, id 0, protocol, host, port, next state 1 or 2.
fn minecraft(v: &View<'_>, _: &mut Memo) -> bool {
    let len = usize::from(v.u8(0));
    v.to_server()
        && v.u8(1) == 0
        && v.port(25565)
        && len < 128
        && len < v.len()
        && matches!(v.u8(len), 1 | 2)
}

fn teamspeak(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, b"TS3INIT1")
}

fn steam(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, &[0xff, 0xff, 0xff, 0xff, b'!', b'L', b'_', 0xa0])
        || v.is(0, b"VS01") && v.len() >= 36 && v.le16(4) <= 1200
}

fn source_game(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, &[0xff; 4])
        && (v.is(4, b"TSource Engine Query")
            || v.is(4, b"getstatus")
            || v.is(4, b"getinfo")
            || v.port(27015))
}

fn mpeg_ts(v: &View<'_>, _: &mut Memo) -> bool {
    v.len().is_multiple_of(188) && v.len() >= 376 && v.data.iter().step_by(188).all(|b| *b == b'G')
}

fn srt(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, &[0x80, 0, 0, 0]) && matches!(v.be32(16), 4 | 5) && v.len() == 64 && v.be32(28) <= 1500
}

/// Media on Zoom's own ports: a kind, a counter, then what carries RTP.
fn zoom(v: &View<'_>, memo: &mut Memo) -> bool {
    (8801..=8810).contains(&v.server_port)
        && matches!(v.u8(0), 1..=5 | 0x1e..=0x1f)
        && memo.agree(App::Zoom, v.side(), 2)
}

/// The payload protocol identifier of the first DATA chunk.
pub(crate) fn sctp(chunks: &[u8]) -> Option<App> {
    let mut at = 0;
    while let Some(kind) = chunks.get(at) {
        let len = be16(chunks, at + 2);
        if *kind == 0 && len >= 16 {
            return Some(match be32(chunks, at + 12) {
                2 | 5 => App::M2pa,
                3 => App::M3ua,
                4 => App::Sua,
                7 | 0x0700_0000 => App::Megaco,
                18 => App::S1ap,
                27 => App::X2ap,
                46 | 47 => App::Diameter,
                60 => App::Ngap,
                _ if megaco_text(chunks.get(at + 16..)?) => App::Megaco,
                _ => return None,
            });
        }
        if len < 4 {
            return None;
        }
        at += len.next_multiple_of(4);
    }
    None
}

fn megaco_text(data: &[u8]) -> bool {
    data.starts_with(b"MEGACO/") || data.starts_with(b"!/1 ")
}
