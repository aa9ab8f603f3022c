//! `block`: sealed, listed, shown, compared, and made the log again.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use ghost_node::blocks::{self, BlockError, Listed, Manifest, Target};
use serde_json::{Value, json};

use crate::cli::{BlockCommand, ListFormat, Place, VerdictFormat};
use crate::commands::import::Program;
use crate::commands::memory::{self, moment, stamp};
use crate::commands::status::bytes;
use crate::outcome::{Done, Failed, counted, printed, say};
use crate::render::{safe_json, safe_text as safe};
use crate::settings;

/// Runs the command.
pub(crate) fn run(place: &Place, asked: BlockCommand) -> Result<Done, Failed> {
    match asked {
        BlockCommand::List { limit, output } => list(place, limit, output),
        BlockCommand::Show { block, output } => show(place, block.as_deref(), output),
        BlockCommand::Seal { output } => seal(place, output),
        BlockCommand::Diff { older, newer, output } => diff(place, &older, &newer, output),
        BlockCommand::Path { block } => path(place, block.as_deref()),
        BlockCommand::Restore { block, to, in_place: _ } => {
            restore(place, &block, to.map_or(Target::InPlace, Target::New))
        }
    }
}

fn failed(error: BlockError) -> Failed {
    match &error {
        BlockError::NotPermitted { .. } => Failed::permission(error),
        BlockError::NotAName { .. } => Failed::usage(error),
        _ => Failed::caused(error),
    }
}

fn find(place: &Place, name: &str) -> Result<Listed, Failed> {
    blocks::find(&place.data_with_log()?, name).map_err(failed)
}

fn list(place: &Place, limit: usize, output: ListFormat) -> Result<Done, Failed> {
    let mut all = blocks::list(&place.data_with_log()?).map_err(failed)?;
    if limit > 0 && all.len() > limit {
        let older = all.len() - limit;
        say(format_args!("{} older: --limit 0 lists all", counted(older as u64, "block")));
        all.drain(..older);
    }
    printed(print_list(&all, output))?;
    Ok(if all.is_empty() { Done::Nothing } else { Done::Well })
}

fn print_list(all: &[Listed], output: ListFormat) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match output {
        ListFormat::Json => {
            let all: Vec<Value> = all.iter().map(as_json).collect();
            writeln!(out, "{}", safe_json(&Value::from(all)))?;
        }
        ListFormat::Jsonl => {
            for block in all {
                writeln!(out, "{}", safe_json(&as_json(block)))?;
            }
        }
        ListFormat::Table => {
            if !all.is_empty() {
                writeln!(out, "{:<32} {:<24} {:>12}", "block", "sealed", "lines")?;
            }
            for block in all {
                let there = if block.path.is_some() { "" } else { "gone" };
                let name = block.name.to_string();
                let row =
                    format!("{name:<32} {:<24} {:>12}  {there}", moment(block.time), block.size);
                writeln!(out, "{}", row.trim_end())?;
            }
        }
    }
    out.flush()
}

fn as_json(block: &Listed) -> Value {
    json!({
        "block": block.name.number,
        "name": block.name.to_string(),
        "time": stamp(block.time),
        "first_seq": block.first_seq,
        "size": block.size,
        "root": block.root.to_string(),
        "checkpoint": block.checkpoint,
        "path": block.path.as_ref().map(|path| path.display().to_string()),
    })
}

fn show(place: &Place, name: Option<&str>, output: VerdictFormat) -> Result<Done, Failed> {
    let block = find(place, name.unwrap_or_default())?;
    let manifest = match &block.path {
        Some(_) => Some(blocks::manifest(&block).map_err(failed)?),
        None => None,
    };
    match output {
        VerdictFormat::Json => {
            let mut told = as_json(&block);
            if let (Some(told), Some(m)) = (told.as_object_mut(), &manifest) {
                let more = manifest_json(m);
                told.extend(more.as_object().cloned().unwrap_or_default());
            }
            print_json(&told)?;
        }
        VerdictFormat::Table => {
            let mut text = format!("block      {}\n", block.name);
            let _ = writeln!(text, "sealed     {}", moment(block.time));
            let _ = writeln!(text, "lines      {} to {}", block.first_seq, block.size);
            let _ = writeln!(text, "root       {}", block.root);
            match (&manifest, &block.path) {
                (Some(m), Some(path)) => {
                    let _ = writeln!(text, "path       {}", safe(&path.display().to_string()));
                    text += &words(m);
                }
                _ => text += "it is gone; its signed checkpoint is left:\n",
            }
            let _ = writeln!(text, "\n{}", lines_safe(&block.checkpoint));
            printed(io::stdout().write_all(text.as_bytes()))?;
        }
    }
    Ok(Done::Well)
}

fn print_json(value: &Value) -> Result<(), Failed> {
    printed(writeln!(io::stdout(), "{}", safe_json(value)))
}

/// Each line made harmless, and left a line.
fn lines_safe(text: &str) -> String {
    text.lines().map(safe).collect::<Vec<_>>().join("\n")
}

fn manifest_json(m: &Manifest) -> Value {
    json!({
        "epoch": m.epoch,
        "log": m.log,
        "t2_ready_size": m.t2_ready_size,
        "reason": m.reason.name(),
        "waited_ms": m.waited_ms,
        "events": m.events,
        "lost": {"packets": m.lost.packets, "bytes": m.lost.bytes, "events": m.lost.events},
        "parent": m.parent.as_ref().map(|p| {
            json!({"block": p.block, "size": p.size, "root": p.root.to_string()})
        }),
    })
}

fn words(m: &Manifest) -> String {
    let mut text = format!("log        {}, epoch {}\n", safe(&m.log), m.epoch);
    let _ =
        writeln!(text, "because    {} (waited {} ms for vectors)", m.reason.name(), m.waited_ms);
    let ready = if m.t2_ready_size >= m.sealed_size {
        "all lines have the full model's vectors".to_owned()
    } else {
        format!("up to line {} all have the full model's vectors", m.t2_ready_size)
    };
    let _ = writeln!(text, "vectors    {ready}");
    let events: Vec<String> =
        m.events.iter().map(|(kind, n)| format!("{n} {}", safe(kind))).collect();
    let none = || "nothing but its own lines".to_owned();
    let events = if events.is_empty() { none() } else { events.join(", ") };
    let _ = writeln!(text, "new in it  {events}");
    if m.lost.packets + m.lost.events > 0 {
        let _ = writeln!(
            text,
            "lost       {} ({}) and {} are not in it",
            counted(m.lost.packets, "packet"),
            bytes(m.lost.bytes),
            counted(m.lost.events, "event")
        );
    }
    text
}

fn seal(place: &Place, output: VerdictFormat) -> Result<Done, Failed> {
    let sealed = match memory::daemon(place)? {
        Some(mut client) => client.seal().map_err(memory::unanswered)?,
        None => {
            let data = place.data_with_log()?;
            let keeping = settings::keeping(place)?;
            ghost_node::import::seal(&data, &keeping, &Program::quiet()?)
                .map_err(Failed::caused)?
                .into()
        }
    };
    match output {
        VerdictFormat::Json => print_json(&serde_json::to_value(&sealed).unwrap_or_default())?,
        VerdictFormat::Table if sealed.sealed => printed(writeln!(
            io::stdout(),
            "sealed {} (up to line {})",
            safe(&sealed.name),
            sealed.size
        ))?,
        VerdictFormat::Table => say("nothing is new since the last block"),
    }
    Ok(if sealed.sealed { Done::Well } else { Done::Nothing })
}

fn diff(place: &Place, a: &str, b: &str, output: VerdictFormat) -> Result<Done, Failed> {
    let diff = blocks::diff(&find(place, a)?, &find(place, b)?).map_err(failed)?;
    match output {
        VerdictFormat::Json => print_json(&json!({
            "older": diff.older.block,
            "newer": diff.newer.block,
            "lines": diff.lines,
            "bytes": diff.bytes,
            "events": diff.events,
            "retired_lines": diff.retired_lines,
            "first_time": diff.times.map(|(first, _)| stamp(first)),
            "last_time": diff.times.map(|(_, last)| stamp(last)),
            "forked": diff.forked.is_some(),
            "forked_at": diff.forked.and_then(|fork| fork.line),
        }))?,
        VerdictFormat::Table => {
            let mut text = format!(
                "block {} has {} ({}) that block {} has not\n",
                diff.newer.block,
                counted(diff.lines, "line"),
                bytes(diff.bytes),
                diff.older.block
            );
            if let Some((first, last)) = diff.times {
                let _ = writeln!(text, "of {} to {}", moment(first), moment(last));
            }
            for (kind, n) in &diff.events {
                let _ = writeln!(text, "{n:>12} {}", safe(kind));
            }
            if diff.retired_lines > 0 {
                let _ =
                    writeln!(text, "{} were given up", counted(diff.retired_lines, "older line"));
            }
            if let Some(fork) = diff.forked {
                let at = fork.line.map_or_else(String::new, |line| format!(" from line {line} on"));
                let _ =
                    writeln!(text, "NOT ONE HISTORY: the newer does not continue the older{at}");
            }
            printed(io::stdout().write_all(text.as_bytes()))?;
        }
    }
    Ok(if diff.forked.is_some() { Done::Nothing } else { Done::Well })
}

fn path(place: &Place, name: Option<&str>) -> Result<Done, Failed> {
    let block = find(place, name.unwrap_or_default())?;
    let path = blocks::place(&block).map_err(failed)?;
    printed(writeln!(io::stdout(), "{}", safe(&path.display().to_string())))?;
    Ok(Done::Well)
}

fn restore(place: &Place, name: &str, target: Target) -> Result<Done, Failed> {
    let data = place.data_with_log()?;
    let block = blocks::find(&data, name).map_err(failed)?;
    let done = blocks::restore(&data, &block, &target).map_err(failed)?;
    say(format_args!(
        "{} is the log of {} again, with {}; its next start begins a new epoch",
        block.name,
        safe(&done.data.display().to_string()),
        counted(done.size, "line")
    ));
    if let Some(aside) = &done.moved_aside {
        say(format_args!("the log that was there lies in {}", safe(&aside.display().to_string())));
    }
    if done.moved_aside.is_some() {
        say("the index is made anew by the next start, or by `ghostbridge index rebuild`");
    }
    Ok(Done::Well)
}
