//! One logged `flow` line, opened for the forms that pick fields out of it.
//!
//! Every accessor answers for a missing or oddly typed field as for an absent one: a later version
//! of the log may leave out or add fields, and a row is still a row.

use std::io;

use serde_json::{Map, Value};

/// One parsed line.
#[derive(Debug)]
pub(crate) struct Row {
    pub(super) object: Map<String, Value>,
}

impl Row {
    pub(crate) fn parse(line: &[u8]) -> io::Result<Row> {
        let object = serde_json::from_slice(line)
            .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, format!("log line: {e}")))?;
        Ok(Row { object })
    }

    /// The value at a dotted path.
    pub(super) fn get(&self, path: &str) -> Option<&Value> {
        let mut keys = path.split('.');
        let first = self.object.get(keys.next()?)?;
        keys.try_fold(first, |value, key| value.get(key))
    }

    /// Text, number or truth value at a path, as text; "" where absent.
    pub(super) fn text(&self, path: &str) -> String {
        self.get(path).map(plain).unwrap_or_default()
    }

    pub(super) fn number(&self, path: &str) -> u64 {
        self.get(path).and_then(Value::as_u64).unwrap_or(0)
    }

    /// Every text of the list at `path`.
    pub(super) fn list(&self, path: &str) -> Vec<String> {
        match self.get(path) {
            Some(Value::Array(items)) => items.iter().map(plain).collect(),
            Some(one) => vec![plain(one)],
            None => Vec::new(),
        }
    }

    /// Whether it is one packet's line, and not a flow's.
    pub(super) fn is_packet(&self) -> bool {
        self.get("event_type").is_some_and(|kind| kind == "packet")
    }

    /// Whether it tells of an element, and not of traffic.
    pub(super) fn is_change(&self) -> bool {
        self.get("event_type").is_some_and(|kind| kind == "change")
    }

    /// `bridge:br0 down: up true -> false`.
    fn change(&self) -> String {
        let mut out =
            format!("{} {}", self.text("ghost.element.id"), self.text("ghost.change.action"));
        let fields = self.list("ghost.change.changed");
        for (at, field) in fields.iter().enumerate() {
            let side = |side: &str| {
                let facts = self.get("ghost.change").and_then(|change| change.get(side));
                facts.and_then(|facts| facts.get(field)).map_or_else(|| "-".to_owned(), plain)
            };
            out += if at == 0 { ": " } else { ", " };
            out += &format!("{field} {} -> {}", side("before"), side("after"));
        }
        out
    }

    /// Whether a packet went back to the side that opened the flow.
    pub(super) fn is_answer(&self) -> bool {
        self.is_packet() && self.get("direction").is_some_and(|way| way == "to_client")
    }

    /// What the line counts for one side: the flow's counter of that name, or the packet itself.
    fn side(&self, of_flow: &str, of_packet: impl FnOnce(&Row) -> u64, to_server: bool) -> u64 {
        match self.is_packet() {
            false => self.number(of_flow),
            true if self.is_answer() == to_server => 0,
            true => of_packet(self),
        }
    }

    pub(super) fn packets_to(&self, server: bool) -> u64 {
        let key = if server { "flow.pkts_toserver" } else { "flow.pkts_toclient" };
        self.side(key, |row| row.number("ghost.segments").max(1), server)
    }

    pub(super) fn bytes_to(&self, server: bool) -> u64 {
        let key = if server { "flow.bytes_toserver" } else { "flow.bytes_toclient" };
        self.side(key, |row| row.number("ghost.len"), server)
    }

    pub(super) fn payload_to(&self, server: bool) -> u64 {
        let key = if server { "ghost.payload_toserver" } else { "ghost.payload_toclient" };
        self.side(key, |row| row.number("ghost.payload"), server)
    }

    pub(super) fn packets(&self) -> u64 {
        self.packets_to(true).saturating_add(self.packets_to(false))
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes_to(true).saturating_add(self.bytes_to(false))
    }

    /// When it began: a packet at its only moment.
    pub(super) fn start(&self) -> String {
        if self.is_packet() || self.is_change() {
            self.text("timestamp")
        } else {
            self.text("flow.start")
        }
    }

    pub(super) fn end(&self) -> String {
        if self.is_packet() || self.is_change() {
            self.text("timestamp")
        } else {
            self.text("flow.end")
        }
    }

    /// What a table says of it beside its numbers: of a flood how many flows it stands for, of a
    /// packet what it is, else its name.
    pub(super) fn summary(&self) -> String {
        if self.get("ghost.folded").is_some() {
            return self.flood();
        }
        if self.is_change() {
            return self.change();
        }
        if !self.is_packet() {
            return self.name();
        }
        let flags = u8::from_str_radix(&self.text("tcp.tcp_flags"), 16).unwrap_or(0);
        let mut out = String::from(if self.is_answer() { "packet back" } else { "packet" });
        for (bit, name) in FLAGS {
            if flags & bit != 0 {
                out.push(' ');
                out.push_str(name);
            }
        }
        match self.number("ghost.payload") {
            0 => {}
            bytes => out.push_str(&format!(" {bytes} B")),
        }
        out
    }

    /// `flood: 1,234,567 flows from ~80k sources`.
    fn flood(&self) -> String {
        let about = |key: &str| match self.number(key) {
            n if n >= 10_000_000 => format!("~{}M", n / 1_000_000),
            n if n >= 10_000 => format!("~{}k", n / 1_000),
            n => format!("~{n}"),
        };
        let mut out = format!("flood: {} flows", grouped(self.number("ghost.folded.flows")));
        for (key, before, after) in [
            ("ghost.folded.sources", " from ", " sources"),
            ("ghost.folded.targets", " to ", " targets"),
            ("ghost.folded.ports", " on ", " ports"),
        ] {
            if self.number(key) > 1 {
                out.extend([before, &about(key), after]);
            }
        }
        out
    }

    /// `address:port`, `[v6]:port`, an address, or a MAC below IP.
    pub(super) fn endpoint(&self, ip: &str, port: &str, mac: &str) -> String {
        let address = self.text(ip);
        match (self.number(port), address.as_str()) {
            (_, "") => self.text(mac),
            (0, _) => address,
            (p, a) if a.contains(':') => format!("[{a}]:{p}"),
            (p, a) => format!("{a}:{p}"),
        }
    }

    pub(super) fn source(&self) -> String {
        self.endpoint("src_ip", "src_port", "ether.src_mac")
    }

    pub(super) fn target(&self) -> String {
        self.endpoint("dest_ip", "dest_port", "ether.dest_mac")
    }

    /// DNS names asked for, in order, each once.
    pub(super) fn dns_names(&self) -> Vec<String> {
        let mut names = self.list("dns.rrname");
        if let Some(Value::Array(queries)) = self.get("dns.queries") {
            names.extend(queries.iter().filter_map(|q| q.get("rrname")).map(plain));
        }
        once_each(names)
    }

    /// What a person would call the flow's target: the first name that its messages told.
    pub(super) fn name(&self) -> String {
        const PATHS: &[&str] = &[
            "tls.sni",
            "http.hostname",
            "dns.rrname",
            "dhcp.hostname",
            "netbios.names",
            "ssh.server.software_version",
            "ghost.dest_name",
            "ghost.brand",
        ];
        let first = |path: &&str| self.list(path).into_iter().find(|n| !n.is_empty());
        PATHS.iter().find_map(first).unwrap_or_default()
    }

    pub(super) fn behaviours(&self) -> Vec<String> {
        self.list("ghost.behaviours")
    }
}

/// Names of TCP's flags.
const FLAGS: &[(u8, &str)] =
    &[(0x02, "SYN"), (0x01, "FIN"), (0x04, "RST"), (0x08, "PSH"), (0x10, "ACK"), (0x20, "URG")];

/// `1,234,567`.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A scalar as plain text; anything else as compact JSON.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn once_each(names: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    names.into_iter().filter(|n| seen.insert(n.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_endpoint_stands_in_brackets_only_with_a_port() {
        let row = Row::parse(br#"{"src_ip":"fe80::1","dest_ip":"2001:db8::1","dest_port":53}"#);
        let row = row.unwrap();
        assert_eq!((row.source(), row.target()), ("fe80::1".into(), "[2001:db8::1]:53".into()));
    }

    #[test]
    fn below_ip_the_hardware_addresses_stand_in() {
        let row = Row::parse(br#"{"ether":{"src_mac":"02:00:00:00:00:01"}}"#).unwrap();
        assert_eq!(row.source(), "02:00:00:00:00:01");
        assert_eq!(row.target(), "");
    }

    #[test]
    fn names_in_the_list_are_added_to_the_first_and_told_once() {
        let row = Row::parse(
            br#"{"dns":{"rrname":"a.org","queries":[{"rrname":"a.org"},{"rrname":"b.org"}]}}"#,
        );
        assert_eq!(row.unwrap().dns_names(), ["a.org", "b.org"]);
    }

    #[test]
    fn a_flood_says_how_many_flows_it_stands_for() {
        let row = Row::parse(
            br#"{"event_type":"flow","flow":{"pkts_toserver":1234567},
                "ghost":{"folded":{"flows":1234567,"sources":80123,"targets":1,"ports":7}}}"#,
        )
        .unwrap();
        assert_eq!(row.summary(), "flood: 1,234,567 flows from ~80k sources on ~7 ports");
        assert_eq!(row.packets(), 1_234_567);
    }

    #[test]
    fn a_packet_counts_as_itself_on_the_side_that_sent_it() {
        let row = Row::parse(
            br#"{"timestamp":"2026-11-20T05:56:41.000001+0000","event_type":"packet",
                "direction":"to_client","tcp":{"tcp_flags":"12"},
                "ghost":{"len":1514,"payload":1448,"segments":2}}"#,
        )
        .unwrap();
        assert_eq!(row.summary(), "packet back SYN ACK 1448 B");
        assert_eq!((row.packets_to(true), row.packets_to(false)), (0, 2));
        assert_eq!((row.bytes_to(true), row.bytes_to(false), row.bytes()), (0, 1514, 1514));
        assert_eq!((row.payload_to(true), row.payload_to(false)), (0, 1448));
        assert_eq!(row.start(), row.end());
    }

    #[test]
    fn a_line_that_is_not_json_is_an_error_and_not_a_row() {
        assert!(Row::parse(b"{\"timestamp\":").is_err());
    }
}
