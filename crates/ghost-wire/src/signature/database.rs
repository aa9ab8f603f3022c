//! Databases and caches: each begins with a greeting or a start-up message of a fixed form.

use super::{Memo, Signature, View, sig};
use crate::App;

pub(crate) const TCP: &[Signature] = &[
    sig(App::Pgsql, 8, &[0], pgsql_start),
    sig(App::Pgsql, 5, b"RESQ1", pgsql_message),
    sig(App::Mysql, 20, b"", mysql_greeting),
    sig(App::Mysql, 36, b"", mysql_login),
    sig(App::Mssql, 8, &[1, 2, 3, 4, 14, 16, 17, 18], tds),
    sig(App::Oracle, 10, &[0, 1], tns),
    sig(App::Mongodb, 20, b"", mongodb),
    sig(App::Redis, 4, b"*+-:$PI", redis),
    sig(App::Cassandra, 8, &[1, 2, 3, 4, 5, 0x81, 0x82, 0x83, 0x84, 0x85], cassandra),
    sig(App::Cassandra, 8, &[0xca], cassandra_peer),
    sig(App::Memcached, 6, b"gsadirvcfmqEVSN", memcached_text),
    sig(App::Memcached, 24, &[0x80, 0x81], memcached_binary),
    sig(App::Drda, 10, &[0], drda),
    sig(App::Elasticsearch, 6, b"E", elasticsearch),
    sig(App::Clickhouse, 18, &[0], clickhouse),
    sig(App::Neo4j, 20, &[0x60], neo4j),
    sig(App::Zookeeper, 4, b"rsmics\0", zookeeper),
];

pub(crate) const UDP: &[Signature] =
    &[sig(App::Ssrp, 1, &[2, 3, 4, 5], ssrp), sig(App::Memcached, 15, &[0], memcached_udp)];

/// StartupMessage 3.0, SSLRequest, GSSENCRequest, CancelRequest.
fn pgsql_start(v: &View<'_>, _: &mut Memo) -> bool {
    let (len, code) = (v.be32(0), v.be32(4));
    match code {
        0x0003_0000 => {
            (9..=10_000).contains(&len)
                && len == v.len()
                && (v.is(8, b"user\0")
                    || v.is(8, b"database\0")
                    || v.is(8, b"application_name\0")
                    || v.is(8, b"client_encoding\0"))
        }
        80_877_103 | 80_877_104 => len == 8 && v.len() == 8,
        80_877_102 => len == 16 && v.len() == 16,
        _ => false,
    }
}

/// In mid-flow: a typed message whose length fits, on its port or after a start-up.
fn pgsql_message(v: &View<'_>, _: &mut Memo) -> bool {
    let len = v.be32(1);
    if !v.port(5432) {
        return false;
    }
    match v.u8(0) {
        b'R' => !v.to_server() && (8..=200).contains(&len) && v.be32(5) <= 12,
        b'E' => !v.to_server() && len < v.len() && v.is(5, b"S") && v.has(b"\0C", 40),
        b'Q' => v.to_server() && len + 1 == v.len() && v.data.last() == Some(&0),
        _ => false,
    }
}

/// Protocol 10 (or 9): version text, thread, eight octets of salt and a zero.
fn mysql_greeting(v: &View<'_>, _: &mut Memo) -> bool {
    if v.to_server() || v.u8(3) != 0 || v.le32(0) & 0xff_ffff < 16 {
        return false;
    }
    let len = v.le32(0) & 0xff_ffff;
    if len + 4 != v.len() || len > 1024 {
        return false;
    }
    match v.u8(4) {
        // ERR before any greeting: "Host … is not allowed".
        0xff => v.port(3306) && (1000..5000).contains(&v.le16(5)),
        10 | 9 => {
            let Some(end) = v.data[5..].iter().take(60).position(|c| *c == 0) else {
                return false;
            };
            end >= 3
                && v.u8(5).is_ascii_digit()
                && v.data[5..5 + end].contains(&b'.')
                && v.data[5..5 + end].iter().all(|c| (0x20..0x7f).contains(c))
        }
        _ => false,
    }
}

/// HandshakeResponse41: 23 zeros after capabilities, packet size and character set.
fn mysql_login(v: &View<'_>, _: &mut Memo) -> bool {
    v.to_server()
        && v.u8(3) == 1
        && v.le32(0) & 0xff_ffff == v.len() - 4
        && v.le16(4) & 0x0200 != 0
        && v.data[13..13 + 19].iter().all(|c| *c == 0)
        && v.le32(8) >= 1024
}

/// A TDS packet: type, status, big-endian length of this packet, SPID, number, window 0.
fn tds(v: &View<'_>, _: &mut Memo) -> bool {
    let (kind, status, len) = (v.u8(0), v.u8(1), v.be16(2));
    if status & !0x1b != 0 || v.u8(7) != 0 || !(8..=32_768).contains(&len) {
        return false;
    }
    let fits = len == v.len() || (len > v.len() && v.port(1433) && v.len() >= 512);
    if !fits {
        return false;
    }
    match kind {
        // PRELOGIN: option 0 (version) comes first, and its offset lies inside.
        18 => v.u8(8) == 0 && v.be16(9) < len && v.be16(11) == 6 && v.is(1, &[1]),
        // LOGIN7: its own length, then a TDS version 7.x in little-endian.
        16 => {
            v.le32(8) + 8 == len && v.u8(15) >= 0x70 && v.u8(15) <= 0x74
                || v.port(1433) && v.u8(6) <= 2
        }
        4 => {
            v.port(1433)
                && matches!(
                    v.u8(8),
                    0xe3 | 0xab | 0xad | 0xaa | 0x81 | 0xd1 | 0xfd | 0xee | 0x79 | 0x04 | 0x00
                )
        }
        1 | 3 | 14 | 17 => v.port(1433) && v.u8(6) <= 4,
        _ => false,
    }
}

/// TNS: length, checksum 0, type, reserved 0, header checksum 0.
fn tns(v: &View<'_>, _: &mut Memo) -> bool {
    let len = v.be16(0);
    if v.be16(2) != 0 || v.u8(5) & !0x0f != 0 || v.be16(6) != 0 {
        return false;
    }
    match v.u8(4) {
        1 => {
            (len == v.len() || len == 58 || v.port(1521) && len >= v.len())
                && (300..=330).contains(&v.be16(8))
                && (300..=330).contains(&v.be16(10))
        }
        2 => len == v.len() && (300..=330).contains(&v.be16(8)) && !v.to_server(),
        11 => len == 8 && v.len() == 8 && v.port(1521),
        4 | 5 => len == v.len() && v.has(b"(DESCRIPTION", 60),
        6 => v.port(1521) && len == v.len(),
        _ => false,
    }
}

/// A wire message: its own length, ids, an opcode; then what the opcode must begin with.
fn mongodb(v: &View<'_>, _: &mut Memo) -> bool {
    let len = v.le32(0);
    if !(16..=48_000_000).contains(&len) || len < v.len() && !v.port(27017) {
        return false;
    }
    match v.le32(12) {
        // OP_QUERY: flags, a collection name with a dot.
        2004 => {
            let name = v.data.get(20..).unwrap_or_default();
            let end = name.iter().take(128).position(|c| *c == 0).unwrap_or(0);
            v.le32(16) < 256
                && end >= 3
                && name[..end].contains(&b'.')
                && name[..end].iter().all(u8::is_ascii_graphic)
        }
        // OP_REPLY: flags, no cursor, few documents.
        1 => {
            v.len() >= 36
                && v.le32(16) < 16
                && v.le32(32) < 10_000
                && (v.port(27017) || v.le32(8) != 0)
        }
        // OP_MSG: flag bits, then section kind 0 or 1.
        2013 => {
            v.len() >= 26 && v.le32(16) & 0xfffc == 0 && v.u8(20) <= 1 && v.le32(21) + 21 <= len
        }
        2012 => v.len() >= 25 && v.le32(16) <= 2013,
        _ => false,
    }
}

/// RESP: an array of bulk strings, or an answer on its port or to such an array.
fn redis(v: &View<'_>, _: &mut Memo) -> bool {
    let first = super::line(v.data);
    if first.len() + 2 > v.len() || v.u8(first.len()) != b'\r' {
        return false;
    }
    let number = first.len() > 1
        && first.len() <= 10
        && first[1..].iter().all(|c| c.is_ascii_digit() || *c == b'-');
    let asked = v.other.first() == Some(&b'*') && v.other.get(1).is_some_and(u8::is_ascii_digit);
    match first.first() {
        Some(b'*') => number && (v.u8(first.len() + 2) == b'$' || asked || v.port(6379)),
        Some(b'$' | b':') => number && (asked || v.port(6379)) && !v.to_server(),
        Some(b'+' | b'-') => !v.to_server() && (asked || v.port(6379)) && v.text(64),
        _ => v.port(6379) && v.to_server() && (v.word(b"PING\r\n") || v.word(b"INFO\r\n")),
    }
}

/// A CQL frame: version 1–5, flags, stream, opcode, length.
fn cassandra(v: &View<'_>, _: &mut Memo) -> bool {
    let version = v.u8(0) & 0x7f;
    let answer = v.u8(0) & 0x80 != 0;
    let (opcode, len, head) =
        if version >= 3 { (v.u8(4), v.be32(5), 9) } else { (v.u8(3), v.be32(4), 8) };
    if v.u8(1) & 0xe0 != 0 || answer == v.to_server() || opcode > 0x10 {
        return false;
    }
    let fits = len + head == v.len() || v.port(9042) && len < 268_435_456 && len + head > v.len();
    let answers = matches!(opcode, 0 | 2 | 3 | 6 | 8 | 0x0c | 0x0e | 0x10);
    fits && answers == answer
        && match opcode {
            1 => v.has(b"CQL_VERSION", 64),
            5 => len == 0 && (v.port(9042) || version >= 3 && v.be16(2) < 256),
            6 => v.has(b"CQL_VERSION", 512) || v.has(b"COMPRESSION", 512),
            7 => v.be32(head) > 0 && v.be32(head) < len && (v.port(9042) || v.has(b"select", 80)),
            _ => v.port(9042),
        }
}

/// Between nodes: the protocol's magic, then a header with a version.
fn cassandra_peer(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, &[0xca, 0x55, 0x2d, 0xfa])
}

fn memcached_text(v: &View<'_>, _: &mut Memo) -> bool {
    if !v.text(32) {
        return false;
    }
    let known = v.word(b"VERSION ")
        || v.is(0, b"STAT ")
        || v.is(0, b"stats\r\n")
        || v.is(0, b"VALUE ")
        || v.is(0, b"version\r\n");
    let store =
        (v.is(0, b"set ") || v.is(0, b"add ") || v.is(0, b"replace ")) && store_line(v.data);
    let port = v.port(11211);
    known && (port || v.is(0, b"STAT pid ") || v.is(0, b"VALUE ")) && v.has(b"\r\n", 256)
        || store && v.to_server()
        || port
            && (v.is(0, b"get ")
                || v.is(0, b"gets ")
                || v.is(0, b"delete ")
                || v.is(0, b"incr ")
                || v.is(0, b"quit\r\n")
                || v.is(0, b"flush_all")
                || v.is(0, b"STORED\r\n")
                || v.is(0, b"END\r\n")
                || v.is(0, b"NOT_FOUND")
                || v.is(0, b"ERROR\r\n"))
}

/// `set key flags seconds bytes`.
fn store_line(data: &[u8]) -> bool {
    let mut words = super::line(data).split(|c| *c == b' ');
    let digits = |w: Option<&[u8]>| {
        w.is_some_and(|w| !w.is_empty() && w.len() <= 10 && w.iter().all(u8::is_ascii_digit))
    };
    words.next();
    words.next().is_some_and(|key| !key.is_empty())
        && digits(words.next())
        && digits(words.next())
        && digits(words.next())
}

fn memcached_binary(v: &View<'_>, _: &mut Memo) -> bool {
    let body = v.be32(8);
    (v.u8(0) == 0x80) == v.to_server()
        && v.u8(1) <= 0x48
        && v.u8(5) == 0
        && (v.u8(0) == 0x81 || v.be16(6) < 1024)
        && body + 24 == v.len()
        && v.be16(2) + usize::from(v.u8(4)) <= body
        && (v.port(11211) || v.port(11210))
}

/// The eight-octet frame header (id, number, total, reserved 0), then text.
fn memcached_udp(v: &View<'_>, _: &mut Memo) -> bool {
    v.be16(2) < v.be16(4)
        && v.be16(6) == 0
        && (v.is(8, b"stats\r\n")
            || v.is(8, b"get ")
            || v.is(8, b"gets ")
            || v.is(8, b"STAT ")
            || v.is(8, b"VALUE ")
            || v.is(8, b"version"))
        || v.port(11211)
            && v.be16(4) >= 1
            && v.be16(6) == 0
            && v.be16(2) < v.be16(4)
            && !v.to_server()
}

/// A DSS header: length, magic 0xD0, format 1–3, then a DDM object inside it.
fn drda(v: &View<'_>, _: &mut Memo) -> bool {
    let len = v.be16(0);
    v.u8(2) == 0xd0
        && matches!(v.u8(3) & 0x0f, 1..=5)
        && (10..=v.len()).contains(&len)
        && v.be16(6) + 6 == len
        && v.be16(8) >= 0x1000
}

fn elasticsearch(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, b"ES") && v.be32(2) + 6 >= v.len() && v.be32(2) < 100_000_000 && v.u8(14) & 0xf0 == 0
}

fn clickhouse(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(2, b"ClickHouse") && usize::from(v.u8(1)) < 64
}

fn neo4j(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, &[0x60, 0x60, 0xb0, 0x17]) && v.len() == 20
}

fn zookeeper(v: &View<'_>, _: &mut Memo) -> bool {
    if v.u8(0) == 0 {
        // ConnectRequest: length, protocol 0, last zxid, timeout, session, 16 octets of password.
        return v.to_server()
            && matches!(v.be32(0), 44 | 45)
            && v.be32(0) + 4 == v.len()
            && v.be32(4) == 0
            && v.be32(28) == 16;
    }
    v.port(2181)
        && v.to_server()
        && v.len() == 4
        && (v.is(0, b"ruok")
            || v.is(0, b"stat")
            || v.is(0, b"srvr")
            || v.is(0, b"mntr")
            || v.is(0, b"cons")
            || v.is(0, b"isro"))
}

/// SQL Server's resolution: one question octet, or an answer with its length.
fn ssrp(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(1434)
        && match v.u8(0) {
            2 | 3 => v.len() == 1,
            4 => v.len() < 40 && v.data.last() == Some(&0),
            5 => v.le16(1) + 3 == v.len() && v.has(b"ServerName", 64),
            _ => false,
        }
}
