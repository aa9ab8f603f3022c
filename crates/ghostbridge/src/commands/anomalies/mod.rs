//! `anomalies`: incidents and scored flows, as the log has them.

mod list;

use crate::cli::{Anomalies, Place};
use crate::outcome::{Done, Failed};

/// Runs the command.
pub(crate) fn run(place: &Place, asked: Anomalies) -> Result<Done, Failed> {
    if asked.all { list::scored(place, &asked) } else { list::incidents(place, &asked) }
}
