//! Watching and running of devices: SNMP, NTP, syslog, flow exports, agents, switch control,
//! discovery, and small services.

use super::directory::ber_len;
use super::{Memo, Signature, View, be16, be32, line, sig};
use crate::App;

pub(crate) const TCP: &[Signature] = &[
    sig(App::Zabbix, 5, b"Z", zabbix),
    sig(App::Checkmk, 12, b"<", checkmk),
    sig(App::Openflow, 8, &[1, 2, 3, 4, 5, 6], openflow),
    sig(App::Ovsdb, 20, b"{", ovsdb),
    sig(App::Syslog, 8, b"<0123456789", syslog_tcp),
    sig(App::Ajp, 4, &[0x12, b'A'], ajp),
    sig(App::Fastcgi, 16, &[1], fastcgi),
    sig(App::NestLogSink, 30, b"", nest),
    sig(App::Munin, 16, b"#", munin),
    sig(App::Ipfix, 16, &[0], ipfix),
    sig(App::Rpcbind, 28, &[0x80], rpcbind_tcp),
];

pub(crate) const UDP: &[Signature] = &[
    sig(App::Snmp, 20, &[0x30], snmp),
    sig(App::Ntp, 8, b"", ntp),
    sig(App::Syslog, 5, b"<", syslog),
    sig(App::Netflow, 24, &[0], netflow),
    sig(App::Ipfix, 16, &[0], ipfix),
    sig(App::Sflow, 28, &[0], sflow),
    sig(App::Ptp, 34, b"", ptp),
    sig(App::Ipmi, 8, &[6], ipmi),
    sig(App::Capwap, 8, &[0, 1], capwap),
    sig(App::Mndp, 4, b"", mndp),
    sig(App::Dropbox, 20, b"{", dropbox),
    sig(App::Wsd, 60, b"<", wsd),
    sig(App::Wol, 102, &[0xff], wol),
    sig(App::Natpmp, 2, &[0, 2], natpmp),
    sig(App::Slp, 14, &[1, 2], slp),
    sig(App::Bjnp, 16, b"BM", bjnp),
    sig(App::Tzsp, 5, &[1], tzsp),
    sig(App::Gelf, 12, &[0x1e], gelf),
    sig(App::Ubnt, 4, &[1, 2], ubnt),
    sig(App::Statsd, 4, b"", statsd),
    sig(App::Rpcbind, 24, b"", rpcbind_udp),
    sig(App::Lwapp, 12, b"", lwapp),
    sig(App::Wccp, 16, &[0], wccp),
    sig(App::Ntp, 12, &[0x16, 0x1e, 0x26, 0x96, 0x9e, 0xa6, 0x17, 0x97, 0x27, 0xa7], ntp_control),
];

/// The PDU's tag, and SNMP's version number; the sequence must hold them.
pub(crate) fn snmp_pdu(data: &[u8]) -> Option<(u8, u8)> {
    let (len, at) = ber_len(data, 1)?;
    if data.first() != Some(&0x30)
        || at.checked_add(len)? > data.len()
        || data.get(at..at + 2)? != [2, 1]
    {
        return None;
    }
    let version = *data.get(at + 2)?;
    let next = at + 3;
    match (version, *data.get(next)?) {
        (0 | 1, 4) => {
            let (community, at) = ber_len(data, next + 1)?;
            let tag = *data.get(at.checked_add(community)?)?;
            (0xa0..=0xa8).contains(&tag).then_some((version, tag))
        }
        // SNMPv3: the header's sequence begins with a message id and the largest size.
        (3, 0x30) => (data.get(next + 2) == Some(&2)).then_some((3, 0)),
        _ => None,
    }
}

fn snmp(v: &View<'_>, _: &mut Memo) -> bool {
    snmp_pdu(v.data).is_some()
}

/// Version 1–4, mode 1–5 and 48 octets (or with a key); on its port.
fn ntp(v: &View<'_>, _: &mut Memo) -> bool {
    let (version, mode) = (v.u8(0) >> 3 & 7, v.u8(0) & 7);
    v.port(123)
        && (1..=4).contains(&version)
        && match mode {
            1..=5 => v.len() >= 48 && v.len() <= 400 && v.u8(1) <= 16,
            6 => v.len() >= 12,
            7 => v.len() >= 8,
            // NTPv1 has no modes: a whole packet with a sane stratum.
            _ => version == 1 && v.len() == 48 && v.u8(1) <= 16,
        }
}

fn ntp_control(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(123)
}

/// `<` a priority of 0–191 `>`, then a version, a month, or words on its port.
fn syslog(v: &View<'_>, _: &mut Memo) -> bool {
    let Some(end) = v.data.iter().take(5).position(|c| *c == b'>') else {
        return false;
    };
    let digits = &v.data[1..end];
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    if digits.iter().fold(0, |n, d| n * 10 + u32::from(d - b'0')) > 191 {
        return false;
    }
    const MONTHS: &[&[u8]] = &[
        b"Jan ", b"Feb ", b"Mar ", b"Apr ", b"May ", b"Jun ", b"Jul ", b"Aug ", b"Sep ", b"Oct ",
        b"Nov ", b"Dec ",
    ];
    let rest = &v.data[end + 1..];
    let dated = rest.starts_with(b"1 2") || MONTHS.iter().any(|m| rest.starts_with(m));
    dated
        || v.port(514)
            && rest.first().is_some_and(|c| c.is_ascii_graphic() || *c == b' ' || *c >= 0x80)
}

/// The same in a stream, perhaps behind a count of octets.
fn syslog_tcp(v: &View<'_>, memo: &mut Memo) -> bool {
    let digits = v.data.iter().take(6).take_while(|c| c.is_ascii_digit()).count();
    let at = if digits > 0 && v.u8(digits) == b' ' { digits + 1 } else { 0 };
    let inner = View { data: v.data.get(at..).unwrap_or_default(), ..*v };
    v.to_server() && inner.u8(0) == b'<' && inner.len() > 8 && syslog(&inner, memo)
}

fn netflow(v: &View<'_>, _: &mut Memo) -> bool {
    let n = v.be16(2);
    match v.be16(0) {
        1 => v.len() == 16 + n * 52 && (1..=24).contains(&n),
        5 => v.len() == 24 + n * 48 && (1..=30).contains(&n),
        7 => v.len() == 24 + n * 52 && (1..=28).contains(&n),
        9 => (1..1000).contains(&n) && v.be32(8) > 1 << 29 && sets(v.data, 20, 0),
        _ => false,
    }
}

fn ipfix(v: &View<'_>, _: &mut Memo) -> bool {
    v.be16(0) == 10
        && (v.be16(2) == v.len() || v.tcp && v.port(4739))
        && v.be32(4) > 1 << 29
        && sets(v.data, 16, 2)
}

/// Sets of an identifier and a length, to the end of the datagram.
fn sets(data: &[u8], mut at: usize, least: usize) -> bool {
    let mut n = 0;
    while at + 4 <= data.len() {
        let (id, len) = (be16(data, at), be16(data, at + 2));
        if !(id == least || id == least + 1 || id >= 256) || len < 4 {
            return false;
        }
        at += len;
        n += 1;
    }
    n > 0 && at <= data.len() + 3
}

/// Version 5 (or 2, 4), an address family, sub-agent, numbers, a sample count and a known sample.
fn sflow(v: &View<'_>, _: &mut Memo) -> bool {
    let address = match v.be32(4) {
        1 => 4,
        2 => 16,
        _ => return false,
    };
    let samples = v.be32(8 + address + 12);
    matches!(v.be32(0), 2 | 4 | 5)
        && (1..=64).contains(&samples)
        && (v.port(6343) || v.be32(24 + address) & 0xfff <= 5)
}

/// Version 1 or 2, a known message, the datagram's length; on its ports.
fn ptp(v: &View<'_>, _: &mut Memo) -> bool {
    v.port_of(App::Ptp)
        && (v.u8(1) & 15 == 2 && v.be16(2) <= v.len() && v.be16(2) >= 34 || v.be16(0) == 1)
}

/// RMCP version 1.0: class ASF or IPMI.
fn ipmi(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, &[6, 0])
        && matches!(v.u8(3) & 0x7f, 6 | 7)
        && (v.port(623)
            || v.port(664)
            || v.u8(2) == 0xff
                && (v.u8(3) == 7 && matches!(v.u8(4), 0 | 6) || v.is(4, &[0, 0, 0x11, 0xbe])))
}

fn capwap(v: &View<'_>, _: &mut Memo) -> bool {
    v.port_of(App::Capwap)
        && (v.u8(0) == 1 && v.is(1, &[0, 0, 0])
            || v.u8(0) == 0 && usize::from(v.u8(1) >> 3) * 4 <= v.len() && v.u8(1) >> 3 >= 2)
}

/// A request is four zeros; an announcement begins with the device's address.
fn mndp(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(5678)
        && (v.len() <= 9 && v.be32(0) == 0 || v.is(4, &[0, 1, 0, 6]) || v.is(6, &[0, 1, 0, 6]))
}

fn dropbox(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(17_500) && (v.has(b"\"host_int\"", v.len()) || v.has(b"\"version\"", 40))
}

/// A SOAP envelope of Web Services Discovery.
fn wsd(v: &View<'_>, _: &mut Memo) -> bool {
    v.has(b"envelope", 400) && (v.port(3702) || v.has(b"/ws/2005/04/discovery", 1200))
}

/// Six 0xff, then one hardware address sixteen times.
fn wol(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, &[0xff; 6]) && v.data[6..102].chunks_exact(6).all(|mac| mac == &v.data[6..12])
}

fn natpmp(v: &View<'_>, _: &mut Memo) -> bool {
    v.port_of(App::Natpmp)
        && (v.u8(0) == 0 && v.len() <= 16 && v.u8(1) & 0x7f <= 2
            || v.u8(0) == 2 && v.len() >= 24 && v.u8(1) & 0x7f <= 2)
}

/// Version 2 states its whole length in three octets; version 1 on its port.
fn slp(v: &View<'_>, _: &mut Memo) -> bool {
    let whole = be32(v.data, 1) & 0xff_ffff == v.len();
    v.port(427) && (1..=11).contains(&v.u8(1)) && (v.u8(0) == 1 || whole)
}

fn bjnp(v: &View<'_>, _: &mut Memo) -> bool {
    (v.is(0, b"BJN") || v.is(0, b"MFNP")) && v.be32(12) + 16 == v.len()
}

fn tzsp(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(37_008) && v.u8(1) <= 5
}

fn gelf(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, &[0x1e, 0x0f]) && v.u8(10) < v.u8(11) && v.u8(11) <= 128
}

fn ubnt(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(10_001) && v.be16(2) + 4 == v.len()
}

/// `name:value|kind`, on its port.
fn statsd(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(8125) && v.text(64) && v.data.contains(&b':') && v.data.contains(&b'|')
}

fn lwapp(v: &View<'_>, _: &mut Memo) -> bool {
    v.port_of(App::Lwapp) && be16(v.data, 2) <= v.len() + 6
}

fn wccp(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(2048) && (7..=13).contains(&v.be32(0))
}

fn zabbix(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, b"ZBXD") && v.u8(4) & !7 == 0
}

fn checkmk(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, b"<<<check_mk>>>")
        || v.port(6556) && v.is(0, b"<<<") && super::has(line(v.data), b">>>", 80)
}

/// A version, a known type, a length that fits: on its ports, or a hello.
fn openflow(v: &View<'_>, _: &mut Memo) -> bool {
    let len = v.be16(2);
    if len < 8 || v.u8(1) > 35 || len > v.len() && v.len() < 500 {
        return false;
    }
    v.port_of(App::Openflow)
        || v.u8(1) == 0
            && len == v.len()
            && (len == 8 || len == 16 && v.is(8, &[0, 1, 0, 8]))
            && v.start
}

fn ovsdb(v: &View<'_>, _: &mut Memo) -> bool {
    (v.has(b"\"method\":\"", 400) || v.port(6640))
        && (v.has(b"\"list_dbs\"", 400)
            || v.has(b"\"monitor_cond", 400)
            || v.has(b"\"Open_vSwitch\"", 400)
            || v.port(6640) && v.has(b"\"echo\"", 200))
}

fn ajp(v: &View<'_>, _: &mut Memo) -> bool {
    (v.is(0, &[0x12, 0x34]) || v.is(0, b"AB"))
        && v.be16(2) + 4 <= v.len()
        && v.be16(2) > 0
        && v.port(8009)
}

fn fastcgi(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, &[1, 1])
        && v.be16(4) == 8
        && v.is(6, &[0])
        && v.be16(8) <= 3
        && v.is(11, &[0, 0, 0, 0, 0])
        && v.u8(17) == 4
}

/// Weave messages between Nest's own node numbers (18:b4:30).
fn nest(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(11_095)
        && v.le16(0) + 2 <= v.len()
        && (v.is(13, &[0x30, 0xb4, 0x18]) || v.is(21, &[0x30, 0xb4, 0x18]))
}

fn munin(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, b"# munin node at ")
}

fn rpcbind_udp(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(111)
        && (be32(v.data, 4) == 0 && be32(v.data, 8) == 2 && be32(v.data, 12) == 100_000
            || be32(v.data, 4) == 1 && be32(v.data, 8) <= 1)
}

fn rpcbind_tcp(v: &View<'_>, memo: &mut Memo) -> bool {
    rpcbind_udp(&View { data: &v.data[4..], ..*v }, memo)
}
