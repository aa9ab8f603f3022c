//! One incident in words and figures: why, what is usual and comes nearest, its flows.

use std::io::{self, Write};

use ghost_node::anomaly::kind_in_words;
use ghost_node::anomaly::list::{self, Explained};
use serde_json::{Value, json};

use crate::cli::{Place, VerdictFormat};
use crate::commands::memory::{moment, stamp};
use crate::outcome::{Done, Failed, counted, printed};
use crate::render::{Layout, Output, Renderer, safe_json, safe_text as safe};

pub(super) fn run(place: &Place, id: &str, output: VerdictFormat) -> Result<Done, Failed> {
    let data = place.data_with_log()?;
    let Some(explained) = list::explain(&data, id).map_err(Failed::caused)? else {
        return Err(Failed::new(format!(
            "{id}: the log tells of no such incident; `ghostbridge anomalies` lists them"
        )));
    };
    match output {
        VerdictFormat::Json => {
            printed(writeln!(io::stdout(), "{}", safe_json(&as_json(&explained))))?;
        }
        VerdictFormat::Table => table(&explained)?,
    }
    Ok(Done::Well)
}

fn as_json(e: &Explained) -> Value {
    let i = &e.incident;
    let flows: Vec<Value> =
        e.flows.iter().filter_map(|line| serde_json::from_slice(line).ok()).collect();
    json!({
        "id": i.id,
        "state": i.state.name(),
        "kind": i.kind,
        "behaviours": i.behaviours.names().collect::<Vec<_>>(),
        "score": i.score,
        "reasons": i.reasons.names().collect::<Vec<_>>(),
        "told": i.told,
        "source": i.source,
        "target": i.target,
        "flows": i.flows,
        "sources": i.sources,
        "targets": i.targets,
        "first": i.first.map(stamp),
        "last": i.last.map(stamp),
        "shape": e.shape,
        "nearest": e.nearest.iter().map(|n| {
            json!({"cosine": n.cosine, "text": n.text})
        }).collect::<Vec<_>>(),
        "list": format!("incident:{}", i.id),
        "evidence": flows,
    })
}

fn table(e: &Explained) -> Result<(), Failed> {
    let i = &e.incident;
    let mut text = format!(
        "incident {}: {}, score {:.2}, {}\n{} to {}; {}, {}, {}\n",
        safe(&i.id),
        safe(&kind_in_words(&i.kind)),
        i.score,
        i.state.name(),
        i.first.map(moment).unwrap_or_default(),
        i.last.map(moment).unwrap_or_default(),
        counted(i.flows, "flow"),
        counted(i.sources, "source"),
        counted(i.targets, "target"),
    );
    let behaviours: Vec<&str> = i.behaviours.names().collect();
    if !behaviours.is_empty() {
        text += &format!("looks like: {}\n", behaviours.join(", ").replace('_', " "));
    }
    text += "why:\n";
    for told in &i.told {
        text += &format!("  - {}\n", safe(told));
    }
    if let Some(shape) = &e.shape {
        text += &format!("what it is: {}\n", safe(shape));
    }
    if !e.nearest.is_empty() {
        text += "what is usual here and comes nearest:\n";
        for near in &e.nearest {
            text += &format!("  {:.2}  {}\n", near.cosine, safe(&near.text));
        }
    }
    text += &format!(
        "its first flows ({} of {}; all: ghostbridge flows incident:{}):\n",
        e.flows.len(),
        i.flows,
        safe(&i.id)
    );
    printed(io::stdout().write_all(text.as_bytes()))?;
    let mut renderer = Renderer::new(io::stdout().lock(), Layout::of_stdout(Output::Table, false));
    for line in &e.flows {
        printed(renderer.row(line, None))?;
    }
    printed(renderer.finish().and_then(|mut out| out.flush()))
}
