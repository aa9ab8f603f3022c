//! `log`: verified, proven, counted, exported.

mod proof;
mod trust;
mod verify;

use std::io::{self, BufWriter, Write};

use ghost_node::store;
use serde_json::{Value, json};

use crate::cli::{LogCommand, Place, VerdictFormat};
use crate::commands::memory::{moment, stamp};
use crate::outcome::{Done, Failed, counted, printed};
use crate::render::{Layout, Output, Renderer, safe_text};

/// Runs the command.
pub(crate) fn run(place: &Place, asked: LogCommand) -> Result<Done, Failed> {
    match asked {
        LogCommand::Verify(asked) => verify::run(place, &asked),
        LogCommand::Prove(asked) => proof::prove(place, &asked),
        LogCommand::CheckProof(asked) => proof::check(&asked),
        LogCommand::Consistency(asked) => proof::consistency(place, &asked),
        LogCommand::Tiles { out } => proof::tiles(place, &out),
        LogCommand::Stats { output } => stats(place, output),
        LogCommand::Export { from, to, output } => export(place, from, to, output),
    }
}

fn stats(place: &Place, output: VerdictFormat) -> Result<Done, Failed> {
    let data = place.data_with_log()?;
    let stats = store::log_stats(&data).map_err(Failed::caused)?;
    match output {
        VerdictFormat::Json => print_json(&json!({
            "lines": stats.lines,
            "bytes": stats.bytes,
            "segments": stats.segments,
            "first_seq": stats.first_seq,
            "last_seq": stats.last_seq,
            "first_time": stats.first_time.map(stamp),
            "last_time": stats.last_time.map(stamp),
            "kinds": stats.kinds,
        }))?,
        VerdictFormat::Table => {
            let mut text = format!(
                "{} lines, {} bytes, {}\n",
                stats.lines,
                stats.bytes,
                counted(stats.segments, "segment")
            );
            if let (Some(first), Some(last)) = (stats.first_time, stats.last_time) {
                text += &format!("events from {} to {}\n", moment(first), moment(last));
            }
            for (kind, count) in &stats.kinds {
                text += &format!("{count:>12} {}\n", safe_text(kind));
            }
            printed(io::stdout().write_all(text.as_bytes()))?;
        }
    }
    Ok(Done::Well)
}

fn export(place: &Place, from: u64, to: Option<u64>, output: Output) -> Result<Done, Failed> {
    let data = place.data_with_log()?;
    let reader = store::log_reader(&data);
    let mut lines = reader.lines(from);
    let mut renderer =
        Renderer::new(BufWriter::new(io::stdout().lock()), Layout::of_stdout(output, false));
    let mut raw = (output == Output::Jsonl).then(|| BufWriter::new(io::stdout().lock()));
    let mut any = false;
    while let Some(line) = lines.next().map_err(Failed::caused)? {
        if to.is_some_and(|to| line.seq > to) {
            break;
        }
        let written = match &mut raw {
            // The log itself, byte for byte: what `sha256sum` and `log verify` can check.
            Some(out) => out.write_all(line.bytes),
            None if store::is_event(line.bytes) => renderer.row(line.bytes, None),
            None => continue,
        };
        any = true;
        match written {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(Done::Well),
            result => printed(result)?,
        }
    }
    printed(match raw {
        Some(mut out) => out.flush(),
        None => renderer.finish().and_then(|mut out| out.flush()),
    })?;
    Ok(if any { Done::Well } else { Done::Nothing })
}

pub(crate) fn print_json(value: &Value) -> Result<(), Failed> {
    printed(writeln!(io::stdout(), "{value}"))
}
