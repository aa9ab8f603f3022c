//! `replica held`: the logs of other hosts that lie here.

use std::io::{self, Write as _};

use ghost_node::Timestamp;
use ghost_replica::{Facts, ReplicaDir};
use serde_json::{Value, json};

use crate::cli::{ListFormat, Place};
use crate::commands::memory::{moment, stamp};
use crate::outcome::{Done, Failed, printed, say};
use crate::render::{safe_json, safe_text as safe};

/// One of them.
struct Row {
    name: String,
    id: String,
    /// Its newest line here.
    lines: u64,
    facts: Facts,
    refused: u64,
    trouble: Option<String>,
}

/// Runs the command.
pub(super) fn run(place: &Place, output: ListFormat) -> Result<Done, Failed> {
    let all = ReplicaDir::list(place.asked().root());
    let rows: Vec<Row> = all.iter().map(|dir| row(dir, &all)).collect();
    for row in &rows {
        if let Some(trouble) = &row.trouble {
            say(format_args!("{}: {}", safe(&row.name), safe(trouble)));
        }
    }
    printed(print(&rows, output))?;
    Ok(if rows.is_empty() { Done::Nothing } else { Done::Well })
}

fn row(dir: &ReplicaDir, all: &[ReplicaDir]) -> Row {
    let head = dir.reader().head();
    let facts = dir.facts();
    let trouble = facts.as_ref().err().or(head.as_ref().err()).map(ToString::to_string);
    let refused = std::fs::read_dir(dir.evidence()).map_or(0, |files| files.count() as u64);
    Row {
        name: dir.name(all),
        id: dir.log_id().to_string(),
        lines: head.unwrap_or(0),
        facts: facts.unwrap_or_default(),
        refused,
        trouble,
    }
}

fn print(rows: &[Row], output: ListFormat) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match output {
        ListFormat::Json => {
            let all: Vec<Value> = rows.iter().map(as_json).collect();
            writeln!(out, "{}", safe_json(&Value::from(all)))?;
        }
        ListFormat::Jsonl => {
            for row in rows {
                writeln!(out, "{}", safe_json(&as_json(row)))?;
            }
        }
        ListFormat::Table => {
            if !rows.is_empty() {
                writeln!(
                    out,
                    "{:<24} {:<32} {:>12} {:>12} {:>12} {:>6}  {:<24}",
                    "log", "id", "lines", "verified", "cosigned", "blocks", "last verified"
                )?;
            }
            for row in rows {
                let verified = match row.facts.verified_ns {
                    0 => "never".to_owned(),
                    ns => moment(Timestamp(ns)),
                };
                let note = match row.refused {
                    0 => String::new(),
                    n => format!("  {n} REFUSED, see evidence/"),
                };
                let line = format!(
                    "{:<24} {:<32} {:>12} {:>12} {:>12} {:>6}  {verified:<24}{note}",
                    safe(&row.name),
                    row.id,
                    row.lines,
                    row.facts.verified,
                    row.facts.cosigned,
                    row.facts.blocks.len(),
                );
                writeln!(out, "{}", line.trim_end())?;
            }
        }
    }
    out.flush()
}

fn as_json(row: &Row) -> Value {
    let newest = row.facts.blocks.last().map(ToString::to_string);
    json!({
        "log": row.name,
        "id": row.id,
        "lines": row.lines,
        "epoch": row.facts.epoch,
        "verified": row.facts.verified,
        "verified_at": (row.facts.verified_ns != 0).then(|| stamp(Timestamp(row.facts.verified_ns))),
        "cosigned": row.facts.cosigned,
        "block": newest,
        "blocks": row.facts.blocks.len(),
        "refusals_kept": row.refused,
        "trouble": row.trouble,
    })
}
