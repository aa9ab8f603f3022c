//! `replica promote`: a log that is held here becomes this host's own.

use std::path::Path;
use std::sync::Arc;

use ghost_node::{PROGRAM, RealClock};
use ghost_replica::{ReplicaDir, ReplicaError, promote};

use crate::cli::Place;
use crate::host;
use crate::outcome::{Done, Failed, say};
use crate::render::safe_text as safe;

/// Runs the command.
pub(super) fn run(place: &Place, log: &str, as_data: Option<&Path>) -> Result<Done, Failed> {
    let here = place.asked();
    let all = ReplicaDir::list(here.root());
    let Some(dir) = ReplicaDir::named(&all, log) else {
        return Err(Failed::usage(format!(
            "no log called {log:?} is held here, or several are; `ghostbridge replica held` lists them"
        )));
    };
    let data = as_data.unwrap_or(here.root());
    let done =
        promote(dir, data, host::random()?, PROGRAM, Arc::new(RealClock)).map_err(|error| {
            match error {
                ReplicaError::Refused(words) => Failed::new(words),
                other => Failed::caused(other),
            }
        })?;
    say(format_args!(
        "{} is the log of {} now: {} lines, and epoch {} begins behind them",
        safe(&dir.name(&all)),
        safe(&data.display().to_string()),
        done.size,
        done.epoch
    ));
    if let Some(aside) = &done.moved_aside {
        say(format_args!(
            "the log without events that was there is {}",
            safe(&aside.display().to_string())
        ));
    }
    say("its checkpoints are signed by a new key, which the old host's did not name: tell it to \
         whoever verifies (ghostbridge key show). What the old host writes from now on is refused \
         by replicas that have seen this epoch.");
    Ok(Done::Well)
}
