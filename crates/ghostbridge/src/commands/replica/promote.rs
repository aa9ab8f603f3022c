//! `replica promote`: a log that is held here becomes this host's own.

use std::path::Path;

use crate::cli::Place;
use crate::outcome::{Done, Failed};

/// Runs the command.
pub(super) fn run(_: &Place, _: &str, _: Option<&Path>) -> Result<Done, Failed> {
    Err(Failed::new("promoting is not there yet"))
}
