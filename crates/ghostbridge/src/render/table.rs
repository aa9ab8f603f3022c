//! `table`: aligned columns for people.
//!
//! Widths are settled on the first rows and kept, so that memory does not grow with the answer; a
//! longer cell in a later row is shortened. Every cell is escaped before it is measured.

use std::io::{self, Write};

use super::row::{Row, grouped};
use super::{Hit, json, safe};

/// Rows looked at before the widths are settled.
const SETTLE_ROWS: usize = 200;
const GAP: &str = "  ";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Align {
    Left,
    Right,
}

#[derive(Debug)]
struct Column {
    title: &'static str,
    align: Align,
    /// Never wider, even where there is room.
    max: usize,
    /// Never narrower by lack of room; what cannot shrink keeps its width.
    min: usize,
}

const fn fixed(title: &'static str, align: Align, max: usize) -> Column {
    Column { title, align, max, min: max }
}

const RANK: Column = fixed("#", Align::Right, 5);
const SCORE: Column = fixed("SCORE", Align::Right, 6);
const LOG: Column = Column { title: "LOG", align: Align::Left, max: 24, min: 8 };
const COLUMNS: &[Column] = &[
    fixed("TIME", Align::Left, 19),
    Column { title: "SOURCE", align: Align::Left, max: 47, min: 21 },
    Column { title: "TARGET", align: Align::Left, max: 47, min: 21 },
    fixed("PROTO", Align::Left, 9),
    Column { title: "APP", align: Align::Left, max: 16, min: 6 },
    fixed("BYTES", Align::Right, 8),
    fixed("PKTS", Align::Right, 8),
    Column { title: "NAME", align: Align::Left, max: 60, min: 8 },
    Column { title: "BEHAVIOURS", align: Align::Left, max: 80, min: 9 },
];

/// What goes first where a terminal is too narrow for all.
const MISSED_BEST: &[&str] = &["PKTS", "SCORE", "BYTES", "PROTO"];

/// The state of a table that is being written.
#[derive(Debug)]
pub(super) struct Table {
    terminal: Option<usize>,
    columns: Vec<&'static Column>,
    hits: bool,
    logs: bool,
    held: Vec<(Vec<String>, Option<String>)>,
    settled: Option<Vec<usize>>,
}

impl Table {
    pub(super) fn new(terminal: Option<usize>, hits: bool) -> Table {
        let lead: &[&Column] = if hits { &[&RANK, &SCORE] } else { &[] };
        let columns = lead.iter().copied().chain(COLUMNS).collect();
        Table { terminal, columns, hits, logs: false, held: Vec::new(), settled: None }
    }

    /// The same; where rows are of several logs, with a column for them.
    pub(super) fn of_logs(mut self, logs: bool) -> Table {
        self.logs = logs;
        if logs {
            self.columns.insert(if self.hits { 2 } else { 0 }, &LOG);
        }
        self
    }

    pub(super) fn row(
        &mut self,
        out: &mut impl Write,
        row: &Row,
        hit: Option<Hit<'_>>,
    ) -> io::Result<()> {
        let mut cells = Vec::with_capacity(self.columns.len());
        if self.hits {
            cells.push(hit.map(|h| h.rank.to_string()).unwrap_or_default());
            cells.push(hit.map(|h| format!("{:.3}", json::round(h.score))).unwrap_or_default());
        }
        if self.logs {
            cells.push(row.text("log"));
        }
        cells.extend([
            time(&row.text("timestamp")),
            row.source(),
            row.target(),
            row.text("proto"),
            row.text("app_proto"),
            bytes(row.bytes()),
            row.packets().to_string(),
            row.summary(),
            row.behaviours().join(","),
        ]);
        let cells: Vec<_> = cells.iter().map(|c| safe::terminal(c)).collect();
        let why = hit.map(|hit| reasons(&hit)).filter(|lines| !lines.is_empty());
        if let Some(widths) = &self.settled {
            return self.line(out, widths, &cells, why.as_deref());
        }
        self.held.push((cells, why));
        if self.held.len() >= SETTLE_ROWS { self.settle(out) } else { Ok(()) }
    }

    pub(super) fn finish(mut self, out: &mut impl Write) -> io::Result<()> {
        self.flush(out)
    }

    /// Writes what was held back; widths are then settled.
    pub(super) fn flush(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.settled.is_none() && !self.held.is_empty() {
            self.settle(out)?;
        }
        Ok(())
    }

    /// Writes the header and what was held back.
    fn settle(&mut self, out: &mut impl Write) -> io::Result<()> {
        let widths = self.widths();
        let titles: Vec<_> = self.columns.iter().map(|c| c.title.to_owned()).collect();
        self.line(out, &widths, &titles, None)?;
        for (cells, why) in std::mem::take(&mut self.held) {
            self.line(out, &widths, &cells, why.as_deref())?;
        }
        self.settled = Some(widths);
        Ok(())
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| {
                let cells = self.held.iter().filter_map(|(cells, _)| cells.get(at));
                let widest = cells.map(|c| safe::width(c)).max().unwrap_or(0);
                widest.clamp(safe::width(column.title), column.max.max(column.title.len()))
            })
            .collect();
        let Some(terminal) = self.terminal else { return widths };
        let gaps = |widths: &[usize]| {
            GAP.len() * widths.iter().filter(|width| **width > 0).count().saturating_sub(1)
        };
        // What can be missed best goes altogether where not even the least widths fit.
        for title in MISSED_BEST {
            let least = widths.iter().zip(&self.columns).map(|(w, column)| column.min.min(*w));
            if least.sum::<usize>() + gaps(&widths) <= terminal {
                break;
            }
            let at = self.columns.iter().position(|column| column.title == *title);
            if let Some(width) = at.and_then(|at| widths.get_mut(at)) {
                *width = 0;
            }
        }
        // The widest column that may shrink gives way, one column at a time.
        while widths.iter().sum::<usize>() + gaps(&widths) > terminal {
            let can_shrink = widths.iter().zip(&self.columns).enumerate();
            let widest = can_shrink
                .filter(|(_, (width, column))| **width > column.min)
                .max_by_key(|(_, (width, _))| **width)
                .map(|(at, _)| at);
            let Some(width) = widest.and_then(|at| widths.get_mut(at)) else { break };
            *width -= 1;
        }
        widths
    }

    fn line(
        &self,
        out: &mut impl Write,
        widths: &[usize],
        cells: &[String],
        why: Option<&str>,
    ) -> io::Result<()> {
        let mut text = String::new();
        for ((cell, width), column) in cells.iter().zip(widths).zip(&self.columns) {
            if *width == 0 {
                continue;
            }
            let shown = safe::shorten(cell, *width);
            let pad = " ".repeat(width.saturating_sub(safe::width(&shown)));
            match column.align {
                Align::Left => text.extend([shown.as_str(), &pad, GAP]),
                Align::Right => text.extend([pad.as_str(), &shown, GAP]),
            }
        }
        writeln!(out, "{}", text.trim_end())?;
        if let Some(why) = why {
            let limit = self.terminal.map_or(usize::MAX, |t| t.saturating_sub(7));
            for why in why.lines() {
                writeln!(out, "       {}", safe::shorten(why, limit))?;
            }
        }
        Ok(())
    }
}

/// Why it matched and how many say the same, in a line; what its score is the sum of, a line each.
fn reasons(hit: &Hit<'_>) -> String {
    let mut first = hit.why.to_vec();
    if hit.also > 0 {
        first.push(format!("+ {} similar", grouped(hit.also)));
    }
    let mut lines = Vec::with_capacity(1 + hit.parts.len());
    if !first.is_empty() {
        lines.push(safe::terminal(&first.join("; ")));
    }
    for part in hit.parts {
        lines.push(format!(
            "{:+.3} = {:.3} × {:.3}  {}: {}",
            part.adds,
            part.value,
            part.weight,
            safe::terminal(&part.name),
            safe::terminal(&part.why)
        ));
    }
    lines.join("\n")
}

/// `2026-11-20 05:56:41` of an EVE timestamp.
fn time(timestamp: &str) -> String {
    timestamp.chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

/// `999`, `12.3k`, `4.5M`: three digits or so.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: &[(u64, &str)] =
        &[(1_000_000_000_000, "T"), (1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")];
    for (unit, name) in UNITS {
        if count >= *unit {
            let tenths = count / (unit / 10);
            return format!("{}.{}{name}", tenths / 10, tenths % 10);
        }
    }
    count.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(terminal: Option<usize>, lines: &[String]) -> String {
        let mut table = Table::new(terminal, false);
        let mut out = Vec::new();
        for line in lines {
            table.row(&mut out, &Row::parse(line.as_bytes()).unwrap(), None).unwrap();
        }
        table.finish(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn flow(name: &str) -> String {
        serde_json::json!({
            "timestamp": "2026-11-20T05:56:41.123456+0000", "src_ip": "10.0.0.1", "src_port": 5,
            "dest_ip": "10.0.0.2", "dest_port": 443, "proto": "TCP", "app_proto": "tls",
            "flow": {"bytes_toserver": 1500, "pkts_toserver": 3}, "tls": {"sni": name},
        })
        .to_string()
    }

    #[test]
    fn columns_line_up_and_fit_the_terminal() {
        let rows = [flow("a.example"), flow(&"very-long-name.".repeat(20))];
        let text = printed(Some(110), &rows);
        assert!(text.lines().all(|l| safe::width(l) <= 110), "{text}");
        let column = |line: &str| line.find("10.0.0.2").unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(column(lines[1]), column(lines[2]));
        assert!(lines[1].contains("1.5k") && lines[2].ends_with('…'), "{text}");
    }

    #[test]
    fn eighty_columns_are_enough_for_the_main_ones() {
        let text = printed(Some(80), &[flow("a-longer-name.example.com")]);
        assert!(text.lines().all(|l| safe::width(l) <= 80), "{text}");
        assert!(text.contains("SOURCE") && text.contains("TARGET") && !text.contains("PKTS"));
    }

    #[test]
    fn a_later_row_is_shortened_to_the_settled_widths() {
        let mut rows = vec![flow("a"); SETTLE_ROWS];
        rows.push(flow("a-name-longer-than-the-first-ones"));
        let text = printed(None, &rows);
        assert_eq!(text.lines().count(), SETTLE_ROWS + 2);
        assert!(text.lines().last().unwrap().contains('…'));
    }

    #[test]
    fn nothing_found_prints_no_header() {
        assert_eq!(printed(None, &[]), "");
    }

    #[test]
    fn a_hit_shows_its_score_and_below_it_why() {
        let mut table = Table::new(None, true);
        let mut out = Vec::new();
        let why = ["app is ssh".to_owned(), "tag production".to_owned()];
        let part = ghost_node::api::PartLine {
            name: "app:ssh".to_owned(),
            value: 0.5,
            weight: 1.5,
            adds: 0.75,
            why: "wanted, and it holds".to_owned(),
        };
        let hit =
            Hit { score: 0.75, why: &why, rank: 1, query_id: None, also: 212, parts: &[part] };
        let line = flow("x");
        table.row(&mut out, &Row::parse(line.as_bytes()).unwrap(), Some(hit)).unwrap();
        table.finish(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("0.750"));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[2].contains("app is ssh; tag production; + 212 similar"), "{text}");
        assert!(lines[3].contains("+0.750 = 0.500 × 1.500  app:ssh: wanted"), "{text}");
    }

    #[test]
    fn byte_counts_keep_three_digits() {
        assert_eq!(
            [0, 999, 1_000, 12_345, 4_500_000].map(bytes),
            ["0", "999", "1.0k", "12.3k", "4.5M"]
        );
    }
}
