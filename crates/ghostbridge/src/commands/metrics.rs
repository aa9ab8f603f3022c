//! `metrics`: what Prometheus would read, printed.

use std::io::{self, Write};

use crate::cli::Place;
use crate::commands::memory::{daemon, unanswered};
use crate::outcome::{Done, Failed, printed};

/// Runs the command.
pub(crate) fn run(place: &Place) -> Result<Done, Failed> {
    let Some(mut client) = daemon(place)? else {
        return Err(Failed::unreachable(format!(
            "no daemon writes the log of {}: metrics are a running daemon's; start one with \
             `ghostbridge run`",
            place.data().root().display()
        )));
    };
    let text = client.metrics().map_err(unanswered)?;
    // Labels are escaped where they are made.
    printed(io::stdout().write_all(text.as_bytes()))?;
    Ok(Done::Well)
}
