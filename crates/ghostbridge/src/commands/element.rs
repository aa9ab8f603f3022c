//! `element`: what became of interfaces, bridges and ports, each by its own chain in the log.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use ghost_node::elements::{self, Listed};
use serde_json::{Value, json};

use crate::cli::{ElementCommand, ListFormat, Place, VerdictFormat};
use crate::commands::memory::{moment, stamp};
use crate::outcome::{Done, Failed, counted, printed};
use crate::render::{Layout, Output, Renderer, safe_json, safe_text as safe};

/// Runs the command.
pub(crate) fn run(place: &Place, asked: ElementCommand) -> Result<Done, Failed> {
    match asked {
        ElementCommand::List { output } => list(place, output),
        ElementCommand::History { element, output } => history(place, &element, output),
        ElementCommand::Verify { element, output } => verify(place, element.as_deref(), output),
    }
}

fn list(place: &Place, output: ListFormat) -> Result<Done, Failed> {
    let all = elements::list(&place.data_with_log()?).map_err(Failed::caused)?;
    let mut text = String::new();
    match output {
        ListFormat::Json => {
            let all: Vec<Value> = all.iter().map(|(id, one)| as_json(id, one)).collect();
            text += &format!("{}\n", safe_json(&Value::from(all)));
        }
        ListFormat::Jsonl => {
            for (id, one) in &all {
                text += &format!("{}\n", safe_json(&as_json(id, one)));
            }
        }
        ListFormat::Table => {
            for (id, one) in &all {
                text += &format!(
                    "{:<40} {:>6} {:<10} {}\n",
                    safe(id),
                    one.height,
                    safe(&one.action),
                    one.time.map(moment).unwrap_or_default()
                );
            }
        }
    }
    printed(io::stdout().write_all(text.as_bytes()))?;
    Ok(if all.is_empty() { Done::Nothing } else { Done::Well })
}

fn as_json(id: &str, one: &Listed) -> Value {
    json!({
        "element": id,
        "type": &one.kind,
        "height": one.height,
        "seq": one.seq,
        "leaf": one.leaf.to_string(),
        "action": &one.action,
        "time": one.time.map(stamp),
    })
}

fn history(place: &Place, id: &str, output: Output) -> Result<Done, Failed> {
    let events = elements::history(&place.data_with_log()?, id).map_err(Failed::caused)?;
    let mut renderer =
        Renderer::new(BufWriter::new(io::stdout().lock()), Layout::of_stdout(output, false));
    let any = !events.is_empty();
    for event in &events {
        match renderer.row(&event.bytes, None) {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(Done::Well),
            result => printed(result)?,
        }
    }
    printed(renderer.finish().and_then(|mut out| out.flush()))?;
    Ok(if any { Done::Well } else { Done::Nothing })
}

fn verify(place: &Place, id: Option<&str>, output: VerdictFormat) -> Result<Done, Failed> {
    let data = place.data_with_log()?;
    let ids: Vec<String> = match id {
        Some(id) => vec![id.to_owned()],
        None => elements::list(&data).map_err(Failed::caused)?.into_keys().collect(),
    };
    let mut verdicts = BTreeMap::new();
    for id in ids {
        let verdict = elements::verify(&data, &id).map_err(Failed::caused)?;
        verdicts.insert(id, verdict);
    }
    let none = |events: u64| events == 0;
    let well = verdicts.values().all(|v| v.ok() && !none(v.events));
    match output {
        VerdictFormat::Json => {
            let all: Vec<Value> = verdicts
                .iter()
                .map(|(id, v)| {
                    json!({
                        "element": id,
                        "ok": v.ok(),
                        "events": v.events,
                        "first_height": v.first_height,
                        "head": v.head.as_ref().map(|head| {
                            json!({"height": head.height, "seq": head.seq, "leaf": head.leaf.to_string()})
                        }),
                        "damage": v.damage.as_ref().map(ToString::to_string),
                    })
                })
                .collect();
            printed(writeln!(io::stdout(), "{}", safe_json(&Value::from(all))))?;
        }
        VerdictFormat::Table => {
            let mut text = String::new();
            for (id, v) in &verdicts {
                let told = match (&v.damage, &v.head) {
                    (Some(damage), _) => format!("DAMAGED: {}", safe(&damage.to_string())),
                    (None, None) => "not in the log".to_owned(),
                    (None, Some(head)) => format!(
                        "ok: {}, of height {} to {}, each names the one before",
                        counted(v.events, "event"),
                        v.first_height,
                        head.height
                    ),
                };
                text += &format!("{}: {told}\n", safe(id));
            }
            printed(io::stdout().write_all(text.as_bytes()))?;
        }
    }
    Ok(if well && !verdicts.is_empty() { Done::Well } else { Done::Nothing })
}
