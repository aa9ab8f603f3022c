//! One file a command; each prints its data to standard output and its talk to standard error.

mod anomalies;
mod ask;
mod attach_helper;
mod block;
mod block_helper;
mod compare;
mod config;
mod detach;
mod doctor;
mod element;
mod follow;
mod import;
mod index;
mod init;
mod key;
mod log;
mod manual;
mod memory;
mod metrics;
mod patterns;
mod replica;
mod replicas;
mod run;
mod similar;
mod status;
mod top;

use crate::cli::{Cli, Command, IndexCommand};
use crate::outcome::{Done, Failed};

/// Runs the command that was asked for.
pub(crate) fn run(cli: Cli) -> Result<Done, Failed> {
    let place = &cli.place;
    match cli.command {
        Command::Run(asked) => run::run(place, &asked),
        Command::Detach(asked) => detach::run(place, &asked),
        Command::Config(asked) => config::run(place, asked),
        Command::AttachHelper(asked) => attach_helper::run(&asked),
        Command::BlockHelper => block_helper::run(place),
        Command::Import(asked) => import::run(place, asked),
        Command::Query(asked) => ask::query(place, asked),
        Command::Flows(asked) => ask::flows(place, asked),
        Command::Anomalies(asked) => anomalies::run(place, asked),
        Command::Similar(asked) => similar::run(place, asked),
        Command::Patterns(asked) => patterns::run(place, asked),
        Command::Compare(asked) => compare::run(place, asked),
        Command::Log(asked) => log::run(place, asked),
        Command::Key(asked) => key::run(place, asked),
        Command::Init(asked) => init::run(place, &asked),
        Command::Block(asked) => block::run(place, asked),
        Command::Replica(asked) => replica::run(place, asked),
        Command::Element(asked) => element::run(place, asked),
        Command::Index(IndexCommand::Rebuild { from }) => index::rebuild(place, from),
        Command::Index(IndexCommand::Status { log, output }) => {
            index::status(place, log.as_deref(), output)
        }
        Command::RebuildVectorIndex { file } => index::rebuild(place, Some(file)),
        Command::Status(asked) => status::run(place, asked.output),
        Command::Top(asked) => top::run(place, &asked),
        Command::Metrics => metrics::run(place),
        Command::Doctor => doctor::run(place),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { dir } => manual::man(dir),
    }
}
