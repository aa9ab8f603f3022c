//! Chat and message buses: MQTT, CoAP, AMQP, Kafka, NATS, STOMP, ZeroMQ, XMPP, IRC, WhatsApp.

use super::{Memo, Signature, View, be16, be32, line, sig};
use crate::App;

pub(crate) const TCP: &[Signature] = &[
    sig(App::Mqtt, 2, b"", mqtt),
    sig(App::Amqp, 8, b"A\x01\x02\x03", amqp),
    sig(App::Nats, 5, b"ICPSM+-", nats),
    sig(App::Stomp, 8, b"CS", stomp),
    sig(App::Openwire, 16, &[0], openwire),
    sig(App::Zmq, 10, &[0xff], zmtp),
    sig(App::Xmpp, 12, b"<", xmpp),
    sig(App::Irc, 8, b":NUPCJnu", irc),
    sig(App::Whatsapp, 4, b"EW\0", whatsapp),
    sig(App::Kafka, 14, &[0], kafka),
    sig(App::Websocket, 7, &[0x81], websocket),
];

pub(crate) const UDP: &[Signature] = &[
    sig(App::Coap, 4, b"", coap),
    sig(App::Rtps, 20, b"R", rtps),
    sig(App::Someip, 16, b"", someip),
];

/// The remaining length of an MQTT packet, and where its contents begin.
pub(crate) fn mqtt_len(data: &[u8]) -> Option<(usize, usize)> {
    let mut len = 0;
    for n in 0..4 {
        let byte = *data.get(1 + n)?;
        len |= usize::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 == 0 {
            return Some((len, 2 + n));
        }
    }
    None
}

fn mqtt(v: &View<'_>, _: &mut Memo) -> bool {
    let Some((len, at)) = mqtt_len(v.data) else {
        return false;
    };
    let first = v.u8(0);
    if first == 0x10 {
        return (v.is(at, b"\0\x04MQTT") || v.is(at, b"\0\x06MQIsdp"))
            && at + len >= v.len().min(200);
    }
    if !v.port(1883) || at + len > v.len() && v.len() < 500 {
        return false;
    }
    match first {
        0x20 => len == 2 && v.u8(at) <= 1 && v.u8(at + 1) <= 5 || len > 2 && v.u8(at) <= 1,
        0x40 | 0x50 | 0x62 | 0x70 | 0xb0 => len == 2,
        0x82 | 0xa2 => len >= 5 && be16(v.data, at + 2) < len,
        0x90 => len >= 3,
        0xc0 | 0xd0 | 0xe0 => len == 0,
        0x30..=0x3d => {
            first & 6 != 6
                && len >= 3
                && be16(v.data, at) + 2 <= len
                && v.u8(at + 2).is_ascii_graphic()
        }
        _ => false,
    }
}

/// The header, or a frame on its port: type 1–8, channel, length, an end octet.
fn amqp(v: &View<'_>, _: &mut Memo) -> bool {
    if v.is(0, b"AMQP") {
        return v.u8(4) <= 3 && v.u8(5) <= 1 && v.len() >= 8;
    }
    let len = v.be32(3);
    v.port(5672) && v.u8(0) <= 3 && len + 8 <= v.len() && v.u8(len + 7) == 0xce
}

fn nats(v: &View<'_>, _: &mut Memo) -> bool {
    (v.is(0, b"INFO {") && !v.to_server() && v.has(b"\"server_id\"", 200))
        || (v.is(0, b"CONNECT {") && v.to_server() && v.has(b"\"verbose\"", 200))
        || v.port(4222)
            && (v.is(0, b"PUB ")
                || v.is(0, b"SUB ")
                || v.is(0, b"MSG ")
                || v.is(0, b"PING\r\n")
                || v.is(0, b"PONG\r\n")
                || v.is(0, b"+OK\r\n")
                || v.is(0, b"-ERR "))
}

fn stomp(v: &View<'_>, _: &mut Memo) -> bool {
    (v.is(0, b"CONNECT\n")
        || v.is(0, b"STOMP\n")
        || v.is(0, b"CONNECTED\n")
        || v.is(0, b"CONNECT\r\n"))
        && v.data.last().is_some_and(|c| *c == 0 || *c == b'\n')
}

fn openwire(v: &View<'_>, _: &mut Memo) -> bool {
    v.u8(4) == 1 && v.is(5, b"ActiveMQ")
}

/// In mid-flow: a masked text frame that ends with its segment, after a plain one came back.
fn websocket(v: &View<'_>, _: &mut Memo) -> bool {
    let len = usize::from(v.u8(1) & 0x7f);
    let masked = v.u8(1) & 0x80 != 0 && len < 126 && len + 6 == v.len();
    let plain = |d: &[u8]| {
        d.len() > 3 && d[0] == 0x81 && d[1] < 126 && d[2..].iter().all(|c| (0x20..0x7f).contains(c))
    };
    masked && plain(v.other)
}

fn zmtp(v: &View<'_>, _: &mut Memo) -> bool {
    v.u8(9) == 0x7f && v.is(1, &[0; 7]) | v.is(1, &[0, 0, 0, 0, 0, 0, 0, 1][..7])
}

fn xmpp(v: &View<'_>, _: &mut Memo) -> bool {
    (v.has(b"<stream:stream", 200) && v.has(b"jabber:", 400))
        || v.port_of(App::Xmpp)
            && (v.is(0, b"<iq ")
                || v.is(0, b"<message ")
                || v.is(0, b"<presence")
                || v.is(0, b"<stream:")
                || v.is(0, b"<starttls")
                || v.is(0, b"<proceed")
                || v.is(0, b"<auth ")
                || v.is(0, b"<?xml"))
}

/// A numeric reply, or the words a client registers with.
fn irc(v: &View<'_>, _: &mut Memo) -> bool {
    if !v.text(40) {
        return false;
    }
    let first = line(v.data);
    let port = v.port_of(App::Irc);
    if first.first() == Some(&b':') {
        let mut words = first.split(|c| *c == b' ');
        let origin = words.next().unwrap_or_default();
        let verb = words.next().unwrap_or_default();
        let numeric = verb.len() == 3 && verb.iter().all(u8::is_ascii_digit);
        let word = matches!(
            verb,
            b"NOTICE" | b"PRIVMSG" | b"JOIN" | b"MODE" | b"QUIT" | b"PART" | b"NICK" | b"PING"
        );
        return origin.len() > 2
            && (numeric || word && (port || origin.contains(&b'!') || verb == b"NOTICE"));
    }
    let registers = v.word(b"NICK ") && v.to_server() && first.len() < 64
        || v.word(b"USER ")
            && v.to_server()
            && first.contains(&b':')
            && first.iter().filter(|c| **c == b' ').count() >= 4;
    registers && !v.port(21) && !v.port(110)
        || v.is(0, b"NOTICE AUTH :")
        || port && (v.word(b"PASS ") || v.word(b"JOIN #") || v.word(b"PING ") || v.word(b"CAP LS"))
}

/// The first words of WhatsApp's own transport: `ED` 0 1, or `WA` and a version.
fn whatsapp(v: &View<'_>, _: &mut Memo) -> bool {
    if !v.to_server() || !v.start {
        return false;
    }
    (v.is(0, &[b'E', b'D', 0, 1]) && (v.len() == 4 || v.len() > 10))
        || (v.is(0, b"WA")
            && (1..=9).contains(&v.u8(2))
            && v.u8(3) <= 9
            && (v.len() == 4 || v.port(5222) || v.port(443) && v.is(4, &[0, 0])))
        || (v.is(0, &[0, 0, 4, 8]) && v.is(7, b"WA"))
}

/// A request: its length, a known key and version, an id, a printable client name.
fn kafka(v: &View<'_>, _: &mut Memo) -> bool {
    let len = v.be32(0);
    if v.to_server() {
        let name = be16(v.data, 12);
        let named = name == 0xffff
            || name < 200
                && v.data.get(14..14 + name).is_some_and(|n| n.iter().all(u8::is_ascii_graphic));
        return len + 4 == v.len()
            && v.be16(4) <= 80
            && v.be16(6) <= 20
            && named
            && (v.port(9092) || name > 2 && name < 200 && v.start && be32(v.data, 8) < 1 << 16);
    }
    v.port(9092) && len + 4 == v.len() && v.other.len() >= 10
}

/// Version 1, a token of at most eight, a known code, options that fit.
fn coap(v: &View<'_>, memo: &mut Memo) -> bool {
    let (token, code) = (usize::from(v.u8(0) & 15), v.u8(1));
    if v.u8(0) >> 6 != 1 || token > 8 {
        return false;
    }
    let known = matches!(code, 0..=7 | 0x41..=0x45 | 0x5f | 0x80..=0x8f | 0x9d | 0xa0..=0xa8);
    let empty = code == 0 && (v.len() != 4 || token != 0);
    if !known || empty || !options_fit(v.data, 4 + token) {
        return false;
    }
    let port = v.port(5683) || v.port(5684) || (61_616..=61_631).contains(&v.server_port);
    port || memo.agree(App::Coap, v.side(), 3)
        && memo.count[0] > 0
        && memo.count[1] > 0
        && v.len() > 8
}

fn options_fit(data: &[u8], mut at: usize) -> bool {
    while let Some(head) = data.get(at).copied() {
        if head == 0xff {
            return at + 1 < data.len();
        }
        at += 1;
        let (delta, len) = (head >> 4, usize::from(head & 15));
        at += match delta {
            13 => 1,
            14 => 2,
            15 => return false,
            _ => 0,
        };
        at += match len {
            13 => 1 + 13 + usize::from(data.get(at).copied().unwrap_or(0)),
            14 => 2 + 269 + be16(data, at),
            15 => return false,
            n => n,
        };
    }
    at == data.len()
}

fn rtps(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, b"RTPS") && v.u8(4) == 2 && v.u8(5) <= 5
}

/// Service and method, a length that fits, protocol version 1, a known kind and return code.
fn someip(v: &View<'_>, _: &mut Memo) -> bool {
    v.be32(4) + 8 == v.len()
        && v.u8(12) == 1
        && matches!(v.u8(14), 0 | 1 | 2 | 0x40 | 0x41 | 0x42 | 0x80 | 0x81 | 0xc0)
        && v.u8(15) <= 0x10
        && (v.port(30490) || v.is(0, &[0xff, 0xff, 0x81, 0]))
}
