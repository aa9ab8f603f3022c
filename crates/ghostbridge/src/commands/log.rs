//! `log`: verified, counted, exported.

use std::io::{self, BufWriter, Write};

use ghost_node::store::{self, Head, Proven, VerifyOptions};
use serde_json::{Value, json};

use crate::cli::{LogCommand, Place, VerdictFormat};
use crate::commands::memory::{moment, stamp};
use crate::outcome::{Done, Failed, counted, printed};
use crate::render::{Layout, Output, Renderer, safe_text};

/// Runs the command.
pub(crate) fn run(place: &Place, asked: LogCommand) -> Result<Done, Failed> {
    match asked {
        LogCommand::Verify { against, output } => verify(place, against, output),
        LogCommand::Stats { output } => stats(place, output),
        LogCommand::Export { from, to, output } => export(place, from, to, output),
    }
}

fn verify(place: &Place, against: Option<String>, output: VerdictFormat) -> Result<Done, Failed> {
    let against = match against {
        None => None,
        Some(text) => Some(Head::parse(&text).ok_or_else(|| {
            Failed::usage(format!(
                "--against {text}: expected SEQ:LEAF, a line's number and the 64 hexadecimal \
                 digits of its hash, as `log verify` prints them"
            ))
        })?),
    };
    let data = place.data_with_log()?;
    let against = against.map(Into::into);
    let options = VerifyOptions { against, ..VerifyOptions::default() };
    let verdict = store::verify(data.root(), &options).map_err(Failed::caused)?;
    match output {
        VerdictFormat::Table => {
            let state = if verdict.ok() { "ok" } else { "DAMAGED" };
            let head =
                if verdict.lines > 0 { format!("\nhead: {}", verdict.head) } else { String::new() };
            printed(writeln!(io::stdout(), "{state}: {}{head}", safe_text(&verdict.to_string())))?;
        }
        VerdictFormat::Json => {
            let damage = verdict.damage.as_ref().map(|damage| {
                json!({
                    "message": damage.to_string(),
                    "seq": damage.seq,
                    "segment": damage.segment,
                    "line": damage.line,
                    "byte": damage.byte,
                })
            });
            print_json(&json!({
                "ok": verdict.ok(),
                "verdict": verdict.to_string(),
                "damage": damage,
                "lines": verdict.lines,
                "bytes": verdict.bytes,
                "segments": verdict.segments,
                "first_seq": verdict.first_seq,
                "last_seq": verdict.head.seq,
                "head": verdict.head.to_string(),
                "log_id": verdict.log_id,
                "epoch": verdict.epoch,
                "proven": match verdict.proven {
                    Proven::Nothing => "nothing",
                    Proven::ButLast => "all but the last line",
                    Proven::ByState => "all lines, by the writer's own head",
                    Proven::ByGivenHead => "all lines, by the given head",
                },
            }))?;
        }
    }
    Ok(if verdict.ok() { Done::Well } else { Done::Nothing })
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
