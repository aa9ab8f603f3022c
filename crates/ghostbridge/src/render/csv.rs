//! `csv`: RFC 4180 with a header line, safe to open in a spreadsheet.
//!
//! A text cell that a spreadsheet would take for a formula gets a leading apostrophe; controls
//! and line breaks inside names are shown escaped, so that a row is always one line.

use std::io::{self, Write};

use super::row::Row;
use super::{Hit, json, safe};

const COLUMNS: &[&str] = &[
    "seq",
    "timestamp",
    "start",
    "src_ip",
    "src_port",
    "dest_ip",
    "dest_port",
    "proto",
    "app_proto",
    "community_id",
    "pkts_toserver",
    "pkts_toclient",
    "bytes_toserver",
    "bytes_toclient",
    "state",
    "reason",
    "name",
    "dns",
    "sni",
    "host",
    "behaviours",
    "brand",
    "category",
    "vlan",
    "in_iface",
    "pcap_filename",
];
const HIT_COLUMNS: &[&str] = &["query_id", "rank", "score", "why"];
const LOG_COLUMNS: &[&str] = &["log"];

/// The state of a table that is being written.
#[derive(Debug)]
pub(super) struct Csv {
    hits: bool,
    logs: bool,
    begun: bool,
}

impl Csv {
    pub(super) fn new(hits: bool, logs: bool) -> Csv {
        Csv { hits, logs, begun: false }
    }

    fn begin(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.begun {
            return Ok(());
        }
        self.begun = true;
        let hit_columns = if self.hits { HIT_COLUMNS } else { &[] };
        let log_columns = if self.logs { LOG_COLUMNS } else { &[] };
        let names: Vec<_> = hit_columns.iter().chain(log_columns).chain(COLUMNS).copied().collect();
        write!(out, "{}\r\n", names.join(","))
    }

    pub(super) fn row(
        &mut self,
        out: &mut impl Write,
        row: &Row,
        hit: Option<Hit<'_>>,
    ) -> io::Result<()> {
        self.begin(out)?;
        let mut cells = Vec::with_capacity(COLUMNS.len() + HIT_COLUMNS.len());
        if self.hits {
            cells.push(cell(hit.and_then(|h| h.query_id).unwrap_or_default()));
            cells.push(hit.map(|h| h.rank.to_string()).unwrap_or_default());
            cells.push(hit.map(|h| json::round(h.score).to_string()).unwrap_or_default());
            cells.push(cell(&hit.map(|h| h.why.join("; ")).unwrap_or_default()));
        }
        let log_columns = if self.logs { LOG_COLUMNS } else { &[] };
        let columns = log_columns.iter().chain(COLUMNS);
        cells.extend(columns.map(|column| cell(&value(row, column))));
        write!(out, "{}\r\n", cells.join(","))
    }

    pub(super) fn finish(mut self, out: &mut impl Write) -> io::Result<()> {
        self.begin(out)
    }
}

fn value(row: &Row, column: &str) -> String {
    match column {
        "seq" => row.text("ghost.seq"),
        "start" => row.start(),
        "state" => row.text("flow.state"),
        "reason" => row.text("flow.reason"),
        "brand" => row.text("ghost.brand"),
        "category" => row.text("ghost.category"),
        "pkts_toserver" => row.packets_to(true).to_string(),
        "pkts_toclient" => row.packets_to(false).to_string(),
        "bytes_toserver" => row.bytes_to(true).to_string(),
        "bytes_toclient" => row.bytes_to(false).to_string(),
        "name" => row.name(),
        "dns" => row.dns_names().join(" "),
        "sni" => row.text("tls.sni"),
        "host" => row.text("http.hostname"),
        "behaviours" => row.behaviours().join(" "),
        "vlan" => row.list("vlan").join(" "),
        plain => row.text(plain),
    }
}

/// One cell, guarded and quoted as needed.
pub(super) fn cell(text: &str) -> String {
    let guarded =
        text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '|', '%', '＝', '＋', '－', '＠']);
    let mut shown = safe::terminal(text);
    if guarded {
        shown.insert(0, '\'');
    }
    if shown.contains([',', '"', '\'', ';']) || shown.starts_with(' ') || shown.ends_with(' ') {
        return format!("\"{}\"", shown.replace('"', "\"\""));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_becomes_text() {
        for formula in ["=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert!(cell(formula).starts_with("\"'"), "{formula:?} -> {}", cell(formula));
        }
        assert_eq!(cell("a=b"), "a=b");
    }

    #[test]
    fn quotes_are_doubled_and_separators_quoted() {
        assert_eq!(cell("a\"b,c"), "\"a\"\"b,c\"");
        assert_eq!(cell("two\nlines"), "two\\nlines");
    }

    #[test]
    fn every_row_has_as_many_cells_as_the_header() {
        bolero::check!().with_type::<String>().with_iterations(1000).for_each(|name| {
            let line = serde_json::json!({"tls": {"sni": name}}).to_string();
            let mut csv = Csv::new(true, false);
            let mut out = Vec::new();
            csv.row(&mut out, &Row::parse(line.as_bytes()).unwrap(), None).unwrap();
            let text = String::from_utf8(out).unwrap();
            let counts: Vec<_> = text.trim_end().split("\r\n").map(cells_in).collect();
            assert_eq!(counts, [COLUMNS.len() + HIT_COLUMNS.len(); 2]);
        });
    }

    /// A reader by RFC 4180: separators inside quotes do not count.
    fn cells_in(line: &str) -> usize {
        let mut inside = false;
        1 + line
            .chars()
            .filter(|c| {
                inside ^= *c == '"';
                *c == ',' && !inside
            })
            .count()
    }
}
