//! Mail and news: SMTP, IMAP, POP3, NNTP; lines of text, where the server speaks first.
//!
//! A greeting `220` may be a mail or a file server; the words after it, then the port, tell which.

use super::{Memo, Signature, View, line, sig};
use crate::App;

pub(crate) const TCP: &[Signature] = &[
    sig(App::Smtp, 5, b"2EHLehlSR", smtp),
    sig(App::Imap, 5, b"*", imap_server),
    sig(App::Imap, 6, b"", imap_client),
    sig(App::Pop3, 3, b"+CAUScaus", pop3),
    sig(App::Nntp, 5, b"2MGLAXmglax", nntp),
];

fn smtp(v: &View<'_>, _: &mut Memo) -> bool {
    if v.is(0, b"220") && matches!(v.u8(3), b' ' | b'-') {
        return !v.to_server()
            && (v.has(b"SMTP", 512) || (v.port_of(App::Smtp) && v.text(64)))
            && !v.port(21);
    }
    let verb = v.word(b"EHLO ") || v.word(b"HELO ") || v.word(b"LHLO ");
    verb && v.to_server() && v.text(64) && v.len() < 600 && v.ends_line()
}

fn imap_server(v: &View<'_>, _: &mut Memo) -> bool {
    (v.is(0, b"* OK") || v.is(0, b"* PREAUTH") || v.is(0, b"* BYE"))
        && (v.has(b"IMAP", 400) || v.port(143))
        || v.is(0, b"* CAPABILITY IMAP4")
}

/// A tag, a space, one of the verbs a client begins with.
fn imap_client(v: &View<'_>, _: &mut Memo) -> bool {
    const VERBS: &[&[u8]] = &[
        b"LOGIN ",
        b"CAPABILITY",
        b"AUTHENTICATE ",
        b"STARTTLS",
        b"SELECT ",
        b"EXAMINE ",
        b"LIST \"",
        b"ID (",
        b"ID NIL",
    ];
    if !v.to_server() || !v.u8(0).is_ascii_alphanumeric() {
        return false;
    }
    let first = line(v.data);
    let Some(space) = first.iter().take(12).position(|c| *c == b' ') else {
        return false;
    };
    let tag = &first[..space];
    if !tag.iter().all(|c| c.is_ascii_alphanumeric() || *c == b'.')
        || !(tag.iter().any(u8::is_ascii_digit) || v.port(143))
    {
        return false;
    }
    let verb = &first[space + 1..];
    v.data.len() > first.len()
        && VERBS.iter().any(|w| verb.get(..w.len()).is_some_and(|x| x.eq_ignore_ascii_case(w)))
}

fn pop3(v: &View<'_>, _: &mut Memo) -> bool {
    if v.is(0, b"+OK") {
        let greeted = v.port(110) || v.has(b"POP", 200) || v.has(b"ready", 200);
        return !v.to_server() && v.other.is_empty() && v.len() > 5 && greeted && v.text(64)
            || !v.to_server() && (v.other.starts_with(b"USER ") || v.other.starts_with(b"CAPA"));
    }
    if !v.to_server() || !v.ends_line() {
        return false;
    }
    let answered = v.other.starts_with(b"+OK");
    if v.word(b"CAPA\r\n") || v.word(b"STLS\r\n") || v.word(b"APOP ") {
        return v.port(110) || answered;
    }
    (v.word(b"USER ") || v.word(b"AUTH")) && (v.port(110) || answered) && v.text(64)
}

fn nntp(v: &View<'_>, _: &mut Memo) -> bool {
    if v.is(0, b"20") && matches!(v.u8(2), b'0' | b'1') && matches!(v.u8(3), b' ' | b'-') {
        return !v.to_server()
            && v.other.is_empty()
            && v.text(64)
            && (v.port(119) || v.has(b"NNTP", 256) || v.has(b"InterNetNews", 256));
    }
    v.to_server()
        && v.ends_line()
        && (v.word(b"MODE READER\r\n")
            || v.word(b"LIST ACTIVE")
            || v.word(b"XOVER ")
            || v.port(119) && (v.word(b"GROUP ") || v.word(b"ARTICLE ") || v.word(b"AUTHINFO ")))
}
