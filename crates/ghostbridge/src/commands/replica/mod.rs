//! `replica`: this host's log on others, and the logs of others here.

mod held;
mod list;
mod primary;
mod promote;
mod serve;

use crate::cli::{HeldCommand, Place, ReplicaCommand};
use crate::outcome::{Done, Failed};

/// Runs the command.
pub(crate) fn run(place: &Place, asked: ReplicaCommand) -> Result<Done, Failed> {
    match asked {
        ReplicaCommand::Add(asked) => primary::add(place, &asked),
        ReplicaCommand::List { output } => list::run(place, None, output, false),
        ReplicaCommand::Status { name, output } => list::run(place, name.as_deref(), output, true),
        ReplicaCommand::Sync { name } => primary::sync(place, name),
        ReplicaCommand::Pause { name } => primary::pause(place, name),
        ReplicaCommand::Resume { name } => primary::resume(place, name),
        ReplicaCommand::Limit { name, rate, quiet } => {
            primary::limit(place, name, rate.as_deref(), quiet)
        }
        ReplicaCommand::Remove { name } => primary::remove(place, name),
        ReplicaCommand::Key => primary::key(place),
        ReplicaCommand::Held(asked) => run_held(place, asked),
    }
}

fn run_held(place: &Place, asked: HeldCommand) -> Result<Done, Failed> {
    match asked {
        HeldCommand::Serve => serve::run(place),
        HeldCommand::Held { output } => held::run(place, output),
        HeldCommand::Promote { log, as_data } => promote::run(place, &log, as_data.as_deref()),
    }
}
