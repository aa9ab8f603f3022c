//! `eve`: the separate `flow`, `dns`, `tls`, `http`, `ssh`, … lines that EVE readers switch on.
//!
//! The log keeps one line a flow with its names inside; here each protocol object becomes a line
//! of its own with the flow's addresses. Our own `ghost` object is left out, except for the
//! sequence number that leads back to the log.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::json::spelled;
use super::row::Row;

/// What every EVE line of a flow repeats.
const COMMON: &[&str] = &[
    "timestamp",
    "flow_id",
    "in_iface",
    "pcap_filename",
    "vlan",
    "src_ip",
    "src_port",
    "dest_ip",
    "dest_port",
    "proto",
    "icmp_type",
    "icmp_code",
    "app_proto",
    "community_id",
    "ether",
    // Whose log it is of, where there are several: EVE's name for the sensor.
    "host",
];
/// Objects of the flow line that are not a protocol's messages.
const OF_FLOW: &[&str] = &["flow", "tcp", "tunnel", "tunnels"];

pub(super) fn row(out: &mut impl Write, row: Row) -> io::Result<()> {
    let seq = row.get("ghost.seq").cloned();
    let dns_names = row.dns_names();
    // EVE counts packets in `flow` only: a packet is a flow's share of one.
    let of_packet = row.is_packet().then(|| {
        json!({
            "pkts_toserver": row.packets_to(true), "pkts_toclient": row.packets_to(false),
            "bytes_toserver": row.bytes_to(true), "bytes_toclient": row.bytes_to(false),
        })
    });
    let mut object = row.object;
    object.remove("ghost");
    if let Some(log) = object.remove("log") {
        object.insert("host".to_owned(), log);
    }
    if let Some(counters) = of_packet {
        object.insert("flow".to_owned(), counters);
    }
    let common: Map<String, Value> = COMMON
        .iter()
        .filter_map(|key| object.get(*key).map(|v| ((*key).to_owned(), v.clone())))
        .collect();
    let messages: Vec<(String, Value)> = object
        .iter()
        .filter(|(key, value)| value.is_object() && !is_of_flow(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    for (name, message) in messages {
        object.remove(&name);
        if name == "dns" {
            for (tx_id, rrname) in dns_names.iter().enumerate() {
                let query = json!({
                    "version": 2, "type": "query", "tx_id": tx_id, "rrname": rrname,
                    "rrtype": rrtype(&message, rrname),
                });
                event(out, &common, "dns", without_null(query), seq.as_ref())?;
            }
        } else {
            event(out, &common, &name, message, seq.as_ref())?;
        }
    }
    if let Some(seq) = seq {
        object.insert("ghost".to_owned(), json!({ "seq": seq }));
    }
    line(out, object)
}

fn is_of_flow(key: &str) -> bool {
    COMMON.contains(&key) || OF_FLOW.contains(&key)
}

fn rrtype(dns: &Value, rrname: &str) -> Value {
    let queries = dns.get("queries").and_then(Value::as_array);
    queries
        .and_then(|q| q.iter().find(|q| q.get("rrname").is_some_and(|n| n == rrname)))
        .and_then(|q| q.get("rrtype"))
        .cloned()
        .unwrap_or(Value::Null)
}

fn without_null(mut value: Value) -> Value {
    if let Value::Object(map) = &mut value {
        map.retain(|_, v| !v.is_null());
    }
    value
}

fn event(
    out: &mut impl Write,
    common: &Map<String, Value>,
    name: &str,
    message: Value,
    seq: Option<&Value>,
) -> io::Result<()> {
    let mut object = common.clone();
    object.insert("event_type".to_owned(), name.into());
    object.insert(name.to_owned(), message);
    if let Some(seq) = seq {
        object.insert("ghost".to_owned(), json!({ "seq": seq }));
    }
    line(out, object)
}

fn line(out: &mut impl Write, object: Map<String, Value>) -> io::Result<()> {
    spelled(out, &Value::Object(object).to_string())?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGGED: &[u8] = br#"{"timestamp":"2026-11-20T05:56:41.123456+0000","flow_id":5,
        "event_type":"flow","src_ip":"10.0.0.1","proto":"UDP","flow":{"pkts_toserver":2},
        "dns":{"rrname":"a.org","queries":[{"rrname":"a.org","rrtype":"A"},{"rrname":"b.org"}]},
        "tls":{"sni":"c.org"},"ghost":{"v":1,"seq":9}}"#;

    #[test]
    fn a_packet_is_one_line_whose_flow_counts_it_alone() {
        let logged = br#"{"timestamp":"2026-11-20T05:56:41.123456+0000","flow_id":5,
            "event_type":"packet","direction":"to_client","src_ip":"10.0.0.2","proto":"TCP",
            "tcp":{"tcp_flags":"10"},"ghost":{"v":1,"len":60,"seq":9}}"#;
        let mut out = Vec::new();
        row(&mut out, Row::parse(logged).unwrap()).unwrap();
        let line: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(line["event_type"], "packet");
        assert_eq!(line["flow"]["pkts_toclient"], 1);
        assert_eq!(line["flow"]["bytes_toclient"], 60);
        assert_eq!(line["flow"]["pkts_toserver"], 0);
        assert_eq!(line["ghost"], json!({"seq": 9}));
    }

    #[test]
    fn one_logged_flow_becomes_a_line_for_each_query_each_protocol_and_the_flow() {
        let mut out = Vec::new();
        row(&mut out, Row::parse(LOGGED).unwrap()).unwrap();
        let lines: Vec<Value> = String::from_utf8(out)
            .unwrap()
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        let types: Vec<_> = lines.iter().map(|l| l["event_type"].as_str().unwrap()).collect();
        assert_eq!(types, ["dns", "dns", "tls", "flow"]);
        assert_eq!(lines[0]["dns"]["rrname"], "a.org");
        assert_eq!(lines[0]["dns"]["rrtype"], "A");
        assert_eq!(lines[1]["dns"]["rrname"], "b.org");
        assert_eq!(lines[2]["tls"]["sni"], "c.org");
        assert!(lines.iter().all(|l| l["src_ip"] == "10.0.0.1" && l["flow_id"] == 5));
        assert!(lines[3].get("dns").is_none() && lines[3].get("tls").is_none());
        assert_eq!(lines[3]["ghost"], json!({"seq": 9}));
    }
}
