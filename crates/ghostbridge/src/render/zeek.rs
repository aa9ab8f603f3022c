//! `zeek`: what Zeek's `conn.log` holds of a flow, tab-separated with its header lines.
//!
//! Escapes as Zeek's own writer does: `\xNN` for separators, backslashes and what is not printable
//! ASCII or a letter; `-` for unset, `(empty)` for an empty set. Histories are not kept by the log,
//! so the column is unset; `conn_state` is derived from the TCP state and the packets of each side.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::row::Row;
use super::safe::is_hostile;

const FIELDS: &[(&str, &str)] = &[
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("proto", "enum"),
    ("service", "string"),
    ("duration", "interval"),
    ("orig_bytes", "count"),
    ("resp_bytes", "count"),
    ("conn_state", "string"),
    ("history", "string"),
    ("orig_pkts", "count"),
    ("resp_pkts", "count"),
    ("community_id", "string"),
    ("vlan", "int"),
    ("server_name", "string"),
    ("query", "string"),
    ("host", "string"),
    ("behaviours", "set[string]"),
];

/// The state of a log that is being written.
#[derive(Debug, Default)]
pub(super) struct Zeek {
    begun: bool,
    logs: bool,
}

/// Whose log a row is of, where there are several.
const LOG: &[(&str, &str)] = &[("log", "string")];

impl Zeek {
    pub(super) fn new(logs: bool) -> Zeek {
        Zeek { begun: false, logs }
    }

    fn fields(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        FIELDS.iter().chain(if self.logs { LOG } else { &[] }).copied()
    }

    fn begin(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.begun {
            return Ok(());
        }
        self.begun = true;
        out.write_all(b"#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n")?;
        out.write_all(b"#unset_field\t-\n#path\tconn\n")?;
        let (names, types): (Vec<_>, Vec<_>) = self.fields().unzip();
        writeln!(out, "#fields\t{}", names.join("\t"))?;
        writeln!(out, "#types\t{}", types.join("\t"))
    }

    pub(super) fn row(&mut self, out: &mut impl Write, row: &Row) -> io::Result<()> {
        self.begin(out)?;
        let cells: Vec<_> = self.fields().map(|(field, _)| cell(row, field)).collect();
        writeln!(out, "{}", cells.join("\t"))
    }

    pub(super) fn finish(mut self, out: &mut impl Write) -> io::Result<()> {
        self.begin(out)
    }
}

fn cell(row: &Row, field: &str) -> String {
    // A connection's originator opened it, whoever sent this packet.
    let (origin, responder) = match row.is_answer() {
        true => (["dest_ip", "dest_port", "icmp_type"], ["src_ip", "src_port", "icmp_code"]),
        false => (["src_ip", "src_port", "icmp_type"], ["dest_ip", "dest_port", "icmp_code"]),
    };
    match field {
        "ts" => micros(&row.start()).map_or_else(|| "-".to_owned(), seconds),
        "duration" => match (micros(&row.start()), micros(&row.end())) {
            (Some(start), Some(end)) => seconds(end - start),
            _ => "-".to_owned(),
        },
        "uid" => uid(row),
        "id.orig_h" => text(&row.text(origin[0])),
        "id.orig_p" => port(row, origin[1], origin[2]),
        "id.resp_h" => text(&row.text(responder[0])),
        "id.resp_p" => port(row, responder[1], responder[2]),
        "proto" => text(&proto(row)),
        "service" => text(&row.text("app_proto")),
        "orig_bytes" => row.payload_to(true).to_string(),
        "resp_bytes" => row.payload_to(false).to_string(),
        "conn_state" => state(row).to_owned(),
        "orig_pkts" => row.packets_to(true).to_string(),
        "resp_pkts" => row.packets_to(false).to_string(),
        "community_id" => text(&row.text("community_id")),
        "log" => text(&row.text("log")),
        "vlan" => row.list("vlan").first().map_or_else(|| "-".to_owned(), |v| text(v)),
        "server_name" => text(&row.text("tls.sni")),
        "query" => text(&row.dns_names().first().cloned().unwrap_or_default()),
        "host" => text(&row.text("http.hostname")),
        "behaviours" => {
            let tags = row.behaviours();
            let shown = tags.iter().map(|t| text(t).replace(',', "\\x2c")).collect::<Vec<_>>();
            if shown.is_empty() { "(empty)".to_owned() } else { shown.join(",") }
        }
        _ => "-".to_owned(),
    }
}

fn proto(row: &Row) -> String {
    match row.text("proto").as_str() {
        "IPv6-ICMP" | "ICMPv6" | "ICMP" => "icmp".to_owned(),
        known @ ("TCP" | "UDP") => known.to_ascii_lowercase(),
        "" => String::new(),
        _ => "unknown_transport".to_owned(),
    }
}

fn port(row: &Row, port: &str, icmp: &str) -> String {
    match row.number(port) {
        0 => row.number(icmp).to_string(),
        port => port.to_string(),
    }
}

fn state(row: &Row) -> &'static str {
    if row.is_packet() {
        return "OTH";
    }
    let (sent, answered) = (row.packets_to(true), row.packets_to(false));
    let reset = row.get("tcp.rst").is_some_and(|v| v == true);
    match (row.text("proto").as_str(), row.text("flow.state").as_str()) {
        ("TCP", _) if reset && answered > 0 && row.number("ghost.payload_toclient") == 0 => "REJ",
        ("TCP", _) if reset => "RSTO",
        ("TCP", "closed") => "SF",
        ("TCP", "established") => "S1",
        ("TCP", _) if answered == 0 => "S0",
        ("TCP", _) => "OTH",
        _ if answered == 0 => "S0",
        _ if sent == 0 => "SHR",
        _ => "SF",
    }
}

/// Zeek's ids begin with C; ours is the flow's number in base 62.
fn uid(row: &Row) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut number = row.number("flow_id");
    let mut digits = Vec::new();
    while number > 0 || digits.is_empty() {
        let digit = usize::try_from(number % 62).unwrap_or_default();
        digits.push(char::from(DIGITS.get(digit).copied().unwrap_or(b'0')));
        number /= 62;
    }
    std::iter::once('C').chain(digits.into_iter().rev()).collect()
}

/// Microseconds since 1970 of an EVE timestamp.
fn micros(timestamp: &str) -> Option<i64> {
    let parsed = jiff::fmt::strtime::parse("%Y-%m-%dT%H:%M:%S%.f%z", timestamp).ok()?;
    Some(parsed.to_timestamp().ok()?.as_microsecond())
}

fn seconds(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let micros = micros.unsigned_abs();
    format!("{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// One value; unset where empty.
fn text(value: &str) -> String {
    match value {
        "" => return "-".to_owned(),
        "-" => return "\\x2d".to_owned(),
        "(empty)" => return "\\x28empty)".to_owned(),
        _ => {}
    }
    let mut out = String::with_capacity(value.len());
    for (at, c) in value.chars().enumerate() {
        if is_hostile(c) || c == '\\' || (at == 0 && c == '#') {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(out, "\\x{byte:02x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_as_many_fields_as_the_header_whatever_the_name() {
        bolero::check!().with_type::<String>().with_iterations(1000).for_each(|name| {
            let line = serde_json::json!({"dns": {"rrname": name}, "src_ip": name}).to_string();
            let mut zeek = Zeek::default();
            let mut out = Vec::new();
            zeek.row(&mut out, &Row::parse(line.as_bytes()).unwrap()).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert_eq!(text.lines().count(), 8);
            assert_eq!(text.lines().last().unwrap().split('\t').count(), FIELDS.len());
        });
    }

    #[test]
    fn time_is_seconds_since_the_epoch_with_microseconds() {
        assert_eq!(micros("1970-01-01T00:00:01.500000+0000"), Some(1_500_000));
        assert_eq!(seconds(1_500_000), "1.500000");
        assert_eq!(micros("yesterday"), None);
    }

    #[test]
    fn what_zeek_reads_as_unset_or_comment_is_escaped() {
        assert_eq!(text("-"), "\\x2d");
        assert_eq!(text("#fields"), "\\x23fields");
        assert_eq!(text("a\tb\\"), "a\\x09b\\x5c");
        assert_eq!(text("\u{202e}x"), "\\xe2\\x80\\xaex");
    }

    #[test]
    fn a_syn_without_answer_is_s0_and_a_refused_one_is_rej() {
        let s0 = Row::parse(br#"{"proto":"TCP","flow":{"pkts_toserver":1,"state":"new"}}"#);
        assert_eq!(state(&s0.unwrap()), "S0");
        let refused = br#"{"proto":"TCP","flow":{"pkts_toserver":1,"pkts_toclient":1},
            "tcp":{"rst":true}}"#;
        assert_eq!(state(&Row::parse(refused).unwrap()), "REJ");
    }
}
