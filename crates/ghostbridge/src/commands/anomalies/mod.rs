//! `anomalies`: incidents and scored flows, as the log has them; what is muted, how learning stands.

mod explain;
mod list;
mod wish;

use crate::cli::{Anomalies, AnomaliesCommand, Place};
use crate::outcome::{Done, Failed};

/// Runs the command.
pub(crate) fn run(place: &Place, asked: Anomalies) -> Result<Done, Failed> {
    match asked.command {
        Some(AnomaliesCommand::Explain { id, output }) => explain::run(place, &id, output),
        Some(AnomaliesCommand::Mute(mute)) => wish::mute(place, mute),
        Some(AnomaliesCommand::Learn { what, output }) => wish::learn(place, what, output),
        None if asked.rule.is_some() => list::by_rule(place, &asked),
        None if asked.all => list::scored(place, &asked),
        None => list::incidents(place, &asked),
    }
}
