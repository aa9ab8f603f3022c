//! What a recognised conversation tells as it goes on: commands, software, failed logins.
//!
//! Each talk reads whole messages inside one segment; what does not fit is skipped by its length.
//! It never tells a secret: a login in clear is told by its protocol's name alone.

use super::directory::{ber_len, krb5_type, ldap_operation};
use super::messaging::mqtt_len;
use super::{Memo, View, be16, files, industrial, industry, le16, le32, line, management, media};
use crate::{App, Sink, fields};

/// What a talk wants of the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Talk {
    More,
    Done,
}

/// Writes a number in decimal digits; says how many.
pub(crate) fn decimal(mut n: usize, out: &mut [u8]) -> usize {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    let len = (digits.len() - at).min(out.len());
    out[..len].copy_from_slice(&digits[at..at + len]);
    len
}

/// One more payload of a flow of `app`.
pub(crate) fn talk(app: &mut App, v: &View<'_>, memo: &mut Memo, sink: &mut dyn Sink) -> Talk {
    match *app {
        App::Smtp => smtp(v, memo, sink),
        App::Ftp => ftp(v, memo, sink),
        App::Pop3 => pop3(v, memo, sink),
        App::Imap => imap(v, memo, sink),
        App::Telnet => telnet(v, memo, sink),
        App::Sip | App::Rtsp => calls(*app, v, memo, sink),
        App::Snmp => return snmp(v, memo, sink),
        App::Mqtt => mqtt(v, memo, sink),
        App::Ldap => ldap(v, memo, sink),
        App::Krb5 => krb5(v, sink),
        App::Radius => radius(v, sink),
        App::Mysql => return mysql(v, memo, sink),
        App::Pgsql => return pgsql(v, memo, sink),
        App::Mssql => return mssql(v, memo, sink),
        App::Vnc => return vnc(v, memo, sink),
        App::Redis => return redis(v, memo, sink),
        App::Tftp => return tftp(v, sink),
        App::Modbus => industry::modbus(v, memo, sink),
        App::Dnp3 => industry::dnp3(v, memo, sink),
        App::S7comm => industry::s7comm(v, memo, sink),
        App::Enip => industry::enip(v, memo, sink),
        App::Iec104 => industry::iec104(v, memo, sink),
        App::Bacnet => industry::bacnet(v, memo, sink),
        App::Nfs | App::Rpcbind => return rpc(app, v),
        App::Cotp => return cotp(app, v, memo, sink),
        App::Rdp => return rdp(v, memo, sink),
        App::Stun | App::Turn => {
            if let Some(better) = media::stun_app(v) {
                *app = better;
            }
            return Talk::Done;
        }
        App::Nats | App::Checkmk | App::Munin => return software(v, sink),
        _ => return Talk::Done,
    }
    Talk::More
}

fn command(word: &[u8], sink: &mut dyn Sink) {
    let mut upper = [0; 12];
    let n = word.len().min(upper.len());
    for (to, from) in upper.iter_mut().zip(word) {
        *to = from.to_ascii_uppercase();
    }
    sink.field(fields::COMMAND, &upper[..n]);
}

/// A command known to this table is told once; others are not words of the protocol.
fn listed(data: &[u8], words: &[&[u8]], memo: &mut Memo, sink: &mut dyn Sink) -> Option<usize> {
    let word = files::verb(data);
    let at = words.iter().position(|w| w.eq_ignore_ascii_case(word))?;
    if memo.first(at as u32) {
        command(word, sink);
    }
    Some(at)
}

/// A greeting's words, without its code and at most 80 octets.
fn greeting(v: &View<'_>, skip: usize, sink: &mut dyn Sink) {
    let first = line(v.data);
    if let Some(words) = first.get(skip..)
        && !words.is_empty()
    {
        sink.field(fields::SOFTWARE, &words[..words.len().min(80)]);
    }
}

/// Bits of `told` above every command's.
const GREETED: u32 = 62;
const LOGGED_IN: u32 = 61;
const IN_DATA: u64 = 1 << 60;
const ASKED: u64 = 1 << 59;

fn smtp(v: &View<'_>, memo: &mut Memo, sink: &mut dyn Sink) {
    const VERBS: &[&[u8]] = &[
        b"EHLO",
        b"HELO",
        b"MAIL",
        b"RCPT",
        b"DATA",
        b"QUIT",
        b"RSET",
        b"NOOP",
        b"VRFY",
        b"EXPN",
        b"HELP",
        b"AUTH",
        b"STARTTLS",
        b"BDAT",
        b"LHLO",
    ];
    if !v.to_server() {
        if v.is(0, b"220") && memo.first(GREETED) {
            greeting(v, 4, sink);
        }
        if v.is(0, b"535") {
            sink.field(fields::LOGIN_FAILED, b"smtp");
        }
        if v.is(0, b"250") || v.is(0, b"5") {
            memo.told &= !IN_DATA;
        }
        return;
    }
    if memo.told & IN_DATA != 0 {
        return;
    }
    for words in lines(v.data) {
        match listed(words, VERBS, memo, sink) {
            Some(4) => {
                memo.told |= IN_DATA;
                return;
            }
            Some(11) if memo.first(LOGGED_IN) => sink.field(fields::CLEAR_LOGIN, b"smtp"),
            _ => {}
        }
    }
}

/// A few whole lines of a segment.
fn lines(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    data.split(|c| *c == b'\n').filter(|l| !l.is_empty()).take(16)
}

fn ftp(v: &View<'_>, memo: &mut Memo, sink: &mut dyn Sink) {
    const VERBS: &[&[u8]] = &[
        b"USER", b"PASS", b"ACCT", b"CWD", b"QUIT", b"PORT", b"PASV", b"EPSV", b"EPRT", b"TYPE",
        b"RETR", b"STOR", b"STOU", b"APPE", b"REST", b"RNFR", b"RNTO", b"DELE", b"RMD", b"MKD",
        b"LIST", b"NLST", b"MLSD", b"SITE", b"SYST", b"FEAT", b"AUTH", b"PBSZ", b"PROT", b"SIZE",
        b"MDTM", b"NOOP", b"PWD", b"CDUP",
    ];
    if v.to_server() {
        for words in lines(v.data) {
            let at = listed(words, VERBS, memo, sink);
            if at == Some(1) && memo.first(LOGGED_IN) {
                sink.field(fields::CLEAR_LOGIN, b"ftp");
            }
            // Whoever asks for anything else before the login is refused by the same code.
            match at {
                Some(0 | 1) => memo.told |= ASKED,
                _ => memo.told &= !ASKED,
            }
        }
    } else if v.is(0, b"220") {
        if memo.first(GREETED) {
            greeting(v, 4, sink);
        }
    } else if memo.told & ASKED != 0 && (v.is(0, b"530") || v.is(0, b"430")) {
        sink.field(fields::LOGIN_FAILED, b"ftp");
        memo.told &= !ASKED;
    }
}

fn pop3(v: &View<'_>, memo: &mut Memo, sink: &mut dyn Sink) {
    const VERBS: &[&[u8]] = &[
        b"USER", b"PASS", b"APOP", b"AUTH", b"STAT", b"LIST", b"RETR", b"DELE", b"TOP", b"UIDL",
        b"CAPA", b"STLS", b"QUIT", b"NOOP", b"RSET",
    ];
    if v.to_server() {
        memo.told &= !ASKED;
        match listed(v.data, VERBS, memo, sink) {
            Some(1) => {
                memo.told |= ASKED;
                if memo.first(LOGGED_IN) {
                    sink.field(fields::CLEAR_LOGIN, b"pop3");
                }
            }
            Some(2) => memo.told |= ASKED,
            // Alone it asks which ways to log in there are: its refusal is no refused login.
            Some(3) if line(v.data).trim_ascii().len() > b"AUTH".len() => memo.told |= ASKED,
            _ => {}
        }
    } else if v.is(0, b"-ERR") {
        if memo.told & ASKED != 0 {
            sink.field(fields::LOGIN_FAILED, b"pop3");
            memo.told &= !ASKED;
        }
    } else if v.is(0, b"+OK") && memo.first(GREETED) {
        greeting(v, 4, sink);
    }
}

fn imap(v: &View<'_>, memo: &mut Memo, sink: &mut dyn Sink) {
    const VERBS: &[&[u8]] = &[
        b"LOGIN",
        b"AUTHENTICATE",
        b"CAPABILITY",
        b"STARTTLS",
        b"SELECT",
        b"EXAMINE",
        b"LIST",
        b"LSUB",
        b"STATUS",
        b"FETCH",
        b"UID",
        b"STORE",
        b"SEARCH",
        b"IDLE",
        b"LOGOUT",
        b"NOOP",
        b"APPEND",
        b"ID",
        b"CREATE",
        b"DELETE",
        b"EXPUNGE",
        b"COPY",
    ];
    let first = line(v.data);
    let rest = first.iter().position(|c| *c == b' ').map_or(&[][..], |at| &first[at + 1..]);
    if v.to_server() {
        memo.told &= !ASKED;
        if let Some(at @ (0 | 1)) = listed(rest, VERBS, memo, sink) {
            memo.told |= ASKED;
            let plain = at == 0 || super::has(rest, b"PLAIN", 40) || super::has(rest, b"LOGIN", 40);
            if plain && memo.first(LOGGED_IN) {
                sink.field(fields::CLEAR_LOGIN, b"imap");
            }
        }
    } else if v.is(0, b"* OK") {
        if memo.first(GREETED) {
            greeting(v, 5, sink);
        }
    } else if memo.told & ASKED != 0
        && (rest.starts_with(b"NO ") || rest.starts_with(b"BAD "))
        && v.u8(0) != b'*'
    {
        sink.field(fields::LOGIN_FAILED, b"imap");
        memo.told &= !ASKED;
    }
}

fn telnet(v: &View<'_>, memo: &mut Memo, sink: &mut dyn Sink) {
    if v.to_server() || v.len() > 2000 {
        return;
    }
    if super::has(v.data, b"assword", 1200) {
        if memo.first(LOGGED_IN) {
            sink.field(fields::CLEAR_LOGIN, b"telnet");
        }
    } else if super::has(v.data, b"login incorrect", 400)
        || super::has(v.data, b"login failed", 400)
        || super::has(v.data, b"authentication failed", 400)
    {
        sink.field(fields::LOGIN_FAILED, b"telnet");
    }
}

fn calls(app: App, v: &View<'_>, memo: &mut Memo, sink: &mut dyn Sink) {
    const VERBS: &[&[u8]] = &[
        b"INVITE",
        b"REGISTER",
        b"OPTIONS",
        b"ACK",
        b"BYE",
        b"CANCEL",
        b"SUBSCRIBE",
        b"NOTIFY",
        b"MESSAGE",
        b"INFO",
        b"REFER",
        b"PUBLISH",
        b"UPDATE",
        b"PRACK",
        b"DESCRIBE",
        b"SETUP",
        b"PLAY",
        b"PAUSE",
        b"TEARDOWN",
        b"ANNOUNCE",
        b"RECORD",
    ];
    if listed(v.data, VERBS, memo, sink).is_none() {
        if app == App::Sip
            && (v.is(0, b"SIP/2.0 403") || v.is(0, b"SIP/2.0 404 ") && memo.told & 2 != 0)
        {
            sink.field(fields::LOGIN_FAILED, b"sip");
        }
        if !(v.is(0, b"SIP/2.0 ") || v.is(0, b"RTSP/1.0 ")) {
            return;
        }
    }
    let bit = GREETED - v.side() as u32;
    if memo.told >> bit & 1 == 0 {
        for header in v.data.split(|c| *c == b'\n').skip(1).take(40) {
            let agent = header.get(..11).is_some_and(|h| h.eq_ignore_ascii_case(b"User-Agent:"));
            let server = header.get(..7).is_some_and(|h| h.eq_ignore_ascii_case(b"Server:"));
            if agent || server {
                memo.first(bit);
                let words = header[if agent { 11 } else { 7 }..].trim_ascii();
                sink.field(fields::SOFTWARE, &words[..words.len().min(80)]);
                return;
            }
            if header.len() <= 1 {
                return;
            }
        }
    }
}

fn snmp(v: &View<'_>, memo: &mut Memo, sink: &mut dyn Sink) -> Talk {
    const PDUS: &[&str] =
        &["get", "get_next", "response", "set", "trap", "get_bulk", "inform", "trap2", "report"];
    if let Some((version, tag)) = management::snmp_pdu(v.data) {
        let named: &[u8] = match version {
            0 => b"snmpv1",
            1 => b"snmpv2c",
            _ => b"snmpv3",
        };
        if memo.first(16 + u32::from(version)) {
            sink.field(fields::SOFTWARE, named);
        }
        if let Some(pdu) = PDUS.get(usize::from(tag.wrapping_sub(0xa0)))
            && memo.first(u32::from(tag & 15))
        {
            sink.field(fields::COMMAND, pdu.as_bytes());
        }
    }
    memo.skip[0] += 1;
    if memo.skip[0] > 64 { Talk::Done } else { Talk::More }
}

fn mqtt(v: &View<'_>, memo: &mut Memo, sink: &mut dyn Sink) {
    const KINDS: &[&str] = &[
        "",
        "connect",
        "connack",
        "publish",
        "puback",
        "pubrec",
        "pubrel",
        "pubcomp",
        "subscribe",
        "suback",
        "unsubscribe",
        "unsuback",
        "pingreq",
        "pingresp",
        "disconnect",
        "auth",
    ];
    let side = v.side();
    let mut data = skipped(v, memo);
    while let Some((len, at)) = mqtt_len(data) {
        let kind = usize::from(data[0] >> 4);
        if kind == 0 {
            return;
        }
        if memo.first(kind as u32) {
            sink.field(fields::COMMAND, KINDS[kind].as_bytes());
        }
        let body = data.get(at..).unwrap_or_default();
        match kind {
            // User name and password flags.
            1 if body.get(7).is_some_and(|f| f & 0x40 != 0) && memo.first(LOGGED_IN) => {
                sink.field(fields::CLEAR_LOGIN, b"mqtt");
            }
            2 if body.get(1).is_some_and(|c| matches!(c, 4 | 5 | 0x86 | 0x87)) => {
                sink.field(fields::LOGIN_FAILED, b"mqtt");
            }
            3 if memo.skip[1 - side] < 1 << 30 => topic(body, 0, memo, sink),
            8 => topic(body, 2, memo, sink),
            _ => {}
        }
        data = advance(data, at + len, side, memo);
    }
}

/// The root of a topic: its first level, told for a few distinct ones.
fn topic(body: &[u8], at: usize, memo: &mut Memo, sink: &mut dyn Sink) {
    let len = be16(body, at);
    let Some(name) = body.get(at + 2..at + 2 + len) else {
        return;
    };
    let name = name.strip_prefix(b"/").unwrap_or(name);
    let root = name.split(|c| *c == b'/').next().unwrap_or_default();
    if root.is_empty() || root.len() > 40 {
        return;
    }
    // A hash picks one of a few bits: the same root is told once, few collide.
    let hash = root.iter().fold(5381_u32, |h, c| h.wrapping_mul(33) ^ u32::from(*c));
    if memo.first(20 + hash % 32) {
        sink.field(fields::OBJECT, root);
    }
}

/// What stands after the rest of a message that began in an earlier segment.
pub(super) fn skipped<'a>(v: &View<'a>, memo: &mut Memo) -> &'a [u8] {
    let side = v.side();
    let n = (memo.skip[side] as usize).min(v.len());
    memo.skip[side] -= n as u32;
    &v.data[n..]
}

/// Steps over one message of `len` octets; what is not here is skipped later.
pub(super) fn advance<'a>(data: &'a [u8], len: usize, side: usize, memo: &mut Memo) -> &'a [u8] {
    if len > data.len() {
        memo.skip[side] = u32::try_from(len - data.len()).unwrap_or(0);
        return &[];
    }
    &data[len..]
}

fn ldap(v: &View<'_>, memo: &mut Memo, sink: &mut dyn Sink) {
    let side = v.side();
    let mut data = skipped(v, memo);
    while let Some((tag, at, end)) = ldap_operation(data) {
        let name = match tag {
            0x60 => "bind",
            0x63 => "search",
            0x66 => "modify",
            0x68 => "add",
            0x4a => "delete",
            0x6c => "modify_dn",
            0x6e => "compare",
            0x77 => "extended",
            _ => "",
        };
        if !name.is_empty() && memo.first(u32::from(tag & 31)) {
            sink.field(fields::COMMAND, name.as_bytes());
        }
        if let Some((_, body)) = ber_len(data, at + 1) {
            if tag == 0x61 && data.get(body..body + 3) == Some(&[0x0a, 1, 49]) {
                sink.field(fields::LOGIN_FAILED, b"ldap");
            }
            // A simple bind: version, name, then authentication [0] that is not empty.
            if tag == 0x60
                && let Some((name_len, name_at)) = ber_len(data, body + 4)
                && data.get(name_at + name_len) == Some(&0x80)
                && data.get(name_at + name_len + 1).is_some_and(|n| *n > 0)
                && memo.first(LOGGED_IN)
            {
                sink.field(fields::CLEAR_LOGIN, b"ldap");
            }
        }
        if end == 0 {
            return;
        }
        data = advance(data, end, side, memo);
    }
}

fn krb5(v: &View<'_>, sink: &mut dyn Sink) {
    let data = if v.tcp { v.data.get(4..).unwrap_or_default() } else { v.data };
    let Some(kind) = krb5_type(data) else {
        return;
    };
    let name: &[u8] = match kind {
        10 => b"as_req",
        11 => b"as_rep",
        12 => b"tgs_req",
        13 => b"tgs_rep",
        14 => b"ap_req",
        15 => b"ap_rep",
        30 => b"error",
        _ => return,
    };
    sink.field(fields::COMMAND, name);
    if kind == 30 {
        // error-code [6] INTEGER: after the times, before realm and names.
        let code = data.windows(5).take(120).find(|w| w[..4] == [0xa6, 3, 2, 1]).map(|w| w[4]);
        if matches!(code, Some(6 | 18 | 24 | 31 | 37)) {
            sink.field(fields::LOGIN_FAILED, b"krb5");
        }
    }
}

fn radius(v: &View<'_>, sink: &mut dyn Sink) {
    let name: &[u8] = match v.u8(0) {
        1 => b"access_request",
        2 => b"access_accept",
        3 => {
            sink.field(fields::LOGIN_FAILED, b"radius");
            b"access_reject"
        }
        4 => b"accounting_request",
        5 => b"accounting_response",
        11 => b"access_challenge",
        _ => return,
    };
    sink.field(fields::COMMAND, name);
}

fn mysql(v: &View<'_>, memo: &mut Memo, sink: &mut dyn Sink) -> Talk {
    if !v.to_server() {
        if matches!(v.u8(4), 9 | 10) && v.u8(3) == 0 && memo.first(GREETED) {
            let name = v.data.get(5..).unwrap_or_default();
            let end = name.iter().take(60).position(|c| *c == 0).unwrap_or(0);
            sink.field(fields::SOFTWARE, &name[..end]);
        }
        if v.u8(4) == 0xff && le16(v.data, 5) == 1045 {
            sink.field(fields::LOGIN_FAILED, b"mysql");
            return Talk::Done;
        }
        // OK after the login: what follows is the session.
        if v.u8(4) == 0 && v.u8(3) >= 2 {
            return Talk::Done;
        }
    }
    short_talk(memo)
}

/// A session's set-up is over after a few packets.
fn short_talk(memo: &mut Memo) -> Talk {
    memo.count[0] = memo.count[0].saturating_add(1);
    if memo.count[0] > 16 { Talk::Done } else { Talk::More }
}

fn pgsql(v: &View<'_>, memo: &mut Memo, sink: &mut dyn Sink) -> Talk {
    if !v.to_server() {
        match v.u8(0) {
            b'E' if super::has(v.data, b"C28P01", 60) || super::has(v.data, b"C28000", 60) => {
                sink.field(fields::LOGIN_FAILED, b"pgsql");
                return Talk::Done;
            }
            // AuthenticationCleartextPassword.
            b'R' if v.be32(5) == 3 && memo.first(LOGGED_IN) => {
                sink.field(fields::CLEAR_LOGIN, b"pgsql")
            }
            b'R' if v.be32(5) == 0 => return Talk::Done,
            _ => {}
        }
    } else if v.be32(4) == 0x0003_0000 {
        let mut parts = v.data[8..].split(|c| *c == 0);
        while let (Some(key), Some(value)) = (parts.next(), parts.next()) {
            if key == b"database" && !value.is_empty() {
                sink.field(fields::OBJECT, &value[..value.len().min(64)]);
            } else if key == b"application_name" && !value.is_empty() {
                sink.field(fields::SOFTWARE, &value[..value.len().min(64)]);
            }
        }
    }
    short_talk(memo)
}

fn mssql(v: &View<'_>, memo: &mut Memo, sink: &mut dyn Sink) -> Talk {
    // ERROR token 0xAA with number 18456: login failed.
    if v.u8(0) == 4 && v.u8(8) == 0xaa && le32(v.data, 11) == 18_456 {
        sink.field(fields::LOGIN_FAILED, b"mssql");
        return Talk::Done;
    }
    // TLS goes on inside PRELOGIN packets; the session itself is not read.
    short_talk(memo)
}

fn vnc(v: &View<'_>, memo: &mut Memo, sink: &mut dyn Sink) -> Talk {
    if !v.to_server() {
        if v.is(0, b"RFB ") && memo.first(GREETED) {
            sink.field(fields::SOFTWARE, line(v.data));
        } else if v.be32(0) == 1
            && (v.len() == 4 || super::has(v.data, b"fail", 80))
            && memo.told & ASKED != 0
        {
            sink.field(fields::LOGIN_FAILED, b"vnc");
            return Talk::Done;
        }
    } else if v.len() == 16 {
        // The answer to a challenge.
        memo.told |= ASKED;
    }
    short_talk(memo)
}

fn redis(v: &View<'_>, memo: &mut Memo, sink: &mut dyn Sink) -> Talk {
    if v.to_server() {
        let mut parts = v.data.split(|c| *c == b'\n').skip(2);
        if let Some(word) = parts.next().map(<[u8]>::trim_ascii)
            && !word.is_empty()
            && word.len() <= 12
            && word.iter().all(u8::is_ascii_alphabetic)
            && v.u8(0) == b'*'
        {
            command(word, sink);
            if word.eq_ignore_ascii_case(b"AUTH") && memo.first(LOGGED_IN) {
                sink.field(fields::CLEAR_LOGIN, b"redis");
            }
        }
    } else if v.is(0, b"-WRONGPASS") || v.is(0, b"-ERR invalid password") {
        sink.field(fields::LOGIN_FAILED, b"redis");
    }
    memo.count[1] = memo.count[1].saturating_add(1);
    if memo.count[1] > 200 { Talk::Done } else { Talk::More }
}

fn tftp(v: &View<'_>, sink: &mut dyn Sink) -> Talk {
    match v.be16(0) {
        1 => sink.field(fields::COMMAND, b"read"),
        2 => sink.field(fields::COMMAND, b"write"),
        _ => {}
    }
    Talk::Done
}

/// Sun RPC: the program of a call says which service it is.
fn rpc(app: &mut App, v: &View<'_>) -> Talk {
    let body = if v.tcp { v.data.get(4..).unwrap_or_default() } else { v.data };
    if super::be32(body, 4) == 0
        && let Some(program) = files::rpc_program(super::be32(body, 12))
    {
        *app = program;
    }
    Talk::Done
}

/// ISO transport was set up; what it carries shows a few segments later.
fn cotp(app: &mut App, v: &View<'_>, memo: &mut Memo, sink: &mut dyn Sink) -> Talk {
    if v.len() >= 11 && industrial::s7comm(v, memo) {
        *app = App::S7comm;
        industry::s7comm(v, memo, sink);
        return Talk::More;
    }
    if v.len() >= 15 && industrial::mms(v, memo) {
        *app = App::Mms;
        return Talk::Done;
    }
    short_talk(memo)
}

/// Until TLS begins, or the plain session does.
fn rdp(v: &View<'_>, memo: &mut Memo, sink: &mut dyn Sink) -> Talk {
    if v.u8(0) == 3 && v.u8(5) == 0xd0 && v.u8(11) == 3 && memo.first(GREETED) {
        sink.field(fields::COMMAND, b"refused");
    }
    short_talk(memo)
}

fn software(v: &View<'_>, sink: &mut dyn Sink) -> Talk {
    let first = line(v.data);
    sink.field(fields::SOFTWARE, &first[..first.len().min(80)]);
    Talk::Done
}
