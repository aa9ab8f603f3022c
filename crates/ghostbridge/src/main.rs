//! `ghostbridge`: the network bridge that remembers.
//!
//! Reads the command line, runs one command, and turns its end into an exit code. What a command
//! does stands in the file of its name.

mod btrfs_receive;
mod cli;
mod commands;
mod helper;
mod host;
mod keeper;
mod notify;
mod outcome;
mod place;
mod privileges;
mod receiving;
mod render;
mod settings;
mod signals;
mod ssh;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse_from(std::env::args_os().map(cli::spelled)) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are data, everything else is talk; clap knows which is which.
            let code = if error.use_stderr() { outcome::USAGE } else { 0 };
            drop(error.print());
            return ExitCode::from(code);
        }
    };
    if cli.command.keeps_data() {
        host::narrow_permissions();
    }
    outcome::report(commands::run(cli))
}
