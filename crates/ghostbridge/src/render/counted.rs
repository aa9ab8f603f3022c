//! Tables of an answer (what was counted, compared, found alike) in every form that has a place for
//! them.
//!
//! Cells may hold names from the wire: each form makes them harmless as it does those of events.

use std::io::{self, Write};

use ghost_node::api::{CellValue, TableHead};
use serde_json::{Map, Value};

use super::{Layout, Output, csv, json, safe};

/// Columns of a terminal that a wide cell keeps, however narrow the terminal is.
const TEXT_MIN: usize = 12;

/// Writes the whole of `table`; false where the form has no place for tables.
pub(crate) fn counted(out: &mut impl Write, table: &TableHead, layout: Layout) -> io::Result<bool> {
    match layout.output {
        Output::Table => aligned(out, table, layout.width)?,
        Output::Json => {
            let rows: Vec<Value> = table.rows.iter().map(|row| object(table, row)).collect();
            writeln!(out, "{}", json::value(&Value::Array(rows)))?;
        }
        Output::Jsonl => {
            for row in &table.rows {
                writeln!(out, "{}", json::value(&object(table, row)))?;
            }
        }
        Output::Csv => {
            let names: Vec<String> = table.columns.iter().map(|c| csv::cell(&c.name)).collect();
            write!(out, "{}\r\n", names.join(","))?;
            for row in &table.rows {
                let cells: Vec<String> = row
                    .iter()
                    .map(|cell| match cell {
                        CellValue::Text(text) => csv::cell(text),
                        number => plain(number),
                    })
                    .collect();
                write!(out, "{}\r\n", cells.join(","))?;
            }
        }
        Output::Eve | Output::Zeek => return Ok(false),
    }
    out.flush()?;
    Ok(true)
}

fn object(table: &TableHead, row: &[CellValue]) -> Value {
    let cell = |cell: &CellValue| match cell {
        CellValue::Number(number) => Value::from(*number),
        CellValue::Decimal(number) => Value::from(*number),
        CellValue::Text(text) => Value::from(text.as_str()),
    };
    let cells = table.columns.iter().zip(row).map(|(c, value)| (c.name.clone(), cell(value)));
    Value::Object(cells.collect::<Map<String, Value>>())
}

fn plain(cell: &CellValue) -> String {
    match cell {
        CellValue::Number(number) => number.to_string(),
        CellValue::Decimal(number) => number.to_string(),
        CellValue::Text(text) => text.clone(),
    }
}

/// A cell for people.
fn shown(cell: &CellValue, unit: &str) -> String {
    match (cell, unit) {
        (CellValue::Number(bytes), "bytes") => super::table::bytes(*bytes),
        (CellValue::Number(us), "us") => length(*us),
        (CellValue::Number(number), "count") => super::row::grouped(*number),
        (CellValue::Decimal(number), _) if number.abs() >= 100.0 => format!("{number:.0}"),
        (CellValue::Decimal(number), _) => format!("{number:.2}"),
        (CellValue::Text(text), "time") => {
            // To the second.
            let end = text.find('.').unwrap_or(text.len());
            text.get(..end).unwrap_or(text).trim_end_matches('Z').replace('T', " ")
        }
        (cell, _) => safe::terminal(&plain(cell)),
    }
}

/// `350ms`, `12s`, `3m 20s`, `5h 10m`, `2d 4h`.
fn length(us: u64) -> String {
    let s = us / 1_000_000;
    match s {
        0 => format!("{}ms", us / 1000),
        1..60 => format!("{s}s"),
        60..3600 => format!("{}m {}s", s / 60, s % 60),
        3600..86_400 => format!("{}h {}m", s / 3600, s % 3600 / 60),
        _ => format!("{}d {}h", s / 86_400, s % 86_400 / 3600),
    }
}

fn aligned(out: &mut impl Write, table: &TableHead, terminal: Option<usize>) -> io::Result<()> {
    if table.rows.is_empty() {
        return Ok(());
    }
    let cells: Vec<Vec<String>> = table
        .rows
        .iter()
        .map(|row| row.iter().zip(&table.columns).map(|(cell, c)| shown(cell, &c.unit)).collect())
        .collect();
    let titles: Vec<String> = table
        .columns
        .iter()
        .map(|c| safe::terminal(&c.name.replace('_', " ").to_uppercase()))
        .collect();
    let mut widths: Vec<usize> = titles.iter().map(|title| safe::width(title)).collect();
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(safe::width(cell));
        }
    }
    if let Some(terminal) = terminal {
        // The widest gives way until the line fits.
        let room = terminal.saturating_sub(2 * widths.len().saturating_sub(1));
        while widths.iter().sum::<usize>() > room {
            let Some(widest) = widths.iter_mut().max().filter(|w| **w > TEXT_MIN) else { break };
            *widest -= 1;
        }
    }
    let line = |row: &[String]| {
        let mut text = String::new();
        for ((cell, width), column) in row.iter().zip(&widths).zip(&table.columns) {
            let cell = safe::shorten(cell, *width);
            let room = " ".repeat(width.saturating_sub(safe::width(&cell)));
            if !text.is_empty() {
                text.push_str("  ");
            }
            match column.unit.as_str() {
                "text" | "time" => text.extend([cell.as_str(), &room]),
                _ => text.extend([room.as_str(), &cell]),
            }
        }
        text.trim_end().to_owned()
    };
    writeln!(out, "{}", line(&titles))?;
    cells.iter().try_for_each(|row| writeln!(out, "{}", line(row)))
}

#[cfg(test)]
mod tests {
    use ghost_node::api::ColumnHead;

    use super::*;

    fn table(name: &str) -> TableHead {
        let column = |name: &str, unit: &str| ColumnHead { name: name.into(), unit: unit.into() };
        TableHead {
            columns: vec![
                column("value", "text"),
                column("bytes", "bytes"),
                column("score", "decimal"),
                column("from", "time"),
            ],
            rows: vec![vec![
                CellValue::Text(name.to_owned()),
                CellValue::Number(1_500_000),
                CellValue::Decimal(0.5),
                CellValue::Text("2026-11-20T10:00:00.25Z".to_owned()),
            ]],
            told: String::new(),
        }
    }

    fn printed(table: &TableHead, output: Output, width: Option<usize>) -> String {
        let mut out = Vec::new();
        let layout = Layout { output, width, hits: false, logs: false };
        assert!(counted(&mut out, table, layout).unwrap());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_table_lines_up_and_its_numbers_are_for_people() {
        let text = printed(&table("dns"), Output::Table, None);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("VALUE") && lines[0].contains("SCORE"), "{text}");
        assert!(lines[1].starts_with("dns") && lines[1].ends_with("2026-11-20 10:00:00"), "{text}");
        assert!(!lines[1].contains("1500000"), "{text}");
    }

    #[test]
    fn programs_get_numbers_as_numbers() {
        let line: Value =
            serde_json::from_str(&printed(&table("dns"), Output::Jsonl, None)).unwrap();
        assert_eq!(line["bytes"], 1_500_000);
        assert_eq!(line["score"], 0.5);
        let all: Value = serde_json::from_str(&printed(&table("dns"), Output::Json, None)).unwrap();
        assert_eq!(all[0], line);
        let csv = printed(&table("dns"), Output::Csv, None);
        assert_eq!(csv.lines().nth(1).unwrap(), "dns,1500000,0.5,2026-11-20T10:00:00.25Z");
    }

    #[test]
    fn what_came_from_the_wire_is_harmless_in_every_form() {
        let hostile = table("=cmd()\x1b[2J\u{202e}<script>");
        let shown = printed(&hostile, Output::Table, Some(80));
        assert!(!shown.contains('\x1b') && !shown.contains('\u{202e}'), "{shown}");
        for output in [Output::Json, Output::Jsonl] {
            let text = printed(&hostile, output, None);
            assert!(!text.contains('\x1b') && !text.contains('<') && !text.contains('\u{202e}'));
        }
        let csv = printed(&hostile, Output::Csv, None);
        assert!(csv.lines().nth(1).unwrap().starts_with("\"'="), "{csv}");
    }

    #[test]
    fn a_narrow_terminal_shortens_and_breaks_no_line() {
        bolero::check!().with_type::<(String, u8)>().with_iterations(300).for_each(|(name, w)| {
            let text = printed(&table(name), Output::Table, Some(usize::from(*w)));
            assert_eq!(text.lines().count(), 2, "{text:?}");
        });
    }

    #[test]
    fn lengths_of_time_are_told_in_two_units() {
        let told = [350_000, 12_000_000, 200_000_000, 18_600_000_000].map(length);
        assert_eq!(told, ["350ms", "12s", "3m 20s", "5h 10m"]);
    }

    #[test]
    fn a_form_of_events_has_no_place_for_a_table() {
        let layout = Layout { output: Output::Zeek, width: None, hits: false, logs: false };
        assert!(!counted(&mut Vec::new(), &table("x"), layout).unwrap());
    }
}
