//! What a log holds of a load: events, packets, gaps. Counted line by line, as any reader would.

use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::stand::TARGET_PORT;
use crate::sh::Outcome;

/// What was read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Held {
    /// Of the load.
    pub(super) flow_events: u64,
    /// Flows that those stand for: a folded one stands for many.
    pub(super) flows: u64,
    pub(super) folded_events: u64,
    pub(super) packets: u64,
    pub(super) packet_events: u64,
    /// Of everything.
    pub(super) gap_packets: u64,
    pub(super) lines: u64,
    pub(super) bytes: u64,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} lines, {} MB: {} flow events ({} folded) of {} flows and {} packets, {} packet \
             events, {} packets in gaps",
            self.lines,
            self.bytes / 1_000_000,
            self.flow_events,
            self.folded_events,
            self.flows,
            self.packets,
            self.packet_events,
            self.gap_packets
        )
    }
}

/// The log's files below `data`.
pub(super) fn files(data: &Path) -> Outcome<Vec<PathBuf>> {
    let mut files = Vec::new();
    for folder in [data.join("log/segments"), data.join("log")] {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
        files.extend(paths.filter(|path| path.extension().is_some_and(|e| e == "jsonl")));
    }
    if files.is_empty() { Err(format!("no log in {}", data.display())) } else { Ok(files) }
}

/// Reads all of it; `each` gets every line that is no packet's.
pub(super) fn read(data: &Path, mut each: impl FnMut(&[u8])) -> Outcome<Held> {
    let mut held = Held::default();
    for path in files(data)? {
        let failed = |e: std::io::Error| format!("{}: {e}", path.display());
        let mut lines = BufReader::with_capacity(1 << 20, File::open(&path).map_err(failed)?);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).map_err(failed)? > 0 {
            held.lines += 1;
            held.bytes += line.len() as u64;
            if is_packet(&line) {
                held.packet_events += 1;
            } else {
                held.count(&line);
                each(&line);
            }
            line.clear();
        }
    }
    Ok(held)
}

/// A packet's line names its kind early; there are too many of them to read each in full.
fn is_packet(line: &[u8]) -> bool {
    let head = line.get(..line.len().min(160)).unwrap_or_default();
    let kind: &[u8] = b"\"event_type\":\"packet\"";
    head.windows(kind.len()).any(|window| window == kind)
}

impl Held {
    fn count(&mut self, line: &[u8]) {
        let line: Value = serde_json::from_slice(line).unwrap_or(Value::Null);
        let number = |value: &Value| value.as_u64().unwrap_or(0);
        match line["event_type"].as_str() {
            // Where the other port is a known service's, that side is taken for the server.
            Some("flow")
                if ["dest_port", "src_port"].iter().any(|p| number(&line[*p]) == TARGET_PORT) =>
            {
                let folded = number(&line["ghost"]["folded"]["flows"]);
                self.flow_events += 1;
                self.folded_events += u64::from(folded > 0);
                self.flows += folded.max(1);
                let flow = &line["flow"];
                self.packets += number(&flow["pkts_toserver"]) + number(&flow["pkts_toclient"]);
            }
            Some("gap") => self.gap_packets += number(&line["ghost"]["gap"]["packets"]),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_loads_flows_and_the_gaps_are_counted() {
        let mut held = Held::default();
        for line in [
            json!({"event_type": "flow", "dest_port": 9, "flow": {"pkts_toserver": 5, "pkts_toclient": 1}}),
            json!({"event_type": "flow", "dest_port": 9, "flow": {"pkts_toserver": 70},
                "ghost": {"folded": {"flows": 70}}}),
            json!({"event_type": "flow", "dest_port": 53, "flow": {"pkts_toserver": 7}}),
            json!({"event_type": "gap", "ghost": {"gap": {"packets": 2}}}),
            json!({"event_type": "shape"}),
        ] {
            held.count(line.to_string().as_bytes());
        }
        assert_eq!((held.flow_events, held.folded_events, held.flows), (2, 1, 71));
        assert_eq!((held.packets, held.gap_packets), (76, 2));
    }

    #[test]
    fn a_packets_line_is_told_by_its_head() {
        assert!(is_packet(
            b"{\"timestamp\":\"x\",\"flow_id\":1,\"event_type\":\"packet\",\"a\":1}"
        ));
        assert!(!is_packet(b"{\"timestamp\":\"x\",\"flow_id\":1,\"event_type\":\"flow\"}"));
        assert!(!is_packet(b""));
    }
}
