//! `similar`: what is like an event, a host, a stretch of time or an element.

use ghost_node::api::Subject;

use crate::cli::{Place, Similar};
use crate::commands::ask;
use crate::commands::memory::{Memory, question};
use crate::outcome::{Done, Failed};
use crate::render::Layout;

/// Runs the command.
pub(crate) fn run(place: &Place, asked: Similar) -> Result<Done, Failed> {
    let mut memory = Memory::open(place)?;
    let subject = Subject::Similar(asked.text());
    let question = asked.whom.asked(question(place, subject, &asked.span, asked.limit)?);
    let mut reply = memory.ask(&question)?;
    ask::answered(&mut reply, Layout::of_stdout(asked.output, true))
}
