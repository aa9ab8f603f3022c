//! `config`: what is configured, what is in force and why, and an example.

use std::io::{self, Write};

use ghost_node::config;

use crate::cli::{ConfigCommand, Place};
use crate::outcome::{Done, Failed, printed, say};
use crate::settings;

/// Runs the command.
pub(crate) fn run(place: &Place, asked: ConfigCommand) -> Result<Done, Failed> {
    match asked {
        ConfigCommand::Example => printed(io::stdout().write_all(config::example().as_bytes()))?,
        ConfigCommand::Show { effective, config } => {
            let settings = settings::of_file(place, config.as_deref())?;
            printed(io::stdout().write_all(settings.show(effective).as_bytes()))?;
            if let Err(error) = settings.check() {
                say(format_args!("this can't be run: {error}"));
                return Ok(Done::Nothing);
            }
        }
    }
    Ok(Done::Well)
}
