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

    pub(super) fn packets(&self) -> u64 {
        self.number("flow.pkts_toserver").saturating_add(self.number("flow.pkts_toclient"))
    }

    pub(super) fn bytes(&self) -> u64 {
        self.number("flow.bytes_toserver").saturating_add(self.number("flow.bytes_toclient"))
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
    fn a_line_that_is_not_json_is_an_error_and_not_a_row() {
        assert!(Row::parse(b"{\"timestamp\":").is_err());
    }
}
