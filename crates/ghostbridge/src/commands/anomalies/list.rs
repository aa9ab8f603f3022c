//! The list of incidents, and of every scored flow.

use std::collections::VecDeque;
use std::io::{self, BufWriter, Write};

use ghost_node::anomaly::kind_in_words;
use ghost_node::anomaly::list::{self, Incident, Span};
use ghost_node::anomaly::rescored;

use crate::cli::{Anomalies, Place};
use crate::commands::memory::{failed, moment, now};
use crate::outcome::{Done, Failed, counted, printed, say};
use crate::render::{Layout, Output, Renderer, safe_text as safe};

/// Which time is meant.
pub(super) fn span(asked: &crate::cli::Span) -> Result<Span, Failed> {
    let since = asked.last.as_deref().or(asked.since.as_deref());
    Span::of(since, asked.until.as_deref(), &now()).map_err(failed)
}

/// Every scored flow, oldest first, in the shape that was logged.
pub(super) fn scored(place: &Place, asked: &Anomalies) -> Result<Done, Failed> {
    let (data, span) = (place.data_with_log()?, span(&asked.span)?);
    let layout = Layout::of_stdout(asked.output, false);
    let mut renderer = Renderer::new(BufWriter::new(io::stdout().lock()), layout);
    let (mut any, mut trouble) = (false, Ok(()));
    let mut newest: VecDeque<Vec<u8>> = VecDeque::new();
    list::scored(&data, &span, &mut |_, line| {
        any = true;
        if asked.limit > 0 {
            newest.push_back(line.to_vec());
            if newest.len() > asked.limit {
                newest.pop_front();
            }
            return true;
        }
        trouble = renderer.row(line, None);
        trouble.is_ok()
    })
    .map_err(Failed::caused)?;
    for line in &newest {
        if trouble.is_ok() {
            trouble = renderer.row(line, None);
        }
    }
    match trouble {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(Done::Well),
        result => printed(result)?,
    }
    printed(renderer.finish().and_then(|mut out| out.flush()))?;
    Ok(if any { Done::Well } else { Done::Nothing })
}

/// Every flow, or those that are alerts, scored by another rule.
pub(super) fn by_rule(place: &Place, asked: &Anomalies) -> Result<Done, Failed> {
    let words = asked.rule.as_deref().unwrap_or_default();
    let threshold = rescored::threshold(words).map_err(Failed::usage)?;
    let (data, span) = (place.data_with_log()?, span(&asked.span)?);
    let layout = Layout::of_stdout(asked.output, false);
    let mut renderer = Renderer::new(BufWriter::new(io::stdout().lock()), layout);
    let (mut any, mut trouble) = (false, Ok(()));
    rescored::by_cosine(&data, &span, threshold, &mut |event| {
        let alert = event.pointer("/ghost/alert").is_some();
        if asked.all || alert {
            any = true;
            trouble = renderer.row(event.to_string().as_bytes(), None);
        }
        trouble.is_ok()
    })
    .map_err(Failed::caused)?;
    match trouble {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(Done::Well),
        result => printed(result)?,
    }
    printed(renderer.finish().and_then(|mut out| out.flush()))?;
    Ok(if any { Done::Well } else { Done::Nothing })
}

/// The incidents, oldest first.
pub(super) fn incidents(place: &Place, asked: &Anomalies) -> Result<Done, Failed> {
    let (data, span) = (place.data_with_log()?, span(&asked.span)?);
    let (all, left_out) = list::incidents(&data, &span).map_err(Failed::caused)?;
    if left_out > 0 {
        say(format_args!("note: {left_out} older incidents are left out; ask for less time"));
    }
    let from = if asked.limit == 0 { 0 } else { all.len().saturating_sub(asked.limit) };
    let shown = all.get(from..).unwrap_or_default();
    match asked.output {
        Output::Table => table(shown)?,
        Output::Json | Output::Jsonl => {
            let layout = Layout::of_stdout(asked.output, false);
            let mut renderer = Renderer::new(BufWriter::new(io::stdout().lock()), layout);
            for incident in shown {
                match renderer.row(&incident.line, None) {
                    Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(Done::Well),
                    result => printed(result)?,
                }
            }
            printed(renderer.finish().and_then(|mut out| out.flush()))?;
        }
        Output::Csv | Output::Eve | Output::Zeek => {
            return Err(Failed::usage(
                "incidents are printed as table, json or jsonl; --all prints flows in every form",
            ));
        }
    }
    Ok(if shown.is_empty() { Done::Nothing } else { Done::Well })
}

fn table(all: &[Incident]) -> Result<(), Failed> {
    let mut text = String::new();
    for incident in all {
        let ends = match (incident.source, incident.target) {
            (Some(source), Some(target)) => {
                format!(
                    "{}{} -> {}{}",
                    source,
                    more(incident.sources),
                    target,
                    more(incident.targets)
                )
            }
            (Some(one), None) | (None, Some(one)) => one.to_string(),
            (None, None) => String::new(),
        };
        text += &format!(
            "{:<10} {} {:<7} {:.2}  {:<22} {:<11} {}\n",
            safe(&incident.id),
            incident.first.map(moment).unwrap_or_default(),
            incident.state.name(),
            incident.score,
            safe(&kind_in_words(&incident.kind)),
            counted(incident.flows, "flow"),
            ends
        );
        if let Some(why) = incident.told.first() {
            text += &format!("{:11}{}\n", "", safe(why));
        }
    }
    printed(io::stdout().write_all(text.as_bytes()))
}

/// Others that are like the first.
fn more(count: u64) -> String {
    if count > 1 { format!(" (+{})", count - 1) } else { String::new() }
}
