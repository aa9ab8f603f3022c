//! `compare`: what is new, gone, more and less between two stretches of time or two hosts.

use ghost_node::api::Subject;

use crate::cli::{Compare, Place};
use crate::commands::ask;
use crate::commands::memory::{Memory, question};
use crate::outcome::{Done, Failed};
use crate::render::Layout;

/// Runs the command.
pub(crate) fn run(place: &Place, asked: Compare) -> Result<Done, Failed> {
    let mut memory = Memory::open(place)?;
    let subject = Subject::Compare(format!("{} vs {}", asked.first, asked.second));
    let question = asked.whom.asked(question(place, subject, &asked.span, asked.limit)?);
    let mut reply = memory.ask(&question)?;
    ask::answered(&mut reply, Layout::of_stdout(asked.output, true))
}
