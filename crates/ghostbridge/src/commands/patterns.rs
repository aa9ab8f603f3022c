//! `patterns`: what stretches of time look like.

use ghost_node::api::Subject;

use crate::cli::{How, Patterns, PatternsCommand, Place};
use crate::commands::ask;
use crate::commands::memory::{Memory, question};
use crate::outcome::{Done, Failed};
use crate::render::Layout;

/// Runs the command.
pub(crate) fn run(place: &Place, asked: Patterns) -> Result<Done, Failed> {
    let (text, how) = match asked.command {
        PatternsCommand::Now { at: Some(at), how } => (format!("now at {at}"), how),
        PatternsCommand::Now { at: None, how } => ("now".to_owned(), how),
        PatternsCommand::List { how } => ("list".to_owned(), how),
        PatternsCommand::Match { words, how } => (format!("match {}", words.join(" ")), how),
        PatternsCommand::Trend { words, how } => (format!("trend {}", words.join(" ")), how),
    };
    let How { window, whom, span, limit, output } = how;
    let text = match window {
        Some(window) if text != "list" => format!("{} window {window}", text.trim_end()),
        _ => text,
    };
    let mut memory = Memory::open(place)?;
    // Of the library all is listed.
    let limit = if text == "list" { 0 } else { limit };
    let question = whom.asked(question(place, Subject::Patterns(text), &span, limit)?);
    let mut reply = memory.ask(&question)?;
    ask::answered(&mut reply, Layout::of_stdout(output, true))
}
